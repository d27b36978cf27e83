//! The client credentials grant: a service speaks for itself, without a person.

use crate::harness::cast::{BACKEND, BACKEND_JWT, ONE, SERVICE};
use crate::harness::{Form, Tokens, shared};

fn form(scope: Option<&str>) -> Form {
    let form = Form::of(&[("grant_type", "client_credentials")]);
    scope.iter().fold(form, |form, scope| form.and("scope", scope))
}

#[test]
fn a_service_gets_an_access_token_and_nothing_else() {
    let server = shared::usual();
    let answer = server.token(SERVICE, form(Some("read")));
    answer.is_not_cached();
    let tokens = Tokens(answer.ok());
    for name in ["refresh_token", "id_token", "device_secret"] {
        assert!(!tokens.has(name), "{name}");
    }
    let (_, claims) = server.verified(tokens.access());
    assert_eq!(claims["sub"], SERVICE.id);
    assert_eq!(claims["client_id"], SERVICE.id);
    assert_eq!(claims["scope"], "read");
    assert!(claims["auth_time"].is_null() && claims["sid"].is_null());
    let answer = server.introspect(tokens.access());
    assert_eq!((&answer["active"], &answer["client_id"]), (&true.into(), &SERVICE.id.into()));
}

#[test]
fn scope_defaults_to_what_is_registered_and_never_exceeds_it() {
    let server = shared::usual();
    assert_eq!(Tokens(server.token(SERVICE, form(None)).ok()).scope(), ["read", "write"]);
    server.token(SERVICE, form(Some("payments"))).refused(400, "invalid_scope");
    server.token(SERVICE, form(Some("read payments"))).refused(400, "invalid_scope");
}

#[test]
fn scopes_of_people_make_no_sense_for_a_service() {
    let server = shared::usual();
    let answer = server.token(BACKEND, form(Some("openid read")));
    if answer.status == 200 {
        let tokens = Tokens(answer.json());
        assert!(!tokens.has("id_token"));
        assert!(!tokens.scope().contains(&"openid"));
    } else {
        answer.refused(400, "invalid_scope");
    }
    let answer = server.token(BACKEND, form(Some("read offline_access")));
    assert!(answer.status == 400 || answer.json()["refresh_token"].is_null());
}

#[test]
fn public_clients_and_clients_without_the_grant_are_refused() {
    let server = shared::usual();
    server.token(ONE, form(None)).refused(400, "unauthorized_client");
    server.token(crate::harness::cast::BACKEND_SCHEME, form(Some("read"))).refused(400, "unauthorized_client");
}

#[test]
fn each_answer_is_a_token_of_its_own() {
    let server = shared::usual();
    let tokens: Vec<Tokens> = (0..2).map(|_| Tokens(server.token(BACKEND_JWT, form(Some("read"))).ok())).collect();
    assert_ne!(tokens[0].access(), tokens[1].access());
    server.post_as(BACKEND_JWT, "/revoke", Form::of(&[("token", tokens[0].access())]));
    assert!(!server.is_active(tokens[0].access()));
    assert!(server.is_active(tokens[1].access()));
}
