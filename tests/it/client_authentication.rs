//! Client authentication at the token endpoint: each method, and everything that must not pass for it.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::harness::app::{basic, now};
use crate::harness::cast::{BACKEND, BACKEND_JWT, BACKEND_POST, Client, ONE, SECRET};
use crate::harness::server::http;
use crate::harness::{Answer, Form, Server, jwt, shared};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn credentials() -> Form {
    Form::of(&[("grant_type", "client_credentials"), ("scope", "read")])
}

#[track_caller]
fn post(form: &Form, authorization: Option<&str>) -> Answer {
    let mut request = http().post(shared::usual().url("/token")).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    Server::send(request.body(form.encoded()))
}

#[track_caller]
fn refused(form: &Form, authorization: Option<&str>) -> Answer {
    let answer = post(form, authorization);
    answer.refused(401, "invalid_client");
    answer
}

#[test]
fn each_method_works() {
    let server = shared::usual();
    for client in [BACKEND, BACKEND_POST, BACKEND_JWT] {
        let tokens = server.token(client, credentials()).ok();
        assert_eq!(tokens["token_type"], "Bearer");
    }
}

#[test]
fn a_client_uses_the_method_it_registered() {
    refused(&credentials().and("client_id", BACKEND.id).and("client_secret", SECRET), None);
    refused(&credentials(), Some(&basic(BACKEND_POST.id, SECRET)));
    refused(&credentials(), Some(&basic(BACKEND_JWT.id, SECRET)));
    for client in [BACKEND, BACKEND_POST, BACKEND_JWT] {
        refused(&credentials().and("client_id", client.id), None);
    }
}

#[test]
fn a_public_client_has_no_secret_to_show() {
    let form = Form::of(&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", ONE.id)]);
    refused(&form.clone().and("client_secret", "guess"), None);
    refused(&form.without("client_id"), Some(&basic(ONE.id, "guess")));
}

#[test]
fn wrong_secrets_and_names() {
    let answer = refused(&credentials(), Some(&basic(BACKEND.id, "wrong")));
    assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Basic")), "RFC 6749 section 5.2");
    refused(&credentials(), Some(&basic("nobody", SECRET)));
    refused(&credentials(), Some(&basic(BACKEND.id, "")));
    refused(&credentials(), Some(&basic("", SECRET)));
    refused(&credentials().and("client_id", BACKEND_POST.id).and("client_secret", "wrong"), None);
    refused(&credentials().and("client_id", "nobody").and("client_secret", SECRET), None);
    refused(&credentials().and("client_id", "nobody"), None);
}

#[test]
fn an_unknown_client_and_a_wrong_secret_read_the_same() {
    let wrong = refused(&credentials(), Some(&basic(BACKEND.id, "wrong"))).json();
    assert_eq!(wrong, refused(&credentials(), Some(&basic("nobody", "wrong"))).json());
}

#[test]
fn broken_authorization_headers() {
    for header in ["Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Basic //79", "Negotiate abc", "Bearer abc"] {
        let answer = post(&credentials(), Some(header));
        assert!(answer.status == 401 || answer.status == 400, "{header}: {}", answer.body);
        assert!(["invalid_client", "invalid_request"].contains(&answer.json()["error"].as_str().unwrap_or_default()));
    }
}

#[test]
fn two_methods_at_once_are_one_too_many() {
    let basic_header = basic(BACKEND.id, SECRET);
    let form = credentials().and("client_id", BACKEND.id).and("client_secret", SECRET);
    post(&form, Some(&basic_header)).refused(400, "invalid_request");
    let server = shared::usual();
    let assertion = Server::assertion(&server.assertion_claims(BACKEND_JWT));
    let form = credentials().and("client_assertion_type", ASSERTION_TYPE).and("client_assertion", &assertion);
    post(&form.and("client_id", BACKEND_JWT.id).and("client_secret", SECRET), None).refused(400, "invalid_request");
}

#[test]
fn two_authorization_headers_are_one_too_many() {
    let server = shared::usual();
    let form = credentials().encoded();
    for path in ["/token", "/introspect", "/revoke"] {
        for second in [basic(BACKEND.id, SECRET), "Bearer abc".to_owned()] {
            let request = http().post(server.url(path)).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            let request = request.header(AUTHORIZATION, basic(BACKEND.id, SECRET)).header(AUTHORIZATION, second);
            let body = Server::send(request.body(form.clone())).refused(400, "invalid_request");
            assert!(body["error_description"].as_str().is_some_and(|text| text.contains("Authorization")), "{path}: {body}");
        }
    }
    let token = server.device(ONE).access().to_owned();
    let answer = Server::send(http().get(server.url("/userinfo")).bearer_auth(&token).bearer_auth(&token));
    answer.refused(400, "invalid_request");
}

#[test]
fn the_header_and_the_body_name_the_same_client() {
    let header = basic(BACKEND.id, SECRET);
    assert_eq!(post(&credentials().and("client_id", BACKEND.id), Some(&header)).status, 200);
    let answer = post(&credentials().and("client_id", ONE.id), Some(&header));
    assert!(["invalid_client", "invalid_request"].contains(&answer.json()["error"].as_str().unwrap_or_default()));
}

/// Sends a client assertion with these claims changed (`null` removes one).
#[track_caller]
fn assert_with(changes: &Value) -> Answer {
    let mut claims = shared::usual().assertion_claims(BACKEND_JWT);
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            claims.as_object_mut().expect("claims").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    send_assertion(&Server::assertion(&claims), BACKEND_JWT)
}

#[track_caller]
fn send_assertion(assertion: &str, client: Client) -> Answer {
    let form = credentials().and("client_assertion_type", ASSERTION_TYPE).and("client_assertion", assertion);
    post(&form.and("client_id", client.id), None)
}

#[test]
fn assertions_for_the_issuer_or_the_token_endpoint_are_accepted() {
    let server = shared::usual();
    assert_with(&json!({ "aud": server.issuer })).ok();
    assert_with(&json!({ "aud": server.url("/token") })).ok();
    assert_with(&json!({ "aud": [server.issuer, "https://other.example.com"] })).ok();
    let assertion = Server::assertion(&server.assertion_claims(BACKEND_JWT));
    let form = credentials().and("client_assertion_type", ASSERTION_TYPE).and("client_assertion", &assertion);
    post(&form, None).ok();
}

#[test]
fn assertions_with_wrong_claims_are_refused() {
    for changes in [
        json!({ "aud": "https://other.example.com" }),
        json!({ "aud": null }),
        json!({ "iss": "somebody-else" }),
        json!({ "sub": "somebody-else" }),
        json!({ "iss": null }),
        json!({ "sub": null }),
        json!({ "exp": now() - 600 }),
        json!({ "exp": null }),
        json!({ "exp": "tomorrow" }),
        json!({ "exp": now() + 10_000_000 }),
        json!({ "nbf": now() + 3600 }),
        json!({ "jti": 17 }),
        json!({ "jti": "" }),
    ] {
        let answer = assert_with(&changes);
        assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("invalid_client")), "{changes}");
    }
}

#[test]
fn an_assertion_is_good_for_one_request() {
    let server = shared::usual();
    let assertion = Server::assertion(&server.assertion_claims(BACKEND_JWT));
    send_assertion(&assertion, BACKEND_JWT).ok();
    send_assertion(&assertion, BACKEND_JWT).refused(401, "invalid_client");
    // RFC 7523 section 3 leaves jti open; then the assertion itself is what must not come twice.
    let mut claims = server.assertion_claims(BACKEND_JWT);
    claims.as_object_mut().expect("claims").remove("jti");
    let assertion = Server::assertion(&claims);
    send_assertion(&assertion, BACKEND_JWT).ok();
    send_assertion(&assertion, BACKEND_JWT).refused(401, "invalid_client");
}

#[test]
fn of_many_uses_of_one_assertion_at_once_one_wins() {
    let assertion = Server::assertion(&shared::usual().assertion_claims(BACKEND_JWT));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| send_assertion(&assertion, BACKEND_JWT).status)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
}

#[test]
fn forged_assertions_are_refused() {
    let server = shared::usual();
    let claims = server.assertion_claims(BACKEND_JWT);
    let assertion = Server::assertion(&claims);
    for forged in [
        jwt::unsigned(&assertion),
        jwt::tampered(&assertion, "jti", "another".into()),
        symmetric(&claims),
        String::new(),
        "a.b.c".to_owned(),
        "x".repeat(30_000),
        assertion.replace('.', ".."),
    ] {
        let answer = send_assertion(&forged, BACKEND_JWT);
        let code = answer.json()["error"].as_str().map(str::to_owned);
        assert!(matches!(code.as_deref(), Some("invalid_client" | "invalid_request")), "{}", answer.body);
    }
    let form = credentials().and("client_assertion", &assertion);
    assert_ne!(post(&form, None).status, 200, "without its type");
    let form = form.and("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer");
    assert_ne!(post(&form, None).status, 200, "with another type");
    refused(
        &credentials()
            .and("client_assertion_type", ASSERTION_TYPE)
            .and("client_assertion", &assertion)
            .and("client_id", BACKEND.id),
        None,
    );
}

/// HS256 with the text of the public key: the classic confusion of algorithms.
fn symmetric(claims: &Value) -> String {
    let key = serde_json::to_vec(&crate::harness::cast::client_key().1).expect("a JWK");
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    jsonwebtoken::encode(&header, claims, &jsonwebtoken::EncodingKey::from_secret(&key)).expect("a JWT")
}
