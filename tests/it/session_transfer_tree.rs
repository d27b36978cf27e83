//! One tree: device session, app, web session, its refresh tokens. What is above ends what grew from it, and whoever is to be told is told; and what
//! can be tried with a session transfer token that is not one's own.

use std::sync::{Arc, Barrier};

use serde_json::json;

use crate::harness::cast::BACKEND_POST;
use crate::harness::{Authorization, Browser, Client, Form, Landing, RelyingParty, Server, Setup, Tokens, jwt};
use crate::session_transfer::{APP, SHOP, WEB, audience, exchange, form, setup, token_from};

const HERE: &str = "203.0.113.7";
/// A web app with a server, which may have refresh tokens for people who came with a token.
pub(crate) const KEEPER: Client = BACKEND_POST;

fn here() -> Browser {
    Browser::behind(HERE)
}

/// The rules of [`KEEPER`].
fn keeping(online: bool) -> serde_json::Value {
    json!({
        "allowed_authentication_methods": ["query"], "allow_refresh_token": true, "enforce_online_refresh_tokens": online,
    })
}

fn family(online: bool) -> Setup {
    let native = json!({ "can_create_session_transfer_token": true, "enforce_online_refresh_tokens": online });
    let setup = setup().client(APP.id, "session_transfer", native);
    setup.client(KEEPER.id, "session_transfer", keeping(online)).client(KEEPER.id, "first_party", true)
}

/// A person who came from the app to the web app.
struct Came {
    browser: Browser,
    web: Tokens,
}

#[track_caller]
fn come(server: &Server, client: Client, token: &str, scope: &str) -> Came {
    let browser = here();
    let request = Authorization::new(client, scope).set("session_transfer_token", token);
    let code = browser.ask(server, &request).code();
    Came { browser, web: Tokens(server.token(client, request.redeem(&code)).ok()) }
}

/// Whether the browser is still signed in.
#[track_caller]
pub(crate) fn is_signed_in(server: &Server, browser: &Browser) -> bool {
    let request = Authorization::new(SHOP, "openid").set("prompt", "none");
    match browser.ask(server, &request) {
        Landing::Client(_, parameters) => parameters.contains_key("code"),
        Landing::Page(page) => panic!("{}", page.body),
    }
}

fn offline(server: &Server) -> Tokens {
    server.sign_in(APP, &server.person(), "openid offline_access")
}

#[test]
fn revoking_the_refresh_token_ends_everything_that_grew_from_it() {
    let party = RelyingParty::answering(&[]);
    let server = family(false)
        .set("outbound.allow_private_addresses", true)
        .client(KEEPER.id, "backchannel_logout_uri", party.url("/back"))
        .start();
    let tokens = offline(&server);
    let made = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, tokens.refresh())).ok();
    let next = made["refresh_token"].as_str().expect("it rotates");
    let came = come(&server, KEEPER, made["access_token"].as_str().expect("a token"), "openid offline_access");
    assert!(is_signed_in(&server, &came.browser) && server.is_active(came.web.access()));
    server.revoke(APP, next);
    assert!(!is_signed_in(&server, &came.browser));
    assert!(!server.is_active(came.web.access()));
    server.refresh(KEEPER, came.web.refresh()).refused(400, "invalid_grant");
    let told = party.tokens(1);
    let sids: Vec<_> = told.iter().map(|token| server.verified(token).1["sid"].clone()).collect();
    assert!(sids.contains(&jwt::claims(came.web.id())["sid"]), "{sids:?}");
}

#[test]
fn ending_the_device_session_ends_everything() {
    for cascade in [true, false] {
        let rules = json!({ "can_create_session_transfer_token": true, "enforce_cascade_revocation": cascade });
        let server = family(true).client(APP.id, "session_transfer", rules).start();
        let device = server.device(APP);
        let made = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", exchange(&server, &device, &[])).ok();
        let came = come(&server, KEEPER, made["access_token"].as_str().expect("a token"), "openid offline_access");
        server.revoke(APP, device.secret());
        assert!(!is_signed_in(&server, &came.browser), "cascade {cascade}");
        server.refresh(KEEPER, came.web.refresh()).refused(400, "invalid_grant");
    }
}

#[test]
fn web_clients_are_told_when_the_device_session_ends() {
    let party = RelyingParty::answering(&[]);
    let setup = setup().set("outbound.allow_private_addresses", true);
    let server = setup.client(SHOP.id, "backchannel_logout_uri", party.url("/back")).start();
    let device = server.device(APP);
    let made = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", exchange(&server, &device, &[])).ok();
    let browser = here();
    let token = made["access_token"].as_str().expect("a token");
    browser.plant(&server.issuer.parse().expect("a URL"), &format!("session_transfer_token={token}"));
    let request = Authorization::new(SHOP, "openid");
    let web = Tokens(server.token(SHOP, request.redeem(&browser.ask(&server, &request).code())).ok());
    server.revoke(APP, device.secret());
    let told = party.tokens(1);
    assert_eq!(jwt::claims(&told[0])["sid"], jwt::claims(web.id())["sid"]);
}

#[test]
fn online_refresh_tokens_end_when_the_time_of_their_web_session_is_up() {
    for (limit, online) in [("max_lifetime", true), ("max_idle", true), ("max_lifetime", false)] {
        let server = family(online).set(&format!("sessions.transferred.{limit}"), "3s").start();
        let tokens = offline(&server);
        let came = come(&server, KEEPER, &token_from(&server, HERE, &tokens), "openid offline_access");
        std::thread::sleep(std::time::Duration::from_millis(4100));
        assert!(!is_signed_in(&server, &came.browser), "{limit}");
        let answer = server.refresh(KEEPER, came.web.refresh());
        if online {
            answer.refused(400, "invalid_grant");
        } else {
            answer.ok();
        }
    }
}

#[test]
fn without_cascade_the_web_session_outlives_the_refresh_token() {
    let rules = json!({ "can_create_session_transfer_token": true, "enforce_cascade_revocation": false });
    let mut web = keeping(true);
    web["enforce_cascade_revocation"] = false.into();
    let server = family(true).client(APP.id, "session_transfer", rules).client(KEEPER.id, "session_transfer", web).start();
    let tokens = offline(&server);
    let made = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, tokens.refresh())).ok();
    let came = come(&server, KEEPER, made["access_token"].as_str().expect("a token"), "openid offline_access");
    server.revoke(APP, made["refresh_token"].as_str().expect("a token"));
    assert!(is_signed_in(&server, &came.browser));
    server.refresh(KEEPER, came.web.refresh()).ok();
}

#[test]
fn online_refresh_tokens_end_with_their_web_session_and_offline_ones_do_not() {
    for online in [true, false] {
        let server = family(online).start();
        let tokens = offline(&server);
        let came = come(&server, KEEPER, &token_from(&server, HERE, &tokens), "openid offline_access");
        let next = Tokens(server.refresh(KEEPER, came.web.refresh()).ok());
        came.browser.sign_out(&server);
        assert!(!is_signed_in(&server, &came.browser));
        let answer = server.refresh(KEEPER, next.refresh());
        if online {
            answer.refused(400, "invalid_grant");
        } else {
            answer.ok();
        }
    }
}

#[test]
fn a_replay_of_the_apps_refresh_token_takes_the_web_session_along() {
    let server = family(true).start();
    let tokens = offline(&server);
    let made = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, tokens.refresh())).ok();
    let came = come(&server, WEB, made["access_token"].as_str().expect("a token"), "openid");
    let next = made["refresh_token"].as_str().expect("it rotates");
    server.refresh(APP, next).ok();
    assert!(is_signed_in(&server, &came.browser));
    server.refresh(APP, tokens.refresh()).refused(400, "invalid_grant");
    assert!(!is_signed_in(&server, &came.browser));
}

#[test]
fn signing_one_app_out_of_a_device_ends_what_grew_from_that_app_alone() {
    let rules = json!({ "can_create_session_transfer_token": true });
    let other = crate::harness::cast::TWO;
    let server = family(true).client(other.id, "session_transfer", rules).start();
    let device = server.device(APP);
    let second = Tokens(server.exchange(other, &device, "openid offline_access").ok());
    let asked =
        Form::of(&[("grant_type", "refresh_token"), ("refresh_token", second.refresh()), ("audience", &audience(&server))]);
    let made = server.post_with(&[("x-forwarded-for", HERE)], other, "/token", asked).ok();
    let from_second = come(&server, WEB, made["access_token"].as_str().expect("a token"), "openid");
    let mine = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, device.refresh())).ok();
    let from_first = come(&server, WEB, mine["access_token"].as_str().expect("a token"), "openid");
    server.revoke(other, made["refresh_token"].as_str().expect("it rotates"));
    assert!(!is_signed_in(&server, &from_second.browser));
    assert!(is_signed_in(&server, &from_first.browser));
}

#[test]
fn the_tree_stands_in_the_store() {
    let server = family(true).start();
    let tokens = offline(&server);
    let made = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, tokens.refresh())).ok();
    let came = come(&server, KEEPER, made["access_token"].as_str().expect("a token"), "openid offline_access");
    server.kill();
    server.start_again();
    assert!(is_signed_in(&server, &came.browser));
    server.revoke(APP, made["refresh_token"].as_str().expect("a token"));
    server.kill();
    server.start_again();
    assert!(!is_signed_in(&server, &came.browser));
    server.refresh(KEEPER, came.web.refresh()).refused(400, "invalid_grant");
}

#[test]
fn nothing_that_came_from_a_token_has_another_one_made() {
    let rules = json!({
        "can_create_session_transfer_token": true, "allowed_authentication_methods": ["query"], "allow_refresh_token": true,
        "enforce_online_refresh_tokens": false,
    });
    let server = family(false).client(KEEPER.id, "session_transfer", rules).start();
    let tokens = offline(&server);
    let came = come(&server, KEEPER, &token_from(&server, HERE, &tokens), "openid offline_access device_sso");
    assert!(!came.web.has("device_secret"));
    let nested = server.token(KEEPER, form(&server, came.web.refresh()));
    let said = nested.refused(400, "invalid_grant");
    assert!(said["error_description"].as_str().is_some_and(|text| text.contains("another one")), "{said}");
    // Nor does a sign-in without a question in that browser bring a device session.
    let request = Authorization::new(APP, "openid offline_access device_sso");
    let page = came.browser.ask(&server, &request).page();
    let code = came.browser.decide(&server, &page, "allow").code();
    let native = Tokens(server.token(APP, request.redeem(&code)).ok());
    assert!(!native.has("device_secret") && !native.has("refresh_token"), "{:?}", native.0);
    // The refresh token of before is as good as it was: what was refused has cost nothing.
    server.refresh(KEEPER, came.web.refresh()).ok();
}

#[test]
fn a_person_who_signs_in_anew_has_a_session_of_their_own() {
    let server = family(true).start();
    let person = server.person();
    let tokens = server.sign_in(APP, &person, "openid offline_access");
    let made = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, tokens.refresh())).ok();
    let came = come(&server, WEB, made["access_token"].as_str().expect("a token"), "openid");
    let request = Authorization::new(SHOP, "openid").set("prompt", "login");
    let page = came.browser.ask(&server, &request).page();
    came.browser.submit_password(&server, &page, &person.name, &person.password).code();
    server.revoke(APP, made["refresh_token"].as_str().expect("a token"));
    assert!(is_signed_in(&server, &came.browser));
}

#[test]
fn of_two_browsers_that_bring_one_token_at_once_one_is_let_in() {
    let server = Arc::new(setup().start());
    let tokens = offline(&server);
    for _ in 0..3 {
        let next = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, tokens.refresh())).ok();
        let token = next["access_token"].as_str().expect("a token").to_owned();
        let gate = Arc::new(Barrier::new(4));
        let racers: Vec<_> = (0..4)
            .map(|_| {
                let (server, token, gate) = (Arc::clone(&server), token.clone(), Arc::clone(&gate));
                std::thread::spawn(move || {
                    let (browser, request) = (here(), Authorization::new(WEB, "openid").set("session_transfer_token", &token));
                    gate.wait();
                    matches!(browser.ask(&server, &request), Landing::Client(..))
                })
            })
            .collect();
        let won = racers.into_iter().map(|racer| racer.join().expect("no panic")).filter(|won| *won).count();
        assert_eq!(won, 1);
    }
}

#[test]
fn a_token_is_used_up_whatever_became_of_it() {
    let server = setup().start();
    let tokens = offline(&server);
    let token = token_from(&server, HERE, &tokens);
    let request = Authorization::new(WEB, "openid").set("session_transfer_token", &token);
    // Stolen, and brought by another device: it opens nothing there, and nothing anywhere else from then on.
    assert!(Browser::behind("198.51.100.9").ask(&server, &request).page().form("username").is_some());
    assert!(here().ask(&server, &request).page().form("username").is_some());
    server.trail().one("w", &[("client_id", WEB.id), ("reason", "address_mismatch")]);
    server.trail().one("w", &[("client_id", WEB.id), ("reason", "reused")]);
}

#[test]
fn it_expires() {
    let server = setup().set("session_transfer.lifetime", "1s").start();
    let tokens = offline(&server);
    let made = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, tokens.refresh())).ok();
    assert_eq!(made["expires_in"], 1);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let request =
        Authorization::new(WEB, "openid").set("session_transfer_token", made["access_token"].as_str().expect("a token"));
    assert!(here().ask(&server, &request).page().form("username").is_some());
    server.trail().one("w", &[("client_id", WEB.id), ("reason", "unknown")]);
}

#[test]
fn what_it_was_made_in_must_still_be_there() {
    let server = setup().start();
    let tokens = offline(&server);
    let made = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, tokens.refresh())).ok();
    server.revoke(APP, made["refresh_token"].as_str().expect("a token"));
    let request =
        Authorization::new(WEB, "openid").set("session_transfer_token", made["access_token"].as_str().expect("a token"));
    assert!(here().ask(&server, &request).page().form("username").is_some());
    server.trail().one("w", &[("client_id", WEB.id), ("reason", "parent_gone")]);
    // A person who was disabled meanwhile: their sessions have ended with that.
    let person = server.person();
    let tokens = server.sign_in(APP, &person, "openid offline_access");
    let token = token_from(&server, HERE, &tokens);
    server.command(&["user", "disable", &person.name]).fine();
    let request = Authorization::new(WEB, "openid").set("session_transfer_token", &token);
    assert!(here().ask(&server, &request).page().form("username").is_some());
}

#[test]
fn two_tokens_in_one_request_are_none() {
    let server = setup().start();
    let tokens = offline(&server);
    let token = token_from(&server, HERE, &tokens);
    let mut request = Authorization::new(WEB, "openid").set("session_transfer_token", "st_made-up");
    request.form = request.form.and("session_transfer_token", &token);
    assert_eq!(here().ask(&server, &request).page().status, 400, "parameter pollution");
    // A good one beside a bad cookie, as another page may have planted it: the parameter counts.
    let browser = here();
    browser.plant(&server.issuer.parse().expect("a URL"), "session_transfer_token=st_made-up");
    browser.ask(&server, &Authorization::new(WEB, "openid").set("session_transfer_token", &token)).code();
}

#[test]
fn a_cookie_of_another_domain_or_path_does_not_come_and_one_of_ours_is_gone_after_its_use() {
    let server = setup().start();
    let tokens = offline(&server);
    let token = token_from(&server, HERE, &tokens);
    let own: url::Url = server.issuer.parse().expect("a URL");
    let mut other = own.clone();
    other.set_host(Some("shop.localhost")).expect("a host");
    let browser = here();
    browser.set_cookie(&other, &format!("session_transfer_token={token}; Path=/"));
    browser.set_cookie(&own, &format!("session_transfer_token={token}; Path=/elsewhere"));
    // One that names a domain which is not the host's is not taken by any browser.
    browser.set_cookie(&other, &format!("session_transfer_token={token}; Domain={}; Path=/", own.host_str().expect("a host")));
    let request = Authorization::new(WEB, "openid");
    assert!(browser.ask(&server, &request).page().form("username").is_some());
    assert!(server.trail().all("w", &[]).is_empty(), "nothing came");
    let mut endpoint = own.clone();
    endpoint.set_path("/authorize");
    for path in ["/", "/authorize"] {
        browser.set_cookie(&own, &format!("session_transfer_token={token}; Path={path}"));
    }
    browser.ask(&server, &request).code();
    assert!(!browser.cookies(&endpoint).unwrap_or_default().contains("transfer"), "{:?}", browser.cookies(&endpoint));
}

#[test]
fn the_forms_of_our_pages_bring_none() {
    let server = setup().start();
    let tokens = offline(&server);
    let token = token_from(&server, HERE, &tokens);
    // A body member of that name at the pages of a sign-in means nothing.
    let request = Authorization::new(WEB, "openid");
    let browser = here();
    let page = browser.ask(&server, &request).page();
    let sign_in = page.form("username").expect("the sign-in page");
    let answer = browser.post(&sign_in.action, &sign_in.fields.and("session_transfer_token", &token));
    assert!(answer.form("username").is_some() || answer.status == 400, "{}", answer.body);
    // It has not been used up by that.
    here().ask(&server, &request.set("session_transfer_token", &token)).code();
}
