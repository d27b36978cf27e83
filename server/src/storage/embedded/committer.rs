//! The one thread that writes: it takes every job that waits, decides each inside one transaction, commits once, and then
//! answers. Owns the order of changes and the pace of sweeping; must not know tables or files.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::engine::Engine;
use super::tables::Tables;
use crate::foundation::{Clock, Timestamp};
use crate::storage::{Index, Key, StorageError, Version};

/// Where the answer of a job goes. Dropped without one, the caller learns that the store is unavailable.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StorageError>>;

/// One change that somebody waits for.
#[derive(Debug)]
pub(super) enum Job {
    Insert { key: Key, value: Vec<u8>, expires: Option<Timestamp>, answer: Answer<bool> },
    Swap { key: Key, version: Version, value: Vec<u8>, expires: Option<Timestamp>, answer: Answer<bool> },
    Take { key: Key, tombstone: Option<Vec<u8>>, answer: Answer<Option<Vec<u8>>> },
    Delete { key: Key, answer: Answer<bool> },
    AddMember { index: Index, member: Vec<u8>, expires: Option<Timestamp>, answer: Answer<()> },
    RemoveMember { index: Index, member: Vec<u8>, answer: Answer<()> },
    Sweep(Answer<u64>),
    Ready(Answer<()>),
    Close(Answer<()>),
}

/// Jobs that were handed over together, and where all their answers go at once.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) jobs: Vec<Job>,
    pub(super) reply: oneshot::Sender<Answers>,
}

impl Delivery {
    /// One job whose answer goes to its caller alone.
    pub(super) fn of(job: Job) -> Self {
        Self { jobs: vec![job], reply: oneshot::channel().0 }
    }
}

/// The answers to a delivery. Each caller is given theirs when this is dropped, on the thread that drops it.
pub(super) struct Answers(Vec<Decided>);

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answers({})", self.0.len())
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Decided::answer);
    }
}

/// A decided job: what is answered once the transaction is committed.
enum Decided {
    Flag(Answer<bool>, Result<bool, StorageError>),
    Taken(Answer<Option<Vec<u8>>>, Result<Option<Vec<u8>>, StorageError>),
    Count(Answer<u64>, Result<u64, StorageError>),
    Done(Answer<()>, Result<(), StorageError>),
}

/// The most jobs in one transaction.
const LARGEST_BATCH: usize = 512;
/// How often an idle committer looks whether something has expired.
const IDLE_LOOK: Duration = Duration::from_secs(2);
/// How often a busy committer begins a sweep, and how long a failed store is left alone before it is tried again.
const PACE: Duration = Duration::from_secs(1);
/// How long the journal alone may have what is committed: what is in it is done again when the store is opened after a crash.
const SETTLED_EVERY: Duration = Duration::from_secs(2);
/// Reminders in one transaction of an idle sweep.
const IDLE_SWEEP: usize = 1000;
/// Reminders in the transaction of a batch, beyond one for each of its jobs: more than a batch can add.
const BUSY_SWEEP: usize = 64;
pub(super) struct Committer {
    engine: Arc<Engine>,
    queue: Receiver<Delivery>,
    clock: Clock,
    batch: Vec<Job>,
    decided: Vec<Decided>,
    /// For each delivery in the batch how many of its jobs are there, and where their answers go.
    replies: Vec<(usize, oneshot::Sender<Answers>)>,
    closing: Option<Answer<()>>,
    /// No reminder is due before this moment.
    earliest: u64,
    /// Whether the last sweep left something undone.
    backlog: bool,
    last_sweep: Instant,
    /// Whether something committed is on the disk in the journal alone, and since when at most.
    unsettled: bool,
    last_settled: Instant,
    /// When a failed store was last tried again.
    last_attempt: Option<Instant>,
}

impl Committer {
    pub(super) fn new(engine: Arc<Engine>, queue: Receiver<Delivery>, clock: Clock) -> Self {
        Self {
            engine,
            queue,
            clock,
            batch: Vec::with_capacity(LARGEST_BATCH),
            decided: Vec::with_capacity(LARGEST_BATCH),
            replies: Vec::new(),
            closing: None,
            earliest: 0,
            backlog: false,
            last_sweep: Instant::now(),
            unsettled: false,
            last_settled: Instant::now(),
            last_attempt: None,
        }
    }

    /// Works until the store is closed or nobody is left who could ask.
    pub(super) fn run(mut self) {
        while self.closing.is_none() {
            let gathered = self.gather();
            if self.batch.is_empty() {
                self.guarded(Self::sweep_while_idle);
            } else {
                self.guarded(Self::commit);
            }
            if self.unsettled && (self.last_settled.elapsed() >= SETTLED_EVERY || self.engine.has_much_to_settle()) {
                self.guarded(Self::settle);
            }
            if !gathered {
                break;
            }
        }
        if self.unsettled {
            self.guarded(Self::settle);
        }
        self.engine.close();
        if let Some(answer) = self.closing.take() {
            // The caller may have gone; the store is closed all the same.
            drop(answer.send(Ok(())));
        }
    }

    /// Waits for a job, then takes all that wait. `false` when nobody is left who could ask.
    fn gather(&mut self) -> bool {
        let look = if self.engine.is_open() { IDLE_LOOK } else { PACE };
        match self.queue.recv_timeout(look) {
            Ok(delivery) => self.accept(delivery),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        self.drain()
    }

    /// Takes what waits in the queue, at once. `false` when nobody is left who could ask.
    fn drain(&mut self) -> bool {
        while self.closing.is_none() && self.batch.len() < LARGEST_BATCH {
            match self.queue.try_recv() {
                Ok(delivery) => self.accept(delivery),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    fn accept(&mut self, delivery: Delivery) {
        let before = self.batch.len();
        for job in delivery.jobs {
            match job {
                Job::Close(answer) => self.closing = Some(answer),
                job => {
                    self.engine.taken();
                    self.batch.push(job);
                }
            }
        }
        self.replies.push((self.batch.len() - before, delivery.reply));
    }

    /// Does one step; if it fails or panics, its callers are refused and the database is opened anew.
    fn guarded(&mut self, step: fn(&mut Self) -> Result<(), redb::Error>) {
        let failure = match catch_unwind(AssertUnwindSafe(|| step(self))) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the engine gave up".to_owned()),
        };
        if let Some(reason) = failure {
            self.engine.fail(&reason);
        }
        // Whoever was not answered by now never will be; dropping the answer says so.
        self.batch.clear();
        self.decided.clear();
        self.replies.clear();
        if !self.engine.is_open() && self.closing.is_none() && self.last_attempt.is_none_or(|last| last.elapsed() >= PACE) {
            self.engine.reopen();
            self.last_attempt = Some(Instant::now());
            self.earliest = 0;
        }
    }

    fn commit(&mut self) -> Result<(), redb::Error> {
        let Some(transaction) = self.engine.begin()? else { return Ok(()) };
        let now = self.clock.now();
        let mut tables = Tables::open(&transaction, now)?;
        let jobs = self.batch.len();
        for job in self.batch.drain(..) {
            self.decided.push(job.decide(&mut tables)?);
        }
        if now.0 >= self.earliest && (self.backlog || self.last_sweep.elapsed() >= PACE) {
            self.backlog = tables.sweep(jobs + BUSY_SWEEP)?.more;
            self.earliest = tables.earliest()?;
            self.last_sweep = Instant::now();
        }
        self.earliest = self.earliest.min(tables.earliest_written());
        let changed = tables.changed();
        let effects = tables.into_effects();
        if !effects.is_empty() {
            self.engine.record(&effects)?;
        }
        if changed {
            transaction.commit()?;
            self.unsettled = true;
        } else {
            transaction.abort()?;
        }
        let mut decided = self.decided.drain(..);
        for (jobs, reply) in self.replies.drain(..) {
            // If nobody is there to hand them out, they come back and are handed out here.
            drop(reply.send(Answers(decided.by_ref().take(jobs).collect())));
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), redb::Error> {
        self.engine.settle()?;
        self.unsettled = false;
        self.last_settled = Instant::now();
        Ok(())
    }

    /// Removes what has expired, a transaction at a time, until there is nothing left or somebody asks for something.
    fn sweep_while_idle(&mut self) -> Result<(), redb::Error> {
        // With nothing to sweep, beginning a transaction still finds out whether a read has met a broken disk.
        while let Some(transaction) = self.engine.begin()? {
            let now = self.clock.now();
            if now.0 < self.earliest || self.engine.waiting() > 0 {
                transaction.abort()?;
                break;
            }
            let mut tables = Tables::open(&transaction, now)?;
            self.backlog = tables.sweep(IDLE_SWEEP)?.more;
            self.earliest = tables.earliest()?;
            self.last_sweep = Instant::now();
            let changed = tables.changed();
            drop(tables);
            if changed {
                transaction.commit()?;
                self.unsettled = true;
            } else {
                transaction.abort()?;
            }
        }
        Ok(())
    }
}

impl Job {
    /// Decides the job in the transaction; the outer error loses the whole transaction.
    fn decide(self, tables: &mut Tables<'_>) -> Result<Decided, redb::Error> {
        Ok(match self {
            Self::Insert { key, value, expires, answer } => {
                Decided::Flag(answer, tables.insert(key.as_bytes(), &value, expires)?)
            }
            Self::Swap { key, version, value, expires, answer } => {
                Decided::Flag(answer, tables.swap(key.as_bytes(), version, &value, expires)?)
            }
            Self::Take { key, tombstone, answer } => Decided::Taken(answer, tables.take(key.as_bytes(), tombstone.as_deref())?),
            Self::Delete { key, answer } => Decided::Flag(answer, tables.delete(key.as_bytes())?),
            Self::AddMember { index, member, expires, answer } => {
                Decided::Done(answer, tables.add_member(index.as_bytes(), &member, expires)?)
            }
            Self::RemoveMember { index, member, answer } => {
                Decided::Done(answer, tables.remove_member(index.as_bytes(), &member)?)
            }
            Self::Sweep(answer) => {
                let mut removed = 0;
                loop {
                    let swept = tables.sweep(IDLE_SWEEP)?;
                    removed += swept.removed;
                    if !swept.more {
                        break Decided::Count(answer, Ok(removed));
                    }
                }
            }
            // That the transaction could begin is the answer.
            Self::Ready(answer) | Self::Close(answer) => Decided::Done(answer, Ok(())),
        })
    }
}

impl Decided {
    fn answer(self) {
        // A caller that has gone away no longer wants to know.
        match self {
            Self::Flag(answer, decision) => drop(answer.send(decision)),
            Self::Taken(answer, decision) => drop(answer.send(decision)),
            Self::Count(answer, decision) => drop(answer.send(decision)),
            Self::Done(answer, decision) => drop(answer.send(decision)),
        }
    }
}
