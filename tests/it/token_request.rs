//! The token endpoint's door: every malformed request gets its OAuth error, never a panic, a 500 or a hang.

use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use crate::harness::cast::{ONE, SECRET, SERVICE};
use crate::harness::server::http;
use crate::harness::{Answer, Form, Server, TOKEN_EXCHANGE, shared};

const FORM: &str = "application/x-www-form-urlencoded";

#[track_caller]
fn post(content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    Server::send(http().post(shared::usual().url("/token")).header(CONTENT_TYPE, content_type).body(body.into()))
}

/// What a refusal says.
#[track_caller]
fn description(answer: &Answer) -> String {
    let body = answer.refused(400, "invalid_request");
    let text = body["error_description"].as_str().expect("a description").to_owned();
    // RFC 6749 section 5.2: %x20-21 / %x23-5B / %x5D-7E
    assert!(text.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{text}");
    assert!(text.len() < 160, "{text}");
    text
}

/// Sends a form and expects this refusal.
#[track_caller]
fn refused(parameters: &[(&str, &str)], code: &str) {
    let answer = post(FORM, Form::of(parameters).encoded());
    let status = if code == "invalid_client" { 401 } else { 400 };
    answer.refused(status, code);
}

#[test]
fn missing_parameters() {
    let one = ("client_id", ONE.id);
    refused(&[], "invalid_request");
    refused(&[one], "invalid_request");
    refused(&[one, ("grant_type", "")], "invalid_request");
    refused(&[one, ("grant_type", "authorization_code")], "invalid_request");
    refused(&[one, ("grant_type", "refresh_token")], "invalid_request");
    refused(&[one, ("grant_type", "refresh_token"), ("refresh_token", "")], "invalid_request");
    for missing in ["audience", "subject_token", "subject_token_type", "actor_token_type"] {
        let form = shared::usual().exchange_form("a.b.c", "secret").and("client_id", ONE.id).without(missing);
        post(FORM, form.encoded()).refused(400, "invalid_request");
    }
}

#[test]
fn grants_that_are_unknown_or_not_for_this_client() {
    refused(&[("client_id", ONE.id), ("grant_type", "password"), ("username", "a"), ("password", "b")], "unsupported_grant_type");
    refused(&[("client_id", ONE.id), ("grant_type", "AUTHORIZATION_CODE"), ("code", "x")], "unsupported_grant_type");
    refused(&[("client_id", ONE.id), ("grant_type", "urn:ietf:params:oauth:grant-type:saml2-bearer")], "unsupported_grant_type");
    refused(&[("client_id", ONE.id), ("grant_type", "client_credentials")], "unauthorized_client");
}

#[test]
fn repeated_parameters() {
    for name in ["grant_type", "client_id", "code", "scope", "redirect_uri", "code_verifier"] {
        let form = Form::of(&[("grant_type", "authorization_code"), ("client_id", ONE.id), ("code", "x")]);
        let said = description(&post(FORM, form.and(name, "1").and(name, "2").encoded()));
        assert!(said.contains(&format!(" {name} ")), "the parameter is named: {said}");
    }
    let exchange = shared::usual().exchange_form("a.b.c", "secret").and("client_id", ONE.id);
    for name in ["subject_token", "actor_token", "actor_token_type"] {
        post(FORM, exchange.clone().and(name, "2").encoded()).refused(400, "invalid_request");
    }
}

#[test]
fn a_name_that_a_stranger_made_up_does_no_harm_in_a_description() {
    let twice = |name: &str| description(&post(FORM, Form::of(&[(name, "1"), (name, "2")]).encoded()));
    assert!(twice("app.version").contains("app.version"));
    for name in ["a\"b\\c", "<b>caf\u{e9}</b>", "a b\r\nc", "", &"n".repeat(5000)] {
        let said = twice(name);
        assert!(!said.contains(['<', '>', '\u{e9}']), "{said}");
    }
    // A credential that slipped into the place of a name is not repeated.
    let device = shared::usual().device(ONE);
    for secret in [device.secret(), device.refresh(), device.id()] {
        let said = twice(secret);
        assert!(!said.contains(&secret[..20]), "{said}");
    }
}

#[test]
fn bodies_that_are_no_form() {
    for (content_type, body) in [
        ("text/plain", "grant_type=client_credentials"),
        ("multipart/form-data; boundary=x", "--x--"),
        ("application/xml", "<grant/>"),
        ("nonsense", "grant_type=client_credentials"),
    ] {
        let body = post(content_type, body).refused(415, "invalid_request");
        let said = body["error_description"].as_str().unwrap_or_default();
        assert!(said.contains("x-www-form-urlencoded") && said.contains("application/json"), "both are taken: {said}");
    }
    post(FORM, "").refused(400, "invalid_request");
    post(FORM, "&&&&").refused(400, "invalid_request");
    post(FORM, "=&==&=a").refused(400, "invalid_request");
    post(FORM, b"grant_type=\xff\xfe".as_slice()).refused(400, "invalid_request");
    post(FORM, "grant_type=%ff%fe").refused(400, "invalid_request");
    assert_eq!(post(FORM, "grant_type=%00").status, 400);
}

#[test]
fn no_content_type_is_refused() {
    let answer = Server::send(http().post(shared::usual().url("/token")).body("grant_type=client_credentials"));
    answer.refused(415, "invalid_request");
}

#[test]
fn parameters_belong_into_the_body() {
    let server = shared::usual();
    let url = format!("{}?grant_type=client_credentials&client_id={}", server.url("/token"), ONE.id);
    Server::send(http().post(url).header(CONTENT_TYPE, FORM).body("")).refused(400, "invalid_request");
}

#[test]
fn oversized_bodies_are_refused_quickly() {
    for size in [70_000, 2_000_000] {
        let answer = post(FORM, format!("grant_type=refresh_token&client_id={}&refresh_token={}", ONE.id, "a".repeat(size)));
        assert!(answer.status == 413 || answer.status == 400, "{}", answer.status);
        assert_eq!(answer.json()["error"], "invalid_request");
    }
}

#[test]
fn many_parameters_and_long_names_do_no_harm() {
    let many = Form((0..4000).map(|n| (format!("p{n}"), "1".to_owned())).collect()).encoded();
    let answer = post(FORM, format!("{many}&grant_type=password&client_id={}", ONE.id));
    assert_eq!(answer.status, 400, "{}", answer.body);
    post(FORM, format!("{}=1", "n".repeat(10_000))).refused(400, "invalid_request");
}

#[test]
fn only_post_is_answered() {
    let server = shared::usual();
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let method = method.parse().expect("a method");
        let answer = Server::send(http().request(method, server.url("/token")));
        assert_eq!(answer.status, 405, "{}", answer.body);
        assert!(answer.header("allow").is_some_and(|allow| allow.contains("POST")));
    }
}

#[test]
fn json_bodies_mean_the_same_as_forms() {
    let server = shared::usual();
    let body = json!({
        "grant_type": "client_credentials", "client_id": crate::harness::cast::BACKEND_POST.id, "client_secret": SECRET,
        "scope": "read",
    });
    let tokens = post("application/json", body.to_string()).ok();
    assert_eq!(tokens["scope"], "read");
    let tokens = post("application/json; charset=utf-8", body.to_string()).ok();
    assert!(server.is_active(tokens["access_token"].as_str().expect("a token")));

    let device = server.device(ONE);
    let body = json!({
        "grant_type": TOKEN_EXCHANGE, "client_id": crate::harness::cast::TWO.id, "audience": server.issuer,
        "subject_token": device.id(), "subject_token_type": crate::harness::ID_TOKEN_TYPE,
        "actor_token": device.secret(), "actor_token_type": crate::harness::DEVICE_SECRET_TYPE, "scope": "openid",
    });
    assert!(post("application/json", body.to_string()).ok()["access_token"].is_string());
}

#[test]
fn broken_json_is_refused() {
    let id = ONE.id;
    for body in [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "\"text\"".to_owned(),
        "17".to_owned(),
        "{}".to_owned(),
        format!("{{\"grant_type\":null,\"client_id\":\"{id}\"}}"),
        format!("{{\"grant_type\":[\"refresh_token\"],\"client_id\":\"{id}\",\"refresh_token\":\"x\"}}"),
        format!("{{\"grant_type\":\"refresh_token\",\"client_id\":\"{id}\",\"refresh_token\":\"a\\u0000b\"}}"),
        format!("{{\"grant_type\":{{\"a\":1}},\"client_id\":\"{id}\"}}"),
        format!("{{\"grant_type\":\"refresh_token\",\"grant_type\":\"password\",\"client_id\":\"{id}\"}}"),
        format!("{}{}", "[".repeat(20_000), "]".repeat(20_000)),
    ] {
        post("application/json", body).refused(400, "invalid_request");
    }
    let number = format!("{{\"grant_type\":17,\"client_id\":\"{id}\"}}");
    post("application/json", number).refused(400, "unsupported_grant_type");
    let flag = format!("{{\"grant_type\":\"refresh_token\",\"client_id\":\"{id}\",\"refresh_token\":true}}");
    post("application/json", flag).refused(400, "invalid_grant");
    post("application/json", b"{\"grant_type\":\"\xff\"}".as_slice()).refused(400, "invalid_request");
}

#[test]
fn a_json_member_of_the_wrong_kind_is_named() {
    for (body, name) in [
        (r#"{"grant_type":["x"]}"#, "grant_type"),
        (r#"{"grant_type":[]}"#, "grant_type"),
        (r#"{"grant_type":"refresh_token","refresh_token":{"a":1}}"#, "refresh_token"),
        (r#"{"grant_type":"refresh_token","scope":1.5}"#, "scope"),
        (r#"{"grant_type":"refresh_token","resource":["https://a.example",1]}"#, "resource"),
        (r#"{"grant_type":"refresh_token","resource":{}}"#, "resource"),
    ] {
        let said = description(&post("application/json", body));
        assert!(said.contains(&format!(" {name} ")) && said.contains("string"), "{body}: {said}");
    }
    let said = description(&post("application/json", r#"{"scope":{}}"#));
    assert!(said.contains("number") && said.contains("true or false"), "numbers and booleans pass: {said}");
    assert!(description(&post("application/json", "[]")).contains("object"));
    assert!(description(&post("application/json", "{")).contains("not JSON"));
}

#[test]
fn scope_of_the_wrong_shape() {
    let server = shared::usual();
    for scope in ["rea\"d", "read\\write", "r\u{e9}ad", "read\twrite", "read\nwrite"] {
        let form = Form::of(&[("grant_type", "client_credentials"), ("scope", scope)]);
        server.token(SERVICE, form).refused(400, "invalid_scope");
    }
}
