//! Reading, changing and ending sessions in the store.

use std::time::Duration;

use super::device::VerifiedDevice;
use super::notice::{Notices, Participant};
use super::record::Session;
use crate::foundation::{Clock, Secret, Timestamp};
use crate::storage::{Index, IndexKind, Key, Kind, SharedStore, StorageError, Version};
use crate::tokens::handle::{HandleKind, SessionHandle};
use crate::tokens::session_id::SessionId;

/// Room for the record of a device with a few apps, in bytes, so that writing one does not grow its buffer step by step.
const USUAL_RECORD: usize = 4096;

/// How old an index entry must be before it is pruned for having no session.
const PRUNE_AFTER: Duration = Duration::from_mins(1);

/// A living session as it was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Its id.
    pub id: SessionId,
    version: Version,
    /// What the record said. Boxed, because it is handed from state to state of every request.
    pub session: Box<Session>,
}

/// What to do with a session that was read for change.
#[derive(Debug)]
pub enum Change<T> {
    /// Write it back and return the value.
    Write(T),
    /// Leave it as it is and return the value.
    Keep(T),
    /// It is already as it should be: leave it, see that it stays so, and return the value.
    Settle(T),
    /// End it and return the value.
    End(T),
}

/// A session that has just ended.
#[derive(Debug)]
pub struct Ended {
    /// What its record said.
    pub session: Session,
    /// The clients that took part in it.
    pub participants: Vec<Participant>,
}

/// The sessions of the store.
#[derive(Debug, Clone)]
pub struct Sessions {
    store: SharedStore,
    clock: Clock,
    notices: Option<Notices>,
}

impl Sessions {
    /// The sessions kept in `store`.
    #[must_use]
    pub const fn new(store: SharedStore, clock: Clock) -> Self {
        Self { store, clock, notices: None }
    }

    /// The same, telling the clients of each session that ends.
    #[must_use]
    pub fn telling(self, notices: Notices) -> Self {
        Self { notices: Some(notices), ..self }
    }

    /// The queue of those who are to be told, where there is one.
    #[must_use]
    pub const fn notices(&self) -> Option<&Notices> {
        self.notices.as_ref()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Reads a living session: one that grew from another lives no longer than that.
    ///
    /// # Errors
    /// When the store fails or the record cannot be read.
    pub async fn find(&self, id: SessionId) -> Result<Option<Loaded>, StorageError> {
        let Some(loaded) = self.read(id).await? else { return Ok(None) };
        if loaded.session.parent.is_some() && !Box::pin(self.is_carried(&loaded.session)).await? {
            return Ok(None);
        }
        Ok(Some(loaded))
    }

    /// Reads a session that has not expired, whatever became of what it grew from.
    pub(super) async fn read(&self, id: SessionId) -> Result<Option<Loaded>, StorageError> {
        let Some(stored) = self.store.get(&key(id)).await? else { return Ok(None) };
        let session = decode(&stored.value)?;
        Ok(session.is_alive(self.clock.now()).then_some(Loaded { id, version: stored.version, session: Box::new(session) }))
    }

    /// Recognises a device secret as presented by a client; `None` = it is worth nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn verify_device_secret(&self, text: &Secret<String>) -> Result<Option<VerifiedDevice>, StorageError> {
        let Some(handle) = SessionHandle::parse(HandleKind::DeviceSecret, text.expose()) else { return Ok(None) };
        let Some(loaded) = self.find(handle.session).await? else { return Ok(None) };
        Ok(VerifiedDevice::check(loaded, &handle, text.clone(), self.clock.now()))
    }

    /// Stores a new session. The subject's index is written first: an entry without a session is pruned when read, a
    /// session without an entry could never be found by its person.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn create(&self, id: SessionId, session: &Session) -> Result<(), StorageError> {
        self.index(id, session).await?;
        if self.store.insert(key(id), encode(session)?, session.ends()).await? {
            Ok(())
        } else {
            // 80 random bits beside the millisecond: a collision means that randomness is broken.
            Err(StorageError::Damaged("a new session id was already taken".to_owned()))
        }
    }

    /// Enters a session among those of its person, for as long as it may live.
    async fn index(&self, id: SessionId, session: &Session) -> Result<(), StorageError> {
        let index = Index::new(IndexKind::SessionsOfSubject, &session.sub);
        self.store.index_add(index, id.as_bytes().to_vec(), session.ends_at_latest()).await
    }

    /// Reads a living session and [`change`](Self::change)s it. `None` when there is no such living session.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn update<T, F>(&self, id: SessionId, change: F) -> Result<Option<T>, StorageError>
    where
        F: FnMut(&mut Session, Timestamp) -> Change<T>,
    {
        match self.find(id).await? {
            Some(loaded) => self.change(loaded, change).await,
            None => self.settle(id).await.map(|()| None),
        }
    }

    /// Lets `change` decide about a session as it was read, and writes the result with one compare-and-swap; reads again
    /// and starts over when somebody else was faster. `None` when the session has ended meanwhile.
    ///
    /// # Errors
    /// When the store fails.
    // What is rarely awaited here and in `find` is boxed: else the state of every request would have room for it, and is copied.
    pub async fn change<T, F>(&self, loaded: Loaded, mut change: F) -> Result<Option<T>, StorageError>
    where
        F: FnMut(&mut Session, Timestamp) -> Change<T>,
    {
        let mut next = Some(loaded);
        while let Some(Loaded { id, version, mut session }) = next {
            let latest = session.ends_at_latest();
            let had = session.grown.then(|| session.grant_ids().cloned().collect::<Vec<_>>());
            match change(&mut session, self.clock.now()) {
                Change::Keep(value) => return Ok(Some(value)),
                Change::Settle(value) => {
                    self.settle(id).await?;
                    // Whoever was to end what grew from it may have been cut off.
                    if session.grown {
                        Box::pin(self.end_uncarried(id, &session.sub)).await?;
                    }
                    return Ok(Some(value));
                }
                Change::End(value) => {
                    // What `change` took away from the copy takes part until now.
                    Box::pin(self.end(id)).await?;
                    return Ok(Some(value));
                }
                Change::Write(value) => {
                    if session.ends_at_latest() != latest {
                        // Renewed: the entry must live as long as the session, and is written first as in `create`.
                        Box::pin(self.index(id, &session)).await?;
                    }
                    if self.store.compare_and_swap(key(id), version, encode(&session)?, session.ends()).await? {
                        if had.is_some_and(|had| had.iter().any(|grant| !session.has_grant(grant))) {
                            Box::pin(self.end_uncarried(id, &session.sub)).await?;
                        }
                        return Ok(Some(value));
                    }
                }
            }
            next = Box::pin(self.find(id)).await?;
        }
        Ok(None)
    }

    /// Ends a session: with its record go all its apps, refresh tokens and secrets. Its clients are told, where they want to be. Says
    /// which session it was.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end(&self, id: SessionId) -> Result<Option<Session>, StorageError> {
        Ok(self.end_of(id).await?.map(|ended| ended.session))
    }

    /// The same, with the clients that took part.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_of(&self, id: SessionId) -> Result<Option<Ended>, StorageError> {
        let Some(loaded) = self.read(id).await? else { return self.settle(id).await.map(|()| None) };
        let mut participants = self.participants(&loaded).await?;
        if let Some(notices) = &self.notices {
            notices.announce(id, &loaded.session.sub, &participants).await?;
        }
        // Taken and not deleted: an app may have joined meanwhile.
        let last = self.forget(id, &loaded.session.sub).await?;
        if loaded.session.grown {
            self.forget_grown(id, &loaded.session.sub).await?;
        }
        let Some(last) = last else { return Ok(None) };
        let session = decode(&last).unwrap_or(*loaded.session);
        let late: Vec<Participant> = Participant::of(id, &session).filter(|late| !participants.contains(late)).collect();
        if let Some(notices) = &self.notices {
            notices.announce(id, &session.sub, &late).await?;
            notices.wake();
        }
        participants.extend(late);
        Ok(Some(Ended { session, participants }))
    }

    /// Takes a session's record and its entry; gives the record.
    pub(super) async fn forget(&self, id: SessionId, sub: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let last = self.store.take(key(id), None).await?;
        let index = Index::new(IndexKind::SessionsOfSubject, sub);
        self.store.index_remove(index, id.as_bytes().to_vec()).await?;
        Ok(last)
    }

    /// Waits until what was read of a session, or that it has ended, holds for good: before somebody is told that it is done.
    ///
    /// # Errors
    /// When the store fails, or may still lose it.
    pub async fn settle(&self, id: SessionId) -> Result<(), StorageError> {
        self.store.settle(&key(id)).await
    }

    /// The living sessions of a person, oldest first. Entries without a session are pruned on the way.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of_subject(&self, sub: &str) -> Result<Vec<Loaded>, StorageError> {
        let mut found = Vec::new();
        for id in self.entries(sub).await? {
            match self.find(id).await? {
                Some(loaded) => found.push(loaded),
                // The session of a fresh entry may be on its way to the store.
                None if self.clock.now().since(id.created()) < PRUNE_AFTER => {}
                None => {
                    self.settle(id).await?;
                    let index = Index::new(IndexKind::SessionsOfSubject, sub);
                    self.store.index_remove(index, id.as_bytes().to_vec()).await?;
                }
            }
        }
        Ok(found)
    }

    /// The sessions in the index of a person, of which some may have ended.
    pub(super) async fn entries(&self, sub: &str) -> Result<Vec<SessionId>, StorageError> {
        let members = self.store.index_list(&Index::new(IndexKind::SessionsOfSubject, sub)).await?;
        let ids = members.into_iter().filter_map(|member| <[u8; 16]>::try_from(member.as_slice()).ok());
        Ok(ids.map(SessionId::from_bytes).collect())
    }

    /// Ends all sessions of a person; tells `ended` of each. Looks again until there are none: a session that was made
    /// from one of the others while that was being ended is found, or finds its origin gone.
    ///
    /// # Errors
    /// When the store fails; those already ended stay ended.
    pub async fn end_all_of(&self, sub: &str, ended: impl FnMut(SessionId)) -> Result<(), StorageError> {
        self.end_all_but(sub, &[], ended).await
    }

    /// The same, but for some.
    ///
    /// # Errors
    /// When the store fails; those already ended stay ended.
    pub async fn end_all_but(
        &self,
        sub: &str,
        spared: &[SessionId],
        mut ended: impl FnMut(SessionId),
    ) -> Result<(), StorageError> {
        loop {
            let mut any = false;
            // Those that have ended too, so that this is settled.
            for id in self.entries(sub).await? {
                if !spared.contains(&id) && self.end(id).await?.is_some() {
                    ended(id);
                    any = true;
                }
            }
            if !any {
                return Ok(());
            }
        }
    }
}

fn key(id: SessionId) -> Key {
    Key::new(Kind::Session, id.as_bytes())
}

fn encode(session: &Session) -> Result<Vec<u8>, StorageError> {
    let restamped;
    let session = if session.v == session.format() {
        session
    } else {
        restamped = Session { v: session.format(), ..session.clone() };
        &restamped
    };
    let mut record = Vec::with_capacity(USUAL_RECORD);
    match rmp_serde::encode::write_named(&mut record, session) {
        Ok(()) => Ok(record),
        Err(error) => Err(StorageError::Damaged(format!("a session cannot be written: {error}"))),
    }
}

/// Whether a stored session can be read.
///
/// # Errors
/// Why not.
pub fn check(bytes: &[u8]) -> Result<(), StorageError> {
    decode(bytes).map(drop)
}

fn decode(bytes: &[u8]) -> Result<Session, StorageError> {
    // No map of MessagePack begins with the byte of a brace.
    let mut session: Session = if bytes.first() == Some(&b'{') {
        Kind::Session.read_json(bytes)?
    } else {
        rmp_serde::from_slice(bytes).or_else(|error| {
            // One of a later release need not have our shape.
            Kind::Session.accept_head(rmp_serde::from_slice(bytes))?;
            Err(StorageError::Damaged(format!("a session cannot be read: {error}")))
        })?
    };
    Kind::Session.accept(session.v.into())?;
    session.v = session.format();
    Ok(session)
}

#[cfg(test)]
mod tests;
