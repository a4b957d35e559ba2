//! The rebalance plan on a terminal, and as JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::runbook::runbook;
use super::table::{Align::Left, Align::Right, Table};
use super::text::{BOLD, heading, name};
use crate::analyze::rebalance::{Rebalance, SlowKey};
use crate::cluster::migrate::SlotMigration;
use crate::cluster::plan::{Evenness, Fate};
use crate::cluster::topology::format_ranges;
use crate::units::{bytes, count, duration_ms, link_speed, percent, ratio};

/// Name and version of the JSON document. Members may be added; none changes its meaning under the same version.
pub const SCHEMA: &str = "rdbscope-plan/1";
/// Keys that a list shows.
const SHOWN_KEYS: usize = 20;
/// Ranges that a row shows.
const SHOWN_RANGES: usize = 6;

#[derive(Serialize)]
struct Document<'r> {
    schema: &'static str,
    rdbscope: &'static str,
    /// Whether every dump was read to its end.
    complete: bool,
    #[serde(flatten)]
    rebalance: &'r Rebalance,
    /// The commands as a shell script.
    commands: String,
}

/// Writes the plan as one JSON document, with a newline at its end.
///
/// # Errors
/// Those of the writer.
pub fn write_json(rebalance: &Rebalance, complete: bool, out: &mut dyn Write) -> io::Result<()> {
    let rdbscope = env!("CARGO_PKG_VERSION");
    let document = Document { schema: SCHEMA, rdbscope, complete, rebalance, commands: runbook(rebalance) };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// Prints the plan: what stands in its way first, then nodes and moves.
///
/// # Errors
/// Those of the writer.
pub fn write(rebalance: &Rebalance, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{BOLD}Rebalance plan{BOLD:#}")?;
    for line in in_words(rebalance) {
        writeln!(out, "  {line}")?;
    }
    slow_keys(rebalance, out)?;
    nodes(rebalance, out)?;
    moves(rebalance, out)?;
    left_alone(rebalance, out)
}

/// What the plan does and how far it comes, line by line.
pub fn in_words(rebalance: &Rebalance) -> Vec<String> {
    let plan = &rebalance.plan;
    let largest = |at: &Evenness| {
        let to_mean = at
            .max_to_mean_per_mille
            .map_or(String::new(), |per_mille| format!(", {} the mean", ratio(per_mille as f64 / 1000.0)));
        format!("{} is the largest with {}{to_mean}", plan.nodes[at.largest].node.name, bytes(at.largest_bytes))
    };
    let mut lines = Vec::new();
    if plan.moves.is_empty() {
        lines.push("nothing needs to move".to_owned());
    } else {
        lines.push(format!(
            "{} slots move, with {} keys and {} ({} of the memory)",
            count(plan.moved.slots),
            count(plan.moved.keys),
            bytes(plan.moved.bytes),
            percent(plan.moved.bytes, plan.total_bytes())
        ));
    }
    lines.push(format!("now {}", largest(&plan.before)));
    lines.push(format!("then {}", largest(&plan.after)));
    let bound = &plan.bound;
    let slot = bound.heaviest_slot.map_or(String::new(), |slot| {
        let key = rebalance.heaviest_key.as_ref().map_or(String::new(), |key| {
            format!(", of which key {} has {}", crate::error::quoted(&key.key), bytes(key.footprint_bytes.unwrap_or(0)))
        });
        format!("slot {slot} alone has {}{key}", bytes(bound.heaviest_slot_bytes))
    });
    if bound.is_slot {
        lines.push(format!("no plan gets the largest node below {}: {slot}", bytes(bound.bytes)));
    } else {
        lines.push(format!("no plan gets the largest node below the mean, {}; {slot}", bytes(bound.bytes)));
    }
    let goal = format!("{} per cent over the mean", plan.tolerance_percent);
    if !plan.goal_reached && bound.bytes > plan.goal_bytes {
        lines.push(format!("{goal} cannot be reached: a slot cannot be divided, nor can a key: split that key first"));
    } else if !plan.goal_reached {
        lines.push(format!("{goal} was not reached: the slots are too few and too heavy for it"));
    }
    lines
}

/// How the times come about, and what they mean for the servers.
pub fn about_slow_keys(rebalance: &Rebalance) -> String {
    let model = &rebalance.migrate_model;
    let estimate = format!(
        "estimated at {}, {} ms per MB to serialise and as much to restore, {} us per element",
        link_speed(model.link_bytes_per_second),
        model.copy_us_per_megabyte as f64 / 1000.0,
        model.rebuild_ns_per_element as f64 / 1000.0
    );
    let meaning = match rebalance.migration {
        SlotMigration::SetSlot => "their slot would stay open between two nodes; split or delete them first",
        _ => {
            "these servers send slots without MIGRATE, so they do not fail, but the key is still sent and loaded whole"
        }
    };
    format!("{meaning} ({estimate})")
}

fn slow_keys(rebalance: &Rebalance, out: &mut dyn Write) -> io::Result<()> {
    if rebalance.slow_keys.is_empty() && rebalance.slow_keys_complete {
        return Ok(());
    }
    let timeout = duration_ms(rebalance.migrate_model.timeout_ms);
    heading(out, &format!("Keys that would not move within MIGRATE's {timeout}"))?;
    let mut table = Table::new(&[
        ("takes", Right),
        ("serialized", Right),
        ("elements", Right),
        ("type", Left),
        ("slot", Right),
        ("node", Left),
        ("key", Left),
    ]);
    for SlowKey { estimate_ms, key } in rebalance.slow_keys.iter().take(SHOWN_KEYS) {
        table.row([
            duration_ms(*estimate_ms),
            bytes(key.serialized_bytes),
            key.num_elements.map_or(String::new(), count),
            key.value_type.to_string(),
            key.slot.to_string(),
            key.node.clone(),
            name(&key.key),
        ]);
    }
    if !rebalance.slow_keys.is_empty() {
        table.write(out)?;
        if let more @ 1.. = rebalance.slow_keys.len().saturating_sub(SHOWN_KEYS) {
            writeln!(out, "  and {} more", count(more as u64))?;
        }
        writeln!(out, "  {}", about_slow_keys(rebalance))?;
    }
    if !rebalance.slow_keys_complete {
        writeln!(out, "  only the largest keys were looked at: there may be more")?;
    }
    Ok(())
}

fn nodes(rebalance: &Rebalance, out: &mut dyn Write) -> io::Result<()> {
    let plan = &rebalance.plan;
    heading(out, "Nodes now and then")?;
    let mut table = Table::new(&[
        ("node", Left),
        ("address", Left),
        ("memory", Right),
        ("then", Right),
        ("share", Right),
        ("then", Right),
        ("keys", Right),
        ("then", Right),
        ("slots", Right),
        ("then", Right),
        ("", Left),
    ]);
    for node in &plan.nodes {
        table.row([
            node.node.name.clone(),
            node.node.address.clone().unwrap_or_default(),
            bytes(node.before.bytes),
            bytes(node.after.bytes),
            percent(node.before.bytes, plan.total_bytes()),
            percent(node.after.bytes, plan.total_bytes()),
            count(node.before.keys),
            count(node.after.keys),
            count(node.before.slots),
            count(node.after.slots),
            match node.fate {
                Fate::Stays => String::new(),
                Fate::Joins => "joins".to_owned(),
                Fate::Leaves => "leaves".to_owned(),
            },
        ]);
    }
    table.write(out)
}

fn moves(rebalance: &Rebalance, out: &mut dyn Write) -> io::Result<()> {
    let plan = &rebalance.plan;
    if plan.moves.is_empty() {
        return Ok(());
    }
    heading(out, "Moves")?;
    let mut table = Table::new(&[
        ("from", Left),
        ("to", Left),
        ("memory", Right),
        ("keys", Right),
        ("slots", Right),
        ("which", Left),
    ]);
    for step in &plan.moves {
        table.row([
            plan.nodes[step.from].node.name.clone(),
            plan.nodes[step.to].node.name.clone(),
            bytes(step.load.bytes),
            count(step.load.keys),
            count(step.load.slots),
            format_ranges(&step.ranges, SHOWN_RANGES),
        ]);
    }
    table.write(out)?;
    let empty = match plan.moved_empty_slots {
        0 => String::new(),
        n => format!("; {} of the slots have no keys", count(n)),
    };
    writeln!(out, "  --commands prints all of it as a shell script{empty}")
}

fn left_alone(rebalance: &Rebalance, out: &mut dyn Write) -> io::Result<()> {
    if rebalance.left_alone.is_empty() && rebalance.notes.is_empty() {
        return Ok(());
    }
    heading(out, "Not in the plan")?;
    for row in &rebalance.left_alone {
        let ranges = format_ranges(&row.ranges, SHOWN_RANGES);
        writeln!(out, "  {} slots with {}: {}: {ranges}", count(row.load.slots), bytes(row.load.bytes), row.why)?;
    }
    for note in &rebalance.notes {
        writeln!(out, "  {note}")?;
    }
    Ok(())
}
