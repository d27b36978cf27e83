//! Clients that register themselves (RFC 7591, OpenID Connect Dynamic Client Registration 1.0): who may, what they get, what they never get.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::app::now;
use crate::harness::cast::{Client, ONE, Proof, client_key};
use crate::harness::person::unique;
use crate::harness::server::http;
use crate::harness::{Answer, Authorization, Browser, Form, Server, Setup, TOKEN_EXCHANGE, Tokens, shared};

/// A server where anybody may register, without limits of number: all tests have the same address.
pub(crate) fn open() -> Setup {
    Setup::new()
        .set("telemetry.format", "json")
        .set("registration.mode", "open")
        .set("registration.address_limit", 0)
        .set("registration.total_limit", 0)
}

/// Sends metadata to be registered.
#[track_caller]
pub(crate) fn register(server: &Server, token: Option<&str>, metadata: &Value) -> Answer {
    let request = http().post(server.url("/register")).header("content-type", "application/json").body(metadata.to_string());
    Server::send(match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    })
}

/// The answer to a registration that succeeded.
#[track_caller]
pub(crate) fn registered(answer: &Answer) -> Value {
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.is_not_cached();
    answer.json()
}

/// A public client that registered itself, for the helpers of the harness.
pub(crate) fn public(told: &Value) -> Client {
    let leak = |name: &Value| &*Box::leak(name.as_str().expect("a text").to_owned().into_boxed_str());
    Client { id: leak(&told["client_id"]), proof: Proof::None, redirect: leak(&told["redirect_uris"][0]) }
}

/// Metadata of an app.
pub(crate) fn app() -> Value {
    json!({
        "redirect_uris": [ONE.redirect], "token_endpoint_auth_method": "none", "application_type": "native", "client_name": "Their app",
        "grant_types": ["authorization_code", "refresh_token"],
    })
}

fn with(more: &Value) -> Value {
    let mut out = app();
    out.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    out
}

#[test]
fn nobody_registers_unless_the_operator_says_so() {
    let server = shared::usual();
    assert_eq!(register(server, None, &app()).status, 404);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = Server::send(http().request(method, server.url("/register/app-one")).bearer_auth("x"));
        assert_eq!(answer.status, 404);
    }
    assert!(server.get("/.well-known/openid-configuration").ok()["registration_endpoint"].is_null());
}

#[test]
fn a_client_registers_itself_and_signs_a_person_in() {
    let server = open().start();
    let endpoint = server.get("/.well-known/openid-configuration").ok()["registration_endpoint"].clone();
    assert_eq!(endpoint, server.url("/register"));
    let told = registered(&register(&server, None, &with(&json!({"client_id": null, "client_name#de": "Ihre App"}))));
    let id = told["client_id"].as_str().expect("an id");
    assert_eq!(told["registration_client_uri"], server.url(&format!("/register/{id}")));
    assert!(told["registration_access_token"].as_str().is_some_and(|token| token.len() == 43));
    assert!(told["client_id_issued_at"].is_u64());
    assert!(told["client_secret"].is_null() && told["client_secret_expires_at"].is_null(), "a public client has none");
    assert_eq!(told["scope"], "openid profile email address phone offline_access");
    assert_eq!((&told["client_name"], &told["client_name#de"]), (&json!("Their app"), &json!("Ihre App")));
    assert_eq!((&told["response_types"], &told["subject_type"]), (&json!(["code"]), &json!("public")));
    assert_eq!(told["id_token_signed_response_alg"], "RS256");
    assert_eq!(told["introspection"], false);

    let (client, person, browser) = (public(&told), server.person(), Browser::new());
    let request = Authorization::new(client, "openid offline_access");
    let page = browser.ask(&server, &request).page();
    let page = browser.submit_password(&server, &page, &person.name, &person.password).page();
    assert!(page.form("decision").is_some(), "the person is asked");
    let code = browser.decide(&server, &page, "allow").code();
    let tokens = Tokens(server.token(client, request.redeem(&code)).ok());
    server.refresh(client, tokens.refresh()).ok();
    let trail = server.trail();
    trail.one("CL5011", &[("client_id", id)]);
}

#[test]
fn a_secret_is_made_for_a_client_that_uses_one() {
    let server = open().start();
    let told =
        registered(&register(&server, None, &json!({"redirect_uris": ["https://rp.example.com/cb"], "client_name": "RP"})));
    assert_eq!(told["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(told["grant_types"], json!(["authorization_code"]));
    assert_eq!(told["client_secret_expires_at"], 0);
    let (id, secret) = (told["client_id"].as_str().expect("an id"), told["client_secret"].as_str().expect("a secret"));
    let ask = |secret: &str, path: &str, form: &[(&str, &str)]| {
        Server::send(http().post(server.url(path)).basic_auth(id, Some(secret)).form(form))
    };
    let form = [
        ("grant_type", "authorization_code"),
        ("code", "x"),
        ("redirect_uri", "https://rp.example.com/cb"),
        ("code_verifier", "y"),
    ];
    ask(secret, "/token", &form).refused(400, "invalid_grant");
    ask("another", "/token", &form).refused(401, "invalid_client");
    // It authenticates, and is told nothing of the tokens of others all the same.
    let tokens = server.sign_in(ONE, &server.person(), "openid");
    assert!(server.is_active(tokens.access()));
    assert_eq!(ask(secret, "/introspect", &[("token", tokens.access())]).ok()["active"], false);
}

#[test]
fn what_only_an_operator_gives_is_refused_with_its_name() {
    let server = open().start();
    for (more, named) in [
        (json!({"first_party": true}), "first_party"),
        (json!({"introspection": true}), "introspection"),
        (json!({"device_sso_family": "acme"}), "device_sso_family"),
        (json!({"device_sso_sources": ["app-one"]}), "device_sso_sources"),
        (json!({"compat_device_token": true}), "compat_device_token"),
        (json!({"allow_dotless_redirect_schemes": true}), "allow_dotless_redirect_schemes"),
        (json!({"scope": "openid payments"}), "payments"),
        (json!({"scope": "openid device_sso"}), "device_sso"),
        (json!({"grant_types": ["authorization_code", TOKEN_EXCHANGE]}), TOKEN_EXCHANGE),
        (
            json!({"token_endpoint_auth_method": "client_secret_basic", "grant_types": ["client_credentials"]}),
            "client_credentials",
        ),
        (json!({"client_id": "admin"}), "client_id"),
        (json!({"token_endpoint_auth_method": "client_secret_basic", "client_secret": "chosen-by-myself"}), "client_secret"),
        (json!({"response_types": ["id_token"]}), "response_types"),
        (json!({"id_token_signed_response_alg": "none"}), "id_token_signed_response_alg"),
        (json!({"userinfo_signed_response_alg": "HS256"}), "userinfo_signed_response_alg"),
        (json!({"token_endpoint_auth_method": "magic"}), "token_endpoint_auth_method"),
        (json!({"policy_uri": "http://rp.example.com/policy"}), "policy_uri"),
        (json!({"tos_uri#fr": "javascript:alert(1)"}), "tos_uri#fr"),
        (json!({"initiate_login_uri": "http://rp.example.com/"}), "initiate_login_uri"),
        (json!({"default_max_age": "300"}), "default_max_age"),
        (json!({"default_acr_values": ["a b"]}), "default_acr_values[0]"),
        (json!({"sector_identifier_uri": "https://127.0.0.1:1/sector"}), "sector_identifier_uri"),
    ] {
        let answer = register(&server, None, &with(&more));
        let body = answer.refused(400, "invalid_client_metadata");
        let told = body["error_description"].as_str().expect("a sentence");
        assert!(told.contains(named), "{named}: {told}");
        assert!(told.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "RFC 6749 section 5.2: {told}");
    }
    server.trail().one("CL5012", &[("reason", "first_party")]);
}

#[test]
fn redirect_uris_have_an_error_of_their_own_and_all_findings_come_at_once() {
    let server = open().start();
    for uri in ["https://rp.example.com/cb#fragment", "http://rp.example.com/cb", "javascript:alert(1)", "appname://cb", "/cb"] {
        let answer = register(&server, None, &with(&json!({"redirect_uris": [uri]})));
        assert!(
            answer.refused(400, "invalid_redirect_uri")["error_description"]
                .as_str()
                .is_some_and(|told| told.contains("redirect_uris[0]"))
        );
    }
    register(&server, None, &with(&json!({"redirect_uris": []}))).refused(400, "invalid_redirect_uri");
    let answer =
        register(&server, None, &with(&json!({"first_party": true, "scope": "write", "redirect_uris": ["x"], "contacts": 7})));
    let told = answer.refused(400, "invalid_client_metadata")["error_description"].to_string();
    for named in ["first_party", "scope", "redirect_uris[0]", "contacts", "remedy"] {
        assert!(told.contains(named), "{named}: {told}");
    }
}

#[test]
fn what_is_not_known_is_ignored_and_not_kept() {
    let server = open().start();
    let told =
        registered(&register(&server, None, &with(&json!({"trusted_by_handler": true, "first_party": false, "x#de": "y"}))));
    assert!(told["trusted_by_handler"].is_null() && told["x#de"].is_null() && told["first_party"].is_null(), "{told}");
    let shown = server.command(&["client", "show", told["client_id"].as_str().expect("an id"), "--json"]).fine().json();
    assert!(shown["trusted_by_handler"].is_null(), "no handler sees it");
}

#[test]
fn a_software_statement_of_nobody_known_is_not_approved() {
    let server = open().start();
    register(
        &server,
        None,
        &with(&json!({"software_statement": Server::assertion(&json!({"iss": "https://issuer.example.com"}))})),
    )
    .refused(400, "unapproved_software_statement");
    register(&server, None, &with(&json!({"software_statement": 7}))).refused(400, "invalid_software_statement");
    register(&server, None, &with(&json!({"software_statement": "e30.e30.x"}))).refused(400, "invalid_software_statement");
}

#[test]
fn what_a_software_statement_says_stands_above_the_request() {
    let folder = std::env::temp_dir().join(unique("statement-issuer"));
    let file = folder.with_extension("json");
    let key = serde_json::to_value(&client_key().1).expect("a JWK");
    std::fs::write(&file, json!({"issuer": "https://issuer.example.com", "keys": [key]}).to_string()).expect("a file");
    let server = open().set("registration.software_statement_issuers", json!([file.to_str().expect("a UTF-8 path")])).start();
    let statement = |more: &Value| {
        let mut claims =
            json!({"iss": "https://issuer.example.com", "software_id": "4NRB1-0XZABZI9E6-5SM3R", "client_name": "Known app"});
        claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        Server::assertion(&claims)
    };
    let good = statement(&json!({"exp": now() + 600}));
    let told = registered(&register(&server, None, &with(&json!({"software_statement": good, "client_name": "Another"}))));
    assert_eq!((&told["client_name"], &told["software_id"]), (&json!("Known app"), &json!("4NRB1-0XZABZI9E6-5SM3R")));
    assert_eq!(told["software_statement"], good, "RFC 7591 section 3.2.1: as it was");
    assert!(told["iss"].is_null() && told["exp"].is_null());
    let forged = crate::harness::jwt::tampered(&good, "client_name", "Forged".into());
    for wrong in [forged, statement(&json!({"exp": now() - 600})), statement(&json!({"nbf": now() + 600})), format!("{good}A")] {
        register(&server, None, &with(&json!({"software_statement": wrong}))).refused(400, "invalid_software_statement");
    }
    let other = statement(&json!({"iss": "https://other.example.com"}));
    register(&server, None, &with(&json!({"software_statement": other}))).refused(400, "unapproved_software_statement");
    // It vouches for metadata, not for rights.
    let greedy = statement(&json!({"first_party": true}));
    register(&server, None, &with(&json!({"software_statement": greedy}))).refused(400, "invalid_client_metadata");
    std::fs::remove_file(&file).expect("it is there");
}

#[test]
fn a_body_that_is_no_json_object_of_a_reasonable_size_is_refused() {
    let server = open().start();
    let send = |media_type: &str, body: &str| {
        Server::send(http().post(server.url("/register")).header("content-type", media_type.to_owned()).body(body.to_owned()))
    };
    send("application/json", "[]").refused(400, "invalid_request");
    send("application/json", "{").refused(400, "invalid_request");
    send("application/json", r#"{"scope":"openid","scope":"openid email"}"#).refused(400, "invalid_request");
    send("application/x-www-form-urlencoded", "redirect_uris=x").refused(415, "invalid_request");
    let large = with(&json!({"client_name": "x".repeat(70_000)})).to_string();
    assert_eq!(send("application/json", &large).status, 413);
    let deep = format!(r#"{{"jwks":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    send("application/json", &deep).refused(400, "invalid_client_metadata");
    assert_eq!(Server::send(http().get(server.url("/register"))).status, 405);
}

#[test]
fn what_is_registered_holds_where_a_request_says_nothing() {
    let server = open().set("sign_in.second_factor", "on_request").start();
    let metadata = with(&json!({"default_max_age": 0, "require_auth_time": true}));
    let client = public(&registered(&register(&server, None, &metadata)));
    let (person, browser) = (server.person(), Browser::new());
    server.sign_in_by(&browser, client, &person, "openid", None);
    std::thread::sleep(Duration::from_millis(1100));
    let page = browser.ask(&server, &Authorization::new(client, "openid")).page();
    assert!(page.form("password").is_some(), "default_max_age = 0 asks again");
    browser.ask(&server, &Authorization::new(client, "openid").set("max_age", "600")).code();

    let acr = "urn:symbolon:acr:two-factor";
    let (person, _, _) = crate::second_factor::equipped(&server);
    for (metadata, asked) in [(app(), false), (with(&json!({"default_acr_values": [acr]})), true)] {
        let (client, browser) = (public(&registered(&register(&server, None, &metadata))), Browser::new());
        let page = browser.ask(&server, &Authorization::new(client, "openid")).page();
        let page = browser.submit_password(&server, &page, &person.name, &person.password).page();
        assert_eq!(page.form("otp").is_some(), asked);
    }
}

#[test]
fn the_pages_of_a_client_are_linked_where_people_decide() {
    let server = open().start();
    let more = json!({
        "client_name": "<b>Bold</b>", "policy_uri": "https://rp.example.com/policy?a=1&b=\"2\"", "tos_uri": "https://rp.example.com/terms",
        "logo_uri": "https://rp.example.com/logo.png", "client_uri": "https://rp.example.com/",
    });
    let told = registered(&register(&server, None, &with(&more)));
    for name in ["policy_uri", "tos_uri", "logo_uri", "client_uri"] {
        assert_eq!(told[name], more[name]);
    }
    let (person, browser) = (server.person(), Browser::new());
    let page = browser.ask(&server, &Authorization::new(public(&told), "openid")).page();
    let page = browser.submit_password(&server, &page, &person.name, &person.password).page();
    let links: Vec<(String, String)> = page.read(|document| {
        let all = document.descendants().filter(|node| node.has_tag_name("a") || node.tag_name().name() == "a");
        all.map(|node| (node.attribute("href").unwrap_or_default().to_owned(), crate::harness::page::text(node))).collect()
    });
    assert_eq!(links[0].0, "https://rp.example.com/policy?a=1&b=\"2\"");
    assert!(links[0].1.contains("<b>Bold</b>"), "{links:?}");
    assert_eq!(links[1].0, "https://rp.example.com/terms");
}

#[test]
fn a_script_may_read_what_its_own_origin_registered() {
    let server = open().start();
    let origin = "https://spa.example.com";
    let ask = |origin: &str| {
        let metadata = with(&json!({"redirect_uris": ["https://spa.example.com/cb"], "application_type": "web"}));
        let request = http().post(server.url("/register")).header("origin", origin.to_owned());
        Server::send(request.header("content-type", "application/json").body(metadata.to_string()))
    };
    let own = ask(origin);
    registered(&own);
    assert_eq!(own.header("access-control-allow-origin"), Some(origin));
    assert_eq!(ask("https://evil.example.com").header("access-control-allow-origin"), None);
    let preflight = http()
        .request(Method::OPTIONS, server.url("/register/x"))
        .header("origin", origin)
        .header("access-control-request-method", "PUT");
    assert!(
        Server::send(preflight)
            .header("access-control-allow-methods")
            .is_some_and(|methods| methods.contains("PUT") && methods.contains("DELETE"))
    );
}

#[test]
fn device_sso_is_not_for_a_client_that_registered_itself() {
    let server = open().start();
    let device = server.device(ONE);
    let client = public(&registered(&register(&server, None, &app())));
    let form = server.exchange_form(device.id(), device.secret());
    server.token(client, form).refused(400, "unauthorized_client");
    server.token(client, Form::of(&[("grant_type", "client_credentials")])).refused(400, "unauthorized_client");
}
