//! A store that another release has written: this one reads it, carries it on, and shares it with the release before.
//!
//! `tests/records/RELEASE` holds what each release wrote, and the formats that it reads. `KEEP_RECORDS=FOLDER scripts/test -p symbolon-tests --
//! what_is_written_is_kept` makes such a folder; it is made at each release, and never changed afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::cast::{CLAIMED, ONE, TWO};
use crate::harness::fleet::on_redis;
use crate::harness::redis::{RedisServer, program};
use crate::harness::{Authorization, Browser, Server, Setup, Tokens, binaries};

const SCOPE: &str = "openid profile offline_access device_sso";
const REGISTERED: &str = "registered-at-run-time";
const SEALING_KEY: &str = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e";

/// Nothing in it ends with time, so that it can be kept.
fn endless(setup: Setup) -> Setup {
    let spans =
        ["sessions.device.max_lifetime", "sessions.device.max_idle", "tokens.refresh_token.lifetime", "tokens.keys.rotate_every"];
    let setup = spans.iter().fold(setup, |setup, span| setup.set(span, "never"));
    setup.environment("SYMBOLON_STORAGE__SEALING_KEY", SEALING_KEY)
}

/// What somebody knows of a server whose store is kept.
struct Story(Value);

impl Story {
    /// Sign-ins, exchanges, rotations, a sign-out, consent, a client that was registered.
    #[track_caller]
    fn happens(server: &Server) -> Self {
        let (person, browser) = (server.person(), Browser::new());
        let device = server.sign_in_by(&browser, ONE, &person, SCOPE, None);
        let two = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
        let rotated = Tokens(server.refresh(TWO, two.refresh()).ok());
        let last = Tokens(server.refresh(TWO, rotated.refresh()).ok());
        let stolen = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
        server.revoke(TWO, stolen.refresh());
        let ended = server.device(ONE);
        server.revoke(ONE, ended.secret());
        server.sign_in_by(&browser, CLAIMED, &person, "openid email", None);
        let metadata =
            json!({ "client_id": REGISTERED, "redirect_uris": ["https://registered.example/"], "client_name": "Registered" });
        let file = server.folder().join("client.json");
        fs::write(&file, metadata.to_string()).expect("a file");
        server.command(&["client", "add", "--from", file.to_str().expect("a path")]).fine();
        let keys = server.keys().keys.into_iter().map(|key| key.common.key_id).collect::<Vec<_>>();
        Self(json!({
            "issuer": server.issuer, "name": person.name, "password": person.password, "device": device.0, "rotated": two.refresh(),
            "last": last.refresh(), "revoked": stolen.refresh(), "ended": ended.0, "keys": keys,
        }))
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    /// All of it is so on this server; then it goes on, and what has become of it is the new story.
    #[track_caller]
    fn holds(&mut self, server: &Server) {
        let keys = server.keys();
        for kid in self.0["keys"].as_array().expect("keys") {
            assert!(keys.find(kid.as_str().expect("a kid")).is_some(), "{kid} is gone");
        }
        let (device, ended) = (Tokens(self.0["device"].clone()), Tokens(self.0["ended"].clone()));
        server.exchange(TWO, &device, "openid").ok();
        let last = Tokens(server.refresh(TWO, self.text("last")).ok());
        server.refresh(TWO, self.text("revoked")).refused(400, "invalid_grant");
        server.exchange(TWO, &ended, "openid").refused(400, "invalid_grant");
        server.refresh(ONE, ended.refresh()).refused(400, "invalid_grant");
        let client = server.command(&["client", "show", REGISTERED, "--json"]).fine().json();
        assert_eq!(client["client_name"], "Registered");
        let people = server.command(&["user", "list", "--json"]).fine().json();
        assert!(people.as_array().is_some_and(|people| people.iter().any(|person| person["name"] == self.0["name"])), "{people}");
        let sessions = server.command(&["session", "list", "--user", self.text("name"), "--json"]).fine().json();
        // That of the browser may have ended since.
        assert!(
            sessions.as_array().is_some_and(|sessions| sessions.iter().any(|session| session["kind"] == "device")),
            "{sessions}"
        );
        self.0["last"] = last.refresh().into();
    }

    /// The person signs in, with a password and a consent that were given before. The pages are below the issuer, so this server must be it.
    #[track_caller]
    fn signs_in(&self, server: &Server) {
        let browser = Browser::new();
        let landing = browser.ask(server, &Authorization::new(CLAIMED, "openid email"));
        browser.submit_password(server, &landing.page(), self.text("name"), self.text("password")).code();
    }

    /// It holds, also after the server has written what it read; and an old refresh token is still known as one.
    #[track_caller]
    fn goes_on(mut self, server: &Server) {
        self.holds(server);
        server.kill();
        server.start_again();
        self.holds(server);
        server.command(&["store", "check"]).fine();
        server.refresh(TWO, self.text("rotated")).refused(400, "invalid_grant");
        server.refresh(TWO, self.text("last")).refused(400, "invalid_grant");
    }
}

/// What releases have written.
fn kept() -> Vec<PathBuf> {
    let folder = binaries::repository().join("tests/records");
    let mut kept: Vec<PathBuf> =
        fs::read_dir(folder).expect("tests/records").map(|entry| entry.expect("an entry").path()).collect();
    kept.sort();
    assert!(!kept.is_empty());
    kept
}

fn read_json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}

/// Servers that find in their data folders what `put` puts there: one that is its own issuer, and one with that of the story.
#[track_caller]
fn reads_what_was_put(folder: &Path, put: impl Fn(&Server)) {
    let story = Story(read_json(&folder.join("embedded.json")));
    let start = |setup: Setup| {
        let server = endless(setup).start();
        assert_eq!(server.stop(), Some(0));
        put(&server);
        server.start_again();
        server
    };
    story.signs_in(&start(Setup::new()));
    let server = start(Setup::new().set("server.issuer", story.text("issuer")));
    story.goes_on(&server);
}

#[track_caller]
fn reads_the_file(folder: &Path) {
    reads_what_was_put(folder, |server| {
        let file = server.folder().join("var/store.redb");
        fs::copy(folder.join("store.redb"), &file).expect("a copy of the store");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
    });
}

#[track_caller]
fn reads_the_backup(folder: &Path) {
    reads_what_was_put(folder, |server| {
        fs::remove_file(server.folder().join("var/store.redb")).expect("the new store");
        server.command(&["store", "restore", folder.join("backup").to_str().expect("a path")]).fine();
    });
}

#[track_caller]
fn reads_redis(folder: &Path) {
    let story = Story(read_json(&folder.join("redis.json")));
    let redis = RedisServer::start(&[]);
    feed(&redis, &folder.join("redis.aof"));
    let setup = endless(on_redis(&redis)).set("storage.redis.prefix", story.text("prefix"));
    story.signs_in(&setup.clone().start());
    let server = setup.set("server.issuer", story.text("issuer")).start();
    story.goes_on(&server);
}

/// The commands of an append-only file, one after the other.
#[track_caller]
fn feed(redis: &RedisServer, file: &Path) {
    let commands = fs::File::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let ran = program("cli").args(["-p", &redis.port.to_string(), "--pipe"]).stdin(commands).output().expect("redis-cli");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("errors: 0"), "{said}");
}

/// What a Redis has carried out so far, as an append-only file has it.
#[track_caller]
fn written(redis: &RedisServer) -> Vec<u8> {
    let folder = redis.ask("CONFIG GET dir");
    let folder = Path::new(folder.lines().last().expect("a folder")).join("appendonlydir");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".incr.aof"));
    files.sort();
    files.iter().flat_map(|file| fs::read(file).expect("an append-only file")).collect()
}

#[test]
fn what_every_release_wrote_is_read_and_carried_on() {
    for folder in kept() {
        reads_the_file(&folder);
        reads_the_backup(&folder);
        reads_redis(&folder);
    }
}

#[test]
fn what_is_written_is_kept() {
    let kept = tempfile::tempdir().expect("a folder");
    let folder = std::env::var_os("KEEP_RECORDS").map_or_else(|| kept.path().to_owned(), PathBuf::from);
    fs::create_dir_all(&folder).expect("the folder");
    let write = |name: &str, value: &Value| {
        fs::write(folder.join(name), serde_json::to_string_pretty(value).expect("JSON") + "\n").expect("a file");
    };
    let server = endless(Setup::new()).start();
    write("embedded.json", &Story::happens(&server).0);
    write("formats.json", &server.command(&["store", "formats", "--json"]).fine().json());
    server.command(&["store", "backup", folder.join("backup").to_str().expect("a path")]).fine();
    assert_eq!(server.stop(), Some(0));
    fs::copy(server.folder().join("var/store.redb"), folder.join("store.redb")).expect("a copy of the store");

    let redis = RedisServer::start(&[]);
    let server = endless(on_redis(&redis)).set("storage.redis.prefix", "symbolon:").start();
    let mut story = Story::happens(&server).0;
    story["prefix"] = "symbolon:".into();
    write("redis.json", &story);
    assert_eq!(server.stop(), Some(0));
    fs::write(folder.join("redis.aof"), written(&redis)).expect("the commands");
    reads_the_file(&folder);
    reads_the_backup(&folder);
    reads_redis(&folder);
}

#[test]
fn the_release_before_reads_what_this_one_writes() {
    let ours = Setup::new().start().command(&["store", "formats", "--json"]).fine().json();
    let theirs = read_json(&kept().last().expect("a release").join("formats.json"));
    for (kind, theirs) in theirs.as_object().expect("kinds") {
        let ours = &ours[kind];
        assert!(
            ours["writes"].as_u64() <= theirs["reads"].as_u64(),
            "{kind}: {ours} is not read by the release before: {theirs}"
        );
        assert!(ours["reads"].as_u64() >= theirs["writes"].as_u64(), "{kind}: {theirs} is no longer read: {ours}");
    }
}

/// What a server does while another one is of a later release.
#[test]
fn a_record_of_a_later_release_is_left_to_the_others() {
    let redis = RedisServer::start(&[]);
    let server = on_redis(&redis).start();
    let device = server.device(ONE);
    // `v` and 2, as MessagePack; the session is the only record that has it. Tabs, because words end at spaces.
    let mark = |from: u8, to: u8| {
        let script = format!(
            "local\tn=0\tfor\t_,k\tin\tipairs(redis.call('KEYS','*'))do\tif\tredis.call('TYPE',k).ok=='string'then\tlocal\t\
             i=string.find(redis.call('GET',k),'\\161v\\{from}',1,true)if\ti\tthen\tredis.call('SETRANGE',k,i+1,'\\{to}')n=n+1\tend\tend\tend\t\
             return\tn"
        );
        redis.ask(&format!("EVAL {script} 0"))
    };
    assert_ne!(mark(2, 4), "0");
    for _ in 0..2 {
        server.exchange(TWO, &device, "openid").is_told_to_come_again();
        server.refresh(ONE, device.refresh()).is_told_to_come_again();
    }
    let log = server.log();
    assert!(log.contains("has format 4, and this release reads up to 3: update every server of this store"), "{log}");
    let found = server.command(&["store", "check"]).refused();
    assert!(found.contains("reads up to 3"), "{found}");
    // Nothing of it was touched.
    assert_ne!(mark(4, 2), "0");
    server.exchange(TWO, &device, "openid").ok();
    server.refresh(ONE, device.refresh()).ok();
}
