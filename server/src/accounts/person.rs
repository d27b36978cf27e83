//! One person: how they are stored, how their sign-in name is compared, which claims they may have.
//! Must not know the store or how passwords are verified.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::people::PeopleError;
use crate::foundation::Timestamp;
use crate::storage::{Kind, StorageError};

/// The longest sign-in name, in characters.
const MAX_NAME: usize = 256;
/// The most claims of one person, in bytes of JSON.
const MAX_CLAIMS: usize = 64 * 1024;
/// The deepest nesting of claims.
const MAX_DEPTH: usize = 16;

/// Claims that the server states about a token or a sign-in: a person must not be able to have them.
const RESERVED: [&str; 31] = [
    "acr",
    "act",
    "active",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "c_hash",
    "client_id",
    "cnf",
    "ds_hash",
    "events",
    "exp",
    "iat",
    "iss",
    "jti",
    "may_act",
    "nbf",
    "nonce",
    "s_hash",
    "scope",
    "sid",
    "sub",
    "sub_jwk",
    "token_type",
    "txn",
    "typ",
    "username",
    "_claim_names",
    "_claim_sources",
];

/// A person who may sign in.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Person {
    /// The subject of their tokens: 128 random bits, never used again.
    pub sub: String,
    /// The sign-in name, as written.
    pub name: String,
    /// Claims about them, released by scope.
    pub claims: Map<String, Value>,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// When they were added.
    pub created: Timestamp,
    /// When name, password, claims or `disabled` last changed.
    pub updated: Timestamp,
    /// The argon2id digest of their password in PHC form.
    pub(super) password: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither digest nor anything personal: this ends up in logs.
        f.debug_struct("Person").field("sub", &self.sub).field("disabled", &self.disabled).finish_non_exhaustive()
    }
}

impl Person {
    /// The person as an operator sees them: everything but the password.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("sub".to_owned(), self.sub.clone().into());
        out.insert("name".to_owned(), self.name.clone().into());
        out.insert("claims".to_owned(), self.claims.clone().into());
        out.insert("disabled".to_owned(), self.disabled.into());
        out.insert("created".to_owned(), self.created.0.into());
        out.insert("updated".to_owned(), self.updated.0.into());
        out
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, StorageError> {
        let record = Record {
            sub: self.sub.clone(),
            name: self.name.clone(),
            password: self.password.clone(),
            claims: self.claims.clone(),
            disabled: self.disabled,
            created: self.created,
            updated: self.updated,
        };
        Kind::Person.write_json(&record)
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, StorageError> {
        let record: Record = Kind::Person.read_json(bytes)?;
        Ok(Self {
            sub: record.sub,
            name: record.name,
            claims: record.claims,
            disabled: record.disabled,
            created: record.created,
            updated: record.updated,
            password: record.password,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    sub: String,
    name: String,
    password: String,
    #[serde(default)]
    claims: Map<String, Value>,
    #[serde(default)]
    disabled: bool,
    created: Timestamp,
    updated: Timestamp,
}

/// What a sign-in name points to.
#[derive(Serialize, Deserialize)]
pub(super) struct NameRecord {
    pub(super) sub: String,
}

impl NameRecord {
    pub(super) fn write(sub: &str) -> Result<Vec<u8>, StorageError> {
        Kind::SignInName.write_json(&Self { sub: sub.to_owned() })
    }

    /// The subject.
    pub(super) fn read(bytes: &[u8]) -> Result<String, StorageError> {
        Kind::SignInName.read_json::<Self>(bytes).map(|record| record.sub)
    }
}

/// The form in which sign-in names are compared: without surrounding space (keyboards add it), in lower case.
pub(super) fn sign_in_key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Checks a sign-in name.
pub(super) fn check_name(name: &str) -> Result<(), PeopleError> {
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME || name.chars().any(char::is_control) || name.trim() != name {
        return Err(PeopleError::Name);
    }
    Ok(())
}

/// Checks the claims of a person.
pub(super) fn check_claims(claims: &Map<String, Value>) -> Result<(), PeopleError> {
    for (name, value) in claims {
        if RESERVED.contains(&name.as_str()) || name.is_empty() || name.chars().any(char::is_control) {
            return Err(PeopleError::ReservedClaim(name.clone()));
        }
        if value.is_null() {
            return Err(PeopleError::NullClaim(name.clone()));
        }
    }
    let size = serde_json::to_vec(claims).map_or(usize::MAX, |bytes| bytes.len());
    if size > MAX_CLAIMS || claims.values().any(|value| is_deeper_than(value, MAX_DEPTH - 1)) {
        return Err(PeopleError::ClaimsTooLarge);
    }
    Ok(())
}

fn is_deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper_than(item, levels - 1)),
        Value::Object(members) => levels == 0 || members.values().any(|item| is_deeper_than(item, levels - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_release_0_1_wrote() {
        let person =
            Person::read(br#"{"v":1,"sub":"s","name":"Alice","password":"$argon2id$","created":5,"updated":6,"claims":{"a":1}}"#)
                .unwrap();
        assert_eq!((person.name.as_str(), person.disabled, person.claims["a"].clone()), ("Alice", false, json!(1)));
        assert_eq!(Person::read(&person.write().unwrap()).unwrap(), person);
        assert!(matches!(Person::read(br#"{"v":2}"#), Err(StorageError::Newer { .. })));
        assert!(matches!(NameRecord::read(b"{}"), Err(StorageError::Damaged(_))));
    }

    #[test]
    fn debug_shows_nothing_personal() {
        let person = Person::read(
            br#"{"v":1,"sub":"s","name":"Alice","password":"$argon2id$","created":5,"updated":6,"claims":{"email":"a@x"}}"#,
        )
        .unwrap();
        let text = format!("{person:?}");
        assert!(!text.contains("argon2") && !text.contains("Alice") && !text.contains("a@x"));
        assert!(!person.to_json().contains_key("password"));
    }

    #[test]
    fn names_and_claims_have_rules() {
        for bad in ["", " alice", "alice ", "a\nb", &"x".repeat(257)] {
            assert!(matches!(check_name(bad), Err(PeopleError::Name)), "{bad:?}");
        }
        assert!(check_name("Alice Müller").is_ok() && check_name("alice@example.com").is_ok());
        assert_eq!(sign_in_key(" ÄLICE "), "älice");
        let claims = |value: Value| check_claims(value.as_object().unwrap());
        assert!(claims(json!({"email": "a@x", "address": {"country": "CH"}})).is_ok());
        for name in RESERVED {
            assert!(matches!(claims(json!({name: "x"})), Err(PeopleError::ReservedClaim(_))), "{name}");
        }
        assert!(matches!(claims(json!({"a": null})), Err(PeopleError::NullClaim(_))));
        assert!(matches!(claims(json!({"a": "x".repeat(70_000)})), Err(PeopleError::ClaimsTooLarge)));
        let deep = (0..16).fold(json!(1), |inner, _| json!([inner]));
        assert!(matches!(claims(json!({ "a": deep })), Err(PeopleError::ClaimsTooLarge)));
    }
}
