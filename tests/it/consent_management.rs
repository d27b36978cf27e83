//! What people agreed to, as an operator lists and revokes it: the consent goes, and with it what the app was granted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::audit::Promises;
use crate::harness::cast::{BACKEND, CLAIMED, FIRST_PARTY, ONE, TWO};
use crate::harness::{Authorization, Browser, Landing, Person, RelyingParty, Server, Setup, Tokens, jwt, shared};

const DEVICE: &str = "openid profile offline_access device_sso";

#[track_caller]
fn listed(server: &Server, person: &Person) -> Vec<Value> {
    let list = server.command(&["consent", "list", &person.name, "--json"]).fine().json();
    list.as_array().expect("a list").clone()
}

#[track_caller]
fn clients(server: &Server, person: &Person) -> BTreeSet<String> {
    listed(server, person).iter().map(|given| given["client_id"].as_str().expect("a client").to_owned()).collect()
}

#[track_caller]
fn revoke(server: &Server, person: &Person, client: &str) -> Value {
    server.command(&["consent", "revoke", &person.name, client, "--json"]).fine().json()
}

fn sid(tokens: &Tokens) -> String {
    jwt::claims(tokens.id())["sid"].as_str().expect("a sid").to_owned()
}

#[test]
fn a_consent_is_listed_with_its_scope() {
    let server = shared::usual();
    let (person, browser) = (server.person(), Browser::new());
    assert!(listed(server, &person).is_empty());
    server.sign_in_by(&browser, ONE, &person, "openid profile", None);
    server.sign_in_by(&browser, CLAIMED, &person, "openid", None);
    server.sign_in_by(&browser, FIRST_PARTY, &person, "openid", None);
    assert_eq!(
        clients(server, &person),
        [CLAIMED.id.to_owned(), ONE.id.to_owned()].into(),
        "nobody is asked about the vendor's own"
    );
    server.sign_in_by(&browser, ONE, &person, "openid email", None);
    let one = listed(server, &person).into_iter().find(|given| given["client_id"] == ONE.id).expect("the consent");
    let mut scope: Vec<&str> = one["scope"].as_str().expect("a scope").split(' ').collect();
    scope.sort_unstable();
    assert_eq!(scope, ["email", "openid", "profile"]);
    assert!(one["given"].is_u64() && one["client_name"] == "The app app-one", "{one}");
    let text = server.command(&["consent", "list", &person.name]).fine().stdout;
    assert!(text.starts_with("client_id") && text.contains(ONE.id), "{text}");
    assert!(listed(server, &server.person()).is_empty(), "somebody else's");
}

#[test]
fn revoked_it_takes_what_the_app_was_granted_and_nothing_else() {
    let server = Setup::new().set("telemetry.format", "json").start();
    let (person, browser) = (server.person(), Browser::new());
    let device = server.sign_in_by(&browser, ONE, &person, DEVICE, None);
    let two = server.sign_in_by(&browser, TWO, &person, DEVICE, Some(device.secret()));
    let offline = server.sign_in_by(&browser, TWO, &person, "openid offline_access", None);
    let plain = server.sign_in_by(&browser, TWO, &person, "openid", None);
    let other = server.sign_in(TWO, &server.person(), DEVICE);
    assert_eq!(sid(&device), sid(&two));

    let revoked = revoke(&server, &person, TWO.id);
    assert_eq!((&revoked["consent"], &revoked["grants_ended"]), (&json!(true), &json!(3)), "{revoked}");
    assert_eq!(revoked["sessions_ended"], json!([sid(&offline)]), "nobody is left in it");
    for token in [two.access(), two.refresh(), offline.access(), offline.refresh(), plain.access()] {
        assert!(!server.is_active(token), "{token}");
    }
    server.userinfo(plain.access()).refused(401, "invalid_token");
    server.refresh(TWO, two.refresh()).refused(400, "invalid_grant");
    for token in [device.access(), device.refresh(), device.secret(), other.access(), other.refresh()] {
        assert!(server.is_active(token), "{token}");
    }
    assert_eq!(clients(&server, &person), [ONE.id.to_owned()].into());
    // They are asked again.
    let page = browser.ask(&server, &Authorization::new(TWO, "openid")).page();
    assert!(page.form("decision").is_some());
    let silent = Authorization::new(TWO, "openid").set("prompt", "none");
    assert_eq!(browser.ask(&server, &silent).error(&silent, &server), "consent_required");
    let Landing::Client(..) = browser.ask(&server, &Authorization::new(ONE, "openid profile")) else {
        panic!("the other app's consent is gone, too")
    };

    let sub = jwt::claims(device.id())["sub"].as_str().expect("a sub").to_owned();
    let trail = server.trail();
    let event = trail.one("SI2013", &[("client_id", TWO.id), ("subject", &sub), ("actor", "administrator")]);
    assert_eq!(event["detail"], "consent, 3 grants, 1 sessions");
    trail.one("SE3012", &[("sid", &sid(&offline)), ("detail", "consent revoke")]);
    trail.keeps(&Promises::of(&server));

    // The device goes with its last app.
    let revoked = revoke(&server, &person, ONE.id);
    assert_eq!(revoked["sessions_ended"], json!([sid(&device)]), "{revoked}");
    assert!(!server.is_active(device.secret()));
}

#[test]
fn all_of_them_at_once_and_with_the_server_stopped() {
    let server = Setup::new().start();
    let (person, browser) = (server.person(), Browser::new());
    let one = server.sign_in_by(&browser, ONE, &person, "openid", None);
    let claimed = server.sign_in_by(&browser, CLAIMED, &person, "openid", None);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(clients(&server, &person).len(), 2);
    let revoked = server.command(&["consent", "revoke", &person.name, "--all", "--json"]).fine().json();
    assert_eq!(revoked["revoked"].as_array().map(Vec::len), Some(2), "{revoked}");
    assert!(listed(&server, &person).is_empty());
    server.start_again();
    assert!(!server.is_active(one.access()) && !server.is_active(claimed.access()));
    let again = server.command(&["consent", "revoke", &person.name, "--all", "--json"]).fine().json();
    assert_eq!(again["revoked"], json!([]), "{again}");
}

#[test]
fn what_cannot_be_revoked() {
    let server = shared::usual();
    let person = server.person();
    let refused = |arguments: &[&str]| server.command(arguments).refused();
    assert!(refused(&["consent", "revoke", &person.name, ONE.id]).contains("no consent"));
    assert!(refused(&["consent", "revoke", &person.name, "no such app"]).contains("no consent"));
    assert!(refused(&["consent", "revoke", "nobody-of-that-name", ONE.id]).contains("there is no user"));
    assert!(refused(&["consent", "list", "nobody-of-that-name"]).contains("there is no user"));
    for arguments in [&["consent", "revoke", &person.name][..], &["consent", "revoke", &person.name, ONE.id, "--all"]] {
        assert_eq!(server.command(arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn an_app_that_was_let_in_without_consent_is_put_out_too() {
    let server = shared::usual();
    let person = server.person();
    let device = server.sign_in(ONE, &person, DEVICE);
    let two = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
    let revoked = revoke(server, &person, TWO.id);
    assert_eq!((&revoked["consent"], &revoked["grants_ended"]), (&json!(false), &json!(1)), "{revoked}");
    assert!(!server.is_active(two.refresh()) && server.is_active(device.refresh()));
    // No consent is asked within a family: what lets it in again is the device, not this person's word.
    server.exchange(TWO, &device, "openid").ok();
}

#[test]
fn a_code_that_waits_goes_with_its_consent() {
    let server = shared::usual();
    for scope in ["openid", "openid offline_access", DEVICE] {
        let (person, browser) = (server.person(), Browser::new());
        let request = Authorization::new(ONE, scope);
        let code = browser.authorize(server, &request, &person).code();
        revoke(server, &person, ONE.id);
        server.token(ONE, request.redeem(&code)).refused(400, "invalid_grant");
        // A code of a new consent is worth what it says.
        let request = Authorization::new(ONE, scope);
        let code = browser.authorize(server, &request, &person).code();
        server.token(ONE, request.redeem(&code)).ok();
    }
}

#[test]
fn an_app_without_grants_is_still_told_of_the_sign_out() {
    let party = RelyingParty::answering(&[]);
    let server = Setup::new()
        .set("outbound.allow_private_addresses", true)
        .client(BACKEND.id, "backchannel_logout_uri", party.url("/back"))
        .start();
    let (person, browser) = (server.person(), Browser::new());
    let tokens = server.sign_in_by(&browser, BACKEND, &person, "openid", None);
    revoke(&server, &person, BACKEND.id);
    assert!(!server.is_active(tokens.access()));
    assert!(party.bodies().is_empty(), "it is no sign-out");
    server.command(&["session", "end", "--user", &person.name, "--all"]).fine();
    assert_eq!(jwt::claims(&party.tokens(1)[0])["sid"], sid(&tokens).as_str());
}

#[test]
fn consents_go_with_their_person() {
    let server = Setup::new().start();
    let person = server.person();
    server.sign_in(ONE, &person, "openid");
    let records =
        |server: &Server| server.command(&["store", "stat", "--json"]).fine().json()["kinds"]["consent"]["records"].clone();
    assert_eq!(records(&server), json!(1));
    server.command(&["user", "delete", &person.name]).fine();
    assert!(records(&server).is_null() || records(&server) == json!(0), "{}", records(&server));
}
