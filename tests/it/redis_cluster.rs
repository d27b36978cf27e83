//! Servers on a Redis Cluster: what was acknowledged survives its masters, and service returns by itself.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::harness::cast::{ONE, TWO};
use crate::harness::fleet::{fleet, on_cluster};
use crate::harness::redis::{RedisCluster, RedisServer};
use crate::harness::{Form, Server, Tokens, until};
use crate::redis_fleet::signs_in_here_and_out_there;

/// What an app knows for certain.
struct Known {
    /// The last refresh token that it was given.
    refresh: String,
    /// How many of its devices were signed out, and that was acknowledged.
    signed_out: usize,
}

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

fn is_ready(server: &Server) -> bool {
    server.get("/readyz").status == 200
}

fn a_dying_master_loses_nothing(cluster: &RedisCluster, servers: [&Server; 2], quick: &Server) {
    let person = servers[0].person();
    let device = || servers[0].sign_in(ONE, &person, "openid offline_access device_sso");
    let devices: Vec<Vec<Tokens>> = servers.iter().map(|_| (0..25).map(|_| device()).collect()).collect();
    let stop = AtomicBool::new(false);
    let done = AtomicUsize::new(0);
    let progress = |by: usize| {
        let from = done.load(Ordering::Relaxed);
        until("the apps go on", || done.load(Ordering::Relaxed) >= from + by);
    };
    let known: Vec<Known> = std::thread::scope(|scope| {
        let apps = servers.iter().zip(&devices);
        let apps: Vec<_> = apps.map(|(server, devices)| scope.spawn(|| play(server, devices, &stop, &done))).collect();
        progress(10);
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
        progress(10);
        stop.store(true, Ordering::Relaxed);
        apps.into_iter().map(|app| app.join().expect("a thread")).collect()
    });
    for (n, known) in known.iter().enumerate() {
        let other = servers[1 - n];
        other.refresh(TWO, &known.refresh).ok();
        for gone in &devices[n][1..=known.signed_out] {
            other.exchange(TWO, gone, "openid").refused(400, "invalid_grant");
        }
        // Asked once more, because a sign-out that was not acknowledged may have happened.
        for there in &devices[n][(known.signed_out + 2).min(25)..] {
            other.exchange(TWO, there, "openid").ok();
        }
    }
}

/// An app that rotates its refresh token and signs its other devices out, until it is told to stop. Whoever is told to come again
/// does, with the very same request.
fn play(server: &Server, devices: &[Tokens], stop: &AtomicBool, done: &AtomicUsize) -> Known {
    let mut refresh = Tokens(server.exchange(TWO, &devices[0], "openid offline_access").ok()).refresh().to_owned();
    let mut signed_out = 0;
    let mut turn = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        let answer = server.refresh(TWO, &refresh);
        match answer.status {
            200 => {
                Tokens(answer.json()).refresh().clone_into(&mut refresh);
                done.fetch_add(1, Ordering::Relaxed);
            }
            _ => drop(answer.refused(503, "temporarily_unavailable")),
        }
        turn += 1;
        if turn.is_multiple_of(4) && signed_out + 1 < devices.len() {
            let form = Form::of(&[("token", devices[signed_out + 1].secret())]);
            match server.post_as(ONE, "/revoke", form).status {
                200 => signed_out += 1,
                status => assert_eq!(status, 503),
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Known { refresh, signed_out }
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
