//! The same dumps give the same answers whatever way they are read: any number of threads, mapped or piped, together or
//! alone.

use std::path::PathBuf;

use crate::common::*;
use serde_json::Value;

/// Every way to ask, and the files it writes.
fn outputs(threads: &str, dumps: &[PathBuf]) -> Vec<(&'static str, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let nodes = fixtures().join("cluster/nodes.conf");
    let mut outputs = Vec::new();
    let run_one = |name: &'static str, args: &[&str]| {
        let mut command = program();
        command.args(args).args(["--threads", threads]).args(dumps).arg("--nodes").arg(&nodes);
        let done = finish(&mut command).expect(0);
        (name, done.stdout)
    };
    outputs.push(run_one("overview", &[]));
    outputs.push(run_one("json", &["--json"]));
    outputs.push(run_one("keys", &["keys"]));
    outputs.push(run_one("keys as JSON lines", &["keys", "--format", "jsonl"]));
    outputs.push(run_one("top keys", &["keys", "--top", "25"]));
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (page, csv, json) = (path("page.html"), path("keys.csv"), path("summary.json"));
    run_one("report", &["report", "-o", &page, "--csv", &csv, "--json", &json]);
    for (name, path) in [("page", page), ("report's CSV", csv), ("report's JSON", json)] {
        outputs.push((name, std::fs::read(path).unwrap()));
    }
    outputs
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    // The cluster's dumps have one span each; the generated one of a few megabytes has many.
    let dir = tempfile::tempdir().unwrap();
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").aux("ctime", "1767225600").select(0);
    for n in 0..40_000u32 {
        dump = match n % 4 {
            0 => dump
                .expire_ms(1_767_000_000_000 + i64::from(n))
                .string(format!("session:{n:08x}"), vec![b'x'; (n % 200) as usize]),
            1 => dump.key(16, format!("user:{n}:profile")).str(listpack(&[
                s("name"),
                s(format!("user {n}")),
                s("age"),
                i(i64::from(n % 90)),
            ])),
            2 => dump.key(2, format!("tags:{n}")).len(3).str("red").str(format!("{n}")).str("green"),
            _ => dump.raw(&[249, (n % 256) as u8]).string(format!("counter:{n}"), n.to_string()),
        };
    }
    let many = write(dir.path(), "many.rdb", &dump.end());
    let mut dumps = cluster_dumps();
    dumps.push(many);
    let one = outputs("1", &dumps);
    for threads in ["2", "8"] {
        for ((name, one), (_, more)) in one.iter().zip(outputs(threads, &dumps)) {
            assert!(*one == more, "{name} with {threads} threads differs from that with one");
        }
    }
    let keys = rows(&one[2].1).len();
    assert!(keys > 40_000 + 1000, "{keys} keys");
}

#[test]
fn every_fixture_gives_the_same_rows_with_any_number_of_threads() {
    for (name, path) in dumps() {
        let one = run(&["keys", "--threads", "1", arg(&path)]).expect(0).stdout;
        let more = run(&["keys", "--threads", "3", arg(&path)]).expect(0).stdout;
        assert!(one == more, "{name}");
    }
}

/// A report with rows looks into every packed container, one without passes over most: what it says is the same. So are the
/// rows that it writes and those of `keys`.
#[test]
fn what_is_passed_over_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let made = hand_made().into_iter();
    let made = made.map(|dump| (dump.name.to_owned(), write(dir.path(), &format!("{}.rdb", dump.name), &dump.bytes)));
    let (csv, json, json_of_all) = (path("keys.csv"), path("passed.json"), path("all.json"));
    let config = path("redis.conf");
    std::fs::write(&config, "list-compress-depth 1\nlist-max-listpack-size 2\nset-max-intset-entries 3\n").unwrap();
    for (name, dump) in dumps().into_iter().chain(made) {
        for options in [
            &[][..],
            &["--server", "redis-6.2", "--compare", "valkey-9.0"],
            &["--server", "redis-2.8"],
            &["--big", "element=40"],
            &["--config", &config, "--compare", "hash-max-listpack-entries=1"],
        ] {
            let report = ["report", "-o", "/dev/null", arg(&dump)];
            let report = |more: &[&str]| run(&[&report[..], options, more].concat()).expect(0);
            report(&["--json", &json]);
            report(&["--json", &json_of_all, "--csv", &csv]);
            let [json, json_of_all] = [&json, &json_of_all].map(|path| std::fs::read_to_string(path).unwrap());
            assert!(json == json_of_all, "{name} {options:?}");
        }
        run(&["report", "-o", "/dev/null", "--csv", &csv, arg(&dump)]).expect(0);
        let keys = run(&["keys", arg(&dump)]).expect(0).stdout;
        assert!(std::fs::read(&csv).unwrap() == keys, "{name}: rows");
    }
}

/// A listpack whose header is right and whose entry is none: a report does not look at it, all else does.
#[test]
fn a_report_passes_over_what_it_need_not_know() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let mut blob = listpack(&[s("a"), s("b")]);
    blob[6] = 0xf5; // no such entry
    let whole = listpack(&[s("a"), s("bc")]);
    let dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").key(16, "broken").str(blob).key(16, "sound").str(whole);
    let dump = write(dir.path(), "dump.rdb", &dump.end());
    let json = path("summary.json");
    run(&["report", "-o", "/dev/null", "--json", &json, arg(&dump)]).expect(0);
    let summary: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let keys = summary["biggest"].as_array().unwrap().iter();
    let keys: Vec<_> = keys.map(|key| (&key["key"], &key["num_elements"], &key["len_largest_element"])).collect();
    assert_eq!(keys, [(&"broken".into(), &1.into(), &Value::Null), (&"sound".into(), &1.into(), &2.into())]);
    run(&["report", "-o", "/dev/null", "--csv", &path("keys.csv"), arg(&dump)]).expect(4);
    run(&["keys", arg(&dump)]).expect(4);
    run(&["check", arg(&dump)]).expect(4);
}

/// What comes of a record that a pipe does not keep comes of it in a file as well, however broken it is.
#[test]
fn long_records_are_looked_into_however_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let node = listpack(&[s("x".repeat(4000)), s("y".repeat(4000))]);
    let mut broken = node.clone();
    broken[6] = 0xf5; // no such entry
    for nodes in [100, 1100] {
        let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").key(18, "list").len(nodes);
        for at in 0..nodes {
            dump = dump.len(2).str(if at == 50 { &broken } else { &node });
        }
        let bytes = dump.end();
        let path = write(dir.path(), "list.rdb", &bytes);
        let code = if bytes.len() > 8 << 20 { 4 } else { 0 };
        let mapped = run(&["--json", &format!("stdin={}", arg(&path))]).expect(code).json();
        let piped = run_with_input(&["--json", "-"], &bytes).expect(code).json();
        assert_eq!(without_source(mapped, "list"), without_source(piped, "list"), "{nodes} nodes");
    }
}

/// A summary without what differs between a file and standard input: name and path of the dump, what follows the RDB.
fn without_source(mut summary: Value, name: &str) -> Value {
    let dump = &mut summary["dumps"][0];
    dump["path"] = "-".into();
    dump.as_object_mut().unwrap().remove("trailing_bytes");
    dump["notes"].as_array_mut().unwrap().retain(|note| !note.to_string().contains("follow the"));
    let text = summary.to_string();
    serde_json::from_str(&text.replace(&format!("\"{name}\""), "\"stdin\"")).unwrap()
}

#[test]
fn a_pipe_gives_what_a_mapped_file_gives() {
    for (name, path) in dumps() {
        let bytes = std::fs::read(&path).unwrap();
        // Under one name, so that the rows can be compared as they are.
        let mapped = run(&["keys", &format!("stdin={}", arg(&path))]).expect(0);
        let piped = run_with_input(&["keys", "-"], &bytes).expect(0);
        assert!(mapped.stdout == piped.stdout, "{name}: rows");
        let mapped = run(&["--json", &format!("stdin={}", arg(&path))]).expect(0).json();
        let piped = run_with_input(&["--json", "-"], &bytes).expect(0).json();
        assert_eq!(without_source(mapped, &name), without_source(piped, &name), "{name}: summary");
    }
}

#[test]
fn hand_made_dumps_are_the_same_from_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let broken = HandMade { name: "broken-inside", bytes: broken_inside(), keys: Vec::new() };
    for HandMade { name, bytes, .. } in hand_made().into_iter().chain([broken]) {
        let path = write(dir.path(), &format!("{name}.rdb"), &bytes);
        let code = if name == "broken-inside" { 4 } else { 0 };
        let mapped = run(&["keys", &format!("stdin={}", arg(&path))]).expect(code).stdout;
        assert!(mapped == run_with_input(&["keys", "-"], &bytes).expect(code).stdout, "{name}: rows");
        let mapped = run(&["--json", &format!("stdin={}", arg(&path))]).expect(code).json();
        let piped = run_with_input(&["--json", "-"], &bytes).expect(code).json();
        assert_eq!(without_source(mapped, name), without_source(piped, name), "{name}: summary");
    }
}

#[test]
fn a_record_longer_than_the_window_is_the_same_from_a_pipe() {
    // Longer than the 8 MiB that a stream keeps whole: decoded as it comes.
    let dir = tempfile::tempdir().unwrap();
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").string("before", "v");
    dump = dump.key(2, "giant-set").len(300_000);
    for n in 0..300_000 {
        dump = dump.str(format!("member-{n:024}"));
    }
    dump = dump.key(5, "giant-sorted-set").len(400_000);
    for n in 0..400_000 {
        dump = dump.str(format!("player-{n}")).raw(&f64::from(n).to_le_bytes());
    }
    // Few enough fields to be packed, were it not for one value.
    dump = dump.key(4, "hash-with-a-giant").len(400);
    for n in 0..400 {
        dump = dump.str(format!("field-{n}"));
        dump = if n == 300 { dump.str(vec![b'h'; 9 << 20]) } else { dump.str(n.to_string()) };
    }
    dump = dump.string("giant-string", vec![b'g'; 10 << 20]).string("after", "v");
    let bytes = dump.end();
    let path = write(dir.path(), "giant.rdb", &bytes);
    let mapped = run(&["keys", &format!("stdin={}", arg(&path))]).expect(0);
    let piped = run_with_input(&["keys", "-"], &bytes).expect(0);
    assert_eq!(mapped.text(), piped.text());
    assert_eq!(mapped.rows().len(), 6);
    let cut = &bytes[..bytes.len() - (5 << 20)];
    let piped = run_with_input(&["keys", "-"], cut).expect(4);
    assert!(
        piped.stderr.contains(&format!("at byte {}", cut.len())) && piped.stderr.contains("giant-string"),
        "{}",
        piped.stderr
    );
}

#[test]
fn dumps_together_and_alone_give_the_same_figures() {
    let mut together = Vec::new();
    for (threads, dump) in ["1", "4"].iter().map(|threads| {
        let mut args: Vec<String> = ["--json", "--threads", threads].map(str::to_owned).to_vec();
        args.extend(cluster_dumps().iter().map(|path| arg(path).to_owned()));
        (threads, run(&args).expect(0).json())
    }) {
        together = dump["dumps"].as_array().unwrap().clone();
        assert_eq!(together.len(), 3, "{threads} threads");
        for (path, together) in cluster_dumps().iter().zip(&together) {
            let alone = run(&["--json", arg(path)]).expect(0).json();
            assert_eq!(alone["dumps"][0], *together, "{threads} threads");
        }
    }
    // And the sums are those of the parts.
    let mut args = vec!["--json".to_owned()];
    args.extend(cluster_dumps().iter().map(|path| arg(path).to_owned()));
    let summary = run(&args).expect(0).json();
    for sum in ["keys", "footprint_bytes", "memory_usage_bytes", "serialized_bytes", "elements"] {
        let parts: u64 = together.iter().map(|dump| dump["totals"][sum].as_u64().unwrap()).sum();
        assert_eq!(summary["totals"][sum].as_u64(), Some(parts), "{sum}");
    }
}

#[test]
fn rows_add_up_to_the_summary() {
    let mut args: Vec<&str> = vec!["keys"];
    let dumps = cluster_dumps();
    args.extend(dumps.iter().map(|path| arg(path)));
    let rows = run(&args).expect(0).rows();
    args[0] = "--json";
    let totals = run(&args).expect(0).json()["totals"].clone();
    let sum = |column: &str| rows.iter().map(|row| row[column].parse::<u64>().unwrap()).sum::<u64>();
    assert_eq!(totals["keys"], rows.len() as u64);
    assert_eq!(totals["footprint_bytes"], sum("footprint_bytes"));
    assert_eq!(totals["memory_usage_bytes"], sum("size_in_bytes"));
    assert_eq!(totals["serialized_bytes"], sum("serialized_bytes"));
}
