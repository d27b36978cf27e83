//! The `claims` parameter (OpenID Connect Core section 5.5): claims asked for one by one, and demands on who signs in and how.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::issuance::guard;
use crate::protocol::OAuthError;

/// Longer values are refused.
const MAX_LENGTH: usize = 16 * 1024;
/// The most claims of one target.
const MAX_CLAIMS: usize = 100;

/// What the parameter asks for. Whether a claim is essential makes no difference to what is released: one that is not there is left
/// out (section 5.5.1), except for those that say who signs in and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimsRequest {
    /// Names of the person's claims to release at the `UserInfo` endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_info: Vec<String>,
    /// Names of the person's claims to release in ID tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_token: Vec<String>,
    /// The person who must be signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The `acr` that the ID token shall have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<AcrRequest>,
}

/// How well the person shall authenticate (section 5.5.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcrRequest {
    /// Whether nothing else will do.
    #[serde(default)]
    pub essential: bool,
    /// Any of these, the first the most welcome; empty: whatever it is.
    #[serde(default)]
    pub values: Vec<String>,
}

impl ClaimsRequest {
    /// Reads the parameter. Members that nobody knows are ignored, as the specification wants it.
    ///
    /// # Errors
    /// `invalid_request` when it is not of the shape of section 5.5.
    pub fn parse(text: &str) -> Result<Self, OAuthError> {
        let malformed = || OAuthError::invalid_request("The parameter claims is not a claims request object.");
        if text.len() > MAX_LENGTH {
            return Err(OAuthError::invalid_request("The parameter claims is too long."));
        }
        let request: Map<String, Value> = serde_json::from_str(text).map_err(|_| malformed())?;
        let mut read = Self::default();
        for target in ["userinfo", "id_token"] {
            let claims = match request.get(target) {
                None | Some(Value::Null) => continue,
                Some(Value::Object(claims)) if claims.len() <= MAX_CLAIMS => claims,
                Some(_) => return Err(malformed()),
            };
            for (name, wish) in claims {
                let wish = Wish::read(wish).ok_or_else(malformed)?;
                match name.as_str() {
                    "sub" => read.demand_sub(wish)?,
                    "acr" if target == "id_token" => {
                        read.acr = Some(AcrRequest { essential: wish.essential, values: wish.texts() });
                    }
                    // The server's own: they are there, or they are nobody's to ask for.
                    name if guard::is_reserved(name) => {}
                    name if target == "id_token" => read.id_token.push(name.to_owned()),
                    name => read.user_info.push(name.to_owned()),
                }
            }
        }
        Ok(read)
    }

    /// Section 5.5.1: with a value, nobody else may be answered for.
    fn demand_sub(&mut self, wish: Wish) -> Result<(), OAuthError> {
        let mut subjects = wish.texts().into_iter();
        match (subjects.next(), subjects.next(), &self.sub) {
            (None, ..) => Ok(()),
            (Some(sub), None, own) if own.as_ref().is_none_or(|own| *own == sub) => {
                self.sub = Some(sub);
                Ok(())
            }
            _ => Err(OAuthError::invalid_request("The parameter claims asks for more than one subject.")),
        }
    }

    /// Leaves out the claims that are not among those.
    pub fn retain(&mut self, permitted: &[String]) {
        self.user_info.retain(|name| permitted.contains(name));
        self.id_token.retain(|name| permitted.contains(name));
    }

    /// The claims to release, wherever that is, that are not among those.
    #[must_use]
    pub fn beyond(&self, others: &[String]) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.user_info.iter().chain(&self.id_token) {
            if !others.contains(name) && !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is said about one claim: nothing, or whether it is essential and which values are welcome.
struct Wish {
    essential: bool,
    values: Vec<Value>,
}

impl Wish {
    fn read(value: &Value) -> Option<Self> {
        let members = match value {
            Value::Null => return Some(Self { essential: false, values: Vec::new() }),
            Value::Object(members) => members,
            _ => return None,
        };
        let essential = match members.get("essential") {
            None => false,
            Some(value) => value.as_bool()?,
        };
        let mut values: Vec<Value> = members.get("value").cloned().into_iter().collect();
        if let Some(list) = members.get("values") {
            values.extend(list.as_array()?.iter().cloned());
        }
        Some(Self { essential, values })
    }

    fn texts(self) -> Vec<String> {
        self.values.into_iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> ClaimsRequest {
        ClaimsRequest::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn reads_the_example_of_the_specification() {
        let read = parse(
            r#"{"userinfo":{"given_name":{"essential":true},"nickname":null,"http://example.info/claims/groups":null},
                "id_token":{"auth_time":{"essential":true},"acr":{"values":["urn:mace:incommon:iap:silver"]},"email":null}, "other": 1}"#,
        );
        assert_eq!(read.user_info, ["given_name", "http://example.info/claims/groups", "nickname"]);
        assert_eq!(read.id_token, ["email"]);
        let acr = AcrRequest { essential: false, values: vec!["urn:mace:incommon:iap:silver".to_owned()] };
        assert_eq!((read.acr, read.sub), (Some(acr), None));
    }

    #[test]
    fn one_subject_may_be_demanded() {
        assert_eq!(
            parse(r#"{"id_token":{"sub":{"value":"ada"}},"userinfo":{"sub":{"value":"ada"}}}"#).sub.as_deref(),
            Some("ada")
        );
        assert_eq!(parse(r#"{"id_token":{"sub":{"essential":true}}}"#).sub, None);
        for two in [
            r#"{"id_token":{"sub":{"values":["ada","bob"]}}}"#,
            r#"{"id_token":{"sub":{"value":"a"}},"userinfo":{"sub":{"value":"b"}}}"#,
        ] {
            assert!(ClaimsRequest::parse(two).is_err(), "{two}");
        }
    }

    #[test]
    fn what_is_not_of_the_shape_is_refused() {
        for bad in [
            "",
            "[]",
            "1",
            "{",
            r#"{"userinfo":[]}"#,
            r#"{"userinfo":{"a":1}}"#,
            r#"{"userinfo":{"a":{"essential":"yes"}}}"#,
            r#"{"id_token":{"a":{"values":"x"}}}"#,
        ] {
            assert!(ClaimsRequest::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_the_client_may_not_have_is_left_out() {
        let mut read = parse(r#"{"userinfo":{"email":null,"salary":null},"id_token":{"email":null,"salary":null}}"#);
        read.retain(&["email".to_owned()]);
        assert_eq!(read.beyond(&[]), ["email"]);
        assert!(read.beyond(&["email".to_owned()]).is_empty());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,200}") {
            let _ = ClaimsRequest::parse(&text);
        }
    }
}
