//! When a key is big: thresholds in elements and in bytes; and the big keys with what they cost.

use serde::{Deserialize, Serialize};

use super::cost::{COST_MODEL, CostModel, Costs};
use super::remedy::{Runbook, runbook};
use super::summary::KeyRow;
use crate::record::{KeyRecord, ValueType};

/// How grave something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth acting on.
    Warning,
    /// Hurts, or will.
    Critical,
}

impl Severity {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// From where on a key is big.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BigThresholds {
    /// Elements of a collection: warning.
    pub elements_warning: u64,
    /// Elements of a collection: critical.
    pub elements_critical: u64,
    /// Bytes of memory of any key: warning.
    pub memory_warning_bytes: u64,
    /// Bytes of memory of any key: critical.
    pub memory_critical_bytes: u64,
}

impl Default for BigThresholds {
    fn default() -> BigThresholds {
        BigThresholds {
            elements_warning: 10_000,
            elements_critical: 100_000,
            memory_warning_bytes: 10 << 20,
            memory_critical_bytes: 100 << 20,
        }
    }
}

impl BigThresholds {
    /// How big a key is, by the worse of its elements and its memory; absent if it is not big.
    #[inline(always)]
    pub fn severity(&self, record: &KeyRecord<'_>) -> Option<Severity> {
        let memory = record.footprint_bytes.unwrap_or(0).max(record.memory_bytes.unwrap_or(0));
        self.severity_of(memory, counted(record.value_type, record.elements))
    }

    /// The same of a key of so many bytes of memory and, if it is a collection, elements.
    #[inline(always)]
    pub fn severity_of(&self, memory: u64, elements: u64) -> Option<Severity> {
        if memory > self.memory_critical_bytes || elements > self.elements_critical {
            Some(Severity::Critical)
        } else if memory > self.memory_warning_bytes || elements > self.elements_warning {
            Some(Severity::Warning)
        } else {
            None
        }
    }

    /// A listed key as a big one, if it is big.
    pub fn big_key(&self, key: &KeyRow) -> Option<BigKey> {
        let memory = key.footprint_bytes.unwrap_or(0).max(key.size_in_bytes.unwrap_or(0));
        let elements = counted(key.value_type, key.num_elements);
        let severity = self.severity_of(memory, elements)?;
        let hundredths = |part: u64, whole: u64| {
            u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).unwrap_or(u64::MAX)
        };
        let by_memory = hundredths(memory, self.memory_warning_bytes);
        let by_elements = hundredths(elements, self.elements_warning);
        let pieces =
            memory.div_ceil(self.memory_warning_bytes.max(1)).max(elements.div_ceil(self.elements_warning.max(1)));
        let can_split = match key.value_type {
            ValueType::String => true,
            ValueType::Module(_) => false,
            // An element stays in one piece.
            _ => pieces <= elements && key.len_largest_element.unwrap_or(0) <= self.memory_warning_bytes,
        };
        let pieces = can_split.then_some(pieces);
        let costs = COST_MODEL.costs(key);
        Some(BigKey {
            severity,
            percent_of_warning: by_memory.max(by_elements),
            pieces,
            costs,
            runbook: runbook(key, pieces, costs, self),
            key: key.clone(),
        })
    }
}

/// Elements as far as they make a key big: the bytes of a string are its memory.
#[inline(always)]
fn counted(value_type: ValueType, elements: Option<u64>) -> u64 {
    match value_type {
        ValueType::String => 0,
        _ => elements.unwrap_or(0),
    }
}

/// The big keys of a run.
#[derive(Clone, Debug, Serialize)]
pub struct BigKeys {
    /// How many there are.
    pub total: u64,
    /// How many of them are critical.
    pub critical: u64,
    /// The gravest, those furthest beyond a threshold first.
    pub keys: Vec<BigKey>,
    /// What the costs are estimated from.
    pub cost_model: CostModel,
}

/// A big key: how big, what it costs, and what to do about it.
#[derive(Clone, Debug, Serialize)]
pub struct BigKey {
    /// How grave it is.
    pub severity: Severity,
    /// Its elements or its memory in per cent of the threshold for a warning, whichever is more.
    pub percent_of_warning: u64,
    /// The fewest equal pieces that would not be big; absent if splitting does not help: an element is in one piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pieces: Option<u64>,
    /// What it costs.
    pub costs: Costs,
    /// What to do about it.
    pub runbook: Runbook,
    /// The key.
    #[serde(flatten)]
    pub key: KeyRow,
}
