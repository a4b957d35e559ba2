//! A cluster's dumps in one run: whose dump is whose, what is missing, what is misplaced, and replicas that do not count twice.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::common::*;
use rdbscope::cluster::slot::slot_of;
use serde_json::Value;

fn nodes() -> PathBuf {
    fixtures().join("cluster/nodes.conf")
}

fn summary(dumps: &[PathBuf], nodes: Option<PathBuf>) -> Value {
    let mut command = program();
    command.arg("--json").args(dumps);
    if let Some(nodes) = nodes {
        command.arg("--nodes").arg(nodes);
    }
    finish(&mut command).expect(0).json()
}

fn findings(summary: &Value) -> Vec<&str> {
    summary["findings"].as_array().unwrap().iter().map(|finding| finding["kind"].as_str().unwrap()).collect()
}

#[test]
fn every_dump_is_matched_to_the_owner_of_its_slots() {
    // In another order than the nodes file's.
    let mut dumps = cluster_dumps();
    dumps.rotate_left(1);
    let summary = summary(&dumps, Some(nodes()));
    let nodes: Vec<(&str, &str, &str)> = summary["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| {
            (node["name"].as_str().unwrap(), node["address"].as_str().unwrap(), node["slots_owned"].as_str().unwrap())
        })
        .collect();
    assert_eq!(nodes.len(), 3);
    for (name, address, slots) in nodes {
        let expected = match name {
            "dump-7001" => ("10.0.0.1:7001", "0-5460"),
            "dump-7002" => ("10.0.0.2:7002", "5461-10922"),
            "dump-7003" => ("10.0.0.3:7003", "10923-16383"),
            other => panic!("node {other}"),
        };
        assert!(address.starts_with(expected.0), "{name}: {address}");
        assert_eq!(slots, expected.1, "{name}");
    }
    let cluster = &summary["cluster"];
    assert_eq!(cluster["owners_from"], "nodes file");
    assert_eq!((&cluster["uncovered_count"], &cluster["misplaced_keys"]), (&0.into(), &0.into()));
    assert!(cluster["missing_masters"].as_array().unwrap().is_empty());
    assert!(!findings(&summary).iter().any(|kind| {
        ["missing-master", "uncovered-slots", "misplaced-keys", "replica-dump", "unmatched-dump"].contains(kind)
    }));
}

#[test]
fn slots_of_rows_are_those_of_the_keys() {
    let mut args = vec!["keys", "--escape", "base64"];
    let dumps = cluster_dumps();
    args.extend(dumps.iter().map(|path| arg(path)));
    let owned = BTreeMap::from([("dump-7001", 0..5461), ("dump-7002", 5461..10923), ("dump-7003", 10923..16384)]);
    for row in run(&args).expect(0).rows() {
        use base64::Engine as _;
        let key = base64::prelude::BASE64_STANDARD.decode(&row["key"]).unwrap();
        assert_eq!(row["slot"], slot_of(&key).to_string());
        assert!(owned[row["node"].as_str()].contains(&slot_of(&key)));
    }
}

#[test]
fn a_master_without_a_dump_is_named_with_its_slots() {
    let dumps = cluster_dumps();
    let summary = summary(&dumps[..2], Some(nodes()));
    let missing = summary["cluster"]["missing_masters"].as_array().unwrap();
    assert_eq!(missing.len(), 1);
    assert!(missing[0]["address"].as_str().unwrap().starts_with("10.0.0.3:7003"));
    assert_eq!(missing[0]["slots"], "10923-16383");
    assert_eq!(missing[0]["slots_count"], 5461);
    assert_eq!(summary["cluster"]["uncovered"], "10923-16383");
    assert_eq!(summary["cluster"]["uncovered_count"], 5461);
    assert!(findings(&summary).contains(&"missing-master"), "{:?}", findings(&summary));
    let text = run(&["--nodes", arg(&nodes()), arg(&dumps[0]), arg(&dumps[1])]).expect(0).text();
    assert!(text.contains("10.0.0.3:7003"), "{text}");
}

#[test]
fn slots_that_nobody_owns_are_uncovered() {
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(nodes()).unwrap();
    let shrunk = text.replace("10923-16383", "10923-16000 16002-16383").replace("0-5460", "0-5459");
    assert_ne!(text, shrunk);
    let file = write(dir.path(), "nodes.conf", shrunk.as_bytes());
    let summary = summary(&cluster_dumps(), Some(file));
    assert_eq!(summary["cluster"]["uncovered_count"], 2);
    assert_eq!(summary["cluster"]["uncovered"].as_str().unwrap().replace(' ', ""), "5460,16001");
    assert!(findings(&summary).contains(&"uncovered-slots"), "{:?}", findings(&summary));
}

/// Names in slots of the first node of the fixture, and others that are not.
fn names(in_first: bool, count: usize) -> Vec<String> {
    (0..)
        .map(|n| format!("name:{n}"))
        .filter(|name| (slot_of(name.as_bytes()) <= 5460) == in_first)
        .take(count)
        .collect()
}

#[test]
fn keys_in_the_wrong_slot_are_counted_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4");
    for name in names(true, 50).iter().chain(&names(false, 3)) {
        dump = dump.string(name, "v");
    }
    let path = write(dir.path(), "first.rdb", &dump.end());
    let summary = summary(&[path, cluster_dumps()[1].clone(), cluster_dumps()[2].clone()], Some(nodes()));
    let cluster = &summary["cluster"];
    assert_eq!(cluster["misplaced_keys"], 3);
    let mut shown: Vec<&str> =
        cluster["misplaced_examples"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap()).collect();
    shown.sort_unstable();
    let mut expected = names(false, 3);
    expected.sort_unstable();
    assert_eq!(shown, expected);
    for example in cluster["misplaced_examples"].as_array().unwrap() {
        assert_eq!(example["node"], "first");
        assert_eq!(example["slot"], slot_of(example["key"].as_str().unwrap().as_bytes()));
    }
    assert_eq!(summary["nodes"][0]["misplaced_keys"], 3);
    assert!(findings(&summary).contains(&"misplaced-keys"), "{:?}", findings(&summary));
}

/// Runs report (JSON and CSV), JSON overview and keys over the dumps; gives the key counts of each and all messages.
fn counts(args: &[&str]) -> (Vec<u64>, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (page, csv, json) = (file("page.html"), file("keys.csv"), file("summary.json"));
    let overview = run(&[&["--json"], args].concat()).expect(0);
    let keys = run(&[&["keys"], args].concat()).expect(0);
    let report = run(&[&["report", "-o", &page, "--csv", &csv, "--json", &json], args].concat()).expect(0);
    let of_report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let counts = vec![
        overview.json()["totals"]["keys"].as_u64().unwrap(),
        keys.rows().len() as u64,
        of_report["totals"]["keys"].as_u64().unwrap(),
        rows(&std::fs::read(&csv).unwrap()).len() as u64,
    ];
    let said =
        [overview.json()["findings"].to_string(), keys.stderr, report.stderr, std::fs::read_to_string(page).unwrap()]
            .join("\n");
    (counts, said)
}

#[test]
fn a_replicas_dump_does_not_count_twice() {
    // Real ones: the third master of a Redis 8.6 cluster, and its replica.
    let folder = fixtures().join("dumps/redis-8.6-cluster");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let masters = [file("node-27600.rdb"), file("node-27601.rdb"), file("node-27602.rdb")];
    let mut args: Vec<&str> = masters.iter().map(String::as_str).collect();
    let (alone, _) = counts(&args);
    assert!(alone.iter().all(|count| *count == alone[0] && *count > 50), "{alone:?}");
    let (replica, nodes) = (file("node-27605.rdb"), file("nodes.conf"));
    args.push(&replica);
    let (without_nodes, said) = counts(&args);
    assert_eq!(without_nodes, alone);
    assert!(said.contains("node-27605") && said.contains("node-27602"), "it is said which");
    args.extend(["--nodes", &nodes]);
    let (with_nodes, _) = counts(&args);
    assert_eq!(with_nodes, alone);
    let summary = run(&[&["--json"], &args[..]].concat()).expect(0).json();
    let roles: Vec<String> = summary["dumps"].as_array().unwrap().iter().map(|dump| dump["role"].to_string()).collect();
    assert_eq!(roles[..3], ["\"counted\"", "\"counted\"", "\"counted\""]);
    assert!(roles[3].contains("same_as") && roles[3].contains("node-27602"), "{roles:?}");
    assert!(findings(&summary).contains(&"replica-dump"));
    assert_eq!(summary["nodes"].as_array().unwrap().len(), 3);
    assert_eq!(summary["cluster"]["uncovered_count"], 0);
}

#[test]
fn the_whole_dump_of_two_counts() {
    // The master's dump is cut off: then its replica's is the one to count, and the run still says that something is damaged.
    let folder = fixtures().join("dumps/redis-8.6-cluster");
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(folder.join("node-27602.rdb")).unwrap();
    let master = write(dir.path(), "master.rdb", &whole[..whole.len() - 60]);
    let replica = folder.join("node-27605.rdb");
    let summary = run(&["--json", arg(&master), arg(&replica)]).expect(4).json();
    assert!(summary["dumps"][0]["role"].to_string().contains("node-27605"), "{}", summary["dumps"][0]["role"]);
    assert_eq!(summary["dumps"][1]["role"], "counted");
    let keys = run(&["keys", arg(&master), arg(&replica)]);
    assert!(keys.rows().iter().all(|row| row["node"] == "node-27605"));
    assert_eq!(keys.rows().len() as u64, summary["totals"]["keys"].as_u64().unwrap());
}

#[test]
fn a_dump_with_a_wrong_checksum_gives_way_to_its_replicas() {
    // The rows and the report must choose the same one.
    let folder = fixtures().join("dumps/redis-8.6-cluster");
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(folder.join("node-27602.rdb")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let master = write(dir.path(), "master.rdb", &bytes);
    let replica = folder.join("node-27605.rdb");
    let summary = run(&["--json", arg(&master), arg(&replica)]).expect(4).json();
    let counted: Vec<&str> =
        summary["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(counted, ["node-27605"]);
    let keys = run(&["keys", arg(&master), arg(&replica)]);
    assert!(keys.rows().iter().all(|row| row["node"] == "node-27605"), "keys lists the dump that the report counts");
}

#[test]
fn a_dump_from_standard_input_changes_nothing_about_replicas() {
    let folder = fixtures().join("dumps/redis-8.6-cluster");
    let (master, replica) = (folder.join("node-27602.rdb"), folder.join("node-27605.rdb"));
    let first = std::fs::read(folder.join("node-27600.rdb")).unwrap();
    let summary = run_with_input(&["--json", arg(&master), arg(&replica), "-"], &first).expect(0).json();
    let keys = run_with_input(&["keys", arg(&master), arg(&replica), "-"], &first).expect(0);
    assert_eq!(
        keys.rows().len() as u64,
        summary["totals"]["keys"].as_u64().unwrap(),
        "rows and report count the same keys"
    );
}

#[test]
fn without_a_nodes_file_ownership_is_what_the_dumps_show() {
    let folder = fixtures().join("dumps/redis-8.6-cluster");
    let dumps: Vec<PathBuf> =
        ["node-27600.rdb", "node-27601.rdb", "node-27602.rdb"].iter().map(|name| folder.join(name)).collect();
    let summary = summary(&dumps, None);
    assert_eq!(summary["cluster"]["owners_from"], "dumps");
    assert_eq!(summary["cluster"]["shared_count"], 0);
}

#[test]
fn two_unrelated_dumps_both_count() {
    let dir = tempfile::tempdir().unwrap();
    let dump =
        |prefix: &str| (0..50).fold(Rdb::new("REDIS0011"), |dump, n| dump.string(format!("{prefix}:{n}"), "v")).end();
    let (a, b) = (write(dir.path(), "a.rdb", &dump("a")), write(dir.path(), "b.rdb", &dump("b")));
    assert_eq!(summary(&[a, b], None)["totals"]["keys"], 100);
}

#[test]
fn a_nodes_file_that_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dump = &cluster_dumps()[0];
    let bad = write(dir.path(), "nodes.conf", b"this is no nodes file\n");
    let done = run(&["--json", "--nodes", arg(&bad), arg(dump)]).expect(2);
    assert!(done.stderr.contains("nodes.conf"), "{}", done.stderr);
    run(&["--json", "--nodes", arg(&dir.path().join("absent")), arg(dump)]).expect(3);
}
