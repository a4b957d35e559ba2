//! The slots: a picture of all of them, the heaviest, and those that are not as they should be.

use super::charts::{Key, LOWEST_BAR, STANDING, part, rounded};
use super::view::{Figure, LISTED, List, Name, is_cluster};
use crate::analyze::summary::{SLOTS_PER_BIN, Summary};
use crate::units;

/// Shades of the strip of slots; each is for four times the memory of the next.
pub(super) const SHADES: [&str; 6] = ["s0", "s1", "s2", "s3", "s4", "s5"];
/// Heaviest slots that are seen at once.
pub(super) const SHOWN_SLOTS: usize = 10;
/// Cells in a row of the table of slots.
pub(super) const SLOT_COLUMNS: usize = 8;

pub(super) struct SlotsView<'s> {
    pub(super) cluster: bool,
    pub(super) bins: Vec<SlotBin>,
    pub(super) width: usize,
    pub(super) mean: f64,
    pub(super) mean_text: Figure,
    pub(super) top: Figure,
    pub(super) says: String,
    pub(super) with_keys: String,
    pub(super) legend: Vec<Key>,
    pub(super) heaviest: List<SlotView>,
    pub(super) table: Vec<(String, Vec<Figure>)>,
    pub(super) offsets: Vec<String>,
    pub(super) notes: Vec<SlotNote<'s>>,
    pub(super) missing: Vec<(&'s str, &'s str, Figure, &'s str)>,
    pub(super) misplaced: Vec<(&'s str, Name, u16)>,
}

pub(super) struct SlotBin {
    pub(super) x: usize,
    pub(super) y: f64,
    pub(super) height: f64,
    pub(super) class: &'static str,
    pub(super) shade: &'static str,
    pub(super) title: String,
}

pub(super) struct SlotView {
    pub(super) slot: u16,
    pub(super) node: Name,
    pub(super) keys: Figure,
    pub(super) memory: Figure,
    pub(super) share: Figure,
    pub(super) width: f64,
}

pub(super) struct SlotNote<'s> {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) slots: &'s str,
}

/// The class of a run of slots by its memory next to that of the fullest run.
pub(super) fn shade(bytes: u64, top: u64) -> &'static str {
    SHADES.iter().enumerate().find(|(step, _)| bytes >= top >> (2 * (step + 1))).map_or("s5", |(_, class)| class)
}

/// The class of a run of slots by how much it has over an even spread.
pub(super) fn slot_class(bytes: u64, mean: f64) -> &'static str {
    if bytes as f64 >= 4.0 * mean { "p1" } else { "p0" }
}

pub(super) fn slots_view(summary: &Summary) -> SlotsView<'_> {
    let slots = &summary.slots;
    let total = summary.totals.footprint_bytes;
    let top = slots.bins.iter().copied().max().unwrap_or(0);
    let mean = slots.bins.iter().sum::<u64>() as f64 / slots.bins.len().max(1) as f64;
    let span = |index: usize| format!("{}\u{2013}{}", index * SLOTS_PER_BIN, (index + 1) * SLOTS_PER_BIN - 1);
    let bins = slots.bins.iter().enumerate().filter(|(_, bytes)| **bytes > 0).map(|(index, &bytes)| {
        let height = rounded((bytes as f64 / top as f64 * STANDING).max(LOWEST_BAR));
        SlotBin {
            x: index,
            y: rounded(STANDING - height),
            height,
            class: slot_class(bytes, mean),
            shade: shade(bytes, top),
            title: format!("slots {}: {}", span(index), units::bytes(bytes)),
        }
    });
    let heaviest_slot = slots.heaviest.first().map_or(0, |slot| slot.footprint_bytes);
    let densest = slots.bins.iter().position(|bytes| *bytes == top).unwrap_or(0);
    let mut notes = Vec::new();
    if let Some(cluster) = &summary.cluster {
        let mut note = |label, count, slots| {
            notes.push(SlotNote {
                label,
                value: if count == 0 { "none".to_owned() } else { units::count(count) },
                slots,
            });
        };
        if cluster.owners_from == "nodes file" {
            note("Slots without a dump", cluster.uncovered_count, cluster.uncovered.as_str());
            note("Keys outside their node\u{2019}s slots", cluster.misplaced_keys, cluster.misplaced_slots.as_str());
        } else {
            note("Slots with keys in more than one dump", cluster.shared_count, cluster.shared.as_str());
        }
    }
    SlotsView {
        cluster: is_cluster(summary),
        bins: bins.collect(),
        width: slots.bins.len(),
        mean: if top == 0 { STANDING } else { rounded(STANDING - mean / top as f64 * STANDING) },
        mean_text: Figure::bytes(mean.round() as u64),
        top: Figure::bytes(top),
        says: format!(
            "Memory over the slots in runs of {SLOTS_PER_BIN}; the most, {}, lies in slots {}",
            units::bytes(top),
            span(densest)
        ),
        with_keys: units::count(slots.with_keys),
        legend: SHADES
            .iter()
            .zip(1u32..)
            .map(|(&class, step)| Key {
                class,
                label: if class == "s5" {
                    "less".to_owned()
                } else {
                    format!("from {}", units::bytes(top >> (2 * step)))
                },
            })
            .collect(),
        heaviest: List::new(&slots.heaviest, SHOWN_SLOTS, LISTED, |slot| SlotView {
            slot: slot.slot,
            node: Name::new(&slot.node),
            keys: Figure::count(slot.keys),
            memory: Figure::bytes(slot.footprint_bytes),
            share: Figure::share(slot.footprint_bytes, total),
            width: part(slot.footprint_bytes, heaviest_slot),
        }),
        table: slots
            .bins
            .chunks(SLOT_COLUMNS)
            .enumerate()
            .map(|(row, bins)| {
                (
                    (row * SLOT_COLUMNS * SLOTS_PER_BIN).to_string(),
                    bins.iter().map(|&bytes| Figure::bytes(bytes)).collect(),
                )
            })
            .collect(),
        offsets: (0..SLOT_COLUMNS).map(|column| format!("+{}", column * SLOTS_PER_BIN)).collect(),
        notes,
        missing: summary
            .cluster
            .iter()
            .flat_map(|cluster| &cluster.missing_masters)
            .map(|master| {
                (master.address.as_str(), master.id.as_str(), Figure::count(master.slots_count), master.slots.as_str())
            })
            .collect(),
        misplaced: summary
            .cluster
            .iter()
            .flat_map(|cluster| &cluster.misplaced_examples)
            .map(|key| (key.node.as_str(), Name::new(&key.key), key.slot))
            .collect(),
    }
}
