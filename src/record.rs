//! What is known of a key once it is decoded: everything behind the decoding speaks of [`KeyRecord`]s.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::rdb::TypeByte;
use crate::value::ModuleName;

/// The type of a value, as TYPE says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the names are the servers'
pub enum ValueType {
    String,
    List,
    Set,
    Zset,
    Hash,
    Stream,
    /// A module's; its name stands for the type.
    Module(ModuleName),
}

impl ValueType {
    /// The types that are no modules', in the order of [`ValueType::index`].
    pub const PLAIN: [ValueType; 6] =
        [ValueType::String, ValueType::List, ValueType::Set, ValueType::Zset, ValueType::Hash, ValueType::Stream];

    /// The type of a value that is stored as `kind`; a module's name comes with its value.
    #[inline]
    pub fn of(kind: TypeByte) -> ValueType {
        match kind.0 {
            0 => ValueType::String,
            1 | 10 | 14 | 18 => ValueType::List,
            2 | 11 | 20 => ValueType::Set,
            3 | 5 | 12 | 17 => ValueType::Zset,
            6 | 7 => ValueType::Module(ModuleName::UNKNOWN),
            15 | 19 | 21 | 26 => ValueType::Stream,
            _ => ValueType::Hash,
        }
    }

    /// The name that TYPE gives.
    pub fn as_str(&self) -> &str {
        match self {
            ValueType::String => "string",
            ValueType::List => "list",
            ValueType::Set => "set",
            ValueType::Zset => "zset",
            ValueType::Hash => "hash",
            ValueType::Stream => "stream",
            ValueType::Module(name) => name.as_str(),
        }
    }

    /// Place among the types: the order in which they are listed, modules last.
    #[inline]
    pub fn index(self) -> usize {
        match self {
            ValueType::String => 0,
            ValueType::List => 1,
            ValueType::Set => 2,
            ValueType::Zset => 3,
            ValueType::Hash => 4,
            ValueType::Stream => 5,
            ValueType::Module(_) => 6,
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ValueType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ValueType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ValueType, D::Error> {
        let name = String::deserialize(deserializer)?;
        let plain = ValueType::PLAIN.into_iter().find(|plain| plain.as_str() == name);
        plain
            .or_else(|| ModuleName::from_name(&name).map(ValueType::Module))
            .ok_or_else(|| de::Error::custom(format!("`{name}` is no type")))
    }
}

/// How the server holds a value once it has loaded it, as OBJECT ENCODING says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the names are the servers'
pub enum Encoding {
    Raw,
    Int,
    Embstr,
    Linkedlist,
    Ziplist,
    Listpack,
    ListpackEx,
    Quicklist,
    Intset,
    Hashtable,
    Skiplist,
    Stream,
    /// What Redis 5.0 says of streams.
    Unknown,
}

impl Encoding {
    /// Every encoding, in the order of their declaration.
    pub const ALL: [Encoding; 13] = [
        Encoding::Raw,
        Encoding::Int,
        Encoding::Embstr,
        Encoding::Linkedlist,
        Encoding::Ziplist,
        Encoding::Listpack,
        Encoding::ListpackEx,
        Encoding::Quicklist,
        Encoding::Intset,
        Encoding::Hashtable,
        Encoding::Skiplist,
        Encoding::Stream,
        Encoding::Unknown,
    ];

    /// The encoding at this place of [`Encoding::ALL`].
    pub fn from_index(index: usize) -> Option<Encoding> {
        Encoding::ALL.get(index).copied()
    }

    /// The name that OBJECT ENCODING gives.
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Raw => "raw",
            Encoding::Int => "int",
            Encoding::Embstr => "embstr",
            Encoding::Linkedlist => "linkedlist",
            Encoding::Ziplist => "ziplist",
            Encoding::Listpack => "listpack",
            Encoding::ListpackEx => "listpackex",
            Encoding::Quicklist => "quicklist",
            Encoding::Intset => "intset",
            Encoding::Hashtable => "hashtable",
            Encoding::Skiplist => "skiplist",
            Encoding::Stream => "stream",
            Encoding::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Everything known of one key. What the dump does not tell is absent.
#[derive(Clone, Copy, Debug)]
pub struct KeyRecord<'a> {
    /// Number of the database.
    pub db: u64,
    /// Name of the key.
    pub key: &'a [u8],
    /// Type of the value.
    pub value_type: ValueType,
    /// Encoding after loading; absent if the value is broken.
    pub encoding: Option<Encoding>,
    /// STRLEN, LLEN, SCARD, ZCARD, HLEN, XLEN; absent for modules that are not understood and for broken values.
    pub elements: Option<u64>,
    /// Length of the longest element (field or value, member, the string itself) in bytes; absent for streams and modules.
    pub largest_element_bytes: Option<u64>,
    /// Fields of a hash that expire on their own; absent where there is no hash.
    pub fields_with_expiry: Option<u64>,
    /// Bytes of the whole record in the dump.
    pub serialized_bytes: u64,
    /// MEMORY USAGE with SAMPLES 0, in bytes; absent if the value is broken.
    pub memory_bytes: Option<u64>,
    /// What the key adds to used_memory in all, in bytes, with its share of the key tables; absent if the value is broken.
    pub footprint_bytes: Option<u64>,
    /// Its share of the key tables, which is part of the footprint, in bytes; absent if the value is broken.
    pub key_tables_bytes: Option<u64>,
    /// Milliseconds since 1970.
    pub expire_at_ms: Option<i64>,
    /// Access counter (LFU), 0 to 255.
    pub freq: Option<u8>,
    /// Seconds since the last access (LRU).
    pub idle_seconds: Option<u64>,
    /// Hash slot.
    pub slot: u16,
}
