//! Keys of clients by address (`jwks_uri`): fetched when they are needed, kept for a while, fetched again when a key is unknown, and never more
//! often than a client can bear.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::harness::app::now;
use crate::harness::cast::{BACKEND_JWT, Client, ONE, TWO, client_key};
use crate::harness::server::http;
use crate::harness::{Answer, Authorization, Browser, Form, RelyingParty, Reply, Server, Setup, Tokens, jwt};
use crate::tokens::encryption_key;

const PATH: &str = "/keys";

/// A server that knows the address of the keys of [`BACKEND_JWT`].
fn setup(party: &RelyingParty) -> Setup {
    Setup::new()
        .set("telemetry.format", "json")
        .set("outbound.allow_private_addresses", true)
        .client(BACKEND_JWT.id, "jwks", Value::Null)
        .client(BACKEND_JWT.id, "jwks_uri", party.url(PATH))
        .client(BACKEND_JWT.id, "grant_types", json!(["authorization_code", "client_credentials"]))
}

/// A client that publishes this key.
fn publishing(jwk: &Value) -> RelyingParty {
    let party = RelyingParty::answering(&[]);
    publish(&party, jwk);
    party
}

fn publish(party: &RelyingParty, jwk: &Value) {
    party.publish(PATH, json!({ "keys": [jwk] }).to_string());
}

fn usual_key() -> Value {
    serde_json::to_value(&client_key().1).expect("a JWK")
}

/// Another key of the client, of this name.
pub(crate) fn another_key(kid: &str) -> (EncodingKey, Value) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let key = EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("PKCS #8").as_ref());
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a JWK");
    jwk.common.key_id = Some(kid.to_owned());
    (key, serde_json::to_value(jwk).expect("a JWK"))
}

/// Asks for a token with an assertion that is signed so.
#[track_caller]
fn ask(server: &Server, kid: &str, key: &EncodingKey) -> Answer {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(kid.to_owned());
    let assertion = encode(&header, &server.assertion_claims(BACKEND_JWT), key).expect("an assertion");
    let form = Form::of(&[
        ("grant_type", "client_credentials"),
        ("scope", "read"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
    ]);
    Server::send(http().post(server.url("/token")).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.encoded()))
}

#[track_caller]
fn ask_as_usual(server: &Server) -> Answer {
    ask(server, "client-key", &client_key().0)
}

#[test]
fn keys_are_fetched_once_and_again_when_one_is_unknown() {
    let party = publishing(&usual_key());
    let server = setup(&party).start();
    assert_eq!(party.asked().len(), 0, "nobody is asked before it is needed");
    for _ in 0..3 {
        ask_as_usual(&server).ok();
    }
    assert_eq!(party.asked(), [format!("GET {PATH} HTTP/1.1")]);
    // The client has a new key and uses it at once.
    let (key, jwk) = another_key("second");
    publish(&party, &jwk);
    ask(&server, "second", &key).ok();
    assert_eq!(party.asked().len(), 2);
    ask_as_usual(&server).refused(401, "invalid_client");
    // A stranger who makes names up cannot make the server ask and ask.
    for n in 0..5 {
        ask(&server, &format!("made-up-{n}"), &key).refused(401, "invalid_client");
    }
    assert_eq!(party.asked().len(), 2);
    ask(&server, "second", &key).ok();
}

#[test]
fn a_key_that_was_exchanged_under_its_name_is_found() {
    let party = publishing(&usual_key());
    let server = setup(&party).start();
    ask_as_usual(&server).ok();
    let (key, jwk) = another_key("client-key");
    publish(&party, &jwk);
    ask(&server, "client-key", &key).ok();
    ask_as_usual(&server).refused(401, "invalid_client");
}

#[test]
fn callers_at_the_same_time_share_one_fetch() {
    let party = publishing(&usual_key());
    party.then(Reply::Late(Duration::from_millis(300)));
    let server = setup(&party).start();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| ask_as_usual(&server).status)).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("a thread"), 200);
        }
    });
    assert_eq!(party.asked().len(), 1);
}

#[test]
fn keys_that_were_fetched_outlive_a_fetch_that_fails() {
    let party = publishing(&usual_key());
    let server = setup(&party).start();
    ask_as_usual(&server).ok();
    party.then(Reply::Status(500));
    ask(&server, "unknown", &another_key("unknown").0).refused(401, "invalid_client");
    assert_eq!(party.asked().len(), 2);
    ask_as_usual(&server).ok();
}

#[test]
fn keys_that_cannot_be_fetched_are_an_invalid_client_and_the_log_says_why() {
    for (reply, document, why) in [
        (Reply::Status(404), String::new(), "status 404"),
        (Reply::Status(302), json!({ "keys": [usual_key()] }).to_string(), "status 302"),
        (Reply::Status(200), "<html>".to_owned(), "no JSON"),
        (Reply::Status(200), json!({ "keys": [] }).to_string(), "not a JWK set"),
        (Reply::Status(200), json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] }).to_string(), "not a JWK set"),
        (Reply::Status(200), json!({ "keys": [usual_key()], "more": "x".repeat(70_000) }).to_string(), "more than"),
    ] {
        let party = RelyingParty::answering(&[reply]);
        party.publish(PATH, document);
        let server = setup(&party).start();
        let body = ask_as_usual(&server).refused(401, "invalid_client");
        assert!(!body.to_string().contains("jwks"), "{body}");
        // Nor is it asked again at once.
        ask_as_usual(&server).refused(401, "invalid_client");
        assert_eq!(party.asked().len(), 1);
        assert!(server.log().contains(why), "{why}: {}", server.log());
    }
}

#[test]
fn private_addresses_are_not_asked_unless_that_is_allowed() {
    let party = publishing(&usual_key());
    let server = setup(&party).set("outbound.allow_private_addresses", false).start();
    ask_as_usual(&server).refused(401, "invalid_client");
    assert_eq!(party.asked().len(), 0);
    assert!(server.log().contains("outbound.allow_private_addresses"));
}

/// A request object with everything that `request` says.
fn object(server: &Server, request: &Authorization, key: &EncodingKey) -> String {
    let mut claims = json!({ "iss": request.client.id, "aud": server.issuer, "exp": now() + 60 });
    for (name, value) in &request.form.0 {
        claims[name] = value.as_str().into();
    }
    encode(&Header::new(Algorithm::ES256), &claims, key).expect("a request object")
}

fn by_value(request: &Authorization, object: &str) -> Authorization {
    Authorization { form: Form::of(&[("client_id", request.client.id), ("request", object)]), ..request.clone() }
}

#[test]
fn request_objects_are_verified_with_them() {
    let (key, jwk) = another_key("of-objects");
    let party = publishing(&jwk);
    let server = setup(&party).client(ONE.id, "jwks_uri", party.url(PATH)).start();
    let request = Authorization::new(ONE, "openid");
    let browser = Browser::new();
    let parameters =
        browser.authorize(&server, &by_value(&request, &object(&server, &request, &key)), &server.person()).parameters();
    assert_eq!(parameters["state"], request.state);
    let pushed = Form::of(&[("request", &object(&server, &request, &key))]);
    assert_eq!(server.post_as(ONE, "/par", pushed).status, 201);
    let forged = by_value(&request, &object(&server, &request, &another_key("of-objects").0)).set("redirect_uri", ONE.redirect);
    assert_eq!(browser.ask(&server, &forged.set("state", &request.state)).error(&request, &server), "invalid_request_object");
    // An address that gives nothing is told apart from a wrong signature.
    let nowhere = RelyingParty::answering(&[Reply::Status(404)]);
    let server = setup(&party).client(ONE.id, "jwks_uri", nowhere.url(PATH)).start();
    let body = server
        .post_as(ONE, "/par", Form::of(&[("request", &object(&server, &request, &key))]))
        .refused(400, "invalid_request_object");
    assert!(body["error_description"].as_str().is_some_and(|text| text.contains("fetched")), "{body}");
}

/// A server that encrypts ID tokens to [`ONE`] and access tokens to [`TWO`], with keys from an address.
fn encrypting(party: &RelyingParty) -> Server {
    setup(party)
        .property("op.deviceSSOHandler.accessToken.encrypt", "true")
        .client(ONE.id, "jwks_uri", party.url(PATH))
        .client(ONE.id, "id_token_encrypted_response_alg", "RSA-OAEP-256")
        .client(TWO.id, "jwks_uri", party.url(PATH))
        .client(TWO.id, "access_token_encrypted_response_alg", "RSA-OAEP-256")
        .start()
}

#[track_caller]
fn redeem(server: &Server, client: Client, scope: &str) -> Answer {
    let request = Authorization::new(client, scope);
    let code = Browser::new().authorize(server, &request, &server.person()).code();
    server.token(client, request.redeem(&code))
}

#[test]
fn tokens_are_encrypted_to_them() {
    let party = publishing(&encryption_key().1);
    let server = encrypting(&party);
    let tokens = Tokens(redeem(&server, ONE, "openid").ok());
    let (_, inside) = jwt::opened(&encryption_key().0, tokens.id());
    assert_eq!(server.verified(&inside).1["aud"], ONE.id);
    let other = Tokens(server.exchange(TWO, &server.device(crate::harness::cast::THREE), "openid").ok());
    assert_eq!(jwt::header(other.access())["kid"], "api-enc");
    assert_eq!(party.asked().len(), 1);
}

#[test]
fn nothing_is_sent_in_the_clear_because_a_key_cannot_be_fetched() {
    let party = RelyingParty::answering(&[Reply::Status(500)]);
    let server = encrypting(&party);
    redeem(&server, ONE, "openid").refused(503, "temporarily_unavailable");
}

#[test]
fn a_code_that_could_not_be_answered_for_want_of_a_key_is_still_good() {
    let party = RelyingParty::answering(&[Reply::Status(500)]);
    party.publish(PATH, json!({ "keys": [encryption_key().1] }).to_string());
    let server = encrypting(&party);
    let request = Authorization::new(ONE, "openid");
    let code = Browser::new().authorize(&server, &request, &server.person()).code();
    server.token(ONE, request.redeem(&code)).refused(503, "temporarily_unavailable");
    // Another server of the store, or this one in a while: it has not asked that address yet.
    server.kill();
    server.start_again();
    let tokens = Tokens(server.token(ONE, request.redeem(&code)).ok());
    jwt::opened(&encryption_key().0, tokens.id());
    server.token(ONE, request.redeem(&code)).refused(400, "invalid_grant");
}
