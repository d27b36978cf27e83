//! What each way of keeping the state costs, in turn: the embedded store, the same without its syncs, a Redis with every write synced,
//! and one whose writes wait for a replica; beside them what the engines do by themselves.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::copies;
use crate::failure::Failure;
use crate::load::{Span, count};
use crate::parts::store::Writes;
use crate::place::{Place, median, rounds};
use crate::preparation::Prepared;
use crate::redis::{BareRate, Redis, RedisCost, Used};
use crate::run::say;
use crate::server::Site;

/// Signatures are to be the smaller part.
const ALG: &str = "ES256";
const CONNECTIONS: usize = 64;
/// Sessions by which their size in Redis is measured.
const SESSIONS: u64 = 100_000;
const QUICK_SESSIONS: u64 = 10_000;

/// What was compared.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    costs: Vec<BackendCost>,
    /// What Redis does by its own benchmark.
    bare: Vec<BareRate>,
    /// Bytes of memory that a device session with one app takes in Redis, its index entry included.
    redis_bytes_per_session: f64,
    /// The exchanges per second without syncs by those with, in each round.
    pub(crate) unsynced_by_synced: Vec<f64>,
}

/// One backend: the median of the rounds.
#[derive(Debug, Serialize)]
struct BackendCost {
    backend: &'static str,
    per_second: f64,
    p50_us: u64,
    p99_us: u64,
    cpu_us: f64,
    /// Its exchanges per second by those of the embedded store in the same round.
    by_embedded: f64,
    redis: Option<RedisCost>,
}

struct Backend {
    name: &'static str,
    place: Place,
    /// The Redis that it is asked for, then the followers of that.
    redis: Vec<Redis>,
}

/// Measures every backend.
pub(crate) async fn compare(arguments: &Arguments, folder: &Path, span: Span) -> Result<Comparison, Failure> {
    let redis = Redis::start(&folder.join("redis-alone"), &[]).await?;
    say("backends: Redis by itself");
    let bare = redis.bare().await?;
    let redis_bytes_per_session = memory(arguments, folder, &redis).await?;
    let leader = Redis::start(&folder.join("redis-leader"), &["--repl-diskless-sync-delay", "0"]).await?;
    let follower = Redis::start(&folder.join("redis-follower"), &["--replicaof", "127.0.0.1", &leader.port.to_string()]).await?;
    let waits = ["storage.redis.wait_replicas=1".to_owned()];
    let mut backends = vec![
        embedded(arguments, folder, "embedded", &[]).await?,
        embedded(arguments, folder, "embedded, sync = false", &["storage.sync=false".to_owned()]).await?,
        on_redis(arguments, folder, "Redis", vec![redis], &[]).await?,
        on_redis(arguments, folder, "Redis, wait_replicas = 1", vec![leader, follower], &waits).await?,
    ];
    let rounds = rounds(arguments.quick);
    let mut seen: Vec<Vec<BackendCost>> = backends.iter().map(|_| Vec::new()).collect();
    for n in 1..=rounds {
        say(&format!("backends: round {n} of {rounds}"));
        let mut embedded = None;
        for (backend, seen) in backends.iter_mut().zip(&mut seen) {
            let cost = backend.measure(span).await.map_err(|failure| failure.while_doing(backend.name))?;
            let by_embedded = cost.per_second / *embedded.get_or_insert(cost.per_second);
            seen.push(BackendCost { by_embedded, ..cost });
        }
    }
    for backend in backends {
        backend.place.server.stop().await?;
    }
    let unsynced_by_synced = seen.get(1).into_iter().flatten().map(|cost| cost.by_embedded).collect();
    let costs = seen.into_iter().filter_map(|own| median(own, |cost| cost.by_embedded)).collect();
    Ok(Comparison { costs, bare, redis_bytes_per_session, unsynced_by_synced })
}

impl Backend {
    async fn measure(&mut self, span: Span) -> Result<BackendCost, Failure> {
        let before = self.used().await?;
        let run = self.place.exchanges(CONNECTIONS, span).await?;
        // Redis counted the warm-up, too.
        let whole = count(run.operations) * (span.warm_up + span.measured).as_secs_f64() / span.measured.as_secs_f64();
        let redis = self.used().await?.zip(before).map(|(after, before)| after.since(&before, whole));
        Ok(BackendCost {
            backend: self.name,
            per_second: run.per_second,
            p50_us: run.p50_us,
            p99_us: run.p99_us,
            cpu_us: run.cost.cpu_us,
            by_embedded: 1.0,
            redis,
        })
    }

    async fn used(&self) -> Result<Option<Used>, Failure> {
        match self.redis.first() {
            Some(redis) => redis.used().await.map(Some),
            None => Ok(None),
        }
    }
}

async fn embedded(arguments: &Arguments, folder: &Path, name: &'static str, more: &[String]) -> Result<Backend, Failure> {
    Ok(Backend { name, place: place(arguments, folder, name, more).await?, redis: Vec::new() })
}

async fn on_redis(
    arguments: &Arguments,
    folder: &Path,
    name: &'static str,
    redis: Vec<Redis>,
    more: &[String],
) -> Result<Backend, Failure> {
    let mut settings = more.to_vec();
    settings.extend(redis.first().into_iter().flat_map(settings_of));
    Ok(Backend { name, place: place(arguments, folder, name, &settings).await?, redis })
}

fn settings_of(redis: &Redis) -> [String; 2] {
    ["storage.backend=redis".to_owned(), format!("storage.redis.url={}", redis.url())]
}

async fn place(arguments: &Arguments, folder: &Path, name: &str, more: &[String]) -> Result<Place, Failure> {
    say(&format!("backends: preparing {name}"));
    Ok(Place::of(Prepared::on(&site(arguments, folder, name, more)?, CONNECTIONS).await?))
}

fn site(arguments: &Arguments, folder: &Path, name: &str, more: &[String]) -> Result<Site, Failure> {
    let folder: PathBuf = folder.join(name.replace([' ', ',', '='], ""));
    std::fs::create_dir_all(&folder)?;
    Site::prepare(&arguments.server, &folder, ALG, &[&arguments.settings[..], more].concat())
}

/// Fills `redis` with copies of a session, sees what they take, and empties it.
async fn memory(arguments: &Arguments, folder: &Path, redis: &Redis) -> Result<f64, Failure> {
    let sessions = if arguments.quick { QUICK_SESSIONS } else { SESSIONS };
    say(&format!("backends: {sessions} sessions in Redis"));
    let site = site(arguments, folder, "memory", &settings_of(redis))?;
    let Prepared { server, devices, .. } = Prepared::on(&site, CONNECTIONS).await?;
    server.stop().await?;
    let grown = folder.join("grown");
    let records = copies::write(&site, folder, &devices, sessions, &grown).await?;
    redis.ask(&["FLUSHALL"]).await?;
    let before = redis.number("used_memory").await?;
    site.command(&["store", "restore", &grown.to_string_lossy()]).await?;
    let bytes = redis.number("used_memory").await? - before;
    std::fs::remove_file(grown)?;
    redis.ask(&["FLUSHALL"]).await?;
    Ok(bytes / count(usize::try_from(records).unwrap_or(usize::MAX)))
}

/// The table for people; `store` are the rates of the embedded engine.
pub(crate) fn write(comparison: Option<&Comparison>, store: &[Writes], text: &mut String) {
    let Some(comparison) = comparison else { return };
    let _ = writeln!(
        text,
        "## Backends, {ALG}, {CONNECTIONS} connections\n\nThe same exchanges in turn against servers that differ in where they keep the \
         state; the median of the rounds. Redis (`appendfsync always`) is on the core of the load.\n\n\
         | backend | exchanges per second | by embedded | p50 ms | p99 ms | CPU µs | CPU µs of Redis | bytes to Redis | bytes from it |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    let millis = |us: u64| Duration::from_micros(us).as_secs_f64() * 1e3;
    for cost in &comparison.costs {
        let redis = cost.redis.map_or_else(
            || "- | - | -".to_owned(),
            |redis| format!("{:.0} | {:.0} | {:.0}", redis.cpu_us, redis.bytes_in, redis.bytes_out),
        );
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.1} | {redis} |",
            cost.backend,
            cost.per_second,
            cost.by_embedded,
            millis(cost.p50_us),
            millis(cost.p99_us),
            cost.cpu_us
        );
    }
    let _ = writeln!(
        text,
        "\nA device session with one app takes {:.0} bytes of memory in Redis, with its entry in the list of its person's sessions.\n\n\
         The engines by themselves:\n\n| engine | per second | p99 ms |\n|---|--:|--:|",
        comparison.redis_bytes_per_session
    );
    for writes in store {
        let _ = writeln!(text, "| redb, durable writes, {} writers | {:.0} | |", writes.writers, writes.per_second);
    }
    for rate in &comparison.bare {
        let _ = writeln!(text, "| Redis, {} | {:.0} | {:.2} |", rate.what, rate.per_second, rate.p99_ms);
    }
    text.push('\n');
}
