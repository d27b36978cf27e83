//! The management API, as far as the source needs it: a service with a management access token changes what a client may do with session
//! transfer tokens. Owns who may.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::engine::Engine;
use crate::clients::{Client, ClientsError};
use crate::issuance::VerifiedAccessToken;
use crate::protocol::{ErrorCode, OAuthError, Scope, names};
use crate::telemetry::{AuditEvent, codes};

/// Proof that whoever asks may see clients, or change them. Made here alone.
#[derive(Debug)]
pub struct Manager {
    client_id: String,
}

impl Engine {
    /// Whether an access token is one for managing clients: a service's own, for this server, with that scope. No token of a person is: what a
    /// person lets an app do is theirs, and clients are not.
    ///
    /// # Errors
    /// `invalid_token` or `insufficient_scope` (RFC 6750 section 3.1).
    pub fn open_management(&self, token: &VerifiedAccessToken, scope: &'static str) -> Result<Manager, OAuthError> {
        let claims = token.claims();
        let issuer = &self.settings().server.issuer;
        if !claims.aud.contains(&issuer.text) && !claims.aud.contains(&issuer.endpoint(names::MANAGEMENT_PATH)) {
            return Err(OAuthError::new(ErrorCode::InvalidToken, "The access token is for another audience than this server."));
        }
        if token.session().is_some() || !Scope::parse(&claims.scope).unwrap_or_default().contains(scope) {
            let description = "The access token is not a service's own with the scope that managing clients takes.";
            let mut error = OAuthError::new(ErrorCode::InsufficientScope, description);
            error.members.insert("scope".to_owned(), scope.into());
            return Err(error);
        }
        Ok(Manager { client_id: claims.client_id.clone() })
    }

    /// A client, for somebody who may see it; `None` = there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn managed_client(&self, _: &Manager, client_id: &str) -> Result<Option<Value>, OAuthError> {
        Ok(self.clients().find(client_id).await?.map(|client| shown(&client)))
    }

    /// Changes `session_transfer` of a client; `None` = there is none.
    ///
    /// # Errors
    /// `invalid_request` for any other member, `invalid_client_metadata` for a wrong one.
    pub async fn change_client(
        &self,
        manager: &Manager,
        client_id: &str,
        body: &Map<String, Value>,
    ) -> Result<Option<Value>, OAuthError> {
        let changes = match body.get("session_transfer") {
            Some(Value::Object(changes)) if body.len() == 1 => changes,
            _ => {
                let description = "The body must be an object with the one member session_transfer, an object.";
                return Err(OAuthError::invalid_request(description));
            }
        };
        match self.clients().change_session_transfer(client_id, changes).await {
            Ok(client) => {
                AuditEvent::granted(codes::CLIENT_CHANGED).client_id(client_id).actor(&manager.client_id).emit();
                Ok(Some(shown(&client)))
            }
            Err(ClientsError::Unknown(_)) => Ok(None),
            Err(ClientsError::ReadOnly { .. }) => {
                let error =
                    OAuthError::invalid_request("The client is written in the settings file and can only be changed there.");
                Err(OAuthError { status: Some(403), ..error })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A client as the management API shows it.
fn shown(client: &Arc<Client>) -> Value {
    json!({ "client_id": client.id, "name": client.name, "session_transfer": client.session_transfer.to_json() })
}
