//! The open database, who may use it, and what happens when it fails: it is closed, and opened again when that works.
//! Owns the file and its lock; knows nothing of jobs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, DatabaseError, WriteTransaction};

use super::Options;
use super::tables::{self, Applied, FORMAT};
use super::unsynced::Unsynced;
use crate::storage::StorageError;

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder is not there, or is not a folder.
    #[error("the data folder {} does not exist: create it, owned by the user that runs the server", .0.display())]
    FolderMissing(PathBuf),
    /// The folder or the file in it may not be written.
    #[error("{} cannot be written ({reason}): it must belong to the user that runs the server", path.display())]
    NotWritable {
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        reason: String,
    },
    /// Someone holds the lock of the file.
    #[error("another process has {} open: stop it first, or ask it to do the work", .0.display())]
    InUse(PathBuf),
    /// The file is not what was written.
    #[error("{} is not a store or is damaged ({reason}): restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the engine found.
        reason: String,
    },
    /// The file was written by a release that knows more.
    #[error("{} was written by a newer release (format {found}, this one reads up to {known}): update the server", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u64,
        /// The newest format of this release.
        known: u64,
    },
    /// Anything else that the system or the engine refused.
    #[error("{} could not be opened: {reason}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        reason: String,
    },
}

/// At most this many jobs wait for the committer; more are refused, so that a stalled disk cannot fill the memory.
const MOST_WAITING: usize = 16_384;

/// Opens a database; `true` the first time, when an empty file may become one.
type Opener = Box<dyn Fn(bool) -> Result<Database, DatabaseError> + Send + Sync>;

/// Where the database comes from, again when it failed.
pub(super) struct Source {
    path: PathBuf,
    opener: Opener,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({})", self.path.display())
    }
}

impl Source {
    /// The file `store.redb` in `folder`, made if need be.
    pub(super) fn in_folder(folder: &Path, options: Options) -> Result<Self, OpenError> {
        if !fs::metadata(folder).is_ok_and(|folder| folder.is_dir()) {
            return Err(OpenError::FolderMissing(folder.to_owned()));
        }
        let path = folder.join(super::FILE);
        make_private(&path, folder).map_err(|error| refused(&path, &error))?;
        let file = path.clone();
        let opener = move |first: bool| {
            let mut builder = Database::builder();
            builder.set_cache_size(options.cache_bytes);
            // Opened again, a file that has gone must not come back empty.
            match options.sync {
                true if first => builder.create(&file),
                true => builder.open(&file),
                false => builder.create_with_backend(Unsynced::new(OpenOptions::new().read(true).write(true).open(&file)?)?),
            }
        };
        Ok(Self { path, opener: Box::new(opener) })
    }

    /// Anything else that can be opened, under a name for messages.
    #[cfg(test)]
    pub(super) fn of(name: &str, opener: impl Fn(bool) -> Result<Database, DatabaseError> + Send + Sync + 'static) -> Self {
        Self { path: PathBuf::from(name), opener: Box::new(opener) }
    }

    /// Opens the database for the first time, and makes it a store if it is new.
    fn open(&self) -> Result<Database, OpenError> {
        self.careful(|| {
            let database = (self.opener)(true).map_err(|error| self.explain(error))?;
            match tables::format(&database).map_err(|error| self.explain_use(error))? {
                Some(FORMAT) => Ok(database),
                None => tables::prepare(&database).map_err(|error| self.explain_use(error)).map(|()| database),
                Some(1) => tables::upgrade(&database).map_err(|error| self.explain_use(error)).map(|()| database),
                Some(found) if found > FORMAT => Err(OpenError::Newer { path: self.path.clone(), found, known: FORMAT }),
                Some(found) => Err(self.damaged(format!("there is no format {found}"))),
            }
        })
    }

    /// Compares every page with its checksum; whether all was well.
    pub(super) fn check_pages(&self) -> Result<bool, OpenError> {
        self.careful(|| {
            (self.opener)(false).and_then(|mut database| database.check_integrity()).map_err(|error| self.explain(error))
        })
    }

    /// Opens the database again after it failed; with `proven` only if it can be written, too.
    fn reopen(&self, proven: bool) -> Result<Database, OpenError> {
        self.careful(|| {
            let database = (self.opener)(false).map_err(|error| self.explain(error))?;
            if proven {
                tables::prepare(&database).map_err(|error| self.explain_use(error))?;
            }
            Ok(database)
        })
    }

    /// The engine may panic on a file that something else has altered; that is damage like any other.
    fn careful<T>(&self, open: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
        catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| Err(self.damaged("the engine gave up on it".to_owned())))
    }

    fn explain_use(&self, error: redb::Error) -> OpenError {
        match error {
            redb::Error::Corrupted(reason) => self.damaged(reason),
            error => self.failed(error.to_string()),
        }
    }

    fn explain(&self, error: DatabaseError) -> OpenError {
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => OpenError::InUse(self.path.clone()),
            DatabaseError::Storage(redb::StorageError::Corrupted(reason)) => self.damaged(reason),
            DatabaseError::Storage(redb::StorageError::Io(error)) => refused(&self.path, &error),
            error @ (DatabaseError::RepairAborted | DatabaseError::UpgradeRequired(_)) => self.damaged(error.to_string()),
            error => self.failed(error.to_string()),
        }
    }

    fn damaged(&self, reason: String) -> OpenError {
        OpenError::Damaged { path: self.path.clone(), reason }
    }

    fn failed(&self, reason: String) -> OpenError {
        OpenError::Failed { path: self.path.clone(), reason }
    }
}

/// Makes the file if it is not there, for its owner alone, and so that its name survives a power cut.
fn make_private(path: &Path, folder: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => {
            file.sync_all()?;
            File::open(folder)?.sync_all()
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn refused(path: &Path, error: &io::Error) -> OpenError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => OpenError::NotWritable { path, reason },
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::IsADirectory => OpenError::Damaged { path, reason },
        _ => OpenError::Failed { path, reason },
    }
}

#[derive(Debug)]
pub(super) struct Engine {
    source: Source,
    state: RwLock<State>,
    waiting: AtomicUsize,
}

enum State {
    Open(Database),
    /// Can be read; why it cannot be written.
    ReadOnly(Database, String),
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
        let database = source.open()?;
        Ok(Self { source, state: RwLock::new(State::Open(database)), waiting: AtomicUsize::new(0) })
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
            State::Open(database) | State::ReadOnly(database, _) => match catch_unwind(AssertUnwindSafe(|| reading(database))) {
                Ok(Ok(answer)) => answer,
                Ok(Err(redb::Error::Corrupted(reason))) => Err(StorageError::Damaged(reason)),
                Ok(Err(error)) => Err(StorageError::Unavailable(error.to_string())),
                Err(_) => Err(StorageError::Damaged("the engine gave up on a page".to_owned())),
            },
            closed => Err(closed.refusal()),
        }
    }

    /// Begins the one write transaction; `None` when there is no database to write to.
    pub(super) fn begin(&self) -> Result<Option<WriteTransaction>, redb::Error> {
        match &*self.state() {
            State::Open(database) => tables::begin(database).map(Some),
            State::ReadOnly(..) | State::Failed(_) | State::Damaged(_) | State::Closed => Ok(None),
        }
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
        tracing::error!(store = %self.source.path.display(), reason, "the store failed; it is opened again as soon as that works");
        self.set(State::Failed(reason.to_owned()));
    }

    /// Takes it out of service for good: it is no longer to be believed.
    pub(super) fn condemn(&self, reason: &str) {
        tracing::error!(
            store = %self.source.path.display(), reason,
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
        match self.source.reopen(true) {
            Ok(database) => {
                tracing::warn!(store = %self.source.path.display(), "the store works again");
                self.set(State::Open(database));
            }
            Err(why) => self.set(match self.source.reopen(false) {
                Ok(database) => State::ReadOnly(database, why.to_string()),
                Err(error) => State::Failed(error.to_string()),
            }),
        }
    }

    /// Lets go of the file for good.
    pub(super) fn close(&self) {
        self.set(State::Closed);
    }
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
