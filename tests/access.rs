//! Logs joined to dumps: what is joined, what is refused, and that names in logs are hostile.

use crate::common::*;
use rdbscope::cluster::slot::slot_of;

fn cluster(extra: &[&str]) -> Done {
    let nodes = fixtures().join("cluster/nodes.conf");
    let mut command = program();
    command.args(["--json", "--nodes", arg(&nodes)]).args(cluster_dumps()).args(extra);
    finish(&mut command)
}

#[test]
fn counts_are_joined_by_key_slot_and_node() {
    let dir = tempfile::tempdir().unwrap();
    let hits = write(dir.path(), "hits.csv", b"key,count\nqueue:analytics:2,5000\n{x}:nowhere,1000\nother,4000\n");
    let done = cluster(&["--hits", arg(&hits)]).expect(0);
    assert_eq!(done.stdout, cluster(&["--hits", arg(&hits), "--threads", "1"]).expect(0).stdout);
    let summary = done.json();
    let access = &summary["access"];
    assert_eq!(access["total"]["hits"], 10_000);
    let nodes = access["nodes"].as_array().unwrap();
    assert_eq!(nodes.iter().map(|node| node["hits"].as_u64().unwrap()).sum::<u64>(), 10_000);
    let first = &access["keys"][0];
    assert_eq!((&first["key"], &first["node"]), (&"queue:analytics:2".into(), &"dump-7002".into()));
    assert_eq!(first["dump"]["num_elements"], 12_000);
    assert_eq!(access["names_not_in_dumps"], 2);
    assert_eq!(access["slots"][0]["slot"], slot_of(b"queue:analytics:2"));

    // It has half of all hits, and three nodes: no way of placing slots evens that out.
    let findings = summary["findings"].as_array().unwrap();
    let hot = findings.iter().find(|finding| finding["kind"] == "hot-key").unwrap();
    assert_eq!(hot["severity"], "critical");
    assert!(findings.iter().any(|finding| finding["kind"] == "hot-and-big"));

    // Each name of a remedy hashes to its slot, on a node of its own.
    let remedies = summary["hot_keys"]["remedies"].as_array().unwrap();
    let tagged = remedies.iter().find(|remedy| remedy["key"] == "{x}:nowhere").unwrap();
    assert!(tagged["names"][1]["key"].as_str().unwrap().starts_with("{x:"), "{tagged}");
    for remedy in remedies {
        let names = remedy["names"].as_array().unwrap();
        let mut nodes: Vec<&str> = names.iter().map(|name| name["node"].as_str().unwrap()).collect();
        nodes.sort_unstable();
        assert_eq!(nodes, ["dump-7001", "dump-7002", "dump-7003"], "{remedy}");
        assert!(names.iter().all(|name| name["slot"] == slot_of(name["key"].as_str().unwrap().as_bytes())));
    }
}

#[test]
fn without_owners_the_names_are_not_guessed() {
    let dir = tempfile::tempdir().unwrap();
    let dump = write(dir.path(), "a.rdb", &Rdb::new("REDIS0009").select(0).string("a", "1").end());
    let hits = write(dir.path(), "hits.csv", b"a,5\n");
    let done = finish(program().args(["--json", arg(&dump), "--hits", arg(&hits)])).expect(0).json();
    let remedy = &done["hot_keys"]["remedies"][0];
    assert_eq!((&remedy["key"], remedy["names"].as_array().unwrap().len()), (&"a".into(), 0));
    assert!(remedy["note"].as_str().unwrap().contains("one node"), "{remedy}");
}

#[test]
fn a_file_that_is_no_log_is_refused_by_name_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let bad = write(dir.path(), "bad.txt", b"\xff\xfe nonsense\nmore\n");
    for option in ["--monitor", "--slowlog", "--hits"] {
        let done = cluster(&[option, arg(&bad)]).expect(2);
        assert!(
            done.stderr.contains("bad.txt: line 1: is no") || done.stderr.contains("bad.txt: line 1: no"),
            "{}",
            done.stderr
        );
        let done = cluster(&[option, "/no/such/file"]).expect(3);
        assert!(done.stderr.contains("/no/such/file"), "{}", done.stderr);
    }
}

#[test]
fn names_in_logs_are_never_markup_nor_control() {
    let dir = tempfile::tempdir().unwrap();
    let evil = "<script>alert(1)</script>\u{202e}\\x1b[31m\\n";
    let log = format!(
        "1700000000.000001 [0 127.0.0.1:1] \"GET\" \"{evil}\"\n1700000009.000001 [0 127.0.0.1:1] \"<b>{evil}\" \"k\"\n"
    );
    let log = write(dir.path(), "log<b>.txt", log.as_bytes());
    let page = dir.path().join("page.html");
    let nodes = fixtures().join("cluster/nodes.conf");
    let mut report = program();
    report.args(["report", "-o", arg(&page), "--nodes", arg(&nodes), "--monitor", arg(&log)]).args(cluster_dumps());
    finish(&mut report).expect(0);
    let page = std::fs::read_to_string(page).unwrap();
    let text =
        finish(program().args(["--nodes", arg(&nodes), "--monitor", arg(&log)]).args(cluster_dumps())).expect(0).text();
    for output in [&page, &text] {
        assert!(output.chars().all(|c| (!c.is_control() || c == '\n') && c != '\u{202e}'));
        assert!(output.contains("alert(1)"));
    }
    assert!(!page.contains("<script>alert") && !page.contains("<b>"));
    assert!(page.contains("\\x1b[31m\\x0a"));
}
