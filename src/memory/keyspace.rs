//! The tables that hold the keys themselves: what they take, and each key's share of it.

use super::model::Model;
use super::server::Family;
use super::tables::{Hashtable, dict_buckets, dict_chained};

/// Where in the key tables a dump has come to: which database and slot, how many keys they hold by its own word, and
/// how many of those have passed.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Number of the database.
    pub db: u64,
    database: Filling,
    slot: Option<(u64, Filling)>,
    /// How often other tables have come: tells these from those before.
    tables: u64,
}

/// A table by the dump's hint, and how far it has been filled.
#[derive(Clone, Copy, Debug, Default)]
struct Filling {
    /// Keys and keys with an expiry, as the dump says; absent before RDB 7.
    hint: Option<(u64, u64)>,
    keys: u64,
    expires: u64,
}

impl Filling {
    fn new(keys: u64, expires: u64) -> Filling {
        Filling { hint: Some((keys, expires)), keys: 0, expires: 0 }
    }
}

impl Place {
    /// The keys that follow are of database `db`.
    pub fn select_db(&mut self, db: u64) {
        *self = Place { db, tables: self.tables + 1, ..Place::default() };
    }

    /// The database holds so many keys, and so many with an expiry.
    pub fn resize_db(&mut self, keys: u64, expires: u64) {
        self.database = Filling::new(keys, expires);
        self.tables += 1;
    }

    /// The keys that follow are of this slot, which holds so many.
    pub fn enter_slot(&mut self, slot: u64, keys: u64, expires: u64) {
        self.slot = Some((slot, Filling::new(keys, expires)));
        self.tables += 1;
    }

    /// A key has passed.
    #[inline(always)]
    pub fn pass_key(&mut self, expires: bool) {
        self.pass_keys(1, u64::from(expires));
    }

    /// So many keys have passed, and so many of them with an expiry.
    #[inline(always)]
    pub fn pass_keys(&mut self, keys: u64, expires: u64) {
        self.database.keys += keys;
        self.database.expires += expires;
        if let Some((_, table)) = &mut self.slot {
            table.keys += keys;
            table.expires += expires;
        }
    }
}

/// Bytes for a key in tables whose size is not known: half-full buckets of 8 on average.
const UNKNOWN_SHARE: u64 = 11;

/// Works out the shares; remembers the last tables.
#[derive(Clone, Debug)]
pub struct KeyTables {
    per_slot: bool,
    slots_to_keys: bool,
    /// [`Place::tables`] of the shares below; none at first.
    tables: Option<u64>,
    main: Shares,
    expires: Shares,
}

impl KeyTables {
    /// For the tables of `model`'s server.
    pub fn new(model: &Model) -> KeyTables {
        let per_slot = model.options().cluster
            && (model.options().server.family().at_least(Family::R74) || model.options().server.family().is_valkey());
        let slots_to_keys = model.options().cluster && model.options().server.family() <= Family::R62;
        KeyTables { per_slot, slots_to_keys, tables: None, main: Shares::default(), expires: Shares::default() }
    }

    /// Bytes of the key tables that fall to the next key at `place`. The shares of all keys add up to the tables. All places
    /// have to be of one dump.
    #[inline(always)]
    pub fn share(&mut self, model: &Model, place: &Place, key_len: u64, expires: bool) -> u64 {
        let filling = match &place.slot {
            Some((_, filling)) if self.per_slot => filling,
            _ => &place.database,
        };
        if self.tables != Some(place.tables) {
            self.enter(model, filling.hint, place);
        }
        let mut bytes = self.main.of(filling.keys);
        if expires {
            bytes += self.expires.of(filling.expires);
        }
        if self.slots_to_keys {
            bytes += slots_to_keys(model, key_len);
        }
        bytes
    }

    #[cold]
    fn enter(&mut self, model: &Model, hint: Option<(u64, u64)>, place: &Place) {
        self.tables = Some(place.tables);
        (self.main, self.expires) = match hint {
            None => (Shares::UNKNOWN, Shares::UNKNOWN),
            Some(hint) => {
                let (main, expires) = table_bytes(model, hint, self.per_slot && place.slot.is_some());
                (Shares::new(main, hint.0.min(MAX_KEYS)), Shares::new(expires, hint.1.min(MAX_KEYS)))
            }
        };
    }
}

/// A table's bytes in whole bytes for each of its keys that add up: the `index`th gets what lies between
/// `bytes * index / keys` and `bytes * (index + 1) / keys`. Keys come one after another, so that each share follows from
/// the one before without a division.
#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    bytes: u64,
    keys: u64,
    /// `bytes / keys`, and what is left over.
    each: u64,
    left: u64,
    /// The key that is expected next, and `bytes * next % keys`.
    next: u64,
    remainder: u64,
}

impl Shares {
    /// Of tables whose size is not known.
    const UNKNOWN: Shares =
        Shares { bytes: UNKNOWN_SHARE * MAX_KEYS, keys: MAX_KEYS, each: UNKNOWN_SHARE, left: 0, next: 0, remainder: 0 };

    fn new(bytes: u64, keys: u64) -> Shares {
        let each = bytes.checked_div(keys).unwrap_or(0);
        let left = bytes.checked_rem(keys).unwrap_or(0);
        Shares { bytes, keys, each, left, next: 0, remainder: 0 }
    }

    #[inline(always)]
    fn of(&mut self, index: u64) -> u64 {
        if index != self.next || index >= self.keys {
            if self.keys == 0 {
                return 0;
            }
            self.seek(index);
        }
        self.next += 1;
        self.remainder += self.left; // both below `keys`
        let carry = self.remainder >= self.keys;
        self.remainder -= if carry { self.keys } else { 0 };
        self.each + u64::from(carry)
    }

    /// More keys than the hint said are as if they began anew.
    #[cold]
    fn seek(&mut self, index: u64) {
        let within = index % self.keys;
        self.next = index;
        self.remainder = (u128::from(self.bytes) * u128::from(within) % u128::from(self.keys)) as u64;
    }
}

/// More keys than a server can hold: a hint beyond it is a lie.
const MAX_KEYS: u64 = 1 << 40;

/// Main and expires table for so many keys and keys with an expiry.
fn table_bytes(model: &Model, hint: (u64, u64), of_slot: bool) -> (u64, u64) {
    let (keys, expires) = (hint.0.min(MAX_KEYS), hint.1.min(MAX_KEYS));
    let family = model.options().server.family();
    let (main_struct, expires_struct) = table_structs(model, family);
    let table = |n: u64| match family {
        Family::V81 if of_slot => Hashtable::grown(n).bytes(), // the slot's table is not yet there for the hint
        Family::V81 | Family::V90 => Hashtable::sized_for(n).bytes(),
        Family::R82 | Family::R86 => 8 * dict_buckets(n) + model.classes.of(16) * dict_chained(n),
        _ => 8 * dict_buckets(n),
    };
    let main = if keys == 0 { 0 } else { main_struct + table(keys) };
    let expires = if expires == 0 { 0 } else { expires_struct + table(expires) };
    (main, expires)
}

/// The structs of the main and the expires table of a database, or of a slot where each has its own: from Redis 7.4 and
/// Valkey 8.0 on they are made when the first key comes.
fn table_structs(model: &Model, family: Family) -> (u64, u64) {
    let class = |bytes| model.classes.of(bytes);
    match family {
        Family::R74 => (class(56 + 8), class(56 + 8)),
        // With histograms of key sizes: five types of sixty counters.
        Family::R80 | Family::R82 | Family::R86 => (class(56 + 8 + 5 * 60 * 8), class(56 + 8)),
        Family::V80 => (class(56 + 16), class(56 + 16)),
        Family::V81 => (class(72 + 16), class(72 + 16)),
        Family::V90 => (class(80 + 16), class(80 + 16)),
        _ => (0, 0),
    }
}

/// Until Redis 6.2 a cluster node keeps a radix tree of slots and keys: on average a run of the key's end, a leaf and a
/// share of the branching above (43 bytes measured for keys of 10).
fn slots_to_keys(model: &Model, key_len: u64) -> u64 {
    let run = key_len.saturating_sub(3);
    model.classes.of((4 + run).next_multiple_of(8) + 8) + 8 + 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Allocator, ModelOptions, Thresholds};

    #[test]
    fn shares_add_up_to_the_tables() {
        let options = ModelOptions {
            server: "redis-7.2".parse().unwrap(),
            allocator: Allocator::Jemalloc,
            cluster: false,
            thresholds: Thresholds::default(),
        };
        let model = Model::new(options);
        let mut tables = KeyTables::new(&model);
        let mut place = Place::default();
        place.select_db(0);
        place.resize_db(1000, 300);
        let mut sum = 0;
        for i in 0..1000 {
            sum += tables.share(&model, &place, 10, i % 10 < 3);
            place.pass_key(i % 10 < 3);
        }
        assert_eq!(sum, 8 * 1024 + 8 * 512);
    }

    #[test]
    fn shares_are_those_of_a_division_in_any_order() {
        for (bytes, keys) in [(8192, 1000), (7, 3), (3, 7), (0, 5), (1 << 43, (1 << 40) - 3), (5, 0)] {
            let mut shares = Shares::new(bytes, keys);
            for index in (0..50).chain([3, 4, 5, 999, 1000, 1001, 7, 7, (1 << 40) - 4]) {
                let until = |n: u64| (u128::from(bytes) * u128::from(n)).checked_div(u128::from(keys)).unwrap_or(0);
                let within = index % keys.max(1);
                let expected = if keys == 0 { 0 } else { (until(within + 1) - until(within)) as u64 };
                assert_eq!(shares.of(index), expected, "{index} of {keys} in {bytes}");
            }
        }
    }
}
