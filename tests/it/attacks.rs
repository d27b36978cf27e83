//! The attacks of RFC 9700 and their like, each with what must come of it. Those that a room's own suite plays already are not
//! repeated: `tests/CONFORMANCE.md` lists all of them with their tests.

use std::collections::BTreeMap;

use crate::harness::cast::{BACKEND_POST, FIRST_PARTY, ONE, TWO};
use crate::harness::server::http;
use crate::harness::{Answer, Authorization, Browser, Form, Person, Server, Tokens, jwt, shared};

const MODES: [&str; 3] = ["query", "fragment", "form_post"];
const EVIL: &str = "https://evil.example.com";

pub(crate) fn url(text: &str) -> url::Url {
    text.parse().expect("a URL")
}

/// A browser that is signed in for [`FIRST_PARTY`], which asks no consent.
#[track_caller]
pub(crate) fn signed_in(server: &Server) -> (Browser, Person) {
    let (browser, person) = (Browser::new(), server.person());
    browser.authorize(server, &Authorization::new(FIRST_PARTY, "openid"), &person).code();
    (browser, person)
}

/// RFC 9700 section 4.4: a client that talks to several servers sees from each answer whose it is.
#[test]
fn mix_up_shows_in_every_answer() {
    let server = shared::usual();
    let document = server.get("/.well-known/openid-configuration").ok();
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    let (browser, _) = signed_in(server);
    for mode in MODES {
        let request = Authorization::new(FIRST_PARTY, "openid").set("response_mode", mode);
        for (browser, wanted) in [(&browser, "code"), (&Browser::new(), "error")] {
            let answer = browser.ask(server, &request.clone().set("prompt", "none")).parameters();
            assert!(answer.contains_key(wanted), "{mode}: {answer:?}");
            assert_eq!(answer["iss"], document["issuer"].as_str().expect("issuer"), "{mode}, {wanted}");
        }
    }
}

/// Section 4.5: a code stolen from one flow is no good in another, at the same client.
#[test]
fn a_code_injected_into_the_thiefs_own_flow_is_refused() {
    let server = shared::usual();
    let (victim, thief) = (Authorization::new(ONE, "openid"), Authorization::new(ONE, "openid"));
    let stolen = Browser::new().authorize(server, &victim, &server.person()).code();
    Browser::new().authorize(server, &thief, &server.person()).code();
    server.token(ONE, thief.redeem(&stolen)).refused(400, "invalid_grant");
    server.token(TWO, victim.redeem(&stolen)).refused(400, "invalid_grant");
    server.token(ONE, victim.redeem(&stolen)).ok();
}

/// Section 4.5.3.2: where a client uses no PKCE, the nonce of the ID token is that of the flow the code came from.
#[test]
fn a_code_injected_without_pkce_shows_by_its_nonce() {
    let server = shared::usual();
    let plain = || Authorization::new(BACKEND_POST, "openid").without("code_challenge").without("code_challenge_method");
    let (victim, thief) = (plain(), plain());
    let stolen = Browser::new().authorize(server, &victim, &server.person()).code();
    let tokens = Tokens(server.token(BACKEND_POST, thief.redeem(&stolen).without("code_verifier")).ok());
    assert_eq!(jwt::claims(tokens.id())["nonce"], victim.nonce.as_str());
    assert_ne!(victim.nonce, thief.nonce);
}

/// Section 4.8: who takes the challenge out of the victim's request gets no code that the victim's client would redeem.
#[test]
fn pkce_cannot_be_taken_out_on_the_way() {
    let server = shared::usual();
    let stripped = |client| Authorization::new(client, "openid").without("code_challenge").without("code_challenge_method");
    let request = stripped(ONE);
    assert_eq!(Browser::new().ask(server, &request).error(&request, server), "invalid_request");
    // This client need not use PKCE; but here it did, and shows its verifier.
    let request = stripped(BACKEND_POST);
    let code = Browser::new().authorize(server, &request, &server.person()).code();
    server.token(BACKEND_POST, request.redeem(&code)).refused(400, "invalid_grant");
    for method in ["plain", "s256", "S512", ""] {
        let request = Authorization::new(BACKEND_POST, "openid").set("code_challenge_method", method);
        assert_eq!(Browser::new().ask(server, &request).error(&request, server), "invalid_request", "{method}");
    }
}

/// Section 4.11: neither answers nor errors nor a sign-out lead to an address that is not registered.
#[test]
fn nothing_leads_to_an_address_that_is_not_registered() {
    let server = shared::usual();
    let (browser, person) = signed_in(server);
    for mode in MODES {
        for (name, value) in [("prompt", "none"), ("scope", "open\"id"), ("response_type", "token"), ("code_challenge", "short")]
        {
            let request = Authorization::new(FIRST_PARTY, "openid").set("response_mode", mode);
            let request = request.set("redirect_uri", EVIL).set(name, value);
            for page in [browser.get(&request.url(server)), browser.post(&url(&server.url("/authorize")), &request.form)] {
                assert_eq!(page.status, 400, "{mode}, {name}");
                assert!(
                    page.header("location").is_none() && !page.body.contains("evil.example"),
                    "{mode}, {name}: {}",
                    page.body
                );
            }
        }
    }
    let tokens = server.sign_in_by(&browser, ONE, &person, "openid", None);
    for parameters in [
        &[("post_logout_redirect_uri", EVIL)][..],
        &[("post_logout_redirect_uri", EVIL), ("client_id", ONE.id)],
        &[("post_logout_redirect_uri", EVIL), ("id_token_hint", tokens.id())],
    ] {
        let mut end = url(&server.url("/logout"));
        end.set_query(Some(&Form::of(parameters).encoded()));
        let page = browser.get(&end);
        assert!(page.header("location").is_none() && !page.body.contains("evil.example"), "{}", page.body);
    }
    // A path that looks like an address of somebody else is no redirect either.
    for path in ["//evil.example.com", "/%2f%2fevil.example.com", "/authorize/..//evil.example.com", "/\\evil.example.com"] {
        let answer = Server::send(http().get(server.url(path)));
        assert!(answer.status >= 400 && answer.header("location").is_none(), "{path}: {}", answer.status);
    }
}

/// Section 4.10 and OpenID Connect Core section 16.x: each token is good for its own use alone.
#[test]
fn no_token_passes_for_another() {
    let server = shared::usual();
    let request = Authorization::new(ONE, "openid profile offline_access device_sso");
    let person = server.person();
    let code = Browser::new().authorize(server, &request, &person).code();
    let device = Tokens(server.token(ONE, request.redeem(&code)).ok());
    let all: BTreeMap<&str, &str> = [
        ("access token", device.access()),
        ("ID token", device.id()),
        ("refresh token", device.refresh()),
        ("device secret", device.secret()),
    ]
    .into();
    for (kind, token) in &all {
        if *kind != "access token" {
            server.userinfo(token).refused(401, "invalid_token");
        }
        if *kind != "refresh token" {
            server.refresh(ONE, token).refused(400, "invalid_grant");
        }
        if *kind != "ID token" {
            let form = server.exchange_form(token, device.secret()).and("scope", "openid");
            server.token(TWO, form).refused(400, "invalid_grant");
            let hinted = Authorization::new(FIRST_PARTY, "openid").set("id_token_hint", token);
            assert_eq!(Browser::new().ask(server, &hinted).error(&hinted, server), "invalid_request", "{kind} as a hint");
            let mut end = url(&server.url("/logout"));
            end.query_pairs_mut().append_pair("id_token_hint", token);
            Browser::new().get(&end);
            assert!(server.is_active(device.refresh()), "{kind} as a hint signed the device out");
        }
        if *kind != "device secret" {
            let form = server.exchange_form(device.id(), token).and("scope", "openid");
            server.token(TWO, form).refused(400, "invalid_grant");
        }
        server.token(ONE, request.redeem(token)).refused(400, "invalid_grant");
    }
    // All of this left the device as it was.
    server.exchange(TWO, &device, "openid").ok();
    server.refresh(ONE, device.refresh()).ok();
}

/// Whoever may write the host into a request writes it into no answer: everything is built from the issuer in the settings.
#[test]
fn the_host_of_a_request_is_never_believed() {
    let server = shared::usual();
    let ask = |path: &str| {
        let request = http().get(server.url(path)).header("host", "evil.example.com");
        let request = request.header("x-forwarded-host", "evil.example.com").header("x-forwarded-proto", "https");
        let request = request.header("x-forwarded-server", "evil.example.com").header("x-original-url", "/evil.example.com");
        Server::send(request.header("forwarded", "host=evil.example.com;proto=https").header("x-forwarded-prefix", "/evil"))
    };
    let clean = |answer: &Answer, path: &str| {
        assert!(!answer.body.contains("evil"), "{path}: {}", answer.body);
        for name in ["location", "set-cookie", "www-authenticate", "content-security-policy", "link"] {
            assert!(answer.headers(name).all(|value| !value.contains("evil")), "{path}: {name}");
        }
    };
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let answer = ask(path);
        clean(&answer, path);
        assert_eq!(answer.ok(), server.get(path).ok(), "{path}");
    }
    let query = Authorization::new(ONE, "openid").form.encoded();
    for path in
        [format!("/authorize?{query}"), format!("/authorize?{query}&prompt=none"), "/logout".to_owned(), "/nowhere".to_owned()]
    {
        clean(&ask(&path), &path);
    }
    let answer = ask(&format!("/authorize?{query}&prompt=none"));
    assert!(
        answer
            .header("location")
            .is_some_and(|to| to.contains(&format!("iss={}", server.issuer.replace(':', "%3A").replace('/', "%2F"))))
    );
}

/// A parameter that stands twice is read by nobody: neither the first nor the last of two wins.
#[test]
fn a_parameter_that_stands_twice_is_refused_everywhere() {
    let server = shared::usual();
    let (browser, person) = signed_in(server);
    let tokens = server.sign_in(ONE, &person, "openid offline_access");
    for (path, form) in [
        (
            "/token",
            Form::of(&[("grant_type", "refresh_token"), ("refresh_token", tokens.refresh()), ("refresh_token", "another")]),
        ),
        ("/token", Form::of(&[("grant_type", "refresh_token"), ("grant_type", "password"), ("refresh_token", tokens.refresh())])),
        ("/introspect", Form::of(&[("token", tokens.access()), ("token", "another")])),
        ("/revoke", Form::of(&[("token", tokens.refresh()), ("token", "another")])),
    ] {
        server.post_as(ONE, path, form).refused(400, "invalid_request");
    }
    for (name, value) in [("post_logout_redirect_uri", "http://127.0.0.1:9/signed-out"), ("id_token_hint", tokens.id())] {
        let form = Form::of(&[("client_id", ONE.id), (name, value), (name, EVIL)]);
        let page = browser.post(&url(&server.url("/logout")), &form);
        assert!(page.status == 400 && page.location().is_none(), "{name}: {}", page.status);
    }
    assert!(server.is_active(tokens.refresh()), "nothing was revoked or ended");
    // Once in the address and once in the body is twice, or the address counts for nothing.
    let request = Authorization::new(FIRST_PARTY, "openid");
    for (name, value) in
        [("redirect_uri", EVIL), ("client_id", TWO.id), ("response_mode", "fragment"), ("scope", "openid payments")]
    {
        let mut both = url(&server.url("/authorize"));
        both.query_pairs_mut().append_pair(name, value);
        let page = browser.post(&both, &request.form);
        match page.location() {
            None => assert_eq!(page.status, 400, "{name}"),
            Some(to) => assert!(to.as_str().starts_with(FIRST_PARTY.redirect) && to.fragment().is_none(), "{name}: {to}"),
        }
    }
}

/// What is good once is refused the second time, for everything a browser or an app can send again.
#[test]
fn what_is_used_up_stays_used_up() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let request = Authorization::new(ONE, "openid offline_access");
    let page = browser.ask(server, &request).page();
    let sign_in = page.form("username").expect("the sign-in page");
    let filled = sign_in.fields.clone().set("username", &person.name).set("password", &person.password);
    let page = browser.follow(server, browser.post(&sign_in.action, &filled)).page();
    let consent = page.form("decision").expect("the consent page");
    let decided = consent.fields.clone().and("decision", "allow");
    let code = browser.follow(server, browser.post(&consent.action, &decided)).code();
    let tokens = Tokens(server.token(ONE, request.redeem(&code)).ok());
    // The forms that led here.
    for (form, fields) in [(&sign_in, &filled), (&consent, &decided)] {
        let again = browser.post(&form.action, fields);
        let leads = again.location().filter(|to| !to.as_str().starts_with(&server.issuer));
        assert!(leads.is_none(), "a second answer: {leads:?}");
        assert!(again.form("code").is_none());
    }
    // The code, which takes what it brought along.
    server.token(ONE, request.redeem(&code)).refused(400, "invalid_grant");
    server.refresh(ONE, tokens.refresh()).refused(400, "invalid_grant");
}
