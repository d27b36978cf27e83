//! `symbolon handler explain`: what an exchange would come to, and why, without one taking place.

use serde_json::Value;

use crate::harness::binaries;
use crate::harness::cast::{DIRECTED, NO_EXCHANGE, ONE, STRANGER, TWO};
use crate::harness::{Server, Setup, Tokens, jwt};

const GREEDY: &str = "symbolon-test-handler-greedy";
const HOSTILE: &str = "symbolon-test-handler-hostile";

fn sid(device: &Tokens) -> String {
    jwt::claims(device.id())["sid"].as_str().expect("a sid").to_owned()
}

#[track_caller]
fn explain(server: &Server, client: &str, device: &Tokens, more: &[&str]) -> Value {
    let sid = sid(device);
    let mut arguments = vec!["handler", "explain", "--json", "--client", client, "--session", &sid];
    arguments.extend(more);
    server.command(&arguments).fine().json()
}

#[test]
fn it_says_what_the_exchange_then_does() {
    let server = Setup::new()
        .property("op.deviceSSOHandler.accessToken.lifetime", "77")
        .property("op.deviceSSOHandler.accessToken.includeClientMetadataFields", "client_name")
        .property("op.deviceSSOHandler.scopeRequiringInteraction", "payments")
        .start();
    let device = server.device(ONE);
    let before = server.command(&["session", "show", &sid(&device), "--json"]).fine().json();
    let said = explain(&server, TWO.id, &device, &["--scope", "openid profile offline_access"]);
    assert_eq!((&said["decision"], &said["handler"]), (&"allowed".into(), &"LocalDeviceSsoHandler".into()), "{said}");
    assert_eq!(said["clamped"], serde_json::json!([]));
    assert_eq!(said["question"]["source_client_id"], ONE.id);
    let refused = explain(&server, TWO.id, &device, &["--scope", "openid payments"]);
    assert_eq!(refused["decision"], "refused by the handler");
    assert_eq!(
        (&refused["refusal"]["error"], &refused["refusal"]["members"]["scope"]),
        (&"interaction_required".into(), &"payments".into())
    );
    assert!(refused["tokens"].is_null());
    let after = server.command(&["session", "show", &sid(&device), "--json"]).fine().json();
    assert_eq!(before, after, "nothing has been issued");

    let tokens = Tokens(server.exchange(TWO, &device, "openid profile offline_access").ok());
    let (_, access) = server.verified(tokens.access());
    for claim in ["iss", "sub", "aud", "client_id", "scope", "sid", "auth_time", "acr", "amr", "data"] {
        assert_eq!(said["tokens"]["access_token"]["claims"][claim], access[claim], "{claim}");
    }
    let (_, id_token) = server.verified(tokens.id());
    for claim in ["iss", "sub", "aud", "sid", "auth_time", "acr", "amr"] {
        assert_eq!(said["tokens"]["id_token"]["claims"][claim], id_token[claim], "{claim}");
    }
    assert_eq!(said["granted"]["access_token.lifetime"], 77);
    assert_eq!(said["handler_said"]["access_token"]["lifetime"], 77);
    assert_eq!(said["tokens"]["access_token"]["format"], "a signed JWT");
    assert_eq!(said["tokens"]["refresh_token"]["rotate"], true);

    // With the server stopped it is the same.
    assert_eq!(server.stop(), Some(0));
    let stopped = explain(&server, TWO.id, &device, &["--scope", "openid profile offline_access"]);
    assert_eq!((&stopped["decision"], &stopped["granted"]), (&said["decision"], &said["granted"]));
}

#[test]
fn it_says_what_the_guard_cuts() {
    let server = Setup::new()
        .properties("test.greedy.enable=true\n")
        .set("handlers.audiences", serde_json::json!(["https://api.example.com"]))
        .handler(GREEDY)
        .start();
    let said = explain(&server, TWO.id, &server.device(ONE), &["--scope", "openid profile"]);
    let clamped = said["clamped"].to_string();
    for what in ["scope", "access_token.lifetime", "access_token.audience", "id_token.lifetime", "id_token.claims"] {
        assert!(clamped.contains(what), "{what}: {clamped}");
    }
    assert_eq!(said["granted"]["scope"], "openid profile", "no more than was asked for");
    assert!(said["handler_said"]["scope"].to_string().contains("admin"), "{said}");
}

#[test]
fn it_says_why_no_handler_would_be_asked() {
    let server = Setup::new().start();
    let device = server.device(ONE);
    let core = "refused by the server before any handler is asked";
    for (client, scope, error) in [
        (NO_EXCHANGE.id, "openid", "unauthorized_client"),
        (STRANGER.id, "openid", "invalid_grant"),
        (TWO.id, "openid admin", "invalid_scope"),
        (TWO.id, "profile", "invalid_scope"),
    ] {
        let said = explain(&server, client, &device, &["--scope", scope]);
        assert_eq!((&said["decision"], &said["refusal"]["error"]), (&core.into(), &error.into()), "{client} {scope}: {said}");
    }
    let said = explain(&server, DIRECTED.id, &device, &["--scope", "openid profile"]);
    assert_eq!(said["granted"]["refresh_token"], false, "the pair may not go offline");
    let said = explain(&server, STRANGER.id, &device, &["--source", STRANGER.id]);
    assert_eq!(said["decision"], "allowed", "an app may bring itself in: {said}");
    for (client, session) in
        [("nobody", sid(&device)), (TWO.id, "nonsense".to_owned()), (TWO.id, "AAAAAAAAAAAAAAAAAAAAAA".to_owned())]
    {
        let said = server.command(&["handler", "explain", "--client", client, "--session", &session]).refused();
        assert!(said.contains("there is no") || said.contains("not a session id"), "{said}");
    }
}

#[test]
fn another_library_can_be_asked_without_being_loaded() {
    let server = Setup::new().property("test.greedy.mode", "bad-error").start();
    let device = server.device(ONE);
    let folder = tempfile::tempdir().expect("a folder");
    let copy = |name: &str| {
        let path = folder.path().join(name);
        std::fs::copy(binaries::handler(name), &path).expect("a copy");
        path.display().to_string()
    };
    let said = explain(&server, TWO.id, &device, &["--scope", "openid", "--handler", &copy(GREEDY)]);
    assert_eq!((&said["handler"], &said["refusal"]["error"]), (&"GreedyHandler".into(), &"server_error".into()), "{said}");
    assert!(said["refusal"]["cause"].as_str().is_some_and(|cause| cause.contains("error code")), "{said}");
    // One that crashes crashes a process of its own.
    let id = server.id();
    let hostile = copy(HOSTILE);
    server.write_properties("op.deviceSSOHandler.enable=true\ntest.hostile.mode=segfault\n");
    let crash = ["--scope", "openid payments", "--handler", &hostile];
    let said = explain(&server, TWO.id, &device, &crash);
    assert_eq!(said["decision"], "allowed", "what was written but not reloaded does not count: {said}");
    server.command(&["handler", "reload"]).fine();
    let said = explain(&server, TWO.id, &device, &crash);
    assert_eq!((&said["handler"], &said["refusal"]["error"]), (&"HostileHandler".into(), &"server_error".into()), "{said}");
    assert!(said["refusal"]["cause"].as_str().is_some_and(|cause| cause.contains("SIGSEGV")), "{said}");
    let well = [&crash[..], &["-D", "test.hostile.mode=well"]].concat();
    assert_eq!(explain(&server, TWO.id, &device, &well)["decision"], "allowed", "other properties, for this once");
    assert_eq!(server.id(), id);
    server.exchange(TWO, &device, "openid").ok();
    // Explanations are no traffic.
    assert_eq!(server.metric("symbolon_handler_calls_total", &[]), 1);
}

#[test]
fn other_properties_can_be_tried_on_the_handler_in_service() {
    let server = Setup::new().start();
    let device = server.device(ONE);
    let usual = explain(&server, TWO.id, &device, &["--scope", "openid"]);
    let other = ["--scope", "openid", "-D", "op.deviceSSOHandler.accessToken.lifetime=77"];
    assert_eq!(explain(&server, TWO.id, &device, &other)["granted"]["access_token.lifetime"], 77);
    assert_eq!(explain(&server, TWO.id, &device, &["--scope", "openid"])["granted"], usual["granted"]);
}

#[test]
fn a_library_that_is_not_trusted_any_more_is_not_run() {
    let server = Setup::new().start();
    let device = server.device(ONE);
    let greedy = binaries::handler(GREEDY).display().to_string();
    let ask = ["--scope", "openid", "--handler", &greedy];
    assert_eq!(explain(&server, TWO.id, &device, &ask)["handler"], "GreedyHandler");
    let settings = std::fs::read_to_string(server.config()).expect("the settings");
    let digest = server.command(&["handler", "list", "--json"]).fine().json()[0]["digest"].clone();
    let pinned = settings.replacen("[handlers]", &format!("[handlers]\ntrusted_digests = [{digest}]"), 1);
    assert_ne!(settings, pinned);
    std::fs::write(server.config(), pinned).expect("the settings");
    server.command(&["handler", "reload"]).fine();
    let session = sid(&device);
    let arguments = [&["handler", "explain", "--client", TWO.id, "--session", &session][..], &ask].concat();
    let refusal = server.command(&arguments).refused();
    assert!(refusal.contains("trusted_digests"), "{refusal}");
}
