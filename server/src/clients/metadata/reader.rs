//! Typed reading of metadata members, collecting everything that is wrong instead of stopping at the first.
//! Must not know what a member is for.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::protocol::ErrorCode;

/// The largest metadata document, in bytes of JSON.
const MAX_BYTES: usize = 64 * 1024;
/// The deepest nesting of arrays and objects.
const MAX_DEPTH: usize = 16;
/// How much of a wrong value is shown.
const SHOWN: usize = 80;

/// One member of the metadata that cannot be accepted. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetadataError {
    /// The member, e.g. `redirect_uris[2]`.
    pub field: String,
    /// What was found there.
    pub seen: String,
    /// What would have been right.
    pub expected: String,
    /// What to do about it.
    pub remedy: String,
}

impl MetadataError {
    /// The error code of RFC 7591 section 3.2.2.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        if self.field.starts_with("redirect_uris") { ErrorCode::InvalidRedirectUri } else { ErrorCode::InvalidClientMetadata }
    }
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: seen {}; expected {}; remedy: {}", self.field, self.seen, self.expected, self.remedy)
    }
}

/// Reads members of one document. An absent member and `null` are the same.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    map: &'a Map<String, Value>,
    pub(super) errors: Vec<MetadataError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(map: &'a Map<String, Value>) -> Self {
        let mut reader = Self { map, errors: Vec::new() };
        let size = serde_json::to_vec(map).map_or(usize::MAX, |bytes| bytes.len());
        if size > MAX_BYTES {
            reader.refuse(
                "metadata",
                format!("{size} bytes"),
                format!("at most {MAX_BYTES} bytes"),
                "leave out what no handler needs",
            );
        }
        if map.values().any(|value| is_deeper_than(value, MAX_DEPTH - 1)) {
            reader.refuse(
                "metadata",
                "deeper nesting",
                format!("at most {MAX_DEPTH} levels of nesting"),
                "flatten the nested member",
            );
        }
        reader
    }

    pub(super) fn refuse(
        &mut self,
        field: impl Into<String>,
        seen: impl Into<String>,
        expected: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.errors.push(MetadataError {
            field: field.into(),
            seen: seen.into(),
            expected: expected.into(),
            remedy: remedy.into(),
        });
    }

    pub(super) fn value(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    /// The names of all members.
    pub(super) fn fields(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.map.keys().map(String::as_str)
    }

    pub(super) fn text(&mut self, field: &str) -> Option<&'a str> {
        match self.value(field)? {
            Value::String(text) => Some(text),
            other => {
                self.refuse(field, kind(other), "a string", "write it as a string");
                None
            }
        }
    }

    /// A text of 1 to `max` characters without control characters.
    pub(super) fn line(&mut self, field: &str, max: usize) -> Option<String> {
        let text = self.text(field)?;
        let length = text.chars().count();
        if length == 0 || length > max || text.chars().any(char::is_control) {
            self.refuse(field, shown(text), format!("1 to {max} characters without control characters"), "shorten or correct it");
            return None;
        }
        Some(text.to_owned())
    }

    /// One of a few registered words; what is not among them is refused with the list.
    pub(super) fn word(&mut self, field: &str, words: &[&'static str]) -> Option<&'static str> {
        let text = self.text(field)?;
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            self.refuse(field, shown(text), words.join(", "), "choose one of these or leave it out");
        }
        found
    }

    pub(super) fn flag(&mut self, field: &str) -> Option<bool> {
        match self.value(field)? {
            Value::Bool(flag) => Some(*flag),
            other => {
                self.refuse(field, kind(other), "true or false", "write it without quotes");
                None
            }
        }
    }

    /// An array of strings, without repetition.
    pub(super) fn texts(&mut self, field: &str) -> Option<Vec<&'a str>> {
        let Value::Array(items) = self.value(field)? else {
            self.refuse(field, "no array", "an array of strings", "put it in square brackets");
            return None;
        };
        let mut out: Vec<&str> = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            match item {
                Value::String(text) if out.contains(&text.as_str()) => {}
                Value::String(text) => out.push(text),
                other => self.refuse(format!("{field}[{n}]"), kind(other), "a string", "write it as a string"),
            }
        }
        Some(out)
    }

    /// A web address that is shown to people.
    pub(super) fn web_address(&mut self, field: &str) -> Option<String> {
        let text = self.text(field)?;
        if text.len() > 2048 || !url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
            self.refuse(field, shown(text), "an absolute https address", "write it in full or leave it out");
            return None;
        }
        Some(text.to_owned())
    }

    /// An address that a browser is sent to: https, without user information.
    pub(super) fn https_address(&mut self, field: &str) -> Option<String> {
        let text = self.text(field)?;
        let url = url::Url::parse(text).ok().filter(|url| url.scheme() == "https" && text.len() <= 2048);
        if url.is_none_or(|url| !url.username().is_empty() || url.password().is_some()) {
            // User information may hold a password.
            let seen = if text.contains('@') { "another text".to_owned() } else { shown(text) };
            self.refuse(field, seen, "an absolute https address without user information", "write it in full or leave it out");
            return None;
        }
        Some(text.to_owned())
    }
}

/// The kind of a JSON value, never its content.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A text in quotes, control characters escaped, the end cut off.
pub(super) fn shown(text: &str) -> String {
    let head: String = text.chars().take(SHOWN).collect();
    if head.len() < text.len() { format!("{head:?}…") } else { format!("{head:?}") }
}

fn is_deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper_than(item, levels - 1)),
        Value::Object(members) => levels == 0 || members.values().any(|item| is_deeper_than(item, levels - 1)),
        _ => false,
    }
}
