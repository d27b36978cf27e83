//! Client assertions that are authenticated with the client's secret (`client_secret_jwt`, OIDC Core section 9): HMAC. A room of its own beside
//! `assertion`, so that no way leads from a public key to a MAC or from a secret to a signature (RFC 8725 section 2.1).

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use super::assertion::{AssertionError, Parts};
use crate::foundation::Secret;

/// The algorithms, and how long a secret must be for each, in bytes (RFC 7518 section 3.2: as long as its hash).
const LENGTHS: [(&str, Algorithm, usize); 3] =
    [("HS256", Algorithm::HS256, 32), ("HS384", Algorithm::HS384, 48), ("HS512", Algorithm::HS512, 64)];

/// The names of the algorithms.
pub const ALGS: [&str; 3] = [LENGTHS[0].0, LENGTHS[1].0, LENGTHS[2].0];

/// How long a secret must be for that algorithm, in bytes; for any that is accepted, when none is named.
#[must_use]
pub fn secret_bytes(alg: Option<&str>) -> usize {
    LENGTHS.iter().find(|(name, ..)| Some(*name) == alg).map_or(LENGTHS[0].2, |(.., bytes)| *bytes)
}

/// The claims of `jwt`, authenticated with this secret.
///
/// # Errors
/// Why they are not. The algorithm is not accepted if the secret is too short for it.
pub fn verify(secret: &Secret<String>, jwt: &str) -> Result<Map<String, Value>, AssertionError> {
    let parts = Parts::of(jwt)?;
    let fits = |(name, _, bytes): &&(&str, Algorithm, usize)| *name == parts.header.alg && *bytes <= secret.expose().len();
    let (_, alg, _) = LENGTHS.iter().find(fits).ok_or(AssertionError::Algorithm)?;
    let key = DecodingKey::from_secret(secret.expose().as_bytes());
    match jsonwebtoken::crypto::verify(parts.signature, parts.message.as_bytes(), &key, *alg) {
        Ok(true) => parts.claims(),
        _ => Err(AssertionError::Signature),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::json;

    use super::*;
    use crate::foundation::encoding;

    fn secret(bytes: usize) -> Secret<String> {
        Secret::new("0123456789abcdef".repeat(4)[..bytes].to_owned())
    }

    fn signed(alg: Algorithm, secret: &Secret<String>) -> String {
        let key = EncodingKey::from_secret(secret.expose().as_bytes());
        jsonwebtoken::encode(&Header::new(alg), &json!({"iss": "app"}), &key).unwrap()
    }

    #[test]
    fn each_algorithm_needs_a_secret_as_long_as_its_hash() {
        for (name, alg, bytes) in LENGTHS {
            let own = secret(bytes);
            assert_eq!(verify(&own, &signed(alg, &own)).unwrap()["iss"], "app", "{name}");
            let short = secret(bytes - 1);
            assert_eq!(verify(&short, &signed(alg, &short)), Err(AssertionError::Algorithm), "{name}");
            assert_eq!(secret_bytes(Some(name)), bytes);
        }
        assert_eq!(secret_bytes(None), 32);
    }

    #[test]
    fn nothing_else_verifies() {
        let own = secret(64);
        let good = signed(Algorithm::HS256, &own);
        assert_eq!(verify(&secret(63), &good), Err(AssertionError::Signature));
        let (message, signature) = good.rsplit_once('.').unwrap();
        let (_, payload) = message.split_once('.').unwrap();
        for alg in ["none", "RS256", "hs256", "ES256", ""] {
            let forged = format!("{}.{payload}.{signature}", encoding::encode(json!({ "alg": alg }).to_string()));
            assert_eq!(verify(&own, &forged), Err(AssertionError::Algorithm), "{alg}");
        }
        for at in 1..good.len() {
            assert!(verify(&own, &good[..at]).is_err(), "cut at {at}");
        }
    }
}
