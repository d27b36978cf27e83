//! Whether a handler is worth asking: one that fails again and again is left alone for a while, then asked once on trial.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// This many failures in a row, and it is left alone.
const FAILURES: u32 = 5;
/// For so long the first time, and twice as long each time that the trial fails.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// The record of one handler. Time is given, never asked for.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Failures since the last success.
    failures: u32,
    rest: Option<Rest>,
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    ends: Instant,
    length: Duration,
    /// Somebody is asking it on trial.
    on_trial: bool,
}

/// What a call's end changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    None,
    /// It is left alone from now on, for so long.
    Suspended(Duration),
    /// It works again.
    Resumed,
}

impl Health {
    /// May it be asked now? If not, for how long not.
    pub(super) fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rest) = &mut state.rest else { return Ok(()) };
        if now < rest.ends {
            return Err(rest.ends - now);
        }
        if rest.on_trial {
            return Err(rest.length.min(FIRST_REST));
        }
        rest.on_trial = true;
        Ok(())
    }

    /// A call that was admitted has ended; `failed` when the handler is to blame for having no answer.
    pub(super) fn ended(&self, failed: bool, now: Instant) -> Turn {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !failed {
            state.failures = 0;
            return if state.rest.take().is_some() { Turn::Resumed } else { Turn::None };
        }
        state.failures = state.failures.saturating_add(1);
        let length = match state.rest {
            // A call that began before the rest tells nothing new.
            Some(rest) if !rest.on_trial => return Turn::None,
            Some(rest) => (rest.length * 2).min(LONGEST_REST),
            None if state.failures >= FAILURES => FIRST_REST,
            None => return Turn::None,
        };
        state.rest = Some(Rest { ends: now + length, length, on_trial: false });
        Turn::Suspended(length)
    }

    /// A call that was admitted never took place.
    pub(super) fn withdrawn(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rest) = &mut state.rest {
            rest.on_trial = false;
        }
    }

    /// Whether it is left alone.
    pub(super) fn is_suspended(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn failing(health: &Health, now: Instant) {
        for n in 1..FAILURES {
            assert_eq!(health.ended(true, now), Turn::None, "failure {n}");
        }
        assert_eq!(health.ended(true, now), Turn::Suspended(FIRST_REST));
    }

    #[test]
    fn a_success_forgives_all_failures_before() {
        let (health, now) = (Health::default(), Instant::now());
        for _ in 0..20 {
            for _ in 1..FAILURES {
                assert_eq!(health.ended(true, now), Turn::None);
            }
            assert_eq!(health.ended(false, now), Turn::None);
        }
        assert_eq!(health.admit(now), Ok(()));
    }

    #[test]
    fn after_a_rest_one_call_is_the_trial() {
        let (health, start) = (Health::default(), Instant::now());
        failing(&health, start);
        assert_eq!(health.admit(start), Err(SECOND));
        assert_eq!(health.ended(true, start), Turn::None, "a call that began before");
        let later = start + SECOND;
        assert_eq!(health.admit(later), Ok(()));
        assert!(health.admit(later).is_err(), "one trial at a time");
        assert_eq!(health.ended(true, later), Turn::Suspended(2 * SECOND));
        assert!(health.admit(later + SECOND).is_err());
        assert_eq!(health.admit(later + 2 * SECOND), Ok(()));
        assert_eq!(health.ended(false, later + 2 * SECOND), Turn::Resumed);
        assert!(!health.is_suspended());
        assert_eq!(health.admit(later + 2 * SECOND), Ok(()));
    }

    #[test]
    fn a_trial_that_never_took_place_is_open_again() {
        let (health, start) = (Health::default(), Instant::now());
        failing(&health, start);
        let later = start + SECOND;
        assert_eq!(health.admit(later), Ok(()));
        health.withdrawn();
        assert_eq!(health.admit(later), Ok(()));
    }

    #[test]
    fn rests_grow_to_a_limit() {
        let (health, mut now) = (Health::default(), Instant::now());
        failing(&health, now);
        for seconds in [2, 4, 8, 16, 30, 30] {
            now += LONGEST_REST;
            assert_eq!(health.admit(now), Ok(()));
            assert_eq!(health.ended(true, now), Turn::Suspended(Duration::from_secs(seconds)));
        }
    }
}
