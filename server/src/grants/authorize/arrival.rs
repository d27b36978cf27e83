//! A browser that brings a session transfer token: the person of a signed-in app is signed in to it, if everything fits. What does not fit
//! is never told to the web app: the sign-in page appears, and the audit log says why (sources/003, market 1.4).

use std::net::IpAddr;

use super::admission::{PARENT, Reason, UNKNOWN};
use super::browser::{SignedIn, Visit, with_session, with_subject};
use super::flow::is_final;
use super::request::AuthorizationRequest;
use super::step::{Owed, needs_second_factor};
use super::transaction::Progress;
use crate::clients::Client;
use crate::foundation::Digest;
use crate::grants::engine::Engine;
use crate::grants::parameters::Parameters;
use crate::network::Binding;
use crate::protocol::{OAuthError, Scope, names};
use crate::sessions::device::Device;
use crate::sessions::transfer::{Presented, UsedHere};
use crate::sessions::{Session, SessionKind, Transfer, TransferToken};
use crate::telemetry::{AuditEvent, codes};
use crate::tokens::session_id::SessionId;

/// A session transfer token as a browser brings it.
#[derive(Debug)]
pub struct Brought {
    /// Its digest: nothing behind this needs the token itself.
    pub token: Digest,
    /// How it came.
    pub means: Means,
}

/// How a browser brings a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// In a cookie that the app has set.
    Cookie,
    /// As a parameter of the request.
    Query,
}

impl Means {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Query => "query",
        }
    }
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Arrival {
    /// Nothing was brought that counts here: whoever is signed in is signed in.
    Nothing,
    /// This is the session of the person.
    SignedIn {
        /// Its id.
        session: SessionId,
        /// Whether the browser has it from now on.
        new: bool,
        /// Whether it begins with this request, or with the same when it came first.
        begun: bool,
        /// What the token said of its making, for those who judge the sign-in.
        transfer: Option<Box<Transfer>>,
    },
    /// Somebody must sign in, whoever is signed in.
    Refused {
        /// Whether people were signed out of the browser.
        ended: bool,
    },
    /// It cannot pass, so the person's older session stays in its place.
    Denied(OAuthError),
}

const REUSED: Reason = ("reused", "it was used before, by another browser");
const USED_UP: Reason = ("reused", "it was used before in this browser, and nobody has a session by it");
const OTHERS: Reason = ("user_mismatch", "somebody else is signed in to the browser");
const OTHERS_FROM_ANYWHERE: Reason = ("user_mismatch", "somebody else is signed in, and the token counts from anywhere");
const AGE: Reason = ("too_old", "the person signed in, here or to the app, longer ago than the request allows");
const PROMPT: Reason = ("prompt", "the request wants the person to sign in or to choose");
const METHOD: Reason = ("method_not_allowed", "the client does not take tokens that come so");

impl Engine {
    /// Signs a person in by what their browser brings, if anything of that counts for this client; says how what was tried had come. New
    /// people of the browser are put first among `people`.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn arrive(
        &self,
        visit: Visit<'_>,
        brought: &[Brought],
        people: &mut Vec<SignedIn>,
    ) -> Result<(Arrival, Option<Means>), OAuthError> {
        let rules = &visit.client.session_transfer;
        if !(rules.by_cookie || rules.by_query) {
            // To this client it is a parameter like any that it does not know; but whoever wonders finds out why.
            if brought.iter().any(|brought| brought.means == Means::Query) {
                not_taken(visit, None, METHOD, Means::Query);
            }
            return Ok((Arrival::Nothing, None));
        }
        let counts = |brought: &&Brought| match brought.means {
            Means::Cookie => rules.by_cookie,
            Means::Query => rules.by_query,
        };
        let Some(first) = brought.first() else { return Ok((Arrival::Nothing, None)) };
        let Some(brought) = brought.iter().find(counts) else {
            not_taken(visit, None, METHOD, first.means);
            // A cookie goes to every client, so it says nothing of this request; a parameter does.
            let arrival = if first.means == Means::Query { Arrival::Refused { ended: false } } else { Arrival::Nothing };
            return Ok((arrival, None));
        };
        let arrival = self.try_token(visit, brought, people).await?;
        Ok((arrival, Some(brought.means)))
    }

    async fn try_token(&self, visit: Visit<'_>, brought: &Brought, people: &mut Vec<SignedIn>) -> Result<Arrival, OAuthError> {
        let Visit { request, client, browser } = visit;
        let token = match self.transfer_tokens().present(&brought.token, Digest::of(browser.binding.expose())).await? {
            Presented::Fresh(token) => *token,
            Presented::UsedHere(used) => return self.come_again(visit, used, brought.means, people).await,
            used => {
                let reason = if matches!(used, Presented::Used) { REUSED } else { UNKNOWN };
                not_taken(visit, None, reason, brought.means);
                return Ok(Arrival::Refused { ended: false });
            }
        };
        if request.prompt.login || request.prompt.select_account {
            not_taken(visit, Some(&token.sub), PROMPT, brought.means);
            return Ok(Arrival::Nothing);
        }
        let sub = token.sub.clone();
        let reason = match self.admit(visit, token, brought.means, people).await? {
            Ok(arrival) => {
                if let Arrival::SignedIn { session, begun, .. } = arrival {
                    self.transfer_tokens().taken(&brought.token, session, begun).await?;
                }
                return Ok(arrival);
            }
            Err(reason) => reason,
        };
        not_taken(visit, Some(&sub), reason, brought.means);
        // Only what is bound to where it comes from may sign anybody out.
        let settings = &self.settings().session_transfer;
        let ended = reason == OTHERS && settings.end_other_sessions;
        if ended {
            self.sign_others_out(client, people, browser.address).await?;
        }
        Ok(Arrival::Refused { ended })
    }

    /// A page that is loaded again: its person is who it was then, or nobody, and the token counts as much as it would have.
    async fn come_again(
        &self,
        visit: Visit<'_>,
        used: UsedHere,
        means: Means,
        people: &[SignedIn],
    ) -> Result<Arrival, OAuthError> {
        let UsedHere { token, session, begun } = used;
        let request = visit.request;
        if request.prompt.login || request.prompt.select_account {
            not_taken(visit, Some(&token.sub), PROMPT, means);
            return Ok(Arrival::Nothing);
        }
        let Some(person) = session.and_then(|session| with_session(people, session)) else {
            not_taken(visit, Some(&token.sub), USED_UP, means);
            return Ok(Arrival::Refused { ended: false });
        };
        let reason = match self.check_token(visit, &token).await? {
            Err(reason) => reason,
            Ok(_) if !self.is_recent(&person.loaded.session, request) => AGE,
            Ok(_) => {
                let transfer = token.made().cloned().map(Box::new);
                return Ok(Arrival::SignedIn { session: person.loaded.id, new: false, begun, transfer });
            }
        };
        not_taken(visit, Some(&token.sub), reason, means);
        Ok(Arrival::Refused { ended: false })
    }

    /// The one place where a token becomes a session.
    async fn admit(
        &self,
        visit: Visit<'_>,
        token: TransferToken,
        means: Means,
        people: &mut Vec<SignedIn>,
    ) -> Result<Result<Arrival, Reason>, OAuthError> {
        let Visit { request, client, browser } = visit;
        let Some(made) = token.made().cloned() else { return Ok(Err(UNKNOWN)) };
        let bound = match self.check_token(visit, &token).await? {
            Ok(bound) => bound,
            Err(reason) => return Ok(Err(reason)),
        };
        let (sub, address) = (token.sub.clone(), browser.address);
        let detail = format!("from {} by {}; bound by: {bound}", made.client_id, means.as_str());
        let event = AuditEvent::granted(codes::TRANSFERRED).client_id(&client.id).subject(&sub).address(address).detail(&detail);
        match with_subject(people, &sub).map(|own| &own.loaded) {
            None if people.is_empty() => {}
            None => return Ok(Err(if bound >= Binding::Prefix { OTHERS } else { OTHERS_FROM_ANYWHERE })),
            Some(own) if self.is_recent(&own.session, request) => {
                event.sid(&own.id).emit();
                let transfer = Some(Box::new(made));
                return Ok(Ok(Arrival::SignedIn { session: own.id, new: false, begun: false, transfer }));
            }
            // Their own session is theirs: what a token brings must not make it younger, else it would leave the tree in which that grew.
            Some(own) if own.session.parent.is_none() => return Ok(Err(AGE)),
            Some(_) => {}
        }
        let now = self.clock().now();
        let begun =
            Session::begin(SessionKind::Browser, token.sub, token.authentication, &self.settings().sessions.transferred, now);
        let until = token.parent.until;
        let mut session = Session {
            device: Device::only_described(&Device::described(&browser.user_agent)),
            parent: Some(Box::new(if client.session_transfer.cascade { token.parent.cascading() } else { token.parent })),
            ..begun
        };
        session.end_by(until);
        if !self.is_recent(&session, request) {
            return Ok(Err(AGE));
        }
        let (id, ended) = (SessionId::new(self.clock()), AuditEvent::granted(codes::SESSION_ENDED).client_id(&client.id));
        let own = people.iter().position(|other| other.loaded.session.sub == sub);
        // What they have here ends with all that grew from it: not for a sign-in that nobody will let pass.
        if own.is_some() {
            let progress = Progress { transfer: Some(Box::new(made.clone())), ..Progress::default() };
            match self.balance(visit, &progress, id, &session).await {
                Err(error) if is_final(&error) => return Ok(Ok(Arrival::Denied(error))),
                Ok((Owed::Code | Owed::Enrolment, _)) if request.prompt.none => {
                    return Ok(Ok(Arrival::Denied(needs_second_factor())));
                }
                owed => owed.map(drop)?,
            }
        }
        let own = own.map(|at| people.remove(at));
        let put = self.put_in_browser(own, id, session, ended.address(address)).await?;
        // What it grew from may have ended while it was written.
        let Some(loaded) = self.sessions().find(put.handle.session).await? else {
            self.sessions().end(put.handle.session).await?;
            return Ok(Err(PARENT));
        };
        let id = loaded.id;
        people.insert(0, SignedIn { handle: put.handle, loaded });
        if put.new {
            let started = AuditEvent::granted(codes::BROWSER_SESSION_STARTED).client_id(&client.id);
            started.subject(&sub).sid(&id).address(address).emit();
        }
        event.sid(&id).emit();
        Ok(Ok(Arrival::SignedIn { session: id, new: true, begun: put.new, transfer: Some(Box::new(made)) }))
    }

    /// What of the requested scope goes out in a session: where a token began it no refresh token unless the client may have one
    /// (`allow_refresh_token`), and no device secret, from which more could grow. The app is not refused for asking.
    pub(super) async fn within_transfer(&self, request: &AuthorizationRequest, session: &Session) -> Result<Scope, OAuthError> {
        if session.parent.is_none() {
            return Ok(request.scope.clone());
        }
        let may_refresh = self.client_of(request).await?.session_transfer.allow_refresh_token;
        let goes_out = |value: &&str| *value != names::DEVICE_SSO && (may_refresh || *value != names::OFFLINE_ACCESS);
        Ok(request.scope.iter().filter(goes_out).collect())
    }

    async fn sign_others_out(
        &self,
        client: &Client,
        people: &mut Vec<SignedIn>,
        address: Option<IpAddr>,
    ) -> Result<(), OAuthError> {
        for person in std::mem::take(people) {
            let id = person.loaded.id;
            if let Some(session) = self.sessions().end(id).await? {
                let event = AuditEvent::granted(codes::SESSION_ENDED).client_id(&client.id).subject(&session.sub).sid(&id);
                event.address(address).detail("another person came by a session transfer token").emit();
            }
        }
        Ok(())
    }
}

/// What a token is called among the parameters of a request.
pub const PARAMETERS: [&str; 2] = ["session_transfer_token", "interclient_token"];

/// The token among the parameters of a request.
#[must_use]
pub fn brought_by(parameters: &Parameters) -> Option<Brought> {
    let token = PARAMETERS.into_iter().find_map(|name| parameters.get(name))?;
    Some(Brought { token: Digest::of(token), means: Means::Query })
}

/// Says why a token was not taken. Whoever brought it is told nothing.
fn not_taken(visit: Visit<'_>, sub: Option<&str>, reason: Reason, means: Means) {
    let Visit { client, browser, .. } = visit;
    let detail = format!("{}; by {}", reason.1, means.as_str());
    let event = AuditEvent::refused(codes::TRANSFER_NOT_TAKEN).client_id(&client.id).address(browser.address);
    let event = event.reason(reason.0).detail(&detail);
    sub.map_or(event, |sub| event.subject(sub)).emit();
}
