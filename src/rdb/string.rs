//! The stored forms of a string.

use super::fault::{Fault, FaultKind, Parse};
use super::lzf;

/// A string as the file holds it, borrowed and not yet unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RdbStr<'a> {
    /// The bytes themselves.
    Raw(&'a [u8]),
    /// An integer; the string is its decimal text.
    Int(i64),
    /// LZF-compressed: unpacks to exactly `len` bytes.
    Lzf {
        /// Compressed bytes.
        packed: &'a [u8],
        /// Length of the string, in bytes (a claim until unpacked).
        len: u64,
        /// Offset of `packed` in the RDB stream.
        at: u64,
    },
    /// A long string of a stream whose bytes were passed over; only its length is known.
    Unread {
        /// Length of the string, in bytes.
        len: u64,
    },
}

impl<'a> RdbStr<'a> {
    /// Length of the string itself, in bytes: what STRLEN says.
    #[inline]
    pub fn len(&self) -> u64 {
        match *self {
            RdbStr::Raw(bytes) => bytes.len() as u64,
            RdbStr::Int(n) => decimal_len(n),
            RdbStr::Lzf { len, .. } | RdbStr::Unread { len } => len,
        }
    }

    /// Whether the string has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The integer whose canonical decimal text the string is, if it is one: no sign but `-`, no leading zeros.
    ///
    /// The servers store such strings as integers.
    #[inline]
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            RdbStr::Raw(bytes) => canonical_int(bytes),
            RdbStr::Int(n) => Some(n),
            RdbStr::Lzf { packed, len, .. } if len <= MAX_INT_LEN as u64 => unpacked_int(packed, len as usize),
            RdbStr::Lzf { .. } | RdbStr::Unread { .. } => None,
        }
    }

    /// Checks a compressed string without unpacking it; every other is as it should be.
    ///
    /// # Errors
    /// If the compressed form is broken.
    pub fn verify(&self) -> Parse<()> {
        match *self {
            RdbStr::Lzf { packed, len, at } => lzf::verify(packed, len)
                .map_err(|inside| Fault { at, kind: FaultKind::LzfBroken { inside: inside as u64 } }),
            _ => Ok(()),
        }
    }

    /// The bytes of the string, unpacked into `scratch` if the file does not hold them as they are.
    ///
    /// # Errors
    /// If the compressed form is broken, or claims more than LZF can pack or than `limit` bytes.
    /// A passed-over string gives `TooLarge`.
    pub fn bytes<'s>(&self, scratch: &'s mut Vec<u8>, limit: u64) -> Parse<&'s [u8]>
    where
        'a: 's,
    {
        match *self {
            RdbStr::Raw(bytes) => Ok(bytes),
            RdbStr::Int(n) => {
                scratch.clear();
                scratch.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
                Ok(scratch)
            }
            RdbStr::Lzf { packed, len, at } => {
                if len > limit {
                    return Err(Fault { at, kind: FaultKind::TooLarge { bytes: len, limit } });
                }
                lzf::check_claim(packed.len() as u64, len).map_err(|kind| Fault { at, kind })?;
                let len = len as usize;
                if scratch.len() < len + lzf::ROOM_BYTES {
                    scratch.resize(len + lzf::ROOM_BYTES, 0);
                }
                lzf::inflate(packed, scratch, len)
                    .map_err(|inside| Fault { at, kind: FaultKind::LzfBroken { inside: inside as u64 } })?;
                Ok(&scratch[..len])
            }
            RdbStr::Unread { len } => Err(Fault { at: 0, kind: FaultKind::TooLarge { bytes: len, limit } }),
        }
    }
}

/// Longest decimal text of an `i64`.
pub const MAX_INT_LEN: usize = 20;

/// The powers of ten that fit.
pub(crate) static POWERS_OF_TEN: [u64; MAX_INT_LEN] = {
    let mut powers = [1; MAX_INT_LEN];
    let mut at = 1;
    while at < MAX_INT_LEN {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// Length of the decimal text of `n`, sign included.
#[inline]
pub fn decimal_len(n: i64) -> u64 {
    let magnitude = n.unsigned_abs() | 1; // 0 has a digit, too
    // The binary logarithm times log10(2), then at most one too few.
    let digits = ((magnitude.ilog2() as usize + 1) * 1233) >> 12;
    (digits + usize::from(magnitude >= POWERS_OF_TEN[digits])) as u64 + u64::from(n < 0)
}

/// The integer that a compressed string of `len` bytes is.
#[cold]
fn unpacked_int(packed: &[u8], len: usize) -> Option<i64> {
    let mut text = [0; MAX_INT_LEN];
    let text = text.get_mut(..len)?;
    lzf::inflate(packed, text, len).ok()?;
    canonical_int(text)
}

/// Parses what the servers' `string2ll` would: the one text that printing the integer gives.
#[inline(always)]
pub fn canonical_int(text: &[u8]) -> Option<i64> {
    // Nearly every string is refused here, before any arithmetic.
    match text.first() {
        Some(b'0'..=b'9' | b'-') if text.len() <= MAX_INT_LEN => parsed_int(text),
        _ => None,
    }
}

#[inline(never)]
fn parsed_int(text: &[u8]) -> Option<i64> {
    let (&first, rest) = text.split_first()?;
    if first == b'0' {
        return rest.is_empty().then_some(0);
    }
    let (negative, digits) = if first == b'-' { (true, rest) } else { (false, text) };
    if digits.is_empty() || digits[0] == b'0' {
        return None;
    }
    let mut value: u64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_canonical_integers() {
        let powers = (0..19).map(|power| 10i64.pow(power)).flat_map(|n| [n - 1, n, n + 1, -n, 1 - n]);
        for n in powers.chain([42, i64::MAX, i64::MIN, 8, 9, 1 << 62, (1 << 62) - 1]) {
            assert_eq!(canonical_int(n.to_string().as_bytes()), Some(n));
            assert_eq!(decimal_len(n), n.to_string().len() as u64, "{n}");
        }
        for text in ["", "-", "-0", "00", "01", "+1", " 1", "1 ", "1a", "9223372036854775808", "-9223372036854775809"] {
            assert_eq!(canonical_int(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn unpacks_every_form() {
        // From a real dump: 21 times `a`.
        let packed = [0x01, 0x61, 0x61, 0xe0, 0x0a, 0x00];
        let mut scratch = Vec::new();
        let lzf = RdbStr::Lzf { packed: &packed, len: 21, at: 0 };
        assert_eq!(lzf.bytes(&mut scratch, 1 << 20).unwrap(), [b'a'; 21]);
        assert_eq!(RdbStr::Int(-10).bytes(&mut scratch, 1 << 20).unwrap(), b"-10");
        assert_eq!(RdbStr::Raw(b"x").bytes(&mut scratch, 1 << 20).unwrap(), b"x");
    }

    #[test]
    fn refuses_claims_that_lzf_cannot_keep() {
        let mut scratch = Vec::new();
        let bomb = RdbStr::Lzf { packed: &[0x01, 0x61], len: 1 << 40, at: 7 };
        assert_eq!(
            bomb.bytes(&mut scratch, u64::MAX).unwrap_err().kind,
            FaultKind::LzfClaim { packed: 2, unpacked: 1 << 40 }
        );
        assert!(matches!(bomb.bytes(&mut scratch, 1000).unwrap_err().kind, FaultKind::TooLarge { .. }));
        assert_eq!(scratch.capacity(), 0, "nothing is allocated on a claim");
    }
}
