//! A random sequence of operations answers exactly as a plain map does, across restarts and sweeps.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;

use crate::foundation::{Clock, Timestamp};
use crate::settings::meaning;
use crate::storage::embedded::Embedded;
use crate::storage::embedded::disk::Disk;
use crate::storage::memory::Memory;
use crate::storage::redis::{Redis, rig};
use crate::storage::{Index, IndexKind, Key, Kind, Store, Stored, Version};

#[derive(Debug, Clone)]
enum Step {
    Insert(u8, Vec<u8>, Option<u64>),
    /// With the version last read, or with the one before it.
    Swap(u8, bool, Vec<u8>, Option<u64>),
    Take(u8, Option<Vec<u8>>),
    Delete(u8),
    Add(u8, u8, Option<u64>),
    Remove(u8, u8),
    Wait(u64),
    Sweep,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let id = || 0..4_u8;
    let value = || prop::collection::vec(any::<u8>(), 0..40);
    // Also beyond the hour up to which a reminder is left to the sweep.
    let life = || prop::option::of(prop_oneof![0..6_u64, 3598..3606_u64]);
    prop_oneof![
        4 => (id(), value(), life()).prop_map(|(id, value, life)| Step::Insert(id, value, life)),
        4 => (id(), prop::bool::weighted(0.8), value(), life()).prop_map(|(id, latest, value, life)| Step::Swap(id, latest, value, life)),
        2 => (id(), prop::option::of(value())).prop_map(|(id, tombstone)| Step::Take(id, tombstone)),
        1 => id().prop_map(Step::Delete),
        2 => (0..2_u8, id(), life()).prop_map(|(index, member, life)| Step::Add(index, member, life)),
        1 => (0..2_u8, id()).prop_map(|(index, member)| Step::Remove(index, member)),
        2 => prop_oneof![0..4_u64, Just(3600_u64)].prop_map(Step::Wait),
        1 => Just(Step::Sweep),
        1 => Just(Step::Restart),
    ]
}

/// The plain model: what the store must hold.
#[derive(Default)]
struct Model {
    records: BTreeMap<u8, (Vec<u8>, Version, Option<Timestamp>)>,
    members: BTreeMap<(u8, u8), Option<Timestamp>>,
    /// For each key the version before the present one, whatever has happened since.
    stale: BTreeMap<u8, Version>,
    versions: HashSet<u64>,
}

impl Model {
    fn expire(&mut self, now: Timestamp) {
        self.records.retain(|_, (_, _, expires)| expires.is_none_or(|expires| expires > now));
        self.members.retain(|_, expires| expires.is_none_or(|expires| expires > now));
    }

    /// Notes a state just written, whose version the store chose.
    fn write(&mut self, id: u8, value: Vec<u8>, expires: Option<Timestamp>, stored: Option<Stored>, now: Timestamp) {
        let gone = self.records.remove(&id).map(|(_, version, _)| version);
        self.stale.extend(gone.map(|version| (id, version)));
        if expires.is_some_and(|expires| expires <= now) {
            assert_eq!(stored, None);
            return;
        }
        let stored = stored.unwrap();
        assert_eq!((&stored.value, stored.expires), (&value, expires));
        assert!(self.versions.insert(stored.version.0), "a version came back");
        self.records.insert(id, (value, stored.version, expires));
    }
}

fn key(id: u8) -> Key {
    Key::new(Kind::Session, [id])
}

fn index(id: u8) -> Index {
    Index::new(IndexKind::SessionsOfSubject, [id])
}

enum Subject {
    Memory(Memory),
    Embedded(Disk, Option<Embedded>),
    Redis(meaning::Redis, Redis),
}

impl Subject {
    fn store(&self) -> &dyn Store {
        match self {
            Self::Memory(store) => store,
            Self::Embedded(_, store) => store.as_ref().unwrap(),
            Self::Redis(_, store) => store,
        }
    }

    async fn restart(&mut self, clock: &Clock) {
        match self {
            Self::Memory(_) => {}
            Self::Embedded(disk, store) => {
                drop(store.take());
                *store = Some(disk.open(clock.clone()));
            }
            Self::Redis(settings, store) => *store = Redis::open(settings, clock.clone()).await.unwrap(),
        }
    }

    async fn sweep(&self) {
        if let Self::Embedded(_, Some(store)) = self {
            store.sweep().await.unwrap();
        }
    }
}

async fn play(steps: Vec<Step>, mut subject: Subject, clock: Clock) {
    let mut model = Model::default();
    for step in steps {
        let now = clock.now();
        model.expire(now);
        let after = |life: Option<u64>| life.map(|life| now.plus(Duration::from_secs(life)));
        match step {
            Step::Insert(id, value, life) => {
                let written = subject.store().insert(key(id), value.clone(), after(life)).await.unwrap();
                assert_eq!(written, !model.records.contains_key(&id));
                if written {
                    model.write(id, value, after(life), subject.store().get(&key(id)).await.unwrap(), now);
                }
            }
            Step::Swap(id, latest, value, life) => {
                let present = model.records.get(&id).map(|(_, version, _)| *version);
                let version = if latest { present } else { None }.or(model.stale.get(&id).copied()).unwrap_or(Version(7));
                let written = subject.store().compare_and_swap(key(id), version, value.clone(), after(life)).await.unwrap();
                assert_eq!(written, present == Some(version));
                if written {
                    model.write(id, value, after(life), subject.store().get(&key(id)).await.unwrap(), now);
                }
            }
            Step::Take(id, tombstone) => {
                let taken = subject.store().take(key(id), tombstone.clone()).await.unwrap();
                assert_eq!(taken.as_ref(), model.records.get(&id).map(|(value, _, _)| value));
                if let (Some(tombstone), Some((_, _, expires))) = (tombstone, model.records.get(&id)) {
                    model.write(id, tombstone, *expires, subject.store().get(&key(id)).await.unwrap(), now);
                } else if let Some((_, version, _)) = model.records.remove(&id) {
                    model.stale.insert(id, version);
                }
            }
            Step::Delete(id) => {
                let gone = model.records.remove(&id);
                assert_eq!(subject.store().delete(key(id)).await.unwrap(), gone.is_some());
                model.stale.extend(gone.map(|(_, version, _)| (id, version)));
            }
            Step::Add(owner, member, life) => {
                subject.store().index_add(index(owner), vec![member], after(life)).await.unwrap();
                model.members.insert((owner, member), after(life));
            }
            Step::Remove(owner, member) => {
                subject.store().index_remove(index(owner), vec![member]).await.unwrap();
                model.members.remove(&(owner, member));
            }
            Step::Wait(seconds) => clock.advance(Duration::from_secs(seconds)),
            Step::Sweep => subject.sweep().await,
            Step::Restart => subject.restart(&clock).await,
        }
        compare(subject.store(), &mut model, clock.now()).await;
    }
    // In the end everything is swept that can be.
    clock.advance(Duration::from_secs(10_000));
    subject.sweep().await;
    model.expire(clock.now());
    if let Subject::Embedded(_, Some(store)) = &subject {
        assert_eq!(store.counts(), [model.records.len() as u64, model.members.len() as u64, 0]);
    }
}

async fn compare(store: &dyn Store, model: &mut Model, now: Timestamp) {
    model.expire(now);
    for id in 0..4 {
        let expected = model.records.get(&id);
        let stored = store.get(&key(id)).await.unwrap();
        assert_eq!(
            stored.as_ref().map(|stored| (&stored.value, stored.version, stored.expires)),
            expected.map(|(v, n, e)| (v, *n, *e))
        );
    }
    for owner in 0..2 {
        let expected: Vec<Vec<u8>> =
            model.members.range((owner, 0)..=(owner, 255)).map(|((_, member), _)| vec![*member]).collect();
        assert_eq!(store.index_list(&index(owner)).await.unwrap(), expected);
    }
}

fn run(steps: Vec<Step>, subject: impl FnOnce(Clock) -> Subject) {
    let clock = Clock::manual(10_000);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(play(steps, subject(clock.clone()), clock));
}

fn run_on_redis(steps: Vec<Step>, settings: meaning::Redis) {
    run(steps, |clock| {
        let opening = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = std::thread::scope(|scope| scope.spawn(|| opening.block_on(Redis::open(&settings, clock))).join().unwrap());
        Subject::Redis(settings, store.unwrap())
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_is_a_map(steps in prop::collection::vec(step(), 1..120)) {
        run(steps, |clock| Subject::Memory(Memory::new(clock)));
    }

    #[test]
    fn embedded_is_a_map(steps in prop::collection::vec(step(), 1..80)) {
        run(steps, |clock| {
            let disk = Disk::default();
            let store = disk.open(clock);
            Subject::Embedded(disk, Some(store))
        });
    }
}

proptest! {
    // Every step is many round trips.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redis_is_a_map(steps in prop::collection::vec(step(), 1..80)) {
        run_on_redis(steps, rig::redis());
    }

    #[test]
    fn a_cluster_is_a_map(steps in prop::collection::vec(step(), 1..60)) {
        run_on_redis(steps, rig::cluster());
    }
}
