//! What the rebalance plan is made from: who owns which slots, which of them are better left alone, and which keys are slow.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{ReadDump, RunOptions};
use crate::analyze::aggregate::SlotTotals;
use crate::analyze::causes::Scaled;
use crate::analyze::rebalance::{LeftAlone, Rebalance, SlowKey};
use crate::analyze::summary::{KeyRow, Summary};
use crate::cluster::migrate::{MigrateModel, SlotMigration};
use crate::cluster::placement::Placed;
use crate::cluster::plan::{Load, NodeName, Plan, SlotLoad, Target, plan};
use crate::cluster::slot::SLOTS;
use crate::cluster::topology::{Topology, ranges};
use crate::record::ValueType;

/// Which plan to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RebalanceOptions {
    /// How many nodes there are to be; if absent, as many as there are less those that leave.
    pub nodes_target: Option<usize>,
    /// Names of nodes that leave.
    pub leaving: Vec<String>,
}

/// A plan without the keys, which are known only when the dumps are put together.
pub(super) struct Planned {
    plan: Plan,
    scaling: Vec<Scaled>,
    owners_from: &'static str,
    migration: SlotMigration,
    left_alone: Vec<LeftAlone>,
    notes: Vec<String>,
}

/// The nodes that a plan can be made of.
struct Ground {
    nodes: Vec<NodeName>,
    /// The node of each dump that counts, by its place among `nodes`.
    node_of: Vec<Option<usize>>,
    /// The node of each node of the nodes file, likewise.
    node_of_master: Vec<Option<usize>>,
    /// Masters without slots.
    spare: Vec<NodeName>,
    notes: Vec<String>,
}

/// The plan for the dumps that count. None if they are not of one cluster, as far as can be told, or if there is nothing to
/// move between.
pub(super) fn planned(
    dumps: &[ReadDump],
    counted: &[usize],
    placed: &[Placed],
    options: &RunOptions,
    topology: Option<&Topology>,
) -> Option<Planned> {
    let wish = options.rebalance.clone().unwrap_or_default();
    let ground = match topology {
        Some(topology) => with_topology(dumps, counted, placed, topology),
        None => without_topology(dumps, counted),
    };
    if ground.nodes.is_empty() || ground.nodes.len().max(wish.nodes_target.unwrap_or(0)) < 2 {
        return None;
    }
    let totals: Vec<&[SlotTotals]> = counted.iter().map(|&i| &*dumps[i].fold.slots).collect();
    let (slots, left_alone) = loads(&totals, &ground, topology);
    let with_keys = slots.iter().filter(|slot| slot.keys > 0).count() as u64;
    let shared = left_alone.iter().filter(|row| row.why == Why::Shared.as_str()).map(|row| row.load.slots).sum::<u64>();
    if shared * 2 > with_keys {
        return None;
    }
    let mut servers = counted.iter().map(|&i| options.models(&dumps[i].facts).0.server.slot_migration());
    let first = servers.next().unwrap_or(SlotMigration::SetSlot);
    let target = Target { nodes: wish.nodes_target, leaving: wish.leaving, spare: ground.spare };
    let scaling = scaling(&ground.nodes, &slots);
    Some(Planned {
        scaling,
        plan: plan(ground.nodes, &slots, &target)?,
        owners_from: if topology.is_some() { "nodes file" } else { "dumps" },
        migration: if servers.all(|other| other == first) { first } else { SlotMigration::SetSlot },
        left_alone,
        notes: ground.notes,
    })
}

/// The largest node at best as it is, with one more and two more nodes, and with twice as many.
fn scaling(nodes: &[NodeName], slots: &[SlotLoad]) -> Vec<Scaled> {
    let now = nodes.len();
    let counts = BTreeSet::from([now, now + 1, now + 2, 2 * now]);
    let scaled = |count: usize| {
        let target = Target { nodes: Some(count), ..Target::default() };
        let plan = plan(nodes.to_vec(), slots, &target)?;
        Some(Scaled {
            nodes: count as u64,
            mean_bytes: plan.after.mean_bytes,
            largest_bytes: plan.after.largest_bytes,
            bound_slot: plan.bound.heaviest_slot.filter(|_| plan.bound.is_slot),
        })
    };
    counts.into_iter().filter_map(scaled).collect()
}

/// The masters that have a dump, and those that have no slots.
fn with_topology(dumps: &[ReadDump], counted: &[usize], placed: &[Placed], topology: &Topology) -> Ground {
    let name = |master: usize, name: &str| NodeName {
        name: name.to_owned(),
        id: Some(topology.nodes[master].id.clone()),
        address: Some(topology.nodes[master].address.clone()),
    };
    let mut nodes = Vec::new();
    let mut node_of_master = vec![None; topology.nodes.len()];
    let node_of = counted.iter().map(|&i| {
        let master = placed[i].node?;
        Some(*node_of_master[master].get_or_insert_with(|| {
            nodes.push(name(master, &dumps[i].name));
            nodes.len() - 1
        }))
    });
    let node_of = node_of.collect();
    let (mut spare, mut notes) = (Vec::new(), Vec::new());
    for (master, node) in topology.masters().filter(|(master, _)| node_of_master[*master].is_none()) {
        if node.slots.is_empty() {
            spare.push(name(master, &node.address));
        } else {
            notes.push(format!("{} and its slots are not in the plan: no dump is of it", node.address));
        }
    }
    Ground { nodes, node_of, node_of_master, spare, notes }
}

/// Every dump that counts is a node.
fn without_topology(dumps: &[ReadDump], counted: &[usize]) -> Ground {
    let name = |&i: &usize| NodeName { name: dumps[i].name.clone(), ..NodeName::default() };
    Ground {
        nodes: counted.iter().map(name).collect(),
        node_of: (0..counted.len()).map(Some).collect(),
        node_of_master: Vec::new(),
        spare: Vec::new(),
        notes: vec![
            "without --nodes, slots without keys are not in the plan, and ids and addresses are to be filled in"
                .to_owned(),
        ],
    }
}

/// Why a slot is left alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Unowned,
    Foreign,
    Shared,
    Open,
}

impl Why {
    const ALL: [Why; 4] = [Why::Unowned, Why::Foreign, Why::Shared, Why::Open];

    fn as_str(self) -> &'static str {
        match self {
            Why::Unowned => "no node owns them",
            Why::Foreign => "they have keys on a node that does not own them",
            Why::Shared => "they have keys in more than one dump",
            Why::Open => "they are being migrated already",
        }
    }
}

/// What each slot weighs and who owns it; and the slots that are left alone.
fn loads(totals: &[&[SlotTotals]], ground: &Ground, topology: Option<&Topology>) -> (Vec<SlotLoad>, Vec<LeftAlone>) {
    let open: BTreeSet<u16> = topology
        .iter()
        .flat_map(|topology| &topology.nodes)
        .flat_map(|node| node.migrating.iter().chain(&node.importing).map(|(slot, _)| *slot))
        .collect();
    let owner = |slot: u16| {
        let mut holders = (0..totals.len()).filter(|dump| totals[*dump][usize::from(slot)].keys > 0);
        let Some(topology) = topology else {
            let first = holders.next();
            return if holders.next().is_some() { Err(Why::Shared) } else { Ok(first) };
        };
        match topology.owner(slot) {
            _ if open.contains(&slot) => Err(Why::Open),
            None if holders.next().is_some() => Err(Why::Unowned),
            None => Ok(None),
            Some(master) => {
                let owner = ground.node_of_master[master];
                let foreign = holders.any(|dump| owner.is_none() || ground.node_of[dump] != owner);
                if foreign { Err(Why::Foreign) } else { Ok(owner) }
            }
        }
    };
    let mut slots = Vec::with_capacity(usize::from(SLOTS));
    let mut alone: Vec<(Why, u16)> = Vec::new();
    for slot in 0..SLOTS {
        let sum = |part: fn(&SlotTotals) -> u64| totals.iter().map(|slots| part(&slots[usize::from(slot)])).sum();
        let owner = owner(slot).unwrap_or_else(|why| {
            alone.push((why, slot));
            None
        });
        slots.push(SlotLoad { owner, bytes: sum(|totals| totals.footprint_bytes), keys: sum(|totals| totals.keys) });
    }
    let row = |why: Why| {
        let numbers: Vec<u16> = alone.iter().filter(|(other, _)| *other == why).map(|(_, slot)| *slot).collect();
        let sum = |part: fn(&SlotLoad) -> u64| numbers.iter().map(|slot| part(&slots[usize::from(*slot)])).sum();
        LeftAlone {
            why: why.as_str(),
            load: Load { bytes: sum(|slot| slot.bytes), keys: sum(|slot| slot.keys), slots: numbers.len() as u64 },
            ranges: ranges(numbers),
        }
    };
    let rows = Why::ALL.into_iter().map(row).filter(|row| row.load.slots > 0).collect();
    (slots, rows)
}

impl Planned {
    /// The plan with the keys of the summary that matter to it.
    pub(super) fn with_keys(self, summary: &Summary, options: &RunOptions) -> Rebalance {
        let (model, top) = (options.costs.migrate, options.top);
        let lists = [&summary.biggest, &summary.longest];
        let listed = lists.into_iter().chain(summary.biggest_of_type.iter().map(|list| &list.keys)).flatten();
        let heaviest_key = listed
            .clone()
            .filter(|key| self.plan.bound.heaviest_slot == Some(key.slot))
            .max_by_key(|key| (key.footprint_bytes, Reverse(&key.key)))
            .cloned();
        let mut slow_keys: Vec<SlowKey> = listed
            .map(|key| SlowKey { estimate_ms: estimate_ms(&model, key), key: key.clone() })
            .filter(|slow| slow.estimate_ms > model.timeout_ms && self.plan.moves_slot(slow.key.slot))
            .collect();
        let place = |slow: &SlowKey| (slow.key.node.clone(), slow.key.database, slow.key.key.clone());
        slow_keys.sort_by_key(|slow| (Reverse(slow.estimate_ms), place(slow)));
        slow_keys.dedup_by_key(|slow| place(slow));
        // Lists have so many keys, unless there are fewer: a key in neither has at most the bytes of the last of one and the elements of the last of the other.
        let last = |list: &[KeyRow], part: fn(&KeyRow) -> Option<u64>| {
            list.last().filter(|_| list.len() >= top).and_then(part).unwrap_or(0)
        };
        let bytes = last(&summary.biggest, |key| key.footprint_bytes);
        let elements = last(&summary.longest, |key| key.num_elements);
        Rebalance {
            plan: self.plan,
            owners_from: self.owners_from,
            migration: self.migration,
            slow_keys,
            slow_keys_complete: model.estimate_ms(bytes, elements) <= model.timeout_ms,
            migrate_model: model,
            heaviest_key,
            scaling: self.scaling,
            left_alone: self.left_alone,
            notes: self.notes,
        }
    }
}

fn estimate_ms(model: &MigrateModel, key: &KeyRow) -> u64 {
    let elements = if key.value_type == ValueType::String { 0 } else { key.num_elements.unwrap_or(0) };
    model.estimate_ms(key.serialized_bytes, elements)
}
