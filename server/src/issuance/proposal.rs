//! What somebody (our defaults, a stored grant, a handler) would like to be issued. Worth nothing before the guard.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::protocol::Scope;
use crate::sessions::AccessTemplate;

/// A wish for tokens.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The scope to grant.
    pub scope: Scope,
    /// How access tokens are to be written.
    pub access: AccessTemplate,
    /// The ID token, if one is to be issued.
    pub id_token: Option<IdTokenProposal>,
    /// The refresh token, if one is to be issued.
    pub refresh: Option<RefreshProposal>,
    /// Names of the claims to release.
    pub claims: Vec<String>,
    /// Put those claims into the ID token instead of the `UserInfo` endpoint.
    pub claims_in_id_token: bool,
    /// Names of claims to release in ID tokens, besides.
    pub id_token_claims: Vec<String>,
    /// To be kept with the grant and shown to whoever introspects its tokens.
    pub data: Option<Map<String, Value>>,
}

/// A wish for an ID token.
#[derive(Debug, Clone, Default)]
pub struct IdTokenProposal {
    /// `None` = the server's default.
    pub lifetime: Option<Duration>,
    /// Further claims; reserved names are dropped by the guard.
    pub claims: Map<String, Value>,
}

/// A wish for a refresh token.
#[derive(Debug, Clone, Copy, Default)]
pub struct RefreshProposal {
    /// How long.
    pub lifetime: RefreshLifetime,
    /// `None` = the server's default; zero = no limit of its own.
    pub max_idle: Option<Duration>,
    /// `None` = the server's default.
    pub rotate: Option<bool>,
}

/// How long a refresh token is wished to live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RefreshLifetime {
    /// As the settings say.
    #[default]
    Default,
    /// As long as the session.
    Never,
    /// So long.
    For(Duration),
}
