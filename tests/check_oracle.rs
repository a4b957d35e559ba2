//! Redis 7.0 as the oracle: what `redis-check-rdb` calls bad, and what the server refuses with `sanitize-dump-payload yes`,
//! we call bad.

use std::path::Path;
use std::process::Command;

use crate::common::damaged::{Oracle, damaged, sound_stream};
use crate::common::mutate::{Parts, mutation};
use crate::common::redis::{Server, has_redis};
use crate::common::*;
use rdbscope::pipeline::{self, Counter};

/// Damaged dumps that are compared.
const SAMPLE: u64 = 1200;

/// What `redis-check-rdb` 7.0 calls bad and we do not, by what it says, and why.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("Can't handle RDB format version", "a later version than 10, which we read"),
    ("Invalid object type", "a type of a later server than 7.0, which we read"),
];

/// What `redis-check-rdb` says of a bad dump.
fn refused_by_check(path: &Path) -> Option<String> {
    let done = Command::new("redis-check-rdb").arg(path).output().unwrap();
    (!done.status.success()).then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Whether a server that looks closely refuses to start with a dump.
fn refused_by_server(path: &Path) -> bool {
    let options = ["--dbfilename", path.file_name().unwrap().to_str().unwrap(), "--sanitize-dump-payload", "yes"];
    Server::try_start(path.parent().unwrap(), &options).is_none()
}

#[test]
fn each_kind_of_damage_is_what_redis_says_it_is() {
    if !has_redis() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let sound = write(dir.path(), "sound.rdb", &sound_stream());
    assert_eq!((refused_by_check(&sound), refused_by_server(&sound)), (None, false));
    let mut wrong = Vec::new();
    for damaged in damaged().into_iter().filter(|damaged| damaged.oracle != Oracle::Later) {
        let path = write(dir.path(), "damaged.rdb", &damaged.bytes);
        let said = (refused_by_check(&path).is_some(), refused_by_server(&path));
        let oracle = match said {
            (true, true) => Oracle::Refused,
            (true, false) => Oracle::LeftOut,
            (false, true) => Oracle::ByServer,
            (false, false) => Oracle::Taken,
        };
        if oracle != damaged.oracle {
            wrong.push(format!("{}: {oracle:?}, not {:?}", damaged.name, damaged.oracle));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_redis_check_rdb_calls_bad_is_called_bad() {
    if !has_redis() {
        return;
    }
    let parts: Vec<Parts> = dumps()
        .into_iter()
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .filter(|(name, bytes)| name.starts_with("redis-") && bytes[..9] <= b"REDIS0010"[..])
        .map(|(name, bytes)| Parts::of(&name, &bytes))
        .collect();
    assert!(parts.len() > 10);
    let dir = tempfile::tempdir().unwrap();
    let (mut wrong, mut bad) = (Vec::new(), 0);
    for seed in 0..SAMPLE {
        let (name, bytes) = mutation(&parts, seed);
        let path = write(dir.path(), "mutation.rdb", &bytes);
        let Some(said) = refused_by_check(&path) else { continue };
        bad += 1;
        let checked = pipeline::check_stream("mutation", &mut &bytes[..], &Counter::default()).unwrap();
        if checked.is_sound() && !EXCEPTIONS.iter().any(|(part, _)| said.contains(part)) {
            wrong.push(format!("{name}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {bad}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(bad > SAMPLE / 3, "only {bad} are bad");
}
