//! Request objects (RFC 9101, OpenID Connect Core section 6): that a JWT is one, and that its client signed it. Knows forms, keys and
//! signatures; what its claims must say is checked by `grants`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::MAX_JWT;
use super::assertion::{self, AssertionError};
use crate::foundation::encoding;

/// The type that a request object may give itself (RFC 9101 section 10.8), beside none at all and `JWT`.
const TYPE: &str = "oauth-authz-req+jwt";

/// Why a JWT is no request object of the client. For the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestObjectError {
    /// Five parts.
    #[error("the request object is encrypted, and no key was published for that")]
    Encrypted,
    /// Not a JWT at all, or too long.
    #[error("the request object is not a JWT in compact form")]
    Malformed,
    /// A JWT that says that it is something else.
    #[error("the header's typ is not oauth-authz-req+jwt or JWT")]
    OtherType,
    /// Signed with another algorithm than the registered one.
    #[error("the request object is not signed with the registered request_object_signing_alg")]
    OtherAlgorithm,
    /// Not signed by a key of the client.
    #[error("{0}")]
    Signature(AssertionError),
}

impl RequestObjectError {
    /// Whether other keys of the client might verify it.
    #[must_use]
    pub const fn is_of_keys(self) -> bool {
        matches!(self, Self::Signature(error) if error.is_of_keys())
    }
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
}

/// The claims of a request object, signed by one of the public keys in `jwks`; with the algorithm `registered`, if the client has named one.
///
/// `none` and symmetric algorithms never verify, whatever is registered.
///
/// # Errors
/// Why it is not the client's.
pub fn verify(jwks: &Value, registered: Option<&str>, jwt: &str) -> Result<Map<String, Value>, RequestObjectError> {
    if jwt.len() > MAX_JWT {
        return Err(RequestObjectError::Malformed);
    }
    match jwt.bytes().filter(|byte| *byte == b'.').count() {
        2 => {}
        4 => return Err(RequestObjectError::Encrypted),
        _ => return Err(RequestObjectError::Malformed),
    }
    let header = jwt.split('.').next().and_then(encoding::decode).ok_or(RequestObjectError::Malformed)?;
    let header: Header = serde_json::from_slice(&header).map_err(|_| RequestObjectError::Malformed)?;
    // So that no other JWT which the client signs can be passed off as one (RFC 8725 section 3.11).
    if header.typ.as_deref().is_some_and(|typ| !is_type(typ)) {
        return Err(RequestObjectError::OtherType);
    }
    if registered.is_some_and(|alg| alg != header.alg) {
        return Err(RequestObjectError::OtherAlgorithm);
    }
    assertion::verify(jwks, jwt).map_err(RequestObjectError::Signature)
}

/// Whether a `typ` is ours: media types are compared without case, and `application/` may be left out (RFC 7515 section 4.1.9).
fn is_type(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    let typ = typ.strip_prefix("application/").unwrap_or(&typ);
    typ == "jwt" || typ == TYPE
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use jsonwebtoken::DecodingKey;
    use jsonwebtoken::jwk::Jwk;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn pair() -> (EcdsaKeyPair, Value) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public = DecodingKey::from_ec_der(pair.public_key().as_ref());
        let jwks = json!({ "keys": [serde_json::to_value(Jwk::from_decoding_key(&public, None).unwrap()).unwrap()] });
        (pair, jwks)
    }

    fn signed(pair: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoding::encode(header.to_string()), encoding::encode(claims.to_string()));
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", encoding::encode(signature))
    }

    #[test]
    fn the_type_is_absent_or_one_of_two() {
        let (pair, jwks) = pair();
        let claims = json!({ "client_id": "app" });
        assert!(verify(&jwks, None, &signed(&pair, &json!({ "alg": "ES256" }), &claims)).is_ok());
        for (typ, good) in [
            ("JWT", true),
            ("jwt", true),
            ("oauth-authz-req+jwt", true),
            ("application/oauth-authz-req+JWT", true),
            ("at+jwt", false),
            ("dpop+jwt", false),
            ("logout+jwt", false),
            ("", false),
        ] {
            let jwt = signed(&pair, &json!({ "alg": "ES256", "typ": typ }), &claims);
            assert_eq!(verify(&jwks, None, &jwt).is_ok(), good, "{typ}");
        }
    }

    #[test]
    fn the_registered_algorithm_is_the_only_one() {
        let (pair, jwks) = pair();
        let jwt = signed(&pair, &json!({ "alg": "ES256" }), &json!({}));
        assert!(verify(&jwks, Some("ES256"), &jwt).is_ok());
        assert_eq!(verify(&jwks, Some("PS256"), &jwt), Err(RequestObjectError::OtherAlgorithm));
    }

    #[test]
    fn unsigned_encrypted_and_forged_objects_are_refused() {
        let ((pair, jwks), (other, _)) = (pair(), pair());
        let claims = json!({ "client_id": "app" });
        let none = format!("{}.{}.", encoding::encode(r#"{"alg":"none"}"#), encoding::encode(claims.to_string()));
        let refused = |jwt: &str| verify(&jwks, None, jwt).unwrap_err();
        assert_eq!(refused(&none), RequestObjectError::Signature(AssertionError::Algorithm));
        assert_eq!(verify(&jwks, Some("none"), &none), Err(RequestObjectError::Signature(AssertionError::Algorithm)));
        let forged = signed(&other, &json!({ "alg": "ES256" }), &claims);
        assert_eq!(refused(&forged), RequestObjectError::Signature(AssertionError::Signature));
        assert_eq!(refused("a.b.c.d.e"), RequestObjectError::Encrypted);
        for bad in ["", "a", "a.b", "..", "a.b.c.d", &format!("{forged}.")] {
            assert_eq!(refused(bad), RequestObjectError::Malformed, "{bad}");
        }
        assert!(verify(&jwks, None, &signed(&pair, &json!({ "alg": "ES256" }), &claims)).is_ok());
    }

    proptest! {
        #[test]
        fn never_panics(text in "[A-Za-z0-9_.{}\":,-]{0,200}") {
            let _ = verify(&json!({ "keys": [] }), None, &text);
        }

        #[test]
        fn no_changed_object_verifies(at in 0usize..400, with in "[A-Za-z0-9_-]") {
            let (pair, jwks) = pair();
            let jwt = signed(&pair, &json!({ "alg": "ES256" }), &json!({ "client_id": "app", "scope": "openid" }));
            let at = at % jwt.len();
            let changed = format!("{}{with}{}", &jwt[..at], &jwt[at + 1..]);
            prop_assert_eq!(verify(&jwks, None, &changed).is_ok(), changed == jwt);
        }
    }
}
