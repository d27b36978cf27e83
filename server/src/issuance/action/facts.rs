//! What actions are told of a sign-in: proven facts, and where the request comes from.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::clients::Client;
use crate::foundation::Timestamp;
use crate::network::Place;
use crate::protocol::Scope;
use crate::sessions::{Session, Transfer};
use crate::tokens::session_id::SessionId;

/// Where a request comes from, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestContext {
    /// The address, as trusted proxies tell it.
    pub ip: Option<IpAddr>,
    /// What the browser or app says it is.
    pub user_agent: String,
    /// Where that is and in whose network.
    pub place: Place,
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
    /// The requested scope, within the client's registration.
    pub scope: &'a Scope,
    /// The requested levels.
    pub acr_values: &'a [String],
    /// The values of `prompt`.
    pub prompt: &'a [&'static str],
    /// Where this request comes from.
    pub request: &'a RequestContext,
    /// The session transfer token that the session grew from, if it did, and where that was made.
    pub transfer: Option<(&'a Transfer, &'a RequestContext)>,
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
                "transferred": session.parent.is_some(),
            },
            "requested": { "scope": values(self.scope), "acr_values": self.acr_values, "prompt": self.prompt },
            "request": self.request.facts(),
            "session_transfer_token": self.transfer.map(|(transfer, made)| {
                json!({ "client_id": transfer.client_id, "scope": values(&transfer.scope), "request": made.facts() })
            }),
        });
        facts.to_string()
    }
}
