//! Puts the dumps of a run together into one [`Summary`]: which count, which node each is of, what stands out.

mod big;
mod causes;
mod hot;
mod owners;
mod permanent;
mod read;
mod rebalance;
mod redact;
mod savings;
mod slots;
pub mod stored;
#[cfg(test)]
pub(crate) mod tests;

pub use hot::watch;
pub use read::{KeyName, ReadDump, ReadError};
pub use rebalance::RebalanceOptions;
pub use redact::redact;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::hot::HotSources;
use self::owners::Owners;
use crate::access::AccessLog;
use crate::analyze::aggregate::{Aggregate, SlotTotals};
use crate::analyze::big::Judgement;
use crate::analyze::cost::CostModel;
use crate::analyze::hot::{ColdKey, ColdRow, FreqRow, HotKey, LFU_LOG_FACTOR, cold_steps, estimated_hits, freq_bands};
use crate::analyze::pattern::{PatternOptions, PatternTable};
use crate::analyze::pieces::SlotOwners;
use crate::analyze::slots::{NodeSums, slots_row};
use crate::analyze::summary::{self, *};
use crate::analyze::thresholds::{BigThresholds, Severity};
use crate::analyze::{Fold, TopKey, TopKeys};
use crate::cluster::placement::{self, DumpPrint, Placed, SlotPrint};
use crate::cluster::topology::{Topology, format_ranges, ranges};
use crate::error::Exit;
use crate::escape::Escape;
use crate::memory::baseline::empty_server_bytes;
use crate::memory::{Allocator, Model, ModelOptions, Server, Thresholds};
use crate::pipeline::{ChecksumState, FileFacts};
use crate::rdb::Dialect;
use crate::units;
use crate::value::ModuleName;

/// What a run was asked for, as far as the summary says it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunOptions {
    /// Model another server than the one that wrote the dump.
    pub server: Option<Server>,
    /// The allocator it is linked with.
    pub allocator: Allocator,
    /// Cluster mode, where it is not to be guessed.
    pub cluster_mode: Option<bool>,
    /// Settings of the server.
    pub thresholds: Thresholds,
    /// Whether a nodes file is given.
    pub has_nodes: bool,
    /// The time that expiries are measured from, instead of each dump's own, in milliseconds since 1970.
    pub now_ms: Option<i64>,
    /// Servers to compare with.
    pub compare: Vec<Server>,
    /// Other settings to compare with, as (name and value, all settings).
    pub compare_settings: Vec<(String, Thresholds)>,
    /// When a key is big.
    pub big: BigThresholds,
    /// What the costs of big keys are estimated from.
    #[serde(skip)]
    pub costs: CostModel,
    /// Keys in each list.
    #[serde(skip)]
    pub top: usize,
    /// How names become patterns.
    pub patterns: PatternOptions,
    /// Whether what is variable in names is hidden.
    pub redacted: bool,
    /// Make this rebalance plan; if absent, the plan for the nodes there are, where the dumps say that they are of a cluster.
    #[serde(skip)]
    pub rebalance: Option<RebalanceOptions>,
}

impl RunOptions {
    /// The usual options, with lists of `top` keys.
    pub fn new(top: usize) -> RunOptions {
        RunOptions {
            server: None,
            allocator: Allocator::default(),
            cluster_mode: None,
            thresholds: Thresholds::default(),
            has_nodes: false,
            now_ms: None,
            compare: Vec::new(),
            compare_settings: Vec::new(),
            big: BigThresholds::default(),
            costs: CostModel::default(),
            top,
            patterns: PatternOptions::default(),
            redacted: false,
            rebalance: None,
        }
    }

    /// The model of the server that wrote a dump, or of the one asked for, and those to compare it with.
    pub fn models(&self, facts: &FileFacts) -> (ModelOptions, Vec<ModelOptions>) {
        let own = ModelOptions {
            server: self.server.unwrap_or_else(|| writer(facts)),
            allocator: self.allocator,
            cluster: self.is_cluster(facts),
            thresholds: self.thresholds.clone(),
        };
        let servers = self.compare.iter().map(|server| ModelOptions { server: *server, ..own.clone() });
        let settings = self
            .compare_settings
            .iter()
            .map(|(_, thresholds)| ModelOptions { thresholds: thresholds.clone(), ..own.clone() });
        let others = servers.chain(settings).collect();
        (own, others)
    }

    fn is_cluster(&self, facts: &FileFacts) -> bool {
        self.cluster_mode.unwrap_or(self.has_nodes || facts.slot_info)
    }

    /// The time that a dump's expiries are measured from.
    pub fn now_ms(&self, facts: &FileFacts) -> Option<i64> {
        self.now_ms.or_else(|| saved_at_seconds(facts)?.checked_mul(1000))
    }

    fn comparison_names(&self) -> Vec<String> {
        let servers = self.compare.iter().map(ToString::to_string);
        servers.chain(self.compare_settings.iter().map(|(name, _)| name.clone())).collect()
    }
}

/// The server that wrote a dump, by its word or by the version of its format.
fn writer(facts: &FileFacts) -> Server {
    let named = match (facts.aux("valkey-ver"), facts.aux("redis-ver")) {
        (Some(version), _) => Server::valkey(version),
        (None, Some(version)) => Server::redis(version),
        (None, None) => None,
    };
    named.or_else(|| facts.header.map(Server::likely_writer)).unwrap_or_else(Server::newest)
}

/// When a dump was saved, in seconds since 1970, by its own word.
pub fn saved_at_seconds(facts: &FileFacts) -> Option<i64> {
    facts.aux("ctime")?.parse().ok()
}

/// Lists of a summary are cut at these lengths.
const PATTERNS: usize = 200;
const HEAVY_SLOTS: usize = 20;
const TAGS: usize = 30;

/// Puts the dumps together. Also gives the code that the program is to end with.
pub fn summarize(
    dumps: Vec<ReadDump>,
    options: &RunOptions,
    topology: Option<&Topology>,
    log: Option<&AccessLog>,
) -> (Summary, Exit) {
    let names: Vec<String> = dumps.iter().map(|dump| dump.name.clone()).collect();
    let placed = place_all(&dumps, topology);
    let exit = dumps.iter().map(ReadDump::exit).max().unwrap_or(Exit::Done);
    let mut rows: Vec<DumpRow> =
        dumps.iter().zip(&placed).map(|(dump, placed)| dump_row(dump, placed, &names, options)).collect();

    let counted: Vec<usize> = (0..dumps.len()).filter(|&i| rows[i].role == DumpRole::Counted).collect();
    let nodes: Vec<NodeRow> =
        counted.iter().map(|&i| node_row(&dumps[i].fold, &rows[i], placed[i].node, topology)).collect();
    let sums: Vec<NodeSums<'_>> = counted.iter().map(|&i| (names[i].as_str(), &dumps[i].fold)).collect();
    let slots_row = slots_row(&sums, HEAVY_SLOTS, TAGS);
    let explained = causes::explained(&sums);
    let model = counted.first().map(|&i| Model::new(options.models(&dumps[i].facts).0));
    let slots: Vec<(&str, &[SlotTotals])> =
        counted.iter().map(|&i| (names[i].as_str(), &*dumps[i].fold.slots)).collect();
    let hottest_slots = hot::hot_slots(&slots);
    let cluster = cluster_row(&dumps, &counted, &placed, &nodes, topology);
    let mut imbalance = imbalance(&nodes);
    let planned = (cluster.is_some() || options.rebalance.is_some())
        .then(|| rebalance::planned(&dumps, &counted, &placed, options, topology))
        .flatten();

    let is_cluster = rows.iter().any(|row| row.cluster_mode);
    let owners = if options.redacted {
        Owners::unknown("names are hidden here, and other names lie in other slots")
    } else {
        Owners::new(&dumps, &counted, &placed, topology, is_cluster)
    };
    let slot_owners = match (&cluster, topology) {
        (None, None) => SlotOwners::default(),
        _ if options.redacted => SlotOwners::default(),
        _ => owners.of_slots(),
    };
    let servers = dumps.iter().map(|dump| (dump.name.clone(), options.models(&dump.facts).0.server));
    let servers: Vec<(String, Server)> = servers.collect();
    let mut sum: Option<Aggregate> = None;
    for (i, dump) in dumps.into_iter().enumerate() {
        match &mut sum {
            _ if !counted.contains(&i) => {}
            Some(sum) => sum.merge(dump.fold),
            None => sum = Some(dump.fold),
        }
    }
    let mut totals = summary::TotalsRow::default();
    nodes.iter().for_each(|node| add_totals(&mut totals, &node.totals));
    let mut sum = sum.unwrap_or_else(|| Aggregate::new(empty_options(options)));
    let (types, others) = type_rows(&sum);
    let databases = sum
        .take_databases()
        .into_iter()
        .map(|(database, (totals, expires))| DatabaseRow {
            database,
            totals: (&totals).into(),
            keys_with_expiry: expires,
        })
        .collect();
    let bands = freq_bands(&sum);
    let idle = idle_rows(&sum);
    let comparisons = comparisons(options, &others);
    let patterns = std::mem::replace(&mut sum.patterns, PatternTable::new(Arc::default()));
    let (patterns, patterns_left_out) = pattern_rows(patterns.finish(), PATTERNS);
    let expiry = expiry_row(&sum, &patterns);
    let savings = model.map(|model| savings::savings_row(&sum, &patterns, &model)).unwrap_or_default();
    if let Some(imbalance) = &mut imbalance {
        imbalance.causes = causes::with_patterns(explained, &patterns, nodes.len() as u64);
    }
    let cold_steps = cold_steps(&sum);
    let biggest = sum.biggest();
    let Aggregate { longest, hottest, hot_and_big, coldest, found, gravest, biggest_of_type, .. } = sum;
    let first = |top: TopKeys| -> Vec<TopKey> { top.into_sorted().into_iter().take(options.top).collect() };
    let key_rows = |keys: &[TopKey]| key_rows(keys, &names);
    let (hottest, hot_and_big) = (first(hottest), first(hot_and_big));
    let freq = bands.map(|bands| FreqRow {
        lfu_log_factor: LFU_LOG_FACTOR,
        estimated_hits: bands.iter().map(|band| band.estimated_hits).sum(),
        bands,
        hottest: key_rows(&hottest).into_iter().map(HotKey::new).collect(),
        hottest_slots,
    });
    let cold = cold_steps
        .map(|at_least| ColdRow { at_least, keys: key_rows(&first(coldest)).into_iter().map(ColdKey::new).collect() });
    let access = log.map(|log| hot::access_row(log, &found, &names, &owners, options.top));
    let hot_keys = HotSources {
        access: log.zip(access.as_ref()),
        hottest: &hottest,
        hot_and_big: &hot_and_big,
        names: &names,
        owners: &owners,
        thresholds: &options.big,
    }
    .hot_keys();
    let biggest_of_type = TYPE_NAMES
        .iter()
        .zip(biggest_of_type)
        .map(|(value_type, top)| TypeTop { value_type, keys: key_rows(&first(top)) })
        .filter(|top| !top.keys.is_empty())
        .collect();
    for (row, placed) in rows.iter_mut().zip(&placed) {
        if topology.is_some() && placed.node.is_none() && row.role == DumpRole::Counted && row.totals.keys > 0 {
            row.notes.push("no node of the nodes file owns the slots of its keys".to_owned());
        }
    }
    let judgement = Judgement { thresholds: &options.big, costs: &options.costs, owners: &slot_owners };
    let big_keys = big::big_keys(gravest, &types, &judgement, &servers);
    let mut summary = Summary {
        schema: SCHEMA,
        rdbscope: env!("CARGO_PKG_VERSION"),
        complete: rows.iter().all(|row| row.complete),
        dumps: rows,
        findings: Vec::new(),
        totals,
        nodes,
        imbalance,
        cluster,
        slots: slots_row,
        rebalance: None,
        types,
        savings,
        databases,
        expiry,
        freq,
        idle,
        cold,
        access,
        hot_keys,
        big_thresholds: options.big,
        big_keys,
        biggest: key_rows(&first(biggest)),
        longest: key_rows(&first(longest)),
        biggest_of_type,
        patterns,
        patterns_left_out,
        comparisons,
        model: ModelRow {
            allocator: options.allocator.name().to_owned(),
            thresholds: options.thresholds.clone(),
            now: options.now_ms.map(units::rfc3339_ms),
            separators: options.patterns.separators.clone(),
            redacted: options.redacted,
        },
    };
    summary.rebalance = planned.map(|planned| planned.with_keys(&summary, options));
    summary.findings = findings(&summary);
    (summary, exit)
}

fn empty_options(options: &RunOptions) -> crate::analyze::aggregate::AggregateOptions {
    crate::analyze::aggregate::AggregateOptions {
        top: options.top,
        big: options.big,
        now_ms: None,
        dump: 0,
        others: 0,
        compare_names: false,
        own_slots: None,
        patterns: Arc::default(),
        watch: None,
    }
}

fn add_totals(sum: &mut TotalsRow, more: &TotalsRow) {
    sum.keys += more.keys;
    sum.footprint_bytes += more.footprint_bytes;
    sum.key_tables_bytes += more.key_tables_bytes;
    sum.memory_usage_bytes += more.memory_usage_bytes;
    sum.serialized_bytes += more.serialized_bytes;
    // A stream's length is a claim.
    sum.elements = sum.elements.wrapping_add(more.elements);
}

fn place_all(dumps: &[ReadDump], topology: Option<&Topology>) -> Vec<Placed> {
    let prints: Vec<Vec<SlotPrint>> = dumps
        .iter()
        .map(|dump| dump.fold.slots.iter().map(|slot| SlotPrint { keys: slot.keys, names: slot.names }).collect())
        .collect();
    let dumps: Vec<DumpPrint<'_>> = dumps
        .iter()
        .zip(&prints)
        .map(|(dump, slots)| DumpPrint {
            slots,
            replication: dump.facts.aux("repl-id"),
            offset: dump.facts.aux("repl-offset").and_then(|offset| offset.parse().ok()),
            complete: dump.error.is_none(),
        })
        .collect();
    placement::place(&dumps, topology)
}

fn dump_row(dump: &ReadDump, placed: &Placed, names: &[String], options: &RunOptions) -> DumpRow {
    let facts = &dump.facts;
    let role = match (placed.same_as, facts.header, dump.keys) {
        (Some(other), _, _) => DumpRole::SameAs(names[other].clone()),
        (None, None, 0) => DumpRole::Unread,
        _ => DumpRole::Counted,
    };
    let totals = aggregate_totals(&dump.fold);
    let (model, _) = options.models(facts);
    let read = facts.header.is_some();
    let used_memory_bytes: Option<u64> = facts.aux("used-mem").and_then(|bytes| bytes.parse().ok());
    let empty = empty_server_bytes(model.server.family(), model.cluster).filter(|_| read);
    let other_bytes = match (used_memory_bytes, empty) {
        (Some(used), Some(empty)) => {
            Some(used as i64 - empty as i64 - i64::try_from(totals.footprint_bytes).unwrap_or(i64::MAX))
        }
        _ => None,
    };
    let mut damages = dump.fold.damages.clone();
    damages.sort();
    damages.truncate(20);
    DumpRow {
        name: dump.name.clone(),
        path: dump.path.clone(),
        role,
        format: facts.header.map(|header| {
            let magic = if header.dialect == Dialect::Redis { "REDIS" } else { "VALKEY" };
            format!("{magic} {}", header.version)
        }),
        written_by: match (facts.aux("valkey-ver"), facts.aux("redis-ver")) {
            (Some(version), _) => Some(format!("valkey {version}")),
            (None, Some(version)) => Some(format!("redis {version}")),
            (None, None) => None,
        },
        modelled_as: read.then(|| model.server.to_string()),
        cluster_mode: model.cluster,
        saved_at: saved_at_seconds(facts).and_then(|s| s.checked_mul(1000)).map(units::rfc3339_ms),
        complete: dump.error.is_none() && dump.fold.damaged_keys == 0,
        checksum: match dump.checksum {
            ChecksumState::Right => "right",
            ChecksumState::Wrong => "wrong",
            ChecksumState::Off => "off",
            ChecksumState::None => "none",
            ChecksumState::NotReached => "not reached",
        },
        error: dump.error.as_ref().map(ToString::to_string),
        error_at_byte: dump.error.as_ref().and_then(|error| error.at_byte),
        damaged_keys: dump.fold.damaged_keys,
        damages: damages
            .into_iter()
            .map(|damage| DamageRow { at_byte: damage.at, key: Escape::Utf8.text(&damage.key), what: damage.what })
            .collect(),
        notes: notes(dump),
        trailing_bytes: dump.trailing_bytes.filter(|bytes| *bytes > 0),
        rdb_bytes: dump.rdb_bytes,
        totals,
        used_memory_bytes,
        empty_server_bytes: empty,
        other_bytes,
        aux: facts.aux.iter().map(|(name, value)| AuxRow { name: name.clone(), value: value.clone() }).collect(),
        policy: match (dump.fold.freq.is_empty(), dump.fold.idle.is_empty()) {
            (false, _) => Some("LFU"),
            (true, false) => Some("LRU"),
            _ => None,
        },
        functions: facts.functions,
        modules: facts.module_aux.iter().map(|id| ModuleName::from_id(*id).as_str().to_owned()).collect(),
    }
}

fn notes(dump: &ReadDump) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(bytes @ 1..) = dump.trailing_bytes {
        let bytes_text = units::count(bytes);
        if dump.trailing_commands {
            notes.push(format!(
                "{bytes_text} bytes of append-only commands follow the RDB; what they change is not counted"
            ));
        } else {
            notes.push(format!("{bytes_text} bytes follow the end of the RDB; servers ignore them"));
        }
    }
    if dump.checksum == ChecksumState::Off {
        notes.push("written with `rdbchecksum no`: damage to it may go unseen".to_owned());
    }
    if dump.facts.slot_imports > 0 {
        notes.push(format!("saved while {} slot imports were running", dump.facts.slot_imports));
    }
    notes
}

fn aggregate_totals(aggregate: &Aggregate) -> TotalsRow {
    let mut sum = TotalsRow::default();
    aggregate.groups().for_each(|(_, _, group)| add_totals(&mut sum, &(&group.totals).into()));
    sum
}

fn node_row(fold: &Aggregate, dump: &DumpRow, node: Option<usize>, topology: Option<&Topology>) -> NodeRow {
    let slots = &fold.slots;
    let owner = topology.zip(node).map(|(topology, node)| (topology, node, &topology.nodes[node]));
    let mut by_type: Vec<NodeType> = Vec::new();
    for (value_type, _, group) in fold.groups() {
        match by_type.last_mut() {
            Some(last) if last.value_type == value_type => {
                last.keys += group.totals.keys;
                last.footprint_bytes += group.totals.footprint_bytes;
            }
            _ => by_type.push(NodeType {
                value_type,
                keys: group.totals.keys,
                footprint_bytes: group.totals.footprint_bytes,
            }),
        }
    }
    NodeRow {
        name: dump.name.clone(),
        address: owner.map(|(_, _, node)| node.address.clone()),
        id: owner.map(|(_, _, node)| node.id.clone()),
        totals: dump.totals,
        slots_with_keys: slots.iter().filter(|slot| slot.keys > 0).count() as u64,
        slots_owned: owner.map(|(_, _, node)| format_ranges(&node.slots, 8)),
        slots_owned_count: owner.map(|(_, _, node)| node.slots.iter().map(|range| range.count() as u64).sum()),
        misplaced_keys: owner.map_or(0, |(topology, node, _)| {
            slots
                .iter()
                .zip(0u16..)
                .filter(|(_, slot)| topology.owner(*slot) != Some(node))
                .map(|(slot, _)| slot.keys)
                .sum()
        }),
        by_type,
        heat: (!fold.freq.is_empty())
            .then(|| (0u64..).zip(&fold.freq).map(|(counter, (keys, _))| counter * keys).sum()),
        estimated_hits: (!fold.freq.is_empty())
            .then(|| (0u8..=255).zip(&fold.freq).map(|(counter, (keys, _))| estimated_hits(counter) * keys).sum()),
        used_memory_bytes: dump.used_memory_bytes,
    }
}

fn cluster_row(
    dumps: &[ReadDump],
    counted: &[usize],
    placed: &[Placed],
    nodes: &[NodeRow],
    topology: Option<&Topology>,
) -> Option<ClusterRow> {
    let slots = |i: usize| &dumps[i].fold.slots;
    let Some(topology) = topology else {
        if counted.len() < 2 || !counted.iter().any(|&i| dumps[i].facts.slot_info) {
            return None;
        }
        let shared = ranges((0u16..).zip(0..slots(counted[0]).len()).filter_map(|(slot, index)| {
            (counted.iter().filter(|&&i| slots(i)[index].keys > 0).count() > 1).then_some(slot)
        }));
        return Some(ClusterRow {
            owners_from: "dumps",
            uncovered: String::new(),
            uncovered_count: 0,
            shared_count: shared.iter().map(|range| range.count() as u64).sum(),
            shared: ranges_text(&shared),
            missing_masters: Vec::new(),
            misplaced_keys: 0,
            misplaced_slots: String::new(),
            misplaced_examples: Vec::new(),
        });
    };
    let covered: Vec<usize> = counted.iter().filter_map(|&i| placed[i].node).collect();
    let uncovered = placement::uncovered(topology, &covered);
    let missing = topology.masters().filter(|(node, master)| !covered.contains(node) && !master.slots.is_empty());
    let mut misplaced = vec![false; slots_len(dumps)];
    let mut examples = Vec::new();
    for (&i, row) in counted.iter().zip(nodes) {
        let Some(node) = placed[i].node else { continue };
        for (slot, totals) in (0u16..).zip(slots(i).iter()) {
            if totals.keys > 0 && topology.owner(slot) != Some(node) {
                misplaced[usize::from(slot)] = true;
            }
        }
        let foreign = dumps[i].fold.misplaced.iter().filter(|(slot, _)| topology.owner(*slot) != Some(node));
        examples.extend(foreign.map(|(slot, key)| MisplacedKey {
            node: row.name.clone(),
            key: Escape::Utf8.text(key),
            slot: *slot,
        }));
    }
    let misplaced = ranges((0u16..).zip(misplaced).filter_map(|(slot, is)| is.then_some(slot)));
    Some(ClusterRow {
        owners_from: "nodes file",
        uncovered_count: uncovered.iter().map(|range| range.count() as u64).sum(),
        uncovered: ranges_text(&uncovered),
        shared: String::new(),
        shared_count: 0,
        missing_masters: missing
            .map(|(_, master)| MissingMaster {
                id: master.id.clone(),
                address: master.address.clone(),
                slots: format_ranges(&master.slots, 8),
                slots_count: master.slots.iter().map(|range| range.count() as u64).sum(),
            })
            .collect(),
        misplaced_keys: nodes.iter().map(|node| node.misplaced_keys).sum(),
        misplaced_slots: ranges_text(&misplaced),
        misplaced_examples: examples,
    })
}

fn slots_len(dumps: &[ReadDump]) -> usize {
    dumps.first().map_or(0, |dump| dump.fold.slots.len())
}

fn imbalance(nodes: &[NodeRow]) -> Option<Imbalance> {
    if nodes.len() < 2 {
        return None;
    }
    let largest = nodes.iter().max_by_key(|node| node.totals.footprint_bytes)?;
    let mean = nodes.iter().map(|node| node.totals.footprint_bytes).sum::<u64>() / nodes.len() as u64;
    let per_mille = |part: u64, whole: u64| (whole > 0).then(|| (u128::from(part) * 1000 / u128::from(whole)) as u64);
    let hits: Option<Vec<u64>> = nodes.iter().map(|node| node.estimated_hits).collect();
    Some(Imbalance {
        largest_node: largest.name.clone(),
        largest_bytes: largest.totals.footprint_bytes,
        mean_bytes: mean,
        max_to_mean_per_mille: per_mille(largest.totals.footprint_bytes, mean)?,
        causes: Vec::new(),
        estimated_hits_max_to_min_per_mille: hits.and_then(|hits| per_mille(*hits.iter().max()?, *hits.iter().min()?)),
    })
}

fn comparisons(options: &RunOptions, others: &[TypeOnOthers]) -> Vec<Comparison> {
    let of_model = |index: usize, name: String| {
        let by_type: Vec<ComparedType> = others
            .iter()
            .map(|(value_type, sums)| {
                let (memory_usage_bytes, footprint_bytes) = sums.get(index).copied().unwrap_or_default();
                ComparedType { value_type: *value_type, memory_usage_bytes, footprint_bytes }
            })
            .collect();
        Comparison {
            name,
            memory_usage_bytes: by_type.iter().map(|row| row.memory_usage_bytes).sum(),
            footprint_bytes: by_type.iter().map(|row| row.footprint_bytes).sum(),
            by_type,
        }
    };
    options.comparison_names().into_iter().enumerate().map(|(index, name)| of_model(index, name)).collect()
}

/// What stands out, gravest first; within the same gravity, in the order of the checks.
fn findings(summary: &Summary) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |severity, kind, text: String, advice: &str| {
        findings.push(Finding { severity, kind, text, advice: advice.to_owned(), big_key: None });
    };
    for dump in &summary.dumps {
        let name = &dump.name;
        match (&dump.role, &dump.error) {
            (DumpRole::Unread, Some(error)) => add(
                Severity::Critical,
                FindingKind::DumpUnread,
                format!("{name}: nothing could be read: {error}"),
                "Give the dump itself, unpacked; all figures on this page are without it.",
            ),
            (_, Some(error)) => add(
                Severity::Critical,
                FindingKind::DumpDamaged,
                format!("{name}: {error}; {} keys were read up to there", units::count(dump.totals.keys)),
                "Do not rely on this backup. Copy it again if the transfer may have cut it, else save anew with BGSAVE.",
            ),
            _ => {}
        }
        if dump.damaged_keys > 0 {
            let first = dump.damages.first().map_or(String::new(), |damage| {
                format!(
                    "; the first is {}: {} at byte {}",
                    crate::error::quoted(&damage.key),
                    damage.what,
                    damage.at_byte
                )
            });
            add(
                Severity::Critical,
                FindingKind::ValuesDamaged,
                format!("{name}: {} values are broken inside{first}", units::count(dump.damaged_keys)),
                "A server may refuse to load this dump, or crash on these keys. Look for the cause: memory, disk, a faulty migration.",
            );
        }
        if let DumpRole::SameAs(other) = &dump.role {
            add(
                Severity::Info,
                FindingKind::ReplicaDump,
                format!("{name} holds the same slots and keys as {other}, as a replica's dump does; it is not counted"),
                "Give one dump per master.",
            );
        }
        for note in dump.notes.iter().filter(|note| note.starts_with("no node")) {
            add(
                Severity::Warning,
                FindingKind::UnmatchedDump,
                format!("{name}: {note}"),
                "Check that the dumps and the nodes file are of the same cluster.",
            );
        }
    }
    if let Some(cluster) = &summary.cluster {
        for master in &cluster.missing_masters {
            add(
                Severity::Critical,
                FindingKind::MissingMaster,
                format!(
                    "no dump of master {} ({}), which owns {} slots: {}",
                    master.address,
                    master.id.get(..8).unwrap_or(&master.id),
                    units::count(master.slots_count),
                    master.slots
                ),
                "Add its dump, or one of a replica of it: the cluster's figures are without these slots.",
            );
        }
        if cluster.uncovered_count > 0 && cluster.missing_masters.is_empty() {
            add(
                Severity::Warning,
                FindingKind::UncoveredSlots,
                format!("{} slots have no owner: {}", units::count(cluster.uncovered_count), cluster.uncovered),
                "Requests for these slots fail; assign them with `redis-cli --cluster fix`.",
            );
        }
        if cluster.misplaced_keys > 0 {
            let example = cluster.misplaced_examples.first().map_or(String::new(), |key| {
                format!("; for example {} on {} (slot {})", crate::error::quoted(&key.key), key.node, key.slot)
            });
            add(
                Severity::Warning,
                FindingKind::MisplacedKeys,
                format!(
                    "{} keys lie on a node that does not own their slot (slots {}){example}",
                    units::count(cluster.misplaced_keys),
                    cluster.misplaced_slots
                ),
                "Clients cannot reach them. They are left from a migration that did not finish: check CLUSTER NODES for open slots, and `redis-cli --cluster check`.",
            );
        }
        if cluster.shared_count > 0 {
            add(
                Severity::Warning,
                FindingKind::MisplacedKeys,
                format!(
                    "{} slots have keys in more than one dump: {}",
                    units::count(cluster.shared_count),
                    cluster.shared
                ),
                "Give the cluster's nodes file with --nodes to learn which node is wrong.",
            );
        }
    }
    imbalance_findings(summary, &mut add);
    findings.extend(slots::findings(summary));
    findings.extend(big::findings(&summary.big_keys));
    findings.extend(hot::findings(summary));
    let mut add = |severity, kind, text: String, advice: &str| {
        findings.push(Finding { severity, kind, text, advice: advice.to_owned(), big_key: None });
    };
    let mut versions: Vec<&str> = summary.dumps.iter().filter_map(|dump| dump.modelled_as.as_deref()).collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.len() > 1 {
        add(
            Severity::Info,
            FindingKind::Incomparable,
            format!("the dumps are of different servers: {}", versions.join(", ")),
            "Memory is worked out for each as its own server has it; --server REDIS-OR-VALKEY-VERSION makes them comparable.",
        );
    }
    if let Some(expired) = summary.expiry.buckets.first()
        && expired.keys * 20 > summary.totals.keys
    {
        add(
            Severity::Info,
            FindingKind::ExpiredKeys,
            format!(
                "{} keys ({}) had expired when the dumps were saved and still took {}",
                units::count(expired.keys),
                units::percent(expired.keys, summary.totals.keys),
                units::bytes(expired.footprint_bytes)
            ),
            "The server deletes expired keys lazily; `active-expire-effort` makes it faster.",
        );
    }
    findings.extend(permanent::findings(summary));
    findings.extend(savings::findings(summary));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

fn imbalance_findings(summary: &Summary, add: &mut impl FnMut(Severity, FindingKind, String, &str)) {
    let Some(imbalance) = &summary.imbalance else { return };
    if let Some(ratio @ 3001..) = imbalance.estimated_hits_max_to_min_per_mille {
        add(
            Severity::Warning,
            FindingKind::HotNode,
            format!(
                "the hottest node has {} the hits of the coolest, by the keys' access counters",
                units::ratio(ratio as f64 / 1000.0)
            ),
            "Look at the hottest keys: copies under several names, a cache in the client or reads from replicas spread them.",
        );
    }
    let severity = match imbalance.max_to_mean_per_mille {
        2001.. => Severity::Critical,
        1301.. => Severity::Warning,
        _ => return,
    };
    let causes = imbalance.causes.iter().find(|causes| causes.node == imbalance.largest_node);
    let (cause, advice) = match causes {
        Some(causes) if causes.undivided_bytes() * 2 > causes.difference_bytes => (
            format!("; {}", causes.in_words()),
            "A key lives in one slot, and so do keys with the same hash tag: moving slots or adding nodes cannot spread them. Split them first.",
        ),
        Some(causes) => {
            (format!("; {}", causes.in_words()), "Move slots from this node to the others; `rdbscope plan` says which.")
        }
        None => (String::new(), "Move slots from this node to the others; `rdbscope plan` says which."),
    };
    add(
        severity,
        FindingKind::NodeImbalance,
        format!(
            "{} holds {}, {} the mean of the nodes ({}){cause}",
            imbalance.largest_node,
            units::bytes(imbalance.largest_bytes),
            units::ratio(imbalance.max_to_mean_per_mille as f64 / 1000.0),
            units::bytes(imbalance.mean_bytes)
        ),
        advice,
    );
}
