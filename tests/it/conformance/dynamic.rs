//! The profile Dynamic OP: its modules about redirect URIs, keys and `private_key_jwt`.

use serde_json::json;

use super::party::{id_token, server};
use crate::harness::app::now;
use crate::harness::cast::{BACKEND_JWT, CLAIMED};
use crate::harness::{Authorization, Browser, Form, Server, Setup, Tokens, jwt, shared};

/// The registered redirect URI that has a query.
const WITH_QUERY: &str = "https://app.example.com/other?fixed=1";

#[track_caller]
fn ends_on_an_error_page(request: &Authorization) {
    let page = Browser::new().ask(shared::usual(), request).page();
    assert_eq!(page.status, 400, "{}", page.body);
    assert!(page.form("username").is_none());
}

#[test]
fn redirect_uri_missing() {
    ends_on_an_error_page(&Authorization::new(CLAIMED, "openid").without("redirect_uri"));
}

#[test]
fn redirect_uri_query() {
    let server = shared::usual();
    let request = Authorization::new(CLAIMED, "openid").set("redirect_uri", WITH_QUERY);
    let parameters = Browser::new().authorize(server, &request, &server.person()).parameters();
    assert_eq!(parameters["fixed"], "1");
    server.token(CLAIMED, request.redeem(&parameters["code"]).set("redirect_uri", WITH_QUERY)).ok();
}

#[test]
fn redirect_uri_query_mismatch() {
    ends_on_an_error_page(&Authorization::new(CLAIMED, "openid").set("redirect_uri", "https://app.example.com/other?fixed=2"));
}

#[test]
fn redirect_uri_query_added() {
    ends_on_an_error_page(&Authorization::new(CLAIMED, "openid").set("redirect_uri", &format!("{}?more=1", CLAIMED.redirect)));
    ends_on_an_error_page(&Authorization::new(CLAIMED, "openid").set("redirect_uri", &format!("{WITH_QUERY}&more=1")));
}

#[test]
fn redirect_uri_fragment() {
    let client = json!({
        "redirect_uris": ["https://rp.example.com/callback#fragment"], "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code"], "response_types": ["code"], "scope": "openid",
    });
    let refused = shared::usual().command_with(&["client", "add", "--from", "/dev/stdin"], &client.to_string()).refused();
    assert!(refused.contains("redirect_uris") && refused.contains("fragment"), "{refused}");
}

#[test]
fn server_rotates_keys() {
    let server = Setup::new().start();
    let person = server.person();
    let sign_in = || server.sign_in(CLAIMED, &person, "openid");
    let before = sign_in();
    server.command(&["key", "rotate", "--immediately"]).fine();
    let after = sign_in();
    let (old, new) = (jwt::header(before.id()), jwt::header(after.id()));
    assert_ne!(old["kid"], new["kid"]);
    // Both are published: what was signed before still verifies.
    server.verified(before.id());
    server.verified(after.id());
}

#[test]
fn refresh_token_with_private_key_jwt() {
    let server = server();
    // This client keeps PKCE, as every one that is not told otherwise.
    let request = Authorization::new(BACKEND_JWT, "openid offline_access").set("prompt", "consent");
    let code = Browser::new().authorize(server, &request, &server.person()).code();
    let first = Tokens(server.token(BACKEND_JWT, request.redeem(&code)).ok());
    let second = Tokens(server.refresh(BACKEND_JWT, first.refresh()).ok());
    let (before, after) = (id_token(server, BACKEND_JWT, &first), id_token(server, BACKEND_JWT, &second));
    for name in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    server.refresh(crate::harness::cast::BACKEND, second.refresh()).refused(400, "invalid_grant");
}

#[test]
fn client_assertion_for_the_issuer() {
    let server = server();
    for aud in [json!(server.issuer), json!(server.url("/token"))] {
        let mut claims = server.assertion_claims(BACKEND_JWT);
        claims["aud"] = aud;
        claims["exp"] = (now() + 30).into();
        let form = Form::of(&[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &Server::assertion(&claims)),
        ]);
        let request = crate::harness::server::http().post(server.url("/token"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.encoded());
        Server::send(request).ok();
    }
}
