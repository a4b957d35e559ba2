//! The overview on a terminal.

mod heat;

use std::cmp::Ordering;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::table::{Align::Left, Align::Right, Table};
use crate::analyze::Summary;
use crate::analyze::summary::{DumpRole, DumpRow, KeyRow, TotalsRow};
use crate::analyze::thresholds::Severity;
use crate::units::{bytes, count, percent, ratio};

pub(super) const BOLD: Style = Style::new().bold();
/// Rows that a list shows.
const SHOWN: usize = 10;
/// Nodes far from the mean that are explained.
const CAUSES: usize = 2;
/// Characters of a key or pattern that a row shows.
const NAME_WIDTH: usize = 60;

/// Prints the summary. Styles are ANSI sequences; a writer that cannot show them takes them out.
///
/// # Errors
/// Those of the writer.
pub fn write(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    dumps(summary, out)?;
    findings(summary, out)?;
    nodes(summary, out)?;
    types(summary, out)?;
    biggest(summary, out)?;
    patterns(summary, out)?;
    expiry(summary, out)?;
    heat::heat(summary, out)?;
    comparisons(summary, out)
}

pub(super) fn heading(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{BOLD}{text}{BOLD:#}")
}

/// A name cut to a width; it is free of control characters already.
fn cut(name: &str) -> String {
    match name.char_indices().nth(NAME_WIDTH) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

pub(super) fn name(name: &str) -> String {
    if name.is_empty() { "(empty name)".to_owned() } else { cut(name) }
}

fn dumps(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{BOLD}Dumps{BOLD:#}")?;
    let mut table = Table::new(&[
        ("node", Left),
        ("format", Left),
        ("written by", Left),
        ("saved at", Left),
        ("keys", Right),
        ("RDB", Right),
        ("checksum", Left),
        ("", Left),
    ]);
    for dump in &summary.dumps {
        let state = match &dump.role {
            DumpRole::SameAs(other) => format!("replica of {other}, not counted"),
            DumpRole::Unread => "NOT READ".to_owned(),
            DumpRole::Counted if !dump.complete => "INCOMPLETE".to_owned(),
            DumpRole::Counted => "complete".to_owned(),
        };
        table.row([
            dump.name.clone(),
            dump.format.clone().unwrap_or_default(),
            dump.written_by
                .clone()
                .or_else(|| Some(format!("(as {})", dump.modelled_as.as_ref()?)))
                .unwrap_or_default(),
            dump.saved_at.as_deref().map_or(String::new(), |time| time.replace(".000Z", "Z")),
            count(dump.totals.keys),
            bytes(dump.rdb_bytes),
            dump.checksum.to_owned(),
            state,
        ]);
    }
    table.write(out)?;
    for dump in &summary.dumps {
        for note in &dump.notes {
            writeln!(out, "  {}: {note}", dump.name)?;
        }
        if let Some(line) = reconciliation(dump) {
            writeln!(out, "  {}: {line}", dump.name)?;
        }
    }
    Ok(())
}

/// How the server's own figure comes about.
fn reconciliation(dump: &DumpRow) -> Option<String> {
    if dump.role != DumpRole::Counted || !dump.complete {
        return None;
    }
    let (used, empty, other) = (dump.used_memory_bytes?, dump.empty_server_bytes?, dump.other_bytes?);
    let tables = bytes(dump.totals.key_tables_bytes);
    let keys = bytes(dump.totals.footprint_bytes - dump.totals.key_tables_bytes);
    let rest = if other >= 0 {
        format!("{} else (buffers, replication, scripts, modules)", bytes(other.unsigned_abs()))
    } else {
        format!("{} less than these when it was saved", bytes(other.unsigned_abs()))
    };
    Some(format!(
        "used_memory {} = {} empty server + {keys} keys + {tables} key tables + {rest}",
        bytes(used),
        bytes(empty)
    ))
}

fn findings(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    heading(out, "Findings")?;
    if summary.findings.is_empty() {
        return writeln!(out, "  nothing stands out");
    }
    for finding in &summary.findings {
        let style = match finding.severity {
            Severity::Critical => AnsiColor::Red.on_default().bold(),
            Severity::Warning => AnsiColor::Yellow.on_default(),
            Severity::Info => AnsiColor::Cyan.on_default(),
        };
        writeln!(out, "  {style}{:<8}{style:#}  {}", finding.severity.as_str(), finding.text)?;
    }
    Ok(())
}

fn nodes(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    if summary.nodes.len() < 2 {
        return Ok(());
    }
    heading(out, "Nodes")?;
    let mut table = Table::new(&[
        ("node", Left),
        ("address", Left),
        ("keys", Right),
        ("memory", Right),
        ("share", Right),
        ("slots", Right),
        ("misplaced keys", Right),
    ]);
    for node in &summary.nodes {
        table.row([
            node.name.clone(),
            node.address.clone().unwrap_or_default(),
            count(node.totals.keys),
            bytes(node.totals.footprint_bytes),
            percent(node.totals.footprint_bytes, summary.totals.footprint_bytes),
            count(node.slots_owned_count.unwrap_or(node.slots_with_keys)),
            count(node.misplaced_keys),
        ]);
    }
    table.write(out)?;
    if let Some(imbalance) = &summary.imbalance {
        let even = ratio(imbalance.max_to_mean_per_mille as f64 / 1000.0);
        writeln!(out, "  the largest, {}, has {even} the mean", imbalance.largest_node)?;
        for causes in imbalance.causes.iter().take(CAUSES) {
            writeln!(out, "  {}: {}", causes.node, causes.in_words())?;
        }
    }
    if let Some([_, more, ..]) = summary.rebalance.as_ref().map(|rebalance| rebalance.scaling.as_slice()) {
        let why = more.bound_slot.map_or(String::new(), |slot| format!(", because of slot {slot} alone"));
        writeln!(out, "  with {} nodes the largest would have {} at best{why}", more.nodes, bytes(more.largest_bytes))?;
    }
    Ok(())
}

fn total_cells(totals: &TotalsRow, whole: &TotalsRow) -> [String; 3] {
    [count(totals.keys), bytes(totals.footprint_bytes), percent(totals.footprint_bytes, whole.footprint_bytes)]
}

fn types(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    heading(out, "Types (memory is what the keys add to the server's used_memory)")?;
    let mut table = Table::new(&[
        ("type", Left),
        ("keys", Right),
        ("memory", Right),
        ("share", Right),
        ("p50", Right),
        ("p99", Right),
        ("largest", Right),
        ("elements", Right),
        ("encodings", Left),
    ]);
    for row in &summary.types {
        let [keys, memory, share] = total_cells(&row.totals, &summary.totals);
        let encodings: Vec<String> = row
            .encodings
            .iter()
            .map(|encoding| format!("{} {}", encoding.encoding, count(encoding.totals.keys)))
            .collect();
        table.row([
            row.value_type.to_string(),
            keys,
            memory,
            share,
            bytes(row.p50_bytes),
            bytes(row.p99_bytes),
            bytes(row.largest_bytes),
            count(row.totals.elements),
            encodings.join(", "),
        ]);
    }
    let [keys, memory, share] = total_cells(&summary.totals, &summary.totals);
    table.row(["all".to_owned(), keys, memory, share]);
    table.write(out)?;
    if summary.databases.len() > 1 {
        heading(out, "Databases")?;
        let mut table = Table::new(&[
            ("database", Right),
            ("keys", Right),
            ("memory", Right),
            ("share", Right),
            ("with expiry", Right),
        ]);
        for row in &summary.databases {
            let [keys, memory, share] = total_cells(&row.totals, &summary.totals);
            table.row([row.database.to_string(), keys, memory, share, count(row.keys_with_expiry)]);
        }
        table.write(out)?;
    }
    Ok(())
}

fn key_table(keys: &[KeyRow], nodes: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut columns = vec![
        ("memory", Right),
        ("MEMORY USAGE", Right),
        ("type", Left),
        ("encoding", Left),
        ("elements", Right),
        ("largest", Right),
        ("slot", Right),
    ];
    if nodes {
        columns.push(("node", Left));
    }
    columns.push(("key", Left));
    let mut table = Table::new(&columns);
    for key in keys.iter().take(SHOWN) {
        let mut cells = vec![
            key.footprint_bytes.map_or(String::new(), bytes),
            key.size_in_bytes.map_or(String::new(), bytes),
            key.value_type.to_string(),
            key.encoding.unwrap_or_default().to_owned(),
            key.num_elements.map_or(String::new(), count),
            key.len_largest_element.map_or(String::new(), bytes),
            key.slot.to_string(),
        ];
        if nodes {
            cells.push(key.node.clone());
        }
        cells.push(name(&key.key));
        table.row(cells);
    }
    table.write(out)
}

fn biggest(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let nodes = summary.nodes.len() > 1;
    for top in &summary.biggest_of_type {
        heading(out, &format!("Biggest keys: {}", top.value_type))?;
        key_table(&top.keys, nodes, out)?;
    }
    Ok(())
}

fn patterns(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    if summary.patterns.is_empty() {
        return Ok(());
    }
    heading(out, "Patterns")?;
    let mut table = Table::new(&[
        ("memory", Right),
        ("share", Right),
        ("keys", Right),
        ("largest", Right),
        ("without expiry", Right),
        ("pattern", Left),
    ]);
    for row in summary.patterns.iter().take(2 * SHOWN) {
        table.row([
            bytes(row.footprint_bytes),
            percent(row.footprint_bytes, summary.totals.footprint_bytes),
            count(row.keys),
            bytes(row.largest_bytes),
            count(row.persistent_keys),
            name(&row.pattern),
        ]);
    }
    table.write(out)?;
    let hidden = (summary.patterns.len().saturating_sub(2 * SHOWN)) as u64 + summary.patterns_left_out.rows;
    if hidden > 0 {
        writeln!(out, "  and {} more", count(hidden))?;
    }
    Ok(())
}

fn expiry(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    heading(out, "Expiry (from when each dump was saved)")?;
    let mut table = Table::new(&[("expires", Left), ("keys", Right), ("memory", Right), ("share", Right)]);
    let rows = summary.expiry.buckets.iter().map(|bucket| (bucket.label, bucket.keys, bucket.footprint_bytes));
    let never = ("never", summary.expiry.persistent.keys, summary.expiry.persistent.footprint_bytes);
    let volatile = ("some time", summary.expiry.volatile.keys, summary.expiry.volatile.footprint_bytes);
    let some = summary.expiry.buckets.is_empty().then_some(volatile);
    for (label, keys, footprint) in std::iter::once(never).chain(some).chain(rows) {
        table.row([
            label.to_owned(),
            count(keys),
            bytes(footprint),
            percent(footprint, summary.totals.footprint_bytes),
        ]);
    }
    table.write(out)
}

fn comparisons(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    if summary.comparisons.is_empty() {
        return Ok(());
    }
    heading(out, "The same keys on")?;
    let mut table =
        Table::new(&[("server or setting", Left), ("memory", Right), ("difference", Right), ("MEMORY USAGE", Right)]);
    let difference = |theirs: u64, own: u64| match theirs.cmp(&own) {
        Ordering::Less => format!("-{}", percent(own - theirs, own)),
        Ordering::Equal => "none".to_owned(),
        Ordering::Greater => format!("+{}", percent(theirs - own, own)),
    };
    let own_of = |value_type| {
        let own = summary.types.iter().find(|row| row.value_type == value_type);
        own.map_or(0, |row| row.totals.footprint_bytes)
    };
    for row in &summary.comparisons {
        let total = difference(row.footprint_bytes, summary.totals.footprint_bytes);
        table.row([row.name.clone(), bytes(row.footprint_bytes), total, bytes(row.memory_usage_bytes)]);
        for part in &row.by_type {
            let of_type = difference(part.footprint_bytes, own_of(part.value_type));
            let name = format!("  {}", part.value_type);
            table.row([name, bytes(part.footprint_bytes), of_type, bytes(part.memory_usage_bytes)]);
        }
    }
    table.write(out)
}
