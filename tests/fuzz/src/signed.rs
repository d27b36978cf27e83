//! JWTs whose content is a stranger's, but whose signature holds: what is behind the check of the signature is reached, too.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use symbolon::tokens::dpop::{Proof, Request, is_thumbprint};

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap_or_else(|error| panic!("the key: {error}"))
}

/// The public key that the JWTs are signed by.
pub(crate) fn public_key() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(key().public_key()) })
}

/// Bytes as a JWT: a JSON array of a header and a payload is signed, with what the header lacks filled in; everything else stays as it is.
/// `None` when it is no text.
pub(crate) fn jwt(bytes: &[u8], default_header: &Map<String, Value>) -> Option<String> {
    let Ok([Value::Object(own), payload]) = serde_json::from_slice::<[Value; 2]>(bytes) else {
        return std::str::from_utf8(bytes).ok().map(str::to_owned);
    };
    let mut header = default_header.clone();
    header.extend(own);
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encoded(&Value::Object(header)), encoded(&payload));
    let signature = URL_SAFE_NO_PAD.encode(key().sign(text.as_bytes()));
    Some(format!("{text}.{signature}"))
}

/// A DPoP proof (RFC 9449 section 4.3).
///
/// # Panics
/// When a proof holds that names no key.
pub fn dpop_proof(bytes: &[u8]) {
    let Value::Object(header) = json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": public_key() }) else { return };
    let Some(jwt) = jwt(bytes, &header) else { return };
    for access_token in [None, Some("token")] {
        let request = Request { method: "POST", address: "https://id.example.com/token", access_token };
        if let Ok(proof) = Proof::verify(&jwt, &request) {
            assert!(is_thumbprint(proof.thumbprint()), "the key has no thumbprint");
        }
    }
}
