//! What `[sign_in]` means.

use std::time::Duration;

use super::{Levels, SecondFactor};

/// The languages that the pages can be in (BCP 47).
pub const LANGUAGES: [&str; 3] = ["en", "de", "fr"];

/// `[sign_in]`
#[derive(Debug, Clone)]
pub struct SignIn {
    /// `sign_in.transaction_lifetime`, default 1h: how long a person may take.
    pub transaction_lifetime: Duration,
    /// `sign_in.throttle.account_attempts` (default 10) failed attempts for one name within
    /// `sign_in.throttle.window` (default 5m); 0 switches the limit off.
    pub throttle_account_attempts: u32,
    /// `sign_in.throttle.address_attempts`, default 100.
    pub throttle_address_attempts: u32,
    /// `sign_in.throttle.window`, default 5m.
    pub throttle_window: Duration,
    /// `sign_in.password.memory_kib` (default 19456), `iterations` (2), `lanes` (1): argon2id.
    pub password_memory_kib: u32,
    /// See above.
    pub password_iterations: u32,
    /// See above.
    pub password_lanes: u32,
    /// `sign_in.password.concurrency`: verifications at once, default the number of cores.
    pub password_concurrency: usize,
    /// `sign_in.acr`: the `acr` of a sign-in with a password, default `urn:symbolon:acr:password`.
    pub password_acr: String,
    /// `sign_in.levels`: the `acr` values from the weakest to the strongest, each with its factors. Default `sign_in.acr` with a password, and
    /// `urn:symbolon:acr:two-factor` with a one-time password besides.
    pub levels: Levels,
    /// `sign_in.second_factor` = `on_request` | `if_enrolled` (default) | `always`: who is asked for a second factor.
    pub second_factor: SecondFactor,
    /// `sign_in.totp.enrolment` = `at_sign_in` (default) | `by_administrator`: whether a person who is to show a second factor and has
    /// none is let set one up.
    pub enrolment_at_sign_in: bool,
    /// `sign_in.totp.issuer`: what an authenticator app calls us; default the host of the issuer.
    pub totp_issuer: String,
    /// `sign_in.languages`: those of [`LANGUAGES`] that are offered, the first for whoever asks for none of them; default all.
    pub languages: Vec<&'static str>,
    /// `sign_in.title`: heading of the pages, default `Sign in`.
    pub title: String,
}
