//! The claims of an ID token (OpenID Connect Core section 2, Native SSO 1.0 draft 08 section 3.3).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::access::Audience;
use crate::foundation::Timestamp;
use crate::tokens::session_id::SessionId;

/// `typ` of an ID token.
pub const TYP: &str = "JWT";

/// An ID token that this server issues, or issued before and is shown again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IdTokenClaims {
    /// The issuer.
    pub iss: String,
    /// The person.
    pub sub: String,
    /// The client.
    pub aud: Audience,
    /// When it expires.
    pub exp: Timestamp,
    /// When it was issued.
    pub iat: Timestamp,
    /// When the person authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<Timestamp>,
    /// How well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By what means.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// Repeated from the authorization request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Binds the access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// Binds the device secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ds_hash: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl IdTokenClaims {
    /// The client that the token was issued to.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.aud.first()
    }
}
