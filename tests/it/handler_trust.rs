//! Which libraries may be loaded: by permissions always, by digest or signature when the operator asks for it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::harness::binaries;
use crate::harness::cast::{ONE, TWO};
use crate::harness::setup::DEFAULT_HANDLER;
use crate::harness::{Server, Setup};

fn library() -> Vec<u8> {
    fs::read(binaries::handler(DEFAULT_HANDLER)).expect("the library")
}

fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn pem(pair: &Ed25519KeyPair) -> String {
    let der = pair.public_key().as_der().expect("a public key");
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()))
}

/// What the log says about the one library, which must have been left out.
#[track_caller]
fn left_out(server: &Server) -> String {
    let log = server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("OP7107")).collect();
    assert_eq!(lines.len(), 1, "one sentence: {log}");
    server.exchange(TWO, &server.device(ONE), "openid").refused(400, "unsupported_grant_type");
    lines[0].to_owned()
}

#[test]
fn only_a_pinned_digest_is_loaded() {
    let right = sha256(&library());
    let server = Setup::new().set("handlers.trusted_digests", json!([right.to_uppercase()])).start();
    server.exchange(TWO, &server.device(ONE), "openid").ok();
    let listed = server.command(&["handler", "list", "--json"]).fine().json();
    assert_eq!(listed[0]["digest"], right);
    let server = Setup::new().set("handlers.trusted_digests", json!(["00".repeat(32)])).start();
    let said = left_out(&server);
    assert!(said.contains(&right) && said.contains("handlers.trusted_digests"), "{said}");
    let said = Setup::new().set("handlers.trusted_digests", json!(["abc"])).refused();
    assert!(said.contains("handlers.trusted_digests") && said.contains("sha256sum"), "{said}");
}

#[test]
fn only_what_a_known_key_has_signed_is_loaded() {
    let (pair, stranger) = (Ed25519KeyPair::generate().expect("a key"), Ed25519KeyPair::generate().expect("a key"));
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("deployer.pem");
    fs::write(&key, pem(&pair)).expect("the key");
    let setup = Setup::new().set("handlers.trusted_keys", json!([key.display().to_string()]));

    let server = setup.clone().handler_file("default.so.sig", pair.sign(&library()).as_ref()).start();
    let device = server.device(ONE);
    server.exchange(TWO, &device, "openid").ok();
    // A library that is replaced must be signed again.
    let mut other = library();
    other.push(0);
    fs::write(server.handler_file("default.so"), &other).expect("the library");
    let said = server.command(&["handler", "reload"]).refused();
    assert!(said.contains("is no signature over"), "{said}");
    server.exchange(TWO, &device, "openid").ok();
    fs::write(server.handler_file("default.so.sig"), pair.sign(&other).as_ref()).expect("the signature");
    server.command(&["handler", "reload"]).fine();
    server.exchange(TWO, &device, "openid").ok();

    let said = left_out(&setup.clone().start());
    assert!(said.contains("is not signed") && said.contains("openssl pkeyutl"), "{said}");
    for signature in [stranger.sign(&library()).as_ref().to_vec(), vec![0; 64], b"text".to_vec(), Vec::new()] {
        let said = left_out(&setup.clone().handler_file("default.so.sig", signature).start());
        assert!(said.contains("is no signature over"), "{said}");
    }
    // A pinned digest needs no signature.
    let server = setup.clone().set("handlers.trusted_digests", json!([sha256(&library())])).start();
    server.exchange(TWO, &server.device(ONE), "openid").ok();

    fs::write(&key, "no key").expect("the key");
    let said = setup.refused();
    assert!(said.contains("handler.trusted_key") && said.contains("openssl pkey"), "{said}");
}

#[test]
fn what_everybody_may_write_is_refused() {
    let server = Setup::new().start();
    let device = server.device(ONE);
    let allow = |path: &std::path::Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    let file = server.handler_file("default.so");
    allow(&file, 0o666);
    let said = server.command(&["handler", "reload"]).refused();
    assert!(said.contains("may be written by everybody") && said.contains("chmod o-w"), "{said}");
    allow(&file, 0o644);
    let folder = file.parent().expect("the folder").to_owned();
    allow(&folder, 0o777);
    assert_eq!(server.stop(), Some(0));
    server.start_again();
    server.exchange(TWO, &device, "openid").refused(400, "unsupported_grant_type");
    let log = server.log();
    assert!(log.contains("the handler folder") && log.contains("may be written by everybody (mode 777)"), "{log}");
}
