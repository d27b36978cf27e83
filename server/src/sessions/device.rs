//! Device secrets: issue, recognise, bind to an ID token (Native SSO 1.0 draft 08 sections 3 and 4.3).

use serde::{Deserialize, Serialize};

use super::keys::EnrolledKey;
use super::record::{Session, SessionKind};
use super::registry::Loaded;
use crate::foundation::{Digest, Secret, Timestamp, random};
use crate::tokens::handle::{HandleKind, SessionHandle};
use crate::tokens::session_id::SessionId;

/// The most secrets one device session accepts at a time: the first, and one for each app that asked for its own.
const MAX_SECRETS: usize = 32;

/// What a session knows of its device; secrets and keys are those of a device session alone.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Device {
    /// What the device called itself at sign-in (its user agent), for people who look at the list of their devices.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The secrets that are accepted, oldest first.
    #[serde(default)]
    pub secrets: Vec<StoredSecret>,
    /// The keys of which one must be proven beside a secret; none for a session whose secrets are enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<EnrolledKey>,
}

/// One accepted device secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredSecret {
    /// Digest of its random part.
    pub digest: Digest,
    /// The client it was first handed to.
    pub client_id: String,
    /// When.
    pub issued: Timestamp,
}

/// A device secret in clear, on its way to or from a client.
#[derive(Debug, Clone)]
pub struct DeviceSecret {
    text: Secret<String>,
    ds_hash: String,
}

impl Device {
    /// How a device with that user agent is described: by its beginning, without signs that are none.
    #[must_use]
    pub fn described(user_agent: &str) -> String {
        user_agent.chars().filter(|c| !c.is_control()).take(200).collect()
    }

    /// What a browser or offline session knows of its device: how it is described, if at all.
    #[must_use]
    pub fn only_described(description: &str) -> Option<Self> {
        (!description.is_empty()).then(|| Self { description: description.to_owned(), ..Self::default() })
    }
}

impl DeviceSecret {
    /// A secret as a client holds it.
    #[must_use]
    pub fn from_text(text: Secret<String>) -> Self {
        // base64url of the left half of SHA-256 over the secret's text: what the Okta SDKs check.
        let ds_hash = Digest::of(text.expose()).left_half();
        Self { text, ds_hash }
    }

    /// The wire form.
    #[must_use]
    pub const fn text(&self) -> &Secret<String> {
        &self.text
    }

    /// The claim that binds an ID token to this secret.
    #[must_use]
    pub fn ds_hash(&self) -> &str {
        &self.ds_hash
    }
}

/// A device secret that was just made and is not accepted yet.
#[derive(Debug)]
pub struct NewSecret {
    digest: Digest,
    secret: DeviceSecret,
}

impl NewSecret {
    /// 256 random bits, with the name of the session in front.
    #[must_use]
    pub fn generate(session: SessionId) -> Self {
        Self::of(session, random::secret())
    }

    /// The secret of these 256 bits.
    #[must_use]
    pub fn of(session: SessionId, secret: Secret<[u8; 32]>) -> Self {
        let handle = SessionHandle { kind: HandleKind::DeviceSecret, session, secret };
        Self { digest: Digest::of(handle.secret.expose()), secret: DeviceSecret::from_text(handle.to_text()) }
    }

    /// The secret in clear.
    #[must_use]
    pub const fn secret(&self) -> &DeviceSecret {
        &self.secret
    }
}

impl Device {
    /// Accepts a secret that goes to `client_id`; says whether it was not accepted already. If there are too many, the oldest
    /// goes, but never the first: that is the one which the apps of the device share.
    pub fn accept(&mut self, secret: &NewSecret, client_id: &str, now: Timestamp) -> bool {
        if self.secrets.iter().any(|stored| stored.digest == secret.digest) {
            return false;
        }
        if self.secrets.len() >= MAX_SECRETS {
            self.secrets.remove(1);
        }
        self.secrets.push(StoredSecret { digest: secret.digest, client_id: client_id.to_owned(), issued: now });
        true
    }

    fn find(&self, secret: &Secret<[u8; 32]>) -> Option<&StoredSecret> {
        let digest = Digest::of(secret.expose());
        self.secrets.iter().find(|stored| stored.digest == digest)
    }
}

/// Proof that a presented device secret belongs to a living device session. Made here alone.
#[derive(Debug, Clone)]
pub struct VerifiedDevice {
    secret: DeviceSecret,
    holder: String,
    loaded: Loaded,
}

impl VerifiedDevice {
    /// Checks a presented secret against the session that it names, as it was read at `now`.
    #[must_use]
    pub fn check(loaded: Loaded, handle: &SessionHandle, text: Secret<String>, now: Timestamp) -> Option<Self> {
        let session = &loaded.session;
        let device = session.device.as_ref().filter(|_| session.kind == SessionKind::Device)?;
        let holder = device.find(&handle.secret)?.client_id.clone();
        let genuine = handle.session == loaded.id && session.is_alive(now);
        genuine.then(|| Self { secret: DeviceSecret::from_text(text), holder, loaded })
    }

    /// The device session's id, the `sid` of its ID tokens.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.loaded.id
    }

    /// The secret that was presented.
    #[must_use]
    pub const fn secret(&self) -> &DeviceSecret {
        &self.secret
    }

    /// The client that the secret was first handed to.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// The session as read.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.loaded.session
    }

    /// Gives up the proof for the session, to change it.
    #[must_use]
    pub fn into_parts(self) -> (DeviceSecret, Loaded) {
        (self.secret, self.loaded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::Clock;

    #[test]
    fn a_secret_is_accepted_once_and_the_first_stays() {
        let session = SessionId::new(&Clock::manual(1));
        let mut device = Device::default();
        let secrets: Vec<NewSecret> = (0..=MAX_SECRETS).map(|_| NewSecret::generate(session)).collect();
        for secret in &secrets[..MAX_SECRETS] {
            assert!(device.accept(secret, "one", Timestamp(0)));
            assert!(!device.accept(secret, "two", Timestamp(1)), "it is accepted already");
        }
        assert!(device.accept(&secrets[MAX_SECRETS], "two", Timestamp(2)));
        let kept: Vec<Digest> = device.secrets.iter().map(|stored| stored.digest).collect();
        assert_eq!(kept.len(), MAX_SECRETS);
        assert_eq!((kept[0], kept[1]), (secrets[0].digest, secrets[2].digest));
    }

    #[test]
    fn ds_hash_is_the_left_half_of_sha_256_of_the_text() {
        // echo -n ds_example | openssl dgst -sha256 -binary | head -c 16 | base64url
        let secret = DeviceSecret::from_text(Secret::new("ds_example".to_owned()));
        assert_eq!(secret.ds_hash(), "tP_qU28Ir-7yDAdjdPYiqg");
    }
}
