//! What is done with a whole store: looked at, checked, written to a file, filled.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::future::try_join_all;
use serde::Serialize;

use crate::foundation::Timestamp;
use crate::grants::examination::Examiner;
use crate::storage::archive::{ArchiveError, Counts, Writer};
use crate::storage::snapshot::Entry;
use crate::storage::{Key, SharedStore, StorageError, Store};
use crate::telemetry::{AuditEvent, codes};

/// Who does all this: whoever may read the data folder.
const ACTOR: &str = "administrator";
/// How many writes are under way at a time: they share commits, and the next commit's are there when one ends.
const TOGETHER: usize = 1024;

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The store failed.
    #[error("{0}")]
    Storage(#[from] StorageError),
    /// The file is not right.
    #[error("{0}")]
    Archive(#[from] ArchiveError),
    /// A record cannot be read, so a backup would not be one.
    #[error("{record} is damaged: {reason}; `symbolon store check` lists all that is")]
    Damaged {
        /// Which one.
        record: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It came into the store while it was being filled.
    #[error("{0} is there already; fill only an empty store that no server uses")]
    Occupied(String),
}

/// How much there is of one kind.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Amount {
    /// How many there are.
    records: u64,
    /// The bytes of their keys and values.
    bytes: u64,
    /// How many of them have expired and wait to be removed.
    expired: u64,
}

/// What is in a store.
#[derive(Debug, Default, Serialize)]
pub struct Stat {
    /// By kind.
    kinds: BTreeMap<&'static str, Amount>,
    /// All records.
    records: Amount,
    /// Members of indexes.
    members: Amount,
    /// Records that are not what was written.
    damaged: u64,
}

/// A record that a server cannot read.
#[derive(Debug, Serialize)]
pub struct Unreadable {
    record: String,
    reason: String,
}

/// What a check found.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    records: u64,
    members: u64,
    damaged: Vec<Unreadable>,
}

impl Amount {
    fn add(&mut self, bytes: usize, expired: bool) {
        self.records += 1;
        self.bytes += bytes as u64;
        self.expired += u64::from(expired);
    }
}

fn has_expired(entry: &Entry, now: Timestamp) -> bool {
    entry.expires().is_some_and(|expires| expires <= now)
}

/// Counts what is there.
///
/// # Errors
/// When the store fails.
pub async fn stat(store: &dyn Store, now: Timestamp) -> Result<Stat, WorkError> {
    let mut stat = Stat::default();
    let mut snapshot = store.snapshot().await?;
    loop {
        let page = snapshot.next().await?;
        if page.is_empty() {
            return Ok(stat);
        }
        for entry in page {
            let expired = has_expired(&entry, now);
            match entry {
                Entry::Record { key, value, .. } => {
                    let bytes = key.as_bytes().len() + value.len();
                    stat.kinds.entry(key.kind().map_or("unknown", |kind| kind.label())).or_default().add(bytes, expired);
                    stat.records.add(bytes, expired);
                }
                Entry::Member { index, member, .. } => stat.members.add(index.as_bytes().len() + member.len(), expired),
                Entry::Damaged { .. } => stat.damaged += 1,
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Reads every record as a server would.
///
/// # Errors
/// When the store fails.
pub async fn check(store: &dyn Store, examiner: &Examiner<'_>) -> Result<Checked, WorkError> {
    let mut checked = Checked::default();
    let mut snapshot = store.snapshot().await?;
    loop {
        let page = snapshot.next().await?;
        if page.is_empty() {
            return Ok(checked);
        }
        for entry in page {
            let (key, reason) = match entry {
                Entry::Record { key, value, .. } => {
                    checked.records += 1;
                    match examiner.examine(&key, &value) {
                        Ok(()) => continue,
                        Err(reason) => (key, reason),
                    }
                }
                Entry::Member { .. } => {
                    checked.members += 1;
                    continue;
                }
                Entry::Damaged { key, reason } => (key, reason),
            };
            checked.damaged.push(Unreadable { record: Key::shown(key.as_bytes()), reason });
        }
        tokio::task::yield_now().await;
    }
}

/// Writes everything that has not expired to a file, as it is at one moment. Servers go on meanwhile.
///
/// # Errors
/// When the store fails, something in it is damaged, or the file cannot be written.
pub async fn backup(store: &dyn Store, file: &Path, now: Timestamp) -> Result<Counts, WorkError> {
    let mut writer = Writer::begin(file)?;
    let mut snapshot = store.snapshot().await?;
    loop {
        let page = snapshot.next().await?;
        if page.is_empty() {
            break;
        }
        for entry in page {
            if let Entry::Damaged { key, reason } = entry {
                return Err(WorkError::Damaged { record: Key::shown(key.as_bytes()), reason });
            }
            if !has_expired(&entry, now) {
                writer.add(entry)?;
            }
        }
        tokio::task::yield_now().await;
    }
    let counts = writer.finish()?;
    let detail = format!("{} records, {} members of indexes", counts.records, counts.members);
    AuditEvent::granted(codes::STORE_BACKED_UP).actor(ACTOR).detail(&detail).emit();
    Ok(counts)
}

/// Whether nothing is in a store.
///
/// # Errors
/// When the store fails.
pub async fn is_empty(store: &dyn Store) -> Result<bool, StorageError> {
    Ok(store.snapshot().await?.next().await?.is_empty())
}

/// Puts entries into an empty store, many at a time.
#[derive(Debug)]
pub struct Filling {
    store: SharedStore,
    now: Timestamp,
    waiting: Vec<Entry>,
    counts: Counts,
}

impl Filling {
    /// Begins with nothing.
    #[must_use]
    pub fn new(store: SharedStore, now: Timestamp) -> Self {
        Self { store, now, waiting: Vec::with_capacity(TOGETHER), counts: Counts::default() }
    }

    /// Adds an entry, unless it has expired.
    ///
    /// # Errors
    /// When the store fails or was not empty.
    pub async fn add(&mut self, entry: Entry) -> Result<(), WorkError> {
        if !has_expired(&entry, self.now) {
            self.waiting.push(entry);
        }
        if self.waiting.len() < TOGETHER { Ok(()) } else { self.write().await }
    }

    /// Ends with everything on the disk.
    ///
    /// # Errors
    /// When the store fails or was not empty.
    pub async fn finish(mut self, from: &str) -> Result<Counts, WorkError> {
        self.write().await?;
        let Counts { records, members } = self.counts;
        let detail = format!("{records} records, {members} members of indexes, from {from}");
        AuditEvent::granted(codes::STORE_FILLED).actor(ACTOR).detail(&detail).emit();
        Ok(self.counts)
    }

    async fn write(&mut self) -> Result<(), WorkError> {
        let entries = std::mem::take(&mut self.waiting);
        for entry in &entries {
            self.counts.count(entry);
        }
        try_join_all(entries.into_iter().map(|entry| put(&*self.store, entry))).await?;
        Ok(())
    }
}

async fn put(store: &dyn Store, entry: Entry) -> Result<(), WorkError> {
    match entry {
        Entry::Record { key, value, expires } => {
            let name = Key::shown(key.as_bytes());
            if store.insert(key, value, expires).await? { Ok(()) } else { Err(WorkError::Occupied(name)) }
        }
        Entry::Member { index, member, expires } => Ok(store.index_add(index, member, expires).await?),
        Entry::Damaged { key, reason } => Err(WorkError::Damaged { record: Key::shown(key.as_bytes()), reason }),
    }
}
