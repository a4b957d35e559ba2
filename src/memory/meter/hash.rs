//! What a hash costs: packed, or a table, and the expiries of its fields.

use super::{Kind, Meter};
use crate::memory::layout::Table;
use crate::memory::model::Cost;
use crate::memory::server::Family;
use crate::memory::tables::{Hashtable, dict_buckets, dict_bytes_converted, dict_bytes_grown, dict_chained};
use crate::rdb::TypeByte;
use crate::record::Encoding;
use crate::value::PackedFormat;

/// The longest window of time whose expiries Valkey 9 keeps together.
const VSET_WINDOW_MS: i64 = 8192;
/// What an expiry takes where each has a window of its own, in bytes.
const VSET_SPREAD_BYTES: u64 = 43;

impl Meter<'_> {
    pub(super) fn hash(&mut self, stored: TypeByte) -> (Encoding, Cost) {
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
            return self.packed_hash(redis_expiries);
        }
        let mut cost = model.block(model.layout.hash_table_struct);
        cost += self.v.table;
        let before = self.v.packed_before_long.filter(|_| n <= thresholds.hash_max_listpack_entries);
        cost += self.hash_buckets(n, before, redis_expiries);
        cost += self.field_expiries();
        (Encoding::Hashtable, cost)
    }

    /// A field that is too long to be packed came after `before` others, or a value that is.
    pub(super) fn long_field(&mut self, before: u64) {
        self.v.packed_before_long.get_or_insert(before);
        let thresholds = &self.model.options.thresholds;
        self.give_up_packing(thresholds.hash_max_listpack_entries, thresholds.hash_max_listpack_value);
    }

    /// The hash packed, whatever its size.
    pub(super) fn packed_hash(&self, redis_expiries: bool) -> (Encoding, Cost) {
        let mut cost = self.packed_cost();
        if !redis_expiries {
            return (self.packed_encoding(), cost);
        }
        cost += self.model.block(self.model.layout.listpack_ex);
        (Encoding::ListpackEx, cost)
    }

    /// Buckets of a hash's table: made for all fields at once, or converted after `before` fields when one was too long,
    /// with room made for those still to come.
    pub(super) fn hash_buckets(&self, n: u64, before: Option<u64>, with_expiries: bool) -> Cost {
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
    pub(super) fn field_expiries(&self) -> Cost {
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
}
