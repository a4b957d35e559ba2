//! What fills the slots: the largest key of each, and the sums of the hash tags.
//!
//! Both are bounded and do not depend on the order of the keys. While a dump is read, each slot has its largest key, and each
//! tag its sums, exactly; [`SlotContents::rest`] then keeps what can matter to a report: the heaviest slots and tags.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use serde::{Deserialize, Serialize};

use crate::cluster::slot::{SLOTS, slot_of};
use crate::escape;
use crate::prefetch::prefetch;

/// Keys below this are nobody's cause of anything: most keys are done with here.
pub const LARGE_KEY_BYTES: u64 = 1024;
/// Bytes that are kept of the name of a slot's largest key.
const NAME_BYTES: usize = 256;
/// Distinct tags of a dump; with more of them, none is told.
pub const MAX_TAGS: usize = 65_536;
/// Longer tags are only counted.
pub const MAX_TAG_BYTES: usize = 64;
/// Slots and tags that are kept once a dump is read.
const KEPT_SLOTS: usize = 256;
const KEPT_TAGS: usize = 256;

/// The largest key of a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotKey {
    /// What it adds to used_memory, in bytes.
    pub footprint_bytes: u64,
    /// The first bytes of its name; of keys as large, the first by name.
    #[serde(with = "escape::name")]
    pub name: Box<[u8]>,
    /// Whether there are more of them.
    pub is_cut: bool,
}

impl SlotKey {
    /// The greatest is the largest key.
    fn rank(&self) -> (u64, Reverse<&[u8]>, bool) {
        (self.footprint_bytes, Reverse(&self.name), self.is_cut)
    }
}

/// The keys with one hash tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagSums {
    /// The tag, without its braces.
    #[serde(with = "escape::name")]
    pub tag: Box<[u8]>,
    /// The slot of its keys.
    pub slot: u16,
    /// Number of keys.
    pub keys: u64,
    /// Sum of footprints.
    pub footprint_bytes: u64,
}

/// Keys and their footprints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Number of keys.
    pub keys: u64,
    /// Sum of footprints.
    pub footprint_bytes: u64,
}

impl Counted {
    fn add(&mut self, keys: u64, footprint_bytes: u64) {
        self.keys += keys;
        self.footprint_bytes += footprint_bytes;
    }
}

/// The largest keys and the tags of the slots of a dump.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SlotContents {
    /// The largest key of each slot while the dump is read; empty as long as no key is large.
    #[serde(skip)]
    by_slot: Vec<SlotKey>,
    /// The tags while the dump is read.
    #[serde(skip)]
    tags: HashTable<TagSums>,
    #[serde(skip)]
    hasher: DefaultHashBuilder,
    /// The largest keys of the heaviest slots, once the dump is read.
    pub largest: BTreeMap<u16, SlotKey>,
    /// The heaviest tags, heaviest first, once the dump is read.
    pub heaviest_tags: Vec<TagSums>,
    /// Distinct tags, once the dump is read.
    pub distinct_tags: u64,
    /// Whether there were more than [`MAX_TAGS`].
    pub too_many_tags: bool,
    /// All keys with a tag.
    pub tagged: Counted,
    /// Those whose tag is longer than [`MAX_TAG_BYTES`].
    pub long_tags: Counted,
}

impl SlotContents {
    /// Asks for what a key that is observed soon is compared with.
    #[inline(always)]
    pub fn prefetch(&self, slot: u16, footprint_bytes: u64) {
        if footprint_bytes >= LARGE_KEY_BYTES
            && let Some(largest) = self.by_slot.get(usize::from(slot))
        {
            prefetch(&raw const *largest);
        }
    }

    /// Takes a key into account.
    #[inline(always)]
    pub fn observe(&mut self, slot: u16, key: &[u8], tag: Option<&[u8]>, footprint_bytes: u64) {
        if footprint_bytes >= LARGE_KEY_BYTES {
            self.observe_large(slot, key, footprint_bytes);
        }
        if let Some(tag) = tag {
            self.observe_tag(tag, footprint_bytes);
        }
    }

    #[inline(never)]
    fn observe_large(&mut self, slot: u16, key: &[u8], footprint_bytes: u64) {
        if self.by_slot.is_empty() {
            self.by_slot.resize(usize::from(SLOTS), SlotKey::default());
        }
        let largest = &mut self.by_slot[usize::from(slot)];
        if footprint_bytes < largest.footprint_bytes {
            return;
        }
        let name = &key[..key.len().min(NAME_BYTES)];
        let is_cut = name.len() < key.len();
        if (footprint_bytes, Reverse(name), is_cut) > largest.rank() {
            *largest = SlotKey { footprint_bytes, name: name.into(), is_cut };
        }
    }

    #[inline(never)]
    fn observe_tag(&mut self, tag: &[u8], footprint_bytes: u64) {
        self.tagged.add(1, footprint_bytes);
        if tag.len() > MAX_TAG_BYTES {
            self.long_tags.add(1, footprint_bytes);
        } else {
            self.add_tag(tag, 1, footprint_bytes);
        }
    }

    /// Whether there are too many tags depends only on which there are: their number never falls.
    fn add_tag(&mut self, tag: &[u8], keys: u64, footprint_bytes: u64) {
        if self.too_many_tags {
            return;
        }
        let hash = self.hasher.hash_one(tag);
        if let Some(sums) = self.tags.find_mut(hash, |sums| *sums.tag == *tag) {
            sums.keys += keys;
            sums.footprint_bytes += footprint_bytes;
        } else if self.tags.len() >= MAX_TAGS {
            self.give_up();
        } else {
            let hasher = &self.hasher;
            self.tags.insert_unique(
                hash,
                TagSums { tag: tag.into(), slot: slot_of(tag), keys, footprint_bytes },
                |sums| hasher.hash_one(&*sums.tag),
            );
        }
    }

    #[cold]
    fn give_up(&mut self) {
        self.too_many_tags = true;
        self.tags = HashTable::new();
    }

    /// Takes over what another gathered from keys of the same dump. What has come to rest is not taken over: that is told
    /// dump by dump.
    pub fn merge(&mut self, mut other: SlotContents) {
        if self.by_slot.is_empty() {
            self.by_slot = other.by_slot;
        } else {
            for (largest, key) in self.by_slot.iter_mut().zip(other.by_slot) {
                if key.rank() > largest.rank() {
                    *largest = key;
                }
            }
        }
        if other.too_many_tags {
            self.give_up();
        }
        other.tags.drain().for_each(|sums| self.add_tag(&sums.tag, sums.keys, sums.footprint_bytes));
        self.tagged.add(other.tagged.keys, other.tagged.footprint_bytes);
        self.long_tags.add(other.long_tags.keys, other.long_tags.footprint_bytes);
    }

    /// The dump has been read: keeps the largest keys of the heaviest slots, given the bytes of each, the heaviest tags, and
    /// the heaviest tag of each of these slots.
    pub fn rest(&mut self, slot_bytes: impl Fn(u16) -> u64) {
        let mut slots: Vec<u16> = (0..SLOTS).filter(|slot| slot_bytes(*slot) > 0).collect();
        slots.sort_by_key(|slot| (Reverse(slot_bytes(*slot)), *slot));
        slots.truncate(KEPT_SLOTS);
        slots.sort_unstable();
        let by_slot = (0..).zip(std::mem::take(&mut self.by_slot));
        self.largest =
            by_slot.filter(|(slot, key)| key.footprint_bytes > 0 && slots.binary_search(slot).is_ok()).collect();
        self.distinct_tags = self.tags.len() as u64;
        let mut tags: Vec<TagSums> = std::mem::take(&mut self.tags).into_iter().collect();
        tags.sort_unstable_by(|a, b| (b.footprint_bytes, &a.tag).cmp(&(a.footprint_bytes, &b.tag)));
        let mut rest = tags.split_off(tags.len().min(KEPT_TAGS));
        let mut has_tag: Vec<u16> = tags.iter().map(|sums| sums.slot).collect();
        rest.retain(|sums| {
            let slot = sums.slot;
            let first = slots.binary_search(&slot).is_ok() && !has_tag.contains(&slot);
            if first {
                has_tag.push(slot);
            }
            first
        });
        tags.append(&mut rest);
        tags.shrink_to_fit();
        self.heaviest_tags = tags;
    }

    /// The heaviest tag of a slot, of those that are kept.
    pub fn main_tag(&self, slot: u16) -> Option<&TagSums> {
        self.heaviest_tags.iter().find(|sums| sums.slot == slot)
    }

    /// All sums.
    pub(super) fn figures(&self) -> impl Iterator<Item = u64> {
        let tags = self.heaviest_tags.iter().flat_map(|sums| [sums.keys, sums.footprint_bytes]);
        let counted = [self.tagged, self.long_tags].into_iter().flat_map(|sum| [sum.keys, sum.footprint_bytes]);
        let keys = self.largest.values().map(|key| key.footprint_bytes);
        tags.chain(counted).chain(keys).chain([self.distinct_tags])
    }

    /// Lets `visit` change every name, and every tag.
    pub(super) fn for_each_name(&mut self, visit: &mut dyn FnMut(&mut Box<[u8]>)) {
        self.largest.values_mut().for_each(|key| visit(&mut key.name));
        self.heaviest_tags.iter_mut().for_each(|sums| visit(&mut sums.tag));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::slot::hash_tag;

    fn gathered<'k>(keys: impl Iterator<Item = &'k (Vec<u8>, u64)>) -> SlotContents {
        let mut contents = SlotContents::default();
        keys.for_each(|(key, bytes)| contents.observe(slot_of(key), key, hash_tag(key), *bytes));
        contents
    }

    fn keys(count: u64, tags: u64) -> Vec<(Vec<u8>, u64)> {
        (0..count).map(|n| (format!("{{t{}}}:{n}", n % tags).into_bytes(), 900 + n * 7919 % 500)).collect()
    }

    /// What can be told apart of it.
    fn told(mut contents: SlotContents) -> String {
        let mut bytes = vec![0; usize::from(SLOTS)];
        bytes.iter_mut().zip(&contents.by_slot).for_each(|(bytes, key)| *bytes = key.footprint_bytes);
        contents.rest(|slot| bytes[usize::from(slot)]);
        let SlotContents { largest, heaviest_tags, distinct_tags, too_many_tags, tagged, long_tags, .. } = contents;
        format!("{largest:?} {heaviest_tags:?} {distinct_tags} {too_many_tags} {tagged:?} {long_tags:?}")
    }

    #[test]
    fn any_order_and_split_give_the_same() {
        let keys = keys(5000, 700);
        let forward = told(gathered(keys.iter()));
        assert_eq!(forward, told(gathered(keys.iter().rev())));
        for at in [1, 777, 4999] {
            let mut merged = gathered(keys[at..].iter());
            merged.merge(gathered(keys[..at].iter()));
            assert_eq!(forward, told(merged));
        }
    }

    #[test]
    fn the_largest_key_is_the_first_by_name_of_those_as_large() {
        let long = |end: &str| format!("{}{end}", "x".repeat(NAME_BYTES)).into_bytes();
        let keys = [(b"b".to_vec(), 2000), (b"a".to_vec(), 2000), (b"c".to_vec(), 1999), (b"0".to_vec(), 1023)];
        let mut contents = SlotContents::default();
        keys.iter().for_each(|(key, bytes)| contents.observe(7, key, None, *bytes));
        contents.observe(8, b"small", None, LARGE_KEY_BYTES - 1);
        contents.rest(|_| 1);
        assert_eq!(
            contents.largest.into_iter().collect::<Vec<_>>(),
            [(7, SlotKey { footprint_bytes: 2000, name: b"a"[..].into(), is_cut: false })]
        );
        // Of a long name only the beginning counts.
        for order in [["1", ""], ["", "1"]] {
            let mut contents = SlotContents::default();
            order.iter().for_each(|end| contents.observe(7, &long(end), None, 5000));
            contents.rest(|_| 1);
            assert!(contents.largest[&7].is_cut);
            assert_eq!(contents.largest[&7].name.len(), NAME_BYTES);
        }
    }

    #[test]
    fn tags_are_summed_up_to_their_limit_and_none_is_told_beyond() {
        let full = keys(MAX_TAGS as u64 + 100, MAX_TAGS as u64);
        let mut contents = gathered(full.iter());
        contents.rest(|_| 0);
        assert!(!contents.too_many_tags);
        assert_eq!((contents.distinct_tags, contents.tagged.keys), (MAX_TAGS as u64, MAX_TAGS as u64 + 100));
        assert_eq!(contents.heaviest_tags.len(), KEPT_TAGS);
        assert_eq!(contents.heaviest_tags[0].keys, 2);
        // One more is too many, whoever has it.
        let mut one = SlotContents::default();
        one.observe(0, b"{one more}", Some(b"one more"), 1);
        let mut merged = gathered(full.iter());
        merged.merge(one);
        let all = full.iter().cloned().chain([(b"{one more}".to_vec(), 1)]).collect::<Vec<_>>();
        let expected = told(gathered(all.iter()));
        assert!(merged.too_many_tags && merged.tags.is_empty());
        assert_eq!(told(merged), expected);
        assert_eq!(told(gathered(all.iter().rev())), expected);
    }

    #[test]
    fn long_tags_are_counted() {
        let mut contents = SlotContents::default();
        contents.observe(0, b"", Some(&[b'x'; MAX_TAG_BYTES + 1]), 70);
        contents.observe(0, b"", Some(&[b'x'; MAX_TAG_BYTES]), 50);
        contents.rest(|_| 1);
        assert_eq!(contents.long_tags, Counted { keys: 1, footprint_bytes: 70 });
        assert_eq!(contents.tagged, Counted { keys: 2, footprint_bytes: 120 });
        assert_eq!(contents.heaviest_tags.len(), 1);
    }

    #[test]
    fn a_heavy_slot_has_its_main_tag() {
        // More tags than are kept are heavier than the one of the slot that is asked for.
        let mut keys: Vec<(Vec<u8>, u64)> =
            (0..2 * KEPT_TAGS).map(|n| (format!("{{t{n}}}").into_bytes(), 5000)).collect();
        keys.push((b"{light}".to_vec(), 10));
        let mut contents = gathered(keys.iter());
        let slot = slot_of(b"light");
        contents.rest(|other| if other == slot { 1 << 20 } else { 1 });
        assert_eq!(contents.main_tag(slot).map(|sums| (&*sums.tag, sums.keys)), Some((&b"light"[..], 1)));
    }
}
