//! Types with their encodings, and how large their keys are.

use std::collections::BTreeSet;

use super::charts::{Bar, LOWEST_BAR, STANDING, Segment, part, rounded};
use super::view::{Figure, Name, plural, type_class};
use crate::analyze::summary::{Summary, TypeRow};
use crate::units;

pub(super) struct TypesView {
    pub(super) bars: Vec<Bar>,
    pub(super) rows: Vec<TypeView>,
    pub(super) upper_ends: Vec<Figure>,
    pub(super) distribution: Vec<(Figure, Vec<Figure>)>,
    pub(super) any_field_expiry: bool,
}

pub(super) struct TypeView {
    pub(super) name: String,
    pub(super) class: &'static str,
    pub(super) keys: Figure,
    pub(super) memory: Figure,
    pub(super) share: Figure,
    pub(super) p50: Figure,
    pub(super) p99: Figure,
    pub(super) largest: Figure,
    pub(super) elements: Figure,
    pub(super) most_elements: Figure,
    pub(super) big: Figure,
    pub(super) fields_with_expiry: Figure,
    pub(super) encodings: Vec<EncodingView>,
    pub(super) spark: Vec<SparkBar>,
    pub(super) spark_says: String,
}

pub(super) struct EncodingView {
    pub(super) name: &'static str,
    pub(super) keys: Figure,
    pub(super) memory: Figure,
    pub(super) share: Figure,
    pub(super) largest: Figure,
    pub(super) elements: Figure,
}

pub(super) struct SparkBar {
    pub(super) x: usize,
    pub(super) y: f64,
    pub(super) height: f64,
    pub(super) title: String,
}

pub(super) fn types_view(summary: &Summary) -> TypesView {
    let total = summary.totals.footprint_bytes;
    let largest = summary.types.iter().map(|row| row.totals.footprint_bytes).max().unwrap_or(0);
    // One scale for all: the doublings from the smallest key to the largest.
    let ends: BTreeSet<u64> = summary.types.iter().flat_map(|row| &row.sizes).map(|(end, _)| *end).collect();
    let ends: Vec<u64> = ends.into_iter().collect();
    TypesView {
        bars: summary
            .types
            .iter()
            .map(|row| {
                let label = Name::new(row.value_type.as_str()).text;
                let memory = row.totals.footprint_bytes;
                Bar {
                    says: format!("{label}: {}, {} of all", units::bytes(memory), units::percent(memory, total)),
                    segments: vec![Segment { x: 0.0, width: part(memory, largest), class: type_class(row.value_type) }],
                    value: Figure::bytes(memory),
                    label,
                }
            })
            .collect(),
        rows: summary.types.iter().map(|row| type_view(row, total, &ends)).collect(),
        upper_ends: ends.iter().map(|&end| Figure::bytes(end)).collect(),
        distribution: ends
            .iter()
            .map(|end| {
                let keys =
                    |row: &TypeRow| row.sizes.iter().find(|(known, _)| known == end).map_or(0, |(_, keys)| *keys);
                (Figure::bytes(*end), summary.types.iter().map(|row| Figure::count_if_any(keys(row))).collect())
            })
            .collect(),
        any_field_expiry: summary.types.iter().any(|row| row.fields_with_expiry > 0),
    }
}

pub(super) fn type_view(row: &TypeRow, total: u64, ends: &[u64]) -> TypeView {
    let most = row.sizes.iter().map(|(_, keys)| *keys).max().unwrap_or(0);
    let spark = row.sizes.iter().filter(|(_, keys)| *keys > 0).map(|(end, keys)| {
        let height = rounded((*keys as f64 / most as f64 * STANDING).max(LOWEST_BAR));
        SparkBar {
            x: ends.iter().position(|known| known == end).unwrap_or(0),
            y: rounded(STANDING - height),
            height,
            title: format!("below {}: {}", units::bytes(*end), plural(*keys, "key", "keys")),
        }
    });
    TypeView {
        name: Name::new(row.value_type.as_str()).text,
        class: type_class(row.value_type),
        keys: Figure::count(row.totals.keys),
        memory: Figure::bytes(row.totals.footprint_bytes),
        share: Figure::share(row.totals.footprint_bytes, total),
        p50: Figure::bytes(row.p50_bytes),
        p99: Figure::bytes(row.p99_bytes),
        largest: Figure::bytes(row.largest_bytes),
        elements: Figure::count(row.totals.elements),
        most_elements: Figure::count(row.most_elements),
        big: match (row.big_keys, row.critical_keys) {
            (big, 0) => Figure::count_if_any(big),
            (big, critical) => Figure { value: big.to_string(), ..Figure::default() }.called(format!(
                "{}, {} critical",
                units::count(big),
                units::count(critical)
            )),
        },
        fields_with_expiry: Figure::count_if_any(row.fields_with_expiry),
        encodings: row
            .encodings
            .iter()
            .map(|encoding| EncodingView {
                name: encoding.encoding,
                keys: Figure::count(encoding.totals.keys),
                memory: Figure::bytes(encoding.totals.footprint_bytes),
                share: Figure::share(encoding.totals.footprint_bytes, total),
                largest: Figure::bytes(encoding.largest_bytes),
                elements: Figure::count(encoding.totals.elements),
            })
            .collect(),
        spark: spark.collect(),
        spark_says: format!(
            "How large the keys of type {} are: half up to {}, 99 of 100 up to {}, the largest {}",
            Name::new(row.value_type.as_str()).text,
            units::bytes(row.p50_bytes),
            units::bytes(row.p99_bytes),
            units::bytes(row.largest_bytes)
        ),
    }
}
