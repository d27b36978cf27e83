//! What has expired does not exist, whether or not it was swept.

use std::time::Duration;

use super::{Subject, key};
use crate::storage::{Index, IndexKind};

pub(super) async fn an_expired_record_is_absent_for_every_operation(on: Subject) {
    let store = &on.store;
    for id in ["get", "swap", "take", "tombstone", "delete"] {
        assert!(store.insert(key(id), b"x".to_vec(), on.after(10)).await.unwrap());
    }
    let version = store.get(&key("swap")).await.unwrap().unwrap().version;
    // Not a millisecond early, and at the second itself.
    on.clock.advance(Duration::from_millis(9_999));
    assert!(store.get(&key("get")).await.unwrap().is_some());
    on.clock.advance(Duration::from_millis(1));
    assert_eq!(store.get(&key("get")).await.unwrap(), None);
    assert!(!store.compare_and_swap(key("swap"), version, b"y".to_vec(), None).await.unwrap());
    assert_eq!(store.get(&key("swap")).await.unwrap(), None);
    assert_eq!(store.take(key("take"), None).await.unwrap(), None);
    assert_eq!(store.take(key("tombstone"), Some(b"t".to_vec())).await.unwrap(), None);
    assert_eq!(store.get(&key("tombstone")).await.unwrap(), None);
    assert!(!store.delete(key("delete")).await.unwrap());
    // What is written already expired is written, and never seen.
    assert!(store.insert(key("past"), b"x".to_vec(), Some(on.clock.now())).await.unwrap());
    assert_eq!(store.get(&key("past")).await.unwrap(), None);
}

pub(super) async fn an_insert_over_an_expired_record_works(on: Subject) {
    let store = &on.store;
    assert!(store.insert(key("a"), b"old".to_vec(), on.after(10)).await.unwrap());
    on.wait(10);
    let expires = on.after(20);
    assert!(store.insert(key("a"), b"new".to_vec(), expires).await.unwrap());
    let stored = store.get(&key("a")).await.unwrap().unwrap();
    assert_eq!((stored.value.as_slice(), stored.expires), (&b"new"[..], expires));
    on.wait(19);
    assert!(store.get(&key("a")).await.unwrap().is_some());
    on.wait(1);
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
}

pub(super) async fn a_swap_replaces_the_expiry(on: Subject) {
    let store = &on.store;
    store.insert(key("a"), b"1".to_vec(), on.after(10)).await.unwrap();
    for (expires, lives) in [(on.after(100), 99), (None, 5000), (None, 0)] {
        let version = store.get(&key("a")).await.unwrap().unwrap().version;
        assert!(store.compare_and_swap(key("a"), version, b"2".to_vec(), expires).await.unwrap());
        on.wait(lives);
        assert_eq!(store.get(&key("a")).await.unwrap().unwrap().expires, expires);
    }
    let version = store.get(&key("a")).await.unwrap().unwrap().version;
    assert!(store.compare_and_swap(key("a"), version, b"3".to_vec(), on.after(5)).await.unwrap());
    on.wait(4);
    let version = store.get(&key("a")).await.unwrap().unwrap().version;
    assert!(store.compare_and_swap(key("a"), version, b"4".to_vec(), on.after(1)).await.unwrap());
    on.wait(1);
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
}

pub(super) async fn a_tombstone_lives_as_long_as_its_record_would_have(on: Subject) {
    let store = &on.store;
    store.insert(key("a"), b"code".to_vec(), on.after(10)).await.unwrap();
    store.insert(key("for ever"), b"code".to_vec(), None).await.unwrap();
    on.wait(4);
    for id in ["a", "for ever"] {
        store.take(key(id), Some(b"used".to_vec())).await.unwrap().unwrap();
    }
    on.wait(5);
    assert_eq!(store.get(&key("a")).await.unwrap().unwrap().value, b"used");
    on.wait(1);
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
    assert_eq!(store.take(key("a"), Some(b"used".to_vec())).await.unwrap(), None);
    on.wait(1_000_000);
    assert_eq!(store.get(&key("for ever")).await.unwrap().unwrap().value, b"used");
}

pub(super) async fn the_members_of_an_index_expire(on: Subject) {
    let store = &on.store;
    let index = Index::new(IndexKind::SessionsOfSubject, "ann");
    let add = |member: &[u8], expires| store.index_add(index.clone(), member.to_vec(), expires);
    add(b"stays", None).await.unwrap();
    add(b"goes", on.after(10)).await.unwrap();
    add(b"prolonged", on.after(10)).await.unwrap();
    add(b"prolonged", on.after(20)).await.unwrap();
    add(b"shortened", on.after(20)).await.unwrap();
    add(b"shortened", on.after(5)).await.unwrap();
    on.wait(5);
    assert_eq!(store.index_list(&index).await.unwrap(), [&b"goes"[..], b"prolonged", b"stays"]);
    on.wait(5);
    assert_eq!(store.index_list(&index).await.unwrap(), [&b"prolonged"[..], b"stays"]);
    add(b"goes", on.after(5)).await.unwrap();
    assert_eq!(store.index_list(&index).await.unwrap(), [&b"goes"[..], b"prolonged", b"stays"]);
    on.wait(10);
    assert_eq!(store.index_list(&index).await.unwrap(), [b"stays"]);
}

pub(super) async fn what_never_expires_stays(on: Subject) {
    let store = &on.store;
    store.insert(key("a"), b"x".to_vec(), None).await.unwrap();
    on.wait(100 * 365 * 86_400);
    assert!(store.get(&key("a")).await.unwrap().is_some());
}
