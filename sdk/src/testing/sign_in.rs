//! The same for actions.

use serde_json::{Map, Value, json};

use crate::host::{ConfigureFailure, Configured, Described, HandlerFault};
use crate::{PostLoginAction, Verdict};

/// Makes an instance of an action from full property names and their values.
///
/// # Errors
/// What the server would report to its operator.
pub fn configure_action<A: PostLoginAction>(
    properties: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
) -> Result<Configured, ConfigureFailure> {
    let described = Described::action_linked_in::<A>()
        .map_err(|error| ConfigureFailure::Refused { message: Some(error.to_string()), findings: Vec::new() })?;
    described.configure(&properties.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
}

/// A sign-in to be judged. It begins as alice, who has just shown her password to sign in to a public client from an address that nothing is known of.
#[must_use]
#[derive(Debug, Clone)]
pub struct TestSignIn(Value);

impl Default for TestSignIn {
    fn default() -> Self {
        Self::new()
    }
}

impl TestSignIn {
    /// The beginning.
    pub fn new() -> Self {
        Self(json!({
            "now": 1_800_000_000_u64,
            "subject": "alice",
            "claims": {},
            "client": { "client_id": "web-app", "confidential": false, "metadata": {} },
            "session": {
                "sid": "session-1", "auth_time": 1_800_000_000_u64, "acr": "urn:symbolon:acr:password", "amr": ["pwd"],
                "created": 1_800_000_000_u64, "transferred": false,
            },
            "requested": { "scope": ["openid"], "acr_values": [], "prompt": [] },
            "request": { "ip": "192.0.2.1", "user_agent": "Test/1.0", "geoip": {} },
            "session_transfer_token": null,
        }))
    }

    /// Sets any fact by its JSON pointer, e.g. `/session/acr`; what is missing on the way is made.
    pub fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let place = pointer.split('/').skip(1).fold(&mut self.0, |place, name| {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            &mut place[name]
        });
        *place = value.into();
        self
    }

    /// The country that the request comes from.
    pub fn from_country(self, code: &str) -> Self {
        self.with("/request/geoip/country_code", code)
    }

    /// Signed in by the session transfer token of that app.
    pub fn transferred_from(self, client_id: &str) -> Self {
        let token = json!({ "client_id": client_id, "scope": ["openid"], "request": { "ip": "192.0.2.9", "geoip": {} } });
        self.with("/session/transferred", true).with("/session_transfer_token", token)
    }

    /// The country in which that token was asked for.
    pub fn transferred_from_country(self, code: &str) -> Self {
        self.with("/session_transfer_token/request/geoip/country_code", code)
    }

    /// Asks the action.
    ///
    /// # Errors
    /// What the server would see instead of a verdict.
    pub fn judge(&self, action: &Configured) -> Result<Verdict, HandlerFault> {
        action.judge(&self.0.to_string())
    }
}
