//! The only place that reads the wall clock. Everything else is handed a [`Clock`], so that a test can hold time still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment in whole seconds since 1970-01-01 UTC, the unit of every OAuth time claim (RFC 7519 section 2, `NumericDate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `after` later; saturates instead of wrapping.
    #[must_use]
    pub const fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after.as_secs()))
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

/// A source of time: the system's, or one that a test moves by hand.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` (seconds) until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(start: u64) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(start.saturating_mul(1000)))))
    }

    /// Now, in whole seconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.now_millis() / 1000)
    }

    /// Now, in milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn now_millis(&self) -> u64 {
        match &self.0 {
            // A machine whose clock stands before 1970 reads as 1970: nothing is valid then, which fails closed.
            Source::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            Source::Manual(millis) => millis.load(Ordering::SeqCst),
        }
    }

    /// Moves a manual clock forward; a system clock ignores it.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(millis) = &self.0 {
            millis.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
    }
}

/// A moment in milliseconds since 1970-01-01 UTC as RFC 3339 text, always of the same length: `2026-11-28T14:18:11.123Z`.
#[must_use]
pub fn rfc3339(millis: u64) -> String {
    // Text cannot say more than four digits of a year.
    const LAST: u64 = 253_402_300_799_999;
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis.min(LAST))).to_string()
}

/// The moment, in milliseconds, of RFC 3339 text in UTC.
#[must_use]
pub fn read_rfc3339(text: &str) -> Option<u64> {
    let moment = humantime::parse_rfc3339(text).ok()?;
    u64::try_from(moment.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_text_of_one_length() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_875_491_023, "2026-11-28T14:18:11.023Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(millis), text);
            assert_eq!(read_rfc3339(text).map(rfc3339).as_deref(), Some(text));
        }
        assert_eq!(read_rfc3339("2026-11-28T14:18:11Z"), Some(1_795_875_491_000));
        for wrong in ["", "2026-11-28", "2026-11-28T14:18:11", "2026-11-28T14:18:11+01:00", "1969-12-31T23:59:59Z", "yesterday"] {
            assert_eq!(read_rfc3339(wrong), None, "{wrong}");
        }
    }
}
