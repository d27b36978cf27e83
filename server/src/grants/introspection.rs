//! Token introspection (RFC 7662, signed: RFC 9701): access tokens, refresh tokens and device secrets.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::engine::Engine;
use super::pipeline::{Facts, TokenCall};
use crate::clients::{Client, SubjectType};
use crate::foundation::{Digest, Secret};
use crate::issuance::VerifiedAccessToken;
use crate::protocol::OAuthError;
use crate::sessions::{Grant, Presented};
use crate::settings::meaning::SigningAlg;
use crate::tokens::handle::RefreshHandle;

/// `typ` of a signed answer, which keeps it from being taken for any other JWT (RFC 9701 sections 5 and 8.1).
const TYP: &str = "token-introspection+jwt";

/// What the client that asked is told.
#[derive(Debug)]
pub struct Introspection {
    client: Arc<Client>,
    /// The members of the answer (RFC 7662 section 2.2).
    pub members: Map<String, Value>,
}

impl Engine {
    /// Answers an introspection request. A token that is worth nothing, and one that the asking client may not know about,
    /// read the same: `active: false`.
    ///
    /// # Errors
    /// `invalid_request` without a token, `invalid_client`, or when the store fails.
    pub async fn introspect(&self, call: &TokenCall<'_>, facts: &mut Facts) -> Result<Introspection, OAuthError> {
        let client = self.authenticate(call, facts).await?;
        let client = client.client();
        let token = call.parameters.require("token", "The parameter token is missing.")?;
        let answer = if token.starts_with("ds_") {
            self.introspect_device_secret(client, token).await?
        } else if token.starts_with("rt_") {
            self.introspect_refresh_token(client, token).await?
        } else {
            self.introspect_access_token(client, token).await?
        };
        let members = answer.unwrap_or_else(|| Map::from_iter([("active".to_owned(), Value::Bool(false))]));
        Ok(Introspection { client: Arc::clone(client), members })
    }

    /// The answer as a JWT for the client that asked, signed and, where it registered that, encrypted (RFC 9701 section 5). There is no
    /// `exp` and no `sub` outside the answer, so that nobody takes it for an access token.
    ///
    /// # Errors
    /// `server_error` when it cannot be signed, or the client has no key to encrypt to any more.
    pub async fn sign_introspection(&self, introspection: Introspection) -> Result<String, OAuthError> {
        let Introspection { client, members } = introspection;
        let claims = json!({
            "iss": self.settings().server.issuer.text,
            "aud": client.id,
            "iat": self.clock().now(),
            "token_introspection": members,
        });
        let alg = client.introspection_signing_alg.unwrap_or(SigningAlg::Rs256);
        self.issuer().protect(&client, TYP, &claims, alg, client.introspection_encryption.as_ref()).await
    }

    /// Checks a presented access token, whose client must still be there too, and be the one it was issued to; `None` = it is worth
    /// nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn verify_access_token(&self, text: &str) -> Result<Option<VerifiedAccessToken>, OAuthError> {
        let Some(token) = self.issuer().verify_access_token(text).await? else { return Ok(None) };
        let client = self.clients().find(&token.claims().client_id).await?;
        Ok(client.filter(|client| client.stood_at(token.claims().iat)).map(|_| token))
    }

    async fn introspect_access_token(&self, client: &Client, text: &str) -> Result<Option<Map<String, Value>>, OAuthError> {
        let Some(token) = self.verify_access_token(text).await? else { return Ok(None) };
        let claims = token.claims();
        if !(client.introspection || claims.client_id == client.id || claims.aud.contains(&client.id)) {
            return Ok(None);
        }
        let Ok(Value::Object(mut answer)) = serde_json::to_value(claims) else {
            return Err(OAuthError::server_error("the claims of an access token are no object"));
        };
        answer.insert("active".to_owned(), true.into());
        answer.insert("token_type".to_owned(), claims.confirmation().token_type().into());
        show_data(token.grant(), &mut answer);
        // A name that everybody knows would undo a `sub` that is the client's own.
        let owner = self.clients().find(&claims.client_id).await?;
        let is_unlinkable = |client: &Client| client.subject_type != SubjectType::Public;
        let sub = token.session().map(|session| session.sub.as_str());
        let sub = sub.filter(|_| !is_unlinkable(client) && !owner.is_some_and(|owner| is_unlinkable(&owner)));
        if let Some(person) = self.person_name(sub).await? {
            answer.insert("username".to_owned(), person.into());
        }
        Ok(Some(answer))
    }

    async fn introspect_refresh_token(&self, client: &Client, text: &str) -> Result<Option<Map<String, Value>>, OAuthError> {
        let Some(handle) = RefreshHandle::parse(text) else { return Ok(None) };
        let Some(loaded) = self.sessions().find(handle.session).await? else { return Ok(None) };
        let tag = Digest::of(handle.tag);
        let found = loaded.session.apps.iter().find_map(|(owner, app)| {
            let grant = app.grants.iter().find(|grant| grant.refresh.as_ref().is_some_and(|refresh| refresh.tag == tag))?;
            Some((owner, grant, grant.refresh.as_ref()?))
        });
        let Some((owner, grant, refresh)) = found else { return Ok(None) };
        let Some(owner) = self.clients().find(owner).await?.filter(|owner| owner.stood_at(grant.issued)) else { return Ok(None) };
        let entitled = client.introspection || owner.id == client.id;
        // A predecessor is still answered at the token endpoint, so it counts as active.
        if !entitled || !refresh.is_alive(self.clock().now()) || refresh.classify(&handle.secret) == Presented::Replay {
            return Ok(None);
        }
        let sub = self.issuer().subject_for(&owner, &loaded.session.sub);
        let mut answer = self.session_members(&sub, loaded.id, &loaded.session);
        answer.insert("client_id".to_owned(), owner.id.clone().into());
        answer.insert("scope".to_owned(), grant.scope.to_string().into());
        let end = match (refresh.expires, loaded.session.ends_at_latest()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if let Some(end) = end {
            answer.insert("exp".to_owned(), end.0.into());
        }
        answer.insert("iat".to_owned(), refresh.last_used.0.into());
        if let Some(bound) = &refresh.bound {
            answer.insert("cnf".to_owned(), json!(bound));
        }
        show_data(Some(grant), &mut answer);
        Ok(Some(answer))
    }

    async fn introspect_device_secret(&self, client: &Client, text: &str) -> Result<Option<Map<String, Value>>, OAuthError> {
        let Some(device) = self.sessions().verify_device_secret(&Secret::new(text.to_owned())).await? else { return Ok(None) };
        let own = device.session().apps.get(&client.id);
        let is_app_of_it = own.is_some_and(|app| app.grants.iter().any(|grant| client.stood_at(grant.issued)));
        if !(client.introspection || is_app_of_it) {
            return Ok(None);
        }
        // A device secret belongs to no client: whoever asks is told the person as it knows them.
        let sub = self.issuer().subject_for(client, &device.session().sub);
        let mut answer = self.session_members(&sub, device.id(), device.session());
        if let Some(end) = device.session().ends_at_latest() {
            answer.insert("exp".to_owned(), end.0.into());
        }
        answer.insert("token_type".to_owned(), "device_secret".into());
        Ok(Some(answer))
    }

    fn session_members(
        &self,
        sub: &str,
        sid: crate::tokens::session_id::SessionId,
        session: &crate::sessions::Session,
    ) -> Map<String, Value> {
        let members = json!({
            "active": true,
            "iss": self.settings().server.issuer.text,
            "sub": sub,
            "sid": sid,
            "auth_time": session.auth_time,
            "acr": session.acr,
        });
        match members {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    async fn person_name(&self, sub: Option<&str>) -> Result<Option<String>, OAuthError> {
        match sub {
            None => Ok(None),
            Some(sub) => Ok(self.issuer().people().find_by_sub(sub).await?.map(|person| person.name)),
        }
    }
}

/// What the handler kept with the grant.
fn show_data(grant: Option<&Grant>, answer: &mut Map<String, Value>) {
    if let Some(data) = grant.and_then(|grant| grant.data.clone()) {
        answer.insert("grant_data".to_owned(), data.into());
    }
}
