//! Token exchange of Native SSO (RFC 8693, Native SSO 1.0 draft 08 section 4): ID token and device secret, laid side by
//! side, admit the next app on the same device. The core proves; the device-SSO handler decides; the guard bounds.

use std::net::IpAddr;
use std::sync::Arc;

use super::engine::Engine;
use super::pipeline::Facts;
use super::request::TokenExchange;
use super::target;
use crate::clients::sharing::{self, Ceiling};
use crate::clients::{AuthenticatedClient, Client};
use crate::foundation::digest::constant_time_eq;
use crate::foundation::random;
use crate::issuance::TokenResponse;
use crate::issuance::guard::{self, Limits};
use crate::issuance::handler::Question;
use crate::issuance::id_token::{self, IdTokenClaims};
use crate::issuance::mint::Bearer;
use crate::protocol::{ErrorCode, OAuthError, Scope, names};
use crate::sessions::{Change, GrantId, VerifiedDevice};
use crate::tokens::handle::RefreshHandle;

impl Engine {
    pub(super) async fn exchange(
        &self,
        client: &AuthenticatedClient,
        request: TokenExchange,
        address: Option<IpAddr>,
        facts: &mut Facts,
    ) -> Result<TokenResponse, OAuthError> {
        let client = client.client();
        self.check_audience(&request.audiences)?;
        let resources = target::check(request.resources.clone(), self.settings())?;
        if request.scope.as_ref().is_some_and(|scope| !scope.is_subset(&client.scope)) {
            return Err(OAuthError::new(ErrorCode::InvalidScope, "The scope is beyond what this client is registered for."));
        }
        let claims = self.verify_subject_token(&request)?;
        let device = self.verify_device(&request, &claims, facts).await?;
        let ceiling = self.verify_sharing(client, &claims).await?;
        self.check_age(&device)?;

        let grantable = match &ceiling.scope {
            Some(ceiling) => client.scope.intersection(ceiling),
            None => client.scope.clone(),
        };
        // Without a request: what the person agreed to for any app of the device, as far as this client may have it.
        let mut consented = Scope::default();
        for grant in device.session().apps.values().flat_map(|app| &app.grants) {
            grant.scope.iter().for_each(|value| consented.insert(value));
        }
        let default_scope = grantable.intersection(&consented);
        let now = self.clock().now();
        let question = Question {
            client,
            claims: &claims,
            sid: device.id(),
            session: device.session(),
            requested_scope: request.scope.as_ref(),
            default_scope: &default_scope,
            grantable_scope: &grantable,
            claims_request: request.claims.as_ref(),
            acr_values: &request.acr_values,
            resources: &resources,
            parameters: &request.others,
            address,
            now,
        };
        let mut proposal = self.handlers().ask(&question, self.settings()).await?;
        if proposal.access.audience.is_empty() {
            proposal.access.audience = resources;
        }
        let limits =
            Limits { client, grantable: &grantable, session: Some(device.session()), offline: ceiling.offline_access, now };
        let plan = guard::clamp(proposal, &limits, self.settings());
        facts.clamps = plan.clamps().to_vec();
        if plan.scope().is_empty() {
            return Err(OAuthError::new(ErrorCode::InvalidScope, "Nothing of the scope can be granted to this client here."));
        }

        let tag = random::bytes::<16>();
        let grant_id = GrantId::of_tag(&tag);
        let (device_secret, loaded) = device.into_parts();
        let authentication = loaded.session.authentication();
        let sub = loaded.session.sub.clone();
        let bearer = Bearer {
            sub: &sub,
            session: Some((loaded.id, &authentication)),
            grant: Some(&grant_id),
            nonce: None,
            // The ID token of an exchange carries ds_hash and sid too, so that this app can bring in the next.
            device_secret: Some(&device_secret),
        };
        let minted = self.issuer().mint(&plan, &bearer).await?;
        let secret = random::secret();
        let stored = plan.grant(&tag, &secret, self.settings(), now);
        let sid = loaded.id;
        self.issuer().record(&minted).await?;
        let written = self
            .sessions()
            .change(loaded, |session, now| {
                session.add_grant(&client.id, stored.clone(), now);
                Change::Write(())
            })
            .await?;
        if written.is_none() {
            return Err(OAuthError::invalid_grant("the device session ended while the exchange was under way"));
        }
        let refresh = plan.refresh().map(|_| RefreshHandle { session: sid, tag, secret }.to_text());
        // Secret and ID token go out together or not at all, and only to an app that may carry the sign-on further.
        let carries_on =
            plan.id_token().is_some() && plan.scope().contains(names::DEVICE_SSO) && sharing::may_receive_device_secret(client);
        Ok(TokenResponse::new(minted)
            .with_refresh_token(refresh)
            .with_device_secret(Some(&device_secret).filter(|_| carries_on), client.compat_device_token)
            .of_type(names::TYPE_ACCESS_TOKEN))
    }

    /// The `audience` must be the issuer (Native SSO section 4.2).
    fn check_audience(&self, audiences: &[String]) -> Result<(), OAuthError> {
        let issuer = &self.settings().server.issuer.text;
        if audiences.iter().all(|audience| audience.trim_end_matches('/') == issuer.trim_end_matches('/')) {
            Ok(())
        } else {
            Err(OAuthError::new(
                ErrorCode::InvalidTarget,
                "The audience of this exchange must be the issuer; name an API by resource.",
            ))
        }
    }

    /// The subject token: an ID token of ours, signed by a key of ours. It may have expired (Native SSO section 6.3).
    fn verify_subject_token(&self, request: &TokenExchange) -> Result<IdTokenClaims, OAuthError> {
        let verified = self
            .issuer()
            .keys()
            .verify::<IdTokenClaims>(request.subject_token.expose())
            .map_err(|error| OAuthError::invalid_grant(format!("the ID token was refused: {error}")))?;
        if verified.typ.as_deref() != Some(id_token::TYP) {
            return Err(OAuthError::invalid_grant("the subject token is no ID token"));
        }
        if verified.claims.iss != self.settings().server.issuer.text {
            return Err(OAuthError::invalid_grant("the ID token names another issuer"));
        }
        Ok(verified.claims)
    }

    /// The device secret is accepted by a living session, and the ID token is bound to both (Native SSO section 4.3, 1-4).
    async fn verify_device(
        &self,
        request: &TokenExchange,
        claims: &IdTokenClaims,
        facts: &mut Facts,
    ) -> Result<VerifiedDevice, OAuthError> {
        let device = self
            .sessions()
            .verify_device_secret(&request.actor_token)
            .await?
            .ok_or_else(|| OAuthError::invalid_grant("the device secret is unknown, or its session has ended"))?;
        facts.sid = Some(device.id());
        facts.subject = Some(device.session().sub.clone());
        let bound =
            claims.ds_hash.as_deref().is_some_and(|hash| constant_time_eq(hash.as_bytes(), device.secret().ds_hash().as_bytes()));
        if !bound {
            return Err(OAuthError::invalid_grant("ds_hash of the ID token does not match the device secret"));
        }
        if claims.sid != Some(device.id()) {
            return Err(OAuthError::invalid_grant("sid of the ID token is not the device secret's session"));
        }
        if claims.sub != device.session().sub {
            return Err(OAuthError::invalid_grant("sub of the ID token is not the device session's person"));
        }
        Ok(device)
    }

    /// Whether the app that was given the ID token may bring in this client (Native SSO section 4.3, 5).
    async fn verify_sharing(&self, target: &Arc<Client>, claims: &IdTokenClaims) -> Result<Ceiling, OAuthError> {
        let source = claims.client_id().ok_or_else(|| OAuthError::invalid_grant("the ID token has no audience"))?;
        let source =
            self.clients().find(source).await?.ok_or_else(|| OAuthError::invalid_grant("the ID token's client is gone"))?;
        sharing::may_share(&source, target).map_err(|not| OAuthError::invalid_grant(not.to_string()))
    }

    /// A sign-in that is too old must be renewed in the browser (`sessions.device.auth_lifetime`).
    fn check_age(&self, device: &VerifiedDevice) -> Result<(), OAuthError> {
        let age = self.clock().now().since(device.session().auth_time);
        match self.settings().sessions.device.auth_lifetime {
            Some(most) if age >= most => {
                let mut error = OAuthError::new(
                    ErrorCode::InteractionRequired,
                    "The sign-in on this device is too old; the person must sign in again.",
                );
                error.members.insert("max_age".to_owned(), most.as_secs().into());
                Err(error)
            }
            _ => Ok(()),
        }
    }
}
