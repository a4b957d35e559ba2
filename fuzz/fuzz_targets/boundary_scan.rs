//! Where records end: skipping and decoding agree, for every item of a dump.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| rdbscope_fuzz::items(data));
