//! Everything in a store, as backups see it.

use futures_util::future::join_all;

use super::{Subject, is_unavailable, key};
use crate::storage::snapshot::{Entry, Snapshot};
use crate::storage::{Index, IndexKind, Key, Kind, Store};

/// All pages of a snapshot, in an order of their own.
async fn all(mut snapshot: Box<dyn Snapshot>) -> Vec<Entry> {
    let mut entries = Vec::new();
    loop {
        let page = snapshot.next().await.unwrap();
        if page.is_empty() {
            assert!(snapshot.next().await.unwrap().is_empty(), "the end stays the end");
            entries.sort_by_key(|entry| format!("{entry:?}"));
            return entries;
        }
        entries.extend(page);
    }
}

pub(super) async fn a_snapshot_has_everything(on: Subject) {
    let store = &on.store;
    assert_eq!(all(store.snapshot().await.unwrap()).await, []);
    let mut expected = Vec::new();
    for n in 0..1300_u32 {
        let (key, value, expires) =
            (Key::new(Kind::Code, n.to_be_bytes()), n.to_le_bytes().to_vec(), on.after(u64::from(n) + 60));
        expected.push(Entry::Record { key, value, expires });
    }
    for n in 0..700_u32 {
        let index = Index::new(IndexKind::SessionsOfSubject, (n % 3).to_be_bytes());
        expected.push(Entry::Member { index, member: n.to_be_bytes().to_vec(), expires: on.after(60) });
    }
    expected.push(Entry::Record { key: key("for ever"), value: Vec::new(), expires: None });
    expected.push(Entry::Member { index: Index::new(IndexKind::People, ""), member: b"ada".to_vec(), expires: None });
    for part in expected.chunks(200) {
        join_all(part.iter().map(|entry| put(&**store, entry.clone()))).await;
    }
    expected.sort_by_key(|entry| format!("{entry:?}"));
    assert!(all(store.snapshot().await.unwrap()).await == expected, "what was put there, and nothing else");
    store.delete(key("for ever")).await.unwrap();
    store.take(Key::new(Kind::Code, 7_u32.to_be_bytes()), None).await.unwrap();
    store.index_remove(Index::new(IndexKind::People, ""), b"ada".to_vec()).await.unwrap();
    assert_eq!(all(store.snapshot().await.unwrap()).await.len(), expected.len() - 3);
}

async fn put(store: &dyn Store, entry: Entry) {
    match entry {
        Entry::Record { key, value, expires } => assert!(store.insert(key, value, expires).await.unwrap()),
        Entry::Member { index, member, expires } => store.index_add(index, member, expires).await.unwrap(),
        Entry::Damaged { .. } => unreachable!("nothing is damaged here"),
    }
}

pub(super) async fn a_closed_store_has_no_snapshot(on: Subject) {
    on.store.close().await.unwrap();
    assert!(is_unavailable(&on.store.snapshot().await.map(drop)));
}
