//! Who owns which slots, by the nodes file or by the dumps.

use super::ReadDump;
use crate::analyze::pieces::SlotOwners;
use crate::cluster::placement::Placed;
use crate::cluster::slot::SLOTS;
use crate::cluster::topology::{ClusterNode, Topology};

/// The owners of a cluster's slots. Without a nodes file, a slot is that of the one dump that has keys in it.
pub(super) fn slot_owners(
    dumps: &[ReadDump],
    counted: &[usize],
    placed: &[Placed],
    topology: Option<&Topology>,
) -> SlotOwners {
    let Some(topology) = topology else {
        let has_keys = |dump: usize, slot: u16| dumps[dump].fold.slots[usize::from(slot)].keys > 0;
        let owner = |slot: u16| {
            let mut holders = (0..counted.len()).filter(|&node| has_keys(counted[node], slot));
            holders.next().filter(|_| holders.next().is_none())
        };
        let nodes = counted.iter().map(|&dump| dumps[dump].name.clone()).collect();
        return SlotOwners { nodes, owners: (0..SLOTS).map(owner).collect() };
    };
    // A node goes by the name of its dump, where there is one.
    let name = |(node, of_file): (usize, &ClusterNode)| {
        let dump = counted.iter().find(|&&dump| placed[dump].node == Some(node));
        dump.map_or_else(|| of_file.address.clone(), |&dump| dumps[dump].name.clone())
    };
    SlotOwners {
        nodes: topology.nodes.iter().enumerate().map(name).collect(),
        owners: (0..SLOTS).map(|slot| topology.owner(slot)).collect(),
    }
}
