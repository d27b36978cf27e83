//! Signatures of client assertions (`private_key_jwt`, RFC 7523) and of anything else a client signs with a key of its
//! registered JWK Set. Knows keys and signatures; what the claims must say is checked by `clients`.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::MAX_JWT;
use crate::foundation::encoding;

/// The algorithms that a client may sign with. All asymmetric: a shared secret never verifies (RFC 8725 section 2.1).
pub const ALGS: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// How many keys are tried for an assertion without `kid`: each costs a verification.
const MAX_TRIES: usize = 8;

/// Why an assertion is not the client's. For the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// Longer than [`MAX_JWT`].
    #[error("the assertion is too long")]
    TooLong,
    /// Not three parts of base64url with a JSON header.
    #[error("the assertion is not a signed JWT in compact form")]
    Malformed,
    /// The header demands extensions, and we know none (RFC 7515 section 4.1.11).
    #[error("the assertion's header has `crit`")]
    Critical,
    /// `none`, a symmetric algorithm, or one that is not supported.
    #[error("the assertion's algorithm is not accepted")]
    Algorithm,
    /// The client has registered no key of that name and kind.
    #[error("the client has no registered key that fits the assertion")]
    NoKey,
    /// No key that fits verifies it.
    #[error("the assertion's signature is wrong")]
    Signature,
    /// The payload is not a JSON object.
    #[error("the assertion's claims are not a JSON object")]
    Claims,
}

impl AssertionError {
    /// Whether other keys of the client might verify it.
    #[must_use]
    pub const fn is_of_keys(self) -> bool {
        matches!(self, Self::NoKey | Self::Signature)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

/// A JWT in its parts; nothing is verified yet.
pub(super) struct Parts<'a> {
    pub(super) header: Header,
    payload: &'a str,
    /// What is signed.
    pub(super) message: &'a str,
    pub(super) signature: &'a str,
}

impl<'a> Parts<'a> {
    pub(super) fn of(jwt: &'a str) -> Result<Self, AssertionError> {
        if jwt.len() > MAX_JWT {
            return Err(AssertionError::TooLong);
        }
        let (message, signature) = jwt.rsplit_once('.').ok_or(AssertionError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(AssertionError::Malformed)?;
        let header = encoding::decode(header).ok_or(AssertionError::Malformed)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| AssertionError::Malformed)?;
        if header.crit.is_some() {
            return Err(AssertionError::Critical);
        }
        Ok(Self { header, payload, message, signature })
    }

    /// The claims, for who has verified the signature.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, AssertionError> {
        let payload = encoding::decode(self.payload).ok_or(AssertionError::Malformed)?;
        serde_json::from_slice(&payload).map_err(|_| AssertionError::Claims)
    }
}

/// The claims of `jwt`, signed by one of the public keys in `jwks` (`{"keys": […]}`).
///
/// With a `kid`, the keys of that name are tried; only when the set has none, those without a name.
///
/// # Errors
/// Why it is not verified. Entries of the set that are malformed or of an unknown kind are passed over.
pub fn verify(jwks: &Value, jwt: &str) -> Result<Map<String, Value>, AssertionError> {
    let parts = Parts::of(jwt)?;
    let Parts { header, message, signature, .. } = &parts;
    let alg = algorithm(&header.alg).ok_or(AssertionError::Algorithm)?;
    let keys = fitting(jwks, alg, &header.alg, header.kid.as_deref());
    if keys.is_empty() {
        return Err(AssertionError::NoKey);
    }
    let verified = |key: &DecodingKey| matches!(jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, alg), Ok(true));
    if !keys.iter().any(verified) {
        return Err(AssertionError::Signature);
    }
    parts.claims()
}

/// The accepted algorithm of that name.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    // `ALGS` has no symmetric name, so the crate's own HS256 cannot come out of this.
    ALGS.contains(&name).then(|| name.parse().ok()).flatten()
}

/// The keys that may have made a signature with `alg`, at most [`MAX_TRIES`].
fn fitting(jwks: &Value, alg: Algorithm, name: &str, kid: Option<&str>) -> Vec<DecodingKey> {
    let entries = jwks.get("keys").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let kid_of = |entry: &Value| entry.get("kid").and_then(Value::as_str).map(str::to_owned);
    let named = kid.is_some() && entries.iter().any(|entry| kid_of(entry).as_deref() == kid);
    entries
        .iter()
        .filter(|entry| match (kid, named) {
            (None, _) => true,
            (Some(kid), true) => kid_of(entry).as_deref() == Some(kid),
            (Some(_), false) => kid_of(entry).is_none(),
        })
        .filter(|entry| entry.get("alg").is_none_or(|of_key| of_key == name))
        .filter_map(|entry| serde_json::from_value::<Jwk>(entry.clone()).ok())
        .filter(|jwk| may_verify(jwk) && is_for(jwk, alg))
        .filter_map(|jwk| DecodingKey::from_jwk(&jwk).ok())
        .take(MAX_TRIES)
        .collect()
}

/// Whether its owner meant the key for signatures (RFC 7517 sections 4.2 and 4.3).
pub(super) fn may_verify(jwk: &Jwk) -> bool {
    jwk.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
        && jwk.common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify))
}

/// Whether the key is of the kind that the algorithm takes; never a symmetric one.
pub(super) fn is_for(jwk: &Jwk, alg: Algorithm) -> bool {
    match (&jwk.algorithm, alg) {
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES384) => key.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => key.curve == EllipticCurve::Ed25519,
        (
            AlgorithmParameters::RSA(_),
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 | Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512,
        ) => true,
        _ => false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
    use jsonwebtoken::EncodingKey;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    enum Private {
        Rsa(RsaKeyPair),
        Ec(EcdsaKeyPair),
        Ed(Ed25519KeyPair),
    }

    /// A private key and its public JWK, as a client has them.
    struct Own {
        private: Private,
        jwk: Value,
    }

    fn own(alg: Algorithm) -> Own {
        let ec = |alg| EcdsaKeyPair::generate(alg).unwrap();
        let private = match alg {
            Algorithm::ES256 => Private::Ec(ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)),
            Algorithm::ES384 => Private::Ec(ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)),
            Algorithm::EdDSA => Private::Ed(Ed25519KeyPair::generate().unwrap()),
            _ => {
                let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
                Private::Rsa(RsaKeyPair::from_pkcs8(AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref()).unwrap())
            }
        };
        let public = match &private {
            Private::Rsa(pair) => DecodingKey::from_rsa_der(pair.public_key().as_ref()),
            Private::Ec(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
            Private::Ed(pair) => DecodingKey::from_ed_der(pair.public_key().as_ref()),
        };
        Own { private, jwk: serde_json::to_value(Jwk::from_decoding_key(&public, None).unwrap()).unwrap() }
    }

    fn token(own: &Own, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoding::encode(header.to_string()), encoding::encode(claims.to_string()));
        let rng = SystemRandom::new();
        let signature = match &own.private {
            Private::Rsa(pair) => {
                let padding: &dyn signature::RsaEncoding = match header["alg"].as_str().unwrap() {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    _ => &signature::RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &rng, message.as_bytes(), &mut signature).unwrap();
                signature
            }
            Private::Ec(pair) => pair.sign(&rng, message.as_bytes()).unwrap().as_ref().to_vec(),
            Private::Ed(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", encoding::encode(signature))
    }

    fn sign(own: &Own, alg: Algorithm, kid: Option<&str>) -> String {
        let mut header = json!({"alg": format!("{alg:?}")});
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        token(own, &header, &json!({"iss": "app", "n": 7}))
    }

    fn set(keys: &[&Value]) -> Value {
        json!({ "keys": keys })
    }

    fn with(jwk: &Value, member: &str, value: Value) -> Value {
        let mut jwk = jwk.clone();
        jwk[member] = value;
        jwk
    }

    #[test]
    fn every_accepted_algorithm_verifies() {
        let rsa = own(Algorithm::RS256);
        for name in ALGS {
            let alg: Algorithm = name.parse().unwrap();
            let fresh;
            let key = if name.starts_with(['R', 'P']) {
                &rsa
            } else {
                fresh = own(alg);
                &fresh
            };
            let claims = verify(&set(&[&key.jwk]), &sign(key, alg, None)).unwrap();
            assert_eq!((claims["iss"].as_str(), claims["n"].as_u64()), (Some("app"), Some(7)), "{name}");
        }
    }

    #[test]
    fn the_kid_chooses_and_without_one_every_key_that_fits_is_tried() {
        let (a, b) = (own(Algorithm::ES256), own(Algorithm::ES256));
        let (named_a, named_b) = (with(&a.jwk, "kid", json!("a")), with(&b.jwk, "kid", json!("b")));
        let jwks = set(&[&named_a, &named_b]);
        assert!(verify(&jwks, &sign(&b, Algorithm::ES256, Some("b"))).is_ok());
        assert!(verify(&jwks, &sign(&b, Algorithm::ES256, None)).is_ok());
        assert_eq!(verify(&jwks, &sign(&b, Algorithm::ES256, Some("a"))), Err(AssertionError::Signature));
        assert_eq!(verify(&jwks, &sign(&b, Algorithm::ES256, Some("c"))), Err(AssertionError::NoKey));
        // A set without names serves an assertion that gives one.
        assert!(verify(&set(&[&a.jwk, &b.jwk]), &sign(&b, Algorithm::ES256, Some("c"))).is_ok());
    }

    #[test]
    fn no_more_keys_are_tried_than_the_limit() {
        let others: Vec<_> = (0..MAX_TRIES).map(|_| own(Algorithm::ES256).jwk).collect();
        let mine = own(Algorithm::ES256);
        let mut keys: Vec<_> = others.iter().collect();
        keys.push(&mine.jwk);
        assert_eq!(verify(&set(&keys), &sign(&mine, Algorithm::ES256, None)), Err(AssertionError::Signature));
        keys.remove(0);
        assert!(verify(&set(&keys), &sign(&mine, Algorithm::ES256, None)).is_ok());
    }

    #[test]
    fn a_key_meant_for_something_else_is_not_used() {
        let mine = own(Algorithm::RS256);
        let jwt = sign(&mine, Algorithm::RS256, None);
        for (member, value, fits) in [
            ("use", json!("sig"), true),
            ("use", json!("enc"), false),
            ("key_ops", json!(["verify"]), true),
            ("key_ops", json!(["encrypt"]), false),
            ("alg", json!("RS256"), true),
            ("alg", json!("PS256"), false),
            ("alg", json!("RSA-OAEP-256"), false),
        ] {
            let key = with(&mine.jwk, member, value.clone());
            assert_eq!(verify(&set(&[&key]), &jwt).is_ok(), fits, "{member} {value}");
        }
    }

    #[test]
    fn malformed_and_foreign_entries_are_passed_over() {
        let mine = own(Algorithm::EdDSA);
        let jwt = sign(&mine, Algorithm::EdDSA, None);
        let oct = json!({"kty": "oct", "k": "AAAA"});
        let odd = [json!(null), json!("x"), json!({}), json!({"kty": "EC", "crv": "P-256"}), json!({"kty": "new"}), oct];
        let mut keys: Vec<_> = odd.iter().collect();
        keys.push(&mine.jwk);
        assert!(verify(&set(&keys), &jwt).is_ok());
        for nothing in [json!(null), json!({}), json!({"keys": {}}), json!([]), set(&[])] {
            assert_eq!(verify(&nothing, &jwt), Err(AssertionError::NoKey));
        }
    }

    #[test]
    fn a_public_key_is_never_a_shared_secret() {
        let mine = own(Algorithm::RS256);
        let secret = mine.jwk["n"].as_str().unwrap();
        let oct = json!({"kty": "oct", "k": secret, "kid": "x"});
        for bytes in [secret.as_bytes().to_vec(), encoding::decode(secret).unwrap(), mine.jwk.to_string().into_bytes()] {
            let forged =
                jsonwebtoken::encode(&jsonwebtoken::Header::new(Algorithm::HS256), &json!({}), &EncodingKey::from_secret(&bytes));
            assert_eq!(verify(&set(&[&mine.jwk, &oct]), &forged.unwrap()), Err(AssertionError::Algorithm));
        }
    }

    #[test]
    fn none_crit_and_broken_forms_are_refused() {
        let mine = own(Algorithm::ES256);
        let jwks = set(&[&mine.jwk]);
        let payload = encoding::encode("{}");
        let forged = |header: &str| format!("{}.{payload}.", encoding::encode(header));
        assert_eq!(verify(&jwks, &forged(r#"{"alg":"none"}"#)), Err(AssertionError::Algorithm));
        assert_eq!(verify(&jwks, &forged(r#"{"alg":"es256"}"#)), Err(AssertionError::Algorithm));
        assert_eq!(verify(&jwks, &forged(r#"{"alg":"ES256"}"#)), Err(AssertionError::Signature));
        assert_eq!(verify(&jwks, &forged(r#"{"alg":"ES256","alg":"none"}"#)), Err(AssertionError::Malformed));
        assert_eq!(verify(&jwks, &forged(r#"{"alg":"ES256","crit":["exp"]}"#)), Err(AssertionError::Critical));
        let good = sign(&mine, Algorithm::ES256, None);
        for at in 1..good.len() {
            assert!(verify(&jwks, &good[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(verify(&jwks, &format!("{good}.x")), Err(AssertionError::Signature));
        assert_eq!(verify(&jwks, &"a".repeat(MAX_JWT + 1)), Err(AssertionError::TooLong));
    }

    #[test]
    fn claims_that_are_no_object_are_refused() {
        let mine = own(Algorithm::ES256);
        let signed = token(&mine, &json!({"alg": "ES256"}), &json!([1, 2]));
        assert_eq!(verify(&set(&[&mine.jwk]), &signed), Err(AssertionError::Claims));
    }

    #[test]
    fn a_weak_or_impossible_key_verifies_nothing() {
        let weak = json!({"kty": "RSA", "n": encoding::encode([0xc5; 64]), "e": "AQAB"});
        let off_curve = json!({"kty": "EC", "crv": "P-256", "x": encoding::encode([1; 32]), "y": encoding::encode([1; 32])});
        let (rsa, ec) = (own(Algorithm::RS256), own(Algorithm::ES256));
        assert_eq!(verify(&set(&[&weak]), &sign(&rsa, Algorithm::RS256, None)), Err(AssertionError::Signature));
        assert_eq!(verify(&set(&[&off_curve]), &sign(&ec, Algorithm::ES256, None)), Err(AssertionError::Signature));
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_never_verifies(text in "[A-Za-z0-9_.-]{0,200}|.{0,100}") {
            let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": encoding::encode([9; 32])}]});
            prop_assert!(verify(&jwks, &text).is_err());
        }
    }
}
