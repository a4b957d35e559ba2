//! How a figure has changed.

use serde::Serialize;

use crate::analyze::summary::TotalsRow;

/// A figure before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Before.
    pub old: u64,
    /// After.
    pub new: u64,
    /// What was added, negative if it became less.
    pub change: i64,
    /// The same in thousandths of what was there before; absent if there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_per_mille: Option<i64>,
}

impl Change {
    /// From one to the other.
    pub fn new(old: u64, new: u64) -> Change {
        let change = i128::from(new) - i128::from(old);
        let clamp = |n: i128| i64::try_from(n).unwrap_or(if n < 0 { i64::MIN } else { i64::MAX });
        Change {
            old,
            new,
            change: clamp(change),
            change_per_mille: (old > 0).then(|| clamp(change * 1000 / i128::from(old))),
        }
    }

    /// How far it has moved, up or down.
    pub fn size(&self) -> u64 {
        self.change.unsigned_abs()
    }
}

/// Sums before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // the members are those of `TotalsRow`
pub struct TotalsChange {
    pub keys: Change,
    pub footprint_bytes: Change,
    pub memory_usage_bytes: Change,
    pub serialized_bytes: Change,
    pub elements: Change,
}

impl TotalsChange {
    /// From one to the other; what is absent had no keys.
    pub fn new(old: Option<&TotalsRow>, new: Option<&TotalsRow>) -> TotalsChange {
        let (old, new) = (old.copied().unwrap_or_default(), new.copied().unwrap_or_default());
        TotalsChange {
            keys: Change::new(old.keys, new.keys),
            footprint_bytes: Change::new(old.footprint_bytes, new.footprint_bytes),
            memory_usage_bytes: Change::new(old.memory_usage_bytes, new.memory_usage_bytes),
            serialized_bytes: Change::new(old.serialized_bytes, new.serialized_bytes),
            elements: Change::new(old.elements, new.elements),
        }
    }
}

/// What became of something that is there before, after, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the names say it
pub enum Fate {
    New,
    Gone,
    Grown,
    Shrunk,
    Same,
}

impl Fate {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::New => "new",
            Fate::Gone => "gone",
            Fate::Grown => "grown",
            Fate::Shrunk => "shrunk",
            Fate::Same => "same",
        }
    }

    /// Of so many keys with so many bytes, which were none before, or are none after.
    pub fn of(keys: &Change, bytes: &Change) -> Fate {
        match (keys.old, keys.new) {
            (0, 1..) => Fate::New,
            (1.., 0) => Fate::Gone,
            _ if bytes.change > 0 => Fate::Grown,
            _ if bytes.change < 0 => Fate::Shrunk,
            _ => Fate::Same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_absolute_and_relative() {
        let change = |old, new| (Change::new(old, new).change, Change::new(old, new).change_per_mille);
        assert_eq!(change(200, 300), (100, Some(500)));
        assert_eq!(change(300, 200), (-100, Some(-333)));
        assert_eq!(change(0, 5), (5, None));
        assert_eq!(change(u64::MAX, 0), (i64::MIN, Some(-1000)));
        assert_eq!(change(1, u64::MAX), (i64::MAX, Some(i64::MAX)));
    }
}
