//! Databases of addresses: named in the settings, opened at the start, exchanged while the server runs.

use std::path::Path;

use serde_json::json;

use crate::harness::maxmind::{asn, city, database};
use crate::harness::process::signal;
use crate::harness::{Server, Setup, until};

fn bytes(country: &str) -> Vec<u8> {
    database("Test-City", &[("192.0.2.0/24", city(country, "A country", "A city"))])
}

/// Puts a whole file in the place of another.
#[track_caller]
fn replace(file: &Path, bytes: &[u8]) {
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, bytes).expect("a file");
    std::fs::rename(&fresh, file).expect("in its place");
}

fn has(server: &Server, code: &str, part: &str) -> bool {
    server.log().lines().any(|line| line.contains(code) && line.contains(part))
}

#[test]
fn a_file_that_cannot_be_used_is_a_finding() {
    let folder = tempfile::tempdir().expect("a folder");
    let (fine, text, missing) = (folder.path().join("a.mmdb"), folder.path().join("b.mmdb"), folder.path().join("c.mmdb"));
    std::fs::write(&fine, database("Test-ASN", &[("192.0.2.0/24", asn(64_500, "Example"))])).expect("a file");
    std::fs::write(&text, "no database").expect("a file");
    let said = Setup::new().set("network.databases", json!([fine, text, missing])).refused();
    assert!(said.contains("b.mmdb: network.database: seen no whole MaxMind database"), "{said}");
    assert!(said.contains("c.mmdb: network.database: seen No such file"), "{said}");
    assert!(said.contains("correct network.databases") && !said.contains("a.mmdb"), "{said}");
    let said = Setup::new().set("network.prefix_v6", 129).set("network.watch", "1ms").refused();
    assert!(said.contains("network.prefix_v6") && said.contains("network.watch"), "{said}");
}

#[test]
fn changed_files_are_taken_over_and_broken_ones_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("city.mmdb");
    std::fs::write(&file, bytes("DE")).expect("a file");
    let server = Setup::new().set("network.databases", json!([file])).set("network.watch", "100ms").start();
    assert!(!server.log().contains("OP7121"));
    replace(&file, &bytes("NL"));
    until("the watcher has seen it", || has(&server, "OP7121", "Test-City"));
    replace(&file, b"half a copy");
    until("the watcher has refused it", || has(&server, "OP7122", "no whole MaxMind database"));
    std::fs::remove_file(&file).expect("gone");
    until("the watcher has missed it", || has(&server, "OP7122", "No such file"));
}

#[test]
fn without_watching_somebody_must_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("city.mmdb");
    std::fs::write(&file, bytes("DE")).expect("a file");
    let server = Setup::new().set("network.databases", json!([file])).set("network.watch", "never").start();
    replace(&file, &bytes("NL"));
    server.command(&["handler", "reload"]).fine();
    assert!(has(&server, "OP7121", "city.mmdb"), "{}", server.log());
    replace(&file, b"half a copy");
    signal(server.id(), "HUP");
    until("the signal was obeyed", || has(&server, "OP7122", "city.mmdb"));
}
