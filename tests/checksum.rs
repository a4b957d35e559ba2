//! Checksums: what the `crc64` crate computes is what the program accepts, and nothing else is.
//!
//! The program uses `crc-fast` and combines the checksums of parts; here every dump is judged by an independent, plain
//! implementation.

use crate::common::*;

/// The checksum in the last eight bytes before `trailing` ones.
fn stored(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[bytes.len() - 8..].try_into().unwrap())
}

fn rdb_part(name: &str, bytes: &[u8]) -> Vec<u8> {
    // Append-only commands follow this one.
    let trailing = if name == "redis-6.2-preamble" { AOF_TAIL } else { 0 };
    bytes[..bytes.len() - trailing].to_vec()
}

/// Bytes of append-only commands behind the preamble of `redis-6.2-preamble.aof`, as `fixtures/cut.py` leaves them.
const AOF_TAIL: usize = 600;

#[test]
fn the_independent_crate_agrees_with_every_server() {
    assert_eq!(crc(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    assert_eq!(Rdb::new("REDIS0011").end()[10..], [0xc0, 0x22, 0x8a, 0x8d, 0x74, 0x38, 0x97, 0x62]);
    for (name, path) in dumps() {
        let bytes = rdb_part(&name, &std::fs::read(path).unwrap());
        let off = name.ends_with("nochecksum");
        let computed = crc(&bytes[..bytes.len() - 8]);
        assert_eq!(stored(&bytes), if off { 0 } else { computed }, "{name}");
    }
}

#[test]
fn the_program_accepts_what_the_crate_computes() {
    for (name, path) in dumps() {
        let summary = run(&["--json", arg(&path)]).expect(0).json();
        let off = name.ends_with("nochecksum");
        assert_eq!(summary["dumps"][0]["checksum"], if off { "off" } else { "right" }, "{name}");
        assert_eq!(summary["complete"], true, "{name}");
    }
}

#[test]
fn a_wrong_checksum_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    for (name, dump) in [
        ("empty", Rdb::new("REDIS0011")),
        ("one", Rdb::new("REDIS0005").string("k", "v")),
        ("valkey", Rdb::new("VALKEY080").string("k", "v")),
    ] {
        let right = dump.clone().end();
        let wrong = dump.end_with(stored(&right) ^ 1 << 63);
        let path = write(dir.path(), &format!("{name}.rdb"), &wrong);
        for done in [
            run(&["keys", arg(&path)]),
            run(&["--json", arg(&path)]),
            run_with_input(&["--json", "-"], &wrong),
            run_with_input(&["keys", "-"], &wrong),
        ] {
            let done = done.expect(4);
            assert!(done.stderr.contains("checksum is"), "{}", done.stderr);
            assert!(
                done.stderr.contains(&format!("{:016x}", stored(&right))),
                "says what it should be: {}",
                done.stderr
            );
        }
        let summary = run(&["--json", arg(&path)]).json();
        assert_eq!(summary["dumps"][0]["checksum"], "wrong");
        assert_eq!(summary["complete"], false);
        assert_eq!(summary["totals"]["keys"], u64::from(name != "empty"), "what was read is still reported");
    }
}

#[test]
fn one_changed_byte_anywhere_is_noticed() {
    // The bytes of a value can change without breaking the structure: only the checksum tells.
    let path = fixtures().join("cluster/dump-7001.rdb");
    let whole = std::fs::read(&path).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for at in [9, whole.len() / 3, whole.len() / 2, whole.len() - 10] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x04;
        let path = write(dir.path(), "changed.rdb", &bytes);
        run(&["keys", arg(&path)]).expect(4);
        run_with_input(&["keys", "-"], &bytes).expect(4);
    }
}

#[test]
fn a_checksum_of_zero_is_none_and_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Rdb::new("REDIS0011").string("k", "v").end_with(0);
    let path = write(dir.path(), "off.rdb", &bytes);
    for done in [run(&["--json", arg(&path)]), run_with_input(&["--json", "-"], &bytes)] {
        let summary = done.expect(0).json();
        assert_eq!(summary["dumps"][0]["checksum"], "off");
        let notes = summary["dumps"][0]["notes"].to_string();
        assert!(notes.contains("rdbchecksum no"), "{notes}");
    }
}

#[test]
fn versions_before_five_have_none() {
    let dir = tempfile::tempdir().unwrap();
    for version in 1..5 {
        let bytes = Rdb::new(&format!("REDIS000{version}")).string("k", "v").end();
        assert_eq!(bytes.last(), Some(&0xff));
        let path = write(dir.path(), "old.rdb", &bytes);
        let summary = run(&["--json", arg(&path)]).expect(0).json();
        assert_eq!(summary["dumps"][0]["checksum"], "none");
    }
}
