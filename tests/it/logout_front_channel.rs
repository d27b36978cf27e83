//! Front-channel logout: the browser that signs out loads a page of each client that took part, and goes on; and the page that apps ask
//! about the browser's state.

use serde_json::json;

use crate::harness::cast::{BACKEND, BACKEND_POST, ONE, SECRET};
use crate::harness::page::is;
use crate::harness::{Authorization, Browser, Form, RelyingParty, Server, Setup, jwt, shared};
use crate::third_party::chromium;

const FRONT: &str = "https://backend.example.com/front?x=1";

fn server() -> Server {
    Setup::new()
        .client(BACKEND.id, "frontchannel_logout_uri", FRONT)
        .client(BACKEND.id, "frontchannel_logout_session_required", true)
        .client(BACKEND_POST.id, "frontchannel_logout_uri", "https://backend.example.com/other")
        .start()
}

#[test]
fn every_client_of_the_session_is_framed_and_then_the_browser_goes_on() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let tokens = server.sign_in_by(&browser, BACKEND, &person, "openid", None);
    server.sign_in_by(&browser, BACKEND_POST, &person, "openid", None);
    let one = server.sign_in_by(&browser, ONE, &person, "openid", None);
    let form =
        Form::of(&[("id_token_hint", one.id()), ("post_logout_redirect_uri", "http://127.0.0.1:9/signed-out"), ("state", "a&b")]);
    let page = browser.post(&server.url("/logout").parse().expect("a URL"), &form);
    assert_eq!((page.status, page.location()), (200, None));
    let (frames, refresh, link) = page.read(|document| {
        let all = |name: &str, attribute: &str| -> Vec<String> {
            document
                .descendants()
                .filter(|node| is(*node, name))
                .filter_map(|node| node.attribute(attribute))
                .map(str::to_owned)
                .collect()
        };
        (all("iframe", "src"), all("meta", "content"), all("a", "href"))
    });
    let sid = jwt::claims(tokens.id())["sid"].as_str().expect("sid").to_owned();
    let iss: String = url::form_urlencoded::byte_serialize(server.issuer.as_bytes()).collect();
    assert_eq!(frames, [format!("{FRONT}&iss={iss}&sid={sid}"), "https://backend.example.com/other".to_owned()]);
    let to = "http://127.0.0.1:9/signed-out?state=a%26b";
    assert_eq!(link, [to]);
    assert!(refresh.contains(&format!("5;url={to}")), "{refresh:?}");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.ends_with("; frame-src https://backend.example.com"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
    let page = browser.ask(&server, &Authorization::new(ONE, "openid")).page();
    assert!(page.form("username").is_some(), "signed out");
    assert!(!page.header("content-security-policy").expect("a policy").contains("frame-src"), "on that page only");
}

#[test]
fn without_a_client_to_frame_there_is_no_page_between() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let one = server.sign_in_by(&browser, ONE, &person, "openid", None);
    let form = Form::of(&[("id_token_hint", one.id()), ("post_logout_redirect_uri", "http://127.0.0.1:9/signed-out")]);
    let page = browser.post(&server.url("/logout").parse().expect("a URL"), &form);
    assert_eq!(page.location().map(String::from).as_deref(), Some("http://127.0.0.1:9/signed-out"));
}

#[test]
fn chromium_loads_the_frames_and_the_page_that_apps_ask_knows_what_changed() {
    let party = RelyingParty::answering(&[]);
    let (back, out) = (party.url("/callback"), party.url("/out"));
    let server = Setup::new()
        .client(BACKEND.id, "redirect_uris", json!([back]))
        .client(BACKEND.id, "post_logout_redirect_uris", json!([out]))
        .client(BACKEND.id, "frontchannel_logout_uri", party.url("/front"))
        .client(BACKEND.id, "frontchannel_logout_session_required", true)
        .start();
    let person = server.person();
    let told = chromium(
        "logout.mjs",
        &json!({
            "issuer": server.issuer,
            "person": { "name": person.name, "password": person.password },
            "backend": { "client_id": BACKEND.id, "client_secret": SECRET, "redirect_uri": back, "signed_out_uri": out },
        }),
    );
    assert_eq!(told["before"], json!(["unchanged", "changed", "error"]), "own client, another client, no message of ours");
    assert_eq!(told["after"], json!(["changed", "unchanged"]), "what the app holds, and what it would hold now");
    assert_eq!(told["complaints"], json!([]), "blocked by the content security policy?");
    let iss: String = url::form_urlencoded::byte_serialize(server.issuer.as_bytes()).collect();
    let frame = format!("GET /front?iss={iss}&sid={} HTTP/1.1", told["sid"].as_str().expect("sid"));
    assert!(party.asked().contains(&frame), "{:?}", party.asked());
}

#[test]
fn discovery_says_so() {
    let document = shared::usual().get("/.well-known/openid-configuration").ok();
    assert_eq!(document["frontchannel_logout_supported"], true);
    assert_eq!(document["frontchannel_logout_session_supported"], true);
}
