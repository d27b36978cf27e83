//! Remembered consent: what a person agreed to for a client, by scope.

use serde::{Deserialize, Serialize};

use super::request::AuthorizationRequest;
use crate::clients::Client;
use crate::foundation::Timestamp;
use crate::grants::engine::Engine;
use crate::protocol::Scope;
use crate::storage::{Key, Kind, StorageError};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Consent {
    scope: Scope,
    /// Claims that were asked for one by one, beyond those of the scope.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claims: Vec<String>,
    given: Timestamp,
}

impl Engine {
    /// Whether the person must be asked: never for first-party clients, else when scope or claims are beyond what was agreed to.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn needs_consent(
        &self,
        sub: &str,
        client: &Client,
        request: &AuthorizationRequest,
    ) -> Result<bool, StorageError> {
        if client.first_party {
            return Ok(false);
        }
        let Some(stored) = self.store().get(&key(sub, &client.id)).await? else { return Ok(true) };
        let (scope, claims) = agreed_to(client, decode(&stored.value)?);
        let agreed = [self.settings().claims_of(&scope), claims].concat();
        Ok(!request.scope.is_subset(&scope) || !request.claims.beyond(&agreed).is_empty())
    }

    /// Remembers what the person agreed to, beside what they agreed to before.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn remember_consent(
        &self,
        sub: &str,
        client: &Client,
        request: &AuthorizationRequest,
    ) -> Result<(), StorageError> {
        loop {
            let stored = self.store().get(&key(sub, &client.id)).await?;
            let (mut scope, mut claims) = match &stored {
                Some(stored) => agreed_to(client, decode(&stored.value)?),
                None => (Scope::default(), Vec::new()),
            };
            request.scope.iter().for_each(|value| scope.insert(value));
            let known = [self.settings().claims_of(&scope), claims.clone()].concat();
            claims.extend(request.claims.beyond(&known));
            let consent = Consent { scope, claims, given: self.clock().now() };
            let value = Kind::Consent.write_json(&consent)?;
            let written = match stored {
                Some(stored) => self.store().compare_and_swap(key(sub, &client.id), stored.version, value, None).await?,
                None => self.store().insert(key(sub, &client.id), value, None).await?,
            };
            if written {
                return Ok(());
            }
        }
    }
}

/// What was agreed to for this client: nothing, if it was said to an earlier one of the same id.
fn agreed_to(client: &Client, consent: Consent) -> (Scope, Vec<String>) {
    if client.stood_at(consent.given) { (consent.scope, consent.claims) } else { (Scope::default(), Vec::new()) }
}

fn key(sub: &str, client_id: &str) -> Key {
    // A subject has no zero byte, so the two parts cannot run together.
    Key::new(Kind::Consent, format!("{sub}\0{client_id}"))
}

/// Whether a stored consent can be read.
///
/// # Errors
/// Why not.
pub fn check(bytes: &[u8]) -> Result<(), StorageError> {
    decode(bytes).map(drop)
}

fn decode(bytes: &[u8]) -> Result<Consent, StorageError> {
    Kind::Consent.read_json(bytes)
}
