//! What docs/ci.md and monitoring/ tell users to run and to look at works as it stands there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::*;
use regex::Regex;
use serde_json::Value;

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The fenced blocks of docs/ci.md in a language.
fn blocks(language: &str) -> Vec<String> {
    let text = fs::read_to_string(in_project("docs/ci.md")).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

/// A folder as the examples have it: dumps, the nodes file, the rules, a baseline.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let backups = dir.path().join("backups");
    fs::create_dir(&backups).unwrap();
    for dump in cluster_dumps() {
        fs::copy(&dump, backups.join(dump.file_name().unwrap())).unwrap();
    }
    fs::copy(fixtures().join("cluster/nodes.conf"), dir.path().join("nodes.conf")).unwrap();
    let rules = blocks("toml").remove(0);
    fs::write(dir.path().join("rdbscope.toml"), rules).unwrap();
    let made = shell(dir.path(), "rdbscope report backups/*.rdb --nodes nodes.conf -o old.html --json baseline.json");
    assert_eq!(made.code, 0, "{}", made.stderr);
    dir
}

/// Runs a command line as a job would, with the program on the path.
fn shell(dir: &Path, line: &str) -> Done {
    let program = Path::new(env!("CARGO_BIN_EXE_rdbscope")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(dir).env("PATH", path).stdin(Stdio::null());
    finish(command.env("GITHUB_STEP_SUMMARY", dir.join("step.md")))
}

#[test]
fn every_command_runs() {
    let dir = folder();
    let mut ran = 0;
    for block in ["sh", "yaml"].into_iter().flat_map(blocks) {
        for line in block.lines().map(|line| line.trim().trim_start_matches("- ")) {
            if !line.starts_with("rdbscope ") {
                continue;
            }
            // The fixtures are older than the rules allow: what the clock decides is fixed here.
            let line = line.replace("rdbscope check", "rdbscope check --now 2026-01-02T00:00:00Z");
            let done = shell(dir.path(), &line);
            assert!(matches!(done.code, 0 | 1), "{line}: {} {}", done.code, done.stderr);
            ran += 1;
        }
    }
    assert!(ran >= 8, "{ran} commands");
    for made in
        ["report.html", "summary.json", "rdbscope.sarif", "rdbscope.xml", "rdbscope.prom", "step.md", "check.txt"]
    {
        assert!(fs::metadata(dir.path().join(made)).is_ok_and(|meta| meta.len() > 0), "{made}");
    }
}

#[test]
fn the_rules_of_the_page_are_rules() {
    for rules in blocks("toml") {
        rdbscope::check::Rules::parse(&rules).unwrap();
    }
}

/// Every gauge that a check of the cluster and its baseline writes.
fn gauges(dir: &Path) -> String {
    let line = "rdbscope check backups/*.rdb --nodes nodes.conf --output prometheus=rdbscope.prom";
    let done = shell(dir, line);
    assert!(matches!(done.code, 0 | 1), "{}", done.stderr);
    fs::read_to_string(dir.join("rdbscope.prom")).unwrap()
}

fn names(text: &str) -> BTreeSet<String> {
    Regex::new(r"\brdbscope_[a-z_]+").unwrap().find_iter(text).map(|name| name.as_str().to_owned()).collect()
}

/// The expressions of the dashboard's panels, as a data source gets them.
fn queries() -> Vec<String> {
    let text = fs::read_to_string(in_project("monitoring/rdbscope.dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().replace("$node", ".*")).collect()
}

#[test]
fn alerts_and_dashboard_use_the_names_that_are_written() {
    let dir = folder();
    let gauges = gauges(dir.path());
    let written: BTreeSet<String> =
        gauges.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned)).collect();
    let alerts = fs::read_to_string(in_project("monitoring/rdbscope.rules.yml")).unwrap();
    let page = fs::read_to_string(in_project("docs/ci.md")).unwrap();
    let used: BTreeSet<String> = names(&alerts).into_iter().chain(names(&queries().join("\n"))).collect();
    assert!(used.len() > 10 && used.is_subset(&written), "{:?}", used.difference(&written));
    assert_eq!(names(&page), written, "the table of the page");
}

/// Runs promtool; none where it is not installed and need not be.
fn promtool(args: &[&str], input: &str) -> Option<Done> {
    let here = Command::new("promtool").arg("--version").output().is_ok();
    if !here {
        assert!(std::env::var_os("RDBSCOPE_REQUIRE_PROMTOOL").is_none(), "promtool is not installed");
        eprintln!("skipped: promtool is not installed");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "input", input.as_bytes());
    let mut command = Command::new("promtool");
    command.args(args).current_dir(in_project("monitoring")).stdin(fs::File::open(file).unwrap());
    Some(finish(&mut command))
}

#[test]
fn promtool_has_nothing_to_say() {
    let dir = folder();
    let gauges = gauges(dir.path());
    let Some(checked) = promtool(&["check", "metrics"], &gauges) else { return };
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""), "{}", checked.text());
    for args in [["check", "rules", "rdbscope.rules.yml"], ["test", "rules", "rdbscope.rules.test.yml"]] {
        let done = promtool(&args, "").unwrap();
        assert_eq!(done.code, 0, "{}{}", done.text(), done.stderr);
    }
    // A query of the dashboard is read as the expression of a rule.
    let rules: Vec<Value> = queries()
        .iter()
        .enumerate()
        .map(|(n, expr)| serde_json::json!({ "record": format!("panel:{n}"), "expr": expr }))
        .collect();
    let file = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let path = write(dir.path(), "dashboard.rules.yml", file.to_string().as_bytes());
    let done = promtool(&["check", "rules", arg(&path)], "").unwrap();
    assert_eq!(done.code, 0, "{}{}", done.text(), done.stderr);
}
