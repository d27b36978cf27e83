//! Audit events delivered to a receiver: signed, in order, and each of them, whoever of the two was away in between.

use std::path::PathBuf;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::harness::audit::{Promises, file_lines};
use crate::harness::cast::{ONE, STRANGER};
use crate::harness::redis::Port;
use crate::harness::{RelyingParty, Reply, Server, Setup, Tokens, until};

/// Two secrets of 32 bytes: that of now, and the one before.
const KEYS: [[u8; 32]; 2] = [[1; 32], [2; 32]];

fn secret(key: [u8; 32]) -> String {
    format!("whsec_{}", STANDARD.encode(key))
}

/// A server that delivers to that address.
fn delivering(url: &str) -> Setup {
    Setup::new()
        .set("audit.file.path", "audit/audit.jsonl")
        .set("audit.webhook.url", url)
        .set("outbound.allow_private_addresses", true)
        .environment("SYMBOLON_AUDIT__WEBHOOK__SECRET", &secret(KEYS[0]))
}

fn path(server: &Server) -> PathBuf {
    server.folder().join("audit/audit.jsonl")
}

/// The ids of the events in the audit file, in order.
fn ids_in_file(server: &Server) -> Vec<String> {
    file_lines(&path(server)).iter().map(|event| text(event, "id").to_owned()).collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}"))
}

/// The events of one request.
fn events_of(body: &str) -> Vec<Value> {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    body["data"]["events"].as_array().expect("events").clone()
}

/// Every event that the receiver was sent in all but the first `refused` requests, without those that it had before.
fn taken(receiver: &RelyingParty, refused: usize) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    for event in receiver.bodies().iter().skip(refused).flat_map(|body| events_of(body)) {
        if !events.iter().any(|known| known["id"] == event["id"]) {
            events.push(event);
        }
    }
    events
}

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| text(event, "id").to_owned()).collect()
}

#[track_caller]
fn refused(server: &Server, device: &Tokens, times: usize) {
    for _ in 0..times {
        server.exchange(STRANGER, device, "openid").refused(400, "invalid_grant");
    }
}

#[test]
fn what_is_in_the_file_is_delivered_in_order_and_signed() {
    let receiver = RelyingParty::answering(&[]);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("{}\n{}\n", secret(KEYS[0]), secret(KEYS[1]))).expect("the secrets");
    let server = Setup::new()
        .set("audit.file.path", "audit/audit.jsonl")
        .set("audit.webhook.url", receiver.url("/siem?tenant=7"))
        .set("audit.webhook.secret_file", file.path().to_str().expect("UTF-8"))
        .set("audit.webhook.batch", 3)
        .set("outbound.allow_private_addresses", true)
        .start();
    let device = server.device(ONE);
    refused(&server, &device, 5);
    let is_complete = |events: &[Value]| events.iter().filter(|event| event["code"] == "CL5002").count() == 5;
    until("all is in the file", || is_complete(&file_lines(&path(&server))));
    until("all is delivered", || !receiver.bodies().is_empty() && ids(&taken(&receiver, 0)) == ids_in_file(&server));
    assert_eq!(taken(&receiver, 0), file_lines(&path(&server)), "as they are in the file");
    let mut messages = Vec::new();
    for (head, body) in receiver.requests() {
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.split_once(": ").filter(|(own, _)| own.eq_ignore_ascii_case(name)));
            line.unwrap_or_else(|| panic!("no {name}: {head}")).1
        };
        assert!(head.starts_with("POST /siem?tenant=7 ") && header("content-type") == "application/json", "{head}");
        let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
        let signed = format!("{id}.{time}.{body}");
        let signatures: Vec<&str> = header("webhook-signature").split(' ').collect();
        assert_eq!(signatures.len(), 2, "one for each secret");
        for (key, signature) in KEYS.iter().zip(signatures) {
            let signature = STANDARD.decode(signature.strip_prefix("v1,").expect("the scheme")).expect("base64");
            hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes(), &signature).expect("a signature of ours");
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs();
        assert!(time.parse::<u64>().is_ok_and(|time| now.abs_diff(time) < 60), "{time}");
        let value: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((text(&value, "type"), text(&value["data"], "issuer")), ("audit.events", server.issuer.as_str()));
        let events = events_of(&body);
        assert!((1..=3).contains(&events.len()) && value["timestamp"] == events[events.len() - 1]["time"], "{body}");
        for secret in [device.secret(), device.refresh(), device.access()] {
            assert!(!body.contains(secret) && !head.contains(secret));
        }
        messages.push(id.to_owned());
    }
    let count = messages.len();
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), count, "each has an id of its own");
    until("nothing waits", || server.metric("symbolon_audit_webhook_waiting", &[]) == 0);
    assert!(server.metric("symbolon_audit_webhook_delivered_total", &[]) >= taken(&receiver, 0).len() as u64);
    assert_eq!(server.metric("symbolon_audit_webhook_requests_total", &["outcome=\"failed\""]), 0);
}

#[test]
fn a_receiver_that_refuses_is_asked_again_with_the_same_until_it_takes_it() {
    let receiver = RelyingParty::answering(&[Reply::Status(503), Reply::Status(302), Reply::Status(400)]);
    let server = delivering(&receiver.url("/in")).set("telemetry.format", "json").start();
    server.device(ONE);
    until("it was taken", || {
        let codes: Vec<Value> = taken(&receiver, 3).iter().map(|event| event["code"].clone()).collect();
        codes.contains(&"OP7133".into()) && codes.contains(&"TK1001".into())
    });
    let requests = receiver.requests();
    let id =
        |head: &str| head.lines().find(|line| line.to_ascii_lowercase().starts_with("webhook-id: ")).expect("an id").to_owned();
    assert!(requests[..4].windows(2).all(|two| two[0].1 == two[1].1 && id(&two[0].0) == id(&two[1].0)), "{requests:#?}");
    let all = taken(&receiver, 3);
    assert_eq!(ids(&all), ids_in_file(&server)[..all.len()], "in order, and none was skipped");
    let told = server.trail();
    assert_eq!(text(told.one("OP7132", &[("outcome", "refused")]), "reason"), "the receiver answered with status 400");
    assert!(text(told.one("OP7133", &[("outcome", "granted")]), "detail").starts_with("after 3 attempts"));
    told.keeps(&Promises::of(&server));
    assert_eq!(server.metric("symbolon_audit_webhook_requests_total", &["outcome=\"failed\""]), 3);
}

#[test]
fn what_was_written_is_delivered_whatever_ended_in_between() {
    let port = Port::free();
    let server = delivering(&format!("http://127.0.0.1:{}/in", port.number)).start();
    let device = server.device(ONE);
    refused(&server, &device, 3);
    assert_eq!(server.get("/readyz").status, 200, "the receiver is nobody's readiness");
    until("it was tried", || server.metric("symbolon_audit_webhook_requests_total", &["outcome=\"failed\""]) > 0);
    assert!(server.metric("symbolon_audit_webhook_waiting", &[]) > 0);
    let before = ids_in_file(&server);
    server.kill();
    assert!(before.len() > 6);
    let receiver = RelyingParty::at(port.number);
    server.start_again();
    until("what was written before is delivered", || taken(&receiver, 0).len() > before.len());
    assert_eq!(ids(&taken(&receiver, 0))[..before.len()], before);
    // Again and again, with a receiver that is there: nothing is missing, nothing is in another order.
    for _ in 0..3 {
        refused(&server, &device, 4);
        server.kill();
        server.start_again();
    }
    until("the rest is delivered", || ids(&taken(&receiver, 0)) == ids_in_file(&server));
    let bodies = receiver.bodies();
    let events = bodies.iter().map(|body| events_of(body).len()).sum::<usize>();
    assert!(events < 3 * taken(&receiver, 0).len(), "it does not begin from the beginning each time: {events}");
}

#[test]
fn only_the_codes_that_are_wanted_are_delivered() {
    let receiver = RelyingParty::answering(&[]);
    let server = delivering(&receiver.url("/in")).set("audit.webhook.codes", serde_json::json!(["SI", "CL5002"])).start();
    let device = server.device(ONE);
    refused(&server, &device, 1);
    until("the last is delivered", || taken(&receiver, 0).iter().any(|event| event["code"] == "CL5002"));
    let wanted = |event: &Value| text(event, "code").starts_with("SI") || event["code"] == "CL5002";
    let expected: Vec<Value> = file_lines(&path(&server)).into_iter().filter(wanted).collect();
    assert_eq!(taken(&receiver, 0), expected);
    until("nothing waits", || server.metric("symbolon_audit_webhook_waiting", &[]) == 0);
}

#[test]
fn what_was_removed_before_the_receiver_came_back_is_counted() {
    let port = Port::free();
    let server = delivering(&format!("http://127.0.0.1:{}/in", port.number))
        .set("audit.file.max_size", 4096)
        .set("audit.file.keep", 1)
        .set("telemetry.format", "json")
        .start();
    let device = server.device(ONE);
    // The deliverer holds the first events in its hand.
    until("it was tried", || server.metric("symbolon_audit_webhook_requests_total", &["outcome=\"failed\""]) > 0);
    refused(&server, &device, 60);
    until("files are gone", || !ids_in_file(&server)[0].ends_with("-000000000001"));
    let receiver = RelyingParty::at(port.number);
    until("it is told", || taken(&receiver, 0).iter().any(|event| event["code"] == "OP7134"));
    let lost = server.metric("symbolon_audit_lost_total", &["sink=\"webhook\""]);
    let all = taken(&receiver, 0);
    let number = |event: &Value| text(event, "id").split_once('-').expect("an id").1.parse::<u64>().expect("a number");
    let gaps: u64 = all.windows(2).map(|two| number(&two[1]) - number(&two[0]) - 1).sum();
    assert!(gaps > 0 && gaps == lost, "{gaps} {lost}");
    assert_eq!(text(server.trail().one("OP7134", &[("outcome", "refused")]), "detail"), format!("{lost} events"));
}

#[test]
fn a_private_address_is_not_asked_unless_that_is_allowed() {
    let receiver = RelyingParty::answering(&[]);
    let server =
        delivering(&receiver.url("/in")).set("outbound.allow_private_addresses", false).set("telemetry.format", "json").start();
    until("it was tried", || !server.trail().all("OP7132", &[]).is_empty());
    let told = server.trail();
    assert!(text(told.one("OP7132", &[]), "reason").contains("outbound.allow_private_addresses is false"));
    assert!(receiver.bodies().is_empty());
}

#[test]
fn settings_that_cannot_work_are_findings() {
    let url = "https://siem.example.com/in";
    let secret = secret(KEYS[0]);
    let with = |setup: Setup| setup.set("audit.webhook.url", url).environment("SYMBOLON_AUDIT__WEBHOOK__SECRET", &secret);
    let told = with(Setup::new()).refused();
    assert!(
        told.contains("audit.webhook.url without audit.file.path") && told.contains("remedy: write audit.file.path"),
        "{told}"
    );
    let told = Setup::new().set("audit.file.path", "a").set("audit.webhook.url", url).refused();
    assert!(told.contains("openssl rand -base64 32"), "{told}");
    let told = with(Setup::new().set("audit.file.path", "a")).set("audit.webhook.url", "http://siem.example.com").refused();
    assert!(told.contains("write https://HOST/PATH"), "{told}");
    let told =
        with(Setup::new().set("audit.file.path", "a")).set("audit.webhook.codes", serde_json::json!(["nonsense"])).refused();
    assert!(told.contains("symbolon audit codes"), "{told}");
}
