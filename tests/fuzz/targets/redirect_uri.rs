//! libFuzzer over `redirect_uri`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| symbolon_fuzz::redirect_uri(bytes));
