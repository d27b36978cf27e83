//! Metadata that promises what this server does not do is refused, not ignored; and what a client calls itself in other languages.

use serde_json::{Value, json};

use crate::harness::app::basic;
use crate::harness::cast::{BACKEND, ONE, SECRET, SERVICE};
use crate::harness::command::Ran;
use crate::harness::server::http;
use crate::harness::{Authorization, Browser, Server, Setup, shared};
use crate::registration::{app, open, public, register, registered};

/// Members of the IANA registry (OAuth Dynamic Client Registration Metadata) for what is not done here.
fn promises() -> [(&'static str, Value); 11] {
    [
        ("authorization_signed_response_alg", json!("RS256")),
        ("authorization_encrypted_response_alg", json!("RSA-OAEP-256")),
        ("authorization_encrypted_response_enc", json!("A256GCM")),
        ("request_object_encryption_alg", json!("RSA-OAEP-256")),
        ("request_object_encryption_enc", json!("A256GCM")),
        ("authorization_details_types", json!(["payment"])),
        ("backchannel_token_delivery_mode", json!("poll")),
        ("backchannel_client_notification_endpoint", json!("https://rp.example.com/ciba")),
        ("backchannel_authentication_request_signing_alg", json!("RS256")),
        ("backchannel_user_code_parameter", json!(true)),
        ("signed_jwks_uri", json!("https://rp.example.com/jwks")),
    ]
}

fn with(name: &str, value: &Value) -> Value {
    let mut metadata = app();
    metadata[name] = value.clone();
    metadata
}

#[test]
fn a_promise_that_is_not_kept_is_refused_to_everybody() {
    let server = open().start();
    let file = server.folder().join("client.json");
    for (name, value) in promises() {
        let body = register(&server, None, &with(name, &value)).refused(400, "invalid_client_metadata");
        assert!(body["error_description"].as_str().is_some_and(|told| told.contains(name)), "{name}: {body}");
        std::fs::write(&file, with(name, &value).to_string()).expect("a file");
        let said = server.command(&["client", "add", "--from", file.to_str().expect("a path")]).refused();
        assert!(said.contains(name), "{name}: {said}");
    }
    // What says that it is not wanted promises nothing.
    for value in [json!(false), json!("none"), json!([]), Value::Null] {
        registered(&register(&server, None, &with("authorization_details_types", &value)));
    }
    let said = promises().into_iter().fold(Setup::new(), |setup, (name, value)| setup.client(ONE.id, name, value)).refused();
    for (name, _) in promises() {
        assert!(said.contains(name) && said.contains("client.metadata"), "{name}: {said}");
    }
}

/// Discovery announces no certificates where the proxy forwards none; then nobody may count on them.
#[test]
fn certificates_are_refused_where_none_is_read() {
    let asks = [
        ("token_endpoint_auth_method", json!("tls_client_auth"), json!({ "tls_client_auth_san_dns": "rp.example.com" })),
        ("token_endpoint_auth_method", json!("self_signed_tls_client_auth"), json!({ "jwks_uri": "https://rp.example.com/k" })),
        ("tls_client_certificate_bound_access_tokens", json!(true), json!({})),
    ];
    let metadata = |name: &str, value: &Value, more: &Value| {
        let mut metadata = with(name, value);
        metadata.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        metadata
    };
    let without = open().start();
    for (name, value, more) in &asks {
        let body = register(&without, None, &metadata(name, value, more)).refused(400, "invalid_client_metadata");
        assert!(body["error_description"].as_str().is_some_and(|told| told.contains(name)), "{body}");
    }
    let aliases = register(&without, None, &with("use_mtls_endpoint_aliases", &json!(true)));
    aliases.refused(400, "invalid_client_metadata");
    let told = registered(&register(&without, None, &with("tls_client_certificate_bound_access_tokens", &json!(false))));
    let mut change = with("tls_client_certificate_bound_access_tokens", &json!(true));
    change["client_id"] = told["client_id"].clone();
    let own = format!("/register/{}", told["client_id"].as_str().expect("an id"));
    let request = http().put(without.url(&own)).header("content-type", "application/json");
    let request = request.bearer_auth(told["registration_access_token"].as_str().expect("a token")).body(change.to_string());
    Server::send(request).refused(400, "invalid_client_metadata");

    let reading = open().set("proxy.client_certificate_header", "client-cert").set("proxy.trusted", json!(["127.0.0.1"])).start();
    for (name, value, more) in &asks {
        registered(&register(&reading, None, &metadata(name, value, more)));
    }
}

#[test]
fn the_operator_is_warned_of_clients_whose_certificates_nobody_reads() {
    let check = |setup: Setup| {
        let folder = tempfile::tempdir().expect("a folder");
        setup.write(folder.path(), 1);
        let config = folder.path().join("symbolon.toml");
        Ran::run(setup.bare_command().args(["config", "check", "--json", "--config"]).arg(config), "").fine().json()
    };
    let setup = || Setup::new().client(ONE.id, "tls_client_certificate_bound_access_tokens", true);
    let said = check(setup())["warnings"].clone();
    let place = said.as_array().expect("warnings").iter().find(|one| one["id"] == "client.certificates").expect("one");
    assert!(place["remedy"].as_str().is_some_and(|text| text.contains("proxy.client_certificate_header")), "{place}");
    let said = check(setup().set("proxy.client_certificate_header", "client-cert").set("proxy.trusted", json!(["127.0.0.1"])));
    assert!(!said.to_string().contains("client.certificates"), "{said}");
}

/// RFC 7591 section 2.2
#[test]
fn people_read_what_a_client_calls_itself_in_their_language() {
    let server = open().start();
    let mut metadata = app();
    for (name, value) in [
        ("client_name#de", "Ihre App"),
        ("client_name#fr-CA", "Votre app"),
        ("policy_uri", "https://rp.example.com/policy"),
        ("policy_uri#de", "https://rp.example.com/datenschutz"),
        ("tos_uri", "https://rp.example.com/terms"),
        ("tos_uri#de-AT", "https://rp.example.com/agb"),
    ] {
        metadata[name] = value.into();
    }
    let client = public(&registered(&register(&server, None, &metadata)));
    for (language, name, links) in [
        ("de", "Ihre App", ["datenschutz", "agb"]),
        ("fr", "Votre app", ["policy", "terms"]),
        ("en", "Their app", ["policy", "terms"]),
    ] {
        let (browser, person) = (Browser::new(), server.person());
        let page = browser.ask(&server, &Authorization::new(client, "openid").set("ui_locales", language)).page();
        assert!(page.body.contains(name), "{language}: {}", page.body);
        let page = browser.submit_password(&server, &page, &person.name, &person.password).page();
        assert!(page.form("decision").is_some());
        for text in [format!("<strong>{name}</strong>"), format!("({name})")] {
            assert!(page.body.contains(&text), "{language}, {text}: {}", page.body);
        }
        for link in links {
            assert!(page.body.contains(&format!("href=\"https://rp.example.com/{link}\"")), "{language}: {}", page.body);
        }
    }
}

#[test]
fn only_who_is_registered_for_it_is_told_of_the_tokens_of_others() {
    let server = shared::usual();
    let tokens = server.sign_in(ONE, &server.person(), "openid");
    let ask = |id: &str| {
        let request = http().post(server.url("/introspect")).header("authorization", basic(id, SECRET));
        Server::send(request.form(&[("token", tokens.access())])).ok()["active"].clone()
    };
    assert_eq!((ask(BACKEND.id), ask(SERVICE.id)), (json!(true), json!(false)), "SERVICE says nothing of introspection");
    let file = server.folder().join("confidential.json");
    std::fs::write(&file, json!({ "redirect_uris": ["https://rp.example.com/cb"] }).to_string()).expect("a file");
    let added = server.command(&["client", "add", "--json", "--from", file.to_str().expect("a path")]).fine().json();
    assert_eq!(added["introspection"], false, "what holds is written out: {added}");
}
