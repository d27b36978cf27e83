//! How answers to a client are signed and encrypted: `NAME_signed_response_alg`, `NAME_encrypted_response_alg` and `_enc` (OIDC Dynamic
//! Client Registration section 2, RFC 9701 section 6).

use serde_json::Value;

use super::reader::Reader;
use crate::clients::client::ResponseEncryption;
use crate::settings::meaning::SigningAlg;
use crate::tokens::jwe::{self, RecipientKey};

/// What stands for "not at all", as some clients write it.
const NONE: &str = "none";

/// The members for each sort of answer: `alg` and `enc`.
pub(super) const ACCESS_TOKEN: [&str; 2] = ["access_token_encrypted_response_alg", "access_token_encrypted_response_enc"];
pub(super) const ID_TOKEN: [&str; 2] = ["id_token_encrypted_response_alg", "id_token_encrypted_response_enc"];
pub(super) const USER_INFO: [&str; 2] = ["userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc"];
pub(super) const INTROSPECTION: [&str; 2] = ["introspection_encrypted_response_alg", "introspection_encrypted_response_enc"];

/// `NAME_signed_response_alg`.
pub(super) fn signing_alg(r: &mut Reader<'_>, field: &str) -> Option<SigningAlg> {
    if r.value(field).is_none_or(|value| value == NONE) {
        return None;
    }
    r.word(field, &SigningAlg::ALL.map(SigningAlg::as_str)).and_then(SigningAlg::from_name)
}

/// `NAME_encrypted_response_alg` and `_enc` (default `A256GCM`), with a key to encrypt to.
pub(super) fn encryption(
    r: &mut Reader<'_>,
    [alg_field, enc_field]: [&str; 2],
    jwks: Option<&Value>,
) -> Option<ResponseEncryption> {
    let given = |r: &Reader<'_>, field: &str| r.value(field).is_some_and(|value| value != NONE);
    if given(r, enc_field) && !given(r, alg_field) {
        r.refuse(enc_field, format!("no {alg_field}"), "both or neither", "add the alg or leave the enc out");
    }
    let alg = if given(r, alg_field) { r.word(alg_field, &jwe::ALGS) } else { None };
    let enc = if given(r, enc_field) { r.word(enc_field, &jwe::ENCS) } else { None };
    let alg = alg?;
    let enc = enc.unwrap_or(jwe::ENCS[0]);
    // What is at an address may change at any time; whether a key fits shows when it is used.
    let is_known = r.value("jwks_uri").is_none();
    if is_known && jwks.is_none_or(|jwks| RecipientKey::choose(jwks, Some((alg, enc))).is_err()) {
        let expected = format!("a key to encrypt to with {alg}");
        r.refuse("jwks", "no such key", expected, "add a key that fits, without use or with use enc");
    }
    Some(ResponseEncryption { alg: alg.to_owned(), enc: enc.to_owned() })
}
