//! When keys expire.

use super::charts::{Bar, ShareView, bucket_bar, share_view};
use super::view::plural;
use crate::analyze::summary::{Summary, TotalsRow};

pub(super) struct ExpiryView {
    pub(super) bars: Vec<Bar>,
    pub(super) rows: Vec<ShareView>,
    /// The sums: never, and at some time.
    pub(super) sums: Vec<ShareView>,
    pub(super) any_volatile: bool,
    pub(super) fields: String,
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
        sums: vec![sum("expire at some time", &expiry.volatile), sum("never expire", &expiry.persistent)],
        any_volatile: expiry.volatile.keys > 0,
        fields: if fields == 0 {
            String::new()
        } else {
            format!("Besides, {} of hashes have an expiry of their own.", plural(fields, "field", "fields"))
        },
    }
}
