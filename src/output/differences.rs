//! The rows of keys that differ.

use serde::Serialize;

use super::columns::{append_key, quote_if_needed};
use crate::diff::keys::{KeyDifference, KeyFigures};
use crate::escape::Escape;
use crate::units;

/// Names of the columns, in their order.
const COLUMNS: [&str; 17] = [
    "fate",
    "differs",
    "database",
    "key",
    "slot",
    "old_node",
    "new_node",
    "old_type",
    "new_type",
    "old_num_elements",
    "new_num_elements",
    "old_footprint_bytes",
    "new_footprint_bytes",
    "old_serialized_bytes",
    "new_serialized_bytes",
    "old_expiry",
    "new_expiry",
];

/// How a key that differs becomes a row.
#[derive(Debug)]
pub struct DifferenceRows {
    /// How key names become text.
    pub escape: Escape,
    /// Whether a name that a spreadsheet would run as a formula gets an apostrophe before it.
    pub spreadsheet: bool,
    /// Names of the nodes of OLD.
    pub old_nodes: Vec<String>,
    /// Names of the nodes of NEW.
    pub new_nodes: Vec<String>,
}

impl DifferenceRows {
    /// The line that names the columns.
    pub fn header() -> String {
        COLUMNS.join(",") + "\n"
    }

    /// Appends the row as comma-separated values (RFC 4180).
    pub fn csv(&self, key: &KeyDifference<'_>, out: &mut Vec<u8>) {
        let (old, new) = (key.old.as_ref(), key.new.as_ref());
        let text = |out: &mut Vec<u8>, text: &str| {
            let start = out.len();
            out.extend_from_slice(text.as_bytes());
            quote_if_needed(out, start);
            out.push(b',');
        };
        text(out, key.fate.as_str());
        text(out, &key.differs.join(";"));
        text(out, &key.db.to_string());
        append_key(key.key, self.escape, self.spreadsheet, out);
        out.push(b',');
        text(out, &key.slot.to_string());
        text(out, name(&self.old_nodes, old).unwrap_or_default());
        text(out, name(&self.new_nodes, new).unwrap_or_default());
        let mut both = |field: &dyn Fn(&KeyFigures) -> Option<String>| {
            for side in [old, new] {
                text(out, &side.and_then(field).unwrap_or_default());
            }
        };
        both(&|key| Some(key.value_type.to_string()));
        both(&|key| Some(key.elements?.to_string()));
        both(&|key| Some(key.footprint_bytes?.to_string()));
        both(&|key| Some(key.serialized_bytes.to_string()));
        both(&|key| Some(units::rfc3339_ms(key.expire_at_ms?)));
        out.pop();
        out.push(b'\n');
    }

    /// Appends the row as a line of JSON; what is absent has no member.
    pub fn json_line(&self, key: &KeyDifference<'_>, out: &mut Vec<u8>) {
        // JSON has no raw bytes.
        let escape = if self.escape == Escape::Raw { Escape::Utf8 } else { self.escape };
        let row = Row {
            fate: key.fate.as_str(),
            differs: &key.differs,
            database: key.db,
            key: escape.text(key.key),
            slot: key.slot,
            old: key.old.as_ref().map(|figures| side(&self.old_nodes, figures)),
            new: key.new.as_ref().map(|figures| side(&self.new_nodes, figures)),
        };
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut *out, &row);
        out.push(b'\n');
    }
}

fn name<'n>(names: &'n [String], key: Option<&KeyFigures>) -> Option<&'n str> {
    names.get(key?.node as usize).map(String::as_str)
}

#[derive(Serialize)]
struct Row<'k> {
    fate: &'static str,
    differs: &'k [&'static str],
    database: u64,
    key: String,
    slot: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<RowSide<'k>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<RowSide<'k>>,
}

#[derive(Serialize)]
struct RowSide<'k> {
    node: &'k str,
    #[serde(rename = "type")]
    value_type: crate::record::ValueType,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_elements: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    footprint_bytes: Option<u64>,
    serialized_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry: Option<String>,
}

fn side<'k>(names: &'k [String], key: &KeyFigures) -> RowSide<'k> {
    RowSide {
        node: name(names, Some(key)).unwrap_or_default(),
        value_type: key.value_type,
        num_elements: key.elements,
        footprint_bytes: key.footprint_bytes,
        serialized_bytes: key.serialized_bytes,
        expiry: key.expire_at_ms.map(units::rfc3339_ms),
    }
}
