//! Cases about what a request may ask for: pages, prompts, hints, other ways of sending it.

use std::time::Duration;

use super::party::{Profile, RP, form, id_token, person, redeemed, server};
use super::responses::with;
use crate::harness::request::sha256;
use crate::harness::{Authorization, Browser, Landing, Person, Server, Tokens};

/// Somebody who is signed in, and the tokens of that sign-in.
#[track_caller]
fn signed_in(profile: &Profile, server: &Server) -> (Browser, Person, Tokens) {
    let (browser, person) = (Browser::new(), person(server));
    let tokens = profile.sign_in(server, &browser, &profile.request("openid"), &person);
    (browser, person, tokens)
}

#[track_caller]
fn auth_time(server: &Server, tokens: &Tokens) -> u64 {
    id_token(server, RP, tokens)["auth_time"].as_u64().expect("auth_time")
}

/// Whether the person is asked for the password.
fn asks(landing: &Landing) -> bool {
    matches!(landing, Landing::Page(page) if page.status == 200 && page.form("username").is_some())
}

/// An unsigned request object (RFC 9101 section 2.1) with all of a request's parameters.
fn unsigned_object(request: &Authorization) -> String {
    use base64::Engine as _;
    let members: serde_json::Map<String, serde_json::Value> =
        request.form.0.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let encode = |value: &serde_json::Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", encode(&serde_json::json!({ "alg": "none" })), encode(&members.into()))
}

pub(super) fn response_type_missing(profile: &Profile) {
    let server = server();
    let request = profile.request("openid").without("response_type");
    assert_eq!(profile.error(server, Browser::new().ask(server, &request), &request), "invalid_request");
}

pub(super) fn display_page(profile: &Profile) {
    with(profile, "display", "page");
}

pub(super) fn display_popup(profile: &Profile) {
    with(profile, "display", "popup");
}

pub(super) fn ui_locales(profile: &Profile) {
    with(profile, "ui_locales", "se");
}

pub(super) fn unknown_parameter(profile: &Profile) {
    with(profile, "extra", "foobar");
}

pub(super) fn prompt_login(profile: &Profile) {
    let server = server();
    let (browser, person, first) = signed_in(profile, server);
    std::thread::sleep(Duration::from_millis(1100));
    let request = profile.request("openid").set("prompt", "login");
    assert!(asks(&browser.ask(server, &request)));
    let second = profile.sign_in(server, &browser, &request, &person);
    assert!(auth_time(server, &second) > auth_time(server, &first));
}

pub(super) fn prompt_none_not_logged_in(profile: &Profile) {
    let server = server();
    let request = profile.request("openid").set("prompt", "none");
    assert_eq!(profile.error(server, Browser::new().ask(server, &request), &request), "login_required");
}

pub(super) fn prompt_none_logged_in(profile: &Profile) {
    let server = server();
    let (browser, _, first) = signed_in(profile, server);
    let second = profile.silently(server, &browser, &profile.request("openid").set("prompt", "none"));
    let (first, second) = (id_token(server, RP, &first), id_token(server, RP, &second));
    assert_eq!((&first["sub"], &first["auth_time"]), (&second["sub"], &second["auth_time"]));
}

pub(super) fn max_age_1(profile: &Profile) {
    let server = server();
    let (browser, person, first) = signed_in(profile, server);
    std::thread::sleep(Duration::from_millis(2100));
    let request = profile.request("openid").set("max_age", "1");
    assert!(asks(&browser.ask(server, &request)));
    let second = profile.sign_in(server, &browser, &request, &person);
    assert!(auth_time(server, &second) > auth_time(server, &first));
}

pub(super) fn max_age_10000(profile: &Profile) {
    let server = server();
    let (browser, _, first) = signed_in(profile, server);
    let second = profile.silently(server, &browser, &profile.request("openid").set("max_age", "10000"));
    assert_eq!(auth_time(server, &second), auth_time(server, &first));
}

pub(super) fn id_token_hint(profile: &Profile) {
    let server = server();
    let (browser, _, first) = signed_in(profile, server);
    let request = profile.request("openid").set("prompt", "none").set("id_token_hint", first.id());
    let second = profile.silently(server, &browser, &request);
    assert_eq!(id_token(server, RP, &first)["sub"], id_token(server, RP, &second)["sub"]);
    // The hint of somebody else is no reason to hand out this person (section 3.1.2.1).
    let (_, _, other) = signed_in(profile, server);
    let request = request.set("id_token_hint", other.id());
    assert_eq!(profile.error(server, browser.ask(server, &request), &request), "login_required");
}

pub(super) fn login_hint(profile: &Profile) {
    let server = server();
    let person = person(server);
    let request = profile.request("openid").set("login_hint", &person.name);
    let browser = Browser::new();
    let page = browser.ask(server, &request).page();
    let form = page.form("username").expect("the sign-in page");
    assert!(form.fields.0.contains(&("username".to_owned(), person.name.clone())), "{form:?}");
    profile.sign_in(server, &browser, &request, &person);
}

pub(super) fn post_request(profile: &Profile) {
    let server = server();
    let (person, browser) = (person(server), Browser::new());
    let request = profile.request("openid");
    let page = browser.post(&server.url("/authorize").parse().expect("a URL"), &request.form);
    let page = browser.follow(server, page).page();
    let landing = browser.submit_password(server, &page, &person.name, &person.password);
    let Landing::Page(page) = landing else { panic!("no consent was asked") };
    let landing = browser.decide(server, &page, "allow");
    redeemed(server, &request, &profile.code(server, landing, &request));
}

pub(super) fn unsigned_request_object(profile: &Profile) {
    let server = server();
    let request = profile.request("openid");
    let request = request.clone().set("request", &unsigned_object(&request));
    let error = profile.error(server, Browser::new().ask(server, &request), &request);
    assert!(["request_not_supported", "invalid_request_object"].contains(&error.as_str()), "{error}");
    // The public suite skips its module where `none` is not announced.
    let document = server.get("/.well-known/openid-configuration").ok();
    let algs = document["request_object_signing_alg_values_supported"].as_array();
    assert!(algs.is_none_or(|algs| !algs.contains(&"none".into())), "{document}");
}

pub(super) fn request_object_with_redirect_uri(profile: &Profile) {
    let server = server();
    let request = profile.request("openid");
    let forged = request.clone().set("request", &unsigned_object(&request));
    let forged = forged.set("redirect_uri", "https://evil.example.com/callback");
    let page = Browser::new().ask(server, &forged).page();
    assert_eq!(page.status, 400, "nobody is sent to an address that is not registered");
}

pub(super) fn valid_pkce(profile: &Profile) {
    let server = server();
    let request = profile.request("openid");
    let request = Authorization { verifier: sha256(&request.state), ..request };
    let challenge = sha256(&request.verifier);
    let request = request.set("code_challenge", &challenge).set("code_challenge_method", "S256");
    let landing = Browser::new().authorize(server, &request, &person(server));
    let code = profile.code(server, landing, &request);
    server.token(RP, form(&request, &code)).refused(400, "invalid_request");
    server.token(RP, request.redeem(&code)).ok();
}
