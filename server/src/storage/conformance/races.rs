//! Many callers at once, each on a thread of its own: what is promised to one is promised to one.

use std::sync::Barrier;
use std::thread;

use futures_util::future::{BoxFuture, join_all};

use super::{Subject, key};
use crate::storage::{Index, IndexKind, SharedStore};

const CALLERS: usize = 64;

/// Lets every caller go at the same moment and gives back what each of them got.
fn race<T: Send>(store: &SharedStore, caller: impl Fn(SharedStore, usize) -> BoxFuture<'static, T> + Sync) -> Vec<T> {
    let barrier = Barrier::new(CALLERS);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CALLERS)
            .map(|number| {
                let (barrier, caller) = (&barrier, &caller);
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    barrier.wait();
                    runtime.block_on(caller(store.clone(), number))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn winners(results: impl IntoIterator<Item = bool>) -> usize {
    results.into_iter().filter(|won| *won).count()
}

pub(super) async fn one_insert_wins(on: Subject) {
    for round in ["a", "b", "c"] {
        let won = race(&on.store, |store, number| {
            Box::pin(async move { store.insert(key(round), vec![u8::try_from(number).unwrap()], None).await.unwrap() })
        });
        let winner = won.iter().position(|won| *won).unwrap();
        assert_eq!(winners(won), 1);
        assert_eq!(on.store.get(&key(round)).await.unwrap().unwrap().value, [u8::try_from(winner).unwrap()]);
    }
}

pub(super) async fn one_take_wins(on: Subject) {
    for tombstone in [None, Some(b"used".to_vec())] {
        on.store.insert(key("a"), b"code".to_vec(), None).await.unwrap();
        let taken = race(&on.store, |store, _| {
            let tombstone = tombstone.clone();
            Box::pin(async move { store.take(key("a"), tombstone).await.unwrap() })
        });
        let rest = taken.iter().filter(|taken| **taken == tombstone).count();
        assert_eq!(winners(taken.into_iter().map(|taken| taken.as_deref() == Some(b"code"))), 1);
        assert_eq!(rest, CALLERS - 1, "the others find the tombstone, if there is one");
    }
}

pub(super) async fn one_delete_wins(on: Subject) {
    on.store.insert(key("a"), b"x".to_vec(), None).await.unwrap();
    assert_eq!(winners(race(&on.store, |store, _| Box::pin(async move { store.delete(key("a")).await.unwrap() }))), 1);
}

pub(super) async fn no_swap_is_lost(on: Subject) {
    const EACH: u64 = 4;
    on.store.insert(key("a"), 0_u64.to_be_bytes().to_vec(), None).await.unwrap();
    race(&on.store, |store, _| {
        Box::pin(async move {
            for _ in 0..EACH {
                loop {
                    let read = store.get(&key("a")).await.unwrap().unwrap();
                    let count = u64::from_be_bytes(read.value.try_into().unwrap()) + 1;
                    if store.compare_and_swap(key("a"), read.version, count.to_be_bytes().to_vec(), None).await.unwrap() {
                        break;
                    }
                }
            }
        })
    });
    let count = on.store.get(&key("a")).await.unwrap().unwrap().value;
    assert_eq!(u64::from_be_bytes(count.try_into().unwrap()), EACH * CALLERS as u64);
}

pub(super) async fn every_member_arrives(on: Subject) {
    let index = Index::new(IndexKind::People, "");
    race(&on.store, |store, number| {
        let index = index.clone();
        Box::pin(async move { store.index_add(index, vec![u8::try_from(number).unwrap()], None).await.unwrap() })
    });
    assert_eq!(on.store.index_list(&index).await.unwrap().len(), CALLERS);
}

pub(super) async fn different_keys_do_not_disturb_each_other(on: Subject) {
    const EACH: usize = 20;
    race(&on.store, |store, number| {
        Box::pin(async move {
            let writes = (0..EACH).map(|round| {
                let (store, id) = (store.clone(), format!("{number}/{round}"));
                async move {
                    assert!(store.insert(key(&id), id.clone().into_bytes(), None).await.unwrap());
                    let read = store.get(&key(&id)).await.unwrap().unwrap();
                    assert_eq!(read.value, id.as_bytes(), "an answered write is seen by the next read");
                }
            });
            join_all(writes).await;
        })
    });
    for number in 0..CALLERS {
        assert!(on.store.get(&key(&format!("{number}/{}", EACH - 1))).await.unwrap().is_some());
    }
}

/// As a server does it: hundreds of requests on a few threads, all about one thing.
pub(super) async fn hundreds_at_once(on: Subject) {
    const MANY: usize = 300;
    for round in ["a", "b"] {
        let store = &on.store;
        let inserts = join_all((0..MANY).map(|_| store.insert(key(round), b"token".to_vec(), on.after(60)))).await;
        assert_eq!(winners(inserts.into_iter().map(Result::unwrap)), 1);
        let read = store.get(&key(round)).await.unwrap().unwrap().version;
        let swaps =
            join_all((0..MANY).map(|n| store.compare_and_swap(key(round), read, vec![u8::try_from(n % 7).unwrap()], None)));
        assert_eq!(winners(swaps.await.into_iter().map(Result::unwrap)), 1);
        let takes = join_all((0..MANY).map(|_| store.take(key(round), Some(b"used".to_vec())))).await;
        assert_eq!(winners(takes.into_iter().map(|taken| taken.unwrap().unwrap() != b"used")), 1);
        let mixed = join_all((0..MANY).map(|n| {
            let take = n % 2 == 0;
            async move {
                if take { store.take(key(round), None).await.unwrap().is_some() } else { store.delete(key(round)).await.unwrap() }
            }
        }));
        assert_eq!(winners(mixed.await), 1, "taken or deleted, once");
    }
}
