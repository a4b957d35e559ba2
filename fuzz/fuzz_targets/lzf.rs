//! LZF: what says that a string is whole agrees with what unpacks it, with and without room behind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdbscope::rdb::lzf;

fuzz_target!(|data: &[u8]| {
    let Some((claim, packed)) = data.split_first_chunk::<2>() else { return };
    let len = usize::from(u16::from_le_bytes(*claim));
    if lzf::check_claim(packed.len() as u64, len as u64).is_err() {
        return;
    }
    let (mut exact, mut roomy) = (vec![0; len], vec![0xaa; len + lzf::ROOM_BYTES]);
    let unpacked = lzf::inflate(packed, &mut exact, len);
    assert_eq!(unpacked, lzf::inflate(packed, &mut roomy, len));
    assert_eq!(unpacked, lzf::verify(packed, len as u64));
    if unpacked.is_ok() {
        assert_eq!(exact, roomy[..len]);
    }
});
