//! Everything that a server would refuse inside a value: a visitor around another that checks what it is told.
//!
//! What lies in the layout of a single container is checked where it is read, if [`Visit::CHECKS`] asks for it: the lengths
//! behind listpack entries, the order of an intset. Here is what only the parts together tell: members that come twice,
//! scores, the order of field expiries, values without elements, compressed strings; streams are in `stream_check`.

use super::repeats::Repeats;
use super::stream_check::StreamCheck;
use super::visit::{Packed, PackedFormat, Score, StreamFacts, StreamId, Visit};
use super::{MAX_BLOB_BYTES, MAX_FIELD_EXPIRY_MS};
use crate::rdb::constants::TypeByte;
use crate::rdb::fault::{Fault, FaultKind};
use crate::rdb::string::RdbStr;
use crate::record::ValueType;

/// How closely dumps are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// As far as it costs nothing, and packed containers of at most so many bytes only by their headers, where their length and
    /// the number of their entries are all that a server's memory depends on. Of the largest element of such a value only a bound
    /// is known then, see [`crate::measure::Has::OPEN_LARGEST`].
    Outlines {
        /// So many bytes, unpacked.
        bytes: u64,
    },
    /// As far as it costs nothing: what must be in order for the values to be read.
    #[default]
    Plain,
    /// Everything that a server would refuse with `sanitize-dump-payload yes`.
    Deep,
}

/// A compressed member longer than this is told apart by its compressed form.
const MAX_MEMBER_BYTES: u64 = 1 << 20;

/// Checks values one after the other; used again for each.
#[derive(Debug)]
pub struct Check {
    /// Of the value that is checked.
    kind: ValueType,
    has_sorted_expiries: bool,
    start: u64,
    at: u64,
    fault: Option<Fault>,
    packed: Option<PackedFormat>,
    elements: u64,
    members: Repeats,
    last_score: Option<f64>,
    last_expiry_ms: Option<i64>,
    stream: StreamCheck,
    scratch: Vec<u8>,
}

impl Default for Check {
    fn default() -> Check {
        Check {
            kind: ValueType::String,
            has_sorted_expiries: false,
            start: 0,
            at: 0,
            fault: None,
            packed: None,
            elements: 0,
            members: Repeats::default(),
            last_score: None,
            last_expiry_ms: None,
            stream: StreamCheck::default(),
            scratch: Vec::new(),
        }
    }
}

impl Check {
    /// A visitor that checks a value of type `kind` that begins at `start`, and tells `visit` all it is told. Once the value
    /// has been read, [`Check::finish`] says what is wrong with it.
    pub fn value<'c, V>(&'c mut self, kind: TypeByte, start: u64, visit: &'c mut V) -> Checked<'c, V> {
        self.kind = ValueType::of(kind);
        self.has_sorted_expiries = matches!(kind, TypeByte::HASH_LISTPACK_EX | TypeByte::HASH_LISTPACK_EX_PRE_GA);
        (self.start, self.at) = (start, start);
        (self.fault, self.packed) = (None, None);
        self.elements = 0;
        (self.last_score, self.last_expiry_ms) = (None, None);
        self.stream.begin();
        Checked { check: self, visit }
    }

    /// What is wrong with the value that was read, the first such thing that was seen. `whole` is whether it was read to its
    /// end without a fault, so that what is missing counts too.
    pub fn finish(&mut self, whole: bool) -> Option<Fault> {
        let mut repeated: Option<(u64, u64)> = None;
        let drained = self.members.drain(|first, again| {
            repeated = Some(repeated.map_or((again, first), |known| known.min((again, first))));
        });
        if let Some((at, first_at)) = repeated {
            let what = if self.kind == ValueType::Hash { "field" } else { "member" };
            self.note(at, FaultKind::Repeated { what, first_at });
        }
        if whole {
            match self.kind {
                ValueType::Stream => {
                    if let Err(fault) = self.stream.finish() {
                        self.note(fault.at, fault.kind);
                    }
                }
                ValueType::List | ValueType::Set | ValueType::Zset | ValueType::Hash if self.elements == 0 => {
                    self.note(self.start, FaultKind::EmptyValue);
                }
                _ => {}
            }
        }
        if let Err(error) = drained {
            self.note(self.start, FaultKind::NotCompared { why: error.kind() });
        }
        self.fault.take()
    }

    #[cold]
    fn note(&mut self, at: u64, kind: FaultKind) {
        self.fault.get_or_insert(Fault { at, kind });
    }

    /// Notes what is wrong at the place that was last told, if anything is.
    fn expect(&mut self, checked: Result<(), FaultKind>) {
        if let Err(kind) = checked {
            self.note(self.at, kind);
        }
    }

    /// A string that only has to be one.
    fn text(&mut self, text: RdbStr<'_>) {
        if let Err(fault) = text.verify() {
            self.note(fault.at, fault.kind);
        }
    }

    /// A name that must not come twice in the value.
    fn member(&mut self, name: RdbStr<'_>) {
        self.elements += 1;
        match name {
            RdbStr::Lzf { packed, len, .. } if len > MAX_MEMBER_BYTES => {
                self.text(name);
                self.members.add(len, packed, self.at);
            }
            RdbStr::Unread { .. } => {}
            // An intset says itself that it has each once, by their order.
            RdbStr::Int(_) if self.packed == Some(PackedFormat::Intset) => {}
            _ => match name.bytes(&mut self.scratch, MAX_MEMBER_BYTES) {
                Ok(bytes) => self.members.add(0, bytes, self.at),
                Err(fault) => self.note(fault.at, fault.kind),
            },
        }
    }
}

/// A visitor that has a [`Check`] look at everything before another visitor gets it.
#[derive(Debug)]
pub struct Checked<'c, V> {
    check: &'c mut Check,
    visit: &'c mut V,
}

impl<V: Visit> Visit for Checked<'_, V> {
    const CHECKS: bool = true;

    fn place(&mut self, at: u64) {
        self.check.at = at;
        self.visit.place(at);
    }

    fn string(&mut self, value: RdbStr<'_>) {
        self.check.text(value);
        self.visit.string(value);
    }

    fn collection(&mut self, count: u64) {
        self.visit.collection(count);
    }

    fn packed(&mut self, packed: Packed<'_>) {
        self.check.packed = Some(packed.format);
        self.visit.packed(packed);
    }

    fn plain_node(&mut self, element: RdbStr<'_>) {
        self.visit.plain_node(element);
    }

    fn element(&mut self, element: RdbStr<'_>) {
        self.check.elements += 1;
        self.check.text(element);
        self.visit.element(element);
    }

    fn set_member(&mut self, member: RdbStr<'_>) {
        self.check.member(member);
        self.visit.set_member(member);
    }

    fn zset_member(&mut self, member: RdbStr<'_>) {
        self.check.member(member);
        self.visit.zset_member(member);
    }

    fn score(&mut self, score: Score<'_>) {
        // Only packed scores stand in order, and only there a score can be text.
        if let Score::Entry(entry) = score {
            let number = match entry {
                RdbStr::Int(n) => Some(n as f64),
                RdbStr::Raw(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
                _ => None,
            };
            let checked = match number {
                Some(number) if !f64::is_nan(number) => {
                    let last = self.check.last_score.replace(number);
                    if last.is_some_and(|last| last > number) {
                        Err(FaultKind::Order { what: "scores of a packed sorted set" })
                    } else {
                        Ok(())
                    }
                }
                _ => Err(FaultKind::BadScore),
            };
            self.check.expect(checked);
        }
        self.visit.score(score);
    }

    fn field(&mut self, name: RdbStr<'_>) {
        self.check.member(name);
        self.visit.field(name);
    }

    fn field_value(&mut self, value: RdbStr<'_>) {
        self.check.text(value);
        self.visit.field_value(value);
    }

    fn field_expiry(&mut self, expire_at_ms: Option<i64>) {
        if self.check.has_sorted_expiries {
            // The earliest first, those without at the end.
            let key = expire_at_ms.unwrap_or(MAX_FIELD_EXPIRY_MS + 1);
            if self.check.last_expiry_ms.replace(key).is_some_and(|last| last > key) {
                self.check.expect(Err(FaultKind::Order { what: "field expiries of a listpack" }));
            }
        }
        self.visit.field_expiry(expire_at_ms);
    }

    fn stream_node(&mut self, first: StreamId, listpack: RdbStr<'_>) {
        let at = self.check.at;
        let checked = match listpack.bytes(&mut self.check.scratch, MAX_BLOB_BYTES) {
            Ok(bytes) => self.check.stream.node(first, bytes, at),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = checked {
            self.check.note(fault.at, fault.kind);
        }
        self.visit.stream_node(first, listpack);
    }

    fn stream(&mut self, facts: StreamFacts) {
        let checked = self.check.stream.facts(&facts);
        self.check.expect(checked);
        self.visit.stream(facts);
    }

    fn stream_group(&mut self, name: RdbStr<'_>, pending: u64) {
        if let Err(fault) = self.check.stream.group(name, self.check.at) {
            self.check.note(fault.at, fault.kind);
        }
        self.visit.stream_group(name, pending);
    }

    fn stream_pending(&mut self, id: StreamId) {
        let checked = self.check.stream.pending(id);
        self.check.expect(checked);
        self.visit.stream_pending(id);
    }

    fn stream_consumer(&mut self, name: RdbStr<'_>, pending: u64) {
        let checked = self.check.stream.consumer(name);
        self.check.expect(checked);
        self.visit.stream_consumer(name, pending);
    }

    fn stream_consumer_pending(&mut self, id: StreamId) {
        let checked = self.check.stream.consumer_pending(id);
        self.check.expect(checked);
        self.visit.stream_consumer_pending(id);
    }

    fn stream_producer(&mut self, name: RdbStr<'_>, entries: u64) {
        self.visit.stream_producer(name, entries);
    }

    fn stream_idempotent(&mut self, request: RdbStr<'_>) {
        self.check.text(request);
        self.visit.stream_idempotent(request);
    }

    fn module(&mut self, id: u64) {
        self.visit.module(id);
    }

    fn module_number(&mut self, bits: u64) {
        self.visit.module_number(bits);
    }

    fn module_string(&mut self, value: RdbStr<'_>) {
        self.check.text(value);
        self.visit.module_string(value);
    }
}
