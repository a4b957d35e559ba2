//! Intsets: bytes per integer (u32), count (u32), the integers in ascending order.

use super::packed::Entries;
use super::{Blob, PackedFormat};
use crate::rdb::fault::{FaultKind, Parse};
use crate::rdb::string::RdbStr;

const WHAT: &str = PackedFormat::Intset.name();
/// Bytes before the first integer.
pub const HEADER_BYTES: usize = 8;

/// Number of members by the header at the start of an intset of `len` bytes; absent if it cannot be true.
pub(super) fn claimed_entries(start: &[u8], len: u64) -> Option<u64> {
    let &[a, b, c, d, e, f, g, h] = start.first_chunk()?;
    let width = u32::from_le_bytes([a, b, c, d]);
    let count = u64::from(u32::from_le_bytes([e, f, g, h]));
    let fits = matches!(width, 2 | 4 | 8) && HEADER_BYTES as u64 + u64::from(width) * count == len;
    fits.then_some(count)
}

/// Gives every member to `each`; returns how many there were.
///
/// # Errors
/// If the header does not fit the bytes.
#[inline]
pub(super) fn walk<E: Entries>(blob: Blob<'_>, mut each: E) -> Parse<u64> {
    let bytes = blob.bytes;
    let actual = bytes.len() as u64;
    let Some(&[a, b, c, d, e, f, g, h]) = bytes.first_chunk() else {
        return Err(blob.fault(0, FaultKind::BlobHeader { what: WHAT, claimed: HEADER_BYTES as u64, actual }));
    };
    let width = u32::from_le_bytes([a, b, c, d]);
    let count = u64::from(u32::from_le_bytes([e, f, g, h]));
    if !matches!(width, 2 | 4 | 8) {
        return Err(blob.fault(0, FaultKind::BlobEntry { what: WHAT, byte: a }));
    }
    let claimed = HEADER_BYTES as u64 + u64::from(width) * count;
    if claimed != actual {
        return Err(blob.fault(4, FaultKind::BlobHeader { what: WHAT, claimed, actual }));
    }
    if count == 0 {
        return Err(blob.fault(4, FaultKind::EmptyBlob { what: WHAT }));
    }
    let body = &bytes[HEADER_BYTES..];
    let mut last = None;
    let mut member = |n: i64| {
        if E::CHECKS && last.replace(n).is_some_and(|last| last >= n) {
            return Err(blob.fault(HEADER_BYTES, FaultKind::Order { what: "members of an intset" }));
        }
        each.entry(RdbStr::Int(n))
    };
    match width {
        2 => body.as_chunks().0.iter().try_for_each(|&b| member(i64::from(i16::from_le_bytes(b)))),
        4 => body.as_chunks().0.iter().try_for_each(|&b| member(i64::from(i32::from_le_bytes(b)))),
        _ => body.as_chunks().0.iter().try_for_each(|&b| member(i64::from_le_bytes(b))),
    }?;
    Ok(count)
}

/// Bytes that an integer of this size makes every member of an intset take.
#[inline]
pub fn width_of(n: i64) -> u64 {
    match n {
        -32_768..=32_767 => 2,
        -2_147_483_648..=2_147_483_647 => 4,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_and_refuses() {
        let walked = |bytes: &[u8]| {
            let mut all = Vec::new();
            walk(Blob { bytes, at: 0 }, |e: RdbStr<'_>| {
                all.push(e.as_int());
                Ok(())
            })
            .map(|_| all)
            .map_err(|fault| fault.kind)
        };
        // {1, 70000}: four bytes each, two of them.
        assert_eq!(walked(b"\x04\0\0\0\x02\0\0\0\x01\0\0\0\x70\x11\x01\0").unwrap(), [Some(1), Some(70_000)]);
        assert_eq!(walked(b"\x03\0\0\0\0\0\0\0"), Err(FaultKind::BlobEntry { what: "intset", byte: 3 }));
        assert_eq!(
            walked(b"\x02\0\0\0\x02\0\0\0\0\0"),
            Err(FaultKind::BlobHeader { what: "intset", claimed: 12, actual: 10 })
        );
        assert!(walked(b"\x02\0\0").is_err());
    }
}
