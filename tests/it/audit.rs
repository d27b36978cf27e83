//! The audit trail of what people and apps do: each decision is one event with a stable code, it names the client, the person,
//! the session and the address, and no secret is in it. What administrators do is in `audit_administration`.

use std::sync::OnceLock;

use crate::harness::app::basic;
use crate::harness::audit::Promises;
use crate::harness::cast::{BACKEND, BACKEND_JWT, ONE, SECRET, STRANGER, THREE, TWO};
use crate::harness::server::http;
use crate::harness::{Answer, Authorization, Browser, Form, Person, Server, Setup, Tokens, jwt};

const HERE: &str = "127.0.0.1";
const DEVICE: &str = "openid profile offline_access device_sso";

/// The server of this suite: it logs JSON, and throttles early.
#[track_caller]
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let setup = || {
        Setup::new()
            .set("telemetry.format", "json")
            .set("sign_in.throttle.account_attempts", 3)
            .set("sessions.browser.accounts", 1)
    };
    SERVER.get_or_init(|| setup().start())
}

fn claim(tokens: &Tokens, name: &str) -> String {
    jwt::claims(tokens.id())[name].as_str().unwrap_or_else(|| panic!("no {name}")).to_owned()
}

/// The subject of a person.
#[track_caller]
fn subject(server: &Server, person: &Person) -> String {
    let shown = server.command(&["user", "show", &person.name, "--json"]).fine().json();
    shown["sub"].as_str().expect("a sub").to_owned()
}

/// What every test ends with: the table is kept, and nothing that was kept secret is in the log.
#[track_caller]
fn holds(server: &Server, secrets: &[&str]) {
    server.trail().keeps(&Promises::of(server));
    let log = server.log();
    for secret in secrets {
        assert!(!log.contains(secret), "a secret is in the log");
        let tail = secret.rsplit('.').next().filter(|tail| tail.len() >= 20);
        assert!(!tail.is_some_and(|tail| log.contains(tail)), "the end of a secret is in the log");
    }
}

fn all_of(tokens: &Tokens) -> Vec<&str> {
    let names = ["access_token", "refresh_token", "id_token", "device_secret"];
    names.into_iter().filter(|name| tokens.has(name)).map(|name| tokens.get(name)).collect()
}

#[test]
fn a_sign_in_with_its_consent() {
    let server = server();
    let person = server.person();
    let (sub, browser) = (subject(server, &person), Browser::new());
    let page = browser.ask(server, &Authorization::new(ONE, "openid profile")).page();
    let page = browser.submit_password(server, &page, &person.name, &person.password).page();
    let denied = browser.decide(server, &page, "deny").parameters();
    assert_eq!(denied["error"], "access_denied");
    let trail = server.trail();
    let by = [("client_id", ONE.id), ("subject", sub.as_str()), ("address", HERE)];
    let sid = trail.one("SE3003", &by)["sid"].as_str().expect("a sid").to_owned();
    let in_session = [&by[..], &[("sid", &sid)]].concat();
    trail.one("SI2001", &in_session);
    assert_eq!(trail.one("SI2012", &in_session)["detail"], "openid profile");
    trail.none("SI2011", &[("subject", &sub)]);
    let page = browser.ask(server, &Authorization::new(ONE, "openid profile")).page();
    let code = browser.decide(server, &page, "allow").code();
    let page = browser.ask(server, &Authorization::new(ONE, "openid").set("prompt", "login")).page();
    browser.submit_password(server, &page, &person.name, &person.password).code();
    let trail = server.trail();
    assert_eq!(trail.one("SI2011", &in_session)["outcome"], "granted");
    assert_eq!(trail.all("SI2001", &in_session).len(), 2, "signed in again");
    trail.one("SE3003", &[("subject", &sub)]);
    let cookies = browser.cookies(&server.url("/authorize").parse().expect("a URL")).expect("cookies");
    let cookies: Vec<&str> = cookies.split("; ").filter_map(|cookie| cookie.split_once('=')).map(|(_, value)| value).collect();
    holds(server, &[&cookies[..], &[&code, &person.password]].concat());
}

#[test]
fn a_failed_sign_in_names_the_account_if_there_is_one() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let sub = subject(server, &person);
    let mut page = browser.ask(server, &Authorization::new(ONE, "openid")).page();
    let wrong = "a wrong pass phrase 5512";
    for _ in 0..4 {
        page = browser.submit_password(server, &page, &person.name, wrong).page();
    }
    let trail = server.trail();
    let by = [("client_id", ONE.id), ("subject", sub.as_str()), ("address", HERE)];
    assert_eq!(trail.all("SI2002", &[&by[..], &[("reason", "the password is wrong")]].concat()).len(), 3);
    let throttled = trail.one("SI2003", &by);
    assert!(throttled["reason"].as_str().is_some_and(|reason| reason.contains("admitted in")), "{throttled}");

    // A password typed into the field of the name must not become a log line.
    let typed = "my-pass-phrase-in-the-wrong-field-2231";
    let page = browser.ask(server, &Authorization::new(TWO, "openid")).page();
    let mut page = browser.submit_password(server, &page, typed, "").page();
    for _ in 0..3 {
        page = browser.submit_password(server, &page, typed, wrong).page();
    }
    let trail = server.trail();
    for code in ["SI2002", "SI2003"] {
        let events = trail.all(code, &[("client_id", TWO.id)]);
        assert!(!events.is_empty() && events.iter().all(|event| event["subject"].is_null()), "{code}: {events:#?}");
    }
    trail.none("SI2001", &[("subject", &sub)]);
    holds(server, &[wrong, typed, &person.name]);
}

#[test]
fn a_sign_in_that_may_not_be() {
    let server = server();
    let (person, other) = (server.person(), server.person());
    let (sub, other_sub) = (subject(server, &person), subject(server, &other));
    let hint = server.sign_in(ONE, &other, "openid");
    let browser = Browser::new();
    let page = browser.ask(server, &Authorization::new(ONE, "openid").set("id_token_hint", hint.id())).page();
    browser.submit_password(server, &page, &person.name, &person.password).page();
    server.command(&["user", "disable", &person.name]).fine();
    let page = browser.ask(server, &Authorization::new(ONE, "openid")).page();
    let page = browser.submit_password(server, &page, &person.name, "a wrong pass phrase 7718").page();
    browser.submit_password(server, &page, &person.name, &person.password).page();
    let trail = server.trail();
    trail.one("SI2002", &[("subject", &sub), ("reason", "the app asked for another person")]);
    trail.one("SI2002", &[("subject", &sub), ("reason", "the password is wrong")]);
    let disabled = trail.one("SI2004", &[("subject", &sub), ("client_id", ONE.id), ("address", HERE)]);
    assert_eq!(disabled["outcome"], "refused");

    // A second person in the same browser ends the session of the first.
    let browser = Browser::new();
    browser.authorize(server, &Authorization::new(ONE, "openid"), &other).code();
    let third = server.person();
    let page = browser.ask(server, &Authorization::new(ONE, "openid").set("prompt", "login")).page();
    browser.submit_password(server, &page, &third.name, &third.password).page();
    let trail = server.trail();
    let ended = trail.one("SE3011", &[("subject", &other_sub), ("detail", "another person signed in")]);
    trail.one("SE3003", &[("subject", &other_sub), ("sid", ended["sid"].as_str().expect("a sid"))]);

    server.get(&format!("/authorize?client_id={}&response_type=token", ONE.id));
    server.get("/authorize?response_type=code");
    let trail = server.trail();
    assert!(!trail.all("SI2021", &[("client_id", ONE.id), ("address", HERE)]).is_empty());
    assert!(trail.all("SI2021", &[]).iter().any(|event| event["client_id"].is_null()), "none was named");
    holds(server, &[&person.password, hint.id()]);
}

#[test]
fn sessions_from_their_start_to_their_end() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let device = server.sign_in_by(&browser, ONE, &person, DEVICE, None);
    let (sub, sid) = (claim(&device, "sub"), claim(&device, "sid"));
    let by = |client: &'static str| [("client_id", client), ("subject", &sub), ("sid", &sid), ("address", HERE)];
    let trail = server.trail();
    trail.one("TK1001", &by(ONE.id));
    assert_eq!(trail.one("SE3001", &by(ONE.id))["grant"], "authorization_code");
    trail.none("SE3002", &[("sid", &sid)]);

    let two = Tokens(server.exchange(TWO, &device, DEVICE).ok());
    server.exchange(TWO, &device, "openid").ok();
    let three = server.sign_in_by(&browser, THREE, &person, DEVICE, Some(device.secret()));
    server.sign_in_by(&browser, THREE, &person, DEVICE, Some(device.secret()));
    let trail = server.trail();
    assert_eq!(trail.all("TK1031", &by(TWO.id)).len(), 2);
    trail.one("SE3002", &by(TWO.id));
    assert_eq!(trail.one("SE3002", &by(THREE.id))["grant"], "authorization_code");
    trail.one("SE3001", &[("sid", &sid)]);

    server.revoke(TWO, device.secret());
    server.revoke(TWO, device.secret());
    let ended = server.trail();
    assert_eq!(ended.one("SE3011", &by(TWO.id))["detail"], "device_secret");

    let offline = server.sign_in_by(&browser, ONE, &person, "openid offline_access", None);
    let offline_sid = claim(&offline, "sid");
    server.trail().one("SE3004", &[("sid", &offline_sid), ("subject", &sub), ("client_id", ONE.id)]);
    server.get(&format!("/logout?id_token_hint={}", offline.id()));
    let trail = server.trail();
    let logout = [("subject", sub.as_str()), ("detail", "logout"), ("client_id", ONE.id), ("address", HERE)];
    assert_eq!(trail.all("SE3011", &logout).len(), 2, "the app's session and the browser's");
    trail.one("SE3011", &[&logout[..], &[("sid", &offline_sid)]].concat());
    holds(server, &[all_of(&device), all_of(&two), all_of(&three), all_of(&offline)].concat());
}

#[test]
fn refresh_tokens_and_device_secrets_that_change() {
    let server = server();
    let device = server.sign_in(ONE, &server.person(), DEVICE);
    let (sub, sid) = (claim(&device, "sub"), claim(&device, "sid"));
    let by = [("client_id", ONE.id), ("subject", sub.as_str()), ("sid", &sid), ("address", HERE)];
    let form = Form::of(&[("grant_type", "refresh_token"), ("refresh_token", device.refresh())]);
    let second = Tokens(server.token(ONE, form.and("device_secret", device.secret())).ok());
    server.trail().none("SE3021", &[("sid", &sid)]);
    let third = Tokens(server.refresh(ONE, second.refresh()).ok());
    assert_ne!(third.secret(), device.secret());
    let trail = server.trail();
    assert_eq!(trail.all("TK1011", &by).len(), 2);
    assert_eq!(trail.one("SE3021", &by)["grant"], "refresh_token");
    trail.none("RT4001", &by);
    server.refresh(ONE, second.refresh()).ok();
    let trail = server.trail();
    trail.one("RT4001", &by);
    trail.one("SE3021", &by);
    server.refresh(ONE, third.refresh()).ok();
    server.refresh(ONE, device.refresh()).refused(400, "invalid_grant");
    let trail = server.trail();
    let revoked = trail.one("RT4002", &by);
    assert_eq!((&revoked["outcome"], &revoked["reason"]), (&"refused".into(), &trail.one("TK1012", &by)["reason"]));
    holds(server, &[all_of(&device), all_of(&second), all_of(&third)].concat());
}

#[test]
fn revocations_by_the_client() {
    let server = server();
    let device = server.sign_in(ONE, &server.person(), DEVICE);
    let (sub, sid) = (claim(&device, "sub"), claim(&device, "sid"));
    let by = [("client_id", ONE.id), ("subject", sub.as_str()), ("sid", &sid), ("address", HERE)];
    for token in [device.access(), device.access(), device.refresh(), device.refresh(), "nonsense", "rt_nonsense"] {
        server.revoke(ONE, token);
    }
    let trail = server.trail();
    assert_eq!(trail.one("TK1201", &by)["detail"], "access_token");
    assert_eq!(trail.one("RT4003", &by)["detail"], "refresh_token");
    assert_eq!(trail.one("SE3011", &by)["detail"], "refresh_token", "no app is left on the device");

    let offline = server.sign_in(ONE, &server.person(), "openid offline_access");
    server.revoke(ONE, offline.refresh());
    let trail = server.trail();
    let by = [("sid", claim(&offline, "sid")), ("client_id", ONE.id.to_owned()), ("detail", "refresh_token".to_owned())];
    let by = by.each_ref().map(|(name, value)| (*name, value.as_str()));
    trail.one("RT4003", &by);
    trail.one("SE3011", &by);

    let browser = Browser::new();
    let request = Authorization::new(ONE, "openid offline_access");
    let code = browser.authorize(server, &request, &server.person()).code();
    let first = Tokens(server.token(ONE, request.redeem(&code)).ok());
    server.token(ONE, request.redeem(&code)).refused(400, "invalid_grant");
    let trail = server.trail();
    let by = [("sid", claim(&first, "sid")), ("client_id", ONE.id.to_owned())];
    let by = by.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(trail.one("TK1101", &by)["outcome"], "refused");
    trail.one("TK1002", &by);
    holds(server, &[all_of(&device), all_of(&offline), all_of(&first), vec![code.as_str()]].concat());
}

/// A request with a Basic header of one's own choice.
#[track_caller]
fn as_basic(server: &Server, path: &str, id: &str, secret: &str, form: &Form) -> Answer {
    let request = http().post(server.url(path)).header("authorization", basic(id, secret));
    Server::send(request.header("content-type", "application/x-www-form-urlencoded").body(form.encoded()))
}

#[test]
fn clients_that_fail_to_authenticate() {
    let server = server();
    let wrong = "a-wrong-client-secret-90210";
    let grant = Form::of(&[("grant_type", "client_credentials"), ("scope", "read")]);
    let token = Form::of(&[("token", "nonsense")]);
    for (path, form) in [("/token", &grant), ("/introspect", &token), ("/revoke", &token)] {
        as_basic(server, path, BACKEND.id, wrong, form).refused(401, "invalid_client");
        // Whoever swaps the two halves sends the secret as the name.
        as_basic(server, path, SECRET, BACKEND.id, form).refused(401, "invalid_client");
        let trail = server.trail();
        let by = [("detail", &path[1..]), ("address", HERE)];
        let known = trail.one("CL5001", &[&by[..], &[("client_id", BACKEND.id)]].concat());
        assert_eq!(known["reason"], "the client presented a wrong secret");
        assert_eq!(known["grant"].as_str(), (path == "/token").then_some("client_credentials"));
        let unknown = trail.all("CL5001", &[&by[..], &[("reason", "no such client")]].concat());
        assert!(unknown.len() == 1 && unknown[0]["client_id"].is_null(), "{unknown:#?}");
    }
    let mut claims = server.assertion_claims(BACKEND_JWT);
    claims["aud"] = "https://elsewhere.example.com".into();
    let assertion = Server::assertion(&claims);
    let form = grant
        .clone()
        .and("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        .and("client_assertion", &assertion);
    let request = http().post(server.url("/token")).header("content-type", "application/x-www-form-urlencoded");
    Server::send(request.body(form.encoded())).refused(401, "invalid_client");
    let trail = server.trail();
    let refused = trail.one("CL5001", &[("client_id", BACKEND_JWT.id)]);
    assert!(refused["reason"].as_str().is_some_and(|reason| reason.contains("aud")), "{refused}");
    let issued = Tokens(server.token(BACKEND, grant.clone()).ok());
    server.token(BACKEND, grant.set("scope", "unheard-of")).refused(400, "invalid_scope");
    server.token(BACKEND, Form::of(&[("grant_type", "password")]));
    let trail = server.trail();
    trail.one("TK1021", &[("client_id", BACKEND.id), ("address", HERE)]);
    trail.one("TK1022", &[("client_id", BACKEND.id), ("address", HERE)]);
    trail.one("TK1092", &[("address", HERE)]);
    holds(server, &[wrong, SECRET, &assertion, issued.access()]);
}

#[test]
fn exchanges_that_prove_nothing() {
    let server = server();
    let (device, other) = (server.device(ONE), server.device(ONE));
    let (sub, sid) = (claim(&device, "sub"), claim(&device, "sid"));
    let explain = ["handler", "explain", "--client", STRANGER.id, "--session", &sid];
    server.command(&explain).fine();
    server.trail().none("CL5002", &[("sid", &sid)]);
    server.exchange(STRANGER, &device, "openid").refused(400, "invalid_grant");
    let trail = server.trail();
    let by = [("client_id", STRANGER.id), ("subject", sub.as_str()), ("sid", &sid), ("address", HERE)];
    let outside = trail.one("CL5002", &by);
    assert_eq!(outside["reason"], "the two clients are of different families");
    trail.one("TK1032", &by);
    trail.none("SE3022", &[("sid", &sid)]);

    server.token(TWO, server.exchange_form(other.id(), device.secret())).refused(400, "invalid_grant");
    let guess = "ds_".to_owned() + &"guess".repeat(12);
    server.token(THREE, server.exchange_form(device.id(), &guess)).refused(400, "invalid_grant");
    let forged = jwt::tampered(device.id(), "sub", "someone".into());
    server.token(THREE, server.exchange_form(&forged, device.secret())).refused(400, "invalid_grant");
    let trail = server.trail();
    let bound = trail.one("SE3022", &[("client_id", TWO.id), ("subject", &sub), ("sid", &sid), ("address", HERE)]);
    assert!(bound["reason"].as_str().is_some_and(|reason| reason.contains("ds_hash")), "{bound}");
    let unproven = trail.all("SE3022", &[("client_id", THREE.id)]);
    assert!(unproven.len() == 2 && unproven.iter().all(|event| event["sid"].is_null()), "{unproven:#?}");
    holds(server, &[all_of(&device), all_of(&other), vec![&guess, &forged]].concat());
}
