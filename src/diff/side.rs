//! One of the two states: its summary, and what a comparison needs beyond it.

use std::collections::BTreeMap;

use super::nodes::NodeKey;
use crate::analyze::aggregate::SlotTotals;
use crate::analyze::pattern::PatternTable;
use crate::analyze::summary::{DumpRole, KeyRow, NodeRow};
use crate::analyze::{Summary, TopKey, TopKeys};
use crate::cluster::slot::SLOTS;
use crate::cluster::topology::Topology;
use crate::error::Exit;
use crate::escape::Escape;
use crate::report::{ReadDump, RunOptions, saved_at_seconds, summarize};

/// A key by its database and name.
pub type KeyId = (u64, Box<[u8]>);

/// A state of all nodes.
#[derive(Debug)]
pub struct Side {
    /// Its summary.
    pub summary: Summary,
    /// The code that reading it ends the program with.
    pub exit: Exit,
    /// The nodes, in the order of the summary's.
    pub nodes: Vec<SideNode>,
    /// The patterns of all of them.
    pub(super) patterns: PatternTable,
    /// Every key that is in some list of some node.
    pub(super) listed: BTreeMap<KeyId, Vec<TopKey>>,
    /// Those of them that are in a list of all nodes together.
    pub(super) largest: Vec<KeyId>,
    /// What a key that is in no list has at most; absent if there is none.
    pub(super) unlisted_at_most_bytes: Option<u64>,
    /// Where each dump stands among the nodes.
    node_of_dump: Vec<Option<usize>>,
}

/// A node of a state.
#[derive(Debug)]
pub struct SideNode {
    /// What it is called.
    pub name: String,
    /// Its id, where a nodes file has it.
    pub id: Option<String>,
    /// The replication history that its dump belongs to.
    pub replication: Option<String>,
    /// When its dump was saved, in seconds since 1970.
    pub saved_at_seconds: Option<i64>,
    /// Keys and bytes by slot.
    pub slots: Box<[SlotTotals]>,
    /// Place of its dump in the order of the command line.
    pub dump: usize,
    /// Magic and version of its dump.
    pub format: Option<String>,
    /// The server that its memory is modelled as, and whether in cluster mode.
    pub model: (Option<String>, bool),
    /// Whether it owns each slot, by a nodes file.
    pub owns: Option<Vec<bool>>,
}

impl SideNode {
    /// What tells it from others.
    pub fn key(&self) -> NodeKey<'_> {
        NodeKey { id: self.id.as_deref(), name: &self.name, replication: self.replication.as_deref() }
    }
}

/// What is taken from a dump before it becomes part of the sums.
struct Part {
    replication: Option<String>,
    saved_at_seconds: Option<i64>,
    slots: Box<[SlotTotals]>,
    patterns: PatternTable,
    lists: Vec<TopKeys>,
    whole: bool,
}

impl Part {
    fn new(dump: &ReadDump) -> Part {
        let fold = &dump.fold;
        Part {
            replication: dump.facts.aux("repl-id").map(str::to_owned),
            saved_at_seconds: saved_at_seconds(&dump.facts),
            slots: fold.slots.clone(),
            patterns: fold.patterns.clone(),
            // By footprint first, which the bound needs.
            lists: [fold.biggest()]
                .into_iter()
                .chain(fold.biggest_of_type.clone())
                .chain([fold.longest.clone()])
                .collect(),
            whole: dump.error.is_none() && fold.damaged_keys == 0,
        }
    }

    /// What a key that is in no list of this dump has at most; absent if there is none.
    fn unlisted_at_most_bytes(&self) -> Option<u64> {
        let (biggest, others) = self.lists.split_first()?;
        let of_types = others[..others.len() - 1].iter().filter_map(TopKeys::floor).max();
        match (self.whole, biggest.floor(), of_types) {
            (false, ..) => Some(u64::MAX),
            (true, Some(all), Some(of_types)) => Some(all.min(of_types)),
            _ => None,
        }
    }
}

impl Side {
    /// The state that these dumps are of.
    pub fn new(dumps: Vec<ReadDump>, options: &RunOptions, topology: Option<&Topology>) -> Side {
        let mut parts: Vec<Option<Part>> = dumps.iter().map(|dump| Some(Part::new(dump))).collect();
        let (summary, exit) = summarize(dumps, options, topology, None);
        let counted: Vec<usize> = (0..parts.len()).filter(|&i| summary.dumps[i].role == DumpRole::Counted).collect();
        let mut node_of_dump = vec![None; parts.len()];
        let mut side = Side {
            exit,
            nodes: Vec::new(),
            patterns: PatternTable::default(),
            listed: BTreeMap::new(),
            largest: Vec::new(),
            unlisted_at_most_bytes: None,
            node_of_dump: Vec::new(),
            summary,
        };
        let mut together: Vec<TopKeys> = Vec::new();
        let mut patterns: Option<PatternTable> = None;
        for (node, &dump) in counted.iter().enumerate() {
            let Some(part) = parts[dump].take() else { continue };
            node_of_dump[dump] = Some(node);
            let row = side.summary.nodes[node].clone();
            side.unlisted_at_most_bytes = side.unlisted_at_most_bytes.max(part.unlisted_at_most_bytes());
            for (i, list) in part.lists.into_iter().enumerate() {
                list.clone().into_sorted().into_iter().for_each(|key| side.list(key));
                match together.get_mut(i) {
                    Some(sum) => sum.merge(list),
                    None => together.push(list),
                }
            }
            match &mut patterns {
                Some(sum) => sum.merge(part.patterns),
                None => patterns = Some(part.patterns),
            }
            side.nodes.push(SideNode {
                owns: owned(topology, &row),
                name: row.name,
                id: row.id,
                replication: part.replication,
                saved_at_seconds: part.saved_at_seconds,
                slots: part.slots,
                dump,
                format: side.summary.dumps[dump].format.clone(),
                model: (side.summary.dumps[dump].modelled_as.clone(), side.summary.dumps[dump].cluster_mode),
            });
        }
        side.patterns = patterns.unwrap_or_default();
        side.node_of_dump = node_of_dump;
        let mut largest: Vec<KeyId> = together
            .into_iter()
            .flat_map(|list| list.into_sorted().into_iter().take(options.top))
            .map(|key| (key.db, key.key))
            .collect();
        largest.sort();
        largest.dedup();
        side.largest = largest;
        side
    }

    /// Remembers a key of a dump; once if it is in several lists.
    pub(super) fn list(&mut self, key: TopKey) {
        let keys = self.listed.entry((key.db, key.key.clone())).or_default();
        if !keys.iter().any(|known| known.dump == key.dump) {
            keys.push(key);
            keys.sort_by_key(|key| key.dump);
        }
    }

    /// The place of a key's node among the nodes.
    pub(super) fn node_of(&self, key: &TopKey) -> Option<usize> {
        self.node_of_dump.get(key.dump).copied().flatten()
    }

    /// The row of a key.
    pub(super) fn row(&self, key: &TopKey) -> KeyRow {
        let name = self.node_of(key).map_or("", |node| &self.nodes[node].name);
        KeyRow::new(name, &key.record(), Escape::Utf8)
    }

    /// When the last of the dumps was saved, in seconds since 1970; absent if one does not say.
    pub fn saved_at_seconds(&self) -> Option<i64> {
        let times: Option<Vec<i64>> = self.nodes.iter().map(|node| node.saved_at_seconds).collect();
        times?.into_iter().max()
    }
}

fn owned(topology: Option<&Topology>, row: &NodeRow) -> Option<Vec<bool>> {
    let topology = topology?;
    let node = topology.nodes.iter().position(|node| Some(&node.id) == row.id.as_ref())?;
    Some((0..SLOTS).map(|slot| topology.owner(slot) == Some(node)).collect())
}
