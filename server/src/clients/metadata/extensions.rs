//! Metadata members beyond RFC 7591: access tokens, device SSO, and what is refused because this server does not do it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::reader::{Reader, kind, shown};
use super::{is_client_id, parse_scope};
use crate::clients::client::DirectedShare;
use crate::settings::meaning::{AccessTokenFormat, ScopeMeaning};

/// Members of the IANA registry that promise what this server does not do: ignoring them would be a broken promise.
const UNSUPPORTED: [(&str, &str); 11] = [
    ("authorization_signed_response_alg", PLAIN_ANSWERS),
    ("authorization_encrypted_response_alg", PLAIN_ANSWERS),
    ("authorization_encrypted_response_enc", PLAIN_ANSWERS),
    ("request_object_encryption_alg", SIGNED_REQUESTS),
    ("request_object_encryption_enc", SIGNED_REQUESTS),
    ("authorization_details_types", "nothing: this server has no authorization_details (RFC 9396)"),
    ("backchannel_token_delivery_mode", NO_CIBA),
    ("backchannel_client_notification_endpoint", NO_CIBA),
    ("backchannel_authentication_request_signing_alg", NO_CIBA),
    ("backchannel_user_code_parameter", NO_CIBA),
    ("signed_jwks_uri", "jwks or jwks_uri: this server is in no federation"),
];
const PLAIN_ANSWERS: &str = "authorization responses as plain parameters";
const SIGNED_REQUESTS: &str = "request objects that are signed only";
const NO_CIBA: &str = "nothing: this server has no backchannel authentication (CIBA)";

pub(super) fn access_token_format(r: &mut Reader<'_>) -> Option<AccessTokenFormat> {
    match r.word("access_token_format", &["jwt", "opaque"])? {
        "jwt" => Some(AccessTokenFormat::Jwt),
        _ => Some(AccessTokenFormat::Opaque),
    }
}

pub(super) fn family(r: &mut Reader<'_>) -> Option<String> {
    r.line("device_sso_family", 128)
}

/// `device_sso_sources`: `client_id`s, or objects with `client_id`, `scope` and `offline_access`.
pub(super) fn sources(r: &mut Reader<'_>, known: &BTreeMap<String, ScopeMeaning>, forgive: bool) -> Option<Vec<DirectedShare>> {
    let field = "device_sso_sources";
    let value = r.value(field)?;
    let Some(items) = value.as_array() else {
        r.refuse(field, kind(value), "an array of client_ids or objects with client_id", "put it in square brackets");
        return None;
    };
    if r.value("device_sso_family").is_none() {
        r.refuse(
            field,
            "no device_sso_family",
            "device_sso_family beside it: sharing needs a family first",
            "add device_sso_family",
        );
    }
    let mut shares: Vec<DirectedShare> = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let place = format!("{field}[{n}]");
        let share = match item {
            Value::String(id) => Some(DirectedShare { client_id: id.clone(), scope: None, offline_access: true }),
            Value::Object(members) => source(r, &place, members, known, forgive),
            other => {
                r.refuse(&place, kind(other), "a client_id or an object with client_id", "correct the entry");
                None
            }
        };
        let Some(share) = share else { continue };
        if !is_client_id(&share.client_id) {
            r.refuse(&place, shown(&share.client_id), "a client_id", "correct the entry");
        } else if shares.iter().any(|other| other.client_id == share.client_id) {
            r.refuse(&place, shown(&share.client_id), "each client once", "remove the repeated entry");
        } else {
            shares.push(share);
        }
    }
    Some(shares)
}

fn source(
    r: &mut Reader<'_>,
    place: &str,
    members: &Map<String, Value>,
    known: &BTreeMap<String, ScopeMeaning>,
    forgive: bool,
) -> Option<DirectedShare> {
    let before = r.errors.len();
    let mut share = DirectedShare { client_id: String::new(), scope: None, offline_access: true };
    for (name, value) in members {
        match (name.as_str(), value) {
            ("client_id", Value::String(id)) => share.client_id.clone_from(id),
            ("scope", Value::String(text)) => share.scope = parse_scope(r, &format!("{place}.scope"), text, known, forgive),
            ("offline_access", Value::Bool(flag)) => share.offline_access = *flag,
            // A misspelt limit must not silently be no limit.
            (name, value) => {
                let seen = format!("{} with {}", shown(name), kind(value));
                r.refuse(
                    place,
                    seen,
                    "client_id (string), scope (string), offline_access (true or false)",
                    "correct or remove the member",
                );
            }
        }
    }
    (r.errors.len() == before).then_some(share)
}

/// Refuses members whose promise this server does not keep.
pub(super) fn refuse_unsupported(r: &mut Reader<'_>) {
    for (field, expected) in UNSUPPORTED {
        let harmless = [Value::Null, Value::Bool(false), Value::String("none".to_owned()), Value::Array(Vec::new())];
        if r.value(field).is_some_and(|value| !harmless.contains(value)) {
            r.refuse(field, "a value", expected, "leave it out");
        }
    }
}
