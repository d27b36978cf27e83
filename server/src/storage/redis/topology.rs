//! Where a command goes: to the one server, to the master, or to the node of a cluster that has its key.

use std::sync::Arc;

use futures_util::future::try_join_all;
use redis::{Cmd, ServerErrorKind, Value, cmd, from_redis_value};
use tokio::time::Instant;

use super::cluster::Cluster;
use super::connect::Access;
use super::link::Target;
use super::node::Node;
use super::record;
use super::scripts::Script;
use super::server::ServerReport;
use super::slots::slot_of;
use super::trouble::Trouble;
use crate::settings::meaning::RedisMode;

/// One operation on one key.
#[derive(Debug)]
pub(super) enum Request {
    /// Changes nothing, so it may be sent twice.
    Read { key: Vec<u8>, command: Cmd },
    /// A command that changes something.
    Write { key: Vec<u8>, command: Cmd },
    /// A script that changes something.
    Script { script: Script, key: Vec<u8>, arguments: Vec<Vec<u8>> },
}

impl Request {
    fn key(&self) -> &[u8] {
        match self {
            Self::Read { key, .. } | Self::Write { key, .. } | Self::Script { key, .. } => key,
        }
    }

    fn writes(&self) -> bool {
        !matches!(self, Self::Read { .. })
    }

    fn command(&self, by_text: bool) -> Cmd {
        match self {
            Self::Read { command, .. } | Self::Write { command, .. } => command.clone(),
            Self::Script { script, key, arguments } => script.call(key, arguments, by_text),
        }
    }
}

/// How the servers belong together.
#[derive(Debug)]
enum Shape {
    /// A server, or the master that sentinels name.
    One(Arc<Node>),
    /// A cluster.
    Cluster(Cluster),
}

/// The servers, and how long they may take.
#[derive(Debug)]
pub(super) struct Topology {
    shape: Shape,
    access: Arc<Access>,
}

impl Topology {
    /// Connects to every master; within the runtime that the connections shall live in.
    ///
    /// # Errors
    /// Why one of them cannot be used.
    pub(super) async fn open(access: Arc<Access>) -> Result<Self, String> {
        let shape = match (&access.settings.mode, access.settings.servers.first()) {
            (RedisMode::Cluster, _) => Shape::Cluster(Cluster::open(Arc::clone(&access)).await?),
            (RedisMode::Sentinel(_), _) => Shape::One(Arc::new(Node::start(&access, &Target::Master))),
            (RedisMode::Single, Some(server)) => Shape::One(Arc::new(Node::start(&access, &Target::Server(server.clone())))),
            (RedisMode::Single, None) => return Err("storage.redis.url names no server".to_owned()),
        };
        let topology = Self { shape, access };
        for (_, node) in topology.masters() {
            // Twice, because sentinels are asked before the master is.
            let deadline = Instant::now() + topology.access.settings.connect_timeout * 2;
            node.stands(deadline).await.map_err(|trouble| trouble.to_string())?;
        }
        Ok(topology)
    }

    /// Until when an answer to what is asked now is waited for.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.access.settings.timeout
    }

    /// Whether a write is acknowledged only when replicas have it.
    pub(super) fn waits_for_replicas(&self) -> bool {
        self.access.settings.wait_replicas > 0
    }

    /// Sends a request to where its key is, and gives back the answer.
    pub(super) async fn send(&self, request: &Request) -> Result<Value, Trouble> {
        let deadline = self.deadline();
        let answer = self.send_once(request, false, deadline).await;
        let Err(trouble) = answer else { return answer };
        match (&trouble, trouble.kind()) {
            // Not carried out: this server has lost its scripts.
            (_, Some(ServerErrorKind::NoScript)) => self.send_once(request, true, deadline).await,
            // Nobody knows whether it was carried out, and for one that changes nothing it does not matter.
            (Trouble::Lost(_), _) if !request.writes() => self.send_once(request, false, deadline).await,
            (_, Some(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)) => {
                // Ask again who the master is.
                if let Shape::One(node) = &self.shape {
                    node.renew();
                }
                Err(trouble)
            }
            _ => Err(trouble),
        }
    }

    async fn send_once(&self, request: &Request, by_text: bool, deadline: Instant) -> Result<Value, Trouble> {
        let command = request.command(by_text);
        match &self.shape {
            Shape::One(node) if request.writes() => node.write(command, false, deadline).await,
            Shape::One(node) => node.read(command, false, deadline).await,
            Shape::Cluster(cluster) => cluster.send(request.key(), &command, request.writes(), deadline).await,
        }
    }

    /// Every master with a slot that it serves.
    pub(super) fn masters(&self) -> Vec<(u16, Arc<Node>)> {
        match &self.shape {
            Shape::One(node) => vec![(0, Arc::clone(node))],
            Shape::Cluster(cluster) => {
                let map = cluster.map();
                map.masters().into_iter().filter_map(|master| Some((map.slot_at(&master)?, cluster.node(&master)))).collect()
            }
        }
    }

    /// Looks whether a write would be kept right now: makes one at every master.
    pub(super) async fn probe(&self, prefix: &str) -> Result<(), Trouble> {
        if let Shape::Cluster(cluster) = &self.shape
            && !cluster.map().is_whole()
        {
            cluster.doubt();
            return Err(Trouble::Unsent("some slots of the Redis Cluster have no master".to_owned()));
        }
        let masters = self.masters().into_iter();
        let probed = try_join_all(masters.map(|(slot, node)| self.probe_one(node, name_in(prefix, slot)))).await;
        if let (Err(_), Shape::Cluster(cluster)) = (&probed, &self.shape) {
            cluster.doubt();
        }
        probed.map(drop)
    }

    async fn probe_one(&self, node: Arc<Node>, name: String) -> Result<(), Trouble> {
        let deadline = self.deadline();
        let info = node.read(cmd("INFO"), false, deadline).await?;
        let info: String = from_redis_value(info).map_err(|error| Trouble::Damaged(format!("INFO is no text: {error}")))?;
        ServerReport::read(&info, None).judge(&self.access.settings.mode).map_err(Trouble::Unsent)?;
        let write = cmd("SET").arg(name).arg(1).arg("EX").arg(record::SLACK).to_owned();
        node.write(write, false, deadline).await.map(drop)
    }
}

/// The name of a key that lies in a slot of a cluster, and that is neither a record nor an index.
fn name_in(prefix: &str, slot: u16) -> String {
    // Sixteen thousand slots: one in so many numbers falls into each, and whoever searches ten times as many finds one.
    let names = (0..200_000_u32).map(|number| format!("{prefix}probe{number}"));
    names.into_iter().find(|name| slot_of(name.as_bytes()) == slot).unwrap_or_else(|| format!("{prefix}probe"))
}
