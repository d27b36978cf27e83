//! Verification of a JWT of ours: form, header and signature. What the claims say is for the caller to judge.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::set::KeySet;
use crate::foundation::{Clock, encoding};
use crate::settings::meaning::SigningAlg;
use crate::tokens::MAX_JWT;

/// A JWT whose signature is ours. Expiry, audience and issuer are not checked: an expired ID token is still good for
/// Native SSO, and only the caller knows what it asked for.
#[derive(Debug, Clone)]
pub struct Verified<T> {
    /// The header's `typ`, e.g. `JWT` or `at+jwt` (RFC 8725 section 3.11: the caller compares it).
    pub typ: Option<String>,
    /// The algorithm of the key that signed it.
    pub alg: SigningAlg,
    /// What it says.
    pub claims: T,
    /// The same as it was written: the text of a JSON object.
    pub payload: String,
}

/// Why a JWT is not one of ours. For the log; a client is told the same whatever the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Longer than [`MAX_JWT`].
    #[error("the token is too long")]
    TooLong,
    /// Not three parts of base64url with a JSON header.
    #[error("the token is not a signed JWT in compact form")]
    Malformed,
    /// The header demands extensions, and we know none (RFC 7515 section 4.1.11).
    #[error("the token's header has `crit`")]
    Critical,
    /// No `kid`, or none of a key that we keep.
    #[error("the token names no key of this server that is still kept")]
    UnknownKey,
    /// The header's algorithm is not the one that its key is for.
    #[error("the token's algorithm is not that of its key")]
    Algorithm,
    /// The signature does not verify.
    #[error("the token's signature is wrong")]
    Signature,
    /// Signed by us, but the claims have another shape than was expected here.
    #[error("the token's claims are not of the expected form")]
    Claims,
}

/// The members of a JOSE header that decide anything.
#[derive(Debug, Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
}

/// Verifies `jwt` with the keys of `set`.
pub(super) fn verify<T: DeserializeOwned>(set: &KeySet, clock: &Clock, jwt: &str) -> Result<Verified<T>, VerifyError> {
    if jwt.len() > MAX_JWT {
        return Err(VerifyError::TooLong);
    }
    let (message, signature) = jwt.rsplit_once('.').ok_or(VerifyError::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(VerifyError::Malformed)?;
    let header = encoding::decode(header).ok_or(VerifyError::Malformed)?;
    let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| VerifyError::Malformed)?;
    if header.crit.is_some() {
        return Err(VerifyError::Critical);
    }
    let key = header.kid.as_deref().and_then(|kid| set.find(kid)).ok_or(VerifyError::UnknownKey)?;
    // A retired key verifies no second longer than promised, even if the minute that drops it has not come.
    if key.ends.is_some_and(|ends| ends <= clock.now()) {
        return Err(VerifyError::UnknownKey);
    }
    // The key decides the algorithm, never the token: `none`, HS256 and every other confusion end here (RFC 8725 3.1).
    if header.alg != key.alg.as_str() {
        return Err(VerifyError::Algorithm);
    }
    let signature = encoding::decode(signature).ok_or(VerifyError::Malformed)?;
    key.verifying.verify_sig(message.as_bytes(), &signature).map_err(|_| VerifyError::Signature)?;
    let payload = encoding::decode(payload).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(VerifyError::Malformed)?;
    let claims = serde_json::from_str(&payload).map_err(|_| VerifyError::Claims)?;
    Ok(Verified { typ: header.typ, alg: key.alg, claims, payload })
}
