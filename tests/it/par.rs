//! Pushed authorization requests (RFC 9126): what is pushed and by whom, and that a reference is good for one answer in one browser.

use std::sync::OnceLock;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::harness::app::basic;
use crate::harness::audit::Promises;
use crate::harness::cast::{BACKEND, BACKEND_JWT, BACKEND_POST, CLAIMED, FIRST_PARTY, ONE, SECRET, SERVICE, TWO};
use crate::harness::dpop::DeviceKey;
use crate::harness::server::http;
use crate::harness::{Answer, Authorization, Browser, Client, Form, Landing, Server, Setup, shared};

const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// Pushes a request as its client.
#[track_caller]
fn push(server: &Server, request: &Authorization) -> Answer {
    // Both ways of saying who asks would be one too many.
    let form = if request.client.proof == crate::harness::cast::Proof::Basic {
        request.form.clone()
    } else {
        request.form.clone().without("client_id")
    };
    server.post_as(request.client, "/par", form)
}

/// The reference that the server gives for a request.
#[track_caller]
fn pushed(server: &Server, request: &Authorization) -> String {
    let answer = push(server, request);
    assert_eq!(answer.status, 201, "RFC 9126 section 2.2: {}", answer.body);
    answer.is_not_cached();
    let told = answer.json();
    assert_eq!(told["expires_in"], 90);
    let reference = told["request_uri"].as_str().expect("a request_uri").to_owned();
    assert!(reference.starts_with(PREFIX) && reference.len() == PREFIX.len() + 43, "{reference}");
    reference
}

/// The request that a browser is sent with instead: whose it is, and the reference.
fn by_reference(request: &Authorization, reference: &str) -> Authorization {
    Authorization { form: Form::of(&[("client_id", request.client.id), ("request_uri", reference)]), ..request.clone() }
}

/// A request that ends on a page of ours, with nothing told to any client.
#[track_caller]
fn page_of(server: &Server, browser: &Browser, request: &Authorization) -> String {
    match browser.ask(server, request) {
        Landing::Page(page) => {
            assert_eq!(page.status, 400, "{}", page.body);
            assert!(page.form("username").is_none());
            page.body
        }
        Landing::Client(url, _) => panic!("redirected to {url}"),
    }
}

#[test]
fn a_pushed_request_is_answered_as_if_it_had_been_brought() {
    let server = shared::usual();
    for client in [ONE, BACKEND, BACKEND_POST, BACKEND_JWT] {
        let request = Authorization::new(client, "openid profile");
        let brought = by_reference(&request, &pushed(server, &request));
        let parameters = Browser::new().authorize(server, &brought, &server.person()).parameters();
        assert_eq!((parameters["state"].as_str(), parameters["iss"].as_str()), (request.state.as_str(), server.issuer.as_str()));
        let tokens = server.token(client, request.redeem(&parameters["code"])).ok();
        assert_eq!(
            crate::harness::jwt::claims(tokens["id_token"].as_str().expect("an ID token"))["nonce"],
            request.nonce.as_str()
        );
    }
}

#[test]
fn what_is_said_beside_a_reference_counts_for_nothing() {
    let server = shared::usual();
    let request = Authorization::new(FIRST_PARTY, "openid");
    let mut brought = by_reference(&request, &pushed(server, &request));
    for (name, value) in [("scope", "openid profile email"), ("state", "another"), ("redirect_uri", "https://evil.example.com/")]
    {
        brought = brought.set(name, value);
    }
    let parameters = Browser::new().authorize(server, &brought, &server.person()).parameters();
    assert_eq!(parameters["state"], request.state);
    assert_eq!(server.token(FIRST_PARTY, request.redeem(&parameters["code"])).ok()["scope"], "openid");
}

#[test]
fn a_reference_is_good_for_one_answer() {
    let server = shared::usual();
    let (browser, request) = (Browser::new(), Authorization::new(FIRST_PARTY, "openid"));
    let brought = by_reference(&request, &pushed(server, &request));
    browser.authorize(server, &brought, &server.person()).code();
    // RFC 9126 section 7.3: also not in the browser in which it was answered, where nobody would be asked anything.
    page_of(server, &browser, &brought);
    page_of(server, &Browser::new(), &brought);
}

#[test]
fn an_error_is_an_answer_too() {
    let server = shared::usual();
    let (browser, request) = (Browser::new(), Authorization::new(ONE, "openid").set("prompt", "none"));
    let brought = by_reference(&request, &pushed(server, &request));
    assert_eq!(browser.ask(server, &brought).error(&request, server), "login_required");
    page_of(server, &browser, &brought);
    let request = Authorization::new(ONE, "openid");
    let brought = by_reference(&request, &pushed(server, &request));
    let (browser, person) = (Browser::new(), server.person());
    let page = browser.ask(server, &brought).page();
    let page = browser.submit_password(server, &page, &person.name, &person.password).page();
    assert_eq!(browser.decide(server, &page, "deny").error(&request, server), "access_denied");
    page_of(server, &browser, &brought);
}

#[test]
fn the_browser_that_brings_it_first_may_load_it_again_and_no_other_may() {
    let server = shared::usual();
    let (browser, request, person) = (Browser::new(), Authorization::new(FIRST_PARTY, "openid"), server.person());
    let brought = by_reference(&request, &pushed(server, &request));
    let first = browser.ask(server, &brought).page();
    let again = browser.ask(server, &brought).page();
    page_of(server, &Browser::new(), &brought);
    // Of two tabs the one that is done first is answered.
    browser.submit_password(server, &again, &person.name, &person.password).code();
    let late = browser.submit_password(server, &first, &person.name, &person.password);
    assert!(!matches!(&late, Landing::Client(_, parameters) if parameters.contains_key("code")), "{late:?}");
}

#[test]
fn of_many_browsers_at_once_one_has_the_request() {
    let server = shared::usual();
    let request = Authorization::new(ONE, "openid");
    let brought = by_reference(&request, &pushed(server, &request));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Browser::new().ask(server, &brought).page().status)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
}

/// A server whose references live for five seconds.
fn hasty() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Setup::new().set("authorization.pushed.lifetime", "5s").start())
}

#[test]
fn a_reference_that_nobody_brings_expires_and_one_that_was_brought_waits_for_its_person() {
    let server = hasty();
    let (browser, request, person) = (Browser::new(), Authorization::new(FIRST_PARTY, "openid"), server.person());
    let answer = push(server, &request);
    assert_eq!(answer.json()["expires_in"], 5);
    let brought = by_reference(&request, answer.json()["request_uri"].as_str().expect("a reference"));
    let late = by_reference(&request, push(server, &request).json()["request_uri"].as_str().expect("a reference"));
    browser.ask(server, &brought).page();
    std::thread::sleep(std::time::Duration::from_secs(7));
    page_of(server, &browser, &late);
    let page = browser.ask(server, &brought).page();
    browser.submit_password(server, &page, &person.name, &person.password).code();
}

#[test]
fn a_reference_is_its_clients_alone() {
    let server = shared::usual();
    let request = Authorization::new(ONE, "openid");
    let reference = pushed(server, &request);
    page_of(server, &Browser::new(), &by_reference(&Authorization::new(TWO, "openid"), &reference));
    page_of(server, &Browser::new(), &by_reference(&request, &reference).without("client_id"));
    page_of(server, &Browser::new(), &by_reference(&request, &reference).set("client_id", "nobody"));
    // None of that has used it up.
    assert_eq!(Browser::new().ask(server, &by_reference(&request, &reference)).page().status, 200);
}

#[test]
fn invented_references_are_told_to_the_client_where_it_said_so() {
    let server = shared::usual();
    let request = Authorization::new(ONE, "openid");
    for invented in [PREFIX.to_owned(), format!("{PREFIX}{}", "A".repeat(43)), format!("{PREFIX}../{}", "x".repeat(5000))] {
        page_of(server, &Browser::new(), &by_reference(&request, &invented));
        let told = request.clone().set("request_uri", &invented);
        assert_eq!(Browser::new().ask(server, &told).error(&request, server), "invalid_request_uri");
        page_of(server, &Browser::new(), &told.set("redirect_uri", "https://evil.example.com/"));
    }
}

#[test]
fn only_an_authenticated_client_pushes() {
    let server = shared::usual();
    let request = Authorization::new(BACKEND, "openid");
    let post = |form: &Form, authorization: Option<String>| {
        let mut post = http().post(server.url("/par")).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            post = post.header(AUTHORIZATION, authorization);
        }
        Server::send(post.body(form.encoded()))
    };
    let challenged = post(&request.form, Some(basic(BACKEND.id, "wrong")));
    challenged.refused(401, "invalid_client");
    assert!(challenged.header("www-authenticate").is_some_and(|value| value.starts_with("Basic")));
    post(&request.form, None).refused(401, "invalid_client");
    post(&request.form.clone().without("client_id"), Some(basic("nobody", SECRET))).refused(401, "invalid_client");
    post(&request.form.clone().set("client_id", ONE.id), Some(basic(BACKEND.id, SECRET))).refused(400, "invalid_request");
    post(&request.form.clone().and("client_secret", SECRET), Some(basic(BACKEND.id, SECRET))).refused(400, "invalid_request");
    post(&Form::default(), None).refused(401, "invalid_client");
    // An assertion may be meant for this very endpoint, and is good for one request.
    let mut claims = server.assertion_claims(BACKEND_JWT);
    claims["aud"] = server.url("/par").into();
    let form = Authorization::new(BACKEND_JWT, "openid")
        .form
        .and("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        .and("client_assertion", &Server::assertion(&claims));
    assert_eq!(post(&form, None).status, 201);
    post(&form, None).refused(401, "invalid_client");
}

#[test]
fn a_pushed_request_is_validated_in_full_and_the_client_is_told_at_once() {
    let server = shared::usual();
    let told = |client: Client, change: &[(&str, &str)]| {
        let request = change.iter().fold(Authorization::new(client, "openid"), |request, (name, value)| request.set(name, value));
        let answer = push(server, &request);
        assert_eq!(answer.status, 400, "{change:?}: {}", answer.body);
        answer.is_not_cached();
        answer.json()["error"].as_str().expect("an error").to_owned()
    };
    assert_eq!(told(ONE, &[("redirect_uri", "https://evil.example.com/callback")]), "invalid_request");
    assert_eq!(told(ONE, &[("redirect_uri", "")]), "invalid_request");
    assert_eq!(told(ONE, &[("response_type", "token")]), "unsupported_response_type");
    assert_eq!(told(SERVICE, &[("scope", "read")]), "invalid_request");
    assert_eq!(told(ONE, &[("scope", "open\"id")]), "invalid_scope");
    assert_eq!(told(ONE, &[("code_challenge", "")]), "invalid_request");
    assert_eq!(told(ONE, &[("code_challenge_method", "plain")]), "invalid_request");
    assert_eq!(told(ONE, &[("prompt", "none login")]), "invalid_request");
    assert_eq!(told(ONE, &[("resource", "https://other.example.com")]), "invalid_target");
    assert_eq!(told(ONE, &[("id_token_hint", "a.b.c")]), "invalid_request");
    // RFC 9126 section 2.1
    assert_eq!(told(ONE, &[("request_uri", &format!("{PREFIX}{}", "A".repeat(43)))]), "invalid_request");
    assert_eq!(told(ONE, &[("request_uri", "https://app.example.com/request")]), "invalid_request");
    let mut twice = Authorization::new(ONE, "openid");
    twice.form = twice.form.and("scope", "openid");
    push(server, &twice).refused(400, "invalid_request");
}

#[test]
fn the_endpoint_takes_forms_by_post_and_no_more_than_fits() {
    let server = shared::usual();
    assert_eq!(Server::send(http().get(server.url("/par"))).status, 405);
    let json = http().post(server.url("/par")).header(CONTENT_TYPE, "application/json").body(r#"{"client_id":"app-one"}"#);
    assert_eq!(Server::send(json).status, 415);
    let request = Authorization::new(ONE, "openid").set("ui_locales", &"a".repeat(100_000));
    assert_eq!(push(server, &request).status, 413, "RFC 9126 section 2.3");
}

#[test]
fn a_client_or_the_server_may_demand_that_requests_are_pushed() {
    let server = Setup::new().client(FIRST_PARTY.id, "require_pushed_authorization_requests", true).start();
    let request = Authorization::new(FIRST_PARTY, "openid");
    assert_eq!(Browser::new().ask(&server, &request).error(&request, &server), "invalid_request");
    Browser::new().authorize(&server, &by_reference(&request, &pushed(&server, &request)), &server.person()).code();
    let other = Authorization::new(ONE, "openid");
    assert_eq!(Browser::new().ask(&server, &other).page().status, 200);
    assert_eq!(server.get("/.well-known/openid-configuration").ok()["require_pushed_authorization_requests"], false);

    let server = Setup::new().set("authorization.pushed.required", true).start();
    let request = Authorization::new(FIRST_PARTY, "openid");
    assert_eq!(Browser::new().ask(&server, &request).error(&request, &server), "invalid_request");
    Browser::new().authorize(&server, &by_reference(&request, &pushed(&server, &request)), &server.person()).code();
    let document = server.get("/.well-known/openid-configuration").ok();
    assert_eq!(document["require_pushed_authorization_requests"], true);
    assert_eq!(document["pushed_authorization_request_endpoint"], server.url("/par").as_str());
}

/// Pushes with a DPoP proof.
fn push_with(server: &Server, form: &Form, proof: &str) -> Answer {
    let post = http().post(server.url("/par")).header(CONTENT_TYPE, "application/x-www-form-urlencoded").header("dpop", proof);
    Server::send(post.body(form.encoded()))
}

#[test]
fn a_proof_that_is_pushed_twice_is_noted() {
    let server = Setup::new().set("telemetry.format", "json").start();
    let (key, request) = (DeviceKey::new(), Authorization::new(FIRST_PARTY, "openid"));
    let proof = key.sign(&key.parts("POST", &server.url("/par")));
    assert_eq!(push_with(&server, &request.form, &proof).status, 201);
    push_with(&server, &request.form, &proof).refused(400, "invalid_dpop_proof");
    server.trail().one("CL5003", &[("client_id", FIRST_PARTY.id), ("outcome", "refused")]);
}

#[test]
fn a_proof_with_the_push_binds_the_code_to_its_key() {
    // RFC 9449 section 10.1
    let server = shared::usual();
    let (key, other) = (DeviceKey::new(), DeviceKey::new());
    let push = |form: &Form, proof: &str| push_with(server, form, proof);
    let proof = |key: &DeviceKey| key.sign(&key.parts("POST", &server.url("/par")));
    let request = Authorization::new(FIRST_PARTY, "openid");
    let (first, person) = (proof(&key), server.person());
    let code = || {
        let told = push(&request.form, &proof(&key));
        assert_eq!(told.status, 201, "{}", told.body);
        let brought = by_reference(&request, told.json()["request_uri"].as_str().expect("a reference"));
        Browser::new().authorize(server, &brought, &person).code()
    };
    server.token(FIRST_PARTY, request.redeem(&code())).refused(400, "invalid_dpop_proof");
    server.token_by(&other, FIRST_PARTY, request.redeem(&code())).refused(400, "invalid_grant");
    assert_eq!(server.token_by(&key, FIRST_PARTY, request.redeem(&code())).ok()["token_type"], "DPoP");
    let named = request.clone().set("dpop_jkt", &key.thumbprint);
    assert_eq!(push(&named.form, &first).status, 201);
    push(&named.form, &first).refused(400, "invalid_dpop_proof");
    push(&named.form, &proof(&other)).refused(400, "invalid_dpop_proof");
    push(&named.form, &key.for_token(server)).refused(400, "invalid_dpop_proof");
}

#[test]
fn a_client_that_was_registered_anew_has_none_of_the_old_ones_requests() {
    let server = Setup::new().start();
    let file = server.folder().join("client.json");
    let metadata = json!({
        "client_id": "app-registered", "redirect_uris": ["http://127.0.0.1:9/callback"], "token_endpoint_auth_method": "none",
        "scope": "openid",
    });
    std::fs::write(&file, metadata.to_string()).expect("a file");
    let path = file.to_str().expect("a path");
    let client = Client { id: "app-registered", ..ONE };
    server.command(&["client", "add", "--from", path]).fine();
    let request = Authorization::new(client, "openid");
    let brought = by_reference(&request, &pushed(&server, &request));
    server.command(&["client", "delete", client.id]).fine();
    page_of(&server, &Browser::new(), &brought);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    server.command(&["client", "add", "--from", path]).fine();
    page_of(&server, &Browser::new(), &brought);
}

#[test]
fn a_script_at_the_clients_origin_may_push() {
    let server = shared::usual();
    let allowed = |request: reqwest::blocking::RequestBuilder, origin: &str| {
        let answer = Server::send(request.header("origin", origin));
        let allowed = answer.header("access-control-allow-origin").map(str::to_owned);
        (answer.status, allowed)
    };
    let own = "https://app.example.com";
    let form = Authorization::new(CLAIMED, "openid").form.encoded();
    let post = || http().post(server.url("/par")).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.clone());
    assert_eq!(allowed(post(), own), (201, Some(own.to_owned())));
    assert_eq!(allowed(post(), "https://evil.example.com"), (201, None));
    let preflight = http().request(Method::OPTIONS, server.url("/par")).header("access-control-request-method", "POST");
    assert_eq!(allowed(preflight, own), (204, Some(own.to_owned())));
}

#[test]
fn pushing_is_in_the_audit_trail_and_references_are_not() {
    let server = Setup::new().set("telemetry.format", "json").start();
    let request = Authorization::new(ONE, "openid");
    let reference = pushed(&server, &request);
    push(&server, &Authorization::new(TWO, "open\"id")).refused(400, "invalid_scope");
    let wrong = request.form.clone().set("client_id", BACKEND.id);
    let post = http().post(server.url("/par")).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(wrong.encoded());
    Server::send(post).refused(401, "invalid_client");
    Browser::new().ask(&server, &by_reference(&request, &reference)).page();
    let trail = server.trail();
    trail.keeps(&Promises::of(&server));
    let log = server.log();
    let event = |code: &str| -> Value {
        let line = log.lines().find(|line| line.contains(code)).unwrap_or_else(|| panic!("no {code} in {log}"));
        serde_json::from_str(line).expect("JSON")
    };
    assert!(event("SI2022").to_string().contains(ONE.id));
    assert!(event("SI2023").to_string().contains("invalid_scope"));
    assert!(event("CL5001").to_string().contains("\"par\""));
    assert!(!log.contains(&reference[PREFIX.len()..]), "a reference is in the log");
}
