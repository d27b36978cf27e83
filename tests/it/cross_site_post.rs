//! Forms of other sites that post to `/authorize` and `/logout`: browsers send no `SameSite=Lax` cookies along, so they are asked to come
//! again by themselves.

use serde_json::json;

use crate::harness::cast::{FIRST_PARTY, ONE};
use crate::harness::page::Page;
use crate::harness::server::http;
use crate::harness::{Authorization, Browser, Form, Landing, Server, shared};
use crate::third_party::chromium;

/// What a browser is answered that sends a form from another site: without its cookies.
#[track_caller]
fn posted(server: &Server, path: &str, form: &Form) -> Page {
    let page = Browser::new().post(&server.url(path).parse().expect("a URL"), form);
    assert!(page.headers.get("set-cookie").is_none(), "it would replace the browser's own: {:?}", page.headers);
    page
}

/// Where that leads the browser, on its own way.
#[track_caller]
fn comes_again(server: &Server, browser: &Browser, path: &str, form: &Form) -> Landing {
    let location = posted(server, path, form).location().expect("to come again");
    assert!(location.as_str().starts_with(&server.url(path)), "{location}");
    assert!(location.query().is_none_or(|query| query.len() <= 4096), "{location}");
    browser.follow(server, browser.get(&location))
}

#[test]
fn chromium_posts_from_another_site_and_stays_signed_in() {
    let server = shared::usual();
    let person = server.person();
    let told = chromium(
        "cross_site.mjs",
        &json!({
            "issuer": server.issuer, "client_id": FIRST_PARTY.id,
            "person": { "name": person.name, "password": person.password },
        }),
    );
    let expected = json!({
        "signed_in": "code", "posted": "code", "silent": "code", "hinted": "code", "long": "code", "form_post": "code",
        "other_tab": true, "asked": true, "said": "Signed out", "signed_out": true,
    });
    assert_eq!(told, expected);
}

#[test]
fn a_request_that_fits_comes_again_in_the_address() {
    let server = shared::usual();
    let (browser, person) = (Browser::new(), server.person());
    browser.authorize(server, &Authorization::new(FIRST_PARTY, "openid"), &person).code();
    for mode in ["query", "fragment", "form_post"] {
        let request = Authorization::new(FIRST_PARTY, "openid").set("prompt", "none").set("response_mode", mode);
        let request = request.set("state", "a&b=ü+ %");
        let parameters = comes_again(server, &browser, "/authorize", &request.form).parameters();
        assert_eq!(parameters["state"], "a&b=ü+ %", "{mode}");
        server.token(FIRST_PARTY, request.redeem(&parameters["code"])).ok();
    }
    let targets = Authorization::new(FIRST_PARTY, "openid").set("prompt", "none");
    let form = targets.form.clone().and("resource", "https://one.example.com/").and("resource", "https://two.example.com/");
    let location = posted(server, "/authorize", &form).location().expect("to come again");
    assert_eq!(location.query_pairs().filter(|(name, _)| name == "resource").count(), 2, "{location}");
}

#[test]
fn what_is_long_or_not_for_addresses_comes_again_by_reference() {
    let server = shared::usual();
    let (browser, person) = (Browser::new(), server.person());
    let tokens = server.sign_in_by(&browser, FIRST_PARTY, &person, "openid", None);
    let silent = || Authorization::new(FIRST_PARTY, "openid").set("prompt", "none");
    for (name, value) in [("id_token_hint", tokens.id()), ("x_long", &"x".repeat(9_000)), ("login_hint", &person.name)] {
        let request = silent().set(name, value);
        let location = posted(server, "/authorize", &request.form).location().expect("to come again");
        assert!(!location.as_str().contains(value) && location.as_str().len() < 200, "{location}");
        let code = browser.follow(server, browser.get(&location)).code();
        server.token(FIRST_PARTY, request.redeem(&code)).ok();
        // The page may be loaded again by who loaded it; for nobody else is there anything.
        browser.follow(server, browser.get(&location)).code();
        let stranger = Browser::new().get(&location);
        assert_eq!((stranger.status, stranger.location()), (400, None));
        // Nor is it a pushed request, or one of the other endpoint.
        let reference = location.query_pairs().find(|(name, _)| name == "posted").expect("a reference").1.into_owned();
        for uri in [reference.clone(), format!("urn:ietf:params:oauth:request_uri:{reference}")] {
            let page = browser.get(&silent().set("request_uri", &uri).url(server));
            assert!(page.location().is_none_or(|to| !to.as_str().contains("code=")), "{uri}");
        }
        let elsewhere = format!("{}?posted={reference}", server.url("/logout")).parse().expect("a URL");
        assert_eq!(browser.get(&elsewhere).status, 400);
    }
}

#[test]
fn nobody_goes_in_circles() {
    let server = shared::usual();
    let form = Authorization::new(ONE, "openid").form;
    for form in [form.clone(), form.and("login_hint", "ada")] {
        let location = posted(server, "/authorize", &form).location().expect("to come again");
        // A browser that keeps no cookies at all is shown the page, as ever.
        let page = Browser::new().get(&location);
        assert_eq!((page.status, page.location()), (200, None));
        assert!(page.form("username").is_some() && page.headers.get("set-cookie").is_some());
    }
    for (path, status) in [("/authorize", 400), ("/logout", 200)] {
        let location = posted(server, path, &Form::default()).location().expect("to come again");
        assert_eq!(Browser::new().get(&location).status, status, "{path}");
    }
}

#[test]
fn what_is_no_request_is_refused_at_once() {
    let server = shared::usual();
    for (body, status) in
        [("client_id=a&client_id=b".to_owned(), 400), ("client_id=%zz".to_owned(), 400), ("a".repeat(200_000), 413)]
    {
        let request =
            http().post(server.url("/authorize")).header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = Server::send(request);
        assert_eq!((answer.status, answer.header("set-cookie")), (status, None));
    }
}

#[test]
fn a_sign_out_from_another_site_ends_the_browsers_session() {
    let server = shared::usual();
    let (browser, person) = (Browser::new(), server.person());
    let tokens = server.sign_in_by(&browser, ONE, &person, "openid", None);
    let silent = Authorization::new(ONE, "openid").set("prompt", "none");
    // Nothing says whose request it is: the person is asked, and not told that they are signed out.
    let page = comes_again(server, &browser, "/logout", &Form::of(&[("state", "x")])).page();
    assert!(page.form("logout").is_some(), "{}", page.body);
    browser.ask(server, &silent).code();
    let back = "http://127.0.0.1:9/signed-out";
    let form = Form::of(&[("id_token_hint", tokens.id()), ("post_logout_redirect_uri", back), ("state", "a b")]);
    let location = posted(server, "/logout", &form).location().expect("to come again");
    assert!(!location.as_str().contains(tokens.id()), "{location}");
    let to = browser.get(&location).location().expect("back to the app");
    assert_eq!(to.as_str(), format!("{back}?state=a+b"));
    assert_eq!(browser.ask(server, &silent).error(&silent, server), "login_required");
}

/// What our own page's form says counts for nothing without the page's cookie.
#[test]
fn a_confirmation_does_not_come_again() {
    let server = shared::usual();
    let (browser, person) = (Browser::new(), server.person());
    server.sign_in_by(&browser, ONE, &person, "openid", None);
    let form = browser.get(&server.url("/logout").parse().expect("a URL")).form("logout").expect("a question");
    let location = posted(server, "/logout", &form.fields.and("logout", "yes")).location().expect("to come again");
    assert_eq!(location.query(), None);
    assert!(browser.get(&location).form("logout").is_some(), "asked again");
    browser.ask(server, &Authorization::new(ONE, "openid").set("prompt", "none")).code();
}

/// Credentials have no business here and are kept nowhere; session transfer tokens are made for addresses.
#[test]
fn no_secret_is_kept_for_later() {
    let server = shared::usual();
    let form = Authorization::new(FIRST_PARTY, "openid").form.and("client_secret", "a secret of an app");
    let location = posted(server, "/authorize", &form).location().expect("to come again");
    assert!(!location.as_str().contains("secret") && location.as_str().contains("client_id="), "{location}");
    for more in ["", "x"] {
        let form = form.clone().and("session_transfer_token", "stt_nobodys").and("x_extension", more);
        let location = posted(server, "/authorize", &form).location().expect("to come again");
        let beside = location.query_pairs().any(|(name, value)| name == "session_transfer_token" && value == "stt_nobodys");
        assert!(beside && location.as_str().contains("posted=") != more.is_empty(), "{location}");
        let page = Browser::new().get(&location);
        assert!(page.form("username").is_some(), "{}", page.body);
    }
}
