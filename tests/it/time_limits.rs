//! What ends by itself: sign-ins that take too long, sign-ins that are too old, sessions that nobody uses, hints whose time is over.

use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::cast::{BACKEND, FIRST_PARTY, ONE};
use crate::harness::{Authorization, Browser, Landing, RelyingParty, Reply, Server, Setup, shared, until};

/// Longer than what lives for a second, whenever within a second it began.
const OVER: Duration = Duration::from_millis(2_100);

/// Sign-ins count for a second, sessions that outlive the browser are forgotten after one of idleness, and all do outlive it.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Setup::new().set("sessions.browser.persistent", "always").set("sessions.kept.max_idle", "1s").start())
}

fn request() -> Authorization {
    Authorization::new(FIRST_PARTY, "openid")
}

#[test]
fn a_sign_in_that_took_too_long_is_begun_anew() {
    let server = Setup::new().set("sign_in.transaction_lifetime", "1s").start();
    let (browser, person) = (Browser::new(), server.person());
    let page = browser.ask(&server, &request()).page();
    sleep(OVER);
    let late = browser.submit_password(&server, &page, &person.name, &person.password).page();
    assert_eq!((late.status, late.alert().is_some()), (400, true), "{}", late.body);
    assert_eq!(browser.get(&page.url).status, 200, "the app's own address begins anew");
    let silent = request().set("prompt", "none");
    assert_eq!(browser.ask(&server, &silent).error(&silent, &server), "login_required", "the password was not even tried");
}

#[test]
fn a_sign_in_that_is_too_old_must_be_repeated() {
    let server = Setup::new().set("sessions.browser.auth_lifetime", "1s").start();
    let (browser, person) = (Browser::new(), server.person());
    browser.authorize(&server, &request(), &person).code();
    sleep(OVER);
    let silent = request().set("prompt", "none");
    assert_eq!(browser.ask(&server, &silent).error(&silent, &server), "login_required");
    let page = browser.ask(&server, &request()).page();
    let form = page.form("username").expect("the sign-in page");
    assert!(form.fields.0.contains(&("username".to_owned(), person.name.clone())), "{form:?}");
    browser.submit_password(&server, &page, &person.name, &person.password).code();
}

#[test]
fn every_session_outlives_the_browser_where_the_operator_says_so() {
    let server = server();
    let (browser, person) = (Browser::new(), server.person());
    let page = browser.ask(server, &request()).page();
    assert!(page.form("keep").is_none(), "nobody is asked");
    let form = page.form("username").expect("the sign-in page");
    let answer = browser.post(&form.action, &form.fields.set("username", &person.name).set("password", &person.password));
    let set: Vec<&str> = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).collect();
    assert!(set.iter().any(|text| text.starts_with("symbolon_kept=") && text.contains("Max-Age=")), "{set:?}");
    assert!(!set.iter().any(|text| text.starts_with("symbolon_session=") && !text.contains("Max-Age=0")), "{set:?}");
    sleep(OVER);
    let silent = request().set("prompt", "none");
    assert_eq!(browser.ask(server, &silent).error(&silent, server), "login_required", "idle for too long");
}

/// RP-Initiated Logout section 2: an ID token whose time is over still says who is to be signed out.
#[test]
fn an_expired_hint_signs_out() {
    let server = shared::short_lived();
    let (browser, person) = (Browser::new(), server.person());
    let tokens = server.sign_in_by(&browser, ONE, &person, "openid", None);
    sleep(OVER);
    let back = "http://127.0.0.1:9/signed-out";
    let mut url: url::Url = server.url("/logout").parse().expect("a URL");
    url.query_pairs_mut().append_pair("id_token_hint", tokens.id()).append_pair("post_logout_redirect_uri", back);
    assert_eq!(browser.get(&url).location().map(String::from).as_deref(), Some(back));
    let page = browser.ask(server, &Authorization::new(ONE, "openid"));
    assert!(matches!(page, Landing::Page(page) if page.form("username").is_some()), "signed out");
}

#[test]
fn a_client_that_is_never_there_is_given_up_at_the_end_and_not_before() {
    let party = RelyingParty::answering(&[Reply::Status(503); 20]);
    let server = Setup::new()
        .set("telemetry.format", "json")
        .set("outbound.allow_private_addresses", true)
        .set("sessions.logout.retry_for", "5s")
        .client(BACKEND.id, "backchannel_logout_uri", party.url("/back"))
        .start();
    let (browser, person) = (Browser::new(), server.person());
    server.sign_in_by(&browser, BACKEND, &person, "openid", None);
    let began = Instant::now();
    browser.sign_out(&server);
    until("it is given up", || !server.trail().all("SE3033", &[]).is_empty());
    // Whole seconds are counted: the fifth may begin a moment after the fourth.
    assert!(began.elapsed() >= Duration::from_secs(4), "{:?}", began.elapsed());
    server.trail().one("SE3033", &[("client_id", BACKEND.id), ("reason", "the client answered with status 503")]);
    assert_eq!(party.bodies().len(), server.trail().all("SE3032", &[]).len() + 1);
}
