//! The sizes that the servers' structs have, one row per family, and which rule each follows.
//!
//! Where two families share a row they share the layout. Sources are the servers' own: `object.c` (what MEMORY USAGE
//! adds up), `sds.h`, `dict.h`, `quicklist.h`, `stream.h`, `server.h` of each version, and figures measured on them.

use super::server::Family;

/// How a separately allocated string is counted by MEMORY USAGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdsCount {
    /// Header, text and terminator, exactly (`sdsAllocSize` of what the loader made; Redis 4.0, 5.0).
    Request,
    /// The block that the allocator handed out (`sdsAllocSize` over usable sizes, from 6.0 on).
    Block,
    /// The block, but exactly for strings with the one-byte header (Redis 8.6).
    BlockUnlessTiny,
}

/// Where a key's name lives, and so what counts for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// A string of its own, with an entry in the main table.
    Separate,
    /// In the entry of the main table (Valkey 8.0).
    InEntry,
    /// In the object that holds the value.
    InObject,
}

/// How the value of a string gets into one block with its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Chained entries of 24 bytes, buckets of 8 (`dict.c`).
    Dict,
    /// Chained entries without a value take a bucket only, or 16 bytes (`dict.c` from Redis 7.2 on, for sets).
    DictNoValueSets,
    /// As before, and every table's entries may do without (Redis 8.6).
    DictNoValueAll,
    /// Buckets of 64 bytes with seven entries (`hashtable.c`, Valkey 8.1).
    Hashtable,
}

/// What one family's memory is made of. All sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Which family.
    pub family: Family,
    /// How strings are counted.
    pub sds: SdsCount,
    /// Whether short headers end where the allocator's slack would no longer fit their length field (`sds.c:sdsReqType`).
    pub sds_tight_headers: bool,
    /// Where keys live.
    pub key: KeyPlace,
    /// What a key counts above its string in cluster mode, and what it really takes there.
    pub cluster_key: (u64, u64),
    /// Whether packed containers are listpacks; ziplists before.
    pub listpack: bool,
    /// Whether packed containers are counted as allocated blocks; by their length if not.
    pub packed_blocks: bool,
    /// Struct of a list and of its nodes.
    pub quicklist: (u64, u64),
    /// Kind of tables for sets, hashes and sorted sets.
    pub table: Table,
    /// Struct of a table.
    pub table_struct: u64,
    /// Struct of a table that holds a hash.
    pub hash_table_struct: u64,
    /// A sorted set apart from table and nodes as counted, and its struct.
    pub zset: (u64, u64),
    /// Struct of a skip list, and its first node, which has all levels.
    pub skiplist: (u64, u64),
    /// Whether a stream's radix trees are counted by their nodes; by an estimate of 244 bytes a node if not.
    pub rax_exact: bool,
    /// Struct of a radix tree.
    pub rax: u64,
    /// Structs of a stream as counted and as allocated.
    pub stream: (u64, u64),
    /// Structs of a consumer group, a pending entry, a consumer.
    pub stream_group: (u64, u64, u64),
    /// Struct around a listpack with field expiries.
    pub listpack_ex: u64,
    /// What registers a field's expiry, beside the entry; measured, since it depends on how the times lie (in 1/10 byte).
    pub field_expiry_tenths: u64,
}

const R40: Layout = Layout {
    family: Family::R40,
    sds: SdsCount::Request,
    sds_tight_headers: false,
    key: KeyPlace::Separate,
    cluster_key: (0, 0), // the radix tree of slots and keys: see `keyspace`
    listpack: false,
    packed_blocks: false,
    quicklist: (40, 32),
    table: Table::Dict,
    table_struct: 96,
    hash_table_struct: 96,
    zset: (16, 16), // MEMORY USAGE forgets the table's struct and the skip list's head
    skiplist: (32, 24 + 32 * 16),
    rax_exact: false,
    rax: 24,
    stream: (0, 40),
    stream_group: (32, 24, 24),
    listpack_ex: 32,
    field_expiry_tenths: 57,
};
const R50: Layout =
    Layout { family: Family::R50, zset: (16 + 32 + 96 + 1280, 16), skiplist: (32, 24 + 64 * 16), ..R40 };
const R60: Layout = Layout {
    family: Family::R60,
    sds: SdsCount::Block,
    zset: (16 + 32 + 96 + 640, 16),
    skiplist: (32, 24 + 32 * 16),
    ..R50
};
const R62: Layout = Layout { family: Family::R62, stream: (40, 40), ..R60 };
const R70: Layout = Layout {
    family: Family::R70,
    cluster_key: (16, 16), // links of the slot's list, in the entry
    listpack: true,
    packed_blocks: true,
    quicklist: (40, 40),
    table_struct: 56,
    hash_table_struct: 56,
    zset: (16 + 32 + 56 + 640, 16),
    stream: (80, 80),
    stream_group: (40, 24, 24),
    ..R62
};
const R72: Layout = Layout {
    family: Family::R72,
    cluster_key: (8, 16), // counts the table's metadata, which is less than an entry's
    table: Table::DictNoValueSets,
    stream_group: (40, 24, 32),
    ..R70
};
const R74: Layout = Layout { family: Family::R74, cluster_key: (0, 0), ..R72 };
const R80: Layout = Layout { family: Family::R80, ..R74 };
const R82: Layout = Layout { family: Family::R82, key: KeyPlace::InObject, ..R80 };
const R86: Layout = Layout {
    family: Family::R86,
    sds: SdsCount::BlockUnlessTiny,
    sds_tight_headers: true,
    key: KeyPlace::InObject,
    packed_blocks: false,
    quicklist: (48, 40),
    table: Table::DictNoValueAll,
    zset: (16 + 40 + 640 + 56, 16),
    skiplist: (40, 16 + 32 * 16),
    rax_exact: true,
    rax: 32,
    stream: (160, 160),
    stream_group: (56, 64, 32),
    listpack_ex: 24,
    field_expiry_tenths: 64,
    ..R80
};
const V80: Layout =
    Layout { family: Family::V80, sds_tight_headers: true, key: KeyPlace::InEntry, cluster_key: (0, 0), ..R72 };
const V81: Layout = Layout {
    family: Family::V81,
    key: KeyPlace::InObject,
    table: Table::Hashtable,
    table_struct: 72,
    hash_table_struct: 72,
    zset: (16 + 32 + 640 + 72, 16),
    rax_exact: true,
    rax: 32,
    ..V80
};
const V90: Layout = Layout {
    family: Family::V90,
    table_struct: 80,
    hash_table_struct: 88,     // with room for the set of fields that expire
    zset: (16 + 528 + 80, 16), // the skip list is in its first node, and what is asked for is counted
    skiplist: (0, 528),
    field_expiry_tenths: 0, // counted by its own rule
    ..V81
};

impl Layout {
    /// The row of `family`. Servers before 4.0 did not tell their memory; they have the row of 4.0.
    pub fn of(family: Family) -> &'static Layout {
        match family {
            Family::R24 | Family::R30 | Family::R32 | Family::R40 => &R40,
            Family::R50 => &R50,
            Family::R60 => &R60,
            Family::R62 => &R62,
            Family::R70 => &R70,
            Family::R72 => &R72,
            Family::R74 => &R74,
            Family::R80 => &R80,
            Family::R82 => &R82,
            Family::R86 => &R86,
            Family::V80 => &V80,
            Family::V81 => &V81,
            Family::V90 => &V90,
        }
    }
}
