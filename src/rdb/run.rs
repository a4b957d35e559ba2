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
/// Bits of the four bytes read that are not an integer's, by its form, a byte each.
const SPARE_BITS: u32 = 0x00_10_18;
/// So many bytes ahead of what is looked at are asked for.
const AHEAD_BYTES: [usize; 2] = [512, 4608];

/// Room for what a [`Run`] tells, to be used again.
#[derive(Debug)]
pub struct Columns {
    lens: [u8; MOST_STRINGS],
    texts: [u16; MOST_STRINGS],
    ints: [i32; MOST_STRINGS],
    behind: [u16; MOST_STRINGS],
}

impl Default for Columns {
    fn default() -> Columns {
        Columns {
            lens: [0; MOST_STRINGS],
            texts: [0; MOST_STRINGS],
            ints: [0; MOST_STRINGS],
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

/// What a search tells of, each with its place among its like; the last of them may be of an element that does not count.
trait Sink {
    /// A text of `len` bytes, and where it starts.
    fn text(&mut self, string: usize, text: usize, start: usize, len: u8);
    /// An integer.
    fn int(&mut self, string: usize, int: usize, value: i32);
    /// Where the bytes behind an element's strings start.
    fn behind(&mut self, element: usize, start: usize);
}

/// Finds simple elements at the start of `data`, at most `most`.
#[inline(always)]
fn find<const STRINGS: usize, const BEHIND: usize>(data: &[u8], most: usize, sink: &mut impl Sink) -> Found {
    let mut found = Found::default();
    'elements: while found.elements < most {
        let Found { elements, mut texts, mut ints, bytes: mut at } = found;
        for ahead in AHEAD_BYTES {
            prefetch(data.as_ptr().wrapping_add(at + ahead));
        }
        for one in 0..STRINGS {
            let Some(&[first, a, b, c, d]) = data.get(at..).and_then(<[u8]>::first_chunk) else { break 'elements };
            let string = elements * STRINGS + one;
            match first {
                0..0x40 => {
                    sink.text(string, texts, at + 1, first);
                    texts += 1;
                    at += 1 + usize::from(first);
                }
                0xc0..=0xc2 => {
                    let form = first - 0xc0;
                    let spare = (SPARE_BITS >> (8 * form)) & 0xff;
                    sink.int(string, ints, i32::from_le_bytes([a, b, c, d]) << spare >> spare);
                    ints += 1;
                    at += 1 + (1 << form);
                }
                _ => break 'elements,
            }
        }
        sink.behind(elements, at);
        at += BEHIND;
        if at > data.len() {
            break;
        }
        found = Found { elements: elements + 1, texts, ints, bytes: at };
    }
    found
}

/// The number of simple elements at the start of `data`, at most `most`, and how many bytes they take.
#[inline(always)]
pub(super) fn skip<const STRINGS: usize, const BEHIND: usize>(data: &[u8], most: u64) -> (u64, usize) {
    struct Nothing;
    impl Sink for Nothing {
        #[inline(always)]
        fn text(&mut self, _: usize, _: usize, _: usize, _: u8) {}
        #[inline(always)]
        fn int(&mut self, _: usize, _: usize, _: i32) {}
        #[inline(always)]
        fn behind(&mut self, _: usize, _: usize) {}
    }
    let found = find::<STRINGS, BEHIND>(data, usize::try_from(most).unwrap_or(usize::MAX), &mut Nothing);
    (found.elements as u64, found.bytes)
}

impl Sink for Columns {
    #[inline(always)]
    fn text(&mut self, string: usize, text: usize, start: usize, len: u8) {
        self.lens[string] = len;
        self.texts[text] = start as u16;
    }

    #[inline(always)]
    fn int(&mut self, string: usize, int: usize, value: i32) {
        self.lens[string] = decimal_len(i64::from(value)) as u8;
        self.ints[int] = value;
    }

    #[inline(always)]
    fn behind(&mut self, element: usize, start: usize) {
        self.behind[element] = start as u16;
    }
}

impl<'a, const STRINGS: usize, const BEHIND: usize> Run<'a, STRINGS, BEHIND> {
    /// The simple elements at the start of `data`, at most `most` and as many as `columns` has room for.
    #[inline(never)]
    pub(super) fn find(data: &'a [u8], most: u64, columns: &'a mut Columns) -> Run<'a, STRINGS, BEHIND> {
        let found = find::<STRINGS, BEHIND>(data, most.min((MOST_STRINGS / STRINGS) as u64) as usize, columns);
        let (lens, _) = columns.lens.as_chunks();
        Run {
            bytes: &data[..found.bytes],
            lens: &lens[..found.elements],
            texts: &columns.texts[..found.texts],
            ints: &columns.ints[..found.ints],
            behind: &columns.behind[..found.elements],
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
