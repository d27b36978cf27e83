//! What a client may do with session transfer tokens is changed by command, and by the management API with the source's own requests.

use std::sync::Barrier;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::cast::{BACKEND, ONE, SERVICE};
use crate::harness::server::http;
use crate::harness::{Answer, Form, Server, Setup};

/// A server with a service that manages clients.
fn setup() -> Setup {
    Setup::new().set("telemetry.format", "json").client(SERVICE.id, "scope", "read:clients update:clients read write")
}

/// A stored client of an operator.
fn app(server: &Server) -> String {
    let metadata = json!({
        "client_name": "Shop", "redirect_uris": ["https://shop.example.com/callback"], "token_endpoint_auth_method": "none",
    });
    let file = server.folder().join("client.json");
    std::fs::write(&file, metadata.to_string()).expect("a file");
    let added = server.command(&["client", "add", "--from", file.to_str().expect("a path"), "--json"]).fine().json();
    added["client_id"].as_str().expect("an id").to_owned()
}

#[track_caller]
fn token(server: &Server, scope: &str) -> String {
    // Auth0's tools name the API as audience.
    let audience = format!("{}/api/v2/", server.issuer);
    let form = Form::of(&[("grant_type", "client_credentials"), ("scope", scope), ("audience", &audience)]);
    server.token(SERVICE, form).ok()["access_token"].as_str().expect("a token").to_owned()
}

#[track_caller]
fn ask(server: &Server, method: Method, id: &str, token: &str, body: Option<&Value>) -> Answer {
    let mut request = http().request(method, server.url(&format!("/api/v2/clients/{id}"))).bearer_auth(token);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    Server::send(request)
}

#[test]
fn the_sources_own_requests_are_carried_out() {
    let server = setup().start();
    let (id, token) = (app(&server), token(&server, "read:clients update:clients"));
    let native = json!({ "session_transfer": { "can_create_session_transfer_token": true, "enforce_device_binding": "ip" } });
    let told = ask(&server, Method::PATCH, &id, &token, Some(&native)).ok();
    assert_eq!((told["client_id"].as_str(), told["name"].as_str()), (Some(&*id), Some("Shop")));
    assert_eq!(told["session_transfer"]["can_create_session_transfer_token"], true);
    // The next change leaves that as it is.
    let web = json!({ "session_transfer": { "allowed_authentication_methods": ["cookie", "query"] } });
    ask(&server, Method::PATCH, &id, &token, Some(&web)).ok();
    let told = ask(&server, Method::GET, &id, &token, None).ok();
    let expected = json!({
        "can_create_session_transfer_token": true, "allowed_authentication_methods": ["cookie", "query"],
        "enforce_device_binding": "ip", "allow_refresh_token": false, "enforce_cascade_revocation": true,
        "enforce_online_refresh_tokens": true,
    });
    assert_eq!(told["session_transfer"], expected);
    server.trail().all("AD8012", &[("client_id", &id), ("actor", SERVICE.id)]).first().expect("it is told");
    // And back to the default.
    let undone = json!({ "session_transfer": { "can_create_session_transfer_token": null } });
    let told = ask(&server, Method::PATCH, &id, &token, Some(&undone)).ok();
    assert_eq!(told["session_transfer"]["can_create_session_transfer_token"], false);
}

#[test]
fn only_a_service_with_the_scope_changes_clients() {
    let server = setup().client(ONE.id, "scope", "openid offline_access update:clients read:clients").start();
    let id = app(&server);
    let body = json!({ "session_transfer": { "can_create_session_transfer_token": true } });
    let reader = token(&server, "read:clients");
    ask(&server, Method::GET, &id, &reader, None).ok();
    assert_eq!(ask(&server, Method::PATCH, &id, &reader, Some(&body)).status, 403);
    assert_eq!(ask(&server, Method::GET, &id, &token(&server, "update:clients"), None).status, 403);
    assert_eq!(ask(&server, Method::PATCH, &id, "x", Some(&body)).status, 401);
    assert_eq!(ask(&server, Method::POST, &id, &reader, Some(&body)).status, 405);
    // A person cannot let an app change clients, whatever it is registered for.
    let tokens = server.sign_in(ONE, &server.person(), "openid update:clients read:clients");
    assert_eq!(ask(&server, Method::PATCH, &id, tokens.access(), Some(&body)).status, 403);
    assert_eq!(ask(&server, Method::GET, &id, tokens.access(), None).status, 403);
    let shown = ask(&server, Method::GET, &id, &reader, None).ok();
    assert_eq!(shown["session_transfer"]["can_create_session_transfer_token"], false);
}

#[test]
fn what_is_wrong_is_refused_with_what_is_wrong() {
    let server = setup().start();
    let (id, token) = (app(&server), token(&server, "read:clients update:clients"));
    for body in
        [json!({}), json!({ "name": "Other" }), json!({ "session_transfer": [] }), json!({ "session_transfer": {}, "name": "x" })]
    {
        ask(&server, Method::PATCH, &id, &token, Some(&body)).refused(400, "invalid_request");
    }
    let wrong = json!({ "session_transfer": { "enforce_device_binding": "mac" } });
    let said = ask(&server, Method::PATCH, &id, &token, Some(&wrong)).refused(400, "invalid_client_metadata");
    assert!(said["error_description"].as_str().is_some_and(|text| text.contains("enforce_device_binding")), "{said}");
    let fine = json!({ "session_transfer": {} });
    assert_eq!(ask(&server, Method::PATCH, "nobody", &token, Some(&fine)).status, 404);
    assert_eq!(ask(&server, Method::GET, "nobody", &token, None).status, 404);
    // A client of the settings file is changed there.
    ask(&server, Method::PATCH, BACKEND.id, &token, Some(&fine)).refused(403, "invalid_request");
}

#[test]
fn changes_at_once_do_not_undo_each_other() {
    let server = setup().start();
    let (id, token) = (app(&server), token(&server, "read:clients update:clients"));
    let changes = [
        json!({ "can_create_session_transfer_token": true }),
        json!({ "allowed_authentication_methods": ["query"] }),
        json!({ "enforce_device_binding": "asn" }),
        json!({ "allow_refresh_token": true }),
    ];
    for _ in 0..3 {
        let undone = json!({ "session_transfer": {
            "can_create_session_transfer_token": null, "allowed_authentication_methods": null, "enforce_device_binding": null,
            "allow_refresh_token": null,
        } });
        ask(&server, Method::PATCH, &id, &token, Some(&undone)).ok();
        let gate = Barrier::new(changes.len());
        std::thread::scope(|scope| {
            for change in &changes {
                let (server, gate, id, token) = (&server, &gate, &id, &token);
                scope.spawn(move || {
                    gate.wait();
                    ask(server, Method::PATCH, id, token, Some(&json!({ "session_transfer": change }))).ok()
                });
            }
        });
        let told = ask(&server, Method::GET, &id, &token, None).ok();
        for (name, value) in changes.iter().flat_map(|change| change.as_object().into_iter().flatten()) {
            assert_eq!(told["session_transfer"][name], *value, "{told}");
        }
    }
}

#[test]
fn the_command_line_has_the_words_of_auth0s() {
    let server = setup().start();
    let id = app(&server);
    let run = |arguments: &[&str]| server.command(&[&["client", "session-transfer"], arguments].concat());
    let shown = run(&["show", &id, "--json"]).fine().json();
    assert_eq!(shown["enforce_device_binding"], "ip");
    let told = run(&["update", &id, "--can-create-token=true", "--enforce-device-binding=asn", "--json"]).fine().json();
    assert_eq!((&told["can_create_session_transfer_token"], &told["enforce_device_binding"]), (&json!(true), &json!("asn")));
    let told = run(&["set", &id, "--allowed-auth-methods", "cookie,query", "--allow-refresh-token", "--json"]).fine().json();
    assert_eq!(told["allowed_authentication_methods"], json!(["cookie", "query"]));
    assert_eq!((&told["allow_refresh_token"], &told["enforce_device_binding"]), (&json!(true), &json!("asn")));
    let told =
        run(&["set", &id, "--allowed-auth-methods", "none", "--allowed-origin-clients", "app-one", "--json"]).fine().json();
    assert_eq!((&told["allowed_authentication_methods"], &told["allowed_origin_clients"]), (&json!([]), &json!(["app-one"])));
    let told = run(&["set", &id, "--allowed-origin-clients", "any", "--json"]).fine().json();
    assert!(told["allowed_origin_clients"].is_null());
    assert!(run(&["set", &id, "--enforce-device-binding", "mac"]).refused().contains("none, asn, prefix, ip, key"));
    assert!(run(&["show", "nobody"]).refused().contains("nobody"));
    assert!(run(&["set", BACKEND.id, "--can-create-token"]).refused().contains("can only be changed there"));
}
