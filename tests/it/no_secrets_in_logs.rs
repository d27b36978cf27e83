//! The whole walk at the most talkative level: no token, code, secret, password or cookie ever reaches the log.

use crate::harness::app::basic;
use crate::harness::audit::Promises;
use crate::harness::browser::sign_in_form;
use crate::harness::cast::{BACKEND, BACKEND_JWT, BACKEND_POST, ONE, OPAQUE, SECRET, TWO};
use crate::harness::{Authorization, Browser, Form, Server, Tokens, jwt};
use crate::session_transfer::{WEB, exchange, form, setup};

/// Everything that must not be found, with a name for the message.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn keep(&mut self, name: &str, secret: &str) {
        self.0.push((name.to_owned(), secret.to_owned()));
    }

    fn keep_all(&mut self, tokens: &Tokens) {
        for name in ["access_token", "refresh_token", "id_token", "device_secret", "device_token"] {
            if tokens.has(name) {
                self.keep(name, tokens.get(name));
            }
        }
    }

    #[track_caller]
    fn are_not_in(&self, log: &str) {
        for (name, secret) in &self.0 {
            assert!(!log.contains(secret.as_str()), "{name} is in the log");
            // A token cut short is still a find; the last part of a JWT is its signature, of a handle its secret.
            let tail = secret.rsplit('.').next().filter(|tail| tail.len() >= 20);
            assert!(!tail.is_some_and(|tail| log.contains(tail)), "the end of {name} is in the log");
        }
    }
}

fn walk(server: &Server, secrets: &mut Secrets) {
    let person = server.person();
    secrets.keep("password", &person.password);
    let browser = Browser::new();
    let request = Authorization::new(ONE, "openid profile offline_access device_sso");
    secrets.keep("verifier", &request.verifier);
    let page = browser.ask(server, &request).page();
    let form = sign_in_form(&page);
    for (name, value) in &form.fields.0 {
        if value.len() >= 20 {
            secrets.keep(name, value);
        }
    }
    let page = browser.submit_password(server, &page, &person.name, "a wrong pass phrase 8471").page();
    secrets.keep("wrong password", "a wrong pass phrase 8471");
    let page = browser.submit_password(server, &page, &person.name, &person.password).page();
    let code = browser.decide(server, &page, "allow").code();
    secrets.keep("code", &code);
    let cookies = browser.cookies(&server.url("/authorize").parse().expect("a URL")).expect("cookies");
    for cookie in cookies.split("; ").filter_map(|cookie| cookie.split_once('=')) {
        secrets.keep(cookie.0, cookie.1);
    }
    let device = Tokens(server.token(ONE, request.redeem(&code)).ok());
    secrets.keep_all(&device);
    server.token(ONE, request.redeem(&code).set("code_verifier", "x")).refused(400, "invalid_grant");
}

fn refusals(server: &Server, secrets: &mut Secrets) {
    let device = server.device(ONE);
    secrets.keep_all(&device);
    for client in [TWO, OPAQUE] {
        let tokens = Tokens(server.exchange(client, &device, "openid offline_access device_sso").ok());
        secrets.keep_all(&tokens);
        let next = Tokens(server.refresh(client, tokens.refresh()).ok());
        secrets.keep_all(&next);
        server.userinfo(next.access()).ok();
        server.introspect(next.access());
        let after = Tokens(server.refresh(client, next.refresh()).ok());
        secrets.keep_all(&after);
        server.refresh(client, tokens.refresh()).refused(400, "invalid_grant");
    }
    server.exchange(crate::harness::cast::STRANGER, &device, "openid").refused(400, "invalid_grant");
    let guess = "guess-".to_owned() + &"4711".repeat(12);
    secrets.keep("guessed secret", &guess);
    server.token(TWO, server.exchange_form(device.id(), &guess)).refused(400, "invalid_grant");
    let forged = jwt::tampered(device.id(), "sub", "someone".into());
    secrets.keep("forged ID token", &forged);
    server.token(TWO, server.exchange_form(&forged, device.secret())).refused(400, "invalid_grant");
    server.refresh(TWO, &guess).refused(400, "invalid_grant");
    server.userinfo(&guess).refused(401, "invalid_token");
    let both = server.exchange_form(device.id(), device.secret()).and("actor_token", &guess);
    server.token(TWO, both).refused(400, "invalid_request");
    server.get(&format!("/userinfo?access_token={guess}"));
    server.get(&format!("/authorize?client_id={}&code={guess}", ONE.id));
    server.get(&format!("/logout?id_token_hint={}", device.id()));
    for path in ["/revoke", "/introspect"] {
        server.post_as(BACKEND, path, Form::of(&[("token", device.secret())]));
    }
}

fn clients(server: &Server, secrets: &mut Secrets) {
    secrets.keep("client secret", SECRET);
    secrets.keep("Basic header", basic(BACKEND.id, SECRET).trim_start_matches("Basic "));
    let form = Form::of(&[("grant_type", "client_credentials"), ("scope", "read")]);
    for client in [BACKEND, BACKEND_POST, BACKEND_JWT] {
        secrets.keep_all(&Tokens(server.token(client, form.clone()).ok()));
    }
    let assertion = Server::assertion(&server.assertion_claims(BACKEND_JWT));
    secrets.keep("assertion", &assertion);
    let form = form
        .and("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        .and("client_assertion", &assertion);
    for _ in 0..2 {
        let request = crate::harness::server::http().post(server.url("/token"));
        Server::send(request.header("content-type", "application/x-www-form-urlencoded").body(form.encoded()));
    }
}

/// A native app hands its sign-in to browsers, in every way, twice, and a thief tries a guess.
fn transfers(server: &Server, secrets: &mut Secrets) {
    let device = server.device(ONE);
    let made = Tokens(server.token(ONE, form(server, device.refresh())).ok());
    secrets.keep_all(&device);
    secrets.keep_all(&made);
    let guess = "st_".to_owned() + &"4713".repeat(12);
    secrets.keep("guessed transfer token", &guess);
    for token in [made.access(), made.access(), &guess] {
        Browser::new().ask(server, &Authorization::new(WEB, "openid").set("session_transfer_token", token));
    }
    let exchanged = Tokens(server.token(ONE, exchange(server, &device, &[])).ok());
    secrets.keep("exchanged transfer token", exchanged.access());
    let browser = Browser::new();
    browser.plant(&server.issuer.parse().expect("a URL"), &format!("auth0_session_transfer_token={}", exchanged.access()));
    browser.ask(server, &Authorization::new(WEB, "openid"));
}

/// A client registers itself, changes and ends that; others try.
fn registrations(server: &Server, secrets: &mut Secrets) {
    let made = server.command(&["client", "initial-token", "add", "--json"]).fine().json();
    let initial = made["token"].as_str().expect("a token");
    secrets.keep("initial access token", initial);
    let send = |method: reqwest::Method, uri: &str, token: &str, body: &serde_json::Value| {
        let request = crate::harness::server::http().request(method, uri).bearer_auth(token);
        Server::send(request.header("content-type", "application/json").body(body.to_string()))
    };
    let register = server.url("/register");
    let mut metadata = serde_json::json!({ "redirect_uris": ["https://rp.example.com/cb"] });
    let told = send(reqwest::Method::POST, &register, initial, &metadata).json();
    let text = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("no {name}: {told}"));
    let (uri, token) = (text("registration_client_uri"), text("registration_access_token"));
    secrets.keep("registration access token", token);
    secrets.keep("generated client secret", text("client_secret"));
    let guess = "chosen-".to_owned() + &"0815".repeat(12);
    secrets.keep("secret in the wrong place", &guess);
    send(reqwest::Method::POST, &register, &guess, &metadata).refused(401, "invalid_token");
    send(reqwest::Method::GET, uri, &guess, &metadata).refused(401, "invalid_token");
    metadata["client_id"] = text("client_id").into();
    metadata["client_secret"] = guess.as_str().into();
    send(reqwest::Method::PUT, uri, token, &metadata).refused(400, "invalid_client_metadata");
    metadata["client_secret"] = text("client_secret").into();
    send(reqwest::Method::PUT, uri, token, &metadata).ok();
    send(reqwest::Method::GET, uri, token, &metadata).ok();
    assert_eq!(send(reqwest::Method::DELETE, uri, token, &metadata).status, 204);
}

#[test]
fn nothing_secret_is_ever_logged() {
    for format in ["pretty", "json"] {
        let server = setup()
            .set("telemetry.level", "trace")
            .set("telemetry.format", format)
            .set("registration.mode", "token")
            .set("audit.file.path", "audit/audit.jsonl")
            .start();
        let mut secrets = Secrets::default();
        walk(&server, &mut secrets);
        refusals(&server, &mut secrets);
        clients(&server, &mut secrets);
        registrations(&server, &mut secrets);
        transfers(&server, &mut secrets);
        assert_eq!(server.stop(), Some(0));
        let log = server.log();
        assert!(
            log.contains("refused") && log.contains("TK1032") && log.contains("SI2041"),
            "the log tells of the refusals:\n{log}"
        );
        assert!(log.contains(TWO.id), "the log tells of the clients");
        assert!(secrets.0.len() > 25, "the net is wide enough");
        secrets.are_not_in(&log);
        let written = std::fs::read_to_string(server.folder().join("audit/audit.jsonl")).expect("the audit file");
        assert!(written.contains("TK1032") && written.contains(TWO.id), "the audit file tells of them too");
        secrets.are_not_in(&written);
        if format == "json" {
            server.trail().keeps(&Promises::of(&server));
        }
    }
}
