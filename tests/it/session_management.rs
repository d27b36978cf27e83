//! Session management (OpenID Connect Session Management 1.0): the page that apps ask, the cookie it reads, and `session_state`.

use std::collections::BTreeMap;

use crate::harness::cast::{FIRST_PARTY, ONE, SCHEME};
use crate::harness::request::sha256;
use crate::harness::{Authorization, Browser, Server, shared};

/// What a script would see of a browser.
fn state(server: &Server, browser: &Browser) -> Option<String> {
    let all = browser.cookies(&server.url("/check-session").parse().expect("a URL")).unwrap_or_default();
    all.split("; ").find_map(|text| text.strip_prefix("symbolon_state=")).map(str::to_owned)
}

/// What the page at `/check-session` computes (section 3.2), for an app whose page has this origin.
fn computed(client: &str, origin: &str, state: &str, session_state: &str) -> String {
    let salt = session_state.split_once('.').expect("a salt").1;
    format!("{}.{salt}", sha256(&format!("{client} {origin} {state} {salt}")))
}

#[test]
fn discovery_names_the_page_that_apps_ask() {
    let server = shared::usual();
    let document = server.get("/.well-known/openid-configuration").ok();
    assert_eq!(document["check_session_iframe"], server.url("/check-session"));
}

#[test]
fn every_answer_to_a_page_says_the_state_of_the_browser() {
    let server = shared::usual();
    let (person, browser) = (server.person(), Browser::new());
    let request = Authorization::new(FIRST_PARTY, "openid");
    let answered: BTreeMap<_, _> = browser.authorize(server, &request, &person).parameters();
    let first = state(server, &browser).expect("a cookie");
    let told = &answered["session_state"];
    assert_eq!(*told, computed(FIRST_PARTY.id, "http://127.0.0.1:9", &first, told));
    assert_ne!(*told, computed(FIRST_PARTY.id, "http://127.0.0.1:9", "", told), "signed out");

    let silent = Authorization::new(FIRST_PARTY, "openid").set("prompt", "none");
    let again = &browser.ask(server, &silent).parameters()["session_state"];
    assert_eq!(*again, computed(FIRST_PARTY.id, "http://127.0.0.1:9", &first, again));
    assert_ne!(again, told, "salted");

    // Whoever signs in once more has another state, and what was told before is known to be over.
    let forced = Authorization::new(FIRST_PARTY, "openid").set("prompt", "login");
    let page = browser.ask(server, &forced).page();
    let later = &browser.submit_password(server, &page, &person.name, &person.password).parameters()["session_state"];
    let second = state(server, &browser).expect("a cookie");
    assert_ne!(second, first);
    assert_eq!(*later, computed(FIRST_PARTY.id, "http://127.0.0.1:9", &second, later));
}

#[test]
fn where_no_page_or_no_openid_is_there_is_no_state() {
    let server = shared::usual();
    let (person, browser) = (server.person(), Browser::new());
    let app = browser.authorize(server, &Authorization::new(SCHEME, "openid"), &person).parameters();
    assert!(app.contains_key("code") && !app.contains_key("session_state"), "{app:?}");
    let plain = browser.ask(server, &Authorization::new(FIRST_PARTY, "read").set("prompt", "none")).parameters();
    assert!(plain.contains_key("code") && !plain.contains_key("session_state"), "{plain:?}");
    let refused = Authorization::new(FIRST_PARTY, "openid").set("prompt", "none");
    let refused = Browser::new().ask(server, &refused).parameters();
    assert!(refused.contains_key("error") && !refused.contains_key("session_state"), "{refused:?}");
}

#[test]
fn a_browser_without_the_right_cookie_is_given_it() {
    let server = shared::usual();
    let (person, browser) = (server.person(), Browser::new());
    browser.authorize(server, &Authorization::new(FIRST_PARTY, "openid"), &person).code();
    let known = state(server, &browser).expect("a cookie");
    let at = server.url("/check-session").parse().expect("a URL");
    let silent = || Authorization::new(FIRST_PARTY, "openid").set("prompt", "none");
    for lost in ["symbolon_state=", "symbolon_state=stale"] {
        browser.plant(&at, lost);
        assert_ne!(state(server, &browser).as_ref(), Some(&known), "{lost}");
        browser.ask(server, &silent()).code();
        assert_eq!(state(server, &browser).as_ref(), Some(&known), "{lost}");
    }
}

#[test]
fn the_page_that_apps_ask_may_be_framed_and_reads_a_cookie_of_its_own() {
    let server = shared::usual();
    let url = server.url("/check-session").parse().expect("a URL");
    let page = Browser::new().get(&url);
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(!policy.contains("frame-ancestors") && page.header("x-frame-options").is_none(), "{policy}");
    assert!(policy.starts_with("default-src 'none'") && policy.contains("script-src 'sha256-"), "{policy}");
    page.read(|document| assert!(document.descendants().any(|node| node.attribute("data-cookie") == Some("symbolon_state"))));

    let (person, browser) = (server.person(), Browser::new());
    server.sign_in_by(&browser, ONE, &person, "openid", None);
    let first = state(server, &browser).expect("a state");
    server.sign_in_by(&browser, ONE, &person, "openid", None);
    assert_eq!(state(server, &browser).as_ref(), Some(&first), "the same as long as nobody signs in or out");
    browser.sign_out(server);
    assert_eq!(state(server, &browser), None, "signed out");
    server.sign_in_by(&browser, ONE, &person, "openid", None);
    assert_ne!(state(server, &browser), Some(first), "another sign-in");
}
