//! The account API: what a person sees and ends of their own, by an app that they let do so. Who is let in is in `account_access`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::account::{ACCOUNT, DEVICE, Owner, ask, end, get, server, session, sessions, setup, sid};
use crate::harness::audit::Promises;
use crate::harness::cast::{BACKEND, CLAIMED, ONE, TWO};
use crate::harness::{Authorization, Browser, RelyingParty, jwt};

#[test]
fn sessions_are_shown_with_their_devices_and_apps() {
    let server = server();
    let owner = Owner::new(server);
    server.sign_in_by(&owner.browser, CLAIMED, &owner.person, "openid offline_access", None);
    server.exchange(ONE, &owner.device, "openid").ok();
    let all = sessions(server, owner.token());
    let kinds: Vec<&str> = all.iter().map(|one| one["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["browser", "device", "browser", "offline"], "oldest first: {all:#?}");
    let current: Vec<&Value> = all.iter().filter(|one| one["current"] == true).collect();
    assert_eq!(current.len(), 1);
    assert_eq!((&current[0]["id"], &current[0]["kind"]), (&json!(sid(&owner.account)), &json!("browser")));
    let device = &all[1];
    assert_eq!(device["id"], json!(sid(&owner.device)));
    assert_eq!(device["browser"], all[0]["id"], "through which it was signed in");
    let apps: Vec<&str> = device["apps"].as_array().expect("apps").iter().filter_map(|app| app["client_id"].as_str()).collect();
    assert_eq!(apps, [ONE.id, TWO.id]);
    assert_eq!(device["apps"][1]["client_name"], "The app app-two");
    for one in &all {
        for member in ["created", "auth_time", "last_used", "expires"] {
            assert!(one[member].is_u64(), "{member}: {one}");
        }
        assert!(one["acr"].is_string() && one["amr"] == json!(["pwd"]), "{one}");
        assert!(one.as_object().is_some_and(|one| !one.contains_key("cookie") && !one.contains_key("secrets")), "{one}");
    }
}

#[test]
fn a_browser_and_a_device_are_shown_as_they_call_themselves() {
    let server = server();
    let (person, browser) = (server.person(), Browser::calling_itself("Testzilla/5.0 (a phone)"));
    server.sign_in_by(&browser, TWO, &person, DEVICE, None);
    server.sign_in_by(&browser, TWO, &person, "openid offline_access", None);
    let account = server.sign_in_by(&browser, ONE, &person, ACCOUNT, None);
    let all = sessions(server, account.access());
    assert_eq!(all.len(), 3);
    for one in all {
        assert_eq!(one["description"], "Testzilla/5.0 (a phone)", "{one}");
    }
}

#[test]
fn a_device_is_signed_out_from_another_app() {
    let party = RelyingParty::answering(&[]);
    let server = setup()
        .set("outbound.allow_private_addresses", true)
        .client(BACKEND.id, "backchannel_logout_uri", party.url("/back"))
        .start();
    let owner = Owner::new(&server);
    server.exchange(BACKEND, &owner.device, "openid").ok();
    let ended = end(&server, &session(&sid(&owner.device)), owner.token());
    let ids: Vec<&str> = ended["ended"].as_array().expect("ids").iter().filter_map(Value::as_str).collect();
    assert_eq!(ids.len(), 2, "the device, and the browser on it: {ended}");
    assert_eq!(ids[0], sid(&owner.device));
    for token in [owner.device.access(), owner.device.refresh(), owner.device.secret()] {
        assert!(!server.is_active(token));
    }
    server.exchange(ONE, &owner.device, "openid").refused(400, "invalid_grant");
    let page = owner.elsewhere.ask(&server, &Authorization::new(TWO, "openid")).page();
    assert!(page.form("username").is_some(), "who holds the device is not let in again unasked");
    assert!(server.is_active(owner.token()), "the caller's own session lives on");
    assert_eq!(jwt::claims(&party.tokens(1)[0])["sid"], sid(&owner.device).as_str());

    let trail = server.trail();
    let event = trail.one("SE3011", &[("sid", &sid(&owner.device)), ("detail", "account")]);
    assert_eq!((&event["client_id"], &event["address"]), (&json!(ONE.id), &json!("127.0.0.1")));
    trail.keeps(&Promises::of(&server));
    // Gone is gone, and reads like what never was.
    ask(&server, Method::DELETE, &session(&sid(&owner.device)), owner.token()).refused(404, "invalid_request");
}

#[test]
fn a_device_that_was_signed_in_through_the_callers_own_browser_goes_alone() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let device = server.sign_in_by(&browser, TWO, &person, DEVICE, None);
    let account = server.sign_in_by(&browser, ONE, &person, ACCOUNT, None);
    assert_eq!(end(server, &session(&sid(&device)), account.access())["ended"], json!([sid(&device)]));
    assert!(server.is_active(account.access()));
}

#[test]
fn an_offline_session_goes_alone_and_a_browser_session_as_by_sign_out() {
    let server = server();
    let owner = Owner::new(server);
    let offline = server.sign_in_by(&owner.elsewhere, CLAIMED, &owner.person, "openid offline_access", None);
    assert_eq!(end(server, &session(&sid(&offline)), owner.token())["ended"], json!([sid(&offline)]));
    let all = sessions(server, owner.token());
    let browser = all.iter().find(|one| one["kind"] == "browser" && one["current"] == false).expect("the other browser");
    let browser = browser["id"].as_str().expect("an id");
    assert_eq!(end(server, &session(browser), owner.token())["ended"], json!([browser]));
    assert!(server.is_active(owner.device.refresh()), "offline access outlives the browser's session");
    // The caller may end its own.
    assert_eq!(end(server, &session(&sid(&owner.account)), owner.token())["ended"], json!([sid(&owner.account)]));
    ask(server, Method::GET, "/account/sessions", owner.token()).refused(401, "invalid_token");
}

#[test]
fn what_grew_out_of_a_browser_goes_with_it_where_the_operator_wants_that() {
    let server = setup().set("sessions.logout.offline_access", "end").start();
    let owner = Owner::new(&server);
    let all = sessions(&server, owner.token());
    let browser = all.iter().find(|one| one["kind"] == "browser" && one["current"] == false).expect("the other browser");
    let ended = end(&server, &session(browser["id"].as_str().expect("an id")), owner.token());
    assert_eq!(ended["ended"].as_array().map(Vec::len), Some(2), "{ended}");
    assert!(!server.is_active(owner.device.refresh()));
}

#[test]
fn everything_at_once_or_everything_else() {
    let server = server();
    let owner = Owner::new(server);
    let other = server.sign_in(ONE, &server.person(), DEVICE);
    for query in ["?except=all", "?expect=current", "?except=current&except=current", "?except="] {
        ask(server, Method::DELETE, &format!("/account/sessions{query}"), owner.token()).refused(400, "invalid_request");
    }
    assert_eq!(sessions(server, owner.token()).len(), 3, "nothing has ended");
    let ended = end(server, "/account/sessions?except=current", owner.token());
    assert_eq!(ended["ended"].as_array().map(Vec::len), Some(2), "{ended}");
    assert!(!server.is_active(owner.device.refresh()) && server.is_active(owner.token()));
    assert_eq!(sessions(server, owner.token()).len(), 1);

    let owner = Owner::new(server);
    let ended = end(server, "/account/sessions", owner.token());
    assert_eq!(ended["ended"].as_array().map(Vec::len), Some(3), "{ended}");
    assert!(!server.is_active(owner.device.refresh()));
    ask(server, Method::GET, "/account/sessions", owner.token()).refused(401, "invalid_token");
    assert!(server.is_active(other.refresh()), "somebody else's");
}

#[test]
fn an_app_on_a_device_keeps_the_browser_that_it_was_signed_in_through() {
    let server = server();
    let (person, browser) = (server.person(), Browser::new());
    let device = server.sign_in_by(&browser, ONE, &person, "openid offline_access device_sso symbolon:account", None);
    let elsewhere = server.sign_in(TWO, &person, DEVICE);
    let ended = end(server, "/account/sessions?except=current", device.access());
    assert_eq!(ended["ended"].as_array().map(Vec::len), Some(2), "{ended}");
    assert!(server.is_active(device.refresh()) && !server.is_active(elsewhere.refresh()));
    browser.ask(server, &Authorization::new(ONE, "openid")).code();
}

#[test]
fn another_persons_session_reads_like_one_that_never_was() {
    let server = server();
    let (owner, other) = (Owner::new(server), Owner::new(server));
    let never = "AAAAAAAAAAAAAAAAAAAAAA";
    let answers = [sid(&other.device).as_str(), sid(&other.account).as_str(), never, "no-id", "%00", "ds_x"].map(|id| {
        let answer = ask(server, Method::DELETE, &session(id), owner.token());
        answer.refused(404, "invalid_request");
        answer.body
    });
    assert!(answers.iter().all(|body| *body == answers[0]), "{answers:#?}");
    assert!(server.is_active(other.device.refresh()) && server.is_active(other.token()));
    let theirs = sid(&other.device);
    assert!(sessions(server, owner.token()).iter().all(|one| one["id"] != theirs.as_str()));
}

#[test]
fn consents_are_shown_and_revoked() {
    let server = server();
    let owner = Owner::new(server);
    let consents = || get(server, "/account/consents", owner.token())["consents"].clone();
    let ids: Vec<Value> = consents().as_array().expect("consents").iter().map(|one| one["client_id"].clone()).collect();
    assert_eq!(ids, [ONE.id, TWO.id]);
    let path = format!("/account/consents/{}", TWO.id);
    let revoked = end(server, &path, owner.token());
    assert_eq!((&revoked["consent"], &revoked["grants_ended"]), (&json!(true), &json!(1)), "{revoked}");
    assert_eq!(revoked["sessions_ended"], json!([sid(&owner.device)]));
    assert!(!server.is_active(owner.device.refresh()));
    let sub = jwt::claims(owner.device.id())["sub"].as_str().expect("a sub").to_owned();
    let trail = server.trail();
    let event = trail.one("SI2013", &[("client_id", TWO.id), ("subject", &sub)]);
    assert_eq!((&event["address"], &event["actor"]), (&json!("127.0.0.1"), &Value::Null));
    trail.one("SE3011", &[("sid", &sid(&owner.device)), ("detail", "consent revoked")]);
    trail.keeps(&Promises::of(server));
    ask(server, Method::DELETE, &path, owner.token()).refused(404, "invalid_request");
    for nobody in ["app-nobody", "a%2Fb", "%00", &"x".repeat(5000)] {
        ask(server, Method::DELETE, &format!("/account/consents/{nobody}"), owner.token()).refused(404, "invalid_request");
    }
    // Its own, too: then it is out.
    end(server, &format!("/account/consents/{}", ONE.id), owner.token());
    ask(server, Method::GET, "/account/consents", owner.token()).refused(401, "invalid_token");
}

#[test]
fn factors_are_counted_not_shown() {
    let server = server();
    let owner = Owner::new(server);
    assert_eq!(get(server, "/account/factors", owner.token()), json!({ "totp": false, "recovery_codes": 0 }));
}

#[test]
fn whatever_stands_in_the_path_ends_nothing() {
    let server = server();
    let owner = Owner::new(server);
    let id = sid(&owner.device);
    let shorter = &id[1..];
    for other in [
        shorter,
        &format!("{id}A"),
        &format!("{id}="),
        &format!("%20{id}"),
        &format!("{id}%20"),
        &format!("{id}%2F"),
        &format!("..%2F{id}"),
        "%FF%FE",
        "%F0%9F%94%91",
        "*",
        ";",
        "null",
        "-1",
        "%25",
    ] {
        for path in [session(other), format!("/account/consents/{other}")] {
            let answer = ask(server, Method::DELETE, &path, owner.token());
            assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        }
    }
    assert!(server.is_active(owner.device.refresh()));
}
