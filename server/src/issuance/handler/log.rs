//! What handlers say becomes part of our log: under the handler's name, in lines that cannot pass for others, of bounded length and
//! number. A handler may repeat what a stranger sent, or be stuck in a loop.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use symbolon_sdk::host::printable;

/// So many lines may come at once, and so many a second in the long run.
const AT_ONCE: f64 = 200.0;
const A_SECOND: f64 = 50.0;
/// Handlers beyond these share an allowance: their names come from libraries.
const MOST_NAMES: usize = 256;

static ALLOWANCES: Mutex<BTreeMap<String, Allowance>> = Mutex::new(BTreeMap::new());

/// How much one handler may still say.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    lines: f64,
    at: Instant,
    left_out: u64,
}

impl Allowance {
    const fn new(now: Instant) -> Self {
        Self { lines: AT_ONCE, at: now, left_out: 0 }
    }

    /// Whether one more line may be said; then how many could not be said before it.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.lines = (self.lines + since * A_SECOND).min(AT_ONCE);
        self.at = now;
        if self.lines < 1.0 {
            self.left_out += 1;
            return None;
        }
        self.lines -= 1.0;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Writes a line of a handler: 1 debug, 2 info, 3 warn, 4 error.
pub(super) fn log(level: u8, handler: &str, text: &str) {
    let allowed = {
        let mut all = ALLOWANCES.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if all.len() < MOST_NAMES || all.contains_key(handler) { handler } else { "" };
        let now = Instant::now();
        match all.get_mut(name) {
            Some(allowance) => allowance.take(now),
            None => all.entry(name.to_owned()).or_insert(Allowance::new(now)).take(now),
        }
    };
    let Some(left_out) = allowed else { return };
    let text = printable(text);
    match level {
        4 => tracing::error!(target: "symbolon::handler", handler, "{text}"),
        3 => tracing::warn!(target: "symbolon::handler", handler, "{text}"),
        2 => tracing::info!(target: "symbolon::handler", handler, "{text}"),
        _ => tracing::debug!(target: "symbolon::handler", handler, "{text}"),
    }
    if left_out > 0 {
        tracing::warn!(target: "symbolon::handler", handler, left_out, "it said more than the log takes: so many lines before this one are missing");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_says_too_much_is_cut_short_and_counted() {
        let now = Instant::now();
        let mut allowance = Allowance::new(now);
        assert_eq!((0..1000).filter(|_| allowance.take(now).is_some()).count(), 200);
        assert_eq!(allowance.take(now + Duration::from_millis(10)), None, "half a line");
        assert_eq!(allowance.take(now + Duration::from_millis(20)), Some(801));
        assert_eq!((0..1000).filter(|_| allowance.take(now + Duration::from_hours(1)).is_some()).count(), 200);
    }
}
