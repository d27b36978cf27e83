//! The mint: signs what the guard let through, writes the session with one compare-and-swap, and only then answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::access::{self, AccessClaims};
use super::guard::{IdTokenPlan, IssuePlan};
use super::id_token::{self, IdTokenClaims};
use super::response::Minted;
use crate::accounts::{Factors, People, PeopleError};
use crate::clients::ClientKeys;
use crate::foundation::{Clock, Secret, Timestamp, encoding, random};
use crate::protocol::{OAuthError, names};
use crate::sessions::record::Authentication;
use crate::sessions::{DeviceSecret, GrantId, Notices, Sessions};
use crate::settings::Settings;
use crate::settings::meaning::{AccessTokenFormat, SigningAlg};
use crate::storage::{SharedStore, StorageError};
use crate::tokens::Confirmation;
use crate::tokens::keys::SigningKeys;
use crate::tokens::session_id::SessionId;

/// Everything that issuing needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Issuer {
    settings: Arc<Settings>,
    clock: Clock,
    store: SharedStore,
    keys: SigningKeys,
    sessions: Sessions,
    people: People,
    factors: Factors,
    client_keys: ClientKeys,
}

/// Whose tokens are minted, and in which session.
#[derive(Debug)]
pub struct Bearer<'a> {
    /// The person, as the server knows them, or the client itself. Tokens name them as the client does.
    pub sub: &'a str,
    /// The session and how its person authenticated; none for a client acting for itself.
    pub session: Option<(SessionId, &'a Authentication)>,
    /// The grant that the tokens belong to.
    pub grant: Option<&'a GrantId>,
    /// From the authorization request.
    pub nonce: Option<&'a str>,
    /// The device secret that goes out with the ID token.
    pub device_secret: Option<&'a DeviceSecret>,
    /// The keys that the access token is bound to.
    pub confirmation: &'a Confirmation,
}

impl Issuer {
    /// An issuer of these parts.
    #[must_use]
    pub fn new(
        settings: Arc<Settings>,
        clock: Clock,
        store: SharedStore,
        keys: SigningKeys,
        people: People,
        client_keys: ClientKeys,
    ) -> Self {
        let sessions = Sessions::new(Arc::clone(&store), clock.clone());
        let factors = Factors::new(Arc::clone(&store), clock.clone(), keys.sealing().clone());
        Self { settings, clock, store, keys, sessions, people, factors, client_keys }
    }

    /// The same, telling clients of sessions that end.
    #[must_use]
    pub fn telling(self, notices: Notices) -> Self {
        Self { sessions: self.sessions.telling(notices), ..self }
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &SharedStore {
        &self.store
    }

    /// The signing keys.
    #[must_use]
    pub const fn keys(&self) -> &SigningKeys {
        &self.keys
    }

    /// The sessions.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The public keys of clients.
    pub(super) const fn client_keys(&self) -> &ClientKeys {
        &self.client_keys
    }

    /// The people.
    #[must_use]
    pub const fn people(&self) -> &People {
        &self.people
    }

    /// The second factors of people.
    #[must_use]
    pub const fn factors(&self) -> &Factors {
        &self.factors
    }

    /// Signs what the plan says. Nothing is stored and nothing handed out yet.
    ///
    /// # Errors
    /// `server_error` when a key is missing (encryption asked for and nobody's key known) or the store fails.
    pub async fn mint(&self, plan: &IssuePlan, bearer: &Bearer<'_>) -> Result<Minted, OAuthError> {
        let now = self.clock.now();
        let (access_token, record) = self.mint_access_token(plan, bearer, now).await?;
        let id_token = match plan.id_token() {
            None => None,
            Some(id_plan) => Some(self.mint_id_token(plan, id_plan, bearer, Some(access_token.expose()), now).await?),
        };
        Ok(Minted {
            access_token,
            record,
            id_token,
            token_type: bearer.confirmation.token_type(),
            expires_in: plan.access_lifetime().as_secs(),
            scope: Some(plan.scope().clone()),
        })
    }

    /// Signs the ID token of a plan alone, to go out with a token that is no access token.
    ///
    /// # Errors
    /// As [`Issuer::mint`].
    pub async fn mint_beside(
        &self,
        plan: &IssuePlan,
        bearer: &Bearer<'_>,
        token: Secret<String>,
        lifetime: Duration,
    ) -> Result<Minted, OAuthError> {
        let id_token = match plan.id_token() {
            None => None,
            Some(id_plan) => Some(self.mint_id_token(plan, id_plan, bearer, None, self.clock.now()).await?),
        };
        Ok(Minted {
            access_token: token,
            record: None,
            id_token,
            token_type: names::NOT_APPLICABLE,
            expires_in: lifetime.as_secs(),
            scope: None,
        })
    }

    /// Stores what an opaque or encrypted access token stands for. To be called when the grant itself is written.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn record(&self, minted: &Minted) -> Result<(), StorageError> {
        let Some(claims) = &minted.record else { return Ok(()) };
        let value = access::encode(claims)?;
        self.store.insert(access::record_key(minted.access_token.expose()), value, Some(claims.exp)).await?;
        Ok(())
    }

    async fn mint_access_token(
        &self,
        plan: &IssuePlan,
        bearer: &Bearer<'_>,
        now: Timestamp,
    ) -> Result<(Secret<String>, Option<AccessClaims>), OAuthError> {
        let claims = self.access_claims(plan, bearer, now).await?;
        let template = plan.access();
        if self.format(plan) == AccessTokenFormat::Opaque {
            return Ok((Secret::new(access::opaque_text()), Some(claims)));
        }
        let jws = self
            .keys
            .sign(self.settings.tokens.signing_alg, access::TYP, &claims)
            .map_err(|error| OAuthError::server_error(error.to_string()))?;
        if !template.encrypt {
            return Ok((Secret::new(jws), None));
        }
        let jwe = self
            .recipient(plan, &claims)
            .await?
            .encrypt(&jws, Some(access::TYP))
            .map_err(|error| OAuthError::server_error(error.to_string()))?;
        Ok((Secret::new(jwe), Some(claims)))
    }

    async fn access_claims(&self, plan: &IssuePlan, bearer: &Bearer<'_>, now: Timestamp) -> Result<AccessClaims, OAuthError> {
        let tokens = &self.settings.tokens;
        let issuer = &self.settings.server.issuer.text;
        let audience = if plan.access().audience.is_empty() {
            vec![tokens.access_token_audience.clone().unwrap_or_else(|| issuer.clone())]
        } else {
            plan.access().audience.clone()
        };
        let unique = encoding::encode(random::bytes::<12>());
        let authentication = bearer.session.map(|(_, authentication)| authentication);
        let named = &plan.scope_claims().access_token;
        let person =
            if bearer.session.is_none() || named.is_empty() { Map::new() } else { self.person_claims(bearer.sub, named).await? };
        Ok(AccessClaims {
            iss: issuer.clone(),
            sub: self.subject_of(plan, bearer),
            aud: audience.into(),
            exp: now.plus(plan.access_lifetime()),
            iat: now,
            jti: bearer.grant.map_or_else(|| unique.clone(), |grant| format!("{}.{unique}", grant.0)),
            client_id: plan.client().id.clone(),
            scope: plan.scope().to_string(),
            sid: bearer.session.map(|(sid, _)| sid),
            auth_time: authentication.map(|authentication| authentication.time),
            acr: authentication.map(|authentication| authentication.acr.clone()),
            amr: authentication.map(|authentication| authentication.amr.clone()).unwrap_or_default(),
            cnf: bearer.confirmation.claim(),
            data: plan.access().data.clone(),
            person,
        })
    }

    /// The `sub` of the tokens.
    fn subject_of(&self, plan: &IssuePlan, bearer: &Bearer<'_>) -> String {
        if bearer.session.is_some() { self.subject_for(plan.client(), bearer.sub).into_owned() } else { bearer.sub.to_owned() }
    }

    async fn mint_id_token(
        &self,
        plan: &IssuePlan,
        id_plan: &IdTokenPlan,
        bearer: &Bearer<'_>,
        access_token: Option<&str>,
        now: Timestamp,
    ) -> Result<Secret<String>, OAuthError> {
        let alg = self.id_token_alg(plan);
        let mut claims = self.id_token_claims(plan, id_plan, bearer, now).await?;
        claims.at_hash = access_token.map(|token| crate::tokens::at_hash(alg, token));
        let client = plan.client();
        self.protect(client, id_token::TYP, &claims, alg, client.id_token_encryption.as_ref()).await.map(Secret::new)
    }

    fn id_token_alg(&self, plan: &IssuePlan) -> SigningAlg {
        plan.client().id_token_signed_response_alg.unwrap_or(self.settings.tokens.signing_alg)
    }

    async fn id_token_claims(
        &self,
        plan: &IssuePlan,
        id_plan: &IdTokenPlan,
        bearer: &Bearer<'_>,
        now: Timestamp,
    ) -> Result<IdTokenClaims, OAuthError> {
        let mut other = id_plan.claims.clone();
        let named = [&id_plan.person_claims[..], plan.id_token_claims(), &plan.scope_claims().id_token].concat();
        if !named.is_empty() {
            other.extend(self.person_claims(bearer.sub, &named).await?);
        }
        let authentication = bearer.session.map(|(_, authentication)| authentication);
        Ok(IdTokenClaims {
            iss: self.settings.server.issuer.text.clone(),
            sub: self.subject_of(plan, bearer),
            aud: vec![plan.client().id.clone()].into(),
            exp: now.plus(id_plan.lifetime),
            iat: now,
            auth_time: authentication.map(|authentication| authentication.time),
            acr: authentication.map(|authentication| authentication.acr.clone()),
            amr: authentication.map(|authentication| authentication.amr.clone()).unwrap_or_default(),
            nonce: bearer.nonce.map(str::to_owned),
            at_hash: None,
            sid: bearer.session.map(|(sid, _)| sid),
            ds_hash: bearer.device_secret.map(|secret| secret.ds_hash().to_owned()),
            other,
        })
    }

    /// What the tokens of a plan would say, without signing or storing anything: what would be the answer's own (`jti`, `at_hash`) is
    /// left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn preview(&self, plan: &IssuePlan, bearer: &Bearer<'_>) -> Result<Value, OAuthError> {
        let now = self.clock.now();
        let mut access = json!(self.access_claims(plan, bearer, now).await?);
        access.as_object_mut().map(|claims| claims.remove("jti"));
        let id_token = match plan.id_token() {
            None => None,
            Some(id_plan) => Some(json!({
                "alg": self.id_token_alg(plan).as_str(),
                "claims": self.id_token_claims(plan, id_plan, bearer, now).await?,
            })),
        };
        let format = match (self.format(plan), plan.access().encrypt) {
            (AccessTokenFormat::Opaque, _) => "an opaque identifier that stands for these claims",
            (AccessTokenFormat::Jwt, true) => "a signed and encrypted JWT",
            (AccessTokenFormat::Jwt, false) => "a signed JWT",
        };
        Ok(json!({
            "access_token": { "format": format, "claims": access },
            "id_token": id_token,
            "refresh_token": plan.refresh().map(|terms| json!({
                "lifetime": terms.lifetime.map(|life| life.as_secs()),
                "max_idle": terms.max_idle.map(|idle| idle.as_secs()),
                "rotate": terms.rotate,
            })),
            "userinfo_claims": plan.user_info_claims(),
        }))
    }

    fn format(&self, plan: &IssuePlan) -> AccessTokenFormat {
        plan.access().format().or(plan.client().access_token_format).unwrap_or(self.settings.tokens.access_token_format)
    }

    /// The named claims of a person, as far as they have them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn person_claims(&self, sub: &str, names: &[String]) -> Result<Map<String, Value>, PeopleError> {
        let Some(person) = self.people.find_by_sub(sub).await? else { return Ok(Map::new()) };
        let wanted: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        Ok(person.claims.into_iter().filter(|(name, _)| wanted.contains(name.as_str())).collect())
    }
}
