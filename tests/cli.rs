//! The command line: exit codes and messages, names of dumps, outputs that appear whole or not at all, filters, escapes.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::*;
use base64::Engine as _;

fn sound() -> Vec<u8> {
    Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").string("good:1", "v").string("good:2", "vv").end()
}

// ------------------------------------------------------------------------------------------------ exit codes, messages

#[test]
fn zero_is_done() {
    assert!(run(&["--help"]).expect(0).text().contains("Exit codes"));
    assert!(run(&["--version"]).expect(0).text().contains(env!("CARGO_PKG_VERSION")));
    for command in ["report", "keys", "plan"] {
        assert!(run(&[command, "--help"]).expect(0).text().contains("Example"), "{command}");
    }
    let done = run(&["cluster/dump-7001.rdb"]).expect(0);
    assert_eq!(done.stderr, "");
}

#[test]
fn two_is_usage() {
    let dump = "cluster/dump-7001.rdb";
    for args in [
        &[][..],
        &["keys"],
        &["report"],
        &["--no-such-option", dump],
        &["keys", "--regex", "(", dump],
        &["keys", "--min-memory", "lots", dump],
        &["keys", "--expiry", "soon", dump],
        &["keys", "--format", "xml", dump],
        &["keys", "--top", "-1", dump],
        &["--now", "yesterday", dump],
        &["--threads", "two", dump],
        &["--server", "postgres-16", dump],
        &["--compare", "no-such-setting=1", dump],
    ] {
        let done = run(args).expect(2);
        assert!(!done.stderr.is_empty() && done.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn three_is_a_file_that_cannot_be_opened_or_is_no_rdb() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent.rdb");
    for command in [&[][..], &["keys"], &["--json"]] {
        let done = run(&[command, &[arg(&absent)]].concat()).expect(3);
        assert!(done.stderr.contains("absent.rdb"), "{}", done.stderr);
    }
    for (name, bytes) in [
        ("text", &b"this is no dump at all"[..]),
        ("aof", b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"),
        ("empty", b""),
        ("valkey-11", b"VALKEY011\xff"),
        ("zero", b"REDIS0000\xff"),
    ] {
        let path = write(dir.path(), &format!("{name}.rdb"), bytes);
        for done in [run(&["keys", arg(&path)]), run(&["--json", arg(&path)]), run_with_input(&["keys", "-"], bytes)] {
            let done = done.expect(3);
            assert!(
                done.stderr.contains(&format!("{name}.rdb")) || done.stderr.contains("-:"),
                "{name}: {}",
                done.stderr
            );
            assert!(done.stderr.contains("RDB"), "{name}: what was expected: {}", done.stderr);
        }
    }
    // A directory without dumps.
    let empty = tempfile::tempdir().unwrap();
    run(&["keys", arg(empty.path())]).expect(3);
}

/// A damaged dump: its name, its bytes, where and how it is wrong, and the key being read there.
type Damage = (&'static str, Vec<u8>, usize, &'static str, Option<&'static str>);

#[test]
fn four_is_damage_with_file_offset_expectation_and_key() {
    let dir = tempfile::tempdir().unwrap();
    let before = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").string("good", "v");
    let offset = before.0.len();
    let cases: Vec<Damage> = vec![
        ("truncated", before.clone().key(0, "half").len(60).raw(b"only this").0, offset + 16, "expected", Some("half")),
        ("no-end", before.clone().0, offset, "expected", None),
        ("opcode", before.clone().raw(&[40]).end(), offset, "unknown opcode or value type 0x28", None),
        ("type-8", before.clone().raw(&[8]).str("k").end(), offset, "unknown opcode or value type 0x08", None),
        ("length", before.clone().key(2, "set").raw(&[0x82]).end(), offset + 5, "expected a length", Some("set")),
        ("string", before.clone().key(0, "str").raw(&[0xc7]).end(), offset + 5, "string encoding", Some("str")),
        ("module-6", before.clone().key(6, "mod").str("x").end(), offset + 5, "type 6", Some("mod")),
    ];
    for (name, bytes, at, expected, key) in cases {
        let path = write(dir.path(), &format!("{name}.rdb"), &bytes);
        for (done, file) in [
            (run(&["keys", arg(&path)]), arg(&path)),
            (run(&[arg(&path)]), arg(&path)),
            (run_with_input(&["keys", "-"], &bytes), "-:"),
        ] {
            let done = done.expect(4);
            for part in [file, expected, &format!("at byte {at} ({at:#x})")] {
                assert!(done.stderr.contains(part), "{name}: no `{part}` in: {}", done.stderr);
            }
            if let Some(key) = key {
                assert!(done.stderr.contains(&format!("key \"{key}\"")), "{name}: {}", done.stderr);
            }
            assert_eq!(done.stderr.lines().count(), 1, "{name}: one message: {}", done.stderr);
            assert!(done.text().contains("good"), "{name}: what was read is reported");
        }
        let summary = run(&["--json", arg(&path)]).expect(4).json();
        assert_eq!(summary["complete"], false);
        assert_eq!(summary["dumps"][0]["complete"], false);
        assert_eq!(summary["dumps"][0]["error_at_byte"], at);
        assert!(summary["dumps"][0]["error"].as_str().unwrap().contains(expected));
        assert_eq!(summary["dumps"][0]["checksum"], "not reached");
        assert_eq!(summary["totals"]["keys"], 1, "{name}");
    }
}

#[test]
fn a_value_broken_inside_does_not_end_the_reading() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "broken.rdb", &broken_inside());
    let done = run(&["keys", arg(&path)]).expect(4);
    let keys: Vec<String> = done.rows().iter().map(|row| row["key"].clone()).collect();
    assert_eq!(keys, ["before", "broken", "after"]);
    assert_eq!(done.rows()[1]["num_elements"], "", "nothing is claimed about it");
    assert_eq!(done.rows()[1]["size_in_bytes"], "");
    assert!(done.stderr.contains("broken"), "{}", done.stderr);
    let summary = run(&["--json", arg(&path)]).expect(4).json();
    let dump = &summary["dumps"][0];
    assert_eq!(
        (&dump["damaged_keys"], &dump["complete"], &dump["checksum"]),
        (&1.into(), &false.into(), &"right".into())
    );
    assert_eq!(dump["damages"][0]["key"], "broken");
    assert!(dump["damages"][0]["what"].as_str().unwrap().contains("listpack"));
    assert!(dump["damages"][0]["at_byte"].as_u64().is_some());
}

#[test]
fn five_is_a_newer_format() {
    let dir = tempfile::tempdir().unwrap();
    for magic in ["REDIS0014", "REDIS0079", "REDIS0080", "VALKEY081"] {
        let bytes = Rdb::new(magic).string("k", "v").end();
        let path = write(dir.path(), "newer.rdb", &bytes);
        for done in [run(&["keys", arg(&path)]), run(&["--json", arg(&path)]), run_with_input(&["-"], &bytes)] {
            let done = done.expect(5);
            assert!(done.stderr.contains("newer than this program knows"), "{}", done.stderr);
        }
    }
}

#[test]
fn the_gravest_dump_decides_the_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let good = write(dir.path(), "good.rdb", &sound());
    let none = write(dir.path(), "none.rdb", b"no dump");
    let cut = write(dir.path(), "cut.rdb", &sound()[..30]);
    let newer = write(dir.path(), "newer.rdb", &Rdb::new("REDIS0050").end());
    let code =
        |dumps: &[&Path]| run(&[&["keys"], &dumps.iter().map(|path| arg(path)).collect::<Vec<_>>()[..]].concat()).code;
    assert_eq!(code(&[&good]), 0);
    assert_eq!(code(&[&good, &none]), 3);
    assert_eq!(code(&[&none, &cut]), 4);
    assert_eq!(code(&[&cut, &newer, &none]), 5);
}

#[test]
fn a_damaged_dump_does_not_keep_the_others_from_being_reported() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(fixtures().join("cluster/dump-7002.rdb")).unwrap();
    let cut = write(dir.path(), "cut.rdb", &whole[..whole.len() / 2]);
    let none = write(dir.path(), "none.rdb", b"no dump");
    let good = cluster_dumps()[0].clone();
    let args = [arg(&cut), arg(&none), arg(&good)];
    let alone = run(&["--json", arg(&good)]).expect(0).json();
    let together = run(&[&["--json"], &args[..]].concat()).expect(4).json();
    assert_eq!(together["complete"], false);
    assert_eq!(alone["dumps"][0], together["dumps"][2], "the good one is reported in full");
    assert_eq!(together["dumps"][1]["role"], "unread");
    assert!(together["dumps"][0]["totals"]["keys"].as_u64().unwrap() > 100, "what was read of the damaged one counts");
    let rows = run(&["keys", arg(&good)]).expect(0).rows();
    let all = run(&[&["keys"], &args[..]].concat()).expect(4);
    let of_good: Vec<_> = all.rows().into_iter().filter(|row| row["node"] == "dump-7001").collect();
    assert_eq!(rows, of_good);
    assert!(all.stderr.contains("cut.rdb") && all.stderr.contains("none.rdb"), "{}", all.stderr);
    // The page says so too.
    let page = dir.path().join("page.html");
    let done = run(&[&["report", "-o", arg(&page)], &args[..]].concat()).expect(4);
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("file ends here") && page.contains("no RDB"), "the page says what is wrong");
    assert!(done.stderr.contains("cut.rdb"), "{}", done.stderr);
    // Read to where the first half ends, its rows are those of the whole dump.
    let of_cut: Vec<_> =
        all.rows().into_iter().filter(|row| row["node"] == "cut").map(|row| row["key"].clone()).collect();
    let of_whole: Vec<_> =
        run(&["keys", "cluster/dump-7002.rdb"]).rows().into_iter().map(|row| row["key"].clone()).collect();
    assert_eq!(of_cut, of_whole[..of_cut.len()]);
}

#[test]
fn what_follows_the_dump_is_said() {
    let summary = run(&["--json", "dumps/redis-6.2-preamble.aof"]).expect(0).json();
    let notes = summary["dumps"][0]["notes"].to_string();
    assert!(notes.contains("600 bytes of append-only commands"), "{notes}");
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "more.rdb", &[&sound()[..], b"rubbish"].concat());
    let notes = run(&["--json", arg(&path)]).expect(0).json()["dumps"][0]["notes"].to_string();
    assert!(notes.contains("7 bytes follow the end"), "{notes}");
}

// -------------------------------------------------------------------------------------------------------------- inputs

#[test]
fn directories_and_names() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, key) in [("n1", "a"), ("n2", "b")] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
        write(&dir.path().join(folder), "dump.rdb", &Rdb::new("REDIS0011").string(key, "v").end());
        write(&dir.path().join(folder), "notes.txt", b"no dump, and not read");
    }
    let nodes = |args: &[&str]| -> Vec<(String, String)> {
        let done = finish(program().current_dir(dir.path()).arg("keys").args(args)).expect(0);
        done.rows().iter().map(|row| (row["node"].clone(), row["key"].clone())).collect()
    };
    let pairs =
        |list: &[(&str, &str)]| list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
    assert_eq!(nodes(&["n1", "n2"]), pairs(&[("n1/dump", "a"), ("n2/dump", "b")]), "told apart by their folders");
    assert_eq!(nodes(&["x=n1/dump.rdb", "y=n2"]), pairs(&[("x", "a"), ("y", "b")]));
    assert_eq!(nodes(&["n2/dump.rdb"]), pairs(&[("dump", "b")]));
    let done = finish(program().current_dir(dir.path()).args(["keys", "x=n1/dump.rdb", "x=n2/dump.rdb"])).expect(2);
    assert!(done.stderr.contains("`x`"), "{}", done.stderr);
    run(&["keys", "-", "-"]).expect(2);
    // A multi-part append-only directory: its base file.
    let done = run(&["keys", "dumps/redis-7.2-aof"]).expect(0);
    assert!(done.rows().len() > 30);
}

#[test]
fn a_name_with_an_equals_sign_is_a_file_if_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a=b.rdb", &sound());
    let done = finish(program().current_dir(dir.path()).args(["keys", "a=b.rdb"])).expect(0);
    assert_eq!(done.rows()[0]["node"], "a=b");
}

// ------------------------------------------------------------------------------------------------------------- outputs

#[test]
fn an_unwritable_output_is_refused_before_the_work() {
    let dir = tempfile::tempdir().unwrap();
    // The dump is damaged: had it been read, that would have been said.
    let cut = write(dir.path(), "cut.rdb", &sound()[..30]);
    let nowhere = dir.path().join("no/such/folder/out");
    let folder = dir.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let good = dir.path().join("good.html");
    for target in [arg(&nowhere), arg(&folder)] {
        for args in [
            vec!["keys", "-o", target],
            vec!["report", "-o", target],
            vec!["report", "-o", arg(&good), "--csv", target],
            vec!["report", "-o", arg(&good), "--json", target],
        ] {
            let done = run(&[&args[..], &[arg(&cut)]].concat()).expect(2);
            assert!(done.stderr.contains(target) && done.stderr.contains("cannot be written"), "{}", done.stderr);
            assert!(!done.stderr.contains("file ends here"), "refused before the work: {}", done.stderr);
        }
    }
    assert_eq!(files_in(dir.path()), ["cut.rdb", "folder"], "nothing is left behind");
}

#[test]
fn outputs_appear_whole_and_leave_no_temporary_files() {
    let dir = tempfile::tempdir().unwrap();
    let cut = write(dir.path(), "cut.rdb", &sound()[..sound().len() - 4]);
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (page, csv, json) = (path("page.html"), path("keys.csv"), path("summary.json"));
    run(&["report", "-o", &page, "--csv", &csv, "--json", &json, arg(&cut)]).expect(4);
    assert_eq!(files_in(dir.path()), ["cut.rdb", "keys.csv", "page.html", "summary.json"]);
    assert!(std::fs::read_to_string(&page).unwrap().trim_end().ends_with("</html>"));
    assert_eq!(rows(&std::fs::read(&csv).unwrap()).len(), 2);
    let summary: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(summary["complete"], false);
    // What was there before stays if the run cannot begin.
    std::fs::write(&page, "old").unwrap();
    run(&["report", "-o", &page, &path("absent.rdb")]).expect(3);
    run(&["report", "-o", &page, "--nodes", &path("absent.conf"), arg(&cut)]).expect(3);
    assert_eq!(std::fs::read_to_string(&page).unwrap(), "old");
    assert_eq!(files_in(dir.path()).len(), 4);
    // And is replaced if it can.
    run(&["keys", "-o", &csv, arg(&cut), "--db", "9"]).expect(4);
    assert_eq!(rows(&std::fs::read(&csv).unwrap()).len(), 0);
}

#[test]
fn the_report_has_a_name_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "dump.rdb", &sound());
    finish(program().current_dir(dir.path()).args(["report", "dump.rdb"])).expect(0);
    assert_eq!(files_in(dir.path()), ["dump.rdb", "report.html"]);
}

#[test]
fn colours_are_for_terminals() {
    let dump = "cluster/dump-7001.rdb";
    assert!(!run(&[dump]).expect(0).text().contains('\x1b'), "none in a pipe");
    let forced = finish(program().env("CLICOLOR_FORCE", "1").arg(dump)).expect(0).text();
    assert!(forced.contains('\x1b'), "some if asked for");
    let plain = finish(program().env("NO_COLOR", "1").env("CLICOLOR_FORCE", "0").arg(dump)).expect(0).text();
    assert!(!plain.contains('\x1b'));
    // Messages, and the rows, never have any.
    let done = finish(program().env("CLICOLOR_FORCE", "1").args(["keys", dump, "absent.rdb"]));
    assert!(!done.text().contains('\x1b'));
    assert!(!run(&["keys", "absent.rdb"]).stderr.contains('\x1b'));
}

#[test]
fn a_key_in_a_message_does_nothing_to_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Rdb::new("REDIS0011").key(0, b"\x1b[31m\xff\r\nevil\0").raw(&[0xc9]).0;
    let path = write(dir.path(), "evil.rdb", &bytes);
    let done = run(&["keys", arg(&path)]).expect(4);
    assert!(done.stderr.contains("\\x1b[31m\\xff\\x0d\\x0aevil\\x00"), "{}", done.stderr);
    assert!(!done.stderr.contains('\x1b') && done.stderr.lines().count() == 1);
    let long = Rdb::new("REDIS0011").key(0, vec![b'k'; 5000]).raw(&[0xc9]).0;
    let path = write(dir.path(), "long.rdb", &long);
    assert!(run(&["keys", arg(&path)]).expect(4).stderr.len() < 400, "a long name is cut");
}

// ------------------------------------------------------------------------------------------------------------- filters

type Row = BTreeMap<String, String>;

/// The rows of a fixture with these arguments must be those of all its rows that `keep` lets through, in their order.
#[track_caller]
fn filtered(fixture: &str, args: &[&str], keep: impl Fn(&Row) -> bool) {
    let all = run(&["keys", "--escape", "base64", fixture]).expect(0).rows();
    let found = run(&[&["keys", "--escape", "base64", fixture], args].concat()).expect(0).rows();
    let expected: Vec<Row> = all.iter().filter(|row| keep(row)).cloned().collect();
    assert!(
        !expected.is_empty() && expected.len() < all.len(),
        "{args:?}: a test that tests ({} of {})",
        expected.len(),
        all.len()
    );
    assert!(found == expected, "{args:?}: {} rows, expected {}", found.len(), expected.len());
}

fn number(row: &Row, column: &str) -> Option<u64> {
    row[column].parse().ok()
}

fn key(row: &Row) -> Vec<u8> {
    base64::prelude::BASE64_STANDARD.decode(&row["key"]).unwrap()
}

#[test]
fn filters_let_through_what_they_say() {
    let (types, cluster) = ("dumps/redis-7.2.rdb", "cluster/dump-7002.rdb");
    filtered(types, &["--db", "1"], |row| row["database"] == "1");
    filtered(types, &["--db", "0,3"], |row| ["0", "3"].contains(&row["database"].as_str()));
    filtered(types, &["--type", "hash"], |row| row["type"] == "hash");
    filtered(types, &["--type", "ZSET,stream"], |row| ["zset", "stream"].contains(&row["type"].as_str()));
    filtered("dumps/redis-7.2-module.rdb", &["--type", "test___dt"], |row| row["type"] == "test___dt");
    filtered(types, &["--min-elements", "10"], |row| number(row, "num_elements").is_some_and(|n| n >= 10));
    filtered(cluster, &["--min-memory", "1KB"], |row| number(row, "footprint_bytes").unwrap() >= 1000);
    filtered(cluster, &["--min-memory", "1KiB"], |row| number(row, "footprint_bytes").unwrap() >= 1024);
    filtered(cluster, &["--min-memory", "300"], |row| number(row, "footprint_bytes").unwrap() >= 300);
    filtered(cluster, &["--expiry", "none"], |row| row["expiry"].is_empty());
    filtered(cluster, &["--expiry", "any"], |row| !row["expiry"].is_empty());
    let now = "2026-01-10T00:00:00Z";
    filtered(cluster, &["--expiry", "expired", "--now", now], |row| {
        !row["expiry"].is_empty() && row["expiry"].as_str() <= "2026-01-10T00:00:00.000Z"
    });
    filtered(cluster, &["--match", "session:*"], |row| key(row).starts_with(b"session:"));
    filtered(cluster, &["--match", "*[0-3]"], |row| matches!(key(row).last(), Some(b'0'..=b'3')));
    filtered(cluster, &["--regex", ":[0-9]+$"], |row| {
        let key = key(row);
        let digits = key.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        digits > 0 && key.len() > digits && key[key.len() - digits - 1] == b':'
    });
    filtered(cluster, &["--type", "string", "--expiry", "any", "--min-elements", "20"], |row| {
        row["type"] == "string" && !row["expiry"].is_empty() && number(row, "num_elements") >= Some(20)
    });
}

#[test]
fn top_gives_the_largest_first() {
    let all = run(&["keys", "cluster"]).expect(0).rows();
    let mut sizes: Vec<u64> = all.iter().map(|row| number(row, "footprint_bytes").unwrap()).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    for top in [1, 7, 100] {
        let found = run(&["keys", "cluster", "--top", &top.to_string()]).expect(0).rows();
        let found_sizes: Vec<u64> = found.iter().map(|row| number(row, "footprint_bytes").unwrap()).collect();
        assert_eq!(found_sizes, sizes[..top]);
        assert!(found.iter().all(|row| all.contains(row)), "whole rows");
    }
    let hashes = run(&["keys", "cluster", "--top", "3", "--type", "hash"]).expect(0).rows();
    assert!(hashes.len() == 3 && hashes.iter().all(|row| row["type"] == "hash"));
    assert_eq!(run(&["keys", "cluster", "--top", "0"]).expect(0).rows().len(), 0);
    assert_eq!(run(&["keys", "cluster", "--top", "1000000"]).expect(0).rows().len(), all.len());
}

#[test]
fn the_first_columns_are_a_promise() {
    let header = run(&["keys", "cluster", "--db", "99"]).expect(0).text();
    assert!(header.starts_with("database,type,key,size_in_bytes,encoding,num_elements,len_largest_element,expiry,node,slot,serialized_bytes,freq,idle_seconds"));
    assert_eq!(header.lines().count(), 1);
}

// -------------------------------------------------------------------------------------------------------------- escapes

fn hostile_keys(args: &[&str]) -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "hostile.rdb", &hostile());
    let done = run(&[&["keys", arg(&path)], args].concat()).expect(0);
    let mut reader = csv::Reader::from_reader(&done.stdout[..]);
    reader.byte_records().map(|record| record.unwrap()[2].to_vec()).collect()
}

#[test]
fn escapes_give_the_names_back() {
    let raw = hostile_keys(&["--escape", "raw"]);
    assert_eq!(raw[..HOSTILE_NAMES.len()], HOSTILE_NAMES.map(<[u8]>::to_vec), "RFC 4180 quoting holds any bytes");
    let base64: Vec<Vec<u8>> = hostile_keys(&["--escape", "base64"])
        .iter()
        .map(|key| base64::prelude::BASE64_STANDARD.decode(key).unwrap())
        .collect();
    assert_eq!(base64, raw);
    // \xHH and \\ undone give the name again, whatever it was.
    let undo = |text: &[u8]| {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after) {
                (b'\\', [b'x', high, low, ..]) => {
                    let hex = [*high, *low];
                    out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
                    rest = &after[3..];
                }
                (b'\\', [b'\\', ..]) => {
                    out.push(b'\\');
                    rest = &after[1..];
                }
                _ => out.push(byte),
            }
        }
        out
    };
    for escape in ["utf8", "ascii"] {
        let keys = hostile_keys(&["--escape", escape]);
        assert_eq!(keys.iter().map(|key| undo(key)).collect::<Vec<_>>(), raw, "{escape}");
        assert!(keys.iter().all(|key| key.iter().all(|b| *b >= b' ')), "{escape}: no control characters");
        assert!(escape == "utf8" || keys.iter().all(|key| key.is_ascii()));
    }
    assert_eq!(hostile_keys(&[]), hostile_keys(&["--escape", "utf8"]), "the default");
    assert!(hostile_keys(&[]).contains(&"gr\u{f6}\u{df}e \u{1f511}".as_bytes().to_vec()), "text stays text");
}

#[test]
fn a_spreadsheet_runs_no_name() {
    for key in hostile_keys(&["--spreadsheet"]) {
        assert!(!matches!(key.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')), "{}", key.escape_ascii());
    }
    let count = |keys: Vec<Vec<u8>>| keys.iter().filter(|key| key.starts_with(b"'")).count();
    assert_eq!(count(hostile_keys(&["--spreadsheet"])), 4, "only those that need it get an apostrophe");
    assert_eq!(count(hostile_keys(&[])), 0);
}

#[test]
fn a_spreadsheet_runs_no_base64_either() {
    // Base64 may begin with `+`, and a name that begins with `=` has harmless base64, which must stay base64.
    let dir = tempfile::tempdir().unwrap();
    let dump = Rdb::new("REDIS0011").string(b"\xf8\0\0", "v").string("=cmd", "v").end();
    let path = write(dir.path(), "base64.rdb", &dump);
    let done = run(&["keys", "--spreadsheet", "--escape", "base64", arg(&path)]).expect(0);
    let keys: Vec<String> = done.rows().iter().map(|row| row["key"].clone()).collect();
    assert!(!keys[0].starts_with('+'), "{}", keys[0]);
    assert_eq!(keys[1], "PWNtZA==");
}

#[test]
fn json_lines_are_json() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "hostile.rdb", &hostile());
    for escape in ["utf8", "ascii", "raw", "base64"] {
        let text = run(&["keys", "--format", "jsonl", "--escape", escape, arg(&path)]).expect(0).text();
        let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), HOSTILE_NAMES.len() + 2, "{escape}");
        assert!(rows.iter().all(|row| row["key"].is_string() && row["type"].is_string()));
    }
}

/// What a comparison says of another server is what a run says that models that server.
#[test]
fn a_comparison_is_the_other_servers_own_figures() {
    let dump = "dumps/redis-7.2.rdb";
    let all = run(&["--json", dump, "--compare", "redis-8.0,valkey-8.1,redis-6.2"]).expect(0).json();
    for (index, server) in ["redis-8.0", "valkey-8.1", "redis-6.2"].into_iter().enumerate() {
        let alone = run(&["--json", dump, "--server", server]).expect(0).json();
        let compared = &all["comparisons"][index];
        assert_eq!(compared["footprint_bytes"], alone["totals"]["footprint_bytes"], "{server}");
        assert_eq!(compared["memory_usage_bytes"], alone["totals"]["memory_usage_bytes"], "{server}");
        let types = compared["by_type"].as_array().unwrap();
        assert!(types.len() > 4);
        for of_type in types {
            let same = |row: &&serde_json::Value| row["type"] == of_type["type"];
            let row = alone["types"].as_array().unwrap().iter().find(same).unwrap();
            assert_eq!(of_type["footprint_bytes"], row["totals"]["footprint_bytes"], "{server} {of_type}");
        }
    }
}
