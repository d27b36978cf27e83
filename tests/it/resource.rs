//! The APIs that access tokens are for (RFC 8707): named by `resource`, known from the settings, never widened later.

use serde_json::json;

use crate::harness::cast::{ONE, SERVICE, TWO};
use crate::harness::{Authorization, Browser, Form, Server, Setup, Tokens, jwt};
use std::sync::OnceLock;

const API: &str = "https://api.example.com";
const OTHER: &str = "https://other.example.com/v1";

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Setup::new().set("resource_servers", json!([{ "identifier": API }, { "identifier": OTHER }])).start())
}

fn credentials() -> Form {
    Form::of(&[("grant_type", "client_credentials"), ("scope", "read")])
}

#[test]
fn a_named_resource_becomes_the_audience() {
    let tokens = Tokens(server().token(SERVICE, credentials().and("resource", API)).ok());
    assert_eq!(jwt::claims(tokens.access())["aud"], API);
    let tokens = Tokens(server().token(SERVICE, credentials().and("resource", API).and("resource", OTHER)).ok());
    assert_eq!(jwt::claims(tokens.access())["aud"], json!([API, OTHER]));
    let tokens = Tokens(server().token(SERVICE, credentials()).ok());
    assert_eq!(jwt::claims(tokens.access())["aud"], server().issuer.as_str());
}

#[test]
fn an_unknown_or_malformed_resource_is_an_invalid_target() {
    for wrong in
        ["https://unknown.example.com", "api", "/relative", "https://api.example.com#fragment", "https://API.example.com/x"]
    {
        server().token(SERVICE, credentials().and("resource", wrong)).refused(400, "invalid_target");
    }
    let request = Authorization::new(ONE, "openid").set("resource", "https://unknown.example.com");
    assert_eq!(Browser::new().ask(server(), &request).error(&request, server()), "invalid_target");
}

#[test]
fn a_grant_keeps_its_resources_and_may_narrow_them() {
    let server = server();
    let mut request = Authorization::new(ONE, "openid offline_access device_sso").set("resource", API);
    request.form = request.form.and("resource", OTHER);
    let code = Browser::new().authorize(server, &request, &server.person()).code();
    let tokens = Tokens(server.token(ONE, request.redeem(&code)).ok());
    assert_eq!(jwt::claims(tokens.access())["aud"], json!([API, OTHER]));
    let refresh = Form::of(&[("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())]);
    let narrow = Tokens(server.token(ONE, refresh.and("resource", API)).ok());
    assert_eq!(jwt::claims(narrow.access())["aud"], API);
    let wide = Form::of(&[("grant_type", "refresh_token"), ("refresh_token", narrow.refresh())]);
    server.token(ONE, wide.and("resource", "https://unknown.example.com")).refused(400, "invalid_target");
    let exchange = server.exchange_form(tokens.id(), tokens.secret()).and("resource", OTHER);
    assert_eq!(jwt::claims(Tokens(server.token(TWO, exchange).ok()).access())["aud"], OTHER);
}
