//! libFuzzer over `token_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| symbolon_fuzz::token_request(bytes));
