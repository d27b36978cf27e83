//! Who may register a client, how often, and how long it stays: initial access tokens (RFC 7591 section 3), limits, clients that nobody uses.

use serde_json::json;

use crate::harness::server::http;
use crate::harness::{Authorization, Browser, Server, Setup, until};
use crate::registration::{app, open, public, register, registered};

/// A server where only whoever has an initial access token may.
fn by_token() -> Setup {
    Setup::new().set("telemetry.format", "json").set("registration.mode", "token")
}

/// Makes an initial access token; its id and its text.
#[track_caller]
fn initial_token(server: &Server, more: &[&str]) -> (String, String) {
    let made = server.command(&[&["client", "initial-token", "add", "--json"], more].concat()).fine().json();
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    (text("id"), text("token"))
}

#[test]
fn an_initial_access_token_lets_register_as_often_as_it_says() {
    let server = by_token().start();
    let missing = register(&server, None, &app());
    missing.refused(401, "invalid_token");
    assert_eq!(missing.header("www-authenticate"), Some("Bearer realm=\"symbolon\""));
    let (id, token) = initial_token(&server, &["--uses", "2", "--note", "for the partner"]);
    for wrong in ["x", "it_", &token[..token.len() - 1], &format!("{}A", &token[..token.len() - 1]), &format!("{token}A")] {
        let refused = register(&server, Some(wrong), &app());
        refused.refused(401, "invalid_token");
        assert!(refused.header("www-authenticate").is_some_and(|value| value.contains("error=\"invalid_token\"")), "{wrong}");
    }
    // What is refused for another reason uses nothing up.
    register(&server, Some(&token), &json!({})).refused(400, "invalid_redirect_uri");
    let told = registered(&register(&server, Some(&token), &app()));
    registered(&register(&server, Some(&token), &app()));
    register(&server, Some(&token), &app()).refused(401, "invalid_token");
    let list = server.command(&["client", "initial-token", "list", "--json"]).fine().json();
    assert_eq!(list[0]["id"], id);
    assert_eq!((&list[0]["uses_left"], &list[0]["note"]), (&json!(0), &json!("for the partner")));
    assert!(list[0]["token"].is_null() && list[0]["digest"].is_null());
    let shown = server.command(&["client", "show", told["client_id"].as_str().expect("an id"), "--json"]).fine().json();
    assert!(shown["unused_until"].is_null(), "the operator has vouched for it");
    let trail = server.trail();
    trail.one("AD8014", &[("detail", &id), ("actor", "administrator")]);
    assert_eq!(trail.all("CL5011", &[("detail", &format!("initial token {id}"))]).len(), 2);
}

#[test]
fn an_initial_access_token_is_worth_nothing_once_revoked_or_expired() {
    let server = by_token().start();
    let (id, revoked) = initial_token(&server, &["--uses", "0", "--lifetime", "never"]);
    registered(&register(&server, Some(&revoked), &app()));
    server.command(&["client", "initial-token", "remove", &id]).fine();
    register(&server, Some(&revoked), &app()).refused(401, "invalid_token");
    assert!(server.command(&["client", "initial-token", "remove", &id]).refused().contains(&id));
    // What begins with a hyphen is a name, too; a client's may be anything.
    assert!(server.command(&["client", "initial-token", "remove", "-2x"]).refused().contains("-2x"));
    assert!(server.command(&["client", "show", "-json-", "--json"]).refused().contains("-json-"));
    server.trail().one("AD8015", &[("detail", &id)]);
    let (_, short) = initial_token(&server, &["--lifetime", "1s"]);
    until("it has expired", || register(&server, Some(&short), &json!({})).status == 401);
    assert_eq!(server.command(&["client", "initial-token", "list", "--json"]).fine().json(), json!([]));
    assert_eq!(server.command(&["client", "initial-token", "add", "--lifetime", "7"]).code, 2, "a unit is needed");
}

#[test]
fn one_token_cannot_be_used_by_two_at_once() {
    let server = by_token().start();
    let (_, token) = initial_token(&server, &[]);
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..6).map(|_| scope.spawn(|| register(&server, Some(&token), &app()).status)).collect();
        all.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1, "{answers:?}");
}

#[test]
fn where_anybody_may_register_a_token_that_is_shown_must_be_good() {
    let server = open().start();
    register(&server, Some("it_guess"), &app()).refused(401, "invalid_token");
    let basic =
        http().post(server.url("/register")).basic_auth("a", Some("b")).header("content-type", "application/json").body("{}");
    Server::send(basic).refused(400, "invalid_request");
}

#[test]
fn an_address_registers_so_many_clients_an_hour() {
    let server = Setup::new()
        .set("telemetry.format", "json")
        .set("registration.mode", "open")
        .set("registration.address_limit", 2)
        .set("proxy.trusted", json!(["127.0.0.1"]))
        .start();
    let from = |address: &str| {
        let request = http()
            .post(server.url("/register"))
            .header("content-type", "application/json")
            .header("x-forwarded-for", address.to_owned());
        Server::send(request.body(app().to_string()))
    };
    registered(&from("203.0.113.1"));
    registered(&from("203.0.113.1"));
    let refused = from("203.0.113.1");
    refused.refused(429, "temporarily_unavailable");
    assert!(refused.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok()).is_some_and(|seconds| seconds > 60));
    registered(&from("203.0.113.2"));
    server.trail().one("CL5012", &[("address", "203.0.113.1"), ("detail", "temporarily_unavailable")]);
    // Whoever has a token was let in by the operator.
    let (_, token) = initial_token(&server, &[]);
    registered(&register(&server, Some(&token), &app()));
}

#[test]
fn all_addresses_together_register_so_many_clients_an_hour() {
    let server = open().set("registration.total_limit", 1).start();
    registered(&register(&server, None, &app()));
    register(&server, None, &app()).refused(429, "temporarily_unavailable");
}

#[test]
fn a_client_that_nobody_uses_is_forgotten() {
    let server = open().set("registration.unused_lifetime", "1s").start();
    let told = registered(&register(&server, None, &app()));
    let (uri, token) = (
        told["registration_client_uri"].as_str().expect("an address"),
        told["registration_access_token"].as_str().expect("a token"),
    );
    until("it is forgotten", || Server::send(http().get(uri).bearer_auth(token)).status == 401);
    let page = Browser::new().ask(&server, &Authorization::new(public(&told), "openid")).page();
    assert_eq!(page.status, 400);
    let list = server.command(&["client", "list", "--json"]).fine().json();
    assert!(!list.to_string().contains(told["client_id"].as_str().expect("an id")));
}

#[test]
fn a_client_that_somebody_signs_in_with_is_kept() {
    let server = open().start();
    let client = public(&registered(&register(&server, None, &app())));
    let show = || server.command(&["client", "show", client.id, "--json"]).fine().json();
    assert!(show()["unused_until"].is_u64());
    server.sign_in(client, &server.person(), "openid");
    assert!(show()["unused_until"].is_null());
}

#[test]
fn clients_and_tokens_outlive_the_server() {
    let server = open().start();
    let told = registered(&register(&server, None, &app()));
    let (_, token) = initial_token(&server, &[]);
    assert_eq!(server.stop(), Some(0));
    server.command(&["store", "check"]).fine();
    server.start_again();
    let (uri, own) = (
        told["registration_client_uri"].as_str().expect("an address"),
        told["registration_access_token"].as_str().expect("a token"),
    );
    Server::send(http().get(uri).bearer_auth(own)).ok();
    registered(&register(&server, Some(&token), &app()));
}
