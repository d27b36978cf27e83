//! The token exchange that asks for a session transfer token (RFC 8693 section 2.1), in our own shape and in Okta's, parsed once.

use crate::foundation::Secret;
use crate::grants::parameters::Parameters;
use crate::protocol::{OAuthError, names};

/// The parameters of such an exchange.
#[derive(Debug)]
pub struct TransferRequest {
    pub(super) id_token: Secret<String>,
    pub(super) actor: Actor,
    /// Says that the key of this request may join the device session.
    pub(super) voucher: Option<Secret<String>>,
    pub(super) audiences: Vec<String>,
    /// What was asked for, and is answered.
    pub(super) token_type: &'static str,
}

/// What shows beside the ID token that the app is signed in.
#[derive(Debug)]
pub(super) enum Actor {
    DeviceSecret(Secret<String>),
    /// An access token with the scope `interclient_access`.
    AccessToken(Secret<String>),
}

impl TransferRequest {
    /// Whether an exchange asks for such a token at all.
    #[must_use]
    pub fn is_asked_for(parameters: &Parameters) -> bool {
        parameters.get("requested_token_type").is_some_and(|wanted| requested(wanted).is_some())
    }

    /// Reads the parameters.
    ///
    /// # Errors
    /// `invalid_request` with what is wrong.
    pub fn parse(parameters: &Parameters) -> Result<Self, OAuthError> {
        let wanted = parameters.require("requested_token_type", "The parameter requested_token_type is missing.")?;
        let token_type = requested(wanted).ok_or_else(|| OAuthError::invalid_request("The server does not issue this type."))?;
        let id_token = parameters
            .secret("subject_token")
            .ok_or_else(|| OAuthError::invalid_request("The parameter subject_token is missing."))?;
        let subject_type = parameters.require("subject_token_type", "The parameter subject_token_type is missing.")?;
        if subject_type != names::TYPE_ID_TOKEN && !names::TYPE_ID_TOKEN_ALIASES.contains(&subject_type) {
            return Err(OAuthError::invalid_request(
                "The subject_token must be an ID token; subject_token_type names another type.",
            ));
        }
        let actor = parameters
            .secret("actor_token")
            .ok_or_else(|| OAuthError::invalid_request("The parameter actor_token is missing."))?;
        let actor_type = parameters.require("actor_token_type", "The parameter actor_token_type is missing.")?;
        let interclient = token_type == names::TYPE_INTERCLIENT;
        let actor = if interclient && actor_type == names::TYPE_ACCESS_TOKEN {
            Actor::AccessToken(actor)
        } else if !interclient && names::is_device_secret(actor_type) {
            Actor::DeviceSecret(actor)
        } else if interclient {
            return Err(OAuthError::invalid_request("The actor_token of an interclient token must be an access token."));
        } else {
            return Err(OAuthError::invalid_request(
                "The actor_token must be a device secret; actor_token_type names another type.",
            ));
        };
        let audiences = parameters.all("audience");
        if audiences.is_empty() {
            return Err(OAuthError::invalid_request("The parameter audience is missing."));
        }
        Ok(Self { id_token, actor, voucher: parameters.secret("device_key_voucher"), audiences, token_type })
    }
}

fn requested(wanted: &str) -> Option<&'static str> {
    [names::TYPE_SESSION_TRANSFER, names::TYPE_SESSION_TRANSFER_OWN, names::TYPE_INTERCLIENT]
        .into_iter()
        .find(|own| *own == wanted)
}
