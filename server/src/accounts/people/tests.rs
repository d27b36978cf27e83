//! Adding, finding, verifying and changing people, over the memory store.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::accounts::password::tests::CHEAP;
use crate::foundation::Timestamp;
use crate::storage::memory::Memory;

const NOW: u64 = 1_800_000_000;
const PASSWORD: &str = "correct horse";

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn house() -> (People, Clock, SharedStore) {
    let clock = Clock::manual(NOW);
    let store: SharedStore = Arc::new(Memory::new(clock.clone()));
    (People::new(Arc::clone(&store), clock.clone(), CHEAP).unwrap(), clock, store)
}

async fn add(people: &People, name: &str) -> Result<Person, PeopleError> {
    let claims = json!({"email": "a@example.com"}).as_object().unwrap().clone();
    people.add(name, secret(PASSWORD), claims).await
}

#[tokio::test]
async fn a_person_is_found_by_any_spelling_and_by_subject() {
    let (people, ..) = house();
    let alice = add(&people, "Älice").await.unwrap();
    assert_eq!(alice.sub.len(), 22);
    assert_eq!((alice.name.as_str(), alice.created, alice.disabled), ("Älice", Timestamp(NOW), false));
    for name in ["Älice", "älice", " ÄLICE "] {
        assert_eq!(people.find_by_name(name).await.unwrap().unwrap(), alice);
    }
    assert_eq!(people.find_by_sub(&alice.sub).await.unwrap().unwrap(), alice);
    assert!(people.find_by_name("bob").await.unwrap().is_none());
    assert!(people.find_by_sub("Älice").await.unwrap().is_none());
    add(&people, "Bob").await.unwrap();
    add(&people, "aaron").await.unwrap();
    let names: Vec<String> = people.list().await.unwrap().into_iter().map(|person| person.name).collect();
    assert_eq!(names, ["aaron", "Bob", "Älice"]);
}

#[tokio::test]
async fn names_are_unique_even_at_once() {
    let (people, ..) = house();
    let answers = futures_util::future::join_all(["alice", "Alice", "ALICE", "aLice"].map(|name| add(&people, name))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(PeopleError::NameTaken(_)))));
    assert_eq!(people.list().await.unwrap().len(), 1, "the losers left nothing behind");
    assert!(matches!(add(&people, "alice").await, Err(PeopleError::NameTaken(_))));
}

#[tokio::test]
async fn what_breaks_a_rule_is_not_added() {
    let (people, ..) = house();
    assert!(matches!(add(&people, "").await, Err(PeopleError::Name)));
    assert!(matches!(people.add("a", secret("short"), Map::new()).await, Err(PeopleError::PasswordLength { .. })));
    let claims = json!({"sub": "root"}).as_object().unwrap().clone();
    assert!(matches!(people.add("a", secret(PASSWORD), claims).await, Err(PeopleError::ReservedClaim(name)) if name == "sub"));
    assert!(people.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn only_the_password_of_an_enabled_person_verifies() {
    let (people, ..) = house();
    let alice = add(&people, "alice").await.unwrap();
    let check = async |name: &str, password: &str| people.verify_password(name, secret(password)).await.unwrap();
    assert!(matches!(check("Alice", PASSWORD).await, PasswordCheck::Right(person) if person.sub == alice.sub));
    for password in ["wrong horse", ""] {
        assert!(matches!(check("alice", password).await, PasswordCheck::Wrong(sub) if sub == alice.sub), "{password}");
    }
    for name in ["bob", ""] {
        assert!(matches!(check(name, PASSWORD).await, PasswordCheck::Nobody), "{name}");
    }
    people.set_disabled(&alice.sub, true).await.unwrap();
    assert!(matches!(check("alice", PASSWORD).await, PasswordCheck::Disabled(sub) if sub == alice.sub));
    assert!(
        matches!(check("alice", "wrong horse").await, PasswordCheck::Wrong(_)),
        "who is disabled is for whoever knows the password"
    );
    people.set_disabled(&alice.sub, false).await.unwrap();
    assert!(matches!(check("alice", PASSWORD).await, PasswordCheck::Right(_)));
}

async fn is_right(people: &People, password: Secret<String>) -> bool {
    matches!(people.verify_password("alice", password).await.unwrap(), PasswordCheck::Right(_))
}

#[tokio::test]
async fn a_new_password_replaces_the_old() {
    let (people, clock, _) = house();
    let alice = add(&people, "alice").await.unwrap();
    clock.advance(Duration::from_secs(9));
    let changed = people.set_password(&alice.sub, secret("battery staple")).await.unwrap();
    assert_eq!((changed.created, changed.updated), (Timestamp(NOW), Timestamp(NOW + 9)));
    assert!(!is_right(&people, secret(PASSWORD)).await);
    assert!(is_right(&people, secret("battery staple")).await);
    assert!(matches!(people.set_password(&alice.sub, secret("short")).await, Err(PeopleError::PasswordLength { .. })));
    assert!(matches!(people.set_password("nobody", secret(PASSWORD)).await, Err(PeopleError::Unknown)));
    assert!(matches!(people.set_disabled("nobody", true).await, Err(PeopleError::Unknown)));
}

#[tokio::test]
async fn a_deleted_person_frees_the_name_but_not_the_subject() {
    let (people, ..) = house();
    let first = add(&people, "alice").await.unwrap();
    assert!(people.delete(&first.sub).await.unwrap());
    assert!(!people.delete(&first.sub).await.unwrap());
    assert!(people.find_by_sub(&first.sub).await.unwrap().is_none() && people.list().await.unwrap().is_empty());
    let second = add(&people, "alice").await.unwrap();
    assert_ne!(first.sub, second.sub);
    people.delete(&first.sub).await.unwrap();
    assert!(people.find_by_name("alice").await.unwrap().is_some(), "the second one keeps the name");
}

#[tokio::test]
async fn new_parameters_renew_the_digest_at_sign_in() {
    let (people, clock, store) = house();
    let alice = add(&people, "alice").await.unwrap();
    let stricter = People::new(Arc::clone(&store), clock, PasswordPolicy { iterations: 2, ..CHEAP }).unwrap();
    assert!(!is_right(&stricter, secret("wrong horse")).await);
    assert_eq!(people.find_by_sub(&alice.sub).await.unwrap().unwrap().password, alice.password);
    assert!(is_right(&stricter, secret(PASSWORD)).await);
    let renewed = people.find_by_sub(&alice.sub).await.unwrap().unwrap().password;
    assert!(renewed.contains("t=2") && renewed != alice.password);
    assert!(is_right(&stricter, secret(PASSWORD)).await);
}

#[tokio::test]
async fn nothing_stored_or_shown_has_the_password() {
    let (people, _, store) = house();
    let alice = add(&people, "alice").await.unwrap();
    let stored = store.get(&person_key(&alice.sub)).await.unwrap().unwrap().value;
    let text = String::from_utf8(stored).unwrap();
    assert!(!text.contains(PASSWORD) && text.contains("$argon2id$"));
    assert_eq!(OAuthError::from(PeopleError::NameTaken("alice".to_owned())).status(), 400);
    assert_eq!(OAuthError::from(PeopleError::Hashing(String::new())).status(), 500);
}

#[tokio::test]
async fn whoever_is_in_the_undivided_list_of_before_is_listed_and_forgotten() {
    let (people, _, store) = house();
    let alice = add(&people, "alice").await.unwrap();
    let member = || alice.sub.clone().into_bytes();
    store.index_remove(index_of(&alice.sub), member()).await.unwrap();
    assert!(people.list().await.unwrap().is_empty());
    store.index_add(whole_index(), member(), None).await.unwrap();
    assert_eq!(people.list().await.unwrap(), std::slice::from_ref(&alice));
    people.delete(&alice.sub).await.unwrap();
    assert!(store.index_list(&whole_index()).await.unwrap().is_empty());
}
