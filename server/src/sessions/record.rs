//! The session record: who, how authenticated, on what device, and what each app was granted.
//!
//! Everything that must change together is in here, so that one compare-and-swap of one key is enough for a refresh,
//! an exchange or a revocation, and deleting the record ends every app, refresh token and secret at once.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::device::Device;
use super::parent::Parent;
use super::refresh::Refresh;
use crate::clients::Client;
use crate::clients::sharing::Ceiling;
use crate::foundation::{Digest, Timestamp, encoding};
use crate::protocol::Scope;
use crate::settings::meaning::{AccessTokenFormat, SessionLimits};
use crate::storage::Kind;
use crate::tokens::Confirmation;
use crate::tokens::session_id::SessionId;

/// The record format of a session that the release before could have made: `MessagePack` with named members. Older ones are read
/// (1 was the same members in JSON); newer ones are refused.
pub const FORMAT: u8 = Kind::Session.written();

/// The format of a session with a member that the release before does not know and would drop: it must leave it alone.
pub const FORMAT_WITH_MORE: u8 = 3;

/// The most grants kept for one app in one session, those that are over not counted. Every grant makes each later write of
/// the session larger, and an app that keeps its refresh token needs one. [`Session::add_grant`] says which one goes.
pub const MAX_GRANTS_OF_APP: usize = 8;

/// "Last used" of a refresh token that does not rotate is written at most this often.
pub const TOUCH_EVERY: Duration = Duration::from_mins(1);

/// What a session stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A signed-in device whose apps share the sign-in (Native SSO).
    Device,
    /// A signed-in browser.
    Browser,
    /// The grant behind one app's refresh token (`offline_access` without `device_sso`).
    Offline,
}

/// One session, as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// Format of the record.
    pub v: u8,
    /// What the session stands for.
    pub kind: SessionKind,
    /// The person.
    pub sub: String,
    /// When the person last proved who they are.
    pub auth_time: Timestamp,
    /// How well (`acr` of OpenID Connect Core section 2).
    pub acr: String,
    /// By what means (`amr`, RFC 8176).
    pub amr: Vec<String>,
    /// When the session began.
    pub created: Timestamp,
    /// The last token request (device, offline) or authorization (browser).
    pub last_used: Timestamp,
    /// When it ends whatever happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// How long it lives without use, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<u64>,
    /// The device: what it said of itself, and the secrets of a device session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// Digest of the cookie's secret, for a browser session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<Digest>,
    /// Whether the browser was asked to keep the cookie when it is closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// The browser session in which this one was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<SessionId>,
    /// What it grew from, if nobody signed in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Box<Parent>>,
    /// Whether others may have grown from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grown: bool,
    /// What each app was granted, by `client_id`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub apps: BTreeMap<String, App>,
}

/// What one app was granted within a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct App {
    /// First sign-in of the app in this session.
    pub first_used: Timestamp,
    /// Last token request of the app.
    pub last_used: Timestamp,
    /// Its grants, oldest first, at most [`MAX_GRANTS_OF_APP`].
    pub grants: Vec<Grant>,
    /// How far it was let in by other apps; none for as far as its registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Ceiling>,
}

/// How an app comes to a grant in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The person signed in to it.
    SignedIn,
    /// Another app let it in, so far; or it came again by itself, as far as it was in before.
    LetIn(Ceiling),
}

/// The public name of a grant, part of each access token's `jti`. It reveals nothing about the refresh token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantId(pub String);

impl GrantId {
    /// The name of the grant whose refresh token carries `tag`.
    #[must_use]
    pub fn of_tag(tag: &[u8; 16]) -> Self {
        Self(encoding::encode(&Digest::of(tag).as_bytes()[..9]))
    }
}

/// One grant: what was issued together and is revoked together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Grant {
    /// Its public name.
    pub id: GrantId,
    /// The granted scope.
    pub scope: Scope,
    /// Names of the person's claims that it releases; absent = those of the scope, which keeps the usual record small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Vec<String>>,
    /// Whether they are released in its ID tokens instead of at the `UserInfo` endpoint.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claims_in_id_token: bool,
    /// Names of claims that were asked for one by one, to be released in its ID tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_token_claims: Vec<String>,
    /// When it was issued.
    pub issued: Timestamp,
    /// How its access tokens are written.
    #[serde(default, skip_serializing_if = "AccessTemplate::is_default")]
    pub access: AccessTemplate,
    /// What the handler wants kept with it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::json_within")]
    pub data: Option<Map<String, Value>>,
    /// Its refresh token, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Refresh>,
}

/// What was decided about the access tokens of a grant, so that a refresh keeps to it. Absent = the server's default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AccessTemplate {
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<u64>,
    /// `Some(true)` = opaque, `Some(false)` = JWT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<bool>,
    /// Encrypt the JWT to its audience or client.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypt: bool,
    /// The `aud`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<String>,
    /// The `data` claim.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::json_within")]
    pub data: Option<Map<String, Value>>,
}

impl AccessTemplate {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The format decided, if any.
    #[must_use]
    pub fn format(&self) -> Option<AccessTokenFormat> {
        self.opaque.map(|opaque| if opaque { AccessTokenFormat::Opaque } else { AccessTokenFormat::Jwt })
    }
}

impl Grant {
    /// The same, its refresh token bound to these keys if the client has no other means to show that it is the one which was given it
    /// (RFC 9449 section 5, RFC 8705 section 4).
    #[must_use]
    pub fn bound(mut self, client: &Client, confirmation: &Confirmation) -> Self {
        if let Some(refresh) = self.refresh.as_mut().filter(|_| client.is_public()) {
            refresh.bound = confirmation.claim();
        }
        self
    }

    /// Whether its refresh token is good for the holder of that key alone.
    pub(super) fn is_bound_to(&self, thumbprint: &str) -> bool {
        let bound = self.refresh.as_ref().and_then(|refresh| refresh.bound.as_ref());
        bound.is_some_and(|bound| bound.jkt.as_deref() == Some(thumbprint))
    }

    /// Whether an app is signed in by it at `now`: as long as its refresh token lives, or as long as it stands where it has none.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.refresh.as_ref().is_none_or(|refresh| refresh.is_alive(now))
    }

    /// Whether nothing of it can be worth anything at `now`: its refresh token is dead, and so is the last access token, which
    /// lives `usual` where nothing else was decided.
    fn is_over(&self, usual: Duration, now: Timestamp) -> bool {
        let life = self.access.lifetime.map_or(usual, Duration::from_secs);
        let last_token = match &self.refresh {
            Some(refresh) if refresh.is_alive(now) => return false,
            // A token that does not rotate notes its use once in a while only.
            Some(refresh) => refresh.last_used.plus(TOUCH_EVERY),
            None => self.issued,
        };
        now >= last_token.plus(life)
    }
}

impl Session {
    /// A new session of a person who has just authenticated.
    #[must_use]
    pub fn begin(kind: SessionKind, sub: String, authentication: Authentication, limits: &SessionLimits, now: Timestamp) -> Self {
        Self {
            v: FORMAT,
            kind,
            sub,
            auth_time: authentication.time,
            acr: authentication.acr,
            amr: authentication.amr,
            created: now,
            last_used: now,
            expires: limits.max_lifetime.map(|life| now.plus(life)),
            max_idle: limits.max_idle.map(|idle| idle.as_secs()),
            device: None,
            cookie: None,
            kept: false,
            browser: None,
            parent: None,
            grown: false,
            apps: BTreeMap::new(),
        }
    }

    /// The format that the session has to be written in.
    #[must_use]
    pub fn format(&self) -> u8 {
        if self.has_more() { FORMAT_WITH_MORE } else { FORMAT }
    }

    /// Whether it has a member that came with format 3.
    fn has_more(&self) -> bool {
        let bound = |grant: &Grant| grant.refresh.as_ref().is_some_and(|refresh| refresh.bound.is_some());
        let mut grants = self.apps.values().flat_map(|app| &app.grants);
        self.device.as_ref().is_some_and(Device::is_bound)
            || self.parent.is_some()
            || self.grown
            || grants.any(|grant| bound(grant) || !grant.id_token_claims.is_empty())
    }

    /// When the session will end unless it is used: the earlier of its absolute and its idle end.
    #[must_use]
    pub fn ends(&self) -> Option<Timestamp> {
        let idle = self.max_idle.map(|idle| self.last_used.plus(Duration::from_secs(idle)));
        match (self.expires, idle) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// When the session ends however much it is used; `None` = never. Nothing issued in it outlives this.
    #[must_use]
    pub const fn ends_at_latest(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Makes it end so early at the latest; never later than before.
    pub fn end_by(&mut self, end: Option<Timestamp>) {
        self.expires = match (self.expires, end) {
            (Some(before), Some(end)) => Some(before.min(end)),
            (before, end) => before.or(end),
        };
    }

    /// Whether the session lives at `now`.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.ends().is_none_or(|end| now < end)
    }

    /// How the person authenticated.
    #[must_use]
    pub fn authentication(&self) -> Authentication {
        Authentication { time: self.auth_time, acr: self.acr.clone(), amr: self.amr.clone() }
    }

    /// Records a grant of `client_id` and marks the session used. Grants of the app that are over go (`usual`: see
    /// `Grant::is_over`); if there are too many still, so does one that lives: the oldest without a refresh token, else the
    /// one whose refresh token was used the longest ago. Gives its name.
    pub fn add_grant(&mut self, client_id: &str, grant: Grant, entry: Entry, usual: Duration, now: Timestamp) -> Option<GrantId> {
        self.last_used = now;
        let app = self.apps.entry(client_id.to_owned()).or_insert_with(|| App {
            first_used: now,
            last_used: now,
            grants: Vec::new(),
            // Whatever the entry is, it opens more.
            ceiling: Some(Ceiling::NOTHING),
        });
        app.last_used = now;
        app.ceiling = match (app.ceiling.take(), entry) {
            (_, Entry::SignedIn) | (None, _) => None,
            (Some(before), Entry::LetIn(more)) => Some(before.joined(more)).filter(|joined| *joined != Ceiling::NONE),
        };
        app.grants.retain(|grant| !grant.is_over(usual, now));
        let mut displaced = None;
        if app.grants.len() >= MAX_GRANTS_OF_APP {
            let worth = |grant: &Grant| grant.refresh.as_ref().map(|refresh| refresh.last_used);
            // `min_by_key` gives the first of equals, which is the oldest.
            let least = app.grants.iter().enumerate().min_by_key(|(_, grant)| worth(grant)).map(|(position, _)| position);
            displaced = least.map(|position| app.grants.remove(position).id);
        }
        app.grants.push(grant);
        displaced
    }

    /// How far an app is in; none when it is not.
    #[must_use]
    pub fn ceiling_of(&self, client_id: &str) -> Option<Ceiling> {
        self.apps.get(client_id).map(|app| app.ceiling.clone().unwrap_or(Ceiling::NONE))
    }

    /// The grant of that name, with the client that has it.
    #[must_use]
    pub fn grant(&self, client_id: &str, id: &GrantId) -> Option<&Grant> {
        self.apps.get(client_id)?.grants.iter().find(|grant| grant.id == *id)
    }

    /// Whether some app has that grant.
    #[must_use]
    pub fn has_grant(&self, id: &GrantId) -> bool {
        self.grant_named(id).is_some()
    }

    /// The grant of that name, whichever app has it.
    #[must_use]
    pub fn grant_named(&self, id: &GrantId) -> Option<&Grant> {
        self.apps.values().flat_map(|app| &app.grants).find(|grant| grant.id == *id)
    }

    /// The names of all grants.
    pub(super) fn grant_ids(&self) -> impl Iterator<Item = &GrantId> {
        self.apps.values().flat_map(|app| &app.grants).map(|grant| &grant.id)
    }

    /// Takes all grants of an app back; says how many there were. In a browser session the app stays without any, so that it is told of the
    /// session's end like all whom the person signed in to there.
    pub fn remove_app(&mut self, client_id: &str) -> usize {
        let Some(app) = self.apps.get_mut(client_id) else { return 0 };
        let grants = std::mem::take(&mut app.grants).len();
        if self.kind != SessionKind::Browser {
            self.apps.remove(client_id);
        }
        grants
    }

    /// Takes a grant back; says whether it was there. The app's entry goes with its last grant.
    pub fn remove_grant(&mut self, client_id: &str, id: &GrantId) -> bool {
        let Some(app) = self.apps.get_mut(client_id) else { return false };
        let before = app.grants.len();
        app.grants.retain(|grant| grant.id != *id);
        let removed = app.grants.len() < before;
        if app.grants.is_empty() {
            self.apps.remove(client_id);
        }
        removed
    }
}

/// How and when a person proved who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// When.
    pub time: Timestamp,
    /// How well.
    pub acr: String,
    /// By what means.
    pub amr: Vec<String>,
}
