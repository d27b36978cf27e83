//! Handlers exchanged while the server runs: by signal, by command, by watching; all or nothing, and without anybody noticing.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value;

use crate::harness::binaries;
use crate::harness::cast::{ONE, TWO};
use crate::harness::process::{children, signal};
use crate::harness::setup::DEFAULT_HANDLER;
use crate::harness::{Server, Setup, Tokens, until};

const HOSTILE: &str = "symbolon-test-handler-hostile";
const PANICS: &str = "symbolon-test-handler-panics";

/// Properties of the default handler that give access tokens of so many seconds.
fn lifetime(seconds: u64) -> String {
    format!("op.deviceSSOHandler.enable=true\nop.deviceSSOHandler.accessToken.lifetime={seconds}\n")
}

#[track_caller]
fn issued(server: &Server, device: &Tokens) -> Value {
    server.exchange(TWO, device, "openid").ok()["expires_in"].clone()
}

#[track_caller]
fn reload(server: &Server) -> Value {
    server.command(&["handler", "reload", "--json"]).fine().json()
}

#[track_caller]
fn changes(answer: &Value) -> Vec<&str> {
    answer["changes"].as_array().expect("changes").iter().filter_map(Value::as_str).collect()
}

#[test]
fn new_properties_by_command_by_signal_and_by_watching() {
    let server = Setup::new().properties(&lifetime(60)).set("handlers.watch", "100ms").start();
    let device = server.device(ONE);
    assert_eq!(issued(&server, &device), 60);
    server.write_properties(&lifetime(70));
    until("the watcher has seen it", || issued(&server, &device) == 70);
    assert!(
        server.log().contains("OP7108") && server.log().contains("LocalDeviceSsoHandler has new properties"),
        "{}",
        server.log()
    );

    let server = Setup::new().properties(&lifetime(60)).start();
    let device = server.device(ONE);
    server.write_properties(&lifetime(80));
    assert_eq!(issued(&server, &device), 60, "nobody has asked for it");
    let answer = reload(&server);
    assert_eq!(changes(&answer), ["LocalDeviceSsoHandler has new properties"]);
    assert_eq!(answer["handlers"][0]["enabled"], true);
    assert_eq!(issued(&server, &device), 80);
    assert!(changes(&reload(&server)).is_empty(), "nothing has changed since");
    let said = server.command(&["handler", "reload"]).fine().stdout;
    assert_eq!(said, "nothing has changed\n");

    server.write_properties(&lifetime(90));
    signal(server.id(), "HUP");
    until("the signal was obeyed", || issued(&server, &device) == 90);
    assert_eq!(server.metric("symbolon_handler_reloads_total", &["outcome=\"ok\""]), 4);
}

#[test]
fn a_reload_that_cannot_be_is_told_and_changes_nothing() {
    let server = Setup::new().properties(&lifetime(60)).handler(PANICS).start();
    let device = server.device(ONE);
    let refused = |what: &str, expected: &[&str]| {
        let said = server.command(&["handler", "reload"]).refused();
        for part in expected {
            assert!(said.contains(part), "{what}: {part} is missing in {said}");
        }
        assert_eq!(issued(&server, &device), 60, "{what}");
        let json = server.command(&["handler", "reload", "--json"]);
        let findings: Value = serde_json::from_str(&json.stderr).expect("findings as JSON");
        assert!(findings["findings"].as_array().is_some_and(|list| !list.is_empty()), "{json:?}");
    };

    server.write_properties("op.deviceSSOHandler.enable=maybe\nop.deviceSSOHandler.accessToken.lifetiem=7\n");
    refused(
        "unreadable properties",
        &["handlers.properties:1", "handlers.properties:2", "did you mean op.deviceSSOHandler.accessToken.lifetime?"],
    );
    server.write_properties(&(lifetime(70) + "test.panics.enable=true\ntest.panics.where=never\n"));
    refused("two enabled", &["handler.two_enabled", "LocalDeviceSsoHandler", "PanickingHandler", "test.panics.enable"]);

    server.write_properties(&lifetime(70));
    let file = server.handler_file("default.so");
    let whole = fs::read(&file).expect("the library");
    fs::write(&file, &whole[..whole.len() / 3]).expect("the library");
    refused("a spoiled library", &["default.so", "cut off", "the handler that is in service stays"]);
    fs::write(server.folder().join("symbolon.toml"), "[server]\nlisten = 5\n").expect("the settings");
    signal(server.id(), "HUP");
    until("the signal was refused", || server.log().contains("config.wrong_type"));
    assert_eq!(issued(&server, &device), 60);
    assert!(server.log().contains("OP7112"));
    assert!(server.metric("symbolon_handler_reloads_total", &["outcome=\"refused\""]) >= 7);
}

#[test]
fn libraries_come_are_replaced_and_go() {
    let server = Setup::new().properties(&lifetime(60)).start();
    let device = server.device(ONE);
    let file = server.handler_file("default.so");
    let whole = fs::read(&file).expect("the library");

    // Overwritten in place, with other bytes at its end: another library.
    let mut other = whole.clone();
    other.extend_from_slice(b"another build");
    fs::write(&file, &other).expect("the library");
    assert_eq!(changes(&reload(&server)), ["LocalDeviceSsoHandler is replaced: 0.1.0 instead of 0.1.0"]);
    assert_eq!(issued(&server, &device), 60);

    // Another handler under the same file name.
    server.write_properties("test.hostile.enable=true\n");
    fs::copy(binaries::handler(HOSTILE), &file).expect("the library");
    assert_eq!(changes(&reload(&server)), ["HostileHandler 0.1.0 is loaded and enabled", "LocalDeviceSsoHandler is gone"]);
    assert_eq!(issued(&server, &device), 600, "it knows no lifetime");
    assert_eq!(server.metric("symbolon_handler_calls_total", &["HostileHandler", "allowed"]), 1);

    // None, and back again.
    fs::remove_file(&file).expect("the library");
    assert_eq!(changes(&reload(&server)), ["HostileHandler is gone"]);
    server.exchange(TWO, &device, "openid").refused(400, "unsupported_grant_type");
    assert_eq!(server.get("/.well-known/openid-configuration").json()["native_sso_supported"], false);
    server.write_properties(&lifetime(90));
    fs::write(&file, &whole).expect("the library");
    assert_eq!(changes(&reload(&server)), ["LocalDeviceSsoHandler 0.1.0 is loaded and enabled"]);
    assert_eq!(issued(&server, &device), 90);
    assert_eq!(server.get("/.well-known/openid-configuration").json()["native_sso_supported"], true);

    // Without its folder nothing is known; that is no reason to let go of what works.
    let folder = server.folder().join("handlers");
    let away = server.folder().join("away");
    fs::rename(&folder, &away).expect("a folder");
    let said = server.command(&["handler", "reload"]).refused();
    assert!(said.contains("handlers") && said.contains("cannot be read"), "{said}");
    assert_eq!(issued(&server, &device), 90);
    fs::rename(&away, &folder).expect("a folder");
    assert!(changes(&reload(&server)).is_empty());

    // A bad one beside it is told and stops nobody.
    fs::write(server.handler_file("new.so"), &whole[..5000]).expect("a library");
    let answer = reload(&server);
    assert!(answer["warnings"].to_string().contains("new.so"), "{answer}");
    assert_eq!(issued(&server, &device), 90);
}

#[test]
fn isolation_is_a_matter_of_a_property_too() {
    let server = Setup::new().properties(&lifetime(60)).start();
    let device = server.device(ONE);
    assert!(children(server.id()).is_empty());
    server
        .write_properties(&(lifetime(61) + "op.deviceSSOHandler.isolation=process\nop.deviceSSOHandler.isolation.processes=3\n"));
    reload(&server);
    assert_eq!(issued(&server, &device), 61);
    until("three processes host it", || children(server.id()).len() == 3);
    server.write_properties(&(lifetime(62) + "op.deviceSSOHandler.isolation=pool\n"));
    reload(&server);
    assert_eq!(issued(&server, &device), 62);
    until("its processes are gone", || children(server.id()).is_empty());
}

#[test]
fn no_exchange_fails_because_of_a_reload() {
    for isolation in ["inline", "pool", "process"] {
        let properties = |seconds: u64| format!("{}op.deviceSSOHandler.isolation={isolation}\n", lifetime(seconds));
        let server = Setup::new().properties(&properties(60)).set("handlers.deadline", "30s").start();
        let whole = fs::read(server.handler_file("default.so")).expect("the library");
        let (over, done) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let device = server.device(ONE);
                let (server, over, done) = (&server, &over, &done);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let seconds = issued(server, &device);
                        assert!(seconds.as_u64().is_some_and(|seconds| (60..80).contains(&seconds)), "{seconds}");
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            for n in 1..=12_u8 {
                server.write_properties(&properties(60 + u64::from(n)));
                if n % 3 == 0 {
                    // Overwritten in place while it is in use.
                    let mut other = whole.clone();
                    other.push(n);
                    fs::write(server.handler_file("default.so"), other).expect("the library");
                }
                assert!(!changes(&reload(&server)).is_empty());
                let before = done.load(Ordering::Relaxed);
                until("exchanges go on", || done.load(Ordering::Relaxed) >= before + 4);
            }
            over.store(true, Ordering::Relaxed);
        });
        assert_eq!(server.metric("symbolon_token_requests_total", &["token-exchange", "outcome=\"ok\""]), done.into_inner());
        assert_eq!(server.metric("symbolon_handler_reloads_total", &["outcome=\"ok\""]), 12);
    }
}

#[test]
fn a_call_under_way_finishes_on_the_handler_that_it_began_with() {
    for isolation in ["pool", "process"] {
        let properties = |mode: &str| {
            format!(
                "test.hostile.enable=true\ntest.hostile.mode={mode}\ntest.hostile.millis=4000\ntest.hostile.isolation={isolation}\n"
            )
        };
        let server = Setup::new().properties(&properties("sleep")).set("handlers.deadline", "60s").handler(HOSTILE).start();
        let device = server.device(ONE);
        std::thread::scope(|scope| {
            let under_way = scope.spawn(|| server.exchange(TWO, &device, "openid payments"));
            until("the call is under way", || server.log().contains("sleeping"));
            server.write_properties(&properties("well"));
            assert_eq!(changes(&reload(&server)), ["HostileHandler has new properties"]);
            server.exchange(TWO, &device, "openid payments").ok();
            assert!(!under_way.is_finished(), "the new one does not sleep, the old one still does");
            under_way.join().expect("an answer").ok();
        });
    }
}

#[test]
fn a_panic_in_shutdown_or_drop_of_the_old_one_harms_nobody() {
    for (place, isolation) in [("shutdown", "inline"), ("drop", "inline"), ("shutdown", "process"), ("drop", "process")] {
        let properties =
            |place: &str| format!("test.panics.enable=true\ntest.panics.where={place}\ntest.panics.isolation={isolation}\n");
        let server = Setup::new().properties(&properties(place)).handler(PANICS).start();
        let (id, device) = (server.id(), server.device(ONE));
        server.exchange(TWO, &device, "openid").ok();
        server.write_properties(&properties("never"));
        reload(&server);
        server.exchange(TWO, &device, "openid").ok();
        until("the panic is told", || server.log().contains(&format!("panics in {place}")));
        assert_eq!((server.id(), server.stop()), (id, Some(0)));
    }
}

#[test]
fn what_waits_for_a_restart_is_said() {
    let server = Setup::new().set("session_transfer.lifetime", "50s").start();
    let settings = fs::read_to_string(server.config()).expect("the settings");
    let settings = settings.replace("memory_kib = 1024", "memory_kib = 2048").replace("lifetime = \"50s\"", "lifetime = \"40s\"");
    fs::write(server.config(), settings).expect("the settings");
    let answer = reload(&server);
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("sign_in.password.memory_kib") && warnings.contains("session_transfer.lifetime"), "{answer}");
    assert!(changes(&answer).is_empty());
    assert_eq!(server.stop(), Some(0));
    let said = server.command(&["handler", "reload"]).refused();
    assert!(said.contains("no server is running"), "{said}");
}

#[test]
fn two_copies_are_one_handler_and_two_with_one_name_are_refused() {
    let whole = fs::read(binaries::handler(DEFAULT_HANDLER)).expect("the library");
    let server = Setup::new().handler_file("zz-copy.so", whole.clone()).start();
    let log = server.log();
    assert_eq!(log.lines().filter(|line| line.contains("a copy of") && line.contains("zz-copy.so")).count(), 1, "{log}");
    server.exchange(TWO, &server.device(ONE), "openid").ok();
    let mut other = whole;
    other.push(0);
    fs::write(server.handler_file("zz-copy.so"), &other).expect("the library");
    let said = server.command(&["handler", "reload"]).refused();
    assert!(said.contains("handler.same_name") && said.contains("zz-copy.so") && said.contains("default.so"), "{said}");
    let said = Setup::new().handler_file("zz-copy.so", other).refused();
    assert!(said.contains("handler.same_name") && said.contains("zz-copy.so"), "{said}");
}
