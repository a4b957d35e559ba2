//! Values of modules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdbscope::rdb::{Dialect, TypeByte};

fuzz_target!(|data: &[u8]| {
    rdbscope_fuzz::value(data, TypeByte::MODULE_2, Dialect::Redis);
});
