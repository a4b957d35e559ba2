//! Listpacks, as every type that has one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdbscope::rdb::TypeByte;

fuzz_target!(|data: &[u8]| {
    for kind in
        [TypeByte::HASH_LISTPACK, TypeByte::ZSET_LISTPACK, TypeByte::SET_LISTPACK, TypeByte::HASH_LISTPACK_EX_PRE_GA]
    {
        rdbscope_fuzz::blob(data, kind);
    }
});
