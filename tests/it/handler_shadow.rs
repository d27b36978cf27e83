//! A handler that watches: asked beside the enabled one, without any effect but a line and a number.

use std::fs;

use crate::harness::cast::{ONE, TWO};
use crate::harness::{Server, Setup, Tokens, until};

const HOSTILE: &str = "symbolon-test-handler-hostile";
const SHADOW: &str = "symbolon_handler_shadow_total";

/// The default handler, and as its shadow the same one with these properties over its own.
fn watched_by(properties: &str) -> Server {
    // The shadow's own properties are in a file; the folder of the server is not known before it starts.
    let server = Setup::new().start();
    fs::write(server.folder().join("shadow.properties"), properties).expect("a properties file");
    let settings = fs::read_to_string(server.config()).expect("the settings");
    let shadow = "[handlers]\nshadow = \"LocalDeviceSsoHandler\"\nshadow_properties = [\"shadow.properties\"]";
    fs::write(server.config(), settings.replace("[handlers]", shadow)).expect("the settings");
    server.command(&["handler", "reload"]).fine();
    server
}

#[test]
fn where_it_would_decide_otherwise_is_counted_and_logged() {
    let server = watched_by("op.deviceSSOHandler.scopeRequiringInteraction=payments\n");
    let person = server.person();
    let device = server.sign_in(ONE, &person, "openid profile email offline_access device_sso");
    let listed = server.command(&["handler", "list", "--json"]).fine().json();
    assert_eq!((&listed[0]["enabled"], &listed[0]["shadow"]), (&true.into(), &true.into()), "{listed}");

    server.exchange(TWO, &device, "openid profile").ok();
    until("the same decision is counted", || server.metric(SHADOW, &["result=\"same\""]) == 1);
    assert!(!server.log().contains("OP7113"), "there is nothing to say: {}", server.log());

    let tokens = Tokens(server.exchange(TWO, &device, "openid payments").ok());
    until("the other decision is counted", || server.metric(SHADOW, &["result=\"different\""]) == 1);
    let log = server.log();
    let line = log.lines().find(|line| line.contains("OP7113")).expect("a line about it");
    let sid = crate::harness::jwt::claims(device.id())["sid"].as_str().expect("a sid").to_owned();
    for part in ["app-two", &sid, "decides allowed", "would decide interaction_required"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    for secret in [tokens.access(), tokens.id(), device.id(), device.secret(), &person.name] {
        assert!(!line.contains(secret), "{line}");
    }

    fs::write(server.folder().join("shadow.properties"), "op.deviceSSOHandler.refreshToken.issue=false\n")
        .expect("a properties file");
    server.command(&["handler", "reload"]).fine();
    server.exchange(TWO, &device, "openid offline_access").ok();
    until("a field that differs is named", || server.log().contains("refresh_token: true or false"));
    assert_eq!(server.metric(SHADOW, &["result=\"different\""]), 2);
    assert_eq!(server.metric("symbolon_handler_calls_total", &["outcome=\"interaction_required\""]), 1, "of the shadow");
}

#[test]
fn whatever_becomes_of_it_the_exchange_is_none_the_wiser() {
    for (mode, isolation) in [("segfault", "process"), ("spin", "process"), ("no-text", "pool"), ("sleep", "inline")] {
        let server = Setup::new()
            .handler(HOSTILE)
            .property("test.hostile.mode", mode)
            .property("test.hostile.isolation", isolation)
            .property("test.hostile.isolation.deadline", "300ms")
            .property("test.hostile.millis", "2000")
            .set("handlers.shadow", "HostileHandler")
            .start();
        let device = server.device(ONE);
        for _ in 0..7 {
            server.exchange(TWO, &device, "openid payments").ok();
        }
        until("the shadow has failed", || server.metric(SHADOW, &["result=\"failed\""]) >= 1);
        assert_eq!(server.metric("symbolon_token_requests_total", &["token-exchange", "outcome=\"ok\""]), 7, "{mode}");
    }
}

#[test]
fn a_refused_exchange_is_compared_too() {
    let server = watched_by("op.deviceSSOHandler.scopeRequiringInteraction=payments\n");
    let device = server.device(ONE);
    // Refused before any handler is asked: nothing to compare.
    server.exchange(TWO, &device, "openid unheard_of").refused(400, "invalid_scope");
    server.write_properties("op.deviceSSOHandler.enable=true\nop.deviceSSOHandler.scopeRequiringInteraction=payments write\n");
    server.command(&["handler", "reload"]).fine();
    server.exchange(TWO, &device, "openid payments").refused(400, "interaction_required");
    until("it is the same refusal", || server.metric(SHADOW, &["result=\"same\""]) == 1);
    server.exchange(TWO, &device, "openid write").refused(400, "interaction_required");
    until("the shadow would have allowed it", || server.log().contains("would decide allowed"));
}

#[test]
fn a_shadow_that_is_not_there_is_a_finding() {
    let said = Setup::new().set("handlers.shadow", "NobodysHandler").refused();
    assert!(said.contains("handler.shadow") && said.contains("LocalDeviceSsoHandler"), "{said}");
    let said = Setup::new().set("handlers.shadow_properties", serde_json::json!(["/nowhere.properties"])).refused();
    assert!(said.contains("handlers.shadow_properties without handlers.shadow"), "{said}");
}
