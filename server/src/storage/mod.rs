//! One narrow port, several backends. Owns how bytes are kept; must not know what they mean.
//!
//! Every operation touches one key, so that it is atomic on a cluster too. An operation that changes something has
//! returned only when the change is durable (embedded: committed and synced; memory: for tests, in memory).

use std::fmt::Write as _;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use self::snapshot::Snapshot;

use crate::foundation::Timestamp;
use crate::protocol::{ErrorCode, OAuthError};

pub mod archive;
#[cfg(test)]
mod conformance;
pub mod embedded;
pub mod formats;
pub mod memory;
pub mod redis;
pub mod snapshot;

/// The name of one record: a one-byte kind (so that kinds never collide) and the record's own id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key(#[serde(with = "serde_bytes")] Vec<u8>);

/// What sort of record a key names. The numbers are stored: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Device, browser and offline sessions, by session id.
    Session = 1,
    /// Authorization codes and their tombstones, by digest.
    Code = 2,
    /// Sign-in transactions (an authorization request waiting for its person), by digest.
    Transaction = 3,
    /// Access tokens that cannot be verified from themselves (opaque or encrypted), by digest.
    AccessToken = 4,
    /// Access tokens revoked before their time, by `jti`.
    RevokedAccessToken = 5,
    /// Client assertions and `DPoP` proofs already seen, by `jti`.
    UsedAssertion = 6,
    /// People, by subject.
    Person = 7,
    /// Sign-in name -> subject.
    SignInName = 8,
    /// Clients registered at run time, by `client_id`.
    Client = 9,
    /// Remembered consent, by subject and client.
    Consent = 10,
    /// The signing keys, one record.
    SigningKeys = 11,
    /// What the store says about itself (format, creation).
    Store = 12,
    /// Second factors of people, by subject.
    Factors = 13,
    /// Pushed authorization requests, by digest of their reference.
    PushedRequest = 14,
    /// Device codes (RFC 8628), by digest.
    DeviceCode = 15,
    /// User code -> device code, by digest.
    UserCode = 16,
    /// Initial access tokens (RFC 7591), by their own id.
    InitialToken = 17,
    /// Session transfer tokens and their tombstones, by digest.
    TransferToken = 18,
    /// Clients that are to be told of a sign-out, by digest.
    LogoutNotice = 20,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::Session,
        Self::Code,
        Self::Transaction,
        Self::AccessToken,
        Self::RevokedAccessToken,
        Self::UsedAssertion,
        Self::Person,
        Self::SignInName,
        Self::Client,
        Self::Consent,
        Self::SigningKeys,
        Self::Store,
        Self::Factors,
        Self::PushedRequest,
        Self::DeviceCode,
        Self::UserCode,
        Self::InitialToken,
        Self::TransferToken,
        Self::LogoutNotice,
    ];

    /// The kind with this number.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// What an operator calls it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Code => "code",
            Self::Transaction => "transaction",
            Self::AccessToken => "access_token",
            Self::RevokedAccessToken => "revoked_access_token",
            Self::UsedAssertion => "used_assertion",
            Self::Person => "person",
            Self::SignInName => "sign_in_name",
            Self::Client => "client",
            Self::Consent => "consent",
            Self::SigningKeys => "signing_keys",
            Self::Store => "store",
            Self::Factors => "factors",
            Self::PushedRequest => "pushed_request",
            Self::DeviceCode => "device_code",
            Self::UserCode => "user_code",
            Self::InitialToken => "initial_token",
            Self::TransferToken => "transfer_token",
            Self::LogoutNotice => "logout_notice",
        }
    }
}

impl Key {
    /// A key of `kind` for the record called `id`.
    #[must_use]
    pub fn new(kind: Kind, id: impl AsRef<[u8]>) -> Self {
        let id = id.as_ref();
        let mut bytes = Vec::with_capacity(1 + id.len());
        bytes.push(kind as u8);
        bytes.extend_from_slice(id);
        Self(bytes)
    }

    /// The whole key as stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key that is stored as these bytes.
    #[must_use]
    pub fn stored(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// What sort of record it names; `None` for one of another release.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.0.first().and_then(|number| Kind::of(*number))
    }

    /// A stored key as an operator may read it: its kind, and the beginning of its id in hex. Ids are digests and names, no secrets.
    #[must_use]
    pub fn shown(stored: &[u8]) -> String {
        let Some((kind, id)) = stored.split_first() else { return "without a key".to_owned() };
        let kind = Kind::of(*kind).map_or_else(|| format!("of kind {kind}"), |kind| kind.label().to_owned());
        let shown = id.iter().take(16).fold(kind + " ", |mut shown, byte| {
            // Writing into a String cannot fail.
            let _ = write!(shown, "{byte:02x}");
            shown
        });
        if id.len() > 16 { shown + "…" } else { shown }
    }

    /// The record's own id: the key without its kind.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        &self.0[1..]
    }
}

/// The name of one index (a set of small members), e.g. the sessions of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Index(#[serde(with = "serde_bytes")] Vec<u8>);

/// What an index lists. The numbers are stored: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum IndexKind {
    /// Subject -> session ids.
    SessionsOfSubject = 1,
    /// All people: member = subject.
    People = 2,
    /// All stored clients: member = `client_id`.
    Clients = 3,
    /// Subject -> the clients that they consented to: member = `client_id`.
    ConsentsOfSubject = 4,
    /// Initial access tokens (RFC 7591): member = their id.
    InitialTokens = 5,
    /// The clients that are to be told of a sign-out: member = time and digest.
    LogoutNotices = 20,
}

impl Index {
    /// The index of `kind` that belongs to `owner` (empty for a global one).
    #[must_use]
    pub fn new(kind: IndexKind, owner: impl AsRef<[u8]>) -> Self {
        let owner = owner.as_ref();
        let mut bytes = Vec::with_capacity(1 + owner.len());
        bytes.push(kind as u8);
        bytes.extend_from_slice(owner);
        Self(bytes)
    }

    /// The whole name as stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The index whose whole name is stored as these bytes.
    #[must_use]
    pub fn stored(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

/// Which state of a record was read. Two states of a key never have the same version, even across delete and re-insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub u64);

/// A record as read: its bytes, the version to name in a compare-and-swap, and when it will be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The record's bytes, as written.
    pub value: Vec<u8>,
    /// The version to name in [`Store::compare_and_swap`].
    pub version: Version,
    /// When the record ceases to exist; `None` = never by itself.
    pub expires: Option<Timestamp>,
}

/// Why the store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The backend failed or cannot keep its promise now; the request may be tried again later.
    ///
    /// A write answered like this was not acknowledged: it is there in full or not at all, and only a read can tell.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// What is stored cannot be what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// A later release wrote it. Another server may be able to read it.
    #[error(
        "a record of kind {kind} has format {found}, and this release reads up to {known}: update every server of this store"
    )]
    Newer {
        /// What sort of record.
        kind: &'static str,
        /// Its format.
        found: u64,
        /// The newest that is read here.
        known: u8,
    },
    /// The value is larger than [`MAX_VALUE`], or a name longer than [`MAX_NAME`].
    #[error("a record of {0} bytes is too large")]
    TooLarge(usize),
}

/// The largest record accepted, in bytes.
pub const MAX_VALUE: usize = 1024 * 1024;

/// The longest key, index name or index member accepted, in bytes; a longer one is [`StorageError::TooLarge`].
pub const MAX_NAME: usize = 4096;

/// Refuses what no backend keeps.
fn check_size(names: &[&[u8]], value: &[u8]) -> Result<(), StorageError> {
    if value.len() > MAX_VALUE {
        return Err(StorageError::TooLarge(value.len()));
    }
    match names.iter().find(|name| name.len() > MAX_NAME) {
        Some(name) => Err(StorageError::TooLarge(name.len())),
        None => Ok(()),
    }
}

/// What every backend gives back.
pub type Outcome<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

/// The port. A backend is finished when the conformance suite passes on it.
///
/// A record whose `expires` has come does not exist for any operation, whether or not it was swept yet.
pub trait Store: std::fmt::Debug + Send + Sync + 'static {
    /// Reads one record.
    fn get<'a>(&'a self, key: &'a Key) -> Outcome<'a, Option<Stored>>;

    /// Waits until what a read has shown of a record, or that there is none, is as durable as what was acknowledged.
    ///
    /// A backend may show a write that it has not acknowledged, and lose it. So whoever acknowledges something because it is done
    /// already has this to ask first.
    fn settle<'a>(&'a self, key: &'a Key) -> Outcome<'a, ()> {
        // Where reads see nothing but what is durable.
        let _ = key;
        Box::pin(std::future::ready(Ok(())))
    }

    /// Writes a record unless one is there; says whether it was written.
    fn insert(&self, key: Key, value: Vec<u8>, expires: Option<Timestamp>) -> Outcome<'_, bool>;

    /// Replaces the record if it is still at `version`; says whether it did. `expires` replaces the old expiry.
    fn compare_and_swap(&self, key: Key, version: Version, value: Vec<u8>, expires: Option<Timestamp>) -> Outcome<'_, bool>;

    /// Takes a single-use record: one caller of many gets it. With `tombstone`, those bytes stand in its place until the
    /// record would have expired (or for ever if it had no expiry).
    ///
    /// The taker must be able to tell a tombstone from the real thing, because a second `take` returns the tombstone
    /// (and leaves it there when a `tombstone` is given again).
    fn take(&self, key: Key, tombstone: Option<Vec<u8>>) -> Outcome<'_, Option<Vec<u8>>>;

    /// Deletes a record; says whether one was there.
    fn delete(&self, key: Key) -> Outcome<'_, bool>;

    /// Adds a member to an index (again: its expiry is replaced).
    fn index_add(&self, index: Index, member: Vec<u8>, expires: Option<Timestamp>) -> Outcome<'_, ()>;

    /// The members of an index in byte order, the expired ones left out.
    fn index_list<'a>(&'a self, index: &'a Index) -> Outcome<'a, Vec<Vec<u8>>>;

    /// Removes a member from an index.
    fn index_remove(&self, index: Index, member: Vec<u8>) -> Outcome<'_, ()>;

    /// Everything that is kept, as of now.
    fn snapshot(&self) -> Outcome<'_, Box<dyn Snapshot>>;

    /// Whether a write would be durable right now; the answer of `/readyz`.
    fn ready(&self) -> Outcome<'_, ()>;

    /// Finishes what was accepted and lets go of the files. Later calls answer `Unavailable`.
    fn close(&self) -> Outcome<'_, ()>;
}

/// A store that any part may hold.
pub type SharedStore = Arc<dyn Store>;

/// How a failing store reads to a stranger: an unavailable one may be asked again, and so may a server of a later release where several
/// share a store; a damaged one is our fault.
impl From<StorageError> for OAuthError {
    fn from(error: StorageError) -> Self {
        match &error {
            StorageError::Unavailable(_) | StorageError::Newer { .. } => {
                Self::new(ErrorCode::TemporarilyUnavailable, "The server cannot store or read state right now; try again later.")
                    .because(error.to_string())
            }
            StorageError::Damaged(_) | StorageError::TooLarge(_) => Self::server_error(error.to_string()),
        }
    }
}
