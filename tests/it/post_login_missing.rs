//! A post-login action that is enabled and cannot be loaded: nobody is let in unjudged.

use std::fs;

use crate::harness::cast::FIRST_PARTY;
use crate::harness::{Authorization, Browser, Setup};
use crate::post_login_actions::{JUDGE, judged, refused};

const SWITCH: &str = "op.postLoginAction.judge.enable";

#[test]
fn a_server_does_not_start_without_an_action_that_is_enabled() {
    let missing_at = |switch: &str, value: &str, setup: Setup, what: &str| {
        let said = setup.property(switch, value).refused();
        assert!(said.contains("handler.action_missing") && said.contains(switch), "{what}: {said}");
        assert!(said.contains("handlers.properties:"), "{what}: where it says so: {said}");
        said
    };
    missing_at(SWITCH, "true", Setup::new(), "there is no library");
    missing_at(SWITCH, "TRUE", Setup::new().without_handlers(), "there is none at all");
    missing_at(SWITCH, "yes", Setup::new(), "nobody can say what that means");
    missing_at("op.postLoginAction.jugde.enable", "true", judged(&[]), "nobody reads a misspelt name");
    let said = missing_at(SWITCH, "true", Setup::new().handler_file("judge.so", "no library"), "its library is no library");
    assert!(said.contains("handler.left_out") && said.contains("judge.so"), "and why it is none: {said}");
}

#[test]
fn one_that_is_switched_off_may_be_missing() {
    for value in ["false", "False", ""] {
        let server = Setup::new().property(SWITCH, value).property("op.postLoginAction.judge.deny", "* Closed").start();
        assert!(server.log().contains("handler.unread_property"), "{value:?}");
    }
}

#[test]
fn one_in_service_stays_when_its_library_goes() {
    let server = judged(&[("deny", "* Closed")]).start();
    let (browser, person) = (Browser::new(), server.person());
    let asked = Authorization::new(FIRST_PARTY, "openid");
    let denied = || assert_eq!(refused(&server, &asked, browser.authorize(&server, &asked, &person)).1, "Closed");
    denied();
    let library = server.handler_file(&format!("{JUDGE}.so"));
    fs::write(&library, "no library").expect("the library");
    let said = server.command(&["handler", "reload"]).refused();
    assert!(said.contains("handler.left_out") && said.contains("stays"), "{said}");
    denied();
    fs::remove_file(&library).expect("the library");
    let said = server.command(&["handler", "reload"]).refused();
    assert!(said.contains("handler.action_missing") && said.contains(SWITCH), "{said}");
    denied();
    let said = server.command(&["config", "check"]).refused();
    assert!(said.contains("handler.action_missing"), "whoever asks before a start is told, too: {said}");

    // The operator's word, and nobody else's, lets people in without it.
    server.write_properties("op.deviceSSOHandler.enable=true\n");
    server.command(&["handler", "reload"]).fine();
    browser.ask(&server, &Authorization::new(FIRST_PARTY, "openid").set("prompt", "none")).code();
}
