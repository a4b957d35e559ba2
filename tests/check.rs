//! `rdbscope check`: what it finds, what it lets pass, what it writes, and how it ends.

use std::fs;
use std::path::Path;

use crate::common::*;
use serde_json::Value;

const NOW: &str = "2026-01-02T00:00:00Z";

/// A dump saved on the first of January 2026.
fn dump() -> Rdb {
    Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").aux("ctime", "1767225600").select(0)
}

/// The check's result as JSON.
fn check(dir: &Path, args: &[&str], code: i32) -> Value {
    let json = dir.join("check.json");
    let output = format!("json={}", arg(&json));
    run(&[&["check", "--now", NOW], args, &["--output", &output]].concat()).expect(code);
    serde_json::from_slice(&fs::read(json).unwrap()).unwrap()
}

/// The findings as (level, rule, name of what it is about).
fn found(report: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let subject = |subject: &Value| {
        let names = ["key", "pattern", "module", "node"].map(|name| text(&subject[name]));
        names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    };
    let rows = report["findings"].as_array().unwrap();
    rows.iter().map(|row| (text(&row["level"]), text(&row["rule"]), subject(&row["subject"]))).collect()
}

fn of(level: &str, rule: &str, subject: &str) -> (String, String, String) {
    (level.to_owned(), rule.to_owned(), subject.to_owned())
}

#[test]
fn a_whole_dump_passes() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "a.rdb", &dump().string("k", "v").end());
    let done = run(&["check", arg(&path)]).expect(0);
    assert!(done.text().starts_with("passed: the dump is whole, no rule is broken\n"), "{}", done.text());
    let report = check(dir.path(), &[arg(&path)], 0);
    assert_eq!((&report["passed"], &report["dumps"][0]["whole"]), (&Value::Bool(true), &Value::Bool(true)));
    assert_eq!((report["keys"].as_u64(), report["checked_at"].as_str()), (Some(1), Some(NOW)));
}

#[test]
fn damage_is_told_whatever_the_run_is_to_fail_on() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dump().string("k", "v").string("other", "w").end();
    let cut = write(dir.path(), "cut.rdb", &whole[..whole.len() - 12]);
    let mut bytes = whole.clone();
    let at = bytes.windows(5).position(|window| window == b"other").unwrap();
    bytes[at] ^= 1;
    let flipped = write(dir.path(), "flipped.rdb", &bytes);
    let broken = write(dir.path(), "broken.rdb", &broken_inside());
    let twice = write(dir.path(), "twice.rdb", &dump().string("k", "v").string("k", "w").end());
    let empty = write(dir.path(), "empty.rdb", b"");
    let newer = write(dir.path(), "newer.rdb", b"REDIS0099\xff");
    for (path, code, rule) in [
        (&cut, 4, "damaged-dump"),
        (&flipped, 4, "damaged-dump"),
        (&broken, 4, "broken-values"),
        (&twice, 4, "repeated-keys"),
        (&empty, 3, "unreadable"),
        (&newer, 5, "unreadable"),
    ] {
        for fail_on in ["error", "warning", "never"] {
            let report = check(dir.path(), &[arg(path), "--fail-on", fail_on], code);
            assert!(
                found(&report).iter().any(|(level, name, _)| (level.as_str(), name.as_str()) == ("error", rule)),
                "{report}"
            );
            assert_eq!(report["passed"], false, "whatever the rules say");
        }
    }
    // No ignore makes a damaged dump whole.
    let rules = "[[ignore]]\nrule = 'damaged-dump'\nreason = 'known'\nuntil = 2099-01-01\n";
    let rules = write(dir.path(), "rules.toml", rules.as_bytes());
    let report = check(dir.path(), &[arg(&cut), "--rules", arg(&rules)], 4);
    assert_eq!((found(&report).len(), &report["passed"]), (0, &false.into()), "{report}");
    // What is whole beside it is checked all the same.
    let good = write(dir.path(), "good.rdb", &whole);
    let report = check(dir.path(), &[arg(&cut), arg(&good)], 4);
    assert_eq!(report["dumps"][1]["whole"], true);
}

#[test]
fn rules_about_keys() {
    let dir = tempfile::tempdir().unwrap();
    let mut content = dump();
    for n in 0..30u32 {
        content = content.string(format!("cache:{n}"), vec![b'x'; 2000 + 100 * n as usize]);
    }
    content = content.string("blob", vec![b'x'; 3000]).string("test:1", "x").string("test:2", "x");
    content = content.expire_ms(1_767_300_000_000).string("session:1", "x").string("session:2", "x");
    let list: Vec<Entry> = (0..50).map(|n| s(format!("{n}"))).collect();
    content = content.key(18, "queue").len(1).len(2).str(listpack(&list));
    let path = write(dir.path(), "a.rdb", &content.end());
    let rules = "\
[[big-key]]
match = 'blob'
memory = { warning = '1MB' }

[[big-key]]
type = 'list'
elements = { warning = 10, error = 49 }

[[big-key]]
match = 'cache:*'
memory = { warning = 1024, error = '1MB' }

[[no-expiry]]
match = 'session:*'
share = { warning = 0.01, error = 0.9 }

[[forbidden-keys]]
match = 'test:*'

[[forbidden-keys]]
match = 'none:*'
";
    let rules = write(dir.path(), "rules.toml", rules.as_bytes());
    let report = check(dir.path(), &[arg(&path), "--rules", arg(&rules)], 1);
    let rows = found(&report);
    assert_eq!(rows[0], of("error", "big-key", "queue"));
    assert_eq!(rows[1], of("error", "forbidden-keys", "test:*"));
    assert_eq!(rows[2], of("warning", "big-key", "cache:21"));
    // Twenty are named, the others counted; the first rule lets the blob pass.
    let big: Vec<_> = rows.iter().filter(|row| row.1 == "big-key").collect();
    assert_eq!((big.len(), &big[21].2), (22, &"cache:*".to_owned()));
    let text = |n: usize| report["findings"][n]["text"].as_str().unwrap();
    assert!(text(0).contains("\"queue\" (list) on a: 50 elements, 49 allowed"), "{}", text(0));
    assert!(text(1).contains("2 keys match \"test:*\""), "{}", text(1));
    let last = rows.len() - 1;
    assert_eq!(rows[last], of("warning", "no-expiry", "session:*"));
    assert!(
        text(last).contains("1 keys of \"session:*\" never expire") && text(last).contains("1 % allowed"),
        "{}",
        text(last)
    );
    assert!(text(last - 1).contains("10 more keys are big by this rule"), "{}", text(last - 1));
    // The same rules for any number of threads.
    let two = check(dir.path(), &[arg(&path), "--rules", arg(&rules), "--threads", "2"], 1);
    assert_eq!(report, two);
}

#[test]
fn rules_about_dumps_and_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let a = write(dir.path(), "a.rdb", &dump().aux("used-mem", "900000").string("a", vec![b'x'; 900_000]).end());
    let b = write(dir.path(), "b.rdb", &dump().string("b", "x").end_with(0));
    let rules = "\
server = { allowed = ['redis-7.0', 'redis-7.20'], level = 'warning' }
dump-age = { hours = { warning = 12, error = 48 } }

[max-memory]
maxmemory = { a = 1_000_000 }
share = { error = 0.8 }
";
    let rules = write(dir.path(), "rules.toml", rules.as_bytes());
    let report = check(dir.path(), &[arg(&a), arg(&b), "--rules", arg(&rules)], 1);
    let mut rows = found(&report);
    rows.sort();
    assert_eq!(
        rows,
        [
            of("error", "max-memory", "a"),
            of("warning", "dump-age", "a"),
            of("warning", "dump-age", "b"),
            of("warning", "no-checksum", "b"),
            of("warning", "node-imbalance", "a"),
            of("warning", "server", "a"),
            of("warning", "server", "b"),
        ]
    );
    let not_checked = report["not_checked"].as_array().unwrap();
    assert!(not_checked[0]["why"].as_str().unwrap().contains("no maxmemory for b"), "{not_checked:?}");
    let old = run(&["check", "--now", "2026-01-03T00:00:01Z", arg(&a), "--rules", arg(&rules)]).expect(1).text();
    assert!(old.contains("was saved 2 d ago; 48 hours are allowed"), "{old}");
}

#[test]
fn a_cluster_is_checked_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let report = check(dir.path(), &["cluster/dump-7001.rdb", "--nodes", "cluster/nodes.conf"], 1);
    let missing = found(&report).into_iter().filter(|(_, rule, _)| rule == "missing-master").count();
    assert_eq!(missing, 2, "{report}");
    let all = ["cluster", "--nodes", "cluster/nodes.conf"];
    let report = check(dir.path(), &all, 0);
    assert!(found(&report).iter().all(|(level, ..)| level == "warning"), "{report}");
}

#[test]
fn a_baseline_tells_what_changed() {
    let dir = tempfile::tempdir().unwrap();
    let fill = |dump: Rdb, prefix: &str, keys: u32, size: usize| {
        (0..keys).fold(dump, |dump, n| dump.string(format!("{prefix}:{n}"), vec![b'x'; size]))
    };
    for side in ["old", "new"] {
        fs::create_dir(dir.path().join(side)).unwrap();
    }
    let old = write(dir.path(), "old/a.rdb", &fill(fill(dump(), "user", 100, 100), "cache", 100, 1000).end());
    let new = fill(fill(fill(dump(), "user", 20, 100), "cache", 100, 20_000), "feed", 3, 9000).end();
    let new = write(dir.path(), "new/a.rdb", &new);
    let baseline = dir.path().join("base.json");
    let page = dir.path().join("page.html");
    run(&["report", arg(&old), "--json", arg(&baseline), "-o", arg(&page)]).expect(0);
    let rules = "\
[growth]
at-least = '10KB'
pattern = { warning = 0.5, error = 5 }
node = { warning = 0.5 }

[new-pattern]
level = 'error'
at-least = '10KB'
";
    let rules = write(dir.path(), "rules.toml", rules.as_bytes());
    let args = [arg(&new), "--rules", arg(&rules), "--baseline", arg(&baseline)];
    let mut rows = found(&check(dir.path(), &args, 1));
    rows.sort();
    assert_eq!(
        rows,
        [
            of("error", "growth", "cache:*"),
            of("error", "new-pattern", "feed:*"),
            of("warning", "growth", "a"),
            of("warning", "key-count", ""),
        ]
    );
    // Against itself nothing has changed.
    let args = [arg(&old), "--rules", arg(&rules), "--baseline", arg(&baseline)];
    assert_eq!(found(&check(dir.path(), &args, 0)), []);
    let done = run(&["check", arg(&old), "--baseline", arg(&old)]).expect(2);
    assert!(done.stderr.contains("is no summary"), "{}", done.stderr);
}

#[test]
fn ignores_have_a_reason_and_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let content = dump().string("legacy:1", vec![b'x'; 5000]).string("legacy:2", vec![b'x'; 5000]);
    let path = write(dir.path(), "a.rdb", &content.string("new:1", vec![b'x'; 5000]).end_with(0));
    let rules = |until: &str| {
        let text = format!(
            "[[big-key]]\nmemory = {{ error = 4096 }}\n\n\
             [[ignore]]\nrule = 'big-key'\nmatch = 'legacy:*'\nreason = 'TICKET-1'\nuntil = {until}\n\n\
             [[ignore]]\nrule = 'no-checksum'\nreason = 'known'\nuntil = 2026-01-02\n"
        );
        write(dir.path(), "rules.toml", text.as_bytes())
    };
    let rules_path = rules("2026-01-02");
    let report = check(dir.path(), &[arg(&path), "--rules", arg(&rules_path)], 1);
    assert_eq!(found(&report), [of("error", "big-key", "new:1")]);
    let ignored = report["ignored"].as_array().unwrap();
    assert_eq!(ignored.len(), 2);
    assert_eq!(ignored[1]["text"], "2 keys would break this rule");
    assert_eq!((&ignored[1]["reason"], &ignored[1]["until"]), (&"TICKET-1".into(), &"2026-01-02".into()));
    // The day after, it is told again, and that it has ended.
    let rules_path = rules("2026-01-01");
    let rows = found(&check(dir.path(), &[arg(&path), "--rules", arg(&rules_path)], 1));
    assert_eq!(rows.iter().filter(|row| row.1 == "big-key").count(), 3);
    assert!(rows.contains(&of("warning", "expired-ignore", "")));
}

#[test]
fn findings_end_the_program_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "a.rdb", &dump().string("k", "v").end_with(0));
    for (fail_on, code) in [("error", 0), ("warning", 1), ("never", 0)] {
        let done = run(&["check", arg(&path), "--fail-on", fail_on]).expect(code);
        assert!(done.text().contains("rdbchecksum no"), "{}", done.text());
    }
}

#[test]
fn usage_errors_are_no_findings() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "a.rdb", &dump().end());
    let rules = write(dir.path(), "rules.toml", b"[big-keys]\n");
    let two = |args: &[&str], what: &str| {
        let done = run(&[&["check", arg(&path)], args].concat()).expect(2);
        assert!(done.stderr.contains(what) && done.stdout.is_empty(), "{args:?}: {}", done.stderr);
    };
    two(&["--rules", arg(&rules)], "line 1");
    two(&["--output", "xml=x"], "the forms are");
    two(&["--output", "json"], "write json=FILE");
    two(&["--output", "json=-", "junit=-"], "only one form");
    two(&["--output", "json=/no/such/dir/x.json"], "cannot be written");
    two(&["--fail-on", "info"], "possible values");
    two(&["--rules", "no-such.toml"], "cannot be read");
    run(&["check"]).expect(2);
    assert!(run(&["check", "--explain", "no-rule"]).expect(2).stderr.contains("the rules are"));
    let said = run(&["check", "--explain", "big-key"]).expect(0).text();
    assert!(said.contains("[[big-key]]") && said.contains("What to do"), "{said}");
}

#[test]
fn the_usual_rules_file_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "a.rdb", &dump().string("test:1", "v").end());
    write(dir.path(), "rdbscope.toml", b"[[forbidden-keys]]\nmatch = 'test:*'\n");
    finish(program().current_dir(dir.path()).args(["check", arg(&path)])).expect(1);
}

#[test]
fn every_form_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "a.rdb", &hostile());
    let rules = write(dir.path(), "rules.toml", b"[[big-key]]\nmemory = { error = 10 }\n");
    let at = |name: &str| dir.path().join(name);
    let outputs = ["json", "junit", "markdown", "sarif", "prometheus"].map(|form| format!("{form}={}", arg(&at(form))));
    let mut command = program();
    command.args(["check", arg(&path), "--now", NOW, "--rules", arg(&rules), "--output", "github"]).args(&outputs);
    command.env("GITHUB_STEP_SUMMARY", at("step"));
    let done = finish(&mut command).expect(1);
    assert!(done.text().contains("\n::error file="), "{}", done.text());
    let text = |name: &str| fs::read_to_string(at(name)).unwrap();
    for json in ["json", "sarif"] {
        serde_json::from_str::<Value>(&text(json)).unwrap();
    }
    assert_eq!(text("markdown"), text("step"));
    assert!(text("junit").contains("<failure message=") && text("junit").ends_with("</testsuites>\n"));
    assert!(text("prometheus").contains("rdbscope_node_memory_bytes{node=\"a\"} "));
    for name in ["json", "junit", "markdown", "sarif", "prometheus"] {
        assert!(!text(name).contains(['\u{1b}', '\0']), "{name}");
    }
    // To standard output in place of the text.
    let done = run(&["check", arg(&path), "--output", "json=-"]).expect(0);
    assert_eq!(done.json()["schema"], "rdbscope-check/1");
}

#[test]
fn a_baseline_is_compared_only_with_what_it_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let keys = |count: u64| {
        let dump = (0..count).fold(dump(), |dump, n| dump.string(format!("key:{n}"), vec![b'v'; 100_000]));
        dump.end()
    };
    let today = write(dir.path(), "2026-01-02.rdb", &keys(2000));
    let store = |path: &Path, code: i32, extra: &[&str]| {
        let stored = path.with_extension("json");
        let page = dir.path().join("page.html");
        let args = ["report", arg(path), "-o", arg(&page), "--json", arg(&stored)];
        run(&[&args[..], extra].concat()).expect(code);
        stored
    };
    let whole = keys(1000);
    let yesterday = write(dir.path(), "2026-01-01.rdb", &whole);
    // The one node there is has grown, whatever its dump is called.
    let report = check(dir.path(), &[arg(&today), "--baseline", arg(&store(&yesterday, 0, &[]))], 0);
    assert!(found(&report).iter().any(|(_, rule, _)| rule == "growth"), "{report}");
    // Of two nodes, one is another.
    let other = store(&write(dir.path(), "other.rdb", &whole), 0, &[]);
    let beside = write(dir.path(), "beside.rdb", &dump().string("of another node", "v").end());
    let both = [arg(&today), arg(&beside), "--baseline", arg(&other)];
    let report = check(dir.path(), &both, 0);
    let not_checked = report["not_checked"].to_string();
    assert!(
        not_checked.contains("the baseline has no node") && not_checked.contains("no dump is of the node"),
        "{report}"
    );
    // Not under another model, nor with what was not whole.
    let refused = |path: &Path| run(&["check", arg(&today), "--baseline", arg(path)]).expect(2).stderr;
    let said = refused(&store(&yesterday, 0, &["--server", "redis-2.8"]));
    assert!(said.contains("`server` is"), "{said}");
    let cut = write(dir.path(), "cut.rdb", &whole[..whole.len() - 1000]);
    let said = refused(&store(&cut, 4, &[]));
    assert!(said.contains("was not whole"), "{said}");
}

#[test]
fn names_of_files_are_text_for_people_and_for_github() {
    let dir = tempfile::tempdir().unwrap();
    let name = "a\n::error::evil\u{1b}[31m.rdb";
    let bytes = dump().string("##[stop-commands]x", "v").end();
    write(dir.path(), name, &bytes[..bytes.len() - 4]);
    let rules = write(dir.path(), "rules.toml", b"[[forbidden-keys]]\nmatch = '*'\nlevel = 'warning'\n");
    let done = run(&["check", arg(dir.path()), "--rules", arg(&rules), "--output", "github"]).expect(4);
    let text = done.text();
    let lines: Vec<&str> = text.lines().collect();
    let token = lines[0].strip_prefix("::stop-commands::").expect("nothing before it is a command");
    let end = lines.iter().position(|line| *line == format!("::{token}::")).expect("its end");
    assert!(lines[..end].iter().any(|line| line.contains("##[stop-commands]x")), "{text}");
    assert!(lines[end + 1..].iter().all(|line| line.starts_with("::error file=") || line.starts_with("::warning ")));
    assert!(!text.contains('\u{1b}') && !lines.iter().any(|line| line.starts_with("::error::evil")), "{text}");
    assert!(!done.stderr.contains('\u{1b}') && done.stderr.lines().count() == 1, "{}", done.stderr);
}
