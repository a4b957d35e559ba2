//! Bars, and the distributions that several sections have.

use super::view::{Figure, plural};
use crate::analyze::summary::{BucketRow, TotalsRow};
use crate::units;

/// Height of the charts whose bars stand, in their own units; the lowest bar that is not nothing.
pub(super) const STANDING: f64 = 100.0;
pub(super) const LOWEST_BAR: f64 = 1.5;

/// A part of a bar, in per cent of its width.
pub(super) struct Segment {
    pub(super) x: f64,
    pub(super) width: f64,
    pub(super) class: &'static str,
}

/// A bar with its words.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) segments: Vec<Segment>,
    pub(super) value: Figure,
    /// What the picture says, for those who do not see it.
    pub(super) says: String,
}

/// An entry of a legend.
pub(super) struct Key {
    pub(super) class: &'static str,
    pub(super) label: String,
}

/// `part` of `whole` in per cent, rounded for a drawing.
pub(super) fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { rounded(part as f64 / whole as f64 * 100.0) }
}

pub(super) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// A row of a distribution.
pub(super) struct ShareView {
    pub(super) label: &'static str,
    pub(super) keys: Figure,
    pub(super) keys_share: Figure,
    pub(super) memory: Figure,
    pub(super) memory_share: Figure,
}

pub(super) fn share_view(label: &'static str, keys: u64, memory: u64, totals: &TotalsRow) -> ShareView {
    ShareView {
        label,
        keys: Figure::count(keys),
        keys_share: Figure::share(keys, totals.keys),
        memory: Figure::bytes(memory),
        memory_share: Figure::share(memory, totals.footprint_bytes),
    }
}

pub(super) struct Distribution {
    pub(super) bars: Vec<Bar>,
    pub(super) rows: Vec<ShareView>,
}

pub(super) fn distribution(rows: &[BucketRow], totals: &TotalsRow) -> Distribution {
    let largest = rows.iter().map(|row| row.footprint_bytes).max().unwrap_or(0);
    Distribution {
        bars: rows.iter().map(|row| bucket_bar(row.label, row.keys, row.footprint_bytes, largest, "a0")).collect(),
        rows: rows.iter().map(|row| share_view(row.label, row.keys, row.footprint_bytes, totals)).collect(),
    }
}

pub(super) fn bucket_bar(label: &str, keys: u64, bytes: u64, largest: u64, class: &'static str) -> Bar {
    Bar {
        label: label.to_owned(),
        segments: vec![Segment { x: 0.0, width: part(bytes, largest), class }],
        value: Figure::bytes(bytes),
        says: format!("{label}: {}, {}", units::bytes(bytes), plural(keys, "key", "keys")),
    }
}
