//! What the service is asked, byte by byte where it is signed.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use symbolon_sdk::testing::TestRequest;
use symbolon_sdk::{Purpose, TokenBinding, Value, json};

use super::stand_in::{Received, StandIn, allow};
use super::{KEY, KeyFile, allowed, asking};
use crate::keys::Keys;

/// HMAC-SHA256 by the text of RFC 2104 section 2, from the hash alone.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |pad: u8| block.map(|byte| byte ^ pad).to_vec();
    let inner = digest(&SHA256, &[padded(0x36), message.to_vec()].concat());
    digest(&SHA256, &[padded(0x5c), inner.as_ref().to_vec()].concat()).as_ref().to_vec()
}

fn asked(request: &TestRequest, more: &[(&str, &str)]) -> Received {
    let service = StandIn::always(allow());
    allowed(request.ask(&asking(&service.url(), more)));
    let mut received = service.received();
    assert_eq!(received.len(), 1);
    received.remove(0)
}

#[test]
fn the_signature_is_that_of_standard_webhooks() {
    let question = asked(&TestRequest::new().now(1_900_000_000).device("Ada's Böard"), &[]);
    assert_eq!(question.line, "POST /decide HTTP/1.1");
    assert_eq!(question.header("content-type"), "application/json");
    let (id, timestamp) = (question.header("webhook-id"), question.header("webhook-timestamp"));
    assert!(id.starts_with("msg_") && id.len() == 28 && !id.contains('.'), "{id}");
    let at: u64 = timestamp.parse().unwrap();
    assert!((1_900_000_000..1_900_000_060).contains(&at), "{at}");
    let key = STANDARD.decode(KEY.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = [format!("{id}.{timestamp}.").as_bytes(), &question.body].concat();
    assert_eq!(question.header("webhook-signature"), format!("v1,{}", STANDARD.encode(hmac(&key, &signed))));
}

#[test]
fn signatures_agree_with_those_of_the_reference_libraries() {
    let sign = |text: &str| {
        let file = KeyFile::new(text);
        Keys::read(&file.path()).unwrap().sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#)
    };
    let known = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let plain = "v1,w2zTuWQwarU+GQg0t2Sb6aRlbG9ItQrJOlfFeGzDDDc=";
    assert_eq!(sign(KEY), known);
    assert_eq!(sign(&format!("\n  {KEY}\r\n\n")), known);
    assert_eq!(sign("a plain key of enough bytes\n"), plain);
    assert_eq!(sign(&format!("a plain key of enough bytes\n{KEY}\n")), format!("{plain} {known}"), "during a change of keys");
}

#[test]
fn padding_of_a_key_may_be_missing() {
    let [padded, bare] = ["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk=", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk"]
        .map(|text| Keys::read(&KeyFile::new(text).path()).unwrap().sign("a", 1, b"b"));
    assert_eq!(padded, bare);
}

#[test]
fn a_key_does_not_show_itself() {
    let keys = Keys::read(&KeyFile::new(format!("{KEY}\na plain key of enough bytes")).path()).unwrap();
    assert_eq!(format!("{keys:?}"), "Keys(2)");
}

#[test]
fn every_decision_has_an_id_of_its_own() {
    let service = StandIn::always(allow());
    let handler = asking(&service.url(), &[]);
    for _ in 0..3 {
        allowed(TestRequest::new().ask(&handler));
    }
    let mut ids: Vec<String> = service.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[test]
fn connections_are_kept() {
    let service = StandIn::always(allow());
    let handler = asking(&service.url(), &[]);
    // A connection goes back to the others in the background, so a question right after may come too early for it.
    let kept = (0..500).any(|_| {
        let before = service.connections();
        allowed(TestRequest::new().ask(&handler));
        std::thread::sleep(Duration::from_millis(10));
        service.connections() == before
    });
    assert!(kept);
}

#[test]
fn the_whole_question() {
    let request = TestRequest::new()
        .subject("bob")
        .client("shop", true)
        .metadata("client_name", "Shop")
        .metadata("policy", json!({"tier": 2, "weights": [0.5, 18_446_744_073_709_551_615_u64]}))
        .now(1_800_000_900)
        .authentication(1_800_000_300, Some("urn:mfa"), "pwd otp")
        .client_ids("app-one mail")
        .device("Ada's phone")
        .requested_scope("openid email")
        .requested_claims(json!({"userinfo": {"birthdate": null}}))
        .acr_values("urn:mfa urn:pwd")
        .resources("https://api.example.com")
        .parameter("audience", "https://op.example.com")
        .parameter("audience", "https://other.example.com")
        .parameter("purchase", "42 €")
        .client_address("192.0.2.7".parse().unwrap())
        .token_binding(TokenBinding::Dpop);
    let question = asked(&request, &[]).json();
    let expected = json!({
        "version": 1,
        "purpose": "exchange",
        "now": 1_800_000_900,
        "subject": "bob",
        "client": {
            "client_id": "shop",
            "confidential": true,
            "metadata": {"client_name": "Shop", "policy": {"tier": 2, "weights": [0.5, 18_446_744_073_709_551_615_u64]}},
        },
        "source_client_id": "app-one",
        "session": {
            "sid": "session-1", "auth_time": 1_800_000_300, "acr": "urn:mfa", "amr": ["pwd", "otp"],
            "created": 1_800_000_300, "last_used": 1_800_000_900, "client_ids": ["app-one", "mail"], "device": "Ada's phone",
        },
        "request": {
            "scope": "openid email",
            "default_scope": "openid device_sso offline_access profile",
            "grantable_scope": "openid device_sso offline_access profile email",
            "claims": {"userinfo": {"birthdate": null}},
            "acr_values": ["urn:mfa", "urn:pwd"],
            "resources": ["https://api.example.com"],
            "parameters": {"audience": ["https://op.example.com", "https://other.example.com"], "purchase": ["42 €"]},
        },
        "client_address": "192.0.2.7",
        "token_binding": "dpop",
    });
    assert_eq!(question, expected);
}

#[test]
fn what_is_not_known_is_null_or_empty_and_always_there() {
    let question = asked(&TestRequest::new(), &[]).json();
    for pointer in ["/session/acr", "/session/device", "/request/scope", "/request/claims", "/client_address"] {
        assert_eq!(question.pointer(pointer), Some(&Value::Null), "{pointer}");
    }
    assert_eq!(question["request"]["acr_values"], json!([]));
    assert_eq!(question["request"]["parameters"], json!({}));
    assert_eq!(question["client"]["metadata"], json!({}));
    assert_eq!(question["token_binding"], "none");
}

#[test]
fn claims_are_sent_when_they_are_wanted() {
    let request = TestRequest::new().id_token_claim("email", "ada@example.com");
    assert_eq!(asked(&request, &[]).json().get("id_token_claims"), None);
    let question = asked(&request, &[("includeClaims", "true")]).json();
    assert_eq!(
        question["id_token_claims"],
        json!({"email": "ada@example.com", "sub": "alice", "aud": "app-one", "sid": "session-1"})
    );
}

#[test]
fn the_service_is_told_when_nothing_comes_of_its_answer() {
    for (purpose, name) in [(Purpose::Exchange, "exchange"), (Purpose::Shadow, "shadow"), (Purpose::Explanation, "explanation")] {
        assert_eq!(asked(&TestRequest::new().purpose(purpose), &[]).json()["purpose"], name);
    }
}

#[test]
fn no_header_says_more_than_it_must() {
    let question = asked(&TestRequest::new(), &[]);
    for name in ["cookie", "authorization", "referer", "accept-encoding"] {
        assert!(!question.has(name), "{name}");
    }
    assert!(question.header("user-agent").starts_with("symbolon-webhook/"));
}
