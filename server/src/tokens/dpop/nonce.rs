//! Nonces for proofs (RFC 9449 section 8): made from the time by a key that all servers of a store share, so that none is kept and any
//! server accepts what another gave out.

use std::time::Duration;

use crate::foundation::digest::constant_time_eq;
use crate::foundation::{Timestamp, encoding};
use crate::tokens::keys::SigningKeys;

/// The nonce of each span of time.
#[derive(Debug, Clone, Copy)]
pub struct Nonces<'a> {
    keys: &'a SigningKeys,
    span: u64,
}

impl<'a> Nonces<'a> {
    /// Nonces that are accepted for `lifetime` at least, and twice as long at most.
    #[must_use]
    pub fn new(keys: &'a SigningKeys, lifetime: Duration) -> Self {
        Self { keys, span: lifetime.as_secs().max(1) }
    }

    /// The nonce to give out at `now`.
    #[must_use]
    pub fn current(&self, now: Timestamp) -> String {
        self.of(now.0 / self.span)
    }

    /// Whether it was given out not long before `now`: by this server, or by one whose clock is a little ahead.
    #[must_use]
    pub fn accepts(&self, nonce: &str, now: Timestamp) -> bool {
        let present = now.0 / self.span;
        let spans = [present, present.saturating_sub(1), present.saturating_add(1)];
        spans.map(|span| constant_time_eq(self.of(span).as_bytes(), nonce.as_bytes())).contains(&true)
    }

    fn of(&self, number: u64) -> String {
        let derived = self.keys.derive("dpop_nonce", &[&self.span.to_be_bytes(), &number.to_be_bytes()]);
        encoding::encode(&derived.expose()[..18])
    }
}
