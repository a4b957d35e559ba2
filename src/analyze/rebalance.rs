//! The rebalance plan as a summary has it: with the keys that stand in its way, and what it leaves out.

use serde::Serialize;

use super::causes::Scaled;
use super::summary::KeyRow;
use crate::cluster::migrate::{MigrateModel, SlotMigration};
use crate::cluster::plan::{Load, Plan, as_text};
use crate::cluster::topology::SlotRange;

/// What to move so that memory is even, and what to know before.
#[derive(Clone, Debug, Serialize)]
pub struct Rebalance {
    /// Nodes, moves, the goal and its bound.
    #[serde(flatten)]
    pub plan: Plan,
    /// Where the owners of slots are from: `nodes file` or `dumps`. Dumps tell nothing of slots without keys.
    pub owners_from: &'static str,
    /// How the servers move slots; if they differ, what all of them can.
    pub migration: SlotMigration,
    /// Keys in slots that move which take longer than MIGRATE's timeout, slowest first.
    pub slow_keys: Vec<SlowKey>,
    /// Whether these are all of them: not if so many keys are big that the lists of the largest do not reach down to where a
    /// key is fast enough.
    pub slow_keys_complete: bool,
    /// What times are estimated from, and the timeout.
    pub migrate_model: MigrateModel,
    /// The largest listed key of the heaviest slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heaviest_key: Option<KeyRow>,
    /// What more nodes would make of it.
    pub scaling: Vec<Scaled>,
    /// Slots that are left alone, and why.
    pub left_alone: Vec<LeftAlone>,
    /// What else to know, in words.
    pub notes: Vec<String>,
}

/// A key that may not move within the timeout.
#[derive(Clone, Debug, Serialize)]
pub struct SlowKey {
    /// Time to serialise, send and restore it, in milliseconds.
    pub estimate_ms: u64,
    /// The key.
    #[serde(flatten)]
    pub key: KeyRow,
}

/// Slots that are no part of the plan, and whose memory is not counted in it.
#[derive(Clone, Debug, Serialize)]
pub struct LeftAlone {
    /// Why, in words.
    pub why: &'static str,
    /// Which; as text in the way of CLUSTER NODES.
    #[serde(rename = "slots", serialize_with = "as_text")]
    pub ranges: Vec<SlotRange>,
    /// What is in them.
    pub load: Load,
}
