//! A client looks at, changes and ends its own registration (RFC 7592).

use std::sync::OnceLock;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::cast::{BACKEND, ONE};
use crate::harness::server::http;
use crate::harness::{Answer, Authorization, Browser, Server, jwt};
use crate::registration::{app, open, public, register, registered};

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| open().start())
}

/// A request about a registration.
#[track_caller]
fn about(told: &Value, method: Method, body: Option<&Value>) -> Answer {
    ask(told["registration_client_uri"].as_str().expect("an address"), told["registration_access_token"].as_str(), method, body)
}

#[track_caller]
fn ask(uri: &str, token: Option<&str>, method: Method, body: Option<&Value>) -> Answer {
    let mut request = http().request(method, uri);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    Server::send(request)
}

/// What a client may send back of what it was told (RFC 7592 section 2.2).
fn without_answers(told: &Value) -> Value {
    let mut out = told.clone();
    let members = out.as_object_mut().expect("an object");
    for name in ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"] {
        members.remove(name);
    }
    out
}

#[test]
fn it_reads_what_it_registered_without_its_secret() {
    let server = server();
    let told = registered(&register(server, None, &json!({"redirect_uris": ["https://rp.example.com/cb"]})));
    let answer = about(&told, Method::GET, None);
    let mut expected = told.clone();
    for name in ["client_secret", "client_secret_expires_at"] {
        expected.as_object_mut().expect("an object").remove(name);
    }
    assert_eq!(answer.ok(), expected);
    answer.is_not_cached();
}

#[test]
fn what_it_sends_back_as_told_changes_nothing() {
    let server = server();
    let told = registered(&register(server, None, &json!({"redirect_uris": ["https://rp.example.com/cb"], "client_name": "RP"})));
    let secret = told["client_secret"].as_str().expect("a secret");
    // With the secret as issued, and without it.
    let with_secret = without_answers(&told);
    let mut without = with_secret.clone();
    without.as_object_mut().expect("an object").remove("client_secret");
    for body in [with_secret, without] {
        let changed = about(&told, Method::PUT, Some(&body)).ok();
        assert!(changed["client_secret"].is_null());
        assert_eq!(changed["registration_access_token"], told["registration_access_token"], "it stays");
        let id = told["client_id"].as_str().expect("an id");
        let form = [("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", "y"), ("code_verifier", "z")];
        let asked = Server::send(http().post(server.url("/token")).basic_auth(id, Some(secret)).form(&form));
        asked.refused(400, "invalid_grant");
    }
}

#[test]
fn a_change_replaces_everything() {
    let server = server();
    let mut first = app();
    first["policy_uri"] = "https://rp.example.com/policy".into();
    first["scope"] = "openid email".into();
    let told = registered(&register(server, None, &first));
    let client = public(&told);
    let person = server.person();
    let tokens = server.sign_in(client, &person, "openid email");
    let mut second = app();
    second["client_id"] = told["client_id"].clone();
    second["client_name"] = "Another name".into();
    second["scope"] = "openid".into();
    let changed = about(&told, Method::PUT, Some(&second)).ok();
    assert_eq!((&changed["client_name"], &changed["scope"]), (&json!("Another name"), &json!("openid")));
    assert!(changed["policy_uri"].is_null());
    assert_eq!(changed["client_id_issued_at"], told["client_id_issued_at"]);
    assert_eq!(about(&told, Method::GET, None).ok(), changed);
    // What was issued lives on (it is the same client), within what is registered now.
    assert!(server.is_active(tokens.access()));
    let error = Browser::new().ask(server, &Authorization::new(client, "openid email")).parameters()["error"].clone();
    assert_eq!(error, "invalid_scope");
    server.trail().one("CL5013", &[("client_id", client.id)]);
}

#[test]
fn a_change_to_a_method_with_a_secret_tells_the_secret_once() {
    let server = server();
    let told = registered(&register(server, None, &app()));
    let mut body = without_answers(&told);
    body["token_endpoint_auth_method"] = "client_secret_post".into();
    let changed = about(&told, Method::PUT, Some(&body)).ok();
    assert!(changed["client_secret"].as_str().is_some_and(|secret| secret.len() == 43));
    assert_eq!(changed["client_secret_expires_at"], 0);
    assert!(about(&told, Method::GET, None).ok()["client_secret"].is_null());
}

#[test]
fn a_change_goes_no_further_than_a_registration() {
    let server = server();
    let told = registered(&register(server, None, &json!({"redirect_uris": ["https://rp.example.com/cb"]})));
    let before = about(&told, Method::GET, None).ok();
    for (name, value) in [
        ("client_id", json!("another")),
        ("client_id", Value::Null),
        ("client_secret", json!("chosen-by-the-client")),
        ("client_secret", json!(7)),
        ("registration_access_token", told["registration_access_token"].clone()),
        ("registration_client_uri", told["registration_client_uri"].clone()),
        ("client_secret_expires_at", json!(0)),
        ("client_id_issued_at", told["client_id_issued_at"].clone()),
        ("first_party", json!(true)),
        ("introspection", json!(true)),
        ("device_sso_family", json!("acme")),
        ("scope", json!("openid payments")),
        ("grant_types", json!(["authorization_code", "client_credentials"])),
        ("software_statement", json!("e30.e30.x")),
        ("sector_identifier_uri", json!("https://127.0.0.1:1/sector")),
    ] {
        let mut body = without_answers(&told);
        body[name] = value;
        let answer = about(&told, Method::PUT, Some(&body));
        assert_eq!(answer.status, 400, "{name}: {}", answer.body);
        assert!(answer.json()["error_description"].as_str().is_some_and(|told| told.contains(name)), "{name}: {}", answer.body);
    }
    let mut body = without_answers(&told);
    body["redirect_uris"] = json!(["https://rp.example.com/#x"]);
    about(&told, Method::PUT, Some(&body)).refused(400, "invalid_redirect_uri");
    assert_eq!(about(&told, Method::GET, None).ok(), before, "nothing was changed");
}

#[test]
fn nobody_else_is_told_whether_a_client_exists() {
    let server = server();
    let told = registered(&register(server, None, &app()));
    let other = registered(&register(server, None, &app()));
    let (uri, token) =
        (told["registration_client_uri"].as_str().expect("an address"), other["registration_access_token"].as_str());
    let mut bodies = Vec::new();
    for address in [
        uri.to_owned(),
        server.url("/register/nobody"),
        server.url(&format!("/register/{}", ONE.id)),
        server.url(&format!("/register/{}", BACKEND.id)),
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            for shown in [token, Some("x")] {
                let answer = ask(&address, shown, method.clone(), Some(&app()));
                answer.refused(401, "invalid_token");
                assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{answer:?}");
                bodies.push(answer.body);
            }
            let answer = ask(&address, None, method, None);
            answer.refused(401, "invalid_token");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"symbolon\""));
            bodies.push(answer.body);
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    about(&told, Method::GET, None).ok();
    assert_eq!(about(&told, Method::PATCH, None).status, 405);
}

#[test]
fn deleted_is_the_end_of_everything() {
    let server = server();
    let told = registered(&register(server, None, &app()));
    let client = public(&told);
    let person = server.person();
    let browser = Browser::new();
    let tokens = server.sign_in_by(&browser, client, &person, "openid offline_access", None);
    let request = Authorization::new(client, "openid");
    let code = browser.ask(server, &request).code();
    assert_eq!(about(&told, Method::DELETE, None).status, 204);
    assert!(!server.is_active(tokens.access()));
    server.userinfo(tokens.access()).refused(401, "invalid_token");
    server.refresh(client, tokens.refresh()).refused(401, "invalid_client");
    server.token(client, request.redeem(&code)).refused(401, "invalid_client");
    assert_eq!(browser.ask(server, &request).page().status, 400);
    for method in [Method::GET, Method::DELETE] {
        about(&told, method, None).refused(401, "invalid_token");
    }
    server.trail().one("CL5014", &[("client_id", client.id)]);
    assert_eq!(jwt::claims(tokens.id())["aud"], client.id);
}

#[test]
fn an_operator_may_give_what_a_client_may_not_take() {
    let server = server();
    let told = registered(&register(server, None, &app()));
    let client = public(&told);
    let mut metadata = app();
    metadata["first_party"] = true.into();
    server.command_with(&["client", "update", client.id, "--from", "/dev/stdin"], &metadata.to_string()).fine();
    let shown = server.command(&["client", "show", client.id, "--json"]).fine().json();
    assert!(shown["unused_until"].is_null(), "it is kept, too");
    assert_eq!(about(&told, Method::GET, None).ok()["first_party"], true, "its token is still good");
    // By its own change it is a client like any other that registered itself.
    let mut body = app();
    body["client_id"] = client.id.into();
    assert!(about(&told, Method::PUT, Some(&body)).ok()["first_party"].is_null());
}
