//! Consents of before and of now, and the list of them, over a store in memory.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::accounts::{PasswordPolicy, People, Throttle, ThrottleLimits};
use crate::clients::Clients;
use crate::foundation::{Clock, Secret};
use crate::grants::Outside;
use crate::issuance::{Handlers, Issuer};
use crate::network::Networks;
use crate::outbound::Outbound;
use crate::settings::Settings;
use crate::settings::meaning::FileClient;
use crate::storage::SharedStore;
use crate::storage::memory::Memory;
use crate::tokens::keys::{KeyPolicy, SigningKeys};
use crate::tokens::sealing::SealingKey;

const NOW: u64 = 1_800_000_000;

async fn engine() -> Arc<Engine> {
    let mut settings = Settings::built_in();
    let Value::Object(metadata) = json!({ "client_id": "app", "token_endpoint_auth_method": "none", "redirect_uris": ["https://app.example.com/"], "client_name": "App" })
    else {
        unreachable!("it is an object")
    };
    settings.clients = vec![FileClient { metadata, place: "here".to_owned() }];
    settings.sign_in.password_memory_kib = 8;
    settings.sign_in.password_iterations = 1;
    let (settings, clock) = (Arc::new(settings), Clock::manual(NOW));
    let store: SharedStore = Arc::new(Memory::new(clock.clone()));
    let sealing = SealingKey::from_text(&Secret::new("07".repeat(32))).unwrap();
    let policy = KeyPolicy { publish_before_use: settings.tokens.key_publish_before_use, rotate_every: None, verify_for: None };
    let keys = SigningKeys::open(Arc::clone(&store), clock.clone(), sealing.clone(), policy).await.unwrap();
    let outbound = Outbound::new(false);
    let (own, scopes) = (&settings.clients, settings.scopes.clone());
    let clients = Clients::new(Arc::clone(&store), clock.clone(), outbound.clone(), sealing, own, scopes).unwrap();
    let people = People::new(Arc::clone(&store), clock.clone(), PasswordPolicy::from(&settings.sign_in)).unwrap();
    let throttle = Throttle::new(ThrottleLimits::from(&settings.sign_in));
    let outside = Outside { outbound, networks: Networks::none(&settings.network) };
    let issuer = Issuer::new(settings, clock, store, keys, people, clients.keys().clone());
    Engine::new(issuer, clients, Handlers::none(), throttle, outside)
}

fn request(scope: &str) -> AuthorizationRequest {
    AuthorizationRequest { scope: Scope::parse(scope).unwrap(), ..AuthorizationRequest::default() }
}

/// What the release before wrote.
async fn written_before(engine: &Engine, client_id: &str) {
    let record = json!({ "v": 1, "scope": "openid profile", "given": NOW - 1 }).to_string();
    assert!(engine.store().insert(key("ada", client_id), record.into_bytes(), None).await.unwrap());
}

#[tokio::test]
async fn a_consent_of_an_earlier_release_holds_and_is_listed_once_it_is_used() {
    let engine = engine().await;
    let app = engine.clients().find("app").await.unwrap().unwrap();
    written_before(&engine, "app").await;
    assert!(engine.consented_clients("ada").await.unwrap().is_empty());
    assert!(engine.has_agreed("ada", &app, &Scope::parse("openid").unwrap()).await.unwrap());
    assert!(engine.needs_consent("ada", &app, &request("openid email")).await.unwrap());
    assert!(!engine.needs_consent("ada", &app, &request("openid")).await.unwrap());
    assert_eq!(engine.consented_clients("ada").await.unwrap(), ["app"]);
    let consent = engine.consent("ada", &app).await.unwrap().unwrap();
    assert_eq!((consent.given, consent.scope.to_string().as_str()), (Timestamp(NOW - 1), "openid profile"));
    assert_eq!(engine.consents_of("ada").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_consent_of_an_earlier_release_names_no_api() {
    let engine = engine().await;
    let app = engine.clients().find("app").await.unwrap().unwrap();
    written_before(&engine, "app").await;
    let of_api = |api: &str| AuthorizationRequest { resources: vec![api.to_owned()], ..request("openid") };
    assert!(!engine.needs_consent("ada", &app, &request("openid")).await.unwrap());
    assert!(engine.needs_consent("ada", &app, &of_api("https://one.example")).await.unwrap());
    engine.remember_consent("ada", &app, &of_api("https://one.example")).await.unwrap();
    engine.remember_consent("ada", &app, &request("openid email")).await.unwrap();
    assert!(!engine.needs_consent("ada", &app, &of_api("https://one.example")).await.unwrap(), "kept beside what is added");
    assert!(engine.needs_consent("ada", &app, &of_api("https://two.example")).await.unwrap());
}

#[tokio::test]
async fn a_consent_of_an_earlier_release_is_revoked_by_name() {
    let engine = engine().await;
    written_before(&engine, "app").await;
    assert!(engine.revoke_consent("ada", "app").await.unwrap().unwrap().consent);
    assert!(engine.revoke_consent("ada", "app").await.unwrap().is_none());
    for nobody in ["", "no\0body", "no body", &"x".repeat(300)] {
        assert!(engine.revoke_consent("ada", nobody).await.unwrap().is_none(), "{nobody:?}");
    }
}

#[tokio::test]
async fn an_entry_without_a_consent_is_pruned_and_one_with_it_stays() {
    let engine = engine().await;
    let app = engine.clients().find("app").await.unwrap().unwrap();
    engine.store().index_add(list("ada"), b"gone".to_vec(), None).await.unwrap();
    engine.remember_consent("ada", &app, &request("openid")).await.unwrap();
    assert_eq!(engine.consented_clients("ada").await.unwrap(), ["app"]);
    assert_eq!(engine.store().index_list(&list("ada")).await.unwrap(), [b"app".to_vec()]);
    // Whoever prunes while the consent is being given puts the entry back.
    engine.prune_consent("ada", "app").await.unwrap();
    assert_eq!(engine.consented_clients("ada").await.unwrap(), ["app"]);
    engine.forget_consents("ada").await.unwrap();
    assert!(engine.store().index_list(&list("ada")).await.unwrap().is_empty());
    assert!(engine.consent("ada", &app).await.unwrap().is_none());
}
