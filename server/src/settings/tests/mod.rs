//! Whole loads: every layer and every precedence. The parts: what is found wrong, and the sections of the settings file.

#![expect(clippy::unwrap_used, reason = "tests")]

mod audit;
mod findings;
mod kinds;
mod sections;
mod shipped;

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::document::Document;
use super::load::load_document;
use super::meaning::{AccessTokenFormat, SealingKeySource, SigningAlg};
use super::*;
use crate::protocol::Scope;

/// A folder with files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn in_memory(toml: &str, overrides: &[&str], environment: &[(&str, &str)]) -> Result<Loaded, Findings> {
    let document = Document::new(toml.to_owned(), Path::new("/etc/symbolon/symbolon.toml"));
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load_document(Ok(Some(&document)), &overrides, environment)?.finish()
}

fn good(toml: &str, overrides: &[&str], environment: &[(&str, &str)]) -> Loaded {
    in_memory(toml, overrides, environment).unwrap_or_else(|findings| panic!("{findings}"))
}

/// The findings, each as place and id.
fn findings(toml: &str, overrides: &[&str], environment: &[(&str, &str)]) -> Vec<(String, &'static str)> {
    let findings = in_memory(toml, overrides, environment).err().unwrap_or_default();
    assert!(
        findings.0.iter().all(|one| !one.seen.is_empty() && !one.expected.is_empty() && !one.remedy.is_empty()),
        "{findings}"
    );
    findings.0.into_iter().map(|one| (one.place.replace("/etc/symbolon/", ""), one.id)).collect()
}

fn found(place: &str, id: &'static str) -> (String, &'static str) {
    (place.to_owned(), id)
}

fn origin(loaded: &Loaded, key: &str) -> String {
    loaded.show().into_iter().find(|shown| shown.key == key).unwrap().origin
}

#[test]
fn the_built_in_settings_are_what_the_types_promise() {
    let settings = Settings::built_in();
    assert_eq!(settings.server.issuer.text, "http://127.0.0.1:8080");
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.server.max_body, 65536);
    assert_eq!(settings.server.shutdown_grace, Duration::from_secs(10));
    assert!(settings.server.workers >= 1 && settings.sign_in.password_concurrency >= 1);
    assert_eq!(settings.storage.path, Path::new("var"));
    assert!(matches!(settings.storage.sealing_key, SealingKeySource::Generated));
    assert_eq!(settings.storage.cache_bytes, 16 * 1024 * 1024);
    let tokens = &settings.tokens;
    assert_eq!(tokens.signing_alg, SigningAlg::Rs256);
    assert_eq!((tokens.access_token_lifetime.as_secs(), tokens.access_token_max_lifetime.as_secs()), (600, 86_400));
    assert_eq!((tokens.access_token_format, &tokens.access_token_audience), (AccessTokenFormat::Jwt, &None));
    assert_eq!((tokens.id_token_lifetime.as_secs(), tokens.id_token_max_lifetime.as_secs()), (600, 86_400));
    assert_eq!((tokens.refresh_token_lifetime, tokens.refresh_token_max_idle), (Some(Duration::from_hours(30 * 24)), None));
    assert!(tokens.refresh_token_rotate);
    assert_eq!((tokens.code_lifetime.as_secs(), tokens.key_publish_before_use.as_secs()), (60, 3600));
    assert_eq!(tokens.key_rotate_every, Some(Duration::from_hours(90 * 24)));
    let days = |n: u64| Some(Duration::from_hours(n * 24));
    for limits in [settings.sessions.device, settings.sessions.offline] {
        assert_eq!((limits.max_lifetime, limits.max_idle), (days(90), days(30)));
    }
    assert_eq!((settings.sessions.device_auth_lifetime, settings.sessions.browser_auth_lifetime), (None, None));
    assert_eq!(settings.sessions.browser.max_lifetime, Some(Duration::from_hours(12)));
    assert_eq!(settings.sessions.browser.max_idle, Some(Duration::from_hours(1)));
    let sign_in = &settings.sign_in;
    assert_eq!((sign_in.throttle_account_attempts, sign_in.throttle_address_attempts), (10, 100));
    assert_eq!((sign_in.throttle_window.as_secs(), sign_in.transaction_lifetime.as_secs()), (300, 3600));
    assert_eq!((sign_in.password_memory_kib, sign_in.password_iterations, sign_in.password_lanes), (19456, 2, 1));
    assert_eq!((sign_in.password_acr.as_str(), sign_in.title.as_str()), ("urn:symbolon:acr:password", "Sign in"));
    assert!(settings.proxy.trusted.is_empty());
    assert_eq!((settings.handlers.folder, settings.handlers.deadline), (None, Duration::from_secs(2)));
    assert_eq!((settings.telemetry.json, settings.telemetry.level.as_str()), (false, "info"));
    assert_eq!(settings.scopes.len(), 11);
    let settings = Settings::built_in();
    let scope = Scope::parse("openid email phone").unwrap();
    assert_eq!(settings.claims_of(&scope), ["sub", "email", "email_verified", "phone_number", "phone_number_verified"]);
}

#[test]
fn each_layer_is_stronger_than_the_one_before() {
    let toml = "[server]\nlisten = \"127.0.0.1:1\"\n[tokens.access_token]\nlifetime = \"1m\"\n";
    let env = [("SYMBOLON_SERVER__LISTEN", "127.0.0.1:2"), ("SYMBOLON_TOKENS__ACCESS_TOKEN__LIFETIME", "2m"), ("HOME", "/root")];
    let listen = |loaded: &Loaded| (loaded.settings.server.listen.port(), origin(loaded, "server.listen"));
    assert_eq!(listen(&good("", &[], &[])), (8080, "built-in".to_owned()));
    assert_eq!(listen(&good(toml, &[], &[])), (1, "/etc/symbolon/symbolon.toml:2".to_owned()));
    let loaded = good(toml, &[], &env);
    assert_eq!(listen(&loaded), (2, "SYMBOLON_SERVER__LISTEN".to_owned()));
    assert_eq!(loaded.settings.tokens.access_token_lifetime, Duration::from_mins(2));
    assert_eq!(loaded.origins["server.listen"].layer, Layer::Environment);
    let loaded = good(toml, &["server.listen=127.0.0.1:3", "server.listen=127.0.0.1:4"], &env);
    assert_eq!(listen(&loaded), (4, "-D server.listen".to_owned()));
}

#[test]
fn every_setting_may_be_written_in_every_layer() {
    let toml = r#"
[server]
listen = "[::]:9000"
issuer = "https://login.example.com/tenant"
workers = 3
max_body = 2048
shutdown_grace = "0s"
[storage]
path = "data"
cache = "32MiB"
[tokens]
signing_alg = "EdDSA"
access_token = { lifetime = "5m", max_lifetime = "1h", format = "opaque", audience = "https://api.example.com" }
id_token.lifetime = "6m"
id_token.max_lifetime = "7m"
refresh_token.lifetime = "never"
refresh_token.max_idle = "8d"
refresh_token.rotate = false
code.lifetime = "30s"
keys.publish_before_use = "2h"
keys.rotate_every = "never"
[sessions.device]
max_lifetime = "never"
max_idle = "never"
auth_lifetime = "9d"
[sign_in]
transaction_lifetime = "10m"
throttle = { account_attempts = 0, address_attempts = 5, window = "1m" }
password = { memory_kib = 4096, iterations = 3, lanes = 2, concurrency = "auto" }
acr = "1"
title = "Hello"
[proxy]
trusted = ["10.0.0.0/8", "::1"]
[handlers]
folder = "/opt/handlers"
deadline = "250ms"
[telemetry]
format = "json"
level = "warn,symbolon::audit=info"
"#;
    let settings = good(toml, &[], &[]).settings;
    assert_eq!(settings.server.issuer.path(), "/tenant");
    assert_eq!((settings.server.workers, settings.server.max_body), (3, 2048));
    assert_eq!(settings.storage.path, Path::new("/etc/symbolon/data"));
    assert_eq!(settings.tokens.signing_alg, SigningAlg::EdDsa);
    assert_eq!(settings.tokens.access_token_format, AccessTokenFormat::Opaque);
    assert_eq!(settings.tokens.access_token_audience.as_deref(), Some("https://api.example.com"));
    assert_eq!((settings.tokens.refresh_token_lifetime, settings.tokens.key_rotate_every), (None, None));
    assert!(!settings.tokens.refresh_token_rotate);
    assert_eq!(settings.sessions.device_auth_lifetime, Some(Duration::from_hours(9 * 24)));
    assert_eq!((settings.sign_in.throttle_account_attempts, settings.sign_in.password_lanes), (0, 2));
    assert!(settings.proxy.trusted[0].contains(IpAddr::from([10, 1, 2, 3])));
    assert!(settings.telemetry.json);
    assert_eq!(settings.handlers.folder.as_deref(), Some(Path::new("/opt/handlers")));
    assert_eq!(settings.handlers.deadline, Duration::from_millis(250));
    // What `config show` prints can be written in the other two layers and means the same.
    let shown: Vec<Shown> = good(toml, &[], &[])
        .show()
        .into_iter()
        .filter(|shown| leaves::Leaf::find(&shown.key).is_some_and(|leaf| !leaf.secret))
        .collect();
    let overrides: Vec<String> = shown.iter().map(|shown| format!("{}={}", shown.key, shown.value)).collect();
    let environment = shown.iter().map(|shown| (leaves::Leaf::find(&shown.key).unwrap().environment_name(), shown.value.clone()));
    let values = |loaded: Loaded| loaded.show().into_iter().map(|shown| (shown.key, shown.value)).collect::<Vec<_>>();
    assert_eq!(values(load(None, &overrides, std::iter::empty()).unwrap()), values(good(toml, &[], &[])));
    assert_eq!(values(load(None, &[], environment).unwrap()), values(good(toml, &[], &[])));
}

#[test]
fn relative_paths_start_where_they_were_written() {
    let path =
        |overrides: &[&str], env: &[(&str, &str)]| good("[storage]\npath = \"../var\"", overrides, env).settings.storage.path;
    assert_eq!(path(&[], &[]), Path::new("/etc/symbolon/../var"));
    assert_eq!(path(&["storage.path=here"], &[]), Path::new("here"));
    assert_eq!(path(&[], &[("SYMBOLON_STORAGE__PATH", "there")]), Path::new("there"));
    assert_eq!(good("", &[], &[]).settings.storage.path, Path::new("/etc/symbolon/var"));
}

#[test]
fn the_sealing_key_comes_from_a_file_or_the_environment() {
    let folder = folder(&[("key", "00"), ("s.toml", "[storage]\nsealing_key_file = \"key\"\n")]);
    let file = folder.path().join("s.toml");
    let value = ("SYMBOLON_STORAGE__SEALING_KEY".to_owned(), "ab".repeat(32));
    let from = |overrides: &[String], env: Vec<(String, String)>| load(Some(&file), overrides, env.into_iter());
    assert!(
        matches!(from(&[], vec![]).unwrap().settings.storage.sealing_key, SealingKeySource::File(path) if path == folder.path().join("key"))
    );
    let loaded = from(&[], vec![value.clone()]).unwrap();
    assert!(matches!(&loaded.settings.storage.sealing_key, SealingKeySource::Value(key) if *key.expose() == value.1));
    let shown = loaded.show().into_iter().find(|shown| shown.key == "storage.sealing_key").unwrap();
    assert_eq!((shown.value.as_str(), shown.origin.as_str()), ("[hidden]", "SYMBOLON_STORAGE__SEALING_KEY"));
    assert!(!format!("{loaded:?}").contains(&value.1));
    let typed = format!("storage.sealing_key_file={}", folder.path().join("key").display());
    assert!(matches!(from(&[typed], vec![value.clone()]).unwrap().settings.storage.sealing_key, SealingKeySource::File(_)));
    let both = vec![value.clone(), ("SYMBOLON_STORAGE__SEALING_KEY_FILE".to_owned(), "/dev/null".to_owned())];
    assert_eq!(from(&[], both).unwrap_err().0[0].id, "config.conflict");
    let secret = in_memory("", &["storage.sealing_key=hunter2"], &[]).unwrap_err();
    assert!(secret.0[0].id == "config.secret_in_the_open" && !secret.to_string().contains("hunter2"));
}

#[test]
fn handler_properties_come_from_files_environment_and_overrides() {
    let folder = folder(&[
        ("a.properties", "# one\nop.deviceSSOHandler.enable=false\nop.deviceSSOHandler.claimsTransport=USERINFO\nx.y=1\n"),
        ("b.properties", "op.deviceSSOHandler.enable = true\nx.apiKey=hunter2\n"),
        ("s.toml", "[handlers]\nproperties = [\"a.properties\", \"b.properties\"]\n"),
    ]);
    let file = folder.path().join("s.toml");
    let env = [("SYMBOLON_PROPERTY_op_deviceSSOHandler_claimsTransport".to_owned(), "ID_TOKEN".to_owned())];
    let loaded = load(Some(&file), &["x.y= 2 ".to_owned()], env.into_iter()).unwrap();
    let properties = &loaded.settings.handlers.properties;
    let get = |name: &str| (properties[name].value.as_str(), properties[name].place.rsplit('/').next().unwrap());
    assert_eq!(get("op.deviceSSOHandler.enable"), ("true", "b.properties:1"));
    assert_eq!(get("op.deviceSSOHandler.claimsTransport"), ("ID_TOKEN", "SYMBOLON_PROPERTY_op_deviceSSOHandler_claimsTransport"));
    assert_eq!(get("x.y"), ("2", "-D x.y"));
    let shown = |key: &str| loaded.show().into_iter().find(|shown| shown.key == key).unwrap().value;
    assert_eq!((shown("x.y").as_str(), shown("x.apiKey").as_str()), ("2", "[hidden]"));
    // The list of files may itself be overridden.
    let only_b = format!("handlers.properties={}", folder.path().join("b.properties").display());
    assert!(!load(Some(&file), &[only_b], std::iter::empty()).unwrap().settings.handlers.properties.contains_key("x.y"));
    let missing = load(Some(&file), &["handlers.properties=/nonexistent".to_owned()], std::iter::empty()).unwrap_err();
    assert_eq!((missing.0[0].id, missing.0[0].place.as_str()), ("config.unreadable_file", "-D handlers.properties"));
}

#[test]
fn connect2id_names_set_our_lifetimes() {
    let folder = folder(&[
        ("p", "authzStore.accessToken.defaultLifetime=120\nauthzStore.refreshToken.defaultLifetime=0\n"),
        ("blank", "authzStore.accessToken.defaultLifetime=\n"),
        (
            "s.toml",
            "[handlers]\nproperties = [\"p\"]\n[tokens]\naccess_token.lifetime = \"3m\"\nrefresh_token.lifetime = \"1d\"\n",
        ),
    ]);
    let file = folder.path().join("s.toml");
    let access = |overrides: &[&str], env: &[(&str, &str)]| {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let loaded = load(Some(&file), &overrides, env).unwrap_or_else(|findings| panic!("{findings}"));
        assert!(loaded.settings.handlers.properties.is_empty());
        let origin = origin(&loaded, "tokens.access_token.lifetime");
        (
            loaded.settings.tokens.access_token_lifetime.as_secs(),
            origin.rsplit('/').next().unwrap().to_owned(),
            loaded.settings.tokens.refresh_token_lifetime,
        )
    };
    assert_eq!(access(&[], &[]), (120, "p:1".to_owned(), None));
    let env_alias = ("SYMBOLON_PROPERTY_authzStore_accessToken_defaultLifetime", "130");
    let env_own = ("SYMBOLON_TOKENS__ACCESS_TOKEN__LIFETIME", "140s");
    assert_eq!(access(&[], &[env_alias]).0, 130);
    assert_eq!(access(&[], &[env_alias, env_own]).0, 140);
    assert_eq!(access(&["authzStore.accessToken.defaultLifetime=150"], &[env_own]).0, 150);
    assert_eq!(access(&["authzStore.accessToken.defaultLifetime=150", "tokens.access_token.lifetime=160s"], &[env_own]).0, 160);
    assert_eq!(access(&["authzStore.refreshToken.defaultLifetime=-1"], &[]).2, None);
    assert_eq!(access(&["authzStore.refreshToken.defaultLifetime=60"], &[]).2, Some(Duration::from_mins(1)));
    let blank = format!("handlers.properties={}", folder.path().join("blank").display());
    assert_eq!(access(&[&blank], &[]).0, 180);
    assert_eq!(findings("", &["authzStore.accessToken.defaultLifetime=0"], &[])[0].1, "config.out_of_range");
    assert_eq!(findings("", &["authzStore.accessToken.defaultLifetime=10m"], &[])[0].1, "config.unreadable_value");
}
