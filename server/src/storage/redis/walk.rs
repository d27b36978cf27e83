//! Everything under our prefix, a page at a time, master after master. Each record is read as it is when its turn comes.
//!
//! Redis promises that whatever is there all the time is told at least once; so that it is told once, the walk remembers what it
//! has told, by 128 bits of each name.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use futures_util::future::join_all;
use redis::{Value, cmd, from_redis_value};
use tokio::runtime::Handle;

use super::node::Node;
use super::topology::Request;
use super::trouble::Trouble;
use super::{Shared, record};
use crate::foundation::Timestamp;
use crate::storage::snapshot::{Entry, Snapshot};
use crate::storage::{Index, Key, Outcome, StorageError};

/// About how many names Redis is asked for at once.
const PAGE: usize = 500;

/// A walk, wherever it stands.
pub(super) struct Walk {
    runtime: Handle,
    /// On its way while a page is read; gone when a page could not be.
    steps: Option<Steps>,
}

struct Steps {
    shared: Arc<Shared>,
    /// What every name of ours looks like.
    pattern: Vec<u8>,
    /// The masters still to ask for names, with where the first of them stands.
    masters: VecDeque<Arc<Node>>,
    cursor: u64,
    /// Indexes still to be read, with where the first of them stands.
    indexes: VecDeque<Vec<u8>>,
    index_cursor: u64,
    told: HashSet<(u64, u64)>,
    hashes: (RandomState, RandomState),
}

impl Walk {
    pub(super) fn begin(shared: Arc<Shared>, runtime: Handle) -> Self {
        let masters = shared.topology.masters().into_iter().map(|(_, node)| node).collect();
        let mut pattern = Vec::new();
        for byte in shared.prefix.bytes() {
            if b"*?[]^-\\".contains(&byte) {
                pattern.push(b'\\');
            }
            pattern.push(byte);
        }
        pattern.push(b'*');
        let steps = Steps {
            shared,
            pattern,
            masters,
            cursor: 0,
            indexes: VecDeque::new(),
            index_cursor: 0,
            told: HashSet::new(),
            hashes: (RandomState::new(), RandomState::new()),
        };
        Self { runtime, steps: Some(steps) }
    }
}

impl Snapshot for Walk {
    fn next(&mut self) -> Outcome<'_, Vec<Entry>> {
        Box::pin(async move {
            let lost = || StorageError::Unavailable("the walk over Redis was broken off".to_owned());
            let mut steps = self.steps.take().ok_or_else(lost)?;
            let task = self.runtime.spawn(async move {
                let page = steps.page().await;
                (steps, page)
            });
            let (steps, page) = task.await.map_err(|_| lost())?;
            self.steps = Some(steps);
            page
        })
    }
}

impl Steps {
    /// Some entries, or none when that was all.
    async fn page(&mut self) -> Result<Vec<Entry>, StorageError> {
        loop {
            let page = if self.indexes.is_empty() {
                let Some(master) = self.masters.front().cloned() else { return Ok(Vec::new()) };
                self.records(&master).await?
            } else {
                self.members().await?
            };
            if !page.is_empty() {
                return Ok(page);
            }
        }
    }

    /// The next names of a master: their records, while the indexes among them are put aside.
    async fn records(&mut self, master: &Node) -> Result<Vec<Entry>, StorageError> {
        let scan = cmd("SCAN").arg(self.cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(PAGE).to_owned();
        let answer = master.read(scan, false, self.shared.topology.deadline()).await?;
        let (cursor, names): (u64, Vec<Vec<u8>>) = from_redis_value(answer).map_err(|_| no_sense("SCAN"))?;
        self.cursor = cursor;
        if cursor == 0 {
            self.masters.pop_front();
        }
        let mut keys = Vec::new();
        for name in names {
            // What is neither a record nor an index is a probe.
            match name.get(self.shared.prefix.len()) {
                Some(b'r') if self.is_new(&name) => keys.push(name),
                Some(b'i') if self.is_new(&name) => self.indexes.push_back(name),
                _ => {}
            }
        }
        let entries = join_all(keys.into_iter().map(|name| self.record(name))).await;
        Ok(entries.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// One record, unless it has gone meanwhile.
    async fn record(&self, name: Vec<u8>) -> Result<Option<Entry>, StorageError> {
        let key = Key::stored(&name[self.shared.prefix.len() + 1..]);
        let command = cmd("GET").arg(&name).to_owned();
        let answer = self.shared.topology.send(&Request::Read { key: name, command }).await;
        let read = answer.and_then(|answer| match answer {
            Value::BulkString(bytes) => record::read(bytes).map(Some),
            _ => Ok(None),
        });
        match read.map_err(StorageError::from) {
            Ok(stored) => Ok(stored.map(|stored| Entry::Record { key, value: stored.value, expires: stored.expires })),
            Err(StorageError::Damaged(reason)) => Ok(Some(Entry::Damaged { key, reason })),
            Err(error) => Err(error),
        }
    }

    /// The next members of the first index that was put aside.
    async fn members(&mut self) -> Result<Vec<Entry>, StorageError> {
        let Some(name) = self.indexes.front().cloned() else { return Ok(Vec::new()) };
        let index = &name[self.shared.prefix.len() + 1..];
        let command = cmd("ZSCAN").arg(&name).arg(self.index_cursor).arg("COUNT").arg(PAGE).to_owned();
        let answer = self.shared.topology.send(&Request::Read { key: name.clone(), command }).await;
        let answer = match answer.map_err(StorageError::from) {
            Ok(answer) => answer,
            Err(StorageError::Damaged(reason)) => {
                self.indexes.pop_front();
                return Ok(vec![Entry::Damaged { key: Key::stored(index), reason }]);
            }
            Err(error) => return Err(error),
        };
        let (cursor, flat): (u64, Vec<Vec<u8>>) = from_redis_value(answer).map_err(|_| no_sense("ZSCAN"))?;
        self.index_cursor = cursor;
        if cursor == 0 {
            self.indexes.pop_front();
        }
        let mut entries = Vec::with_capacity(flat.len() / 2);
        for pair in flat.chunks_exact(2) {
            if self.is_new(&[name.as_slice(), &pair[0]].concat()) {
                let expires = moment(&pair[1])?;
                entries.push(Entry::Member { index: Index::stored(index), member: pair[0].clone(), expires });
            }
        }
        Ok(entries)
    }

    fn is_new(&mut self, name: &[u8]) -> bool {
        self.told.insert((self.hashes.0.hash_one(name), self.hashes.1.hash_one(name)))
    }
}

/// A score as the moment that it stands for. Whole seconds, as they were written; Redis keeps them as floating point.
fn moment(score: &[u8]) -> Result<Option<Timestamp>, StorageError> {
    let text = std::str::from_utf8(score).unwrap_or_default();
    if text == "inf" {
        return Ok(None);
    }
    text.parse().map(|seconds| Some(Timestamp(seconds))).map_err(|_| StorageError::Damaged(format!("a score of {text:?}")))
}

fn no_sense(command: &str) -> Trouble {
    Trouble::Damaged(format!("the answer to {command} makes no sense"))
}
