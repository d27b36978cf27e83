//! Device codes (RFC 8628): what a device without a browser asks for, under the code that it polls with and the one that its person types.
//! What was agreed to becomes an authorization code of the same text, redeemed like every other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::foundation::{Clock, Digest, Secret, Timestamp, encoding, random};
use crate::protocol::Scope;
use crate::storage::{Key, Kind, SharedStore, StorageError};

/// The signs of a user code: no vowels, so that no words come about, and none that look alike (RFC 8628 section 6.1).
const SIGNS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many there are: 20^8, which is 34 bits.
const LENGTH: usize = 8;
/// What a device that polls too fast must wait longer, in seconds (RFC 8628 section 3.5).
const SLOWER: u64 = 5;

/// What a device asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// The client on it.
    pub client_id: String,
    /// What it wants.
    pub scope: Scope,
    /// Targets (RFC 8707).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// How well the person shall authenticate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    /// What the device called itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// When it asked.
    pub received: Timestamp,
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Pending,
    Approved,
    Denied,
}

/// As stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    request: DeviceRequest,
    state: State,
    /// Digest of the user code, which goes when it was used.
    user_code: Digest,
    /// Seconds that must lie between two polls.
    interval: u64,
    /// When the device polled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    polled: Option<Timestamp>,
}

/// What a user code leads to.
#[derive(Debug, Serialize, Deserialize)]
struct UserCode {
    device: Digest,
}

/// Both codes of a request, on their way to the device.
#[derive(Debug)]
pub struct DeviceCodePair {
    /// What the device polls with: 256 random bits.
    pub device_code: Secret<String>,
    /// What the person types.
    pub user_code: Secret<String>,
}

/// What a poll came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// The person has not decided.
    Pending,
    /// The device asks too often.
    TooFast,
    /// The person agreed: the code may be redeemed.
    Approved,
    /// The person did not agree.
    Denied,
    /// There is no such code, any more or for this client.
    Unknown,
}

/// The device codes of the store.
#[derive(Debug, Clone)]
pub struct DeviceCodes {
    store: SharedStore,
    clock: Clock,
}

impl DeviceCodes {
    /// The device codes kept in `store`.
    #[must_use]
    pub const fn new(store: SharedStore, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Makes both codes for a request.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn issue(
        &self,
        request: DeviceRequest,
        lifetime: Duration,
        interval: Duration,
    ) -> Result<DeviceCodePair, StorageError> {
        let device_code = Secret::new(format!("dc_{}", encoding::encode(random::secret().expose())));
        let expires = Some(self.clock.now().plus(lifetime));
        let device = Digest::of(device_code.expose());
        // A user code is short enough to be another's already.
        let user_code = loop {
            let user_code = user_code();
            let name = Digest::of(user_code.expose());
            if self.store.insert(user_key(&name), Kind::UserCode.write_json(&UserCode { device })?, expires).await? {
                break user_code;
            }
        };
        let record = Record {
            request,
            state: State::Pending,
            user_code: Digest::of(user_code.expose()),
            interval: interval.as_secs(),
            polled: None,
        };
        self.store.insert(device_key(&device), Kind::DeviceCode.write_json(&record)?, expires).await?;
        Ok(DeviceCodePair { device_code, user_code: Secret::new(spelled(user_code.expose())) })
    }

    /// The request that waits for its person under a user code, however it was spelled, and the digest of its device code.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn waiting(&self, typed: &Secret<String>) -> Result<Option<(Digest, DeviceRequest)>, StorageError> {
        let plain: String = typed.expose().chars().filter(char::is_ascii_alphanumeric).take(64).collect();
        let name = Digest::of(plain.to_ascii_uppercase());
        let Some(stored) = self.store.get(&user_key(&name)).await? else { return Ok(None) };
        let UserCode { device } = Kind::UserCode.read_json(&stored.value)?;
        let Some(stored) = self.store.get(&device_key(&device)).await? else { return Ok(None) };
        let record: Record = Kind::DeviceCode.read_json(&stored.value)?;
        Ok((record.state == State::Pending).then_some((device, record.request)))
    }

    /// Notes what the person decided: of many one is told true. The user code is worth nothing from then on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn decide(&self, device: &Digest, approved: bool) -> Result<bool, StorageError> {
        let state = if approved { State::Approved } else { State::Denied };
        loop {
            let Some(stored) = self.store.get(&device_key(device)).await? else { return Ok(false) };
            let record: Record = Kind::DeviceCode.read_json(&stored.value)?;
            if record.state != State::Pending {
                return Ok(false);
            }
            let user_code = record.user_code;
            let value = Kind::DeviceCode.write_json(&Record { state, ..record })?;
            if self.store.compare_and_swap(device_key(device), stored.version, value, stored.expires).await? {
                self.store.delete(user_key(&user_code)).await?;
                return Ok(true);
            }
        }
    }

    /// A device asks how its request stands.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn poll(&self, device_code: &Secret<String>, client_id: &str) -> Result<Poll, StorageError> {
        let key = || device_key(&Digest::of(device_code.expose()));
        loop {
            let Some(stored) = self.store.get(&key()).await? else { return Ok(Poll::Unknown) };
            let record: Record = Kind::DeviceCode.read_json(&stored.value)?;
            if record.request.client_id != client_id {
                return Ok(Poll::Unknown);
            }
            match record.state {
                State::Approved => return Ok(Poll::Approved),
                State::Denied => return Ok(Poll::Denied),
                State::Pending => {}
            }
            let now = self.clock.now();
            let too_fast = record.polled.is_some_and(|last| now.since(last).as_secs() < record.interval);
            let interval = if too_fast { record.interval.saturating_add(SLOWER) } else { record.interval };
            let value = Kind::DeviceCode.write_json(&Record { polled: Some(now), interval, ..record })?;
            if self.store.compare_and_swap(key(), stored.version, value, stored.expires).await? {
                return Ok(if too_fast { Poll::TooFast } else { Poll::Pending });
            }
        }
    }
}

fn user_code() -> Secret<String> {
    // 240 is the greatest multiple of 20 in a byte: what is above would make some signs likelier than others.
    let mut signs = String::with_capacity(LENGTH);
    while signs.len() < LENGTH {
        let fair = random::bytes::<16>().into_iter().filter(|byte| *byte < 240);
        signs.extend(fair.take(LENGTH - signs.len()).map(|byte| char::from(SIGNS[usize::from(byte % 20)])));
    }
    Secret::new(signs)
}

/// With a hyphen in its middle, as it is easiest to read.
fn spelled(code: &str) -> String {
    let (left, right) = code.split_at(LENGTH / 2);
    format!("{left}-{right}")
}

fn device_key(device: &Digest) -> Key {
    Key::new(Kind::DeviceCode, device.as_bytes())
}

fn user_key(user_code: &Digest) -> Key {
    Key::new(Kind::UserCode, user_code.as_bytes())
}

/// Whether a stored device code can be read.
///
/// # Errors
/// Why not.
pub fn check_device(bytes: &[u8]) -> Result<(), StorageError> {
    Kind::DeviceCode.read_json::<Record>(bytes).map(drop)
}

/// Whether a stored user code can be read.
///
/// # Errors
/// Why not.
pub fn check_user(bytes: &[u8]) -> Result<(), StorageError> {
    Kind::UserCode.read_json::<UserCode>(bytes).map(drop)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::storage::memory::Memory;

    const LIFE: Duration = Duration::from_mins(10);
    const INTERVAL: Duration = Duration::from_secs(5);

    fn codes(clock: &Clock) -> DeviceCodes {
        DeviceCodes::new(Arc::new(Memory::new(clock.clone())), clock.clone())
    }

    fn request() -> DeviceRequest {
        DeviceRequest {
            client_id: "tv".to_owned(),
            scope: Scope::default(),
            resources: Vec::new(),
            acr_values: Vec::new(),
            description: String::new(),
            received: Timestamp(1),
        }
    }

    #[tokio::test]
    async fn a_device_waits_for_its_person() {
        let clock = Clock::manual(1_000);
        let codes = codes(&clock);
        let pair = codes.issue(request(), LIFE, INTERVAL).await.unwrap();
        let poll = async || codes.poll(&pair.device_code, "tv").await.unwrap();
        assert_eq!(poll().await, Poll::Pending);
        assert_eq!(poll().await, Poll::TooFast);
        clock.advance(Duration::from_secs(9));
        assert_eq!(poll().await, Poll::TooFast, "five seconds more than before");
        clock.advance(Duration::from_secs(15));
        assert_eq!(poll().await, Poll::Pending);
        assert_eq!(codes.poll(&pair.device_code, "other").await.unwrap(), Poll::Unknown);

        let typed = Secret::new(pair.user_code.expose().to_lowercase().replace('-', " "));
        let (device, _) = codes.waiting(&typed).await.unwrap().unwrap();
        assert!(codes.decide(&device, true).await.unwrap());
        assert!(!codes.decide(&device, false).await.unwrap(), "decided once");
        assert_eq!(poll().await, Poll::Approved);
        assert!(codes.waiting(&typed).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_was_denied_or_forgotten_stays_so() {
        let clock = Clock::manual(1_000);
        let codes = codes(&clock);
        let pair = codes.issue(request(), LIFE, INTERVAL).await.unwrap();
        let (device, _) = codes.waiting(&pair.user_code).await.unwrap().unwrap();
        assert!(codes.decide(&device, false).await.unwrap());
        assert_eq!(codes.poll(&pair.device_code, "tv").await.unwrap(), Poll::Denied);
        let late = codes.issue(request(), LIFE, INTERVAL).await.unwrap();
        clock.advance(LIFE);
        assert!(codes.waiting(&late.user_code).await.unwrap().is_none());
        assert_eq!(codes.poll(&late.device_code, "tv").await.unwrap(), Poll::Unknown);
    }

    #[test]
    fn user_codes_can_be_read_aloud() {
        for _ in 0..100 {
            let code = user_code();
            assert!(
                code.expose().len() == LENGTH && code.expose().bytes().all(|sign| SIGNS.contains(&sign)),
                "{}",
                code.expose()
            );
        }
        assert_eq!(spelled("BCDFGHJK"), "BCDF-GHJK");
    }
}
