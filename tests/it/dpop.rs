//! `DPoP` (RFC 9449): tokens that only the holder of a key may use.

use serde_json::{Value, json};

use crate::harness::app::now;
use crate::harness::cast::{BACKEND, BACKEND_JWT, ONE, OPAQUE, SERVICE};
use crate::harness::dpop::DeviceKey;
use crate::harness::person::unique;
use crate::harness::{Authorization, Browser, Client, Form, Server, Setup, Tokens, jwt, shared};

const SCOPE: &str = "openid profile offline_access";

/// A code for that client and the form that redeems it.
fn code(server: &Server, client: Client, dpop_jkt: Option<&str>) -> Form {
    let mut request = Authorization::new(client, SCOPE);
    if let Some(jkt) = dpop_jkt {
        request = request.set("dpop_jkt", jkt);
    }
    let code = Browser::new().authorize(server, &request, &server.person()).code();
    request.redeem(&code)
}

fn service() -> Form {
    Form::of(&[("grant_type", "client_credentials"), ("scope", "read")])
}

#[test]
fn tokens_are_bound_to_the_key_that_was_proven() {
    let server = shared::usual();
    let key = DeviceKey::new();
    for client in [ONE, OPAQUE] {
        let tokens = Tokens(server.token_by(&key, client, code(server, client, None)).ok());
        assert_eq!(tokens.get("token_type"), "DPoP");
        let seen = server.introspect(tokens.access());
        assert_eq!((&seen["cnf"]["jkt"], &seen["token_type"]), (&json!(key.thumbprint), &json!("DPoP")));
        let info = server.userinfo_with(&[&key.for_userinfo(server, tokens.access())], tokens.access());
        assert_eq!(info.ok()["name"], "Ada Example");
        assert!(jwt::claims(tokens.id())["cnf"].is_null(), "an ID token is for the client, whoever it is");
    }
}

#[test]
fn without_a_proof_nothing_is_bound() {
    let server = shared::usual();
    let tokens = server.sign_in(ONE, &server.person(), SCOPE);
    assert_eq!(tokens.get("token_type"), "Bearer");
    assert!(jwt::claims(tokens.access())["cnf"].is_null());
    assert_eq!(server.introspect(tokens.access())["token_type"], "Bearer");
    assert!(server.introspect(tokens.refresh())["cnf"].is_null());
    let key = DeviceKey::new();
    // Its holder must not think that it is bound.
    let answer = server.userinfo_with(&[&key.for_userinfo(server, tokens.access())], tokens.access());
    answer.refused(401, "invalid_token");
    server.userinfo(tokens.access()).ok();
}

#[test]
fn a_bound_token_is_no_bearer_token() {
    let server = shared::usual();
    let key = DeviceKey::new();
    let tokens = Tokens(server.token_by(&key, ONE, code(server, ONE, None)).ok());
    let answer = server.userinfo(tokens.access());
    answer.refused(401, "invalid_token");
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("DPoP ") && challenge.contains("algs=\"") && challenge.contains("ES256"), "{challenge}");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    let form = Form::of(&[("access_token", tokens.access())]);
    server.post_as(SERVICE, "/userinfo", form).refused(401, "invalid_token");
    let bare = server.get("/userinfo");
    assert_eq!(bare.status, 401);
    let challenges: Vec<&str> = bare.headers("www-authenticate").collect();
    assert!(challenges.len() == 2 && challenges[0].starts_with("Bearer") && challenges[1].starts_with("DPoP"), "{challenges:?}");
}

#[test]
fn a_proof_at_userinfo_is_for_this_token_this_request_and_once() {
    let server = shared::usual();
    let (key, other) = (DeviceKey::new(), DeviceKey::new());
    let tokens = Tokens(server.token_by(&key, ONE, code(server, ONE, None)).ok());
    let token = tokens.access();
    let url = format!("{}/userinfo", server.issuer);
    let parts = || key.parts("GET", &url).with_token(token);
    for wrong in [
        parts().claim("ath", Value::Null),
        parts().with_token(tokens.id()),
        parts().claim("htm", "POST"),
        parts().claim("htu", format!("{}/token", server.issuer)),
        parts().claim("iat", now() - 3600),
        parts().head("typ", "at+jwt"),
    ] {
        let answer = server.userinfo_with(&[&key.sign(&wrong)], token);
        answer.refused(401, "invalid_dpop_proof");
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("DPoP ") && challenge.contains("error=\"invalid_dpop_proof\""), "{challenge}");
    }
    server.userinfo_with(&[], token).refused(401, "invalid_dpop_proof");
    let two = [key.sign(&parts()), key.sign(&parts())];
    server.userinfo_with(&[&two[0], &two[1]], token).refused(401, "invalid_dpop_proof");
    server.userinfo_with(&[&other.for_userinfo(server, token)], token).refused(401, "invalid_token");
    let proof = key.sign(&parts());
    server.userinfo_with(&[&proof], token).ok();
    server.userinfo_with(&[&proof], token).refused(401, "invalid_dpop_proof");
    // Query and fragment of an address do not count.
    server.userinfo_with(&[&key.sign(&parts().claim("htu", format!("{url}?a=b#c")))], token).ok();
}

#[test]
fn a_wrong_proof_is_refused_and_uses_nothing_up() {
    let server = shared::usual();
    let key = DeviceKey::new();
    let url = format!("{}/token", server.issuer);
    let parts = || key.parts("POST", &url);
    let form = code(server, ONE, None);
    let mut private = key.jwk.clone();
    private["d"] = key.private_member().into();
    let unsigned = format!("{}.", parts().head("alg", "none").message());
    let wrong = [
        key.sign(&parts().head("typ", "JWT")),
        key.sign(&parts().head("typ", Value::Null)),
        key.sign(&parts().head("alg", "none")),
        unsigned,
        key.sign(&parts().head("alg", "HS256")),
        key.sign(&parts().head("alg", "HS256").head("jwk", json!({ "kty": "oct", "k": "AAAA" }))),
        key.sign(&parts().head("jwk", private)),
        key.sign(&parts().head("jwk", Value::Null)),
        key.sign(&parts().head("jwk", DeviceKey::new().jwk)),
        key.sign(&parts().head("crit", json!(["exp"]))),
        key.sign(&parts().claim("htm", "GET")),
        key.sign(&parts().claim("htm", "post")),
        key.sign(&parts().claim("htu", format!("{url}/"))),
        key.sign(&parts().claim("htu", format!("{}/userinfo", server.issuer))),
        key.sign(&parts().claim("htu", "https://elsewhere.example/token")),
        key.sign(&parts().claim("htu", Value::Null)),
        key.sign(&parts().claim("jti", Value::Null)),
        key.sign(&parts().claim("jti", "")),
        key.sign(&parts().claim("iat", now() - 301)),
        key.sign(&parts().claim("iat", now() + 120)),
        key.sign(&parts().claim("iat", Value::Null)),
        "not.a.proof".to_owned(),
        String::new(),
    ];
    for proof in &wrong {
        server.token_with(&[proof], ONE, form.clone()).refused(400, "invalid_dpop_proof");
    }
    let two = [key.for_token(server), key.for_token(server)];
    server.token_with(&[&two[0], &two[1]], ONE, form.clone()).refused(400, "invalid_dpop_proof");
    server.token_by(&key, ONE, form).ok();
}

#[test]
fn a_proof_is_good_for_one_request() {
    let server = shared::usual();
    let key = DeviceKey::new();
    let proof = key.for_token(server);
    server.token_with(&[&proof], SERVICE, service()).ok();
    let body = server.token_with(&[&proof], SERVICE, service()).refused(400, "invalid_dpop_proof");
    assert!(body["error_description"].as_str().is_some_and(|text| text.contains("used before")), "{body}");
    // The same name in another claim set is the same proof; by another key it is another.
    let url = format!("{}/token", server.issuer);
    let named = |key: &DeviceKey, jti: &str, iat: u64| key.sign(&key.parts("POST", &url).claim("jti", jti).claim("iat", iat));
    let jti = unique("jti");
    server.token_with(&[&named(&key, &jti, now())], SERVICE, service()).ok();
    server.token_with(&[&named(&key, &jti, now() - 5)], SERVICE, service()).refused(400, "invalid_dpop_proof");
    server.token_with(&[&named(&DeviceKey::new(), &jti, now())], SERVICE, service()).ok();
}

#[test]
fn a_replay_is_remembered_across_a_restart_and_noted() {
    let server = Setup::new().set("telemetry.format", "json").start();
    let key = DeviceKey::new();
    let proof = key.for_token(&server);
    server.token_with(&[&proof], SERVICE, service()).ok();
    server.kill();
    server.start_again();
    server.token_with(&[&proof], SERVICE, service()).refused(400, "invalid_dpop_proof");
    server.trail().one("CL5003", &[("client_id", SERVICE.id), ("outcome", "refused")]);
    assert!(!server.log().contains(&proof), "a proof is no secret, but nothing is gained by logging it");
}

#[test]
fn the_refresh_token_of_a_public_client_is_bound_too() {
    let server = shared::usual();
    let (key, other) = (DeviceKey::new(), DeviceKey::new());
    let tokens = Tokens(server.token_by(&key, ONE, code(server, ONE, None)).ok());
    assert_eq!(server.introspect(tokens.refresh())["cnf"]["jkt"], json!(key.thumbprint));
    server.refresh(ONE, tokens.refresh()).refused(400, "invalid_grant");
    server.refresh_by(&other, ONE, tokens.refresh()).refused(400, "invalid_grant");
    let rotated = Tokens(server.refresh_by(&key, ONE, tokens.refresh()).ok());
    assert_eq!(rotated.get("token_type"), "DPoP");
    assert_eq!(server.introspect(rotated.access())["cnf"]["jkt"], json!(key.thumbprint));
    let last = Tokens(server.refresh_by(&key, ONE, rotated.refresh()).ok());
    // Who has an old token and not the key cannot even end the grant.
    server.refresh(ONE, tokens.refresh()).refused(400, "invalid_grant");
    server.refresh_by(&other, ONE, tokens.refresh()).refused(400, "invalid_grant");
    let last = Tokens(server.refresh_by(&key, ONE, last.refresh()).ok());
    // Its holder's replay still does.
    server.refresh_by(&key, ONE, tokens.refresh()).refused(400, "invalid_grant");
    server.refresh_by(&key, ONE, last.refresh()).refused(400, "invalid_grant");
}

#[test]
fn the_refresh_token_of_a_confidential_client_is_bound_to_its_client() {
    let server = shared::usual();
    let (key, other) = (DeviceKey::new(), DeviceKey::new());
    for client in [BACKEND, BACKEND_JWT] {
        let tokens = Tokens(server.token_by(&key, client, code(server, client, None)).ok());
        assert_eq!(tokens.get("token_type"), "DPoP");
        assert!(server.introspect(tokens.refresh())["cnf"].is_null());
        let rotated = Tokens(server.refresh_by(&other, client, tokens.refresh()).ok());
        assert_eq!(server.introspect(rotated.access())["cnf"]["jkt"], json!(other.thumbprint));
        let plain = Tokens(server.refresh(client, rotated.refresh()).ok());
        assert_eq!(plain.get("token_type"), "Bearer");
    }
}

#[test]
fn a_code_may_be_bound_to_a_key() {
    let server = shared::usual();
    let (key, other) = (DeviceKey::new(), DeviceKey::new());
    let form = code(server, ONE, Some(&key.thumbprint));
    server.token(ONE, form.clone()).refused(400, "invalid_dpop_proof");
    server.token_by(&other, ONE, form.clone()).refused(400, "invalid_grant");
    let tokens = Tokens(server.token_by(&key, ONE, form).ok());
    assert_eq!(tokens.get("token_type"), "DPoP");
    for wrong in ["x", &key.thumbprint[1..], &format!("{}A", key.thumbprint), "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"] {
        let request = Authorization::new(ONE, SCOPE).set("dpop_jkt", wrong);
        assert_eq!(Browser::new().ask(server, &request).error(&request, server), "invalid_request", "{wrong}");
    }
}

#[test]
fn a_client_may_be_registered_for_bound_tokens_only() {
    let server = Setup::new().client(SERVICE.id, "dpop_bound_access_tokens", true).start();
    let key = DeviceKey::new();
    let body = server.token(SERVICE, service()).refused(400, "invalid_dpop_proof");
    assert!(body["error_description"].as_str().is_some_and(|text| text.contains("dpop_bound_access_tokens")), "{body}");
    let tokens = Tokens(server.token_by(&key, SERVICE, service()).ok());
    assert_eq!(tokens.get("token_type"), "DPoP");
    assert_eq!(jwt::claims(tokens.access())["cnf"], json!({ "jkt": key.thumbprint }));
}

#[test]
fn a_nonce_may_be_required() {
    let server = Setup::new().set("tokens", json!({ "dpop": { "nonce": "required", "nonce_lifetime": "2s" } })).start();
    let key = DeviceKey::new();
    let url = format!("{}/token", server.issuer);
    let by = |nonce: &str, iat: u64| key.sign(&key.parts("POST", &url).claim("nonce", nonce).claim("iat", iat));
    let refused = server.token_by(&key, SERVICE, service());
    refused.refused(400, "use_dpop_nonce");
    let nonce = refused.header("dpop-nonce").expect("a nonce").to_owned();
    // A nonce tells when the proof was made, so the clock of the device does not matter; it is used once all the same.
    let proof = by(&nonce, 1_000_000_000);
    let answer = server.token_with(&[&proof], SERVICE, service());
    let tokens = Tokens(answer.ok());
    assert!(answer.header("dpop-nonce").is_some(), "the next nonce comes with the answer");
    server.token_with(&[&proof], SERVICE, service()).refused(400, "invalid_dpop_proof");
    server.token_with(&[&by(&format!("{nonce}A"), now())], SERVICE, service()).refused(400, "use_dpop_nonce");
    std::thread::sleep(std::time::Duration::from_secs(5));
    let old = server.token_with(&[&by(&nonce, now())], SERVICE, service());
    old.refused(400, "use_dpop_nonce");
    assert_ne!(old.header("dpop-nonce"), Some(nonce.as_str()));
    // Bearer tokens need none, and nobody is told one who does not ask.
    let plain = server.token(SERVICE, service());
    plain.ok();
    assert_eq!(plain.header("dpop-nonce"), None);
    // A resource challenges for it.
    let at_resource = server.userinfo_with(&[&key.for_userinfo(&server, tokens.access())], tokens.access());
    at_resource.refused(401, "use_dpop_nonce");
    assert!(at_resource.header("dpop-nonce").is_some());
    assert!(at_resource.header("www-authenticate").is_some_and(|challenge| challenge.contains("error=\"use_dpop_nonce\"")));
}

#[test]
fn discovery_says_which_algorithms_prove() {
    let document = shared::usual().get("/.well-known/openid-configuration").ok();
    let algs = document["dpop_signing_alg_values_supported"].as_array().expect("algorithms");
    assert!(algs.contains(&"ES256".into()) && algs.contains(&"EdDSA".into()));
    assert!(!algs.iter().any(|alg| alg.as_str().is_none_or(|alg| alg == "none" || alg.starts_with("HS"))));
}
