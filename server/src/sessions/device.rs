//! Device secrets: issue, recognise, bind to an ID token (Native SSO 1.0 draft 08 sections 3 and 4.3).

use serde::{Deserialize, Serialize};

use super::record::{Session, SessionKind};
use super::registry::Loaded;
use crate::foundation::{Digest, Secret, Timestamp};
use crate::tokens::handle::{HandleKind, SessionHandle};
use crate::tokens::session_id::SessionId;

/// The most secrets one device session accepts at a time.
const MAX_SECRETS: usize = 16;

/// What a device session knows of its device.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Device {
    /// What the device called itself at sign-in (its user agent), for people who look at the list of their devices.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The secrets that are accepted, oldest first.
    #[serde(default)]
    pub secrets: Vec<StoredSecret>,
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
        let handle = SessionHandle::new(HandleKind::DeviceSecret, session);
        Self { digest: Digest::of(handle.secret.expose()), secret: DeviceSecret::from_text(handle.to_text()) }
    }

    /// The secret in clear.
    #[must_use]
    pub const fn secret(&self) -> &DeviceSecret {
        &self.secret
    }
}

impl Device {
    /// Accepts a new secret that goes to `client_id`. Of the secrets given to that client before, the latest stays accepted
    /// (the new one may never arrive) and older ones go; those that other apps hold are left alone.
    pub fn accept(&mut self, secret: &NewSecret, client_id: &str, now: Timestamp) {
        let own = |stored: &StoredSecret| stored.client_id == client_id;
        let latest = self.secrets.iter().rposition(own);
        let mut position = 0;
        self.secrets.retain(|stored| {
            let keep = !own(stored) || Some(position) == latest;
            position += 1;
            keep
        });
        if self.secrets.len() >= MAX_SECRETS {
            self.secrets.remove(0);
        }
        self.secrets.push(StoredSecret { digest: secret.digest, client_id: client_id.to_owned(), issued: now });
    }

    fn accepts(&self, secret: &Secret<[u8; 32]>) -> bool {
        let digest = Digest::of(secret.expose());
        self.secrets.iter().any(|stored| stored.digest == digest)
    }
}

/// Proof that a presented device secret belongs to a living device session. Made here alone.
#[derive(Debug, Clone)]
pub struct VerifiedDevice {
    secret: DeviceSecret,
    loaded: Loaded,
}

impl VerifiedDevice {
    /// Checks a presented secret against the session that it names, as it was read at `now`.
    #[must_use]
    pub fn check(loaded: Loaded, handle: &SessionHandle, text: Secret<String>, now: Timestamp) -> Option<Self> {
        let session = &loaded.session;
        let device = session.device.as_ref().filter(|_| session.kind == SessionKind::Device)?;
        let genuine = handle.session == loaded.id && session.is_alive(now) && device.accepts(&handle.secret);
        genuine.then(|| Self { secret: DeviceSecret::from_text(text), loaded })
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
    fn each_app_keeps_its_latest_two_secrets() {
        let session = SessionId::new(&Clock::manual(1));
        let mut device = Device::default();
        let secrets: Vec<NewSecret> = (0..4).map(|_| NewSecret::generate(session)).collect();
        device.accept(&secrets[0], "one", Timestamp(0));
        device.accept(&secrets[1], "two", Timestamp(1));
        device.accept(&secrets[2], "one", Timestamp(2));
        assert_eq!(device.secrets.len(), 3);
        device.accept(&secrets[3], "one", Timestamp(3));
        let kept: Vec<Digest> = device.secrets.iter().map(|stored| stored.digest).collect();
        assert_eq!(kept, [secrets[1].digest, secrets[2].digest, secrets[3].digest]);
    }

    #[test]
    fn ds_hash_is_the_left_half_of_sha_256_of_the_text() {
        // echo -n ds_example | openssl dgst -sha256 -binary | head -c 16 | base64url
        let secret = DeviceSecret::from_text(Secret::new("ds_example".to_owned()));
        assert_eq!(secret.ds_hash(), "tP_qU28Ir-7yDAdjdPYiqg");
    }
}
