//! How parameters reach the authorization endpoint: in a query or in a form, each once, within limits (RFC 6749 section 3.1, OpenID
//! Connect Core section 3.1.2.1).

use url::Url;

use crate::harness::cast::{FIRST_PARTY, ONE};
use crate::harness::page::Page;
use crate::harness::server::http;
use crate::harness::{Authorization, Browser, Form, Server, shared};

/// The page that each of the two ways leads to, redirects of ours followed.
#[track_caller]
fn pages(form: &Form) -> [Page; 2] {
    let server = shared::usual();
    let mut url: Url = server.url("/authorize").parse().expect("a URL");
    let posted = Browser::new();
    let by_post = posted.follow(server, posted.post(&url, form)).page();
    url.set_query(Some(&form.encoded()));
    let asked = Browser::new();
    [asked.follow(server, asked.get(&url)).page(), by_post]
}

#[track_caller]
fn refused(form: &Form, status: u16) {
    for page in pages(form) {
        assert_eq!(page.status, status, "{}", page.body);
        assert!(page.is_html() && page.form("username").is_none() && page.header("location").is_none());
    }
}

#[track_caller]
fn accepted(form: &Form) {
    for page in pages(form) {
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.form("username").is_some(), "{}", page.body);
    }
}

fn good() -> Form {
    Authorization::new(ONE, "openid").form
}

#[test]
fn no_parameter_stands_twice_in_a_query_or_in_a_form() {
    accepted(&good());
    for name in
        ["client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "request", "x_unknown"]
    {
        let value = good().0.into_iter().find(|(own, _)| own == name).map_or_else(|| "x".to_owned(), |(_, value)| value);
        // Also when both say the same, or one of them says nothing.
        refused(&good().set(name, &value).and(name, &value), 400);
        refused(&good().set(name, &value).and(name, ""), 400);
    }
    // RFC 8707 section 2: targets may.
    accepted(&good().and("resource", "https://api.example.com").and("resource", "https://api.example.com"));
}

#[test]
fn unknown_parameters_are_ignored_and_empty_ones_count_as_omitted() {
    accepted(&good().and("x_unknown", "1").and("y", "\u{e4}\u{1f600}").and("", ""));
    accepted(&good().and("prompt", "").and("request", "").and("request_uri", "").and("max_age", "").and("claims", ""));
    refused(&good().set("client_id", ""), 400);
}

#[test]
fn a_request_has_limits() {
    let many = |n: usize| (0..n).fold(good(), |form, n| form.and(&format!("x{n}"), "1"));
    accepted(&many(80));
    refused(&many(101), 400);
    let server = shared::usual();
    let url: Url = server.url("/authorize").parse().expect("a URL");
    let long = good().and("x", &"a".repeat(70_000));
    assert_eq!(Browser::new().post(&url, &long).status, 413);
    let mut query = url.clone();
    query.set_query(Some(&good().and("x", &"a".repeat(40_000)).encoded()));
    assert_eq!(Browser::new().get(&query).status, 414);
}

#[test]
fn broken_encodings_are_refused_both_ways() {
    let server = shared::usual();
    let url = server.url("/authorize");
    for broken in ["client_id=%ff", "client_id=%zz", "client_id=%", "client_id=a%00b", "%ff=a"] {
        let text = format!("{}&{broken}", good().without("client_id").encoded());
        assert_eq!(Server::send(http().get(format!("{url}?{text}"))).status, 400, "{broken}");
        let post = http().post(&url).header("content-type", "application/x-www-form-urlencoded").body(text);
        assert_eq!(Server::send(post).status, 400, "{broken}");
    }
}

#[test]
fn a_form_is_a_form_and_the_query_beside_it_is_not_read() {
    let server = shared::usual();
    let url = server.url("/authorize");
    for (kind, body) in [
        ("application/json", r#"{"client_id":"app-one"}"#.to_owned()),
        ("text/plain", good().encoded()),
        ("multipart/form-data; boundary=x", "--x--".to_owned()),
    ] {
        assert_eq!(Server::send(http().post(&url).header("content-type", kind).body(body)).status, 415, "{kind}");
    }
    // Parameter pollution: who has the link open with another address does not change what is posted.
    let evil = Authorization::new(FIRST_PARTY, "openid profile email").set("redirect_uri", "https://evil.example.com/").form;
    let request = Authorization::new(FIRST_PARTY, "openid");
    let mut polluted: Url = url.parse().expect("a URL");
    polluted.set_query(Some(&evil.encoded()));
    let (browser, person) = (Browser::new(), server.person());
    let page = browser.follow(server, browser.post(&polluted, &request.form)).page();
    let parameters = browser.submit_password(server, &page, &person.name, &person.password).parameters();
    assert_eq!(parameters["state"], request.state);
    assert_eq!(server.token(FIRST_PARTY, request.redeem(&parameters["code"])).ok()["scope"], "openid");
}
