//! Signed and encrypted answers: what one client alone shall read is signed, then encrypted to a key of its own (OpenID Connect Core
//! sections 2, 5.3.2 and 16.14, RFC 9701 section 5).

use serde::Serialize;
use serde_json::Value;

use super::access::AccessClaims;
use super::guard::IssuePlan;
use super::mint::Issuer;
use crate::clients::{Client, KeysError, ResponseEncryption};
use crate::protocol::{ErrorCode, OAuthError};
use crate::settings::meaning::SigningAlg;
use crate::tokens::jwe::RecipientKey;

impl Issuer {
    /// Signs claims for a client, and encrypts the JWT where it registered that (nested, `cty: JWT`).
    ///
    /// # Errors
    /// `server_error` when they cannot be signed, or the client has no key to encrypt to any more; `temporarily_unavailable` when its keys
    /// cannot be fetched.
    pub async fn protect(
        &self,
        client: &Client,
        typ: &str,
        claims: &(impl Serialize + Sync),
        alg: SigningAlg,
        encryption: Option<&ResponseEncryption>,
    ) -> Result<String, OAuthError> {
        let jws = self.keys().sign(alg, typ, claims).map_err(|error| OAuthError::server_error(error.to_string()))?;
        let Some(encryption) = encryption else { return Ok(jws) };
        let key = self.recipient_key(client, Some(encryption)).await?;
        key.encrypt(&jws, Some(typ)).map_err(|error| OAuthError::server_error(error.to_string()))
    }

    /// Encrypts claims for a client that asked for no signature.
    ///
    /// # Errors
    /// `server_error` when the client has no key to encrypt to any more.
    pub async fn encrypt_only(
        &self,
        client: &Client,
        typ: &str,
        claims: &Value,
        to: &ResponseEncryption,
    ) -> Result<String, OAuthError> {
        let key = self.recipient_key(client, Some(to)).await?;
        key.encrypt_unsigned(claims, Some(typ)).map_err(|error| OAuthError::server_error(error.to_string()))
    }

    /// The key to encrypt an access token to: that of the resource server it is for, else the client's own.
    pub(super) async fn recipient(&self, plan: &IssuePlan, claims: &AccessClaims) -> Result<RecipientKey, OAuthError> {
        let server = self
            .settings()
            .resource_servers
            .iter()
            .find(|server| server.jwks.is_some() && claims.aud.contains(&server.identifier));
        let of_server = server.and_then(|server| server.jwks.as_ref());
        if let Some(jwks) = of_server {
            return RecipientKey::choose(jwks, None).map_err(|error| OAuthError::server_error(error.to_string()));
        }
        let preferred = plan.client().access_token_encryption.as_ref();
        self.recipient_key(plan.client(), preferred).await
    }

    /// The client's key for what it registered, else for what its keys are made for.
    async fn recipient_key(&self, client: &Client, to: Option<&ResponseEncryption>) -> Result<RecipientKey, OAuthError> {
        let choose = |jwks: &Value| RecipientKey::choose(jwks, to.map(|to| (to.alg.as_str(), to.enc.as_str())));
        let about = |reason: String| format!("nothing can be encrypted to the client {}: {reason}", client.id);
        // Boxed: few answers are encrypted, and all would have room for it in their state.
        match Box::pin(self.client_keys().try_with(client, choose, |_| true)).await {
            Ok(chosen) => chosen.map_err(|error| OAuthError::server_error(about(error.to_string()))),
            Err(error @ KeysError::None) => Err(OAuthError::server_error(about(error.to_string()))),
            Err(error @ KeysError::NotFetched(_)) => {
                let description = "The public keys of the client cannot be fetched; try again.";
                Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, description).because(about(error.to_string())))
            }
        }
    }
}
