//! Clients with TLS certificates behind a proxy (RFC 8705): how they authenticate, and tokens that are worth something with the certificate
//! alone. What the proxy says counts only if it is a trusted one.

use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::harness::cast::{BACKEND_POST, CLAIMED, Client, ONE, Proof, SERVICE};
use crate::harness::server::http;
use crate::harness::{
    Answer, Authorization, Browser, Form, ID_TOKEN_TYPE, RelyingParty, Server, Setup, TOKEN_EXCHANGE, Tokens, jwt,
};

/// `CN=app,O=Example\, Inc.,C=DE`, with one name of each kind besides.
const APP: &str = include_str!("certificates/app.pem");
/// `CN=other,O=Example\, Inc.,C=DE`, without another name.
const OTHER: &str = include_str!("certificates/other.pem");
const RSA: &str = include_str!("certificates/rsa.pem");

/// [`SERVICE`] with a certificate: it sends its `client_id` and nothing else.
const BY_NAME: Client = Client { id: SERVICE.id, proof: Proof::None, redirect: SERVICE.redirect };
/// [`BACKEND_POST`] with a certificate of its own making.
const BY_KEY: Client = Client { id: BACKEND_POST.id, proof: Proof::None, redirect: BACKEND_POST.redirect };

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).expect("a certificate")
}

/// As RFC 9440 writes it.
fn sequence(pem: &str) -> String {
    format!(":{}:", STANDARD.encode(der(pem)))
}

/// As nginx writes it.
fn escaped(pem: &str) -> String {
    url::form_urlencoded::byte_serialize(pem.as_bytes()).collect::<String>().replace('+', "%20")
}

/// As Apache writes it.
fn in_one_line(pem: &str) -> String {
    pem.trim().replace('\n', " ")
}

fn thumbprint(pem: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, &der(pem)))
}

/// The public keys of [`APP`] and of [`RSA`].
fn keys() -> [Value; 2] {
    [
        json!({
            "kty": "EC", "crv": "P-256",
            "x": "CQGt1u2xr_qQQk1kbWGHg95VXMoCKx57CDubmtOrgEU", "y": "a-H-ba-VXoF1ufC9AECX4EEk5xPG3TuUsmzvgvXRLVY",
        }),
        json!({
            "kty": "RSA", "e": "AQAB",
            "n": "qw0sRvfQ47Owz4zHNUvOizx3uKQRxJZx3pJsPgPB9oLS1bHcq0RNim3-O-lJHH0qKBKzza5q9c3C_glRvzGHVUruJhlt1D6behQTjJeikNd-L-SohiMYKJVtvg9Ub-T3C8PuJKQYBAsn1HFVnRNQioLhO_WvUE6t81WEDz3NZVsqhJZZ3KypOZOkrpH_l-Cny_d0e3EGRJVJCYxraCOk5tC-rKKHN_dJNIUwJF_0AyzyDhbATXNWhy3wmMSrBtcVDDYFQug_QjZGuhTDCSahyymM1euij-eu1MVlJjosHZ6TLdm66kSASgooSuNqXVjNnOGWx6Zcmka4BRjtFx_8Rw",
        }),
    ]
}

fn proxied() -> Setup {
    Setup::new().set("proxy.trusted", json!(["127.0.0.1"])).set("proxy.client_certificate_header", "Client-Cert")
}

fn named(setup: Setup, member: &str, name: &str) -> Setup {
    setup
        .client(SERVICE.id, "token_endpoint_auth_method", "tls_client_auth")
        .client(SERVICE.id, "client_secret", Value::Null)
        .client(SERVICE.id, member, name)
}

fn with_key(setup: Setup, member: &str, keys: Value) -> Setup {
    setup
        .client(BACKEND_POST.id, "token_endpoint_auth_method", "self_signed_tls_client_auth")
        .client(BACKEND_POST.id, "client_secret", Value::Null)
        .client(BACKEND_POST.id, "grant_types", json!(["authorization_code", "client_credentials"]))
        .client(BACKEND_POST.id, member, keys)
}

/// A server of which [`SERVICE`] authenticates by its subject and [`BACKEND_POST`] by its keys; the first and [`ONE`] have their tokens bound.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let setup = named(proxied(), "tls_client_auth_subject_dn", r"CN=app,O=Example\, Inc.,C=DE");
        with_key(setup, "jwks", json!({ "keys": keys() }))
            .set("proxy.mtls_address", "https://mtls.example.com/")
            .client(SERVICE.id, "tls_client_certificate_bound_access_tokens", true)
            .client(ONE.id, "tls_client_certificate_bound_access_tokens", true)
            .start()
    })
}

#[track_caller]
fn ask(server: &Server, client: Client, headers: &[&str]) -> Answer {
    let headers: Vec<(&str, &str)> = headers.iter().map(|value| ("Client-Cert", *value)).collect();
    let form = Form::of(&[("grant_type", "client_credentials"), ("scope", "read")]);
    server.post_with(&headers, client, "/token", form)
}

#[test]
fn every_form_in_which_proxies_write_a_certificate_is_read() {
    let server = server();
    for header in [sequence(APP), escaped(APP), in_one_line(APP)] {
        ask(server, BY_NAME, &[&header]).ok();
        ask(server, BY_KEY, &[&header]).ok();
    }
    ask(server, BY_KEY, &[&sequence(RSA)]).ok();
}

#[test]
fn each_alternative_name_can_be_the_one() {
    for (member, own, other) in [
        ("tls_client_auth_san_dns", "App.example.com", "example.com"),
        ("tls_client_auth_san_uri", "urn:example:app", "urn:example:application"),
        ("tls_client_auth_san_ip", "2001:db8:0::7", "192.0.2.8"),
        ("tls_client_auth_san_email", "app@example.com", "app@example.org"),
    ] {
        ask(&named(proxied(), member, own).start(), BY_NAME, &[&sequence(APP)]).ok();
        let server = named(proxied(), member, other).start();
        ask(&server, BY_NAME, &[&sequence(APP)]).refused(401, "invalid_client");
        // A certificate without any such name.
        ask(&server, BY_NAME, &[&sequence(OTHER)]).refused(401, "invalid_client");
    }
}

#[test]
fn another_certificate_or_none_opens_nothing() {
    let server = server();
    let cut = sequence(&APP.replacen("MII", "MIJ", 1));
    for wrong in
        [&sequence(OTHER), "", "(null)", "x", ":x:", "::", &cut, &"A".repeat(20_000), &escaped("-----BEGIN CERTIFICATE-----")]
    {
        ask(server, BY_NAME, &[wrong]).refused(401, "invalid_client");
        ask(server, BY_KEY, &[wrong]).refused(401, "invalid_client");
    }
    ask(server, BY_NAME, &[&sequence(RSA)]).refused(401, "invalid_client");
    ask(server, BY_NAME, &[]).refused(401, "invalid_client");
    // A proxy that lets the client's own header through beside its own.
    ask(server, BY_NAME, &[&sequence(APP), &sequence(APP)]).refused(401, "invalid_client");
    // Nor does a certificate help a client that has registered a secret.
    let basic = Client { id: crate::harness::cast::BACKEND.id, ..BY_NAME };
    ask(server, basic, &[&sequence(APP)]).refused(401, "invalid_client");
}

#[test]
fn what_no_trusted_proxy_says_is_not_heard() {
    let subject = |setup: Setup| named(setup, "tls_client_auth_subject_dn", r"CN=app,O=Example\, Inc.,C=DE");
    for setup in [
        proxied().set("proxy.trusted", json!(["10.0.0.0/8"])),
        Setup::new().set("proxy.client_certificate_header", "Client-Cert"),
        Setup::new().set("proxy.trusted", json!(["127.0.0.1"])),
        proxied().set("proxy.client_certificate_header", "X-Certificate"),
    ] {
        ask(&subject(setup).start(), BY_NAME, &[&sequence(APP)]).refused(401, "invalid_client");
    }
}

#[test]
fn the_key_of_a_self_signed_certificate_may_be_at_an_address() {
    let party = RelyingParty::answering(&[]);
    party.publish("/keys", json!({ "keys": [keys()[0]] }).to_string());
    let setup = proxied().set("outbound.allow_private_addresses", true);
    let server = with_key(setup, "jwks_uri", party.url("/keys").into()).start();
    ask(&server, BY_KEY, &[&sequence(APP)]).ok();
    ask(&server, BY_KEY, &[&sequence(RSA)]).refused(401, "invalid_client");
    ask(&server, BY_KEY, &[&sequence(OTHER)]).refused(401, "invalid_client");
}

#[test]
fn a_token_says_which_certificate_it_is_bound_to() {
    let server = server();
    let token = ask(server, BY_NAME, &[&sequence(APP)]).ok();
    assert_eq!(token["token_type"], "Bearer", "RFC 8705 section 3");
    let token = token["access_token"].as_str().expect("a token");
    let bound = json!({ "x5t#S256": thumbprint(APP) });
    assert_eq!(jwt::claims(token)["cnf"], bound);
    assert_eq!(server.introspect(token)["cnf"], bound);
    // Who did not ask for that is not bound by having a certificate.
    let token = ask(server, BY_KEY, &[&sequence(APP)]).ok();
    assert!(jwt::claims(token["access_token"].as_str().expect("a token"))["cnf"].is_null());
}

#[track_caller]
fn userinfo(server: &Server, token: &str, header: Option<&str>) -> Answer {
    let request = http().get(server.url("/userinfo")).bearer_auth(token);
    Server::send(match header {
        Some(header) => request.header("Client-Cert", header),
        None => request,
    })
}

/// A sign-in to [`ONE`] with [`APP`].
#[track_caller]
fn sign_in(server: &Server) -> Tokens {
    let request = Authorization::new(ONE, "openid offline_access");
    let code = Browser::new().authorize(server, &request, &server.person()).code();
    Tokens(server.post_with(&[("Client-Cert", &sequence(APP))], ONE, "/token", request.redeem(&code)).ok())
}

#[test]
fn userinfo_wants_the_same_certificate() {
    let server = server();
    let tokens = sign_in(server);
    userinfo(server, tokens.access(), Some(&escaped(APP))).ok();
    for other in [None, Some(&*sequence(OTHER)), Some("x")] {
        userinfo(server, tokens.access(), other).refused(401, "invalid_token");
    }
}

#[test]
fn a_bound_client_is_given_nothing_without_a_certificate() {
    let server = server();
    let request = Authorization::new(ONE, "openid");
    let code = Browser::new().authorize(server, &request, &server.person()).code();
    server.token(ONE, request.redeem(&code)).refused(400, "invalid_request");
    // Nothing was used up by that.
    server.post_with(&[("Client-Cert", &sequence(APP))], ONE, "/token", request.redeem(&code)).ok();
}

#[test]
fn the_refresh_token_of_a_public_client_is_bound_too() {
    let server = server();
    let tokens = sign_in(server);
    let refresh = |header: &str| {
        let form = Form::of(&[("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())]);
        server.post_with(&[("Client-Cert", header)], ONE, "/token", form)
    };
    refresh(&sequence(OTHER)).refused(400, "invalid_grant");
    let next = Tokens(refresh(&in_one_line(APP)).ok());
    assert_eq!(jwt::claims(next.access())["cnf"]["x5t#S256"], thumbprint(APP).as_str());
}

#[test]
fn a_bound_access_token_speaks_for_its_app_with_its_certificate_alone() {
    let scope = "openid offline_access interclient_access";
    let server = proxied()
        .set("scopes.interclient_access", json!({ "description": "Open web pages signed in" }))
        .client(ONE.id, "tls_client_certificate_bound_access_tokens", true)
        .client(ONE.id, "scope", scope)
        .client(ONE.id, "session_transfer", json!({ "can_create_session_transfer_token": true }))
        .client(
            CLAIMED.id,
            "session_transfer",
            json!({ "allowed_authentication_methods": ["query"], "allowed_origin_clients": [ONE.id] }),
        )
        .start();
    let request = Authorization::new(ONE, scope);
    let code = Browser::new().authorize(&server, &request, &server.person()).code();
    let tokens = Tokens(server.post_with(&[("Client-Cert", &sequence(APP))], ONE, "/token", request.redeem(&code)).ok());
    let ask = |certificate: &str| {
        let form = Form::of(&[
            ("grant_type", TOKEN_EXCHANGE),
            ("requested_token_type", "urn:okta:params:oauth:token-type:interclient_token"),
            ("subject_token", tokens.id()),
            ("subject_token_type", ID_TOKEN_TYPE),
            ("actor_token", tokens.access()),
            ("actor_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("audience", &format!("urn:okta:apps:{}", CLAIMED.id)),
        ]);
        server.post_with(&[("Client-Cert", certificate)], ONE, "/token", form)
    };
    ask(&sequence(OTHER)).refused(400, "invalid_grant");
    ask(&sequence(APP)).ok();
}

#[test]
fn discovery_says_so_where_certificates_are_forwarded() {
    let document = server().get("/.well-known/openid-configuration").ok();
    let methods = document["token_endpoint_auth_methods_supported"].as_array().expect("a list");
    assert!(methods.contains(&json!("tls_client_auth")) && methods.contains(&json!("self_signed_tls_client_auth")));
    assert_eq!(document["tls_client_certificate_bound_access_tokens"], true);
    let aliases = document["mtls_endpoint_aliases"].as_object().expect("aliases");
    assert_eq!(aliases["token_endpoint"], "https://mtls.example.com/token");
    assert_eq!(aliases["userinfo_endpoint"], "https://mtls.example.com/userinfo");
    assert_eq!(aliases.len(), 6);
    let plain = crate::harness::shared::usual().get("/.well-known/openid-configuration").ok();
    assert!(!plain["token_endpoint_auth_methods_supported"].as_array().expect("a list").contains(&json!("tls_client_auth")));
    assert!(plain["tls_client_certificate_bound_access_tokens"].is_null() && plain["mtls_endpoint_aliases"].is_null());
}
