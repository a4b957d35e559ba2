//! What fills slots and nodes, and what would save memory: the figures of the summary, checked against dumps made for them.

use std::path::Path;

use crate::common::*;
use serde_json::Value;

/// A node's dump in cluster mode.
fn node() -> Rdb {
    Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").aux("ctime", "1767225600").select(0)
}

fn json(args: &[&str]) -> Value {
    let mut all = vec!["--json"];
    all.extend(args);
    run(&all).expect(0).json()
}

fn row<'v>(summary: &'v Value, list: &str, member: &str, name: &str) -> Option<&'v Value> {
    summary["savings"][list].as_array().unwrap().iter().find(|row| row[member] == name)
}

fn hash(dump: Rdb, key: &str, fields: u64, value: usize) -> Rdb {
    (0..fields).fold(dump.key(4, key).len(fields), |dump, n| dump.str(format!("f{n}")).str(vec![b'v'; value]))
}

fn set(dump: Rdb, key: &str, members: impl Iterator<Item = String> + Clone) -> Rdb {
    let count = members.clone().count() as u64;
    members.fold(dump.key(2, key).len(count), |dump, member| dump.str(member))
}

fn zset(dump: Rdb, key: &str, members: u64, member: usize) -> Rdb {
    (0..members).fold(dump.key(5, key).len(members), |dump, n| {
        dump.str(format!("{n:0member$}")).raw(&(n as f64 / 4.0).to_le_bytes())
    })
}

/// What raising a setting saves is what the whole model says of the raised setting, to the byte, on every server.
#[test]
fn savings_of_settings_are_those_of_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let ints = |count: u64| (0..count).map(|n| (n * 1000).to_string());
    let texts = |count: usize, len: usize| (0..count).map(move |n| format!("{n:x>len$}"));
    let cases: [(&str, &str, Rdb); 7] = [
        ("hash-max-listpack-entries", "2048", hash(hash(node(), "a", 513, 9), "b", 2048, 3)),
        ("hash-max-listpack-value", "256", hash(hash(node(), "a", 12, 65), "b", 500, 256)),
        ("set-max-intset-entries", "2048", set(set(node(), "a", ints(513)), "b", ints(2048))),
        ("set-max-listpack-entries", "512", set(set(node(), "a", texts(129, 8)), "b", texts(512, 20))),
        ("set-max-listpack-value", "256", set(set(node(), "a", texts(12, 65)), "b", texts(128, 256))),
        ("zset-max-listpack-entries", "512", zset(zset(node(), "a", 129, 8), "b", 512, 20)),
        ("zset-max-listpack-value", "256", zset(zset(node(), "a", 12, 65), "b", 128, 256)),
    ];
    let servers = [
        "redis-4.0",
        "redis-5.0",
        "redis-6.2",
        "redis-7.0",
        "redis-7.2",
        "redis-7.4",
        "redis-8.2",
        "redis-8.6",
        "valkey-8.0",
        "valkey-8.1",
        "valkey-9.0",
    ];
    let mut compared = 0;
    for (setting, raised, dump) in cases {
        let path = write(dir.path(), &format!("{setting}.rdb"), &dump.end());
        for server in servers {
            let summary = json(&[arg(&path), "--server", server, "--compare", &format!("{setting}={raised}")]);
            let old = setting.replace("listpack", "ziplist");
            let named = row(&summary, "settings", "setting", setting);
            let Some(row) = named.or_else(|| row(&summary, "settings", "setting", &old)) else {
                let packed_sets = ["redis-7.2", "redis-7.4", "redis-8", "valkey"];
                assert!(setting.starts_with("set-max-listpack"), "{setting} on {server}");
                assert!(!packed_sets.iter().any(|first| server.starts_with(first)), "{setting} on {server}");
                continue;
            };
            let old_server = ["redis-4", "redis-5", "redis-6"].iter().any(|first| server.starts_with(first));
            assert_eq!(named.is_none(), old_server && setting != "set-max-intset-entries", "{setting} on {server}");
            let now = summary["totals"]["footprint_bytes"].as_u64().unwrap();
            let then = summary["comparisons"][0]["footprint_bytes"].as_u64().unwrap();
            let (twice, four) = (&row["within_twice"], &row["within_four_times"]);
            assert_eq!(four["saved_bytes"], now - then, "{setting} on {server}");
            assert_eq!((&twice["keys"], &four["keys"]), (&1.into(), &2.into()), "{setting} on {server}");
            assert_eq!(four["footprint_bytes"], now);
            assert!(twice["saved_bytes"].as_u64().unwrap() > 0);
            assert_eq!(summary["savings"]["settings"].as_array().unwrap().len(), 1, "{setting} on {server}");
            compared += 1;
        }
    }
    assert!(compared > 60, "{compared}");
}

#[test]
fn only_what_is_just_above_a_single_setting_counts() {
    let dir = tempfile::tempdir().unwrap();
    // At the setting, beyond four times, above two settings at once.
    let mut dump = hash(hash(hash(node(), "at", 512, 64), "far", 2049, 3), "both", 513, 65);
    dump = hash(dump, "long", 5, 257);
    dump = zset(zset(dump, "zat", 128, 64), "zfar", 513, 8);
    dump = set(dump, "iat", (0..512).map(|n| n.to_string()));
    dump = set(dump, "ifar", (0..2049).map(|n| n.to_string()));
    let summary = json(&[arg(&write(dir.path(), "none.rdb", &dump.end()))]);
    assert_eq!(summary["savings"]["settings"], Value::Array(Vec::new()));
    assert_eq!(summary["savings"]["forms"], Value::Array(Vec::new()));
}

#[test]
fn other_forms() {
    let dir = tempfile::tempdir().unwrap();
    let mixed =
        |count: u64, others: u64| (0..count).map(move |n| if n < others { format!("m{n}") } else { n.to_string() });
    let mut dump = set(set(node(), "few", mixed(200, 10)), "many", mixed(200, 11));
    dump = dump.string("zero", "007").string("cents", "12.50").string("int", "7").string("text", "7 days");
    let path = write(dir.path(), "forms.rdb", &dump.end());
    let form =
        |summary: &Value, name: &str| row(summary, "forms", "form", name).map(|row| row["keys"].as_u64().unwrap());
    let summary = json(&[arg(&path)]);
    assert_eq!(form(&summary, "mixed-integer-sets"), Some(1));
    assert_eq!(form(&summary, "plain-numbers"), Some(2));
    assert_eq!(form(&summary, "compressible-strings"), None);
    // What an intset would take instead: the dump without those members says so, but for their number.
    let without = set(node(), "few", (10..210).map(|n| n.to_string()));
    let path = write(dir.path(), "ints.rdb", &without.end());
    let intset = json(&[arg(&path)])["totals"]["footprint_bytes"].as_u64().unwrap();
    let saved = row(&summary, "forms", "form", "mixed-integer-sets").unwrap();
    let difference = saved["footprint_bytes"].as_u64().unwrap() - saved["saved_bytes"].as_u64().unwrap();
    assert!(difference.abs_diff(intset) <= 16, "{difference} and {intset}");
    // A string that the server compressed to a tenth.
    let compressed = fixtures().join("dumps/redis-7.2.rdb");
    assert!(form(&json(&[arg(&compressed)]), "compressible-strings").is_some());
}

/// Three nodes of ranges, one of which has a giant key, a tag that gathers, and a heavy slot of many names.
fn uneven(dir: &Path) -> Vec<String> {
    let mut dumps = [node(), node(), node()];
    let of = |slot: u16| usize::from(slot / 5462);
    let mut put = |key: String, bytes: usize| {
        let at = of(slot(&key));
        let dump = std::mem::replace(&mut dumps[at], Rdb(Vec::new()));
        dumps[at] = dump.string(key, vec![b'x'; bytes]);
    };
    (0..3000).for_each(|n| put(format!("user:{n}"), 1000));
    put("giant".to_owned(), 40 << 20);
    (0..2000).for_each(|n| put(format!("{{tenant}}:{n}"), 10_000));
    let dumps = dumps.map(Rdb::end);
    ["a", "b", "c"]
        .iter()
        .zip(dumps)
        .map(|(name, dump)| arg(&write(dir, &format!("{name}.rdb"), &dump)).to_owned())
        .collect()
}

fn slot(key: &str) -> u16 {
    rdbscope::cluster::slot_of(key.as_bytes())
}

#[test]
fn slots_say_what_fills_them_and_nodes_what_makes_the_difference() {
    let dir = tempfile::tempdir().unwrap();
    let dumps = uneven(dir.path());
    let mut args: Vec<&str> = dumps.iter().map(String::as_str).collect();
    args.extend(["--cluster-mode", "yes", "--nodes"]);
    let nodes = dir.path().join("nodes.conf");
    let line = |n: usize, slots: &str| {
        format!("{} 127.0.0.1:700{n}@1700{n} master - 0 0 {n} connected {slots}\n", n.to_string().repeat(40))
    };
    std::fs::write(&nodes, [line(1, "0-5461"), line(2, "5462-10923"), line(3, "10924-16383")].concat()).unwrap();
    args.push(arg(&nodes));
    let summary = json(&args);
    let first = &summary["slots"]["heaviest"][0];
    assert_eq!((&first["slot"], &first["largest_key"]["key"]), (&slot("giant").into(), &"giant".into()));
    assert!(first["largest_key"]["footprint_bytes"].as_u64().unwrap() > 40 << 20);
    let second = &summary["slots"]["heaviest"][1];
    assert_eq!(second["slot"], slot("{tenant}"));
    assert_eq!((&second["main_tag"]["tag"], &second["main_tag"]["keys"]), (&"tenant".into(), &2000.into()));
    assert_eq!(summary["slots"]["tags"]["heaviest"][0], second["main_tag"]);
    assert_eq!(summary["slots"]["tags"]["keys"], 2000);
    assert_eq!(summary["slots"]["tags"]["distinct"], 1);
    let sum = |bins: &str| summary["slots"][bins].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("key_bins"), sum("bins")), (5001, summary["totals"]["footprint_bytes"].as_u64().unwrap()));
    // Both slots are findings, with their cause.
    let findings: Vec<&str> = summary["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["kind"] == "slot-concentration")
        .map(|finding| finding["text"].as_str().unwrap())
        .collect();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].contains("\"giant\" alone takes 48.0 MiB"), "{findings:?}");
    assert!(findings[1].contains("2,000 keys with the hash tag \"tenant\" take "), "{findings:?}");
    // The parts of each node's difference add up to it.
    let causes = summary["imbalance"]["causes"].as_array().unwrap();
    assert!(!causes.is_empty());
    for node in causes {
        let parts = node["parts"].as_array().unwrap();
        let sum: i64 = parts.iter().map(|part| part["bytes"].as_i64().unwrap()).sum();
        assert_eq!(node["difference_bytes"], sum, "{node}");
    }
    let all: String = causes.iter().map(Value::to_string).collect();
    assert!(all.contains("\"giant\""), "{all}");
    // No number of nodes brings the largest below the giant's slot.
    let scaling = summary["rebalance"]["scaling"].as_array().unwrap();
    assert_eq!(scaling.iter().map(|row| row["nodes"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 4, 5, 6]);
    for row in scaling {
        assert_eq!((&row["bound_slot"], &row["largest_bytes"]), (&slot("giant").into(), &first["footprint_bytes"]));
    }
    // The same with any number of threads, on the page and the terminal as well.
    let page = dir.path().join("page.html");
    for kind in [&["--json"][..], &[], &["report", "-o", arg(&page)]] {
        let with = |threads: &str| {
            let mut all = kind.to_vec();
            all.extend(&args);
            all.extend(["--threads", threads]);
            let done = run(&all).expect(0).stdout;
            if kind.first() == Some(&"report") { std::fs::read(&page).unwrap() } else { done }
        };
        let one = with("1");
        assert!(one == with("3"), "{kind:?}");
        assert!(String::from_utf8_lossy(&one).contains("tenant"), "{kind:?}");
    }
}

#[test]
fn too_many_tags_are_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let dump = (0..65_537).fold(node(), |dump, n| dump.string(format!("{{{n}}}"), "v"));
    let path = write(dir.path(), "tags.rdb", &dump.end());
    let one = json(&[arg(&path), "--threads", "1"]);
    assert_eq!(one, json(&[arg(&path), "--threads", "3"]));
    let tags = &one["slots"]["tags"];
    assert_eq!((&tags["keys"], &tags["distinct"]), (&65_537.into(), &0.into()));
    assert_eq!(tags["nodes_with_too_many"], serde_json::json!(["tags"]));
    assert_eq!(tags["heaviest"], Value::Array(Vec::new()));
}

#[test]
fn hostile_tags_are_text_on_the_page() {
    let dir = tempfile::tempdir().unwrap();
    let tag = "<img src=x onerror=alert(1)>\u{1b}[31m`$(id)`";
    let dump = node().string(format!("{{{tag}}}"), vec![b'x'; 40 << 20]);
    let path = write(dir.path(), "hostile.rdb", &dump.end());
    let page = dir.path().join("page.html");
    run(&["report", arg(&path), "-o", arg(&page), "--cluster-mode", "yes"]).expect(0);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("&#60;img src=x") && !page.contains("<img"));
    let overview = run(&[arg(&path), "--cluster-mode", "yes"]).expect(0).text();
    assert!(!overview.contains('\u{1b}') && !page.contains('\u{1b}'));
}

#[test]
fn memory_that_comes_free_adds_up() {
    let dir = tempfile::tempdir().unwrap();
    let at = 1_767_225_600_000i64;
    let day = 86_400_000;
    let mut dump = node();
    for (n, after) in
        [-1, 0, 1, 3_600_000, 3_600_001, day, 7 * day, 30 * day, 31 * day, 400 * day].into_iter().enumerate()
    {
        dump = dump.expire_ms(at + after).string(format!("k{n}"), "v");
    }
    let dump = dump.string("stays:1", vec![b'x'; 500]).string("stays:2", "v").end();
    let summary = json(&[arg(&write(dir.path(), "expiry.rdb", &dump))]);
    let freed: Vec<(&str, u64)> = summary["expiry"]["freed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["label"].as_str().unwrap(), row["keys"].as_u64().unwrap()))
        .collect();
    let labels = ["expired", "within an hour", "within a day", "within a week", "within 30 days", "within a year"];
    assert_eq!(freed, labels.into_iter().zip([2, 4, 6, 7, 8, 9]).collect::<Vec<_>>());
    let first = summary["expiry"]["permanent_patterns"][0].as_u64().unwrap() as usize;
    assert_eq!(summary["patterns"][first]["pattern"], "stays:*");
    assert_eq!(summary["expiry"]["permanent_patterns"].as_array().unwrap().len(), 1);
}

/// What is stored tells the same, and hidden names stay hidden in all of it.
#[test]
fn a_stored_summary_tells_the_same_and_hidden_tags_stay_hidden() {
    let dir = tempfile::tempdir().unwrap();
    let mut dump = node().string("{cust:4711000}:giant", vec![b'x'; 40 << 20]);
    for n in 0..300 {
        dump = dump.string(format!("{{cust:{}}}:{n}", 4_711_001 + n / 150), vec![b'x'; 90_000]);
    }
    dump = hash(hash(dump, "profile:1", 600, 5), "profile:2", 600, 5);
    let path = write(dir.path(), "a.rdb", &dump.end());
    let secret = write(dir.path(), "secret", b"0123456789abcdef\n");
    let (stored, one, two) = (dir.path().join("a.json"), dir.path().join("1.html"), dir.path().join("2.html"));
    let report = |args: &[&str]| drop(run(&[&["report", "--cluster-mode", "yes"], args].concat()).expect(0));
    report(&[arg(&path), "-o", arg(&one), "--json", arg(&stored)]);
    run(&["report", "--from", arg(&stored), "-o", arg(&two)]).expect(0);
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    assert!(read(&one) == read(&two) && read(&one).contains("cust:4711001"));
    assert!(read(&one).contains("hash-max-listpack-entries"));
    report(&[arg(&path), "-o", arg(&two), "--json", arg(&stored), "--redact", arg(&secret)]);
    assert!(!read(&two).contains("47110") && !read(&stored).contains("47110"));
    let summary: Value = serde_json::from_str(&read(&stored)).unwrap();
    assert_eq!(summary["slots"]["tags"]["heaviest"][0]["slot"], summary["slots"]["heaviest"][1]["slot"]);
}
