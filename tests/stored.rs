//! Summaries that are stored: drawn again without the dumps, put together, refused where they do not fit; and names that
//! are hidden in them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::*;

struct Report {
    page: Vec<u8>,
    json: Vec<u8>,
}

/// Runs `report` with the arguments, and gives what it wrote; the files stay in `dir`.
fn report(dir: &Path, name: &str, args: &[&str], code: i32) -> Report {
    let (page, json) = (dir.join(format!("{name}.html")), dir.join(format!("{name}.json")));
    let mut command = program();
    command.arg("report").args(args).args(["-o", arg(&page), "--json", arg(&json)]);
    finish(&mut command).expect(code);
    Report { page: fs::read(page).unwrap(), json: fs::read(json).unwrap() }
}

fn nodes() -> PathBuf {
    fixtures().join("cluster/nodes.conf")
}

#[test]
fn a_page_is_drawn_again_without_the_dumps() {
    let dir = tempfile::tempdir().unwrap();
    let dumps = cluster_dumps();
    let mut args: Vec<&str> = dumps.iter().map(|dump| arg(dump)).collect();
    let nodes = nodes();
    args.extend(["--nodes", arg(&nodes), "--compare", "valkey-8.1,hash-max-listpack-entries=64"]);
    let rules = ["--group", "sessions=^sess", "--separators", ":{}"];
    let first = report(dir.path(), "first", &[&args[..], &rules].concat(), 0);
    let stored = dir.path().join("first.json");
    let again = report(dir.path(), "again", &["--from", arg(&stored)], 0);
    assert!(first.page == again.page, "the page differs");
    assert!(first.json == again.json, "the summary differs");
    // The terminal and the plan do as well, the rows cannot.
    assert!(run(&["--from", arg(&stored)]).expect(0).text().contains("keys"));
    let target = ["--nodes-target", "4"];
    let plan = run(&[&["plan", "--from", arg(&stored)], &target[..]].concat()).expect(0).text();
    assert_eq!(plan, run(&[&["plan"], &args[..], &target[..]].concat()).expect(0).text());
    assert!(run(&["keys", "--from", arg(&stored)]).expect(2).stderr.contains("no rows of keys"));
}

#[test]
fn every_dump_is_drawn_again() {
    let dir = tempfile::tempdir().unwrap();
    let hostile = write(dir.path(), "hostile.rdb", &hostile());
    let broken = write(dir.path(), "broken.rdb", &broken_inside());
    let whole = fs::read(&dumps()[0].1).unwrap();
    let cut = write(dir.path(), "cut.rdb", &whole[..whole.len() * 2 / 3]);
    let others = [(hostile, 0), (broken, 4), (cut, 4)];
    let all = dumps().into_iter().map(|(_, path)| (path, 0)).chain(others);
    for (path, code) in all {
        let first = report(dir.path(), "first", &[arg(&path)], code);
        let stored = dir.path().join("first.json");
        let again = report(dir.path(), "again", &["--from", arg(&stored)], code);
        assert!(first.page == again.page, "{}: the page differs", path.display());
        assert!(first.json == again.json, "{}: the summary differs", path.display());
    }
}

#[test]
fn nodes_are_put_together() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = nodes();
    let dumps = cluster_dumps();
    let mut args: Vec<&str> = dumps.iter().map(|dump| arg(dump)).collect();
    args.extend(["--nodes", arg(&nodes)]);
    let at_once = report(dir.path(), "at-once", &args, 0);
    let stored: Vec<PathBuf> = dumps
        .iter()
        .enumerate()
        .map(|(n, dump)| {
            let name = format!("node{n}");
            report(dir.path(), &name, &[arg(dump), "--nodes", arg(&nodes)], 0);
            dir.path().join(format!("{name}.json"))
        })
        .collect();
    let mut args = vec!["--from"];
    args.extend(stored.iter().map(|path| arg(path)));
    let together = report(dir.path(), "together", &args, 0);
    assert!(at_once.page == together.page, "the page differs");
    assert!(at_once.json == together.json, "the summary differs");
    // Some stored, some read now.
    let some: Vec<&str> = [&args[..2], &["--", arg(&dumps[1]), arg(&dumps[2])]].concat();
    let mut command = program();
    let page = dir.path().join("some.html");
    command.args(["report", "--nodes", arg(&nodes), "-o", arg(&page)]).args(&some);
    finish(&mut command).expect(0);
    assert!(at_once.page == fs::read(page).unwrap(), "the page of both differs");
    // The same dump twice counts once.
    let twice = report(dir.path(), "twice", &["--from", arg(&stored[0]), arg(&stored[0])], 0);
    let twice: serde_json::Value = serde_json::from_slice(&twice.json).unwrap();
    assert_eq!(twice["nodes"].as_array().unwrap().len(), 1);
    assert!(twice["dumps"][1]["name"].as_str().unwrap().starts_with("node0/"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dump = &cluster_dumps()[0];
    report(dir.path(), "plain", &[arg(dump)], 0);
    report(dir.path(), "other", &[arg(dump), "--server", "valkey-8.1"], 0);
    let (plain, other) = (dir.path().join("plain.json"), dir.path().join("other.json"));
    let refused = |args: &[&str], what: &str| {
        let said = run(args).expect(2).stderr;
        assert!(said.contains(what), "{said}");
    };
    refused(&["--from", arg(&plain), arg(&other)], "`server` is null in one and \"valkey-8.1\" in the other");
    refused(
        &["--from", arg(&plain), "--server", "redis-8.6"],
        "`server` is null in one and \"redis-8.6\" in the other",
    );
    run(&["--from", arg(&other), "--server", "valkey-8.1"]).expect(0);
    refused(&["--from", arg(dump)], "is no summary");
    let overview = dir.path().join("overview.json");
    fs::write(&overview, run(&["--json", arg(dump)]).expect(0).stdout).unwrap();
    refused(&["--from", arg(&overview)], "has only figures");
    let text = fs::read_to_string(&plain).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        write(dir.path(), "changed.json", text.replacen(from, to, 1).as_bytes())
    };
    refused(&["--from", arg(&changed("\"version\":1", "\"version\":2"))], "is of version 2");
    refused(&["--from", arg(&changed("\"slots\":[[", "\"slots\":[[99999,{\"keys\":1}],["))], "is no whole summary");
    refused(&["--from", arg(&write(dir.path(), "empty.json", b"{}"))], "is no summary");
    for cut in (0..text.len()).step_by(text.len() / 40) {
        let cut = write(dir.path(), "cut.json", &text.as_bytes()[..cut]);
        assert!(run(&["--from", arg(&cut)]).expect(2).stderr.contains("summary"));
    }
}

/// What is stored can be forged: no figure in it may bring the program down.
#[test]
fn forged_figures_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let dump = dumps().into_iter().find(|(name, _)| name == "redis-7.2").unwrap().1;
    report(dir.path(), "plain", &[arg(&dump)], 0);
    let text = fs::read_to_string(dir.path().join("plain.json")).unwrap();
    let gathered = text.find("\"gathered\"").unwrap();
    let bytes = text.as_bytes();
    let starts: Vec<usize> = (gathered..text.len())
        .filter(|&at| bytes[at].is_ascii_digit() && !bytes[at - 1].is_ascii_alphanumeric() && bytes[at - 1] != b'.')
        .collect();
    assert!(starts.len() > 1000);
    for (n, &at) in starts.iter().enumerate().step_by(starts.len() / 120) {
        let end = at + bytes[at..].iter().position(|byte| !byte.is_ascii_digit()).unwrap();
        let number = ["18446744073709551615", "0", "300", "-1"][n % 4];
        let forged = [&text[..at], number, &text[end..]].concat();
        let forged = write(dir.path(), "forged.json", forged.as_bytes());
        let page = dir.path().join("page.html");
        let done = run(&["report", "--from", arg(&forged), "-o", arg(&page)]);
        assert!(matches!(done.code, 0 | 2 | 4), "{number} at {at}: {} {}", done.code, done.stderr);
    }
}

#[test]
fn hidden_names_show_only_their_pattern() {
    let dir = tempfile::tempdir().unwrap();
    let secret = write(dir.path(), "secret", b"0123456789abcdef\n");
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").select(0);
    for n in 0..500u32 {
        dump = dump.string(format!("user:{}:mail", 7_000_000 + n), vec![b'x'; 100 + n as usize]);
    }
    dump = dump.string("alice@example.org", vec![b'x'; 9000]).string("config", "x");
    let whole = dump.end();
    let path = write(dir.path(), "a.rdb", &whole);
    let hidden = report(dir.path(), "hidden", &[arg(&path), "--redact", arg(&secret)], 0);
    let shown = report(dir.path(), "shown", &[arg(&path)], 0);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text(&shown.page).contains("user:7000499:mail"));
    for bytes in [&hidden.page, &hidden.json] {
        assert!(!text(bytes).contains("7000499"));
        assert!(text(bytes).contains("user:*:mail"));
    }
    let names = |report: &Report| -> Vec<String> {
        let summary: serde_json::Value = serde_json::from_slice(&report.json).unwrap();
        let rows = summary["biggest"].as_array().unwrap();
        rows.iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect()
    };
    let (hidden_names, shown_names) = (names(&hidden), names(&shown));
    assert_eq!(hidden_names.len(), shown_names.len());
    assert!(hidden_names[1].starts_with("user:") && hidden_names[1].ends_with(":mail") && hidden_names[1].len() == 22);
    // From a summary that shows them, the same; from one that hides them, once is enough.
    let stored = dir.path().join("shown.json");
    let later = report(dir.path(), "later", &["--from", arg(&stored), "--redact", arg(&secret)], 0);
    assert!(later.page == hidden.page && later.json == hidden.json);
    let stored = dir.path().join("hidden.json");
    let said = run(&["--from", arg(&stored), "--redact", arg(&secret)]).expect(2).stderr;
    assert!(said.contains("redacted already"), "{said}");
    // A dump that ends within a key names it on the terminal, but not on the page.
    let cut = write(dir.path(), "cut.rdb", &whole[..whole.len() / 2]);
    let hidden = report(dir.path(), "cut", &[arg(&cut), "--redact", arg(&secret)], 4);
    assert!(!text(&hidden.page).contains("7000") && !text(&hidden.json).contains("7000"));
    let short = write(dir.path(), "short", b"guess\n");
    assert!(run(&["--redact", arg(&short), arg(&path)]).expect(2).stderr.contains("too short"));
    assert!(
        run(&["report", "--csv", "x.csv", "--redact", arg(&secret), arg(&path)]).expect(2).stderr.contains("--redact")
    );
}

#[test]
fn separators_and_groups_are_the_users() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["job:1", "task|2", "a:b|c", "a:b|d"];
    let dump = names.iter().fold(Rdb::new("REDIS0011").select(0), |dump, name| dump.string(name, "x"));
    let path = write(dir.path(), "a.rdb", &dump.end());
    let summary = run(&["--json", arg(&path), "--separators", "|", "--group", "jobs=^(job|task)"]).expect(0).json();
    let patterns: Vec<(&str, Option<&str>, u64)> = summary["patterns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["pattern"].as_str().unwrap(), row["regex"].as_str(), row["keys"].as_u64().unwrap()))
        .collect();
    assert_eq!(patterns, [("jobs", Some("^(job|task)"), 2), ("a:b|c", None, 1), ("a:b|d", None, 1)]);
    assert_eq!(summary["model"]["separators"], "|");
    assert!(run(&["--separators", "a", arg(&path)]).expect(2).stderr.contains("cannot separate"));
    assert!(run(&["--group", "x=(", arg(&path)]).expect(2).stderr.contains("unclosed group"));
}
