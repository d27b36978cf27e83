//! What an action says of a sign-in.

use std::time::Duration;

use serde_json::{Map, Value};

/// The verdict of an action on a sign-in. Begin with [`allow`](Self::allow) or [`deny`](Self::deny).
///
/// An action proposes, the core disposes: claims of the protocol (`sub`, `aud`, `exp`, `acr`, …) cannot be set, at most 16 KiB of claims are taken
/// for each token, and a session only ever becomes shorter.
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "host", serde(deny_unknown_fields))]
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct Verdict {
    /// Why the person is kept out; none lets them in.
    #[cfg_attr(feature = "host", serde(default))]
    pub deny: Option<String>,
    /// Whether a second factor must have been shown in the session.
    #[cfg_attr(feature = "host", serde(default))]
    pub second_factor: bool,
    /// Levels of authentication (`sign_in.levels`) that must be reached, each of them.
    #[cfg_attr(feature = "host", serde(default))]
    pub acr_values: Vec<String>,
    /// Further claims of the ID token that the code of this sign-in is exchanged for.
    #[cfg_attr(feature = "host", serde(default))]
    pub id_token_claims: Map<String, Value>,
    /// Further members of `data` in access tokens, as far as the refresh token of this sign-in leads.
    #[cfg_attr(feature = "host", serde(default))]
    pub access_token_claims: Map<String, Value>,
    /// The longest in seconds, from now, that the sessions of this sign-in may live.
    #[cfg_attr(feature = "host", serde(default))]
    pub session_lifetime: Option<u64>,
}

impl Verdict {
    /// Nothing against it.
    pub fn allow() -> Self {
        Self::default()
    }

    /// Keeps the person out. The app is told `access_denied` with this reason, so it must be fit for strangers. What lies outside the characters of
    /// `error_description` (RFC 6749 section 4.1.2.1) becomes a question mark.
    pub fn deny(reason: impl Into<String>) -> Self {
        Self { deny: Some(reason.into()), ..Self::default() }
    }

    /// Asks for a second factor, if none was shown in this session. Who has none must set one up or is turned away, as the server's settings say.
    pub fn requiring_second_factor(mut self) -> Self {
        self.second_factor = true;
        self
    }

    /// Asks for one more level of authentication. One that the server does not know makes the verdict nonsense.
    pub fn requiring_acr(mut self, acr: impl Into<String>) -> Self {
        self.acr_values.push(acr.into());
        self
    }

    /// Adds a claim to the ID token.
    pub fn with_id_token_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.id_token_claims.insert(name.into(), value.into());
        self
    }

    /// Adds a member to `data` of the access token.
    pub fn with_access_token_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.access_token_claims.insert(name.into(), value.into());
        self
    }

    /// Lets the sessions of this sign-in (the browser's, and that of the app's refresh token) end so long from now at the latest. Fractions of a
    /// second count as a whole one. Nothing at all is a fault of the action: to keep somebody out there is [`deny`](Self::deny).
    pub fn limiting_session(mut self, lifetime: Duration) -> Self {
        let seconds = lifetime.as_secs().saturating_add(u64::from(lifetime.subsec_nanos() > 0));
        self.session_lifetime = Some(self.session_lifetime.map_or(seconds, |before| before.min(seconds)));
        self
    }

    /// As it crosses the boundary.
    pub(crate) fn to_json(&self) -> Value {
        serde_json::json!({
            "deny": self.deny,
            "second_factor": self.second_factor,
            "acr_values": self.acr_values,
            "id_token_claims": self.id_token_claims,
            "access_token_claims": self.access_token_claims,
            "session_lifetime": self.session_lifetime,
        })
    }
}
