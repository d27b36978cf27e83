//! Hands audit events over to whoever writes them down: as finished JSON, through a queue that is bounded, without ever waiting. What does not
//! fit is counted, and whoever reads the queue is told.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;

use super::{AuditEvent, Id};
use crate::foundation::{Clock, clock};
use crate::telemetry::metrics;

/// An event as a JSON object without line breaks, but for the id that it gets when it is written.
pub type Entry = Vec<u8>;

/// Who takes the events of this process now.
static TAKER: RwLock<Option<Arc<Handoff>>> = RwLock::new(None);

/// The way in.
#[derive(Debug)]
pub struct Handoff {
    queue: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

/// The way out.
#[derive(Debug)]
pub struct Taken {
    /// What was handed over, in order. Disconnected once [`end`] was called and everything was taken.
    pub queue: Receiver<Entry>,
    lost: Arc<AtomicU64>,
}

impl Taken {
    /// A queue for so many events, and its way in.
    #[must_use]
    pub fn queue(capacity: usize) -> (Handoff, Self) {
        let (sender, receiver) = sync_channel(capacity);
        let lost = Arc::new(AtomicU64::new(0));
        (Handoff { queue: sender, lost: Arc::clone(&lost) }, Self { queue: receiver, lost })
    }

    /// How many events did not fit since this was last asked.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

impl Handoff {
    /// Hands an event over, or counts it as lost.
    pub fn offer(&self, entry: Entry) {
        if self.queue.try_send(entry).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            metrics::audit_lost("file", 1);
        }
    }
}

/// From now on the events of this process are handed over. Who took them before gets no more.
pub fn begin(handoff: Handoff) {
    *TAKER.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(handoff));
}

/// From now on they are not.
pub fn end() {
    *TAKER.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Hands an event over, if somebody takes it.
pub(super) fn offer(event: &AuditEvent<'_>, message: &str) {
    let taker = TAKER.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(taker) = taker {
        taker.offer(entry(event, message));
    }
}

/// The members of an event as they are written, in this order; those of the log line but for its level, target and clock.
#[derive(Serialize)]
struct Written<'a> {
    time: String,
    code: &'static str,
    outcome: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Id<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl Serialize for Id<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

/// The event as it is handed over, of now.
#[must_use]
pub fn entry(event: &AuditEvent<'_>, message: &str) -> Entry {
    // Each by its name, so that none that is added later is forgotten here.
    let AuditEvent { code, outcome, client_id, subject, sid, address, reason, grant, handler, kid, actor, detail } = *event;
    let written = Written {
        time: clock::rfc3339(Clock::system().now_millis()),
        code: code.id,
        outcome: outcome.as_str(),
        message,
        client_id,
        subject,
        sid,
        address,
        reason,
        grant,
        handler,
        kid,
        actor,
        detail,
    };
    // Fails only for maps whose keys are no text, and there is none.
    serde_json::to_vec(&written).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::telemetry::codes;

    #[test]
    fn an_event_is_handed_over_with_what_is_known() {
        let event = AuditEvent::refused(codes::SESSION_ENDED).client_id("app \"one\"").sid(&"s1").reason("two\nlines");
        let entry = entry(&event, event.code.meaning);
        assert!(entry.starts_with(b"{\"time\":\"2") && !entry.contains(&b'\n'));
        let mut value: serde_json::Value = serde_json::from_slice(&entry).unwrap();
        assert!(clock::read_rfc3339(value["time"].take().as_str().unwrap()).is_some());
        let expected = serde_json::json!({
            "time": null, "code": "SE3011", "outcome": "refused", "message": "session ended by its person or client",
            "client_id": "app \"one\"", "sid": "s1", "reason": "two\nlines",
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_nobody_waits() {
        let (handoff, taken) = Taken::queue(2);
        for n in 0..5 {
            handoff.offer(vec![n]);
        }
        assert_eq!((taken.lost(), taken.lost()), (3, 0));
        drop(handoff);
        assert_eq!(taken.queue.iter().collect::<Vec<_>>(), [[0], [1]]);
    }
}
