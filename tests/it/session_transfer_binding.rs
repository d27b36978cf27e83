//! What must be the same where a session transfer token is made and where it is used: nothing, the address, a key; and who says which address that is.

use serde_json::{Value, json};

use crate::harness::cast::TWO;
use crate::harness::dpop::DeviceKey;
use crate::harness::maxmind::{asn, database};
use crate::harness::{Answer, Authorization, Browser, Landing, Server, Setup, Tokens};
use crate::session_transfer::{APP, WEB, form, setup, token_from};
use crate::session_transfer_browser::{ELSEWHERE, HERE, app, here, is_sign_in, refused, token, with};

/// Says how the web app is bound, and signs in from elsewhere.
#[track_caller]
fn from_elsewhere(native: Option<&str>, web: Option<&str>, made: &str, used: &str) -> (Server, bool) {
    bound(setup(), [native, web], made, used)
}

/// The same on a server of one's own.
#[track_caller]
fn bound(setup: Setup, [native, web]: [Option<&str>; 2], made: &str, used: &str) -> (Server, bool) {
    let with_binding = |mut rules: Value, binding: Option<&str>| {
        if let Some(binding) = binding {
            rules["enforce_device_binding"] = binding.into();
        }
        rules
    };
    let app_rules = with_binding(json!({ "can_create_session_transfer_token": true }), native);
    let web_rules = with_binding(json!({ "allowed_authentication_methods": ["query"] }), web);
    let server = setup.client(APP.id, "session_transfer", app_rules).client(WEB.id, "session_transfer", web_rules).start();
    let app = app(&server);
    let own = token_from(&server, made, &app.tokens);
    let landing = Browser::behind(used).ask(&server, &with(&own));
    let done = matches!(landing, Landing::Client(..));
    (server, done)
}

#[test]
fn the_address_is_compared_unless_a_client_says_otherwise() {
    let (server, done) = from_elsewhere(None, None, HERE, ELSEWHERE);
    assert!(!done);
    refused(&server, WEB, "address_mismatch");
    for (native, web, done) in [
        (Some("none"), Some("none"), true),
        // Who does not say otherwise means the address.
        (None, Some("none"), false),
        (Some("none"), None, false),
        (Some("none"), Some("ip"), false),
        (Some("ip"), Some("none"), false),
    ] {
        assert_eq!(from_elsewhere(native, web, HERE, ELSEWHERE).1, done, "{native:?} {web:?}");
    }
    assert!(from_elsewhere(None, Some("ip"), HERE, HERE).1);
    // The same address, written as IPv6.
    assert!(from_elsewhere(None, Some("ip"), HERE, "::ffff:203.0.113.7").1);
}

#[test]
fn only_trusted_proxies_say_where_somebody_is() {
    let server = setup().set("proxy.trusted", json!([])).start();
    let app = app(&server);
    // Whatever the header says, both requests come from this machine.
    let own = token_from(&server, HERE, &app.tokens);
    Browser::behind(ELSEWHERE).ask(&server, &with(&own)).code();
}

#[test]
fn a_log_only_binding_lets_through_and_tells() {
    let server = setup().set("session_transfer.binding", "log").start();
    let app = app(&server);
    Browser::behind(ELSEWHERE).ask(&server, &with(&token(&server, &app))).code();
    server.trail().one("SI2042", &[("client_id", WEB.id), ("reason", "address_mismatch"), ("address", ELSEWHERE)]);
    // Of a key, too.
    let (server, let_in) = bound(setup().set("session_transfer.binding", "log"), [None, Some("key")], HERE, HERE);
    assert!(let_in);
    server.trail().one("SI2042", &[("client_id", WEB.id), ("reason", "key_missing")]);
}

#[test]
fn a_key_binding_wants_a_key_proven_where_the_token_is_made() {
    let rules = json!({ "allowed_authentication_methods": ["query"], "enforce_device_binding": "key" });
    let native = json!({ "can_create_session_transfer_token": true, "enforce_device_binding": "none" });
    let bound = json!({ "can_create_session_transfer_token": true, "enforce_device_binding": "key" });
    let setup = setup().client(APP.id, "session_transfer", native).client(WEB.id, "session_transfer", rules);
    let server = setup.client(TWO.id, "session_transfer", bound).start();
    let app = app(&server);
    is_sign_in(&here().ask(&server, &with(&token(&server, &app))).page());
    refused(&server, WEB, "key_missing");
    // An app that wants it of itself has none made without.
    let other = server.sign_in(TWO, &server.person(), "openid offline_access");
    server.token(TWO, form(&server, other.refresh())).refused(400, "invalid_dpop_proof");
    server.trail().one("fertft", &[("client_id", TWO.id), ("outcome", "refused")]);
    let key = DeviceKey::new();
    let person = server.person();
    let request = Authorization::new(APP, "openid offline_access");
    let code = Browser::new().authorize(&server, &request, &person).code();
    let tokens = Tokens(server.token_by(&key, APP, request.redeem(&code)).ok());
    let made: Answer = server.token_by(&key, APP, form(&server, tokens.refresh()));
    let own = made.ok()["access_token"].as_str().expect("a token").to_owned();
    // From anywhere: nothing of the network is demanded.
    Browser::behind(ELSEWHERE).ask(&server, &with(&own)).code();
}

/// A server that knows the operators of a few networks.
fn knowing(folder: &tempfile::TempDir) -> Setup {
    let file = folder.path().join("asn.mmdb");
    let networks = [
        ("203.0.113.0/24", asn(64_500, "One")),
        ("2001:db8:1::/48", asn(64_500, "One")),
        ("198.51.100.0/24", asn(64_501, "Other")),
    ];
    std::fs::write(&file, database("Test-ASN", &networks)).expect("a file");
    setup().set("network.databases", json!([file]))
}

#[test]
fn the_operator_of_the_network_is_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = |made: &str, used: &str| bound(knowing(&folder), [Some("asn"), Some("none")], made, used);
    assert!(from(HERE, "203.0.113.200").1);
    assert!(from(HERE, "2001:db8:1::7").1, "the same operator, by the other protocol");
    let (server, done) = from(HERE, ELSEWHERE);
    assert!(!done);
    refused(&server, WEB, "asn_mismatch");
    let (server, done) = from(HERE, "192.0.2.1");
    assert!(!done, "nobody knows whose address that is");
    refused(&server, WEB, "asn_unknown");
}

#[test]
fn leading_bits_are_compared_and_protocols_fairly() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = |made: &str, used: &str| bound(knowing(&folder), [Some("asn"), Some("prefix")], made, used);
    assert!(from(HERE, "203.0.113.200").1);
    assert!(from("2001:db8:1::7", "2001:db8:1::1:2:3:4").1);
    let (server, done) = from("2001:db8:1::7", "2001:db8:2::7");
    assert!(!done);
    refused(&server, WEB, "prefix_mismatch");
    assert!(from(HERE, "2001:db8:1::7").1, "the browser chose the other protocol");
    let (server, done) = from(HERE, "2001:db8:9::7");
    assert!(!done);
    refused(&server, WEB, "address_family");
    // Without a database an address of the other protocol is another address.
    let (server, done) = from_elsewhere(None, Some("ip"), HERE, "2001:db8:1::7");
    assert!(!done);
    refused(&server, WEB, "address_family");
}
