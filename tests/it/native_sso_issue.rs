//! Native SSO, the first app: when a device secret is issued, how the ID token is bound to it, and which session it joins
//! (draft 08 sections 3.1 to 3.4).

use crate::harness::cast::{COMPAT, NO_DEVICE_SCOPE, NO_EXCHANGE, ONE, STRANGER, TWO};
use crate::harness::request::half_sha256;
use crate::harness::{Authorization, Browser, Person, Tokens, jwt, shared};

const SCOPE: &str = "openid profile offline_access device_sso";

/// Signs in again on the same device: another code, redeemed with this secret.
#[track_caller]
fn again(person: &Person, secret: &str) -> Tokens {
    shared::usual().sign_in_by(&Browser::new(), ONE, person, SCOPE, Some(secret))
}

#[test]
fn the_secret_and_its_hash_come_together() {
    let device = shared::usual().device(ONE);
    let claims = jwt::claims(device.id());
    assert_eq!(claims["ds_hash"], half_sha256(device.secret()).as_str(), "left half of SHA-256, as the Okta SDKs check it");
    assert!(claims["sid"].as_str().is_some_and(|sid| !sid.is_empty()));
    assert!(device.secret().len() >= 43, "at least 256 bits");
    assert!(device.scope().contains(&"device_sso"));
    assert!(!device.has("device_token"), "the old name only by compat_device_token");
}

#[test]
fn sid_and_hash_say_nothing_about_the_secret() {
    let device = shared::usual().device(ONE);
    let claims = jwt::claims(device.id());
    let (sid, hash) = (claims["sid"].as_str().expect("sid"), claims["ds_hash"].as_str().expect("ds_hash"));
    assert_ne!(sid, device.secret());
    assert_ne!(hash, device.secret());
    shared::usual().token(TWO, shared::usual().exchange_form(device.id(), sid)).refused(400, "invalid_grant");
    shared::usual().token(TWO, shared::usual().exchange_form(device.id(), hash)).refused(400, "invalid_grant");
}

#[test]
fn without_the_scope_there_is_no_secret() {
    let server = shared::usual();
    let tokens = server.sign_in(ONE, &server.person(), "openid profile offline_access");
    assert!(!tokens.has("device_secret"));
    assert!(jwt::claims(tokens.id())["ds_hash"].is_null());
}

#[test]
fn a_secret_goes_only_to_clients_with_the_grant_and_the_scope() {
    let server = shared::usual();
    let tokens = server.sign_in(NO_EXCHANGE, &server.person(), SCOPE);
    assert!(!tokens.has("device_secret"), "no token-exchange among its grant types (sources/000)");
    assert!(jwt::claims(tokens.id())["ds_hash"].is_null());
    let request = Authorization::new(NO_DEVICE_SCOPE, "openid offline_access device_sso");
    let parameters = Browser::new().authorize(server, &request, &server.person()).parameters();
    if let Some(code) = parameters.get("code") {
        let tokens = Tokens(server.token(NO_DEVICE_SCOPE, request.redeem(code)).ok());
        assert!(!tokens.has("device_secret"));
        assert!(!tokens.scope().contains(&"device_sso"));
    } else {
        assert_eq!(parameters["error"], "invalid_scope");
    }
}

#[test]
fn the_compatibility_switch_repeats_the_secret_under_its_old_name() {
    let server = shared::usual();
    let tokens = server.device(COMPAT);
    assert_eq!(tokens.get("device_token"), tokens.secret());
}

#[test]
fn the_same_person_with_a_valid_secret_keeps_the_device_session() {
    let server = shared::usual();
    let person = server.person();
    let first = server.sign_in(ONE, &person, SCOPE);
    let second = again(&person, first.secret());
    assert_eq!(second.secret(), first.secret());
    let (before, after) = (jwt::claims(first.id()), jwt::claims(second.id()));
    assert_eq!(before["sid"], after["sid"]);
    assert_eq!(before["ds_hash"], after["ds_hash"]);
    assert!(after["auth_time"].as_u64() >= before["auth_time"].as_u64());
    server.exchange(TWO, &second, "openid").ok();
    server.exchange(TWO, &first, "openid").ok();
}

#[test]
fn an_app_of_another_family_does_not_join_the_device() {
    let server = shared::usual();
    let person = server.person();
    let first = server.sign_in(ONE, &person, SCOPE);
    let stranger = server.sign_in_by(&Browser::new(), STRANGER, &person, SCOPE, Some(first.secret()));
    assert_ne!(stranger.secret(), first.secret());
    assert_ne!(jwt::claims(stranger.id())["sid"], jwt::claims(first.id())["sid"]);
    server.revoke(STRANGER, first.secret());
    assert!(server.is_active(first.access()), "nor does it sign the device out");
    server.exchange(STRANGER, &first, "openid").refused(400, "invalid_grant");
    server.exchange(STRANGER, &stranger, "openid").ok();
    let own = server.sign_in_by(&Browser::new(), TWO, &person, SCOPE, Some(first.secret()));
    assert_eq!(own.secret(), first.secret(), "one of the family does");
}

#[test]
fn an_invalid_secret_is_ignored() {
    let server = shared::usual();
    let person = server.person();
    let first = server.sign_in(ONE, &person, SCOPE);
    for secret in ["nonsense", "x.y.z", &first.secret()[1..], &format!("{}A", first.secret()), first.refresh()] {
        let tokens = again(&person, secret);
        assert_ne!(tokens.secret(), secret);
        assert_ne!(tokens.secret(), first.secret());
        assert_ne!(jwt::claims(tokens.id())["sid"], jwt::claims(first.id())["sid"]);
    }
}

#[test]
fn another_person_on_the_device_gets_a_session_of_their_own() {
    let server = shared::usual();
    let ada = server.sign_in(ONE, &server.person(), SCOPE);
    let bob = again(&server.person(), ada.secret());
    assert_ne!(ada.secret(), bob.secret());
    let (ada_claims, bob_claims) = (jwt::claims(ada.id()), jwt::claims(bob.id()));
    assert_ne!(ada_claims["sid"], bob_claims["sid"]);
    assert_ne!(ada_claims["sub"], bob_claims["sub"]);
    for device in [&ada, &bob] {
        let tokens = Tokens(server.exchange(TWO, device, "openid").ok());
        assert_eq!(jwt::claims(tokens.id())["sub"], jwt::claims(device.id())["sub"]);
    }
}

#[test]
fn a_secret_of_an_ended_session_is_ignored() {
    let server = shared::usual();
    let person = server.person();
    let first = server.sign_in(ONE, &person, SCOPE);
    server.revoke(ONE, first.secret());
    let second = again(&person, first.secret());
    assert_ne!(second.secret(), first.secret());
    assert_ne!(jwt::claims(second.id())["sid"], jwt::claims(first.id())["sid"]);
}

#[test]
fn a_sibling_app_with_the_secret_joins_the_session_by_the_front_channel() {
    let server = shared::usual();
    let person = server.person();
    let first = server.sign_in(ONE, &person, SCOPE);
    let second = server.sign_in_by(&Browser::new(), TWO, &person, SCOPE, Some(first.secret()));
    assert_eq!(jwt::claims(first.id())["sid"], jwt::claims(second.id())["sid"]);
    assert_eq!(first.secret(), second.secret());
}

#[test]
fn two_devices_of_one_person_are_two_sessions() {
    let server = shared::usual();
    let person = server.person();
    let phone = server.sign_in(ONE, &person, SCOPE);
    let tablet = server.sign_in(ONE, &person, SCOPE);
    assert_ne!(phone.secret(), tablet.secret());
    assert_ne!(jwt::claims(phone.id())["sid"], jwt::claims(tablet.id())["sid"]);
    server.revoke(ONE, phone.secret());
    assert!(server.is_active(tablet.refresh()));
    server.exchange(TWO, &tablet, "openid").ok();
}

#[test]
fn a_replayed_code_ends_the_grant_but_not_a_secret_that_was_there_before() {
    let server = shared::usual();
    let person = server.person();
    let first = server.sign_in(ONE, &person, SCOPE);
    let request = Authorization::new(ONE, SCOPE);
    let code = Browser::new().authorize(server, &request, &person).code();
    let form = request.redeem(&code).and("device_secret", first.secret());
    let second = Tokens(server.token(ONE, form.clone()).ok());
    server.token(ONE, form).refused(400, "invalid_grant");
    assert!(!server.is_active(second.access()));
    server.refresh(ONE, second.refresh()).refused(400, "invalid_grant");
}
