//! Simple strings passed over many at a time, where a processor can look up 64 bytes in 64 bytes.
//!
//! Where a string would end that began at a byte can be told of 64 bytes at once, a *window*; and by looking up ends at
//! ends, where the second from there would end, the fourth, the eighth. None of that waits for where a string does begin.
//! Only one look-up per window does, and not one per string.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi8, _mm512_cmplt_epu8_mask, _mm512_loadu_si512, _mm512_mask_add_epi8,
    _mm512_mask_permutexvar_epi8, _mm512_mask_shuffle_epi8, _mm512_maskz_mov_epi8, _mm512_maskz_permutexvar_epi8,
    _mm512_set1_epi8, _mm512_set4_epi32, _mm512_setzero_si512, _mm512_storeu_si512, _mm512_xor_si512,
};

use super::run::{SIMPLE_LENS, ask_ahead};

/// Bytes of a window.
const BYTES: usize = 64;
/// Windows that are looked at together: a single one would mostly wait for itself.
const WINDOWS: usize = 4;
/// Times that a step of one string is doubled: a look-up passes up to 16.
const DOUBLINGS: usize = 4;
/// Where a string ends that is not simple.
const NOWHERE: u8 = 0xff;

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

/// A number of simple elements at the start of `data`, fewer than `most`, and how many bytes they take. Leaves the last few of a
/// run, as it does not look closely at where that ends.
#[target_feature(enable = "avx512bw,avx512vbmi")]
pub(super) fn skip<const STRINGS: usize, const BEHIND: usize>(data: &[u8], most: u64) -> (u64, usize) {
    let (per_element, limit) = (STRINGS as u64, most.saturating_mul(STRINGS as u64));
    let (mut at, mut strings) = (0, 0);
    // Where the next string begins, in bytes from `at`.
    let mut start = 0;
    let mut whole = (0, 0);
    'all: while let Some(bytes) = data.get(at..).and_then(|rest| rest.first_chunk::<{ WINDOWS * BYTES }>()) {
        let mut steps = [Step { ends: _mm512_setzero_si512(), strings: _mm512_setzero_si512() }; WINDOWS];
        for ((step, window), ahead) in steps.iter_mut().zip(bytes.as_chunks().0).zip((at..).step_by(BYTES)) {
            ask_ahead(data, ahead);
            *step = Step::of_one::<BEHIND>(window);
        }
        for _ in 0..DOUBLINGS {
            for step in &mut steps {
                *step = step.twice();
            }
        }
        let mut tables = [[[0; BYTES]; 2]; WINDOWS];
        for (step, [ends, passed]) in steps.iter().zip(&mut tables) {
            store(step.ends, ends);
            store(step.strings, passed);
        }
        for [ends, passed] in &tables {
            while start < BYTES {
                if strings % per_element == 0 {
                    whole = (strings, at + start);
                }
                let (end, passed) = (ends[start], u64::from(passed[start]));
                if end == NOWHERE || strings + passed >= limit {
                    break 'all;
                }
                strings += passed;
                start = usize::from(end);
            }
            at += BYTES;
            start -= BYTES;
        }
    }
    (whole.0 / per_element, whole.1)
}

/// For each byte of a window, what comes of going on by some strings if one began there.
#[derive(Clone, Copy)]
struct Step {
    /// Where the last of them ends with what stands behind it, in bytes from the start of the window: that is where the next
    /// begins.
    ends: __m512i,
    /// How many there are: fewer if the window ends before, as a step does not begin behind it.
    strings: __m512i,
}

impl Step {
    /// By one string and the bytes behind it.
    #[inline]
    #[target_feature(enable = "avx512bw,avx512vbmi")]
    fn of_one<const BEHIND: usize>(window: &[u8; BYTES]) -> Step {
        let first = load(window);
        let is_text = _mm512_cmplt_epu8_mask(first, _mm512_set1_epi8(SIMPLE_LENS as i8));
        // Integers begin with 0xc0, 0xc1 or 0xc2 and take 1, 2 or 4 bytes more.
        let form = _mm512_xor_si512(first, _mm512_set1_epi8(0xc0_u8 as i8));
        let is_int = _mm512_cmplt_epu8_mask(form, _mm512_set1_epi8(3));
        let int_bytes = _mm512_set4_epi32(0, 0, 0, 0x04_02_01);
        let bytes = _mm512_mask_shuffle_epi8(first, is_int, int_bytes, form);
        let is_simple = is_text | is_int;
        let from = _mm512_add_epi8(load(&PLACES), _mm512_set1_epi8(1 + BEHIND as i8));
        Step {
            ends: _mm512_mask_add_epi8(_mm512_set1_epi8(NOWHERE as i8), is_simple, from, bytes),
            strings: _mm512_maskz_mov_epi8(is_simple, _mm512_set1_epi8(1)),
        }
    }

    /// By twice as many.
    #[inline]
    #[target_feature(enable = "avx512bw,avx512vbmi")]
    fn twice(self) -> Step {
        let Step { ends, strings } = self;
        let goes_on = _mm512_cmplt_epu8_mask(ends, _mm512_set1_epi8(BYTES as i8));
        Step {
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
