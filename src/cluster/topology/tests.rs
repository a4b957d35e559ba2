use super::*;

/// `nodes.conf` of a Redis 8.6 cluster.
const REDIS_FILE: &str = "\
3328a43c5a0bb30cec98942f15a4cf8b52b80f84 127.0.0.1:27601@37601,,tls-port=0,shard-id=03eae04afc895c38248ed78baa3f1ba01e8a07e6 master - 0 1795359436073 2 connected 5461-10922
92d87e221ad091ef1c8a9e48b449c60f5064dabf 127.0.0.1:27604@37604,,tls-port=0,shard-id=03eae04afc895c38248ed78baa3f1ba01e8a07e6 slave 3328a43c5a0bb30cec98942f15a4cf8b52b80f84 0 1795359436173 2 connected
fa8e669811bd2ffbd2459605145ad4aa9821e282 127.0.0.1:27600@37600,,tls-port=0,shard-id=624431869ada0d3052f151251a7ebf833c16b75f myself,master - 0 0 1 connected 0-5460
3580db712a9b6eeed713fd241cebf7c43dd24b16 127.0.0.1:27605@37605,,tls-port=0,shard-id=aa034481f5ac51910482b11e86dad25f56a8f24a slave 363dbe6eeb05fd3262ac196376453e5888611eb8 0 1795359436000 3 disconnected
363dbe6eeb05fd3262ac196376453e5888611eb8 127.0.0.1:27602@37602,,tls-port=0,shard-id=aa034481f5ac51910482b11e86dad25f56a8f24a master - 0 1795359436079 3 connected 10923-16383
78acf91849fe8a533716062dbcd09fcc8a08e491 127.0.0.1:27603@37603,,tls-port=0,shard-id=624431869ada0d3052f151251a7ebf833c16b75f slave fa8e669811bd2ffbd2459605145ad4aa9821e282 0 1795359436079 1 connected
vars currentEpoch 6 lastVoteEpoch 0
";

/// What `CLUSTER NODES` answers on the same cluster.
const REDIS_ANSWER: &str = "\
3328a43c5a0bb30cec98942f15a4cf8b52b80f84 127.0.0.1:27601@37601 master - 0 1795359436786 2 connected 5461-10922
92d87e221ad091ef1c8a9e48b449c60f5064dabf 127.0.0.1:27604@37604 slave 3328a43c5a0bb30cec98942f15a4cf8b52b80f84 0 1795359436173 2 connected
fa8e669811bd2ffbd2459605145ad4aa9821e282 127.0.0.1:27600@37600 myself,master - 0 0 1 connected 0-5460
3580db712a9b6eeed713fd241cebf7c43dd24b16 127.0.0.1:27605@37605 slave 363dbe6eeb05fd3262ac196376453e5888611eb8 0 1795359438929 3 connected
363dbe6eeb05fd3262ac196376453e5888611eb8 127.0.0.1:27602@37602 master - 0 1795359436079 3 connected 10923-16383
78acf91849fe8a533716062dbcd09fcc8a08e491 127.0.0.1:27603@37603 slave fa8e669811bd2ffbd2459605145ad4aa9821e282 0 1795359438000 1 connected
";

/// `nodes.conf` of a Valkey 8.1 cluster.
const VALKEY_FILE: &str = "\
ec0096918d4e98b4c8d96afb05a86126d97f3f6b 127.0.0.1:27501@37501,,tls-port=0,shard-id=b62708a42d1794b9cd876ae395b92c1d23a70c93 master - 0 1795359424946 2 disconnected 5461-10922
34661fbb6401642faa8e47ecdc029abbb3594c57 127.0.0.1:27504@37504,,tls-port=0,shard-id=fa105bb7f3a764954e41c3f0e4c808e9dc62fa04 slave 0b16d81e564d3c04ec59c97cf46a55caff8e0689 0 1795359424946 3 disconnected
913617ac0504f3b0d52c955172c4a4ec3505c14f 127.0.0.1:27505@37505,,tls-port=0,shard-id=b373a209051acefa48b799c24351901ed6a523f4 slave b73d7b685c011babd594d3d00e903d0969c88c5a 0 1795359424946 1 disconnected
0b16d81e564d3c04ec59c97cf46a55caff8e0689 127.0.0.1:27502@37502,,tls-port=0,shard-id=fa105bb7f3a764954e41c3f0e4c808e9dc62fa04 master - 0 1795359424946 3 disconnected 10923-16383
cc3933dd81f5797a2672671217c8c0ed938b2673 127.0.0.1:27503@37503,,tls-port=0,shard-id=b62708a42d1794b9cd876ae395b92c1d23a70c93 slave ec0096918d4e98b4c8d96afb05a86126d97f3f6b 0 1795359424946 2 disconnected
b73d7b685c011babd594d3d00e903d0969c88c5a 127.0.0.1:27500@37500,,tls-port=0,shard-id=b373a209051acefa48b799c24351901ed6a523f4 myself,master - 0 0 1 connected 0-5460
vars currentEpoch 6 lastVoteEpoch 0
";

/// A line in the middle of resharding, in the words of the command's documentation.
const RESHARDING: &str = "a1 127.0.0.1:30001@31001 myself,master - 0 0 1 connected \
    0-76 78-100 77 [77->-e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca] \
    [93-<-292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f] 16383";

fn range(first: u16, last: u16) -> SlotRange {
    SlotRange { first, last }
}

fn parse(text: &str) -> Topology {
    Topology::parse(text.as_bytes()).unwrap()
}

/// The only node of a text of one line.
fn node(line: &str) -> ClusterNode {
    let mut topology = parse(line);
    assert_eq!(topology.nodes.len(), 1);
    topology.nodes.remove(0)
}

/// The error of a text, as the user reads it.
fn refusal(text: impl AsRef<[u8]>) -> String {
    Topology::parse(text.as_ref()).unwrap_err().to_string()
}

/// A master `id` at port 7000 that owns `slots`.
fn master(id: &str, slots: &str) -> String {
    format!("{id} 127.0.0.1:7000@17000 master - 0 0 1 connected {slots}\n")
}

#[test]
fn reads_a_file_of_redis() {
    let topology = parse(REDIS_FILE);
    assert_eq!(topology.nodes.len(), 6);
    assert_eq!(
        topology.nodes[2],
        ClusterNode {
            id: "fa8e669811bd2ffbd2459605145ad4aa9821e282".to_owned(),
            address: "127.0.0.1:27600".to_owned(),
            hostname: None,
            flags: vec!["myself".to_owned(), "master".to_owned()],
            role: Role::Master,
            slots: vec![range(0, 5460)],
            migrating: vec![],
            importing: vec![],
            shard_id: Some("624431869ada0d3052f151251a7ebf833c16b75f".to_owned()),
        }
    );
    let of = "363dbe6eeb05fd3262ac196376453e5888611eb8".to_owned();
    assert_eq!(topology.nodes[3].role, Role::Replica { of });
    assert!(topology.nodes[3].slots.is_empty());

    for (slot, owner) in [(0, 2), (5460, 2), (5461, 0), (10922, 0), (10923, 4), (16383, 4)] {
        assert_eq!(topology.owner(slot), Some(owner), "slot {slot}");
    }
    assert_eq!(topology.owner(16384), None);
    assert_eq!(topology.owner(u16::MAX), None);
    assert_eq!(topology.unowned_slots(), []);
    let masters = topology.masters().map(|(index, _)| index).collect::<Vec<_>>();
    assert_eq!(masters, [0, 2, 4]);
}

#[test]
fn reads_the_answer_of_redis() {
    let mut file = parse(REDIS_FILE);
    for node in &mut file.nodes {
        assert!(node.shard_id.take().is_some());
    }
    assert_eq!(parse(REDIS_ANSWER), file);
}

#[test]
fn reads_a_file_of_valkey() {
    let topology = parse(VALKEY_FILE);
    let slots = topology.nodes.iter().map(|node| node.slots.clone());
    assert_eq!(
        slots.collect::<Vec<_>>(),
        [vec![range(5461, 10922)], vec![], vec![], vec![range(10923, 16383)], vec![], vec![range(0, 5460)],]
    );
    assert_eq!(topology.unowned_slots(), []);
}

#[test]
fn reads_every_form_of_address() {
    for (word, endpoint, hostname, shard_id) in [
        ("10.0.0.1:7000@17000", "10.0.0.1:7000", None, None),
        ("10.0.0.1:7000", "10.0.0.1:7000", None, None),
        (":7000@17000", ":7000", None, None),
        (":0@0", ":0", None, None),
        ("::1:7000@17000", "::1:7000", None, None),
        ("2001:db8::2:7000@17000,h", "2001:db8::2:7000", Some("h"), None),
        ("fe80::1%eth0:7000", "fe80::1%eth0:7000", None, None),
        ("redis-0.svc:7000@17000", "redis-0.svc:7000", None, None),
        ("1.2.3.4:1@2,a.example", "1.2.3.4:1", Some("a.example"), None),
        ("1.2.3.4:1@2,", "1.2.3.4:1", None, None),
        ("1.2.3.4:1,host", "1.2.3.4:1", Some("host"), None),
        ("1.2.3.4:1@2,,tls-port=0,shard-id=ab", "1.2.3.4:1", None, Some("ab")),
        ("1.2.3.4:1@2,h,shard-id=ab,nodename=n", "1.2.3.4:1", Some("h"), Some("ab")),
        ("1.2.3.4:1@2,shard-id=ab", "1.2.3.4:1", None, Some("ab")),
    ] {
        let node = node(&format!("a1 {word} master - 0 0 1 connected"));
        assert_eq!(node.address, endpoint, "{word}");
        assert_eq!(node.hostname.as_deref(), hostname, "{word}");
        assert_eq!(node.shard_id.as_deref(), shard_id, "{word}");
    }
}

#[test]
fn tells_roles_from_flags() {
    let replica = Role::Replica { of: "m-1".to_owned() };
    for (flags, of, role) in [
        ("master", "-", Role::Master),
        ("myself,master,fail?", "-", Role::Master),
        ("master,fail,noaddr", "-", Role::Master),
        ("primary", "-", Role::Master),
        ("slave", "m-1", replica.clone()),
        ("myself,slave,nofailover", "m-1", replica.clone()),
        ("replica", "m-1", replica),
        ("slave", "-", Role::Other),
        ("handshake", "-", Role::Other),
        ("noaddr", "-", Role::Other),
        ("noflags", "-", Role::Other),
    ] {
        let node = node(&format!("a1 :0@0 {flags} {of} 0 0 0 disconnected"));
        assert_eq!(node.role, role, "{flags} {of}");
        assert_eq!(node.flags.join(","), flags);
    }
}

#[test]
fn masters_are_those_flagged_and_those_with_slots() {
    let text = "a :1 master - 0 0 1 connected\n\
        b :2 slave a 0 0 1 connected\n\
        c :3 fail - 0 0 1 connected 7\n\
        d :4 handshake - 0 0 1 connected\n";
    let topology = parse(text);
    let masters = topology.masters().map(|(index, node)| (index, node.id.as_str()));
    assert_eq!(masters.collect::<Vec<_>>(), [(0, "a"), (2, "c")]);
    assert_eq!(topology.owner(7), Some(2));
}

#[test]
fn reads_slots_on_the_move() {
    let node = node(RESHARDING);
    assert_eq!(node.slots, [range(0, 100), range(16383, 16383)]);
    let to = "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca".to_owned();
    assert_eq!(node.migrating, [(77, to)]);
    let from = "292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f".to_owned();
    assert_eq!(node.importing, [(93, from)]);

    let importing = parse("a1 :1 master - 0 0 1 connected [93-<-b1]");
    assert_eq!(importing.owner(93), None);
}

#[test]
fn lists_slots_without_owner() {
    let topology = parse(&master("a1", "1-5 7 9-16382"));
    let unowned = topology.unowned_slots();
    assert_eq!(unowned, [range(0, 0), range(6, 6), range(8, 8), range(16383, 16383)]);
    assert_eq!(topology.owner(0), None);
    let none = parse("a1 :0@0 myself,master - 0 0 0 connected");
    assert_eq!(none.unowned_slots(), [range(0, 16383)]);
}

#[test]
fn accepts_other_line_ends_and_blank_lines() {
    let expected = parse(REDIS_FILE);
    for text in [
        REDIS_FILE.replace('\n', "\r\n"),
        REDIS_FILE.replace('\n', " \n\n"),
        format!("\u{FEFF}{REDIS_FILE}"),
        format!("{REDIS_FILE}\n\n\n"),
        format!("  {}", REDIS_FILE.replace('\n', "\n  ")),
        REDIS_FILE.replace(' ', "\t"),
        REDIS_FILE.trim_end().to_owned(),
        format!("Warning: Using a password with '-a' may not be safe.\n{REDIS_FILE}"),
        format!("vars currentEpoch 6 lastVoteEpoch 0\n{REDIS_FILE}"),
    ] {
        assert_eq!(parse(&text), expected, "{text:?}");
    }
}

#[test]
fn rejects_a_text_without_nodes() {
    for (text, line) in [("", 1), ("\n\n", 2), ("\u{FEFF}", 1), ("\nvars currentEpoch 6 lastVoteEpoch 0\n", 2)] {
        let expected = format!(
            "line {line}: no line describes a node; \
            give a nodes.conf or what `redis-cli CLUSTER NODES` prints"
        );
        assert_eq!(refusal(text), expected);
    }
}

#[test]
fn rejects_malformed_words() {
    const SLOT: &str = "expected a slot or a slot range";
    const ADDRESS: &str = "expected an address like 127.0.0.1:7000@17000";
    for (line, what) in [
        ("?! :1 master - 0 0 1 connected", "expected a node id, found `?!`".to_owned()),
        ("a1 7000 master - 0 0 1 connected", format!("{ADDRESS}, found `7000`")),
        ("a1 h:70000 master - 0 0 1 connected", format!("{ADDRESS}, found `h:70000`")),
        ("a1 h:+7 master - 0 0 1 connected", format!("{ADDRESS}, found `h:+7`")),
        ("a1 h:@1 master - 0 0 1 connected", format!("{ADDRESS}, found `h:@1`")),
        ("a1 h:1@x master - 0 0 1 connected", format!("{ADDRESS}, found `h:1@x`")),
        ("a1", format!("{ADDRESS}, found the end of the line")),
        ("a1 :1 - 0 0 1 connected", "expected flags like `myself,master`, found `-`".to_owned()),
        ("a1 :1 master,, - 0 0 1 connected", "expected flags like `myself,master`, found `master,,`".to_owned()),
        ("a1 :1 slave ? 0 0 1 connected", "expected the id of a master or `-`, found `?`".to_owned()),
        ("a1 :1 master - x 0 1 connected", "expected the time of a ping, found `x`".to_owned()),
        ("a1 :1 master - 0 connected", "expected the time of a pong, found `connected`".to_owned()),
        ("a1 :1 master - 0 0 -1 connected", "expected a configuration epoch, found `-1`".to_owned()),
        ("a1 :1 master - 0 0 1", "expected `connected` or `disconnected`, found the end of the line".to_owned()),
        ("a1 :1 master - 0 0 1 connectedly", "expected `connected` or `disconnected`, found `connectedly`".to_owned()),
        ("a1 :1 master - 0 0 1 connected 12x", format!("{SLOT}, found `12x`")),
        ("a1 :1 master - 0 0 1 connected 1-", format!("{SLOT}, found `1-`")),
        ("a1 :1 master - 0 0 1 connected 1-2-3", format!("{SLOT}, found `1-2-3`")),
        ("a1 :1 master - 0 0 1 connected -5", format!("{SLOT}, found `-5`")),
        ("a1 :1 master - 0 0 1 connected [5]", format!("{SLOT}, found `[5]`")),
        ("a1 :1 master - 0 0 1 connected [5->-b", format!("{SLOT}, found `[5->-b`")),
        ("a1 :1 master - 0 0 1 connected [5->-]", format!("{SLOT}, found `[5->-]`")),
        ("a1 :1 master - 0 0 1 connected [5--b]", format!("{SLOT}, found `[5--b]`")),
        ("a1 :1 master - 0 0 1 connected 99999999999999999999", format!("{SLOT}, found `99999999999999999999`")),
        ("vars currentEpoch", "expected a number, found the end of the line".to_owned()),
        ("vars 6! 6", "expected a name, found `6!`".to_owned()),
        ("# a comment", "expected a node id, found `#`".to_owned()),
    ] {
        let text = format!("b1 :9 master - 0 0 1 connected\r\n\r\n{line}\r\n");
        assert_eq!(refusal(text), format!("line 3: {what}"));
    }
}

#[test]
fn rejects_slots_that_do_not_exist() {
    for (word, slot) in [
        ("16384", "16384"),
        ("0-16384", "16384"),
        ("65536-65540", "65536"),
        ("[16384->-b]", "16384"),
        ("[70000-<-b]", "70000"),
    ] {
        let expected = format!("line 1: slot {slot} is above 16383");
        assert_eq!(refusal(master("a1", word)), expected);
    }
}

#[test]
fn rejects_ranges_that_run_backwards() {
    let expected = "line 1: the slot range 8-7 runs backwards";
    assert_eq!(refusal(master("a1", "0-5 8-7")), expected);
    assert_eq!(parse(&master("a1", "7-7")).nodes[0].slots, [range(7, 7)]);
}

#[test]
fn rejects_slots_claimed_twice() {
    let text = master("a1", "0-100") + &master("b1", "101-200 100");
    assert_eq!(
        refusal(text),
        "line 2: slot 100 has two owners, 127.0.0.1:7000 (a1) and 127.0.0.1:7000 (b1); \
        the text must be what a single node says"
    );
    let expected = "line 1: slot 7 is listed twice";
    assert_eq!(refusal(master("a1", "7-9 0-7")), expected);
    let replica = "a1 :1 slave b1 0 0 1 connected 5";
    assert_eq!(refusal(replica), "line 1: a replica cannot own slots");
}

#[test]
fn rejects_nodes_listed_twice() {
    let text = REDIS_ANSWER.repeat(2);
    assert_eq!(
        refusal(text),
        "line 7: node 3328a43c5a0bb30cec98942f15a4cf8b52b80f84 is listed twice, \
        first on line 1; the text must be what a single node says"
    );
}

#[test]
fn rejects_more_nodes_than_it_can_count() {
    let mut topology = parse(&master("a1", "0"));
    let first = topology.nodes[0].clone();
    topology.nodes.resize(65534, first);
    let (_, line) = node_line("b1 :1 master - 0 0 1 connected 16383").unwrap();
    assert_eq!(topology.add(line), Ok(()));
    assert_eq!(topology.owner(16383), Some(65534));
    let (_, line) = node_line("c1 :1 master - 0 0 1 connected").unwrap();
    assert_eq!(topology.add(line), Err("more than 65535 nodes".to_owned()));
}

#[test]
fn says_what_another_text_is() {
    for (text, what) in [
        ("[\n [\n  0,\n  5460,\n", "this is JSON"),
        ("{\"slots\":[0,5460]}", "this is JSON"),
        ("1) 1) (integer) 0\n   2) (integer) 5460\n   3) 1) \"127.0.0.1\"\n", "this is the answer to CLUSTER SLOTS"),
        ("0\n5460\n127.0.0.1\n27600\n", "this is the answer to CLUSTER SLOTS"),
        ("1) 1) \"slots\"\n   2) 1) (integer) 0\n      2) (integer) 5460\n", "this is the answer to CLUSTER SHARDS"),
        ("1) 1# \"slots\" => 1) (integer) 0\n         2) (integer) 5460\n", "this is the answer to CLUSTER SHARDS"),
        ("slots\n0\n5460\nnodes\nid\n", "this is the answer to CLUSTER SHARDS"),
        ("1) \"a1 127.0.0.1:7003@17003 slave", "this is a list, the answer to another command"),
        ("cluster_state:ok\ncluster_slots_assigned:0", "this is the answer to CLUSTER INFO"),
        (
            "127.0.0.1:7000 (fa8e6698...) -> 0 keys | 5461 slots | 1 slaves.\n",
            "this is what `redis-cli --cluster` prints",
        ),
        ("M: fa8e 127.0.0.1:7000\n", "this is what `redis-cli --cluster` prints"),
        (">>> Calling cluster nodes\n", "this is what `redis-cli --cluster` prints"),
        ("REDIS0011\n", "this is an RDB dump"),
        ("VALKEY080\n", "this is an RDB dump"),
    ] {
        let expected = format!("line 1: {what}; give a nodes.conf or what `redis-cli CLUSTER NODES` prints");
        assert_eq!(refusal(text), expected);
        // Nor does what redis-cli or a shell puts before it hide the kind of the text.
        if !what.contains("dump") {
            let preceded = format!("\u{FEFF}Warning: Using a password ...\n\n{text}");
            assert_eq!(refusal(preceded), expected.replace("line 1", "line 3"));
        }
    }
}

#[test]
fn says_what_to_do_about_errors_and_encodings() {
    assert_eq!(
        refusal("\"a1 127.0.0.1:7000@17000 master - 0 0 1 connected\\n\"\n"),
        "line 1: this is a quoted string; save what `redis-cli --raw CLUSTER NODES` prints"
    );
    assert_eq!(
        refusal("ERR This instance has cluster support disabled\n"),
        "line 1: this is a server's error, `ERR This instance has cluster support di…`"
    );
    assert_eq!(
        refusal("NOAUTH Authentication required.\n"),
        "line 1: this is a server's error, `NOAUTH Authentication required.`"
    );
    for mark in [[0xFF, 0xFE], [0xFE, 0xFF]] {
        assert_eq!(refusal(mark), "line 1: this text is UTF-16; save it as UTF-8");
    }
    assert_eq!(
        refusal([REDIS_ANSWER.as_bytes(), b"\xFF\xFE\n"].concat()),
        "line 7: this is not text; give a nodes.conf or what `redis-cli CLUSTER NODES` prints"
    );
}

#[test]
fn keeps_the_guess_to_the_first_node() {
    let text = format!("{REDIS_ANSWER}[1,2]\n");
    assert_eq!(refusal(text), "line 7: expected a node id, found `[1,2]`");
}

#[test]
fn shows_control_characters_and_cuts_long_words() {
    assert_eq!(refusal("\0\x1B[1m"), "line 1: expected a node id, found `\\u{0}\\u{1b}[1m`");
    let expected = format!("line 1: expected a node id, found `{}…`", "é".repeat(40));
    assert_eq!(refusal("é".repeat(41)), expected);
    assert_eq!(refusal("é".repeat(40)), expected.replace('…', ""));
}

#[test]
fn merges_slots_to_ranges() {
    assert_eq!(ranges([]), []);
    assert_eq!(ranges([7]), [range(7, 7)]);
    assert_eq!(ranges([0, 1, 1, 2, 4, 6, 7]), [range(0, 2), range(4, 4), range(6, 7)]);
    assert_eq!(ranges(0..SLOTS), [range(0, 16383)]);
    assert_eq!(ranges([65534, 65535, 65535]), [range(65534, 65535)]);
}

#[test]
fn prints_ranges() {
    let list = [range(0, 5460), range(7000, 7000), range(8000, 8001)];
    for (ranges, at_most, text) in [
        (&list[..], 9, "0-5460, 7000, 8000-8001"),
        (&list, 3, "0-5460, 7000, 8000-8001"),
        (&list, 2, "0-5460, 7000 and 1 more"),
        (&list, 1, "0-5460 and 2 more"),
        (&list, 0, "3 ranges"),
        (&list[..1], 1, "0-5460"),
        (&list[..1], 0, "1 range"),
        (&[], 5, "none"),
        (&[], 0, "none"),
    ] {
        assert_eq!(format_ranges(ranges, at_most), text);
    }
    assert_eq!(range(0, 5460).count(), 5461);
    assert_eq!(range(7000, 7000).count(), 1);
}

#[test]
fn debug_leaves_out_the_table() {
    let shown = format!("{:?}", parse(REDIS_FILE));
    assert!(shown.len() < 4000, "{} bytes", shown.len());
}

#[test]
fn survives_mutations() {
    // xorshift64*
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % below.max(1)
    };
    let seeds = [REDIS_FILE, REDIS_ANSWER, VALKEY_FILE, RESHARDING];
    let bytes = b" \n\r\t,:@-<>[]?=+\"{}0123456789abmsv\0\xC3\xEF\xFF";
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..4_000 {
        let mut text = seeds[round % seeds.len()].as_bytes().to_vec();
        for _ in 0..=random(4) {
            let at = random(text.len());
            let to = (at + random(60)).min(text.len());
            match random(6) {
                0 if !text.is_empty() => text[at] = bytes[random(bytes.len())],
                1 if !text.is_empty() => text[at] ^= 1 << random(8),
                2 => text.insert(at, bytes[random(bytes.len())]),
                3 => drop(text.drain(at..to)),
                4 => {
                    let part = text[at..to].to_vec();
                    let target = random(text.len());
                    text.splice(target..target, part);
                }
                _ if random(8) == 0 => text.truncate(at),
                _ => {}
            }
        }
        let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
        match Topology::parse(&text) {
            Ok(topology) => {
                accepted += 1;
                assert!(!topology.nodes.is_empty());
                let mut owned = 0;
                for (index, node) in topology.nodes.iter().enumerate() {
                    for range in &node.slots {
                        owned += range.count();
                        assert_eq!(topology.owner(range.first), Some(index));
                        assert_eq!(topology.owner(range.last), Some(index));
                    }
                }
                let unowned = topology.unowned_slots();
                let unowned = unowned.into_iter().map(SlotRange::count).sum::<usize>();
                assert_eq!(owned + unowned, usize::from(SLOTS));
            }
            Err(error) => {
                refused += 1;
                assert!((1..=lines).contains(&error.line), "{error}");
                assert!(!error.what.is_empty());
            }
        }
    }
    // Both outcomes are worth nothing unless both are common.
    assert!(accepted > 500 && refused > 500, "{accepted} and {refused}");
}
