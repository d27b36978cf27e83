//! The logout profiles: RP-Initiated, Back-Channel, Front-Channel and Session Management, as far as the suite's modules go.

use super::party::{BASIC, RP, person, server};
use crate::harness::page::Page;
use crate::harness::{Authorization, Browser, Form, Person, Server, Tokens, jwt};

const BACK: &str = "https://backend.example.com/signed-out";

/// A signed-in browser and what its sign-in brought.
struct SignedIn {
    browser: Browser,
    person: Person,
    tokens: Tokens,
}

impl SignedIn {
    #[track_caller]
    fn new() -> Self {
        let (browser, person) = (Browser::new(), person(server()));
        let tokens = BASIC.sign_in(server(), &browser, &BASIC.request("openid"), &person);
        Self { browser, person, tokens }
    }

    /// Sends the browser to the end-session endpoint.
    #[track_caller]
    fn end(&self, parameters: &[(&str, &str)]) -> Page {
        let mut url: url::Url = server().url("/logout").parse().expect("a URL");
        url.set_query(Some(&Form::of(parameters).encoded()));
        self.browser.get(&url)
    }

    fn is_signed_in(&self) -> bool {
        let request = none();
        let landing = self.browser.ask(server(), &request);
        let parameters = BASIC.received(server(), landing, &request);
        if parameters.contains_key("code") {
            return true;
        }
        assert_eq!(parameters["error"], "login_required");
        false
    }
}

fn none() -> Authorization {
    BASIC.request("openid").set("prompt", "none")
}

/// An answer that leaves the browser with us and signs nobody out unasked.
#[track_caller]
fn stays(signed_in: &SignedIn, page: &Page) {
    assert!(page.location().is_none(), "sent on to {:?}", page.location());
    assert!(page.is_html());
    assert!(signed_in.is_signed_in(), "whoever sends a person here signs nobody out");
}

#[test]
fn discovery_names_the_end_session_endpoint() {
    let document = server().get("/.well-known/openid-configuration").ok();
    assert_eq!(document["end_session_endpoint"], server().url("/logout").as_str());
}

#[test]
fn rp_initiated() {
    let one = SignedIn::new();
    assert!(one.is_signed_in());
    let page = one.end(&[("id_token_hint", one.tokens.id()), ("post_logout_redirect_uri", BACK), ("state", "a state")]);
    assert_eq!(page.location().expect("a redirect").as_str(), format!("{BACK}?state=a+state"));
    assert!(!one.is_signed_in());
}

#[test]
fn no_state() {
    let one = SignedIn::new();
    let page = one.end(&[("id_token_hint", one.tokens.id()), ("post_logout_redirect_uri", BACK)]);
    assert_eq!(page.location().expect("a redirect").as_str(), BACK);
    assert!(!one.is_signed_in());
}

#[test]
fn no_post_logout_redirect_uri() {
    let one = SignedIn::new();
    for state in [&[][..], &[("state", "a state")]] {
        let one = SignedIn::new();
        let page = one.end(&[&[("id_token_hint", one.tokens.id())][..], state].concat());
        assert!(page.status == 200 && page.is_html() && page.location().is_none(), "{}", page.status);
        assert!(!one.is_signed_in());
    }
    assert!(one.is_signed_in(), "another browser is left alone");
}

/// Without a hint nobody is signed out before the person said so.
#[track_caller]
fn asks_first(parameters: &[(&str, &str)]) {
    let one = SignedIn::new();
    let page = one.end(parameters);
    assert_eq!(page.status, 200);
    stays(&one, &page);
    let form = page.form("logout").expect("a question");
    let answer = one.browser.post(&form.action, &form.fields.and("logout", "yes"));
    assert!(answer.location().is_none() && answer.is_html());
    assert!(!one.is_signed_in());
}

#[test]
fn no_params() {
    asks_first(&[]);
}

#[test]
fn only_state() {
    asks_first(&[("state", "a state")]);
}

#[test]
fn no_id_token_hint() {
    let one = SignedIn::new();
    let page = one.end(&[("post_logout_redirect_uri", BACK), ("state", "a state")]);
    stays(&one, &page);
    // With the client's name the address is known to be its own, but the person is still asked.
    let page = one.end(&[("client_id", RP.id), ("post_logout_redirect_uri", BACK), ("state", "a state")]);
    stays(&one, &page);
    let form = page.form("logout").expect("a question");
    let answer = one.browser.post(&form.action, &form.fields.and("logout", "yes"));
    assert_eq!(answer.location().expect("a redirect").as_str(), format!("{BACK}?state=a+state"));
}

#[test]
fn bad_post_logout_redirect_uri() {
    let one = SignedIn::new();
    for uri in ["https://evil.example.com/", "https://backend.example.com/callback", "//evil.example.com", "javascript:alert(1)"]
    {
        let page = one.end(&[("id_token_hint", one.tokens.id()), ("post_logout_redirect_uri", uri), ("state", "a state")]);
        assert_eq!(page.status, 400, "{uri}");
        stays(&one, &page);
    }
}

#[test]
fn query_added_to_post_logout_redirect_uri() {
    let one = SignedIn::new();
    let uri = format!("{BACK}?foo=bar");
    let page = one.end(&[("id_token_hint", one.tokens.id()), ("post_logout_redirect_uri", &uri)]);
    assert_eq!(page.status, 400);
    stays(&one, &page);
}

#[test]
fn modified_id_token_hint() {
    let one = SignedIn::new();
    let other = jwt::claims(SignedIn::new().tokens.id())["sub"].clone();
    let tampered = jwt::tampered(one.tokens.id(), "sub", other);
    let page = one.end(&[("id_token_hint", &tampered), ("post_logout_redirect_uri", BACK)]);
    stays(&one, &page);
}

#[test]
fn bad_id_token_hint() {
    let one = SignedIn::new();
    let foreign = Server::assertion(&jwt::claims(one.tokens.id()));
    for hint in [foreign, jwt::unsigned(one.tokens.id()), one.tokens.access().to_owned(), "nonsense".to_owned()] {
        let page = one.end(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BACK)]);
        stays(&one, &page);
    }
    // The person is still who they were.
    let again = BASIC.sign_in(server(), &one.browser, &BASIC.request("openid"), &one.person);
    assert_eq!(jwt::claims(again.id())["sub"], jwt::claims(one.tokens.id())["sub"]);
}
