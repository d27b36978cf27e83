//! `authorization_code` (RFC 6749 section 4.1.3, RFC 7636, Native SSO section 3.4): the code that a person's consent became
//! is turned into tokens, once, in a session of the right sort.

use super::engine::Engine;
use super::pipeline::{self, Facts};
use super::possession;
use super::request::AuthorizationCode;
use super::target;
use crate::clients::{AuthenticatedClient, Client, sharing};
use crate::foundation::digest::constant_time_eq;
use crate::foundation::{Digest, Secret, Timestamp, encoding, random};
use crate::issuance::guard::{self, AudienceLimit, Limits};
use crate::issuance::mint::Bearer;
use crate::issuance::proposal::{IdTokenProposal, RefreshProposal};
use crate::issuance::{IssuePlan, Proposal, TokenResponse};
use crate::protocol::{ErrorCode, OAuthError, names};
use crate::sessions::code::{Found, Tombstone};
use crate::sessions::device::Device;
use crate::sessions::{
    AccessTemplate, Change, CodeGrant, DeviceSecret, Entry, Grant, GrantId, Loaded, NewSecret, Session, SessionKind,
};
use crate::telemetry::{Code, codes};
use crate::tokens::Confirmation;
use crate::tokens::handle::RefreshHandle;
use crate::tokens::session_id::SessionId;

/// The session that the grant will live in.
enum Home {
    /// One that lives already: the browser's, or the device's that presented its secret.
    Join(Box<Loaded>, Option<DeviceSecret>),
    /// A new one.
    Create(SessionId, Box<Session>, Option<DeviceSecret>),
}

impl Home {
    const fn id(&self) -> SessionId {
        match self {
            Self::Join(loaded, _) => loaded.id,
            Self::Create(id, ..) => *id,
        }
    }

    const fn session(&self) -> &Session {
        match self {
            Self::Join(loaded, _) => &loaded.session,
            Self::Create(_, session, _) => session,
        }
    }

    const fn device_secret(&self) -> Option<&DeviceSecret> {
        match self {
            Self::Join(_, secret) | Self::Create(_, _, secret) => secret.as_ref(),
        }
    }
}

impl Engine {
    pub(super) async fn redeem_code(
        &self,
        client: &AuthenticatedClient,
        request: AuthorizationCode,
        confirmation: &Confirmation,
        facts: &mut Facts,
    ) -> Result<TokenResponse, OAuthError> {
        let client = client.client();
        // Said before the code is looked at, so that it tells nobody whether the code is any good (RFC 6749 section 5.2).
        if client.require_pkce && request.code_verifier.is_none() && !request.of_device {
            return Err(OAuthError::invalid_request("The parameter code_verifier is missing."));
        }
        let grant = match self.codes().find(&request.code).await? {
            None => return Err(OAuthError::invalid_grant("the code is unknown or expired")),
            Some(Found::Redeemed(tombstone)) => return Err(self.punish_replay(&request.code, &tombstone, client, facts).await?),
            Some(Found::Waiting(grant)) => grant,
        };
        check_binding(&grant, client, &request)?;
        facts.subject = Some(grant.sub.clone());
        possession::check_code(grant.dpop_jkt.as_deref(), confirmation)?;
        let resources = target::narrow(target::check(request.resources, self.settings())?, &grant.resources)?;
        let home = self.home(&grant, client, request.device_secret, confirmation).await?;
        facts.sid = Some(home.id());

        let tag = random::bytes::<16>();
        let grant_id = GrantId::of_tag(&tag);
        let plan = self.plan_code(&grant, client, &home, resources);
        facts.clamps = plan.clamps().to_vec();
        // In a browser session, which may since have reached another level, what holds is what was reached when the person agreed.
        let authentication = match home.session().kind {
            SessionKind::Browser => grant.authentication.clone(),
            _ => home.session().authentication(),
        };
        let bearer = Bearer {
            sub: &grant.sub,
            session: Some((home.id(), &authentication)),
            grant: Some(&grant_id),
            nonce: grant.nonce.as_deref(),
            device_secret: home.device_secret(),
            confirmation,
        };
        // Before the code is used up: what cannot be minted now, because the client's keys cannot be had, can be later, by the same code.
        let minted = self.issuer().mint(&plan, &bearer).await?;
        let tombstone = Tombstone { session: home.id(), client_id: client.id.clone(), grant: grant_id.clone(), replayed: false };
        match self.codes().redeem(&request.code, tombstone).await? {
            Some(Found::Waiting(_)) => {}
            Some(Found::Redeemed(theirs)) => return Err(self.punish_replay(&request.code, &theirs, client, facts).await?),
            None => return Err(OAuthError::invalid_grant("the code expired")),
        }
        let secret = random::secret();
        let now = self.clock().now();
        let stored = plan.grant(&tag, &secret, self.settings(), now).bound(client, confirmation);
        let id = home.id();
        let device_secret = home.device_secret().cloned();
        self.issuer().record(&minted).await?;
        facts.change = self.settle(home, client, stored, grant.terms.session_ends, confirmation).await?;
        // Whoever ended the person's sessions or consent meanwhile may have missed what was just written, but not the browser's session, nor
        // the consent.
        if self.origin(&grant, client).await?.is_none() {
            self.revoke_grant(id, &client.id, &grant_id).await?;
            // What began has ended before anybody was given it. A grant that had to make room is gone all the same.
            facts.change = facts.change.filter(|change| *change == codes::GRANT_DISPLACED);
            return Err(ended());
        }
        // A replay that came while we were at it found nothing to revoke and left a note. The first use is answered, and
        // what it was given is revoked, just as if the replay had come a moment later.
        if let Some(Found::Redeemed(Tombstone { replayed: true, .. })) = self.codes().find(&request.code).await? {
            self.revoke_grant(id, &client.id, &grant_id).await?;
            facts.note = Some(codes::CODE_REPLAYED);
        }
        let refresh = plan.refresh().map(|_| RefreshHandle { session: id, tag, secret }.to_text());
        Ok(TokenResponse::new(minted)
            .with_refresh_token(refresh)
            .with_device_secret(device_secret.as_ref(), client.compat_device_token))
    }

    /// Which session the tokens belong to: the device's, one for this app alone, or the browser's.
    async fn home(
        &self,
        grant: &CodeGrant,
        client: &Client,
        presented: Option<Secret<String>>,
        confirmation: &Confirmation,
    ) -> Result<Home, OAuthError> {
        let now = self.clock().now();
        let browser = self.origin(grant, client).await?.ok_or_else(ended)?;
        let settings = &self.settings().sessions;
        let transferred = browser.session.parent.is_some();
        if !transferred && grant.scope.contains(names::DEVICE_SSO) && sharing::may_receive_device_secret(client) {
            // An invalid secret, one of another person and one of another family's device count as absent (Native SSO
            // section 3.4.2).
            if let Some(text) = presented
                && let Some(device) = self.sessions().verify_device_secret(&text).await?
                && device.session().sub == grant.sub
                && self.is_of_family(client, device.holder()).await?
            {
                let (secret, mut loaded) = device.into_parts();
                renew(&mut loaded.session, grant, settings.device.max_lifetime.map(|life| now.plus(life)));
                loaded.session.end_by(grant.terms.session_ends);
                return Ok(Home::Join(Box::new(loaded), Some(secret)));
            }
            let id = SessionId::new(self.clock());
            let mut session =
                Session::begin(SessionKind::Device, grant.sub.clone(), grant.authentication.clone(), &settings.device, now);
            let secret = NewSecret::generate(id);
            let mut device = Device { description: grant.device_description.clone(), ..Device::default() };
            device.accept(&secret, &client.id, now);
            // From now on nobody is let in by the secret alone.
            if let Some(jkt) = &confirmation.jkt {
                device.enrol(&client.id, jkt, now);
            }
            session.device = Some(device);
            session.browser = Some(grant.browser);
            session.end_by(grant.terms.session_ends);
            return Ok(Home::Create(id, Box::new(session), Some(secret.secret().clone())));
        }
        if grant.scope.contains(names::OFFLINE_ACCESS) && client.allows_grant(names::REFRESH_TOKEN) {
            let mut session =
                Session::begin(SessionKind::Offline, grant.sub.clone(), grant.authentication.clone(), &settings.offline, now);
            session.browser = Some(grant.browser);
            session.end_by(grant.terms.session_ends);
            session.device = Device::only_described(&grant.device_description);
            if transferred {
                self.hang(&mut session, browser, client).await?;
            }
            return Ok(Home::Create(SessionId::new(self.clock()), Box::new(session), None));
        }
        Ok(Home::Join(Box::new(browser), None))
    }

    /// The browser session in which the person agreed, if it lives: a sign-out, an administrator's word or another person's
    /// sign-in ends it, and with it whatever waits to be fetched. None either when the consent was revoked since.
    async fn origin(&self, grant: &CodeGrant, client: &Client) -> Result<Option<Loaded>, OAuthError> {
        if !self.has_agreed(&grant.sub, client, &grant.scope).await? {
            return Ok(None);
        }
        let browser = self.sessions().find(grant.browser).await?;
        Ok(browser.filter(|browser| browser.session.sub == grant.sub))
    }

    /// Whether `client` is of the family of the client of that name, which may be gone.
    async fn is_of_family(&self, client: &Client, holder: &str) -> Result<bool, OAuthError> {
        let holder = self.clients().find(holder).await?;
        Ok(holder.is_some_and(|holder| sharing::same_family(&holder, client)))
    }

    fn plan_code(&self, grant: &CodeGrant, client: &std::sync::Arc<Client>, home: &Home, resources: Vec<String>) -> IssuePlan {
        let mut scope = grant.scope.clone();
        if home.device_secret().is_none() {
            // Not entitled to a device secret: the answer must not claim otherwise.
            scope = scope.iter().filter(|value| *value != names::DEVICE_SSO).collect();
        }
        // The registration may have shrunk since the person agreed; and so may the claims that it permits.
        let permitted = self.settings().claims_of(&client.scope);
        let still = |names: &[String]| names.iter().filter(|name| permitted.contains(name)).cloned().collect::<Vec<_>>();
        let mut claims = self.settings().claims_of(&scope);
        for name in still(&grant.user_info_claims) {
            if !claims.contains(&name) {
                claims.push(name);
            }
        }
        let proposal = Proposal {
            id_token: Some(IdTokenProposal { claims: grant.terms.id_token_claims.clone(), ..IdTokenProposal::default() }),
            refresh: scope.contains(names::OFFLINE_ACCESS).then(RefreshProposal::default),
            claims,
            claims_in_id_token: false,
            id_token_claims: still(&grant.id_token_claims),
            data: None,
            access: AccessTemplate {
                audience: resources,
                data: Some(grant.terms.access_token_data.clone()).filter(|data| !data.is_empty()),
                ..AccessTemplate::default()
            },
            scope,
        };
        let offline = home.session().kind != SessionKind::Browser;
        let grantable = client.scope.intersection(&grant.scope);
        let limits = Limits {
            client,
            grantable: &grantable,
            session: Some(home.session()),
            offline,
            audience: AudienceLimit::default(),
            now: self.clock().now(),
        };
        guard::clamp(proposal, &limits, self.settings())
    }

    /// Writes the grant into its session; says what began with it.
    async fn settle(
        &self,
        home: Home,
        client: &Client,
        stored: Grant,
        ends: Option<Timestamp>,
        confirmation: &Confirmation,
    ) -> Result<Option<Code>, OAuthError> {
        let usual = self.settings().tokens.access_token_lifetime;
        match home {
            Home::Create(id, mut session, _) => {
                session.add_grant(&client.id, stored, Entry::SignedIn, usual, self.clock().now());
                self.sessions().create(id, &session).await?;
                let device = session.kind == SessionKind::Device;
                Ok(Some(if device { codes::DEVICE_SESSION_STARTED } else { codes::OFFLINE_SESSION_STARTED }))
            }
            Home::Join(loaded, _) => {
                let renewed = loaded.session.clone();
                let written = self
                    .sessions()
                    .change(*loaded, |session, now| {
                        if session.auth_time < renewed.auth_time {
                            session.auth_time = renewed.auth_time;
                            session.acr.clone_from(&renewed.acr);
                            session.amr.clone_from(&renewed.amr);
                            session.expires = renewed.expires;
                            session.browser = renewed.browser;
                        }
                        session.end_by(ends);
                        // Whoever signs in may add a key to those of the device, but does not begin to bind it: other apps may have none.
                        if let (Some(device), Some(jkt)) =
                            (session.device.as_mut().filter(|device| device.is_bound()), &confirmation.jkt)
                        {
                            device.enrol(&client.id, jkt, now);
                        }
                        let joins = session.kind == SessionKind::Device && !session.apps.contains_key(&client.id);
                        let displaced = session.add_grant(&client.id, stored.clone(), Entry::SignedIn, usual, now);
                        Change::Write(pipeline::entered(joins, displaced.as_ref()))
                    })
                    .await?;
                written.ok_or_else(|| OAuthError::invalid_grant("the session ended while the code was being redeemed"))
            }
        }
    }

    /// A code that comes again: whatever its first use was given is revoked.
    async fn punish_replay(
        &self,
        code: &Secret<String>,
        tombstone: &Tombstone,
        client: &Client,
        facts: &mut Facts,
    ) -> Result<OAuthError, OAuthError> {
        if tombstone.client_id != client.id {
            // Another client cannot make us revoke anything by guessing.
            return Ok(OAuthError::invalid_grant("a redeemed code was presented by another client"));
        }
        self.codes().mark_replayed(code).await?;
        self.revoke_grant(tombstone.session, &tombstone.client_id, &tombstone.grant).await?;
        facts.sid = Some(tombstone.session);
        facts.note = Some(codes::CODE_REPLAYED);
        Ok(OAuthError::invalid_grant("the code was redeemed before; what it was given is revoked"))
    }

    /// Takes a grant back. A device or offline session that no app is left in ends with it.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn revoke_grant(&self, session: SessionId, client_id: &str, grant: &GrantId) -> Result<(), OAuthError> {
        self.sessions()
            .update(session, |session, _| {
                if !session.remove_grant(client_id, grant) {
                    return Change::Settle(());
                }
                if session.apps.is_empty() && session.kind != SessionKind::Browser { Change::End(()) } else { Change::Write(()) }
            })
            .await?;
        Ok(())
    }
}

fn ended() -> OAuthError {
    OAuthError::invalid_grant("the sign-in that the code came from has ended, or the consent was revoked")
}

/// A person who signed in again on their device renews its session.
fn renew(session: &mut Session, grant: &CodeGrant, expires: Option<Timestamp>) {
    if session.auth_time < grant.authentication.time {
        session.auth_time = grant.authentication.time;
        session.acr.clone_from(&grant.authentication.acr);
        session.amr.clone_from(&grant.authentication.amr);
        session.expires = expires;
        session.browser = Some(grant.browser);
    }
}

/// The code must come back from the client, for the redirect URI and with the verifier that it was issued for.
fn check_binding(grant: &CodeGrant, client: &Client, request: &AuthorizationCode) -> Result<(), OAuthError> {
    if grant.client_id != client.id || grant.issued.is_some_and(|issued| !client.stood_at(issued)) {
        return Err(OAuthError::invalid_grant("the code belongs to another client"));
    }
    if grant.of_device != request.of_device {
        return Err(OAuthError::invalid_grant("a device code and an authorization code were taken for one another"));
    }
    check_verifier(grant, request)?;
    // Whoever comes as far as here is the client that the code was issued to, and may be told precisely (RFC 6749 section 4.1.3).
    match &request.redirect_uri {
        Some(uri) if *uri == grant.redirect_uri => Ok(()),
        None if !grant.redirect_uri_given => Ok(()),
        Some(_) => Err(OAuthError::new(ErrorCode::InvalidGrant, "The redirect_uri is not that of the authorization request.")),
        None => Err(OAuthError::invalid_request("The parameter redirect_uri is missing; the authorization request had it.")),
    }
}

/// The proof of RFC 7636 section 4.6.
fn check_verifier(grant: &CodeGrant, request: &AuthorizationCode) -> Result<(), OAuthError> {
    match (&grant.code_challenge, &request.code_verifier) {
        (None, None) => Ok(()),
        // RFC 9700 section 4.8.2: a verifier without a challenge is a downgrade.
        (None, Some(_)) => Err(OAuthError::invalid_grant("a code_verifier was sent for a code without a challenge")),
        // Only a client that authenticates may be registered without PKCE, so this is told to nobody else.
        (Some(_), None) => Err(OAuthError::invalid_request("The parameter code_verifier is missing.")),
        (Some(challenge), Some(verifier)) => {
            // RFC 7636 section 4.1: 43 to 128 unreserved characters.
            let text = verifier.expose();
            let well_formed = (43..=128).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
            let computed = encoding::encode(Digest::of(text).as_bytes());
            if well_formed && constant_time_eq(computed.as_bytes(), challenge.as_bytes()) {
                Ok(())
            } else {
                Err(OAuthError::invalid_grant("the code_verifier does not match"))
            }
        }
    }
}
