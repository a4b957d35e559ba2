//! Why nodes are far from the mean: the difference taken apart into keys, hash tags, slots and their number.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::analyze::Aggregate;
use crate::analyze::causes::{Cause, CausePart, NodeCauses, PatternDifference};
use crate::analyze::pattern::Pattern;
use crate::analyze::slots::NodeSums;
use crate::analyze::summary::{PatternRow, pattern_text};
use crate::cluster::slot::hash_tag;
use crate::escape::Escape;

/// A node is far from the mean from so many per cent of it on.
const FAR_PERCENT: u64 = 10;
/// Nodes that are explained.
const NODES: usize = 8;
/// What is less than so many per cent of the difference is part of the rest, and what is less than so many of the mean is not
/// looked at by itself.
const PART_PERCENT: u64 = 5;
const WEIGHT_PERCENT: u64 = 1;
/// Weights of a kind on a node, and parts of a difference.
const KEYS: usize = 5;
const TAGS: usize = 3;
const SLOTS: usize = 3;
const PARTS: usize = 6;
const PATTERNS: usize = 3;

/// No part is above this; stored sums can be forged.
const MOST: i64 = 1 << 60;

/// The causes of a node, and the patterns of its keys.
pub(super) struct Explained {
    causes: NodeCauses,
    patterns: Vec<Pattern>,
}

/// Explains the nodes that are far from the mean, the farthest first.
pub(super) fn explained(nodes: &[NodeSums<'_>]) -> Vec<Explained> {
    let bytes: Vec<u64> = nodes.iter().map(|(_, node)| node.totals().footprint_bytes).collect();
    let Some(mean) = bytes.iter().sum::<u64>().checked_div(nodes.len() as u64) else { return Vec::new() };
    let off = |i: usize| bytes[i].abs_diff(mean);
    let mut far: Vec<usize> = (0..nodes.len()).filter(|&i| off(i) > 0 && off(i) >= mean / 100 * FAR_PERCENT).collect();
    far.sort_by_key(|&i| (Reverse(off(i)), i));
    far.truncate(NODES);
    if far.is_empty() || nodes.len() < 2 {
        return Vec::new();
    }
    let typical = Typical {
        slot_bytes: median_slot(nodes),
        slots: nodes.iter().map(|(_, node)| slots_with_keys(node)).sum::<u64>() / nodes.len() as u64,
    };
    let least = mean.div_ceil(100) * WEIGHT_PERCENT;
    let weights: Vec<Weight> =
        nodes.iter().enumerate().flat_map(|(i, node)| weights(i, *node, typical.slot_bytes, least)).collect();
    far.into_iter()
        .map(|i| {
            let (name, node) = nodes[i];
            let difference = bytes[i] as i64 - mean as i64;
            Explained {
                causes: NodeCauses {
                    node: name.to_owned(),
                    difference_bytes: difference,
                    parts: parts(i, slots_with_keys(node), difference, &weights, &typical, nodes.len() as u64),
                    patterns: Vec::new(),
                },
                patterns: node.patterns.clone().finish(),
            }
        })
        .collect()
}

fn slots_with_keys(node: &Aggregate) -> u64 {
    node.slots.iter().filter(|slot| slot.keys > 0).count() as u64
}

/// What a slot holds, and how many a node has.
struct Typical {
    slot_bytes: u64,
    slots: u64,
}

/// Bytes that half of the slots with keys do not exceed: unlike the mean, no single key moves it.
fn median_slot(nodes: &[NodeSums<'_>]) -> u64 {
    let mut slots: Vec<u64> = nodes
        .iter()
        .flat_map(|(_, node)| node.slots.iter().filter(|slot| slot.keys > 0).map(|slot| slot.footprint_bytes))
        .collect();
    let middle = slots.len() / 2;
    if slots.is_empty() { 0 } else { *slots.select_nth_unstable(middle).1 }
}

/// Something heavy on one node. No byte is in two of them.
struct Weight {
    node: usize,
    bytes: u64,
    cause: Cause,
}

/// The difference of a node to the mean is the sum of what each weight differs from its own mean over the nodes: where it is, it
/// counts for its bytes less the share of them that raises the mean, and elsewhere for that share.
fn parts(
    node: usize,
    with_keys: u64,
    difference: i64,
    weights: &[Weight],
    typical: &Typical,
    nodes: u64,
) -> Vec<CausePart> {
    let least = difference.unsigned_abs().div_ceil(100) * PART_PERCENT;
    let told = |bytes: i64| bytes.signum() == difference.signum() && bytes.unsigned_abs() >= least;
    let mut parts: Vec<CausePart> = weights
        .iter()
        .map(|weight| {
            let raises = (weight.bytes / nodes) as i64;
            let bytes = if weight.node == node { weight.bytes as i64 - raises } else { -raises };
            CausePart { bytes, cause: weight.cause.clone() }
        })
        .filter(|part| told(part.bytes))
        .collect();
    parts.sort_by_key(|part| Reverse(part.bytes.unsigned_abs()));
    parts.truncate(PARTS);
    let slots = with_keys as i64 - typical.slots as i64;
    let bytes = slots.saturating_mul(typical.slot_bytes as i64).clamp(-MOST, MOST);
    if told(bytes) {
        parts.push(CausePart { bytes, cause: Cause::SlotCount { slots } });
    }
    let rest = difference - parts.iter().map(|part| part.bytes).sum::<i64>();
    if rest != 0 {
        parts.push(CausePart { bytes: rest, cause: Cause::Rest { slots: with_keys } });
    }
    parts
}

/// The single keys of a node, then its tags without those, then its slots without either.
fn weights(number: usize, (name, node): NodeSums<'_>, slot_bytes: u64, least: u64) -> Vec<Weight> {
    let least = least.max(1);
    let mut weights = Vec::new();
    let mut add = |bytes: u64, cause: Cause| weights.push(Weight { node: number, bytes, cause });
    // What is named of a slot already, and of a tag.
    let mut of_slot: BTreeMap<u16, u64> = BTreeMap::new();
    let mut of_tag: BTreeMap<u16, u64> = BTreeMap::new();
    for key in node.biggest().into_sorted().into_iter().take(KEYS) {
        let bytes = key.footprint_bytes.unwrap_or(0);
        if bytes < least {
            break;
        }
        *of_slot.entry(key.slot).or_default() += bytes;
        // By slot, as names may be hidden; there are hardly two heavy tags in one.
        if hash_tag(&key.key).is_some() {
            *of_tag.entry(key.slot).or_default() += bytes;
        }
        add(
            bytes,
            Cause::Key { key: Escape::Utf8.text(&key.key), slot: key.slot, node: name.to_owned(), of_bytes: bytes },
        );
    }
    let mut tags: Vec<(u64, &[u8], u16)> = node
        .contents
        .heaviest_tags
        .iter()
        .filter(|sums| sums.keys > 1)
        .map(|sums| {
            let named = of_tag.get(&sums.slot).copied().unwrap_or(0);
            (sums.footprint_bytes.saturating_sub(named), &*sums.tag, sums.slot)
        })
        .collect();
    tags.sort_by_key(|(bytes, tag, _)| (Reverse(*bytes), *tag));
    for (bytes, tag, slot) in tags.into_iter().take(TAGS).take_while(|(bytes, ..)| *bytes >= least.max(slot_bytes)) {
        *of_slot.entry(slot).or_default() += bytes;
        add(bytes, Cause::Tag { tag: Escape::Utf8.text(tag), slot, node: name.to_owned(), of_bytes: bytes });
    }
    // Of other slots only what is above an ordinary one.
    let mut slots: Vec<(u64, u16)> = (0u16..)
        .zip(&node.slots)
        .map(|(number, slot)| {
            let named = of_slot.get(&number).copied().unwrap_or(0) + slot_bytes;
            (slot.footprint_bytes.saturating_sub(named), number)
        })
        .collect();
    slots.sort_unstable_by_key(|(bytes, slot)| (Reverse(*bytes), *slot));
    for (bytes, slot) in slots.into_iter().take(SLOTS).take_while(|(bytes, _)| *bytes >= least) {
        add(bytes, Cause::Slot { slot, node: name.to_owned(), of_bytes: bytes });
    }
    weights
}

/// The causes with the patterns that differ most; `all` are those of all so many nodes together.
pub(super) fn with_patterns(explained: Vec<Explained>, all: &[PatternRow], nodes: u64) -> Vec<NodeCauses> {
    let whole: BTreeMap<&str, u64> = all.iter().map(|row| (row.pattern.as_str(), row.footprint_bytes)).collect();
    explained
        .into_iter()
        .map(|Explained { mut causes, patterns }| {
            let least = causes.difference_bytes.unsigned_abs() / 100 * PART_PERCENT;
            let own: BTreeMap<String, u64> = patterns
                .into_iter()
                .map(|pattern| (pattern_text(&pattern.text, pattern.named.is_some()), pattern.stats.memory_bytes))
                .collect();
            // A pattern of the node that all nodes together do not have is part of a wider one there.
            let differences = own.into_iter().filter_map(|(pattern, bytes)| {
                let mean = whole.get(pattern.as_str())? / nodes.max(1);
                Some(PatternDifference { bytes: bytes as i64 - mean as i64, pattern })
            });
            causes.patterns = differences
                .filter(|row| row.bytes.signum() == causes.difference_bytes.signum())
                .filter(|row| row.bytes.unsigned_abs() >= least.max(1))
                .collect();
            causes
                .patterns
                .sort_by(|a, b| (b.bytes.unsigned_abs(), &a.pattern).cmp(&(a.bytes.unsigned_abs(), &b.pattern)));
            causes.patterns.truncate(PATTERNS);
            causes
        })
        .collect()
}
