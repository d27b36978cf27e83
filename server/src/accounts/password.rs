//! Password digests: argon2id in PHC form, on a bounded number of blocking threads. The only place that names argon2.
//! Must not know whose password it is.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::people::PeopleError;
use crate::foundation::{Secret, random};
use crate::settings::meaning::SignIn;

/// The shortest and the longest password, in characters.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=1024;

/// The cost of a password digest and how many are computed at once: each takes `memory_kib` of memory and a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub lanes: u32,
    /// Digests computed at once.
    pub concurrency: usize,
}

impl From<&SignIn> for PasswordPolicy {
    fn from(settings: &SignIn) -> Self {
        Self {
            memory_kib: settings.password_memory_kib,
            iterations: settings.password_iterations,
            lanes: settings.password_lanes,
            concurrency: settings.password_concurrency,
        }
    }
}

/// Makes and verifies digests.
#[derive(Debug, Clone)]
pub(super) struct Hasher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    params: Params,
    permits: Arc<Semaphore>,
    /// A digest that no password has, of the same cost as a real one.
    dummy: String,
}

/// What a verification found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wrong,
    Right,
    /// Right, and this is the digest under the parameters of today.
    RightAndRenewed(String),
}

impl Hasher {
    pub(super) fn new(policy: PasswordPolicy) -> Result<Self, PeopleError> {
        let params = Params::new(policy.memory_kib, policy.iterations, policy.lanes, None)
            .map_err(|error| PeopleError::Policy(error.to_string()))?;
        // Random bytes in place of salt and digest: nothing was hashed, so no password fits.
        let (salt, digest) = (random::bytes::<16>(), random::bytes::<32>());
        let text = |bytes: &[u8]| {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes)
        };
        let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
        let dummy = format!("$argon2id$v=19$m={m},t={t},p={p}${}${}", text(&salt), text(&digest));
        let permits = Arc::new(Semaphore::new(policy.concurrency.clamp(1, Semaphore::MAX_PERMITS)));
        Ok(Self(Arc::new(Inner { params, permits, dummy })))
    }

    /// The digest of a new password.
    pub(super) async fn digest(&self, password: Secret<String>) -> Result<String, PeopleError> {
        let length = password.expose().chars().count();
        if !LENGTH.contains(&length) {
            return Err(PeopleError::PasswordLength { shortest: *LENGTH.start(), longest: *LENGTH.end() });
        }
        self.run(move |inner| hash(&inner.params, &password)).await
    }

    /// Verifies a password against a digest. `None` (nobody there) takes as long and is wrong.
    pub(super) async fn verify(&self, password: Secret<String>, digest: Option<String>) -> Result<Verdict, PeopleError> {
        self.run(move |inner| {
            let too_long = password.expose().len() > LENGTH.end() * 4;
            // A megabyte sent as password costs what a password costs.
            let bytes = if too_long { &[][..] } else { password.expose().as_bytes() };
            let stored = PasswordHash::new(digest.as_deref().unwrap_or(&inner.dummy))
                .map_err(|error| PeopleError::Hashing(error.to_string()))?;
            let engine = Argon2::new(Algorithm::Argon2id, Version::V0x13, inner.params.clone());
            match engine.verify_password(bytes, &stored) {
                Ok(()) if digest.is_none() || too_long => Ok(Verdict::Wrong),
                Ok(()) if is_current(&stored, &inner.params) => Ok(Verdict::Right),
                Ok(()) => Ok(Verdict::RightAndRenewed(hash(&inner.params, &password)?)),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
                Err(error) => Err(hashing(error)),
            }
        })
        .await
    }

    /// Runs on a blocking thread when one is free. The permit goes along, so that a request that was given up still counts.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, PeopleError> + Send + 'static,
    ) -> Result<T, PeopleError> {
        let inner = Arc::clone(&self.0);
        let permit = Arc::clone(&inner.permits).acquire_owned().await.map_err(|error| PeopleError::Hashing(error.to_string()))?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&inner)
        })
        .await
        .map_err(|error| PeopleError::Hashing(error.to_string()))?
    }
}

fn hash(params: &Params, password: &Secret<String>) -> Result<String, PeopleError> {
    let engine = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    engine
        .hash_password_with_salt(password.expose().as_bytes(), &random::bytes::<16>())
        .map(|hash| hash.to_string())
        .map_err(hashing)
}

fn is_current(stored: &PasswordHash, params: &Params) -> bool {
    let same_cost =
        |own: &Params| own.m_cost() == params.m_cost() && own.t_cost() == params.t_cost() && own.p_cost() == params.p_cost();
    stored.algorithm.as_str() == "argon2id" && Params::try_from(stored).is_ok_and(|own| same_cost(&own))
}

fn hashing(error: argon2::password_hash::Error) -> PeopleError {
    PeopleError::Hashing(error.to_string())
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    /// As cheap as argon2 allows.
    pub(in crate::accounts) const CHEAP: PasswordPolicy =
        PasswordPolicy { memory_kib: 8, iterations: 1, lanes: 1, concurrency: 2 };

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn right_is_right_and_wrong_is_wrong() {
        let hasher = Hasher::new(CHEAP).unwrap();
        let digest = hasher.digest(secret("correct horse")).await.unwrap();
        assert!(digest.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{digest}");
        assert_eq!(hasher.verify(secret("correct horse"), Some(digest.clone())).await.unwrap(), Verdict::Right);
        for wrong in ["correct hors", "Correct horse", "", &"x".repeat(10_000)] {
            assert_eq!(hasher.verify(secret(wrong), Some(digest.clone())).await.unwrap(), Verdict::Wrong);
            assert_eq!(hasher.verify(secret(wrong), None).await.unwrap(), Verdict::Wrong);
        }
        assert_ne!(digest, hasher.digest(secret("correct horse")).await.unwrap(), "each has its own salt");
    }

    #[tokio::test]
    async fn new_parameters_renew_the_digest() {
        let old = Hasher::new(CHEAP).unwrap();
        let new = Hasher::new(PasswordPolicy { iterations: 2, ..CHEAP }).unwrap();
        let digest = old.digest(secret("correct horse")).await.unwrap();
        let Verdict::RightAndRenewed(renewed) = new.verify(secret("correct horse"), Some(digest.clone())).await.unwrap() else {
            unreachable!("the parameters differ");
        };
        assert!(renewed.contains("t=2"));
        assert_eq!(new.verify(secret("correct horse"), Some(renewed)).await.unwrap(), Verdict::Right);
        assert_eq!(new.verify(secret("wrong horse"), Some(digest)).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn length_and_policy_are_checked() {
        let hasher = Hasher::new(CHEAP).unwrap();
        for bad in ["1234567", "äöüäöüä", &"x".repeat(1025)] {
            assert!(matches!(hasher.digest(secret(bad)).await, Err(PeopleError::PasswordLength { .. })));
        }
        assert!(hasher.digest(secret(&"ä".repeat(1024))).await.is_ok());
        assert!(matches!(Hasher::new(PasswordPolicy { iterations: 0, ..CHEAP }), Err(PeopleError::Policy(_))));
        assert!(matches!(hasher.verify(secret("x"), Some("no digest".to_owned())).await, Err(PeopleError::Hashing(_))));
    }
}
