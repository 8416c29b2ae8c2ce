//! See `fuzz::ctl`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::ctl::check(input));
