//! `symbolon demo`: the story against a running server, on its own feet and leaving nothing behind.

use crate::harness::cast::ONE;
use crate::harness::{Server, Setup};

fn with_interaction() -> Setup {
    Setup::new().property("op.deviceSSOHandler.scopeRequiringInteraction", "payments")
}

#[track_caller]
fn population(server: &Server) -> (String, String) {
    let list = |kind| server.command(&[kind, "list"]).fine().stdout;
    (list("client"), list("user"))
}

#[test]
fn it_plays_to_the_end_and_tidies_up() {
    for path in ["", "/tenant"] {
        let server = with_interaction().below(path).start();
        let before = population(&server);
        let ran = server.command(&["demo"]).fine();
        assert!(ran.stdout.lines().count() > 20, "it shows what it does: {}", ran.stdout);
        // Native to web is the third act: a browser that nobody is signed in to, and no form in it.
        let third =
            ran.stdout.split("3. App two opens a web page").nth(1).and_then(|rest| rest.split("4. What is refused").next());
        let third = third.unwrap_or_else(|| panic!("there is no third act: {}", ran.stdout));
        assert!(third.contains("session_transfer_token") && !third.contains("a form with"), "{third}");
        assert_eq!(population(&server), before, "nothing of it stays");
        let summary = server.command(&["demo", "--json"]).fine().json();
        assert!(summary.is_object(), "{summary}");
        server.sign_in(ONE, &server.person(), "openid");
    }
}

#[test]
fn it_fails_where_the_server_is_not_as_it_should_be() {
    let server = Setup::new().properties("op.deviceSSOHandler.enable=false\n").start();
    let before = population(&server);
    let said = server.command(&["demo"]).refused();
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(population(&server), before, "it tidies up after a failure too");
    server.kill();
    let said = server.command(&["demo"]).refused();
    assert!(!said.contains("panicked"), "{said}");
}
