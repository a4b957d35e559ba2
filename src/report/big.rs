//! The big keys: the gravest of them judged, and told as findings.

use crate::analyze::big::{BigKey, BigKeys, Judgement};
use crate::analyze::summary::{Finding, FindingKind, TypeRow};
use crate::analyze::thresholds::{Crossed, Measure, Severity};
use crate::analyze::top::TopKeys;
use crate::memory::Server;
use crate::record::ValueType;
use crate::units;

/// Big keys that get findings of their own; the rest is counted in one.
const FINDINGS: usize = 10;

/// The big keys of a run; `dumps` are the names of the dumps, and their servers.
pub(super) fn big_keys(
    gravest: TopKeys,
    types: &[TypeRow],
    judgement: &Judgement<'_>,
    dumps: &[(String, Server)],
) -> BigKeys {
    let keys = gravest.into_sorted();
    let big = keys.iter().filter_map(|key| {
        let (node, server) = dumps.get(key.dump)?;
        judgement.big_key(key, node, *server)
    });
    BigKeys {
        total: types.iter().map(|row| row.big_keys).sum(),
        critical: types.iter().map(|row| row.critical_keys).sum(),
        keys: big.collect(),
        cost_model: *judgement.costs,
    }
}

/// Findings for each of the gravest, and one for all others.
pub(super) fn findings(big_keys: &BigKeys) -> impl Iterator<Item = Finding> {
    let each = big_keys.keys.iter().take(FINDINGS).enumerate().flat_map(|(number, big)| of_key(number, big));
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

/// What is to be said of a key: that it is big by its memory or its elements, and that an element is.
fn of_key(number: usize, big: &BigKey) -> impl Iterator<Item = Finding> {
    let (huge, whole): (Vec<Crossed>, Vec<Crossed>) =
        big.crossed.iter().copied().partition(|crossed| crossed.measure == Measure::LargestElement);
    let severity = whole.iter().map(|crossed| crossed.severity).max();
    let whole = severity.map(|severity| big_key(number, big, severity, &whole));
    whole.into_iter().chain(huge.first().map(|crossed| huge_element(number, big, crossed)))
}

fn big_key(number: usize, big: &BigKey, severity: Severity, crossed: &[Crossed]) -> Finding {
    let key = &big.key;
    let elements = match (key.value_type, key.num_elements) {
        (ValueType::String, _) | (_, None) => String::new(),
        (value_type, Some(elements)) => format!(" of {} {}", units::count(elements), element_noun(value_type)),
    };
    let pieces = big.pieces.map_or(String::new(), |n| format!(" In {} pieces it would not be big.", units::count(n)));
    let by = crossed.iter().enumerate().map(|(at, crossed)| {
        let threshold = if at == 0 { " the warning threshold" } else { "" };
        format!("{}{threshold} by {}", over(crossed), crossed.measure.as_str())
    });
    let by: Vec<String> = by.collect();
    Finding {
        severity,
        kind: FindingKind::BigKey,
        text: format!(
            "{} is a {}{elements}, {}, on {}: {}",
            crate::error::quoted(&key.key),
            key.value_type,
            units::bytes(key.footprint_bytes.unwrap_or(0)),
            key.node,
            by.join(", ")
        ),
        advice: format!("{}{pieces}", remedy(big)),
        big_key: Some(number),
    }
}

fn huge_element(number: usize, big: &BigKey, crossed: &Crossed) -> Finding {
    let key = &big.key;
    Finding {
        severity: crossed.severity,
        kind: FindingKind::HugeElement,
        text: format!(
            "{}, a {} on {}, has an element of {}: {} the warning threshold",
            crate::error::quoted(&key.key),
            key.value_type,
            key.node,
            units::bytes(key.len_largest_element.unwrap_or(0)),
            over(crossed)
        ),
        advice: "An element goes through the server in one piece, and no split of the key makes it smaller. Compress it, cut \
                 it, or keep it elsewhere and a pointer here."
            .to_owned(),
        big_key: Some(number),
    }
}

fn over(crossed: &Crossed) -> String {
    units::ratio(crossed.percent_of_warning as f64 / 100.0)
}

fn element_noun(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Hash => "fields",
        ValueType::Set | ValueType::Zset => "members",
        ValueType::Stream => "entries",
        _ => "elements",
    }
}

/// What helps against a big key, in a few words; its runbook has more.
fn remedy(big: &BigKey) -> &'static str {
    match big.key.value_type {
        ValueType::String if big.compression.is_some_and(|measured| !measured.is_worthwhile) => {
            "It does not compress: move it to object storage and keep a pointer."
        }
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
