//! Handlers that misbehave: broken files, panics, greed, two at once. The server says so in one sentence, and lives.

use crate::harness::app::now;
use crate::harness::binaries;
use crate::harness::cast::{DIRECTED, ONE, TWO};
use crate::harness::setup::DEFAULT_HANDLER;
use crate::harness::{Server, Setup, Tokens, jwt};

const PANICS: &str = "symbolon-test-handler-panics";
const GREEDY: &str = "symbolon-test-handler-greedy";

const ISOLATIONS: [&str; 3] = ["inline", "pool", "process"];

/// The greedy handler alone.
fn greedy(mode: &str) -> Setup {
    Setup::new().properties(&format!("test.greedy.enable=true\ntest.greedy.mode={mode}\n")).handler(GREEDY)
}

/// The same in each mode of isolation.
fn greedy_in_each(mode: &str) -> [Setup; 3] {
    ISOLATIONS.map(|isolation| greedy(mode).property("test.greedy.isolation", isolation))
}

#[test]
fn two_enabled_handlers_refuse_the_start_and_both_are_named() {
    let said = Setup::new().handler(PANICS).property("test.panics.enable", "true").refused();
    assert!(said.contains("LocalDeviceSsoHandler") || said.contains("default.so"), "{said}");
    assert!(said.contains("PanickingHandler") || said.contains(PANICS), "{said}");
}

#[test]
fn many_may_be_loaded_while_one_is_enabled() {
    let server = Setup::new().handler(PANICS).handler(GREEDY).start();
    let log = server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("OP7106")).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.contains("enabled=true")).count(), 1, "{lines:?}");
    server.exchange(TWO, &server.device(ONE), "openid").ok();
    let listed = server.command(&["handler", "list", "--json"]).fine().json();
    assert_eq!(listed.as_array().map(Vec::len), Some(3), "{listed}");
}

#[test]
fn broken_files_are_one_sentence_each_and_stop_nobody() {
    let whole = std::fs::read(binaries::handler(DEFAULT_HANDLER)).expect("the handler");
    let mut foreign = whole.clone();
    foreign[18] = 0xf3; // e_machine: another processor
    let server = Setup::new()
        .handler_file("a-empty.so", "")
        .handler_file("b-text.so", "this is no library\n")
        .handler_file("c-cut.so", &whole[..4096])
        .handler_file("d-half.so", &whole[..whole.len() / 2])
        .handler_file("e-foreign.so", foreign)
        .handler_file("f-server.so", std::fs::read(binaries::symbolon()).expect("the server")[..100_000].to_vec())
        .handler_file("notes.txt", "not looked at")
        .start();
    let log = server.log();
    for name in ["a-empty.so", "b-text.so", "c-cut.so", "d-half.so", "e-foreign.so", "f-server.so"] {
        assert_eq!(log.lines().filter(|line| line.contains(name)).count(), 1, "{name}: {log}");
    }
    assert!(!log.contains("notes.txt"), "{log}");
    server.exchange(TWO, &server.device(ONE), "openid").ok();
}

#[test]
fn a_panic_is_a_server_error_and_the_server_lives() {
    let server = Setup::new().properties("test.panics.enable=true\n").handler(PANICS).start();
    let device = server.device(ONE);
    for _ in 0..3 {
        let answer = server.exchange(TWO, &device, "openid");
        let code = answer.json()["error"].as_str().map(str::to_owned);
        // After failing again and again it may be taken out of service.
        assert!(matches!(code.as_deref(), Some("server_error" | "temporarily_unavailable")), "{}", answer.body);
        assert!(!answer.body.contains("panic"), "the cause is for the log: {}", answer.body);
    }
    assert_eq!(server.get("/readyz").status, 200);
    server.refresh(ONE, device.refresh()).ok();
    assert!(server.log().contains("panics in authorize"), "the log has the cause");
}

#[test]
fn a_panic_while_configuring_is_told_at_the_start_and_stops_nobody() {
    let server = Setup::new().handler(PANICS).property("test.panics.where", "configure").start();
    let said = server.log();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("PanickingHandler")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(lines[0].contains("OP7107") && lines[0].contains("panicked while it was configured"), "{said}");
    assert!(!said.contains("stack backtrace"), "{said}");
    server.exchange(TWO, &server.device(ONE), "openid").ok();
}

#[test]
fn greed_is_clamped_by_the_guard() {
    for setup in greedy_in_each("everything") {
        let limits = [
            ("tokens.access_token.max_lifetime", "1h"),
            ("tokens.id_token.max_lifetime", "2h"),
            ("sessions.device.max_lifetime", "10d"),
            ("sessions.device.max_idle", "10d"),
        ];
        let setup = setup.set("handlers.audiences", serde_json::json!(["https://api.example.com"]));
        let server = limits.into_iter().fold(setup, |setup, (name, value)| setup.set(name, value)).start();
        is_clamped(&server);
    }
}

/// Whatever the greedy handler wants, this is what an app is given.
#[track_caller]
fn is_clamped(server: &Server) {
    let device = server.device(ONE);
    let tokens = Tokens(server.exchange(TWO, &device, "openid profile").ok());
    assert!(!tokens.scope().iter().any(|value| value.contains("admin") || value.contains("root")), "{:?}", tokens.scope());
    assert!(tokens.0["expires_in"].as_u64().is_some_and(|seconds| seconds <= 3600));
    let (_, original) = server.verified(device.id());
    let (_, claims) = server.verified(tokens.id());
    for name in ["iss", "sub", "sid", "ds_hash", "auth_time", "acr", "amr"] {
        assert_eq!(claims[name], original[name], "{name}");
    }
    assert_eq!(claims["aud"], TWO.id);
    assert!(claims["exp"].as_u64().is_some_and(|exp| exp <= now() + 7200 + 5));
    assert_eq!(claims["harmless"], "kept");
    let (_, access) = server.verified(tokens.access());
    assert_eq!(access["sub"], original["sub"]);
    assert_ne!(access["scope"], "admin");
    assert_eq!(access["aud"], server.issuer.as_str(), "another audience than those the operator allows");
    if tokens.has("refresh_token") {
        let answer = server.introspect(tokens.refresh());
        assert!(answer["exp"].as_u64().is_none_or(|exp| exp <= now() + 10 * 86_400 + 5), "{answer}");
    }
    let info = server.userinfo(tokens.access()).ok();
    assert_eq!(info["sub"], original["sub"]);
    assert!(info["password"].is_null());
}

#[test]
fn the_ceiling_between_two_apps_holds_against_a_handler() {
    let server = greedy("everything").start();
    let tokens = Tokens(server.exchange(DIRECTED, &server.device(ONE), "openid profile").ok());
    assert!(!tokens.has("refresh_token"), "offline_access is not for this pair");
    assert!(tokens.scope().iter().all(|value| ["openid", "profile", "device_sso"].contains(value)), "{:?}", tokens.scope());
    assert!(jwt::claims(tokens.id())["sub"].is_string());
}

#[test]
fn nonsense_in_a_handlers_error_never_reaches_the_wire() {
    for setup in ["bad-error", "bad-member"].into_iter().flat_map(greedy_in_each) {
        let server = setup.start();
        let answer = server.exchange(TWO, &server.device(ONE), "openid");
        assert!(answer.status >= 400, "{}", answer.body);
        let code = answer.json()["error"].as_str().expect("a code").to_owned();
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
        assert_ne!(code, "success");
    }
}

#[test]
fn an_empty_folder_is_no_fault() {
    let server = Setup::new().without_handlers().start();
    server.exchange(TWO, &server.device(ONE), "openid").refused(400, "unsupported_grant_type");
}

#[test]
fn what_a_handler_keeps_with_a_grant_is_for_whoever_may_introspect() {
    let server = greedy("words").start();
    let person = server.person_with(&["name=Ada", "name#de=Ada auf Deutsch", "name#fr=Ada en français"]);
    let device = server.sign_in(ONE, &person, "openid profile offline_access device_sso");
    let answer = server.exchange(TWO, &device, "openid profile offline_access");
    assert!(!answer.body.contains("ticket"), "not for the client: {}", answer.body);
    let tokens = Tokens(answer.ok());
    for token in [tokens.access(), tokens.refresh()] {
        let shown = server.introspect(token);
        assert_eq!(shown["grant_data"], serde_json::json!({ "ticket": 42, "source": ONE.id }), "{shown}");
    }
    let refreshed = Tokens(server.refresh(TWO, tokens.refresh()).ok());
    assert_eq!(server.introspect(refreshed.access())["grant_data"]["ticket"], 42);
    // OpenID Connect Core section 5.2: claims in the languages that were named.
    let info = server.userinfo(refreshed.access()).ok();
    assert_eq!((&info["name"], &info["name#de"]), (&"Ada".into(), &"Ada auf Deutsch".into()));
    assert!(info["name#fr"].is_null() && info["given_name"].is_null(), "{info}");
}

#[test]
fn claims_for_an_id_token_that_is_not_issued_go_to_userinfo() {
    let server = greedy("no-id-token").start();
    let person = server.person();
    let device = server.sign_in(ONE, &person, "openid profile offline_access device_sso");
    let tokens = Tokens(server.exchange(TWO, &device, "openid profile device_sso").ok());
    assert!(!tokens.has("id_token") && !tokens.has("device_secret"), "both or neither: {:?}", tokens.0);
    let info = server.userinfo(tokens.access()).ok();
    assert_eq!(info["name"], "Ada Example");
    assert!(info["email"].is_null(), "{info}");
}
