//! What a sorted set costs: packed, or a skip list with a table.

use super::{Kind, Meter};
use crate::memory::layout::Table;
use crate::memory::model::{Cost, FRACTION};
use crate::memory::server::Family;
use crate::memory::tables::{Hashtable, dict_buckets, dict_bytes_grown, dict_chained};
use crate::record::Encoding;

impl Meter<'_> {
    /// A member came; it may be too long for all of them to be packed.
    #[inline]
    pub(super) fn long_member(&mut self) {
        let thresholds = &self.model.options.thresholds;
        self.give_up_packing(thresholds.zset_max_listpack_entries, thresholds.zset_max_listpack_value);
    }

    pub(super) fn zset(&mut self) -> (Encoding, Cost) {
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
}
