//! Levels of authentication: setting up an authenticator app, showing its codes, recovery codes, step-up, and what tokens say of it.

use serde_json::Value;

use crate::harness::authenticator::Authenticator;
use crate::harness::cast::{FIRST_PARTY, ONE, TWO};
use crate::harness::page::{Page, is};
use crate::harness::{Authorization, Browser, Landing, Person, Server, Setup, Tokens, jwt, shared};

const TWO_FACTOR: &str = "urn:symbolon:acr:two-factor";
/// `claims` of a request that demands it.
pub(crate) const ESSENTIAL_TWO_FACTOR: &str =
    r#"{"id_token":{"acr":{"essential":true,"values":["urn:symbolon:acr:two-factor"]}}}"#;
const PASSWORD: &str = "urn:symbolon:acr:password";

fn request() -> Authorization {
    Authorization::new(FIRST_PARTY, "openid")
}

fn essential(acr: &str) -> Authorization {
    request().set("claims", &format!(r#"{{"id_token":{{"acr":{{"essential":true,"values":["{acr}"]}}}}}}"#))
}

fn id_token(server: &Server, request: &Authorization, landing: Landing) -> Value {
    jwt::claims(Tokens(server.token(FIRST_PARTY, request.redeem(&landing.code())).ok()).id())
}

fn submit_code(server: &Server, browser: &Browser, page: &Page, code: &str) -> Landing {
    let form = page.form("otp").unwrap_or_else(|| panic!("no field for a code:\n{}", page.body));
    let answer = browser.post(&form.action, &form.fields.set("otp", code));
    browser.follow(server, answer)
}

fn sign_in(server: &Server, browser: &Browser, request: &Authorization, person: &Person) -> Landing {
    let page = browser.ask(server, request).page();
    browser.submit_password(server, &page, &person.name, &person.password)
}

/// OpenID Connect Core section 5.5.1: a single value instead of several.
#[test]
fn a_level_may_be_demanded_by_value() {
    let server = shared::usual();
    let (browser, (person, app, _)) = (Browser::new(), equipped(server));
    let demand =
        |acr: &str| request().set("claims", &format!(r#"{{"id_token":{{"acr":{{"essential":true,"value":"{acr}"}}}}}}"#));
    let request = demand(TWO_FACTOR);
    let page = sign_in(server, &browser, &request, &person).page();
    let landing = submit_code(server, &browser, &page, &app.code());
    assert_eq!(id_token(server, &request, landing)["acr"], TWO_FACTOR);
    let unknown = demand("urn:nobody:knows").set("prompt", "none");
    assert_eq!(browser.ask(server, &unknown).error(&unknown, server), "unmet_authentication_requirements");
}

/// The texts of the elements `code` on a page.
fn codes(page: &Page) -> Vec<String> {
    page.read(|document| {
        let codes = document.descendants().filter(|node| is(*node, "code"));
        codes.filter_map(|node| node.text().map(str::to_owned)).collect()
    })
}

/// Somebody with an app and recovery codes, set up by an administrator.
pub(crate) fn equipped(server: &Server) -> (Person, Authenticator, Vec<String>) {
    let person = server.person();
    let begun: Value = server.command(&["user", "totp", "enrol", &person.name, "--json"]).fine().json();
    assert!(begun["uri"].as_str().is_some_and(|uri| uri.starts_with("otpauth://totp/")), "{begun}");
    let app = Authenticator::new(begun["key"].as_str().expect("it is there"));
    let confirmed = server.command(&["user", "totp", "confirm", &person.name, "--code", &app.code(), "--json"]).fine().json();
    let codes = confirmed["recovery_codes"]
        .as_array()
        .expect("it is there")
        .iter()
        .map(|code| code.as_str().expect("it is there").to_owned())
        .collect();
    (person, app, codes)
}

#[test]
fn an_app_is_set_up_when_a_level_demands_it() {
    let server = shared::usual();
    let (browser, person) = (Browser::new(), server.person());
    let request = essential(TWO_FACTOR);
    let page = sign_in(server, &browser, &request, &person).page();
    assert!(page.body.contains("<svg"), "a picture to scan:\n{}", page.body);
    let key = codes(&page).remove(0);
    assert_eq!(codes(&browser.get(&page.url)).remove(0), key, "a reload shows the same");
    let app = Authenticator::new(&key);
    let wrong = submit_code(server, &browser, &page, "000000").page();
    assert!(wrong.alert().is_some_and(|text| text.contains("not right")), "{}", wrong.body);
    let shown = submit_code(server, &browser, &wrong, &app.code()).page();
    let recovery = codes(&shown);
    assert_eq!(recovery.len(), 10, "{}", shown.body);
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    let next = shown.read(|document| {
        let link = document.descendants().find(|node| is(*node, "a")).expect("a link");
        shown.url.join(link.attribute("href").expect("it is there")).expect("it is there")
    });
    let page = browser.get(&next);
    let claims = id_token(server, &request, browser.follow(server, page));
    assert_eq!(claims["acr"], TWO_FACTOR);
    assert_eq!(claims["amr"], serde_json::json!(["pwd", "otp", "mfa"]));

    // From now on the person is asked wherever they sign in, and each code is good once.
    let elsewhere = Browser::new();
    let plain = self::request();
    let page = sign_in(server, &elsewhere, &plain, &person).page();
    let page = submit_code(server, &elsewhere, &page, &app.same_again()).page();
    assert!(page.alert().is_some_and(|text| text.contains("used before")), "{}", page.body);
    assert_eq!(id_token(server, &plain, submit_code(server, &elsewhere, &page, &app.code()))["acr"], TWO_FACTOR);

    let third = Browser::new();
    let page = sign_in(server, &third, &self::request(), &person).page();
    submit_code(server, &third, &page, &recovery[0].to_uppercase()).code();
    let fourth = Browser::new();
    let page = sign_in(server, &fourth, &self::request(), &person).page();
    let page = submit_code(server, &fourth, &page, &recovery[0]).page();
    assert!(page.alert().is_some(), "a recovery code is good once");
}

#[test]
fn nobody_confirms_a_key_that_another_browser_was_shown() {
    let server = shared::usual();
    let (thief, own, person) = (Browser::new(), Browser::new(), server.person());
    let (first, second) = (essential(TWO_FACTOR), essential(TWO_FACTOR));
    let theirs = sign_in(server, &thief, &first, &person).page();
    let stolen = Authenticator::new(&codes(&theirs).remove(0));
    let page = sign_in(server, &own, &second, &person).page();
    let app = Authenticator::new(&codes(&page).remove(0));
    assert_ne!(codes(&page), codes(&theirs), "each browser has a key of its own");
    let wrong = submit_code(server, &own, &page, &stolen.code()).page();
    assert!(wrong.alert().is_some_and(|text| text.contains("not right")), "{}", wrong.body);
    // What the other browser began last holds; this one is not shown it, and begins anew.
    let late = submit_code(server, &thief, &theirs, &app.code()).page();
    assert!(late.alert().is_some_and(|text| text.contains("begin again")), "{}", late.body);
    assert!(codes(&late) != codes(&theirs) && codes(&late) != codes(&page));
    let again = submit_code(server, &own, &wrong, &app.same_again()).page();
    assert!(again.alert().is_some_and(|text| text.contains("begin again")), "{}", again.body);
    let app = Authenticator::new(&codes(&again).remove(0));
    assert_eq!(codes(&submit_code(server, &own, &again, &app.code()).page()).len(), 10);
    // In use is this app; the other browser is asked for its codes.
    let page = thief.get(&theirs.url);
    assert!(codes(&page).is_empty() && page.form("otp").is_some(), "{}", page.body);
}

#[test]
fn a_level_that_is_only_welcome_is_no_obstacle() {
    let server = shared::usual();
    let (browser, person) = (Browser::new(), server.person());
    let request = request().set("acr_values", &format!("{TWO_FACTOR} {PASSWORD} urn:nobody:knows"));
    assert_eq!(id_token(server, &request, sign_in(server, &browser, &request, &person))["acr"], PASSWORD);
    let unknown = self::request().set("acr_values", "urn:nobody:knows").set("prompt", "none");
    assert_eq!(id_token(server, &unknown, browser.ask(server, &unknown))["acr"], PASSWORD);
}

#[test]
fn step_up_asks_for_what_is_missing_and_nothing_else() {
    let server = Setup::new().set("sign_in.second_factor", "on_request").start();
    let (person, app, _) = equipped(&server);
    let browser = Browser::new();
    let first = request();
    let before = id_token(&server, &first, sign_in(&server, &browser, &first, &person));
    assert_eq!(before["acr"], PASSWORD);
    let at = server.url("/authorize").parse().expect("it is there");
    let cookie = browser.cookies(&at);

    let silent = essential(TWO_FACTOR).set("prompt", "none");
    assert_eq!(browser.ask(&server, &silent).error(&silent, &server), "interaction_required");
    let welcome = request().set("acr_values", TWO_FACTOR);
    let page = browser.ask(&server, &welcome).page();
    assert!(page.form("password").is_none(), "the password was shown already");
    let after = id_token(&server, &welcome, submit_code(&server, &browser, &page, &app.code()));
    assert_eq!((after["acr"].as_str(), &after["auth_time"]), (Some(TWO_FACTOR), &before["auth_time"]));
    assert_eq!(after["sid"], before["sid"], "the same session");
    assert_ne!(browser.cookies(&at), cookie, "under another cookie");

    // The higher level contains the lower one, which is then what is stated if only that was asked for.
    let silent = essential(TWO_FACTOR).set("prompt", "none");
    assert_eq!(id_token(&server, &silent, browser.ask(&server, &silent))["acr"], TWO_FACTOR);
    let lower = essential(PASSWORD).set("prompt", "none");
    assert_eq!(id_token(&server, &lower, browser.ask(&server, &lower))["acr"], PASSWORD);
}

#[test]
fn what_cannot_be_met_is_told_to_the_client() {
    let server = Setup::new().set("sign_in.totp.enrolment", "by_administrator").start();
    let (browser, person) = (Browser::new(), server.person());
    for acr in [TWO_FACTOR, "urn:nobody:knows"] {
        let request = essential(acr).set("prompt", "login");
        let landing = sign_in(&server, &browser, &request, &person);
        assert_eq!(landing.error(&request, &server), "unmet_authentication_requirements");
        let request = essential(acr);
        assert_eq!(browser.ask(&server, &request).error(&request, &server), "unmet_authentication_requirements");
    }
    browser.ask(&server, &request().set("prompt", "none")).code();
}

#[test]
fn everybody_may_be_made_to_have_one() {
    let server = Setup::new().set("sign_in.second_factor", "always").set("telemetry.format", "json").start();
    let (browser, person) = (Browser::new(), server.person());
    let page = sign_in(&server, &browser, &request(), &person).page();
    let app = Authenticator::new(&codes(&page)[0]);
    submit_code(&server, &browser, &page, &app.code()).page();
    let silent = request().set("prompt", "none");
    assert_eq!(id_token(&server, &silent, browser.ask(&server, &silent))["acr"], TWO_FACTOR);
    let other = Browser::new();
    let page = sign_in(&server, &other, &request(), &person).page();
    submit_code(&server, &other, &page, &app.code()).code();
    let trail = server.trail();
    trail.one("SI2007", &[("client_id", FIRST_PARTY.id)]);
    trail.one("SI2005", &[("detail", "authenticator app")]);
}

#[test]
fn no_other_form_leads_around_it() {
    let server = shared::usual();
    let (person, app, _) = equipped(server);
    let browser = Browser::new();
    let request = Authorization::new(ONE, "openid");
    let page = sign_in(server, &browser, &request, &person).page();
    let form = page.form("otp").expect("a field for a code");
    let transaction = &form.fields.clone();
    let consent = server.url("/consent").parse().expect("it is there");
    let answer = browser.post(&consent, &transaction.clone().without("otp").and("decision", "allow"));
    let landing = browser.follow(server, answer).page();
    assert!(landing.form("otp").is_some(), "still the second factor:\n{}", landing.body);
    let silent = Authorization::new(ONE, "openid").set("prompt", "none");
    assert_eq!(browser.ask(server, &silent).error(&silent, server), "interaction_required");
    // Somebody else's browser has nothing of it.
    let answer = Browser::new().post(&form.action, &form.fields.clone().set("otp", &app.code()));
    assert_eq!(answer.status, 400);
    let page = submit_code(server, &browser, &page, &app.same_again()).page();
    assert!(page.form("decision").is_some(), "the code of another browser was not used up:\n{}", page.body);
}

#[test]
fn guessing_ends_soon() {
    let server = Setup::new().set("sign_in.throttle.account_attempts", 3).set("telemetry.format", "json").start();
    let (person, app, _) = equipped(&server);
    let browser = Browser::new();
    let mut page = sign_in(&server, &browser, &request(), &person).page();
    for code in ["111111", "222222", "333333"] {
        page = submit_code(&server, &browser, &page, code).page();
        assert_eq!(page.status, 200);
    }
    let page = submit_code(&server, &browser, &page, &app.code()).page();
    assert_eq!(page.status, 429, "even the right one");
    assert!(page.header("retry-after").is_some());
    let trail = server.trail();
    assert_eq!(trail.all("SI2006", &[("reason", "the code is wrong")]).len(), 3);
    assert!(!trail.all("SI2003", &[]).is_empty());
}

#[test]
fn a_device_session_carries_the_level_on() {
    let server = shared::usual();
    let (person, app, _) = equipped(server);
    let browser = Browser::new();
    let request = Authorization::new(ONE, "openid offline_access device_sso");
    let page = sign_in(server, &browser, &request, &person).page();
    let page = submit_code(server, &browser, &page, &app.code()).page();
    let code = browser.decide(server, &page, "allow").code();
    let device = Tokens(server.token(ONE, request.redeem(&code)).ok());
    assert_eq!(jwt::claims(device.id())["acr"], TWO_FACTOR);
    let exchanged = Tokens(server.exchange(TWO, &device, "openid").ok());
    assert_eq!(jwt::claims(exchanged.id())["acr"], TWO_FACTOR);
    assert_eq!(jwt::claims(exchanged.access())["acr"], TWO_FACTOR);
}

#[test]
fn an_administrator_sets_up_and_takes_away() {
    let server = Setup::new().set("telemetry.format", "json").start();
    let (person, _, recovery) = equipped(&server);
    let show = || -> Value { server.command(&["user", "show", &person.name, "--json"]).fine().json() };
    assert_eq!(show()["factors"], serde_json::json!({ "totp": true, "recovery_codes": 10 }));
    server.command(&["user", "totp", "confirm", &person.name, "--code", "123456"]).refused();
    let fresh = server.command(&["user", "recovery-codes", &person.name]).fine().stdout;
    assert!(recovery.iter().all(|code| !fresh.contains(code)));
    let browser = Browser::new();
    let page = sign_in(&server, &browser, &request(), &person).page();
    let page = submit_code(&server, &browser, &page, &recovery[0]).page();
    assert!(page.alert().is_some(), "replaced codes are worth nothing");
    server.command(&["user", "totp", "remove", &person.name]).fine();
    let refused = server.command(&["user", "recovery-codes", &person.name]).refused();
    assert!(refused.contains("no authenticator app"), "{refused}");
    assert_eq!(show()["factors"]["totp"], false);
    browser.ask(&server, &request().set("prompt", "none")).code();
    let trail = server.trail();
    assert_eq!(trail.all("AD8008", &[]).len(), 2);
    trail.one("AD8007", &[]);
    let log = server.log();
    assert!(recovery.iter().all(|code| !log.contains(code)), "no code in the log");
}
