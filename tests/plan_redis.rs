//! The rebalance plan carried out: a small cluster of Debian's Redis 7.0 on this machine, uneven and with hostile names, is
//! planned from its dumps, the script is run, and the servers then hold what the plan said.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::redis::{Server, has_redis};
use crate::common::*;
use rdbscope::cluster::slot::slot_of;

/// A node of a cluster. Nodes find each other by ports.
struct Node {
    server: Server,
    port: u16,
}

impl Node {
    fn start(folder: &Path) -> Node {
        fs::create_dir_all(folder).unwrap();
        // The ports may be taken by someone else before the server has them: others are tried then.
        (0..5).find_map(|_| Node::try_start(folder)).expect("redis-server starts")
    }

    fn try_start(folder: &Path) -> Option<Node> {
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let (port, bus) = (free(), free());
        let ports = ["--bind", "127.0.0.1", "--port", &port.to_string(), "--cluster-port", &bus.to_string()];
        let cluster = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"];
        Some(Node { server: Server::try_start(folder, &[&ports[..], &cluster].concat())?, port })
    }

    fn ask(&self, words: &[&str]) -> String {
        self.server.ask(words)
    }

    /// Sets keys to values of so many bytes.
    fn fill(&self, keys: &[(&[u8], usize)]) {
        let mut connection = self.server.connect().unwrap();
        for (key, size) in keys {
            let reply = connection.ask(&[b"SET", key, "v".repeat(*size).as_bytes()]).unwrap();
            assert!(reply.is("OK"), "{}: {reply:?}", key.escape_ascii());
        }
    }

    fn until(&self, words: &[&str], sign: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.ask(words).contains(sign) {
            assert!(Instant::now() < until, "{words:?} never says {sign}: {}", self.ask(words));
            sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_real_cluster_ends_as_planned() {
    if !has_redis() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let nodes: Vec<Node> = (0..3).map(|n| Node::start(&dir.path().join(format!("node-{n}")))).collect();
    // Two have slots, unevenly; the third has none yet.
    assert_eq!(nodes[0].ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "11999"]), "OK");
    assert_eq!(nodes[1].ask(&["CLUSTER", "ADDSLOTSRANGE", "12000", "16383"]), "OK");
    for (n, node) in nodes.iter().enumerate() {
        assert_eq!(node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]), "OK");
    }
    for node in &nodes[1..] {
        let bus = nodes[0].ask(&["CONFIG", "GET", "cluster-port"]);
        let bus = bus.lines().last().unwrap().to_owned();
        assert_eq!(node.ask(&["CLUSTER", "MEET", "127.0.0.1", &nodes[0].port.to_string(), &bus]), "OK");
    }
    for node in &nodes {
        node.until(&["CLUSTER", "INFO"], "cluster_known_nodes:3");
        node.until(&["CLUSTER", "INFO"], "cluster_slots_assigned:16384");
        node.until(&["CLUSTER", "INFO"], "cluster_state:ok");
    }
    // Many names in one slot, all that a shell could trip over, so that they move together some at a time.
    let owned = dir.path().join("owned");
    let evil = [
        format!("$(touch {})", owned.display()),
        format!("`touch {}`", owned.display()),
        format!("';touch {};'", owned.display()),
        format!("\n\ntouch {}\n", owned.display()),
        "\" KEYS \"\\".to_owned(),
        "1) \"x\"\n2) \"y\"".to_owned(),
        "*".to_owned(),
        "%s%n".to_owned(),
    ];
    let mut keys: Vec<(Vec<u8>, usize)> = (0..400).map(|n| (format!("key:{n}").into_bytes(), 100)).collect();
    for name in HOSTILE_NAMES.iter().map(|name| name.to_vec()).chain(evil.map(String::into_bytes)) {
        keys.push((name.clone(), 3000));
        keys.push(([b"{together}", &name[..]].concat(), 2000));
    }
    for (node, is_its) in nodes.iter().zip([|slot| slot < 12000, |slot: u16| slot >= 12000]) {
        let its: Vec<(&[u8], usize)> =
            keys.iter().filter(|(key, _)| is_its(slot_of(key))).map(|(key, size)| (&key[..], *size)).collect();
        node.fill(&its);
        assert_eq!(node.ask(&["SAVE"]), "OK");
    }
    let file = write(dir.path(), "nodes.txt", nodes[0].ask(&["CLUSTER", "NODES"]).as_bytes());
    let dumps: Vec<String> = nodes[..2].iter().map(|node| node.server.dump().to_str().unwrap().to_owned()).collect();
    let plan = |extra: &[&str]| {
        let mut command = program();
        command.args(["plan", "--nodes", arg(&file), "--nodes-target", "3"]).args(&dumps).args(extra);
        finish(&mut command).expect(0)
    };
    let expected = plan(&["--json"]).json();
    assert!(expected["goal_reached"].as_bool().unwrap(), "{expected}");
    assert!(expected["moved"]["keys"].as_u64().unwrap() > 100, "{expected}");
    let script = write(dir.path(), "plan.sh", &plan(&["--commands"]).stdout);
    let done = Command::new("sh").arg(&script).current_dir(dir.path()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}");
    assert!(!owned.exists(), "a name was run as a command");
    // The nodes of the plan in its order: those with dumps, then the spare one.
    let mut with_slots = 0;
    for (node, planned) in nodes.iter().zip(expected["nodes"].as_array().unwrap()) {
        assert_eq!(node.ask(&["DBSIZE"]), planned["after"]["keys"].to_string(), "{planned}");
        assert_eq!(planned["id"], node.ask(&["CLUSTER", "MYID"]));
        let slots = node.ask(&["CLUSTER", "NODES"]);
        let own = slots.lines().find(|line| line.contains("myself")).unwrap();
        let count: u64 = own
            .split(' ')
            .skip(8)
            .map(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                last.parse::<u64>().unwrap() - first.parse::<u64>().unwrap() + 1
            })
            .sum();
        assert_eq!(count, planned["after"]["slots"], "{own}");
        with_slots += u64::from(count > 0);
    }
    assert_eq!(with_slots, 3);
    // Planned again from new dumps, next to nothing is left to do: tables have another size now.
    for node in &nodes {
        assert_eq!(node.ask(&["SAVE"]), "OK");
        node.until(&["CLUSTER", "INFO"], "cluster_slots_ok:16384");
    }
    let file = write(dir.path(), "nodes.txt", nodes[2].ask(&["CLUSTER", "NODES"]).as_bytes());
    let again: Vec<String> = nodes.iter().map(|node| node.server.dump().to_str().unwrap().to_owned()).collect();
    let again = finish(program().args(["plan", "--json", "--nodes", arg(&file)]).args(&again)).expect(0).json();
    let bytes = |value: &serde_json::Value| value["bytes"].as_u64().unwrap();
    let total: u64 = again["nodes"].as_array().unwrap().iter().map(|node| bytes(&node["before"])).sum();
    assert!(again["goal_reached"].as_bool().unwrap() && bytes(&again["moved"]) < total / 50, "{again}");
    assert_eq!(again["nodes"].as_array().unwrap().len(), 3);
}
