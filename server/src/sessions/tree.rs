//! What grew from a session: whether it is still carried, who takes part in it, and that it ends with what it grew from. A session whose parent is
//! gone is dead at once, because whoever reads it looks; ending it besides is for those who are to be told.

use std::time::Duration;

use super::notice::Participant;
use super::parent::{Follows, Parent};
use super::record::{Session, SessionKind, TOUCH_EVERY};
use super::registry::{Change, Loaded, Sessions};
use crate::foundation::Timestamp;
use crate::storage::StorageError;
use crate::telemetry::{AuditEvent, codes};
use crate::tokens::session_id::SessionId;

/// The longest way up: refresh token, web session, app. One more than there can be.
const DEPTH: usize = 4;

impl Sessions {
    /// Whether everything above a session that it needs is there.
    pub(super) async fn is_carried(&self, session: &Session) -> Result<bool, StorageError> {
        let (mut parent, mut since) = (session.parent.clone(), session.created);
        for _ in 0..DEPTH {
            let Some(edge) = parent else { return Ok(true) };
            let above = self.read(edge.session).await?.map(|above| above.session);
            if !edge.carries(above.as_deref(), since, self.now()) || !self.knows_origin(&edge, above.as_deref(), since).await? {
                return Ok(false);
            }
            since = above.as_ref().map_or(since, |above| above.created);
            parent = above.and_then(|above| above.parent);
        }
        Ok(false)
    }

    /// Whether the app that had the token made is the client that it was: what was issued to one that was deleted has ended.
    async fn knows_origin(&self, edge: &Parent, above: Option<&Session>, since: Timestamp) -> Result<bool, StorageError> {
        let (Follows::App, Some(transfer), Some(notices)) = (edge.follows, &edge.transfer, self.notices()) else {
            return Ok(true);
        };
        let issued = above.and_then(|above| above.grant_named(edge.grant.as_ref()?)).map_or(since, |grant| grant.issued);
        notices.client_stood_at(&transfer.client_id, issued).await
    }

    /// The clients that take part in a session, and in what grew from it. With a browser session end also the sign-ins that offline sessions
    /// came from, though not these themselves (Back-Channel Logout section 2.7); a device is signed in by itself.
    pub(super) async fn participants(&self, loaded: &Loaded) -> Result<Vec<Participant>, StorageError> {
        let mut participants: Vec<Participant> = Participant::of(loaded.id, &loaded.session).collect();
        let is_browser = loaded.session.kind == SessionKind::Browser;
        if !is_browser && !loaded.session.grown {
            return Ok(participants);
        }
        let all = self.all_of(&loaded.session.sub).await?;
        let grown = grown_from(&all, loaded.id);
        for other in &all {
            let came = is_browser && other.session.kind == SessionKind::Offline && other.session.browser == Some(loaded.id);
            if came || grown.contains(&other.id) {
                participants.extend(Participant::of(other.id, &other.session));
            }
        }
        Ok(participants)
    }

    /// Notes that a session was used, because what grew from it was. One that is gone is nobody's business here.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn touch(&self, id: SessionId) -> Result<(), StorageError> {
        self.update(id, |session, now| {
            let within = session.max_idle.map_or(TOUCH_EVERY, |idle| TOUCH_EVERY.min(Duration::from_secs(idle / 10)));
            if now.since(session.last_used) < within {
                return Change::Keep(());
            }
            session.last_used = now;
            Change::Write(())
        })
        .await
        .map(drop)
    }

    /// Ends what grew from a session that goes on, as far as that does not carry it any more, and tells the clients.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_uncarried(&self, id: SessionId, sub: &str) -> Result<(), StorageError> {
        for other in self.all_of(sub).await? {
            let hangs = other.session.parent.as_ref().is_some_and(|parent| parent.hangs_on(id));
            if hangs && !self.is_carried(&other.session).await? && Box::pin(self.end(other.id)).await?.is_some() {
                tell_of_end(other.id, sub);
            }
        }
        Ok(())
    }

    /// Forgets what grew from a session that has ended. Its clients were announced with those of the session itself.
    pub(super) async fn forget_grown(&self, id: SessionId, sub: &str) -> Result<(), StorageError> {
        let all = self.all_of(sub).await?;
        for grown in grown_from(&all, id) {
            if self.forget(grown, sub).await?.is_some() {
                tell_of_end(grown, sub);
            }
        }
        Ok(())
    }

    /// The sessions of a person that have not expired, whatever became of what they grew from.
    async fn all_of(&self, sub: &str) -> Result<Vec<Loaded>, StorageError> {
        let mut found = Vec::new();
        for id in self.entries(sub).await? {
            found.extend(self.read(id).await?);
        }
        Ok(found)
    }
}

/// Writes down that a session has ended with what it grew from. Of that whoever ended it tells.
fn tell_of_end(id: SessionId, sub: &str) {
    AuditEvent::granted(codes::SESSION_ENDED_WITH_ITS_ORIGIN).subject(sub).sid(&id).emit();
}

/// Everything among these that hangs on a session, at whatever remove.
fn grown_from(all: &[Loaded], id: SessionId) -> Vec<SessionId> {
    let mut found = Vec::new();
    let mut next = vec![id];
    while let Some(above) = next.pop() {
        for other in all {
            let hangs = other.session.parent.as_ref().is_some_and(|parent| parent.hangs_on(above));
            if hangs && !found.contains(&other.id) {
                found.push(other.id);
                next.push(other.id);
            }
        }
    }
    found
}
