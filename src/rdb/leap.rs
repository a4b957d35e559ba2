//! Simple strings passed over many at a time, where a processor can look up 64 bytes in 64 bytes.
//!
//! Where a string would end that began at a byte can be told of all 64 bytes of a *block* at once; and by looking up ends at ends,
//! where the second from there would end, the fourth, the eighth. None of that waits for where a string does begin. Only one
//! look-up per sixteen strings or per block does, and not one per string.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi8, _mm512_cmplt_epu8_mask, _mm512_loadu_si512, _mm512_mask_add_epi8,
    _mm512_mask_permutexvar_epi8, _mm512_mask_shuffle_epi8, _mm512_maskz_mov_epi8, _mm512_maskz_permutexvar_epi8,
    _mm512_set1_epi8, _mm512_set4_epi32, _mm512_setzero_si512, _mm512_storeu_si512, _mm512_xor_si512,
};

use super::run::{SIMPLE_LENS, ask_ahead, string_bytes};

/// Bytes of a block.
const BYTES: usize = 64;
/// Blocks that are looked at together: a single one would mostly wait for itself.
const BLOCKS: usize = 4;
/// Times that a leap over one string is doubled: it is over sixteen then.
const DOUBLINGS: usize = 4;
/// Where a string ends that is not simple.
const NOWHERE: u8 = 0xff;
/// How far behind the last known end of an element look-ups may be before one is found on purpose.
const ASTRAY_BYTES: usize = 1024;

/// 0, 1, 2 and so on.
static PLACES: [u8; BYTES] = {
    let mut places = [0; BYTES];
    let mut place = 0;
    while place < BYTES {
        places[place] = place as u8;
        place += 1;
    }
    places
};

/// Whether the processor has what is needed.
#[inline(always)]
pub(super) fn is_available() -> bool {
    std::arch::is_x86_feature_detected!("avx512bw") && std::arch::is_x86_feature_detected!("avx512vbmi")
}

/// A number of simple elements at the start of `data`, fewer than `most`, and how many bytes they take. Leaves the last of a run,
/// as it does not look closely at where that ends.
#[target_feature(enable = "avx512bw,avx512vbmi")]
pub(super) fn skip<const STRINGS: usize, const BEHIND: usize>(data: &[u8], most: u64) -> (u64, usize) {
    let (per_element, limit) = (STRINGS as u64, most.saturating_mul(STRINGS as u64));
    let (mut at, mut strings) = (0, 0);
    // Where the next string begins, in bytes from `at`.
    let mut start = 0;
    // Strings and bytes up to the last end of an element that was seen.
    let mut whole = (0, 0);
    'all: while let Some(bytes) = data.get(at..).and_then(|rest| rest.first_chunk::<{ BLOCKS * BYTES }>()) {
        let mut leaps = [Leap { ends: _mm512_setzero_si512(), strings: _mm512_setzero_si512() }; BLOCKS];
        for ((leap, block), ahead) in leaps.iter_mut().zip(bytes.as_chunks().0).zip((at..).step_by(BYTES)) {
            ask_ahead(data, ahead);
            *leap = Leap::over_one::<BEHIND>(block);
        }
        for _ in 0..DOUBLINGS {
            for leap in &mut leaps {
                *leap = leap.twice();
            }
        }
        let mut tables = [[[0; BYTES]; 2]; BLOCKS];
        for (leap, [ends, counts]) in leaps.iter().zip(&mut tables) {
            store(leap.ends, ends);
            store(leap.strings, counts);
        }
        // Names and values of one length each can make every look-up begin at a value.
        if STRINGS > 1 && at > whole.1 + ASTRAY_BYTES && strings % per_element != 0 && strings + 1 < limit {
            let Some(len) = string_bytes(bytes[start], false) else { break };
            (strings, start) = (strings + 1, start + len);
        }
        for [ends, counts] in &tables {
            while start < BYTES {
                if strings % per_element == 0 {
                    whole = (strings, at + start);
                }
                let (end, passed) = (ends[start], u64::from(counts[start]));
                if end == NOWHERE || strings + passed >= limit {
                    break 'all;
                }
                debug_assert!(usize::from(end) > start);
                strings += passed;
                start = usize::from(end);
            }
            at += BYTES;
            start -= BYTES;
        }
    }
    (whole.0 / per_element, whole.1)
}

/// For each byte of a block, what comes of going on by some strings if one began there.
#[derive(Clone, Copy)]
struct Leap {
    /// Where the last of them ends with what stands behind it, in bytes from the start of the block: there the next begins.
    ends: __m512i,
    /// How many there are: fewer where the next would begin behind the block. Means nothing where one is not simple.
    strings: __m512i,
}

impl Leap {
    /// Over one string and the bytes behind it.
    #[inline]
    #[target_feature(enable = "avx512bw,avx512vbmi")]
    fn over_one<const BEHIND: usize>(block: &[u8; BYTES]) -> Leap {
        const { assert!(BYTES + BEHIND + SIMPLE_LENS - 1 < NOWHERE as usize, "ends have to fit into a byte") };
        let first = load(block);
        let is_text = _mm512_cmplt_epu8_mask(first, _mm512_set1_epi8(SIMPLE_LENS as i8));
        // Integers begin with 0xc0, 0xc1 or 0xc2 and take 1, 2 or 4 bytes more: a table in each 128 bits, which a shuffle does not
        // leave.
        let form = _mm512_xor_si512(first, _mm512_set1_epi8(0xc0_u8 as i8));
        let is_int = _mm512_cmplt_epu8_mask(form, _mm512_set1_epi8(3));
        let int_bytes = _mm512_set4_epi32(0, 0, 0, 0x04_02_01);
        let bytes = _mm512_mask_shuffle_epi8(first, is_int, int_bytes, form);
        let is_simple = is_text | is_int;
        let from = _mm512_add_epi8(load(&PLACES), _mm512_set1_epi8(1 + BEHIND as i8));
        Leap {
            ends: _mm512_mask_add_epi8(_mm512_set1_epi8(NOWHERE as i8), is_simple, from, bytes),
            strings: _mm512_maskz_mov_epi8(is_simple, _mm512_set1_epi8(1)),
        }
    }

    /// Over twice as many.
    #[inline]
    #[target_feature(enable = "avx512bw,avx512vbmi")]
    fn twice(self) -> Leap {
        let Leap { ends, strings } = self;
        let goes_on = _mm512_cmplt_epu8_mask(ends, _mm512_set1_epi8(BYTES as i8));
        Leap {
            ends: _mm512_mask_permutexvar_epi8(ends, goes_on, ends, ends),
            strings: _mm512_add_epi8(strings, _mm512_maskz_permutexvar_epi8(goes_on, ends, strings)),
        }
    }
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn load(bytes: &[u8; BYTES]) -> __m512i {
    #[allow(unsafe_code)]
    // SAFETY: there are as many bytes as a register has.
    unsafe {
        _mm512_loadu_si512(bytes.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn store(register: __m512i, bytes: &mut [u8; BYTES]) {
    #[allow(unsafe_code)]
    // SAFETY: there is room for as many bytes as a register has.
    unsafe {
        _mm512_storeu_si512(bytes.as_mut_ptr().cast(), register);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a run: some blocks that were not looked at, as there are no four any more, and one element.
    const LEFT_BYTES: usize = BLOCKS * BYTES + BYTES + 2 * SIMPLE_LENS;

    /// Elements of strings of one length each, with one that is longer: the leaps come to an end near that of the run.
    fn check<const STRINGS: usize, const BEHIND: usize>(lens: [usize; STRINGS], longer: usize) {
        let string = |len: usize| [&[len as u8][..], &vec![b'x'; len]].concat();
        let behind = [0; BEHIND];
        let element = [lens.map(string).concat(), behind.to_vec()].concat();
        let last = STRINGS - 1;
        let mut lens = lens;
        lens[last] = (lens[last] + longer) % SIMPLE_LENS;
        let odd = [lens.map(string).concat(), behind.to_vec()].concat();
        let before = 20;
        let data = [element.repeat(before), odd.clone(), element.repeat(4000)].concat();
        #[allow(unsafe_code)]
        // SAFETY: the processor has the instructions, or this is not called.
        let skip = |most| unsafe { skip::<STRINGS, BEHIND>(&data, most) };
        let bytes_of = |elements: u64| match elements as usize {
            few if few <= before => few * element.len(),
            many => (many - 1) * element.len() + odd.len(),
        };
        let (elements, bytes) = skip(u64::MAX);
        assert_eq!(bytes, bytes_of(elements), "{lens:?}");
        assert!(data.len() - bytes < LEFT_BYTES + ASTRAY_BYTES, "{lens:?}: {bytes} of {}", data.len());
        for most in [0, 1, 20, 21, 500, 4021] {
            let (elements, bytes) = skip(most);
            assert!(elements <= most.saturating_sub(1) && bytes == bytes_of(elements), "{lens:?}, {most}");
            assert!(bytes_of(most) - bytes < LEFT_BYTES + ASTRAY_BYTES, "{lens:?}, {most}: {elements}");
        }
    }

    #[test]
    fn leaps_reach_the_last_elements() {
        if !is_available() {
            eprintln!("not tested: the processor does not have the instructions");
            return;
        }
        for longer in 0..=16 {
            for lens in [[8, 6], [11, 3], [19, 11], [15, 15], [19, 10], [36, 26], [31, 31], [0, 0], [63, 63]] {
                check::<2, 0>(lens, longer);
                check::<1, 0>([lens[0]], longer);
                check::<1, 8>([lens[1]], longer);
            }
        }
    }
}
