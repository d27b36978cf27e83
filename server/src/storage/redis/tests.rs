//! What only this backend has: replicas that are waited for, slots that move, keys that somebody else has written.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use futures_util::future::join_all;

use super::rig::servers::{RedisCluster, RedisSentinels, RedisServer};
use super::rig::settings;
use super::slots::slot_of;
use super::{Redis, record};
use crate::foundation::Clock;
use crate::settings::meaning::RedisMode;
use crate::storage::{Index, IndexKind, Key, Kind, StorageError, Store};

fn key(id: &str) -> Key {
    Key::new(Kind::Session, id)
}

fn reason<T: std::fmt::Debug>(result: Result<T, StorageError>) -> String {
    match result.unwrap_err() {
        StorageError::Unavailable(reason) => reason,
        other => panic!("{other}"),
    }
}

/// If a `WAIT` went another way than its write, it would count up to the last command of that other connection, and every
/// replica, however far behind now, has had that: nothing would be refused here (tried).
#[tokio::test]
async fn a_write_is_not_acknowledged_without_its_replica() {
    let servers = RedisSentinels::start();
    let mut wanted = settings(RedisMode::Sentinel(RedisSentinels::NAME.to_owned()), &servers.ports(), 1);
    wanted.wait_timeout = Duration::from_millis(300);
    let store = Redis::open(&wanted, Clock::manual(1000)).await.unwrap();
    assert!(store.insert(key("before"), b"x".to_vec(), None).await.unwrap());
    store.ready().await.unwrap();
    // Each is asked once and has changed nothing before, so that nothing of its own is missing.
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(Redis::open(&wanted, Clock::manual(1000)).await.unwrap());
    }
    servers.replica.signal("STOP");
    let writes = (0..300).map(|n| store.insert(key(&format!("meanwhile{n}")), b"x".to_vec(), None));
    for refused in join_all(writes).await {
        assert!(reason(refused).contains("only 0 of 1 replicas have it"));
    }
    assert!(reason(store.ready().await).contains("only 0 of 1"));
    // What is there is read, and that it is there already is no acknowledgement either.
    assert!(store.get(&key("before")).await.unwrap().is_some());
    assert!(reason(others[0].settle(&key("meanwhile1")).await).contains("only 0 of 1"));
    assert!(reason(others[1].settle(&key("never there")).await).contains("only 0 of 1"));
    assert!(reason(others[2].insert(key("meanwhile1"), b"y".to_vec(), None).await).contains("only 0 of 1"));
    assert!(reason(others[3].delete(key("never there")).await).contains("only 0 of 1"));
    assert!(reason(others[4].take(key("never there"), None).await).contains("only 0 of 1"));
    servers.replica.signal("CONT");
    assert!(!store.insert(key("meanwhile1"), b"y".to_vec(), None).await.unwrap());
    for id in ["meanwhile1", "never there"] {
        others[0].settle(&key(id)).await.unwrap();
    }
    assert_eq!(store.get(&key("meanwhile1")).await.unwrap().unwrap().value, b"x");
    assert!(store.get(&key("never there")).await.unwrap().is_none());
}

#[tokio::test]
async fn on_a_cluster_too() {
    let cluster = RedisCluster::start();
    let ports: Vec<u16> = cluster.nodes.iter().map(|node| node.port).collect();
    let mut wanted = settings(RedisMode::Cluster, &ports, 1);
    wanted.wait_timeout = Duration::from_millis(200);
    let store = Redis::open(&wanted, Clock::manual(1000)).await.unwrap();
    store.ready().await.unwrap();
    // Every replica stands still for less than it takes the cluster to give it up.
    let replicas: Vec<&RedisServer> = cluster.nodes.iter().filter(|node| node.ask("ROLE").starts_with("slave")).collect();
    assert_eq!(replicas.len(), 3);
    for replica in &replicas {
        replica.signal("STOP");
    }
    let writes = (0..100).map(|n| store.insert(key(&format!("meanwhile{n}")), b"x".to_vec(), None));
    let refused: Vec<String> = join_all(writes).await.into_iter().map(reason).collect();
    for replica in &replicas {
        replica.signal("CONT");
    }
    assert!(refused.iter().all(|reason| reason.contains("only 0 of 1 replicas have it")), "{refused:?}");
    cluster.wait_until_whole();
    assert!(store.insert(key("after"), b"x".to_vec(), None).await.unwrap());
    follows_a_slot(&cluster, &store, &wanted.prefix).await;
}

/// While a slot moves, and after it has.
async fn follows_a_slot(cluster: &RedisCluster, store: &Redis, prefix: &str) {
    let name = record::name_of(prefix, &key("moves"));
    let slot = slot_of(&name);
    let from = cluster.master_of(slot);
    let to = cluster.nodes.iter().find(|node| node.port != from.port && node.ask("ROLE").starts_with("master")).unwrap();
    let (from_id, to_id) = (from.ask("CLUSTER MYID"), to.ask("CLUSTER MYID"));
    assert_eq!(to.ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}")), "OK");
    assert_eq!(from.ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}")), "OK");
    // The key is not there yet, so the old master says ASK, and the new one takes it only when asked so.
    assert!(store.insert(key("moves"), b"x".to_vec(), None).await.unwrap());
    assert_eq!(store.get(&key("moves")).await.unwrap().unwrap().value, b"x");
    for node in [to, from] {
        assert_eq!(node.ask(&format!("CLUSTER SETSLOT {slot} NODE {to_id}")), "OK");
    }
    // Now the old one says MOVED.
    assert_eq!(store.take(key("moves"), Some(b"y".to_vec())).await.unwrap().unwrap(), b"x");
    assert_eq!(store.get(&key("moves")).await.unwrap().unwrap().value, b"y");
    assert!(store.delete(key("moves")).await.unwrap());
}

#[tokio::test]
async fn what_somebody_else_has_written_is_damage() {
    let redis = RedisServer::start(&[]);
    let mut wanted = settings(RedisMode::Single, &[redis.port], 0);
    "p:".clone_into(&mut wanted.prefix);
    let store = Redis::open(&wanted, Clock::manual(1000)).await.unwrap();
    let damaged = |error: StorageError| assert!(matches!(error, StorageError::Damaged(_)), "{error}");
    assert_eq!(redis.ask("SET p:r\u{1}text short"), "OK");
    assert_eq!(redis.ask("RPUSH p:r\u{1}list a"), "1");
    assert_eq!(redis.ask("SET p:i\u{1}ann x"), "OK");
    for id in ["text", "list"] {
        damaged(store.get(&key(id)).await.unwrap_err());
        damaged(store.insert(key(id), Vec::new(), None).await.unwrap_err());
        damaged(store.take(key(id), None).await.unwrap_err());
        damaged(store.delete(key(id)).await.unwrap_err());
    }
    let index = Index::new(IndexKind::SessionsOfSubject, "ann");
    damaged(store.index_list(&index).await.unwrap_err());
    damaged(store.index_add(index, b"m".to_vec(), None).await.unwrap_err());
}

/// Redis reclaims the memory of what has expired, a little after we stop reading it.
#[tokio::test]
async fn redis_is_told_how_long_to_keep_things() {
    let redis = RedisServer::start(&[]);
    let mut wanted = settings(RedisMode::Single, &[redis.port], 0);
    "p:".clone_into(&mut wanted.prefix);
    let clock = Clock::manual(1000);
    let store = Redis::open(&wanted, clock.clone()).await.unwrap();
    let in_seconds = |seconds| Some(clock.now().plus(Duration::from_secs(seconds)));
    let left = |name: &str| redis.ask(&format!("TTL {name}")).parse::<i64>().unwrap();
    store.insert(key("a"), b"x".to_vec(), in_seconds(100)).await.unwrap();
    assert!((150..=160).contains(&left("p:r\u{1}a")));
    store.take(key("a"), Some(b"y".to_vec())).await.unwrap();
    assert!((150..=160).contains(&left("p:r\u{1}a")));
    let version = store.get(&key("a")).await.unwrap().unwrap().version;
    store.compare_and_swap(key("a"), version, b"z".to_vec(), None).await.unwrap();
    assert_eq!(left("p:r\u{1}a"), -1);
    let index = Index::new(IndexKind::SessionsOfSubject, "ann");
    let add = |member: &str, expires| store.index_add(index.clone(), member.as_bytes().to_vec(), expires);
    add("short", in_seconds(10)).await.unwrap();
    add("long", in_seconds(1000)).await.unwrap();
    add("shorter", in_seconds(5)).await.unwrap();
    assert!((1050..=1060).contains(&left("p:i\u{1}ann")));
    add("for ever", None).await.unwrap();
    assert_eq!(left("p:i\u{1}ann"), -1);
    clock.advance(Duration::from_secs(2000));
    add("for ever", None).await.unwrap();
    assert_eq!(redis.ask("ZCARD p:i\u{1}ann"), "1", "the expired members went");
}
