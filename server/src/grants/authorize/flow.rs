//! From a valid request to its answer: step by step, each page bringing it further, until the code is issued.

use std::net::IpAddr;

use super::answer::Answer;
use super::browser::{Browser, SignedIn};
use super::policy::Passed;
use super::request::{AuthorizationRequest, RedirectError};
use super::step::Step;
use super::transaction::{Progress, Transaction, Waiting};
use crate::accounts::totp::Enrolment;
use crate::clients::{Client, Localized};
use crate::foundation::{Digest, Secret};
use crate::grants::engine::Engine;
use crate::grants::logout::session_state;
use crate::protocol::{ErrorCode, OAuthError};
use crate::sessions::device::Device;
use crate::sessions::record::Authentication;
use crate::sessions::{Change, CodeGrant};
use crate::telemetry::{AuditEvent, codes};
use crate::tokens::session_id::SessionId;

/// What to do next.
#[derive(Debug)]
pub enum Outcome {
    /// Show a page.
    Page(Page),
    /// Send the browser to the client.
    Client(Answer),
}

/// A page to show, and the handle for its form.
#[derive(Debug)]
pub struct Page {
    /// For the form.
    pub transaction: Secret<String>,
    /// The app that asks.
    pub client_name: Localized,
    /// The languages that it asks for, best first.
    pub ui_locales: String,
    /// Which page.
    pub content: Content,
}

impl Page {
    /// The page of a transaction over that request.
    pub(super) fn new(transaction: Secret<String>, client: &Client, request: &AuthorizationRequest, content: Content) -> Self {
        let client_name = client.translations.of("client_name", &client.name);
        Self { transaction, client_name, ui_locales: request.ui_locales.clone(), content }
    }
}

/// What a page is about.
#[derive(Debug)]
pub enum Content {
    /// Name and password.
    SignIn {
        /// To fill in.
        username: String,
        /// What went wrong before.
        message: Option<&'static str>,
    },
    /// Who of several it is: session and sign-in name of each.
    Choose(Vec<(SessionId, String)>),
    /// A code of the authenticator app, or a recovery code.
    SecondFactor {
        /// Who is asked: their sign-in name.
        person: String,
        /// What went wrong before.
        message: Option<&'static str>,
    },
    /// Set up an authenticator app.
    Enrol {
        /// What the app must learn.
        enrolment: Enrolment,
        /// What went wrong before.
        message: Option<&'static str>,
    },
    /// Recovery codes, shown this once.
    RecoveryCodes(Vec<Secret<String>>),
    /// Agree or not.
    Consent {
        /// Who is asked: their sign-in name.
        person: String,
        /// What is asked for: scope value (none for a single claim) and sentence.
        scopes: Vec<(String, String)>,
        /// The APIs that it is for (RFC 8707), where the request names them.
        resources: Vec<String>,
        /// Pages of the client: what each is, and its https address.
        links: Vec<(&'static str, Localized)>,
    },
}

/// Where to go after a form was processed.
#[derive(Debug)]
pub enum Next {
    /// To the next page of this transaction.
    Page(Secret<String>),
    /// To the client.
    Client(Answer),
}

impl Engine {
    pub(super) async fn proceed(&self, request: AuthorizationRequest, browser: &Browser) -> Result<Outcome, OAuthError> {
        let people = self.signed_in(browser).await?;
        self.proceed_with(request, browser, &people, Progress::default()).await
    }

    pub(super) async fn proceed_with(
        &self,
        request: AuthorizationRequest,
        browser: &Browser,
        people: &[SignedIn],
        progress: Progress,
    ) -> Result<Outcome, OAuthError> {
        let client = self.client_of(&request).await?;
        let step = self.next_step(&request, &client, &progress, people, browser).await?;
        if let Step::Answer(passed) = step {
            return self.answer_with_code(request, *passed, people, browser).await.map(Outcome::Client);
        }
        if request.prompt.none
            && let Some(error) = step.without_interaction()
        {
            return Err(error);
        }
        // Whom the page is about stays who it is about, whoever signs in beside them meanwhile.
        let progress = Progress { session: step.session(), ..progress };
        let content = self.content(&request, step, people).await?;
        let transaction = Transaction { request, browser: Digest::of(browser.binding.expose()), progress };
        let handle = self.transactions().begin(&transaction, self.settings().sign_in.transaction_lifetime).await?;
        Ok(Outcome::Page(Page::new(handle, &client, &transaction.request, content)))
    }

    /// The page that a transaction waits at; `None` when there is no such thing for this browser.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn show(&self, handle: Secret<String>, browser: &Browser) -> Result<Option<Outcome>, OAuthError> {
        let Some(waiting) = self.transactions().find(handle, &browser.binding).await? else { return Ok(None) };
        let request = &waiting.transaction.request;
        let client = self.client_of(request).await?;
        let people = self.signed_in(browser).await?;
        let step = match self.next_step(request, &client, &waiting.transaction.progress, &people, browser).await {
            Err(error) if is_final(&error) => return Ok(self.refuse(waiting, error).await?.map(Outcome::Client)),
            step => step?,
        };
        if let Step::Answer(passed) = step {
            return Ok(self.finish(waiting, *passed, &people, browser).await?.map(Outcome::Client));
        }
        let content = self.content(request, step, &people).await?;
        Ok(Some(Outcome::Page(Page::new(waiting.handle, &client, &waiting.transaction.request, content))))
    }

    /// Goes on after a form, with what it brought; `None` when the transaction was finished meanwhile.
    pub(super) async fn go_on(
        &self,
        waiting: Waiting,
        progress: Progress,
        people: &[SignedIn],
        browser: &Browser,
    ) -> Result<Option<Next>, OAuthError> {
        let request = &waiting.transaction.request;
        let client = self.client_of(request).await?;
        match self.next_step(request, &client, &progress, people, browser).await {
            Ok(Step::Answer(passed)) => Ok(self.finish(waiting, *passed, people, browser).await?.map(Next::Client)),
            Err(error) if is_final(&error) => Ok(self.refuse(waiting, error).await?.map(Next::Client)),
            Err(error) => Err(error),
            Ok(_) => {
                let lifetime = self.settings().sign_in.transaction_lifetime;
                let noted = self.transactions().note(&waiting, progress, lifetime).await?;
                Ok(noted.then_some(Next::Page(waiting.handle)))
            }
        }
    }

    /// Answers a transaction, once.
    async fn finish(
        &self,
        waiting: Waiting,
        passed: Passed,
        people: &[SignedIn],
        browser: &Browser,
    ) -> Result<Option<Answer>, OAuthError> {
        if !self.transactions().finish(&waiting.handle).await? {
            return Ok(None);
        }
        self.answer_with_code(waiting.transaction.request, passed, people, browser).await.map(Some)
    }

    /// Tells the client, once, that its request cannot be met.
    pub(super) async fn refuse(&self, waiting: Waiting, error: OAuthError) -> Result<Option<Answer>, OAuthError> {
        let finished = self.transactions().finish(&waiting.handle).await?;
        self.turn_away(&waiting.transaction.request).await?;
        self.finish_pushed(waiting.transaction.request.pushed.as_ref()).await?;
        let to = waiting.transaction.request.return_to();
        Ok(finished.then(|| self.answer_with_error(RedirectError { to, error })))
    }

    /// The client of a request, as long as it is the one that made it.
    pub(super) async fn client_of(&self, request: &AuthorizationRequest) -> Result<std::sync::Arc<Client>, OAuthError> {
        self.clients()
            .find(&request.client_id)
            .await?
            .filter(|client| request.received.is_none_or(|received| client.stood_at(received)))
            .ok_or_else(|| OAuthError::new(ErrorCode::UnauthorizedClient, "The client was removed."))
    }

    /// What the page of a step says.
    async fn content(&self, request: &AuthorizationRequest, step: Step, people: &[SignedIn]) -> Result<Content, OAuthError> {
        Ok(match step {
            Step::SignIn(username) => Content::SignIn { username, message: None },
            Step::Choose => {
                let mut accounts = Vec::new();
                for person in people {
                    accounts.push((person.loaded.id, self.name_of(&person.loaded.session.sub).await?));
                }
                Content::Choose(accounts)
            }
            Step::SecondFactor(loaded) => {
                Content::SecondFactor { person: self.name_of(&loaded.session.sub).await?, message: None }
            }
            Step::Enrol(loaded) => Content::Enrol { enrolment: self.enrolment(&loaded).await?, message: None },
            Step::Consent(passed) | Step::Answer(passed) => {
                let client = self.client_of(request).await?;
                let link = |member, uri: &Option<String>| uri.as_ref().map(|uri| client.translations.of(member, uri));
                let links = [
                    ("Privacy policy", link("policy_uri", &client.policy_uri)),
                    ("Terms of service", link("tos_uri", &client.tos_uri)),
                ];
                Content::Consent {
                    person: self.name_of(&passed.loaded.session.sub).await?,
                    scopes: self.asked_for(request),
                    resources: request.resources.clone(),
                    links: links.into_iter().filter_map(|(name, uri)| Some((name, uri?))).collect(),
                }
            }
        })
    }

    pub(super) async fn name_of(&self, sub: &str) -> Result<String, OAuthError> {
        Ok(self.issuer().people().find_by_sub(sub).await?.map(|person| person.name).unwrap_or_default())
    }

    /// What a request asks for, in sentences.
    fn asked_for(&self, request: &AuthorizationRequest) -> Vec<(String, String)> {
        let settings = self.settings();
        let sentence = |value: &str| {
            let meaning = settings.scopes.get(value).map(|meaning| meaning.description.clone()).filter(|text| !text.is_empty());
            (value.to_owned(), meaning.unwrap_or_else(|| value.to_owned()))
        };
        let claims = request.claims.beyond(&settings.claims_of(&request.scope));
        let claims = claims.into_iter().map(|name| (String::new(), format!("See your {}", name.replace('_', " "))));
        request.scope.iter().map(sentence).chain(claims).collect()
    }

    /// Issues the code and says where to send the browser. The session counts as used.
    pub(super) async fn answer_with_code(
        &self,
        request: AuthorizationRequest,
        passed: Passed,
        people: &[SignedIn],
        browser: &Browser,
    ) -> Result<Answer, OAuthError> {
        let Passed { loaded: session, terms } = passed;
        let (id, ends) = (session.id, terms.session_ends);
        let origin = session_state::origin(&request.redirect_uri).filter(|_| request.scope.contains("openid"));
        let shown = origin.map(|origin| self.show_state(&request.client_id, &origin, people, browser));
        let (to, device) = (request.return_to(), request.device);
        let scope = self.within_transfer(&request, &session.session).await?;
        self.finish_pushed(request.pushed.as_ref()).await?;
        let authentication =
            Authentication { acr: self.stated_acr(&request, &session.session), ..session.session.authentication() };
        let grant = CodeGrant {
            client_id: request.client_id,
            redirect_uri: request.redirect_uri,
            redirect_uri_given: request.redirect_uri_given,
            code_challenge: request.code_challenge,
            dpop_jkt: request.dpop_jkt,
            nonce: request.nonce,
            scope,
            resources: request.resources,
            sub: session.session.sub.clone(),
            authentication,
            browser: id,
            issued: Some(self.clock().now()),
            // Through this browser goes what another device will be given.
            device_description: match device {
                Some(_) => request.device_description,
                None => Device::described(&browser.user_agent),
            },
            of_device: device.is_some(),
            user_info_claims: request.claims.user_info,
            id_token_claims: request.claims.id_token,
            terms,
        };
        let touched = self
            .sessions()
            .change(session, |session, now| {
                session.last_used = now;
                session.end_by(ends);
                Change::Write(())
            })
            .await?;
        if touched.is_none() {
            return Err(OAuthError::new(ErrorCode::LoginRequired, "The session ended meanwhile."));
        }
        if let Some(device) = device {
            return self.let_in(&device, grant, to).await;
        }
        let code = self.codes().issue(grant, self.settings().tokens.code_lifetime).await?;
        let (session_state, browser_state) = shown.unzip();
        let state = session_state.map(|state| ("session_state", state));
        let pairs = std::iter::once(("code", code.expose().clone())).chain(state);
        Ok(Answer { browser_state: browser_state.flatten(), ..to.answer(pairs, &self.settings().server.issuer.text) })
    }

    /// The error answer that a client is given (RFC 6749 section 4.1.2.1).
    #[must_use]
    pub fn answer_with_error(&self, refusal: RedirectError) -> Answer {
        let RedirectError { to, error } = refusal;
        let pairs = [("error", error.code.as_str().to_owned()), ("error_description", error.description.into_owned())];
        to.answer(pairs, &self.settings().server.issuer.text)
    }

    /// The person's choice on the account page: the session of one of them, or none for somebody else; `None` when the transaction is
    /// over or not this browser's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn choose(
        &self,
        handle: Secret<String>,
        browser: &Browser,
        account: Option<SessionId>,
    ) -> Result<Option<Next>, OAuthError> {
        let Some(waiting) = self.transactions().find(handle, &browser.binding).await? else { return Ok(None) };
        let people = self.signed_in(browser).await?;
        let session = account.filter(|id| people.iter().any(|person| person.loaded.id == *id));
        // Whoever is no longer there must sign in.
        let progress = Progress { session, another: session.is_none(), ..Progress::default() };
        self.go_on(waiting, progress, &people, browser).await
    }

    /// The person's answer on the consent page; `None` when the transaction is over or not this browser's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn decide(
        &self,
        handle: Secret<String>,
        browser: &Browser,
        allow: bool,
        address: Option<IpAddr>,
    ) -> Result<Option<Next>, OAuthError> {
        let Some(waiting) = self.transactions().find(handle, &browser.binding).await? else { return Ok(None) };
        let client = self.client_of(&waiting.transaction.request).await?;
        let people = self.signed_in(browser).await?;
        let (request, progress) = (&waiting.transaction.request, &waiting.transaction.progress);
        let passed = match self.next_step(request, &client, progress, &people, browser).await {
            Ok(Step::Consent(passed) | Step::Answer(passed)) => *passed,
            Err(error) if is_final(&error) => return Ok(self.refuse(waiting, error).await?.map(Next::Client)),
            Err(error) => return Err(error),
            // Signed out meanwhile: what was decided was decided by nobody.
            Ok(_) => return Ok(Some(Next::Page(waiting.handle))),
        };
        let session = &passed.loaded;
        if !self.transactions().finish(&waiting.handle).await? {
            return Ok(None);
        }
        let request = waiting.transaction.request;
        let scope = request.scope.to_string();
        let event = |event: AuditEvent<'_>| {
            let event = event.client_id(&request.client_id).subject(&session.session.sub).sid(&session.id).address(address);
            if scope.is_empty() { event } else { event.detail(&scope) }.emit();
        };
        if !allow {
            self.finish_pushed(request.pushed.as_ref()).await?;
            event(AuditEvent::refused(codes::CONSENT_DENIED));
            self.turn_away(&request).await?;
            let error = OAuthError::new(ErrorCode::AccessDenied, "The person did not agree.");
            return Ok(Some(Next::Client(self.answer_with_error(RedirectError { to: request.return_to(), error }))));
        }
        self.remember_consent(&session.session.sub, &client, &request).await?;
        event(AuditEvent::granted(codes::CONSENT_GIVEN));
        self.answer_with_code(request, passed, &people, browser).await.map(|answer| Some(Next::Client(answer)))
    }
}

/// Whether nothing that the person could do would help, so that the client is to be told.
pub(super) fn is_final(error: &OAuthError) -> bool {
    error.is_final || error.code == ErrorCode::UnmetAuthenticationRequirements
}
