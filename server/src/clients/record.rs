//! The stored form of a client: versioned JSON with the digest of its secret. Must not know how it is looked up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client::{Client, Origin};
use super::metadata::{self, Basis};
use crate::foundation::{Digest, Timestamp};
use crate::settings::meaning::ScopeMeaning;
use crate::storage::{Kind, StorageError};

#[derive(Serialize, Deserialize)]
struct Record {
    client_id: String,
    issued_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<Digest>,
    metadata: Map<String, Value>,
}

/// A client as bytes.
///
/// # Errors
/// Never in practice: JSON values are always writable.
pub(super) fn write(client: &Client) -> Result<Vec<u8>, StorageError> {
    let record = Record {
        client_id: client.id.clone(),
        issued_at: client.issued_at.unwrap_or_default(),
        secret: client.auth.secret(),
        metadata: client.metadata.clone(),
    };
    Kind::Client.write_json(&record)
}

/// A client from bytes, with the scope values that the server knows now.
///
/// # Errors
/// When this release cannot read it.
pub(super) fn read(bytes: &[u8], known_scopes: &BTreeMap<String, ScopeMeaning>) -> Result<Client, StorageError> {
    let damaged = |what: String| StorageError::Damaged(format!("client record: {what}"));
    let record: Record = Kind::Client.read_json(bytes)?;
    let basis = Basis {
        origin: Origin::Registered,
        issued_at: Some(record.issued_at),
        kept_secret: record.secret,
        generate_secret: false,
        forgive_scope: true,
    };
    let mut map = record.metadata;
    map.insert("client_id".to_owned(), Value::String(record.client_id.clone()));
    let registration = metadata::read(&map, known_scopes, basis).map_err(|errors| {
        damaged(format!("{}: {}", record.client_id, errors.first().map_or_else(String::new, ToString::to_string)))
    })?;
    Ok(registration.client)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use serde_json::json;

    use super::*;
    use crate::clients::metadata::tests::{client, known_scopes};

    #[test]
    fn what_was_written_is_read_back() {
        let own = client(&json!({"client_id": "a", "client_secret": "a secret of mine", "redirect_uris": ["https://a.example/"],
            "scope": "openid read", "software_id": "s"}));
        let bytes = write(&own).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("a secret of mine"));
        let read = read(&bytes, &known_scopes()).unwrap();
        assert_eq!((read.auth, read.scope, read.metadata), (own.auth, own.scope, own.metadata));
    }

    #[test]
    fn reads_what_release_0_1_wrote() {
        let bytes = br#"{"v":1,"client_id":"a","issued_at":1700000000,"secret":"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
            "metadata":{"redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"client_secret_post"}}"#;
        let client = read(bytes, &known_scopes()).unwrap();
        assert_eq!(client.auth.secret(), Some(Digest::of("")));
        assert_eq!(client.issued_at, Some(Timestamp(1_700_000_000)));
    }

    #[test]
    fn a_scope_that_is_known_no_more_is_dropped() {
        let own = client(&json!({"client_id": "a", "redirect_uris": ["https://a.example/"], "scope": "openid read",
            "device_sso_family": "f", "device_sso_sources": [{"client_id": "b", "scope": "read openid"}]}));
        let mut known = known_scopes();
        known.remove("read");
        let read = read(&write(&own).unwrap(), &known).unwrap();
        assert_eq!(read.scope.to_string(), "openid");
        assert_eq!(read.device_sso_sources.unwrap()[0].scope.as_ref().unwrap().to_string(), "openid");
    }

    #[test]
    fn damage_is_named() {
        for bytes in
            [&b"not json"[..], br#"{"v":1,"client_id":"a","issued_at":1,"metadata":{"redirect_uris":["https://a.example/"]}}"#]
        {
            assert!(matches!(read(bytes, &known_scopes()), Err(StorageError::Damaged(_))));
        }
        let later = br#"{"v":2,"client_id":"a","issued_at":1,"metadata":{}}"#;
        assert!(matches!(read(later, &known_scopes()), Err(StorageError::Newer { .. })));
    }
}
