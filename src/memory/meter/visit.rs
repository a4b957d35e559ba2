//! What the parts of a value add, by its type.

use super::saving::ABOVE;
use super::stream::id_key;
use super::{Kind, Meter, Text};
use crate::memory::model::{Cost, FRACTION};
use crate::memory::score;
use crate::memory::server::Family;
use crate::rdb::{RdbStr, Run, TypeByte};
use crate::record::ValueType;
use crate::value::{Packed, PackedFormat, Score, StreamFacts, StreamId, Visit, intset};

/// How many pending IDs are kept to find those that are pending in several groups.
const MAX_UNION_IDS: usize = 1 << 20;

/// A [`Meter`] has to know the type of the value before its parts come.
#[derive(Debug)]
pub struct TypedMeter<'v, 'm> {
    meter: &'v mut Meter<'m>,
    kind: ValueType,
    stored: TypeByte,
}

impl<'m> Meter<'m> {
    /// Measures a value of type `kind`, stored as `stored`.
    #[inline(always)]
    pub fn typed(&mut self, kind: ValueType, stored: TypeByte) -> TypedMeter<'_, 'm> {
        TypedMeter { meter: self, kind, stored }
    }
}

impl TypedMeter<'_, '_> {
    /// Whether what the packed container that has begun costs depends on more than its length and the number of its entries.
    pub fn wants_entries(&self) -> bool {
        let v = &self.meter.v;
        let before_nodes = self.kind == ValueType::List && self.meter.model.options.server.family() < Family::R32;
        v.native_bytes.is_none() || v.want_table || v.want_stage || v.kind == Kind::Plain || before_nodes
    }

    /// The container's elements or fields were passed over; `longest` is the length of the longest, as far as it is known.
    pub fn passed(&mut self, elements: u64, longest: u64) {
        let v = &mut self.meter.v;
        v.count += elements;
        v.longest = v.longest.max(longest);
        if self.kind == ValueType::List {
            v.list.node_elements += elements;
        }
    }
}

impl Visit for TypedMeter<'_, '_> {
    #[inline(always)]
    fn string(&mut self, value: RdbStr<'_>) {
        self.meter.v.string = Some(Text::of(value));
    }

    fn collection(&mut self, count: u64) {
        let thresholds = &self.meter.model.options.thresholds;
        let v = &mut self.meter.v;
        v.claimed = count;
        let limit = match self.kind {
            ValueType::Set => thresholds.set_max_intset_entries,
            ValueType::Zset => thresholds.zset_max_listpack_entries,
            ValueType::Hash => thresholds.hash_max_listpack_entries,
            _ => 0,
        };
        // What is just above the limit is worth looking at, too, to tell what a higher one would save.
        let near = count <= limit.saturating_mul(ABOVE);
        let is_set = self.kind == ValueType::Set;
        v.want_packed = near && !is_set;
        v.want_table = true;
        v.want_stage = is_set && count <= limit;
        v.want_ints = is_set && near;
        v.kind = match self.stored {
            TypeByte::LIST_QUICKLIST | TypeByte::LIST_QUICKLIST_2 => Kind::Nodes,
            _ => Kind::Plain,
        };
    }

    fn packed(&mut self, packed: Packed<'_>) {
        let meter = &mut *self.meter;
        let thresholds = &meter.model.options.thresholds;
        match self.kind {
            ValueType::List if self.stored == TypeByte::LIST_ZIPLIST => meter.v.kind = Kind::Plain,
            ValueType::List => {
                meter.close_node();
                meter.begin_packed(&packed, u64::MAX);
                meter.node_compresses_to(packed.len, packed.compressed_bytes);
            }
            _ => {
                let limit = match self.kind {
                    ValueType::Hash if self.stored == TypeByte::HASH_LISTPACK_EX => {
                        thresholds.hash_max_listpack_entries * 3
                    }
                    ValueType::Hash => thresholds.hash_max_listpack_entries * 2,
                    ValueType::Zset => thresholds.zset_max_listpack_entries * 2,
                    _ if packed.format == PackedFormat::Intset => thresholds.set_max_intset_entries,
                    _ => thresholds.set_max_listpack_entries,
                };
                meter.v.kind = Kind::Packed(packed.format);
                meter.begin_packed(&packed, limit);
                if packed.format == PackedFormat::Intset {
                    meter.v.int_width = packed.start.first().map_or(2, |&width| u64::from(width));
                }
                if packed.format != PackedFormat::Intset
                    && self.kind == ValueType::Set
                    && !meter.model.options.server.family().at_least(Family::R72)
                {
                    meter.v.want_table = true;
                    meter.v.want_stage = true;
                }
                // Valkey 9 has hashes with expiries in tables, always; older servers have no such listpacks.
                let expiries = matches!(self.stored, TypeByte::HASH_LISTPACK_EX | TypeByte::HASH_LISTPACK_EX_PRE_GA);
                if expiries && !meter.model.options.server.family().at_least(Family::R74) {
                    meter.v.native_bytes = None;
                    meter.v.want_packed = true;
                    meter.v.want_table = true;
                }
            }
        }
    }

    fn plain_node(&mut self, element: RdbStr<'_>) {
        self.meter.close_node();
        self.meter.node_compresses_to(0, None);
        self.meter.plain(element.len());
        self.meter.v.native_bytes = None;
        // Its element comes next and is counted here.
        self.meter.v.want_packed = false;
    }

    #[inline(always)]
    fn element(&mut self, element: RdbStr<'_>) {
        let meter = &mut *self.meter;
        let len = element.len();
        meter.v.longest = meter.v.longest.max(len);
        meter.v.count += 1;
        if meter.v.kind == Kind::Plain {
            meter.push_element(len, element.as_int());
        } else if meter.v.want_packed {
            let bytes = meter.pack(len, element.as_int());
            meter.v.list.node_bytes += bytes;
            meter.v.list.node_elements += 1;
        } else if meter.v.native_bytes.is_some() {
            meter.v.list.node_elements += 1;
        }
    }

    #[inline(always)]
    fn set_member(&mut self, member: RdbStr<'_>) {
        let meter = &mut *self.meter;
        let len = member.len();
        meter.v.longest = meter.v.longest.max(len);
        if meter.v.want_table {
            let int = if meter.model.boxes_elements() { member.as_int() } else { None };
            meter.v.table += meter.model.member(len, int);
        }
        if meter.v.want_stage || meter.v.want_ints {
            let int = member.as_int();
            if let Some(n) = int {
                meter.v.ints += 1;
                meter.v.int_width = meter.v.int_width.max(intset::width_of(n));
            }
            if meter.v.want_stage {
                meter.set_member(len, int);
                meter.pack(len, int);
            }
        }
        meter.v.count += 1;
    }

    #[inline(always)]
    fn zset_member(&mut self, member: RdbStr<'_>) {
        let meter = &mut *self.meter;
        let len = member.len();
        meter.v.longest = meter.v.longest.max(len);
        meter.v.count += 1;
        if meter.v.want_table {
            let mut node = meter.model.znode(len);
            if meter.model.boxes_elements()
                && let Some(int) = member.as_int()
            {
                let model = meter.model;
                node.real -= FRACTION * (model.boxed(len, None) - model.boxed(len, Some(int)));
            }
            meter.v.znodes += node;
        }
        if meter.v.want_packed {
            meter.pack(len, member.as_int());
            meter.long_member();
        }
    }

    #[inline(always)]
    fn score(&mut self, score: Score<'_>) {
        if !self.meter.v.want_packed {
            return;
        }
        match score {
            Score::Entry(entry) => self.meter.pack(entry.len(), entry.as_int()),
            Score::Number(number) => {
                let shortest = self.meter.model.options.server.family().at_least(Family::R72);
                let (len, int) = score::packed_form(number, shortest);
                self.meter.pack(len, int)
            }
        };
    }

    #[inline(always)]
    fn field(&mut self, name: RdbStr<'_>) {
        let boxes = self.meter.model.boxes_elements();
        let v = &mut self.meter.v;
        v.field_len = name.len();
        v.longest = v.longest.max(v.field_len);
        v.field_int = if boxes { name.as_int() } else { None };
        if v.want_packed {
            self.meter.pack(name.len(), name.as_int());
        }
    }

    #[inline(always)]
    fn field_value(&mut self, value: RdbStr<'_>) {
        let meter = &mut *self.meter;
        meter.v.value_len = value.len();
        meter.v.longest = meter.v.longest.max(meter.v.value_len);
        meter.v.value_int = if meter.model.boxes_elements() { value.as_int() } else { None };
        if meter.v.want_packed {
            meter.pack(value.len(), value.as_int());
            if meter.v.field_len.max(meter.v.value_len) > meter.model.options.thresholds.hash_max_listpack_value {
                meter.long_field(meter.v.count);
            }
        }
    }

    #[inline(always)]
    fn field_expiry(&mut self, expire_at_ms: Option<i64>) {
        let meter = &mut *self.meter;
        meter.v.count += 1;
        if let Some(ms) = expire_at_ms {
            let first = meter.v.fields_with_expiry == 0;
            meter.v.first_expiry_ms = if first { ms } else { meter.v.first_expiry_ms.min(ms) };
            meter.v.last_expiry_ms = if first { ms } else { meter.v.last_expiry_ms.max(ms) };
            meter.v.fields_with_expiry += 1;
        }
        if meter.v.want_table {
            let (field, value) = (meter.v.field_len, meter.v.value_len);
            let mut entry = meter.model.hash_entry(field, value, expire_at_ms.is_some());
            if meter.model.boxes_elements() {
                let model = meter.model;
                entry.real = model.classes.of(24)
                    + model.boxed(field, meter.v.field_int)
                    + model.boxed(value, meter.v.value_int);
            }
            meter.v.table += entry;
        }
        let triples = matches!(
            self.stored,
            TypeByte::HASH_METADATA | TypeByte::HASH_METADATA_PRE_GA_OR_HASH_2 | TypeByte::HASH_LISTPACK_EX
        );
        if meter.v.want_packed && triples && meter.model.options.server.family().at_least(Family::R74) {
            meter.pack(0, Some(expire_at_ms.unwrap_or(0)));
        }
    }

    fn set_members(&mut self, members: &Run<'_, 1, 0>) {
        if self.meter.takes_members() {
            self.meter.run_of_members(members);
        } else {
            members.tell(self);
        }
    }

    fn zset_members(&mut self, members: &Run<'_, 1, 8>) {
        if self.meter.takes_runs() {
            self.meter.run_of_scored(members);
        } else {
            members.tell(self);
        }
    }

    fn fields(&mut self, fields: &Run<'_, 2, 0>) {
        if self.meter.takes_runs() {
            self.meter.run_of_fields(fields);
        } else {
            fields.tell(self);
        }
    }

    fn stream_node(&mut self, first: StreamId, listpack: RdbStr<'_>) {
        let meter = &mut *self.meter;
        meter.v.kind = Kind::Nodes;
        meter.rax.ids.push(&meter.model.classes, &id_key(first));
        let bytes = listpack.len();
        let real = meter.model.classes.of(bytes);
        // Redis 5 and 6.0 counted bytes, as 8.6 does again.
        let exact = matches!(meter.model.family(), Family::R40 | Family::R50 | Family::R60 | Family::R86);
        meter.v.stream.listpacks += Cost { usage: if exact { bytes } else { real }, real };
    }

    fn stream(&mut self, _facts: StreamFacts) {
        self.meter.v.kind = Kind::Nodes;
    }

    fn stream_group(&mut self, name: RdbStr<'_>, _pending: u64) {
        let meter = &mut *self.meter;
        meter.close_group();
        meter.v.stream.open_group = true;
        meter.v.stream.groups_seen += 1;
        if let RdbStr::Raw(name) = name {
            meter.rax.names.push(&meter.model.classes, name);
        }
    }

    fn stream_pending(&mut self, id: StreamId) {
        let meter = &mut *self.meter;
        meter.rax.pending.push(&meter.model.classes, &id_key(id));
        if meter.model.family() == Family::R86 && meter.rax.union.len() < MAX_UNION_IDS {
            meter.rax.union.push(id);
        }
    }

    fn stream_consumer(&mut self, name: RdbStr<'_>, _pending: u64) {
        let meter = &mut *self.meter;
        meter.close_consumer();
        meter.v.stream.open_consumer = true;
        let (_, _, consumer) = meter.model.layout.stream_group;
        let sds = meter.model.sds(name.len());
        // Until Redis 8.0 the name counts for its length.
        let usage = if meter.model.family() == Family::R86 { sds.usage } else { name.len() };
        meter.v.stream.groups += Cost { usage: consumer + usage, real: meter.model.classes.of(consumer) + sds.real };
        if let RdbStr::Raw(name) = name {
            meter.rax.consumers.push(&meter.model.classes, name);
        }
    }

    fn stream_consumer_pending(&mut self, id: StreamId) {
        self.meter.rax.consumer_pending.push(&self.meter.model.classes, &id_key(id));
    }

    fn stream_producer(&mut self, _name: RdbStr<'_>, _entries: u64) {
        let producer = self.meter.model.block(24);
        self.meter.v.stream.producers += producer;
    }

    fn stream_idempotent(&mut self, request: RdbStr<'_>) {
        let bytes = self.meter.model.classes.of(32 + request.len());
        self.meter.v.stream.producers += Cost::both(bytes);
    }

    fn module(&mut self, id: u64) {
        self.meter.v.kind = Kind::Nodes;
        self.meter.v.module.begin(id);
    }

    fn module_number(&mut self, bits: u64) {
        self.meter.v.module.number(bits);
    }

    fn module_string(&mut self, value: RdbStr<'_>) {
        self.meter.v.module.string(value);
    }
}
