//! The allow-list under hostile metadata, and clients that nobody uses.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clients::metadata::tests::{any_json, known_scopes, sealing};
use crate::foundation::Clock;
use crate::outbound::Outbound;
use crate::storage::SharedStore;
use crate::storage::memory::Memory;

const NOW: u64 = 1_800_000_000;

fn directory() -> (Clients, Clock) {
    let clock = Clock::manual(NOW);
    let store: SharedStore = Arc::new(Memory::new(clock.clone()));
    (Clients::new(store, clock.clone(), Outbound::new(false), sealing(), &[], known_scopes()).unwrap(), clock)
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn app() -> Map<String, Value> {
    map(&json!({"redirect_uris": ["com.example.app:/cb"], "token_endpoint_auth_method": "none"}))
}

#[test]
fn every_member_is_listed_once() {
    for (n, name) in HONOURED.iter().enumerate() {
        assert!(!HONOURED[..n].contains(name), "{name}");
        assert!(!PRIVILEGES.contains(name) && !CHOSEN.contains(name), "{name}");
    }
}

#[test]
fn the_scope_that_nobody_names_is_within_the_list() {
    let (clients, _) = directory();
    let (scopes, grant_types) = (texts(&["openid", "email", "unknown"]), texts(&["authorization_code", "refresh_token"]));
    let prepared = clients
        .prepare(
            &app(),
            Allowed { scopes: &scopes, grant_types: &grant_types, issuers: &[], certificates: false, now: Timestamp(NOW) },
        )
        .unwrap();
    assert_eq!(prepared.client().scope.to_string(), "openid email");
}

#[tokio::test]
async fn a_client_that_nobody_keeps_is_gone_in_time() {
    let (clients, clock) = directory();
    let (scopes, grant_types) = (texts(&["openid"]), texts(&["authorization_code"]));
    let allowed = Allowed { scopes: &scopes, grant_types: &grant_types, issuers: &[], certificates: false, now: Timestamp(NOW) };
    let register = async || {
        let prepared = clients.prepare(&app(), allowed).unwrap();
        clients.register(prepared, Some(Timestamp(NOW + 60))).await.unwrap().added.client
    };
    let (unused, changed, kept) = (register().await, register().await, register().await);
    let mut metadata = app();
    metadata.insert("client_id".to_owned(), json!(changed.id));
    let change = clients.prepare_change(&changed, &metadata, allowed).unwrap();
    clients.change(&change).await.unwrap();
    clients.keep(&kept.id).await.unwrap();
    clients.keep("nobody").await.unwrap();
    assert_eq!(clients.find(&changed.id).await.unwrap().unwrap().unused_until, Some(Timestamp(NOW + 60)));
    clock.advance(Duration::from_secs(58));
    // In memory from now on, and longer than it lives.
    for client in [&unused, &changed, &kept] {
        assert!(clients.find(&client.id).await.unwrap().is_some());
    }
    clock.advance(Duration::from_secs(2));
    assert!(clients.find(&unused.id).await.unwrap().is_none());
    assert!(clients.find(&changed.id).await.unwrap().is_none(), "a change is no use");
    let found = clients.find(&kept.id).await.unwrap().unwrap();
    assert_eq!((found.unused_until, found.registration_token), (None, kept.registration_token));
    assert_eq!(clients.list().await.unwrap().len(), 1);
}

proptest! {
    #[test]
    fn no_metadata_at_all_becomes_a_privilege(members in prop::collection::btree_map(
        "(client_id|client_secret|jwks|grant_types|response_types|redirect_uris|scope|token_endpoint_auth_method|device_sso_family|\
         device_sso_sources|session_transfer|first_party|introspection|compat_device_token|allow_dotless_redirect_schemes|policy_uri|tos_uri#de|\
         default_max_age|default_acr_values|initiate_login_uri|client_name#[a-z]{0,3}|[a-z_]{1,6})",
        any_json(), 0..8), is_app: bool)
    {
        let (clients, _) = directory();
        let (scopes, grant_types) = (texts(&["openid", "email"]), texts(&["authorization_code", "refresh_token"]));
        let mut metadata = if is_app { app() } else { Map::new() };
        metadata.extend(members);
        match clients.prepare(&metadata, Allowed { scopes: &scopes, grant_types: &grant_types, issuers: &[], certificates: false, now: Timestamp(NOW) }) {
            Ok(prepared) => {
                let client = prepared.client();
                prop_assert!(!client.first_party && !client.introspection && !client.compat_device_token);
                prop_assert!(client.device_sso_family.is_none() && client.device_sso_sources.is_none());
                prop_assert!(!client.allow_dotless_redirect_schemes);
                prop_assert!(client.grant_types.iter().all(|grant| grant_types.contains(grant)));
                prop_assert!(client.scope.iter().all(|value| scopes.iter().any(|own| own == value)));
                let known = |name: &String| HONOURED.contains(&name.as_str()) || name == "introspection" || name.contains('#');
                prop_assert!(client.metadata.keys().all(known), "{:?}", client.metadata);
                for link in [&client.policy_uri, &client.tos_uri].into_iter().flatten() {
                    prop_assert!(link.starts_with("https:"));
                }
            }
            Err(ClientsError::Invalid(errors)) => {
                prop_assert!(!errors.is_empty());
                let told = crate::protocol::OAuthError::from(ClientsError::Invalid(errors));
                prop_assert!(told.description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
