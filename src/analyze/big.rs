//! The big keys, with what they cost and what would help.

use serde::Serialize;

use super::compression::{CODEC, CompressionSample};
use super::cost::{CostModel, Costs};
use super::pieces::{Landing, SlotOwners, pieces};
use super::remedy::{Runbook, runbook};
use super::summary::KeyRow;
use super::thresholds::{BigThresholds, Crossed, Severity};
use super::top::TopKey;
use crate::escape::Escape;
use crate::memory::Server;
use crate::record::ValueType;
use crate::units::{bytes, percent};

/// Big keys that are remembered: the gravest.
pub const BIG_KEYS: usize = 50;

/// The big keys of a run.
#[derive(Clone, Debug, Serialize)]
pub struct BigKeys {
    /// How many there are.
    pub total: u64,
    /// How many of them are critical.
    pub critical: u64,
    /// The gravest: the critical first, then those furthest beyond a threshold.
    pub keys: Vec<BigKey>,
    /// What the costs are estimated from.
    pub cost_model: CostModel,
}

/// A big key: how big, what it costs, and what to do about it.
#[derive(Clone, Debug, Serialize)]
pub struct BigKey {
    /// How grave it is.
    pub severity: Severity,
    /// Its furthest measure in per cent of the threshold for a warning.
    pub percent_of_warning: u64,
    /// What it is big by.
    pub crossed: Vec<Crossed>,
    /// The fewest equal pieces that would not be big; absent if splitting does not help: an element is in one piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pieces: Option<u64>,
    /// Where those would land; absent without a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landing: Option<Landing>,
    /// What compressing it would save; absent if that could not be measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// What it costs.
    pub costs: Costs,
    /// What to do about it.
    pub runbook: Runbook,
    /// The key.
    #[serde(flatten)]
    pub key: KeyRow,
}

/// What compressing a value in the client would save.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Compression {
    /// The codec that was used.
    pub codec: &'static str,
    /// What came of a sample.
    #[serde(flatten)]
    pub sample: CompressionSample,
    /// Bytes that all of the value would take less, if the rest of it is like the sample.
    pub saved_bytes: u64,
    /// Whether that is at least a tenth of its memory.
    pub is_worthwhile: bool,
}

impl Compression {
    fn new(key: &TopKey, sample: CompressionSample) -> Compression {
        let elements = if key.value_type == ValueType::String { 1 } else { key.elements.unwrap_or(0) };
        let memory = key.footprint_bytes.unwrap_or(0);
        // The elements of a sample may be longer than most.
        let saved_bytes = sample.saved_bytes(elements).min(memory);
        Compression {
            codec: CODEC,
            sample,
            saved_bytes,
            is_worthwhile: saved_bytes.saturating_mul(10) >= memory.max(1),
        }
    }

    /// What came of the sample, as a part of a sentence.
    pub fn in_words(&self) -> String {
        let CompressionSample { sample_bytes, compressed_bytes, .. } = self.sample;
        let of = percent(compressed_bytes, sample_bytes);
        format!("compressing a sample of {} with {} makes it {of} of its size", bytes(sample_bytes), self.codec)
    }
}

/// What big keys are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Judgement<'j> {
    /// From where on a key is big.
    pub thresholds: &'j BigThresholds,
    /// What costs are estimated from.
    pub costs: &'j CostModel,
    /// Who owns which slots.
    pub owners: &'j SlotOwners,
}

impl Judgement<'_> {
    /// A key of the dump called `node`, which is of `server`, as a big one, if it is big.
    pub fn big_key(&self, key: &TopKey, node: &str, server: Server) -> Option<BigKey> {
        let record = key.record();
        let crossed = self.thresholds.crossed(&record);
        let severity = crossed.iter().map(|crossed| crossed.severity).max()?;
        let limits = self.thresholds.of(key.value_type);
        let mut big = BigKey {
            severity,
            percent_of_warning: crossed.iter().map(|crossed| crossed.percent_of_warning).max().unwrap_or(0),
            crossed,
            pieces: pieces(&record, limits),
            landing: None,
            compression: key.compression.map(|sample| Compression::new(key, sample)),
            costs: self.costs.costs(&record),
            runbook: Runbook::default(),
            key: KeyRow::new(node, &record, Escape::Utf8),
        };
        big.landing = big.pieces.and_then(|pieces| Landing::of(&key.key, pieces, self.owners));
        big.runbook = runbook(&big, limits, self.costs.migrate.timeout_ms, server);
        Some(big)
    }
}
