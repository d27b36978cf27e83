//! The `UserInfo` answer (OpenID Connect Core section 5.3), and what it asks of the sign-in behind the access token (RFC 9470).

use serde_json::{Map, Value};

use super::engine::Engine;
use crate::clients::Client;
use crate::issuance::{AccessClaims, VerifiedAccessToken, guard};
use crate::protocol::{ErrorCode, OAuthError, Scope, names};
use crate::sessions::Grant;

/// `typ` of an answer that is a JWT.
const TYP: &str = "JWT";

/// The answer, as the client registered it.
#[derive(Debug)]
pub enum UserInfo {
    /// Plain claims.
    Claims(Map<String, Value>),
    /// Signed, encrypted or both (section 5.3.2).
    Jwt(String),
}

impl Engine {
    /// The claims that an access token releases to who may present it.
    ///
    /// # Errors
    /// `invalid_token`, `insufficient_scope` without `openid`, `insufficient_user_authentication` when the settings ask for a better or
    /// later sign-in, or when the store fails.
    pub async fn user_info(&self, token: &VerifiedAccessToken) -> Result<UserInfo, OAuthError> {
        let invalid = || OAuthError::new(ErrorCode::InvalidToken, "The access token is unknown, expired or revoked.");
        let (Some(grant), Some(session)) = (token.grant(), token.session()) else {
            return Err(OAuthError::new(ErrorCode::InsufficientScope, "The access token speaks of no person."));
        };
        let scope = Scope::parse(&token.claims().scope).unwrap_or_default();
        if !scope.contains(names::OPENID) {
            return Err(OAuthError::new(ErrorCode::InsufficientScope, "The access token lacks the scope openid."));
        }
        self.check_sign_in(token.claims())?;
        let released = if grant.claims_in_id_token { Vec::new() } else { self.released(grant, &scope) };
        let person =
            self.issuer().people().find_by_sub(&session.sub).await?.filter(|person| !person.disabled).ok_or_else(invalid)?;
        let client = self.clients().find(&token.claims().client_id).await?.ok_or_else(invalid)?;
        let is_released = |name: &String| released.contains(name) && !guard::is_reserved(name);
        let mut claims: Map<String, Value> = person.claims.into_iter().filter(|(name, _)| is_released(name)).collect();
        // What the ID token said that was issued with it (section 5.3.2).
        claims.insert("sub".to_owned(), token.claims().sub.clone().into());
        self.protect_user_info(&client, claims).await
    }

    async fn protect_user_info(&self, client: &Client, mut claims: Map<String, Value>) -> Result<UserInfo, OAuthError> {
        let encryption = client.user_info_encryption.as_ref();
        if client.user_info_signing_alg.is_none() && encryption.is_none() {
            return Ok(UserInfo::Claims(claims));
        }
        // Without `iat` and `exp` it can be mistaken for no ID token.
        claims.insert("iss".to_owned(), self.settings().server.issuer.text.clone().into());
        claims.insert("aud".to_owned(), client.id.clone().into());
        let jwt = match (client.user_info_signing_alg, encryption) {
            (Some(alg), _) => self.issuer().protect(client, TYP, &claims, alg, encryption).await?,
            (None, Some(to)) => self.issuer().encrypt_only(client, TYP, &claims.into(), to).await?,
            (None, None) => return Ok(UserInfo::Claims(claims)),
        };
        Ok(UserInfo::Jwt(jwt))
    }

    /// Whether the sign-in behind the token is good and fresh enough (`userinfo.required_acr`, `userinfo.max_age`; RFC 9470 section 3).
    fn check_sign_in(&self, claims: &AccessClaims) -> Result<(), OAuthError> {
        let wanted = &self.settings().user_info;
        let levels = &self.settings().sign_in.levels;
        let (rank, _) = levels.reached(&claims.amr);
        // A level that the factors reach as well will do, whichever the token names.
        let reaches = |acr: &String| !claims.amr.is_empty() && levels.find(acr).is_some_and(|(place, _)| place <= rank);
        let is_good = wanted.required_acr.is_empty()
            || wanted.required_acr.iter().any(|acr| claims.acr.as_ref() == Some(acr) || reaches(acr));
        let now = self.clock().now();
        let is_fresh =
            wanted.max_age.is_none_or(|most| claims.auth_time.is_some_and(|time| now.since(time).as_secs() <= most.as_secs()));
        if is_good && is_fresh {
            return Ok(());
        }
        let description = if is_good {
            "The person signed in too long ago; a more recent sign-in is needed."
        } else {
            "A stronger sign-in of the person is needed."
        };
        let mut error = OAuthError::new(ErrorCode::InsufficientUserAuthentication, description);
        // Both, so that one new sign-in is enough.
        if !wanted.required_acr.is_empty() {
            error.members.insert("acr_values".to_owned(), wanted.required_acr.join(" ").into());
        }
        if let Some(most) = wanted.max_age {
            error.members.insert("max_age".to_owned(), most.as_secs().into());
        }
        Err(error)
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
