//! The administration commands: the same with the server running and stopped, results on standard output, exit codes
//! 0, 1 and 2.

use serde_json::{Value, json};

use crate::harness::cast::{ONE, TWO};
use crate::harness::command::Ran;
use crate::harness::person::unique;
use crate::harness::{Authorization, Browser, Form, Person, Server, Setup, jwt, shared};

/// Writes a file into the server's folder; gives its path.
#[track_caller]
fn file(server: &Server, content: &str) -> String {
    let path = server.folder().join(unique("file"));
    std::fs::write(&path, content).expect("a file");
    path.to_str().expect("a UTF-8 path").to_owned()
}

fn metadata(id: &str) -> Value {
    json!({
        "client_id": id, "client_name": "Added", "redirect_uris": ["https://added.example.com/cb"],
        "token_endpoint_auth_method": "client_secret_basic", "grant_types": ["client_credentials", "authorization_code"],
        "scope": "openid read",
    })
}

/// The life of a client by commands alone; `server` may run or not.
#[track_caller]
fn life_of_a_client(server: &Server) {
    let id = unique("client");
    let from = file(server, &metadata(&id).to_string());
    let added = server.command(&["client", "add", "--from", &from]).fine().json();
    assert_eq!(added["client_id"], id.as_str());
    let secret = added["client_secret"].as_str().expect("a secret is made");
    assert!(secret.len() >= 32);
    assert!(server.command(&["client", "add", "--from", &from]).refused().contains(&id), "the name is taken");
    let shown = server.command(&["client", "show", &id, "--json"]).fine();
    assert!(!shown.stdout.contains(secret), "a secret is shown once");
    assert_eq!(shown.json()["client_name"], "Added");
    assert!(server.command(&["client", "list"]).fine().stdout.contains(&id));
    let mut changed = metadata(&id);
    changed["client_name"] = "Changed".into();
    let from = file(server, &changed.to_string());
    server.command(&["client", "update", &id, "--from", &from]).fine();
    assert_eq!(server.command(&["client", "show", &id, "--json"]).fine().json()["client_name"], "Changed");
    server.command(&["client", "delete", &id]).fine();
    server.command(&["client", "show", &id]).refused();
    server.command(&["client", "delete", &id]).refused();
}

/// The life of a person by commands alone.
#[track_caller]
fn life_of_a_person(server: &Server) {
    let name = unique("someone");
    let password = file(server, "first password\n");
    server
        .command(&[
            "user",
            "add",
            &name,
            "--password-file",
            &password,
            "--claim",
            "name=Some One",
            "--claim",
            "email_verified=true",
        ])
        .fine();
    server.command(&["user", "add", &name, "--password-file", &password]).refused();
    let shown = server.command(&["user", "show", &name, "--json"]).fine();
    assert_eq!(shown.json()["claims"], json!({ "name": "Some One", "email_verified": true }));
    assert!(!shown.stdout.contains("argon2"), "no digest is shown");
    assert!(server.command(&["user", "list"]).fine().stdout.contains(&name));
    let password = file(server, "second password");
    server.command(&["user", "set-password", &name, "--password-file", &password]).fine();
    server.command(&["user", "disable", &name]).fine();
    assert_eq!(server.command(&["user", "show", &name, "--json"]).fine().json()["disabled"], true);
    server.command(&["user", "delete", &name]).fine();
    server.command(&["user", "show", &name]).refused();
}

#[test]
fn clients_and_people_while_the_server_runs() {
    let server = shared::usual();
    life_of_a_client(server);
    life_of_a_person(server);
}

#[test]
fn clients_and_people_while_it_is_stopped() {
    let server = Setup::new().start();
    assert_eq!(server.stop(), Some(0));
    life_of_a_client(&server);
    life_of_a_person(&server);
    let password = file(&server, "a password");
    server.command(&["user", "add", "later", "--password-file", &password]).fine();
    let from = file(&server, &metadata("later-client").to_string());
    server.command(&["client", "add", "--from", &from]).fine();
    server.start_again();
    let person = Person { name: "later".to_owned(), password: "a password".to_owned() };
    server.sign_in(ONE, &person, "openid");
    assert!(server.command(&["client", "list"]).fine().stdout.contains("later-client"));
}

#[test]
fn an_added_client_works_at_once_and_a_deleted_one_no_more() {
    let server = shared::usual();
    let id = unique("client");
    let from = file(server, &metadata(&id).to_string());
    let added = server.command(&["client", "add", "--from", &from]).fine().json();
    let secret = added["client_secret"].as_str().expect("a secret").to_owned();
    let ask = || {
        let request = crate::harness::server::http().post(server.url("/token")).basic_auth(&id, Some(&secret));
        Server::send(request.form(&[("grant_type", "client_credentials"), ("scope", "read")]))
    };
    ask().ok();
    server.command(&["client", "delete", &id]).fine();
    ask().refused(401, "invalid_client");
}

#[test]
fn clients_of_the_settings_file_are_read_only() {
    let server = shared::usual();
    assert!(server.command(&["client", "list"]).fine().stdout.contains(ONE.id));
    server.command(&["client", "show", ONE.id]).fine();
    server.command(&["client", "delete", ONE.id]).refused();
    let from = file(server, &metadata(ONE.id).to_string());
    server.command(&["client", "add", "--from", &from]).refused();
}

#[test]
fn all_faults_of_a_registration_are_told_at_once() {
    let server = shared::usual();
    let from = file(
        server,
        &json!({
            "client_id": "bad", "redirect_uris": ["javascript:alert(1)", "https://a.example.com/#fragment"],
            "grant_types": ["authorization_code", "magic"], "token_endpoint_auth_method": "guess", "scope": "openid unheard-of",
        })
        .to_string(),
    );
    let said = server.command(&["client", "add", "--from", &from]).refused();
    for word in ["javascript:", "fragment", "magic", "guess", "unheard-of"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    for content in ["", "[]", "{", "null"] {
        let from = file(server, content);
        server.command(&["client", "add", "--from", &from]).refused();
    }
    server.command(&["client", "add", "--from", "/nowhere.json"]).refused();
}

#[test]
fn a_changed_password_takes_effect_at_once() {
    let server = shared::usual();
    let mut person = server.person();
    server.sign_in(ONE, &person, "openid");
    let password = file(server, "another password");
    server.command(&["user", "set-password", &person.name, "--password-file", &password]).fine();
    let browser = Browser::new();
    let page = browser.ask(server, &Authorization::new(ONE, "openid")).page();
    let page = browser.submit_password(server, &page, &person.name, &person.password).page();
    assert!(page.alert().is_some());
    "another password".clone_into(&mut person.password);
    server.sign_in(ONE, &person, "openid");
}

#[test]
fn sessions_are_listed_shown_and_ended_running_and_stopped() {
    let server = Setup::new().start();
    for stopped in [false, true] {
        let person = server.person();
        let device = server.sign_in(ONE, &person, "openid offline_access device_sso");
        server.exchange(TWO, &device, "openid").ok();
        let sid = jwt::claims(device.id())["sid"].as_str().expect("sid").to_owned();
        if stopped {
            assert_eq!(server.stop(), Some(0));
        }
        let listed = server.command(&["session", "list", "--user", &person.name]).fine().stdout;
        assert!(listed.contains(&sid), "{listed}");
        let shown = server.command(&["session", "show", &sid, "--json"]).fine().stdout;
        assert!(shown.contains(ONE.id) && shown.contains(TWO.id), "{shown}");
        for secret in [device.secret(), device.refresh()] {
            assert!(!shown.contains(secret));
        }
        server.command(&["session", "end", &sid]).fine();
        server.command(&["session", "show", &sid]).refused();
        server.command(&["session", "end", &sid]).refused();
        if stopped {
            server.start_again();
        }
        server.refresh(ONE, device.refresh()).refused(400, "invalid_grant");
    }
}

#[test]
fn keys_are_listed_and_rotated_stopped_too() {
    let server = Setup::new().start();
    let count = || server.command(&["key", "list", "--json"]).fine().json().as_array().map_or(0, Vec::len);
    let before = count();
    server.command(&["key", "rotate", "--alg", "ES256"]).fine();
    assert_eq!(count(), before + 1);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(count(), before + 1);
    server.command(&["key", "rotate", "--alg", "ES256"]).fine();
    server.start_again();
    assert_eq!(server.keys().keys.len(), count());
    let printed = server.command(&["key", "list"]).fine().stdout;
    assert!(printed.contains("ES256") && !printed.contains("PRIVATE"), "{printed}");
}

#[test]
fn a_running_server_lists_as_much_as_a_stopped_one() {
    let server = Setup::new().start();
    let password = file(&server, "pass word");
    let claim = format!("note={}", "x".repeat(60_000));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (server, password, claim) = (&server, &password, &claim);
            scope.spawn(move || {
                for n in 0..19 {
                    let name = format!("person-{thread}-{n}");
                    server.command(&["user", "add", &name, "--password-file", password, "--claim", claim]).fine();
                }
            });
        }
    });
    let running = server.command(&["user", "list", "--json"]).fine().stdout;
    assert!(running.len() > 4 * 1024 * 1024);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(server.command(&["user", "list", "--json"]).fine().stdout, running);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let server = shared::usual();
    for arguments in [
        &["dance"][..],
        &["client"],
        &["client", "add"],
        &["client", "show"],
        &["user", "add"],
        &["session", "end"],
        &["serve", "--unheard-of"],
        &["user", "add", "ada", "--password-file", "/nowhere", "--claim", "novalue"],
        &["user", "add", "ada", "--password-file", "/nowhere", "--claim", "=value"],
        &["key", "rotate", "--alg", "HS256"],
        &["handler", "explain", "--client", "a", "--session", "b", "--claims", "{"],
    ] {
        let ran = server.command(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(ran.stdout.is_empty(), "{ran:?}");
        assert!(!ran.stderr.is_empty());
        // The same for machines: one JSON object on the same stream as every other error.
        let ran = server.command(&[arguments, &["--json"]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {ran:?}");
        let said: Value = serde_json::from_str(&ran.stderr).unwrap_or_else(|error| panic!("not JSON ({error}): {ran:?}"));
        assert!(said["error"].as_str().is_some_and(|text| !text.is_empty() && !text.contains('\u{1b}')), "{said}");
    }
    let said = server.command(&["key", "rotate", "--alg", "HS256"]).stderr;
    assert!(["RS256", "ES256", "PS256", "EdDSA"].iter().all(|alg| said.contains(alg)), "{said}");
}

#[test]
fn help_and_version_need_no_settings() {
    for arguments in [&["--help"][..], &["--version"], &["client", "--help"], &["help"]] {
        let ran = Ran::run(std::process::Command::new(crate::harness::binaries::symbolon()).args(arguments), "").fine();
        assert!(!ran.stdout.is_empty());
    }
    let ran = Ran::run(std::process::Command::new(crate::harness::binaries::symbolon()).args(["--json", "--version"]), "").fine();
    assert!(ran.stdout.starts_with("symbolon "), "{ran:?}");
}

#[test]
fn unknown_names_are_refusals() {
    let server = shared::usual();
    for arguments in [
        &["user", "show", "nobody"][..],
        &["user", "disable", "nobody"],
        &["user", "delete", "nobody"],
        &["client", "show", "nobody"],
        &["session", "list", "--user", "nobody"],
        &["session", "show", "nothing"],
        &["session", "end", "nothing"],
    ] {
        let ran = server.command(arguments);
        assert_eq!(ran.code, 1, "{arguments:?}: {ran:?}");
        assert!(!ran.stderr.is_empty());
    }
}

#[test]
fn a_deleted_client_can_do_no_more_with_its_tokens() {
    let server = shared::usual();
    let id = unique("client");
    let mut all = metadata(&id);
    all["grant_types"] = json!(["authorization_code", "refresh_token"]);
    all["scope"] = "openid offline_access".into();
    all["client_secret"] = crate::harness::cast::SECRET.into();
    server.command(&["client", "add", "--from", &file(server, &all.to_string())]).fine();
    let leaked: &'static str = Box::leak(id.clone().into_boxed_str());
    let client = crate::harness::Client {
        id: leaked,
        proof: crate::harness::cast::Proof::Basic,
        redirect: "https://added.example.com/cb",
    };
    let tokens = server.sign_in(client, &server.person(), "openid offline_access");
    server.refresh(client, tokens.refresh()).ok();
    server.command(&["client", "delete", &id]).fine();
    server
        .token(client, Form::of(&[("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())]))
        .refused(401, "invalid_client");
}

#[test]
fn whoever_names_no_settings_is_told_which_data_folder_that_means() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(crate::harness::binaries::symbolon());
        Ran::run(command.env_remove("SYMBOLON_CONFIG").current_dir(folder.path()).args(arguments), "").fine()
    };
    let said = run(&["user", "list", "--json"]);
    assert!(said.stderr.contains("no settings file is named") && said.stderr.contains("/var"), "{said:?}");
    assert_eq!(said.json(), json!([]));
    let said = run(&["user", "list", "-D", "storage.path=elsewhere"]);
    assert!(!said.stderr.contains("no settings file"), "{said:?}");
}

#[test]
fn lists_for_people_have_headings() {
    let server = shared::usual();
    let said = server.command(&["key", "list"]).fine().stdout;
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.len() == 5 && lines[0].starts_with("kid ") && lines[0].contains("  alg"), "{said}");
    let column = lines[0].find("alg").expect("a column");
    assert!(lines[1..].iter().all(|line| ["RS256", "ES256", "PS256", "EdDSA"].iter().any(|alg| line[column..].starts_with(alg))));
}

/// `symbolon … | head`: whoever reads no further ends the command as it would have ended.
#[test]
fn a_reader_that_is_gone_is_no_failure() {
    use std::process::{Command, Stdio};
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(crate::harness::binaries::symbolon());
    let command = command.args(["config", "reference"]).stdout(Stdio::from(writer)).stderr(Stdio::piped());
    let ended = command.output().expect("it runs");
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
    // A full disk is another matter: what was to be kept was not.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let mut command = Command::new(crate::harness::binaries::symbolon());
    let ended = command.args(["config", "reference"]).stdout(Stdio::from(full)).stderr(Stdio::piped()).output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.code() == Some(1) && said.starts_with("error: the result cannot be written"), "{said}");
}
