//! A JSON body as name/value pairs. Owns which kinds of JSON value stand for a parameter; must not know any endpoint.

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{REPEATABLE, named};
use crate::protocol::OAuthError;

/// Reads one object whose members are scalars, and for the parameters that may repeat, arrays of strings.
///
/// # Errors
/// `invalid_request` with what it is instead, and of which member.
pub(super) fn pairs(text: &[u8]) -> Result<Vec<(String, String)>, OAuthError> {
    let members = members(text)?;
    let mut pairs = Vec::with_capacity(members.len());
    for (name, value) in members {
        let values = texts(&name, value)?;
        if name.contains('\0') || values.iter().any(|value| value.contains('\0')) {
            return Err(OAuthError::invalid_request("The request has a zero byte."));
        }
        pairs.extend(values.into_iter().map(|value| (name.clone(), value)));
    }
    Ok(pairs)
}

/// Reads one object of any members, each of them once: of two with one name nobody can say which is meant.
///
/// # Errors
/// `invalid_request` with what it is instead.
pub fn object(text: &[u8]) -> Result<Map<String, Value>, OAuthError> {
    let mut out = Map::new();
    for (name, value) in members(text)? {
        if out.contains_key(&name) {
            return Err(OAuthError::invalid_request_naming(format!(
                "The member {} of the JSON body stands there twice.",
                named(&name)
            )));
        }
        out.insert(name, value);
    }
    Ok(out)
}

fn members(text: &[u8]) -> Result<Vec<(String, Value)>, OAuthError> {
    let read: Result<Members, _> = serde_json::from_slice(text);
    read.map(|Members(members)| members).map_err(|error| {
        let description =
            if error.is_data() { "The JSON body must be one object." } else { "The body is not JSON, as its Content-Type says." };
        // The position is enough: the text of a JSON error may quote what it read.
        OAuthError::invalid_request(description).because(format!("line {}, column {}", error.line(), error.column()))
    })
}

fn texts(name: &str, value: Value) -> Result<Vec<String>, OAuthError> {
    let repeatable = REPEATABLE.contains(&name);
    let texts = match value {
        // `null` counts as omitted.
        Value::Null => Some(Vec::new()),
        Value::String(text) => Some(vec![text]),
        Value::Bool(flag) => Some(vec![flag.to_string()]),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(vec![number.to_string()]),
        Value::Array(items) if repeatable => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Some(text),
                _ => None,
            })
            .collect(),
        _ => None,
    };
    texts.ok_or_else(|| {
        let kinds = if repeatable { "a string or an array of strings" } else { "a string, a whole number, true or false" };
        OAuthError::invalid_request_naming(format!("The member {} of the JSON body must be {kinds}.", named(name)))
    })
}

/// The members in order, repetitions kept: a map would hide them.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, Value>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
