//! Runs of elements in the simplest forms: found at once, and told by columns, so that sums over them are short loops.

use super::cursor::{Cursor, SliceCursor};
use super::fault::Parse;
use super::string::{RdbStr, decimal_len};
use crate::prefetch::prefetch;

/// Plainly stored elements that follow each other, each of so many strings and so many bytes behind them. All strings are
/// simple: texts of at most 63 bytes, stored as they are, and integers. All of it is there.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a, const STRINGS: usize, const BEHIND: usize> {
    bytes: &'a [u8],
    lens: &'a [[u8; STRINGS]],
    texts: &'a [u16],
    ints: &'a [i32],
    behind: &'a [u16],
}

/// Lengths of simple strings are below this.
pub const LENS: usize = 64;
/// At most so many strings are in a run.
const MOST_STRINGS: usize = 256;
/// Bytes of the longest integer.
const INT_BYTES: usize = 4;
/// Bits of so many bytes that are not an integer's, by its form, a byte each.
const SPARE_BITS: u32 = 0x00_10_18;
/// So many bytes ahead of what is looked at are asked for.
const AHEAD_BYTES: [usize; 2] = [512, 4608];

/// Bytes of a simple string by its first byte, that byte included; 0 of all others.
static STRING_BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut len = 0;
    while len < LENS {
        bytes[len] = len as u8 + 1;
        len += 1;
    }
    (bytes[0xc0], bytes[0xc1], bytes[0xc2]) = (2, 3, 5);
    bytes
};

/// Bytes of the string that begins with `first`, if it is a simple one; `one` is its place in the element.
///
/// Where the next string begins has to wait for this, and all is as fast as this chain. Members and fields are nearly always of
/// one form, so that a processor guesses right and need not look into the table. Values may be of any.
#[inline(always)]
fn string_bytes(first: u8, one: usize) -> Option<usize> {
    if one == 0 {
        return match first {
            0..0x40 => Some(1 + usize::from(first)),
            0xc0..=0xc2 => Some(1 + (1 << (first - 0xc0))),
            _ => None,
        };
    }
    match STRING_BYTES[usize::from(first)] {
        0 => None,
        bytes => Some(usize::from(bytes)),
    }
}

/// The number of simple elements at the start of `data`, at most `most`, and how many bytes they take.
#[inline(always)]
pub(super) fn skip<const STRINGS: usize, const BEHIND: usize>(data: &[u8], most: u64) -> (u64, usize) {
    let (mut elements, mut end) = (0, 0);
    'elements: while elements < most {
        ask_ahead(data, end);
        let mut at = end;
        for one in 0..STRINGS {
            let Some(bytes) = data.get(at).and_then(|first| string_bytes(*first, one)) else { break 'elements };
            at += bytes;
        }
        at += BEHIND;
        if at > data.len() {
            break;
        }
        (elements, end) = (elements + 1, at);
    }
    (elements, end)
}

#[inline(always)]
fn ask_ahead(data: &[u8], at: usize) {
    for ahead in AHEAD_BYTES {
        prefetch(data.as_ptr().wrapping_add(at + ahead));
    }
}

/// Room for what a [`Run`] tells, to be used again.
#[derive(Debug)]
pub struct Columns {
    lens: [u8; MOST_STRINGS],
    texts: [u16; MOST_STRINGS],
    ints: [i32; MOST_STRINGS],
    /// Of each integer, its place among the strings and where its form stands.
    int_places: [(u16, u16); MOST_STRINGS],
    behind: [u16; MOST_STRINGS],
}

impl Default for Columns {
    fn default() -> Columns {
        Columns {
            lens: [0; MOST_STRINGS],
            texts: [0; MOST_STRINGS],
            ints: [0; MOST_STRINGS],
            int_places: [(0, 0); MOST_STRINGS],
            behind: [0; MOST_STRINGS],
        }
    }
}

/// How far a search came: what was found, and the bytes that it takes.
#[derive(Clone, Copy, Default)]
struct Found {
    elements: usize,
    texts: usize,
    ints: usize,
    bytes: usize,
}

impl Columns {
    /// Takes in the simple elements at the start of `data`, at most `most`.
    #[inline(always)]
    fn take<const STRINGS: usize, const BEHIND: usize>(&mut self, data: &[u8], most: u64) -> Found {
        let most = most.min((MOST_STRINGS / STRINGS) as u64) as usize;
        let mut found = Found::default();
        'elements: while found.elements < most {
            let Found { elements, mut texts, mut ints, bytes: mut at } = found;
            ask_ahead(data, at);
            for one in 0..STRINGS {
                let Some(&first) = data.get(at) else { break 'elements };
                let Some(bytes) = string_bytes(first, one) else { break 'elements };
                // Taken in as either, and counted as what it is: nobody could guess which.
                let string = elements * STRINGS + one;
                let is_int = usize::from(first) >= LENS;
                self.lens[string % MOST_STRINGS] = first;
                self.texts[texts % MOST_STRINGS] = at as u16 + 1;
                self.int_places[ints % MOST_STRINGS] = (string as u16, at as u16);
                texts += usize::from(!is_int);
                ints += usize::from(is_int);
                at += bytes;
            }
            if BEHIND > 0 {
                self.behind[elements % MOST_STRINGS] = at as u16;
            }
            at += BEHIND;
            // An integer is read with as many bytes as the longest has.
            if at + INT_BYTES > data.len() {
                break;
            }
            found = Found { elements: elements + 1, texts, ints, bytes: at };
        }
        self.read_ints(data, found.ints);
        found
    }

    /// The values of the integers, and the lengths of their texts.
    #[inline(always)]
    fn read_ints(&mut self, data: &[u8], ints: usize) {
        for ((string, at), int) in self.int_places[..ints].iter().zip(&mut self.ints) {
            let Some((form, Some(bytes))) =
                data.get(usize::from(*at)..).and_then(|int| Some((int.first()?, int[1..].first_chunk())))
            else {
                return;
            };
            let spare = SPARE_BITS >> (8 * (form & 3)) & 0xff;
            *int = i32::from_le_bytes(*bytes) << spare >> spare;
            self.lens[usize::from(*string) % MOST_STRINGS] = decimal_len(i64::from(*int)) as u8;
        }
    }
}

impl<'a, const STRINGS: usize, const BEHIND: usize> Run<'a, STRINGS, BEHIND> {
    /// The simple elements at the start of `data`, at most `most` and as many as `columns` has room for.
    #[inline(never)]
    pub(super) fn find(data: &'a [u8], most: u64, columns: &'a mut Columns) -> Run<'a, STRINGS, BEHIND> {
        let found = columns.take::<STRINGS, BEHIND>(data, most);
        let (lens, _) = columns.lens.as_chunks();
        Run {
            bytes: &data[..found.bytes],
            lens: &lens[..found.elements],
            texts: &columns.texts[..found.texts],
            ints: &columns.ints[..found.ints],
            behind: if BEHIND > 0 { &columns.behind[..found.elements] } else { &[] },
        }
    }

    /// None.
    #[inline(always)]
    pub(super) fn none() -> Run<'a, STRINGS, BEHIND> {
        Run { bytes: &[], lens: &[], texts: &[], ints: &[], behind: &[] }
    }

    /// Number of elements.
    #[inline(always)]
    pub fn elements(&self) -> u64 {
        self.lens.len() as u64
    }

    /// How many bytes they take.
    #[inline(always)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Lengths of each element's strings, in bytes: of an integer those of its decimal text.
    #[inline(always)]
    pub fn lens(&self) -> &'a [[u8; STRINGS]] {
        self.lens
    }

    /// The strings that are no integers by their form.
    #[inline(always)]
    pub fn texts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a, STRINGS, BEHIND> {
        let bytes = self.bytes;
        self.texts.iter().map(move |start| {
            let start = usize::from(*start);
            &bytes[start..start + usize::from(bytes[start - 1])]
        })
    }

    /// The strings that are.
    #[inline(always)]
    pub fn ints(&self) -> impl Iterator<Item = i64> + use<'a, STRINGS, BEHIND> {
        self.ints.iter().map(|int| i64::from(*int))
    }

    /// The bytes behind each element's strings, and where in the run they stand.
    #[inline(always)]
    pub fn behind(&self) -> impl Iterator<Item = (usize, [u8; BEHIND])> + use<'a, STRINGS, BEHIND> {
        let bytes = self.bytes;
        self.behind.iter().map(move |start| {
            let start = usize::from(*start);
            let mut behind = [0; BEHIND];
            behind.copy_from_slice(&bytes[start..start + BEHIND]);
            (start, behind)
        })
    }

    /// Each element by itself, in their order: its strings and the bytes behind them.
    pub fn each(&self, mut take: impl FnMut([RdbStr<'a>; STRINGS], [u8; BEHIND])) {
        let mut cursor = SliceCursor::new(self.bytes, 0);
        let mut read = |_: usize| -> Parse<()> {
            let mut strings = [RdbStr::Raw(&[]); STRINGS];
            for string in &mut strings {
                *string = cursor.string_ref()?;
            }
            take(strings, cursor.array()?);
            Ok(())
        };
        // All of it is there.
        let whole = (0..self.lens.len()).try_for_each(&mut read);
        debug_assert!(whole.is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two fields: `ab` with 5, `c` with the 16 bits of -300; then one with a long value.
    const FIELDS: &[u8] = b"\x02ab\xc0\x05\x01c\xc1\xd4\xfe\x01d\x40\x40................................";

    #[test]
    fn tells_strings_by_columns_and_elements_in_order() {
        let mut columns = Columns::default();
        let fields = Run::<2, 0>::find(FIELDS, u64::MAX, &mut columns);
        assert_eq!((fields.elements(), fields.bytes()), (2, 10));
        assert_eq!(fields.lens(), [[2, 1], [1, 4]]);
        assert_eq!(fields.texts().collect::<Vec<_>>(), [&b"ab"[..], b"c"]);
        assert_eq!(fields.ints().collect::<Vec<_>>(), [5, -300]);
        let mut each = Vec::new();
        fields.each(|strings, []| each.push(strings));
        let (ab, c) = (RdbStr::Raw(b"ab"), RdbStr::Raw(b"c"));
        assert_eq!(each, [[ab, RdbStr::Int(5)], [c, RdbStr::Int(-300)]]);
        assert_eq!(skip::<2, 0>(FIELDS, u64::MAX), (2, 10));
        assert_eq!(skip::<2, 0>(FIELDS, 1), (1, 5));
    }

    #[test]
    fn tells_where_the_bytes_behind_are() {
        let mut columns = Columns::default();
        let scored = b"\x01a00000000\xc0\x07 1111111\x01b2222222 and more";
        let members = Run::<1, 8>::find(scored, 2, &mut columns);
        assert_eq!(members.behind().collect::<Vec<_>>(), [(2, *b"00000000"), (12, *b" 1111111")]);
        assert_eq!((members.elements(), members.bytes()), (2, 20));
        // Of the third, a byte is missing.
        assert_eq!(Run::<1, 8>::find(&scored[..29], 9, &mut columns).elements(), 2);
        assert_eq!(Run::<1, 8>::find(scored, 9, &mut columns).elements(), 3);
    }

    #[test]
    fn a_run_is_no_longer_than_its_columns() {
        let data = [0; 2000]; // empty texts
        let mut columns = Columns::default();
        let members = Run::<1, 0>::find(&data, u64::MAX, &mut columns);
        assert_eq!(members.elements(), MOST_STRINGS as u64);
        let fields = Run::<2, 0>::find(&data, u64::MAX, &mut columns);
        assert_eq!(fields.elements(), MOST_STRINGS as u64 / 2);
        assert_eq!(skip::<1, 0>(&data, 1900), (1900, 1900));
    }
}
