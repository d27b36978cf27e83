//! What a stranger is told when something is refused: a code, one static sentence, sometimes members of its own.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Error codes of the specifications that this server answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// RFC 6749 section 5.2: malformed, missing or repeated parameter.
    InvalidRequest,
    /// RFC 6749 section 5.2: the client could not be authenticated.
    InvalidClient,
    /// RFC 6749 section 5.2: code, token or secret not valid for this client.
    InvalidGrant,
    /// RFC 6749 section 5.2: the client may not use this grant.
    UnauthorizedClient,
    /// RFC 6749 section 5.2: the server does not know (or has switched off) this grant.
    UnsupportedGrantType,
    /// RFC 6749 section 5.2: scope unknown, malformed or beyond what may be granted.
    InvalidScope,
    /// RFC 6749 section 4.1.2.1: the person or the policy said no.
    AccessDenied,
    /// RFC 6749 section 4.1.2.1.
    UnsupportedResponseType,
    /// RFC 6749 section 4.1.2.1: our fault, now or for good.
    ServerError,
    /// RFC 6749 section 4.1.2.1: try again later.
    TemporarilyUnavailable,
    /// RFC 8628 section 3.5: the person has not decided.
    AuthorizationPending,
    /// RFC 8628 section 3.5: the device asks too often.
    SlowDown,
    /// RFC 8628 section 3.5: the device code is over.
    ExpiredToken,
    /// RFC 8707 section 2: the resource or audience is not one we issue tokens for.
    InvalidTarget,
    /// RFC 6750 section 3.1: the access token is missing, expired, revoked or not ours.
    InvalidToken,
    /// RFC 6750 section 3.1: the access token lacks a scope.
    InsufficientScope,
    /// RFC 9449 section 5: the proof of possession is missing, malformed, used, or for something else.
    InvalidDpopProof,
    /// RFC 9449 section 8: the proof must repeat the nonce that comes with this answer.
    UseDpopNonce,
    /// RFC 9470 section 3: the person must sign in again, better or just now.
    InsufficientUserAuthentication,
    /// RFC 7009 section 2.2.1.
    UnsupportedTokenType,
    /// OpenID Connect Core section 3.1.2.6, Native SSO section 4.4.
    InteractionRequired,
    /// OpenID Connect Core section 3.1.2.6.
    LoginRequired,
    /// OpenID Connect Core section 3.1.2.6.
    ConsentRequired,
    /// OpenID Connect Core section 3.1.2.6.
    AccountSelectionRequired,
    /// OpenID Connect Core Error Code `unmet_authentication_requirements` 1.0.
    UnmetAuthenticationRequirements,
    /// RFC 9101 section 7: not signed as it must be, or not meant so.
    InvalidRequestObject,
    /// OpenID Connect Core section 3.1.2.6: the address of the request, or what is found there, is of no use.
    InvalidRequestUri,
    /// OpenID Connect Core section 3.1.2.6.
    RegistrationNotSupported,
    /// RFC 7591 section 3.2.2: one of the redirect URIs cannot be registered.
    InvalidRedirectUri,
    /// RFC 7591 section 3.2.2: a member of the metadata cannot be honoured.
    InvalidClientMetadata,
    /// RFC 7591 section 3.2.2: not signed as it must be, or malformed.
    InvalidSoftwareStatement,
    /// RFC 7591 section 3.2.2: of an issuer that this server does not know.
    UnapprovedSoftwareStatement,
    /// A code that a handler chose, already checked against RFC 6749 section 5.2.
    Handler(String),
}

impl ErrorCode {
    /// The code on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Handler(code) => code,
            known => known.registered(),
        }
    }

    const fn registered(&self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::InsufficientUserAuthentication => "insufficient_user_authentication",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InteractionRequired => "interaction_required",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::InvalidRequestObject => "invalid_request_object",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidSoftwareStatement => "invalid_software_statement",
            Self::UnapprovedSoftwareStatement => "unapproved_software_statement",
            Self::Handler(_) => "handler",
        }
    }

    /// The code as a label of a metric: a handler's own codes count as one, so that they cannot make new series.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Handler(_) => "handler",
            known => known.registered(),
        }
    }

    /// The HTTP status that goes with the code where the answer is JSON.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::InvalidScope
            | Self::UnsupportedResponseType
            | Self::AuthorizationPending
            | Self::SlowDown
            | Self::ExpiredToken
            | Self::InvalidTarget
            | Self::InvalidDpopProof
            | Self::UseDpopNonce
            | Self::UnsupportedTokenType
            | Self::AccessDenied
            | Self::InteractionRequired
            | Self::LoginRequired
            | Self::ConsentRequired
            | Self::AccountSelectionRequired
            | Self::UnmetAuthenticationRequirements
            | Self::InvalidRequestObject
            | Self::InvalidRequestUri
            | Self::RegistrationNotSupported
            | Self::InvalidRedirectUri
            | Self::InvalidClientMetadata
            | Self::InvalidSoftwareStatement
            | Self::UnapprovedSoftwareStatement
            | Self::Handler(_) => 400,
            Self::InvalidClient | Self::InvalidToken | Self::InsufficientUserAuthentication => 401,
            Self::InsufficientScope => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
        }
    }
}

/// A refusal. The description is for the developer of the client; the cause goes to the log, never in here.
#[derive(Debug, Clone)]
pub struct OAuthError {
    /// The code on the wire.
    pub code: ErrorCode,
    /// One sentence, without anything secret or personal in it.
    pub description: Cow<'static, str>,
    /// Overrides the status that belongs to the code (a handler may, RFC 6749 leaves 4xx open).
    pub status: Option<u16>,
    /// Further public members of the JSON answer.
    pub members: Map<String, Value>,
    /// After how many seconds it is worth another try (RFC 9110 section 10.2.3).
    pub retry_after: Option<u64>,
    /// What the log is told beside code and description.
    pub cause: Option<String>,
    /// Whether nothing that a person at a page could do would help, so that the client is to be told.
    pub is_final: bool,
}

impl OAuthError {
    /// A refusal with one static sentence.
    #[must_use]
    pub fn new(code: ErrorCode, description: &'static str) -> Self {
        Self {
            code,
            description: Cow::Borrowed(description),
            status: None,
            members: Map::new(),
            retry_after: None,
            cause: None,
            is_final: false,
        }
    }

    /// The same, with a cause for the log.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// `invalid_request` with one sentence.
    #[must_use]
    pub fn invalid_request(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// `invalid_request` with a sentence that names a part of the request. Whoever makes it has seen to it that the sentence keeps
    /// to the characters of an `error_description` (RFC 6749 section 5.2) and holds no value.
    #[must_use]
    pub fn invalid_request_naming(description: String) -> Self {
        Self { description: Cow::Owned(description), ..Self::invalid_request("") }
    }

    /// `invalid_grant`, the same sentence for every failed credential so that nothing can be probed.
    #[must_use]
    pub fn invalid_grant(cause: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidGrant, "The presented grant or credential is invalid, expired, revoked or not yours.")
            .because(cause)
    }

    /// `server_error` with the cause for the log alone.
    #[must_use]
    pub fn server_error(cause: impl Into<String>) -> Self {
        Self::new(ErrorCode::ServerError, "The server could not complete the request.").because(cause)
    }

    /// Whether it is the server that failed: the same request may be asked again.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self.code, ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable)
    }

    /// The status to answer with.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.unwrap_or_else(|| self.code.status())
    }
}

impl std::fmt::Display for OAuthError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.description)
    }
}

impl std::error::Error for OAuthError {}
