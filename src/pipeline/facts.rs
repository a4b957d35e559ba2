//! What a dump says about itself, gathered while it is read.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::DumpError;
use crate::escape::Escape;
use crate::memory::Place;
use crate::rdb::function::library_name;
use crate::rdb::{Fault, FaultKind, Header, Item, RdbStr};
use crate::value::Depth;

/// Longest fact about a file that is kept.
pub(super) const MAX_FACT_BYTES: u64 = 4096;
/// Facts about a file that are kept.
const MAX_FACTS: usize = 64;

/// Function libraries whose names are compared.
const MAX_LIBRARIES: usize = 4096;

/// What the dump says about itself, apart from its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Magic and version.
    pub header: Option<Header>,
    /// AUX fields, in the order of the file, as name and text; repeated ones (scripts, slots) are left out.
    pub aux: Vec<(String, String)>,
    /// Function libraries.
    pub functions: u64,
    /// Cached scripts (4.0 to 6.2).
    pub scripts: u64,
    /// Modules that keep data outside keys, by the 64-bit id of their type.
    pub module_aux: Vec<u64>,
    /// Whether the dump tells the keys of each slot, so was written by a node of a cluster.
    pub slot_info: bool,
    /// Running slot imports (Valkey 9).
    pub slot_imports: u64,
    /// Keys by the dump's own word (RESIZEDB), where it has one.
    pub announced_keys: Option<u64>,
}

impl FileFacts {
    /// The value of an AUX field.
    pub fn aux(&self, name: &str) -> Option<&str> {
        self.aux.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(super) fn add_aux(&mut self, name: RdbStr<'_>, value: RdbStr<'_>) {
        let text = |string: RdbStr<'_>| {
            let bytes = string.bytes(&mut Vec::new(), MAX_FACT_BYTES).map(<[u8]>::to_vec).ok()?;
            (bytes.len() as u64 <= MAX_FACT_BYTES).then(|| Escape::Utf8.text(&bytes))
        };
        match text(name).as_deref() {
            Some("lua") => self.scripts += 1,
            Some("slot-info") => self.slot_info = true,
            Some(name) if self.aux.len() < MAX_FACTS && self.aux(name).is_none() => {
                let value = text(value).unwrap_or_else(|| format!("({} bytes)", value.len()));
                self.aux.push((name.to_owned(), value));
            }
            _ => {}
        }
    }
}

/// Whether the bytes are those that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChecksumState {
    /// The checksum is right.
    Right,
    /// It is not.
    Wrong,
    /// The writer did not compute one (`rdbchecksum no`).
    Off,
    /// The version has none.
    None,
    /// The reading ended before it.
    NotReached,
}

/// What the driver keeps while it goes over a dump.
pub(super) struct Driver {
    pub(super) facts: FileFacts,
    pub(super) place: Place,
    pub(super) next_number: u64,
    /// What the file says its checksum is; the outer level is whether the end was reached.
    pub(super) end: Option<Option<u64>>,
    pub(super) error: Option<DumpError>,
    /// What is wrong between the keys, if that is looked for.
    pub(super) item_faults: Vec<Fault>,
    depth: Depth,
    libraries: BTreeSet<Vec<u8>>,
}

impl Driver {
    pub(super) fn new(header: Header, depth: Depth) -> Driver {
        Driver {
            facts: FileFacts { header: Some(header), ..FileFacts::default() },
            place: Place::default(),
            next_number: 0,
            end: None,
            error: None,
            item_faults: Vec::new(),
            depth,
            libraries: BTreeSet::new(),
        }
    }

    /// Takes note of an item that is not a key's and begins at offset `at`.
    pub(super) fn note(&mut self, item: &Item<'_>, at: u64) {
        if self.depth == Depth::Deep
            && let Err(fault) = self.check_item(item, at)
            && self.item_faults.len() < MAX_FACTS
        {
            self.item_faults.push(fault);
        }
        match *item {
            Item::Aux { name, value } => self.facts.add_aux(name, value),
            Item::SelectDb(db) => self.place.select_db(db),
            Item::ResizeDb { keys, expires } => {
                let sum = self.facts.announced_keys.unwrap_or(0);
                self.facts.announced_keys = Some(sum.saturating_add(keys));
                self.place.resize_db(keys, expires);
            }
            Item::SlotInfo { .. } => self.facts.slot_info = true,
            Item::SlotImport { .. } => self.facts.slot_imports += 1,
            Item::Function { .. } => self.facts.functions += 1,
            Item::ModuleAux { module }
                if !self.facts.module_aux.contains(&module) && self.facts.module_aux.len() < MAX_FACTS =>
            {
                self.facts.module_aux.push(module);
            }
            Item::End { stored_checksum } => self.end = Some(stored_checksum),
            _ => {}
        }
    }

    /// What a server would refuse of an item.
    fn check_item(&mut self, item: &Item<'_>, at: u64) -> Result<(), Fault> {
        match *item {
            Item::Aux { name, value } => {
                name.verify()?;
                value.verify()
            }
            Item::Function { is_pre_release: true, .. } => Err(Fault { at, kind: FaultKind::PreGaFunction }),
            Item::Function { code, .. } => {
                let mut scratch = Vec::new();
                let name = library_name(code, at, &mut scratch)?;
                if self.libraries.contains(name) {
                    return Err(Fault { at, kind: FaultKind::BadFunction { expected: "a library of another name" } });
                }
                if self.libraries.len() < MAX_LIBRARIES {
                    self.libraries.insert(name.to_vec());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn fail(&mut self, fault: Fault, key: Option<RdbStr<'_>>) {
        let key = key.and_then(|key| key.bytes(&mut Vec::new(), MAX_FACT_BYTES).map(<[u8]>::to_vec).ok());
        self.error = Some(DumpError::Fault { fault, key });
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    pub(super) fn checksum_state(&mut self, computed: u64) -> ChecksumState {
        match self.end {
            None => ChecksumState::NotReached,
            Some(None) => ChecksumState::None,
            Some(Some(0)) => ChecksumState::Off,
            Some(Some(stored)) if stored == computed => ChecksumState::Right,
            Some(Some(stored)) => {
                self.error.get_or_insert(DumpError::Checksum { stored, computed });
                ChecksumState::Wrong
            }
        }
    }
}

/// Bytes of the checksum behind the end opcode, which it does not cover.
pub(super) fn checksum_bytes(end: Option<Option<u64>>) -> usize {
    if matches!(end, Some(Some(_))) { 8 } else { 0 }
}
