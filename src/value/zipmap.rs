//! Zipmaps, the small hashes of Redis 2.4: count (u8), then field, value and spare bytes in turn, 0xff.

use super::packed::Entries;
use super::{Blob, PackedFormat};
use crate::rdb::fault::{FaultKind, Parse};
use crate::rdb::string::RdbStr;

const WHAT: &str = PackedFormat::Zipmap.name();
/// A count that only walking can tell.
const UNKNOWN_COUNT: u8 = 254;

/// Gives every field and every value to `each`, in turn; returns how many entries there were, twice the fields.
///
/// # Errors
/// If an entry or the end is not as the format has it.
pub(super) fn walk(blob: Blob<'_>, mut each: impl Entries) -> Parse<u64> {
    let bytes = blob.bytes;
    let Some(&count) = bytes.first() else {
        return Err(blob.fault(0, FaultKind::EmptyBlob { what: WHAT }));
    };
    let mut pos = 1;
    let mut entries = 0;
    loop {
        match bytes.get(pos) {
            None => return Err(blob.fault(pos, FaultKind::BlobEnd { what: WHAT })),
            Some(0xff) => break,
            Some(&byte) => {
                let broken = || blob.fault(pos, FaultKind::BlobEntry { what: WHAT, byte });
                let (field, after) = string(bytes, pos, false).ok_or_else(broken)?;
                let (value, after) = string(bytes, after, true).ok_or_else(broken)?;
                each.entry(RdbStr::Raw(field))?;
                each.entry(RdbStr::Raw(value))?;
                entries += 2;
                pos = after;
            }
        }
    }
    if pos + 1 != bytes.len() {
        return Err(blob.fault(pos, FaultKind::BlobEnd { what: WHAT }));
    }
    if entries == 0 {
        return Err(blob.fault(1, FaultKind::EmptyBlob { what: WHAT }));
    }
    if count != UNKNOWN_COUNT && u64::from(count) * 2 != entries {
        return Err(blob.fault(0, FaultKind::BlobCount { what: WHAT, claimed: u64::from(count), actual: entries / 2 }));
    }
    Ok(entries)
}

/// The string at `pos`, and where the next begins; behind a value there is a byte that says how many are spare.
fn string(bytes: &[u8], pos: usize, has_spare: bool) -> Option<(&[u8], usize)> {
    let (len, head) = match *bytes.get(pos)? {
        // The servers take a short length for one that has the short form, whatever form it has.
        254 => (u32::from_le_bytes(*bytes.get(pos + 1..)?.first_chunk()?) as usize, 5),
        255 => return None,
        short => (usize::from(short), 1),
    };
    if head == 5 && len < 254 {
        return None;
    }
    let spare = if has_spare { 1 + usize::from(*bytes.get(pos + head)?) } else { 0 };
    let start = pos + head + usize::from(has_spare);
    let text = bytes.get(start..start.checked_add(len)?)?;
    let after = pos + head + spare + len;
    (after <= bytes.len()).then_some((text, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_and_refuses() {
        let walked = |bytes: &[u8]| {
            let mut all = Vec::new();
            walk(Blob { bytes, at: 0 }, |e: RdbStr<'_>| {
                all.push(e.bytes(&mut Vec::new(), 99)?.to_vec());
                Ok(())
            })
            .map(|_| all)
            .map_err(|fault| fault.kind)
        };
        assert_eq!(walked(b"\x01\x03foo\x03\0bar\xff").unwrap(), [b"foo", b"bar"]);
        assert_eq!(walked(b"\x01\x03foo\x01\x02bxx\xff").unwrap(), [b"foo".as_slice(), b"b"]); // two spare bytes
        assert_eq!(
            walked(b"\x02\x03foo\x03\0bar\xff"),
            Err(FaultKind::BlobCount { what: "zipmap", claimed: 2, actual: 1 })
        );
        assert_eq!(walked(b"\x01\x03fo"), Err(FaultKind::BlobEntry { what: "zipmap", byte: 3 }));
        assert_eq!(walked(b"\x00"), Err(FaultKind::BlobEnd { what: "zipmap" }));
    }
}
