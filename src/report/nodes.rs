//! The nodes, the cluster that they make, and how even it is.

use super::ReadDump;
use crate::analyze::aggregate::Aggregate;
use crate::analyze::hot::estimated_hits;
use crate::analyze::summary::*;
use crate::cluster::placement::{self, Placed};
use crate::cluster::topology::{Topology, format_ranges, ranges};
use crate::escape::Escape;

pub(super) fn node_row(fold: &Aggregate, dump: &DumpRow, node: Option<usize>, topology: Option<&Topology>) -> NodeRow {
    let slots = &fold.slots;
    let owner = topology.zip(node).map(|(topology, node)| (topology, node, &topology.nodes[node]));
    let mut by_type: Vec<NodeType> = Vec::new();
    for (value_type, _, group) in fold.groups() {
        match by_type.last_mut() {
            Some(last) if last.value_type == value_type => {
                last.keys += group.totals.keys;
                last.footprint_bytes += group.totals.footprint_bytes;
            }
            _ => by_type.push(NodeType {
                value_type,
                keys: group.totals.keys,
                footprint_bytes: group.totals.footprint_bytes,
            }),
        }
    }
    NodeRow {
        name: dump.name.clone(),
        address: owner.map(|(_, _, node)| node.address.clone()),
        id: owner.map(|(_, _, node)| node.id.clone()),
        totals: dump.totals,
        slots_with_keys: slots.iter().filter(|slot| slot.keys > 0).count() as u64,
        slots_owned: owner.map(|(_, _, node)| format_ranges(&node.slots, 8)),
        slots_owned_count: owner.map(|(_, _, node)| node.slots.iter().map(|range| range.count() as u64).sum()),
        misplaced_keys: owner.map_or(0, |(topology, node, _)| {
            slots
                .iter()
                .zip(0u16..)
                .filter(|(_, slot)| topology.owner(*slot) != Some(node))
                .map(|(slot, _)| slot.keys)
                .sum()
        }),
        by_type,
        heat: (!fold.freq.is_empty())
            .then(|| (0u64..).zip(&fold.freq).map(|(counter, (keys, _))| counter * keys).sum()),
        estimated_hits: (!fold.freq.is_empty())
            .then(|| (0u8..=255).zip(&fold.freq).map(|(counter, (keys, _))| estimated_hits(counter) * keys).sum()),
        used_memory_bytes: dump.used_memory_bytes,
    }
}

pub(super) fn cluster_row(
    dumps: &[ReadDump],
    counted: &[usize],
    placed: &[Placed],
    nodes: &[NodeRow],
    topology: Option<&Topology>,
) -> Option<ClusterRow> {
    let slots = |i: usize| &dumps[i].fold.slots;
    let Some(topology) = topology else {
        if counted.len() < 2 || !counted.iter().any(|&i| dumps[i].facts.slot_info) {
            return None;
        }
        let shared = ranges((0u16..).zip(0..slots(counted[0]).len()).filter_map(|(slot, index)| {
            (counted.iter().filter(|&&i| slots(i)[index].keys > 0).count() > 1).then_some(slot)
        }));
        return Some(ClusterRow {
            owners_from: "dumps",
            uncovered: String::new(),
            uncovered_count: 0,
            shared_count: shared.iter().map(|range| range.count() as u64).sum(),
            shared: ranges_text(&shared),
            missing_masters: Vec::new(),
            misplaced_keys: 0,
            misplaced_slots: String::new(),
            misplaced_examples: Vec::new(),
        });
    };
    let covered: Vec<usize> = counted.iter().filter_map(|&i| placed[i].node).collect();
    let uncovered = placement::uncovered(topology, &covered);
    let missing = topology.masters().filter(|(node, master)| !covered.contains(node) && !master.slots.is_empty());
    let mut misplaced = vec![false; slots_len(dumps)];
    let mut examples = Vec::new();
    for (&i, row) in counted.iter().zip(nodes) {
        let Some(node) = placed[i].node else { continue };
        for (slot, totals) in (0u16..).zip(slots(i).iter()) {
            if totals.keys > 0 && topology.owner(slot) != Some(node) {
                misplaced[usize::from(slot)] = true;
            }
        }
        let foreign = dumps[i].fold.misplaced.iter().filter(|(slot, _)| topology.owner(*slot) != Some(node));
        examples.extend(foreign.map(|(slot, key)| MisplacedKey {
            node: row.name.clone(),
            key: Escape::Utf8.text(key),
            slot: *slot,
        }));
    }
    let misplaced = ranges((0u16..).zip(misplaced).filter_map(|(slot, is)| is.then_some(slot)));
    Some(ClusterRow {
        owners_from: "nodes file",
        uncovered_count: uncovered.iter().map(|range| range.count() as u64).sum(),
        uncovered: ranges_text(&uncovered),
        shared: String::new(),
        shared_count: 0,
        missing_masters: missing
            .map(|(_, master)| MissingMaster {
                id: master.id.clone(),
                address: master.address.clone(),
                slots: format_ranges(&master.slots, 8),
                slots_count: master.slots.iter().map(|range| range.count() as u64).sum(),
            })
            .collect(),
        misplaced_keys: nodes.iter().map(|node| node.misplaced_keys).sum(),
        misplaced_slots: ranges_text(&misplaced),
        misplaced_examples: examples,
    })
}

pub(super) fn slots_len(dumps: &[ReadDump]) -> usize {
    dumps.first().map_or(0, |dump| dump.fold.slots.len())
}

pub(super) fn imbalance(nodes: &[NodeRow]) -> Option<Imbalance> {
    if nodes.len() < 2 {
        return None;
    }
    let largest = nodes.iter().max_by_key(|node| node.totals.footprint_bytes)?;
    let mean = nodes.iter().map(|node| node.totals.footprint_bytes).sum::<u64>() / nodes.len() as u64;
    let per_mille = |part: u64, whole: u64| (whole > 0).then(|| (u128::from(part) * 1000 / u128::from(whole)) as u64);
    let hits: Option<Vec<u64>> = nodes.iter().map(|node| node.estimated_hits).collect();
    Some(Imbalance {
        largest_node: largest.name.clone(),
        largest_bytes: largest.totals.footprint_bytes,
        mean_bytes: mean,
        max_to_mean_per_mille: per_mille(largest.totals.footprint_bytes, mean)?,
        causes: Vec::new(),
        estimated_hits_max_to_min_per_mille: hits.and_then(|hits| per_mille(*hits.iter().max()?, *hits.iter().min()?)),
    })
}
