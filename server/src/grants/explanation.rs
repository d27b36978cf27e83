//! What a device-SSO exchange would come to, and why, without one taking place: for whoever writes or operates a handler.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::engine::Engine;
use super::possession;
use super::request;
use super::target;
use crate::clients::Client;
use crate::foundation::encoding;
use crate::issuance::handler::{Purpose, Question};
use crate::issuance::mint::Bearer;
use crate::protocol::{OAuthError, names};
use crate::sessions::{GrantId, Session, SessionKind};
use crate::tokens::Confirmation;
use crate::tokens::session_id::SessionId;

/// The exchange in question, as somebody names it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Wanted {
    /// The client that would ask.
    pub client_id: String,
    /// The device session.
    pub sid: String,
    /// The `scope` parameter.
    pub scope: Option<String>,
    /// The `acr_values` parameter.
    pub acr_values: Option<String>,
    /// The `claims` parameter.
    pub claims: Option<Value>,
    /// The `resource` parameters.
    pub resources: Vec<String>,
    /// The app whose ID token would be shown; the first of the session when not named.
    pub source: Option<String>,
    /// A library to ask instead of the enabled handler.
    pub handler: Option<PathBuf>,
    /// Handler properties over those that hold.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

impl Engine {
    /// Goes the way of an exchange without proofs and without an end: what the core checks, what the handler says, what the guard cuts,
    /// what the tokens would say. Issues, writes and counts nothing but the call of the handler.
    ///
    /// # Errors
    /// One sentence when there is no such client or session, or nobody could be asked.
    pub async fn explain(&self, wanted: &Wanted) -> Result<Value, String> {
        let store = |error: OAuthError| error.cause.unwrap_or_else(|| error.description.into_owned());
        let client = self.clients().find(&wanted.client_id).await.map_err(|error| error.to_string())?;
        let client = client.ok_or_else(|| format!("there is no client {}", wanted.client_id))?;
        let sid: SessionId = wanted.sid.parse().map_err(|_| format!("{} is not a session id", wanted.sid))?;
        let loaded = self.sessions().find(sid).await.map_err(|error| error.to_string())?;
        let loaded = loaded.filter(|loaded| loaded.session.kind == SessionKind::Device);
        let session = loaded.ok_or_else(|| format!("there is no living device session {sid}"))?.session;
        let source = source(wanted, &session)?;

        let before = self.before(wanted, &client, source, &session).await;
        let (ceiling, scope, resources) = match before {
            Ok(fine) => fine,
            Err(error) => {
                return Ok(json!({
                    "decision": "refused by the server before any handler is asked",
                    "refusal": { "error": error.code.as_str(), "error_description": error.description, "members": error.members, "cause": error.cause },
                }));
            }
        };
        let terms = self.terms(&client, &ceiling, &session, scope.as_ref()).await.map_err(store)?;
        let issued_to = self.clients().find(source).await.map_err(|error| error.to_string())?;
        let claims = self.id_token_like(source, issued_to.as_deref(), sid, &session);
        let now = self.clock().now();
        let acr_values: Vec<String> =
            wanted.acr_values.iter().flat_map(|text| text.split_ascii_whitespace()).map(str::to_owned).collect();
        let confirmation = keys(&client, &session);
        let question = Question {
            client: &client,
            id_token_claims: &claims,
            source_client_id: source,
            sid,
            session: &session,
            requested_scope: scope.as_ref(),
            default_scope: &terms.default_scope,
            grantable_scope: &terms.grantable,
            claims_request: wanted.claims.as_ref(),
            acr_values: &acr_values,
            resources: &resources,
            parameters: &[],
            address: None,
            binding: possession::token_binding(&confirmation),
            purpose: Purpose::Explanation,
            now,
        };
        let limits = terms.limits(&client, &session, &resources, now);
        let explained = {
            let (file, properties) = (wanted.handler.as_deref(), &wanted.properties);
            self.handlers().explain(&question, &limits, self.settings(), file, properties).await?
        };
        let mut answer = Map::new();
        let decision = match &explained.plan {
            None => "refused by the handler",
            Some(plan) if plan.scope().is_empty() => "refused by the server: nothing of the scope can be granted",
            Some(_) => "allowed",
        };
        answer.insert("decision".to_owned(), decision.into());
        answer.insert("handler".to_owned(), explained.handler.into());
        answer.insert("microseconds".to_owned(), json!(explained.took.as_micros()));
        answer.insert(
            "question".to_owned(),
            json!({
                "source_client_id": source, "requested_scope": scope, "default_scope": terms.default_scope, "grantable_scope": terms.grantable,
                "acr": session.acr, "auth_time": session.auth_time, "client_ids": session.apps.keys().collect::<Vec<_>>(),
                "binding": if confirmation == Confirmation::NONE { "none" } else { "dpop" },
            }),
        );
        answer.insert("handler_said".to_owned(), json!(explained.said));
        answer.insert("refusal".to_owned(), json!(explained.refused));
        answer.insert("clamped".to_owned(), json!(explained.plan.as_ref().map(crate::issuance::IssuePlan::clamps)));
        answer.insert("granted".to_owned(), json!(explained.outline));
        if let Some(plan) = &explained.plan {
            let authentication = session.authentication();
            let grant = GrantId(encoding::encode([0; 9]));
            let bearer = Bearer {
                sub: &session.sub,
                session: Some((sid, &authentication)),
                grant: Some(&grant),
                nonce: None,
                device_secret: None,
                confirmation: &confirmation,
            };
            answer.insert("tokens".to_owned(), self.issuer().preview(plan, &bearer).await.map_err(store)?);
        }
        Ok(Value::Object(answer))
    }

    /// What the core checks without looking at proofs.
    async fn before(
        &self,
        wanted: &Wanted,
        client: &std::sync::Arc<Client>,
        source: &str,
        session: &Session,
    ) -> Result<(crate::clients::sharing::Ceiling, Option<crate::protocol::Scope>, Vec<String>), OAuthError> {
        use crate::protocol::ErrorCode::{InvalidScope, UnauthorizedClient};
        if !client.allows_grant(names::TOKEN_EXCHANGE) {
            return Err(OAuthError::new(UnauthorizedClient, "The client is not registered for this grant_type."));
        }
        let scope = wanted.scope.as_deref().map(request::parse_scope).transpose()?;
        if scope.as_ref().is_some_and(|scope| !scope.contains(names::OPENID)) {
            return Err(OAuthError::new(InvalidScope, "The scope of this exchange must contain openid."));
        }
        if scope.as_ref().is_some_and(|scope| !scope.is_subset(&client.scope)) {
            return Err(OAuthError::new(InvalidScope, "The scope is beyond what this client is registered for."));
        }
        let resources = target::check(wanted.resources.clone(), self.settings())?;
        let ceiling = self.verify_sharing(client, source, self.clock().now(), session).await?;
        self.check_age(session)?;
        Ok((ceiling, scope, resources))
    }

    /// The claims that an ID token of `source` in this session has.
    fn id_token_like(&self, source: &str, issued_to: Option<&Client>, sid: SessionId, session: &Session) -> String {
        let sub = issued_to.map(|client| self.issuer().subject_for(client, &session.sub));
        json!({
            "iss": self.settings().server.issuer.text, "sub": sub, "aud": source, "sid": sid,
            "auth_time": session.auth_time, "acr": session.acr, "amr": session.amr,
        })
        .to_string()
    }
}

/// The keys to which what the client is given would be bound: it must prove one in a session that has some (the one that it enrolled
/// itself, supposedly), and anywhere if it is registered so. A client that proves one of its own accord is not foreseen.
fn keys(client: &Client, session: &Session) -> Confirmation {
    let keys = session.device.iter().flat_map(|device| &device.keys);
    let own = keys.clone().rev().find(|key| key.client_id == client.id);
    let known = own.or_else(|| keys.clone().next()).map(|key| key.thumbprint.clone());
    let jkt = known.or_else(|| client.dpop_bound_access_tokens.then(|| "(of the key that it proves)".to_owned()));
    Confirmation { jkt, ..Confirmation::NONE }
}

/// The app that brings the client in.
fn source<'a>(wanted: &'a Wanted, session: &'a Session) -> Result<&'a str, String> {
    if let Some(source) = &wanted.source {
        return Ok(source);
    }
    let first = session.apps.iter().min_by_key(|(_, app)| app.first_used.0);
    first
        .map(|(client_id, _)| client_id.as_str())
        .ok_or_else(|| "no app is signed in to this session; name one with --source".to_owned())
}
