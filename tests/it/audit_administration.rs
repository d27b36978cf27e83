//! The audit trail of the operator: start and stop, keys, and every command that changes something, whether the server runs
//! (its log has the event) or is stopped (the command's standard error has it).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::audit::{Promises, Trail};
use crate::harness::cast::{ONE, TWO};
use crate::harness::command::Ran;
use crate::harness::person::unique;
use crate::harness::{Form, Server, Setup, Tokens, jwt, until};

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}"))
}

#[track_caller]
fn file(server: &Server, content: &str) -> String {
    let path = server.folder().join(unique("file"));
    std::fs::write(&path, content).expect("a file");
    path.to_str().expect("a UTF-8 path").to_owned()
}

/// Commands run with `--json`, and what all of them wrote to standard error.
struct Desk<'a> {
    server: &'a Server,
    said: String,
}

impl Desk<'_> {
    /// Runs a command; its standard output must be one JSON value and nothing else.
    #[track_caller]
    fn run(&mut self, arguments: &[&str]) -> Value {
        let ran = self.server.command(&[arguments, &["--json"]].concat()).fine();
        self.said += &ran.stderr;
        ran.json()
    }
}

/// What administration came to: the names that its events must have, and what they must not have.
struct Done {
    client_id: String,
    sub: String,
    sids: BTreeSet<String>,
    secrets: Vec<String>,
    said: String,
}

/// Every command that changes something, once. `signed_in` has a device session and a browser session.
#[track_caller]
fn administer(server: &Server, name: &str, device: &Tokens) -> Done {
    let mut desk = Desk { server, said: String::new() };
    let client_id = unique("client");
    let metadata = json!({
        "client_id": client_id, "redirect_uris": ["https://added.example.com/cb"], "grant_types": ["client_credentials"],
        "response_types": [], "scope": "read",
    });
    let from = file(server, &metadata.to_string());
    let added = desk.run(&["client", "add", "--from", &from]);
    desk.run(&["client", "update", &client_id, "--from", &from]);
    desk.run(&["client", "delete", &client_id]);
    let (first, second) = ("the first pass phrase 4431", "the second pass phrase 8807");
    let someone = unique("someone");
    let sub = text(&desk.run(&["user", "add", &someone, "--password-file", &file(server, first)]), "sub").to_owned();
    desk.run(&["user", "set-password", &someone, "--password-file", &file(server, second)]);
    desk.run(&["user", "disable", &someone]);
    desk.run(&["user", "enable", &someone]);
    desk.run(&["user", "delete", &someone]);
    let sids = desk.run(&["session", "list", "--user", name]);
    let sids: BTreeSet<String> = sids.as_array().expect("sessions").iter().map(|one| text(one, "sid").to_owned()).collect();
    desk.run(&["session", "end", text(&jwt::claims(device.id()), "sid")]);
    desk.run(&["session", "end", "--user", name, "--all"]);
    desk.run(&["key", "rotate", "--alg", "ES256", "--immediately"]);
    let secrets = [first, second, text(&added, "client_secret"), device.secret(), device.refresh()].map(str::to_owned).to_vec();
    Done { client_id, sub, sids, secrets, said: desk.said }
}

#[track_caller]
fn is_complete(trail: &Trail, done: &Done, owner: &str) {
    let by = ("actor", "administrator");
    for code in ["AD8011", "AD8012", "AD8013"] {
        trail.one(code, &[by, ("client_id", &done.client_id), ("outcome", "granted")]);
    }
    for code in ["AD8001", "AD8005", "AD8003", "AD8006", "AD8004"] {
        trail.one(code, &[by, ("subject", &done.sub), ("outcome", "granted")]);
    }
    assert_eq!(done.sids.len(), 2, "a device's and a browser's");
    for sid in &done.sids {
        trail.one("SE3012", &[by, ("sid", sid), ("subject", owner), ("detail", "session end")]);
    }
    trail.one("KY6004", &[by, ("detail", "ES256 immediately")]);
    let made = trail.one("KY6001", &[("detail", "ES256")]);
    trail.one("KY6002", &[("detail", "ES256"), ("kid", text(made, "kid"))]);
}

#[test]
fn commands_on_a_running_server_are_in_its_log() {
    let server = Setup::new().set("telemetry.format", "json").start();
    let person = server.person();
    let device = server.sign_in(ONE, &person, "openid offline_access device_sso");
    let before = server.log().len();
    let done = administer(&server, &person.name, &device);
    let trail = Trail::of(&server.log()[before..]);
    is_complete(&trail, &done, text(&jwt::claims(device.id()), "sub"));
    assert_eq!(done.said, "", "the log is the server's");
    server.trail().keeps(&Promises::of(&server));
    for secret in &done.secrets {
        assert!(!server.log().contains(secret));
    }
}

#[test]
fn commands_on_a_stopped_server_say_it_themselves() {
    let server = Setup::new().set("telemetry.format", "json").start();
    let person = server.person();
    let device = server.sign_in(ONE, &person, "openid offline_access device_sso");
    assert_eq!(server.stop(), Some(0));
    let before = server.log();
    let done = administer(&server, &person.name, &device);
    assert_eq!(server.log(), before);
    // Each line is one event, in the format that the server is set up for.
    for line in done.said.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(event["target"], "symbolon::audit", "{line}");
    }
    let trail = Trail::of(&done.said);
    is_complete(&trail, &done, text(&jwt::claims(device.id()), "sub"));
    trail.keeps(&Promises::of(&server));
    for secret in &done.secrets {
        assert!(!done.said.contains(secret));
    }
    // A refusal is no event.
    let ran = server.command(&["user", "delete", "nobody", "--json"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert_eq!(serde_json::from_str::<Value>(&ran.stderr).expect("JSON alone")["error"], "there is no user nobody");
}

#[test]
fn a_stopped_server_s_level_and_format_hold_for_commands_too() {
    let add = |server: &Server| -> Ran {
        let password = file(server, "a pass phrase 1177");
        server.command(&["user", "add", &unique("someone"), "--password-file", &password]).fine()
    };
    let server = Setup::new().start();
    assert_eq!(server.stop(), Some(0));
    let ran = add(&server);
    let sub = text(&ran.json(), "sub").to_owned();
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("symbolon::audit: person added code=\"AD8001\""), "{}", ran.stderr);
    assert!(ran.stderr.contains(&sub) && !ran.stderr.contains("1177"), "{}", ran.stderr);
    for (level, lines) in [("warn", 0), ("warn,symbolon::audit=info", 1)] {
        let server = Setup::new().set("telemetry.level", level).start();
        assert_eq!(server.stop(), Some(0));
        assert_eq!(add(&server).stderr.lines().count(), lines, "{level}");
    }
}

#[test]
fn a_command_that_comes_before_the_first_start_makes_the_keys_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup::new().set("telemetry.format", "json");
    setup.write(folder.path(), 1);
    let mut command = setup.bare_command();
    let ran = Ran::run(command.args(["key", "list", "--json", "--config"]).arg(folder.path().join("symbolon.toml")), "").fine();
    let trail = Trail::of(&ran.stderr);
    assert_eq!(trail.codes(), ["KY6001"; 4], "{}", ran.stderr);
    for key in ran.json().as_array().expect("keys") {
        trail.one("KY6001", &[("kid", text(key, "kid")), ("detail", text(key, "alg"))]);
    }
}

#[test]
fn whoever_is_disabled_or_deleted_loses_every_session_by_name() {
    let server = Setup::new().set("telemetry.format", "json").start();
    for (command, code, why) in [("disable", "AD8003", "disabled"), ("delete", "AD8004", "deleted")] {
        let person = server.person();
        let device = server.sign_in(ONE, &person, "openid offline_access device_sso");
        let claims = jwt::claims(device.id());
        server.command(&["user", command, &person.name]).fine();
        let trail = server.trail();
        let sub = [("subject", text(&claims, "sub"))];
        trail.one(code, &sub);
        let ended = trail.all("SE3012", &[&sub[..], &[("detail", why)]].concat());
        assert_eq!(ended.len(), 2, "the device's and the browser's: {ended:#?}");
        trail.one("SE3012", &[("sid", text(&claims, "sid"))]);
    }
    server.trail().keeps(&Promises::of(&server));
}

#[test]
fn the_server_says_when_it_starts_and_stops_and_which_keys_sign() {
    let server = Setup::new().set("telemetry.format", "json").start();
    let kids = |code: &str, trail: &Trail| -> BTreeSet<String> {
        trail.all(code, &[]).iter().map(|event| text(event, "kid").to_owned()).collect()
    };
    let published = || -> BTreeSet<String> {
        let keys = server.get("/jwks.json").ok()["keys"].clone();
        keys.as_array().expect("keys").iter().map(|key| text(key, "kid").to_owned()).collect()
    };
    let trail = server.trail();
    let started = trail.one("OP7001", &[("outcome", "granted")]);
    assert!(text(started, "detail").contains(&server.issuer), "{started}");
    trail.none("OP7002", &[]);
    assert_eq!((kids("KY6001", &trail), kids("KY6002", &trail)), (published(), published()));
    assert_eq!(published().len(), 4);
    server.command(&["key", "rotate", "--alg", "ES256"]).fine();
    let trail = server.trail();
    assert_eq!(kids("KY6001", &trail), published(), "made, and published");
    assert_eq!(kids("KY6002", &trail).len(), 4, "its time has not come");

    assert_eq!(server.stop(), Some(0));
    let trail = server.trail();
    assert_eq!((trail.all("OP7001", &[]).len(), trail.codes().last()), (1, Some(&"OP7002")));
    let before = server.log().len();
    server.start_again();
    let again = Trail::of(&server.log()[before..]);
    again.one("OP7001", &[]);
    again.none("KY6001", &[]);
    assert_eq!(again.all("KY6002", &[]).len(), 4, "every start says which keys sign");
    server.trail().keeps(&Promises::of(&server));
}

#[test]
fn a_key_is_removed_when_nothing_that_it_signed_can_live() {
    let setup = ["device", "browser", "offline"].iter().fold(Setup::new(), |setup, kind| {
        setup.set(&format!("sessions.{kind}.max_lifetime"), "2s").set(&format!("sessions.{kind}.max_idle"), "2s")
    });
    let server = setup.set("telemetry.format", "json").start();
    let before = server.trail();
    let old = text(before.one("KY6002", &[("detail", "ES256")]), "kid");
    server.command(&["key", "rotate", "--alg", "ES256", "--immediately"]).fine();
    server.trail().none("KY6003", &[]);
    // Asking for another key is a look at all of them.
    until("the old key goes", || {
        server.command(&["key", "rotate", "--alg", "EdDSA"]).fine();
        !server.trail().all("KY6003", &[]).is_empty()
    });
    server.trail().one("KY6003", &[("kid", old), ("detail", "ES256")]);
    server.trail().keeps(&Promises::of(&server));
}

#[test]
fn handlers_report_in_the_same_form() {
    let server = Setup::new().set("telemetry.format", "json").handler_file("broken.so", "no library").start();
    let device = server.device(ONE);
    server.command(&["handler", "reload"]).fine();
    server.token(TWO, Form::of(&[("grant_type", "refresh_token"), ("refresh_token", device.refresh())]));
    server.write_properties("op.deviceSSOHandler.enable=perhaps\n");
    server.command(&["handler", "reload"]).refused();
    let trail = server.trail();
    trail.one("OP7106", &[("handler", "LocalDeviceSsoHandler")]);
    assert!(!trail.all("OP7107", &[]).is_empty());
    trail.one("OP7108", &[("reason", "symbolon handler reload")]);
    trail.one("OP7112", &[("outcome", "refused")]);
    trail.keeps(&Promises::of(&server));
}
