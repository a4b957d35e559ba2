//! Runs of elements with simple strings: found at once, and told by columns, so that sums over them are short loops.

use super::cursor::{Cursor, SliceCursor};
use super::fault::Parse;
#[cfg(target_arch = "x86_64")]
use super::leap;
use super::string::{RdbStr, decimal_len};
use crate::prefetch::prefetch;

/// Elements of a plainly stored collection that follow each other, each of `STRINGS` strings and `BEHIND` bytes behind them.
///
/// All strings are simple: texts of at most 63 bytes, stored as they are, and integers. All of it is there: reading it again
/// cannot fail.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a, const STRINGS: usize, const BEHIND: usize> {
    bytes: &'a [u8],
    lens: &'a [[u8; STRINGS]],
    /// Where the texts start, behind their length.
    texts: &'a [u16],
    ints: &'a [i32],
    /// Where the bytes behind the strings start.
    behind: &'a [u16],
}

/// Lengths of simple strings are below this.
pub const SIMPLE_LENS: usize = 64;
/// So many elements are passed over one by one before it seems worthwhile to look at many at a time.
const FEW: u64 = 16;
/// There have to be so many more for that.
const MANY: u64 = 16;
/// At most so many strings are in a run.
const MOST_STRINGS: usize = 256;
/// Bytes of the longest integer.
const INT_BYTES: usize = 4;
/// Bits of so many bytes that are not an integer's, by its form, a byte each.
const SPARE_BITS: u32 = 0x00_10_18;
/// How far ahead bytes are asked for: soon enough, and from the next page, where a processor does not look by itself.
const AHEAD_BYTES: [usize; 2] = [512, 4608];

/// Bytes of a simple string by its first byte, that byte included; 0 of all others.
static STRING_BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut len = 0;
    while len < SIMPLE_LENS {
        bytes[len] = len as u8 + 1;
        len += 1;
    }
    (bytes[0xc0], bytes[0xc1], bytes[0xc2]) = (2, 3, 5);
    bytes
};

/// Bytes of the string that begins with `first`, if it is a simple one.
///
/// Where the next string begins has to wait for this, and all is as fast as this chain. Where strings are nearly always of
/// one form, `is_guessed`, a processor goes on before it knows. Where they are of any, it had better look them up.
#[inline(always)]
pub(super) fn string_bytes(first: u8, is_guessed: bool) -> Option<usize> {
    if is_guessed {
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

/// Members and fields are of one form mostly; values are texts or integers, as it comes.
const fn is_guessed(place: usize) -> bool {
    place == 0
}

/// The number of simple elements at the start of `data`, at most `most`, and how many bytes they take.
#[inline(always)]
pub(super) fn skip<const STRINGS: usize, const BEHIND: usize>(data: &[u8], most: u64) -> (u64, usize) {
    let few = skip_singly::<STRINGS, BEHIND>(data, (0, 0), most.min(FEW));
    if few.0 < FEW { few } else { skip_many::<STRINGS, BEHIND>(data, few, most) }
}

/// As [`skip`], behind some elements and so many bytes.
#[inline(never)]
fn skip_many<const STRINGS: usize, const BEHIND: usize>(
    data: &[u8],
    (mut elements, mut end): (u64, usize),
    most: u64,
) -> (u64, usize) {
    #[cfg(target_arch = "x86_64")]
    if most - elements >= MANY && leap::is_available() {
        #[allow(unsafe_code)]
        // SAFETY: the processor has the instructions.
        let (more, bytes) = unsafe { leap::skip::<STRINGS, BEHIND>(&data[end..], most - elements) };
        (elements, end) = (elements + more, end + bytes);
    }
    skip_singly::<STRINGS, BEHIND>(data, (elements, end), most)
}

/// As [`skip_many`], one after the other.
#[inline(always)]
fn skip_singly<const STRINGS: usize, const BEHIND: usize>(
    data: &[u8],
    (mut elements, mut end): (u64, usize),
    most: u64,
) -> (u64, usize) {
    'elements: while elements < most {
        ask_ahead(data, end);
        let mut at = end;
        for place in 0..STRINGS {
            let Some(bytes) = data.get(at).and_then(|first| string_bytes(*first, is_guessed(place))) else {
                break 'elements;
            };
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
pub(super) fn ask_ahead(data: &[u8], at: usize) {
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
            for place in 0..STRINGS {
                let Some(&first) = data.get(at) else { break 'elements };
                let Some(bytes) = string_bytes(first, is_guessed(place)) else { break 'elements };
                // Taken in as either, and counted as what it is: nobody could guess which.
                let string = elements * STRINGS + place;
                let is_int = usize::from(first) >= SIMPLE_LENS;
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
            let Some([form, bytes @ ..]) = data[usize::from(*at)..].first_chunk::<{ 1 + INT_BYTES }>() else { return };
            let spare = SPARE_BITS >> (8 * (form & 3)) & 0xff;
            *int = i32::from_le_bytes(*bytes) << spare >> spare;
            self.lens[usize::from(*string) % MOST_STRINGS] = decimal_len(i64::from(*int)) as u8;
        }
    }
}

impl<'a, const STRINGS: usize, const BEHIND: usize> Run<'a, STRINGS, BEHIND> {
    /// The simple elements at the start of `data`, at most `most` and as many as `columns` has room for.
    #[inline(never)] // in a function of its own there are registers enough
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
    fn behind(&self) -> impl Iterator<Item = (usize, [u8; BEHIND])> + use<'a, STRINGS, BEHIND> {
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
        let mut element = || -> Parse<_> {
            let mut strings = [RdbStr::Raw(&[]); STRINGS];
            for string in &mut strings {
                *string = cursor.string_ref()?;
            }
            Ok((strings, cursor.array()?))
        };
        for _ in self.lens {
            let Ok((strings, behind)) = element() else {
                debug_assert!(false, "all of a run is there");
                return;
            };
            take(strings, behind);
        }
    }
}

impl Run<'_, 1, 8> {
    /// The doubles behind the strings, and where in the run they stand.
    #[inline(always)]
    pub fn scores(&self) -> impl Iterator<Item = (usize, f64)> {
        self.behind().map(|(at, score)| (at, f64::from_le_bytes(score)))
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
        let behind = [(2, f64::from_le_bytes(*b"00000000")), (12, f64::from_le_bytes(*b" 1111111"))];
        assert_eq!(members.scores().collect::<Vec<_>>(), behind);
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
        // The longest: what stands last in it is found as what stands first is.
        let element = [&[63][..], &[b'x'; 63], &2.5f64.to_le_bytes()].concat();
        let data = element.repeat(MOST_STRINGS + 1);
        let members = Run::<1, 8>::find(&data, u64::MAX, &mut columns);
        assert_eq!((members.elements(), members.bytes()), (MOST_STRINGS as u64, MOST_STRINGS * 72));
        assert!(members.texts().all(|text| text == [b'x'; 63]));
        assert_eq!(members.scores().last(), Some((MOST_STRINGS * 72 - 8, 2.5)));
    }

    /// What [`skip`] is to pass over, one string after the other.
    fn one_by_one<const STRINGS: usize, const BEHIND: usize>(data: &[u8], most: u64) -> (u64, usize) {
        let mut cursor = SliceCursor::new(data, 0);
        let mut element = || -> Option<usize> {
            for _ in 0..STRINGS {
                matches!(data.get(cursor.position())?, 0..0x40 | 0xc0..=0xc2).then_some(())?;
                cursor.skip_string().ok()?;
            }
            cursor.skip(BEHIND as u64).ok()?;
            Some(cursor.position())
        };
        (1..=most).map_while(|n| Some((n, element()?))).last().unwrap_or_default()
    }

    /// Some 3 KB of elements: the texts of up to so many bytes, one string in so many an integer, one in so many not simple.
    fn elements<const STRINGS: usize, const BEHIND: usize>(longest: u64, int_in: u64, odd_in: u64) -> Vec<u8> {
        let (mut data, mut state) = (Vec::new(), longest + int_in + odd_in);
        let mut below = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        };
        while data.len() < 3000 {
            for _ in 0..STRINGS {
                let len = if below(odd_in) == 0 {
                    data.push([0x40, 0x7f, 0x80, 0xbf, 0xc3, 0xff][below(6) as usize]);
                    5
                } else if below(int_in) == 0 {
                    let form = below(3);
                    data.push(0xc0 + form as u8);
                    1 << form
                } else {
                    let len = below(longest + 1);
                    data.push(len as u8);
                    len
                };
                data.extend((0..len).map(|_| below(256) as u8));
            }
            data.extend((0..BEHIND).map(|_| below(256) as u8));
        }
        data
    }

    #[test]
    fn many_are_passed_over_as_one_by_one() {
        fn check<const STRINGS: usize, const BEHIND: usize>() -> u64 {
            let mut longest_run = 0;
            for longest in [0, 1, 4, 12, 30, 63] {
                for (int_in, odd_in) in [(1, 5000), (2, 200), (3, 5000), (5000, 50), (5000, 5000)] {
                    let data = elements::<STRINGS, BEHIND>(longest, int_in, odd_in);
                    let compare = |data: &[u8], most| {
                        let passed = skip::<STRINGS, BEHIND>(data, most);
                        assert_eq!(passed, one_by_one::<STRINGS, BEHIND>(data, most), "{longest} {int_in} {odd_in}");
                        passed.0
                    };
                    // Behind an odd string, too, and from within one.
                    for from in (0..data.len()).step_by(97) {
                        longest_run = longest_run.max(compare(&data[from..], u64::MAX));
                    }
                    for most in 0..300 {
                        compare(&data, most);
                    }
                    for cut in 0..400 {
                        compare(&data[..data.len() - cut], u64::MAX);
                    }
                }
            }
            longest_run
        }
        assert!(check::<1, 0>() >= 2900);
        assert!(check::<2, 0>() >= 1400);
        assert!(check::<1, 8>() >= 290);
    }

    #[test]
    fn strings_are_as_long_by_guess_as_by_table() {
        let simple = (0..=255).filter(|first| {
            assert_eq!(string_bytes(*first, true), string_bytes(*first, false), "{first}");
            string_bytes(*first, true).is_some()
        });
        assert_eq!(simple.count(), SIMPLE_LENS + 3);
    }
}
