//! Request objects by reference (RFC 9101 section 5.2, OpenID Connect Core section 6.2): fetched from where the client has registered, and from
//! nowhere else.

use jsonwebtoken::{Algorithm, Header, encode};
use serde_json::json;

use crate::harness::app::now;
use crate::harness::cast::{BACKEND_JWT, Client, ONE, client_key};
use crate::harness::person::unique;
use crate::harness::request::sha256;
use crate::harness::{Authorization, Browser, Form, RelyingParty, Reply, Server, Setup, Tokens, jwt};
use crate::session_transfer;

const APP: Client = BACKEND_JWT;
const PATH: &str = "/request.jwt";

fn setup(party: &RelyingParty) -> Setup {
    Setup::new().set("outbound.allow_private_addresses", true).client(APP.id, "request_uris", json!([party.url(PATH)]))
}

/// A request object with everything that `request` says, for one use.
fn object(server: &Server, request: &Authorization) -> String {
    let mut claims = json!({ "iss": request.client.id, "aud": server.issuer, "exp": now() + 60, "jti": unique("object") });
    for (name, value) in &request.form.0 {
        claims[name] = value.as_str().into();
    }
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("client-key".to_owned());
    encode(&header, &claims, &client_key().0).expect("a request object")
}

/// The request that consists of a reference, and of where errors go.
pub(crate) fn by_reference(request: &Authorization, uri: &str) -> Authorization {
    let outer = [
        ("client_id", request.client.id),
        ("request_uri", uri),
        ("redirect_uri", request.client.redirect),
        ("state", &request.state),
    ];
    Authorization { form: Form::of(&outer), ..request.clone() }
}

#[track_caller]
fn told(server: &Server, request: &Authorization, uri: &str) -> String {
    Browser::new().ask(server, &by_reference(request, uri)).error(request, server)
}

#[test]
fn a_request_is_fetched_and_answered_and_its_page_may_be_loaded_again() {
    let party = RelyingParty::answering(&[]);
    let server = setup(&party).start();
    let request = Authorization::new(APP, "openid email");
    // A file may end with a new line.
    party.publish(PATH, object(&server, &request) + "\n");
    let referring = by_reference(&request, &party.url(PATH));
    let browser = Browser::new();
    for _ in 0..2 {
        assert!(browser.ask(&server, &referring).page().form("username").is_some());
    }
    let parameters = browser.authorize(&server, &referring, &server.person()).parameters();
    assert_eq!(parameters["state"], request.state);
    assert_eq!(server.token(APP, request.redeem(&parameters["code"])).ok()["scope"], "openid email");
    assert!(party.asked().iter().all(|line| line == &format!("GET {PATH} HTTP/1.1")), "{:?}", party.asked());
    // It has a jti, so it is for one use: another browser is too late.
    assert_eq!(told(&server, &request, &party.url(PATH)), "invalid_request_object");
}

#[test]
fn a_session_transfer_token_may_stand_beside_a_reference_or_in_what_is_fetched() {
    let party = RelyingParty::answering(&[]);
    let rules = json!({ "allowed_authentication_methods": ["query"] });
    let server = session_transfer::setup()
        .set("outbound.allow_private_addresses", true)
        .client(APP.id, "request_uris", json!([party.url(PATH)]))
        .client(APP.id, "session_transfer", rules)
        .client(APP.id, "first_party", true)
        .start();
    let mut native = server.sign_in(session_transfer::APP, &server.person(), "openid offline_access");
    for inside in [false, true] {
        let form = session_transfer::form(&server, native.refresh());
        native = Tokens(server.token(session_transfer::APP, form).ok());
        let request = Authorization::new(APP, "openid");
        let (named, bare) =
            (request.clone().set("session_transfer_token", native.access()), by_reference(&request, &party.url(PATH)));
        party.publish(PATH, object(&server, if inside { &named } else { &request }));
        let asked = if inside { bare } else { bare.set("session_transfer_token", native.access()) };
        let code = Browser::new().ask(&server, &asked).code();
        let told = Tokens(server.token(APP, request.redeem(&code)).ok());
        assert_eq!(jwt::claims(told.id())["sub"], jwt::claims(native.id())["sub"], "in it: {inside}");
    }
}

#[test]
fn what_is_registered_is_fetched_and_nothing_else() {
    let party = RelyingParty::answering(&[]);
    let server = setup(&party).start();
    let request = Authorization::new(APP, "openid");
    for path in ["/request.jwt?x=1", "/other", "/request.jwt#part", "/request.jwt/", "/"] {
        party.publish(path, object(&server, &request));
        assert_eq!(told(&server, &request, &party.url(path)), "invalid_request_uri", "{path}");
    }
    for uri in ["request.jwt", "urn:example:request", "file:///etc/passwd", "http://169.254.169.254/"] {
        assert_eq!(told(&server, &request, uri), "invalid_request_uri", "{uri}");
    }
    let other = Authorization::new(ONE, "openid");
    assert_eq!(told(&server, &other, &party.url(PATH)), "invalid_request_uri", "that of another client");
    assert_eq!(party.asked().len(), 0);
    // The client's word alone is no redirect URI: without a registered one the person is told.
    let unknown = by_reference(&request, &party.url("/other")).set("redirect_uri", "https://evil.example.com/");
    assert_eq!(Browser::new().ask(&server, &unknown).page().status, 400);
}

#[test]
fn what_cannot_be_fetched_is_an_invalid_request_uri() {
    let party = RelyingParty::answering(&[]);
    let server = setup(&party).start();
    let request = Authorization::new(APP, "openid");
    party.publish(PATH, object(&server, &request));
    for status in [404, 500, 302, 204] {
        party.then(Reply::Status(status));
        assert_eq!(told(&server, &request, &party.url(PATH)), "invalid_request_uri", "{status}");
    }
    party.publish(PATH, "x".repeat(70_000));
    assert_eq!(told(&server, &request, &party.url(PATH)), "invalid_request_uri");
    let server = setup(&party).set("outbound.allow_private_addresses", false).start();
    let asked = party.asked().len();
    assert_eq!(told(&server, &Authorization::new(APP, "openid"), &party.url(PATH)), "invalid_request_uri");
    assert_eq!(party.asked().len(), asked, "private addresses are not asked");
}

#[test]
fn what_is_fetched_is_held_to_the_rules_of_request_objects() {
    let party = RelyingParty::answering(&[]);
    let server = setup(&party).start();
    let request = Authorization::new(APP, "openid");
    let good = object(&server, &request);
    let unsigned = jwt::unsigned(&good);
    let altered = jwt::tampered(&good, "scope", "openid email".into());
    let of_another = object(&server, &Authorization::new(ONE, "openid"));
    for wrong in [unsigned, altered, of_another, String::new(), "<html>".to_owned()] {
        party.publish(PATH, wrong.clone());
        assert_eq!(told(&server, &request, &party.url(PATH)), "invalid_request_object", "{wrong}");
    }
    party.publish(PATH, good.clone());
    let both = by_reference(&request, &party.url(PATH)).set("request", &good);
    assert_eq!(Browser::new().ask(&server, &both).error(&request, &server), "invalid_request");
}

#[test]
fn a_digest_in_the_fragment_names_the_content() {
    let party = RelyingParty::answering(&[]);
    let server = setup(&party).start();
    let request = Authorization::new(APP, "openid");
    let good = object(&server, &request);
    party.publish(PATH, good.clone());
    let of = |content: &str| format!("{}#{}", party.url(PATH), sha256(content));
    let page = Browser::new().ask(&server, &by_reference(&request, &of(&good))).page();
    assert!(page.form("username").is_some());
    assert_eq!(told(&server, &request, &of("another")), "invalid_request_uri");
    // Registered with its digest, it is that content alone.
    let uri = of("what was registered");
    let server = setup(&party).client(APP.id, "request_uris", json!([uri])).start();
    for other in [party.url(PATH), of(&good), uri] {
        assert_eq!(told(&server, &request, &other), "invalid_request_uri", "{other}");
    }
}

#[test]
fn a_pushed_request_is_no_reference() {
    let party = RelyingParty::answering(&[]);
    let server = setup(&party).start();
    let request = Authorization::new(APP, "openid");
    party.publish(PATH, object(&server, &request));
    let form = Form::of(&[("request_uri", &party.url(PATH))]);
    server.post_as(APP, "/par", form).refused(400, "invalid_request");
    assert_eq!(party.asked().len(), 0);
    // Nor is a reference a pushed request where one is demanded.
    let server = setup(&party).client(APP.id, "require_pushed_authorization_requests", true).start();
    assert_eq!(told(&server, &request, &party.url(PATH)), "invalid_request");
    assert_eq!(party.asked().len(), 0);
}

#[test]
fn discovery_says_that_addresses_must_be_registered() {
    let document = setup(&RelyingParty::answering(&[])).start().get("/.well-known/openid-configuration").ok();
    assert_eq!(
        (&document["request_uri_parameter_supported"], &document["require_request_uri_registration"]),
        (&json!(true), &json!(true))
    );
}
