//! Signed and encrypted answers: what one client alone shall read is signed, then encrypted to a key of its own (OpenID Connect Core
//! sections 2, 5.3.2 and 16.14, RFC 9701 section 5).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::mint::Issuer;
use crate::clients::{Client, ResponseEncryption};
use crate::protocol::OAuthError;
use crate::settings::meaning::SigningAlg;
use crate::tokens::jwe::RecipientKey;

impl Issuer {
    /// Signs claims for a client, and encrypts the JWT where it registered that (nested, `cty: JWT`).
    ///
    /// # Errors
    /// `server_error` when they cannot be signed, or the client has no key to encrypt to any more.
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
        let key = self.recipient_key(client, encryption).await?;
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
        let key = self.recipient_key(client, to).await?;
        key.encrypt_unsigned(claims, Some(typ)).map_err(|error| OAuthError::server_error(error.to_string()))
    }

    /// The client's key for what it registered.
    async fn recipient_key(&self, client: &Client, to: &ResponseEncryption) -> Result<RecipientKey, OAuthError> {
        let jwks = self.client_keys(client).await?;
        RecipientKey::choose(&jwks, Some((&to.alg, &to.enc)))
            .map_err(|error| OAuthError::server_error(format!("{error}: client {}", client.id)))
    }

    /// The public keys of a client; an empty set when it has none.
    ///
    /// # Errors
    /// `server_error` when they cannot be fetched.
    #[expect(clippy::unused_async, reason = "keys by address are fetched")]
    pub(super) async fn client_keys<'a>(&self, client: &'a Client) -> Result<Cow<'a, Value>, OAuthError> {
        Ok(client.jwks.as_ref().map_or_else(|| Cow::Owned(json!({ "keys": [] })), Cow::Borrowed))
    }
}
