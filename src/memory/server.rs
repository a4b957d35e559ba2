//! Which server: its name, and the generation of its memory layout.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::cluster::migrate::SlotMigration;
use crate::rdb::{Dialect, Header};

/// A generation of memory layout: servers that account for the same value alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // R is Redis, V is Valkey; the digits are the first version
pub enum Family {
    R24,
    R30,
    R32,
    R40,
    R50,
    R60,
    R62,
    R70,
    R72,
    R74,
    R80,
    R82,
    R86,
    V80,
    V81,
    V90,
}

impl Family {
    /// Whether it is a Valkey of its own kind (7.2 is still Redis 7.2).
    pub fn is_valkey(self) -> bool {
        self >= Family::V80
    }

    /// Whether it is a Redis from `first` on. Valkey parted from Redis at 7.2, so it counts as that.
    pub fn at_least(self, first: Family) -> bool {
        if self.is_valkey() { first <= Family::R72 } else { self >= first }
    }
}

/// The first versions of each family, newest first.
const REDIS: &[((u32, u32), Family)] = &[
    ((8, 5), Family::R86), // 8.6 was read; 8.5 were its previews
    ((8, 2), Family::R82),
    ((8, 0), Family::R80),
    ((7, 4), Family::R74),
    ((7, 2), Family::R72),
    ((7, 0), Family::R70),
    ((6, 2), Family::R62),
    ((6, 0), Family::R60),
    ((5, 0), Family::R50),
    ((4, 0), Family::R40),
    ((3, 2), Family::R32),
    ((3, 0), Family::R30),
    ((0, 0), Family::R24),
];
const VALKEY: &[((u32, u32), Family)] =
    &[((9, 0), Family::V90), ((8, 1), Family::V81), ((8, 0), Family::V80), ((0, 0), Family::R72)];

/// A server: product and version, and with them the family whose memory layout it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    product: Product,
    version: (u32, u32),
    family: Family,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Product {
    Redis,
    Valkey,
}

impl Server {
    /// The family whose memory layout the server has.
    pub fn family(self) -> Family {
        self.family
    }

    /// Whether it has UNLINK.
    pub fn has_unlink(self) -> bool {
        self.family.at_least(Family::R40)
    }

    /// Whether fields of a hash can expire on their own (HEXPIRE).
    pub fn has_field_expiry(self) -> bool {
        if self.family.is_valkey() { self.family >= Family::V90 } else { self.family.at_least(Family::R74) }
    }

    /// How it moves slots between the nodes of a cluster.
    pub fn slot_migration(self) -> SlotMigration {
        match self.product {
            Product::Valkey if self.version >= (9, 0) => SlotMigration::MigrateSlots,
            Product::Redis if self.version >= (8, 4) => SlotMigration::MigrationImport,
            _ => SlotMigration::SetSlot,
        }
    }

    /// The Redis that calls itself `version` in the dump's `redis-ver`.
    pub fn redis(version: &str) -> Option<Server> {
        Server::new(Product::Redis, version)
    }

    /// The Valkey that calls itself `version` in the dump's `valkey-ver`.
    pub fn valkey(version: &str) -> Option<Server> {
        Server::new(Product::Valkey, version)
    }

    /// The likeliest writer of a dump that does not name it: the last server that wrote this version of the format.
    pub fn likely_writer(header: Header) -> Server {
        let version = match (header.dialect, header.version) {
            (Dialect::Valkey, _) => return Server { product: Product::Valkey, version: (9, 0), family: Family::V90 },
            (_, ..=5) => (2, 4),
            (_, 6) => (2, 8),
            (_, 7) => (3, 2),
            (_, 8) => (4, 0),
            (_, 9) => (6, 2),
            (_, 10) => (7, 0),
            (_, 11) => (7, 2),
            (_, 12) => (7, 4),
            _ => (8, 6),
        };
        Server { product: Product::Redis, version, family: family_of(REDIS, version) }
    }

    /// The newest server that is known.
    pub fn newest() -> Server {
        Server { product: Product::Redis, version: (8, 6), family: Family::R86 }
    }

    fn new(product: Product, version: &str) -> Option<Server> {
        let mut numbers = version.split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next().map_or(Some(0), |minor| minor.parse().ok())?;
        let families = if product == Product::Redis { REDIS } else { VALKEY };
        Some(Server { product, version: (major, minor), family: family_of(families, (major, minor)) })
    }
}

fn family_of(families: &[((u32, u32), Family)], version: (u32, u32)) -> Family {
    families.iter().find(|(first, _)| *first <= version).map_or(Family::R24, |(_, family)| *family)
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = if self.product == Product::Redis { "redis" } else { "valkey" };
        write!(f, "{product}-{}.{}", self.version.0, self.version.1)
    }
}

impl Serialize for Server {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Server {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Server, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Server, String> {
        let parsed = match text.split_once('-') {
            Some(("redis", version)) => Server::redis(version),
            Some(("valkey", version)) => Server::valkey(version),
            _ => None,
        };
        parsed.ok_or_else(|| format!("`{text}` is no server; write redis-7.4 or valkey-8.1, for example"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_family() {
        for (text, family) in [
            ("redis-2.8", Family::R24),
            ("redis-4.0.14", Family::R40),
            ("redis-6.0", Family::R60),
            ("redis-6.2.16", Family::R62),
            ("redis-7.2.6", Family::R72),
            ("redis-8.0", Family::R80),
            ("redis-8.4", Family::R82),
            ("redis-8.6.3", Family::R86),
            ("redis-255.255.255", Family::R86),
            ("valkey-7.2", Family::R72),
            ("valkey-8.1.1", Family::V81),
            ("valkey-9.1", Family::V90),
        ] {
            assert_eq!(text.parse::<Server>().unwrap().family(), family, "{text}");
        }
        for (text, migration) in [
            ("redis-3.0", SlotMigration::SetSlot),
            ("redis-8.2", SlotMigration::SetSlot),
            ("redis-8.4", SlotMigration::MigrationImport),
            ("redis-10.0", SlotMigration::MigrationImport),
            ("valkey-8.1", SlotMigration::SetSlot),
            ("valkey-9.0", SlotMigration::MigrateSlots),
        ] {
            assert_eq!(text.parse::<Server>().unwrap().slot_migration(), migration, "{text}");
        }
        assert!("keydb-6".parse::<Server>().is_err());
        assert!("redis-x".parse::<Server>().is_err());
        assert!(Family::V81.at_least(Family::R70) && !Family::V81.at_least(Family::R74));
    }
}
