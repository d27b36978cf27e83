//! What a person can see and end of their own account, by an app that they let do so. Owns who may; what there is to see belongs to
//! `sessions` and `consents`, which administrators are served by, too.

mod consents;
mod sessions;

pub use consents::{Given, Revoked};
pub use sessions::{AccountSession, AppIn};

use serde::Serialize;

use super::engine::Engine;
use crate::accounts::factors::Held;
use crate::issuance::VerifiedAccessToken;
use crate::protocol::{ErrorCode, OAuthError, Scope, names};
use crate::tokens::session_id::SessionId;

/// Proof that whoever asks may see and end what is this person's. Made here alone.
#[derive(Debug)]
pub struct Account {
    sub: String,
    /// The app that asks.
    client_id: String,
    /// The session in which it was let in.
    sid: SessionId,
    /// The browser session through which that began.
    browser: Option<SessionId>,
}

/// The second factors of a person.
#[derive(Debug, Serialize)]
pub struct FactorsHeld {
    #[serde(flatten)]
    held: Held,
}

impl Account {
    /// The caller's own sessions: the one in which it was let in, and the browser's through which that began.
    fn own(&self) -> Vec<SessionId> {
        self.browser.into_iter().chain([self.sid]).collect()
    }
}

impl Engine {
    /// Whether an access token opens its person's account: it is for this server, has the scope `symbolon:account` and belongs to a living
    /// grant of somebody who may sign in.
    ///
    /// # Errors
    /// `invalid_token`, `insufficient_scope` (RFC 6750 section 3.1), or when the store fails.
    pub async fn open_account(&self, token: &VerifiedAccessToken) -> Result<Account, OAuthError> {
        let invalid = |sentence| OAuthError::new(ErrorCode::InvalidToken, sentence);
        // A token that was made for an API must not be worth anything in its hands here.
        if !token.claims().aud.contains(&self.settings().server.issuer.text) {
            return Err(invalid("The access token is for another audience than this server."));
        }
        let scope = Scope::parse(&token.claims().scope).unwrap_or_default();
        let (true, Some(session), Some(sid), Some(_)) =
            (scope.contains(names::ACCOUNT), token.session(), token.claims().sid, token.grant())
        else {
            let mut error =
                OAuthError::new(ErrorCode::InsufficientScope, "The access token lacks the scope that opens the account.");
            error.members.insert("scope".to_owned(), names::ACCOUNT.into());
            return Err(error);
        };
        let person = self.issuer().people().find_by_sub(&session.sub).await?;
        if person.is_none_or(|person| person.disabled) {
            return Err(invalid("The access token is unknown, expired or revoked."));
        }
        let (sub, browser) = (session.sub.clone(), session.browser);
        Ok(Account { sub, client_id: token.claims().client_id.clone(), sid, browser })
    }

    /// The second factors that the person has.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn account_factors(&self, account: &Account) -> Result<FactorsHeld, OAuthError> {
        Ok(FactorsHeld { held: self.issuer().factors().of(&account.sub).await? })
    }
}
