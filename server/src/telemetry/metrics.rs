//! Counters and latencies, as text for Prometheus. The only file that knows the metrics crates.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ::metrics::{counter, describe_counter, describe_histogram, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

const TOKEN_REQUESTS: &str = "symbolon_token_requests_total";
const TOKEN_SECONDS: &str = "symbolon_token_request_seconds";
const SIGN_INS: &str = "symbolon_sign_ins_total";
const HANDLER_CALLS: &str = "symbolon_handler_calls_total";
const HANDLER_SECONDS: &str = "symbolon_handler_call_seconds";

/// Upper bounds of the latency buckets, in seconds.
const BUCKETS: [f64; 13] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The recorder keeps every latency until it is asked to sort them into buckets. Sorting after this many keeps that small
/// on a server that nobody scrapes.
const SORT_EVERY: u32 = 4096;

static INSTALLED: OnceLock<Handle> = OnceLock::new();
static RECORDED: AtomicU32 = AtomicU32::new(0);

/// Reads the metrics of this process.
#[derive(Debug, Clone)]
pub struct Handle(PrometheusHandle);

impl Handle {
    /// Every metric, in the Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }
}

/// Begins to count, for the whole process; again gives the same handle. What is reported before is not counted.
#[must_use]
pub fn install() -> Handle {
    INSTALLED.get_or_init(begin).clone()
}

fn begin() -> Handle {
    // Refused only for an empty list; then latencies would be summaries, which is no reason to stop a server.
    let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new());
    let recorder = builder.build_recorder();
    let handle = Handle(recorder.handle());
    // Nothing else in this program installs a recorder; were it so, ours would stay empty.
    let _ = ::metrics::set_global_recorder(recorder);
    describe_counter!(TOKEN_REQUESTS, "Token requests, by grant type and outcome (ok, or the OAuth error code).");
    describe_histogram!(TOKEN_SECONDS, "Time to answer a token request, in seconds, by grant type.");
    describe_counter!(SIGN_INS, "Sign-ins, by outcome (ok, failed, throttled).");
    describe_counter!(HANDLER_CALLS, "Calls of the device SSO handler, by outcome.");
    describe_histogram!(HANDLER_SECONDS, "Time that the device SSO handler took for a decision, in seconds.");
    handle
}

/// Counts a token request. `grant` and `outcome` (`ok`, or the error code) come from fixed lists, never from the request,
/// so that a stranger cannot make new series.
pub fn token_request(grant: &'static str, outcome: &'static str, took: Duration) {
    counter!(TOKEN_REQUESTS, "grant" => grant, "outcome" => outcome).increment(1);
    histogram!(TOKEN_SECONDS, "grant" => grant).record(took);
    sort_now_and_then();
}

/// Counts a sign-in: `ok`, `failed`, `throttled`.
pub fn sign_in(outcome: &'static str) {
    counter!(SIGN_INS, "outcome" => outcome).increment(1);
}

/// Counts a call of the handler: `ok`, `refused`, `failed`, `late`.
pub fn handler_call(outcome: &'static str, took: Duration) {
    counter!(HANDLER_CALLS, "outcome" => outcome).increment(1);
    histogram!(HANDLER_SECONDS).record(took);
    sort_now_and_then();
}

fn sort_now_and_then() {
    if RECORDED.fetch_add(1, Ordering::Relaxed) % SORT_EVERY == SORT_EVERY - 1
        && let Some(handle) = INSTALLED.get()
    {
        handle.0.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A label of its own, so that other tests of this process do not count here.
    const HERE: &str = "metrics-test";

    #[test]
    fn counts_and_renders() {
        let _ = install();
        for _ in 0..SORT_EVERY {
            token_request(HERE, "ok", Duration::from_millis(3));
        }
        token_request(HERE, "invalid_grant", Duration::from_secs(9));
        sign_in(HERE);
        handler_call(HERE, Duration::from_secs(2));
        let text = install().render();
        for line in [
            "symbolon_token_requests_total{grant=\"metrics-test\",outcome=\"ok\"} 4096",
            "symbolon_token_requests_total{grant=\"metrics-test\",outcome=\"invalid_grant\"} 1",
            "symbolon_token_request_seconds_bucket{grant=\"metrics-test\",le=\"0.0025\"} 0",
            "symbolon_token_request_seconds_bucket{grant=\"metrics-test\",le=\"0.005\"} 4096",
            "symbolon_token_request_seconds_count{grant=\"metrics-test\"} 4097",
            "symbolon_sign_ins_total{outcome=\"metrics-test\"} 1",
            "symbolon_handler_calls_total{outcome=\"metrics-test\"} 1",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} is missing in\n{text}");
        }
    }
}
