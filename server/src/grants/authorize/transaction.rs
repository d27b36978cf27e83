//! Sign-in transactions: an authorization request that waits for its person. Each is bound to the browser that began it,
//! so that nobody can be made to finish somebody else's (login CSRF), and is taken once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::request::AuthorizationRequest;
use crate::foundation::{Clock, Digest, Secret, encoding, random};
use crate::sessions::Transfer;
use crate::storage::{Key, Kind, SharedStore, StorageError, Version};
use crate::tokens::session_id::SessionId;

/// The stored transaction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transaction {
    /// What is asked for.
    pub request: AuthorizationRequest,
    /// Digest of the browser's binding cookie.
    pub browser: Digest,
    /// How far it has come.
    #[serde(flatten)]
    pub progress: Progress,
}

/// How far a request has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The browser session of the person whom it is about: who signed in for it, or was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Whether that person signed in for this very request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
    /// Whether somebody shall sign in who is not among the people of the browser.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub another: bool,
    /// Whether a session transfer token began that session for this very request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub begun: bool,
    /// What the session transfer token said of its making that brought the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Box<Transfer>>,
}

/// A transaction as read.
#[derive(Debug)]
pub struct Waiting {
    /// Its handle, as it stands in the form.
    pub handle: Secret<String>,
    /// What it says.
    pub transaction: Transaction,
    version: Version,
}

/// The transactions of the store.
#[derive(Debug, Clone)]
pub struct Transactions {
    store: SharedStore,
    clock: Clock,
}

impl Transactions {
    /// The transactions kept in `store`.
    #[must_use]
    pub const fn new(store: SharedStore, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Begins a transaction; gives its handle.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begin(&self, transaction: &Transaction, lifetime: Duration) -> Result<Secret<String>, StorageError> {
        let handle = Secret::new(encoding::encode(random::secret().expose()));
        self.store.insert(key(&handle), encode(transaction)?, Some(self.clock.now().plus(lifetime))).await?;
        Ok(handle)
    }

    /// Finds the transaction of a form, if it belongs to the browser that sends it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(&self, handle: Secret<String>, browser: &Secret<String>) -> Result<Option<Waiting>, StorageError> {
        let Some(stored) = self.store.get(&key(&handle)).await? else { return Ok(None) };
        let transaction = decode(&stored.value)?;
        let own = transaction.browser == Digest::of(browser.expose());
        Ok(own.then_some(Waiting { handle, transaction, version: stored.version }))
    }

    /// Notes how far a transaction has come, and gives its person time again; false when it changed meanwhile.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn note(&self, waiting: &Waiting, progress: Progress, lifetime: Duration) -> Result<bool, StorageError> {
        let transaction = Transaction { progress, ..waiting.transaction.clone() };
        let expires = Some(self.clock.now().plus(lifetime));
        self.store.compare_and_swap(key(&waiting.handle), waiting.version, encode(&transaction)?, expires).await
    }

    /// Ends a transaction with an answer: one caller of many is told true.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn finish(&self, handle: &Secret<String>) -> Result<bool, StorageError> {
        Ok(self.store.take(key(handle), None).await?.is_some())
    }
}

fn key(handle: &Secret<String>) -> Key {
    Key::new(Kind::Transaction, Digest::of(handle.expose()).as_bytes())
}

/// Whether a stored transaction can be read.
///
/// # Errors
/// Why not.
pub fn check(bytes: &[u8]) -> Result<(), StorageError> {
    decode(bytes).map(drop)
}

fn decode(bytes: &[u8]) -> Result<Transaction, StorageError> {
    Kind::Transaction.read_json(bytes)
}

fn encode(transaction: &Transaction) -> Result<Vec<u8>, StorageError> {
    if transaction.request.has_more() || transaction.progress.transfer.is_some() {
        Kind::Transaction.write_json_with_more(transaction)
    } else {
        Kind::Transaction.write_json(transaction)
    }
}
