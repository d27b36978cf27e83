//! Clients that other people wrote, and a real browser, against a real server: `tests/clients`.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::cast::{BACKEND, DOTLESS, ONE, SCHEME, SECRET, THREE, TWO};
use crate::harness::command::Ran;
use crate::harness::{Person, Server, binaries, jwt, shared};

/// What each script is told: where the server is and whom to play.
fn brief(server: &Server, person: &Person) -> Value {
    let client = |client: crate::harness::Client| json!({ "client_id": client.id, "redirect_uri": client.redirect });
    json!({
        "issuer": server.issuer,
        "person": { "name": person.name, "password": person.password },
        "one": client(ONE), "two": client(TWO), "three": client(THREE), "scheme": client(SCHEME), "dotless": client(DOTLESS),
        "backend": { "client_id": BACKEND.id, "client_secret": SECRET, "redirect_uri": BACKEND.redirect },
    })
}

/// Runs a script of `tests/clients` with its brief on standard input; gives what it printed.
#[track_caller]
fn run(program: &str, script: &str, brief: &Value) -> Value {
    let folder = binaries::repository().join("tests/clients");
    let ran = Ran::run(Command::new(program).arg(folder.join(script)).current_dir(&folder), &brief.to_string());
    assert_eq!(ran.code, 0, "{program} {script}:\n{}\n{}", ran.stdout, ran.stderr);
    ran.stdout
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .unwrap_or_else(|| panic!("{script} printed no JSON: {ran:?}"))
}

#[track_caller]
fn node(script: &str, brief: &Value) -> Value {
    let modules = binaries::repository().join("tests/clients/node_modules/openid-client");
    assert!(modules.is_dir(), "not installed: run `cd tests/clients && npm install --no-package-lock` (scripts/test does)");
    run("node", script, brief)
}

#[track_caller]
fn chromium(script: &str, brief: &Value) -> Value {
    assert!(std::path::Path::new("/usr/bin/chromium").exists(), "no browser: run `apt-get install chromium` (scripts/test does)");
    node(script, brief)
}

#[track_caller]
fn python(script: &str, brief: &Value) -> Value {
    let python = binaries::repository().join("tests/clients/.venv/bin/python");
    assert!(
        python.is_file(),
        "not installed: run `cd tests/clients && python3 -m venv .venv && .venv/bin/pip install -r requirements.txt` (scripts/test does)"
    );
    run(python.to_str().expect("a UTF-8 path"), script, brief)
}

#[test]
fn openid_client_of_npm_plays_the_whole_story() {
    let server = shared::usual();
    let told = node("openid_client.mjs", &brief(server, &server.person()));
    assert_eq!(told["discovered"], true);
    assert_eq!(told["two"]["sub"], told["one"]["sub"]);
    assert_eq!(told["two"]["sid"], told["one"]["sid"]);
    assert_eq!(told["userinfo"]["email"], "ada@example.com");
    assert_eq!(told["refreshed"], true);
    assert_eq!(
        told["refused"],
        json!({ "wrong_secret": "invalid_grant", "tampered": "invalid_grant", "after_revoke": "invalid_grant" })
    );
    assert_eq!(told["introspected"], json!({ "before": true, "after": false }));
}

#[test]
fn authlib_of_pypi_plays_the_whole_story() {
    let server = shared::usual();
    let told = python("authlib_story.py", &brief(server, &server.person()));
    assert_eq!(told["two"]["sub"], told["one"]["sub"]);
    assert_eq!(told["two"]["aud"], TWO.id);
    assert_eq!(told["userinfo"]["name"], "Ada Example");
    assert_eq!(told["refreshed"], true);
    assert_eq!(told["introspected"], json!({ "before": true, "after": false }));
    assert_eq!(told["refused"], json!({ "wrong_secret": "invalid_grant", "after_revoke": "invalid_grant" }));
    assert_eq!(told["backend"], json!({ "client_credentials": true, "code": true }));
}

#[test]
fn an_encrypted_access_token_is_read_by_jose_and_by_joserfc() {
    use base64::Engine as _;
    let server = crate::tokens::encrypting();
    let device = server.device(ONE);
    let tokens = server.exchange(TWO, &device, "openid profile").ok();
    let (private, _) = crate::tokens::encryption_key();
    let brief = json!({
        "token": tokens["access_token"],
        "private_key": base64::engine::general_purpose::STANDARD.encode(private),
        "jwks": server.get("/jwks.json").ok(),
        "issuer": server.issuer,
        "audience": "https://api.example.com",
    });
    for told in [node("jwe.mjs", &brief), python("jwe.py", &brief)] {
        assert_eq!(told["claims"]["sub"], jwt::claims(device.id())["sub"]);
        assert_eq!(told["claims"]["client_id"], TWO.id);
        assert_eq!(told["claims"]["aud"], "https://api.example.com");
        assert_eq!(told["typ"], "at+jwt");
    }
}

#[test]
fn chromium_signs_in_and_comes_back_to_a_loopback_address() {
    let server = shared::usual();
    let told = chromium("chromium.mjs", &merged(brief(server, &server.person()), "loopback"));
    assert_eq!(told["sub_of_id_token"], told["sub_of_userinfo"]);
    assert_eq!(told["silent"], true, "the second authorization asks nothing");
    assert_eq!(told["complaints"], json!([]), "accessibility and console");
}

#[test]
fn chromium_hands_the_code_to_an_app_scheme() {
    let server = shared::usual();
    for kind in ["scheme", "dotless"] {
        let told = chromium("chromium.mjs", &merged(brief(server, &server.person()), kind));
        assert_eq!(told["complaints"], json!([]), "{kind}: blocked by the content security policy?");
        assert_eq!(told["exchanged"], true, "{kind}");
    }
}

#[test]
fn chromium_says_no_and_signs_out() {
    let server = shared::usual();
    let told = chromium("chromium.mjs", &merged(brief(server, &server.person()), "denied"));
    assert_eq!(told["error"], "access_denied");
    assert_eq!(told["wrong_password_shown"], true);
    assert_eq!(told["signed_out"], true);
    assert_eq!(told["complaints"], json!([]));
}

fn merged(mut brief: Value, kind: &str) -> Value {
    brief["kind"] = kind.into();
    brief
}
