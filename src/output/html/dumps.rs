//! What was read, and whether the memory adds up.

use super::charts::{Bar, Segment, part, rounded};
use super::view::{Figure, LISTED, List, Name, SHOWN, Time, joined, time_view};
use crate::analyze::summary::{DumpRole, DumpRow, Summary};
use crate::units;

pub(super) struct DumpsView<'s> {
    pub(super) rows: List<DumpView<'s>>,
    pub(super) reconciled: List<ReconciledView>,
    /// Names of the counted dumps that do not say their memory.
    pub(super) silent: String,
}

pub(super) struct DumpView<'s> {
    pub(super) row: &'s DumpRow,
    pub(super) name: Name,
    pub(super) path: Name,
    pub(super) saved: Option<Time>,
    pub(super) keys: Figure,
    pub(super) rdb: Figure,
    pub(super) role: String,
    pub(super) error: Option<Name>,
    pub(super) checksum_bad: bool,
    pub(super) damages: Vec<(Figure, Name, &'s str)>,
    pub(super) damages_left_out: String,
    pub(super) aux: Vec<(&'s str, Name)>,
    pub(super) modules: String,
}

pub(super) struct ReconciledView {
    pub(super) bar: Bar,
    /// Where the server's own figure stands in the bar.
    pub(super) mark: f64,
    pub(super) used: Figure,
    pub(super) empty: Figure,
    pub(super) keys: Figure,
    pub(super) tables: Figure,
    pub(super) other: Figure,
    pub(super) other_share: Figure,
    pub(super) words: String,
}

pub(super) fn dumps_view(summary: &Summary) -> DumpsView<'_> {
    let counted = || summary.dumps.iter().filter(|dump| dump.role == DumpRole::Counted);
    let reconciled: Vec<&DumpRow> = counted().filter(|dump| dump.other_bytes.is_some()).collect();
    let longest = reconciled.iter().map(|dump| reconciled_end(dump)).max().unwrap_or(0);
    DumpsView {
        rows: List::new(&summary.dumps, SHOWN, LISTED, dump_view),
        reconciled: List::new(&reconciled, SHOWN, LISTED, |dump| reconciled_view(dump, longest)),
        silent: joined(counted().filter(|dump| dump.other_bytes.is_none()).map(|dump| dump.name.as_str())),
    }
}

pub(super) fn dump_view(dump: &DumpRow) -> DumpView<'_> {
    let damages: Vec<_> = dump
        .damages
        .iter()
        .map(|damage| (Figure::count(damage.at_byte), Name::new(&damage.key), damage.what.as_str()))
        .collect();
    let unlisted = dump.damaged_keys.saturating_sub(damages.len() as u64);
    DumpView {
        row: dump,
        name: Name::new(&dump.name),
        path: Name::new(&dump.path),
        saved: dump.saved_at.as_deref().map(time_view),
        keys: Figure::count(dump.totals.keys),
        rdb: Figure::bytes(dump.rdb_bytes),
        role: match &dump.role {
            DumpRole::Counted => "counted".to_owned(),
            DumpRole::SameAs(other) => format!("same keys as {}, not counted", Name::new(other).text),
            DumpRole::Unread => "not read".to_owned(),
        },
        error: dump.error.as_deref().map(Name::new),
        checksum_bad: matches!(dump.checksum, "wrong" | "not reached"),
        damages,
        damages_left_out: if unlisted == 0 { String::new() } else { format!("and {} more", units::count(unlisted)) },
        aux: dump.aux.iter().map(|fact| (fact.name.as_str(), Name::new(&fact.value))).collect(),
        modules: joined(dump.modules.iter().map(String::as_str)),
    }
}

/// Where the longer of a dump's two sums ends.
pub(super) fn reconciled_end(dump: &DumpRow) -> u64 {
    let estimate = dump.empty_server_bytes.unwrap_or(0).saturating_add(dump.totals.footprint_bytes);
    estimate.max(dump.used_memory_bytes.unwrap_or(0))
}

fn signed_share(part: i64, whole: u64) -> Figure {
    let share = Figure::share(part.unsigned_abs(), whole);
    if part < 0 {
        Figure { text: format!("\u{2212}{}", share.text), value: format!("-{}", share.value), ..share }
    } else {
        share
    }
}

pub(super) fn reconciled_view(dump: &DumpRow, longest: u64) -> ReconciledView {
    let used = dump.used_memory_bytes.unwrap_or(0);
    let empty = dump.empty_server_bytes.unwrap_or(0);
    let tables = dump.totals.key_tables_bytes;
    let keys = dump.totals.footprint_bytes.saturating_sub(tables);
    let other = dump.other_bytes.unwrap_or(0);
    let other_share = units::percent(other.unsigned_abs(), used);
    let mut words = match other {
        0 => "The server and its keys account for used_memory to the byte.".to_owned(),
        1.. => format!(
            "{} was in use: {} by the server itself, {} by the keys, {} by the tables that hold them, and {} ({other_share}) by everything else.",
            units::bytes(used),
            units::bytes(empty),
            units::bytes(keys),
            units::bytes(tables),
            units::bytes(other.unsigned_abs())
        ),
        _ => format!(
            "{} was in use, yet server and keys are estimated at {} ({other_share}) more: the estimate is too high by that.",
            units::bytes(used),
            units::bytes(other.unsigned_abs())
        ),
    };
    if !dump.complete {
        words.push_str(" Keys that could not be read are among everything else.");
    }
    let mut segments = Vec::new();
    let mut x = 0.0;
    for (bytes, class) in [(empty, "r0"), (keys, "r1"), (tables, "r3"), (other.max(0).unsigned_abs(), "r2")] {
        let width = part(bytes, longest);
        segments.push(Segment { x: rounded(x), width, class });
        x += width;
    }
    ReconciledView {
        bar: Bar { label: Name::new(&dump.name).text, segments, value: Figure::bytes(used), says: words.clone() },
        mark: part(used, longest),
        used: Figure::bytes(used),
        empty: Figure::bytes(empty),
        keys: Figure::bytes(keys),
        tables: Figure::bytes(tables),
        other: Figure::signed(other),
        other_share: signed_share(other, used),
        words,
    }
}
