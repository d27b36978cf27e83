//! Vouchers: a JWT by which the holder of one key says that another key, of another app, may join a device session. Ours, as no
//! specification has such a thing; the form is that of a `DPoP` proof. Knows the form, not which keys may vouch.

use serde::Deserialize;

use super::dpop::{self, ProofError};
use crate::foundation::Timestamp;
use crate::tokens::session_id::SessionId;

/// `typ` of a voucher.
pub const TYP: &str = "device-key-voucher+jwt";

/// What a voucher says, and by which key.
#[derive(Debug)]
pub struct Voucher {
    by: String,
    claims: Claims,
}

#[derive(Debug, Deserialize)]
struct Claims {
    /// The issuer.
    aud: String,
    /// The device session.
    sid: SessionId,
    /// The client that the new key belongs to.
    client_id: String,
    /// Thumbprint of the new key.
    jkt: String,
    /// When it ceases to vouch.
    exp: f64,
}

/// What a voucher must be about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// The device session.
    pub sid: SessionId,
    /// The client that proves the new key.
    pub client_id: &'a str,
    /// Thumbprint of the new key.
    pub thumbprint: &'a str,
}

impl Voucher {
    /// Reads a voucher and checks its signature by the key in its header.
    ///
    /// # Errors
    /// What is wrong with its form; the sentences are those of proofs.
    pub fn read(jwt: &str) -> Result<Self, ProofError> {
        let (by, payload) = dpop::open(jwt, TYP)?;
        let claims = serde_json::from_slice(&payload).map_err(|_| ProofError::Claims)?;
        Ok(Self { by, claims })
    }

    /// Thumbprint of the key that vouches, if it does so for this at `now`.
    #[must_use]
    pub fn vouches_for(&self, about: &About<'_>, now: Timestamp) -> Option<&str> {
        let Claims { aud, sid, client_id, jkt, exp } = &self.claims;
        let is_about = aud == about.issuer && *sid == about.sid && client_id == about.client_id && jkt == about.thumbprint;
        let lives = dpop::seconds(*exp).is_ok_and(|exp| now < exp);
        (is_about && lives).then_some(self.by.as_str())
    }
}
