//! The stored form of the signing keys: one record, sealed as a whole. Knows bytes, not schedules.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::KeyError;
use crate::foundation::{Secret, Timestamp, encoding, random};
use crate::settings::meaning::SigningAlg;
use crate::storage::Kind;
use crate::tokens::sealing::SealingKey;

/// What the record is sealed for.
const CONTEXT: &str = "signing-keys";

/// All keys of the server, in the order in which they were made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    format: u8,
    /// The key of `derive`; made once, never changed, because what was derived must be derivable again.
    #[serde(with = "bytes")]
    pub(super) derivation: Secret<Vec<u8>>,
    pub(super) keys: Vec<StoredKey>,
}

/// One key. When it stops verifying follows from its successor and the policy, so it is not stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredKey {
    #[serde(with = "alg")]
    pub(super) alg: SigningAlg,
    /// PKCS#8 DER.
    #[serde(with = "bytes")]
    pub(super) private: Secret<Vec<u8>>,
    pub(super) created: Timestamp,
    pub(super) signs_from: Timestamp,
}

impl Record {
    /// No signing keys yet, and a new derivation key.
    pub(super) fn new() -> Self {
        Self { format: Kind::SigningKeys.written(), derivation: Secret::new(random::bytes::<32>().to_vec()), keys: Vec::new() }
    }

    /// The bytes to store.
    pub(super) fn seal(&self, sealing: &SealingKey) -> Result<Vec<u8>, KeyError> {
        let plain =
            serde_json::to_vec(self).map(Zeroizing::new).map_err(|_| KeyError::Damaged("the record cannot be written"))?;
        Ok(sealing.seal(CONTEXT, &plain).into_bytes())
    }

    /// Reads stored bytes.
    pub(super) fn open(sealing: &SealingKey, stored: &[u8]) -> Result<Self, KeyError> {
        let text = std::str::from_utf8(stored).map_err(|_| KeyError::Damaged("the record is not text"))?;
        let plain = sealing.open(CONTEXT, text).map_err(|_| KeyError::WrongSealingKey)?;
        let unread = |_| KeyError::Damaged("the record does not parse");
        Kind::SigningKeys.accept_head(serde_json::from_slice(plain.expose()))?;
        serde_json::from_slice(plain.expose()).map_err(unread)
    }
}

mod bytes {
    use super::{Deserialize, Deserializer, Secret, Serializer, Zeroizing, encoding};

    pub(super) fn serialize<S: Serializer>(bytes: &Secret<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(encoding::encode(bytes.expose())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<Vec<u8>>, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        encoding::decode(&text).map(Secret::new).ok_or_else(|| serde::de::Error::custom("not base64url"))
    }
}

mod alg {
    use super::{Deserialize, Deserializer, Serializer, SigningAlg};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes every field by reference")]
    pub(super) fn serialize<S: Serializer>(alg: &SigningAlg, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(alg.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SigningAlg, D::Error> {
        let name = String::deserialize(deserializer)?;
        SigningAlg::from_name(&name).ok_or_else(|| serde::de::Error::custom("an unknown algorithm"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn key() -> SealingKey {
        SealingKey::from_text(&Secret::new("07".repeat(32))).unwrap()
    }

    #[test]
    fn a_record_survives_sealing() {
        let mut record = Record::new();
        let private = Secret::new(vec![1, 2, 3]);
        record.keys.push(StoredKey { alg: SigningAlg::EdDsa, private, created: Timestamp(5), signs_from: Timestamp(6) });
        let read = Record::open(&key(), &record.seal(&key()).unwrap()).unwrap();
        assert_eq!(read.derivation.expose(), record.derivation.expose());
        assert_eq!(
            (read.keys[0].alg, read.keys[0].created, read.keys[0].signs_from),
            (SigningAlg::EdDsa, Timestamp(5), Timestamp(6))
        );
        assert_eq!(read.keys[0].private.expose(), &[1, 2, 3]);
    }

    #[test]
    fn the_layout_on_disk_stays_readable() {
        // What release 0.1 writes, before sealing. A change that breaks this needs a reader for the old form.
        let plain = r#"{"format":1,"derivation":"AAEC","keys":[{"alg":"ES256","private":"AwQF","created":7,"signs_from":8}]}"#;
        let record = Record::open(&key(), key().seal(CONTEXT, plain.as_bytes()).as_bytes()).unwrap();
        assert_eq!(record.derivation.expose(), &[0, 1, 2]);
        assert_eq!(record.keys[0].private.expose(), &[3, 4, 5]);
        assert_eq!(serde_json::to_string(&record).unwrap(), plain);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let error = |plain: &str| Record::open(&key(), key().seal(CONTEXT, plain.as_bytes()).as_bytes()).unwrap_err().to_string();
        assert!(error(r#"{"format":2,"new":true}"#).contains("format 2, and this release reads up to 1"));
        assert!(error("{}").contains("does not parse"));
        let other = key().seal("another purpose", b"{}");
        assert!(matches!(Record::open(&key(), other.as_bytes()), Err(KeyError::WrongSealingKey)));
        assert!(matches!(Record::open(&key(), &[0xff]), Err(KeyError::Damaged(_))));
    }
}
