//! What somebody with a token of their own, or of another, may not reach: another person's code, a second factor, names, a session that outlives
//! what it came from.

use std::sync::{Arc, Barrier};

use serde_json::json;

use crate::harness::cast::BACKEND_POST;
use crate::harness::server::http;
use crate::harness::{Authorization, Browser, Landing, RelyingParty, Tokens, until};
use crate::second_factor::ESSENTIAL_TWO_FACTOR;
use crate::session_transfer::{APP, SHOP, WEB, add_app, age, exchange, form, setup, token_from};
use crate::session_transfer_browser::{HERE, app, here, is_sign_in, token, with};

#[test]
fn a_token_lets_nobody_set_up_a_second_factor() {
    let server = setup().set("sign_in.second_factor", "on_request").start();
    let person = server.person();
    let tokens = server.sign_in(APP, &person, "openid offline_access");
    let (browser, request) = (here(), with(&token_from(&server, HERE, &tokens)).set("claims", ESSENTIAL_TWO_FACTOR));
    let page = browser.ask(&server, &request).page();
    is_sign_in(&page);
    // Whoever knows the password may.
    let page = browser.submit_password(&server, &page, &person.name, &person.password).page();
    assert!(page.form("otp").is_some() && page.body.contains("<svg"), "{}", page.body);
}

#[test]
fn the_token_of_another_person_is_answered_by_nobody_however_often_it_comes() {
    let server = Arc::new(setup().start());
    let (alice, bob) = (app(&server), server.person());
    let browser = Arc::new(here());
    browser.authorize(&server, &Authorization::new(SHOP, "openid"), &bob).code();
    for _ in 0..3 {
        let own = token(&server, &alice);
        let gate = Arc::new(Barrier::new(4));
        let racers: Vec<_> = (0..4)
            .map(|_| {
                let (server, browser, own, gate) = (Arc::clone(&server), Arc::clone(&browser), own.clone(), Arc::clone(&gate));
                std::thread::spawn(move || {
                    gate.wait();
                    matches!(browser.ask(&server, &with(&own)), Landing::Client(..))
                })
            })
            .collect();
        let answered = racers.into_iter().map(|racer| racer.join().expect("no panic")).filter(|code| *code).count();
        assert_eq!(answered, 0);
        is_sign_in(&browser.ask(&server, &with(&own)).page());
    }
    // Nor after a prompt has used it up, nor by a parameter that the client does not take.
    let own = token(&server, &alice);
    is_sign_in(&browser.ask(&server, &with(&own).set("prompt", "login")).page());
    is_sign_in(&browser.ask(&server, &with(&own)).page());
    is_sign_in(&browser.ask(&server, &Authorization::new(SHOP, "openid").set("session_transfer_token", &own)).page());
}

#[test]
fn a_page_that_is_loaded_again_is_about_the_same_person_or_nobody() {
    let server = setup().client(WEB.id, "first_party", false).start();
    let (alice, bob) = (app(&server), server.person());
    let (browser, request) = (here(), with(&token(&server, &alice)));
    assert!(browser.ask(&server, &request).page().body.contains(&alice.person.name));
    // Somebody else signs in beside her: the page of the token is still hers.
    let page = browser.ask(&server, &Authorization::new(SHOP, "openid").set("prompt", "login")).page();
    browser.submit_password(&server, &page, &bob.name, &bob.password).code();
    assert!(browser.ask(&server, &request).page().body.contains(&alice.person.name));
    server.command(&["session", "end", "--user", &alice.person.name, "--all"]).fine();
    is_sign_in(&browser.ask(&server, &request).page());
}

#[test]
fn a_session_of_ones_own_is_neither_made_younger_nor_tied_by_a_token() {
    let server = setup().start();
    let person = server.person();
    let browser = here();
    browser.authorize(&server, &Authorization::new(SHOP, "openid"), &person).code();
    std::thread::sleep(std::time::Duration::from_millis(3100));
    let tokens = server.sign_in(APP, &person, "openid offline_access");
    let made = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, tokens.refresh())).ok();
    let age = age(&tokens);
    let own = made["access_token"].as_str().expect("a token");
    // Whoever builds the link chooses max_age: with it no refresh token, no device secret and no second factor comes from a token.
    let request = with(own).set("max_age", &(age + 2).to_string()).set("scope", "openid offline_access device_sso");
    is_sign_in(&browser.ask(&server, &request).page());
    server.trail().one("w", &[("client_id", WEB.id), ("reason", "too_old")]);
    server.revoke(APP, made["refresh_token"].as_str().expect("a token"));
    let silent = Authorization::new(SHOP, "openid").set("prompt", "none");
    browser.ask(&server, &silent).code();
    let aged = silent.set("max_age", &(age + 2).to_string());
    assert_eq!(browser.ask(&server, &aged).error(&aged, &server), "login_required");
}

#[test]
fn a_second_token_begins_a_session_of_its_own_app() {
    let server = setup().start();
    let person = server.person();
    let made =
        |tokens: &Tokens| server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, tokens.refresh())).ok();
    let first = made(&server.sign_in(APP, &person, "openid offline_access"));
    let browser = here();
    browser.ask(&server, &with(first["access_token"].as_str().expect("a token"))).code();
    std::thread::sleep(std::time::Duration::from_millis(3100));
    let later = server.sign_in(APP, &person, "openid offline_access");
    let second = made(&later);
    let age = age(&later);
    let request = with(second["access_token"].as_str().expect("a token")).set("max_age", &(age + 2).to_string());
    browser.ask(&server, &request).code();
    // It hangs on the second sign-in now, and not on the first.
    server.revoke(APP, first["refresh_token"].as_str().expect("a token"));
    let silent = Authorization::new(SHOP, "openid").set("prompt", "none");
    browser.ask(&server, &silent).code();
    server.revoke(APP, second["refresh_token"].as_str().expect("a token"));
    assert_eq!(browser.ask(&server, &silent).error(&silent, &server), "login_required");
}

#[test]
fn refresh_tokens_end_with_what_they_came_from_though_the_person_signed_in_anew() {
    let rules = json!({ "allowed_authentication_methods": ["query"], "allow_refresh_token": true });
    let server = setup().client(BACKEND_POST.id, "session_transfer", rules).client(BACKEND_POST.id, "first_party", true).start();
    let alice = app(&server);
    let browser = here();
    let request =
        Authorization::new(BACKEND_POST, "openid offline_access").set("session_transfer_token", &token(&server, &alice));
    let code = browser.ask(&server, &request).code();
    let web = Tokens(server.token(BACKEND_POST, request.redeem(&code)).ok());
    let page = browser.ask(&server, &Authorization::new(SHOP, "openid").set("prompt", "login")).page();
    browser.submit_password(&server, &page, &alice.person.name, &alice.person.password).code();
    // They hung on the session that the token had begun, and that is over.
    server.refresh(BACKEND_POST, web.refresh()).refused(400, "invalid_grant");
    assert!(!server.is_active(web.access()));
}

#[test]
fn a_dead_refresh_token_and_a_deleted_app_carry_nobody() {
    let server = setup().set("tokens.refresh_token.lifetime", "2s").set("tokens.access_token.lifetime", "1s").start();
    let alice = app(&server);
    let browser = here();
    browser.ask(&server, &with(&token(&server, &alice))).code();
    let silent = Authorization::new(SHOP, "openid").set("prompt", "none");
    until("the refresh token of the app has expired", || match browser.ask(&server, &silent) {
        Landing::Client(_, told) => told.get("error").is_some_and(|error| error == "login_required"),
        Landing::Page(page) => panic!("{}", page.body),
    });
    // An app of an operator's that is deleted.
    let server = setup().start();
    let gone = add_app(&server, "app-gone", &[]);
    let tokens = server.sign_in(gone, &server.person(), "openid offline_access");
    let made = server.post_with(&[("x-forwarded-for", HERE)], gone, "/token", form(&server, tokens.refresh())).ok();
    let browser = here();
    browser.ask(&server, &with(made["access_token"].as_str().expect("a token"))).code();
    server.command(&["client", "delete", gone.id]).fine();
    assert_eq!(browser.ask(&server, &silent).error(&silent, &server), "login_required");
}

#[test]
fn a_token_by_device_secret_hangs_on_the_app_that_had_it_made() {
    let server = setup().start();
    let device = server.device(APP);
    server.exchange(crate::harness::cast::TWO, &device, "openid offline_access").ok();
    let made = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", exchange(&server, &device, &[])).ok();
    let browser = here();
    browser.ask(&server, &with(made["access_token"].as_str().expect("a token"))).code();
    let silent = Authorization::new(SHOP, "openid").set("prompt", "none");
    browser.ask(&server, &silent).code();
    // The app is signed out of a device that goes on for the other.
    server.revoke(APP, device.refresh());
    assert_eq!(browser.ask(&server, &silent).error(&silent, &server), "login_required");
}

#[test]
fn clients_are_told_though_the_server_died_in_between() {
    let party = RelyingParty::answering(&[]);
    let server = setup()
        .set("outbound.allow_private_addresses", true)
        .client(SHOP.id, "backchannel_logout_uri", party.url("/back"))
        .start();
    let alice = app(&server);
    let made = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, alice.tokens.refresh())).ok();
    let mut refresh = made["refresh_token"].as_str().expect("a token").to_owned();
    let mut token = made["access_token"].as_str().expect("a token").to_owned();
    for _ in 0..8 {
        let browser = here();
        browser.plant(&server.issuer.parse().expect("a URL"), &format!("session_transfer_token={token}"));
        let request = Authorization::new(SHOP, "openid");
        server.token(SHOP, request.redeem(&browser.ask(&server, &request).code())).ok();
        let next = server.post_with(&[("x-forwarded-for", HERE)], APP, "/token", form(&server, &refresh)).ok();
        refresh = next["refresh_token"].as_str().expect("a token").to_owned();
        token = next["access_token"].as_str().expect("a token").to_owned();
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let body = format!("client_id={}&token={refresh}", APP.id);
            let request = http().post(server.url("/revoke")).header("content-type", "application/x-www-form-urlencoded");
            drop(request.body(body).send());
        });
        std::thread::sleep(std::time::Duration::from_millis(40));
        server.kill();
    });
    server.start_again();
    // The client had no answer and tries again.
    server.revoke(APP, &refresh);
    party.tokens(8);
}

#[test]
fn a_link_signs_out_at_most_whom_the_setting_means() {
    let server = setup().set("session_transfer.end_other_sessions", true).start();
    let (alice, bob) = (app(&server), server.person());
    let browser = here();
    browser.authorize(&server, &Authorization::new(SHOP, "openid"), &alice.person).code();
    let silent = Authorization::new(SHOP, "openid").set("prompt", "none");
    is_sign_in(&browser.ask(&server, &with(&token(&server, &alice)).set("login_hint", &bob.name)).page());
    browser.ask(&server, &silent).code();
    // Where a token counts from anywhere nobody is signed out by one.
    let from_anywhere = json!({ "allowed_authentication_methods": ["query"], "enforce_device_binding": "none" });
    let native = json!({ "can_create_session_transfer_token": true, "enforce_device_binding": "none" });
    let ending = || setup().set("session_transfer.end_other_sessions", true);
    for setup in [
        ending().set("session_transfer.binding", "log"),
        ending().client(WEB.id, "session_transfer", from_anywhere).client(APP.id, "session_transfer", native),
    ] {
        let server = setup.start();
        let (alice, bob) = (app(&server), server.person());
        let browser = Browser::behind("198.51.100.9");
        browser.authorize(&server, &Authorization::new(SHOP, "openid"), &bob).code();
        is_sign_in(&browser.ask(&server, &with(&token(&server, &alice))).page());
        browser.ask(&server, &silent).code();
    }
}

#[test]
fn a_used_cookie_is_removed_for_every_domain_that_an_app_can_have_set_it_for() {
    let server = setup().set("server.issuer", "https://login.shop.example.com").start();
    let request = Authorization::new(SHOP, "openid");
    // The browser is behind a proxy that ends TLS.
    let mut url = request.url(&server);
    url.set_path("/authorize");
    let asked = http().get(url).header("cookie", "session_transfer_token=st_made-up").send().expect("an answer");
    let set: Vec<_> = asked.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).collect();
    let removed: Vec<_> = set.iter().filter(|cookie| cookie.starts_with("session_transfer_token=;")).collect();
    assert!(removed.iter().all(|cookie| cookie.contains("Max-Age=0")), "{removed:?}");
    for path in ["Path=/;", "Path=/authorize;"] {
        let removed: Vec<_> = removed.iter().map(|cookie| format!("{cookie};")).filter(|cookie| cookie.contains(path)).collect();
        let domains: Vec<_> = removed.iter().filter_map(|cookie| cookie.split("Domain=").nth(1)?.split(';').next()).collect();
        assert_eq!(domains, ["login.shop.example.com", "shop.example.com", "example.com"]);
        assert_eq!(removed.len(), 4, "and for this host alone: {removed:?}");
    }
    // A cookie of another domain is never sent here; one that this browser was not told to keep is not touched.
    let plain = http().get(request.url(&server)).send().expect("an answer");
    assert!(plain.headers().get_all("set-cookie").iter().all(|cookie| !cookie.to_str().unwrap_or_default().contains("transfer")));
}
