//! The authorization endpoint: what is refused, where the refusal is told, and how PKCE is demanded.

use serde_json::json;

use crate::harness::cast::{BACKEND, CLAIMED, DOTLESS, FIRST_PARTY, NO_DEVICE_SCOPE, ONE, SCHEME, SERVICE};
use crate::harness::server::http;
use crate::harness::{Authorization, Browser, Form, Landing, Server, Setup, shared};

/// A request that must end on an error page: nothing about it may be told to the redirect URI.
#[track_caller]
fn error_page(request: &Authorization) {
    let server = shared::usual();
    let page = match Browser::new().ask(server, request) {
        Landing::Page(page) => page,
        Landing::Client(url, _) => panic!("redirected to {url}"),
    };
    assert_eq!(page.status, 400, "{}", page.body);
    assert!(page.is_html());
    assert!(page.header("location").is_none());
    assert!(page.form("username").is_none(), "an error page asks for no password");
}

/// A request that must be refused at the client.
#[track_caller]
fn refused(request: &Authorization, code: &str) {
    let server = shared::usual();
    assert_eq!(Browser::new().ask(server, request).error(request, server), code);
}

#[test]
fn an_unknown_or_missing_client_never_redirects() {
    error_page(&Authorization::new(ONE, "openid").set("client_id", "nobody"));
    error_page(&Authorization::new(ONE, "openid").without("client_id"));
    error_page(&Authorization::new(ONE, "openid").set("client_id", "<script>alert(1)</script>"));
}

#[test]
fn a_wrong_redirect_uri_never_redirects() {
    for uri in [
        "https://evil.example.com/callback",
        "http://127.0.0.1:9/other",
        "http://127.0.0.1:9/callback/",
        "http://127.0.0.1:9/callback?more=1",
        "http://127.0.0.1:9/callback#fragment",
        "http://127.0.0.1:9/x/../callback",
        "https://127.0.0.1:9/callback",
        "http://127.0.0.1.evil.example.com/callback",
        "http://user@127.0.0.1:9/callback",
        "http://localhost:9/callback",
        "javascript:alert(1)",
        "data:text/html,hello",
        "//evil.example.com",
        "not a uri",
        "",
    ] {
        error_page(&Authorization::new(ONE, "openid").set("redirect_uri", uri));
    }
    error_page(&Authorization::new(ONE, "openid").without("redirect_uri"));
    error_page(&Authorization::new(CLAIMED, "openid").set("redirect_uri", "https://app.example.com:8443/callback"));
    error_page(&Authorization::new(CLAIMED, "openid").set("redirect_uri", "https://APP.example.com/callback"));
    error_page(&Authorization::new(CLAIMED, "openid").set("redirect_uri", "https://app.example.com/other?fixed=2"));
    error_page(&Authorization::new(SCHEME, "openid").set("redirect_uri", "com.example.app:/callback/more"));
    error_page(&Authorization::new(SERVICE, "read"));
}

#[test]
fn loopback_redirects_may_use_any_port_of_that_address() {
    let server = shared::usual();
    for uri in ["http://127.0.0.1:51234/callback", "http://127.0.0.1:1/callback", "http://127.0.0.1/callback"] {
        let request = Authorization::new(ONE, "openid").set("redirect_uri", uri);
        let landing = Browser::new().authorize(server, &request, &server.person());
        let Landing::Client(url, parameters) = landing else { panic!("still on a page") };
        assert!(url.as_str().starts_with(uri), "{url}");
        let form = request.redeem(&parameters["code"]).set("redirect_uri", uri);
        server.token(ONE, form).ok();
    }
}

#[test]
fn private_schemes_claimed_https_and_dotless_schemes_come_back() {
    let server = shared::usual();
    for client in [SCHEME, DOTLESS, CLAIMED, BACKEND] {
        let request = Authorization::new(client, "openid");
        let landing = Browser::new().authorize(server, &request, &server.person());
        let Landing::Client(url, parameters) = landing else { panic!("still on a page") };
        assert!(url.as_str().starts_with(client.redirect), "{url}");
        assert_eq!(parameters["state"], request.state);
        assert_eq!(parameters["iss"], server.issuer);
        server.token(client, request.redeem(&parameters["code"])).ok();
    }
}

#[test]
fn a_query_of_the_registered_uri_is_kept() {
    let server = shared::usual();
    let uri = "https://app.example.com/other?fixed=1";
    let request = Authorization::new(CLAIMED, "openid").set("redirect_uri", uri);
    let parameters = Browser::new().authorize(server, &request, &server.person()).parameters();
    assert_eq!(parameters["fixed"], "1");
    server.token(CLAIMED, request.redeem(&parameters["code"]).set("redirect_uri", uri)).ok();
}

#[test]
fn response_types_and_modes() {
    for wrong in ["token", "id_token", "code token", "code id_token", "none", ""] {
        let code = if wrong.is_empty() { "invalid_request" } else { "unsupported_response_type" };
        refused(&Authorization::new(ONE, "openid").set("response_type", wrong), code);
    }
    refused(&Authorization::new(ONE, "openid").without("response_type"), "invalid_request");
    refused(&Authorization::new(ONE, "openid").set("response_mode", "query.jwt"), "invalid_request");
}

#[test]
fn a_response_type_that_the_client_did_not_register_is_refused() {
    // RFC 6749 section 4.1.2.1
    let server = Setup::new().client(SERVICE.id, "redirect_uris", json!([SERVICE.redirect])).start();
    let request = Authorization::new(SERVICE, "read");
    assert_eq!(Browser::new().ask(&server, &request).error(&request, &server), "unauthorized_client");
}

#[test]
fn a_query_that_is_too_long_is_told_on_a_page() {
    let server = shared::usual();
    let long = Authorization::new(ONE, "openid").set("ui_locales", &"a".repeat(40_000));
    let page = Browser::new().ask(server, &long).page();
    assert_eq!(page.status, 414);
    assert!(page.is_html());
    // What fits is no affair of the query's.
    let fits = Authorization::new(ONE, "openid").set("ui_locales", &"a".repeat(30_000));
    assert_eq!(Browser::new().ask(server, &fits).page().status, 200);
}

#[test]
fn a_repeated_parameter_is_named_on_the_page_in_harmless_letters() {
    let server = shared::usual();
    let ask = |name: &str| {
        let form = Authorization::new(ONE, "openid").form.and(name, "1").and(name, "2");
        let mut url: url::Url = server.url("/authorize").parse().expect("a URL");
        url.set_query(Some(&form.encoded()));
        Browser::new().get(&url)
    };
    let page = ask("ui_locales");
    assert_eq!(page.status, 400);
    assert!(page.body.contains("ui_locales"), "{}", page.body);
    let page = ask("call <b>5550</b> now & pay");
    assert!(!page.body.contains("<b>") && !page.body.contains("call <") && !page.body.contains("call 5"), "{}", page.body);
}

#[test]
fn metadata_of_a_client_is_not_taken_with_a_request() {
    refused(&Authorization::new(ONE, "openid").set("registration", "{}"), "registration_not_supported");
}

#[test]
fn pkce_is_demanded_of_public_clients_and_only_s256_will_do() {
    refused(&Authorization::new(ONE, "openid").without("code_challenge").without("code_challenge_method"), "invalid_request");
    refused(&Authorization::new(ONE, "openid").set("code_challenge_method", "plain"), "invalid_request");
    refused(&Authorization::new(ONE, "openid").without("code_challenge_method"), "invalid_request");
    refused(&Authorization::new(ONE, "openid").without("code_challenge"), "invalid_request");
    for wrong in ["short", "", "has spaces in it and is long enough to be a challenge", &"a".repeat(200)] {
        refused(&Authorization::new(ONE, "openid").set("code_challenge", wrong), "invalid_request");
    }
}

#[test]
fn scope_must_be_well_formed() {
    refused(&Authorization::new(ONE, "openid").set("scope", "open\"id"), "invalid_scope");
    refused(&Authorization::new(ONE, "openid").set("scope", "openid \u{e4}"), "invalid_scope");
}

#[test]
fn scope_values_that_nobody_knows_are_left_out_and_those_of_others_refused() {
    let server = shared::usual();
    let tokens = server.sign_in(NO_DEVICE_SCOPE, &server.person(), "openid unknown-scope profile");
    assert_eq!(tokens.scope(), ["openid", "profile"], "OpenID Connect Core section 3.1.2.1");
    refused(&Authorization::new(NO_DEVICE_SCOPE, "openid payments"), "invalid_scope");
}

#[test]
fn odd_values_of_openid_connect_parameters() {
    for (name, value) in [("prompt", "none login"), ("prompt", "dance"), ("max_age", "soon"), ("max_age", "-1")] {
        refused(&Authorization::new(ONE, "openid").set(name, value), "invalid_request");
    }
}

#[test]
fn no_parameter_may_stand_twice() {
    let mut request = Authorization::new(ONE, "openid");
    request.form = request.form.and("scope", "openid profile");
    error_page(&request);
    let mut request = Authorization::new(ONE, "openid");
    request.form = request.form.and("client_id", ONE.id);
    error_page(&request);
    let mut request = Authorization::new(ONE, "openid");
    request.form = request.form.and("redirect_uri", "https://evil.example.com");
    error_page(&request);
}

#[test]
fn unknown_parameters_are_ignored_and_state_may_be_absent() {
    let server = shared::usual();
    let request = Authorization::new(FIRST_PARTY, "openid").set("x_unknown", "1").without("state");
    let parameters = Browser::new().authorize(server, &request, &server.person()).parameters();
    assert!(parameters.contains_key("code"));
    assert!(!parameters.contains_key("state"));
}

#[test]
fn the_request_may_be_posted() {
    let server = shared::usual();
    let request = Authorization::new(ONE, "openid");
    let browser = Browser::new();
    let page = browser.post(&server.url("/authorize").parse().expect("a URL"), &request.form);
    let page = browser.follow(server, page).page();
    assert_eq!(page.status, 200);
    assert!(page.form("username").is_some());
}

#[test]
fn oversized_and_broken_requests_get_a_4xx() {
    let server = shared::usual();
    let long = Authorization::new(ONE, "openid").set("state", &"s".repeat(20_000));
    let status = Server::send(http().get(long.url(server))).status;
    assert!((400..500).contains(&status) || status == 303, "{status}");
    let raw = format!("{}?client_id=%ff%fe&redirect_uri=%00", server.url("/authorize"));
    assert_eq!(Server::send(http().get(raw)).status, 400);
    assert_eq!(Server::send(http().put(server.url("/authorize"))).status, 405);
    let huge = Form::of(&[("client_id", &"c".repeat(200_000))]).encoded();
    let answer = http().post(server.url("/authorize")).header("content-type", "application/x-www-form-urlencoded").body(huge);
    let status = Server::send(answer).status;
    assert!(status == 400 || status == 413, "{status}");
}
