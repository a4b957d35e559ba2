//! What the integration tests share: the fixtures, a way to run the program, and dumps made by hand.

mod builder;
pub mod damaged;
mod hand_made;
pub mod mutate;
pub mod redis;
pub mod work;

pub use builder::*;
pub use hand_made::*;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

// ---------------------------------------------------------------------------------------------------------- fixtures

/// The folder `fixtures` of the project.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Every dump under `fixtures/dumps`: name without extension (relative, with `/`) and path, sorted.
pub fn dumps() -> Vec<(String, PathBuf)> {
    let root = fixtures().join("dumps");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let is_dump = path.extension().is_some_and(|extension| extension == "rdb")
                || path.file_name() == Some(OsStr::new("redis-6.2-preamble.aof"));
            if path.is_dir() {
                folders.push(path);
            } else if is_dump {
                let name = path.strip_prefix(&root).unwrap().with_extension("");
                found.push((name.to_string_lossy().replace('\\', "/"), path));
            }
        }
    }
    found.sort();
    assert!(found.len() > 40, "the fixtures are missing: {found:?}");
    found
}

/// The three dumps of `fixtures/cluster`.
pub fn cluster_dumps() -> Vec<PathBuf> {
    ["dump-7001.rdb", "dump-7002.rdb", "dump-7003.rdb"]
        .iter()
        .map(|name| fixtures().join("cluster").join(name))
        .collect()
}

/// Rows of a CSV file or output, each by column name.
pub fn rows(csv: &[u8]) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv);
    reader.deserialize().map(|row| row.expect("well-formed CSV in UTF-8")).collect()
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().expect("UTF-8 path")
}

/// A dump written to `dir`.
pub fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// The names in a folder, sorted.
pub fn files_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

// ------------------------------------------------------------------------------------------------------- the program

/// What the program did.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Done {
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).expect("UTF-8 on standard output")
    }

    pub fn rows(&self) -> Vec<BTreeMap<String, String>> {
        rows(&self.stdout)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// Fails unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Done {
        assert_eq!(self.code, code, "exit code; standard error: {}", self.stderr);
        self
    }
}

/// The program, ready for arguments, with an environment that does not depend on who runs the tests.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdbscope"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "RAYON_NUM_THREADS"] {
        command.env_remove(name);
    }
    command.current_dir(fixtures()).stdin(Stdio::null());
    command
}

/// Runs the program in the folder of the fixtures.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(args: &[S]) -> Done {
    finish(program().args(args))
}

/// Runs a prepared command to its end.
#[track_caller]
pub fn finish(command: &mut Command) -> Done {
    let output = command.output().expect("the program starts");
    done(output)
}

/// Runs the program with `input` on standard input.
pub fn run_with_input<S: AsRef<OsStr>>(args: &[S], input: &[u8]) -> Done {
    let mut child = program()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // The program may stop reading early; then writing fails, which is its right.
    let writer = std::thread::spawn(move || pipe.write_all(&input).ok());
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("writer");
    done(output)
}

fn done(output: std::process::Output) -> Done {
    Done {
        code: output.status.code().unwrap_or_else(|| panic!("killed: {:?}", output.status)),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
