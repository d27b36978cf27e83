//! Settings that are wrong: everything at once, with file, line and remedy; nothing starts on them.

use crate::harness::command::Ran;
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
    assert_eq!(server.device(crate::harness::cast::ONE).0["expires_in"], 63);
    let server = Setup::new()
        .set("tokens.access_token.lifetime", "61s")
        .environment("SYMBOLON_TOKENS__ACCESS_TOKEN__LIFETIME", "62s")
        .start();
    assert_eq!(server.device(crate::harness::cast::ONE).0["expires_in"], 62);
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
