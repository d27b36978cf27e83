//! Several servers of one issuer on one Redis.

use super::person::unique;
use super::redis::{RedisCluster, RedisSentinels, RedisServer};
use super::server::Server;
use super::setup::Setup;

/// Settings of a server on a single Redis, with short patience.
pub(crate) fn on_redis(redis: &RedisServer) -> Setup {
    on("single", &[redis.port])
}

/// The same on a cluster, where each write waits for a replica.
pub(crate) fn on_cluster(cluster: &RedisCluster) -> Setup {
    let ports: Vec<u16> = cluster.nodes.iter().map(|node| node.port).collect();
    on("cluster", &ports).set("storage.redis.wait_replicas", 1)
}

/// The same on a master that sentinels watch.
pub(crate) fn on_sentinels(sentinels: &RedisSentinels) -> Setup {
    let setup = on("sentinel", &sentinels.ports()).set("storage.redis.wait_replicas", 1);
    setup.set("storage.redis.sentinel_master", RedisSentinels::NAME)
}

fn on(mode: &str, ports: &[u16]) -> Setup {
    let urls: Vec<String> = ports.iter().map(|port| format!("redis://127.0.0.1:{port}")).collect();
    Setup::new()
        .set("storage.backend", "redis")
        .set("storage.redis.mode", mode)
        .set("storage.redis.url", urls)
        .set("storage.redis.prefix", format!("{}:", unique("it")))
        // Every server of a fleet must be able to open what another sealed.
        .environment("SYMBOLON_STORAGE__SEALING_KEY", &"5e".repeat(32))
}

/// As many servers with the issuer of the first. Every second one is of the other release, where one is given.
#[track_caller]
pub(crate) fn fleet<const N: usize>(setup: &Setup) -> [Server; N] {
    let first = Server::start(setup);
    let others = setup.clone().set("server.issuer", first.issuer.as_str());
    let mut first = Some(first);
    let other_release = others.clone().of_other_release();
    std::array::from_fn(|n| first.take().unwrap_or_else(|| Server::start(if n % 2 == 0 { &others } else { &other_release })))
}
