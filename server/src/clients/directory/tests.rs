//! Finding, caching, changing and refusing, over the memory store.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use super::*;
use crate::clients::client::ClientAuth;
use crate::clients::metadata::tests::{known_scopes, sealing};
use crate::foundation::{Digest, Timestamp};
use crate::outbound::Outbound;
use crate::protocol::OAuthError;
use crate::storage::memory::Memory;

const NOW: u64 = 1_800_000_000;

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn app(id: &str) -> Map<String, Value> {
    map(&json!({"client_id": id, "redirect_uris": ["https://a.example/"], "scope": "openid"}))
}

fn entry(line: usize, metadata: &Value) -> FileClient {
    FileClient { metadata: map(metadata), place: format!("symbolon.toml:{line}") }
}

fn directory(file: &[FileClient]) -> (Clients, Clock, SharedStore) {
    let clock = Clock::manual(NOW);
    let store: SharedStore = Arc::new(Memory::new(clock.clone()));
    (Clients::new(Arc::clone(&store), clock.clone(), Outbound::new(true), sealing(), file, known_scopes()).unwrap(), clock, store)
}

/// A second server on the same store.
fn neighbour(clock: &Clock, store: &SharedStore) -> Clients {
    Clients::new(Arc::clone(store), clock.clone(), Outbound::new(true), sealing(), &[], known_scopes()).unwrap()
}

#[tokio::test]
async fn what_was_added_is_found_and_listed() {
    let (clients, clock, store) = directory(&[]);
    let added = clients.add(&app("a")).await.unwrap();
    let json = added.to_json();
    assert_eq!((json["client_id"].clone(), json["client_id_issued_at"].clone()), (json!("a"), json!(NOW)));
    assert_eq!(json["client_secret"].as_str().unwrap().len(), 43);
    assert_eq!(json["client_secret_expires_at"], 0);
    for clients in [&clients, &neighbour(&clock, &store)] {
        let found = clients.find("a").await.unwrap().unwrap();
        assert_eq!(found.auth.secret(), Some(Digest::of(json["client_secret"].as_str().unwrap())));
        assert_eq!(found.issued_at, Some(Timestamp(NOW)));
        assert!(!found.to_json().contains_key("client_secret"));
        assert_eq!(clients.list().await.unwrap().len(), 1);
    }
    assert!(clients.find("b").await.unwrap().is_none());
    assert!(clients.find(&"x".repeat(100_000)).await.unwrap().is_none());
    assert!(matches!(clients.show("b").await, Err(ClientsError::Unknown(_))));
}

#[tokio::test]
async fn ids_are_unique() {
    let (clients, ..) = directory(&[entry(
        3,
        &json!({"client_id": "f", "token_endpoint_auth_method": "none", "redirect_uris": ["https://a.example/"]}),
    )]);
    let secret = clients.add(&app("a")).await.unwrap().client.auth.secret();
    assert!(matches!(clients.add(&app("a")).await, Err(ClientsError::Duplicate(id)) if id == "a"));
    assert!(matches!(clients.add(&app("f")).await, Err(ClientsError::Duplicate(id)) if id == "f"));
    assert_eq!(clients.find("a").await.unwrap().unwrap().auth.secret(), secret, "the first one stands");
    assert_eq!(clients.list().await.unwrap().len(), 2);
    assert!(
        matches!(clients.add(&map(&json!({"scope": "nope"}))).await, Err(ClientsError::Invalid(errors)) if errors.len() == 2)
    );
}

#[tokio::test]
async fn a_change_here_is_seen_at_once_and_elsewhere_after_five_seconds() {
    let (clients, clock, store) = directory(&[]);
    let other = neighbour(&clock, &store);
    assert!(other.find("a").await.unwrap().is_none());
    clients.add(&app("a")).await.unwrap();
    assert_eq!(other.find("a").await.unwrap().unwrap().name, "a", "absence is not remembered");
    clients.find("a").await.unwrap();
    let mut changed = app("a");
    changed.insert("client_name".to_owned(), json!("New"));
    clients.update("a", &changed).await.unwrap();
    assert_eq!(clients.find("a").await.unwrap().unwrap().name, "New");
    assert_eq!(other.find("a").await.unwrap().unwrap().name, "a");
    clock.advance(Duration::from_secs(5));
    assert_eq!(other.find("a").await.unwrap().unwrap().name, "New");
    assert!(clients.delete("a").await.unwrap());
    assert!(clients.find("a").await.unwrap().is_none());
    assert!(clients.list().await.unwrap().is_empty());
    assert!(!clients.delete("a").await.unwrap());
}

#[tokio::test]
async fn an_update_keeps_the_secret_unless_told() {
    let (clients, ..) = directory(&[]);
    let first = clients.add(&app("a")).await.unwrap();
    let kept = clients.update("a", &app("a")).await.unwrap();
    assert!(kept.client_secret.is_none());
    assert_eq!(kept.client.auth, first.client.auth);
    assert_eq!(kept.client.issued_at, Some(Timestamp(NOW)));
    let post = map(&json!({"redirect_uris": ["https://a.example/"], "token_endpoint_auth_method": "client_secret_post"}));
    assert_eq!(
        clients.update("a", &post).await.unwrap().client.auth,
        ClientAuth::SecretPost(first.client.auth.secret().unwrap())
    );
    let mut given = app("a");
    given.insert("client_secret".to_owned(), json!("another secret"));
    assert_eq!(clients.update("a", &given).await.unwrap().client.auth.secret(), Some(Digest::of("another secret")));
    let public = map(&json!({"redirect_uris": ["https://a.example/"], "token_endpoint_auth_method": "none"}));
    assert!(clients.update("a", &public).await.unwrap().client.is_public());
    assert!(clients.update("a", &app("a")).await.unwrap().client_secret.is_some(), "it had none, so one is made");
    // What `show` printed can be given back.
    let shown = clients.show("a").await.unwrap().to_json();
    assert!(clients.update("a", &shown).await.is_ok());
    assert!(matches!(clients.update("a", &app("b")).await, Err(ClientsError::Invalid(_))));
    assert!(matches!(clients.update("nobody", &app("nobody")).await, Err(ClientsError::Unknown(_))));
}

#[tokio::test]
async fn clients_of_the_file_are_read_only_and_win() {
    let own = json!({"client_id": "f", "client_name": "File", "client_secret": "secret in the file", "redirect_uris": ["https://a.example/"]});
    let (stored, clock, store) = directory(&[]);
    stored.add(&app("f")).await.unwrap();
    let clients = Clients::new(store, clock, Outbound::new(true), sealing(), &[entry(7, &own)], known_scopes()).unwrap();
    let found = clients.find("f").await.unwrap().unwrap();
    assert_eq!((found.name.as_str(), &found.origin), ("File", &Origin::File("symbolon.toml:7".to_owned())));
    assert_eq!(clients.list().await.unwrap().len(), 1);
    for error in [clients.update("f", &app("f")).await.unwrap_err(), clients.delete("f").await.unwrap_err()] {
        assert!(error.to_string().contains("symbolon.toml:7"), "{error}");
        assert_eq!(OAuthError::from(error).status(), 400);
    }
}

#[tokio::test]
async fn a_damaged_record_hides_nobody_else() {
    let (clients, _, store) = directory(&[]);
    clients.add(&app("a")).await.unwrap();
    store.index_add(Index::new(IndexKind::Clients, ""), b"bad".to_vec(), None).await.unwrap();
    store.insert(Key::new(Kind::Client, "bad"), b"{}".to_vec(), None).await.unwrap();
    assert_eq!(clients.list().await.unwrap().len(), 1);
    let error = clients.find("bad").await.unwrap_err();
    assert_eq!(OAuthError::from(ClientsError::from(error)).status(), 500);
    assert!(clients.delete("bad").await.unwrap(), "it can be deleted");
}

#[test]
fn every_finding_of_the_file_comes_at_once_with_its_place() {
    let clock = Clock::manual(NOW);
    let store: SharedStore = Arc::new(Memory::new(clock.clone()));
    let public = json!({"client_id": "p", "token_endpoint_auth_method": "none", "redirect_uris": ["https://a.example/"]});
    let file = [
        entry(1, &public),
        entry(2, &public),
        entry(3, &json!({"client_name": "nameless"})),
        entry(4, &json!({"client_id": "s", "redirect_uris": ["https://a.example/", "nonsense"], "scope": "openid what"})),
        entry(
            5,
            &json!({"client_id": "x", "client_secret_file": "s", "redirect_uris": ["https://a.example/"], "client_secret": "not to be shown"}),
        ),
    ];
    let findings = Clients::new(store, clock, Outbound::new(true), sealing(), &file, known_scopes()).unwrap_err();
    let places: Vec<&str> = findings.0.iter().map(|finding| finding.place.as_str()).collect();
    assert_eq!(
        places,
        [
            "symbolon.toml:2",
            "symbolon.toml:3 client_id",
            "symbolon.toml:4 client_secret",
            "symbolon.toml:4 redirect_uris[1]",
            "symbolon.toml:4 scope",
            "symbolon.toml:5 client_secret_file",
        ]
    );
    assert_eq!(findings.0[0].id, "client.duplicate");
    assert!(findings.0.iter().all(|finding| !finding.remedy.is_empty() && !finding.to_string().contains("not to be shown")));
}
