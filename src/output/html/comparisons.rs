//! The databases, the same keys on other servers, and the settings that all figures rest on.

use super::charts::part;
use super::view::{Figure, LISTED, List, Name, SHOWN, type_class};
use crate::analyze::summary::{Comparison, Summary};
use crate::record::ValueType;
use crate::units;

pub(super) struct ComparisonsView {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<ComparedView>,
    pub(super) sums: Vec<ComparedView>,
}

pub(super) struct ComparedView {
    pub(super) label: String,
    pub(super) class: &'static str,
    pub(super) own: Figure,
    pub(super) others: Vec<(Figure, String, &'static str)>,
}

/// How much `other` differs from `own`, and the class of the difference.
pub(super) fn difference(other: u64, own: u64) -> (String, &'static str) {
    let by = units::percent(other.abs_diff(own), own);
    match other.cmp(&own) {
        std::cmp::Ordering::Equal => ("same".to_owned(), ""),
        _ if own == 0 => (String::new(), ""),
        std::cmp::Ordering::Less => (format!("\u{2212}{by}"), "less"),
        std::cmp::Ordering::Greater => (format!("+{by}"), "more"),
    }
}

pub(super) fn comparisons_view(summary: &Summary) -> ComparisonsView {
    let compared = |own: u64, other: u64| {
        let (text, class) = difference(other, own);
        (Figure::bytes(other), text, class)
    };
    let of_type = |comparison: &Comparison, value_type: ValueType| {
        comparison.by_type.iter().find(|row| row.value_type == value_type).map_or(0, |row| row.footprint_bytes)
    };
    let rows = summary
        .types
        .iter()
        .map(|row| {
            let own = row.totals.footprint_bytes;
            ComparedView {
                label: Name::new(row.value_type.as_str()).text,
                class: type_class(row.value_type),
                own: Figure::bytes(own),
                others: summary.comparisons.iter().map(|other| compared(own, of_type(other, row.value_type))).collect(),
            }
        })
        .collect();
    let sum = |label: &str, own: u64, of: fn(&Comparison) -> u64| ComparedView {
        label: label.to_owned(),
        class: "",
        own: Figure::bytes(own),
        others: summary.comparisons.iter().map(|other| compared(own, of(other))).collect(),
    };
    let sums = vec![
        sum("All keys: memory", summary.totals.footprint_bytes, |other| other.footprint_bytes),
        sum("All keys: MEMORY USAGE", summary.totals.memory_usage_bytes, |other| other.memory_usage_bytes),
    ];
    ComparisonsView { names: summary.comparisons.iter().map(|other| other.name.clone()).collect(), rows, sums }
}

pub(super) struct DatabaseView {
    pub(super) database: u64,
    pub(super) keys: Figure,
    pub(super) memory: Figure,
    pub(super) share: Figure,
    pub(super) width: f64,
    pub(super) elements: Figure,
    pub(super) expires: Figure,
    pub(super) expires_share: Figure,
}

pub(super) fn databases_view(summary: &Summary) -> List<DatabaseView> {
    let total = summary.totals.footprint_bytes;
    let largest = summary.databases.iter().map(|row| row.totals.footprint_bytes).max().unwrap_or(0);
    List::new(&summary.databases, SHOWN, LISTED, |row| DatabaseView {
        database: row.database,
        keys: Figure::count(row.totals.keys),
        memory: Figure::bytes(row.totals.footprint_bytes),
        share: Figure::share(row.totals.footprint_bytes, total),
        width: part(row.totals.footprint_bytes, largest),
        elements: Figure::count(row.totals.elements),
        expires: Figure::count(row.keys_with_expiry),
        expires_share: Figure::share(row.keys_with_expiry, row.totals.keys),
    })
}

pub(super) fn settings(summary: &Summary) -> Vec<(&'static str, String)> {
    let thresholds = &summary.model.thresholds;
    vec![
        ("hash-max-listpack-entries", thresholds.hash_max_listpack_entries.to_string()),
        ("hash-max-listpack-value", thresholds.hash_max_listpack_value.to_string()),
        ("set-max-intset-entries", thresholds.set_max_intset_entries.to_string()),
        ("set-max-listpack-entries", thresholds.set_max_listpack_entries.to_string()),
        ("set-max-listpack-value", thresholds.set_max_listpack_value.to_string()),
        ("zset-max-listpack-entries", thresholds.zset_max_listpack_entries.to_string()),
        ("zset-max-listpack-value", thresholds.zset_max_listpack_value.to_string()),
        ("list-max-listpack-size", thresholds.list_max_listpack_size.to_string()),
        ("list-compress-depth", thresholds.list_compress_depth.to_string()),
        ("list-max-ziplist-entries (before 3.2)", thresholds.list_max_ziplist_entries.to_string()),
        ("list-max-ziplist-value (before 3.2)", thresholds.list_max_ziplist_value.to_string()),
    ]
}
