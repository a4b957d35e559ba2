//! A dump read in depth: everything that a server would refuse, without its memory.

use std::io::{self, Read};

use super::facts::FileFacts;
use super::stream::{self, Behind};
use super::{ChecksumState, DumpResult, Progress, Setup, look, read_dump, with_job};
use crate::analyze::integrity::{Damage, Integrity, RepeatedKey};
use crate::error::{DumpError, Error};
use crate::input::{DumpInput, Opened};
use crate::memory::Model;
use crate::rdb::{Fault, Header, Item, Reader};
use crate::value::{Depth, MAX_BLOB_BYTES};

/// What is wrong with a dump.
#[derive(Debug)]
pub struct CheckedDump {
    /// What it says about itself.
    pub facts: FileFacts,
    /// Keys that were read.
    pub keys: u64,
    /// Values that a server would refuse; what behind them could be read has been read.
    pub damaged_values: u64,
    /// The first [`crate::analyze::integrity::LISTED`] of these, in the order of the file.
    pub damages: Vec<Damage>,
    /// Keys that were there before in their database.
    pub repeated_keys: u64,
    /// The first of these, as above.
    pub repeats: Vec<RepeatedKey>,
    /// What is wrong between the keys: AUX fields, function libraries.
    pub item_faults: Vec<Fault>,
    /// Bytes of the RDB, up to its end or to where the reading ended.
    pub rdb_bytes: u64,
    /// Bytes that follow the end of the RDB.
    pub trailing_bytes: Option<u64>,
    /// Whether the bytes are those that were written.
    pub checksum: ChecksumState,
    /// Why the reading ended early, or that the checksum is wrong.
    pub error: Option<DumpError>,
}

impl CheckedDump {
    /// Whether nothing at all is wrong, and nothing follows the dump.
    pub fn is_sound(&self) -> bool {
        self.error.is_none()
            && self.damaged_values == 0
            && self.repeated_keys == 0
            && self.item_faults.is_empty()
            && self.trailing_bytes == Some(0)
    }
}

/// Checks a dump on the threads of the current pool.
///
/// # Errors
/// If the temporary file for the names of its keys fails. What is wrong with the dump is in the result.
pub fn check_dump(input: &DumpInput, progress: &dyn Progress) -> Result<CheckedDump, Error> {
    let mut checked = found(read_dump(input, &InDepth, None, progress)?)?;
    name_repeats(input, checked.facts.header, &mut checked.repeated_keys, &mut checked.repeats);
    Ok(checked)
}

/// The number of keys that a dump read in depth has again, and the first of them, with their names where it can be read again.
///
/// # Errors
/// As [`check_dump`].
pub fn repeated_keys(
    input: &DumpInput,
    facts: &FileFacts,
    integrity: &mut Integrity,
) -> Result<(u64, Vec<RepeatedKey>), Error> {
    let (mut count, mut repeats) = integrity.repeated().map_err(temporary)?;
    name_repeats(input, facts.header, &mut count, &mut repeats);
    Ok((count, repeats))
}

/// Names the repeated keys that are listed, and drops those that only have the same print.
fn name_repeats(input: &DumpInput, header: Option<Header>, count: &mut u64, repeats: &mut Vec<RepeatedKey>) {
    if *count > 0
        && let (Some(header), Ok(Opened::Mapped(map))) = (header, input.source.open())
    {
        let before = repeats.len();
        repeats.retain_mut(|repeat| name_again(map.bytes(), header, repeat));
        *count -= (before - repeats.len()) as u64;
    }
}

/// Checks a dump from a stream, which is read to its end.
///
/// # Errors
/// As [`check_dump`].
pub fn check_stream(node: &str, stream: &mut (dyn Read + Send), progress: &dyn Progress) -> Result<CheckedDump, Error> {
    found(with_job(node, &InDepth, None, progress, |job| stream::read(job, stream, Behind::Counted))?)
}

fn found(result: DumpResult<Integrity>) -> Result<CheckedDump, Error> {
    let mut integrity = result.fold;
    let (repeated_keys, repeats) = integrity.repeated().map_err(temporary)?;
    Ok(CheckedDump {
        facts: result.facts,
        keys: result.keys,
        damaged_values: integrity.damaged,
        damages: integrity.listed(),
        repeated_keys,
        repeats,
        item_faults: result.item_faults,
        rdb_bytes: result.rdb_bytes,
        trailing_bytes: result.trailing_bytes,
        checksum: result.checksum,
        error: result.error,
    })
}

fn temporary(error: io::Error) -> Error {
    Error::output(Some(&std::env::temp_dir()), error)
}

/// Looks up the name of a repeated key; says whether both names are alike, as their prints are.
fn name_again(data: &[u8], header: Header, repeat: &mut RepeatedKey) -> bool {
    let name = |at: u64| {
        let rest = data.get(usize::try_from(at).ok()?..)?;
        match Reader::resume(rest, at, header, 0).next_item() {
            Ok(Item::Key(head)) => Some(head.key.bytes(&mut Vec::new(), MAX_BLOB_BYTES).ok()?.to_vec()),
            _ => None,
        }
    };
    let key = name(repeat.record_at);
    let is_alike = key == name(repeat.first_at);
    repeat.key = key.map(Vec::into_boxed_slice);
    is_alike
}

/// Reads in depth, and measures as little as can be.
struct InDepth;

impl Setup<Integrity> for InDepth {
    fn models(&self, _: &FileFacts) -> (Model, Vec<Model>) {
        (look::any_model(), Vec::new())
    }

    fn now_ms(&self, _: &FileFacts) -> Option<i64> {
        None
    }

    fn depth(&self) -> Depth {
        Depth::Deep
    }

    fn fold(&self, _: &FileFacts, _: &dyn Fn() -> Vec<u16>) -> Integrity {
        Integrity::default()
    }
}
