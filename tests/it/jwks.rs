//! The published keys: enough to verify everything, and nothing private.

use serde_json::Value;

use crate::harness::cast::{BY_ALG, ONE};
use crate::harness::jwt;
use crate::harness::shared;

#[test]
fn keys_are_public_named_and_typed() {
    let answer = shared::usual().get("/jwks.json");
    let document = answer.ok();
    let keys = document["keys"].as_array().expect("keys");
    assert!(!keys.is_empty());
    let mut names: Vec<&str> = keys.iter().map(|key| key["kid"].as_str().expect("a kid")).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), keys.len(), "kids are unique");
    for key in keys {
        for name in ["kty", "kid", "alg", "use"] {
            assert!(key[name].is_string(), "{name}: {key}");
        }
        assert_eq!(key["use"], "sig");
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert_eq!(key[private], Value::Null, "a private part is published");
        }
    }
}

#[test]
fn a_default_id_token_is_rs256_by_a_published_key() {
    let server = shared::usual();
    let tokens = server.device(ONE);
    let (header, claims) = server.verified(tokens.id());
    assert_eq!(jwt::header(tokens.id())["alg"], "RS256");
    assert!(header.kid.is_some());
    assert_eq!(claims["iss"], server.issuer.as_str());
}

#[test]
fn each_client_gets_the_algorithm_it_registered() {
    let server = shared::usual();
    for (alg, client) in BY_ALG {
        let tokens = server.sign_in(client, &server.person(), "openid");
        assert_eq!(jwt::header(tokens.id())["alg"], alg);
        server.verified(tokens.id());
    }
}

#[test]
fn caches_may_keep_the_keys_for_a_while() {
    let answer = shared::usual().get("/jwks.json");
    assert!(answer.header("content-type").is_some_and(|value| value.contains("json")));
    assert!(!answer.header("cache-control").unwrap_or_default().contains("no-store"));
}
