//! The order of a benchmark: parts, then a server for each algorithm, then the parts again; then the report.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::process::Command;

use crate::arguments::{Arguments, Workload};
use crate::failure::Failure;
use crate::load::{Run, Sequence, Span, drive};
use crate::meter::Meter;
use crate::parts::{crypto::Crypto, store::Writes};
use crate::preparation::{Browser, Device, Endpoints};
use crate::report::{Machine, Measured, Parts, Report};
use crate::sequences::{CodeFlow, Exchange, Refresh, Repeat, exchange_form};
use crate::server::{APP_ONE, SERVICE, SERVICE_SECRET, Server, Site, free_address, person, pinned};
use crate::wire::{Wire, basic, form};

/// Device sessions that exist before the clock starts.
const DEVICES: usize = 256;
/// Connections of the echo.
const ECHO_CONNECTIONS: usize = 64;

/// The whole benchmark. `false` when an answer was wrong or a ceiling does not hold.
pub(crate) async fn everything(arguments: &Arguments) -> Result<bool, Failure> {
    let mut report = Report {
        machine: Machine::here(),
        seconds: arguments.measured_seconds(),
        parts: Vec::new(),
        servers: Vec::new(),
        verdicts: Vec::new(),
    };
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(&arguments.work)?;
    let span = Span { warm_up: Duration::from_secs_f64(report.seconds / 4.0), measured: Duration::from_secs_f64(report.seconds) };
    report.parts.push(measure_parts(folder.path(), span).await?);
    if !arguments.workloads().is_empty() {
        for alg in &arguments.algs {
            report.servers.push(measure_server(arguments, folder.path(), alg, span).await?);
        }
        report.parts.push(measure_parts(folder.path(), span).await?);
    }
    report.judge();
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
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {what}");
}

async fn measure_parts(folder: &Path, span: Span) -> Result<Parts, Failure> {
    say("the machine's parts");
    let seconds = span.measured.as_secs_f64() / 4.0;
    let data = folder.join("parts");
    std::fs::create_dir_all(&data)?;
    let seconds_text = seconds.to_string();
    let crypto: Crypto = part(&["crypto", &seconds_text]).await?;
    let folder_text = data.to_string_lossy();
    let store: Vec<Writes> = part(&["store", &folder_text, &seconds_text]).await?;

    let address = free_address()?;
    let program = std::env::current_exe()?;
    let mut echo =
        pinned(&program).args(["part", "echo", &address.port().to_string()]).stdin(Stdio::null()).kill_on_drop(true).spawn()?;
    let pid = echo.id().ok_or_else(|| Failure::said("the echo ended at once"))?;
    wait_for(address).await?;
    let meter = Meter::of(pid);
    let span = Span { warm_up: span.warm_up / 2, measured: span.measured / 2 };
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

    let mut bench = Bench { arguments, alg, span, server: &server, runs: Vec::new() };
    let done = bench.all_workloads().await;
    let runs = bench.runs;
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
    })
}

/// The workloads of one running server.
struct Bench<'a> {
    arguments: &'a Arguments,
    alg: &'a str,
    span: Span,
    server: &'a Server,
    runs: Vec<(&'static str, Run)>,
}

impl Bench<'_> {
    async fn all_workloads(&mut self) -> Result<(), Failure> {
        let mut wire = Wire::connect(self.server.address).await?;
        let endpoints = Endpoints::discover(&mut wire).await?;
        let workloads = self.arguments.workloads();
        let most = self.arguments.connections.iter().copied().max().unwrap_or(1);

        let mut browsers = Vec::new();
        if workloads.iter().any(|workload| matches!(workload, Workload::Refresh | Workload::Code | Workload::Exchange)) {
            say(&format!("{}: signing in {most} browsers", self.alg));
            for n in 0..most {
                browsers.push(Browser::signed_in(&mut wire, &endpoints, &person(n)).await?);
            }
        }
        for workload in workloads {
            self.workload(workload, &mut wire, &endpoints, &mut browsers).await?;
        }
        Ok(())
    }

    async fn workload(
        &mut self,
        workload: Workload,
        wire: &mut Wire,
        endpoints: &Endpoints,
        browsers: &mut Vec<Browser>,
    ) -> Result<(), Failure> {
        let name = workload.name();
        let most = self.arguments.connections.iter().copied().max().unwrap_or(1);
        match workload {
            Workload::Discovery => {
                let path = "/.well-known/openid-configuration".to_owned();
                let one = Repeat { path, headers: String::new(), form: None, contains: "token_endpoint" };
                self.runs(name, vec![one; most]).await?;
            }
            Workload::ClientCredentials => {
                let one = Repeat {
                    path: endpoints.token.clone(),
                    headers: basic(SERVICE, SERVICE_SECRET),
                    form: Some(form(&[("grant_type", "client_credentials"), ("scope", "api")])),
                    contains: "\"access_token\"",
                };
                self.runs(name, vec![one; most]).await?;
            }
            Workload::Refresh => {
                let mut families = Vec::new();
                for browser in browsers.iter_mut() {
                    let refresh_token = browser.refresh_token(wire, endpoints).await?;
                    families.push(Refresh { path: endpoints.token.clone(), refresh_token });
                }
                self.runs(name, families).await?;
            }
            Workload::Code => {
                let flows = browsers.drain(..).map(|browser| CodeFlow { endpoints: endpoints.clone(), browser }).collect();
                let flows = self.runs(name, flows).await?;
                browsers.extend(flows.into_iter().map(|flow| flow.browser));
            }
            Workload::Exchange => self.exchange(wire, endpoints, browsers).await?,
            Workload::Parts => {}
        }
        Ok(())
    }

    async fn exchange(&mut self, wire: &mut Wire, endpoints: &Endpoints, browsers: &mut [Browser]) -> Result<(), Failure> {
        say(&format!("{}: preparing {DEVICES} device sessions", self.alg));
        let mut devices = Vec::with_capacity(DEVICES);
        for n in 0..DEVICES {
            let browser = n % browsers.len();
            devices.push(browsers[browser].device(wire, endpoints).await?);
        }
        for connections in self.arguments.connections.clone() {
            let mut shares: Vec<Vec<Device>> = (0..connections).map(|_| Vec::new()).collect();
            for (n, device) in devices.drain(..).enumerate() {
                shares[n % connections].push(device);
            }
            let sequences = shares
                .into_iter()
                .map(|devices| Exchange { path: endpoints.token.clone(), issuer: endpoints.issuer.clone(), devices, next: 0 })
                .collect();
            let back = self.run(Workload::Exchange.name(), sequences).await?;
            devices.extend(back.into_iter().flat_map(|sequence| sequence.devices));
        }
        Ok(())
    }

    /// One run for each number of connections, each with as many of the sequences.
    async fn runs<S: Sequence>(&mut self, name: &'static str, mut sequences: Vec<S>) -> Result<Vec<S>, Failure> {
        for connections in self.arguments.connections.clone() {
            let rest = sequences.split_off(connections);
            sequences = self.run(name, sequences).await?;
            sequences.extend(rest);
        }
        Ok(sequences)
    }

    async fn run<S: Sequence>(&mut self, name: &'static str, sequences: Vec<S>) -> Result<Vec<S>, Failure> {
        let connections = sequences.len();
        say(&format!("{}: {name}, {connections} connections", self.alg));
        let profile = self.profile(name, connections)?;
        let (run, back) = drive(self.server.address, sequences, self.span, &self.server.meter).await?;
        if let Some(mut profile) = profile {
            profile.wait().await?;
        }
        if let Some(error) = &run.first_error {
            say(&format!("WRONG ANSWER: {error}"));
        }
        self.runs.push((name, run));
        Ok(back)
    }

    /// `perf record` of the server for the measured time, when asked for.
    fn profile(&self, name: &str, connections: usize) -> Result<Option<tokio::process::Child>, Failure> {
        let Some(folder) = &self.arguments.perf else { return Ok(None) };
        std::fs::create_dir_all(folder)?;
        let file = folder.join(format!("{}-{}-{connections}.data", self.alg, name.replace(' ', "_")));
        let seconds = (self.span.warm_up + self.span.measured).as_secs_f64().to_string();
        let child = Command::new("perf")
            .args(["record", "--quiet", "-F", "1999", "--call-graph", "dwarf,16384", "-p", &self.server.pid.to_string(), "-o"])
            .arg(file)
            .args(["sleep", &seconds])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Some(child))
    }
}
