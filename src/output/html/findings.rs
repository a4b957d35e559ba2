//! What is worth acting on, with links to where the page says more.

use super::big::{RUNBOOKS, row_id, runbook_id};
use crate::analyze::summary::{Finding, FindingKind};

pub(super) struct FindingView<'s> {
    pub(super) severity: &'static str,
    pub(super) kind: &'static str,
    pub(super) section: &'static str,
    pub(super) finding: &'s Finding,
    /// The row of the big key that it is about, and the runbook for it.
    pub(super) row: String,
    pub(super) runbook: String,
}

pub(super) fn finding_view(finding: &Finding) -> FindingView<'_> {
    let (kind, section) = match finding.kind {
        FindingKind::DumpUnread => ("unread dump", "read"),
        FindingKind::DumpDamaged => ("damaged dump", "read"),
        FindingKind::ValuesDamaged => ("damaged values", "read"),
        FindingKind::BigKey => ("big keys", "big"),
        FindingKind::HugeElement => ("huge element", "big"),
        FindingKind::NodeImbalance => ("imbalance", "nodes"),
        FindingKind::HotNode => ("hot keys", "heat"),
        FindingKind::SlotConcentration => ("heavy slot", "slots"),
        FindingKind::MissingMaster => ("missing master", "slots"),
        FindingKind::UncoveredSlots => ("uncovered slots", "slots"),
        FindingKind::MisplacedKeys => ("misplaced keys", "slots"),
        FindingKind::ReplicaDump => ("replica", "read"),
        FindingKind::UnmatchedDump => ("unmatched dump", "read"),
        FindingKind::ExpiredKeys => ("expired keys", "expiry"),
        FindingKind::NoExpiry => ("no expiry", "expiry"),
        FindingKind::HotKey => ("hot keys", "heat"),
        FindingKind::HotAndBig => ("hot keys", "heat"),
        FindingKind::ColdMemory => ("cold memory", "heat"),
        FindingKind::Savings => ("savings", "types"),
        FindingKind::Incomparable => ("mixed servers", "how"),
    };
    FindingView {
        severity: finding.severity.as_str(),
        kind,
        section,
        finding,
        row: finding.big_key.map_or(String::new(), row_id),
        runbook: finding.big_key.filter(|number| *number < RUNBOOKS).map_or(String::new(), runbook_id),
    }
}
