//! The token request, parsed once into an enum (RFC 6749 section 4, RFC 8693 section 2.1, Native SSO section 4.2).

use serde_json::Value;

use super::parameters::Parameters;
use super::session_transfer::TransferRequest;
use crate::foundation::Secret;
use crate::protocol::{ErrorCode, OAuthError, Scope, names};

/// Parameters that a handler is never shown.
const CREDENTIALS: [&str; 11] = [
    "device_code",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "subject_token",
    "actor_token",
    "refresh_token",
    "code",
    "code_verifier",
    "device_secret",
    "device_key_voucher",
];

/// A token request of one of the grants that this server knows.
#[derive(Debug)]
pub enum TokenRequest {
    /// RFC 6749 section 4.1.3
    AuthorizationCode(AuthorizationCode),
    /// RFC 6749 section 6
    RefreshToken(RefreshToken),
    /// RFC 6749 section 4.4
    ClientCredentials(ClientCredentials),
    /// RFC 8628 section 3.4
    DeviceCode(DeviceCode),
    /// RFC 8693, profiled by Native SSO
    TokenExchange(Box<TokenExchange>),
    /// RFC 8693, for a session transfer token
    SessionTransfer(Box<TransferRequest>),
}

/// The parameters of `authorization_code`.
#[derive(Debug)]
pub struct AuthorizationCode {
    pub(super) code: Secret<String>,
    pub(super) redirect_uri: Option<String>,
    pub(super) code_verifier: Option<Secret<String>>,
    pub(super) device_secret: Option<Secret<String>>,
    pub(super) resources: Vec<String>,
    /// Whether it is a device code, whose holder proved all that PKCE and redirect URI prove by knowing it.
    pub(super) of_device: bool,
}

impl AuthorizationCode {
    /// The code that an approved device code has become.
    pub(super) fn of_device(request: DeviceCode) -> Self {
        Self {
            code: request.device_code,
            redirect_uri: None,
            code_verifier: None,
            device_secret: request.device_secret,
            resources: Vec::new(),
            of_device: true,
        }
    }
}

/// The parameters of `refresh_token`.
#[derive(Debug)]
pub struct RefreshToken {
    pub(super) token: Secret<String>,
    pub(super) scope: Option<Scope>,
    pub(super) device_secret: Option<Secret<String>>,
    pub(super) resources: Vec<String>,
    /// What the answer is for, if it is no access token.
    pub(super) audiences: Vec<String>,
}

/// The parameters of `client_credentials`.
#[derive(Debug)]
pub struct ClientCredentials {
    pub(super) scope: Option<Scope>,
    pub(super) resources: Vec<String>,
}

/// The parameters of the device grant.
#[derive(Debug)]
pub struct DeviceCode {
    pub(super) device_code: Secret<String>,
    pub(super) device_secret: Option<Secret<String>>,
}

/// The parameters of a token exchange.
#[derive(Debug)]
pub struct TokenExchange {
    pub(super) subject_token: Secret<String>,
    pub(super) actor_token: Secret<String>,
    /// Says that the key of this request may join the device session (ours: `tokens::voucher`).
    pub(super) voucher: Option<Secret<String>>,
    pub(super) audiences: Vec<String>,
    pub(super) scope: Option<Scope>,
    pub(super) resources: Vec<String>,
    pub(super) acr_values: Vec<String>,
    pub(super) claims: Option<Value>,
    /// Everything the client sent except credentials, for the handler.
    pub(super) others: Vec<(String, String)>,
}

impl TokenRequest {
    /// Reads the parameters of a grant.
    ///
    /// # Errors
    /// `unsupported_grant_type`, or `invalid_request` / `invalid_scope` with what is wrong.
    pub fn parse(parameters: &Parameters) -> Result<Self, OAuthError> {
        let grant_type = parameters.require("grant_type", "The parameter grant_type is missing.")?;
        let scope = parameters.get("scope").map(parse_scope).transpose()?;
        let resources = parameters.all("resource");
        match grant_type {
            names::AUTHORIZATION_CODE => Ok(Self::AuthorizationCode(AuthorizationCode {
                code: required_secret(parameters, "code", "The parameter code is missing.")?,
                redirect_uri: parameters.get("redirect_uri").map(str::to_owned),
                code_verifier: parameters.secret("code_verifier"),
                device_secret: parameters.secret("device_secret"),
                resources,
                of_device: false,
            })),
            names::REFRESH_TOKEN => Ok(Self::RefreshToken(RefreshToken {
                token: required_secret(parameters, "refresh_token", "The parameter refresh_token is missing.")?,
                scope,
                device_secret: parameters.secret("device_secret"),
                resources,
                audiences: parameters.all("audience"),
            })),
            names::CLIENT_CREDENTIALS => Ok(Self::ClientCredentials(ClientCredentials { scope, resources })),
            names::DEVICE_CODE => Ok(Self::DeviceCode(DeviceCode {
                device_code: required_secret(parameters, "device_code", "The parameter device_code is missing.")?,
                device_secret: parameters.secret("device_secret"),
            })),
            names::TOKEN_EXCHANGE if TransferRequest::is_asked_for(parameters) => {
                TransferRequest::parse(parameters).map(|request| Self::SessionTransfer(Box::new(request)))
            }
            names::TOKEN_EXCHANGE => {
                TokenExchange::parse(parameters, scope, resources).map(|request| Self::TokenExchange(Box::new(request)))
            }
            _ => Err(OAuthError::new(ErrorCode::UnsupportedGrantType, "The server does not know this grant_type.")),
        }
    }

    /// The registered name of the grant.
    #[must_use]
    pub const fn grant_type(&self) -> &'static str {
        match self {
            Self::AuthorizationCode(_) => names::AUTHORIZATION_CODE,
            Self::RefreshToken(_) => names::REFRESH_TOKEN,
            Self::ClientCredentials(_) => names::CLIENT_CREDENTIALS,
            Self::DeviceCode(_) => names::DEVICE_CODE,
            Self::TokenExchange(_) | Self::SessionTransfer(_) => names::TOKEN_EXCHANGE,
        }
    }
}

impl TokenExchange {
    fn parse(parameters: &Parameters, scope: Option<Scope>, resources: Vec<String>) -> Result<Self, OAuthError> {
        let subject_token = required_secret(parameters, "subject_token", "The parameter subject_token is missing.")?;
        let subject_type = parameters.require("subject_token_type", "The parameter subject_token_type is missing.")?;
        if subject_type != names::TYPE_ID_TOKEN && !names::TYPE_ID_TOKEN_ALIASES.contains(&subject_type) {
            return Err(OAuthError::invalid_request(
                "This server exchanges ID tokens alone; subject_token_type names another type.",
            ));
        }
        // An ID token with ds_hash must never be exchanged without its device secret (Native SSO issue 2101).
        let Some(actor_token) = parameters.secret("actor_token") else {
            let description = if parameters.get("actor_token_type").is_some() {
                "actor_token_type is given without actor_token."
            } else {
                "The device secret is missing: an ID token is exchanged only together with its actor_token."
            };
            return Err(OAuthError::invalid_request(description));
        };
        let actor_type = parameters.require("actor_token_type", "The parameter actor_token_type is missing.")?;
        if !names::is_device_secret(actor_type) {
            return Err(OAuthError::invalid_request(
                "The actor_token must be a device secret; actor_token_type names another type.",
            ));
        }
        if parameters.get("requested_token_type").is_some_and(|wanted| wanted != names::TYPE_ACCESS_TOKEN) {
            return Err(OAuthError::invalid_request(
                "The server issues access tokens in this exchange; requested_token_type names another type.",
            ));
        }
        let audiences = parameters.all("audience");
        if audiences.is_empty() {
            return Err(OAuthError::invalid_request("The parameter audience is missing; it must be the issuer."));
        }
        if scope.as_ref().is_some_and(|scope| !scope.contains(names::OPENID)) {
            return Err(OAuthError::new(ErrorCode::InvalidScope, "The scope of this exchange must contain openid."));
        }
        let claims = match parameters.get("claims").map(serde_json::from_str::<Value>) {
            None => None,
            Some(Ok(claims)) if claims.is_object() => Some(claims),
            Some(_) => return Err(OAuthError::invalid_request("The parameter claims must be a JSON object.")),
        };
        Ok(Self {
            subject_token,
            actor_token,
            voucher: parameters.secret("device_key_voucher"),
            audiences,
            scope,
            resources,
            acr_values: parameters
                .get("acr_values")
                .map(|text| text.split_ascii_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
            claims,
            others: parameters
                .iter()
                .filter(|(name, _)| !CREDENTIALS.contains(name))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        })
    }
}

/// Reads a scope parameter.
///
/// # Errors
/// `invalid_scope` when it is not one.
pub fn parse_scope(text: &str) -> Result<Scope, OAuthError> {
    Scope::parse(text).map_err(|_| OAuthError::new(ErrorCode::InvalidScope, "The scope is malformed."))
}

fn required_secret(parameters: &Parameters, name: &str, missing: &'static str) -> Result<Secret<String>, OAuthError> {
    parameters.secret(name).ok_or_else(|| OAuthError::invalid_request(missing))
}
