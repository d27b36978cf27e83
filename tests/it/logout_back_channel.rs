//! Back-channel logout: every client of an ended session that wants to know is told, once the session is gone, whatever ended it and
//! whatever happens in between.

use std::time::{Duration, Instant};

use crate::harness::cast::{BACKEND, BACKEND_POST, ONE};
use crate::harness::{Browser, Form, Person, RelyingParty, Reply, Server, Setup, Tokens, jwt, until};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn setup(party: &RelyingParty) -> Setup {
    Setup::new()
        .set("telemetry.format", "json")
        .set("outbound.allow_private_addresses", true)
        .client(BACKEND.id, "backchannel_logout_uri", party.url("/back"))
        .client(BACKEND.id, "backchannel_logout_session_required", true)
        .client(BACKEND.id, "id_token_signed_response_alg", "ES256")
}

/// Somebody signed in to the back end in a browser.
struct Visit {
    person: Person,
    browser: Browser,
    tokens: Tokens,
}

fn visit(server: &Server, scope: &str) -> Visit {
    let (person, browser) = (server.person(), Browser::new());
    let tokens = server.sign_in_by(&browser, BACKEND, &person, scope, None);
    Visit { person, browser, tokens }
}

fn claim(tokens: &Tokens, name: &str) -> String {
    jwt::claims(tokens.id())[name].as_str().expect("a text").to_owned()
}

fn log_out_by(server: &Server, browser: &Browser, hint: &str) {
    let form = Form::of(&[("id_token_hint", hint)]);
    let answer = browser.post(&server.url("/logout").parse().expect("a URL"), &form);
    assert_eq!(browser.follow(server, answer).page().status, 200);
}

#[test]
fn a_logout_token_says_what_the_specification_asks() {
    let party = RelyingParty::answering(&[]);
    let server = setup(&party).start();
    let Visit { browser, tokens, .. } = visit(&server, "openid");
    log_out_by(&server, &browser, tokens.id());
    let token = party.tokens(1).remove(0);
    let (_, claims) = server.verified(&token);
    let header = jwt::header(&token);
    assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("logout+jwt"), Some("ES256")));
    assert_eq!(claims["iss"], server.issuer.as_str());
    assert_eq!(claims["aud"], BACKEND.id);
    assert_eq!((claims["sub"].as_str(), claims["sid"].as_str()), (Some(&*claim(&tokens, "sub")), Some(&*claim(&tokens, "sid"))));
    assert!(claims["events"][EVENT].as_object().is_some_and(serde_json::Map::is_empty), "{claims}");
    assert!(claims["jti"].as_str().is_some_and(|jti| jti.len() > 16), "{claims}");
    assert!(claims["exp"].as_u64() <= claims["iat"].as_u64().map(|iat| iat + 120), "{claims}");
    assert!(claims["nonce"].is_null(), "forbidden");
    until("it is audited", || !server.trail().all("SE3031", &[("client_id", BACKEND.id)]).is_empty());
    server.trail().one("SE3031", &[("sid", &claim(&tokens, "sid")), ("subject", &claim(&tokens, "sub"))]);
    // A logout token is no ID token: it vouches for nothing.
    let browser = Browser::new();
    let again = browser.post(&server.url("/logout").parse().expect("a URL"), &Form::of(&[("id_token_hint", &token)]));
    assert_eq!(browser.follow(&server, again).page().status, 400);
}

#[test]
fn whatever_ends_the_session() {
    type Ending = fn(&Server, &Visit);
    let endings: [(&str, Ending); 6] = [
        ("confirmed", |server, visit| visit.browser.sign_out(server)),
        ("hint", |server, visit| log_out_by(server, &Browser::new(), visit.tokens.id())),
        ("session end", |server, visit| _ = server.command(&["session", "end", &claim(&visit.tokens, "sid")]).fine()),
        ("all", |server, visit| _ = server.command(&["session", "end", "--user", &visit.person.name, "--all"]).fine()),
        ("disabled", |server, visit| _ = server.command(&["user", "disable", &visit.person.name]).fine()),
        ("deleted", |server, visit| _ = server.command(&["user", "delete", &visit.person.name]).fine()),
    ];
    let party = RelyingParty::answering(&[]);
    let server = setup(&party).start();
    for (n, (name, end)) in endings.into_iter().enumerate() {
        let visit = visit(&server, "openid");
        end(&server, &visit);
        let token = party.tokens(n + 1).pop().expect("a token");
        assert_eq!(jwt::claims(&token)["sid"], claim(&visit.tokens, "sid").as_str(), "{name}");
    }
    let visit = visit(&server, "openid offline_access");
    server.revoke(BACKEND, visit.tokens.refresh());
    let token = party.tokens(7).pop().expect("a token");
    assert_eq!(jwt::claims(&token)["sid"], claim(&visit.tokens, "sid").as_str(), "revocation of the last app");
}

#[test]
fn offline_access_lives_on_but_the_client_is_told() {
    let party = RelyingParty::answering(&[]);
    let server = setup(&party).start();
    let Visit { browser, tokens, .. } = visit(&server, "openid offline_access");
    browser.sign_out(&server);
    let token = party.tokens(1).remove(0);
    assert_eq!(jwt::claims(&token)["sid"], claim(&tokens, "sid").as_str(), "as its ID token said");
    let tokens = Tokens(server.refresh(BACKEND, tokens.refresh()).ok());
    log_out_by(&server, &Browser::new(), tokens.id());
    party.tokens(2);
    server.refresh(BACKEND, tokens.refresh()).refused(400, "invalid_grant");

    let server = setup(&party).set("sessions.logout.offline_access", "end").start();
    let Visit { browser, tokens, .. } = visit(&server, "openid offline_access");
    browser.sign_out(&server);
    server.refresh(BACKEND, tokens.refresh()).refused(400, "invalid_grant");
    assert_eq!(jwt::claims(&party.tokens(3)[2])["sid"], claim(&tokens, "sid").as_str());
}

#[test]
fn failures_are_tried_again_and_refusals_are_not() {
    let party = RelyingParty::answering(&[Reply::Status(500), Reply::Status(503)]);
    let server = setup(&party).start();
    let first = visit(&server, "openid");
    first.browser.sign_out(&server);
    let tokens = party.tokens(3);
    let ids: Vec<_> = tokens.iter().map(|token| jwt::claims(token)["jti"].clone()).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "each attempt is a token of its own: {ids:?}");
    until("it is delivered", || !server.trail().all("SE3031", &[]).is_empty());
    assert_eq!(server.trail().all("SE3032", &[("client_id", BACKEND.id)]).len(), 2);

    let refusing = RelyingParty::answering(&[Reply::Status(400)]);
    let server = setup(&refusing).start();
    let second = visit(&server, "openid");
    second.browser.sign_out(&server);
    until("it is given up", || !server.trail().all("SE3033", &[]).is_empty());
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(refusing.bodies().len(), 1);
    server.trail().none("SE3032", &[]);
}

#[test]
fn a_slow_client_delays_neither_the_answer_nor_the_others() {
    let (slow, quick) = (RelyingParty::answering(&[Reply::Late(Duration::from_secs(20))]), RelyingParty::answering(&[]));
    let server = setup(&slow)
        .set("sessions.logout.timeout", "30s")
        .client(BACKEND_POST.id, "backchannel_logout_uri", quick.url("/back"))
        .start();
    let (person, browser) = (server.person(), Browser::new());
    server.sign_in_by(&browser, BACKEND, &person, "openid", None);
    server.sign_in_by(&browser, BACKEND_POST, &person, "openid", None);
    let began = Instant::now();
    browser.sign_out(&server);
    quick.tokens(1);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(slow.tokens(1).len(), 1);
}

#[test]
fn a_killed_server_tells_them_when_it_is_back() {
    // Nothing is delivered before the kill: the first answer never comes in time.
    let party = RelyingParty::answering(&[Reply::Late(Duration::from_mins(1))]);
    let server = setup(&party).set("sessions.logout.timeout", "3s").start();
    let Visit { browser, tokens, .. } = visit(&server, "openid");
    browser.sign_out(&server);
    server.kill();
    let before = party.bodies().len();
    server.start_again();
    let token = party.tokens(before + 1).pop().expect("a token");
    assert_eq!(jwt::claims(&token)["sid"], claim(&tokens, "sid").as_str());
    until("it is delivered", || !server.trail().all("SE3031", &[]).is_empty());
    // A command on a stopped server leaves it to the next start.
    let second = visit(&server, "openid");
    server.stop();
    server.command(&["session", "end", &claim(&second.tokens, "sid")]).fine();
    let before = party.bodies().len();
    server.start_again();
    let token = party.tokens(before + 1).pop().expect("a token");
    assert_eq!(jwt::claims(&token)["sid"], claim(&second.tokens, "sid").as_str());
}

#[test]
fn private_addresses_are_asked_nothing_unless_allowed() {
    let party = RelyingParty::answering(&[]);
    let server = setup(&party).set("outbound.allow_private_addresses", false).start();
    let Visit { browser, .. } = visit(&server, "openid");
    browser.sign_out(&server);
    until("it is refused", || !server.trail().all("SE3032", &[("client_id", BACKEND.id)]).is_empty());
    assert!(
        server.trail().all("SE3032", &[]).iter().all(|event| event["reason"].as_str().is_some_and(|why| why.contains("private")))
    );
    assert!(party.bodies().is_empty());
}

#[test]
fn who_took_no_part_is_not_told() {
    let party = RelyingParty::answering(&[]);
    let server = setup(&party).start();
    let (person, browser) = (server.person(), Browser::new());
    server.sign_in_by(&browser, ONE, &person, "openid", None);
    browser.sign_out(&server);
    let last = visit(&server, "openid");
    last.browser.sign_out(&server);
    assert_eq!(jwt::claims(&party.tokens(1)[0])["sid"], claim(&last.tokens, "sid").as_str());
}

#[test]
fn discovery_says_so() {
    let document = crate::harness::shared::usual().get("/.well-known/openid-configuration").ok();
    assert_eq!(document["backchannel_logout_supported"], true);
    assert_eq!(document["backchannel_logout_session_supported"], true);
}
