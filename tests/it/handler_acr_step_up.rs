//! The step-up handler in a real server: what a refusal says, and that an app which does exactly that is let in.

use serde_json::{Value, json};

use crate::harness::cast::{ONE, SCOPE, TWO};
use crate::harness::{Authorization, Browser, Server, Setup, Tokens, jwt, until};

const HANDLER: &str = "symbolon-acr-step-up";
const PREFIX: &str = "op.acrStepUpHandler.";
/// What this server reaches by default.
const PASSWORD: &str = "urn:symbolon:acr:password";
const LEVELS: (&str, &str) = ("levels", "urn:symbolon:acr:password urn:example:mfa urn:example:key");

/// A server that the step-up handler decides in, with these properties.
fn with(properties: &[(&str, &str)]) -> Setup {
    let setup = Setup::new().properties("op.acrStepUpHandler.enable=true\n").handler(HANDLER);
    properties.iter().fold(setup, |setup, (name, value)| setup.property(&format!("{PREFIX}{name}"), value))
}

/// What an `interaction_required` says beside the error: the parameters of the next authorization request.
#[track_caller]
fn missing(server: &Server, device: &Tokens, parameters: &[(&str, &str)]) -> Value {
    let form = server.exchange_form(device.id(), device.secret());
    let form = parameters.iter().fold(form, |form, (name, value)| form.and(name, value));
    let mut body = server.token(TWO, form).refused(400, "interaction_required");
    let members = body.as_object_mut().expect("an object");
    members.retain(|name, _| !name.starts_with("error"));
    body
}

/// The authorization request with exactly these members.
fn next_request(members: &Value) -> Authorization {
    let members = members.as_object().expect("an object");
    members.iter().fold(Authorization::new(TWO, "openid"), |request, (name, value)| {
        request.set(name, &value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    })
}

#[test]
fn too_low_is_told_with_the_levels_that_will_do() {
    let server = with(&[LEVELS, ("scope.payments.acr", "urn:example:mfa")]).start();
    let device = server.sign_in(ONE, &server.person(), SCOPE);
    let expected = json!({"acr_values": "urn:example:mfa urn:example:key", "scope": "openid device_sso payments"});
    assert_eq!(missing(&server, &device, &[("scope", "openid read payments")]), expected);
    let beside = Tokens(server.exchange(TWO, &device, "openid read").ok());
    assert_eq!(beside.scope(), ["openid", "read"]);
    let by_default = Tokens(server.token(TWO, server.exchange_form(device.id(), device.secret())).ok());
    assert!(by_default.scope().contains(&"write") && !by_default.scope().contains(&"payments"), "{:?}", by_default.scope());
    let log = server.log();
    assert!(log.contains("all that this server reaches is"), "{log}");
    assert!(log.contains("signed in with urn:symbolon:acr:password") && log.contains("not enough for scope.payments"), "{log}");
}

#[test]
fn the_level_that_the_server_reaches_will_do() {
    let server = with(&[LEVELS, ("default.acr", PASSWORD), ("scope.payments.acr", PASSWORD)]).start();
    let tokens = Tokens(server.exchange(TWO, &server.device(ONE), "openid payments").ok());
    assert_eq!(tokens.scope(), ["openid", "payments"]);
    let server = with(&[LEVELS, ("default.acr", "urn:example:mfa")]).set("sign_in.acr", "urn:example:key").start();
    server.exchange(TWO, &server.device(ONE), "openid payments").ok();
    let server = with(&[LEVELS, ("default.acr", PASSWORD)]).set("sign_in.acr", "urn:example:no-level").start();
    let said = missing(&server, &server.device(ONE), &[("scope", "openid read")]);
    let levels = "urn:symbolon:acr:password urn:example:mfa urn:example:key";
    assert_eq!(said, json!({"acr_values": levels, "scope": "openid device_sso read"}));
}

#[test]
fn an_app_that_asks_for_exactly_what_is_missing_is_let_in() {
    let server = with(&[("scope.payments.maxAge", "4")]).start();
    let person = server.person();
    let browser = Browser::new();
    let device = server.sign_in_by(&browser, ONE, &person, "openid offline_access device_sso", None);
    until("the sign-in is too old", || server.exchange(TWO, &device, "openid payments").status == 400);
    let members = missing(&server, &device, &[("scope", "openid payments")]);
    assert_eq!(members, json!({"max_age": 4, "scope": "openid device_sso payments"}));
    server.exchange(TWO, &device, "openid read").ok();

    // Once is enough, unless this machine takes more than four seconds for it.
    until("the step-up is in time", || {
        let request = next_request(&members);
        let code = browser.authorize(&server, &request, &person).code();
        let renewed = Tokens(server.token(TWO, request.redeem(&code).and("device_secret", device.secret())).ok());
        let (before, after) = (jwt::claims(device.id()), jwt::claims(renewed.id()));
        assert_eq!((&before["sid"], &before["ds_hash"]), (&after["sid"], &after["ds_hash"]), "the same device session");
        assert!(before["auth_time"].as_u64() < after["auth_time"].as_u64(), "a new sign-in");
        assert_eq!(renewed.secret(), device.secret());
        [&renewed, &device].into_iter().all(|tokens| server.exchange(TWO, tokens, "openid payments").status == 200)
    });
}

#[test]
fn an_age_of_zero_leaves_a_scope_to_the_browser() {
    let server = with(&[("scope.payments.maxAge", "0")]).start();
    let person = server.person();
    let device = server.sign_in(ONE, &person, "openid device_sso");
    let members = missing(&server, &device, &[("scope", "openid payments")]);
    assert_eq!(members, json!({"max_age": 0, "scope": "openid device_sso payments"}));
    let request = next_request(&members);
    let code = Browser::new().authorize(&server, &request, &person).code();
    let tokens = Tokens(server.token(TWO, request.redeem(&code).and("device_secret", device.secret())).ok());
    assert_eq!(tokens.scope(), ["device_sso", "openid", "payments"]);
    assert_eq!(missing(&server, &tokens, &[("scope", "openid payments")]), members);
}

#[test]
fn an_app_may_ask_for_more_than_the_rules() {
    let server = with(&[LEVELS, ("scope.payments.acr", "urn:example:mfa")]).start();
    let device = server.device(ONE);
    let ask = |more: &[(&str, &str)]| missing(&server, &device, &[&[("scope", "openid read")], more].concat());
    let scope = "openid device_sso read";
    assert_eq!(ask(&[("acr_values", "urn:example:key")]), json!({"acr_values": "urn:example:key", "scope": scope}));
    assert_eq!(ask(&[("max_age", "0")]), json!({"max_age": 0, "scope": scope}));
    let both = ask(&[("acr_values", "urn:other urn:example:mfa"), ("max_age", "0")]);
    assert_eq!(both, json!({"acr_values": "urn:other urn:example:mfa", "max_age": 0, "scope": scope}));
    let form = || server.exchange_form(device.id(), device.secret()).and("scope", "openid read");
    server.token(TWO, form().and("acr_values", PASSWORD).and("max_age", "3600")).ok();
    server.token(TWO, form().and("max_age", "soon")).refused(400, "invalid_request");
    let impossible = form().set("scope", "openid payments").and("acr_values", "urn:other");
    server.token(TWO, impossible).refused(400, "unmet_authentication_requirements");
}

#[test]
fn claims_have_rules_too() {
    let rules = [LEVELS, ("claim.salary.acr", "urn:example:mfa"), ("claim.email.maxAge", "0")];
    let server = with(&rules).start();
    let device = server.device(ONE);
    let claims = json!({"userinfo": {"salary": null}}).to_string();
    let said = missing(&server, &device, &[("scope", "openid read"), ("claims", &claims)]);
    let expected = json!({
        "acr_values": "urn:example:mfa urn:example:key", "scope": "openid device_sso read", "claims": {"userinfo": {"salary": null}},
    });
    assert_eq!(said, expected);
    let by_scope = missing(&server, &device, &[("scope", "openid email read")]);
    assert_eq!(by_scope, json!({"max_age": 0, "scope": "openid device_sso email"}));
    let by_default = Tokens(server.token(TWO, server.exchange_form(device.id(), device.secret())).ok());
    assert!(by_default.scope().contains(&"profile") && !by_default.scope().contains(&"email"), "{:?}", by_default.scope());
    let info = server.userinfo(by_default.access()).ok();
    assert_eq!((&info["name"], &info["email"]), (&json!("Ada Example"), &Value::Null));
}

#[test]
fn a_scope_value_that_is_a_url_is_named_in_a_file() {
    let pay = "https://api.example.com/pay";
    let setup = with(&[LEVELS, ("scope.https\\://api.example.com/pay.acr", "urn:example:key")])
        .set("scopes", json!({ pay: { "description": "Pay for things" } }));
    let clients: Vec<Value> = crate::harness::cast::registrations();
    let clients: Vec<Value> = clients
        .into_iter()
        .filter(|client| [ONE.id, TWO.id].iter().any(|id| client["client_id"] == *id))
        .map(|mut client| {
            client["scope"] = format!("openid device_sso {pay}").into();
            client
        })
        .collect();
    let server = setup.set("clients", clients).start();
    let device = server.sign_in(ONE, &server.person(), "openid device_sso");
    let said = missing(&server, &device, &[("scope", &format!("openid {pay}"))]);
    assert_eq!(said, json!({"acr_values": "urn:example:key", "scope": format!("openid device_sso {pay}")}));
}

#[test]
fn tokens_by_the_properties_that_the_default_handler_has_too() {
    let server = with(&[
        ("accessToken.lifetime", "77"),
        ("accessToken.audienceList", "https://api.example.com"),
        ("refreshToken.issue", "false"),
        ("claimsTransport", "ID_TOKEN"),
    ])
    .start();
    let tokens = Tokens(server.exchange(TWO, &server.device(ONE), "openid email offline_access").ok());
    assert_eq!(tokens.0["expires_in"], 77);
    assert_eq!(jwt::claims(tokens.access())["aud"], "https://api.example.com");
    assert!(!tokens.has("refresh_token"));
    assert_eq!(jwt::claims(tokens.id())["email"], "ada@example.com");
    let log = server.log();
    assert!(
        log.lines().any(|line| line.contains("OP7106") && line.contains("AcrStepUpHandler") && line.contains("enabled=true")),
        "{log}"
    );
    assert!(log.contains("enabled without a rule"), "{log}");
}

#[test]
fn wrong_rules_are_all_found_at_once_with_their_lines() {
    let said = Setup::new()
        .properties(
            "op.acrStepUpHandler.levels=urn:a urn:a\nop.acrStepUpHandler.scope.payments.acr=urn:b\n\
             op.acrStepUpHandler.scope.payments.arc=urn:a\nop.acrStepUpHandler.claim.email.maxAge=soon\n\
             op.acrStepUpHandler.scope.https://api.example.com/pay.acr=urn:a\n",
        )
        .handler(HANDLER)
        .refused();
    for (line, name) in
        [(1, "levels"), (2, "scope.payments.acr"), (3, "scope.payments.arc"), (4, "claim.email.maxAge"), (5, "scope.https")]
    {
        assert!(said.contains(&format!("{PREFIX}{name}")), "{name}: {said}");
        assert!(said.contains(&format!("handlers.properties:{line}")), "line {line}: {said}");
    }
}

#[test]
fn the_shipped_file_works_as_it_says() {
    let shipped = include_str!("../../config/acrStepUp.properties");
    let server = Setup::new().properties(shipped).handler(HANDLER).start();
    let device = server.device(ONE);
    let said = missing(&server, &device, &[("scope", "openid payments")]);
    assert_eq!(said["acr_values"], "urn:example:acr:second-factor urn:example:acr:hardware-key");
    server.exchange(TWO, &device, "openid profile email offline_access").ok();
    let both = Setup::new().properties(shipped).handler(HANDLER).property("op.deviceSSOHandler.enable", "true").refused();
    assert!(both.contains("AcrStepUpHandler") && both.contains("LocalDeviceSsoHandler"), "{both}");
}
