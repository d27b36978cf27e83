//! Token exchange of Native SSO (RFC 8693, Native SSO 1.0 draft 08 section 4): ID token and device secret, laid side by
//! side, admit the next app on the same device. The core proves; the device-SSO handler decides; the guard bounds.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;

use super::engine::Engine;
use super::hint;
use super::pipeline::{self, Facts};
use super::possession;
use super::request::TokenExchange;
use super::target;
use crate::clients::sharing::{self, Ceiling};
use crate::clients::{AuthenticatedClient, Client};
use crate::foundation::digest::constant_time_eq;
use crate::foundation::{Secret, Timestamp, random};
use crate::issuance::access::Audience;
use crate::issuance::guard::{AudienceLimit, Limits};
use crate::issuance::handler::{Purpose, Question};
use crate::issuance::mint::Bearer;
use crate::issuance::{TokenResponse, id_token};
use crate::protocol::{ErrorCode, OAuthError, Scope, names};
use crate::sessions::keys::{KeyProblem, Standing};
use crate::sessions::{Change, Entry, GrantId, Session, VerifiedDevice};
use crate::settings::meaning::KeyEnrolment;
use crate::telemetry::codes;
use crate::tokens::Confirmation;
use crate::tokens::handle::RefreshHandle;
use crate::tokens::keys::Verified;
use crate::tokens::session_id::SessionId;
use crate::tokens::voucher::{About, Voucher};

impl Engine {
    pub(super) async fn exchange(
        &self,
        client: &AuthenticatedClient,
        request: TokenExchange,
        confirmation: &Confirmation,
        address: Option<IpAddr>,
        facts: &mut Facts,
    ) -> Result<TokenResponse, OAuthError> {
        let client = client.client();
        self.check_audience(&request.audiences)?;
        let resources = target::check(request.resources.clone(), self.settings())?;
        if request.scope.as_ref().is_some_and(|scope| !scope.is_subset(&client.scope)) {
            return Err(OAuthError::new(ErrorCode::InvalidScope, "The scope is beyond what this client is registered for."));
        }
        let Pair { device, source, issued, id_token_claims } =
            self.verify_pair(&request.subject_token, &request.actor_token, facts).await?;
        let standing = self.check_keys(client, &device, confirmation, request.voucher.as_ref());
        let standing = standing.inspect_err(|_| facts.note = Some(codes::DEVICE_KEY_REFUSED))?;
        let ceiling = self.verify_sharing(client, &source, issued, device.session()).await;
        let ceiling = ceiling.inspect_err(|error| facts.note_refusal(codes::CLIENT_NOT_IN_FAMILY, error))?;
        self.check_age(device.session())?;

        let now = self.clock().now();
        let terms = self.terms(client, &ceiling, device.session(), request.scope.as_ref()).await?;
        let question = Question {
            client,
            id_token_claims: &id_token_claims,
            source_client_id: &source,
            sid: device.id(),
            session: device.session(),
            requested_scope: request.scope.as_ref(),
            default_scope: &terms.default_scope,
            grantable_scope: &terms.grantable,
            claims_request: request.claims.as_ref(),
            acr_values: &request.acr_values,
            resources: &resources,
            parameters: &request.others,
            address,
            binding: possession::token_binding(confirmation),
            purpose: Purpose::Exchange,
            now,
        };
        let limits = terms.limits(client, device.session(), &resources, now);
        let plan = self.handlers().decide(&question, &limits, self.settings()).await?;
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
            confirmation,
        };
        let minted = self.issuer().mint(&plan, &bearer).await?;
        let secret = random::secret();
        let stored = plan.grant(&tag, &secret, self.settings(), now).bound(client, confirmation);
        let sid = loaded.id;
        self.issuer().record(&minted).await?;
        let usual = self.settings().tokens.access_token_lifetime;
        let written = self
            .sessions()
            .change(loaded, |session, now| {
                let mut enrolled = false;
                if let (Standing::MayEnrol, Some(device), Some(jkt)) = (standing, session.device.as_mut(), &confirmation.jkt) {
                    // Another request of the same app may have been faster with another key.
                    let policy = self.settings().sessions.device_key_enrolment;
                    let first = policy != KeyEnrolment::FirstExchange
                        || !device.keys.iter().any(|key| key.client_id == client.id && key.thumbprint != *jkt);
                    if !first || !(device.enrol(&client.id, jkt, now) || device.has_key(jkt)) {
                        return Change::Keep(None);
                    }
                    enrolled = true;
                }
                let joins = !session.apps.contains_key(&client.id);
                let displaced = session.add_grant(&client.id, stored.clone(), Entry::LetIn(ceiling.clone()), usual, now);
                Change::Write(Some((pipeline::entered(joins, displaced.as_ref()), enrolled)))
            })
            .await?;
        let Some(change) = written else {
            return Err(OAuthError::invalid_grant("the device session ended while the exchange was under way"));
        };
        let Some((change, enrolled)) = change else {
            facts.note = Some(codes::DEVICE_KEY_REFUSED);
            return Err(OAuthError::invalid_grant("another key was enrolled while the exchange was under way"));
        };
        facts.change = change;
        facts.note = enrolled.then_some(codes::DEVICE_KEY_ENROLLED);
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
        if audiences.iter().all(|audience| audience == issuer) {
            Ok(())
        } else {
            Err(OAuthError::new(
                ErrorCode::InvalidTarget,
                "The audience of this exchange must be the issuer; name an API by resource.",
            ))
        }
    }

    /// ID token and device secret, laid side by side (Native SSO section 4.3).
    pub(super) async fn verify_pair(
        &self,
        id_token: &Secret<String>,
        device_secret: &Secret<String>,
        facts: &mut Facts,
    ) -> Result<Pair, OAuthError> {
        let pair = self.lay_together(id_token, device_secret, facts).await;
        pair.inspect_err(|error| facts.note_refusal(codes::DEVICE_SECRET_REFUSED, error))
    }

    async fn lay_together(
        &self,
        id_token: &Secret<String>,
        device_secret: &Secret<String>,
        facts: &mut Facts,
    ) -> Result<Pair, OAuthError> {
        let token = self.verify_id_token(id_token).await?;
        let source =
            token.claims.aud.first().ok_or_else(|| OAuthError::invalid_grant("the ID token has no audience"))?.to_owned();
        let issued_to = self.clients().find(&source).await?;
        let device = self.verify_device(device_secret, &token.claims, issued_to.as_deref(), facts).await?;
        Ok(Pair { device, source, issued: token.claims.iat, id_token_claims: token.payload })
    }

    /// The subject token: an ID token of ours, signed by a key of ours. It may have expired (Native SSO section 6.3).
    pub(super) async fn verify_id_token(&self, text: &Secret<String>) -> Result<Verified<SubjectClaims>, OAuthError> {
        // Whatever is inside, so this tells nothing about it (OpenID Connect Core section 3.1.2.1 has the client decrypt).
        if hint::is_encrypted(text.expose()) {
            return Err(OAuthError::invalid_request("The subject_token is encrypted; send the signed ID token that is inside."));
        }
        let verified = self
            .issuer()
            .keys()
            .recognise::<SubjectClaims>(text.expose())
            .await?
            .map_err(|error| OAuthError::invalid_grant(format!("the ID token was refused: {error}")))?;
        if verified.typ.as_deref() != Some(id_token::TYP) {
            return Err(OAuthError::invalid_grant("the subject token is no ID token"));
        }
        if verified.claims.iss != self.settings().server.issuer.text {
            return Err(OAuthError::invalid_grant("the ID token names another issuer"));
        }
        Ok(verified)
    }

    /// The device secret is accepted by a living session, and the ID token is bound to both (Native SSO section 4.3, 1-4).
    async fn verify_device(
        &self,
        device_secret: &Secret<String>,
        claims: &SubjectClaims,
        issued_to: Option<&Client>,
        facts: &mut Facts,
    ) -> Result<VerifiedDevice, OAuthError> {
        let device = self
            .sessions()
            .verify_device_secret(device_secret)
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
        // By the `sub` of the app that the ID token was issued to. If that is gone, `verify_sharing` refuses.
        if issued_to.is_some_and(|client| !self.issuer().is_subject(client, &claims.sub, &device.session().sub)) {
            return Err(OAuthError::invalid_grant("sub of the ID token is not the device session's person"));
        }
        Ok(device)
    }

    /// In a session that is bound to keys, the app proves one of them, or one that may join them now (ours: no specification binds a
    /// device secret).
    pub(super) fn check_keys(
        &self,
        client: &Client,
        device: &VerifiedDevice,
        confirmation: &Confirmation,
        voucher: Option<&Secret<String>>,
    ) -> Result<Standing, OAuthError> {
        let Some(known) = device.session().device.as_ref().filter(|known| known.is_bound()) else {
            return Ok(Standing::Unbound);
        };
        let proven = confirmation.jkt.as_deref();
        let voucher = voucher.map(|text| Voucher::read(text.expose())).transpose();
        let voucher = voucher.map_err(|error| OAuthError::invalid_grant(format!("the voucher was refused: {error}")))?;
        let about = proven.map(|thumbprint| About {
            issuer: &self.settings().server.issuer.text,
            sid: device.id(),
            client_id: &client.id,
            thumbprint,
        });
        let now = self.clock().now();
        let by = voucher.as_ref().zip(about).and_then(|(voucher, about)| voucher.vouches_for(&about, now));
        let policy = self.settings().sessions.device_key_enrolment;
        known.standing(&client.id, proven, by, policy).map_err(|problem| match problem {
            KeyProblem::Missing => OAuthError::new(
                ErrorCode::InvalidDpopProof,
                "The device session is bound to keys, and the request has no DPoP proof.",
            ),
            problem => OAuthError::invalid_grant(problem.to_string()),
        })
    }

    /// Whether the app that was given the ID token at `issued` may bring in this client (Native SSO section 4.3, 5), and how far.
    pub(super) async fn verify_sharing(
        &self,
        target: &Client,
        source: &str,
        issued: Timestamp,
        session: &Session,
    ) -> Result<Ceiling, OAuthError> {
        let gone = || OAuthError::invalid_grant("the ID token's client is gone");
        if source == target.id {
            return if target.stood_at(issued) {
                Ok(sharing::may_return(target, session.ceiling_of(source))?)
            } else {
                Err(gone())
            };
        }
        let source = self.clients().find(source).await?.filter(|source| source.stood_at(issued)).ok_or_else(gone)?;
        Ok(sharing::may_share(&source, target)?)
    }

    /// How far the exchange may go. It asks no consent, so a person's account is not opened by it: only to an app of the vendor itself, or
    /// one for which they agreed to that on the consent page.
    pub(super) async fn terms(
        &self,
        client: &Client,
        ceiling: &Ceiling,
        session: &Session,
        requested: Option<&Scope>,
    ) -> Result<Terms, OAuthError> {
        let terms = Terms::of(client, ceiling, session, requested);
        let account: Scope = [names::ACCOUNT].into_iter().collect();
        if !terms.grantable.contains(names::ACCOUNT) || self.has_agreed(&session.sub, client, &account).await? {
            return Ok(terms);
        }
        let without = |scope: &Scope| scope.difference(&account);
        Ok(Terms {
            grantable: without(&terms.grantable),
            asked: without(&terms.asked),
            default_scope: without(&terms.default_scope),
            offline: terms.offline,
        })
    }

    /// A sign-in that is too old must be renewed in the browser (`sessions.device.auth_lifetime`).
    pub(super) fn check_age(&self, session: &Session) -> Result<(), OAuthError> {
        let age = self.clock().now().since(session.auth_time);
        match self.settings().sessions.device_auth_lifetime {
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

/// An ID token and the device that it belongs to.
pub(super) struct Pair {
    /// The session, which accepts the secret.
    pub(super) device: VerifiedDevice,
    /// The client that the ID token was issued to.
    pub(super) source: String,
    /// When.
    pub(super) issued: Timestamp,
    id_token_claims: String,
}

/// The claims of an ID token that bind it to a device session. The handler is shown all of them.
#[derive(Debug, Deserialize)]
pub(super) struct SubjectClaims {
    iss: String,
    pub(super) sub: String,
    pub(super) aud: Audience,
    iat: Timestamp,
    #[serde(default)]
    pub(super) sid: Option<SessionId>,
    #[serde(default)]
    ds_hash: Option<String>,
}

/// How far an exchange may go, before any handler is asked.
#[derive(Debug)]
pub(super) struct Terms {
    /// Registered for the client and below the ceiling of the pair.
    pub(super) grantable: Scope,
    /// The same as far as it was asked for: a handler may take away from a request, never add to it.
    asked: Scope,
    /// What is meant by a request without scope: what the person agreed to for any app of the device.
    pub(super) default_scope: Scope,
    offline: bool,
}

impl Terms {
    fn of(client: &Client, ceiling: &Ceiling, session: &Session, requested: Option<&Scope>) -> Self {
        let grantable = match &ceiling.scope {
            Some(ceiling) => client.scope.intersection(ceiling),
            None => client.scope.clone(),
        };
        let grants = session.apps.values().flat_map(|app| &app.grants);
        let consented: Scope = grants.flat_map(|grant| grant.scope.iter()).collect();
        let asked = requested.map_or_else(|| grantable.clone(), |requested| grantable.intersection(requested));
        Self { default_scope: grantable.intersection(&consented), asked, grantable, offline: ceiling.offline_access }
    }

    pub(super) const fn limits<'a>(
        &'a self,
        client: &'a Arc<Client>,
        session: &'a Session,
        requested: &'a [String],
        now: Timestamp,
    ) -> Limits<'a> {
        let audience = AudienceLimit { requested, allowed: &[] };
        Limits { client, grantable: &self.asked, session: Some(session), offline: self.offline, audience, now }
    }
}
