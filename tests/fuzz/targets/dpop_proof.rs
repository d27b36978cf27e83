//! libFuzzer over `dpop_proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| symbolon_fuzz::dpop_proof(bytes));
