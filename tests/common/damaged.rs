//! Small dumps, each with one thing wrong that a server refuses or ought to: what it is, and what is to be found.

use rdbscope::rdb::FaultKind;

use super::*;

/// Where a fault is to be found.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// In the value of the key `damaged`.
    Value(FaultKind),
    /// Between the keys.
    Item(FaultKind),
    /// The key `before` comes again.
    RepeatedKey,
    /// So that the dump ends there.
    End(FaultKind),
    /// In the checksum.
    Checksum,
    /// Behind the end.
    Trailing,
}

/// What Redis 7.0 makes of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// `redis-check-rdb` refuses it, and so does the server with `sanitize-dump-payload yes`.
    Refused,
    /// `redis-check-rdb` refuses it, the server leaves the key out.
    LeftOut,
    /// Only the server refuses it.
    ByServer,
    /// Both take it: no server writes such a thing, and the value answers wrongly.
    Taken,
    /// It cannot be asked: the format is of a later server.
    Later,
}

/// A dump with one thing wrong.
#[derive(Debug)]
pub struct Damaged {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub found: Found,
    pub oracle: Oracle,
}

/// A dump whose key `damaged` has this value, between two sound keys.
fn with_value(magic: &str, kind: u8, value: &[u8]) -> Vec<u8> {
    Rdb::new(magic).select(0).string("before", "v").key(kind, "damaged").raw(value).string("after", "v").end()
}

/// `blob` as a string.
fn blob(blob: impl AsRef<[u8]>) -> Vec<u8> {
    string(blob.as_ref())
}

/// `bytes` with some of them replaced.
fn put(mut bytes: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

/// An ID of a stream as its raw bytes.
fn id(ms: u64, seq: u64) -> Vec<u8> {
    [ms.to_be_bytes(), seq.to_be_bytes()].concat()
}

/// Elements of a stream's node with the entries `n`-0 for each `n` of `ms` beyond 5: one field `f` with value `v`.
fn node(ms: &[i64]) -> Vec<Entry> {
    let mut node = vec![i(ms.len() as i64), i(0), i(1), s("f"), i(0)];
    for ms in ms {
        node.extend([i(2), i(*ms), i(0), s("v"), i(4)]); // same fields, deltas, value, three elements and one value
    }
    node
}

/// Groups of a stream, in the layout of 5.0: name, pending entries, and consumers with theirs.
type Group<'a> = (&'a str, &'a [u64], &'a [(&'a str, &'a [u64])]);

/// A stream of Redis 7.0 (type 19) with nodes by their first ID.
struct Stream<'a> {
    nodes: Vec<(Vec<u8>, Vec<u8>)>,
    length: u64,
    last: u64,
    max_deleted: u64,
    added: u64,
    groups: &'a [Group<'a>],
}

impl Stream<'_> {
    /// With the entries 5-0 and 7-0 in one node.
    fn sound() -> Self {
        Stream::of(node(&[0, 2]))
    }

    fn of(elements: Vec<Entry>) -> Self {
        let nodes = vec![(id(5, 0), listpack(&elements))];
        Stream { nodes, length: 2, last: 7, max_deleted: 0, added: 2, groups: &[] }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Rdb(Vec::new()).len(self.nodes.len() as u64);
        for (key, listpack) in &self.nodes {
            out = out.str(key).str(listpack);
        }
        out = out.len(self.length).len(self.last).len(0).len(5).len(0).len(self.max_deleted).len(0).len(self.added);
        out = out.len(self.groups.len() as u64);
        for (name, pending, consumers) in self.groups {
            out = out.str(name).len(7).len(0).len(2).len(pending.len() as u64);
            for ms in *pending {
                out = out.raw(&id(*ms, 0)).raw(&[0; 8]).len(1);
            }
            out = out.len(consumers.len() as u64);
            for (name, pending) in *consumers {
                out = out.str(name).raw(&[0; 8]).len(pending.len() as u64);
                for ms in *pending {
                    out = out.raw(&id(*ms, 0));
                }
            }
        }
        out.0
    }
}

/// A sound dump with a stream, groups and pending entries, built by what builds the damaged ones.
pub fn sound_stream() -> Vec<u8> {
    let groups: &[Group<'_>] = &[("a", &[5, 7], &[("x", &[5]), ("y", &[7])]), ("b", &[], &[])];
    with_value("REDIS0010", 19, &Stream { groups, ..Stream::sound() }.bytes())
}

/// All of them.
pub fn damaged() -> Vec<Damaged> {
    let mut all = Vec::new();
    let mut add = |name, bytes, found, oracle| all.push(Damaged { name, bytes, found, oracle });
    packed_blobs(&mut add);
    members(&mut add);
    lists_and_strings(&mut add);
    streams(&mut add);
    stream_groups(&mut add);
    field_expiries(&mut add);
    whole_dumps(&mut add);
    all
}

type Add<'a> = &'a mut dyn FnMut(&'static str, Vec<u8>, Found, Oracle);

fn packed_blobs(add: Add<'_>) {
    use FaultKind::*;
    use Oracle::*;
    let (listpack_, ziplist_, intset_, zipmap_) = ("listpack", "ziplist", "intset", "zipmap");
    let mut value = |name, kind, bytes: Vec<u8>, fault, oracle| {
        add(name, with_value("REDIS0010", kind, &blob(bytes)), Found::Value(fault), oracle);
    };
    // A hash {a: 5}: 12 bytes, 2 entries, a string of one byte and its length, the integer 5 and its length, end.
    let lp = || b"\x0c\0\0\0\x02\0\x81a\x02\x05\x01\xff".to_vec();
    let claims = |claimed| BlobHeader { what: listpack_, claimed, actual: 12 };
    value("listpack total", 16, put(lp(), 0, b"\x0d"), claims(13), Refused);
    value("listpack count", 16, put(lp(), 4, b"\x04"), BlobCount { what: listpack_, claimed: 4, actual: 2 }, Refused);
    value("listpack backlen", 16, put(lp(), 8, b"\x03"), BlobBacklen { what: listpack_ }, Refused);
    value("listpack integer's backlen", 16, put(lp(), 10, b"\x02"), BlobBacklen { what: listpack_ }, Refused);
    value("listpack code", 16, put(lp(), 6, b"\xf5"), BlobEntry { what: listpack_, byte: 0xf5 }, Refused);
    value("listpack end", 16, put(lp(), 9, b"\xff"), BlobEnd { what: listpack_ }, Refused);
    value("listpack without end", 16, put(lp(), 11, b"\x01"), BlobBacklen { what: listpack_ }, Refused);
    value("listpack short", 16, lp()[..6].to_vec(), BlobHeader { what: listpack_, claimed: 7, actual: 6 }, Refused);
    let odd = |what| OddEntries { what, entries: 3 };
    value("hash listpack odd", 16, listpack(&[s("a"), s("b"), s("c")]), odd(listpack_), Refused);
    value("zset listpack odd", 17, listpack(&[s("a"), i(1), s("c")]), odd(listpack_), Refused);
    value("hash ziplist odd", 13, ziplist(&[s("a"), s("b"), s("c")]), odd(ziplist_), Refused);

    // A list [a, 5, 1000]: 20 bytes, the last entry at 15, 3 entries.
    let zl = || b"\x14\0\0\0\x0f\0\0\0\x03\0\x00\x01a\x03\xf6\x02\xc0\xe8\x03\xff".to_vec();
    let tail = |claimed| BlobTail { what: ziplist_, claimed, actual: 15 };
    value("ziplist total", 10, put(zl(), 0, b"\x13"), BlobHeader { what: ziplist_, claimed: 19, actual: 20 }, Refused);
    value("ziplist tail", 10, put(zl(), 4, b"\x0d"), tail(13), Refused);
    value("ziplist tail outside", 10, put(zl(), 4, b"\xff"), tail(255), Refused);
    value("ziplist count", 10, put(zl(), 8, b"\x02"), BlobCount { what: ziplist_, claimed: 2, actual: 3 }, Refused);
    value("ziplist prevlen", 10, put(zl(), 13, b"\x04"), BlobEntry { what: ziplist_, byte: 4 }, Refused);
    value("ziplist code", 10, put(zl(), 14, b"\xc1"), BlobEntry { what: ziplist_, byte: 3 }, Refused);
    value("ziplist end", 10, put(zl(), 13, b"\xff"), BlobEnd { what: ziplist_ }, Refused);
    let empty_tail = BlobTail { what: ziplist_, claimed: 11, actual: 10 };
    value("empty ziplist's tail", 13, b"\x0b\0\0\0\x0b\0\0\0\0\0\xff".to_vec(), empty_tail, Refused);

    // {1, 2}: two bytes each, two of them.
    let is = || b"\x02\0\0\0\x02\0\0\0\x01\0\x02\0".to_vec();
    let order = Order { what: "members of an intset" };
    value("intset order", 11, put(is(), 8, b"\x03"), order, Refused);
    value("intset twice", 11, put(is(), 8, b"\x02"), order, Refused);
    value("intset width", 11, put(is(), 0, b"\x03"), BlobEntry { what: intset_, byte: 3 }, Refused);
    let long = BlobHeader { what: intset_, claimed: 14, actual: 12 };
    value("intset count", 11, put(is(), 4, b"\x03"), long, Refused);
    value("intset empty", 11, b"\x02\0\0\0\0\0\0\0".to_vec(), EmptyBlob { what: intset_ }, Refused);

    // {foo: bar}: one field, each with its length, a value with no spare bytes.
    let zm = || b"\x01\x03foo\x03\0bar\xff".to_vec();
    value("zipmap count", 9, put(zm(), 0, b"\x02"), BlobCount { what: zipmap_, claimed: 2, actual: 1 }, Refused);
    value("zipmap count 255", 9, put(zm(), 0, b"\xff"), BlobCount { what: zipmap_, claimed: 255, actual: 1 }, Refused);
    value("zipmap field too long", 9, put(zm(), 1, b"\x20"), BlobEntry { what: zipmap_, byte: 0x20 }, Refused);
    value("zipmap empty", 9, b"\0\xff".to_vec(), EmptyBlob { what: zipmap_ }, Refused);
    let wide = b"\x01\x03foo\xfe\x03\0\0\0\0bar\xff".to_vec();
    value("zipmap short length in long form", 9, wide, BlobEntry { what: zipmap_, byte: 3 }, Refused);
}

fn members(add: Add<'_>) {
    use FaultKind::*;
    use Oracle::*;
    let mut value = |name, kind, bytes: Vec<u8>, fault, oracle| {
        add(name, with_value("REDIS0010", kind, &bytes), Found::Value(fault), oracle);
    };
    // The first member stands behind the number of members: 9 of magic, 2 of SELECTDB, 1 + 7 + 2 of `before`, 1 + 8 of the
    // head of `damaged`.
    let first_at = 9 + 2 + 10 + 9;
    let in_packed = |what| Repeated { what, first_at };
    let plain = |what| Repeated { what, first_at: first_at + 1 };
    value("set member twice", 2, b"\x03\x01a\x01b\x01a".to_vec(), plain("member"), Refused);
    value("set member as text and integer", 2, b"\x03\x015\x01b\xc0\x05".to_vec(), plain("member"), Refused);
    value("hash field twice", 4, b"\x02\x01f\x01v\x01f\x01w".to_vec(), plain("field"), Refused);
    let zset = |score: f64| [b"\x02\x01a".as_slice(), &1f64.to_le_bytes(), b"\x01a", &score.to_le_bytes()].concat();
    value("zset member twice", 5, zset(2.0), plain("member"), Refused);
    value("old zset member twice", 3, b"\x02\x01a\x011\x01a\x012".to_vec(), plain("member"), Refused);
    value("set without members", 2, b"\0".to_vec(), EmptyValue, LeftOut);
    value("hash without fields", 4, b"\0".to_vec(), EmptyValue, LeftOut);
    value("zset without members", 5, b"\0".to_vec(), EmptyValue, LeftOut);
    value("list without elements", 18, b"\0".to_vec(), EmptyValue, LeftOut);
    value("empty hash listpack", 16, blob(listpack(&[])), EmptyValue, LeftOut);
    value("empty zset ziplist", 12, blob(ziplist(&[])), EmptyValue, LeftOut);

    let twice = || [s("a"), s("1"), s("a"), s("2")];
    let zset_twice = || [s("a"), i(1), s("a"), i(2)];
    value("hash listpack twice", 16, blob(listpack(&twice())), in_packed("field"), Refused);
    value("hash ziplist twice", 13, blob(ziplist(&twice())), in_packed("field"), Refused);
    value("hash zipmap twice", 9, blob(zipmap(&[(b"a", b"1"), (b"a", b"2")], 0)), in_packed("field"), Refused);
    value("zset listpack twice", 17, blob(listpack(&zset_twice())), in_packed("member"), Refused);
    value("zset ziplist twice", 12, blob(ziplist(&zset_twice())), in_packed("member"), Refused);

    let nan = |score: &[u8]| [b"\x01\x01a".as_slice(), score].concat();
    value("zset score NaN", 5, nan(&f64::NAN.to_le_bytes()), BadScore, Refused);
    value("old zset score NaN", 3, nan(&[253]), BadScore, Refused);
    value("old zset score no number", 3, nan(b"\x01x"), BadScore, Refused);
    value("packed score NaN", 17, blob(listpack(&[s("a"), s("nan")])), BadScore, Taken);
    value("packed score no number", 17, blob(listpack(&[s("a"), s("x")])), BadScore, Taken);
    let order = Order { what: "scores of a packed sorted set" };
    value("packed scores not in order", 17, blob(listpack(&[s("a"), i(2), s("b"), i(1)])), order, Taken);

    let later = with_value("REDIS0011", 20, &blob(listpack(&[s("a"), s("b"), s("a")])));
    add("set listpack twice", later, Found::Value(in_packed("member")), Later);
}

fn lists_and_strings(add: Add<'_>) {
    use FaultKind::*;
    use Oracle::*;
    let mut value = |name, kind, bytes: Vec<u8>, fault, oracle| {
        add(name, with_value("REDIS0010", kind, &bytes), Found::Value(fault), oracle);
    };
    let node = |container: u8, content: &[u8]| [&[1, container], &blob(content)[..]].concat();
    value("quicklist container", 18, node(3, b"x"), BadContainer { found: 3 }, Refused);
    value("quicklist plain node empty", 18, node(1, b""), EmptyBlob { what: "list node" }, Refused);
    value("quicklist packed node empty", 18, node(2, b""), EmptyBlob { what: "listpack" }, Refused);
    let bad_count = put(listpack(&[s("a")]), 4, b"\x02");
    value("quicklist node", 18, node(2, &bad_count), BlobCount { what: "listpack", claimed: 2, actual: 1 }, Refused);
    let bad_tail = [&[1][..], &blob(put(ziplist(&[s("a")]), 4, b"\x09"))].concat();
    let tail = BlobTail { what: "ziplist", claimed: 9, actual: 10 };
    value("old quicklist node", 14, bad_tail, tail, Refused);
    value("quicklist of empty nodes", 18, node(2, &listpack(&[])), EmptyValue, LeftOut);

    // `a`, then a copy of 11 bytes from one back: 12 bytes. Here from two back.
    let lzf = |distance: u8| vec![0xc3, 5, 12, 0, b'a', 0xe0, 2, distance];
    value("compressed string", 0, lzf(1), LzfBroken { inside: 2 }, Refused);
    value("compressed string of another length", 0, put(lzf(0), 2, b"\x0b"), LzfBroken { inside: 2 }, Refused);
    value("compressed element", 1, [vec![1], lzf(1)].concat(), LzfBroken { inside: 2 }, Refused);
    value("compressed member", 2, [vec![1], lzf(1)].concat(), LzfBroken { inside: 2 }, Refused);
    value("compressed value", 4, [b"\x01\x01f".to_vec(), lzf(1)].concat(), LzfBroken { inside: 2 }, Refused);
}

fn streams(add: Add<'_>) {
    use FaultKind::*;
    use Oracle::*;
    let mut stream = |name, stream: Stream<'_>, fault, oracle| {
        add(name, with_value("REDIS0010", 19, &stream.bytes()), Found::Value(fault), oracle);
    };
    let sound = Stream::sound;
    let with = |at: usize, entry: Entry| {
        let mut elements = node(&[0, 2]);
        elements[at] = entry;
        Stream::of(elements)
    };
    let broken = |expected| BadStreamNode { expected };
    stream(
        "stream node key",
        Stream { nodes: vec![(vec![0; 15], listpack(&node(&[0, 2])))], ..sound() },
        BadStreamKey { length: 15 },
        Refused,
    );
    stream("stream node empty", Stream::of(vec![]), broken("more elements"), Refused);
    let bad = put(listpack(&node(&[0, 2])), 7, b"\x03"); // the length behind the first element
    stream(
        "stream node backlen",
        Stream { nodes: vec![(id(5, 0), bad)], ..sound() },
        BlobBacklen { what: "listpack" },
        Refused,
    );
    stream("stream node's entries no number", with(0, s("x")), broken("the number of entries"), Refused);
    stream("stream node's entries negative", with(0, i(-1)), broken("the number of entries"), Refused);
    let count = |what, claimed, actual| StreamCount { what, claimed, actual };
    stream("stream node's entries too many", with(0, i(3)), count("entries in a node", 3, 2), Refused);
    stream("stream node's entries too few", with(0, i(1)), count("entries in a node", 1, 2), Refused);
    stream("stream node's deleted", with(1, i(1)), count("deleted entries in a node", 1, 0), Refused);
    stream("stream node's fields", with(2, i(0)), broken("a zero behind the names of the fields"), Refused);
    stream("stream node's zero", with(4, i(1)), broken("a zero behind the names of the fields"), Refused);
    stream("stream entry's flags", with(5, s("x")), broken("flags of an entry"), Refused);
    stream("stream entry's milliseconds", with(6, s("x")), broken("milliseconds of an entry"), Refused);
    stream("stream entry's sequence number", with(7, s("x")), broken("sequence number of an entry"), Refused);
    stream("stream entry's elements", with(9, i(5)), broken("the number of an entry's elements"), Refused);
    // Flag 0: fields of its own. What follows the IDs is then their number.
    stream("stream entry's own fields", with(5, i(0)), broken("the number of an entry's fields"), Refused);
    let mut cut = node(&[0, 2]);
    cut.truncate(13);
    stream("stream entry cut", Stream::of(cut), broken("more elements"), Refused);
    // A flag says that the second entry is deleted, the counts do not.
    stream("stream entry deleted", with(10, i(3)), count("deleted entries in a node", 0, 1), Taken);

    let twice = (id(5, 0), listpack(&node(&[0, 2])));
    let order = |what| Order { what };
    stream(
        "stream node twice",
        Stream { nodes: vec![twice.clone(), twice.clone()], length: 4, added: 4, ..sound() },
        order("nodes of a stream"),
        Refused,
    );
    stream("stream entries not in order", Stream::of(node(&[2, 0])), order("entries of a stream"), Taken);
    let later = (id(6, 0), listpack(&node(&[0, 2])));
    stream(
        "stream nodes overlap",
        Stream { nodes: vec![twice, later], length: 4, last: 8, added: 4, ..sound() },
        order("entries of a stream"),
        Taken,
    );
    stream("stream length without nodes", Stream { nodes: vec![], ..sound() }, count("entries", 2, 0), Refused);
    stream("stream length", Stream { length: 1, ..sound() }, count("entries", 1, 2), Taken);
    let bound = |what| StreamBound { what };
    stream("stream last ID", Stream { last: 6, ..sound() }, bound("an entry behind its last ID"), Taken);
    let deleted = bound("a deleted entry behind its last ID");
    stream("stream deleted ID", Stream { max_deleted: 9, ..sound() }, deleted, Taken);
    let added = bound("more entries than it says were ever added");
    stream("stream entries added", Stream { added: 1, ..sound() }, added, Taken);
}

fn stream_groups(add: Add<'_>) {
    use FaultKind::*;
    use Oracle::*;
    let mut groups = |name, groups: &[Group<'_>], fault, oracle| {
        let value = Stream { groups, ..Stream::sound() }.bytes();
        add(name, with_value("REDIS0010", 19, &value), Found::Value(fault), oracle);
    };
    let order = |what| Order { what };
    let pending = |group, consumers| StreamPending { group, consumers };
    groups("stream group twice", &[("a", &[], &[]), ("a", &[], &[])], order("groups of a stream"), Refused);
    groups("stream groups not in order", &[("b", &[], &[]), ("a", &[], &[])], order("groups of a stream"), Taken);
    let consumers = order("consumers of a stream's group");
    groups("stream consumer twice", &[("a", &[], &[("x", &[]), ("x", &[])])], consumers, Refused);
    let twice = order("pending entries of a stream");
    groups("stream pending twice", &[("a", &[5, 5], &[("x", &[5])])], twice, Refused);
    groups("stream consumer's pending twice", &[("a", &[5, 7], &[("x", &[5, 5])])], twice, Refused);
    groups("stream consumer's pending unknown", &[("a", &[5], &[("x", &[7])])], pending(1, 1), Refused);
    groups("stream pending of no consumer", &[("a", &[5, 7], &[("x", &[5])])], pending(2, 1), Refused);
    groups("stream pending of two consumers", &[("a", &[5], &[("x", &[5]), ("y", &[5])])], pending(1, 2), Refused);
    // Found when the next group begins, too.
    groups("stream pending of another group", &[("a", &[5], &[]), ("b", &[5], &[("x", &[5])])], pending(1, 0), Refused);
}

fn field_expiries(add: Add<'_>) {
    use FaultKind::*;
    let mut value = |name, magic, kind, bytes: &[u8], fault| {
        add(name, with_value(magic, kind, bytes), Found::Value(fault), Oracle::Later);
    };
    let at = 1_900_000_000_000;
    let with_earliest = |entries: &[Entry]| [&i64::to_le_bytes(at)[..], &blob(listpack(entries))].concat();
    let order = Order { what: "field expiries of a listpack" };
    let pair = |first, second| with_earliest(&[s("f"), s("v"), i(first), s("g"), s("w"), i(second)]);
    value("field expiries not in order", "REDIS0012", 25, &pair(at + 1, at), order);
    value("field without expiry before one with", "REDIS0012", 25, &pair(0, at), order);
    value("field expiry too late", "REDIS0012", 25, &pair(at, 1 << 48), BadFieldExpiry { found: 1 << 48 });
    let text = with_earliest(&[s("f"), s("v"), s("soon")]);
    value("field expiry no number", "REDIS0012", 25, &text, BadFieldExpiry { found: -1 });
    let twice = with_earliest(&[s("f"), s("v"), i(at), s("f"), s("w"), i(at)]);
    let repeated = Repeated { what: "field", first_at: 9 + 2 + 10 + 9 + 8 };
    value("field with expiry twice", "REDIS0012", 25, &twice, repeated);
    let late = Rdb(Vec::new()).raw(&at.to_le_bytes()).len(1).len(1 << 48).str("f").str("v").0;
    value("field expiry of a table too late", "REDIS0012", 24, &late, BadFieldExpiry { found: at + (1 << 48) - 1 });
    let valkey = Rdb(Vec::new()).len(1).str("f").str("v").raw(&(-2i64).to_le_bytes()).0;
    value("field expiry of Valkey below -1", "VALKEY080", 22, &valkey, BadFieldExpiry { found: -2 });
}

fn whole_dumps(add: Add<'_>) {
    use Oracle::*;
    let dump = || Rdb::new("REDIS0010").select(0).string("before", "v");
    add("key twice", dump().string("after", "v").string("before", "w").end(), Found::RepeatedKey, ByServer);
    // The same name as text and as an integer.
    let integer = Rdb::new("REDIS0010").select(0).string("5", "v").raw(b"\0\xc0\x05\x01w").end();
    add("key twice, as text and integer", integer, Found::RepeatedKey, ByServer);
    add("checksum", dump().end_with(1), Found::Checksum, Refused);
    let trailing = [dump().end(), b"more".to_vec()].concat();
    add("bytes behind the end", trailing, Found::Trailing, Taken);
    let end = |kind| Found::End(kind);
    add("no end", dump().0, end(FaultKind::Truncated { needed: 1 }), Refused);
    add("unknown type", dump().key(8, "k").end(), end(FaultKind::UnknownType { byte: 8 }), Refused);
    add("string encoding", dump().raw(b"\0\x01k\xc4").end(), end(FaultKind::BadStringEncoding { byte: 0xc4 }), Refused);
    let claim = FaultKind::LzfClaim { packed: 1, unpacked: 89 };
    add("compressed claim", dump().raw(b"\0\x01k\xc3\x01\x40\x59\x00").end(), end(claim), Refused);
    add("pre-release module", dump().key(6, "k").end(), end(FaultKind::PreGaModule), Refused);
    let opcode = dump().key(7, "k").len(module_id("test_type", 1)).len(9).len(0).end();
    add("module opcode", opcode, end(FaultKind::BadModuleOpcode { opcode: 9 }), ByServer);

    let item = |kind| Found::Item(kind);
    let aux = Rdb::new("REDIS0010").raw(b"\xfa\x04name\xc3\x05\x0c\0a\xe0\x02\x01").string("before", "v").end();
    add("compressed AUX field", aux, item(FaultKind::LzfBroken { inside: 2 }), Refused);
    let function = |code: &str| Rdb::new("REDIS0010").raw(&[0xf5]).str(code);
    let register = "redis.register_function('f', function() return 1 end)";
    let bad = |expected| item(FaultKind::BadFunction { expected });
    add("function without `#!`", function(register).string("before", "v").end(), bad("`#!` at its start"), ByServer);
    let twice = format!("#!lua name=lib\n{register}");
    let twice = function(&twice).raw(&[0xf5]).str(twice.replace("'f'", "'g'")).string("before", "v").end();
    add("function library twice", twice, bad("a library of another name"), ByServer);
    let old =
        Rdb::new("REDIS0010").raw(&[0xf6]).str("lib").str("LUA").len(0).str("return 1").string("before", "v").end();
    add("function of a release candidate", old, item(FaultKind::PreGaFunction), ByServer);
}
