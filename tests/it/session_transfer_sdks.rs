//! Session transfer tokens as the SDKs of Auth0 ask for them: they read no metadata, post JSON to `/oauth/token` below the host that they were
//! given, and decode the answer into members of which some must be there.

use serde_json::{Value, json};

use crate::harness::cast::BACKEND;
use crate::harness::dpop::DeviceKey;
use crate::harness::server::http;
use crate::harness::{Answer, Authorization, Browser, Form, Server, Tokens};
use crate::session_transfer::{APP, TYPE, WEB, audience, setup};
use crate::session_transfer_browser::with;

/// A request with the headers of the SDK for a system.
fn post(server: &Server, path: &str, content_type: &str, sdk: &str, body: &Value) -> Answer {
    // What the SDK says of itself, in base64url.
    let request = http().post(server.url(path)).header("content-type", content_type).header("auth0-client", sdk);
    Server::send(request.body(body.to_string()))
}

const SWIFT: &str = "eyJuYW1lIjoiQXV0aDAuc3dpZnQiLCJ2ZXJzaW9uIjoiMi4xNS4wIn0";
const ANDROID: &str = "eyJuYW1lIjoiQXV0aDAuQW5kcm9pZCIsInZlcnNpb24iOiIzLjEwLjAifQ";

#[test]
fn auth0_swift_has_a_token_made_and_gives_the_refresh_token_back() {
    let server = setup().start();
    let tokens = server.sign_in(APP, &server.person(), "openid offline_access");
    let ask = |refresh_token: &str| {
        let body = json!({
            "client_id": APP.id, "grant_type": "refresh_token", "refresh_token": refresh_token, "audience": audience(&server),
        });
        post(&server, "/oauth/token", "application/json", SWIFT, &body)
    };
    let told = ask(tokens.refresh()).ok();
    // SSOCredentials: these four must be there, the expiry as a number or as text.
    for member in ["access_token", "id_token"] {
        assert!(told[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {told}");
    }
    assert_eq!((&told["issued_token_type"], told["expires_in"].as_u64()), (&json!(TYPE), Some(60)));
    let next = told["refresh_token"].as_str().expect("it rotates");
    // The app opens the web app's page in a web view.
    let browser = Browser::new();
    browser.ask(&server, &with(told["access_token"].as_str().expect("a token"))).code();
    let silent = Authorization::new(WEB, "openid").set("prompt", "none");
    browser.ask(&server, &silent).code();

    let body = json!({ "client_id": APP.id, "token": next });
    assert_eq!(post(&server, "/oauth/revoke", "application/json", SWIFT, &body).status, 200);
    ask(next).refused(400, "invalid_grant");
    let silent = Authorization::new(WEB, "openid").set("prompt", "none");
    assert_eq!(browser.ask(&server, &silent).error(&silent, &server), "login_required");
}

#[test]
fn auth0_android_decodes_what_it_is_told() {
    let server = setup().start();
    let tokens = server.sign_in(APP, &server.person(), "openid offline_access");
    let body = json!({
        "grant_type": "refresh_token", "audience": audience(&server), "refresh_token": tokens.refresh(), "client_id": APP.id,
    });
    let told = post(&server, "/oauth/token", "application/json; charset=utf-8", ANDROID, &body).ok();
    // SSOCredentials: none of these may be null in Kotlin.
    for member in ["access_token", "issued_token_type", "token_type", "id_token"] {
        assert!(told[member].is_string(), "{member}: {told}");
    }
    assert_eq!((told["token_type"].as_str(), told["expires_in"].as_u64()), (Some("N_A"), Some(60)));
    Browser::new().ask(&server, &with(told["access_token"].as_str().expect("a token"))).code();
    // Whatever else it asks for at that address is answered, too.
    let body = json!({
        "grant_type": "refresh_token", "refresh_token": told["refresh_token"], "client_id": APP.id, "scope": "openid offline_access",
    });
    let renewed = post(&server, "/oauth/token", "application/json; charset=utf-8", ANDROID, &body).ok();
    assert_eq!(renewed["token_type"], "Bearer");
}

#[test]
fn the_other_name_of_the_token_endpoint_is_an_address_of_its_own_for_proofs() {
    let server = setup().start();
    let key = DeviceKey::new();
    let request = Authorization::new(APP, "openid offline_access");
    let code = Browser::new().authorize(&server, &request, &server.person()).code();
    let tokens = Tokens(server.token_by(&key, APP, request.redeem(&code)).ok());
    let form = |tokens: &Tokens| {
        let body = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh()), ("audience", &audience(&server))];
        Form::of(&body)
    };
    let ask = |address: &str, tokens: &Tokens| {
        let proof = key.sign(&key.parts("POST", &format!("{}{address}", server.issuer)));
        server.post_with(&[("dpop", &proof)], APP, "/oauth/token", form(tokens))
    };
    ask("/token", &tokens).refused(400, "invalid_dpop_proof");
    ask("/oauth/token", &tokens).ok();
    // Below a path that ends like it, too.
    let tenant = setup().below("/oauth").start();
    let request = Authorization::new(APP, "openid");
    let code = Browser::new().authorize(&tenant, &request, &tenant.person()).code();
    tenant.token_by(&key, APP, request.redeem(&code)).ok();
    // And for whoever else authenticates.
    let form = Form::of(&[("grant_type", "client_credentials")]);
    let told = server.post_as(crate::harness::cast::SERVICE, "/oauth/token", form).ok();
    assert_eq!(told["token_type"], "Bearer");
    server.post_as(BACKEND, "/oauth/token", Form::of(&[("grant_type", "nonsense")])).refused(400, "unsupported_grant_type");
}
