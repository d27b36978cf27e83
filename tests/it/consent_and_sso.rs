//! Consent and silent sign-on: who is asked what, and how often.

use crate::harness::cast::{FIRST_PARTY, NO_EXCHANGE, ONE, TWO};
use crate::harness::page::text;
use crate::harness::{Authorization, Browser, Landing, Setup, jwt, shared, until};

#[test]
fn consent_names_the_app_and_what_it_wants() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let page = browser.ask(server, &Authorization::new(ONE, "openid payments")).page();
    let page = browser.submit_password(server, &page, &person.name, &person.password).page();
    let all = page.read(|document| text(document.root_element()));
    assert!(all.contains("The app app-one"), "{all}");
    assert!(all.contains("Pay for things"), "{all}");
    let form = page.form("decision").expect("a form");
    let mut values: Vec<&str> = form.buttons.iter().map(|(_, value)| value.as_str()).collect();
    values.sort_unstable();
    assert_eq!(values, ["allow", "deny"]);
}

#[test]
fn deny_tells_the_client() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let request = Authorization::new(ONE, "openid");
    let page = browser.ask(server, &request).page();
    let page = browser.submit_password(server, &page, &person.name, &person.password).page();
    assert_eq!(browser.decide(server, &page, "deny").error(&request, server), "access_denied");
    let again = browser.ask(server, &Authorization::new(ONE, "openid")).page();
    assert!(again.form("decision").is_some(), "a refusal is not remembered as consent");
}

#[test]
fn a_decision_needs_its_own_form() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let page = browser.ask(server, &Authorization::new(ONE, "openid")).page();
    let page = browser.submit_password(server, &page, &person.name, &person.password).page();
    let form = page.form("decision").expect("a form");
    for broken in [
        form.fields.clone(),
        form.fields.clone().and("decision", "perhaps"),
        form.fields.clone().set("transaction", "forged").and("decision", "allow"),
        form.fields.clone().without("transaction").and("decision", "allow"),
    ] {
        assert_eq!(browser.post(&form.action, &broken).status, 400);
    }
    let stranger = Browser::new().post(&form.action, &form.fields.clone().and("decision", "allow"));
    assert_eq!(stranger.status, 400);
    browser.decide(server, &page, "allow").code();
    let twice = browser.post(&form.action, &form.fields.and("decision", "allow"));
    assert!(twice.location().is_none(), "one decision, one code");
}

#[test]
fn consent_is_remembered_for_the_client_and_scope_alone() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    browser.authorize(server, &Authorization::new(ONE, "openid profile"), &person).code();
    browser.ask(server, &Authorization::new(ONE, "openid profile")).code();
    browser.ask(server, &Authorization::new(ONE, "openid")).code();
    let wider = browser.ask(server, &Authorization::new(ONE, "openid profile payments")).page();
    assert!(wider.form("decision").is_some());
    let other = browser.ask(server, &Authorization::new(TWO, "openid")).page();
    assert!(other.form("decision").is_some());
    let forced = browser.ask(server, &Authorization::new(ONE, "openid profile").set("prompt", "consent")).page();
    assert!(forced.form("decision").is_some());
}

#[test]
fn apps_of_the_vendor_itself_ask_no_consent() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let page = browser.ask(server, &Authorization::new(FIRST_PARTY, "openid profile payments")).page();
    browser.submit_password(server, &page, &person.name, &person.password).code();
}

#[test]
fn the_browser_session_signs_in_silently_everywhere() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let first = server.sign_in_by(&browser, ONE, &person, "openid", None);
    let request = Authorization::new(FIRST_PARTY, "openid");
    let code = browser.ask(server, &request).code();
    let second = server.token(FIRST_PARTY, request.redeem(&code)).ok();
    let (first, second) = (jwt::claims(first.id()), jwt::claims(second["id_token"].as_str().expect("an ID token")));
    assert_eq!(first["sub"], second["sub"]);
    assert_eq!(first["auth_time"], second["auth_time"]);
}

#[test]
fn prompt_none_never_shows_a_page() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let none = |client| Authorization::new(client, "openid").set("prompt", "none");
    let request = none(ONE);
    assert_eq!(browser.ask(server, &request).error(&request, server), "login_required");
    browser.authorize(server, &Authorization::new(FIRST_PARTY, "openid"), &person).code();
    let request = none(ONE);
    assert_eq!(browser.ask(server, &request).error(&request, server), "consent_required");
    browser.authorize(server, &Authorization::new(ONE, "openid"), &person).code();
    browser.ask(server, &none(ONE)).code();
}

#[test]
fn prompt_login_and_max_age_zero_ask_for_the_password_again() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    browser.authorize(server, &Authorization::new(FIRST_PARTY, "openid"), &person).code();
    for (name, value) in [("prompt", "login"), ("max_age", "0")] {
        let request = Authorization::new(FIRST_PARTY, "openid").set(name, value);
        let Landing::Page(page) = browser.ask(server, &request) else { panic!("{name}={value} asked nothing") };
        assert!(page.form("username").is_some(), "{name}");
        browser.submit_password(server, &page, &person.name, &person.password).code();
    }
    browser.ask(server, &Authorization::new(FIRST_PARTY, "openid").set("max_age", "3600")).code();
}

#[test]
fn a_browser_session_ends_by_age_and_idleness() {
    for limit in ["max_lifetime", "max_idle"] {
        let setup = Setup::new().set("sessions.browser.max_idle", "3s");
        let server = if limit == "max_idle" { setup } else { setup.set("sessions.browser.max_lifetime", "3s") }.start();
        let person = server.person();
        let browser = Browser::new();
        browser.authorize(&server, &Authorization::new(FIRST_PARTY, "openid"), &person).code();
        let mut wait = std::time::Duration::from_secs(1);
        until("the browser is asked again", || {
            std::thread::sleep(wait);
            wait *= 2;
            matches!(browser.ask(&server, &Authorization::new(FIRST_PARTY, "openid")), Landing::Page(_))
        });
    }
}

#[test]
fn login_hint_fills_in_the_name() {
    let page = Browser::new().ask(shared::usual(), &Authorization::new(ONE, "openid").set("login_hint", "ada")).page();
    let form = page.form("username").expect("a form");
    assert!(form.fields.0.contains(&("username".to_owned(), "ada".to_owned())));
}

#[test]
fn another_person_may_sign_in_on_the_same_browser() {
    let server = shared::usual();
    let (ada, bob) = (server.person(), server.person());
    let browser = Browser::new();
    let first = server.sign_in_by(&browser, NO_EXCHANGE, &ada, "openid", None);
    let request = Authorization::new(NO_EXCHANGE, "openid").set("prompt", "login");
    let code = browser.authorize(server, &request, &bob).code();
    let second = server.token(NO_EXCHANGE, request.redeem(&code)).ok();
    let (first, second) = (jwt::claims(first.id()), jwt::claims(second["id_token"].as_str().expect("an ID token")));
    assert_ne!(first["sub"], second["sub"]);
    assert_ne!(first["sid"], second["sid"]);
}

#[test]
fn cookies_are_out_of_reach_of_scripts_and_other_sites() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let page = browser.ask(server, &Authorization::new(FIRST_PARTY, "openid")).page();
    let form = page.form("username").expect("a form");
    let answer = browser.post(&form.action, &form.fields.set("username", &person.name).set("password", &person.password));
    let mut cookies: Vec<String> = Vec::new();
    for headers in [&page.headers, &answer.headers] {
        cookies.extend(headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text").to_lowercase()));
    }
    assert!(!cookies.is_empty());
    for cookie in cookies {
        // The one that scripts are meant to read (Session Management section 3.2): it shows that something changed, and opens nothing.
        if let Some(state) = cookie.strip_prefix("symbolon_state=") {
            assert!(!state.contains("cs_"), "{cookie}");
            continue;
        }
        assert!(cookie.contains("httponly"), "{cookie}");
        assert!(cookie.contains("samesite=lax") || cookie.contains("samesite=strict"), "{cookie}");
    }
    assert!(matches!(browser.ask(server, &Authorization::new(FIRST_PARTY, "openid")), Landing::Client(..)));
}
