//! Streams of every generation.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdbscope::rdb::{Dialect, TypeByte};

fuzz_target!(|data: &[u8]| {
    let kinds = [
        TypeByte::STREAM_LISTPACKS,
        TypeByte::STREAM_LISTPACKS_2,
        TypeByte::STREAM_LISTPACKS_3,
        TypeByte::STREAM_LISTPACKS_4,
    ];
    if let Some((first, data)) = data.split_first() {
        rdbscope_fuzz::value(data, kinds[usize::from(*first) % kinds.len()], Dialect::Redis);
    }
});
