//! What differs between two states, on a terminal.

use std::io::{self, Write};

use anstyle::AnsiColor;
use serde::Serialize;

use super::table::{Align::Left, Align::Right, Table};
use super::text::{BOLD, heading, name};
use crate::analyze::summary::KeyRow;
use crate::diff::split::{SCHEMA as SPLIT_SCHEMA, SplitCheck, Verdict};
use crate::diff::{Change, Diff, Fate, KeyCounts, LargeKey, NamedChange, PatternChange, SideDump, TotalsChange};
use crate::units::{bytes, count, duration_ms, signed_bytes, signed_count, signed_per_mille};

/// Rows that a list shows.
const SHOWN: usize = 20;
/// New and gone patterns that a list shows.
const SHOWN_FATES: usize = 10;
/// Characters of slot ranges that a row shows.
const RANGES_WIDTH: usize = 60;

/// Prints what differs: totals first, then what changed most.
///
/// # Errors
/// Those of the writer.
pub fn write(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    head(diff, out)?;
    totals(diff, out)?;
    nodes(diff, out)?;
    moved_slots(diff, out)?;
    named(&diff.types, "Types", "type", out)?;
    named(&diff.databases, "Databases", "database", out)?;
    patterns(diff, out)?;
    largest(diff, out)?;
    match &diff.keys {
        Some(counts) => {
            heading(out, "Key by key")?;
            count_lines(counts).iter().try_for_each(|line| writeln!(out, "  {line}"))
        }
        None => Ok(()),
    }
}

fn head(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{BOLD}Compared{BOLD:#}")?;
    let mut table = Table::new(&[("", Left), ("node", Left), ("saved at", Left), ("as", Left), ("dump", Left)]);
    for (side, dumps) in [("OLD", &diff.old), ("NEW", &diff.new)] {
        for SideDump { name, path, complete, saved_at, modelled_as } in dumps {
            let incomplete = if *complete { "" } else { " (INCOMPLETE)" };
            table.row([
                side.to_owned(),
                name.clone(),
                saved_at.as_deref().map_or(String::new(), |time| time.replace(".000Z", "Z")),
                modelled_as.clone().unwrap_or_default(),
                format!("{path}{incomplete}"),
            ]);
        }
    }
    table.write(out)?;
    diff.notes.iter().try_for_each(|note| writeln!(out, "  {note}"))
}

fn relative(change: &Change) -> String {
    match change.change_per_mille {
        Some(per_mille) => signed_per_mille(per_mille),
        None if change.new > 0 => "new".to_owned(),
        None => String::new(),
    }
}

fn totals(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    heading(out, "Totals")?;
    let mut table = Table::new(&[("", Left), ("old", Right), ("new", Right), ("change", Right), ("", Right)]);
    let totals = &diff.totals;
    let rows: [(&str, &Change, bool); 5] = [
        ("keys", &totals.keys, false),
        ("memory", &totals.footprint_bytes, true),
        ("MEMORY USAGE", &totals.memory_usage_bytes, true),
        ("elements", &totals.elements, false),
        ("serialized", &totals.serialized_bytes, true),
    ];
    for (what, change, is_bytes) in rows {
        let text = |figure| if is_bytes { bytes(figure) } else { count(figure) };
        let added = if is_bytes { signed_bytes(change.change) } else { signed_count(change.change) };
        table.row([what.to_owned(), text(change.old), text(change.new), added, relative(change)]);
    }
    table.write(out)?;
    if let (Some(per_day), Some(seconds @ 1..)) = (diff.footprint_bytes_per_day, diff.span_seconds) {
        let time = duration_ms(seconds.unsigned_abs().saturating_mul(1000));
        writeln!(out, "  in {time}: {} of memory a day", signed_bytes(per_day))?;
    }
    Ok(())
}

/// The cells of sums: keys and memory, before, after, and what changed.
fn cells(totals: &TotalsChange) -> [String; 5] {
    [
        count(totals.keys.new),
        signed_count(totals.keys.change),
        bytes(totals.footprint_bytes.new),
        signed_bytes(totals.footprint_bytes.change),
        relative(&totals.footprint_bytes),
    ]
}

const CELLS: [(&str, super::table::Align); 5] =
    [("keys", Right), ("change", Right), ("memory", Right), ("change", Right), ("", Right)];

fn nodes(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    if diff.nodes.len() < 2 {
        return Ok(());
    }
    heading(out, "Nodes")?;
    let columns: Vec<_> = [("node", Left)].into_iter().chain(CELLS).chain([("used_memory", Right)]).collect();
    let mut table = Table::new(&columns);
    for node in &diff.nodes {
        let label = match (&node.old_name, &node.new_name) {
            (Some(old), Some(new)) if old != new => format!("{old} -> {new}"),
            (Some(old), None) => format!("{old} (gone)"),
            (None, Some(new)) => format!("{new} (new)"),
            (_, Some(name)) => name.clone(),
            (None, None) => String::new(),
        };
        let used = node.used_memory_bytes.map_or(String::new(), |used| signed_bytes(used.change));
        table.row([label].into_iter().chain(cells(&node.totals)).chain([used]));
    }
    table.write(out)
}

fn moved_slots(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    let moved = &diff.moved_slots;
    if !moved.moves.is_empty() {
        let (slots, keys) = (count(moved.slots), count(moved.keys));
        let title = format!("Moved: {slots} slots with {keys} keys, {}", bytes(moved.footprint_bytes));
        heading(out, &title)?;
        let mut table = Table::new(&[
            ("from", Left),
            ("to", Left),
            ("slots", Right),
            ("keys", Right),
            ("memory", Right),
            ("which", Left),
        ]);
        for one in &moved.moves {
            let ranges = match one.ranges.char_indices().nth(RANGES_WIDTH) {
                Some((end, _)) => format!("{}...", &one.ranges[..end]),
                None => one.ranges.clone(),
            };
            table.row([
                one.from.clone(),
                one.to.clone(),
                count(one.slots),
                count(one.keys.new),
                bytes(one.footprint_bytes.new),
                ranges,
            ]);
        }
        table.write(out)?;
    }
    if moved.undecided_slots > 0 {
        let slots = count(moved.undecided_slots);
        writeln!(out, "  {slots} slots have keys on several nodes: whose they are is not known without --nodes")?;
    }
    Ok(())
}

fn named(rows: &[NamedChange], title: &str, what: &str, out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    heading(out, title)?;
    let mut table = Table::new(&[(what, Left)].into_iter().chain(CELLS).collect::<Vec<_>>());
    for row in rows.iter().take(SHOWN) {
        table.row([row.name.clone()].into_iter().chain(cells(&row.totals)));
    }
    table.write(out)?;
    more(rows.len().saturating_sub(SHOWN) as u64, out)
}

fn more(rows: u64, out: &mut dyn Write) -> io::Result<()> {
    if rows > 0 { writeln!(out, "  and {} more", count(rows)) } else { Ok(()) }
}

fn patterns(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    let titles = [
        ("Patterns that changed", [Fate::Grown, Fate::Shrunk, Fate::Same].as_slice(), SHOWN),
        ("New patterns", &[Fate::New], SHOWN_FATES),
        ("Gone patterns", &[Fate::Gone], SHOWN_FATES),
    ];
    for (title, fates, shown) in titles {
        let rows: Vec<&PatternChange> = diff.patterns.iter().filter(|row| fates.contains(&row.fate)).collect();
        if rows.is_empty() {
            continue;
        }
        heading(out, title)?;
        let mut table = Table::new(&CELLS.into_iter().chain([("pattern", Left)]).collect::<Vec<_>>());
        for row in rows.iter().take(shown) {
            let totals =
                TotalsChange { keys: row.keys, footprint_bytes: row.footprint_bytes, ..TotalsChange::default() };
            table.row(cells(&totals).into_iter().chain([name(&row.pattern)]));
        }
        table.write(out)?;
        more(rows.len().saturating_sub(shown) as u64, out)?;
    }
    match diff.patterns_left_out.rows {
        0 => Ok(()),
        rows => writeln!(out, "  {} patterns changed less and are in no list", count(rows)),
    }
}

/// What became of a key, as far as it is known.
fn fate(key: &LargeKey) -> String {
    let at_most = || key.unlisted_at_most_bytes.map_or(String::new(), |most| format!(" (at most {})", bytes(most)));
    match (key.fate, key.certain) {
        (Fate::New, false) => format!("new among the largest{}", at_most()),
        (Fate::Gone, false) => format!("gone from the largest{}", at_most()),
        (Fate::Same, _) => "moved".to_owned(),
        (fate, _) if key.moved => format!("{}, moved", fate.as_str()),
        (fate, _) => fate.as_str().to_owned(),
    }
}

fn largest(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    if diff.largest_keys.is_empty() {
        return Ok(());
    }
    heading(out, "Largest keys that changed, big ones first")?;
    let mut table = Table::new(&[
        ("what", Left),
        ("big", Left),
        ("memory", Right),
        ("change", Right),
        ("elements", Right),
        ("change", Right),
        ("type", Left),
        ("node", Left),
        ("key", Left),
    ]);
    let either = |key: &LargeKey, cell: fn(&KeyRow) -> String| {
        let both = (key.old.as_ref().map(cell), key.new.as_ref().map(cell));
        match both {
            (Some(old), Some(new)) if old != new => format!("{old} -> {new}"),
            (old, new) => new.or(old).unwrap_or_default(),
        }
    };
    for key in diff.largest_keys.iter().take(SHOWN) {
        table.row([
            fate(key),
            key.severity().map_or(String::new(), |severity| severity.as_str().to_owned()),
            bytes(key.footprint_bytes.new),
            signed_bytes(key.footprint_bytes.change),
            count(key.elements.new),
            signed_count(key.elements.change),
            either(key, |row| row.value_type.to_string()),
            either(key, |row| row.node.clone()),
            name(&key.key),
        ]);
    }
    table.write(out)?;
    more(diff.largest_keys.len().saturating_sub(SHOWN) as u64 + diff.largest_keys_left_out.rows, out)
}

/// The counts of a comparison key by key, line by line.
pub fn count_lines(counts: &KeyCounts) -> Vec<String> {
    let rewritten = "of the same figures with other bytes: elements of the same length changed, or only order, encoding or \
                     compression did";
    vec![
        format!("{} keys in OLD, {} in NEW", count(counts.old_keys), count(counts.new_keys)),
        format!("{} same", count(counts.same)),
        format!("{} changed, by {} in all", count(counts.changed), signed_bytes(counts.changed_bytes)),
        format!("{} rewritten: {rewritten}", count(counts.rewritten)),
        format!("{} new, with {}", count(counts.new), bytes(counts.new_bytes)),
        format!("{} gone, with {}", count(counts.gone), bytes(counts.gone_bytes)),
        format!("{} of those in both are on another node", count(counts.moved)),
    ]
}

/// What `--split` found, as one JSON document.
#[derive(Debug, Serialize)]
pub struct SplitDocument<'c> {
    schema: &'static str,
    rdbscope: &'static str,
    /// Whether every dump was read to its end.
    complete: bool,
    splits: &'c [SplitCheck],
}

impl SplitDocument<'_> {
    /// Of these.
    pub fn new(complete: bool, splits: &[SplitCheck]) -> SplitDocument<'_> {
        SplitDocument { schema: SPLIT_SCHEMA, rdbscope: env!("CARGO_PKG_VERSION"), complete, splits }
    }
}

/// Prints what `--split` found.
///
/// # Errors
/// Those of the writer.
pub fn write_splits(document: &SplitDocument<'_>, out: &mut dyn Write) -> io::Result<()> {
    for (i, check) in document.splits.iter().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        split(check, out)?;
    }
    if document.complete {
        return Ok(());
    }
    writeln!(out, "\n  a dump was not read in full: keys may be missing from these figures")
}

fn split(check: &SplitCheck, out: &mut dyn Write) -> io::Result<()> {
    let (style, verdict) = match check.verdict {
        Verdict::Ok => (AnsiColor::Green.on_default().bold(), "OK: as many elements as before".to_owned()),
        Verdict::NoPieces => (AnsiColor::Red.on_default().bold(), "NO PIECES: no key in NEW matches".to_owned()),
        Verdict::Missing => (
            AnsiColor::Red.on_default().bold(),
            format!("MISSING: {} elements fewer than before", count(check.difference.unsigned_abs())),
        ),
        Verdict::TooMany => (
            AnsiColor::Red.on_default().bold(),
            format!("TOO MANY: {} elements more than before", count(check.difference.unsigned_abs())),
        ),
        Verdict::Unknown => {
            (AnsiColor::Red.on_default().bold(), "UNKNOWN: the elements of a key are not known".to_owned())
        }
    };
    let key = check.old.first().map_or(String::new(), |key| format!("{} in database {}", name(&key.key), key.database));
    writeln!(out, "{BOLD}{key} into {}{BOLD:#}", name(&check.glob))?;
    writeln!(out, "  {style}{verdict}{style:#}")?;
    for key in &check.old {
        let elements = key.num_elements.map_or("unknown".to_owned(), count);
        let memory = key.footprint_bytes.map_or(String::new(), |memory| format!(", {}", bytes(memory)));
        writeln!(out, "  before: a {} of {elements} elements{memory}, on {}", key.value_type, key.node)?;
    }
    let pieces = count(check.pieces);
    let (elements, memory) = (count(check.new_elements), bytes(check.footprint_bytes));
    writeln!(out, "  after: {pieces} pieces with {elements} elements, {memory}, in {} slots", count(check.slots))?;
    if check.pieces_before > 0 {
        let (keys, elements) = (count(check.pieces_before), count(check.elements_before));
        writeln!(out, "  {keys} of such keys with {elements} elements were there before, and are taken off")?;
    }
    if check.pieces_expired > 0 {
        writeln!(out, "  {} pieces had expired and do not count", count(check.pieces_expired))?;
    }
    if let Some(largest) = &check.largest {
        let elements = largest.num_elements.map_or("unknown".to_owned(), count);
        writeln!(out, "  largest piece: {} with {elements} elements, on {}", name(&largest.key), largest.node)?;
    }
    if check.pieces_unknown > 0 {
        writeln!(out, "  {} pieces whose elements are not known", count(check.pieces_unknown))?;
    }
    if check.pieces_sharing_slots > 0 {
        let (sharing, most) = (count(check.pieces_sharing_slots), count(check.most_in_a_slot));
        writeln!(out, "  {sharing} pieces share a slot with another, up to {most} in one: these stay on one node")?;
    }
    if check.other_types {
        let types: Vec<String> = check.types.iter().map(|(of, keys)| format!("{} {of}", count(*keys))).collect();
        writeln!(out, "  pieces are of another type than the key was: {}", types.join(", "))?;
    }
    for key in &check.still_there {
        let elements = key.num_elements.map_or("unknown".to_owned(), count);
        writeln!(out, "  the key itself is still there, with {elements} elements, on {}", key.node)?;
    }
    Ok(())
}
