//! What a server looks at before it starts on a Redis, and what it says when that will not do.

use crate::harness::cast::ONE;
use crate::harness::fleet::on_redis;
use crate::harness::redis::{Port, RedisServer};
use crate::harness::{Certificate, Server, Setup};

#[test]
fn a_redis_that_cannot_keep_the_promise_is_refused() {
    let redis = RedisServer::start(&[]);
    for policy in ["allkeys-lru", "volatile-ttl"] {
        assert_eq!(redis.ask(&format!("CONFIG SET maxmemory-policy {policy}")), "OK");
        let said = on_redis(&redis).refused();
        assert!(said.contains("maxmemory-policy to noeviction") && said.contains(policy), "{said}");
    }
    redis.ask("CONFIG SET maxmemory-policy noeviction");
    let said = on_redis(&redis).set("storage.redis.mode", "cluster").refused();
    assert!(said.contains("cluster"), "{said}");
    redis.ask("REPLICAOF 127.0.0.1 1");
    let said = on_redis(&redis).refused();
    assert!(said.contains("it is a replica"), "{said}");
    redis.kill();
    let said = on_redis(&redis).refused();
    assert!(said.contains(&format!("Redis at 127.0.0.1:{} cannot be reached", redis.port)), "{said}");
}

#[test]
fn a_node_of_a_cluster_is_no_single_server() {
    // Ten thousand above its port, where its bus would listen, may be somebody else's.
    let bus = Port::free();
    let node = RedisServer::start(&["cluster-enabled yes", &format!("cluster-port {}", bus.number)]);
    let said = on_redis(&node).refused();
    assert!(said.contains("storage.redis.mode = \"cluster\""), "{said}");
    let said = on_redis(&node).set("storage.redis.mode", "cluster").refused();
    assert!(said.contains("CLUSTERDOWN"), "{said}");
}

#[test]
fn a_password_comes_from_the_environment_or_a_file_and_is_never_told() {
    let redis = RedisServer::start(&[]);
    assert_eq!(redis.ask("CONFIG SET requirepass correct-horse"), "OK");
    let said = on_redis(&redis).refused();
    assert!(said.contains("does not accept the user name and password"), "{said}");
    let said = on_redis(&redis).environment("SYMBOLON_STORAGE__REDIS__PASSWORD", "wrong-horse").refused();
    assert!(said.contains("does not accept the user name and password") && !said.contains("wrong-horse"), "{said}");
    let server = on_redis(&redis).environment("SYMBOLON_STORAGE__REDIS__PASSWORD", "correct-horse").start();
    server.device(ONE);
    let shown = server.command(&["config", "show"]).fine();
    assert!(shown.stdout.contains("storage.redis.url") && !shown.stdout.contains("correct-horse"));
    assert!(!server.log().contains("correct-horse"));
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "correct-horse\n").expect("a file");
    on_redis(&redis).set("storage.redis.password_file", file.path().to_str().expect("a path")).start().device(ONE);
    // A user of its own that may do no more than it needs to.
    let permissions = "~symbolon* ~it* +@connection +@scripting +get +set +zrangebyscore +zrem +wait +info +ping";
    let script = "+getrange +setrange +del +zadd +zremrangebyscore +zrevrange +expire +persist";
    redis_with_password(&redis, &format!("ACL SETUSER symbolon on >secret-of-its-own {permissions} {script}"));
    let server = on_redis(&redis)
        .set("storage.redis.username", "symbolon")
        .environment("SYMBOLON_STORAGE__REDIS__PASSWORD", "secret-of-its-own")
        .start();
    server.device(ONE);
    assert!(server.log().contains("CONFIG GET is not permitted"), "{}", server.log());
}

fn redis_with_password(redis: &RedisServer, command: &str) {
    assert_eq!(redis.ask(&format!("-a correct-horse --no-auth-warning {command}")), "OK");
}

#[test]
fn contradictions_are_found_before_anything_is_tried() {
    let on = |urls: &[&str]| Setup::new().set("storage.backend", "redis").set("storage.redis.url", urls.to_vec());
    let cases = [
        (on(&["redis://127.0.0.1:1", "redis://127.0.0.1:2"]), "one address in mode single"),
        (on(&["redis://127.0.0.1:1"]).set("storage.redis.mode", "sentinel"), "the name of the master"),
        (on(&["redis://127.0.0.1:1"]).set("storage.redis.sentinel_master", "x"), "the name of the master"),
        (on(&["redis://127.0.0.1:1"]).set("storage.redis.prefix", "{x}"), "without braces"),
        (on(&["redis://127.0.0.1:1", "rediss://127.0.0.1:2"]).set("storage.redis.mode", "cluster"), "all of one sort"),
        (on(&["redis://me:hunter2@127.0.0.1:1"]), "everything before the @"),
        (on(&["http://127.0.0.1:1"]), "redis://HOST:PORT"),
        (on(&["redis://127.0.0.1:1/3"]), "the database is always 0"),
        (on(&["redis://127.0.0.1:1"]).set("storage.redis.password", "hunter2"), "a secret in the environment"),
        (on(&["redis://127.0.0.1:1"]).set("storage.backend", "embedded"), "only where Redis keeps the state"),
        (on(&["redis://127.0.0.1:1"]).set("storage.redis.password_file", "/nowhere"), "a file that can be read"),
    ];
    for (setup, expected) in cases {
        let said = setup.refused();
        assert!(said.contains(expected) && !said.contains("hunter2"), "{expected}: {said}");
    }
}

#[test]
fn what_may_be_lost_is_told_at_the_start() {
    let redis = RedisServer::start(&[]);
    let server: Server = on_redis(&redis).start();
    assert!(server.log().contains("set appendfsync always"), "{}", server.log());
    redis.ask("CONFIG SET appendonly no");
    assert!(on_redis(&redis).start().log().contains("set appendonly yes"));
}

#[test]
fn over_tls_the_certificate_is_verified() {
    let redis = RedisServer::start(&[]);
    let certificate = Certificate::new();
    let (key, path) = (certificate.key(), certificate.path());
    let port = redis.port + 17_500;
    let files = format!("tls-cert-file {path} tls-key-file {key} tls-ca-cert-file {path}");
    assert_eq!(redis.ask(&format!("CONFIG SET {files} tls-auth-clients no tls-port {port}")), "OK");
    let over_tls = |host: &str| on_redis(&redis).set("storage.redis.url", format!("rediss://{host}:{port}"));
    let said = over_tls("127.0.0.1").refused();
    assert!(said.contains("cannot be reached") && said.to_lowercase().contains("certificate"), "{said}");
    let said = over_tls("localhost").set("storage.redis.ca_file", path.as_str()).refused();
    assert!(said.to_lowercase().contains("certificate"), "it names another host: {said}");
    over_tls("127.0.0.1").set("storage.redis.ca_file", path.as_str()).start().device(ONE);
}
