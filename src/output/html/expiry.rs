//! When keys expire.

use super::charts::{Bar, ShareView, bucket_bar, part, share_view};
use super::view::{Figure, List, Name, SHOWN, plural};
use crate::analyze::summary::{Summary, TotalsRow};

pub(super) struct ExpiryView {
    pub(super) bars: Vec<Bar>,
    pub(super) rows: Vec<ShareView>,
    /// The sums: never, and at some time.
    pub(super) sums: Vec<ShareView>,
    /// The tables that have no sums.
    pub(super) no_sums: Vec<ShareView>,
    /// What is free by when.
    pub(super) freed: Vec<ShareView>,
    pub(super) permanent: List<PermanentView>,
    pub(super) any_volatile: bool,
    pub(super) fields: String,
}

/// A pattern by its memory that never expires.
pub(super) struct PermanentView {
    pub(super) name: Name,
    pub(super) memory: Figure,
    pub(super) width: f64,
    pub(super) share: Figure,
    pub(super) keys: Figure,
    pub(super) keys_share: Figure,
}

pub(super) fn expiry_view(summary: &Summary) -> ExpiryView {
    let expiry = &summary.expiry;
    let sum = |label, totals: &TotalsRow| share_view(label, totals.keys, totals.footprint_bytes, &summary.totals);
    let largest = expiry
        .buckets
        .iter()
        .map(|row| row.footprint_bytes)
        .chain([expiry.persistent.footprint_bytes])
        .max()
        .unwrap_or(0);
    let buckets = expiry.buckets.iter().map(|row| {
        bucket_bar(row.label, row.keys, row.footprint_bytes, largest, if row.label == "expired" { "a1" } else { "a0" })
    });
    let never = bucket_bar("never", expiry.persistent.keys, expiry.persistent.footprint_bytes, largest, "a2");
    let fields: u64 = summary.types.iter().map(|row| row.fields_with_expiry).sum();
    ExpiryView {
        bars: buckets.chain([never]).collect(),
        rows: expiry
            .buckets
            .iter()
            .map(|row| share_view(row.label, row.keys, row.footprint_bytes, &summary.totals))
            .collect(),
        no_sums: Vec::new(),
        freed: expiry
            .freed
            .iter()
            .filter(|_| expiry.volatile.keys > 0)
            .map(|row| share_view(row.label, row.keys, row.footprint_bytes, &summary.totals))
            .collect(),
        permanent: {
            let bytes = |number: &usize| summary.patterns[*number].persistent_bytes;
            let most = expiry.permanent_patterns.first().map_or(0, bytes);
            List::new(&expiry.permanent_patterns, SHOWN / 2, SHOWN, |number| {
                let row = &summary.patterns[*number];
                PermanentView {
                    name: Name::new(&row.pattern),
                    memory: Figure::bytes(row.persistent_bytes),
                    width: part(row.persistent_bytes, most),
                    share: Figure::share(row.persistent_bytes, summary.totals.footprint_bytes),
                    keys: Figure::count(row.persistent_keys),
                    keys_share: Figure::share(row.persistent_keys, row.keys),
                }
            })
        },
        sums: vec![sum("expire at some time", &expiry.volatile), sum("never expire", &expiry.persistent)],
        any_volatile: expiry.volatile.keys > 0,
        fields: if fields == 0 {
            String::new()
        } else {
            format!("Besides, {} of hashes have an expiry of their own.", plural(fields, "field", "fields"))
        },
    }
}
