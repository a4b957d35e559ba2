//! The big keys: what each is and costs, and a runbook for the gravest.

use super::keys::{KeyColumns, KeyView, key_columns, key_view};
use super::view::{Figure, LISTED, List, plural};
use crate::analyze::big::{BigKey, BigKeys};
use crate::analyze::compression::CODEC;
use crate::analyze::cost::CostModel;
use crate::analyze::remedy::Step;
use crate::analyze::summary::Summary;
use crate::analyze::thresholds::Severity;
use crate::units;

/// Big keys that are seen at once, and that have a runbook on the page.
pub(super) const SHOWN_BIG: usize = 10;
pub(super) const RUNBOOKS: usize = 20;

pub(super) struct BigView {
    pub(super) words: String,
    pub(super) timeout: String,
    pub(super) assumptions: String,
    pub(super) codec: &'static str,
    pub(super) columns: KeyColumns,
    pub(super) rows: List<BigRow>,
    pub(super) runbooks: Vec<RunbookView>,
}

pub(super) struct BigRow {
    pub(super) id: String,
    pub(super) key: KeyView,
    pub(super) severity: Severity,
    pub(super) over: Figure,
    /// What it is big by.
    pub(super) by: String,
    pub(super) pieces: Figure,
    pub(super) transfer: Figure,
    pub(super) read: Figure,
    pub(super) del: Figure,
    pub(super) unlink: Figure,
    pub(super) migrate: Figure,
    /// What a sample of it is compressed to, and what that would save.
    pub(super) compressed: Figure,
    pub(super) saved: Figure,
    /// Whether it would not move within MIGRATE's timeout.
    pub(super) is_slow: bool,
}

pub(super) struct RunbookView {
    pub(super) id: String,
    pub(super) key: KeyView,
    pub(super) severity: Severity,
    pub(super) parts: Vec<(&'static str, Vec<Step>)>,
}

/// The id of the row of a big key.
pub(super) fn row_id(number: usize) -> String {
    format!("big-{number}")
}

/// The id of its runbook.
pub(super) fn runbook_id(number: usize) -> String {
    format!("runbook-{number}")
}

pub(super) fn big_view(summary: &Summary) -> BigView {
    let big = &summary.big_keys;
    let timeout_ms = big.cost_model.migrate.timeout_ms;
    let numbered: Vec<(usize, &BigKey)> = big.keys.iter().enumerate().collect();
    let mut rows = List::new(&numbered, SHOWN_BIG, LISTED, |&(number, big)| row(number, big, timeout_ms));
    rows.left_out = usize::try_from(big.total).unwrap_or(usize::MAX).saturating_sub(numbered.len());
    BigView {
        words: words(big),
        timeout: units::duration_ms(timeout_ms),
        assumptions: assumptions(&big.cost_model),
        codec: CODEC,
        columns: key_columns(summary),
        rows,
        runbooks: numbered.iter().take(RUNBOOKS).map(|&(number, big)| runbook(number, big)).collect(),
    }
}

fn words(big: &BigKeys) -> String {
    match (big.total, big.critical) {
        (0, _) => String::new(),
        (total, 0) => format!("{} big.", plural(total, "key is", "keys are")),
        (total, critical) => {
            format!("{} big, {} of them critical.", plural(total, "key is", "keys are"), units::count(critical))
        }
    }
}

fn assumptions(model: &CostModel) -> String {
    format!(
        "a link of {}; {} ms to copy or serialise 1 MB, and as much to restore it; {} ns for an element of a reply, {} ns to \
         insert one on another node; {} ns to free an element that has memory of its own, {} \u{b5}s per MB for what is packed; \
         MIGRATE\u{2019}s timeout {}",
        units::link_speed(model.migrate.link_bytes_per_second),
        model.migrate.copy_us_per_megabyte as f64 / 1000.0,
        model.read_ns_per_element,
        model.migrate.rebuild_ns_per_element,
        model.free_ns_per_element,
        model.free_us_per_megabyte,
        units::duration_ms(model.migrate.timeout_ms)
    )
}

fn row(number: usize, big: &BigKey, timeout_ms: u64) -> BigRow {
    let worthwhile = big.compression.filter(|measured| measured.is_worthwhile);
    let by: Vec<&str> = big.crossed.iter().map(|crossed| crossed.measure.as_str()).collect();
    BigRow {
        id: row_id(number),
        key: key_view(&big.key, 0.0),
        severity: big.severity,
        over: Figure::ratio(big.percent_of_warning),
        by: by.join(", "),
        pieces: big.pieces.map(Figure::count).unwrap_or_default(),
        transfer: Figure::micros(big.costs.transfer_us),
        read: Figure::micros(big.costs.read_us),
        del: Figure::micros(big.costs.del_us),
        unlink: Figure::micros(big.costs.unlink_us),
        migrate: Figure::micros(big.costs.migrate_us),
        compressed: big
            .compression
            .map(|measured| Figure::share(measured.sample.compressed_bytes, measured.sample.sample_bytes))
            .unwrap_or_default(),
        saved: worthwhile.map(|measured| Figure::bytes(measured.saved_bytes)).unwrap_or_default(),
        is_slow: big.costs.migrate_us / 1000 > timeout_ms,
    }
}

fn runbook(number: usize, big: &BigKey) -> RunbookView {
    let book = &big.runbook;
    let parts = [("Run now", &book.now), ("Avoid", &book.avoid), ("Change for good", &book.change)];
    RunbookView {
        id: runbook_id(number),
        key: key_view(&big.key, 0.0),
        severity: big.severity,
        parts: parts
            .into_iter()
            .filter(|(_, steps)| !steps.is_empty())
            .map(|(head, steps)| (head, steps.clone()))
            .collect(),
    }
}
