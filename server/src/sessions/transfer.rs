//! Session transfer tokens: a signed-in app has one made and hands it to a browser, which is signed in by it, once. Stored by digest, with
//! what is to be compared when it is used; a used one leaves a tombstone until it would have expired. Must not know who may have one made.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::parent::{Parent, Transfer};
use super::record::Authentication;
use crate::foundation::{Clock, Digest, Secret, Timestamp, encoding, random};
use crate::storage::{Key, Kind, SharedStore, StorageError};
use crate::tokens::session_id::SessionId;

/// What tells a token from the other handles in a log of somebody else's.
const PREFIX: &str = "st_";

/// What a token stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TransferToken {
    /// The person.
    pub sub: String,
    /// How they authenticated, as far as a browser is believed that: the first factor.
    pub authentication: Authentication,
    /// What the web session will hang on, and who had the token made where.
    pub parent: Parent,
    /// The only client that it may be used at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether only a client may take it that names the app in its list (`allowed_origin_clients`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interclient: bool,
    /// Whether a key was proven to have it made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub key_proven: bool,
    /// When it was made.
    pub issued: Timestamp,
}

impl TransferToken {
    /// What it says of its making; none only in a damaged record.
    #[must_use]
    pub const fn made(&self) -> Option<&Transfer> {
        self.parent.transfer.as_ref()
    }
}

/// As stored.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    #[serde(alias = "waiting")]
    token: Box<TransferToken>,
    /// The browser that has used it up, by the digest of its binding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_by: Option<Digest>,
    /// The session that its person has there since; none while it is being judged, and when it was not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<SessionId>,
    /// Whether it began that session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    begun: bool,
}

/// What a presented token turned out to be.
#[derive(Debug)]
pub enum Presented {
    /// Good, and used up now.
    Fresh(Box<TransferToken>),
    /// Unknown, or expired.
    Unknown,
    /// Used before, by another browser.
    Used,
    /// Used before, by this browser: a page that is loaded again.
    UsedHere(UsedHere),
}

/// What is left of a token that this browser has used.
#[derive(Debug)]
pub struct UsedHere {
    /// What it stood for.
    pub token: Box<TransferToken>,
    /// The session that its person was given, if it was taken.
    pub session: Option<SessionId>,
    /// Whether it began that session.
    pub begun: bool,
}

/// The session transfer tokens of the store.
#[derive(Debug, Clone)]
pub struct TransferTokens {
    store: SharedStore,
    clock: Clock,
}

impl TransferTokens {
    /// The tokens kept in `store`.
    #[must_use]
    pub const fn new(store: SharedStore, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Makes a token of 256 random bits that lives for `lifetime`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn issue(&self, token: TransferToken, lifetime: Duration) -> Result<Secret<String>, StorageError> {
        let text = Secret::new(format!("{PREFIX}{}", encoding::encode(random::secret().expose())));
        let record =
            Kind::TransferToken.write_json(&Record { token: Box::new(token), used_by: None, session: None, begun: false })?;
        self.store.insert(key(&Digest::of(text.expose())), record, Some(self.clock.now().plus(lifetime))).await?;
        Ok(text)
    }

    /// Notes which session the person of a used token has in the browser that brought it, and whether the token has begun it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn taken(&self, token: &Digest, session: SessionId, begun: bool) -> Result<(), StorageError> {
        let Some(stored) = self.store.get(&key(token)).await? else { return Ok(()) };
        let record: Record = Kind::TransferToken.read_json(&stored.value)?;
        let record = Kind::TransferToken.write_json(&Record { session: Some(session), begun, ..record })?;
        self.store.compare_and_swap(key(token), stored.version, record, stored.expires).await.map(drop)
    }

    /// Uses up the token with that digest: of many callers one is given [`Presented::Fresh`]. `browser` is the digest of the binding of who
    /// brings it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn present(&self, token: &Digest, browser: Digest) -> Result<Presented, StorageError> {
        loop {
            let Some(stored) = self.store.get(&key(token)).await? else { return Ok(Presented::Unknown) };
            let record: Record = Kind::TransferToken.read_json(&stored.value)?;
            match record.used_by {
                Some(user) if user == browser => {
                    return Ok(Presented::UsedHere(UsedHere {
                        token: record.token,
                        session: record.session,
                        begun: record.begun,
                    }));
                }
                Some(_) => return Ok(Presented::Used),
                None => {}
            }
            let used = Record { used_by: Some(browser), ..record };
            let written = Kind::TransferToken.write_json(&used)?;
            if self.store.compare_and_swap(key(token), stored.version, written, stored.expires).await? {
                return Ok(Presented::Fresh(used.token));
            }
        }
    }
}

fn key(token: &Digest) -> Key {
    Key::new(Kind::TransferToken, token.as_bytes())
}

/// Whether a stored token can be read.
///
/// # Errors
/// Why not.
pub fn check(bytes: &[u8]) -> Result<(), StorageError> {
    Kind::TransferToken.read_json::<Record>(bytes).map(drop)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sessions::parent::{Follows, RequestContext};
    use crate::storage::memory::Memory;

    fn token() -> TransferToken {
        TransferToken {
            sub: "alice".to_owned(),
            authentication: Authentication { time: Timestamp(1), acr: "a".to_owned(), amr: vec!["pwd".to_owned()] },
            parent: Parent {
                session: SessionId::from_bytes([7; 16]),
                grant: None,
                follows: Follows::Session,
                until: None,
                transfer: Some(Transfer {
                    client_id: "app".to_owned(),
                    scope: ["openid"].into_iter().collect(),
                    context: RequestContext::new(Some([192, 0, 2, 1].into()), Some(64500), &"x".repeat(300)),
                }),
            },
            target: None,
            interclient: false,
            key_proven: false,
            issued: Timestamp(1),
        }
    }

    #[tokio::test]
    async fn one_of_many_uses_it_and_a_tombstone_knows_who() {
        let clock = Clock::manual(1_000_000);
        let tokens = TransferTokens::new(Arc::new(Memory::new(clock.clone())), clock.clone());
        let text = Digest::of(tokens.issue(token(), Duration::from_mins(1)).await.unwrap().expose());
        let (here, there) = (Digest::of("here"), Digest::of("there"));
        let both = futures_util::future::join(tokens.present(&text, here), tokens.present(&text, there)).await;
        let fresh = [both.0.unwrap(), both.1.unwrap()].iter().filter(|found| matches!(found, Presented::Fresh(_))).count();
        assert_eq!(fresh, 1);
        let again = [tokens.present(&text, here).await.unwrap(), tokens.present(&text, there).await.unwrap()];
        assert!(again.iter().any(|found| matches!(found, Presented::UsedHere(UsedHere { session: None, .. }))));
        let session = SessionId::from_bytes([9; 16]);
        tokens.taken(&text, session, true).await.unwrap();
        let again = [tokens.present(&text, here).await.unwrap(), tokens.present(&text, there).await.unwrap()];
        assert!(again.iter().any(
            |found| matches!(found, Presented::UsedHere(UsedHere { session: Some(id), begun: true, .. }) if *id == session)
        ));
        assert!(again.iter().any(|found| matches!(found, Presented::Used)));
        clock.advance(Duration::from_mins(1));
        assert!(matches!(tokens.present(&text, here).await.unwrap(), Presented::Unknown));
    }

    #[tokio::test]
    async fn an_expired_one_and_one_made_up_are_unknown() {
        let clock = Clock::manual(1_000_000);
        let tokens = TransferTokens::new(Arc::new(Memory::new(clock.clone())), clock.clone());
        let text = tokens.issue(token(), Duration::from_mins(1)).await.unwrap();
        clock.advance(Duration::from_mins(1));
        for wrong in [text.expose().as_str(), "", "st_", "x", "st_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let found = tokens.present(&Digest::of(wrong), Digest::of("here")).await.unwrap();
            assert!(matches!(found, Presented::Unknown), "{wrong}");
        }
    }
}
