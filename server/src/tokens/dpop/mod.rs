//! `DPoP` proofs (RFC 9449): a JWT by which the sender of one request shows that it holds a key. Owns the form, the signature and what a
//! proof says of its request; single use and whether a nonce is wanted are for the caller.

mod address;
mod nonce;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

pub use self::nonce::Nonces;
use super::assertion;
use crate::foundation::digest::constant_time_eq;
use crate::foundation::{Digest, Timestamp, encoding};

/// The algorithms that a proof may be signed with (`dpop_signing_alg_values_supported`), all asymmetric.
pub const ALGS: [&str; 9] = assertion::ALGS;

/// `typ` of a proof (RFC 9449 section 4.2).
const TYP: &str = "dpop+jwt";
/// The longest proof, in bytes: one by an RSA key of 8192 bits has less than 5 KiB.
const MAX_LENGTH: usize = 8 * 1024;
/// The longest `jti`, in bytes.
const MAX_ID: usize = 256;
/// Members of a JWK that only the holder of a private or symmetric key can know (RFC 7518 section 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// How far the sender's clock may be ahead.
const LEEWAY: Duration = Duration::from_mins(1);

/// Why a proof proves nothing. The sentence is for the developer of the client; there is nothing in it that helps anybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub enum ProofError {
    /// Not a JWT of a length that a proof has.
    Form,
    /// The header is no JSON object with `typ`, `alg` and `jwk`.
    Header,
    /// Another sort of JWT.
    Typ,
    /// `none`, a symmetric algorithm, or one that is not supported.
    Algorithm,
    /// The header demands extensions, and we know none (RFC 7515 section 4.1.11).
    Critical,
    /// The key has private members.
    PrivateKey,
    /// The key is malformed, symmetric, meant for something else or not for the algorithm.
    Key,
    /// The signature is not by the key.
    Signature,
    /// The claims are no JSON object with `jti`, `htm`, `htu` and `iat`.
    Claims,
    /// `jti` is empty or too long.
    Id,
    /// For another method.
    Method,
    /// For another address.
    Address,
    /// For another access token, or for none.
    AccessToken,
    /// Made too long ago.
    Old,
    /// Made in the future.
    Early,
}

impl ProofError {
    /// What is wrong.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Form => "The DPoP proof is not one signed JWT in compact form.",
            Self::Header => "The header of the DPoP proof must be a JSON object with typ, alg and jwk.",
            Self::Typ => "The typ of the DPoP proof must be dpop+jwt.",
            Self::Algorithm => "The alg of the DPoP proof is not one of dpop_signing_alg_values_supported.",
            Self::Critical => "The header of the DPoP proof has crit, and this server knows no extension.",
            Self::PrivateKey => "The jwk of the DPoP proof has private members: whoever saw it may use that key.",
            Self::Key => "The jwk of the DPoP proof is not a public key for its alg.",
            Self::Signature => "The signature of the DPoP proof is not by the key in its jwk.",
            Self::Claims => "The claims of the DPoP proof must be a JSON object with jti, htm, htu and iat.",
            Self::Id => "The jti of the DPoP proof must have 1 to 256 bytes.",
            Self::Method => "The htm of the DPoP proof is not the method of the request.",
            Self::Address => "The htu of the DPoP proof is not the address of the request.",
            Self::AccessToken => "The ath of the DPoP proof is not the hash of the access token.",
            Self::Old => "The iat of the DPoP proof is too long ago.",
            Self::Early => "The iat of the DPoP proof lies in the future.",
        }
    }
}

/// What a proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The absolute address, as clients know it.
    pub address: &'a str,
    /// The access token that the request presents, where it presents one.
    pub access_token: Option<&'a str>,
}

/// A proof whose signature holds and which is for the request in question. Whether it is fresh and new is for the caller to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    thumbprint: String,
    id: String,
    issued: Timestamp,
    nonce: Option<String>,
}

impl Proof {
    /// Reads a proof and checks it (RFC 9449 section 4.3, 2 to 9 and 12).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(jwt: &str, request: &Request<'_>) -> Result<Self, ProofError> {
        let (thumbprint, payload) = open(jwt, TYP)?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| ProofError::Claims)?;
        if claims.jti.is_empty() || claims.jti.len() > MAX_ID {
            return Err(ProofError::Id);
        }
        if claims.htm != request.method {
            return Err(ProofError::Method);
        }
        if !address::same(&claims.htu, request.address) {
            return Err(ProofError::Address);
        }
        if let Some(token) = request.access_token {
            let hash = encoding::encode(Digest::of(token).as_bytes());
            if !claims.ath.is_some_and(|ath| constant_time_eq(ath.as_bytes(), hash.as_bytes())) {
                return Err(ProofError::AccessToken);
            }
        }
        Ok(Self { thumbprint, id: claims.jti, issued: seconds(claims.iat)?, nonce: claims.nonce })
    }

    /// Whether it was made at most `max_age` ago, and not in the future (RFC 9449 section 4.3, 11).
    ///
    /// # Errors
    /// When not.
    pub fn check_age(&self, max_age: Duration, now: Timestamp) -> Result<(), ProofError> {
        if self.issued > now.plus(LEEWAY) {
            Err(ProofError::Early)
        } else if self.issued.plus(max_age) <= now {
            Err(ProofError::Old)
        } else {
            Ok(())
        }
    }

    /// Until when a proof that is accepted at `now` must be remembered, if one is accepted for `max_age` after it was made.
    #[must_use]
    pub fn remembered_until(&self, max_age: Duration, now: Timestamp) -> Timestamp {
        self.issued.max(now).plus(max_age).plus(Duration::from_secs(1))
    }

    /// The thumbprint of its key (RFC 7638, SHA-256), base64url.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// What it is known by: the key and its `jti`.
    #[must_use]
    pub fn name(&self) -> Digest {
        // No client id has a space, so that a client assertion is never known by the same (see `clients::assertion`).
        Digest::of(format!("DPoP proof\n{}\n{}", self.thumbprint, self.id))
    }

    /// The nonce that it repeats.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
}

#[derive(Debug, Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Map<String, Value>,
    crit: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: f64,
    ath: Option<String>,
    nonce: Option<String>,
}

/// Whether a text can be a thumbprint: base64url of a SHA-256.
#[must_use]
pub fn is_thumbprint(text: &str) -> bool {
    encoding::decode_array::<32>(text).is_some()
}

/// Opens a JWT of that `typ` that is signed by the key in its header; gives the thumbprint of that key, and the claims as they were
/// written.
pub(super) fn open(jwt: &str, typ: &str) -> Result<(String, Vec<u8>), ProofError> {
    if jwt.len() > MAX_LENGTH {
        return Err(ProofError::Form);
    }
    let (message, signature) = jwt.rsplit_once('.').ok_or(ProofError::Form)?;
    let (header, payload) = message.split_once('.').ok_or(ProofError::Form)?;
    let (header, payload) = (encoding::decode(header), encoding::decode(payload));
    let (header, payload) = (header.ok_or(ProofError::Form)?, payload.ok_or(ProofError::Form)?);
    let header: Header = serde_json::from_slice(&header).map_err(|_| ProofError::Header)?;
    if header.typ != typ {
        return Err(ProofError::Typ);
    }
    if header.crit.is_some() {
        return Err(ProofError::Critical);
    }
    Ok((verify_signature(&header, message, signature)?, payload))
}

/// Checks the signature by the key in the header; gives the thumbprint of that key.
fn verify_signature(header: &Header, message: &str, signature: &str) -> Result<String, ProofError> {
    let alg = assertion::algorithm(&header.alg).ok_or(ProofError::Algorithm)?;
    if PRIVATE.iter().any(|name| header.jwk.contains_key(*name)) {
        return Err(ProofError::PrivateKey);
    }
    if header.jwk.get("alg").is_some_and(|of_key| *of_key != header.alg) {
        return Err(ProofError::Key);
    }
    let jwk = serde_json::from_value::<Jwk>(Value::Object(header.jwk.clone())).map_err(|_| ProofError::Key)?;
    if !assertion::may_verify(&jwk) || !assertion::is_for(&jwk, alg) {
        return Err(ProofError::Key);
    }
    let key = DecodingKey::from_jwk(&jwk).map_err(|_| ProofError::Key)?;
    match jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, alg) {
        Ok(true) => jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| ProofError::Key),
        _ => Err(ProofError::Signature),
    }
}

/// A `NumericDate` (RFC 7519 section 2), fractions cut off.
pub(super) fn seconds(date: f64) -> Result<Timestamp, ProofError> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    if (0.0..1e15).contains(&date) { Ok(Timestamp(date as u64)) } else { Err(ProofError::Claims) }
}
