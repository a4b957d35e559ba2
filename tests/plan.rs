//! `rdbscope plan` from outside: what it plans for which dumps, what it names first, and what it says when there is no plan.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::*;
use rdbscope::cluster::slot::slot_of;
use serde_json::Value;

const NODES: [&str; 2] = ["--nodes", "cluster/nodes.conf"];

fn plan(args: &[&str]) -> Value {
    run(&[&["plan", "--json"], args].concat()).expect(0).json()
}

fn field(plan: &Value, node: usize, part: &str, of: &str) -> u64 {
    plan["nodes"][node][part][of].as_u64().unwrap()
}

#[test]
fn nodes_and_moves_add_up() {
    for target in ["1", "2", "3", "4", "50"] {
        let plan = plan(&[&["cluster", "--nodes-target", target][..], &NODES].concat());
        let nodes = plan["nodes"].as_array().unwrap();
        let sum = |part: &str, of: &str| -> u64 { (0..nodes.len()).map(|node| field(&plan, node, part, of)).sum() };
        for of in ["bytes", "keys", "slots"] {
            assert_eq!(sum("before", of), sum("after", of), "{target}: {of}");
        }
        assert_eq!(sum("after", "slots"), 16384);
        let staying = nodes.iter().filter(|node| node["fate"] != "leaves").count();
        assert_eq!(staying.to_string(), target);
        for (n, node) in nodes.iter().enumerate().filter(|(_, node)| node["fate"] == "leaves") {
            assert_eq!(field(&plan, n, "after", "slots"), 0, "{node}");
        }
        for step in plan["moves"].as_array().unwrap() {
            let count: u64 = step["slots"]
                .as_str()
                .unwrap()
                .split(' ')
                .map(|range| {
                    let (first, last) = range.split_once('-').unwrap_or((range, range));
                    last.parse::<u64>().unwrap() - first.parse::<u64>().unwrap() + 1
                })
                .sum();
            assert_eq!(count, step["load"]["slots"]);
        }
    }
}

#[test]
fn the_bound_is_the_slot_of_the_heaviest_key() {
    let plan = plan(&[&["cluster"][..], &NODES].concat());
    assert_eq!(plan["bound"]["is_slot"], true);
    assert_eq!(plan["goal_reached"], false);
    assert_eq!(plan["bound"]["heaviest_slot"], plan["heaviest_key"]["slot"]);
    assert_eq!(plan["after"]["largest_bytes"], plan["bound"]["bytes"]);
    let text = run(&[&["plan", "cluster"][..], &NODES].concat()).expect(0).text();
    assert!(text.contains("queue:analytics:2") && text.contains("split that key"), "{text}");
}

#[test]
fn owners_come_from_the_dumps_where_no_nodes_file_is_given() {
    let plan = plan(&["cluster"]);
    assert_eq!(plan["owners_from"], "dumps");
    assert_eq!(plan["nodes"].as_array().unwrap().len(), 3);
    assert!(plan["nodes"][0].get("id").is_none());
    let script = run(&["plan", "--commands", "cluster"]).expect(0).text();
    assert!(script.contains("'<id of dump-7001>'") && script.contains("fill in"), "{script}");
}

#[test]
fn replicas_count_once_and_masters_without_a_dump_are_named() {
    let folder = fixtures().join("dumps/redis-8.6-cluster");
    let nodes = folder.join("nodes.conf");
    let all = plan(&[arg(&folder), "--nodes", arg(&nodes)]);
    assert_eq!(all["nodes"].as_array().unwrap().len(), 3);
    assert_eq!(all["migration"], "migration-import");
    let two = plan(&[arg(&folder.join("node-27600.rdb")), arg(&folder.join("node-27602.rdb")), "--nodes", arg(&nodes)]);
    assert_eq!(two["nodes"].as_array().unwrap().len(), 2);
    assert!(two["notes"].to_string().contains("127.0.0.1:27601"), "{}", two["notes"]);
}

#[test]
fn slots_of_nobody_or_in_the_wrong_dump_or_on_the_move_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(fixtures().join("cluster/nodes.conf")).unwrap();
    // Slot 5 belongs to nobody, 17 to another than the dump that has it, and 21 is on its way.
    let id = text.lines().nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let text = text
        .replace("connected 0-5460", &format!("connected 0-4 6-16 18-5460 [21->-{id}]"))
        .replace("connected 5461-10922", "connected 17 5461-10922");
    let file = write(dir.path(), "nodes.conf", text.as_bytes());
    let plan = plan(&["cluster", "--nodes", arg(&file)]);
    let alone = plan["left_alone"].as_array().unwrap();
    let slots: Vec<&str> = alone.iter().map(|row| row["slots"].as_str().unwrap()).collect();
    assert_eq!(slots, ["5", "17", "21"], "{alone:?}");
    assert!(alone.iter().all(|row| row["load"]["keys"].as_u64().unwrap() > 0 && row["load"]["slots"] == 1));
    for step in plan["moves"].as_array().unwrap() {
        let moved = format!(" {} ", step["slots"].as_str().unwrap());
        assert!(![" 5 ", " 17 ", " 21 "].iter().any(|slot| moved.contains(slot)), "{moved}");
    }
}

#[test]
fn nodes_that_leave_can_be_named() {
    let plan = plan(&[&["cluster", "--remove", "dump-7003"][..], &NODES].concat());
    assert_eq!(plan["nodes"][2]["fate"], "leaves");
    assert_eq!(field(&plan, 2, "after", "slots"), 0);
    let done = run(&[&["plan", "cluster", "--remove", "dump-7004"][..], &NODES].concat()).expect(2);
    assert!(done.stderr.contains("dump-7004") && done.stderr.contains("dump-7003"), "{}", done.stderr);
    assert!(done.stdout.is_empty());
}

#[test]
fn without_a_cluster_it_says_why_there_is_no_plan() {
    let dir = tempfile::tempdir().unwrap();
    let same = |prefix: &str| {
        let keys = (0..50).map(|n| format!("{{slot{n}}}{prefix}"));
        keys.fold(Rdb::new("REDIS0011"), |dump, key| dump.string(key, "v")).end()
    };
    let (a, b) = (write(dir.path(), "a.rdb", &same("a")), write(dir.path(), "b.rdb", &same("b")));
    let one = "cluster/dump-7001.rdb";
    let cases: [(&[&str], &str); 5] = [
        (&[one], "one node"),
        (&[one, "--nodes-target", "1"], "one node"),
        (&[arg(&a), arg(&b)], "same slots"),
        (&["cluster", "--remove", "dump-7001,dump-7002,dump-7003"], "no node"),
        (&["cluster", "--nodes-target", "0"], "nodes-target"),
    ];
    for (args, why) in cases {
        let done = run(&[&["plan"], args].concat()).expect(2);
        assert!(done.stderr.contains(why), "{args:?}: {}", done.stderr);
        assert!(done.stdout.is_empty(), "{args:?}");
    }
    run(&["plan", "--json", "--commands", "cluster"]).expect(2);
    assert_eq!(plan(&[one, "--nodes-target", "3"])["nodes"].as_array().unwrap().len(), 3, "one node can be spread");
}

#[test]
fn a_damaged_dump_is_planned_with_what_was_read_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(&cluster_dumps()[0]).unwrap();
    let cut = write(dir.path(), "dump-7001.rdb", &whole[..whole.len() / 2]);
    let args = ["plan", "--json", arg(&cut), "cluster/dump-7002.rdb", "cluster/dump-7003.rdb"];
    let done = run(&args).expect(4);
    assert_eq!(done.json()["complete"], false);
    assert!(done.stderr.contains("dump-7001"), "{}", done.stderr);
}

#[test]
fn the_plan_is_in_the_summary_of_a_cluster_and_of_nothing_else() {
    let summary = run(&[&["--json", "cluster"][..], &NODES].concat()).expect(0).json();
    let mut plan = plan(&[&["cluster"][..], &NODES].concat());
    for only in ["schema", "rdbscope", "complete", "commands"] {
        plan.as_object_mut().unwrap().remove(only);
    }
    assert_eq!(summary["rebalance"], plan);
    assert!(run(&["--json", "cluster/dump-7001.rdb"]).expect(0).json().get("rebalance").is_none());
}

/// A name in the first of two halves of the slots, or in the second.
fn name_in(first: bool, prefix: &str) -> String {
    (0..).map(|n| format!("{prefix}{n}")).find(|name| (slot_of(name.as_bytes()) < 8192) == first).unwrap()
}

/// Two dumps whose first has sets of millions of members: too many to move in time. One of them has to.
fn with_slow_keys(dir: &Path) -> (PathBuf, PathBuf) {
    let hostile = "\n$(touch owned)';`touch owned`;\u{202e}\x1b[31m";
    let mut first = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4");
    for name in [name_in(true, &format!("1{hostile}")), name_in(true, &format!("2{hostile}"))] {
        first = first.key(2, &name).len(5_100_000);
        let members: Vec<u8> = (0..5_100_000u32)
            .flat_map(|n| {
                let [a, b, c, d] = n.to_be_bytes();
                [4, a, b, c, d]
            })
            .collect();
        first = first.raw(&members);
    }
    let second = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").string(name_in(false, "small:"), "v");
    (write(dir, "a.rdb", &first.end()), write(dir, "b.rdb", &second.end()))
}

#[test]
fn keys_that_would_not_move_in_time_are_named_first_and_harmlessly() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = with_slow_keys(dir.path());
    let json = plan(&[arg(&a), arg(&b)]);
    let slow = json["slow_keys"].as_array().unwrap();
    assert_eq!(slow.len(), 1, "one of the two moves: {slow:?}");
    assert!(slow[0]["estimate_ms"].as_u64().unwrap() > 5000 && json["slow_keys_complete"] == true);
    let moved = json["moves"][0]["slots"].as_str().unwrap().to_owned();
    assert_eq!(slow[0]["slot"].to_string(), moved);
    let text = run(&["plan", arg(&a), arg(&b)]).expect(0).text();
    assert!(text.find("would not move within MIGRATE's 5 s") < text.find("Nodes now and then"), "{text}");
    for server in ["redis-7.2", "redis-8.4", "valkey-9.0"] {
        let script = run(&["plan", "--commands", "--server", server, arg(&a), arg(&b)]).expect(0).text();
        // Whatever the name of the slow key is, it is on a line that is a comment.
        let with_name: Vec<&str> = script.lines().filter(|line| line.contains("touch owned")).collect();
        assert!(with_name.len() == 1 && with_name[0].starts_with('#'), "{script}");
        assert!(!script.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{script}");
        let file = write(dir.path(), "plan.sh", script.as_bytes());
        // Without addresses nothing can be reached; what matters is that the shell understands it, and what it then does.
        assert!(Command::new("sh").arg("-n").arg(&file).status().unwrap().success());
        let done = Command::new("sh").arg(&file).env("CLI", "false").current_dir(dir.path()).output().unwrap();
        assert!(!done.status.success(), "it stops at what fails");
        assert!(!dir.path().join("owned").exists());
    }
}

#[test]
fn names_of_nodes_are_words_of_the_shell() {
    let dir = tempfile::tempdir().unwrap();
    let name = "a'; touch owned; '\n$(touch owned)";
    let first = format!("{name}={}", arg(&cluster_dumps()[1]));
    for server in ["redis-7.2", "redis-8.4", "valkey-9.0"] {
        let args = ["plan", "--commands", "--server", server, &first, "cluster/dump-7001.rdb"];
        let script = run(&args).expect(0).text();
        assert!(script.contains("touch owned"), "the name is there: {script}");
        let file = write(dir.path(), "plan.sh", script.as_bytes());
        let done = Command::new("sh").arg(&file).env("CLI", "echo").current_dir(dir.path()).output().unwrap();
        assert!(!done.status.success(), "this client never says that it is done");
        assert!(!dir.path().join("owned").exists(), "{script}");
    }
}

/// A client that answers as the servers' documentation has it: a job that failed before, then ours, which takes a while.
const CLIENT: &str = r#"#!/bin/sh
echo "$*" >>calls
case "$*" in
  *MIGRATESLOTS*) echo OK ;;
  *IMPORT*) echo 0123456789abcdef0123456789abcdef01234567 ;;
  *GETSLOTMIGRATIONS* | *STATUS*)
    asked=$(grep -c -e GETSLOTMIGRATIONS -e STATUS calls)
    state=$BEFORE
    [ "$asked" -lt 2 ] || state=$AFTER
    printf 'name\n1\noperation\nEXPORT\nslot_ranges\n0-1\nstate\nfailed\nmessage\n\ncow_size\n0\n' | grep "${OTHERS:-.}"
    printf 'name\n2\noperation\nEXPORT\nslot_ranges\n%s\nstate\n%s\nlast_error\n\n' "$RANGES" "$state"
    ;;
esac
"#;

#[test]
fn the_script_waits_until_slots_have_changed_hands() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "client", CLIENT.as_bytes());
    let cases = [
        ("valkey-9.0", "snapshotting", "success", true),
        ("valkey-9.0", "snapshotting", "failed", false),
        ("valkey-9.0", "cancelled", "cancelled", false),
        ("redis-8.4", "streaming-buffer", "completed", true),
        ("redis-8.4", "streaming-buffer", "failed", false),
    ];
    for (server, before, after, good) in cases {
        // One way only: from one node to a new one.
        let args = ["plan", "--commands", "--server", server, "--nodes-target", "2", "cluster/dump-7001.rdb"];
        let script = run(&args).expect(0).text();
        let ranges = script.lines().rfind(|line| line.starts_with("wait_for")).unwrap();
        let ranges = ranges.split('\'').rev().nth(1).unwrap_or_default();
        let file = write(dir.path(), "plan.sh", script.as_bytes());
        let _ = std::fs::remove_file(dir.path().join("calls"));
        let done = Command::new("sh")
            .arg(&file)
            .envs([("CLI", "sh client"), ("RANGES", ranges), ("BEFORE", before), ("AFTER", after)])
            // Of a task that is asked for by its id, no other is told.
            .env("OTHERS", if server.starts_with("redis") { "^$" } else { "." })
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.success(), good, "{server}, {before}, {after}: {said}");
        assert_eq!(good, said.is_empty(), "{said}");
        let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap();
        let asked = calls.lines().filter(|line| line.contains("GETSLOT") || line.contains("STATUS")).count();
        assert_eq!(asked, if before == "cancelled" { 1 } else { 2 }, "{calls}");
    }
}

#[test]
fn the_page_has_the_plan_for_as_many_nodes_as_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let page = |args: &[&str], code: i32| {
        let path = dir.path().join("page.html");
        let done = run(&[&["report", "cluster", "-o", arg(&path)][..], &NODES, args].concat()).expect(code);
        (std::fs::read_to_string(path).unwrap_or_default(), done.stderr)
    };
    let (now, _) = page(&[], 0);
    assert!(now.contains("Slot by slot, with CLUSTER SETSLOT") && !now.contains(">joins<"));
    let (four, _) = page(&["--nodes-target", "4", "--server", "valkey-9.0"], 0);
    assert!(four.contains(">joins<") && four.contains("CLUSTER MIGRATESLOTS SLOTSRANGE"));
    let (two, _) = page(&["--remove", "dump-7001"], 0);
    assert_eq!(two.matches(">leaves<").count(), 1);
    std::fs::remove_file(dir.path().join("page.html")).unwrap();
    let (none, said) = page(&["--remove", "nobody"], 2);
    assert!(none.is_empty() && said.contains("`nobody` is none of the nodes"), "{said}");
}
