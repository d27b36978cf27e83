//! The rules for a client's keys: public, asymmetric ones, by value (`jwks`) or by address (`jwks_uri`). Must not know how keys are used.

use serde_json::Value;
use url::{Host, Url};

use super::reader::{Reader, kind, shown};

/// The most keys one client may register.
const MAX_KEYS: usize = 32;
/// Members of RFC 7518 section 6 that only the owner of a key may know.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Where the keys of a client are.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// `jwks`
    pub(super) jwks: Option<Value>,
    /// `jwks_uri`
    pub(super) uri: Option<Url>,
    /// One of them is given, right or wrong.
    given: bool,
}

impl Keys {
    /// Refuses a client without a key that may verify signatures. What is at an address may change at any time; whether a key fits shows
    /// when it is used.
    pub(super) fn demand_signature(&self, r: &mut Reader<'_>, what: &str) {
        if !self.given {
            r.refuse("jwks", "nothing", format!("the public keys that verify its {what}"), "add jwks or jwks_uri");
        } else if self.jwks.as_ref().is_some_and(|jwks| !has_signature_key(jwks)) {
            r.refuse("jwks", "encryption keys only", "a key for signatures", "add a key without use or with use sig");
        }
    }
}

/// The keys, or their address. RFC 7591 section 2: not both.
pub(super) fn read(reader: &mut Reader<'_>) -> Keys {
    let given = reader.value("jwks").is_some() || reader.value("jwks_uri").is_some();
    if reader.value("jwks").is_some() && reader.value("jwks_uri").is_some() {
        reader.refuse("jwks_uri", "jwks and jwks_uri", "one of the two (RFC 7591 section 2)", "leave one out");
    }
    Keys { jwks: by_value(reader), uri: document(reader, "jwks_uri"), given }
}

/// The address of a document that this server fetches and believes: `https`, or `http` on this machine.
fn document(reader: &mut Reader<'_>, field: &str) -> Option<Url> {
    let text = reader.text(field)?;
    let url = address(reader, field, text)?;
    if url.fragment().is_some() {
        reader.refuse(field, shown(text), "an address without a fragment", "leave the fragment out");
        return None;
    }
    Some(url)
}

/// Such an address, perhaps with a fragment.
pub(super) fn address(reader: &mut Reader<'_>, field: &str, text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| text.len() <= 2048 && (url.scheme() == "https" || is_loopback_http(url)));
    let Some(url) = url else {
        reader.refuse(field, shown(text), "an absolute https address", "correct the address");
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        // It may hold a password.
        reader.refuse(field, "user information", "an address without user information", "leave it out of the address");
        return None;
    }
    Some(url)
}

/// Plain HTTP to this machine itself, where nobody is in between.
fn is_loopback_http(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && loopback
}

/// Of a document that was fetched, the keys that might have been registered. RFC 7517 section 5: what is not understood is passed over; so is
/// a key that is no secret any more. `None` when nothing is left.
pub(in crate::clients) fn public_keys(document: Value) -> Option<Value> {
    let Value::Object(mut members) = document else { return None };
    let Some(Value::Array(keys)) = members.remove("keys") else { return None };
    let is_public = |key: &Value| {
        let secret = |members: &serde_json::Map<String, Value>| PRIVATE.iter().any(|name| members.contains_key(*name));
        key.as_object().is_some_and(|members| !secret(members))
    };
    let keys: Vec<Value> = keys.into_iter().filter(is_public).take(MAX_KEYS).collect();
    (!keys.is_empty()).then(|| serde_json::json!({ "keys": keys }))
}

/// The key set, when every key in it may be registered. What is refused is never shown.
fn by_value(reader: &mut Reader<'_>) -> Option<Value> {
    let jwks = reader.value("jwks")?;
    let Some(keys) = jwks.get("keys").and_then(Value::as_array).filter(|keys| !keys.is_empty() && keys.len() <= MAX_KEYS) else {
        reader.refuse(
            "jwks",
            kind(jwks),
            format!("an object whose keys member lists 1 to {MAX_KEYS} keys"),
            "write a JWK set (RFC 7517)",
        );
        return None;
    };
    let before = reader.errors.len();
    for (n, key) in keys.iter().enumerate() {
        check(reader, &format!("jwks.keys[{n}]"), key);
    }
    (reader.errors.len() == before).then(|| jwks.clone())
}

fn check(reader: &mut Reader<'_>, field: &str, key: &Value) {
    let Some(members) = key.as_object() else {
        reader.refuse(field, kind(key), "a key as JSON object (RFC 7517)", "correct the key set");
        return;
    };
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        reader.refuse(field, "a private or symmetric key", "the public part alone", "replace the key, it is no longer secret");
        return;
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str).filter(|value| !value.is_empty());
    let needed: &[&str] = match text("kty") {
        Some("RSA") => &["n", "e"],
        Some("EC") => &["crv", "x", "y"],
        Some("OKP") => &["crv", "x"],
        _ => {
            reader.refuse(field, "another kty", "kty RSA, EC or OKP", "register an asymmetric public key");
            return;
        }
    };
    if let Some(missing) = needed.iter().find(|name| text(name).is_none()) {
        reader.refuse(
            field,
            format!("no {missing}"),
            format!("the members {}", needed.join(", ")),
            "export the public key again",
        );
    }
    for name in ["kid", "use", "alg"] {
        if members.get(name).is_some_and(|value| !value.is_string()) {
            reader.refuse(format!("{field}.{name}"), "no string", "a string", "write it as a string");
        }
    }
}

/// Whether one of the keys may verify signatures.
pub(super) fn has_signature_key(jwks: &Value) -> bool {
    jwks.get("keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .any(|key| key.get("use").and_then(Value::as_str).is_none_or(|used| used == "sig"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clients::metadata::tests::{client, public_key, refusals};

    fn with(more: &Value) -> Value {
        let mut all = json!({"client_id": "a", "redirect_uris": ["https://a.example/"]});
        if let (Some(all), Some(more)) = (all.as_object_mut(), more.as_object()) {
            all.extend(more.clone());
        }
        all
    }

    #[test]
    fn keys_may_be_at_an_address() {
        for fine in ["https://a.example/jwks?x=1", "http://127.0.0.1:8080/jwks", "http://[::1]/jwks", "http://localhost/jwks"] {
            let by_address = with(&json!({
                "jwks_uri": fine, "token_endpoint_auth_method": "private_key_jwt", "require_signed_request_object": true,
                "id_token_encrypted_response_alg": "RSA-OAEP-256",
            }));
            assert_eq!(client(&by_address).jwks_uri.as_ref().map(Url::as_str), Some(fine));
        }
        for wrong in [
            json!("http://a.example/jwks"),
            json!("http://10.0.0.1/jwks"),
            json!("ftp://a.example/"),
            json!("/jwks"),
            json!("https://a.example/#k"),
            json!("https://u:p@a.example/"),
            json!(7),
        ] {
            assert_eq!(refusals(&with(&json!({ "jwks_uri": wrong }))), ["jwks_uri"], "{wrong}");
        }
        let both = json!({"jwks": {"keys": [public_key()]}, "jwks_uri": "https://a.example/jwks"});
        assert_eq!(refusals(&with(&both)), ["jwks_uri"]);
    }

    #[test]
    fn of_a_fetched_document_the_public_keys_count() {
        let private = json!({"kty": "EC", "crv": "P-256", "x": "x", "y": "y", "d": "d"});
        let mixed = json!({"keys": [1, private, {"kty": "oct", "k": "k"}, public_key()], "more": 1});
        assert_eq!(public_keys(mixed), Some(json!({"keys": [public_key()]})));
        assert_eq!(public_keys(json!({"keys": vec![public_key(); 40]})), Some(json!({"keys": vec![public_key(); MAX_KEYS]})));
        for nothing in [json!([]), json!({}), json!({"keys": {}}), json!({"keys": []}), json!({"keys": [private]})] {
            assert_eq!(public_keys(nothing.clone()), None, "{nothing}");
        }
    }
}
