//! Which values of a dump are damaged, and which keys come twice.

use std::io;

use super::Fold;
use crate::measure::Measured;
use crate::rdb::{Fault, StoredValue};
use crate::record::ValueType;
use crate::value::Repeats;

/// Damaged values and repeated keys that are listed, the first of the file; all are counted.
pub const LISTED: usize = 1000;
/// Bytes of a name that are kept.
const NAME_BYTES: usize = 4096;

/// A value that a server would refuse.
#[derive(Clone, Debug, PartialEq)]
pub struct Damage {
    /// Offset in the RDB stream of the first byte of the record.
    pub record_at: u64,
    /// Number of the database.
    pub db: u64,
    /// Name of the key, of which at most 4096 bytes are kept.
    pub key: Box<[u8]>,
    /// Type of the value.
    pub value_type: ValueType,
    /// What is wrong, the first such thing that was seen.
    pub fault: Fault,
}

/// A key that was there before, in the same database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepeatedKey {
    /// Offset in the RDB stream of the first byte of the record.
    pub record_at: u64,
    /// Where the first record of that key begins.
    pub first_at: u64,
    /// Name of the key, where the dump can be read again.
    pub key: Option<Box<[u8]>>,
}

/// Gathers what is wrong with the keys of a dump that is read in depth. Its memory does not grow with the dump: the prints of
/// the names go to a temporary file when there are many, 16 bytes for each.
#[derive(Debug, Default)]
pub struct Integrity {
    /// Values that a server would refuse.
    pub damaged: u64,
    listed: Vec<Damage>,
    names: Repeats,
}

impl Fold for Integrity {
    fn observe(&mut self, measured: &Measured<'_>, _: &StoredValue<'_>) {
        let record = &measured.record();
        if let Some(fault) = measured.fault {
            self.damaged += 1;
            self.listed.push(Damage {
                record_at: measured.record_at,
                db: record.db,
                key: record.key[..record.key.len().min(NAME_BYTES)].into(),
                value_type: record.value_type,
                fault: *fault,
            });
            if self.listed.len() >= 2 * LISTED {
                self.keep_first();
            }
        }
        // A name that cannot be read is given as none; it is no other key's.
        if measured.fault.is_none() || !record.key.is_empty() {
            self.names.add(record.db, record.key, measured.record_at);
        }
    }

    fn merge(&mut self, other: Integrity) {
        self.damaged += other.damaged;
        self.listed.extend(other.listed);
        self.keep_first();
        self.names.merge(other.names);
    }
}

impl Integrity {
    /// The first of the damaged values, in the order of the file.
    pub fn listed(&mut self) -> Vec<Damage> {
        self.keep_first();
        std::mem::take(&mut self.listed)
    }

    /// The number of keys that were there before, and the first of them in the order of the file.
    ///
    /// # Errors
    /// If the temporary file cannot be written or read.
    pub fn repeated(&mut self) -> io::Result<(u64, Vec<RepeatedKey>)> {
        let mut count = 0;
        let mut listed = Vec::new();
        self.names.drain(|first_at, record_at| {
            count += 1;
            listed.push(RepeatedKey { record_at, first_at, key: None });
            if listed.len() >= 2 * LISTED {
                listed.sort_unstable();
                listed.truncate(LISTED);
            }
        })?;
        listed.sort_unstable();
        listed.truncate(LISTED);
        Ok((count, listed))
    }

    fn keep_first(&mut self) {
        self.listed.sort_unstable_by_key(|damage| damage.record_at);
        self.listed.truncate(LISTED);
    }
}
