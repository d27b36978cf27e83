//! RP-initiated logout as the certification suite asks: each odd request gets a page, never a redirect to where it must not go.

use crate::harness::cast::{FIRST_PARTY, ONE};
use crate::harness::page::Page;
use crate::harness::{Authorization, Browser, Server, Tokens, jwt, shared};

const BACK: &str = "http://127.0.0.1:9/signed-out";

/// A browser that is signed in, and the ID token that its app has.
fn signed_in(server: &Server) -> (Browser, Tokens) {
    let browser = Browser::new();
    let tokens = server.sign_in_by(&browser, ONE, &server.person(), "openid", None);
    (browser, tokens)
}

fn ask(server: &Server, browser: &Browser, parameters: &[(&str, &str)]) -> Page {
    let mut url: url::Url = server.url("/logout").parse().expect("a URL");
    url.query_pairs_mut().extend_pairs(parameters);
    browser.get(&url)
}

fn is_signed_in(server: &Server, browser: &Browser) -> bool {
    browser.ask(server, &Authorization::new(ONE, "openid").set("prompt", "none")).parameters().contains_key("code")
}

#[test]
fn with_everything_and_without_state() {
    let server = shared::usual();
    for state in [Some("x y"), None] {
        let (browser, tokens) = signed_in(server);
        let mut all = vec![
            ("id_token_hint", tokens.id()),
            ("post_logout_redirect_uri", BACK),
            ("ui_locales", "xx fr-CA"),
            ("logout_hint", "ada"),
        ];
        all.extend(state.map(|state| ("state", state)));
        let to = ask(server, &browser, &all).location().expect("a redirect");
        let back: Vec<_> = to.query_pairs().into_owned().collect();
        assert!(to.as_str().starts_with(BACK));
        assert_eq!(back, state.map(|state| ("state".to_owned(), state.to_owned())).into_iter().collect::<Vec<_>>());
        assert!(!is_signed_in(server, &browser));
    }
}

#[test]
fn without_parameters_or_with_state_alone_the_person_is_asked() {
    let server = shared::usual();
    for parameters in [&[][..], &[("state", "x")], &[("client_id", ONE.id)]] {
        let (browser, _) = signed_in(server);
        let page = ask(server, &browser, parameters);
        let form = page.form("logout").expect("a question");
        assert!(is_signed_in(server, &browser));
        let done = browser.post(&form.action, &form.fields.and("logout", "yes"));
        assert_eq!((done.status, done.location()), (200, None));
        assert!(!is_signed_in(server, &browser));
    }
}

#[test]
fn an_id_token_alone_signs_out_and_stays() {
    let server = shared::usual();
    let (browser, tokens) = signed_in(server);
    let page = ask(server, &browser, &[("id_token_hint", tokens.id())]);
    assert_eq!((page.status, page.location()), (200, None));
    assert!(!is_signed_in(server, &browser));
}

#[test]
fn a_bad_address_is_an_error_and_ends_nothing() {
    let server = shared::usual();
    for bad in ["https://evil.example.com/", "http://127.0.0.1:9/signed-out?more=1", "http://127.0.0.1:9/signed-out/", "x"] {
        let (browser, tokens) = signed_in(server);
        let page = ask(server, &browser, &[("id_token_hint", tokens.id()), ("post_logout_redirect_uri", bad)]);
        assert_eq!((page.status, page.location()), (400, None), "{bad}");
        assert!(page.alert().is_some() && is_signed_in(server, &browser), "{bad}");
    }
    let (browser, _) = signed_in(server);
    let page = ask(server, &browser, &[("post_logout_redirect_uri", BACK)]);
    assert_eq!((page.status, page.location()), (400, None), "nobody says whose address it is");
}

#[test]
fn a_bad_or_modified_hint_is_an_error_and_ends_nothing() {
    let server = shared::usual();
    let (browser, tokens) = signed_in(server);
    let modified = jwt::tampered(tokens.id(), "sub", "somebody".into());
    for hint in ["bad", &modified, &jwt::unsigned(tokens.id())] {
        let page = ask(server, &browser, &[("id_token_hint", hint), ("post_logout_redirect_uri", BACK)]);
        assert_eq!((page.status, page.location()), (400, None), "{hint}");
        assert!(is_signed_in(server, &browser));
    }
}

#[test]
fn by_client_id_after_the_person_agreed() {
    let server = shared::usual();
    let (browser, _) = signed_in(server);
    let page = ask(server, &browser, &[("client_id", ONE.id), ("post_logout_redirect_uri", BACK), ("state", "s")]);
    let form = page.form("logout").expect("a question");
    let done = browser.post(&form.action, &form.fields.and("logout", "yes"));
    assert_eq!(done.location().map(String::from), Some(format!("{BACK}?state=s")));
}

#[test]
fn a_hint_for_another_person_than_the_browsers_asks_first() {
    let server = shared::usual();
    let (_, others) = signed_in(server);
    let (browser, _) = signed_in(server);
    let page = ask(server, &browser, &[("id_token_hint", others.id()), ("post_logout_redirect_uri", BACK)]);
    let form = page.form("logout").expect("a question");
    assert!(is_signed_in(server, &browser));
    // Another browser's page proves nothing here (CSRF).
    let stranger = Browser::new();
    let foreign = ask(server, &stranger, &[]).form("logout").expect("a question");
    let forged = browser.post(&foreign.action, &foreign.fields.and("logout", "yes"));
    assert!(forged.form("logout").is_some() && is_signed_in(server, &browser));
    let done = browser.post(&form.action, &form.fields.and("logout", "yes"));
    assert_eq!(done.location().map(String::from).as_deref(), Some(BACK));
    assert!(!is_signed_in(server, &browser));
}

#[test]
fn client_and_hint_must_agree() {
    let server = shared::usual();
    let (browser, tokens) = signed_in(server);
    let page = ask(server, &browser, &[("id_token_hint", tokens.id()), ("client_id", FIRST_PARTY.id)]);
    assert_eq!((page.status, is_signed_in(server, &browser)), (400, true));
}
