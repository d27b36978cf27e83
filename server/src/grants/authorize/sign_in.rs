//! Name and password on the sign-in page, and the browser session that follows.

use std::net::IpAddr;

use super::browser::{Browser, Cookies, SignedIn};
use super::flow::{Content, Next, Page};
use super::transaction::Progress;
use crate::accounts::{PasswordCheck, Person, RetryAfter};
use crate::foundation::{Digest, Secret};
use crate::grants::engine::Engine;
use crate::protocol::OAuthError;
use crate::sessions::device::Device;
use crate::sessions::record::Authentication;
use crate::sessions::{Change, Session, SessionKind};
use crate::settings::meaning::{Factor, Persistent, amr};
use crate::telemetry::{AuditEvent, Code, Outcome, codes};
use crate::tokens::handle::{HandleKind, SessionHandle};
use crate::tokens::session_id::SessionId;

/// Stands for an address that is not known: all of them share one limit.
pub(super) const NOWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

/// What came of a sign-in.
#[derive(Debug)]
pub enum SignIn {
    /// The transaction is unknown, over, or another browser's.
    NoTransaction,
    /// Too many failures: show the page again and say when to retry.
    Throttled(Page, RetryAfter),
    /// Show the page again.
    Refused(Page),
    /// Signed in: set the cookies, then go on.
    Done {
        /// What the browser shall keep.
        cookies: Cookies,
        /// The next step.
        next: Next,
    },
}

/// What somebody typed into the sign-in page.
#[derive(Debug)]
pub struct Credentials<'a> {
    /// The name.
    pub username: &'a str,
    /// The password.
    pub password: Secret<String>,
    /// Whether they want to stay signed in when the browser is closed.
    pub keep: bool,
}

/// The session that a sign-in left the browser with.
pub(super) struct BrowserSession {
    pub(super) handle: SessionHandle,
    /// Not one that the person had in this browser before.
    pub(super) new: bool,
}

impl Engine {
    /// Processes the sign-in form. What it came to is audited here, because a stranger must not be told.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sign_in(
        &self,
        handle: Secret<String>,
        credentials: Credentials<'_>,
        browser: &Browser,
        address: Option<IpAddr>,
    ) -> Result<SignIn, OAuthError> {
        let Credentials { username, password, keep } = credentials;
        let Some(waiting) = self.transactions().find(handle, &browser.binding).await? else { return Ok(SignIn::NoTransaction) };
        let client = self.client_of(&waiting.transaction.request).await?;
        let page = |handle: Secret<String>, message| {
            let content = Content::SignIn { username: username.chars().take(256).collect(), message: Some(message) };
            Page::new(handle, &client, &waiting.transaction.request, content)
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
        if !self.is_hinted(&waiting.transaction.request, &client, &person.sub) {
            failed(Some(&person.sub), "the app asked for another person");
            return Ok(SignIn::Refused(page(waiting.handle, "The app asked for another person to sign in.")));
        }
        let mut people = self.signed_in(browser).await?;
        let own = people.iter().position(|other| other.loaded.session.sub == person.sub).map(|at| people.remove(at));
        let ended = event(codes::SESSION_ENDED, Outcome::Granted);
        let fresh = self.session_by_password(&person, keep, &browser.user_agent);
        let session = self.put_in_browser(own, SessionId::new(self.clock()), fresh, ended).await?;
        let sid = session.handle.session;
        // Somebody who was disabled while their password was being checked must not keep the session.
        if self.issuer().people().find_by_sub(&person.sub).await?.is_none_or(|person| person.disabled) {
            self.sessions().end(sid).await?;
            disabled(&person.sub);
            return Ok(SignIn::Refused(page(waiting.handle, "This name and password do not match.")));
        }
        let Some(loaded) = self.sessions().find(sid).await? else { return Ok(SignIn::NoTransaction) };
        people.insert(0, SignedIn { handle: session.handle, loaded });
        self.make_room(&mut people, ended).await?;
        if session.new {
            event(codes::BROWSER_SESSION_STARTED, Outcome::Granted).subject(&person.sub).sid(&sid).emit();
        }
        let progress = Progress { session: Some(sid), fresh: true, ..Progress::default() };
        Ok(match self.go_on(waiting, progress, &people, browser).await? {
            Some(next) => {
                event(codes::SIGNED_IN, Outcome::Granted).subject(&person.sub).sid(&sid).emit();
                SignIn::Done { cookies: self.cookies(&people), next }
            }
            None => SignIn::NoTransaction,
        })
    }

    /// The session of somebody who has shown their password.
    fn session_by_password(&self, person: &Person, keep: bool, user_agent: &str) -> Session {
        let now = self.clock().now();
        let settings = self.settings();
        let amr = amr(&[Factor::Password]);
        let authentication = Authentication { time: now, acr: settings.sign_in.levels.reached(&amr).1.acr.clone(), amr };
        let kept = match settings.sessions.browser_persistent {
            Persistent::Never => false,
            Persistent::Ask => keep,
            Persistent::Always => true,
        };
        let limits = if kept { &settings.sessions.kept } else { &settings.sessions.browser };
        let begun = Session::begin(SessionKind::Browser, person.sub.clone(), authentication, limits, now);
        Session { kept, device: Device::only_described(&Device::described(user_agent)), ..begun }
    }

    /// Puts a session into a browser, in the place of the one that its person has there: a session of their own goes on under a new cookie,
    /// and `id` is not used. `ended` is how the end of another one is told.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn put_in_browser(
        &self,
        mut own: Option<SignedIn>,
        id: SessionId,
        fresh: Session,
        ended: AuditEvent<'_>,
    ) -> Result<BrowserSession, OAuthError> {
        let grown = own.take_if(|own| own.loaded.session.parent.is_some());
        if let Some(own) = own {
            let handle = SessionHandle::new(HandleKind::SessionCookie, own.loaded.id);
            let digest = Digest::of(handle.secret.expose());
            let renewed = self
                .sessions()
                .change(own.loaded, |session, _| {
                    let (apps, created, grown) = (std::mem::take(&mut session.apps), session.created, session.grown);
                    *session = Session { cookie: Some(digest), apps, created, grown, ..fresh.clone() };
                    Change::Write(())
                })
                .await?;
            if renewed.is_some() {
                return Ok(BrowserSession { handle, new: false });
            }
        }
        let handle = SessionHandle::new(HandleKind::SessionCookie, id);
        let session = Session { cookie: Some(Digest::of(handle.secret.expose())), ..fresh };
        self.sessions().create(handle.session, &session).await?;
        // One that grew from an app's ends, with the refresh tokens that hang on it: what comes now did not grow from that.
        if let Some(grown) = grown
            && let Some(session) = self.sessions().end(grown.loaded.id).await?
        {
            let event = ended.subject(&session.sub).sid(&grown.loaded.id);
            event.detail("its person signed in to this browser in another way").emit();
        }
        Ok(BrowserSession { handle, new: true })
    }
}
