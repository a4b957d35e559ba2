//! A small cluster with one known problem of each kind: each is in the verdict with the right figures, and the check finds
//! exactly what it is to find.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::common::*;
use rdbscope::cluster::slot::slot_of;
use serde_json::Value;

/// The nodes: each owns a quarter of the slots; the last has no dump.
const NODES: [&str; 4] = ["a", "b", "c", "d"];

fn node_of(name: &str) -> usize {
    usize::from(slot_of(name.as_bytes()) / 4096)
}

/// A name that begins so and lies on a node.
fn name_on(node: usize, start: &str, end: &str) -> String {
    (0..).map(|n| format!("{start}{n}{end}")).find(|name| node_of(name) == node).unwrap()
}

/// What was put in, by construction.
struct Worked {
    list: String,
    blob: String,
    tag: String,
    tagged_keys: u64,
    hot: String,
    stray: String,
    sessions: [u64; 2],
}

const ELEMENTS: u64 = 12_345;
const BLOB_BYTES: usize = 11 << 20;

/// Writes the dumps and the nodes file.
fn worked(dir: &Path) -> Worked {
    let mut dumps: Vec<Rdb> =
        (0..3).map(|_| Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").aux("ctime", "1767225600").select(0)).collect();
    let mut add = |node: usize, change: &dyn Fn(Rdb) -> Rdb| {
        let dump = std::mem::replace(&mut dumps[node], Rdb::new("REDIS0011"));
        dumps[node] = change(dump);
    };
    let mut worked = Worked {
        list: name_on(0, "jobs:queue", ""),
        blob: name_on(1, "export:blob", ""),
        tag: name_on(1, "tenant", ""),
        tagged_keys: 2000,
        hot: name_on(0, "config:flags", ""),
        stray: name_on(0, "stray", ""),
        sessions: [0, 0],
    };
    // A list of plain nodes of 100 elements each, the last with fewer.
    let elements: Vec<Entry> = (0..ELEMENTS).map(|n| s(format!("job-{n:06}"))).collect();
    add(0, &|dump| {
        let nodes = elements.chunks(100);
        let head = dump.key(18, &worked.list).len(nodes.len() as u64);
        nodes.fold(head, |dump, node| dump.len(2).str(listpack(node)))
    });
    add(1, &|dump| dump.string(&worked.blob, "x".repeat(BLOB_BYTES)));
    for n in 0..worked.tagged_keys {
        add(1, &|dump| dump.string(format!("{{{}}}:item:{n}", worked.tag), [n as u8; 10_000]));
    }
    add(0, &|dump| dump.raw(&[249, 255]).string(&worked.hot, "on"));
    // It belongs to a, but lies on b.
    add(1, &|dump| dump.string(&worked.stray, "left behind"));
    for n in 0..4000u32 {
        let name = format!("session:{n:08}");
        let node = node_of(&name);
        if node == 3 {
            continue;
        }
        let permanent = n % 5 > 0;
        worked.sessions[usize::from(permanent)] += 1;
        add(node, &|dump| {
            let dump = if permanent { dump } else { dump.expire_ms(1_767_300_000_000) };
            dump.string(&name, [b'x'; 1000])
        });
    }
    // Cut within the last key, which is of no other kind.
    add(2, &|dump| dump.string("last", [b'x'; 100]));
    for (node, dump) in dumps.into_iter().enumerate() {
        let mut bytes = dump.end();
        if node == 2 {
            bytes.truncate(bytes.len() - 50);
        }
        write(dir, &format!("{}.rdb", NODES[node]), &bytes);
    }
    let line = |node: usize| {
        let id = NODES[node].repeat(40);
        let (first, last) = (node * 4096, node * 4096 + 4095);
        format!("{id} 10.0.0.{node}:6379@16379 master - 0 0 {node} connected {first}-{last}\n")
    };
    write(dir, "nodes.conf", (0..4).map(line).collect::<String>().as_bytes());
    worked
}

fn args(dir: &Path) -> Vec<String> {
    let mut args: Vec<String> =
        NODES[..3].iter().map(|node| arg(&dir.join(format!("{node}.rdb"))).to_owned()).collect();
    args.extend(["--nodes".to_owned(), arg(&dir.join("nodes.conf")).to_owned()]);
    args
}

#[test]
fn every_problem_is_in_the_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let worked = worked(dir.path());
    let args = args(dir.path());
    let page = dir.path().join("page.html");
    let json = dir.path().join("summary.json");
    let csv = dir.path().join("keys.csv");
    let mut command = program();
    command.arg("report").args(&args).args(["-o", arg(&page), "--json", arg(&json), "--csv", arg(&csv)]);
    finish(&mut command).expect(4);
    let summary: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let page = fs::read_to_string(page).unwrap();
    let findings: Vec<(String, String, String)> = summary["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| ["kind", "severity", "text"].map(|member| row[member].as_str().unwrap().to_owned()).into())
        .collect();
    // The figures of the rows are those of the verdict.
    let rows: BTreeMap<String, u64> = rows(&fs::read(csv).unwrap())
        .into_iter()
        .map(|row| (row["key"].clone(), row["footprint_bytes"].parse().unwrap()))
        .collect();
    let sum =
        |begins: &str| -> u64 { rows.iter().filter(|(key, _)| key.starts_with(begins)).map(|(_, bytes)| bytes).sum() };
    let bytes = rdbscope::units::bytes;
    let told = |kind: &str, severity: &str, parts: &[String]| {
        let is_told = |(k, s, text): &&(String, String, String)| {
            k == kind && s == severity && parts.iter().all(|part| text.contains(part.as_str()))
        };
        let found = findings.iter().find(is_told);
        assert!(found.is_some(), "{kind} {severity} {parts:?} is not among {findings:#?}");
    };
    let (list, blob) = (rows[&worked.list], rows[&worked.blob]);
    told("big-key", "warning", &[format!("\"{}\" is a list of 12,345 elements, {}, on a", worked.list, bytes(list))]);
    told("big-key", "warning", &[format!("\"{}\" is a string, {}, on b", worked.blob, bytes(blob))]);
    let slot = slot_of(format!("{{{}}}", worked.tag).as_bytes());
    let tagged = sum(&format!("{{{}}}", worked.tag));
    assert!(blob > BLOB_BYTES as u64 && tagged > worked.tagged_keys * 10_000);
    told("slot-concentration", "critical", &[format!("{slot}"), worked.tag.clone(), bytes(tagged)]);
    let largest: u64 = sum("")
        - summary["nodes"][0]["totals"]["footprint_bytes"].as_u64().unwrap()
        - summary["nodes"][2]["totals"]["footprint_bytes"].as_u64().unwrap();
    told("node-imbalance", "critical", &["b holds".to_owned(), bytes(largest)]);
    let [expiring, permanent] = worked.sessions;
    let count = rdbscope::units::count;
    told(
        "no-expiry",
        "warning",
        &[format!("{} of {} keys of \"session:*\" never expire", count(permanent), count(permanent + expiring))],
    );
    told("hot-key", "warning", &[format!("\"{}\" has an access counter of 255", worked.hot)]);
    told("misplaced-keys", "warning", &["1 key".to_owned(), format!("\"{}\" on b", worked.stray)]);
    told("missing-master", "critical", &["10.0.0.3:6379".to_owned(), "4,096 slots: 12288-16383".to_owned()]);
    told("dump-damaged", "critical", &["c: ".to_owned(), "keys were read up to there".to_owned()]);
    for (_, _, text) in &findings {
        let name = text.split('"').nth(1).unwrap_or("");
        assert!(page.contains(name), "{name} is not on the page");
    }
}

#[test]
fn the_check_finds_exactly_what_it_is_to_find() {
    let dir = tempfile::tempdir().unwrap();
    let worked = worked(dir.path());
    let rules = write(
        dir.path(),
        "rules.toml",
        b"[[no-expiry]]\nmatch = 'session:*'\nshare = { warning = 0.5 }\n\n[heavy-slot]\nshare-of-node = { warning = 0.5 }\nat-least = '16MB'\n",
    );
    let json = dir.path().join("check.json");
    let mut command = program();
    command.arg("check").args(args(dir.path())).args(["--rules", arg(&rules), "--output"]);
    let output = format!("json={}", arg(&json));
    finish(command.arg(output)).expect(4);
    let report: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let mut found: Vec<[String; 3]> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let subject = &row["subject"];
            let name =
                ["key", "pattern", "node"].into_iter().find_map(|name| subject[name].as_str()).unwrap_or_default();
            [row["level"].as_str().unwrap(), row["rule"].as_str().unwrap(), name].map(str::to_owned)
        })
        .collect();
    found.sort();
    let mut expected = [
        ["error", "damaged-dump", "c"],
        ["error", "missing-master", "10.0.0.3:6379"],
        ["error", "node-imbalance", "b"],
        ["warning", "big-key", &worked.blob],
        ["warning", "big-key", &worked.list],
        ["warning", "heavy-slot", "b"],
        ["warning", "misplaced-keys", &worked.stray],
        ["warning", "no-expiry", "session:*"],
    ]
    .map(|row| row.map(str::to_owned));
    expected.sort();
    assert_eq!(found, expected);
}
