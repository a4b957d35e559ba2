//! When a key is big: thresholds per type, in elements and in bytes.

use serde::Serialize;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
        let elements = match record.value_type {
            ValueType::String => 0, // its bytes are its memory
            _ => record.elements.unwrap_or(0),
        };
        if memory > self.memory_critical_bytes || elements > self.elements_critical {
            Some(Severity::Critical)
        } else if memory > self.memory_warning_bytes || elements > self.elements_warning {
            Some(Severity::Warning)
        } else {
            None
        }
    }
}
