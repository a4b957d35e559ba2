//! Values of modules: items that say their own type, so that an unknown module's can be passed over.

use std::fmt;

use super::visit::Visit;
use crate::rdb::cursor::Cursor;
use crate::rdb::fault::{Fault, FaultKind, Parse};

/// Characters of a name, by their six bits of an id.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The name of a module's type: nine characters, packed in the upper 54 bits of its id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleName([u8; 9]);

impl ModuleName {
    /// Of the id 0, where a name is not known yet.
    pub const UNKNOWN: ModuleName = ModuleName([ALPHABET[0]; 9]);

    /// The name within the 64-bit `id`; its lower 10 bits are the version of the encoding.
    pub fn from_id(id: u64) -> ModuleName {
        ModuleName(std::array::from_fn(|i| ALPHABET[(id >> (10 + 6 * (8 - i)) & 63) as usize]))
    }

    /// The name that a text is: nine characters of those that names are made of.
    pub fn from_name(name: &str) -> Option<ModuleName> {
        let name: [u8; 9] = name.as_bytes().try_into().ok()?;
        name.iter().all(|character| ALPHABET.contains(character)).then_some(ModuleName(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

pub(super) fn decode<C: Cursor, V: Visit>(cursor: &mut C, visit: &mut V) -> Parse<()> {
    visit.module(cursor.length()?);
    loop {
        let at = cursor.offset();
        match cursor.length()? {
            0 => return Ok(()),
            1 | 2 => visit.module_number(cursor.length()?),
            3 => visit.module_number(u64::from(u32::from_le_bytes(cursor.array()?))),
            4 => visit.module_number(u64::from_le_bytes(cursor.array()?)),
            5 => visit.module_string(cursor.string()?),
            opcode => return Err(Fault { at, kind: FaultKind::BadModuleOpcode { opcode } }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names() {
        let name = ModuleName::from_id(0xbde7_2da2_bb1e_b400);
        assert_eq!(name.as_str(), "vectorset");
        assert_eq!(ModuleName::from_name("vectorset"), Some(name));
        assert_eq!(ModuleName::from_name("vectorse"), None);
        assert_eq!(ModuleName::from_name("vector<b>"), None);
    }
}
