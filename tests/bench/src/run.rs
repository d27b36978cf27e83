//! The order of a benchmark: the machine's parts, then a server for each algorithm, then the report.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::arguments::Arguments;
use crate::backends;
use crate::failure::Failure;
use crate::growth;
use crate::isolation;
use crate::load::{Span, drive};
use crate::meter::Meter;
use crate::parts::{crypto::Crypto, store::Writes};
use crate::report::{Machine, Measured, Parts, Report};
use crate::sequences::{Repeat, exchange_form};
use crate::server::{APP_ONE, Site, free_address, pinned};
use crate::verdict::judge;
use crate::wire::{Wire, form};
use crate::workloads::Workloads;

/// Writers at once for whom the store's rate is reported.
const WRITERS: [usize; 4] = [1, 4, 16, 64];
/// Connections of the echo.
const ECHO_CONNECTIONS: usize = 64;

/// The whole benchmark. `false` when an answer was wrong or a ceiling does not hold.
pub(crate) async fn everything(arguments: &Arguments) -> Result<bool, Failure> {
    let mut report = Report {
        machine: Machine::here(),
        seconds: arguments.measured_seconds(),
        parts: None,
        servers: Vec::new(),
        isolation: Vec::new(),
        growth: Vec::new(),
        backends: None,
        verdicts: Vec::new(),
    };
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(&arguments.work)?;
    let span = Span { warm_up: Duration::from_secs_f64(report.seconds / 4.0), measured: Duration::from_secs_f64(report.seconds) };
    say("the machine's parts");
    report.parts = Some(measure_parts(folder.path(), report.seconds, &WRITERS).await?);
    if !arguments.workloads().is_empty() {
        for alg in &arguments.algs {
            report.servers.push(measure_server(arguments, folder.path(), alg, span).await?);
        }
    }
    if arguments.compares_isolation() {
        report.isolation = isolation::compare(arguments, folder.path(), span).await?;
    }
    if arguments.compares_backends() {
        report.backends = Some(backends::compare(arguments, &folder.path().join("backends"), span).await?);
    }
    if arguments.compares_sizes() {
        report.growth = growth::compare(arguments, folder.path(), span).await?;
    }
    report.verdicts = judge(&report);
    publish(&report, arguments)?;
    let right = report.failed_runs().count() == 0;
    let held = arguments.no_ceilings || report.verdicts.iter().all(|verdict| verdict.holds);
    Ok(right && held)
}

fn publish(report: &Report, arguments: &Arguments) -> Result<(), Failure> {
    let json = || serde_json::to_string_pretty(report);
    let text = if arguments.json { json()? } else { report.markdown() };
    writeln!(std::io::stdout(), "{text}")?;
    if let Some(file) = &arguments.out {
        let text = if file.extension().is_some_and(|end| end == "json") { json()? } else { report.markdown() };
        std::fs::write(file, text)?;
    }
    Ok(())
}

/// Says on standard error what is being done: a benchmark is long.
pub(crate) fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {what}");
}

/// Measures every part for a share of `seconds`; the server must be at rest.
pub(crate) async fn measure_parts(folder: &Path, seconds: f64, writers: &[usize]) -> Result<Parts, Failure> {
    let span = Span { warm_up: Duration::from_secs_f64(seconds / 8.0), measured: Duration::from_secs_f64(seconds / 2.0) };
    let seconds = seconds / 4.0;
    let data = folder.join("parts");
    std::fs::create_dir_all(&data)?;
    let seconds_text = seconds.to_string();
    let crypto: Crypto = part(&["crypto", &seconds_text]).await?;
    let folder_text = data.to_string_lossy();
    let writers: Vec<String> = writers.iter().map(usize::to_string).collect();
    let mut store = vec!["store", &*folder_text, &seconds_text];
    store.extend(writers.iter().map(String::as_str));
    let store: Vec<Writes> = part(&store).await?;

    let address = free_address()?;
    let program = std::env::current_exe()?;
    let mut echo =
        pinned(&program).args(["part", "echo", &address.port().to_string()]).stdin(Stdio::null()).kill_on_drop(true).spawn()?;
    let pid = echo.id().ok_or_else(|| Failure::said("the echo ended at once"))?;
    wait_for(address).await?;
    let meter = Meter::of(pid);
    let of = |form: String| Repeat { path: "/".to_owned(), headers: String::new(), form: Some(form), contains: "grant_type" };
    // As long as the real ones: an ID token of 800 bytes, handles of 80.
    let exchange = of(exchange_form("http://127.0.0.1:8080", &"i".repeat(800), &"s".repeat(80)));
    let refresh = of(form(&[("grant_type", "refresh_token"), ("client_id", APP_ONE), ("refresh_token", &"r".repeat(80))]));
    let (echo_exchange, _) = drive(address, vec![exchange; ECHO_CONNECTIONS], span, &meter).await?;
    let (echo_refresh, _) = drive(address, vec![refresh; ECHO_CONNECTIONS], span, &meter).await?;
    echo.kill().await?;
    Ok(Parts { echo_exchange, echo_refresh, crypto, store })
}

/// Runs a part in a process of its own on the server's core.
async fn part<T: DeserializeOwned>(arguments: &[&str]) -> Result<T, Failure> {
    let program = std::env::current_exe()?;
    let output = pinned(&program).arg("part").args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output().await?;
    if !output.status.success() {
        return Err(Failure::said(format!("measuring {} failed", arguments[0])));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

async fn wait_for(address: SocketAddr) -> Result<(), Failure> {
    for _ in 0..1000 {
        if Wire::connect(address).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(Failure::said(format!("nothing listens on {address}")))
}

async fn measure_server(arguments: &Arguments, folder: &Path, alg: &str, span: Span) -> Result<Measured, Failure> {
    let folder = folder.join(alg);
    std::fs::create_dir_all(&folder)?;
    let site = Site::prepare(&arguments.server, &folder, alg, &arguments.settings)?;
    say(&format!("{alg}: starting with an empty data folder"));
    let first = site.start().await?;
    let first_start = first.first_token;
    first.stop().await?;
    site.add_people().await?;
    let server = site.start().await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let rss_idle_kib = server.meter.rss_kib()?;

    let mut workloads = Workloads::new(arguments, alg, span, &server);
    let done = workloads.all(&folder).await;
    let (runs, rounds) = workloads.into_results();
    if let Err(failure) = done {
        let log = std::fs::read_to_string(site.log()).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(10).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        return Err(failure.while_doing(&format!("{alg} (the server's last words:\n{})", tail.join("\n"))));
    }
    let next_start = server.first_token;
    let rss_peak_kib = server.meter.peak_kib()?;
    server.stop().await?;
    Ok(Measured {
        alg: alg.to_owned(),
        first_start_ms: first_start.as_secs_f64() * 1e3,
        next_start_ms: next_start.as_secs_f64() * 1e3,
        rss_idle_kib,
        rss_peak_kib,
        runs,
        rounds,
    })
}
