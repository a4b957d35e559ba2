//! Hot keys and cold memory, put together: counters and idle times of the dumps, and the logs that are joined to them.

use std::collections::BTreeSet;

use super::owners::Owners;
use crate::access::{AccessLog, Hits, LogKind, Source};
use crate::analyze::access::*;
use crate::analyze::aggregate::SlotTotals;
use crate::analyze::hot::*;
use crate::analyze::hot_remedy::{Use, steps, why};
use crate::analyze::summary::{Finding, FindingKind, KeyRow, Summary};
use crate::analyze::thresholds::{BigThresholds, Severity};
use crate::analyze::top::TopKey;
use crate::cluster::copies::copies;
use crate::cluster::slot::{SLOTS, hash_tag, slot_of};
use crate::escape::Escape;
use crate::units;

/// Names, by hits and by time, that a pass over the dumps looks out for.
const WATCHED: usize = 1000;
/// Slots that are listed.
const SLOTS_LISTED: usize = 20;
/// Commands that are listed.
const COMMANDS: usize = 20;
/// Keys that get a remedy, and names of each at most.
const REMEDIES: usize = 10;
const NAMES: usize = 8;
/// Keys with this part of all hits, in per cent, get a remedy, and those with more a finding.
const REMEDY_PERCENT: u64 = 1;
const FINDING_PERCENT: u64 = 10;
/// Fewer hits than these show nothing.
const FEWEST_HITS: u64 = 1000;
/// Keys that get a finding.
const FINDINGS: usize = 5;
/// Memory that has been idle for a month is a finding from this part on, in per cent.
const COLD_PERCENT: u64 = 25;
const COLD_BYTES: u64 = 10 << 20;
const MONTH_SECONDS: u64 = 30 * 86_400;

/// What keys are ranked by: their hits or, if there are only slow logs, their calls.
fn rank(log: &AccessLog) -> impl Fn(&Hits) -> u64 + use<> {
    let has_hits = log.has_hits();
    move |hits| if has_hits { hits.hits() } else { hits.slow.total() }
}

/// The names that the dumps are to be searched for.
pub fn watch(log: &AccessLog) -> Watch {
    let by_hits = log.top(WATCHED, rank(log));
    let by_time = log.top(WATCHED, |hits| hits.slow_us);
    Watch::new(by_hits.iter().chain(&by_time).map(|(name, _)| *name))
}

/// The hottest slots of the dumps.
pub(super) fn hot_slots(nodes: &[(&str, &[SlotTotals])]) -> Vec<HotSlot> {
    let sum = |slot: usize, part: fn(&SlotTotals) -> u64| nodes.iter().map(|(_, slots)| part(&slots[slot])).sum();
    let mut slots: Vec<HotSlot> = (0..SLOTS)
        .map(|slot| {
            let index = usize::from(slot);
            let holder = nodes.iter().max_by_key(|(_, slots)| slots.get(index).map_or(0, |slot| slot.estimated_hits));
            HotSlot {
                slot,
                node: holder.map_or(String::new(), |(name, _)| (*name).to_owned()),
                keys: sum(index, |slot| slot.keys),
                estimated_hits: sum(index, |slot| slot.estimated_hits),
            }
        })
        .filter(|slot| slot.estimated_hits > 0)
        .collect();
    slots.sort_by_key(|slot| (std::cmp::Reverse(slot.estimated_hits), slot.slot));
    slots.truncate(SLOTS_LISTED);
    slots
}

/// All that the joined logs say.
pub(super) fn access_row(
    log: &AccessLog,
    found: &FoundNames,
    names: &[String],
    owners: &Owners,
    top: usize,
) -> AccessRow {
    let has_hits = log.has_hits();
    let key = |&(name, hits): &(&[u8], Hits)| {
        let slot = slot_of(name);
        let found = found.get(name);
        AccessKey {
            key: Escape::Utf8.text(name),
            slot,
            node: owners.name_of(slot),
            hits: HitsRow::new(&hits, has_hits, log.watched_us(|other| other == slot)),
            keys_in_dumps: found.map_or(0, |found| found.keys),
            dump: found.map(|found| KeyRow::new(&names[found.key.dump], &found.key.record(), Escape::Utf8)),
        }
    };
    let mut looked_for: BTreeSet<&[u8]> = log.top(WATCHED, rank(log)).into_iter().map(|(name, _)| name).collect();
    looked_for.extend(log.top(WATCHED, |hits| hits.slow_us).into_iter().map(|(name, _)| name));
    let slots = log.slots();
    let nodes = owners.names.iter().enumerate().filter(|_| owners.unknown.is_none()).map(|(node, name)| {
        let is_its = |slot: u16| owners.of(slot) == Some(node);
        let mut sum = Hits::default();
        (0..SLOTS).filter(|slot| is_its(*slot)).for_each(|slot| sum.merge(&slots[usize::from(slot)]));
        AccessNode { node: name.clone(), hits: HitsRow::new(&sum, has_hits, log.watched_us(is_its)) }
    });
    let rank = rank(log);
    let mut hottest: Vec<u16> = (0..SLOTS).filter(|slot| rank(&slots[usize::from(*slot)]) > 0).collect();
    hottest.sort_by_key(|slot| (std::cmp::Reverse(rank(&slots[usize::from(*slot)])), *slot));
    hottest.truncate(SLOTS_LISTED);
    let slot_row = |slot: u16| AccessSlot {
        slot,
        node: owners.name_of(slot),
        hits: HitsRow::new(&slots[usize::from(slot)], has_hits, log.watched_us(|other| other == slot)),
    };
    let by_calls = |mut rows: Vec<CommandRow>| {
        rows.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.command.cmp(&b.command)));
        rows.truncate(COMMANDS);
        rows
    };
    let known = log.commands().map(|(name, calls)| CommandRow {
        command: name.to_ascii_uppercase(),
        calls: calls.calls,
        slow_us: calls.slow_us,
    });
    let unknown =
        log.not_understood().map(|(name, calls)| CommandRow { command: Escape::Utf8.text(name), calls, slow_us: 0 });
    AccessRow {
        logs: log.sources.iter().map(log_row).collect(),
        has_hits,
        total: HitsRow::new(&log.total(), has_hits, log.watched_us(|_| true)),
        names: log.names(),
        names_not_in_dumps: looked_for.iter().filter(|name| !found.contains_key(**name)).count() as u64,
        names_looked_for: looked_for.len() as u64,
        forgotten_names: log.forgotten.names,
        forgotten_hits: log.forgotten.hits,
        short_by: log.forgotten.short_by,
        commands: by_calls(known.collect()),
        not_understood: by_calls(unknown.collect()),
        keys: log.top(top, &rank).iter().map(key).collect(),
        slow_keys: log.top(top, |hits| hits.slow_us).iter().map(key).collect(),
        nodes: nodes.collect(),
        no_nodes: owners.unknown,
        slots: hottest.into_iter().map(slot_row).collect(),
    }
}

fn log_row(source: &Source) -> LogRow {
    let time = |us: u64| units::rfc3339_ms(i64::try_from(us / 1000).unwrap_or(i64::MAX));
    LogRow {
        kind: source.kind,
        path: source.path.clone(),
        lines: source.lines,
        commands: source.commands,
        without_keys: source.without_keys,
        not_understood: source.not_understood,
        cut_lines: source.cut_lines,
        cut_names: source.cut_names,
        malformed_lines: source.malformed_lines,
        first_malformed_line: source.first_malformed_line,
        from: source.span_us.map(|(first, _)| time(first)),
        to: source.span_us.map(|(_, last)| time(last)),
        span_ms: source.span_us.map(|(first, last)| (last - first) / 1000).filter(|_| source.kind == LogKind::Monitor),
    }
}

/// A key that may be hot, by a log or by its counter.
struct Candidate<'a> {
    name: &'a [u8],
    hits: Option<HitsRow>,
    key: Option<KeyRow>,
}

/// What is known of keys by name, before their names become text.
pub(super) struct HotSources<'a> {
    /// The logs and what they say.
    pub(super) access: Option<(&'a AccessLog, &'a AccessRow)>,
    /// The hottest by counter.
    pub(super) hottest: &'a [TopKey],
    /// The hot ones that are big.
    pub(super) hot_and_big: &'a [TopKey],
    /// Names of the dumps.
    pub(super) names: &'a [String],
    /// Owners of slots.
    pub(super) owners: &'a Owners,
    /// From where on a key is big.
    pub(super) thresholds: &'a BigThresholds,
}

impl<'a> HotSources<'a> {
    fn row(&self, key: &TopKey) -> KeyRow {
        KeyRow::new(&self.names[key.dump], &key.record(), Escape::Utf8)
    }

    /// The keys with so much of all hits that something is to be done, then those whose counter says so.
    fn candidates(&self) -> Vec<Candidate<'a>> {
        let mut candidates: Vec<Candidate<'a>> = Vec::new();
        if let Some((log, row)) = self.access {
            let hot = log.top(REMEDIES, rank(log)).into_iter().zip(&row.keys);
            let hot = hot.filter(|(_, key)| key.hits.hits.saturating_mul(100) >= row.total.hits * REMEDY_PERCENT);
            candidates.extend(hot.map(|((name, _), key)| Candidate {
                name,
                hits: Some(key.hits),
                key: key.dump.clone(),
            }));
        }
        for key in self.hottest.iter().filter(|key| key.freq >= Some(HOT_COUNTER)) {
            if candidates.len() < REMEDIES && candidates.iter().all(|other| *other.name != *key.key) {
                candidates.push(Candidate { name: &key.key, hits: None, key: Some(self.row(key)) });
            }
        }
        candidates
    }

    /// What is hot, and what to do about it.
    pub(super) fn hot_keys(&self) -> HotKeys {
        HotKeys {
            hot_and_big: self.hot_and_big(),
            remedies: self.candidates().into_iter().map(|candidate| self.remedy(candidate)).collect(),
        }
    }

    fn hot_and_big(&self) -> Vec<HotBig> {
        let mut rows: Vec<HotBig> = Vec::new();
        let mut add = |key: KeyRow, hits: Option<u64>| {
            let Some(severity) = self.thresholds.severity_of_row(&key) else { return };
            let estimated_hits = key.freq.map(estimated_hits);
            let whole_bytes = hits.or(estimated_hits).unwrap_or(0).saturating_mul(key.serialized_bytes);
            let is_known =
                |row: &HotBig| (&row.key.key, row.key.database, &row.key.node) == (&key.key, key.database, &key.node);
            if !rows.iter().any(is_known) {
                rows.push(HotBig { severity, hits, estimated_hits, whole_bytes, key });
            }
        };
        if let Some((log, row)) = self.access {
            let big =
                row.keys.iter().filter(|key| key.hits.hits.saturating_mul(100) >= row.total.hits * REMEDY_PERCENT);
            big.filter_map(|key| Some((key.dump.clone()?, key.hits.hits))).for_each(|(key, hits)| add(key, Some(hits)));
            for key in self.hot_and_big {
                let hits = rank(log)(&log.of(&key.key));
                add(self.row(key), Some(hits).filter(|hits| *hits > 0));
            }
        } else {
            self.hot_and_big.iter().for_each(|key| add(self.row(key), None));
        }
        rows.sort_by_key(|row| std::cmp::Reverse((row.severity, row.whole_bytes)));
        rows
    }

    fn remedy(&self, candidate: Candidate<'_>) -> HotRemedy {
        let Candidate { name, hits, key } = candidate;
        let slot = slot_of(name);
        let usage = Use::of(hits.as_ref());
        let placed = copies(name, |slot| self.owners.of(slot), NAMES.min(self.owners.names.len()).max(1));
        let names: Vec<CopyRow> = placed
            .iter()
            .map(|copy| CopyRow {
                key: Escape::Utf8.text(&copy.name),
                slot: copy.slot,
                node: self.owners.names[copy.node].clone(),
            })
            .collect();
        let text = Escape::Utf8.text(name);
        let total = self.access.map_or(0, |(_, row)| row.total.hits);
        let counter = key.as_ref().and_then(|key| key.freq).filter(|freq| *freq >= HOT_COUNTER);
        let counter = counter.map(|freq| (freq, estimated_hits(freq)));
        let footprint = key.as_ref().and_then(|key| key.footprint_bytes);
        HotRemedy {
            is_escaped: text.as_bytes() != name,
            slot,
            node: self.owners.name_of(slot),
            why: why(
                hits.as_ref().map(|hits| (hits, total)),
                self.access.is_none_or(|(log, _)| log.has_hits()),
                counter,
            ),
            steps: steps(usage, key.as_ref().map(|key| key.value_type), footprint, names.len()),
            names_are: usage.names_are(),
            note: self.note(name, names.len()),
            names: if names.len() > 1 { names } else { Vec::new() },
            key: text,
        }
    }

    /// What to know about the names, or why there are none.
    fn note(&self, name: &[u8], names: usize) -> Option<String> {
        let owners = self.owners;
        if let Some(unknown) = owners.unknown {
            return Some(format!("Names on other nodes are not known: {unknown}."));
        }
        if names == 0 {
            return Some("Names on other nodes are not known: no dump has keys in its slot; give --nodes.".to_owned());
        }
        if owners.names.len() < 2 {
            return Some(
                "There is one node here: names on others would be known with their dumps, or with --nodes.".to_owned(),
            );
        }
        let mut notes = Vec::new();
        if hash_tag(name).is_some() {
            notes.push(
                "Its hash tag alone decides the slot: a suffix behind it would stay on this node, so the number stands \
                 inside it. Commands that take it together with other keys of the tag do not work with these."
                    .to_owned(),
            );
        }
        if names < owners.names.len().min(NAMES) {
            notes.push("The other nodes own too few slots to find a name for them.".to_owned());
        } else if names < owners.names.len() {
            notes.push(format!("There are {} nodes: more names would reach more of them.", owners.names.len()));
        }
        if !owners.is_from_nodes_file {
            notes.push(
                "Owners of slots are those whose dumps have keys in them; --nodes would tell for sure.".to_owned(),
            );
        }
        (!notes.is_empty()).then(|| notes.join(" "))
    }
}

/// What is worth acting on.
pub(super) fn findings(summary: &Summary) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |severity, kind, text: String, advice: &str| {
        findings.push(Finding { severity, kind, text, advice: advice.to_owned(), big_key: None });
    };
    const ADVICE: &str = "Copies under names on other nodes, a cache in the client, or shards of a counter spread it: the names are in the section on hot keys.";
    for row in summary.hot_keys.hot_and_big.iter().take(FINDINGS) {
        let how = match (row.hits, row.estimated_hits) {
            (Some(hits), _) => format!("{} hits in the logs", units::count(hits)),
            (None, estimate) => format!("about {} hits by its access counter", units::count(estimate.unwrap_or(0))),
        };
        add(
            row.severity,
            FindingKind::HotAndBig,
            format!(
                "{} is hot and big: {how}, {} on {}; {} on the link if each takes all of it",
                crate::error::quoted(&row.key.key),
                units::bytes(row.key.footprint_bytes.unwrap_or(0)),
                row.key.node,
                units::bytes(row.whole_bytes)
            ),
            "Split it first, or read only the part that is needed: copies of it would multiply its memory.",
        );
    }
    let mut told = BTreeSet::new();
    if let Some(access) = summary.access.as_ref().filter(|access| access.has_hits && access.total.hits >= FEWEST_HITS) {
        let total = access.total.hits;
        for key in access.keys.iter().take(FINDINGS) {
            if key.hits.hits.saturating_mul(100) < total.saturating_mul(FINDING_PERCENT) {
                break;
            }
            let nodes = access.nodes.len() as u64;
            let beyond = nodes > 1 && key.hits.hits.saturating_mul(nodes) > total;
            let fair = if beyond { format!(": more than a fair share of {nodes} nodes") } else { String::new() };
            told.insert(key.key.clone());
            add(
                if beyond { Severity::Critical } else { Severity::Warning },
                FindingKind::HotKey,
                format!(
                    "{} has {} of the {} hits in the logs{}{fair}",
                    crate::error::quoted(&key.key),
                    units::percent(key.hits.hits, total),
                    units::count(total),
                    key.node.as_ref().map_or(String::new(), |node| format!(", on {node}"))
                ),
                if beyond {
                    "A key lives in one slot: neither moving slots nor adding nodes can even this out. Copies, a client cache or shards of a counter can: the names are in the section on hot keys."
                } else {
                    ADVICE
                },
            );
        }
    }
    if let Some(freq) = &summary.freq {
        let hot = freq.hottest.iter().filter(|hot| {
            let near = hot.key.freq >= Some(NEAR_HIGHEST_COUNTER);
            let large = hot.key.freq >= Some(HOT_COUNTER)
                && hot.estimated_hits.saturating_mul(100) >= freq.estimated_hits.saturating_mul(FINDING_PERCENT);
            (near || large) && !told.contains(&hot.key.key)
        });
        for hot in hot.take(FINDINGS) {
            add(
                Severity::Warning,
                FindingKind::HotKey,
                format!(
                    "{} has an access counter of {}, about {} hits: {} of those of all keys, on {}",
                    crate::error::quoted(&hot.key.key),
                    hot.key.freq.unwrap_or(0),
                    units::count(hot.estimated_hits),
                    units::percent(hot.estimated_hits, freq.estimated_hits),
                    hot.key.node
                ),
                ADVICE,
            );
        }
    }
    let cold = summary.cold.iter().flat_map(|cold| &cold.at_least).find(|step| step.idle_seconds >= MONTH_SECONDS);
    if let Some(step) = cold
        && step.bucket.footprint_bytes >= COLD_BYTES
        && step.bucket.footprint_bytes.saturating_mul(100) >= summary.totals.footprint_bytes * COLD_PERCENT
    {
        add(
            Severity::Info,
            FindingKind::ColdMemory,
            format!(
                "{} keys have been idle for {} and hold {}, {} of all memory",
                units::count(step.bucket.keys),
                step.bucket.label,
                units::bytes(step.bucket.footprint_bytes),
                units::percent(step.bucket.footprint_bytes, summary.totals.footprint_bytes)
            ),
            "Give such keys an expiry, move them to a cheaper store, or let maxmemory evict them.",
        );
    }
    findings
}
