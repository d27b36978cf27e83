//! Step-up challenges (RFC 9470) at the `UserInfo` endpoint: which sign-in would do, and that it does.

use crate::harness::cast::{ONE, OPAQUE};
use crate::harness::{Answer, Authorization, Browser, Server, Setup, Tokens, until};

const USUAL: &str = "urn:symbolon:acr:password";

/// The challenge of a refused `UserInfo` request.
#[track_caller]
fn challenge(answer: &Answer) -> String {
    let body = answer.refused(401, "insufficient_user_authentication");
    assert!(body["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    answer.is_not_cached();
    let challenge = answer.header("www-authenticate").expect("a challenge").to_owned();
    assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
    challenge
}

#[test]
fn a_sign_in_that_is_not_good_enough_is_told_which_would_be() {
    let server = Setup::new().set("userinfo.required_acr", serde_json::json!(["urn:example:mfa", "urn:example:key"])).start();
    for client in [ONE, OPAQUE] {
        let tokens = server.sign_in(client, &server.person(), "openid");
        let challenge = challenge(&server.userinfo(tokens.access()));
        assert!(challenge.contains("acr_values=\"urn:example:mfa urn:example:key\""), "{challenge}");
        assert!(!challenge.contains("max_age"), "{challenge}");
        assert_eq!(server.introspect(tokens.access())["acr"], USUAL, "the token itself is good");
    }
    // What is no good token at all is no matter of signing in better.
    server.userinfo("nonsense").refused(401, "invalid_token");
    let without_openid = server.sign_in(ONE, &server.person(), "read");
    server.userinfo(without_openid.access()).refused(403, "insufficient_scope");
}

#[test]
fn a_sign_in_that_is_good_enough_is_answered() {
    let server = Setup::new().set("userinfo.required_acr", serde_json::json!(["urn:example:mfa", USUAL])).start();
    let tokens = server.sign_in(ONE, &server.person(), "openid profile");
    assert_eq!(server.userinfo(tokens.access()).ok()["name"], "Ada Example");
}

#[test]
fn a_sign_in_that_is_too_old_is_renewed_as_the_challenge_says() {
    let server: Server = Setup::new().set("userinfo.max_age", "2s").start();
    let (person, browser) = (server.person(), Browser::new());
    let sign_in = |request: &Authorization| {
        let code = browser.authorize(&server, request, &person).code();
        Tokens(server.token(ONE, request.redeem(&code)).ok())
    };
    let tokens = sign_in(&Authorization::new(ONE, "openid"));
    let at_once = server.userinfo(tokens.access());
    assert!(at_once.status == 200 || at_once.status == 401, "a slow machine may be late: {}", at_once.body);
    until("the sign-in is too old", || server.userinfo(tokens.access()).status == 401);
    let told = challenge(&server.userinfo(tokens.access()));
    assert!(told.contains("max_age=\"2\""), "{told}");
    assert!(!told.contains("acr_values"), "{told}");
    // RFC 9470 section 4: the app takes the value into its authorization request. The person is asked, and the new token is good.
    let answered = (0..5).any(|_| {
        let again = sign_in(&Authorization::new(ONE, "openid").set("max_age", "0"));
        server.userinfo(again.access()).status == 200
    });
    assert!(answered);
    challenge(&server.userinfo(tokens.access()));
}

#[test]
fn both_demands_are_told_at_once() {
    let server =
        Setup::new().set("userinfo.required_acr", serde_json::json!(["urn:example:mfa"])).set("userinfo.max_age", "15m").start();
    let told = challenge(&server.userinfo(server.sign_in(ONE, &server.person(), "openid").access()));
    assert!(told.contains("acr_values=\"urn:example:mfa\"") && told.contains("max_age=\"900\""), "{told}");
}
