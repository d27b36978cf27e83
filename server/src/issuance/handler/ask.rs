//! One question to the enabled handler, and what its answer means.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value};
use symbolon_sdk::host::{Configured, HandlerFault, HostRequest};
use symbolon_sdk::{
    ClaimsTransport, DeviceSsoAuthorization, Encoding, Execution, HandlerError, RefreshLifetime as SdkRefreshLifetime,
};

use super::Handlers;
use crate::clients::Client;
use crate::foundation::Timestamp;
use crate::issuance::id_token::IdTokenClaims;
use crate::issuance::proposal::{IdTokenProposal, Proposal, RefreshLifetime, RefreshProposal};
use crate::protocol::{ErrorCode, OAuthError, Scope};
use crate::sessions::{AccessTemplate, Session};
use crate::settings::Settings;
use crate::tokens::session_id::SessionId;

/// What a handler is asked: verified facts, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The client that asks.
    pub client: &'a Arc<Client>,
    /// The presented ID token.
    pub claims: &'a IdTokenClaims,
    /// The device session's id.
    pub sid: SessionId,
    /// The device session.
    pub session: &'a Session,
    /// `None` when the parameter was absent.
    pub requested_scope: Option<&'a Scope>,
    /// What the server would take then.
    pub default_scope: &'a Scope,
    /// What may be granted at most.
    pub grantable_scope: &'a Scope,
    /// The `claims` parameter.
    pub claims_request: Option<&'a Value>,
    /// The `acr_values` parameter.
    pub acr_values: &'a [String],
    /// The `resource` parameters.
    pub resources: &'a [String],
    /// The other parameters, without credentials.
    pub parameters: &'a [(String, String)],
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// Now.
    pub now: Timestamp,
}

impl Handlers {
    /// Asks the enabled handler.
    ///
    /// # Errors
    /// What the handler refused with; `server_error` when it panicked or answered nonsense; `temporarily_unavailable` past
    /// its deadline; `unsupported_grant_type` when none is enabled.
    pub async fn ask(&self, question: &Question<'_>, settings: &Arc<Settings>) -> Result<Proposal, OAuthError> {
        let Some(handler) = &self.enabled else {
            return Err(OAuthError::new(
                ErrorCode::UnsupportedGrantType,
                "Token exchange is switched off: no device-SSO handler is enabled.",
            ));
        };
        let answer = if handler.described().execution() == Execution::Inline {
            put(handler, question, settings)
        } else {
            put_aside(handler, question, settings).await?
        };
        answer.map(proposal).map_err(|fault| refusal(fault, handler))
    }
}

/// Calls the handler here and now.
fn put(handler: &Configured, question: &Question<'_>, settings: &Settings) -> Result<DeviceSsoAuthorization, HandlerFault> {
    let session = question.session;
    let claims = match serde_json::to_value(question.claims) {
        Ok(Value::Object(claims)) => claims,
        _ => Map::new(),
    };
    let sid = question.sid.to_string();
    let amr: Vec<&str> = session.amr.iter().map(String::as_str).collect();
    let clients: Vec<&str> = session.apps.keys().map(String::as_str).collect();
    let requested: Option<Vec<&str>> = question.requested_scope.map(|scope| scope.iter().collect());
    let default_scope: Vec<&str> = question.default_scope.iter().collect();
    let grantable: Vec<&str> = question.grantable_scope.iter().collect();
    let acr_values: Vec<&str> = question.acr_values.iter().map(String::as_str).collect();
    let resources: Vec<&str> = question.resources.iter().map(String::as_str).collect();
    let parameters: Vec<(&str, &str)> = question.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let resolve = |scope: &[&str]| settings.claims_of(&scope.iter().copied().collect());
    handler.authorize(&HostRequest {
        subject: &session.sub,
        client_id: &question.client.id,
        confidential: !question.client.is_public(),
        now: question.now.0,
        id_token_claims: &claims,
        sid: &sid,
        auth_time: session.auth_time.0,
        acr: Some(&session.acr),
        amr: &amr,
        session_created: session.created.0,
        session_last_used: session.last_used.0,
        session_client_ids: &clients,
        device: session.device.as_ref().map(|device| device.description.as_str()).filter(|text| !text.is_empty()),
        requested_scope: requested.as_deref(),
        default_scope: &default_scope,
        grantable_scope: &grantable,
        requested_claims: question.claims_request,
        acr_values: &acr_values,
        resources: &resources,
        parameters: &parameters,
        client_metadata: &question.client.metadata,
        client_address: question.address,
        resolve_claim_names: &resolve,
        default_access_token_lifetime: settings.tokens.access_token_lifetime.as_secs(),
        default_refresh_token_lifetime: settings.tokens.refresh_token_lifetime.map(|life| life.as_secs()),
        default_rotation: settings.tokens.refresh_token_rotate,
        ..HostRequest::default()
    })
}

/// Calls a handler that may wait on a thread where waiting harms nobody, for as long as the deadline allows.
async fn put_aside(
    handler: &Arc<Configured>,
    question: &Question<'_>,
    settings: &Arc<Settings>,
) -> Result<Result<DeviceSsoAuthorization, HandlerFault>, OAuthError> {
    let facts = Facts::of(question);
    let (instance, shared) = (Arc::clone(handler), Arc::clone(settings));
    let call = tokio::task::spawn_blocking(move || put(&instance, &facts.question(), &shared));
    match tokio::time::timeout(settings.handlers.deadline, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(OAuthError::server_error(format!("the call of handler {} broke off", handler.described().name()))),
        Err(_) => Err(OAuthError::new(
            ErrorCode::TemporarilyUnavailable,
            "The sign-on policy could not be evaluated in time; try again later.",
        )
        .because(format!("handler {} took longer than {:?}", handler.described().name(), settings.handlers.deadline))),
    }
}

/// A question that owns its facts, to be taken to another thread.
struct Facts {
    client: Arc<Client>,
    claims: IdTokenClaims,
    sid: SessionId,
    session: Session,
    requested_scope: Option<Scope>,
    default_scope: Scope,
    grantable_scope: Scope,
    claims_request: Option<Value>,
    acr_values: Vec<String>,
    resources: Vec<String>,
    parameters: Vec<(String, String)>,
    address: Option<IpAddr>,
    now: Timestamp,
}

impl Facts {
    fn of(question: &Question<'_>) -> Self {
        Self {
            client: Arc::clone(question.client),
            claims: question.claims.clone(),
            sid: question.sid,
            session: question.session.clone(),
            requested_scope: question.requested_scope.cloned(),
            default_scope: question.default_scope.clone(),
            grantable_scope: question.grantable_scope.clone(),
            claims_request: question.claims_request.cloned(),
            acr_values: question.acr_values.to_vec(),
            resources: question.resources.to_vec(),
            parameters: question.parameters.to_vec(),
            address: question.address,
            now: question.now,
        }
    }

    const fn question(&self) -> Question<'_> {
        Question {
            client: &self.client,
            claims: &self.claims,
            sid: self.sid,
            session: &self.session,
            requested_scope: self.requested_scope.as_ref(),
            default_scope: &self.default_scope,
            grantable_scope: &self.grantable_scope,
            claims_request: self.claims_request.as_ref(),
            acr_values: self.acr_values.as_slice(),
            resources: self.resources.as_slice(),
            parameters: self.parameters.as_slice(),
            address: self.address,
            now: self.now,
        }
    }
}

fn proposal(answer: DeviceSsoAuthorization) -> Proposal {
    let access = answer.access_token;
    let refresh = answer.refresh_token;
    // A value that is no scope value cannot have been registered, so the guard would drop it anyway.
    let scope = answer.scope.iter().filter_map(|value| Scope::parse(value).ok()).fold(Scope::default(), |mut all, one| {
        one.iter().for_each(|value| all.insert(value));
        all
    });
    Proposal {
        scope,
        access: AccessTemplate {
            lifetime: access.lifetime.map(|life| life.as_secs()),
            opaque: match access.encoding {
                Encoding::Identifier => Some(true),
                Encoding::SelfContained => Some(false),
                _ => None,
            },
            encrypt: access.encrypt,
            audience: access.audience,
            data: access.data,
        },
        id_token: answer
            .id_token
            .issue
            .then_some(IdTokenProposal { lifetime: answer.id_token.lifetime, claims: answer.id_token.claims }),
        refresh: refresh.issue.then_some(RefreshProposal {
            lifetime: match refresh.lifetime {
                SdkRefreshLifetime::Never => RefreshLifetime::Never,
                SdkRefreshLifetime::For(life) => RefreshLifetime::For(life),
                _ => RefreshLifetime::Default,
            },
            max_idle: refresh.max_idle,
            rotate: refresh.rotate,
        }),
        claims: answer.claims.names,
        claims_in_id_token: answer.claims.transport == ClaimsTransport::IdToken,
    }
}

fn refusal(fault: HandlerFault, handler: &Configured) -> OAuthError {
    let name = handler.described().name();
    match fault {
        HandlerFault::Refused(error) => refused(&error, name),
        HandlerFault::Panicked(message) => OAuthError::server_error(format!("handler {name} panicked: {message}")),
        HandlerFault::Malformed(reason) => OAuthError::server_error(format!("handler {name} answered nonsense: {reason}")),
    }
}

fn refused(error: &HandlerError, name: &str) -> OAuthError {
    let code = match error.code() {
        "invalid_scope" => ErrorCode::InvalidScope,
        "interaction_required" => ErrorCode::InteractionRequired,
        "access_denied" => ErrorCode::AccessDenied,
        "invalid_grant" => ErrorCode::InvalidGrant,
        "invalid_request" => ErrorCode::InvalidRequest,
        "invalid_target" => ErrorCode::InvalidTarget,
        "unauthorized_client" => ErrorCode::UnauthorizedClient,
        "server_error" => ErrorCode::ServerError,
        "temporarily_unavailable" => ErrorCode::TemporarilyUnavailable,
        other => ErrorCode::Handler(other.to_owned()),
    };
    let mut refusal = OAuthError::new(code, "The sign-on policy refused the request.");
    if let Some(description) = error.description() {
        refusal.description = description.to_owned().into();
    }
    refusal.status = error.status();
    refusal.members.clone_from(error.members());
    refusal.because(format!("handler {name} refused: {}", error.log_message()))
}
