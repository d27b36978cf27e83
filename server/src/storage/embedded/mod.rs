//! The durable backend: one file with a journal beside it, one writer. Owns the redb engine; knows bytes and lifetimes, not what they mean.
//!
//! Every change goes through one committer thread, which decides it inside the transaction, commits many at once, and only
//! then answers. A read looks at the last commit, at once, on the caller's own thread.

mod about;
mod committer;
#[cfg(test)]
pub(in crate::storage) mod disk;
mod effects;
mod engine;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod files;
mod inspection;
mod journal;
mod layer;
mod record;
mod snapshot;
mod source;
mod tables;

use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

pub use self::source::OpenError;

use self::committer::{Answer, Answers, Committer, Delivery, Job};
use self::engine::Engine;
use self::inspection::Inspection;
use self::snapshot::Walk;
use self::source::Source;
use super::snapshot::Snapshot;
use super::{Index, Key, Outcome, StorageError, Store, Stored, Version, check_size};
use crate::foundation::{Clock, Timestamp};

/// How many jobs are worth a commit without waiting for more.
const FULL_DELIVERY: usize = 64;

/// The name of the file in its folder.
const FILE: &str = "store.redb";
/// The name of the journal beside it.
const JOURNAL: &str = "store.journal";

/// The memory for a walk over all pages, in bytes.
const PAGES_AT_A_TIME: usize = 64 * 1024 * 1024;

/// How the file is used.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The memory that the engine keeps pages in, in bytes.
    pub cache_bytes: usize,
    /// Whether an acknowledged write is on the disk. Without, it is with the operating system: it survives the end of this process,
    /// but when the machine fails the file may be lost.
    pub sync: bool,
}

/// A store in two files, `store.redb` and `store.journal`. An acknowledged write is on the disk.
///
/// Dropping it finishes what was accepted, ends its thread and lets go of the file.
#[derive(Debug)]
pub struct Embedded {
    engine: Arc<Engine>,
    jobs: Sender<Delivery>,
    /// Jobs of callers that let others go first, see [`Embedded::submit`].
    outbox: Mutex<Vec<Job>>,
    clock: Clock,
    committer: Option<JoinHandle<()>>,
    /// Dropped, it ends the inspection.
    _inspection: Sender<()>,
}

impl Embedded {
    /// Opens the store in `folder`, or makes one there that only its owner can read (mode 0600).
    ///
    /// Records expire by `clock`.
    ///
    /// # Errors
    /// One sentence for an operator: the folder is missing or cannot be written, another process has the store open, or what
    /// lies there is damaged or of a newer release.
    pub fn open(folder: &Path, options: Options, clock: Clock) -> Result<Self, OpenError> {
        Self::start(Source::in_folder(folder, options)?, clock)
    }

    /// Whether a store has been made in `folder`.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// Compares every page of the store in `folder` with the checksum that was written with it, and mends what can be mended without a
    /// loss; says whether all was well. Takes as long as reading the whole file. Nobody may have it open.
    ///
    /// # Errors
    /// Like [`Embedded::open`]; damaged pages are [`OpenError::Damaged`].
    pub fn check_pages(folder: &Path) -> Result<bool, OpenError> {
        Source::in_folder(folder, Options { cache_bytes: PAGES_AT_A_TIME, sync: true })?.check_pages()
    }

    fn start(source: Source, clock: Clock) -> Result<Self, OpenError> {
        let engine = Arc::new(Engine::open(source)?);
        let (jobs, queue) = mpsc::channel();
        let committer = Committer::new(Arc::clone(&engine), queue, clock.clone());
        let thread = thread::Builder::new().name("store-committer".to_owned()).spawn(move || committer.run());
        let committer = thread.map_err(|error| engine.not_opened(error.to_string()))?;
        let (inspection, stop) = mpsc::channel();
        let inspector = Inspection::new(Arc::clone(&engine), stop);
        let thread = thread::Builder::new().name("store-inspector".to_owned()).spawn(move || inspector.run());
        thread.map_err(|error| engine.not_opened(error.to_string()))?;
        Ok(Self { engine, jobs, outbox: Mutex::default(), clock, committer: Some(committer), _inspection: inspection })
    }

    /// Removes everything that has expired, now, and says how many records and index members that were.
    ///
    /// The committer does this by itself, a little at a time; this is for whoever wants to see the space free.
    pub fn sweep(&self) -> Outcome<'_, u64> {
        self.submit(Job::Sweep)
    }

    /// Hands a job to the committer and waits for what it decided.
    fn submit<'a, T: Send + 'a>(&'a self, job: impl FnOnce(Answer<T>) -> Job + Send + 'a) -> Outcome<'a, T> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            self.engine.accept()?;
            if self.put(job(answer)) {
                self.carry().await;
            }
            // No answer means that the transaction was given up: the answers of its jobs were dropped.
            answered.await.unwrap_or_else(|_| Err(self.engine.refusal()))
        })
    }

    /// Delivers the outbox once nobody who is ready on this thread adds to it any more, and hands out the answers.
    ///
    /// The committer is woken once for all of them: woken at the first it would commit that one alone, and a commit costs as
    /// much as a dozen writes. With nobody else ready this costs a microsecond. The answers come back in one piece, too,
    /// because each wake of this thread from the committer's is a system call.
    async fn carry(&self) {
        let carrier = Carrier(Some(self));
        let mut waiting = 1;
        loop {
            tokio::task::yield_now().await;
            let now = self.outbox().len();
            if now <= waiting || now >= FULL_DELIVERY {
                break;
            }
            waiting = now;
        }
        if let Some(answers) = carrier.deliver() {
            // They are handed out when dropped, here or wherever they are if this caller goes away.
            drop(answers.await);
        }
    }
}

impl Embedded {
    fn outbox(&self) -> MutexGuard<'_, Vec<Job>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a job for the next delivery; `true` when that is for the caller to make.
    fn put(&self, job: Job) -> bool {
        let mut outbox = self.outbox();
        outbox.push(job);
        outbox.len() == 1
    }

    /// Gives the committer what lies in the outbox. If it is gone the jobs are dropped, and their callers learn that.
    fn deliver(&self) -> Option<oneshot::Receiver<Answers>> {
        let jobs = std::mem::take(&mut *self.outbox());
        if jobs.is_empty() {
            return None;
        }
        let (reply, answers) = oneshot::channel();
        self.jobs.send(Delivery { jobs, reply }).is_ok().then_some(answers)
    }
}

/// Delivers the outbox when dropped: also when the caller that was to do it has gone away meanwhile.
struct Carrier<'a>(Option<&'a Embedded>);

impl Carrier<'_> {
    fn deliver(mut self) -> Option<oneshot::Receiver<Answers>> {
        self.0.take().and_then(Embedded::deliver)
    }
}

impl Drop for Carrier<'_> {
    fn drop(&mut self) {
        if let Some(store) = self.0 {
            store.deliver();
        }
    }
}

impl Store for Embedded {
    fn get<'a>(&'a self, key: &'a Key) -> Outcome<'a, Option<Stored>> {
        Box::pin(async move { self.engine.read(|database| tables::get(database, key.as_bytes(), self.clock.now())) })
    }

    fn insert(&self, key: Key, value: Vec<u8>, expires: Option<Timestamp>) -> Outcome<'_, bool> {
        if let Err(error) = check_size(&[key.as_bytes()], &value) {
            return refuse(error);
        }
        self.submit(move |answer| Job::Insert { key, value, expires, answer })
    }

    fn compare_and_swap(&self, key: Key, version: Version, value: Vec<u8>, expires: Option<Timestamp>) -> Outcome<'_, bool> {
        if let Err(error) = check_size(&[key.as_bytes()], &value) {
            return refuse(error);
        }
        self.submit(move |answer| Job::Swap { key, version, value, expires, answer })
    }

    fn take(&self, key: Key, tombstone: Option<Vec<u8>>) -> Outcome<'_, Option<Vec<u8>>> {
        if let Err(error) = check_size(&[key.as_bytes()], tombstone.as_deref().unwrap_or_default()) {
            return refuse(error);
        }
        self.submit(move |answer| Job::Take { key, tombstone, answer })
    }

    fn delete(&self, key: Key) -> Outcome<'_, bool> {
        self.submit(move |answer| Job::Delete { key, answer })
    }

    fn index_add(&self, index: Index, member: Vec<u8>, expires: Option<Timestamp>) -> Outcome<'_, ()> {
        if let Err(error) = check_size(&[index.as_bytes(), &member], &[]) {
            return refuse(error);
        }
        self.submit(move |answer| Job::AddMember { index, member, expires, answer })
    }

    fn index_list<'a>(&'a self, index: &'a Index) -> Outcome<'a, Vec<Vec<u8>>> {
        Box::pin(async move { self.engine.read(|database| tables::list(database, index.as_bytes(), self.clock.now())) })
    }

    fn index_remove(&self, index: Index, member: Vec<u8>) -> Outcome<'_, ()> {
        self.submit(move |answer| Job::RemoveMember { index, member, answer })
    }

    fn snapshot(&self) -> Outcome<'_, Box<dyn Snapshot>> {
        Box::pin(async move { Ok(Box::new(self.engine.read(Walk::begin)?) as Box<dyn Snapshot>) })
    }

    fn ready(&self) -> Outcome<'_, ()> {
        self.submit(Job::Ready)
    }

    fn close(&self) -> Outcome<'_, ()> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            // A committer that is gone has closed already: closing twice is closing once.
            self.deliver();
            match self.jobs.send(Delivery::of(Job::Close(answer))) {
                Ok(()) => answered.await.unwrap_or(Ok(())),
                Err(_) => Ok(()),
            }
        })
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let (answer, _) = oneshot::channel();
        // Both fail only when the committer is gone, and that is what is wanted.
        self.deliver();
        drop(self.jobs.send(Delivery::of(Job::Close(answer))));
        drop(self.committer.take().map(JoinHandle::join));
    }
}

fn refuse<'a, T: Send + 'a>(error: StorageError) -> Outcome<'a, T> {
    Box::pin(std::future::ready(Err(error)))
}
