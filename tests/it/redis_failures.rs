//! A Redis that fails: what is asked meanwhile is told to come again, and service returns by itself.

use std::time::{Duration, Instant};

use crate::harness::cast::{ONE, OPAQUE, TWO};
use crate::harness::fleet::{on_redis, on_sentinels};
use crate::harness::redis::{RedisSentinels, RedisServer};
use crate::harness::{Form, Server, Tokens, until};

/// A write is refused for now: 503, `temporarily_unavailable`, `Retry-After`; gives how long that took.
#[track_caller]
fn is_told_to_come_again(server: &Server, device: &Tokens) -> Duration {
    let begun = Instant::now();
    server.exchange(TWO, device, "openid offline_access").is_told_to_come_again();
    begun.elapsed()
}

#[track_caller]
fn returns(server: &Server, device: &Tokens) {
    until("service returns by itself", || server.exchange(TWO, device, "openid offline_access").status == 200);
    until("it is ready again", || server.get("/readyz").status == 200);
}

#[test]
fn a_paused_redis_is_waited_for_no_longer_than_the_settings_say() {
    let redis = RedisServer::start(&[]);
    let server = on_redis(&redis).set("storage.redis.timeout", "600ms").set("storage.redis.connect_timeout", "300ms").start();
    let device = server.device(ONE);
    redis.signal("STOP");
    for _ in 0..3 {
        assert!(is_told_to_come_again(&server, &device) < Duration::from_secs(3));
    }
    let ready = server.get("/readyz");
    assert_eq!((ready.status, ready.header("retry-after").is_some()), (503, true));
    assert!(server.get("/healthz").status == 200 && server.get("/jwks.json").status == 200, "what needs no store goes on");
    redis.signal("CONT");
    returns(&server, &device);
    assert!(server.log().contains("gave no answer"), "{}", server.log());
}

#[test]
fn a_redis_that_is_started_again_has_everything() {
    let redis = RedisServer::start(&["key-load-delay 200"]);
    let server = on_redis(&redis).start();
    let device = server.device(ONE);
    let two = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
    // Enough to take two seconds to load. Tabs, because words end at spaces.
    redis.ask("EVAL for\tn=1,10000\tdo\tredis.call('SET','filler'..n,n)\tend 0");
    redis.kill();
    is_told_to_come_again(&server, &device);
    redis.run();
    until("it says that it is loading", || {
        is_refused(&server, &device);
        server.log().contains("LOADING")
    });
    returns(&server, &device);
    server.refresh(TWO, two.refresh()).ok();
    assert!(server.log().contains("is there again"), "{}", server.log());
}

fn is_refused(server: &Server, device: &Tokens) -> bool {
    server.exchange(TWO, device, "openid").status == 503
}

#[test]
fn each_refusal_of_redis_has_its_sentence() {
    let redis = RedisServer::start(&["maxmemory-policy noeviction"]);
    let server = on_redis(&redis).start();
    let device = server.device(ONE);
    let cases = [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "used up its maxmemory"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "min-replicas-to-write"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "replica"),
        ("CONFIG SET maxmemory-policy allkeys-lru", "CONFIG SET maxmemory-policy noeviction", "throw records away"),
    ];
    for (breaks, mends, sentence) in cases {
        assert_eq!(redis.ask(breaks), "OK");
        if sentence != "throw records away" {
            is_told_to_come_again(&server, &device);
        }
        assert_eq!(server.get("/readyz").status, 503, "{breaks}");
        assert!(server.log().contains(sentence), "{sentence}: {}", server.log());
        assert_eq!(redis.ask(mends), "OK");
        returns(&server, &device);
    }
    // No failure at all: the scripts are sent again.
    assert_eq!(redis.ask("SCRIPT FLUSH"), "OK");
    server.exchange(TWO, &device, "openid offline_access").ok();
    // Nor that somebody ends all our connections.
    redis.ask("CLIENT KILL TYPE normal");
    until("connections are made again", || server.exchange(TWO, &device, "openid offline_access").status == 200);
}

#[test]
fn without_the_replica_no_write_is_acknowledged() {
    let redis = RedisServer::start(&[]);
    let setup = || on_redis(&redis).set("storage.redis.wait_replicas", 1).set("storage.redis.wait_timeout", "300ms");
    let replica = RedisServer::start(&["repl-diskless-sync-delay 0", &format!("replicaof 127.0.0.1 {}", redis.port)]);
    until("the replica is in step", || replica.ask("INFO replication").contains("master_link_status:up"));
    let server = setup().start();
    let (device, gone, person) = (server.device(ONE), server.device(ONE), server.person());
    let opaque = server.sign_in(OPAQUE, &person, "openid");
    let two = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
    replica.signal("STOP");
    is_told_to_come_again(&server, &device);
    assert_eq!(server.get("/readyz").status, 503);
    assert!(server.log().contains("only 0 of 1 replicas have it"), "{}", server.log());
    nor_is_it_when_it_is_asked_for_again(&server, &gone, [&two, &opaque]);
    let end_all = || server.command(&["session", "end", "--user", &person.name, "--all"]);
    for _ in 0..3 {
        let said = end_all().refused();
        assert!(said.contains("only 0 of 1 replicas have it"), "{said}");
    }
    replica.signal("CONT");
    returns(&server, &device);
    server.refresh(TWO, two.refresh()).ok();
    end_all().fine();
}

/// By then it is done, as far as Redis shows; only the replica does not have it.
fn nor_is_it_when_it_is_asked_for_again(server: &Server, gone: &Tokens, [two, opaque]: [&Tokens; 2]) {
    for _ in 0..3 {
        server.refresh(TWO, two.refresh()).is_told_to_come_again();
    }
    let access = [(OPAQUE, opaque.access()), (TWO, two.access()), (ONE, gone.access())];
    for (client, token) in access.into_iter().chain([(ONE, gone.refresh()), (ONE, gone.secret())]) {
        for _ in 0..3 {
            server.post_as(client, "/revoke", Form::of(&[("token", token)])).is_told_to_come_again();
        }
    }
    for _ in 0..3 {
        let path = format!("/logout?id_token_hint={}", gone.id());
        assert_eq!(server.get(&path).status, 503);
    }
}

#[test]
fn sentinels_name_the_next_master() {
    let sentinels = RedisSentinels::start();
    let setup = on_sentinels(&sentinels);
    let server = setup.clone().start();
    let device = server.device(ONE);
    let two = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
    // Afterwards there is no replica to wait for, so a second server does not.
    let other = setup.set("server.issuer", server.issuer.as_str()).set("storage.redis.wait_replicas", 0).start();
    sentinels.master.kill();
    is_told_to_come_again(&other, &device);
    let begun = Instant::now();
    returns(&other, &device);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(sentinels.replica.ask("ROLE").lines().next(), Some("master"));
    other.refresh(TWO, two.refresh()).ok();
    assert_eq!(server.get("/readyz").status, 503, "nobody is left to wait for");
}
