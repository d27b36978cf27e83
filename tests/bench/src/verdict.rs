//! Whether what was measured is within the ceilings. Owns the arithmetic of the ratios; knows no format of the report.

use serde::Serialize;

use crate::parts::crypto::Rates;
use crate::place;
use crate::report::{Report, Round};

/// The most that one operation may cost, in units of its parts.
const RATIO_CEILING: f64 = 1.6;
/// Connections at which the ratio is taken.
pub(crate) const RATIO_CONNECTIONS: usize = 64;
/// The most that durability may cost: durable exchanges are within 20 % of those that are not.
const DURABILITY_CEILING: f64 = 1.25;
/// The most that an idle server may hold in memory, in MB.
const IDLE_CEILING_MB: f64 = 40.0;
/// The longest from starting the process to the first token, in milliseconds.
const START_CEILING_MS: f64 = 1000.0;

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

/// The verdicts on what was measured.
pub(crate) fn judge(report: &Report) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for server in &report.servers {
        let strict = server.alg == "ES256";
        for name in ["exchange", "refresh"] {
            let mut ratios: Vec<Ratio> = server.rounds.iter().filter_map(|round| Ratio::of(round, name, &server.alg)).collect();
            ratios.sort_by(|a, b| a.value().total_cmp(&b.value()));
            let Some(median) = ratios.get(ratios.len() / 2) else { continue };
            verdicts.push(Verdict {
                what: format!("{} {name}, {RATIO_CONNECTIONS} connections: CPU by the sum of its parts", server.alg),
                how: median.words(ratios.first(), ratios.last()),
                seen: median.value(),
                ceiling: strict.then_some(RATIO_CEILING),
                holds: !strict || median.value() <= RATIO_CEILING,
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
    let durability =
        report.backends.as_ref().and_then(|backends| place::median(backends.unsynced_by_synced.clone(), |ratio| *ratio));
    if let Some(seen) = durability {
        verdicts.push(Verdict {
            what: "embedded store: exchanges per second without syncs by those with".to_owned(),
            how: "median of the rounds".to_owned(),
            seen,
            ceiling: Some(DURABILITY_CEILING),
            holds: seen <= DURABILITY_CEILING,
        });
    }
    verdicts
}

/// CPU microseconds of an operation and of its parts, measured in one round.
struct Ratio {
    whole: f64,
    /// 1 in an exchange, which verifies the ID token, 0 in a refresh.
    verifications: f64,
    verify: f64,
    sign: f64,
    echo: f64,
    write: f64,
}

impl Ratio {
    /// The ratio that a round gives for an operation; `None` when it was not measured or the parts of `alg` were not.
    fn of(round: &Round, operation: &str, alg: &str) -> Option<Self> {
        let Rates { sign_us: sign, verify_us: verify } = match alg {
            "ES256" => round.parts.crypto.es256,
            "RS256" => round.parts.crypto.rs256,
            _ => return None,
        };
        let (run, echo, verifications) = match operation {
            "exchange" => (round.exchange.as_ref()?, &round.parts.echo_exchange, 1.0),
            _ => (round.refresh.as_ref()?, &round.parts.echo_refresh, 0.0),
        };
        let write = round.parts.store.iter().find(|writes| writes.writers == RATIO_CONNECTIONS)?.cpu_us;
        Some(Self { whole: run.cost.cpu_us, verifications, verify, sign, echo: echo.cost.cpu_us, write })
    }

    fn parts(&self) -> f64 {
        self.verifications * self.verify + 2.0 * self.sign + self.echo + self.write
    }

    fn value(&self) -> f64 {
        self.whole / self.parts()
    }

    /// This round's arithmetic, beside the best and the worst round.
    fn words(&self, best: Option<&Self>, worst: Option<&Self>) -> String {
        let verify = if self.verifications > 0.0 { format!("verify {:.1} + ", self.verify) } else { String::new() };
        format!(
            "median of rounds from {:.2} to {:.2}: {:.1} µs / ({verify}2 signs {:.1} + echo {:.1} + durable write {:.1} = {:.1} µs)",
            best.map_or(f64::NAN, Self::value),
            worst.map_or(f64::NAN, Self::value),
            self.whole,
            2.0 * self.sign,
            self.echo,
            self.write,
            self.parts()
        )
    }
}

/// KiB as MB.
pub(crate) fn megabytes(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) * 1024.0 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{report, round};

    #[test]
    fn the_median_of_the_rounds_is_held_to_its_ceiling() {
        let mut report = report([9_999.0, 240.0, 1.0]);
        let verdicts = judge(&report);
        let holds: Vec<bool> = verdicts.iter().map(|verdict| verdict.holds).collect();
        assert_eq!(holds, [true, true, true, true, false]);
        assert!((verdicts[0].seen - 1.6).abs() < 1e-9, "240 / (50 + 40 + 10 + 50)");
        assert!((verdicts[1].seen - 1.0).abs() < 1e-9, "98 / (40 + 8 + 50)");

        report.servers[0].rounds[1] = round(241.0);
        let verdicts = judge(&report);
        assert!(!verdicts[0].holds);
    }
}
