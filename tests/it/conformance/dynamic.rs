//! The profile Dynamic OP: its modules about registration, redirect URIs, keys and `private_key_jwt`.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header, encode};
use serde_json::{Value, json};

use super::party::{id_token, server};
use crate::harness::app::now;
use crate::harness::cast::{BACKEND_JWT, CLAIMED, ONE, Proof, client_key};
use crate::harness::{Authorization, Browser, Certificate, Client, Form, RelyingParty, Server, Setup, Tokens, jwt, shared};
use crate::jwks_uri::another_key;
use crate::registration::{app, open, public, register, registered};
use crate::request_uri::by_reference;
use crate::tokens::encryption_key;

/// The registered redirect URI that has a query.
const WITH_QUERY: &str = "https://app.example.com/other?fixed=1";

#[track_caller]
fn ends_on_an_error_page(request: &Authorization) {
    let page = Browser::new().ask(shared::usual(), request).page();
    assert_eq!(page.status, 400, "{}", page.body);
    assert!(page.form("username").is_none());
}

/// A server where clients register themselves.
fn registering() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| open().start())
}

/// A client that registers itself as an app with this member; what it was told.
#[track_caller]
fn dynamic(name: &str, value: impl Into<Value>) -> (Client, Value) {
    let mut metadata = app();
    metadata[name] = value.into();
    let told = registered(&register(registering(), None, &metadata));
    (public(&told), told)
}

#[test]
fn plain_sign_in() {
    let (client, _) = dynamic("client_name", "A plain client");
    let tokens = registering().sign_in(client, &registering().person(), "openid");
    assert_eq!(registering().verified(tokens.id()).1["aud"], client.id);
}

#[test]
fn id_token_rs256() {
    let (client, told) = dynamic("id_token_signed_response_alg", "RS256");
    assert_eq!(told["id_token_signed_response_alg"], "RS256");
    let tokens = registering().sign_in(client, &registering().person(), "openid");
    assert_eq!(jwt::header(tokens.id())["alg"], "RS256");
    registering().verified(tokens.id());
}

#[test]
fn user_info_rs256() {
    let (client, _) = dynamic("userinfo_signed_response_alg", "RS256");
    let tokens = registering().sign_in(client, &registering().person(), "openid");
    let answer = registering().userinfo(tokens.access());
    assert_eq!(answer.header("content-type"), Some("application/jwt"));
    assert_eq!(jwt::header(&answer.body)["alg"], "RS256");
    assert_eq!(registering().verified(&answer.body).1["aud"], client.id);
}

/// The page where a person decides about a client.
#[track_caller]
fn deciding(client: Client) -> String {
    let (server, browser) = (registering(), Browser::new());
    let person = server.person();
    let page = browser.ask(server, &Authorization::new(client, "openid")).page();
    browser.submit_password(server, &page, &person.name, &person.password).page().body
}

#[test]
fn registration_logo_uri() {
    let logo = "https://rp.example.com/logo.png";
    let (client, told) = dynamic("logo_uri", logo);
    assert_eq!(told["logo_uri"], logo);
    assert!(!deciding(client).contains(logo), "nothing is loaded from elsewhere");
}

#[test]
fn registration_policy_uri() {
    let (client, told) = dynamic("policy_uri", "https://rp.example.com/policy");
    assert_eq!(told["policy_uri"], "https://rp.example.com/policy");
    assert!(deciding(client).contains("href=\"https://rp.example.com/policy\""));
}

#[test]
fn registration_tos_uri() {
    let (client, told) = dynamic("tos_uri", "https://rp.example.com/terms");
    assert_eq!(told["tos_uri"], "https://rp.example.com/terms");
    assert!(deciding(client).contains("href=\"https://rp.example.com/terms\""));
}

/// A client that registers itself with the address of its keys, at a server of its own.
#[track_caller]
fn with_published_keys() -> (RelyingParty, Server, Client) {
    let party = RelyingParty::answering(&[]);
    party.publish("/keys", json!({ "keys": [client_key().1] }).to_string());
    let server = open().set("outbound.allow_private_addresses", true).start();
    let mut metadata = app();
    metadata["token_endpoint_auth_method"] = "private_key_jwt".into();
    metadata["jwks_uri"] = party.url("/keys").into();
    let told = registered(&register(&server, None, &metadata));
    assert_eq!(told["jwks_uri"], metadata["jwks_uri"]);
    (party, server, Client { proof: Proof::PrivateKeyJwt, ..public(&told) })
}

#[test]
fn registration_jwks_uri() {
    let (party, server, client) = with_published_keys();
    let tokens = server.sign_in(client, &server.person(), "openid");
    assert_eq!(server.verified(tokens.id()).1["aud"], client.id);
    assert_eq!(party.asked().len(), 1);
}

/// Metadata of an app that is told subjects of its sector.
fn in_sector(document: String) -> Value {
    let mut metadata = app();
    metadata["subject_type"] = "pairwise".into();
    metadata["sector_identifier_uri"] = document.into();
    metadata
}

/// A server that reaches documents behind this certificate.
fn trusting(certificate: &Certificate) -> Server {
    open().set("outbound.allow_private_addresses", true).set("outbound.ca_file", certificate.path()).start()
}

#[test]
fn registration_sector_uri() {
    let certificate = Certificate::new();
    let party = RelyingParty::over_tls(&certificate);
    party.publish("/sector.json", json!(["https://rp.example.com/callback", ONE.redirect]).to_string());
    let (server, metadata) = (trusting(&certificate), in_sector(party.url("/sector.json")));
    let clients = [(); 2].map(|()| registered(&register(&server, None, &metadata)));
    assert_eq!(clients[0]["sector_identifier_uri"], metadata["sector_identifier_uri"]);
    // One sector, one subject; for everybody else the person is another.
    let person = server.person();
    let sub = |client| server.verified(server.sign_in(client, &person, "openid").id()).1["sub"].clone();
    let [one, other] = clients.each_ref().map(|told| sub(public(told)));
    assert_eq!(one, other);
    assert_ne!(one, sub(ONE));
    // Who vouches for the document must be known.
    let strict = open().set("outbound.allow_private_addresses", true).start();
    register(&strict, None, &metadata).refused(400, "invalid_client_metadata");
}

#[test]
fn registration_sector_bad() {
    let certificate = Certificate::new();
    let party = RelyingParty::over_tls(&certificate);
    party.publish("/sector.json", json!(["https://rp.example.com/callback"]).to_string());
    let unlisted = in_sector(party.url("/sector.json"));
    let refused = register(&trusting(&certificate), None, &unlisted).refused(400, "invalid_client_metadata");
    let told = refused["error_description"].as_str().expect("a description");
    assert!(told.starts_with("sector_identifier_uri") && told.contains("does not list"), "{told}");
    assert_eq!(party.asked().len(), 1);
    let mut metadata = app();
    metadata["subject_type"] = "pairwise".into();
    // Nothing is there, and nothing may be asked there either.
    for address in ["https://127.0.0.1:1/sector.json", "http://rp.example.com/sector.json"] {
        metadata["sector_identifier_uri"] = address.into();
        let refused = register(registering(), None, &metadata).refused(400, "invalid_client_metadata");
        assert!(refused["error_description"].as_str().is_some_and(|told| told.starts_with("sector_identifier_uri")), "{refused}");
    }
}

#[test]
fn redirect_uri_missing() {
    ends_on_an_error_page(&Authorization::new(CLAIMED, "openid").without("redirect_uri"));
}

#[test]
fn redirect_uri_query() {
    let server = shared::usual();
    let request = Authorization::new(CLAIMED, "openid").set("redirect_uri", WITH_QUERY);
    let parameters = Browser::new().authorize(server, &request, &server.person()).parameters();
    assert_eq!(parameters["fixed"], "1");
    server.token(CLAIMED, request.redeem(&parameters["code"]).set("redirect_uri", WITH_QUERY)).ok();
}

#[test]
fn redirect_uri_query_mismatch() {
    ends_on_an_error_page(&Authorization::new(CLAIMED, "openid").set("redirect_uri", "https://app.example.com/other?fixed=2"));
}

#[test]
fn redirect_uri_query_added() {
    ends_on_an_error_page(&Authorization::new(CLAIMED, "openid").set("redirect_uri", &format!("{}?more=1", CLAIMED.redirect)));
    ends_on_an_error_page(&Authorization::new(CLAIMED, "openid").set("redirect_uri", &format!("{WITH_QUERY}&more=1")));
}

#[test]
fn redirect_uri_fragment() {
    let mut metadata = app();
    metadata["redirect_uris"] = json!(["https://rp.example.com/callback#fragment"]);
    register(registering(), None, &metadata).refused(400, "invalid_redirect_uri");
}

#[test]
fn server_rotates_keys() {
    let server = Setup::new().start();
    let person = server.person();
    let sign_in = || server.sign_in(CLAIMED, &person, "openid");
    let before = sign_in();
    server.command(&["key", "rotate", "--immediately"]).fine();
    let after = sign_in();
    let (old, new) = (jwt::header(before.id()), jwt::header(after.id()));
    assert_ne!(old["kid"], new["kid"]);
    // Both are published: what was signed before still verifies.
    server.verified(before.id());
    server.verified(after.id());
}

#[test]
fn refresh_token_with_private_key_jwt() {
    let server = server();
    // This client keeps PKCE, as every one that is not told otherwise.
    let request = Authorization::new(BACKEND_JWT, "openid offline_access").set("prompt", "consent");
    let code = Browser::new().authorize(server, &request, &server.person()).code();
    let first = Tokens(server.token(BACKEND_JWT, request.redeem(&code)).ok());
    let second = Tokens(server.refresh(BACKEND_JWT, first.refresh()).ok());
    let (before, after) = (id_token(server, BACKEND_JWT, &first), id_token(server, BACKEND_JWT, &second));
    for name in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    server.refresh(crate::harness::cast::BACKEND, second.refresh()).refused(400, "invalid_grant");
}

#[test]
fn client_assertion_for_the_issuer() {
    let server = server();
    for aud in [json!(server.issuer), json!(server.url("/token"))] {
        let mut claims = server.assertion_claims(BACKEND_JWT);
        claims["aud"] = aud;
        claims["exp"] = (now() + 30).into();
        let form = Form::of(&[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &Server::assertion(&claims)),
        ]);
        let request = crate::harness::server::http().post(server.url("/token"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.encoded());
        Server::send(request).ok();
    }
}

#[test]
fn refresh_token_rp_key_rotation() {
    let (party, server, client) = with_published_keys();
    let request = Authorization::new(client, "openid offline_access").set("prompt", "consent");
    let code = Browser::new().authorize(&server, &request, &server.person()).code();
    let first = Tokens(server.token(client, request.redeem(&code)).ok());
    // The client has other keys from now on.
    let (key, jwk) = another_key("second");
    party.publish("/keys", json!({ "keys": [jwk] }).to_string());
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("second".to_owned());
    let assertion = encode(&header, &server.assertion_claims(client), &key).expect("an assertion");
    let form = Form::of(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", first.refresh()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
    ]);
    let request = crate::harness::server::http().post(server.url("/token"));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.encoded());
    let second = Tokens(Server::send(request).ok());
    assert_eq!(server.verified(second.id()).1["sub"], server.verified(first.id()).1["sub"]);
    // The key of before is nobody's.
    server.refresh(client, second.refresh()).refused(401, "invalid_client");
}

/// A JWT of these claims, signed with RS256 by [`encryption_key`].
fn rs256(claims: &Value) -> String {
    let pair = RsaKeyPair::from_pkcs8(&encryption_key().0).expect("a key");
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({ "alg": "RS256", "kid": "rsa" })), part(claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).expect("a signature");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn request_uri_signed_rs256() {
    let party = RelyingParty::answering(&[]);
    let server = open().set("outbound.allow_private_addresses", true).start();
    let mut key = encryption_key().1.clone();
    for (name, value) in [("kid", "rsa"), ("use", "sig"), ("alg", "RS256")] {
        key[name] = value.into();
    }
    let mut metadata = app();
    metadata["jwks"] = json!({ "keys": [key] });
    metadata["request_object_signing_alg"] = "RS256".into();
    metadata["request_uris"] = json!([party.url("/request.jwt")]);
    let told = registered(&register(&server, None, &metadata));
    assert_eq!(told["request_object_signing_alg"], "RS256");
    let client = public(&told);
    let request = Authorization::new(client, "openid");
    let mut claims = json!({ "iss": client.id, "aud": server.issuer, "exp": now() + 60 });
    for (name, value) in &request.form.0 {
        claims[name] = value.as_str().into();
    }
    party.publish("/request.jwt", rs256(&claims));
    let referring = by_reference(&request, &party.url("/request.jwt"));
    let parameters = Browser::new().authorize(&server, &referring, &server.person()).parameters();
    assert_eq!(parameters["state"], request.state);
    let tokens = Tokens(server.token(client, request.redeem(&parameters["code"])).ok());
    assert_eq!(server.verified(tokens.id()).1["nonce"], request.nonce.as_str());
    // Signed by another algorithm than the client has registered.
    let other = encode(&Header::new(Algorithm::ES256), &claims, &client_key().0).expect("a request object");
    party.publish("/request.jwt", other);
    assert_eq!(Browser::new().ask(&server, &referring).error(&request, &server), "invalid_request_object");
}
