//! What a stream's parts must agree on: entries with their nodes, IDs with each other, counters with what is there, each
//! consumer's pending entries with the group's.
//!
//! The servers keep all of these in radix trees and so write them in ascending order: what is not ascending is damaged or
//! comes twice, which is seen without keeping any. That the pending entries of a group's consumers are together those of the
//! group is seen from sums over hashes of their IDs.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use super::packed::Entries;
use super::visit::{StreamFacts, StreamId};
use super::{Blob, listpack};
use crate::rdb::fault::{Fault, FaultKind, Parse};
use crate::rdb::string::RdbStr;

/// Flags of an entry.
const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// What has been seen of a stream so far.
#[derive(Debug, Default)]
pub(super) struct StreamCheck {
    last_node: Option<StreamId>,
    last_entry: Option<StreamId>,
    /// Entries that are not deleted.
    entries: u64,
    /// Where the last group begins, and its name.
    group_at: u64,
    last_group: Option<Vec<u8>>,
    last_consumer: Option<Vec<u8>>,
    last_pending: Option<StreamId>,
    /// Pending entries of the group, and of its consumers so far.
    of_group: IdSum,
    of_consumers: IdSum,
}

/// IDs in any order: how many, and a sum over their hashes.
#[derive(Debug, Default, PartialEq)]
struct IdSum {
    count: u64,
    sum: u64,
}

impl IdSum {
    fn add(&mut self, id: StreamId) {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        self.count += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

impl StreamCheck {
    pub(super) fn begin(&mut self) {
        *self = StreamCheck::default();
    }

    /// The node at `at` whose key is `first`, and its listpack.
    pub(super) fn node(&mut self, first: StreamId, bytes: &[u8], at: u64) -> Parse<()> {
        let blob = Blob { bytes, at };
        if self.last_node.replace(first).is_some_and(|last| last >= first) {
            return Err(blob.fault(0, FaultKind::Order { what: "nodes of a stream" }));
        }
        let mut entries = NodeEntries { last_entry: self.last_entry, ..NodeEntries::new(blob, first) };
        listpack::walk(blob, &mut entries)?;
        self.last_entry = entries.last_entry;
        self.entries = self.entries.saturating_add(entries.finish()?);
        Ok(())
    }

    /// What the stream says of itself.
    pub(super) fn facts(&self, facts: &StreamFacts) -> Result<(), FaultKind> {
        let StreamFacts { length, last_id, max_deleted_id, entries_added, .. } = *facts;
        if length != self.entries {
            return Err(FaultKind::StreamCount { what: "entries", claimed: length, actual: self.entries });
        }
        if entries_added.is_some_and(|added| added < length) {
            return Err(FaultKind::StreamBound { what: "more entries than it says were ever added" });
        }
        if self.last_entry.is_some_and(|entry| entry > last_id) {
            return Err(FaultKind::StreamBound { what: "an entry behind its last ID" });
        }
        if max_deleted_id.is_some_and(|deleted| deleted > last_id) {
            return Err(FaultKind::StreamBound { what: "a deleted entry behind its last ID" });
        }
        Ok(())
    }

    /// A group begins at `at`; the one before is whole.
    pub(super) fn group(&mut self, name: RdbStr<'_>, at: u64) -> Parse<()> {
        let before = self.finish();
        (self.of_group, self.of_consumers) = (IdSum::default(), IdSum::default());
        (self.last_consumer, self.last_pending) = (None, None);
        self.group_at = at;
        let ascending = ascending(&mut self.last_group, name, "groups of a stream");
        before.and(ascending.map_err(|kind| Fault { at, kind }))
    }

    pub(super) fn pending(&mut self, id: StreamId) -> Result<(), FaultKind> {
        self.of_group.add(id);
        self.next_pending(id)
    }

    pub(super) fn consumer(&mut self, name: RdbStr<'_>) -> Result<(), FaultKind> {
        self.last_pending = None;
        ascending(&mut self.last_consumer, name, "consumers of a stream's group")
    }

    pub(super) fn consumer_pending(&mut self, id: StreamId) -> Result<(), FaultKind> {
        self.of_consumers.add(id);
        self.next_pending(id)
    }

    /// The last group is whole.
    pub(super) fn finish(&self) -> Parse<()> {
        if self.of_group == self.of_consumers {
            return Ok(());
        }
        let kind = FaultKind::StreamPending { group: self.of_group.count, consumers: self.of_consumers.count };
        Err(Fault { at: self.group_at, kind })
    }

    fn next_pending(&mut self, id: StreamId) -> Result<(), FaultKind> {
        match self.last_pending.replace(id) {
            Some(last) if last >= id => Err(FaultKind::Order { what: "pending entries of a stream" }),
            _ => Ok(()),
        }
    }
}

/// Takes the name that comes next among names in order.
fn ascending(last: &mut Option<Vec<u8>>, name: RdbStr<'_>, what: &'static str) -> Result<(), FaultKind> {
    let RdbStr::Raw(name) = name else { return Ok(()) };
    match last.replace(name.to_vec()) {
        Some(last) if *last >= *name => Err(FaultKind::Order { what }),
        _ => Ok(()),
    }
}

/// Takes the elements of a node's listpack, which are a master entry and then the entries.
struct NodeEntries<'b> {
    blob: Blob<'b>,
    first: StreamId,
    last_entry: Option<StreamId>,
    next: Next,
    /// By the master entry: entries that are there, entries that are deleted, fields.
    count: i64,
    deleted: i64,
    master_fields: i64,
    /// Entries seen, and deleted ones among them.
    seen: i64,
    seen_deleted: i64,
    /// Of the entry that is being read.
    flags: i64,
    id: StreamId,
    elements: i64,
}

/// What the next element is.
#[derive(Clone, Copy)]
enum Next {
    Count,
    Deleted,
    MasterFields,
    /// Names of fields, so many more, then the zero.
    MasterName(i64),
    Flags,
    Ms,
    Seq,
    Fields,
    /// Names and values, so many more, then the number of elements.
    Text(i64),
}

impl<'b> NodeEntries<'b> {
    fn new(blob: Blob<'b>, first: StreamId) -> NodeEntries<'b> {
        NodeEntries {
            blob,
            first,
            last_entry: None,
            next: Next::Count,
            count: 0,
            deleted: 0,
            master_fields: 0,
            seen: 0,
            seen_deleted: 0,
            flags: 0,
            id: first,
            elements: 0,
        }
    }

    /// The number of entries that are not deleted, if the master entry was right about them.
    fn finish(&self) -> Parse<u64> {
        if !matches!(self.next, Next::Flags) {
            return Err(self.broken("more elements"));
        }
        let (claimed, actual) = (self.deleted as u64, self.seen_deleted as u64);
        if claimed != actual {
            let what = "deleted entries in a node";
            return Err(self.blob.fault(0, FaultKind::StreamCount { what, claimed, actual }));
        }
        let (claimed, actual) = (self.count as u64, (self.seen - self.seen_deleted) as u64);
        if claimed != actual {
            return Err(self.blob.fault(0, FaultKind::StreamCount { what: "entries in a node", claimed, actual }));
        }
        Ok(actual)
    }

    fn broken(&self, expected: &'static str) -> Fault {
        self.blob.fault(0, FaultKind::BadStreamNode { expected })
    }

    fn number(&self, entry: RdbStr<'_>, expected: &'static str) -> Parse<i64> {
        entry.as_int().ok_or_else(|| self.broken(expected))
    }

    fn count(&self, entry: RdbStr<'_>, expected: &'static str) -> Parse<i64> {
        // No listpack has so many elements; more would only make sums overflow.
        entry.as_int().filter(|n| (0..=1 << 40).contains(n)).ok_or_else(|| self.broken(expected))
    }
}

impl Entries for &mut NodeEntries<'_> {
    const GROUP: u64 = 1;
    const CHECKS: bool = true;

    fn entry(&mut self, entry: RdbStr<'_>) -> Parse<()> {
        self.next = match self.next {
            Next::Count => {
                self.count = self.count(entry, "the number of entries")?;
                Next::Deleted
            }
            Next::Deleted => {
                self.deleted = self.count(entry, "the number of deleted entries")?;
                Next::MasterFields
            }
            Next::MasterFields => {
                self.master_fields = self.count(entry, "the number of fields")?;
                Next::MasterName(self.master_fields)
            }
            Next::MasterName(0) => {
                if entry.as_int() != Some(0) {
                    return Err(self.broken("a zero behind the names of the fields"));
                }
                Next::Flags
            }
            Next::MasterName(left) => Next::MasterName(left - 1),
            Next::Flags => {
                self.flags = self.number(entry, "flags of an entry")?;
                self.elements = 3;
                Next::Ms
            }
            Next::Ms => {
                let delta = self.number(entry, "milliseconds of an entry")?;
                self.id.ms = self.first.ms.wrapping_add(delta as u64);
                Next::Seq
            }
            Next::Seq => {
                let delta = self.number(entry, "sequence number of an entry")?;
                self.id.seq = self.first.seq.wrapping_add(delta as u64);
                if self.last_entry.replace(self.id).is_some_and(|last| last >= self.id) {
                    return Err(self.blob.fault(0, FaultKind::Order { what: "entries of a stream" }));
                }
                if self.flags & SAME_FIELDS == 0 {
                    Next::Fields
                } else {
                    self.elements += self.master_fields;
                    Next::Text(self.master_fields)
                }
            }
            Next::Fields => {
                let fields = self.count(entry, "the number of an entry's fields")?;
                self.elements += 1 + 2 * fields;
                Next::Text(2 * fields)
            }
            Next::Text(left @ 1..) => Next::Text(left - 1),
            Next::Text(_) => {
                if entry.as_int() != Some(self.elements) {
                    return Err(self.broken("the number of an entry's elements"));
                }
                self.seen += 1;
                self.seen_deleted += i64::from(self.flags & DELETED != 0);
                Next::Flags
            }
        };
        Ok(())
    }
}
