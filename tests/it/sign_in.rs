//! The sign-in page: what it sends with it, what it admits, how misuse of its forms ends.

use crate::harness::browser::sign_in_form;
use crate::harness::cast::{FIRST_PARTY, ONE};
use crate::harness::page::{Page, is, text};
use crate::harness::{Authorization, Browser, Landing, Setup, jwt, shared};

fn sign_in_page(browser: &Browser) -> Page {
    browser.ask(shared::usual(), &Authorization::new(ONE, "openid")).page()
}

/// Headers that every page of ours has.
#[track_caller]
fn is_guarded(page: &Page) {
    let policy = page.header("content-security-policy").expect("a CSP");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{policy}");
    assert!(!policy.contains("form-action"), "it would stop the redirect to an app's scheme: {policy}");
    assert_eq!(page.header("x-frame-options").map(str::to_uppercase).as_deref(), Some("DENY"));
    assert!(page.header("cache-control").is_some_and(|value| value.contains("no-store")));
    assert!(page.header("referrer-policy").is_some());
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn pages_are_guarded_by_headers() {
    let browser = Browser::new();
    is_guarded(&sign_in_page(&browser));
    is_guarded(&browser.ask(shared::usual(), &Authorization::new(ONE, "openid").set("client_id", "nobody")).page());
}

#[test]
fn the_page_is_accessible_and_needs_no_script() {
    sign_in_page(&Browser::new()).read(|document| {
        let html = document.root_element();
        assert!(html.attribute("lang").is_some_and(|lang| !lang.is_empty()), "a language");
        let title = document.descendants().find(|node| is(*node, "title")).map(text);
        assert!(title.is_some_and(|title| !title.is_empty()), "a title");
        assert_eq!(document.descendants().filter(|node| is(*node, "h1")).count(), 1, "one heading");
        assert!(document.descendants().all(|node| !is(node, "script")), "no script");
        for input in document.descendants().filter(|node| is(*node, "input") && node.attribute("type") != Some("hidden")) {
            let id = input.attribute("id").expect("an id");
            let label = document.descendants().find(|node| is(*node, "label") && node.attribute("for") == Some(id));
            assert!(label.is_some_and(|label| !text(label).is_empty()), "a label for {id}");
        }
        let password = document.descendants().find(|node| node.attribute("name") == Some("password")).expect("a field");
        assert_eq!(password.attribute("type"), Some("password"));
        assert_eq!(password.attribute("autocomplete"), Some("current-password"));
        let name = document.descendants().find(|node| node.attribute("name") == Some("username")).expect("a field");
        assert_eq!(name.attribute("autocomplete"), Some("username"));
    });
}

#[test]
fn a_wrong_password_and_an_unknown_name_read_the_same() {
    let server = shared::usual();
    let person = server.person();
    let try_with = |name: &str, password: &str| {
        let browser = Browser::new();
        let page = sign_in_page(&browser);
        let page = browser.submit_password(server, &page, name, password).page();
        assert_eq!(page.status, 200);
        is_guarded(&page);
        assert!(password.is_empty() || !page.body.contains(password), "the password comes back");
        page.alert().expect("a message")
    };
    let wrong = try_with(&person.name, "not the password");
    assert_eq!(wrong, try_with("nobody at all", "not the password"));
    assert_eq!(wrong, try_with(&person.name, &format!("{}x", person.password)));
    assert_eq!(wrong, try_with(&person.name, ""));
}

#[test]
fn after_a_wrong_password_the_right_one_works_on_the_same_page() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let request = Authorization::new(FIRST_PARTY, "openid");
    let page = browser.ask(server, &request).page();
    let page = browser.submit_password(server, &page, &person.name, "wrong").page();
    let code = browser.submit_password(server, &page, &person.name, &person.password).code();
    server.token(FIRST_PARTY, request.redeem(&code)).ok();
}

#[test]
fn markup_in_names_is_shown_as_text() {
    let server = shared::usual();
    let browser = Browser::new();
    let request = Authorization::new(ONE, "openid").set("login_hint", "\"><script>alert(1)</script>&");
    let page = browser.ask(server, &request).page();
    assert!(!page.body.contains("<script"));
    assert_eq!(
        sign_in_form(&page).fields.0.iter().find(|(name, _)| name == "username").map(|(_, value)| value.as_str()),
        Some("\"><script>alert(1)</script>&")
    );
    let page = browser.submit_password(server, &page, "<b>bold</b>", "x").page();
    assert!(!page.body.contains("<b>bold"));
}

#[test]
fn the_form_of_another_browser_is_refused() {
    let server = shared::usual();
    let person = server.person();
    let page = sign_in_page(&Browser::new());
    let thief = Browser::new();
    let form = sign_in_form(&page);
    let filled = form.fields.set("username", &person.name).set("password", &person.password);
    let page = thief.post(&form.action, &filled);
    assert_eq!(page.status, 400, "without the cookie of the browser that asked");
    sign_in_page(&thief);
    let page = thief.post(&form.action, &filled);
    assert_eq!(page.status, 400, "with the cookie of another transaction");
}

#[test]
fn forged_and_missing_form_secrets_are_refused() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let form = sign_in_form(&sign_in_page(&browser));
    let filled = form.fields.set("username", &person.name).set("password", &person.password);
    for broken in [
        filled.clone().without("transaction"),
        filled.clone().set("transaction", "forged"),
        filled.clone().set("transaction", ""),
        filled.clone().and("transaction", "twice"),
    ] {
        assert_eq!(browser.post(&form.action, &broken).status, 400);
    }
    let landing = browser.follow(server, browser.post(&form.action, &filled));
    assert!(matches!(landing, Landing::Page(page) if page.form("decision").is_some()), "the form itself still works");
}

#[test]
fn a_transaction_ends_with_its_answer() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let page = browser.ask(server, &Authorization::new(FIRST_PARTY, "openid")).page();
    let form = sign_in_form(&page);
    let filled = form.fields.set("username", &person.name).set("password", &person.password);
    assert!(browser.post(&form.action, &filled).location().is_some());
    let again = browser.post(&form.action, &filled);
    assert!(again.status == 400 || again.form("username").is_some(), "{}", again.status);
    assert!(again.location().is_none(), "no second code");
}

#[test]
fn an_account_is_throttled_after_too_many_failures() {
    let server = Setup::new().set("sign_in.throttle.account_attempts", 3).start();
    let (person, other) = (server.person(), server.person());
    let attempt = |name: &str, password: &str| {
        let browser = Browser::new();
        let page = browser.ask(&server, &Authorization::new(FIRST_PARTY, "openid")).page();
        browser.submit_password(&server, &page, name, password)
    };
    for _ in 0..3 {
        assert_eq!(attempt(&person.name, "wrong").page().status, 200);
    }
    let page = attempt(&person.name, &person.password).page();
    assert_eq!(page.status, 429, "even the right password has to wait");
    let wait: u64 = page.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((1..=300).contains(&wait), "{wait}");
    attempt(&other.name, &other.password).code();
}

#[test]
fn an_address_is_throttled_after_too_many_failures() {
    let server = Setup::new().set("sign_in.throttle.address_attempts", 3).start();
    let person = server.person();
    let browser = Browser::new();
    for n in 0..3 {
        let page = browser.ask(&server, &Authorization::new(FIRST_PARTY, "openid")).page();
        browser.submit_password(&server, &page, &format!("guess-{n}"), "wrong");
    }
    let page = browser.ask(&server, &Authorization::new(FIRST_PARTY, "openid")).page();
    assert_eq!(browser.submit_password(&server, &page, &person.name, &person.password).page().status, 429);
}

#[test]
fn only_a_trusted_proxy_says_which_address_failed() {
    for trusted in [true, false] {
        let setup = Setup::new().set("sign_in.throttle.address_attempts", 3);
        let server = if trusted { setup.set("proxy.trusted", serde_json::json!(["127.0.0.1"])) } else { setup }.start();
        let person = server.person();
        let attempt = |address: &str, name: &str, password: &str| {
            let browser = Browser::behind(address);
            let page = browser.ask(&server, &Authorization::new(FIRST_PARTY, "openid")).page();
            browser.submit_password(&server, &page, name, password)
        };
        for n in 0..3 {
            attempt("198.51.100.1", &format!("guess-{n}"), "wrong");
        }
        assert_eq!(attempt("198.51.100.1", &person.name, &person.password).page().status, 429);
        let elsewhere = attempt("198.51.100.2", &person.name, &person.password);
        assert_eq!(matches!(elsewhere, Landing::Client(..)), trusted, "a header alone is no other address");
        let forged = attempt("198.51.100.9, 198.51.100.1", &person.name, &person.password);
        assert_eq!(forged.page().status, 429, "what the client itself put before the proxy's word does not count");
    }
}

#[test]
fn a_disabled_person_cannot_sign_in() {
    let server = shared::usual();
    let person = server.person();
    server.command(&["user", "disable", &person.name]).fine();
    let browser = Browser::new();
    let page = sign_in_page(&browser);
    let page = browser.submit_password(server, &page, &person.name, &person.password).page();
    assert!(page.alert().is_some());
}

#[test]
fn the_id_token_tells_how_the_person_signed_in() {
    let server = shared::usual();
    let tokens = server.sign_in(ONE, &server.person(), "openid");
    let claims = jwt::claims(tokens.id());
    assert_eq!(claims["acr"], "urn:symbolon:acr:password");
    assert_eq!(claims["amr"], serde_json::json!(["pwd"]));
    assert!(claims["auth_time"].is_u64());
}
