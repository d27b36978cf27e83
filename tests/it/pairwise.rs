//! Pairwise subjects (OpenID Connect Core section 8): each sector knows a person by a name of its own, everywhere and for ever.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::harness::cast::{BACKEND, CLAIMED, Client, ONE, OPAQUE, SCHEME, STRANGER, THREE, TWO};
use crate::harness::{Authorization, Browser, Form, Person, Server, Setup, Tokens, jwt};

const SCOPE: &str = "openid profile offline_access device_sso";

/// Apps of three sectors and of none: `ONE`, `THREE` and `OPAQUE` of the first, `TWO` of the second, `CLAIMED` of its own host.
fn setup() -> Setup {
    let mut setup = Setup::new().client(CLAIMED.id, "subject_type", "pairwise");
    for (client, sector) in [(ONE, "one"), (THREE, "one"), (OPAQUE, "one"), (TWO, "two"), (STRANGER, "three")] {
        setup = setup.client(client.id, "subject_type", "pairwise").client(
            client.id,
            "sector_identifier_uri",
            format!("https://{sector}.example.com/redirect_uris.json"),
        );
    }
    setup
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| setup().start())
}

/// The subject of the account, as operators see it.
#[track_caller]
fn account(server: &Server, person: &Person) -> String {
    server.command(&["user", "show", &person.name]).fine().json()["sub"].as_str().expect("sub").to_owned()
}

fn sub(tokens: &Tokens) -> String {
    jwt::claims(tokens.id())["sub"].as_str().expect("sub").to_owned()
}

/// What the app is told by every door; all must agree.
#[track_caller]
fn told(server: &Server, client: Client, tokens: &Tokens) -> String {
    let sub = sub(tokens);
    assert_eq!(server.userinfo(tokens.access()).ok()["sub"], sub.as_str(), "userinfo");
    if tokens.access().split('.').count() == 3 {
        assert_eq!(server.verified(tokens.access()).1["sub"], sub.as_str(), "access token");
    }
    let ask = |token: &str, asker: Client| server.post_as(asker, "/introspect", Form::of(&[("token", token)])).ok();
    for token in [tokens.access(), tokens.refresh()] {
        for asker in [client, BACKEND] {
            assert_eq!(ask(token, asker)["sub"], sub.as_str(), "introspection by {}", asker.id);
        }
    }
    let refreshed = Tokens(server.refresh(client, tokens.refresh()).ok());
    assert_eq!(jwt::claims(refreshed.id())["sub"], sub.as_str(), "refresh");
    assert_eq!(server.userinfo(refreshed.access()).ok()["sub"], sub.as_str(), "userinfo after refresh");
    sub
}

#[test]
fn each_sector_knows_a_person_by_a_name_of_its_own() {
    let server = server();
    let person = server.person();
    let subs: Vec<String> = [ONE, THREE, OPAQUE, TWO, CLAIMED, SCHEME]
        .into_iter()
        .map(|client| told(server, client, &server.sign_in(client, &person, "openid profile offline_access")))
        .collect();
    assert_eq!((&subs[0], &subs[0]), (&subs[1], &subs[2]), "one sector");
    for (n, sub) in subs.iter().enumerate().skip(2) {
        assert!(subs.iter().enumerate().skip(2).all(|(m, other)| m == n || other != sub), "{subs:?}");
    }
    assert_eq!(subs[5], account(server, &person), "a public client is told the subject of the account");
    let somebody_else = sub(&server.sign_in(ONE, &server.person(), "openid"));
    assert_ne!(somebody_else, subs[0]);
}

#[test]
fn no_answer_about_a_pairwise_client_names_the_account() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let device = server.sign_in_by(&browser, ONE, &person, SCOPE, None);
    let ask = |client: Client, token: &str| server.post_as(client, "/introspect", Form::of(&[("token", token)])).ok();
    for (client, token) in [(ONE, device.access()), (BACKEND, device.access()), (ONE, device.refresh()), (ONE, device.secret())] {
        let answer = ask(client, token);
        assert_eq!(answer["active"], true);
        assert_eq!(answer["username"], Value::Null, "{answer}");
        assert!(!answer.to_string().contains(&account(server, &person)), "{answer}");
        assert!(!answer.to_string().contains(&person.name), "{answer}");
    }
    // Another app of the family that asks about the device is told the person by its own name.
    let two = Tokens(server.exchange(TWO, &device, "openid").ok());
    assert_eq!(ask(TWO, device.secret())["sub"], sub(&two).as_str());
    let public = server.sign_in(SCHEME, &person, "openid");
    assert_eq!(ask(BACKEND, public.access())["username"], person.name.as_str());
}

#[test]
fn the_next_app_of_another_sector_is_let_in_and_told_its_own_name() {
    let server = server();
    let person = server.person();
    let device = server.sign_in(ONE, &person, SCOPE);
    let two = Tokens(server.exchange(TWO, &device, SCOPE).ok());
    assert_ne!(sub(&two), sub(&device));
    assert_eq!(sub(&two), sub(&server.sign_in(TWO, &person, "openid")));
    told(server, TWO, &two);
    // From the pair that the second sector's app was given, back into the first and on to an app without sector.
    let three = Tokens(server.exchange(THREE, &two, "openid").ok());
    assert_eq!(sub(&three), sub(&device));
    let public = Tokens(server.exchange(SCHEME, &two, "openid").ok());
    assert_eq!(sub(&public), account(server, &person));
    let back = Tokens(server.exchange(ONE, &two, "openid").ok());
    assert_eq!(sub(&back), sub(&device));
}

#[test]
fn an_id_token_of_another_person_or_of_another_app_lets_nobody_in() {
    let server = server();
    let (device, other) = (server.sign_in(ONE, &server.person(), SCOPE), server.sign_in(ONE, &server.person(), SCOPE));
    for wrong in [
        server.exchange_form(other.id(), device.secret()),
        server.exchange_form(&jwt::tampered(device.id(), "sub", jwt::claims(other.id())["sub"].clone()), device.secret()),
        server.exchange_form(&jwt::tampered(device.id(), "aud", TWO.id.into()), device.secret()),
    ] {
        server.token(TWO, wrong).refused(400, "invalid_grant");
    }
    let stranger = server.sign_in(STRANGER, &server.person(), SCOPE);
    server.exchange(TWO, &stranger, "openid").refused(400, "invalid_grant");
}

/// The answer to `prompt=none` with this hint.
#[track_caller]
fn silently(server: &Server, browser: &Browser, client: Client, hint: &str) -> Option<String> {
    let request = Authorization::new(client, "openid").set("prompt", "none").set("id_token_hint", hint);
    let answer = browser.ask(server, &request).parameters();
    assert!(answer.contains_key("code") != answer.contains_key("error"), "{answer:?}");
    answer.get("error").cloned()
}

#[test]
fn a_hint_is_understood_in_the_words_of_whoever_it_was_issued_to() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let one = server.sign_in_by(&browser, ONE, &person, "openid", None);
    let two = server.sign_in_by(&browser, TWO, &person, "openid", None);
    let public = server.sign_in_by(&browser, SCHEME, &person, "openid", None);
    for client in [ONE, TWO, SCHEME] {
        for hint in [&one, &two, &public] {
            assert_eq!(silently(server, &browser, client, hint.id()), None, "{}", client.id);
        }
    }
    let other = server.person();
    for client in [ONE, TWO, SCHEME] {
        let theirs = server.sign_in(client, &other, "openid");
        for asking in [ONE, TWO, SCHEME] {
            assert_eq!(silently(server, &browser, asking, theirs.id()).as_deref(), Some("login_required"), "{}", asking.id);
        }
    }
}

#[test]
fn a_hint_outlives_its_session() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let one = server.sign_in_by(&browser, ONE, &person, "openid", None);
    let public = server.sign_in_by(&browser, SCHEME, &person, "openid", None);
    server.command(&["session", "end", "--user", &person.name, "--all"]).fine();
    let fresh = Browser::new();
    server.sign_in_by(&fresh, ONE, &person, "openid", None);
    server.sign_in_by(&fresh, TWO, &person, "openid", None);
    assert_eq!(silently(server, &fresh, ONE, one.id()), None, "its own hint");
    assert_eq!(silently(server, &fresh, TWO, public.id()), None, "that of a public client");
    let told = silently(server, &fresh, TWO, one.id());
    assert_eq!(told.as_deref(), Some("login_required"), "nobody can tell any more whom another sector's hint means");
}

#[test]
fn a_pairwise_client_cannot_ask_for_a_person_by_a_name_that_it_was_not_told() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let one = server.sign_in_by(&browser, ONE, &person, "openid", None);
    let two = server.sign_in_by(&browser, TWO, &person, "openid", None);
    let ask = |name: &str| {
        let claims = json!({ "id_token": { "sub": { "value": name } } }).to_string();
        let request = Authorization::new(ONE, "openid").set("prompt", "none").set("claims", &claims);
        browser.ask(server, &request).parameters().get("error").cloned()
    };
    assert_eq!(ask(&sub(&one)), None);
    assert_eq!(ask(&sub(&two)).as_deref(), Some("login_required"), "a colluding client's name");
    assert_eq!(ask(&account(server, &person)).as_deref(), Some("login_required"), "the account's subject");
}

#[test]
fn a_hint_signs_out_whom_it_names() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let device = server.sign_in_by(&browser, ONE, &person, SCOPE, None);
    let elsewhere = server.sign_in(ONE, &server.person(), SCOPE);
    let mut url: url::Url = server.url("/logout").parse().expect("a URL");
    url.query_pairs_mut().append_pair("id_token_hint", device.id());
    assert_eq!(browser.get(&url).status, 200);
    assert!(!server.is_active(device.refresh()));
    let request = Authorization::new(ONE, "openid").set("prompt", "none");
    assert_eq!(browser.ask(server, &request).error(&request, server), "login_required", "the browser is signed out, too");
    assert!(server.is_active(elsewhere.refresh()), "nobody else is");
}

#[test]
fn names_outlive_a_restart() {
    let server = setup().start();
    let person = server.person();
    let before = sub(&server.sign_in(ONE, &person, "openid"));
    assert_eq!(server.stop(), Some(0));
    server.start_again();
    assert_eq!(sub(&server.sign_in(ONE, &person, "openid")), before);
    server.command(&["key", "rotate", "--immediately"]).fine();
    assert_eq!(sub(&server.sign_in(ONE, &person, "openid")), before, "other signing keys");
}

/// The metadata of an app that an operator adds.
fn app(more: &Value) -> Value {
    let mut metadata = json!({
        "client_id": ADDED.id, "client_name": "Added", "token_endpoint_auth_method": "none",
        "application_type": "native", "redirect_uris": ["https://added.example.com/cb"], "scope": "openid offline_access",
        "grant_types": ["authorization_code", "refresh_token"],
    });
    for (name, value) in more.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    metadata
}

const ADDED: Client =
    Client { id: "added-scheme", proof: crate::harness::cast::Proof::None, redirect: "https://added.example.com/cb" };

#[test]
fn an_operator_changes_the_type_and_signed_tokens_of_before_still_name_their_person() {
    let server = setup().start();
    let file = server.folder().join("client.json");
    let write = |metadata: &Value| std::fs::write(&file, metadata.to_string()).expect("a file");
    let path = file.to_str().expect("a UTF-8 path");
    write(&app(&json!({})));
    server.command(&["client", "add", "--from", path]).fine();
    let (person, browser) = (server.person(), Browser::new());
    let before = server.sign_in_by(&browser, ADDED, &person, "openid offline_access", None);
    assert_eq!(sub(&before), account(&server, &person));
    write(&app(&json!({ "subject_type": "pairwise" })));
    server.command(&["client", "update", ADDED.id, "--from", path]).fine();
    let after = Tokens(server.refresh(ADDED, before.refresh()).ok());
    assert_ne!(sub(&after), account(&server, &person));
    assert_eq!(silently(&server, &browser, ADDED, before.id()), None);
    assert_eq!(silently(&server, &browser, ADDED, after.id()), None);
    let shown = server.command(&["client", "show", ADDED.id]).fine().json();
    assert_eq!(shown["subject_type"], "pairwise");
    write(&app(&json!({ "subject_type": "public" })));
    server.command(&["client", "update", ADDED.id, "--from", path]).fine();
    assert_eq!(sub(&Tokens(server.refresh(ADDED, after.refresh()).ok())), account(&server, &person));
}

#[test]
fn what_has_no_sector_is_refused() {
    let server = server();
    let file = server.folder().join("refused.json");
    for redirects in
        [json!(["https://a.example/", "https://b.example/"]), json!(["com.example.app:/cb"]), json!(["http://127.0.0.1/cb"])]
    {
        let metadata = app(&json!({ "client_id": "without-sector", "subject_type": "pairwise", "redirect_uris": redirects }));
        std::fs::write(&file, metadata.to_string()).expect("a file");
        let said = server.command(&["client", "add", "--from", file.to_str().expect("a UTF-8 path")]).refused();
        assert!(said.contains("sector_identifier_uri"), "{said}");
    }
}
