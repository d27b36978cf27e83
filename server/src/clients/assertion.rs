//! The claims of a client assertion (RFC 7523 section 3) and its single use. Signatures are verified by `tokens`.

use std::time::Duration;

use serde_json::{Map, Value};

use super::client::{Client, ClientAuth};
use super::keys::{ClientKeys, KeysError};
use crate::foundation::{Digest, Timestamp, encoding};
use crate::storage::{Key, Kind, SharedStore, StorageError};
use crate::tokens;

/// How far the client's clock may be off, in seconds.
const LEEWAY: u64 = 60;
/// How far ahead `exp` may lie, in seconds.
const MAX_LIFETIME: u64 = 3600;
/// The longest assertion accepted, in bytes.
const MAX_LENGTH: usize = 16 * 1024;

/// Why an assertion proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum AssertionProblem {
    /// Not three base64url parts around a JSON object with `sub`, or too long.
    #[error("the assertion is not a JWT with a sub")]
    Malformed,
    /// The form names another client than the assertion.
    #[error("client_id and the sub of the assertion differ")]
    OtherClient,
    /// The client's keys are not at hand.
    #[error("{0}")]
    Keys(#[from] KeysError),
    /// The signature does not hold.
    #[error("{0}")]
    Signature(tokens::assertion::AssertionError),
    /// Signed with another algorithm than the registered one.
    #[error("the assertion is not signed with the registered token_endpoint_auth_signing_alg")]
    OtherAlgorithm,
    /// `iss` or `sub` is not the client.
    #[error("iss and sub must both be the client_id")]
    Issuer,
    /// `aud` names neither the issuer nor the endpoint.
    #[error("aud names neither this issuer nor this endpoint")]
    Audience,
    /// `exp`, `nbf` or `iat` is missing, no number, over, or too far ahead.
    #[error("{0}")]
    Time(&'static str),
    /// `jti` is no string of 1 to 512 bytes.
    #[error("jti must be a string of 1 to 512 bytes")]
    Id,
    /// It was used before.
    #[error("the assertion was used before")]
    Replayed,
}

/// The client that an assertion claims to come from, before anything is verified: which keys to verify it with.
pub(super) fn claimed_client(jwt: &str) -> Result<String, AssertionProblem> {
    let claims = part(jwt, 1)?;
    claims.get("sub").and_then(Value::as_str).map(str::to_owned).ok_or(AssertionProblem::Malformed)
}

/// Verifies an assertion of `client` and uses it up.
pub(super) async fn consume(
    client: &Client,
    jwt: &str,
    audiences: &[&str],
    (keys, store): (&ClientKeys, &SharedStore),
    now: Timestamp,
) -> Result<Result<(), AssertionProblem>, StorageError> {
    let (key, until) = match verify(client, jwt, audiences, keys, now).await {
        Ok(used) => used,
        Err(problem) => return Ok(Err(problem)),
    };
    let first = store.insert(key, Vec::new(), Some(until)).await?;
    Ok(if first { Ok(()) } else { Err(AssertionProblem::Replayed) })
}

/// Everything but the single use: the key that stands for the use, and until when it must be remembered.
async fn verify(
    client: &Client,
    jwt: &str,
    audiences: &[&str],
    keys: &ClientKeys,
    now: Timestamp,
) -> Result<(Key, Timestamp), AssertionProblem> {
    let header = part(jwt, 0)?;
    // The registered method says what verifies, never the JWT.
    let claims = match &client.auth {
        ClientAuth::SecretJwt(secret) => tokens::mac::verify(secret.secret(), jwt),
        _ => keys.try_with(client, |jwks| tokens::assertion::verify(jwks, jwt), |error| error.is_of_keys()).await?,
    };
    let claims = claims.map_err(AssertionProblem::Signature)?;
    if client.auth_signing_alg.is_some() && client.auth_signing_alg.as_deref() != header.get("alg").and_then(Value::as_str) {
        return Err(AssertionProblem::OtherAlgorithm);
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(&client.id) || text("sub") != Some(&client.id) {
        return Err(AssertionProblem::Issuer);
    }
    let for_us = match claims.get("aud") {
        Some(Value::String(one)) => audiences.contains(&one.as_str()),
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str().is_some_and(|one| audiences.contains(&one))),
        _ => false,
    };
    if !for_us {
        return Err(AssertionProblem::Audience);
    }
    let expires = times(&claims, now)?;
    let id = match claims.get("jti") {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= 512 => Digest::of(format!("{}\n{id}", client.id)),
        // Without an id, what was signed is the id. Not the whole JWT: an ECDSA signature has a second valid form.
        None => Digest::of(format!("{}\n{}", client.id, jwt.rsplit_once('.').map_or(jwt, |(signed, _)| signed))),
        Some(_) => return Err(AssertionProblem::Id),
    };
    Ok((Key::new(Kind::UsedAssertion, id.as_bytes()), expires.plus(Duration::from_secs(LEEWAY + 1))))
}

/// Checks `exp` (required), `nbf` and `iat`; gives `exp`.
fn times(claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, AssertionProblem> {
    let problem = |what| Err(AssertionProblem::Time(what));
    let Some(expires) = claims.get("exp").and_then(seconds) else {
        return problem("exp is missing or no time");
    };
    if expires.saturating_add(LEEWAY) <= now.0 {
        return problem("the assertion has expired");
    }
    if expires > now.0.saturating_add(MAX_LIFETIME + LEEWAY) {
        return problem("exp lies more than one hour ahead");
    }
    for name in ["nbf", "iat"] {
        match claims.get(name).map(seconds) {
            Some(None) => return problem("nbf or iat is no time"),
            Some(Some(time)) if time > now.0.saturating_add(LEEWAY) => return problem("nbf or iat lies in the future"),
            _ => {}
        }
    }
    Ok(Timestamp(expires))
}

/// A `NumericDate` (RFC 7519 section 2), fractions cut off; `None` for what is none.
#[must_use]
pub fn seconds(value: &Value) -> Option<u64> {
    let from_float = |float: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
        (0.0..1e15).contains(&float).then_some(float as u64)
    };
    value.as_u64().or_else(|| value.as_f64().and_then(from_float))
}

/// One of the two JSON parts of a JWT, not verified.
pub(super) fn part(jwt: &str, n: usize) -> Result<Map<String, Value>, AssertionProblem> {
    if jwt.len() > MAX_LENGTH || jwt.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return Err(AssertionProblem::Malformed);
    }
    let bytes = jwt.split('.').nth(n).and_then(encoding::decode).ok_or(AssertionProblem::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| AssertionProblem::Malformed)
}
