//! The rebalance plan: which slots to move from which node to which, so that memory is even.
//!
//! [`balance`](super::balance) decides; here is what it decides on, and what comes of it for people: nodes with names that
//! stay, come or leave, moves as ranges of slots, and how even the nodes are before and after.

use std::collections::{BTreeMap, HashSet};

use serde::{Serialize, Serializer};

use super::balance::{Item, TOLERANCE_PERCENT, balance, goal};
use super::topology::{SlotRange, join_ranges, ranges};

/// A node by its name, and how to reach it as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NodeName {
    /// Name of the node, different from the others'.
    pub name: String,
    /// Its id in the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its address as `host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// What is known of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotLoad {
    /// The node that owns it, by its place among the nodes; absent if the slot is to be left alone.
    pub owner: Option<usize>,
    /// What its keys add to the node's memory, in bytes.
    pub bytes: u64,
    /// Number of its keys.
    pub keys: u64,
}

/// Which nodes there are to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// How many; if absent, as many as there are less those that leave.
    pub nodes: Option<usize>,
    /// Names of nodes that leave.
    pub leaving: Vec<String>,
    /// Nodes without slots that are there already and are used before nodes that have yet to be made.
    pub spare: Vec<NodeName>,
}

/// A number of slots, and what is in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Memory of their keys, in bytes.
    pub bytes: u64,
    /// Number of keys.
    pub keys: u64,
    /// Number of slots.
    pub slots: u64,
}

impl Load {
    fn add(&mut self, slot: &SlotLoad) {
        self.bytes += slot.bytes;
        self.keys += slot.keys;
        self.slots += 1;
    }
}

/// What becomes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It is there before and after.
    Stays,
    /// It begins empty.
    Joins,
    /// It ends empty.
    Leaves,
}

/// A node before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedNode {
    /// Which.
    #[serde(flatten)]
    pub node: NodeName,
    /// What becomes of it.
    pub fate: Fate,
    /// What it holds now.
    pub before: Load,
    /// What it holds once the plan is carried out.
    pub after: Load,
}

/// Slots that go from one node to one other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// The node that has them, by its place in [`Plan::nodes`].
    pub from: usize,
    /// The node that is to have them, likewise.
    pub to: usize,
    /// Which slots; as text in the way of CLUSTER NODES.
    #[serde(rename = "slots", serialize_with = "as_text")]
    pub ranges: Vec<SlotRange>,
    /// What is in them.
    pub load: Load,
}

/// Ranges of slots as text.
pub fn as_text<S: Serializer>(ranges: &[SlotRange], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&join_ranges(ranges))
}

/// How even nodes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evenness {
    /// The node with the most bytes, by its place in [`Plan::nodes`].
    pub largest: usize,
    /// Its bytes.
    pub largest_bytes: u64,
    /// Mean of the nodes, in bytes, rounded up.
    pub mean_bytes: u64,
    /// Largest by mean, in thousandths: 1000 is even. Absent if there are no bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_to_mean_per_mille: Option<u64>,
}

/// What no plan can get below, slots being indivisible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// The least that the largest node can have, in bytes: the mean, or the heaviest slot if that is more.
    pub bytes: u64,
    /// The heaviest slot; absent if there are no bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heaviest_slot: Option<u16>,
    /// Its bytes.
    pub heaviest_slot_bytes: u64,
    /// Whether it is that slot which sets the bound.
    pub is_slot: bool,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Per cent of the mean that nodes may be off it.
    pub tolerance_percent: u64,
    /// The most bytes of a node that is within it.
    pub goal_bytes: u64,
    /// Whether the largest node is within it afterwards.
    pub goal_reached: bool,
    /// The least that any plan could reach.
    pub bound: Bound,
    /// The nodes there are now, then those that join.
    pub nodes: Vec<PlannedNode>,
    /// The nodes there are now.
    pub before: Evenness,
    /// The nodes there are afterwards.
    pub after: Evenness,
    /// What moves, in the order of nodes. No slot is in it twice.
    pub moves: Vec<Move>,
    /// All of it.
    pub moved: Load,
    /// Slots without bytes among those that move: a node that leaves takes none with it.
    pub moved_empty_slots: u64,
}

impl Plan {
    /// Whether the slot moves.
    pub fn moves_slot(&self, slot: u16) -> bool {
        self.moves.iter().flat_map(|step| &step.ranges).any(|range| (range.first..=range.last).contains(&slot))
    }

    /// Bytes of all nodes.
    pub fn total_bytes(&self) -> u64 {
        self.nodes.iter().map(|node| node.before.bytes).sum()
    }
}

/// The plan for `slots`, given in their order, on `nodes`. None if no node would be left.
pub fn plan(nodes: Vec<NodeName>, slots: &[SlotLoad], target: &Target) -> Option<Plan> {
    let mut nodes = planned(nodes, slots, target);
    let stay: Vec<usize> = (0..nodes.len()).filter(|node| nodes[*node].fate != Fate::Leaves).collect();
    if stay.is_empty() {
        return None;
    }
    let owners = new_owners(slots, &stay, nodes.len());
    let mut ways: BTreeMap<(usize, usize), (Vec<u16>, Load)> = BTreeMap::new();
    let mut moved_empty_slots = 0;
    for ((number, slot), owner) in (0u16..).zip(slots).zip(&owners) {
        let (Some(from), Some(to)) = (slot.owner, *owner) else { continue };
        nodes[to].after.add(slot);
        if from != to {
            let (numbers, load) = ways.entry((from, to)).or_default();
            numbers.push(number);
            load.add(slot);
            moved_empty_slots += u64::from(slot.bytes == 0);
        }
    }
    let moves: Vec<Move> = ways
        .into_iter()
        .map(|((from, to), (numbers, load))| Move { from, to, ranges: ranges(numbers), load })
        .collect();
    let moved = moves.iter().fold(Load::default(), |sum, step| Load {
        bytes: sum.bytes + step.load.bytes,
        keys: sum.keys + step.load.keys,
        slots: sum.slots + step.load.slots,
    });
    let without = |fate: Fate| nodes.iter().enumerate().filter(move |(_, node)| node.fate != fate);
    let before = evenness(without(Fate::Joins).map(|(i, node)| (i, node.before.bytes)));
    let after = evenness(without(Fate::Leaves).map(|(i, node)| (i, node.after.bytes)));
    let (_, goal_bytes) = goal(nodes.iter().map(|node| node.before.bytes).sum(), stay.len());
    let heaviest = (0u16..).zip(slots).filter(|(_, slot)| slot.owner.is_some() && slot.bytes > 0);
    let heaviest = heaviest.max_by_key(|(number, slot)| (slot.bytes, std::cmp::Reverse(*number)));
    let heaviest_slot_bytes = heaviest.map_or(0, |(_, slot)| slot.bytes);
    Some(Plan {
        tolerance_percent: TOLERANCE_PERCENT,
        goal_bytes,
        goal_reached: after.largest_bytes <= goal_bytes,
        bound: Bound {
            bytes: after.mean_bytes.max(heaviest_slot_bytes),
            heaviest_slot: heaviest.map(|(number, _)| number),
            heaviest_slot_bytes,
            is_slot: heaviest_slot_bytes > after.mean_bytes,
        },
        nodes,
        before,
        after,
        moves,
        moved,
        moved_empty_slots,
    })
}

/// The nodes with what they hold now and what becomes of them.
fn planned(nodes: Vec<NodeName>, slots: &[SlotLoad], target: &Target) -> Vec<PlannedNode> {
    let node = |node, fate| PlannedNode { node, fate, before: Load::default(), after: Load::default() };
    let mut nodes: Vec<PlannedNode> = nodes
        .into_iter()
        .map(
            |name| if target.leaving.contains(&name.name) { node(name, Fate::Leaves) } else { node(name, Fate::Stays) },
        )
        .collect();
    for slot in slots {
        if let Some(owner) = slot.owner {
            nodes[owner].before.add(slot);
        }
    }
    let mut stay: Vec<usize> = (0..nodes.len()).filter(|node| nodes[*node].fate == Fate::Stays).collect();
    let wanted = target.nodes.unwrap_or(stay.len());
    if stay.len() > wanted {
        // Whoever leaves, the others are filled to the same level: least moves if those leave who have least.
        stay.sort_by_key(|&node| (nodes[node].before.bytes, nodes[node].before.slots, std::cmp::Reverse(node)));
        let leaving = stay.len() - wanted;
        stay.iter().take(leaving).for_each(|&i| nodes[i].fate = Fate::Leaves);
    }
    let taken: HashSet<String> = nodes.iter().map(|node| node.node.name.clone()).collect();
    let new = (1u64..).map(|n| format!("new-{n}")).filter(|name| !taken.contains(name));
    let new = new.map(|name| NodeName { name, ..NodeName::default() });
    let joining = target.spare.iter().cloned().chain(new).take(wanted.saturating_sub(stay.len()));
    nodes.extend(joining.map(|name| node(name, Fate::Joins)));
    nodes
}

/// Who is to own each slot. `stay` are the nodes that may, of so many in all.
fn new_owners(slots: &[SlotLoad], stay: &[usize], nodes: usize) -> Vec<Option<usize>> {
    let place = |node: usize| stay.binary_search(&node).ok();
    let weighty: Vec<usize> = (0..slots.len()).filter(|i| slots[*i].owner.is_some() && slots[*i].bytes > 0).collect();
    let items: Vec<Item> =
        weighty.iter().map(|&i| Item { bytes: slots[i].bytes, home: slots[i].owner.and_then(place) }).collect();
    let mut owners: Vec<Option<usize>> = slots.iter().map(|slot| slot.owner).collect();
    for (&i, node) in weighty.iter().zip(balance(&items, stay.len())) {
        owners[i] = Some(stay[node]);
    }
    // Slots without bytes stay where they are, unless their node leaves: then each goes with the one before it, which keeps
    // ranges whole, as long as that node has not more slots than its share.
    let mut counts = vec![0; nodes];
    owners.iter().flatten().for_each(|&owner| counts[owner] += 1);
    let share = counts.iter().sum::<usize>().div_ceil(stay.len());
    let mut with: Vec<Option<usize>> = vec![None; nodes];
    for (slot, owner) in slots.iter().zip(&mut owners) {
        let Some(old) = slot.owner.filter(|old| place(*old).is_none()) else { continue };
        if slot.bytes == 0 {
            let fewest = || stay.iter().copied().min_by_key(|&node| (counts[node], node));
            let new = with[old].filter(|&new| counts[new] < share).or_else(fewest);
            new.into_iter().for_each(|new| counts[new] += 1);
            *owner = new;
        }
        with[old] = *owner;
    }
    owners
}

/// How even nodes are that have so many bytes; there is at least one.
fn evenness(nodes: impl Iterator<Item = (usize, u64)>) -> Evenness {
    let (mut largest, mut largest_bytes, mut total, mut count) = (0, 0, 0u64, 0u64);
    for (node, bytes) in nodes {
        if count == 0 || bytes > largest_bytes {
            (largest, largest_bytes) = (node, bytes);
        }
        total += bytes;
        count += 1;
    }
    let per_mille = (u128::from(largest_bytes) * u128::from(count) * 1000).checked_div(u128::from(total));
    Evenness {
        largest,
        largest_bytes,
        mean_bytes: total.div_ceil(count.max(1)),
        max_to_mean_per_mille: per_mille.map(|ratio| ratio as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::slot::SLOTS;

    fn names(count: usize) -> Vec<NodeName> {
        (0..count).map(|n| NodeName { name: format!("n{n}"), ..NodeName::default() }).collect()
    }

    /// xorshift64*: repeatable numbers without a dependency.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: u64) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % end
        }

        /// A cluster of 16,384 slots: some without keys, some of nobody, some far heavier than others.
        fn slots(&mut self, nodes: u64) -> Vec<SlotLoad> {
            let (full, spread) = (1 + self.below(100), 1 + self.below(40));
            let mut ends: Vec<u64> = (1..nodes).map(|_| self.below(u64::from(SLOTS))).collect();
            ends.sort_unstable();
            let slot = |random: &mut Random, number: u64| {
                let owner = (random.below(50) > 0).then(|| ends.partition_point(|end| *end <= number));
                let keys = if random.below(100) < full { 1 + random.below(20) } else { 0 };
                SlotLoad { owner, bytes: keys * (50 + (1 << random.below(spread))), keys }
            };
            (0..u64::from(SLOTS)).map(|number| slot(self, number)).collect()
        }
    }

    /// Does what the plan says, one move after the other, and gives what the nodes then have.
    fn apply(plan: &Plan, slots: &[SlotLoad]) -> Vec<Load> {
        let mut owners: Vec<Option<usize>> = slots.iter().map(|slot| slot.owner).collect();
        let mut moved = HashSet::new();
        for step in &plan.moves {
            let mut load = Load::default();
            for slot in step.ranges.iter().flat_map(|range| range.first..=range.last) {
                assert!(moved.insert(slot), "slot {slot} is moved twice");
                assert!(plan.moves_slot(slot));
                assert_eq!(owners[usize::from(slot)].replace(step.to), Some(step.from), "slot {slot}");
                load.add(&slots[usize::from(slot)]);
            }
            assert_eq!(load, step.load);
            assert_ne!(step.from, step.to);
        }
        let mut loads = vec![Load::default(); plan.nodes.len()];
        for (slot, owner) in slots.iter().zip(owners) {
            owner.into_iter().for_each(|owner| loads[owner].add(slot));
        }
        assert_eq!(moved.len() as u64, plan.moved.slots);
        loads
    }

    fn check(plan: &Plan, slots: &[SlotLoad]) {
        let after = apply(plan, slots);
        assert_eq!(after, plan.nodes.iter().map(|node| node.after).collect::<Vec<_>>(), "what the plan says of itself");
        let total: u64 = slots.iter().filter(|slot| slot.owner.is_some()).map(|slot| slot.bytes).sum();
        assert_eq!(plan.total_bytes(), total);
        for (node, load) in plan.nodes.iter().zip(&after) {
            match node.fate {
                Fate::Leaves => assert_eq!(*load, Load::default(), "{node:?}"),
                Fate::Joins => assert_eq!(node.before, Load::default(), "{node:?}"),
                Fate::Stays => {}
            }
        }
        let largest = after.iter().map(|load| load.bytes).max().unwrap();
        assert_eq!((plan.after.largest_bytes, after[plan.after.largest].bytes), (largest, largest));
        assert!(largest >= plan.bound.bytes, "the bound is one");
        assert_eq!(plan.goal_reached, largest <= plan.goal_bytes);
        assert_eq!(plan.moved.bytes, plan.moves.iter().map(|step| step.load.bytes).sum::<u64>());
    }

    #[test]
    fn applying_a_plan_gives_what_it_says() {
        let mut random = Random(1);
        for round in 0..120 {
            let nodes = 1 + random.below(if round % 10 == 0 { 60 } else { 8 });
            let slots = random.slots(nodes);
            let target =
                Target { nodes: (random.below(2) > 0).then(|| 1 + random.below(12) as usize), ..Target::default() };
            let plan = plan(names(nodes as usize), &slots, &target).unwrap();
            check(&plan, &slots);
            let stay = plan.nodes.iter().filter(|node| node.fate != Fate::Leaves).count();
            assert_eq!(stay, target.nodes.unwrap_or(nodes as usize));
            // With thousands of slots, what is in the way of the goal is a heavy slot and nothing else.
            let with_bytes = slots.iter().filter(|slot| slot.owner.is_some() && slot.bytes > 0).count();
            if with_bytes > 50 * stay {
                assert!(plan.goal_reached || plan.after.largest_bytes == plan.bound.bytes, "{:?}", plan.bound);
            }
            if plan.moved_empty_slots > 0 {
                assert!(plan.nodes.iter().any(|node| node.fate == Fate::Leaves), "empty slots move only from those");
            }
        }
    }

    fn slots(loads: &[(u16, usize, u64)]) -> Vec<SlotLoad> {
        let mut slots = vec![SlotLoad::default(); usize::from(SLOTS)];
        for &(number, owner, bytes) in loads {
            slots[usize::from(number)] = SlotLoad { owner: Some(owner), bytes, keys: u64::from(bytes > 0) };
        }
        slots
    }

    #[test]
    fn an_even_cluster_stays_as_it_is() {
        let slots = slots(&[(0, 0, 100), (1, 1, 104), (2, 2, 97)]);
        let plan = plan(names(3), &slots, &Target::default()).unwrap();
        check(&plan, &slots);
        assert!(plan.moves.is_empty() && plan.goal_reached);
        assert_eq!(plan.before, plan.after);
        assert_eq!(plan.before.max_to_mean_per_mille, Some(1036));
    }

    #[test]
    fn one_slot_that_holds_everything_is_the_bound() {
        let slots = slots(&[(7, 1, 1000), (8, 1, 0)]);
        let plan = plan(names(3), &slots, &Target { nodes: Some(4), ..Target::default() }).unwrap();
        check(&plan, &slots);
        assert!(plan.moves.is_empty() && !plan.goal_reached);
        let bound = Bound { bytes: 1000, heaviest_slot: Some(7), heaviest_slot_bytes: 1000, is_slot: true };
        assert_eq!(plan.bound, bound);
    }

    #[test]
    fn a_cluster_without_bytes_has_nothing_to_move() {
        let slots = slots(&[(7, 1, 0), (8, 0, 0)]);
        let plan = plan(names(2), &slots, &Target { nodes: Some(3), ..Target::default() }).unwrap();
        check(&plan, &slots);
        assert!(plan.moves.is_empty() && plan.goal_reached);
        assert_eq!((plan.bound.heaviest_slot, plan.after.max_to_mean_per_mille), (None, None));
    }

    #[test]
    fn more_nodes_than_slots_with_data() {
        let slots = slots(&[(1, 0, 50), (2, 0, 50), (3, 0, 50)]);
        let plan = plan(names(1), &slots, &Target { nodes: Some(5), ..Target::default() }).unwrap();
        check(&plan, &slots);
        assert_eq!((plan.after.largest_bytes, plan.bound.bytes, plan.moved.slots), (50, 50, 2));
        assert_eq!(plan.nodes[1].node.name, "new-1");
        assert_eq!(plan.nodes.iter().filter(|node| node.fate == Fate::Joins).count(), 4);
    }

    #[test]
    fn the_lightest_node_leaves_with_all_its_slots() {
        let mut loads = vec![(1, 0, 500), (2, 1, 100), (9000, 2, 450)];
        loads.extend((100..200).map(|slot| (slot, 1, 0)));
        let slots = slots(&loads);
        let plan = plan(names(3), &slots, &Target { nodes: Some(2), ..Target::default() }).unwrap();
        check(&plan, &slots);
        assert_eq!(plan.nodes[1].fate, Fate::Leaves);
        assert_eq!((plan.moved.slots, plan.moved.bytes, plan.moved_empty_slots), (101, 100, 100));
        assert!(plan.moves.iter().all(|step| step.ranges.len() <= 2), "{:?}", plan.moves);
        let counts: Vec<u64> = plan.nodes.iter().map(|node| node.after.slots).collect();
        assert!(counts[0].abs_diff(counts[2]) <= 2, "empty slots are shared: {counts:?}");
    }

    #[test]
    fn nodes_that_leave_can_be_named_and_replaced() {
        let slots = slots(&[(1, 0, 500), (2, 1, 100), (3, 2, 450)]);
        let target = Target { leaving: vec!["n0".to_owned()], ..Target::default() };
        let two = plan(names(3), &slots, &target).unwrap();
        check(&two, &slots);
        assert_eq!(two.nodes.len(), 3);
        assert_eq!((two.nodes[0].fate, two.nodes[1].after.bytes, two.nodes[2].after.bytes), (Fate::Leaves, 500, 550));
        let spare = NodeName { name: "spare".to_owned(), id: Some("id".to_owned()), address: None };
        let target = Target { nodes: Some(4), spare: vec![spare.clone()], ..target };
        let four = plan(names(3), &slots, &target).unwrap();
        check(&four, &slots);
        assert_eq!(four.nodes[3].node, spare);
        assert_eq!(four.nodes[4].node.name, "new-1");
        let all = Target { leaving: vec!["n0".to_owned(), "n1".to_owned()], ..Target::default() };
        assert_eq!(plan(names(2), &slots[..3], &all), None);
    }
}
