//! The groups of names.

use super::charts::part;
use super::view::{Figure, LISTED, List, Name, SHOWN, name_class, plural};
use crate::analyze::summary::{PatternRow, Summary};
use crate::units;

pub(super) struct PatternsView {
    pub(super) rows: List<PatternView>,
    pub(super) left_out: String,
}

pub(super) struct PatternView {
    pub(super) id: String,
    pub(super) name: Name,
    pub(super) keys: Figure,
    pub(super) memory: Figure,
    pub(super) share: Figure,
    pub(super) width: f64,
    pub(super) average: Figure,
    pub(super) largest: Figure,
    pub(super) elements: Figure,
    pub(super) serialized: Figure,
    pub(super) persistent: Figure,
    pub(super) persistent_share: Figure,
    pub(super) expired: Figure,
    pub(super) types: Vec<(&'static str, &'static str)>,
}

/// The id of the row of a pattern.
fn pattern_id(number: usize) -> String {
    format!("pattern-{number}")
}

pub(super) fn patterns_view(summary: &Summary) -> PatternsView {
    let total = summary.totals.footprint_bytes;
    let largest = summary.patterns.iter().map(|row| row.footprint_bytes).max().unwrap_or(0);
    let numbered: Vec<(usize, &PatternRow)> = summary.patterns.iter().enumerate().collect();
    let view = |&(number, row): &(usize, &PatternRow)| PatternView {
        id: pattern_id(number),
        name: Name::new(&row.pattern),
        keys: Figure::count(row.keys),
        memory: Figure::bytes(row.footprint_bytes),
        share: Figure::share(row.footprint_bytes, total),
        width: part(row.footprint_bytes, largest),
        average: Figure::bytes(row.footprint_bytes.checked_div(row.keys).unwrap_or(0)),
        largest: Figure::bytes(row.largest_bytes),
        elements: Figure::count(row.elements),
        serialized: Figure::bytes(row.serialized_bytes),
        persistent: Figure::count(row.persistent_keys),
        persistent_share: Figure::share(row.persistent_keys, row.keys),
        expired: Figure::count_if_any(row.expired_keys),
        types: row.types.iter().map(|name| (*name, name_class(name))).collect(),
    };
    let rows = List::new(&numbered, SHOWN, LISTED, view);
    let listed = rows.first.len() + rows.rest.len();
    let unlisted = summary.patterns.get(listed..).unwrap_or_default();
    let left_out = &summary.patterns_left_out;
    let count = left_out.rows + unlisted.len() as u64;
    let keys = left_out.keys + unlisted.iter().map(|row| row.keys).sum::<u64>();
    let bytes = left_out.footprint_bytes + unlisted.iter().map(|row| row.footprint_bytes).sum::<u64>();
    PatternsView {
        rows,
        left_out: if count == 0 {
            String::new()
        } else {
            format!(
                "{} smaller {} left out: together {} and {} ({}).",
                units::count(count),
                if count == 1 { "pattern is" } else { "patterns are" },
                plural(keys, "key", "keys"),
                units::bytes(bytes),
                units::percent(bytes, total)
            )
        },
    }
}
