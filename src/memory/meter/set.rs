//! What a set costs: an intset, packed, or a table.

use super::{Kind, Meter};
use crate::memory::layout::Table;
use crate::memory::model::Cost;
use crate::memory::server::Family;
use crate::memory::tables::{Hashtable, dict_buckets, dict_chained};
use crate::record::Encoding;
use crate::value::{PackedFormat, intset};

/// An object apart from its value.
const OBJECT_BYTES: u64 = 16;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SetStage {
    #[default]
    Intset,
    Listpack,
    Table,
}

impl Meter<'_> {
    pub(super) fn set(&mut self) -> (Encoding, Cost) {
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
    pub(super) fn averaged(&self, fixed: Cost, sum: Cost, n: u64) -> Cost {
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
    pub(super) fn set_member(&mut self, len: u64, int: Option<i64>) {
        let thresholds = &self.model.options.thresholds;
        let packs = self.model.options.server.family().at_least(Family::R72);
        let fits = self.v.longest <= thresholds.set_max_listpack_value;
        match (self.v.set_stage, int) {
            (SetStage::Intset, Some(_)) if self.v.count < thresholds.set_max_intset_entries => {}
            (SetStage::Intset, _) if packs && self.v.count < thresholds.set_max_listpack_entries && fits => {
                self.v.set_stage = SetStage::Listpack;
            }
            (SetStage::Listpack, _)
                if self.v.count < thresholds.set_max_listpack_entries && len <= thresholds.set_max_listpack_value => {}
            _ => {
                self.v.set_stage = SetStage::Table;
                self.v.want_stage = packs; // else nothing of it matters any more
            }
        }
    }
}
