//! The refresh grant: rotation, lost answers, replays, races, and scope that only shrinks.

use std::collections::HashSet;

use crate::harness::cast::{BACKEND, ONE, TWO};
use crate::harness::{Client, Form, Server, Setup, TOKEN_EXCHANGE, Tokens, jwt, shared, until};

const OFFLINE: &str = "openid profile offline_access";

fn refresh_form(token: &str) -> Form {
    Form::of(&[("grant_type", "refresh_token"), ("refresh_token", token)])
}

#[track_caller]
fn refreshed(server: &Server, token: &str) -> Tokens {
    Tokens(server.refresh(ONE, token).ok())
}

#[test]
fn a_refresh_gives_new_tokens_for_the_same_person() {
    let server = shared::usual();
    let first = server.sign_in(ONE, &server.person(), OFFLINE);
    let answer = server.refresh(ONE, first.refresh());
    answer.is_not_cached();
    let second = Tokens(answer.ok());
    assert_ne!(first.access(), second.access());
    assert_ne!(first.refresh(), second.refresh(), "rotation is the default");
    assert_eq!(first.scope(), second.scope());
    let (_, before) = server.verified(first.id());
    let (_, after) = server.verified(second.id());
    for name in ["iss", "sub", "aud", "auth_time", "sid", "acr"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert!(after["nonce"].is_null() || after["nonce"] == before["nonce"]);
    server.userinfo(second.access()).ok();
}

#[test]
fn a_lost_answer_is_given_again_until_its_token_is_used() {
    let server = shared::usual();
    let first = server.sign_in(ONE, &server.person(), OFFLINE);
    let second = refreshed(server, first.refresh());
    let again = refreshed(server, first.refresh());
    assert_eq!(second.refresh(), again.refresh(), "the same successor");
    refreshed(server, again.refresh());
}

#[test]
fn a_replay_after_the_successor_was_used_revokes_the_family() {
    let server = shared::usual();
    let first = server.sign_in(ONE, &server.person(), OFFLINE);
    let second = refreshed(server, first.refresh());
    let third = refreshed(server, second.refresh());
    server.refresh(ONE, first.refresh()).refused(400, "invalid_grant");
    server.refresh(ONE, third.refresh()).refused(400, "invalid_grant");
    server.refresh(ONE, second.refresh()).refused(400, "invalid_grant");
    assert!(!server.is_active(third.access()), "what the family got is dead too");
}

#[test]
fn of_fifty_refreshes_at_once_one_family_lives() {
    let server = shared::usual();
    let first = server.sign_in(ONE, &server.person(), OFFLINE);
    let successors: HashSet<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..50)
            .map(|_| {
                scope.spawn(|| {
                    let answer = server.refresh(ONE, first.refresh());
                    assert!(matches!(answer.status, 200 | 400), "{}", answer.body);
                    (answer.status == 200).then(|| Tokens(answer.json()).refresh().to_owned())
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("a thread")).collect()
    });
    assert_eq!(successors.len(), 1, "one successor, however often it was told");
    let successor = successors.iter().next().expect("a successor");
    let next = refreshed(server, successor);
    assert!(server.is_active(next.refresh()));
    assert!(!server.is_active(first.refresh()));
}

#[test]
fn scope_may_shrink_for_one_answer_and_never_grows() {
    let server = shared::usual();
    let first = server.sign_in(ONE, &server.person(), OFFLINE);
    let narrow = Tokens(server.token(ONE, refresh_form(first.refresh()).and("scope", "openid")).ok());
    assert_eq!(narrow.scope(), ["openid"]);
    let full = refreshed(server, narrow.refresh());
    assert_eq!(full.scope(), ["offline_access", "openid", "profile"], "RFC 6749 section 6: the token keeps its scope");
    let wide = refresh_form(full.refresh()).and("scope", "openid payments");
    server.token(ONE, wide).refused(400, "invalid_scope");
    refreshed(server, full.refresh());
}

#[test]
fn without_openid_in_the_scope_there_is_no_id_token() {
    let server = shared::usual();
    let first = server.sign_in(ONE, &server.person(), OFFLINE);
    let tokens = Tokens(server.token(ONE, refresh_form(first.refresh()).and("scope", "profile")).ok());
    assert!(!tokens.has("id_token"));
}

#[test]
fn refresh_tokens_belong_to_their_client() {
    let server = shared::usual();
    let first = server.sign_in(ONE, &server.person(), OFFLINE);
    server.refresh(TWO, first.refresh()).refused(400, "invalid_grant");
    server.refresh(BACKEND, first.refresh()).refused(400, "invalid_grant");
    refreshed(server, first.refresh());
}

#[test]
fn other_kinds_of_token_are_no_refresh_tokens() {
    let server = shared::usual();
    let device = server.device(ONE);
    for token in [device.access(), device.id(), device.secret(), "x", "rt_x.y", &"A".repeat(3000)] {
        server.refresh(ONE, token).refused(400, "invalid_grant");
    }
    let bent = format!("{}x", device.refresh());
    server.refresh(ONE, &bent).refused(400, "invalid_grant");
    refreshed(server, device.refresh());
}

#[test]
fn a_device_session_answers_a_refresh_with_its_secret() {
    let server = shared::usual();
    let device = server.device(ONE);
    let with = Tokens(server.token(ONE, refresh_form(device.refresh()).and("device_secret", device.secret())).ok());
    assert!(with.has("id_token"));
    assert_eq!(with.secret(), device.secret(), "a valid secret stays");
    assert_eq!(jwt::claims(with.id())["ds_hash"], jwt::claims(device.id())["ds_hash"]);
    assert_eq!(jwt::claims(with.id())["sid"], jwt::claims(device.id())["sid"]);
    server.exchange(TWO, &with, "openid").ok();
}

#[test]
fn a_refresh_without_a_secret_brings_one_that_fits_its_id_token() {
    let server = shared::usual();
    let device = server.device(ONE);
    for (n, form) in
        [refresh_form(device.refresh()), refresh_form(device.refresh()).and("device_secret", "invalid")].into_iter().enumerate()
    {
        let fresh = server.device(ONE);
        let form = form.set("refresh_token", fresh.refresh());
        let next = Tokens(server.token(ONE, form).ok());
        assert_eq!(jwt::claims(next.id())["ds_hash"], crate::harness::request::half_sha256(next.secret()).as_str(), "case {n}");
        server.exchange(TWO, &next, "openid").ok();
    }
}

#[test]
fn a_lost_answer_loses_no_secret() {
    let server = shared::usual();
    let device = server.device(ONE);
    let answers: Vec<Tokens> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(|| Tokens(server.refresh(ONE, device.refresh()).ok()))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    });
    for answer in &answers {
        assert_eq!(answer.secret(), answers[0].secret(), "whichever answer arrives, it is the same secret");
        server.exchange(TWO, answer, "openid").ok();
    }
    let mut last = answers[0].clone();
    for _ in 0..5 {
        last = refreshed(server, last.refresh());
        server.exchange(TWO, &last, "openid").ok();
    }
    // What other apps of the device took from the shared store stays worth something, however often this one refreshes.
    server.exchange(TWO, &device, "openid").ok();
    server.exchange(TWO, &answers[0], "openid").ok();
}

#[test]
fn a_refresh_narrowed_away_from_device_sso_has_no_secret() {
    let server = shared::usual();
    let device = server.device(ONE);
    let tokens = Tokens(server.token(ONE, refresh_form(device.refresh()).and("scope", "openid")).ok());
    assert!(!tokens.has("device_secret"));
    assert!(jwt::claims(tokens.id())["ds_hash"].is_null(), "both or neither");
}

#[test]
fn device_sso_alone_is_no_scope_to_refresh_with() {
    let server = shared::usual();
    let device = server.device(ONE);
    // Native SSO section 3.4.3: with device_sso comes a device secret, and with that an ID token, which needs openid.
    for scope in ["device_sso", "profile device_sso"] {
        server.token(ONE, refresh_form(device.refresh()).and("scope", scope)).refused(400, "invalid_scope");
    }
    let tokens = Tokens(server.token(ONE, refresh_form(device.refresh()).and("scope", "openid device_sso")).ok());
    assert!(tokens.has("device_secret") && tokens.has("id_token"));
    assert_eq!(tokens.scope(), ["device_sso", "openid"]);
}

#[test]
fn a_client_that_may_have_no_secret_any_more_is_not_told_that_it_has_the_scope() {
    let server = shared::usual();
    let client = Client { id: "app-changing", ..ONE };
    let file = server.folder().join("changing.json");
    let metadata = |grants: &[&str]| {
        let metadata = serde_json::json!({
            "client_id": client.id, "token_endpoint_auth_method": "none", "redirect_uris": [client.redirect],
            "application_type": "native", "grant_types": grants, "scope": "openid offline_access device_sso", "device_sso_family": "acme",
        });
        std::fs::write(&file, metadata.to_string()).expect("a file");
    };
    let from = ["--from", file.to_str().expect("a UTF-8 path")];
    metadata(&["authorization_code", "refresh_token", TOKEN_EXCHANGE]);
    server.command(&["client", "add", from[0], from[1]]).fine();
    let device = server.sign_in(client, &server.person(), "openid offline_access device_sso");
    assert!(device.has("device_secret"));
    metadata(&["authorization_code", "refresh_token"]);
    server.command(&["client", "update", client.id, from[0], from[1]]).fine();
    let next = Tokens(server.refresh(client, device.refresh()).ok());
    assert!(!next.has("device_secret"));
    assert_eq!(next.scope(), ["offline_access", "openid"]);
}

#[test]
fn rotation_can_be_switched_off() {
    let server = Setup::new().set("tokens.refresh_token.rotate", false).start();
    let first = server.sign_in(ONE, &server.person(), OFFLINE);
    for _ in 0..3 {
        let next = Tokens(server.refresh(ONE, first.refresh()).ok());
        assert!(!next.has("refresh_token") || next.refresh() == first.refresh());
    }
}

#[test]
fn refresh_tokens_expire_and_go_stale() {
    for setting in ["tokens.refresh_token.lifetime", "tokens.refresh_token.max_idle"] {
        let server = Setup::new().set(setting, "2s").set("tokens.refresh_token.rotate", false).start();
        let first = server.sign_in(ONE, &server.person(), OFFLINE);
        until("the refresh token is dead", || !server.is_active(first.refresh()));
        server.refresh(ONE, first.refresh()).refused(400, "invalid_grant");
    }
}
