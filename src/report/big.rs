//! The big keys: gathered from the lists of the largest, and told as findings.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::analyze::big::{BigKey, BigKeys, Severity};
use crate::analyze::cost::COST_MODEL;
use crate::analyze::summary::{Finding, FindingKind, Summary};
use crate::record::ValueType;
use crate::units;

/// Big keys that the summary has.
const BIG_KEYS: usize = 50;
/// Big keys that get a finding each; the rest is counted in one.
const FINDINGS: usize = 10;

/// The big keys of a summary whose lists are there already.
pub(super) fn big_keys(summary: &Summary) -> BigKeys {
    let lists = [&summary.biggest, &summary.longest];
    let listed = lists.into_iter().chain(summary.biggest_of_type.iter().map(|list| &list.keys)).flatten();
    let mut seen = BTreeSet::new();
    let mut keys: Vec<BigKey> = listed
        .filter(|key| seen.insert((&key.node, key.database, &key.key)))
        .filter_map(|key| summary.big_thresholds.big_key(key))
        .collect();
    keys.sort_by_key(|big| {
        let BigKey { severity, percent_of_warning, key, .. } = big;
        (Reverse((*severity, *percent_of_warning)), key.node.clone(), key.database, key.key.clone())
    });
    keys.truncate(BIG_KEYS);
    BigKeys {
        total: summary.types.iter().map(|row| row.big_keys).sum(),
        critical: summary.types.iter().map(|row| row.critical_keys).sum(),
        keys,
        cost_model: COST_MODEL,
    }
}

/// A finding for each of the gravest, and one for all others.
pub(super) fn findings(big_keys: &BigKeys) -> impl Iterator<Item = Finding> {
    let each = big_keys.keys.iter().take(FINDINGS).enumerate().map(|(number, big)| finding(number, big));
    let more = big_keys.total.saturating_sub(big_keys.keys.len().min(FINDINGS) as u64);
    let rest = (more > 0).then(|| Finding {
        severity: Severity::Warning,
        kind: FindingKind::BigKey,
        text: format!("{} more keys are big", units::count(more)),
        advice: "The tables of the biggest keys and of the patterns show which.".to_owned(),
        big_key: None,
    });
    each.chain(rest)
}

fn finding(number: usize, big: &BigKey) -> Finding {
    let key = &big.key;
    let elements = match (key.value_type, key.num_elements) {
        (ValueType::String, _) | (_, None) => String::new(),
        (value_type, Some(elements)) => format!(" of {} {}", units::count(elements), element_noun(value_type)),
    };
    let pieces = big.pieces.map_or(String::new(), |n| format!(" In {} pieces it would not be big.", units::count(n)));
    Finding {
        severity: big.severity,
        kind: FindingKind::BigKey,
        text: format!(
            "{} is a {}{elements}, {}, on {}: {} the warning threshold",
            crate::error::quoted(&key.key),
            key.value_type,
            units::bytes(key.footprint_bytes.unwrap_or(0)),
            key.node,
            units::ratio(big.percent_of_warning as f64 / 100.0)
        ),
        advice: format!("{}{pieces}", remedy(key.value_type)),
        big_key: Some(number),
    }
}

fn element_noun(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Hash => "fields",
        ValueType::Set | ValueType::Zset => "members",
        ValueType::Stream => "entries",
        _ => "elements",
    }
}

/// What helps against a big key of a type, in a few words; its runbook has more.
fn remedy(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::String => "Compress it in the client or move it to object storage and keep a pointer.",
        ValueType::List => {
            "Split it into batches (name:0, name:1, ...) or bound it with LTRIM. Read it by LRANGE windows, not 0 -1; delete it with UNLINK."
        }
        ValueType::Set => "Split it by a hash of the member. Read it with SSCAN, not SMEMBERS; delete it with UNLINK.",
        ValueType::Zset => {
            "Split it by time window or bound it with ZREMRANGEBYRANK. Read it with ZSCAN or by ranges; delete it with UNLINK."
        }
        ValueType::Hash => {
            "Split it by purpose or by a hash of the field. Read it with HSCAN or HMGET, not HGETALL; delete it with UNLINK."
        }
        ValueType::Stream => "Bound it with XTRIM or XADD MAXLEN, and acknowledge what is read. Delete it with UNLINK.",
        ValueType::Module(_) => "Ask the module's documentation how to split or bound it. Delete it with UNLINK.",
    }
}
