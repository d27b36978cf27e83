//! `UserInfo`: the claims that the scope releases, to who shows a good access token.

use serde_json::json;

use crate::harness::cast::{ONE, OPAQUE, SERVICE};
use crate::harness::server::http;
use crate::harness::{Form, Server, Tokens, jwt, shared};

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn scope_decides_which_claims_are_released() {
    let server = shared::usual();
    let person = server.person();
    let info = |scope: &str| {
        let answer = server.userinfo(server.sign_in(ONE, &person, scope).access());
        answer.is_not_cached();
        answer.ok()
    };
    let all = info("openid profile email");
    assert_eq!(all["name"], "Ada Example");
    assert_eq!(all["given_name"], "Ada");
    assert_eq!(all["locale"], "en-GB");
    assert_eq!(all["email"], "ada@example.com");
    assert_eq!(all["email_verified"], true);
    let email = info("openid email");
    assert_eq!((&email["email"], &email["name"]), (&json!("ada@example.com"), &json!(null)));
    let bare = info("openid");
    assert_eq!(bare.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>()), Some(vec!["sub".to_owned()]));
}

#[test]
fn claims_keep_their_json_type() {
    let server = shared::usual();
    let person =
        server.person_with(&["address={\"country\":\"NO\",\"locality\":\"Oslo\"}", "email_verified=false", "name=17 apples"]);
    let tokens = server.sign_in(ONE, &person, "openid profile email");
    let info = server.userinfo(tokens.access()).ok();
    assert_eq!(info["email_verified"], false);
    assert_eq!(info["name"], "17 apples");
    assert_eq!(info["sub"], jwt::claims(tokens.id())["sub"]);
}

#[test]
fn the_token_may_come_in_three_ways_but_one_at_a_time() {
    let server = shared::usual();
    let tokens = server.device(OPAQUE);
    let url = server.url("/userinfo");
    server.userinfo(tokens.access()).ok();
    Server::send(http().post(&url).bearer_auth(tokens.access())).ok();
    let body = Form::of(&[("access_token", tokens.access())]).encoded();
    Server::send(http().post(&url).header("content-type", FORM).body(body.clone())).ok();
    let twice = http().post(&url).bearer_auth(tokens.access()).header("content-type", FORM).body(body);
    assert_eq!(Server::send(twice).status, 400, "RFC 6750 section 2");
    // Beside a header a body of another kind says nothing about the token, so it is not looked at.
    for kind in ["application/json", "text/plain"] {
        Server::send(http().post(&url).bearer_auth(tokens.access()).header("content-type", kind).body("{\"a\":1}")).ok();
    }
    Server::send(http().post(&url).header("content-type", "application/json").body("{}")).refused(415, "invalid_request");
    let query = format!("{url}?access_token={}", tokens.access());
    assert_eq!(Server::send(http().get(query)).status, 401, "not in the query");
}

#[test]
fn without_a_good_token_there_is_a_challenge() {
    let server = shared::usual();
    let device = server.device(ONE);
    let answer = server.get("/userinfo");
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
    let tampered = jwt::tampered(device.access(), "sub", "someone".into());
    let unsigned = jwt::unsigned(device.access());
    for token in ["nonsense", "a.b.c", device.id(), device.refresh(), device.secret(), &tampered, &unsigned] {
        let answer = server.userinfo(token);
        answer.refused(401, "invalid_token");
        assert!(answer.header("www-authenticate").is_some_and(|value| value.contains("error=\"invalid_token\"")));
    }
    let answer = Server::send(http().get(server.url("/userinfo")).header("authorization", "Basic YTpi"));
    assert_eq!(answer.status, 401);
}

#[test]
fn a_token_without_openid_is_not_enough() {
    let server = shared::usual();
    let service = Tokens(server.token(SERVICE, Form::of(&[("grant_type", "client_credentials")])).ok());
    let plain = server.sign_in(ONE, &server.person(), "profile");
    for token in [service.access(), plain.access()] {
        let answer = server.userinfo(token);
        assert_eq!(answer.status, 403, "{}", answer.body);
        assert!(answer.header("www-authenticate").is_some_and(|value| value.contains("insufficient_scope")));
    }
}

#[test]
fn changes_of_a_person_show_at_once() {
    let server = shared::usual();
    let person = server.person();
    let tokens = server.sign_in(ONE, &person, "openid profile");
    server.command(&["user", "disable", &person.name]).fine();
    assert_eq!(server.userinfo(tokens.access()).status, 401);
}
