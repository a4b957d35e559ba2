//! Hot keys, by counters and by the logs that were joined, what to do about them, and cold memory.

use super::charts::{Bar, Distribution, ShareView, bucket_bar, distribution, part, share_view};
use super::keys::{KeyView, LISTED_KEYS, key_view};
use super::view::{Figure, List, Name, SHOWN, plural};
use crate::access::LogKind;
use crate::analyze::access::{AccessKey, AccessRow, CommandRow, HitsRow, LogRow};
use crate::analyze::hot::{BandRow, FreqRow, HotRemedy};
use crate::analyze::remedy::Step;
use crate::analyze::summary::{BucketRow, Summary};
use crate::analyze::thresholds::Severity;
use crate::units;

/// Slots, and keys in the slow log, that are seen at once.
const SHOWN_SLOTS: usize = 10;

pub(super) struct HeatView {
    pub(super) big: List<BigView>,
    pub(super) access: Option<AccessView>,
    pub(super) freq: Option<FreqView>,
    pub(super) remedies: Vec<RemedyView>,
    pub(super) idle: Option<Distribution>,
    pub(super) cold: Option<ColdView>,
    /// The tables of distributions have no sums here.
    pub(super) no_sums: Vec<ShareView>,
}

/// A key that is hot and big.
pub(super) struct BigView {
    pub(super) key: KeyView,
    pub(super) severity: Severity,
    pub(super) hits: Figure,
    pub(super) estimate: Figure,
    pub(super) whole: Figure,
}

pub(super) struct FreqView {
    pub(super) factor: u64,
    pub(super) bars: Vec<Bar>,
    pub(super) bands: Vec<BandView>,
    pub(super) hottest: List<HotView>,
    pub(super) slots: List<HeatRow>,
    pub(super) nodes: List<HeatRow>,
}

pub(super) struct BandView {
    pub(super) share: ShareView,
    pub(super) hits: Figure,
    pub(super) hits_share: Figure,
}

pub(super) struct HotView {
    pub(super) key: KeyView,
    pub(super) hits: Figure,
    pub(super) share: Figure,
}

/// A slot or a node by estimated hits.
pub(super) struct HeatRow {
    pub(super) slot: u16,
    pub(super) node: Name,
    pub(super) keys: Figure,
    pub(super) hits: Figure,
    pub(super) share: Figure,
    pub(super) width: f64,
}

pub(super) struct AccessView {
    pub(super) words: String,
    pub(super) notes: Vec<String>,
    pub(super) columns: HitsColumns,
    /// Those of the keys by hits, and by time: each has its own measure.
    pub(super) key_columns: HitsColumns,
    pub(super) slow_columns: HitsColumns,
    pub(super) logs: List<LogView>,
    pub(super) keys: List<AccessKeyView>,
    pub(super) slow: List<AccessKeyView>,
    pub(super) nodes: List<PlaceView>,
    pub(super) slots: List<PlaceView>,
    pub(super) commands: List<CommandView>,
}

/// Which columns the tables of hits have: those in which anything would stand.
#[derive(Clone, Copy)]
pub(super) struct HitsColumns {
    /// What the hits are called; empty for a table without them.
    pub(super) hits: &'static str,
    pub(super) rate: bool,
    pub(super) ops: bool,
    pub(super) slow: bool,
    pub(super) node: bool,
    /// Whether any key is known from the dumps.
    pub(super) dump: bool,
}

pub(super) struct HitsView {
    pub(super) hits: Figure,
    pub(super) share: Figure,
    pub(super) rate: Figure,
    pub(super) reads: Figure,
    pub(super) writes: Figure,
    pub(super) increments: Figure,
    pub(super) slow_calls: Figure,
    pub(super) slow_time: Figure,
    pub(super) width: f64,
}

pub(super) struct AccessKeyView {
    pub(super) name: Name,
    pub(super) slot: u16,
    pub(super) node: Name,
    pub(super) hits: HitsView,
    pub(super) dump: Option<KeyView>,
}

/// A slot or a node by hits.
pub(super) struct PlaceView {
    pub(super) slot: u16,
    pub(super) node: Name,
    pub(super) hits: HitsView,
}

pub(super) struct LogView {
    pub(super) kind: &'static str,
    pub(super) path: Name,
    pub(super) commands: Figure,
    pub(super) without_keys: Figure,
    pub(super) span: Figure,
    pub(super) notes: String,
}

pub(super) struct CommandView {
    pub(super) command: Name,
    pub(super) calls: Figure,
    pub(super) slow_time: Figure,
    pub(super) is_known: bool,
}

pub(super) struct RemedyView {
    pub(super) name: Name,
    pub(super) place: String,
    pub(super) why: String,
    pub(super) steps: Vec<Step>,
    pub(super) names_are: &'static str,
    pub(super) names: Vec<(Name, u16, Name)>,
    pub(super) note: String,
    pub(super) is_escaped: bool,
}

pub(super) struct ColdView {
    pub(super) steps: Vec<ShareView>,
    pub(super) keys: List<ColdKeyView>,
}

pub(super) struct ColdKeyView {
    pub(super) key: KeyView,
    pub(super) byte_days: Figure,
    pub(super) width: f64,
}

pub(super) fn heat_view(summary: &Summary) -> HeatView {
    HeatView {
        big: List::new(&summary.hot_keys.hot_and_big, SHOWN_SLOTS, LISTED_KEYS, |row| BigView {
            key: key_view(&row.key, 0.0),
            severity: row.severity,
            hits: row.hits.map(Figure::count).unwrap_or_default(),
            estimate: row.estimated_hits.map(Figure::count).unwrap_or_default(),
            whole: Figure::bytes(row.whole_bytes),
        }),
        access: summary.access.as_ref().map(access_view),
        freq: summary.freq.as_ref().map(|freq| freq_view(freq, summary)),
        remedies: summary.hot_keys.remedies.iter().map(remedy_view).collect(),
        idle: summary.idle.as_ref().map(|idle| distribution(idle, &summary.totals)),
        cold: summary.cold.as_ref().map(|cold| {
            let most = cold.keys.iter().map(|row| row.byte_days).max().unwrap_or(0);
            ColdView {
                steps: cold.at_least.iter().map(|step| bucket_share(&step.bucket, summary)).collect(),
                keys: List::new(&cold.keys, SHOWN, LISTED_KEYS, |row| ColdKeyView {
                    key: key_view(&row.key, 0.0),
                    byte_days: Figure::bytes(row.byte_days),
                    width: part(row.byte_days, most),
                }),
            }
        }),
        no_sums: Vec::new(),
    }
}

fn bucket_share(bucket: &BucketRow, summary: &Summary) -> ShareView {
    share_view(bucket.label, bucket.keys, bucket.footprint_bytes, &summary.totals)
}

fn freq_view(freq: &FreqRow, summary: &Summary) -> FreqView {
    let total = freq.estimated_hits;
    let most = freq.bands.iter().map(|band| band.bucket.footprint_bytes).max().unwrap_or(0);
    let band_bar = |band: &BandRow| {
        let bucket = &band.bucket;
        bucket_bar(bucket.label, bucket.keys, bucket.footprint_bytes, most, "a0")
    };
    let hottest_slot = freq.hottest_slots.first().map_or(0, |slot| slot.estimated_hits);
    let of_nodes = || summary.nodes.iter().filter_map(|node| Some((node, node.estimated_hits?)));
    let hottest_node = of_nodes().map(|(_, hits)| hits).max().unwrap_or(0);
    let nodes: Vec<_> = of_nodes().collect();
    let is_cluster = super::view::is_cluster(summary);
    let slots = if is_cluster { &freq.hottest_slots[..] } else { &[] };
    FreqView {
        factor: freq.lfu_log_factor,
        bars: freq.bands.iter().map(band_bar).collect(),
        bands: freq
            .bands
            .iter()
            .map(|band| BandView {
                share: bucket_share(&band.bucket, summary),
                hits: Figure::count(band.estimated_hits),
                hits_share: Figure::share(band.estimated_hits, total),
            })
            .collect(),
        hottest: List::new(&freq.hottest, SHOWN, LISTED_KEYS, |row| HotView {
            key: key_view(&row.key, part(u64::from(row.key.freq.unwrap_or(0)), u64::from(u8::MAX))),
            hits: Figure::count(row.estimated_hits),
            share: Figure::share(row.estimated_hits, total),
        }),
        slots: List::new(slots, SHOWN_SLOTS, LISTED_KEYS, |row| HeatRow {
            slot: row.slot,
            node: Name::new(&row.node),
            keys: Figure::count(row.keys),
            hits: Figure::count(row.estimated_hits),
            share: Figure::share(row.estimated_hits, total),
            width: part(row.estimated_hits, hottest_slot),
        }),
        nodes: List::new(if nodes.len() > 1 { &nodes } else { &[] }, SHOWN, LISTED_KEYS, |(node, hits)| HeatRow {
            slot: 0,
            node: Name::new(&node.name),
            keys: Figure::count(node.totals.keys),
            hits: Figure::count(*hits),
            share: Figure::share(*hits, total),
            width: part(*hits, hottest_node),
        }),
    }
}

fn access_view(access: &AccessRow) -> AccessView {
    let total = &access.total;
    let columns = HitsColumns {
        hits: if access.has_hits { "Hits" } else { "Slow calls" },
        rate: total.hits_per_second_per_mille.is_some(),
        ops: total.reads + total.writes + total.increments > 0,
        slow: access.logs.iter().any(|log| log.kind == LogKind::Slowlog),
        node: access.nodes.len() > 1,
        dump: access.keys.iter().chain(&access.slow_keys).any(|key| key.dump.is_some()),
    };
    let most = |rows: &mut dyn Iterator<Item = u64>| rows.max().unwrap_or(0);
    let hottest = most(&mut access.keys.iter().map(|key| key.hits.hits));
    let slowest = most(&mut access.slow_keys.iter().map(|key| key.hits.slow_us));
    let hottest_node = most(&mut access.nodes.iter().map(|node| node.hits.hits));
    let hottest_slot = most(&mut access.slots.iter().map(|slot| slot.hits.hits));
    let nodes = if access.nodes.len() > 1 { &access.nodes[..] } else { &[] };
    let commands: Vec<(&CommandRow, bool)> = access
        .commands
        .iter()
        .map(|row| (row, true))
        .chain(access.not_understood.iter().map(|row| (row, false)))
        .collect();
    AccessView {
        words: words(access),
        notes: notes(access),
        columns,
        key_columns: HitsColumns { slow: columns.slow && !access.has_hits, ..columns },
        slow_columns: HitsColumns { hits: "", ..columns },
        logs: List::new(&access.logs, SHOWN, LISTED_KEYS, log_view),
        keys: List::new(&access.keys, SHOWN, LISTED_KEYS, |key| access_key(key, total, part(key.hits.hits, hottest))),
        slow: List::new(&access.slow_keys, SHOWN_SLOTS, LISTED_KEYS, |key| {
            access_key(key, total, part(key.hits.slow_us, slowest))
        }),
        nodes: List::new(nodes, SHOWN, LISTED_KEYS, |node| PlaceView {
            slot: 0,
            node: Name::new(&node.node),
            hits: hits_view(&node.hits, total, part(node.hits.hits, hottest_node)),
        }),
        slots: List::new(&access.slots, SHOWN_SLOTS, LISTED_KEYS, |slot| PlaceView {
            slot: slot.slot,
            node: Name::new(slot.node.as_deref().unwrap_or("not known")),
            hits: hits_view(&slot.hits, total, part(slot.hits.hits, hottest_slot)),
        }),
        commands: List::new(&commands, SHOWN_SLOTS, LISTED_KEYS, |(row, is_known)| CommandView {
            command: Name::new(&row.command),
            calls: Figure::count(row.calls),
            slow_time: if row.slow_us > 0 { Figure::micros(row.slow_us) } else { Figure::default() },
            is_known: *is_known,
        }),
    }
}

fn words(access: &AccessRow) -> String {
    let what = if access.has_hits { ("hit", "hits") } else { ("slow call", "slow calls") };
    let rate = access.total.hits_per_second_per_mille.filter(|rate| *rate >= 1000);
    let rate = rate.map_or(String::new(), |rate| format!(", {} a second", units::count(rate / 1000)));
    let slow = if access.total.slow_calls > 0 && access.has_hits {
        format!(" The slow log has {}.", plural(access.total.slow_calls, "call", "calls"))
    } else {
        String::new()
    };
    format!(
        "The logs have {} on {}{rate}.{slow}",
        plural(access.total.hits, what.0, what.1),
        plural(access.names, "key", "keys")
    )
}

fn notes(access: &AccessRow) -> Vec<String> {
    let mut notes = Vec::new();
    if access.names_not_in_dumps > 0 {
        notes.push(format!(
            "Of the {} hottest names, {} in no dump: deleted, expired or never there.",
            units::count(access.names_looked_for),
            plural(access.names_not_in_dumps, "is", "are")
        ));
    }
    if access.keys.iter().any(|key| key.keys_in_dumps > 1) {
        notes.push("A name in several databases counts as one; the largest of its keys is shown.".to_owned());
    }
    if access.forgotten_names > 0 {
        notes.push(format!(
            "There were too many names to count all: the rarest were forgotten on the way, {} of them with {}. A count of a key \
             may be short by {}; the sums by slot and node are not.",
            units::count(access.forgotten_names),
            plural(access.forgotten_hits, "hit", "hits"),
            units::count(access.short_by)
        ));
    }
    if let Some(why) = access.no_nodes {
        notes.push(format!("Hits by node are not known: {why}."));
    }
    notes
}

fn log_view(log: &LogRow) -> LogView {
    let mut notes = Vec::new();
    let mut note = |n: u64, text: &str| {
        if n > 0 {
            notes.push(format!("{} {text}", units::count(n)));
        }
    };
    note(log.not_understood, "of a command that is not known");
    note(log.cut_lines, "cut short");
    note(log.cut_names, "keys whose name the server cut");
    note(log.malformed_lines, "lines not understood");
    if let Some(line) = log.first_malformed_line {
        notes.push(format!("the first is line {}", units::count(line)));
    }
    LogView {
        kind: log.kind.as_str(),
        path: Name::new(&log.path),
        commands: Figure::count(log.commands),
        without_keys: Figure::count(log.without_keys),
        span: log.span_ms.map(Figure::duration).unwrap_or_default(),
        notes: notes.join(", "),
    }
}

fn hits_view(hits: &HitsRow, total: &HitsRow, width: f64) -> HitsView {
    HitsView {
        hits: Figure::count(hits.hits),
        share: Figure::share(hits.hits, total.hits),
        rate: hits.hits_per_second_per_mille.map_or(Figure::default(), |rate| Figure {
            text: if rate < 10_000 { format!("{:.1}", rate as f64 / 1000.0) } else { units::count(rate / 1000) },
            exact: String::new(),
            value: rate.to_string(),
        }),
        reads: Figure::count_if_any(hits.reads),
        writes: Figure::count_if_any(hits.writes),
        increments: Figure::count_if_any(hits.increments),
        slow_calls: Figure::count_if_any(hits.slow_calls),
        slow_time: if hits.slow_calls > 0 { Figure::micros(hits.slow_us) } else { Figure::default() },
        width,
    }
}

fn access_key(key: &AccessKey, total: &HitsRow, width: f64) -> AccessKeyView {
    AccessKeyView {
        name: Name::new(&key.key),
        slot: key.slot,
        node: Name::new(key.node.as_deref().unwrap_or("not known")),
        hits: hits_view(&key.hits, total, width),
        dump: key.dump.as_ref().map(|key| key_view(key, 0.0)),
    }
}

fn remedy_view(remedy: &HotRemedy) -> RemedyView {
    RemedyView {
        name: Name::new(&remedy.key),
        place: remedy.node.as_ref().map_or(format!("slot {}", remedy.slot), |node| {
            format!("slot {} on {}", remedy.slot, Name::new(node).text)
        }),
        why: remedy.why.clone(),
        steps: remedy.steps.clone(),
        names_are: match remedy.names_are {
            "shards" => "Shards",
            "parts" => "Parts",
            _ => "Copies",
        },
        names: remedy.names.iter().map(|row| (Name::new(&row.key), row.slot, Name::new(&row.node))).collect(),
        note: remedy.note.clone().unwrap_or_default(),
        is_escaped: remedy.is_escaped,
    }
}
