//! Measures one value at a time, as it is decoded.

mod hash;
mod list;
mod run;
mod saving;
mod set;
mod stream;
mod visit;
mod zset;

pub use saving::{Near, Saving, Waste};
pub use visit::TypedMeter;

use list::List;
use saving::is_number;
use set::SetStage;
use stream::{Stream, StreamRaxes};

use super::model::{Cost, KeyFacts, Model};
use super::modules::ModuleMeter;
use super::server::Family;
use crate::rdb::{RdbStr, TypeByte};
use crate::record::{Encoding, ValueType};
use crate::value::{Packed, PackedFormat, listpack, ziplist};

/// What a key costs on one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// What MEMORY USAGE says, in bytes.
    pub usage_bytes: u64,
    /// What the key adds to used_memory, its share of the key tables not counted, in bytes.
    pub real_bytes: u64,
    /// What OBJECT ENCODING says.
    pub encoding: Encoding,
}

/// What of a string decides its cost.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Length in bytes.
    pub len: u64,
    int: Option<i64>,
    /// Whether it is a number that the server does not keep as an integer.
    pub is_number: bool,
}

impl Text {
    /// Of a string.
    #[inline(always)]
    pub fn of(value: RdbStr<'_>) -> Text {
        let int = value.as_int();
        Text { len: value.len(), int, is_number: int.is_none() && is_number(value) }
    }

    /// What it costs with its key.
    #[inline(always)]
    pub fn measure(&self, model: &Model, key: &KeyFacts) -> Measure {
        let (encoding, mut cost) = model.string(key, self.len, self.int);
        cost += model.key(key);
        Measure { usage_bytes: cost.usage, real_bytes: cost.real, encoding }
    }
}

/// Adds up what a value costs under one model. Used again for each value.
#[derive(Debug)]
pub struct Meter<'m> {
    model: &'m Model,
    v: Value,
    rax: StreamRaxes,
}

/// State of the value being measured.
#[derive(Debug, Default)]
struct Value {
    kind: Kind,
    /// Elements, members or fields so far.
    count: u64,
    /// Elements claimed by a plain collection.
    claimed: u64,
    /// Elements if the value ends up in a table, in nodes or plain.
    table: Cost,
    /// Skip list nodes, in 1/FRACTION bytes.
    znodes: Cost,
    /// Whether the costs in a table, or the sizes in a packed container, are worth adding up.
    want_table: bool,
    want_packed: bool,
    /// Whether how the loader would hold a set has to be followed member by member.
    want_stage: bool,
    /// Whether a set's integers are worth counting.
    want_ints: bool,
    /// The stored container's length, where it is of the kind that the server keeps.
    native_bytes: Option<u64>,
    /// Entries as a listpack or ziplist, without its header and end.
    packed_bytes: u64,
    previous_entry: u64,
    /// Length of the field that waits for its value, or of the text of an integer.
    field_len: u64,
    value_len: u64,
    field_int: Option<i64>,
    value_int: Option<i64>,
    fields_with_expiry: u64,
    first_expiry_ms: i64,
    last_expiry_ms: i64,
    /// Fields before the first one that is too long to be packed.
    packed_before_long: Option<u64>,
    /// Length of the longest element, member, field or value so far, as far as it is known.
    longest: u64,
    /// Sets: the width that the integers so far need, and how the loader holds them by now.
    int_width: u64,
    ints: u64,
    set_stage: SetStage,
    list: List,
    string: Option<Text>,
    stream: Stream,
    module: ModuleMeter,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    None,
    /// Plainly stored elements, one by one.
    Plain,
    /// One packed container.
    Packed(PackedFormat),
    /// A list of nodes.
    Nodes,
}

impl<'m> Meter<'m> {
    /// A meter for values under `model`.
    pub fn new(model: &'m Model) -> Meter<'m> {
        Meter { model, v: Value::default(), rax: StreamRaxes::default() }
    }

    /// Forgets the last value.
    #[inline(always)]
    pub fn begin(&mut self) {
        if self.v.kind != Kind::None {
            self.v = Value::default();
        }
        self.v.string = None;
    }

    /// What the value that was visited costs with its key. `stored` is the type byte it had, `serialized_bytes` its
    /// length in the file.
    #[inline(always)]
    pub fn finish(&mut self, kind: ValueType, stored: TypeByte, key: &KeyFacts, serialized_bytes: u64) -> Measure {
        if let (ValueType::String, Some(text)) = (kind, &self.v.string) {
            return text.measure(self.model, key);
        }
        let (encoding, mut cost) = self.finish_container(kind, stored, key, serialized_bytes);
        cost += self.model.key(key);
        Measure { usage_bytes: cost.usage, real_bytes: cost.real, encoding }
    }

    /// Elements, members or fields of the value just visited; the length of a string.
    #[inline(always)]
    pub fn elements(&self) -> u64 {
        self.v.string.as_ref().map_or(self.v.count, |text| text.len)
    }

    /// Length in bytes of the longest of them.
    #[inline(always)]
    pub fn longest(&self) -> u64 {
        self.v.string.as_ref().map_or(self.v.longest, |text| text.len)
    }

    /// Fields with an expiry of the hash just visited.
    #[inline(always)]
    pub fn fields_with_expiry(&self) -> u64 {
        self.v.fields_with_expiry
    }

    /// Elements of the module's value just visited, where its type is understood.
    pub fn module_elements(&self) -> Option<u64> {
        self.v.module.elements()
    }

    fn finish_container(
        &mut self,
        kind: ValueType,
        stored: TypeByte,
        key: &KeyFacts,
        serialized_bytes: u64,
    ) -> (Encoding, Cost) {
        let (encoding, value) = match kind {
            ValueType::String => (Encoding::Raw, Cost::default()),
            ValueType::List => self.list(stored),
            ValueType::Set => self.set(),
            ValueType::Zset => self.zset(),
            ValueType::Hash => self.hash(stored),
            ValueType::Stream => {
                let encoding = if self.model.family() == Family::R50 { Encoding::Unknown } else { Encoding::Stream };
                (encoding, self.stream_cost())
            }
            ValueType::Module(_) => (Encoding::Raw, self.v.module.cost(self.model, serialized_bytes)),
        };
        let mut cost = self.model.object(key);
        if matches!(kind, ValueType::Module(_))
            && !matches!(self.model.family(), Family::R82 | Family::R86 | Family::V90)
        {
            cost.usage = 0; // only the callback's answer and the key are added up
        }
        cost += value;
        (encoding, cost)
    }

    fn native_format(&self) -> PackedFormat {
        if self.model.layout.listpack { PackedFormat::Listpack } else { PackedFormat::Ziplist }
    }

    fn packed_header(&self) -> u64 {
        // Header and end.
        1 + if self.model.layout.listpack { listpack::HEADER_BYTES } else { ziplist::HEADER_BYTES } as u64
    }

    /// Adds an entry to the packed form that the value would have.
    #[inline]
    fn pack(&mut self, len: u64, int: Option<i64>) -> u64 {
        let bytes = if self.model.layout.listpack {
            listpack::entry_bytes(len, int)
        } else {
            ziplist::entry_bytes(len, int, self.v.previous_entry)
        };
        self.v.previous_entry = bytes;
        self.v.packed_bytes = self.v.packed_bytes.saturating_add(bytes);
        bytes
    }

    /// The packed form's cost: of the container in the file if the server keeps that, else of its entries packed anew.
    fn packed_cost(&self) -> Cost {
        self.model.packed(self.v.native_bytes.unwrap_or(self.v.packed_bytes + self.packed_header()))
    }

    fn packed_encoding(&self) -> Encoding {
        if self.model.layout.listpack { Encoding::Listpack } else { Encoding::Ziplist }
    }

    /// Whether the element or field is to be packed, too.
    #[inline]
    fn begin_packed(&mut self, packed: &Packed<'_>, limit: u64) {
        let native = packed.format == self.native_format() || packed.format == PackedFormat::Intset;
        self.v.native_bytes = native.then_some(packed.len);
        self.v.want_packed = !native;
        // Two entries make an element at least, but for sets and lists: more than the limit is what matters.
        self.v.want_table = !native || packed.claimed_entries.is_none_or(|claimed| claimed > limit);
    }
}
