//! Listpacks: total bytes (u32), count (u16), entries with their length behind them, 0xff.

use super::packed::Entries;
use super::{Blob, PackedFormat};
use crate::rdb::fault::{FaultKind, Parse};
use crate::rdb::string::RdbStr;

const WHAT: &str = PackedFormat::Listpack.name();
/// Bytes before the first entry.
pub const HEADER_BYTES: usize = 6;
/// A count that only walking can tell.
const UNKNOWN_COUNT: u16 = u16::MAX;
/// A byte that says what the entry is, and the length behind it.
const MIN_ENTRY_BYTES: u64 = 2;

/// Number of entries by the header at the start of a listpack of `len` bytes; absent if it cannot be true or does not say.
pub(super) fn claimed_entries(start: &[u8], len: u64) -> Option<u64> {
    let &[a, b, c, d, e, f] = start.first_chunk()?;
    let count = u16::from_le_bytes([e, f]);
    let fits = u64::from(u32::from_le_bytes([a, b, c, d])) == len
        && (HEADER_BYTES + 1) as u64 + MIN_ENTRY_BYTES * u64::from(count) <= len;
    (fits && count != UNKNOWN_COUNT).then_some(u64::from(count))
}

/// Length of the string that is alone in a listpack of `len` bytes; absent if it may be an integer.
pub(super) fn string_alone(len: u64) -> Option<u64> {
    /// A byte that says which, eight of the integer, and the length behind.
    const LONGEST_INT_BYTES: u64 = 10;
    let entry = len.checked_sub((HEADER_BYTES + 1) as u64).filter(|entry| *entry > LONGEST_INT_BYTES)?;
    let shapes = [1, 2, 5].into_iter().flat_map(|head| (1..=5).map(move |backlen| head + backlen));
    shapes.filter_map(|around| entry.checked_sub(around)).find(|string| entry_bytes(*string, None) == entry)
}

/// Gives every entry to `each`; returns how many there were.
///
/// # Errors
/// If the header, an entry or the end is not as the format has it.
#[inline]
pub(super) fn walk<E: Entries>(blob: Blob<'_>, mut each: E) -> Parse<u64> {
    let bytes = blob.bytes;
    if bytes.len() < HEADER_BYTES + 1 {
        return Err(blob.fault(0, FaultKind::BlobHeader { what: WHAT, claimed: 7, actual: bytes.len() as u64 }));
    }
    let claimed = u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    if claimed != bytes.len() as u64 {
        return Err(blob.fault(0, FaultKind::BlobHeader { what: WHAT, claimed, actual: bytes.len() as u64 }));
    }
    let count = u16::from_le_bytes([bytes[4], bytes[5]]);
    let mut pos = HEADER_BYTES;
    let mut entries = 0;
    loop {
        let Some(&first) = bytes.get(pos) else {
            return Err(blob.fault(pos, FaultKind::BlobEnd { what: WHAT }));
        };
        if first == 0xff {
            break;
        }
        let rest = &bytes[pos..];
        let broken = || blob.fault(pos, FaultKind::BlobEntry { what: WHAT, byte: first });
        // Strings and integers by ways of their own, so that neither is put together from what it might have been.
        let size = match string_head(rest, first).ok_or_else(broken)? {
            Some((head, len)) => {
                let end = head.checked_add(len).ok_or_else(broken)?;
                each.entry(RdbStr::Raw(rest.get(head..end).ok_or_else(broken)?))?;
                end
            }
            None => {
                let (int, size) = int(rest, first).ok_or_else(broken)?;
                each.entry(RdbStr::Int(int))?;
                size
            }
        };
        entries += 1;
        let backlen = backlen_bytes(size);
        if E::CHECKS && !is_backlen(rest.get(size..size + backlen), size) {
            return Err(blob.fault(pos, FaultKind::BlobBacklen { what: WHAT }));
        }
        pos += size + backlen;
    }
    if pos + 1 != bytes.len() {
        return Err(blob.fault(pos, FaultKind::BlobEnd { what: WHAT }));
    }
    if count != UNKNOWN_COUNT && u64::from(count) != entries {
        return Err(blob.fault(4, FaultKind::BlobCount { what: WHAT, claimed: u64::from(count), actual: entries }));
    }
    Ok(entries)
}

/// Gives every entry of a listpack to `each`.
///
/// # Errors
/// If it is none, once the entries before the fault were given.
pub fn each_entry(bytes: &[u8], mut each: impl FnMut(RdbStr<'_>)) -> Parse<()> {
    let entry = |entry: RdbStr<'_>| -> Parse<()> {
        each(entry);
        Ok(())
    };
    walk(Blob { bytes, at: 0 }, entry).map(|_| ())
}

/// Bytes before a string, and of the string itself, if the entry that begins with `first` at the start of `at` is one.
#[inline(always)]
fn string_head(at: &[u8], first: u8) -> Option<Option<(usize, usize)>> {
    Some(match first {
        0x80..=0xbf => Some((1, usize::from(first & 0x3f))),
        0xe0..=0xef => Some((2, usize::from(first & 0x0f) << 8 | usize::from(*at.get(1)?))),
        0xf0 => Some((5, u32::from_le_bytes(*at.get(1..)?.first_chunk()?) as usize)),
        _ => None,
    })
}

/// The integer that begins with `first` at the start of `at`, and its size without the length behind it.
#[inline(always)]
fn int(at: &[u8], first: u8) -> Option<(i64, usize)> {
    match first {
        0x00..=0x7f => Some((i64::from(first), 1)),
        0xc0..=0xdf => {
            let raw = i16::from(first & 0x1f) << 8 | i16::from(*at.get(1)?);
            Some((i64::from(raw << 3 >> 3), 2)) // sign of 13 bits
        }
        0xf1 => Some((i64::from(i16::from_le_bytes(*at.get(1..)?.first_chunk()?)), 3)),
        0xf2 => {
            let &[a, b, c] = at.get(1..)?.first_chunk()?;
            Some((i64::from(i32::from_le_bytes([0, a, b, c]) >> 8), 4))
        }
        0xf3 => Some((i64::from(i32::from_le_bytes(*at.get(1..)?.first_chunk()?)), 5)),
        0xf4 => Some((i64::from_le_bytes(*at.get(1..)?.first_chunk()?), 9)),
        _ => None,
    }
}

/// Whether `bytes`, which stand behind an entry of `size` bytes, say so: seven bits in each, the highest first, the eighth bit
/// in all but that one.
fn is_backlen(bytes: Option<&[u8]>, size: usize) -> bool {
    bytes.is_some_and(|bytes| {
        let groups = bytes.iter().rev().enumerate();
        groups.fold(0, |sum, (at, byte)| sum | usize::from(byte & 0x7f) << (7 * at)) == size
            && bytes.iter().enumerate().all(|(at, byte)| (byte & 0x80 != 0) == (at > 0))
    })
}

/// Bytes that the length behind an entry of `size` bytes takes.
#[inline]
pub fn backlen_bytes(size: usize) -> usize {
    match size {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// Bytes that an entry takes in a listpack, all told; integers are packed as such.
#[inline]
pub fn entry_bytes(len: u64, int: Option<i64>) -> u64 {
    let size = match int {
        Some(n) => int_bytes(n),
        None => {
            len + match len {
                0..64 => 1,
                64..4096 => 2,
                _ => 5,
            }
        }
    };
    size + backlen_bytes(size as usize) as u64
}

#[inline]
fn int_bytes(n: i64) -> u64 {
    match n {
        0..=127 => 1,
        -4096..=4095 => 2,
        -32_768..=32_767 => 3,
        -8_388_608..=8_388_607 => 4,
        -2_147_483_648..=2_147_483_647 => 5,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(bytes: &[u8]) -> Parse<Vec<String>> {
        let mut all = Vec::new();
        walk(Blob { bytes, at: 100 }, |entry: RdbStr<'_>| {
            all.push(String::from_utf8_lossy(entry.bytes(&mut Vec::new(), 1 << 20)?).into_owned());
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn walks_a_real_one() {
        // ["a", "5", "1000"]: total 15, count 3, a string of 1, 7-bit 5, 13-bit 1000, end.
        let bytes = b"\x0f\x00\x00\x00\x03\x00\x81a\x02\x05\x01\xc3\xe8\x02\xff";
        assert_eq!(entries(bytes).unwrap(), ["a", "5", "1000"]);
    }

    #[test]
    fn knows_each_integer_form_and_its_size() {
        for n in [
            0,
            127,
            128,
            -1,
            4095,
            -4096,
            4096,
            -4097,
            32_767,
            -32_768,
            32_768,
            8_388_607,
            -8_388_608,
            8_388_608,
            2_147_483_647,
            -2_147_483_648,
            2_147_483_648,
            i64::MAX,
            i64::MIN,
        ] {
            let mut entry = match n {
                0..=127 => vec![n as u8],
                -4096..=4095 => vec![0xc0 | ((n >> 8) & 0x1f) as u8, n as u8],
                -32_768..=32_767 => [&[0xf1], &n.to_le_bytes()[..2]].concat(),
                -8_388_608..=8_388_607 => [&[0xf2], &n.to_le_bytes()[..3]].concat(),
                -2_147_483_648..=2_147_483_647 => [&[0xf3], &n.to_le_bytes()[..4]].concat(),
                _ => [&[0xf4], &n.to_le_bytes()[..]].concat(),
            };
            entry.push(entry.len() as u8);
            assert_eq!(entry_bytes(0, Some(n)), entry.len() as u64, "{n}");
            let mut bytes = (7 + entry.len() as u32).to_le_bytes().to_vec();
            bytes.extend([1, 0]);
            bytes.extend(entry);
            bytes.push(0xff);
            assert_eq!(entries(&bytes).unwrap(), [n.to_string()]);
        }
    }

    #[test]
    fn the_length_of_a_string_alone_follows_from_the_listpacks() {
        for string in (9..70_000).chain(2_097_100..2_097_200) {
            let len = HEADER_BYTES as u64 + entry_bytes(string, None) + 1;
            assert_eq!(string_alone(len), Some(string));
        }
        let longest_int = HEADER_BYTES as u64 + entry_bytes(0, Some(i64::MAX)) + 1;
        assert_eq!(string_alone(longest_int), None);
        // No entry is as long: the next string has a longer head.
        let gap = HEADER_BYTES as u64 + entry_bytes(63, None) + 2;
        assert_eq!((string_alone(gap - 1), string_alone(gap), string_alone(gap + 1)), (Some(63), None, Some(64)));
        assert_eq!((string_alone(0), string_alone(7)), (None, None));
    }

    #[test]
    fn a_header_that_cannot_be_true_claims_nothing() {
        let sound = *b"\x0f\x00\x00\x00\x03\x00\x81a\x02\x05\x01\xc3\xe8\x02\xff";
        assert_eq!(claimed_entries(&sound, 15), Some(3));
        assert_eq!(claimed_entries(&sound[..6], 15), Some(3), "the header is enough");
        assert_eq!(claimed_entries(&sound[..5], 15), None);
        assert_eq!(claimed_entries(&sound, 16), None, "another length");
        for (count, claimed) in [(4, Some(4)), (5, None), (u16::MAX, None)] {
            let mut bytes = sound;
            bytes[4..6].copy_from_slice(&u16::to_le_bytes(count));
            assert_eq!(claimed_entries(&bytes, 15), claimed, "{count} entries in 8 bytes");
        }
    }

    #[test]
    fn refuses_what_is_broken() {
        let kind = |bytes: &[u8]| entries(bytes).unwrap_err().kind;
        assert_eq!(kind(b"\x06\0\0\0\0\0"), FaultKind::BlobHeader { what: "listpack", claimed: 7, actual: 6 });
        assert_eq!(kind(b"\x08\0\0\0\0\0\xff"), FaultKind::BlobHeader { what: "listpack", claimed: 8, actual: 7 });
        assert_eq!(kind(b"\x07\0\0\0\x01\0\xff"), FaultKind::BlobCount { what: "listpack", claimed: 1, actual: 0 });
        assert_eq!(kind(b"\x08\0\0\0\0\0\xff\xff"), FaultKind::BlobEnd { what: "listpack" });
        assert_eq!(kind(b"\x08\0\0\0\x01\0\xf5\xff"), FaultKind::BlobEntry { what: "listpack", byte: 0xf5 });
        assert_eq!(kind(b"\x08\0\0\0\x01\0\xbf\xff"), FaultKind::BlobEntry { what: "listpack", byte: 0xbf });
        assert_eq!(kind(b"\x08\0\0\0\x01\0\x05\x01"), FaultKind::BlobEnd { what: "listpack" });
    }
}
