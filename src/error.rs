//! What ends a run, or the reading of a dump, and the exit code that says so.

use std::cmp::Ordering;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::input::unpack::UnpackError;
use crate::rdb::{Fault, FaultKind};

/// An error with what a person needs to act on it.
#[derive(Debug)]
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Usage(String),
    Unreadable { path: PathBuf, source: io::Error },
    Output { path: Option<PathBuf>, source: io::Error },
}

impl Exit {
    /// The code that a dump alone would end the program with: that of what ended the reading, or of broken values.
    pub fn of_dump(ended: Option<Exit>, damaged_keys: u64) -> Exit {
        ended.unwrap_or(if damaged_keys > 0 { Exit::Damaged } else { Exit::Done })
    }
}

impl Error {
    /// The command line or an option file asks for what cannot be done.
    pub fn usage(what: impl Into<String>) -> Error {
        Error(Box::new(Kind::Usage(what.into())))
    }

    /// An input cannot be opened or read.
    pub fn unreadable(path: &Path, source: io::Error) -> Error {
        Error(Box::new(Kind::Unreadable { path: path.to_owned(), source }))
    }

    /// An output cannot be written; without a path it is standard output.
    pub fn output(path: Option<&Path>, source: io::Error) -> Error {
        Error(Box::new(Kind::Output { path: path.map(Path::to_owned), source }))
    }

    /// The same error, if it is one of output, about the file at `path` instead of standard output.
    pub fn with_path(mut self, path: Option<&Path>) -> Error {
        if let (Kind::Output { path: place, .. }, Some(path)) = (&mut *self.0, path) {
            place.get_or_insert_with(|| path.to_owned());
        }
        self
    }

    /// Whether the reader of standard output has gone, which is his right.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(&*self.0, Kind::Output { path: None, source } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit code that this error ends the program with.
    pub fn exit(&self) -> Exit {
        match &*self.0 {
            Kind::Usage(_) | Kind::Output { .. } => Exit::Usage,
            Kind::Unreadable { .. } => Exit::Unreadable,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Usage(what) => f.write_str(what),
            Kind::Unreadable { path, source } => write!(f, "{}: cannot be read: {source}", shown_path(path)),
            Kind::Output { path: Some(path), source } => write!(f, "{}: cannot be written: {source}", shown_path(path)),
            Kind::Output { path: None, source } => write!(f, "standard output cannot be written: {source}"),
        }
    }
}

impl std::error::Error for Error {}

/// How the program ends. The numbers are a promise to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// All was read and written.
    Done = 0,
    /// Something was found that the run is to fail on.
    Findings = 1,
    /// The command line, an option file or an output is at fault.
    Usage = 2,
    /// A file could not be opened, or is no RDB.
    Unreadable = 3,
    /// A dump is damaged or truncated.
    Damaged = 4,
    /// A dump is of a version that is not known.
    Newer = 5,
}

/// Why the reading of a dump ended before the end of the dump.
#[derive(Debug)]
pub enum DumpError {
    /// It could not be opened or read.
    Io(io::Error),
    /// It is compressed, and cannot be unpacked to its end.
    Packed(UnpackError),
    /// Its bytes are not what they should be.
    Fault {
        /// What was wrong, and where.
        fault: Fault,
        /// The key that was being read.
        key: Option<Vec<u8>>,
    },
    /// Its checksum is not that of its bytes.
    Checksum {
        /// What the file says.
        stored: u64,
        /// What its bytes give.
        computed: u64,
    },
    /// It was made shorter, or written to, while it was read.
    Changed {
        /// Bytes when the reading began.
        bytes_before: u64,
        /// Bytes when it ended.
        bytes_after: u64,
    },
}

impl From<io::Error> for DumpError {
    fn from(error: io::Error) -> DumpError {
        match error.downcast::<UnpackError>() {
            Ok(damage) => DumpError::Packed(damage),
            Err(error) => DumpError::Io(error),
        }
    }
}

impl DumpError {
    /// The exit code that says so.
    pub fn exit(&self) -> Exit {
        match self {
            DumpError::Io(_) => Exit::Unreadable,
            DumpError::Fault { fault, .. } => match fault.kind {
                FaultKind::Empty | FaultKind::NotRdb { .. } | FaultKind::ForeignVersion { .. } => Exit::Unreadable,
                FaultKind::NewerVersion { .. } => Exit::Newer,
                _ => Exit::Damaged,
            },
            DumpError::Packed(_) | DumpError::Checksum { .. } | DumpError::Changed { .. } => Exit::Damaged,
        }
    }

    /// What is wrong, without the key that it is wrong with.
    pub fn what(&self) -> String {
        match self {
            DumpError::Fault { fault, .. } => format!("{} at byte {} ({:#x})", fault.kind, fault.at, fault.at),
            other => other.to_string(),
        }
    }

    /// Offset in the dump of what is wrong, where it has one.
    pub fn offset(&self) -> Option<u64> {
        match self {
            DumpError::Fault { fault, .. } => Some(fault.at),
            DumpError::Io(_) | DumpError::Packed(_) | DumpError::Checksum { .. } | DumpError::Changed { .. } => None,
        }
    }
}

/// Most bytes of a key that a message shows.
const KEY_SHOWN: usize = 64;

/// A path for people: free of control characters.
pub fn shown_path(path: &Path) -> String {
    crate::escape::Escape::Utf8.text(path.as_os_str().as_encoded_bytes())
}

/// A key's name for messages: quoted, cut, and free of control characters.
pub fn shown_key(key: &[u8]) -> String {
    let cut = &key[..key.len().min(KEY_SHOWN)];
    let dots = if cut.len() < key.len() { "..." } else { "" };
    format!("\"{}\"{dots}", crate::escape::Escape::Utf8.text(cut))
}

/// A name that is text already, quoted and cut for messages.
pub fn quoted(name: &str) -> String {
    match name.char_indices().nth(KEY_SHOWN) {
        Some((cut, _)) => format!("\"{}\"...", &name[..cut]),
        None => format!("\"{name}\""),
    }
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DumpError::Io(error) => write!(f, "cannot be read: {error}"),
            DumpError::Packed(damage) => damage.fmt(f),
            DumpError::Fault { key, .. } => {
                f.write_str(&self.what())?;
                match key {
                    Some(key) => write!(f, ", reading key {}", shown_key(key)),
                    None => Ok(()),
                }
            }
            DumpError::Checksum { stored, computed } => {
                write!(f, "checksum is {stored:016x}, but the bytes give {computed:016x}")
            }
            DumpError::Changed { bytes_before, bytes_after } => {
                match bytes_before.cmp(bytes_after) {
                    Ordering::Equal => f.write_str("file was written to while it was read")?,
                    Ordering::Greater => write!(
                        f,
                        "file was made shorter while it was read, from {bytes_before} to {bytes_after} bytes"
                    )?,
                    Ordering::Less => {
                        write!(f, "file grew while it was read, from {bytes_before} to {bytes_after} bytes")?;
                    }
                }
                f.write_str("; nothing of it is counted. Read it when it is whole")
            }
        }
    }
}
