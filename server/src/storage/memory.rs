//! The backend that forgets: for tests and `--ephemeral`. Owns nothing but a map; must behave as the durable ones do.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::snapshot::{Entry, Snapshot};
use super::{Index, Key, Outcome, StorageError, Store, Stored, Version, check_size};
use crate::foundation::{Clock, Timestamp, random};

/// A store in the memory of this process. Everything is lost when it is dropped.
#[derive(Debug)]
pub struct Memory {
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    records: BTreeMap<Key, Stored>,
    indexes: BTreeMap<Index, BTreeMap<Vec<u8>, Option<Timestamp>>>,
    /// Changes still to come before the expired are removed again.
    changes_left: usize,
    closed: bool,
}

/// How many changes there are at least between two removals of the expired.
const SWEEP_AFTER: usize = 1024;

impl Memory {
    /// An empty store whose records expire by `clock`.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, kept: Mutex::default() }
    }

    /// The map, unless the store was closed.
    fn open(&self) -> Result<MutexGuard<'_, Kept>, StorageError> {
        // No code of ours panics half way through a change, so what a poisoned lock guards is whole.
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.closed { Err(StorageError::Unavailable("it was closed".to_owned())) } else { Ok(kept) }
    }

    /// The map for a change, without the expired once enough changes were made to pay for looking.
    fn open_for_change(&self) -> Result<(MutexGuard<'_, Kept>, Timestamp), StorageError> {
        let now = self.clock.now();
        let mut kept = self.open()?;
        match kept.changes_left.checked_sub(1) {
            Some(left) => kept.changes_left = left,
            None => kept.sweep(now),
        }
        Ok((kept, now))
    }
}

impl Kept {
    fn sweep(&mut self, now: Timestamp) {
        self.records.retain(|_, stored| alive(stored.expires, now));
        self.indexes.retain(|_, members| {
            members.retain(|_, expires| alive(*expires, now));
            !members.is_empty()
        });
        // As many changes as there are records pay for looking at each of them.
        self.changes_left = self.records.len().max(SWEEP_AFTER);
    }

    /// The record at `key`, if it is there and has not expired.
    fn live(&mut self, key: &Key, now: Timestamp) -> Option<&mut Stored> {
        self.records.get_mut(key).filter(|stored| alive(stored.expires, now))
    }
}

fn alive(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_none_or(|expires| expires > now)
}

impl Store for Memory {
    fn get<'a>(&'a self, key: &'a Key) -> Outcome<'a, Option<Stored>> {
        Box::pin(async move { Ok(self.open()?.live(key, self.clock.now()).cloned()) })
    }

    fn insert(&self, key: Key, value: Vec<u8>, expires: Option<Timestamp>) -> Outcome<'_, bool> {
        Box::pin(async move {
            check_size(&[key.as_bytes()], &value)?;
            let (mut kept, now) = self.open_for_change()?;
            if kept.live(&key, now).is_some() {
                return Ok(false);
            }
            let version = Version(u64::from_le_bytes(random::bytes()));
            kept.records.insert(key, Stored { value, version, expires });
            Ok(true)
        })
    }

    fn compare_and_swap(&self, key: Key, version: Version, value: Vec<u8>, expires: Option<Timestamp>) -> Outcome<'_, bool> {
        Box::pin(async move {
            check_size(&[key.as_bytes()], &value)?;
            let (mut kept, now) = self.open_for_change()?;
            let Some(stored) = kept.live(&key, now).filter(|stored| stored.version == version) else {
                return Ok(false);
            };
            *stored = Stored { value, version: Version(version.0.wrapping_add(1)), expires };
            Ok(true)
        })
    }

    fn take(&self, key: Key, tombstone: Option<Vec<u8>>) -> Outcome<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            check_size(&[key.as_bytes()], tombstone.as_deref().unwrap_or_default())?;
            let (mut kept, now) = self.open_for_change()?;
            let Some(stored) = kept.live(&key, now) else { return Ok(None) };
            if let Some(tombstone) = tombstone {
                stored.version = Version(stored.version.0.wrapping_add(1));
                return Ok(Some(std::mem::replace(&mut stored.value, tombstone)));
            }
            Ok(kept.records.remove(&key).map(|stored| stored.value))
        })
    }

    fn delete(&self, key: Key) -> Outcome<'_, bool> {
        Box::pin(async move {
            let (mut kept, now) = self.open_for_change()?;
            Ok(kept.records.remove(&key).is_some_and(|stored| alive(stored.expires, now)))
        })
    }

    fn index_add(&self, index: Index, member: Vec<u8>, expires: Option<Timestamp>) -> Outcome<'_, ()> {
        Box::pin(async move {
            check_size(&[index.as_bytes(), &member], &[])?;
            let (mut kept, _) = self.open_for_change()?;
            kept.indexes.entry(index).or_default().insert(member, expires);
            Ok(())
        })
    }

    fn index_list<'a>(&'a self, index: &'a Index) -> Outcome<'a, Vec<Vec<u8>>> {
        Box::pin(async move {
            let now = self.clock.now();
            let kept = self.open()?;
            let members = kept.indexes.get(index).into_iter().flatten();
            Ok(members.filter(|(_, expires)| alive(**expires, now)).map(|(member, _)| member.clone()).collect())
        })
    }

    fn index_remove(&self, index: Index, member: Vec<u8>) -> Outcome<'_, ()> {
        Box::pin(async move {
            let (mut kept, _) = self.open_for_change()?;
            if let Some(members) = kept.indexes.get_mut(&index) {
                members.remove(&member);
                if members.is_empty() {
                    kept.indexes.remove(&index);
                }
            }
            Ok(())
        })
    }

    fn snapshot(&self) -> Outcome<'_, Box<dyn Snapshot>> {
        Box::pin(async move {
            let kept = self.open()?;
            let record = |(key, stored): (&Key, &Stored)| Entry::Record {
                key: key.clone(),
                value: stored.value.clone(),
                expires: stored.expires,
            };
            let members = kept.indexes.iter().flat_map(|(index, members)| {
                let member = |(member, expires): (&Vec<u8>, &Option<Timestamp>)| Entry::Member {
                    index: index.clone(),
                    member: member.clone(),
                    expires: *expires,
                };
                members.iter().map(member)
            });
            Ok(Box::new(Taken(kept.records.iter().map(record).chain(members).collect())) as Box<dyn Snapshot>)
        })
    }

    fn ready(&self) -> Outcome<'_, ()> {
        Box::pin(async move { self.open().map(drop) })
    }

    fn close(&self) -> Outcome<'_, ()> {
        Box::pin(async move {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            *kept = Kept { closed: true, ..Kept::default() };
            Ok(())
        })
    }
}

/// Everything at once: what fits into memory twice needs no pages.
struct Taken(Vec<Entry>);

impl Snapshot for Taken {
    fn next(&mut self) -> Outcome<'_, Vec<Entry>> {
        Box::pin(std::future::ready(Ok(std::mem::take(&mut self.0))))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::storage::Kind;

    #[tokio::test]
    async fn the_expired_do_not_pile_up() {
        let clock = Clock::manual(1000);
        let store = Memory::new(clock.clone());
        for round in 0..10_u32 {
            for id in 0..1000_u32 {
                let key = Key::new(Kind::Code, (round * 1000 + id).to_be_bytes());
                assert!(store.insert(key, vec![0; 8], Some(clock.now().plus(Duration::from_secs(10)))).await.unwrap());
            }
            clock.advance(Duration::from_secs(20));
        }
        let kept = store.open().unwrap().records.len();
        assert!(kept <= 4 * SWEEP_AFTER, "{kept} records were kept");
    }
}
