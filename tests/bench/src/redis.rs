//! A Redis of the benchmark's own, on the core of the load, and what it says that it has used. Knows it by its programs only.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use tokio::process::{Child, Command};

use crate::failure::Failure;
use crate::server::{free_address, pinned};

const CLIENTS: &str = "64";
const KEYS: &str = "10000";
/// Bytes of a value: a device session in the middle of its growth.
const VALUE: usize = 1_300;

/// A running Redis; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Redis {
    pub(crate) port: u16,
    _process: Child,
}

/// What a Redis has used since it was started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    cpu_us: f64,
    bytes_in: f64,
    bytes_out: f64,
}

/// What it used for one operation.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct RedisCost {
    /// CPU in microseconds.
    pub(crate) cpu_us: f64,
    /// Bytes that it was sent.
    pub(crate) bytes_in: f64,
    /// Bytes that it sent, to its replicas too.
    pub(crate) bytes_out: f64,
}

/// What a bare Redis does by its own benchmark.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct BareRate {
    pub(crate) what: String,
    pub(crate) per_second: f64,
    pub(crate) p99_ms: f64,
}

impl Redis {
    /// Starts one with an empty `folder`, every write synced, and further options.
    pub(crate) async fn start(folder: &Path, options: &[&str]) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder)?;
        let port = free_address()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]).args(options);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn();
        let process = process.map_err(|error| {
            Failure::from(error).while_doing("redis-server, of package redis-server; --only leaves the comparison with Redis out")
        })?;
        let redis = Self { port, _process: process };
        for _ in 0..500 {
            if redis.ask(&["PING"]).await.is_ok_and(|answer| answer.trim() == "PONG") {
                return Ok(redis);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(Failure::said("redis-server does not answer"))
    }

    /// The address as a setting.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// What `redis-cli` prints for a command.
    pub(crate) async fn ask(&self, command: &[&str]) -> Result<String, Failure> {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(command).output().await?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A number of its `INFO`.
    pub(crate) async fn number(&self, name: &str) -> Result<f64, Failure> {
        number_in(&self.ask(&["INFO", "everything"]).await?, name)
    }

    /// What it has used so far.
    pub(crate) async fn used(&self) -> Result<Used, Failure> {
        let info = self.ask(&["INFO", "everything"]).await?;
        let of = |name| number_in(&info, name);
        Ok(Used {
            cpu_us: (of("used_cpu_sys")? + of("used_cpu_user")?) * 1e6,
            bytes_in: of("total_net_input_bytes")?,
            bytes_out: of("total_net_output_bytes")?,
        })
    }

    /// The rates of its own benchmark, driven from the core of whatever is measured: the reads and the durable writes that an exchange
    /// consists of, one at a time for each of 64 clients, and sixteen at a time.
    pub(crate) async fn bare(&self) -> Result<Vec<BareRate>, Failure> {
        let value = "v".repeat(VALUE);
        let mut rates = Vec::new();
        for pipeline in ["1", "16"] {
            for (what, command) in
                [("SET", vec!["SET", "bench:__rand_int__", &value]), ("GET", vec!["GET", "bench:__rand_int__"])]
            {
                let output = pinned(Path::new("redis-benchmark"))
                    .args(["-p", &self.port.to_string(), "-c", CLIENTS, "-P", pipeline, "-n", "100000", "-r", KEYS, "--csv"])
                    .args(command)
                    .output()
                    .await?;
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let what = format!("{what} of {VALUE} bytes, {CLIENTS} clients, {pipeline} at a time");
                rates.push(rate_in(&text, what).ok_or_else(|| Failure::said(format!("redis-benchmark said: {text}")))?);
            }
        }
        self.ask(&["FLUSHALL"]).await?;
        Ok(rates)
    }
}

impl Used {
    /// What one of `operations` since `before` has cost.
    pub(crate) fn since(&self, before: &Self, operations: f64) -> RedisCost {
        let each = |now: f64, before: f64| (now - before) / operations;
        RedisCost {
            cpu_us: each(self.cpu_us, before.cpu_us),
            bytes_in: each(self.bytes_in, before.bytes_in),
            bytes_out: each(self.bytes_out, before.bytes_out),
        }
    }
}

fn number_in(info: &str, name: &str) -> Result<f64, Failure> {
    let line = info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|value| value.parse().ok()).ok_or_else(|| Failure::said(format!("no {name} in INFO")))
}

/// The last line of the CSV: the test, its rate, then latencies in milliseconds (average, least, 50th, 95th, 99th percentile, most).
fn rate_in(csv: &str, what: String) -> Option<BareRate> {
    let line = csv.lines().last()?;
    // The value that was written is in it; what counts is behind the last seven commas.
    let mut fields = line.rsplit(',').map(|field| field.trim_matches('"').parse::<f64>().ok());
    let (_most, p99) = (fields.next()??, fields.next()??);
    let per_second = fields.nth(4)??;
    Some(BareRate { what, per_second, p99_ms: p99 })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn its_own_benchmark_is_understood() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n\
                   \"SET a,b c\",\"12345.67\",\"0.7\",\"0.1\",\"0.5\",\"1.5\",\"2.5\",\"9.9\"\n";
        let rate = rate_in(csv, "SET".to_owned()).unwrap();
        assert_eq!((rate.per_second, rate.p99_ms), (12345.67, 2.5));
        assert!(rate_in("", String::new()).is_none() && rate_in("Could not connect", String::new()).is_none());
    }

    #[test]
    fn numbers_are_found_by_their_whole_name() {
        let info = "used_cpu_sys_children:9\r\nused_cpu_sys:1.5\r\n";
        assert_eq!(number_in(info, "used_cpu_sys").unwrap().to_string(), "1.5");
        assert!(number_in(info, "used_cpu").is_err());
    }
}
