//! Name and password on the sign-in page, and the browser session that follows.

use std::net::IpAddr;

use super::flow::{Browser, Page};
use super::transaction::Waiting;
use crate::accounts::{Person, RetryAfter};
use crate::foundation::{Digest, Secret};
use crate::grants::engine::Engine;
use crate::protocol::OAuthError;
use crate::sessions::record::Authentication;
use crate::sessions::{Change, Session, SessionKind};
use crate::tokens::handle::{HandleKind, SessionHandle};
use crate::tokens::session_id::SessionId;

/// Stands for an address that is not known: all of them share one limit.
const NOWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

/// What came of a sign-in.
#[derive(Debug)]
pub enum SignIn {
    /// The transaction is unknown, over, or another browser's.
    NoTransaction,
    /// Too many failures: show the page again and say when to retry.
    Throttled(Page, RetryAfter),
    /// Show the page again.
    Refused(Page),
    /// Signed in: set the cookie, then go on.
    Done {
        /// The new session cookie.
        cookie: Secret<String>,
        /// Who, for the audit log.
        subject: String,
        /// The browser session.
        sid: SessionId,
        /// The next step.
        next: Next,
    },
}

/// The step after signing in.
#[derive(Debug)]
pub enum Next {
    /// To the consent page of this transaction.
    Consent(Secret<String>),
    /// To the client.
    Client(String),
}

impl Engine {
    /// Processes the sign-in form.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sign_in(
        &self,
        handle: Secret<String>,
        username: &str,
        password: Secret<String>,
        browser: &Browser,
        address: Option<IpAddr>,
    ) -> Result<SignIn, OAuthError> {
        let Some(waiting) = self.transactions().find(handle, &browser.binding).await? else { return Ok(SignIn::NoTransaction) };
        let client = self.client_of(&waiting.transaction.request).await?;
        let page = |handle: Secret<String>, message| Page::SignIn {
            transaction: handle,
            client_name: client.name.clone(),
            username: username.chars().take(256).collect(),
            message: Some(message),
        };
        let attempt = match self.throttle().begin(username, address.unwrap_or(NOWHERE), self.clock().now_millis()) {
            Ok(attempt) => attempt,
            Err(retry) => {
                return Ok(SignIn::Throttled(
                    page(waiting.handle, "Too many attempts failed. Please wait a while, then try again."),
                    retry,
                ));
            }
        };
        let Some(person) = self.issuer().people().verify_password(username, password).await? else {
            return Ok(SignIn::Refused(page(waiting.handle, "This name and password do not match.")));
        };
        attempt.succeeded();
        if waiting.transaction.request.hinted_sub.as_ref().is_some_and(|sub| *sub != person.sub) {
            return Ok(SignIn::Refused(page(waiting.handle, "The app asked for another person to sign in.")));
        }
        let (sid, cookie) = self.start_browser_session(&person, browser).await?;
        // Somebody who was disabled while their password was being checked must not keep the session.
        if self.issuer().people().find_by_sub(&person.sub).await?.is_none_or(|person| person.disabled) {
            self.sessions().end(sid).await?;
            return Ok(SignIn::Refused(page(waiting.handle, "This name and password do not match.")));
        }
        let next = self.after_sign_in(waiting, sid, browser).await?;
        Ok(match next {
            Some(next) => SignIn::Done { cookie, subject: person.sub, sid, next },
            None => SignIn::NoTransaction,
        })
    }

    /// A person who signs in again keeps their browser session under a new cookie; another person's is ended.
    async fn start_browser_session(&self, person: &Person, browser: &Browser) -> Result<(SessionId, Secret<String>), OAuthError> {
        let now = self.clock().now();
        let settings = self.settings();
        let authentication =
            Authentication { time: now, acr: settings.sign_in.password_acr.clone(), amr: vec!["pwd".to_owned()] };
        let limits = &settings.sessions.browser;
        let mut fresh = Session::begin(SessionKind::Browser, person.sub.clone(), authentication, limits, now);
        if let Some(old) = self.browser_session(browser.session.as_ref()).await? {
            if old.session.sub == person.sub {
                let id = old.id;
                let handle = SessionHandle::new(HandleKind::SessionCookie, id);
                let digest = Digest::of(handle.secret.expose());
                let renewed = self
                    .sessions()
                    .change(old, |session, _| {
                        let apps = std::mem::take(&mut session.apps);
                        *session = Session { cookie: Some(digest), apps, created: session.created, ..fresh.clone() };
                        Change::Write(())
                    })
                    .await?;
                if renewed.is_some() {
                    return Ok((id, handle.to_text()));
                }
            } else {
                self.sessions().end(old.id).await?;
            }
        }
        let id = SessionId::new(self.clock());
        let handle = SessionHandle::new(HandleKind::SessionCookie, id);
        fresh.cookie = Some(Digest::of(handle.secret.expose()));
        self.sessions().create(id, &fresh).await?;
        Ok((id, handle.to_text()))
    }

    async fn after_sign_in(&self, waiting: Waiting, sid: SessionId, browser: &Browser) -> Result<Option<Next>, OAuthError> {
        let request = &waiting.transaction.request;
        let client = self.client_of(request).await?;
        let Some(session) = self.sessions().find(sid).await? else { return Ok(None) };
        if request.prompt.consent || self.needs_consent(&session.session.sub, &client, &request.scope).await? {
            let lifetime = self.settings().sign_in.transaction_lifetime;
            let noted = self.transactions().signed_in(&waiting, sid, lifetime).await?;
            return Ok(noted.then_some(Next::Consent(waiting.handle)));
        }
        if !self.transactions().finish(&waiting.handle).await? {
            return Ok(None);
        }
        self.answer_with_code(waiting.transaction.request, session, &browser.user_agent).await.map(|to| Some(Next::Client(to)))
    }
}
