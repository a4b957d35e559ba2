//! Which node owns which slot, as far as the nodes file or the dumps tell.

use super::ReadDump;
use crate::analyze::aggregate::SlotTotals;
use crate::analyze::pieces::SlotOwners;
use crate::cluster::placement::Placed;
use crate::cluster::slot::SLOTS;
use crate::cluster::topology::Topology;

/// The owners of slots, known or not.
pub(super) struct Owners {
    /// Nodes that own any.
    pub(super) names: Vec<String>,
    of: Vec<Option<usize>>,
    /// Why none is known.
    pub(super) unknown: Option<&'static str>,
    /// Whether a nodes file tells, not the dumps.
    pub(super) is_from_nodes_file: bool,
}

impl Owners {
    /// By the nodes file, or by who has keys where. `is_cluster` says whether the only dump is of a cluster.
    pub(super) fn new(
        dumps: &[ReadDump],
        counted: &[usize],
        placed: &[Placed],
        topology: Option<&Topology>,
        is_cluster: bool,
    ) -> Owners {
        let name = |dump: usize| dumps[dump].name.clone();
        if let Some(topology) = topology {
            return Owners::of_topology(topology, |master| {
                counted.iter().find(|&&dump| placed[dump].node == Some(master)).map(|&dump| name(dump))
            });
        }
        let slots: Vec<&[SlotTotals]> = counted.iter().map(|&dump| &*dumps[dump].fold.slots).collect();
        let (mut of, mut shared, mut with_keys) = (Vec::new(), 0u32, 0u32);
        for slot in (0..SLOTS).map(usize::from) {
            let mut holders = (0..counted.len()).filter(|dump| slots[*dump][slot].keys > 0);
            let (first, second) = (holders.next(), holders.next());
            with_keys += u32::from(first.is_some());
            shared += u32::from(second.is_some());
            of.push(if second.is_some() { None } else { first });
        }
        if counted.len() == 1 && !is_cluster {
            of.fill(Some(0));
        }
        let unknown = match counted.len() {
            0 => Some("no dump could be read"),
            _ if shared * 2 > with_keys => {
                Some("the dumps have keys in the same slots, so they are not of one cluster; give --nodes if they are")
            }
            _ => None,
        };
        if unknown.is_some() {
            of.fill(None);
        }
        Owners { names: counted.iter().map(|&dump| name(dump)).collect(), of, unknown, is_from_nodes_file: false }
    }

    fn of_topology(topology: &Topology, name: impl Fn(usize) -> Option<String>) -> Owners {
        let masters: Vec<usize> =
            topology.masters().filter(|(_, node)| !node.slots.is_empty()).map(|(master, _)| master).collect();
        let place = |slot| masters.iter().position(|master| topology.owner(slot) == Some(*master));
        Owners {
            of: (0..SLOTS).map(place).collect(),
            names: masters
                .iter()
                .map(|&master| name(master).unwrap_or_else(|| topology.nodes[master].address.clone()))
                .collect(),
            unknown: None,
            is_from_nodes_file: true,
        }
    }

    /// Nobody is known, because of this.
    pub(super) fn unknown(why: &'static str) -> Owners {
        Owners { names: Vec::new(), of: vec![None; usize::from(SLOTS)], unknown: Some(why), is_from_nodes_file: false }
    }

    /// For where the pieces of a key would lie.
    pub(super) fn of_slots(&self) -> SlotOwners {
        SlotOwners { nodes: self.names.clone(), owners: self.of.clone() }
    }

    /// The owner of a slot, by its place among the names.
    pub(super) fn of(&self, slot: u16) -> Option<usize> {
        self.of.get(usize::from(slot)).copied().flatten()
    }

    /// The name of the owner of a slot.
    pub(super) fn name_of(&self, slot: u16) -> Option<String> {
        self.of(slot).map(|node| self.names[node].clone())
    }
}
