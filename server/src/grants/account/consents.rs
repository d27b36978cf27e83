//! A person's consents, and their revocation: what the app was granted by that person ends with it.

use std::net::IpAddr;

use serde::Serialize;

use super::Account;
use crate::clients::metadata::is_client_id;
use crate::foundation::Timestamp;
use crate::grants::engine::Engine;
use crate::protocol::{OAuthError, Scope};
use crate::sessions::{Change, SessionKind};
use crate::storage::StorageError;
use crate::telemetry::{AuditEvent, codes};
use crate::tokens::session_id::SessionId;

/// A consent that stands.
#[derive(Debug, Serialize)]
pub struct Given {
    /// The app.
    pub client_id: String,
    /// What it is called.
    pub client_name: String,
    /// What the person agreed to.
    pub scope: Scope,
    /// Claims that were asked for one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// When they last said so.
    pub given: Timestamp,
}

/// What ended with a consent.
#[derive(Debug, Serialize)]
pub struct Revoked {
    /// The app.
    pub client_id: String,
    /// Whether there was a consent; apps of the vendor and of the family are let in without.
    pub consent: bool,
    /// How many grants ended: with each a refresh token, if it had one, and its access tokens.
    pub grants_ended: usize,
    /// The sessions in which no app was left.
    pub sessions_ended: Vec<SessionId>,
}

impl Engine {
    /// What a person has agreed to: the consents in their list, and those to apps in their sessions. An earlier release kept no list; what it
    /// wrote comes into it when it is used again.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn consents_of(&self, sub: &str) -> Result<Vec<Given>, StorageError> {
        let mut given = Vec::new();
        for client_id in self.apps_to_revoke(sub).await? {
            let Some(client) = self.clients().find(&client_id).await? else { continue };
            if let Some(consent) = self.consent(sub, &client).await? {
                given.push(Given {
                    client_id,
                    client_name: client.name.clone(),
                    scope: consent.scope,
                    claims: consent.claims,
                    given: consent.given,
                });
            }
        }
        Ok(given)
    }

    /// Revokes a consent: forgets it, and ends what the app was granted by that person, wherever. `None` when there was nothing.
    ///
    /// The app is not told by back channel, unless a session ends: this is no sign-out, and it learns of it when it uses a token. An app of
    /// a family can be let in again by another one on the device (for which no consent is asked) as long as that is signed in.
    ///
    /// # Errors
    /// When the store fails; asked again it goes on where it stopped.
    pub async fn revoke_consent(&self, sub: &str, client_id: &str) -> Result<Option<Revoked>, StorageError> {
        if !is_client_id(client_id) {
            return Ok(None);
        }
        // First: a code that is being redeemed finds the consent gone once its grant is written, or its grant is found here.
        let consent = self.forget_consent(sub, client_id).await?;
        let mut revoked = Revoked { client_id: client_id.to_owned(), consent, grants_ended: 0, sessions_ended: Vec::new() };
        for loaded in self.sessions().of_subject(sub).await? {
            let taken = self
                .sessions()
                .update(loaded.id, |session, _| {
                    let was_in = session.kind != SessionKind::Browser && session.apps.contains_key(client_id);
                    match session.remove_app(client_id) {
                        0 if !was_in => Change::Settle((0, false)),
                        grants if was_in && session.apps.is_empty() => Change::End((grants, true)),
                        grants => Change::Write((grants, false)),
                    }
                })
                .await?;
            let (grants, ended) = taken.unwrap_or_default();
            revoked.grants_ended += grants;
            if ended {
                revoked.sessions_ended.push(loaded.id);
            }
        }
        Ok((consent || revoked.grants_ended > 0).then_some(revoked))
    }

    /// The apps that somebody could revoke something of: with a consent, or in a session.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn apps_to_revoke(&self, sub: &str) -> Result<Vec<String>, StorageError> {
        let sessions = self.sessions().of_subject(sub).await?;
        let mut clients: Vec<String> = sessions.into_iter().flat_map(|loaded| loaded.session.apps.into_keys()).collect();
        clients.extend(self.consented_clients(sub).await?);
        clients.sort_unstable();
        clients.dedup();
        Ok(clients)
    }

    /// Forgets everything that a person agreed to who is no more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn forget_consents(&self, sub: &str) -> Result<(), StorageError> {
        for client_id in self.consented_clients(sub).await? {
            self.forget_consent(sub, &client_id).await?;
        }
        Ok(())
    }

    /// The consents of the person whose account it is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn account_consents(&self, account: &Account) -> Result<Vec<Given>, OAuthError> {
        Ok(self.consents_of(&account.sub).await?)
    }

    /// Revokes one of them, for the person.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke_account_consent(
        &self,
        account: &Account,
        client_id: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<Revoked>, OAuthError> {
        let Some(revoked) = self.revoke_consent(&account.sub, client_id).await? else { return Ok(None) };
        let by = AuditEvent::granted(codes::CONSENT_REVOKED).subject(&account.sub).address(address);
        by.client_id(client_id).detail(&revoked.in_words()).emit();
        for sid in &revoked.sessions_ended {
            let event = AuditEvent::granted(codes::SESSION_ENDED).client_id(&account.client_id).subject(&account.sub);
            event.sid(sid).address(address).detail("consent revoked").emit();
        }
        Ok(Some(revoked))
    }
}

impl Revoked {
    /// What ended, for the audit log.
    #[must_use]
    pub fn in_words(&self) -> String {
        let consent = if self.consent { "consent" } else { "no consent" };
        format!("{consent}, {} grants, {} sessions", self.grants_ended, self.sessions_ended.len())
    }
}
