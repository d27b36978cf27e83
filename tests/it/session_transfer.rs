//! Session transfer tokens are made: for a refresh token as the SDKs of Auth0 ask for them, for a device secret, as interclient tokens; and for
//! nobody else.

use serde_json::{Value, json};

use crate::harness::app::now;
use crate::harness::cast::{BACKEND, BACKEND_POST, CLAIMED, ONE, TWO};
use crate::harness::server::http;
use crate::harness::{
    Answer, Authorization, Browser, Client, DEVICE_SECRET_TYPE, Form, ID_TOKEN_TYPE, Server, Setup, TOKEN_EXCHANGE, Tokens, jwt,
};

/// The native app.
pub(crate) const APP: Client = ONE;
/// The web app, which takes tokens in both ways.
pub(crate) const WEB: Client = CLAIMED;
/// Another web app, which takes them in a cookie alone, and has a server.
pub(crate) const SHOP: Client = BACKEND;

/// What a token is called in the answer.
pub(crate) const TYPE: &str = "urn:auth0:params:oauth:token-type:session_transfer_token";
/// The same by our own name.
pub(crate) const OWN_TYPE: &str = "urn:symbolon:params:oauth:token-type:session_transfer_token";
const INTERCLIENT_TYPE: &str = "urn:okta:params:oauth:token-type:interclient_token";
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A server behind a proxy, with a native app that may have tokens made and web apps that take them.
pub(crate) fn setup() -> Setup {
    Setup::new()
        .set("telemetry.format", "json")
        .set("proxy.trusted", json!(["127.0.0.1/32"]))
        .client(APP.id, "session_transfer", json!({ "can_create_session_transfer_token": true }))
        .client(WEB.id, "session_transfer", json!({ "allowed_authentication_methods": ["cookie", "query"] }))
        .client(WEB.id, "first_party", true)
        .client(SHOP.id, "session_transfer", json!({ "allowed_authentication_methods": ["cookie"] }))
        .client(SHOP.id, "first_party", true)
}

/// The audience of the session transfer.
pub(crate) fn audience(server: &Server) -> String {
    let url: url::Url = server.issuer.parse().expect("a URL");
    format!("urn:{}:session_transfer", url.host_str().expect("a host"))
}

/// The form by which a token is asked for.
pub(crate) fn form(server: &Server, refresh_token: &str) -> Form {
    Form::of(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("audience", &audience(server))])
}

/// Asks for a token from that address.
#[track_caller]
pub(crate) fn ask_from(server: &Server, address: &str, client: Client, form: Form) -> Answer {
    server.post_with(&[("x-forwarded-for", address), ("user-agent", "App/1")], client, "/token", form)
}

/// A token that was made for this address.
#[track_caller]
pub(crate) fn token_from(server: &Server, address: &str, tokens: &Tokens) -> String {
    let answer = ask_from(server, address, APP, form(server, tokens.refresh())).ok();
    answer["access_token"].as_str().expect("a token").to_owned()
}

/// The form of an exchange for a token.
pub(crate) fn exchange(server: &Server, tokens: &Tokens, more: &[(&str, &str)]) -> Form {
    let form = Form::of(&[
        ("grant_type", TOKEN_EXCHANGE),
        ("requested_token_type", OWN_TYPE),
        ("subject_token", tokens.id()),
        ("subject_token_type", ID_TOKEN_TYPE),
        ("actor_token", tokens.secret()),
        ("actor_token_type", DEVICE_SECRET_TYPE),
        ("audience", &audience(server)),
    ]);
    more.iter().fold(form, |form, (name, value)| form.and(name, value))
}

/// Registers a native app that may have tokens made, and may be changed and deleted by commands.
#[track_caller]
pub(crate) fn add_app(server: &Server, id: &'static str, more: &[(&str, Value)]) -> Client {
    let mut metadata = json!({
        "client_id": id, "application_type": "native", "token_endpoint_auth_method": "none", "redirect_uris": [APP.redirect],
        "grant_types": ["authorization_code", "refresh_token"], "scope": "openid offline_access",
        "session_transfer": { "can_create_session_transfer_token": true },
    });
    for (name, value) in more {
        metadata[*name] = value.clone();
    }
    server.command_with(&["client", "add", "--from", "/dev/stdin"], &metadata.to_string()).fine();
    Client { id, ..APP }
}

/// Seconds since the person of these tokens has signed in.
#[track_caller]
pub(crate) fn age(tokens: &Tokens) -> u64 {
    now() - jwt::claims(tokens.id())["auth_time"].as_u64().expect("a time")
}

#[test]
fn the_answer_is_what_the_sdks_decode() {
    let server = setup().start();
    let tokens = server.sign_in(APP, &server.person(), "openid offline_access");
    // Auth0.swift and Auth0.Android send JSON.
    let body = json!({
        "grant_type": "refresh_token", "client_id": APP.id, "refresh_token": tokens.refresh(), "audience": audience(&server),
    });
    let request = http().post(server.url("/token")).header("content-type", "application/json").body(body.to_string());
    let answer = Server::send(request.header("auth0-client", "eyJuYW1lIjoiQXV0aDAuc3dpZnQifQ"));
    answer.is_not_cached();
    let told = answer.ok();
    assert_eq!(told["issued_token_type"], TYPE);
    assert_eq!(told["token_type"], "N_A");
    assert_eq!(told["expires_in"], 60);
    let token = told["access_token"].as_str().expect("a token");
    assert!(token.len() >= 43 && !token.contains('.'), "opaque: {token}");
    // The family of the refresh token goes on with the new one.
    let next = told["refresh_token"].as_str().expect("it rotates");
    assert_ne!(next, tokens.refresh());
    let claims = server.verified(told["id_token"].as_str().expect("an ID token")).1;
    let before = jwt::claims(tokens.id());
    for name in ["sub", "aud", "sid", "auth_time"] {
        assert_eq!(claims[name], before[name], "{name}");
    }
    assert!(claims["at_hash"].is_null(), "there is no access token");
    let members: Vec<&str> = told.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["access_token", "expires_in", "id_token", "issued_token_type", "refresh_token", "token_type"]);
    // It is no access token, and no other handle either.
    assert_eq!(server.userinfo(token).status, 401);
    assert!(!server.is_active(token));
    server.refresh(APP, token).refused(400, "invalid_grant");
    server.refresh(APP, next).ok();
    let event = server.trail();
    let event = event.one("sertft", &[("client_id", APP.id)]);
    assert_eq!(event["outcome"], "granted");
    assert!(!server.log().contains(token));
}

#[test]
fn without_openid_and_without_rotation_there_is_less_in_it() {
    let server = setup().set("tokens.refresh_token.rotate", false).start();
    let tokens = server.sign_in(APP, &server.person(), "read offline_access");
    // Something like it is an audience like any other, and no event of a transfer.
    server.token(APP, form(&server, tokens.refresh()).set("audience", "urn:session_transfer")).ok();
    assert!(server.trail().all("sertft", &[]).is_empty());
    let told = server.token(APP, form(&server, tokens.refresh())).ok();
    assert!(told["id_token"].is_null() && told["refresh_token"].is_null(), "{told}");
    // Any number of times.
    let again = server.token(APP, form(&server, tokens.refresh())).ok();
    assert_ne!(told["access_token"], again["access_token"]);
}

#[test]
fn a_device_keeps_what_it_has() {
    let server = setup().start();
    let device = server.device(APP);
    let told = Tokens(server.token(APP, form(&server, device.refresh())).ok());
    // The SDK puts the new ID token in the place of the old one: it must still go with the device secret that it is given.
    let form = server.exchange_form(told.id(), told.secret());
    server.token(TWO, form).ok();
}

#[test]
fn an_answer_that_was_lost_is_given_again() {
    let server = setup().start();
    let tokens = server.sign_in(APP, &server.person(), "openid offline_access");
    let first = server.token(APP, form(&server, tokens.refresh())).ok();
    let again = server.token(APP, form(&server, tokens.refresh())).ok();
    assert_eq!(first["refresh_token"], again["refresh_token"]);
    assert_ne!(first["access_token"], again["access_token"]);
    let next = server.token(APP, form(&server, first["refresh_token"].as_str().expect("a token"))).ok();
    assert!(next["access_token"].is_string());
    // Now the first one is a replay, and ends the family.
    server.token(APP, form(&server, tokens.refresh())).refused(400, "invalid_grant");
    server.token(APP, form(&server, next["refresh_token"].as_str().expect("a token"))).refused(400, "invalid_grant");
    server.trail().one("RT4002", &[("client_id", APP.id)]);
}

#[test]
fn whoever_may_not_is_refused() {
    let server = setup().start();
    let tokens = server.sign_in(TWO, &server.person(), "openid offline_access");
    server.token(TWO, form(&server, tokens.refresh())).refused(400, "unauthorized_client");
    // The refresh token is as good as before.
    server.refresh(TWO, tokens.refresh()).ok();
    server.trail().one("fertft", &[("client_id", TWO.id)]);
    let own = server.sign_in(APP, &server.person(), "openid offline_access");
    for other in
        ["urn:other.example.com:session_transfer", "urn::session_transfer", "urn:127.0.0.1.evil.example:session_transfer"]
    {
        server.token(APP, form(&server, own.refresh()).set("audience", other)).refused(400, "invalid_target");
    }
    assert_eq!(server.trail().all("fertft", &[("client_id", APP.id)]).len(), 3, "each is told as what it was");
    // Whoever is not the client that they say they are is told as that, and found among the transfers, too.
    let request = http().post(server.url("/token")).header("content-type", "application/x-www-form-urlencoded");
    let stranger = form(&server, own.refresh()).and("client_id", BACKEND_POST.id).and("client_secret", "wrong");
    Server::send(request.body(stranger.encoded())).refused(401, "invalid_client");
    server.trail().one("CL5001", &[("client_id", BACKEND_POST.id)]);
    server.trail().one("fertft", &[("client_id", BACKEND_POST.id)]);
    // An audience that is none of ours means what it always meant here: nothing.
    let ordinary = server.token(APP, form(&server, own.refresh()).set("audience", "https://api.example.com/")).ok();
    assert_eq!(ordinary["token_type"], "Bearer");
    // The token of somebody else.
    server.token(TWO, form(&server, ordinary["refresh_token"].as_str().expect("a token"))).refused(400, "unauthorized_client");
    server.token(APP, form(&server, tokens.refresh())).refused(400, "invalid_grant");
}

#[test]
fn other_names_of_the_host_are_known_by_the_settings() {
    let server = setup().set("session_transfer.hosts", json!(["Login.Example.com"])).start();
    let tokens = server.sign_in(APP, &server.person(), "openid offline_access");
    let asked = form(&server, tokens.refresh()).set("audience", "urn:login.example.com:session_transfer");
    assert_eq!(server.token(APP, asked).ok()["token_type"], "N_A");
}

#[test]
fn a_device_secret_has_one_made_without_a_refresh_token() {
    let server = setup().start();
    let device = server.device(APP);
    let told = server.token(APP, exchange(&server, &device, &[])).ok();
    assert_eq!((told["issued_token_type"].as_str(), told["token_type"].as_str()), (Some(OWN_TYPE), Some("N_A")));
    assert_eq!(told["expires_in"], 60);
    assert!(told["refresh_token"].is_null() && told["id_token"].is_null() && told["device_secret"].is_null(), "{told}");
    server.trail().one("TK1051", &[("client_id", APP.id)]);
    let token = told["access_token"].as_str().expect("a token");
    let request = Authorization::new(WEB, "openid").set("session_transfer_token", token);
    // Neither side was behind a proxy: both have the same address.
    Browser::new().ask(&server, &request).code();
}

#[test]
fn an_exchange_for_a_token_needs_everything_that_an_exchange_needs() {
    let server = setup().client(TWO.id, "session_transfer", json!({ "can_create_session_transfer_token": true })).start();
    let (device, other) = (server.device(APP), server.device(APP));
    let ask = |client: Client, form: Form| server.token(client, form);
    ask(APP, exchange(&server, &device, &[]).set("actor_token", other.secret())).refused(400, "invalid_grant");
    ask(APP, exchange(&server, &device, &[]).set("subject_token", other.id())).refused(400, "invalid_grant");
    ask(APP, exchange(&server, &device, &[]).without("actor_token")).refused(400, "invalid_request");
    ask(APP, exchange(&server, &device, &[]).set("actor_token_type", ACCESS_TOKEN_TYPE)).refused(400, "invalid_request");
    ask(APP, exchange(&server, &device, &[]).without("audience")).refused(400, "invalid_request");
    ask(APP, exchange(&server, &device, &[]).set("audience", &server.issuer)).refused(400, "invalid_target");
    ask(APP, exchange(&server, &device, &[]).set("audience", "urn:example.com:session_transfer")).refused(400, "invalid_target");
    // An app of the family that is not signed in on this device.
    ask(TWO, exchange(&server, &device, &[])).refused(400, "invalid_grant");
    server.exchange(TWO, &device, "openid").ok();
    ask(TWO, exchange(&server, &device, &[])).ok();
    ask(BACKEND_POST, exchange(&server, &device, &[])).refused(400, "unauthorized_client");
    server.revoke(APP, device.secret());
    ask(APP, exchange(&server, &device, &[])).refused(400, "invalid_grant");
    server.trail().all("TK1052", &[("client_id", APP.id)]).first().expect("it is told");
}

#[test]
fn a_token_may_be_for_one_client_alone() {
    let server = setup().client(
        WEB.id,
        "session_transfer",
        json!({
            "allowed_authentication_methods": ["query"], "allowed_origin_clients": [APP.id],
        }),
    );
    let server = server.client(TWO.id, "session_transfer", json!({ "can_create_session_transfer_token": true })).start();
    let device = server.device(APP);
    let told = server.token(APP, exchange(&server, &device, &[("audience", WEB.id)])).ok();
    let token = told["access_token"].as_str().expect("a token").to_owned();
    // Another client that takes tokens does not take this one.
    let shop = Browser::new();
    shop.plant(&server.issuer.parse().expect("a URL"), &format!("session_transfer_token={token}"));
    assert!(shop.ask(&server, &Authorization::new(SHOP, "openid")).page().form("username").is_some());
    server.trail().one("w", &[("client_id", SHOP.id), ("reason", "target_mismatch")]);
    let told = server.token(APP, exchange(&server, &device, &[("audience", WEB.id)])).ok();
    let request =
        Authorization::new(WEB, "openid").set("session_transfer_token", told["access_token"].as_str().expect("a token"));
    Browser::new().ask(&server, &request).code();
    for wrong in [&[("audience", "nobody")][..], &[("audience", TWO.id)], &[("audience", WEB.id), ("audience", SHOP.id)]] {
        server.token(APP, exchange(&server, &device, wrong)).refused(400, "invalid_target");
    }
    // From an app that it does not trust nobody comes, whether the token is for it or for anybody.
    server.exchange(TWO, &device, "openid").ok();
    server.token(TWO, exchange(&server, &device, &[("audience", WEB.id)])).refused(400, "invalid_target");
    let told = server.token(TWO, exchange(&server, &device, &[])).ok();
    let request =
        Authorization::new(WEB, "openid").set("session_transfer_token", told["access_token"].as_str().expect("a token"));
    assert!(Browser::new().ask(&server, &request).page().form("username").is_some());
    server.trail().one("w", &[("client_id", WEB.id), ("reason", "origin_not_allowed")]);
}

/// A server with an app that may have interclient tokens made for [`WEB`].
fn interclient() -> Setup {
    setup()
        .set("scopes.interclient_access", json!({ "description": "Open web pages signed in" }))
        .client(APP.id, "scope", "openid profile email offline_access device_sso interclient_access read")
        .client(
            WEB.id,
            "session_transfer",
            json!({
                "allowed_authentication_methods": ["query"], "allowed_origin_clients": [APP.id],
            }),
        )
}

fn interclient_form(tokens: &Tokens, target: &str) -> Form {
    Form::of(&[
        ("grant_type", TOKEN_EXCHANGE),
        ("requested_token_type", INTERCLIENT_TYPE),
        ("subject_token", tokens.id()),
        ("subject_token_type", ID_TOKEN_TYPE),
        ("actor_token", tokens.access()),
        ("actor_token_type", ACCESS_TOKEN_TYPE),
        ("audience", &format!("urn:okta:apps:{target}")),
    ])
}

#[test]
fn an_interclient_token_signs_in_to_its_target() {
    let server = interclient().start();
    let tokens = server.sign_in(APP, &server.person(), "openid offline_access interclient_access");
    let told = server.token(APP, interclient_form(&tokens, WEB.id)).ok();
    assert_eq!((told["issued_token_type"].as_str(), told["token_type"].as_str()), (Some(INTERCLIENT_TYPE), Some("N_A")));
    assert_eq!(told["expires_in"], 300);
    let request = Authorization::new(WEB, "openid").set("interclient_token", told["access_token"].as_str().expect("a token"));
    let code = Browser::new().ask(&server, &request).code();
    let web = Tokens(server.token(WEB, request.redeem(&code)).ok());
    assert_eq!(jwt::claims(web.id())["sub"], jwt::claims(tokens.id())["sub"]);
}

#[test]
fn an_interclient_token_needs_the_scope_and_the_trust() {
    let server = interclient().start();
    let person = server.person();
    let tokens = server.sign_in(APP, &person, "openid offline_access interclient_access");
    let plain = server.sign_in(APP, &person, "openid offline_access");
    server.token(APP, interclient_form(&plain, WEB.id)).refused(400, "invalid_scope");
    // Of two sign-ins one half each.
    server.token(APP, interclient_form(&tokens, WEB.id).set("subject_token", plain.id())).refused(400, "invalid_grant");
    for wrong in [SHOP.id, "nobody", ""] {
        server.token(APP, interclient_form(&tokens, wrong)).refused(400, "invalid_target");
    }
    let device_secret = interclient_form(&tokens, WEB.id).set("actor_token_type", DEVICE_SECRET_TYPE);
    server.token(APP, device_secret).refused(400, "invalid_request");
    server.token(TWO, interclient_form(&tokens, WEB.id)).refused(400, "unauthorized_client");
    server.revoke(APP, tokens.access());
    server.token(APP, interclient_form(&tokens, WEB.id)).refused(400, "invalid_grant");
}

#[test]
fn trust_that_was_taken_back_counts_for_tokens_that_were_made_before() {
    let server = interclient().start();
    let late = Client { id: "web-late", ..WEB };
    let metadata = json!({
        "client_id": late.id, "token_endpoint_auth_method": "none", "redirect_uris": [late.redirect], "scope": "openid",
        "session_transfer": { "allowed_authentication_methods": ["query"], "allowed_origin_clients": [APP.id] },
    });
    server.command_with(&["client", "add", "--from", "/dev/stdin"], &metadata.to_string()).fine();
    let trust = |origins: &str| {
        server.command(&["client", "session-transfer", "set", late.id, "--allowed-origin-clients", origins]).fine();
    };
    let refused = |token: &Answer, how_often: usize| {
        let token = token.json()["access_token"].as_str().expect("a token").to_owned();
        let request = Authorization::new(late, "openid").set("session_transfer_token", &token);
        assert!(Browser::new().ask(&server, &request).page().form("username").is_some());
        let told = [("client_id", late.id), ("reason", "origin_not_allowed")];
        assert_eq!(server.trail().all("w", &told).len(), how_often);
    };
    let tokens = server.sign_in(APP, &server.person(), "openid offline_access interclient_access");
    let device = server.device(APP);
    let by_secret = server.token(APP, exchange(&server, &device, &[("audience", late.id)]));
    let interclient = [(); 2].map(|()| server.token(APP, interclient_form(&tokens, late.id)));
    trust(TWO.id);
    refused(&by_secret, 1);
    refused(&interclient[0], 2);
    // Whoever takes people from anywhere no longer names this app, which is what an interclient token stands on.
    trust("any");
    refused(&interclient[1], 3);
}

#[test]
fn what_is_registered_wrongly_is_refused_and_what_registers_itself_gets_none_of_it() {
    let said = setup().client(WEB.id, "session_transfer", json!({ "enforce_device_binding": "mac" })).refused();
    assert!(said.contains("session_transfer.enforce_device_binding") && said.contains("none, asn, prefix, ip, key"), "{said}");
    let server = crate::registration::open().start();
    let mut metadata = crate::registration::app();
    metadata["session_transfer"] = json!({ "can_create_session_transfer_token": true });
    let said = crate::registration::register(&server, None, &metadata).refused(400, "invalid_client_metadata");
    assert!(said["error_description"].as_str().is_some_and(|text| text.contains("session_transfer")), "{said}");
    crate::registration::registered(&crate::registration::register(&server, None, &crate::registration::app()));
}
