//! The `claims` parameter (OpenID Connect Core section 5.5): single claims for ID token and `UserInfo`, and a certain person.

use serde_json::Value;

use crate::harness::cast::{FIRST_PARTY, ONE};
use crate::harness::page::text;
use crate::harness::{Authorization, Browser, Landing, Person, Server, Tokens, jwt, shared};

fn ask(claims: &str) -> Authorization {
    Authorization::new(FIRST_PARTY, "openid offline_access").set("claims", claims)
}

fn tokens(server: &Server, person: &Person, request: &Authorization) -> Tokens {
    let code = Browser::new().authorize(server, request, person).code();
    Tokens(server.token(FIRST_PARTY, request.redeem(&code)).ok())
}

fn claims_of(tokens: &Tokens) -> Value {
    jwt::claims(tokens.id())
}

#[test]
fn each_claim_goes_where_it_was_asked_for() {
    let server = shared::usual();
    let person = server.person();
    let request = ask(r#"{"userinfo":{"given_name":{"essential":true}},"id_token":{"email":null,"locale":{"value":"de"}}}"#);
    let tokens = tokens(server, &person, &request);
    let id_token = claims_of(&tokens);
    assert_eq!((id_token["email"].as_str(), id_token["given_name"].as_str()), (Some("ada@example.com"), None));
    assert_eq!(id_token["locale"], "en-GB", "a wish for a value is no demand");
    let info = server.userinfo(tokens.access()).ok();
    assert_eq!((info["given_name"].as_str(), info["email"].as_str()), (Some("Ada"), None));

    let refreshed = Tokens(server.refresh(FIRST_PARTY, tokens.refresh()).ok());
    assert_eq!(claims_of(&refreshed)["email"], "ada@example.com", "OpenID Connect Core section 12.2");
    assert_eq!(server.userinfo(refreshed.access()).ok()["given_name"], "Ada");
}

#[test]
fn nothing_beyond_the_registration_is_released() {
    let server = shared::usual();
    let person = server.person_with(&["address={\"country\":\"CH\"}", "salary=1", "email=ada@example.com"]);
    let request = ask(
        r#"{"userinfo":{"salary":null,"address":null,"iss":null},"id_token":{"salary":null,"address":null,"sid":null,"exp":{"value":1}}}"#,
    );
    let tokens = tokens(server, &person, &request);
    let id_token = claims_of(&tokens);
    assert!(id_token["salary"].is_null() && id_token["address"].is_null(), "{id_token}");
    assert_ne!(id_token["exp"], 1);
    let info = server.userinfo(tokens.access()).ok();
    assert!(info["salary"].is_null() && info["address"].is_null() && info["iss"].is_null(), "{info}");
}

#[test]
fn what_is_asked_for_one_by_one_needs_consent() {
    let server = shared::usual();
    let person = server.person();
    let browser = Browser::new();
    let plain = || Authorization::new(ONE, "openid");
    browser.authorize(server, &plain(), &person).code();
    browser.ask(server, &plain()).code();

    let more = || plain().set("claims", r#"{"userinfo":{"email":null}}"#);
    assert_eq!(browser.ask(server, &more().set("prompt", "none")).parameters()["error"], "consent_required");
    let page = browser.ask(server, &more()).page();
    let all = page.read(|document| text(document.root_element()));
    assert!(all.contains("See your email"), "{all}");
    browser.decide(server, &page, "allow").code();
    browser.ask(server, &more()).code();
    assert!(matches!(browser.ask(server, &plain().set("claims", r#"{"id_token":{"name":null}}"#)), Landing::Page(_)));
}

#[test]
fn only_the_demanded_person_is_answered_for() {
    let server = shared::usual();
    let (ada, bob) = (server.person(), server.person());
    let browser = Browser::new();
    let request = ask("{}");
    let code = browser.authorize(server, &request, &ada).code();
    let sub = claims_of(&Tokens(server.token(FIRST_PARTY, request.redeem(&code)).ok()))["sub"]
        .as_str()
        .expect("it is there")
        .to_owned();
    let demand = |sub: &str| ask(&format!(r#"{{"id_token":{{"sub":{{"value":"{sub}"}}}}}}"#));
    browser.ask(server, &demand(&sub).set("prompt", "none")).code();
    let other = demand("somebody-else").set("prompt", "none");
    assert_eq!(browser.ask(server, &other).error(&other, server), "login_required");
    let page = Browser::new().ask(server, &demand(&sub)).page();
    let refused = Browser::new();
    let again = refused.ask(server, &demand(&sub)).page();
    assert!(page.form("username").is_some());
    let page = refused.submit_password(server, &again, &bob.name, &bob.password).page();
    assert!(page.alert().is_some_and(|text| text.contains("another person")), "{}", page.body);
}

#[test]
fn nonsense_is_refused() {
    let server = shared::usual();
    let long = format!(r#"{{"userinfo":{{"a":{{"value":"{}"}}}}}}"#, "x".repeat(17_000));
    for bad in ["nonsense", "[]", r#"{"userinfo":1}"#, r#"{"id_token":{"email":"yes"}}"#, long.as_str()] {
        let request = ask(bad);
        let landing = Browser::new().get(&request.url(server));
        assert!(landing.status == 303 || landing.status == 414, "{bad}: {}", landing.status);
        if let Some(location) = landing.location() {
            assert!(location.as_str().contains("error=invalid_request"), "{location}");
        }
    }
}
