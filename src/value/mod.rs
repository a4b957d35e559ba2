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
/// they are and integers come in registers.
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
                if let Some(members) = next_run::<C, V, 1, 0>(cursor, &mut left, &mut scratch.columns) {
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
                let run_at = cursor.offset();
                if let Some(members) = next_run::<C, V, 1, 8>(cursor, &mut left, &mut scratch.columns) {
                    let broken = members.scores().find(|(_, score)| score.is_nan());
                    visit.zset_members(&members);
                    if let Some((inside, _)) = broken {
                        scratch.note(Fault { at: run_at + inside as u64, kind: FaultKind::BadScore });
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
                if let Some(fields) = next_run::<C, V, 2, 0>(cursor, &mut left, &mut scratch.columns) {
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

/// Takes the next of the `left` elements many at a time, if the cursor has them so and nobody has to know where each one stands.
#[inline(always)]
fn next_run<'r, C: Cursor, V: Visit, const STRINGS: usize, const BEHIND: usize>(
    cursor: &'r mut C,
    left: &mut u64,
    columns: &'r mut Columns,
) -> Option<Run<'r, STRINGS, BEHIND>> {
    if V::CHECKS {
        return None;
    }
    let run = cursor.take_run(*left, columns);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{SliceCursor, StreamCursor};

    /// Integers and texts, then a string that is not simple, as its length has two bytes, then one more text. Of the sorted set,
    /// the scores of the first and the third are none.
    const SET: &[u8] = b"\x06\xc0\x05\x02ab\xc1\xd4\xfe\x01c\x40\x04long\x03end";
    const ZSET: &[u8] = b"\x04\
        \x01a\0\0\0\0\0\0\xf8\x7f\
        \xc0\x07\0\0\0\0\0\0\xf0\x3f\
        \x40\x03xyz\0\0\0\0\0\0\xf8\x7f\
        \x01d\0\0\0\0\0\0\xf0\x3f";
    const HASH: &[u8] = b"\x03\x01a\xc0\x05\xc0\x06\x40\x01b\x01c\x04last";

    /// All calls, in their order, and how many elements came many at a time.
    #[derive(Debug, Default, PartialEq)]
    struct Told {
        calls: Vec<String>,
        in_runs: u64,
    }

    impl Visit for Told {
        fn collection(&mut self, count: u64) {
            self.calls.push(format!("collection {count}"));
        }

        fn element(&mut self, element: RdbStr<'_>) {
            self.calls.push(format!("element {element:?}"));
        }

        fn score(&mut self, score: Score<'_>) {
            self.calls.push(format!("{score:?}"));
        }

        fn field(&mut self, name: RdbStr<'_>) {
            self.calls.push(format!("field {name:?}"));
        }

        fn field_value(&mut self, value: RdbStr<'_>) {
            self.calls.push(format!("value {value:?}"));
        }

        fn field_expiry(&mut self, expire_at_ms: Option<i64>) {
            self.calls.push(format!("expiry {expire_at_ms:?}"));
        }

        fn set_members(&mut self, members: &Run<'_, 1, 0>) {
            self.in_runs += members.elements();
            members.tell(self);
        }

        fn zset_members(&mut self, members: &Run<'_, 1, 8>) {
            self.in_runs += members.elements();
            members.tell(self);
        }

        fn fields(&mut self, fields: &Run<'_, 2, 0>) {
            self.in_runs += fields.elements();
            fields.tell(self);
        }
    }

    fn told(kind: TypeByte, cursor: &mut impl Cursor) -> (Result<Option<Fault>, Fault>, u64, Told) {
        let mut told = Told::default();
        let read = decode(cursor, kind, Dialect::Redis, &mut Scratch::default(), &mut told);
        (read, cursor.offset(), told)
    }

    fn told_of_stream(kind: TypeByte, mut bytes: &[u8]) -> (Result<Option<Fault>, Fault>, u64, Told) {
        let mut ignore = |_: &[u8]| {};
        told(kind, &mut StreamCursor::new(Vec::new(), 100, &mut bytes, &mut ignore))
    }

    #[test]
    fn simple_elements_of_memory_come_many_at_a_time() {
        let behind = [0; 8]; // as in a dump, where something always follows
        for (kind, bytes, in_runs) in [(TypeByte::SET, SET, 5), (TypeByte::ZSET_2, ZSET, 3), (TypeByte::HASH, HASH, 2)]
        {
            let data = [bytes, &behind].concat();
            let (read, end, memory) = told(kind, &mut SliceCursor::new(&data, 100));
            assert_eq!((end, memory.in_runs), (100 + bytes.len() as u64, in_runs));
            let (read_there, end_there, stream) = told_of_stream(kind, &data);
            assert_eq!((read, end, memory.calls), (read_there, end_there, stream.calls));
            assert_eq!(stream.in_runs, 0);
        }
    }

    #[test]
    fn what_is_cut_short_or_claims_too_much_fails_alike_in_memory_and_in_a_stream() {
        for (kind, bytes) in [(TypeByte::SET, SET), (TypeByte::ZSET_2, ZSET), (TypeByte::HASH, HASH)] {
            let mut claims = bytes.to_vec();
            claims[0] = 0x3f;
            let prefixes = (0..bytes.len()).map(|len| &bytes[..len]);
            for data in prefixes.chain([&claims[..]]) {
                let (read, _, memory) = told(kind, &mut SliceCursor::new(data, 100));
                let (read_there, _, stream) = told_of_stream(kind, data);
                assert!(matches!(read, Err(Fault { kind: FaultKind::Truncated { .. }, .. })), "{read:?}");
                assert_eq!((&read, memory.calls), (&read_there, stream.calls), "{data:?}");
            }
        }
    }

    #[test]
    fn the_first_score_that_is_none_is_told() {
        let (first, second) = (100 + 3, 100 + 26);
        let mut zset = ZSET.to_vec();
        for at in [first, second] {
            let (read, ..) = told(TypeByte::ZSET_2, &mut SliceCursor::new(&zset, 100));
            assert_eq!(read, Ok(Some(Fault { at, kind: FaultKind::BadScore })));
            assert_eq!(told_of_stream(TypeByte::ZSET_2, &zset).0, read);
            zset[3..11].fill(0); // the first is a number now
        }
    }
}
