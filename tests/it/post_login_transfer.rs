//! Post-login actions where a session transfer token signs somebody in: what they see of it, and the one that compares countries.

use serde_json::{Value, json};

use crate::harness::maxmind::{asn, city, database};
use crate::harness::{Authorization, Browser, Setup, Tokens, jwt};
use crate::post_login_actions::{JUDGE, MISMATCH, refused};
use crate::session_transfer::{APP, WEB, setup, token_from};
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
