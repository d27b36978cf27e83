//! What actions are told of a sign-in: proven facts, and where the request comes from.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clients::Client;
use crate::foundation::Timestamp;
use crate::network::Place;
use crate::protocol::Scope;
use crate::sessions::Session;
use crate::tokens::session_id::SessionId;

/// Where a request comes from, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestContext {
    /// The address, as trusted proxies tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// What the browser or app says it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
    /// Where that is and in whose network, at the time of the request.
    #[serde(default)]
    pub place: Place,
}

/// The session transfer token that brings somebody in, as it was when it was issued.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// The app that it was issued to.
    pub client_id: String,
    /// The scope of that app.
    pub scope: Scope,
    /// Where it was asked for from.
    pub request: RequestContext,
}

/// One sign-in, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct SignInFacts<'a> {
    /// Now.
    pub now: Timestamp,
    /// What the server knows of the person.
    pub claims: &'a Map<String, Value>,
    /// The client that asks.
    pub client: &'a Client,
    /// The browser session's id.
    pub sid: SessionId,
    /// The browser session.
    pub session: &'a Session,
    /// Whether that grew from a session transfer token.
    pub transferred: bool,
    /// The requested scope, within the client's registration.
    pub scope: &'a Scope,
    /// The requested levels.
    pub acr_values: &'a [String],
    /// The values of `prompt`.
    pub prompt: &'a [&'static str],
    /// Where this request comes from.
    pub request: &'a RequestContext,
    /// The token that brings the person in, if one does.
    pub transfer: Option<&'a Transfer>,
}

impl RequestContext {
    fn facts(&self) -> Value {
        json!({
            "ip": self.ip,
            "asn": self.place.asn,
            "as_organization": self.place.as_organization,
            "user_agent": Some(&self.user_agent).filter(|text| !text.is_empty()),
            "geoip": self.place,
        })
    }
}

impl SignInFacts<'_> {
    /// As the SDK reads it (`symbolon_sdk::SignIn`): a JSON object.
    #[must_use]
    pub(in crate::issuance) fn to_json(self) -> String {
        let session = self.session;
        let values = |scope: &Scope| scope.iter().map(Value::from).collect::<Value>();
        let facts = json!({
            "now": self.now.0,
            "subject": session.sub,
            "claims": self.claims,
            "client": {
                "client_id": self.client.id,
                "confidential": !self.client.is_public(),
                "metadata": self.client.metadata,
            },
            "session": {
                "sid": self.sid.to_string(),
                "auth_time": session.auth_time.0,
                "acr": session.acr,
                "amr": session.amr,
                "created": session.created.0,
                "transferred": self.transferred,
            },
            "requested": { "scope": values(self.scope), "acr_values": self.acr_values, "prompt": self.prompt },
            "request": self.request.facts(),
            "session_transfer_token": self.transfer.map(|transfer| {
                json!({ "client_id": transfer.client_id, "scope": values(&transfer.scope), "request": transfer.request.facts() })
            }),
        });
        facts.to_string()
    }
}
