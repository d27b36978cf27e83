//! The way of a token request: parse, authenticate the client, check its registration, let the grant prove and issue,
//! audit. What every grant must do is done here, so that none can forget it.

use std::net::IpAddr;

use super::engine::Engine;
use super::parameters::Parameters;
use super::possession::Shown;
use super::request::TokenRequest;
use super::session_transfer::TransferRequest;
use crate::clients::{AuthenticatedClient, Presented, authenticate, parse_basic};
use crate::issuance::{TokenResponse, handler};
use crate::protocol::{ErrorCode, OAuthError, names};
use crate::sessions::GrantId;
use crate::telemetry::{Code, codes};
use crate::tokens::session_id::SessionId;

/// One call of an endpoint at which clients authenticate.
#[derive(Debug)]
pub struct TokenCall<'a> {
    /// The parameters of the body.
    pub parameters: &'a Parameters,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The absolute address of the endpoint called, an acceptable audience of a client assertion.
    pub endpoint: &'a str,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// What the client says it is.
    pub user_agent: &'a str,
    /// What it shows beside the parameters to prove that it holds a key.
    pub shown: Shown<'a>,
}

/// What a request turned out to be about, for the audit log. Ids only.
#[derive(Debug, Default)]
pub struct Facts {
    /// The grant type, once known.
    pub grant: &'static str,
    /// The codes of this request, done and refused, where they are not those of its grant.
    pub codes: Option<(Code, Code)>,
    /// The client: the authenticated one, or the one that failed to authenticate, if there is such a client.
    pub client_id: Option<String>,
    /// The person.
    pub subject: Option<String>,
    /// The session.
    pub sid: Option<SessionId>,
    /// What began, changed or ended beside it, as an audit code of its own.
    pub change: Option<Code>,
    /// What was remarkable, as an audit code of its own.
    pub note: Option<Code>,
    /// What the guard cut from the handler's decision.
    pub clamps: Vec<&'static str>,
}

impl Facts {
    /// Notes `code` about a refusal, unless it was the server that failed.
    pub(super) fn note_refusal(&mut self, code: Code, error: &OAuthError) {
        if error.code == ErrorCode::InvalidGrant {
            self.note = Some(code);
        }
    }
}

/// The audit codes of a request for a session transfer token.
fn transfer_codes(parameters: &Parameters) -> Option<(Code, Code)> {
    match parameters.get("grant_type")? {
        names::TOKEN_EXCHANGE if TransferRequest::is_asked_for(parameters) => {
            Some((codes::TRANSFER_EXCHANGED, codes::TRANSFER_EXCHANGE_REFUSED))
        }
        names::REFRESH_TOKEN if parameters.all("audience").iter().any(|audience| Engine::names_a_transfer(audience)) => {
            Some((codes::TRANSFER_ISSUED, codes::TRANSFER_REFUSED))
        }
        _ => None,
    }
}

impl Engine {
    /// Answers a token request (RFC 6749 section 3.2).
    ///
    /// # Errors
    /// The refusal, with the cause for the log in it.
    pub async fn token(&self, call: &TokenCall<'_>, facts: &mut Facts) -> Result<TokenResponse, OAuthError> {
        // Whatever is wrong with a request for a session transfer token is told as that.
        facts.codes = transfer_codes(call.parameters);
        let request = TokenRequest::parse(call.parameters)?;
        facts.grant = request.grant_type();
        if matches!(request, TokenRequest::TokenExchange(_)) && !self.handlers().is_enabled() {
            return Err(handler::none_enabled());
        }
        let client = self.authenticate(call, facts).await?;
        if !client.client().allows_grant(request.grant_type()) {
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "The client is not registered for this grant_type."));
        }
        // Last of what is common: a client that must try again with a nonce has used up nothing but its assertion.
        let bound = self.possession(client.client(), call, facts).await?;
        // The two that are asked for all day make the state of a request; the others have their own.
        let answer = match request {
            TokenRequest::AuthorizationCode(request) => Box::pin(self.redeem_code(&client, request, &bound, facts)).await,
            TokenRequest::RefreshToken(request) => self.refresh(&client, request, &bound, call, facts).await,
            TokenRequest::ClientCredentials(request) => self.client_credentials(&client, request, &bound).await,
            TokenRequest::DeviceCode(request) => Box::pin(self.poll_device(&client, request, &bound, facts)).await,
            TokenRequest::TokenExchange(request) => self.exchange(&client, *request, &bound, call.address, facts).await,
            TokenRequest::SessionTransfer(request) => {
                Box::pin(self.exchange_for_transfer(&client, *request, &bound, call, facts)).await
            }
        }?;
        // Somebody has signed in with it. Should this fail, the next request does it.
        if client.client().unused_until.is_some()
            && facts.subject.is_some()
            && let Err(error) = self.clients().keep(&client.client().id).await
        {
            tracing::warn!(%error, "a client that is in use is still to be forgotten");
        }
        Ok(answer)
    }

    /// Authenticates the client of a call by the method it is registered for (RFC 6749 section 2.3).
    ///
    /// # Errors
    /// `invalid_client`, or `invalid_request` when no or more than one method is used.
    pub async fn authenticate(&self, call: &TokenCall<'_>, facts: &mut Facts) -> Result<AuthenticatedClient, OAuthError> {
        let presented = presented(call)?;
        let issuer = &self.settings().server.issuer;
        let token_endpoint = issuer.endpoint("/token");
        let audiences = [issuer.text.as_str(), token_endpoint.as_str(), call.endpoint];
        let result = authenticate(self.clients(), self.store(), self.clock(), &audiences, presented).await;
        facts.client_id = match &result {
            Ok(client) => Some(client.client().id.clone()),
            Err(error) => error.client_id().map(str::to_owned),
        };
        result.map_err(OAuthError::from)
    }
}

/// What an app's new grant did to a session that was there before: the app is new in it, or an older grant of its own had to go.
pub(super) fn entered(joins: bool, displaced: Option<&GrantId>) -> Option<Code> {
    if joins { Some(codes::DEVICE_SESSION_JOINED) } else { displaced.map(|_| codes::GRANT_DISPLACED) }
}

fn presented(call: &TokenCall<'_>) -> Result<Presented, OAuthError> {
    let parameters = call.parameters;
    let client_id = parameters.get("client_id").map(str::to_owned);
    let basic = match call.authorization {
        None => None,
        Some(header) => Some(parse_basic(header)?),
    };
    let methods = usize::from(basic.is_some())
        + usize::from(parameters.get("client_secret").is_some())
        + usize::from(parameters.get("client_assertion").is_some());
    if methods > 1 {
        return Err(OAuthError::invalid_request("The client used more than one method of authentication."));
    }
    if let Some((id, secret)) = basic {
        // A repeated client_id is fine as long as it is the same one.
        if client_id.is_some_and(|client_id| client_id != id) {
            return Err(OAuthError::invalid_request("client_id and the Authorization header name different clients."));
        }
        return Ok(Presented::Basic { client_id: id, secret });
    }
    if let Some(assertion) = parameters.secret("client_assertion") {
        if parameters.get("client_assertion_type") != Some(names::JWT_BEARER_ASSERTION) {
            return Err(OAuthError::invalid_request("client_assertion_type is missing or not the JWT bearer type."));
        }
        return Ok(Presented::Assertion { client_id, assertion });
    }
    let client_id = client_id
        .ok_or_else(|| OAuthError::new(ErrorCode::InvalidClient, "The client did not say who it is: client_id is missing."))?;
    Ok(match parameters.secret("client_secret") {
        Some(secret) => Presented::Post { client_id, secret },
        None => Presented::None { client_id, certificate: call.shown.certificate.map(str::to_owned) },
    })
}
