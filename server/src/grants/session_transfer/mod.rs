//! Session transfer tokens are made: for a refresh token (the shape of Auth0), for ID token and device secret, and for ID token and access token
//! (the shape of Okta). Owns who may have one made and what it is bound to; how it is used is the authorization endpoint's.

mod request;

use std::time::Duration;

pub(super) use request::TransferRequest;

use self::request::Actor;
use super::engine::Engine;
use super::pipeline::{Facts, TokenCall};
use crate::clients::{AuthenticatedClient, Client, DeviceBinding, SessionTransfer};
use crate::foundation::Secret;
use crate::issuance::TokenResponse;
use crate::protocol::{ErrorCode, OAuthError, Scope, names};
use crate::sessions::keys::Standing;
use crate::sessions::record::Authentication;
use crate::sessions::{
    Change, Follows, Grant, Loaded, Parent, Refresh, RequestContext, Session, SessionKind, Transfer, TransferToken,
};
use crate::settings::meaning::{Factor, amr};
use crate::telemetry::codes;
use crate::tokens::Confirmation;

/// What the audience of such a token begins and ends with; the host is between.
const AUDIENCE: (&str, &str) = ("urn:", ":session_transfer");

/// A signed-in app that has a token made.
#[derive(Debug)]
pub(super) struct Maker<'a> {
    pub(super) client: &'a Client,
    /// The session it is signed in with.
    pub(super) loaded: &'a Loaded,
    /// Its grant there.
    pub(super) grant: &'a Grant,
    /// Whether it proved a key that is bound to that.
    pub(super) key_proven: bool,
    /// The request.
    pub(super) call: &'a TokenCall<'a>,
}

/// The token that is wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The only client that it shall be for.
    pub(super) target: Option<String>,
    /// Whether that is to name the app in its list.
    pub(super) interclient: bool,
    pub(super) lifetime: Duration,
}

/// What an exchange turned out to stand on.
struct SignedInApp {
    loaded: Loaded,
    grant: Grant,
    key_proven: bool,
}

/// The host whose session transfer an audience names.
fn transfer_host(audience: &str) -> Option<&str> {
    audience.strip_prefix(AUDIENCE.0)?.strip_suffix(AUDIENCE.1)
}

impl Engine {
    /// Whether an audience asks for a session transfer token, of whichever server.
    pub(super) fn names_a_transfer(audience: &str) -> bool {
        transfer_host(audience).is_some()
    }

    /// Whether an audience asks for a session transfer token of this server.
    ///
    /// # Errors
    /// `invalid_target` when it is that of another one.
    pub(super) fn asks_for_transfer(&self, audience: &str) -> Result<bool, OAuthError> {
        let Some(host) = transfer_host(audience) else { return Ok(false) };
        let url = &self.settings().server.issuer.url;
        let own = url.host_str().unwrap_or_default();
        let host = host.to_ascii_lowercase();
        let with_port = url.port_or_known_default().map(|port| format!("{own}:{port}"));
        if host == own || with_port.is_some_and(|own| own == host) || self.settings().session_transfer.hosts.contains(&host) {
            return Ok(true);
        }
        Err(OAuthError::new(ErrorCode::InvalidTarget, "The audience names the session transfer of another host."))
    }

    /// Makes a token. The session counts as one from which others grew only once that was written to it (`Session::grown`).
    ///
    /// # Errors
    /// Why not; `unauthorized_client` when the client may not have any made.
    pub(super) async fn make_transfer_token(&self, maker: Maker<'_>, wanted: Wanted) -> Result<Secret<String>, OAuthError> {
        let Maker { client, loaded, grant, key_proven, call } = maker;
        let signed_in_by = self.signed_in_by(client, loaded, grant);
        let Wanted { target, interclient, lifetime } = wanted;
        let rules = &client.session_transfer;
        if rules.binding == DeviceBinding::Key && !key_proven {
            let description =
                "The client's session transfer tokens are bound to keys: prove the key of the refresh token or device session.";
            return Err(OAuthError::new(ErrorCode::InvalidDpopProof, description));
        }
        if loaded.session.kind == SessionKind::Device {
            self.check_age(&loaded.session)?;
        }
        if loaded.session.parent.is_some() {
            let description = "What came from a session transfer token cannot have another one made.";
            return Err(OAuthError::new(ErrorCode::InvalidGrant, description));
        }
        let follows = match (rules.cascade, loaded.session.kind) {
            (true, _) => Follows::App,
            (false, SessionKind::Device) => Follows::Session,
            (false, _) => Follows::Nothing,
        };
        // Only the first factor is carried over: whoever wants more asks for what is missing.
        let amr = amr(&[Factor::Password]);
        let acr = self.settings().sign_in.levels.reached(&amr).1.acr.clone();
        let token = TransferToken {
            sub: loaded.session.sub.clone(),
            authentication: Authentication { time: loaded.session.auth_time, acr, amr },
            parent: Parent {
                session: loaded.id,
                grant: signed_in_by.map(|(grant, _)| grant.id.clone()),
                follows,
                until: [loaded.session.ends_at_latest(), signed_in_by.and_then(|(_, refresh)| refresh.expires)]
                    .into_iter()
                    .flatten()
                    .min(),
                transfer: Some(Transfer {
                    client_id: client.id.clone(),
                    scope: grant.scope.clone(),
                    context: RequestContext::new(call.address, self.networks().origin(call.address).asn, call.user_agent),
                }),
            },
            target,
            interclient,
            key_proven,
            issued: self.clock().now(),
        };
        Ok(self.transfer_tokens().issue(token, lifetime).await?)
    }

    /// The refresh token by which an app is signed in: the one of the grant that speaks for it, else the one that it used last. None where it
    /// has none: its other grants come and go with the access tokens of a day.
    fn signed_in_by<'a>(&self, client: &Client, loaded: &'a Loaded, grant: &'a Grant) -> Option<(&'a Grant, &'a Refresh)> {
        let with_refresh = |grant: &'a Grant| grant.refresh.as_ref().map(|refresh| (grant, refresh));
        let last = || self.living_grants(client, loaded).filter_map(with_refresh).max_by_key(|(_, refresh)| refresh.last_used);
        with_refresh(grant).or_else(last)
    }

    /// The grants by which a client is signed in to a session.
    fn living_grants<'a>(&self, client: &Client, loaded: &'a Loaded) -> impl Iterator<Item = &'a Grant> {
        let now = self.clock().now();
        let grants = loaded.session.apps.get(&client.id).into_iter().flat_map(|app| &app.grants);
        grants.filter(move |grant| client.stood_at(grant.issued) && grant.is_alive(now))
    }

    /// Hangs the session of a refresh token on the web session that it was granted in, or on what that grew from
    /// (`enforce_online_refresh_tokens` of either client). It lives no longer than what it hangs on.
    ///
    /// # Errors
    /// `invalid_grant` when the web session has ended meanwhile.
    pub(super) async fn hang(&self, session: &mut Session, web: Loaded, client: &Client) -> Result<(), OAuthError> {
        let Some(above) = web.session.parent.clone() else { return Ok(()) };
        let origin = match &above.transfer {
            Some(transfer) => self.clients().find(&transfer.client_id).await?,
            None => None,
        };
        let either = |says: fn(&SessionTransfer) -> bool| {
            says(&client.session_transfer) || origin.as_ref().is_some_and(|origin| says(&origin.session_transfer))
        };
        let cascades = either(|rules| rules.cascade);
        let above = if cascades { Box::new(above.cascading()) } else { above };
        let parent = if either(|rules| rules.online_refresh_tokens) {
            let (id, until) = (web.id, web.session.ends_at_latest());
            let marked = self.sessions().change(web, |web, _| {
                web.grown = true;
                // What hangs on it ends with the app's sign-in, so it does, too.
                if cascades {
                    web.parent = Some(above.clone());
                }
                Change::Write(())
            });
            marked.await?.ok_or_else(|| OAuthError::invalid_grant("the web session ended meanwhile"))?;
            Box::new(Parent { session: id, grant: None, follows: Follows::Session, until, transfer: None })
        } else {
            above
        };
        session.end_by(parent.until);
        session.parent = Some(parent);
        Ok(())
    }

    /// Whether a client may have such tokens made.
    ///
    /// # Errors
    /// `unauthorized_client` when not.
    pub(super) fn check_may_transfer(client: &Client) -> Result<(), OAuthError> {
        if client.session_transfer.can_create {
            return Ok(());
        }
        let description =
            "The client is not registered to have session transfer tokens made (can_create_session_transfer_token).";
        Err(OAuthError::new(ErrorCode::UnauthorizedClient, description))
    }

    /// An exchange that asks for such a token.
    pub(super) async fn exchange_for_transfer(
        &self,
        client: &AuthenticatedClient,
        request: TransferRequest,
        confirmation: &Confirmation,
        call: &TokenCall<'_>,
        facts: &mut Facts,
    ) -> Result<TokenResponse, OAuthError> {
        let client = client.client();
        Self::check_may_transfer(client)?;
        let target = self.target(client, &request).await?;
        let proven = match &request.actor {
            Actor::DeviceSecret(_) => self.prove_device(client, &request, confirmation, facts).await?,
            Actor::AccessToken(_) => self.prove_access(client, &request, confirmation, facts).await?,
        };
        let settings = &self.settings().session_transfer;
        let interclient = request.token_type == names::TYPE_INTERCLIENT;
        let lifetime = if interclient { settings.interclient_lifetime } else { settings.lifetime };
        let (loaded, grant, key_proven) = (proven.loaded, proven.grant, proven.key_proven);
        let maker = Maker { client, loaded: &loaded, grant: &grant, key_proven, call };
        let token = self.make_transfer_token(maker, Wanted { target, interclient, lifetime }).await?;
        let marked = self.sessions().change(loaded, |session, now| {
            session.last_used = now;
            session.grown = true;
            Change::Write(())
        });
        if marked.await?.is_none() {
            return Err(OAuthError::invalid_grant("the session ended meanwhile"));
        }
        Ok(TokenResponse::transfer(token, lifetime, request.token_type))
    }

    /// The client that a token is for, of the audiences of an exchange.
    async fn target(&self, maker: &Client, request: &TransferRequest) -> Result<Option<String>, OAuthError> {
        let refused = |description| OAuthError::new(ErrorCode::InvalidTarget, description);
        let interclient = request.token_type == names::TYPE_INTERCLIENT;
        let (mut here, mut target) = (interclient, None);
        for audience in &request.audiences {
            if !interclient && self.asks_for_transfer(audience)? {
                here = true;
                continue;
            }
            let id = if interclient { audience.strip_prefix(names::INTERCLIENT_TARGET) } else { Some(audience.as_str()) };
            let named = id.map(|id| self.clients().find(id));
            let Some(Some(client)) = (match named {
                Some(found) => Some(found.await?),
                None => None,
            }) else {
                return Err(refused("An audience is neither the session transfer of this server nor a client of it."));
            };
            if target.replace(client).is_some() {
                return Err(refused("A session transfer token is for one client at most."));
            }
        }
        if !here {
            return Err(refused("The audience of the session transfer is missing: urn:HOST:session_transfer."));
        }
        let Some(client) = target else {
            return if interclient { Err(refused("An interclient token is for one client: name it.")) } else { Ok(None) };
        };
        let rules = &client.session_transfer;
        let trusted = if interclient { rules.origins.is_some() && rules.admits(&maker.id) } else { rules.admits(&maker.id) };
        if !trusted || !(rules.by_cookie || rules.by_query) {
            return Err(refused("The client that the token is for does not take people from this client."));
        }
        Ok(Some(client.id.clone()))
    }

    /// ID token and device secret, laid side by side as for any other exchange. The app must be signed in on the device itself.
    async fn prove_device(
        &self,
        client: &Client,
        request: &TransferRequest,
        confirmation: &Confirmation,
        facts: &mut Facts,
    ) -> Result<SignedInApp, OAuthError> {
        let Actor::DeviceSecret(secret) = &request.actor else { return Err(OAuthError::invalid_grant("no device secret")) };
        let pair = self.verify_pair(&request.id_token, secret, facts).await?;
        let standing = self.check_keys(client, &pair.device, confirmation, request.voucher.as_ref());
        let standing = standing.inspect_err(|_| facts.note = Some(codes::DEVICE_KEY_REFUSED))?;
        if standing == Standing::MayEnrol {
            facts.note = Some(codes::DEVICE_KEY_REFUSED);
            return Err(OAuthError::invalid_grant("the key is not enrolled in the device session; an exchange enrols it"));
        }
        let sharing = self.verify_sharing(client, &pair.source, pair.issued, pair.device.session()).await;
        sharing.inspect_err(|error| facts.note_refusal(codes::CLIENT_NOT_IN_FAMILY, error)).map(drop)?;
        let (_, loaded) = pair.device.into_parts();
        // What it was used with last speaks for the app.
        let used = |grant: &&Grant| grant.refresh.as_ref().map_or(grant.issued, |refresh| refresh.last_used);
        let grant = self.living_grants(client, &loaded).max_by_key(used).cloned();
        let grant = grant.ok_or_else(|| OAuthError::invalid_grant("the app is not signed in on this device"))?;
        Ok(SignedInApp { loaded, grant, key_proven: standing == Standing::Enrolled })
    }

    /// ID token and access token of one sign-in of this client, the access token with the scope `interclient_access`.
    async fn prove_access(
        &self,
        client: &Client,
        request: &TransferRequest,
        confirmation: &Confirmation,
        facts: &mut Facts,
    ) -> Result<SignedInApp, OAuthError> {
        let Actor::AccessToken(text) = &request.actor else { return Err(OAuthError::invalid_grant("no access token")) };
        let token = self.verify_access_token(text.expose()).await?;
        let token = token.ok_or_else(|| OAuthError::invalid_grant("the access token is not active"))?;
        let claims = token.claims();
        if claims.client_id != client.id {
            return Err(OAuthError::invalid_grant("the access token was issued to another client"));
        }
        if Scope::parse(&claims.scope).map_or(true, |scope| !scope.contains(names::INTERCLIENT_ACCESS)) {
            return Err(OAuthError::new(ErrorCode::InvalidScope, "The access token has not the scope interclient_access."));
        }
        let bound = claims.confirmation();
        if !bound.is_met_by(confirmation) {
            let code = if bound.jkt == confirmation.jkt { ErrorCode::InvalidGrant } else { ErrorCode::InvalidDpopProof };
            return Err(OAuthError::new(code, "The access token is bound to a key that was not proven."));
        }
        let key_proven = bound.jkt.is_some();
        let sid = claims.sid.ok_or_else(|| OAuthError::invalid_grant("the access token is of no person"))?;
        let loaded = self.sessions().find(sid).await?.ok_or_else(|| OAuthError::invalid_grant("the session has ended"))?;
        facts.sid = Some(sid);
        facts.subject = Some(loaded.session.sub.clone());
        let grant = token.grant().cloned().ok_or_else(|| OAuthError::invalid_grant("the access token is of no grant"))?;
        let id = self.verify_id_token(&request.id_token).await?;
        if id.claims.sid != Some(sid)
            || !id.claims.aud.contains(&client.id)
            || !self.issuer().is_subject(client, &id.claims.sub, &loaded.session.sub)
        {
            return Err(OAuthError::invalid_grant("ID token and access token are not of the same sign-in"));
        }
        Ok(SignedInApp { loaded, grant, key_proven })
    }
}
