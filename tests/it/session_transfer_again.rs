//! A session transfer token that comes again, in the browser that has used it: a page that is loaded once more is about the same person or about
//! nobody, judged like the first time, and the audit log says why not.

use serde_json::json;

use crate::harness::cast::TWO;
use crate::harness::{Authorization, Browser, Server, Setup, Tokens, jwt};
use crate::post_login_actions::{JUDGE, MISMATCH, refused as told};
use crate::post_login_transfer::abroad;
use crate::session_transfer::{APP, WEB, ask_from, exchange, setup, token_from};
use crate::session_transfer_browser::{ELSEWHERE, HERE, app, here, is_sign_in, refused, token, with};
use crate::session_transfer_tree::KEEPER;

/// How often the log says that a token was not taken, for that reason.
fn count(server: &Server, reason: &str) -> usize {
    server.trail().all("w", &[("reason", reason)]).len()
}

#[test]
fn one_that_gave_nobody_a_session_gives_none_later_and_each_time_is_told() {
    let server = setup().start();
    let app = app(&server);
    let (browser, request) = (Browser::behind(ELSEWHERE), with(&token(&server, &app)));
    is_sign_in(&browser.ask(&server, &request).page());
    refused(&server, WEB, "address_mismatch");
    is_sign_in(&browser.ask(&server, &request).page());
    assert_eq!(count(&server, "reused"), 1);
    let silent = request.clone().set("prompt", "none");
    assert_eq!(browser.ask(&server, &silent).error(&silent, &server), "login_required");
    assert_eq!(count(&server, "reused"), 2);
}

#[test]
fn one_whose_session_has_ended_opens_nothing_and_that_is_told() {
    let server = setup().start();
    let app = app(&server);
    let (browser, request) = (here(), with(&token(&server, &app)));
    browser.ask(&server, &request).code();
    browser.ask(&server, &request).code();
    assert_eq!(count(&server, "reused"), 0, "the page was loaded again");
    browser.sign_out(&server);
    is_sign_in(&browser.ask(&server, &request).page());
    assert_eq!(count(&server, "reused"), 1);
}

#[test]
fn what_the_request_says_of_the_person_counts_again() {
    let server = setup().start();
    let (alice, bob) = (app(&server), server.person());
    let (browser, request) = (here(), with(&token(&server, &alice)));
    browser.ask(&server, &request).code();
    // Another person's name, whom a token of Alice's must not answer for.
    is_sign_in(&browser.ask(&server, &request.clone().set("login_hint", &bob.name)).page());
    refused(&server, WEB, "user_mismatch");
    let choosing = request.clone().set("prompt", "select_account");
    let page = browser.ask(&server, &choosing).page();
    assert!(page.form("account").is_some(), "the person chooses: {}", page.body);
    // Also where that is how the token came first.
    let fresh = with(&token_from(&server, HERE, &server.sign_in(APP, &alice.person, "openid offline_access")));
    for _ in 0..2 {
        let page = browser.ask(&server, &fresh.clone().set("prompt", "select_account")).page();
        assert!(page.form("account").is_some(), "{}", page.body);
    }
    is_sign_in(&browser.ask(&server, &request.clone().set("prompt", "login")).page());
    assert_eq!(count(&server, "prompt"), 4);
    browser.ask(&server, &request.set("login_hint", &alice.person.name)).code();
}

#[test]
fn what_was_denied_is_denied_again_and_ends_no_older_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let mismatch = |setup: Setup| setup.handler(MISMATCH).property("op.postLoginAction.networkMismatch.enable", "true");
    let server = mismatch(abroad(&folder)).start();
    let alice = app(&server);
    let browser = Browser::behind(ELSEWHERE);
    // Her own session, in the country where the browser is.
    browser.authorize(&server, &Authorization::new(WEB, "openid"), &alice.person).code();
    let request = with(&token_from(&server, HERE, &alice.tokens));
    for _ in 0..2 {
        assert_eq!(told(&server, &request, browser.ask(&server, &request)).1, "Network mismatch detected");
    }
    browser.ask(&server, &Authorization::new(WEB, "openid").set("prompt", "none")).code();

    // A session that an earlier token began goes on, and what was issued in it.
    let bob = app(&server);
    let browser = Browser::behind(ELSEWHERE);
    let first = Authorization::new(KEEPER, "openid offline_access")
        .set("session_transfer_token", &token_from(&server, ELSEWHERE, &bob.tokens));
    let kept = Tokens(server.token(KEEPER, first.redeem(&browser.ask(&server, &first).code())).ok());
    let again = server.sign_in(APP, &bob.person, "openid offline_access");
    let second = with(&token_from(&server, HERE, &again));
    assert_eq!(told(&server, &second, browser.ask(&server, &second)).0, "access_denied");
    browser.ask(&server, &Authorization::new(WEB, "openid").set("prompt", "none")).code();
    server.refresh(KEEPER, kept.refresh()).ok();
}

#[test]
fn an_action_is_told_what_the_session_is_and_where_the_token_was_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let judge = abroad(&folder).handler(JUDGE).property("op.postLoginAction.judge.enable", "true");
    let server = judge.property("op.postLoginAction.judge.echo", "true").start();
    let seen = |request: &Authorization, browser: &Browser| {
        let code = browser.ask(&server, request).code();
        jwt::claims(Tokens(server.token(WEB, request.redeem(&code)).ok()).id())["seen"].clone()
    };
    let alice = app(&server);
    let request = with(&token_from(&server, HERE, &alice.tokens));
    let browser = Browser::behind("203.0.113.99").that_says("Browser/2");
    for what in ["the first time", "loaded again"] {
        let seen = seen(&request, &browser);
        assert_eq!(seen["session"]["transferred"], true, "{what}");
        let made = &seen["session_transfer_token"]["request"];
        assert_eq!((&made["ip"], &made["user_agent"], &made["asn"]), (&json!(HERE), &json!("App/1"), &json!(64_500)), "{what}");
        let own = &seen["request"];
        assert_eq!((&own["ip"], &own["user_agent"]), (&json!("203.0.113.99"), &json!("Browser/2")), "{what}");
    }
    // Somebody who is signed in by themselves, and comes with a token: their session has not become another.
    let bob = app(&server);
    let browser = here();
    browser.authorize(&server, &Authorization::new(WEB, "openid"), &bob.person).code();
    let seen = seen(&with(&token_from(&server, HERE, &bob.tokens)), &browser);
    assert_eq!(seen["session"]["transferred"], false);
    assert_eq!(seen["session_transfer_token"]["client_id"], APP.id);
}

#[test]
fn it_counts_nowhere_where_it_would_not_have_counted_at_first() {
    let rules = json!({ "allowed_authentication_methods": ["query"], "allowed_origin_clients": [TWO.id] });
    let setup = setup().client(KEEPER.id, "session_transfer", rules).client(KEEPER.id, "first_party", true);
    let server = setup.start();
    let alice = app(&server);
    let (browser, own) = (here(), token(&server, &alice));
    let request = with(&own);
    browser.ask(&server, &request).code();
    // Longer ago than this request allows, which a page may say and whoever asks silently is told in one word.
    let aged = request.clone().set("max_age", "0");
    is_sign_in(&browser.ask(&server, &aged).page());
    let silent = aged.set("prompt", "none");
    assert_eq!(browser.ask(&server, &silent).error(&silent, &server), "login_required");
    assert_eq!(count(&server, "too_old"), 2);
    // A client to which nobody comes from this app.
    let elsewhere = |token: &str| Authorization::new(KEEPER, "openid").set("session_transfer_token", token);
    is_sign_in(&browser.ask(&server, &elsewhere(&own)).page());
    refused(&server, KEEPER, "origin_not_allowed");
    // The same browser has moved to another network.
    let (moved, url) = (Browser::behind(ELSEWHERE), request.url(&server));
    moved.plant(&url, &browser.cookies(&url).expect("cookies"));
    is_sign_in(&moved.ask(&server, &request).page());
    refused(&server, WEB, "address_mismatch");
    browser.ask(&server, &request).code();
    // A client that it was not made for.
    let device = server.device(APP);
    let made = ask_from(&server, HERE, APP, exchange(&server, &device, &[("audience", WEB.id)])).ok();
    let (browser, own) = (here(), made["access_token"].as_str().expect("a token"));
    browser.ask(&server, &with(own)).code();
    is_sign_in(&browser.ask(&server, &elsewhere(own)).page());
    refused(&server, KEEPER, "target_mismatch");
}
