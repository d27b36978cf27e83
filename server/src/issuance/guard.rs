//! A handler proposes, the guard disposes: whatever was proposed, what leaves here is within the client's registration,
//! the session's life and the server's maxima. The only maker of an [`IssuePlan`].

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::proposal::{Proposal, RefreshLifetime};
use crate::clients::Client;
use crate::foundation::{Secret, Timestamp};
pub use crate::protocol::claims::is_reserved;
use crate::protocol::claims::is_reserved_in_token;
use crate::protocol::{Scope, names};
use crate::sessions::refresh::RefreshTerms;
use crate::sessions::{AccessTemplate, Grant, GrantId, Refresh, Session};
use crate::settings::Settings;

/// The most audiences of one access token, and the longest one.
const MAX_AUDIENCES: usize = 32;
const MAX_AUDIENCE_LENGTH: usize = 512;
/// The most bytes of JSON that a proposal may add to one token.
const MAX_DATA: usize = 16 * 1024;

/// What bounds an issue.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// The client that will be given the tokens.
    pub client: &'a Arc<Client>,
    /// The scope beyond which nothing may be granted.
    pub grantable: &'a Scope,
    /// The session that carries the grant; none for a client acting for itself.
    pub session: Option<&'a Session>,
    /// Whether a refresh token may be issued at all.
    pub offline: bool,
    /// What access tokens may be for.
    pub audience: AudienceLimit<'a>,
    /// Now.
    pub now: Timestamp,
}

/// What access tokens may be for.
#[derive(Debug, Clone, Copy, Default)]
pub struct AudienceLimit<'a> {
    /// The requested resources (RFC 8707): when there are any, nothing else, and all of them where nothing is named.
    pub requested: &'a [String],
    /// Otherwise these and the issuer; empty = anything.
    pub allowed: &'a [String],
}

impl AudienceLimit<'_> {
    fn admits(&self, audience: &str, issuer: &str) -> bool {
        let among = |list: &[String]| list.iter().any(|own| own == audience);
        if self.requested.is_empty() {
            self.allowed.is_empty() || audience == issuer || among(self.allowed)
        } else {
            among(self.requested)
        }
    }
}

/// What will be issued. Made by [`clamp`] alone.
#[derive(Debug)]
#[must_use]
pub struct IssuePlan {
    client: Arc<Client>,
    scope: Scope,
    access: AccessTemplate,
    access_lifetime: Duration,
    id_token: Option<IdTokenPlan>,
    refresh: Option<RefreshTerms>,
    user_info_claims: Vec<String>,
    claims_in_id_token: bool,
    /// Claims of the person that were asked for one by one, for ID tokens.
    id_token_claims: Vec<String>,
    /// Claims of the person that the scope puts into the tokens themselves, wherever others are released.
    scope_claims: ScopeClaims,
    data: Option<Map<String, Value>>,
    clamps: Vec<&'static str>,
}

/// Claims of the person that a scope puts into tokens (`scopes.NAME.id_token_claims`, `access_token_claims`); none of them reserved.
#[derive(Debug, Default)]
pub struct ScopeClaims {
    /// Into the ID token.
    pub id_token: Vec<String>,
    /// Into the access token.
    pub access_token: Vec<String>,
}

impl ScopeClaims {
    fn of(scope: &Scope, settings: &Settings) -> Self {
        let usable = |names: Vec<&str>| names.into_iter().filter(|name| !is_reserved_in_token(name)).map(str::to_owned).collect();
        Self {
            id_token: usable(settings.id_token_claim_names(scope)),
            access_token: usable(settings.access_token_claim_names(scope)),
        }
    }
}

/// The ID token of a plan.
#[derive(Debug)]
pub struct IdTokenPlan {
    /// How long.
    pub lifetime: Duration,
    /// Claims set by value; none of them reserved.
    pub claims: Map<String, Value>,
    /// Claims of the person to release in the ID token instead of at the `UserInfo` endpoint.
    pub person_claims: Vec<String>,
}

impl IssuePlan {
    /// The client that will be given the tokens.
    #[must_use]
    pub const fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The granted scope.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// How the access token is written; its lifetime is [`Self::access_lifetime`].
    #[must_use]
    pub const fn access(&self) -> &AccessTemplate {
        &self.access
    }

    /// How long the access token lives.
    #[must_use]
    pub const fn access_lifetime(&self) -> Duration {
        self.access_lifetime
    }

    /// The ID token, if one is issued.
    #[must_use]
    pub const fn id_token(&self) -> Option<&IdTokenPlan> {
        self.id_token.as_ref()
    }

    /// The refresh token's terms, if one is issued.
    #[must_use]
    pub const fn refresh(&self) -> Option<RefreshTerms> {
        self.refresh
    }

    /// The claims that the access token releases at the `UserInfo` endpoint.
    #[must_use]
    pub fn user_info_claims(&self) -> &[String] {
        &self.user_info_claims
    }

    /// The claims of the person that are released, wherever that is.
    fn released(&self) -> (&[String], bool) {
        match &self.id_token {
            Some(IdTokenPlan { person_claims, .. }) if self.claims_in_id_token => (person_claims, true),
            _ => (&self.user_info_claims, false),
        }
    }

    /// Claims of the person that go into the ID token because they were asked for there.
    #[must_use]
    pub fn id_token_claims(&self) -> &[String] {
        &self.id_token_claims
    }

    /// Claims of the person that the scope puts into the tokens.
    #[must_use]
    pub const fn scope_claims(&self) -> &ScopeClaims {
        &self.scope_claims
    }

    /// What is kept with the grant.
    #[must_use]
    pub const fn data(&self) -> Option<&Map<String, Value>> {
        self.data.as_ref()
    }

    /// The grant to be written into the session: what was decided, and the stored half of the refresh token that `tag` and
    /// `secret` make.
    #[must_use]
    pub fn grant(&self, tag: &[u8; 16], secret: &Secret<[u8; 32]>, settings: &Settings, now: Timestamp) -> Grant {
        let (claims, claims_in_id_token) = self.released();
        let usual = settings.claim_names(&self.scope).iter().filter(|name| !is_reserved(name)).eq(claims);
        Grant {
            id: GrantId::of_tag(tag),
            scope: self.scope.clone(),
            claims: (!usual).then(|| claims.to_vec()),
            claims_in_id_token,
            id_token_claims: self.id_token_claims.clone(),
            issued: now,
            access: self.access.clone(),
            data: self.data.clone(),
            refresh: self.refresh.map(|terms| Refresh::issue(tag, secret, terms, now)),
        }
    }

    /// What had to be cut, for the audit log.
    #[must_use]
    pub fn clamps(&self) -> &[&'static str] {
        &self.clamps
    }
}

/// Cuts a proposal down to what may be issued.
pub fn clamp(proposal: Proposal, limits: &Limits<'_>, settings: &Settings) -> IssuePlan {
    let mut clamps = Vec::new();
    let scope = proposal.scope.intersection(limits.grantable);
    if scope != proposal.scope {
        clamps.push("scope");
    }
    let remaining = limits.session.and_then(Session::ends_at_latest).map(|end| end.since(limits.now));
    let mut within = |wish: Duration, most: Duration, what: &'static str| {
        let most = remaining.map_or(most, |left| most.min(left));
        if wish > most {
            clamps.push(what);
        }
        wish.min(most)
    };
    let tokens = &settings.tokens;
    let access_wish = proposal.access.lifetime.map_or(tokens.access_token_lifetime, Duration::from_secs);
    let access_lifetime = within(access_wish, tokens.access_token_max_lifetime, "access_token.lifetime");
    // Without `openid` there is no ID token (OpenID Connect Core section 3.1.2.1).
    let id_token = proposal.id_token.filter(|_| scope.contains(names::OPENID));
    let id_lifetime = id_token
        .as_ref()
        .map(|wish| within(wish.lifetime.unwrap_or(tokens.id_token_lifetime), tokens.id_token_max_lifetime, "id_token.lifetime"));
    let access = clamp_access(proposal.access, access_lifetime, limits, settings, &mut clamps);
    let may_refresh = limits.offline && limits.session.is_some() && limits.client.allows_grant(names::REFRESH_TOKEN);
    if proposal.refresh.is_some() && !may_refresh {
        clamps.push("refresh_token");
    }
    let refresh = proposal.refresh.filter(|_| may_refresh).map(|wish| RefreshTerms {
        lifetime: match wish.lifetime {
            RefreshLifetime::Default => tokens.refresh_token_lifetime,
            RefreshLifetime::Never => None,
            RefreshLifetime::For(life) => Some(life),
        },
        max_idle: wish.max_idle.map_or(tokens.refresh_token_max_idle, |idle| (!idle.is_zero()).then_some(idle)),
        rotate: wish.rotate.unwrap_or(tokens.refresh_token_rotate),
    });
    let data = proposal.data.filter(|data| !data.is_empty());
    let data = match data {
        Some(data) if json_size(&data) > MAX_DATA => {
            clamps.push("data");
            None
        }
        data => data,
    };
    let in_id_token = proposal.claims_in_id_token && id_token.is_some();
    let (person_claims, user_info_claims) =
        if in_id_token { (proposal.claims, Vec::new()) } else { (Vec::new(), proposal.claims) };
    let id_token = id_token.zip(id_lifetime).map(|(wish, lifetime)| IdTokenPlan {
        lifetime,
        claims: clamp_claims(wish.claims, &mut clamps),
        person_claims: person_claims.into_iter().filter(|name| !is_reserved(name)).collect(),
    });
    IssuePlan {
        client: Arc::clone(limits.client),
        scope_claims: ScopeClaims::of(&scope, settings),
        scope,
        access,
        access_lifetime,
        id_token,
        refresh,
        user_info_claims: user_info_claims.into_iter().filter(|name| !is_reserved(name)).collect(),
        claims_in_id_token: in_id_token,
        id_token_claims: proposal.id_token_claims.into_iter().filter(|name| !is_reserved(name)).collect(),
        data,
        clamps,
    }
}

fn clamp_access(
    mut access: AccessTemplate,
    lifetime: Duration,
    limits: &Limits<'_>,
    settings: &Settings,
    clamps: &mut Vec<&'static str>,
) -> AccessTemplate {
    let before = access.audience.len();
    access.audience.retain(|audience| {
        !audience.is_empty()
            && audience.len() <= MAX_AUDIENCE_LENGTH
            && limits.audience.admits(audience, &settings.server.issuer.text)
    });
    access.audience.truncate(MAX_AUDIENCES);
    if access.audience.len() < before {
        clamps.push("access_token.audience");
    }
    if access.audience.is_empty() {
        access.audience = limits.audience.requested.to_vec();
    }
    access.data = access.data.map(|data| clamp_data(data, clamps)).filter(|data| !data.is_empty());
    if access.lifetime.is_some() {
        access.lifetime = Some(lifetime.as_secs());
    }
    access
}

pub(super) fn clamp_claims(mut claims: Map<String, Value>, clamps: &mut Vec<&'static str>) -> Map<String, Value> {
    let before = claims.len();
    claims.retain(|name, _| !is_reserved(name));
    if claims.len() < before {
        clamps.push("id_token.claims");
    }
    if json_size(&claims) > MAX_DATA {
        clamps.push("id_token.claims.size");
        claims.clear();
    }
    claims
}

pub(super) fn clamp_data(data: Map<String, Value>, clamps: &mut Vec<&'static str>) -> Map<String, Value> {
    if json_size(&data) > MAX_DATA {
        clamps.push("access_token.data");
        return Map::new();
    }
    data
}

fn json_size(value: &Map<String, Value>) -> usize {
    if value.is_empty() { 0 } else { serde_json::to_vec(value).map_or(usize::MAX, |text| text.len()) }
}

#[cfg(test)]
mod tests;
