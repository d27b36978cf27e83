//! Where clients are found and kept: those of the settings file, read-only, and those of the store.
//! Must not know how clients authenticate.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::cache::Cache;
use super::client::{Client, ClientAuth, Origin};
use super::error::ClientsError;
use super::keys::ClientKeys;
use super::metadata::{self, Basis, MetadataError, Registration, is_client_id};
use super::record;
use crate::foundation::{Clock, Digest, Secret};
use crate::outbound::Outbound;
use crate::settings::meaning::{FileClient, ScopeMeaning};
use crate::settings::{Finding, Findings};
use crate::storage::{Index, IndexKind, Key, Kind, SharedStore, StorageError, Stored};
use crate::tokens::SealingKey;

/// How often an update that met another one is tried again.
const ATTEMPTS: usize = 8;

/// All clients of the server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clients(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: SharedStore,
    clock: Clock,
    file: HashMap<String, Arc<Client>>,
    known_scopes: BTreeMap<String, ScopeMeaning>,
    cache: Cache,
    keys: ClientKeys,
    sealing: SealingKey,
}

/// A client that was just registered or changed.
#[derive(Debug)]
pub struct Added {
    /// The client.
    pub client: Arc<Client>,
    /// Its secret, when it was given or made now. It is never known again.
    pub client_secret: Option<Secret<String>>,
}

impl Added {
    /// The answer of RFC 7591 section 3.2.1, with the secret.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut out = self.client.to_json();
        if let Some(secret) = &self.client_secret {
            out.insert("client_secret".to_owned(), json!(secret.expose()));
            out.insert("client_secret_expires_at".to_owned(), json!(0));
        }
        out
    }
}

impl Clients {
    /// The directory over a store and the `[[clients]]` of the settings. `outbound` is the way to what clients publish, `sealing`
    /// keeps those secrets of clients that are needed themselves.
    ///
    /// # Errors
    /// Everything that is wrong with the clients of the settings, each with its place.
    pub fn new(
        store: SharedStore,
        clock: Clock,
        outbound: Outbound,
        sealing: SealingKey,
        file_clients: &[FileClient],
        known_scopes: BTreeMap<String, ScopeMeaning>,
    ) -> Result<Self, Findings> {
        let (file, findings) = read_file_clients(file_clients, &known_scopes);
        findings.unless_any(())?;
        let keys = ClientKeys::new(outbound, clock.clone());
        Ok(Self(Arc::new(Inner { store, clock, file, known_scopes, cache: Cache::default(), keys, sealing })))
    }

    /// Their public keys.
    #[must_use]
    pub fn keys(&self) -> &ClientKeys {
        &self.0.keys
    }

    /// The client of that id. A hit is one look into memory; a stored client is read again after five seconds.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(&self, client_id: &str) -> Result<Option<Arc<Client>>, StorageError> {
        let inner = &*self.0;
        if let Some(client) = inner.file.get(client_id) {
            return Ok(Some(Arc::clone(client)));
        }
        if !is_client_id(client_id) {
            return Ok(None);
        }
        let now = inner.clock.now_millis();
        if let Some(client) = inner.cache.get(client_id, now) {
            let is_gone = client.unused_until.is_some_and(|until| until <= inner.clock.now());
            return Ok(Some(client).filter(|_| !is_gone));
        }
        let generation = inner.cache.generation();
        let Some(stored) = inner.store.get(&Key::new(Kind::Client, client_id)).await? else {
            return Ok(None);
        };
        let client = Arc::new(inner.read(&stored)?);
        inner.cache.put(&client, now, generation);
        Ok(Some(client))
    }

    /// The client of that id, for an operator.
    ///
    /// # Errors
    /// [`ClientsError::Unknown`] when there is none; when the store fails.
    pub async fn show(&self, client_id: &str) -> Result<Arc<Client>, ClientsError> {
        self.find(client_id).await?.ok_or_else(|| ClientsError::Unknown(client_id.to_owned()))
    }

    /// All clients, by id. One that this release cannot read is left out and logged.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self) -> Result<Vec<Arc<Client>>, StorageError> {
        let inner = &*self.0;
        let mut clients: BTreeMap<String, Arc<Client>> =
            inner.file.iter().map(|(id, client)| (id.clone(), Arc::clone(client))).collect();
        for id in inner.store.index_list(&Index::new(IndexKind::Clients, "")).await? {
            let Some(stored) = inner.store.get(&Key::new(Kind::Client, &id)).await? else { continue };
            match inner.read(&stored) {
                Ok(client) => {
                    clients.entry(client.id.clone()).or_insert_with(|| Arc::new(client));
                }
                Err(error) => tracing::error!(%error, "a stored client cannot be read"),
            }
        }
        Ok(clients.into_values().collect())
    }

    /// Registers a client.
    ///
    /// # Errors
    /// When the metadata is wrong, the id is taken, or the store fails.
    pub async fn add(&self, metadata: &Map<String, Value>) -> Result<Added, ClientsError> {
        self.insert(Client::from_metadata(metadata, &self.0.known_scopes).map_err(ClientsError::Invalid)?).await
    }

    /// Adds a client as read.
    ///
    /// # Errors
    /// When the id is taken or the store fails.
    pub(super) async fn insert(&self, mut registration: Registration) -> Result<Added, ClientsError> {
        let inner = &*self.0;
        registration.client.issued_at = Some(inner.clock.now());
        let expires = registration.client.unused_until;
        let id = registration.client.id.clone();
        if inner.file.contains_key(&id) {
            return Err(ClientsError::Duplicate(id));
        }
        let value = record::write(&registration.client, &inner.sealing)?;
        // The index first: an entry without a record is skipped, a record without an entry would never be listed.
        inner.store.index_add(Index::new(IndexKind::Clients, ""), id.clone().into_bytes(), expires).await?;
        if !inner.store.insert(Key::new(Kind::Client, &id), value, expires).await? {
            return Err(ClientsError::Duplicate(id));
        }
        inner.cache.drop_client(&id);
        Ok(added(registration))
    }

    /// Replaces the metadata of a stored client. Without a `client_secret` it keeps the one it has, or gets one if its
    /// new method needs the first.
    ///
    /// # Errors
    /// When the metadata is wrong or names another id, the client is unknown or read-only, or the store fails.
    pub async fn update(&self, client_id: &str, metadata: &Map<String, Value>) -> Result<Added, ClientsError> {
        let updated = self.replace(client_id, metadata).await?;
        // What an operator has taken in hand is no litter of strangers any more.
        self.keep(client_id).await?;
        Ok(updated)
    }

    /// The same; a client that is gone if nobody signs in with it stays so.
    pub(super) async fn replace(&self, client_id: &str, metadata: &Map<String, Value>) -> Result<Added, ClientsError> {
        self.rewrite(client_id, |_| metadata.clone()).await
    }

    /// The same with metadata that are made of those that it has.
    pub(super) async fn rewrite<F>(&self, client_id: &str, make: F) -> Result<Added, ClientsError>
    where
        F: Fn(&Client) -> Map<String, Value>,
    {
        let inner = &*self.0;
        self.refuse_read_only(client_id)?;
        for _ in 0..ATTEMPTS {
            let key = Key::new(Kind::Client, client_id);
            let stored = inner.store.get(&key).await?.ok_or_else(|| ClientsError::Unknown(client_id.to_owned()))?;
            let old = record::read(&stored.value, &inner.sealing, &inner.known_scopes)?;
            let mut map = make(&old);
            let named = map.insert("client_id".to_owned(), json!(client_id));
            if let Some(named) = named.filter(|named| !named.is_null() && named != client_id) {
                return Err(ClientsError::Invalid(vec![MetadataError {
                    field: "client_id".to_owned(),
                    seen: named.as_str().map_or_else(|| "no string".to_owned(), |text| format!("{text:?}")),
                    expected: format!("{client_id:?}: the id of a client never changes"),
                    remedy: "leave it out, or add a client of the other id".to_owned(),
                }]));
            }
            let kept_text = match &old.auth {
                ClientAuth::SecretJwt(secret) => Some(secret.secret()),
                _ => None,
            };
            let basis = Basis {
                origin: Origin::Registered,
                issued_at: old.issued_at,
                kept_secret: old.auth.secret().or_else(|| kept_text.map(|text| Digest::of(text.expose()))),
                kept_text: kept_text.cloned(),
                generate_secret: true,
                is_stored: false,
            };
            let mut registration = metadata::read(&map, &inner.known_scopes, basis).map_err(ClientsError::Invalid)?;
            registration.client.registration_token = old.registration_token;
            registration.client.unused_until = stored.expires;
            let value = record::write(&registration.client, &inner.sealing)?;
            if inner.store.compare_and_swap(key, stored.version, value, stored.expires).await? {
                inner.cache.drop_client(client_id);
                return Ok(added(registration));
            }
        }
        Err(ClientsError::Conflict(client_id.to_owned()))
    }

    /// Seals the secret of every stored client anew, with the present sealing key, whichever it was sealed with.
    ///
    /// # Errors
    /// When the store fails, a secret cannot be opened, or others keep changing a client.
    pub async fn reseal(&self) -> Result<(), ClientsError> {
        let inner = &*self.0;
        for id in inner.store.index_list(&Index::new(IndexKind::Clients, "")).await? {
            let key = Key::new(Kind::Client, &id);
            let mut done = false;
            for _ in 0..ATTEMPTS {
                let Some(stored) = inner.store.get(&key).await? else { break };
                done = match record::resealed(&stored.value, &inner.sealing)? {
                    Some(value) => inner.store.compare_and_swap(key.clone(), stored.version, value, stored.expires).await?,
                    None => true,
                };
                if done {
                    break;
                }
            }
            if !done && inner.store.get(&key).await?.is_some() {
                return Err(ClientsError::Conflict(String::from_utf8_lossy(&id).into_owned()));
            }
        }
        Ok(())
    }

    /// Keeps a client for good that would be gone if nobody had signed in with it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep(&self, client_id: &str) -> Result<(), StorageError> {
        let inner = &*self.0;
        let key = Key::new(Kind::Client, client_id);
        while let Some(stored) = inner.store.get(&key).await?.filter(|stored| stored.expires.is_some()) {
            inner.store.index_add(Index::new(IndexKind::Clients, ""), client_id.as_bytes().to_vec(), None).await?;
            if inner.store.compare_and_swap(key.clone(), stored.version, stored.value, None).await? {
                inner.cache.drop_client(client_id);
                break;
            }
        }
        Ok(())
    }

    /// Deletes a stored client; says whether there was one. Takes up to a second: by the times of registration and issue one tells
    /// what was issued to a client from what was issued to an earlier one of its id, and these times are in whole seconds.
    ///
    /// # Errors
    /// When the client is read-only or the store fails.
    pub async fn delete(&self, client_id: &str) -> Result<bool, ClientsError> {
        let inner = &*self.0;
        self.refuse_read_only(client_id)?;
        let key = Key::new(Kind::Client, client_id);
        let index = || Index::new(IndexKind::Clients, "");
        let was_there = inner.store.delete(key.clone()).await?;
        inner.cache.drop_client(client_id);
        inner.store.index_remove(index(), client_id.as_bytes().to_vec()).await?;
        if inner.store.get(&key).await?.is_some() {
            // Registered again meanwhile: its index entry may be the one just removed.
            inner.store.index_add(index(), client_id.as_bytes().to_vec(), None).await?;
        }
        if was_there {
            tokio::time::sleep(Duration::from_millis(1000 - inner.clock.now_millis() % 1000)).await;
        }
        Ok(was_there)
    }

    /// The scope values that clients may have.
    pub(super) fn known_scopes(&self) -> &BTreeMap<String, ScopeMeaning> {
        &self.0.known_scopes
    }

    fn refuse_read_only(&self, client_id: &str) -> Result<(), ClientsError> {
        match self.0.file.get(client_id).map(|client| &client.origin) {
            Some(Origin::File(place)) => Err(ClientsError::ReadOnly { id: client_id.to_owned(), place: place.clone() }),
            _ => Ok(()),
        }
    }
}

impl Inner {
    fn read(&self, stored: &Stored) -> Result<Client, StorageError> {
        let client = record::read(&stored.value, &self.sealing, &self.known_scopes)?;
        Ok(Client { unused_until: stored.expires, ..client })
    }
}

fn added(registration: Registration) -> Added {
    Added { client: Arc::new(registration.client), client_secret: registration.client_secret }
}

/// Whether a stored client can be read, and is one that this release would register.
///
/// # Errors
/// Why not.
pub fn check_record(
    bytes: &[u8],
    sealing: &SealingKey,
    known_scopes: &BTreeMap<String, ScopeMeaning>,
) -> Result<(), StorageError> {
    record::read(bytes, sealing, known_scopes).map(drop)
}

/// Everything that is wrong with the `[[clients]]` of the settings, each with its place.
#[must_use]
pub fn check(file_clients: &[FileClient], known_scopes: &BTreeMap<String, ScopeMeaning>) -> Findings {
    read_file_clients(file_clients, known_scopes).1
}

fn read_file_clients(
    file_clients: &[FileClient],
    known_scopes: &BTreeMap<String, ScopeMeaning>,
) -> (HashMap<String, Arc<Client>>, Findings) {
    let mut findings = Findings::default();
    let mut file: HashMap<String, Arc<Client>> = HashMap::new();
    let mut places: HashMap<&str, &str> = HashMap::new();
    for entry in file_clients {
        let id = entry.metadata.get("client_id").and_then(Value::as_str).unwrap_or_default();
        match places.get(id).filter(|_| !id.is_empty()) {
            None => drop(places.insert(id, &entry.place)),
            Some(first) => findings.0.push(Finding {
                id: "client.duplicate",
                place: entry.place.clone(),
                seen: format!("client_id {id:?}, as in {first}"),
                expected: "each client_id once".to_owned(),
                remedy: "rename or remove one of the two".to_owned(),
            }),
        }
        match read_file_client(entry, known_scopes) {
            Ok(client) => drop(file.insert(client.id.clone(), Arc::new(client))),
            Err(mut found) => findings.0.append(&mut found),
        }
    }
    (file, findings)
}

/// One `[[clients]]` entry: nothing is made up for it, because what is made at one start would differ at the next.
fn read_file_client(entry: &FileClient, known_scopes: &BTreeMap<String, ScopeMeaning>) -> Result<Client, Vec<Finding>> {
    let map = &entry.metadata;
    if !map.get("client_id").is_some_and(Value::is_string) {
        return Err(vec![Finding {
            id: "client.metadata",
            place: format!("{} client_id", entry.place),
            seen: "nothing".to_owned(),
            expected: "the client_id as a string".to_owned(),
            remedy: "add client_id".to_owned(),
        }]);
    }
    let origin = Origin::File(entry.place.clone());
    let basis = Basis { origin, issued_at: None, kept_secret: None, kept_text: None, generate_secret: false, is_stored: false };
    metadata::read(map, known_scopes, basis).map(|registration| registration.client).map_err(|errors| {
        errors
            .into_iter()
            .map(|error| Finding {
                id: "client.metadata",
                place: format!("{} {}", entry.place, error.field),
                seen: error.seen,
                expected: error.expected,
                remedy: error.remedy,
            })
            .collect()
    })
}

#[cfg(test)]
mod tests;
