//! The stored form of a client: versioned JSON with the digest of its secret. Must not know how it is looked up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client::{Client, ClientAuth, Origin};
use super::metadata::{self, Basis};
use crate::foundation::{Digest, Secret, Timestamp};
use crate::settings::meaning::ScopeMeaning;
use crate::storage::{Kind, StorageError};
use crate::tokens::SealingKey;

#[derive(Serialize, Deserialize)]
struct Record {
    client_id: String,
    issued_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<Digest>,
    /// The secret itself, sealed, where a digest will not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_secret: Option<String>,
    metadata: Map<String, Value>,
    /// Digest of the registration access token. A release that drops it takes from the client nothing but the right to change itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registration_token: Option<Digest>,
}

impl Record {
    /// Whether the release before could not read it.
    fn has_more(&self) -> bool {
        let is = |name: &str, value: &Value| self.metadata.get(name) == Some(value);
        let with_certificate = ["tls_client_auth", "self_signed_tls_client_auth"]
            .into_iter()
            .any(|method| is("token_endpoint_auth_method", &method.into()))
            || is("tls_client_certificate_bound_access_tokens", &true.into());
        self.sealed_secret.is_some()
            || ["jwks_uri", "session_transfer"].iter().any(|name| self.metadata.contains_key(*name))
            || with_certificate
    }

    fn encode(&self) -> Result<Vec<u8>, StorageError> {
        if self.has_more() { Kind::Client.write_json_with_more(self) } else { Kind::Client.write_json(self) }
    }

    /// The secret that is kept itself.
    fn open(&self, sealing: &SealingKey) -> Result<Option<Secret<String>>, StorageError> {
        let Some(sealed) = &self.sealed_secret else { return Ok(None) };
        let wrong = || StorageError::Damaged(format!("client record: the secret of {} cannot be opened", self.client_id));
        let bytes = sealing.open(&context(&self.client_id), sealed).map_err(|_| wrong())?;
        std::str::from_utf8(bytes.expose()).map(|text| Some(Secret::new(text.to_owned()))).map_err(|_| wrong())
    }
}

/// What a secret is sealed for: it opens nothing as another client's.
fn context(client_id: &str) -> String {
    format!("client secret\n{client_id}")
}

/// A client as bytes.
///
/// # Errors
/// Never in practice: JSON values are always writable.
pub(super) fn write(client: &Client, sealing: &SealingKey) -> Result<Vec<u8>, StorageError> {
    let sealed_secret = match &client.auth {
        ClientAuth::SecretJwt(secret) => Some(sealing.seal(&context(&client.id), secret.secret().expose().as_bytes())),
        _ => None,
    };
    let record = Record {
        client_id: client.id.clone(),
        issued_at: client.issued_at.unwrap_or_default(),
        secret: client.auth.secret(),
        sealed_secret,
        metadata: client.metadata.clone(),
        registration_token: client.registration_token,
    };
    record.encode()
}

/// The same record with its secret sealed anew; `None` when it has none.
///
/// # Errors
/// When this release cannot read it, or the secret cannot be opened.
pub(super) fn resealed(bytes: &[u8], sealing: &SealingKey) -> Result<Option<Vec<u8>>, StorageError> {
    let mut record: Record = Kind::Client.read_json(bytes)?;
    let Some(secret) = record.open(sealing)? else { return Ok(None) };
    record.sealed_secret = Some(sealing.seal(&context(&record.client_id), secret.expose().as_bytes()));
    record.encode().map(Some)
}

/// A client from bytes, with the scope values that the server knows now.
///
/// # Errors
/// When this release cannot read it, or its secret cannot be opened.
pub(super) fn read(
    bytes: &[u8],
    sealing: &SealingKey,
    known_scopes: &BTreeMap<String, ScopeMeaning>,
) -> Result<Client, StorageError> {
    let damaged = |what: String| StorageError::Damaged(format!("client record: {what}"));
    let record: Record = Kind::Client.read_json(bytes)?;
    let basis = Basis {
        origin: Origin::Registered,
        issued_at: Some(record.issued_at),
        kept_secret: record.secret,
        kept_text: record.open(sealing)?,
        generate_secret: false,
        is_stored: true,
    };
    let mut map = record.metadata;
    map.insert("client_id".to_owned(), Value::String(record.client_id.clone()));
    let registration = metadata::read(&map, known_scopes, basis).map_err(|errors| {
        damaged(format!("{}: {}", record.client_id, errors.first().map_or_else(String::new, ToString::to_string)))
    })?;
    Ok(Client { registration_token: record.registration_token, ..registration.client })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use serde_json::json;

    use super::*;
    use crate::clients::metadata::tests::{client, known_scopes, sealing};

    #[test]
    fn what_was_written_is_read_back() {
        let own = client(&json!({"client_id": "a", "client_secret": "a secret of mine", "redirect_uris": ["https://a.example/"],
            "scope": "openid read", "software_id": "s"}));
        let bytes = write(&own, &sealing()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("a secret of mine"));
        let read = read(&bytes, &sealing(), &known_scopes()).unwrap();
        assert_eq!((read.auth, read.scope, read.metadata), (own.auth, own.scope, own.metadata));
    }

    #[test]
    fn a_secret_that_is_needed_itself_is_sealed_and_can_be_sealed_anew() {
        let text = "a secret that is long enough for a MAC";
        let own = client(&json!({"client_id": "a", "client_secret": text, "token_endpoint_auth_method": "client_secret_jwt",
            "redirect_uris": ["https://a.example/"]}));
        let bytes = write(&own, &sealing()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(text));
        assert!(bytes.starts_with(br#"{"v":2,"#), "the release before could not read it");
        assert_eq!(read(&bytes, &sealing(), &known_scopes()).unwrap().auth, own.auth);
        let other = SealingKey::from_text(&Secret::new("ab".repeat(32))).unwrap();
        assert!(matches!(read(&bytes, &other, &known_scopes()), Err(StorageError::Damaged(_))));
        let anew = resealed(&bytes, &other.clone().after(vec![sealing()])).unwrap().unwrap();
        assert_eq!(read(&anew, &other, &known_scopes()).unwrap().auth, own.auth);
        // Nobody gets far by moving it to another client.
        let moved = String::from_utf8(bytes).unwrap().replace(r#""client_id":"a""#, r#""client_id":"b""#);
        assert!(read(moved.as_bytes(), &sealing(), &known_scopes()).is_err());
    }

    #[test]
    fn what_the_release_before_knows_is_written_as_it_reads_it() {
        let own =
            client(&json!({"client_id": "a", "client_secret": "a secret of mine", "redirect_uris": ["https://a.example/"]}));
        let bytes = write(&own, &sealing()).unwrap();
        assert!(bytes.starts_with(br#"{"v":1,"#));
        assert_eq!(resealed(&bytes, &sealing()).unwrap(), None);
        let own =
            client(&json!({"client_id": "a", "jwks_uri": "https://a.example/k", "token_endpoint_auth_method": "private_key_jwt",
            "redirect_uris": ["https://a.example/"]}));
        assert!(write(&own, &sealing()).unwrap().starts_with(br#"{"v":2,"#));
    }

    #[test]
    fn reads_what_release_0_1_wrote() {
        let bytes = br#"{"v":1,"client_id":"a","issued_at":1700000000,"secret":"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
            "metadata":{"redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"client_secret_post"}}"#;
        let client = read(bytes, &sealing(), &known_scopes()).unwrap();
        assert_eq!(client.auth.secret(), Some(Digest::of("")));
        assert_eq!(client.issued_at, Some(Timestamp(1_700_000_000)));
    }

    #[test]
    fn who_was_registered_before_introspection_was_a_right_keeps_it() {
        let stored = |more: &str| {
            let bytes = format!(
                r#"{{"v":1,"client_id":"a","issued_at":1,"secret":"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
                "metadata":{{"redirect_uris":["https://a.example/"],"authorization_details_types":["x"]{more}}}}}"#
            );
            read(bytes.as_bytes(), &sealing(), &known_scopes()).unwrap()
        };
        assert!(stored("").introspection && !stored(r#","introspection":false"#).introspection);
        assert!(!stored(r#","token_endpoint_auth_method":"none""#).introspection);
        assert_eq!(stored("").metadata["introspection"], true, "so that it can be seen and given back");
        let new =
            client(&json!({"client_id": "a", "client_secret": "a secret of mine", "redirect_uris": ["https://a.example/"]}));
        assert!(!read(&write(&new, &sealing()).unwrap(), &sealing(), &known_scopes()).unwrap().introspection);
    }

    #[test]
    fn a_scope_that_is_known_no_more_is_dropped() {
        let own = client(&json!({"client_id": "a", "redirect_uris": ["https://a.example/"], "scope": "openid read",
            "device_sso_family": "f", "device_sso_sources": [{"client_id": "b", "scope": "read openid"}]}));
        let mut known = known_scopes();
        known.remove("read");
        let read = read(&write(&own, &sealing()).unwrap(), &sealing(), &known).unwrap();
        assert_eq!(read.scope.to_string(), "openid");
        assert_eq!(read.device_sso_sources.unwrap()[0].scope.as_ref().unwrap().to_string(), "openid");
    }

    #[test]
    fn damage_is_named() {
        for bytes in
            [&b"not json"[..], br#"{"v":1,"client_id":"a","issued_at":1,"metadata":{"redirect_uris":["https://a.example/"]}}"#]
        {
            assert!(matches!(read(bytes, &sealing(), &known_scopes()), Err(StorageError::Damaged(_))));
        }
        let later = br#"{"v":3,"client_id":"a","issued_at":1,"metadata":{}}"#;
        assert!(matches!(read(later, &sealing(), &known_scopes()), Err(StorageError::Newer { .. })));
    }
}
