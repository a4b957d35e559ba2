//! Two states of the same nodes: what has grown, come, gone and moved between them.

pub mod change;
pub mod keys;
pub mod large;
pub mod nodes;
pub mod side;
pub mod slots;
pub mod sorted;
pub mod split;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use change::{Change, Fate, TotalsChange};
pub use keys::KeyCounts;
pub use large::{Find, LargeKey, Which};
pub use nodes::{MatchedBy, match_nodes};
pub use side::{Side, SideNode};
pub use slots::{MovedSlots, SlotChange, SlotMove};

use crate::analyze::pattern::{AlignedPattern, align};
use crate::analyze::summary::{LeftOut, TotalsRow};
use crate::analyze::thresholds::BigThresholds;
use crate::escape::{Escape, glob_text};

/// Name and version of the JSON document. Members may be added; none changes its meaning under the same version.
pub const SCHEMA: &str = "rdbscope-diff/1";

/// Lists are cut at these lengths.
const PATTERNS: usize = 200;
const KEYS: usize = 200;
const SLOTS_SHOWN: usize = 20;

/// Everything that differs.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// Version of the program.
    pub rdbscope: &'static str,
    /// Whether all of both was read, and no value is broken.
    pub complete: bool,
    /// What has to be known to read the figures.
    pub notes: Vec<String>,
    /// What OLD is of.
    pub old: Vec<SideDump>,
    /// What NEW is of.
    pub new: Vec<SideDump>,
    /// Time between the two, from when the last dump of each was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_seconds: Option<i64>,
    /// Sums.
    pub totals: TotalsChange,
    /// Growth by that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footprint_bytes_per_day: Option<i64>,
    /// The nodes, in the order of NEW, then those that are gone.
    pub nodes: Vec<NodeChange>,
    /// Slots on another node than before.
    pub moved_slots: MovedSlots,
    /// The slots that changed most.
    pub slots: Vec<SlotChange>,
    /// The types, those that changed most first.
    pub types: Vec<NamedChange>,
    /// The same of the databases, if there are several.
    pub databases: Vec<NamedChange>,
    /// The patterns that changed, most first.
    pub patterns: Vec<PatternChange>,
    /// What `patterns` leaves out.
    pub patterns_left_out: LeftOut,
    /// The largest keys that changed, the big ones first.
    pub largest_keys: Vec<LargeKey>,
    /// What `largest_keys` leaves out.
    pub largest_keys_left_out: LeftOut,
    /// From where on a key is big.
    pub big_thresholds: BigThresholds,
    /// How many keys differ, where all were compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeyCounts>,
}

/// A dump of a side.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // the members are those of `DumpRow`
pub struct SideDump {
    pub name: String,
    pub path: String,
    pub complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modelled_as: Option<String>,
}

/// A node before and after.
#[derive(Clone, Debug, Serialize)]
pub struct NodeChange {
    /// Its name in OLD; absent if it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_name: Option<String>,
    /// Its name in NEW; absent if it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_name: Option<String>,
    /// What it was found by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched_by: Option<MatchedBy>,
    /// Sums over its keys.
    #[serde(flatten)]
    pub totals: TotalsChange,
    /// used_memory, where both dumps have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_memory_bytes: Option<Change>,
}

/// A type or database before and after.
#[derive(Clone, Debug, Serialize)]
pub struct NamedChange {
    /// Which.
    pub name: String,
    /// Sums.
    #[serde(flatten)]
    pub totals: TotalsChange,
}

/// A pattern before and after.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // the members are those of `PatternRow`
pub struct PatternChange {
    pub pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    pub fate: Fate,
    pub keys: Change,
    pub footprint_bytes: Change,
    pub serialized_bytes: Change,
    pub elements: Change,
    pub largest_bytes: Change,
    pub persistent_keys: Change,
}

/// Compares two states; `find` has a second look into the dumps for keys that only one side lists.
///
/// # Errors
/// Those of `find`.
pub fn compare<E>(mut old: Side, mut new: Side, find: &mut Find<'_, E>) -> Result<Diff, E> {
    let matched = match_nodes(
        &old.nodes.iter().map(SideNode::key).collect::<Vec<_>>(),
        &new.nodes.iter().map(SideNode::key).collect::<Vec<_>>(),
    );
    let old_of_new: Vec<Option<usize>> = matched.iter().map(|found| found.map(|(node, _)| node)).collect();
    let big = new.summary.big_thresholds;
    let (largest_keys, largest_keys_left_out) =
        large::compare_largest(&mut old, &mut new, &old_of_new, &big, KEYS, find)?;
    let (moved_slots, slots) = slots::compare_slots(&old, &new, &old_of_new, SLOTS_SHOWN);
    let (patterns, patterns_left_out) =
        pattern_changes(align(std::mem::take(&mut old.patterns), std::mem::take(&mut new.patterns)));
    let totals = TotalsChange::new(Some(&old.summary.totals), Some(&new.summary.totals));
    let span_seconds = new.saved_at_seconds().zip(old.saved_at_seconds()).and_then(|(new, old)| new.checked_sub(old));
    let per_day = |seconds: i64| {
        let bytes = i128::from(totals.footprint_bytes.change) * 86_400 / i128::from(seconds);
        i64::try_from(bytes).ok()
    };
    let totals_of = |side: &Side, what: What| -> BTreeMap<String, TotalsRow> {
        let summary = &side.summary;
        match what {
            What::Types => summary.types.iter().map(|row| (row.value_type.to_string(), row.totals)).collect(),
            What::Databases => summary.databases.iter().map(|row| (row.database.to_string(), row.totals)).collect(),
        }
    };
    let named = |what| named_changes(&totals_of(&old, what), &totals_of(&new, what));
    let databases = named(What::Databases);
    Ok(Diff {
        schema: SCHEMA,
        rdbscope: env!("CARGO_PKG_VERSION"),
        complete: old.summary.complete && new.summary.complete,
        notes: notes(&old, &new, span_seconds),
        old: side_dumps(&old),
        new: side_dumps(&new),
        span_seconds,
        totals,
        footprint_bytes_per_day: span_seconds.filter(|seconds| *seconds > 0).and_then(per_day),
        nodes: node_changes(&old, &new, &matched),
        moved_slots,
        slots,
        types: named(What::Types),
        databases: if databases.len() > 1 { databases } else { Vec::new() },
        patterns,
        patterns_left_out,
        largest_keys,
        largest_keys_left_out,
        big_thresholds: big,
        keys: None,
    })
}

#[derive(Clone, Copy)]
enum What {
    Types,
    Databases,
}

fn side_dumps(side: &Side) -> Vec<SideDump> {
    let dumps = side.summary.dumps.iter();
    dumps
        .map(|dump| SideDump {
            name: dump.name.clone(),
            path: dump.path.clone(),
            complete: dump.complete,
            saved_at: dump.saved_at.clone(),
            modelled_as: dump.modelled_as.clone(),
        })
        .collect()
}

/// What differs in how the two sides were measured, and what makes the comparison doubtful.
fn notes(old: &Side, new: &Side, span_seconds: Option<i64>) -> Vec<String> {
    let mut notes = Vec::new();
    let models = |side: &Side| -> BTreeSet<String> {
        let dumps = side.summary.dumps.iter();
        let mode = |cluster| if cluster { "in cluster mode" } else { "without cluster mode" };
        dumps.filter_map(|dump| Some(format!("{} {}", dump.modelled_as.as_ref()?, mode(dump.cluster_mode)))).collect()
    };
    let (before, after) = (models(old), models(new));
    if before != after {
        let list = |models: BTreeSet<String>| models.into_iter().collect::<Vec<_>>().join(", ");
        notes.push(format!(
            "OLD is of {}, NEW of {}: part of the difference in memory is between the servers; --server and \
             --cluster-mode measure both as the same",
            list(before),
            list(after)
        ));
    }
    for (name, side) in [("OLD", old), ("NEW", new)] {
        if !side.summary.complete {
            notes.push(format!("{name} was not read in full: what is missing in it looks as if it were not there"));
        }
    }
    match span_seconds {
        Some(seconds) if seconds < 0 => {
            notes.push("NEW was saved before OLD: they may be the wrong way round".to_owned())
        }
        None => notes.push("a dump does not say when it was saved: there is no growth by time".to_owned()),
        _ => {}
    }
    if old.summary.model.redacted {
        notes.push("names are hidden: under two secrets the same key has two names".to_owned());
    }
    notes
}

fn node_changes(old: &Side, new: &Side, matched: &[Option<(usize, MatchedBy)>]) -> Vec<NodeChange> {
    let change = |before: Option<usize>, after: Option<usize>, matched_by| {
        let before = before.map(|node| &old.summary.nodes[node]);
        let after = after.map(|node| &new.summary.nodes[node]);
        let used = |node: Option<&crate::analyze::summary::NodeRow>| node.and_then(|node| node.used_memory_bytes);
        NodeChange {
            old_name: before.map(|node| node.name.clone()),
            new_name: after.map(|node| node.name.clone()),
            matched_by,
            totals: TotalsChange::new(before.map(|node| &node.totals), after.map(|node| &node.totals)),
            used_memory_bytes: used(before).zip(used(after)).map(|(before, after)| Change::new(before, after)),
        }
    };
    let known = matched.iter().enumerate();
    let mut rows: Vec<NodeChange> =
        known.map(|(node, found)| change(found.map(|(old, _)| old), Some(node), found.map(|(_, by)| by))).collect();
    let is_gone = |node: &usize| !matched.iter().flatten().any(|(old, _)| old == node);
    rows.extend((0..old.nodes.len()).filter(is_gone).map(|node| change(Some(node), None, None)));
    rows
}

/// Those of either side, by change.
fn named_changes(old: &BTreeMap<String, TotalsRow>, new: &BTreeMap<String, TotalsRow>) -> Vec<NamedChange> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change =
        |name: &String| NamedChange { name: name.clone(), totals: TotalsChange::new(old.get(name), new.get(name)) };
    let mut rows: Vec<NamedChange> = names.into_iter().map(change).collect();
    rows.sort_by_key(|row| Reverse(row.totals.footprint_bytes.size()));
    rows
}

fn pattern_changes(patterns: Vec<AlignedPattern>) -> (Vec<PatternChange>, LeftOut) {
    let mut rows: Vec<PatternChange> = patterns
        .into_iter()
        .filter(|pattern| pattern.old != pattern.new)
        .map(|AlignedPattern { text, named, old, new }| {
            let keys = Change::new(old.keys, new.keys);
            let footprint_bytes = Change::new(old.memory_bytes, new.memory_bytes);
            PatternChange {
                pattern: if named.is_some() { Escape::Utf8.text(&text) } else { glob_text(&text) },
                regex: named,
                fate: Fate::of(&keys, &footprint_bytes),
                keys,
                footprint_bytes,
                serialized_bytes: Change::new(old.serialized_bytes, new.serialized_bytes),
                elements: Change::new(old.elements, new.elements),
                largest_bytes: Change::new(old.largest_bytes, new.largest_bytes),
                persistent_keys: Change::new(old.persistent_keys, new.persistent_keys),
            }
        })
        .collect();
    // By text before, so that ties stay in its order.
    rows.sort_by_key(|row| (Reverse(row.footprint_bytes.size()), Reverse(row.keys.size())));
    let mut left_out = LeftOut::default();
    for row in rows.iter().skip(PATTERNS) {
        left_out.rows += 1;
        left_out.keys = left_out.keys.saturating_add(row.keys.new);
        left_out.footprint_bytes = left_out.footprint_bytes.saturating_add(row.footprint_bytes.new);
        left_out.serialized_bytes = left_out.serialized_bytes.saturating_add(row.serialized_bytes.new);
        left_out.elements = left_out.elements.saturating_add(row.elements.new);
    }
    rows.truncate(PATTERNS);
    (rows, left_out)
}
