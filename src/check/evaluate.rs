//! The rules against what was gathered.

use std::collections::BTreeSet;

use jiff::Timestamp;
use toml::Spanned;

use super::baseline::Baseline;
use super::keys::{KeySums, NAMED_KEYS, size_of};
use super::rule::Rule;
use super::rules::{Bytes, Ignore, Level, Rules};
use super::{CheckReport, DumpVerdict, Finding, Ignored, NotChecked, SCHEMA, Subject};
use crate::analyze::integrity::RepeatedKey;
use crate::analyze::summary::{DumpRole, DumpRow, NodeRow, Summary};
use crate::analyze::{TopKey, TopKeys};
use crate::error::quoted;
use crate::escape::Escape;
use crate::rdb::Fault;
use crate::units::{bytes, count, duration_ms, percent, ratio};

/// How far the clocks of servers and of the check may be apart.
const CLOCKS_APART_MS: i64 = 3_600_000;

/// What a check goes by.
#[derive(Debug)]
pub struct Evidence<'e> {
    /// The rules, with the ignores that hold.
    pub rules: &'e Rules,
    /// The ignores that do not hold any more.
    pub expired_ignores: &'e [Ignore],
    /// What the rules ask of single keys; of the dumps that count.
    pub keys: KeySums,
    /// Everything else.
    pub summary: Summary,
    /// What is wrong with each dump as a whole.
    pub in_depth: Vec<InDepth>,
    /// The summary to compare with.
    pub baseline: Option<&'e Baseline>,
    /// The time that ages are measured by.
    pub now: Timestamp,
    /// What the run is to fail on; none if on nothing but dumps that are not whole.
    pub fail_on: Option<Level>,
    /// Whether every dump could be read and is whole: no rule and no ignore can say otherwise.
    pub is_whole: bool,
}

/// What is wrong with a dump as a whole, beside its keys' values; found in depth only.
#[derive(Debug, Default)]
pub struct InDepth {
    /// Keys that are there twice.
    pub repeated_keys: u64,
    /// The first of them.
    pub repeats: Vec<RepeatedKey>,
    /// AUX fields and function libraries that a server would refuse.
    pub item_faults: Vec<Fault>,
}

impl InDepth {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.repeated_keys == 0 && self.item_faults.is_empty()
    }
}

/// Collects findings.
#[derive(Default)]
pub(super) struct Findings {
    found: Vec<Finding>,
    not_checked: Vec<NotChecked>,
}

impl Findings {
    pub(super) fn add(&mut self, level: Level, rule: Rule, subject: Subject, text: String) {
        self.found.push(Finding { level, rule, subject, text, advice: rule.about().remedy });
    }

    pub(super) fn not_checked(&mut self, rule: Rule, why: impl Into<String>) {
        let entry = NotChecked { rule, why: why.into() };
        if !self.not_checked.contains(&entry) {
            self.not_checked.push(entry);
        }
    }
}

/// Checks the rules.
pub fn check(evidence: Evidence<'_>) -> CheckReport {
    let Evidence { rules, expired_ignores, keys, summary, in_depth, baseline, now, fail_on, is_whole } = evidence;
    let mut findings = Findings::default();
    for dump in &summary.dumps {
        integrity(dump, rules, &mut findings);
        age(dump, rules, now, &mut findings);
        origin(dump, rules, &mut findings);
    }
    for (dump, in_depth) in summary.dumps.iter().zip(&in_depth) {
        depth(dump, in_depth, &mut findings);
    }
    cluster(&summary, rules, &mut findings);
    let ignored_keys = keys.ignored.clone();
    keys_findings(keys, rules, &summary, &mut findings);
    nodes(&summary, rules, &mut findings);
    expired(&summary, rules, &mut findings);
    super::baseline::compare(&summary, baseline, rules, &mut findings);
    for ignore in expired_ignores {
        let of = ignore.glob.as_ref().map_or(String::new(), |glob| format!(" of {}", quoted(&glob.text)));
        let text = format!("the ignore of {}{of} ended on {}: {}", ignore.rule, ignore.until.0, ignore.reason);
        findings.add(Level::Warning, Rule::ExpiredIgnore, Subject::default(), text);
    }
    let Findings { found, not_checked } = findings;
    let (mut ignored, mut found) = split_ignored(found, rules);
    for (ignore, keys) in rules.ignore.iter().map(Spanned::as_ref).zip(ignored_keys).filter(|(_, keys)| *keys > 0) {
        ignored.push(ignored_keys_of(ignore, keys));
    }
    found.sort_by(|one, other| (other.level, one.rule).cmp(&(one.level, other.rule)));
    CheckReport {
        schema: SCHEMA,
        rdbscope: env!("CARGO_PKG_VERSION"),
        passed: is_whole && fail_on.is_none_or(|level| found.iter().all(|finding| finding.level < level)),
        fail_on,
        checked_at: format!("{now:.0}"),
        dumps: summary.dumps.iter().zip(&in_depth).map(|(dump, in_depth)| checked_dump(dump, in_depth)).collect(),
        keys: summary.totals.keys,
        footprint_bytes: summary.totals.footprint_bytes,
        findings: found,
        ignored,
        not_checked,
        summary: Some(Box::new(summary)),
    }
}

fn checked_dump(dump: &DumpRow, in_depth: &InDepth) -> DumpVerdict {
    DumpVerdict {
        name: dump.name.clone(),
        path: dump.path.clone(),
        whole: dump.complete && in_depth.is_sound(),
        checksum: dump.checksum,
        keys: dump.totals.keys,
        rdb_bytes: dump.rdb_bytes,
        saved_at: dump.saved_at.clone(),
    }
}

/// Those that an ignore lets pass, and the others.
fn split_ignored(found: Vec<Finding>, rules: &Rules) -> (Vec<Ignored>, Vec<Finding>) {
    let mut ignored = Vec::new();
    let mut rest = Vec::new();
    for finding in found {
        let means = |ignore: &&Ignore| {
            ignore.rule == finding.rule
                && ignore
                    .glob
                    .as_ref()
                    .is_none_or(|glob| finding.subject.names().any(|name| glob.matches(name.as_bytes())))
        };
        match rules.ignore.iter().map(Spanned::as_ref).find(means) {
            Some(ignore) => {
                ignored.push(Ignored { finding, reason: ignore.reason.clone(), until: ignore.until.0.to_string() })
            }
            None => rest.push(finding),
        }
    }
    (ignored, rest)
}

/// The keys that an ignore let pass while the dumps were read.
fn ignored_keys_of(ignore: &Ignore, keys: u64) -> Ignored {
    let pattern = ignore.glob.as_ref().map(|glob| glob.text.clone());
    let text = format!("{} {} would break this rule", count(keys), if keys == 1 { "key" } else { "keys" });
    Ignored {
        finding: Finding {
            level: Level::Warning,
            rule: ignore.rule,
            subject: Subject { pattern, ..Subject::default() },
            text,
            advice: ignore.rule.about().remedy,
        },
        reason: ignore.reason.clone(),
        until: ignore.until.0.to_string(),
    }
}

fn of_dump(dump: &DumpRow) -> Subject {
    Subject { path: Some(dump.path.clone()), node: Some(dump.name.clone()), ..Subject::default() }
}

/// Whether a dump is whole.
fn integrity(dump: &DumpRow, rules: &Rules, findings: &mut Findings) {
    if let Some(error) = &dump.error {
        let subject = Subject { at_byte: dump.error_at_byte, ..of_dump(dump) };
        if dump.role == DumpRole::Unread {
            findings.add(Level::Error, Rule::Unreadable, subject, error.clone());
        } else {
            let text = format!("{error}; {} keys were read up to there", count(dump.totals.keys));
            findings.add(Level::Error, Rule::DamagedDump, subject, text);
        }
    }
    for damage in &dump.damages {
        let subject = Subject { at_byte: Some(damage.at_byte), key: Some(damage.key.clone()), ..of_dump(dump) };
        let text = format!("{}: {} at byte {}", quoted(&damage.key), damage.what, damage.at_byte);
        findings.add(Level::Error, Rule::BrokenValues, subject, text);
    }
    let more = dump.damaged_keys.saturating_sub(dump.damages.len() as u64);
    if more > 0 {
        let text = format!("{} more values are broken", count(more));
        findings.add(Level::Error, Rule::BrokenValues, of_dump(dump), text);
    }
    if dump.checksum == "off"
        && let Some(level) = rules.no_checksum.level.level()
    {
        let text = "was written without a checksum (rdbchecksum no): damage may go unseen".to_owned();
        findings.add(level, Rule::NoChecksum, of_dump(dump), text);
    }
    if let Some(trailing) = dump.trailing_bytes.filter(|bytes| *bytes > 0)
        && let Some(level) = rules.trailing_bytes.level.level()
    {
        findings.add(level, Rule::TrailingBytes, of_dump(dump), format!("{} bytes follow its end", count(trailing)));
    }
}

/// What is wrong with a dump as a whole.
fn depth(dump: &DumpRow, in_depth: &InDepth, findings: &mut Findings) {
    for fault in &in_depth.item_faults {
        let subject = Subject { at_byte: Some(fault.at), ..of_dump(dump) };
        findings.add(Level::Error, Rule::DamagedDump, subject, format!("{} at byte {}", fault.kind, fault.at));
    }
    for repeat in in_depth.repeats.iter().take(NAMED_KEYS) {
        let key = repeat.key.as_deref().map(|key| Escape::Utf8.text(key));
        let name = key.as_deref().map_or_else(|| "a key".to_owned(), quoted);
        let text = format!("{name} at byte {} is there already, at byte {}", repeat.record_at, repeat.first_at);
        let subject = Subject { key, at_byte: Some(repeat.record_at), ..of_dump(dump) };
        findings.add(Level::Error, Rule::RepeatedKeys, subject, text);
    }
    let more = in_depth.repeated_keys.saturating_sub(NAMED_KEYS as u64);
    if more > 0 {
        let text = format!("{} more keys are there twice", count(more));
        findings.add(Level::Error, Rule::RepeatedKeys, of_dump(dump), text);
    }
}

fn age(dump: &DumpRow, rules: &Rules, now: Timestamp, findings: &mut Findings) {
    let limits = rules.dump_age.hours;
    if limits.lowest().is_none() || dump.role == DumpRole::Unread {
        return;
    }
    let saved: Option<Timestamp> = dump.saved_at.as_deref().and_then(|time| time.parse().ok());
    let Some(saved) = saved else {
        findings.not_checked(Rule::DumpAge, format!("{} does not say when it was saved", dump.name));
        return;
    };
    let age_ms = now.as_millisecond() - saved.as_millisecond();
    if age_ms < -CLOCKS_APART_MS {
        let text = format!("was saved {} from now: a clock is wrong", duration_ms(age_ms.unsigned_abs()));
        findings.add(Level::Warning, Rule::DumpAge, of_dump(dump), text);
        return;
    }
    if let Some((level, limit)) = limits.broken(age_ms as f64 / 3_600_000.0) {
        let old = duration_ms(age_ms.unsigned_abs());
        let text = format!("was saved {old} ago; {limit} hours are allowed");
        findings.add(level, Rule::DumpAge, of_dump(dump), text);
    }
}

/// Which server wrote a dump, with which modules.
fn origin(dump: &DumpRow, rules: &Rules, findings: &mut Findings) {
    if dump.role == DumpRole::Unread {
        return;
    }
    if let Some(rule) = &rules.server {
        let writer = dump.written_by.as_deref().map(|writer| writer.replace(' ', "-"));
        match writer {
            None => findings.not_checked(Rule::Server, format!("{} does not say who wrote it", dump.name)),
            Some(writer) if !rule.allowed.iter().any(|allowed| is_version_of(&writer, allowed)) => {
                let text = format!("was written by {writer}; allowed: {}", rule.allowed.join(", "));
                findings.add(rule.level, Rule::Server, of_dump(dump), text);
            }
            Some(_) => {}
        }
    }
    if let Some(rule) = &rules.module {
        for module in dump.modules.iter().filter(|module| !rule.allowed.contains(module)) {
            let subject = Subject { module: Some(module.clone()), ..of_dump(dump) };
            findings.add(rule.level, Rule::Module, subject, format!("has data of the module {module}"));
        }
    }
}

/// Whether a version begins like another, number by number: `redis-7.2.4` is of `redis-7`, not of `redis-7.20`.
fn is_version_of(version: &str, start: &str) -> bool {
    version.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn cluster(summary: &Summary, rules: &Rules, findings: &mut Findings) {
    if let Some(rule) = &rules.module {
        let dumps: BTreeSet<&str> = summary.dumps.iter().flat_map(|dump| &dump.modules).map(String::as_str).collect();
        for row in &summary.types {
            let name = row.value_type.as_str();
            let is_module = matches!(row.value_type, crate::record::ValueType::Module(_));
            if is_module && !dumps.contains(name) && !rule.allowed.iter().any(|allowed| allowed == name) {
                let subject = Subject { module: Some(name.to_owned()), ..Subject::default() };
                let text = format!("{} keys are of the module type {name}", count(row.totals.keys));
                findings.add(rule.level, Rule::Module, subject, text);
            }
        }
    }
    let Some(cluster) = &summary.cluster else {
        return;
    };
    if let Some(level) = rules.missing_master.level.level() {
        for master in &cluster.missing_masters {
            let text = format!(
                "no dump of master {} ({}), which owns {} slots: {}",
                master.address,
                master.id.get(..8).unwrap_or(&master.id),
                count(master.slots_count),
                master.slots
            );
            let subject = Subject { node: Some(master.address.clone()), ..Subject::default() };
            findings.add(level, Rule::MissingMaster, subject, text);
        }
    }
    // Those of a missing master have an owner.
    if let Some(level) = rules.uncovered_slots.level.level()
        && cluster.uncovered_count > 0
        && cluster.missing_masters.is_empty()
    {
        let text = format!("{} slots have no owner: {}", count(cluster.uncovered_count), cluster.uncovered);
        findings.add(level, Rule::UncoveredSlots, Subject::default(), text);
    }
    if let Some(level) = rules.misplaced_keys.level.level() {
        if cluster.misplaced_keys > 0 {
            let example = cluster.misplaced_examples.first();
            let text = format!(
                "{} keys lie on a node that does not own their slot (slots {}){}",
                count(cluster.misplaced_keys),
                cluster.misplaced_slots,
                example.map_or(String::new(), |key| format!("; for example {} on {}", quoted(&key.key), key.node))
            );
            let subject = Subject {
                key: example.map(|key| key.key.clone()),
                node: example.map(|key| key.node.clone()),
                ..Subject::default()
            };
            findings.add(level, Rule::MisplacedKeys, subject, text);
        }
        if cluster.shared_count > 0 {
            let text =
                format!("{} slots have keys in more than one dump: {}", count(cluster.shared_count), cluster.shared);
            findings.add(level, Rule::MisplacedKeys, Subject::default(), text);
        }
    }
}

fn keys_findings(keys: KeySums, rules: &Rules, summary: &Summary, findings: &mut Findings) {
    let of_key = |key: &TopKey| {
        let node = summary.dumps.get(key.dump).map(|dump| (dump.name.clone(), dump.path.clone()));
        Subject {
            key: Some(Escape::Utf8.text(&key.key)),
            slot: Some(key.slot),
            node: node.as_ref().map(|(name, _)| name.clone()),
            path: node.map(|(_, path)| path),
            ..Subject::default()
        }
    };
    let on = |subject: &Subject| subject.node.clone().unwrap_or_default();
    for (rule, sums) in rules.big_key.iter().zip(keys.big) {
        let worst = sums.worst.into_sorted();
        let more = (sums.warnings + sums.errors).saturating_sub(worst.len() as u64);
        let mut errors_named = 0;
        for key in &worst {
            let size = size_of(&key.record());
            let Some((level, _)) = super::keys::broken(rule, size) else { continue };
            errors_named += u64::from(level == Level::Error);
            let memory = rule.memory.broken(Bytes(size.0));
            let memory = memory.map(|(_, Bytes(limit))| format!("{}, {} allowed", bytes(size.0), bytes(limit)));
            let elements = rule.elements.broken(size.1);
            let elements = elements.map(|(_, limit)| format!("{} elements, {} allowed", count(size.1), count(limit)));
            let how: Vec<String> = memory.into_iter().chain(elements).collect();
            let subject = of_key(key);
            let text = format!(
                "{} ({}) on {}: {}",
                quoted(subject.key.as_deref().unwrap_or_default()),
                key.value_type,
                on(&subject),
                how.join("; ")
            );
            findings.add(level, Rule::BigKey, subject, text);
        }
        if more > 0 {
            let level = if sums.errors > errors_named { Level::Error } else { Level::Warning };
            let pattern = rule.glob.as_ref().map(|glob| glob.text.clone());
            let text = format!("{} more keys are big by this rule", count(more));
            findings.add(level, Rule::BigKey, Subject { pattern, ..Subject::default() }, text);
        }
    }
    let largest = |list: TopKeys| list.into_sorted().into_iter().next();
    for (rule, sums) in rules.no_expiry.iter().zip(keys.no_expiry) {
        let share = sums.permanent_bytes as f64 / sums.footprint_bytes.max(1) as f64;
        if let Some((level, limit)) = rule.share.broken(share) {
            let example = largest(sums.largest).map(|key| of_key(&key));
            let text = format!(
                "{} keys of {} never expire: {} of their memory ({}), {} allowed{}",
                count(sums.permanent_keys),
                quoted(&rule.glob.text),
                percent(sums.permanent_bytes, sums.footprint_bytes),
                bytes(sums.permanent_bytes),
                share_text(limit),
                example
                    .as_ref()
                    .and_then(|key| key.key.as_deref())
                    .map_or(String::new(), |key| format!("; the largest is {}", quoted(key)))
            );
            let subject = Subject { pattern: Some(rule.glob.text.clone()), ..Subject::default() };
            findings.add(level, Rule::NoExpiry, subject, text);
        }
    }
    for (rule, sums) in rules.forbidden_keys.iter().zip(keys.forbidden) {
        if sums.keys > 0 {
            let example = largest(sums.largest).map(|key| of_key(&key)).and_then(|key| key.key);
            let text = format!(
                "{} keys match {} ({}){}",
                count(sums.keys),
                quoted(&rule.glob.text),
                bytes(sums.footprint_bytes),
                example.map_or(String::new(), |key| format!("; the largest is {}", quoted(&key)))
            );
            let subject = Subject { pattern: Some(rule.glob.text.clone()), ..Subject::default() };
            findings.add(rule.level, Rule::ForbiddenKeys, subject, text);
        }
    }
}

/// A share as it is written for people.
pub(super) fn share_text(share: f64) -> String {
    let percent = share * 100.0;
    if percent.fract() == 0.0 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

fn nodes(summary: &Summary, rules: &Rules, findings: &mut Findings) {
    let of_node = |name: &str| Subject { node: Some(name.to_owned()), ..Subject::default() };
    if let Some(imbalance) = &summary.imbalance
        && let Some((level, limit)) =
            rules.node_imbalance.max_to_mean.broken(imbalance.max_to_mean_per_mille as f64 / 1000.0)
    {
        let text = format!(
            "holds {}, {} the mean of the nodes ({}); {} allowed",
            bytes(imbalance.largest_bytes),
            ratio(imbalance.max_to_mean_per_mille as f64 / 1000.0),
            bytes(imbalance.mean_bytes),
            ratio(limit)
        );
        findings.add(level, Rule::NodeImbalance, of_node(&imbalance.largest_node), text);
    }
    let total =
        |name: &str| summary.nodes.iter().find(|node| node.name == name).map(|node| node.totals.footprint_bytes);
    for slot in &summary.slots.heaviest {
        let whole = total(&slot.node).unwrap_or(0);
        let share = slot.footprint_bytes as f64 / whole.max(1) as f64;
        if summary.cluster.is_some()
            && slot.footprint_bytes >= rules.heavy_slot.at_least.0
            && let Some((level, limit)) = rules.heavy_slot.share_of_node.broken(share)
        {
            let text = format!(
                "slot {} holds {} in {} keys, {} of {}; {} allowed",
                slot.slot,
                bytes(slot.footprint_bytes),
                count(slot.keys),
                percent(slot.footprint_bytes, whole),
                slot.node,
                share_text(limit)
            );
            findings.add(level, Rule::HeavySlot, Subject { slot: Some(slot.slot), ..of_node(&slot.node) }, text);
        }
    }
    let Some(rule) = &rules.max_memory else { return };
    for name in rule.maxmemory.names().filter(|name| summary.nodes.iter().all(|node| node.name != *name)) {
        findings.not_checked(Rule::MaxMemory, format!("{} is none of the nodes", quoted(name)));
    }
    for node in &summary.nodes {
        let Some(limit_bytes) = rule.maxmemory.of(&node.name) else {
            findings.not_checked(Rule::MaxMemory, format!("the rules have no maxmemory for {}", node.name));
            continue;
        };
        let (used, how) = used_memory(summary, node);
        if let Some((level, limit)) = rule.share.broken(used as f64 / limit_bytes.max(1) as f64) {
            let text = format!(
                "uses {} ({how}), {} of its maxmemory of {}; {} allowed",
                bytes(used),
                percent(used, limit_bytes),
                bytes(limit_bytes),
                share_text(limit)
            );
            findings.add(level, Rule::MaxMemory, of_node(&node.name), text);
        }
    }
}

/// What a node used when it was saved, and by whose word.
pub(super) fn used_memory(summary: &Summary, node: &NodeRow) -> (u64, &'static str) {
    match node.used_memory_bytes {
        Some(used) => (used, "used_memory when it was saved"),
        None => {
            let dump = summary.dumps.iter().find(|dump| dump.name == node.name);
            let empty = dump.and_then(|dump| dump.empty_server_bytes).unwrap_or(0);
            (node.totals.footprint_bytes + empty, "its keys and an empty server")
        }
    }
}

fn expired(summary: &Summary, rules: &Rules, findings: &mut Findings) {
    let Some(expired) = summary.expiry.buckets.first() else { return };
    let keys = summary.totals.keys;
    if let Some((level, limit)) = rules.expired_keys.share.broken(expired.keys as f64 / keys.max(1) as f64) {
        let text = format!(
            "{} of {} keys ({}) had expired when the dumps were saved and still took {}; {} allowed",
            count(expired.keys),
            count(keys),
            percent(expired.keys, keys),
            bytes(expired.footprint_bytes),
            share_text(limit)
        );
        findings.add(level, Rule::ExpiredKeys, Subject::default(), text);
    }
}
