//! What each operation does, one caller at a time.

use std::collections::HashSet;

use super::{Subject, is_unavailable, key};
use crate::storage::{Index, IndexKind, Key, Kind, MAX_NAME, MAX_VALUE, StorageError, Version};

pub(super) async fn a_record_is_read_as_it_was_written(on: Subject) {
    let store = &on.store;
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
    for (id, value, expires) in [("a", b"first".to_vec(), None), ("b", Vec::new(), on.after(60)), ("", vec![0, 255], None)] {
        assert!(store.insert(key(id), value.clone(), expires).await.unwrap());
        let stored = store.get(&key(id)).await.unwrap().unwrap();
        assert_eq!((stored.value, stored.expires), (value, expires));
    }
}

pub(super) async fn an_insert_leaves_a_live_record_alone(on: Subject) {
    let store = &on.store;
    assert!(store.insert(key("a"), b"first".to_vec(), None).await.unwrap());
    let before = store.get(&key("a")).await.unwrap();
    assert!(!store.insert(key("a"), b"second".to_vec(), on.after(5)).await.unwrap());
    assert_eq!(store.get(&key("a")).await.unwrap(), before);
}

pub(super) async fn a_swap_needs_the_version_that_was_read(on: Subject) {
    let store = &on.store;
    assert!(!store.compare_and_swap(key("a"), Version(0), b"x".to_vec(), None).await.unwrap());
    assert!(store.insert(key("a"), b"first".to_vec(), None).await.unwrap());
    let first = store.get(&key("a")).await.unwrap().unwrap();
    let wrong = Version(first.version.0.wrapping_add(1));
    assert!(!store.compare_and_swap(key("a"), wrong, b"x".to_vec(), None).await.unwrap());
    assert!(store.compare_and_swap(key("a"), first.version, b"a much longer second".to_vec(), None).await.unwrap());
    let second = store.get(&key("a")).await.unwrap().unwrap();
    assert_eq!(second.value, b"a much longer second");
    assert!(!store.compare_and_swap(key("a"), first.version, b"third".to_vec(), None).await.unwrap());
    assert_eq!(store.get(&key("a")).await.unwrap().unwrap(), second);
    assert!(store.compare_and_swap(key("a"), second.version, b"3".to_vec(), None).await.unwrap());
    assert_eq!(store.get(&key("a")).await.unwrap().unwrap().value, b"3");
}

pub(super) async fn no_version_ever_comes_back(on: Subject) {
    let store = &on.store;
    let mut seen = HashSet::new();
    for _ in 0..4 {
        assert!(store.insert(key("a"), b"same".to_vec(), on.after(10)).await.unwrap());
        let inserted = store.get(&key("a")).await.unwrap().unwrap().version;
        assert!(seen.insert(inserted.0));
        assert!(store.compare_and_swap(key("a"), inserted, b"same".to_vec(), on.after(10)).await.unwrap());
        let swapped = store.get(&key("a")).await.unwrap().unwrap().version;
        assert!(seen.insert(swapped.0));
        store.take(key("a"), Some(b"same".to_vec())).await.unwrap().unwrap();
        assert!(seen.insert(store.get(&key("a")).await.unwrap().unwrap().version.0));
        assert!(!store.compare_and_swap(key("a"), swapped, b"late".to_vec(), None).await.unwrap());
        assert!(store.delete(key("a")).await.unwrap());
        assert!(store.insert(key("a"), b"same".to_vec(), on.after(10)).await.unwrap());
        assert!(!store.compare_and_swap(key("a"), swapped, b"late".to_vec(), None).await.unwrap());
        assert!(seen.insert(store.get(&key("a")).await.unwrap().unwrap().version.0));
        // The next round inserts over an expired record.
        on.wait(10);
    }
}

pub(super) async fn a_record_is_taken_once(on: Subject) {
    let store = &on.store;
    assert_eq!(store.take(key("a"), None).await.unwrap(), None);
    assert_eq!(store.take(key("a"), Some(b"t".to_vec())).await.unwrap(), None);
    assert_eq!(store.get(&key("a")).await.unwrap(), None, "a tombstone needs something to stand for");
    store.insert(key("a"), b"once".to_vec(), on.after(60)).await.unwrap();
    assert_eq!(store.take(key("a"), None).await.unwrap().unwrap(), b"once");
    assert_eq!(store.take(key("a"), None).await.unwrap(), None);
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
    assert!(store.insert(key("a"), b"again".to_vec(), None).await.unwrap());
}

pub(super) async fn a_tombstone_stands_in_its_place(on: Subject) {
    let store = &on.store;
    let expires = on.after(60);
    store.insert(key("a"), b"code".to_vec(), expires).await.unwrap();
    assert_eq!(store.take(key("a"), Some(b"used, and longer than before".to_vec())).await.unwrap().unwrap(), b"code");
    let stored = store.get(&key("a")).await.unwrap().unwrap();
    assert_eq!((stored.value.as_slice(), stored.expires), (&b"used, and longer than before"[..], expires));
    assert!(!store.insert(key("a"), b"another".to_vec(), None).await.unwrap());
    assert_eq!(
        store.take(key("a"), Some(b"used".to_vec())).await.unwrap().unwrap(),
        b"used, and longer than before",
        "a second take finds the tombstone"
    );
    assert_eq!(store.take(key("a"), None).await.unwrap().unwrap(), b"used");
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
}

pub(super) async fn a_deleted_record_is_gone(on: Subject) {
    let store = &on.store;
    assert!(!store.delete(key("a")).await.unwrap());
    // Far ahead and near: the reminder of the one is removed, that of the other left.
    for seconds in [10, 1_000_000] {
        store.insert(key("a"), b"x".to_vec(), on.after(seconds)).await.unwrap();
        assert!(store.delete(key("a")).await.unwrap());
        assert!(!store.delete(key("a")).await.unwrap());
        assert_eq!(store.get(&key("a")).await.unwrap(), None);
    }
}

pub(super) async fn kinds_do_not_collide(on: Subject) {
    let store = &on.store;
    store.insert(Key::new(Kind::Code, "a"), b"code".to_vec(), None).await.unwrap();
    store.insert(Key::new(Kind::Session, "a"), b"session".to_vec(), None).await.unwrap();
    assert!(store.delete(Key::new(Kind::Code, "a")).await.unwrap());
    assert_eq!(store.get(&Key::new(Kind::Session, "a")).await.unwrap().unwrap().value, b"session");
}

fn sessions_of(subject: &str) -> Index {
    Index::new(IndexKind::SessionsOfSubject, subject)
}

pub(super) async fn an_index_lists_its_members_in_byte_order(on: Subject) {
    let store = &on.store;
    let index = sessions_of("ann");
    assert_eq!(store.index_list(&index).await.unwrap(), Vec::<Vec<u8>>::new());
    for member in [&b"b"[..], b"\xff\xff", b"a", b"ab", b"b", b""] {
        store.index_add(index.clone(), member.to_vec(), None).await.unwrap();
    }
    assert_eq!(store.index_list(&index).await.unwrap(), [&b""[..], b"a", b"ab", b"b", b"\xff\xff"]);
    store.index_remove(index.clone(), b"ab".to_vec()).await.unwrap();
    store.index_remove(index.clone(), b"never there".to_vec()).await.unwrap();
    assert_eq!(store.index_list(&index).await.unwrap(), [&b""[..], b"a", b"b", b"\xff\xff"]);
}

pub(super) async fn indexes_do_not_run_into_each_other(on: Subject) {
    let store = &on.store;
    let all = [sessions_of(""), sessions_of("a"), sessions_of("ab"), sessions_of("b"), Index::new(IndexKind::People, "a")];
    for (number, index) in all.iter().enumerate() {
        store.index_add(index.clone(), vec![b'b'; number], None).await.unwrap();
    }
    for (number, index) in all.iter().enumerate() {
        assert_eq!(store.index_list(index).await.unwrap(), [vec![b'b'; number]]);
    }
    store.index_remove(sessions_of("a"), b"b".to_vec()).await.unwrap();
    assert_eq!(store.index_list(&sessions_of("ab")).await.unwrap(), [b"bb"]);
}

pub(super) async fn large_values_are_kept_and_larger_ones_refused(on: Subject) {
    let store = &on.store;
    let largest: Vec<u8> = (0..MAX_VALUE).map(|at| u8::try_from(at % 251).unwrap()).collect();
    assert!(store.insert(key("a"), largest.clone(), None).await.unwrap());
    let stored = store.get(&key("a")).await.unwrap().unwrap();
    assert!(stored.value == largest);
    let too_large = || vec![1; MAX_VALUE + 1];
    let refused =
        |result: Result<bool, StorageError>| matches!(result, Err(StorageError::TooLarge(size)) if size == MAX_VALUE + 1);
    assert!(refused(store.insert(key("b"), too_large(), None).await));
    assert!(refused(store.compare_and_swap(key("a"), stored.version, too_large(), None).await));
    assert!(refused(store.take(key("a"), Some(too_large())).await.map(|_| true)));
    assert!(store.get(&key("a")).await.unwrap().unwrap() == stored);
    assert!(store.compare_and_swap(key("a"), stored.version, b"small".to_vec(), None).await.unwrap());
    assert_eq!(store.take(key("a"), Some(vec![7; MAX_VALUE])).await.unwrap().unwrap(), b"small");
    assert_eq!(store.take(key("a"), None).await.unwrap().unwrap().len(), MAX_VALUE);
}

pub(super) async fn long_names_are_refused(on: Subject) {
    let store = &on.store;
    let longest = "k".repeat(MAX_NAME - 1);
    assert!(store.insert(key(&longest), b"x".to_vec(), None).await.unwrap());
    assert_eq!(store.get(&key(&longest)).await.unwrap().unwrap().value, b"x");
    let longer = "k".repeat(MAX_NAME);
    assert!(matches!(store.insert(key(&longer), Vec::new(), None).await, Err(StorageError::TooLarge(_))));
    assert_eq!(store.get(&key(&longer)).await.unwrap(), None);
    assert!(!store.delete(key(&longer)).await.unwrap());
    assert!(matches!(store.index_add(sessions_of(&longer), Vec::new(), None).await, Err(StorageError::TooLarge(_))));
    assert!(matches!(store.index_add(sessions_of("a"), vec![0; MAX_NAME + 1], None).await, Err(StorageError::TooLarge(_))));
    assert_eq!(store.index_list(&sessions_of(&"k".repeat(100_000))).await.unwrap().len(), 0);
    store.index_remove(sessions_of(&"k".repeat(100_000)), Vec::new()).await.unwrap();
}

pub(super) async fn a_future_that_is_never_polled_does_nothing(on: Subject) {
    let store = &on.store;
    drop(store.insert(key("a"), b"x".to_vec(), None));
    store.ready().await.unwrap();
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
}

pub(super) async fn a_closed_store_refuses_everything(on: Subject) {
    let store = &on.store;
    store.insert(key("a"), b"x".to_vec(), None).await.unwrap();
    let version = store.get(&key("a")).await.unwrap().unwrap().version;
    store.ready().await.unwrap();
    store.close().await.unwrap();
    assert!(is_unavailable(&store.get(&key("a")).await));
    assert!(is_unavailable(&store.insert(key("b"), Vec::new(), None).await));
    assert!(is_unavailable(&store.compare_and_swap(key("a"), version, Vec::new(), None).await));
    assert!(is_unavailable(&store.take(key("a"), None).await));
    assert!(is_unavailable(&store.delete(key("a")).await));
    assert!(is_unavailable(&store.index_add(sessions_of("a"), Vec::new(), None).await));
    assert!(is_unavailable(&store.index_list(&sessions_of("a")).await));
    assert!(is_unavailable(&store.index_remove(sessions_of("a"), Vec::new()).await));
    assert!(is_unavailable(&store.ready().await));
    store.close().await.unwrap();
}
