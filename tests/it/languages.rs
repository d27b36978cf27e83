//! The languages of the pages: by `ui_locales`, by what the browser accepts, by what the operator offers.

use std::collections::BTreeMap;

use reqwest::header::ACCEPT_LANGUAGE;
use serde_json::json;

use crate::harness::cast::{FIRST_PARTY, ONE};
use crate::harness::page::{Page, is};
use crate::harness::server::http;
use crate::harness::{Authorization, Browser, Server, Setup, binaries, shared};
use crate::second_factor::ESSENTIAL_TWO_FACTOR;

/// The language that a page says it is in.
#[track_caller]
fn language(page: &Page) -> String {
    let tag = page.read(|document| document.root_element().attribute("lang").map(str::to_owned));
    tag.unwrap_or_else(|| panic!("no language:\n{}", page.body))
}

/// That nothing on the page is left in English.
#[track_caller]
fn is_german(page: &Page) {
    assert_eq!(language(page), "de", "{}", page.body);
    let file = binaries::repository().join("server/templates/words/de.json");
    let catalogue: BTreeMap<String, String> =
        serde_json::from_str(&std::fs::read_to_string(file).expect("a catalogue")).expect("a catalogue");
    page.read(|document| {
        for text in document.descendants().filter_map(|node| node.is_text().then(|| node.text()).flatten()) {
            let translated = catalogue.get(text.trim()).is_none_or(|german| german == text.trim());
            assert!(translated, "{text:?} is English:\n{}", page.body);
        }
    });
}

#[track_caller]
fn heading(page: &Page) -> String {
    page.read(|document| {
        let found = document.descendants().find(|node| is(*node, "h1")).and_then(|node| node.text().map(str::to_owned));
        found.expect("a heading")
    })
}

#[test]
fn a_whole_sign_in_is_in_the_language_that_the_app_asks_for() {
    let server = shared::usual();
    let (person, browser) = (server.person(), Browser::new());
    let request = Authorization::new(ONE, "openid email").set("ui_locales", "xx de-AT fr").set("claims", ESSENTIAL_TWO_FACTOR);
    let page = browser.ask(server, &request).page();
    is_german(&page);
    assert_eq!(heading(&page), "Anmelden");
    let wrong = browser.submit_password(server, &page, &person.name, "not it").page();
    is_german(&wrong);
    assert_eq!(wrong.alert().as_deref(), Some("Name und Passwort passen nicht zusammen."));
    let enrol = browser.submit_password(server, &wrong, &person.name, &person.password).page();
    is_german(&enrol);
    assert_eq!(heading(&enrol), "Authenticator-App einrichten");
    is_german(&browser.get(&enrol.url));

    let consent = Authorization::new(ONE, "openid email").set("ui_locales", "de");
    let page = browser.ask(server, &consent).page();
    is_german(&page);
    assert!(page.body.contains("Ihre E-Mail-Adresse sehen."), "{}", page.body);
    browser.decide(server, &page, "allow").code();
    let more =
        Authorization::new(ONE, "openid email").set("ui_locales", "de").set("claims", r#"{"userinfo":{"birthdate":null}}"#);
    if let crate::harness::Landing::Page(page) = browser.ask(server, &more) {
        is_german(&page);
    }

    let logout = |query: &str| browser.get(&server.url(&format!("/logout{query}")).parse().expect("a URL"));
    let page = logout("?ui_locales=de");
    is_german(&page);
    assert_eq!(language(&logout("")), "en", "nobody asked for anything else");
    let form = page.form("logout").expect("a form");
    let out = browser.post(&form.action, &form.fields.and("logout", "yes"));
    is_german(&out);
    assert_eq!(heading(&out), "Abgemeldet");
}

/// The sign-in page for a browser that accepts these languages.
fn page_for(server: &Server, ui_locales: &str, accept: &str) -> String {
    let request = Authorization::new(FIRST_PARTY, "openid").set("ui_locales", ui_locales);
    let answer = http().get(request.url(server)).header(ACCEPT_LANGUAGE, accept).send().expect("an answer");
    let body = answer.text().expect("a text");
    let at = body.find("lang=\"").expect("a language") + 6;
    body[at..at + 2].to_owned()
}

#[test]
fn what_the_app_leaves_open_the_browser_says() {
    let server = shared::usual();
    for (ui_locales, accept, shown) in [
        ("fr", "de", "fr"),
        ("", "de-CH, en;q=0.5", "de"),
        ("ja zh", "fr;q=0.1, ko", "fr"),
        ("", "*", "en"),
        ("", "", "en"),
        ("", "this is, no; list of=languages", "en"),
        ("../../etc/passwd <script>", "de", "de"),
    ] {
        assert_eq!(page_for(server, ui_locales, accept), shown, "{ui_locales:?}, {accept:?}");
    }
}

#[test]
fn the_operator_says_which_languages_are_offered() {
    let server = Setup::new().set("sign_in.languages", json!(["fr", "en"])).start();
    assert_eq!(server.get("/.well-known/openid-configuration").ok()["ui_locales_supported"], json!(["fr", "en"]));
    assert_eq!(page_for(&server, "de", "de"), "fr", "the first for everybody else");
    assert_eq!(page_for(&server, "de en", ""), "en");
    assert_eq!(shared::usual().get("/.well-known/openid-configuration").ok()["ui_locales_supported"], json!(["en", "de", "fr"]));
    let said = Setup::new().set("sign_in.languages", json!(["en", "tlh"])).refused();
    assert!(said.contains("config.languages") && said.contains("tlh"), "{said}");
}
