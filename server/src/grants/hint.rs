//! Whom an ID token names that a client shows again: its `sub` is the client's own word for a person (OpenID Connect Core section 8).

use super::engine::Engine;
use crate::clients::Client;
use crate::issuance::id_token::IdTokenClaims;
use crate::protocol::OAuthError;
use crate::storage::StorageError;

impl Engine {
    /// Reads an `id_token_hint`. It may have expired; an encrypted ID token is decrypted by the client first (section 3.1.2.1).
    ///
    /// # Errors
    /// `invalid_request` when it is none of ours, or when the store fails.
    pub(super) async fn read_id_token_hint(&self, hint: &str) -> Result<IdTokenClaims, OAuthError> {
        if is_encrypted(hint) {
            return Err(OAuthError::invalid_request("The id_token_hint is encrypted; send the signed ID token that is inside."));
        }
        let claims = self.verify_id_token_hint(hint).await?;
        claims.ok_or_else(|| OAuthError::invalid_request("The id_token_hint is not an ID token of this server."))
    }

    /// The person of an ID token of ours, in the words of `client`, which may be another than the one it was issued to: to be
    /// compared with `Issuer::subject_for`. Who cannot be told any more, because the session has ended and the token is for a pairwise client of
    /// another sector, is nobody.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn hinted_subject(&self, hint: &IdTokenClaims, client: &Client) -> Result<String, StorageError> {
        let session = match hint.sid {
            Some(sid) => self.sessions().find(sid).await?,
            None => None,
        };
        if let Some(loaded) = session
            && self.hint_names(hint, &loaded.session.sub).await?
        {
            return Ok(self.issuer().subject_for(client, &loaded.session.sub).into_owned());
        }
        let is_own = hint.client_id() == Some(client.id.as_str());
        // The subject of a public client is the person's; that of a pairwise one is turned into one that is nobody's.
        Ok(if is_own { hint.sub.clone() } else { self.issuer().subject_for(client, &hint.sub).into_owned() })
    }

    /// Whether an ID token of ours names the person `sub`.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn hint_names(&self, hint: &IdTokenClaims, sub: &str) -> Result<bool, StorageError> {
        let client = match hint.client_id() {
            Some(client_id) => self.clients().find(client_id).await?,
            None => None,
        };
        Ok(client.map_or_else(|| hint.sub == sub, |client| self.issuer().is_subject(&client, &hint.sub, sub)))
    }
}

/// Whether a text has the five parts of a JWE (RFC 7516 section 7.1).
pub(super) fn is_encrypted(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 4
}
