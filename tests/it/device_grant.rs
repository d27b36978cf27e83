//! Devices without a browser (RFC 8628): a code to type, a page to type it on, polling until the person has decided.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::cast::{BACKEND, FIRST_PARTY, ONE, TWO};
use crate::harness::page::Page;
use crate::harness::{Answer, Browser, Client, Form, Landing, Person, Server, Setup, Tokens};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A server on which some clients are on such devices; a second lies between two polls.
fn setup() -> Setup {
    let grants = json!(["authorization_code", "refresh_token", GRANT, "urn:ietf:params:oauth:grant-type:token-exchange"]);
    let setup = Setup::new().set("device_authorization.interval", "1s").set("telemetry.format", "json");
    [ONE, FIRST_PARTY, BACKEND].iter().fold(setup, |setup, client| setup.client(client.id, "grant_types", grants.clone()))
}

fn ask(server: &Server, client: Client, scope: &str) -> Value {
    let answer = server.post_as(client, "/device_authorization", Form::of(&[("scope", scope)]));
    answer.is_not_cached();
    answer.ok()
}

fn poll(server: &Server, client: Client, asked: &Value) -> Answer {
    let code = asked["device_code"].as_str().expect("a device code");
    server.token(client, Form::of(&[("grant_type", GRANT), ("device_code", code)]))
}

/// Types a code on the page.
fn enter(server: &Server, browser: &Browser, code: &str) -> Page {
    let page = browser.get(&server.url("/device").parse().expect("it is there"));
    let form = page.form("user_code").expect("a field for the code");
    browser.post(&form.action, &form.fields.set("user_code", code))
}

/// The whole way of a person with a browser, up to the consent page.
fn come_to_consent(server: &Server, browser: &Browser, asked: &Value, person: &Person) -> Page {
    let page = enter(server, browser, asked["user_code"].as_str().expect("it is there"));
    browser.submit_password(server, &page, &person.name, &person.password).page()
}

#[test]
fn a_device_is_let_in() {
    let server = setup().start();
    let person = server.person();
    let asked = ask(&server, ONE, "openid profile offline_access device_sso");
    assert_eq!(asked["verification_uri"], server.url("/device"));
    assert_eq!((asked["expires_in"].as_u64(), asked["interval"].as_u64()), (Some(600), Some(1)));
    let complete = asked["verification_uri_complete"].as_str().expect("it is there");

    let browser = Browser::new();
    // The complete address fills the code in and does nothing by itself.
    let page = browser.get(&complete.parse().expect("it is there"));
    let form = page.form("user_code").expect("a form");
    assert!(
        form.fields.0.contains(&("user_code".to_owned(), asked["user_code"].as_str().expect("it is there").to_owned())),
        "{form:?}"
    );
    poll(&server, ONE, &asked).refused(400, "authorization_pending");
    let page = browser.post(&form.action, &form.fields);
    let page = browser.submit_password(&server, &page, &person.name, &person.password).page();
    assert!(page.body.contains("The app app-one"), "{}", page.body);
    let done = browser.decide(&server, &page, "allow").page();
    assert!(done.body.contains("You can go back to your device"), "{}", done.body);
    assert!(!done.url.as_str().contains("code="), "nothing of worth in the address: {}", done.url);

    sleep(Duration::from_millis(1100));
    let tokens = Tokens(poll(&server, ONE, &asked).ok());
    assert_eq!(server.userinfo(tokens.access()).ok()["name"], "Ada Example");
    // It is a device session like every other.
    server.exchange(TWO, &tokens, "openid").ok();
    server.refresh(ONE, tokens.refresh()).ok();
    // Good once; a second use is a replay, and ends what the first was given.
    poll(&server, ONE, &asked).refused(400, "invalid_grant");
    assert!(!server.is_active(tokens.access()));
    let trail = server.trail();
    trail.one("SI2031", &[("client_id", ONE.id)]);
    trail.one("SI2032", &[("client_id", ONE.id)]);
    trail.one("TK1041", &[("client_id", ONE.id)]);
    assert!(!trail.all("TK1042", &[]).is_empty());
    assert!(!server.log().contains(asked["device_code"].as_str().expect("it is there")));
}

#[test]
fn who_is_signed_in_must_still_agree_even_to_the_vendors_own_app() {
    let server = setup().start();
    let (browser, person) = (Browser::new(), server.person());
    let asked = ask(&server, FIRST_PARTY, "openid");
    let page = come_to_consent(&server, &browser, &asked, &person);
    browser.decide(&server, &page, "allow").page();
    let second = ask(&server, FIRST_PARTY, "openid");
    let page = enter(&server, &browser, second["user_code"].as_str().expect("it is there"));
    assert!(page.form("decision").is_some(), "asked once more (RFC 8628 section 5.4): {}", page.body);
}

#[test]
fn a_device_that_is_turned_away_is_told() {
    let server = setup().start();
    let (browser, person) = (Browser::new(), server.person());
    let asked = ask(&server, BACKEND, "openid");
    let page = come_to_consent(&server, &browser, &asked, &person);
    let done = browser.decide(&server, &page, "deny").page();
    assert!(done.body.contains("not let in"), "{}", done.body);
    poll(&server, BACKEND, &asked).refused(400, "access_denied");
    // Its code is worth nothing any more.
    let page = enter(&server, &browser, asked["user_code"].as_str().expect("it is there"));
    assert!(page.alert().is_some_and(|text| text.contains("No device waits")), "{}", page.body);
}

#[test]
fn impatience_is_slowed_down() {
    let server = setup().set("device_authorization.interval", "30s").start();
    let asked = ask(&server, ONE, "openid");
    poll(&server, ONE, &asked).refused(400, "authorization_pending");
    poll(&server, ONE, &asked).refused(400, "slow_down");
    poll(&server, ONE, &asked).refused(400, "slow_down");
}

#[test]
fn codes_end_and_belong_to_their_client() {
    let server = setup().start();
    let asked = ask(&server, ONE, "openid");
    poll(&server, FIRST_PARTY, &asked).refused(400, "expired_token");
    poll(&server, TWO, &asked).refused(400, "unauthorized_client");
    poll(&server, ONE, &json!({ "device_code": "dc_nothing" })).refused(400, "expired_token");
    server.token(ONE, Form::of(&[("grant_type", GRANT)])).refused(400, "invalid_request");
    // It is no authorization code, before and after the person agreed.
    let (browser, person) = (Browser::new(), server.person());
    let own = ask(&server, BACKEND, "openid");
    let page = come_to_consent(&server, &browser, &own, &person);
    browser.decide(&server, &page, "allow").page();
    let verifier = "v".repeat(43);
    let as_code = Form::of(&[
        ("grant_type", "authorization_code"),
        ("code", own["device_code"].as_str().expect("it is there")),
        ("code_verifier", &verifier),
    ]);
    server.token(BACKEND, as_code).refused(400, "invalid_grant");
    poll(&server, BACKEND, &own).ok();
}

#[test]
fn requests_are_checked_as_everywhere() {
    let server = setup().start();
    let post = |client: Client, form: &[(&str, &str)]| server.post_as(client, "/device_authorization", Form::of(form));
    post(TWO, &[("scope", "openid")]).refused(400, "unauthorized_client");
    post(ONE, &[("scope", "openid device_sso admin:everything")]).ok();
    post(ONE, &[("scope", "device_sso")]).refused(400, "invalid_scope");
    post(ONE, &[("scope", "openid"), ("resource", "https://nowhere.example")]).refused(400, "invalid_target");
    let nobody = Client { id: "nobody", ..ONE };
    post(nobody, &[("scope", "openid")]).refused(401, "invalid_client");
    let discovery = server.get("/.well-known/openid-configuration").ok();
    assert_eq!(discovery["device_authorization_endpoint"], server.url("/device_authorization"));
    assert!(discovery["grant_types_supported"].as_array().expect("it is there").contains(&json!(GRANT)));
}

#[test]
fn the_form_is_of_this_browser_and_guessing_ends() {
    let server = setup().set("sign_in.throttle.account_attempts", 3).start();
    let (browser, stranger) = (Browser::new(), Browser::new());
    let asked = ask(&server, ONE, "openid");
    let page = browser.get(&server.url("/device").parse().expect("it is there"));
    let form = page.form("user_code").expect("it is there");
    let typed = form.fields.set("user_code", asked["user_code"].as_str().expect("it is there"));
    assert_eq!(stranger.post(&form.action, &typed).status, 400, "another browser's form");
    for _ in 0..3 {
        assert_eq!(enter(&server, &browser, "BCDF-GHJK").status, 200);
    }
    let page = enter(&server, &browser, asked["user_code"].as_str().expect("it is there"));
    assert_eq!((page.status, page.header("retry-after").is_some()), (429, true));
}

#[test]
fn spelling_is_forgiven_and_a_reload_harmless() {
    let server = setup().start();
    let (browser, person) = (Browser::new(), server.person());
    let asked = ask(&server, ONE, "openid");
    let sloppy = asked["user_code"].as_str().expect("it is there").to_lowercase().replace('-', " ");
    let page = enter(&server, &browser, &sloppy);
    let page = browser.submit_password(&server, &page, &person.name, &person.password).page();
    let again = browser.get(&page.url);
    let Landing::Page(done) = browser.decide(&server, &again, "allow") else { panic!("sent away") };
    assert_eq!(done.status, 200);
    let over = browser.decide(&server, &page, "allow").page();
    assert_eq!(over.status, 400, "decided once");
}
