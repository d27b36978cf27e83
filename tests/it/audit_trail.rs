//! The audit file and the commands that read it: every event is in it once and in order, whatever becomes of the file, and nobody else can read it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::harness::audit::{Promises, Trail, file_lines};
use crate::harness::cast::{ONE, SECRET, STRANGER, TWO};
use crate::harness::{Authorization, Browser, Server, Setup, jwt, until};

const SCOPE: &str = "openid profile email offline_access device_sso";

/// Whether an event is one of those that were asked for.
type Fits<'a> = &'a dyn Fn(&Value) -> bool;

/// Where the servers of this suite have their audit file, relative to their settings file.
const FILE: &str = "audit/audit.jsonl";

fn setup() -> Setup {
    Setup::new().set("audit.file.path", FILE)
}

fn path(server: &Server) -> PathBuf {
    server.folder().join(FILE)
}

/// All events in the files of that server, in the order of their names and lines.
fn events(server: &Server) -> Vec<Value> {
    file_lines(&path(server))
}

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event[name].as_str().unwrap_or_else(|| panic!("no {name}: {event}"))
}

fn number(event: &Value) -> u64 {
    text(event, "id").split_once('-').expect("an id").1.parse().expect("a number")
}

/// Waits until an event of that code is in the file, and gives all.
#[track_caller]
fn with(server: &Server, code: &str) -> Vec<Value> {
    until(code, || events(server).iter().any(|event| event["code"] == code));
    events(server)
}

#[test]
fn every_event_of_the_log_is_in_the_file_and_for_nobody_else() {
    let server = setup().set("telemetry.format", "json").start();
    let person = server.person();
    let device = server.sign_in(ONE, &person, SCOPE);
    server.exchange(TWO, &device, "openid offline_access").ok();
    server.exchange(STRANGER, &device, "openid").refused(400, "invalid_grant");
    server.command(&["key", "rotate", "--alg", "ES256"]).fine();
    assert_eq!(server.stop(), Some(0));
    let events = events(&server);
    // Members, meaning and outcome are those of the log, in the order of what happened.
    let same = |event: &Value| {
        let mut event = event.clone();
        let members = event.as_object_mut().expect("an object");
        let ours: &[&str] = if members.contains_key("id") { &["id", "time"] } else { &["timestamp", "level", "target"] };
        for name in ours {
            assert!(members.remove(*name).is_some(), "{name} is missing");
        }
        event.to_string()
    };
    let sorted = |mut all: Vec<String>| {
        all.sort();
        all
    };
    let logged = server.trail().events().iter().map(same).collect();
    assert_eq!(sorted(events.iter().map(same).collect()), sorted(logged));
    assert_eq!(events.iter().map(number).collect::<Vec<_>>(), (1..=events.len() as u64).collect::<Vec<_>>());
    assert_eq!(text(events.last().expect("an event"), "code"), "OP7002");
    Trail::of_events(events.clone()).keeps(&Promises::of(&server));
    let times: Vec<&str> = events.iter().map(|event| text(event, "time")).collect();
    assert!(times.iter().all(|time| time.len() == 24 && time.ends_with('Z')), "{times:?}");
    let written = fs::read_to_string(path(&server)).expect("the file");
    for secret in [device.secret(), device.refresh(), device.access(), device.id(), &person.password, SECRET] {
        assert!(!written.contains(secret) && !written.contains(secret.rsplit('.').next().unwrap_or(secret)));
    }
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!((mode(&path(&server)), mode(path(&server).parent().expect("a folder"))), (0o600, 0o700));
}

#[test]
fn the_file_does_not_care_about_the_level_of_the_log() {
    let server = setup().set("telemetry.level", "off").start();
    server.device(ONE);
    assert_eq!(server.log(), "");
    let ids: Vec<String> = with(&server, "SE3001").iter().map(|event| text(event, "id").to_owned()).collect();
    server.kill();
    // A command that works on the store of a stopped server, and the next server, go on in it.
    let password = server.folder().join("password");
    fs::write(&password, "a pass phrase 1177").expect("a file");
    server.command(&["user", "add", "eve", "--password-file", password.to_str().expect("UTF-8")]).fine();
    assert_eq!(text(events(&server).last().expect("an event"), "code"), "AD8001");
    server.start_again();
    let all = with(&server, "AD8001");
    assert!(ids.iter().zip(&all).all(|(id, event)| text(event, "id") == id), "nothing was written over");
    until("it has started", || events(&server).iter().filter(|event| event["code"] == "OP7001").count() == 2);
    let all = events(&server);
    assert_eq!(all.iter().map(number).collect::<Vec<_>>(), (1..=all.len() as u64).collect::<Vec<_>>(), "without a gap");
    assert!(all.iter().all(|event| text(event, "id")[..20] == ids[0][..20]), "one series");
}

#[test]
fn a_full_file_is_put_aside_and_the_oldest_goes() {
    let server = setup().set("audit.file.max_size", 4096).set("audit.file.keep", 3).start();
    let device = server.device(ONE);
    for _ in 0..60 {
        server.exchange(STRANGER, &device, "openid").refused(400, "invalid_grant");
    }
    assert_eq!(server.stop(), Some(0));
    let folder = path(&server);
    let files: Vec<_> = fs::read_dir(folder.parent().expect("a folder")).expect("the folder").flatten().collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in &files {
        let about = file.metadata().expect("a file");
        assert!(about.len() < 3 * 4096 && about.permissions().mode() & 0o777 == 0o600, "{file:?}");
    }
    let asked = server.command(&["audit", "query", "--json"]).fine();
    let numbers: Vec<u64> = asked.stdout.lines().map(|line| number(&serde_json::from_str(line).expect("JSON"))).collect();
    assert!(numbers.len() > 20 && numbers[0] > 1, "{numbers:?}");
    assert!(numbers.windows(2).all(|two| two[0] + 1 == two[1]), "in order and without a gap: {numbers:?}");
}

#[test]
fn a_file_that_somebody_has_put_away_is_begun_anew() {
    let server = setup().start();
    server.device(ONE);
    let before = with(&server, "SE3001").len();
    let away = server.folder().join("audit/audit.jsonl.1");
    fs::rename(path(&server), &away).expect("the file is moved");
    let device = server.device(ONE);
    until("it is there again", || path(&server).exists() && with(&server, "SE3001").len() > before);
    server.exchange(STRANGER, &device, "openid").refused(400, "invalid_grant");
    let all = with(&server, "CL5002");
    assert_eq!(fs::read_to_string(&away).expect("the file").lines().count(), before, "nothing was added to it");
    let mut numbers: Vec<u64> = all.iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    let asked = server.command(&["audit", "query", "--json"]).fine();
    assert_eq!(asked.stdout.lines().count(), all.len(), "the command reads both");
}

#[test]
fn the_commands_find_what_is_asked_for() {
    let server = setup().start();
    let (ada, bob) = (server.person(), server.person());
    let device = server.sign_in(ONE, &ada, SCOPE);
    server.sign_in(ONE, &bob, SCOPE);
    server.exchange(TWO, &device, "openid offline_access").ok();
    server.exchange(STRANGER, &device, "openid").refused(400, "invalid_grant");
    // The refusal has two events.
    with(&server, "CL5002");
    with(&server, "TK1032");
    let claims = jwt::claims(device.id());
    let (sub, sid) = (text(&claims, "sub"), text(&claims, "sid"));
    let ask = |arguments: &[&str]| -> Vec<Value> {
        let asked = server.command(&[&["audit", "query", "--json"], arguments].concat()).fine();
        asked.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    };
    let all = ask(&[]);
    assert_eq!(all, events(&server));
    let check = || {
        let asked: [(&[&str], Fits); 9] = [
            (&["--code", "SE"], &|event| text(event, "code").starts_with("SE")),
            (&["--code", "SI2001"], &|event| event["code"] == "SI2001"),
            (&["--code", "si", "--code", "SE3001"], &|event| text(event, "code").starts_with("SI") || event["code"] == "SE3001"),
            (&["--client", TWO.id], &|event| event["client_id"] == TWO.id),
            (&["--user", &ada.name], &|event| event["subject"] == sub),
            (&["--subject", sub, "--outcome", "refused"], &|event| event["subject"] == sub && event["outcome"] == "refused"),
            (&["--sid", sid, "--outcome", "granted"], &|event| event["sid"] == sid && event["outcome"] == "granted"),
            (&["--since", "1h", "--until", "0s"], &|_| true),
            (&["--since", "2026-01-01T00:00:00Z", "--until", "2026-01-02T00:00:00Z"], &|_| false),
        ];
        for (arguments, fits) in asked {
            let expected: Vec<&Value> = all.iter().filter(|event| fits(event)).collect();
            assert_eq!(
                ask(arguments).iter().filter(|event| number(event) <= all.len() as u64).collect::<Vec<_>>(),
                expected,
                "{arguments:?}"
            );
            assert!(expected.is_empty() == arguments.contains(&"2026-01-01T00:00:00Z"), "{arguments:?} tells something apart");
        }
        assert_eq!(ask(&["--limit", "2", "--code", "SI2001"]).len(), 2);
        assert_eq!(
            ask(&["--limit", "1", "--client", STRANGER.id]).last(),
            all.iter().rfind(|event| event["client_id"] == STRANGER.id)
        );
    };
    check();
    let lines = server.command(&["audit", "tail", "--limit", "3", "--client", STRANGER.id]).fine().stdout;
    assert!(lines.contains("  CL5002  refused  ") && lines.contains(&format!("client_id=\"{}\"", STRANGER.id)), "{lines}");
    assert_eq!(server.stop(), Some(0));
    check();
}

#[test]
fn what_cannot_be_asked_is_told() {
    let server = setup().start();
    for (arguments, told) in
        [(["--code", "XX1"], "symbolon audit codes"), (["--since", "yesterday"], "15m"), (["--outcome", "maybe"], "granted")]
    {
        let ran = server.command(&[&["audit", "query"][..], &arguments].concat());
        assert!(ran.code == 2 && ran.stderr.contains(told), "{ran:?}");
    }
    let told = server.command(&["audit", "query", "--user", "nobody"]).refused();
    assert!(told.contains("there is no user nobody"), "{told}");
    let ran = server.command(&["audit", "codes", "--json"]).fine().json();
    let codes = ran.as_array().expect("codes");
    assert!(codes.iter().any(|code| code["code"] == "TK1032" && code["meaning"] == "token exchange refused"), "{ran}");
    let without = Setup::new().start();
    for command in ["query", "tail"] {
        let told = without.command(&["audit", command]).refused();
        assert!(told.contains("audit.no_file") && told.contains("remedy: write audit.file.path"), "{told}");
    }
}

/// A command that goes on until it is dropped.
struct Following {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Following {
    #[track_caller]
    fn new(server: &Server, arguments: &[&str]) -> Self {
        let mut command = Setup::new().bare_command();
        command.args(arguments).arg("--config").arg(server.config()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the program");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// The next event.
    #[track_caller]
    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(std::time::Duration::from_secs(30)).expect("an event");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_tail_goes_on_through_files_that_are_put_aside() {
    let server = setup().set("audit.file.max_size", 4096).start();
    let device = server.device(ONE);
    let there = with(&server, "SE3001");
    let following = Following::new(&server, &["audit", "tail", "--follow", "--limit", "2", "--json"]);
    assert_eq!([following.next(), following.next()], there[there.len() - 2..]);
    for _ in 0..40 {
        server.exchange(STRANGER, &device, "openid").refused(400, "invalid_grant");
    }
    let mut expected = number(&there[there.len() - 1]);
    for _ in 0..40 {
        expected += 1;
        assert_eq!(number(&following.next()), expected);
    }
    assert!(fs::read_dir(server.folder().join("audit")).expect("the folder").count() > 2, "files were put aside");
}

#[test]
fn a_server_without_its_file_does_not_start() {
    let server = setup().start();
    // Two servers must not give the same ids.
    let told = setup().set("audit.file.path", path(&server).to_str().expect("UTF-8")).refused();
    assert!(told.contains("another process writes it") && told.contains("audit.file.path of its own"), "{told}");
    assert_eq!(server.stop(), Some(0));
    fs::set_permissions(path(&server), fs::Permissions::from_mode(0o666)).expect("the permissions");
    assert_eq!(server.try_start_again().and_then(|status| status.code()), Some(1));
    assert!(server.log().contains("may be written by others"), "{}", server.log());
    let told = server.command(&["user", "list"]).refused();
    assert!(told.contains("may be written by others"), "{told}");
    let told = setup().set("audit.file.path", "/dev/full").refused();
    assert!(told.contains("not a regular file"), "{told}");
}

#[test]
fn a_file_that_cannot_be_written_stops_nobody_and_says_what_it_missed() {
    let server = setup().set("telemetry.format", "json").set("audit.file.queue", 16).start();
    let device = server.device(ONE);
    let before = with(&server, "SE3001").len();
    // Whoever opens it finds that it is no file.
    fs::rename(path(&server), server.folder().join("audit/audit.jsonl.1")).expect("the file is moved");
    fs::create_dir(path(&server)).expect("a folder");
    for _ in 0..60 {
        server.exchange(STRANGER, &device, "openid").refused(400, "invalid_grant");
    }
    assert_eq!(server.get("/readyz").status, 200);
    let lost = server.metric("symbolon_audit_lost_total", &["sink=\"file\""]);
    assert!(lost > 0, "more than can wait");
    fs::remove_dir(path(&server)).expect("the folder");
    let all = with(&server, "OP7131");
    let told = all.iter().find(|event| event["code"] == "OP7131").expect("the event");
    assert!(text(told, "detail").starts_with(&format!("{lost} events")), "{told}");
    assert_eq!(all.len() as u64 - 1, before as u64 + 120 - lost, "what could wait is there");
    assert_eq!(all.iter().map(number).collect::<Vec<_>>(), (1..=all.len() as u64).collect::<Vec<_>>());
    server.trail().one("OP7131", &[("outcome", "refused")]);
    assert_eq!(server.trail().all("CL5002", &[]).len(), 60, "the log has them all");
    assert!(server.log().contains("the audit file cannot be written") && server.log().contains("is written again"));
    server.trail().keeps(&Promises::of(&server));
}

#[test]
fn a_server_that_is_stopped_does_not_wait_for_a_disk_that_is_full() {
    let server = setup().start();
    with(&server, "OP7001");
    fs::rename(path(&server), server.folder().join("audit/audit.jsonl.1")).expect("the file is moved");
    fs::create_dir(path(&server)).expect("a folder");
    server.device(ONE);
    assert_eq!(server.stop(), Some(0));
    assert!(server.log().contains("audit events are not in the audit file; the log has them"), "{}", server.log());
}

#[test]
fn events_are_found_by_the_names_that_auth0_has_for_them() {
    let server = crate::session_transfer::setup().set("audit.file.path", FILE).start();
    let tokens = server.sign_in(ONE, &server.person(), "openid offline_access");
    server.token(ONE, crate::session_transfer::form(&server, tokens.refresh())).ok();
    let bad = Authorization::new(crate::session_transfer::WEB, "openid").set("session_transfer_token", "st_made-up");
    Browser::new().ask(&server, &bad).page();
    with(&server, "w");
    for (code, member, value) in [("w", "reason", "unknown"), ("SERTFT", "client_id", ONE.id)] {
        let ran = server.command(&["audit", "query", "--code", code, "--json"]).fine();
        let found: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(found.len(), 1, "{code}: {found:?}");
        assert_eq!(text(&found[0], member), value);
    }
    assert!(server.command(&["audit", "query", "--code", "fertft", "--json"]).fine().stdout.trim().is_empty());
}
