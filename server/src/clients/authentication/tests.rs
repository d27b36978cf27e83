//! Every method with its right and its wrong credentials, and the whole of RFC 7523 section 3.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Map, Value, json};

use super::*;
use crate::clients::metadata::tests::{known_scopes, sealing};
use crate::foundation::encoding;
use crate::outbound::Outbound;
use crate::settings::meaning::FileClient;
use crate::storage::memory::Memory;

const NOW: u64 = 1_800_000_000;
const MAC_SECRET: &str = "0123456789012345678901234567890123456789";
const ISSUER: &str = "https://op.example";
const AUDIENCES: [&str; 2] = [ISSUER, "https://op.example/token"];

struct House {
    clients: Clients,
    store: SharedStore,
    clock: Clock,
    key: EcdsaKeyPair,
}

fn jwk(key: &EcdsaKeyPair) -> Value {
    let point = key.public_key().as_ref();
    json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "k", "x": encoding::encode(&point[1..33]), "y": encoding::encode(&point[33..65])})
}

fn house() -> House {
    let clock = Clock::manual(NOW);
    let store: SharedStore = Arc::new(Memory::new(clock.clone()));
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let redirect = json!(["https://a.example/"]);
    let file: Vec<FileClient> = [
        json!({"client_id": "public", "token_endpoint_auth_method": "none", "redirect_uris": redirect}),
        json!({"client_id": "basic", "client_secret": "a+b c%41:d", "redirect_uris": redirect}),
        json!({"client_id": "post", "client_secret": "secret of post", "token_endpoint_auth_method": "client_secret_post", "redirect_uris": redirect}),
        json!({"client_id": "jwt", "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [jwk(&key)]}, "redirect_uris": redirect}),
        json!({"client_id": "rsa", "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "RS256",
            "jwks": {"keys": [jwk(&key)]}, "redirect_uris": redirect}),
        json!({"client_id": "mac", "token_endpoint_auth_method": "client_secret_jwt", "client_secret": MAC_SECRET, "redirect_uris": redirect}),
    ]
    .into_iter()
    .map(|metadata| FileClient { metadata: metadata.as_object().unwrap().clone(), place: "test.toml:1".to_owned() })
    .collect();
    let clients = Clients::new(Arc::clone(&store), clock.clone(), Outbound::new(true), sealing(), &file, known_scopes()).unwrap();
    House { clients, store, clock, key }
}

impl House {
    async fn ask(&self, presented: Presented) -> Result<AuthenticatedClient, AuthenticationError> {
        authenticate(&self.clients, &self.store, &self.clock, &AUDIENCES, presented).await
    }

    fn sign(key: &EcdsaKeyPair, claims: &Value) -> String {
        let head = encoding::encode(r#"{"alg":"ES256","typ":"JWT","kid":"k"}"#);
        let signed = format!("{head}.{}", encoding::encode(claims.to_string()));
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encoding::encode(signature))
    }

    async fn assert(&self, claims: &Value) -> Result<AuthenticatedClient, AuthenticationError> {
        let assertion = Secret::new(Self::sign(&self.key, claims));
        self.ask(Presented::Assertion { client_id: None, assertion }).await
    }
}

fn post(id: &str, secret: &str) -> Presented {
    Presented::Post { client_id: id.to_owned(), secret: Secret::new(secret.to_owned()) }
}

fn basic(id: &str, secret: &str) -> Presented {
    Presented::Basic { client_id: id.to_owned(), secret: Secret::new(secret.to_owned()) }
}

fn none(id: &str) -> Presented {
    Presented::None { client_id: id.to_owned(), certificate: None }
}

/// Valid claims with members replaced; `null` removes one.
fn claims(more: &Value) -> Value {
    let mut out = json!({"iss": "jwt", "sub": "jwt", "aud": ISSUER, "exp": NOW + 300, "iat": NOW, "jti": "1"});
    let map: &mut Map<String, Value> = out.as_object_mut().unwrap();
    map.extend(more.as_object().unwrap().clone());
    map.retain(|_, value| !value.is_null());
    out
}

#[tokio::test]
async fn the_registered_method_opens() {
    let house = house();
    for (presented, id) in
        [(none("public"), "public"), (basic("basic", "a+b c%41:d"), "basic"), (post("post", "secret of post"), "post")]
    {
        assert_eq!(house.ask(presented).await.unwrap().client().id, id);
    }
    assert_eq!(house.assert(&claims(&json!({}))).await.unwrap().client().id, "jwt");
}

#[tokio::test]
async fn a_plus_in_basic_may_be_either() {
    let house = house();
    // As parse_basic reads an unencoded `a+b+c`: all plus signs became spaces.
    let added = json!({"client_id": "plus", "client_secret": "ab+cd+ef", "redirect_uris": ["https://a.example/"]});
    house.clients.add(added.as_object().unwrap()).await.unwrap();
    assert!(house.ask(basic("plus", "ab cd ef")).await.is_ok());
    assert!(house.ask(basic("plus", "ab+cd+ef")).await.is_ok());
    assert!(matches!(house.ask(basic("plus", "ab-cd-ef")).await, Err(AuthenticationError::WrongSecret(_))));
}

#[tokio::test]
async fn everything_else_reads_the_same() {
    let house = house();
    let assertion =
        |id: Option<&str>, jwt: String| Presented::Assertion { client_id: id.map(str::to_owned), assertion: Secret::new(jwt) };
    let mut descriptions = Vec::new();
    for presented in [
        none("nobody"),
        none("basic"),
        none("jwt"),
        none(""),
        basic("nobody", "secret of post"),
        basic("basic", "wrong"),
        basic("basic", ""),
        basic("post", "secret of post"),
        basic("public", ""),
        post("basic", "a+b c%41:d"),
        post("post", "Secret of post"),
        post("post", "secret+of+post"),
        post("public", "anything"),
        post("jwt", "anything"),
        assertion(None, "x.y.z".to_owned()),
        assertion(None, String::new()),
        assertion(None, "x".repeat(20_000)),
        assertion(Some("basic"), House::sign(&house.key, &claims(&json!({})))),
        assertion(None, House::sign(&house.key, &claims(&json!({"iss": "basic", "sub": "basic"})))),
        assertion(None, House::sign(&house.key, &claims(&json!({"iss": "nobody", "sub": "nobody"})))),
    ] {
        let shown = format!("{presented:?}");
        let error = house.ask(presented).await.expect_err(&shown);
        let error = OAuthError::from(error);
        assert_eq!((&error.code, error.status()), (&ErrorCode::InvalidClient, 401), "{shown}");
        let cause = error.cause.unwrap();
        assert!(!cause.contains("secret of post") && !cause.contains("anything"));
        descriptions.push(error.description);
    }
    descriptions.dedup();
    assert_eq!(descriptions.len(), 1);
}

#[tokio::test]
async fn an_assertion_must_keep_every_rule() {
    let house = house();
    for (more, cause) in [
        (json!({"iss": "other"}), "iss and sub"),
        (json!({"iss": null}), "iss and sub"),
        (json!({"aud": "https://elsewhere.example"}), "aud"),
        (json!({"aud": ["https://op.example/", 7]}), "aud"),
        (json!({"aud": null}), "aud"),
        (json!({"exp": null}), "exp is missing"),
        (json!({"exp": "soon"}), "exp is missing"),
        (json!({"exp": -1}), "exp is missing"),
        (json!({"exp": NOW - 60}), "expired"),
        (json!({"exp": NOW + 3661}), "one hour"),
        (json!({"nbf": NOW + 61}), "future"),
        (json!({"iat": NOW + 61}), "future"),
        (json!({"iat": "now"}), "no time"),
        (json!({"jti": 7}), "jti"),
        (json!({"jti": ""}), "jti"),
        (json!({"jti": "x".repeat(513)}), "jti"),
    ] {
        let error = house.assert(&claims(&more)).await.expect_err(&more.to_string());
        assert!(error.to_string().contains(cause), "{more}: {error}");
    }
    for (n, more) in [
        json!({"aud": ["https://elsewhere.example", AUDIENCES[1]]}),
        json!({"exp": NOW - 59}),
        json!({"exp": NOW + 3660}),
        json!({"exp": 1.8e9 + 60.5}),
        json!({"nbf": NOW + 60, "iat": NOW + 60}),
        json!({"iat": null}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut more = more;
        more["jti"] = json!(format!("n{n}"));
        assert!(house.assert(&claims(&more)).await.is_ok(), "{more}");
    }
}

#[tokio::test]
async fn only_the_key_of_the_client_signs() {
    let house = house();
    let stranger = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let good = House::sign(&house.key, &claims(&json!({})));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let unsigned = format!("{}.{}.", encoding::encode(r#"{"alg":"none"}"#), encoding::encode(claims(&json!({})).to_string()));
    let swapped = format!("{}.{signature}", House::sign(&house.key, &claims(&json!({"jti": "2"}))).rsplit_once('.').unwrap().0);
    for jwt in [House::sign(&stranger, &claims(&json!({}))), unsigned, swapped, format!("{signed}.")] {
        let error = house.ask(Presented::Assertion { client_id: None, assertion: Secret::new(jwt) }).await.unwrap_err();
        assert!(matches!(error, AuthenticationError::Assertion { problem: AssertionProblem::Signature(_), .. }), "{error}");
    }
    let error = house.assert(&claims(&json!({"iss": "rsa", "sub": "rsa"}))).await.unwrap_err();
    assert!(matches!(error, AuthenticationError::Assertion { problem: AssertionProblem::OtherAlgorithm, .. }), "{error}");
    assert!(house.ask(Presented::Assertion { client_id: Some("jwt".to_owned()), assertion: Secret::new(good) }).await.is_ok());
}

#[tokio::test]
async fn an_assertion_is_used_once() {
    let house = house();
    let with_id = claims(&json!({"jti": "once"}));
    let replayed =
        |error: &AuthenticationError| matches!(error, AuthenticationError::Assertion { problem: AssertionProblem::Replayed, .. });
    assert!(house.assert(&with_id).await.is_ok());
    // Signed anew, so another text, but the same id.
    assert!(replayed(&house.assert(&with_id).await.unwrap_err()));
    house.clock.advance(Duration::from_secs(359));
    assert!(replayed(&house.assert(&with_id).await.unwrap_err()), "remembered as long as it is accepted");
    house.clock.advance(Duration::from_secs(1));
    assert!(house.assert(&with_id).await.unwrap_err().to_string().contains("expired"));
    // Without an id, what was signed counts, whatever the signature.
    let without = claims(&json!({"jti": null, "exp": NOW + 600, "iat": NOW}));
    assert!(house.assert(&without).await.is_ok());
    assert!(replayed(&house.assert(&without).await.unwrap_err()));
    assert!(house.assert(&claims(&json!({"jti": null, "exp": NOW + 601, "iat": NOW}))).await.is_ok());
}

#[tokio::test]
async fn of_many_at_once_one_gets_through() {
    let house = house();
    let jwt = House::sign(&house.key, &claims(&json!({})));
    let asks = (0..20).map(|_| house.ask(Presented::Assertion { client_id: None, assertion: Secret::new(jwt.clone()) }));
    let answers = futures_util::future::join_all(asks).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
}

fn mac(secret: &str, id: &str) -> Presented {
    let claims = json!({"iss": id, "sub": id, "aud": ISSUER, "exp": NOW + 300, "jti": "m"});
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    let assertion = jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256), &claims, &key).unwrap();
    Presented::Assertion { client_id: None, assertion: Secret::new(assertion) }
}

#[tokio::test]
async fn a_method_verifies_by_its_own_means_alone() {
    let house = house();
    assert!(house.ask(mac(MAC_SECRET, "mac")).await.is_ok());
    assert!(house.ask(mac("another secret that is long enough, too", "mac")).await.is_err());
    // Each method that the client did not register.
    assert!(house.ask(post("mac", MAC_SECRET)).await.is_err());
    assert!(house.ask(basic("mac", MAC_SECRET)).await.is_err());
    assert!(house.ask(none("mac")).await.is_err());
    assert!(house.assert(&claims(&json!({"iss": "mac", "sub": "mac"}))).await.is_err());
    // The text of a public key is no secret.
    for text in [jwk(&house.key).to_string(), jwk(&house.key)["x"].as_str().unwrap().to_owned()] {
        assert!(house.ask(mac(&text, "jwt")).await.is_err());
    }
    assert!(house.ask(mac("a+b c%41:d", "basic")).await.is_err());
}
