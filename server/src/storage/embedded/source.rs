//! The files of a store: how they are opened, what is said when they cannot be, and that everything acknowledged is in what was opened.
//! Knows no caller.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageBackend};
use rustix::fs::{Advice, fadvise};

use super::Options;
use super::about::{self, FORMAT};
use super::journal::{Journal, JournalError};
use super::layer::Layer;
use super::tables::Tables;
use crate::foundation::Timestamp;

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

/// The two files as they are: that of the engine, and the journal. `true` after a failure: what the system remembers of them may not be
/// what is on the disk.
type Opener = Box<dyn Fn(bool) -> io::Result<[Box<dyn StorageBackend>; 2]> + Send + Sync>;

/// Where the store comes from, again when it failed.
pub(super) struct Source {
    path: PathBuf,
    options: Options,
    opener: Opener,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({})", self.path.display())
    }
}

/// An open store: the engine has everything that was in the journal.
pub(super) struct Files {
    pub(super) database: Database,
    pub(super) journal: Mutex<Journal>,
}

impl Source {
    /// The files `store.redb` and `store.journal` in `folder`, made if need be.
    pub(super) fn in_folder(folder: &Path, options: Options) -> Result<Self, OpenError> {
        if !fs::metadata(folder).is_ok_and(|folder| folder.is_dir()) {
            return Err(OpenError::FolderMissing(folder.to_owned()));
        }
        let (path, journal) = (folder.join(super::FILE), folder.join(super::JOURNAL));
        for path in [&path, &journal] {
            make_private(path, folder).map_err(|error| refused(path, &error))?;
        }
        let paths = [path.clone(), journal];
        let opener = move |after_failure: bool| {
            let open = |path: &PathBuf| {
                let file = OpenOptions::new().read(true).write(true).open(path)?;
                // Where a sync failed, the system keeps pages as if they were written, and says of the next sync that all is well.
                if after_failure {
                    fadvise(&file, 0, None, Advice::DontNeed)?;
                }
                let file = FileBackend::new(file).map_err(io::Error::other)?;
                Ok::<_, io::Error>(Box::new(file) as Box<dyn StorageBackend>)
            };
            Ok([open(&paths[0])?, open(&paths[1])?])
        };
        Ok(Self { path, options, opener: Box::new(opener) })
    }

    /// Anything else that can be opened, under a name for messages.
    #[cfg(test)]
    pub(super) fn of(
        name: &str,
        options: Options,
        opener: impl Fn(bool) -> io::Result<[Box<dyn StorageBackend>; 2]> + Send + Sync + 'static,
    ) -> Self {
        Self { path: PathBuf::from(name), options, opener: Box::new(opener) }
    }

    /// Where it is, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the store for the first time, and makes it one if it is new.
    pub(super) fn open(&self) -> Result<Files, OpenError> {
        self.careful(|| {
            let [store, journal] = self.files(false)?;
            let database = self.database(Layer::of(store, self.options.sync))?;
            let made = match about::format(&database).map_err(|error| self.explain_use(error))? {
                Some(FORMAT) => Ok(()),
                None => about::prepare(&database),
                Some(1) => about::upgrade_1(&database),
                Some(2) => about::upgrade_2(&database),
                Some(found) if found > FORMAT => {
                    return Err(OpenError::Newer { path: self.path.clone(), found, known: FORMAT });
                }
                Some(found) => return Err(self.damaged(format!("there is no format {found}"))),
            };
            made.map_err(|error| self.explain_use(error))?;
            self.carry_on(database, journal, u64::MAX)
        })
    }

    /// Compares every page with its checksum; whether all was well.
    pub(super) fn check_pages(&self) -> Result<bool, OpenError> {
        self.careful(|| {
            let [store, _] = self.files(false)?;
            let mut database = self.database_that_is_there(Layer::of(store, true))?;
            database.check_integrity().map_err(|error| self.explain(error))
        })
    }

    /// Opens the store again after it failed, if it can be written.
    pub(super) fn reopen(&self) -> Result<Files, OpenError> {
        self.careful(|| {
            let [store, journal] = self.files(true)?;
            let database = self.database_that_is_there(Layer::of(store, self.options.sync))?;
            about::prepare(&database).map_err(|error| self.explain_use(error))?;
            self.carry_on(database, journal, u64::MAX)
        })
    }

    /// Opens it to be read alone. What is in the journal up to frame `synced` is carried over in memory: what was acknowledged is true
    /// here, too, and nothing else, because what is read must not go away again.
    pub(super) fn reopen_to_read(&self, synced: u64) -> Result<Files, OpenError> {
        self.careful(|| {
            let [store, journal] = self.files(true)?;
            let store = Layer::aside(store).map_err(|error| refused(&self.path, &error))?;
            self.carry_on(self.database_that_is_there(store)?, journal, synced)
        })
    }

    /// Does what the journal has up to frame `until` and the engine has not.
    fn carry_on(&self, database: Database, journal: Box<dyn StorageBackend>, until: u64) -> Result<Files, OpenError> {
        let carried = || -> Result<Journal, JournalError> {
            let (id, has) = about::journal(&database)?;
            let mut journal = Journal::open(Box::new(Layer::of(journal, self.options.sync)), id, has)?;
            let transaction = about::begin_durable(&database)?;
            let mut tables = Tables::open(&transaction, Timestamp(0))?;
            journal.replay(until, |effects| tables.repeat(effects))?;
            drop(tables);
            if journal.last() == has {
                transaction.abort().map_err(redb::Error::from)?;
            } else {
                about::has(&transaction, journal.last())?;
                transaction.commit().map_err(redb::Error::from)?;
            }
            journal.begin_anew();
            Ok(journal)
        };
        match carried() {
            Ok(journal) => Ok(Files { database, journal: Mutex::new(journal) }),
            Err(JournalError::Io(error)) => Err(refused(&self.path, &error)),
            Err(JournalError::Damaged(reason)) => Err(self.damaged(reason.to_owned())),
            Err(JournalError::Engine(error)) => Err(self.explain_use(error)),
        }
    }

    fn files(&self, after_failure: bool) -> Result<[Box<dyn StorageBackend>; 2], OpenError> {
        (self.opener)(after_failure).map_err(|error| refused(&self.path, &error))
    }

    /// Opened again, a file that has gone must not come back empty.
    fn database_that_is_there(&self, file: Layer) -> Result<Database, OpenError> {
        match file.len() {
            Ok(0) => Err(self.damaged("it is empty".to_owned())),
            Ok(_) => self.database(file),
            Err(error) => Err(refused(&self.path, &error)),
        }
    }

    fn database(&self, file: Layer) -> Result<Database, OpenError> {
        let opened = Database::builder().set_cache_size(self.options.cache_bytes).create_with_backend(file);
        opened.map_err(|error| self.explain(error))
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

    pub(super) fn failed(&self, reason: String) -> OpenError {
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
