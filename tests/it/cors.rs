//! Cross-origin requests: open to the origins of registered redirect URIs, on the endpoints an app in a browser calls.

use reqwest::Method;

use crate::harness::cast::{CLAIMED, ONE};
use crate::harness::server::http;
use crate::harness::{Answer, Client, Form, Server, shared};

const KNOWN: &str = "https://app.example.com";
const UNKNOWN: &str = "https://evil.example.com";

#[track_caller]
fn preflight(path: &str, origin: &str, method: &str) -> Answer {
    let server = shared::usual();
    Server::send(
        http()
            .request(Method::OPTIONS, server.url(path))
            .header("origin", origin)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization,content-type"),
    )
}

fn allowed(answer: &Answer, origin: &str) -> bool {
    matches!(answer.header("access-control-allow-origin"), Some(value) if value == origin || value == "*")
}

#[test]
fn discovery_and_keys_are_for_everybody() {
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks.json"] {
        let answer = Server::send(http().get(shared::usual().url(path)).header("origin", UNKNOWN));
        assert!(allowed(&answer, UNKNOWN), "{path}");
    }
}

#[test]
fn a_refusal_that_names_nobody_can_be_read_by_everybody() {
    let server = shared::usual();
    let from = |request: reqwest::blocking::RequestBuilder| Server::send(request.header("origin", UNKNOWN));
    for answer in [
        from(http().get(server.url("/userinfo"))),
        from(http().get(server.url("/userinfo")).bearer_auth("expired-or-forged")),
        from(http().post(server.url("/token")).form(&[("grant_type", "x"), ("grant_type", "y")])),
    ] {
        assert!(answer.status >= 400 && allowed(&answer, UNKNOWN), "{answer:?}");
    }
    let answer = from(http().get(server.url("/userinfo")).bearer_auth("expired-or-forged"));
    assert!(answer.header("access-control-expose-headers").is_some_and(|names| names.contains("WWW-Authenticate")));
}

#[test]
fn a_preflight_lets_the_request_itself_through() {
    for (path, method) in [
        ("/token", "POST"),
        ("/userinfo", "GET"),
        ("/revoke", "POST"),
        ("/.well-known/openid-configuration", "GET"),
        ("/.well-known/oauth-authorization-server", "GET"),
        ("/jwks.json", "GET"),
    ] {
        let answer = preflight(path, KNOWN, method);
        assert!(matches!(answer.status, 200 | 204), "{path}: {}", answer.status);
        assert!(allowed(&answer, KNOWN), "{path}");
        let headers = answer.header("access-control-allow-headers").unwrap_or_default().to_lowercase();
        assert!(headers.contains("authorization") && headers.contains("content-type"), "{path}: {headers}");
        assert_ne!(answer.header("access-control-allow-credentials"), Some("true"), "{path}: no cookies");
    }
}

/// A token request of that client from that origin, refused or not.
#[track_caller]
fn token_request(client: Client, origin: &str) -> Answer {
    let server = shared::usual();
    let request = http().post(server.url("/token")).header("origin", origin);
    let form = Form::of(&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", client.id)]);
    Server::send(request.header("content-type", "application/x-www-form-urlencoded").body(form.encoded()))
}

#[test]
fn answers_can_be_read_by_the_clients_own_origins_alone() {
    let answer = token_request(CLAIMED, KNOWN);
    answer.refused(400, "invalid_grant");
    assert!(allowed(&answer, KNOWN), "refusals too");
    assert!(answer.headers("vary").any(|value| value.to_lowercase().contains("origin")));
    for origin in
        [UNKNOWN, "null", "https://app.example.com.evil.example.com", "http://app.example.com", "https://app.example.com:444"]
    {
        assert!(!allowed(&token_request(CLAIMED, origin), origin), "{origin}");
    }
    assert!(!allowed(&token_request(ONE, KNOWN), KNOWN), "the origin of another client");
}

#[test]
fn userinfo_can_be_read_by_the_origin_of_the_tokens_client() {
    let server = shared::usual();
    let tokens = server.sign_in(CLAIMED, &server.person(), "openid");
    let ask = |origin: &str| {
        let answer = Server::send(http().get(server.url("/userinfo")).header("origin", origin).bearer_auth(tokens.access()));
        answer.ok();
        allowed(&answer, origin)
    };
    assert!(ask(KNOWN));
    assert!(!ask(UNKNOWN));
}

#[test]
fn pages_are_never_shared() {
    for path in ["/authorize", "/logout"] {
        assert!(!allowed(&preflight(path, KNOWN, "GET"), KNOWN), "{path}");
    }
}
