//! Discovery: both documents, complete and true.

use serde_json::Value;

use crate::harness::server::http;
use crate::harness::{Server, TOKEN_EXCHANGE, shared};

fn list<'a>(document: &'a Value, name: &str) -> Vec<&'a str> {
    let list = document[name].as_array().unwrap_or_else(|| panic!("no list {name}: {document}"));
    list.iter().map(|value| value.as_str().expect("a list of text")).collect()
}

#[track_caller]
fn check(server: &Server, document: &Value) {
    assert_eq!(document["issuer"], server.issuer.as_str());
    for (name, path) in [
        ("authorization_endpoint", "/authorize"),
        ("token_endpoint", "/token"),
        ("userinfo_endpoint", "/userinfo"),
        ("jwks_uri", "/jwks.json"),
        ("introspection_endpoint", "/introspect"),
        ("revocation_endpoint", "/revoke"),
        ("end_session_endpoint", "/logout"),
    ] {
        assert_eq!(document[name], server.url(path).as_str(), "{name}");
    }
    assert_eq!(list(document, "response_types_supported"), ["code"]);
    assert_eq!(list(document, "code_challenge_methods_supported"), ["S256"]);
    assert_eq!(document["authorization_response_iss_parameter_supported"], true, "RFC 9207");
    for grant in ["authorization_code", "refresh_token", "client_credentials", TOKEN_EXCHANGE] {
        assert!(list(document, "grant_types_supported").contains(&grant), "{grant}");
    }
    for method in ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"] {
        assert!(list(document, "token_endpoint_auth_methods_supported").contains(&method), "{method}");
    }
    for scope in ["openid", "profile", "email", "offline_access", "device_sso"] {
        assert!(list(document, "scopes_supported").contains(&scope), "{scope}");
    }
    for claim in ["sub", "sid", "ds_hash", "auth_time", "acr", "email"] {
        assert!(list(document, "claims_supported").contains(&claim), "{claim}");
    }
    assert_eq!(list(document, "subject_types_supported"), ["public", "pairwise"]);
    for alg in ["RS256", "ES256", "PS256", "EdDSA"] {
        assert!(list(document, "id_token_signing_alg_values_supported").contains(&alg), "{alg}");
    }
    for name in ["id_token", "userinfo", "introspection"] {
        let signing = list(document, &format!("{name}_signing_alg_values_supported"));
        assert!(signing.contains(&"RS256") && !signing.contains(&"none"), "{name}: {signing:?}");
        assert!(list(document, &format!("{name}_encryption_alg_values_supported")).contains(&"RSA-OAEP-256"), "{name}");
        assert!(list(document, &format!("{name}_encryption_enc_values_supported")).contains(&"A256GCM"), "{name}");
    }
    assert_eq!(document["native_sso_supported"], true);
}

#[test]
fn both_documents_name_every_endpoint() {
    let server = shared::usual();
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let answer = server.get(path);
        assert!(answer.header("content-type").is_some_and(|value| value.starts_with("application/json")));
        check(server, &answer.ok());
    }
}

#[test]
fn an_issuer_with_a_path_has_everything_below_it() {
    let server = shared::below_a_path();
    check(server, &server.get("/.well-known/openid-configuration").ok());
    assert_eq!(server.get("/healthz").status, 200);
    assert!(!server.keys().keys.is_empty());
}

#[test]
fn rfc_8414_puts_the_path_of_the_issuer_behind_the_well_known_part() {
    let server = shared::below_a_path();
    let (origin, path) = server.issuer.split_at(server.issuer.find("/tenant").expect("a path"));
    let url = format!("{origin}/.well-known/oauth-authorization-server{path}");
    check(server, &Server::send(http().get(url)).ok());
}

#[test]
fn without_an_enabled_handler_native_sso_is_not_promised() {
    let document = shared::without_handler().get("/.well-known/openid-configuration").ok();
    assert_eq!(document["native_sso_supported"], false);
}

#[test]
fn the_endpoints_named_are_there() {
    let server = shared::usual();
    let document = server.get("/.well-known/openid-configuration").ok();
    for (name, value) in document.as_object().expect("an object") {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let answer = Server::send(http().get(value.as_str().expect("a URL")));
            assert_ne!(answer.status, 404, "{name} {value}");
            assert!(answer.status < 500, "{name}: {}", answer.body);
        }
    }
}

#[test]
fn metrics_count_without_naming_anybody() {
    let server = shared::usual();
    let person = server.person();
    let device = server.sign_in(crate::harness::cast::ONE, &person, "openid offline_access device_sso");
    server.exchange(crate::harness::cast::TWO, &device, "openid").ok();
    let answer = server.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.body.lines().any(|line| line.starts_with("# TYPE ")), "{}", answer.body);
    let sub = crate::harness::jwt::claims(device.id())["sub"].as_str().expect("sub").to_owned();
    for word in [&person.name, &sub, device.secret(), device.refresh()] {
        assert!(!answer.body.contains(word), "{word}");
    }
}

#[test]
fn health_and_readiness() {
    let server = shared::usual();
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(server.get("/nowhere").status, 404);
    for path in ["/healthz", "/readyz", "/metrics"] {
        let (get, head) = (server.get(path), Server::send(http().head(server.url(path))));
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = Server::send(http().request(method.parse().expect("a method"), server.url(path)));
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method} {path}");
        }
    }
    assert!(server.log().contains(&format!("listening on http://{} issuer {}", &server.issuer[7..], server.issuer)));
}
