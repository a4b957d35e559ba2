//! A dump of the run, read: what it said of itself, how the reading ended, and the sums over its keys. All of it can be
//! stored, so that a summary can be drawn again, or put together with others.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::analyze::Aggregate;
use crate::error::{DumpError, Exit, shown_key};
use crate::escape;
use crate::input::DumpInput;
use crate::pipeline::{ChecksumState, DumpResult, FileFacts};

/// A dump that was read.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReadDump {
    /// Name of the node.
    pub name: String,
    /// Where it came from: a path, or `-`.
    pub path: String,
    /// What it says about itself.
    pub facts: FileFacts,
    /// Keys that were read.
    pub keys: u64,
    /// Bytes of the RDB, up to its end or to where the reading ended.
    pub rdb_bytes: u64,
    /// Bytes that follow the end of the RDB, where they were counted.
    pub trailing_bytes: Option<u64>,
    /// Whether those begin as an append-only file does.
    pub trailing_commands: bool,
    /// Whether the bytes are those that were written.
    pub checksum: ChecksumState,
    /// Why the reading ended early, if it did.
    pub error: Option<ReadError>,
    /// The sums over its keys.
    pub fold: Aggregate,
}

/// Why the reading of a dump ended before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadError {
    /// In words.
    pub what: String,
    /// The key that was being read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyName>,
    /// Offset in the dump, where there is one.
    pub at_byte: Option<u64>,
    /// The exit code that says so.
    pub exit: Exit,
}

/// The name of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyName(#[serde(with = "escape::name")] pub Box<[u8]>);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.key {
            Some(KeyName(key)) => write!(f, ", reading key {}", shown_key(key)),
            None => Ok(()),
        }
    }
}

impl From<DumpError> for ReadError {
    fn from(error: DumpError) -> ReadError {
        ReadError {
            what: error.what(),
            at_byte: error.offset(),
            exit: error.exit(),
            key: match error {
                DumpError::Fault { key, .. } => key.map(|key| KeyName(key.into())),
                _ => None,
            },
        }
    }
}

impl ReadDump {
    /// What came of reading `input`.
    pub fn new(input: &DumpInput, result: DumpResult<Aggregate>) -> ReadDump {
        ReadDump {
            name: input.name.clone(),
            path: input.path_text(),
            facts: result.facts,
            keys: result.keys,
            rdb_bytes: result.rdb_bytes,
            trailing_bytes: result.trailing_bytes,
            trailing_commands: result.trailing_start.starts_with(b"*"),
            checksum: result.checksum,
            error: result.error.map(ReadError::from),
            fold: result.fold,
        }
    }

    /// The code that this dump alone would end the program with.
    pub fn exit(&self) -> Exit {
        Exit::of_dump(self.error.as_ref().map(|error| error.exit), self.fold.damaged_keys)
    }

    /// Lets `visit` change every name of a key that is here, apart from the patterns.
    pub fn for_each_name(&mut self, visit: &mut dyn FnMut(&mut Box<[u8]>)) {
        if let Some(ReadError { key: Some(KeyName(key)), .. }) = &mut self.error {
            visit(key);
        }
        self.fold.for_each_name(visit);
    }
}
