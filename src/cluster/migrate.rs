//! How slots get from one node to another, and how long a key takes on the way.

use serde::Serialize;

/// How a server moves slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotMigration {
    /// Valkey 9.0 and later: `CLUSTER MIGRATESLOTS` on the node that has the slots. Atomic.
    MigrateSlots,
    /// Redis 8.4 and later: `CLUSTER MIGRATION IMPORT` on the node that is to have them. Atomic.
    MigrationImport,
    /// Servers before: `CLUSTER SETSLOT` on both nodes, and `MIGRATE` key by key.
    SetSlot,
}

impl SlotMigration {
    /// Whether slots change hands at once, with no `MIGRATE` on the way.
    pub fn is_atomic(self) -> bool {
        self != SlotMigration::SetSlot
    }
}

/// What the time of a `MIGRATE` is estimated from, and what it is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MigrateModel {
    /// The timeout that `MIGRATE` is given, in milliseconds.
    #[serde(rename = "migrate_timeout_ms")]
    pub timeout_ms: u64,
    /// Speed of the link, in bytes a second.
    pub link_bytes_per_second: u64,
    /// Time to serialise a value, or to restore it, in microseconds per million bytes.
    pub copy_us_per_megabyte: u64,
    /// Time to rebuild a collection on the other node, in nanoseconds per element.
    pub rebuild_ns_per_element: u64,
}

/// The timeout that it is usually given; a link of 1 Gbit/s; 1 ms to serialise 1 MB and as much to restore it; 1 us to
/// insert an element.
pub const MIGRATE_MODEL: MigrateModel = MigrateModel {
    timeout_ms: 5000,
    link_bytes_per_second: 125_000_000,
    copy_us_per_megabyte: 1000,
    rebuild_ns_per_element: 1000,
};

impl MigrateModel {
    /// Microseconds to serialise, send and restore a key of so many serialised bytes and, if it is a collection, elements.
    pub fn estimate_us(&self, serialized_bytes: u64, elements: u64) -> u64 {
        let (bytes, elements) = (u128::from(serialized_bytes), u128::from(elements));
        let send_ns = bytes * 1_000_000_000 / u128::from(self.link_bytes_per_second.max(1));
        let copy_ns = 2 * bytes * u128::from(self.copy_us_per_megabyte) / 1000;
        let rebuild_ns = elements * u128::from(self.rebuild_ns_per_element);
        u64::try_from((send_ns + copy_ns + rebuild_ns) / 1000).unwrap_or(u64::MAX)
    }

    /// The same in milliseconds.
    pub fn estimate_ms(&self, serialized_bytes: u64, elements: u64) -> u64 {
        self.estimate_us(serialized_bytes, elements) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_big_key_takes_long() {
        let ms = |bytes, elements| MIGRATE_MODEL.estimate_ms(bytes, elements);
        assert_eq!(ms(0, 0), 0);
        assert_eq!(ms(100_000_000, 0), 800 + 100 + 100, "a string of 100 MB");
        assert_eq!(ms(500_000_000, 0), MIGRATE_MODEL.timeout_ms);
        assert_eq!(ms(0, 5_000_000), MIGRATE_MODEL.timeout_ms);
        assert!(ms(u64::MAX, u64::MAX) > MIGRATE_MODEL.timeout_ms);
    }
}
