//! What was acknowledged survives `kill -9`; what was used up stays used up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;

use crate::harness::cast::{ONE, OPAQUE, TWO};
use crate::harness::{Authorization, Browser, Setup, Tokens, jwt, until};

#[test]
fn an_acknowledged_answer_survives_a_kill() {
    let server = Setup::new().start();
    let device = server.device(ONE);
    let keys = server.keys();
    for round in 0..3 {
        let tokens = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
        let rotated = Tokens(server.refresh(TWO, tokens.refresh()).ok());
        server.kill();
        server.start_again();
        assert_eq!(server.keys().keys.len(), keys.keys.len(), "round {round}: the same keys");
        server.verified(tokens.id());
        assert!(server.is_active(rotated.access()));
        let next = Tokens(server.refresh(TWO, rotated.refresh()).ok());
        server.kill();
        server.start_again();
        // The successor of `rotated` is unused, so it is told again; what came before `rotated` is a replay.
        assert_eq!(Tokens(server.refresh(TWO, rotated.refresh()).ok()).refresh(), next.refresh());
        server.refresh(TWO, next.refresh()).ok();
        server.refresh(TWO, tokens.refresh()).refused(400, "invalid_grant");
    }
    server.exchange(TWO, &device, "openid").ok();
}

#[test]
fn codes_secrets_and_revocations_are_remembered() {
    let server = Setup::new().start();
    let person = server.person();
    let browser = Browser::new();
    let request = Authorization::new(ONE, "openid offline_access device_sso");
    let code = browser.authorize(&server, &request, &person).code();
    let tokens = Tokens(server.token(ONE, request.redeem(&code)).ok());
    let opaque = server.device(OPAQUE);
    let ended = server.device(ONE);
    server.revoke(ONE, ended.secret());
    let revoked = server.device(ONE);
    server.revoke(ONE, revoked.access());
    server.kill();
    server.start_again();
    assert!(server.is_active(opaque.access()) && server.is_active(tokens.access()));
    assert!(!server.is_active(revoked.access()));
    server.exchange(TWO, &ended, "openid").refused(400, "invalid_grant");
    server.refresh(ONE, ended.refresh()).refused(400, "invalid_grant");
    let again = browser.ask(&server, &Authorization::new(ONE, "openid offline_access device_sso")).code();
    assert_ne!(again, code, "browser session and consent survive too");
    server.token(ONE, request.redeem(&code)).refused(400, "invalid_grant");
    assert!(!server.is_active(tokens.access()), "a replay after the restart is still a replay");
}

#[test]
fn an_unused_code_survives() {
    let server = Setup::new().start();
    let person = server.person();
    let request = Authorization::new(ONE, "openid");
    let code = Browser::new().authorize(&server, &request, &person).code();
    server.kill();
    server.start_again();
    server.token(ONE, request.redeem(&code)).ok();
    server.token(ONE, request.redeem(&code)).refused(400, "invalid_grant");
}

#[test]
fn many_writers_at_the_moment_of_the_kill() {
    let server = Setup::new().start();
    let device = server.device(ONE);
    let rotations = AtomicUsize::new(0);
    // Each thread rotates on until the server is gone; the last answer each one saw must be worth something afterwards.
    let last: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (server, device, rotations) = (&server, &device, &rotations);
                scope.spawn(move || {
                    let mut token = Tokens(server.exchange(TWO, device, "openid offline_access").ok()).refresh().to_owned();
                    while let Some(next) = try_refresh(server, &token) {
                        token = next;
                        rotations.fetch_add(1, Ordering::Relaxed);
                    }
                    token
                })
            })
            .collect();
        until("all are at it", || rotations.load(Ordering::Relaxed) > 40 || threads.iter().any(ScopedJoinHandle::is_finished));
        assert!(!threads.iter().any(ScopedJoinHandle::is_finished), "a writer gave up before the kill");
        server.kill();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    });
    server.start_again();
    for token in last {
        server.refresh(TWO, &token).ok();
    }
    assert_eq!(jwt::claims(device.id())["aud"], ONE.id);
}

/// The successor, or nothing when the server is gone.
fn try_refresh(server: &crate::harness::Server, token: &str) -> Option<String> {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", TWO.id)];
    let response = crate::harness::server::http().post(server.url("/token")).form(&form).send().ok()?;
    let body: serde_json::Value = serde_json::from_str(&response.text().ok()?).ok()?;
    body["refresh_token"].as_str().map(str::to_owned)
}

#[test]
fn a_server_told_to_stop_stops_cleanly() {
    let server = Setup::new().start();
    let device = server.device(ONE);
    assert_eq!(server.stop(), Some(0));
    server.start_again();
    server.exchange(TWO, &device, "openid").ok();
}

#[test]
fn the_data_folder_belongs_to_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Setup::new().start();
    let mut folders = vec![server.folder().join("var")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(folder.metadata().expect("a folder").permissions().mode() & 0o077, 0, "{}", folder.display());
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
                assert_eq!(path.metadata().expect("a file").permissions().mode() & 0o077, 0, "{}", path.display());
            }
        }
    }
    assert!(files > 0);
}

#[test]
fn nothing_secret_is_stored_in_plain() {
    let server = Setup::new().start();
    let person = server.person();
    let device = server.sign_in(ONE, &person, "openid offline_access device_sso");
    assert_eq!(server.stop(), Some(0));
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(server.folder().join("var")).expect("the data folder") {
        bytes.extend(std::fs::read(entry.expect("an entry").path()).unwrap_or_default());
    }
    let whole = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for secret in [device.secret(), device.refresh(), &person.password] {
        let tail = &secret[secret.len() - 20..];
        assert!(!whole(secret) && !whole(tail), "a secret lies in the store");
    }
    assert!(!whole("PRIVATE KEY"));
}
