//! Post-login actions where a session transfer token signs somebody in: what they see of it, and the one that compares countries.

use serde_json::{Value, json};

use crate::harness::maxmind::{asn, city, database};
use crate::harness::{Authorization, Browser, Setup, Tokens, jwt};
use crate::post_login_actions::{JUDGE, MISMATCH, refused};
use crate::second_factor::{ESSENTIAL_TWO_FACTOR, equipped};
use crate::session_transfer::{APP, SHOP, WEB, age, ask_from, form, setup, token_from};
use crate::session_transfer_browser::{ELSEWHERE, HERE, app, with};
use crate::session_transfer_tree::KEEPER;

/// A server whose web apps take tokens from anywhere, and which knows two countries.
pub(crate) fn abroad(folder: &tempfile::TempDir) -> Setup {
    let (cities, asns) = (folder.path().join("city.mmdb"), folder.path().join("asn.mmdb"));
    let networks = [("203.0.113.0/24", city("DE", "Germany", "Berlin")), ("198.51.100.0/24", city("FR", "France", "Paris"))];
    std::fs::write(&cities, database("Test-City", &networks)).expect("a file");
    std::fs::write(&asns, database("Test-ASN", &[("203.0.113.0/24", asn(64_500, "One"))])).expect("a file");
    let unbound = |mut rules: Value| {
        rules["enforce_device_binding"] = "none".into();
        rules
    };
    let keeper = json!({ "allowed_authentication_methods": ["query"], "allow_refresh_token": true });
    setup()
        .client(APP.id, "session_transfer", unbound(json!({ "can_create_session_transfer_token": true })))
        .client(WEB.id, "session_transfer", unbound(json!({ "allowed_authentication_methods": ["query"] })))
        .client(KEEPER.id, "session_transfer", unbound(keeper))
        .client(KEEPER.id, "first_party", true)
        .set("network.databases", json!([cities, asns]))
}

#[test]
fn a_transfer_that_is_opened_in_another_country_is_denied() {
    let folder = tempfile::tempdir().expect("a folder");
    // The binding itself would let it pass.
    let server = abroad(&folder)
        .handler(MISMATCH)
        .handler(JUDGE)
        .property("op.postLoginAction.networkMismatch.enable", "true")
        .property("op.postLoginAction.judge.enable", "true")
        .property("op.postLoginAction.judge.echo", "true")
        .start();
    let (one, other) = (app(&server), app(&server));
    let asked = with(&token_from(&server, HERE, &one.tokens));
    let browser = Browser::behind("203.0.113.99");
    let code = browser.ask(&server, &asked).code();
    let seen = jwt::claims(Tokens(server.token(WEB, asked.redeem(&code)).ok()).id())["seen"].clone();
    assert_eq!(seen["session"]["transferred"], true);
    let token = &seen["session_transfer_token"];
    assert_eq!((&token["client_id"], &token["request"]["ip"]), (&json!(APP.id), &json!(HERE)));
    assert_eq!(token["request"]["geoip"]["country_code"], "DE");
    assert!(token["scope"].as_array().is_some_and(|scope| scope.contains(&json!("openid"))), "{token}");

    let asked = with(&token_from(&server, HERE, &other.tokens));
    let abroad = Browser::behind(ELSEWHERE);
    let (error, reason) = refused(&server, &asked, abroad.ask(&server, &asked));
    assert_eq!((error.as_str(), reason.as_str()), ("access_denied", "Network mismatch detected"));
    // Nothing of it stays in the browser: its person may still come by themselves.
    let asked = Authorization::new(WEB, "openid").set("prompt", "none");
    assert_eq!(refused(&server, &asked, abroad.ask(&server, &asked)).0, "login_required");
    let asked = Authorization::new(WEB, "openid");
    abroad.authorize(&server, &asked, &other.person).code();
    server.trail().one("SI2051", &[("client_id", WEB.id), ("handler", "NetworkMismatch"), ("address", ELSEWHERE)]);
    server
        .trail()
        .one("SE3011", &[("client_id", WEB.id), ("detail", "begun by a session transfer token, and denied by an action")]);
    // Nor later, when the session has gone there; but whoever signs in there by themselves is welcome.
    let asked = Authorization::new(WEB, "openid").set("prompt", "none");
    let carried = Browser::behind(ELSEWHERE);
    carried.plant(&asked.url(&server), &browser.cookies(&asked.url(&server)).expect("cookies"));
    assert_eq!(refused(&server, &asked, carried.ask(&server, &asked)).0, "access_denied");
}

#[test]
fn a_token_is_judged_though_its_person_is_signed_in_here_already() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = abroad(&folder).handler(MISMATCH).property("op.postLoginAction.networkMismatch.enable", "true").start();
    let one = app(&server);
    let browser = Browser::behind(ELSEWHERE);
    browser.authorize(&server, &Authorization::new(WEB, "openid"), &one.person).code();
    let asked = with(&token_from(&server, HERE, &one.tokens));
    assert_eq!(refused(&server, &asked, browser.ask(&server, &asked)).0, "access_denied");
}

#[test]
fn a_younger_session_that_is_denied_takes_the_place_of_no_older_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let by_cookie = json!({ "allowed_authentication_methods": ["cookie"], "enforce_device_binding": "none" });
    let setup = abroad(&folder).client(SHOP.id, "session_transfer", by_cookie).handler(MISMATCH);
    let server = setup.property("op.postLoginAction.networkMismatch.enable", "true").start();
    let first = app(&server);
    let browser = Browser::behind(ELSEWHERE);
    let asked = Authorization::new(KEEPER, "openid offline_access")
        .set("session_transfer_token", &token_from(&server, ELSEWHERE, &first.tokens));
    let kept = Tokens(server.token(KEEPER, asked.redeem(&browser.ask(&server, &asked).code())).ok());
    std::thread::sleep(std::time::Duration::from_millis(8100));
    // The person has signed in to the app anew, and that alone is young enough for what is asked.
    let later = server.sign_in(APP, &first.person, "openid offline_access");
    let young = |request: &Authorization| request.clone().set("max_age", &(age(&later) + 6).to_string());
    let made = Tokens(ask_from(&server, HERE, APP, form(&server, later.refresh())).ok());
    let issuer = server.issuer.parse().expect("a URL");
    browser.plant(&issuer, &format!("session_transfer_token={}", made.access()));
    let asked = young(&Authorization::new(SHOP, "openid"));
    assert_eq!(refused(&server, &asked, browser.ask(&server, &asked)).1, "Network mismatch detected");
    server.trail().one("SI2051", &[("client_id", SHOP.id), ("address", ELSEWHERE)]);
    assert!(!browser.cookies(&issuer).unwrap_or_default().contains("session_transfer_token"), "its work is done");
    let silent = Authorization::new(WEB, "openid").set("prompt", "none");
    browser.ask(&server, &silent).code();
    let kept = Tokens(server.refresh(KEEPER, kept.refresh()).ok());
    assert!(server.trail().all("SE3011", &[]).is_empty());
    // One that is not denied does, and that is told.
    let own = token_from(&server, ELSEWHERE, &made);
    browser.ask(&server, &young(&with(&own))).code();
    server.trail().one("SE3011", &[("client_id", WEB.id), ("detail", "its person signed in to this browser in another way")]);
    server.refresh(KEEPER, kept.refresh()).refused(400, "invalid_grant");
}

#[test]
fn what_another_tab_has_used_meanwhile_is_not_ended_by_a_denial() {
    let by_cookie = json!({ "allowed_authentication_methods": ["cookie"] });
    let server = setup()
        .client(SHOP.id, "session_transfer", by_cookie)
        .set("sign_in.second_factor", "on_request")
        .handler(JUDGE)
        .property("op.postLoginAction.judge.enable", "true")
        .property("op.postLoginAction.judge.deny", &format!("{} Not here", WEB.id))
        .start();
    let silent = Authorization::new(SHOP, "openid").set("prompt", "none");
    for used in [false, true] {
        let (person, authenticator, _) = equipped(&server);
        let tokens = server.sign_in(APP, &person, "openid offline_access");
        let (browser, request) =
            (Browser::behind(HERE), with(&token_from(&server, HERE, &tokens)).set("claims", ESSENTIAL_TWO_FACTOR));
        browser.ask(&server, &request).page();
        // The page is loaded again, which makes the session no older than the request.
        let form = browser.ask(&server, &request).page().form("otp").expect("a field for a code");
        if used {
            let code = browser.ask(&server, &silent).code();
            server.token(SHOP, silent.redeem(&code)).ok();
        }
        let landing = browser.follow(&server, browser.post(&form.action, &form.fields.set("otp", &authenticator.code())));
        assert_eq!(refused(&server, &request, landing).1, "Not here");
        assert_eq!(browser.ask(&server, &silent).parameters().contains_key("code"), used, "used: {used}");
    }
}
