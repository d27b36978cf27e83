//! Cross-origin requests: open to the origins of registered redirect URIs, on the endpoints an app in a browser calls.

use reqwest::Method;

use crate::harness::cast::ONE;
use crate::harness::server::http;
use crate::harness::{Answer, Form, Server, shared};

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
fn a_registered_origin_may_ask() {
    for (path, method) in [
        ("/token", "POST"),
        ("/userinfo", "GET"),
        ("/.well-known/openid-configuration", "GET"),
        ("/jwks.json", "GET"),
        ("/revoke", "POST"),
    ] {
        let answer = preflight(path, KNOWN, method);
        assert!(matches!(answer.status, 200 | 204), "{path}: {}", answer.status);
        assert!(allowed(&answer, KNOWN), "{path}");
        let headers = answer.header("access-control-allow-headers").unwrap_or_default().to_lowercase();
        assert!(headers.contains("authorization") && headers.contains("content-type"), "{path}: {headers}");
        assert_ne!(answer.header("access-control-allow-credentials"), Some("true"), "{path}: no cookies");
    }
}

#[test]
fn an_unknown_origin_may_not() {
    for path in ["/token", "/userinfo"] {
        for origin in [UNKNOWN, "null", "https://app.example.com.evil.example.com", "http://app.example.com"] {
            assert!(!allowed(&preflight(path, origin, "POST"), origin), "{path} {origin}");
        }
    }
}

#[test]
fn answers_and_refusals_can_be_read() {
    let server = shared::usual();
    let request =
        http().post(server.url("/token")).header("origin", KNOWN).header("content-type", "application/x-www-form-urlencoded");
    let answer = Server::send(request.body(Form::of(&[("grant_type", "refresh_token"), ("client_id", ONE.id)]).encoded()));
    answer.refused(400, "invalid_request");
    assert!(allowed(&answer, KNOWN));
    assert!(answer.headers("vary").any(|value| value.to_lowercase().contains("origin")));
    let tokens = server.device(ONE);
    let answer = Server::send(http().get(server.url("/userinfo")).header("origin", KNOWN).bearer_auth(tokens.access()));
    answer.ok();
    assert!(allowed(&answer, KNOWN));
}

#[test]
fn pages_are_never_shared() {
    for path in ["/authorize", "/logout"] {
        assert!(!allowed(&preflight(path, KNOWN, "GET"), KNOWN), "{path}");
    }
}
