//! What a handler answers when it does not allow: the public part for the client, one message for the log.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

/// A refusal, in the words of OAuth (RFC 6749 section 5.2).
///
/// The client sees code, description and members; the operator sees the log message, the client never does.
#[must_use]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, PartialEq)]
pub struct HandlerError {
    pub(crate) code: String,
    pub(crate) status: Option<u16>,
    pub(crate) description: Option<String>,
    pub(crate) members: Map<String, Value>,
    pub(crate) log_message: String,
}

impl HandlerError {
    /// `invalid_scope`: the requested scope is unknown, malformed or more than the client may have. The app asks again with less.
    pub fn invalid_scope(description: impl Into<String>) -> Self {
        Self::custom("invalid_scope").with_description(description)
    }

    /// `interaction_required`: the person must re-authenticate or consent, so the app has to go to the authorization endpoint.
    ///
    /// Say what is missing with [`missing_scope`](Self::missing_scope), [`missing_claims`](Self::missing_claims),
    /// [`required_acr_values`](Self::required_acr_values) and [`required_max_age`](Self::required_max_age): each becomes a member named and
    /// written as the parameter of the authorization request that the app makes next.
    pub fn interaction_required(description: impl Into<String>) -> Self {
        Self::custom("interaction_required").with_description(description)
    }

    /// `access_denied`: policy says no, and no interaction would change it.
    pub fn access_denied(description: impl Into<String>) -> Self {
        Self::custom("access_denied").with_description(description)
    }

    /// Any other code: 1 to 64 printable ASCII characters without quote and backslash (RFC 6749 section 5.2). Anything else is a fault of the
    /// handler, and the client sees `server_error`.
    pub fn custom(code: impl Into<String>) -> Self {
        Self { code: code.into(), status: None, description: None, members: Map::new(), log_message: String::new() }
    }

    /// The HTTP status, 400 to 599; any other makes the whole answer nonsense (`server_error`). Default: the server's for the code, 400 for
    /// codes that it does not know.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The `error_description`, for the app's developer. Characters that RFC 6749 forbids in it are replaced by the server.
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// One more member of the answer. `error`, `error_description` and `error_uri` are the server's; naming one of them is a fault of the
    /// handler, and the client sees `server_error`.
    pub fn with_member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.members.insert(name.into(), value.into());
        self
    }

    /// What the operator reads in the log. No secrets in it.
    pub fn with_log_message(mut self, message: impl Into<String>) -> Self {
        self.log_message = message.into();
        self
    }

    /// The scope values that need the person, as member `scope`, separated by spaces.
    pub fn missing_scope<S: AsRef<str>>(self, values: impl IntoIterator<Item = S>) -> Self {
        let scope = joined(values);
        self.with_member("scope", scope)
    }

    /// The claims that need the person, as member `claims` in the form of the `claims` parameter (`OpenID` Connect Core section 5.5).
    pub fn missing_claims<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        let names: Map<String, Value> = names.into_iter().map(|name| (name.into(), Value::Null)).collect();
        let mut claims = Map::new();
        claims.insert("userinfo".to_owned(), Value::Object(names));
        self.with_member("claims", claims)
    }

    /// The authentication context classes of which one is needed, as member `acr_values`, separated by spaces, in the order in which the app
    /// should ask for them: an app that can hand over only one takes the first. When the server cannot reach any of them, its log says so at
    /// every such refusal.
    pub fn required_acr_values<S: AsRef<str>>(self, values: impl IntoIterator<Item = S>) -> Self {
        let values = joined(values);
        self.with_member("acr_values", values)
    }

    /// How old the sign-in may be, as member `max_age` in whole seconds.
    pub fn required_max_age(self, age: Duration) -> Self {
        self.with_member("max_age", age.as_secs())
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The HTTP status, when the handler set one.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// The description, when the handler set one.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The further members of the answer.
    #[must_use]
    pub const fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The message for the log; empty when there is none.
    #[must_use]
    pub fn log_message(&self) -> &str {
        &self.log_message
    }
}

fn joined<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> String {
    let mut text = String::new();
    for value in values {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(value.as_ref());
    }
    text
}

impl fmt::Display for HandlerError {
    /// For the log: code, description and the message that stays inside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        if let Some(description) = &self.description {
            write!(f, ": {description}")?;
        }
        if !self.log_message.is_empty() {
            write!(f, " ({})", self.log_message)?;
        }
        Ok(())
    }
}

impl std::error::Error for HandlerError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn interaction_required_says_what_is_missing_in_the_words_of_the_next_request() {
        let error = HandlerError::interaction_required("consent is needed")
            .missing_scope(["pay", "sign"])
            .missing_claims(["birthdate"])
            .required_acr_values(["urn:mfa"])
            .required_max_age(Duration::from_mins(5));
        assert_eq!(
            Value::Object(error.members().clone()),
            json!({"scope": "pay sign", "claims": {"userinfo": {"birthdate": null}}, "acr_values": "urn:mfa", "max_age": 300})
        );
        assert_eq!(error.code(), "interaction_required");
        assert_eq!(error.status(), None);
    }

    #[test]
    fn the_log_message_is_only_in_the_log_text() {
        let error = HandlerError::access_denied("not for you").with_log_message("list 7");
        assert_eq!(error.to_string(), "access_denied: not for you (list 7)");
        assert!(error.members().is_empty());
    }
}
