//! The hash slot of a key, as Redis Cluster computes it.
//!
//! A slot is CRC-16/XMODEM of the key, modulo 16384. If the key has a hash tag, only that is
//! hashed: what stands between the first `{` and the first `}` after it, unless it is empty.
//!
//! This runs once for every key of a dump, so the CRC takes eight bytes at a time, and where the processor can, all of a
//! name at once.

/// Number of hash slots of a cluster: slots are 0 to 16383.
pub const SLOTS: u16 = 16384;

/// The generator polynomial of CRC-16/XMODEM: x^16 + x^12 + x^5 + 1.
const POLYNOMIAL: u16 = 0x1021;

/// `TABLES[k][b]` is the CRC of byte `b` followed by `k` zero bytes.
static TABLES: [[u16; 256]; 8] = tables();

/// The slot of `key`, from 0 to 16383.
#[inline]
pub fn slot_of(key: &[u8]) -> u16 {
    slot_and_tag(key).0
}

/// The slot of `key` and its hash tag, if it has one.
#[inline(always)]
pub fn slot_and_tag(key: &[u8]) -> (u16, Option<&[u8]>) {
    #[cfg(target_arch = "x86_64")]
    if whole::can_take(key) {
        #[allow(unsafe_code)]
        // SAFETY: the processor has the instructions, and the name is not too long.
        let (has_brace, crc) = unsafe { whole::scan(key) };
        if !has_brace {
            return (crc % SLOTS, None);
        }
    }
    let tag = hash_tag(key);
    (crc16(tag.unwrap_or(key)) % SLOTS, tag)
}

/// The part of `key` that alone decides its slot, or `None` if the whole key does.
///
/// Only the first `{` counts: `{}{x}` has no tag, because the braces that open first hold nothing.
/// An inner `{` belongs to the tag: that of `foo{{bar}}zap` is `{bar`.
#[inline]
pub fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = memchr::memchr(b'{', key)?;
    let (_, inside) = key.split_at_checked(open + 1)?;
    let close = memchr::memchr(b'}', inside)?;
    inside.get(..close).filter(|tag| !tag.is_empty())
}

/// CRC-16/XMODEM: polynomial 0x1021, initial value 0, nothing reflected, nothing inverted.
#[inline]
fn crc16(bytes: &[u8]) -> u16 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("pclmulqdq") && bytes.len() <= 8 * carryless::FACTORS.len() {
        #[allow(unsafe_code)]
        // SAFETY: the processor has the instruction.
        return unsafe { carryless::crc16(bytes) };
    }
    crc16_by_tables(bytes)
}

/// The CRC of `bytes` eight at a time.
fn crc16_by_tables(bytes: &[u8]) -> u16 {
    let (head, words) = words(bytes);
    words.iter().fold(advance(0, head), |crc, word| advance(crc, u64::from_be_bytes(*word)))
}

/// `bytes` as a head of one to eight bytes and whole words. Leading zero bytes leave an initial CRC of 0 as it is: so
/// the odd bytes come first, padded to a word.
#[inline(always)]
fn words(bytes: &[u8]) -> (u64, &[[u8; 8]]) {
    let Some(first) = bytes.first_chunk::<8>() else { return (short_word(bytes), &[]) };
    let head = (bytes.len() - 1) % 8 + 1;
    (u64::from_be_bytes(*first) >> (64 - 8 * head), bytes[head..].as_chunks().0)
}

/// The CRC by carry-less multiplication, which takes a word in one instruction where the tables take eight reads.
#[cfg(target_arch = "x86_64")]
mod carryless {
    use std::arch::x86_64::{
        __m128i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_unpackhi_epi64, _mm_xor_si128,
    };

    use super::{POLYNOMIAL, words};

    /// `FACTORS[i]` is x to the power of `64 * i` modulo the polynomial: what a word counts that so many words follow.
    pub(super) static FACTORS: [i64; 16] = {
        let mut factors = [1; 16];
        let mut power: u16 = 1;
        let mut i = 1;
        while i < factors.len() {
            let mut bit = 0;
            while bit < 64 {
                power = if power & 0x8000 == 0 { power << 1 } else { power << 1 ^ POLYNOMIAL };
                bit += 1;
            }
            factors[i] = power as i64;
            i += 1;
        }
        factors
    };

    /// x to the power of 80 divided by the polynomial, without its highest bit (Barrett's factor).
    const QUOTIENT: i64 = {
        let mut quotient = 0u64;
        // The polynomial goes into x to the power of 16 once. With each further zero the rest doubles.
        let mut rest = POLYNOMIAL;
        let mut bit = 0;
        while bit < 64 {
            let once = rest & 0x8000 != 0;
            rest = if once { rest << 1 ^ POLYNOMIAL } else { rest << 1 };
            quotient = quotient << 1 | once as u64;
            bit += 1;
        }
        quotient as i64
    };

    /// The CRC of at most as many words as there are factors.
    #[target_feature(enable = "pclmulqdq")]
    pub(super) fn crc16(bytes: &[u8]) -> u16 {
        let (head, words) = words(bytes);
        let factors = &FACTORS[..=words.len()];
        // The products are independent of each other; their sum has 80 bits at most.
        let mut sum = times(_mm_cvtsi64_si128(head as i64), _mm_cvtsi64_si128(factors[words.len()]));
        for (word, factor) in words.iter().zip(factors[..words.len()].iter().rev()) {
            let word = _mm_cvtsi64_si128(i64::from_be_bytes(*word));
            sum = _mm_xor_si128(sum, times(word, _mm_cvtsi64_si128(*factor)));
        }
        remainder(sum)
    }

    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn times(one: __m128i, other: __m128i) -> __m128i {
        _mm_clmulepi64_si128::<0>(one, other)
    }

    /// The CRC of a message that is congruent to `sum`, of 80 bits at most.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    pub(super) fn remainder(sum: __m128i) -> u16 {
        let high = times(_mm_unpackhi_epi64(sum, sum), _mm_cvtsi64_si128(FACTORS[1]));
        let word = _mm_xor_si128(sum, high);
        // How often the polynomial is in the word with 16 zeros behind it, and what is left over.
        let times_quotient = times(word, _mm_cvtsi64_si128(QUOTIENT));
        let often = _mm_xor_si128(_mm_unpackhi_epi64(times_quotient, times_quotient), word);
        _mm_cvtsi128_si64(times(often, _mm_cvtsi64_si128(POLYNOMIAL as i64))) as u16
    }
}

/// A name of up to 64 bytes in one register: no loop, whose end would be another for each name.
#[cfg(target_arch = "x86_64")]
mod whole {
    use std::arch::x86_64::{
        __m512i, _mm_xor_si128, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_xor_si256,
        _mm512_castsi512_si256, _mm512_clmulepi64_epi128, _mm512_cmpeq_epi8_mask, _mm512_extracti64x4_epi64,
        _mm512_maskz_loadu_epi8, _mm512_set_epi64, _mm512_set1_epi8, _mm512_set4_epi32, _mm512_shuffle_epi8,
        _mm512_xor_si512,
    };

    use super::carryless::{FACTORS, remainder};

    const BYTES: usize = 64;

    /// Whether `name` fits, and the processor has what is needed.
    #[inline(always)]
    pub(super) fn can_take(name: &[u8]) -> bool {
        // An empty name would have no byte to be loaded.
        (1..=BYTES).contains(&name.len())
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("vpclmulqdq")
            && std::arch::is_x86_feature_detected!("pclmulqdq")
    }

    /// Whether there is a `{` in `name`, and the CRC of all of it.
    #[target_feature(enable = "avx512bw,vpclmulqdq,pclmulqdq")]
    pub(super) fn scan(name: &[u8]) -> (bool, u16) {
        // Flush right: leading zero bytes leave an initial CRC of 0 as it is.
        let zeros = BYTES - name.len();
        let start = name.as_ptr().wrapping_sub(zeros).cast();
        #[allow(unsafe_code)]
        // SAFETY: what is loaded is the name, nothing of what lies before it.
        let bytes = unsafe { _mm512_maskz_loadu_epi8(u64::MAX << zeros, start) };
        let has_brace = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'{' as i8)) != 0;
        let words = _mm512_shuffle_epi8(bytes, big_endian());
        let [f0, f1, f2, f3, f4, f5, f6, f7, ..] = FACTORS;
        let factors = _mm512_set_epi64(f0, f1, f2, f3, f4, f5, f6, f7);
        let even = _mm512_clmulepi64_epi128::<0x00>(words, factors);
        let odd = _mm512_clmulepi64_epi128::<0x11>(words, factors);
        let sums = _mm512_xor_si512(even, odd);
        let sums = _mm256_xor_si256(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64::<1>(sums));
        let sum = _mm_xor_si128(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
        (has_brace, remainder(sum))
    }

    /// Turns the bytes of each word around.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn big_endian() -> __m512i {
        _mm512_set4_epi32(0x0809_0a0b, 0x0c0d_0e0f, 0x0001_0203, 0x0405_0607)
    }
}

/// The CRC after eight more bytes, given as a big-endian word.
#[inline]
fn advance(crc: u16, word: u64) -> u16 {
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
    let at = |shift: u32| usize::from((word >> shift) as u8);
    let rest = (t5[at(40)] ^ t4[at(32)]) ^ (t3[at(24)] ^ t2[at(16)]) ^ (t1[at(8)] ^ t0[at(0)]);
    // Only the first two bytes wait for the previous word.
    let [first, second] = (crc ^ (word >> 48) as u16).to_be_bytes();
    t7[usize::from(first)] ^ (t6[usize::from(second)] ^ rest)
}

/// At most seven bytes as a big-endian word, from two reads that may overlap.
#[inline]
fn short_word(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let first = u64::from(u32::from_be_bytes(*first));
        first << (8 * (bytes.len() - 4)) | u64::from(u32::from_be_bytes(*last))
    } else {
        bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
    }
}

/// Computes [`TABLES`].
const fn tables() -> [[u16; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut zeros = 0;
        while zeros < 8 {
            let mut bit = 0;
            while bit < 8 {
                let carry = crc & 0x8000 != 0;
                crc <<= 1;
                if carry {
                    crc ^= POLYNOMIAL;
                }
                bit += 1;
            }
            tables[zeros][byte] = crc;
            zeros += 1;
        }
        byte += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// xorshift64*: repeatable bytes without a dependency.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
        }

        fn bytes(&mut self, len: usize) -> Vec<u8> {
            (0..len).map(|_| (self.next() >> 56) as u8).collect()
        }
    }

    /// The definition of the CRC, bit by bit.
    fn crc16_bitwise(bytes: &[u8]) -> u16 {
        let mut crc = 0u16;
        for byte in bytes {
            crc ^= u16::from(*byte) << 8;
            for _ in 0..8 {
                crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ POLYNOMIAL };
            }
        }
        crc
    }

    /// The rule of the hash tag, byte by byte.
    fn hash_tag_bytewise(key: &[u8]) -> Option<&[u8]> {
        let open = key.iter().position(|byte| *byte == b'{')?;
        let inside = &key[open + 1..];
        let close = inside.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &inside[..close])
    }

    #[test]
    fn crc_of_the_check_string() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(crc16_bitwise(b"123456789"), 0x31C3);
    }

    #[test]
    fn crc_equals_its_definition_for_every_length() {
        let mut random = Random(1);
        for len in 0..=200 {
            for _ in 0..50 {
                let bytes = random.bytes(len);
                assert_eq!(crc16(&bytes), crc16_bitwise(&bytes), "{bytes:02x?}");
                assert_eq!(crc16_by_tables(&bytes), crc16_bitwise(&bytes), "{bytes:02x?}");
            }
        }
    }

    #[test]
    fn crc_equals_its_definition_for_single_bits() {
        for len in 1..=40 {
            for bit in 0..8 * len {
                let mut bytes = vec![0; len];
                bytes[bit / 8] = 1 << (bit % 8);
                assert_eq!(crc16(&bytes), crc16_bitwise(&bytes), "{bytes:02x?}");
            }
        }
    }

    #[test]
    fn slots_as_servers_give_them() {
        for (key, slot) in [
            (&b""[..], 0),
            (b"123456789", 12739),
            (b"foo", 12182),
            (b"bar", 5061),
            (b"hello", 866),
            (b"a", 15495),
            (b"{a}{b}", 15495),
            (b"{user1000}.following", 3443),
            (b"{user1000}.followers", 3443),
            (b"user1000", 3443),
            (b"foo{bar", 15278),
            (b"\x00\xFF\x80", 4727),
            (b"foo{}{bar}", 8363),
            (b"foo{{bar}}zap", 4015),
            (b"foo{bar}{zap}", 5061),
            (b"{}", 15257),
            (b"{}foo", 9500),
            (b"{", 4092),
            (b"}{", 12793),
            (b"foo}bar{baz}", 4813),
        ] {
            assert_eq!(slot_of(key), slot, "{}", key.escape_ascii());
        }
    }

    #[test]
    fn the_first_brace_decides_the_tag() {
        for (key, tag) in [
            (&b""[..], None),
            (b"plain", None),
            (b"{", None),
            (b"}", None),
            (b"}{", None),
            (b"{}", None),
            (b"{}{x}", None),
            (b"foo{}{bar}", None),
            (b"foo{bar", None),
            (b"bar}foo", None),
            (b"{a}", Some(&b"a"[..])),
            (b"{a}{b}", Some(b"a")),
            (b"{user1000}.following", Some(b"user1000")),
            (b"foo{{bar}}zap", Some(b"{bar")),
            (b"foo{bar}{zap}", Some(b"bar")),
            (b"foo}bar{baz}", Some(b"baz")),
            (b"a-rather-long-prefix:{tag}", Some(b"tag")),
            (b"x{\x00}", Some(b"\x00")),
        ] {
            assert_eq!(hash_tag(key), tag, "{}", key.escape_ascii());
        }
    }

    #[test]
    fn random_keys_hash_like_the_plain_rule() {
        let mut random = Random(3);
        for len in 0..=100 {
            for _ in 0..100 {
                let mut key = random.bytes(len);
                for byte in &mut key {
                    if *byte < 8 {
                        *byte = b'{';
                    } else if *byte < 16 {
                        *byte = b'}';
                    }
                }
                let tag = hash_tag_bytewise(&key);
                assert_eq!(hash_tag(&key), tag, "{}", key.escape_ascii());
                let slot = crc16_bitwise(tag.unwrap_or(&key)) & 0x3FFF;
                assert_eq!(slot_of(&key), slot, "{}", key.escape_ascii());
            }
        }
    }
}
