//! Compressed dumps: the same answers as from the plain ones, and no damage unseen.

use std::io::Write as _;
use std::path::Path;

use crate::common::*;

/// Compresses, in one frame.
type Pack = fn(&[u8]) -> Vec<u8>;

/// Every format, with the ending of its files.
const FORMATS: [(&str, Pack); 3] = [("gz", gzip), ("zst", zstd), ("lz4", lz4)];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// With a checksum, as the `zstd` program has it.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// With checksums, as the `lz4` program has them.
fn lz4(bytes: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn small() -> Vec<u8> {
    Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").string("good:1", "v").string("good:2", "vv").end()
}

/// A dump of many spans, with a value that a stream does not keep in memory.
fn large() -> Vec<u8> {
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").aux("ctime", "1767225600").select(0);
    for n in 0..30_000u32 {
        dump = dump.string(format!("session:{n:08x}"), vec![b'x'; (n % 200) as usize]);
    }
    dump = dump.string("giant", vec![b'g'; 10 << 20]);
    for n in 0..1000u32 {
        dump = dump.key(2, format!("tags:{n}")).len(3).str("red").str(format!("{n}")).str("green");
    }
    dump.end()
}

/// The summary, without the path of its dump.
fn summary(done: Done) -> serde_json::Value {
    let mut summary = done.json();
    summary["dumps"][0]["path"] = "".into();
    summary
}

// ---------------------------------------------------------------------------------------------------------- the same

#[test]
fn every_fixture_is_the_same_compressed() {
    let dir = tempfile::tempdir().unwrap();
    for (i, (name, path)) in dumps().iter().enumerate() {
        let bytes = std::fs::read(path).unwrap();
        let plain = write(dir.path(), "dump.rdb", &bytes);
        let (rows, json) = (run(&["keys", arg(&plain)]).expect(0), run(&["--json", arg(&plain)]).expect(0));
        let json = summary(json);
        // Each format has its turn.
        let (ending, pack) = FORMATS[i % 3];
        let packed = write(dir.path(), &format!("dump.rdb.{ending}"), &pack(&bytes));
        let threads = if i % 2 == 0 { "1" } else { "3" };
        let done = run(&["keys", "--threads", threads, arg(&packed)]).expect(0);
        assert!(done.stdout == rows.stdout && done.stderr.is_empty(), "{name}.{ending}: rows");
        let done = run(&["--json", "--threads", threads, arg(&packed)]).expect(0);
        assert_eq!(summary(done), json, "{name}.{ending}: summary");
    }
}

#[test]
fn a_large_dump_is_the_same_compressed_whatever_the_threads() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = large();
    let plain = write(dir.path(), "dump.rdb", &bytes);
    let rows = run(&["keys", arg(&plain)]).expect(0).stdout;
    let json = summary(run(&["--json", arg(&plain)]).expect(0));
    for (ending, pack) in FORMATS {
        // In one frame and in several, cut anywhere.
        let parts: Vec<u8> = bytes.chunks(1_000_003).flat_map(pack).collect();
        for packed in [pack(&bytes), parts] {
            let path = write(dir.path(), &format!("dump.rdb.{ending}"), &packed);
            for threads in ["1", "2", "5"] {
                let done = run(&["keys", "--threads", threads, arg(&path)]).expect(0);
                assert!(done.stdout == rows, "{ending}, {threads} threads: rows");
            }
            assert_eq!(summary(run(&["--json", arg(&path)]).expect(0)), json, "{ending}");
            let piped = run_with_input(&["keys", "dump=-"], &packed).expect(0);
            assert!(piped.stdout == rows, "{ending} from a pipe: rows");
            assert_eq!(summary(run_with_input(&["--json", "dump=-"], &packed).expect(0)), json, "{ending} from a pipe");
        }
    }
}

#[test]
fn what_follows_the_dump_is_said_as_of_a_plain_file() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = [small(), b"*1\r\n$4\r\nPING\r\n".repeat(300_000)].concat();
    let plain = write(dir.path(), "dump.rdb", &bytes);
    let expected = summary(run(&["--json", arg(&plain)]).expect(0));
    assert!(expected["dumps"][0]["notes"].to_string().contains("append-only commands follow"));
    for (ending, pack) in FORMATS {
        let path = write(dir.path(), &format!("dump.rdb.{ending}"), &pack(&bytes));
        assert_eq!(summary(run(&["--json", arg(&path)]).expect(0)), expected, "{ending}");
    }
}

#[test]
fn the_first_bytes_tell_not_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "zstd-in-truth.rdb.gz", &zstd(&small()));
    assert_eq!(run(&["keys", arg(&path)]).expect(0).rows()[0]["node"], "zstd-in-truth");
    let path = write(dir.path(), "plain.rdb.gz", &small());
    assert_eq!(run(&["keys", arg(&path)]).expect(0).rows()[0]["node"], "plain");
}

#[test]
fn directories_and_their_compressed_dumps() {
    let dir = tempfile::tempdir().unwrap();
    for (ending, pack) in FORMATS {
        let dump = Rdb::new("REDIS0011").string(format!("key of {ending}"), "v").end();
        write(dir.path(), &format!("{ending}-node.rdb.{ending}"), &pack(&dump));
    }
    write(dir.path(), "plain-node.rdb", &small());
    write(dir.path(), "notes.gz", &gzip(b"no dump, and not read"));
    let rows = run(&["keys", arg(dir.path())]).expect(0).rows();
    let mut nodes: Vec<&str> = rows.iter().map(|row| row["node"].as_str()).collect();
    nodes.dedup();
    assert_eq!(nodes, ["gz-node", "lz4-node", "plain-node", "zst-node"]);
}

#[test]
fn a_replica_is_recognised_compressed() {
    let folder = fixtures().join("dumps/redis-8.6-cluster");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let names = ["node-27600.rdb", "node-27602.rdb", "node-27605.rdb"];
    let plain: Vec<String> = names.iter().map(|name| arg(&folder.join(name)).to_owned()).collect();
    let expected = run(&[vec!["keys".to_owned()], plain].concat()).expect(0);
    assert!(expected.stderr.contains("same slots and keys"), "{}", expected.stderr);
    for (ending, pack) in FORMATS {
        let pack = |name: &str| write(dir.path(), &format!("{name}.{ending}"), &pack(&read(name)));
        let paths = names.map(pack);
        let done = run(&[&["keys"], &paths.each_ref().map(|path| arg(path))[..]].concat()).expect(0);
        assert_eq!((done.stdout, done.stderr), (expected.stdout.clone(), expected.stderr.clone()), "{ending}");
    }
    // A cut one gives way to the whole one.
    let whole = gzip(&read("node-27602.rdb"));
    let cut = write(dir.path(), "cut.rdb.gz", &whole[..whole.len() - 9]);
    let done = run(&["keys", arg(&cut), arg(&folder.join("node-27605.rdb"))]).expect(4);
    assert!(done.rows().iter().all(|row| row["node"] == "node-27605"), "the whole one counts");
    assert!(done.stderr.contains("gzip data is cut off"), "{}", done.stderr);
}

// ------------------------------------------------------------------------------------------------------------- damage

/// Both doors: a file and a pipe. Gives what each said.
fn both(dir: &Path, packed: &[u8], code: i32) -> [Done; 2] {
    let path = write(dir, "damaged.rdb", packed);
    [run(&["keys", arg(&path)]).expect(code), run_with_input(&["keys", "-"], packed).expect(code)]
}

#[test]
fn every_prefix_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    for (ending, pack) in FORMATS {
        let packed = pack(&small());
        for cut in 4..packed.len() {
            let path = write(dir.path(), "damaged.rdb", &packed[..cut]);
            let done = run(&["keys", arg(&path)]).expect(4);
            assert!(done.stderr.contains("cut off"), "{ending} at {cut}: {}", done.stderr);
            assert!(done.stderr.contains(&format!("at byte {cut} ")), "{ending} at {cut}: {}", done.stderr);
            assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        }
    }
}

#[test]
fn a_changed_byte_is_damage_or_changes_nothing() {
    // Some bytes mean nothing for the dump: a name or a time in the head of gzip. Others make another dump, whose version
    // may be unknown before the checksum of the compressed data is reached.
    let dir = tempfile::tempdir().unwrap();
    let expected = run(&["keys", arg(&write(dir.path(), "damaged.rdb", &small()))]).expect(0);
    for (ending, pack) in FORMATS {
        let packed = pack(&small());
        for at in 4..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 1 << (at % 8);
            let path = write(dir.path(), "damaged.rdb", &changed);
            let done = run(&["keys", arg(&path)]);
            match done.code {
                0 => assert_eq!(done.text(), expected.text(), "{ending}, byte {at}"),
                code => assert!([3, 4, 5].contains(&code), "{ending}, byte {at}: exit {code}"),
            }
            assert!(!done.stderr.contains("panicked"), "{ending}, byte {at}: {}", done.stderr);
        }
    }
}

#[test]
fn what_was_read_before_the_damage_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = large();
    for (ending, pack) in FORMATS {
        let parts: Vec<Vec<u8>> = bytes.chunks(300_000).map(pack).collect();
        let mut broken = parts.concat();
        let at = parts[0].len() + parts[1].len() / 2;
        broken.truncate(at);
        for done in both(dir.path(), &broken, 4) {
            let rows = done.rows().len();
            assert!((1000..30_000).contains(&rows), "{ending}: {rows} rows");
            assert!(done.stderr.contains("cut off"), "{ending}: {}", done.stderr);
        }
        // All of the dump is there, and then rubbish, also where nothing of the dump is left to be read.
        let rubbish = [pack(&small()), b"rubbish".to_vec()].concat();
        for done in both(dir.path(), &rubbish, 4) {
            assert_eq!(done.rows().len(), 2);
            assert!(done.stderr.contains("what follows is not compressed"), "{ending}: {}", done.stderr);
        }
    }
}

#[test]
fn compressed_text_is_no_dump() {
    let dir = tempfile::tempdir().unwrap();
    for (_, pack) in FORMATS {
        for text in [&b"this is no dump at all"[..], b"", &gzip(&small())] {
            for done in both(dir.path(), &pack(text), 3) {
                assert!(done.stderr.contains("RDB"), "{}", done.stderr);
            }
        }
    }
}

#[test]
fn a_cut_dump_that_is_compressed_whole_is_a_cut_dump() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = small();
    for (ending, pack) in FORMATS {
        for done in both(dir.path(), &pack(&bytes[..bytes.len() - 12]), 4) {
            assert!(done.stderr.contains("file ends here"), "{ending}: {}", done.stderr);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded_whatever_is_claimed_or_unpacked() {
    let dir = tempfile::tempdir().unwrap();
    let limited = |packed: &[u8]| {
        let path = write(dir.path(), "hostile.rdb", packed);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -v 400000; exec \"$0\" keys --threads 1 \"$1\"", env!("CARGO_BIN_EXE_rdbscope")]);
        finish(shell.arg(path))
    };
    // A zstd frame that wants a window of 2 GiB.
    let done = limited(&[0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0]).expect(4);
    assert!(done.stderr.contains("zstd data cannot be unpacked: "), "{}", done.stderr);
    // Half a gigabyte of one value, in little.
    let giant = Rdb::new("REDIS0011").key(0, "giant").len(1 << 29).0;
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(&giant).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..512).for_each(|_| encoder.write_all(&zeros).unwrap());
    encoder.write_all(&[0xff, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    let done = limited(&encoder.finish().unwrap()).expect(0);
    assert_eq!(done.rows()[0]["num_elements"], (1u64 << 29).to_string());
}
