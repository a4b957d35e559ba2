//! Whole outputs against those that were looked at and kept in `fixtures/golden/`: CSV, JSON, terminal text and page.
//!
//! When an output changes on purpose, `UPDATE_GOLDEN=1 cargo test golden::` writes them anew; the change is then seen
//! in the diff of the commit. Bytes are compared; only the program's own version is taken out first.

use std::path::Path;
use std::process::Command;

use crate::common::*;

/// Compares with the file in `fixtures/golden/`, or writes it if that is asked for.
#[track_caller]
fn golden(name: &str, found: &[u8]) {
    let version = env!("CARGO_PKG_VERSION");
    let found = String::from_utf8(found.to_vec()).expect("output is UTF-8");
    let found = found
        .replace(&format!("\"rdbscope\": \"{version}\""), "\"rdbscope\": \"VERSION\"")
        .replace(&format!("rdbscope {version}"), "rdbscope VERSION");
    let path = fixtures().join("golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
        return;
    }
    let expected =
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}; UPDATE_GOLDEN=1 makes it", path.display()));
    if expected != found {
        let line = expected.lines().zip(found.lines()).take_while(|(a, b)| a == b).count();
        let show = |text: &str| text.lines().nth(line).unwrap_or("(end)").chars().take(300).collect::<String>();
        panic!(
            "{name} differs from line {} on:\n  kept:  {}\n  found: {}\nUPDATE_GOLDEN=1 cargo test golden:: writes it anew",
            line + 1,
            show(&expected),
            show(&found)
        );
    }
}

/// The program in a folder of its own that holds `hostile.rdb`.
fn beside_hostile(dir: &Path) -> Command {
    write(dir, "hostile.rdb", &hostile());
    let mut command = program();
    command.current_dir(dir);
    command
}

const CLUSTER: [&str; 5] =
    ["cluster/dump-7001.rdb", "cluster/dump-7002.rdb", "cluster/dump-7003.rdb", "--nodes", "cluster/nodes.conf"];

fn of_cluster(args: &[&str]) -> Vec<u8> {
    run(&[args, &CLUSTER].concat()).expect(0).stdout
}

fn page_of_cluster() -> String {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page.html");
    of_cluster(&["report", "-o", arg(&page)]);
    std::fs::read_to_string(page).unwrap()
}

fn page_of_hostile() -> String {
    let dir = tempfile::tempdir().unwrap();
    finish(beside_hostile(dir.path()).args(["report", "hostile.rdb"])).expect(0);
    std::fs::read_to_string(dir.path().join("report.html")).unwrap()
}

#[test]
fn rows_of_the_cluster() {
    golden("cluster-top.csv", &of_cluster(&["keys", "--top", "60"]));
    golden("cluster-zset.csv", &of_cluster(&["keys", "--type", "zset,stream"]));
    golden("cluster-top.jsonl", &of_cluster(&["keys", "--top", "20", "--format", "jsonl"]));
}

#[test]
fn overview_of_the_cluster() {
    golden("cluster.txt", &of_cluster(&[]));
    golden("cluster.json", &of_cluster(&["--json"]));
}

/// The figures were compared with those of runs that model the other server alone: see `tests/cli.rs`.
#[test]
fn comparisons_by_type() {
    let compare = ["--compare", "redis-8.0,valkey-8.1,hash-max-listpack-entries=8"];
    let done = run(&[&["dumps/redis-7.2.rdb"], &compare[..]].concat()).expect(0);
    golden("compare.txt", &done.stdout);
}

#[test]
fn plans_of_the_cluster() {
    golden("plan.txt", &of_cluster(&["plan"]));
    golden("plan-two.txt", &of_cluster(&["plan", "--nodes-target", "2"]));
    golden("plan-four.json", &of_cluster(&["plan", "--nodes-target", "4", "--json"]));
    golden("plan.sh", &of_cluster(&["plan", "--commands"]));
    golden("plan-valkey.sh", &of_cluster(&["plan", "--commands", "--server", "valkey-9.0"]));
    golden("plan-redis.sh", &of_cluster(&["plan", "--commands", "--server", "redis-8.4"]));
}

#[test]
fn page_of_the_cluster() {
    let page = page_of_cluster();
    golden("cluster.html", page.as_bytes());
    assert!(page.len() < 400_000, "{} bytes", page.len());
}

#[test]
fn rows_of_hostile_names() {
    let dir = tempfile::tempdir().unwrap();
    let rows =
        |args: &[&str]| finish(beside_hostile(dir.path()).arg("keys").args(args).arg("hostile.rdb")).expect(0).stdout;
    golden("hostile.csv", &rows(&[]));
    golden("hostile-ascii.csv", &rows(&["--escape", "ascii"]));
    golden("hostile-base64.csv", &rows(&["--escape", "base64"]));
    golden("hostile-spreadsheet.csv", &rows(&["--spreadsheet"]));
    golden("hostile.jsonl", &rows(&["--format", "jsonl"]));
}

#[test]
fn overview_of_hostile_names() {
    let dir = tempfile::tempdir().unwrap();
    golden("hostile.txt", &finish(beside_hostile(dir.path()).arg("hostile.rdb")).expect(0).stdout);
    golden("hostile.json", &finish(beside_hostile(dir.path()).args(["--json", "hostile.rdb"])).expect(0).stdout);
}

#[test]
fn page_of_hostile_names_is_kept() {
    golden("hostile.html", page_of_hostile().as_bytes());
}

// What a golden cannot say: that it is safe, whatever it looks like.

/// Characters that no output may hold: controls but the newline, and those that turn the direction of text.
fn dangerous(text: &str) -> Option<char> {
    text.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c))
}

#[test]
fn a_hostile_name_does_nothing_to_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["hostile.rdb"][..],
        &["--json", "hostile.rdb"],
        &["keys", "hostile.rdb"],
        &["keys", "--format", "jsonl", "hostile.rdb"],
    ] {
        let text = finish(beside_hostile(dir.path()).args(args)).expect(0).text();
        assert_eq!(dangerous(&text), None, "{args:?}");
    }
}

#[test]
fn a_hostile_name_does_nothing_to_the_page() {
    let page = page_of_hostile();
    assert_eq!(dangerous(&page), None);
    for bad in ["<script>alert", "<script>:hash", "<img src=x", "</td><img", "<b>aux", "\"><script"] {
        assert!(!page.contains(bad), "the page contains {bad}");
    }
    assert!(page.contains("alert(1)"), "but the name is shown");
    assert!(page.contains("\\xe2\\x80\\xae"), "and the character that turns text is shown as bytes");
}

#[test]
fn the_page_needs_no_network() {
    for page in [page_of_cluster(), page_of_hostile()] {
        let lower = page.to_lowercase();
        for bad in ["<link", "src=\"http", "src=\"//", "@import", "url(http", "<iframe"] {
            assert!(!lower.contains(bad), "the page contains {bad}");
        }
        assert!(lower.starts_with("<!doctype html>") && lower.trim_end().ends_with("</html>"));
    }
}

#[test]
fn the_same_run_gives_the_same_page() {
    assert!(page_of_cluster() == page_of_cluster());
}
