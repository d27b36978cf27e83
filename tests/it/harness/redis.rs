//! Real Redis servers of the tests, on loopback and in folders of their own; they end with the test process, however it ends.
//!
//! The unit tests of the server's own backend use this very file, so it knows nothing else of the harness. The
//! programs are those of Redis, unless `SYMBOLON_TEST_REDIS` says otherwise (see `scripts/test`).

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long is waited for what takes a moment, on a machine that has more to do.
const PATIENCE: Duration = Duration::from_secs(40);

/// Where whatever needs no address of its own listens.
const HERE: &str = "127.0.0.1";

/// One Redis process, on a port that stays its own.
#[derive(Debug)]
pub(crate) struct RedisServer {
    /// Where it listens.
    pub(crate) address: String,
    /// There, and the same wherever others find it.
    pub(crate) port: u16,
    role: &'static str,
    folder: tempfile::TempDir,
    arguments: Vec<String>,
    _ports: Vec<Port>,
    process: Mutex<Option<Running>>,
}

/// The process, and the shell that waits for our end.
#[derive(Debug)]
struct Running {
    redis: Child,
    watchdog: Child,
}

/// A program of Redis, or of another that does the same: its `server`, its `sentinel` or its `cli`.
pub(crate) fn program(role: &str) -> Command {
    let family = std::env::var("SYMBOLON_TEST_REDIS").unwrap_or_else(|_| "redis".to_owned());
    Command::new(format!("{family}-{role}"))
}

/// A port on 127.0.0.1 that is ours until this is dropped, whoever else runs these tests at the same time.
#[derive(Debug)]
pub(crate) struct Port {
    /// Its number.
    pub(crate) number: u16,
    /// Holds the same port at an address that is for nothing else, so that of two processes one has it.
    _claim: TcpListener,
}

impl Port {
    /// Unless somebody has it, or listens there.
    pub(crate) fn claim(number: u16) -> Option<Self> {
        let claim = TcpListener::bind(("127.0.0.99", number)).ok()?;
        TcpListener::bind((HERE, number)).ok().map(|_| Self { number, _claim: claim })
    }

    /// A free one, never the same twice in this process: below those that the tests' own servers take.
    pub(crate) fn free() -> Self {
        static NEXT: Mutex<Option<u16>> = Mutex::new(None);
        let mut next = locked(&NEXT);
        loop {
            let number = next.unwrap_or_else(|| 11_000 + u16::try_from(std::process::id() % 3_000).unwrap_or(0));
            *next = Some(if number >= 14_990 { 11_000 } else { number + 1 });
            if let Some(port) = Self::claim(number) {
                return port;
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks again and again until the answer is yes.
#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        sleep(Duration::from_millis(30));
    }
}

impl RedisServer {
    /// Starts one that keeps an append-only file, with further options as in `redis.conf`, and waits until it answers.
    #[track_caller]
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_as("server", HERE, vec![Port::free()], options)
    }

    /// Listens on the first of the ports; the others it may have for what its options say.
    #[track_caller]
    fn start_as(role: &'static str, address: &str, ports: Vec<Port>, options: &[&str]) -> Self {
        let arguments = options.iter().flat_map(|option| option.splitn(2, ' ')).enumerate();
        let arguments = arguments.map(|(n, word)| if n % 2 == 0 { format!("--{word}") } else { word.to_owned() }).collect();
        let folder = tempfile::tempdir().expect("a folder for Redis");
        // Sentinels write into theirs.
        std::fs::write(folder.path().join("redis.conf"), "").expect("a file of settings");
        let (address, port) = (address.to_owned(), ports[0].number);
        let server = Self { address, port, role, folder, arguments, _ports: ports, process: Mutex::new(None) };
        server.run();
        wait_until("a Redis that answers", || server.ask("PING") == "PONG");
        server
    }

    /// Starts it again, with what it has on its disk.
    #[track_caller]
    pub(crate) fn run(&self) {
        let redis = program(self.role)
            .args(["redis.conf", "--bind", &self.address, "--port", &self.port.to_string(), "--logfile", "redis.log"])
            .args(["--save", "", "--appendonly", "yes", "--appendfsync", "no"])
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server: scripts/test installs it");
        let watchdog = Command::new("sh")
            .args(["-c", "cat >/dev/null; kill -9 \"$0\" 2>/dev/null; rm -rf \"$1\""])
            .arg(redis.id().to_string())
            .arg(self.folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh");
        *locked(&self.process) = Some(Running { redis, watchdog });
    }

    /// What it answers to a command of words without spaces, as `redis-cli` prints it.
    pub(crate) fn ask(&self, command: &str) -> String {
        let ran = program("cli").args(["-h", &self.address, "-p", &self.port.to_string()]).args(command.split(' ')).output();
        String::from_utf8_lossy(&ran.expect("redis-cli: scripts/test installs it").stdout).trim_end().to_owned()
    }

    /// Sends it a signal, such as STOP or CONT.
    pub(crate) fn signal(&self, name: &str) {
        if let Some(running) = &*locked(&self.process) {
            drop(Command::new("kill").arg(format!("-{name}")).arg(running.redis.id().to_string()).status());
        }
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&self) {
        if let Some(Running { mut redis, mut watchdog }) = locked(&self.process).take() {
            drop((redis.kill(), redis.wait()));
            drop((watchdog.kill(), watchdog.wait()));
        }
    }

    fn is_running(&self) -> bool {
        locked(&self.process).is_some()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A cluster of three masters with a replica each, which takes over within about two seconds.
#[derive(Debug)]
pub(crate) struct RedisCluster {
    /// Masters and replicas in no order.
    pub(crate) nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts one and waits until every node knows every other.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::of((0..6).map(|_| Self::start_node(HERE, [Port::free(), Port::free()], &[])).collect())
    }

    /// Starts a node that no other knows yet, on these two ports.
    #[track_caller]
    pub(crate) fn start_node(address: &str, ports: [Port; 2], options: &[&str]) -> RedisServer {
        let bus = format!("cluster-port {}", ports[1].number);
        let usual = ["cluster-enabled yes", "cluster-node-timeout 1000", &bus, "repl-diskless-sync-delay 0"];
        RedisServer::start_as("server", address, ports.into(), &[&usual, options].concat())
    }

    /// Makes six nodes a cluster, each found by its port on 127.0.0.1.
    #[track_caller]
    pub(crate) fn of(nodes: Vec<RedisServer>) -> Self {
        let addresses = nodes.iter().map(|node| format!("{HERE}:{}", node.port));
        let created = program("cli")
            .args(["--cluster", "create"])
            .args(addresses)
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .output()
            .expect("redis-cli");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        let cluster = Self { nodes };
        cluster.wait_until_whole();
        cluster
    }

    /// Waits until every running node finds the cluster well, and every running replica is in step with a master.
    #[track_caller]
    pub(crate) fn wait_until_whole(&self) {
        wait_until("a whole cluster", || {
            self.nodes.iter().filter(|node| node.is_running()).all(|node| {
                let linked = || {
                    let replication = node.ask("INFO replication");
                    !replication.contains("role:slave") || replication.contains("master_link_status:up")
                };
                node.ask("CLUSTER INFO").contains("cluster_state:ok") && linked()
            })
        });
    }

    /// The master of a slot.
    #[track_caller]
    pub(crate) fn master_of(&self, slot: u16) -> &RedisServer {
        let running = self.nodes.iter().find(|node| node.is_running()).expect("a running node");
        let map = running.ask("CLUSTER NODES");
        let serves = |line: &str| {
            line.split(' ').skip(8).filter_map(|range| range.split_once('-')).any(|(first, last)| {
                first.parse().is_ok_and(|first: u16| first <= slot) && last.parse().is_ok_and(|last: u16| slot <= last)
            })
        };
        let line = map.lines().find(|line| serves(line)).expect("a master of the slot");
        self.nodes.iter().find(|node| line.contains(&format!("127.0.0.1:{}@", node.port))).expect("a node of ours")
    }
}

/// A master with one replica, and three sentinels that watch them.
#[derive(Debug)]
pub(crate) struct RedisSentinels {
    /// The master at the start.
    pub(crate) master: RedisServer,
    /// Its replica at the start.
    pub(crate) replica: RedisServer,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinels {
    /// The name of the master.
    pub(crate) const NAME: &str = "symbolon";

    /// Starts all and waits until the sentinels know each other and the replica.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let master = RedisServer::start(&["repl-diskless-sync-delay 0"]);
        let replica = RedisServer::start(&["repl-diskless-sync-delay 0", &format!("replicaof 127.0.0.1 {}", master.port)]);
        wait_until("a replica in step", || replica.ask("INFO replication").contains("master_link_status:up"));
        let sentinels: Vec<RedisServer> =
            (0..3).map(|_| RedisServer::start_as("sentinel", HERE, vec![Port::free()], &[])).collect();
        let found = Self { master, replica, sentinels };
        found.watch();
        found
    }

    fn watch(&self) {
        for sentinel in &self.sentinels {
            sentinel.ask(&format!("SENTINEL MONITOR {} 127.0.0.1 {} 2", Self::NAME, self.master.port));
            for (name, value) in [("down-after-milliseconds", "1000"), ("failover-timeout", "3000")] {
                sentinel.ask(&format!("SENTINEL SET {} {name} {value}", Self::NAME));
            }
        }
        wait_until("sentinels that know each other", || {
            self.sentinels.iter().all(|sentinel| {
                let info = sentinel.ask("INFO sentinel");
                info.contains("status=ok") && info.contains("slaves=1") && info.contains("sentinels=3")
            })
        });
    }

    /// Where the sentinels listen.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.sentinels.iter().map(|sentinel| sentinel.port).collect()
    }
}
