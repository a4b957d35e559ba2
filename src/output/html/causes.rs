//! Why nodes differ, and what more nodes would change.

use super::view::{Figure, Name, sentence};
use crate::analyze::causes::NodeCauses;
use crate::analyze::summary::Summary;
use crate::error::quoted;
use crate::units;

pub(super) struct CauseView {
    pub(super) name: Name,
    pub(super) difference: Figure,
    pub(super) words: String,
    pub(super) patterns: String,
}

pub(super) struct ScaledView {
    pub(super) nodes: Figure,
    pub(super) mean: Figure,
    pub(super) largest: Figure,
    pub(super) why: String,
}

pub(super) fn causes_view(summary: &Summary) -> Vec<CauseView> {
    summary.imbalance.iter().flat_map(|imbalance| &imbalance.causes).map(cause_view).collect()
}

fn cause_view(causes: &NodeCauses) -> CauseView {
    let patterns: Vec<String> = causes
        .patterns
        .iter()
        .map(|row| format!("{} of {}", units::bytes(row.bytes.unsigned_abs()), quoted(&row.pattern)))
        .collect();
    let more = if causes.difference_bytes > 0 { "more" } else { "less" };
    CauseView {
        name: Name::new(&causes.node),
        difference: Figure::signed(causes.difference_bytes),
        words: sentence(&causes.in_words()),
        patterns: if patterns.is_empty() {
            String::new()
        } else {
            format!("By pattern it has {} {more} than the mean.", patterns.join(", "))
        },
    }
}

pub(super) fn scaled_view(summary: &Summary) -> Vec<ScaledView> {
    let rows = summary.rebalance.iter().flat_map(|rebalance| &rebalance.scaling);
    rows.map(|row| ScaledView {
        nodes: Figure::count(row.nodes),
        mean: Figure::bytes(row.mean_bytes),
        largest: Figure::bytes(row.largest_bytes),
        why: row.bound_slot.map_or(String::new(), |slot| why(summary, slot)),
    })
    .collect()
}

/// What in the slot it is that cannot be divided.
fn why(summary: &Summary, slot: u16) -> String {
    let Some(row) = summary.slots.heaviest.iter().find(|row| row.slot == slot) else {
        return format!("Slot {slot} alone is more than the mean.");
    };
    let most = |part: u64| part >= row.footprint_bytes / 10 * 9;
    let within = match (&row.largest_key, &row.main_tag) {
        (Some(key), _) if most(key.footprint_bytes) => format!(" in one key, {}", quoted(&key.key)),
        (_, Some(tag)) if most(tag.footprint_bytes) => format!(" under one hash tag, {}", quoted(&tag.tag)),
        _ => String::new(),
    };
    format!("Slot {slot} alone holds {}{within}.", units::bytes(row.footprint_bytes))
}
