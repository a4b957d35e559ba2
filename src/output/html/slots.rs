//! The slots: a picture of all of them, the heaviest, and those that are not as they should be.

use super::charts::{Key, LOWEST_BAR, STANDING, part, rounded};
use super::view::{Figure, LISTED, List, Name, is_cluster, plural};
use crate::analyze::slots::{SLOTS_PER_BIN, SlotRow, TagRow, TagsRow};
use crate::analyze::summary::Summary;
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
    pub(super) tags: List<TagView>,
    pub(super) about_tags: Vec<String>,
    pub(super) table: SlotTable,
    /// The other measures: keys, and heat where there is any.
    pub(super) others: Vec<StripView>,
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

/// Figures by runs of slots: the first slot of each row, and its figures.
pub(super) type SlotTable = Vec<(String, Vec<Figure>)>;

/// A picture of the slots by another measure than memory.
pub(super) struct StripView {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    /// The bars as one outline.
    pub(super) path: String,
    pub(super) top: Figure,
    pub(super) mean: f64,
    pub(super) mean_text: Figure,
    pub(super) says: String,
    pub(super) table: SlotTable,
}

pub(super) struct SlotView {
    pub(super) slot: u16,
    pub(super) node: Name,
    pub(super) keys: Figure,
    pub(super) memory: Figure,
    /// Of its node.
    pub(super) share: Figure,
    pub(super) width: f64,
    pub(super) largest: Option<PartView>,
    pub(super) tag: Option<PartView>,
}

/// A key or tag of a slot.
pub(super) struct PartView {
    pub(super) name: Name,
    pub(super) memory: Figure,
    pub(super) share: Figure,
}

pub(super) struct TagView {
    pub(super) name: Name,
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
        heaviest: List::new(&slots.heaviest, SHOWN_SLOTS, LISTED, |slot| slot_view(slot, heaviest_slot)),
        tags: {
            let heaviest = slots.tags.heaviest.first().map_or(0, |tag| tag.footprint_bytes);
            List::new(&slots.tags.heaviest, SHOWN_SLOTS, LISTED, |tag| tag_view(tag, total, heaviest))
        },
        about_tags: about_tags(&slots.tags, total),
        table: table(&slots.bins, Figure::bytes),
        others: [("slots-keys", "Keys", &slots.key_bins), ("slots-heat", "Heat", &slots.heat_bins)]
            .into_iter()
            .filter(|(.., bins)| bins.iter().any(|n| *n > 0))
            .map(|(id, label, bins)| strip(id, label, bins))
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

fn table(bins: &[u64], figure: fn(u64) -> Figure) -> SlotTable {
    let row = |(row, bins): (usize, &[u64])| {
        ((row * SLOT_COLUMNS * SLOTS_PER_BIN).to_string(), bins.iter().map(|&n| figure(n)).collect())
    };
    bins.chunks(SLOT_COLUMNS).enumerate().map(row).collect()
}

fn strip(id: &'static str, label: &'static str, bins: &[u64]) -> StripView {
    let top = bins.iter().copied().max().unwrap_or(0);
    let mean = bins.iter().sum::<u64>() as f64 / bins.len().max(1) as f64;
    let mut path = format!("M0 {STANDING}");
    for bin in bins {
        let height = if *bin == 0 { 0.0 } else { (*bin as f64 / top as f64 * STANDING).max(LOWEST_BAR) };
        path.push_str(&format!("V{}h1", (10.0 * (STANDING - height)).round() / 10.0));
    }
    path.push_str(&format!("V{STANDING}z"));
    let densest = bins.iter().position(|n| *n == top).unwrap_or(0) * SLOTS_PER_BIN;
    StripView {
        id,
        label,
        path,
        top: Figure::count(top),
        mean: rounded(STANDING - mean / top.max(1) as f64 * STANDING),
        mean_text: Figure::count(mean.round() as u64),
        says: format!(
            "{label} over the slots in runs of {SLOTS_PER_BIN}; the most, {}, in slots {densest}\u{2013}{}",
            units::count(top),
            densest + SLOTS_PER_BIN - 1
        ),
        table: table(bins, Figure::count),
    }
}

fn slot_view(slot: &SlotRow, heaviest: u64) -> SlotView {
    let part_of = |text: &str, bytes: u64| PartView {
        name: Name::new(text),
        memory: Figure::bytes(bytes),
        share: Figure::share(bytes, slot.footprint_bytes),
    };
    SlotView {
        slot: slot.slot,
        node: Name::new(&slot.node),
        keys: Figure::count(slot.keys),
        memory: Figure::bytes(slot.footprint_bytes),
        share: Figure::share(slot.footprint_bytes, slot.node_bytes),
        width: part(slot.footprint_bytes, heaviest),
        largest: slot.largest_key.as_ref().map(|key| part_of(&key.key, key.footprint_bytes)),
        tag: slot.main_tag.as_ref().map(|tag| part_of(&tag.tag, tag.footprint_bytes)),
    }
}

fn tag_view(tag: &TagRow, total: u64, heaviest: u64) -> TagView {
    TagView {
        name: Name::new(&tag.tag),
        slot: tag.slot,
        node: Name::new(&tag.node),
        keys: Figure::count(tag.keys),
        memory: Figure::bytes(tag.footprint_bytes),
        share: Figure::share(tag.footprint_bytes, total),
        width: part(tag.footprint_bytes, heaviest),
    }
}

/// What is to be said of the tags: how many keys have one, and what is not known.
fn about_tags(tags: &TagsRow, total: u64) -> Vec<String> {
    if tags.keys == 0 {
        return vec!["No key has a hash tag.".to_owned()];
    }
    let mut lines = vec![format!(
        "{} with a hash tag: {} ({}), {}.",
        plural(tags.keys, "key", "keys"),
        units::bytes(tags.footprint_bytes),
        units::percent(tags.footprint_bytes, total),
        plural(tags.distinct, "different tag", "different tags"),
    )];
    if !tags.nodes_with_too_many.is_empty() {
        let nodes: Vec<String> =
            tags.nodes_with_too_many.iter().take(SHOWN_SLOTS).map(|name| Name::new(name).text).collect();
        let more = tags.nodes_with_too_many.len() - nodes.len();
        lines.push(format!(
            "More than {} different tags on {}{}: they are not told apart there, and the heaviest slots name only their largest keys.",
            units::count(tags.most_per_node),
            nodes.join(", "),
            if more > 0 { format!(" and {more} more") } else { String::new() }
        ));
    }
    if tags.long_keys > 0 {
        lines.push(format!(
            "{} with {} have a tag too long to be listed.",
            plural(tags.long_keys, "key", "keys"),
            units::bytes(tags.long_bytes)
        ));
    }
    lines
}
