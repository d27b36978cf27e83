//! How the answer travels to the client: in the query, in the fragment, or in a form.

use crate::harness::cast::{BACKEND, DOTLESS, ONE};
use crate::harness::{Authorization, Browser, Landing, shared};

#[test]
fn a_code_comes_in_the_fragment() {
    let server = shared::usual();
    let request = Authorization::new(ONE, "openid").set("response_mode", "fragment");
    let Landing::Client(url, parameters) = Browser::new().authorize(server, &request, &server.person()) else {
        panic!("no answer")
    };
    assert_eq!(url.query(), None, "nothing for the web server: {url}");
    assert_eq!((parameters["state"].as_str(), parameters["iss"].as_str()), (request.state.as_str(), server.issuer.as_str()));
    server.token(ONE, request.redeem(&parameters["code"])).ok();
}

#[test]
fn a_code_comes_in_a_form() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let request = Authorization::new(BACKEND, "openid").set("response_mode", "form_post");
    let Landing::Client(url, parameters) = browser.authorize(server, &request, &person) else { panic!("no answer") };
    assert_eq!(url.as_str(), BACKEND.redirect, "nothing in the address");
    assert_eq!((parameters["state"].as_str(), parameters["iss"].as_str()), (request.state.as_str(), server.issuer.as_str()));
    server.token(BACKEND, request.redeem(&parameters["code"])).ok();

    // The page itself, now that no form is in the way.
    let page = browser.get(&request.url(server));
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(page.form("code").is_some() && page.body.contains("<button type=\"submit\">"), "a button for those without scripts");
}

#[test]
fn errors_come_as_the_request_wants_its_answer() {
    let server = shared::usual();
    for mode in ["query", "fragment", "form_post"] {
        let request = Authorization::new(DOTLESS, "openid").set("response_mode", mode).set("prompt", "none");
        let landing = Browser::new().ask(server, &request);
        let Landing::Client(url, _) = &landing else { panic!("no answer") };
        assert_eq!((url.query().is_some(), url.fragment().is_some()), (mode == "query", mode == "fragment"), "{url}");
        assert_eq!(landing.error(&request, server), "login_required");
    }
}

#[test]
fn an_unknown_mode_is_refused_in_the_usual_one() {
    let server = shared::usual();
    let request = Authorization::new(ONE, "openid").set("response_mode", "carrier_pigeon");
    let landing = Browser::new().ask(server, &request);
    let Landing::Client(url, _) = &landing else { panic!("no answer") };
    assert!(url.query().is_some());
    assert_eq!(landing.error(&request, server), "invalid_request");
}
