//! What an authorization request still needs before it can be answered: the one rule of the state machine. Looks, and changes nothing.

use super::browser::{Browser, SignedIn, Visit, with_session, with_subject};
use super::policy::Passed;
use super::request::AuthorizationRequest;
use super::transaction::Progress;
use crate::clients::Client;
use crate::grants::engine::Engine;
use crate::protocol::{ErrorCode, OAuthError};
use crate::sessions::{Loaded, Session, Terms};
use crate::settings::meaning::{Factor, SecondFactor};
use crate::tokens::session_id::SessionId;

/// The next step.
#[derive(Debug)]
pub(super) enum Step {
    /// Somebody must sign in; with the name to fill in.
    SignIn(String),
    /// One of the people in the browser must say that it is them.
    Choose,
    /// They must show a second factor.
    SecondFactor(Box<Loaded>),
    /// They must set one up, because they have none.
    Enrol(Box<Loaded>),
    /// The person must agree.
    Consent(Box<Passed>),
    /// Nothing: answer.
    Answer(Box<Passed>),
}

impl Step {
    /// The session that it is about, if that is settled.
    pub(super) const fn session(&self) -> Option<SessionId> {
        match self {
            Self::SignIn(_) | Self::Choose => None,
            Self::SecondFactor(loaded) | Self::Enrol(loaded) => Some(loaded.id),
            Self::Consent(passed) | Self::Answer(passed) => Some(passed.loaded.id),
        }
    }

    /// Why the request cannot be answered without showing the person something (OpenID Connect Core section 3.1.2.6).
    pub(super) fn without_interaction(&self) -> Option<OAuthError> {
        let (code, description) = match self {
            Self::SignIn(_) => (ErrorCode::LoginRequired, "The person must sign in, which prompt none forbids."),
            Self::Choose => {
                (ErrorCode::AccountSelectionRequired, "The person must choose an account, which prompt none forbids.")
            }
            Self::SecondFactor(_) | Self::Enrol(_) => {
                return Some(needs_second_factor());
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
        browser: &Browser,
    ) -> Result<Step, OAuthError> {
        let hint = || request.login_hint.clone().unwrap_or_default();
        let picked = match self.pick(request, client, progress, people).await? {
            Pick::Ask => return Ok(Step::Choose),
            Pick::Nobody => None,
            Pick::Somebody(loaded) => Some(*loaded).filter(|loaded| self.is_hinted(request, client, &loaded.session.sub)),
        };
        let Some(loaded) = picked else { return Ok(Step::SignIn(hint())) };
        if !progress.fresh && !self.is_recent(&loaded.session, request) {
            let name = self.name_of(&loaded.session.sub).await?;
            return Ok(Step::SignIn(request.login_hint.clone().unwrap_or(name)));
        }
        let visit = Visit { request, client, browser };
        let (owed, terms) = self.balance(visit, progress, loaded.id, &loaded.session).await?;
        match owed {
            Owed::Nothing => {}
            Owed::Code => return Ok(Step::SecondFactor(Box::new(loaded))),
            // Whoever found an open browser, or came by a link, must not be able to add a factor of their own.
            Owed::Enrolment
                if !progress.fresh && (self.age_of(&loaded.session) > ENROL_WITHIN || loaded.session.parent.is_some()) =>
            {
                return Ok(Step::SignIn(self.name_of(&loaded.session.sub).await?));
            }
            Owed::Enrolment => return Ok(Step::Enrol(Box::new(loaded))),
        }
        let asks = request.prompt.consent || self.needs_consent(&loaded.session.sub, client, request).await?;
        let passed = Box::new(Passed { loaded, terms });
        Ok(if asks { Step::Consent(passed) } else { Step::Answer(passed) })
    }

    /// What the person owes in the eyes of request, settings and actions, and the terms. Actions are asked when nothing else is owed.
    ///
    /// # Errors
    /// `unmet_authentication_requirements` when they cannot give it, and those of [`Engine::judge`].
    pub(super) async fn balance(
        &self,
        visit: Visit<'_>,
        progress: &Progress,
        sid: SessionId,
        session: &Session,
    ) -> Result<(Owed, Terms), OAuthError> {
        match self.owed(visit.request, session).await? {
            Owed::Nothing => self.judge(visit, progress, sid, session).await,
            owed => Ok((owed, Terms::default())),
        }
    }

    /// Who of the people in the browser the request is about.
    async fn pick(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
        progress: &Progress,
        people: &[SignedIn],
    ) -> Result<Pick, OAuthError> {
        if let Some(id) = progress.session {
            return Ok(Pick::of(with_session(people, id)));
        }
        if progress.another {
            return Ok(Pick::Nobody);
        }
        if request.prompt.select_account && !people.is_empty() {
            return Ok(Pick::Ask);
        }
        if request.hinted_sub.is_some() {
            return Ok(Pick::of(people.iter().find(|person| self.is_hinted(request, client, &person.loaded.session.sub))));
        }
        let hinted = match &request.login_hint {
            Some(name) if !people.is_empty() => self.issuer().people().subject_of(name).await?,
            _ => None,
        };
        let found = hinted.as_ref().and_then(|sub| with_subject(people, sub));
        Ok(match people {
            _ if found.is_some() => Pick::of(found),
            // Whose name it is must sign in (OpenID Connect Core section 3.1.2.1); a name of nobody's is no hint.
            [_] if hinted.is_some() => Pick::Nobody,
            [] | [_] => Pick::of(people.first()),
            _ => Pick::Ask,
        })
    }

    /// Whether the person proved who they are as lately as the request and the settings want it.
    pub(super) fn is_recent(&self, session: &Session, request: &AuthorizationRequest) -> bool {
        let age = self.age_of(session);
        let limit = self.settings().sessions.browser_auth_lifetime;
        !request.prompt.login
            && request.max_age.is_none_or(|most| most > 0 && age <= most)
            && limit.is_none_or(|most| age < most.as_secs())
    }
}

impl Engine {
    /// Seconds since the person proved who they are.
    fn age_of(&self, session: &Session) -> u64 {
        self.clock().now().since(session.auth_time).as_secs()
    }

    /// What the person owes to be signed in as well as the request and the settings want it; [`unmet`] when they cannot give it.
    async fn owed(&self, request: &AuthorizationRequest, session: &Session) -> Result<Owed, OAuthError> {
        let settings = &self.settings().sign_in;
        let wish = request.wished_acr();
        let wanted: Vec<usize> = wish.values.iter().filter_map(|acr| settings.levels.find(acr)).map(|(place, _)| place).collect();
        if wish.essential && !wish.values.is_empty() && wanted.is_empty() {
            return Err(unmet());
        }
        let (reached, _) = settings.levels.reached(&session.amr);
        let short = !wanted.is_empty() && wanted.iter().all(|place| *place > reached);
        if session.amr.iter().any(|amr| amr == Factor::OneTimePassword.amr()) {
            return if short && wish.essential { Err(unmet()) } else { Ok(Owed::Nothing) };
        }
        // What is only welcome is no reason to refuse, and where nothing may be shown none to ask.
        let asked = short && (wish.essential || !request.prompt.none);
        if !asked && settings.second_factor == SecondFactor::OnRequest {
            return Ok(Owed::Nothing);
        }
        if self.issuer().factors().of(&session.sub).await?.any() {
            return Ok(Owed::Code);
        }
        let must = settings.second_factor == SecondFactor::Always || (asked && wish.essential);
        match (must, settings.enrolment_at_sign_in) {
            (false, _) => Ok(Owed::Nothing),
            (true, true) => Ok(Owed::Enrolment),
            (true, false) => Err(unmet()),
        }
    }

    /// The `acr` that the client is told: the one of its wishes that was reached and is the highest, else what was reached (OpenID
    /// Connect Core section 5.5.1.1).
    pub(super) fn stated_acr(&self, request: &AuthorizationRequest, session: &Session) -> String {
        let levels = &self.settings().sign_in.levels;
        let (reached, level) = levels.reached(&session.amr);
        let wish = request.wished_acr();
        let wished = wish.values.iter().filter_map(|acr| levels.find(acr)).filter(|(place, _)| *place <= reached);
        wished.max_by_key(|(place, _)| *place).map_or(level, |(_, level)| level).acr.clone()
    }
}

/// Seconds after a sign-in in which a second factor can be set up.
const ENROL_WITHIN: u64 = 600;

/// What a person owes before they are signed in well enough.
pub(super) enum Owed {
    Nothing,
    Code,
    Enrolment,
}

/// A second factor would have to be shown where nothing may be.
pub(super) fn needs_second_factor() -> OAuthError {
    OAuthError::new(ErrorCode::InteractionRequired, "The person must show a second factor, which prompt none forbids.")
}

/// Nothing that the person could show would be enough.
pub(super) fn unmet() -> OAuthError {
    let description = "The person cannot authenticate as well as the request demands.";
    OAuthError::new(ErrorCode::UnmetAuthenticationRequirements, description)
}

enum Pick {
    Somebody(Box<Loaded>),
    Nobody,
    Ask,
}

impl Pick {
    fn of(person: Option<&SignedIn>) -> Self {
        person.map_or(Self::Nobody, |person| Self::Somebody(Box::new(person.loaded.clone())))
    }
}
