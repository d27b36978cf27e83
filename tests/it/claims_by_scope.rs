//! Roles, groups and other claims of a person in ID tokens and access tokens, as the settings say of each scope (RFC 9068 section
//! 2.2.3), and never in the place of what the server says itself.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::harness::cast::{BACKEND, CLAIMED, ONE, OPAQUE, SCOPE, TWO};
use crate::harness::{Authorization, Browser, Form, Person, Server, Setup, Tokens, jwt};

const GROUPS: [&str; 3] = ["groups=[\"staff\",\"admins\"]", "roles=[\"editor\"]", "entitlements=[{\"value\":\"print\"}]"];

/// The scope `groups` puts claims into every token, `roles` into access tokens alone.
fn setup() -> Setup {
    let mut setup = Setup::new()
        .set(
            "scopes.groups",
            json!({ "claims": ["groups"], "id_token_claims": ["groups"], "access_token_claims": ["groups", "entitlements"] }),
        )
        .set("scopes.roles", json!({ "access_token_claims": ["roles"] }))
        .client(CLAIMED.id, "subject_type", "pairwise");
    for client in [ONE, TWO, OPAQUE, BACKEND, CLAIMED] {
        setup = setup.client(client.id, "scope", format!("{SCOPE} groups roles"));
    }
    setup
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| setup().start())
}

fn member_of(server: &Server) -> Person {
    server.person_with(&GROUPS)
}

/// What a token says of groups, roles and entitlements.
fn said(claims: &Value) -> (Value, Value, Value) {
    (claims["groups"].clone(), claims["roles"].clone(), claims["entitlements"].clone())
}

#[test]
fn the_scope_decides_what_goes_where() {
    let server = server();
    let person = member_of(server);
    let (groups, roles, entitlements) = (json!(["staff", "admins"]), json!(["editor"]), json!([{ "value": "print" }]));
    let null = Value::Null;
    for (scope, access, id_token, info) in [
        ("openid", (&null, &null, &null), &null, &null),
        ("openid groups", (&groups, &null, &entitlements), &groups, &groups),
        ("openid roles", (&null, &roles, &null), &null, &null),
        ("openid groups roles", (&groups, &roles, &entitlements), &groups, &groups),
    ] {
        let tokens = server.sign_in(ONE, &person, scope);
        let expected = (access.0.clone(), access.1.clone(), access.2.clone());
        assert_eq!(said(&server.verified(tokens.access()).1), expected, "{scope}: access token");
        assert_eq!(said(&server.introspect(tokens.access())), expected, "{scope}: introspection");
        assert_eq!(said(&jwt::claims(tokens.id())), (id_token.clone(), null.clone(), null.clone()), "{scope}: ID token");
        assert_eq!(said(&server.userinfo(tokens.access()).ok()), (info.clone(), null.clone(), null.clone()), "{scope}: userinfo");
    }
}

#[test]
fn introspection_tells_them_of_an_opaque_token() {
    let server = server();
    let tokens = server.sign_in(OPAQUE, &member_of(server), "openid groups");
    assert_eq!(server.introspect(tokens.access())["groups"], json!(["staff", "admins"]));
}

#[test]
fn a_pairwise_client_is_told_the_claims_of_the_right_person() {
    let server = server();
    let tokens = server.sign_in(CLAIMED, &member_of(server), "openid groups");
    assert_eq!(jwt::claims(tokens.access())["groups"], json!(["staff", "admins"]));
    assert_eq!(jwt::claims(tokens.id())["groups"], json!(["staff", "admins"]));
}

#[test]
fn a_refresh_tells_the_present_and_no_more_than_its_scope() {
    let server = server();
    let tokens = server.sign_in(ONE, &member_of(server), "openid offline_access groups roles");
    let refresh = |scope: &str| {
        let form = Form::of(&[("grant_type", "refresh_token"), ("refresh_token", tokens.refresh()), ("scope", scope)]);
        Tokens(server.token(ONE, form).ok())
    };
    let less = refresh("openid roles");
    assert_eq!(said(&jwt::claims(less.access())), (Value::Null, json!(["editor"]), Value::Null));
    assert_eq!(jwt::claims(less.id())["groups"], Value::Null);
}

#[test]
fn the_next_app_gets_them_by_its_own_scope() {
    let server = server();
    let device = server.sign_in(ONE, &member_of(server), "openid profile offline_access device_sso groups");
    assert_eq!(jwt::claims(device.access())["groups"], json!(["staff", "admins"]));
    let without = Tokens(server.exchange(TWO, &device, "openid profile").ok());
    assert_eq!(jwt::claims(without.access())["groups"], Value::Null);
    let with = Tokens(server.exchange(TWO, &device, "openid groups").ok());
    assert_eq!(jwt::claims(with.access())["groups"], json!(["staff", "admins"]));
    assert_eq!(jwt::claims(with.id())["groups"], json!(["staff", "admins"]));
}

#[test]
fn a_client_that_acts_for_itself_has_no_groups() {
    let server = server();
    let form = Form::of(&[("grant_type", "client_credentials"), ("scope", "groups roles")]);
    let tokens = Tokens(server.token(BACKEND, form).ok());
    assert_eq!(said(&jwt::claims(tokens.access())), (Value::Null, Value::Null, Value::Null));
}

#[test]
fn who_has_none_is_told_none() {
    let server = server();
    let tokens = server.sign_in(ONE, &server.person(), "openid groups roles");
    assert_eq!(said(&jwt::claims(tokens.access())), (Value::Null, Value::Null, Value::Null));
}

#[test]
fn what_the_server_says_itself_cannot_be_claimed() {
    for member in ["id_token_claims", "access_token_claims"] {
        for name in ["sub", "aud", "scope", "client_id", "cnf", "sid", "acr", "data", "username", "active"] {
            let said = setup().set(&format!("scopes.groups.{member}"), json!(["groups", name])).refused();
            assert!(said.contains("config.reserved_claim") && said.contains(name), "{member} {name}: {said}");
        }
    }
    let said = setup().set("scopes.groups.access_token_claims", "groups").refused();
    assert!(said.contains("config.wrong_type"), "{said}");
}

#[test]
fn discovery_and_config_show_name_them() {
    let server = server();
    let document = server.get("/.well-known/openid-configuration").ok();
    for name in ["groups", "roles", "entitlements"] {
        assert!(document["claims_supported"].as_array().is_some_and(|all| all.contains(&json!(name))), "{name}");
    }
    let shown = server.command(&["config", "show"]).fine().stdout;
    assert!(shown.contains("scopes.roles.access_token_claims"), "{shown}");
}

/// OpenID Connect Core section 5.5: one by one, as far as the client's registered scope has them.
#[test]
fn single_roles_and_groups_may_be_asked_for() {
    let server = server();
    let person = member_of(server);
    let claims = r#"{"id_token":{"groups":null,"roles":null},"userinfo":{"groups":{"essential":true},"roles":null}}"#;
    let request = Authorization::new(ONE, "openid").set("claims", claims);
    let code = Browser::new().authorize(server, &request, &person).code();
    let tokens = Tokens(server.token(ONE, request.redeem(&code)).ok());
    let (groups, null) = (json!(["staff", "admins"]), Value::Null);
    // The scope `roles` puts its claim into access tokens alone, so no client has it in the others.
    assert_eq!(said(&jwt::claims(tokens.id())), (groups.clone(), null.clone(), null.clone()));
    assert_eq!(said(&server.userinfo(tokens.access()).ok()), (groups, null.clone(), null.clone()));
    assert_eq!(said(&server.verified(tokens.access()).1), (null.clone(), null.clone(), null));
}
