//! libFuzzer over `client_metadata`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| symbolon_fuzz::client_metadata(bytes));
