//! A person's sessions as they see them, and their end from afar.

use std::net::IpAddr;

use serde::Serialize;

use super::Account;
use crate::foundation::Timestamp;
use crate::grants::engine::Engine;
use crate::grants::logout::SigningOut;
use crate::protocol::OAuthError;
use crate::sessions::{Loaded, SessionKind};
use crate::telemetry::{AuditEvent, codes};
use crate::tokens::session_id::SessionId;

/// One session.
#[derive(Debug, Serialize)]
pub struct AccountSession {
    /// Its name, by which it is ended.
    pub id: SessionId,
    /// `device`, `browser` or `offline`.
    pub kind: SessionKind,
    /// How the device or the browser called itself.
    pub description: Option<String>,
    /// When it began.
    pub created: Timestamp,
    /// When the person last proved who they are in it.
    pub auth_time: Timestamp,
    /// When it was last used.
    pub last_used: Timestamp,
    /// When it ends unless it is used; absent = never by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// How well the person authenticated.
    pub acr: String,
    /// By what means.
    pub amr: Vec<String>,
    /// The browser session through which it began, which may have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser: Option<SessionId>,
    /// Whether the caller's token belongs to it.
    pub current: bool,
    /// The apps that were let in.
    pub apps: Vec<AppIn>,
}

/// An app in a session.
#[derive(Debug, Serialize)]
pub struct AppIn {
    /// Its `client_id`.
    pub client_id: String,
    /// What it is called; absent for a client that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// When it was let in.
    pub first_used: Timestamp,
    /// When it last asked for tokens.
    pub last_used: Timestamp,
}

impl Engine {
    /// The person's living sessions, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn account_sessions(&self, account: &Account) -> Result<Vec<AccountSession>, OAuthError> {
        let mut shown = Vec::new();
        for loaded in self.sessions().of_subject(&account.sub).await? {
            shown.push(self.shown(loaded, account).await?);
        }
        Ok(shown)
    }

    async fn shown(&self, loaded: Loaded, account: &Account) -> Result<AccountSession, OAuthError> {
        let Loaded { id, session, .. } = loaded;
        let expires = session.ends();
        let mut apps = Vec::new();
        for (client_id, app) in session.apps {
            let client = self.clients().find(&client_id).await?;
            let client_name = client.map(|client| client.name.clone());
            apps.push(AppIn { client_id, client_name, first_used: app.first_used, last_used: app.last_used });
        }
        Ok(AccountSession {
            id,
            kind: session.kind,
            description: session.device.map(|device| device.description).filter(|text| !text.is_empty()),
            created: session.created,
            auth_time: session.auth_time,
            last_used: session.last_used,
            expires,
            acr: session.acr,
            amr: session.amr,
            browser: session.browser,
            current: id == account.sid,
            apps,
        })
    }

    /// Ends a session of the person; says what ended, none = there is no such session of theirs. With a device goes the browser session
    /// through which it was signed in, or whoever holds the device would be let in again unasked; but not if that is the caller's own.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_account_session(
        &self,
        account: &Account,
        id: SessionId,
        address: Option<IpAddr>,
    ) -> Result<Option<Vec<SessionId>>, OAuthError> {
        // Another person's reads like none at all.
        let loaded = self.sessions().find(id).await?.filter(|loaded| loaded.session.sub == account.sub);
        let Some(loaded) = loaded else { return Ok(self.sessions().settle(id).await.map(|()| None)?) };
        let mut leaving = SigningOut::begin(leaving(account, address));
        match loaded.session.kind {
            SessionKind::Browser => self.end_browser(id, &mut leaving).await?,
            SessionKind::Offline => self.end_for(id, &mut leaving).await?,
            SessionKind::Device => {
                self.end_for(id, &mut leaving).await?;
                let browser = loaded.session.browser.filter(|browser| !account.own().contains(browser));
                if let Some(browser) = browser {
                    self.end_browser(browser, &mut leaving).await?;
                }
            }
        }
        Ok(Some(leaving.ended))
    }

    /// Ends all sessions of the person, or all but the caller's own; says which.
    ///
    /// # Errors
    /// When the store fails; those already ended stay ended.
    pub async fn end_account_sessions(
        &self,
        account: &Account,
        except_current: bool,
        address: Option<IpAddr>,
    ) -> Result<Vec<SessionId>, OAuthError> {
        let spared = if except_current { account.own() } else { Vec::new() };
        let mut all = Vec::new();
        let ended = |sid| {
            leaving(account, address).subject(&account.sub).sid(&sid).emit();
            all.push(sid);
        };
        self.sessions().end_all_but(&account.sub, &spared, ended).await?;
        Ok(all)
    }
}

/// The event of each session that ends here.
fn leaving(account: &Account, address: Option<IpAddr>) -> AuditEvent<'_> {
    AuditEvent::granted(codes::SESSION_ENDED).client_id(&account.client_id).address(address).detail("account")
}
