//! Where people are kept and found. A person is one record by subject; a name is a second one that points to it.
//! Must not know sessions: whoever disables or deletes a person ends their sessions too.

use serde_json::{Map, Value};

use super::password::{Hasher, PasswordPolicy, Verdict};
use super::person::{NameRecord, Person, check_claims, check_name, sign_in_key};
use crate::foundation::{Clock, Digest, Secret, encoding, random};
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{Index, IndexKind, Key, Kind, SharedStore, StorageError};

/// How often a change that met another one is tried again.
const ATTEMPTS: usize = 8;

/// Why a person was not added, changed or verified. Never holds a password.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The sign-in name breaks the rules.
    #[error("a sign-in name has 1 to 256 characters, no control characters and no space at its ends")]
    Name,
    /// Somebody has this sign-in name, in this or another spelling.
    #[error("the sign-in name {0:?} is taken")]
    NameTaken(String),
    /// The password is too short or too long.
    #[error("a password has {shortest} to {longest} characters")]
    PasswordLength {
        /// The fewest characters.
        shortest: usize,
        /// The most characters.
        longest: usize,
    },
    /// A claim that only the server may state.
    #[error("the claim {0:?} is reserved for the server or has no valid name")]
    ReservedClaim(String),
    /// A claim without a value.
    #[error("the claim {0:?} is null; leave it out instead")]
    NullClaim(String),
    /// More than 64 KiB of claims, or nested more than 16 levels deep.
    #[error("the claims are larger than 64 KiB or nested too deep")]
    ClaimsTooLarge,
    /// Nobody has this subject.
    #[error("there is no such person")]
    Unknown,
    /// Others kept changing the record at the same time.
    #[error("the person was changed by somebody else at the same time")]
    Conflict,
    /// The password settings are impossible.
    #[error("sign_in.password cannot be used: {0}")]
    Policy(String),
    /// A digest could not be computed or read.
    #[error("the password digest failed: {0}")]
    Hashing(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<PeopleError> for OAuthError {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::Storage(error) => error.into(),
            PeopleError::Conflict => {
                Self::new(ErrorCode::TemporarilyUnavailable, "The account was changed at the same time; try again.")
                    .because(error.to_string())
            }
            PeopleError::Name
            | PeopleError::NameTaken(_)
            | PeopleError::PasswordLength { .. }
            | PeopleError::ReservedClaim(_)
            | PeopleError::NullClaim(_)
            | PeopleError::ClaimsTooLarge
            | PeopleError::Unknown => {
                Self::invalid_request("The account cannot be created or changed.").because(error.to_string())
            }
            PeopleError::Policy(_) | PeopleError::Hashing(_) => Self::server_error(error.to_string()),
        }
    }
}

/// What a sign-in name and a password came to. A stranger is told [`Right`](Self::Right) or not; the rest is for the log.
#[derive(Debug)]
pub enum PasswordCheck {
    /// The person, who may sign in.
    Right(Person),
    /// The password is theirs, but they may not sign in: their subject.
    Disabled(String),
    /// The password is not theirs: their subject.
    Wrong(String),
    /// Nobody has this name.
    Nobody,
}

/// All people of the server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct People {
    store: SharedStore,
    clock: Clock,
    hasher: Hasher,
}

impl People {
    /// The people in a store.
    ///
    /// # Errors
    /// [`PeopleError::Policy`] when argon2 cannot work with the policy.
    pub fn new(store: SharedStore, clock: Clock, policy: PasswordPolicy) -> Result<Self, PeopleError> {
        Ok(Self { store, clock, hasher: Hasher::new(policy)? })
    }

    /// Adds a person with a new subject.
    ///
    /// # Errors
    /// When name, password or claims break the rules, the name is taken, or the store fails.
    pub async fn add(&self, name: &str, password: Secret<String>, claims: Map<String, Value>) -> Result<Person, PeopleError> {
        check_name(name)?;
        check_claims(&claims)?;
        if self.subject_of(name).await?.is_some() {
            return Err(PeopleError::NameTaken(name.to_owned()));
        }
        let now = self.clock.now();
        let person = Person {
            sub: encoding::encode(random::bytes::<16>()),
            name: name.to_owned(),
            claims,
            disabled: false,
            created: now,
            updated: now,
            password: self.hasher.digest(password).await?,
        };
        // The name last: it decides who of two wins, and a person whom no name leads to is nobody yet.
        self.store.index_add(index_of(&person.sub), person.sub.clone().into_bytes(), None).await?;
        if !self.store.insert(person_key(&person.sub), person.write()?, None).await? {
            return Err(PeopleError::Conflict);
        }
        if !self.store.insert(name_key(name), NameRecord::write(&person.sub)?, None).await? {
            self.store.delete(person_key(&person.sub)).await?;
            self.forget(&person.sub).await?;
            return Err(PeopleError::NameTaken(name.to_owned()));
        }
        Ok(person)
    }

    /// The person with that sign-in name, in any spelling.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find_by_name(&self, name: &str) -> Result<Option<Person>, PeopleError> {
        match self.subject_of(name).await? {
            Some(sub) => self.find_by_sub(&sub).await,
            None => Ok(None),
        }
    }

    /// The person with that subject.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find_by_sub(&self, sub: &str) -> Result<Option<Person>, PeopleError> {
        let stored = self.store.get(&person_key(sub)).await?;
        Ok(stored.map(|stored| Person::read(&stored.value)).transpose()?)
    }

    /// All people, by sign-in name. One that this release cannot read is left out and logged.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self) -> Result<Vec<Person>, PeopleError> {
        let mut people = Vec::new();
        for sub in self.subjects().await? {
            let Some(stored) = self.store.get(&Key::new(Kind::Person, &sub)).await? else { continue };
            let person = match Person::read(&stored.value) {
                Ok(person) => person,
                Err(error) => {
                    tracing::error!(%error, "a person cannot be read");
                    continue;
                }
            };
            // What a broken-off `add` left behind, while somebody else got the name, is nobody.
            if self.subject_of(&person.name).await?.is_none_or(|sub| sub == person.sub) {
                people.push(person);
            }
        }
        people.sort_by_cached_key(|person| sign_in_key(&person.name));
        Ok(people)
    }

    /// Every subject that is listed.
    async fn subjects(&self) -> Result<Vec<Vec<u8>>, StorageError> {
        let mut found = self.store.index_list(&whole_index()).await?;
        for part in 0..=u8::MAX {
            found.extend(self.store.index_list(&Index::new(IndexKind::People, [part])).await?);
        }
        Ok(found)
    }

    /// Takes a subject off the lists.
    async fn forget(&self, sub: &str) -> Result<(), StorageError> {
        self.store.index_remove(index_of(sub), sub.as_bytes().to_vec()).await?;
        self.store.index_remove(whole_index(), sub.as_bytes().to_vec()).await
    }

    /// Replaces a person's password.
    ///
    /// # Errors
    /// When the password breaks the rules, there is no such person, or the store fails.
    pub async fn set_password(&self, sub: &str, password: Secret<String>) -> Result<Person, PeopleError> {
        let digest = self.hasher.digest(password).await?;
        self.change(sub, |person| person.password.clone_from(&digest)).await
    }

    /// Lets a person sign in or not. Their sessions are the caller's business.
    ///
    /// # Errors
    /// When there is no such person or the store fails.
    pub async fn set_disabled(&self, sub: &str, disabled: bool) -> Result<Person, PeopleError> {
        self.change(sub, |person| person.disabled = disabled).await
    }

    /// Deletes a person; says whether there was one. Their sessions are the caller's business.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete(&self, sub: &str) -> Result<bool, PeopleError> {
        let Some(person) = self.find_by_sub(sub).await? else {
            self.forget(sub).await?;
            return Ok(false);
        };
        // The name first, the index last: a deletion that broke off is still listed and can be repeated.
        if self.subject_of(&person.name).await?.as_deref() == Some(sub) {
            self.store.delete(name_key(&person.name)).await?;
        }
        let was_there = self.store.delete(person_key(sub)).await?;
        self.forget(sub).await?;
        Ok(was_there)
    }

    /// Whether the password is theirs and they are not disabled. Every other case costs the same.
    ///
    /// # Errors
    /// When the store or the digest fails.
    pub async fn verify_password(&self, name: &str, password: Secret<String>) -> Result<PasswordCheck, PeopleError> {
        let person = self.find_by_name(name).await?;
        let digest = person.as_ref().map(|person| person.password.clone());
        let verdict = self.hasher.verify(password, digest).await?;
        let Some(person) = person else { return Ok(PasswordCheck::Nobody) };
        if verdict == Verdict::Wrong {
            return Ok(PasswordCheck::Wrong(person.sub));
        }
        if person.disabled {
            return Ok(PasswordCheck::Disabled(person.sub));
        }
        if let Verdict::RightAndRenewed(digest) = verdict {
            let verified = person.password.clone();
            // Not if the password was changed meanwhile: the renewed digest is of the old one.
            let renewed = self
                .change(&person.sub, |now| {
                    if now.password == verified {
                        now.password.clone_from(&digest);
                    }
                })
                .await;
            if let Err(error) = renewed {
                tracing::warn!(sub = %person.sub, %error, "a password digest was not renewed");
            }
        }
        Ok(PasswordCheck::Right(person))
    }

    /// The subject that a sign-in name leads to: one read, whether or not somebody has the name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn subject_of(&self, name: &str) -> Result<Option<String>, PeopleError> {
        let stored = self.store.get(&name_key(name)).await?;
        Ok(stored.map(|stored| NameRecord::read(&stored.value)).transpose()?)
    }

    async fn change(&self, sub: &str, change: impl Fn(&mut Person)) -> Result<Person, PeopleError> {
        for _ in 0..ATTEMPTS {
            let stored = self.store.get(&person_key(sub)).await?.ok_or(PeopleError::Unknown)?;
            let mut person = Person::read(&stored.value)?;
            change(&mut person);
            person.updated = self.clock.now();
            if self.store.compare_and_swap(person_key(sub), stored.version, person.write()?, None).await? {
                return Ok(person);
            }
        }
        Err(PeopleError::Conflict)
    }
}

/// Whether a stored person can be read.
///
/// # Errors
/// Why not.
pub fn check_person(bytes: &[u8]) -> Result<(), StorageError> {
    Person::read(bytes).map(drop)
}

/// Whether a stored sign-in name can be read.
///
/// # Errors
/// Why not.
pub fn check_sign_in_name(bytes: &[u8]) -> Result<(), StorageError> {
    NameRecord::read(bytes).map(drop)
}

fn person_key(sub: &str) -> Key {
    Key::new(Kind::Person, sub)
}

fn name_key(name: &str) -> Key {
    // Bounded, because a stranger types it.
    let name: String = sign_in_key(name).chars().take(1024).collect();
    Key::new(Kind::SignInName, name)
}

/// The part of the list of all people that a subject is in. One list lies in one place: with a hundred million people that would be
/// ten gigabytes on one server of a cluster.
fn index_of(sub: &str) -> Index {
    Index::new(IndexKind::People, &Digest::of(sub).as_bytes()[..1])
}

/// Where everybody was listed before the list had parts.
fn whole_index() -> Index {
    Index::new(IndexKind::People, "")
}

#[cfg(test)]
mod tests;
