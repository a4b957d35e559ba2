//! What a big key costs when it is read, sent, deleted or moved: estimates, with what they are estimated from.

use serde::Serialize;

use super::summary::KeyRow;
use crate::cluster::migrate::{MIGRATE_MODEL, MigrateModel};
use crate::record::ValueType;

/// What costs are estimated from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CostModel {
    /// The link, and the time to serialise a value.
    #[serde(flatten)]
    pub migrate: MigrateModel,
    /// Time to put an element of a collection into a reply, in nanoseconds.
    pub read_ns_per_element: u64,
    /// Time to free an element that has memory of its own, as in hash tables and skip lists, in nanoseconds.
    pub free_ns_per_element: u64,
    /// Time to free memory in large pieces, in microseconds per million bytes.
    pub free_us_per_megabyte: u64,
}

/// In the order of what Redis 7.0 took on one core for collections of a million elements: LRANGE 0 -1 0.2 s, ZRANGE 0 -1 and
/// SMEMBERS 0.3 s; DEL of a hash 0.5 s, of a list 1.5 ms.
pub const COST_MODEL: CostModel =
    CostModel { migrate: MIGRATE_MODEL, read_ns_per_element: 300, free_ns_per_element: 500, free_us_per_megabyte: 50 };

/// What a key costs, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// Sending the value over the link.
    pub transfer_us: u64,
    /// Building the reply to a command that reads the whole value; the server does nothing else meanwhile.
    pub read_us: u64,
    /// DEL; the server does nothing else meanwhile.
    pub del_us: u64,
    /// MIGRATE to another node: serialise, send, restore; neither server does anything else meanwhile.
    pub migrate_us: u64,
}

impl CostModel {
    /// What a key costs.
    pub fn costs(&self, key: &KeyRow) -> Costs {
        let elements = match key.value_type {
            ValueType::String => 0,
            _ => key.num_elements.unwrap_or(0),
        };
        // A string may be compressed in the dump, but never is in a reply.
        let sent = match key.value_type {
            ValueType::String => key.num_elements.unwrap_or(key.serialized_bytes),
            _ => key.serialized_bytes,
        };
        let apart = if matches!(key.encoding, Some("hashtable" | "skiplist")) { elements } else { 0 };
        Costs {
            transfer_us: scaled(sent, 1_000_000, self.migrate.link_bytes_per_second),
            read_us: scaled(sent, self.migrate.copy_us_per_megabyte, 1_000_000).saturating_add(scaled(
                elements,
                self.read_ns_per_element,
                1000,
            )),
            del_us: scaled(key.footprint_bytes.unwrap_or(0), self.free_us_per_megabyte, 1_000_000)
                .saturating_add(scaled(apart, self.free_ns_per_element, 1000)),
            migrate_us: self.migrate.estimate_us(key.serialized_bytes, elements),
        }
    }
}

/// `n` times `each`, divided by `per`.
fn scaled(n: u64, each: u64, per: u64) -> u64 {
    u64::try_from(u128::from(n) * u128::from(each) / u128::from(per.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::top::tests::record;
    use crate::escape::Escape;

    fn key(value_type: ValueType, encoding: &'static str, elements: u64, bytes: u64) -> KeyRow {
        KeyRow {
            value_type,
            encoding: Some(encoding),
            num_elements: Some(elements),
            serialized_bytes: bytes,
            footprint_bytes: Some(bytes),
            ..KeyRow::new("a", &record(b"k", 1), Escape::Utf8)
        }
    }

    #[test]
    fn costs_are_of_the_right_order() {
        let costs =
            |value_type, encoding, elements, bytes| COST_MODEL.costs(&key(value_type, encoding, elements, bytes));
        // A string of 100 MB, of which the dump has a tenth: 0.8 s on the link, 100 ms to copy.
        let string = costs(ValueType::String, "raw", 100_000_000, 10_000_000);
        assert_eq!((string.transfer_us, string.read_us, string.del_us), (800_000, 100_000, 500));
        assert_eq!(string.migrate_us, 80_000 + 20_000);
        // A million fields: half a second to delete; as a list next to nothing.
        let hash = costs(ValueType::Hash, "hashtable", 1_000_000, 50_000_000);
        assert_eq!((hash.read_us, hash.del_us), (350_000, 502_500));
        assert_eq!(costs(ValueType::List, "quicklist", 1_000_000, 50_000_000).del_us, 2500);
        let huge = costs(ValueType::Hash, "hashtable", u64::MAX, u64::MAX);
        assert!(huge.migrate_us > 1 << 60 && huge.del_us > 1 << 60);
    }
}
