//! A Redis Cluster: which node a command goes to, and what happens when it has moved. One command touches one key, so it goes to
//! one node, on connections that are ours: only so do a write and its `WAIT` stay together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, ServerErrorKind, Value, from_redis_value};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::connect::{Access, in_words};
use super::link::Target;
use super::node::Node;
use super::slots::{SlotMap, slot_of};
use super::trouble::Trouble;
use crate::settings::meaning::RedisServer;

/// How often a command follows a slot that moves before it is given up.
const MOST_REDIRECTIONS: usize = 5;
/// How often the map is read when nothing has gone wrong.
const REFRESH_EVERY: Duration = Duration::from_secs(15);
/// How long after one reading the next may come, and how long after one that failed.
const PAUSE: Duration = Duration::from_millis(200);

/// The nodes of a cluster, and the map of its slots, which is read again whenever it proved wrong.
#[derive(Debug)]
pub(super) struct Cluster {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    access: Arc<Access>,
    map: ArcSwap<SlotMap>,
    nodes: Mutex<HashMap<RedisServer, Arc<Node>>>,
    outdated: Notify,
}

impl Cluster {
    /// Reads the map from the first node that has one.
    ///
    /// # Errors
    /// Why none has.
    pub(super) async fn open(access: Arc<Access>) -> Result<Self, String> {
        let shared = Arc::new(Shared { access, map: ArcSwap::default(), nodes: Mutex::default(), outdated: Notify::new() });
        shared.refresh().await?;
        let keeper = tokio::spawn(keep(Arc::clone(&shared)));
        Ok(Self { shared, keeper })
    }

    /// Sends a command to the master that has the key, following it where it has moved.
    pub(super) async fn send(&self, key: &[u8], command: &Cmd, writes: bool, deadline: Instant) -> Result<Value, Trouble> {
        let slot = slot_of(key);
        let nobody = || Trouble::Unsent(format!("no master of the Redis Cluster serves slot {slot}"));
        let Some(mut server) = self.shared.map.load().master_of(slot).cloned() else {
            self.shared.outdated.notify_one();
            return Err(nobody());
        };
        let mut asking = false;
        for _ in 0..MOST_REDIRECTIONS {
            let node = self.shared.node(&server);
            let command = command.clone();
            let answer =
                if writes { node.write(command, asking, deadline).await } else { node.read(command, asking, deadline).await };
            let Err(trouble) = answer else { return answer };
            // A refused command was not carried out, so it may be sent elsewhere.
            let (moved, to) = match (trouble.kind(), redirection(&trouble, &server)) {
                (Some(ServerErrorKind::Moved), Some(to)) => (true, to),
                (Some(ServerErrorKind::Ask), Some(to)) => (false, to),
                _ => {
                    if !matches!(trouble, Trouble::Behind { .. } | Trouble::Damaged(_)) {
                        self.shared.outdated.notify_one();
                    }
                    return Err(trouble);
                }
            };
            if moved {
                self.shared.outdated.notify_one();
            }
            (server, asking) = (to, !moved);
        }
        Err(Trouble::Unsent(format!("slot {slot} of the Redis Cluster moves faster than it can be followed")))
    }

    /// The map as it is known now.
    pub(super) fn map(&self) -> Arc<SlotMap> {
        self.shared.map.load_full()
    }

    /// The connections to a master of the map.
    pub(super) fn node(&self, server: &RedisServer) -> Arc<Node> {
        self.shared.node(server)
    }

    /// Has the map read again soon.
    pub(super) fn doubt(&self) {
        self.shared.outdated.notify_one();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Where a refusal sends the command: `MOVED 3999 127.0.0.1:6381`, with the host left out when it is the same.
fn redirection(trouble: &Trouble, from: &RedisServer) -> Option<RedisServer> {
    let Trouble::Said(error) = trouble else { return None };
    let (host, port) = error.details()?.split_whitespace().nth(1)?.rsplit_once(':')?;
    let host = if host.is_empty() { from.host.clone() } else { host.trim_matches(['[', ']']).to_owned() };
    Some(RedisServer { host, port: port.parse().ok()?, tls: from.tls })
}

impl Shared {
    fn nodes(&self) -> MutexGuard<'_, HashMap<RedisServer, Arc<Node>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node(&self, server: &RedisServer) -> Arc<Node> {
        let mut nodes = self.nodes();
        let node = nodes.entry(server.clone());
        Arc::clone(node.or_insert_with(|| Arc::new(Node::start(&self.access, &Target::Server(server.clone())))))
    }

    /// Reads the map anew: from the masters that are known, then from the nodes of the settings.
    async fn refresh(&self) -> Result<(), String> {
        let mut candidates = self.map.load().masters();
        candidates.extend(self.access.settings.servers.iter().cloned());
        let mut reasons = Vec::new();
        for server in candidates {
            match tokio::time::timeout(self.access.settings.connect_timeout, self.ask(&server)).await {
                Ok(Ok(map)) => {
                    let masters = map.masters();
                    self.map.store(Arc::new(map));
                    // The connections to whoever is no master any more are let go.
                    self.nodes().retain(|server, _| masters.contains(server));
                    return Ok(());
                }
                Ok(Err(reason)) => reasons.push(format!("{server}: {reason}")),
                Err(_) => reasons.push(format!("{server}: no answer in time")),
            }
        }
        reasons.dedup();
        Err(format!("no node of the Redis Cluster gives a map of its slots ({})", reasons.join("; ")))
    }

    /// The map of a node that is in touch with the others: one that was cut off has an old one.
    async fn ask(&self, server: &RedisServer) -> Result<SlotMap, String> {
        let mut connected = self.access.open(server, true).await?;
        let mut questions = Pipeline::new();
        questions.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SLOTS");
        let answers = connected.connection.req_packed_commands(&questions, 0, 2).await.map_err(|error| in_words(&error))?;
        let mut answers = answers.into_iter().map(Value::extract_error);
        let mut next = || answers.next().unwrap_or(Ok(Value::Nil)).map_err(|error| in_words(&error));
        let info: String = from_redis_value(next()?).map_err(|error| error.to_string())?;
        if !info.contains("cluster_state:ok") {
            return Err("it calls the cluster down (CLUSTERDOWN)".to_owned());
        }
        SlotMap::read(next()?, server).ok_or_else(|| "its map of the slots makes no sense".to_owned())
    }
}

/// Reads the map again from time to time, and soon after somebody found it wrong.
async fn keep(shared: Arc<Shared>) {
    let mut failed = false;
    loop {
        if !failed {
            // Either of the two: somebody found it wrong, or it is time.
            drop(tokio::time::timeout(REFRESH_EVERY, shared.outdated.notified()).await);
        }
        let outcome = shared.refresh().await;
        match &outcome {
            Ok(()) if failed => tracing::info!("the map of the Redis Cluster could be read again"),
            Err(reason) if !failed => tracing::warn!("the map of the Redis Cluster cannot be read: {reason}"),
            _ => {}
        }
        failed = outcome.is_err();
        tokio::time::sleep(PAUSE).await;
    }
}
