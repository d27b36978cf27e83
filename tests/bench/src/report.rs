//! What was measured, as JSON and as Markdown. Judges nothing.

use std::fmt::Write as _;
use std::fs;

use serde::Serialize;

use crate::backends::{self, Comparison};
use crate::growth::{self, SizeCost};
use crate::isolation::{self, ModeCost};
use crate::load::Run;
use crate::parts::crypto::Crypto;
use crate::parts::store::Writes;
use crate::verdict::{Verdict, megabytes};

/// Everything of one call of `scripts/bench`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Where it was measured.
    pub(crate) machine: Machine,
    /// Seconds measured in each run.
    pub(crate) seconds: f64,
    /// The machine's parts, measured before any server was started.
    pub(crate) parts: Option<Parts>,
    /// One entry for each signature algorithm.
    pub(crate) servers: Vec<Measured>,
    /// What each way of running a handler costs.
    pub(crate) isolation: Vec<ModeCost>,
    /// What the size of the store costs.
    pub(crate) growth: Vec<SizeCost>,
    /// What each way of keeping the state costs.
    pub(crate) backends: Option<Comparison>,
    /// What the above means.
    pub(crate) verdicts: Vec<Verdict>,
}

/// The machine.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    /// Load average over a minute before the first run: what else was going on.
    load_before: String,
}

/// The parts, measured once.
#[derive(Debug, Serialize)]
pub(crate) struct Parts {
    /// An endpoint that echoes the form of an exchange.
    pub(crate) echo_exchange: Run,
    /// An endpoint that echoes the form of a refresh.
    pub(crate) echo_refresh: Run,
    /// The crypto library.
    pub(crate) crypto: Crypto,
    /// The embedded engine, by number of writers.
    pub(crate) store: Vec<Writes>,
}

/// Parts and server measured within a few seconds of each other.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    /// The parts.
    pub(crate) parts: Parts,
    /// Exchanges at [`crate::verdict::RATIO_CONNECTIONS`].
    pub(crate) exchange: Option<Run>,
    /// Refreshes at [`crate::verdict::RATIO_CONNECTIONS`].
    pub(crate) refresh: Option<Run>,
}

/// One server.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// `tokens.signing_alg`.
    pub(crate) alg: String,
    /// Process start to first token with an empty data folder (keys are generated), in milliseconds.
    pub(crate) first_start_ms: f64,
    /// The same with a data folder that is already there.
    pub(crate) next_start_ms: f64,
    /// Resident set after that, in KiB.
    pub(crate) rss_idle_kib: u64,
    /// The largest resident set of the whole run, sign-ins included, in KiB.
    pub(crate) rss_peak_kib: u64,
    /// Workload and what it showed.
    pub(crate) runs: Vec<(&'static str, Run)>,
    /// Exchange and refresh in turn with the parts.
    pub(crate) rounds: Vec<Round>,
}

impl Machine {
    /// This machine, now.
    pub(crate) fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let processor = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
        Self {
            processor: processor.unwrap_or("unknown").to_owned(),
            cores: cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

impl Report {
    /// Runs in which some answer was not the expected one.
    pub(crate) fn failed_runs(&self) -> impl Iterator<Item = (&str, &Run)> {
        let rounds = || self.servers.iter().flat_map(|server| &server.rounds);
        let parts = self.parts.iter().chain(rounds().map(|round| &round.parts));
        let echoes = parts.flat_map(|parts| [("echo", &parts.echo_exchange), ("echo", &parts.echo_refresh)]);
        let runs = self.servers.iter().flat_map(|server| server.runs.iter().map(|(name, run)| (*name, run)));
        let exchanges = rounds().filter_map(|round| round.exchange.as_ref()).map(|run| ("exchange", run));
        let refreshes = rounds().filter_map(|round| round.refresh.as_ref()).map(|run| ("refresh", run));
        echoes.chain(runs).chain(exchanges).chain(refreshes).filter(|(_, run)| run.errors > 0 || run.operations == 0)
    }

    /// The report for people.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        let m = &self.machine;
        let _ = writeln!(
            text,
            "# Symbolon benchmark\n\n{} · {} cores · Linux {} · load before {} · {} s a run · server pinned to core 0, load to core 1\n",
            m.processor, m.cores, m.kernel, m.load_before, self.seconds
        );
        self.write_parts(&mut text);
        for server in &self.servers {
            server.write(&mut text);
        }
        isolation::write(&self.isolation, &mut text);
        backends::write(self.backends.as_ref(), self.parts.as_ref().map_or(&[], |parts| &parts.store), &mut text);
        growth::write(&self.growth, &mut text);
        if !self.verdicts.is_empty() {
            text.push_str("## Verdicts\n\n| what | seen | ceiling | | how |\n|---|--:|--:|---|---|\n");
            for v in &self.verdicts {
                let ceiling = v.ceiling.map_or("-".to_owned(), |ceiling| ceiling.to_string());
                let word = match (v.ceiling, v.holds) {
                    (None, _) => "for information",
                    (_, true) => "holds",
                    (_, false) => "**DOES NOT HOLD**",
                };
                let _ = writeln!(text, "| {} | {:.2} | {ceiling} | {word} | {} |", v.what, v.seen, v.how);
            }
        }
        for (name, run) in self.failed_runs() {
            let _ = writeln!(
                text,
                "\n**FAILED: {name}, {} connections: {} of them got a wrong answer: {}**",
                run.connections,
                run.errors,
                run.first_error.as_deref().unwrap_or("nothing was answered in time")
            );
        }
        text
    }

    fn write_parts(&self, text: &mut String) {
        if let Some(parts) = &self.parts {
            let _ = writeln!(text, "## The machine's parts\n\n| part | CPU µs | rate on one core |\n|---|--:|--:|");
            for (name, run) in [("echo, exchange form", &parts.echo_exchange), ("echo, refresh form", &parts.echo_refresh)] {
                let _ = writeln!(
                    text,
                    "| actix-web {name}, {} connections | {:.1} | {:.0}/s seen, core {:.0} % busy |",
                    run.connections,
                    run.cost.cpu_us,
                    run.per_second,
                    run.cost.busy * 100.0
                );
            }
            let crypto = &parts.crypto;
            let rates = [
                ("ES256 sign", crypto.es256.sign_us),
                ("ES256 verify", crypto.es256.verify_us),
                ("RS256 sign", crypto.rs256.sign_us),
                ("RS256 verify", crypto.rs256.verify_us),
            ];
            for (name, us) in rates {
                let _ = writeln!(text, "| aws-lc-rs {name} | {us:.1} | {:.0}/s |", 1e6 / us);
            }
            for writes in &parts.store {
                let _ = writeln!(
                    text,
                    "| redb durable write, {} writers | {:.1} | {:.0}/s seen, {:.1} a commit |",
                    writes.writers, writes.cpu_us, writes.per_second, writes.batch
                );
            }
            text.push('\n');
        }
    }
}

impl Measured {
    fn write(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "## Server, {}\n\nFirst token {:.0} ms after a start with an empty data folder, {:.0} ms with an existing one. \
             Memory idle {:.1} MB, peak {:.1} MB.\n",
            self.alg,
            self.first_start_ms,
            self.next_start_ms,
            megabytes(self.rss_idle_kib),
            megabytes(self.rss_peak_kib)
        );
        text.push_str(
            "| workload | connections | per second | p50 ms | p99 ms | CPU µs | core busy | KiB written | MB | errors | CPU µs by thread |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n",
        );
        for (name, run) in &self.runs {
            let millis = |us: u64| std::time::Duration::from_micros(us).as_secs_f64() * 1e3;
            let threads: Vec<String> = run.cost.threads_us.iter().map(|(name, us)| format!("{name} {us:.1}")).collect();
            let _ = writeln!(
                text,
                "| {name} | {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.0} % | {:.1} | {:.1} | {} | {} |",
                run.connections,
                run.per_second,
                millis(run.p50_us),
                millis(run.p99_us),
                run.cost.cpu_us,
                run.cost.busy * 100.0,
                run.cost.written_kib,
                megabytes(run.cost.rss_kib),
                run.errors,
                threads.join(", ")
            );
        }
        text.push('\n');
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::meter::Cost;
    use crate::parts::crypto::Rates;
    use crate::verdict::judge;

    fn run(connections: usize, cpu_us: f64) -> Run {
        let cost = Cost { cpu_us, ..Cost::default() };
        Run { connections, operations: 1, errors: 0, first_error: None, per_second: 1.0, p50_us: 1, p99_us: 1, cost }
    }

    pub(crate) fn round(exchange_us: f64) -> Round {
        let rates = Rates { sign_us: 20.0, verify_us: 50.0 };
        let parts = Parts {
            echo_exchange: run(64, 10.0),
            echo_refresh: run(64, 8.0),
            crypto: Crypto { es256: rates, rs256: rates },
            store: vec![Writes { writers: 64, per_second: 1.0, cpu_us: 50.0, batch: 32.0 }],
        };
        Round { parts, exchange: Some(run(64, exchange_us)), refresh: Some(run(64, 98.0)) }
    }

    pub(crate) fn report(exchange_us: [f64; 3]) -> Report {
        Report {
            machine: Machine::here(),
            seconds: 1.0,
            parts: None,
            servers: vec![Measured {
                alg: "ES256".to_owned(),
                first_start_ms: 999.0,
                next_start_ms: 1001.0,
                rss_idle_kib: 39_000,
                rss_peak_kib: 60_000,
                runs: vec![("exchange", run(1, 9_999.0))],
                rounds: exchange_us.map(round).into(),
            }],
            isolation: Vec::new(),
            growth: Vec::new(),
            backends: None,
            verdicts: Vec::new(),
        }
    }

    #[test]
    fn a_wrong_answer_fails_the_report_loudly() {
        let mut report = report([240.0; 3]);
        assert_eq!(report.failed_runs().count(), 0);
        report.servers[0].runs[0].1.errors = 2;
        report.servers[0].runs[0].1.first_error = Some("status 500".to_owned());
        assert_eq!(report.failed_runs().count(), 1);
        assert!(report.markdown().contains("FAILED: exchange, 1 connections: 2 of them got a wrong answer: status 500"));
        report.servers[0].rounds[2].parts.echo_refresh.operations = 0;
        assert_eq!(report.failed_runs().count(), 2);
    }

    #[test]
    fn a_ceiling_that_does_not_hold_is_said_in_bold() {
        let mut report = report([241.0; 3]);
        report.verdicts = judge(&report);
        assert!(report.markdown().contains("**DOES NOT HOLD**"));
    }
}
