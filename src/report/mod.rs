//! Puts the dumps of a run together into one [`Summary`]: which count, which node each is of, what stands out.

mod big;
mod causes;
mod dumps;
mod findings;
mod hot;
mod nodes;
mod options;
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
pub use options::{RunOptions, saved_at_seconds};
pub use read::{KeyName, ReadDump, ReadError};
pub use rebalance::RebalanceOptions;
pub use redact::redact;

use std::sync::Arc;

use self::dumps::{dump_row, place_all};
use self::findings::findings;
use self::hot::HotSources;
use self::nodes::{cluster_row, imbalance, node_row};
use self::owners::Owners;
use crate::access::AccessLog;
use crate::analyze::aggregate::{Aggregate, SlotTotals};
use crate::analyze::big::Judgement;
use crate::analyze::hot::{ColdKey, ColdRow, FreqRow, HotKey, LFU_LOG_FACTOR, cold_steps, freq_bands};
use crate::analyze::pattern::PatternTable;
use crate::analyze::pieces::SlotOwners;
use crate::analyze::slots::{NodeSums, slots_row};
use crate::analyze::summary::{self, *};
use crate::analyze::{Fold, TopKey, TopKeys};
use crate::cluster::topology::Topology;
use crate::error::Exit;
use crate::memory::{Model, Server};
use crate::units;

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
