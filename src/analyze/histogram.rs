//! A histogram of sizes with a bounded relative error.

use serde::{Deserialize, Serialize};

/// Sub-buckets per doubling: a quantile is at most 1/32 below the true value.
const STEPS: u64 = 32;
const STEP_BITS: u32 = STEPS.ilog2();

/// Counts sizes in buckets whose width grows with the size; small sizes are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<(usize, u64)>", try_from = "Vec<(usize, u64)>")]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Counts one size.
    #[inline]
    pub fn add(&mut self, size: u64) {
        let bucket = bucket_of(size);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
    }

    /// Takes over the counts of another.
    pub fn merge(&mut self, other: &Histogram) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count;
        }
        self.total += other.total;
    }

    /// The size that `per_mille` of all do not exceed: the lower end of its bucket. Absent if nothing was counted.
    pub fn quantile(&self, per_mille: u64) -> Option<u64> {
        let rank = (u128::from(self.total) * u128::from(per_mille)).div_ceil(1000).max(1);
        let rank = u64::try_from(rank).unwrap_or(u64::MAX);
        let mut seen = 0;
        self.counts
            .iter()
            .position(|count| {
                seen += count;
                seen >= rank
            })
            .map(lower_end)
    }

    /// Counts per doubling, as (upper end, count): sizes below the first upper end, then each doubling.
    pub fn doublings(&self) -> Vec<(u64, u64)> {
        let mut rows: Vec<(u64, u64)> = Vec::new();
        for (bucket, &count) in self.counts.iter().enumerate() {
            let upper =
                lower_end(bucket).max(1).checked_ilog2().map_or(2, |bits| 2u64.checked_shl(bits).unwrap_or(u64::MAX));
            match rows.last_mut() {
                Some((last, sum)) if *last == upper => *sum += count,
                _ => rows.push((upper, count)),
            }
        }
        let first = rows.iter().position(|(_, count)| *count > 0).unwrap_or(rows.len());
        rows.split_off(first)
    }
}

/// The buckets that are not empty, and their counts.
impl From<Histogram> for Vec<(usize, u64)> {
    fn from(histogram: Histogram) -> Vec<(usize, u64)> {
        histogram.counts.into_iter().enumerate().filter(|(_, count)| *count > 0).collect()
    }
}

impl TryFrom<Vec<(usize, u64)>> for Histogram {
    type Error = String;

    fn try_from(buckets: Vec<(usize, u64)>) -> Result<Histogram, String> {
        let mut histogram = Histogram::default();
        for (bucket, count) in buckets {
            if bucket > bucket_of(u64::MAX) {
                return Err(format!("no size falls into bucket {bucket}"));
            }
            histogram.counts.resize(histogram.counts.len().max(bucket + 1), 0);
            histogram.counts[bucket] = count;
            histogram.total = histogram.total.saturating_add(count);
        }
        Ok(histogram)
    }
}

fn bucket_of(size: u64) -> usize {
    if size < STEPS {
        return size as usize;
    }
    let bits = size.ilog2();
    let step = (size >> (bits - STEP_BITS)) - STEPS;
    (u64::from(bits - STEP_BITS + 1) * STEPS + step) as usize
}

fn lower_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    (STEPS + bucket % STEPS) << (bucket / STEPS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_falls_into_them() {
        for size in (0..5000).chain([1 << 20, (1 << 40) + 12345, u64::MAX]) {
            let low = lower_end(bucket_of(size));
            assert!(low <= size && (size - low) as f64 <= size as f64 / STEPS as f64, "{size}: {low}");
        }
    }

    #[test]
    fn quantiles_and_merging() {
        let (mut all, mut odd) = (Histogram::default(), Histogram::default());
        (1..=1000).for_each(|n| if n % 2 == 0 { all.add(n) } else { odd.add(n) });
        all.merge(&odd);
        assert_eq!(all.quantile(500), Some(496));
        assert_eq!(all.quantile(1000), Some(992));
        assert_eq!(Histogram::default().quantile(500), None);
        assert_eq!(all.doublings().iter().map(|(_, count)| count).sum::<u64>(), 1000);
        assert_eq!(all.doublings()[0], (2, 1));
    }
}
