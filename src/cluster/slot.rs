//! The hash slot of a key, as Redis Cluster computes it.
//!
//! A slot is CRC-16/XMODEM of the key, modulo 16384. If the key has a hash tag, only that is
//! hashed: what stands between the first `{` and the first `}` after it, unless it is empty.
//!
//! This runs once for every key of a dump, so both halves work on eight bytes at a time.

/// Number of hash slots of a cluster: slots are 0 to 16383.
pub const SLOTS: u16 = 16384;

/// The generator polynomial of CRC-16/XMODEM: x^16 + x^12 + x^5 + 1.
const POLYNOMIAL: u16 = 0x1021;

/// `TABLES[k][b]` is the CRC of byte `b` followed by `k` zero bytes.
static TABLES: [[u16; 256]; 8] = tables();

/// The slot of `key`, from 0 to 16383.
pub fn slot_of(key: &[u8]) -> u16 {
    let crc = match crc16_before(b'{', key) {
        Some(crc) => crc,
        None => crc16(hash_tag(key).unwrap_or(key)),
    };
    crc % SLOTS
}

/// The part of `key` that alone decides its slot, or `None` if the whole key does.
///
/// Only the first `{` counts: `{}{x}` has no tag, because the braces that open first hold nothing.
/// An inner `{` belongs to the tag: that of `foo{{bar}}zap` is `{bar`.
pub fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = find(b'{', key)?;
    let (_, inside) = key.split_at_checked(open + 1)?;
    let close = find(b'}', inside)?;
    inside.get(..close).filter(|tag| !tag.is_empty())
}

/// CRC-16/XMODEM: polynomial 0x1021, initial value 0, nothing reflected, nothing inverted.
fn crc16(bytes: &[u8]) -> u16 {
    fold_words(bytes, |_| true).unwrap_or_default()
}

/// [`crc16`] of `bytes`, or `None` as soon as `stop` is among them.
///
/// Most keys have no hash tag, and looking for one costs little while the tables are being read.
fn crc16_before(stop: u8, bytes: &[u8]) -> Option<u16> {
    // The padding of the head is zero: it must not look like the byte searched for.
    debug_assert_ne!(stop, 0);
    let pattern = u64::from_le_bytes([stop; 8]);
    fold_words(bytes, |word| zero_bytes(word ^ pattern) == 0)
}

/// The CRC of `bytes` eight at a time, as long as `proceed` agrees with each big-endian word.
///
/// Leading zero bytes leave an initial CRC of 0 as it is. So the odd bytes come first, padded to
/// a word; the rest is a whole number of words.
#[inline]
fn fold_words(bytes: &[u8], proceed: impl Fn(u64) -> bool) -> Option<u16> {
    let Some(first) = bytes.first_chunk::<8>() else {
        let word = short_word(bytes);
        return proceed(word).then(|| advance(0, word));
    };
    let head = (bytes.len() - 1) % 8 + 1;
    let word = u64::from_be_bytes(*first) >> (64 - 8 * head);
    if !proceed(word) {
        return None;
    }
    let mut crc = advance(0, word);
    for word in bytes.get(head..)?.as_chunks::<8>().0 {
        let word = u64::from_be_bytes(*word);
        if !proceed(word) {
            return None;
        }
        crc = advance(crc, word);
    }
    Some(crc)
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

/// Where `needle` first occurs in `bytes`.
#[inline]
fn find(needle: u8, bytes: &[u8]) -> Option<usize> {
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().position(|byte| *byte == needle);
    };
    let pattern = u64::from_le_bytes([needle; 8]);
    for (index, word) in bytes.as_chunks::<8>().0.iter().enumerate() {
        if let Some(at) = first_zero_byte(u64::from_le_bytes(*word) ^ pattern) {
            return Some(8 * index + at);
        }
    }
    // What remains is shorter than a word: read the last eight bytes, some of them again.
    first_zero_byte(u64::from_le_bytes(*last) ^ pattern).map(|at| bytes.len() - 8 + at)
}

/// The index of the lowest byte of `word` that is zero.
#[inline]
fn first_zero_byte(word: u64) -> Option<usize> {
    let zeros = zero_bytes(word);
    (zeros != 0).then(|| zeros.trailing_zeros() as usize / 8)
}

/// Not zero if a byte of `word` is zero; the lowest bit set then lies in the lowest such byte.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    // A borrow can mark bytes above a zero byte by mistake, never below the lowest one.
    word.wrapping_sub(ONES) & !word & HIGH
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
        for len in 0..=100 {
            for _ in 0..50 {
                let bytes = random.bytes(len);
                assert_eq!(crc16(&bytes), crc16_bitwise(&bytes), "{bytes:02x?}");
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
    fn find_equals_a_byte_loop() {
        let mut random = Random(2);
        for len in 0..=100 {
            for _ in 0..50 {
                // Neighbours of the needle, so that borrows between bytes happen.
                let mut bytes = random.bytes(len);
                for byte in &mut bytes {
                    *byte = [0x00, 0x7A, 0x7B, 0x7C, 0xFB, 0xFF, b'a', b'b'][usize::from(*byte % 8)];
                }
                for needle in [0x00, 0x7B, 0xFF] {
                    let expected = bytes.iter().position(|byte| *byte == needle);
                    assert_eq!(find(needle, &bytes), expected, "{bytes:02x?}");
                }
            }
        }
    }

    #[test]
    fn find_sees_every_position() {
        for len in 1..=40 {
            for at in 0..len {
                let mut bytes = vec![b'x'; len];
                bytes[at] = b'{';
                assert_eq!(find(b'{', &bytes), Some(at));
                bytes[len - 1] = b'{';
                assert_eq!(find(b'{', &bytes), Some(at));
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
