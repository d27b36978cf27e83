//! What one durable write of the embedded engine costs: a committer thread takes every writer that waits, decides the
//! compare-and-swap inside the transaction, commits once, then answers. Records as large as the exchange workload leaves its
//! device sessions (two apps, one of them at its bound of grants), quick-repair on.

use std::path::Path;
use std::time::{Duration, Instant};

use redb::{Database, Durability, ReadableTable as _, TableDefinition};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::failure::Failure;
use crate::load::count;
use crate::meter::Meter;

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
/// Bytes. A device session has 700 after its first exchange and 2,100 once an app keeps all the grants that it may.
const RECORD: usize = 1_300;
/// As many records as the exchange workload has device sessions.
const KEYS: usize = 256;
/// The most writes in one commit.
const BATCH: usize = 512;

/// What writers at once showed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Writes {
    /// Writers at once, each waiting for its own write.
    pub(crate) writers: usize,
    /// Durable writes per second.
    pub(crate) per_second: f64,
    /// CPU microseconds of one write, committer and writers.
    pub(crate) cpu_us: f64,
    /// Writes in one commit, on average.
    pub(crate) batch: f64,
}

/// One compare-and-swap: the key, the version that must be there, and where the answer goes.
struct Swap {
    key: [u8; 17],
    version: u64,
    value: Vec<u8>,
    done: oneshot::Sender<bool>,
}

/// Measures for `seconds` with each number of writers in an empty folder.
pub(crate) fn measure(folder: &Path, seconds: f64, writers: &[usize]) -> Result<Vec<Writes>, Failure> {
    let mut results = Vec::new();
    for &writers in writers {
        let file = folder.join(format!("{writers}.redb"));
        results.push(with_writers(&file, writers, Duration::from_secs_f64(seconds))?);
        std::fs::remove_file(file)?;
    }
    Ok(results)
}

fn with_writers(file: &Path, writers: usize, span: Duration) -> Result<Writes, Failure> {
    let database = Database::builder().set_cache_size(16 * 1024 * 1024).create(file).map_err(engine)?;
    let mut first = begin(&database)?;
    {
        let mut table = first.open_table(RECORDS).map_err(engine)?;
        for n in 0..KEYS {
            table.insert(key(n).as_slice(), value(0).as_slice()).map_err(engine)?;
        }
    }
    first.set_quick_repair(true);
    first.commit().map_err(engine)?;

    let (sender, receiver) = mpsc::unbounded_channel();
    let committer = std::thread::Builder::new().name("committer".to_owned()).spawn(move || commit_all(&database, receiver))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let meter = Meter::own();
    let before = meter.read()?;
    let began = Instant::now();
    let written = tokio::task::LocalSet::new().block_on(&runtime, async {
        let tasks: Vec<_> = (0..writers)
            .map(|writer| tokio::task::spawn_local(write_until(sender.clone(), writer, writers, began + span)))
            .collect();
        let mut written = 0;
        for task in tasks {
            written += task.await.map_err(|error| Failure::said(format!("a writer: {error}")))??;
        }
        Ok::<usize, Failure>(written)
    })?;
    let (elapsed, after) = (began.elapsed(), meter.read()?);
    drop(sender);
    let commits = committer.join().map_err(|_| Failure::said("the committer panicked"))??;
    Ok(Writes {
        writers,
        per_second: count(written) / elapsed.as_secs_f64(),
        cpu_us: after.scheduled_us_since(&before) / count(written.max(1)),
        batch: count(written) / count(commits.max(1)),
    })
}

/// One writer: its own keys in turn, each write waited for.
async fn write_until(sender: mpsc::UnboundedSender<Swap>, writer: usize, writers: usize, end: Instant) -> Result<usize, Failure> {
    let mut versions = vec![0_u64; KEYS / writers];
    let mut written = 0;
    while Instant::now() < end {
        let turn = written % versions.len();
        let version = versions[turn];
        let (done, answer) = oneshot::channel();
        let swap = Swap { key: key(writer + turn * writers), version, value: value(version + 1), done };
        sender.send(swap).map_err(|_| Failure::said("the committer has ended"))?;
        match answer.await {
            Ok(true) => versions[turn] += 1,
            Ok(false) => return Err(Failure::said("a compare-and-swap lost although nobody competes")),
            Err(_) => return Err(Failure::said("the committer has ended")),
        }
        written += 1;
    }
    Ok(written)
}

/// The committer: everything that waits goes into one transaction. Gives the number of commits.
fn commit_all(database: &Database, mut receiver: mpsc::UnboundedReceiver<Swap>) -> Result<usize, Failure> {
    let mut commits = 0;
    let mut waiting = Vec::with_capacity(BATCH);
    while receiver.blocking_recv_many(&mut waiting, BATCH) > 0 {
        let mut transaction = begin(database)?;
        transaction.set_quick_repair(true);
        let mut answers = Vec::with_capacity(waiting.len());
        {
            let mut table = transaction.open_table(RECORDS).map_err(engine)?;
            for swap in waiting.drain(..) {
                let current = table.get(swap.key.as_slice()).map_err(engine)?.map(|stored| version_of(stored.value()));
                let same = current == Some(swap.version);
                if same {
                    table.insert(swap.key.as_slice(), swap.value.as_slice()).map_err(engine)?;
                }
                answers.push((swap.done, same));
            }
        }
        transaction.commit().map_err(engine)?;
        commits += 1;
        for (done, same) in answers {
            let _ = done.send(same);
        }
    }
    Ok(commits)
}

fn begin(database: &Database) -> Result<redb::WriteTransaction, Failure> {
    let mut transaction = database.begin_write().map_err(engine)?;
    transaction.set_durability(Durability::Immediate).map_err(engine)?;
    Ok(transaction)
}

/// A key as session ids are: a kind, then 16 bytes that say nothing about their order.
fn key(n: usize) -> [u8; 17] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &n.to_be_bytes());
    let mut key = [1; 17];
    key[1..].copy_from_slice(&digest.as_ref()[..16]);
    key
}

fn value(version: u64) -> Vec<u8> {
    let mut value = vec![0x5a; RECORD];
    value[..8].copy_from_slice(&version.to_be_bytes());
    value
}

fn version_of(value: &[u8]) -> u64 {
    value.first_chunk().map_or(u64::MAX, |bytes| u64::from_be_bytes(*bytes))
}

fn engine(error: impl Into<redb::Error>) -> Failure {
    Failure::said(format!("the store: {}", error.into()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    #[test]
    fn sixty_four_writers_share_commits() {
        let folder = tempfile::tempdir().unwrap();
        let writes = super::measure(folder.path(), 0.05, &[1, 64]).unwrap();
        assert!(writes.iter().all(|one| one.cpu_us > 0.0 && one.batch >= 1.0));
        assert!((writes[0].batch - 1.0).abs() < f64::EPSILON, "one writer waits for itself");
        assert!(writes[1].batch > 1.0);
    }
}
