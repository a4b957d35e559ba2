//! The rebalance plan: what stands in its way, the nodes before and after, the moves, and the commands for them.

use super::charts::part;
use super::keys::{KeyView, key_view};
use super::nodes::NODE_BARS;
use super::view::{Figure, LISTED, List, Name, SHOWN, sentence};
use crate::analyze::Rebalance;
use crate::analyze::summary::Summary;
use crate::cluster::migrate::SlotMigration;
use crate::cluster::plan::{Fate, Load, PlannedNode};
use crate::cluster::topology::format_ranges;
use crate::output::plan::{about_slow_keys, in_words};
use crate::output::runbook::runbook;
use crate::units;

/// Ranges of slots that a row shows.
const SHOWN_RANGES: usize = 6;
/// Bytes of commands that the page takes.
const COMMANDS_SHOWN: usize = 128 << 10;

pub(super) struct PlanSection {
    pub(super) plan: Option<PlanView>,
    pub(super) why_none: &'static str,
}

pub(super) struct PlanView {
    pub(super) words: Vec<String>,
    pub(super) timeout: String,
    pub(super) about_slow: String,
    pub(super) slow: List<SlowView>,
    pub(super) slow_complete: bool,
    pub(super) bars: Vec<PairView>,
    pub(super) bars_left_out: usize,
    /// Where the mean of the nodes then stands, in per cent.
    pub(super) mean: f64,
    pub(super) any_address: bool,
    pub(super) nodes: List<PlannedView>,
    pub(super) moves: List<MoveView>,
    pub(super) empty_slots: String,
    pub(super) left_alone: Vec<AloneView>,
    pub(super) notes: Vec<String>,
    pub(super) migration: &'static str,
    pub(super) commands: String,
}

pub(super) struct SlowView {
    pub(super) key: KeyView,
    pub(super) takes: Figure,
}

/// A node now and then, one bar above the other.
pub(super) struct PairView {
    pub(super) label: String,
    pub(super) now: f64,
    pub(super) then: f64,
    pub(super) value: String,
    pub(super) says: String,
}

pub(super) struct PlannedView {
    pub(super) name: Name,
    pub(super) address: String,
    pub(super) fate: &'static str,
    /// Memory, share, keys and slots, each now and then.
    pub(super) figures: [(Figure, Figure); 4],
}

pub(super) struct MoveView {
    pub(super) from: Name,
    pub(super) to: Name,
    pub(super) memory: Figure,
    pub(super) keys: Figure,
    pub(super) slots: Figure,
    pub(super) which: String,
}

pub(super) struct AloneView {
    pub(super) why: String,
    pub(super) memory: Figure,
    pub(super) keys: Figure,
    pub(super) slots: Figure,
    pub(super) which: String,
}

pub(super) fn plan_section(summary: &Summary) -> PlanSection {
    let why_none = match summary.nodes.len() {
        0 => "No dump counts, so there is nothing to plan.",
        1 => "There is one node, so there is nothing to move. With --nodes-target, this section says how to spread it.",
        _ => {
            "The dumps are not of one cluster, as far as they tell. With --nodes, which says who owns which slots, there is a plan."
        }
    };
    PlanSection { plan: summary.rebalance.as_ref().map(plan_view), why_none }
}

fn plan_view(rebalance: &Rebalance) -> PlanView {
    let plan = &rebalance.plan;
    let total = plan.total_bytes();
    let name = |node: usize| Name::new(&plan.nodes[node].node.name);
    let top = plan.before.largest_bytes.max(plan.after.largest_bytes).max(plan.after.mean_bytes);
    let commands = runbook(rebalance);
    let mut charted: Vec<&PlannedNode> = plan.nodes.iter().collect();
    if charted.len() > NODE_BARS {
        charted.sort_by_key(|node| std::cmp::Reverse(node.before.bytes.max(node.after.bytes)));
        charted.truncate(NODE_BARS);
    }
    PlanView {
        words: in_words(rebalance).iter().map(|line| sentence(line)).collect(),
        timeout: units::duration_ms(rebalance.migrate_model.timeout_ms),
        about_slow: sentence(&about_slow_keys(rebalance)),
        slow: List::new(&rebalance.slow_keys, SHOWN, LISTED, |slow| SlowView {
            key: key_view(&slow.key, 0.0),
            takes: Figure::duration(slow.estimate_ms),
        }),
        slow_complete: rebalance.slow_keys_complete,
        bars: charted.iter().map(|node| pair_view(node, top)).collect(),
        bars_left_out: plan.nodes.len() - charted.len(),
        mean: part(plan.after.mean_bytes, top),
        any_address: plan.nodes.iter().any(|node| node.node.address.is_some()),
        nodes: List::new(&plan.nodes, SHOWN, usize::MAX, |node| planned_view(node, total)),
        moves: List::new(&plan.moves, SHOWN, LISTED, |step| MoveView {
            from: name(step.from),
            to: name(step.to),
            memory: Figure::bytes(step.load.bytes),
            keys: Figure::count(step.load.keys),
            slots: Figure::count(step.load.slots),
            which: format_ranges(&step.ranges, SHOWN_RANGES),
        }),
        empty_slots: match plan.moved_empty_slots {
            0 => String::new(),
            n => format!("{} of the slots that move {} no keys.", units::count(n), if n == 1 { "has" } else { "have" }),
        },
        left_alone: rebalance
            .left_alone
            .iter()
            .map(|row| AloneView {
                why: sentence(row.why),
                memory: Figure::bytes(row.load.bytes),
                keys: Figure::count(row.load.keys),
                slots: Figure::count(row.load.slots),
                which: format_ranges(&row.ranges, SHOWN_RANGES),
            })
            .collect(),
        notes: rebalance.notes.iter().map(|note| sentence(note)).collect(),
        migration: match rebalance.migration {
            SlotMigration::MigrateSlots => "These servers move slots whole, with CLUSTER MIGRATESLOTS.",
            SlotMigration::MigrationImport => "These servers move slots whole, with CLUSTER MIGRATION IMPORT.",
            SlotMigration::SetSlot => "Slot by slot, with CLUSTER SETSLOT and MIGRATE.",
        },
        commands: if commands.len() > COMMANDS_SHOWN { String::new() } else { commands },
    }
}

fn pair_view(node: &PlannedNode, top: u64) -> PairView {
    let label = Name::new(&node.node.name).text;
    let (now, then) = (node.before.bytes, node.after.bytes);
    let value =
        if now == then { units::bytes(now) } else { format!("{} \u{2192} {}", units::bytes(now), units::bytes(then)) };
    PairView {
        says: format!("{label}: {} now, {} then", units::bytes(now), units::bytes(then)),
        label,
        now: part(now, top),
        then: part(then, top),
        value,
    }
}

fn planned_view(node: &PlannedNode, total: u64) -> PlannedView {
    let pair = |figure: &dyn Fn(&Load) -> Figure| (figure(&node.before), figure(&node.after));
    PlannedView {
        name: Name::new(&node.node.name),
        address: node.node.address.clone().unwrap_or_default(),
        fate: match node.fate {
            Fate::Stays => "",
            Fate::Joins => "joins",
            Fate::Leaves => "leaves",
        },
        figures: [
            pair(&|load| Figure::bytes(load.bytes)),
            pair(&|load| Figure::share(load.bytes, total)),
            pair(&|load| Figure::count(load.keys)),
            pair(&|load| Figure::count(load.slots)),
        ],
    }
}
