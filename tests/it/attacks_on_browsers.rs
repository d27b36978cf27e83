//! Attacks on a person's browser (RFC 9700 sections 4.2 to 4.16): framing, forged forms, repeated redirects, planted sessions.

use super::attacks::{signed_in, url};
use crate::harness::cast::{FIRST_PARTY, ONE};
use crate::harness::page::Page;
use crate::harness::{Authorization, Browser, Landing, Server, Tokens, jwt, shared};

/// The pages that a browser is shown on its way, by name.
#[track_caller]
fn pages(server: &Server) -> Vec<(&'static str, Browser, Page)> {
    let person = server.person();
    let fresh = |name, request: &Authorization| {
        let browser = Browser::new();
        let page = browser.ask(server, request).page();
        (name, browser, page)
    };
    let mut all = vec![
        fresh("sign-in", &Authorization::new(ONE, "openid")),
        fresh("unknown client", &Authorization::new(ONE, "openid").set("client_id", "nobody")),
        fresh("too long", &Authorization::new(ONE, "openid").set("ui_locales", &"a".repeat(40_000))),
    ];
    let (_, browser, page) = fresh("", &Authorization::new(ONE, "openid"));
    let wrong = browser.submit_password(server, &page, &person.name, "wrong").page();
    let consent = browser.submit_password(server, &wrong, &person.name, &person.password).page();
    all.push(("wrong password", browser, wrong));
    all.push(("consent", Browser::new(), consent));
    let (browser, _) = signed_in(server);
    let chooser = browser.ask(server, &Authorization::new(FIRST_PARTY, "openid").set("prompt", "select_account")).page();
    all.push(("account chooser", browser, chooser));
    let (browser, _) = signed_in(server);
    let question = browser.get(&url(&server.url("/logout")));
    let form = question.form("logout").expect("a question");
    let stays = browser.post(&form.action, &form.fields.clone().and("logout", "no"));
    let out = browser.post(&form.action, &form.fields.and("logout", "yes"));
    all.extend([
        ("still signed in", Browser::new(), stays),
        ("signed out", Browser::new(), out),
        ("sign-out", browser, question),
    ]);
    let (browser, _) = signed_in(server);
    let form = browser.get(&Authorization::new(FIRST_PARTY, "openid").set("response_mode", "form_post").url(server));
    assert!(form.form("code").is_some(), "{}", form.body);
    all.push(("form post", browser, form));
    all
}

/// RFC 9700 section 4.16, and what keeps codes out of caches and of other sites' sight (sections 4.2 and 4.3).
#[test]
fn every_page_is_guarded() {
    for (name, _, page) in pages(shared::usual()) {
        assert!(page.is_html(), "{name}");
        let header = |header: &str| page.header(header).unwrap_or_else(|| panic!("{name}: no {header}")).to_lowercase();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{name}: {policy}");
        assert!(policy.contains("base-uri 'none'") && !policy.contains("unsafe"), "{name}: {policy}");
        assert_eq!(header("x-frame-options"), "deny", "{name}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{name}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{name}");
        assert!(header("cache-control").contains("no-store"), "{name}");
        // Nothing is fetched from anywhere, and no link leads out with an address behind it.
        for outside in ["<img", "<iframe", "<link", "src=\"http", "href=\"http", "url("] {
            assert!(!page.body.contains(outside), "{name}: {outside}");
        }
    }
}

/// Whether an answer sends nobody anywhere, unless to come again with cookies and without what the form said.
fn leads_nowhere(server: &Server, answer: &Page) -> bool {
    answer.location().is_none_or(|to| to.as_str().split('?').next() == Some(&server.url("/logout")))
}

/// Section 4.7: no form of ours does anything for a browser that it was not given to.
#[test]
fn every_form_is_bound_to_its_browser() {
    let server = shared::usual();
    let victim = server.person();
    let mut seen = 0;
    for (name, _, page) in pages(server).into_iter().filter(|(name, ..)| *name != "form post" && *name != "too long") {
        let Some(form) = ["transaction", "proof"].into_iter().find_map(|field| page.form(field)) else { continue };
        seen += 1;
        let mut filled = form.fields.clone().set("username", &victim.name).set("password", &victim.password);
        for (button, value) in &form.buttons {
            if !button.is_empty() {
                filled = filled.set(button, value);
            }
        }
        let (signed_in, _) = signed_in(server);
        for (who, thief) in [("a new browser", Browser::new()), ("another person's browser", signed_in)] {
            for secret in ["transaction", "proof"] {
                let answer = thief.post(&form.action, &filled.clone().set(secret, "forged"));
                assert!(leads_nowhere(server, &answer), "{name}, {secret} forged");
            }
            let answer = thief.post(&form.action, &filled);
            assert!(leads_nowhere(server, &answer), "{name} in {who} led to {:?}", answer.location());
            let silent = Authorization::new(FIRST_PARTY, "openid").set("prompt", "none");
            let still = matches!(thief.ask(server, &silent), Landing::Client(_, answer) if answer.contains_key("code"));
            assert_eq!(still, who == "another person's browser", "{name} in {who} changed who is signed in");
        }
    }
    assert!(seen >= 5, "sign-in, wrong password, consent, account chooser, sign-out: {seen}");
}

/// Section 4.12: a redirect that repeats the form would hand the password to whoever is next.
#[test]
fn every_redirect_is_a_303_that_nobody_keeps() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let request = Authorization::new(ONE, "openid");
    let mut seen = Vec::new();
    let mut walk = |mut page: Page| {
        while let Some(location) = page.header("location").map(|location| page.url.join(location).expect("a URL")) {
            assert_eq!(page.status, 303, "{}", page.url);
            assert!(page.header("cache-control").is_some_and(|value| value.contains("no-store")), "{}", page.url);
            assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "{}", page.url);
            assert!(!location.as_str().contains("password") && !location.as_str().contains(&person.name), "{location}");
            seen.push(page.url.path().to_owned());
            if !location.as_str().starts_with(&server.issuer) {
                return page;
            }
            page = browser.get(&location);
        }
        page
    };
    let page = walk(browser.post(&url(&server.url("/authorize")), &request.form));
    let form = page.form("username").expect("the sign-in page");
    let filled = form.fields.set("username", &person.name).set("password", &person.password);
    let page = walk(browser.post(&form.action, &filled));
    let form = page.form("decision").expect("the consent page");
    walk(browser.post(&form.action, &form.fields.and("decision", "allow")));
    walk(browser.get(&request.url(server)));
    walk(browser.get(&request.clone().set("response_mode", "fragment").url(server)));
    let silent = Authorization::new(ONE, "openid").set("prompt", "none");
    let tokens = Tokens(server.token(ONE, silent.redeem(&browser.ask(server, &silent).code())).ok());
    let mut end = url(&server.url("/logout"));
    end.query_pairs_mut()
        .append_pair("id_token_hint", tokens.id())
        .append_pair("post_logout_redirect_uri", "http://127.0.0.1:9/signed-out");
    walk(browser.get(&end));
    assert!(seen.len() >= 5 && seen.iter().any(|path| path == "/logout"), "{seen:?}");
}

/// A session that somebody planted in another's browser learns nothing of who signs in there (session fixation).
#[test]
fn a_planted_session_does_not_become_the_victims() {
    let server = shared::usual();
    let (thief, owner) = signed_in(server);
    let planted = thief.cookies(&url(&server.url("/"))).expect("cookies");
    let victim_browser = Browser::new();
    victim_browser.plant(&url(&server.url("/")), &planted);
    let victim = server.person();
    let request = Authorization::new(FIRST_PARTY, "openid").set("prompt", "login");
    let page = victim_browser.ask(server, &request).page();
    let code = victim_browser.submit_password(server, &page, &victim.name, &victim.password).code();
    let signed_in = server.token(FIRST_PARTY, request.redeem(&code)).ok();
    let victim_sub = jwt::claims(signed_in["id_token"].as_str().expect("an ID token"))["sub"].clone();
    assert_ne!(victim_browser.cookies(&url(&server.url("/"))), Some(planted), "the session changes at sign-in");
    let silent = Authorization::new(FIRST_PARTY, "openid").set("prompt", "none");
    let tokens = server.token(FIRST_PARTY, silent.redeem(&thief.ask(server, &silent).code())).ok();
    let thief_sub = jwt::claims(tokens["id_token"].as_str().expect("an ID token"))["sub"].clone();
    assert_ne!(thief_sub, victim_sub, "{} is signed in as {}", owner.name, victim.name);
}
