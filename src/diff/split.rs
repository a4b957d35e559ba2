//! Whether a key was split, or moved, without loss: its elements before against those of its pieces after.

use std::collections::BTreeMap;

use regex::bytes::Regex;
use serde::Serialize;

use crate::analyze::summary::KeyRow;
use crate::analyze::{Fold, TopKey, TopKeys};
use crate::measure::Measured;
use crate::rdb::StoredValue;
use crate::record::ValueType;

/// Name and version of the JSON document. Members may be added; none changes its meaning under the same version.
pub const SCHEMA: &str = "rdbscope-split/1";

/// Which keys are the pieces of which.
#[derive(Clone, Debug)]
pub struct Split {
    /// Database of the key that was split.
    pub db: u64,
    /// Its name, which is none of its pieces'.
    pub key: Box<[u8]>,
    /// Whether it is a string, whose elements are its bytes.
    pub is_string: bool,
    /// What the names of its pieces match.
    pub pieces: Regex,
}

/// What the pieces of a key add up to.
#[derive(Clone, Debug)]
pub struct Pieces {
    split: Split,
    dump: usize,
    /// The time that expiries are measured from, in milliseconds since 1970.
    now_ms: Option<i64>,
    keys: u64,
    elements: u64,
    /// Pieces that have expired, and are not counted.
    expired: u64,
    /// Pieces whose elements are not known.
    unknown: u64,
    footprint_bytes: u64,
    by_type: BTreeMap<ValueType, u64>,
    by_slot: BTreeMap<u16, u64>,
    largest: TopKeys,
    /// The key itself, where it is still there.
    itself: Vec<TopKey>,
}

impl Pieces {
    /// None yet, of the dump with that place on the command line.
    pub fn new(split: Split, dump: usize, now_ms: Option<i64>) -> Pieces {
        Pieces {
            split,
            dump,
            now_ms,
            keys: 0,
            elements: 0,
            expired: 0,
            unknown: 0,
            footprint_bytes: 0,
            by_type: BTreeMap::new(),
            by_slot: BTreeMap::new(),
            largest: TopKeys::new(1),
            itself: Vec::new(),
        }
    }
}

impl Fold for Pieces {
    fn observe(&mut self, measured: &Measured<'_>, _: &StoredValue<'_>) {
        let record = &measured.record();
        if record.db != self.split.db {
            return;
        }
        if record.key == &*self.split.key {
            self.itself.push(TopKey::new(self.dump, record, None));
            return;
        }
        if !self.split.pieces.is_match(record.key) {
            return;
        }
        if record.expire_at_ms.zip(self.now_ms).is_some_and(|(at, now)| at <= now) {
            self.expired += 1;
            return;
        }
        let elements = match (self.split.is_string, record.value_type == ValueType::String) {
            (true, false) => None,    // has no bytes to compare
            (false, true) => Some(1), // an element with a key of its own
            _ => record.elements,
        };
        self.keys += 1;
        // A stream's length is a claim.
        self.elements = self.elements.saturating_add(elements.unwrap_or(0));
        self.unknown += u64::from(elements.is_none());
        self.footprint_bytes += record.footprint_bytes.unwrap_or(0);
        *self.by_type.entry(record.value_type).or_default() += 1;
        *self.by_slot.entry(record.slot).or_default() += 1;
        self.largest.observe(record.elements.unwrap_or(0), self.dump, record);
    }

    fn merge(&mut self, other: Pieces) {
        self.keys += other.keys;
        self.expired += other.expired;
        self.elements = self.elements.saturating_add(other.elements);
        self.unknown += other.unknown;
        self.footprint_bytes += other.footprint_bytes;
        other.by_type.into_iter().for_each(|(value_type, keys)| *self.by_type.entry(value_type).or_default() += keys);
        other.by_slot.into_iter().for_each(|(slot, keys)| *self.by_slot.entry(slot).or_default() += keys);
        self.largest.merge(other.largest);
        self.itself.extend(other.itself);
        self.itself.sort_by_key(|key| key.dump);
    }
}

/// Several splits in one pass.
impl Fold for Vec<Pieces> {
    fn observe(&mut self, measured: &Measured<'_>, value: &StoredValue<'_>) {
        self.iter_mut().for_each(|pieces| pieces.observe(measured, value));
    }

    fn merge(&mut self, other: Vec<Pieces>) {
        self.iter_mut().zip(other).for_each(|(sum, pieces)| sum.merge(pieces));
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As many elements after as before.
    Ok,
    /// No key matches.
    NoPieces,
    /// Fewer after than before.
    Missing,
    /// More after than before.
    TooMany,
    /// The elements of the key or of a piece are not known: a broken value, or a module's.
    Unknown,
}

/// A split that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct SplitCheck {
    /// What came of it.
    pub verdict: Verdict,
    /// What the pieces were looked for by.
    pub glob: String,
    /// The key in OLD, on each node that has it.
    pub old: Vec<KeyRow>,
    /// Its elements (a string's bytes).
    pub old_elements: Option<u64>,
    /// Keys that match the glob and were in OLD already: not of this split.
    pub pieces_before: u64,
    /// Their elements.
    pub elements_before: u64,
    /// Number of pieces in NEW.
    pub pieces: u64,
    /// Their elements.
    pub new_elements: u64,
    /// What there are more after than before, those before included; negative if some are missing.
    pub difference: i64,
    /// Pieces that had expired when NEW was saved: not counted.
    pub pieces_expired: u64,
    /// Pieces whose elements are not known.
    pub pieces_unknown: u64,
    /// Their memory.
    pub footprint_bytes: u64,
    /// Their types, by number of pieces.
    pub types: BTreeMap<String, u64>,
    /// Whether there are pieces of another type than the key was.
    pub other_types: bool,
    /// The piece with the most elements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest: Option<KeyRow>,
    /// Slots that the pieces are in.
    pub slots: u64,
    /// Pieces that are in a slot with another piece.
    pub pieces_sharing_slots: u64,
    /// The most pieces in one slot.
    pub most_in_a_slot: u64,
    /// The key in NEW, where it is still there.
    pub still_there: Vec<KeyRow>,
}

impl SplitCheck {
    /// Compares the key with its pieces, less what matched in OLD already; `row` makes the row of a key of NEW.
    pub fn new(
        glob: String,
        old: Vec<KeyRow>,
        before: &Pieces,
        sums: Pieces,
        row: &dyn Fn(&TopKey) -> KeyRow,
    ) -> SplitCheck {
        let old_elements = old.iter().map(|key| key.num_elements).sum::<Option<u64>>();
        let all_before = i128::from(old_elements.unwrap_or(0)) + i128::from(before.elements);
        let difference = i128::from(sums.elements) - all_before;
        let verdict = match (sums.keys, sums.unknown + before.unknown, old_elements) {
            (0, ..) => Verdict::NoPieces,
            (_, 1.., _) | (_, _, None) => Verdict::Unknown,
            _ if difference < 0 => Verdict::Missing,
            _ if difference > 0 => Verdict::TooMany,
            _ => Verdict::Ok,
        };
        SplitCheck {
            verdict,
            glob,
            old_elements,
            pieces_before: before.keys,
            elements_before: before.elements,
            pieces: sums.keys,
            new_elements: sums.elements,
            difference: i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX }),
            pieces_expired: sums.expired,
            pieces_unknown: sums.unknown,
            footprint_bytes: sums.footprint_bytes,
            other_types: sums.by_type.keys().any(|of_piece| old.iter().any(|key| key.value_type != *of_piece)),
            types: sums.by_type.iter().map(|(value_type, keys)| (value_type.to_string(), *keys)).collect(),
            largest: sums.largest.into_sorted().first().map(row),
            slots: sums.by_slot.len() as u64,
            pieces_sharing_slots: sums.by_slot.values().filter(|keys| **keys > 1).sum(),
            most_in_a_slot: sums.by_slot.values().copied().max().unwrap_or(0),
            still_there: sums.itself.iter().map(row).collect(),
            old,
        }
    }
}
