//! The Redis servers that the unit tests share: each started once in a test process, by the first test that wants it.

#[path = "../../../../tests/it/harness/redis.rs"]
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
pub(in crate::storage) mod servers;

use std::sync::LazyLock;
use std::time::Duration;

use self::servers::{RedisCluster, RedisSentinels, RedisServer};
use crate::foundation::random;
use crate::settings::meaning::{self, RedisMode};

static SINGLE: LazyLock<RedisServer> = LazyLock::new(|| RedisServer::start(&[]));
static CLUSTER: LazyLock<RedisCluster> = LazyLock::new(RedisCluster::start);
static SENTINELS: LazyLock<RedisSentinels> = LazyLock::new(RedisSentinels::start);

/// Settings for one server, with a prefix that nothing else has.
pub(in crate::storage) fn redis() -> meaning::Redis {
    settings(RedisMode::Single, &[SINGLE.port], 0)
}

/// The same for a cluster, where each write waits for a replica. Two nodes are enough to find the others.
pub(in crate::storage) fn cluster() -> meaning::Redis {
    let ports: Vec<u16> = CLUSTER.nodes[..2].iter().map(|node| node.port).collect();
    settings(RedisMode::Cluster, &ports, 1)
}

/// The same for a master that sentinels watch.
pub(in crate::storage) fn sentinels() -> meaning::Redis {
    settings(RedisMode::Sentinel(RedisSentinels::NAME.to_owned()), &SENTINELS.ports(), 1)
}

/// Settings for servers on these ports.
pub(in crate::storage) fn settings(mode: RedisMode, ports: &[u16], wait_replicas: u64) -> meaning::Redis {
    let server = |port: &u16| meaning::RedisServer { host: "127.0.0.1".to_owned(), port: *port, tls: false };
    meaning::Redis {
        mode,
        servers: ports.iter().map(server).collect(),
        prefix: format!("test{:016x}:", u64::from_be_bytes(random::bytes())),
        username: None,
        password: None,
        ca_file: None,
        // The tests have other work to do at the same time.
        timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(10),
        wait_replicas,
        wait_timeout: Duration::from_secs(10),
        connections: 2,
    }
}
