//! What an app does with an ID token: verify it with the server's published keys, and bind it to the device secret. And
//! what a thief might try with it.

use serde_json::{Map, Value};

use crate::foundation::{Clock, Digest, encoding};
use crate::tokens::assertion;

/// The claims of an ID token that was signed by the server for this client, and is not over.
///
/// # Errors
/// What is wrong with it, as a clause.
pub(super) fn verify(text: &str, jwks: &Value, issuer: &str, client_id: &str) -> Result<Map<String, Value>, String> {
    let claims =
        assertion::verify(jwks, text).map_err(|error| format!("it does not verify with the keys of jwks_uri: {error}"))?;
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err("its iss is not the issuer".to_owned());
    }
    let is_for_client = match claims.get("aud") {
        Some(Value::String(audience)) => audience == client_id,
        Some(Value::Array(audiences)) => audiences.iter().any(|audience| audience == client_id),
        _ => false,
    };
    if !is_for_client {
        return Err("its aud is not the client".to_owned());
    }
    if claims.get("exp").and_then(Value::as_u64).is_none_or(|end| end <= Clock::system().now().0) {
        return Err("it has expired".to_owned());
    }
    Ok(claims)
}

/// A claim's text, empty when it has none.
pub(super) fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> &'a str {
    claims.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The `ds_hash` that belongs to a device secret: base64url of the left half of its SHA-256 (Native SSO 1.0 section 3.3).
pub(super) fn ds_hash(device_secret: &str) -> String {
    Digest::of(device_secret).left_half()
}

/// The same ID token for somebody else, under the old signature. `None` when it is no JWT.
pub(super) fn tampered(id_token: &str) -> Option<String> {
    let mut parts = id_token.split('.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let mut claims: Map<String, Value> = serde_json::from_slice(&encoding::decode(payload)?).ok()?;
    claims.insert("sub".to_owned(), Value::String("somebody-else".to_owned()));
    Some(format!("{header}.{}.{signature}", encoding::encode(Value::Object(claims).to_string())))
}

/// A secret of the same shape that nobody was given.
pub(super) fn guessed(secret: &str) -> String {
    // Not the last character: some of its bits may carry nothing.
    let at = secret.chars().count().saturating_sub(3);
    let other = |c: char| if c == 'A' { 'B' } else { 'A' };
    secret.chars().enumerate().map(|(n, c)| if n == at { other(c) } else { c }).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_guess_has_the_same_shape_and_is_wrong() {
        for secret in ["ds_0123456789abcdef", "ds_AAAAAAAAAAAAAAAA", "x"] {
            let guess = guessed(secret);
            assert_ne!(guess, secret);
            assert_eq!(guess.len(), secret.len());
        }
    }

    #[test]
    fn tampering_changes_the_person_alone() {
        let token = format!("{}.{}.c2ln", encoding::encode("{}"), encoding::encode(r#"{"sub":"ada","sid":"s"}"#));
        let other = tampered(&token).unwrap();
        let payload = encoding::decode(other.split('.').nth(1).unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&payload).unwrap(), serde_json::json!({"sub": "somebody-else", "sid": "s"}));
        assert_eq!(other.rsplit('.').next(), Some("c2ln"));
        assert_eq!(tampered("no token"), None);
    }

    #[test]
    fn a_token_of_another_key_is_refused() {
        let token = format!("{}.{}.c2ln", encoding::encode(r#"{"alg":"RS256"}"#), encoding::encode(r#"{"iss":"i"}"#));
        assert!(verify(&token, &serde_json::json!({"keys": []}), "i", "c").is_err());
    }
}
