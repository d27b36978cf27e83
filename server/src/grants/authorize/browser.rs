//! Who is signed in to a browser: one session for each person, found by the handles in its cookies. Must not know HTTP: what the cookies
//! are called and how they are written.

use std::net::IpAddr;
use std::time::Duration;

use super::request::AuthorizationRequest;
use crate::clients::Client;
use crate::foundation::{Digest, Secret};
use crate::grants::engine::Engine;
use crate::grants::logout::session_state::{StateCookie, browser_state, session_state};
use crate::protocol::OAuthError;
use crate::sessions::{Loaded, SessionKind};
use crate::storage::StorageError;
use crate::telemetry::AuditEvent;
use crate::tokens::handle::{HandleKind, SessionHandle};
use crate::tokens::session_id::SessionId;

/// More handles than these in one cookie are nobody's.
const MAX_HANDLES: usize = 64;
/// Stands between the handles of one cookie; no handle has it.
const BETWEEN: char = '.';
/// How long a browser is asked to keep what has no end of its own: as long as any browser does (RFC 6265bis section 5.5).
const LONGEST: Duration = Duration::from_hours(400 * 24);

/// What a browser brings along.
#[derive(Debug)]
pub struct Browser {
    /// The binding cookie that every browser is given at its first page.
    pub binding: Secret<String>,
    /// The cookie with the handles of sessions that end with the browser.
    pub sessions: Option<Secret<String>>,
    /// The one with those that outlive it.
    pub kept: Option<Secret<String>>,
    /// The one that a script may see.
    pub state: Option<Secret<String>>,
    /// What it says it is.
    pub user_agent: String,
    /// Where it is.
    pub address: Option<IpAddr>,
}

/// Who comes where: the client that is asked for, by which request, in which browser.
#[derive(Clone, Copy)]
pub(super) struct Visit<'a> {
    pub(super) request: &'a AuthorizationRequest,
    pub(super) client: &'a Client,
    pub(super) browser: &'a Browser,
}

/// A person who is signed in to a browser.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// What the browser holds.
    pub handle: SessionHandle,
    /// The session.
    pub loaded: Loaded,
}

/// The cookies that a browser shall have from now on.
#[derive(Debug)]
pub struct Cookies {
    /// Until it is closed; none: the cookie goes.
    pub sessions: Option<Secret<String>>,
    /// Kept, and how long.
    pub kept: Option<(Secret<String>, Duration)>,
    /// What a script may see of it.
    pub state: Option<StateCookie>,
}

impl Browser {
    fn handles(&self) -> Vec<SessionHandle> {
        let texts = [&self.sessions, &self.kept].into_iter().flatten().flat_map(|cookie| cookie.expose().split(BETWEEN));
        let mut handles: Vec<SessionHandle> = Vec::new();
        for handle in texts.take(MAX_HANDLES).filter_map(|text| SessionHandle::parse(HandleKind::SessionCookie, text)) {
            if handles.iter().all(|other| other.session != handle.session) {
                handles.push(handle);
            }
        }
        handles
    }
}

impl Engine {
    /// The people signed in to a browser, who last did something first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn signed_in(&self, browser: &Browser) -> Result<Vec<SignedIn>, StorageError> {
        let mut people = Vec::new();
        for handle in browser.handles() {
            let Some(loaded) = self.sessions().find(handle.session).await? else { continue };
            let digest = Some(Digest::of(handle.secret.expose()));
            if loaded.session.kind == SessionKind::Browser && loaded.session.cookie == digest {
                people.push(SignedIn { handle, loaded });
            }
        }
        people.sort_by_key(|person| std::cmp::Reverse(person.loaded.session.last_used));
        Ok(people)
    }

    /// Waits until it holds for good that the other sessions of a browser have ended.
    ///
    /// # Errors
    /// When the store fails, or may still lose it.
    pub(in crate::grants) async fn settle_browser(&self, browser: &Browser) -> Result<(), StorageError> {
        for handle in browser.handles() {
            self.sessions().settle(handle.session).await?;
        }
        Ok(())
    }

    /// The cookies for these people.
    #[must_use]
    pub fn cookies(&self, people: &[SignedIn]) -> Cookies {
        let joined = |kept: bool| {
            let own = people.iter().filter(|person| person.loaded.session.kept == kept);
            let mut text = String::new();
            for person in own {
                if !text.is_empty() {
                    text.push(BETWEEN);
                }
                text.push_str(person.handle.to_text().expose());
            }
            Some(Secret::new(text)).filter(|text| !text.expose().is_empty())
        };
        Cookies { sessions: joined(false), kept: joined(true).zip(self.longest(people)), state: self.state_cookie(people) }
    }

    /// How long a browser is to keep what outlives it; `None` when nothing does.
    fn longest(&self, people: &[SignedIn]) -> Option<Duration> {
        let now = self.clock().now();
        let ends = people.iter().filter(|person| person.loaded.session.kept);
        ends.map(|person| person.loaded.session.ends_at_latest().map_or(LONGEST, |end| end.since(now).min(LONGEST))).max()
    }

    fn state_cookie(&self, people: &[SignedIn]) -> Option<StateCookie> {
        browser_state(people).map(|state| (Secret::new(state), self.longest(people)))
    }

    /// `session_state` of an answer to a page of that origin (Session Management section 2), and the cookie that goes with it if the
    /// browser does not have it yet.
    pub(super) fn show_state(
        &self,
        client_id: &str,
        origin: &str,
        people: &[SignedIn],
        browser: &Browser,
    ) -> (String, Option<StateCookie>) {
        let cookie = self.state_cookie(people);
        let shown = cookie.as_ref().map_or("", |(state, _)| state.expose());
        let brought = browser.state.as_ref().map_or("", |state| state.expose());
        let state = session_state(client_id, origin, shown);
        (state, cookie.filter(|(state, _)| state.expose() != brought))
    }

    /// Makes room for one more person: those who did nothing for the longest are signed out of the browser.
    pub(super) async fn make_room(&self, people: &mut Vec<SignedIn>, event: AuditEvent<'_>) -> Result<(), OAuthError> {
        let most = self.settings().sessions.browser_accounts;
        while people.len() > most {
            let Some(last) = people.pop() else { break };
            if let Some(session) = self.sessions().end(last.loaded.id).await? {
                event.subject(&session.sub).sid(&last.loaded.id).detail("another person signed in").emit();
            }
        }
        Ok(())
    }
}

/// The one whose session that is.
#[must_use]
pub(super) fn with_session(people: &[SignedIn], id: SessionId) -> Option<&SignedIn> {
    people.iter().find(|person| person.loaded.id == id)
}

/// The one who is that subject.
#[must_use]
pub(super) fn with_subject<'a>(people: &'a [SignedIn], sub: &str) -> Option<&'a SignedIn> {
    people.iter().find(|person| person.loaded.session.sub == sub)
}
