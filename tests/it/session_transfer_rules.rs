//! What two clients say together of a session transfer, what the web session hangs on where the app has no refresh token, and what is taken back
//! between the making of a token and its use.

use serde_json::json;

use crate::harness::cast::{FIRST_PARTY, ONE, TWO};
use crate::harness::{Authorization, Browser, Client, Form, Server, Setup, TOKEN_EXCHANGE, Tokens, jwt};
use crate::second_factor::{ESSENTIAL_TWO_FACTOR, equipped};
use crate::session_transfer::{APP, SHOP, WEB, add_app, age, ask_from, exchange, form, setup, token_from};
use crate::session_transfer_browser::{HERE, app, here, is_sign_in, refused, token, with};
use crate::session_transfer_tree::{KEEPER, is_signed_in};

/// A server on which native app and web app say these two.
fn saying(member: &str, native: bool, web: bool) -> Setup {
    let mut rules = [
        json!({ "can_create_session_transfer_token": true }),
        json!({ "allowed_authentication_methods": ["query"], "allow_refresh_token": true }),
    ];
    rules[0][member] = native.into();
    rules[1][member] = web.into();
    setup().client(APP.id, "session_transfer", rules[0].clone()).client(KEEPER.id, "session_transfer", rules[1].clone()).client(
        KEEPER.id,
        "first_party",
        true,
    )
}

#[test]
fn either_client_enforces_that_what_grew_ends_with_the_refresh_token() {
    for (native, web) in [(true, false), (false, true), (false, false)] {
        let server = saying("enforce_cascade_revocation", native, web).start();
        let tokens = server.sign_in(APP, &server.person(), "openid offline_access");
        let made = Tokens(ask_from(&server, HERE, APP, form(&server, tokens.refresh())).ok());
        let (browser, request) = (here(), Authorization::new(KEEPER, "openid offline_access"));
        let request = request.set("session_transfer_token", made.access());
        let kept = Tokens(server.token(KEEPER, request.redeem(&browser.ask(&server, &request).code())).ok());
        server.revoke(APP, made.refresh());
        let enforced = native || web;
        assert_eq!(is_signed_in(&server, &browser), !enforced, "{native} {web}");
        assert_eq!(server.refresh(KEEPER, kept.refresh()).status, if enforced { 400 } else { 200 }, "{native} {web}");
        let ends = server.trail().all("SE3013", &[]).len();
        assert_eq!(ends, if enforced { 2 } else { 0 }, "the end of either is told");
    }
}

#[test]
fn a_client_that_enforces_it_does_so_in_the_session_that_another_began() {
    for online in [true, false] {
        let mild = |mut rules: serde_json::Value| {
            rules["enforce_cascade_revocation"] = false.into();
            rules["enforce_online_refresh_tokens"] = online.into();
            rules
        };
        let strict = json!({
            "allowed_authentication_methods": ["query"], "allow_refresh_token": true, "enforce_online_refresh_tokens": online,
        });
        let server = setup()
            .client(APP.id, "session_transfer", mild(json!({ "can_create_session_transfer_token": true })))
            .client(WEB.id, "session_transfer", mild(json!({ "allowed_authentication_methods": ["query"] })))
            .client(KEEPER.id, "session_transfer", strict)
            .client(KEEPER.id, "first_party", true)
            .start();
        let tokens = server.sign_in(APP, &server.person(), "openid offline_access");
        let made = Tokens(ask_from(&server, HERE, APP, form(&server, tokens.refresh())).ok());
        let (browser, request) = (here(), Authorization::new(KEEPER, "openid offline_access"));
        browser.ask(&server, &with(made.access())).code();
        let kept = Tokens(server.token(KEEPER, request.redeem(&browser.ask(&server, &request).code())).ok());
        server.revoke(APP, made.refresh());
        server.refresh(KEEPER, kept.refresh()).refused(400, "invalid_grant");
    }
}

#[test]
fn either_client_enforces_that_refresh_tokens_end_with_their_web_session() {
    for (native, web) in [(true, false), (false, true), (false, false)] {
        let server = saying("enforce_online_refresh_tokens", native, web).start();
        let own = token(&server, &app(&server));
        let (browser, request) = (here(), Authorization::new(KEEPER, "openid offline_access"));
        let request = request.set("session_transfer_token", &own);
        let kept = Tokens(server.token(KEEPER, request.redeem(&browser.ask(&server, &request).code())).ok());
        browser.sign_out(&server);
        let answer = server.refresh(KEEPER, kept.refresh());
        assert_eq!(answer.status, if native || web { 400 } else { 200 }, "{native} {web}: {}", answer.body);
    }
}

/// A server on which an exchange gives no refresh token, and access tokens live for a second.
fn without_refresh_tokens() -> Setup {
    setup()
        .client(TWO.id, "session_transfer", json!({ "can_create_session_transfer_token": true }))
        .property("op.deviceSSOHandler.refreshToken.issue", "false")
        .property("op.deviceSSOHandler.accessToken.lifetime", "1")
}

/// A browser that this app has signed in by the device secret.
#[track_caller]
fn opened_by(server: &Server, client: Client, device: &Tokens) -> Browser {
    let made = Tokens(ask_from(server, HERE, client, exchange(server, device, &[])).ok());
    let browser = here();
    browser.ask(server, &with(made.access())).code();
    browser
}

#[test]
fn without_a_refresh_token_the_web_session_lasts_as_long_as_the_app_is_signed_in() {
    let server = without_refresh_tokens().start();
    let device = server.device(ONE);
    let exchanged = || Tokens(server.exchange(TWO, &device, "openid").ok());
    assert!(!exchanged().has("refresh_token"));
    let browser = opened_by(&server, TWO, &device);
    // The app goes on with other access tokens: what it had of them before is over.
    for _ in 0..2 {
        std::thread::sleep(std::time::Duration::from_millis(2100));
        exchanged();
        assert!(is_signed_in(&server, &browser));
    }
    // Until it is signed out.
    for _ in 0..10 {
        exchanged();
    }
    assert!(is_signed_in(&server, &browser), "and however many");
    server.revoke(ONE, device.secret());
    assert!(!is_signed_in(&server, &browser));
}

#[test]
fn an_app_with_a_refresh_token_is_signed_out_by_it_whatever_else_it_has() {
    let server = without_refresh_tokens().start();
    let device = server.device(ONE);
    // The newest that it has is an access token alone.
    assert!(!Tokens(server.exchange(ONE, &device, "openid").ok()).has("refresh_token"));
    let browser = opened_by(&server, ONE, &device);
    assert!(is_signed_in(&server, &browser));
    server.revoke(ONE, device.refresh());
    assert!(!is_signed_in(&server, &browser));
}

#[test]
fn what_is_taken_back_after_a_token_was_made_counts_when_it_is_used() {
    let server = setup().start();
    let late = add_app(&server, "app-late", &[]);
    let tokens = server.sign_in(late, &server.person(), "openid offline_access");
    let own = Tokens(ask_from(&server, HERE, late, form(&server, tokens.refresh())).ok());
    server.command(&["client", "session-transfer", "set", late.id, "--can-create-token=false"]).fine();
    is_sign_in(&here().ask(&server, &with(own.access())).page());
    refused(&server, WEB, "origin_gone");

    let alice = app(&server);
    let own = token(&server, &alice);
    server.command(&["user", "disable", &alice.person.name]).fine();
    is_sign_in(&here().ask(&server, &with(&own)).page());
    // With the person their sessions have ended, which is found first.
    refused(&server, WEB, "parent_gone");
}

#[test]
fn a_device_that_is_too_old_to_let_others_in_opens_no_page_either() {
    let server = setup().set("sessions.device.auth_lifetime", "5s").start();
    let device = server.device(APP);
    let made = Tokens(ask_from(&server, HERE, APP, form(&server, device.refresh())).ok());
    std::thread::sleep(std::time::Duration::from_millis(6100));
    let told = ask_from(&server, HERE, APP, form(&server, made.refresh()));
    told.refused(400, "interaction_required");
    server.trail().one("fertft", &[("client_id", APP.id)]);
    // The refresh token has not been used up by that.
    server.refresh(APP, made.refresh()).ok();
}

#[test]
fn where_everybody_must_show_a_second_factor_so_must_who_comes_with_a_token() {
    let server = setup().set("sign_in.second_factor", "if_enrolled").start();
    let (person, authenticator, _) = equipped(&server);
    let sign_in = |browser: &Browser, request: &Authorization| {
        let page = browser.ask(&server, request).page();
        let page = browser.submit_password(&server, &page, &person.name, &person.password).page();
        let form = page.form("otp").expect("a field for a code");
        browser.follow(&server, browser.post(&form.action, &form.fields.set("otp", &authenticator.code())))
    };
    let (browser, request) = (Browser::new(), Authorization::new(APP, "openid offline_access"));
    let page = sign_in(&browser, &request).page();
    let tokens = Tokens(server.token(APP, request.redeem(&browser.decide(&server, &page, "allow").code())).ok());
    let (browser, request) = (here(), with(&token_from(&server, HERE, &tokens)));
    let page = browser.ask(&server, &request).page();
    assert!(page.form("otp").is_some() && page.form("username").is_none(), "the missing factor alone: {}", page.body);
    let silent = Authorization::new(SHOP, "openid").set("prompt", "none");
    assert_eq!(browser.ask(&server, &silent).error(&silent, &server), "interaction_required");
}

#[test]
fn where_nothing_may_be_shown_no_older_session_ends_for_want_of_a_second_factor() {
    let server = setup().set("sign_in.second_factor", "on_request").start();
    let (person, _, _) = equipped(&server);
    let signed_in = || server.sign_in(APP, &person, "openid offline_access");
    let browser = here();
    browser.ask(&server, &with(&token_from(&server, HERE, &signed_in()))).code();
    std::thread::sleep(std::time::Duration::from_millis(8100));
    let later = signed_in();
    let request = with(&token_from(&server, HERE, &later)).set("claims", ESSENTIAL_TWO_FACTOR).set("prompt", "none");
    let request = request.set("max_age", &(age(&later) + 6).to_string());
    assert_eq!(browser.ask(&server, &request).error(&request, &server), "interaction_required");
    assert!(is_signed_in(&server, &browser));
    assert!(server.trail().all("SE3011", &[]).is_empty());
}

#[test]
fn an_app_that_was_deleted_and_registered_again_carries_nobody_of_before() {
    let server = without_refresh_tokens().start();
    let family = server.command(&["client", "show", ONE.id, "--json"]).fine().json()["device_sso_family"].clone();
    let of_the_family = [
        ("device_sso_family", family),
        ("grant_types", json!(["authorization_code", TOKEN_EXCHANGE])),
        ("scope", "openid device_sso".into()),
    ];
    let add = || add_app(&server, "app-again", &of_the_family);
    let again = add();
    let device = server.device(ONE);
    server.exchange(again, &device, "openid").ok();
    let browser = opened_by(&server, again, &device);
    assert!(is_signed_in(&server, &browser));
    server.command(&["client", "delete", again.id]).fine();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    add();
    server.exchange(again, &device, "openid").ok();
    assert!(!is_signed_in(&server, &browser));
}

#[test]
fn among_several_people_of_a_browser_a_token_speaks_for_its_own() {
    let server = setup().start();
    let (alice, bob) = (app(&server), server.person());
    let browser = here();
    browser.authorize(&server, &Authorization::new(SHOP, "openid"), &alice.person).code();
    let page = browser.ask(&server, &Authorization::new(SHOP, "openid").set("prompt", "login")).page();
    browser.submit_password(&server, &page, &bob.name, &bob.password).code();
    let request = with(&token(&server, &alice));
    let told = Tokens(server.token(WEB, request.redeem(&browser.ask(&server, &request).code())).ok());
    assert_eq!(jwt::claims(told.id())["sub"], jwt::claims(alice.tokens.id())["sub"]);
    // Both are there still.
    let page = browser.ask(&server, &Authorization::new(SHOP, "openid").set("prompt", "select_account")).page();
    assert!(page.body.contains(&alice.person.name) && page.body.contains(&bob.name), "{}", page.body);
}

#[test]
fn a_device_that_is_let_in_by_a_transferred_browser_has_nothing_from_which_more_could_grow() {
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let grants = json!(["authorization_code", "refresh_token", grant]);
    let server = setup().client(FIRST_PARTY.id, "grant_types", grants).start();
    let scope = Form::of(&[("scope", "openid offline_access device_sso")]);
    let asked = server.post_as(FIRST_PARTY, "/device_authorization", scope).ok();
    let browser = here();
    browser.ask(&server, &with(&token(&server, &app(&server)))).code();
    let page = browser.get(&server.url("/device").parse().expect("a URL"));
    let form = page.form("user_code").expect("a field for the code");
    let page = browser.post(&form.action, &form.fields.set("user_code", asked["user_code"].as_str().expect("a code")));
    let form = page.form("decision").expect("a question");
    browser.post(&form.action, &form.fields.set("decision", "allow"));
    let code = asked["device_code"].as_str().expect("a device code");
    let told = Tokens(server.token(FIRST_PARTY, Form::of(&[("grant_type", grant), ("device_code", code)])).ok());
    assert!(told.has("access_token") && !told.has("refresh_token") && !told.has("device_secret"), "{:?}", told.0);
}
