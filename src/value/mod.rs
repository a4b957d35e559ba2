//! What lies inside a value: decoding that stores nothing and tells a [`Visit`]or what it finds.
//!
//! One file per packed format and for each of streams and modules; the plain layouts, where elements simply follow each other,
//! are here. Nothing in here knows what a server's memory is.

pub mod check;
pub mod intset;
pub mod listpack;
pub mod module;
mod packed;
pub mod repeats;
pub mod stream;
mod stream_check;
pub mod visit;
pub mod ziplist;
pub mod zipmap;

pub use check::{Check, Checked, Depth};
pub use module::ModuleName;
pub use repeats::Repeats;
pub use visit::{Packed, PackedFormat, Score, StreamFacts, StreamId, Visit};

use crate::rdb::constants::{Dialect, TypeByte};
use crate::rdb::cursor::{Cursor, Form, compressed_string};
use crate::rdb::fault::{Fault, FaultKind, Parse};
use crate::rdb::run::{Columns, Run};
use crate::rdb::string::RdbStr;

/// Longest packed container that is unpacked: the servers never make them longer than 1 GiB.
pub const MAX_BLOB_BYTES: u64 = 1 << 30;
/// Latest time that a field can expire at (`EB_EXPIRE_TIME_MAX` of Redis 7.4).
const MAX_FIELD_EXPIRY_MS: i64 = (1 << 48) - 1;

/// Reads a string and hands it to a method of the visitor, which is compiled in once for each form, so that strings stored as
/// they are and integers come in registers. In the loops over elements that is most of the time.
macro_rules! string {
    ($cursor:ident, $visit:ident.$take:ident) => {{
        let at = $cursor.offset();
        if V::CHECKS {
            $visit.place(at);
        }
        match $cursor.string_or_encoding()? {
            Form::Plain(string) => $visit.$take(string),
            Form::Encoding(encoding @ 0..=2) => $visit.$take(RdbStr::Int($cursor.integer(encoding)?)),
            Form::Encoding(encoding) => $visit.$take(compressed_string($cursor, at, encoding, false)?),
        }
    }};
}

/// Working memory of decoding, to be used again for each value.
#[derive(Debug, Default)]
pub struct Scratch {
    blob: Vec<u8>,
    columns: Columns,
    fault: Option<Fault>,
}

impl Scratch {
    /// Remembers what is wrong with the content of a value whose end can still be found; the first fault stays.
    #[cold]
    fn note(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }
}

/// A packed container and where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Blob<'a> {
    /// Its bytes, unpacked.
    pub bytes: &'a [u8],
    /// Offset in the RDB stream of the string that holds it.
    pub at: u64,
}

impl Blob<'_> {
    /// A fault `inside` bytes into the container. In a compressed one, bytes have no place in the file: then the offset
    /// is the container's.
    #[cold]
    fn fault(&self, _inside: usize, kind: FaultKind) -> Fault {
        Fault { at: self.at, kind }
    }
}

/// Reads the value of type `kind` at `cursor`, telling `visit` what is in it.
///
/// Gives the first thing that is wrong with the content, if anything is; the value has been read to its end then.
///
/// # Errors
/// If the end of the value cannot be found. What `visit` was told until then stands.
#[inline(always)]
pub fn decode<C: Cursor, V: Visit>(
    cursor: &mut C,
    kind: TypeByte,
    dialect: Dialect,
    scratch: &mut Scratch,
    visit: &mut V,
) -> Result<Option<Fault>, Fault> {
    if kind == TypeByte::STRING {
        string!(cursor, visit.string);
        return Ok(None);
    }
    scratch.fault = None;
    decode_collection(cursor, kind, dialect, scratch, visit)?;
    Ok(scratch.fault.take())
}

fn decode_collection<C: Cursor, V: Visit>(
    cursor: &mut C,
    kind: TypeByte,
    dialect: Dialect,
    scratch: &mut Scratch,
    visit: &mut V,
) -> Parse<()> {
    use PackedFormat::{Intset, Listpack, Ziplist, Zipmap};
    use packed::{elements, fields, fields_with_expiry, members, scored};

    match kind {
        TypeByte::LIST => {
            for _ in 0..begin(cursor, visit)? {
                string!(cursor, visit.element);
            }
            Ok(())
        }
        TypeByte::SET => {
            let mut left = begin(cursor, visit)?;
            while left > 0 {
                if let Some(members) = run::<C, V, 1, 0>(cursor, &mut left, &mut scratch.columns) {
                    visit.set_members(&members);
                    continue;
                }
                string!(cursor, visit.set_member);
                left -= 1;
            }
            Ok(())
        }
        TypeByte::ZSET => {
            for _ in 0..begin(cursor, visit)? {
                string!(cursor, visit.zset_member);
                visit.score(Score::Number(old_double(cursor, scratch)?));
            }
            Ok(())
        }
        TypeByte::ZSET_2 => {
            let mut left = begin(cursor, visit)?;
            while left > 0 {
                let at = cursor.offset();
                if let Some(members) = run::<C, V, 1, 8>(cursor, &mut left, &mut scratch.columns) {
                    let broken = members.behind().find(|(_, score)| f64::from_le_bytes(*score).is_nan());
                    visit.zset_members(&members);
                    if let Some((inside, _)) = broken {
                        scratch.note(Fault { at: at + inside as u64, kind: FaultKind::BadScore });
                    }
                    continue;
                }
                string!(cursor, visit.zset_member);
                let at = cursor.offset();
                let score = cursor.double()?;
                if score.is_nan() {
                    scratch.note(Fault { at, kind: FaultKind::BadScore });
                }
                visit.score(Score::Number(score));
                left -= 1;
            }
            Ok(())
        }
        TypeByte::HASH => {
            let mut left = begin(cursor, visit)?;
            while left > 0 {
                if let Some(fields) = run::<C, V, 2, 0>(cursor, &mut left, &mut scratch.columns) {
                    visit.fields(&fields);
                    continue;
                }
                string!(cursor, visit.field);
                string!(cursor, visit.field_value);
                visit.field_expiry(None);
                left -= 1;
            }
            Ok(())
        }
        TypeByte::HASH_METADATA => {
            let at = cursor.offset();
            let base = cursor.millis()?;
            if !(0..=MAX_FIELD_EXPIRY_MS).contains(&base) {
                scratch.note(Fault { at, kind: FaultKind::BadFieldExpiry { found: base } });
            }
            fields_after_ttl(cursor, scratch, visit, |ttl| base.checked_add(ttl)?.checked_sub(1))
        }
        TypeByte::HASH_METADATA_PRE_GA_OR_HASH_2 if dialect == Dialect::Redis => {
            fields_after_ttl(cursor, scratch, visit, Some)
        }
        TypeByte::HASH_METADATA_PRE_GA_OR_HASH_2 => {
            for _ in 0..begin(cursor, visit)? {
                string!(cursor, visit.field);
                string!(cursor, visit.field_value);
                let at = cursor.offset();
                let ms = cursor.millis()?;
                if ms < -1 {
                    scratch.note(Fault { at, kind: FaultKind::BadFieldExpiry { found: ms } });
                }
                visit.field_expiry((ms >= 0).then_some(ms));
            }
            Ok(())
        }
        TypeByte::LIST_ZIPLIST => elements(cursor, Ziplist, scratch, visit),
        TypeByte::SET_INTSET => members(cursor, Intset, scratch, visit),
        TypeByte::SET_LISTPACK => members(cursor, Listpack, scratch, visit),
        TypeByte::ZSET_ZIPLIST => scored(cursor, Ziplist, scratch, visit),
        TypeByte::ZSET_LISTPACK => scored(cursor, Listpack, scratch, visit),
        TypeByte::HASH_ZIPMAP => fields(cursor, Zipmap, scratch, visit),
        TypeByte::HASH_ZIPLIST => fields(cursor, Ziplist, scratch, visit),
        TypeByte::HASH_LISTPACK => fields(cursor, Listpack, scratch, visit),
        TypeByte::HASH_LISTPACK_EX => {
            cursor.skip(8)?; // the earliest expiry, which the fields tell as well
            fields_with_expiry(cursor, scratch, visit)
        }
        TypeByte::HASH_LISTPACK_EX_PRE_GA => fields_with_expiry(cursor, scratch, visit),
        TypeByte::LIST_QUICKLIST => {
            for _ in 0..begin(cursor, visit)? {
                elements(cursor, Ziplist, scratch, visit)?;
            }
            Ok(())
        }
        TypeByte::LIST_QUICKLIST_2 => {
            for _ in 0..begin(cursor, visit)? {
                let at = cursor.offset();
                match cursor.length()? {
                    1 => {
                        let element = cursor.string()?;
                        if element.is_empty() {
                            scratch.note(Fault { at, kind: FaultKind::EmptyBlob { what: "list node" } });
                        }
                        visit.plain_node(element);
                        visit.element(element);
                    }
                    2 => elements(cursor, Listpack, scratch, visit)?,
                    found => {
                        scratch.note(Fault { at, kind: FaultKind::BadContainer { found } });
                        cursor.skip_string()?;
                    }
                }
            }
            Ok(())
        }
        TypeByte::MODULE_2 => module::decode(cursor, visit),
        TypeByte::MODULE_PRE_GA => Err(Fault { at: cursor.offset(), kind: FaultKind::PreGaModule }),
        kind if kind.is_stream() => stream::decode(cursor, kind, scratch, visit),
        TypeByte(byte) => Err(Fault { at: cursor.offset(), kind: FaultKind::UnknownType { byte } }),
    }
}

/// The next elements of the `left` ones, many at a time, if the cursor has them and nobody has to know where each one stands.
#[inline(always)]
fn run<'r, C: Cursor, V: Visit, const STRINGS: usize, const BEHIND: usize>(
    cursor: &'r mut C,
    left: &mut u64,
    columns: &'r mut Columns,
) -> Option<Run<'r, STRINGS, BEHIND>> {
    if V::CHECKS {
        return None;
    }
    let run = cursor.run(*left, columns);
    *left -= run.elements();
    (run.elements() > 0).then_some(run)
}

/// The claimed number of elements; the loops over it end with the data, whatever it claims.
#[inline]
fn begin<C: Cursor, V: Visit>(cursor: &mut C, visit: &mut V) -> Parse<u64> {
    let count = cursor.count()?;
    visit.collection(count);
    Ok(count)
}

/// Fields stored as TTL, name, value; a TTL of 0 means none.
fn fields_after_ttl<C: Cursor, V: Visit>(
    cursor: &mut C,
    scratch: &mut Scratch,
    visit: &mut V,
    expiry: impl Fn(i64) -> Option<i64>,
) -> Parse<()> {
    for _ in 0..begin(cursor, visit)? {
        let at = cursor.offset();
        let ttl = cursor.length()? as i64;
        string!(cursor, visit.field);
        string!(cursor, visit.field_value);
        if ttl == 0 {
            visit.field_expiry(None);
        } else {
            let ms = expiry(ttl).unwrap_or(-1);
            if let Err(fault) = check_field_expiry(at, ms) {
                scratch.note(fault);
            }
            visit.field_expiry(Some(ms));
        }
    }
    Ok(())
}

fn check_field_expiry(at: u64, ms: i64) -> Parse<()> {
    if (0..=MAX_FIELD_EXPIRY_MS).contains(&ms) {
        Ok(())
    } else {
        Err(Fault { at, kind: FaultKind::BadFieldExpiry { found: ms } })
    }
}

/// The double of the oldest sorted sets: a length byte and text, or one of three special values.
fn old_double<C: Cursor>(cursor: &mut C, scratch: &mut Scratch) -> Parse<f64> {
    let at = cursor.offset();
    let score = match cursor.byte()? {
        255 => f64::NEG_INFINITY,
        254 => f64::INFINITY,
        253 => f64::NAN,
        len => {
            let text = cursor.take(usize::from(len))?;
            std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).unwrap_or(f64::NAN)
        }
    };
    if score.is_nan() {
        scratch.note(Fault { at, kind: FaultKind::BadScore });
    }
    Ok(score)
}
