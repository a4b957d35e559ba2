//! Where a value ends, found without decoding what lies inside.
//!
//! Skipping refuses exactly what makes the place of the next record unknowable: bad lengths, string encodings, module
//! items, the end of the file. Whatever else may be wrong inside a value is found by decoding it, and the reader can
//! go on behind it.

use super::constants::{Dialect, TypeByte};
use super::cursor::Cursor;
use super::fault::{Fault, FaultKind, Parse};

/// Passes over a value of type `kind`.
///
/// # Errors
/// Whatever makes the end of the value unknowable.
#[inline(always)]
pub fn skip_value<C: Cursor>(cursor: &mut C, kind: TypeByte, dialect: Dialect) -> Parse<()> {
    if kind.is_single_string() { cursor.skip_string() } else { skip_parts(cursor, kind, dialect) }
}

fn skip_parts<C: Cursor>(cursor: &mut C, kind: TypeByte, dialect: Dialect) -> Parse<()> {
    match kind {
        TypeByte::LIST | TypeByte::SET | TypeByte::LIST_QUICKLIST => each_of::<C, 1, 0>(cursor),
        TypeByte::HASH => each_of::<C, 2, 0>(cursor),
        TypeByte::ZSET => each(cursor, |c| {
            c.skip_string()?;
            skip_old_double(c)
        }),
        TypeByte::ZSET_2 => each_of::<C, 1, 8>(cursor),
        TypeByte::LIST_QUICKLIST_2 => each(cursor, |c| {
            c.length()?;
            c.skip_string()
        }),
        TypeByte::HASH_METADATA => {
            cursor.skip(8)?;
            each(cursor, skip_ttl_field)
        }
        TypeByte::HASH_METADATA_PRE_GA_OR_HASH_2 if dialect == Dialect::Redis => each(cursor, skip_ttl_field),
        TypeByte::HASH_METADATA_PRE_GA_OR_HASH_2 => each(cursor, |c| {
            c.skip_string()?;
            c.skip_string()?;
            c.skip(8)
        }),
        // A single string as well, but of one dialect.
        TypeByte::HASH_LISTPACK_EX_PRE_GA => cursor.skip_string(),
        TypeByte::HASH_LISTPACK_EX => {
            cursor.skip(8)?;
            cursor.skip_string()
        }
        TypeByte::MODULE_2 => {
            cursor.length()?;
            skip_module_items(cursor)
        }
        TypeByte::MODULE_PRE_GA => Err(Fault { at: cursor.offset(), kind: FaultKind::PreGaModule }),
        kind if kind.is_stream() => skip_stream(cursor, kind),
        TypeByte(byte) => Err(Fault { at: cursor.offset(), kind: FaultKind::UnknownType { byte } }),
    }
}

fn each<C: Cursor>(cursor: &mut C, mut one: impl FnMut(&mut C) -> Parse<()>) -> Parse<()> {
    for _ in 0..cursor.count()? {
        one(cursor)?;
    }
    Ok(())
}

/// Passes over elements of so many strings and so many bytes behind them.
fn each_of<C: Cursor, const STRINGS: usize, const BEHIND: usize>(cursor: &mut C) -> Parse<()> {
    let mut left = cursor.count()?;
    loop {
        left -= cursor.skip_run::<STRINGS, BEHIND>(left);
        if left == 0 {
            return Ok(());
        }
        for _ in 0..STRINGS {
            cursor.skip_string()?;
        }
        cursor.skip(BEHIND as u64)?;
        left -= 1;
    }
}

fn skip_ttl_field<C: Cursor>(cursor: &mut C) -> Parse<()> {
    cursor.length()?;
    cursor.skip_string()?;
    cursor.skip_string()
}

fn skip_old_double<C: Cursor>(cursor: &mut C) -> Parse<()> {
    match cursor.byte()? {
        253..=255 => Ok(()),
        len => cursor.skip(u64::from(len)),
    }
}

/// Passes over the items of a module's value, up to and including the one that ends it.
pub(crate) fn skip_module_items<C: Cursor>(cursor: &mut C) -> Parse<()> {
    loop {
        let at = cursor.offset();
        match cursor.length()? {
            0 => return Ok(()),
            1 | 2 => {
                cursor.length()?;
            }
            3 => cursor.skip(4)?,
            4 => cursor.skip(8)?,
            5 => cursor.skip_string()?,
            opcode => return Err(Fault { at, kind: FaultKind::BadModuleOpcode { opcode } }),
        }
    }
}

fn skip_stream<C: Cursor>(cursor: &mut C, kind: TypeByte) -> Parse<()> {
    let generation = StreamGeneration::of(kind);
    each(cursor, |c| {
        c.skip_string()?;
        c.skip_string()
    })?;
    for _ in 0..generation.header_lengths() {
        cursor.length()?;
    }
    each(cursor, |c| {
        c.skip_string()?;
        for _ in 0..generation.group_lengths() {
            c.length()?;
        }
        each(c, |c| {
            c.skip(16 + 8)?;
            c.length().map(drop)
        })?;
        each(c, |c| {
            c.skip_string()?;
            c.skip(generation.consumer_times_bytes())?;
            let pending = c.count()?;
            c.skip(pending.saturating_mul(16))
        })
    })?;
    if generation == StreamGeneration::Fourth {
        cursor.length()?;
        cursor.length()?;
        each(cursor, |c| {
            c.skip_string()?;
            each(c, |c| {
                c.skip_string()?;
                c.length()?;
                c.length().map(drop)
            })
        })?;
        cursor.length()?;
        cursor.length()?;
    }
    Ok(())
}

/// The four layouts of a stream; each adds fields to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamGeneration {
    /// Redis 5.0 to 6.2 (type 15).
    First,
    /// Redis 7.0 (type 19): first and deleted IDs, entries added and read.
    Second,
    /// Redis 7.2 and all of Valkey (type 21): when a consumer was last active.
    Third,
    /// Redis 8.6 (type 26): idempotent producers.
    Fourth,
}

impl StreamGeneration {
    /// The layout that a stream's type byte stands for.
    pub fn of(kind: TypeByte) -> StreamGeneration {
        match kind {
            TypeByte::STREAM_LISTPACKS => StreamGeneration::First,
            TypeByte::STREAM_LISTPACKS_2 => StreamGeneration::Second,
            TypeByte::STREAM_LISTPACKS_3 => StreamGeneration::Third,
            _ => StreamGeneration::Fourth,
        }
    }

    /// Lengths between the nodes and the groups: entries, last ID, and from the second on first ID, deleted ID, added.
    fn header_lengths(self) -> usize {
        if self == StreamGeneration::First { 3 } else { 8 }
    }

    /// Lengths after a group's name: last ID, and from the second on entries read.
    fn group_lengths(self) -> usize {
        if self == StreamGeneration::First { 2 } else { 3 }
    }

    /// Bytes of times after a consumer's name: last seen, and from the third on last active.
    fn consumer_times_bytes(self) -> u64 {
        if self >= StreamGeneration::Third { 16 } else { 8 }
    }
}
