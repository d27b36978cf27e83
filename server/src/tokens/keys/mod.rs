//! The server's signing keys: made at first start, kept sealed in one record, rotated, and used to sign and to verify.
//! Knows what a JWT is; must not know what any claim means.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use serde::Serialize;
use serde::de::DeserializeOwned;

mod news;
mod pair;
mod record;
mod schedule;
mod set;
#[cfg(test)]
mod tests;
mod verify;

pub use schedule::KeyPolicy;
pub use set::{KeyInfo, KeyState};
pub use verify::{Verified, VerifyError};

use self::record::Record;
use self::schedule::Wish;
use self::set::KeySet;
use super::sealing::SealingKey;
use crate::foundation::{Clock, Secret};
use crate::settings::meaning::SigningAlg;
use crate::storage::{Key, Kind, SharedStore, StorageError, Stored, Version};

/// How often a change is tried again when another process changes the keys at the same moment.
const TRIES: usize = 8;

/// How long after one look into the store for a key that nobody here knows the next may come, in milliseconds: strangers can make
/// up as many names of keys as they like.
const LOOK_EVERY: u64 = 1_000;

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The store failed.
    #[error("the signing keys cannot be read or written: {0}")]
    Storage(#[from] StorageError),
    /// The record was sealed with another key.
    #[error(
        "the signing keys in the store were sealed with another sealing key; start with the key they were sealed with (storage.sealing_key_file)"
    )]
    WrongSealingKey,
    /// The record is not what was written.
    #[error("the signing keys in the store are damaged: {0}")]
    Damaged(&'static str),
    /// No key could be made.
    #[error("a signing key cannot be generated")]
    Generation,
    /// The library refused to sign.
    #[error("a token cannot be signed")]
    Signing,
    /// The claims are not a JSON object.
    #[error("the claims of a token cannot be written as JSON")]
    Claims,
    /// There is no such key.
    #[error("there is no key {0}; `symbolon key list` names all")]
    Unknown(String),
    /// It signs at present.
    #[error("the key {0} signs at present; run `symbolon key rotate --immediately` first")]
    InUse(String),
    /// Others changed the keys again and again.
    #[error("the signing keys are being changed by another process; try again")]
    Contended,
}

/// The signing keys. Cheap to clone; all clones see a rotation at the same moment.
#[derive(Clone)]
pub struct SigningKeys(Arc<Inner>);

struct Inner {
    set: ArcSwap<KeySet>,
    store: SharedStore,
    clock: Clock,
    sealing: SealingKey,
    policy: KeyPolicy,
    /// One change at a time in this process; among processes compare-and-swap decides. Holds the names of the keys that signed
    /// when somebody last looked: that the time of a key has come is nobody's deed, so it takes a look to report it.
    changing: tokio::sync::Mutex<Vec<String>>,
    /// When the store was last looked into for an unknown key.
    looked: AtomicU64,
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("keys", &self.list()).finish_non_exhaustive()
    }
}

impl SigningKeys {
    /// Reads the keys from the store; makes them at first start. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the store fails, the record was sealed with another key, or it is damaged.
    pub async fn open(store: SharedStore, clock: Clock, sealing: SealingKey, policy: KeyPolicy) -> Result<Self, KeyError> {
        let (record, version) = change(&store, &sealing, &policy, &clock, Wish::Due).await?;
        let set = KeySet::new(&record, version, &policy)?;
        let changing = tokio::sync::Mutex::new(set.in_use(&clock).map(|key| key.kid.clone()).collect());
        Ok(Self(Arc::new(Inner {
            set: ArcSwap::from_pointee(set),
            store,
            clock,
            sealing,
            policy,
            changing,
            looked: AtomicU64::new(0),
        })))
    }

    /// Reports the keys that sign, as a server does when it starts: the time of one may have come while none was running.
    pub fn announce(&self) {
        self.0.set.load().in_use(&self.0.clock).for_each(|key| news::in_use(key.alg, &key.kid));
    }

    /// A signed JWT with header `{"alg", "typ", "kid"}`. `claims` must serialise to a JSON object.
    ///
    /// # Errors
    /// When the claims cannot be written as JSON or the library refuses to sign.
    pub fn sign<T: Serialize + ?Sized>(&self, alg: SigningAlg, typ: &str, claims: &T) -> Result<String, KeyError> {
        self.0.set.load().signing(alg, &self.0.clock)?.sign(typ, claims)
    }

    /// Checks that `jwt` was signed by a key of ours that is still kept, and reads its claims. Checks neither `exp` nor
    /// `aud` nor `iss` nor `typ`.
    ///
    /// # Errors
    /// Why it is not ours.
    pub fn verify<T: DeserializeOwned>(&self, jwt: &str) -> Result<Verified<T>, VerifyError> {
        verify::verify(&self.0.set.load(), &self.0.clock, jwt)
    }

    /// The same, and a key that another server has made since is learned first, as far as a second between two looks allows.
    ///
    /// # Errors
    /// The store cannot say whether there is such a key: the token may well be ours.
    pub async fn recognise<T: DeserializeOwned>(&self, jwt: &str) -> Result<Result<Verified<T>, VerifyError>, StorageError> {
        let verdict = self.verify(jwt);
        if matches!(verdict, Err(VerifyError::UnknownKey)) && self.may_look() {
            self.apply(Wish::Due).await.map_err(|error| match error {
                KeyError::Storage(error) => error,
                other => StorageError::Damaged(other.to_string()),
            })?;
            return Ok(self.verify(jwt));
        }
        Ok(verdict)
    }

    fn may_look(&self) -> bool {
        let now = self.0.clock.now_millis();
        let last = self.0.looked.load(Ordering::Relaxed);
        now.saturating_sub(last) >= LOOK_EVERY
            && self.0.looked.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The public JWK Set (RFC 7517 section 5) with every key that signs, signed or will sign.
    #[must_use]
    pub fn jwks(&self) -> Arc<str> {
        Arc::clone(&self.0.set.load().jwks)
    }

    /// 32 bytes that only this server can compute from `label` and `parts`: HMAC-SHA-256 over all of them, each with its
    /// length. The same input gives the same bytes for as long as the store lives, on every node.
    #[must_use]
    pub fn derive(&self, label: &str, parts: &[&[u8]]) -> Secret<[u8; 32]> {
        let set = self.0.set.load();
        let mut context = hmac::Context::with_key(&set.derivation);
        for part in std::iter::once(label.as_bytes()).chain(parts.iter().copied()) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut derived = [0; 32];
        derived.copy_from_slice(context.sign().as_ref());
        Secret::new(derived)
    }

    /// The key that they are sealed with.
    #[must_use]
    pub fn sealing(&self) -> &SealingKey {
        &self.0.sealing
    }

    /// Every key that is kept.
    #[must_use]
    pub fn list(&self) -> Vec<KeyInfo> {
        self.0.set.load().list(&self.0.clock)
    }

    /// Makes successors for the keys of `alg` (`None` = of every algorithm). They are in the JWKS from now on and sign
    /// after `publish_before_use`, or at once when `immediately`. Asked again meanwhile, a rotation under way stays one.
    /// Answers with all keys as they are now.
    ///
    /// # Errors
    /// When the store fails or another process keeps changing the keys.
    pub async fn rotate(&self, alg: Option<SigningAlg>, immediately: bool) -> Result<Vec<KeyInfo>, KeyError> {
        self.apply(Wish::Rotate { alg, immediately }).await?;
        Ok(self.list())
    }

    /// Seals the stored keys anew, with the present sealing key, whichever they were sealed with.
    ///
    /// # Errors
    /// When the store fails, the keys cannot be opened, or another process keeps changing them.
    pub async fn reseal(&self) -> Result<(), KeyError> {
        self.rewrite(|record, _| Ok(record.clone())).await
    }

    /// Removes a key for good: it is published no longer, and nothing that it signed is accepted any more. For a key that leaked.
    ///
    /// # Errors
    /// [`KeyError::Unknown`] or [`KeyError::InUse`]; when the store fails or another process keeps changing the keys.
    pub async fn remove(&self, kid: &str) -> Result<(), KeyError> {
        let inner = &*self.0;
        self.rewrite(|record, version| {
            let set = KeySet::new(record, version, &inner.policy)?;
            if set.in_use(&inner.clock).any(|key| key.kid == kid) {
                return Err(KeyError::InUse(kid.to_owned()));
            }
            // They are listed in the order of the record.
            let place = set.list(&inner.clock).iter().position(|key| key.kid == kid);
            let mut without = record.clone();
            without.keys.remove(place.ok_or_else(|| KeyError::Unknown(kid.to_owned()))?);
            Ok(without)
        })
        .await?;
        self.apply(Wish::Due).await
    }

    /// Writes what `anew` makes of the stored record, sealed with the present sealing key, in its place.
    async fn rewrite(&self, anew: impl Fn(&Record, Version) -> Result<Record, KeyError>) -> Result<(), KeyError> {
        let inner = &*self.0;
        let _one_at_a_time = inner.changing.lock().await;
        let name = Key::new(Kind::SigningKeys, b"");
        for _ in 0..TRIES {
            // They were there when this was made.
            let Some(stored) = inner.store.get(&name).await? else { return Err(KeyError::Damaged("the record is gone")) };
            let before = Record::open(&inner.sealing, &stored.value)?;
            let after = anew(&before, stored.version)?;
            if inner.store.compare_and_swap(name.clone(), stored.version, after.seal(&inner.sealing)?, None).await? {
                news::changed(&before, &after);
                return Ok(());
            }
        }
        Err(KeyError::Contended)
    }

    /// Every few seconds: takes over what another process changed, rotates by schedule, drops keys whose time is over.
    /// A failure is logged and tried again the next time; the keys at hand go on working.
    pub async fn tick(&self) {
        if let Err(error) = self.apply(Wish::Due).await {
            tracing::warn!(%error, "the signing keys were not refreshed");
        }
    }

    async fn apply(&self, wish: Wish) -> Result<(), KeyError> {
        let inner = &*self.0;
        let mut in_use = inner.changing.lock().await;
        let (record, version) = change(&inner.store, &inner.sealing, &inner.policy, &inner.clock, wish).await?;
        if version != inner.set.load().version {
            inner.set.store(Arc::new(KeySet::new(&record, version, &inner.policy)?));
            tracing::debug!(keys = record.keys.len(), "the signing keys changed");
        }
        let set = inner.set.load();
        for key in set.in_use(&inner.clock).filter(|key| !in_use.contains(&key.kid)) {
            news::in_use(key.alg, &key.kid);
        }
        *in_use = set.in_use(&inner.clock).map(|key| key.kid.clone()).collect();
        Ok(())
    }
}

/// Whether a stored record of keys can be opened and read.
///
/// # Errors
/// Why not.
pub fn check(sealing: &SealingKey, bytes: &[u8]) -> Result<(), KeyError> {
    Record::open(sealing, bytes).map(drop)
}

/// Brings the stored record to where `wish` and the policy want it, and reads what is stored then.
async fn change(
    store: &SharedStore,
    sealing: &SealingKey,
    policy: &KeyPolicy,
    clock: &Clock,
    wish: Wish,
) -> Result<(Record, Version), KeyError> {
    let name = Key::new(Kind::SigningKeys, b"");
    // Keys that were made for an attempt that lost: good for the next.
    let mut ready: Vec<(SigningAlg, Secret<Vec<u8>>)> = Vec::new();
    let mut wish = wish;
    for _ in 0..TRIES {
        let stored = store.get(&name).await?;
        let mut record = match &stored {
            Some(Stored { value, .. }) => Record::open(sealing, value)?,
            None => Record::new(),
        };
        let before = record.clone();
        let now = clock.now();
        let wanted = wish.wants(&record, policy, now);
        let missing: Vec<_> = wanted.iter().copied().filter(|alg| !ready.iter().any(|(made, _)| made == alg)).collect();
        ready.extend(generate(missing).await?);
        for alg in &wanted {
            if let Some(at) = ready.iter().position(|(made, _)| made == alg) {
                wish.add(&mut record, ready[at].clone(), policy, now);
            }
        }
        let dropped = schedule::prune(&mut record, policy, now);
        let written = match stored {
            Some(Stored { version, .. }) if wanted.is_empty() && !dropped => return Ok((record, version)),
            Some(Stored { version, .. }) => store.compare_and_swap(name.clone(), version, record.seal(sealing)?, None).await?,
            None => store.insert(name.clone(), record.seal(sealing)?, None).await?,
        };
        // Once more either way: to learn the version of what was written, or to start from what another wrote.
        if written {
            news::changed(&before, &record);
            wish = Wish::Due;
        }
    }
    Err(KeyError::Contended)
}

/// Makes a key for each algorithm, all at the same time and off the threads that serve requests.
async fn generate(algs: Vec<SigningAlg>) -> Result<Vec<(SigningAlg, Secret<Vec<u8>>)>, KeyError> {
    let tasks: Vec<_> = algs.into_iter().map(|alg| (alg, tokio::task::spawn_blocking(move || pair::generate(alg)))).collect();
    let mut made = Vec::with_capacity(tasks.len());
    for (alg, task) in tasks {
        made.push((alg, task.await.map_err(|_| KeyError::Generation)??));
    }
    Ok(made)
}
