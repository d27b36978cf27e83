//! Counters and latencies, as text for Prometheus. The only file that knows the metrics crates.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ::metrics::{Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

const TOKEN_REQUESTS: &str = "symbolon_token_requests_total";
const TOKEN_SECONDS: &str = "symbolon_token_request_seconds";
const SIGN_INS: &str = "symbolon_sign_ins_total";
const HANDLER_CALLS: &str = "symbolon_handler_calls_total";
const HANDLER_SECONDS: &str = "symbolon_handler_call_seconds";
const HANDLER_CLAMPS: &str = "symbolon_handler_clamps_total";
const HANDLER_SHADOW: &str = "symbolon_handler_shadow_total";
const HANDLER_RESTARTS: &str = "symbolon_handler_restarts_total";
const HANDLER_SUSPENDED: &str = "symbolon_handler_suspended";
const HANDLER_RELOADS: &str = "symbolon_handler_reloads_total";
const AUDIT_WRITTEN: &str = "symbolon_audit_written_total";
const AUDIT_LOST: &str = "symbolon_audit_lost_total";
const AUDIT_REQUESTS: &str = "symbolon_audit_webhook_requests_total";
const AUDIT_DELIVERED: &str = "symbolon_audit_webhook_delivered_total";
const AUDIT_WAITING: &str = "symbolon_audit_webhook_waiting";

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
    describe_counter!(
        HANDLER_CALLS,
        "Calls of a device SSO handler, by outcome (allowed, interaction_required, refused, panicked, malformed, late, crashed, busy, suspended)."
    );
    describe_histogram!(HANDLER_SECONDS, "Time that a device SSO handler took for a decision, in seconds.");
    describe_counter!(HANDLER_CLAMPS, "What the guard cut from the decisions of a device SSO handler.");
    describe_counter!(
        HANDLER_SHADOW,
        "Decisions of a shadow handler compared with the enabled one's: same, different, failed, skipped."
    );
    describe_counter!(HANDLER_RESTARTS, "Processes that host a device SSO handler, started again after one ended.");
    describe_gauge!(HANDLER_SUSPENDED, "1 while a device SSO handler is left alone for failing too often.");
    describe_counter!(HANDLER_RELOADS, "Reloads of the device SSO handlers: ok or refused.");
    describe_counter!(AUDIT_WRITTEN, "Audit events written to the audit file.");
    describe_counter!(
        AUDIT_LOST,
        "Audit events that are missing in the audit file, or were removed from it before the webhook took them."
    );
    describe_counter!(AUDIT_REQUESTS, "Requests to the audit webhook, by outcome (ok, failed).");
    describe_counter!(AUDIT_DELIVERED, "Audit events that the webhook took.");
    describe_gauge!(AUDIT_WAITING, "Audit events in the audit file that the webhook has not come to.");
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

/// What a handler is asked for. The same handler may be asked for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its decisions count.
    Enabled,
    /// Its decisions are compared.
    Shadow,
    /// Somebody wants to know.
    Explanation,
    /// It judges sign-ins.
    Action,
}

impl Role {
    const fn label(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Shadow => "shadow",
            Self::Explanation => "explanation",
            Self::Action => "action",
        }
    }
}

/// What one handler's calls amount to. Cheap to clone; each series is looked up once.
#[derive(Clone)]
pub struct HandlerMeter(Arc<HandlerSeries>);

struct HandlerSeries {
    name: Arc<str>,
    role: &'static str,
    calls: Mutex<BTreeMap<&'static str, Counter>>,
    clamps: Mutex<BTreeMap<&'static str, Counter>>,
    seconds: Histogram,
}

impl std::fmt::Debug for HandlerMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HandlerMeter").field(&self.0.name).finish()
    }
}

impl HandlerMeter {
    /// The meter of the handler with this name. There are as many series as handlers that were ever asked.
    #[must_use]
    pub fn new(name: &str, role: Role) -> Self {
        let (name, role): (Arc<str>, _) = (name.into(), role.label());
        Self(Arc::new(HandlerSeries {
            seconds: histogram!(HANDLER_SECONDS, "handler" => name.to_string(), "role" => role),
            calls: Mutex::default(),
            clamps: Mutex::default(),
            name,
            role,
        }))
    }

    /// A call has ended; `outcome` comes from a fixed list.
    pub fn call(&self, outcome: &'static str, took: Duration) {
        let HandlerSeries { name, role, .. } = &*self.0;
        count(
            &self.0.calls,
            outcome,
            || counter!(HANDLER_CALLS, "handler" => name.to_string(), "role" => *role, "outcome" => outcome),
        );
        self.0.seconds.record(took);
        sort_now_and_then();
    }

    /// The guard has cut something from a decision; `what` comes from a fixed list.
    pub fn clamped(&self, what: &'static str) {
        let HandlerSeries { name, role, .. } = &*self.0;
        count(&self.0.clamps, what, || counter!(HANDLER_CLAMPS, "handler" => name.to_string(), "role" => *role, "what" => what));
    }

    /// A decision of a shadow was compared: `same`, `different`, `failed` or `skipped`.
    pub fn shadow(&self, result: &'static str) {
        counter!(HANDLER_SHADOW, "handler" => self.0.name.to_string(), "result" => result).increment(1);
    }

    /// A process that hosts it was started again.
    pub fn restarted(&self) {
        counter!(HANDLER_RESTARTS, "handler" => self.0.name.to_string(), "role" => self.0.role).increment(1);
    }

    /// It is left alone for failing too often, or asked again.
    pub fn suspended(&self, yes: bool) {
        gauge!(HANDLER_SUSPENDED, "handler" => self.0.name.to_string(), "role" => self.0.role).set(if yes { 1.0 } else { 0.0 });
    }
}

fn count(series: &Mutex<BTreeMap<&'static str, Counter>>, label: &'static str, new: impl FnOnce() -> Counter) {
    series.lock().unwrap_or_else(PoisonError::into_inner).entry(label).or_insert_with(new).increment(1);
}

/// A reload of the handlers: `ok` or `refused`.
pub fn handler_reload(outcome: &'static str) {
    counter!(HANDLER_RELOADS, "outcome" => outcome).increment(1);
}

/// So many audit events were written to the audit file.
pub fn audit_written(events: u64) {
    counter!(AUDIT_WRITTEN).increment(events);
}

/// So many are missing: in the `file`, or at the `webhook`.
pub fn audit_lost(sink: &'static str, events: u64) {
    counter!(AUDIT_LOST, "sink" => sink).increment(events);
}

/// A request to the audit webhook: so many events were taken, or it failed.
pub fn audit_request(delivered: Option<u64>) {
    counter!(AUDIT_REQUESTS, "outcome" => if delivered.is_some() { "ok" } else { "failed" }).increment(1);
    counter!(AUDIT_DELIVERED).increment(delivered.unwrap_or(0));
}

/// How many audit events the webhook has not come to.
pub fn audit_waiting(events: u64) {
    // Exact up to 2^53, which no file holds.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!(AUDIT_WAITING).set(events as f64);
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
        let meter = HandlerMeter::new(HERE, Role::Enabled);
        meter.call("allowed", Duration::from_secs(2));
        meter.call("allowed", Duration::from_secs(2));
        meter.clamped("scope");
        meter.shadow("same");
        meter.suspended(true);
        let text = install().render();
        for line in [
            "symbolon_token_requests_total{grant=\"metrics-test\",outcome=\"ok\"} 4096",
            "symbolon_token_requests_total{grant=\"metrics-test\",outcome=\"invalid_grant\"} 1",
            "symbolon_token_request_seconds_bucket{grant=\"metrics-test\",le=\"0.0025\"} 0",
            "symbolon_token_request_seconds_bucket{grant=\"metrics-test\",le=\"0.005\"} 4096",
            "symbolon_token_request_seconds_count{grant=\"metrics-test\"} 4097",
            "symbolon_sign_ins_total{outcome=\"metrics-test\"} 1",
            "symbolon_handler_calls_total{handler=\"metrics-test\",role=\"enabled\",outcome=\"allowed\"} 2",
            "symbolon_handler_clamps_total{handler=\"metrics-test\",role=\"enabled\",what=\"scope\"} 1",
            "symbolon_handler_shadow_total{handler=\"metrics-test\",result=\"same\"} 1",
            "symbolon_handler_suspended{handler=\"metrics-test\",role=\"enabled\"} 1",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} is missing in\n{text}");
        }
    }
}
