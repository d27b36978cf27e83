//! The rules for a client's `jwks`: public, asymmetric keys by value. Must not know how keys are used.

use serde_json::Value;

use super::reader::{Reader, kind};

/// The most keys one client may register.
const MAX_KEYS: usize = 32;
/// Members of RFC 7518 section 6 that only the owner of a key may know.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The key set, when every key in it may be registered. What is refused is never shown.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Value> {
    if reader.value("jwks_uri").is_some() {
        reader.refuse(
            "jwks_uri",
            "an address",
            "the keys by value: this server does not fetch keys",
            "put the JSON of that address into jwks",
        );
    }
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
