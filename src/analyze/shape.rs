//! The shape of a key's name: the name with every byte blanked that folding drops, as a part of an id.
//!
//! Names that differ only in their ids have the same shape and fold to the same pattern (the tests say so of every fold).
//! A shape costs a few operations on whole vectors and words, a fold some for each byte; so a [`ShapeCache`] finds the
//! pattern of nearly every key of a dump without folding it.

use wide::u8x16;

/// Longest name that has a shape.
const MAX_LEN: usize = 64;
const WORDS: usize = MAX_LEN / 8;
/// Shapes that are remembered; one shape may push out another.
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 11;

/// A name with the ids blanked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The name from its start, eight bytes in each; the last word in use ends where the name ends.
    words: [u64; WORDS],
    len: u32,
}

impl Shape {
    /// The shape of `name`; none if it is long, or has bytes that a pattern would have to escape or to look at closely.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Shape> {
        let len = name.len();
        if len > MAX_LEN {
            return None;
        }
        let classes = Classes::of(name);
        if classes.special != 0 {
            return None;
        }
        let dropped = classes.dropped(len);
        let mut shape = Shape { words: [0; WORDS], len: len as u32 };
        let keep = |word: u64, at: usize| word & !BYTES[(dropped >> at) as usize & 0xff];
        let Some(last) = name.last_chunk::<8>() else {
            shape.words[0] = keep(short_word(name), 0);
            return Some(shape);
        };
        let mut at = 0;
        for (word, bytes) in shape.words.iter_mut().zip(name.as_chunks::<8>().0) {
            *word = keep(u64::from_le_bytes(*bytes), at);
            at += 8;
        }
        if at < len {
            shape.words[at / 8] = keep(u64::from_le_bytes(*last), len - 8);
        }
        Some(shape)
    }

    /// Where a cache keeps it.
    #[inline]
    fn slot(&self) -> usize {
        // Independent products of odd numbers, so that none waits for another.
        const ODD: [u64; WORDS] = [
            0x9e37_79b9_7f4a_7c15,
            0xbf58_476d_1ce4_e5b9,
            0x94d0_49bb_1331_11eb,
            0xd6e8_feb8_6659_fd93,
            0xa076_1d64_78bd_642f,
            0xe703_7ed1_a0b4_28db,
            0x8ebc_6af0_9c88_c6e3,
            0x5899_65cc_7537_4cc3,
        ];
        let sum = self.words.iter().zip(ODD).fold(u64::from(self.len), |sum, (word, odd)| {
            sum.wrapping_add((word ^ word >> 32).wrapping_mul(odd))
        });
        ((sum ^ sum >> 32).wrapping_mul(ODD[0]) >> (64 - SLOT_BITS)) as usize
    }
}

/// Which bytes of a name are what: bit `i` is for byte `i`.
#[derive(Clone, Copy, Default)]
struct Classes {
    digit: u64,
    /// `a` to `f`, in either case.
    hex_letter: u64,
    separator: u64,
    dash: u64,
    /// What no shape is made of: bytes that are no printable ASCII, and those with a meaning in a glob.
    special: u64,
}

impl Classes {
    #[inline]
    fn of(name: &[u8]) -> Classes {
        let mut classes = Classes::default();
        let Some(last) = name.last_chunk::<16>() else {
            let padded = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
                (Some(first), Some(last)) => {
                    let last = u64::from_le_bytes(*last) >> (8 * (16 - name.len()) as u32 & 63);
                    u128::from(last) << 64 | u128::from(u64::from_le_bytes(*first))
                }
                _ => u128::from(short_word(name)),
            };
            classes.add(padded.to_le_bytes(), 0);
            classes.special &= (1 << name.len()) - 1; // not the padding
            return classes;
        };
        for (index, bytes) in name.as_chunks::<16>().0.iter().enumerate() {
            classes.add(*bytes, 16 * index);
        }
        // The rest, and some bytes once more.
        classes.add(*last, name.len() - 16);
        classes
    }

    #[inline]
    fn add(&mut self, bytes: [u8; 16], at: usize) {
        let v = u8x16::new(bytes);
        let is = |byte: u8| v.simd_eq(u8x16::splat(byte));
        let within = |v: u8x16, first: u8, last: u8| (v - u8x16::splat(first)).simd_le(u8x16::splat(last - first));
        let bits = |v: u8x16| u64::from(v.to_bitmask()) << at;
        let digit = within(v, b'0', b'9');
        let hex_letter = within(v | u8x16::splat(b' '), b'a', b'f');
        // `,-./`, the digits, `:;` follow one another, and so do `{|}`.
        let separator = within(v, b',', b';') & !digit
            | within(v, b'{', b'}')
            | is(b'=')
            | is(b'@')
            | is(b'_')
            | is(b'#');
        let special = !within(v, b' ', b'~') | is(b'*') | is(b'?') | is(b'[') | is(b'\\');
        self.digit |= bits(digit);
        self.hex_letter |= bits(hex_letter);
        self.separator |= bits(separator);
        self.dash |= bits(is(b'-'));
        self.special |= bits(special);
    }

    /// The bytes that the fold of a name of so many bytes drops for a `*`.
    #[inline]
    fn dropped(&self, len: usize) -> u64 {
        let within = u64::MAX.checked_shr((MAX_LEN - len) as u32).unwrap_or(0);
        let inside = !self.separator & within;
        let hex = self.digit | self.hex_letter;
        // From the first digit of a segment to its end.
        let mut dropped = reach(self.digit, inside) & inside;
        let starts = inside & !(inside << 1);
        // UUIDs, whatever letters their parts are of.
        let mut uuids = starts & self.dash >> 8 & self.dash >> 13 & self.dash >> 18 & self.dash >> 23;
        while uuids != 0 {
            let at = uuids.trailing_zeros() as usize;
            uuids &= uuids - 1;
            let ends = at + UUID_LEN == len || at + UUID_LEN < len && self.separator >> (at + UUID_LEN) & 1 == 1;
            if ends && hex >> at & UUID_BITS == UUID_HEX {
                dropped |= UUID_BITS << at;
            }
        }
        // Ids of hex digits that begin with a letter.
        let mut ids = starts & self.hex_letter;
        while ids != 0 {
            let at = ids.trailing_zeros();
            ids &= ids - 1;
            let segment = (reach(1 << at, inside) & inside) >> at << at;
            if segment & !hex == 0 && segment & self.digit != 0 && segment.count_ones() >= super::pattern::HEX_ID as u32 {
                dropped |= segment;
            }
        }
        dropped
    }
}

const UUID_LEN: usize = 36;
const UUID_BITS: u64 = (1 << UUID_LEN) - 1;
const UUID_HEX: u64 = UUID_BITS & !(1 << 8 | 1 << 13 | 1 << 18 | 1 << 23);

/// All places that are reached from `marks` by passing over places in `class`, the marks among them. The carries of an
/// addition do the walking.
#[inline]
fn reach(marks: u64, class: u64) -> u64 {
    ((marks & class).wrapping_add(class) ^ class) | marks
}

/// `BYTES[bits]` has the bytes of a word set whose bits are set.
static BYTES: [u64; 256] = {
    let mut table = [0; 256];
    let mut bits = 0;
    while bits < 256 {
        let mut byte = 0;
        while byte < 8 {
            if bits >> byte & 1 == 1 {
                table[bits] |= 0xff << (8 * byte);
            }
            byte += 1;
        }
        bits += 1;
    }
    table
};

/// At most seven bytes as a little-endian word, from two reads that may overlap.
#[inline]
pub(super) fn short_word(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let last = u64::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4));
            last | u64::from(u32::from_le_bytes(*first))
        }
        _ => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Remembers a number for each of the shapes seen last.
#[derive(Debug)]
pub(super) struct ShapeCache {
    slots: Box<[Slot]>,
    generation: u32,
}

#[derive(Clone, Debug)]
struct Slot {
    shape: Shape,
    /// That of the cache when this was put in; else it is of before a [`ShapeCache::clear`].
    generation: u32,
    cell: u32,
}

impl ShapeCache {
    pub(super) fn new() -> ShapeCache {
        let empty = Slot { shape: Shape { words: [0; WORDS], len: 0 }, generation: 0, cell: 0 };
        ShapeCache { slots: vec![empty; SLOTS].into(), generation: 1 }
    }

    #[inline]
    pub(super) fn get(&self, shape: &Shape) -> Option<u32> {
        let slot = &self.slots[shape.slot()];
        (slot.generation == self.generation && slot.shape == *shape).then_some(slot.cell)
    }

    pub(super) fn put(&mut self, shape: Shape, cell: u32) {
        self.slots[shape.slot()] = Slot { shape, generation: self.generation, cell };
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        match self.generation.checked_add(1) {
            Some(next) => self.generation = next,
            None => *self = ShapeCache::new(),
        }
    }
}
