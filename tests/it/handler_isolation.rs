//! What a handler may do to the server, in each mode of isolation: at most spoil the call at hand.

use serde_json::Value;

use crate::harness::cast::{ONE, TWO};
use crate::harness::process::{children, is_running};
use crate::harness::{Server, Setup, Tokens, until};

const HOSTILE: &str = "symbolon-test-handler-hostile";
const MODES: [&str; 3] = ["inline", "pool", "process"];
/// The scope for which the hostile handler misbehaves.
const BAD: &str = "openid payments";

/// The hostile handler alone, in this mode.
fn hostile(mode: &str, isolation: &str) -> Setup {
    let properties = format!("test.hostile.enable=true\ntest.hostile.mode={mode}\ntest.hostile.isolation={isolation}\n");
    // Long, so that no test depends on how fast the machine is; those about time say their own.
    Setup::new().properties(&properties).set("handlers.deadline", "20s").handler(HOSTILE)
}

/// The server lives, is the same process, and answers the next exchange.
#[track_caller]
fn lives(server: &Server, id: u32, device: &Tokens) {
    server.exchange(TWO, device, "openid profile").ok();
    assert_eq!(server.id(), id);
    assert_eq!(server.get("/readyz").status, 200);
}

/// What is the same in every answer to the same question.
#[track_caller]
fn lasting(server: &Server, tokens: &Tokens) -> Value {
    let mut access = server.introspect(tokens.access());
    let (_, mut id_token) = server.verified(tokens.id());
    for claims in [&mut access, &mut id_token] {
        let claims = claims.as_object_mut().expect("an object");
        for changing in ["jti", "iat", "exp", "at_hash", "auth_time", "sub", "sid", "ds_hash", "iss", "aud", "username"] {
            claims.remove(changing);
        }
    }
    serde_json::json!([access, id_token, tokens.0["scope"], tokens.0["expires_in"], tokens.has("refresh_token")])
}

#[test]
fn one_library_decides_alike_in_every_mode() {
    let answers = MODES.map(|isolation| {
        let server = Setup::new()
            .property("op.deviceSSOHandler.isolation", isolation)
            .property("op.deviceSSOHandler.accessToken.lifetime", "77")
            .property("op.deviceSSOHandler.accessToken.includeClientMetadataFields", "client_name,grant_types")
            .property("op.deviceSSOHandler.scopeRequiringInteraction", "payments")
            .property("op.deviceSSOHandler.claimsTransport", "ID_TOKEN")
            .start();
        let device = server.device(ONE);
        let tokens = Tokens(server.exchange(TWO, &device, "openid profile device_sso offline_access").ok());
        assert_eq!(tokens.0["expires_in"], 77);
        let refused = server.exchange(TWO, &device, BAD).refused(400, "interaction_required");
        assert_eq!(refused["scope"], "payments");
        let listed = server.command(&["handler", "list", "--json"]).fine().json();
        assert_eq!(listed[0]["isolation"], isolation);
        assert_eq!(children(server.id()).len(), if isolation == "process" { 2 } else { 0 });
        (lasting(&server, &tokens), refused)
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[test]
fn a_process_that_ends_costs_its_call_alone() {
    for (mode, how) in [
        ("segfault", "was ended by SIGSEGV"),
        ("abort", "was ended by SIGABRT"),
        ("exit", "ended with exit code 0"),
        ("stack", "was ended by SIG"),
        ("memory", "was ended by SIGABRT after it said \\\"memory allocation of"),
    ] {
        let server = hostile(mode, "process").property("test.hostile.isolation.memory", "64MiB").start();
        let (id, device) = (server.id(), server.device(ONE));
        for _ in 0..3 {
            let refused = server.exchange(TWO, &device, BAD).refused(500, "server_error");
            assert!(!refused.to_string().contains("SIG"), "how it ended is for the log: {refused}");
            lives(&server, id, &device);
        }
        let log = server.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("OP7109")).collect();
        assert_eq!(lines.len(), 3, "{mode}: {log}");
        assert!(lines[0].contains(how) && lines[0].contains("HostileHandler"), "{mode}: {}", lines[0]);
        until("each process was replaced", || server.metric("symbolon_handler_restarts_total", &["HostileHandler"]) >= 3);
        assert!(server.metric("symbolon_handler_calls_total", &["outcome=\"crashed\""]) >= 3, "{mode}");
    }
}

#[test]
fn whoever_takes_too_long_is_answered_for() {
    for (mode, isolation) in [("sleep", "process"), ("spin", "process"), ("sleep", "pool"), ("spin", "pool"), ("sleep", "inline")]
    {
        let server = hostile(mode, isolation)
            .property("test.hostile.isolation.deadline", "300ms")
            .property("test.hostile.millis", if isolation == "inline" { "700" } else { "600000" })
            .start();
        let (id, device) = (server.id(), server.device(ONE));
        let answer = server.exchange(TWO, &device, BAD);
        answer.refused(503, "temporarily_unavailable");
        assert!(answer.header("retry-after").is_some(), "{mode} {isolation}");
        until("somebody is free again", || server.exchange(TWO, &device, "openid").status == 200);
        lives(&server, id, &device);
        assert!(server.log().contains("HostileHandler took longer than 300ms"), "{mode} {isolation}");
        assert_eq!(server.metric("symbolon_handler_calls_total", &["outcome=\"late\""]), 1, "{mode} {isolation}");
    }
}

#[test]
fn a_pool_whose_threads_are_all_stuck_says_so_at_its_deadline() {
    let server = hostile("sleep", "pool")
        .property("test.hostile.isolation.deadline", "300ms")
        .property("test.hostile.isolation.threads", "2")
        .property("test.hostile.millis", "600000")
        .start();
    let device = server.device(ONE);
    for _ in 0..2 {
        server.exchange(TWO, &device, BAD).refused(503, "temporarily_unavailable");
    }
    server.exchange(TWO, &device, "openid").refused(503, "temporarily_unavailable");
    assert!(server.metric("symbolon_handler_calls_total", &["outcome=\"busy\""]) >= 1);
    server.refresh(ONE, device.refresh()).ok();
}

#[test]
fn other_calls_go_on_while_one_is_stuck() {
    let server = hostile("spin", "process").property("test.hostile.isolation.deadline", "4s").start();
    let device = server.device(ONE);
    std::thread::scope(|scope| {
        let stuck = scope.spawn(|| server.exchange(TWO, &device, BAD));
        for _ in 0..20 {
            server.exchange(TWO, &device, "openid").ok();
        }
        assert!(!stuck.is_finished(), "the others were not held up by it");
        stuck.join().expect("an answer").refused(503, "temporarily_unavailable");
    });
}

#[test]
fn nonsense_is_never_issued() {
    for isolation in MODES {
        for mode in ["no-text", "megabytes", "many"] {
            let server = hostile(mode, isolation).start();
            let (id, device) = (server.id(), server.device(ONE));
            server.exchange(TWO, &device, BAD).refused(500, "server_error");
            lives(&server, id, &device);
            assert!(server.log().contains("HostileHandler answered nonsense"), "{mode} {isolation}: {}", server.log());
        }
        let server = hostile("no-text-error", isolation).start();
        let refused = server.exchange(TWO, &server.device(ONE), BAD).refused(400, "access_denied");
        assert!(refused["error_description"].as_str().is_some_and(str::is_ascii), "{refused}");
    }
}

#[test]
fn a_panic_costs_its_call_alone_in_every_mode() {
    for isolation in MODES {
        let properties = format!("test.panics.enable=true\ntest.panics.isolation={isolation}\n");
        let server = Setup::new().properties(&properties).handler("symbolon-test-handler-panics").start();
        let (id, device) = (server.id(), server.device(ONE));
        for _ in 0..3 {
            let refused = server.exchange(TWO, &device, "openid").refused(500, "server_error");
            assert!(!refused.to_string().contains("panic"), "the cause is for the log: {refused}");
        }
        assert_eq!(server.id(), id);
        server.refresh(ONE, device.refresh()).ok();
        assert!(server.log().contains("PanickingHandler panicked: the test handler panics in authorize"), "{}", server.log());
        assert_eq!(server.metric("symbolon_handler_calls_total", &["outcome=\"panicked\""]), 3);
        assert_eq!(server.metric("symbolon_handler_restarts_total", &[]), 0, "a panic ends no process");
    }
}

#[test]
fn what_a_handler_prints_confuses_nobody() {
    let server = hostile("print", "process").start();
    let device = server.device(ONE);
    for _ in 0..3 {
        server.exchange(TWO, &device, BAD).ok();
    }
    assert_eq!(server.metric("symbolon_handler_restarts_total", &[]), 0);
}

#[test]
fn what_a_handler_logs_is_bounded_and_passes_for_nothing_else() {
    for isolation in MODES {
        let server = hostile("forge", isolation).start();
        server.exchange(TWO, &server.device(ONE), BAD).ok();
        until("it is logged", || server.log().contains("TK9999"));
        let log = server.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("TK9999")).collect();
        assert!(lines.len() == 1 && lines[0].contains("first\\n2026") && lines[0].contains("HostileHandler"), "{lines:?}");
        assert!(!log.contains('\u{2028}'), "{isolation}");

        let server = hostile("chatter", isolation).start();
        let began = std::time::Instant::now();
        server.exchange(TWO, &server.device(ONE), BAD).ok();
        until("it is logged", || server.log().contains("xxxx"));
        assert_eq!(server.stop(), Some(0));
        // 200 lines at once and 50 a second, of 4 KiB each, however long it takes to say 5000.
        let lines = server.log().lines().filter(|line| line.contains("xxxx")).count() as u64;
        let allowed = 200 + 50 * (began.elapsed().as_secs() + 1);
        assert!(lines <= allowed, "{isolation}: {lines} lines, not {allowed}");
        assert!(server.log().lines().all(|line| line.len() < 5000), "{isolation}: a longer line");
    }
}

#[test]
fn what_a_handler_logs_between_two_calls_is_told_at_once() {
    for isolation in MODES {
        let server = hostile("murmur", isolation).start();
        server.exchange(TWO, &server.device(ONE), BAD).ok();
        until("it is logged", || server.log().contains("murmured"));
    }
}

#[test]
fn what_a_handler_starts_ends_with_its_process() {
    let server = hostile("company", "process").property("test.hostile.isolation.deadline", "1s").start();
    let device = server.device(ONE);
    let company = std::thread::scope(|scope| {
        let call = scope.spawn(|| server.exchange(TWO, &device, BAD));
        let company = || children(server.id()).into_iter().flat_map(children).collect::<Vec<_>>();
        until("it has company", || !company().is_empty());
        let company = company();
        call.join().expect("a call").refused(503, "temporarily_unavailable");
        company
    });
    until("the company is gone", || !company.iter().any(|process| is_running(*process)));
}

#[test]
fn a_library_that_crashes_when_it_is_opened_or_configured_is_left_out() {
    for (mode, how) in [("configure-segfault", "SIGSEGV"), ("configure-spin", "took longer than 500ms")] {
        let server = Setup::new()
            .handler(HOSTILE)
            .property("test.hostile.mode", mode)
            .property("test.hostile.isolation", "inline")
            .set("handlers.start_deadline", "500ms")
            .start();
        let log = server.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("OP7107")).collect();
        assert_eq!(lines.len(), 1, "{log}");
        assert!(lines[0].contains(how) && lines[0].contains("HostileHandler"), "{log}");
        server.exchange(TWO, &server.device(ONE), "openid").ok();
    }
    let server = Setup::new().handler(HOSTILE).environment("TEST_HOSTILE_CONSTRUCTOR", "1").start();
    let log = server.log();
    assert!(
        log.lines().any(|line| line.contains("OP7107") && line.contains("was ended by SIGABRT while it was opened")),
        "{log}"
    );
    server.exchange(TWO, &server.device(ONE), "openid").ok();
}

#[test]
fn a_handler_that_fails_again_and_again_is_left_alone_until_it_works() {
    let server = hostile("segfault", "process").start();
    let device = server.device(ONE);
    for _ in 0..5 {
        server.exchange(TWO, &device, BAD).refused(500, "server_error");
    }
    let answer = server.exchange(TWO, &device, BAD);
    answer.refused(503, "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some());
    assert!(server.log().contains("OP7110"));
    assert_eq!(server.metric("symbolon_handler_suspended", &["HostileHandler"]), 1);
    let listed = server.command(&["handler", "list", "--json"]).fine().json();
    assert_eq!(
        listed.as_array().and_then(|list| list.iter().find(|one| one["name"] == "HostileHandler")).map(|one| &one["suspended"]),
        Some(&Value::Bool(true))
    );
    until("the trial succeeds", || server.exchange(TWO, &device, "openid").status == 200);
    assert!(server.log().contains("OP7111"));
    assert_eq!(server.metric("symbolon_handler_suspended", &["HostileHandler"]), 0);
    // Suspended again, and then replaced: what takes its place is not suspended.
    until("it is left alone again", || server.exchange(TWO, &device, BAD).status == 503);
    until("it is said", || server.metric("symbolon_handler_suspended", &["HostileHandler"]) == 1);
    server.write_properties("test.hostile.enable=true\ntest.hostile.mode=well\ntest.hostile.isolation=process\n");
    server.command(&["handler", "reload"]).fine();
    server.exchange(TWO, &device, BAD).ok();
    assert_eq!(server.metric("symbolon_handler_suspended", &["HostileHandler"]), 0);
}

#[test]
fn its_processes_end_with_the_server_and_know_none_of_its_secrets() {
    let key = "ab".repeat(32);
    let server = hostile("well", "process").environment("SYMBOLON_STORAGE__SEALING_KEY", &key).start();
    let processes = children(server.id());
    assert_eq!(processes.len(), 2);
    for process in &processes {
        let environment = std::fs::read(format!("/proc/{process}/environ")).expect("the environment of a process of ours");
        assert!(!String::from_utf8_lossy(&environment).contains("SYMBOLON_"), "nothing of the server's settings");
        let files: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
            .expect("its open files")
            .flatten()
            .filter_map(|entry| Some(std::fs::read_link(entry.path()).ok()?.display().to_string()))
            .collect();
        assert!(!files.iter().any(|file| file.contains("store.redb")), "{files:?}");
    }
    server.kill();
    until("the processes are gone", || !processes.iter().any(|process| is_running(*process)));
    server.start_again();
    let again = children(server.id());
    assert_eq!(server.stop(), Some(0));
    until("the processes are gone", || !again.iter().any(|process| is_running(*process)));
}

#[test]
fn a_process_that_somebody_else_killed_costs_nothing() {
    let server = hostile("well", "process").start();
    let device = server.device(ONE);
    for process in children(server.id()) {
        crate::harness::process::signal(process, "KILL");
    }
    until("they are gone", || children(server.id()).is_empty());
    for _ in 0..4 {
        server.exchange(TWO, &device, BAD).ok();
    }
    assert!(server.log().contains("was ended by SIGKILL between two calls"), "{}", server.log());
}

#[test]
fn isolation_is_told_what_is_wrong_with_it() {
    let said = Setup::new()
        .property("op.deviceSSOHandler.isolation", "proces")
        .property("op.deviceSSOHandler.isolation.threads", "0")
        .property("op.deviceSSOHandler.isolation.speed", "9")
        .refused();
    for expected in ["did you mean \"process\"?", "isolation.threads", "isolation.speed", "handlers.properties:"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
