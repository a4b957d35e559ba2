//! Packed containers: what their entries are to a visitor.

use super::{
    Blob, MAX_BLOB_BYTES, Packed, PackedFormat, Score, Scratch, Visit, check_field_expiry, intset, listpack, ziplist,
    zipmap,
};
use crate::rdb::cursor::Cursor;
use crate::rdb::fault::{Fault, FaultKind, Parse};
use crate::rdb::lzf;
use crate::rdb::string::RdbStr;

/// Bytes at the start of a container that are looked at first: the longest header is among them.
const LOOK_BYTES: usize = 16;
const _: () = assert!(LOOK_BYTES >= ziplist::HEADER_BYTES);

/// Takes the entries of a container one by one. A trait and no closure, because these calls are to be inlined at every
/// place, so that an entry stays in registers.
pub(super) trait Entries {
    /// Entries that belong together.
    const GROUP: u64;
    /// [`Visit::CHECKS`] of who is told.
    const CHECKS: bool;

    /// Takes the next entry.
    ///
    /// # Errors
    /// If it cannot be what it has to be there.
    fn entry(&mut self, entry: RdbStr<'_>) -> Parse<()>;
}

/// Where speed does not matter, a closure does.
impl<F: FnMut(RdbStr<'_>) -> Parse<()>> Entries for F {
    const GROUP: u64 = 1;
    const CHECKS: bool = true;

    fn entry(&mut self, entry: RdbStr<'_>) -> Parse<()> {
        self(entry)
    }
}

/// Reads the container at `cursor` as elements.
pub(super) fn elements<C: Cursor, V: Visit>(
    cursor: &mut C,
    format: PackedFormat,
    scratch: &mut Scratch,
    visit: &mut V,
) -> Parse<()> {
    struct Elements<'v, V>(&'v mut V);
    impl<V: Visit> Entries for Elements<'_, V> {
        const GROUP: u64 = 1;
        const CHECKS: bool = V::CHECKS;

        #[inline(always)]
        fn entry(&mut self, entry: RdbStr<'_>) -> Parse<()> {
            self.0.element(entry);
            Ok(())
        }
    }
    walk(cursor, format, scratch, visit, |visit, _| Elements(visit))
}

/// Reads the container at `cursor` as members of a set.
pub(super) fn members<C: Cursor, V: Visit>(
    cursor: &mut C,
    format: PackedFormat,
    scratch: &mut Scratch,
    visit: &mut V,
) -> Parse<()> {
    struct Members<'v, V>(&'v mut V);
    impl<V: Visit> Entries for Members<'_, V> {
        const GROUP: u64 = 1;
        const CHECKS: bool = V::CHECKS;

        #[inline(always)]
        fn entry(&mut self, entry: RdbStr<'_>) -> Parse<()> {
            self.0.set_member(entry);
            Ok(())
        }
    }
    walk(cursor, format, scratch, visit, |visit, _| Members(visit))
}

/// Reads the container at `cursor` as members and scores.
pub(super) fn scored<C: Cursor, V: Visit>(
    cursor: &mut C,
    format: PackedFormat,
    scratch: &mut Scratch,
    visit: &mut V,
) -> Parse<()> {
    struct Scored<'v, V>(&'v mut V, bool);
    impl<V: Visit> Entries for Scored<'_, V> {
        const GROUP: u64 = 2;
        const CHECKS: bool = V::CHECKS;

        #[inline(always)]
        fn entry(&mut self, entry: RdbStr<'_>) -> Parse<()> {
            let Scored(visit, is_score) = self;
            if *is_score {
                visit.score(Score::Entry(entry));
            } else {
                visit.zset_member(entry);
            }
            *is_score = !*is_score;
            Ok(())
        }
    }
    walk(cursor, format, scratch, visit, |visit, _| Scored(visit, false))
}

/// Reads the container at `cursor` as fields and values.
pub(super) fn fields<C: Cursor, V: Visit>(
    cursor: &mut C,
    format: PackedFormat,
    scratch: &mut Scratch,
    visit: &mut V,
) -> Parse<()> {
    struct Fields<'v, V>(&'v mut V, bool);
    impl<V: Visit> Entries for Fields<'_, V> {
        const GROUP: u64 = 2;
        const CHECKS: bool = V::CHECKS;

        #[inline(always)]
        fn entry(&mut self, entry: RdbStr<'_>) -> Parse<()> {
            let Fields(visit, is_value) = self;
            if *is_value {
                visit.field_value(entry);
                visit.field_expiry(None);
            } else {
                visit.field(entry);
            }
            *is_value = !*is_value;
            Ok(())
        }
    }
    walk(cursor, format, scratch, visit, |visit, _| Fields(visit, false))
}

/// Reads the listpack at `cursor` as fields, values and expiries.
pub(super) fn fields_with_expiry<C: Cursor, V: Visit>(
    cursor: &mut C,
    scratch: &mut Scratch,
    visit: &mut V,
) -> Parse<()> {
    struct Expiring<'v, V> {
        visit: &'v mut V,
        role: u8,
        /// Where the container stands in the file.
        at: u64,
    }
    impl<V: Visit> Entries for Expiring<'_, V> {
        const GROUP: u64 = 3;
        const CHECKS: bool = V::CHECKS;

        #[inline(always)]
        fn entry(&mut self, entry: RdbStr<'_>) -> Parse<()> {
            let visit = &mut *self.visit;
            let role = self.role;
            self.role = if role == 2 { 0 } else { role + 1 };
            match role {
                0 => visit.field(entry),
                1 => visit.field_value(entry),
                _ => {
                    let ms = entry.as_int().unwrap_or(-1);
                    visit.field_expiry((ms != 0).then_some(ms));
                    if ms != 0 {
                        check_field_expiry(self.at, ms)?;
                    }
                }
            }
            Ok(())
        }
    }
    walk(cursor, PackedFormat::Listpack, scratch, visit, |visit, at| Expiring { visit, role: 0, at })
}

/// Gives the container at `cursor` to the visitor, and unless that passes over it, its entries to what `entries` makes of
/// the visitor and of the container's place in the file.
///
/// What is wrong inside the container is noted; only where it ends in the file must be known.
#[inline]
fn walk<'v, C: Cursor, V: Visit, E: Entries>(
    cursor: &mut C,
    format: PackedFormat,
    scratch: &mut Scratch,
    visit: &'v mut V,
    entries: impl FnOnce(&'v mut V, u64) -> E,
) -> Parse<()> {
    let at = cursor.offset();
    let stored = cursor.blob()?;
    let walked = (|| {
        let mut start = [0; LOOK_BYTES];
        let (start, compressed_bytes) = match stored {
            RdbStr::Raw(bytes) => (&bytes[..bytes.len().min(LOOK_BYTES)], None),
            RdbStr::Lzf { packed, .. } => {
                let there = lzf::inflate_start(packed, &mut start);
                (&start[..there], Some(packed.len() as u64))
            }
            // Not what a server would write; what is wrong with it shows below.
            RdbStr::Int(_) | RdbStr::Unread { .. } => (&[][..], None),
        };
        let packed = Packed::new(format, stored.len(), start, compressed_bytes);
        if packed.len == 0 {
            return Err(Fault { at, kind: FaultKind::EmptyBlob { what: format.name() } });
        }
        if V::CHECKS {
            visit.place(at);
        }
        visit.packed(packed);
        if let Some(claimed) = packed.claimed_entries
            && claimed.is_multiple_of(E::GROUP)
            && visit.pass(&packed, claimed / E::GROUP)
        {
            return Ok(());
        }
        let blob = Blob { bytes: stored.bytes(&mut scratch.blob, MAX_BLOB_BYTES)?, at };
        let entries = entries(visit, at);
        let count = match format {
            PackedFormat::Ziplist => ziplist::walk(blob, entries),
            PackedFormat::Listpack => listpack::walk(blob, entries),
            PackedFormat::Intset => intset::walk(blob, entries),
            PackedFormat::Zipmap => zipmap::walk(blob, entries),
        }?;
        if !count.is_multiple_of(E::GROUP) {
            return Err(Fault { at, kind: FaultKind::OddEntries { what: format.name(), entries: count } });
        }
        Ok(())
    })();
    if let Err(fault) = walked {
        scratch.note(fault);
    }
    Ok(())
}
