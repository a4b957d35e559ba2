//! Debian's Redis 7.0 is linked with a jemalloc of quantum 16: each dump that it can load is loaded, and every key's MEMORY
//! USAGE and encoding compared with what is said of it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::common::redis::{Connection, Reply, Server, has_redis};
use crate::common::*;

/// Redis 7.0 reads RDB up to version 10, which is its own.
const NEWEST_RDB: u32 = 10;
/// How many keys are asked for at a time.
const BATCH: usize = 100;
/// Standard deviation of a skip list's node in bytes, at most.
const NODE_DEVIATION: f64 = 13.0;
/// Allowed beside four of them: in a list of few nodes a single one may be many levels high.
const HIGH_NODE: f64 = 256.0;

#[test]
fn agrees_with_debians_redis_of_quantum_16() {
    if !has_redis() {
        return;
    }
    let mut dumps = loadable_dumps(&fixtures().join("dumps"));
    dumps.sort();
    assert!(!dumps.is_empty(), "no dump that Redis 7.0 could load in fixtures/dumps");
    for dump in dumps {
        let dir = tempfile::tempdir().unwrap();
        fs::copy(&dump, dir.path().join("dump.rdb")).unwrap();
        let server = Server::start(dir.path(), &[]);
        let mut connection = server.connect().unwrap();
        let mut wrong = Vec::new();
        let rows = said_of(&dump);
        for batch in rows.chunks(BATCH) {
            wrong.extend(compare(&mut connection, batch));
        }
        assert!(wrong.is_empty(), "{}: {} of {} keys differ: {wrong:#?}", dump.display(), wrong.len(), rows.len());
        eprintln!("{}: {} keys agree", dump.display(), rows.len());
    }
}

fn loadable_dumps(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let is_loadable = |path: &PathBuf| {
        let mut head = [0; 9];
        path.extension().is_some_and(|extension| extension == "rdb")
            && fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut head).is_ok())
            && head.starts_with(b"REDIS")
            && std::str::from_utf8(&head[5..]).is_ok_and(|digits| digits.parse::<u32>().is_ok_and(|v| v <= NEWEST_RDB))
    };
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_loadable).collect()
}

/// What is said of a key.
struct Row {
    db: String,
    kind: String,
    key: Vec<u8>,
    size_in_bytes: i64,
    encoding: String,
    num_elements: String,
    expires: bool,
}

impl Row {
    /// Whether a difference of so many bytes is within what is random in the server.
    fn is_close(&self, difference: u64) -> bool {
        let elements: u64 = self.num_elements.parse().unwrap_or(0);
        match (self.kind.as_str(), self.encoding.as_str()) {
            // The levels of the nodes: the expected value, within four standard deviations.
            ("zset", "skiplist") => difference as f64 <= 4.0 * NODE_DEVIATION * (elements as f64).sqrt() + HIGH_NODE,
            // Where the last field came in while the table was growing, the hash function's seed decides whether the
            // array before was still needed.
            ("hash", "hashtable") => {
                difference == 0 || (difference.is_power_of_two() && (32..=8 * elements).contains(&difference))
            }
            _ => difference == 0,
        }
    }
}

fn said_of(dump: &Path) -> Vec<Row> {
    let options = ["keys", "--format", "csv", "--escape", "base64", "--server", "redis-7.0", "--no-progress"];
    let models = ["--allocator", "jemalloc-quantum16", "--cluster-mode", "no"];
    let rows = run(&[&options[..], &models, &[arg(dump)]].concat()).expect(0).rows();
    rows.into_iter()
        .map(|row| Row {
            db: row["database"].clone(),
            kind: row["type"].clone(),
            key: BASE64_STANDARD.decode(&row["key"]).unwrap(),
            size_in_bytes: row["size_in_bytes"].parse().unwrap(),
            encoding: row["encoding"].clone(),
            num_elements: row["num_elements"].clone(),
            expires: !row["expiry"].is_empty(),
        })
        .collect()
}

/// What the server says otherwise of these keys.
fn compare(connection: &mut Connection, rows: &[Row]) -> Vec<String> {
    for row in rows {
        connection.send(&[b"SELECT", row.db.as_bytes()]).unwrap();
        connection.send(&[b"MEMORY", b"USAGE", &row.key, b"SAMPLES", b"0"]).unwrap();
        connection.send(&[b"OBJECT", b"ENCODING", &row.key]).unwrap();
    }
    let mut wrong = Vec::new();
    for row in rows {
        assert_eq!(connection.reply().unwrap(), Reply::Text("OK".to_owned()));
        let (usage, encoding) = (connection.reply().unwrap(), connection.reply().unwrap());
        if usage == Reply::Nothing && row.expires {
            continue; // it expired before it was asked for
        }
        let close = match usage {
            Reply::Number(bytes) => row.is_close(bytes.abs_diff(row.size_in_bytes)),
            _ => false,
        };
        if !close || encoding != Reply::Text(row.encoding.clone()) {
            wrong.push(format!(
                "{:?}: {} and {} where the server says {usage:?} and {encoding:?}",
                String::from_utf8_lossy(&row.key),
                row.size_in_bytes,
                row.encoding
            ));
        }
    }
    wrong
}
