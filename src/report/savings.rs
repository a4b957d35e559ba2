//! What would save memory: settings that values just exceed, other forms of values, small strings in hashes.

use crate::analyze::Aggregate;
use crate::analyze::savings::{Form, FormRow, Saved, SavingsRow, SettingRow, SmallStringsRow};
use crate::analyze::summary::{Finding, FindingKind, PatternRow, Summary};
use crate::analyze::thresholds::Severity;
use crate::memory::{KeyFacts, Meter, Model, Setting};
use crate::rdb::{RdbStr, TypeByte};
use crate::record::{Encoding, ValueType};
use crate::units;
use crate::value::Visit;

/// Fields of a hash that small strings are put into: half of the least default of a setting that packs them.
const FIELDS_PER_HASH: u64 = 64;
/// Strings are small up to so many bytes on average, if the largest takes no more than so much with its key.
const SMALL_VALUE: u64 = 64;
const SMALL_KEY: u64 = 512;
/// Fewer keys are not worth a change of the program that uses them.
const MANY_KEYS: u64 = 1000;
/// Patterns that are listed.
const PATTERNS: usize = 10;
/// Bytes of a record beside name and value: its type and the lengths of both.
const RECORD_HEAD: u64 = 3;
/// Bytes of the key tables that a hash takes, about.
const TABLE_SHARE: u64 = 16;
/// A saving is told from so many per cent of all memory on, and so many bytes.
const TOLD_PERCENT: u64 = 2;
const TOLD_BYTES: u64 = 1 << 20;

/// The rows for all keys, on the server of `model`; `patterns` are those of the summary.
pub(super) fn savings_row(sum: &Aggregate, patterns: &[PatternRow], model: &Model) -> SavingsRow {
    let settings = Setting::ALL.into_iter().map(|setting| {
        let [within_twice, beyond] = sum.savings.settings[setting as usize];
        let mut within_four_times = within_twice;
        within_four_times.merge(&beyond);
        SettingRow {
            setting: setting.name(model.has_listpacks()),
            value: setting.value(&model.options().thresholds),
            within_twice,
            within_four_times,
        }
    });
    let forms = [
        (Form::CompressibleStrings, compressible(sum)),
        (Form::MixedIntegerSets, sum.savings.few_others),
        (Form::PlainNumbers, sum.savings.plain_numbers),
    ];
    let mut small_strings: Vec<SmallStringsRow> =
        patterns.iter().filter_map(|pattern| small_strings(pattern, model)).collect();
    small_strings.sort_by(|a, b| (b.saved.saved_bytes, &a.pattern).cmp(&(a.saved.saved_bytes, &b.pattern)));
    small_strings.truncate(PATTERNS);
    SavingsRow {
        settings: settings.filter(|row| row.within_four_times.keys > 0).collect(),
        forms: forms
            .into_iter()
            .filter(|(_, saved)| saved.saved_bytes > 0)
            .map(|(form, saved)| FormRow { form, saved })
            .collect(),
        small_strings,
        fields_per_hash: FIELDS_PER_HASH,
    }
}

/// Strings that are no integers and too long for their object: a record that is shorter than its value was compressed. The
/// record has the name as well, so that the client would save more.
fn compressible(sum: &Aggregate) -> Saved {
    let raw = sum
        .groups()
        .filter(|(value_type, encoding, _)| *value_type == ValueType::String && *encoding == Some(Encoding::Raw));
    raw.fold(Saved::default(), |mut saved, (_, _, group)| {
        saved.merge(&Saved {
            keys: group.totals.keys,
            footprint_bytes: group.totals.footprint_bytes,
            saved_bytes: group.totals.elements.saturating_sub(group.totals.serialized_bytes),
        });
        saved
    })
}

/// What the strings of a pattern would take as fields of hashes, if they are small, many and never expire.
fn small_strings(pattern: &PatternRow, model: &Model) -> Option<SmallStringsRow> {
    let keys = pattern.keys;
    let value_bytes = pattern.elements.checked_div(keys)?;
    let thresholds = &model.options().thresholds;
    let fits = pattern.regex.is_none()
        && pattern.types == ["string"]
        && pattern.persistent_keys == keys
        && keys >= MANY_KEYS
        && value_bytes <= SMALL_VALUE.min(thresholds.hash_max_listpack_value)
        && pattern.largest_bytes <= SMALL_KEY
        && thresholds.hash_max_listpack_entries >= 2 * FIELDS_PER_HASH;
    if !fits {
        return None;
    }
    // What all names have in common is the name of the hash, and the rest the field.
    let common = pattern.pattern.chars().filter(|c| *c != '*').count() as u64;
    let name = (pattern.serialized_bytes / keys).saturating_sub(value_bytes + RECORD_HEAD);
    let field = name.saturating_sub(common).max(digits(keys));
    let hash = hash_bytes(model, common + digits(keys / FIELDS_PER_HASH), field, value_bytes);
    let saved_bytes = pattern.footprint_bytes.checked_sub(keys.div_ceil(FIELDS_PER_HASH).saturating_mul(hash))?;
    Some(SmallStringsRow {
        pattern: pattern.pattern.clone(),
        value_bytes,
        key_footprint_bytes: pattern.footprint_bytes / keys,
        saved: Saved { keys, footprint_bytes: pattern.footprint_bytes, saved_bytes },
    })
    .filter(|row| row.saved.saved_bytes > 0)
}

/// Decimal digits of a number.
fn digits(n: u64) -> u64 {
    u64::from(n.checked_ilog10().unwrap_or(0)) + 1
}

/// What a hash takes with its key.
fn hash_bytes(model: &Model, key_len: u64, field_len: u64, value_len: u64) -> u64 {
    let text = [b'x'; (SMALL_KEY + SMALL_VALUE) as usize];
    let text = |len: u64| RdbStr::Raw(&text[..text.len().min(len as usize)]);
    let mut meter = Meter::new(model);
    meter.begin();
    let mut hash = meter.typed(ValueType::Hash, TypeByte::HASH);
    hash.collection(FIELDS_PER_HASH);
    for _ in 0..FIELDS_PER_HASH {
        hash.field(text(field_len));
        hash.field_value(text(value_len));
        hash.field_expiry(None);
    }
    let key = KeyFacts { key_len, expires: false, evicts: false, metadata_classes: 0 };
    meter.finish(ValueType::Hash, TypeByte::HASH, &key, 0).real_bytes + TABLE_SHARE
}

/// The savings that are worth acting on, told as findings.
pub(super) fn findings(summary: &Summary) -> Vec<Finding> {
    let savings = &summary.savings;
    let total = summary.totals.footprint_bytes;
    let mut findings = Vec::new();
    let mut add = |saved: &Saved, text: String, advice: &str| {
        if saved.saved_bytes >= TOLD_BYTES.max(total / 100 * TOLD_PERCENT) {
            findings.push(Finding {
                severity: Severity::Info,
                kind: FindingKind::Savings,
                text: format!(
                    "{text} {} ({} of all)",
                    units::bytes(saved.saved_bytes),
                    units::percent(saved.saved_bytes, total)
                ),
                advice: advice.to_owned(),
                big_key: None,
            });
        }
    };
    let mut small = Saved::default();
    savings.small_strings.iter().for_each(|row| small.merge(&row.saved));
    if let (Some(largest), Some(average)) =
        (savings.small_strings.first(), small.footprint_bytes.checked_div(small.keys))
    {
        add(
            &small,
            format!(
                "{} small strings that never expire cost {} each, most of them {}: as fields of hashes they would take less by",
                units::count(small.keys),
                units::bytes(average),
                crate::error::quoted(&largest.pattern)
            ),
            "Put them into hashes of some 64 fields each, by a part of the id: a packed field costs a few bytes more than its text.",
        );
    }
    for row in &savings.settings {
        add(
            &row.within_twice,
            format!(
                "{} values are not packed because they are above {} {} by less than twice; packed they would take less by",
                units::count(row.within_twice.keys),
                row.setting,
                row.value
            ),
            "Raise the setting, within reason: commands on packed values go through them from the start. It takes effect as values are written, or the dump is loaded, anew.",
        );
    }
    for row in &savings.forms {
        let (what, advice) = match row.form {
            Form::CompressibleStrings => (
                "strings of more than 44 bytes were compressed for the dump; compressed by the client they would take less by at least",
                "Compress them in the client, or keep them in a shorter form than text.",
            ),
            Form::MixedIntegerSets => (
                "sets of integers are no intsets because of a few other members; without those they would take less by",
                "Keep the other members in a set of their own.",
            ),
            Form::PlainNumbers => (
                "strings are numbers with leading zeros, signs, spaces or decimals; as integers they would take less by",
                "Where the form does not matter, write plain integers: cents for amounts, say.",
            ),
        };
        add(&row.saved, format!("{} {what}", units::count(row.saved.keys)), advice);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Allocator, ModelOptions, Server, Thresholds};

    fn model() -> Model {
        Model::new(ModelOptions {
            server: Server::redis("7.2.4").unwrap(),
            allocator: Allocator::Jemalloc,
            cluster: false,
            thresholds: Thresholds::default(),
        })
    }

    fn counters() -> PatternRow {
        PatternRow {
            pattern: "counter:*".to_owned(),
            regex: None,
            keys: 100_000,
            footprint_bytes: 9_000_000,
            serialized_bytes: 100_000 * (3 + 15 + 6),
            elements: 600_000,
            largest_bytes: 96,
            persistent_keys: 100_000,
            persistent_bytes: 9_000_000,
            expired_keys: 0,
            expired_bytes: 0,
            types: vec!["string"],
        }
    }

    #[test]
    fn small_strings_are_cheaper_as_fields() {
        let row = small_strings(&counters(), &model()).unwrap();
        assert_eq!((row.value_bytes, row.key_footprint_bytes), (6, 90));
        // A field of 7 and a value of 6 with their heads take 17 bytes, and 1/64 of what stands around them.
        let each = (row.saved.footprint_bytes - row.saved.saved_bytes) / 100_000;
        assert!((17..=22).contains(&each), "{each}");
    }

    #[test]
    fn only_many_small_strings_that_never_expire() {
        let fits = |change: fn(&mut PatternRow)| {
            let mut row = counters();
            change(&mut row);
            small_strings(&row, &model()).is_some()
        };
        assert!(fits(|_| {}));
        assert!(!fits(|row| row.keys = MANY_KEYS - 1));
        assert!(!fits(|row| row.keys = 0));
        assert!(!fits(|row| row.persistent_keys -= 1));
        assert!(!fits(|row| row.types.push("hash")));
        assert!(!fits(|row| row.largest_bytes = SMALL_KEY + 1));
        assert!(!fits(|row| row.elements = row.keys * (SMALL_VALUE + 1)));
        assert!(!fits(|row| row.footprint_bytes = row.keys * 10));
    }
}
