//! The test modules of the OpenID Foundation's certification profiles for OpenID Providers, played by us; `tests/CONFORMANCE.md`
//! leads from each module to its test.

mod basic;
mod codes;
mod config;
mod dynamic;
mod form_post;
mod logout;
mod map;
mod party;
mod requests;
mod responses;
