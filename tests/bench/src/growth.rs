//! What a store costs as it grows: the same exchanges against servers that differ in the number of device sessions in the store, in
//! turn. The sessions are copies of one that was made by signing in, put there by `symbolon store restore`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::arguments::Arguments;
use crate::copies;
use crate::failure::Failure;
use crate::load::Span;
use crate::place::{Place, median, rounds};
use crate::preparation::Prepared;
use crate::run::say;
use crate::server::Site;
use crate::verdict::megabytes;

/// Signatures are to be the smaller part.
const ALG: &str = "ES256";
const SMALL: u64 = 10_000;
/// One at a time each write is a commit of its own; with many they share commits.
const CONNECTIONS: [usize; 2] = [1, 64];
const MOST: usize = 64;

/// One size: the median of the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct SizeCost {
    sessions: u64,
    connections: usize,
    file_bytes: u64,
    restored_per_second: f64,
    /// From starting the process to the first token in hand.
    first_token_ms: f64,
    per_second: f64,
    p99_us: u64,
    cpu_us: f64,
    /// By that of the small store in the same round.
    by_small: f64,
    rss_kib: u64,
}

/// One server.
struct Grown {
    sessions: u64,
    file_bytes: u64,
    restored_per_second: f64,
    place: Place,
}

/// Measures a small store and one with `arguments.sessions`.
pub(crate) async fn compare(arguments: &Arguments, folder: &Path, span: Span) -> Result<Vec<SizeCost>, Failure> {
    let mut places = Vec::new();
    for sessions in [SMALL, arguments.sessions] {
        places.push(place(arguments, &folder.join(sessions.to_string()), sessions).await?);
    }
    let rounds = rounds(arguments.quick);
    let mut costs = Vec::new();
    for connections in CONNECTIONS {
        let mut seen: Vec<Vec<SizeCost>> = places.iter().map(|_| Vec::new()).collect();
        for n in 1..=rounds {
            say(&format!("growth: {connections} connections, round {n} of {rounds}"));
            let mut small = None;
            for (grown, seen) in places.iter_mut().zip(&mut seen) {
                let run = grown.place.exchanges(connections, span).await;
                let run = run.map_err(|failure| failure.while_doing(&format!("growth, {} sessions", grown.sessions)))?;
                seen.push(SizeCost {
                    sessions: grown.sessions,
                    connections,
                    file_bytes: grown.file_bytes,
                    restored_per_second: grown.restored_per_second,
                    first_token_ms: grown.place.server.first_token.as_secs_f64() * 1e3,
                    per_second: run.per_second,
                    p99_us: run.p99_us,
                    cpu_us: run.cost.cpu_us,
                    by_small: run.cost.cpu_us / *small.get_or_insert(run.cost.cpu_us),
                    rss_kib: run.cost.rss_kib,
                });
            }
        }
        costs.extend(seen.into_iter().filter_map(|own| median(own, |cost| cost.by_small)));
    }
    for grown in places {
        grown.place.server.stop().await?;
    }
    Ok(costs)
}

async fn place(arguments: &Arguments, folder: &Path, sessions: u64) -> Result<Grown, Failure> {
    say(&format!("growth: preparing {sessions} sessions"));
    fs::create_dir_all(folder)?;
    let site = Site::prepare(&arguments.server, folder, ALG, &arguments.settings)?;
    let Prepared { server, endpoints, devices } = Prepared::on(&site, MOST).await?;
    server.stop().await?;
    let grown = folder.join("grown");
    let records = copies::write(&site, folder, &devices, sessions, &grown).await?;
    let store = folder.join("data/store.redb");
    fs::remove_file(&store)?;
    let began = Instant::now();
    site.command(&["store", "restore", &grown.to_string_lossy()]).await?;
    let restored_per_second = Duration::from_secs(records).as_secs_f64() / began.elapsed().as_secs_f64();
    fs::remove_file(&grown)?;
    let file_bytes = fs::metadata(&store)?.len();
    let place = Place::again(site.start().await?, endpoints, devices);
    Ok(Grown { sessions, file_bytes, restored_per_second, place })
}

/// The table for people.
pub(crate) fn write(costs: &[SizeCost], text: &mut String) {
    if costs.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "## Growth of the store, {ALG}\n\nThe same exchanges in turn against servers that differ in the number of \
         device sessions in the embedded store; the median of the rounds.\n\n\
         | sessions | connections | file MB | restored per second | first token ms | exchanges per second | p99 ms | CPU µs | by the small store | MB |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for cost in costs {
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} | {:.1} | {:.2} | {:.1} |",
            cost.sessions,
            cost.connections,
            megabytes(cost.file_bytes / 1024),
            cost.restored_per_second,
            cost.first_token_ms,
            cost.per_second,
            Duration::from_micros(cost.p99_us).as_secs_f64() * 1e3,
            cost.cpu_us,
            cost.by_small,
            megabytes(cost.rss_kib)
        );
    }
    text.push('\n');
}
