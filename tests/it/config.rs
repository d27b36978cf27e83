//! Settings that are wrong: everything at once, with file, line and remedy; nothing starts on them.

use serde_json::{Value, json};

use crate::harness::cast::{BACKEND, ONE, TWO};
use crate::harness::command::Ran;
use crate::harness::setup::DEFAULT_HANDLER;
use crate::harness::{Setup, binaries, shared};

/// Runs `config check` on this settings text.
fn check(text: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("symbolon.toml");
    std::fs::write(&path, text).expect("a file");
    Ran::run(std::process::Command::new(binaries::symbolon()).args(["config", "check", "--config"]).arg(path), "")
}

#[test]
fn a_good_file_passes() {
    shared::usual().command(&["config", "check"]).fine();
    check("").fine();
}

#[test]
fn every_fault_is_found_in_one_run() {
    let said = check(
        "[server]\nlisten = \"nowhere\"\nissuer = \"http://example.com/?x=1\"\nworkerz = 3\n\n\
         [tokens]\nsigning_alg = \"HS256\"\naccess_token.lifetime = \"soon\"\n\n[unheard_of]\nx = 1\n",
    )
    .refused();
    for (line, word) in [(2, "nowhere"), (3, "issuer"), (4, "workerz"), (7, "HS256"), (8, "soon"), (10, "unheard_of")] {
        assert!(said.contains(word), "{word}: {said}");
        assert!(said.contains(&format!("symbolon.toml:{line}")), "line {line}: {said}");
    }
    assert!(said.contains("workers"), "a near miss is suggested: {said}");
    assert!(said.contains("remedy"), "{said}");
}

#[test]
fn syntax_errors_name_their_line() {
    let said = check("[server]\nlisten = \"127.0.0.1:1\"\nissuer = \n").refused();
    assert!(said.contains("symbolon.toml:3"), "{said}");
}

#[test]
fn a_missing_file_is_one_sentence() {
    let mut command = std::process::Command::new(binaries::symbolon());
    let said = Ran::run(command.args(["serve", "--config", "/nowhere/symbolon.toml"]), "").refused();
    assert!(said.contains("/nowhere/symbolon.toml"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn faults_of_clients_are_findings_too() {
    let said = check(
        "[[clients]]\nclient_id = \"a\"\nredirect_uris = [\"javascript:x\"]\n\n[[clients]]\nclient_id = \"b\"\nscope = \"unheard-of\"\n\
         redirect_uris = [\"https://b.example.com/cb\"]\n",
    )
    .refused();
    assert!(said.contains("javascript:x") && said.contains("unheard-of"), "{said}");
}

/// What `config check` and `serve` say about the same folder; they must agree word for word.
#[track_caller]
fn both_say(setup: &Setup) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    setup.write(folder.path(), 1);
    let config = folder.path().join("symbolon.toml");
    let run = |command: &[&str]| Ran::run(setup.bare_command().args(command).arg("--config").arg(&config), "");
    let checked = run(&["config", "check"]);
    let served = run(&["serve"]);
    assert_eq!((checked.code, served.code), (1, 1), "{checked:?} {served:?}");
    assert_eq!(checked.stderr, served.stderr, "check and serve find the same");
    checked.stderr
}

#[test]
fn settings_clients_and_properties_are_judged_in_one_pass() {
    let wrong_client =
        |setup: Setup| setup.client(ONE.id, "redirect_uris", json!(["javascript:x"])).client(TWO.id, "scope", "unheard-of");
    let wrong_properties = |setup: Setup| {
        setup.property("op.deviceSSOHandler.accessToken.lifetime", "soon").property("op.deviceSSOHandler.bogus", "1")
    };
    let wrong_settings = |setup: Setup| setup.set("server.workerz", 3).set("tokens.signing_alg", "HS256");
    let in_settings = ["workerz", "HS256"];
    let in_clients = ["javascript:x", "unheard-of"];
    let in_properties = ["soon", "bogus"];
    for (setup, words) in [
        (wrong_properties(wrong_client(wrong_settings(Setup::new()))), [&in_settings[..], &in_clients, &in_properties].concat()),
        (wrong_properties(wrong_client(Setup::new())), [&in_clients[..], &in_properties].concat()),
        (wrong_properties(wrong_settings(Setup::new())), [&in_settings[..], &in_properties].concat()),
        (wrong_client(wrong_settings(Setup::new())), [&in_settings[..], &in_clients].concat()),
    ] {
        let said = both_say(&setup);
        assert_eq!(said.lines().count(), words.len(), "a line each: {said}");
        let found: Vec<Option<usize>> = words.iter().map(|word| said.lines().position(|line| line.contains(word))).collect();
        let in_order: Vec<Option<usize>> = (0..words.len()).map(Some).collect();
        let (mut settings, mut rest) = (found[..2].to_vec(), found[2..].to_vec());
        settings.sort_unstable();
        rest.sort_unstable();
        assert_eq!([settings, rest].concat(), in_order, "settings, then clients, then properties: {said}");
    }
    let json = Ran::run(
        std::process::Command::new(binaries::symbolon()).args(["config", "check", "--json", "-D", "server.lisen=1"]),
        "",
    );
    let said: Value = serde_json::from_str(&json.stderr).expect("findings as JSON");
    assert_eq!(said["findings"][0]["id"], "config.unknown_key");
}

#[test]
fn what_is_wrong_with_its_isolation_hides_nothing_of_a_handler() {
    let setup = Setup::new()
        .property("op.deviceSSOHandler.isolation", "none")
        .property("op.deviceSSOHandler.accessToken.lifetime", "soon")
        .property("op.deviceSSOHandler.bogus", "1")
        .set("handlers.shadow", "Nobody");
    let said = both_say(&setup);
    for word in ["isolation = \"none\"", "soon", "bogus", "Nobody"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(said.lines().count(), 4, "{said}");
}

#[test]
fn one_slip_is_one_finding() {
    // What is missing only because of another finding is no finding of its own.
    let secret =
        Setup::new().client(BACKEND.id, "client_secret_file", "/nowhere/secret").client(BACKEND.id, "client_secret", json!(null));
    assert_eq!(both_say(&secret).lines().count(), 1);
    let scope = Setup::new().set("scopes.read", 1);
    assert_eq!(both_say(&scope).lines().count(), 1, "the clients may ask for it all the same");
    let shadow = Setup::new().set("handlers.shadow", "LocalDeviceSsoHandler").property("op.deviceSSOHandler.bogus", "1");
    assert_eq!(both_say(&shadow).lines().count(), 1);
    // What is no fault of the operator's writing is told in the same run, as a warning.
    let said = both_say(&Setup::new().handler_file("broken.so", "nothing").set("server.workerz", 3));
    assert_eq!(said.lines().filter(|line| line.starts_with("warning:")).count(), 1, "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn a_client_that_is_there_twice_is_found_even_if_it_is_wrong() {
    let client = "[[clients]]\nclient_id = \"a\"\ntoken_endpoint_auth_method = \"none\"\nredirect_uris = [\"javascript:x\"]\n";
    let said = check(&[client, client].concat()).refused();
    assert_eq!(said.lines().count(), 3, "{said}");
    assert_eq!(said.matches("client.duplicate").count(), 1, "{said}");
}

#[test]
fn no_library_is_tried_while_it_is_in_doubt_which_are_trusted() {
    // A library that is tried would say what is wrong with its properties.
    for (name, value) in [("handlers.trusted_digests", json!(["zz"])), ("handlers.trusted_keyz", json!(["a.pem"]))] {
        let said = both_say(&Setup::new().set(name, value).property("op.deviceSSOHandler.bogus", "1"));
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn check_says_whether_device_sso_is_on_and_why_not() {
    let check = |setup: &Setup| {
        let folder = tempfile::tempdir().expect("a folder");
        setup.write(folder.path(), 1);
        let config = folder.path().join("symbolon.toml");
        Ran::run(setup.bare_command().args(["config", "check", "--config"]).arg(config).args(["-D", "handlers.watch=never"]), "")
            .fine()
    };
    let said = check(&Setup::new());
    assert!(said.stdout.contains("Device SSO is on: LocalDeviceSsoHandler"), "{said:?}");
    assert_eq!(said.stderr, "");
    let said = check(&Setup::new().properties(""));
    assert!(said.stdout.contains("Device SSO is off"), "{said:?}");
    assert!(said.stderr.contains("handler.none_enabled") && said.stderr.contains("op.deviceSSOHandler.enable=true"), "{said:?}");
    let said = check(&Setup::new().without_handlers());
    assert!(said.stderr.contains("handler.none_enabled"), "{said:?}");

    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("symbolon.toml");
    std::fs::write(&config, "[handlers]\nfolder = \"nowhere\"\nproperties = [\"p\"]\n").expect("a file");
    std::fs::write(folder.path().join("p"), "op.deviceSSOHandler.enable=true\n").expect("a file");
    let run = |arguments: &[&str]| {
        Ran::run(std::process::Command::new(binaries::symbolon()).args(arguments).arg("--config").arg(&config), "")
    };
    let said = run(&["config", "check"]).fine();
    let warnings: Vec<&str> = said.stderr.lines().collect();
    assert_eq!(warnings.len(), 1, "{said:?}");
    for word in ["handler.folder", "nowhere", "device SSO is off", "unsupported_grant_type"] {
        assert!(warnings[0].contains(word), "{word}: {said:?}");
    }
    assert!(said.stdout.contains("Device SSO is off"), "{said:?}");
    let said = run(&["config", "check", "--json"]).fine().json();
    assert_eq!((&said["warnings"][0]["id"], &said["device_sso"]), (&json!("handler.folder"), &json!(null)));
    std::fs::write(&config, "").expect("a file");
    let said = run(&["config", "check"]).fine();
    assert_eq!(said.stderr, "", "who names no folder wants no handlers");
    assert!(said.stdout.contains("Device SSO is off"), "{said:?}");
}

#[test]
fn the_tour_is_ready_once_its_handler_folder_is_filled() {
    let tour = binaries::repository().join("config/symbolon.toml");
    let text = std::fs::read_to_string(&tour).expect("the tour");
    let folder = tempfile::tempdir().expect("a folder");
    let check = |handlers: &std::path::Path| {
        let mut command = std::process::Command::new(binaries::symbolon());
        command.args(["config", "check", "--config"]).arg(&tour).arg("-D");
        Ran::run(command.arg(format!("handlers.folder={}", handlers.display())), "").fine()
    };
    let said = check(&folder.path().join("nowhere"));
    assert!(said.stderr.contains("handler.folder"), "{said:?}");
    std::fs::copy(binaries::handler(DEFAULT_HANDLER), folder.path().join("default.so")).expect("a copy");
    let said = check(folder.path());
    assert_eq!(said.stderr, "", "nothing to warn of");
    assert!(said.stdout.contains("Device SSO is on"), "{said:?}");
    // What makes the folder stands beside the setting.
    let library = binaries::handler(DEFAULT_HANDLER);
    let name = library.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(
        text.contains("mkdir -m 700 -p target/handlers") && text.contains(&format!("cp target/release/{name} target/handlers/"))
    );
}

#[test]
fn members_of_metadata_that_are_our_own_are_documented() {
    let read = |path: &str| std::fs::read_to_string(binaries::repository().join(path)).expect("a page");
    let source = read("server/src/clients/metadata/mod.rs")
        + &read("server/src/clients/metadata/extensions.rs")
        + &read("server/src/clients/metadata/answers.rs");
    for page in ["README.md", "config/reference.md"] {
        let text = read(page);
        for name in [
            "device_sso_family",
            "device_sso_sources",
            "first_party",
            "access_token_format",
            "access_token_encrypted_response_alg",
            "access_token_encrypted_response_enc",
            "compat_device_token",
            "allow_dotless_redirect_schemes",
            "require_pkce",
            "introspection",
        ] {
            assert!(source.contains(&format!("\"{name}\"")), "{name} is read");
            assert!(text.contains(&format!("`{name}`")), "{name} is missing in {page}");
        }
    }
    assert!(read("SECURITY.md").contains("`introspection`"));
}

#[test]
fn serve_refuses_what_check_refuses() {
    let said = Setup::new().set("tokens.signing_alg", "HS256").set("server.workerz", 1).refused();
    assert!(said.contains("HS256") && said.contains("workerz"), "{said}");
    let said = Setup::new().define("server.listen", "nowhere").define("server.unheard", "1").refused();
    assert!(said.contains("nowhere") && said.contains("server.unheard"), "{said}");
    let said = Setup::new().environment("SYMBOLON_TOKENS__SIGNING_ALG", "HS256").refused();
    assert!(said.contains("SYMBOLON_TOKENS__SIGNING_ALG"), "{said}");
}

#[test]
fn a_definition_beats_the_environment_and_that_the_file() {
    let server = Setup::new()
        .set("tokens.access_token.lifetime", "61s")
        .environment("SYMBOLON_TOKENS__ACCESS_TOKEN__LIFETIME", "62s")
        .define("tokens.access_token.lifetime", "63s")
        .start();
    assert_eq!(server.device(ONE).0["expires_in"], 63);
    let server = Setup::new()
        .set("tokens.access_token.lifetime", "61s")
        .environment("SYMBOLON_TOKENS__ACCESS_TOKEN__LIFETIME", "62s")
        .start();
    assert_eq!(server.device(ONE).0["expires_in"], 62);
}

#[test]
fn secrets_of_the_settings_are_not_shown() {
    let shown = shared::usual().command(&["config", "show"]).fine().stdout;
    assert!(shown.contains("tokens.signing_alg"), "{shown}");
    assert!(!shown.contains(crate::harness::cast::SECRET), "a client secret is shown");
}

#[test]
fn a_second_server_on_the_same_data_folder_is_refused() {
    let server = Setup::new().start();
    let path = server.folder().join("var");
    let mut command = std::process::Command::new(binaries::symbolon());
    command.args(["serve", "--config"]).arg(server.config());
    let said = Ran::run(command.args(["-D", "server.listen=127.0.0.1:0"]), "").refused();
    assert!(!said.contains("panicked"), "{said}");
    assert!(said.contains(path.to_str().expect("a path")) || said.to_lowercase().contains("use"), "{said}");
    assert_eq!(server.get("/readyz").status, 200);
}
