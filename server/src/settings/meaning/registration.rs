//! What `[registration]` means.

use std::time::Duration;

use serde_json::Value;

/// Who may register a client over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationMode {
    /// Nobody: there is no such endpoint.
    Off,
    /// Whoever has an initial access token (RFC 7591 section 3).
    Token,
    /// Anybody.
    Open,
}

/// `[registration]` (RFC 7591, RFC 7592)
#[derive(Debug, Clone)]
pub struct Registration {
    /// `registration.mode` = `off` (default) | `token` | `open`.
    pub mode: RegistrationMode,
    /// `registration.scopes`: the scope values that a client may register for itself. Default `openid profile email address phone
    /// offline_access`.
    pub scopes: Vec<String>,
    /// `registration.grant_types`: the grant types that it may. Default authorization code, refresh token and device code.
    pub grant_types: Vec<String>,
    /// `registration.address_limit`: how many clients one address may register within an hour without a token, default 20; 0 = any number.
    pub address_limit: u32,
    /// `registration.total_limit`: how many all addresses together may, default 1000; 0 = any number.
    pub total_limit: u32,
    /// `registration.unused_lifetime`, default 7d: how long a client that registered without a token is kept if nobody signs in with it.
    /// `None` (`"never"`) = for ever.
    pub unused_lifetime: Option<Duration>,
    /// `registration.software_statement_issuers`: whose software statements count (RFC 7591 section 2.3). Default nobody's.
    pub software_statement_issuers: Vec<StatementIssuer>,
}

/// Somebody who vouches for metadata of clients.
#[derive(Debug, Clone)]
pub struct StatementIssuer {
    /// `iss` of the statements.
    pub issuer: String,
    /// The public keys that they are signed with, as JWK set.
    pub jwks: Value,
}
