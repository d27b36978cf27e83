//! Servers on a Redis Cluster: what was acknowledged survives its masters, and service returns by itself.

use std::time::{Duration, Instant};

use crate::harness::cast::{ONE, TWO};
use crate::harness::fleet::{fleet, on_cluster};
use crate::harness::load::Load;
use crate::harness::redis::{RedisCluster, RedisServer};
use crate::harness::{Server, Tokens, until};
use crate::redis_fleet::signs_in_here_and_out_there;

#[test]
fn a_fleet_on_a_cluster() {
    let cluster = RedisCluster::start();
    let setup = on_cluster(&cluster).set("storage.redis.timeout", "1s").set("storage.redis.wait_timeout", "500ms");
    let [a, b] = fleet(&setup);
    // This one does not wait for replicas, so it tells when a failover is over.
    let quick = setup.set("server.issuer", a.issuer.as_str()).set("storage.redis.wait_replicas", 0).start();
    signs_in_here_and_out_there(&a, &b, &quick);
    a_dying_master_loses_nothing(&cluster, [&a, &b], &quick);
    signs_in_here_and_out_there(&b, &quick, &a);
    a_node_that_is_cut_off_is_left_behind(&cluster, [&a, &b], &quick);
    slots_without_a_master_are_refused(&cluster, &quick);
}

pub(crate) fn is_ready(server: &Server) -> bool {
    server.get("/readyz").status == 200
}

fn a_dying_master_loses_nothing(cluster: &RedisCluster, servers: [&Server; 2], quick: &Server) {
    Load::new(servers).keeps_what_was_acknowledged(|| {
        let victim = cluster.master_of(0);
        victim.kill();
        let begun = Instant::now();
        until("the replica has taken over", || cluster.master_of(0).port != victim.port);
        let (taken_over, failover) = (Instant::now(), begun.elapsed());
        until("service returns by itself", || is_ready(quick));
        let returned = taken_over.elapsed();
        assert!(returned < Duration::from_secs(5), "{returned:?} after the failover, which took {failover:?}");
        assert!(!is_ready(servers[0]), "the new master has no replica to wait for");
        victim.run();
        until("the dead is a replica, and waited for", || servers.iter().all(|server| is_ready(server)));
    });
}

fn a_node_that_is_cut_off_is_left_behind(cluster: &RedisCluster, servers: [&Server; 2], quick: &Server) {
    let device = servers[0].device(ONE);
    let two = Tokens(servers[0].exchange(TWO, &device, "openid offline_access").ok());
    let cut_off = cluster.master_of(16_000);
    cut_off.signal("STOP");
    until("somebody else has its slots", || {
        cluster
            .nodes
            .iter()
            .any(|node| node.port != cut_off.port && node.ask("ROLE").starts_with("master") && serves(node, 16_000))
    });
    until("service returns by itself", || is_ready(quick));
    let next = Tokens(quick.refresh(TWO, two.refresh()).ok());
    cut_off.signal("CONT");
    until("it is a replica, and waited for", || servers.iter().all(|server| is_ready(server)));
    servers[1].refresh(TWO, next.refresh()).ok();
    servers[0].exchange(TWO, &device, "openid").ok();
}

/// Whether a node says that it has a slot.
fn serves(node: &RedisServer, slot: u16) -> bool {
    let own = node.ask("CLUSTER NODES");
    let own = own.lines().find(|line| line.contains("myself")).unwrap_or_default();
    own.split(' ').skip(8).filter_map(|range| range.split_once('-')).any(|(first, last)| {
        first.parse().is_ok_and(|first: u16| first <= slot) && last.parse().is_ok_and(|last: u16| slot <= last)
    })
}

fn slots_without_a_master_are_refused(cluster: &RedisCluster, server: &Server) {
    let device = server.device(ONE);
    let master = cluster.master_of(0);
    let id = master.ask("CLUSTER MYID");
    let map = master.ask("CLUSTER NODES");
    let of_replica = |line: &&str| line.contains("slave") && line.contains(&id);
    let replica = map.lines().find(of_replica).expect("a replica");
    let replica = cluster.nodes.iter().find(|node| replica.contains(&format!("127.0.0.1:{}@", node.port))).expect("a node");
    replica.kill();
    master.kill();
    until("the cluster is down", || {
        let answer = server.exchange(TWO, &device, "openid offline_access");
        answer.status == 503 && server.log().contains("CLUSTERDOWN")
    });
    assert!(!is_ready(server));
    master.run();
    replica.run();
    until("service returns by itself", || is_ready(server));
    server.exchange(TWO, &device, "openid offline_access").ok();
}
