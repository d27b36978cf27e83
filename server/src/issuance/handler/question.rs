//! What a handler is asked: verified facts, borrowed for a call on this thread or owned to be taken to another thread or process.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use symbolon_sdk::host::HostRequest;
use symbolon_sdk::{Purpose, TokenBinding};

use crate::clients::Client;
use crate::foundation::Timestamp;
use crate::protocol::Scope;
use crate::sessions::Session;
use crate::settings::Settings;
use crate::tokens::session_id::SessionId;

/// One exchange as the core has proven it, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The client that asks.
    pub client: &'a Arc<Client>,
    /// The claims of the presented ID token: the text of a JSON object.
    pub id_token_claims: &'a str,
    /// The client that the ID token was issued to.
    pub source_client_id: &'a str,
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
    /// How the tokens will be bound to a key of the client.
    pub binding: TokenBinding,
    /// What becomes of the decision.
    pub purpose: Purpose,
    /// Now.
    pub now: Timestamp,
}

/// What handlers are told about the server, the same at every call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Surroundings {
    /// Scope value -> the claims that it stands for.
    claims_of_scope: BTreeMap<String, Vec<String>>,
    access_token_lifetime: u64,
    refresh_token_lifetime: Option<u64>,
    rotation: bool,
}

impl Surroundings {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            claims_of_scope: settings.scopes.iter().map(|(name, meaning)| (name.clone(), meaning.claims.clone())).collect(),
            access_token_lifetime: settings.tokens.access_token_lifetime.as_secs(),
            refresh_token_lifetime: settings.tokens.refresh_token_lifetime.map(|life| life.as_secs()),
            rotation: settings.tokens.refresh_token_rotate,
        }
    }

    fn claims_of(&self, scope: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for claim in scope.iter().filter_map(|value| self.claims_of_scope.get(*value)).flatten() {
            if !names.contains(claim) {
                names.push(claim.clone());
            }
        }
        names
    }

    fn fill(&self, request: &mut HostRequest<'_>) {
        request.default_access_token_lifetime = self.access_token_lifetime;
        request.default_refresh_token_lifetime = self.refresh_token_lifetime;
        request.default_rotation = self.rotation;
    }
}

impl Question<'_> {
    /// Lends the question to a handler.
    pub(super) fn lend<T>(&self, surroundings: &Surroundings, ask: impl FnOnce(&HostRequest<'_>) -> T) -> T {
        let session = self.session;
        let sid = self.sid.to_string();
        let lists = Lists {
            amr: strs(&session.amr),
            client_ids: session.apps.keys().map(String::as_str).collect(),
            requested_scope: self.requested_scope.map(|scope| scope.iter().collect()),
            default_scope: self.default_scope.iter().collect(),
            grantable_scope: self.grantable_scope.iter().collect(),
            acr_values: strs(self.acr_values),
            resources: strs(self.resources),
            parameters: pairs(self.parameters),
        };
        let resolve = |scope: &[&str]| surroundings.claims_of(scope);
        let mut request = HostRequest {
            resolve_claim_names: &resolve,
            subject: &session.sub,
            client_id: &self.client.id,
            confidential: !self.client.is_public(),
            now: self.now.0,
            id_token_claims: self.id_token_claims,
            source_client_id: Some(self.source_client_id),
            purpose: self.purpose,
            sid: &sid,
            auth_time: session.auth_time.0,
            acr: Some(&session.acr),
            session_created: session.created.0,
            session_last_used: session.last_used.0,
            device: session.device.as_ref().map(|device| device.description.as_str()).filter(|text| !text.is_empty()),
            requested_claims: self.claims_request,
            client_metadata: &self.client.metadata,
            client_address: self.address,
            token_binding: self.binding,
            ..HostRequest::default()
        };
        lists.fill(&mut request);
        surroundings.fill(&mut request);
        ask(&request)
    }

    /// The facts on their own feet.
    pub(super) fn facts(&self) -> Facts {
        let session = self.session;
        Facts {
            subject: session.sub.clone(),
            client_id: self.client.id.clone(),
            confidential: !self.client.is_public(),
            now: self.now.0,
            id_token_claims: self.id_token_claims.to_owned(),
            source_client_id: self.source_client_id.to_owned(),
            purpose: self.purpose,
            sid: self.sid.to_string(),
            auth_time: session.auth_time.0,
            acr: session.acr.clone(),
            amr: session.amr.clone(),
            session_created: session.created.0,
            session_last_used: session.last_used.0,
            client_ids: session.apps.keys().cloned().collect(),
            device: session.device.as_ref().map(|device| device.description.clone()).filter(|text| !text.is_empty()),
            requested_scope: self.requested_scope.map(owned),
            default_scope: owned(self.default_scope),
            grantable_scope: owned(self.grantable_scope),
            claims_request: self.claims_request.cloned(),
            acr_values: self.acr_values.to_vec(),
            resources: self.resources.to_vec(),
            parameters: self.parameters.to_vec(),
            client_metadata: self.client.metadata.clone(),
            address: self.address,
            binding: self.binding,
        }
    }
}

/// One exchange, owned: what crosses to another thread, and as JSON to another process of this program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Facts {
    subject: String,
    client_id: String,
    confidential: bool,
    now: u64,
    id_token_claims: String,
    source_client_id: String,
    purpose: Purpose,
    sid: String,
    auth_time: u64,
    acr: String,
    amr: Vec<String>,
    session_created: u64,
    session_last_used: u64,
    client_ids: Vec<String>,
    device: Option<String>,
    requested_scope: Option<Vec<String>>,
    default_scope: Vec<String>,
    grantable_scope: Vec<String>,
    claims_request: Option<Value>,
    acr_values: Vec<String>,
    resources: Vec<String>,
    parameters: Vec<(String, String)>,
    client_metadata: Map<String, Value>,
    address: Option<IpAddr>,
    binding: TokenBinding,
}

impl Facts {
    /// The same, as a shadow is asked.
    pub(super) fn for_shadow(mut self) -> Self {
        self.purpose = Purpose::Shadow;
        self
    }

    /// Which client and session it is about, for log lines.
    pub(super) fn ids(&self) -> (&str, &str) {
        (&self.client_id, &self.sid)
    }

    /// Lends the facts to a handler.
    pub(super) fn lend<T>(&self, surroundings: &Surroundings, ask: impl FnOnce(&HostRequest<'_>) -> T) -> T {
        let lists = Lists {
            amr: strs(&self.amr),
            client_ids: strs(&self.client_ids),
            requested_scope: self.requested_scope.as_deref().map(strs),
            default_scope: strs(&self.default_scope),
            grantable_scope: strs(&self.grantable_scope),
            acr_values: strs(&self.acr_values),
            resources: strs(&self.resources),
            parameters: pairs(&self.parameters),
        };
        let resolve = |scope: &[&str]| surroundings.claims_of(scope);
        let mut request = HostRequest {
            resolve_claim_names: &resolve,
            subject: &self.subject,
            client_id: &self.client_id,
            confidential: self.confidential,
            now: self.now,
            id_token_claims: &self.id_token_claims,
            source_client_id: Some(&self.source_client_id),
            purpose: self.purpose,
            sid: &self.sid,
            auth_time: self.auth_time,
            acr: Some(&self.acr),
            session_created: self.session_created,
            session_last_used: self.session_last_used,
            device: self.device.as_deref(),
            requested_claims: self.claims_request.as_ref(),
            client_metadata: &self.client_metadata,
            client_address: self.address,
            token_binding: self.binding,
            ..HostRequest::default()
        };
        lists.fill(&mut request);
        surroundings.fill(&mut request);
        ask(&request)
    }
}

/// The lists of a request, which must live somewhere while it is lent.
struct Lists<'a> {
    amr: Vec<&'a str>,
    client_ids: Vec<&'a str>,
    requested_scope: Option<Vec<&'a str>>,
    default_scope: Vec<&'a str>,
    grantable_scope: Vec<&'a str>,
    acr_values: Vec<&'a str>,
    resources: Vec<&'a str>,
    parameters: Vec<(&'a str, &'a str)>,
}

impl Lists<'_> {
    fn fill<'a>(&'a self, request: &mut HostRequest<'a>) {
        request.amr = &self.amr;
        request.session_client_ids = &self.client_ids;
        request.requested_scope = self.requested_scope.as_deref();
        request.default_scope = &self.default_scope;
        request.grantable_scope = &self.grantable_scope;
        request.acr_values = &self.acr_values;
        request.resources = &self.resources;
        request.parameters = &self.parameters;
    }
}

fn strs(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

fn pairs(list: &[(String, String)]) -> Vec<(&str, &str)> {
    list.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn owned(scope: &Scope) -> Vec<String> {
    scope.iter().map(str::to_owned).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The facts of an exchange by a client of that name.
    pub(in crate::issuance::handler) fn facts(client_id: &str) -> Facts {
        Facts {
            subject: "ada".to_owned(),
            client_id: client_id.to_owned(),
            confidential: false,
            now: 1_800_000_000,
            id_token_claims: r#"{"aud":"app-one"}"#.to_owned(),
            source_client_id: "app-one".to_owned(),
            purpose: Purpose::Exchange,
            sid: "s".to_owned(),
            auth_time: 1_799_999_000,
            acr: "a".to_owned(),
            amr: vec!["pwd".to_owned()],
            session_created: 1_799_999_000,
            session_last_used: 1_799_999_000,
            client_ids: vec!["app-one".to_owned()],
            device: None,
            requested_scope: None,
            default_scope: vec!["openid".to_owned()],
            grantable_scope: vec!["openid".to_owned(), "email".to_owned()],
            claims_request: None,
            acr_values: Vec::new(),
            resources: Vec::new(),
            parameters: Vec::new(),
            client_metadata: Map::new(),
            address: None,
            binding: TokenBinding::None,
        }
    }
}
