//! Big keys: what compressing them would save, measured; where their pieces would land; thresholds and assumptions as options.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::*;
use serde_json::Value;

/// Bytes in which nothing repeats.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let next = || {
            self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (self.0 >> 56) as u8
        };
        std::iter::repeat_with(next).take(len).collect()
    }
}

/// Text of which a codec leaves little, no two alike.
fn text(number: usize, len: usize) -> Vec<u8> {
    let line =
        format!("{{\"id\":{number},\"name\":\"somebody\",\"mail\":\"somebody@example.org\",\"state\":\"active\"}},");
    line.bytes().cycle().take(len).collect()
}

/// How a value of each type is stored, with elements of its own kind: `n` of 400 bytes, or of 40 that are too short.
fn big_values(n: usize) -> Vec<u8> {
    let mut noise = Noise(1);
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").aux("ctime", "1767225600").select(0);
    for kind in ["text", "noise", "short"] {
        let mut element = |number: usize| match kind {
            "text" => text(number, 400),
            "noise" => noise.bytes(400),
            _ => text(number, 40),
        };
        dump = dump.key(1, format!("list:{kind}")).len(n as u64);
        for number in 0..n {
            dump = dump.str(element(number));
        }
        dump = dump.key(18, format!("quicklist:{kind}")).len((n / 10) as u64);
        for node in 0..n / 10 {
            let node: Vec<Entry> = (0..10).map(|at| s(element(node * 10 + at))).collect();
            dump = dump.len(2).str(listpack(&node));
        }
        dump = dump.key(2, format!("set:{kind}")).len(n as u64);
        for number in 0..n {
            dump = dump.str(element(number));
        }
        dump = dump.key(5, format!("zset:{kind}")).len(n as u64);
        for number in 0..n {
            dump = dump.str(element(number)).raw(&(number as f64).to_le_bytes());
        }
        dump = dump.key(4, format!("hash:{kind}")).len(n as u64);
        for number in 0..n {
            dump = dump.str(format!("field:{number}")).str(element(number));
        }
        // Nodes of ten entries with one field each, as a stream's are laid out.
        dump = dump.key(15, format!("stream:{kind}")).len((n / 10) as u64);
        for node in 0..n / 10 {
            let mut entries = vec![i(10), i(0), i(1), s("field"), i(0)];
            for at in 0..10 {
                entries.extend([i(2), i(at), i(0), s(element(node * 10 + at as usize)), i(4)]);
            }
            let id = [(node as u64 + 1).to_be_bytes(), 0u64.to_be_bytes()].concat();
            dump = dump.str(id).str(listpack(&entries));
        }
        dump = dump.len(n as u64).len(n as u64 / 10).len(9).len(0);
    }
    // Strings: plain, compressed by the server, and longer than a pipe keeps.
    dump = dump.string("string:text", text(0, 3 << 20)).string("string:noise", noise.bytes(3 << 20));
    dump = dump.key(0, "packed:text").lzf(&text(0, 3 << 20));
    dump = dump.string("giant:text", text(0, 10 << 20)).string("giant:noise", noise.bytes(9 << 20));
    dump = dump.key(4, "giant-hash:text").len(23_000);
    for number in 0..23_000 {
        dump = dump.str(format!("{number}")).str(text(number, 400));
    }
    dump.end()
}

/// The big keys of a summary by name.
fn big_keys(summary: &Value) -> BTreeMap<String, Value> {
    let keys = summary["big_keys"]["keys"].as_array().unwrap();
    keys.iter().map(|big| (big["key"].as_str().unwrap().to_owned(), big.clone())).collect()
}

fn words(big: &Value) -> String {
    big["runbook"].to_string()
}

#[test]
fn compression_is_measured_on_the_value_itself() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "values.rdb", &big_values(2000));
    let big = big_keys(&run(&["--json", "--big", "elements=1000,memory=1MB", arg(&path)]).expect(0).json());
    let number = |big: &Value, name: &str| big[name].as_u64().unwrap_or_else(|| panic!("{name}: {big}"));
    for (name, key) in &big {
        let measured = &key["compression"];
        let share = number(measured, "compressed_bytes") as f64 / number(measured, "sample_bytes") as f64;
        let (saved, memory) = (number(measured, "saved_bytes"), number(key, "footprint_bytes"));
        let (owner, kind) = name.split_once(':').unwrap();
        // To the end of the last element; of a stream, to that of the last node.
        assert!((65_536..70_000).contains(&number(measured, "sample_bytes")), "{key}");
        match (owner, kind) {
            // One piece: the line that repeats is found everywhere.
            ("string" | "packed" | "giant", "text") => {
                let bytes = number(key, "num_elements");
                assert!(share < 0.01 && saved * 100 > bytes * 99, "{name}: {share}, {saved} of {bytes}");
                assert!(words(key).contains("Compress it in the client"), "{key}");
            }
            ("string" | "giant", _) => {
                assert!(share > 0.99 && saved < memory / 100, "{name}: {share}");
                assert!(words(key).contains("It does not compress"), "{key}");
            }
            // Each by itself: 400 bytes come to about 95 with the frame. 2,000 of them, or 23,000.
            (_, "text") => {
                assert!((0.15..0.35).contains(&share), "{name}: {share}");
                let all = 400 * number(key, "num_elements");
                let expected = all as f64 * (1.0 - share);
                assert!((saved as f64 / expected - 1.0).abs() < 0.03, "{name}: {saved}, not {expected}");
                assert!(words(key).contains("each by itself") && words(key).contains("with zstd -3 makes it"), "{key}");
            }
            _ => {
                assert_eq!(saved, 0, "{name}");
                assert!(!words(key).contains("ompress"), "{name}: nothing is said: {key}");
            }
        }
    }
    for owner in ["list", "quicklist", "set", "zset", "hash", "stream"] {
        for kind in ["text", "noise", "short"] {
            assert!(big.contains_key(&format!("{owner}:{kind}")), "{owner}:{kind}");
        }
    }
    assert_eq!(big.len(), 6 * 3 + 6);
}

#[test]
fn the_sample_is_the_same_however_the_dump_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = big_values(1500);
    let path = write(dir.path(), "values.rdb", &bytes);
    let big = ["--json", "--big", "elements=1000,memory=1MB"];
    let of_file = |path: &Path, threads: &str| {
        let named = format!("stdin={}", arg(path));
        run(&[&big[..], &["--threads", threads, &named]].concat()).expect(0).json()["big_keys"].clone()
    };
    let one = of_file(&path, "1");
    assert_eq!(one["total"], 24);
    for threads in ["1", "2", "8"] {
        assert_eq!(of_file(&path, threads), one, "mapped, {threads} threads");
        let piped = run_with_input(&[&big[..], &["--threads", threads, "-"]].concat(), &bytes).expect(0).json();
        assert_eq!(piped["big_keys"], one, "piped, {threads} threads");
    }
    let packed = zstd::bulk::compress(&bytes, 1).unwrap();
    let packed = write(dir.path(), "values.rdb.zst", &packed);
    assert_eq!(of_file(&packed, "2"), one, "compressed");
    // And from a summary that was stored, where costs can be estimated anew.
    let (page, stored) = (dir.path().join("page.html"), dir.path().join("stored.json"));
    let named = format!("stdin={}", arg(&path));
    run(&[&["report", "-o", arg(&page), "--json", arg(&stored)], &big[1..], &[&named]].concat()).expect(0);
    let from = ["--json", "--from", arg(&stored)];
    assert_eq!(run(&from).expect(0).json()["big_keys"], one, "stored");
    let faster = run(&[&["--link-speed", "10gbit"], &from[..]].concat()).expect(0).json()["big_keys"].clone();
    let transfer = |big_keys: &Value| big_keys["keys"][0]["costs"]["transfer_us"].as_u64().unwrap();
    assert_eq!(transfer(&faster), transfer(&one) / 10);
}

#[test]
fn pieces_land_where_the_nodes_file_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").select(0);
    for name in [&b"plain"[..], b"{tag}list", b"\xffraw"] {
        dump = dump.key(2, name).len(200);
        for number in 0..200 {
            dump = dump.str(format!("{number}"));
        }
    }
    let path = write(dir.path(), "a.rdb", &dump.end());
    let line = |id: char, port: u16, slots: &str| {
        format!("{} 127.0.0.1:{port}@1{port} master - 0 0 {port} connected {slots}\n", id.to_string().repeat(40))
    };
    let nodes = line('a', 7001, "0-5460") + &line('b', 7002, "5461-10922") + &line('c', 7003, "10923-16383");
    let nodes = write(dir.path(), "nodes.conf", nodes.as_bytes());
    let args = ["--json", "--big", "set=20", "--nodes", arg(&nodes), arg(&path)];
    let big = big_keys(&run(&args).expect(0).json());
    for name in ["plain", "\\xffraw"] {
        let landing = &big[name]["landing"];
        let nodes = landing["nodes"].as_array().unwrap();
        let sum: u64 = nodes.iter().map(|node| node["pieces"].as_u64().unwrap()).sum();
        assert_eq!((big[name]["pieces"].as_u64(), sum, &landing["unknown"]), (Some(10), 10, &0.into()), "{landing}");
        assert!(nodes.len() > 1 && words(&big[name]).contains("The pieces would land "), "{landing}");
    }
    // As a server answers CLUSTER KEYSLOT plain:0.
    let slots = &big["plain"]["landing"]["first_slots"];
    assert_eq!(slots.as_array().unwrap().len(), 4);
    let tagged = &big["{tag}list"];
    assert_eq!(tagged["landing"]["nodes"].as_array().unwrap().len(), 1);
    assert!(words(tagged).contains("all pieces stay in slot") && words(tagged).contains("leave the braces out"));
    // Names that are hidden would land elsewhere.
    let secret = write(dir.path(), "secret", b"a secret that is long enough");
    let hidden = run(&[&["--redact", arg(&secret)], &args[..]].concat()).expect(0).json();
    assert!(big_keys(&hidden).values().all(|big| big["landing"].is_null() && !words(big).contains("would land")));
    // Of one dump of no cluster, there is nothing to say.
    let alone = big_keys(&run(&["--json", "--big", "set=20", arg(&path)]).expect(0).json());
    assert!(alone["plain"]["landing"].is_null() && !words(&alone["plain"]).contains("would land"));
}

#[test]
fn each_threshold_is_a_finding_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").select(0).key(4, "profile").len(2);
    let dump = dump.str("photo").str(vec![b'p'; 2 << 20]).str("name").str("n");
    let path = write(dir.path(), "a.rdb", &dump.string("text", "x".repeat(5000)).end());
    let findings = |args: &[&str]| {
        let summary = run(&[&["--json"], args, &[arg(&path)]].concat()).expect(0).json();
        let findings = summary["findings"].as_array().unwrap().clone();
        let found = |finding: &Value| (finding["kind"].as_str().unwrap().to_owned(), finding["severity"].clone());
        findings
            .iter()
            .map(found)
            .map(|(kind, severity)| format!("{kind} {}", severity.as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(findings(&[]), ["huge-element warning"]);
    assert_eq!(findings(&["--big", "element=4MB"]), [""; 0]);
    assert_eq!(findings(&["--big", "element=1MB/1MB"]), ["huge-element critical"]);
    assert_eq!(
        findings(&["--big", "hash=1MB", "--big", "string=4KB/4KB"]),
        ["big-key critical", "big-key warning", "huge-element warning"]
    );
    assert_eq!(findings(&["--big", "hash=1,element=1GB"]), ["big-key warning"]);
}

#[test]
fn options_change_what_the_page_and_the_plan_say() {
    let dir = tempfile::tempdir().unwrap();
    let page = |args: &[&str]| {
        let path = dir.path().join("page.html");
        run(&[&["report", "cluster/dump-7001.rdb", "-o", arg(&path)], args].concat()).expect(0);
        let page = std::fs::read_to_string(path).unwrap();
        page.split("<section id=\"big\">").nth(1).unwrap().split("</section>").next().unwrap().to_owned()
    };
    let usual = page(&["--big", "memory=1KB"]);
    assert!(usual.contains("a link of 1 Gbit/s") && usual.contains("against its timeout of 5 s"), "{usual}");
    let args =
        ["--link-speed", "10gbit", "--migrate-timeout", "90s", "--cost", "free-ns-per-element=7,copy-us-per-mb=500"];
    let other = page(&[&["--big", "memory=1KB"][..], &args].concat());
    for words in
        ["a link of 10 Gbit/s", "against its timeout of 1 min 30 s", "7 ns to free", "0.5 ms to copy", "above 1.00 KiB"]
    {
        assert!(other.contains(words), "{words}: {other}");
    }
    assert!(
        page(&["--big", "memory=1TB,elements=1000000"]).contains("No key crosses a threshold: string above 1.00 TiB")
    );

    let plan = |args: &[&str]| {
        let dumps = ["plan", "cluster/dump-7001.rdb", "cluster/dump-7002.rdb", "cluster/dump-7003.rdb"];
        run(&[&dumps[..], &["--nodes", "cluster/nodes.conf"], args].concat()).expect(0).text()
    };
    assert!(!plan(&[]).contains("Keys that would not move"));
    let slow = plan(&["--migrate-timeout", "1ms", "--link-speed", "1mbit"]);
    assert!(
        slow.contains("Keys that would not move within MIGRATE's 1 ms") && slow.contains("estimated at 1 Mbit/s"),
        "{slow}"
    );
    assert!(plan(&["--commands", "--migrate-timeout", "77s"]).contains("77000"));
}

#[test]
fn bad_options_say_how_to_write_them() {
    for (args, says) in [
        (["--big", "list"], "write list=5000"),
        (["--big", "lists=5"], "`lists` has no threshold"),
        (["--big", "hash=10/5"], "not below the warning"),
        (["--link-speed", "fast"], "write 1gbit"),
        (["--migrate-timeout", "5"], "write 500ms"),
        (["--cost", "del=5"], "free-ns-per-element"),
    ] {
        for command in [&["plan"][..], &["report"], &[]] {
            let done = run(&[command, &args[..], &["cluster/dump-7001.rdb"]].concat()).expect(2);
            assert!(done.stderr.contains(says), "{args:?}: {}", done.stderr);
        }
    }
}
