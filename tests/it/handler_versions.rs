//! Older, newer and foreign handlers: what was built with the SDK of a release before still loads, everything else is one sentence.

use std::fs;

use serde_json::Value;

use crate::harness::binaries::{self, repository};
use crate::harness::cargo::{cargo, library};
use crate::harness::cast::{ONE, TWO};
use crate::harness::setup::DEFAULT_HANDLER;
use crate::harness::{Setup, Tokens};

const PREVIOUS: &str = "symbolon-test-handler-previous";
/// Where the SDK version stands in the stamp of a library, after 16 bytes of magic and 8 of numbers.
const VERSION_AT: usize = 24;

/// The default handler with another SDK version in its stamp, and another ABI number if one is given.
fn stamped(version: &str, abi: Option<u8>) -> Vec<u8> {
    let mut bytes = fs::read(binaries::handler(DEFAULT_HANDLER)).expect("the library");
    let stamp = bytes.windows(16).position(|window| window == b"symbolon-handler").expect("the stamp");
    bytes[stamp + VERSION_AT..stamp + 64].fill(0);
    bytes[stamp + VERSION_AT..stamp + VERSION_AT + version.len()].copy_from_slice(version.as_bytes());
    if let Some(abi) = abi {
        bytes[stamp + 16] = abi;
    }
    bytes
}

#[test]
fn a_handler_of_the_sdk_before_serves_in_every_mode() {
    cargo(&repository().join("tests/previous/handler"), &["build"]);
    let bytes = fs::read(library("debug", PREVIOUS)).expect("the library");
    for isolation in ["inline", "pool", "process"] {
        let properties = format!("test.previous.enable=true\ntest.previous.isolation={isolation}\n");
        let server = Setup::new().properties(&properties).handler_file("previous.so", bytes.clone()).start();
        let listed = server.command(&["handler", "list", "--json"]).fine().json();
        let own =
            listed.as_array().and_then(|list| list.iter().find(|one| one["name"] == "PreviousHandler")).expect("it is loaded");
        assert_eq!(
            (&own["sdk_version"], &own["enabled"], &own["isolation"]),
            (&"1.0.0".into(), &Value::Bool(true), &isolation.into())
        );
        let device = server.device(ONE);
        let tokens = Tokens(server.exchange(TWO, &device, "openid profile").ok());
        let (_, claims) = server.verified(tokens.access());
        assert_eq!(claims["data"]["sdk"], "1.0.0", "{claims}");
        assert_eq!(claims["data"]["apps"][0], ONE.id);
        server.exchange(TWO, &device, "openid payments").refused(400, "interaction_required");
    }
}

#[test]
fn a_newer_or_foreign_one_is_one_sentence_with_both_versions_and_a_remedy() {
    let server = Setup::new()
        .handler_file("newer.so", stamped("1.99.0", None))
        .handler_file("next.so", stamped("2.0.0", Some(2)))
        .handler_file("ancient.so", stamped("0.9.0", None))
        .start();
    let log = server.log();
    let sentence = |file: &str| {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(file)).collect();
        assert_eq!(lines.len(), 1, "{file}: {log}");
        assert!(lines[0].contains("OP7107"), "{}", lines[0]);
        lines[0].to_owned()
    };
    let sdk =
        server.command(&["handler", "list", "--json"]).fine().json()[0]["sdk_version"].as_str().expect("a version").to_owned();
    let newer = sentence("newer.so");
    assert!(
        newer.contains("SDK 1.99.0, which is newer than this server's SDK")
            && newer.contains(&format!("rebuild it with symbolon-sdk {sdk}")),
        "{newer}"
    );
    let next = sentence("next.so");
    assert!(
        next.contains("ABI 2 (SDK 2.0.0)") && next.contains(&format!("ABI 1 (SDK {sdk})")) && next.contains("rebuild it"),
        "{next}"
    );
    let ancient = sentence("ancient.so");
    assert!(
        ancient.contains("SDK 0.9.0") && ancient.contains("takes 1.0.0 at least") && ancient.contains("rebuild it"),
        "{ancient}"
    );
    server.exchange(TWO, &server.device(ONE), "openid").ok();
}

#[test]
fn a_library_whose_function_is_missing_is_refused_before_it_is_called() {
    let server = Setup::new().handler("symbolon-test-handler-unbound").property("test.unbound.isolation", "inline").start();
    let log = server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("symbolon_there_is_no_such_function")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("cannot be opened (undefined symbol"), "{}", lines[0]);
    server.exchange(TWO, &server.device(ONE), "openid").ok();
}

#[test]
fn inspect_and_check_say_what_the_server_would() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Setup::new().start();
    let written = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("a library");
        path.display().to_string()
    };
    let whole = fs::read(binaries::handler(DEFAULT_HANDLER)).expect("the library");
    let fine = written("fine.so", &whole);
    let said = server.command(&["handler", "inspect", &fine, "--json"]).fine().json();
    assert_eq!((&said["name"], &said["prefix"]), (&"LocalDeviceSsoHandler".into(), &"op.deviceSSOHandler.".into()));
    let said = server.command(&["handler", "check", &fine, "--json"]).fine().json();
    assert_eq!((&said["enabled"], &said["isolation"]), (&Value::Bool(true), &"inline".into()));
    for (name, bytes, expected) in [
        ("empty.so", &b""[..], "the file is empty"),
        ("text.so", b"#!/bin/sh\necho this is longer than the header of a library is, and still none\n", "no 64-bit ELF file"),
        ("half.so", &whole[..whole.len() / 2], "cut off"),
        ("newer.so", &stamped("1.99.0", None), "newer than this server's SDK"),
    ] {
        let path = written(name, bytes);
        for command in ["inspect", "check"] {
            let said = server.command(&["handler", command, &path]).refused();
            assert!(said.contains(expected) && said.lines().count() == 1, "{command} {name}: {said}");
        }
    }
    let said = server.command(&["handler", "inspect", "/nowhere/at/all.so"]).refused();
    assert!(said.contains("/nowhere/at/all.so cannot be read"), "{said}");
}
