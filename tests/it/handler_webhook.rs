//! The webhook handler: a real library in a real server, asking policies that are written in Python.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::cast::{ONE, TWO};
use crate::harness::process::{Process, children};
use crate::harness::server::http;
use crate::harness::{Server, Setup, Tokens, binaries, jwt, until};

const WEBHOOK: &str = "symbolon-webhook";
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A policy service that runs, its key, and what else it leaves in its folder.
struct Policy {
    process: Option<Process>,
    address: String,
    folder: tempfile::TempDir,
}

impl Policy {
    /// Runs a script with the key file, the port and more arguments; the first line it prints is its address.
    #[track_caller]
    fn run(script: &Path, folder: tempfile::TempDir, port: &str, more: &[&str]) -> Self {
        let python = binaries::repository().join("tests/clients/.venv/bin/python");
        assert!(
            python.is_file(),
            "not installed: run `cd tests/clients && python3 -m venv .venv && .venv/bin/pip install -r requirements.txt` (scripts/test does)"
        );
        let key = key_file(folder.path(), KEY);
        let log = folder.path().join("log");
        drop(fs::remove_file(&log));
        let mut command = Command::new(python);
        let mut process = Process::start(command.arg(script).arg(key).arg(port).args(more), &log, folder.path());
        let mut address = String::new();
        until("the policy service says where it is", || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            assert!(process.ended().is_none(), "the policy service ended:\n{said}");
            said.lines().next().unwrap_or_default().clone_into(&mut address);
            said.contains('\n')
        });
        Self { process: Some(process), address, folder }
    }

    /// The policy of `tests/clients` with plain HTTP.
    #[track_caller]
    fn start() -> Self {
        Self::run(&script(), tempfile::tempdir().expect("a folder"), "0", &[])
    }

    /// The same with TLS, and an authority of its own.
    #[track_caller]
    fn start_with_tls() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_str().expect("a UTF-8 path").to_owned();
        Self::run(&script(), folder, "0", &[&path])
    }

    /// A file of its folder.
    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("a UTF-8 path").to_owned()
    }

    /// What it was asked so far.
    #[track_caller]
    fn asked(&self) -> Vec<Value> {
        match Server::send(http().get(&self.address)).ok() {
            Value::Array(questions) => questions,
            other => panic!("{other}"),
        }
    }

    /// A server to be that asks it, with all patience.
    fn server(&self) -> Setup {
        Setup::new()
            .properties("")
            .handler(WEBHOOK)
            .set("handlers.deadline", "60s")
            .property("op.webhookHandler.enable", "true")
            .property("op.webhookHandler.url", &self.address)
            .property("op.webhookHandler.secretFile", &self.file("webhook.key"))
            .property("op.webhookHandler.allowPrivateAddresses", "true")
            .property("op.webhookHandler.timeout", "20000")
            .property("op.webhookHandler.deadline", "50000")
    }

    /// Ends it, with its folder left.
    fn stop(&mut self) {
        self.process.take().expect("a running service").kill();
    }

    /// Starts the one of `tests/clients` again on the same port.
    #[track_caller]
    fn start_again(mut self) -> Self {
        assert!(self.process.is_none(), "still running");
        let port = self.address.trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder"));
        Self::run(&script(), folder, &port, &[])
    }
}

/// A file with a key that only its owner may read.
#[track_caller]
fn key_file(folder: &Path, key: &str) -> PathBuf {
    let path = folder.join("webhook.key");
    fs::write(&path, key).expect("a key file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a closed key file");
    path
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }
}

fn script() -> PathBuf {
    binaries::repository().join("tests/clients/policy_service.py")
}

#[test]
fn the_policy_grants_less_and_says_how() {
    let policy = Policy::start();
    let server = policy.server().start();
    let log = server.log();
    assert!(
        log.lines().any(|line| line.contains("OP7106") && line.contains("WebhookHandler") && line.contains("enabled=true")),
        "{log}"
    );
    let device = server.device(ONE);
    let tokens = Tokens(server.exchange(TWO, &device, "openid profile email").ok());
    assert!(!tokens.scope().contains(&"email") && tokens.scope().contains(&"profile"), "{:?}", tokens.scope());
    assert_eq!(tokens.0["expires_in"], 120);
    assert!(!tokens.has("refresh_token"));
    let (_, access) = server.verified(tokens.access());
    assert_eq!(access["data"], json!({ "asked_by": TWO.id }));
    assert_eq!(jwt::claims(tokens.id())["department"], "sales");
    let info = server.userinfo(tokens.access()).ok();
    assert!(info["name"].is_string() && info["email"].is_null(), "{info}");

    let asked = policy.asked();
    assert_eq!(asked.len(), 1, "the signature was good at once");
    let question = &asked[0];
    assert_eq!(question["version"], 1);
    assert_eq!(question["subject"], jwt::claims(device.id())["sub"]);
    assert_eq!(question["client"]["client_id"], TWO.id);
    assert_eq!(question["client"]["metadata"]["device_sso_family"], "acme");
    assert_eq!(question["request"]["scope"], "openid profile email");
    assert_eq!(question["session"]["sid"], jwt::claims(device.id())["sid"]);
    assert_eq!(question["client_address"], "127.0.0.1");
    let text = question.to_string();
    for secret in [device.secret(), device.id(), device.access(), device.refresh()] {
        assert!(!text.contains(secret), "{text}");
    }
    let log = server.log();
    assert!(!log.contains(&KEY[6..]), "the key is in the log");
}

#[test]
fn the_policy_sends_the_app_to_the_browser() {
    let policy = Policy::start();
    let server = policy.server().start();
    let refusal = server.exchange(TWO, &server.device(ONE), "openid payments").refused(400, "interaction_required");
    assert_eq!(refusal["error_description"], "Approve the payment.");
    assert_eq!(refusal["scope"], "payments");
    assert_eq!(refusal["acr_values"], "urn:example:mfa");
    assert_eq!(refusal["max_age"], 300);
}

#[test]
fn a_slip_of_the_pen_grants_nothing_even_when_failure_is_open() {
    let policy = Policy::start();
    let server = policy.server().property("op.webhookHandler.failure", "open").start();
    let device = server.device(ONE);
    let answer = server.exchange(TWO, &device, "openid write");
    answer.refused(500, "server_error");
    assert!(!answer.body.contains("scoope"), "{}", answer.body);
    assert!(server.log().contains("unknown member scoope"), "{}", server.log());
    server.exchange(TWO, &device, "openid").ok();
}

#[test]
fn a_service_that_is_down_closes_the_door_until_it_is_back() {
    let mut policy = Policy::start();
    let server = policy.server().start();
    let device = server.device(ONE);
    server.exchange(TWO, &device, "openid").ok();
    policy.stop();
    server.exchange(TWO, &device, "openid").refused(503, "temporarily_unavailable");
    assert_eq!(server.get("/readyz").status, 200);
    server.refresh(ONE, device.refresh()).ok();
    let policy = policy.start_again();
    server.exchange(TWO, &device, "openid").ok();
    assert_eq!(policy.asked().len(), 1);
}

#[test]
fn a_service_that_is_down_opens_the_door_when_that_is_wanted() {
    let mut policy = Policy::start();
    let server = policy.server().property("op.webhookHandler.failure", "open").start();
    let device = server.device(ONE);
    policy.stop();
    let tokens = Tokens(server.exchange(TWO, &device, "openid email").ok());
    assert!(tokens.scope().contains(&"email"));
    let log = server.log();
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains("failure=open")), "{log}");
}

#[test]
fn a_key_that_changes_in_its_file_is_taken_over_by_a_reload() {
    let policy = Policy::start();
    let server = policy.server().start();
    let device = server.device(ONE);
    server.exchange(TWO, &device, "openid").ok();
    let old = fs::read_to_string(policy.file("webhook.key")).expect("the key");
    let reload = || server.command(&["handler", "reload"]).fine().stdout;
    assert!(reload().contains("nothing has changed"));
    // A key that the service does not know: it refuses, so the server does.
    key_file(policy.folder.path(), &format!("whsec_{}\n", "QUJD".repeat(11)));
    assert!(reload().contains("has read files anew"));
    assert_ne!(server.exchange(TWO, &device, "openid").status, 200);
    // Both: one of the two signatures is good.
    key_file(policy.folder.path(), &format!("whsec_{}\n{old}", "QUJD".repeat(11)));
    assert!(reload().contains("has read files anew"));
    server.exchange(TWO, &device, "openid").ok();
}

#[test]
fn a_key_that_changes_in_its_file_is_taken_over_by_watching() {
    let policy = Policy::start();
    let server = policy.server().set("handlers.watch", "1s").start();
    let device = server.device(ONE);
    server.exchange(TWO, &device, "openid").ok();
    // The watcher must have seen the old one.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    key_file(policy.folder.path(), &format!("whsec_{}\n", "QUJD".repeat(11)));
    until("the key is taken over", || server.exchange(TWO, &device, "openid").status != 200);
    assert!(server.log().contains("has read files anew"));
}

#[test]
fn tls_with_an_authority_of_ones_own() {
    let policy = Policy::start_with_tls();
    let trusting = policy.server().property("op.webhookHandler.caFile", &policy.file("ca.pem")).start();
    let tokens = Tokens(trusting.exchange(TWO, &trusting.device(ONE), "openid profile email").ok());
    assert_eq!(tokens.0["expires_in"], 120);
    let strict = policy.server().start();
    strict.exchange(TWO, &strict.device(ONE), "openid").refused(503, "temporarily_unavailable");
    assert!(strict.log().contains("UnknownIssuer"), "{}", strict.log());
}

#[test]
fn the_example_of_its_page_runs() {
    let page = fs::read_to_string(binaries::repository().join("plugins/webhook/README.md")).expect("the page");
    let example = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("policy.py");
    fs::write(&script, example).expect("the example");
    let policy = Policy::run(&script, folder, "0", &[]);
    let server = policy.server().start();
    let device = server.device(ONE);
    let tokens = Tokens(server.exchange(TWO, &device, "openid email").ok());
    assert_eq!(tokens.0["expires_in"], 300);
    assert!(tokens.scope().contains(&"email"));
    let refusal = server.exchange(TWO, &device, "openid payments").refused(400, "interaction_required");
    assert_eq!((&refusal["scope"], &refusal["max_age"]), (&json!("payments"), &json!(300)));
    // Signed with another key, a question is none.
    let folder = tempfile::tempdir().expect("a folder");
    let other = key_file(folder.path(), "another key of enough bytes");
    let stranger = policy.server().define("op.webhookHandler.secretFile", other.to_str().expect("a UTF-8 path")).start();
    stranger.exchange(TWO, &stranger.device(ONE), "openid").refused(500, "server_error");
    assert!(stranger.log().contains("status 401"), "{}", stranger.log());
}

#[test]
fn what_is_wrong_is_told_at_the_start() {
    let said = Setup::new()
        .handler(WEBHOOK)
        .property("op.webhookHandler.url", "http://policy.example.com/")
        .property("op.webhookHandler.secretFile", "/no/such/file")
        .refused();
    assert!(said.contains("op.webhookHandler.url") && said.contains("op.webhookHandler.secretFile"), "{said}");
}

#[test]
fn it_asks_from_a_process_of_its_own_too() {
    let policy = Policy::start();
    let server = policy.server().property("op.webhookHandler.isolation", "process").start();
    assert!(!children(server.id()).is_empty(), "it is not in the server's own process");
    let tokens = Tokens(server.exchange(TWO, &server.device(ONE), "openid profile email").ok());
    assert_eq!(tokens.0["expires_in"], 120);
    let asked = policy.asked();
    assert_eq!(asked[0]["source_client_id"], ONE.id);
    assert_eq!(asked[0]["purpose"], "exchange");
}
