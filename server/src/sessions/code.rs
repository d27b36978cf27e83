//! Authorization codes: issued once, redeemed once, and remembered until they would have expired, so that a replay
//! revokes what the first use was given (RFC 6749 section 4.1.2, RFC 9700 section 4.5).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::record::{Authentication, GrantId};
use crate::foundation::{Clock, Digest, Secret, Timestamp, encoding, random};
use crate::protocol::Scope;
use crate::storage::{Key, Kind, SharedStore, StorageError};
use crate::tokens::session_id::SessionId;

/// What a person agreed to at the authorization endpoint, waiting to be fetched with the code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CodeGrant {
    /// The client that may redeem it.
    pub client_id: String,
    /// The redirect URI it was sent to (RFC 6749 section 4.1.3: must be repeated).
    pub redirect_uri: String,
    /// Whether the authorization request named the redirect URI.
    pub redirect_uri_given: bool,
    /// PKCE S256 challenge (RFC 7636).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<String>,
    /// Thumbprint of the key that the code is bound to (RFC 9449 section 10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    /// To be repeated in the ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The granted scope.
    pub scope: Scope,
    /// The targets asked for (RFC 8707).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The person.
    pub sub: String,
    /// How they authenticated.
    pub authentication: Authentication,
    /// The browser session in which they agreed.
    pub browser: SessionId,
    /// When the code was issued; absent in records that are older than this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<Timestamp>,
    /// What the device called itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device_description: String,
    /// Whether it waits for a device (RFC 8628).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_device: bool,
    /// Names of claims asked for one by one, to be released at the `UserInfo` endpoint (OpenID Connect Core section 5.5).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_info_claims: Vec<String>,
    /// The same for ID tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_token_claims: Vec<String>,
    /// What post-login actions made of the sign-in.
    #[serde(default, skip_serializing_if = "Terms::is_none")]
    pub terms: Terms,
}

/// What post-login actions made of a sign-in, for what grows from it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// Further claims of the ID token.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub id_token_claims: Map<String, Value>,
    /// Further members of `data` in access tokens.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub access_token_data: Map<String, Value>,
    /// When its sessions end at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_ends: Option<Timestamp>,
}

impl Terms {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl CodeGrant {
    /// Whether it has a member that came with format 2.
    fn has_more(&self) -> bool {
        self.of_device
            || !self.user_info_claims.is_empty()
            || !self.id_token_claims.is_empty()
            || self.dpop_jkt.is_some()
            || !self.terms.is_none()
    }
}

/// Where the tokens of a redeemed code live; stands in the code's place until it would have expired.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tombstone {
    /// The session that holds the grant.
    pub session: SessionId,
    /// The client that redeemed the code.
    pub client_id: String,
    /// The grant.
    pub grant: GrantId,
    /// Set by a replay, so that a first use which is still under way takes its grant back.
    #[serde(default)]
    pub replayed: bool,
}

/// As stored: one of the two.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    /// Absent in format 1: the first readers of codes took a second member for damage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    v: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting: Option<Box<CodeGrant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redeemed: Option<Tombstone>,
}

/// What a presented code turned out to be.
#[derive(Debug)]
pub enum Found {
    /// It waits to be redeemed.
    Waiting(Box<CodeGrant>),
    /// It was redeemed before.
    Redeemed(Tombstone),
}

/// The authorization codes of the store.
#[derive(Debug, Clone)]
pub struct Codes {
    store: SharedStore,
    clock: Clock,
}

impl Codes {
    /// The codes kept in `store`.
    #[must_use]
    pub const fn new(store: SharedStore, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Makes a code of 256 random bits that lives for `lifetime`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn issue(&self, grant: CodeGrant, lifetime: Duration) -> Result<Secret<String>, StorageError> {
        let code = Secret::new(encoding::encode(random::secret().expose()));
        self.issue_under(&Digest::of(code.expose()), grant, lifetime).await?;
        Ok(code)
    }

    /// Puts a grant under a code that somebody holds already, by its digest; false when there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn issue_under(&self, code: &Digest, grant: CodeGrant, lifetime: Duration) -> Result<bool, StorageError> {
        let v = grant.has_more().then(|| Kind::Code.newest());
        let record = encode(&Record { v, waiting: Some(Box::new(grant)), ..Record::default() })?;
        self.store.insert(Key::new(Kind::Code, code.as_bytes()), record, Some(self.clock.now().plus(lifetime))).await
    }

    /// Looks at a code without redeeming it; `None` = unknown or expired.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(&self, code: &Secret<String>) -> Result<Option<Found>, StorageError> {
        let Some(stored) = self.store.get(&key(code)).await? else { return Ok(None) };
        decode(&stored.value).map(Some)
    }

    /// Redeems a code: of many callers one is given [`Found::Waiting`]. `tombstone` says where its grant will live.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn redeem(&self, code: &Secret<String>, tombstone: Tombstone) -> Result<Option<Found>, StorageError> {
        let tombstone = encode(&Record { redeemed: Some(tombstone), ..Record::default() })?;
        let Some(stored) = self.store.get(&key(code)).await? else { return Ok(None) };
        let found = decode(&stored.value)?;
        if matches!(found, Found::Redeemed(_)) {
            return Ok(Some(found));
        }
        if self.store.compare_and_swap(key(code), stored.version, tombstone, stored.expires).await? {
            return Ok(Some(found));
        }
        // Somebody else was faster: what stands there now is their tombstone.
        self.find(code).await
    }

    /// Notes on a tombstone that the code came again; says whether it still stood.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn mark_replayed(&self, code: &Secret<String>) -> Result<bool, StorageError> {
        loop {
            let Some(stored) = self.store.get(&key(code)).await? else { return Ok(false) };
            let Found::Redeemed(tombstone) = decode(&stored.value)? else { return Ok(false) };
            if tombstone.replayed {
                return Ok(true);
            }
            let record = encode(&Record { redeemed: Some(Tombstone { replayed: true, ..tombstone }), ..Record::default() })?;
            if self.store.compare_and_swap(key(code), stored.version, record, stored.expires).await? {
                return Ok(true);
            }
        }
    }
}

fn key(code: &Secret<String>) -> Key {
    Key::new(Kind::Code, Digest::of(code.expose()).as_bytes())
}

fn encode(record: &Record) -> Result<Vec<u8>, StorageError> {
    serde_json::to_vec(record).map_err(|error| StorageError::Damaged(format!("a code cannot be written: {error}")))
}

/// Whether a stored code can be read.
///
/// # Errors
/// Why not.
pub fn check(bytes: &[u8]) -> Result<(), StorageError> {
    decode(bytes).map(drop)
}

fn decode(bytes: &[u8]) -> Result<Found, StorageError> {
    match Kind::Code.read_json(bytes)? {
        Record { redeemed: Some(tombstone), .. } => Ok(Found::Redeemed(tombstone)),
        Record { waiting: Some(grant), .. } => Ok(Found::Waiting(grant)),
        Record { .. } => Err(StorageError::Damaged("a code neither waits nor was redeemed".to_owned())),
    }
}
