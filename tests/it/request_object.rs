//! Request objects by value (RFC 9101, OpenID Connect Core section 6.1): what is signed by the client holds, and nothing else does.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::harness::app::now;
use crate::harness::cast::{BACKEND_JWT, ONE, client_key};
use crate::harness::person::unique;
use crate::harness::{Authorization, Browser, Client, Form, Landing, Server, Setup, jwt, shared};
use crate::session_transfer;

const APP: Client = BACKEND_JWT;

/// The claims of a correct request object with everything that `request` says.
fn claims(server: &Server, request: &Authorization) -> Value {
    let mut claims = json!({
        "iss": request.client.id, "aud": server.issuer, "iat": now(), "nbf": now(), "exp": now() + 60, "jti": unique("object"),
    });
    for (name, value) in &request.form.0 {
        claims[name] = value.as_str().into();
    }
    claims
}

/// The same with members changed; `null` removes one.
fn with(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            claims.as_object_mut().expect("claims").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn signed_as(typ: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.typ = typ.map(str::to_owned);
    header.kid = Some("client-key".to_owned());
    encode(&header, claims, &client_key().0).expect("a request object")
}

fn signed(claims: &Value) -> String {
    signed_as(Some("oauth-authz-req+jwt"), claims)
}

/// A request that consists of an object, and of what RFC 9101 section 5 wants beside it: the client.
fn by_value(request: &Authorization, object: &str) -> Authorization {
    Authorization { form: Form::of(&[("client_id", request.client.id), ("request", object)]), ..request.clone() }
}

/// What the client is told about an object when the request itself says where to.
#[track_caller]
fn told(server: &Server, request: &Authorization, object: &str) -> String {
    let beside = by_value(request, object).set("redirect_uri", request.client.redirect).set("state", &request.state);
    Browser::new().ask(server, &beside).error(request, server)
}

#[test]
fn a_signed_request_is_answered() {
    let server = shared::usual();
    for typ in [Some("oauth-authz-req+jwt"), Some("JWT"), None] {
        let request = Authorization::new(APP, "openid email");
        let object = signed_as(typ, &claims(server, &request));
        let parameters = Browser::new().authorize(server, &by_value(&request, &object), &server.person()).parameters();
        assert_eq!(parameters["state"], request.state);
        let tokens = server.token(APP, request.redeem(&parameters["code"])).ok();
        assert_eq!(jwt::claims(tokens["id_token"].as_str().expect("an ID token"))["nonce"], request.nonce.as_str());
        assert_eq!(tokens["scope"], "openid email");
    }
}

#[test]
fn a_session_transfer_token_may_stand_beside_it_or_in_it() {
    let rules = json!({ "allowed_authentication_methods": ["query"] });
    let setup = session_transfer::setup().client(APP.id, "session_transfer", rules).client(APP.id, "first_party", true);
    let server = setup.client(APP.id, "require_signed_request_object", true).start();
    let native = server.sign_in(session_transfer::APP, &server.person(), "openid offline_access");
    let request = Authorization::new(APP, "openid");
    let told = server.token(session_transfer::APP, session_transfer::form(&server, native.refresh())).ok();
    let beside = by_value(&request, &signed(&claims(&server, &request)));
    Browser::new().ask(&server, &beside.set("session_transfer_token", told["access_token"].as_str().expect("a token"))).code();
    let refresh = told["refresh_token"].as_str().expect("a token");
    let told = server.token(session_transfer::APP, session_transfer::form(&server, refresh)).ok();
    let inside = with(claims(&server, &request), &json!({ "session_transfer_token": told["access_token"] }));
    Browser::new().ask(&server, &by_value(&request, &signed(&inside))).code();
}

#[test]
fn it_may_be_posted_too() {
    let server = shared::usual();
    let request = Authorization::new(APP, "openid");
    let form = by_value(&request, &signed(&claims(server, &request))).form;
    let browser = Browser::new();
    let page = browser.post(&server.url("/authorize").parse().expect("a URL"), &form);
    assert!(browser.follow(server, page).page().form("username").is_some());
}

#[test]
fn values_of_other_kinds_than_text_are_read() {
    let server = shared::usual();
    let request = Authorization::new(APP, "openid");
    let changes = json!({
        "max_age": 3600, "resource": ["https://api.example.com"], "claims": { "id_token": { "email": { "essential": true } } },
        "x_unknown": { "nested": [1, 2] },
    });
    let object = signed(&with(claims(server, &request), &changes));
    let code = Browser::new().authorize(server, &by_value(&request, &object), &server.person()).code();
    let tokens = server.token(APP, request.redeem(&code)).ok();
    let claims = jwt::claims(tokens["id_token"].as_str().expect("an ID token"));
    assert_eq!(claims["email"], "ada@example.com", "OpenID Connect Core section 5.5");
    assert!(claims["auth_time"].is_u64());
    assert_eq!(jwt::claims(tokens["access_token"].as_str().expect("a token"))["aud"], "https://api.example.com");
}

#[test]
fn what_the_object_says_wins_and_what_it_does_not_say_may_stand_beside_it_in_openid_connect() {
    let server = shared::usual();
    let request = Authorization::new(APP, "openid");
    // OpenID Connect Core section 6.1: response_type, client_id and openid stand outside, and what varies may.
    let object = signed(&with(claims(server, &request), &json!({ "state": null, "nonce": null, "exp": null, "jti": null })));
    for _ in 0..2 {
        let request = Authorization::new(APP, "openid");
        let beside =
            Authorization { form: request.form.clone().and("request", &object).set("code_challenge", "ignored"), ..request };
        let parameters = Browser::new().authorize(server, &beside, &server.person()).parameters();
        assert_eq!(parameters["state"], beside.state);
    }
    let object = signed(&claims(server, &request));
    let beside = Authorization { form: request.form.clone().and("request", &object), ..request.clone() };
    let beside =
        beside.set("scope", "openid profile email").set("state", "another").set("redirect_uri", "https://evil.example.com/");
    let parameters = Browser::new().authorize(server, &beside, &server.person()).parameters();
    assert_eq!(parameters["state"], request.state);
    assert_eq!(server.token(APP, request.redeem(&parameters["code"])).ok()["scope"], "openid");
    let object = signed(&claims(server, &request));
    let beside = Authorization { form: request.form.clone().and("request", &object), ..request.clone() };
    assert_eq!(Browser::new().ask(server, &beside.set("response_type", "token")).error(&request, server), "invalid_request");
}

#[test]
fn without_openid_beside_it_the_object_alone_counts() {
    let server = shared::usual();
    let request = Authorization::new(APP, "openid");
    let object = signed(&with(claims(server, &request), &json!({ "scope": null, "nonce": null })));
    let beside = by_value(&request, &object).set("scope", "read").set("prompt", "none").set("nonce", "x");
    // RFC 9101 section 6.3: prompt=none stands outside and is not read.
    let page = Browser::new().ask(server, &beside).page();
    assert!(page.form("username").is_some());
}

#[test]
fn objects_with_wrong_claims_are_refused() {
    let server = shared::usual();
    for changes in [
        json!({ "iss": "somebody-else" }),
        json!({ "iss": null }),
        json!({ "client_id": ONE.id }),
        json!({ "client_id": null }),
        json!({ "aud": "https://other.example.com" }),
        json!({ "aud": null }),
        json!({ "exp": now() - 600 }),
        json!({ "exp": "tomorrow" }),
        json!({ "nbf": now() + 600 }),
        json!({ "iat": now() + 600 }),
        json!({ "jti": 17 }),
        json!({ "jti": "" }),
        json!({ "sub": APP.id }),
        json!({ "request": "a.b.c" }),
        json!({ "request_uri": "https://backend.example.com/request" }),
        json!({ "scope": ["openid"] }),
        json!({ "state": { "a": 1 } }),
    ] {
        let request = Authorization::new(APP, "openid");
        let object = signed(&with(claims(server, &request), &changes));
        assert_eq!(told(server, &request, &object), "invalid_request_object", "{changes}");
    }
    let request = Authorization::new(APP, "openid");
    let many = signed(&with(claims(server, &request), &json!({ "aud": ["https://other.example.com", server.issuer] })));
    Browser::new().authorize(server, &by_value(&request, &many), &server.person()).code();
}

#[test]
fn an_object_is_validated_like_any_other_request() {
    let server = shared::usual();
    for (changes, code) in [
        (json!({ "scope": "open\"id" }), "invalid_scope"),
        (json!({ "response_type": "token" }), "unsupported_response_type"),
        (json!({ "prompt": "none" }), "login_required"),
        (json!({ "code_challenge": null }), "invalid_request"),
        (json!({ "resource": "https://other.example.com" }), "invalid_target"),
    ] {
        let request = Authorization::new(APP, "openid");
        let object = signed(&with(claims(server, &request), &changes));
        assert_eq!(Browser::new().ask(server, &by_value(&request, &object)).error(&request, server), code);
    }
    // Nothing is redirected to where the client has not registered, signed or not.
    let request = Authorization::new(APP, "openid");
    let object = signed(&with(claims(server, &request), &json!({ "redirect_uri": "https://evil.example.com/" })));
    assert_eq!(Browser::new().ask(server, &by_value(&request, &object)).page().status, 400);
}

#[test]
fn unsigned_forged_and_foreign_objects_are_refused() {
    let server = shared::usual();
    let request = Authorization::new(APP, "openid");
    let claims = claims(server, &request);
    let object = signed(&claims);
    let public = serde_json::to_vec(&client_key().1).expect("a JWK");
    let symmetric = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(&public)).expect("a JWT");
    let tail = object.split_once('.').expect("a JWT").1;
    for forged in [
        jwt::unsigned(&object),
        jwt::tampered(&object, "scope", "openid email".into()),
        symmetric,
        signed_as(Some("at+jwt"), &claims),
        signed_as(Some("dpop+jwt"), &claims),
        format!("a.b.{tail}"),
        "a.b.c".to_owned(),
        "e30.e30.".to_owned(),
        "x".repeat(20_000),
    ] {
        assert_eq!(told(server, &request, &forged), "invalid_request_object", "{forged:.60}");
    }
    // Nobody has said where to: then it is told on a page.
    assert_eq!(Browser::new().ask(server, &by_value(&request, &jwt::unsigned(&object))).page().status, 400);
    let evil = by_value(&request, &jwt::unsigned(&object)).set("redirect_uri", "https://evil.example.com/");
    assert_eq!(Browser::new().ask(server, &evil).page().status, 400);
    // A client without keys signs nothing, and another's signature is not its own.
    let mine = Authorization::new(ONE, "openid");
    let foreign = signed(&self::claims(server, &mine));
    assert_eq!(told(server, &mine, &foreign), "invalid_request_object");
}

#[test]
fn a_client_assertion_is_no_request_object() {
    let server = shared::usual();
    let request = Authorization::new(APP, "openid");
    assert_eq!(told(server, &request, &Server::assertion(&server.assertion_claims(APP))), "invalid_request_object");
}

#[test]
fn an_object_with_an_id_belongs_to_the_browser_that_brings_it_first() {
    let server = shared::usual();
    let (browser, request) = (Browser::new(), Authorization::new(APP, "openid"));
    let brought = by_value(&request, &signed(&claims(server, &request)));
    assert!(browser.ask(server, &brought).page().form("username").is_some());
    assert!(browser.ask(server, &brought).page().form("username").is_some(), "the page may be loaded again");
    let stolen = brought.clone().set("redirect_uri", APP.redirect).set("state", &request.state);
    assert_eq!(Browser::new().ask(server, &stolen).error(&request, server), "invalid_request_object");
}

#[test]
fn one_algorithm_may_be_registered() {
    let server = Setup::new().client(APP.id, "request_object_signing_alg", "PS256").start();
    let request = Authorization::new(APP, "openid");
    assert_eq!(told(&server, &request, &signed(&claims(&server, &request))), "invalid_request_object");
    let server = Setup::new().client(APP.id, "request_object_signing_alg", "ES256").start();
    Browser::new().authorize(&server, &by_value(&request, &signed(&claims(&server, &request))), &server.person()).code();
    Setup::new().client(APP.id, "request_object_signing_alg", "none").refused();
}

#[test]
fn a_client_may_demand_that_its_requests_are_signed() {
    let server = Setup::new().client(APP.id, "require_signed_request_object", true).start();
    let request = Authorization::new(APP, "openid");
    assert_eq!(Browser::new().ask(&server, &request).error(&request, &server), "invalid_request", "RFC 9101 section 10.5");
    let push = |request: &Authorization| server.post_as(APP, "/par", request.form.clone().without("client_id"));
    push(&request).refused(400, "invalid_request");
    // Then nothing beside the object counts, not even in OpenID Connect: this one has no code_challenge.
    let without = signed(&with(claims(&server, &request), &json!({ "code_challenge": null, "code_challenge_method": null })));
    let beside = Authorization { form: request.form.clone().and("request", &without), ..request.clone() };
    assert_eq!(Browser::new().ask(&server, &beside).error(&request, &server), "invalid_request");
    let person = server.person();
    let object = signed(&claims(&server, &request));
    Browser::new().authorize(&server, &by_value(&request, &object), &person).code();
    let told = push(&by_value(&request, &signed(&claims(&server, &request))));
    assert_eq!(told.status, 201, "{}", told.body);
    let reference = told.json()["request_uri"].as_str().expect("a reference").to_owned();
    let brought = Authorization { form: Form::of(&[("client_id", APP.id), ("request_uri", &reference)]), ..request };
    Browser::new().authorize(&server, &brought, &person).code();
    Setup::new().client(ONE.id, "require_signed_request_object", true).refused();
}

#[test]
fn an_object_may_be_pushed_and_then_it_alone_counts() {
    let server = shared::usual();
    let request = Authorization::new(APP, "openid email");
    let push = |form: Form| server.post_as(APP, "/par", form.without("client_id"));
    let object = signed(&claims(server, &request));
    let form = by_value(&request, &object).form.and("scope", "openid profile").and("state", "another");
    let told = push(form.clone());
    assert_eq!(told.status, 201, "{}", told.body);
    let reference = told.json()["request_uri"].as_str().expect("a reference").to_owned();
    let brought = Authorization { form: Form::of(&[("client_id", APP.id), ("request_uri", &reference)]), ..request.clone() };
    let parameters = Browser::new().authorize(server, &brought, &server.person()).parameters();
    assert_eq!(parameters["state"], request.state);
    assert_eq!(server.token(APP, request.redeem(&parameters["code"])).ok()["scope"], "openid email");
    push(form).refused(400, "invalid_request_object");
    push(by_value(&request, &jwt::unsigned(&object)).form).refused(400, "invalid_request_object");
    let wrong = signed(&with(claims(server, &request), &json!({ "client_id": ONE.id })));
    push(by_value(&request, &wrong).form).refused(400, "invalid_request_object");
    let nothing = signed(&with(claims(server, &request), &json!({ "response_type": null })));
    push(by_value(&request, &nothing).form.and("response_type", "code")).refused(400, "invalid_request");
}

#[test]
fn an_object_and_an_address_go_not_together() {
    let server = shared::usual();
    let request = Authorization::new(APP, "openid");
    let both = by_value(&request, &signed(&claims(server, &request)))
        .set("redirect_uri", APP.redirect)
        .set("state", &request.state)
        .set("request_uri", "https://backend.example.com/request");
    assert_eq!(Browser::new().ask(server, &both).error(&request, server), "invalid_request");
}

#[test]
fn objects_are_no_longer_than_a_jwt_may_be() {
    let server = shared::usual();
    let request = Authorization::new(APP, "openid");
    let object = signed(&with(claims(server, &request), &json!({ "ui_locales": "a".repeat(15_000) })));
    assert_eq!(told(server, &request, &object), "invalid_request_object");
    assert!(matches!(
        Browser::new().ask(server, &by_value(&request, &signed(&with(claims(server, &request), &json!({ "ui_locales": "a".repeat(9_000) }))))),
        Landing::Page(page) if page.status == 200
    ));
}
