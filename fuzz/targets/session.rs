//! See `fuzz::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::session::check(input));
