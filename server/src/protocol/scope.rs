//! A scope: an ordered set of scope values (RFC 6749 section 3.3).

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Scope values without repetition, in the order first named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope(Vec<String>);

/// The text is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is a space-separated list of printable ASCII values without quotes or backslashes")]
pub struct ScopeError;

impl Scope {
    /// No values.
    pub const EMPTY: Self = Self(Vec::new());

    /// Reads the wire form; several spaces between values are forgiven, other white space and empty scopes are not.
    ///
    /// # Errors
    /// When a value has a character outside RFC 6749's `scope-token`.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut scope = Self::default();
        for value in text.split(' ').filter(|value| !value.is_empty()) {
            if !value.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                return Err(ScopeError);
            }
            scope.insert(value);
        }
        Ok(scope)
    }

    /// Adds a value unless it is there.
    pub fn insert(&mut self, value: &str) {
        if !self.contains(value) {
            self.0.push(value.to_owned());
        }
    }

    /// Whether the value is in the scope.
    #[must_use]
    pub fn contains(&self, value: &str) -> bool {
        self.0.iter().any(|own| own == value)
    }

    /// Whether every value of this scope is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|value| other.contains(value))
    }

    /// The values that are in both, in this scope's order.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.iter().filter(|value| other.contains(value)).collect()
    }

    /// The values of both: this scope's, then what the other has more.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// The values of this scope that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.iter().filter(|value| !other.contains(value)).collect()
    }

    /// The values, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<&'a str> for Scope {
    fn from_iter<I: IntoIterator<Item = &'a str>>(values: I) -> Self {
        let mut scope = Self::default();
        for value in values {
            scope.insert(value);
        }
        scope
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WireForm;
        impl Visitor<'_> for WireForm {
            type Value = Scope;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scope")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scope, E> {
                Scope::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(WireForm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_wire_form() {
        let scope = Scope::parse("openid  profile openid").unwrap_or_default();
        assert_eq!(scope.to_string(), "openid profile");
        assert_eq!(Scope::parse("open\"id"), Err(ScopeError));
        assert_eq!(Scope::parse("a\tb"), Err(ScopeError));
        assert!(Scope::parse("").is_ok_and(|scope| scope.is_empty()));
    }

    #[test]
    fn set_operations_keep_the_order() {
        let a: Scope = ["c", "b", "a"].into_iter().collect();
        let b: Scope = ["a", "c"].into_iter().collect();
        assert_eq!(a.intersection(&b).to_string(), "c a");
        assert_eq!(a.difference(&b).to_string(), "b");
        assert!(b.is_subset(&a) && !a.is_subset(&b));
    }
}
