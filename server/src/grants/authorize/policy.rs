//! Post-login actions in the way of an authorization request: asked when the person is signed in as well as request and settings want it, and
//! before they are asked to agree. Knows what a judgement means for the request; how actions are asked is the business of `issuance`.

use std::net::IpAddr;

use super::browser::Visit;
use super::step::{Owed, unmet};
use super::transaction::Progress;
use crate::clients::Client;
use crate::grants::engine::Engine;
use crate::issuance::action::{Judgement, RequestContext, SignInFacts, Unjudged};
use crate::network::Place;
use crate::protocol::OAuthError;
use crate::sessions::{Change, Loaded, Session, Terms};
use crate::settings::meaning::Factor;
use crate::telemetry::{AuditEvent, codes};
use crate::tokens::session_id::SessionId;

/// A person who may be answered for, and on what terms.
#[derive(Debug)]
pub(super) struct Passed {
    /// Their browser session.
    pub(super) loaded: Loaded,
    /// What actions make of the sign-in.
    pub(super) terms: Terms,
}

impl Engine {
    /// Asks the actions; gives what the person still owes, and the terms.
    ///
    /// # Errors
    /// `access_denied` with the reason of the action that denied, `server_error` or `temporarily_unavailable` when one failed, and [`unmet`]: for
    /// the client, wherever its request has come.
    pub(super) async fn judge(
        &self,
        visit: Visit<'_>,
        progress: &Progress,
        sid: SessionId,
        session: &Session,
    ) -> Result<(Owed, Terms), OAuthError> {
        let Visit { request, client, browser } = visit;
        if !self.handlers().judges() {
            return Ok((Owed::Nothing, Terms::default()));
        }
        let person = self.issuer().people().find_by_sub(&session.sub).await?;
        // Where a token was made is said at every sign-in in the session that it began: it is not the person that was authenticated there.
        let began = session.parent.as_deref().and_then(|parent| parent.transfer.as_ref());
        let transfer = progress.transfer.as_deref().or(began);
        let made = transfer.map(|transfer| {
            let made = &transfer.context;
            let context = self.whereabouts(made.address, &made.user_agent);
            // Databases may have changed since.
            let asn = made.asn.or(context.place.asn);
            RequestContext { place: Place { asn, ..context.place }, ..context }
        });
        let now = self.clock().now();
        let facts = SignInFacts {
            now,
            claims: &person.map(|person| person.claims).unwrap_or_default(),
            client,
            sid,
            session,
            scope: &request.scope,
            acr_values: &request.wished_acr().values,
            prompt: &request.prompt.words(),
            request: &self.whereabouts(browser.address, &browser.user_agent),
            transfer: transfer.zip(made.as_ref()),
        };
        let judged = self.handlers().judge(facts, self.settings()).await;
        let judgement = match judged {
            Ok(judgement) => judgement,
            Err(unjudged) => {
                let unwanted = unjudged.denied && progress.begun;
                let error = report(unjudged, visit, sid, &session.sub);
                if unwanted {
                    self.end_unused(sid, client).await?;
                }
                return Err(error);
            }
        };
        let owed = self.owed_by(&judgement, session).await?;
        let Judgement { id_token_claims, access_token_data, session_lifetime, .. } = judgement;
        let session_ends = session_lifetime.map(|lifetime| now.plus(lifetime));
        Ok((owed, Terms { id_token_claims, access_token_data, session_ends }))
    }

    /// Ends the session that a token began in this very request: while it stayed, the person would be denied wherever they go, and no sign-in
    /// page would appear at which they could come by themselves.
    async fn end_unused(&self, sid: SessionId, client: &Client) -> Result<(), OAuthError> {
        let ended = self.sessions().update(sid, |session, _| {
            // While the action thought, another tab may have used it, or its person may have signed in anew there.
            let is_used = session.grown || !session.apps.is_empty() || session.last_used != session.created;
            if session.parent.is_none() || is_used { Change::Keep(None) } else { Change::End(Some(session.sub.clone())) }
        });
        if let Some(sub) = ended.await?.flatten() {
            let event = AuditEvent::granted(codes::SESSION_ENDED).client_id(&client.id).subject(&sub).sid(&sid);
            event.detail("begun by a session transfer token, and denied by an action").emit();
        }
        Ok(())
    }

    /// Where that is.
    fn whereabouts(&self, address: Option<IpAddr>, user_agent: &str) -> RequestContext {
        let place = address.map(|address| self.networks().look_up(address)).unwrap_or_default();
        RequestContext { ip: address, user_agent: user_agent.to_owned(), place }
    }

    /// What the person must still show before the judgement holds.
    async fn owed_by(&self, judgement: &Judgement, session: &Session) -> Result<Owed, OAuthError> {
        let settings = &self.settings().sign_in;
        let (reached, _) = settings.levels.reached(&session.amr);
        let shown = session.amr.iter().any(|amr| amr == Factor::OneTimePassword.amr());
        let mut wanted = judgement.acr_values.iter().filter_map(|acr| settings.levels.find(acr));
        let short = wanted.any(|(place, _)| place > reached);
        if !short && (shown || !judgement.second_factor) {
            return Ok(Owed::Nothing);
        }
        if shown {
            return Err(unmet());
        }
        if self.issuer().factors().of(&session.sub).await?.any() {
            return Ok(Owed::Code);
        }
        if settings.enrolment_at_sign_in { Ok(Owed::Enrolment) } else { Err(unmet()) }
    }
}

/// Writes down why somebody is not signed in; gives what the client is told.
fn report(unjudged: Unjudged, visit: Visit<'_>, sid: SessionId, sub: &str) -> OAuthError {
    let Unjudged { action, denied, error } = unjudged;
    let code = if denied { codes::SIGN_IN_DENIED } else { codes::SIGN_IN_NOT_JUDGED };
    let reason = error.cause.as_deref().unwrap_or(&error.description);
    let event = AuditEvent::refused(code).client_id(&visit.client.id).subject(sub).sid(&sid);
    event.address(visit.browser.address).handler(&action).reason(reason).emit();
    OAuthError { is_final: true, ..*error }
}
