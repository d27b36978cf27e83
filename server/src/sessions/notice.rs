//! Logout notices: which client is to be told, server to server, that a session has ended. One record each, kept until it is
//! delivered or given up, so that a crash forgets none. Owns the queue; must not know how a client is reached.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::record::Session;
use crate::clients::Clients;
use crate::foundation::{Clock, Digest, Timestamp};
use crate::storage::{Index, IndexKind, Key, Kind, SharedStore, StorageError, Stored};
use crate::tokens::session_id::SessionId;

/// Longer than any notice is tried: its giver-up deletes it, this is for one that nobody looks after.
const LIFETIME: Duration = Duration::from_hours(24 * 31);

/// How long a notice may wait for the session to end that it tells of, and an entry of the queue for its record. Both are written before.
const UNFINISHED: Duration = Duration::from_mins(1);

/// A client that takes part in a session, and the `sid` that its ID tokens have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Participant {
    /// The client.
    pub client_id: String,
    /// What it calls the session.
    pub sid: SessionId,
}

impl Participant {
    /// Those who were granted something in the session itself.
    pub fn of(id: SessionId, session: &Session) -> impl Iterator<Item = Self> {
        session.apps.keys().map(move |client_id| Self { client_id: client_id.clone(), sid: id })
    }
}

/// One client to be told of one session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Notice {
    /// Whom to tell.
    pub client_id: String,
    /// The person.
    pub sub: String,
    /// The session as the client knows it.
    pub sid: SessionId,
    /// The session whose end is told: the same, or the browser session in which that was granted.
    pub ended: SessionId,
    /// When it ended.
    pub since: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Not to be tried before.
    pub due: Timestamp,
}

/// A notice that this server alone delivers, until it is due again.
#[derive(Debug)]
pub struct Claimed {
    /// What to tell.
    pub notice: Notice,
    member: Vec<u8>,
}

/// The queue. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notices {
    store: SharedStore,
    clock: Clock,
    clients: Clients,
    /// Not to be read again before, by member of the queue: what is waited for on purpose is not asked for every second.
    resting: Arc<Mutex<BTreeMap<Vec<u8>, Timestamp>>>,
    wake: Arc<Notify>,
}

impl Notices {
    /// The queue of a store, for clients of this directory.
    #[must_use]
    pub fn new(store: SharedStore, clock: Clock, clients: Clients) -> Self {
        Self { store, clock, clients, resting: Arc::default(), wake: Arc::default() }
    }

    /// Notes whom to tell that a session ends. Called before it is ended, so that a crash in between loses nothing: a notice whose session
    /// goes on is dropped.
    ///
    /// # Errors
    /// When the store fails; then the session must not be ended.
    pub(super) async fn announce(&self, ended: SessionId, sub: &str, participants: &[Participant]) -> Result<(), StorageError> {
        for Participant { client_id, sid } in participants {
            let client = self.clients.find(client_id).await?;
            if client.is_none_or(|client| client.logout.back_channel.is_none()) {
                continue;
            }
            let now = self.clock.now();
            let notice =
                Notice { client_id: client_id.clone(), sub: sub.to_owned(), sid: *sid, ended, since: now, attempts: 0, due: now };
            let member = member(&notice);
            let expires = Some(now.plus(LIFETIME));
            // The entry first: one without a record goes by itself, a record without an entry would never be found.
            self.store.index_add(queue(), member.clone(), expires).await?;
            // One that waits already says the same.
            self.store.insert(key(&member), Kind::LogoutNotice.write_json(&notice)?, expires).await?;
        }
        Ok(())
    }

    /// Whether there is a client of that name which stood when something was issued to it.
    pub(super) async fn client_stood_at(&self, client_id: &str, issued: Timestamp) -> Result<bool, StorageError> {
        let client = self.clients.find(client_id).await?;
        Ok(client.is_some_and(|client| client.stood_at(issued)))
    }

    /// Lets the deliverer of this server look at once.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until something was announced at this server.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// The notices that are due, each claimed for this server until `lease` has passed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn claim_due(&self, lease: Duration) -> Result<Vec<Claimed>, StorageError> {
        let members = self.store.index_list(&queue()).await?;
        self.resting().retain(|member, _| members.binary_search(member).is_ok());
        let mut claimed = Vec::new();
        for member in members {
            let now = self.clock.now();
            if self.resting().get(&member).is_some_and(|until| now < *until) {
                continue;
            }
            let Some(stored) = self.store.get(&key(&member)).await? else {
                self.prune(member, now).await?;
                continue;
            };
            let notice: Notice = Kind::LogoutNotice.read_json(&stored.value)?;
            if now < notice.due {
                self.resting().insert(member, notice.due);
            } else if self.lives(notice.ended).await? {
                if now.since(notice.since) >= UNFINISHED {
                    self.forget(member).await?;
                }
            } else if let Some(notice) = self.put_off(&member, stored, notice, now.plus(lease)).await? {
                claimed.push(Claimed { notice, member });
            }
        }
        Ok(claimed)
    }

    /// The client was told, or will not be told.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn finish(&self, claimed: Claimed) -> Result<(), StorageError> {
        self.forget(claimed.member).await
    }

    /// It did not work: again after `pause`.
    ///
    /// # Errors
    /// When the store fails; then it is tried again when the claim is over.
    pub async fn again(&self, claimed: Claimed, pause: Duration) -> Result<(), StorageError> {
        let Claimed { notice, member } = claimed;
        let Some(stored) = self.store.get(&key(&member)).await? else { return Ok(()) };
        let notice = Notice { attempts: notice.attempts + 1, ..notice };
        self.put_off(&member, stored, notice, self.clock.now().plus(pause)).await.map(drop)
    }

    /// Writes a notice back with another time; `None` when another server was faster.
    async fn put_off(
        &self,
        member: &[u8],
        stored: Stored,
        notice: Notice,
        due: Timestamp,
    ) -> Result<Option<Notice>, StorageError> {
        let notice = Notice { due, ..notice };
        let value = Kind::LogoutNotice.write_json(&notice)?;
        let written = self.store.compare_and_swap(key(member), stored.version, value, stored.expires).await?;
        if written {
            self.resting().insert(member.to_vec(), due);
        }
        Ok(written.then_some(notice))
    }

    async fn lives(&self, session: SessionId) -> Result<bool, StorageError> {
        Ok(self.store.get(&Key::new(Kind::Session, session.as_bytes())).await?.is_some())
    }

    async fn prune(&self, member: Vec<u8>, now: Timestamp) -> Result<(), StorageError> {
        let since = member.first_chunk::<8>().map_or(Timestamp(0), |bytes| Timestamp(u64::from_be_bytes(*bytes)));
        if now.since(since) < UNFINISHED {
            return Ok(());
        }
        self.store.index_remove(queue(), member).await
    }

    async fn forget(&self, member: Vec<u8>) -> Result<(), StorageError> {
        // What is announced again within the same second has the same name.
        self.resting().remove(&member);
        self.store.delete(key(&member)).await?;
        self.store.index_remove(queue(), member).await
    }

    fn resting(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Timestamp>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a notice in the queue: when it came, so that the oldest are first, and whom it tells of what.
fn member(notice: &Notice) -> Vec<u8> {
    let told = Digest::of(format!("{}\0{}", notice.sid, notice.client_id));
    [&notice.since.0.to_be_bytes()[..], told.as_bytes()].concat()
}

/// The same client is told of the same session once, however often that is announced meanwhile.
fn key(member: &[u8]) -> Key {
    Key::new(Kind::LogoutNotice, member.get(8..).unwrap_or_default())
}

fn queue() -> Index {
    Index::new(IndexKind::LogoutNotices, "")
}

/// Whether a stored notice can be read.
///
/// # Errors
/// Why not.
pub fn check(bytes: &[u8]) -> Result<(), StorageError> {
    Kind::LogoutNotice.read_json::<Notice>(bytes).map(drop)
}
