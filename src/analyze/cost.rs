//! What a big key costs when it is read, sent, deleted or moved: estimates, with what they are estimated from.

use serde::Serialize;

use crate::cluster::migrate::{MIGRATE_MODEL, MigrateModel};
use crate::record::{Encoding, KeyRecord, ValueType};

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

impl Default for CostModel {
    fn default() -> CostModel {
        COST_MODEL
    }
}

/// Where a figure of the model stands.
type Figure = fn(&mut CostModel) -> &mut u64;

/// The figures of the model that have no option of their own, by name.
const FIGURES: [(&str, Figure); 5] = [
    ("copy-us-per-mb", |model| &mut model.migrate.copy_us_per_megabyte),
    ("read-ns-per-element", |model| &mut model.read_ns_per_element),
    ("rebuild-ns-per-element", |model| &mut model.migrate.rebuild_ns_per_element),
    ("free-ns-per-element", |model| &mut model.free_ns_per_element),
    ("free-us-per-mb", |model| &mut model.free_us_per_megabyte),
];

/// Taking a key out of the table, whatever it holds: about a microsecond.
const TAKE_OUT_US: u64 = 1;

/// What a key costs, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// Sending the value over the link.
    pub transfer_us: u64,
    /// Building the reply to a command that reads the whole value; the server does nothing else meanwhile.
    pub read_us: u64,
    /// DEL; the server does nothing else meanwhile.
    pub del_us: u64,
    /// UNLINK; the same for what it frees at once, next to nothing for what it frees in the background.
    pub unlink_us: u64,
    /// MIGRATE to another node: serialise, send, restore; neither server does anything else meanwhile.
    pub migrate_us: u64,
}

impl CostModel {
    /// Changes what `text` says, as `free-ns-per-element=300`.
    ///
    /// # Errors
    /// Says how to write it.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let Some((_, figure)) = FIGURES.iter().find(|(known, _)| *known == name.trim()) else {
            let names: Vec<&str> = FIGURES.iter().map(|(name, _)| *name).collect();
            return Err(format!("`{name}` is no cost; those that can be set are {}", names.join(", ")));
        };
        *figure(self) =
            value.trim().parse().map_err(|_| format!("`{text}` has no whole number; write {name}=300, for example"))?;
        Ok(())
    }

    /// What a key costs.
    pub fn costs(&self, key: &KeyRecord<'_>) -> Costs {
        let elements = match key.value_type {
            ValueType::String => 0,
            _ => key.elements.unwrap_or(0),
        };
        // A string may be compressed in the dump, but never is in a reply.
        let sent = match key.value_type {
            ValueType::String => key.elements.unwrap_or(key.serialized_bytes),
            _ => key.serialized_bytes,
        };
        let footprint = key.footprint_bytes.unwrap_or(0);
        let apart = match key.encoding {
            Some(Encoding::Hashtable | Encoding::Skiplist | Encoding::Linkedlist) => elements,
            _ => 0,
        };
        let del_us = scaled(footprint, self.free_us_per_megabyte, 1_000_000).saturating_add(scaled(
            apart,
            self.free_ns_per_element,
            1000,
        ));
        Costs {
            transfer_us: scaled(sent, 1_000_000, self.migrate.link_bytes_per_second),
            read_us: scaled(sent, self.migrate.copy_us_per_megabyte, 1_000_000).saturating_add(scaled(
                elements,
                self.read_ns_per_element,
                1000,
            )),
            del_us,
            unlink_us: if is_freed_lazily(key) { TAKE_OUT_US } else { del_us },
            migrate_us: self.migrate.estimate_us(key.serialized_bytes, elements),
        }
    }
}

/// Whether UNLINK leaves the freeing to the background: from 65 allocations on (`LAZYFREE_THRESHOLD`). A string is one, and so
/// is a packed container; nodes of lists and streams have 4 to 8 KiB by default.
fn is_freed_lazily(key: &KeyRecord<'_>) -> bool {
    const THRESHOLD: u64 = 64;
    const NODE_BYTES: u64 = 8 << 10;
    match key.encoding {
        Some(Encoding::Hashtable | Encoding::Skiplist | Encoding::Linkedlist) => key.elements.unwrap_or(0) > THRESHOLD,
        Some(Encoding::Quicklist | Encoding::Stream | Encoding::Unknown) => {
            key.footprint_bytes.unwrap_or(0) > THRESHOLD * NODE_BYTES
        }
        _ => false,
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

    fn key(value_type: ValueType, encoding: Encoding, elements: u64, bytes: u64) -> KeyRecord<'static> {
        KeyRecord {
            value_type,
            encoding: Some(encoding),
            elements: Some(elements),
            serialized_bytes: bytes,
            ..record(b"k", bytes)
        }
    }

    #[test]
    fn costs_are_of_the_right_order() {
        let costs =
            |value_type, encoding, elements, bytes| COST_MODEL.costs(&key(value_type, encoding, elements, bytes));
        // A string of 100 MB, of which the dump has a tenth: 0.8 s on the link, 100 ms to copy.
        let string = costs(ValueType::String, Encoding::Raw, 100_000_000, 10_000_000);
        assert_eq!((string.transfer_us, string.read_us, string.del_us), (800_000, 100_000, 500));
        assert_eq!(string.migrate_us, 80_000 + 20_000);
        assert_eq!(string.unlink_us, 500, "a string is freed on the spot");
        // A million fields: half a second to delete; as a list next to nothing.
        let hash = costs(ValueType::Hash, Encoding::Hashtable, 1_000_000, 50_000_000);
        assert_eq!((hash.read_us, hash.del_us, hash.unlink_us), (350_000, 502_500, 1));
        let list = costs(ValueType::List, Encoding::Quicklist, 1_000_000, 50_000_000);
        assert_eq!((list.del_us, list.unlink_us), (2500, 1));
        let packed = costs(ValueType::Hash, Encoding::Listpack, 20_000, 2_000_000);
        assert_eq!((packed.del_us, packed.unlink_us), (100, 100));
        let huge = costs(ValueType::Hash, Encoding::Hashtable, u64::MAX, u64::MAX);
        assert!(huge.migrate_us > 1 << 60 && huge.del_us > 1 << 60);
    }

    #[test]
    fn figures_are_set_by_name() {
        let mut model = CostModel::default();
        model.set("free-ns-per-element=7").unwrap();
        model.set("copy-us-per-mb=2000").unwrap();
        assert_eq!((model.free_ns_per_element, model.migrate.copy_us_per_megabyte), (7, 2000));
        assert!(model.set("free=7").unwrap_err().contains("those that can be set are copy-us-per-mb"));
        assert!(model.set("read-ns-per-element").unwrap_err().contains("write read-ns-per-element=300"));
        assert!(model.set("read-ns-per-element=-1").unwrap_err().contains("no whole number"));
    }
}
