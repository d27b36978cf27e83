//! What goes out of the token endpoint: signed tokens, and the answer that carries them. The one place where a secret is written out.

use std::time::Duration;

use serde::Serialize;

use super::access::AccessClaims;
use crate::foundation::Secret;
use crate::protocol::{Scope, names};
use crate::sessions::DeviceSecret;

/// Signed tokens, not yet handed out.
#[derive(Debug)]
pub struct Minted {
    pub(super) access_token: Secret<String>,
    /// What must be stored before an access token that cannot be read back is worth anything.
    pub(super) record: Option<AccessClaims>,
    pub(super) id_token: Option<Secret<String>>,
    pub(super) token_type: &'static str,
    pub(super) expires_in: u64,
    pub(super) scope: Option<Scope>,
}

/// A successful answer of the token endpoint (RFC 6749 section 5.1).
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    access_token: Exposed,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<Exposed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Exposed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_secret: Option<Exposed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<Exposed>,
}

/// A secret on its way into the answer, the only place where one is written out.
#[derive(Debug)]
struct Exposed(Secret<String>);

impl Serialize for Exposed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl TokenResponse {
    /// The answer with access token and, if there is one, ID token.
    #[must_use]
    pub fn new(minted: Minted) -> Self {
        Self {
            access_token: Exposed(minted.access_token),
            token_type: minted.token_type,
            expires_in: minted.expires_in,
            scope: minted.scope,
            issued_token_type: None,
            id_token: minted.id_token.map(Exposed),
            refresh_token: None,
            device_secret: None,
            device_token: None,
        }
    }

    /// The answer with a token that is no access token, and nothing else (RFC 8693 section 2.2.1).
    #[must_use]
    pub const fn transfer(token: Secret<String>, lifetime: Duration, token_type: &'static str) -> Self {
        Self {
            access_token: Exposed(token),
            token_type: names::NOT_APPLICABLE,
            expires_in: lifetime.as_secs(),
            scope: None,
            issued_token_type: Some(token_type),
            id_token: None,
            refresh_token: None,
            device_secret: None,
            device_token: None,
        }
    }

    /// Adds the refresh token.
    #[must_use]
    pub fn with_refresh_token(mut self, token: Option<Secret<String>>) -> Self {
        self.refresh_token = token.map(Exposed);
        self
    }

    /// Adds the device secret, under its old name too where the client is registered for that.
    #[must_use]
    pub fn with_device_secret(mut self, secret: Option<&DeviceSecret>, compat_device_token: bool) -> Self {
        self.device_secret = secret.map(|secret| Exposed(secret.text().clone()));
        self.device_token = secret.filter(|_| compat_device_token).map(|secret| Exposed(secret.text().clone()));
        self
    }

    /// Says what was issued, as an exchange must (RFC 8693 section 2.2.1).
    #[must_use]
    pub const fn of_type(mut self, token_type: &'static str) -> Self {
        self.issued_token_type = Some(token_type);
        self
    }
}
