//! What a run was asked for, as far as the summary says it.

use serde::{Deserialize, Serialize};

use super::rebalance::RebalanceOptions;
use crate::analyze::cost::CostModel;
use crate::analyze::pattern::PatternOptions;
use crate::analyze::thresholds::BigThresholds;
use crate::memory::{Allocator, ModelOptions, Server, Thresholds};
use crate::pipeline::FileFacts;

/// What a run was asked for, as far as the summary says it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunOptions {
    /// Model another server than the one that wrote the dump.
    pub server: Option<Server>,
    /// The allocator it is linked with.
    pub allocator: Allocator,
    /// Cluster mode, where it is not to be guessed.
    pub cluster_mode: Option<bool>,
    /// Settings of the server.
    pub thresholds: Thresholds,
    /// Whether a nodes file is given.
    pub has_nodes: bool,
    /// The time that expiries are measured from, instead of each dump's own, in milliseconds since 1970.
    pub now_ms: Option<i64>,
    /// Servers to compare with.
    pub compare: Vec<Server>,
    /// Other settings to compare with, as (name and value, all settings).
    pub compare_settings: Vec<(String, Thresholds)>,
    /// When a key is big.
    pub big: BigThresholds,
    /// What the costs of big keys are estimated from.
    #[serde(skip)]
    pub costs: CostModel,
    /// Keys in each list.
    #[serde(skip)]
    pub top: usize,
    /// How names become patterns.
    pub patterns: PatternOptions,
    /// Whether what is variable in names is hidden.
    pub redacted: bool,
    /// Make this rebalance plan; if absent, the plan for the nodes there are, where the dumps say that they are of a cluster.
    #[serde(skip)]
    pub rebalance: Option<RebalanceOptions>,
}

impl RunOptions {
    /// The usual options, with lists of `top` keys.
    pub fn new(top: usize) -> RunOptions {
        RunOptions {
            server: None,
            allocator: Allocator::default(),
            cluster_mode: None,
            thresholds: Thresholds::default(),
            has_nodes: false,
            now_ms: None,
            compare: Vec::new(),
            compare_settings: Vec::new(),
            big: BigThresholds::default(),
            costs: CostModel::default(),
            top,
            patterns: PatternOptions::default(),
            redacted: false,
            rebalance: None,
        }
    }

    /// The options as far as they decide sums over keys.
    pub fn of_sums(&self) -> RunOptions {
        RunOptions { has_nodes: false, now_ms: None, compare: Vec::new(), compare_settings: Vec::new(), ..self.clone() }
    }

    /// The model of the server that wrote a dump, or of the one asked for, and those to compare it with.
    pub fn models(&self, facts: &FileFacts) -> (ModelOptions, Vec<ModelOptions>) {
        let own = ModelOptions {
            server: self.server.unwrap_or_else(|| writer(facts)),
            allocator: self.allocator,
            cluster: self.is_cluster(facts),
            thresholds: self.thresholds.clone(),
        };
        let servers = self.compare.iter().map(|server| ModelOptions { server: *server, ..own.clone() });
        let settings = self
            .compare_settings
            .iter()
            .map(|(_, thresholds)| ModelOptions { thresholds: thresholds.clone(), ..own.clone() });
        let others = servers.chain(settings).collect();
        (own, others)
    }

    fn is_cluster(&self, facts: &FileFacts) -> bool {
        self.cluster_mode.unwrap_or(self.has_nodes || facts.slot_info)
    }

    /// The time that a dump's expiries are measured from.
    pub fn now_ms(&self, facts: &FileFacts) -> Option<i64> {
        self.now_ms.or_else(|| saved_at_seconds(facts)?.checked_mul(1000))
    }

    pub(super) fn comparison_names(&self) -> Vec<String> {
        let servers = self.compare.iter().map(ToString::to_string);
        servers.chain(self.compare_settings.iter().map(|(name, _)| name.clone())).collect()
    }
}

/// The server that wrote a dump, by its word or by the version of its format.
fn writer(facts: &FileFacts) -> Server {
    let named = match (facts.aux("valkey-ver"), facts.aux("redis-ver")) {
        (Some(version), _) => Server::valkey(version),
        (None, Some(version)) => Server::redis(version),
        (None, None) => None,
    };
    named.or_else(|| facts.header.map(Server::likely_writer)).unwrap_or_else(Server::newest)
}

/// When a dump was saved, in seconds since 1970, by its own word.
pub fn saved_at_seconds(facts: &FileFacts) -> Option<i64> {
    facts.aux("ctime")?.parse().ok()
}
