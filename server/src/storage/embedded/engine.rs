//! The open database, who may use it, and what happens when it fails: it is closed, and opened again when that works.
//! Knows nothing of jobs.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, WriteTransaction};

use super::about;
use super::journal::Journal;
use super::source::{Files, OpenError, Source};
use super::tables::Applied;
use crate::storage::StorageError;

/// At most this many jobs wait for the committer; more are refused, so that a stalled disk cannot fill the memory.
const MOST_WAITING: usize = 16_384;

#[derive(Debug)]
pub(super) struct Engine {
    source: Source,
    state: RwLock<State>,
    waiting: AtomicUsize,
    /// The number of the last frame of the journal that is on the disk.
    synced: AtomicU64,
}

enum State {
    Open(Files),
    /// Can be read; why it cannot be written.
    ReadOnly(Files, String),
    Failed(String),
    /// Names in it are lost: what it says is not there may be there. Nothing but another file mends that.
    Damaged(String),
    Closed,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open(_) => f.write_str("Open"),
            Self::ReadOnly(_, reason) => write!(f, "ReadOnly({reason})"),
            Self::Failed(reason) => write!(f, "Failed({reason})"),
            Self::Damaged(reason) => write!(f, "Damaged({reason})"),
            Self::Closed => f.write_str("Closed"),
        }
    }
}

impl Engine {
    pub(super) fn open(source: Source) -> Result<Self, OpenError> {
        let files = source.open()?;
        let synced = AtomicU64::new(locked(&files).last());
        Ok(Self { source, state: RwLock::new(State::Open(files)), waiting: AtomicUsize::new(0), synced })
    }

    pub(super) fn not_opened(&self, reason: String) -> OpenError {
        self.source.failed(reason)
    }

    /// Counts one more job, or refuses it.
    pub(super) fn accept(&self) -> Result<(), StorageError> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < MOST_WAITING {
            return Ok(());
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Err(StorageError::Unavailable("too many writes are waiting for the disk".to_owned()))
    }

    /// The committer has taken a job off the queue.
    pub(super) fn taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many jobs wait in the queue.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another state in place; the old one (and the lock of the file with it) is gone when this returns.
    fn set(&self, state: State) {
        let mut slot = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *slot, state);
        // A database that failed may panic once more while it is dropped; nothing depends on it any longer.
        drop(catch_unwind(AssertUnwindSafe(move || drop(old))));
    }

    /// Reads as of the last commit.
    pub(super) fn read<T>(&self, reading: impl FnOnce(&Database) -> Applied<T>) -> Result<T, StorageError> {
        match &*self.state() {
            State::Open(files) | State::ReadOnly(files, _) => match catch_unwind(AssertUnwindSafe(|| reading(&files.database))) {
                Ok(Ok(answer)) => answer,
                Ok(Err(redb::Error::Corrupted(reason))) => Err(StorageError::Damaged(reason)),
                Ok(Err(error)) => Err(StorageError::Unavailable(error.to_string())),
                Err(_) => Err(StorageError::Damaged("the engine gave up on a page".to_owned())),
            },
            closed => Err(closed.refusal()),
        }
    }

    /// Begins the one write transaction; `None` when there is no database to write to. What it does must be in the journal before it
    /// is committed.
    pub(super) fn begin(&self) -> Result<Option<WriteTransaction>, redb::Error> {
        match &*self.state() {
            State::Open(files) => about::begin(&files.database).map(Some),
            State::ReadOnly(..) | State::Failed(_) | State::Damaged(_) | State::Closed => Ok(None),
        }
    }

    /// Puts into the journal what a transaction did; it is on the disk when this returns.
    pub(super) fn record(&self, effects: &[u8]) -> Result<(), redb::Error> {
        match &*self.state() {
            State::Open(files) => {
                let mut journal = locked(files);
                journal.append(effects).map_err(redb::Error::Io)?;
                self.synced.store(journal.last(), Ordering::Relaxed);
                Ok(())
            }
            _ => Err(redb::Error::Io(io::Error::other("there is no journal to write to"))),
        }
    }

    /// Whether the journal has become long.
    pub(super) fn has_much_to_settle(&self) -> bool {
        matches!(&*self.state(), State::Open(files) if locked(files).is_full())
    }

    /// Brings everything that was committed to the disk, so that the journal begins anew.
    pub(super) fn settle(&self) -> Result<(), redb::Error> {
        let State::Open(files) = &*self.state() else { return Ok(()) };
        let mut journal = locked(files);
        let transaction = about::begin_durable(&files.database)?;
        about::has(&transaction, journal.last())?;
        transaction.commit()?;
        journal.begin_anew();
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(&*self.state(), State::Open(_))
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(&*self.state(), State::Closed)
    }

    /// What a caller is told whose job was not done.
    pub(super) fn refusal(&self) -> StorageError {
        self.state().refusal()
    }

    /// Takes the database out of service: what it holds in memory is no longer to be trusted.
    pub(super) fn fail(&self, reason: &str) {
        tracing::error!(store = %self.source.path().display(), reason, "the store failed; it is opened again as soon as that works");
        self.set(State::Failed(reason.to_owned()));
    }

    /// Takes it out of service for good: it is no longer to be believed.
    pub(super) fn condemn(&self, reason: &str) {
        tracing::error!(
            store = %self.source.path().display(), reason,
            "the store is damaged and out of service: stop the server, look at it with `symbolon store check`, restore it from a backup"
        );
        if !self.is_closed() {
            self.set(State::Damaged(reason.to_owned()));
        }
    }

    /// Tries to put a failed database back into service: in full if a write goes through, for reading if not.
    pub(super) fn reopen(&self) {
        if matches!(&*self.state(), State::Damaged(_)) {
            return;
        }
        // The lock of the file is free only once the old database is gone.
        let reason = self.state().reason();
        self.set(State::Failed(reason));
        match self.source.reopen() {
            Ok(files) => {
                tracing::warn!(store = %self.source.path().display(), "the store works again");
                self.synced.store(locked(&files).last(), Ordering::Relaxed);
                self.set(State::Open(files));
            }
            Err(why) => self.set(match self.source.reopen_to_read(self.synced.load(Ordering::Relaxed)) {
                Ok(files) => State::ReadOnly(files, why.to_string()),
                Err(error) => State::Failed(error.to_string()),
            }),
        }
    }

    /// Lets go of the file for good.
    pub(super) fn close(&self) {
        self.set(State::Closed);
    }
}

fn locked(files: &Files) -> MutexGuard<'_, Journal> {
    files.journal.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn refusal(&self) -> StorageError {
        match self {
            Self::Damaged(reason) => StorageError::Damaged(reason.clone()),
            _ => StorageError::Unavailable(self.reason()),
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Open(_) => "the write could not be committed".to_owned(),
            Self::ReadOnly(_, reason) | Self::Failed(reason) | Self::Damaged(reason) => reason.clone(),
            Self::Closed => "it was closed".to_owned(),
        }
    }
}
