//! What an authorization request still needs before it can be answered: the one rule of the state machine. Looks, and changes nothing.

use super::browser::{SignedIn, with_session, with_subject};
use super::request::AuthorizationRequest;
use super::transaction::Progress;
use crate::clients::Client;
use crate::grants::engine::Engine;
use crate::protocol::{ErrorCode, OAuthError};
use crate::sessions::{Loaded, Session};
use crate::tokens::session_id::SessionId;

/// The next step.
#[derive(Debug)]
pub(super) enum Step {
    /// Somebody must sign in; with the name to fill in.
    SignIn(String),
    /// One of the people in the browser must say that it is them.
    Choose,
    /// The person must agree.
    Consent(Box<Loaded>),
    /// Nothing: answer.
    Answer(Box<Loaded>),
}

impl Step {
    /// The session that it is about, if that is settled.
    pub(super) const fn session(&self) -> Option<SessionId> {
        match self {
            Self::SignIn(_) | Self::Choose => None,
            Self::Consent(loaded) | Self::Answer(loaded) => Some(loaded.id),
        }
    }

    /// Why the request cannot be answered without showing the person something (OpenID Connect Core section 3.1.2.6).
    pub(super) fn without_interaction(&self) -> Option<OAuthError> {
        let (code, description) = match self {
            Self::SignIn(_) => (ErrorCode::LoginRequired, "The person must sign in, which prompt none forbids."),
            Self::Choose => {
                (ErrorCode::AccountSelectionRequired, "The person must choose an account, which prompt none forbids.")
            }
            Self::Consent(_) => (ErrorCode::ConsentRequired, "The person must agree, which prompt none forbids."),
            Self::Answer(_) => return None,
        };
        Some(OAuthError::new(code, description))
    }
}

impl Engine {
    /// What a request needs, given who is signed in and how far it has come.
    pub(super) async fn next_step(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
        progress: &Progress,
        people: &[SignedIn],
    ) -> Result<Step, OAuthError> {
        let hint = || request.login_hint.clone().unwrap_or_default();
        let wanted = |session: &Session| request.hinted_sub.as_ref().is_none_or(|sub| *sub == session.sub);
        let picked = match self.pick(request, progress, people).await? {
            Pick::Ask => return Ok(Step::Choose),
            Pick::Nobody => None,
            Pick::Somebody(loaded) => Some(loaded).filter(|loaded| wanted(&loaded.session)),
        };
        let Some(loaded) = picked else { return Ok(Step::SignIn(hint())) };
        if !progress.fresh && !self.is_recent(&loaded.session, request) {
            let name = self.issuer().people().find_by_sub(&loaded.session.sub).await?.map(|person| person.name);
            return Ok(Step::SignIn(request.login_hint.clone().or(name).unwrap_or_default()));
        }
        let asks = request.prompt.consent || self.needs_consent(&loaded.session.sub, client, request).await?;
        Ok(if asks { Step::Consent(Box::new(loaded)) } else { Step::Answer(Box::new(loaded)) })
    }

    /// Who of the people in the browser the request is about.
    async fn pick(&self, request: &AuthorizationRequest, progress: &Progress, people: &[SignedIn]) -> Result<Pick, OAuthError> {
        if let Some(id) = progress.session {
            return Ok(Pick::of(with_session(people, id)));
        }
        if progress.another {
            return Ok(Pick::Nobody);
        }
        if request.prompt.select_account && !people.is_empty() {
            return Ok(Pick::Ask);
        }
        if let Some(sub) = &request.hinted_sub {
            return Ok(Pick::of(with_subject(people, sub)));
        }
        if people.len() < 2 {
            return Ok(Pick::of(people.first()));
        }
        let hinted = match &request.login_hint {
            Some(name) => self.issuer().people().subject_of(name).await?,
            None => None,
        };
        let hinted = hinted.and_then(|sub| with_subject(people, &sub));
        Ok(hinted.map_or(Pick::Ask, |person| Pick::of(Some(person))))
    }

    /// Whether the person proved who they are as lately as the request and the settings want it.
    fn is_recent(&self, session: &Session, request: &AuthorizationRequest) -> bool {
        let age = self.clock().now().since(session.auth_time).as_secs();
        let limit = self.settings().sessions.browser_auth_lifetime;
        !request.prompt.login
            && request.max_age.is_none_or(|most| most > 0 && age <= most)
            && limit.is_none_or(|most| age < most.as_secs())
    }
}

enum Pick {
    Somebody(Loaded),
    Nobody,
    Ask,
}

impl Pick {
    fn of(person: Option<&SignedIn>) -> Self {
        person.map_or(Self::Nobody, |person| Self::Somebody(person.loaded.clone()))
    }
}
