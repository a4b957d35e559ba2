//! Lists: quicklists of both generations, and element by element.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdbscope::rdb::{Dialect, TypeByte};

fuzz_target!(|data: &[u8]| {
    let kinds = [TypeByte::LIST_QUICKLIST_2, TypeByte::LIST_QUICKLIST, TypeByte::LIST];
    if let Some((first, data)) = data.split_first() {
        rdbscope_fuzz::value(data, kinds[usize::from(*first) % kinds.len()], Dialect::Redis);
    }
});
