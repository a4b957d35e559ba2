//! The page of a large and nasty cluster: a hundred nodes, long names full of markup, every list longer than the page shows.

use std::fs;

use crate::common::*;
use rdbscope::cluster::slot::slot_of;

const NODES: usize = 100;
const KEYS: u32 = 50_000;

#[test]
fn no_page_is_longer_than_1500_kilobytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut dumps: Vec<Rdb> = (0..NODES)
        .map(|_| {
            let dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").aux("ctime", "1767225600");
            dump.aux("used-mem", "90000000").select(0)
        })
        .collect();
    let mut seed = 7u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (seed >> 33) % below
    };
    let mut hits = String::new();
    for n in 0..KEYS {
        // 230 bytes, every fifth of them three to six times as long where it is written in HTML.
        let words: String = (0..210).map(|_| char::from(b"abcdefghijklmnop<&\"'"[random(20) as usize])).collect();
        let name = format!("k{}:{{tag{}}}:{words}", n % 50, n % 3000);
        let node = usize::from(slot_of(name.as_bytes())) * NODES / 16_384;
        let mut dump = std::mem::replace(&mut dumps[node], Rdb(Vec::new())).raw(&[0xf9, random(256) as u8]);
        let elements = if n % 200 == 0 { 12_000 } else { random(100) + 1 };
        match n % 4 {
            0 => dump = dump.string(&name, "v".repeat(if n % 400 == 0 { 3 << 20 } else { random(1000) as usize })),
            1 => {
                dump = dump.key(2, &name).len(elements);
                dump = (0..elements).fold(dump, |dump, member| dump.str(format!("member {member}")));
            }
            2 => {
                dump = dump.key(4, &name).len(elements);
                dump = (0..elements).fold(dump, |dump, field| dump.str(format!("field {field}")).str("a value of it"));
            }
            _ => {
                dump = dump.key(5, &name).len(elements);
                dump = (0..elements).fold(dump, |dump, n| dump.str(format!("m{n}")).raw(&(n as f64).to_le_bytes()));
            }
        }
        dumps[node] = dump;
        if n % 20 == 0 {
            hits += &format!("\"{}\",{}\n", name.replace('"', "\"\""), random(100_000));
        }
    }
    let mut nodes = String::new();
    for (n, dump) in dumps.into_iter().enumerate() {
        write(dir.path(), &format!("node-{n:03}-with-a-long-name.rdb"), &dump.end_with(0));
        let (first, end) = ((n * 16_384).div_ceil(NODES), ((n + 1) * 16_384).div_ceil(NODES));
        nodes += &format!("{:040x} 10.0.0.{n}:6379@16379 master - 0 0 {n} connected {first}-{}\n", n + 1, end - 1);
    }
    write(dir.path(), "nodes.conf", nodes.as_bytes());
    write(dir.path(), "hits.csv", hits.as_bytes());
    let args =
        ["report", ".", "--nodes", "nodes.conf", "--hits", "hits.csv", "-o", "page.html", "--nodes-target", "120"];
    finish(program().current_dir(dir.path()).args(args)).expect(0);
    let page = fs::read_to_string(dir.path().join("page.html")).unwrap();
    assert!((800_000..1_500_000).contains(&page.len()), "{} bytes", page.len());
    assert!(page.contains("more are left out of this page"));
}
