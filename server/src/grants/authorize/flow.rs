//! From a valid request to its answer: who is there, must they sign in, must they agree, and then the code.

use std::net::IpAddr;

use super::answer::Answer;
use super::request::{AuthorizationRequest, RedirectError, Refusal};
use super::transaction::{Transaction, Waiting};
use crate::clients::Client;
use crate::foundation::{Digest, Secret};
use crate::grants::engine::Engine;
use crate::grants::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError};
use crate::sessions::{Change, CodeGrant, Loaded, SessionKind};
use crate::telemetry::{AuditEvent, codes};
use crate::tokens::handle::{HandleKind, SessionHandle};

/// What a browser brings along.
#[derive(Debug)]
pub struct Browser {
    /// The binding cookie that every browser is given at its first page.
    pub binding: Secret<String>,
    /// The session cookie.
    pub session: Option<Secret<String>>,
    /// What it says it is.
    pub user_agent: String,
}

/// What to do next.
#[derive(Debug)]
pub enum Outcome {
    /// Show a page.
    Page(Page),
    /// Send the browser to the client.
    Client(Answer),
}

/// A page to show.
#[derive(Debug)]
pub enum Page {
    /// Name and password.
    SignIn {
        /// For the form.
        transaction: Secret<String>,
        /// The app that asks.
        client_name: String,
        /// To fill in.
        username: String,
        /// What went wrong before.
        message: Option<&'static str>,
    },
    /// Agree or not.
    Consent {
        /// For the form.
        transaction: Secret<String>,
        /// The app that asks.
        client_name: String,
        /// Who is asked: their sign-in name.
        person: String,
        /// What is asked for: scope value and sentence.
        scopes: Vec<(String, String)>,
    },
}

impl Engine {
    /// Processes an authorization request.
    ///
    /// # Errors
    /// The refusal.
    pub async fn authorize(&self, parameters: &Parameters, browser: &Browser) -> Result<Outcome, Refusal> {
        let request = self.parse_authorization_request(parameters).await?;
        let to = request.return_to();
        let proceeded = self.proceed(request, browser).await;
        proceeded.map_err(|error| Refusal::Redirect(Box::new(RedirectError { to, error })))
    }

    async fn proceed(&self, request: AuthorizationRequest, browser: &Browser) -> Result<Outcome, OAuthError> {
        let client = self.client_of(&request).await?;
        let session = self.browser_session(browser.session.as_ref()).await?;
        let Some(session) = session.filter(|session| self.is_enough(session, &request)) else {
            if request.prompt.none {
                return Err(OAuthError::new(ErrorCode::LoginRequired, "The person must sign in, which prompt none forbids."));
            }
            let username = request.login_hint.clone().unwrap_or_default();
            let transaction = self.begin(request, browser, None).await?;
            return Ok(Outcome::Page(Page::SignIn { transaction, client_name: client.name.clone(), username, message: None }));
        };
        if request.prompt.consent || self.needs_consent(&session.session.sub, &client, &request).await? {
            if request.prompt.none {
                return Err(OAuthError::new(ErrorCode::ConsentRequired, "The person must agree, which prompt none forbids."));
            }
            let id = session.id;
            let page = self.consent_page(&request, &client, &session.session.sub).await?;
            let transaction = self.begin(request, browser, Some(id)).await?;
            return Ok(Outcome::Page(page(transaction)));
        }
        self.answer_with_code(request, session, &browser.user_agent).await.map(Outcome::Client)
    }

    /// Whether a session's authentication satisfies the request.
    fn is_enough(&self, session: &Loaded, request: &AuthorizationRequest) -> bool {
        let age = self.clock().now().since(session.session.auth_time).as_secs();
        let limit = self.settings().sessions.browser_auth_lifetime;
        !request.prompt.login
            && !request.prompt.select_account
            && request.max_age.is_none_or(|most| most > 0 && age <= most)
            && limit.is_none_or(|most| age < most.as_secs())
            && request.hinted_sub.as_ref().is_none_or(|sub| *sub == session.session.sub)
    }

    async fn begin(
        &self,
        request: AuthorizationRequest,
        browser: &Browser,
        session: Option<crate::tokens::session_id::SessionId>,
    ) -> Result<Secret<String>, OAuthError> {
        let transaction = Transaction { request, browser: Digest::of(browser.binding.expose()), session };
        Ok(self.transactions().begin(&transaction, self.settings().sign_in.transaction_lifetime).await?)
    }

    /// The client of a request, as long as it is the one that made it.
    pub(super) async fn client_of(&self, request: &AuthorizationRequest) -> Result<std::sync::Arc<Client>, OAuthError> {
        self.clients()
            .find(&request.client_id)
            .await?
            .filter(|client| request.received.is_none_or(|received| client.stood_at(received)))
            .ok_or_else(|| OAuthError::new(ErrorCode::UnauthorizedClient, "The client was removed."))
    }

    /// The browser session of a cookie.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn browser_session(&self, cookie: Option<&Secret<String>>) -> Result<Option<Loaded>, OAuthError> {
        let Some(handle) = cookie.and_then(|text| SessionHandle::parse(HandleKind::SessionCookie, text.expose())) else {
            return Ok(None);
        };
        let Some(loaded) = self.sessions().find(handle.session).await? else { return Ok(None) };
        let genuine =
            loaded.session.kind == SessionKind::Browser && loaded.session.cookie == Some(Digest::of(handle.secret.expose()));
        Ok(genuine.then_some(loaded))
    }

    /// Waits until it holds for good that the browser session of a cookie has ended.
    pub(in crate::grants) async fn settle_browser_session(&self, cookie: Option<&Secret<String>>) -> Result<(), OAuthError> {
        match cookie.and_then(|text| SessionHandle::parse(HandleKind::SessionCookie, text.expose())) {
            Some(handle) => Ok(self.sessions().settle(handle.session).await?),
            None => Ok(()),
        }
    }

    pub(super) async fn consent_page(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
        sub: &str,
    ) -> Result<impl FnOnce(Secret<String>) -> Page + use<>, OAuthError> {
        let person = self.issuer().people().find_by_sub(sub).await?.map(|person| person.name).unwrap_or_default();
        let asked_for = request.claims.beyond(&self.settings().claims_of(&request.scope));
        let claims = asked_for.into_iter().map(|name| (String::new(), format!("See your {}", name.replace('_', " "))));
        let scopes = request
            .scope
            .iter()
            .map(|value| {
                let meaning =
                    self.settings().scopes.get(value).map(|meaning| meaning.description.clone()).filter(|text| !text.is_empty());
                (value.to_owned(), meaning.unwrap_or_else(|| value.to_owned()))
            })
            .chain(claims)
            .collect();
        let client_name = client.name.clone();
        Ok(move |transaction| Page::Consent { transaction, client_name, person, scopes })
    }

    /// Issues the code and says where to send the browser. The session counts as used.
    pub(super) async fn answer_with_code(
        &self,
        request: AuthorizationRequest,
        session: Loaded,
        user_agent: &str,
    ) -> Result<Answer, OAuthError> {
        let id = session.id;
        let to = request.return_to();
        let grant = CodeGrant {
            client_id: request.client_id,
            redirect_uri: request.redirect_uri,
            redirect_uri_given: request.redirect_uri_given,
            code_challenge: request.code_challenge,
            nonce: request.nonce,
            scope: request.scope,
            resources: request.resources,
            sub: session.session.sub.clone(),
            authentication: session.session.authentication(),
            browser: id,
            issued: Some(self.clock().now()),
            device_description: user_agent.chars().filter(|c| !c.is_control()).take(200).collect(),
            user_info_claims: request.claims.user_info,
            id_token_claims: request.claims.id_token,
        };
        let touched = self
            .sessions()
            .change(session, |session, now| {
                session.last_used = now;
                Change::Write(())
            })
            .await?;
        if touched.is_none() {
            return Err(OAuthError::new(ErrorCode::LoginRequired, "The session ended meanwhile."));
        }
        let code = self.codes().issue(grant, self.settings().tokens.code_lifetime).await?;
        Ok(to.answer([("code", code.expose().clone())], &self.settings().server.issuer.text))
    }

    /// The error answer that a client is given (RFC 6749 section 4.1.2.1).
    #[must_use]
    pub fn answer_with_error(&self, refusal: RedirectError) -> Answer {
        let RedirectError { to, error } = refusal;
        let pairs = [("error", error.code.as_str().to_owned()), ("error_description", error.description.into_owned())];
        to.answer(pairs, &self.settings().server.issuer.text)
    }

    /// The consent page of a transaction whose person has signed in; `None` when there is no such thing for this browser.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn show_consent(&self, handle: Secret<String>, browser: &Browser) -> Result<Option<Page>, OAuthError> {
        let Some((waiting, session)) = self.signed_in_transaction(handle, browser).await? else { return Ok(None) };
        let client = self.client_of(&waiting.transaction.request).await?;
        let page = self.consent_page(&waiting.transaction.request, &client, &session.session.sub).await?;
        Ok(Some(page(waiting.handle)))
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
    ) -> Result<Option<Answer>, OAuthError> {
        let Some((waiting, session)) = self.signed_in_transaction(handle, browser).await? else { return Ok(None) };
        if !self.transactions().finish(&waiting.handle).await? {
            return Ok(None);
        }
        let request = waiting.transaction.request;
        let scope = request.scope.to_string();
        let event = |event: AuditEvent<'_>| {
            let event = event.client_id(&request.client_id).subject(&session.session.sub).sid(&session.id).address(address);
            if scope.is_empty() { event } else { event.detail(&scope) }.emit();
        };
        let client = self.client_of(&request).await?;
        if !allow {
            event(AuditEvent::refused(codes::CONSENT_DENIED));
            let error = OAuthError::new(ErrorCode::AccessDenied, "The person did not agree.");
            return Ok(Some(self.answer_with_error(RedirectError { to: request.return_to(), error })));
        }
        self.remember_consent(&session.session.sub, &client, &request).await?;
        event(AuditEvent::granted(codes::CONSENT_GIVEN));
        self.answer_with_code(request, session, &browser.user_agent).await.map(Some)
    }

    /// The transaction of a form, with the browser session that signed in for it and is still this browser's.
    async fn signed_in_transaction(
        &self,
        handle: Secret<String>,
        browser: &Browser,
    ) -> Result<Option<(Waiting, Loaded)>, OAuthError> {
        let Some(waiting) = self.transactions().find(handle, &browser.binding).await? else { return Ok(None) };
        let session = self.browser_session(browser.session.as_ref()).await?;
        Ok(session.filter(|session| waiting.transaction.session == Some(session.id)).map(|session| (waiting, session)))
    }
}
