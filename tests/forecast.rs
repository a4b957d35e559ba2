//! Forecasts from series of dumps and summaries.

use std::path::{Path, PathBuf};

use crate::common::*;
use serde_json::Value;

const START: i64 = 1_767_225_600;

/// A dump that says when it was saved and what its server used.
fn dump(dir: &Path, name: &str, day: i64, used: Option<u64>, keys: usize) -> PathBuf {
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").aux("ctime", &(START + day * 86_400).to_string());
    if let Some(used) = used {
        dump = dump.aux("used-mem", &used.to_string());
    }
    let dump = (0..keys).fold(dump.select(0), |dump, n| dump.string(format!("{}:{n}", &name[..1]), vec![b'x'; 1000]));
    write(dir, name, &dump.end())
}

fn forecast(files: &[PathBuf], args: &[&str]) -> Value {
    let mut all = vec!["forecast", "--json"];
    all.extend(files.iter().map(|file| arg(file)));
    all.extend(args);
    run(&all).expect(0).json()
}

#[test]
fn days_until_a_node_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let mib = |n: u64| n << 20;
    let mut files: Vec<PathBuf> = (0..6)
        .map(|day| dump(dir.path(), &format!("night-{day}.rdb"), day, Some(mib(100 + 10 * day as u64)), 3))
        .collect();
    let found = forecast(&files, &["--maxmemory", "200MB"]);
    let node = &found["nodes"][0];
    assert_eq!((&node["outlook"], &node["days"]), (&"reaches".into(), &5.0.into()));
    assert_eq!(
        (&node["source"], &node["points"], &node["span_seconds"]),
        (&"used_memory".into(), &6.into(), &432_000.into())
    );
    assert_eq!((&node["fit"]["bytes_per_day"], &node["fit"]["r_squared_per_mille"]), (&mib(10).into(), &1000.into()));
    assert_eq!(node["full_at"], "2026-01-11T00:00:00.000Z");
    // In any order, and from summaries, the same.
    files.reverse();
    assert_eq!(found, forecast(&files, &["--maxmemory", "200MB"]));
    let summaries: Vec<PathBuf> = files
        .iter()
        .map(|file| {
            let (page, json) = (dir.path().join("page.html"), file.with_extension("json"));
            run(&["report", arg(file), "-o", arg(&page), "--json", arg(&json)]).expect(0);
            json
        })
        .collect();
    assert_eq!(found, forecast(&summaries, &["--maxmemory", "200MB"]));
    let config = write(dir.path(), "redis.conf", b"maxmemory 200mb\n");
    assert_eq!(found, forecast(&files, &["--config", arg(&config)]));
    let mut text = vec!["forecast", "--maxmemory", "200MB"];
    text.extend(files.iter().map(|file| arg(file)));
    let text = run(&text).expect(0).text();
    assert!(text.contains("200.0 MiB in 5.0 days after the last dump, about 2026-01-11"), "{text}");
    assert!(text.contains("R² 1.000") && text.contains("6 points over 5 d"), "{text}");
}

#[test]
fn each_node_has_a_series_and_a_limit() {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<String> = (0..4u64)
        .map(|day| {
            let grows = dump(dir.path(), &format!("a{day}.rdb"), day as i64, Some(1_000_000 + 100_000 * day), 2);
            let shrinks = dump(dir.path(), &format!("b{day}.rdb"), day as i64, Some(9_000_000 - 100_000 * day), 4);
            format!("n1={},n2={}", arg(&grows), arg(&shrinks))
        })
        .collect();
    let with = |args: &[&str]| {
        let mut all = vec!["forecast", "--json"];
        all.extend(files.iter().map(String::as_str));
        all.extend(args);
        run(&all)
    };
    let found = with(&["--maxmemory", "8MB", "--maxmemory", "n1=1800000"]).expect(0).json();
    let node = |name: &str| found["nodes"].as_array().unwrap().iter().find(|node| node["node"] == name).unwrap();
    assert_eq!((&node("n1")["outlook"], &node("n1")["days"]), (&"reaches".into(), &5.0.into()));
    assert_eq!(node("n2")["outlook"], "reached");
    let found = with(&["--maxmemory", "1GB"]).expect(0).json();
    assert_eq!(found["nodes"][1]["outlook"], "shrinking");
    assert!(with(&["--maxmemory", "n9=1GB"]).expect(2).stderr.contains("none of the nodes: n1, n2"));
    assert!(with(&["--maxmemory", "lots"]).expect(2).stderr.contains("is no size"));
}

#[test]
fn what_cannot_be_said_is_said_plainly() {
    let dir = tempfile::tempdir().unwrap();
    let two: Vec<PathBuf> = (0..2).map(|day| dump(dir.path(), &format!("t{day}.rdb"), day, Some(1000), 1)).collect();
    let text = |files: &[PathBuf]| {
        let mut all = vec!["forecast", "--maxmemory", "1GB"];
        all.extend(files.iter().map(|file| arg(file)));
        run(&all).expect(0).text()
    };
    assert!(text(&two).contains("no forecast: 2 points, and it takes 3"), "{}", text(&two));
    let flat: Vec<PathBuf> = (0..4).map(|day| dump(dir.path(), &format!("f{day}.rdb"), day, Some(1000), 1)).collect();
    assert!(text(&flat).contains("no forecast: no trend"), "{}", text(&flat));
    // Without used_memory the keys tell, and an empty server.
    let keys: Vec<PathBuf> =
        (0..4).map(|day| dump(dir.path(), &format!("k{day}.rdb"), day, None, 100 * (day as usize + 1))).collect();
    let found = forecast(&keys, &["--maxmemory", "1GB"]);
    assert_eq!((&found["nodes"][0]["source"], &found["nodes"][0]["outlook"]), (&"estimate".into(), &"reaches".into()));
    assert!(found["nodes"][0]["last_bytes"].as_u64().unwrap() > 953_784 + 400_000);
    // Different nodes at the same time are not one node's series.
    let nodes: Vec<PathBuf> = (0..3).map(|n| dump(dir.path(), &format!("n{n}.rdb"), 0, Some(1000 + n), 1)).collect();
    assert_eq!(forecast(&nodes, &[])["nodes"].as_array().unwrap().len(), 3);
    // One that does not say when it was saved.
    let undated = write(dir.path(), "undated.rdb", &Rdb::new("REDIS0011").string("k", "v").end());
    let found = forecast(&[&flat[..], &[undated]].concat(), &[]);
    assert!(found["notes"][0].as_str().unwrap().contains("does not say when"), "{found}");
}
