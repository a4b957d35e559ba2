//! Seeded generator of benchmark dumps: RDB files of a chosen shape, written without a server.
//!
//! ```text
//! cargo run --release --example generate -- small -o small.rdb          # 10 M strings, 0.7 GB
//! cargo run --release --example generate -- mixed --keys 50000 --seed 7 # to the standard output
//! cargo run --release --example generate -- cluster -o demo/            # three dumps and nodes.conf
//! ```
//!
//! The same arguments give the same bytes: randomness comes from `--seed` alone, times from `--ctime` alone, and
//! integers decide everything. Each key has its own random numbers, found from its index, so that what must be
//! known ahead of the keys (the number of expiring ones, for RESIZEDB) is found by asking every index beforehand.
//!
//! Names are unique by construction. Values are logical ([`Value`]) and get the encoding that a server with default
//! settings would have chosen; only the collections of `huge` are written directly.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use crc_fast::{CrcAlgorithm, Digest};

// ------------------------------------------------------------------------------------------------ arguments

/// Writes an RDB dump of a chosen shape, for benchmarks and demonstrations.
#[derive(Debug, Parser)]
struct Args {
    /// What to write
    kind: Kind,
    /// Number of keys; for `huge` elements of each collection [default: by kind]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    keys: Option<u64>,
    /// Seed of all random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File to write; for `cluster` a directory [default: standard output]
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// RDB version: 9 (Redis 6.2, kinds of nothing but strings), 10 (7.0), 11 (7.2) or 12 (7.4: `mixed` then has hash
    /// fields with a TTL)
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u8).range(9..=12))]
    rdb_version: u8,
    /// Creation time in unix seconds, from which TTLs count
    #[arg(long, default_value_t = 1_767_225_600, value_parser = clap::value_parser!(u64).range(1_000_000_000..))]
    ctime: u64,
    /// Number of masters of `cluster`
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=200))]
    nodes: u64,
}

/// The shapes of dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Many small strings under a blend of production-like names: 10 M keys, 0.7 GB
    Small,
    /// All data types and encodings, sizes with a long tail: 2 M keys, 1.3 GB
    Mixed,
    /// Few incompressible strings of 1 to 64 MB: 1.5 GB
    Large,
    /// LZF-compressed strings of 10 to 200 KB: 0.5 GB
    Lzf,
    /// One hash, set, sorted set and list of 5 M elements each: 0.43 GB
    Huge,
    /// Random names that fold into no pattern, with 8-byte values: 10 M keys
    Patterns,
    /// The dumps of a small cluster, with LFU counters and an imbalance, and its nodes.conf
    Cluster,
}

struct Profile {
    /// Keys when `--keys` is absent; for `huge` elements of each collection.
    keys: u64,
    /// Share of the keys with a TTL. Those of `cluster` differ by the kind of key.
    ttl_percent: u64,
    /// What such a key (element) takes of a server's memory, as measured with Redis 7.0. For `cluster` see
    /// [`Record::memory`].
    key_memory: u64,
}

impl Args {
    fn profile(&self) -> Profile {
        let (keys, ttl_percent, key_memory) = match self.kind {
            Kind::Small => (10_000_000, 30, 154),
            Kind::Mixed => (2_000_000, 25, 2_000),
            Kind::Large => (100, 0, 16_600_000),
            Kind::Lzf => (27_000, 0, 115_000),
            Kind::Huge => (5_000_000, 0, 302),
            Kind::Patterns => (10_000_000, 0, 107),
            Kind::Cluster => (3_100, 0, 0),
        };
        Profile { keys, ttl_percent, key_memory }
    }

    fn keys(&self) -> u64 {
        self.keys.unwrap_or(self.profile().keys)
    }

    fn ctime_ms(&self) -> u64 {
        self.ctime * 1000
    }

    /// The random numbers of one key.
    fn rng(&self, index: u64) -> Rng {
        Rng(mix(self.seed ^ mix(index)))
    }

    /// Whether a key expires, and when. Must be the first thing drawn for the key: [`Args::expiring`] relies on it.
    fn expiry(&self, rng: &mut Rng) -> Option<u64> {
        let expires = rng.below(100) < self.profile().ttl_percent;
        expires.then(|| self.ctime_ms() + MINUTE_MS + rng.below(30 * DAY_MS))
    }

    /// Number of keys to which [`Args::expiry`] will give a TTL.
    fn expiring(&self) -> u64 {
        match self.profile().ttl_percent {
            0 => 0,
            _ => (0..self.keys()).filter(|&index| self.expiry(&mut self.rng(index)).is_some()).count() as u64,
        }
    }

    /// A number for each index below [`Args::keys`]: distinct, in no order, below the next power of two.
    fn scatter(&self, index: u64) -> u64 {
        let bits = self.keys().next_power_of_two().trailing_zeros();
        let (mask, half) = ((1 << bits) - 1, bits.div_ceil(2));
        // Each step is a bijection of the numbers of that many bits.
        let x = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) & mask;
        let x = (x ^ (x >> half)).wrapping_mul(0xBF58_476D_1CE4_E5B9) & mask;
        x ^ (x >> half)
    }
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 1_440 * MINUTE_MS;

// ----------------------------------------------------------------------------------------------- randomness

/// SplitMix64 (Steele, Lea, Flood 2014): a counter passed through a bijective mixer.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// A long-tailed size: each doubling of `min` is half as likely as the one before, up to `cap`.
    fn tail(&mut self, min: u64, cap: u64) -> u64 {
        let base = min << self.next().trailing_zeros().min(20);
        (base + self.below(base)).min(cap)
    }

    /// Letters and digits: nothing to compress, nothing to fold.
    fn token(&mut self, len: u64) -> Text {
        const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut word = 0;
        let letter = |position| {
            word = if position % 10 == 0 { self.next() } else { word / 62 };
            BASE62[(word % 62) as usize]
        };
        (0..len).map(letter).collect()
    }

    /// Numbers above `first`, behind a prefix: distinct, ascending, a long-tailed number of them.
    fn ids(&mut self, prefix: &str, first: u64, min: u64, cap: u64) -> Vec<Text> {
        let (mut id, count) = (first + self.below(1000), self.tail(min, cap));
        let mut next = |_| {
            id += self.between(1, 60);
            format!("{prefix}{id}").into_bytes()
        };
        (0..count).map(&mut next).collect()
    }

    /// JSON of a long-tailed length.
    fn tail_json(&mut self, min: u64, cap: u64) -> Text {
        let len = self.tail(min, cap);
        self.json(len)
    }

    /// JSON with some numbers in it: compresses about four to one.
    fn json(&mut self, len: u64) -> Text {
        const PIECES: [&str; 8] = [
            r#"{"id":"#,
            r#","status":"active","quantity":"#,
            r#","country":"DE","currency":"EUR""#,
            r#","title":"Wireless headphones""#,
            r#","title":"Mechanical keyboard","price":"#,
            r#","created_at":"2025-12-"#,
            r#","tags":["new","sale"]"#,
            ",\"verified\":true}\n",
        ];
        let len = len as usize;
        let mut out = Vec::with_capacity(len + 48);
        while out.len() < len {
            let piece = self.pick(&PIECES);
            out.extend_from_slice(piece.as_bytes());
            if piece.ends_with([':', '-']) {
                out.extend_from_slice(&number(self.below(1000)));
            }
        }
        out.truncate(len);
        out
    }
}

/// The SplitMix64 finalizer: a bijection of the 64-bit numbers.
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Any Redis string.
type Text = Vec<u8>;

fn number(n: u64) -> Text {
    n.to_string().into_bytes()
}

// ------------------------------------------------------------------------------------------------ encodings

/// Type bytes and opcodes, under their names in `rdb.h`.
mod rdb {
    pub const STRING: u8 = 0;
    pub const SET: u8 = 2;
    pub const HASH: u8 = 4;
    pub const ZSET_2: u8 = 5;
    pub const SET_INTSET: u8 = 11;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_LISTPACKS_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_LISTPACKS_3: u8 = 21;
    pub const HASH_METADATA: u8 = 24;
    pub const HASH_LISTPACK_EX: u8 = 25;

    pub const OP_FREQ: u8 = 249;
    pub const OP_AUX: u8 = 250;
    pub const OP_RESIZEDB: u8 = 251;
    pub const OP_EXPIRETIME_MS: u8 = 252;
    pub const OP_SELECTDB: u8 = 254;
    pub const OP_EOF: u8 = 255;

    /// The container byte of a quicklist node that is a listpack.
    pub const NODE_PACKED: u8 = 2;
}

fn put_len(out: &mut Vec<u8>, n: u64) {
    match n {
        0..=0x3F => out.push(n as u8),
        0x40..=0x3FFF => out.extend_from_slice(&(0x4000 | n as u16).to_be_bytes()),
        0x4000..=0xFFFF_FFFF => {
            out.push(0x80);
            out.extend_from_slice(&(n as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&n.to_be_bytes());
        }
    }
}

/// A string as its bytes.
fn put_raw(out: &mut Vec<u8>, text: &[u8]) {
    put_len(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// A string as an integer where the server would write one, else as its bytes.
fn put_str(out: &mut Vec<u8>, text: &[u8]) {
    match canonical_int(text).and_then(|n| i32::try_from(n).ok()) {
        Some(n @ -0x80..=0x7F) => out.extend_from_slice(&[0xC0, n as u8]),
        Some(n @ -0x8000..=0x7FFF) => {
            out.push(0xC1);
            out.extend_from_slice(&(n as i16).to_le_bytes());
        }
        Some(n) => {
            out.push(0xC2);
            out.extend_from_slice(&n.to_le_bytes());
        }
        None => put_raw(out, text),
    }
}

/// A string or blob, LZF-compressed if that saves 4 bytes. The server tries from 21 bytes on; starting later costs
/// little compression and keeps the generator fast.
fn put_packed(out: &mut Vec<u8>, text: &[u8]) {
    const WORTH_A_TRY: usize = 512;
    let packed = if text.len() >= WORTH_A_TRY { lzf::compress(text).ok() } else { None };
    match packed {
        Some(packed) if packed.len() + 4 <= text.len() => {
            out.push(0xC3);
            put_len(out, packed.len() as u64);
            put_len(out, text.len() as u64);
            out.extend_from_slice(&packed);
        }
        _ => put_str(out, text),
    }
}

/// The value of a text that is exactly how its integer prints: no sign but `-`, no leading zero.
fn canonical_int(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plausible = text.len() <= 20 && digits.first()?.is_ascii_digit() && (digits[0] != b'0' || text == b"0");
    if plausible { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// A listpack under construction.
struct Listpack {
    bytes: Vec<u8>,
    count: u64,
}

impl Listpack {
    fn new() -> Self {
        Self { bytes: vec![0; 6], count: 0 }
    }

    fn of<'a>(elements: impl IntoIterator<Item = &'a Text>) -> Vec<u8> {
        let mut pack = Self::new();
        elements.into_iter().for_each(|element| pack.push(element));
        pack.finish()
    }

    fn push(&mut self, element: &[u8]) {
        match canonical_int(element) {
            Some(n) => self.push_int(n),
            None => self.push_text(element),
        }
    }

    fn push_text(&mut self, text: &[u8]) {
        let start = self.bytes.len();
        match text.len() {
            len @ 0..=63 => self.bytes.push(0x80 | len as u8),
            len @ 64..=4095 => self.bytes.extend_from_slice(&(0xE000 | len as u16).to_be_bytes()),
            len => {
                self.bytes.push(0xF0);
                self.bytes.extend_from_slice(&(len as u32).to_le_bytes());
            }
        }
        self.bytes.extend_from_slice(text);
        self.close_element(start);
    }

    fn push_int(&mut self, n: i64) {
        let start = self.bytes.len();
        let (head, width) = match n {
            0..=127 => (n as u8, 0),
            -4096..=4095 => (0xC0 | (n >> 8) as u8 & 0x1F, 1),
            -0x8000..=0x7FFF => (0xF1, 2),
            -0x80_0000..=0x7F_FFFF => (0xF2, 3),
            -0x8000_0000..=0x7FFF_FFFF => (0xF3, 4),
            _ => (0xF4, 8),
        };
        self.bytes.push(head);
        self.bytes.extend_from_slice(&n.to_le_bytes()[..width]);
        self.close_element(start);
    }

    /// Appends the backlen of the element that began at `start`: its size, readable backwards.
    fn close_element(&mut self, start: usize) {
        let size = self.bytes.len() - start;
        let groups = match size {
            0..=127 => 1,
            128..16_383 => 2,
            16_383..2_097_151 => 3,
            _ => 4,
        };
        for group in (0..groups).rev() {
            let continued = if group + 1 == groups { 0 } else { 0x80 };
            self.bytes.push((size >> (7 * group)) as u8 & 0x7F | continued);
        }
        self.count += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0xFF);
        let total = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
        self.bytes[4..6].copy_from_slice(&(self.count.min(0xFFFF) as u16).to_le_bytes());
        self.bytes
    }
}

fn intset(mut members: Vec<i64>) -> Vec<u8> {
    members.sort_unstable();
    let within = |bits: u32| members.iter().all(|&n| n >> (bits - 1) == n >> 63);
    let width = match (within(16), within(32)) {
        (true, _) => 2,
        (_, true) => 4,
        _ => 8,
    };
    let mut blob = Vec::with_capacity(8 + width * members.len());
    blob.extend_from_slice(&(width as u32).to_le_bytes());
    blob.extend_from_slice(&(members.len() as u32).to_le_bytes());
    members.iter().for_each(|n| blob.extend_from_slice(&n.to_le_bytes()[..width]));
    blob
}

/// A dump being written: bytes gather in `buf`, and leave it in large pieces through the checksum.
struct Dump<W: Write> {
    out: W,
    buf: Vec<u8>,
    digest: Digest,
}

impl<W: Write> Dump<W> {
    const SPILL_AT: usize = 1 << 20;

    /// Begins a dump with all that precedes its keys.
    fn new(out: W, args: &Args, used_mem: u64, keys: u64, expiring: u64) -> Self {
        let mut buf = format!("REDIS{:04}", args.rdb_version).into_bytes();
        let server = match args.rdb_version {
            9 => "6.2.14",
            10 => "7.0.15",
            11 => "7.2.6",
            _ => "7.4.2",
        };
        for (name, text) in [
            ("redis-ver", server),
            ("redis-bits", "64"),
            ("ctime", &args.ctime.to_string()),
            ("used-mem", &used_mem.to_string()),
            ("aof-base", "0"),
        ] {
            buf.push(rdb::OP_AUX);
            put_raw(&mut buf, name.as_bytes());
            put_str(&mut buf, text.as_bytes());
        }
        buf.extend_from_slice(&[rdb::OP_SELECTDB, 0, rdb::OP_RESIZEDB]);
        put_len(&mut buf, keys);
        put_len(&mut buf, expiring);
        Self { out, buf, digest: Digest::new(CrcAlgorithm::Crc64Redis) }
    }

    /// Lets go of the gathered bytes if they are many. To be called now and then.
    fn checkpoint(&mut self) -> io::Result<()> {
        if self.buf.len() < Self::SPILL_AT { Ok(()) } else { self.spill() }
    }

    fn spill(&mut self) -> io::Result<()> {
        self.digest.update(&self.buf);
        self.out.write_all(&self.buf)?;
        self.buf.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.buf.push(rdb::OP_EOF);
        self.spill()?;
        self.out.write_all(&self.digest.finalize().to_le_bytes())?;
        self.out.flush()
    }
}

// ------------------------------------------------------------------------------------------- logical values

/// A key with all that the dump holds of it.
struct Record {
    key: Text,
    value: Value,
    /// Absolute, in unix milliseconds.
    expire_ms: Option<u64>,
    /// LFU counter.
    freq: Option<u8>,
}

/// A value as a client sees it.
enum Value {
    Str(Text),
    /// A string known not to compress.
    Blob(Text),
    List(Vec<Text>),
    Set(Vec<Text>),
    /// Member and score.
    Zset(Vec<(Text, f64)>),
    /// Field, value, and when the field expires in unix milliseconds (0: never).
    Hash(Vec<(Text, Text, u64)>),
    Stream(Stream),
}

struct Stream {
    /// By ascending ID, the deleted ones included.
    entries: Vec<Entry>,
    /// Entries that were added once and have been trimmed.
    trimmed: u64,
    groups: Vec<Group>,
}

struct Entry {
    ms: u64,
    seq: u64,
    /// Values of [`Stream::FIELDS`]: of all but the last one, or of all.
    values: Vec<Text>,
    deleted: bool,
}

struct Group {
    name: &'static str,
    /// Entries delivered so far, at least one.
    read: usize,
    /// In the order of their names.
    consumers: &'static [&'static str],
    /// Indices of entry and consumer, by ascending entry.
    pending: Vec<(usize, usize)>,
}

/// Longest collection, and longest element, that the server keeps in a listpack.
const LISTPACK_ENTRIES: usize = 128;
const LISTPACK_ELEMENT: usize = 64;
const INTSET_ENTRIES: usize = 512;
/// Largest node of a quicklist (`list-max-listpack-size -2`), less the framing of listpack and element.
const QUICKLIST_NODE: usize = 8192 - 16;
const STREAM_NODE_ENTRIES: usize = 100;

/// Whether a collection may be a listpack.
fn packs<'a>(count: usize, mut elements: impl Iterator<Item = &'a Text>) -> bool {
    count <= LISTPACK_ENTRIES && elements.all(|element| element.len() <= LISTPACK_ELEMENT)
}

impl Record {
    /// Writes the key, its value in the encoding that a server of that RDB version would have chosen.
    fn put(&self, out: &mut Vec<u8>, version: u8) {
        if let Some(ms) = self.expire_ms {
            out.push(rdb::OP_EXPIRETIME_MS);
            out.extend_from_slice(&ms.to_le_bytes());
        }
        if let Some(freq) = self.freq {
            out.extend_from_slice(&[rdb::OP_FREQ, freq]);
        }
        match &self.value {
            Value::Str(text) => put_packed(self.begin(out, rdb::STRING), text),
            Value::Blob(bytes) => put_raw(self.begin(out, rdb::STRING), bytes),
            Value::List(elements) => put_quicklist(self.begin(out, rdb::LIST_QUICKLIST_2), elements),
            Value::Set(members) => self.put_set(out, members, version),
            Value::Zset(members) => self.put_zset(out, members),
            Value::Hash(fields) => self.put_hash(out, fields),
            Value::Stream(stream) if version == 10 => stream.put(self.begin(out, rdb::STREAM_LISTPACKS_2), false),
            Value::Stream(stream) => stream.put(self.begin(out, rdb::STREAM_LISTPACKS_3), true),
        }
    }

    /// Writes type and key, and hands back the place for the value.
    fn begin<'a>(&self, out: &'a mut Vec<u8>, type_byte: u8) -> &'a mut Vec<u8> {
        out.push(type_byte);
        put_str(out, &self.key);
        out
    }

    fn put_set(&self, out: &mut Vec<u8>, members: &[Text], version: u8) {
        let ints: Option<Vec<i64>> = members.iter().map(|member| canonical_int(member)).collect();
        match ints {
            Some(ints) if ints.len() <= INTSET_ENTRIES => put_packed(self.begin(out, rdb::SET_INTSET), &intset(ints)),
            _ if version >= 11 && packs(members.len(), members.iter()) => {
                put_packed(self.begin(out, rdb::SET_LISTPACK), &Listpack::of(members));
            }
            _ => {
                put_len(self.begin(out, rdb::SET), members.len() as u64);
                members.iter().for_each(|member| put_str(out, member));
            }
        }
    }

    fn put_zset(&self, out: &mut Vec<u8>, members: &[(Text, f64)]) {
        let mut ascending: Vec<_> = members.iter().collect();
        ascending.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
        if packs(members.len(), members.iter().map(|(member, _)| member)) {
            let mut pack = Listpack::new();
            for (member, score) in ascending {
                pack.push(member);
                pack.push(score.to_string().as_bytes()); // an integer entry if there is no fraction, as in the server
            }
            put_packed(self.begin(out, rdb::ZSET_LISTPACK), &pack.finish());
        } else {
            put_len(self.begin(out, rdb::ZSET_2), members.len() as u64);
            for (member, score) in ascending.into_iter().rev() {
                put_str(out, member);
                out.extend_from_slice(&score.to_le_bytes());
            }
        }
    }

    fn put_hash(&self, out: &mut Vec<u8>, fields: &[(Text, Text, u64)]) {
        let small = packs(fields.len(), fields.iter().flat_map(|(name, value, _)| [name, value]));
        let first_expiry = fields.iter().map(|field| field.2).filter(|&ms| ms > 0).min();
        let out = self.begin(
            out,
            match (small, first_expiry) {
                (true, None) => rdb::HASH_LISTPACK,
                (false, None) => rdb::HASH,
                (true, Some(_)) => rdb::HASH_LISTPACK_EX,
                (false, Some(_)) => rdb::HASH_METADATA,
            },
        );
        if let Some(first) = first_expiry {
            out.extend_from_slice(&first.to_le_bytes());
        }
        if small {
            let mut by_expiry: Vec<_> = fields.iter().collect();
            by_expiry.sort_by_key(|field| field.2.wrapping_sub(1)); // the lasting ones at the end
            let mut pack = Listpack::new();
            for (name, value, expire_ms) in by_expiry {
                pack.push(name);
                pack.push(value);
                if first_expiry.is_some() {
                    pack.push_int(*expire_ms as i64);
                }
            }
            put_packed(out, &pack.finish());
        } else {
            put_len(out, fields.len() as u64);
            for (name, value, expire_ms) in fields {
                if let Some(first) = first_expiry {
                    put_len(out, if *expire_ms > 0 { expire_ms - first + 1 } else { 0 });
                }
                put_str(out, name);
                put_str(out, value);
            }
        }
    }

    /// Roughly what the key takes of a server's memory: its contents, and a constant for itself and each element.
    fn memory(&self) -> u64 {
        let sizes = |texts: &[Text], each| texts.iter().map(|text| text.len() as u64 + each).sum::<u64>();
        let value = match &self.value {
            Value::Str(text) | Value::Blob(text) => text.len() as u64,
            Value::List(elements) => 150 + sizes(elements, 3),
            Value::Set(members) => 40 + sizes(members, 12),
            Value::Zset(members) if members.len() > LISTPACK_ENTRIES => 110 * members.len() as u64,
            Value::Zset(members) => 20 * members.len() as u64,
            Value::Hash(fields) if fields.len() > LISTPACK_ENTRIES => 60 * fields.len() as u64,
            Value::Hash(fields) => 24 * fields.len() as u64,
            Value::Stream(stream) => 2_000 + 32 * stream.entries.len() as u64,
        };
        90 + self.key.len() as u64 + value + if self.expire_ms.is_some() { 40 } else { 0 }
    }
}

fn put_quicklist(out: &mut Vec<u8>, elements: &[Text]) {
    let mut nodes = Vec::new();
    let mut pack = Listpack::new();
    for element in elements {
        if pack.count > 0 && pack.bytes.len() + element.len() > QUICKLIST_NODE {
            nodes.push(std::mem::replace(&mut pack, Listpack::new()).finish());
        }
        pack.push(element);
    }
    nodes.push(pack.finish());
    put_len(out, nodes.len() as u64);
    for node in &nodes {
        out.push(rdb::NODE_PACKED);
        put_packed(out, node);
    }
}

impl Entry {
    fn raw_id(&self) -> [u8; 16] {
        ((u128::from(self.ms) << 64) | u128::from(self.seq)).to_be_bytes()
    }

    /// Writes the ID as two lengths, 0-0 for no entry.
    fn put_id(out: &mut Vec<u8>, entry: Option<&Self>) {
        put_len(out, entry.map_or(0, |entry| entry.ms));
        put_len(out, entry.map_or(0, |entry| entry.seq));
    }
}

impl Stream {
    const FIELDS: [&str; 4] = ["status", "user", "cents", "retry"];

    /// Order events that end at `end_ms`, read by some groups.
    fn of_orders(rng: &mut Rng, length: u64, end_ms: u64, groups: &[&'static str]) -> Self {
        let mut ms = end_ms - length * 500;
        let mut entries: Vec<Entry> = Vec::new();
        for index in 0..length {
            ms += rng.below(400);
            let seq = entries.last().filter(|last| last.ms == ms).map_or(0, |last| last.seq + 1);
            let status = rng.pick(&["created", "paid", "packed", "shipped"]);
            let mut values = vec![status.into(), number(rng.below(100_000)), number(rng.between(199, 99_999))];
            if rng.one_in(40) {
                values.push(number(rng.between(1, 5)));
            }
            // Node boundaries are multiples of 100: no node loses its first entry, or all.
            entries.push(Entry { ms, seq, values, deleted: index % 50 == 3 });
        }
        let mut group = |&name| {
            let read = rng.between(length.div_ceil(2), length) as usize;
            let consumers = &["worker-1", "worker-2", "worker-3", "worker-4"][..rng.between(1, 4) as usize];
            let unread = entries[..read].iter().enumerate().skip(read.saturating_sub(40)).filter(|(_, e)| !e.deleted);
            let owned = unread.map(|(entry, _)| (entry, rng.below(4 * consumers.len() as u64) as usize));
            let pending = owned.filter(|&(_, consumer)| consumer < consumers.len()).collect();
            Group { name, read, consumers, pending }
        };
        let groups = groups.iter().map(&mut group).collect();
        Self { entries, trimmed: length / 3, groups }
    }

    fn put(&self, out: &mut Vec<u8>, with_active_time: bool) {
        let nodes = self.entries.chunks(STREAM_NODE_ENTRIES);
        put_len(out, nodes.len() as u64);
        for node in nodes {
            put_raw(out, &node[0].raw_id());
            put_packed(out, &Self::node(node));
        }
        put_len(out, self.entries.iter().filter(|entry| !entry.deleted).count() as u64);
        Entry::put_id(out, self.entries.last());
        Entry::put_id(out, self.entries.first());
        Entry::put_id(out, self.entries.iter().rfind(|entry| entry.deleted));
        put_len(out, self.trimmed + self.entries.len() as u64);
        put_len(out, self.groups.len() as u64);
        for group in &self.groups {
            self.put_group(out, group, with_active_time);
        }
    }

    /// The listpack of a node: a master entry with the usual fields, then the entries as differences to it.
    fn node(entries: &[Entry]) -> Vec<u8> {
        const DELETED: i64 = 1;
        const SAME_FIELDS: i64 = 2;
        let usual = &Self::FIELDS[..3];
        let deleted = entries.iter().filter(|entry| entry.deleted).count();
        let mut pack = Listpack::new();
        pack.push_int((entries.len() - deleted) as i64);
        pack.push_int(deleted as i64);
        pack.push_int(usual.len() as i64);
        usual.iter().for_each(|field| pack.push(field.as_bytes()));
        pack.push_int(0);
        for entry in entries {
            let first = pack.count;
            let same_fields = entry.values.len() == usual.len();
            pack.push_int(if same_fields { SAME_FIELDS } else { 0 } | if entry.deleted { DELETED } else { 0 });
            pack.push_int((entry.ms - entries[0].ms) as i64);
            pack.push_int(entry.seq.wrapping_sub(entries[0].seq) as i64);
            if same_fields {
                entry.values.iter().for_each(|value| pack.push(value));
            } else {
                pack.push_int(entry.values.len() as i64);
                for (field, value) in Self::FIELDS.iter().zip(&entry.values) {
                    pack.push(field.as_bytes());
                    pack.push(value);
                }
            }
            pack.push_int((pack.count - first) as i64);
        }
        pack.finish()
    }

    fn put_group(&self, out: &mut Vec<u8>, group: &Group, with_active_time: bool) {
        put_str(out, group.name.as_bytes());
        Entry::put_id(out, Some(&self.entries[group.read - 1]));
        put_len(out, self.trimmed + group.read as u64);
        put_len(out, group.pending.len() as u64);
        for &(entry, _) in &group.pending {
            out.extend_from_slice(&self.entries[entry].raw_id());
            out.extend_from_slice(&(self.entries[entry].ms + 250).to_le_bytes());
            put_len(out, 1 + entry as u64 % 3);
        }
        put_len(out, group.consumers.len() as u64);
        for (index, consumer) in group.consumers.iter().enumerate() {
            let own = group.pending.iter().filter(|(_, owner)| *owner == index);
            let latest = own.clone().next_back().map_or(group.read - 1, |&(entry, _)| entry);
            let active_ms = self.entries[latest].ms + 250;
            put_str(out, consumer.as_bytes());
            out.extend_from_slice(&(active_ms + 500).to_le_bytes());
            if with_active_time {
                out.extend_from_slice(&active_ms.to_le_bytes());
            }
            put_len(out, own.clone().count() as u64);
            own.for_each(|&(entry, _)| out.extend_from_slice(&self.entries[entry].raw_id()));
        }
    }
}

// ---------------------------------------------------------------------------------------------------- kinds

/// The key of that index, in all kinds but `huge` and `cluster`.
fn record(args: &Args, index: u64) -> Record {
    let mut rng = args.rng(index);
    let expire_ms = args.expiry(&mut rng);
    let id = args.scatter(index);
    let (key, value) = match args.kind {
        Kind::Small => small(&mut rng, id, expire_ms.is_some()),
        Kind::Mixed => mixed(&mut rng, id, args),
        Kind::Large => {
            let megabytes = 1 << rng.below(6);
            let words = rng.between(megabytes << 17, megabytes << 18);
            let bytes = (0..words).flat_map(|_| rng.next().to_le_bytes()).collect();
            (format!("blob:video:{id}").into(), Value::Blob(bytes))
        }
        Kind::Lzf => {
            let len = rng.between(10_000, 200_000);
            (format!("archive:{id}:json").into(), Value::Str(rng.json(len)))
        }
        Kind::Patterns => {
            let len = rng.between(12, 28);
            (rng.token(len), Value::Blob(rng.next().to_le_bytes().into()))
        }
        Kind::Huge | Kind::Cluster => unreachable!("has its own function"),
    };
    Record { key, value, expire_ms, freq: None }
}

fn small(rng: &mut Rng, id: u64, expires: bool) -> (Text, Value) {
    let (key, counts) = match (expires, rng.below(70)) {
        (true, 0..66) => (session_name(rng), false),
        (true, _) => (format!("ratelimit:api:{id}:{}", rng.between(1, 4000)), true),
        (false, 0..18) => (format!("user:{id}:profile"), false),
        (false, 18..34) => (format!("cache:page:{:016x}", mix(id)), false),
        (false, 34..54) => (format!("order:2024-{:02}-{:02}:{id}", rng.between(1, 12), rng.between(1, 28)), false),
        (false, 54..60) => (format!("product:{id}:views:total"), true),
        (false, _) => (format!("notification:{id}:settings"), false),
    };
    let len = rng.between(32, 40);
    (key.into(), if counts { Value::Str(number(rng.tail(10, 1_000_000))) } else { Value::Blob(rng.token(len)) })
}

/// `session:` and a version 4 UUID.
fn session_name(rng: &mut Rng) -> String {
    let (a, b) = (rng.next(), rng.next());
    let (a0, a1, a2, b0, b1) = (a >> 32, a >> 16 & 0xFFFF, a & 0xFFF, 0x8000 | b >> 50, b & 0xFFFF_FFFF_FFFF);
    format!("session:{a0:08x}-{a1:04x}-4{a2:03x}-{b0:04x}-{b1:012x}")
}

fn mixed(rng: &mut Rng, id: u64, args: &Args) -> (Text, Value) {
    const LONGEST: u64 = 1 << 13;
    let first = rng.pick(&[0, 1_000_000, 1 << 40]);
    let (key, value) = match rng.below(100) {
        0..10 => (format!("product:{id}:views"), Value::Str(number(rng.tail(10, 1 << 30)))),
        10..24 => (session_name(rng), Value::Blob(rng.token(40))),
        24..50 => (format!("cache:page:{:016x}", mix(id)), Value::Str(rng.tail_json(64, 1 << 17))),
        50..68 => {
            let (count, longest) = (rng.tail(4, LONGEST), rng.pick(&[20, 40, 60, 400]));
            let field_ttl = args.rdb_version >= 12 && rng.one_in(5);
            let field = |index| {
                let value = if rng.one_in(2) { number(rng.below(100_000)) } else { rng.tail_json(12, longest) };
                let expires = field_ttl && rng.one_in(2);
                let expire_ms = if expires { args.ctime_ms() + 1 + rng.below(DAY_MS) } else { 0 };
                (format!("field:{index}").into(), value, expire_ms)
            };
            (format!("user:{id}:profile"), Value::Hash((0..count).map(field).collect()))
        }
        68..73 => (format!("user:{id}:groups"), Value::Set(rng.ids("", first, 6, LONGEST))),
        73..78 => (format!("article:{id}:tags"), Value::Set(rng.ids("tag:", first, 6, LONGEST))),
        78..87 => {
            let (members, divisor) = (rng.ids("player:", first, 6, LONGEST), rng.pick(&[1.0, 100.0]));
            let score = |member| (member, rng.below(1_000_000) as f64 / divisor);
            (format!("leaderboard:{id}"), Value::Zset(members.into_iter().map(score).collect()))
        }
        87..96 => {
            let count = rng.tail(4, LONGEST);
            let element = |_| if rng.one_in(3) { number(rng.below(1 << 40)) } else { rng.tail_json(16, 20_000) };
            (format!("queue:{id}:jobs"), Value::List((0..count).map(element).collect()))
        }
        _ => {
            let groups = &["analytics", "billing", "shipping"][..rng.below(4) as usize];
            let length = rng.tail(20, LONGEST);
            (format!("stream:orders:{id}"), Value::Stream(Stream::of_orders(rng, length, args.ctime_ms(), groups)))
        }
    };
    (key.into(), value)
}

/// Writes one collection of each type.
fn write_huge<W: Write>(dump: &mut Dump<W>, args: &Args) -> io::Result<()> {
    let count = args.keys();
    let mut rng = args.rng(0);
    write_collection(dump, rdb::HASH, "huge:hash", count, |out, index| {
        put_raw(out, format!("user:{:08}", args.scatter(index)).as_bytes());
        put_raw(out, &rng.token(14));
    })?;
    write_collection(dump, rdb::SET, "huge:set", count, |out, index| {
        put_raw(out, format!("{:016x}", mix(index)).as_bytes());
    })?;
    write_collection(dump, rdb::ZSET_2, "huge:zset", count, |out, index| {
        put_raw(out, format!("player:{:08}", args.scatter(index)).as_bytes());
        out.extend_from_slice(&((count - index) as f64 / 2.0).to_le_bytes());
    })?;
    /// Elements of 14 bytes, 16 with their framing, in a node of 8 KB.
    const PER_NODE: u64 = 511;
    write_collection(dump, rdb::LIST_QUICKLIST_2, "huge:list", count.div_ceil(PER_NODE), |out, node| {
        let mut pack = Listpack::new();
        for _ in 0..PER_NODE.min(count - node * PER_NODE) {
            pack.push_text(&rng.token(14));
        }
        out.push(rdb::NODE_PACKED);
        put_raw(out, &pack.finish());
    })
}

fn write_collection<W: Write>(
    dump: &mut Dump<W>,
    type_byte: u8,
    key: &str,
    count: u64,
    mut put_element: impl FnMut(&mut Vec<u8>, u64),
) -> io::Result<()> {
    dump.buf.push(type_byte);
    put_raw(&mut dump.buf, key.as_bytes());
    put_len(&mut dump.buf, count);
    for index in 0..count {
        put_element(&mut dump.buf, index);
        dump.checkpoint()?;
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------- cluster

const SLOTS: u64 = 16_384;

/// The slot of a key: CRC-16/XMODEM of its hash tag, or of all of it.
fn slot(key: &[u8]) -> u64 {
    let until = |text: &[u8], byte| text.iter().position(|&b| b == byte);
    let tagged = until(key, b'{').map_or(key, |open| &key[open + 1..]);
    let hashed = match until(tagged, b'}') {
        Some(close @ 1..) if tagged.len() < key.len() => &tagged[..close],
        _ => key,
    };
    let shift = |crc: u16| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
    let crc = hashed.iter().fold(0, |crc, &byte| (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| shift(crc)));
    u64::from(crc) % SLOTS
}

impl Args {
    /// First slot of a node; that of the node past the last is the number of slots.
    fn first_slot(&self, node: u64) -> u64 {
        (node * SLOTS + self.nodes / 2) / self.nodes
    }

    fn owner(&self, key: &[u8]) -> u64 {
        (1..self.nodes).take_while(|&node| self.first_slot(node) <= slot(key)).count() as u64
    }

    /// A name that lands on a node: `base`, or else `base` with a suffix.
    fn name_on(&self, node: u64, base: &str) -> String {
        let numbered = (2..).map(|n| format!("{base}:{n}"));
        let mut names = std::iter::once(base.to_owned()).chain(numbered);
        names.find(|name| self.owner(name.as_bytes()) == node % self.nodes).unwrap_or_default()
    }
}

/// Writes `dump-7001.rdb` and so on, and `nodes.conf` as that of the first node, into the output directory. The
/// dumps have no slot hints (SLOT_INFO), which servers write from RDB 12 on and readers do without.
fn write_cluster(args: &Args) -> io::Result<()> {
    let missing = || io::Error::new(io::ErrorKind::InvalidInput, "cluster needs a directory: -o DIR");
    let dir = args.output.as_ref().ok_or_else(missing)?;
    fs::create_dir_all(dir)?;
    let mut nodes: Vec<Vec<Record>> = (0..args.nodes).map(|_| Vec::new()).collect();
    let everyday = (0..args.keys()).map(|index| everyday_record(args, index));
    for record in everyday.chain(landmarks(args)) {
        nodes[args.owner(&record.key) as usize].push(record);
    }
    for records in &mut nodes {
        // In no order, as a hash table has them.
        records.sort_by_cached_key(|record| record.key.iter().fold(0, |hash, &byte| mix(hash ^ u64::from(byte))));
    }
    let mut conf = String::new();
    for (node, records) in (0..).zip(&nodes) {
        const EMPTY_SERVER: u64 = 1_900_000;
        let used_mem = EMPTY_SERVER + records.iter().map(Record::memory).sum::<u64>();
        let expiring = records.iter().filter(|record| record.expire_ms.is_some()).count() as u64;
        let port = 7001 + node;
        let file = File::create(dir.join(format!("dump-{port}.rdb")))?;
        let mut dump = Dump::new(file, args, used_mem, records.len() as u64, expiring);
        for record in records {
            record.put(&mut dump.buf, args.rdb_version);
            dump.checkpoint()?;
        }
        dump.finish()?;
        let mut rng = args.rng(!node);
        let mut hex = || format!("{:016x}{:016x}{:08x}", rng.next(), rng.next(), rng.next() as u32);
        let (id, shard) = (hex(), hex());
        let (number, myself) = (node + 1, if node == 0 { "myself," } else { "" });
        let (pong_ms, first, last) = (args.ctime_ms() - 700, args.first_slot(node), args.first_slot(number) - 1);
        conf += &format!("{id} 10.0.0.{number}:{port}@1{port},,tls-port=0,shard-id={shard} {myself}master - 0 ");
        conf += &format!("{pong_ms} {number} connected {first}-{last}\n");
    }
    conf += &format!("vars currentEpoch {} lastVoteEpoch 0\n", args.nodes);
    fs::write(dir.join("nodes.conf"), conf)
}

/// One of the many keys of a web shop.
fn everyday_record(args: &Args, index: u64) -> Record {
    let mut rng = args.rng(index);
    let rng = &mut rng;
    let id = 10_000 + args.scatter(index);
    let (key, value, ttl_percent, ttl_ms) = match rng.below(100) {
        0..14 => (format!("session:{:016x}", mix(id)), Value::Str(rng.token(12)), 100, DAY_MS),
        14..20 => (format!("cache:product:{id}"), Value::Str(rng.json(40)), 60, DAY_MS / 24),
        20..41 => (format!("stats:views:{id}"), Value::Str(number(rng.tail(3, 90_000))), 0, 0),
        41..56 => (format!("rate:{id}"), Value::Str(number(rng.tail(1, 120))), 100, MINUTE_MS),
        56..65 => {
            let products = rng.ids("", 0, 1, 8);
            let line = |product| (product, number(rng.between(1, 4)), 0);
            (format!("cart:{id}"), Value::Hash(products.into_iter().map(line).collect()), 60, 7 * DAY_MS)
        }
        65..73 => (format!("user:{id}:groups"), Value::Set(rng.ids("", 0, 2, 30)), 0, 0),
        73..79 => {
            let relation = rng.pick(&["following", "followers"]);
            (format!("{{user{id}}}.{relation}"), Value::Set(rng.ids("", 10_000, 3, 60)), 0, 0)
        }
        79..83 => {
            let plan = rng.pick(&["free", "pro", "team"]);
            let country = rng.pick(&["DE", "US", "FR", "JP", "BR"]);
            let fields = [("name", rng.token(8)), ("country", country.into()), ("plan", plan.into())];
            let fields = fields.into_iter().map(|(name, value)| (name.into(), value, 0)).collect();
            (format!("user:{id}:profile"), Value::Hash(fields), 0, 0)
        }
        83..88 => (format!("recent:{id}"), Value::List(rng.ids("", 0, 3, 20)), 30, 30 * DAY_MS),
        88..98 => (format!("{{tenant:acme}}:invoice:{id}"), Value::Str(number(rng.below(100_000))), 0, 0),
        98 => (format!("wishlist:{id}"), Value::Set(rng.ids("sku-", 0, 2, 20)), 0, 0),
        _ => {
            let players = rng.between(5, 15);
            (format!("leaderboard:daily:{id}"), Value::Zset(scored(rng, players)), 80, 3 * DAY_MS)
        }
    };
    // One key in fifty was set an hour ago: where TTLs are short it has expired, and is not yet evicted.
    let start_ms = if rng.one_in(50) { args.ctime_ms() - DAY_MS / 24 } else { args.ctime_ms() };
    let expire_ms = (rng.below(100) < ttl_percent).then(|| start_ms + 1 + rng.below(ttl_ms));
    let freq = Some((rng.below(6) + rng.tail(1, 250) - 1) as u8);
    Record { key: key.into(), value, expire_ms, freq }
}

/// Players by name, with integral scores.
fn scored(rng: &mut Rng, count: u64) -> Vec<(Text, f64)> {
    (0..count).map(|player| (format!("player:{player}").into_bytes(), rng.tail(40, 90_000) as f64)).collect()
}

/// The keys that a report should point out: big ones, hot ones, and what else a shop has one of.
fn landmarks(args: &Args) -> Vec<Record> {
    let mut rng = Rng(mix(!args.seed));
    let rng = &mut rng;
    let now = args.ctime_ms();
    let mut records = Vec::new();
    let mut add = |key: &str, value, expire_ms, freq| {
        records.push(Record { key: key.into(), value, expire_ms, freq: Some(freq) });
    };

    // Events come in runs, as a crawler or a sale causes them: big in memory, short on disk.
    let mut event = String::new();
    let events = (0..12_000).map(|_| {
        if event.is_empty() || rng.one_in(15) {
            let page = rng.pick(&["home", "sale", "cart", "checkout"]);
            event = format!(
                "{{\"event\":\"page_view\",\"page\":\"{page}\",\
                \"campaign\":\"winter-sale\",\"source\":\"newsletter-2025-12\"}}"
            );
        }
        event.clone().into()
    });
    let events: Vec<Text> = events.collect();
    add(&args.name_on(1, "queue:analytics"), Value::List(events), None, 212);

    let levels = (1..=11_000).map(|product| (number(product), number(rng.below(120)), 0)).collect();
    add(&args.name_on(2, "inventory:levels"), Value::Hash(levels), None, 187);
    let row = |sku| {
        format!(
            "{{\"sku\":\"SKU-{sku:05}\",\"stock\":true,\"currency\":\"EUR\",\"shipping\":[\"standard\",\"express\"],\
            \"tax\":19,\"description\":\"see catalogue, print edition\"}},\n"
        )
    };
    let export: String = (0..2_300).map(row).collect();
    add(&args.name_on(0, "catalog:export"), Value::Str(export.into_bytes()), Some(now + 2 * DAY_MS), 3);

    add("leaderboard:global", Value::Zset(scored(rng, 400)), None, 248);
    add("leaderboard:weekly:2025-w52", Value::Zset(scored(rng, 100)), Some(now + 5 * DAY_MS), 96);
    let flag = |name: &&str| (name.as_bytes().to_vec(), number(rng.below(2)), 0);
    let flags = ["checkout-v2", "dark-mode", "express-pay", "recommendations"].iter().map(flag).collect();
    add("config:feature-flags", Value::Hash(flags), None, 255);
    add("{user1000}.following", Value::Set(rng.ids("", 10_000, 150, 300)), None, 71);
    add("{user1000}.followers", Value::Set(rng.ids("", 10_000, 600, 900)), None, 133);
    add("lock:reindex", Value::Str(rng.token(20)), Some(now + MINUTE_MS), 9);
    for (name, length, groups, freq) in [
        ("stream:orders", 320, &["analytics", "billing", "shipping"][..], 201),
        ("stream:returns", 90, &["billing"], 44),
        ("stream:audit", 150, &[], 18),
    ] {
        add(name, Value::Stream(Stream::of_orders(rng, length, now, groups)), None, freq);
    }
    records
}

// ----------------------------------------------------------------------------------------------------- main

fn write_dump(args: &Args) -> io::Result<()> {
    let out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(io::stdout().lock()),
    };
    const EMPTY_SERVER: u64 = 1_000_000;
    let used_mem = EMPTY_SERVER + args.keys() * args.profile().key_memory;
    let keys = if args.kind == Kind::Huge { 4 } else { args.keys() };
    let mut dump = Dump::new(out, args, used_mem, keys, args.expiring());
    if args.kind == Kind::Huge {
        write_huge(&mut dump, args)?;
    } else {
        for index in 0..args.keys() {
            record(args, index).put(&mut dump.buf, args.rdb_version);
            dump.checkpoint()?;
        }
    }
    dump.finish()
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.rdb_version < 10 && matches!(args.kind, Kind::Mixed | Kind::Huge | Kind::Cluster) {
        eprintln!("generate: --rdb-version 9 has no listpacks, which this kind of dump needs");
        return ExitCode::FAILURE;
    }
    let written = if args.kind == Kind::Cluster { write_cluster(&args) } else { write_dump(&args) };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough, as in `generate small | head -c 1000`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::FAILURE
        }
    }
}
