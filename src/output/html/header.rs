//! What the page says first: its title, the verdict in a sentence, the main figures, and what they lack.

use super::view::{Figure, Name, is_cluster, plural};
use crate::analyze::summary::{DumpRole, Summary};
use crate::analyze::thresholds::Severity;
use crate::units;

/// A figure of the header.
pub(super) struct Tile {
    pub(super) label: &'static str,
    pub(super) value: Figure,
    pub(super) note: String,
}

pub(super) fn title(summary: &Summary) -> String {
    let subject = match summary.dumps.as_slice() {
        [] => "no dump".to_owned(),
        [dump] => Name::new(&dump.name).text,
        _ if summary.nodes.len() > 1 && is_cluster(summary) => {
            format!("cluster of {}", plural(summary.nodes.len() as u64, "node", "nodes"))
        }
        dumps => plural(dumps.len() as u64, "dump", "dumps"),
    };
    format!("Memory report: {subject}")
}

/// The page in one sentence.
pub(super) fn verdict(summary: &Summary) -> String {
    let found = |severity| summary.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    let read = summary.dumps.iter().filter(|dump| dump.role != DumpRole::Unread).count();
    if read == 0 {
        return "Nothing could be read: this page has no figures.".to_owned();
    }
    let subject = match summary.nodes.len() as u64 {
        n if is_cluster(summary) => plural(n, "node", "nodes"),
        n => plural(n, "dump", "dumps"),
    };
    let verb = if summary.nodes.len() == 1 { "holds" } else { "hold" };
    let what = match summary.totals.keys {
        0 => format!("{subject} {verb} no keys"),
        keys => format!(
            "{subject} {verb} {} in {}",
            plural(keys, "key", "keys"),
            units::bytes(summary.totals.footprint_bytes)
        ),
    };
    let counts: Vec<String> = [
        (found(Severity::Critical), "critical finding", "critical findings"),
        (found(Severity::Warning), "warning", "warnings"),
    ]
    .into_iter()
    .filter(|(n, ..)| *n > 0)
    .map(|(n, one, many)| plural(n, one, many))
    .collect();
    let grave = if counts.is_empty() { "nothing stands out".to_owned() } else { counts.join(" and ") };
    let notice = if summary.complete { "" } else { " Not everything could be read." };
    format!("{what}: {grave}.{notice}")
}

pub(super) fn tiles(summary: &Summary) -> Vec<Tile> {
    let totals = &summary.totals;
    let mut tiles = vec![
        Tile {
            label: "Keys",
            value: Figure::count(totals.keys),
            note: format!("{} elements", units::count(totals.elements)),
        },
        Tile {
            label: "Memory",
            value: Figure::bytes(totals.footprint_bytes),
            note: "what the keys add to used_memory".to_owned(),
        },
        Tile {
            label: "MEMORY USAGE",
            value: Figure::bytes(totals.memory_usage_bytes),
            note: "what the servers would answer".to_owned(),
        },
        Tile { label: "Serialized", value: Figure::bytes(totals.serialized_bytes), note: "in the dumps".to_owned() },
    ];
    if let Some((key, bytes)) = summary.biggest.first().and_then(|key| Some((key, key.footprint_bytes?))) {
        tiles.push(Tile {
            label: "Largest key",
            value: Figure::bytes(bytes),
            note: format!("{} of all, a {}", units::percent(bytes, totals.footprint_bytes), key.value_type),
        });
    }
    tiles.push(Tile {
        label: "Never expire",
        value: Figure::share(summary.expiry.persistent.keys, totals.keys),
        note: format!("{} keys", units::count(summary.expiry.persistent.keys)),
    });
    tiles
}

/// What the page's figures lack.
pub(super) fn incomplete(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    for dump in &summary.dumps {
        let name = Name::new(&dump.name).text;
        if dump.role == DumpRole::Unread {
            let error = dump.error.as_deref().map(|error| Name::new(error).text).unwrap_or_default();
            lines.push(format!("{name} could not be read and is not counted: {error}"));
        } else if let Some(error) = &dump.error {
            let read = plural(dump.totals.keys, "key", "keys");
            lines.push(format!("{name} is damaged or cut; {read} of it were read: {error}"));
        }
        if dump.damaged_keys > 0 {
            let broken = plural(dump.damaged_keys, "value is", "values are");
            lines.push(format!("{name}: {broken} broken inside and without a size"));
        }
    }
    if let Some(cluster) = summary.cluster.as_ref().filter(|cluster| !cluster.missing_masters.is_empty()) {
        let missing = plural(cluster.missing_masters.len() as u64, "master has", "masters have");
        lines.push(format!(
            "{missing} no dump here: {} are not covered",
            plural(cluster.uncovered_count, "slot", "slots")
        ));
    }
    lines
}
