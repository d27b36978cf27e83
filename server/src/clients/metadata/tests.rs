//! What registers, what is refused, and that every error comes at once.

#![expect(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::settings::meaning::AccessTokenFormat;
use crate::tokens;

/// The standard scope values and one of an API.
pub(crate) fn known_scopes() -> BTreeMap<String, ScopeMeaning> {
    [OPENID, "profile", "email", "address", "phone", OFFLINE_ACCESS, DEVICE_SSO, "read"]
        .into_iter()
        .map(|name| (name.to_owned(), ScopeMeaning::default()))
        .collect()
}

/// A key to seal with.
pub(crate) fn sealing() -> tokens::SealingKey {
    tokens::SealingKey::from_text(&Secret::new("5a".repeat(32))).unwrap()
}

/// A client made of valid metadata.
pub(crate) fn client(metadata: &Value) -> Client {
    register(metadata).unwrap().client
}

/// A public P-256 key, as a client would register it.
pub(crate) fn public_key() -> Value {
    json!({"kty": "EC", "crv": "P-256", "kid": "k1",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})
}

/// The fields of metadata that are refused, in order.
pub(crate) fn refusals(metadata: &Value) -> Vec<String> {
    register(metadata).map_or_else(|errors| errors.into_iter().map(|error| error.field).collect(), |_| Vec::new())
}

fn register(metadata: &Value) -> Result<Registration, Vec<MetadataError>> {
    Client::from_metadata(metadata.as_object().unwrap(), &known_scopes())
}

/// Valid metadata with members replaced.
fn with(more: &Value) -> Value {
    let mut out = json!({"client_id": "app", "redirect_uris": ["https://app.example.com/cb"], "scope": "openid"});
    out.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    out
}

/// The fields refused, in order.
fn refused(more: &Value) -> Vec<String> {
    refusals(&with(more))
}

#[test]
fn fills_in_the_defaults_of_rfc_7591() {
    let registration = register(&json!({"redirect_uris": ["https://app.example.com/cb"]})).unwrap();
    let client = registration.client;
    assert!(matches!(client.auth, ClientAuth::SecretBasic(_)));
    assert_eq!(client.grant_types, [AUTHORIZATION_CODE]);
    assert_eq!(client.response_types, ["code"]);
    assert_eq!(client.application_type, ApplicationType::Web);
    assert_eq!(client.scope.to_string(), "openid profile email address phone");
    assert!(client.require_pkce && !client.first_party && !client.compat_device_token && !client.introspection);
    assert_eq!(client.id.len(), 22, "128 bits were made");
    assert_eq!(client.name, client.id);
    let secret = registration.client_secret.unwrap();
    assert_eq!(secret.expose().len(), 43, "256 bits were made");
    assert_eq!(client.auth.secret(), Some(Digest::of(secret.expose())));
    assert_eq!(client.metadata["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(client.metadata["grant_types"], json!([AUTHORIZATION_CODE]));
}

#[test]
fn a_machine_client_needs_no_redirect_and_gets_no_scope_of_people() {
    let client = client(&json!({"client_id": "m", "grant_types": [CLIENT_CREDENTIALS]}));
    assert!(client.scope.is_empty() && client.response_types.is_empty() && client.redirect_uris.is_empty());
}

#[test]
fn the_default_scope_has_offline_access_with_the_refresh_grant() {
    let client = client(&json!({"redirect_uris": ["https://a.example/"], "grant_types": [AUTHORIZATION_CODE, REFRESH_TOKEN]}));
    assert_eq!(client.scope.to_string(), "openid profile email address phone offline_access");
}

#[test]
fn keeps_what_it_does_not_know_and_drops_secrets() {
    let metadata = with(&json!({
        "client_secret": "a secret of mine", "software_id": "s-1", "data": {"org_id": 7}, "client_name#ja": "アプリ",
        "client_secret_expires_at": 0, "registration_access_token": "t", "policy_uri": null,
    }));
    let registration = register(&metadata).unwrap();
    assert_eq!(registration.client_secret.unwrap().expose(), "a secret of mine");
    let client = registration.client;
    assert_eq!(client.metadata["data"]["org_id"], 7);
    assert_eq!(client.metadata["client_name#ja"], "アプリ");
    for gone in ["client_id", "client_secret", "client_secret_expires_at", "registration_access_token", "policy_uri"] {
        assert!(!client.metadata.contains_key(gone), "{gone}");
    }
    assert!(!format!("{client:?}").contains("a secret of mine"));
    // What `show` prints can be registered again.
    assert!(register(&Value::Object(client.to_json())).is_ok());
}

#[test]
fn reads_every_extension() {
    let client = client(&with(&json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [public_key()]}, "token_endpoint_auth_signing_alg": "ES256",
        "application_type": "native", "grant_types": [AUTHORIZATION_CODE, TOKEN_EXCHANGE], "scope": "openid device_sso read",
        "access_token_format": "opaque", "access_token_encrypted_response_alg": "ECDH-ES",
        "device_sso_family": "acme", "device_sso_sources": ["one", {"client_id": "two", "scope": "openid", "offline_access": false}],
        "compat_device_token": true, "first_party": true, "require_pkce": false, "introspection": true,
        "allow_dotless_redirect_schemes": true, "redirect_uris": ["appname://oauth/callback"],
        "post_logout_redirect_uris": ["appname://out"], "id_token_signed_response_alg": "ES256",
        "client_name": "App", "client_uri": "https://a.example/", "logo_uri": "https://a.example/l.png", "contacts": ["a@a.example"],
    })));
    assert_eq!(client.auth, ClientAuth::PrivateKeyJwt);
    assert_eq!(client.auth_signing_alg.as_deref(), Some("ES256"));
    assert_eq!(client.application_type, ApplicationType::Native);
    assert_eq!(client.access_token_format, Some(AccessTokenFormat::Opaque));
    assert_eq!(client.access_token_encryption.as_ref().map(|e| e.enc.as_str()), Some("A256GCM"));
    assert_eq!(client.device_sso_sources.as_ref().map(Vec::len), Some(2));
    assert_eq!(client.id_token_signed_response_alg, Some(SigningAlg::Es256));
    assert!(client.compat_device_token && client.first_party && !client.require_pkce && client.introspection);
    assert!(client.redirect_uri_matches("appname://oauth/callback"));
    assert!(!client.redirect_uri_matches("appname://oauth/callback/"));
    assert!(client.post_logout_redirect_uri_matches("appname://out"));
    assert!(!client.post_logout_redirect_uri_matches("appname://oauth/callback"));
    assert_eq!((client.name.as_str(), client.contacts.len()), ("App", 1));
}

#[test]
fn refuses_each_broken_member_by_name() {
    let rsa_needed = json!({"access_token_encrypted_response_alg": "RSA-OAEP-256", "jwks": {"keys": [public_key()]}});
    for (more, field) in [
        (json!({"client_id": "with space"}), "client_id"),
        (json!({"client_id": ""}), "client_id"),
        (json!({"client_id": 7}), "client_id"),
        (json!({"client_secret": "short"}), "client_secret"),
        (json!({"client_secret": "pässwörter"}), "client_secret"),
        (json!({"client_secret": ["a", "b"]}), "client_secret"),
        (json!({"token_endpoint_auth_method": "client_secret_jwt", "client_secret": "x".repeat(31)}), "client_secret"),
        (
            json!({"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "HS512",
                "client_secret": "x".repeat(63)}),
            "client_secret",
        ),
        (
            json!({"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "RS256"}),
            "token_endpoint_auth_signing_alg",
        ),
        (json!({"token_endpoint_auth_method": "tls_client_auth"}), "tls_client_auth_subject_dn"),
        (json!({"token_endpoint_auth_method": "none", "client_secret": "not needed here"}), "client_secret"),
        (json!({"token_endpoint_auth_method": "private_key_jwt"}), "jwks"),
        (json!({"token_endpoint_auth_signing_alg": "HS256"}), "token_endpoint_auth_signing_alg"),
        (json!({"jwks_uri": "http://a.example/jwks"}), "jwks_uri"),
        (json!({"jwks": {"keys": []}}), "jwks"),
        (json!({"jwks": [public_key()]}), "jwks"),
        (json!({"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}), "jwks.keys[0]"),
        (json!({"jwks": {"keys": [{"kty": "oct"}]}}), "jwks.keys[0]"),
        (
            json!({"jwks": {"keys": [public_key(), {"kty": "EC", "crv": "P-256", "x": "x", "y": "y", "d": "private"}]}}),
            "jwks.keys[1]",
        ),
        (json!({"jwks": {"keys": [{"kty": "RSA", "n": "AQAB"}]}}), "jwks.keys[0]"),
        (json!({"grant_types": ["implicit"]}), "grant_types"),
        (json!({"grant_types": []}), "grant_types"),
        (json!({"grant_types": "authorization_code"}), "grant_types"),
        (json!({"grant_types": [AUTHORIZATION_CODE, 1]}), "grant_types[1]"),
        (json!({"token_endpoint_auth_method": "none", "grant_types": [CLIENT_CREDENTIALS]}), "grant_types"),
        (json!({"response_types": ["code", "token"]}), "response_types"),
        (json!({"response_types": []}), "response_types"),
        (json!({"grant_types": [CLIENT_CREDENTIALS], "response_types": ["code"]}), "response_types"),
        (json!({"redirect_uris": []}), "redirect_uris"),
        (json!({"redirect_uris": null}), "redirect_uris"),
        (json!({"redirect_uris": ["https://a.example/", "appname://x"]}), "redirect_uris[1]"),
        (json!({"post_logout_redirect_uris": ["http://a.example/"]}), "post_logout_redirect_uris[0]"),
        (json!({"scope": "openid unheard"}), "scope"),
        (json!({"scope": "open\"id"}), "scope"),
        (json!({"scope": ["openid"]}), "scope"),
        (json!({"scope": "device_sso"}), "scope"),
        (json!({"application_type": "desktop"}), "application_type"),
        (json!({"require_pkce": "false"}), "require_pkce"),
        (json!({"token_endpoint_auth_method": "none", "require_pkce": false}), "require_pkce"),
        (json!({"token_endpoint_auth_method": "none", "introspection": true}), "introspection"),
        (json!({"id_token_signed_response_alg": "none"}), "id_token_signed_response_alg"),
        (json!({"id_token_signed_response_alg": "HS256"}), "id_token_signed_response_alg"),
        (json!({"id_token_encrypted_response_alg": "RSA-OAEP"}), "id_token_encrypted_response_alg"),
        (json!({"id_token_encrypted_response_alg": "ECDH-ES"}), "jwks"),
        (json!({"id_token_encrypted_response_enc": "A256GCM"}), "id_token_encrypted_response_enc"),
        (json!({"userinfo_signed_response_alg": "HS256"}), "userinfo_signed_response_alg"),
        (json!({"userinfo_encrypted_response_alg": "dir"}), "userinfo_encrypted_response_alg"),
        (json!({"introspection_signed_response_alg": 256}), "introspection_signed_response_alg"),
        (json!({"introspection_encrypted_response_alg": "RSA1_5"}), "introspection_encrypted_response_alg"),
        (json!({"subject_type": "unlinkable"}), "subject_type"),
        (json!({"access_token_format": "JWT"}), "access_token_format"),
        (json!({"access_token_encrypted_response_alg": "RSA-OAEP-256"}), "jwks"),
        (rsa_needed, "jwks"),
        (json!({"access_token_encrypted_response_enc": "A256GCM"}), "access_token_encrypted_response_enc"),
        (json!({"device_sso_family": ""}), "device_sso_family"),
        (json!({"device_sso_sources": ["a"]}), "device_sso_sources"),
        (json!({"device_sso_family": "f", "device_sso_sources": "a"}), "device_sso_sources"),
        (json!({"device_sso_family": "f", "device_sso_sources": ["a", "a"]}), "device_sso_sources[1]"),
        (json!({"device_sso_family": "f", "device_sso_sources": [{"scope": "openid"}]}), "device_sso_sources[0]"),
        (
            json!({"device_sso_family": "f", "device_sso_sources": [{"client_id": "a", "offline": false}]}),
            "device_sso_sources[0]",
        ),
        (
            json!({"device_sso_family": "f", "device_sso_sources": [{"client_id": "a", "scope": "x"}]}),
            "device_sso_sources[0].scope",
        ),
        (json!({"compat_device_token": 1}), "compat_device_token"),
        (json!({"first_party": "yes"}), "first_party"),
        (json!({"client_name": "a\nb"}), "client_name"),
        (json!({"client_uri": "javascript:alert(1)"}), "client_uri"),
        (json!({"logo_uri": "/logo.png"}), "logo_uri"),
        (json!({"contacts": [1]}), "contacts[0]"),
    ] {
        assert_eq!(refused(&more), [field], "{more}");
    }
}

#[test]
fn reports_everything_at_once_and_never_a_secret() {
    let errors = register(&json!({
        "client_secret": "hunt\u{e9}r2", "grant_types": ["password"], "redirect_uris": ["https://u:hunter3@a.example/"], "scope": "nope",
        "jwks": {"keys": [{"kty": "RSA", "n": "n", "e": "e", "d": "hunter4"}]}, "first_party": 3,
    }))
    .unwrap_err();
    assert_eq!(errors.len(), 6, "{errors:#?}");
    let text: String = errors.iter().map(ToString::to_string).collect();
    assert!(!text.contains("hunt") && errors.iter().all(|error| !error.remedy.is_empty()));
    assert_eq!(errors.iter().filter(|error| error.code() == crate::protocol::ErrorCode::InvalidRedirectUri).count(), 1);
}

#[test]
fn limits_size_and_depth() {
    assert_eq!(refused(&json!({"big": "x".repeat(70_000)})), ["metadata"]);
    let mut deep = json!(1);
    for _ in 0..15 {
        deep = json!([deep]);
    }
    assert!(refused(&json!({ "deep": deep })).is_empty());
    assert_eq!(refused(&json!({ "deep": [deep] })), ["metadata"]);
}

#[test]
fn custom_schemes_are_for_confidential_clients_too() {
    assert!(refused(&json!({"redirect_uris": ["com.example.app:/cb"], "application_type": "web"})).is_empty());
}

/// JSON of any shape, with the words of metadata in it.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z:/._ ]{0,12}".prop_map(Value::from),
        Just(json!("none")),
        Just(json!("openid")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("(keys|kty|client_id|scope|[a-z]{1,4})", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_is_read_or_refused(members in prop::collection::btree_map(
        "(client_id|client_secret|jwks|grant_types|response_types|redirect_uris|scope|token_endpoint_auth_method|device_sso_family|device_sso_sources|contacts|require_pkce)",
        any_json(), 0..8))
    {
        let map = json!(members);
        match register(&map) {
            Ok(registration) => {
                let client = registration.client;
                prop_assert!(!client.is_public() || (client.require_pkce && !client.allows_grant(CLIENT_CREDENTIALS)));
                prop_assert!(client.redirect_uris.len() + usize::from(!client.allows_grant(AUTHORIZATION_CODE)) > 0);
                prop_assert!(client.jwks.is_none_or(|jwks| !jwks.to_string().contains("\"d\"")));
            }
            Err(errors) => prop_assert!(!errors.is_empty()),
        }
    }
}

#[test]
fn the_reference_names_every_algorithm_of_encryption() {
    let page = crate::settings::reference();
    for name in tokens::jwe::ALGS.iter().chain(&tokens::jwe::ENCS) {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}
