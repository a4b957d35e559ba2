//! Debian's Redis 7.0 is linked with a jemalloc of quantum 16: each dump that it can load is loaded, and every key's MEMORY
//! USAGE and encoding compared with what is said of it.
//!
//! Without `redis-server` the test says that it did nothing and passes; with `RDBSCOPE_REQUIRE_REDIS` set it fails.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

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
    match Command::new("redis-server").arg("--version").output() {
        Ok(version) => {
            let version = String::from_utf8_lossy(&version.stdout).into_owned();
            if !version.contains("v=7.0.") || !version.contains("malloc=jemalloc") {
                return skip(&format!("redis-server is not Debian's 7.0: {version}"));
            }
        }
        Err(error) => return skip(&format!("redis-server does not run: {error}")),
    }
    let mut dumps = loadable_dumps(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps"));
    dumps.sort();
    assert!(!dumps.is_empty(), "no dump that Redis 7.0 could load in fixtures/dumps");
    for dump in dumps {
        let mut server = Server::start(&dump);
        let mut wrong = Vec::new();
        let rows = rows(&dump);
        for batch in rows.chunks(BATCH) {
            wrong.extend(server.compare(batch));
        }
        assert!(wrong.is_empty(), "{}: {} of {} keys differ: {wrong:#?}", dump.display(), wrong.len(), rows.len());
        eprintln!("{}: {} keys agree", dump.display(), rows.len());
    }
}

fn skip(why: &str) {
    assert!(std::env::var_os("RDBSCOPE_REQUIRE_REDIS").is_none(), "{why}");
    // Written past the test harness, which keeps what a passing test prints to itself.
    let _ = writeln!(io::stderr(), "skipped, nothing was compared with a server: {why}");
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

fn rows(dump: &Path) -> Vec<Row> {
    let out = Command::new(env!("CARGO_BIN_EXE_rdbscope"))
        .args(["keys", "--format", "csv", "--escape", "base64", "--server", "redis-7.0"])
        .args(["--allocator", "jemalloc-quantum16", "--cluster-mode", "no", "--no-progress"])
        .arg(dump)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", dump.display());
    let text = String::from_utf8(out.stdout).unwrap();
    // No field of these has a comma or a quote in it: keys are in base64.
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let columns = lines.next().unwrap();
    let column = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let (db, key, size, encoding) = (column("database"), column("key"), column("size_in_bytes"), column("encoding"));
    let (elements, expiry, kind) = (column("num_elements"), column("expiry"), column("type"));
    lines
        .map(|fields| Row {
            db: fields[db].to_owned(),
            kind: fields[kind].to_owned(),
            key: from_base64(fields[key]),
            size_in_bytes: fields[size].parse().unwrap(),
            encoding: fields[encoding].to_owned(),
            num_elements: fields[elements].to_owned(),
            expires: !fields[expiry].is_empty(),
        })
        .collect()
}

fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for digit in text.bytes().filter(|byte| *byte != b'=') {
        let value = DIGITS.iter().position(|known| *known == digit).unwrap();
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

/// A server that has loaded a dump; it is gone, with its folder, when this is.
struct Server {
    process: Child,
    folder: PathBuf,
    connection: Option<BufReader<TcpStream>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not to be failed at twice: what is wrong has been said by now.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    fn start(dump: &Path) -> Server {
        // The port may be taken by someone else before the server has it: another is tried then.
        (0..5).find_map(|attempt| Server::try_start(dump, attempt)).expect("redis-server does not start")
    }

    fn try_start(dump: &Path, attempt: u32) -> Option<Server> {
        let name = dump.file_stem().unwrap().to_string_lossy();
        let folder = std::env::temp_dir().join(format!("rdbscope-{}-{name}-{attempt}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::copy(dump, folder.join("dump.rdb")).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dbfilename", "dump.rdb", "--save", ""])
            .args(["--appendonly", "no", "--daemonize", "no", "--dir"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Server { process, folder, connection: None };
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if server.process.try_wait().unwrap().is_some() {
                return None;
            }
            if let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                server.connection = Some(BufReader::new(stream));
                server.send(&[b"PING"]).unwrap();
                if server.reply().is_ok_and(|reply| reply == Reply::Text("PONG".to_owned())) {
                    return Some(server);
                }
            }
            sleep(Duration::from_millis(20));
        }
        None
    }

    fn connection(&mut self) -> &mut BufReader<TcpStream> {
        self.connection.as_mut().unwrap()
    }

    fn send(&mut self, words: &[&[u8]]) -> io::Result<()> {
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            command.extend_from_slice(word);
            command.extend_from_slice(b"\r\n");
        }
        self.connection().get_mut().write_all(&command)
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        self.connection().read_line(&mut line)?;
        let rest = line.get(1..).unwrap_or_default().trim_end();
        Ok(match line.bytes().next() {
            Some(b':') => Reply::Number(rest.parse().unwrap()),
            Some(b'$') if rest == "-1" => Reply::Nothing,
            Some(b'$') => {
                let mut text = vec![0; rest.parse::<usize>().unwrap() + 2];
                self.connection().read_exact(&mut text)?;
                text.truncate(text.len() - 2);
                Reply::Text(String::from_utf8(text).unwrap())
            }
            _ => Reply::Text(rest.to_owned()), // a status, or an error such as LOADING
        })
    }

    /// What the server says otherwise of these keys.
    fn compare(&mut self, rows: &[Row]) -> Vec<String> {
        for row in rows {
            self.send(&[b"SELECT", row.db.as_bytes()]).unwrap();
            self.send(&[b"MEMORY", b"USAGE", &row.key, b"SAMPLES", b"0"]).unwrap();
            self.send(&[b"OBJECT", b"ENCODING", &row.key]).unwrap();
        }
        let mut wrong = Vec::new();
        for row in rows {
            assert_eq!(self.reply().unwrap(), Reply::Text("OK".to_owned()));
            let (usage, encoding) = (self.reply().unwrap(), self.reply().unwrap());
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
}

#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Number(i64),
    Text(String),
    Nothing,
}
