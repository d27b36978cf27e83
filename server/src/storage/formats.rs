//! The formats of records: which this release reads, and which it writes. Owns the numbers and the rule by which two releases share a
//! store; must not know what stands in a record.
//!
//! The rule: a release reads every format of the releases before it, and writes none that the one before it does not read. A new format is
//! therefore read one release before it is written, or written for nothing but what the release before could not do. Members
//! may be added without a new format when it does no harm that a server of the release before drops them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Kind, StorageError};

/// The formats of one kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formats {
    /// The newest that is read; so is every older one.
    pub reads: u8,
    /// The one that is written.
    pub writes: u8,
}

/// The member that tells a record's format. A record without it is of the first.
#[derive(Debug, Deserialize)]
pub struct Head {
    /// The format.
    #[serde(default = "first", alias = "format")]
    v: u64,
}

/// A record with its format.
#[derive(Serialize)]
struct Written<'a, T> {
    v: u8,
    #[serde(flatten)]
    record: &'a T,
}

const fn first() -> u64 {
    1
}

impl Kind {
    /// The formats of its records. `None` for those that are only there or not.
    #[must_use]
    pub const fn formats(self) -> Option<Formats> {
        match self {
            // A session is written in format 3 when it has what format 2 has no members for, and only then.
            Self::Session => Some(Formats { reads: 3, writes: 2 }),
            // Likewise in format 2.
            Self::Code | Self::Transaction | Self::AccessToken | Self::Client => Some(Formats { reads: 2, writes: 1 }),
            Self::Person
            | Self::SignInName
            | Self::Consent
            | Self::Factors
            | Self::DeviceCode
            | Self::UserCode
            | Self::SigningKeys
            | Self::PushedRequest
            | Self::InitialToken
            | Self::TransferToken
            | Self::LogoutNotice => Some(Formats { reads: 1, writes: 1 }),
            Self::RevokedAccessToken | Self::UsedAssertion | Self::Store => None,
        }
    }

    /// The format that is written; 1 where there is only one.
    #[must_use]
    pub const fn written(self) -> u8 {
        match self.formats() {
            Some(formats) => formats.writes,
            None => 1,
        }
    }

    /// The newest format that is read; 1 where there is only one.
    #[must_use]
    pub const fn newest(self) -> u8 {
        match self.formats() {
            Some(formats) => formats.reads,
            None => 1,
        }
    }

    /// Refuses a record that only a later release can read.
    ///
    /// # Errors
    /// [`StorageError::Newer`].
    pub fn accept(self, format: u64) -> Result<(), StorageError> {
        match self.formats() {
            Some(Formats { reads, .. }) if format > u64::from(reads) => {
                Err(StorageError::Newer { kind: self.label(), found: format, known: reads })
            }
            _ => Ok(()),
        }
    }

    /// The same by the head of a record, when that can be read at all.
    ///
    /// # Errors
    /// [`StorageError::Newer`].
    pub fn accept_head<E>(self, head: Result<Head, E>) -> Result<(), StorageError> {
        head.map_or(Ok(()), |head| self.accept(head.v))
    }

    /// Writes a record as JSON.
    ///
    /// # Errors
    /// Never for what our records are made of.
    pub fn write_json<T: Serialize>(self, record: &T) -> Result<Vec<u8>, StorageError> {
        self.write_json_as(self.written(), record)
    }

    /// Writes a record as JSON in the newest format: one with a member that a server of the release before must not drop.
    ///
    /// # Errors
    /// Never for what our records are made of.
    pub fn write_json_with_more<T: Serialize>(self, record: &T) -> Result<Vec<u8>, StorageError> {
        self.write_json_as(self.newest(), record)
    }

    fn write_json_as<T: Serialize>(self, v: u8, record: &T) -> Result<Vec<u8>, StorageError> {
        serde_json::to_vec(&Written { v, record })
            .map_err(|error| StorageError::Damaged(format!("a record of kind {} cannot be written: {error}", self.label())))
    }

    /// Reads a record that is JSON.
    ///
    /// # Errors
    /// [`StorageError::Newer`] for one of a later release, [`StorageError::Damaged`] for what is no such record; without any of its
    /// content, which may be somebody's.
    pub fn read_json<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, StorageError> {
        self.accept_head(serde_json::from_slice(bytes))?;
        serde_json::from_slice(bytes).map_err(|error| {
            StorageError::Damaged(format!("a record of kind {} cannot be read at {}", self.label(), error.column()))
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Thing {
        name: String,
    }

    #[test]
    fn what_is_written_can_be_read() {
        for kind in Kind::ALL {
            assert!(kind.formats().is_none_or(|formats| (1..=formats.reads).contains(&formats.writes)), "{kind:?}");
        }
    }

    #[test]
    fn a_later_record_is_told_from_a_damaged_one() {
        let read = |bytes: &str| Kind::Consent.read_json::<Thing>(bytes.as_bytes());
        assert_eq!(Kind::Consent.write_json(&Thing { name: "a".to_owned() }).unwrap(), br#"{"v":1,"name":"a"}"#);
        assert_eq!(read(r#"{"name":"a"}"#).unwrap().name, "a");
        assert_eq!(read(r#"{"v":1,"name":"a"}"#).unwrap().name, "a");
        for later in [r#"{"v":2,"name":"a"}"#, r#"{"v":2,"name":{"of":"another shape"}}"#, r#"{"format":7}"#] {
            let error = read(later).unwrap_err();
            assert!(matches!(error, StorageError::Newer { kind: "consent", known: 1, .. }), "{error}");
        }
        for damaged in ["", "{", "[]", r#"{"v":1}"#, r#"{"v":"two"}"#] {
            let error = read(damaged).unwrap_err();
            assert!(matches!(error, StorageError::Damaged(_)), "{error}");
        }
    }
}
