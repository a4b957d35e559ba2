//! Opcodes and value types as the servers' `rdb.h` numbers them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which family of servers defines the meaning of the bytes that both use (type 22, opcode 243).
///
/// Decided by the magic: `REDIS` or `VALKEY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dialect {
    /// Magic `REDIS`, versions 1 to 13; Valkey up to 8.1 writes it too.
    Redis,
    /// Magic `VALKEY`, version 80 and on.
    Valkey,
}

/// A byte that stands where a value type could, but is an instruction to the reader.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Opcode(pub u8);

#[allow(missing_docs)] // the names are those of rdb.h
impl Opcode {
    pub const EOF: Opcode = Opcode(255);
    pub const SELECTDB: Opcode = Opcode(254);
    pub const EXPIRETIME: Opcode = Opcode(253);
    pub const EXPIRETIME_MS: Opcode = Opcode(252);
    pub const RESIZEDB: Opcode = Opcode(251);
    pub const AUX: Opcode = Opcode(250);
    pub const FREQ: Opcode = Opcode(249);
    pub const IDLE: Opcode = Opcode(248);
    pub const MODULE_AUX: Opcode = Opcode(247);
    pub const FUNCTION_PRE_GA: Opcode = Opcode(246);
    pub const FUNCTION2: Opcode = Opcode(245);
    pub const SLOT_INFO: Opcode = Opcode(244);
    /// Redis: `KEY_META` (8.6). Valkey: `SLOT_IMPORT` (9.0).
    pub const KEY_META_OR_SLOT_IMPORT: Opcode = Opcode(243);
    /// Redis Enterprise, seen in its exports: one length.
    pub const ENTERPRISE_SLOT_NUM: Opcode = Opcode(121);
    /// Redis Enterprise, seen in its exports: one length, LRU clock of a key.
    pub const ENTERPRISE_RAM_LRU: Opcode = Opcode(107);
}

impl fmt::Debug for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opcode({:#04x})", self.0)
    }
}

/// The byte before a key that says how its value is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeByte(pub u8);

#[allow(missing_docs)] // the names are those of rdb.h
impl TypeByte {
    pub const STRING: TypeByte = TypeByte(0);
    pub const LIST: TypeByte = TypeByte(1);
    pub const SET: TypeByte = TypeByte(2);
    pub const ZSET: TypeByte = TypeByte(3);
    pub const HASH: TypeByte = TypeByte(4);
    pub const ZSET_2: TypeByte = TypeByte(5);
    pub const MODULE_PRE_GA: TypeByte = TypeByte(6);
    pub const MODULE_2: TypeByte = TypeByte(7);
    pub const HASH_ZIPMAP: TypeByte = TypeByte(9);
    pub const LIST_ZIPLIST: TypeByte = TypeByte(10);
    pub const SET_INTSET: TypeByte = TypeByte(11);
    pub const ZSET_ZIPLIST: TypeByte = TypeByte(12);
    pub const HASH_ZIPLIST: TypeByte = TypeByte(13);
    pub const LIST_QUICKLIST: TypeByte = TypeByte(14);
    pub const STREAM_LISTPACKS: TypeByte = TypeByte(15);
    pub const HASH_LISTPACK: TypeByte = TypeByte(16);
    pub const ZSET_LISTPACK: TypeByte = TypeByte(17);
    pub const LIST_QUICKLIST_2: TypeByte = TypeByte(18);
    pub const STREAM_LISTPACKS_2: TypeByte = TypeByte(19);
    pub const SET_LISTPACK: TypeByte = TypeByte(20);
    pub const STREAM_LISTPACKS_3: TypeByte = TypeByte(21);
    /// Redis 7.4 release candidates: `HASH_METADATA_PRE_GA`. Valkey 9: `HASH_2`.
    pub const HASH_METADATA_PRE_GA_OR_HASH_2: TypeByte = TypeByte(22);
    pub const HASH_LISTPACK_EX_PRE_GA: TypeByte = TypeByte(23);
    pub const HASH_METADATA: TypeByte = TypeByte(24);
    pub const HASH_LISTPACK_EX: TypeByte = TypeByte(25);
    pub const STREAM_LISTPACKS_4: TypeByte = TypeByte(26);

    /// Whether a file of this dialect may hold such a value.
    #[inline]
    pub fn is_known(self, dialect: Dialect) -> bool {
        match self.0 {
            0..=7 | 9..=22 => true,
            23..=26 => dialect == Dialect::Redis,
            _ => false,
        }
    }

    /// Whether the value is stored as a single string, in every dialect: a string, or all of a collection packed into one.
    #[inline(always)]
    pub fn is_single_string(self) -> bool {
        matches!(
            self,
            Self::STRING
                | Self::HASH_ZIPMAP
                | Self::LIST_ZIPLIST
                | Self::SET_INTSET
                | Self::ZSET_ZIPLIST
                | Self::HASH_ZIPLIST
                | Self::HASH_LISTPACK
                | Self::ZSET_LISTPACK
                | Self::SET_LISTPACK
        )
    }

    /// Whether the value is a stream, of any generation.
    pub fn is_stream(self) -> bool {
        matches!(
            self,
            Self::STREAM_LISTPACKS | Self::STREAM_LISTPACKS_2 | Self::STREAM_LISTPACKS_3 | Self::STREAM_LISTPACKS_4
        )
    }

    /// What the servers' sources call this type, for messages.
    pub fn name(self, dialect: Dialect) -> &'static str {
        match self.0 {
            0 => "string",
            1 => "list",
            2 => "set",
            3 => "zset",
            4 => "hash",
            5 => "zset_2",
            6 => "module (pre-GA)",
            7 => "module_2",
            9 => "hash_zipmap",
            10 => "list_ziplist",
            11 => "set_intset",
            12 => "zset_ziplist",
            13 => "hash_ziplist",
            14 => "list_quicklist",
            15 => "stream_listpacks",
            16 => "hash_listpack",
            17 => "zset_listpack",
            18 => "list_quicklist_2",
            19 => "stream_listpacks_2",
            20 => "set_listpack",
            21 => "stream_listpacks_3",
            22 if dialect == Dialect::Valkey => "hash_2",
            22 => "hash_metadata (pre-GA)",
            23 => "hash_listpack_ex (pre-GA)",
            24 => "hash_metadata",
            25 => "hash_listpack_ex",
            26 => "stream_listpacks_4",
            _ => "unknown",
        }
    }
}

impl fmt::Debug for TypeByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypeByte({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_strings_are_known_to_every_dialect() {
        let single: Vec<u8> = (0..=255).filter(|byte| TypeByte(*byte).is_single_string()).collect();
        assert_eq!(single, [0, 9, 10, 11, 12, 13, 16, 17, 20]);
        for dialect in [Dialect::Redis, Dialect::Valkey] {
            assert!(single.iter().all(|byte| TypeByte(*byte).is_known(dialect)));
        }
    }
}
