//! Several servers on one Redis are one server: no request needs the one that answered the last.

use std::sync::Barrier;

use crate::harness::cast::{ONE, OPAQUE, THREE, TWO};
use crate::harness::fleet::{fleet, on_redis};
use crate::harness::redis::RedisServer;
use crate::harness::{Authorization, Browser, Form, Server, Tokens, until};

/// How often commands of that name were carried out.
fn count_of(redis: &RedisServer, command: &str) -> usize {
    let info = redis.ask("INFO commandstats");
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().and_then(|calls| calls.parse().ok()).expect("a number"))
}

#[test]
fn an_exchange_is_one_read_and_one_write_and_so_is_a_refresh() {
    let redis = RedisServer::start(&[]);
    let server = on_redis(&redis).start();
    let device = server.device(ONE);
    server.exchange(TWO, &device, "openid offline_access").ok();
    let before = ["get", "evalsha"].map(|command| count_of(&redis, command));
    for _ in 0..20 {
        server.exchange(TWO, &device, "openid offline_access").ok();
        let two = Tokens(server.exchange(TWO, &device, "openid offline_access").ok());
        server.refresh(TWO, two.refresh()).ok();
    }
    let after = ["get", "evalsha"].map(|command| count_of(&redis, command));
    let [reads, writes] = [after[0] - before[0], after[1] - before[1]];
    // Every few seconds keys and clients are looked at, too.
    assert!((60..90).contains(&reads) && (60..90).contains(&writes), "{reads} reads and {writes} writes for 60 requests");
}

#[test]
fn what_one_server_does_the_others_see() {
    let redis = RedisServer::start(&[]);
    let [a, b, c] = fleet(&on_redis(&redis));
    signs_in_here_and_out_there(&a, &b, &c);
    codes_are_redeemed_once_wherever(&a, &b);
    replays_are_noticed_wherever(&a, &b);
    keys_are_shared_at_once(&a, &b);
    clients_are_shared_within_seconds(&a, &b);
    a_dead_server_takes_nothing_along(&a, &b);
}

/// Sign in at one, exchange at another, revoke at the third. Also for the tests of clusters.
pub(crate) fn signs_in_here_and_out_there(a: &Server, b: &Server, c: &Server) {
    let device = a.device(ONE);
    let two = Tokens(b.exchange(TWO, &device, "openid offline_access").ok());
    c.verified(two.id());
    assert!(c.is_active(two.access()) && a.is_active(two.access()));
    c.userinfo(device.access()).ok();
    c.revoke(TWO, two.access());
    assert!(!a.is_active(two.access()) && !b.is_active(two.access()), "an access token is revoked for all");
    let opaque = b.sign_in_elsewhere(a, OPAQUE);
    c.revoke(OPAQUE, opaque.access());
    assert!(!a.is_active(opaque.access()));
    c.revoke(ONE, device.secret());
    for server in [a, b, c] {
        server.exchange(THREE, &device, "openid").refused(400, "invalid_grant");
        server.refresh(TWO, two.refresh()).refused(400, "invalid_grant");
        server.refresh(ONE, device.refresh()).refused(400, "invalid_grant");
        assert!(!server.is_active(device.access()));
    }
}

impl Server {
    /// The front channel at another server, the code redeemed here.
    #[track_caller]
    fn sign_in_elsewhere(&self, other: &Self, client: crate::harness::Client) -> Tokens {
        let request = Authorization::new(client, "openid offline_access device_sso");
        let code = Browser::new().authorize(other, &request, &other.person()).code();
        Tokens(self.token(client, request.redeem(&code)).ok())
    }
}

/// Lets both do it at the same moment; how many were answered with 200.
fn at_once(servers: [&Server; 2], form: &Form) -> usize {
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        let tries = servers.map(|server| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                server.token(ONE, form.clone()).status
            })
        });
        tries.into_iter().map(|one| one.join().expect("a thread")).filter(|status| *status == 200).count()
    })
}

fn codes_are_redeemed_once_wherever(a: &Server, b: &Server) {
    let (browser, person) = (Browser::new(), a.person());
    for _ in 0..8 {
        let request = Authorization::new(ONE, "openid offline_access");
        let code = browser.authorize(a, &request, &person).code();
        assert_eq!(at_once([a, b], &request.redeem(&code)), 1, "one of two servers");
    }
}

fn replays_are_noticed_wherever(a: &Server, b: &Server) {
    let first = a.device(ONE);
    let second = Tokens(a.refresh(ONE, first.refresh()).ok());
    let third = Tokens(b.refresh(ONE, second.refresh()).ok());
    b.refresh(ONE, first.refresh()).refused(400, "invalid_grant");
    a.refresh(ONE, third.refresh()).refused(400, "invalid_grant");
}

fn keys_are_shared_at_once(a: &Server, b: &Server) {
    a.command(&["key", "rotate", "--immediately"]).fine();
    let device = a.device(ONE);
    // The other has not seen the key that signed this, and asks.
    b.exchange(TWO, &device, "openid").ok();
    assert!(b.is_active(device.access()));
    assert_eq!(a.keys().keys.len(), b.keys().keys.len());
}

fn clients_are_shared_within_seconds(a: &Server, b: &Server) {
    let file = a.folder().join("client.json");
    let metadata = serde_json::json!({
        "client_id": "late", "client_secret": "late-secret-0123456789-late", "grant_types": ["client_credentials"],
        "redirect_uris": [], "response_types": [], "scope": "read",
    });
    std::fs::write(&file, metadata.to_string()).expect("a file");
    a.command(&["client", "add", "--from", file.to_str().expect("a path")]).fine();
    let form = || {
        let fields = [("grant_type", "client_credentials"), ("client_id", "late")];
        Form::of(&fields).and("client_secret", "late-secret-0123456789-late")
    };
    let ask = |server: &Server| {
        let request = crate::harness::server::http().post(server.url("/token"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form().encoded());
        Server::send(request).status
    };
    let basic = ask(b);
    assert!([200, 401].contains(&basic), "{basic}");
    a.command(&["client", "delete", "late"]).fine();
    until("the other server has forgotten the client", || ask(b) == 401);
}

fn a_dead_server_takes_nothing_along(a: &Server, b: &Server) {
    let device = a.device(ONE);
    let two = Tokens(a.exchange(TWO, &device, "openid offline_access").ok());
    a.kill();
    let next = Tokens(b.refresh(TWO, two.refresh()).ok());
    b.exchange(THREE, &device, "openid").ok();
    a.start_again();
    a.refresh(TWO, next.refresh()).ok();
    a.exchange(THREE, &device, "openid").ok();
}
