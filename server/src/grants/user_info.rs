//! The `UserInfo` answer (OpenID Connect Core section 5.3).

use serde_json::{Map, Value};

use super::engine::Engine;
use crate::issuance::VerifiedAccessToken;
use crate::protocol::{ErrorCode, OAuthError, Scope, names};
use crate::sessions::Grant;

impl Engine {
    /// The claims that an access token releases to who may present it.
    ///
    /// # Errors
    /// `invalid_token`, `insufficient_scope` without `openid`, or when the store fails.
    pub async fn user_info(&self, token: &VerifiedAccessToken) -> Result<Map<String, Value>, OAuthError> {
        let invalid = || OAuthError::new(ErrorCode::InvalidToken, "The access token is unknown, expired or revoked.");
        let (Some(grant), Some(session)) = (token.grant(), token.session()) else {
            return Err(OAuthError::new(ErrorCode::InsufficientScope, "The access token speaks of no person."));
        };
        let scope = Scope::parse(&token.claims().scope).unwrap_or_default();
        if !scope.contains(names::OPENID) {
            return Err(OAuthError::new(ErrorCode::InsufficientScope, "The access token lacks the scope openid."));
        }
        let released = if grant.claims_in_id_token { Vec::new() } else { self.released(grant, &scope) };
        let person =
            self.issuer().people().find_by_sub(&session.sub).await?.filter(|person| !person.disabled).ok_or_else(invalid)?;
        let mut claims: Map<String, Value> = person.claims.into_iter().filter(|(name, _)| released.contains(name)).collect();
        claims.insert("sub".to_owned(), session.sub.clone().into());
        Ok(claims)
    }

    /// The names of the claims that a grant releases with tokens of this scope, a part of its own.
    pub(super) fn released(&self, grant: &Grant, scope: &Scope) -> Vec<String> {
        let within = self.settings().claims_of(scope);
        match &grant.claims {
            None => within,
            // A refresh may have narrowed the scope: claims that came by scope go with it, those set otherwise stay.
            Some(claims) => {
                let beyond = self.settings().claims_of(&grant.scope.difference(scope));
                claims.iter().filter(|name| !beyond.contains(name) || within.contains(name)).cloned().collect()
            }
        }
    }
}
