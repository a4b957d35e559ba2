//! What the joined logs say, as a summary has it.

use serde::Serialize;

use super::summary::KeyRow;
use crate::access::{Hits, LogKind, Ops};

/// Logs that were joined to the dumps.
#[derive(Clone, Debug, Serialize)]
pub struct AccessRow {
    /// The logs.
    pub logs: Vec<LogRow>,
    /// Whether hits are known. If not, there are only slow logs, and their calls stand for hits.
    pub has_hits: bool,
    /// Sums over all keys.
    pub total: HitsRow,
    /// Names in the logs, as far as they were counted.
    pub names: u64,
    /// Of those that were looked for in the dumps, how many are in none.
    pub names_not_in_dumps: u64,
    /// How many were looked for.
    pub names_looked_for: u64,
    /// Names that were forgotten on the way because there were too many.
    pub forgotten_names: u64,
    /// Hits that went with them.
    pub forgotten_hits: u64,
    /// What the count of a name may be short by, at most.
    pub short_by: u64,
    /// The commands, most calls first.
    pub commands: Vec<CommandRow>,
    /// Commands that are not known, likewise.
    pub not_understood: Vec<CommandRow>,
    /// The keys with the most hits.
    pub keys: Vec<AccessKey>,
    /// The keys with the most time in the slow log.
    pub slow_keys: Vec<AccessKey>,
    /// The nodes; empty if it is not known whose the slots are.
    pub nodes: Vec<AccessNode>,
    /// Why they are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_nodes: Option<&'static str>,
    /// The slots with the most hits.
    pub slots: Vec<AccessSlot>,
}

/// A log.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // the fields are those of `Source`
pub struct LogRow {
    pub kind: LogKind,
    pub path: String,
    pub lines: u64,
    pub commands: u64,
    pub without_keys: u64,
    pub not_understood: u64,
    pub cut_lines: u64,
    pub cut_names: u64,
    pub malformed_lines: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_malformed_line: Option<u64>,
    /// Earliest and latest time in it, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_ms: Option<u64>,
}

/// Accesses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HitsRow {
    /// Hits that MONITOR saw or that were counted; if there are only slow logs, calls in them.
    pub hits: u64,
    /// Those that read, of those whose command is known.
    pub reads: u64,
    /// Those that write, but for the next.
    pub writes: u64,
    /// Those that add to a number.
    pub increments: u64,
    /// Calls in the slow log.
    pub slow_calls: u64,
    /// Their time, in microseconds.
    pub slow_us: u64,
    /// Hits that MONITOR saw in a second, in thousandths, where it was watched for a second at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hits_per_second_per_mille: Option<u64>,
}

impl HitsRow {
    /// `watched_us`: for how long MONITOR watched.
    pub fn new(hits: &Hits, has_hits: bool, watched_us: Option<u64>) -> HitsRow {
        let Ops { reads, writes, increments } = if has_hits { hits.seen } else { hits.slow };
        let seen = u128::from(hits.seen.total());
        HitsRow {
            hits: if has_hits { hits.hits() } else { hits.slow.total() },
            reads,
            writes,
            increments,
            slow_calls: hits.slow.total(),
            slow_us: hits.slow_us,
            hits_per_second_per_mille: watched_us
                .filter(|us| *us >= 1_000_000 && seen > 0)
                .map(|us| (seen * 1_000_000_000 / u128::from(us)) as u64),
        }
    }
}

/// A command.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct CommandRow {
    pub command: String,
    pub calls: u64,
    pub slow_us: u64,
}

/// A key in the logs.
#[derive(Clone, Debug, Serialize)]
pub struct AccessKey {
    /// Its name.
    pub key: String,
    /// Its slot.
    pub slot: u16,
    /// The node that owns it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its accesses.
    #[serde(flatten)]
    pub hits: HitsRow,
    /// Keys of that name in the dumps: none if it was deleted, has expired or never was, more where several databases have it.
    pub keys_in_dumps: u64,
    /// The key, or the largest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump: Option<KeyRow>,
}

/// A node by the accesses to its slots.
#[derive(Clone, Debug, Serialize)]
pub struct AccessNode {
    /// Its name.
    pub node: String,
    /// Accesses to keys in its slots.
    #[serde(flatten)]
    pub hits: HitsRow,
}

/// A slot by accesses.
#[derive(Clone, Debug, Serialize)]
pub struct AccessSlot {
    /// Its number.
    pub slot: u16,
    /// The node that owns it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Accesses to keys in it.
    #[serde(flatten)]
    pub hits: HitsRow,
}
