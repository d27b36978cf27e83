//! Introspection (RFC 7662) and revocation (RFC 7009): access tokens, refresh tokens and device secrets.

use crate::harness::cast::{BACKEND, BACKEND_JWT, BACKEND_POST, ONE, OPAQUE, SERVICE, TWO};
use crate::harness::server::http;
use crate::harness::{Form, Server, jwt, shared};

fn token(text: &str) -> Form {
    Form::of(&[("token", text)])
}

#[test]
fn an_access_token_tells_about_itself() {
    let server = shared::usual();
    for client in [ONE, OPAQUE] {
        let device = server.device(client);
        let answer = server.introspect(device.access());
        let claims = jwt::claims(device.id());
        assert_eq!(answer["active"], true);
        for name in ["sub", "sid", "iss"] {
            assert_eq!(answer[name], claims[name], "{name}");
        }
        assert_eq!(answer["client_id"], client.id);
        assert_eq!(answer["token_type"], "Bearer");
        assert!(answer["exp"].as_u64() > answer["iat"].as_u64());
        assert!(answer["scope"].as_str().is_some_and(|scope| scope.split(' ').any(|value| value == "profile")));
        let is_jwt = device.access().split('.').count() == 3;
        assert_eq!(is_jwt, client.id == ONE.id, "access_token_format");
    }
}

#[test]
fn a_refresh_token_and_a_device_secret_tell_about_themselves() {
    let server = shared::usual();
    let device = server.device(ONE);
    let sid = &jwt::claims(device.id())["sid"];
    for text in [device.refresh(), device.secret()] {
        for hint in [None, Some("refresh_token"), Some("device_secret"), Some("access_token"), Some("nonsense")] {
            let form = hint.iter().fold(token(text), |form, hint| form.and("token_type_hint", hint));
            let answer = server.post_as(BACKEND, "/introspect", form).ok();
            assert_eq!((&answer["active"], &answer["sid"]), (&true.into(), sid), "{hint:?}");
        }
    }
}

#[test]
fn what_is_not_active_says_only_that() {
    let server = shared::usual();
    let device = server.device(ONE);
    let tampered = jwt::tampered(device.access(), "scope", "openid payments".into());
    let unsigned = jwt::unsigned(device.access());
    for text in ["nonsense", "a.b.c", device.id(), &tampered, &unsigned, &"x".repeat(10_000)] {
        assert_eq!(server.introspect(text), serde_json::json!({ "active": false }));
    }
}

#[test]
fn introspection_wants_a_client_that_authenticates() {
    let server = shared::usual();
    let device = server.device(ONE);
    for client in [BACKEND, BACKEND_POST, BACKEND_JWT] {
        assert_eq!(server.post_as(client, "/introspect", token(device.access())).ok()["active"], true);
    }
    // One that authenticates and is not registered for it learns nothing of the tokens of others.
    let own = server.token(SERVICE, Form::of(&[("grant_type", "client_credentials")])).ok();
    let active = |text: &str| server.post_as(SERVICE, "/introspect", token(text)).ok()["active"].clone();
    assert_eq!(active(device.access()), false);
    assert_eq!(active(own["access_token"].as_str().expect("a token")), true, "its own");
    let anonymous = http().post(server.url("/introspect")).header("content-type", "application/x-www-form-urlencoded");
    let answer = Server::send(anonymous.body(token(device.access()).encoded()));
    assert!(answer.status == 401 || answer.status == 400, "{}", answer.body);
    server.post_as(BACKEND, "/introspect", Form::default()).refused(400, "invalid_request");
    assert_eq!(server.get("/introspect").status, 405);
}

#[test]
fn a_public_client_sees_its_own_tokens_alone() {
    let server = shared::usual();
    let device = server.device(ONE);
    let active = |client| {
        let answer = server.post_as(client, "/introspect", token(device.access()));
        answer.status == 200 && answer.json()["active"] == true
    };
    assert!(active(ONE));
    assert!(!active(TWO), "another public client learns nothing");
}

#[test]
fn a_revoked_access_token_is_dead_and_the_rest_lives() {
    let server = shared::usual();
    for client in [ONE, OPAQUE] {
        let device = server.device(client);
        server.revoke(client, device.access());
        assert!(!server.is_active(device.access()));
        server.userinfo(device.access()).refused(401, "invalid_token");
        assert!(server.is_active(device.refresh()));
        server.refresh(client, device.refresh()).ok();
    }
}

#[test]
fn a_revoked_refresh_token_takes_its_access_tokens_along() {
    let server = shared::usual();
    let tokens = server.sign_in(ONE, &server.person(), "openid offline_access");
    server.revoke(ONE, tokens.refresh());
    assert!(!server.is_active(tokens.refresh()));
    assert!(!server.is_active(tokens.access()), "RFC 7009 section 2.1");
    server.refresh(ONE, tokens.refresh()).refused(400, "invalid_grant");
}

#[test]
fn revoking_the_unknown_is_fine_and_twice_too() {
    let server = shared::usual();
    let device = server.device(ONE);
    for text in ["nonsense", "a.b.c", &"x".repeat(10_000)] {
        server.revoke(ONE, text);
    }
    server.revoke(ONE, device.secret());
    server.revoke(ONE, device.secret());
    server.post_as(ONE, "/revoke", Form::default()).refused(400, "invalid_request");
    assert_eq!(server.get("/revoke").status, 405);
}

#[test]
fn a_token_of_another_client_stays() {
    let server = shared::usual();
    let device = server.device(ONE);
    for text in [device.access(), device.refresh()] {
        let answer = server.post_as(TWO, "/revoke", token(text));
        assert!(answer.status == 200 || answer.json()["error"].is_string(), "{}", answer.body);
        assert!(server.is_active(text), "RFC 7009 section 2.1: it was issued to another client");
    }
}

#[test]
fn a_secret_is_revoked_only_from_within_the_family() {
    let server = shared::usual();
    let device = server.device(ONE);
    server.post_as(crate::harness::cast::STRANGER, "/revoke", token(device.secret()));
    assert!(server.is_active(device.secret()), "an app of another family cannot sign the device out");
    server.revoke(TWO, device.secret());
    assert!(!server.is_active(device.secret()));
}

#[test]
fn a_client_must_authenticate_to_revoke() {
    let server = shared::usual();
    let tokens = server.sign_in(BACKEND, &server.person(), "openid offline_access");
    let request = http().post(server.url("/revoke")).header("content-type", "application/x-www-form-urlencoded");
    let body = token(tokens.refresh()).and("client_id", BACKEND.id).encoded();
    Server::send(request.body(body)).refused(401, "invalid_client");
    assert!(server.is_active(tokens.refresh()));
    server.revoke(BACKEND, tokens.refresh());
    assert!(!server.is_active(tokens.refresh()));
}
