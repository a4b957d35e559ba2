//! What modules answer when MEMORY USAGE asks them.

use super::model::{Cost, Model};
use crate::rdb::RdbStr;
use crate::value::ModuleName;

/// Module types that answer MEMORY USAGE; what they say cannot be worked out from the dump, and the length of the
/// value in the dump stands for it. All other types do not answer, and count for nothing.
const ANSWERING: &[&str] = &[
    "ReJSON-RL", "MBbloom--", "MBbloomCF", "CMSk-TYPE", "TopK-TYPE", "TDIS-TYPE", "TSDB-TYPE", "bloomfltr",
];

/// Follows a module's value as far as it is understood.
#[derive(Debug, Default)]
pub(super) struct ModuleMeter {
    id: u64,
}

impl ModuleMeter {
    pub(super) fn begin(&mut self, id: u64) {
        self.id = id;
    }

    pub(super) fn number(&mut self, _bits: u64) {}

    pub(super) fn string(&mut self, _value: RdbStr<'_>) {}

    pub(super) fn elements(&self) -> Option<u64> {
        None
    }

    pub(super) fn cost(&self, _model: &Model, serialized_bytes: u64) -> Cost {
        let name = ModuleName::from_id(self.id);
        let usage = if ANSWERING.contains(&name.as_str()) { serialized_bytes } else { 0 };
        Cost { usage, real: serialized_bytes }
    }
}
