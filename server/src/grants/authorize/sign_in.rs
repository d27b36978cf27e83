//! Name and password on the sign-in page, and the browser session that follows.

use std::net::IpAddr;

use super::answer::Answer;
use super::flow::{Browser, Page};
use super::transaction::Waiting;
use crate::accounts::{PasswordCheck, Person, RetryAfter};
use crate::foundation::{Digest, Secret};
use crate::grants::engine::Engine;
use crate::protocol::OAuthError;
use crate::sessions::record::Authentication;
use crate::sessions::{Change, Session, SessionKind};
use crate::telemetry::{AuditEvent, Code, Outcome, codes};
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
    Client(Answer),
}

/// The session that a sign-in left the browser with.
struct BrowserSession {
    id: SessionId,
    cookie: Secret<String>,
    /// Not one that the person had in this browser before.
    new: bool,
    /// The session of another person that had to give way.
    ended: Option<(SessionId, String)>,
}

impl Engine {
    /// Processes the sign-in form. What it came to is audited here, because a stranger must not be told.
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
        let event = |code: Code, outcome| AuditEvent::new(code, outcome).client_id(&client.id).address(address);
        // Only the subject of an account that exists is logged: what else was typed may be a password in the wrong field.
        let failed = |sub: Option<&str>, reason: &str| {
            let event = event(codes::SIGN_IN_FAILED, Outcome::Refused).reason(reason);
            sub.map_or(event, |sub| event.subject(sub)).emit();
        };
        let attempt = match self.throttle().begin(username, address.unwrap_or(NOWHERE), self.clock().now_millis()) {
            Ok(attempt) => attempt,
            Err(retry) => {
                let (sub, reason) = (self.issuer().people().subject_of(username).await, retry.to_string());
                let event = event(codes::SIGN_IN_THROTTLED, Outcome::Refused).reason(&reason);
                // A store that fails keeps nobody from being told to wait.
                sub.as_ref().ok().and_then(Option::as_deref).map_or(event, |sub| event.subject(sub)).emit();
                return Ok(SignIn::Throttled(
                    page(waiting.handle, "Too many attempts failed. Please wait a while, then try again."),
                    retry,
                ));
            }
        };
        let disabled = |sub: &str| event(codes::SIGN_IN_DISABLED, Outcome::Refused).subject(sub).emit();
        let check = self.issuer().people().verify_password(username, password).await?;
        match &check {
            PasswordCheck::Right(_) => {}
            PasswordCheck::Disabled(sub) => disabled(sub),
            PasswordCheck::Wrong(sub) => failed(Some(sub), "the password is wrong"),
            PasswordCheck::Nobody => failed(None, "nobody has this name"),
        }
        let PasswordCheck::Right(person) = check else {
            return Ok(SignIn::Refused(page(waiting.handle, "This name and password do not match.")));
        };
        attempt.succeeded();
        if waiting.transaction.request.hinted_sub.as_ref().is_some_and(|sub| *sub != person.sub) {
            failed(Some(&person.sub), "the app asked for another person");
            return Ok(SignIn::Refused(page(waiting.handle, "The app asked for another person to sign in.")));
        }
        let session = self.start_browser_session(&person, browser).await?;
        if let Some((sid, sub)) = &session.ended {
            event(codes::SESSION_ENDED, Outcome::Granted).subject(sub).sid(sid).detail("another person signed in").emit();
        }
        // Somebody who was disabled while their password was being checked must not keep the session.
        if self.issuer().people().find_by_sub(&person.sub).await?.is_none_or(|person| person.disabled) {
            self.sessions().end(session.id).await?;
            disabled(&person.sub);
            return Ok(SignIn::Refused(page(waiting.handle, "This name and password do not match.")));
        }
        if session.new {
            event(codes::BROWSER_SESSION_STARTED, Outcome::Granted).subject(&person.sub).sid(&session.id).emit();
        }
        Ok(match self.after_sign_in(waiting, session.id, browser).await? {
            Some(next) => {
                event(codes::SIGNED_IN, Outcome::Granted).subject(&person.sub).sid(&session.id).emit();
                SignIn::Done { cookie: session.cookie, next }
            }
            None => SignIn::NoTransaction,
        })
    }

    /// A person who signs in again keeps their browser session under a new cookie; another person's is ended.
    async fn start_browser_session(&self, person: &Person, browser: &Browser) -> Result<BrowserSession, OAuthError> {
        let now = self.clock().now();
        let settings = self.settings();
        let authentication =
            Authentication { time: now, acr: settings.sign_in.password_acr.clone(), amr: vec!["pwd".to_owned()] };
        let limits = &settings.sessions.browser;
        let mut fresh = Session::begin(SessionKind::Browser, person.sub.clone(), authentication, limits, now);
        let mut ended = None;
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
                    return Ok(BrowserSession { id, cookie: handle.to_text(), new: false, ended });
                }
            } else {
                ended = self.sessions().end(old.id).await?.map(|session| (old.id, session.sub));
            }
        }
        let id = SessionId::new(self.clock());
        let handle = SessionHandle::new(HandleKind::SessionCookie, id);
        fresh.cookie = Some(Digest::of(handle.secret.expose()));
        self.sessions().create(id, &fresh).await?;
        Ok(BrowserSession { id, cookie: handle.to_text(), new: true, ended })
    }

    async fn after_sign_in(&self, waiting: Waiting, sid: SessionId, browser: &Browser) -> Result<Option<Next>, OAuthError> {
        let request = &waiting.transaction.request;
        let client = self.client_of(request).await?;
        let Some(session) = self.sessions().find(sid).await? else { return Ok(None) };
        if request.prompt.consent || self.needs_consent(&session.session.sub, &client, request).await? {
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
