//! Encrypted ID tokens, signed and encrypted `UserInfo` (OpenID Connect Core sections 2, 5.3.2 and 16.14): for the client's eyes
//! alone, and never to be taken for something else.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::harness::cast::{Client, ONE, OPAQUE, THREE, TWO};
use crate::harness::request::half_sha256;
use crate::harness::{Answer, Authorization, Browser, Person, Server, Setup, Tokens, jwt};
use crate::tokens::encryption_key;

const SCOPE: &str = "openid profile offline_access device_sso";
const OAEP: &str = "RSA-OAEP-256";

/// `ONE` has everything encrypted, `TWO` has `UserInfo` signed, `THREE` has it encrypted without a signature.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let jwks = json!({ "keys": [encryption_key().1] });
        Setup::new()
            .client(ONE.id, "jwks", jwks.clone())
            .client(ONE.id, "id_token_encrypted_response_alg", OAEP)
            .client(ONE.id, "userinfo_signed_response_alg", "ES256")
            .client(ONE.id, "userinfo_encrypted_response_alg", OAEP)
            .client(TWO.id, "userinfo_signed_response_alg", "PS256")
            .client(THREE.id, "jwks", jwks)
            .client(THREE.id, "userinfo_encrypted_response_alg", OAEP)
            .client(THREE.id, "userinfo_encrypted_response_enc", "A256GCM")
            .start()
    })
}

/// A sign-in whose ID token is encrypted; gives the tokens and the nonce.
#[track_caller]
pub(crate) fn sign_in(server: &Server, browser: &Browser, client: Client, person: &Person, scope: &str) -> (Tokens, String) {
    let request = Authorization::new(client, scope);
    let code = browser.authorize(server, &request, person).code();
    (Tokens(server.token(client, request.redeem(&code)).ok()), request.nonce)
}

/// The signed ID token inside an encrypted one.
#[track_caller]
fn inside(jwe: &str) -> String {
    let (header, jws) = jwt::opened(&encryption_key().0, jwe);
    assert_eq!((&header["kid"], &header["cty"], &header["typ"]), (&json!("api-enc"), &json!("JWT"), &json!("JWT")));
    jws
}

/// The text of a `UserInfo` answer that is a JWT.
#[track_caller]
fn jwt_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/jwt"));
    answer.is_not_cached();
    answer.body.clone()
}

#[test]
fn an_id_token_is_signed_and_then_encrypted() {
    let server = server();
    let (tokens, nonce) = sign_in(server, &Browser::new(), ONE, &server.person(), SCOPE);
    let (_, claims) = server.verified(&inside(tokens.id()));
    assert_eq!((&claims["aud"], &claims["nonce"]), (&json!(ONE.id), &json!(nonce)));
    assert_eq!(claims["at_hash"], half_sha256(tokens.access()).as_str());
    let refreshed = Tokens(server.refresh(ONE, tokens.refresh()).ok());
    assert_eq!(server.verified(&inside(refreshed.id())).1["sub"], claims["sub"]);
    assert_ne!(refreshed.id().split('.').nth(3), tokens.id().split('.').nth(3));
}

#[test]
fn the_signed_token_inside_lets_the_next_app_in_and_the_encrypted_one_is_refused_clearly() {
    let server = server();
    let (tokens, _) = sign_in(server, &Browser::new(), ONE, &server.person(), SCOPE);
    let inner = inside(tokens.id());
    let two = Tokens(server.token(TWO, server.exchange_form(&inner, tokens.secret()).and("scope", SCOPE)).ok());
    assert_eq!(jwt::claims(two.id())["sub"], jwt::claims(&inner)["sub"]);
    let refused = server.token(TWO, server.exchange_form(tokens.id(), tokens.secret())).refused(400, "invalid_request");
    assert!(refused["error_description"].as_str().is_some_and(|text| text.contains("encrypted")), "{refused}");
    // And the other way round: what an exchange gives this app is encrypted, too.
    let back = Tokens(server.exchange(ONE, &two, "openid").ok());
    assert_eq!(server.verified(&inside(back.id())).1["aud"], ONE.id);
}

#[test]
fn the_signed_token_inside_is_a_hint_and_the_encrypted_one_is_refused_clearly() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let (tokens, _) = sign_in(server, &browser, ONE, &person, "openid");
    let inner = inside(tokens.id());
    let ask = |hint: &str| Authorization::new(ONE, "openid").set("prompt", "none").set("id_token_hint", hint);
    browser.ask(server, &ask(&inner)).code();
    let request = ask(tokens.id());
    let parameters = browser.ask(server, &request).parameters();
    assert_eq!(parameters["error"], "invalid_request");
    assert!(parameters["error_description"].contains("encrypted"), "{parameters:?}");
    let logout = |hint: &str| {
        let mut url: url::Url = server.url("/logout").parse().expect("a URL");
        url.query_pairs_mut().append_pair("id_token_hint", hint);
        browser.get(&url)
    };
    let page = logout(tokens.id());
    assert_eq!(page.status, 400);
    assert!(page.body.contains("encrypted"), "{}", page.body);
    assert_eq!(logout(&inner).status, 200);
    let request = Authorization::new(ONE, "openid").set("prompt", "none");
    assert_eq!(browser.ask(server, &request).error(&request, server), "login_required");
}

#[test]
fn user_info_is_signed_as_registered() {
    let server = server();
    let tokens = server.sign_in(TWO, &server.person(), "openid profile email");
    let jws = jwt_of(&server.userinfo(tokens.access()));
    let (header, claims) = server.verified(&jws);
    assert_eq!(format!("{:?}", header.alg), "PS256");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer), &json!(TWO.id)));
    assert_eq!(claims["sub"], jwt::claims(tokens.id())["sub"]);
    assert_eq!((&claims["name"], &claims["email_verified"]), (&json!("Ada Example"), &json!(true)));
    let plain = server.userinfo(server.sign_in(OPAQUE, &server.person(), "openid").access());
    assert_eq!(plain.header("content-type"), Some("application/json"), "another client is answered as before");
    plain.ok();
}

#[test]
fn user_info_is_signed_and_then_encrypted() {
    let server = server();
    let (tokens, _) = sign_in(server, &Browser::new(), ONE, &server.person(), "openid email");
    let (header, jws) = jwt::opened(&encryption_key().0, &jwt_of(&server.userinfo(tokens.access())));
    assert_eq!(header["cty"], "JWT");
    let (inner, claims) = server.verified(&jws);
    assert_eq!(format!("{:?}", inner.alg), "ES256");
    assert_eq!((&claims["aud"], &claims["email"]), (&json!(ONE.id), &json!("ada@example.com")));
}

#[test]
fn user_info_is_encrypted_without_a_signature_when_only_that_is_registered() {
    let server = server();
    let tokens = server.sign_in(THREE, &server.person(), "openid email");
    let (header, text) = jwt::opened(&encryption_key().0, &jwt_of(&server.userinfo(tokens.access())));
    assert_eq!(header["cty"], Value::Null, "no JWT is inside");
    let claims: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer), &json!(THREE.id)));
    assert_eq!((&claims["sub"], &claims["email"]), (&jwt::claims(tokens.id())["sub"], &json!("ada@example.com")));
}

#[test]
fn a_signed_answer_is_good_for_nothing_else() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let tokens = server.sign_in_by(&browser, TWO, &person, SCOPE, None);
    let answer = jwt_of(&server.userinfo(tokens.access()));
    server.userinfo(&answer).refused(401, "invalid_token");
    assert!(!server.is_active(&answer));
    server.token(TWO, server.exchange_form(&answer, tokens.secret())).refused(400, "invalid_grant");
    let request = Authorization::new(TWO, "openid").set("prompt", "none").set("id_token_hint", &answer);
    assert_eq!(browser.ask(server, &request).error(&request, server), "invalid_request");
}

#[test]
fn refusals_stay_plain() {
    let server = server();
    let answer = server.userinfo("nonsense");
    answer.refused(401, "invalid_token");
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[test]
fn a_client_without_a_key_to_encrypt_to_cannot_be_registered() {
    for (name, value) in [
        ("id_token_encrypted_response_alg", OAEP),
        ("userinfo_encrypted_response_alg", OAEP),
        ("introspection_encrypted_response_alg", OAEP),
    ] {
        let said = Setup::new().client(ONE.id, name, value).refused();
        assert!(said.contains("jwks"), "{name}: {said}");
    }
    let said = Setup::new().client(ONE.id, "userinfo_signed_response_alg", "HS256").refused();
    assert!(said.contains("userinfo_signed_response_alg"), "{said}");
}
