//! Several people in one browser, who they are asked to be, and sessions that outlive the browser.

use crate::harness::cast::{CLAIMED, FIRST_PARTY, ONE};
use crate::harness::page::Page;
use crate::harness::{Authorization, Browser, Landing, Person, Server, Setup, Tokens, jwt, shared};

fn request() -> Authorization {
    Authorization::new(FIRST_PARTY, "openid")
}

/// Signs somebody in beside whoever is there.
fn sign_in(server: &Server, browser: &Browser, person: &Person) -> String {
    let request = request().set("prompt", "login");
    let mut page = browser.ask(server, &request).page();
    if page.form("account").is_some() {
        page = choose(server, browser, &page, "another").page();
    }
    subject(server, &request, &browser.submit_password(server, &page, &person.name, &person.password).code())
}

fn subject(server: &Server, request: &Authorization, code: &str) -> String {
    let tokens = Tokens(server.token(FIRST_PARTY, request.redeem(code)).ok());
    jwt::claims(tokens.id())["sub"].as_str().expect("a sub").to_owned()
}

fn choose(server: &Server, browser: &Browser, page: &Page, account: &str) -> Landing {
    let form = page.form("account").unwrap_or_else(|| panic!("no accounts:\n{}", page.body));
    let answer = browser.post(&form.action, &form.fields.and("account", account));
    browser.follow(server, answer)
}

/// The value of the button with that person's name.
fn account(page: &Page, name: &str) -> String {
    page.read(|document| {
        let button = document.descendants().find(|node| node.text() == Some(name) && node.has_attribute("value"));
        button.and_then(|button| button.attribute("value")).unwrap_or_else(|| panic!("no {name}:\n{}", page.body)).to_owned()
    })
}

#[test]
fn one_of_two_is_chosen() {
    let server = shared::usual();
    let browser = Browser::new();
    let (ada, bob) = (server.person(), server.person());
    let (sub_ada, sub_bob) = (sign_in(server, &browser, &ada), sign_in(server, &browser, &bob));
    for (person, sub) in [(&ada, &sub_ada), (&bob, &sub_bob)] {
        let request = request();
        let page = browser.ask(server, &request).page();
        let code = choose(server, &browser, &page, &account(&page, &person.name)).code();
        assert_eq!(subject(server, &request, &code), *sub);
    }
    let silent = request().set("prompt", "none");
    assert_eq!(browser.ask(server, &silent).error(&silent, server), "account_selection_required");
}

#[test]
fn hints_choose_without_a_word() {
    let server = shared::usual();
    let browser = Browser::new();
    let (ada, bob) = (server.person(), server.person());
    let request_ada = request();
    let page = browser.ask(server, &request_ada).page();
    let code = browser.submit_password(server, &page, &ada.name, &ada.password).code();
    let hint = Tokens(server.token(FIRST_PARTY, request_ada.redeem(&code)).ok()).id().to_owned();
    let sub_ada = jwt::claims(&hint)["sub"].as_str().expect("it is there").to_owned();
    let sub_bob = sign_in(server, &browser, &bob);

    let by_name = request().set("login_hint", &bob.name).set("prompt", "none");
    assert_eq!(subject(server, &by_name, &browser.ask(server, &by_name).code()), sub_bob);
    let by_token = request().set("id_token_hint", &hint).set("prompt", "none");
    assert_eq!(subject(server, &by_token, &browser.ask(server, &by_token).code()), sub_ada);
    // Even then a person may be asked to look twice.
    let ask = request().set("login_hint", &bob.name).set("prompt", "select_account");
    let page = browser.ask(server, &ask).page();
    assert!(page.form("account").is_some());
    let code = choose(server, &browser, &page, &account(&page, &ada.name)).code();
    assert_eq!(subject(server, &ask, &code), sub_ada);
}

#[test]
fn select_account_asks_even_one() {
    let server = shared::usual();
    let browser = Browser::new();
    let (ada, bob) = (server.person(), server.person());
    let sub_ada = sign_in(server, &browser, &ada);
    let ask = request().set("prompt", "select_account");
    let page = browser.ask(server, &ask).page();
    let code = choose(server, &browser, &page, &account(&page, &ada.name)).code();
    assert_eq!(subject(server, &ask, &code), sub_ada);

    // Chosen and signed in again, when both are wanted.
    let both = request().set("prompt", "select_account login");
    let page = browser.ask(server, &both).page();
    let page = choose(server, &browser, &page, &account(&page, &ada.name)).page();
    let form = page.form("password").expect("the sign-in page");
    assert!(form.fields.0.contains(&("username".to_owned(), ada.name.clone())), "the name is filled in: {form:?}");
    browser.submit_password(server, &page, &ada.name, &ada.password).code();

    let page = browser.ask(server, &request().set("prompt", "select_account")).page();
    let page = choose(server, &browser, &page, "another").page();
    browser.submit_password(server, &page, &bob.name, &bob.password).code();
}

#[test]
fn a_made_up_account_is_nobody() {
    let server = shared::usual();
    let (browser, other) = (Browser::new(), Browser::new());
    let (ada, bob) = (server.person(), server.person());
    sign_in(server, &browser, &ada);
    sign_in(server, &other, &bob);
    let theirs = account(&other.ask(server, &request().set("prompt", "select_account")).page(), &bob.name);
    let page = browser.ask(server, &request().set("prompt", "select_account")).page();
    let page = choose(server, &browser, &page, &theirs).page();
    assert!(page.form("password").is_some(), "somebody else's session is signed in to: {}", page.body);
    let page = browser.ask(server, &request().set("prompt", "select_account")).page();
    let form = page.form("account").expect("it is there");
    for nonsense in ["", "nobody", "../../etc"] {
        assert_eq!(browser.post(&form.action, &form.fields.clone().and("account", nonsense)).status, 400);
    }
}

#[test]
fn one_more_than_there_is_room_for() {
    let server = Setup::new().set("sessions.browser.accounts", 2).set("telemetry.format", "json").start();
    let browser = Browser::new();
    let people = [server.person(), server.person(), server.person()];
    for person in &people {
        sign_in(&server, &browser, person);
    }
    let page = browser.ask(&server, &request()).page();
    assert!(!page.body.contains(&people[0].name), "{}", page.body);
    account(&page, &people[1].name);
    account(&page, &people[2].name);
    server.trail().one("SE3011", &[("detail", "another person signed in")]);
}

#[test]
fn who_signs_out_is_gone_and_the_others_stay() {
    let server = shared::usual();
    let browser = Browser::new();
    let (ada, bob) = (server.person(), server.person());
    let request_ada = request();
    let page = browser.ask(server, &request_ada).page();
    let code = browser.submit_password(server, &page, &ada.name, &ada.password).code();
    let hint = Tokens(server.token(FIRST_PARTY, request_ada.redeem(&code)).ok()).id().to_owned();
    let sub_bob = sign_in(server, &browser, &bob);
    browser.get(&server.url(&format!("/logout?id_token_hint={hint}")).parse().expect("it is there"));
    let silent = request().set("prompt", "none");
    assert_eq!(subject(server, &silent, &browser.ask(server, &silent).code()), sub_bob);
    let page = browser.get(&server.url("/logout").parse().expect("it is there"));
    let form = page.form("logout").expect("it is there");
    browser.post(&form.action, &form.fields.and("logout", "yes"));
    let silent = request().set("prompt", "none");
    assert_eq!(browser.ask(server, &silent).error(&silent, server), "login_required");
    let left = browser.cookies(&server.url("/authorize").parse().expect("it is there")).unwrap_or_default();
    assert!(!left.contains("symbolon_session"), "{left}");
}

#[test]
fn a_browser_session_outlives_the_browser_if_the_person_wants_it() {
    let server = Setup::new().set("sessions.browser.persistent", "ask").set("sessions.kept.max_lifetime", "10d").start();
    for (keep, cookie) in [(false, "symbolon_session="), (true, "symbolon_kept=")] {
        let (browser, person) = (Browser::new(), server.person());
        let page = browser.ask(&server, &request()).page();
        let form = page.form("keep").expect("a choice");
        let fields = form.fields.without("keep").set("username", &person.name).set("password", &person.password);
        let fields = if keep { fields.and("keep", "yes") } else { fields };
        let answer = browser.post(&form.action, &fields);
        let set: Vec<&str> = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).collect();
        let own = set.iter().find(|text| text.starts_with(cookie)).unwrap_or_else(|| panic!("no {cookie}: {set:?}"));
        let life = own.split("Max-Age=").nth(1).and_then(|life| life.parse::<u64>().ok());
        assert_eq!(life.is_some_and(|life| (863_900..=864_000).contains(&life)), keep, "{own}");
        assert!(own.contains("HttpOnly") && own.contains("SameSite=Lax") && own.contains("Path=/"), "{own}");
        let silent = request().set("prompt", "none");
        browser.ask(&server, &silent).code();
    }
    let usual = Browser::new().ask(shared::usual(), &request()).page();
    assert!(usual.form("keep").is_none(), "nobody is asked who has no choice");
}

#[test]
fn a_second_tab_and_a_reload_disturb_nothing() {
    let server = shared::usual();
    let (browser, person) = (Browser::new(), server.person());
    let (first, second) = (Authorization::new(ONE, "openid"), Authorization::new(CLAIMED, "openid"));
    let (tab_one, tab_two) = (browser.ask(server, &first).page(), browser.ask(server, &second).page());
    // Signed in in the second tab; reloaded there; then the first is used as it stands.
    let consent = browser.submit_password(server, &tab_two, &person.name, &person.password).page();
    let reloaded = browser.get(&consent.url);
    assert_eq!(reloaded.form("decision").map(|form| form.fields.0), consent.form("decision").map(|form| form.fields.0));
    let other = browser.submit_password(server, &tab_one, &person.name, &person.password).page();
    let code = browser.decide(server, &other, "allow").code();
    server.token(ONE, first.redeem(&code)).ok();
    let code = browser.decide(server, &reloaded, "allow").code();
    server.token(CLAIMED, second.redeem(&code)).ok();
    let over = browser.get(&reloaded.url);
    assert_eq!((over.status, over.alert().is_some()), (400, true), "finished once");
}
