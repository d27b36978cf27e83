//! Several words in `prompt`, each of which counts whatever their order, and whom `login_hint` means (OpenID Connect Core section 3.1.2.1).

use crate::harness::cast::{FIRST_PARTY, ONE};
use crate::harness::{Authorization, Browser, Tokens, jwt, shared};

fn request(prompt: &str) -> Authorization {
    Authorization::new(ONE, "openid").set("prompt", prompt)
}

#[test]
fn login_and_consent_ask_for_both() {
    let server = shared::usual();
    let (browser, person) = (Browser::new(), server.person());
    browser.authorize(server, &Authorization::new(ONE, "openid"), &person).code();
    browser.ask(server, &Authorization::new(ONE, "openid")).code();
    for prompt in ["login consent", "consent login"] {
        let page = browser.ask(server, &request(prompt)).page();
        let page = browser.submit_password(server, &page, &person.name, &person.password).page();
        browser.decide(server, &page, "allow").code();
    }
}

#[test]
fn all_three_ask_one_after_the_other() {
    let server = shared::usual();
    let (browser, person) = (Browser::new(), server.person());
    browser.authorize(server, &Authorization::new(ONE, "openid"), &person).code();
    let request = request("consent select_account login");
    let page = browser.ask(server, &request).page();
    let form = page.form("account").expect("the accounts");
    let own = &form.buttons.iter().find(|(name, value)| name == "account" && value != "another").expect("an account").1;
    let answer = browser.post(&form.action, &form.fields.and("account", own));
    let page = browser.follow(server, answer).page();
    assert!(page.form("username").is_some(), "{}", page.body);
    let page = browser.submit_password(server, &page, &person.name, &person.password).page();
    let code = browser.decide(server, &page, "allow").code();
    server.token(ONE, request.redeem(&code)).ok();
}

#[test]
fn none_goes_with_no_other_word() {
    let server = shared::usual();
    for prompt in ["none login", "consent none", "none select_account login"] {
        let request = request(prompt);
        assert_eq!(Browser::new().ask(server, &request).error(&request, server), "invalid_request", "{prompt}");
    }
}

#[test]
fn a_hint_at_another_person_than_the_one_who_is_there_asks_for_them() {
    let server = shared::usual();
    let (browser, ada, bob) = (Browser::new(), server.person(), server.person());
    let hinted = |name: &str| Authorization::new(FIRST_PARTY, "openid").set("login_hint", name);
    let subject = |request: &Authorization, code: &str| {
        let tokens = Tokens(server.token(FIRST_PARTY, request.redeem(code)).ok());
        jwt::claims(tokens.id())["sub"].as_str().expect("a sub").to_owned()
    };
    let first = hinted(&ada.name);
    let sub_ada = subject(&first, &browser.authorize(server, &first, &ada).code());

    let silent = hinted(&bob.name).set("prompt", "none");
    assert_eq!(browser.ask(server, &silent).error(&silent, server), "login_required");
    let request = hinted(&bob.name);
    let page = browser.ask(server, &request).page();
    let form = page.form("username").expect("the sign-in page");
    assert!(form.fields.0.contains(&("username".to_owned(), bob.name.clone())), "{form:?}");
    let sub_bob = subject(&request, &browser.submit_password(server, &page, &bob.name, &bob.password).code());
    assert_ne!(sub_ada, sub_bob);
    // Both are there now, and each is found by their name.
    for (person, sub) in [(&ada, &sub_ada), (&bob, &sub_bob)] {
        let silent = hinted(&person.name).set("prompt", "none");
        assert_eq!(subject(&silent, &browser.ask(server, &silent).code()), *sub);
    }
}

#[test]
fn a_hint_at_who_is_there_or_at_nobody_changes_nothing() {
    let server = shared::usual();
    let (browser, ada) = (Browser::new(), server.person());
    browser.authorize(server, &Authorization::new(FIRST_PARTY, "openid"), &ada).code();
    for hint in [ada.name.as_str(), "nobody-of-that-name", "ada@elsewhere.example", "\u{fc}"] {
        let silent = Authorization::new(FIRST_PARTY, "openid").set("login_hint", hint).set("prompt", "none");
        browser.ask(server, &silent).code();
    }
}
