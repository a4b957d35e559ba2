//! Intsets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdbscope::rdb::TypeByte;

fuzz_target!(|data: &[u8]| {
    rdbscope_fuzz::blob(data, TypeByte::SET_INTSET);
});
