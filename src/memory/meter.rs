//! Measures one value at a time, as it is decoded.

use std::collections::VecDeque;

use super::layout::Table;
use super::model::{Cost, FRACTION, KeyFacts, Model};
use super::modules::ModuleMeter;
use super::rax::{RaxMeter, RaxSize};
use super::server::Family;
use super::tables::{Hashtable, dict_buckets, dict_bytes_converted, dict_bytes_grown, dict_chained};
use crate::rdb::{RdbStr, TypeByte};
use crate::record::{Encoding, ValueType};
use crate::value::{Packed, PackedFormat, Score, StreamFacts, StreamId, Visit, intset, listpack, ziplist};

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

/// The longest window of time whose expiries Valkey 9 keeps together.
const VSET_WINDOW_MS: i64 = 8192;
/// What an expiry takes where each has a window of its own, in bytes.
const VSET_SPREAD_BYTES: u64 = 43;
/// A list as Redis had it before 3.2, and its nodes (`adlist.h`).
const LINKED_LIST_BYTES: u64 = 48;
const LINK_BYTES: u64 = 24;
/// An object apart from its value.
const OBJECT_BYTES: u64 = 16;
/// What Redis 8.6 has for an ID that is pending (a list of the groups where it is), and for each of those groups.
const PENDING_ID_BYTES: u64 = 48;
const PENDING_GROUP_BYTES: u64 = 24;
/// How many pending IDs are kept to find those that are pending in several groups.
const MAX_UNION_IDS: usize = 1 << 20;

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
    /// The stored container's length, where it is of the kind that the server keeps.
    native_bytes: Option<u64>,
    /// Entries as a listpack or ziplist, header included.
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
    longest: u64,
    /// Sets: the width that the integers so far need, and how the loader holds them by now.
    int_width: u64,
    set_stage: SetStage,
    list: List,
    string: Option<(u64, Option<i64>)>,
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SetStage {
    #[default]
    Intset,
    Listpack,
    Table,
}

/// A list's nodes so far.
#[derive(Debug, Default)]
struct List {
    nodes: u64,
    plain_nodes: u64,
    cost: Cost,
    /// The open node: packed bytes and elements.
    node_bytes: u64,
    node_elements: u64,
    /// What compressing would save at the nodes that may still turn out to be near the tail.
    savings: VecDeque<Cost>,
    saved: Cost,
    /// Whether a node of the file was larger than the limit, so that a single one does not become a plain listpack.
    first_node_bytes: u64,
    first_node_elements: u64,
    longest: u64,
}

#[derive(Debug, Default)]
struct Stream {
    listpacks: Cost,
    groups: Cost,
    groups_seen: u64,
    producers: Cost,
    open_group: bool,
    open_consumer: bool,
}

#[derive(Debug, Default)]
struct StreamRaxes {
    ids: RaxMeter,
    names: RaxMeter,
    pending: RaxMeter,
    consumers: RaxMeter,
    consumer_pending: RaxMeter,
    union: Vec<StreamId>,
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
        let (encoding, mut cost) = match (kind, self.v.string) {
            (ValueType::String, Some((len, int))) => self.model.string(key, len, int),
            _ => self.finish_container(kind, stored, key, serialized_bytes),
        };
        cost += self.model.key(key);
        Measure { usage_bytes: cost.usage, real_bytes: cost.real, encoding }
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

    // Lists

    fn list(&mut self, stored: TypeByte) -> (Encoding, Cost) {
        self.close_node();
        let model = self.model;
        let list = &mut self.v.list;
        if list.longest == 0 {
            list.longest = self.v.longest;
        }
        let server = model.options.server.family();
        if server < Family::R32 {
            let thresholds = &model.options.thresholds;
            let small = self.v.count <= thresholds.list_max_ziplist_entries
                && (stored == TypeByte::LIST_ZIPLIST || self.v.longest <= thresholds.list_max_ziplist_value);
            let usage = self.quicklist().usage; // as a server that answers would hold it
            if small {
                return (Encoding::Ziplist, Cost { usage, real: self.packed_cost().real });
            }
            return (
                Encoding::Linkedlist,
                Cost { usage, real: model.classes.of(LINKED_LIST_BYTES) + self.v.table.real },
            );
        }
        // From 7.2 on a list of one packed node is held as that listpack; ziplists of before 3.2 never are.
        let single = list.nodes == 1 && list.plain_nodes == 0;
        let within = list.first_node_bytes <= model.options.thresholds.list_node_bytes()
            && list.first_node_elements <= model.options.thresholds.list_node_elements();
        if single && within && server.at_least(Family::R72) && stored != TypeByte::LIST_ZIPLIST {
            return (Encoding::Listpack, model.packed(list.first_node_bytes));
        }
        (Encoding::Quicklist, self.quicklist())
    }

    fn quicklist(&mut self) -> Cost {
        let (head, node) = self.model.layout.quicklist;
        let list = &mut self.v.list;
        let mut cost = self.model.block(head);
        cost += self.model.blocks(list.nodes, node);
        cost += list.cost;
        cost.usage = cost.usage.saturating_sub(list.saved.usage);
        cost.real = cost.real.saturating_sub(list.saved.real);
        cost
    }

    /// Ends the open node of a list.
    fn close_node(&mut self) {
        if self.v.list.node_elements == 0 {
            return;
        }
        let bytes = match self.v.native_bytes.take() {
            Some(bytes) => bytes,
            None => self.v.list.node_bytes + self.packed_header(),
        };
        let elements = self.v.list.node_elements;
        let cost = self.model.packed(bytes);
        self.add_node(cost, bytes, elements);
        self.v.list.node_bytes = 0;
        self.v.list.node_elements = 0;
        self.v.previous_entry = 0;
    }

    fn add_node(&mut self, cost: Cost, bytes: u64, elements: u64) {
        let list = &mut self.v.list;
        if list.nodes == 0 {
            (list.first_node_bytes, list.first_node_elements) = (bytes, elements);
        }
        list.nodes += 1;
        list.cost += cost;
    }

    /// Remembers what compressing the node just begun would save; nodes near either end stay as they are.
    fn node_compresses_to(&mut self, bytes: u64, compressed: Option<u64>) {
        let depth = self.model.options.thresholds.list_compress_depth;
        if depth == 0 {
            return;
        }
        // `quicklist.c`: not below 48 bytes, and only if it saves at least 8; the header of the LZF block is 8.
        let saving = match compressed {
            Some(packed) if bytes >= 48 && packed + 8 < bytes && self.v.list.nodes >= depth => {
                let (plain, lzf) = (self.model.packed(bytes), self.model.packed(packed + 8));
                Cost { usage: plain.usage.saturating_sub(lzf.usage), real: plain.real.saturating_sub(lzf.real) }
            }
            _ => Cost::default(),
        };
        let list = &mut self.v.list;
        list.savings.push_back(saving);
        if list.savings.len() as u64 > depth
            && let Some(interior) = list.savings.pop_front()
        {
            list.saved += interior;
        }
    }

    /// An element that the loader pushes to the tail of a list: lists stored element by element, and old ziplists.
    fn push_element(&mut self, len: u64, int: Option<i64>) {
        let thresholds = &self.model.options.thresholds;
        let limit = thresholds.list_node_bytes();
        let listpacks = self.model.layout.listpack;
        let plain_nodes = self.model.family() >= Family::R74;
        if listpacks && plain_nodes && len > limit {
            self.close_node();
            self.plain(len);
            return;
        }
        let head = self.packed_header();
        let growth = if listpacks {
            len.saturating_add(8)
        } else {
            len + if len < 254 { 1 } else { 5 }
                + match len {
                    0..64 => 1,
                    64..16_384 => 2,
                    _ => 5,
                }
        };
        let list = &self.v.list;
        let full = list.node_elements >= thresholds.list_node_elements()
            || (list.node_bytes + head).saturating_add(growth) > limit;
        if list.node_elements > 0 && full {
            self.close_node();
        }
        let bytes = self.pack(len, int);
        self.v.list.node_bytes += bytes;
        self.v.list.node_elements += 1;
        if self.model.boxes_elements() {
            self.v.table += Cost { usage: 0, real: self.model.classes.of(LINK_BYTES) + self.model.boxed(len, int) };
        }
    }

    fn plain(&mut self, len: u64) {
        if self.model.layout.listpack {
            let real = self.model.classes.of(len);
            let usage = if self.model.layout.packed_blocks { real } else { len };
            self.add_node(Cost { usage, real }, len, 1);
            self.v.list.plain_nodes += 1;
        } else {
            let bytes = ziplist::entry_bytes(len, None, 0) + self.packed_header();
            let cost = self.model.packed(bytes);
            self.add_node(cost, bytes, 1);
        }
    }

    // Sets

    fn set(&mut self) -> (Encoding, Cost) {
        let thresholds = &self.model.options.thresholds;
        let n = self.v.count;
        let packs = self.model.options.server.family().at_least(Family::R72);
        let intset = || self.model.packed(intset::HEADER_BYTES as u64 + self.v.int_width.max(2) * n);
        let stage = match self.v.kind {
            Kind::Packed(PackedFormat::Intset) if n <= thresholds.set_max_intset_entries => SetStage::Intset,
            Kind::Packed(PackedFormat::Intset) => SetStage::Table,
            // A listpack that an older server is to hold: it would have made an intset or a table of it.
            Kind::Packed(_) if !packs => self.v.set_stage,
            Kind::Packed(_) if n <= thresholds.set_max_listpack_entries => SetStage::Listpack,
            Kind::Packed(_) => SetStage::Table,
            _ if self.v.claimed > thresholds.set_max_intset_entries => SetStage::Table,
            _ => self.v.set_stage,
        };
        match stage {
            SetStage::Intset => (Encoding::Intset, intset()),
            SetStage::Listpack => (Encoding::Listpack, self.packed_cost()),
            SetStage::Table => (Encoding::Hashtable, self.set_table()),
        }
    }

    fn set_table(&self) -> Cost {
        let n = self.v.count;
        let model = self.model;
        let mut fixed = model.block(model.layout.table_struct);
        let mut members = self.v.table;
        match model.layout.table {
            Table::Dict => {
                fixed += Cost::both(8 * dict_buckets(n));
                members += model.blocks(n, 24);
            }
            // Servers of this kind count an entry of 24 for each member, though most have none.
            Table::DictNoValueSets | Table::DictNoValueAll => {
                fixed += Cost::both(8 * dict_buckets(n));
                let entries = model.blocks(dict_chained(n), 16);
                let usage = if model.family() == Family::V80 { entries.usage } else { 24 * n };
                members += Cost { usage, real: entries.real };
            }
            Table::Hashtable => fixed += Cost::both(Hashtable::sized_for(n).bytes()),
        }
        self.averaged(fixed, members, n)
    }

    /// `fixed` bytes and a sum over `n` elements as MEMORY USAGE comes to them: it adds the average times their number in
    /// floating point to what it has so far, the object included, and may so lose a byte. Redis 8.6 keeps exact sums.
    fn averaged(&self, fixed: Cost, sum: Cost, n: u64) -> Cost {
        let mut cost = fixed;
        cost += sum;
        if n > 0 && self.model.family() != Family::R86 {
            let whole = (fixed.usage + OBJECT_BYTES) as f64 + sum.usage as f64 / n as f64 * n as f64;
            cost.usage = whole as u64 - OBJECT_BYTES;
        }
        cost
    }

    /// How the loader holds a set after one more member (`rdb.c:rdbLoadObject`).
    #[inline]
    fn set_member(&mut self, len: u64, int: Option<i64>) {
        let thresholds = &self.model.options.thresholds;
        let packs = self.model.options.server.family().at_least(Family::R72);
        let fits = self.v.longest <= thresholds.set_max_listpack_value;
        match (self.v.set_stage, int) {
            (SetStage::Intset, Some(n)) if self.v.count < thresholds.set_max_intset_entries => {
                self.v.int_width = self.v.int_width.max(intset::width_of(n));
            }
            (SetStage::Intset, _) if packs && self.v.count < thresholds.set_max_listpack_entries && fits => {
                self.v.set_stage = SetStage::Listpack;
            }
            (SetStage::Listpack, _)
                if self.v.count < thresholds.set_max_listpack_entries && len <= thresholds.set_max_listpack_value => {}
            _ => self.v.set_stage = SetStage::Table,
        }
    }

    // Sorted sets

    fn zset(&mut self) -> (Encoding, Cost) {
        let thresholds = &self.model.options.thresholds;
        let n = self.v.count;
        let fits = n <= thresholds.zset_max_listpack_entries
            && (self.v.kind != Kind::Plain || self.v.longest <= thresholds.zset_max_listpack_value);
        if fits {
            return (self.packed_encoding(), self.packed_cost());
        }
        let layout = self.model.layout;
        let head_usage = layout.zset.0;
        let head_real = [layout.zset.1, layout.skiplist.0, layout.skiplist.1, layout.table_struct];
        let head_real =
            head_real.into_iter().filter(|bytes| *bytes > 0).map(|bytes| self.model.classes.of(bytes)).sum();
        let expected = |parts: u64| (parts + FRACTION / 2) / FRACTION;
        let mut cost = Cost { usage: head_usage, real: head_real };
        cost += Cost { usage: expected(self.v.znodes.usage), real: expected(self.v.znodes.real) };
        let buckets = match self.model.options.server.family() {
            Family::R24 | Family::R30 | Family::R32 | Family::R40 => dict_bytes_grown(n),
            _ => 8 * dict_buckets(n),
        };
        cost += match layout.table {
            Table::Dict | Table::DictNoValueSets => Cost::both(buckets),
            Table::DictNoValueAll => {
                Cost { usage: buckets + 24 * n, real: buckets + self.model.classes.of(16) * dict_chained(n) }
            }
            Table::Hashtable => Cost::both(Hashtable::sized_for(n).bytes()),
        };
        (Encoding::Skiplist, cost)
    }

    fn packed_encoding(&self) -> Encoding {
        if self.model.layout.listpack { Encoding::Listpack } else { Encoding::Ziplist }
    }

    // Hashes

    fn hash(&mut self, stored: TypeByte) -> (Encoding, Cost) {
        let model = self.model;
        let thresholds = &model.options.thresholds;
        let n = self.v.count;
        let family = model.options.server.family();
        // A listpack with expiries stays one when the last of them is gone.
        let with_expiries = self.v.fields_with_expiry > 0
            || matches!(stored, TypeByte::HASH_LISTPACK_EX | TypeByte::HASH_LISTPACK_EX_PRE_GA);
        let redis_expiries = with_expiries && family.at_least(Family::R74);
        let too_long = match self.v.kind {
            Kind::Plain | Kind::Packed(PackedFormat::Zipmap) => self.v.packed_before_long.is_some(),
            _ => false,
        };
        let table_always = family == Family::V90 && self.v.fields_with_expiry > 0;
        if n <= thresholds.hash_max_listpack_entries && !too_long && !table_always {
            if !redis_expiries {
                return (self.packed_encoding(), self.packed_cost());
            }
            let bytes = self.v.native_bytes.unwrap_or(self.v.packed_bytes + self.packed_header());
            let mut cost = model.block(model.layout.listpack_ex);
            cost += model.packed(bytes);
            return (Encoding::ListpackEx, cost);
        }
        let mut cost = model.block(model.layout.hash_table_struct);
        cost += self.v.table;
        let before = self.v.packed_before_long.filter(|_| n <= thresholds.hash_max_listpack_entries);
        cost += self.hash_buckets(n, before, redis_expiries);
        cost += self.field_expiries();
        (Encoding::Hashtable, cost)
    }

    /// Buckets of a hash's table: made for all fields at once, or converted after `before` fields when one was too long,
    /// with room made for those still to come.
    fn hash_buckets(&self, n: u64, before: Option<u64>, with_expiries: bool) -> Cost {
        let family = self.model.options.server.family();
        let old = family < Family::R50;
        match self.model.layout.table {
            Table::Hashtable => {
                let table = match before {
                    Some(before) => Hashtable::converted(n, before),
                    None => Hashtable::sized_for(n),
                };
                Cost::both(table.bytes())
            }
            Table::DictNoValueAll => {
                let buckets = match before {
                    _ if with_expiries => dict_bytes_grown(n),
                    Some(before) => dict_bytes_converted(n, before, n),
                    None => 8 * dict_buckets(n),
                };
                Cost { usage: buckets + 24 * n, real: buckets + self.model.classes.of(16) * dict_chained(n) }
            }
            _ => Cost::both(match before {
                _ if old => dict_bytes_grown(n),
                _ if with_expiries => dict_bytes_grown(n),
                Some(before) => dict_bytes_converted(n, before, n - (before + 1).min(n)),
                None => 8 * dict_buckets(n),
            }),
        }
    }

    /// What registers the expiries of fields beside their entries.
    fn field_expiries(&self) -> Cost {
        let n = self.v.fields_with_expiry;
        match self.model.options.server.family() {
            Family::R74 | Family::R80 | Family::R82 | Family::R86 => {
                Cost { usage: 0, real: n * self.model.layout.field_expiry_tenths / 10 }
            }
            // `vset.c`: one expiry needs nothing, a few a vector of pointers. More are kept by windows of time: in a
            // table if all fall into one, else in a radix tree of them, measured with times 100 s apart.
            Family::V90 => Cost::both(match n {
                0 | 1 => 0,
                2..=127 => self.model.classes.of(8 + 8 * n),
                _ if self.v.last_expiry_ms.saturating_sub(self.v.first_expiry_ms) <= VSET_WINDOW_MS => {
                    self.model.layout.table_struct + Hashtable::grown(n).bytes()
                }
                _ => VSET_SPREAD_BYTES * n,
            }),
            _ => Cost::default(),
        }
    }

    // Streams

    fn stream_cost(&mut self) -> Cost {
        self.close_group();
        let model = self.model;
        let layout = model.layout;
        let ids = self.rax.ids.finish(&model.classes);
        let names = self.rax.names.finish(&model.classes);
        let mut cost = Cost { usage: layout.stream.0, real: model.classes.of(layout.stream.1) };
        cost += self.rax_cost(ids);
        cost += self.v.stream.listpacks;
        cost += self.v.stream.groups;
        cost += self.v.stream.producers;
        if self.v.stream.groups_seen > 0 {
            let names = self.rax_cost(names);
            let counted = model.family() == Family::R86;
            cost += Cost { usage: if counted { names.usage } else { 0 }, real: names.real };
            let pending = self.rax.union.len() as u64;
            let union = if counted { self.union_of_pending() } else { RaxSize::default() };
            if union.keys > 0 {
                cost += self.rax_cost(union); // made when the first entry is delivered
                // Its values are lists of the groups, which MEMORY USAGE forgets.
                let of = |bytes| model.classes.of(bytes);
                cost.real += of(PENDING_ID_BYTES) * union.keys + of(PENDING_GROUP_BYTES) * pending;
            }
        }
        cost
    }

    fn rax_cost(&self, size: RaxSize) -> Cost {
        let layout = self.model.layout;
        let usage = if layout.rax_exact { layout.rax + size.node_bytes } else { size.old_estimate() };
        Cost { usage, real: self.model.classes.of(layout.rax) + size.node_bytes }
    }

    fn union_of_pending(&mut self) -> RaxSize {
        self.rax.union.sort_unstable();
        let mut rax = std::mem::take(&mut self.rax.pending);
        for id in &self.rax.union {
            rax.push(&self.model.classes, &id_key(*id));
        }
        let size = rax.finish(&self.model.classes);
        self.rax.pending = rax;
        self.rax.union.clear();
        size
    }

    fn close_consumer(&mut self) {
        if !std::mem::take(&mut self.v.stream.open_consumer) {
            return;
        }
        let pending = self.rax.consumer_pending.finish(&self.model.classes);
        let pending = self.rax_cost(pending);
        self.v.stream.groups += pending;
    }

    fn close_group(&mut self) {
        self.close_consumer();
        if !std::mem::take(&mut self.v.stream.open_group) {
            return;
        }
        let model = self.model;
        let pending = self.rax.pending.finish(&model.classes);
        let consumers = self.rax.consumers.finish(&model.classes);
        let (group, nack, _) = model.layout.stream_group;
        let mut cost = self.rax_cost(pending);
        cost += model.block(group);
        cost += model.blocks(pending.keys, nack);
        let names = self.rax_cost(consumers);
        cost += Cost { usage: if model.family() == Family::R86 { names.usage } else { 0 }, real: names.real };
        self.v.stream.groups += cost;
    }

    /// Whether the element or field is to be packed, too.
    #[inline]
    fn begin_packed(&mut self, packed: &Packed<'_>, limit: u64) {
        let native = packed.format == self.native_format() || packed.format == PackedFormat::Intset;
        self.v.native_bytes = native.then_some(packed.bytes.len() as u64);
        self.v.want_packed = !native;
        // Two entries make an element at least, but for sets and lists: more than the limit is what matters.
        let claimed = match packed.format {
            PackedFormat::Listpack => packed.bytes.get(4..6).map(|b| u16::from_le_bytes([b[0], b[1]])),
            PackedFormat::Ziplist => packed.bytes.get(8..10).map(|b| u16::from_le_bytes([b[0], b[1]])),
            _ => Some(u16::MAX),
        };
        self.v.want_table = claimed.is_none_or(|claimed| u64::from(claimed) > limit) || !native;
    }
}

fn id_key(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

/// A [`Meter`] has to know the type of the value before its parts come.
#[derive(Debug)]
pub struct TypedMeter<'v, 'm> {
    pub(super) meter: &'v mut Meter<'m>,
    pub(super) kind: ValueType,
    pub(super) stored: TypeByte,
}

impl<'m> Meter<'m> {
    /// Measures a value of type `kind`, stored as `stored`.
    #[inline(always)]
    pub fn typed(&mut self, kind: ValueType, stored: TypeByte) -> TypedMeter<'_, 'm> {
        TypedMeter { meter: self, kind, stored }
    }
}

impl Visit for TypedMeter<'_, '_> {
    #[inline(always)]
    fn string(&mut self, value: RdbStr<'_>) {
        self.meter.v.string = Some((value.len(), value.as_int()));
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
        v.want_packed = count <= limit;
        v.want_table = true;
        v.want_stage = v.want_packed && self.kind == ValueType::Set;
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
                let bytes = packed.bytes.len() as u64;
                meter.node_compresses_to(bytes, packed.compressed_bytes);
            }
            _ => {
                let limit = match self.kind {
                    ValueType::Hash if self.stored == TypeByte::HASH_LISTPACK_EX => {
                        thresholds.hash_max_listpack_entries * 3
                    }
                    ValueType::Hash => thresholds.hash_max_listpack_entries * 2,
                    ValueType::Zset => thresholds.zset_max_listpack_entries * 2,
                    _ if packed.format == PackedFormat::Intset => 0,
                    _ => thresholds.set_max_listpack_entries,
                };
                meter.v.kind = Kind::Packed(packed.format);
                meter.begin_packed(&packed, limit);
                if packed.format == PackedFormat::Intset {
                    let width = packed.bytes.first().map_or(2, |&width| u64::from(width));
                    meter.v.int_width = width;
                    let members = packed.bytes.len().saturating_sub(intset::HEADER_BYTES) as u64 / width.max(1);
                    meter.v.want_table = members > thresholds.set_max_intset_entries;
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
        match self.kind {
            ValueType::List => {
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
            ValueType::Set => {
                if meter.v.want_table {
                    let int = if meter.model.boxes_elements() { element.as_int() } else { None };
                    meter.v.table += meter.model.member(len, int);
                }
                if meter.v.want_stage {
                    let int = element.as_int();
                    meter.set_member(len, int);
                    meter.pack(len, int);
                }
            }
            _ => {
                if meter.v.want_table {
                    let mut node = meter.model.znode(len);
                    if meter.model.boxes_elements()
                        && let Some(int) = element.as_int()
                    {
                        let model = meter.model;
                        node.real -= FRACTION * (model.boxed(len, None) - model.boxed(len, Some(int)));
                    }
                    meter.v.znodes += node;
                }
                if meter.v.want_packed {
                    meter.pack(len, element.as_int());
                }
            }
        }
        meter.v.count += 1;
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
                let (len, int) = super::score::packed_form(number, shortest);
                self.meter.pack(len, int)
            }
        };
    }

    #[inline(always)]
    fn field(&mut self, name: RdbStr<'_>) {
        let boxes = self.meter.model.boxes_elements();
        let v = &mut self.meter.v;
        v.field_len = name.len();
        v.field_int = if boxes { name.as_int() } else { None };
        if v.want_packed {
            self.meter.pack(name.len(), name.as_int());
        }
    }

    #[inline(always)]
    fn field_value(&mut self, value: RdbStr<'_>) {
        let meter = &mut *self.meter;
        meter.v.value_len = value.len();
        meter.v.value_int = if meter.model.boxes_elements() { value.as_int() } else { None };
        if meter.v.want_packed {
            meter.pack(value.len(), value.as_int());
            let limit = meter.model.options.thresholds.hash_max_listpack_value;
            if meter.v.field_len.max(meter.v.value_len) > limit && meter.v.packed_before_long.is_none() {
                meter.v.packed_before_long = Some(meter.v.count);
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
