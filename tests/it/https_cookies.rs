//! The cookies of a server whose issuer is https, as it is everywhere but on a developer's machine.

use crate::harness::cast::FIRST_PARTY;
use crate::harness::page::Page;
use crate::harness::server::http;
use crate::harness::{Authorization, Setup};

/// A cookie as set: name, value, attributes in lower case.
fn cookies(page: &reqwest::blocking::Response) -> Vec<(String, String, Vec<String>)> {
    let set = page.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    set.map(|text| {
        let mut parts = text.split("; ");
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a name and a value");
        (name.to_owned(), value.to_owned(), parts.map(str::to_lowercase).collect())
    })
    .collect()
}

#[test]
fn they_are_for_this_host_alone_and_for_tls() {
    let server = Setup::new().set("server.issuer", "https://id.example.com").start();
    let person = server.person();
    let mut request = Authorization::new(FIRST_PARTY, "openid");
    request = request.set("response_mode", "query");
    // The browser is behind a proxy that ends TLS; its jar would not send such cookies on this side of it.
    let asked = http().get(request.url(&server)).send().expect("an answer");
    let binding = cookies(&asked);
    let [(name, value, attributes)] = binding.as_slice() else { panic!("{binding:?}") };
    assert_eq!(name, "__Host-symbolon_browser");
    is_guarded(attributes);
    let page = Page {
        url: request.url(&server),
        status: asked.status().as_u16(),
        headers: asked.headers().clone(),
        body: asked.text().expect("a page"),
    };
    let form = page.form("username").expect("the sign-in page");
    assert_eq!(form.action.as_str(), "https://id.example.com/sign-in");
    let fields = form.fields.set("username", &person.name).set("password", &person.password);
    let answer = http()
        .post(server.url("/sign-in"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", format!("{name}={value}"))
        .body(fields.encoded())
        .send()
        .expect("an answer");
    assert_eq!(answer.status().as_u16(), 303);
    let set = cookies(&answer);
    let of = |name: &str| set.iter().find(|own| own.0 == name).unwrap_or_else(|| panic!("no {name}: {set:?}"));
    let (_, session, attributes) = of("__Host-symbolon_session");
    assert!(session.len() > 40);
    is_guarded(attributes);
    // This one is read by a script of ours in a frame of the app's page (Session Management section 3.2).
    let (_, _, attributes) = of("__Host-symbolon_state");
    let has = |attribute: &str| attributes.iter().any(|own| own == attribute);
    assert!(has("secure") && has("path=/") && has("samesite=none") && !has("httponly"), "{attributes:?}");
    assert!(!attributes.iter().any(|own| own.starts_with("domain")), "{attributes:?}");
    assert_eq!(set.len(), 2, "{set:?}");

    // A cookie without the prefix may have been set by another host: it is nobody's.
    let silent = Authorization::new(FIRST_PARTY, "openid").set("prompt", "none");
    let with = |prefix: &str| {
        let cookie = format!("{prefix}symbolon_browser={value}; {prefix}symbolon_session={session}");
        let answer = http().get(silent.url(&server)).header("cookie", cookie).send().expect("an answer");
        answer.headers()["location"].to_str().expect("an address").contains("code=")
    };
    assert!(with("__Host-") && !with(""));
}

/// The rules of the prefix (RFC 6265bis section 4.1.3.2), and no script, and no form of another site.
#[track_caller]
fn is_guarded(attributes: &[String]) {
    let has = |attribute: &str| attributes.iter().any(|own| own == attribute);
    assert!(has("secure") && has("httponly") && has("samesite=lax") && has("path=/"), "{attributes:?}");
    assert!(!attributes.iter().any(|own| own.starts_with("domain") || own.starts_with("max-age")), "{attributes:?}");
}
