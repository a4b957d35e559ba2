//! Slots that are on another node than before, and those that have changed most.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::change::Change;
use super::side::Side;
use crate::cluster::slot::SLOTS;
use crate::cluster::topology::{format_ranges, ranges};

/// Slots that moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MovedSlots {
    /// How many.
    pub slots: u64,
    /// Keys in them now.
    pub keys: u64,
    /// Their footprints now.
    pub footprint_bytes: u64,
    /// From which node to which, by bytes.
    pub moves: Vec<SlotMove>,
    /// Slots with keys on several nodes of a side: whose they are is not known without a nodes file.
    pub undecided_slots: u64,
}

/// Slots that went from one node to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotMove {
    /// Name of the node in OLD.
    pub from: String,
    /// Name of the node in NEW.
    pub to: String,
    /// Number of slots.
    pub slots: u64,
    /// Which.
    pub ranges: String,
    /// Keys in them.
    pub keys: Change,
    /// Their footprints.
    pub footprint_bytes: Change,
}

/// A slot that has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotChange {
    /// Its number.
    pub slot: u16,
    /// Nodes that have its keys, or own it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_node: Option<String>,
    #[allow(missing_docs)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_node: Option<String>,
    /// Keys in it.
    pub keys: Change,
    /// Their footprints.
    pub footprint_bytes: Change,
}

/// Whose a slot is.
enum Owner {
    Nobody,
    Node(usize),
    Several,
}

impl Side {
    fn owner(&self, slot: usize) -> Owner {
        if self.nodes.iter().any(|node| node.owns.is_some()) {
            let owner = self.nodes.iter().position(|node| node.owns.as_ref().is_some_and(|owns| owns[slot]));
            return owner.map_or(Owner::Nobody, Owner::Node);
        }
        let mut with_keys = (0..self.nodes.len()).filter(|&node| self.nodes[node].slots[slot].keys > 0);
        match (with_keys.next(), with_keys.next()) {
            (None, _) => Owner::Nobody,
            (Some(node), None) => Owner::Node(node),
            _ => Owner::Several,
        }
    }

    fn slot_sums(&self, slot: usize) -> (u64, u64) {
        let slots = self.nodes.iter().map(|node| &node.slots[slot]);
        slots.fold((0, 0), |sum, slot| {
            (u64::saturating_add(sum.0, slot.keys), u64::saturating_add(sum.1, slot.footprint_bytes))
        })
    }
}

/// The slots that moved, and the `limit` that changed most in bytes; `old_of_new` says which node is which.
pub fn compare_slots(
    old: &Side,
    new: &Side,
    old_of_new: &[Option<usize>],
    limit: usize,
) -> (MovedSlots, Vec<SlotChange>) {
    let mut moved = MovedSlots::default();
    let mut moves: BTreeMap<(usize, usize), Vec<u16>> = BTreeMap::new();
    let mut changes = Vec::new();
    for slot in 0..SLOTS {
        let at = usize::from(slot);
        let (before, after) = (old.slot_sums(at), new.slot_sums(at));
        let owners = (old.owner(at), new.owner(at));
        match owners {
            (Owner::Node(from), Owner::Node(to)) if old_of_new[to] != Some(from) && (before.0 > 0 || after.0 > 0) => {
                moves.entry((from, to)).or_default().push(slot);
            }
            (Owner::Several, _) | (_, Owner::Several) => moved.undecided_slots += 1,
            _ => {}
        }
        let footprint_bytes = Change::new(before.1, after.1);
        if footprint_bytes.change != 0 {
            let name = |side: &Side, owner: &Owner| match owner {
                Owner::Node(node) => Some(side.nodes[*node].name.clone()),
                _ => None,
            };
            changes.push(SlotChange {
                slot,
                old_node: name(old, &owners.0),
                new_node: name(new, &owners.1),
                keys: Change::new(before.0, after.0),
                footprint_bytes,
            });
        }
    }
    changes.sort_by_key(|change| (Reverse(change.footprint_bytes.size()), change.slot));
    changes.truncate(limit);
    for ((from, to), slots) in moves {
        let sums = |side: &Side| {
            slots
                .iter()
                .map(|slot| side.slot_sums(usize::from(*slot)))
                .fold((0, 0), |sum: (u64, u64), slot| (sum.0.saturating_add(slot.0), sum.1.saturating_add(slot.1)))
        };
        let (before, after) = (sums(old), sums(new));
        moved.slots += slots.len() as u64;
        moved.keys = moved.keys.saturating_add(after.0);
        moved.footprint_bytes = moved.footprint_bytes.saturating_add(after.1);
        moved.moves.push(SlotMove {
            from: old.nodes[from].name.clone(),
            to: new.nodes[to].name.clone(),
            slots: slots.len() as u64,
            ranges: format_ranges(&ranges(slots), usize::from(SLOTS)),
            keys: Change::new(before.0, after.0),
            footprint_bytes: Change::new(before.1, after.1),
        });
    }
    moved.moves.sort_by_key(|one| Reverse(one.footprint_bytes.new));
    (moved, changes)
}
