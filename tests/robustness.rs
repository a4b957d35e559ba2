//! Bad bytes: every prefix of every fixture, every byte changed, lengths that lie, files that change while they are read.
//!
//! Nothing may panic, hang or allocate on a dump's word. Most of this runs in the process, through the library; a sample goes through
//! the program. Work is bounded by counting what a visitor is told, not by a clock.
//!
//! A large fixture is taken apart into its items: what an item's bytes give depends on nothing before it but the header, so
//! that each is cut and changed with only what follows it. So all prefixes of a dump cost no more than those of its parts.

use std::fs::File;
use std::io::{Read, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::common::work::{everything, items, read_all};
use crate::common::*;
use rdbscope::analyze::Fold;
use rdbscope::error::{DumpError, Exit};
use rdbscope::input::{DumpInput, Source};
use rdbscope::measure::Measured;
use rdbscope::memory::{Allocator, Model, ModelOptions, Server, Thresholds};
use rdbscope::pipeline::{self, Counter, DumpResult, FileFacts, Setup};
use rdbscope::rdb::{Cursor, Header, Item, RdbStr, Reader, SliceCursor, StoredValue, StreamCursor};
use rdbscope::value::{self, Packed, Score, Scratch, StreamFacts, StreamId, Visit};

// --------------------------------------------------------------------------------------------------------------- tools

/// Sums of MEMORY USAGE, and the number of values (or names) that are broken inside.
#[derive(Debug, Default, PartialEq)]
struct Sum {
    memory_bytes: u64,
    broken: u64,
}

impl Fold for Sum {
    fn observe(&mut self, measured: &Measured<'_>, _: &StoredValue<'_>) {
        self.memory_bytes += measured.memory_bytes;
        self.broken += u64::from(measured.fault.is_some());
    }
    fn merge(&mut self, other: Sum) {
        self.memory_bytes += other.memory_bytes;
        self.broken += other.broken;
    }
}

/// Models one server, or whoever wrote the dump. Calls `first` when the header has been read and the first key is next.
struct Plain<F: Fn() + Sync> {
    server: Option<Server>,
    cluster: bool,
    first: F,
}

fn plain() -> Plain<fn()> {
    Plain { server: None, cluster: false, first: || {} }
}

impl<F: Fn() + Sync> Setup<Sum> for Plain<F> {
    fn models(&self, facts: &FileFacts) -> (Model, Vec<Model>) {
        (self.first)();
        let writer = || facts.header.map_or_else(Server::newest, Server::likely_writer);
        let options = ModelOptions {
            server: self.server.unwrap_or_else(writer),
            allocator: Allocator::Jemalloc,
            cluster: self.cluster,
            thresholds: Thresholds::default(),
        };
        (Model::new(options), Vec::new())
    }
    fn now_ms(&self, _: &FileFacts) -> Option<i64> {
        None
    }
    fn fold(&self, _: &FileFacts, _: &dyn Fn() -> Vec<u16>) -> Sum {
        Sum::default()
    }
}

fn stream_dump(bytes: impl Read + Send) -> DumpResult<Sum> {
    stream_dump_as(bytes, &plain())
}

fn stream_dump_as(mut bytes: impl Read + Send, setup: &dyn Setup<Sum>) -> DumpResult<Sum> {
    pipeline::read_stream_dump("test", &mut bytes, setup, None, &Counter::default()).unwrap()
}

/// Runs with one thread, so that the work is all done here.
fn on_one_thread<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(run)
}

// ------------------------------------------------------------------------------------------------------------ prefixes

#[test]
fn every_prefix_ends_in_an_error_at_its_end() {
    for (name, bytes) in everything() {
        let header = Header::parse(&bytes).unwrap();
        for cut in 1..9 {
            let fault = Reader::new(&bytes[..cut]).unwrap_err();
            assert!(fault.kind.is_truncation() && fault.at == cut as u64, "{name} cut at {cut}: {fault:?}");
        }
        let empty = Reader::new(b"").unwrap_err();
        assert!(empty.at == 0 && !empty.kind.is_truncation(), "an empty file is no cut one: {empty:?}");
        for (range, db) in items(&bytes) {
            for cut in range.clone() {
                let reader = Reader::resume(&bytes[range.start..cut], range.start as u64, header, db);
                let (end, broken) = read_all(reader, cut - range.start + 1);
                let fault = end.expect_err("a part of an item is none");
                assert!(fault.kind.is_truncation(), "{name} cut at {cut}: {fault:?}");
                assert_eq!(fault.at, cut as u64, "{name}: {fault:?}");
                assert!(!broken, "{name} cut at {cut}: damage is found where there is none");
            }
        }
    }
}

#[test]
fn every_prefix_through_the_pipeline() {
    on_one_thread(|| {
        for (name, bytes) in everything() {
            // Larger dumps at every 53rd byte: their items are cut everywhere above.
            let step = if bytes.len() < 2500 { 1 } else { 53 };
            for cut in (1..bytes.len()).step_by(step) {
                let result = stream_dump(&bytes[..cut]);
                let error = result.error.unwrap_or_else(|| panic!("{name} cut at {cut} is taken for whole"));
                assert_eq!(error.offset(), Some(cut as u64), "{name}: {error}");
                assert_eq!(error.exit(), Exit::Damaged, "{name} cut at {cut}: {error}");
            }
            let whole = stream_dump(&bytes[..]);
            assert!(whole.error.is_none(), "{name}: {:?}", whole.error);
        }
    });
}

#[test]
fn prefixes_through_the_program() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["redis-7.2", "valkey-9.1-lfu", "redis-2.8-lru"] {
        let bytes = std::fs::read(fixtures().join("dumps").join(format!("{name}.rdb"))).unwrap();
        for part in 1..8 {
            let cut = bytes.len() * part / 8;
            let path = write(dir.path(), "cut.rdb", &bytes[..cut]);
            let done = run(&["--json", arg(&path)]).expect(4);
            assert_eq!(done.json()["dumps"][0]["error_at_byte"], cut, "{name}");
            assert!(done.stderr.contains(&format!("at byte {cut} ")), "{}", done.stderr);
            let piped = run_with_input(&["--json", "-"], &bytes[..cut]).expect(4);
            assert_eq!(piped.json()["totals"], done.json()["totals"], "{name} cut at {cut}");
        }
    }
}

// --------------------------------------------------------------------------------------------------------------- flips

/// Other values for a byte.
fn flips(byte: u8) -> impl Iterator<Item = u8> {
    [byte ^ 1, byte ^ 0x80, byte ^ 0x40, byte.wrapping_add(1), 0, 0xff, 0xc3, 0x81]
        .into_iter()
        .filter(move |other| *other != byte)
}

/// What follows a changed item, so that reading goes on when its end has moved.
const BEHIND: usize = 600;

#[test]
fn every_byte_changed() {
    let mut all = everything();
    all.push(("broken-inside".to_owned(), broken_inside()));
    for (name, bytes) in all {
        let header = Header::parse(&bytes).unwrap();
        // Bytes of large items are mostly those of strings: every 7th then.
        for (range, db) in items(&bytes) {
            let end = (range.end + BEHIND).min(bytes.len());
            let mut part = bytes[range.start..end].to_vec();
            let step = if range.len() < 400 { 1 } else { 7 };
            for at in (0..range.len()).filter(|at| *at < 100 || at % step == 0) {
                let original = part[at];
                // All values where an item begins: opcode, type, length of the name.
                let values: Vec<u8> =
                    if at < 2 && bytes.len() < 2500 { (0..=255).collect() } else { flips(original).collect() };
                for value in values {
                    part[at] = value;
                    let reader = Reader::resume(&part, range.start as u64, header, db);
                    let (end, _) = read_all(reader, part.len());
                    if let Err(fault) = end {
                        let inside = range.start as u64..=(range.start + part.len()) as u64;
                        assert!(
                            inside.contains(&fault.at),
                            "{name}: byte {at} of the item at {} set to {value}: {fault:?}",
                            range.start
                        );
                        assert!(!fault.kind.to_string().is_empty());
                    }
                }
                part[at] = original;
            }
        }
    }
}

#[test]
fn every_byte_changed_through_the_pipeline() {
    on_one_thread(|| {
        for (name, bytes) in everything().into_iter().filter(|(_, bytes)| bytes.len() < 1600) {
            let mut bytes = bytes;
            let step = if bytes.len() < 600 { 1 } else { 5 };
            for at in (0..bytes.len()).step_by(step) {
                let original = bytes[at];
                for value in [original ^ 1, original ^ 0x80, 0xff] {
                    bytes[at] = value;
                    let result = stream_dump(&bytes[..]);
                    let checked = Header::parse(&bytes).is_ok_and(Header::has_checksum);
                    // A checksum makes every change known, except one that turns it off.
                    let off = bytes[bytes.len() - 8..].iter().all(|byte| *byte == 0);
                    if checked && !off && value != original && !name.ends_with("nochecksum") && at >= 9 {
                        assert!(result.error.is_some(), "{name}: byte {at} set to {value} goes unseen");
                    }
                    if let Some(error) = result.error {
                        assert!(!error.to_string().is_empty());
                    }
                }
                bytes[at] = original;
            }
        }
    });
}

#[test]
fn changed_bytes_through_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let sound = std::fs::read(fixtures().join("dumps/redis-7.2-lfu.rdb")).unwrap();
    for at in (0..sound.len()).step_by(sound.len() / 25) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0xff;
        let path = write(dir.path(), "changed.rdb", &bytes);
        let done = run(&["--json", arg(&path)]);
        assert!([3, 4, 5].contains(&done.code), "byte {at}: exit {} {}", done.code, done.stderr);
        assert_eq!(done.json()["complete"], false);
    }
}

// ------------------------------------------------------------------------------------------------- streams and slices

/// Writes down everything that it is told.
#[derive(Default)]
struct Told(Vec<String>);

impl Told {
    fn text(&mut self, what: &str, text: RdbStr<'_>) {
        let mut scratch = Vec::new();
        self.0.push(format!("{what} {:?}", text.bytes(&mut scratch, 1 << 20).map(<[u8]>::to_vec).map_err(|f| f.kind)));
    }
}

impl Visit for Told {
    fn string(&mut self, value: RdbStr<'_>) {
        self.text("string", value);
    }
    fn collection(&mut self, count: u64) {
        self.0.push(format!("collection {count}"));
    }
    fn packed(&mut self, packed: Packed<'_>) {
        self.0.push(format!("{packed:?}"));
    }
    fn plain_node(&mut self, element: RdbStr<'_>) {
        self.text("plain", element);
    }
    fn element(&mut self, element: RdbStr<'_>) {
        self.text("element", element);
    }
    fn score(&mut self, score: Score<'_>) {
        self.0.push(format!("{score:?}"));
    }
    fn field(&mut self, name: RdbStr<'_>) {
        self.text("field", name);
    }
    fn field_value(&mut self, value: RdbStr<'_>) {
        self.text("value", value);
    }
    fn field_expiry(&mut self, at: Option<i64>) {
        self.0.push(format!("expiry {at:?}"));
    }
    fn stream_node(&mut self, first: StreamId, listpack: RdbStr<'_>) {
        self.0.push(format!("{first:?}"));
        self.text("node", listpack);
    }
    fn stream(&mut self, facts: StreamFacts) {
        self.0.push(format!("{facts:?}"));
    }
    fn stream_group(&mut self, name: RdbStr<'_>, pending: u64) {
        self.text(&format!("group {pending}"), name);
    }
    fn stream_pending(&mut self, id: StreamId) {
        self.0.push(format!("pending {id:?}"));
    }
    fn stream_consumer(&mut self, name: RdbStr<'_>, pending: u64) {
        self.text(&format!("consumer {pending}"), name);
    }
    fn stream_consumer_pending(&mut self, id: StreamId) {
        self.0.push(format!("pending of consumer {id:?}"));
    }
    fn stream_producer(&mut self, name: RdbStr<'_>, entries: u64) {
        self.text(&format!("producer {entries}"), name);
    }
    fn stream_idempotent(&mut self, request: RdbStr<'_>) {
        self.text("request", request);
    }
    fn module(&mut self, id: u64) {
        self.0.push(format!("module {id}"));
    }
    fn module_number(&mut self, bits: u64) {
        self.0.push(format!("number {bits}"));
    }
    fn module_string(&mut self, value: RdbStr<'_>) {
        self.text("module string", value);
    }
}

/// Gives a few bytes at a time, as a slow pipe does.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.1 = self.1 * 7 % 11 + 1;
        let n = self.0.len().min(buf.len()).min(self.1);
        buf[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

#[test]
fn a_slow_stream_tells_what_a_slice_tells() {
    for (name, bytes) in everything() {
        let mut reader = Reader::new(&bytes).unwrap();
        let dialect = reader.header().dialect;
        loop {
            let head = match reader.next_item().unwrap() {
                Item::Key(head) => head,
                Item::End { .. } => break,
                _ => continue,
            };
            let value = &bytes[head.value_at as usize..];
            let (mut scratch, mut of_slice, mut of_stream) = (Scratch::default(), Told::default(), Told::default());
            let mut slice = SliceCursor::new(value, head.value_at);
            let a = value::decode(&mut slice, head.kind, dialect, &mut scratch, &mut of_slice);
            let mut drip = Drip(value, 3);
            let mut ignore = |_: &[u8]| {};
            let mut stream = StreamCursor::new(Vec::new(), head.value_at, &mut drip, &mut ignore);
            let b = value::decode(&mut stream, head.kind, dialect, &mut scratch, &mut of_stream);
            assert_eq!((a, slice.offset()), (b, stream.offset()), "{name}: {head:?}");
            assert!(of_slice.0 == of_stream.0, "{name}: {head:?}");
            assert_eq!(a, Ok(None), "{name}: {head:?} is sound");
        }
    }
}

#[test]
fn a_slow_stream_gives_the_same_sums() {
    on_one_thread(|| {
        for (name, bytes) in everything().into_iter().filter(|(_, bytes)| bytes.len() < 10_000) {
            let (slow, fast) = (stream_dump(Drip(&bytes, 5)), stream_dump(&bytes[..]));
            assert_eq!((slow.keys, slow.fold, slow.checksum), (fast.keys, fast.fold, fast.checksum), "{name}");
            assert!(slow.error.is_none(), "{name}");
        }
    });
}

#[test]
fn a_stream_that_fails_is_not_the_end_of_the_dump() {
    struct Failing<'a>(&'a [u8]);
    impl Read for Failing<'_> {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Err(std::io::Error::other("the line was cut"));
            }
            self.0.read(buf)
        }
    }
    let bytes = hostile();
    for cut in [0, 5, 9, 50, bytes.len() - 3] {
        let error = stream_dump(Failing(&bytes[..cut])).error.expect("an error");
        assert!(error.to_string().contains("the line was cut"), "cut at {cut}: {error}");
    }
}

// ---------------------------------------------------------------------------------------------------------------- lies

/// Numbers that no dump of these tests can keep.
const LIES: [u64; 7] = [1 << 20, 1 << 31, 1 << 32, 1 << 40, 1 << 62, u64::MAX - 1, u64::MAX];

/// Dumps that claim far more than they hold.
fn liars() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for n in LIES {
        let dump = || Rdb::new("REDIS0013").aux("redis-ver", "8.6.0").string("before", "v");
        let mut add = |what: &str, bytes: Vec<u8>| all.push((format!("{what} of {n}"), bytes));
        for kind in [0u8, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 26] {
            add(&format!("type {kind}"), dump().key(kind, "liar").len(n).raw(b"\x01a\x01b").0);
        }
        for kind in [24u8, 25] {
            add(&format!("type {kind}"), dump().key(kind, "liar").raw(&[0; 8]).len(n).raw(b"\x01a\x01b").0);
        }
        add("key name", dump().raw(&[0]).len(n).raw(b"k").0);
        add("aux", Rdb::new("REDIS0011").raw(&[0xfa]).len(n).raw(b"k").0);
        add("function", Rdb::new("REDIS0011").raw(&[0xf5]).len(n).raw(b"k").0);
        add("resize", dump().resize(n, n).select(n).resize(n, n).string("k", "v").end());
        add("slot info", Rdb::new("REDIS0013").raw(&[0xf4]).len(n).len(n).len(n).string("k", "v").end());
        add("lzf value", dump().key(0, "liar").raw(&[0xc3]).len(4).len(n).raw(b"\x02abc").end());
        for (kind, rest) in [(1u8, ""), (2, ""), (4, "\x01v"), (5, "12345678"), (22, "\x01v")] {
            let ttl: &[u8] = if kind == 22 { &[0] } else { &[] };
            let dump = dump()
                .key(kind, "liar")
                .len(1)
                .raw(ttl)
                .raw(&[0xc3])
                .len(4)
                .len(n)
                .raw(b"\x02abc")
                .raw(rest.as_bytes());
            add(&format!("lzf element of type {kind}"), dump.end());
        }
        add("lzf blob", dump().key(16, "liar").raw(&[0xc3]).len(4).len(n).raw(b"\x02abc").end());
        add("lzf packed", dump().key(0, "liar").raw(&[0xc3]).len(n).len(n).raw(b"\x02abc").0);
        add("lzf name", dump().raw(&[0, 0xc3]).len(4).len(n).raw(b"\x02abc").str("v").end());
        add("plain node", dump().key(18, "liar").len(1).len(1).len(n).raw(b"x").0);
        add("module string", dump().key(7, "liar").len(module_id("test_type", 1)).len(5).len(n).raw(b"x").0);
        add(
            "vector set",
            dump().key(7, "liar").len(module_id("vectorset", 0)).len(2).len(n).len(2).len(n).len(0).end(),
        );
        let stream = || dump().key(21, "liar").len(0).len(0).len(0).len(0).len(0).len(0).len(0).len(0).len(0);
        add("groups", stream().len(n).str("g").0);
        add("pending", stream().len(1).str("g").len(0).len(0).len(0).len(n).raw(&[0; 40]).0);
        add("consumers", stream().len(1).str("g").len(0).len(0).len(0).len(0).len(n).str("c").0);
        add(
            "consumer's",
            stream().len(1).str("g").len(0).len(0).len(0).len(0).len(1).str("c").raw(&[0; 16]).len(n).raw(&[0; 40]).0,
        );
        add("imports", Rdb::new("VALKEY080").raw(&[0xf3]).str([b'j'; 40]).len(n).len(1).len(2).0);
        add("metadata", dump().raw(&[0xf3]).len(n).raw(&[0; 9]).0);
        for format in ["ziplist", "listpack", "intset"] {
            let mut blob = vec![0xff; 16];
            blob[..4].copy_from_slice(&(n as u32).to_le_bytes());
            if format == "intset" {
                blob[..8].copy_from_slice(&[8, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]);
            }
            let kind = match format {
                "ziplist" => 13,
                "listpack" => 16,
                _ => 11,
            };
            add(format, dump().key(kind, "liar").str(&blob).end());
        }
        add(
            "zipmap",
            dump().key(9, "liar").str([&[254u8, 254][..], &(n as u32).to_le_bytes(), &[0xff]].concat()).end(),
        );
    }
    all
}

/// How a lie was taken: whether it was noticed, or the panic that it led to.
fn taken(bytes: &[u8], setup: &dyn Setup<Sum>) -> Result<bool, String> {
    let attempt = || {
        let _ = read_all(Reader::new(bytes).unwrap(), bytes.len());
        let result = stream_dump_as(bytes, setup);
        result.error.is_some() || result.fold.broken > 0
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        text.unwrap_or("panic").to_owned()
    })
}

/// Does `work` on a thread of its own, so that what never ends is seen to.
fn without_hanging<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(on_one_thread(work)).ok());
    receiver.recv_timeout(std::time::Duration::from_secs(20)).unwrap_or_else(|_| panic!("{what} does not end"))
}

#[test]
fn lies_end_in_errors() {
    let mut wrong = Vec::new();
    for (name, bytes) in liars() {
        let taken = without_hanging(&name, move || taken(&bytes, &plain()));
        // These are hints, which may be wrong in a sound dump too.
        let hint = name.starts_with("resize") || name.starts_with("slot info");
        // A vector set that holds another number of elements than it says is shown without a number.
        if taken != Ok(!hint) && !name.starts_with("vector set") {
            wrong.push(format!("{name}: {taken:?}"));
        }
    }
    assert!(wrong.is_empty(), "panics, or is believed, or is refused though only a hint:\n{}", wrong.join("\n"));
}

#[test]
fn hints_that_lie_hurt_no_model() {
    let servers = "redis-2.8 redis-3.2 redis-4.0 redis-5.0 redis-6.2 redis-7.0 redis-7.2 redis-7.4 redis-8.0 redis-8.2 \
                   redis-8.6 valkey-7.2 valkey-8.0 valkey-8.1 valkey-9.0";
    let mut wrong = Vec::new();
    for server in servers.split_whitespace() {
        for n in LIES.into_iter().chain([7 << 60, (7 << 60) + 1, 1 << 63, (1 << 63) + 1]) {
            for dump in [
                Rdb::new("REDIS0012").select(0).resize(n, n).expire_ms(1).string("k", "v").string("l", "v").end(),
                Rdb::new("REDIS0012")
                    .select(0)
                    .resize(2, 0)
                    .raw(&[0xf4])
                    .len(7)
                    .len(n)
                    .len(n)
                    .expire_ms(1)
                    .string("k", "v")
                    .end(),
                Rdb::new("REDIS0012")
                    .select(0)
                    .aux("slot-info", &format!("7,{n},{n}"))
                    .expire_ms(1)
                    .string("k", "v")
                    .end(),
            ] {
                for cluster in [false, true] {
                    let setup = Plain { server: Some(server.parse().unwrap()), cluster, first: || {} };
                    let name = format!("{server}, cluster {cluster}, hint {n}");
                    let dump = dump.clone();
                    let taken = without_hanging(&name, move || taken(&dump, &setup));
                    if taken != Ok(false) {
                        wrong.push(format!("{name}: {taken:?}"));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} panics or faults, the first:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
}

/// In 450 MB of address space: what is allocated on a claim of a gigabyte or more would end the program.
#[cfg(target_os = "linux")]
#[test]
fn lies_allocate_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (n, (_, bytes)) in liars().into_iter().enumerate() {
        paths.push(write(dir.path(), &format!("{n:04}.rdb"), &bytes));
    }
    for command in [&["keys"][..], &["--json"]] {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -v 450000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_rdbscope")]);
        let done = finish(shell.args(command).args(["--threads", "1"]).arg(dir.path())).expect(4);
        assert!(!done.stderr.contains("allocation"), "{}", done.stderr);
    }
    // The same from a pipe, a few of them.
    for path in paths.iter().step_by(9) {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -v 450000; exec \"$0\" keys --threads 1 - < \"$1\"", env!("CARGO_BIN_EXE_rdbscope")]);
        let done = finish(shell.arg(path));
        assert!([0, 4].contains(&done.code), "{}: exit {}: {}", path.display(), done.code, done.stderr);
    }
}

// ------------------------------------------------------------------------------------------------ a file that changes

/// What came of a dump of 3,000 keys to which `change` is done when its header has been read, on so many threads.
#[cfg(target_os = "linux")]
fn changed_while_read(threads: usize, change: impl Fn(&Path) + Sync) -> (u64, DumpResult<Sum>) {
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4");
    for n in 0..3000 {
        dump = dump.string(format!("key:{n}"), vec![b'v'; 1000]);
    }
    let bytes = dump.end();
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "changes.rdb", &bytes);
    // A file system has its own idea of how fine times are.
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    File::options().write(true).open(&path).unwrap().set_modified(hour_ago).unwrap();
    let read = |path: &Path, first: &(dyn Fn() + Sync)| {
        let setup = Plain { server: None, cluster: false, first };
        let input = DumpInput { name: "changes".to_owned(), source: Source::File(path.to_owned()) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| pipeline::read_dump(&input, &setup, None, &Counter::default())).unwrap()
    };
    let result = read(&path, &|| change(&path));
    // The next dump is read as if nothing had happened.
    let next = read(&write(dir.path(), "good.rdb", &bytes), &|| ());
    assert!(next.error.is_none() && next.keys == 3000, "{:?}", next.error);
    (bytes.len() as u64, result)
}

/// Nothing of a dump is counted that ended so.
#[track_caller]
fn has_changed(result: &DumpResult<Sum>, says: &str) {
    let error = result.error.as_ref().expect("an error");
    assert!(matches!(error, DumpError::Changed { .. }) && error.to_string().contains(says), "{error}");
    assert_eq!((error.exit(), result.keys, &result.fold), (Exit::Damaged, 0, &Sum::default()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_made_shorter_while_it_is_read() {
    // The last takes less than a page away: no access to it fails.
    for (threads, left) in [(1, 0u64), (1, 4096), (2, 100_000), (4, 1_500_001), (2, u64::MAX)] {
        let left_of = |bytes: u64| left.min(bytes - 100);
        let shorten = |path: &Path| {
            let file = File::options().write(true).open(path).unwrap();
            file.set_len(left_of(file.metadata().unwrap().len())).unwrap();
        };
        let (before, result) = changed_while_read(threads, shorten);
        has_changed(&result, &format!("from {before} to {} bytes", left_of(before)));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_written_to_while_it_is_read() {
    for threads in [1, 2] {
        let write_to = |path: &Path| {
            let file = File::options().write(true).open(path).unwrap();
            file.write_all_at(b"other", 2_000_000).unwrap();
        };
        has_changed(&changed_while_read(threads, write_to).1, "was written to while it was read");
        let append = |path: &Path| File::options().append(true).open(path).unwrap().write_all(b"more").unwrap();
        let (before, result) = changed_while_read(threads, append);
        has_changed(&result, &format!("grew while it was read, from {before} to {} bytes", before + 4));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_replaced_or_removed_while_it_is_read() {
    // The server itself renames a new dump over the old one; the old one is then read to its end.
    let replace = |path: &Path| {
        let other = write(path.parent().unwrap(), "temp-1.rdb", b"REDIS0011 a new dump");
        std::fs::rename(other, path).unwrap();
    };
    let remove = |path: &Path| std::fs::remove_file(path).unwrap();
    for (_, result) in [changed_while_read(1, replace), changed_while_read(2, replace), changed_while_read(2, remove)] {
        assert!(result.error.is_none(), "{:?}", result.error);
        assert_eq!(result.keys, 3000);
    }
}
