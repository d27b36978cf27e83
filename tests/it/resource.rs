//! The APIs that access tokens are for (RFC 8707): named by `resource`, known from the settings, never widened later.

use serde_json::json;

use crate::harness::cast::{FIRST_PARTY, ONE, SERVICE, TWO};
use crate::harness::page::Page;
use crate::harness::{Authorization, Browser, Form, Server, Setup, Tokens, jwt};
use std::sync::OnceLock;

const API: &str = "https://api.example.com";
const OTHER: &str = "https://other.example.com/v1";

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Setup::new().set("resource_servers", json!([{ "identifier": API }, { "identifier": OTHER }])).start())
}

fn credentials() -> Form {
    Form::of(&[("grant_type", "client_credentials"), ("scope", "read")])
}

#[test]
fn a_named_resource_becomes_the_audience() {
    let tokens = Tokens(server().token(SERVICE, credentials().and("resource", API)).ok());
    assert_eq!(jwt::claims(tokens.access())["aud"], API);
    let tokens = Tokens(server().token(SERVICE, credentials().and("resource", API).and("resource", OTHER)).ok());
    assert_eq!(jwt::claims(tokens.access())["aud"], json!([API, OTHER]));
    let tokens = Tokens(server().token(SERVICE, credentials()).ok());
    assert_eq!(jwt::claims(tokens.access())["aud"], server().issuer.as_str());
}

#[test]
fn an_unknown_or_malformed_resource_is_an_invalid_target() {
    for wrong in
        ["https://unknown.example.com", "api", "/relative", "https://api.example.com#fragment", "https://API.example.com/x"]
    {
        server().token(SERVICE, credentials().and("resource", wrong)).refused(400, "invalid_target");
    }
    let request = Authorization::new(ONE, "openid").set("resource", "https://unknown.example.com");
    assert_eq!(Browser::new().ask(server(), &request).error(&request, server()), "invalid_target");
}

#[test]
fn a_grant_keeps_its_resources_and_may_narrow_them() {
    let server = server();
    let mut request = Authorization::new(ONE, "openid offline_access device_sso").set("resource", API);
    request.form = request.form.and("resource", OTHER);
    let code = Browser::new().authorize(server, &request, &server.person()).code();
    let tokens = Tokens(server.token(ONE, request.redeem(&code)).ok());
    assert_eq!(jwt::claims(tokens.access())["aud"], json!([API, OTHER]));
    let refresh = Form::of(&[("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())]);
    let narrow = Tokens(server.token(ONE, refresh.and("resource", API)).ok());
    assert_eq!(jwt::claims(narrow.access())["aud"], API);
    let wide = Form::of(&[("grant_type", "refresh_token"), ("refresh_token", narrow.refresh())]);
    server.token(ONE, wide.and("resource", "https://unknown.example.com")).refused(400, "invalid_target");
    let exchange = server.exchange_form(tokens.id(), tokens.secret()).and("resource", OTHER);
    assert_eq!(jwt::claims(Tokens(server.token(TWO, exchange).ok()).access())["aud"], OTHER);
}

/// RFC 8707 section 3: people know for which APIs they let an app in, and are asked again when there are more.
#[test]
fn the_consent_names_the_apis() {
    let server = server();
    let (browser, person) = (Browser::new(), server.person());
    let asks = |resources: &[&str]| {
        let mut request = Authorization::new(ONE, "openid");
        for resource in resources {
            request.form = request.form.and("resource", resource);
        }
        request
    };
    let named = |page: &Page| {
        page.read(|document| {
            let all = document.descendants().filter_map(|node| node.attribute("data-resource").map(str::to_owned));
            all.collect::<Vec<_>>()
        })
    };
    let page = browser.ask(server, &asks(&[])).page();
    let page = browser.submit_password(server, &page, &person.name, &person.password).page();
    assert!(named(&page).is_empty() && !page.body.contains("for use at"), "{}", page.body);
    browser.decide(server, &page, "allow").code();
    browser.ask(server, &asks(&[])).code();

    for (language, sentence) in [("en", "This is for use at:"), ("de", "Das gilt für"), ("fr", "Ceci vaut pour")] {
        let page = browser.ask(server, &asks(&[API]).set("ui_locales", language)).page();
        assert!(page.body.contains(sentence), "{language}: {}", page.body);
        assert_eq!(named(&page), [API]);
    }
    let silent = asks(&[API]).set("prompt", "none");
    assert_eq!(browser.ask(server, &silent).error(&silent, server), "consent_required");
    let page = browser.ask(server, &asks(&[API])).page();
    browser.decide(server, &page, "allow").code();
    browser.ask(server, &asks(&[API])).code();
    let page = browser.ask(server, &asks(&[API, OTHER])).page();
    assert_eq!(named(&page), [API, OTHER], "all that it is for");
    browser.decide(server, &page, "allow").code();
    for known in [&[OTHER][..], &[OTHER, API], &[]] {
        browser.ask(server, &asks(known)).code();
    }
    // An app of the vendor itself asks nobody.
    let own = Authorization::new(FIRST_PARTY, "openid").set("resource", API);
    server.token(FIRST_PARTY, own.redeem(&browser.ask(server, &own).code())).ok();
}
