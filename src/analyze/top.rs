//! The largest keys by some measure.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use super::compression::CompressionSample;
use super::pattern::shape::short_word;
use crate::escape;
use crate::record::{Encoding, KeyRecord, ValueType};

/// A [`KeyRecord`] that owns its name, and the number of the dump it is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the fields are those of `KeyRecord`
pub struct TopKey {
    /// Place of the dump in the order of the command line, from 0.
    #[serde(skip)]
    pub dump: usize,
    pub db: u64,
    #[serde(with = "escape::name")]
    pub key: Box<[u8]>,
    pub value_type: ValueType,
    pub encoding: Option<Encoding>,
    pub elements: Option<u64>,
    pub largest_element_bytes: Option<u64>,
    pub fields_with_expiry: Option<u64>,
    pub serialized_bytes: u64,
    pub memory_bytes: Option<u64>,
    pub footprint_bytes: Option<u64>,
    pub key_tables_bytes: Option<u64>,
    pub expire_at_ms: Option<i64>,
    pub freq: Option<u8>,
    pub idle_seconds: Option<u64>,
    pub slot: u16,
    /// Offset of its record in the RDB stream, as long as there may be a larger element than is known: what was passed over
    /// is still to be looked into, see [`super::Fold::open_records`].
    #[serde(skip)]
    pub open_at: Option<u64>,
    /// A sample of its value compressed, where the list has such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<CompressionSample>,
}

impl TopKey {
    /// The key of a record of this dump.
    pub fn new(dump: usize, record: &KeyRecord<'_>, compression: Option<CompressionSample>) -> TopKey {
        TopKey {
            dump,
            db: record.db,
            key: record.key.into(),
            value_type: record.value_type,
            encoding: record.encoding,
            elements: record.elements,
            largest_element_bytes: record.largest_element_bytes,
            fields_with_expiry: record.fields_with_expiry,
            serialized_bytes: record.serialized_bytes,
            memory_bytes: record.memory_bytes,
            footprint_bytes: record.footprint_bytes,
            key_tables_bytes: record.key_tables_bytes,
            expire_at_ms: record.expire_at_ms,
            freq: record.freq,
            idle_seconds: record.idle_seconds,
            slot: record.slot,
            open_at: None,
            compression,
        }
    }

    /// The record again, borrowed.
    pub fn record(&self) -> KeyRecord<'_> {
        KeyRecord {
            db: self.db,
            key: &self.key,
            value_type: self.value_type,
            encoding: self.encoding,
            elements: self.elements,
            largest_element_bytes: self.largest_element_bytes,
            fields_with_expiry: self.fields_with_expiry,
            serialized_bytes: self.serialized_bytes,
            memory_bytes: self.memory_bytes,
            footprint_bytes: self.footprint_bytes,
            key_tables_bytes: self.key_tables_bytes,
            expire_at_ms: self.expire_at_ms,
            freq: self.freq,
            idle_seconds: self.idle_seconds,
            slot: self.slot,
        }
    }
}

/// The `limit` keys with the largest measure; ties go by dump, database and name, so that the order of observing them
/// does not matter.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "Listed", from = "Listed")]
pub struct TopKeys {
    limit: usize,
    /// The worst that is kept is on top.
    heap: BinaryHeap<Ranked>,
    /// What a key needs at least to be kept: the worst that is, by measure, dump, database and the first bytes of the
    /// name. Saves most keys the rest, also where many have the same measure.
    threshold: (u64, usize, u64, u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ranked {
    measure: u64,
    key: TopKey,
}

impl Ranked {
    fn rank(&self) -> (u64, usize, u64, &[u8]) {
        // Largest measure first.
        (u64::MAX - self.measure, self.key.dump, self.key.db, &self.key.key)
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Ranked) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Ranked) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl TopKeys {
    /// Keeps the first `limit`.
    pub fn new(limit: usize) -> TopKeys {
        TopKeys { limit, heap: BinaryHeap::new(), threshold: (u64::MAX, 0, 0, 0) }
    }

    /// Considers a key.
    #[inline(always)]
    pub fn observe(&mut self, measure: u64, dump: usize, record: &KeyRecord<'_>) {
        self.observe_with(measure, dump, (record.db, record.key), || TopKey::new(dump, record, None));
    }

    /// Considers the key of that database and name; `key` is called only if it is kept.
    #[inline(always)]
    pub fn observe_with(&mut self, measure: u64, dump: usize, name: (u64, &[u8]), key: impl FnOnce() -> TopKey) {
        let (worst, ..) = self.threshold;
        let rank = u64::MAX - measure;
        if rank < worst || rank == worst && (rank, dump, name.0, name_start(name.1)) <= self.threshold {
            self.consider(rank, dump, name, key);
        }
    }

    #[cold]
    fn consider(&mut self, rank: u64, dump: usize, (db, name): (u64, &[u8]), key: impl FnOnce() -> TopKey) {
        let full = self.heap.len() >= self.limit;
        if full && self.heap.peek().is_some_and(|worst| worst.rank() <= (rank, dump, db, name)) {
            return;
        }
        if rank != u64::MAX {
            self.insert(Ranked { measure: u64::MAX - rank, key: key() });
        }
    }

    fn insert(&mut self, ranked: Ranked) {
        self.heap.push(ranked);
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
        if self.heap.len() >= self.limit
            && let Some(worst) = self.heap.peek()
        {
            let (rank, dump, db, key) = worst.rank();
            self.threshold = (rank, dump, db, name_start(key));
        }
    }

    /// The bytes of the keys.
    pub(super) fn figures(&self) -> impl Iterator<Item = u64> {
        self.heap.iter().flat_map(|Ranked { key, .. }| {
            let memory = [key.memory_bytes, key.footprint_bytes, key.key_tables_bytes];
            memory.into_iter().flatten().chain([key.serialized_bytes])
        })
    }

    /// Lets `visit` change each key, all but what it is measured by.
    pub fn for_each(&mut self, visit: &mut dyn FnMut(&mut TopKey)) {
        let mut all = TopKeys::new(self.limit);
        for mut ranked in std::mem::take(&mut self.heap) {
            visit(&mut ranked.key);
            all.insert(ranked);
        }
        *self = all;
    }

    /// Offsets of the records whose largest elements are yet to be looked for.
    pub(super) fn open_records(&self) -> impl Iterator<Item = u64> {
        self.heap.iter().filter_map(|ranked| ranked.key.open_at)
    }

    /// The least measure that is kept, if a key with less was left out; absent if the list has every key.
    pub fn floor(&self) -> Option<u64> {
        let full = self.heap.len() >= self.limit;
        full.then(|| self.heap.peek().map_or(u64::MAX, |worst| worst.measure))
    }

    /// Takes over the keys of another.
    pub fn merge(&mut self, other: TopKeys) {
        other.heap.into_iter().for_each(|ranked| self.insert(ranked));
    }

    /// The keys, largest first.
    pub fn into_sorted(self) -> Vec<TopKey> {
        self.heap.into_sorted_vec().into_iter().map(|ranked| ranked.key).collect()
    }
}

/// What is stored of a list: its length at most, and the keys, largest first.
#[derive(Serialize, Deserialize)]
struct Listed {
    limit: usize,
    keys: Vec<Ranked>,
}

impl From<TopKeys> for Listed {
    fn from(top: TopKeys) -> Listed {
        Listed { limit: top.limit, keys: top.heap.into_sorted_vec() }
    }
}

impl From<Listed> for TopKeys {
    fn from(listed: Listed) -> TopKeys {
        let mut top = TopKeys::new(listed.limit);
        listed.keys.into_iter().for_each(|ranked| top.insert(ranked));
        top
    }
}

/// The first bytes of a name as a number that orders names as far as it goes.
#[inline]
fn name_start(name: &[u8]) -> u64 {
    match name.first_chunk() {
        Some(start) => u64::from_be_bytes(*start),
        None => short_word(name).swap_bytes(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A string key of so many bytes.
    pub(crate) fn record(key: &[u8], memory_bytes: u64) -> KeyRecord<'_> {
        KeyRecord {
            db: 0,
            key,
            value_type: ValueType::String,
            encoding: Some(Encoding::Raw),
            elements: Some(1),
            largest_element_bytes: Some(1),
            fields_with_expiry: None,
            serialized_bytes: 1,
            memory_bytes: Some(memory_bytes),
            footprint_bytes: Some(memory_bytes),
            key_tables_bytes: Some(0),
            expire_at_ms: None,
            freq: None,
            idle_seconds: None,
            slot: 0,
        }
    }

    #[test]
    fn the_order_of_observing_does_not_matter() {
        let keys: Vec<(String, u64)> = (0..50).map(|n| (format!("key{n}"), [7, 9, 9, 3, 1][n % 5])).collect();
        let top = |order: &mut dyn Iterator<Item = &(String, u64)>| {
            let mut top = TopKeys::new(12);
            order.for_each(|(key, size)| top.observe(*size, 0, &record(key.as_bytes(), *size)));
            top
        };
        let forward = top(&mut keys.iter()).into_sorted();
        assert_eq!(forward, top(&mut keys.iter().rev()).into_sorted());
        let mut merged = top(&mut keys[25..].iter());
        merged.merge(top(&mut keys[..25].iter()));
        assert_eq!(forward, merged.into_sorted());
        assert_eq!(forward.len(), 12);
        assert_eq!(&*forward[0].key, b"key1");
    }

    #[test]
    fn names_break_ties_to_their_last_byte() {
        let names: Vec<Vec<u8>> = (0..60).map(|n| [&b"12345678"[..n % 9], &[b'a' + (n / 9) as u8]].concat()).collect();
        let mut sorted = names.clone();
        sorted.sort();
        let mut top = TopKeys::new(7);
        names.iter().for_each(|name| top.observe(5, 0, &record(name, 5)));
        top.observe(0, 0, &record(b"", 0));
        let kept: Vec<Vec<u8>> = top.into_sorted().into_iter().map(|key| key.key.into()).collect();
        assert_eq!(kept, sorted[..7]);
    }
}
