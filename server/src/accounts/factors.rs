//! Second factors: one-time passwords of an authenticator app, and recovery codes for the day on which it is lost. One record for each
//! person who has any; what is used once is used up by one compare-and-swap. Must not know sessions: who asks for a factor, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::totp::{self, Enrolment};
use crate::foundation::{Clock, Digest, Secret, Timestamp, encoding, random};
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{Key, Kind, SharedStore, StorageError, Version};
use crate::tokens::sealing::SealingKey;

/// How many recovery codes a person is given.
const RECOVERY_CODES: usize = 10;
/// How often a change that met another one is tried again.
const ATTEMPTS: usize = 8;

/// Why a factor could not be read or changed. Never holds a code or a seed.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// The seed was sealed with a key that this server does not have.
    #[error("the seed of an authenticator app cannot be opened: it was sealed with another sealing key")]
    Sealed,
    /// No enrolment was begun.
    #[error("no enrolment was begun")]
    NotBegun,
    /// There is no app that recovery codes could stand for.
    #[error("the person has no authenticator app, so there is nothing to recover")]
    NoApp,
    /// Others kept changing the record at the same time.
    #[error("the factors were changed by somebody else at the same time")]
    Conflict,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<FactorError> for OAuthError {
    fn from(error: FactorError) -> Self {
        match error {
            FactorError::Storage(error) => error.into(),
            FactorError::Conflict => {
                Self::new(ErrorCode::TemporarilyUnavailable, "The account was changed at the same time; try again.")
                    .because(error.to_string())
            }
            FactorError::NotBegun | FactorError::NoApp => {
                Self::invalid_request("No enrolment was begun.").because(error.to_string())
            }
            FactorError::Sealed => Self::server_error(error.to_string()),
        }
    }
}

/// What a person has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    /// An authenticator app.
    pub totp: bool,
    /// How many recovery codes are left.
    pub recovery_codes: usize,
}

impl Held {
    /// Whether there is anything to ask for.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.totp || self.recovery_codes > 0
    }
}

/// What a code came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeCheck {
    /// The app's.
    Right,
    /// A recovery code, used up now; so many are left.
    Recovered(usize),
    /// It was right and has been used before (RFC 6238 section 5.2).
    Replayed,
    /// It is neither.
    Wrong,
}

/// As stored.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    totp: Option<App>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun: Option<App>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recovery: Vec<Digest>,
}

/// One authenticator app.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct App {
    /// The seed, sealed.
    seed: String,
    /// When it was made.
    since: Timestamp,
    /// The latest time step of which a code was accepted.
    #[serde(default)]
    last_step: u64,
    /// Who began the enrolment, while it waits for its first code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flow: Option<Digest>,
}

impl App {
    /// Whether that flow began it, no longer ago than `within`.
    fn waits_for(&self, flow: &str, now: Timestamp, within: Duration) -> bool {
        self.flow == Some(Digest::of(flow)) && now.since(self.since) < within
    }
}

/// The second factors of the store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Factors {
    store: SharedStore,
    clock: Clock,
    sealing: SealingKey,
}

impl Factors {
    /// The factors kept in `store`, their seeds sealed with `sealing`.
    #[must_use]
    pub const fn new(store: SharedStore, clock: Clock, sealing: SealingKey) -> Self {
        Self { store, clock, sealing }
    }

    /// What a person has.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of(&self, sub: &str) -> Result<Held, FactorError> {
        let record = self.read(sub).await?.map(|(record, _)| record).unwrap_or_default();
        Ok(Held { totp: record.totp.is_some(), recovery_codes: record.recovery.len() })
    }

    /// Checks a code of the app or a recovery code, and uses it up: of many callers with the same code one is told that it is right.
    ///
    /// # Errors
    /// When the store fails or the seed cannot be opened.
    pub async fn check(&self, sub: &str, code: &Secret<String>) -> Result<CodeCheck, FactorError> {
        let typed: String = code.expose().chars().filter(char::is_ascii_alphanumeric).take(64).collect::<String>().to_lowercase();
        let digest = Digest::of(&typed);
        self.change(sub, |record| {
            if let Some(app) = &mut record.totp {
                let seed = self.open(sub, app)?;
                if let Some(step) = totp::step_of(&seed, &typed, self.clock.now().0) {
                    if step <= app.last_step {
                        return Ok((false, CodeCheck::Replayed));
                    }
                    app.last_step = step;
                    return Ok((true, CodeCheck::Right));
                }
            }
            let before = record.recovery.len();
            record.recovery.retain(|own| *own != digest);
            let left = record.recovery.len();
            Ok(if left < before { (true, CodeCheck::Recovered(left)) } else { (false, CodeCheck::Wrong) })
        })
        .await
    }

    /// Begins to enrol an app; what was begun before is forgotten, what is in use stays so until the new one is confirmed.
    ///
    /// `flow` names who does it, e.g. a browser session: nobody else sees or confirms this seed. Otherwise whoever knows the password and
    /// begins first would know the seed that the person then puts into use.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begin(&self, sub: &str, issuer: &str, name: &str, flow: &str) -> Result<Enrolment, FactorError> {
        let seed = totp::new_seed();
        let sealed = self.sealing.seal(&context(sub), seed.expose());
        let app = App { seed: sealed, since: self.clock.now(), last_step: 0, flow: Some(Digest::of(flow)) };
        self.change(sub, |record| {
            record.begun = Some(app.clone());
            Ok((true, ()))
        })
        .await?;
        totp::enrolment(&seed, issuer, name).ok_or(FactorError::NotBegun)
    }

    /// The enrolment that this flow began no longer ago than that, to be shown once more.
    ///
    /// # Errors
    /// When the store fails or the seed cannot be opened.
    pub async fn begun(
        &self,
        sub: &str,
        issuer: &str,
        name: &str,
        flow: &str,
        within: Duration,
    ) -> Result<Option<Enrolment>, FactorError> {
        let begun = self.read(sub).await?.and_then(|(record, _)| record.begun);
        let Some(app) = begun.filter(|app| app.waits_for(flow, self.clock.now(), within)) else { return Ok(None) };
        Ok(totp::enrolment(&self.open(sub, &app)?, issuer, name))
    }

    /// Puts the app into use whose enrolment this flow began no longer ago than that, if the code is one of its; gives new recovery codes, the only time they are known.
    ///
    /// # Errors
    /// [`FactorError::NotBegun`], or when the store fails or the seed cannot be opened.
    pub async fn confirm(
        &self,
        sub: &str,
        code: &Secret<String>,
        flow: &str,
        within: Duration,
    ) -> Result<Option<Vec<Secret<String>>>, FactorError> {
        let (codes, digests) = recovery_codes();
        let confirmed = self
            .change(sub, |record| {
                let begun = record.begun.clone().filter(|app| app.waits_for(flow, self.clock.now(), within));
                let mut app = begun.ok_or(FactorError::NotBegun)?;
                let typed: String = code.expose().chars().filter(char::is_ascii_digit).take(16).collect();
                let Some(step) = totp::step_of(&self.open(sub, &app)?, &typed, self.clock.now().0) else {
                    return Ok((false, false));
                };
                (app.last_step, app.flow) = (step, None);
                *record = Record { totp: Some(app), begun: None, recovery: digests.clone() };
                Ok((true, true))
            })
            .await?;
        Ok(confirmed.then_some(codes))
    }

    /// Gives new recovery codes; the old ones are worth nothing any more.
    ///
    /// # Errors
    /// [`FactorError::NoApp`], or when the store fails.
    pub async fn new_recovery_codes(&self, sub: &str) -> Result<Vec<Secret<String>>, FactorError> {
        let (codes, digests) = recovery_codes();
        self.change(sub, |record| {
            if record.totp.is_none() {
                return Err(FactorError::NoApp);
            }
            record.recovery.clone_from(&digests);
            Ok((true, ()))
        })
        .await?;
        Ok(codes)
    }

    /// Takes every factor away; says whether there was one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove(&self, sub: &str) -> Result<bool, FactorError> {
        Ok(self.store.delete(key(sub)).await?)
    }

    /// Seals the seeds of a person anew, with the present sealing key, whichever they were sealed with.
    ///
    /// # Errors
    /// When the store fails or a seed cannot be opened.
    pub async fn reseal(&self, sub: &str) -> Result<(), FactorError> {
        if self.read(sub).await?.is_none() {
            return Ok(());
        }
        self.change(sub, |record| {
            for app in [&mut record.totp, &mut record.begun].into_iter().flatten() {
                app.seed = self.sealing.seal(&context(sub), self.open(sub, app)?.expose());
            }
            Ok((true, ()))
        })
        .await
    }

    fn open(&self, sub: &str, app: &App) -> Result<Secret<Vec<u8>>, FactorError> {
        self.sealing.open(&context(sub), &app.seed).map_err(|_| FactorError::Sealed)
    }

    async fn read(&self, sub: &str) -> Result<Option<(Record, Version)>, FactorError> {
        let Some(stored) = self.store.get(&key(sub)).await? else { return Ok(None) };
        Ok(Some((Kind::Factors.read_json(&stored.value)?, stored.version)))
    }

    /// Lets `change` decide about a record, and writes it if it says so; again when somebody else was faster.
    async fn change<T>(
        &self,
        sub: &str,
        change: impl Fn(&mut Record) -> Result<(bool, T), FactorError>,
    ) -> Result<T, FactorError> {
        for _ in 0..ATTEMPTS {
            let (mut record, version) =
                self.read(sub).await?.map_or_else(Default::default, |(record, version)| (record, Some(version)));
            let (write, value) = change(&mut record)?;
            if !write {
                return Ok(value);
            }
            let bytes = Kind::Factors.write_json(&record)?;
            let written = match version {
                Some(version) => self.store.compare_and_swap(key(sub), version, bytes, None).await?,
                None => self.store.insert(key(sub), bytes, None).await?,
            };
            if written {
                return Ok(value);
            }
        }
        Err(FactorError::Conflict)
    }
}

/// Whether stored factors can be read, and their seeds opened.
///
/// # Errors
/// Why not.
pub fn check(sealing: &SealingKey, key: &Key, bytes: &[u8]) -> Result<(), FactorError> {
    let record = Kind::Factors.read_json::<Record>(bytes)?;
    let sub = std::str::from_utf8(key.id()).map_err(|_| FactorError::Sealed)?;
    for app in [record.totp, record.begun].into_iter().flatten() {
        sealing.open(&context(sub), &app.seed).map_err(|_| FactorError::Sealed)?;
    }
    Ok(())
}

/// New codes of eighty bits, as they are written down and as they are stored.
fn recovery_codes() -> (Vec<Secret<String>>, Vec<Digest>) {
    // Sixteen signs that nobody takes for one another, so that a byte is two of them.
    const SIGNS: [char; 16] = ['2', '3', '4', '5', '6', '7', '8', '9', 'b', 'c', 'd', 'f', 'g', 'h', 'j', 'k'];
    let signs = |byte: u8| [SIGNS[usize::from(byte >> 4)], SIGNS[usize::from(byte & 15)]];
    (0..RECOVERY_CODES)
        .map(|_| {
            let plain: String = random::bytes::<10>().into_iter().flat_map(signs).collect();
            let digest = Digest::of(&plain);
            let groups: Vec<&str> = (0..4).map(|n| &plain[n * 5..n * 5 + 5]).collect();
            (Secret::new(groups.join("-")), digest)
        })
        .unzip()
}

fn key(sub: &str) -> Key {
    Key::new(Kind::Factors, sub)
}

/// A seed that was sealed for one person opens for nobody else.
fn context(sub: &str) -> String {
    format!("totp {}", encoding::encode(sub))
}

#[cfg(test)]
mod tests;
