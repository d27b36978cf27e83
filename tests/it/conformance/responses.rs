//! Cases about what a sign-in brings: answer, ID token, UserInfo, scope, claims.

use serde_json::{Value, json};

use super::party::{Profile, RP, RP_POST, id_token, person, server};
use crate::harness::server::http;
use crate::harness::{Answer, Browser, Form, Server, Tokens};

/// Signs somebody in and asks `UserInfo` with `ask`.
#[track_caller]
fn user_info(profile: &Profile, scope: &str, ask: fn(&Server, &str) -> Answer) -> Value {
    let server = server();
    let tokens = profile.sign_in(server, &Browser::new(), &profile.request(scope), &person(server));
    let info = ask(server, tokens.access()).ok();
    assert_eq!(info["sub"], id_token(server, RP, &tokens)["sub"], "OpenID Connect Core section 5.3.2");
    info
}

#[track_caller]
fn by_get(server: &Server, token: &str) -> Answer {
    server.userinfo(token)
}

/// The names of the claims about a person.
fn names(info: &Value) -> Vec<&str> {
    info.as_object().expect("an object").keys().map(String::as_str).collect()
}

pub(super) fn server_test(profile: &Profile) {
    let server = server();
    let tokens = profile.sign_in(server, &Browser::new(), &profile.request("openid"), &person(server));
    assert!(tokens.0["expires_in"].as_u64().is_some_and(|seconds| seconds > 0));
    server.userinfo(tokens.access()).ok();
}

pub(super) fn server_client_secret_post(profile: &Profile) {
    let server = server();
    let request = profile.request_of(RP_POST, "openid");
    let tokens = profile.sign_in(server, &Browser::new(), &request, &person(server));
    assert_eq!(id_token(server, RP_POST, &tokens)["aud"], RP_POST.id);
}

pub(super) fn id_token_signature(profile: &Profile) {
    let server = server();
    let tokens = profile.sign_in(server, &Browser::new(), &profile.request("openid"), &person(server));
    // The checks of every sign-in, with the `kid` that must be there because several keys are published.
    assert!(server.keys().keys.len() > 1);
    assert!(server.verified(tokens.id()).0.kid.is_some());
}

pub(super) fn id_token_unsigned(_: &Profile) {
    let server = server();
    let algs = &server.get("/.well-known/openid-configuration").ok()["id_token_signing_alg_values_supported"];
    assert!(algs.as_array().is_some_and(|algs| !algs.contains(&json!("none"))), "{algs}");
    let unsigned = json!({
        "redirect_uris": ["https://rp.example.com/callback"], "id_token_signed_response_alg": "none",
        "token_endpoint_auth_method": "client_secret_basic", "grant_types": ["authorization_code"], "scope": "openid",
    });
    let refused = server.command_with(&["client", "add", "--from", "/dev/stdin"], &unsigned.to_string()).refused();
    assert!(refused.contains("id_token_signed_response_alg"), "{refused}");
}

pub(super) fn userinfo_get(profile: &Profile) {
    user_info(profile, "openid", by_get);
}

pub(super) fn userinfo_post_header(profile: &Profile) {
    user_info(profile, "openid", |server, token| Server::send(http().post(server.url("/userinfo")).bearer_auth(token)));
}

pub(super) fn userinfo_post_body(profile: &Profile) {
    user_info(profile, "openid", |server, token| {
        let request = http().post(server.url("/userinfo")).header("content-type", "application/x-www-form-urlencoded");
        Server::send(request.body(Form::of(&[("access_token", token)]).encoded()))
    });
}

pub(super) fn without_nonce(profile: &Profile) {
    let server = server();
    let request = profile.request("openid").without("nonce");
    let tokens = profile.sign_in(server, &Browser::new(), &request, &person(server));
    assert!(id_token(server, RP, &tokens)["nonce"].is_null());
}

pub(super) fn scope_profile(profile: &Profile) {
    let info = user_info(profile, "openid profile", by_get);
    assert_eq!(names(&info), ["family_name", "given_name", "name", "preferred_username", "sub"]);
    assert_eq!(info["name"], "Ada Example");
}

pub(super) fn scope_email(profile: &Profile) {
    let info = user_info(profile, "openid email", by_get);
    assert_eq!(names(&info), ["email", "email_verified", "sub"]);
    assert_eq!((&info["email"], &info["email_verified"]), (&json!("ada@example.com"), &json!(true)));
}

pub(super) fn scope_address(profile: &Profile) {
    let info = user_info(profile, "openid address", by_get);
    assert_eq!(names(&info), ["address", "sub"]);
    assert_eq!(info["address"]["locality"], "Oslo", "a JSON object: section 5.1.1");
}

pub(super) fn scope_phone(profile: &Profile) {
    let info = user_info(profile, "openid phone", by_get);
    assert_eq!(names(&info), ["phone_number", "phone_number_verified", "sub"]);
    assert_eq!(info["phone_number"], "+47 1234");
}

pub(super) fn scope_all(profile: &Profile) {
    let info = user_info(profile, "openid profile email address phone", by_get);
    for name in ["name", "email", "address", "phone_number"] {
        assert!(!info[name].is_null(), "{name}: {info}");
    }
}

pub(super) fn other_scope_order(profile: &Profile) {
    let info = user_info(profile, "email openid", by_get);
    assert_eq!(info["email"], "ada@example.com");
}

pub(super) fn claims_essential(profile: &Profile) {
    let server = server();
    let request = profile.request("openid").set("claims", r#"{"userinfo":{"name":{"essential":true}}}"#);
    let tokens = profile.sign_in(server, &Browser::new(), &request, &person(server));
    let info = server.userinfo(tokens.access()).ok();
    assert_eq!(info["name"], "Ada Example");
    assert_eq!(names(&info), ["name", "sub"], "what was asked for and no more");
}

pub(super) fn claims_locales(profile: &Profile) {
    let tokens = with(profile, "claims_locales", "se");
    assert_eq!(server().userinfo(tokens.access()).ok()["name"], "Ada Example");
}

pub(super) fn acr_values(profile: &Profile) {
    let tokens = with(profile, "acr_values", "1 2");
    // Voluntary: what was reached is told, whatever was asked for (section 5.5.1.1).
    assert!(id_token(server(), RP, &tokens)["acr"].is_string());
}

/// A sign-in with one more parameter.
#[track_caller]
pub(super) fn with(profile: &Profile, name: &str, value: &str) -> Tokens {
    let server = server();
    let request = profile.request("openid profile").set(name, value);
    profile.sign_in(server, &Browser::new(), &request, &person(server))
}
