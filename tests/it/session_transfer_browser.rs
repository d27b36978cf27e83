//! Session transfer tokens at the authorization endpoint: every combination of browser session and token, and what a request may want besides.
//! What does not fit is never told to the web app: the sign-in page appears, and the audit log says why.

use serde_json::{Value, json};

use crate::harness::page::Page;
use crate::harness::{Authorization, Browser, Client, Form, Person, Server, Setup, Tokens, jwt, shared};
use crate::second_factor::{ESSENTIAL_TWO_FACTOR, equipped};
use crate::session_transfer::{APP, SHOP, WEB, ask_from, exchange, setup, token_from};

pub(crate) const HERE: &str = "203.0.113.7";
pub(crate) const ELSEWHERE: &str = "198.51.100.9";

/// A person who is signed in to the native app.
pub(crate) struct SignedIn {
    pub(crate) person: Person,
    pub(crate) tokens: Tokens,
}

pub(crate) fn app(server: &Server) -> SignedIn {
    let person = server.person();
    let tokens = server.sign_in(APP, &person, "openid offline_access");
    SignedIn { person, tokens }
}

/// The request of the web app that was opened with that token.
pub(crate) fn with(token: &str) -> Authorization {
    Authorization::new(WEB, "openid").set("session_transfer_token", token)
}

pub(crate) fn token(server: &Server, app: &SignedIn) -> String {
    token_from(server, HERE, &app.tokens)
}

/// A browser where the token was made.
pub(crate) fn here() -> Browser {
    Browser::behind(HERE)
}

#[track_caller]
pub(crate) fn is_sign_in(page: &Page) {
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.form("username").is_some(), "{}", page.body);
}

/// The person that the web app was told.
#[track_caller]
fn sub(server: &Server, request: &Authorization, code: &str) -> Value {
    jwt::claims(Tokens(server.token(request.client, request.redeem(code)).ok()).id())["sub"].clone()
}

#[track_caller]
pub(crate) fn refused(server: &Server, client: Client, reason: &str) {
    server.trail().one("w", &[("client_id", client.id), ("reason", reason), ("outcome", "refused")]);
}

#[test]
fn no_session_and_a_good_token() {
    let server = setup().start();
    let app = app(&server);
    let (browser, request) = (here(), with(&token(&server, &app)));
    let parameters = browser.ask(&server, &request).parameters();
    assert_eq!(parameters["state"], request.state);
    assert_eq!(sub(&server, &request, &parameters["code"]), jwt::claims(app.tokens.id())["sub"]);
    server.trail().one("SI2041", &[("client_id", WEB.id), ("address", HERE)]);
    // It is a browser session like any other: the next web app finds it, silently.
    let shop = Authorization::new(SHOP, "openid").set("prompt", "none");
    browser.ask(&server, &shop).code();
}

#[test]
fn the_persons_own_session_and_a_good_token() {
    let server = setup().start();
    let app = app(&server);
    let browser = here();
    browser.authorize(&server, &Authorization::new(SHOP, "openid"), &app.person).code();
    let before = browser.cookies(&server.issuer.parse().expect("a URL"));
    let request = with(&token(&server, &app));
    let code = browser.ask(&server, &request).code();
    assert_eq!(sub(&server, &request, &code), jwt::claims(app.tokens.id())["sub"]);
    assert_eq!(browser.cookies(&server.issuer.parse().expect("a URL")), before, "their own session goes on");
}

#[test]
fn another_persons_session_and_a_good_token() {
    let server = setup().start();
    let (app, other) = (app(&server), server.person());
    let browser = here();
    browser.authorize(&server, &Authorization::new(SHOP, "openid"), &other).code();
    let request = with(&token(&server, &app));
    is_sign_in(&browser.ask(&server, &request).page());
    refused(&server, WEB, "user_mismatch");
    // A mere link has signed nobody out, and nobody in.
    let request = Authorization::new(SHOP, "openid").set("prompt", "none");
    let code = browser.ask(&server, &request).code();
    let told = jwt::claims(Tokens(server.token(SHOP, request.redeem(&code)).ok()).id())["sub"].clone();
    assert_ne!(told, jwt::claims(app.tokens.id())["sub"]);
}

#[test]
fn another_persons_session_ends_if_the_operator_wants_that() {
    let server = setup().set("session_transfer.end_other_sessions", true).start();
    let (app, other) = (app(&server), server.person());
    let browser = here();
    browser.authorize(&server, &Authorization::new(SHOP, "openid"), &other).code();
    // Not by a token that is no good.
    is_sign_in(&browser.ask(&server, &with("st_made-up")).page());
    let silent = Authorization::new(SHOP, "openid").set("prompt", "none");
    browser.ask(&server, &silent).code();
    is_sign_in(&browser.ask(&server, &with(&token(&server, &app))).page());
    assert_eq!(browser.ask(&server, &silent).error(&silent, &server), "login_required");
    server.trail().one("SE3011", &[("client_id", WEB.id)]);
}

#[test]
fn any_session_and_a_bad_token() {
    let server = setup().start();
    let app = app(&server);
    for browser in [here(), {
        let own = here();
        own.authorize(&server, &Authorization::new(SHOP, "openid"), &app.person).code();
        own
    }] {
        let page = browser.ask(&server, &with("st_made-up")).page();
        is_sign_in(&page);
        // From there it goes on as ever.
        browser.submit_password(&server, &page, &app.person.name, &app.person.password).code();
    }
    assert_eq!(server.trail().all("w", &[("reason", "unknown")]).len(), 2);
}

#[test]
fn a_cookie_is_taken_by_either_name_and_then_removed() {
    let server = setup().start();
    let issuer = server.issuer.parse().expect("a URL");
    for name in ["auth0_session_transfer_token", "session_transfer_token"] {
        let app = app(&server);
        let browser = here();
        browser.plant(&issuer, &format!("{name}={}", token(&server, &app)));
        let request = Authorization::new(SHOP, "openid");
        let code = browser.ask(&server, &request).code();
        let told = jwt::claims(Tokens(server.token(SHOP, request.redeem(&code)).ok()).id())["sub"].clone();
        assert_eq!(told, jwt::claims(app.tokens.id())["sub"]);
        assert!(!browser.cookies(&issuer).unwrap_or_default().contains(name));
    }
}

#[test]
fn a_client_takes_what_it_has_registered_and_nothing_else() {
    let server = setup().start();
    let (app, issuer) = (app(&server), server.issuer.parse().expect("a URL"));
    // SHOP takes cookies.
    let own = token(&server, &app);
    is_sign_in(&here().ask(&server, &Authorization::new(SHOP, "openid").set("session_transfer_token", &own)).page());
    refused(&server, SHOP, "method_not_allowed");
    // It was not used up by that, nor by a client that takes none at all.
    let browser = here();
    browser.plant(&issuer, &format!("session_transfer_token={own}"));
    let none = crate::harness::cast::FIRST_PARTY;
    is_sign_in(&browser.ask(&server, &Authorization::new(none, "openid")).page());
    assert!(browser.cookies(&issuer).is_some_and(|cookies| cookies.contains(&own)), "it waits for the one that takes it");
    assert!(server.trail().all("w", &[("client_id", none.id)]).is_empty(), "a cookie goes to everybody");
    // A parameter is nothing to that client either; but whoever wonders why finds it in the log.
    is_sign_in(&here().ask(&server, &Authorization::new(none, "openid").set("session_transfer_token", &own)).page());
    refused(&server, none, "method_not_allowed");
    browser.ask(&server, &Authorization::new(SHOP, "openid")).code();
}

#[test]
fn a_token_beside_a_pushed_request_counts() {
    let server = setup().start();
    let app = app(&server);
    let request = Authorization::new(WEB, "openid");
    let pushed = server.post_as(WEB, "/par", request.form.clone().without("client_id"));
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    let uri = pushed.json()["request_uri"].as_str().expect("a reference").to_owned();
    let outer = [("client_id", WEB.id), ("request_uri", &uri), ("session_transfer_token", &token(&server, &app))];
    let beside = Authorization { form: Form::of(&outer), ..request.clone() };
    here().ask(&server, &beside).code();
}

#[test]
fn a_token_in_a_pushed_request_counts_and_lies_nowhere_about() {
    let server = setup().start();
    for taken in [true, false] {
        // express-openid-connect pushes whatever it is told to put into the request.
        let (alice, request) = (app(&server), Authorization::new(WEB, "openid"));
        let own = token(&server, &alice);
        let inside = request.form.clone().without("client_id").and("session_transfer_token", &own);
        let pushed = server.post_as(WEB, "/par", inside);
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        let file = server.folder().join(format!("backup-{taken}"));
        server.command(&["store", "backup", file.to_str().expect("a path")]).fine();
        let kept = std::fs::read(&file).expect("a file");
        let has = |text: &str| kept.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(has(&request.state) && !has(&own), "the request is kept, and of the token its digest");
        let uri = pushed.json()["request_uri"].as_str().expect("a reference").to_owned();
        let asked = Authorization { form: Form::of(&[("client_id", WEB.id), ("request_uri", &uri)]), ..request };
        if taken {
            let browser = here();
            assert_eq!(sub(&server, &asked, &browser.ask(&server, &asked).code()), jwt::claims(alice.tokens.id())["sub"]);
        } else {
            is_sign_in(&Browser::behind(ELSEWHERE).ask(&server, &asked).page());
            refused(&server, WEB, "address_mismatch");
        }
    }
}

#[test]
fn prompts_have_their_way() {
    let server = setup().start();
    let app = app(&server);
    is_sign_in(&here().ask(&server, &with(&token(&server, &app)).set("prompt", "login")).page());
    is_sign_in(&here().ask(&server, &with(&token(&server, &app)).set("prompt", "select_account")).page());
    assert_eq!(server.trail().all("w", &[("reason", "prompt")]).len(), 2);
    // The token is gone all the same.
    let own = token(&server, &app);
    is_sign_in(&here().ask(&server, &with(&own).set("prompt", "login")).page());
    is_sign_in(&here().ask(&server, &with(&own)).page());
    // Nothing is shown, and nothing need be.
    here().ask(&server, &with(&token(&server, &app)).set("prompt", "none")).code();
    let bad = with("st_made-up").set("prompt", "none");
    assert_eq!(here().ask(&server, &bad).error(&bad, &server), "login_required");
    // Whoever is signed in to the browser is not taken instead.
    let browser = here();
    browser.authorize(&server, &Authorization::new(SHOP, "openid"), &app.person).code();
    let bad = with("st_made-up").set("prompt", "none");
    assert_eq!(browser.ask(&server, &bad).error(&bad, &server), "login_required");
    // Consent is asked all the same.
    let page = here().ask(&server, &with(&token(&server, &app)).set("prompt", "consent")).page();
    assert!(page.form("decision").is_some(), "{}", page.body);
}

#[test]
fn an_app_of_somebody_else_still_asks_consent() {
    let server = setup().client(WEB.id, "first_party", false).start();
    let app = app(&server);
    let (browser, request) = (here(), with(&token(&server, &app)));
    let page = browser.ask(&server, &request).page();
    assert!(page.form("decision").is_some() && page.body.contains(&app.person.name), "{}", page.body);
    // A reload of either page is no second use.
    assert!(browser.get(&page.url).form("decision").is_some());
    assert!(browser.ask(&server, &request).page().form("decision").is_some());
    browser.decide(&server, &page, "allow").code();
}

#[test]
fn max_age_is_measured_from_the_sign_in_to_the_app() {
    let server = setup().start();
    let app = app(&server);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    is_sign_in(&here().ask(&server, &with(&token(&server, &app)).set("max_age", "1")).page());
    refused(&server, WEB, "too_old");
    let (browser, request) = (here(), with(&token(&server, &app)).set("max_age", "1000"));
    let code = browser.ask(&server, &request).code();
    let claims = jwt::claims(Tokens(server.token(WEB, request.redeem(&code)).ok()).id());
    assert_eq!(claims["auth_time"], jwt::claims(app.tokens.id())["auth_time"]);
    // max_age=0 is prompt=login by another name.
    is_sign_in(&here().ask(&server, &with(&token(&server, &app)).set("max_age", "0")).page());
}

#[test]
fn hints_of_another_person_are_a_mismatch() {
    let server = setup().start();
    let (app, other) = (app(&server), server.person());
    let page = here().ask(&server, &with(&token(&server, &app)).set("login_hint", &other.name)).page();
    is_sign_in(&page);
    assert!(!page.body.contains(&app.person.name), "the page does not tell whose token it was");
    let hint = server.sign_in(WEB, &other, "openid");
    is_sign_in(&here().ask(&server, &with(&token(&server, &app)).set("id_token_hint", hint.id())).page());
    here().ask(&server, &with(&token(&server, &app)).set("login_hint", &app.person.name)).code();
    // A name that nobody has reads no differently.
    is_sign_in(&here().ask(&server, &with(&token(&server, &app)).set("login_hint", "nobody-of-that-name")).page());
}

#[test]
fn a_higher_level_asks_for_the_missing_factor_alone() {
    let server = setup().set("sign_in.second_factor", "on_request").start();
    let (person, authenticator, _) = equipped(&server);
    let tokens = server.sign_in(APP, &person, "openid offline_access");
    let (browser, request) = (here(), with(&token_from(&server, HERE, &tokens)).set("claims", ESSENTIAL_TWO_FACTOR));
    let page = browser.ask(&server, &request).page();
    assert!(page.form("username").is_none(), "no password is asked");
    let form = page.form("otp").expect("a field for a code");
    let answer = browser.post(&form.action, &form.fields.set("otp", &authenticator.code()));
    let code = browser.follow(&server, answer).code();
    let claims = jwt::claims(Tokens(server.token(WEB, request.redeem(&code)).ok()).id());
    assert_eq!(claims["acr"], "urn:symbolon:acr:two-factor");
    assert_eq!(claims["auth_time"], jwt::claims(tokens.id())["auth_time"]);
}

#[test]
fn the_second_factor_of_the_app_is_not_carried_over() {
    let server = setup().set("sign_in.second_factor", "on_request").start();
    let (person, authenticator, _) = equipped(&server);
    let browser = Browser::new();
    let request = Authorization::new(APP, "openid offline_access").set("acr_values", "urn:symbolon:acr:two-factor");
    let page = browser.ask(&server, &request).page();
    let page = browser.submit_password(&server, &page, &person.name, &person.password).page();
    let form = page.form("otp").expect("a field for a code");
    let answer = browser.post(&form.action, &form.fields.set("otp", &authenticator.code()));
    let page = browser.follow(&server, answer).page();
    let code = browser.decide(&server, &page, "allow").code();
    let tokens = Tokens(server.token(APP, request.redeem(&code)).ok());
    assert_eq!(jwt::claims(tokens.id())["acr"], "urn:symbolon:acr:two-factor");
    let request = with(&token_from(&server, HERE, &tokens));
    let code = here().ask(&server, &request).code();
    let claims = jwt::claims(Tokens(server.token(WEB, request.redeem(&code)).ok()).id());
    assert_eq!((claims["acr"].as_str(), &claims["amr"]), (Some("urn:symbolon:acr:password"), &json!(["pwd"])));
}

#[test]
fn a_web_session_has_its_own_shorter_life_and_no_refresh_token_unless_allowed() {
    let server = setup().set("sessions.transferred.max_lifetime", "10m").start();
    let app = app(&server);
    let request = with(&token(&server, &app)).set("scope", "openid offline_access device_sso");
    let code = here().ask(&server, &request).code();
    let told = Tokens(server.token(WEB, request.redeem(&code)).ok());
    assert!(!told.has("refresh_token") && !told.has("device_secret"), "{:?}", told.0);
    assert_eq!(told.get("scope"), "openid");
    let sid = jwt::claims(told.id())["sid"].as_str().expect("a sid").to_owned();
    let shown = server.command(&["session", "show", &sid, "--json"]).fine().json();
    let seconds = |name: &str| shown[name].as_u64().unwrap_or_else(|| panic!("no {name}: {shown}"));
    assert!(seconds("expires") <= seconds("created") + 600, "{shown}");
}

#[test]
fn without_tokens_nothing_has_changed() {
    let server = shared::usual();
    let request = Authorization::new(WEB, "openid").set("session_transfer_token", "st_made-up");
    is_sign_in(&Browser::new().ask(server, &request).page());
    let person = server.person();
    let browser = Browser::new();
    browser.authorize(server, &Authorization::new(WEB, "openid"), &person).code();
    // The feature is off for this client: the parameter means nothing to it.
    browser.ask(server, &request).code();
}

#[test]
fn an_exchanged_token_is_as_good_as_another() {
    let server: Server = Setup::start(setup());
    let device = server.device(APP);
    let told = ask_from(&server, HERE, APP, exchange(&server, &device, &[])).ok();
    let request = with(told["access_token"].as_str().expect("a token"));
    let code = here().ask(&server, &request).code();
    assert_eq!(sub(&server, &request, &code), jwt::claims(device.id())["sub"]);
    is_sign_in(&here().ask(&server, &request).page());
    refused(&server, WEB, "reused");
}
