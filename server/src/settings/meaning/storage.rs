//! `[storage]`: where state is kept.

use std::path::PathBuf;
use std::time::Duration;

use crate::foundation::Secret;

/// `[storage]`
#[derive(Debug, Clone)]
pub struct Storage {
    /// `storage.path`: the data folder (created with mode 0700), default `var`, relative to the settings file. It holds the
    /// embedded store, the administration socket and the sealing key that is made at the first start.
    pub path: PathBuf,
    /// `storage.sealing_key_file`: 32 bytes as base64url or hex that seal keys at rest. Default: `sealing.key` in the
    /// data folder, made at first start. Also from the environment as `SYMBOLON_STORAGE__SEALING_KEY`.
    pub sealing_key: SealingKeySource,
    /// `storage.previous_sealing_keys`: files with earlier keys, which open and do not seal. Default: none.
    pub previous_sealing_keys: Vec<PathBuf>,
    /// `storage.cache`: memory for the embedded engine's page cache in bytes, default 16 MiB.
    pub cache_bytes: usize,
    /// `storage.sync`, default true: whether the embedded engine waits for the disk.
    pub sync: bool,
    /// `storage.backend` = `embedded` (default) | `redis`.
    pub backend: Backend,
}

/// Where the sealing key comes from.
#[derive(Debug, Clone)]
pub enum SealingKeySource {
    /// A file that must exist.
    File(PathBuf),
    /// The value itself (environment only).
    Value(Secret<String>),
    /// `sealing.key` in the data folder, generated when missing.
    Generated,
}

/// What keeps the records.
#[derive(Debug, Clone)]
pub enum Backend {
    /// One file in the data folder, for one server.
    Embedded,
    /// A Redis that many servers share.
    Redis(Box<Redis>),
}

/// `[storage.redis]`
#[derive(Debug, Clone)]
pub struct Redis {
    /// `storage.redis.mode` = `single` (default) | `cluster` | `sentinel`.
    pub mode: RedisMode,
    /// `storage.redis.url`: the server, some nodes of the cluster, or the sentinels.
    pub servers: Vec<RedisServer>,
    /// `storage.redis.prefix`: what every key begins with, default `symbolon:`.
    pub prefix: String,
    /// `storage.redis.username`, for servers with access lists.
    pub username: Option<String>,
    /// `SYMBOLON_STORAGE__REDIS__PASSWORD`, or what `storage.redis.password_file` holds.
    pub password: Option<Secret<String>>,
    /// `storage.redis.ca_file`: certificates (PEM) that `rediss://` servers are verified by, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// `storage.redis.timeout`, default 2s: the longest that an answer may take.
    pub timeout: Duration,
    /// `storage.redis.connect_timeout`, default 1s.
    pub connect_timeout: Duration,
    /// `storage.redis.wait_replicas`, default 0: how many replicas must have a write before it is acknowledged.
    pub wait_replicas: u64,
    /// `storage.redis.wait_timeout`, default 1s: how long they may take.
    pub wait_timeout: Duration,
    /// `storage.redis.connections`, default 2: connections to each server for writes that wait for replicas.
    pub connections: usize,
}

/// How the servers of a Redis belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisMode {
    /// One server.
    Single,
    /// A Redis Cluster.
    Cluster,
    /// One master with replicas, watched by sentinels that know it by this name.
    Sentinel(String),
}

/// The address of a Redis server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RedisServer {
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether it is spoken to over TLS (`rediss://`).
    pub tls: bool,
}

impl std::fmt::Display for RedisServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
