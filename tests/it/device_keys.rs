//! The keys of a device session as an operator sees and removes them.

use serde_json::json;

use crate::harness::audit::Promises;
use crate::harness::cast::{ONE, TWO};
use crate::harness::dpop::DeviceKey;
use crate::harness::{Authorization, Browser, Form, Server, Setup, Tokens, jwt, shared};

const SCOPE: &str = "openid profile offline_access device_sso";

/// A device that app one has bound to its key, and to which app two has added another by a sign-in of its own.
fn bound(server: &Server, one: &DeviceKey, two: &DeviceKey) -> (Tokens, Tokens) {
    let person = server.person();
    let first = Authorization::new(ONE, SCOPE);
    let code = Browser::new().authorize(server, &first, &person).code();
    let device = Tokens(server.token_by(one, ONE, first.redeem(&code)).ok());
    let request = Authorization::new(TWO, SCOPE);
    let code = Browser::new().authorize(server, &request, &person).code();
    let joined = server.token_by(two, TWO, request.redeem(&code).and("device_secret", device.secret())).ok();
    (device, Tokens(joined))
}

fn sid(tokens: &Tokens) -> String {
    jwt::claims(tokens.id())["sid"].as_str().expect("a sid").to_owned()
}

fn exchange(server: &Server, device: &Tokens) -> Form {
    server.exchange_form(device.id(), device.secret()).and("scope", "openid offline_access")
}

#[test]
fn a_key_is_listed_and_removed_with_what_was_bound_to_it() {
    let server = Setup::new().set("telemetry.format", "json").start();
    let (one, two) = (DeviceKey::new(), DeviceKey::new());
    let (device, joined) = bound(&server, &one, &two);
    let sid = sid(&device);
    let keys = server.command(&["session", "keys", &sid, "--json"]).fine().json();
    let listed: Vec<_> = keys.as_array().expect("keys").iter().map(|key| (&key["thumbprint"], &key["client_id"])).collect();
    assert_eq!(listed, [(&json!(one.thumbprint), &json!(ONE.id)), (&json!(two.thumbprint), &json!(TWO.id))], "{keys}");
    assert!(keys[0]["enrolled"].is_u64());
    let text = server.command(&["session", "keys", &sid]).fine().stdout;
    assert!(text.starts_with("thumbprint") && text.contains(&two.thumbprint), "{text}");

    let removed = server.command(&["session", "remove-key", &sid, &two.thumbprint, "--json"]).fine().json();
    let expected = json!({ "removed": two.thumbprint, "client_id": TWO.id, "grants_ended": 1, "session_ended": false });
    assert_eq!(removed, expected);
    server.refresh_by(&two, TWO, joined.refresh()).refused(400, "invalid_grant");
    assert!(!server.is_active(joined.access()) && server.is_active(device.refresh()));
    server.token_by(&two, TWO, exchange(&server, &device)).refused(400, "invalid_grant");
    server.token_by(&one, TWO, exchange(&server, &device)).ok();
    let trail = server.trail();
    let event = trail.one("SE3025", &[("sid", &sid), ("client_id", TWO.id), ("actor", "administrator")]);
    assert_eq!(event["detail"], "1 grants");
    trail.keeps(&Promises::of(&server));
}

#[test]
fn the_last_key_stays_and_so_does_what_is_no_key() {
    let server = shared::usual();
    let (one, two) = (DeviceKey::new(), DeviceKey::new());
    let (device, _) = bound(server, &one, &two);
    let sid = sid(&device);
    let remove = |sid: &str, key: &str| server.command(&["session", "remove-key", sid, key]);
    assert!(remove(&sid, "-no-such-key").refused().contains("no such key"));
    remove(&sid, &two.thumbprint).fine();
    assert!(remove(&sid, &two.thumbprint).refused().contains("no such key"));
    let refused = remove(&sid, &one.thumbprint).refused();
    assert!(refused.contains("last key") && refused.contains("end the session"), "{refused}");
    server.token(TWO, exchange(server, &device)).refused(400, "invalid_dpop_proof");
    server.token_by(&one, TWO, exchange(server, &device)).ok();
    // Sessions without keys, and no sessions.
    let other = self::sid(&server.device(ONE));
    assert_eq!(server.command(&["session", "keys", &other, "--json"]).fine().json(), json!([]));
    assert!(remove(&other, &one.thumbprint).refused().contains("no such key"));
    for nowhere in ["AAAAAAAAAAAAAAAAAAAAAA", "x"] {
        server.command(&["session", "keys", nowhere]).refused();
        remove(nowhere, &one.thumbprint).refused();
    }
}

#[test]
fn a_session_whose_apps_all_had_that_key_ends() {
    let server = shared::usual();
    let (one, two) = (DeviceKey::new(), DeviceKey::new());
    let (device, joined) = bound(server, &one, &two);
    server.revoke(TWO, joined.refresh());
    let removed = server.command(&["session", "remove-key", &sid(&device), &one.thumbprint, "--json"]).fine().json();
    assert_eq!((&removed["grants_ended"], &removed["session_ended"]), (&json!(1), &json!(true)), "{removed}");
    assert!(!server.is_active(device.secret()));
}

#[test]
fn an_explanation_says_what_the_tokens_would_be_bound_to() {
    let server = Setup::new().client("app-three", "dpop_bound_access_tokens", true).start();
    let (one, two) = (DeviceKey::new(), DeviceKey::new());
    let (device, _) = bound(&server, &one, &two);
    let plain = server.device(ONE);
    let explain = |client: &str, device: &Tokens| {
        let id = sid(device);
        let arguments = ["handler", "explain", "--json", "--client", client, "--session", &id, "--scope", "openid"];
        let said = server.command(&arguments).fine().json();
        (said["question"]["binding"].clone(), said["tokens"]["access_token"]["claims"]["cnf"]["jkt"].clone())
    };
    assert_eq!(explain(TWO.id, &device), (json!("dpop"), json!(two.thumbprint)));
    assert_eq!(explain("app-compat", &device), (json!("dpop"), json!(one.thumbprint)));
    assert_eq!(explain(TWO.id, &plain), (json!("none"), json!(null)));
    assert_eq!(explain("app-three", &plain).0, json!("dpop"));
}
