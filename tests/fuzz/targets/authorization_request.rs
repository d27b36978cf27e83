//! libFuzzer over `authorization_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| symbolon_fuzz::authorization_request(bytes));
