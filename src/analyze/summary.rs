//! The finished figures of a run: plain, sorted, ready to be shown. Every number that any output has stands here once.

use serde::Serialize;

use super::access::AccessRow;
use super::aggregate::{Aggregate, EXPIRY_BUCKETS, Group, IDLE_BUCKETS, Totals};
use super::big::BigKeys;
use super::causes::NodeCauses;
use super::histogram::Histogram;
use super::hot::{ColdRow, FreqRow, HotKeys};
use super::pattern::Pattern;
use super::rebalance::Rebalance;
use super::savings::SavingsRow;
use super::slots::SlotsRow;
use super::thresholds::{BigThresholds, Severity};
use super::top::TopKey;
use crate::cluster::topology::SlotRange;
use crate::escape::{Escape, glob_text};
use crate::record::{KeyRecord, ValueType};
use crate::units;

/// Name and version of the JSON document. Members may be added; none changes its meaning under the same version.
pub const SCHEMA: &str = "rdbscope-summary/1";

/// A key as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // the fields are those of `KeyRecord`
pub struct KeyRow {
    pub database: u64,
    #[serde(rename = "type")]
    pub value_type: ValueType,
    /// Name of the key, with the escapes of the run.
    pub key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_in_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_elements: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub len_largest_element: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry: Option<String>,
    pub node: String,
    pub slot: u16,
    pub serialized_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freq: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footprint_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields_with_expiry: Option<u64>,
}

impl KeyRow {
    /// The row of a key of the dump called `node`.
    pub fn new(node: &str, record: &KeyRecord<'_>, escape: Escape) -> KeyRow {
        KeyRow {
            database: record.db,
            value_type: record.value_type,
            key: escape.text(record.key),
            size_in_bytes: record.memory_bytes,
            encoding: record.encoding.map(|encoding| encoding.as_str()),
            num_elements: record.elements,
            len_largest_element: record.largest_element_bytes,
            expiry: record.expire_at_ms.map(units::rfc3339_ms),
            node: node.to_owned(),
            slot: record.slot,
            serialized_bytes: record.serialized_bytes,
            freq: record.freq,
            idle_seconds: record.idle_seconds,
            footprint_bytes: record.footprint_bytes,
            fields_with_expiry: record.fields_with_expiry,
        }
    }
}

/// Everything that a run found.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// Version of the program.
    pub rdbscope: &'static str,
    /// Whether every dump was read to its end, its checksum is not wrong, and no value is broken.
    pub complete: bool,
    /// The dumps in the order of the command line.
    pub dumps: Vec<DumpRow>,
    /// What is worth acting on, gravest first.
    pub findings: Vec<Finding>,
    /// Sums over all dumps that count.
    pub totals: TotalsRow,
    /// The nodes: the dumps that count, in the order of the command line.
    pub nodes: Vec<NodeRow>,
    /// How even the nodes are; absent with fewer than two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imbalance: Option<Imbalance>,
    /// Which slots are whose; absent without slots to speak of (a single dump of no cluster).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterRow>,
    /// The slots and what fills them.
    pub slots: SlotsRow,
    /// Which slots to move so that memory is even; absent without a cluster of two nodes or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebalance: Option<Rebalance>,
    /// Types with their encodings.
    pub types: Vec<TypeRow>,
    /// What would save memory.
    pub savings: SavingsRow,
    /// The logical databases.
    pub databases: Vec<DatabaseRow>,
    /// Keys with and without an expiry.
    pub expiry: ExpiryRow,
    /// Access counters, where the dumps have them (an LFU policy).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freq: Option<FreqRow>,
    /// Idle times, where the dumps have them (an LRU policy).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Vec<BucketRow>>,
    /// Memory that has been idle, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cold: Option<ColdRow>,
    /// Accesses by the logs that were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessRow>,
    /// What is hot, by counters or logs, and what to do about it.
    pub hot_keys: HotKeys,
    /// From where on a key is big.
    pub big_thresholds: BigThresholds,
    /// The big keys, with what they cost and what to do about them.
    pub big_keys: BigKeys,
    /// The largest keys by footprint.
    pub biggest: Vec<KeyRow>,
    /// The keys with the most elements.
    pub longest: Vec<KeyRow>,
    /// The largest keys of each type by footprint.
    pub biggest_of_type: Vec<TypeTop>,
    /// Groups of names, by footprint.
    pub patterns: Vec<PatternRow>,
    /// What `patterns` leaves out.
    pub patterns_left_out: LeftOut,
    /// The same keys on other servers.
    pub comparisons: Vec<Comparison>,
    /// How the memory figures were worked out.
    pub model: ModelRow,
}

/// How the memory figures were worked out.
#[derive(Clone, Debug, Serialize)]
pub struct ModelRow {
    /// Allocator that was assumed.
    pub allocator: String,
    /// Settings that decide how values are encoded.
    pub thresholds: crate::memory::Thresholds,
    /// Time that expiries are measured from, where the command line gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// Characters that end a segment of a name, where the command line gives them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separators: Option<String>,
    /// Whether what is variable in names was replaced by a keyed hash.
    pub redacted: bool,
}

/// Sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TotalsRow {
    /// Number of keys.
    pub keys: u64,
    /// Sum of what the keys add to used_memory.
    pub footprint_bytes: u64,
    /// The part of it that is the tables which hold the keys.
    pub key_tables_bytes: u64,
    /// Sum of MEMORY USAGE with SAMPLES 0.
    pub memory_usage_bytes: u64,
    /// Sum of the records' bytes in the dumps.
    pub serialized_bytes: u64,
    /// Sum of elements.
    pub elements: u64,
}

impl From<&Totals> for TotalsRow {
    fn from(totals: &Totals) -> TotalsRow {
        TotalsRow {
            keys: totals.keys,
            footprint_bytes: totals.footprint_bytes,
            key_tables_bytes: totals.key_tables_bytes,
            memory_usage_bytes: totals.memory_bytes,
            serialized_bytes: totals.serialized_bytes,
            elements: totals.elements,
        }
    }
}

/// What became of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DumpRole {
    /// It counts.
    Counted,
    /// It holds the same keys as another, which counts.
    SameAs(String),
    /// Nothing of it could be read.
    Unread,
}

/// A dump that was given.
#[derive(Clone, Debug, Serialize)]
pub struct DumpRow {
    /// Name of the node.
    pub name: String,
    /// Path, or `-`.
    pub path: String,
    /// What became of it.
    pub role: DumpRole,
    /// Magic and version as text: `REDIS 11`; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Product and version of the writer by its own word: `redis 7.2.6`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_by: Option<String>,
    /// The server whose memory was modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modelled_as: Option<String>,
    /// Whether cluster mode was assumed.
    pub cluster_mode: bool,
    /// When it was saved, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved_at: Option<String>,
    /// Whether everything was read: to its end, with a checksum that is not wrong and no broken value.
    pub complete: bool,
    /// `right`, `wrong`, `off` (not computed by the writer), `none` (before RDB 5) or `not reached`.
    pub checksum: &'static str,
    /// Why reading ended early, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Offset in the dump of what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_at_byte: Option<u64>,
    /// Keys whose value is broken.
    pub damaged_keys: u64,
    /// The first of them.
    pub damages: Vec<DamageRow>,
    /// Notes that are no errors.
    pub notes: Vec<String>,
    /// Bytes that follow the end of the RDB, where they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trailing_bytes: Option<u64>,
    /// Bytes of the RDB that were read.
    pub rdb_bytes: u64,
    /// Sums over its keys.
    pub totals: TotalsRow,
    /// used_memory when the dump was saved, by its own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_memory_bytes: Option<u64>,
    /// used_memory of such a server without keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_server_bytes: Option<u64>,
    /// What the server used beyond keys and start-up: buffers, replication, scripts, modules, fragmentation inside
    /// containers that have grown. Negative if the estimate is above the truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_bytes: Option<i64>,
    /// All facts that the dump has about itself, as it names them.
    pub aux: Vec<AuxRow>,
    /// The kind of `maxmemory-policy` that its server had, by what the keys carry: `LFU` (access counters) or `LRU` (idle
    /// times); absent if they carry nothing, which says that it is of neither kind, or that no key was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<&'static str>,
    /// Function libraries.
    pub functions: u64,
    /// Modules that keep data outside keys.
    pub modules: Vec<String>,
}

/// A fact that a dump has about itself.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct AuxRow {
    pub name: String,
    pub value: String,
}

/// A key whose value is broken.
#[derive(Clone, Debug, Serialize)]
pub struct DamageRow {
    /// Offset in the dump.
    pub at_byte: u64,
    /// Name of the key.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
}

/// What kind of thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the text of the finding says it
pub enum FindingKind {
    DumpUnread,
    DumpDamaged,
    ValuesDamaged,
    BigKey,
    HugeElement,
    NodeImbalance,
    HotNode,
    SlotConcentration,
    MissingMaster,
    UncoveredSlots,
    MisplacedKeys,
    ReplicaDump,
    UnmatchedDump,
    ExpiredKeys,
    NoExpiry,
    HotKey,
    HotAndBig,
    ColdMemory,
    Savings,
    Incomparable,
}

/// Something worth acting on.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// In words, with the figures.
    pub text: String,
    /// What to do about it, in words.
    pub advice: String,
    /// The key that it is about, by its place in [`BigKeys::keys`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub big_key: Option<usize>,
}

/// A node of the cluster: a dump that counts.
#[derive(Clone, Debug, Serialize)]
pub struct NodeRow {
    /// Name of the node, that of its dump.
    pub name: String,
    /// Address of the node that owns the dump's slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Id of that node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Sums over its keys.
    pub totals: TotalsRow,
    /// Slots that have keys.
    pub slots_with_keys: u64,
    /// Slots it owns, as text; absent if not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots_owned: Option<String>,
    /// Number of slots it owns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots_owned_count: Option<u64>,
    /// Keys in slots that it does not own.
    pub misplaced_keys: u64,
    /// Footprint by type, in the order of `types`.
    pub by_type: Vec<NodeType>,
    /// Sum of the keys' access counters, where the dump has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heat: Option<u64>,
    /// Hits of its keys by their access counters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_hits: Option<u64>,
    /// used_memory when the dump was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_memory_bytes: Option<u64>,
}

/// A type's part of a node.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct NodeType {
    #[serde(rename = "type")]
    pub value_type: ValueType,
    pub keys: u64,
    pub footprint_bytes: u64,
}

/// How even the nodes are.
#[derive(Clone, Debug, Serialize)]
pub struct Imbalance {
    /// The node with the most memory.
    pub largest_node: String,
    /// Its memory.
    pub largest_bytes: u64,
    /// Mean memory of the nodes.
    pub mean_bytes: u64,
    /// Largest by mean, in thousandths: 1000 is even.
    pub max_to_mean_per_mille: u64,
    /// Estimated hits of the hottest node by those of the coolest, in thousandths, where the dumps have access counters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_hits_max_to_min_per_mille: Option<u64>,
    /// Why nodes are far from the mean, the farthest first.
    pub causes: Vec<NodeCauses>,
}

/// Which slots are whose.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterRow {
    /// Where the owners are from: `nodes file` or `dumps`.
    pub owners_from: &'static str,
    /// Slots that no dump covers, as text.
    pub uncovered: String,
    /// Number of them.
    pub uncovered_count: u64,
    /// Slots with keys in more than one dump, as text; only without a nodes file.
    pub shared: String,
    /// Number of them.
    pub shared_count: u64,
    /// Masters that own slots but have no dump.
    pub missing_masters: Vec<MissingMaster>,
    /// Keys in slots that their dump's node does not own.
    pub misplaced_keys: u64,
    /// The slots they are in, as text.
    pub misplaced_slots: String,
    /// Some of them.
    pub misplaced_examples: Vec<MisplacedKey>,
}

/// A master without a dump.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct MissingMaster {
    pub id: String,
    pub address: String,
    pub slots: String,
    pub slots_count: u64,
}

/// A key outside its node's slots.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct MisplacedKey {
    pub node: String,
    pub key: String,
    pub slot: u16,
}

/// A type.
#[derive(Clone, Debug, Serialize)]
pub struct TypeRow {
    /// Which.
    #[serde(rename = "type")]
    pub value_type: ValueType,
    /// Sums.
    pub totals: TotalsRow,
    /// Footprint that half, and 99 of 100, of the keys do not exceed (within 1/32).
    pub p50_bytes: u64,
    #[allow(missing_docs)]
    pub p99_bytes: u64,
    /// The largest footprint.
    pub largest_bytes: u64,
    /// The most elements.
    pub most_elements: u64,
    /// Big keys and, of them, critical ones.
    pub big_keys: u64,
    #[allow(missing_docs)]
    pub critical_keys: u64,
    /// Fields of hashes with an expiry of their own.
    pub fields_with_expiry: u64,
    /// Keys per doubling of footprint, as (upper end, keys).
    pub sizes: Vec<(u64, u64)>,
    /// By encoding.
    pub encodings: Vec<EncodingRow>,
}

/// The keys of a type that have an encoding.
#[derive(Clone, Debug, Serialize)]
pub struct EncodingRow {
    /// As OBJECT ENCODING says; `damaged` for broken values.
    pub encoding: &'static str,
    /// Sums.
    pub totals: TotalsRow,
    /// The largest footprint.
    pub largest_bytes: u64,
}

/// A logical database.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct DatabaseRow {
    pub database: u64,
    pub totals: TotalsRow,
    pub keys_with_expiry: u64,
}

/// Keys with and without an expiry.
#[derive(Clone, Debug, Serialize)]
pub struct ExpiryRow {
    /// Keys that never expire.
    pub persistent: TotalsRow,
    /// Keys that expire.
    pub volatile: TotalsRow,
    /// Those that expire, by when they do, from the time their dump was saved. Empty if no dump tells its time.
    pub buckets: Vec<BucketRow>,
    /// The same summed up: what is free by then, the expired included. Without those that expire later than in a year.
    pub freed: Vec<BucketRow>,
    /// The patterns with most memory that never expires, by their places in [`Summary::patterns`].
    pub permanent_patterns: Vec<usize>,
}

/// A part of a distribution.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct BucketRow {
    pub label: &'static str,
    pub keys: u64,
    pub footprint_bytes: u64,
}

/// The largest keys of a type.
#[derive(Clone, Debug, Serialize)]
pub struct TypeTop {
    /// The type's name; `module` for all modules.
    #[serde(rename = "type")]
    pub value_type: &'static str,
    /// The keys.
    pub keys: Vec<KeyRow>,
}

/// A group of names.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct PatternRow {
    /// A glob that matches the names, or the name of a group that the user asked for.
    pub pattern: String,
    /// The regular expression of such a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    pub keys: u64,
    pub footprint_bytes: u64,
    pub serialized_bytes: u64,
    pub elements: u64,
    pub largest_bytes: u64,
    pub persistent_keys: u64,
    pub persistent_bytes: u64,
    pub expired_keys: u64,
    pub expired_bytes: u64,
    pub types: Vec<&'static str>,
}

/// What a cut list leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct LeftOut {
    pub rows: u64,
    pub keys: u64,
    pub footprint_bytes: u64,
    pub serialized_bytes: u64,
    pub elements: u64,
}

/// The same keys on another server.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The server, or the changed setting.
    pub name: String,
    /// Sum of MEMORY USAGE.
    pub memory_usage_bytes: u64,
    /// Sum of footprints.
    pub footprint_bytes: u64,
    /// Footprint by type, as (type, bytes), in the order of `types`.
    pub by_type: Vec<ComparedType>,
}

/// A type's part of a comparison.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ComparedType {
    #[serde(rename = "type")]
    pub value_type: ValueType,
    pub memory_usage_bytes: u64,
    pub footprint_bytes: u64,
}

/// The names of the plain types and of all modules together, by [`ValueType::index`].
pub const TYPE_NAMES: [&str; 7] = ["string", "list", "set", "zset", "hash", "stream", "module"];

/// A type's sums of (MEMORY USAGE, footprint) under each of the other models.
pub type TypeOnOthers = (ValueType, Vec<(u64, u64)>);

/// The rows of the types, with their encodings, and each type's sums under the other models.
pub fn type_rows(aggregate: &Aggregate) -> (Vec<TypeRow>, Vec<TypeOnOthers>) {
    let mut rows: Vec<(ValueType, Group, Vec<EncodingRow>)> = Vec::new();
    for (value_type, encoding, group) in aggregate.groups() {
        let row = EncodingRow {
            encoding: encoding.map_or("damaged", |encoding| encoding.as_str()),
            totals: (&group.totals).into(),
            largest_bytes: group.largest_bytes,
        };
        match rows.last_mut() {
            Some((last, sum, encodings)) if *last == value_type => {
                sum.merge(group);
                encodings.push(row);
            }
            _ => rows.push((value_type, group.clone(), vec![row])),
        }
    }
    let others = rows.iter().map(|(value_type, group, _)| (*value_type, group.others.clone())).collect();
    let rows = rows
        .into_iter()
        .map(|(value_type, group, encodings)| TypeRow {
            value_type,
            totals: (&group.totals).into(),
            p50_bytes: group.footprints.quantile(500).unwrap_or(0),
            p99_bytes: group.footprints.quantile(990).unwrap_or(0),
            largest_bytes: group.largest_bytes,
            most_elements: group.most_elements,
            big_keys: group.big.0,
            critical_keys: group.big.1,
            fields_with_expiry: group.fields_with_expiry,
            sizes: Histogram::doublings(&group.footprints),
            encodings,
        })
        .collect();
    (rows, others)
}

/// Patterns that are listed for the memory that never expires.
const PERMANENT_PATTERNS: usize = 20;

/// The rows of the expiry section; `patterns` are those of the summary.
pub fn expiry_row(aggregate: &Aggregate, patterns: &[PatternRow]) -> ExpiryRow {
    let labels = EXPIRY_BUCKETS.iter().map(|(_, label)| *label).chain(["later"]);
    let buckets: Vec<BucketRow> = labels
        .zip(aggregate.expiring())
        .map(|(label, totals)| BucketRow { label, keys: totals.keys, footprint_bytes: totals.footprint_bytes })
        .collect();
    let mut sum = (0, 0);
    let freed = buckets.iter().take(EXPIRY_BUCKETS.len()).map(|bucket| {
        sum = (sum.0 + bucket.keys, sum.1 + bucket.footprint_bytes);
        BucketRow { label: bucket.label, keys: sum.0, footprint_bytes: sum.1 }
    });
    let mut permanent: Vec<usize> = (0..patterns.len()).filter(|i| patterns[*i].persistent_bytes > 0).collect();
    permanent.sort_by_key(|i| (std::cmp::Reverse(patterns[*i].persistent_bytes), *i));
    permanent.truncate(PERMANENT_PATTERNS);
    ExpiryRow {
        persistent: (&aggregate.persistent()).into(),
        volatile: (&aggregate.volatile()).into(),
        freed: freed.collect(),
        buckets,
        permanent_patterns: permanent,
    }
}

/// Keys by idle time; absent without idle times.
pub fn idle_rows(aggregate: &Aggregate) -> Option<Vec<BucketRow>> {
    if aggregate.idle.is_empty() {
        return None;
    }
    let labels = IDLE_BUCKETS.iter().map(|(_, label)| *label).chain(["90 days and more"]);
    Some(
        labels
            .zip(&aggregate.idle)
            .map(|(label, (keys, footprint_bytes))| BucketRow { label, keys: *keys, footprint_bytes: *footprint_bytes })
            .collect(),
    )
}

/// The text of a pattern: a glob, or the name of a group.
pub fn pattern_text(text: &[u8], is_named: bool) -> String {
    if is_named { Escape::Utf8.text(text) } else { glob_text(text) }
}

/// The first `limit` patterns, and what they leave out.
pub fn pattern_rows(patterns: Vec<Pattern>, limit: usize) -> (Vec<PatternRow>, LeftOut) {
    let mut left_out = LeftOut::default();
    for pattern in patterns.iter().skip(limit) {
        left_out.rows += 1;
        left_out.keys += pattern.stats.keys;
        left_out.footprint_bytes += pattern.stats.memory_bytes;
        left_out.serialized_bytes += pattern.stats.serialized_bytes;
        left_out.elements += pattern.stats.elements;
    }
    let rows = patterns
        .into_iter()
        .take(limit)
        .map(|Pattern { text, named, stats }| PatternRow {
            pattern: pattern_text(&text, named.is_some()),
            regex: named,
            keys: stats.keys,
            footprint_bytes: stats.memory_bytes,
            serialized_bytes: stats.serialized_bytes,
            elements: stats.elements,
            largest_bytes: stats.largest_bytes,
            persistent_keys: stats.persistent_keys,
            persistent_bytes: stats.persistent_bytes,
            expired_keys: stats.expired_keys,
            expired_bytes: stats.expired_bytes,
            types: (0..TYPE_NAMES.len()).filter(|i| stats.types >> i & 1 == 1).map(|i| TYPE_NAMES[i]).collect(),
        })
        .collect();
    (rows, left_out)
}

/// The rows of the largest keys; `names` are those of the dumps.
pub fn key_rows(keys: &[TopKey], names: &[String]) -> Vec<KeyRow> {
    keys.iter().map(|key| KeyRow::new(&names[key.dump], &key.record(), Escape::Utf8)).collect()
}

/// The ranges as text, a few of them.
pub fn ranges_text(ranges: &[SlotRange]) -> String {
    const SHOWN: usize = 8;
    if ranges.is_empty() { String::new() } else { crate::cluster::topology::format_ranges(ranges, SHOWN) }
}
