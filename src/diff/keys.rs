//! Two states key by key, in bounded memory: both sorted by database and name, then read side by side.

use std::io;

use serde::Serialize;

use super::large::pair;
use super::sorted::{Merge, Sorted, append_entry};
use crate::cluster::slot_of;
use crate::pipeline::ValuePrint;
use crate::record::{KeyRecord, ValueType};
use crate::value::ModuleName;

/// What is kept of a key until it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFigures {
    /// Place of its node among those of its side.
    pub node: u32,
    /// Type of the value.
    pub value_type: ValueType,
    /// As in [`KeyRecord`].
    pub elements: Option<u64>,
    /// As in [`KeyRecord`].
    pub largest_element_bytes: Option<u64>,
    /// As in [`KeyRecord`].
    pub expire_at_ms: Option<i64>,
    /// As in [`KeyRecord`].
    pub footprint_bytes: Option<u64>,
    /// Its share of the key tables, which depends on the other keys.
    pub key_tables_bytes: Option<u64>,
    /// As in [`KeyRecord`].
    pub serialized_bytes: u64,
    /// What the value looks like.
    pub print: ValuePrint,
}

impl KeyFigures {
    /// Appends the key as an entry to be sorted.
    pub fn append(node: u32, record: &KeyRecord<'_>, print: ValuePrint, out: &mut Vec<u8>) {
        let mut rest = Vec::with_capacity(96);
        rest.extend_from_slice(&node.to_be_bytes());
        let module = match record.value_type {
            ValueType::Module(name) => name.as_str().to_owned(),
            _ => String::new(),
        };
        rest.extend([record.value_type.index() as u8, print.stored_as.0, u8::from(print.stored_as.1)]);
        let mut number = |number: Option<u64>| {
            rest.push(u8::from(number.is_some()));
            rest.extend_from_slice(&number.unwrap_or(0).to_le_bytes());
        };
        number(record.elements);
        number(record.largest_element_bytes);
        number(record.expire_at_ms.map(i64::cast_unsigned));
        number(record.footprint_bytes);
        number(record.key_tables_bytes);
        number(Some(record.serialized_bytes));
        number(Some(print.bytes));
        number(Some(print.crc));
        rest.extend_from_slice(module.as_bytes());
        append_entry(out, record.db, record.key, &rest);
    }

    /// The key of such an entry.
    fn read(entry: &Sorted) -> Option<KeyFigures> {
        let (node, rest) = entry.rest().split_first_chunk()?;
        let ([index, kind, compressed], mut rest) = rest.split_first_chunk()?;
        let mut number = || {
            let ([is_some, bytes @ ..], behind) = rest.split_first_chunk::<9>()?;
            rest = behind;
            Some((*is_some == 1).then(|| u64::from_le_bytes(*bytes)))
        };
        let numbers: [Option<u64>; 8] =
            [number()?, number()?, number()?, number()?, number()?, number()?, number()?, number()?];
        let [elements, largest_element_bytes, expiry, footprint_bytes, key_tables_bytes, serialized, bytes, crc] =
            numbers;
        let value_type = match ValueType::PLAIN.get(usize::from(*index)) {
            Some(plain) => *plain,
            None => ValueType::Module(ModuleName::from_name(std::str::from_utf8(rest).ok()?)?),
        };
        Some(KeyFigures {
            node: u32::from_be_bytes(*node),
            value_type,
            elements,
            largest_element_bytes,
            expire_at_ms: expiry.map(u64::cast_signed),
            footprint_bytes,
            key_tables_bytes,
            serialized_bytes: serialized?,
            print: ValuePrint { stored_as: (*kind, *compressed == 1), bytes: bytes?, crc: crc? },
        })
    }

    /// What it takes apart from its share of the key tables.
    fn own_bytes(&self) -> Option<u64> {
        Some(self.footprint_bytes?.saturating_sub(self.key_tables_bytes?))
    }
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyFate {
    /// Only in NEW.
    New,
    /// Only in OLD.
    Gone,
    /// In both, and different.
    Changed,
    /// In both, and all that is known of it is the same but the bytes: a list, set, hash or the like of which an element
    /// has changed for one of the same length, or that is only in another order, encoding or compression.
    Rewritten,
    /// The same, on another node.
    Moved,
    /// The same, on the same node.
    Same,
}

impl KeyFate {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyFate::New => "new",
            KeyFate::Gone => "gone",
            KeyFate::Changed => "changed",
            KeyFate::Rewritten => "rewritten",
            KeyFate::Moved => "moved",
            KeyFate::Same => "same",
        }
    }
}

/// How many keys differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeyCounts {
    /// Keys of OLD.
    pub old_keys: u64,
    /// Keys of NEW.
    pub new_keys: u64,
    /// In both, on the same node or on another, and the same.
    pub same: u64,
    /// In both, and different.
    pub changed: u64,
    /// In both, and only their bytes differ.
    pub rewritten: u64,
    /// Only in NEW.
    pub new: u64,
    /// Only in OLD.
    pub gone: u64,
    /// Of those in both, those on another node than before.
    pub moved: u64,
    /// Memory of those only in NEW.
    pub new_bytes: u64,
    /// Memory of those only in OLD.
    pub gone_bytes: u64,
    /// What those that changed grew by.
    pub changed_bytes: i64,
}

/// A key that differs.
#[derive(Debug)]
pub struct KeyDifference<'k> {
    /// Database.
    pub db: u64,
    /// Name.
    pub key: &'k [u8],
    /// Slot.
    pub slot: u16,
    /// What became of it.
    pub fate: KeyFate,
    /// What differs: of `type`, `elements`, `largest`, `expiry`, `memory`, `content`, `bytes`, `node`.
    pub differs: Vec<&'static str>,
    /// Before.
    pub old: Option<KeyFigures>,
    /// After.
    pub new: Option<KeyFigures>,
}

/// What can be compared of the keys of two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparable {
    /// Whether they are the same node.
    pub same_node: bool,
    /// Whether their dumps are of the same version, so that the bytes of values can be.
    pub bytes: bool,
    /// Whether their memory is modelled as of the same server.
    pub memory: bool,
}

/// Goes through both sides, and gives each key that differs to `differs`, by database and name.
///
/// # Errors
/// If temporary files cannot be read, or those of `differs`.
pub fn compare_keys(
    old: &mut Merge,
    new: &mut Merge,
    comparable: &dyn Fn(u32, u32) -> Comparable,
    differs: &mut dyn FnMut(&KeyDifference<'_>) -> io::Result<()>,
) -> io::Result<KeyCounts> {
    let mut counts = KeyCounts::default();
    loop {
        let key = match (old.peek(), new.peek()) {
            (None, None) => return Ok(counts),
            (Some(key), None) | (None, Some(key)) => key,
            (Some(one), Some(other)) => one.min(other),
        };
        let (db, name) = (key.0, key.1.to_vec());
        let before = take(old, db, &name)?;
        let after = take(new, db, &name)?;
        counts.old_keys += before.len() as u64;
        counts.new_keys += after.len() as u64;
        let same_node = |one: &KeyFigures, other: &KeyFigures| comparable(one.node, other.node).same_node;
        for (before, after) in pair(before, after, same_node) {
            let (fate, what) = fate_of(before.as_ref(), after.as_ref(), comparable);
            counts.add(fate, before.as_ref(), after.as_ref(), what.contains(&"node"));
            if fate != KeyFate::Same {
                let slot = slot_of(&name);
                differs(&KeyDifference { db, key: &name, slot, fate, differs: what, old: before, new: after })?;
            }
        }
    }
}

/// The keys of that name, one for each node that has it.
fn take(side: &mut Merge, db: u64, name: &[u8]) -> io::Result<Vec<KeyFigures>> {
    let mut keys = Vec::new();
    while side.peek() == Some((db, name)) {
        let entry = side.next()?;
        keys.extend(entry.as_ref().and_then(KeyFigures::read));
    }
    Ok(keys)
}

fn fate_of(
    old: Option<&KeyFigures>,
    new: Option<&KeyFigures>,
    comparable: &dyn Fn(u32, u32) -> Comparable,
) -> (KeyFate, Vec<&'static str>) {
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        (None, _) => return (KeyFate::New, Vec::new()),
        (_, None) => return (KeyFate::Gone, Vec::new()),
    };
    let can = comparable(old.node, new.node);
    let mut differs = Vec::new();
    let mut note = |differ: bool, what| differs.extend(differ.then_some(what));
    note(old.value_type != new.value_type, "type");
    note(old.elements != new.elements, "elements");
    note(old.largest_element_bytes != new.largest_element_bytes, "largest");
    note(old.expire_at_ms != new.expire_at_ms, "expiry");
    let same_bytes = can.bytes && old.print == new.print;
    note(can.memory && !same_bytes && old.own_bytes() != new.own_bytes(), "memory");
    if can.bytes && !same_bytes {
        // A string is its bytes. What has elements may hold the same ones in another order.
        let is_content = old.value_type == ValueType::String && old.print.stored_as == new.print.stored_as;
        note(true, if is_content { "content" } else { "bytes" });
    }
    let fate = match differs.as_slice() {
        [] if can.same_node => KeyFate::Same,
        [] => KeyFate::Moved,
        ["bytes"] => KeyFate::Rewritten,
        _ => KeyFate::Changed,
    };
    if !can.same_node {
        differs.push("node");
    }
    (fate, differs)
}

impl KeyCounts {
    fn add(&mut self, fate: KeyFate, old: Option<&KeyFigures>, new: Option<&KeyFigures>, moved: bool) {
        let bytes = |key: Option<&KeyFigures>| key.and_then(|key| key.footprint_bytes).unwrap_or(0);
        self.moved += u64::from(moved);
        match fate {
            KeyFate::New => {
                self.new += 1;
                self.new_bytes = self.new_bytes.saturating_add(bytes(new));
            }
            KeyFate::Gone => {
                self.gone += 1;
                self.gone_bytes = self.gone_bytes.saturating_add(bytes(old));
            }
            KeyFate::Changed => {
                self.changed += 1;
                self.changed_bytes =
                    self.changed_bytes.saturating_add_unsigned(bytes(new)).saturating_sub_unsigned(bytes(old));
            }
            KeyFate::Rewritten => self.rewritten += 1,
            KeyFate::Moved | KeyFate::Same => self.same += 1,
        }
    }
}
