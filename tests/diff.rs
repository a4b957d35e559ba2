//! Two states compared: sums, patterns, nodes, slots, largest keys; key by key; splits.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::redis::{Server, has_redis};
use crate::common::*;
use serde_json::Value;

/// A dump of Redis 7.2, saved so many days after another.
fn begin(day: i64) -> Rdb {
    Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").aux("ctime", &(1_767_225_600 + day * 86_400).to_string()).select(0)
}

fn diff(args: &[&str]) -> Value {
    run(&[&["diff", "--json"], args].concat()).expect(0).json()
}

/// The members of the rows of a list, as text.
fn column(list: &Value, member: &str) -> Vec<String> {
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| row[member].as_str().map_or_else(|| row[member].to_string(), str::to_owned)).collect()
}

fn find<'v>(list: &'v Value, member: &str, value: &str) -> &'v Value {
    let rows = list.as_array().unwrap();
    rows.iter().find(|row| row[member] == value).unwrap_or_else(|| panic!("no {value} in {list:#}"))
}

/// Stores the summary of dumps.
fn stored(dir: &Path, name: &str, args: &[&str]) -> PathBuf {
    let (page, json) = (dir.join(format!("{name}.html")), dir.join(format!("{name}.json")));
    let mut command = program();
    finish(command.arg("report").args(args).args(["-o", arg(&page), "--json", arg(&json)])).expect(0);
    json
}

/// Two states of a node: users come, jobs go, a set grows.
fn two_states(dir: &Path) -> (PathBuf, PathBuf) {
    let state = |day, users: u32, members: u64, other: &str| {
        let mut dump = begin(day);
        for n in 0..users {
            dump = dump.string(format!("user:{}:name", 1000 + n), format!("name {n}"));
        }
        dump = dump.key(2, "members").len(members);
        for n in 0..members {
            dump = dump.str(format!("member-{n}"));
        }
        dump.string(other, vec![b'x'; 5000]).end()
    };
    (write(dir, "monday.rdb", &state(0, 60, 500, "job:x")), write(dir, "tuesday.rdb", &state(1, 90, 20_000, "task:y")))
}

#[test]
fn sums_patterns_and_keys_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = two_states(dir.path());
    let found = diff(&[arg(&old), arg(&new)]);
    assert_eq!(found["schema"], "rdbscope-diff/1");
    assert_eq!(found["totals"]["keys"]["old"], 62);
    assert_eq!(found["totals"]["keys"]["change"], 30);
    assert_eq!(found["span_seconds"], 86_400);
    assert_eq!(found["footprint_bytes_per_day"], found["totals"]["footprint_bytes"]["change"]);
    // One node each: they are the same one.
    assert_eq!(found["nodes"][0]["matched_by"], "only");
    let users = find(&found["patterns"], "pattern", "user:*:name");
    assert_eq!((&users["fate"], &users["keys"]["change_per_mille"]), (&"grown".into(), &500.into()));
    assert_eq!(find(&found["patterns"], "pattern", "job:x")["fate"], "gone");
    assert_eq!(find(&found["patterns"], "pattern", "task:y")["fate"], "new");
    assert_eq!(found["types"][0]["name"], "set");
    let members = &found["largest_keys"][0];
    assert_eq!(
        (&members["key"], &members["fate"], &members["certain"]),
        (&"members".into(), &"grown".into(), &true.into())
    );
    assert_eq!((&members["new_severity"], &members["old_severity"]), (&"warning".into(), &Value::Null));
    assert_eq!(members["elements"]["change"], 19_500);
    let text = run(&["diff", arg(&old), arg(&new)]).expect(0).text();
    for part in ["user:*:name", "+30", "+50.0 %", "New patterns", "Gone patterns", "in 1 d: +"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The other way round it is the other way round, and said to be.
    let back = run(&["diff", arg(&new), arg(&old)]).expect(0).text();
    assert!(back.contains("NEW was saved before OLD"), "{back}");
    // Nothing has changed where nothing has.
    let same = diff(&[arg(&old), arg(&old)]);
    for list in ["patterns", "largest_keys", "slots"] {
        assert_eq!(same[list].as_array().unwrap().len(), 0, "{list}");
    }
}

#[test]
fn summaries_give_what_dumps_give() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = two_states(dir.path());
    let (old_json, new_json) = (stored(dir.path(), "old", &[arg(&old)]), stored(dir.path(), "new", &[arg(&new)]));
    let from_dumps = diff(&[arg(&old), arg(&new)]);
    assert_eq!(from_dumps, diff(&[arg(&old_json), arg(&new_json)]));
    assert_eq!(from_dumps, diff(&[arg(&old_json), arg(&new)]));
    assert_eq!(from_dumps, diff(&[arg(&old), arg(&new_json)]));
    for option in [&["--keys"][..], &["--split", "members=member:*"]] {
        let said = run(&[&["diff", arg(&old_json), arg(&new)], option].concat()).expect(2).stderr;
        assert!(said.contains("a summary has no rows of keys"), "{said}");
    }
    // What decides the sums has to be the same; what a summary was made with holds for the dumps of the other side.
    let other = stored(dir.path(), "other", &[arg(&new), "--server", "valkey-8.1"]);
    let said = run(&["diff", arg(&old_json), arg(&other)]).expect(2).stderr;
    assert!(said.contains("`server` is null in one and \"valkey-8.1\" in the other"), "{said}");
    let adopted = diff(&[arg(&old), arg(&other)]);
    assert_eq!(adopted["old"][0]["modelled_as"], "valkey-8.1");
    assert_eq!(adopted["notes"].as_array().unwrap().len(), 0);
}

#[test]
fn another_server_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let old = write(dir.path(), "a.rdb", &begin(0).string("k", "v").end());
    let newer = Rdb::new("REDIS0012").aux("redis-ver", "7.4.1").string("k", "v").end();
    let new = write(dir.path(), "b.rdb", &newer);
    let notes = diff(&[arg(&old), arg(&new)])["notes"].to_string();
    assert!(notes.contains("OLD is of redis-7.2") && notes.contains("does not say when"), "{notes}");
    let notes = diff(&[arg(&old), arg(&new), "--server", "redis-7.4"])["notes"].to_string();
    assert!(!notes.contains("OLD is of"), "{notes}");
}

#[test]
fn what_only_one_side_folds_is_no_new_pattern() {
    let dir = tempfile::tempdir().unwrap();
    let letters = |n: u32| format!("user:{}{}", char::from(b'g' + (n / 16) as u8), char::from(b'g' + (n % 16) as u8));
    let state = |day, users: u32| (0..users).fold(begin(day), |dump, n| dump.string(letters(n), "v")).end();
    let old = write(dir.path(), "old.rdb", &state(0, 5));
    let new = write(dir.path(), "new.rdb", &state(1, 200));
    let found = diff(&[arg(&old), arg(&new)]);
    assert_eq!(column(&found["patterns"], "pattern"), ["user:*"]);
    assert_eq!(found["patterns"][0]["keys"]["old"], 5);
    assert_eq!(found["patterns"][0]["keys"]["new"], 200);
}

/// More keys than a list has: what a summary does not list is told from what is not there.
#[test]
fn what_is_not_listed_is_not_called_absent() {
    let dir = tempfile::tempdir().unwrap();
    let state = |day, size: usize, extra: &[(&str, usize)]| {
        let keys = (0..300).fold(begin(day), |dump, n| dump.string(format!("filler:{n}"), vec![b'x'; 2000 + n]));
        extra
            .iter()
            .fold(keys, |dump, (name, bytes)| dump.string(name, vec![b'y'; *bytes]))
            .string("small", vec![b'z'; size])
    };
    let old = write(dir.path(), "old.rdb", &state(0, 10, &[]).end());
    let new = write(dir.path(), "new.rdb", &state(1, 90_000, &[("fresh", 80_000)]).end());
    let of_dumps = diff(&[arg(&old), arg(&new)]);
    let key = |found: &Value, name: &str| find(&found["largest_keys"], "key", name).clone();
    // The dumps are looked into again.
    let small = key(&of_dumps, "small");
    assert_eq!((&small["fate"], &small["certain"]), (&"grown".into(), &true.into()));
    assert_eq!(small["elements"]["old"], 10);
    let fresh = key(&of_dumps, "fresh");
    assert_eq!((&fresh["fate"], &fresh["certain"]), (&"new".into(), &true.into()));
    // A summary has only its lists, and a bound.
    let old_json = stored(dir.path(), "old", &[arg(&old)]);
    let of_summary = diff(&[arg(&old_json), arg(&new)]);
    for name in ["small", "fresh"] {
        let key = key(&of_summary, name);
        assert_eq!((&key["fate"], &key["certain"]), (&"new".into(), &false.into()));
        let most = key["unlisted_at_most_bytes"].as_u64().unwrap();
        assert!((2000..3000).contains(&most), "{most}");
    }
    let text = run(&["diff", arg(&old_json), arg(&new)]).expect(0).text();
    assert!(text.contains("new among the largest (at most 2."), "{text}");
}

#[test]
fn slots_that_moved_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = fixtures().join("cluster/nodes.conf");
    let dumps = cluster_dumps();
    let list = dumps.iter().map(|dump| arg(dump)).collect::<Vec<_>>().join(",");
    let found = diff(&[&list, &list, "--nodes", arg(&nodes)]);
    assert_eq!(found["moved_slots"]["slots"], 0);
    assert_eq!(column(&found["nodes"], "matched_by"), ["id"; 3]);
    // A key that goes from one node to another, and is found there.
    let node = |day, keys: &[&str]| keys.iter().fold(begin(day), |dump, name| dump.string(name, vec![b'x'; 100])).end();
    for (side, day, n1, n2) in [("old", 0, &["a", "b", "c"][..], &["d"][..]), ("new", 1, &["a", "b"], &["c", "d"])] {
        fs::create_dir(dir.path().join(side)).unwrap();
        write(&dir.path().join(side), "n1.rdb", &node(day, n1));
        write(&dir.path().join(side), "n2.rdb", &node(day, n2));
    }
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    let found = diff(&[arg(&old), arg(&new)]);
    assert_eq!(column(&found["nodes"], "matched_by"), ["name", "name"]);
    let moved = &found["moved_slots"];
    assert_eq!((&moved["slots"], &moved["keys"]), (&1.into(), &1.into()));
    assert_eq!((&moved["moves"][0]["from"], &moved["moves"][0]["to"]), (&"n1".into(), &"n2".into()));
    assert_eq!(moved["moves"][0]["ranges"], "7365"); // CLUSTER KEYSLOT c
    let large = find(&found["largest_keys"], "key", "c");
    assert_eq!(
        (&large["moved"], &large["old"]["node"], &large["new"]["node"]),
        (&true.into(), &"n1".into(), &"n2".into())
    );
    let rows = run(&["diff", arg(&old), arg(&new), "--keys"]).expect(0).rows();
    assert_eq!(rows.len(), 1);
    assert_eq!((&*rows[0]["fate"], &*rows[0]["differs"], &*rows[0]["key"]), ("moved", "node", "c"));
}

#[test]
fn keys_are_compared_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let list = |parts: &[&str]| listpack(&parts.iter().map(s).collect::<Vec<_>>());
    let old = begin(0)
        .string("same", "v")
        .string("counter", "10x")
        .string("longer", "v")
        .string("gone", "v")
        .expire_ms(1_800_000_000_000)
        .string("expires", "v")
        .key(16, "hash")
        .str(list(&["f", "1", "g", "2"]))
        .key(20, "set")
        .str(list(&["a", "b"]))
        .string("retyped", "v")
        .select(1)
        .string("same", "v");
    let new = begin(1)
        .string("counter", "11x")
        .string("longer", "vv")
        .string("expires", "v")
        .key(16, "hash")
        .str(list(&["g", "2", "f", "1"]))
        .key(20, "set")
        .str(list(&["a", "b", "c"]))
        .key(20, "retyped")
        .str(list(&["a"]))
        .string("new", "v")
        .string("same", "v")
        .select(1)
        .string("same", "w");
    let (old, new) = (write(dir.path(), "o.rdb", &old.end()), write(dir.path(), "n.rdb", &new.end()));
    let done = run(&["diff", arg(&old), arg(&new), "--keys"]).expect(0);
    let rows: Vec<(String, String, String, String)> = done
        .rows()
        .into_iter()
        .map(|mut row| {
            let mut take = |name: &str| row.remove(name).unwrap();
            (take("database"), take("key"), take("fate"), take("differs"))
        })
        .collect();
    let rows: Vec<[&str; 4]> = rows.iter().map(|(db, key, fate, what)| [&**db, &**key, &**fate, &**what]).collect();
    assert_eq!(
        rows,
        [
            ["0", "counter", "changed", "content"],
            ["0", "expires", "changed", "expiry"],
            ["0", "gone", "gone", ""],
            ["0", "hash", "rewritten", "bytes"],
            ["0", "longer", "changed", "elements;largest;content"],
            ["0", "new", "new", ""],
            ["0", "retyped", "changed", "type;memory;bytes"],
            ["0", "set", "changed", "elements;bytes"],
            ["1", "same", "changed", "content"],
        ]
    );
    for line in ["9 keys in OLD, 9 in NEW", "1 same", "6 changed", "1 rewritten", "1 new", "1 gone"] {
        assert!(done.stderr.contains(line), "{line}: {}", done.stderr);
    }
    // Into a file, with the counts in the document.
    let lines = dir.path().join("rows.jsonl");
    let document = diff(&[arg(&old), arg(&new), "--keys", "--format", "jsonl", "-o", arg(&lines)]);
    assert_eq!((&document["keys"]["changed"], &document["keys"]["same"]), (&6.into(), &1.into()));
    let text = fs::read_to_string(&lines).unwrap();
    let gone: Value = serde_json::from_str(text.lines().nth(2).unwrap()).unwrap();
    assert_eq!((&gone["fate"], &gone["old"]["type"], &gone["new"]), (&"gone".into(), &"string".into(), &Value::Null));
    // Values of different versions are told apart by their figures only.
    let newer = fs::read(&new).unwrap();
    let mut newer = newer[..newer.len() - 9].to_vec();
    newer[5..9].copy_from_slice(b"0010");
    let newer = write(dir.path(), "newer.rdb", &Rdb(newer).end());
    let rows = run(&["diff", arg(&old), arg(&newer), "--keys"]).expect(0).rows();
    assert_eq!(
        rows.iter().map(|row| &*row["key"]).collect::<Vec<_>>(),
        ["expires", "gone", "longer", "new", "retyped", "set"]
    );
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut seed = 7u64;
    let mut random = || {
        seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        seed >> 33
    };
    let mut state = |day| {
        (0..30_000u64)
            .fold(begin(day), |dump, _| {
                let n = random();
                dump.string(
                    format!("{}:{}", ["user", "job", "order"][n as usize % 3], n % 20_000),
                    vec![b'v'; n as usize % 200],
                )
            })
            .string("user:7", "v")
    };
    let (old, new) = (write(dir.path(), "o.rdb", &state(0).end()), write(dir.path(), "n.rdb", &state(1).end()));
    let outputs = |threads: &str| {
        let at = |args: &[&str]| run(&[&["diff", arg(&old), arg(&new), "--threads", threads], args].concat()).expect(0);
        let (text, json, rows) = (at(&[]), at(&["--json"]), at(&["--keys"]));
        let split = run(&["diff", arg(&old), arg(&new), "--threads", threads, "--split", "user:7=user:*"]);
        [text.stdout, json.stdout, rows.stdout, rows.stderr.into_bytes(), split.stdout]
    };
    let one = outputs("1");
    assert!(one.iter().all(|output| !output.is_empty()));
    for threads in ["2", "5"] {
        assert!(outputs(threads) == one, "{threads} threads give something else");
    }
}

#[test]
fn hostile_names_stay_names() {
    let dir = tempfile::tempdir().unwrap();
    let old = write(dir.path(), "old.rdb", &begin(0).string("plain", "v").end());
    let new = write(dir.path(), "new.rdb", &hostile());
    for args in [&[][..], &["--json"]] {
        let text = run(&[&["diff", arg(&old), arg(&new)], args].concat()).expect(0).stdout;
        assert!(!text.iter().any(|byte| matches!(byte, 0..=8 | 11..=31 | 127)), "control characters: {args:?}");
    }
    let rows = run(&["diff", arg(&old), arg(&new), "--keys", "--spreadsheet"]).expect(0).rows();
    assert_eq!(rows.len(), HOSTILE_NAMES.len() + 3);
    assert!(rows.iter().any(|row| row["key"] == "'=cmd|' /C calc'!A0"));
    // The order is that of the bytes, whatever the text is.
    let lines =
        run(&["diff", arg(&old), arg(&new), "--keys", "--format", "jsonl", "--escape", "base64"]).expect(0).text();
    assert_eq!(lines.lines().count(), HOSTILE_NAMES.len() + 3);
    let split = run(&["diff", arg(&new), arg(&new), "--split", "@SUM(A1:A9)=*\x1b*"]).expect(1).text();
    assert!(!split.contains('\x1b') && split.contains("@SUM(A1:A9)"), "{split}");
}

/// Values too long to be held from a compressed dump have the same print as in a plain one.
#[test]
fn compressed_dumps_are_the_same_keys() {
    let dir = tempfile::tempdir().unwrap();
    let mut noise = vec![0u8; 9 << 20];
    let mut seed = 1u64;
    for byte in &mut noise {
        seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        *byte = (seed >> 56) as u8;
    }
    let bytes = begin(0).string("huge", &noise).string("small", "v").key(2, "set").len(1).str("m").end();
    let plain = write(dir.path(), "plain.rdb", &bytes);
    let packed = write(dir.path(), "packed.rdb.zst", &zstd::encode_all(&bytes[..], 1).unwrap());
    let done = run(&["diff", arg(&plain), arg(&packed), "--keys"]).expect(0);
    assert!(done.rows().is_empty() && done.stderr.contains("3 same"), "{}", done.stderr);
    noise[5 << 20] ^= 1;
    let changed = begin(0).string("huge", &noise).string("small", "v").key(2, "set").len(1).str("m").end();
    let changed = write(dir.path(), "changed.rdb.zst", &zstd::encode_all(&changed[..], 1).unwrap());
    let rows = run(&["diff", arg(&plain), arg(&changed), "--keys"]).expect(0).rows();
    assert_eq!((rows.len(), &*rows[0]["key"], &*rows[0]["differs"]), (1, "huge", "content"));
}

#[test]
fn damage_is_said_and_ends_with_its_code() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = two_states(dir.path());
    let whole = fs::read(&new).unwrap();
    let cut = write(dir.path(), "cut.rdb", &whole[..whole.len() / 2]);
    let done = run(&["diff", arg(&old), arg(&cut)]).expect(4);
    assert!(done.text().contains("NEW was not read in full"), "{}", done.text());
    run(&["diff", arg(&old), arg(&cut), "--keys"]).expect(4);
    run(&["diff", arg(&old), arg(&cut), "--split", "members=none:*"]).expect(4);
    run(&["diff", arg(&old), "missing.rdb"]).expect(3);
    assert!(run(&["diff", arg(&old)]).code == 2);
    let said = run(&["diff", arg(&old), arg(&new), "--keys", "--json"]).expect(2).stderr;
    assert!(said.contains("give them a file with -o"), "{said}");
}

// ----------------------------------------------------------------------------------------------------------- splits

fn set(dump: Rdb, name: &str, members: std::ops::Range<u32>) -> Rdb {
    let count = members.len() as u64;
    members.fold(dump.key(2, name).len(count), |dump, n| dump.str(format!("user-{n}")))
}

#[test]
fn a_split_is_verified() {
    let dir = tempfile::tempdir().unwrap();
    let old = write(dir.path(), "old.rdb", &set(begin(0), "users:all", 0..10_000).string("other", "v").end());
    let pieces = |last: u32| {
        let dump = (0..9).fold(begin(1), |dump, n| set(dump, &format!("users:batch:{n}"), n * 1000..(n + 1) * 1000));
        set(dump, "users:batch:9", 9000..last).string("other", "v")
    };
    let check = |new: &[u8], code| {
        let new = write(dir.path(), "new.rdb", new);
        let args = ["diff", arg(&old), arg(&new), "--split", "users:all=users:batch:*"];
        let found = run(&[&args[..], &["--json"]].concat()).expect(code).json();
        (run(&args).expect(code).text(), found["splits"][0].clone())
    };
    let (text, found) = check(&pieces(10_000).end(), 0);
    assert!(text.contains("OK: as many elements as before"), "{text}");
    assert_eq!(
        (&found["verdict"], &found["pieces"], &found["new_elements"]),
        (&"ok".into(), &10.into(), &10_000.into())
    );
    assert_eq!(found["still_there"].as_array().unwrap().len(), 0);
    assert_eq!(found["largest"]["num_elements"], 1000);
    let (text, found) = check(&pieces(9_990).end(), 1);
    assert!(text.contains("MISSING: 10 elements fewer"), "{text}");
    assert_eq!(found["difference"], -10);
    // The key is still there, which its pieces do not count.
    let (text, _) = check(&set(pieces(10_000), "users:all", 0..3).end(), 0);
    assert!(text.contains("still there, with 3 elements"), "{text}");
    let (text, found) = check(&set(pieces(10_000), "users:batch:{tag}", 0..5).end(), 1);
    assert!(text.contains("TOO MANY: 5 elements more"), "{text}");
    assert_eq!(found["verdict"], "too_many");
    let (text, _) = check(&begin(1).string("other", "v").end(), 1);
    assert!(text.contains("NO PIECES"), "{text}");
    // Pieces with a hash tag share a slot; a string among them is another type.
    let tagged =
        (0..2).fold(begin(1), |dump, n| set(dump, &format!("users:batch:{{t}}:{n}"), n * 5000..(n + 1) * 5000));
    let (text, found) = check(&tagged.string("users:batch:x", "a long value").end(), 1);
    assert!(text.contains("2 pieces share a slot") && text.contains("2 set, 1 string"), "{text}");
    assert!(text.contains("TOO MANY: 1 elements more"), "a string is one element with a key of its own: {text}");
    assert_eq!((&found["pieces_sharing_slots"], &found["slots"]), (&2.into(), &2.into()));
}

#[test]
fn a_split_is_not_made_up_by_what_was_there_or_has_gone() {
    let dir = tempfile::tempdir().unwrap();
    let old = set(set(begin(0), "users:all", 0..1000), "users:batch:0", 5000..5500);
    let old = write(dir.path(), "old.rdb", &old.end());
    let check = |new: Rdb, code| {
        let new = write(dir.path(), "new.rdb", &new.end());
        run(&["diff", arg(&old), arg(&new), "--split", "users:all=users:batch:*"]).expect(code).text()
    };
    let foreign = || set(begin(1), "users:batch:0", 5000..5500);
    // Half of it was moved beside as many that were there before.
    let text = check(set(foreign(), "users:batch:1", 0..500), 1);
    assert!(text.contains("MISSING: 500 elements fewer"), "{text}");
    assert!(text.contains("1 of such keys with 500 elements were there before, and are taken off"), "{text}");
    let text = check(set(set(foreign(), "users:batch:1", 0..500), "users:batch:2", 500..1000), 0);
    assert!(text.contains("OK: as many elements as before"), "{text}");
    // A piece that has expired has gone.
    let text = check(set(set(foreign(), "users:batch:1", 0..500).expire_ms(1000), "users:batch:2", 500..1000), 1);
    assert!(text.contains("MISSING: 500 elements fewer") && text.contains("1 pieces had expired"), "{text}");
}

#[test]
fn names_may_have_the_sign_between() {
    let dir = tempfile::tempdir().unwrap();
    let old =
        write(dir.path(), "old.rdb", &set(set(begin(0), "a=b", 0..10), "c", 0..4).select(3).string("c", "xyz").end());
    let new = set(set(begin(1), "p=1", 0..6), "p=2", 6..10);
    let new = write(dir.path(), "new.rdb", &set(new, "c", 0..4).select(3).string("c:1", "xyz").end());
    let splits = |split: &[&str], code| {
        let split: Vec<&str> = split.iter().flat_map(|split| ["--split", split]).collect();
        run(&[&["diff", arg(&old), arg(&new), "--json"], &split[..]].concat()).expect(code)
    };
    let found = splits(&["a=b=p=*"], 0).json();
    assert_eq!((&found["splits"][0]["glob"], &found["splits"][0]["verdict"]), (&"p=*".into(), &"ok".into()));
    // Two splits; a name that is in two databases is looked at in each.
    let found = splits(&["a=b=p=*", "c=c:*"], 1).json();
    assert_eq!(column(&found["splits"], "verdict"), ["ok", "no_pieces", "ok"]);
    assert!(splits(&["nothing=p=*"], 2).stderr.contains("OLD has no key"));
    assert!(splits(&["nothing"], 2).stderr.contains("has no `=`"));
}

/// A server splits a set; its dumps before and after say so.
#[test]
fn a_real_split() {
    if !has_redis() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let fill = "for n = 1, 5000 do redis.call('HSET', 'all', 'f' .. n, 'value ' .. n) end return 1";
    let split = "local all = redis.call('HGETALL', 'all') for i = 1, #all, 2 do \
                 redis.call('HSET', 'part:' .. (i % 7), all[i], all[i + 1]) end return redis.call('DEL', 'all')";
    let save = |name: &str| {
        assert_eq!(server.ask(&["SAVE"]), "OK");
        let path = dir.path().join(name);
        fs::rename(server.dump(), &path).unwrap();
        path
    };
    assert_eq!(server.ask(&["EVAL", fill, "0"]), "1");
    let before = save("before.rdb");
    assert_eq!(server.ask(&["EVAL", split, "0"]), "1");
    let after = save("after.rdb");
    let text = run(&["diff", arg(&before), arg(&after), "--split", "all=part:*"]).expect(0).text();
    assert!(text.contains("OK: as many elements as before") && text.contains("7 pieces with 5,000 elements"), "{text}");
    let said = run(&["diff", arg(&before), arg(&after), "--keys"]).expect(0).stderr;
    assert!(said.contains("7 new") && said.contains("1 gone"), "{said}");
}
