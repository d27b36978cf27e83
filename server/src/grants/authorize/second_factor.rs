//! The second factor of a sign-in: showing one, and setting one up. What was shown is written into the browser session, under a new cookie.

use std::net::IpAddr;

use super::browser::{Browser, Cookies, SignedIn};
use super::flow::{Content, Next, Page, is_final};
use super::sign_in::NOWHERE;
use super::step::Step;
use super::transaction::Waiting;
use crate::accounts::totp::Enrolment;
use crate::accounts::{Attempt, CodeCheck, FactorError, RetryAfter};
use crate::clients::Client;
use crate::foundation::{Digest, Secret};
use crate::grants::engine::Engine;
use crate::protocol::OAuthError;
use crate::sessions::{Change, Loaded};
use crate::settings::meaning::{Factor, amr};
use crate::telemetry::{AuditEvent, Code, Outcome, codes};
use crate::tokens::handle::{HandleKind, SessionHandle};

const WRONG: &str = "This code is not right. Codes change every 30 seconds.";
const REPLAYED: &str = "This code was used before. Please wait for the next one.";
const BEGIN_AGAIN: &str = "Please begin again: this is a new key.";
const TOO_MANY: &str = "Too many attempts failed. Please wait a while, then try again.";

/// What came of a code.
#[derive(Debug)]
pub enum Shown {
    /// The transaction is unknown, over, or another browser's.
    NoTransaction,
    /// Too many failures: show the page again and say when to retry.
    Throttled(Page, RetryAfter),
    /// Show the page again.
    Refused(Page),
    /// It was right: set the cookies, then go on.
    Done(Cookies, Next),
    /// An app was set up: set the cookies, and show the recovery codes.
    Enrolled(Cookies, Page),
    /// The transaction waits at another page.
    Elsewhere(Next),
}

impl Engine {
    /// Processes the form of the second factor, or of the page on which one is set up: whichever the transaction waits at.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn second_factor(
        &self,
        handle: Secret<String>,
        code: Secret<String>,
        browser: &Browser,
        address: Option<IpAddr>,
    ) -> Result<Shown, OAuthError> {
        let Some(waiting) = self.transactions().find(handle, &browser.binding).await? else { return Ok(Shown::NoTransaction) };
        let client = self.client_of(&waiting.transaction.request).await?;
        let people = self.signed_in(browser).await?;
        let (request, progress) = (&waiting.transaction.request, &waiting.transaction.progress);
        let (loaded, enrols) = match self.next_step(request, &client, progress, &people, browser).await {
            Ok(Step::SecondFactor(loaded)) => (*loaded, false),
            Ok(Step::Enrol(loaded)) => (*loaded, true),
            Err(error) if !is_final(&error) => return Err(error),
            // Shown already in another tab, signed out meanwhile, or kept out: the page knows.
            _ => return Ok(Shown::Elsewhere(Next::Page(waiting.handle))),
        };
        let form = Form { waiting, client: &client, people, loaded, browser, address };
        // One limit for each person, whatever the factor; and that of the address, which also counts passwords. No sign-in name that
        // somebody types has a zero byte, so nobody can use up another's attempts on the sign-in page.
        let name = format!("\0second factor\0{}", form.loaded.session.sub);
        match self.throttle().begin(&name, address.unwrap_or(NOWHERE), self.clock().now_millis()) {
            Ok(attempt) if enrols => self.confirm(form, code, attempt).await,
            Ok(attempt) => self.show_code(form, code, attempt).await,
            Err(retry) => {
                form.event(codes::SIGN_IN_THROTTLED, Outcome::Refused).reason(&retry.to_string()).emit();
                Ok(Shown::Throttled(self.again(form, enrols, TOO_MANY).await?, retry))
            }
        }
    }

    async fn show_code(&self, form: Form<'_>, code: Secret<String>, attempt: Attempt) -> Result<Shown, OAuthError> {
        let check = self.issuer().factors().check(&form.loaded.session.sub, &code).await?;
        let (message, reason) = match check {
            CodeCheck::Right | CodeCheck::Recovered(_) => {
                attempt.succeeded();
                let detail = match check {
                    CodeCheck::Recovered(left) => format!("recovery code, {left} left"),
                    _ => "authenticator app".to_owned(),
                };
                form.event(codes::SECOND_FACTOR_SHOWN, Outcome::Granted).sid(&form.loaded.id).detail(&detail).emit();
                let Form { waiting, people, loaded, browser, .. } = form;
                let Some(people) = self.step_up(people, loaded).await? else { return Ok(Shown::NoTransaction) };
                let progress = waiting.transaction.progress.clone();
                let next = self.go_on(waiting, progress, &people, browser).await?;
                return Ok(next.map_or(Shown::NoTransaction, |next| Shown::Done(self.cookies(&people), next)));
            }
            CodeCheck::Replayed => (REPLAYED, "the code was used before"),
            CodeCheck::Wrong => (WRONG, "the code is wrong"),
        };
        form.event(codes::SECOND_FACTOR_FAILED, Outcome::Refused).sid(&form.loaded.id).reason(reason).emit();
        Ok(Shown::Refused(self.again(form, false, message).await?))
    }

    async fn confirm(&self, form: Form<'_>, code: Secret<String>, attempt: Attempt) -> Result<Shown, OAuthError> {
        let (flow, within) = (form.loaded.id.to_string(), self.settings().sign_in.transaction_lifetime);
        let confirmed = match self.issuer().factors().confirm(&form.loaded.session.sub, &code, &flow, within).await {
            // Begun anew in another browser, or too long ago: this page begins again.
            Err(FactorError::NotBegun) => return Ok(Shown::Refused(self.again(form, true, BEGIN_AGAIN).await?)),
            confirmed => confirmed?,
        };
        let Some(recovery) = confirmed else {
            form.event(codes::SECOND_FACTOR_FAILED, Outcome::Refused).sid(&form.loaded.id).reason("the code is wrong").emit();
            return Ok(Shown::Refused(self.again(form, true, WRONG).await?));
        };
        attempt.succeeded();
        form.event(codes::FACTOR_ENROLLED, Outcome::Granted).sid(&form.loaded.id).emit();
        let Form { waiting, client, people, loaded, .. } = form;
        let Some(people) = self.step_up(people, loaded).await? else { return Ok(Shown::NoTransaction) };
        let content = Content::RecoveryCodes(recovery);
        let page = Page::new(waiting.handle, client, &waiting.transaction.request, content);
        Ok(Shown::Enrolled(self.cookies(&people), page))
    }

    /// Writes into a browser session that a one-time password was shown. When the person signed in stays what it was: a later `max_age`
    /// asks how old the oldest proof is. `None` when the session has ended.
    async fn step_up(&self, mut people: Vec<SignedIn>, loaded: Loaded) -> Result<Option<Vec<SignedIn>>, OAuthError> {
        let id = loaded.id;
        let handle = SessionHandle::new(HandleKind::SessionCookie, id);
        let digest = Digest::of(handle.secret.expose());
        let levels = &self.settings().sign_in.levels;
        let changed = self
            .sessions()
            .change(loaded, |session, _| {
                session.amr = amr(&Factor::ALL);
                session.acr.clone_from(&levels.reached(&session.amr).1.acr);
                session.cookie = Some(digest);
                Change::Write(())
            })
            .await?;
        let Some(loaded) = self.sessions().find(id).await?.filter(|_| changed.is_some()) else { return Ok(None) };
        people.retain(|person| person.loaded.id != id);
        people.insert(0, SignedIn { handle, loaded });
        Ok(Some(people))
    }

    /// The page of a code that was refused.
    async fn again(&self, form: Form<'_>, enrols: bool, message: &'static str) -> Result<Page, OAuthError> {
        let sub = &form.loaded.session.sub;
        let content = if enrols {
            Content::Enrol { enrolment: self.enrolment(&form.loaded).await?, message: Some(message) }
        } else {
            Content::SecondFactor { person: self.name_of(sub).await?, message: Some(message) }
        };
        Ok(Page::new(form.waiting.handle, form.client, &form.waiting.transaction.request, content))
    }

    /// What an authenticator app must learn: what was begun in this browser session, so that a reload shows the same, or a new seed.
    pub(super) async fn enrolment(&self, loaded: &Loaded) -> Result<Enrolment, OAuthError> {
        let (sub, flow) = (&loaded.session.sub, loaded.id.to_string());
        let (factors, issuer) = (self.issuer().factors(), &self.settings().sign_in.totp_issuer);
        let name = self.name_of(sub).await?;
        if let Some(begun) = factors.begun(sub, issuer, &name, &flow, self.settings().sign_in.transaction_lifetime).await? {
            return Ok(begun);
        }
        Ok(factors.begin(sub, issuer, &name, &flow).await?)
    }
}

/// A form that came from the browser that its transaction belongs to.
struct Form<'a> {
    waiting: Waiting,
    client: &'a Client,
    people: Vec<SignedIn>,
    loaded: Loaded,
    browser: &'a Browser,
    address: Option<IpAddr>,
}

impl Form<'_> {
    fn event(&self, code: Code, outcome: Outcome) -> AuditEvent<'_> {
        AuditEvent::new(code, outcome).client_id(&self.client.id).subject(&self.loaded.session.sub).address(self.address)
    }
}
