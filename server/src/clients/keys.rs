//! The public keys of a client: those it registered (`jwks`), or those it publishes (`jwks_uri`), fetched and kept for a while. Owns when
//! is fetched, so that nobody can make this server ask a client more than it should. Must not know what keys are used for.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::client::Client;
use super::metadata::public_keys;
use crate::foundation::{Clock, Timestamp};
use crate::outbound::{Bounds, Outbound};

/// How long fetched keys are taken for what the client publishes: a key that it withdraws may be believed for so long.
const FRESH_FOR: Duration = Duration::from_mins(5);
/// How long they are used when newer ones cannot be fetched.
const KEPT_FOR: Duration = Duration::from_hours(1);
/// The pause after a fetch that failed, and between two that were made because a key was unknown.
const PAUSE: Duration = Duration::from_secs(10);
/// The most key sets kept.
const CAPACITY: usize = 1_000;
/// What a key set is (RFC 7517 section 8.5).
const ACCEPT: &str = "application/jwk-set+json, application/json";

/// Why there are no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// Neither `jwks` nor `jwks_uri` is registered.
    #[error("the client has registered no keys")]
    None,
    /// They were not fetched, and there are none from before.
    #[error("the keys of the client cannot be fetched from its jwks_uri: {0}")]
    NotFetched(String),
}

/// Answers which public keys a client has. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientKeys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    outbound: Outbound,
    clock: Clock,
    slots: RwLock<HashMap<Url, Arc<Slot>>>,
}

impl ClientKeys {
    /// Keys by this way out.
    #[must_use]
    pub fn new(outbound: Outbound, clock: Clock) -> Self {
        Self(Arc::new(Inner { outbound, clock, slots: RwLock::default() }))
    }

    /// What `check` says of the client's keys (`{"keys": […]}`). If that is an error which other keys may mend (`is_of_keys`), keys by address are
    /// fetched again, unless that was done just now, and checked once more: the client may have changed them (OIDC Core section 10.1.1).
    ///
    /// # Errors
    /// When there are no keys to check.
    pub async fn try_with<T, E>(
        &self,
        client: &Client,
        check: impl Fn(&Value) -> Result<T, E>,
        is_of_keys: impl Fn(&E) -> bool,
    ) -> Result<Result<T, E>, KeysError> {
        let (slot, keys) = match (&client.jwks, &client.jwks_uri) {
            (Some(jwks), _) => return Ok(check(jwks)),
            (None, None) => return Err(KeysError::None),
            (None, Some(uri)) => {
                let slot = self.slot(uri);
                let keys = self.ask(&slot, uri, None).await?;
                (slot, keys)
            }
        };
        let first = check(&keys);
        let (Some(uri), Err(problem)) = (&client.jwks_uri, &first) else { return Ok(first) };
        if !is_of_keys(problem) {
            return Ok(first);
        }
        match self.ask(&slot, uri, Some(&keys)).await {
            Ok(newer) => Ok(check(&newer)),
            // What was said of the keys at hand is the better answer.
            Err(_) => Ok(first),
        }
    }

    /// The keys at an address; others than `than`, if given.
    async fn ask(&self, slot: &Arc<Slot>, uri: &Url, than: Option<&Arc<Value>>) -> Result<Arc<Value>, KeysError> {
        let now = || self.0.clock.now();
        if let Some(decided) = slot.decide(now(), than) {
            return decided;
        }
        let turn = Arc::clone(&slot.fetching).lock_owned().await;
        // Whoever waited takes what the one before has found.
        if let Some(decided) = slot.decide(now(), than) {
            return decided;
        }
        if than.is_some() {
            slot.write(|state| state.asked_again = Some(now()));
        }
        // A task of its own: the fetch goes on for those who wait when whoever began it goes away.
        let (inner, own, uri) = (Arc::clone(&self.0), Arc::clone(slot), uri.clone());
        let fetch = tokio::spawn(async move {
            let result = inner.fetch(&uri).await;
            own.finish(inner.clock.now(), result);
            drop(turn);
        });
        drop(fetch.await);
        slot.decide(now(), than).unwrap_or_else(|| Err(KeysError::NotFetched("the fetch was broken off".to_owned())))
    }

    fn slot(&self, uri: &Url) -> Arc<Slot> {
        if let Some(slot) = self.0.slots.read().unwrap_or_else(PoisonError::into_inner).get(uri) {
            return Arc::clone(slot);
        }
        let mut slots = self.0.slots.write().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= CAPACITY && !slots.contains_key(uri) {
            let now = self.0.clock.now();
            slots.retain(|_, slot| slot.is_fresh(now));
            if slots.len() >= CAPACITY {
                slots.clear();
            }
        }
        Arc::clone(slots.entry(uri.clone()).or_default())
    }
}

impl Inner {
    async fn fetch(&self, uri: &Url) -> Result<Value, String> {
        let document = self.outbound.get_json(uri, ACCEPT, Bounds::DOCUMENT).await.map_err(|error| error.to_string())?;
        public_keys(document).ok_or_else(|| "the answer is not a JWK set with a public key".to_owned())
    }
}

/// What is known of one address.
#[derive(Debug, Default)]
struct Slot {
    state: RwLock<State>,
    /// Held while somebody fetches.
    fetching: Arc<Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<(Arc<Value>, Timestamp)>,
    failed: Option<(String, Timestamp)>,
    asked_again: Option<Timestamp>,
}

impl Slot {
    fn write(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn finish(&self, now: Timestamp, result: Result<Value, String>) {
        self.write(|state| match result {
            Ok(keys) => {
                let same = state.kept.take().map(|(kept, _)| kept).filter(|kept| **kept == keys);
                state.kept = Some((same.unwrap_or_else(|| Arc::new(keys)), now));
                state.failed = None;
            }
            Err(reason) => {
                tracing::warn!(reason, "the keys of a client cannot be fetched");
                state.failed = Some((reason, now));
            }
        });
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.kept.as_ref().is_some_and(|(_, since)| now.since(*since) < FRESH_FOR)
    }

    /// The keys; others than `than`, if given. `None`: they must be fetched first.
    fn decide(&self, now: Timestamp, than: Option<&Arc<Value>>) -> Option<Result<Arc<Value>, KeysError>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let within = |since: Timestamp, limit| now.since(since) < limit;
        let failed = state.failed.as_ref().filter(|(_, when)| within(*when, PAUSE));
        let refusal = || failed.map(|(reason, _)| Err(KeysError::NotFetched(reason.clone())));
        let kept = state.kept.as_ref().filter(|(_, since)| within(*since, KEPT_FOR));
        match (kept, than) {
            (Some((keys, since)), None) if within(*since, FRESH_FOR) || failed.is_some() => Some(Ok(Arc::clone(keys))),
            (Some((keys, _)), Some(than)) if !Arc::ptr_eq(keys, than) => Some(Ok(Arc::clone(keys))),
            (_, Some(_)) if state.asked_again.is_some_and(|when| within(when, PAUSE)) => {
                Some(Err(KeysError::NotFetched("they were fetched just now".to_owned())))
            }
            _ => refusal(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn later(by: Duration) -> Timestamp {
        NOW.plus(by)
    }

    fn filled() -> (Slot, Arc<Value>) {
        let slot = Slot::default();
        slot.finish(NOW, Ok(json!({"keys": [1]})));
        let keys = slot.decide(NOW, None).unwrap().unwrap();
        (slot, keys)
    }

    #[test]
    fn what_was_fetched_is_kept_for_a_while() {
        assert!(Slot::default().decide(NOW, None).is_none());
        let (slot, keys) = filled();
        let last = FRESH_FOR.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(slot.decide(later(last), None), Some(Ok(keys)));
        assert_eq!(slot.decide(later(FRESH_FOR), None), None);
    }

    #[test]
    fn a_failed_fetch_is_bridged_but_not_for_ever() {
        let (slot, keys) = filled();
        slot.finish(later(FRESH_FOR), Err("gone".to_owned()));
        assert_eq!(slot.decide(later(FRESH_FOR), None), Some(Ok(Arc::clone(&keys))));
        assert_eq!(slot.decide(later(FRESH_FOR + PAUSE), None), None, "tried again after the pause");
        slot.finish(later(KEPT_FOR), Err("gone".to_owned()));
        assert_eq!(slot.decide(later(KEPT_FOR), None), Some(Err(KeysError::NotFetched("gone".to_owned()))));
        assert_eq!(slot.decide(later(KEPT_FOR + PAUSE), None), None);
    }

    #[test]
    fn an_unknown_key_is_asked_for_at_once_but_not_again_and_again() {
        let (slot, keys) = filled();
        assert_eq!(slot.decide(NOW, Some(&keys)), None);
        slot.write(|state| state.asked_again = Some(NOW));
        slot.finish(NOW, Ok(json!({"keys": [1]})));
        assert!(matches!(slot.decide(NOW, Some(&keys)), Some(Err(_))), "the same keys are no news");
        assert_eq!(slot.decide(later(PAUSE), Some(&keys)), None);
        slot.finish(later(PAUSE), Ok(json!({"keys": [2]})));
        assert_eq!(slot.decide(later(PAUSE), Some(&keys)), Some(Ok(Arc::new(json!({"keys": [2]})))));
    }

    #[test]
    fn who_does_not_answer_is_left_alone_for_a_while() {
        let slot = Slot::default();
        slot.finish(NOW, Err("down".to_owned()));
        assert_eq!(slot.decide(NOW, None), Some(Err(KeysError::NotFetched("down".to_owned()))));
        assert_eq!(slot.decide(later(PAUSE), None), None);
    }
}
