//! Debian's Redis 7.0, the oracle: on a socket in a folder of its own, so that nobody else can answer in its place.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Whether its programs are here. Without them a test says that it did nothing and passes; with `RDBSCOPE_REQUIRE_REDIS`
/// set it fails.
pub fn has_redis() -> bool {
    let absent = ["redis-server", "redis-cli", "redis-check-rdb"].into_iter().find_map(|program| {
        match Command::new(program).arg("--version").output() {
            Err(error) => Some(format!("{program} does not run: {error}")),
            Ok(out) if program == "redis-server" => {
                let version = String::from_utf8_lossy(&out.stdout).into_owned();
                let is_debians = version.contains("v=7.0.") && version.contains("malloc=jemalloc");
                (!is_debians).then(|| format!("{program} is not Debian's 7.0: {version}"))
            }
            Ok(_) => None,
        }
    });
    let Some(why) = absent else { return true };
    assert!(std::env::var_os("RDBSCOPE_REQUIRE_REDIS").is_none(), "{why}");
    // Written past the test harness, which keeps what a passing test prints to itself.
    let _ = writeln!(io::stderr(), "skipped, nothing was compared with a server: {why}");
    false
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not to be failed at twice: what is wrong has been said by now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// A server with these options that keeps its files in `folder` and saves when it is told to; none if it ends before
    /// it answers.
    pub fn try_start(folder: &Path, options: &[&str]) -> Option<Server> {
        let process = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "no", "--dir"])
            .arg(folder)
            .args(options)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server runs");
        let mut server = Server { process, folder: folder.to_owned() };
        let until = Instant::now() + Duration::from_secs(60);
        while server.process.try_wait().expect("its state").is_none() {
            // While it loads it has a socket already, and answers that it is loading.
            if server
                .connect()
                .and_then(|mut connection| connection.ask(&[b"PING"]))
                .is_ok_and(|reply| reply.is("PONG"))
            {
                return Some(server);
            }
            assert!(Instant::now() < until, "redis-server neither answers nor ends");
            sleep(Duration::from_millis(5));
        }
        None
    }

    /// The same, of a server that has to start.
    pub fn start(folder: &Path, options: &[&str]) -> Server {
        Server::try_start(folder, options).expect("redis-server starts")
    }

    /// Where it saves.
    pub fn dump(&self) -> PathBuf {
        self.folder.join("dump.rdb")
    }

    /// A connection that speaks its protocol.
    pub fn connect(&self) -> io::Result<Connection> {
        let stream = UnixStream::connect(self.folder.join("redis.sock"))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Connection(BufReader::new(stream)))
    }

    /// Its own client, connected to it.
    pub fn client(&self) -> Command {
        let mut command = Command::new("redis-cli");
        command.arg("-s").arg(self.folder.join("redis.sock"));
        command
    }

    /// What its own client prints of an answer.
    pub fn ask(&self, words: &[&str]) -> String {
        let out = self.client().args(words).output().expect("redis-cli runs");
        String::from_utf8(out.stdout).expect("UTF-8").trim_end().to_owned()
    }
}

/// A connection to a server.
#[derive(Debug)]
pub struct Connection(BufReader<UnixStream>);

impl Connection {
    pub fn ask(&mut self, words: &[&[u8]]) -> io::Result<Reply> {
        self.send(words)?;
        self.reply()
    }

    pub fn send(&mut self, words: &[&[u8]]) -> io::Result<()> {
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            command.extend_from_slice(word);
            command.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&command)
    }

    pub fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let rest = line.get(1..).unwrap_or_default().trim_end();
        Ok(match line.bytes().next() {
            Some(b':') => Reply::Number(rest.parse().expect("a number")),
            Some(b'$') if rest == "-1" => Reply::Nothing,
            Some(b'$') => {
                let mut text = vec![0; rest.parse::<usize>().expect("a length") + 2];
                self.0.read_exact(&mut text)?;
                text.truncate(text.len() - 2);
                Reply::Text(String::from_utf8(text).expect("UTF-8"))
            }
            _ => Reply::Text(rest.to_owned()), // a status, or an error such as LOADING
        })
    }
}

/// What a server answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    Number(i64),
    Text(String),
    Nothing,
}

impl Reply {
    pub fn is(&self, text: &str) -> bool {
        matches!(self, Reply::Text(said) if said == text)
    }
}
