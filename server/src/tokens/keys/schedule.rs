//! When keys are made, sign, and are dropped: pure decisions on the record. Knows no cryptography and no store.

use std::time::Duration;

use super::record::{Record, StoredKey};
use crate::foundation::{Secret, Timestamp};
use crate::settings::meaning::SigningAlg;

/// How long keys are published, sign and verify.
#[derive(Debug, Clone, Copy)]
pub struct KeyPolicy {
    /// How long a new key is in the JWKS before it signs, so that every verifier has fetched it by then.
    pub publish_before_use: Duration,
    /// How long a key signs before its successor takes over; `None` = until somebody rotates by hand.
    pub rotate_every: Option<Duration>,
    /// How long a key verifies after its successor began to sign: the longest life of a session, because an expired ID
    /// token is still presented in Native SSO. `None` = for ever.
    pub verify_for: Option<Duration>,
}

/// What is to be done to the keys.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wish {
    /// Whatever is due: a key for an algorithm that has none, a successor for one that has signed long enough.
    Due,
    /// That, and a successor for `alg` (`None` = for every algorithm).
    Rotate { alg: Option<SigningAlg>, immediately: bool },
}

impl Wish {
    /// The algorithms that need a new key now.
    pub(super) fn wants(self, record: &Record, policy: &KeyPolicy, now: Timestamp) -> Vec<SigningAlg> {
        SigningAlg::ALL.into_iter().filter(|alg| self.wants_one(*alg, record, policy, now)).collect()
    }

    fn wants_one(self, alg: SigningAlg, record: &Record, policy: &KeyPolicy, now: Timestamp) -> bool {
        let Some(newest) = line(record, alg).last().map(|at| record.keys[*at].signs_from) else { return true };
        // No time at all would be due again for ever.
        let every = policy.rotate_every.filter(|every| every.as_secs() > 0);
        let due = every.is_some_and(|every| now.plus(policy.publish_before_use) >= newest.plus(every));
        match self {
            Self::Rotate { alg: asked, immediately } if asked.is_none_or(|asked| asked == alg) => {
                // Asked twice, a rotation that is under way stays one.
                immediately || newest <= now
            }
            _ => due,
        }
    }

    /// Adds the new key `private` for `alg`.
    pub(super) fn add(self, record: &mut Record, new: (SigningAlg, Secret<Vec<u8>>), policy: &KeyPolicy, now: Timestamp) {
        let (alg, private) = new;
        let first = line(record, alg).is_empty();
        let at_once = matches!(self, Self::Rotate { alg: asked, immediately: true } if asked.is_none_or(|asked| asked == alg));
        if at_once {
            // A key still waiting for its turn has signed nothing, and must not take over from the one asked for now.
            record.keys.retain(|key| key.alg != alg || key.signs_from <= now);
        }
        let signs_from = if first || at_once { now } else { now.plus(policy.publish_before_use) };
        record.keys.push(StoredKey { alg, private, created: now, signs_from });
    }
}

/// The keys of `alg` as places in the record, in the order in which they sign; the one made later comes later.
pub(super) fn line(record: &Record, alg: SigningAlg) -> Vec<usize> {
    let mut places: Vec<_> = (0..record.keys.len()).filter(|at| record.keys[*at].alg == alg).collect();
    places.sort_by_key(|at| (record.keys[*at].signs_from, record.keys[*at].created, *at));
    places
}

/// When the key at each place stops verifying; `None` = never, or not as long as it has no successor.
pub(super) fn ends(record: &Record, policy: &KeyPolicy) -> Vec<Option<Timestamp>> {
    let mut ends = vec![None; record.keys.len()];
    for alg in SigningAlg::ALL {
        for pair in line(record, alg).windows(2) {
            ends[pair[0]] = policy.verify_for.map(|life| record.keys[pair[1]].signs_from.plus(life));
        }
    }
    ends
}

/// Drops the keys whose time to verify is over; says whether there were any.
pub(super) fn prune(record: &mut Record, policy: &KeyPolicy, now: Timestamp) -> bool {
    let before = record.keys.len();
    let mut ends = ends(record, policy).into_iter();
    record.keys.retain(|_| ends.next().flatten().is_none_or(|end| end > now));
    record.keys.len() != before
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const POLICY: KeyPolicy =
        KeyPolicy { publish_before_use: HOUR, rotate_every: Some(Duration::from_hours(100)), verify_for: Some(HOUR) };

    fn hours(hours: u64) -> Timestamp {
        Timestamp(hours * 3600)
    }

    fn apply(record: &mut Record, wish: Wish, policy: &KeyPolicy, now: Timestamp) -> Vec<SigningAlg> {
        let wanted = wish.wants(record, policy, now);
        for alg in &wanted {
            wish.add(record, (*alg, Secret::new(Vec::new())), policy, now);
        }
        wanted
    }

    fn started() -> Record {
        let mut record = Record::new();
        assert_eq!(apply(&mut record, Wish::Due, &POLICY, hours(0)), SigningAlg::ALL);
        record
    }

    #[test]
    fn the_first_keys_sign_at_once_and_nothing_more_is_due() {
        let mut record = started();
        assert!(record.keys.iter().all(|key| key.signs_from == hours(0)));
        assert!(apply(&mut record, Wish::Due, &POLICY, hours(98)).is_empty());
    }

    #[test]
    fn a_successor_is_published_so_early_that_it_signs_on_time() {
        let mut record = started();
        assert_eq!(apply(&mut record, Wish::Due, &POLICY, hours(99)).len(), 4);
        assert!(record.keys[4..].iter().all(|key| key.signs_from == hours(100)));
        assert!(apply(&mut record, Wish::Due, &POLICY, hours(100)).is_empty());
    }

    #[test]
    fn without_a_schedule_only_a_hand_rotates() {
        let policy = KeyPolicy { rotate_every: None, ..POLICY };
        let mut record = started();
        assert!(apply(&mut record, Wish::Due, &policy, hours(10_000)).is_empty());
        let wish = Wish::Rotate { alg: Some(SigningAlg::Es256), immediately: false };
        assert_eq!(apply(&mut record, wish, &policy, hours(10_000)), [SigningAlg::Es256]);
        assert!(apply(&mut record, wish, &policy, hours(10_000)).is_empty(), "one is under way");
    }

    #[test]
    fn an_immediate_rotation_replaces_the_key_that_waits() {
        let mut record = started();
        let alg = Some(SigningAlg::Es256);
        apply(&mut record, Wish::Rotate { alg, immediately: false }, &POLICY, hours(1));
        apply(&mut record, Wish::Rotate { alg, immediately: true }, &POLICY, hours(1));
        let starts: Vec<_> = line(&record, SigningAlg::Es256).into_iter().map(|at| record.keys[at].signs_from).collect();
        assert_eq!(starts, [hours(0), hours(1)]);
    }

    #[test]
    fn a_retired_key_is_dropped_when_its_time_is_over_and_not_before() {
        let mut record = started();
        apply(&mut record, Wish::Rotate { alg: None, immediately: true }, &POLICY, hours(5));
        assert!(!prune(&mut record, &POLICY, Timestamp(hours(6).0 - 1)));
        assert!(!prune(&mut record, &KeyPolicy { verify_for: None, ..POLICY }, hours(1_000_000)));
        assert!(prune(&mut record, &POLICY, hours(6)));
        assert_eq!(record.keys.len(), 4);
        assert!(record.keys.iter().all(|key| key.signs_from == hours(5)));
    }

    proptest! {
        /// Whatever an operator does and whenever, every algorithm has a key that signs, and nothing that may still have
        /// to verify is dropped early.
        #[test]
        fn there_is_always_a_key_that_signs(steps in prop::collection::vec((0_u64..60, 0_u8..12), 1..60)) {
            let mut record = started();
            let mut now = hours(0);
            for (minutes, what) in steps {
                now = now.plus(Duration::from_mins(minutes));
                let alg = SigningAlg::ALL.get(usize::from(what / 2)).copied();
                let wish = if what < 10 { Wish::Rotate { alg, immediately: what % 2 == 0 } } else { Wish::Due };
                apply(&mut record, wish, &POLICY, now);
                let before = record.clone();
                prune(&mut record, &POLICY, now);
                for alg in SigningAlg::ALL {
                    let signing = line(&record, alg).into_iter().rev().find(|at| record.keys[*at].signs_from <= now);
                    prop_assert!(signing.is_some(), "{alg:?}");
                }
                for (key, end) in before.keys.iter().zip(ends(&before, &POLICY)) {
                    let kept = record.keys.iter().any(|k| (k.alg, k.created, k.signs_from) == (key.alg, key.created, key.signs_from));
                    prop_assert!(kept || end.is_some_and(|end| end <= now));
                }
            }
        }
    }
}
