//! What a handler costs in each mode of isolation: the same exchanges against servers that differ in that one property, in turn, so
//! that what a shared machine does to one it does to all.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::load::Span;
use crate::place::{Place, median, rounds};
use crate::preparation::Prepared;
use crate::run::say;
use crate::server::Site;
use crate::verdict::megabytes;

const MODES: [&str; 3] = ["inline", "pool", "process"];
/// Signatures are to be the smaller part.
const ALG: &str = "ES256";

/// One mode at one number of connections: the median of the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct ModeCost {
    mode: &'static str,
    connections: usize,
    per_second: f64,
    p50_us: u64,
    p99_us: u64,
    /// Server and processes of the handler.
    cpu_us: f64,
    /// By that of `inline` in the same round.
    by_inline: f64,
    rss_kib: u64,
}

/// Measures every mode.
pub(crate) async fn compare(arguments: &Arguments, folder: &Path, span: Span) -> Result<Vec<ModeCost>, Failure> {
    let mut places = Vec::new();
    for mode in MODES {
        places.push(place(arguments, &folder.join(mode), mode).await?);
    }
    let rounds = rounds(arguments.quick);
    let rounds_of = u32::try_from(rounds).unwrap_or(1);
    let span = Span { warm_up: span.warm_up / 2, measured: span.measured / rounds_of * 2 };
    let mut costs = Vec::new();
    for connections in arguments.connections.clone() {
        let mut seen: Vec<Vec<ModeCost>> = MODES.map(|_| Vec::new()).into();
        for n in 1..=rounds {
            say(&format!("isolation: {connections} connections, round {n} of {rounds}"));
            let mut inline = None;
            for ((mode, place), seen) in MODES.iter().zip(&mut places).zip(&mut seen) {
                let run = place.exchanges(connections, span).await;
                let run = run.map_err(|failure| failure.while_doing(&format!("isolation {mode}")))?;
                let by = *inline.get_or_insert(run.cost.cpu_us);
                seen.push(ModeCost {
                    mode,
                    connections,
                    per_second: run.per_second,
                    p50_us: run.p50_us,
                    p99_us: run.p99_us,
                    cpu_us: run.cost.cpu_us,
                    by_inline: run.cost.cpu_us / by,
                    rss_kib: run.cost.rss_kib,
                });
            }
        }
        costs.extend(seen.into_iter().filter_map(|own| median(own, |cost| cost.by_inline)));
    }
    for place in places {
        place.server.stop().await?;
    }
    Ok(costs)
}

async fn place(arguments: &Arguments, folder: &Path, mode: &'static str) -> Result<Place, Failure> {
    say(&format!("isolation: preparing {mode}"));
    std::fs::create_dir_all(folder)?;
    let mut settings = arguments.settings.clone();
    settings.push(format!("op.deviceSSOHandler.isolation={mode}"));
    let site = Site::prepare(&arguments.server, folder, ALG, &settings)?;
    let most = arguments.connections.iter().copied().max().unwrap_or(1);
    Ok(Place::of(Prepared::on(&site, most).await?))
}

/// The table for people.
pub(crate) fn write(costs: &[ModeCost], text: &mut String) {
    if costs.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "## Isolation of the handler, {ALG}\n\nThe same exchanges in turn against servers that differ in `isolation` alone; the median of the rounds. \
         CPU and memory are those of the server and of the processes that host the handler (two), all on one core.\n\n\
         | isolation | connections | per second | p50 ms | p99 ms | CPU µs | by inline | MB |\n|---|--:|--:|--:|--:|--:|--:|--:|"
    );
    for cost in costs {
        let millis = |us: u64| std::time::Duration::from_micros(us).as_secs_f64() * 1e3;
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.2} | {:.1} |",
            cost.mode,
            cost.connections,
            cost.per_second,
            millis(cost.p50_us),
            millis(cost.p99_us),
            cost.cpu_us,
            cost.by_inline,
            megabytes(cost.rss_kib)
        );
    }
    text.push('\n');
}
