//! Hot keys and cold memory: by the access counters and idle times of the dumps, and by logs that are joined to them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::aggregate::{Aggregate, IDLE_BUCKETS};
use super::remedy::Step;
use super::summary::{BucketRow, KeyRow};
use super::thresholds::Severity;
use super::top::TopKey;
use crate::cluster::slot::{SLOTS, slot_of};

/// Counter of a new key (`LFU_INIT_VAL`).
const LFU_INITIAL: u8 = 5;
/// The servers' default of `lfu-log-factor`.
pub const LFU_LOG_FACTOR: u64 = 10;

/// From this counter on a key is hot: about 10,000 hits.
pub const HOT_COUNTER: u8 = 51;
/// From this counter on it is near the highest that there is.
pub const NEAR_HIGHEST_COUNTER: u8 = 230;

/// The hits that a counter is expected to have taken, with the default `lfu-log-factor` of 10 and without decay.
///
/// A hit adds one to counter `c` with probability `1 / ((c - 5) * factor + 1)` (`LFULogIncr` in the servers' `evict.c`), so it
/// takes `(c - 5) * factor + 1` hits on average; the sum of these from 5 up. This agrees with the table in `redis.conf`: 100
/// hits make 10, 1,000 make 18, 100,000 make 142. The highest, 255, is 311,500 hits or any more.
#[inline]
pub const fn estimated_hits(counter: u8) -> u64 {
    let steps = counter.saturating_sub(LFU_INITIAL) as u64;
    steps + LFU_LOG_FACTOR * steps * steps.saturating_sub(1) / 2
}

/// From so many seconds of idleness on, a key may be among the coldest.
pub const COLD_SECONDS: u64 = 3600;

/// Bands of the access counter, by their last value.
const FREQ_BANDS: [(u8, &str); 7] = [
    (5, "0-5: new or cold"),
    (18, "6-18: up to 800 hits"),
    (HOT_COUNTER - 1, "19-50: up to 10,000 hits"),
    (142, "51-142: up to 93,000 hits"),
    (NEAR_HIGHEST_COUNTER - 1, "143-229: up to 250,000 hits"),
    (254, "230-254: up to 309,000 hits"),
    (255, "255: the highest, 311,500 hits or more"),
];

/// Names that a pass over the dumps looks out for.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Slots that have any of them: most keys are told by that.
    slots: Box<[bool]>,
    names: BTreeSet<Box<[u8]>>,
}

impl Watch {
    /// Looks out for these.
    pub fn new<'n>(names: impl Iterator<Item = &'n [u8]>) -> Watch {
        let names: BTreeSet<Box<[u8]>> = names.map(Box::from).collect();
        let mut slots = vec![false; usize::from(SLOTS)];
        names.iter().for_each(|name| slots[usize::from(slot_of(name))] = true);
        Watch { slots: slots.into(), names }
    }

    /// Whether another looks out for no other names.
    pub fn covers(&self, other: &Watch) -> bool {
        other.names.is_subset(&self.names)
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(|name| &**name)
    }

    /// Whether the key is one of them.
    #[inline]
    pub fn has(&self, slot: u16, name: &[u8]) -> bool {
        self.slots[usize::from(slot)] && self.names.contains(name)
    }
}

/// A name that was looked for and found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The key, the largest of that name.
    pub key: TopKey,
    /// How many have the name, in all databases and dumps.
    pub keys: u64,
}

impl Found {
    /// Takes over what another knows of the same name.
    pub fn merge(&mut self, other: Found) {
        self.keys = self.keys.saturating_add(other.keys);
        let rank = |key: &TopKey| (Reverse(key.footprint_bytes), key.dump, key.db);
        if rank(&other.key) < rank(&self.key) {
            self.key = other.key;
        }
    }
}

/// The names that were found, of those looked for.
pub type FoundNames = BTreeMap<Box<[u8]>, Found>;

/// Access counters.
#[derive(Clone, Debug, Serialize)]
pub struct FreqRow {
    /// Keys by band of the counter.
    pub bands: Vec<BandRow>,
    /// What hits are estimated with: `lfu-log-factor`.
    pub lfu_log_factor: u64,
    /// Estimated hits of all keys.
    pub estimated_hits: u64,
    /// The hottest keys.
    pub hottest: Vec<HotKey>,
    /// The hottest slots.
    pub hottest_slots: Vec<HotSlot>,
}

/// Keys whose counter is in a band.
#[derive(Clone, Debug, Serialize)]
pub struct BandRow {
    /// Lowest counter.
    pub counter_from: u8,
    /// Highest counter.
    pub counter_to: u8,
    /// What the lowest and the highest are expected to have taken.
    pub estimated_hits_from: u64,
    /// The same of the highest; absent of 255, which may be any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_hits_to: Option<u64>,
    /// Estimated hits of its keys.
    pub estimated_hits: u64,
    /// The keys.
    #[serde(flatten)]
    pub bucket: BucketRow,
}

/// A key with an access counter.
#[derive(Clone, Debug, Serialize)]
pub struct HotKey {
    /// See [`estimated_hits`].
    pub estimated_hits: u64,
    /// The key.
    #[serde(flatten)]
    pub key: KeyRow,
}

impl HotKey {
    /// The same with the estimate.
    pub fn new(key: KeyRow) -> HotKey {
        HotKey { estimated_hits: estimated_hits(key.freq.unwrap_or(0)), key }
    }
}

/// A slot by the counters of its keys.
#[derive(Clone, Debug, Serialize)]
pub struct HotSlot {
    /// Its number.
    pub slot: u16,
    /// Node whose dump has its keys.
    pub node: String,
    /// Keys in it.
    pub keys: u64,
    /// Estimated hits of its keys.
    pub estimated_hits: u64,
}

/// Keys by band of the access counter; absent without counters.
pub fn freq_bands(aggregate: &Aggregate) -> Option<Vec<BandRow>> {
    if aggregate.freq.is_empty() {
        return None;
    }
    let mut from = 0;
    let bands = FREQ_BANDS.iter().map(|&(last, label)| {
        let first = from;
        let counters = || (first..=last).zip(&aggregate.freq[usize::from(first)..]);
        from = last.saturating_add(1);
        BandRow {
            counter_from: first,
            counter_to: last,
            estimated_hits_from: estimated_hits(first),
            estimated_hits_to: (last < u8::MAX).then(|| estimated_hits(last)),
            estimated_hits: counters().map(|(counter, (keys, _))| estimated_hits(counter) * keys).sum(),
            bucket: BucketRow {
                label,
                keys: counters().map(|(_, (keys, _))| keys).sum(),
                footprint_bytes: counters().map(|(_, (_, bytes))| bytes).sum(),
            },
        }
    });
    Some(bands.collect())
}

/// Memory that nothing asked for.
#[derive(Clone, Debug, Serialize)]
pub struct ColdRow {
    /// What the keys hold that have been idle for so long, or longer.
    pub at_least: Vec<ColdStep>,
    /// The keys with the most memory times idle time.
    pub keys: Vec<ColdKey>,
}

/// Keys that have been idle for so long, or longer: what evicting or moving them would free.
#[derive(Clone, Debug, Serialize)]
pub struct ColdStep {
    /// How long, in seconds.
    pub idle_seconds: u64,
    /// Keys and memory.
    #[serde(flatten)]
    pub bucket: BucketRow,
}

/// A key with an idle time.
#[derive(Clone, Debug, Serialize)]
pub struct ColdKey {
    /// Its memory times the days it has been idle.
    pub byte_days: u64,
    /// The key.
    #[serde(flatten)]
    pub key: KeyRow,
}

impl ColdKey {
    /// The same with its memory over time.
    pub fn new(key: KeyRow) -> ColdKey {
        let bytes = u128::from(key.footprint_bytes.unwrap_or(0));
        let byte_days = bytes * u128::from(key.idle_seconds.unwrap_or(0)) / 86_400;
        ColdKey { byte_days: u64::try_from(byte_days).unwrap_or(u64::MAX), key }
    }
}

/// What the idle keys would free, by how long they are idle at least; absent without idle times.
pub fn cold_steps(aggregate: &Aggregate) -> Option<Vec<ColdStep>> {
    const LABELS: [&str; IDLE_BUCKETS.len()] = [
        "a minute or more",
        "an hour or more",
        "a day or more",
        "a week or more",
        "30 days or more",
        "90 days or more",
    ];
    if aggregate.idle.is_empty() {
        return None;
    }
    let steps = LABELS.iter().zip(IDLE_BUCKETS).zip(1..).skip(1).map(|((label, (idle_seconds, _)), first)| {
        let (keys, footprint_bytes) =
            aggregate.idle[first..].iter().fold((0, 0), |sum, (keys, bytes)| (sum.0 + keys, sum.1 + bytes));
        ColdStep { idle_seconds, bucket: BucketRow { label, keys, footprint_bytes } }
    });
    Some(steps.collect())
}

/// Hot keys that are known by a counter or a log, and what to do about them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HotKeys {
    /// Keys that are hot and big.
    pub hot_and_big: Vec<HotBig>,
    /// What to do about the hottest.
    pub remedies: Vec<HotRemedy>,
}

/// A key that is hot and big.
#[derive(Clone, Debug, Serialize)]
pub struct HotBig {
    /// How big it is.
    pub severity: Severity,
    /// Hits in the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hits: Option<u64>,
    /// Hits by its access counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_hits: Option<u64>,
    /// Bytes on the link if each of them takes all of it: of the hits in the logs, else of those estimated.
    pub whole_bytes: u64,
    /// The key.
    #[serde(flatten)]
    pub key: KeyRow,
}

/// What to do about a hot key.
#[derive(Clone, Debug, Serialize)]
pub struct HotRemedy {
    /// Name of the key.
    pub key: String,
    /// Whether its name, and so those of the copies, are shown with escapes.
    pub is_escaped: bool,
    /// Its slot.
    pub slot: u16,
    /// The node that owns it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// How hot it is, in words.
    pub why: String,
    /// What to do.
    pub steps: Vec<Step>,
    /// What the names below are for: `copies`, `shards` or `parts`.
    pub names_are: &'static str,
    /// Names that lie on different nodes, the key's own first.
    pub names: Vec<CopyRow>,
    /// What to know about these names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A name and where it lies.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct CopyRow {
    pub key: String,
    pub slot: u16,
    pub node: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::KeyRecord;

    #[test]
    fn counters_are_as_in_redis_conf() {
        // Its table for a factor of 10: hits, and what they made the counter of one key, which is random.
        for (hits, counter) in [(100u64, 10), (1000, 18), (100_000, 142)] {
            let estimate = estimated_hits(counter);
            assert!(estimate.abs_diff(hits) <= hits / 4, "{hits}: {estimate}");
        }
        assert_eq!([0, 5, 6, 7, 255].map(estimated_hits), [0, 0, 1, 12, 311_500]);
        assert_eq!(FREQ_BANDS.map(|(last, _)| estimated_hits(last)), [0, 793, 9945, 93_297, 249_984, 309_009, 311_500]);
    }

    #[test]
    fn the_largest_of_a_name_is_kept_in_any_order() {
        use crate::analyze::top::tests::record;
        let found =
            |dump, db, bytes| Found { key: TopKey::new(dump, &KeyRecord { db, ..record(b"a", bytes) }, None), keys: 1 };
        let all = [found(0, 1, 5), found(0, 0, 7), found(1, 0, 7), found(0, 3, 7)];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            let mut sum = all[order[0]].clone();
            order[1..].iter().for_each(|&index| sum.merge(all[index].clone()));
            assert_eq!((sum.keys, &sum.key), (4, &all[1].key));
        }
    }
}
