//! A server's memory model: its layout, its allocator and its settings, with the sizes of small strings looked up.

use std::fmt;
use std::ops::AddAssign;

use super::alloc::{Allocator, SizeClasses};
use super::layout::{KeyPlace, Layout, SdsCount, Table};
use super::server::{Family, Server};
use super::thresholds::Thresholds;
use crate::rdb::run::SIMPLE_LENS;
use crate::record::Encoding;

/// What a piece of memory counts and what it costs, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Cost {
    /// What MEMORY USAGE with SAMPLES 0 says.
    pub usage: u64,
    /// What the allocator handed out, so what it adds to used_memory.
    pub real: u64,
}

impl Cost {
    /// Counted for what it costs.
    #[inline]
    pub fn both(bytes: u64) -> Cost {
        Cost { usage: bytes, real: bytes }
    }
}

impl AddAssign for Cost {
    #[inline]
    fn add_assign(&mut self, other: Cost) {
        // Saturating, because lengths of streamed strings are claims.
        self.usage = self.usage.saturating_add(other.usage);
        self.real = self.real.saturating_add(other.real);
    }
}

/// Pointers to key and value, and to the next entry (`dict.c`).
const DICT_ENTRY_BYTES: u64 = 24;
/// Lengths up to this are looked up.
const TABLE_LEN: usize = 512;
const _: () = assert!(TABLE_LEN >= SIMPLE_LENS);
/// Expected sizes are kept in this many parts of a byte.
pub(super) const FRACTION: u64 = 1 << 10;

/// Which server's memory to model.
#[derive(Clone, Debug)]
pub struct ModelOptions {
    /// The server.
    pub server: Server,
    /// The allocator it is linked with.
    pub allocator: Allocator,
    /// Whether it runs in cluster mode.
    pub cluster: bool,
    /// Its settings.
    pub thresholds: Thresholds,
}

/// A server's memory model.
#[derive(Clone)]
pub struct Model {
    pub(super) options: ModelOptions,
    pub(super) layout: &'static Layout,
    pub(super) classes: SizeClasses,
    /// An entry of a table, apart from what it points at.
    dict_entry: Cost,
    /// By length: a separately allocated string.
    sds: Box<[Cost]>,
    /// By length of the member: an entry of a skip list with its member, in 1/FRACTION bytes.
    znodes: Box<[Cost]>,
    /// By length of the name: a key without and with an expiry.
    keys: Box<[[Cost; 2]]>,
    /// By length: a string that is not an integer, beside its key.
    strings: Box<[(Encoding, Cost)]>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

/// What stands around a value: its key and what the key carries.
#[derive(Clone, Copy, Debug)]
pub struct KeyFacts {
    /// Bytes of the key's name.
    pub key_len: u64,
    /// Whether the key has an expiry.
    pub expires: bool,
    /// Whether the server ran an eviction policy that keeps a clock or counter per object, so shared no integers.
    pub evicts: bool,
    /// Module metadata classes attached to the key (Redis 8.6).
    pub metadata_classes: u64,
}

impl Model {
    /// The model of a server.
    pub fn new(options: ModelOptions) -> Model {
        let layout = Layout::of(options.server.family());
        let classes = match options.allocator {
            Allocator::Jemalloc if options.server.family() < Family::R32 => SizeClasses::of_jemalloc_3(),
            allocator => SizeClasses::new(allocator),
        };
        let mut model = Model {
            options,
            layout,
            dict_entry: Cost { usage: DICT_ENTRY_BYTES, real: classes.of(DICT_ENTRY_BYTES) },
            classes,
            sds: Box::default(),
            znodes: Box::default(),
            keys: Box::default(),
            strings: Box::default(),
        };
        let lengths = 0..TABLE_LEN as u64;
        model.sds = lengths.clone().map(|len| model.sds_computed(len)).collect();
        model.znodes = lengths.clone().map(|len| model.znode_computed(len)).collect();
        model.keys = lengths.clone().map(|len| [false, true].map(|expires| model.key_computed(len, expires))).collect();
        model.strings = lengths.map(|len| model.string_computed(len)).collect();
        model
    }

    /// The options it was made from.
    pub fn options(&self) -> &ModelOptions {
        &self.options
    }

    /// Whether packed containers are listpacks; ziplists before.
    pub fn has_listpacks(&self) -> bool {
        self.layout.listpack
    }

    pub(super) fn family(&self) -> Family {
        self.layout.family
    }

    /// Bytes before the text of a string of `len` bytes (`sds.h`).
    #[inline]
    pub(super) fn sds_header(&self, len: u64) -> u64 {
        let (short, medium, long) =
            if self.layout.sds_tight_headers { (252, 65_530, (1 << 32) - 10) } else { (255, 65_535, (1 << 32) - 1) };
        match len {
            0..32 => 1,
            _ if len <= short => 3,
            _ if len <= medium => 5,
            _ if len <= long => 9,
            _ => 17,
        }
    }

    /// A string of `len` bytes, allocated on its own. An empty one never has the one-byte header, as it is to grow.
    #[inline]
    pub(super) fn sds(&self, len: u64) -> Cost {
        match self.sds.get(len as usize) {
            Some(cost) => *cost,
            None => self.sds_computed(len),
        }
    }

    /// [`Model::sds`] by the lengths of simple strings.
    #[inline]
    pub(super) fn short_sds(&self) -> &[Cost] {
        &self.sds[..SIMPLE_LENS]
    }

    /// [`Model::znode`] by the lengths of simple strings.
    #[inline]
    pub(super) fn short_znodes(&self) -> &[Cost] {
        &self.znodes[..SIMPLE_LENS]
    }

    fn sds_computed(&self, len: u64) -> Cost {
        let header = if len == 0 { 3 } else { self.sds_header(len) };
        let request = len.saturating_add(header + 1);
        let real = self.classes.of(len.saturating_add(self.real_header(header) + 1));
        let usage = match self.layout.sds {
            SdsCount::Request => request,
            SdsCount::Block => real,
            SdsCount::BlockUnlessTiny if (1..32).contains(&len) => request,
            SdsCount::BlockUnlessTiny => real,
        };
        Cost { usage, real }
    }

    /// Something counted for its size: a struct, an array.
    #[inline]
    pub(super) fn block(&self, bytes: u64) -> Cost {
        self.blocks(1, bytes)
    }

    /// So many of one size.
    #[inline]
    pub(super) fn blocks(&self, count: u64, bytes: u64) -> Cost {
        Cost { usage: count.saturating_mul(bytes), real: count.saturating_mul(self.classes.of(bytes)) }
    }

    /// The header that a string really has: until Redis 3.0 two numbers of 4 bytes, whatever its length.
    fn real_header(&self, header: u64) -> u64 {
        if self.options.server.family() < Family::R32 { 8 } else { header }
    }

    /// Whether members, fields and values of tables are objects, as they were until Redis 3.2; strings since.
    #[inline]
    pub(super) fn boxes_elements(&self) -> bool {
        self.options.server.family() < Family::R40
    }

    /// What a string as an object takes, if an integer less. Those that are shared are taken to be, as a dump of that
    /// time does not tell the policy.
    pub(super) fn boxed(&self, len: u64, int: Option<i64>) -> u64 {
        match int {
            Some(0..10_000) => 0,
            Some(_) => self.classes.of(16),
            None if len <= self.embstr_max() && self.has_embstr() => self.embstr(len),
            None => self.classes.of(16) + self.sds_computed(len).real,
        }
    }

    /// A string in one block with its object.
    fn embstr(&self, len: u64) -> u64 {
        self.classes.of(16 + self.real_header(3) + len + 1)
    }

    /// A string in a table of its own.
    #[inline]
    pub(super) fn member(&self, len: u64, int: Option<i64>) -> Cost {
        let mut cost = self.sds(len);
        if self.boxes_elements() {
            cost.real = self.boxed(len, int);
        }
        cost
    }

    /// A packed container of `bytes`.
    #[inline]
    pub(super) fn packed(&self, bytes: u64) -> Cost {
        let real = self.classes.of(bytes);
        Cost { usage: if self.layout.packed_blocks { real } else { bytes }, real }
    }

    /// An entry of a skip list and its member, in 1/FRACTION bytes: levels are random, so it is the expected size.
    #[inline]
    pub(super) fn znode(&self, member_len: u64) -> Cost {
        match self.znodes.get(member_len as usize) {
            Some(cost) => *cost,
            None => self.znode_computed(member_len),
        }
    }

    fn znode_computed(&self, len: u64) -> Cost {
        // A level more has a chance of 1/4 (`ZSKIPLIST_P`); 32 levels are far beyond what matters.
        let expected = |fixed: u64| {
            let mut sum = 0.0;
            let mut chance = 0.75;
            for level in 1..=32 {
                sum += chance * self.classes.of(fixed.saturating_add(16 * level)) as f64;
                chance /= 4.0;
            }
            (sum * FRACTION as f64).round() as u64
        };
        let embedded = len + self.sds_header(len) + 1;
        match self.layout.family {
            Family::R86 => Cost::both(expected(16 + embedded)),
            Family::V90 => Cost::both(expected(16 + 1 + embedded)),
            _ => {
                let member = self.member(len, None);
                let node = expected(24);
                // Redis 8.2 keeps the score in the node and has no entry with a value.
                let entry = match (self.layout.table, self.layout.family) {
                    (Table::Hashtable, _) => Cost::default(),
                    (_, Family::R82) => Cost { usage: 16, real: self.classes.of(24) },
                    _ => self.block(24),
                };
                Cost {
                    usage: node.saturating_add((member.usage.saturating_add(entry.usage)).saturating_mul(FRACTION)),
                    real: node.saturating_add((member.real.saturating_add(entry.real)).saturating_mul(FRACTION)),
                }
            }
        }
    }

    /// Whether an entry of a hash's table, its field and its value have a block each.
    #[inline]
    pub(super) fn splits_hash_entries(&self) -> bool {
        self.layout.family < Family::R74 || self.layout.family == Family::V80
    }

    /// So many entries of a table, apart from what they point at.
    pub(super) fn dict_entries(&self, count: u64) -> Cost {
        Cost { usage: count * self.dict_entry.usage, real: count * self.dict_entry.real }
    }

    /// A field of a table-encoded hash with its value.
    #[inline(always)]
    pub(super) fn hash_entry(&self, field: u64, value: u64, has_expiry: bool) -> Cost {
        if !self.splits_hash_entries() {
            return self.embedding_hash_entry(field, value, has_expiry);
        }
        let mut cost = self.dict_entry;
        if let (Some(field), Some(value)) = (self.sds.get(field as usize), self.sds.get(value as usize)) {
            // Nothing to saturate: both are short.
            cost.usage += field.usage + value.usage;
            cost.real += field.real + value.real;
        } else {
            cost += self.sds(field);
            cost += self.sds(value);
        }
        cost
    }

    /// The same of servers that have a field in one block with its expiry, or with its value.
    fn embedding_hash_entry(&self, field: u64, value: u64, has_expiry: bool) -> Cost {
        match self.layout.family {
            Family::R74 | Family::R80 | Family::R82 => {
                // `mstr.h`: headers of 1, 3 and 9 bytes; the expiry and its links take 18 before them.
                let header = match field {
                    0..32 => 1,
                    32..65_536 => 3,
                    _ => 9,
                };
                let expiry = if has_expiry { 18 } else { 0 };
                let mut cost = self.dict_entry;
                cost += Cost::both(self.classes.of(field.saturating_add(expiry + header + 1)));
                cost += self.sds(value);
                cost
            }
            _ => {
                let expiry: u64 = match (has_expiry, self.layout.family) {
                    (true, Family::V90) => 8,
                    (true, Family::R86) => 16,
                    _ => 0,
                };
                let exact = self.layout.family == Family::R86;
                let block = |request: u64| {
                    let real = self.classes.of(request);
                    Cost { usage: if exact { request } else { real }, real }
                };
                let header = if has_expiry { self.sds_header(field).max(3) } else { self.sds_header(field) };
                let name = field.saturating_add(header + 1);
                let together = (expiry + 4).saturating_add(name).saturating_add(value);
                if together <= 128 {
                    return block(together);
                }
                let name = field.saturating_add(self.sds_header(field).max(3) + 1);
                let mut cost = block((expiry + 8).saturating_add(name));
                cost += self.sds(value);
                cost
            }
        }
    }

    /// The block of an object that holds no string in itself, with its key where that lives in it.
    pub(super) fn object(&self, key: &KeyFacts) -> Cost {
        let name = self.sds_header(key.key_len) + key.key_len + 1;
        match self.layout.family {
            Family::R82 => {
                Cost::both(self.classes.of(16 + 1 + name + if key.expires || key.key_len >= 128 { 8 } else { 0 }))
            }
            Family::R86 => Cost::both(self.kvobj(key, name, 0)),
            Family::V81 => Cost { usage: 16, real: self.valkey_object(key, name) },
            Family::V90 => Cost::both(self.valkey_object(key, name)),
            _ => self.block(16),
        }
    }

    /// Redis 8.6 `kvobj`: metadata, object, key and perhaps the value's text in one block.
    fn kvobj(&self, key: &KeyFacts, name: u64, text: u64) -> u64 {
        let expiry = if key.expires || (key.key_len >= 128 && text == 0) { 8 } else { 0 };
        self.classes.of(8 * key.metadata_classes + expiry + 16 + 1 + name + text)
    }

    /// Valkey's object with its key. The loader makes it without an expiry and sets that afterwards: where the block has
    /// 8 bytes to spare it stays, else it is made anew.
    fn valkey_object(&self, key: &KeyFacts, name: u64) -> u64 {
        let bytes = 16 + 1 + name;
        if key.key_len >= 128 { self.classes.of(bytes + 8) } else { self.with_expiry(bytes, key.expires) }
    }

    fn with_expiry(&self, bytes: u64, expires: bool) -> u64 {
        let block = self.classes.of(bytes);
        if expires && block < bytes + 8 { self.classes.of(bytes + 8) } else { block }
    }

    /// A string's object, with its text where that is in it.
    #[inline]
    pub(super) fn string(&self, key: &KeyFacts, len: u64, int: Option<i64>) -> (Encoding, Cost) {
        if self.layout.key != KeyPlace::InObject {
            return self.string_beside_key(key, len, int);
        }
        let name = self.sds_header(key.key_len) + key.key_len + 1;
        let expiry = if key.expires { 8 } else { 0 };
        let embedded = if int.is_some() { None } else { self.embedded_string(key, len, name, expiry) };
        if let Some(bytes) = embedded {
            return (Encoding::Embstr, Cost::both(bytes));
        }
        let mut cost = self.object(key);
        if int.is_some() {
            return (Encoding::Int, cost);
        }
        cost += self.sds(len);
        (Encoding::Raw, cost)
    }

    /// The block that holds object, key and text, where the family puts them in one.
    fn embedded_string(&self, key: &KeyFacts, len: u64, name: u64, expiry: u64) -> Option<u64> {
        // The text needs a three-byte header and its terminator; so does the key, in the servers' own sum.
        let text = len + 4;
        let fits = |expiry: u64| len <= 44 && 16 + key.key_len + 3 + expiry + text <= 64;
        match self.layout.family {
            Family::R82 => fits(expiry).then(|| self.classes.of(16 + 1 + name + text + expiry)),
            Family::R86 => fits(0).then(|| self.kvobj(key, name, text)),
            Family::V81 => {
                let bytes = 16 + 1 + name + text;
                if !fits(0) {
                    None
                } else if !key.expires || self.classes.of(bytes) >= bytes + 8 {
                    Some(self.classes.of(bytes))
                } else {
                    fits(expiry).then(|| self.classes.of(bytes + 8))
                }
            }
            _ => {
                // Valkey 9: the text takes the place of the pointer to it; a cache line pair at most.
                let fits = |expiry: u64| len <= 116 && 8 + 1 + name + expiry + text <= 128;
                let bytes = 8 + 1 + name + text.max(8);
                if !fits(0) {
                    None
                } else if !key.expires || self.classes.of(bytes) >= bytes + 8 {
                    Some(self.classes.of(bytes))
                } else {
                    fits(expiry).then(|| self.classes.of(bytes + 8))
                }
            }
        }
    }

    #[inline]
    fn string_beside_key(&self, key: &KeyFacts, len: u64, int: Option<i64>) -> (Encoding, Cost) {
        if let Some(int) = int {
            // The integers below 10,000 are shared objects, unless each needs a clock or counter of its own.
            let shared = (0..10_000).contains(&int) && !key.evicts;
            return (Encoding::Int, Cost { usage: 16, real: if shared { 0 } else { self.classes.of(16) } });
        }
        match self.strings.get(len as usize) {
            Some(string) => *string,
            None => self.string_computed(len),
        }
    }

    fn string_computed(&self, len: u64) -> (Encoding, Cost) {
        if len <= self.embstr_max() {
            let real = if self.has_embstr() { self.embstr(len) } else { self.classes.of(16) + self.sds(len).real };
            // Until 6.2 MEMORY USAGE took the short header for granted.
            let usage = if self.layout.listpack { real } else { len + 18 };
            let encoding = if self.has_embstr() { Encoding::Embstr } else { Encoding::Raw };
            return (encoding, Cost { usage, real });
        }
        let mut cost = self.block(16);
        cost += self.sds(len);
        (Encoding::Raw, cost)
    }

    /// Longest string held in one block with its object (`OBJ_ENCODING_EMBSTR_SIZE_LIMIT`).
    fn embstr_max(&self) -> u64 {
        match self.options.server.family() {
            Family::R24 => 0, // 2.8 has none; an empty string cannot be told apart by its cost
            Family::R30 => 39,
            _ => 44,
        }
    }

    /// Whether a string of this length is `embstr` at all on this server.
    pub(super) fn has_embstr(&self) -> bool {
        self.options.server.family() != Family::R24
    }

    /// What a key takes beside its value's object.
    #[inline]
    pub(super) fn key(&self, key: &KeyFacts) -> Cost {
        match self.keys.get(key.key_len as usize) {
            Some(costs) => costs[usize::from(key.expires)],
            None => self.key_computed(key.key_len, key.expires),
        }
    }

    fn key_computed(&self, len: u64, expires: bool) -> Cost {
        let cluster = if self.options.cluster { self.layout.cluster_key } else { (0, 0) };
        match self.layout.key {
            KeyPlace::InObject => Cost::default(),
            KeyPlace::InEntry => {
                let entry = self.classes.of(17 + self.sds_header(len) + len + 1);
                let expires = if expires { self.classes.of(24) } else { 0 };
                Cost { usage: entry, real: entry + expires }
            }
            KeyPlace::Separate => {
                let header = if len == 0 { 3 } else { self.sds_header(len) };
                let name = header + len + 1;
                let block = self.classes.of(self.real_header(header) + len + 1);
                let usage = match self.layout.family {
                    // MEMORY USAGE of 4.0 measures the command's argument: an embstr if short, and a query buffer with
                    // as much spare room again if very long.
                    Family::R40 if len <= 44 => len + 4,
                    Family::R40 if len >= 32 << 10 => 2 * (len + 2) + self.sds_header(2 * (len + 2)) + 1,
                    Family::R40 | Family::R50 => name,
                    _ => block,
                };
                // An entry of the main table, and one of the expires table, which shares the name.
                let expires = if expires { self.classes.of(24) } else { 0 };
                let entry = self.classes.of(24 + cluster.1);
                Cost { usage: 24 + usage + cluster.0, real: entry + expires + block }
            }
        }
    }
}
