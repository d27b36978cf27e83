//! Stored clients kept in memory for a few seconds, bounded. Must not know the store.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::client::Client;

/// The most clients kept.
const CAPACITY: usize = 10_000;
/// How long one is believed, in milliseconds: another server of the same store may have changed it.
const LIFETIME: u64 = 5_000;

/// Clients by id. Only hits are kept: a stranger who makes ids up must not be able to fill the memory.
#[derive(Debug, Default)]
pub(super) struct Cache(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    generation: u64,
    entries: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    client: Arc<Client>,
    loaded: u64,
}

/// The state of the cache when a read of the store began. What was read is kept only if nothing was dropped meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(u64);

impl Cache {
    /// The client, if it was loaded less than five seconds before `now` (milliseconds).
    pub(super) fn get(&self, id: &str, now: u64) -> Option<Arc<Client>> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.entries.get(id).filter(|entry| is_fresh(entry, now)).map(|entry| Arc::clone(&entry.client))
    }

    pub(super) fn generation(&self) -> Generation {
        Generation(self.0.read().unwrap_or_else(PoisonError::into_inner).generation)
    }

    /// Keeps what was read since `generation`.
    pub(super) fn put(&self, client: &Arc<Client>, now: u64, generation: Generation) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if state.generation != generation.0 {
            return;
        }
        if state.entries.len() >= CAPACITY && !state.entries.contains_key(&client.id) {
            state.entries.retain(|_, entry| is_fresh(entry, now));
            if state.entries.len() >= CAPACITY {
                state.entries.clear();
            }
        }
        state.entries.insert(client.id.clone(), Entry { client: Arc::clone(client), loaded: now });
    }

    /// Forgets a client that was changed, and whatever is being read right now.
    pub(super) fn drop_client(&self, id: &str) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.generation = state.generation.wrapping_add(1);
        state.entries.remove(id);
    }
}

const fn is_fresh(entry: &Entry, now: u64) -> bool {
    now.saturating_sub(entry.loaded) < LIFETIME
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clients::metadata::tests::client;

    fn one(id: &str) -> Arc<Client> {
        Arc::new(client(&json!({"client_id": id, "redirect_uris": ["https://a.example/"]})))
    }

    #[test]
    fn believes_for_five_seconds() {
        let cache = Cache::default();
        cache.put(&one("a"), 1_000, cache.generation());
        assert!(cache.get("a", 5_999).is_some());
        assert!(cache.get("a", 6_000).is_none());
        assert!(cache.get("b", 1_000).is_none());
    }

    #[test]
    fn a_read_that_began_before_a_change_is_not_kept() {
        let cache = Cache::default();
        let before = cache.generation();
        cache.drop_client("a");
        cache.put(&one("a"), 0, before);
        assert!(cache.get("a", 0).is_none());
    }

    #[test]
    fn stays_bounded() {
        let cache = Cache::default();
        let template = one("a");
        for n in 0..=CAPACITY {
            let client = Arc::new(Client { id: n.to_string(), ..(*template).clone() });
            cache.put(&client, u64::from(n == CAPACITY) * LIFETIME, cache.generation());
        }
        let state = cache.0.read().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(state.entries.len(), 1, "the stale ones made room");
    }
}
