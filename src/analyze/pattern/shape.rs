//! The shape of a key's name: the name with every byte blanked that folding drops, as a part of an id.
//!
//! Names that differ only in their ids have the same shape and fold to the same pattern (the tests say so of every fold).
//! A shape costs a few operations on whole vectors and words, a fold some for each byte; so a [`ShapeCache`] finds the
//! pattern of nearly every key of a dump without folding it. Where the processor has vectors of 64 bytes, a name is one of
//! them, elsewhere it is in parts of 16.

use wide::u8x16;

use super::fold::HEX_ID;

/// Longest name that has a shape.
const MAX_LEN: usize = 64;
/// Shapes that are remembered; one shape may push out another.
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 11;
/// Sixteen bytes of a name, as two words.
type Part = [u64; 2];
const PARTS: usize = MAX_LEN / 16;
/// Factors of the hash.
const ODD: [u64; 2 * PARTS] = [
    0x9e37_79b9_7f4a_7c15,
    0xbf58_476d_1ce4_e5b9,
    0x94d0_49bb_1331_11eb,
    0xd6e8_feb8_6659_fd93,
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
    0x8ebc_6af0_9c88_c6e3,
    0x5899_65cc_7537_4cc3,
];

/// A name with the ids blanked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Sixteen bytes of the name in each part that is in use; the parts together cover it, and may overlap if they were
    /// made one by one.
    parts: [Part; PARTS],
    len: u32,
    /// Where a cache keeps it.
    slot: u32,
}

impl Shape {
    /// The shape of `name`; none if it is long, or not all printable ASCII, so that folding has to look closely.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Shape> {
        #[cfg(target_arch = "x86_64")]
        if whole::can_take(name) {
            #[allow(unsafe_code)]
            // SAFETY: the processor has the instructions, and the name is not too long.
            return unsafe { whole::shape(name) };
        }
        Shape::in_parts(name)
    }

    /// [`Shape::of`] as every processor can.
    pub(super) fn in_parts(name: &[u8]) -> Option<Shape> {
        // A few fixed sizes: loops would end each time somewhere else, which processors do not guess.
        let len = name.len();
        if len < 16 {
            Shape::of_parts([padded(name)], [0], len)
        } else if len <= 32 {
            let (first, last) = (name.first_chunk()?, name.last_chunk()?);
            Shape::of_parts([*first, *last], [0, len - 16], len)
        } else if len <= MAX_LEN {
            let (first, last) = (name.first_chunk::<32>()?.as_chunks().0, name.last_chunk::<32>()?.as_chunks().0);
            Shape::of_parts([first[0], first[1], last[0], last[1]], [0, 16, len - 32, len - 16], len)
        } else {
            None
        }
    }

    /// `starts` are the places of the parts in the name.
    #[inline(always)]
    fn of_parts<const N: usize>(parts: [[u8; 16]; N], starts: [usize; N], len: usize) -> Option<Shape> {
        let mut classes = Classes::default();
        for (part, at) in parts.iter().zip(starts) {
            classes.add(*part, at);
        }
        let within = first_bits(len);
        if classes.special & within != 0 {
            return None;
        }
        let dropped = classes.dropped(within, len);
        let mut shape = Shape { parts: [[0; 2]; PARTS], len: len as u32, slot: 0 };
        let mut sum = len as u64;
        let mut odd = ODD.iter();
        for ((kept, part), at) in shape.parts.iter_mut().zip(parts).zip(starts) {
            for (half, bytes) in part.as_chunks::<8>().0.iter().enumerate() {
                let blank = BYTES[(dropped >> (at + 8 * half)) as usize & 0xff];
                kept[half] = u64::from_le_bytes(*bytes) & !blank;
                // Products of odd numbers, so that none waits for another.
                sum = sum.wrapping_add(kept[half].wrapping_mul(odd.next().copied().unwrap_or(1)));
            }
        }
        shape.slot = slot_of(sum);
        Some(shape)
    }

    #[inline]
    fn equals(&self, other: &Shape) -> bool {
        let differs = |(one, other): (&Part, &Part)| (one[0] ^ other[0]) | (one[1] ^ other[1]);
        let parts = self.parts.iter().zip(&other.parts).map(differs).fold(0, |all, part| all | part);
        parts | u64::from(self.len ^ other.len) == 0
    }
}

/// The place in a cache for a sum over a shape.
#[inline(always)]
fn slot_of(sum: u64) -> u32 {
    ((sum ^ sum >> 32).wrapping_mul(ODD[0]) >> (64 - SLOT_BITS)) as u32
}

/// The bits of so many bytes of a name.
#[inline(always)]
fn first_bits(len: usize) -> u64 {
    u64::MAX.checked_shr((MAX_LEN - len) as u32).unwrap_or(0)
}

/// A name of up to 64 bytes in one register.
#[cfg(target_arch = "x86_64")]
mod whole {
    use std::arch::x86_64::{
        _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_maskz_loadu_epi8, _mm512_maskz_mov_epi8,
        _mm512_movepi8_mask, _mm512_mul_epu32, _mm512_permutex2var_epi8, _mm512_reduce_add_epi64, _mm512_set1_epi8,
        _mm512_srli_epi64, _mm512_storeu_si512, _mm512_test_epi8_mask, _mm512_xor_si512,
    };

    use super::super::classes::{DIGIT, HEX, ODD as SPECIAL, SEPARATOR};
    use super::super::rules::USUAL;
    use super::{Classes, MAX_LEN, ODD, PARTS, Shape, first_bits, slot_of};

    /// Whether `name` fits, and the processor has what is needed.
    #[inline(always)]
    pub(super) fn can_take(name: &[u8]) -> bool {
        name.len() <= MAX_LEN
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vbmi")
    }

    /// The shape of a name that fits.
    #[target_feature(enable = "avx512bw,avx512vbmi")]
    pub(super) fn shape(name: &[u8]) -> Option<Shape> {
        let within = first_bits(name.len());
        #[allow(unsafe_code)]
        // SAFETY: what is loaded is the name, nothing of what lies behind it; and the classes of ASCII, twice 64.
        let (v, low, high) = unsafe {
            (
                _mm512_maskz_loadu_epi8(within, name.as_ptr().cast()),
                _mm512_loadu_si512(USUAL.as_ptr().cast()),
                _mm512_loadu_si512(USUAL[64..].as_ptr().cast()),
            )
        };
        let found = _mm512_permutex2var_epi8(low, v, high);
        let are = |class: u8| _mm512_test_epi8_mask(found, _mm512_set1_epi8(class as i8));
        // The table has no place for bytes beyond ASCII.
        if (are(SPECIAL) | _mm512_movepi8_mask(v)) & within != 0 {
            return None;
        }
        let classes = Classes {
            digit: are(DIGIT),
            hex_letter: are(HEX),
            separator: are(SEPARATOR),
            dash: _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(b'-' as i8)),
            special: 0,
        };
        let kept = _mm512_maskz_mov_epi8(!classes.dropped(within, name.len()), v);
        let mut shape = Shape { parts: [[0; 2]; PARTS], len: name.len() as u32, slot: 0 };
        #[allow(unsafe_code)]
        // SAFETY: the factors are 64 bytes, and so are the parts.
        let odd = unsafe {
            _mm512_storeu_si512(shape.parts.as_mut_ptr().cast(), kept);
            _mm512_loadu_si512(ODD.as_ptr().cast())
        };
        // Products of the halves of each word, made odd by chance: 32 bits are what the processor multiplies fast.
        let mixed = _mm512_xor_si512(kept, odd);
        let products = _mm512_mul_epu32(mixed, _mm512_srli_epi64::<32>(mixed));
        shape.slot = slot_of((_mm512_reduce_add_epi64(products) as u64).wrapping_add(name.len() as u64));
        Some(shape)
    }
}

/// Less than sixteen bytes, followed by zeros.
#[inline]
fn padded(name: &[u8]) -> [u8; 16] {
    let word = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            let last = u128::from(u64::from_le_bytes(*last)) << (8 * (name.len() - 8));
            last | u128::from(u64::from_le_bytes(*first))
        }
        _ => u128::from(short_word(name)),
    };
    word.to_le_bytes()
}

/// Which bytes of a name are what: bit `i` is for byte `i`.
#[derive(Clone, Copy, Default)]
struct Classes {
    digit: u64,
    /// `a` to `f`, in either case.
    hex_letter: u64,
    separator: u64,
    dash: u64,
    /// What no shape is made of: bytes that are no printable ASCII.
    special: u64,
}

impl Classes {
    #[inline(always)]
    fn add(&mut self, bytes: [u8; 16], at: usize) {
        let v = u8x16::new(bytes);
        let is = |byte: u8| v.simd_eq(u8x16::splat(byte));
        let within = |v: u8x16, first: u8, last: u8| (v - u8x16::splat(first)).simd_le(u8x16::splat(last - first));
        let bits = |v: u8x16| u64::from(v.to_bitmask()) << at;
        let digit = within(v, b'0', b'9');
        let hex_letter = within(v | u8x16::splat(b' '), b'a', b'f');
        // `,-./`, the digits, `:;` follow one another, and so do `{|}`.
        let separator =
            within(v, b',', b';') & !digit | within(v, b'{', b'}') | is(b'=') | is(b'@') | is(b'_') | is(b'#');
        let special = !within(v, b' ', b'~');
        self.digit |= bits(digit);
        self.hex_letter |= bits(hex_letter);
        self.separator |= bits(separator);
        self.dash |= bits(is(b'-'));
        self.special |= bits(special);
    }

    /// The bytes that the fold of a name of so many bytes, the ones `within` it, drops for a `*`.
    #[inline(always)]
    fn dropped(&self, within: u64, len: usize) -> u64 {
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
        // Ids of hex digits that begin with a letter: not yet dropped whole, but from a digit on.
        let ids_from = starts & self.hex_letter & !dropped;
        if ids_from != 0 {
            dropped |= self.ids(ids_from, inside, hex);
        }
        dropped
    }

    /// The segments among those that begin at `starts` which are ids of hex digits.
    fn ids(&self, mut starts: u64, inside: u64, hex: u64) -> u64 {
        let mut ids = 0;
        while starts != 0 {
            let start = starts & starts.wrapping_neg();
            starts ^= start;
            let segment = reach(start, inside) & inside & !(start - 1);
            let is_id = segment & !hex == 0 && segment & self.digit != 0 && segment.count_ones() as usize >= HEX_ID;
            ids |= if is_id { segment } else { 0 };
        }
        ids
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
pub(in crate::analyze) fn short_word(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let last = u64::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4));
            last | u64::from(u32::from_le_bytes(*first))
        }
        _ => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Remembers a number for each of the shapes seen last.
#[derive(Clone, Debug)]
pub(super) struct ShapeCache {
    /// None before the first shape.
    slots: Vec<Slot>,
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
        ShapeCache { slots: Vec::new(), generation: 1 }
    }

    #[inline]
    pub(super) fn get(&self, shape: &Shape) -> Option<u32> {
        let slot = self.slots.get(shape.slot as usize)?;
        (slot.generation == self.generation && slot.shape.equals(shape)).then_some(slot.cell)
    }

    pub(super) fn put(&mut self, shape: Shape, cell: u32) {
        if self.slots.is_empty() {
            let empty = Slot { shape: Shape { parts: [[0; 2]; PARTS], len: 0, slot: 0 }, generation: 0, cell: 0 };
            self.slots = vec![empty; SLOTS];
        }
        let slot = shape.slot as usize;
        self.slots[slot] = Slot { shape, generation: self.generation, cell };
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        match self.generation.checked_add(1) {
            Some(next) => self.generation = next,
            None => *self = ShapeCache::new(),
        }
    }
}
