//! Sign-out (OpenID Connect RP-Initiated Logout 1.0): of the session that an ID token names, and of the browser's; and how the
//! other clients of a session learn of its end.

pub mod back_channel;
pub mod session_state;

use std::collections::BTreeSet;
use std::net::IpAddr;

use url::Url;

use super::authorize::Browser;
use super::engine::Engine;
use super::parameters::Parameters;
use crate::issuance::id_token::{self, IdTokenClaims};
use crate::protocol::OAuthError;
use crate::sessions::{Participant, SessionKind};
use crate::settings::meaning::OfflineAccess;
use crate::storage::StorageError;
use crate::telemetry::{AuditEvent, codes};
use crate::tokens::session_id::SessionId;

/// What came of a logout request.
#[derive(Debug)]
pub enum Logout {
    /// Ask the person first: nobody vouched for the request, or somebody vouched for another person.
    Confirm,
    /// Done.
    Done(Departure),
}

/// What is left to do for the browser.
#[derive(Debug, Default)]
pub struct Departure {
    /// The pages of clients that it must load (Front-Channel Logout section 2), each once.
    pub frames: BTreeSet<Url>,
    /// Where to go then; none = say that it is done.
    pub to: Option<String>,
}

/// A sign-out under way.
#[derive(Debug)]
pub(super) struct SigningOut<'a> {
    event: AuditEvent<'a>,
    /// Who took part in what has ended.
    participants: BTreeSet<Participant>,
    /// What has ended.
    pub(super) ended: Vec<SessionId>,
}

impl<'a> SigningOut<'a> {
    /// One of which nothing has ended yet; each session that does is an event like this one.
    pub(super) const fn begin(event: AuditEvent<'a>) -> Self {
        Self { event, participants: BTreeSet::new(), ended: Vec::new() }
    }
}

impl Engine {
    /// Reads an ID token that this server issued before; it may have expired. `None` = it is none of ours.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn verify_id_token_hint(&self, hint: &str) -> Result<Option<IdTokenClaims>, StorageError> {
        let Ok(verified) = self.issuer().keys().recognise::<IdTokenClaims>(hint).await? else { return Ok(None) };
        let own = verified.typ.as_deref() == Some(id_token::TYP) && verified.claims.iss == self.settings().server.issuer.text;
        Ok(own.then_some(verified.claims))
    }

    /// Processes a logout request. With an `id_token_hint` the app vouches for it, which needs no browser at all; otherwise, and
    /// when it names nobody whom the browser knows, the person must have `confirmed`. Every session that ended is audited.
    ///
    /// # Errors
    /// `invalid_request` when hint, client or redirect URI do not fit together; then nothing is signed out.
    pub async fn log_out(
        &self,
        parameters: &Parameters,
        browser: &Browser,
        confirmed: bool,
        address: Option<IpAddr>,
    ) -> Result<Logout, OAuthError> {
        let hint = match parameters.get("id_token_hint") {
            None => None,
            Some(text) => Some(self.read_id_token_hint(text).await?),
        };
        let named = parameters.get("client_id");
        let vouched = hint.as_ref().and_then(IdTokenClaims::client_id);
        if let (Some(named), Some(vouched)) = (named, vouched)
            && named != vouched
        {
            return Err(OAuthError::invalid_request("client_id is not the client of the id_token_hint."));
        }
        let to = self.logout_redirect(parameters, named.or(vouched)).await?;
        let mut people = Vec::new();
        for person in self.signed_in(browser).await? {
            let is_theirs = match &hint {
                Some(claims) => self.hint_names(claims, &person.loaded.session.sub).await?,
                None => false,
            };
            people.push((person, is_theirs));
        }
        // RP-Initiated Logout section 2: an app whose person is not the browser's must not sign out somebody else unasked.
        let speaks_for_them = hint.is_some() && (people.is_empty() || people.iter().any(|(_, is_theirs)| *is_theirs));
        if !speaks_for_them && !confirmed {
            return Ok(Logout::Confirm);
        }
        let event = AuditEvent::granted(codes::SESSION_ENDED).address(address).detail("logout");
        // Without a hint a person came by themselves, whatever app the browser was sent by.
        let event = vouched.map_or(event, |client_id| event.client_id(client_id));
        let mut leaving = SigningOut::begin(event);
        if let Some(claims) = &hint
            && let Some(sid) = claims.sid
        {
            self.end_with_browser(sid, claims, &mut leaving).await?;
        }
        // The browser's own sessions end too, those of other people than the hint's excepted unless the person said so.
        for (person, is_theirs) in people {
            if !speaks_for_them || is_theirs {
                self.end_browser(person.loaded.id, &mut leaving).await?;
            }
        }
        self.settle_browser(browser).await?;
        Ok(Logout::Done(Departure { frames: self.frames(&leaving.participants).await?, to }))
    }

    /// Ends the session of an ID token's person, and the browser session in which it was granted.
    async fn end_with_browser(
        &self,
        sid: SessionId,
        hint: &IdTokenClaims,
        leaving: &mut SigningOut<'_>,
    ) -> Result<(), OAuthError> {
        let Some(loaded) = self.sessions().find(sid).await? else { return Ok(self.sessions().settle(sid).await?) };
        if !self.hint_names(hint, &loaded.session.sub).await? {
            return Ok(self.sessions().settle(sid).await?);
        }
        if loaded.session.kind == SessionKind::Browser {
            return self.end_browser(sid, leaving).await;
        }
        self.end_for(sid, leaving).await?;
        match loaded.session.browser {
            Some(browser) => self.end_browser(browser, leaving).await,
            None => Ok(()),
        }
    }

    /// Ends a browser session, and what grew out of it if the operator wants it so.
    pub(super) async fn end_browser(&self, sid: SessionId, leaving: &mut SigningOut<'_>) -> Result<(), OAuthError> {
        let Some(loaded) = self.sessions().find(sid).await? else { return Ok(self.sessions().settle(sid).await?) };
        self.end_for(sid, leaving).await?;
        if self.settings().sessions.offline_access == OfflineAccess::End {
            for grown in self.sessions().of_subject(&loaded.session.sub).await? {
                if grown.session.browser == Some(sid) {
                    self.end_for(grown.id, leaving).await?;
                }
            }
        }
        Ok(())
    }

    /// Ends one session and writes the event, unless it had ended before.
    pub(super) async fn end_for(&self, sid: SessionId, leaving: &mut SigningOut<'_>) -> Result<(), OAuthError> {
        if let Some(ended) = self.sessions().end_of(sid).await? {
            leaving.event.subject(&ended.session.sub).sid(&sid).emit();
            leaving.participants.extend(ended.participants);
            leaving.ended.push(sid);
        }
        Ok(())
    }

    /// The pages that the browser must load for these clients.
    async fn frames(&self, participants: &BTreeSet<Participant>) -> Result<BTreeSet<Url>, OAuthError> {
        let issuer = &self.settings().server.issuer.text;
        let mut frames = BTreeSet::new();
        for Participant { client_id, sid } in participants {
            let client = self.clients().find(client_id).await?;
            frames.extend(client.and_then(|client| client.logout.frame(issuer, &sid.to_string())));
        }
        Ok(frames)
    }

    async fn logout_redirect(&self, parameters: &Parameters, client_id: Option<&str>) -> Result<Option<String>, OAuthError> {
        let Some(uri) = parameters.get("post_logout_redirect_uri") else { return Ok(None) };
        let client = match client_id {
            Some(id) => self.clients().find(id).await?,
            None => None,
        };
        let client = client
            .ok_or_else(|| OAuthError::invalid_request("A post_logout_redirect_uri needs an id_token_hint or a client_id."))?;
        if !client.post_logout_redirect_uri_matches(uri) {
            return Err(OAuthError::invalid_request("The post_logout_redirect_uri is not registered for this client."));
        }
        Ok(Some(match parameters.get("state") {
            None => uri.to_owned(),
            Some(state) => {
                let joint = if uri.contains('?') { '&' } else { '?' };
                let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
                format!("{uri}{joint}{query}")
            }
        }))
    }
}
