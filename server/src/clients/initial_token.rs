//! Initial access tokens (RFC 7591 section 3): who may register a client, how often, until when. Knows no HTTP.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::foundation::{Clock, Digest, Secret, Timestamp, encoding, random};
use crate::storage::{Index, IndexKind, Key, Kind, SharedStore, StorageError};

/// What every one begins with.
const PREFIX: &str = "it_";
/// How long its id is: 128 bits as base64url.
const ID_LENGTH: usize = 22;
/// Length of the secret part: 256 bits as base64url.
const SECRET_LENGTH: usize = 43;

/// An initial access token as kept: without what proves it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InitialToken {
    /// Names it in lists and in the log; no secret.
    pub id: String,
    /// Digest of the whole token.
    digest: Digest,
    /// What the operator wrote beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it is worth nothing any more; `None` = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// How many clients may still be registered with it; `None` = any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses_left: Option<u32>,
}

/// One that was just made.
#[derive(Debug)]
pub struct MadeToken {
    /// As kept.
    pub record: InitialToken,
    /// The token, which is never known again.
    pub token: Secret<String>,
}

/// All initial access tokens. Cheap to clone.
#[derive(Debug, Clone)]
pub struct InitialTokens {
    store: SharedStore,
    clock: Clock,
}

impl InitialTokens {
    /// Those of a store.
    #[must_use]
    pub const fn new(store: SharedStore, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Makes one; with `uses` = `None` for any number of clients, with `lifetime` = `None` for ever.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn add(
        &self,
        note: Option<String>,
        uses: Option<u32>,
        lifetime: Option<Duration>,
    ) -> Result<MadeToken, StorageError> {
        let id = random::name();
        let token = Secret::new(format!("{PREFIX}{id}{}", encoding::encode(random::secret().expose())));
        let created = self.clock.now();
        let expires = lifetime.map(|lifetime| created.plus(lifetime));
        let record = InitialToken { id: id.clone(), digest: Digest::of(token.expose()), note, created, expires, uses_left: uses };
        let value = Kind::InitialToken.write_json(&record)?;
        self.store.index_add(index(), id.clone().into_bytes(), expires).await?;
        self.store.insert(key(&id), value, expires).await?;
        Ok(MadeToken { record, token })
    }

    /// All that are worth something or were used up, by id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self) -> Result<Vec<InitialToken>, StorageError> {
        let mut out = Vec::new();
        for id in self.store.index_list(&index()).await? {
            if let Some(stored) = self.store.get(&Key::new(Kind::InitialToken, &id)).await? {
                out.push(Kind::InitialToken.read_json(&stored.value)?);
            }
        }
        Ok(out)
    }

    /// Revokes one; says whether there was one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove(&self, id: &str) -> Result<bool, StorageError> {
        let was_there = self.store.delete(key(id)).await?;
        self.store.index_remove(index(), id.as_bytes().to_vec()).await?;
        Ok(was_there)
    }

    /// The id of a token that is worth something; `None` for any other text.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(&self, token: &str) -> Result<Option<String>, StorageError> {
        let Some(id) = id_of(token) else { return Ok(None) };
        let Some(stored) = self.store.get(&key(id)).await? else { return Ok(None) };
        let record: InitialToken = Kind::InitialToken.read_json(&stored.value)?;
        Ok((record.digest == Digest::of(token) && record.uses_left != Some(0)).then_some(record.id))
    }

    /// Uses the token of this id for one client; says whether it had a use left.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn take_use(&self, id: &str) -> Result<bool, StorageError> {
        while let Some(stored) = self.store.get(&key(id)).await? {
            let mut record: InitialToken = Kind::InitialToken.read_json(&stored.value)?;
            let Some(left) = record.uses_left else { return Ok(true) };
            let Some(left) = left.checked_sub(1) else { return Ok(false) };
            record.uses_left = Some(left);
            let value = Kind::InitialToken.write_json(&record)?;
            if self.store.compare_and_swap(key(id), stored.version, value, stored.expires).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a stored initial access token can be read.
///
/// # Errors
/// Why not.
pub fn check_initial_token(bytes: &[u8]) -> Result<(), StorageError> {
    Kind::InitialToken.read_json::<InitialToken>(bytes).map(drop)
}

fn id_of(token: &str) -> Option<&str> {
    let rest = token.strip_prefix(PREFIX).filter(|rest| rest.len() == ID_LENGTH + SECRET_LENGTH)?;
    rest.get(..ID_LENGTH)
}

fn key(id: &str) -> Key {
    Key::new(Kind::InitialToken, id)
}

fn index() -> Index {
    Index::new(IndexKind::InitialTokens, "")
}
