//! Keys that never expire, where others of the same pattern do: most often one code path forgot to.

use crate::analyze::summary::{Finding, FindingKind, PatternRow, Summary};
use crate::analyze::thresholds::Severity;
use crate::units::{bytes, count, percent};

/// Findings at most.
const FINDINGS: usize = 5;
/// Permanent memory that is worth a finding, in bytes.
const LEAST_BYTES: u64 = 1 << 20;
/// The part of a pattern's keys that has to expire for its keys to be meant to, and the part that has to stay.
const ONE_IN: u64 = 20;

fn is_mixed(row: &PatternRow) -> bool {
    let expiring = row.keys.saturating_sub(row.persistent_keys);
    row.persistent_bytes >= LEAST_BYTES
        && expiring >= row.keys.div_ceil(ONE_IN)
        && row.persistent_keys >= row.keys.div_ceil(ONE_IN)
}

/// A finding for each of the patterns that most memory stays of.
pub(super) fn findings(summary: &Summary) -> impl Iterator<Item = Finding> {
    let mut rows: Vec<&PatternRow> = summary.patterns.iter().filter(|row| is_mixed(row)).collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.persistent_bytes), &row.pattern));
    rows.into_iter().take(FINDINGS).map(|row| Finding {
        severity: Severity::Warning,
        kind: FindingKind::NoExpiry,
        text: format!(
            "{} of {} keys of {} never expire ({}, {}), though the others do",
            count(row.persistent_keys),
            count(row.keys),
            crate::error::quoted(&row.pattern),
            bytes(row.persistent_bytes),
            percent(row.persistent_bytes, row.footprint_bytes)
        ),
        advice: "Find the code path that writes them without a time to live: SET without EX or KEEPTTL drops the one there was. \
                 Set one on those that are there."
            .to_owned(),
        big_key: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mixed_patterns_are_told() {
        let row = |keys, persistent_keys, persistent_bytes| PatternRow {
            pattern: "session:*".to_owned(),
            regex: None,
            keys,
            footprint_bytes: 2 * persistent_bytes,
            serialized_bytes: 0,
            elements: 0,
            largest_bytes: 0,
            persistent_keys,
            persistent_bytes,
            expired_keys: 0,
            expired_bytes: 0,
            types: Vec::new(),
        };
        assert!(is_mixed(&row(100, 5, LEAST_BYTES)) && is_mixed(&row(100, 95, LEAST_BYTES)));
        assert!(!is_mixed(&row(100, 4, LEAST_BYTES)) && !is_mixed(&row(100, 96, LEAST_BYTES)));
        assert!(!is_mixed(&row(100, 50, LEAST_BYTES - 1)) && !is_mixed(&row(100, 100, LEAST_BYTES)));
    }
}
