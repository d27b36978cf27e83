//! Clients that other people wrote, and a real browser, against a real server: `tests/clients`.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::cast::{BACKEND, BACKEND_JWT, DOTLESS, ONE, SCHEME, SECRET, THREE, TWO};
use crate::harness::command::Ran;
use crate::harness::person::unique;
use crate::harness::process::Process;
use crate::harness::redis::Port;
use crate::harness::server::http;
use crate::harness::{Browser, Person, Server, Setup, binaries, jwt, shared, until};

/// Where [`ONE`] is sent after signing out.
const SIGNED_OUT: &str = "http://127.0.0.1:9/signed-out";

/// What each script is told: where the server is and whom to play.
pub(crate) fn brief(server: &Server, person: &Person) -> Value {
    let client = |client: crate::harness::Client| json!({ "client_id": client.id, "redirect_uri": client.redirect, "signed_out_uri": SIGNED_OUT });
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
    let modules = binaries::repository().join("tests/clients/node_modules/express-openid-connect");
    assert!(modules.is_dir(), "not installed: run `cd tests/clients && npm install --no-package-lock` (scripts/test does)");
    run("node", script, brief)
}

#[track_caller]
pub(crate) fn chromium(script: &str, brief: &Value) -> Value {
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
        json!({
            "wrong_secret": "invalid_grant", "tampered": "invalid_grant",
            "after_revoke": "invalid_grant", "after_sign_out": "invalid_grant",
        })
    );
    assert_eq!(told["signed_out"], format!("{SIGNED_OUT}?state=a+state"));
    assert_eq!(told["introspected"], json!({ "before": true, "after": false }));
}

#[test]
fn openid_client_of_npm_pushes_and_signs_its_requests() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    use base64::Engine as _;
    use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let document = pair.to_pkcs8v1().expect("PKCS #8");
    let mut jwk = Jwk::from_encoding_key(&EncodingKey::from_ec_der(document.as_ref()), Algorithm::ES256).expect("a JWK");
    jwk.common.key_id = Some("signer".to_owned());
    let server = Setup::new()
        .client(BACKEND_JWT.id, "jwks", json!({ "keys": [jwk] }))
        .client(BACKEND_JWT.id, "request_object_signing_alg", "ES256")
        .start();
    let mut brief = brief(&server, &server.person());
    brief["signer"] = json!({
        "client_id": BACKEND_JWT.id, "redirect_uri": BACKEND_JWT.redirect, "kid": "signer",
        "private_key": base64::engine::general_purpose::STANDARD.encode(document.as_ref()),
    });
    let told = node("openid_client_requests.mjs", &brief);
    for (way, said) in [("pushed", "request_uri"), ("signed", "request"), ("both", "request_uri")] {
        assert_eq!(told[way]["said"], json!(["client_id", said]), "{way}");
        assert_eq!(told[way]["scope"], "openid email", "{way}");
        assert_eq!(told[way]["sub"], told["pushed"]["sub"]);
    }
}

#[test]
fn openid_client_of_npm_registers_itself() {
    let server = crate::registration::open().start();
    let mut brief = brief(&server, &server.person());
    brief["initial_token"] = server.command(&["client", "initial-token", "add", "--json"]).fine().json()["token"].clone();
    let told = node("openid_client_registration.mjs", &brief);
    for (story, method, has_secret) in
        [("with_token", "client_secret_basic", true), ("post", "client_secret_post", true), ("public", "none", false)]
    {
        let expected = json!({ "method": method, "has_secret": has_secret, "audience_is_own": true, "email": "ada@example.com" });
        assert_eq!(told[story], expected, "{story}");
    }
    assert_eq!(told["refused"], "invalid_client_metadata");
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
    assert_eq!(
        told["refused"],
        json!({ "wrong_secret": "invalid_grant", "after_revoke": "invalid_grant", "after_sign_out": "invalid_grant" })
    );
    assert_eq!(told["signed_out"], format!("{SIGNED_OUT}?state=a+state"));
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
fn encrypted_answers_are_read_by_jose_and_by_joserfc() {
    use base64::Engine as _;
    let server = crate::encrypted_answers::server();
    let (tokens, _) = crate::encrypted_answers::sign_in(server, &Browser::new(), ONE, &server.person(), "openid email");
    let (private, _) = crate::tokens::encryption_key();
    let keys = server.get("/jwks.json").ok();
    for answer in [tokens.id().to_owned(), server.userinfo(tokens.access()).body] {
        let brief = json!({
            "token": answer, "private_key": base64::engine::general_purpose::STANDARD.encode(private),
            "jwks": keys, "issuer": server.issuer, "audience": ONE.id, "typ": "JWT",
        });
        for told in [node("jwe.mjs", &brief), python("jwe.py", &brief)] {
            assert_eq!((&told["claims"]["aud"], &told["typ"], &told["enc"]), (&json!(ONE.id), &json!("JWT"), &json!("A256GCM")));
            assert!(told["claims"]["sub"].is_string());
        }
    }
}

#[test]
fn openid_client_of_npm_signs_in_with_everything_encrypted() {
    use base64::Engine as _;
    let server = crate::encrypted_answers::server();
    let mut brief = brief(server, &server.person());
    brief["private_key"] = base64::engine::general_purpose::STANDARD.encode(&crate::tokens::encryption_key().0).into();
    let told = node("encrypted_answers.mjs", &brief);
    assert_eq!(told["parts"], 5);
    assert_eq!(told["claims"]["aud"], ONE.id);
    assert_eq!(told["userinfo"]["email"], "ada@example.com");
    assert_eq!(told["userinfo"]["sub"], told["claims"]["sub"]);
    assert_eq!(told["refreshed"]["sub"], told["claims"]["sub"]);
    assert_eq!((&told["introspected"]["active"], &told["introspected"]["client_id"]), (&json!(true), &json!(ONE.id)));
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

/// Registers an application of its own on that port, with what else its registration says; what its script is told of it.
#[track_caller]
pub(crate) fn web(server: &Server, port: &Port, more: &Value) -> Value {
    let mut client = json!({
        "client_id": unique("web"), "client_name": "A web application", "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "scope": "openid profile email offline_access",
    });
    for (name, value) in more.as_object().expect("an object") {
        let origin = format!("http://127.0.0.1:{}", port.number);
        client[name] = match value.as_array() {
            Some(paths) => paths.iter().map(|path| format!("{origin}{}", path.as_str().expect("a path"))).collect(),
            None => value.clone(),
        };
    }
    if client["token_endpoint_auth_method"] != "none" {
        client["client_secret"] = SECRET.into();
    }
    server.command_with(&["client", "add", "--from", "/dev/stdin"], &client.to_string()).fine();
    json!({ "client_id": client["client_id"], "client_secret": client["client_secret"], "port": port.number })
}

#[test]
fn oidc_client_ts_signs_in_renews_and_signs_out_in_chromium() {
    let server = shared::usual();
    let port = Port::free();
    let mut brief = brief(server, &server.person());
    let more = json!({
        "token_endpoint_auth_method": "none", "redirect_uris": ["/callback", "/silent"], "post_logout_redirect_uris": ["/signed-out"],
    });
    brief["web"] = web(server, &port, &more);
    let told = chromium("oidc_client_ts.mjs", &brief);
    let (first, second, third) = (&told["first"], &told["second"], &told["third"]);
    assert_eq!(told["state"], "my own");
    assert_eq!(first["email"], "ada@example.com", "from UserInfo, across origins");
    assert_eq!((&second["sub"], &third["sub"]), (&first["sub"], &first["sub"]));
    assert_ne!(second["refresh_token"], first["refresh_token"], "renewed by refresh token");
    assert!(third["access_token"].is_string() && third["refresh_token"].is_null(), "renewed in a hidden frame: {third}");
    assert_eq!(told["left"], json!(null));
    assert_eq!(told["silent"], "login_required", "signed out at the server too");
    assert_eq!(told["complaints"], json!([]));
    assert!(!server.is_active(second["refresh_token"].as_str().expect("a refresh token")), "revoked by the library");
}

#[test]
fn express_openid_connect_signs_in_refreshes_and_signs_out_in_chromium() {
    let server = shared::usual();
    let port = Port::free();
    let mut brief = brief(server, &server.person());
    brief["web"] = web(server, &port, &json!({ "redirect_uris": ["/callback"], "post_logout_redirect_uris": [""] }));
    let told = chromium("express.mjs", &brief);
    for mode in ["query", "form_post"] {
        let told = &told[mode];
        assert_eq!(told["me"]["refreshed"], true, "{mode}: {told}");
        assert_eq!(told["me"]["info"]["sub"], told["me"]["sub"], "{mode}");
        assert_eq!(told["me"]["info"]["name"], "Ada Example", "{mode}");
        assert_eq!((&told["signed_in_after"], &told["asked_again"]), (&json!(false), &json!(true)), "{mode}");
        assert_eq!(told["complaints"], json!([]), "{mode}");
        assert!(!server.is_active(told["me"]["refresh_token"].as_str().expect("a refresh token")), "{mode}");
    }
}

#[test]
fn appauth_js_signs_in_refreshes_and_signs_out() {
    let server = shared::usual();
    let told = node("appauth.mjs", &brief(server, &server.person()));
    assert_eq!(told["refreshed"], true);
    assert_eq!(server.verified(told["id_token"].as_str().expect("an ID token")).1["aud"], ONE.id);
    assert_eq!(told["revoked"], "Bad Request", "the library tells no more of a refusal");
    assert_eq!(told["signed_out"], format!("{SIGNED_OUT}?state=a+state"));
}

#[test]
fn apache_with_mod_auth_openidc_signs_in_refreshes_and_signs_out() {
    let server = shared::usual();
    let port = Port::free();
    let mut brief = brief(server, &server.person());
    brief["web"] = web(server, &port, &json!({ "redirect_uris": ["/protected/callback"], "post_logout_redirect_uris": ["/"] }));
    let apache = Apache::start(server, &brief["web"]);
    let told = python("apache.py", &brief);
    let origin = format!("http://127.0.0.1:{}", port.number);
    assert_eq!(told["landed"], format!("{origin}/protected/"), "{}", apache.log());
    assert_eq!(told["user"], told["sub"]);
    assert_eq!(told["name"], "Ada Example");
    assert_eq!(told["refreshed_back_to"], format!("{origin}/protected/"), "{}", apache.log());
    let [before, after] = [0, 1].map(|n| told["access_tokens"][n].as_str().expect("an access token"));
    assert_ne!(before, after);
    assert_eq!(told["signed_out"], format!("{origin}/"));
    assert!(told["asked_again"].as_str().is_some_and(|to| to.starts_with(&server.url("/authorize"))), "{told}");
    assert!(!server.is_active(before) && !server.is_active(after));
}

/// A web server of its own in a temporary folder, without privileges.
struct Apache {
    folder: tempfile::TempDir,
    process: Option<Process>,
}

impl Apache {
    const MODULES: &str = "/usr/lib/apache2/modules";

    #[track_caller]
    fn start(server: &Server, client: &Value) -> Self {
        let module = std::path::Path::new(Self::MODULES).join("mod_auth_openidc.so");
        assert!(module.is_file(), "no Apache: run `apt-get install apache2-bin libapache2-mod-auth-openidc` (scripts/test does)");
        let folder = tempfile::Builder::new().prefix("symbolon-apache-").tempdir().expect("a temporary folder");
        let path = folder.path().to_str().expect("a UTF-8 path");
        let template = std::fs::read_to_string(binaries::repository().join("tests/clients/apache.conf")).expect("the template");
        let port = client["port"].to_string();
        let values = [
            ("folder", path),
            ("modules", Self::MODULES),
            ("port", &port),
            ("issuer", &server.issuer),
            ("client_id", client["client_id"].as_str().expect("client_id")),
            ("client_secret", SECRET),
            ("passphrase", &unique("passphrase")),
        ];
        let settings = values.iter().fold(template, |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        std::fs::write(folder.path().join("apache.conf"), settings).expect("the settings");
        for (file, text) in [("www/index.html", "everybody"), ("www/protected/index.html", "the person")] {
            let file = folder.path().join(file);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            std::fs::write(file, text).expect("a page");
        }
        let mut command = Command::new("/usr/sbin/apache2");
        command.args(["-D", "FOREGROUND", "-f"]).arg(folder.path().join("apache.conf"));
        // As root it would want to become somebody else by its own rules.
        if std::fs::metadata(folder.path()).expect("the folder").uid() == 0 {
            const NOBODY: u32 = 65534;
            for place in ["", "www", "www/protected", "www/index.html", "www/protected/index.html", "apache.conf"] {
                std::os::unix::fs::chown(folder.path().join(place), Some(NOBODY), Some(NOBODY)).expect("another owner");
            }
            command.uid(NOBODY).gid(NOBODY);
        }
        let process = Process::start(&mut command, &folder.path().join("output"), folder.path());
        let apache = Self { folder, process: Some(process) };
        until("Apache answers", || http().get(format!("http://127.0.0.1:{port}/")).send().is_ok());
        apache
    }

    fn log(&self) -> String {
        ["output", "error.log"].map(|name| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()).concat()
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.terminate();
        }
    }
}
