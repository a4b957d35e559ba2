//! The bound on memory: besides the mapped file 64 MiB on two threads, 24 MiB more for each further one.
//!
//! The system holds the program to it: `ulimit -d` limits the private memory that a process may have, stacks and allocator
//! included, and not the mapping of a file.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;

use crate::common::{Done, Rdb, arg, finish, run_with_input, write};

/// Runs the program with no more than so many KiB of private memory.
fn run_within(kib: u64, args: &[&str]) -> Done {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -d {kib}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_rdbscope")]);
    finish(shell.args(args))
}

/// Every kind of output of a dump, within the bound for some numbers of threads.
fn keeps_within_the_bound(dir: &Path, dump: &Path) {
    for threads in [1, 2, 4u64] {
        let kib = (64 + 24 * threads.saturating_sub(2)) << 10;
        let threads = threads.to_string();
        let (page, rows) = (dir.join("page.html"), dir.join("rows.csv"));
        for args in [
            &["report", arg(dump), "-o", arg(&page), "--csv", arg(&rows), "--threads", &threads][..],
            &["keys", arg(dump), "-o", arg(&rows), "--threads", &threads],
            &["--json", arg(dump), "--threads", &threads, "--compare", "redis-7.2,valkey-8.1"],
            &["check", arg(dump), "--threads", &threads, "--fail-on", "never"],
        ] {
            run_within(kib, args).expect(0);
        }
    }
}

#[test]
fn the_limit_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let dump = write(dir.path(), "small.rdb", &Rdb::new("REDIS0011").string("a", "b").end());
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -d 1000; exec \"$0\" \"$1\"", env!("CARGO_BIN_EXE_rdbscope"), arg(&dump)]);
    let output = shell.output().unwrap();
    assert!(!output.status.success(), "a megabyte is not enough for anything: {output:?}");
}

#[test]
fn many_names_that_share_no_pattern() {
    let dir = tempfile::tempdir().unwrap();
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4");
    let mut seed = 1u64;
    for _ in 0..400_000 {
        // Letters that are no hex digits, so that nothing folds: six levels of twelve names and a last of many.
        let mut letters = |count: usize, of: u64| -> String {
            (0..count)
                .map(|_| {
                    seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                    char::from(b'g' + (seed >> 40) as u8 % of as u8)
                })
                .collect()
        };
        let name =
            format!("{}:{}:{}:{}:{}", letters(1, 12), letters(1, 12), letters(1, 12), letters(2, 12), letters(8, 19));
        dump = dump.string(name, "v");
    }
    let bytes = dump.end();
    let path = write(dir.path(), "names.rdb", &bytes);
    keeps_within_the_bound(dir.path(), &path);
}

#[test]
fn a_huge_hash_and_a_huge_list() {
    let dir = tempfile::tempdir().unwrap();
    let count = 400_000;
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").key(4, "hash").len(count);
    for n in 0..count {
        dump = dump.str(format!("field:{n}")).str(format!("value of the field {n}"));
    }
    dump = dump.key(1, "list").len(count);
    for n in 0..count {
        dump = dump.str(format!("element {n}"));
    }
    let path = write(dir.path(), "huge.rdb", &dump.end());
    keeps_within_the_bound(dir.path(), &path);
}

#[test]
fn a_string_of_512_megabytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.rdb");
    let head = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4").key(0, "long").len(512 << 20).0;
    let mut file = File::create(&path).unwrap();
    file.write_all(&head).unwrap();
    // A hole: zeros that take no room on the disk.
    file.seek(SeekFrom::Current(512 << 20)).unwrap();
    file.write_all(&[0xff, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    drop(file);
    keeps_within_the_bound(dir.path(), &path);
    // From a pipe, too.
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -d 65536; exec \"$0\" keys --threads 2 - < \"$1\"", env!("CARGO_BIN_EXE_rdbscope")]);
    let rows = finish(shell.arg(&path)).expect(0).rows();
    assert_eq!(rows[0]["num_elements"], (512u64 << 20).to_string());
}

#[test]
fn a_pipe_of_small_keys() {
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4");
    for n in 0..300_000 {
        dump = dump.string(format!("user:{n}:profile"), "a value of some length that is not short");
    }
    let bytes = dump.end();
    let plain = run_with_input(&["--json", "--threads", "2", "-"], &bytes).expect(0).json();
    assert_eq!(plain["totals"]["keys"], 300_000);
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "small.rdb", &bytes);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -d 65536; exec \"$0\" --json --threads 2 - < \"$1\"", env!("CARGO_BIN_EXE_rdbscope")]);
    let bound = finish(shell.arg(&path)).expect(0).json();
    assert_eq!(bound["totals"], plain["totals"]);
}

/// Key by key, with more keys than are sorted in memory: 48 MiB more.
#[test]
fn a_comparison_key_by_key() {
    let dir = tempfile::tempdir().unwrap();
    let state = |changed: u64| {
        let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4");
        for n in 0..300_000u64 {
            let value = if n == changed { "another" } else { "value" };
            dump = dump.string(format!("user:{}:profile", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)), value);
        }
        dump.end()
    };
    let (old, new) = (write(dir.path(), "old.rdb", &state(7)), write(dir.path(), "new.rdb", &state(200_000)));
    let plain = Command::new(env!("CARGO_BIN_EXE_rdbscope")).args(["diff", "--keys", arg(&old), arg(&new)]).output();
    let done = run_within((64 + 48) << 10, &["diff", "--keys", "--threads", "2", arg(&old), arg(&new)]).expect(0);
    assert_eq!(done.rows().len(), 2);
    assert!(done.stderr.contains("299,998 same") && done.stderr.contains("2 changed"), "{}", done.stderr);
    assert_eq!(plain.unwrap().stdout, done.stdout);
}
