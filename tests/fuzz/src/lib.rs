//! What reads a stranger's bytes, each as a function of bytes: nothing that a function is given may make it panic, and what it promises
//! is asserted here. `targets/` runs them under libFuzzer, `tests/replay.rs` on the corpus and on random bytes.
//!
//! To look for new input (with a nightly compiler and cargo-fuzz installed):
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz --features libfuzzer TARGET`.
#![forbid(unsafe_code)]

mod clients;
mod provider;
mod signed;

pub use clients::{client_metadata, cookies, redirect_uri};
pub use provider::{authorization_request, request_object, token_request};
pub use signed::dpop_proof;

/// A function, and what it is called.
pub type Target = (&'static str, fn(&[u8]));

/// All of them, by name.
pub const ALL: [Target; 7] = [
    ("authorization_request", authorization_request),
    ("token_request", token_request),
    ("request_object", request_object),
    ("dpop_proof", dpop_proof),
    ("client_metadata", client_metadata),
    ("redirect_uri", redirect_uri),
    ("cookies", cookies),
];
