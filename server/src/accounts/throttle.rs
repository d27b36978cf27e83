//! How often somebody may fail to sign in, per account name and per client address.
//!
//! Each name and each address has a leaking bucket: an attempt adds one, time takes them out again evenly. An attempt
//! counts from its beginning, so that a thousand guesses at once do not all pass before the first has failed; a success
//! takes its own count back and nobody else's. Must not know people or HTTP.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::foundation::Digest;
use crate::protocol::{ErrorCode, OAuthError};
use crate::settings::meaning::SignIn;

/// The most names and the most addresses remembered; beyond that the most recovered one is forgotten.
const CAPACITY: usize = 100_000;
/// How many recovered buckets one attempt clears away.
const SWEEP: usize = 16;

/// The limits of `[sign_in.throttle]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// Failures for one name within the window; 0 = no limit.
    pub account_attempts: u32,
    /// Failures from one address within the window; 0 = no limit.
    pub address_attempts: u32,
    /// The time in which a full bucket is empty again.
    pub window: Duration,
}

impl From<&SignIn> for ThrottleLimits {
    fn from(settings: &SignIn) -> Self {
        Self {
            account_attempts: settings.throttle_account_attempts,
            address_attempts: settings.throttle_address_attempts,
            window: settings.throttle_window,
        }
    }
}

/// Too many failures: the time after which one more attempt is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failed sign-in attempts; the next one is admitted in {} s", self.seconds())]
pub struct RetryAfter(pub Duration);

impl RetryAfter {
    /// Whole seconds, rounded up, at least one: the value of a `Retry-After` header.
    #[must_use]
    pub const fn seconds(&self) -> u64 {
        let whole = self.0.as_secs() + if self.0.subsec_nanos() > 0 { 1 } else { 0 };
        if whole == 0 { 1 } else { whole }
    }
}

impl From<RetryAfter> for OAuthError {
    fn from(wait: RetryAfter) -> Self {
        let error = Self::new(ErrorCode::AccessDenied, "Too many failed attempts; try again later.").because(wait.to_string());
        Self { status: Some(429), ..error }
    }
}

/// The memory of failed attempts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Throttle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    accounts: Option<Limit>,
    addresses: Option<Limit>,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    accounts: Shelf,
    addresses: Shelf,
}

/// A name or address, shortened to a fixed size.
type BucketId = [u8; 16];

/// One limit in microseconds: how long a count takes to leak out, and how much a full bucket holds.
#[derive(Debug, Clone, Copy)]
struct Limit {
    interval: u64,
    full: u64,
}

impl Limit {
    fn new(attempts: u32, window: Duration) -> Option<Self> {
        let window = u64::try_from(window.as_micros()).unwrap_or(u64::MAX / 2).min(u64::MAX / 2);
        (attempts > 0).then(|| {
            let interval = (window / u64::from(attempts)).max(1);
            Self { interval, full: interval.saturating_mul(u64::from(attempts)) }
        })
    }
}

/// An attempt under way. It counts as failed unless [`Attempt::succeeded`] is called.
#[derive(Debug)]
#[must_use = "an attempt counts as failed unless it is told to have succeeded"]
pub struct Attempt {
    throttle: Throttle,
    account: BucketId,
    address: BucketId,
}

impl Throttle {
    /// A throttle that remembers nothing yet.
    #[must_use]
    pub fn new(limits: ThrottleLimits) -> Self {
        Self::with_capacity(limits, CAPACITY)
    }

    fn with_capacity(limits: ThrottleLimits, capacity: usize) -> Self {
        let shelf = || Shelf { capacity, until: HashMap::new(), order: BTreeSet::new() };
        Self(Arc::new(Inner {
            accounts: Limit::new(limits.account_attempts, limits.window),
            addresses: Limit::new(limits.address_attempts, limits.window),
            buckets: Mutex::new(Buckets { accounts: shelf(), addresses: shelf() }),
        }))
    }

    /// Begins an attempt for a name from an address at `now` (milliseconds since 1970, as [`crate::foundation::Clock::now_millis`]).
    ///
    /// The name counts whether or not somebody has it, so that the limit tells nothing about who exists.
    ///
    /// # Errors
    /// The time to wait, when the name or the address has failed too often. A refused attempt is not counted.
    pub fn begin(&self, name: &str, address: IpAddr, now: u64) -> Result<Attempt, RetryAfter> {
        let account = account_id(name);
        let address = address_id(address);
        let now = now.saturating_mul(1000);
        let inner = &*self.0;
        let mut buckets = inner.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { accounts, addresses } = &mut *buckets;
        // Both are asked before either is charged.
        let wait = [(&*accounts, account, inner.accounts), (&*addresses, address, inner.addresses)]
            .into_iter()
            .filter_map(|(shelf, id, limit)| shelf.wait(&id, limit?, now))
            .max();
        if let Some(wait) = wait {
            return Err(RetryAfter(Duration::from_micros(wait)));
        }
        for (shelf, id, limit) in [(accounts, account, inner.accounts), (addresses, address, inner.addresses)] {
            if let Some(limit) = limit {
                shelf.charge(id, limit, now);
            }
        }
        drop(buckets);
        Ok(Attempt { throttle: self.clone(), account, address })
    }
}

impl Attempt {
    /// The person proved who they are: the attempt is not counted.
    pub fn succeeded(self) {
        let inner = &*self.throttle.0;
        let mut buckets = inner.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { accounts, addresses } = &mut *buckets;
        for (shelf, id, limit) in [(accounts, self.account, inner.accounts), (addresses, self.address, inner.addresses)] {
            if let Some(limit) = limit {
                shelf.refund(id, limit);
            }
        }
    }
}

/// Buckets by id, each as the moment (microseconds) at which it will be empty, and the same in order of that moment.
#[derive(Debug)]
struct Shelf {
    capacity: usize,
    until: HashMap<BucketId, u64>,
    order: BTreeSet<(u64, BucketId)>,
}

impl Shelf {
    /// How long to wait until one more fits; `None` when it fits now.
    fn wait(&self, id: &BucketId, limit: Limit, now: u64) -> Option<u64> {
        let level = self.until.get(id).copied().unwrap_or(0).saturating_sub(now);
        let over = level.saturating_add(limit.interval).saturating_sub(limit.full);
        (over > 0).then_some(over)
    }

    fn charge(&mut self, id: BucketId, limit: Limit, now: u64) {
        for _ in 0..SWEEP {
            match self.order.first() {
                Some((until, _)) if *until <= now => self.forget_first(),
                _ => break,
            }
        }
        let until = self.until.get(&id).copied().unwrap_or(0).max(now).saturating_add(limit.interval);
        if !self.until.contains_key(&id) && self.until.len() >= self.capacity {
            self.forget_first();
        }
        self.set(id, until);
    }

    fn refund(&mut self, id: BucketId, limit: Limit) {
        if let Some(until) = self.until.get(&id).copied() {
            self.set(id, until.saturating_sub(limit.interval));
        }
    }

    fn set(&mut self, id: BucketId, until: u64) {
        if let Some(old) = self.until.insert(id, until) {
            self.order.remove(&(old, id));
        }
        self.order.insert((until, id));
    }

    fn forget_first(&mut self) {
        if let Some((_, id)) = self.order.pop_first() {
            self.until.remove(&id);
        }
    }
}

/// A name in any spelling that signs in to the same account.
fn account_id(name: &str) -> BucketId {
    let digest = Digest::of(super::person::sign_in_key(name));
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_bytes()[..16]);
    id
}

/// An IPv4 address, or the /64 network of an IPv6 one: a household or a machine has all of it.
fn address_id(address: IpAddr) -> BucketId {
    match address.to_canonical() {
        IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
        IpAddr::V6(six) => (six.to_bits() & !u128::from(u64::MAX)).to_be_bytes(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use proptest::prelude::*;

    use super::*;

    const LIMITS: ThrottleLimits = ThrottleLimits { account_attempts: 10, address_attempts: 30, window: Duration::from_mins(5) };
    const HOME: &str = "192.0.2.1";

    fn fail(throttle: &Throttle, name: &str, address: &str, now: u64) -> Result<(), RetryAfter> {
        throttle.begin(name, address.parse().unwrap(), now).map(drop)
    }

    #[test]
    fn an_account_fills_and_leaks() {
        let throttle = Throttle::new(LIMITS);
        for _ in 0..10 {
            fail(&throttle, "alice", HOME, 0).unwrap();
        }
        assert_eq!(fail(&throttle, "alice", HOME, 0), Err(RetryAfter(Duration::from_secs(30))));
        assert_eq!(fail(&throttle, " ALICE", "192.0.2.2", 29_999).unwrap_err().seconds(), 1, "any spelling, any address");
        fail(&throttle, "bob", HOME, 0).unwrap();
        fail(&throttle, "alice", HOME, 30_000).unwrap();
        assert!(fail(&throttle, "alice", HOME, 30_000).is_err());
    }

    #[test]
    fn an_address_fills_over_many_names() {
        let throttle = Throttle::new(LIMITS);
        for n in 0..30 {
            fail(&throttle, &n.to_string(), "2001:db8:1:2::1", 0).unwrap();
        }
        assert!(fail(&throttle, "x", "2001:db8:1:2:ffff::9", 0).is_err(), "the same /64");
        assert!(fail(&throttle, "x", "2001:db8:1:3::1", 0).is_ok());
        assert!(fail(&throttle, "x", HOME, 0).is_ok());
        assert_eq!(address_id("::ffff:192.0.2.1".parse().unwrap()), address_id(HOME.parse().unwrap()));
    }

    #[test]
    fn a_refused_attempt_charges_neither() {
        let throttle = Throttle::new(LIMITS);
        for _ in 0..10 {
            fail(&throttle, "alice", HOME, 0).unwrap();
        }
        for _ in 0..100 {
            fail(&throttle, "alice", "192.0.2.9", 0).unwrap_err();
        }
        for n in 0..30 {
            fail(&throttle, &n.to_string(), "192.0.2.9", 0).unwrap();
        }
    }

    #[test]
    fn parallel_guesses_count_before_they_fail() {
        let throttle = Throttle::new(LIMITS);
        let under_way: Vec<_> = (0..1000).filter_map(|_| throttle.begin("alice", HOME.parse().unwrap(), 0).ok()).collect();
        assert_eq!(under_way.len(), 10);
    }

    #[test]
    fn success_takes_back_its_own_count_only() {
        let throttle = Throttle::new(LIMITS);
        for _ in 0..9 {
            fail(&throttle, "alice", HOME, 0).unwrap();
        }
        for _ in 0..50 {
            throttle.begin("alice", HOME.parse().unwrap(), 0).unwrap().succeeded();
        }
        fail(&throttle, "alice", HOME, 0).unwrap();
        assert!(fail(&throttle, "alice", HOME, 0).is_err());
    }

    #[test]
    fn zero_switches_a_limit_off() {
        let throttle = Throttle::new(ThrottleLimits { account_attempts: 0, ..LIMITS });
        for _ in 0..30 {
            fail(&throttle, "alice", HOME, 0).unwrap();
        }
        assert!(fail(&throttle, "alice", HOME, 0).is_err(), "the address still counts");
        let off = Throttle::new(ThrottleLimits { account_attempts: 0, address_attempts: 0, ..LIMITS });
        for _ in 0..1000 {
            fail(&off, "alice", HOME, 0).unwrap();
        }
    }

    #[test]
    fn memory_is_bounded_and_the_worst_offender_stays() {
        let throttle = Throttle::with_capacity(ThrottleLimits { address_attempts: 0, ..LIMITS }, 50);
        for _ in 0..10 {
            fail(&throttle, "alice", HOME, 0).unwrap();
        }
        for n in 0..1000 {
            fail(&throttle, &n.to_string(), HOME, 1).unwrap();
        }
        assert!(fail(&throttle, "alice", HOME, 1).is_err());
        let buckets = throttle.0.buckets.lock().unwrap();
        assert_eq!((buckets.accounts.until.len(), buckets.accounts.order.len()), (50, 50));
    }

    #[test]
    fn the_refusal_is_429() {
        let error = OAuthError::from(RetryAfter(Duration::from_millis(1500)));
        assert_eq!(error.status(), 429);
        assert_eq!(RetryAfter(Duration::from_millis(1500)).seconds(), 2);
        assert_eq!(RetryAfter(Duration::ZERO).seconds(), 1);
    }

    proptest! {
        #[test]
        fn never_more_failures_than_the_limit_in_any_window(
            attempts in 1u32..6, steps in prop::collection::vec((0u64..40_000, any::<bool>()), 1..200),
        ) {
            let window = Duration::from_mins(1);
            let throttle = Throttle::new(ThrottleLimits { account_attempts: attempts, address_attempts: 0, window });
            let (mut now, mut failures) = (1_000_000u64, Vec::new());
            for (step, succeeds) in steps {
                now += step;
                match throttle.begin("alice", HOME.parse().unwrap(), now) {
                    Ok(attempt) if succeeds => attempt.succeeded(),
                    Ok(_) => failures.push(now),
                    Err(wait) => {
                        prop_assert!(wait.0 <= window);
                        // The wait is exact: a moment earlier it is refused, then admitted.
                        let ready = now + u64::try_from(wait.0.as_micros().div_ceil(1000)).unwrap();
                        let state = throttle.0.buckets.lock().unwrap().accounts.wait(&account_id("alice"), throttle.0.accounts.unwrap(), ready * 1000);
                        prop_assert_eq!(state, None);
                    }
                }
            }
            // A bucket of n that leaks n per window admits at most 2n in one window, and n at one moment.
            for (at, first) in failures.iter().enumerate() {
                let within = failures[at..].iter().take_while(|time| **time - first < 60_000).count();
                prop_assert!(within <= 2 * attempts as usize);
                let at_once = failures[at..].iter().take_while(|time| *time == first).count();
                prop_assert!(at_once <= attempts as usize);
            }
        }

        #[test]
        fn the_two_views_of_a_shelf_agree(steps in prop::collection::vec((0u8..20, 0u64..5_000, any::<bool>()), 1..200)) {
            let throttle = Throttle::with_capacity(ThrottleLimits { window: Duration::from_secs(10), ..LIMITS }, 8);
            let mut now = 0;
            for (name, step, succeeds) in steps {
                now += step;
                if let Ok(attempt) = throttle.begin(&name.to_string(), HOME.parse().unwrap(), now) && succeeds {
                    attempt.succeeded();
                }
                let buckets = throttle.0.buckets.lock().unwrap();
                let shelf = &buckets.accounts;
                prop_assert!(shelf.until.len() <= 8);
                prop_assert_eq!(shelf.until.len(), shelf.order.len());
                prop_assert!(shelf.order.iter().all(|(until, id)| shelf.until.get(id) == Some(until)));
            }
        }
    }
}
