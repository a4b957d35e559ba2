//! Dumps made by hand, of all that no recorded dump has.

use super::builder::*;

/// The key names that a hostile (or merely careless) application may have used.
pub const HOSTILE_NAMES: [&[u8]; 16] = [
    b"<script>alert(1)</script>",
    b"\"quoted\" and 'single'",
    b"line\nbreak\r\nand\ttab",
    b"=cmd|' /C calc'!A0",
    b"+1+1",
    b"-2",
    b"@SUM(A1:A9)",
    b"\xff\xfe",
    b"\x1b[31mred\x1b[0m",
    b"",
    b"a\xe2\x80\xaeb",
    b"a,b;c",
    b"back\\slash\\x41",
    "gr\u{f6}\u{df}e \u{1f511}".as_bytes(),
    b"nul\0inside",
    b"&amp; </td><img src=x onerror=alert(1)>",
];

/// A dump whose keys have those names, big enough to be listed everywhere: among the biggest, the longest and the patterns.
pub fn hostile() -> Vec<u8> {
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").aux("redis-bits", "64").aux("ctime", "1767225600");
    dump = dump.aux("used-mem", "2000000").aux("<b>aux</b>", "\"><script>alert(2)</script>");
    dump = dump.select(0).resize(HOSTILE_NAMES.len() as u64 + 2, 1);
    for (n, name) in HOSTILE_NAMES.iter().enumerate() {
        dump = dump.string(name, vec![b'v'; 100 + n]);
    }
    dump = dump.expire_ms(1_767_225_700_000);
    dump = dump.key(16, b"<script>:hash").str(listpack(&[s("<i>field</i>"), s("\x1b]0;title\x07"), s("n"), i(7)]));
    dump = dump.key(2, b"set\xc3").len(2).str("<b>").str(b"\xff");
    dump.end()
}

/// A hand-made dump: what it is called, its bytes, and a row per key (see [`Want`]) in the order of the file.
pub struct HandMade {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub keys: Vec<Want>,
}

/// What a row must say: db, key, type, elements, largest element, expiry (ms).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want(pub u64, pub &'static str, pub &'static str, pub u64, pub Option<u64>, pub Option<i64>);

/// Hand-made dumps, whole and sound, of all that no recorded dump has.
pub fn hand_made() -> Vec<HandMade> {
    let mut all = Vec::new();
    let mut add = |name, bytes, keys: &[Want]| all.push(HandMade { name, bytes, keys: keys.to_vec() });
    let w = |key, kind, elements, largest: u64| Want(0, key, kind, elements, Some(largest), None);

    // Redis 1.0 to 2.2: no AUX, no checksum, expiries in seconds, every collection element by element.
    add(
        "rdb1",
        Rdb::new("REDIS0001")
            .select(0)
            .expire_s(2_000_000_000)
            .string("s", "value")
            .key(1, "list")
            .len(3)
            .str("a")
            .str("bb")
            .raw(&[0xc0, 0xf6])
            .key(2, "set")
            .len(2)
            .str("x")
            .str("yyyy")
            .key(3, "zset")
            .len(4)
            .str("m")
            .raw(b"\x031.5")
            .str("inf")
            .raw(&[254])
            .str("minusinf")
            .raw(&[255])
            .str("n")
            .raw(b"\x0217")
            .select(7)
            .key(4, "hash")
            .len(1)
            .str("field")
            .str("v")
            .key(0, "lzf")
            .lzf(&[b'z'; 300])
            .end(),
        &[
            Want(0, "s", "string", 5, Some(5), Some(2_000_000_000_000)),
            w("list", "list", 3, 3),
            w("set", "set", 2, 4),
            w("zset", "zset", 4, 8),
            Want(7, "hash", "hash", 1, Some(5), None),
            Want(7, "lzf", "string", 300, Some(300), None),
        ],
    );
    // Redis 2.4: packed blobs, among them the zipmap with its unused bytes and long lengths.
    let long = vec![b'L'; 300];
    add(
        "rdb2",
        Rdb::new("REDIS0002")
            .select(0)
            .key(9, "zipmap")
            .str(zipmap(&[(b"foo", b"bar"), (b"n", b"12345"), (b"long", &long)], 3))
            .key(10, "list")
            .str(ziplist(&[s("a"), i(5), i(1000), i(-100_000), i(1 << 40), s(&long)]))
            .key(11, "intset")
            .str(intset(&[-5, 1, 300]))
            .key(12, "zset")
            .str(ziplist(&[s("m"), i(1), s("n"), s("2.5")]))
            .key(9, "zipmap-lzf")
            .lzf(&zipmap(&[(b"f", &[b'q'; 200])], 0))
            .end(),
        &[
            w("zipmap", "hash", 3, 300),
            w("list", "list", 6, 300),
            w("intset", "set", 3, 3),
            w("zset", "zset", 2, 1),
            w("zipmap-lzf", "hash", 1, 200),
        ],
    );
    // The development versions of 2.6: expiries in milliseconds, then hashes as ziplists.
    add(
        "rdb3",
        Rdb::new("REDIS0003").expire_ms(1_900_000_000_123).string("s", "v").end(),
        &[Want(0, "s", "string", 1, Some(1), Some(1_900_000_000_123))],
    );
    add(
        "rdb4",
        Rdb::new("REDIS0004").key(13, "h").str(ziplist(&[s("f"), s("value"), s("g"), i(13)])).end(),
        &[w("h", "hash", 2, 5)],
    );
    // The first with a checksum; here and in 6 there is no AUX.
    add("rdb5", Rdb::new("REDIS0005").select(3).string("s", "12").end(), &[Want(3, "s", "string", 2, Some(2), None)]);
    add("empty", Rdb::new("REDIS0006").end(), &[]);
    add("empty-db", Rdb::new("REDIS0011").aux("redis-ver", "7.2.0").select(0).resize(0, 0).select(2).end(), &[]);
    // One ziplist that newer servers cut into several quicklist nodes, and whose count is not known (65535).
    let many: Vec<Entry> = (0..3000).map(|n| s(format!("element-{n:05}"))).collect();
    add("old-list", Rdb::new("REDIS0006").key(10, "l").str(ziplist(&many)).end(), &[w("l", "list", 3000, 13)]);
    let mut unknown_count = listpack(&[s("a"), s("b")]);
    unknown_count[4..6].copy_from_slice(&[0xff, 0xff]);
    add("count-unknown", Rdb::new("REDIS0011").key(20, "s").str(unknown_count).end(), &[w("s", "set", 2, 1)]);
    // Hashes with field expiries as the release candidates of Redis 7.4 wrote them.
    let at = 1_900_000_000_000;
    add(
        "redis-7.4-rc",
        Rdb::new("REDIS0012")
            .aux("redis-ver", "7.4.0")
            .key(22, "meta")
            .len(2)
            .len(at as u64)
            .str("f")
            .str("vv")
            .len(0)
            .str("g")
            .str("w")
            .key(23, "lpex")
            .str(listpack(&[s("f"), s("vvv"), i(at), s("g"), s("w"), i(0)]))
            .end(),
        &[w("meta", "hash", 2, 2), w("lpex", "hash", 2, 3)],
    );
    add(
        "redis-7.4",
        Rdb::new("REDIS0012")
            .aux("redis-ver", "7.4.1")
            .raw(&[0xf4])
            .len(5)
            .len(2)
            .len(0)
            .key(24, "meta")
            .raw(&at.to_le_bytes())
            .len(2)
            .len(6)
            .str("f")
            .str("vv")
            .len(0)
            .str("g")
            .str("w")
            .key(25, "lpex")
            .raw(&at.to_le_bytes())
            .str(listpack(&[s("f"), s("vvv"), i(at), s("g"), s("w"), i(0)]))
            .end(),
        &[w("meta", "hash", 2, 2), w("lpex", "hash", 2, 3)],
    );
    // A stream of Redis 8.6 with a group, a consumer that has an entry pending, and an idempotent producer.
    let id = [&5u64.to_be_bytes()[..], &1u64.to_be_bytes()].concat();
    let ints = [1, 0, 1].map(i).to_vec();
    let node = [ints, vec![s("a"), i(0), i(2), i(0), i(0), s("b"), i(4)]].concat();
    let stream = Rdb::new("REDIS0013").aux("redis-ver", "8.6.0").key(26, "stream").len(1).str(&id).str(listpack(&node));
    let stream = stream.len(1).len(5).len(1).len(5).len(1).len(0).len(0).len(1);
    let stream = stream.len(1).str("g").len(5).len(1).len(1);
    let stream = stream.len(1).raw(&id).raw(&at.to_le_bytes()).len(1);
    let stream = stream.len(1).str("c").raw(&at.to_le_bytes()).raw(&(-1i64).to_le_bytes()).len(1).raw(&id);
    let stream = stream.len(100).len(100).len(1).str("prod1").len(1).str("iid1").len(5).len(1).len(1).len(0);
    add(
        "stream-4",
        stream.string("after", "v").end(),
        &[Want(0, "stream", "stream", 1, None, None), w("after", "string", 1, 1)],
    );
    // Functions of 7.0's release candidates, with and without a description, and of the release.
    add(
        "functions",
        Rdb::new("REDIS0010")
            .raw(&[0xf6])
            .str("lib")
            .str("LUA")
            .len(1)
            .str("what it does")
            .str("return 1")
            .raw(&[0xf6])
            .str("lib2")
            .str("LUA")
            .len(0)
            .str("return 2")
            .raw(&[0xf5])
            .str("#!lua name=lib3\nreturn 3")
            .string("s", "v")
            .end(),
        &[w("s", "string", 1, 1)],
    );
    // Modules: data outside keys before and after them, a value with an item of every kind.
    let id = module_id("test_type", 3);
    add(
        "modules",
        Rdb::new("REDIS0011")
            .raw(&[0xf7])
            .len(id)
            .len(2)
            .len(1)
            .len(5)
            .str("before")
            .len(0)
            .key(7, "m")
            .len(id)
            .len(1)
            .len(u64::MAX)
            .len(2)
            .len(9)
            .len(3)
            .raw(&1.5f32.to_le_bytes())
            .len(4)
            .raw(&2.5f64.to_le_bytes())
            .len(5)
            .str("text")
            .len(0)
            .string("s", "v")
            .raw(&[0xf7])
            .len(id)
            .len(2)
            .len(2)
            .len(0)
            .end(),
        &[Want(0, "m", "test_type", 0, None, None), w("s", "string", 1, 1)],
    );
    // Metadata before a key (Redis 8.6): one class that may be ignored, one that may not.
    add(
        "key-meta",
        Rdb::new("REDIS0013")
            .aux("redis-ver", "8.6.0")
            .expire_ms(at)
            .raw(&[0xf3])
            .len(2)
            .raw(&0x1234_5609u32.to_le_bytes())
            .len(2)
            .len(7)
            .len(0)
            .raw(&0x1234_5608u32.to_le_bytes())
            .len(5)
            .str("x")
            .len(0)
            .string("with", "v")
            .string("without", "vv")
            .end(),
        &[Want(0, "with", "string", 1, Some(1), Some(at)), w("without", "string", 2, 2)],
    );
    // Valkey 9: a running slot import, field expiries, slot info as AUX.
    add(
        "valkey-9",
        Rdb::new("VALKEY080")
            .aux("valkey-ver", "9.0.0")
            .raw(&[0xf3])
            .str([b'j'; 40])
            .len(2)
            .len(0)
            .len(99)
            .len(16383)
            .len(16383)
            .select(0)
            .aux("slot-info", "866,1,0,1")
            .key(22, "hello")
            .len(2)
            .str("f")
            .str("vvv")
            .raw(&at.to_le_bytes())
            .str("g")
            .str("w")
            .raw(&(-1i64).to_le_bytes())
            .end(),
        &[w("hello", "hash", 2, 3)],
    );
    // Redis Enterprise.
    add(
        "enterprise",
        Rdb::new("REDIS0009")
            .raw(&[121])
            .len(12182)
            .raw(&[107])
            .len(12345)
            .string("foo", "v")
            .raw(&[107])
            .len(1)
            .raw(&[249, 7])
            .string("bar", "v")
            .end(),
        &[w("foo", "string", 1, 1), w("bar", "string", 1, 1)],
    );
    // Longer forms than needed, which all readers accept; prefixes in any order and twice.
    add(
        "long-forms",
        Rdb::new("REDIS0011")
            .raw(&[0xfe, 0x80, 0, 0, 0, 1])
            .raw(&[249, 200, 0xfc])
            .raw(&1i64.to_le_bytes())
            .raw(&[0xf8, 0x40, 9])
            .expire_ms(-5)
            .raw(&[0, 0x81, 0, 0, 0, 0, 0, 0, 0, 1, b'k', 0x40, 2, b'v', b'v'])
            .end(),
        &[Want(1, "k", "string", 2, Some(2), Some(-5))],
    );
    all.push(HandMade { name: "hostile", bytes: hostile(), keys: Vec::new() });
    all
}

/// A dump that holds sound keys before and after one whose value is broken inside, but has an end.
pub fn broken_inside() -> Vec<u8> {
    let mut blob = listpack(&[s("a"), s("b")]);
    blob[0] += 9;
    Rdb::new("REDIS0011")
        .aux("redis-ver", "7.2.4")
        .string("before", "v")
        .key(16, "broken")
        .str(blob)
        .string("after", "v")
        .end()
}
