//! Signed introspection answers (RFC 9701), and who is entitled to any answer.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::harness::app::{basic, now};
use crate::harness::cast::{BACKEND, BACKEND_POST, Client, ONE, SECRET, SERVICE, TWO};
use crate::harness::server::http;
use crate::harness::{Answer, Authorization, Browser, Form, Server, Setup, jwt};
use crate::tokens::encryption_key;

const SIGNED: &str = "application/token-introspection+jwt";
const SCOPE: &str = "openid profile offline_access device_sso";

/// `BACKEND` has registered nothing, `BACKEND_POST` another algorithm and a key; `SERVICE` may ask about its own tokens alone.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Setup::new()
            .client(BACKEND_POST.id, "jwks", json!({ "keys": [encryption_key().1] }))
            .client(BACKEND_POST.id, "introspection_signed_response_alg", "EdDSA")
            .client(BACKEND_POST.id, "introspection_encrypted_response_alg", "RSA-OAEP-256")
            .start()
    })
}

/// An introspection request with that `Accept`.
#[track_caller]
fn ask(server: &Server, client: Client, token: &str, accept: &str) -> Answer {
    let request = http().post(server.url("/introspect")).header("content-type", "application/x-www-form-urlencoded");
    let form = Form::of(&[("token", token)]);
    let (request, form) = if client.id == BACKEND_POST.id {
        (request, form.and("client_id", client.id).and("client_secret", SECRET))
    } else if client.id == ONE.id || client.id == TWO.id {
        (request, form.and("client_id", client.id))
    } else {
        (request.header("authorization", basic(client.id, SECRET)), form)
    };
    Server::send(request.header("accept", accept).body(form.encoded()))
}

/// The claims of a signed answer, all that belongs to every one checked.
#[track_caller]
fn claims(server: &Server, client: Client, jws: &str, alg: &str) -> Value {
    let (header, claims) = server.verified(jws);
    assert_eq!((header.typ.as_deref(), format!("{:?}", header.alg).as_str()), (Some("token-introspection+jwt"), alg));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer), &json!(client.id)));
    assert!(claims["iat"].as_u64().is_some_and(|iat| iat.abs_diff(now()) < 60));
    let names: Vec<&String> = claims.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["aud", "iat", "iss", "token_introspection"], "RFC 9701 section 5: no sub and no exp of its own");
    claims["token_introspection"].clone()
}

#[test]
fn the_signed_answer_says_what_the_plain_one_says() {
    let server = server();
    let device = server.sign_in(ONE, &server.person(), SCOPE);
    for token in [device.access(), device.refresh(), device.secret(), "nonsense"] {
        let answer = ask(server, BACKEND, token, SIGNED);
        assert_eq!(answer.header("content-type"), Some(SIGNED));
        answer.is_not_cached();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told = claims(server, BACKEND, &answer.body, "RS256");
        assert_eq!(told, server.introspect(token));
        assert_eq!(told["active"], token != "nonsense");
    }
}

#[test]
fn the_registered_algorithms_are_used() {
    let server = server();
    let device = server.sign_in(ONE, &server.person(), SCOPE);
    let answer = ask(server, BACKEND_POST, device.access(), SIGNED);
    let (header, jws) = jwt::opened(&encryption_key().0, &answer.body);
    assert_eq!((&header["typ"], &header["cty"]), (&json!("token-introspection+jwt"), &json!("JWT")));
    assert_eq!(claims(server, BACKEND_POST, &jws, "EdDSA")["client_id"], ONE.id);
}

#[test]
fn who_does_not_ask_for_it_by_name_gets_json() {
    let server = server();
    let device = server.sign_in(ONE, &server.person(), "openid");
    for accept in ["application/json", "*/*", "application/*", "application/jwt", "application/token-introspection+jwt;q=0"] {
        assert_eq!(ask(server, BACKEND, device.access(), accept).ok()["active"], true, "{accept}");
    }
    for accept in [
        "application/json, application/token-introspection+jwt",
        "Application/Token-Introspection+JWT; q=0.5",
        "a/b;q=0, application/token-introspection+jwt",
    ] {
        let answer = ask(server, BACKEND, device.access(), accept);
        assert_eq!(answer.header("content-type"), Some(SIGNED), "{accept}");
    }
}

#[test]
fn only_the_entitled_learn_anything() {
    let server = server();
    let device = server.sign_in(ONE, &server.person(), SCOPE);
    let own = server.token(SERVICE, Form::of(&[("grant_type", "client_credentials")])).ok();
    let own = own["access_token"].as_str().expect("a token");
    for token in [device.access(), device.refresh(), device.secret()] {
        for stranger in [TWO, SERVICE] {
            let answer = ask(server, stranger, token, SIGNED);
            assert_eq!(claims(server, stranger, &answer.body, "RS256"), json!({ "active": false }), "{}", stranger.id);
        }
        let answer = ask(server, ONE, token, SIGNED);
        assert_eq!(claims(server, ONE, &answer.body, "RS256")["active"], true, "its own");
    }
    assert_eq!(ask(server, SERVICE, own, "application/json").ok()["active"], true, "its own");
    let wrong = http().post(server.url("/introspect")).header("content-type", "application/x-www-form-urlencoded");
    let wrong = wrong.header("authorization", basic(BACKEND.id, "wrong secret")).header("accept", SIGNED);
    let refused = Server::send(wrong.body(Form::of(&[("token", device.access())]).encoded()));
    refused.refused(401, "invalid_client");
    assert_eq!(refused.header("content-type"), Some("application/json"));
}

#[test]
fn a_signed_answer_is_no_token() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let device = server.sign_in_by(&browser, ONE, &person, SCOPE, None);
    let answer = ask(server, BACKEND, device.access(), SIGNED).body;
    server.userinfo(&answer).refused(401, "invalid_token");
    assert!(!server.is_active(&answer));
    server.token(TWO, server.exchange_form(&answer, device.secret())).refused(400, "invalid_grant");
    let request = Authorization::new(ONE, "openid").set("prompt", "none").set("id_token_hint", &answer);
    assert_eq!(browser.ask(server, &request).error(&request, server), "invalid_request");
}

#[test]
fn introspection_shows_how_and_when_the_person_signed_in() {
    let server = server();
    let device = server.sign_in(ONE, &server.person(), SCOPE);
    let id_token = jwt::claims(device.id());
    for token in [device.access(), device.refresh(), device.secret()] {
        let answer = server.introspect(token);
        for name in ["acr", "auth_time"] {
            assert!(!answer[name].is_null() && answer[name] == id_token[name], "RFC 9470 section 6.2: {name} in {answer}");
        }
    }
}
