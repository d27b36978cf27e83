//! Signed tokens as a stranger checks them: by the published keys, and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Header, Validation, decode, decode_header};
use serde_json::Value;

use super::server::Server;

/// The claims without any check.
#[track_caller]
pub(crate) fn claims(jwt: &str) -> Value {
    part(jwt, 1)
}

/// The header without any check.
#[track_caller]
pub(crate) fn header(jwt: &str) -> Value {
    part(jwt, 0)
}

#[track_caller]
fn part(jwt: &str, n: usize) -> Value {
    let text = jwt.split('.').nth(n).unwrap_or_else(|| panic!("not a JWT: {jwt}"));
    let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON in a JWT")
}

/// The same token with one claim changed and the old signature.
#[track_caller]
pub(crate) fn tampered(jwt: &str, name: &str, value: Value) -> String {
    let mut claims = claims(jwt);
    claims[name] = value;
    let parts: Vec<&str> = jwt.split('.').collect();
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
}

/// The same claims with `alg` "none" and no signature.
#[track_caller]
pub(crate) fn unsigned(jwt: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    format!("{header}.{}.", jwt.split('.').nth(1).expect("claims"))
}

/// The header and the plain text of a JWE (RSA-OAEP-256 and A256GCM, RFC 7516 section 5.2) for the owner of a PKCS #8 key.
#[track_caller]
pub(crate) fn opened(private: &[u8], jwe: &str) -> (Value, String) {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
    let parts: Vec<&str> = jwe.split('.').collect();
    assert_eq!(parts.len(), 5, "not a JWE: {jwe}");
    let header = header(jwe);
    assert_eq!((&header["alg"], &header["enc"]), (&"RSA-OAEP-256".into(), &"A256GCM".into()));
    let part = |n: usize| URL_SAFE_NO_PAD.decode(parts[n]).expect("base64url");
    let key = PrivateDecryptingKey::from_pkcs8(private).expect("a key");
    let key = OaepPrivateDecryptingKey::new(key).expect("a key for OAEP");
    let mut room = vec![0; key.min_output_size()];
    let content_key = key.decrypt(&OAEP_SHA256_MGF1SHA256, &part(1), &mut room, None).expect("a key encrypted to us");
    let content_key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, content_key).expect("256 bits"));
    let nonce = Nonce::try_assume_unique_for_key(&part(2)).expect("96 bits");
    let mut text = [part(3), part(4)].concat();
    let plain = content_key.open_in_place(nonce, Aad::from(parts[0].as_bytes()), &mut text).expect("an authentic text");
    (header, String::from_utf8(plain.to_vec()).expect("UTF-8"))
}

impl Server {
    /// The published keys.
    #[track_caller]
    pub(crate) fn keys(&self) -> JwkSet {
        serde_json::from_value(self.get("/jwks.json").ok()).expect("a JWK Set")
    }

    /// Whether the signature is by a published key, with the header's `kid` and `alg`.
    #[track_caller]
    pub(crate) fn verified(&self, jwt: &str) -> (Header, Value) {
        let header = decode_header(jwt).unwrap_or_else(|error| panic!("no JWT ({error}): {jwt}"));
        let kid = header.kid.as_deref().expect("a kid");
        let keys = self.keys();
        let key = keys.find(kid).unwrap_or_else(|| panic!("kid {kid} is not published"));
        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let token = decode::<Value>(jwt, &DecodingKey::from_jwk(key).expect("a usable key"), &validation);
        let token = token.unwrap_or_else(|error| panic!("a bad signature ({error}): {jwt}"));
        (header, token.claims)
    }
}
