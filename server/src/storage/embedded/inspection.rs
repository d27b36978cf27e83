//! Looks in the background, unhurriedly, whether the store still is what was written: whether every name stands in order and is found
//! where the engine would look for it. A record has a checksum of its own, but one that cannot be found is not missed by anybody: a
//! revocation would be undone. So a store in which names are lost is taken out of service. Knows tables and pages, no caller.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase};

use super::engine::Engine;
use super::record::Header;
use super::snapshot::go_on;
use super::tables::{Applied, MEMBERS, RECORDS};
use crate::storage::{Key, StorageError};

/// How often everything is looked at; first at the start.
const EVERY: Duration = Duration::from_hours(24);
/// A look is followed by a rest so many times as long: a twentieth of a core.
const REST: u32 = 19;
/// How long is waited after trouble, and how often it must be seen before it is believed: an engine that fails is opened anew meanwhile.
const AGAIN: Duration = Duration::from_secs(2);
const BELIEVED: u32 = 3;

/// What was seen of one page of names.
struct Look {
    /// The last name; nothing when there are no more.
    last: Option<Vec<u8>>,
    /// Records that are not what was written.
    rotten: Vec<String>,
}

/// One table to be looked through.
#[derive(Debug, Clone, Copy)]
enum Part {
    Records,
    Members,
}

/// Why a round ended early.
enum Ending {
    Stopped,
    Lost(String),
}

/// The background work; ends when the store is closed or `stop` is dropped.
pub(super) struct Inspection {
    engine: Arc<Engine>,
    stop: Receiver<()>,
}

impl Inspection {
    pub(super) const fn new(engine: Arc<Engine>, stop: Receiver<()>) -> Self {
        Self { engine, stop }
    }

    pub(super) fn run(self) {
        loop {
            match self.round() {
                Ok(rotten) if rotten > 0 => {
                    tracing::error!(rotten, "records of the store are damaged; whoever needs one of them is refused");
                }
                Ok(_) => tracing::debug!("the store was looked through: nothing is damaged"),
                Err(Ending::Stopped) => return,
                Err(Ending::Lost(reason)) => return self.engine.condemn(&reason),
            }
            if self.stops_within(EVERY) {
                return;
            }
        }
    }

    /// Looks at everything once; gives how many records are rotten.
    fn round(&self) -> Result<usize, Ending> {
        let mut rotten = 0;
        for part in [Part::Records, Part::Members] {
            let (mut told, mut trouble) = (Vec::new(), 0);
            loop {
                let begun = Instant::now();
                let rest = match self.engine.read(|database| look(database, part, told.clone())) {
                    Ok(Look { last, rotten: found }) => {
                        for record in &found {
                            tracing::error!(record, "a record of the store is damaged");
                        }
                        rotten += found.len();
                        trouble = 0;
                        let Some(last) = last else { break };
                        told = last;
                        begun.elapsed() * REST
                    }
                    Err(error) => {
                        trouble += u32::from(matches!(error, StorageError::Damaged(_)));
                        if trouble >= BELIEVED {
                            return Err(Ending::Lost(error.to_string()));
                        }
                        AGAIN
                    }
                };
                if self.stops_within(rest) {
                    return Err(Ending::Stopped);
                }
            }
        }
        Ok(rotten)
    }

    fn stops_within(&self, time: Duration) -> bool {
        !matches!(self.stop.recv_timeout(time), Err(RecvTimeoutError::Timeout)) || self.engine.is_closed()
    }
}

/// Looks at the names behind `told`. Each page is a transaction of its own, so that no old page is kept for long.
fn look(database: &Database, part: Part, mut told: Vec<u8>) -> Applied<Look> {
    let transaction = database.begin_read()?;
    let mut rotten = Vec::new();
    let seen = match part {
        Part::Records => go_on(&transaction.open_table(RECORDS)?, &mut told, |name, record| {
            if Header::read(name, record.value()).is_err() {
                rotten.push(Key::shown(name));
            }
        }),
        Part::Members => go_on(&transaction.open_table(MEMBERS)?, &mut told, |_, _| {}),
    }?;
    Ok(Ok(Look { last: (seen > 0).then_some(told), rotten }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::files::{add_three, rot_a_name};
    use super::super::{Embedded, Options};
    use super::*;
    use crate::foundation::Clock;
    use crate::storage::snapshot::Entry;
    use crate::storage::{Kind, Store};

    const PAGE_BYTES: usize = 4096;

    fn key(id: usize) -> Key {
        Key::new(Kind::RevokedAccessToken, id.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes().repeat(2))
    }

    fn open(folder: &Path) -> Option<Embedded> {
        Embedded::open(folder, Options { cache_bytes: 1 << 20, sync: false }, Clock::manual(1000)).ok()
    }

    async fn filled(folder: &Path, records: usize) -> Vec<u8> {
        let store = open(folder).unwrap();
        for hundred in 0..records / 100 {
            let inserts = (0..100).map(|n| store.insert(key(hundred * 100 + n), vec![7; 30], None));
            futures_util::future::try_join_all(inserts).await.unwrap();
        }
        drop(store);
        fs::read(folder.join("store.redb")).unwrap()
    }

    fn round(store: &Embedded) -> Result<usize, String> {
        let (_going_on, stop) = std::sync::mpsc::channel();
        Inspection::new(Arc::clone(&store.engine), stop).round().map_err(|ending| match ending {
            Ending::Lost(reason) => reason,
            Ending::Stopped => "stopped".to_owned(),
        })
    }

    #[tokio::test]
    async fn a_store_in_which_a_name_is_lost_goes_out_of_service() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).unwrap();
        add_three(&store).await;
        assert_eq!(round(&store), Ok(0));
        drop(store);
        rot_a_name(folder.path());
        let store = open(folder.path()).unwrap();
        let is_out = || matches!(store.engine.refusal(), StorageError::Damaged(_));
        for _ in 0..1000 {
            if is_out() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(is_out());
        assert!(matches!(store.get(&key(1)).await, Err(StorageError::Damaged(_))));
        assert!(matches!(store.insert(key(1), Vec::new(), None).await, Err(StorageError::Damaged(_))));
        assert!(matches!(store.ready().await, Err(StorageError::Damaged(_))));
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_rotten_record_is_named_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path(), 100).await;
        let store = open(folder.path()).unwrap();
        assert!(store.insert(key(100), vec![9; 30], None).await.unwrap());
        drop(store);
        let path = folder.path().join("store.redb");
        let mut bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() - 30 {
            if bytes[at..at + 30] == [9; 30] {
                bytes[at] = 8;
            }
        }
        fs::write(&path, &bytes).unwrap();
        let store = open(folder.path()).unwrap();
        assert_eq!(round(&store), Ok(1));
        assert!(store.ready().await.is_ok());
        assert!(matches!(store.get(&key(100)).await, Err(StorageError::Damaged(_))));
        assert!(store.get(&key(99)).await.unwrap().is_some());
    }

    /// Bits that flip, and pages in the place of others, old ones among them: when a record is not found any more, the walk says so.
    #[tokio::test]
    async fn what_is_lost_is_noticed_by_a_walk() {
        let folder = tempfile::tempdir().unwrap();
        let records = 2000;
        let whole = filled(folder.path(), records).await;
        let used: Vec<usize> = (PAGE_BYTES..whole.len())
            .step_by(PAGE_BYTES)
            .filter(|at| whole[*at..at + PAGE_BYTES].iter().any(|byte| *byte != 0))
            .collect();
        let (mut chance, mut lost, mut opened) = (0x5EED_u64, 0, 0);
        let mut below = |limit: usize| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            usize::try_from(chance % limit as u64).unwrap()
        };
        for n in 0..120 {
            let mut damaged = whole.clone();
            let at = used[below(used.len())];
            if n % 2 == 0 {
                damaged[at + below(PAGE_BYTES)] ^= 1 << below(8);
            } else {
                let other = used[below(used.len())];
                damaged.copy_within(other..other + PAGE_BYTES, at);
            }
            fs::write(folder.path().join("store.redb"), &damaged).unwrap();
            let Some(store) = open(folder.path()) else { continue };
            opened += 1;
            let mut missing = 0;
            for id in 0..records {
                missing += usize::from(matches!(store.get(&key(id)).await, Ok(None)));
            }
            if missing > 0 {
                lost += 1;
                assert!(is_told(&store).await, "round {n}: {missing} are lost, and nobody is told");
            }
        }
        assert!(opened > 60 && lost > 5, "{opened} opened, {lost} with a loss");
    }

    async fn is_told(store: &Embedded) -> bool {
        let Ok(mut snapshot) = store.snapshot().await else { return true };
        loop {
            match snapshot.next().await {
                Ok(page) if page.is_empty() => return false,
                Ok(page) if page.iter().any(|entry| matches!(entry, Entry::Damaged { .. })) => return true,
                Ok(_) => {}
                Err(_) => return true,
            }
        }
    }
}
