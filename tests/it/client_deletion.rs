//! Deleting a client ends what it was given (RFC 7592 section 2.3): a later client of the same id inherits nothing.

use serde_json::json;

use crate::harness::browser::sign_in_form;
use crate::harness::cast::{Client, ONE, Proof, SECRET, TWO};
use crate::harness::person::unique;
use crate::harness::{Authorization, Browser, Form, Server, TOKEN_EXCHANGE, Tokens, jwt, shared};

const SCOPE: &str = "openid profile offline_access device_sso";

/// A client of the store, registered by [`add`].
fn client(proof: Proof) -> Client {
    Client { id: Box::leak(unique("doomed").into_boxed_str()), proof, redirect: ONE.redirect }
}

#[track_caller]
fn add(server: &Server, client: Client) {
    let public = client.proof == Proof::None;
    let mut metadata = json!({
        "client_id": client.id, "redirect_uris": [client.redirect], "application_type": "native", "scope": format!("{SCOPE} read"),
        "token_endpoint_auth_method": if public { "none" } else { "client_secret_basic" }, "device_sso_family": "acme",
        "grant_types": ["authorization_code", "refresh_token", TOKEN_EXCHANGE],
    });
    if !public {
        metadata["client_secret"] = SECRET.into();
        metadata["grant_types"].as_array_mut().expect("a list").push("client_credentials".into());
    }
    let file = server.folder().join(unique("metadata"));
    std::fs::write(&file, metadata.to_string()).expect("a file");
    server.command(&["client", "add", "--from", file.to_str().expect("a UTF-8 path")]).fine();
}

/// Deletes the client and registers another one of the same id right away.
#[track_caller]
fn replace(server: &Server, client: Client) {
    server.command(&["client", "delete", client.id]).fine();
    add(server, client);
}

#[test]
fn tokens_codes_and_id_tokens_of_before_are_worth_nothing_to_a_client_of_the_same_id() {
    let server = shared::usual();
    let client = client(Proof::None);
    add(server, client);
    let (person, browser) = (server.person(), Browser::new());
    let device = server.sign_in_by(&browser, client, &person, SCOPE, None);
    let two = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
    let request = Authorization::new(client, "openid");
    let code = browser.ask(server, &request).code();
    replace(server, client);

    server.refresh(client, device.refresh()).refused(400, "invalid_grant");
    assert!(!server.is_active(device.access()) && !server.is_active(device.refresh()));
    server.userinfo(device.access()).refused(401, "invalid_token");
    server.token(client, request.redeem(&code)).refused(400, "invalid_grant");
    for target in [client, TWO] {
        server.exchange(target, &device, "openid").refused(400, "invalid_grant");
    }
    let own = server.post_as(client, "/introspect", Form::of(&[("token", device.secret())])).ok();
    assert_eq!(own["active"], false, "it is no app of this device");
    assert!(server.is_active(two.access()), "the device stays signed in for the others");
    server.refresh(TWO, two.refresh()).ok();
    // The new client stands on its own feet.
    let fresh = server.sign_in(client, &person, SCOPE);
    server.exchange(TWO, &fresh, "openid").ok();
    assert_eq!(jwt::claims(fresh.id())["aud"], client.id);
    server.refresh(client, fresh.refresh()).ok();
}

#[test]
fn consent_and_requests_under_way_are_not_inherited_either() {
    let server = shared::usual();
    let client = client(Proof::None);
    add(server, client);
    let (person, browser) = (server.person(), Browser::new());
    server.sign_in_by(&browser, client, &person, "openid profile", None);
    browser.ask(server, &Authorization::new(client, "openid profile")).code();
    let stranger = Browser::new();
    let waiting = stranger.ask(server, &Authorization::new(client, "openid")).page();
    let deciding = browser.ask(server, &Authorization::new(client, "openid profile").set("prompt", "consent")).page();
    replace(server, client);

    let page = browser.ask(server, &Authorization::new(client, "openid")).page();
    assert!(page.form("decision").is_some(), "the person agreed to another client");
    let form = sign_in_form(&waiting);
    let fields = form.fields.clone().set("username", &person.name).set("password", &person.password);
    assert!(stranger.post(&form.action, &fields).location().is_none(), "the request was another client's");
    let form = deciding.form("decision").expect("a form");
    assert!(browser.post(&form.action, &form.fields.clone().and("decision", "allow")).location().is_none());
    browser.authorize(server, &Authorization::new(client, "openid"), &person).code();
    let page = browser.ask(server, &Authorization::new(client, "openid profile")).page();
    assert!(page.form("decision").is_some(), "what was agreed to before is not added to what is agreed to now");
}

#[test]
fn a_token_of_a_client_for_itself_dies_with_it() {
    let server = shared::usual();
    let client = client(Proof::Basic);
    add(server, client);
    let form = Form::of(&[("grant_type", "client_credentials"), ("scope", "read")]);
    let before = Tokens(server.token(client, form.clone()).ok());
    assert!(server.is_active(before.access()));
    replace(server, client);
    assert!(!server.is_active(before.access()));
    assert!(server.is_active(Tokens(server.token(client, form).ok()).access()));
}

#[test]
fn a_change_of_the_metadata_ends_nothing() {
    let server = shared::usual();
    let client = client(Proof::None);
    add(server, client);
    let device = server.sign_in(client, &server.person(), SCOPE);
    let shown = server.command(&["client", "show", client.id, "--json"]).fine().json();
    let file = server.folder().join(unique("metadata"));
    std::fs::write(&file, shown.to_string()).expect("a file");
    server.command(&["client", "update", client.id, "--from", file.to_str().expect("a UTF-8 path")]).fine();
    server.exchange(TWO, &device, "openid").ok();
    server.refresh(client, device.refresh()).ok();
}
