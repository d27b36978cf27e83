//! Remembered consent: what a person agreed to for a client, by scope; and which clients these are.

use serde::{Deserialize, Serialize};

use super::request::AuthorizationRequest;
use crate::clients::Client;
use crate::foundation::Timestamp;
use crate::grants::engine::Engine;
use crate::protocol::Scope;
use crate::storage::{Index, IndexKind, Key, Kind, StorageError, Stored};

/// What a person agreed to for a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::grants) struct Consent {
    /// The scope.
    pub(in crate::grants) scope: Scope,
    /// Claims that were asked for one by one, beyond those of the scope.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::grants) claims: Vec<String>,
    /// The APIs that the request named (RFC 8707). The release before neither names nor keeps them; then the person is asked once more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::grants) resources: Vec<String>,
    /// When the person last said so.
    pub(in crate::grants) given: Timestamp,
    /// Whether the client is in the list of the person's consents. The release before drops this; then it is entered once more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    listed: bool,
}

impl Engine {
    /// Whether the person must be asked: never for first-party clients, else when scope, claims or APIs are beyond what was agreed to.
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
        let consent = decode(&stored.value)?;
        if !consent.listed {
            self.list_consent(sub, client, stored, &consent).await?;
        }
        let Some(consent) = standing(client, consent) else { return Ok(true) };
        let agreed = [self.settings().claims_of(&consent.scope), consent.claims].concat();
        let knows_all = request.resources.iter().all(|resource| consent.resources.contains(resource));
        Ok(!knows_all || !request.scope.is_subset(&consent.scope) || !request.claims.beyond(&agreed).is_empty())
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
            let before = match &stored {
                Some(stored) => standing(client, decode(&stored.value)?),
                None => None,
            };
            let before = before.map(|consent| (consent.scope, consent.claims, consent.resources));
            let (mut scope, mut claims, mut resources) = before.unwrap_or_default();
            request.scope.iter().for_each(|value| scope.insert(value));
            let known = [self.settings().claims_of(&scope), claims.clone()].concat();
            claims.extend(request.claims.beyond(&known));
            let new = request.resources.iter().filter(|resource| !resources.contains(resource)).cloned().collect::<Vec<_>>();
            resources.extend(new);
            let consent = Consent { scope, claims, resources, given: self.clock().now(), listed: true };
            if self.write_consent(sub, &client.id, stored, &consent).await? {
                return Ok(());
            }
        }
    }

    /// A consent that an earlier release wrote is entered into the list when it is used. If somebody else is faster, they have done it.
    async fn list_consent(&self, sub: &str, client: &Client, stored: Stored, consent: &Consent) -> Result<(), StorageError> {
        let listed = Consent { listed: true, ..consent.clone() };
        self.write_consent(sub, &client.id, Some(stored), &listed).await.map(drop)
    }

    /// Writes a consent; says whether nobody else was faster. The entry first, so that no crash leaves a consent that is not listed; and
    /// once more afterwards, for it may have been pruned in between.
    async fn write_consent(
        &self,
        sub: &str,
        client_id: &str,
        before: Option<Stored>,
        consent: &Consent,
    ) -> Result<bool, StorageError> {
        let value = Kind::Consent.write_json(consent)?;
        self.store().index_add(list(sub), client_id.into(), None).await?;
        let written = match before {
            Some(before) => self.store().compare_and_swap(key(sub, client_id), before.version, value, None).await?,
            None => self.store().insert(key(sub, client_id), value, None).await?,
        };
        if written {
            self.store().index_add(list(sub), client_id.into(), None).await?;
        }
        Ok(written)
    }

    /// Whether the person has agreed to that scope for the client, or the client need not ask.
    ///
    /// # Errors
    /// When the store fails.
    pub(in crate::grants) async fn has_agreed(&self, sub: &str, client: &Client, scope: &Scope) -> Result<bool, StorageError> {
        Ok(client.first_party || self.consent(sub, client).await?.is_some_and(|consent| scope.is_subset(&consent.scope)))
    }

    /// What a person agreed to for a client.
    ///
    /// # Errors
    /// When the store fails.
    pub(in crate::grants) async fn consent(&self, sub: &str, client: &Client) -> Result<Option<Consent>, StorageError> {
        let Some(stored) = self.store().get(&key(sub, &client.id)).await? else { return Ok(None) };
        Ok(standing(client, decode(&stored.value)?))
    }

    /// The clients in the list of a person's consents, in the order of their names. Entries without a consent are pruned on the way.
    ///
    /// # Errors
    /// When the store fails.
    pub(in crate::grants) async fn consented_clients(&self, sub: &str) -> Result<Vec<String>, StorageError> {
        let mut clients = Vec::new();
        for member in self.store().index_list(&list(sub)).await? {
            // Only what we write is in there.
            let Ok(client_id) = String::from_utf8(member) else { continue };
            if self.store().get(&key(sub, &client_id)).await?.is_some() {
                clients.push(client_id);
            } else {
                self.prune_consent(sub, &client_id).await?;
            }
        }
        Ok(clients)
    }

    /// Forgets what a person agreed to for a client; says whether there was anything.
    ///
    /// # Errors
    /// When the store fails.
    pub(in crate::grants) async fn forget_consent(&self, sub: &str, client_id: &str) -> Result<bool, StorageError> {
        let taken = self.store().take(key(sub, client_id), None).await?;
        if taken.is_none() {
            // Whoever is told that there is none must be able to rely on it.
            self.store().settle(&key(sub, client_id)).await?;
        }
        self.prune_consent(sub, client_id).await?;
        Ok(taken.is_some())
    }

    /// Takes an entry without a consent out of the list. One that is just being given puts it back, or we do.
    async fn prune_consent(&self, sub: &str, client_id: &str) -> Result<(), StorageError> {
        self.store().index_remove(list(sub), client_id.into()).await?;
        if self.store().get(&key(sub, client_id)).await?.is_some() {
            self.store().index_add(list(sub), client_id.into(), None).await?;
        }
        Ok(())
    }
}

/// What was agreed to for this client: nothing, if it was said to an earlier one of the same id.
fn standing(client: &Client, consent: Consent) -> Option<Consent> {
    client.stood_at(consent.given).then_some(consent)
}

fn list(sub: &str) -> Index {
    Index::new(IndexKind::ConsentsOfSubject, sub)
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests;
