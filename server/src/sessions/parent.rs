//! The tree of sessions: what grew from another session, and ends with it. A web session that a session transfer token began hangs on the
//! app that had the token made; a refresh token of that web session hangs on the web session. Owns who hangs on whom.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::record::{Grant, GrantId, Session};
use crate::foundation::Timestamp;
use crate::protocol::Scope;
use crate::tokens::session_id::SessionId;

/// What a session grew from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The session above.
    pub session: SessionId,
    /// The grant in it with the refresh token of the app. None: the app had none, and counts as signed in there with whatever grant it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// What of that it needs to live.
    pub follows: Follows,
    /// When the session above ends at the latest: nothing below it lives longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The session transfer token that began it, for those who judge a sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
}

/// What of its parent a session needs to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Follows {
    /// The session, and that the app that had the token made is signed in there still: by the grant that is named, else by any.
    #[serde(rename = "grant")]
    App,
    /// The session.
    Session,
    /// Neither: its origin is remembered, and no more.
    Nothing,
}

/// What a session transfer token said of its making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The app that had it made.
    pub client_id: String,
    /// What that app was granted.
    pub scope: Scope,
    /// Where it was made.
    pub context: RequestContext,
}

/// Where a request came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestContext {
    /// The client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The autonomous system that the address belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// What it says it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
}

impl RequestContext {
    /// Longer texts are cut: a stranger's words stand in every copy of the session.
    const MAX_USER_AGENT: usize = 256;

    /// The context of a request.
    #[must_use]
    pub fn new(address: Option<IpAddr>, asn: Option<u32>, user_agent: &str) -> Self {
        Self { address, asn, user_agent: user_agent.chars().take(Self::MAX_USER_AGENT).collect() }
    }
}

impl Parent {
    /// The same, ending with the app's sign-in whatever it followed (`enforce_cascade_revocation`).
    #[must_use]
    pub fn cascading(self) -> Self {
        Self { follows: Follows::App, ..self }
    }

    /// Whether what grew from it at `since` stands at `now`, given the session above as it is then.
    #[must_use]
    pub(super) fn carries(&self, above: Option<&Session>, since: Timestamp, now: Timestamp) -> bool {
        match (self.follows, above) {
            (Follows::Nothing, _) | (Follows::Session, Some(_)) => true,
            (_, None) => false,
            (Follows::App, Some(above)) => self.stands_in(above, since, now),
        }
    }

    /// Whether the app that had the token made is signed in there at `now` and has been all the time: a grant whose refresh token is dead
    /// carries nobody, nor does an app that was signed out and has come again.
    #[must_use]
    pub fn stands_in(&self, above: &Session, since: Timestamp, now: Timestamp) -> bool {
        let lives = |grant: &Grant| grant.is_alive(now);
        let app = self.transfer.as_ref().and_then(|transfer| above.apps.get(&transfer.client_id));
        match &self.grant {
            Some(grant) => above.grant_named(grant).is_some_and(lives),
            None => app.is_some_and(|app| app.first_used <= since && app.grants.iter().any(lives)),
        }
    }

    /// Whether it hangs on that session.
    pub(super) fn hangs_on(&self, session: SessionId) -> bool {
        self.session == session && self.follows != Follows::Nothing
    }
}
