//! The metadata member `session_transfer`.

use serde_json::Value;

use super::is_client_id;
use super::reader::{Reader, kind, shown};
use crate::clients::session_transfer::{DeviceBinding, SessionTransfer};

/// The member.
pub(super) const FIELD: &str = "session_transfer";
/// The most apps from which people may come to one client.
const MAX_ORIGINS: usize = 50;

/// Reads it; what is left out has its default.
pub(super) fn read(r: &mut Reader<'_>) -> SessionTransfer {
    let mut out = SessionTransfer::default();
    let members = match r.value(FIELD) {
        None => return out,
        Some(Value::Object(members)) => members,
        Some(other) => {
            r.refuse(FIELD, kind(other), "an object", "write it in braces");
            return out;
        }
    };
    for (name, value) in members {
        let place = format!("{FIELD}.{name}");
        match name.as_str() {
            "can_create_session_transfer_token" => flag(r, &place, value, &mut out.can_create),
            "allow_refresh_token" => flag(r, &place, value, &mut out.allow_refresh_token),
            "enforce_cascade_revocation" => flag(r, &place, value, &mut out.cascade),
            "enforce_online_refresh_tokens" => flag(r, &place, value, &mut out.online_refresh_tokens),
            "allowed_authentication_methods" => {
                let methods = texts(r, &place, value);
                for other in methods.iter().filter(|method| !["cookie", "query"].contains(method)) {
                    r.refuse(&place, shown(other), "cookie, query", "leave out what is none of these");
                }
                (out.by_cookie, out.by_query) = (methods.contains(&"cookie"), methods.contains(&"query"));
            }
            "enforce_device_binding" => {
                if let Some(binding) = value.as_str().and_then(DeviceBinding::from_name) {
                    out.binding = binding;
                } else {
                    let seen = value.as_str().map_or_else(|| kind(value).to_owned(), shown);
                    let names = DeviceBinding::names().collect::<Vec<_>>().join(", ");
                    r.refuse(&place, seen, names, "choose one of these or leave it out");
                }
            }
            "allowed_origin_clients" if value.is_null() => {}
            "allowed_origin_clients" => out.origins = Some(origins(r, &place, value)),
            // A misspelt limit must not silently be no limit.
            _ => r.refuse(FIELD, shown(name), "the members that the documentation names", "correct or remove the member"),
        }
    }
    out
}

fn flag(r: &mut Reader<'_>, place: &str, value: &Value, out: &mut bool) {
    match value {
        Value::Bool(flag) => *out = *flag,
        other => r.refuse(place, kind(other), "true or false", "write it without quotes"),
    }
}

fn texts<'a>(r: &mut Reader<'_>, place: &str, value: &'a Value) -> Vec<&'a str> {
    let items = value.as_array().map(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    let Some(Some(texts)) = items else {
        r.refuse(place, kind(value), "an array of strings", "put strings in square brackets");
        return Vec::new();
    };
    texts
}

fn origins(r: &mut Reader<'_>, place: &str, value: &Value) -> Vec<String> {
    let ids = texts(r, place, value);
    if ids.len() > MAX_ORIGINS {
        r.refuse(place, format!("{} clients", ids.len()), format!("at most {MAX_ORIGINS} clients"), "leave some out");
    }
    for wrong in ids.iter().filter(|id| !is_client_id(id)) {
        r.refuse(place, shown(wrong), "client_ids", "correct the entry");
    }
    ids.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clients::metadata::tests::{client, refusals};
    use crate::network::Binding;

    fn with(session_transfer: &Value) -> Value {
        json!({"client_id": "a", "redirect_uris": ["https://a.example/"], "session_transfer": session_transfer})
    }

    #[test]
    fn the_sources_own_example_is_read() {
        let read = client(&with(&json!({
            "can_create_session_transfer_token": false, "allowed_authentication_methods": ["cookie", "query"],
            "enforce_device_binding": "ip", "allow_refresh_token": false, "enforce_cascade_revocation": true,
            "enforce_online_refresh_tokens": true,
        })));
        let expected = SessionTransfer {
            by_cookie: true,
            by_query: true,
            binding: DeviceBinding::Network(Binding::Ip),
            ..SessionTransfer::default()
        };
        assert_eq!(read.session_transfer, expected);
        assert_eq!(client(&with(&Value::Null)).session_transfer, SessionTransfer::default());
        assert!(!client(&with(&json!({}))).session_transfer.can_create);
    }

    #[test]
    fn what_was_not_said_is_shown_with_its_default() {
        let own = client(&with(&json!({"can_create_session_transfer_token": true})));
        let shown = own.session_transfer.to_json();
        assert_eq!(shown["enforce_device_binding"], "ip");
        assert_eq!(shown["enforce_cascade_revocation"], true);
        assert_eq!(shown["allowed_authentication_methods"], json!([]));
        // Defaults are filled in where it is read: kept is what came.
        assert_eq!(own.session_transfer.binding, DeviceBinding::Network(Binding::Ip));
        assert_eq!(own.metadata[FIELD], json!({"can_create_session_transfer_token": true}));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for (member, value, place) in [
            ("can_create_session_transfer_token", json!("true"), "session_transfer.can_create_session_transfer_token"),
            ("allowed_authentication_methods", json!("cookie"), "session_transfer.allowed_authentication_methods"),
            ("allowed_authentication_methods", json!(["header"]), "session_transfer.allowed_authentication_methods"),
            ("allowed_authentication_methods", json!([1]), "session_transfer.allowed_authentication_methods"),
            ("enforce_device_binding", json!("mac"), "session_transfer.enforce_device_binding"),
            ("enforce_device_binding", json!(true), "session_transfer.enforce_device_binding"),
            ("allow_refresh_tokens", json!(true), "session_transfer"),
            ("allowed_origin_clients", json!(["a b"]), "session_transfer.allowed_origin_clients"),
            ("allowed_origin_clients", json!(vec!["a"; 51]), "session_transfer.allowed_origin_clients"),
        ] {
            assert_eq!(refusals(&with(&json!({ member: value.clone() }))), [place], "{member} {value}");
        }
        assert_eq!(refusals(&with(&json!([]))), [FIELD]);
    }
}
