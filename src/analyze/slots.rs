//! The slots of a summary: memory, keys and heat over all of them, the heaviest, and what fills them.

use std::cmp::Reverse;

use serde::Serialize;

use super::aggregate::{Aggregate, SlotTotals};
use super::contents::{Counted, MAX_TAGS, TagSums};
use crate::escape::Escape;

/// Slots in a bin of [`SlotsRow::bins`].
pub const SLOTS_PER_BIN: usize = 64;

/// The slots.
#[derive(Clone, Debug, Serialize)]
pub struct SlotsRow {
    /// Slots that have keys.
    pub with_keys: u64,
    /// Footprints summed over runs of [`SLOTS_PER_BIN`] slots.
    pub bins: Vec<u64>,
    /// Keys likewise.
    pub key_bins: Vec<u64>,
    /// Access counters likewise; empty where no dump has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heat_bins: Vec<u64>,
    /// The heaviest slots.
    pub heaviest: Vec<SlotRow>,
    /// The hash tags.
    pub tags: TagsRow,
}

/// A slot.
#[derive(Clone, Debug, Serialize)]
pub struct SlotRow {
    /// Its number.
    pub slot: u16,
    /// Node whose dump has its keys (the first that has).
    pub node: String,
    /// Memory of all keys of that node.
    pub node_bytes: u64,
    /// Keys in it.
    pub keys: u64,
    /// Their footprints.
    pub footprint_bytes: u64,
    /// Its largest key, if that has [`LARGE_KEY_BYTES`](super::contents::LARGE_KEY_BYTES) or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_key: Option<SlotKeyRow>,
    /// Its heaviest hash tag, if that has several keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_tag: Option<TagRow>,
}

/// The largest key of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotKeyRow {
    /// Its name, or the beginning of it with `...`.
    pub key: String,
    /// Its footprint.
    pub footprint_bytes: u64,
}

/// The keys with a hash tag on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TagRow {
    /// The tag, without its braces.
    pub tag: String,
    /// The slot that it gathers its keys in.
    pub slot: u16,
    /// The node.
    pub node: String,
    /// Keys with it.
    pub keys: u64,
    /// Their footprints.
    pub footprint_bytes: u64,
}

/// Hash tags.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TagsRow {
    /// Keys that have one.
    pub keys: u64,
    /// Their footprints.
    pub footprint_bytes: u64,
    /// Different ones, summed over the nodes; those of the nodes below and long ones are not counted.
    pub distinct: u64,
    /// Nodes with more than `most_per_node`: nothing is known of their tags.
    pub nodes_with_too_many: Vec<String>,
    /// How many tags of a node are told apart.
    pub most_per_node: u64,
    /// Keys with a tag that is too long to be listed.
    pub long_keys: u64,
    /// Their footprints.
    pub long_bytes: u64,
    /// Those of several keys that gather most memory.
    pub heaviest: Vec<TagRow>,
}

/// A node by its name, with what was gathered from its dump.
pub type NodeSums<'s> = (&'s str, &'s Aggregate);

/// The slots, summed over nodes; so many of the heaviest, and of the tags that gather most.
pub fn slots_row(nodes: &[NodeSums<'_>], heaviest: usize, tags: usize) -> SlotsRow {
    let count = nodes.first().map_or(0, |(_, node)| node.slots.len());
    let mut sums = vec![SlotTotals::default(); count];
    for (_, node) in nodes {
        for (sum, slot) in sums.iter_mut().zip(&node.slots) {
            sum.keys += slot.keys;
            sum.footprint_bytes += slot.footprint_bytes;
            sum.estimated_hits += slot.estimated_hits;
        }
    }
    let mut order: Vec<usize> = (0..count).filter(|slot| sums[*slot].keys > 0).collect();
    let with_keys = order.len() as u64;
    order.sort_by_key(|slot| (Reverse(sums[*slot].footprint_bytes), *slot));
    order.truncate(heaviest);
    let bins = |part: fn(&SlotTotals) -> u64| -> Vec<u64> {
        sums.chunks(SLOTS_PER_BIN).map(|bin| bin.iter().map(part).sum()).collect()
    };
    let has_heat = nodes.iter().any(|(_, node)| !node.freq.is_empty());
    SlotsRow {
        with_keys,
        bins: bins(|slot| slot.footprint_bytes),
        key_bins: bins(|slot| slot.keys),
        heat_bins: if has_heat { bins(|slot| slot.estimated_hits) } else { Vec::new() },
        heaviest: order.into_iter().map(|slot| slot_row(nodes, slot as u16, &sums[slot])).collect(),
        tags: tags_row(nodes, tags),
    }
}

fn slot_row(nodes: &[NodeSums<'_>], slot: u16, sum: &SlotTotals) -> SlotRow {
    let holders = || nodes.iter().filter(|(_, node)| node.slots[usize::from(slot)].keys > 0);
    let (name, node_bytes) =
        holders().next().map_or((String::new(), 0), |(name, node)| ((*name).to_owned(), node.totals().footprint_bytes));
    let largest = holders().filter_map(|(_, node)| node.contents.largest.get(&slot));
    let tags = holders()
        .filter_map(|(name, node)| Some(tag_row(name, node.contents.main_tag(slot).filter(|sums| sums.keys > 1)?)));
    SlotRow {
        slot,
        node: name,
        node_bytes,
        keys: sum.keys,
        footprint_bytes: sum.footprint_bytes,
        largest_key: largest
            .max_by_key(|key| (key.footprint_bytes, Reverse(&key.name)))
            .map(|key| SlotKeyRow { key: key_text(&key.name, key.is_cut), footprint_bytes: key.footprint_bytes }),
        main_tag: tags.max_by_key(|tag| (tag.footprint_bytes, Reverse(tag.tag.clone()))),
    }
}

/// The text of a name that may be cut.
pub fn key_text(name: &[u8], is_cut: bool) -> String {
    format!("{}{}", Escape::Utf8.text(name), if is_cut { "..." } else { "" })
}

fn tag_row(node: &str, sums: &TagSums) -> TagRow {
    TagRow {
        tag: Escape::Utf8.text(&sums.tag),
        slot: sums.slot,
        node: node.to_owned(),
        keys: sums.keys,
        footprint_bytes: sums.footprint_bytes,
    }
}

fn tags_row(nodes: &[NodeSums<'_>], listed: usize) -> TagsRow {
    let sum = |part: fn(&Aggregate) -> Counted| {
        nodes
            .iter()
            .map(|(_, node)| part(node))
            .fold((0, 0), |(keys, bytes), counted| (keys + counted.keys, bytes + counted.footprint_bytes))
    };
    let (keys, footprint_bytes) = sum(|node| node.contents.tagged);
    let (long_keys, long_bytes) = sum(|node| node.contents.long_tags);
    // Each node's are sorted: no more of it than are listed can be among the first.
    let mut heaviest: Vec<TagRow> = nodes
        .iter()
        .flat_map(|(name, node)| {
            let gathering = node.contents.heaviest_tags.iter().filter(|sums| sums.keys > 1);
            gathering.take(listed).map(|sums| tag_row(name, sums))
        })
        .collect();
    heaviest.sort_by(|a, b| b.footprint_bytes.cmp(&a.footprint_bytes).then_with(|| a.tag.cmp(&b.tag)));
    heaviest.truncate(listed);
    TagsRow {
        keys,
        footprint_bytes,
        distinct: nodes.iter().map(|(_, node)| node.contents.distinct_tags).sum(),
        nodes_with_too_many: nodes
            .iter()
            .filter(|(_, node)| node.contents.too_many_tags)
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        most_per_node: MAX_TAGS as u64,
        long_keys,
        long_bytes,
        heaviest,
    }
}
