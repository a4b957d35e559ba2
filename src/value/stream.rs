//! Streams: nodes of entries, then facts, consumer groups and (Redis 8.6) idempotent producers.

use super::visit::{StreamFacts, StreamId, Visit};
use super::{MAX_BLOB_BYTES, Scratch};
use crate::rdb::constants::TypeByte;
use crate::rdb::cursor::Cursor;
use crate::rdb::fault::{Fault, FaultKind, Parse};
use crate::rdb::skip::StreamGeneration;
use crate::rdb::string::RdbStr;

/// Bytes of an ID where it is stored as such: milliseconds and sequence, both big endian.
const ID_BYTES: usize = 16;

pub(super) fn decode<C: Cursor, V: Visit>(
    cursor: &mut C,
    kind: TypeByte,
    scratch: &mut Scratch,
    visit: &mut V,
) -> Parse<()> {
    let generation = StreamGeneration::of(kind);
    for _ in 0..cursor.count()? {
        let at = cursor.offset();
        let key = cursor.blob()?;
        let length = key.len();
        match key.bytes(&mut scratch.blob, MAX_BLOB_BYTES).ok().and_then(|key| key.try_into().ok()) {
            Some(key) => {
                let first = id(key);
                if V::CHECKS {
                    visit.place(at);
                    visit.stream_node(first, cursor.blob()?);
                } else {
                    visit.stream_node(first, cursor.string()?);
                }
            }
            None => {
                scratch.note(Fault { at, kind: FaultKind::BadStreamKey { length } });
                cursor.skip_string()?;
            }
        }
    }
    let at = cursor.offset();
    let length = cursor.length()?;
    let last_id = StreamId { ms: cursor.length()?, seq: cursor.length()? };
    let (mut max_deleted_id, mut entries_added) = (None, None);
    if generation >= StreamGeneration::Second {
        cursor.length()?; // first ID
        cursor.length()?;
        max_deleted_id = Some(StreamId { ms: cursor.length()?, seq: cursor.length()? });
        entries_added = Some(cursor.length()?);
    }
    let groups = cursor.count()?;
    if V::CHECKS {
        visit.place(at);
    }
    visit.stream(StreamFacts { length, last_id, max_deleted_id, entries_added, groups });
    for _ in 0..groups {
        group(cursor, generation, scratch, visit)?;
    }
    if generation >= StreamGeneration::Fourth {
        producers(cursor, scratch, visit)?;
    }
    Ok(())
}

fn group<C: Cursor, V: Visit>(
    cursor: &mut C,
    generation: StreamGeneration,
    scratch: &mut Scratch,
    visit: &mut V,
) -> Parse<()> {
    if V::CHECKS {
        visit.place(cursor.offset());
    }
    let name = read_name(cursor, scratch)?;
    cursor.length()?;
    cursor.length()?;
    if generation >= StreamGeneration::Second {
        cursor.length()?;
    }
    let pending = cursor.count()?;
    visit.stream_group(RdbStr::Raw(&name), pending);
    for _ in 0..pending {
        if V::CHECKS {
            visit.place(cursor.offset());
        }
        let raw: [u8; ID_BYTES] = cursor.array()?;
        visit.stream_pending(id(&raw));
        cursor.skip(8)?; // delivery time
        cursor.length()?; // deliveries
    }
    for _ in 0..cursor.count()? {
        if V::CHECKS {
            visit.place(cursor.offset());
        }
        let name = read_name(cursor, scratch)?;
        cursor.skip(if generation >= StreamGeneration::Third { 16 } else { 8 })?; // seen, active
        let pending = cursor.count()?;
        visit.stream_consumer(RdbStr::Raw(&name), pending);
        for _ in 0..pending {
            if V::CHECKS {
                visit.place(cursor.offset());
            }
            let raw: [u8; ID_BYTES] = cursor.array()?;
            visit.stream_consumer_pending(id(&raw));
        }
    }
    Ok(())
}

fn producers<C: Cursor, V: Visit>(cursor: &mut C, scratch: &mut Scratch, visit: &mut V) -> Parse<()> {
    cursor.length()?; // seconds that requests are remembered
    cursor.length()?; // requests that are remembered at most
    for _ in 0..cursor.count()? {
        let name = read_name(cursor, scratch)?;
        let entries = cursor.count()?;
        visit.stream_producer(RdbStr::Raw(&name), entries);
        for _ in 0..entries {
            visit.stream_idempotent(cursor.string()?);
            cursor.length()?;
            cursor.length()?;
        }
    }
    cursor.length()?; // requests ever seen
    cursor.length()?; // of them twice
    Ok(())
}

/// A name, kept because what belongs to it only follows behind.
fn read_name<C: Cursor>(cursor: &mut C, scratch: &mut Scratch) -> Parse<Vec<u8>> {
    let stored = cursor.blob()?;
    match stored.bytes(&mut scratch.blob, MAX_BLOB_BYTES) {
        Ok(name) => Ok(name.to_vec()),
        Err(fault) => {
            scratch.note(fault);
            Ok(Vec::new())
        }
    }
}

fn id(raw: &[u8; ID_BYTES]) -> StreamId {
    let raw = u128::from_be_bytes(*raw);
    StreamId { ms: (raw >> 64) as u64, seq: raw as u64 }
}
