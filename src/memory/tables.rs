//! Hash tables of the servers: how many buckets, how many chained entries, what a growing one leaves behind.

/// Buckets of a `dict` made for `n` entries: the next power of two, at least 4 (`dict.c:_dictNextExp`).
#[inline]
pub fn dict_buckets(n: u64) -> u64 {
    n.max(4).checked_next_power_of_two().unwrap_or(1 << 63)
}

/// Expected number of entries that are not the first in their bucket, for `n` entries in a `dict` made for them.
///
/// Without values, such an entry needs 16 bytes more, the first in a bucket none (Redis 7.2 `dict.c`, no-value dicts).
pub fn dict_chained(n: u64) -> u64 {
    let buckets = dict_buckets(n) as f64;
    let used = buckets * (1.0 - power(1.0 - 1.0 / buckets, n));
    (n as f64 - used).round().max(0.0) as u64
}

/// Bytes of bucket arrays that a `dict` holds after `n` insertions without any hint: it doubles when it is full, and the
/// old array stays until the rehash that empties it is done, one used bucket per insertion.
pub fn dict_bytes_grown(n: u64) -> u64 {
    let mut dict = GrowingDict::default();
    dict.insert(n);
    dict.bytes()
}

/// Bytes of bucket arrays of a `dict` that a packed hash was turned into after `before` fields, when one was too long: made
/// for those fields, it takes the long one, is then told to make room for `hint`, and takes the rest (`rdb.c`).
pub fn dict_bytes_converted(n: u64, before: u64, hint: u64) -> u64 {
    let mut dict = GrowingDict::default();
    if before > 0 {
        dict.size = dict_buckets(before);
        dict.used = before;
    }
    dict.insert(1);
    let rest = n.saturating_sub(before + 1);
    if hint > 4 && dict.old == 0 && hint >= dict.used && dict_buckets(hint) > dict.size {
        dict.grow_to(dict_buckets(hint));
    }
    dict.insert(rest);
    dict.bytes()
}

/// A `dict` while entries are inserted.
#[derive(Default)]
struct GrowingDict {
    size: u64,
    used: u64,
    old_size: u64,
    /// Used buckets of the old array that are still to be moved.
    old: u64,
}

impl GrowingDict {
    fn grow_to(&mut self, size: u64) {
        if self.used > 0 {
            (self.old_size, self.old) = (self.size, used_buckets(self.size, self.used));
        }
        self.size = size;
    }

    /// Inserts `n` entries, in rounds: until the table is full, then it grows.
    fn insert(&mut self, n: u64) {
        let end = self.used + n;
        while self.used < end {
            if self.used < self.size {
                let step = (end - self.used).min(self.size - self.used);
                self.used += step;
                self.old = self.old.saturating_sub(step);
                if self.old == 0 {
                    self.old_size = 0;
                }
            } else {
                self.grow_to(dict_buckets(self.size + 1));
                self.used += 1; // the insertion that makes the table grow moves nothing
            }
        }
    }

    fn bytes(&self) -> u64 {
        8 * (self.size.max(4) + self.old_size)
    }
}

fn used_buckets(size: u64, entries: u64) -> u64 {
    let size = size as f64;
    (size * (1.0 - power(1.0 - 1.0 / size, entries))).round() as u64
}

/// Buckets of 64 bytes, seven entries each, of a Valkey 8.1 `hashtable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashtable {
    /// Buckets of the table itself: a power of two, or none.
    pub buckets: u64,
    /// Expected number of buckets chained to full ones.
    pub children: u64,
}

/// Entries in a bucket.
const BUCKET_ENTRIES: u64 = 7;
/// Bytes of a bucket: a cache line.
const BUCKET_BYTES: u64 = 64;

impl Hashtable {
    /// A table that was sized for its `n` entries (`hashtable.c`: at most 6.4 of 7 places used).
    pub fn sized_for(n: u64) -> Hashtable {
        Hashtable::with_buckets(n, buckets_for(n))
    }

    /// A table that took `n` entries without any hint: an entry more than it has places makes it grow, and each further
    /// one moves a bucket of the old table, which stays until it is empty.
    pub fn grown(n: u64) -> Hashtable {
        let mut buckets = 1;
        let mut old = 0;
        while n > BUCKET_ENTRIES * buckets {
            let grows_at = BUCKET_ENTRIES * buckets + 1;
            old = if n - grows_at < buckets { buckets } else { 0 };
            buckets = buckets_for(grows_at);
        }
        let table = Hashtable::with_buckets(n, buckets);
        Hashtable { buckets: table.buckets + old, ..table }
    }

    /// A table that a packed hash was turned into after `before` fields, when one was too long; see
    /// [`dict_bytes_converted`]. Each insertion moves one bucket of the old table, but for the one that makes it grow.
    pub fn converted(n: u64, before: u64) -> Hashtable {
        let mut buckets = if before > 0 { buckets_for(before) } else { 0 };
        let mut old = 0;
        let mut moved = 0;
        let rest = n.saturating_sub(before + 1);
        for used in before..n {
            if used == before + 1 && rest >= used && buckets_for(rest) != buckets {
                (old, moved) = (buckets, 0);
                buckets = buckets_for(rest);
            }
            if used + 1 > BUCKET_ENTRIES * buckets {
                (old, moved) = (buckets, 0);
                buckets = buckets_for(used + 1);
            } else {
                moved += 1;
            }
            if moved >= old {
                old = 0;
            }
        }
        let table = Hashtable::with_buckets(n, buckets);
        Hashtable { buckets: table.buckets + old, ..table }
    }

    fn with_buckets(n: u64, buckets: u64) -> Hashtable {
        Hashtable { buckets, children: expected_children(n, buckets) }
    }

    /// Bytes of all buckets.
    pub fn bytes(self) -> u64 {
        BUCKET_BYTES * (self.buckets + self.children)
    }
}

fn buckets_for(n: u64) -> u64 {
    (n.saturating_mul(5)).div_ceil(32).max(1).checked_next_power_of_two().unwrap_or(1 << 60)
}

/// Buckets chained behind one that `entries` fall into: six places each, since the last holds the link.
fn children_of(entries: u64) -> u64 {
    entries.saturating_sub(BUCKET_ENTRIES).div_ceil(BUCKET_ENTRIES - 1)
}

fn expected_children(n: u64, buckets: u64) -> u64 {
    if buckets == 1 {
        return children_of(n);
    }
    let b = buckets as f64;
    let odds = 1.0 / (b - 1.0);
    let mut chance = power(1.0 - 1.0 / b, n); // that no entry falls into a bucket
    let mut children = 0.0;
    for k in 0..n.min(64) {
        children += chance * children_of(k) as f64;
        chance *= (n - k) as f64 / (k + 1) as f64 * odds;
    }
    (b * children).round() as u64
}

/// `base` to the power of `n`, by multiplications alone so that every machine gives the same bits.
fn power(mut base: f64, mut n: u64) -> f64 {
    let mut product = 1.0;
    while n > 0 {
        if n & 1 == 1 {
            product *= base;
        }
        base *= base;
        n >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dict_made_for_its_entries() {
        assert_eq!([0, 1, 4, 5, 8, 9, 600].map(dict_buckets), [4, 4, 4, 8, 8, 16, 1024]);
        assert_eq!(dict_chained(0), 0);
        assert_eq!(dict_chained(1024), 377); // 1024 entries in 1024 buckets: about 1/e of the buckets stay empty
    }

    #[test]
    fn a_dict_that_grew_keeps_its_old_array_for_a_while() {
        // Measured on servers: 600, 1025 and 3000 fields without a hint (Redis 4.0).
        assert_eq!(dict_bytes_grown(600), 8 * (1024 + 512));
        assert_eq!(dict_bytes_grown(1025), 8 * (2048 + 1024));
        assert_eq!(dict_bytes_grown(3000), 8 * (4096 + 2048));
        assert_eq!(dict_bytes_grown(4000), 8 * 4096);
        assert_eq!(dict_bytes_grown(0), 8 * 4);
        // Five or nine fields, the first too long for a listpack: a hint for the remaining ones.
        assert_eq!(dict_bytes_converted(5, 0, 4), 8 * (8 + 4));
        assert_eq!(dict_bytes_converted(9, 0, 8), 8 * (16 + 8));
        assert_eq!(dict_bytes_converted(20, 0, 19), 8 * 32);
        assert_eq!(dict_bytes_converted(5, 4, 0), 8 * (8 + 4)); // the last of five is too long
        // Redis 8.6 gives the number of all fields as hint: the tenth of 17, the fourth of 9.
        assert_eq!(dict_bytes_converted(17, 9, 17), 8 * (32 + 16));
        assert_eq!(dict_bytes_converted(9, 3, 9), 8 * 16);
    }

    #[test]
    fn a_hashtable_chains_as_measured() {
        // Means of eight loads on Valkey: 9.0, 20.1, 38.0, 80.1, 123.8, 331.
        let children = [200, 409, 800, 1638, 3000, 6553].map(|n| Hashtable::sized_for(n).children);
        assert_eq!(children, [9, 20, 38, 82, 123, 326]);
        assert_eq!(Hashtable::sized_for(6), Hashtable { buckets: 1, children: 0 });
        // The fifth of 16 fields, and the 71st of 128, too long: the table still moves when the last is in.
        assert_eq!(Hashtable::converted(16, 4).buckets, 4 + 2);
        assert_eq!(Hashtable::converted(128, 70).buckets, 32 + 16);
    }
}
