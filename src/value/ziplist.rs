//! Ziplists: total bytes (u32), offset of the last entry (u32), count (u16), entries with the previous one's size
//! before them, 0xff.

use super::packed::Entries;
use super::{Blob, PackedFormat};
use crate::rdb::fault::{FaultKind, Parse};
use crate::rdb::string::RdbStr;

const WHAT: &str = PackedFormat::Ziplist.name();
/// Bytes before the first entry.
pub const HEADER_BYTES: usize = 10;
/// A count that only walking can tell.
const UNKNOWN_COUNT: u16 = u16::MAX;
/// The length of the entry before, and a byte that says what this one is.
const MIN_ENTRY_BYTES: u64 = 2;

/// Number of entries by the header at the start of a ziplist of `len` bytes; absent if it cannot be true or does not say.
pub(super) fn claimed_entries(start: &[u8], len: u64) -> Option<u64> {
    let &[a, b, c, d, t, u, v, w, e, f] = start.first_chunk()?;
    let count = u16::from_le_bytes([e, f]);
    let fits = u64::from(u32::from_le_bytes([a, b, c, d])) == len
        && u64::from(u32::from_le_bytes([t, u, v, w])) < len
        && (HEADER_BYTES + 1) as u64 + MIN_ENTRY_BYTES * u64::from(count) <= len;
    (fits && count != UNKNOWN_COUNT).then_some(u64::from(count))
}

/// Gives every entry to `each`; returns how many there were.
///
/// # Errors
/// If the header, an entry or the end is not as the format has it.
#[inline]
pub(super) fn walk(blob: Blob<'_>, mut each: impl Entries) -> Parse<u64> {
    let bytes = blob.bytes;
    if bytes.len() < HEADER_BYTES + 1 {
        return Err(blob.fault(0, FaultKind::BlobHeader { what: WHAT, claimed: 11, actual: bytes.len() as u64 }));
    }
    let claimed = u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    if claimed != bytes.len() as u64 {
        return Err(blob.fault(0, FaultKind::BlobHeader { what: WHAT, claimed, actual: bytes.len() as u64 }));
    }
    let tail = u64::from(u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]));
    let count = u16::from_le_bytes([bytes[8], bytes[9]]);
    let mut pos = HEADER_BYTES;
    let mut entries = 0;
    let mut previous = 0;
    loop {
        let Some(&first) = bytes.get(pos) else {
            return Err(blob.fault(pos, FaultKind::BlobEnd { what: WHAT }));
        };
        if first == 0xff {
            break;
        }
        let rest = &bytes[pos..];
        let broken = || blob.fault(pos, FaultKind::BlobEntry { what: WHAT, byte: first });
        let head = previous_head(rest, first, previous).ok_or_else(broken)?;
        let entry = &rest[head..];
        let &encoding = entry.first().ok_or_else(broken)?;
        // Strings and integers by ways of their own, so that neither is put together from what it might have been.
        let size = match string_head(entry, encoding).ok_or_else(broken)? {
            Some((head, len)) => {
                let end = head.checked_add(len).ok_or_else(broken)?;
                each.entry(RdbStr::Raw(entry.get(head..end).ok_or_else(broken)?))?;
                end
            }
            None => {
                let (int, size) = int(entry, encoding).ok_or_else(broken)?;
                each.entry(RdbStr::Int(int))?;
                size
            }
        };
        entries += 1;
        previous = head + size;
        pos += previous;
    }
    if pos + 1 != bytes.len() {
        return Err(blob.fault(pos, FaultKind::BlobEnd { what: WHAT }));
    }
    // The last entry, or where one would begin.
    let last = (pos - previous) as u64;
    if tail != last && (entries > 0 || tail > pos as u64) {
        return Err(blob.fault(4, FaultKind::BlobTail { what: WHAT, claimed: tail, actual: last }));
    }
    if count != UNKNOWN_COUNT && u64::from(count) != entries {
        return Err(blob.fault(8, FaultKind::BlobCount { what: WHAT, claimed: u64::from(count), actual: entries }));
    }
    Ok(entries)
}

/// Bytes of what stands before an entry: the size of the one before, which must be `previous`.
#[inline(always)]
fn previous_head(at: &[u8], first: u8, previous: usize) -> Option<usize> {
    let (claimed, head) = match first {
        0xfe => (u32::from_le_bytes(*at.get(1..)?.first_chunk()?) as usize, 5),
        short => (usize::from(short), 1),
    };
    (claimed == previous).then_some(head)
}

/// Bytes before a string, and of the string itself, if the entry with this encoding at the start of `at` is one.
#[inline(always)]
fn string_head(at: &[u8], encoding: u8) -> Option<Option<(usize, usize)>> {
    Some(match encoding {
        0x00..=0x3f => Some((1, usize::from(encoding))),
        0x40..=0x7f => Some((2, usize::from(encoding & 0x3f) << 8 | usize::from(*at.get(1)?))),
        0x80..=0xbf => Some((5, u32::from_be_bytes(*at.get(1..)?.first_chunk()?) as usize)),
        _ => None,
    })
}

/// The integer with this encoding at the start of `at`, and its size.
#[inline(always)]
fn int(at: &[u8], encoding: u8) -> Option<(i64, usize)> {
    match encoding {
        0xc0 => Some((i64::from(i16::from_le_bytes(*at.get(1..)?.first_chunk()?)), 3)),
        0xd0 => Some((i64::from(i32::from_le_bytes(*at.get(1..)?.first_chunk()?)), 5)),
        0xe0 => Some((i64::from_le_bytes(*at.get(1..)?.first_chunk()?), 9)),
        0xf0 => {
            let &[a, b, c] = at.get(1..)?.first_chunk()?;
            Some((i64::from(i32::from_le_bytes([0, a, b, c]) >> 8), 4))
        }
        0xfe => Some((i64::from(i8::from_le_bytes(*at.get(1..)?.first_chunk()?)), 2)),
        0xf1..=0xfd => Some((i64::from(encoding & 15) - 1, 1)),
        _ => None,
    }
}

/// Bytes in which an entry has the length of the one before it.
#[inline]
pub fn previous_bytes(previous: u64) -> u64 {
    if previous < 254 { 1 } else { 5 }
}

/// Bytes that an entry takes in a ziplist, where the entry before takes `previous`; integers are packed as such.
#[inline]
pub fn entry_bytes(len: u64, int: Option<i64>, previous: u64) -> u64 {
    previous_bytes(previous)
        + match int {
            Some(0..=12) => 1,
            Some(-128..=127) => 2,
            Some(-32_768..=32_767) => 3,
            Some(-8_388_608..=8_388_607) => 4,
            Some(-2_147_483_648..=2_147_483_647) => 5,
            Some(_) => 9,
            None => {
                len + match len {
                    0..64 => 1,
                    64..16_384 => 2,
                    _ => 5,
                }
            }
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
        // ["a", "5", "1000"] by Redis 6.2: total 20, last entry at 15, count 3.
        let bytes = b"\x14\0\0\0\x0f\0\0\0\x03\0\x00\x01a\x03\xf6\x02\xc0\xe8\x03\xff";
        assert_eq!(entries(bytes).unwrap(), ["a", "5", "1000"]);
        let sizes = entry_bytes(1, None, 0) + entry_bytes(1, Some(5), 3) + entry_bytes(4, Some(1000), 2);
        assert_eq!(HEADER_BYTES as u64 + sizes + 1, bytes.len() as u64);
    }

    #[test]
    fn refuses_what_is_broken() {
        let kind = |bytes: &[u8]| entries(bytes).unwrap_err().kind;
        let broken = |byte| FaultKind::BlobEntry { what: "ziplist", byte };
        assert_eq!(kind(b"\x0b\0"), FaultKind::BlobHeader { what: "ziplist", claimed: 11, actual: 2 });
        assert_eq!(
            kind(b"\x0c\0\0\0\x0a\0\0\0\0\0\xff"),
            FaultKind::BlobHeader { what: "ziplist", claimed: 12, actual: 11 }
        );
        assert_eq!(kind(b"\x0d\0\0\0\x0a\0\0\0\x01\0\x01\xf1\xff"), broken(1)); // first entry claims one before it
        assert_eq!(kind(b"\x0d\0\0\0\x0a\0\0\0\x01\0\x00\xc1\xff"), broken(0)); // no such encoding
        assert_eq!(
            kind(b"\x0d\0\0\0\x0a\0\0\0\x02\0\x00\xf1\xff"),
            FaultKind::BlobCount { what: "ziplist", claimed: 2, actual: 1 }
        );
    }
}
