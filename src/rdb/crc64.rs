//! The checksum of a dump: CRC-64 with the Jones polynomial, reflected, initial value 0.
//!
//! The sums over bytes are the `crc-fast` crate's. Putting together the sums of two parts is done here, since each span
//! of a dump needs it and the crate's way takes a hundred times as long.

use crc_fast::CrcAlgorithm;

const ALGORITHM: CrcAlgorithm = CrcAlgorithm::Crc64Redis;
/// The polynomial 0xad93d23594c935a9 with its bits in reverse, as a reflected sum has them.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;
/// The polynomial 1 in that order of bits.
const ONE: u64 = 1 << 63;
/// By `k`: what a sum is multiplied with when 2^k bytes follow.
static SHIFTS: [u64; 64] = shifts();

/// The sum over `bytes`.
pub fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::checksum(ALGORITHM, bytes)
}

/// A sum over bytes that come piece by piece.
pub fn digest() -> crc_fast::Digest {
    crc_fast::Digest::new(ALGORITHM)
}

/// The sum over two parts, from the sums over each and the length of the second in bytes.
pub fn combine(first: u64, second: u64, mut second_bytes: u64) -> u64 {
    let mut shifted = first;
    while second_bytes > 0 {
        let k = second_bytes.trailing_zeros() as usize;
        shifted = multiply(shifted, SHIFTS[k]);
        second_bytes &= second_bytes - 1;
    }
    shifted ^ second
}

/// The product of two polynomials modulo the one of the checksum.
const fn multiply(a: u64, mut b: u64) -> u64 {
    let mut product = 0;
    let mut bit = ONE;
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        // Times x: the highest power, which is the lowest bit, leaves the polynomial behind.
        b = if b & 1 == 1 { (b >> 1) ^ POLYNOMIAL } else { b >> 1 };
        bit >>= 1;
    }
    product
}

const fn shifts() -> [u64; 64] {
    let mut table = [0; 64];
    let mut power = ONE >> 8; // x^8: one byte
    let mut k = 0;
    while k < 64 {
        table[k] = power;
        power = multiply(power, power);
        k += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_sum_that_servers_write() {
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        // Two empty dumps, as servers end them.
        assert_eq!(checksum(b"REDIS0011\xff").to_le_bytes(), *b"\xc0\x22\x8a\x8d\x74\x38\x97\x62");
        assert_eq!(checksum(b"REDIS0006\xff").to_le_bytes(), *b"\xdc\xb3\x43\xf0\x5a\xdc\xf2\x56");
    }

    #[test]
    fn agrees_with_the_crc64_crate_and_with_itself_in_parts() {
        let data: Vec<u8> = (0..5000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let whole = crc64::crc64(0, &data);
        assert_eq!(checksum(&data), whole);
        for cut in [0, 1, 7, 8, 4096, 4999, 5000] {
            let (first, second) = data.split_at(cut);
            assert_eq!(combine(checksum(first), checksum(second), second.len() as u64), whole, "cut at {cut}");
        }
    }
}
