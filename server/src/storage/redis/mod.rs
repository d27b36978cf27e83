//! The backend for many servers: a Redis, alone, watched by sentinels, or a cluster. Owns the crate `redis`; knows bytes and
//! lifetimes, not what they mean.
//!
//! A record is one string and an index one sorted set, each with its whole name in one slot. A read is one command; a change is
//! one script, carried out alone and as a whole. Everything that speaks to Redis lives in a runtime of its own: the HTTP workers
//! each have one, and a connection belongs to the one that made it.

mod cluster;
mod connect;
mod link;
mod node;
mod record;
#[cfg(test)]
pub(in crate::storage) mod rig;
mod scripts;
mod sentinel;
mod server;
mod slots;
#[cfg(test)]
mod tests;
mod topology;
mod trouble;
mod walk;

use std::sync::Arc;
use std::thread;

use redis::{Value, cmd, from_redis_value};
use tokio::runtime::{self, Handle};
use tokio::sync::{Semaphore, TryAcquireError, oneshot};

use self::connect::Access;
use self::scripts::Script;
use self::topology::{Request, Topology};
use self::trouble::Trouble;
use self::walk::Walk;
use super::snapshot::Snapshot;
use super::{Index, Key, Outcome, StorageError, Store, Stored, Version, check_size};
use crate::foundation::{Clock, Timestamp};
use crate::settings::meaning;

/// At most this many operations wait for Redis; more are refused, so that a stalled Redis cannot fill the memory.
const MOST_WAITING: u32 = 16_384;

/// Why the store could not be opened: one sentence for an operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(String);

/// A store in Redis. An acknowledged write is where the settings say: in its memory and file, or with so many replicas as well.
#[derive(Debug)]
pub struct Redis {
    shared: Arc<Shared>,
    runtime: Handle,
    /// Dropped, it ends the runtime.
    _running: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    topology: Topology,
    prefix: String,
    clock: Clock,
    /// One permit for each operation; closed with the store.
    permits: Semaphore,
}

impl Redis {
    /// Connects, and looks whether the servers can keep what we promise. Records expire by `clock`.
    ///
    /// # Errors
    /// One sentence for an operator: who cannot be reached, or what must be changed there.
    pub async fn open(settings: &meaning::Redis, clock: Clock) -> Result<Self, OpenError> {
        let access = Arc::new(Access::new(settings.clone()).map_err(OpenError)?);
        let (handle, running) = start().map_err(|error| OpenError(format!("the thread for Redis cannot be started: {error}")))?;
        let opening = handle.spawn(Topology::open(access));
        let topology = opening.await.map_err(|error| OpenError(error.to_string()))?.map_err(OpenError)?;
        let permits = Semaphore::new(MOST_WAITING as usize);
        let shared = Arc::new(Shared { topology, prefix: settings.prefix.clone(), clock, permits });
        Ok(Self { shared, runtime: handle, _running: running })
    }

    /// Carries an operation out in the runtime of the connections, from its first poll on, to its end whatever becomes of the
    /// caller.
    fn run<'a, T, F>(&'a self, operation: impl FnOnce(Arc<Shared>) -> F + Send + 'a) -> Outcome<'a, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        Box::pin(async move {
            let shared = Arc::clone(&self.shared);
            let operation = operation(Arc::clone(&shared));
            let task = self.runtime.spawn(async move {
                let _permit = shared.permits.try_acquire().map_err(|refusal| {
                    StorageError::Unavailable(match refusal {
                        TryAcquireError::Closed => "it was closed".to_owned(),
                        TryAcquireError::NoPermits => "too many operations wait for Redis".to_owned(),
                    })
                })?;
                operation.await.map_err(StorageError::from)
            });
            // A task is lost only with the runtime, that is when the store is dropped.
            task.await.unwrap_or_else(|_| Err(StorageError::Unavailable("it was closed".to_owned())))
        })
    }

    fn change<'a, T: Send + 'static>(
        &'a self,
        script: Script,
        key: &Key,
        arguments: impl FnOnce(Timestamp) -> Vec<Vec<u8>> + Send + 'static,
        answer: fn(Value) -> Result<T, Trouble>,
    ) -> Outcome<'a, T> {
        let name = record::name_of(&self.shared.prefix, key);
        self.run(move |shared| async move {
            let arguments = arguments(shared.clock.now());
            answer(shared.topology.send(&Request::Script { script, key: name, arguments }).await?)
        })
    }
}

/// A runtime on a thread of its own, which ends when the sender is dropped.
fn start() -> std::io::Result<(Handle, oneshot::Sender<()>)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (running, ended) = oneshot::channel::<()>();
    thread::Builder::new().name("store-redis".to_owned()).spawn(move || {
        // An error is the end of the sender, which is what is waited for.
        drop(runtime.block_on(ended));
    })?;
    Ok((handle, running))
}

fn yes_or_no(answer: Value) -> Result<bool, Trouble> {
    match answer {
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        other => Err(Trouble::Damaged(format!("Redis answered a script with {other:?}"))),
    }
}

fn text(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

impl Store for Redis {
    fn get<'a>(&'a self, key: &'a Key) -> Outcome<'a, Option<Stored>> {
        self.run(move |shared| {
            let key = record::name_of(&shared.prefix, key);
            async move {
                let command = cmd("GET").arg(&key).to_owned();
                let Value::BulkString(bytes) = shared.topology.send(&Request::Read { key, command }).await? else {
                    return Ok(None);
                };
                let stored = record::read(bytes)?;
                Ok(Some(stored).filter(|stored| stored.expires.is_none_or(|expires| expires > shared.clock.now())))
            }
        })
    }

    fn settle<'a>(&'a self, key: &'a Key) -> Outcome<'a, ()> {
        if !self.shared.topology.waits_for_replicas() {
            return Box::pin(std::future::ready(Ok(())));
        }
        self.change(Script::Settle, key, |now| vec![text(now.0)], |_| Ok(()))
    }

    fn insert(&self, key: Key, value: Vec<u8>, expires: Option<Timestamp>) -> Outcome<'_, bool> {
        if let Err(error) = check_size(&[key.as_bytes()], &value) {
            return refuse(error);
        }
        let bytes = record::write(record::new_version(), &value, expires);
        let arguments = move |now: Timestamp| vec![text(now.0), bytes, text(record::lifetime(expires, now))];
        self.change(Script::Insert, &key, arguments, yes_or_no)
    }

    fn compare_and_swap(&self, key: Key, version: Version, value: Vec<u8>, expires: Option<Timestamp>) -> Outcome<'_, bool> {
        if let Err(error) = check_size(&[key.as_bytes()], &value) {
            return refuse(error);
        }
        let bytes = record::write(record::new_version(), &value, expires);
        let read = version.0.to_be_bytes().to_vec();
        let arguments = move |now: Timestamp| vec![text(now.0), bytes, text(record::lifetime(expires, now)), read];
        self.change(Script::Swap, &key, arguments, yes_or_no)
    }

    fn take(&self, key: Key, tombstone: Option<Vec<u8>>) -> Outcome<'_, Option<Vec<u8>>> {
        if let Err(error) = check_size(&[key.as_bytes()], tombstone.as_deref().unwrap_or_default()) {
            return refuse(error);
        }
        let arguments = move |now: Timestamp| {
            let version = record::new_version().to_vec();
            [text(now.0), version].into_iter().chain(tombstone).collect()
        };
        self.change(Script::Take, &key, arguments, |taken| match taken {
            Value::BulkString(bytes) => record::read(bytes).map(|stored| Some(stored.value)),
            _ => Ok(None),
        })
    }

    fn delete(&self, key: Key) -> Outcome<'_, bool> {
        self.change(Script::Delete, &key, |now| vec![text(now.0)], yes_or_no)
    }

    fn index_add(&self, index: Index, member: Vec<u8>, expires: Option<Timestamp>) -> Outcome<'_, ()> {
        if let Err(error) = check_size(&[index.as_bytes(), &member], &[]) {
            return refuse(error);
        }
        self.run(move |shared| async move {
            let key = record::name_of_index(&shared.prefix, &index);
            let now = text(shared.clock.now().0);
            let score = record::score(expires).into_bytes();
            let arguments = vec![now, score, member, text(record::LONGEST), text(record::SLACK)];
            shared.topology.send(&Request::Script { script: Script::AddMember, key, arguments }).await.map(drop)
        })
    }

    fn index_list<'a>(&'a self, index: &'a Index) -> Outcome<'a, Vec<Vec<u8>>> {
        self.run(move |shared| {
            let key = record::name_of_index(&shared.prefix, index);
            async move {
                let after = format!("({}", shared.clock.now().0);
                let command = cmd("ZRANGEBYSCORE").arg(&key).arg(after).arg("+inf").to_owned();
                let answer = shared.topology.send(&Request::Read { key, command }).await?;
                let mut members: Vec<Vec<u8>> =
                    from_redis_value(answer).map_err(|error| Trouble::Damaged(format!("an index is no list: {error}")))?;
                members.sort_unstable();
                Ok(members)
            }
        })
    }

    fn index_remove(&self, index: Index, member: Vec<u8>) -> Outcome<'_, ()> {
        self.run(move |shared| async move {
            let key = record::name_of_index(&shared.prefix, &index);
            let command = cmd("ZREM").arg(&key).arg(member).to_owned();
            shared.topology.send(&Request::Write { key, command }).await.map(drop)
        })
    }

    fn snapshot(&self) -> Outcome<'_, Box<dyn Snapshot>> {
        let runtime = self.runtime.clone();
        // Nothing is asked yet, but a closed store has none.
        self.run(move |shared| async move { Ok(Box::new(Walk::begin(shared, runtime)) as Box<dyn Snapshot>) })
    }

    fn ready(&self) -> Outcome<'_, ()> {
        self.run(|shared| async move { shared.topology.probe(&shared.prefix).await })
    }

    fn close(&self) -> Outcome<'_, ()> {
        Box::pin(async move {
            // Every permit back means that nothing runs any more; closed already means the same.
            if let Ok(all) = self.shared.permits.acquire_many(MOST_WAITING).await {
                self.shared.permits.close();
                drop(all);
            }
            Ok(())
        })
    }
}

fn refuse<'a, T: Send + 'a>(error: StorageError) -> Outcome<'a, T> {
    Box::pin(std::future::ready(Err(error)))
}
