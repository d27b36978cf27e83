//! What was measured, as JSON and as Markdown, and whether it is within the ceilings. Owns the arithmetic of the ratios.

use std::fmt::Write as _;
use std::fs;

use serde::Serialize;

use crate::load::Run;
use crate::parts::crypto::{Crypto, Rates};
use crate::parts::store::Writes;

/// The most that one operation may cost, in units of its parts.
const RATIO_CEILING: f64 = 1.6;
/// Connections at which the ratio is taken.
const RATIO_CONNECTIONS: usize = 64;
/// The most that an idle server may hold in memory, in MB.
const IDLE_CEILING_MB: f64 = 40.0;
/// The longest from starting the process to the first token, in milliseconds.
const START_CEILING_MS: f64 = 1000.0;

/// Everything of one call of `scripts/bench`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Where it was measured.
    pub(crate) machine: Machine,
    /// Seconds measured in each run.
    pub(crate) seconds: f64,
    /// The machine's parts: measured before the servers, and after them when there were any.
    pub(crate) parts: Vec<Parts>,
    /// One entry for each signature algorithm.
    pub(crate) servers: Vec<Measured>,
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
}

/// One promise and whether it holds.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    /// What is promised.
    pub(crate) what: String,
    /// How it was calculated.
    pub(crate) how: String,
    /// What was seen.
    pub(crate) seen: f64,
    /// The most it may be; `None` = only for information.
    pub(crate) ceiling: Option<f64>,
    /// Whether it holds.
    pub(crate) holds: bool,
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
        let echoes = self.parts.iter().flat_map(|parts| [("echo", &parts.echo_exchange), ("echo", &parts.echo_refresh)]);
        let runs = self.servers.iter().flat_map(|server| server.runs.iter().map(|(name, run)| (*name, run)));
        echoes.chain(runs).filter(|(_, run)| run.errors > 0 || run.operations == 0)
    }

    /// Calculates the verdicts from what was measured.
    pub(crate) fn judge(&mut self) {
        let mut verdicts = Vec::new();
        for server in &self.servers {
            let strict = server.alg == "ES256";
            for (name, verifications) in [("exchange", 1_u8), ("refresh", 0)] {
                let at = |(n, run): &&(&str, Run)| *n == name && run.connections == RATIO_CONNECTIONS;
                let Some((_, run)) = server.runs.iter().find(at) else { continue };
                let Some(sum) = self.sum(&server.alg, verifications) else { continue };
                let ratio = run.cost.cpu_us / sum.total();
                verdicts.push(Verdict {
                    what: format!("{} {name}, {RATIO_CONNECTIONS} connections: CPU by the sum of its parts", server.alg),
                    how: format!("{:.1} µs / ({})", run.cost.cpu_us, sum.words()),
                    seen: ratio,
                    ceiling: strict.then_some(RATIO_CEILING),
                    holds: !strict || ratio <= RATIO_CEILING,
                });
            }
            let idle = megabytes(server.rss_idle_kib);
            verdicts.push(Verdict {
                what: format!("{}: memory when idle, MB", server.alg),
                how: "resident set after the first token".to_owned(),
                seen: idle,
                ceiling: Some(IDLE_CEILING_MB),
                holds: idle < IDLE_CEILING_MB,
            });
            for (what, ms) in [("empty data folder", server.first_start_ms), ("existing data folder", server.next_start_ms)] {
                verdicts.push(Verdict {
                    what: format!("{}: start to first token, {what}, ms", server.alg),
                    how: "process start to a client-credentials answer".to_owned(),
                    seen: ms,
                    ceiling: Some(START_CEILING_MS),
                    holds: ms < START_CEILING_MS,
                });
            }
        }
        self.verdicts = verdicts;
    }

    /// What an operation's parts cost: two signatures, an echo, a durable write and so many verifications.
    fn sum(&self, alg: &str, verifications: u8) -> Option<Sum> {
        let rates = |parts: &Parts| -> Option<Rates> {
            match alg {
                "ES256" => Some(parts.crypto.es256),
                "RS256" => Some(parts.crypto.rs256),
                _ => None,
            }
        };
        let mean = |of: &dyn Fn(&Parts) -> Option<f64>| -> Option<f64> {
            let values: Option<Vec<f64>> = self.parts.iter().map(of).collect();
            let values = values.filter(|values| !values.is_empty())?;
            Some(values.iter().sum::<f64>() / crate::load::count(values.len()))
        };
        Some(Sum {
            verifications: f64::from(verifications),
            verify: mean(&|parts| rates(parts).map(|rates| rates.verify_us))?,
            sign: mean(&|parts| rates(parts).map(|rates| rates.sign_us))?,
            echo: mean(&|parts| {
                Some(if verifications > 0 { parts.echo_exchange.cost.cpu_us } else { parts.echo_refresh.cost.cpu_us })
            })?,
            write: mean(&|parts| {
                parts.store.iter().find(|writes| writes.writers == RATIO_CONNECTIONS).map(|writes| writes.cpu_us)
            })?,
        })
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
        let which = ["before the servers", "after the servers"];
        for (parts, when) in self.parts.iter().zip(which) {
            let _ = writeln!(text, "## The machine's parts, {when}\n\n| part | CPU µs | rate on one core |\n|---|--:|--:|");
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

/// CPU microseconds of an operation's parts.
struct Sum {
    verifications: f64,
    verify: f64,
    sign: f64,
    echo: f64,
    write: f64,
}

impl Sum {
    fn total(&self) -> f64 {
        self.verifications * self.verify + 2.0 * self.sign + self.echo + self.write
    }

    fn words(&self) -> String {
        let verify = if self.verifications > 0.0 { format!("verify {:.1} + ", self.verify) } else { String::new() };
        format!(
            "{verify}2 signs {:.1} + echo {:.1} + durable write {:.1} = {:.1} µs",
            2.0 * self.sign,
            self.echo,
            self.write,
            self.total()
        )
    }
}

/// KiB as MB.
fn megabytes(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) * 1024.0 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Cost;

    fn run(connections: usize, cpu_us: f64) -> Run {
        let cost = Cost { cpu_us, ..Cost::default() };
        Run { connections, operations: 1, errors: 0, first_error: None, per_second: 1.0, p50_us: 1, p99_us: 1, cost }
    }

    fn report(exchange_us: f64) -> Report {
        let rates = Rates { sign_us: 20.0, verify_us: 50.0 };
        let parts = || Parts {
            echo_exchange: run(64, 10.0),
            echo_refresh: run(64, 8.0),
            crypto: Crypto { es256: rates, rs256: rates },
            store: vec![Writes { writers: 64, per_second: 1.0, cpu_us: 50.0, batch: 32.0 }],
        };
        let runs = vec![("exchange", run(1, 9_999.0)), ("exchange", run(64, exchange_us)), ("refresh", run(64, 98.0))];
        Report {
            machine: Machine::here(),
            seconds: 1.0,
            parts: vec![parts(), parts()],
            servers: vec![Measured {
                alg: "ES256".to_owned(),
                first_start_ms: 999.0,
                next_start_ms: 1001.0,
                rss_idle_kib: 39_000,
                rss_peak_kib: 60_000,
                runs,
            }],
            verdicts: Vec::new(),
        }
    }

    #[test]
    fn a_ratio_is_taken_at_64_connections_and_held_to_its_ceiling() {
        let mut report = report(240.0);
        report.judge();
        let holds: Vec<bool> = report.verdicts.iter().map(|verdict| verdict.holds).collect();
        assert_eq!(holds, [true, true, true, true, false]);
        assert!((report.verdicts[0].seen - 1.6).abs() < 1e-9, "240 / (50 + 40 + 10 + 50)");
        assert!((report.verdicts[1].seen - 1.0).abs() < 1e-9, "98 / (40 + 8 + 50)");

        report.servers[0].runs[1].1.cost.cpu_us = 241.0;
        report.judge();
        assert!(!report.verdicts[0].holds);
        assert!(report.markdown().contains("DOES NOT HOLD"));
    }

    #[test]
    fn a_wrong_answer_fails_the_report_loudly() {
        let mut report = report(240.0);
        assert_eq!(report.failed_runs().count(), 0);
        report.servers[0].runs[0].1.errors = 2;
        report.servers[0].runs[0].1.first_error = Some("status 500".to_owned());
        assert_eq!(report.failed_runs().count(), 1);
        assert!(report.markdown().contains("FAILED: exchange, 1 connections: 2 of them got a wrong answer: status 500"));
    }
}
