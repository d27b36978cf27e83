//! The workloads of one running server: what each starts from, how many connections it has, and the comparison with the
//! machine's parts. Knows no ceilings.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::arguments::{Arguments, Workload};
use crate::failure::Failure;
use crate::load::{Run, Sequence, Span, drive};
use crate::preparation::{Browser, DEVICES, Device, Endpoints};
use crate::report::Round;
use crate::run::{measure_parts, say};
use crate::sequences::{CodeFlow, Exchange, Refresh, Repeat};
use crate::server::{SERVICE, SERVICE_SECRET, Server, person};
use crate::verdict::RATIO_CONNECTIONS;
use crate::wire::{Wire, basic, form};

/// How often parts and server are measured in turn.
const ROUNDS: usize = 5;
const QUICK_ROUNDS: usize = 3;

/// The workloads of one running server.
#[derive(Debug)]
pub(crate) struct Workloads<'a> {
    arguments: &'a Arguments,
    alg: &'a str,
    span: Span,
    server: &'a Server,
    runs: Vec<(&'static str, Run)>,
    rounds: Vec<Round>,
    families: Vec<Refresh>,
    devices: Vec<Device>,
}

impl<'a> Workloads<'a> {
    /// Of this server.
    pub(crate) const fn new(arguments: &'a Arguments, alg: &'a str, span: Span, server: &'a Server) -> Self {
        Self { arguments, alg, span, server, runs: Vec::new(), rounds: Vec::new(), families: Vec::new(), devices: Vec::new() }
    }

    /// What was measured.
    pub(crate) fn into_results(self) -> (Vec<(&'static str, Run)>, Vec<Round>) {
        (self.runs, self.rounds)
    }

    /// All that were asked for; then exchange and refresh once more in turn with the machine's parts.
    pub(crate) async fn all(&mut self, folder: &Path) -> Result<(), Failure> {
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
        self.compare(folder, &endpoints).await
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
                self.families = self.runs(name, families).await?;
            }
            Workload::Code => {
                let flows = browsers.drain(..).map(|browser| CodeFlow { endpoints: endpoints.clone(), browser }).collect();
                let flows = self.runs(name, flows).await?;
                browsers.extend(flows.into_iter().map(|flow| flow.browser));
            }
            Workload::Exchange => self.exchange(wire, endpoints, browsers).await?,
            // Compared with servers of their own.
            Workload::Isolation | Workload::Growth | Workload::Backends | Workload::Parts => {}
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
            let sequences = shared_out(&mut devices, connections, endpoints);
            let back = self.run(Workload::Exchange.name(), sequences).await?;
            devices.extend(back.into_iter().flat_map(|sequence| sequence.devices));
        }
        self.devices = devices;
        Ok(())
    }

    /// Parts, exchange and refresh in turn, several times: what a shared machine does to one of them it does, within
    /// seconds, to all, so the ratio of one round means more than the ratio of two long runs.
    async fn compare(&mut self, folder: &Path, endpoints: &Endpoints) -> Result<(), Failure> {
        let enough = self.families.len() >= RATIO_CONNECTIONS || self.devices.len() >= RATIO_CONNECTIONS;
        if !enough || !self.arguments.connections.contains(&RATIO_CONNECTIONS) {
            return Ok(());
        }
        let seconds = (self.span.measured.as_secs_f64() / 4.0).max(1.0);
        let span = Span { warm_up: Duration::from_secs_f64(seconds / 4.0), measured: Duration::from_secs_f64(seconds) };
        let rounds = if self.arguments.quick { QUICK_ROUNDS } else { ROUNDS };
        for n in 1..=rounds {
            say(&format!("{}: the parts beside the whole, round {n} of {rounds}", self.alg));
            let parts = measure_parts(folder, seconds, &[RATIO_CONNECTIONS]).await?;
            let mut round = Round { parts, exchange: None, refresh: None };
            if !self.devices.is_empty() {
                let sequences = shared_out(&mut self.devices, RATIO_CONNECTIONS, endpoints);
                let (run, back) = drive(self.server.address, sequences, span, &self.server.meter).await?;
                self.devices.extend(back.into_iter().flat_map(|sequence| sequence.devices));
                round.exchange = Some(run);
            }
            if self.families.len() >= RATIO_CONNECTIONS {
                let rest = self.families.split_off(RATIO_CONNECTIONS);
                let families = std::mem::take(&mut self.families);
                let (run, back) = drive(self.server.address, families, span, &self.server.meter).await?;
                self.families = back;
                self.families.extend(rest);
                round.refresh = Some(run);
            }
            self.rounds.push(round);
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

/// Every device to one connection, and every connection as many as any other.
pub(crate) fn shared_out(devices: &mut Vec<Device>, connections: usize, endpoints: &Endpoints) -> Vec<Exchange> {
    let mut shares: Vec<Vec<Device>> = (0..connections).map(|_| Vec::new()).collect();
    for (n, device) in devices.drain(..).enumerate() {
        shares[n % connections].push(device);
    }
    shares
        .into_iter()
        .map(|devices| Exchange { path: endpoints.token.clone(), issuer: endpoints.issuer.clone(), devices, next: 0 })
        .collect()
}
