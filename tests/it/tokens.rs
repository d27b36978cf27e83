//! How tokens are written: algorithms, opaque handles, encryption, and keys that change while old tokens stay good.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::harness::cast::{BY_ALG, ONE, OPAQUE, TWO};
use crate::harness::request::half_sha256;
use crate::harness::{Server, Setup, Tokens, jwt, shared};

/// A resource server's RSA key: the private half as PKCS #8, the public one as JWK.
pub(crate) fn encryption_key() -> &'static (Vec<u8>, Value) {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    static KEY: OnceLock<(Vec<u8>, Value)> = OnceLock::new();
    KEY.get_or_init(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let private: Pkcs8V1Der<'_> = pair.as_der().expect("PKCS #8");
        let public = pair.public_key();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk = json!({
            "kty": "RSA", "use": "enc", "alg": "RSA-OAEP-256", "kid": "api-enc",
            "n": part(public.modulus().big_endian_without_leading_zero()),
            "e": part(public.exponent().big_endian_without_leading_zero()),
        });
        (private.as_ref().to_vec(), jwk)
    })
}

/// A server whose exchanges give encrypted access tokens for that resource server.
pub(crate) fn encrypting() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let resource = json!([{ "identifier": "https://api.example.com", "jwks": { "keys": [encryption_key().1] } }]);
        Setup::new()
            .set("resource_servers", resource)
            .property("op.deviceSSOHandler.accessToken.encrypt", "true")
            .property("op.deviceSSOHandler.accessToken.audienceList", "https://api.example.com")
            .start()
    })
}

#[test]
fn an_encrypted_access_token_is_a_nested_jwe_that_the_server_still_knows() {
    let server = encrypting();
    let device = server.device(ONE);
    let tokens = Tokens(server.exchange(TWO, &device, "openid profile").ok());
    assert_eq!(tokens.access().split('.').count(), 5);
    let header = jwt::header(tokens.access());
    assert_eq!(header["alg"], "RSA-OAEP-256");
    assert!(header["enc"].is_string());
    assert_eq!(header["kid"], "api-enc");
    assert_eq!(header["cty"].as_str().map(str::to_uppercase).as_deref(), Some("JWT"));
    let answer = server.introspect(tokens.access());
    assert_eq!((&answer["active"], &answer["client_id"]), (&json!(true), &json!(TWO.id)));
    assert_eq!(jwt::claims(tokens.id())["at_hash"], half_sha256(tokens.access()).as_str());
    server.userinfo(tokens.access()).ok();
    server.revoke(TWO, tokens.access());
    assert!(!server.is_active(tokens.access()));
    let tokens = Tokens(server.exchange(TWO, &device, "openid").ok());
    server.revoke(ONE, device.secret());
    assert!(!server.is_active(tokens.access()), "it ends with the session too");
}

#[test]
fn encryption_without_a_key_to_encrypt_to_is_no_plain_token() {
    let server = Setup::new().property("op.deviceSSOHandler.accessToken.encrypt", "true").start();
    let answer = server.exchange(TWO, &server.device(ONE), "openid");
    assert_ne!(answer.status, 200, "never less protected than the handler demanded: {}", answer.body);
    assert_eq!(answer.json()["error"], "server_error");
}

#[test]
fn without_a_resource_server_it_is_encrypted_to_the_client() {
    let server = Setup::new()
        .property("op.deviceSSOHandler.accessToken.encrypt", "true")
        .client(TWO.id, "jwks", json!({ "keys": [encryption_key().1] }))
        .client(TWO.id, "access_token_encrypted_response_alg", "RSA-OAEP-256")
        .client(TWO.id, "access_token_encrypted_response_enc", "A128GCM")
        .start();
    let tokens = Tokens(server.exchange(TWO, &server.device(ONE), "openid").ok());
    let header = jwt::header(tokens.access());
    assert_eq!((&header["alg"], &header["enc"]), (&json!("RSA-OAEP-256"), &json!("A128GCM")));
    assert!(server.is_active(tokens.access()));
}

#[test]
fn an_opaque_token_has_nothing_to_read() {
    let server = shared::usual();
    let tokens = server.sign_in(OPAQUE, &server.person(), "openid");
    assert!(tokens.access().len() >= 43);
    assert!(!tokens.access().starts_with("eyJ"));
    assert_eq!(jwt::claims(tokens.id())["at_hash"], half_sha256(tokens.access()).as_str());
}

#[test]
fn the_servers_default_algorithm_can_be_changed() {
    for alg in ["ES256", "PS256", "EdDSA"] {
        let server = Setup::new().set("tokens.signing_alg", alg).start();
        let tokens = server.device(ONE);
        for token in [tokens.id(), tokens.access()] {
            assert_eq!(jwt::header(token)["alg"], alg);
            server.verified(token);
        }
        let (by_client, client) = BY_ALG[0];
        let other = Tokens(server.exchange(client, &tokens, "openid").ok());
        assert_eq!(jwt::header(other.id())["alg"], by_client, "the client's own wins");
        let next = Tokens(server.token(TWO, server.exchange_form(other.id(), tokens.secret())).ok());
        server.verified(next.id());
    }
}

#[test]
fn a_rotated_key_signs_and_the_old_one_still_verifies() {
    let server = Setup::new().start();
    let before = server.device(ONE);
    let old = jwt::header(before.id())["kid"].clone();
    server.command(&["key", "rotate", "--immediately"]).fine();
    let after = server.device(ONE);
    assert_ne!(jwt::header(after.id())["kid"], old, "the new key signs");
    server.verified(after.id());
    server.verified(before.id());
    server.userinfo(before.access()).ok();
    let tokens = Tokens(server.exchange(TWO, &before, "openid").ok());
    server.verified(tokens.id());
    let keys = server.keys().keys.len();
    server.kill();
    server.start_again();
    assert_eq!(server.keys().keys.len(), keys);
    server.exchange(TWO, &before, "openid").ok();
}

#[test]
fn a_key_is_published_before_it_signs() {
    let server = Setup::new().start();
    let old = jwt::header(server.device(ONE).id())["kid"].clone();
    let before = server.keys().keys.len();
    server.command(&["key", "rotate", "--alg", "RS256"]).fine();
    assert_eq!(server.keys().keys.len(), before + 1, "published at once");
    assert_eq!(jwt::header(server.device(ONE).id())["kid"], old, "but not used within the hour");
    let listed = server.command(&["key", "list", "--json"]).fine().json();
    assert!(listed.as_array().is_some_and(|keys| keys.len() > before), "{listed}");
}
