//! A network that falls apart: a master that only the servers reach, and one that only the servers do not reach.

use std::time::{Duration, Instant};

use crate::harness::cast::{ONE, TWO};
use crate::harness::fleet::{fleet, on_cluster};
use crate::harness::load::Load;
use crate::harness::partition::{Network, Peers};
use crate::harness::redis::{RedisCluster, RedisServer};
use crate::harness::{Server, Tokens, until};
use crate::redis_cluster::is_ready;

#[test]
fn a_network_that_falls_apart() {
    let network = Network::start();
    let setup = on_cluster(&network.cluster).set("storage.redis.timeout", "1s").set("storage.redis.wait_timeout", "300ms");
    let [a, b] = fleet(&setup);
    // This one does not wait for replicas, so it tells when a failover is over, and loses what the others do not.
    let hasty = setup.set("server.issuer", a.issuer.as_str()).set("storage.redis.wait_replicas", 0).start();
    a_master_out_of_reach_holds_up_its_own_slots_only(&network, &a);
    two_masters_at_once_lose_nothing(&network, [&a, &b], &hasty);
    without_replicas_to_wait_for_they_do(&network, &hasty);
}

/// How often a node has carried these commands out.
fn count(node: &RedisServer, commands: &[&str]) -> u64 {
    let stats = node.ask("INFO commandstats");
    let counts = commands.iter().filter_map(|command| {
        let rest = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")))?;
        rest.split(',').next()?.parse::<u64>().ok()
    });
    counts.sum()
}

/// The master that keeps what is changed now. Each change is a script.
#[track_caller]
fn keeper_of(cluster: &RedisCluster, change: impl FnOnce()) -> &RedisServer {
    let counts = || cluster.nodes.iter().map(|node| count(node, &["evalsha"]));
    let before: Vec<u64> = counts().collect();
    change();
    let changed = counts().zip(before).position(|(after, before)| after > before);
    &cluster.nodes[changed.expect("a change")]
}

/// Who believes to be a master.
fn masters(cluster: &RedisCluster) -> usize {
    cluster.nodes.iter().filter(|node| node.ask("ROLE").starts_with("master")).count()
}

/// Waits until another master keeps what this one does, which does not know it yet.
#[track_caller]
fn until_there_are_two(cluster: &RedisCluster, cut_off: &RedisServer) {
    until("the replica has taken over", || masters(cluster) == 4);
    assert!(cut_off.ask("ROLE").starts_with("master"), "nobody has told it");
}

fn a_master_out_of_reach_holds_up_its_own_slots_only(network: &Network, server: &Server) {
    let cluster = &network.cluster;
    let device = || {
        let device = server.device(ONE);
        Tokens(server.exchange(TWO, &device, "openid offline_access").ok())
    };
    let refresh = |tokens: &mut Tokens| *tokens = Tokens(server.refresh(TWO, tokens.refresh()).ok());
    let mut here = device();
    let master = keeper_of(cluster, || refresh(&mut here));
    // Another, of whom nothing that a refresh looks at is there.
    let mut there = device();
    until("somebody who is kept elsewhere", || {
        let before = count(master, &["get", "evalsha"]);
        refresh(&mut there);
        let elsewhere = count(master, &["get", "evalsha"]) == before;
        if !elsewhere {
            there = device();
        }
        elsewhere
    });
    network.cut_off(master, Peers::Servers);
    std::thread::scope(|scope| {
        let held_up = [0; 4].map(|_| {
            scope.spawn(|| {
                let begun = Instant::now();
                server.refresh(TWO, here.refresh()).is_told_to_come_again();
                begun.elapsed()
            })
        });
        while !held_up.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let begun = Instant::now();
            refresh(&mut there);
            assert!(begun.elapsed() < Duration::from_millis(700), "it waited for the others: {:?}", begun.elapsed());
        }
        for held_up in held_up {
            let took = held_up.join().expect("a thread");
            assert!(took < Duration::from_secs(3), "{took:?}");
        }
    });
    let ready = server.get("/readyz");
    assert_eq!((ready.status, ready.header("retry-after").is_some()), (503, true));
    assert_eq!(masters(cluster), 3, "the cluster is whole");
    refresh(&mut there);
    for sentence in ["gave no answer (it did not come in time)", "cannot be used: no answer within 1s"] {
        let sentence = format!("Redis at 127.0.0.1:{} {sentence}", master.port);
        assert!(server.log().contains(&sentence), "{sentence}: {}", server.log());
    }
    network.heal();
    let healed = Instant::now();
    until("service returns by itself", || server.refresh(TWO, here.refresh()).status == 200);
    until("it is ready again", || is_ready(server));
    assert!(healed.elapsed() < Duration::from_secs(5), "{:?}", healed.elapsed());
}

/// Cut off from the cluster, a master takes writes until it believes that it is alone; soon after the next one does.
fn two_masters_at_once_lose_nothing(network: &Network, servers: [&Server; 2], hasty: &Server) {
    let cluster = &network.cluster;
    let load = Load::new(servers);
    let master = keeper_of(cluster, || drop(servers[0].exchange(TWO, load.device(), "openid offline_access").ok()));
    load.keeps_what_was_acknowledged(|| {
        network.cut_off(master, Peers::Nodes);
        until("a write that nobody else can see", || servers[0].log().contains("only 0 of 1 replicas have it"));
        assert_eq!(masters(cluster), 3, "it was not the next master that had it");
        until_there_are_two(cluster, master);
        let taken_over = Instant::now();
        until("service returns by itself", || is_ready(hasty));
        assert!(taken_over.elapsed() < Duration::from_secs(5), "{:?}", taken_over.elapsed());
        assert!(!is_ready(servers[0]), "the new master has no replica to wait for");
        network.heal();
        until("the old one is a replica, and waited for", || servers.iter().all(|server| is_ready(server)));
    });
}

/// What `storage.redis.wait_replicas` is for: else the cut-off master acknowledges what nobody will know of.
fn without_replicas_to_wait_for_they_do(network: &Network, hasty: &Server) {
    let cluster = &network.cluster;
    let device = hasty.device(ONE);
    let master = keeper_of(cluster, || drop(hasty.exchange(TWO, &device, "openid").ok()));
    network.cut_off(master, Peers::Nodes);
    hasty.revoke(ONE, device.secret());
    hasty.exchange(TWO, &device, "openid").refused(400, "invalid_grant");
    until_there_are_two(cluster, master);
    until("the sign-out is forgotten", || hasty.exchange(TWO, &device, "openid").status == 200);
    network.heal();
    cluster.wait_until_whole();
    hasty.exchange(TWO, &device, "openid").ok();
}
