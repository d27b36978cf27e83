//! `refresh_token` (RFC 6749 section 6, RFC 9700 section 4.14, Native SSO section 3.4.3).
//!
//! One read, one compare-and-swap. A token whose answer was lost is answered again, see `sessions::refresh`.

use std::time::Duration;

use super::engine::Engine;
use super::pipeline::{Facts, TokenCall};
use super::possession;
use super::request::RefreshToken;
use super::session_transfer::{Maker, Wanted};
use super::target;
use crate::clients::{AuthenticatedClient, Client, sharing};
use crate::foundation::{Digest, Secret};
use crate::issuance::guard::{self, AudienceLimit, Limits};
use crate::issuance::mint::Bearer;
use crate::issuance::proposal::IdTokenProposal;
use crate::issuance::{Proposal, TokenResponse};
use crate::protocol::{ErrorCode, OAuthError, Scope, names};
use crate::sessions::record::TOUCH_EVERY;
use crate::sessions::{Change, DeviceSecret, Grant, GrantId, Loaded, NewSecret, Presented, Session, SessionKind};
use crate::telemetry::codes;
use crate::tokens::Confirmation;
use crate::tokens::handle::RefreshHandle;
use crate::tokens::session_id::SessionId;

/// A device secret that goes out with the answer.
enum Secretly {
    /// The one that was presented.
    Echo(DeviceSecret),
    /// The app's own, which may be new to the session.
    Own(NewSecret),
}

/// What goes out with the answer, and is to be written.
struct Answering<'a> {
    device_secret: Option<&'a Secretly>,
    /// A web session may grow from the session.
    transfers: bool,
}

impl Secretly {
    const fn secret(&self) -> &DeviceSecret {
        match self {
            Self::Echo(secret) => secret,
            Self::Own(secret) => secret.secret(),
        }
    }
}

impl Engine {
    pub(super) async fn refresh(
        &self,
        client: &AuthenticatedClient,
        request: RefreshToken,
        confirmation: &Confirmation,
        call: &TokenCall<'_>,
        facts: &mut Facts,
    ) -> Result<TokenResponse, OAuthError> {
        let client = client.client();
        let transfers = self.transfers(&request)?;
        if transfers {
            Self::check_may_transfer(client)?;
        }
        let handle =
            RefreshHandle::parse(request.token.expose()).ok_or_else(|| OAuthError::invalid_grant("this is no refresh token"))?;
        let loaded =
            self.sessions().find(handle.session).await?.ok_or_else(|| OAuthError::invalid_grant("the session has ended"))?;
        facts.sid = Some(loaded.id);
        facts.subject = Some(loaded.session.sub.clone());
        let grant = find_grant(&loaded.session, client, &handle)
            .ok_or_else(|| OAuthError::invalid_grant("the grant was revoked or belongs to another client"))?
            .clone();
        // `find_grant` returns grants with a refresh token only.
        let Some(refresh) = &grant.refresh else { return Err(OAuthError::invalid_grant("the grant has no refresh token")) };
        if !refresh.is_alive(self.clock().now()) {
            return Err(OAuthError::invalid_grant("the refresh token expired"));
        }
        // First of all: who cannot prove the key can neither use the token nor have its grant ended.
        possession::check_refresh(refresh, confirmation)?;
        if refresh.classify(&handle.secret) == Presented::Replay {
            return Err(Box::pin(self.punish_refresh_replay(loaded.id, client, &grant.id, facts)).await?);
        }

        let scope = match request.scope {
            None => grant.scope.clone(),
            // With device_sso comes a device secret, and with that an ID token (Native SSO section 3.4.3).
            Some(scope) if scope.contains(names::DEVICE_SSO) && !scope.contains(names::OPENID) => {
                return Err(OAuthError::new(ErrorCode::InvalidScope, "The scope device_sso goes only together with openid."));
            }
            Some(scope) if scope.is_subset(&grant.scope) => scope,
            Some(_) => return Err(OAuthError::new(ErrorCode::InvalidScope, "The scope is beyond what was granted.")),
        };
        let resources = target::check(request.resources, self.settings())?;
        let device_secret = self.device_secret_for(&loaded, client, &scope, request.device_secret).await?;
        // Without a device secret the answer must not claim the scope that brings one.
        let scope: Scope = scope.iter().filter(|value| device_secret.is_some() || *value != names::DEVICE_SSO).collect();
        let mut access = grant.access.clone();
        if !resources.is_empty() {
            access.audience = target::narrow(resources, &grant.access.audience)?;
        }
        let proposal = Proposal {
            // The UserInfo endpoint knows from the grant what to release; an ID token must carry it again (OpenID Connect
            // Core section 12.2).
            claims: if grant.claims_in_id_token { self.released(&grant, &scope) } else { Vec::new() },
            claims_in_id_token: grant.claims_in_id_token,
            id_token_claims: grant.id_token_claims.clone(),
            data: None,
            id_token: Some(IdTokenProposal::default()),
            refresh: None,
            access,
            scope,
        };
        let grantable = client.scope.intersection(&grant.scope);
        let limits = Limits {
            client,
            grantable: &grantable,
            session: Some(&loaded.session),
            offline: false,
            audience: AudienceLimit::default(),
            now: self.clock().now(),
        };
        let plan = guard::clamp(proposal, &limits, self.settings());
        facts.clamps = plan.clamps().to_vec();
        let authentication = loaded.session.authentication();
        let bearer = Bearer {
            sub: &loaded.session.sub,
            session: Some((loaded.id, &authentication)),
            grant: Some(&grant.id),
            nonce: None,
            device_secret: device_secret.as_ref().map(Secretly::secret),
            confirmation,
        };
        let minted = if transfers {
            let key_proven = refresh.bound.as_ref().is_some_and(|bound| bound.jkt.is_some());
            let maker = Maker { client, loaded: &loaded, grant: &grant, key_proven, call };
            let lifetime = self.settings().session_transfer.lifetime;
            let wanted = Wanted { target: None, interclient: false, lifetime };
            let token = Box::pin(self.make_transfer_token(maker, wanted)).await?;
            Box::pin(self.issuer().mint_beside(&plan, &bearer, token, lifetime)).await?
        } else {
            self.issuer().mint(&plan, &bearer).await?
        };
        self.issuer().record(&minted).await?;
        let answer = Answering { device_secret: device_secret.as_ref(), transfers };
        // A refresh token of a web session is used within that.
        let above = loaded.session.parent.as_ref().filter(|parent| parent.transfer.is_none()).map(|parent| parent.session);
        let rotated = self.advance(loaded, client, &handle, &answer, facts).await?;
        if let Some(above) = above {
            Box::pin(self.sessions().touch(above)).await?;
        }
        let response = TokenResponse::new(minted)
            .with_refresh_token(rotated)
            .with_device_secret(device_secret.as_ref().map(Secretly::secret), client.compat_device_token);
        Ok(if transfers { response.of_type(names::TYPE_SESSION_TRANSFER) } else { response })
    }

    /// Whether the request is for a session transfer token. Any other audience is passed over, as it always was.
    fn transfers(&self, request: &RefreshToken) -> Result<bool, OAuthError> {
        let mut transfers = false;
        for audience in &request.audiences {
            transfers |= self.asks_for_transfer(audience)?;
        }
        Ok(transfers)
    }

    /// Moves the grant on by one compare-and-swap; gives the token that the client shall use next, if it rotates.
    async fn advance(
        &self,
        loaded: Loaded,
        client: &Client,
        handle: &RefreshHandle,
        answer: &Answering<'_>,
        facts: &mut Facts,
    ) -> Result<Option<Secret<String>>, OAuthError> {
        let successor = self.issuer().keys().derive("refresh", &[handle.session.as_bytes(), &handle.tag, handle.secret.expose()]);
        let (mut replay, mut issued, mut again) = (None, false, false);
        let sid = loaded.id;
        let outcome = self
            .sessions()
            .change(loaded, |session, now| {
                let touch_every = touch_every(session.max_idle);
                let Some(grant) = find_grant_mut(session, client, handle) else {
                    return Change::Keep(Err("the grant was revoked meanwhile"));
                };
                let id = grant.id.clone();
                let Some(refresh) = grant.refresh.as_mut() else { return Change::Keep(Err("the grant has no refresh token")) };
                let rotate = refresh.rotate;
                let mut write = false;
                match refresh.classify(&handle.secret) {
                    Presented::Current if rotate => {
                        refresh.rotate_to(&successor, now);
                        write = true;
                    }
                    Presented::Current => {
                        if now.since(refresh.last_used) >= touch_every.min(self::touch_every(refresh.max_idle)) {
                            refresh.last_used = now;
                            write = true;
                        }
                    }
                    // The successor must be the one that was given out before: nothing changes.
                    Presented::Predecessor if refresh.current == Digest::of(successor.expose()) => {
                        facts.note = Some(codes::REFRESH_REPLAY_ANSWERED);
                        again = true;
                    }
                    Presented::Predecessor => return Change::Keep(Err("the successor cannot be derived again")),
                    Presented::Replay => {
                        replay = Some(id);
                        return Change::Keep(Err("the refresh token was used meanwhile, and its successor too"));
                    }
                }
                if answer.transfers && !session.grown {
                    session.grown = true;
                    write = true;
                }
                if let (Some(Secretly::Own(secret)), Some(device)) = (answer.device_secret, session.device.as_mut()) {
                    issued = device.accept(secret, &client.id, now);
                    write |= issued;
                }
                if write {
                    session.last_used = now;
                    if let Some(app) = session.apps.get_mut(&client.id) {
                        app.last_used = now;
                    }
                    Change::Write(Ok(rotate))
                } else if again {
                    // The first time may have been refused because the store could still lose it.
                    Change::Settle(Ok(rotate))
                } else {
                    Change::Keep(Ok(rotate))
                }
            })
            .await?;
        if let Some(id) = replay {
            return Err(Box::pin(self.punish_refresh_replay(sid, client, &id, facts)).await?);
        }
        match outcome {
            None => Err(OAuthError::invalid_grant("the session ended meanwhile")),
            Some(Err(cause)) => Err(OAuthError::invalid_grant(cause)),
            Some(Ok(rotate)) => {
                facts.change = issued.then_some(codes::DEVICE_SECRET_ISSUED);
                Ok(rotate.then(|| RefreshHandle { session: handle.session, tag: handle.tag, secret: successor }.to_text()))
            }
        }
    }

    /// The device secret that belongs into the answer: the presented one if it is this session's, else the app's own.
    async fn device_secret_for(
        &self,
        loaded: &Loaded,
        client: &Client,
        scope: &Scope,
        presented: Option<Secret<String>>,
    ) -> Result<Option<Secretly>, OAuthError> {
        let entitled = loaded.session.kind == SessionKind::Device
            && scope.contains(names::DEVICE_SSO)
            && scope.contains(names::OPENID)
            && sharing::may_receive_device_secret(client);
        if !entitled {
            return Ok(None);
        }
        if let Some(text) = presented
            && let Some(device) = self.sessions().verify_device_secret(&text).await?
            && device.id() == loaded.id
        {
            return Ok(Some(Secretly::Echo(device.secret().clone())));
        }
        // The same for this app whenever it asks without one: whichever of several answers arrives, its secret is good, and
        // so is what other apps of the device hold.
        let secret = self.issuer().keys().derive("device_secret", &[loaded.id.as_bytes(), client.id.as_bytes()]);
        Ok(Some(Secretly::Own(NewSecret::of(loaded.id, secret))))
    }

    async fn punish_refresh_replay(
        &self,
        id: SessionId,
        client: &Client,
        grant: &GrantId,
        facts: &mut Facts,
    ) -> Result<OAuthError, OAuthError> {
        self.sign_out_app(id, &client.id, grant).await?;
        facts.note = Some(codes::REFRESH_FAMILY_REVOKED);
        Ok(OAuthError::invalid_grant("a refresh token was used again after its successor; the grant is revoked"))
    }
}

/// How often "last used" is worth a write: seldom, but well within an idle limit.
fn touch_every(max_idle: Option<u64>) -> Duration {
    max_idle.map_or(TOUCH_EVERY, |idle| TOUCH_EVERY.min(Duration::from_secs(idle / 10)))
}

fn find_grant<'a>(session: &'a Session, client: &Client, handle: &RefreshHandle) -> Option<&'a Grant> {
    let tag = Digest::of(handle.tag);
    let own = session.apps.get(&client.id)?.grants.iter();
    own.filter(|grant| client.stood_at(grant.issued))
        .find(|grant| grant.refresh.as_ref().is_some_and(|refresh| refresh.tag == tag))
}

fn find_grant_mut<'a>(session: &'a mut Session, client: &Client, handle: &RefreshHandle) -> Option<&'a mut Grant> {
    let tag = Digest::of(handle.tag);
    session
        .apps
        .get_mut(&client.id)?
        .grants
        .iter_mut()
        .find(|grant| grant.refresh.as_ref().is_some_and(|refresh| refresh.tag == tag))
}
