//! What happens when the disk fails, fills up or forgets: nobody is told of a write that is not there, and nobody hangs.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use futures_util::future::join_all;

use super::Embedded;
use super::disk::{Disk, Fault};
use crate::foundation::Clock;
use crate::storage::{Key, Kind, StorageError, Store};

fn key(id: usize) -> Key {
    Key::new(Kind::Session, id.to_be_bytes())
}

fn value(id: usize) -> Vec<u8> {
    id.to_be_bytes().repeat(40)
}

fn unavailable<T>(result: &Result<T, StorageError>) -> bool {
    matches!(result, Err(StorageError::Unavailable(_)))
}

async fn insert_many(store: &Embedded, ids: std::ops::Range<usize>) -> Vec<Result<bool, StorageError>> {
    join_all(ids.map(|id| store.insert(key(id), value(id), None))).await
}

/// The store tries a failed disk again every second; it must come back by itself.
async fn until_ready(store: &Embedded) {
    for _ in 0..1000 {
        if store.ready().await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the store did not come back");
}

/// Breaks the disk, sees every write refused, mends it, and finds all that was acknowledged.
async fn survives(fault: Fault) {
    let disk = Disk::default();
    let store = disk.open(Clock::manual(1000));
    assert!(insert_many(&store, 0..50).await.into_iter().all(Result::unwrap));
    disk.set_fault(fault);
    for round in 1..4 {
        assert!(insert_many(&store, round * 50..round * 50 + 50).await.iter().all(unavailable), "{fault:?}");
        assert!(unavailable(&store.ready().await), "{fault:?}");
    }
    disk.set_fault(Fault::None);
    until_ready(&store).await;
    for id in 0..50 {
        assert_eq!(store.get(&key(id)).await.unwrap().unwrap().value, value(id));
    }
    assert!(insert_many(&store, 1000..1050).await.into_iter().all(Result::unwrap));
    drop(store);
    let store = disk.after_power_cut().open(Clock::manual(1000));
    for id in (0..50).chain(1000..1050) {
        assert_eq!(store.get(&key(id)).await.unwrap().unwrap().value, value(id));
    }
}

#[tokio::test]
async fn a_disk_that_refuses_writes() {
    survives(Fault::Broken(0)).await;
}

#[tokio::test]
async fn a_disk_that_breaks_half_way_through() {
    survives(Fault::Broken(3)).await;
}

#[tokio::test]
async fn a_disk_that_cannot_sync() {
    survives(Fault::SyncFails).await;
}

#[tokio::test]
async fn an_engine_that_panics() {
    survives(Fault::Panics).await;
}

#[tokio::test]
async fn a_full_disk_can_still_be_read() {
    for fault in [Fault::Full, Fault::NoBlocks] {
        still_read(fault).await;
    }
}

async fn still_read(fault: Fault) {
    let disk = Disk::default();
    let store = disk.open(Clock::manual(1000));
    assert!(insert_many(&store, 0..50).await.into_iter().all(Result::unwrap));
    disk.set_fault(fault);
    let large = || vec![7; 1 << 20];
    let mut written = Vec::new();
    while store.insert(key(100 + written.len()), large(), None).await.is_ok() {
        written.push(100 + written.len());
        assert!(written.len() < 1000, "the disk is never full");
    }
    let small = insert_many(&store, 50..51).await.remove(0);
    // Where only growth fails there may be room for it or not.
    assert!(unavailable(&small) || fault == Fault::Full && small.is_ok(), "the store says what is so: {small:?}");
    // Reading goes on, at once or as soon as the store was opened again.
    for id in 0..50 {
        let mut tries = 0;
        while store.get(&key(id)).await.is_err() {
            tries += 1;
            assert!(tries < 1000, "a full disk cannot be read");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(store.get(&key(id)).await.unwrap().unwrap().value, value(id));
    }
    disk.set_fault(Fault::None);
    until_ready(&store).await;
    assert!(store.insert(key(99), large(), None).await.unwrap());
    for id in written {
        assert_eq!(store.get(&key(id)).await.unwrap().unwrap().value.len(), 1 << 20);
    }
}

#[tokio::test]
async fn a_disk_that_cannot_be_read() {
    let disk = Disk::default();
    // Without a cache every read asks the disk.
    let store = disk.open_with_cache(0, Clock::manual(1000));
    assert!(insert_many(&store, 0..50).await.into_iter().all(Result::unwrap));
    disk.set_fault(Fault::Unreadable);
    assert!(unavailable(&store.get(&key(49)).await));
    disk.set_fault(Fault::None);
    until_ready(&store).await;
    assert_eq!(store.get(&key(49)).await.unwrap().unwrap().value, value(49));
}

#[tokio::test]
async fn whenever_the_power_goes_the_acknowledged_is_there() {
    for writes in 0..120 {
        let disk = Disk::default();
        let store = disk.open(Clock::manual(1000));
        disk.set_fault(Fault::Broken(writes));
        let mut acknowledged = Vec::new();
        for round in 0..4 {
            let ids = round * 20..round * 20 + 20;
            let results = insert_many(&store, ids.clone()).await;
            acknowledged.extend(ids.zip(results).filter_map(|(id, result)| result.ok().map(|_| id)));
        }
        let found = disk.after_power_cut().open(Clock::manual(1000));
        for id in 0..80 {
            let stored = found.get(&key(id)).await.unwrap();
            assert!(stored.is_some() || !acknowledged.contains(&id), "after {writes} writes, {id} was lost");
            assert!(stored.is_none_or(|stored| stored.value == value(id)), "after {writes} writes, {id} is torn");
        }
    }
}

#[tokio::test]
async fn the_disk_of_these_tests_does_forget() {
    // The control of the test above.
    let disk = Disk::default();
    let store = disk.open(Clock::manual(1000));
    let before = disk.after_power_cut();
    assert!(insert_many(&store, 0..5).await.into_iter().all(Result::unwrap));
    assert_eq!(before.open(Clock::manual(1000)).get(&key(0)).await.unwrap(), None);
}
