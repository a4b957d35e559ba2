//! What a list costs: nodes of packed elements, one packed node alone, or links.

use std::collections::VecDeque;

use super::Meter;
use crate::memory::model::Cost;
use crate::memory::server::Family;
use crate::rdb::TypeByte;
use crate::record::Encoding;
use crate::value::ziplist;

/// A list as Redis had it before 3.2, and its nodes (`adlist.h`).
const LINKED_LIST_BYTES: u64 = 48;
const LINK_BYTES: u64 = 24;

/// A list's nodes so far.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) nodes: u64,
    pub(super) plain_nodes: u64,
    pub(super) cost: Cost,
    /// The open node: packed bytes and elements.
    pub(super) node_bytes: u64,
    pub(super) node_elements: u64,
    /// What compressing would save at the nodes that may still turn out to be near the tail.
    pub(super) savings: VecDeque<Cost>,
    pub(super) saved: Cost,
    /// Whether a node of the file was larger than the limit, so that a single one does not become a plain listpack.
    pub(super) first_node_bytes: u64,
    pub(super) first_node_elements: u64,
}

impl Meter<'_> {
    pub(super) fn list(&mut self, stored: TypeByte) -> (Encoding, Cost) {
        self.close_node();
        let model = self.model;
        let list = &mut self.v.list;
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

    pub(super) fn quicklist(&mut self) -> Cost {
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
    pub(super) fn close_node(&mut self) {
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

    pub(super) fn add_node(&mut self, cost: Cost, bytes: u64, elements: u64) {
        let list = &mut self.v.list;
        if list.nodes == 0 {
            (list.first_node_bytes, list.first_node_elements) = (bytes, elements);
        }
        list.nodes += 1;
        list.cost += cost;
    }

    /// Remembers what compressing the node just begun would save; nodes near either end stay as they are.
    pub(super) fn node_compresses_to(&mut self, bytes: u64, compressed: Option<u64>) {
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
    pub(super) fn push_element(&mut self, len: u64, int: Option<i64>) {
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

    pub(super) fn plain(&mut self, len: u64) {
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
}
