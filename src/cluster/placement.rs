//! Whose dump is whose: matching dumps to the nodes that own their slots, and telling replicas' dumps from masters'.

use super::slot::SLOTS;
use super::topology::{SlotRange, Topology, ranges};

/// What a dump's slots look like from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotPrint {
    /// Number of keys.
    pub keys: u64,
    /// Sum of the names' hashes: the same names give the same sum in any order.
    pub names: u64,
}

/// What is known of a dump before its keys are put together with others'.
#[derive(Debug)]
pub struct DumpPrint<'d> {
    /// Per slot.
    pub slots: &'d [SlotPrint],
    /// The replication history that the dump belongs to (`repl-id`).
    pub replication: Option<&'d str>,
    /// How far in it the dump was saved (`repl-offset`).
    pub offset: Option<u64>,
    /// Whether the dump was read to its end.
    pub complete: bool,
}

/// Where a dump belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The node that owns its slots: an index into [`Topology::nodes`].
    pub node: Option<usize>,
    /// The dump that has the same keys and counts instead: an index into the dumps.
    pub same_as: Option<usize>,
}

/// The master that owns most of the keys whose numbers by slot are given.
pub fn owner_of_most(topology: &Topology, keys: impl Iterator<Item = (u16, u64)>) -> Option<usize> {
    let mut sums = vec![0u64; topology.nodes.len()];
    for (slot, keys) in keys {
        if let Some(owner) = topology.owner(slot) {
            sums[owner] += keys;
        }
    }
    let most = *sums.iter().max()?;
    if most == 0 { None } else { sums.iter().position(|sum| *sum == most) }
}

/// Finds the owner of each dump, and the dumps that hold the same keys as another.
///
/// Two dumps are of a master and its replica if the nodes file gives both the same owner, or if their slots hold the
/// same names, or if they share a replication history and slots. The one that counts is the complete one, then
/// the one with the later replication offset, then the first.
pub fn place(dumps: &[DumpPrint<'_>], topology: Option<&Topology>) -> Vec<Placed> {
    let mut placed: Vec<Placed> = dumps
        .iter()
        .map(|dump| {
            let keys = dump.slots.iter().zip(0..SLOTS).map(|(print, slot)| (slot, print.keys));
            Placed { node: topology.and_then(|topology| owner_of_most(topology, keys)), same_as: None }
        })
        .collect();
    let mut order: Vec<usize> = (0..dumps.len()).collect();
    order.sort_by_key(|&i| (!dumps[i].complete, std::cmp::Reverse(dumps[i].offset), i));
    for (rank, &i) in order.iter().enumerate() {
        let same = order[..rank].iter().find(|&&j| {
            let same_owner = placed[i].node.is_some() && placed[i].node == placed[j].node;
            placed[j].same_as.is_none() && is_same_data(&dumps[i], &dumps[j], same_owner)
        });
        placed[i].same_as = same.copied();
    }
    placed
}

/// Whether two dumps hold the same data.
fn is_same_data(a: &DumpPrint<'_>, b: &DumpPrint<'_>, same_owner: bool) -> bool {
    let (mut either, mut both, mut equal) = (0u64, 0u64, 0u64);
    for (a, b) in a.slots.iter().zip(b.slots) {
        either += u64::from(a.keys > 0 || b.keys > 0);
        both += u64::from(a.keys > 0 && b.keys > 0);
        equal += u64::from(a.keys > 0 && a == b);
    }
    let same_history = a.replication.is_some() && a.replication == b.replication;
    // A replica's dump is taken at another time: some slots differ by then. Unrelated data agrees in no slot at all.
    both > 0 && (equal * 4 >= either || ((same_owner || same_history) && both * 2 >= either))
}

/// Slots that no counted dump covers: with a topology, those whose owner has no dump, and those without an owner.
pub fn uncovered(topology: &Topology, covered_nodes: &[usize]) -> Vec<SlotRange> {
    ranges((0..SLOTS).filter(|slot| topology.owner(*slot).is_none_or(|owner| !covered_nodes.contains(&owner))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prints(keys: &[(u16, u64, u64)]) -> Vec<SlotPrint> {
        let mut slots = vec![SlotPrint::default(); usize::from(SLOTS)];
        for &(slot, keys, names) in keys {
            slots[usize::from(slot)] = SlotPrint { keys, names };
        }
        slots
    }

    fn dump(slots: &[SlotPrint]) -> DumpPrint<'_> {
        DumpPrint { slots, replication: None, offset: None, complete: true }
    }

    #[test]
    fn the_same_keys_count_once() {
        let master = prints(&[(1, 2, 77), (2, 1, 5), (9, 4, 6)]);
        let replica = prints(&[(1, 2, 77), (2, 1, 5), (9, 5, 66)]); // one key more by then
        let other = prints(&[(1, 2, 78), (2, 1, 4), (9, 4, 7)]); // other names in the same slots
        let placed = place(&[dump(&replica), dump(&master), dump(&other)], None);
        assert_eq!(placed.iter().map(|p| p.same_as).collect::<Vec<_>>(), [None, Some(0), None]);
        let late = DumpPrint { offset: Some(9), ..dump(&master) };
        let placed = place(&[dump(&replica), late], None);
        assert_eq!(placed.iter().map(|p| p.same_as).collect::<Vec<_>>(), [Some(1), None]);
    }

    #[test]
    fn empty_dumps_are_not_each_others_replicas() {
        let empty = prints(&[]);
        let placed = place(&[dump(&empty), dump(&empty)], None);
        assert!(placed.iter().all(|p| p.same_as.is_none() && p.node.is_none()));
    }
}
