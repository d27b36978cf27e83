//! Delivers the events of the audit file to a receiver: in order, at least once, over restarts too, and as long as it takes. What is posted and how it is signed
//! is Standard Webhooks 1.0, because libraries for that exist wherever a receiver may be written.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::cursor::Cursor;
use super::event::Event;
use super::filter::Filter;
use super::follower::Follower;
use super::id::EventId;
use super::writer::Progress;
use crate::foundation::{Clock, Digest, encoding, mac, random};
use crate::outbound::Outbound;
use crate::settings::meaning::AuditWebhook;
use crate::telemetry::{AuditEvent, codes, metrics};

/// How often the file is looked at when nobody rings.
const TICK: Duration = Duration::from_secs(1);
/// The first pause after a failure; it doubles up to the longest, and a part of it is chance, so that servers do not come together.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// A failure that is one of so many in a row is told. One that passes by itself is no event: each would be one more to be delivered.
const TOLD: u32 = 3;
/// So many events are looked at for one request, wanted or not.
const LOOKED_AT: usize = 10_000;

/// The deliverer.
#[derive(Debug)]
pub struct Webhook {
    pub(super) settings: AuditWebhook,
    /// The data folder.
    pub(super) folder: PathBuf,
    /// The audit file.
    pub(super) trail: PathBuf,
    /// The issuer, which tells a receiver whose events these are.
    pub(super) issuer: String,
    pub(super) outbound: Outbound,
    pub(super) progress: Arc<Progress>,
}

/// Events that go in one request.
#[derive(Debug)]
struct Batch {
    events: Vec<String>,
    /// When the last of them was.
    time: String,
    /// How far the file was read for them.
    through: EventId,
    /// How many were removed before they were read.
    lost: u64,
}

/// Where the deliverer is. Reads files, so it works on threads that may wait.
struct Place {
    cursor: Cursor,
    follower: Follower,
    filter: Filter,
    size: usize,
}

impl Webhook {
    /// Delivers as long as the server runs.
    pub async fn deliver(self) {
        let mut place = self.begin().await;
        loop {
            let (back, batch) = match tokio::task::spawn_blocking(move || place.next_batch()).await {
                Ok(read) => read,
                Err(error) => return tracing::error!(%error, "the audit webhook has stopped"),
            };
            place = back;
            match batch {
                Ok(Some(batch)) => {
                    if batch.lost > 0 {
                        metrics::audit_lost("webhook", batch.lost);
                        AuditEvent::refused(codes::AUDIT_REMOVED).detail(&format!("{} events", batch.lost)).emit();
                    }
                    if !batch.events.is_empty() {
                        self.post_until_taken(&batch, place.cursor.at()).await;
                    }
                    if let Err(error) = place.cursor.move_to(batch.through) {
                        tracing::warn!(%error, "it cannot be written down what the audit webhook took; after a restart it is posted again");
                    }
                }
                Ok(None) => self.rest().await,
                Err(error) => {
                    tracing::warn!(%error, "the audit file cannot be read for the webhook");
                    self.rest().await;
                }
            }
            self.count_waiting(place.cursor.at());
        }
    }

    /// Waits for the first event, if there is none.
    async fn begin(&self) -> Place {
        loop {
            let (folder, trail) = (self.folder.clone(), self.trail.clone());
            match tokio::task::spawn_blocking(move || Cursor::open(&folder, &trail)).await {
                Ok(Ok(Some(cursor))) => {
                    let follower = Follower::new(self.trail.clone(), Some(cursor.at().clone()));
                    let filter = Filter { codes: self.settings.codes.clone(), ..Filter::default() };
                    return Place { cursor, follower, filter, size: self.settings.batch };
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the audit webhook cannot begin"),
                Err(error) => tracing::warn!(%error, "the audit webhook cannot begin"),
            }
            self.rest().await;
        }
    }

    async fn rest(&self) {
        // Whichever comes first.
        drop(tokio::time::timeout(TICK, self.progress.more.notified()).await);
    }

    /// One request after the other, until one is answered with success. Nothing is skipped: an audit trail with a hole is worse than a late one.
    async fn post_until_taken(&self, batch: &Batch, before: &EventId) {
        let body = self.body(batch);
        let (mut failures, since) = (0, Instant::now());
        loop {
            let reason = match self.post(body.clone()).await {
                Ok(200..=299) => break,
                Ok(status) => format!("the receiver answered with status {status}"),
                Err(error) => error.to_string(),
            };
            failures += 1;
            metrics::audit_request(None);
            self.count_waiting(before);
            tracing::warn!(reason, failures, "the audit webhook took no events");
            if failures == TOLD {
                AuditEvent::refused(codes::AUDIT_NOT_DELIVERED).reason(&reason).emit();
            }
            tokio::time::sleep(pause(failures, random::bytes())).await;
        }
        metrics::audit_request(Some(batch.events.len() as u64));
        if failures >= TOLD {
            let detail = format!("after {failures} attempts in {} s", since.elapsed().as_secs());
            AuditEvent::granted(codes::AUDIT_DELIVERED_AGAIN).detail(&detail).emit();
        }
    }

    /// The payload: `type`, `timestamp` and `data` are what the specification recommends.
    fn body(&self, batch: &Batch) -> String {
        let (issuer, events) = (serde_json::Value::from(self.issuer.as_str()), batch.events.join(","));
        let time = serde_json::Value::from(batch.time.as_str());
        format!(r#"{{"type":"audit.events","timestamp":{time},"data":{{"issuer":{issuer},"events":[{events}]}}}}"#)
    }

    /// Signs (sections "Signature scheme" and "Webhook headers") and posts.
    async fn post(&self, body: String) -> Result<u16, crate::outbound::OutboundError> {
        // The same for the same events, however often they are posted.
        let id = format!("msg_{}", Digest::of(&body).left_half());
        let timestamp = Clock::system().now().0.to_string();
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body.as_bytes()];
        let signature = |secret| format!("v1,{}", encoding::encode_standard(mac::hmac_sha256(secret, &signed)));
        let signatures: Vec<String> = self.settings.secrets.iter().map(signature).collect();
        let headers = [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signatures.join(" "))];
        self.outbound.post_json(&self.settings.url, &headers, body, self.settings.timeout).await
    }

    fn count_waiting(&self, at: &EventId) {
        let written = self.progress.written.load(Ordering::Relaxed);
        metrics::audit_waiting(if at.series == self.progress.series { written.saturating_sub(at.number) } else { written });
    }
}

/// The pause after so many failures: between half of it and all.
fn pause(failures: u32, chance: [u8; 1]) -> Duration {
    let whole = LONGEST_PAUSE.min(PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))));
    whole / 2 + whole / 2 * u32::from(chance[0]) / 255
}

impl Place {
    /// What is to be delivered next; `None` when there is nothing at present.
    fn next_batch(mut self) -> (Self, io::Result<Option<Batch>>) {
        let batch = self.read();
        (self, batch)
    }

    fn read(&mut self) -> io::Result<Option<Batch>> {
        let before = self.cursor.at().clone();
        let mut batch = Batch { events: Vec::new(), time: String::new(), through: before.clone(), lost: 0 };
        for _ in 0..LOOKED_AT {
            if batch.events.len() >= self.size {
                break;
            }
            let line = match self.follower.read() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                // What was read goes first; the error comes again.
                Err(_) if batch.through != before => break,
                Err(error) => return Err(error),
            };
            batch.lost += missed(&batch.through, &line.id);
            batch.through = line.id;
            // What was cut off when a process died is no event.
            if let Some(event) = Event::of_line(&line.text).filter(|event| self.filter.wants(event)) {
                batch.time = event.time;
                batch.events.push(String::from_utf8_lossy(&line.text).trim_end().to_owned());
            }
        }
        Ok((batch.through != before).then_some(batch))
    }
}

/// How many events there were between the two.
fn missed(before: &EventId, next: &EventId) -> u64 {
    let expected = if before.series == next.series { before.number + 1 } else { 1 };
    next.number.saturating_sub(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        assert_eq!((pause(1, [0]), pause(1, [255])), (PAUSE / 2, PAUSE));
        assert_eq!(pause(4, [255]), PAUSE * 8);
        for failures in [11, 32, 33, u32::MAX] {
            assert_eq!(pause(failures, [255]), LONGEST_PAUSE, "{failures}");
        }
    }

    #[test]
    fn gaps_are_counted() {
        let id = |series: &str, number| EventId { series: series.to_owned(), number };
        for (before, next, count) in
            [(id("a", 3), id("a", 4), 0), (id("a", 3), id("a", 9), 5), (id("a", 3), id("b", 1), 0), (id("a", 3), id("b", 3), 2)]
        {
            assert_eq!(missed(&before, &next), count);
        }
    }
}
