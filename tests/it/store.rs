//! `symbolon store …`: what is in the store, whether all of it can be read, and its way into a file, back, and to another folder.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::audit::{Promises, Trail};
use crate::harness::cast::{ONE, TWO};
use crate::harness::redis::RedisServer;
use crate::harness::{Authorization, Browser, Person, Server, Setup, Tokens};

/// Somebody with tokens, a revoked device, a code that waits and one that was used.
struct Story {
    person: Person,
    device: Tokens,
    two: Tokens,
    ended: Tokens,
    waiting: (Authorization, String),
    used: (Authorization, String),
}

impl Story {
    #[track_caller]
    fn of(server: &Server) -> Self {
        let (person, browser) = (server.person(), Browser::new());
        let scope = "openid profile offline_access device_sso";
        let device = server.sign_in_by(&browser, ONE, &person, scope, None);
        let two = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
        let ended = server.device(ONE);
        server.revoke(ONE, ended.secret());
        let code = || {
            let request = Authorization::new(ONE, scope);
            let code = browser.authorize(server, &request, &person).code();
            (request, code)
        };
        let (waiting, used) = (code(), code());
        server.token(ONE, used.0.redeem(&used.1)).ok();
        Self { person, device, two, ended, waiting, used }
    }

    /// All of it is so on this server.
    #[track_caller]
    fn holds(&self, server: &Server) {
        server.verified(self.device.id());
        assert!(server.is_active(self.two.access()));
        server.exchange(TWO, &self.device, "openid").ok();
        server.refresh(TWO, self.two.refresh()).ok();
        server.exchange(TWO, &self.ended, "openid").refused(400, "invalid_grant");
        server.refresh(ONE, self.ended.refresh()).refused(400, "invalid_grant");
        let (request, code) = &self.waiting;
        server.token(ONE, request.redeem(code)).ok();
        let (request, code) = &self.used;
        server.token(ONE, request.redeem(code)).refused(400, "invalid_grant");
        server.sign_in(ONE, &self.person, "openid");
    }
}

fn path_of(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// The file of the store of a server.
fn file(server: &Server) -> PathBuf {
    server.folder().join("var/store.redb")
}

#[track_caller]
fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("no {name}: {value}"))
}

#[test]
fn a_backup_of_a_running_server_brings_everything_back() {
    let server = Setup::new().set("telemetry.format", "json").start();
    let story = Story::of(&server);
    let saved = server.folder().join("saved");
    let counts = server.command(&["store", "backup", path_of(&saved), "--json"]).fine().json();
    assert!(number(&counts, "records") > 8 && number(&counts, "members") > 3, "{counts}");
    assert_eq!(saved.metadata().expect("the backup").permissions().mode() & 0o777, 0o600);
    let again = server.command(&["store", "backup", path_of(&saved)]).refused();
    assert!(again.contains("saved"), "a backup is not overwritten: {again}");
    // What comes after the backup is not in it.
    let late = server.device(ONE);
    let running = server.command(&["store", "restore", path_of(&saved)]).refused();
    assert!(running.contains("is running; stop it first"), "{running}");
    assert_eq!(server.stop(), Some(0));
    let occupied = server.command(&["store", "restore", path_of(&saved)]).refused();
    assert!(occupied.contains("is not empty"), "{occupied}");
    fs::remove_file(file(&server)).expect("the store");
    let ran = server.command(&["store", "restore", path_of(&saved), "--json"]).fine();
    assert_eq!(ran.json(), counts);
    server.start_again();
    story.holds(&server);
    server.exchange(TWO, &late, "openid").refused(400, "invalid_grant");

    let promises = Promises::of(&server);
    let (while_running, restored) = (server.trail(), Trail::of(&ran.stderr));
    let detail = format!("{} records, {} members of indexes", counts["records"], counts["members"]);
    while_running.one("ST9001", &[("actor", "administrator"), ("detail", &detail)]);
    restored.one("ST9002", &[("actor", "administrator"), ("detail", &format!("{detail}, from a backup"))]);
    while_running.keeps(&promises);
    restored.keeps(&promises);
    let bytes = fs::read(&saved).expect("the backup");
    let whole = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    for secret in [story.device.secret(), story.two.refresh(), &story.person.password] {
        assert!(!whole(&secret.as_bytes()[secret.len() - 20..]), "a secret lies in the backup");
    }
}

#[test]
fn a_backup_that_is_no_good_fills_nothing() {
    let server = Setup::new().start();
    server.device(ONE);
    let saved = server.folder().join("saved");
    server.command(&["store", "backup", path_of(&saved)]).fine();
    assert_eq!(server.stop(), Some(0));
    let whole = fs::read(&saved).expect("the backup");
    fs::remove_file(file(&server)).expect("the store");
    for (name, bytes, expected) in [
        ("cut", &whole[..whole.len() - 3], "it was cut off"),
        ("foreign", b"PK\x03\x04 and more of another sort", "is no archive"),
        ("empty", b"", "is no archive"),
    ] {
        let path = server.folder().join(name);
        fs::write(&path, bytes).expect("a file");
        let said = server.command(&["store", "restore", path_of(&path)]).refused();
        assert!(said.contains(expected), "{said}");
    }
    let missing = server.command(&["store", "restore", "there-is-none"]).refused();
    assert!(missing.contains("there-is-none"), "{missing}");
    // Another sealing key: what it brings could not be opened.
    let elsewhere = format!("storage.path={}", path_of(&server.folder().join("elsewhere")));
    let said = server.command(&["store", "restore", path_of(&saved), "-D", &elsewhere]).refused();
    assert!(said.contains("bring the sealing key along") && said.contains("remove it"), "{said}");
    server.command(&["store", "restore", path_of(&saved)]).fine();
}

#[test]
fn a_store_moves_to_another_folder() {
    let server = Setup::new().start();
    let story = Story::of(&server);
    let other = server.folder().join("other");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(other.join("var")).expect("a folder");
    fs::copy(server.folder().join("var/sealing.key"), other.join("var/sealing.key")).expect("the sealing key");
    let to = other.join("symbolon.toml");
    let settings = fs::read_to_string(server.config()).expect("the settings");
    let moved = settings.replace(path_of(&server.folder().join("var")), path_of(&other.join("var")));
    assert_ne!(settings, moved);
    fs::write(&to, moved).expect("the other settings");
    let running = server.command(&["store", "migrate", "--to", path_of(&to)]).refused();
    assert!(running.contains("is running; stop it first"), "{running}");
    assert_eq!(server.stop(), Some(0));
    let counts = server.command(&["store", "migrate", "--to", path_of(&to), "--json"]).fine().json();
    assert!(number(&counts, "records") > 8, "{counts}");
    let twice = server.command(&["store", "migrate", "--to", path_of(&to)]).refused();
    assert!(twice.contains("is not empty"), "{twice}");
    let itself = server.command(&["store", "migrate", "--to", path_of(&server.config())]).refused();
    assert!(itself.contains("are the same"), "{itself}");
    fs::copy(other.join("var/store.redb"), file(&server)).expect("the moved store");
    server.start_again();
    story.holds(&server);
}

/// From the embedded store to Redis with the server's own settings, and from there back into an empty folder.
#[test]
fn a_store_moves_to_redis_and_back() {
    let redis = RedisServer::start(&[]);
    // The same settings as `on_redis`, before and after.
    let server = Setup::new().environment("SYMBOLON_STORAGE__SEALING_KEY", &"5e".repeat(32)).start();
    let story = Story::of(&server);
    let embedded = fs::read_to_string(server.config()).expect("the settings");
    let on_redis = format!("{embedded}\n[storage.redis]\nurl = [\"redis://127.0.0.1:{}\"]\n", redis.port);
    let on_redis = on_redis.replace("[storage]", "[storage]\nbackend = \"redis\"");
    let to = server.folder().join("redis.toml");
    fs::write(&to, &on_redis).expect("the other settings");
    assert_eq!(server.stop(), Some(0));
    let counts = server.command(&["store", "migrate", "--to", path_of(&to), "--json"]).fine().json();
    assert!(number(&counts, "records") > 8, "{counts}");
    let twice = server.command(&["store", "migrate", "--to", path_of(&to)]).refused();
    assert!(twice.contains("not empty") && twice.contains("on Redis at"), "{twice}");
    fs::write(server.config(), &on_redis).expect("the settings");
    let checked = server.command(&["store", "check", "--json"]).fine().json();
    assert!(number(&checked, "records") > 8 && checked["pages"].is_null(), "{checked}");
    let itself = server.command(&["store", "migrate", "--to", path_of(&server.config())]).refused();
    assert!(itself.contains("are the same"), "{itself}");
    fs::rename(file(&server), server.folder().join("old.redb")).expect("the old store, out of the way");
    let back = server.folder().join("back.toml");
    fs::write(&back, &embedded).expect("the first settings");
    let there = server.command(&["store", "migrate", "--to", path_of(&back), "--json"]).fine().json();
    assert_eq!(there, counts);
    fs::write(server.config(), &on_redis).expect("the settings");
    server.start_again();
    story.holds(&server);
    let backup = server.folder().join("backup");
    let saved = server.command(&["store", "backup", path_of(&backup), "--json"]).fine().json();
    assert!(number(&saved, "records") >= number(&counts, "records"), "{saved}");
    // Under another prefix the same Redis is empty, and a backup of it fills it.
    let elsewhere = "storage.redis.prefix=elsewhere:";
    assert_eq!(server.stop(), Some(0));
    let occupied = server.command(&["store", "restore", path_of(&backup)]).refused();
    assert!(occupied.contains("is not empty"), "{occupied}");
    let restored = server.command(&["store", "restore", path_of(&backup), "--json", "-D", elsewhere]).fine().json();
    assert_eq!(restored, saved);
    let checked = server.command(&["store", "check", "--json", "-D", elsewhere]).fine().json();
    assert_eq!((&checked["records"], checked["damaged"].as_array().map(Vec::len)), (&saved["records"], Some(0)));
}

#[test]
fn what_is_in_it_is_counted_whether_the_server_runs_or_not() {
    let server = Setup::new().start();
    let before = server.command(&["store", "stat", "--json"]).fine().json();
    let of = |stat: &Value, kind: &str| stat["kinds"][kind]["records"].as_u64().unwrap_or(0);
    server.device(ONE);
    let after = server.command(&["store", "stat", "--json"]).fine().json();
    // A device session and the browser's.
    assert_eq!((of(&before, "session"), of(&after, "session")), (0, 2), "{after}");
    assert_eq!((of(&after, "person"), of(&after, "sign_in_name"), of(&after, "signing_keys")), (1, 1, 1), "{after}");
    assert!(number(&after["records"], "bytes") > 500 && number(&after["members"], "records") >= 3, "{after}");
    assert_eq!(number(&after, "damaged"), 0);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(server.command(&["store", "stat", "--json"]).fine().json(), after);
}

#[test]
fn a_check_reads_every_record_and_every_page() {
    let server = Setup::new().start();
    let device = server.device(ONE);
    let running = server.command(&["store", "check", "--json"]).fine().json();
    assert!(running["damaged"].as_array().is_some_and(Vec::is_empty) && number(&running, "records") > 3, "{running}");
    assert_eq!(server.stop(), Some(0));
    let stopped = server.command(&["store", "check", "--json"]).fine().json();
    assert_eq!((stopped["pages"].as_str(), &stopped["records"]), (Some("fine"), &running["records"]), "{stopped}");
    // One byte of the device session rots.
    let whole = fs::read(file(&server)).expect("the store");
    let description = b"device_sso";
    let mut damaged = whole.clone();
    for at in (0..whole.len() - description.len()).filter(|at| whole[*at..].starts_with(description)) {
        damaged[at] ^= 1;
    }
    assert_ne!(whole, damaged);
    fs::write(file(&server), &damaged).expect("the store");
    let said = server.command(&["store", "check"]).refused();
    assert!(said.contains("is damaged") && said.contains("restore it from a backup"), "{said}");
    // A server that runs on it all the same serves nothing of it.
    server.start_again();
    let answer = server.exchange(TWO, &device, "openid");
    answer.refused(500, "server_error");
    let said = server.command(&["store", "check"]).refused();
    assert!(said.contains("session") && said.contains("records are damaged"), "{said}");
    let said = server.command(&["store", "backup", path_of(&server.folder().join("saved"))]).refused();
    assert!(said.contains("is damaged") && !server.folder().join("saved").exists(), "{said}");
}

#[test]
fn the_sealing_key_is_exchanged() {
    let server = Setup::new().set("telemetry.format", "json").start();
    let device = server.device(ONE);
    let keys = server.keys();
    let fresh = server.folder().join("fresh.key");
    fs::write(&fresh, "5a".repeat(32)).expect("a key");
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600)).expect("its mode");
    let old = server.folder().join("var/sealing.key");
    let sealed_with = |key: &Path, more: &[&str]| {
        let key = format!("storage.sealing_key_file={}", path_of(key));
        server.command(&[&["key", "reseal", "--json", "-D", &key], more].concat())
    };
    assert_eq!(server.stop(), Some(0));
    let said = sealed_with(&fresh, &[]).refused();
    assert!(said.contains("sealed with another sealing key"), "{said}");
    let previous = format!("storage.previous_sealing_keys={}", path_of(&old));
    let ran = sealed_with(&fresh, &["-D", &previous]).fine();
    assert_eq!(ran.json()["resealed"], 4);
    Trail::of(&ran.stderr).one("KY6005", &[("actor", "administrator")]);
    // The old key opens nothing any more, the new one does without it.
    let said = sealed_with(&old, &[]).refused();
    assert!(said.contains("sealed with another sealing key"), "{said}");
    sealed_with(&fresh, &[]).fine();
    fs::copy(&fresh, &old).expect("the new key in the place of the old");
    server.start_again();
    assert!(server.keys() == keys);
    server.exchange(TWO, &device, "openid").ok();
    let ran = server.command(&["key", "reseal"]).fine();
    assert!(ran.stdout.contains("resealed"), "also while the server runs: {ran:?}");
    server.trail().keeps(&Promises::of(&server));
}

#[test]
fn a_lost_sealing_key_is_missed_and_not_made_anew() {
    let server = Setup::new().start();
    let key = server.folder().join("var/sealing.key");
    assert_eq!(server.stop(), Some(0));
    let kept = fs::read(&key).expect("the sealing key");
    fs::remove_file(&key).expect("the sealing key");
    let said = server.command(&["key", "list"]).refused();
    assert!(said.contains("sealing.key is missing") && said.contains("bring it back"), "{said}");
    assert!(!key.exists());
    fs::write(&key, kept).expect("the sealing key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("its mode");
    server.start_again();
}

#[test]
fn a_key_that_leaked_is_withdrawn() {
    let server = Setup::new().set("telemetry.format", "json").start();
    let device = server.device(ONE);
    let keys = server.command(&["key", "list", "--json"]).fine().json();
    let leaked = keys.as_array().and_then(|keys| keys.iter().find(|key| key["alg"] == "RS256")).expect("a key")["kid"].clone();
    let leaked = leaked.as_str().expect("a kid");
    let said = server.command(&["key", "remove", leaked]).refused();
    assert!(said.contains("signs at present"), "{said}");
    server.command(&["key", "rotate", "--alg", "RS256", "--immediately"]).fine();
    server.exchange(TWO, &device, "openid").ok();
    server.command(&["key", "remove", leaked]).fine();
    assert!(server.keys().find(leaked).is_none());
    server.exchange(TWO, &device, "openid").refused(400, "invalid_grant");
    server.exchange(TWO, &server.device(ONE), "openid").ok();
    assert!(server.command(&["key", "remove", leaked]).refused().contains("there is no key"));
    let trail = server.trail();
    trail.one("KY6006", &[("kid", leaked), ("actor", "administrator")]);
    trail.keeps(&Promises::of(&server));
}
