//! Hot keys and cold memory, in short.

use std::io::{self, Write};

use super::super::table::{Align::Left, Align::Right, Table};
use super::{SHOWN, heading, name};
use crate::analyze::Summary;
use crate::analyze::access::{AccessKey, AccessRow, HitsRow};
use crate::units::{bytes, count, duration_ms, duration_us, percent};

/// Hot keys that are told what to do about.
const REMEDIES: usize = 3;

pub(super) fn heat(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    if let Some(access) = &summary.access {
        logs(access, out)?;
    }
    counters(summary, out)?;
    if summary.freq.is_none() && summary.access.is_none() && summary.totals.keys > 0 {
        heading(out, "Hot keys")?;
        writeln!(out, "  not known: no access counters (maxmemory-policy is not an LFU one); give --monitor FILE")?;
    }
    remedies(summary, out)?;
    idle(summary, out)
}

fn logs(access: &AccessRow, out: &mut dyn Write) -> io::Result<()> {
    let what = if access.has_hits { "hits" } else { "slow calls" };
    heading(
        out,
        &format!("Hot keys by the logs: {} {what} on {} keys", count(access.total.hits), count(access.names)),
    )?;
    for log in &access.logs {
        let mut line = format!("  {} {}: {} commands", log.kind.as_str(), log.path, count(log.commands));
        if let Some(span_ms) = log.span_ms {
            line.push_str(&format!(" in {}", duration_ms(span_ms)));
        }
        for (n, what) in [
            (log.not_understood, "not known"),
            (log.cut_lines, "cut short"),
            (log.cut_names, "names cut by the server"),
            (log.malformed_lines, "lines not understood"),
        ] {
            if n > 0 {
                line.push_str(&format!(", {} {what}", count(n)));
            }
        }
        if let Some(first) = log.first_malformed_line {
            line.push_str(&format!(" (the first is line {first})"));
        }
        writeln!(out, "{line}")?;
    }
    if access.names_not_in_dumps > 0 {
        let (absent, all) = (count(access.names_not_in_dumps), count(access.names_looked_for));
        writeln!(out, "  {absent} of the {all} hottest names are in no dump: deleted, expired or never there")?;
    }
    if access.forgotten_names > 0 {
        writeln!(
            out,
            "  too many names: {} rare ones with {} hits were forgotten, counts may be short by {}",
            count(access.forgotten_names),
            count(access.forgotten_hits),
            count(access.short_by)
        )?;
    }
    if access.has_hits || access.slow_keys.is_empty() {
        keys(&access.keys, &access.total, out)?;
    }
    if !access.slow_keys.is_empty() {
        heading(out, "Keys with the most time in the slow log")?;
        let mut table = Table::new(&[
            ("time", Right),
            ("calls", Right),
            ("memory", Right),
            ("type", Left),
            ("node", Left),
            ("key", Left),
        ]);
        for key in access.slow_keys.iter().take(SHOWN) {
            let [memory, kind] = of_dump(key);
            let node = key.node.clone().unwrap_or_default();
            let (time, calls) = (duration_us(key.hits.slow_us), count(key.hits.slow_calls));
            table.row([time, calls, memory, kind, node, name(&key.key)]);
        }
        table.write(out)?;
    }
    if access.nodes.len() > 1 {
        heading(out, "Hits by node")?;
        let mut table = Table::new(&[("node", Left), (what, Right), ("share", Right), ("a second", Right)]);
        for node in &access.nodes {
            let share = percent(node.hits.hits, access.total.hits);
            table.row([node.node.clone(), count(node.hits.hits), share, rate(&node.hits)]);
        }
        table.write(out)?;
    }
    Ok(())
}

fn of_dump(key: &AccessKey) -> [String; 2] {
    match &key.dump {
        Some(dump) => [dump.footprint_bytes.map_or(String::new(), bytes), dump.value_type.to_string()],
        None => [String::new(), "in no dump".to_owned()],
    }
}

fn rate(hits: &HitsRow) -> String {
    hits.hits_per_second_per_mille.map_or(String::new(), |rate| format!("{:.1}", rate as f64 / 1000.0))
}

fn keys(keys: &[AccessKey], total: &HitsRow, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        ("hits", Right),
        ("share", Right),
        ("a second", Right),
        ("reads", Right),
        ("writes", Right),
        ("increments", Right),
        ("memory", Right),
        ("type", Left),
        ("slot", Right),
        ("node", Left),
        ("key", Left),
    ]);
    for key in keys.iter().take(SHOWN) {
        let [memory, kind] = of_dump(key);
        let hits = &key.hits;
        table.row([
            count(hits.hits),
            percent(hits.hits, total.hits),
            rate(hits),
            count(hits.reads),
            count(hits.writes),
            count(hits.increments),
            memory,
            kind,
            key.slot.to_string(),
            key.node.clone().unwrap_or_default(),
            name(&key.key),
        ]);
    }
    table.write(out)
}

fn counters(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let Some(freq) = &summary.freq else { return Ok(()) };
    heading(out, "Heat (access counters; hits are estimated for the default lfu-log-factor)")?;
    let mut table = Table::new(&[("counter", Left), ("keys", Right), ("memory", Right), ("hits", Right)]);
    for band in &freq.bands {
        let bucket = &band.bucket;
        let hits = percent(band.estimated_hits, freq.estimated_hits);
        table.row([bucket.label.to_owned(), count(bucket.keys), bytes(bucket.footprint_bytes), hits]);
    }
    table.write(out)?;
    let mut table = Table::new(&[
        ("counter", Right),
        ("hits", Right),
        ("share", Right),
        ("memory", Right),
        ("type", Left),
        ("node", Left),
        ("key", Left),
    ]);
    for hot in freq.hottest.iter().take(SHOWN) {
        let key = &hot.key;
        table.row([
            key.freq.map_or(String::new(), |freq| freq.to_string()),
            count(hot.estimated_hits),
            percent(hot.estimated_hits, freq.estimated_hits),
            key.footprint_bytes.map_or(String::new(), bytes),
            key.value_type.to_string(),
            key.node.clone(),
            name(&key.key),
        ]);
    }
    table.write(out)
}

fn remedies(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    if summary.hot_keys.remedies.is_empty() {
        return Ok(());
    }
    heading(out, "What to do about the hottest (the page and --json have more)")?;
    for remedy in summary.hot_keys.remedies.iter().take(REMEDIES) {
        writeln!(out, "  {}: {}", name(&remedy.key), remedy.why)?;
        for step in &remedy.steps {
            let gap = if step.command.is_empty() { "" } else { ": " };
            writeln!(out, "    - {}{gap}{}", step.command, step.text)?;
        }
        for row in &remedy.names {
            writeln!(out, "      {}  slot {} on {}", name(&row.key), row.slot, row.node)?;
        }
        if let Some(note) = &remedy.note {
            writeln!(out, "    {note}")?;
        }
    }
    Ok(())
}

fn idle(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let Some(idle) = &summary.idle else { return Ok(()) };
    heading(out, "Idle time")?;
    let mut table = Table::new(&[("last access", Left), ("keys", Right), ("memory", Right)]);
    for bucket in idle {
        table.row([bucket.label.to_owned(), count(bucket.keys), bytes(bucket.footprint_bytes)]);
    }
    table.write(out)?;
    let Some(cold) = summary.cold.as_ref().filter(|cold| !cold.keys.is_empty()) else { return Ok(()) };
    heading(out, "Coldest keys (most memory times days idle)")?;
    let mut table = Table::new(&[("memory", Right), ("idle", Right), ("type", Left), ("node", Left), ("key", Left)]);
    for row in cold.keys.iter().take(SHOWN) {
        let key = &row.key;
        table.row([
            key.footprint_bytes.map_or(String::new(), bytes),
            key.idle_seconds.map_or(String::new(), |seconds| duration_ms(seconds.saturating_mul(1000))),
            key.value_type.to_string(),
            key.node.clone(),
            name(&key.key),
        ]);
    }
    table.write(out)
}
