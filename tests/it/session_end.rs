//! The end of a device session: by whatever door, it takes every app's refresh token and every access token along.

use crate::harness::cast::{ONE, OPAQUE, TWO};
use crate::harness::{Authorization, Browser, Form, Person, Server, Setup, Tokens, jwt, shared, until};

/// A device with three apps on it, one of them with opaque tokens.
struct Device {
    person: Person,
    browser: Browser,
    one: Tokens,
    two: Tokens,
    opaque: Tokens,
}

impl Device {
    #[track_caller]
    fn new(server: &Server) -> Self {
        let (person, browser) = (server.person(), Browser::new());
        let one = server.sign_in_by(&browser, ONE, &person, "openid profile offline_access device_sso", None);
        let two = Tokens(server.exchange(TWO, &one, "openid offline_access").ok());
        let opaque = Tokens(server.exchange(OPAQUE, &one, "openid offline_access").ok());
        let device = Self { person, browser, one, two, opaque };
        for token in device.tokens() {
            assert!(server.is_active(token), "alive at first");
        }
        device
    }

    fn tokens(&self) -> [&str; 7] {
        let Self { one, two, opaque, .. } = self;
        [one.access(), one.refresh(), one.secret(), two.access(), two.refresh(), opaque.access(), opaque.refresh()]
    }

    /// Everything of the device is dead, whichever way one asks.
    #[track_caller]
    fn is_dead(&self, server: &Server) {
        for token in self.tokens() {
            assert!(!server.is_active(token), "still active: {token}");
        }
        for (client, tokens) in [(ONE, &self.one), (TWO, &self.two), (OPAQUE, &self.opaque)] {
            server.refresh(client, tokens.refresh()).refused(400, "invalid_grant");
            server.userinfo(tokens.access()).refused(401, "invalid_token");
        }
        server.exchange(TWO, &self.one, "openid").refused(400, "invalid_grant");
    }

    fn sid(&self) -> String {
        jwt::claims(self.one.id())["sid"].as_str().expect("sid").to_owned()
    }
}

#[test]
fn by_revoking_the_secret() {
    let server = shared::usual();
    let (device, other) = (Device::new(server), Device::new(server));
    server.revoke(TWO, device.one.secret());
    device.is_dead(server);
    for token in other.tokens() {
        assert!(server.is_active(token), "another device lives on");
    }
}

#[test]
fn by_logout_with_an_id_token_of_any_app() {
    let server = shared::usual();
    for by_the_second in [false, true] {
        let device = Device::new(server);
        let hint = if by_the_second { device.two.id() } else { device.one.id() };
        let mut url: url::Url = server.url("/logout").parse().expect("a URL");
        url.query_pairs_mut().append_pair("id_token_hint", hint);
        assert_eq!(Browser::new().get(&url).status, 200);
        device.is_dead(server);
    }
}

#[test]
fn logout_returns_to_a_registered_address_with_its_state() {
    let server = shared::usual();
    let device = Device::new(server);
    let form = Form::of(&[
        ("id_token_hint", device.one.id()),
        ("client_id", ONE.id),
        ("post_logout_redirect_uri", "http://127.0.0.1:9/signed-out"),
        ("state", "back again"),
    ]);
    let page = device.browser.post(&server.url("/logout").parse().expect("a URL"), &form);
    let location = page.location().expect("a redirect");
    assert!(location.as_str().starts_with("http://127.0.0.1:9/signed-out"));
    assert!(location.query_pairs().any(|(name, value)| name == "state" && value == "back again"));
    device.is_dead(server);
    let page = device.browser.ask(server, &Authorization::new(ONE, "openid")).page();
    assert!(page.form("username").is_some(), "the browser's own session ended too");
}

#[test]
fn logout_never_redirects_elsewhere() {
    let server = shared::usual();
    let device = Device::new(server);
    let url = server.url("/logout").parse().expect("a URL");
    for (hint, uri) in [
        (device.one.id(), "https://evil.example.com/"),
        (device.one.id(), "javascript:alert(1)"),
        (device.two.id(), "http://127.0.0.1:9/signed-out"),
        ("", "http://127.0.0.1:9/signed-out"),
        ("a.b.c", "http://127.0.0.1:9/signed-out"),
    ] {
        let browser = Browser::new();
        let page = browser.post(&url, &Form::of(&[("id_token_hint", hint), ("post_logout_redirect_uri", uri)]));
        let page = browser.follow(server, page).page();
        assert!(page.location().is_none(), "{uri}");
        assert!(page.is_html() && page.status < 500);
    }
}

#[test]
fn a_forged_hint_ends_nothing() {
    let server = shared::usual();
    let device = Device::new(server);
    for hint in [jwt::unsigned(device.one.id()), jwt::tampered(device.one.id(), "nonce", "x".into()), "x".to_owned()] {
        let mut url: url::Url = server.url("/logout").parse().expect("a URL");
        url.query_pairs_mut().append_pair("id_token_hint", &hint);
        assert!(Browser::new().get(&url).status < 500);
    }
    for token in device.tokens() {
        assert!(server.is_active(token));
    }
}

#[test]
fn without_a_hint_the_person_is_asked() {
    let server = shared::usual();
    let device = Device::new(server);
    let url = server.url("/logout").parse().expect("a URL");
    let page = device.browser.get(&url);
    assert_eq!(page.status, 200);
    let form = page.form("logout").expect("a question");
    assert!(form.buttons.contains(&("logout".to_owned(), "yes".to_owned())), "{form:?}");
    assert!(form.buttons.contains(&("logout".to_owned(), "no".to_owned())), "{form:?}");
    device.browser.post(&form.action, &form.fields.clone().and("logout", "no"));
    device.browser.ask(server, &Authorization::new(ONE, "openid profile")).code();
    let forged = device.browser.post(&form.action, &Form::of(&[("logout", "yes")]));
    assert!(forged.status == 400 || forged.form("logout").is_some(), "{}", forged.status);
    device.browser.ask(server, &Authorization::new(ONE, "openid profile")).code();
    let form = device.browser.get(&url).form("logout").expect("a question");
    device.browser.post(&form.action, &form.fields.and("logout", "yes"));
    let page = device.browser.ask(server, &Authorization::new(ONE, "openid profile")).page();
    assert!(page.form("username").is_some());
}

#[test]
fn by_an_administrator() {
    let server = shared::usual();
    let device = Device::new(server);
    server.command(&["session", "end", &device.sid()]).fine();
    device.is_dead(server);
    let device = Device::new(server);
    server.command(&["session", "end", "--user", &device.person.name, "--all"]).fine();
    device.is_dead(server);
    let page = device.browser.ask(server, &Authorization::new(ONE, "openid")).page();
    assert!(page.form("username").is_some(), "the browser session is one of them");
}

#[test]
fn with_the_person() {
    let server = shared::usual();
    let device = Device::new(server);
    server.command(&["user", "disable", &device.person.name]).fine();
    device.is_dead(server);
    let device = Device::new(server);
    server.command(&["user", "delete", &device.person.name]).fine();
    device.is_dead(server);
}

#[test]
fn a_code_that_waits_goes_with_the_sign_in_it_came_from() {
    type Ending = fn(&Server, &Person, &Browser);
    let endings: [(&str, Ending); 4] = [
        ("disabled", |server, person, _| _ = server.command(&["user", "disable", &person.name]).fine()),
        ("deleted", |server, person, _| _ = server.command(&["user", "delete", &person.name]).fine()),
        ("ended", |server, person, _| _ = server.command(&["session", "end", "--user", &person.name, "--all"]).fine()),
        ("signed out", |server, _, browser| {
            browser.sign_out(server);
        }),
    ];
    let server = shared::usual();
    for (name, end) in endings {
        for scope in ["openid", "openid offline_access", "openid offline_access device_sso"] {
            let (person, browser) = (server.person(), Browser::new());
            let request = Authorization::new(ONE, scope);
            let code = browser.authorize(server, &request, &person).code();
            end(server, &person, &browser);
            let answer = server.token(ONE, request.redeem(&code));
            assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_grant")), "{name}: {scope}");
        }
    }
}

#[test]
fn by_age_and_by_idleness() {
    // One second short of a promise would be a race: the session may die while it is being made, so it lives for eight.
    for limit in ["max_lifetime", "max_idle"] {
        let setup = Setup::new().set("sessions.device.max_idle", "8s");
        let server = if limit == "max_idle" { setup } else { setup.set("sessions.device.max_lifetime", "8s") }.start();
        let device = Device::new(&server);
        until("the session is over", || device.tokens().iter().all(|token| !server.is_active(token)));
        device.is_dead(&server);
    }
}

#[test]
fn an_old_sign_in_needs_the_browser_but_keeps_its_tokens() {
    let server = Setup::new().set("sessions.device.auth_lifetime", "3s").start();
    let device = server.device(ONE);
    until("the sign-in is too old", || {
        let answer = server.exchange(TWO, &device, "openid");
        answer.status == 400 && answer.json()["error"] == "interaction_required"
    });
    assert!(server.is_active(device.refresh()));
}

#[test]
fn revoking_one_apps_refresh_token_leaves_the_others_alone() {
    let server = shared::usual();
    let device = Device::new(server);
    server.revoke(TWO, device.two.refresh());
    assert!(!server.is_active(device.two.refresh()));
    assert!(!server.is_active(device.two.access()));
    assert!(server.is_active(device.one.refresh()));
    assert!(server.is_active(device.opaque.access()));
    server.exchange(TWO, &device.one, "openid").ok();
}

#[test]
fn with_the_last_app_that_was_signed_out() {
    let server = shared::usual();
    let device = server.device(ONE);
    server.revoke(ONE, device.refresh());
    server.exchange(TWO, &device, "openid").refused(400, "invalid_grant");
    // With another app on the device it goes on.
    let device = server.device(ONE);
    let two = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
    server.revoke(ONE, device.refresh());
    server.refresh(TWO, two.refresh()).ok();
    server.exchange(TWO, &device, "openid").ok();
    server.revoke(TWO, two.refresh());
    assert!(!server.is_active(two.access()));
}

#[test]
fn with_the_last_app_whose_token_was_stolen() {
    let server = shared::usual();
    let device = server.device(ONE);
    let next = Tokens(server.refresh(ONE, device.refresh()).ok());
    server.refresh(ONE, next.refresh()).ok();
    server.refresh(ONE, device.refresh()).refused(400, "invalid_grant");
    server.exchange(TWO, &device, "openid").refused(400, "invalid_grant");
}
