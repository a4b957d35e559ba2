//! Logs of Debian's Redis 7.0, captured by its own client while commands run, joined to its dump; and the table of commands
//! against what the server says of its commands.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::redis::{Server, has_redis};
use crate::common::*;
use rdbscope::access::commands::{Command as Known, Touch};

/// The client that listens; it ends when this does.
struct Listening(Child);

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server whose slow log has every command.
fn start(folder: &Path) -> Server {
    Server::start(folder, &["--slowlog-log-slower-than", "0", "--maxmemory-policy", "allkeys-lfu"])
}

/// Saves what the server's client prints.
fn save(server: &Server, path: &Path, words: &[&str]) -> PathBuf {
    fs::write(path, server.client().args(words).output().unwrap().stdout).unwrap();
    path.to_owned()
}

fn key<'j>(summary: &'j serde_json::Value, list: &str, name: &str) -> &'j serde_json::Value {
    let keys = summary["access"][list].as_array().unwrap();
    keys.iter().find(|row| row["key"] == name).unwrap_or_else(|| panic!("{name} is not in {list}: {keys:#?}"))
}

#[test]
fn a_captured_log_is_joined_to_the_dump() {
    if !has_redis() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let log = dir.path().join("monitor.log");
    let monitor = server.client().arg("MONITOR").stdout(File::create(&log).unwrap()).spawn().unwrap();
    let monitor = Listening(monitor);
    let until = Instant::now() + Duration::from_secs(60);
    let wait_for = |sign: &str| {
        while !fs::read_to_string(&log).unwrap_or_default().contains(sign) {
            assert!(Instant::now() < until, "MONITOR never shows {sign}");
            sleep(Duration::from_millis(20));
        }
    };
    wait_for("OK");
    let hostile = "<b>\"quoted\"\n\\x\u{1b}[31m";
    server.ask(&["SET", "page:home", &"x".repeat(5000)]);
    (0..6).for_each(|_| _ = server.ask(&["GET", "page:home"]));
    (0..5).for_each(|_| _ = server.ask(&["INCR", "visits"]));
    server.ask(&["MSET", "a", "1", "b", "2"]);
    server.ask(&["SET", hostile, "1"]);
    server.ask(&["SET", "gone", "1"]);
    server.ask(&["DEL", "gone"]);
    // What a script does counts, and not what it was told that it might do; unless it does nothing.
    server.ask(&["EVAL", "return redis.call('HINCRBY', KEYS[1], 'f', 1)", "2", "counts", "unused"]);
    server.ask(&["EVAL", "return 1", "1", "idle"]);
    server.ask(&["SAVE"]);
    server.ask(&["PING", "the end"]);
    wait_for("the end");
    drop(monitor);
    let dump = server.dump();
    let overview = |extra: &[&str]| {
        let mut command = program();
        finish(command.arg(&dump).args(["--json", "--monitor", arg(&log)]).args(extra)).expect(0)
    };
    let done = overview(&[]);
    let summary = done.json();
    assert_eq!(done.stdout, overview(&["--threads", "1"]).stdout);
    assert_eq!(done.stdout, overview(&["--threads", "3"]).stdout);
    for (name, reads, writes, increments, in_dumps) in [
        ("page:home", 6, 1, 0, 1),
        ("visits", 0, 0, 5, 1),
        ("a", 0, 1, 0, 1),
        ("b", 0, 1, 0, 1),
        ("<b>\"quoted\"\\x0a\\\\x\\x1b[31m", 0, 1, 0, 1),
        ("gone", 0, 2, 0, 0),
        ("counts", 0, 0, 1, 1),
        ("idle", 0, 1, 0, 0),
    ] {
        let row = key(&summary, "keys", name);
        let found = ["reads", "writes", "increments", "keys_in_dumps"].map(|part| row[part].as_u64().unwrap());
        assert_eq!(found, [reads, writes, increments, in_dumps], "{name}");
        assert_eq!(row["dump"].is_null(), in_dumps == 0);
    }
    assert_eq!(key(&summary, "keys", "page:home")["dump"]["num_elements"], 5000);
    let access = &summary["access"];
    assert_eq!(access["total"]["hits"], 7 + 5 + 2 + 1 + 2 + 1 + 1);
    assert_eq!(access["logs"][0]["malformed_lines"], 0);
    assert_eq!(access["logs"][0]["not_understood"], 0, "{access}");
    assert_eq!(access["names_not_in_dumps"], 2);

    // Both forms of the slow log tell the same as MONITOR, and take the time.
    let raw = save(&server, &dir.path().join("raw"), &["SLOWLOG", "GET", "128"]);
    let numbered = save(&server, &dir.path().join("numbered"), &["--no-raw", "SLOWLOG", "GET", "128"]);
    for slowlog in [raw, numbered] {
        let done = finish(program().arg(&dump).args(["--json", "--slowlog", arg(&slowlog)])).expect(0).json();
        let access = &done["access"];
        assert_eq!(
            (&access["has_hits"], &access["logs"][0]["malformed_lines"]),
            (&false.into(), &0.into()),
            "{access}"
        );
        let visits = key(&done, "keys", "visits");
        assert_eq!((visits["hits"].as_u64(), visits["increments"].as_u64()), (Some(5), Some(5)));
        assert_eq!(key(&done, "slow_keys", "page:home")["slow_calls"], 7);
        assert!(access["total"]["slow_us"].as_u64().unwrap() > 0);
    }
}

#[test]
fn the_table_of_commands_is_the_servers() {
    if !has_redis() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let commands: serde_json::Value = serde_json::from_str(&server.ask(&["--json", "COMMAND"])).unwrap();
    let mut compared = 0;
    for command in commands.as_array().unwrap() {
        let name = command[0].as_str().unwrap();
        let known = Known::named(name.as_bytes()).unwrap_or_else(|| panic!("{name} is not known"));
        let has = |flag: &str| command[2].as_array().unwrap().iter().any(|other| other == flag);
        // Where the keys move, its own answer to COMMAND GETKEYS would need good arguments. Names of channels are no keys.
        if has("movablekeys") || has("pubsub") || name == "pfdebug" {
            continue;
        }
        let [first, last, step] = [3, 4, 5].map(|part| command[part].as_i64().unwrap());
        let args: Vec<String> = [name.to_owned()].into_iter().chain((1..9).map(|n| n.to_string())).collect();
        let last = if last < 0 { args.len() as i64 + last } else { last };
        let want: Vec<String> = match first {
            0 => Vec::new(),
            _ => (first..=last).step_by(step as usize).map(|place| place.to_string()).collect(),
        };
        let (mut found, mut writes) = (Vec::new(), false);
        known.keys(&args, |key, touch| {
            found.push(String::from_utf8(key.to_vec()).unwrap());
            writes |= touch != Touch::Read;
        });
        found.sort();
        assert_eq!(found, want, "{name}");
        assert!(found.is_empty() || writes == has("write"), "{name}");
        compared += 1;
    }
    assert!(compared > 200, "{compared}");
}
