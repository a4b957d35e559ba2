//! Values as the dump has them, to be looked at once more: the start of one, or the elements of those that lists end up with.

use super::constants::{Dialect, TypeByte};
use super::cursor::Cursor;
use super::fault::{Fault, FaultKind, Parse};
use super::header::Header;
use super::reader::{Item, Reader};
use super::string::{MAX_INT_LEN, RdbStr};
use crate::value::{self, Packed, Scratch, Visit};

/// Most bytes of a value that are looked at: as many of a mapped file as of a pipe, where no more are kept.
pub const START_BYTES: usize = 256 << 10;

/// Records of a dump that have been read and can be read once more.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// The bytes in which the records lie.
    pub data: &'a [u8],
    /// Offset of the first of them in the RDB stream.
    pub base: u64,
    /// The header of the dump.
    pub header: Header,
}

impl Stretch<'_> {
    /// Bytes of the longest element of the record at this offset of the RDB stream, as in
    /// [`crate::record::KeyRecord::largest_element_bytes`]; absent if there is no such record or what has to be looked at is broken.
    pub fn largest_element(&self, record_at: u64, scratch: &mut Scratch) -> Option<u64> {
        let from = usize::try_from(record_at.checked_sub(self.base)?).ok()?;
        let mut reader = Reader::resume(self.data.get(from..)?, record_at, self.header, 0);
        let Ok(Item::Key(head)) = reader.next_item() else { return None };
        let mut longest = Longest(0);
        reader.value(&head, scratch, &mut longest).ok()?;
        Some(longest.0)
    }
}

/// A value that has been read, or the start of one.
#[derive(Clone, Copy, Debug)]
pub struct StoredValue<'a> {
    /// How it is stored.
    pub kind: TypeByte,
    /// Whose types those are.
    pub dialect: Dialect,
    /// The bytes in which the value lies.
    pub data: &'a [u8],
    /// Where it begins in them.
    pub from: usize,
    /// Where it ends, or what is known of it.
    pub end: usize,
}

impl StoredValue<'_> {
    /// Tells `visit` what is in the first [`START_BYTES`], of which the last string may be given cut. Says how many bytes
    /// that string lacks, if it is stored as it is. What is wrong with the value is not told.
    pub fn visit_start<V: Visit>(&self, visit: &mut V) -> u64 {
        let value = self.data.get(self.from..self.end).unwrap_or_default();
        let mut cursor = StartCursor { data: &value[..value.len().min(START_BYTES)], pos: 0, missing: 0 };
        let _ = value::decode(&mut cursor, self.kind, self.dialect, &mut Scratch::default(), visit);
        cursor.missing
    }
}

/// Bytes of the longest element so far.
struct Longest(u64);

impl Visit for Longest {
    /// No element is longer than what holds it, but for the text of an integer.
    fn pass(&mut self, packed: &Packed<'_>, _: u64) -> bool {
        packed.len.max(MAX_INT_LEN as u64) <= self.0
    }

    fn element(&mut self, element: RdbStr<'_>) {
        self.0 = self.0.max(element.len());
    }

    fn field(&mut self, name: RdbStr<'_>) {
        self.0 = self.0.max(name.len());
    }

    fn field_value(&mut self, value: RdbStr<'_>) {
        self.0 = self.0.max(value.len());
    }
}

/// Reads the start of a value, and gives of a string that goes on behind it what is there.
struct StartCursor<'a> {
    data: &'a [u8],
    pos: usize,
    missing: u64,
}

impl StartCursor<'_> {
    fn rest(&self) -> usize {
        self.data.len() - self.pos
    }
}

impl Cursor for StartCursor<'_> {
    fn offset(&self) -> u64 {
        self.pos as u64
    }

    fn take(&mut self, n: usize) -> Parse<&[u8]> {
        if n > self.rest() {
            let at = self.data.len() as u64;
            return Err(Fault { at, kind: FaultKind::Truncated { needed: (n - self.rest()) as u64 } });
        }
        self.pos += n;
        Ok(&self.data[self.pos - n..self.pos])
    }

    fn skip(&mut self, n: u64) -> Parse<()> {
        self.take_claimed(n).map(|_| ())
    }

    fn raw_string(&mut self, n: u64) -> Parse<RdbStr<'_>> {
        let have = usize::try_from(n).unwrap_or(usize::MAX).min(self.rest());
        self.missing = n - have as u64;
        Ok(RdbStr::Raw(self.take(have)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Lengths(Vec<u64>);
    impl Visit for Lengths {
        fn element(&mut self, element: RdbStr<'_>) {
            self.0.push(element.len());
        }
    }

    #[test]
    fn the_last_string_is_cut() {
        let long = vec![b'x'; START_BYTES];
        let head = (START_BYTES as u32).to_be_bytes();
        let data = [b"before\x02\x03abc\x80", &head[..], &long, b"\x01z"].concat();
        let value = StoredValue { kind: TypeByte::SET, dialect: Dialect::Redis, data: &data, from: 6, end: data.len() };
        let mut lengths = Lengths::default();
        // The count, a string of three, the length of the next.
        let cut = 1 + 4 + 5;
        assert_eq!(value.visit_start(&mut lengths), cut);
        assert_eq!(lengths.0, [3, START_BYTES as u64 - cut]);
    }

    #[test]
    fn what_is_short_or_broken_is_told_as_far_as_it_goes() {
        for (data, told) in
            [(&b"\x02\x01a\x01b"[..], &[1, 1][..]), (b"\x02\x01a\xc4", &[1]), (b"\x02", &[]), (b"", &[])]
        {
            let value = StoredValue { kind: TypeByte::LIST, dialect: Dialect::Redis, data, from: 0, end: data.len() };
            let mut lengths = Lengths::default();
            assert_eq!(value.visit_start(&mut lengths), 0);
            assert_eq!(lengths.0, told, "{data:?}");
        }
        let beyond = StoredValue { kind: TypeByte::LIST, dialect: Dialect::Redis, data: b"\x01", from: 9, end: 12 };
        assert_eq!(beyond.visit_start(&mut Lengths::default()), 0);
    }
}
