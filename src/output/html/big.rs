//! The big keys: what each costs, and a runbook for the gravest.

use super::keys::{KeyView, key_view};
use super::view::{Figure, LISTED, List, plural};
use crate::analyze::big::{BigKey, Severity};
use crate::analyze::remedy::Step;
use crate::analyze::summary::Summary;
use crate::cluster::migrate::MIGRATE_TIMEOUT_MS;
use crate::units;

/// Big keys that are seen at once, and that have a runbook on the page.
pub(super) const SHOWN_BIG: usize = 10;
pub(super) const RUNBOOKS: usize = 20;

pub(super) struct BigView {
    pub(super) words: String,
    pub(super) timeout: String,
    pub(super) assumptions: String,
    pub(super) rows: List<BigRow>,
    pub(super) runbooks: Vec<RunbookView>,
}

pub(super) struct BigRow {
    pub(super) id: String,
    pub(super) key: KeyView,
    pub(super) severity: Severity,
    pub(super) over: Figure,
    pub(super) pieces: Figure,
    pub(super) transfer: Figure,
    pub(super) read: Figure,
    pub(super) del: Figure,
    pub(super) migrate: Figure,
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
    let model = &big.cost_model;
    let numbered: Vec<(usize, &BigKey)> = big.keys.iter().enumerate().collect();
    let mut rows = List::new(&numbered, SHOWN_BIG, LISTED, |&(number, big)| row(number, big));
    rows.left_out = usize::try_from(big.total).unwrap_or(usize::MAX).saturating_sub(numbered.len());
    BigView {
        words: match (big.total, big.critical) {
            (0, _) => String::new(),
            (total, 0) => format!("{} big.", plural(total, "key is", "keys are")),
            (total, critical) => {
                format!("{} big, {} of them critical.", plural(total, "key is", "keys are"), units::count(critical))
            }
        },
        timeout: units::duration_ms(MIGRATE_TIMEOUT_MS),
        assumptions: format!(
            "a link of {} Gbit/s; {} ms to copy or serialise 1 MB, and as much to restore it; {} ns for an element of a reply, \
             {} ns to insert one on another node; {} ns to free an element that has memory of its own, {} \u{b5}s per MB for \
             what is packed",
            model.migrate.link_bytes_per_second * 8 / 1_000_000_000,
            model.migrate.copy_us_per_megabyte / 1000,
            model.read_ns_per_element,
            model.migrate.rebuild_ns_per_element,
            model.free_ns_per_element,
            model.free_us_per_megabyte
        ),
        rows,
        runbooks: numbered.iter().take(RUNBOOKS).map(|&(number, big)| runbook(number, big)).collect(),
    }
}

fn row(number: usize, big: &BigKey) -> BigRow {
    BigRow {
        id: row_id(number),
        key: key_view(&big.key, 0.0),
        severity: big.severity,
        over: Figure::ratio(big.percent_of_warning),
        pieces: big.pieces.map(Figure::count).unwrap_or_default(),
        transfer: Figure::micros(big.costs.transfer_us),
        read: Figure::micros(big.costs.read_us),
        del: Figure::micros(big.costs.del_us),
        migrate: Figure::micros(big.costs.migrate_us),
        is_slow: big.costs.migrate_us / 1000 > MIGRATE_TIMEOUT_MS,
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
