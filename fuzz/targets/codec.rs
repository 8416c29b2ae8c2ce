//! See `fuzz::codec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::codec::check(input));
