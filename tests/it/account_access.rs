//! Who is let in to the account API: nobody without a living token of the person, made for this server, with a scope that they agreed to.

use reqwest::Method;
use serde_json::json;

use crate::harness::account::{ACCOUNT, DEVICE, Owner, ask, end, server, session, sessions, setup, sid};
use crate::harness::cast::{BACKEND, CLAIMED, FIRST_PARTY, ONE, SERVICE, TWO};
use crate::harness::dpop::DeviceKey;
use crate::harness::server::http;
use crate::harness::{Answer, Authorization, Browser, Client, Form, Server, Tokens, until};

#[test]
fn without_the_scope_there_is_no_way_in() {
    let server = server();
    let person = server.person();
    let tokens = server.sign_in(ONE, &person, "openid profile");
    let form = Form::of(&[("grant_type", "client_credentials"), ("scope", "read")]);
    let service = Tokens(server.token(SERVICE, form).ok());
    for token in [tokens.access(), service.access()] {
        for (method, path) in every_door(&sid(&tokens)) {
            let answer = ask(server, method.clone(), &path, token);
            answer.refused(403, "insufficient_scope");
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"insufficient_scope\""), "{challenge}");
            assert!(challenge.contains("scope=\"symbolon:account\""), "{challenge}");
        }
    }
    assert!(server.is_active(tokens.access()));
}

fn every_door(sid: &str) -> [(Method, String); 6] {
    [
        (Method::GET, "/account/sessions".to_owned()),
        (Method::DELETE, "/account/sessions".to_owned()),
        (Method::DELETE, session(sid)),
        (Method::GET, "/account/consents".to_owned()),
        (Method::DELETE, format!("/account/consents/{}", ONE.id)),
        (Method::GET, "/account/factors".to_owned()),
    ]
}

#[test]
fn a_cookie_opens_nothing() {
    let server = server();
    let owner = Owner::new(server);
    let cookies = owner.browser.cookies(&server.url("/authorize").parse().expect("a URL")).expect("cookies");
    for (method, path) in every_door(&sid(&owner.device)) {
        let request = || http().request(method.clone(), server.url(&path)).header("cookie", &cookies);
        let none = Server::send(request());
        assert_eq!(none.status, 401, "{path}");
        let schemes: Vec<&str> = none.headers("www-authenticate").filter_map(|text| text.split(' ').next()).collect();
        assert_eq!(schemes, ["Bearer", "DPoP"], "{path}");
        Server::send(request().bearer_auth("x")).refused(401, "invalid_token");
        Server::send(request().bearer_auth(owner.account.id())).refused(401, "invalid_token");
        // No token in a query or a form (RFC 9700 section 4.3.2).
        let query = format!("{path}?access_token={}", owner.token());
        assert_eq!(ask_bare(server, method.clone(), &query).status, 401, "{path}");
        let two = request().bearer_auth(owner.token()).header("authorization", "Bearer x");
        Server::send(two).refused(400, "invalid_request");
    }
    for method in [Method::POST, Method::PUT] {
        assert_eq!(ask(server, method, "/account/sessions", owner.token()).status, 405);
    }
    assert_eq!(sessions(server, owner.token()).len(), 3);
}

#[track_caller]
fn ask_bare(server: &Server, method: Method, path: &str) -> Answer {
    Server::send(http().request(method, server.url(path)))
}

#[test]
fn tokens_that_are_over_or_for_others() {
    let server = setup().set("tokens.access_token.lifetime", "1s").start();
    let owner = Owner::new(&server);
    until("the token is over", || ask(&server, Method::GET, "/account/sessions", owner.token()).status == 401);
    ask(&server, Method::DELETE, "/account/sessions", owner.token()).refused(401, "invalid_token");
    assert!(server.is_active(owner.device.refresh()));

    let server = crate::harness::account::server();
    let owner = Owner::new(server);
    server.revoke(ONE, owner.token());
    ask(server, Method::DELETE, "/account/sessions", owner.token()).refused(401, "invalid_token");
    // One that an API was given is worth nothing in its hands here.
    let person = server.person();
    let for_api = |resource: &str| {
        let request = Authorization::new(ONE, ACCOUNT).set("resource", resource);
        let code = Browser::new().authorize(server, &request, &person).code();
        Tokens(server.token(ONE, request.redeem(&code)).ok())
    };
    ask(server, Method::GET, "/account/sessions", for_api("https://api.example.com").access()).refused(401, "invalid_token");
    sessions(server, for_api(&server.issuer).access());
    let owner = Owner::new(server);
    server.command(&["user", "disable", &owner.person.name]).fine();
    ask(server, Method::GET, "/account/sessions", owner.token()).refused(401, "invalid_token");
}

#[test]
fn a_token_that_is_bound_to_a_key_wants_a_proof_for_the_very_address() {
    let server = server();
    let (person, key) = (server.person(), DeviceKey::new());
    let device = server.sign_in(TWO, &person, DEVICE);
    let request = Authorization::new(ONE, ACCOUNT);
    let code = Browser::new().authorize(server, &request, &person).code();
    let tokens = Tokens(server.token_by(&key, ONE, request.redeem(&code)).ok());
    let token = tokens.access();
    ask(server, Method::GET, "/account/sessions", token).refused(401, "invalid_token");
    let send = |method: Method, path: &str, proof: &str| {
        let request = http().request(method, server.url(path)).header("authorization", format!("DPoP {token}"));
        Server::send(request.header("dpop", proof))
    };
    let proof = |method: &str, path: &str| key.sign(&key.parts(method, &format!("{}{path}", server.issuer)).with_token(token));
    let path = session(&sid(&device));
    for wrong in [
        proof("GET", &path),
        proof("DELETE", "/account/sessions"),
        proof("DELETE", &session(&sid(&tokens))),
        key.sign(&key.parts("DELETE", &format!("{}{path}", server.issuer))),
        DeviceKey::new().sign(&key.parts("DELETE", &format!("{}{path}", server.issuer)).with_token(token)),
    ] {
        send(Method::DELETE, &path, &wrong).refused(401, "invalid_dpop_proof");
    }
    assert!(server.is_active(device.refresh()));
    let good = proof("DELETE", &path);
    send(Method::DELETE, &path, &good).ok();
    send(Method::DELETE, &path, &good).refused(401, "invalid_dpop_proof");
    send(Method::GET, "/account/sessions", &proof("GET", "/account/sessions")).ok();
    assert!(!server.is_active(device.refresh()));
}

#[test]
fn the_scope_is_never_granted_unasked() {
    let server = server();
    let person = server.person();
    // A client that is not registered for it cannot ask.
    let request = Authorization::new(BACKEND, ACCOUNT);
    assert_eq!(Browser::new().ask(server, &request).error(&request, server), "invalid_scope");
    // It is on the consent page, and a consent without it does not do.
    let browser = Browser::new();
    server.sign_in_by(&browser, ONE, &person, "openid", None);
    let page = browser.ask(server, &Authorization::new(ONE, ACCOUNT)).page();
    assert!(page.body.contains("where you are signed in"), "{}", page.body);
    // An exchange asks nobody: the next app is not given it, asked for or not, whatever the first one has.
    let with = |client: Client, scope: &str| server.sign_in(client, &person, &format!("{scope} symbolon:account"));
    let device = with(ONE, DEVICE);
    server.exchange(TWO, &device, ACCOUNT).refused(400, "invalid_scope");
    let form = server.exchange_form(device.id(), device.secret());
    assert!(!Tokens(server.token(TWO, form).ok()).scope().contains(&"symbolon:account"));
    // The vendor's own is, and so is one for which the person said so.
    let own = Tokens(server.exchange(FIRST_PARTY, &device, ACCOUNT).ok());
    sessions(server, own.access());
    with(TWO, "openid");
    let two = Tokens(server.exchange(TWO, &device, ACCOUNT).ok());
    assert!(sessions(server, two.access()).len() > 1);
    server.command(&["consent", "revoke", &person.name, TWO.id]).fine();
    server.exchange(TWO, &device, ACCOUNT).refused(400, "invalid_scope");
}

#[test]
fn scripts_of_the_clients_own_origins_may_read() {
    let server = server();
    let known = "https://app.example.com";
    let preflight = |path: &str| {
        let request = http().request(Method::OPTIONS, server.url(path)).header("origin", known);
        Server::send(request.header("access-control-request-method", "DELETE"))
    };
    for path in ["/account/sessions", "/account/sessions/x", "/account/consents", "/account/consents/x", "/account/factors"] {
        let answer = preflight(path);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some(known)), "{path}");
        assert!(answer.header("access-control-allow-methods").is_some_and(|methods| methods.contains("DELETE")), "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "no cookies");
    }
    let tokens = server.sign_in(CLAIMED, &server.person(), ACCOUNT);
    let from = |origin: &str| {
        let request = http().get(server.url("/account/sessions")).bearer_auth(tokens.access());
        let answer = Server::send(request.header("origin", origin));
        answer.ok();
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(from(known).as_deref(), Some(known));
    assert_eq!(from("https://evil.example.com"), None);
}

#[test]
fn it_is_found_by_discovery_also_below_a_path() {
    let server = setup().below("/tenant/one").start();
    let document = server.get("/.well-known/openid-configuration").ok();
    for name in ["sessions", "consents"] {
        assert_eq!(document[format!("symbolon_account_{name}_endpoint")], format!("{}/account/{name}", server.issuer));
    }
    assert!(document["scopes_supported"].as_array().is_some_and(|scopes| scopes.contains(&json!("symbolon:account"))));
    let owner = Owner::new(&server);
    assert_eq!(sessions(&server, owner.token()).len(), 3);
    end(&server, &session(&sid(&owner.device)), owner.token());
}
