//! Ziplists, as every type that has one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdbscope::rdb::TypeByte;

fuzz_target!(|data: &[u8]| {
    for kind in [TypeByte::LIST_ZIPLIST, TypeByte::HASH_ZIPLIST, TypeByte::ZSET_ZIPLIST] {
        rdbscope_fuzz::blob(data, kind);
    }
});
