//! The parameters of a request as name/value pairs, read strictly: each at most once, UTF-8, no stray escapes.

pub mod json;

use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};

use crate::foundation::Secret;
use crate::protocol::OAuthError;

/// Parameters that may repeat (RFC 8693 section 2.1, RFC 8707 section 2).
const REPEATABLE: [&str; 2] = ["resource", "audience"];
/// The most parameters of one request.
const MAX_PARAMETERS: usize = 100;
/// Names up to here are repeated in a description. The shortest credential, a code, has 43 characters.
const LONGEST_NAME: usize = 40;

/// The parameters of one request. Values may be secrets, so nothing of them is shown.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Parameters(Vec<(String, String)>);

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Parameters {
    /// Reads `application/x-www-form-urlencoded` text: a request body or a query.
    ///
    /// # Errors
    /// `invalid_request` when an escape is broken, text is not UTF-8, or a parameter repeats (RFC 6749 section 3.2).
    pub fn from_form(text: &[u8]) -> Result<Self, OAuthError> {
        let mut pairs = Vec::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let split = pair.iter().position(|byte| *byte == b'=');
            let (name, value) = split.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
            pairs.push((decode(name)?, decode(value)?));
        }
        Self::checked(pairs)
    }

    /// Reads a JSON object as the Auth0 SDKs send it: members are strings, whole numbers or booleans; `resource` and
    /// `audience` may be arrays of strings.
    ///
    /// # Errors
    /// `invalid_request` when it is not such an object or a member repeats.
    pub fn from_json(text: &[u8]) -> Result<Self, OAuthError> {
        Self::checked(json::pairs(text)?)
    }

    /// The parameters with these names and values.
    ///
    /// # Errors
    /// `invalid_request` when one repeats or has a zero byte, or when they are too many.
    pub fn from_pairs(pairs: Vec<(String, String)>) -> Result<Self, OAuthError> {
        if pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(OAuthError::invalid_request("The request has a zero byte."));
        }
        Self::checked(pairs)
    }

    fn checked(pairs: Vec<(String, String)>) -> Result<Self, OAuthError> {
        if pairs.len() > MAX_PARAMETERS {
            return Err(OAuthError::invalid_request("The request has too many parameters."));
        }
        for (n, (name, _)) in pairs.iter().enumerate() {
            if !REPEATABLE.contains(&name.as_str()) && pairs[..n].iter().any(|(earlier, _)| earlier == name) {
                let description = format!("The parameter {} must not be given more than once.", named(name));
                return Err(OAuthError::invalid_request_naming(description));
            }
        }
        // A parameter sent without a value counts as omitted (RFC 6749 section 3.1).
        Ok(Self(pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect()))
    }

    /// The same without some of them.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect())
    }

    /// The same with one parameter set to this value alone.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut pairs = self.without(&[name]).0;
        pairs.push((name.to_owned(), value.to_owned()));
        Self(pairs)
    }

    /// The same, and what of `others` is not in it.
    #[must_use]
    pub fn or(mut self, others: &Self) -> Self {
        let missing: Vec<_> = others.0.iter().filter(|(name, _)| self.get(name).is_none()).cloned().collect();
        self.0.extend(missing);
        self
    }

    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// `invalid_request` with `missing` as its description.
    pub fn require(&self, name: &str, missing: &'static str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request(missing))
    }

    /// The value of a parameter that is a credential.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<Secret<String>> {
        self.get(name).map(|value| Secret::new(value.to_owned()))
    }

    /// Every value of a parameter that may repeat.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect()
    }

    /// All pairs, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn decode(text: &[u8]) -> Result<String, OAuthError> {
    let mut bytes = text.to_vec();
    // Tokens are most of a request and have nothing to decode: the search for it must be fast.
    if memchr::memchr2(b'%', b'+', text).is_some() {
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'%', rest) {
            if !rest.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
                return Err(OAuthError::invalid_request("The request has a broken percent escape."));
            }
            rest = &rest[at + 3..];
        }
        bytes.iter_mut().filter(|byte| **byte == b'+').for_each(|byte| *byte = b' ');
        bytes = percent_decode(&bytes).collect();
    }
    if memchr::memchr(0, &bytes).is_some() {
        return Err(OAuthError::invalid_request("The request has a zero byte."));
    }
    String::from_utf8(bytes).map_err(|_| OAuthError::invalid_request("The request is not UTF-8."))
}

/// The name of a parameter in a sentence about it. A stranger made it up, and may have put a credential into its place: it is shown
/// only when it is shorter than any of ours, in letters that mean nothing anywhere (RFC 6749 section 5.2 forbids some of the others).
fn named(name: &str) -> String {
    match name.chars().count() {
        0 => "without a name".to_owned(),
        1..=LONGEST_NAME => name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '?' }).collect(),
        _ => "with a long name".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(text: &str) -> Result<Parameters, OAuthError> {
        Parameters::from_form(text.as_bytes())
    }

    #[test]
    fn reads_a_form() -> Result<(), OAuthError> {
        let parameters = form("a=1&b=x+y%20z&c=&&resource=r1&resource=r2&d")?;
        assert_eq!(parameters.get("a"), Some("1"));
        assert_eq!(parameters.get("b"), Some("x y z"));
        assert_eq!(parameters.get("c"), None, "an empty value counts as omitted");
        assert_eq!(parameters.get("d"), None);
        assert_eq!(parameters.all("resource"), ["r1", "r2"]);
        Ok(())
    }

    #[test]
    fn refuses_what_is_not_a_clean_form() {
        for bad in ["a=1&a=2", "a=&a=1", "a=%", "a=%g1", "a=%f", "a=%ff", "a=%00"] {
            assert!(form(bad).is_err(), "{bad}");
        }
        let many: Vec<String> = (0..101).map(|n| format!("p{n}=1")).collect();
        assert!(form(&many.join("&")).is_err());
    }

    #[test]
    fn reads_json_as_the_auth0_sdks_send_it() -> Result<(), OAuthError> {
        let parameters =
            Parameters::from_json(br#"{"grant_type":"refresh_token","n":60,"b":true,"z":null,"audience":["x","y"]}"#)?;
        assert_eq!(parameters.get("grant_type"), Some("refresh_token"));
        assert_eq!(parameters.get("n"), Some("60"));
        assert_eq!(parameters.get("z"), None);
        assert_eq!(parameters.all("audience"), ["x", "y"]);
        for bad in [
            r#"{"a":"1","a":"2"}"#,
            r#"{"a":{}}"#,
            r#"{"a":["1","2"]}"#,
            "[]",
            "{",
            "\"a\"",
            "{\"a\":[1]}",
            "{} x",
            r#"{"a":["1"]}"#,
        ] {
            assert!(Parameters::from_json(bad.as_bytes()).is_err(), "{bad}");
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Parameters::from_form(&bytes);
            let _ = Parameters::from_json(&bytes);
        }

        #[test]
        fn what_was_encoded_is_read_back(name in "[a-z]{1,8}", value in "\\PC{1,40}") {
            let text: String = url::form_urlencoded::Serializer::new(String::new()).append_pair(&name, &value).finish();
            let parameters = form(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(parameters.get(&name), Some(value.as_str()));
        }
    }
}
