//! What a client may register for itself (RFC 7591 section 2): an allow-list over the metadata, so that no word of a stranger becomes a right
//! that only an operator may give. Must not know HTTP, nor who may register at all.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::client::{Client, ClientAuth};
use super::directory::{Added, Clients};
use super::error::ClientsError;
use super::metadata::links::FOR_PEOPLE;
use super::metadata::{MetadataError, Registration};
use super::software_statement;
use crate::foundation::{Digest, Secret, Timestamp, encoding, random};
use crate::protocol::names::{AUTHORIZATION_CODE, OFFLINE_ACCESS, OPENID, REFRESH_TOKEN};
use crate::settings::meaning::{ScopeMeaning, StatementIssuer};

/// The members that count, be it to be refused. Whatever else is sent is ignored (RFC 7591 section 2), and no handler ever sees it.
const HONOURED: [&str; 64] = [
    "redirect_uris",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "grant_types",
    "response_types",
    "application_type",
    "client_name",
    "client_uri",
    "logo_uri",
    "policy_uri",
    "tos_uri",
    "contacts",
    "scope",
    "jwks",
    "jwks_uri",
    "software_id",
    "software_version",
    "software_statement",
    "subject_type",
    "sector_identifier_uri",
    "id_token_signed_response_alg",
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "userinfo_signed_response_alg",
    "userinfo_encrypted_response_alg",
    "userinfo_encrypted_response_enc",
    "introspection_signed_response_alg",
    "introspection_encrypted_response_alg",
    "introspection_encrypted_response_enc",
    "access_token_format",
    "access_token_encrypted_response_alg",
    "access_token_encrypted_response_enc",
    "request_object_signing_alg",
    "request_object_encryption_alg",
    "request_uris",
    "require_signed_request_object",
    "require_pushed_authorization_requests",
    "require_pkce",
    "dpop_bound_access_tokens",
    "default_max_age",
    "require_auth_time",
    "default_acr_values",
    "initiate_login_uri",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "frontchannel_logout_uri",
    "frontchannel_logout_session_required",
    "authorization_signed_response_alg",
    "authorization_encrypted_response_alg",
    "authorization_encrypted_response_enc",
    "authorization_details_types",
    "request_object_encryption_enc",
    "backchannel_token_delivery_mode",
    "backchannel_client_notification_endpoint",
    "backchannel_authentication_request_signing_alg",
    "backchannel_user_code_parameter",
    "signed_jwks_uri",
    "tls_client_certificate_bound_access_tokens",
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
];

/// What only an operator may give: each a right over others, or over the person's consent.
const PRIVILEGES: [&str; 7] = [
    "session_transfer",
    "first_party",
    "introspection",
    "device_sso_family",
    "device_sso_sources",
    "compat_device_token",
    "allow_dotless_redirect_schemes",
];

/// What the server chooses.
const CHOSEN: [&str; 5] =
    ["client_id", "client_secret", "client_secret_expires_at", "client_id_issued_at", "registration_access_token"];

/// How far a client may go that registers itself.
#[derive(Debug, Clone, Copy)]
pub struct Allowed<'a> {
    /// `registration.scopes`.
    pub scopes: &'a [String],
    /// `registration.grant_types`.
    pub grant_types: &'a [String],
    /// `registration.software_statement_issuers`.
    pub issuers: &'a [StatementIssuer],
    /// Whether certificates of clients are read at all (`proxy.client_certificate_header`), as discovery says.
    pub certificates: bool,
    /// The present.
    pub now: Timestamp,
}

/// A registration, or a change of one, that is valid and not stored yet.
#[derive(Debug)]
pub struct Prepared {
    registration: Registration,
    map: Map<String, Value>,
}

/// A client that has registered itself.
#[derive(Debug)]
pub struct Registered {
    /// The client, with its secret if it has one.
    pub added: Added,
    /// Its registration access token, which is never known again.
    pub token: Secret<String>,
}

impl Prepared {
    /// The client as it will be.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.registration.client
    }
}

impl Clients {
    /// Reads the metadata of a client that wants to register itself; stores nothing.
    ///
    /// # Errors
    /// Everything that is wrong with it, and everything that it may not have.
    pub fn prepare(&self, metadata: &Map<String, Value>, allowed: Allowed<'_>) -> Result<Prepared, ClientsError> {
        let metadata =
            &software_statement::apply(metadata, allowed.issuers, None, allowed.now).map_err(ClientsError::Statement)?;
        let (map, mut errors) = allowed.judge(metadata, self.known_scopes());
        for name in CHOSEN.into_iter().filter(|name| metadata.get(*name).is_some_and(|value| !value.is_null())) {
            errors.push(refused(name, "a value", "nothing: the server chooses it", "leave it out"));
        }
        let read = Client::from_metadata(&map, self.known_scopes());
        let registration = all(errors, read).map_err(ClientsError::Invalid)?;
        Ok(Prepared { registration, map })
    }

    /// Registers a client that wanted it, to be gone at `unused_until` if nobody has signed in with it by then.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn register(&self, prepared: Prepared, unused_until: Option<Timestamp>) -> Result<Registered, ClientsError> {
        let token = encoding::encode(random::secret().expose());
        let mut registration = prepared.registration;
        registration.client.registration_token = Some(Digest::of(&token));
        registration.client.unused_until = unused_until;
        Ok(Registered { added: self.insert(registration).await?, token: Secret::new(token) })
    }

    /// Reads metadata that is to replace what `client` has registered (RFC 7592 section 2.2); stores nothing.
    ///
    /// # Errors
    /// Everything that is wrong with it, and everything that it may not have.
    pub fn prepare_change(
        &self,
        client: &Client,
        metadata: &Map<String, Value>,
        allowed: Allowed<'_>,
    ) -> Result<Prepared, ClientsError> {
        let known = client.metadata.get(software_statement::MEMBER);
        let metadata =
            &software_statement::apply(metadata, allowed.issuers, known, allowed.now).map_err(ClientsError::Statement)?;
        let (mut map, mut errors) = allowed.judge(metadata, self.known_scopes());
        let text = |name: &str| metadata.get(name).filter(|value| !value.is_null()).map(Value::as_str);
        if text("client_id") != Some(Some(&client.id)) {
            let expected = "the client_id of this address (RFC 7592 section 2.2)";
            errors.push(refused("client_id", "nothing or another value", expected, "repeat the client_id as registered"));
        }
        // It may repeat the secret that it has, and choose no other.
        let own = match &client.auth {
            ClientAuth::SecretJwt(secret) => Some(Digest::of(secret.secret().expose())),
            other => other.secret(),
        };
        if text("client_secret").is_some_and(|secret| secret.is_none_or(|secret| own != Some(Digest::of(secret)))) {
            let expected = "the secret as issued (RFC 7592 section 2.2)";
            errors.push(refused("client_secret", "another value", expected, "repeat it or leave it out"));
        }
        for name in ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"] {
            if metadata.get(name).is_some_and(|value| !value.is_null()) {
                errors.push(refused(name, "a value", "nothing (RFC 7592 section 2.2)", "leave it out"));
            }
        }
        map.insert("client_id".to_owned(), json!(client.id));
        let registration = all(errors, Client::from_metadata(&map, self.known_scopes())).map_err(ClientsError::Invalid)?;
        Ok(Prepared { registration, map })
    }

    /// Carries a change out. The client keeps its secret, unless its new method needs its first.
    ///
    /// # Errors
    /// When the client is gone, others keep changing it, or the store fails.
    pub async fn change(&self, prepared: &Prepared) -> Result<Added, ClientsError> {
        self.replace(&prepared.client().id, &prepared.map).await
    }
}

impl Allowed<'_> {
    /// The metadata as far as it counts, and what in it goes too far.
    fn judge(
        self,
        metadata: &Map<String, Value>,
        known: &BTreeMap<String, ScopeMeaning>,
    ) -> (Map<String, Value>, Vec<MetadataError>) {
        let mut errors = Vec::new();
        let for_people = |name: &str| name.split_once('#').is_some_and(|(base, _)| FOR_PEOPLE.contains(&base));
        let mut map: Map<String, Value> = metadata
            .iter()
            .filter(|(name, value)| !value.is_null() && (HONOURED.contains(&name.as_str()) || for_people(name)))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        for name in PRIVILEGES {
            if metadata.get(name).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false))) {
                errors.push(refused(name, "a value", "nothing: only the operator of this server gives it", "leave it out"));
            }
        }
        if !self.certificates {
            errors.extend(refuse_certificates(metadata));
        }
        // As a word of its own: what the default is, is no business of strangers.
        map.insert("introspection".to_owned(), json!(false));
        let listed = |name: &str| metadata.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let grants = || {
            if metadata.get("grant_types").is_none_or(Value::is_null) {
                vec![AUTHORIZATION_CODE]
            } else {
                listed("grant_types").collect()
            }
        };
        for grant in grants() {
            if !self.grant_types.iter().any(|own| own == grant) {
                errors.push(refused("grant_types", format!("{grant:?}"), self.grant_types.join(", "), "choose among these"));
            }
        }
        match metadata.get("scope").and_then(Value::as_str) {
            Some(text) => {
                for value in text.split(' ').filter(|value| !value.is_empty() && !self.scopes.iter().any(|own| own == value)) {
                    errors.push(refused("scope", format!("{value:?}"), self.scopes.join(", "), "choose among these"));
                }
            }
            // RFC 7591 section 2: then the server chooses. What it chooses without this list may be more than is allowed.
            None if metadata.get("scope").is_none_or(Value::is_null) => {
                let grants = grants();
                let has = |name: &str| grants.contains(&name);
                let standard = [OPENID, "profile", "email", "address", "phone"].into_iter().filter(|_| has(AUTHORIZATION_CODE));
                let offline = [OFFLINE_ACCESS].into_iter().filter(|_| has(AUTHORIZATION_CODE) && has(REFRESH_TOKEN));
                let scope: Vec<&str> = standard
                    .chain(offline)
                    .filter(|value| known.contains_key(*value) && self.scopes.iter().any(|own| own == value))
                    .collect();
                map.insert("scope".to_owned(), json!(scope.join(" ")));
            }
            None => {}
        }
        (map, errors)
    }
}

/// What of the metadata needs certificates (RFC 8705), where none are read: such a client could never get a token, or one that is not bound.
fn refuse_certificates(metadata: &Map<String, Value>) -> impl Iterator<Item = MetadataError> {
    let method = "token_endpoint_auth_method";
    let by_certificate = ["tls_client_auth", "self_signed_tls_client_auth"].into_iter().map(move |own| (method, json!(own)));
    let flags = ["tls_client_certificate_bound_access_tokens", "use_mtls_endpoint_aliases"].map(|flag| (flag, json!(true)));
    let needing = by_certificate.chain(flags).filter(|(name, value)| metadata.get(*name) == Some(value));
    let expected = "what needs no certificate: this server reads none of clients";
    needing.map(move |(name, value)| refused(name, value.to_string(), expected, "choose among what discovery announces"))
}

fn refused(field: &str, seen: impl Into<String>, expected: impl Into<String>, remedy: &str) -> MetadataError {
    MetadataError { field: field.to_owned(), seen: seen.into(), expected: expected.into(), remedy: remedy.to_owned() }
}

/// What was read, unless anything is wrong; of two who complain about one member the first is heard.
fn all<T>(mut errors: Vec<MetadataError>, read: Result<T, Vec<MetadataError>>) -> Result<T, Vec<MetadataError>> {
    match read {
        Ok(read) if errors.is_empty() => Ok(read),
        Ok(_) => Err(errors),
        Err(more) => {
            for error in more {
                if !errors.iter().any(|other| other.field == error.field) {
                    errors.push(error);
                }
            }
            Err(errors)
        }
    }
}

#[cfg(test)]
mod tests;
