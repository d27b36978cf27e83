//! The profile Config OP: `oidcc-discovery-endpoint-verification`, check by check.

use std::sync::OnceLock;

use serde_json::Value;

use crate::harness::{Answer, Server, Setup};

/// A provider that its clients reach by https, as in the world: a proxy speaks TLS.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Setup::new().set("server.issuer", "https://login.example.com").start())
}

#[track_caller]
fn answer() -> Answer {
    server().get("/.well-known/openid-configuration")
}

#[track_caller]
fn list(name: &str) -> Vec<String> {
    let document = answer().ok();
    let list = document[name].as_array().unwrap_or_else(|| panic!("no list {name}: {document}"));
    list.iter().map(|value| value.as_str().expect("text").to_owned()).collect()
}

#[track_caller]
fn has(name: &str, values: &[&str]) {
    let list = list(name);
    for value in values {
        assert!(list.iter().any(|own| own == value), "{name} has no {value}: {list:?}");
    }
}

#[test]
fn the_document_is_json_and_names_its_own_issuer() {
    let answer = answer();
    assert!(answer.header("content-type").is_some_and(|value| value.starts_with("application/json")));
    let issuer = url::Url::parse(answer.ok()["issuer"].as_str().expect("issuer")).expect("a URL");
    assert_eq!(answer.ok()["issuer"], server().issuer.as_str());
    assert_eq!((issuer.query(), issuer.fragment()), (None, None), "RFC 8414 section 2");
}

#[test]
fn every_endpoint_is_https() {
    let document = answer().ok();
    for name in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
        assert!(document[name].is_string(), "{name}");
    }
    for (name, value) in document.as_object().expect("an object") {
        let addresses: Vec<&Value> = match value {
            Value::Object(aliases) => aliases.values().collect(),
            other => vec![other],
        };
        for address in addresses.into_iter().filter_map(Value::as_str) {
            if name.ends_with("_endpoint") || name.ends_with("_uri") || name.ends_with("_iframe") || name.ends_with("_aliases") {
                assert!(address.starts_with("https://login.example.com/"), "{name}: {address}");
            }
        }
    }
}

#[test]
fn response_types_have_code() {
    has("response_types_supported", &["code"]);
}

#[test]
fn subject_types_are_public_or_pairwise() {
    let list = list("subject_types_supported");
    assert!(!list.is_empty() && list.iter().all(|value| value == "public" || value == "pairwise"), "{list:?}");
}

#[test]
fn id_tokens_can_be_signed_with_rs256() {
    has("id_token_signing_alg_values_supported", &["RS256"]);
}

#[test]
fn grant_types_have_the_code() {
    has("grant_types_supported", &["authorization_code"]);
}

#[test]
fn scopes_have_openid_and_are_well_formed() {
    has("scopes_supported", &["openid"]);
    // RFC 6749 section 3.3.
    let fine = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    assert!(list("scopes_supported").iter().all(|scope| !scope.is_empty() && scope.bytes().all(fine)));
}

#[test]
fn claims_and_pkce_methods_are_lists() {
    has("claims_supported", &["sub"]);
    has("code_challenge_methods_supported", &["S256"]);
}

#[test]
fn what_is_optional_is_said_as_yes_or_no() {
    let document = answer().ok();
    for name in ["claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported"] {
        assert!(document[name].is_boolean(), "{name}: the default of request_uri_parameter_supported is true");
    }
    if document["request_parameter_supported"] == true {
        has("request_object_signing_alg_values_supported", &["RS256"]);
    }
    for name in ["ui_locales_supported", "claims_locales_supported"] {
        let tags = document[name].as_array().cloned().unwrap_or_default();
        assert!(tags.iter().all(|tag| tag.as_str().is_some_and(|tag| (2..=35).contains(&tag.len()))), "{name}: {tags:?}");
    }
}

#[test]
fn keys_are_public_whole_and_named_once() {
    let keys = server().get("/jwks.json").ok();
    let keys = keys["keys"].as_array().expect("keys");
    let mut kids: Vec<&str> = keys.iter().map(|key| key["kid"].as_str().expect("kid")).collect();
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key[private].is_null(), "{private} of {}", key["kid"]);
        }
        let needed: &[&str] = match key["kty"].as_str().expect("kty") {
            "RSA" => &["n", "e"],
            "EC" => &["crv", "x", "y"],
            "OKP" => &["crv", "x"],
            other => panic!("a key of kind {other}"),
        };
        assert!(needed.iter().all(|name| key[*name].as_str().is_some_and(|value| !value.is_empty())), "{key}");
    }
    kids.sort_unstable();
    kids.dedup();
    assert_eq!(kids.len(), keys.len());
}
