//! libFuzzer over `request_object`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| symbolon_fuzz::request_object(bytes));
