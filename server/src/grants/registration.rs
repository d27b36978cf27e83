//! Registration of clients by themselves (RFC 7591, RFC 7592, OpenID Connect Dynamic Client Registration 1.0): who may, how often, and what
//! they are answered. What may be registered is the business of `clients`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use url::Url;

use super::engine::Engine;
use crate::accounts::throttle::RetryAfter;
use crate::clients::{Allowed, Client, ClientsError, check_sector};
use crate::foundation::{Digest, Secret};
use crate::protocol::{ErrorCode, OAuthError};
use crate::settings::meaning::RegistrationMode;
use crate::telemetry::{AuditEvent, codes};

/// The time to which the limits of `[registration]` apply.
pub(super) const WINDOW: Duration = Duration::from_hours(1);

/// What a request for registration brought along.
#[derive(Debug)]
pub struct RegistrationCall<'a> {
    /// The bearer token: an initial access token, or the registration access token of a client.
    pub token: Option<&'a Secret<String>>,
    /// Where it comes from.
    pub address: Option<IpAddr>,
}

/// Who registers a client.
enum Registrar {
    /// The holder of an initial access token, by the id of that.
    Holder(String),
    /// Anybody.
    Stranger,
}

impl Engine {
    /// Registers a client (RFC 7591 section 3.1): the client, and the answer.
    ///
    /// # Errors
    /// `invalid_token` without the right to register; the errors of RFC 7591 section 3.2.2; status 429 for too many.
    pub async fn register(
        &self,
        call: &RegistrationCall<'_>,
        metadata: &Map<String, Value>,
    ) -> Result<(Arc<Client>, Map<String, Value>), OAuthError> {
        let registrar = self.registrar(call.token).await?;
        let prepared = self.clients().prepare(metadata, self.allowed())?;
        if matches!(registrar, Registrar::Stranger) {
            // Before anything is fetched for it.
            self.charge(call.address)?;
        }
        self.check_sector(prepared.client()).await?;
        let unused_until = match &registrar {
            Registrar::Holder(id) => {
                if !self.initial_tokens().take_use(id).await? {
                    return Err(no_right("the initial access token has no use left"));
                }
                None
            }
            Registrar::Stranger => self.settings().registration.unused_lifetime.map(|lifetime| self.clock().now().plus(lifetime)),
        };
        let registered = self.clients().register(prepared, unused_until).await?;
        let client = registered.added.client.clone();
        let event = AuditEvent::granted(codes::CLIENT_REGISTERED).client_id(&client.id).address(call.address);
        match &registrar {
            Registrar::Holder(id) => event.detail(&format!("initial token {id}")).emit(),
            Registrar::Stranger => event.emit(),
        }
        let answer = self.answer(&client, registered.added.to_json(), &registered.token);
        Ok((client, answer))
    }

    /// The client that a registration access token belongs to (RFC 7592 section 2).
    ///
    /// # Errors
    /// `invalid_token`, the same whether the token is wrong, the client was never, or is not one that registered itself.
    pub async fn registered_client(&self, call: &RegistrationCall<'_>, client_id: &str) -> Result<Arc<Client>, OAuthError> {
        let token = call.token.ok_or_else(|| no_right("the request has no bearer token"))?;
        // Digested before the look-up, so that an unknown client costs what a wrong token costs.
        let shown = Digest::of(token.expose());
        let client = self.clients().find(client_id).await?;
        let own = client.as_ref().and_then(|client| client.registration_token);
        match client.filter(|_| own == Some(shown)) {
            Some(client) => Ok(client),
            None => Err(no_right("the registration access token is not one of that client")),
        }
    }

    /// What a client has registered (RFC 7592 section 2.1). Its secret is not in it: only the digest is known.
    #[must_use]
    pub fn registration_of(&self, client: &Client, token: &Secret<String>) -> Map<String, Value> {
        self.answer(client, client.to_json(), token)
    }

    /// Replaces what a client has registered (RFC 7592 section 2.2). The registration access token stays: a client whose answer got lost would
    /// have none.
    ///
    /// # Errors
    /// Those of RFC 7591 section 3.2.2.
    pub async fn change_registration(
        &self,
        client: &Client,
        call: &RegistrationCall<'_>,
        token: &Secret<String>,
        metadata: &Map<String, Value>,
    ) -> Result<(Arc<Client>, Map<String, Value>), OAuthError> {
        let prepared = self.clients().prepare_change(client, metadata, self.allowed())?;
        self.check_sector(prepared.client()).await?;
        let changed = match self.clients().change(&prepared).await {
            // Deleted in the same moment.
            Err(ClientsError::Unknown(_)) => return Err(no_right("the client was deleted")),
            other => other?,
        };
        AuditEvent::granted(codes::REGISTRATION_CHANGED).client_id(&client.id).address(call.address).emit();
        let answer = self.answer(&changed.client, changed.to_json(), token);
        Ok((changed.client, answer))
    }

    /// Ends a registration, and with it all that was issued to the client (RFC 7592 section 2.3).
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_registration(&self, client: &Client, call: &RegistrationCall<'_>) -> Result<(), OAuthError> {
        if self.clients().delete(&client.id).await? {
            AuditEvent::granted(codes::REGISTRATION_ENDED).client_id(&client.id).address(call.address).emit();
        }
        Ok(())
    }

    /// Who registers. Also where anybody may, a token that is shown must be good.
    async fn registrar(&self, token: Option<&Secret<String>>) -> Result<Registrar, OAuthError> {
        match token {
            Some(token) => match self.initial_tokens().find(token.expose()).await? {
                Some(id) => Ok(Registrar::Holder(id)),
                None => Err(no_right("the initial access token is unknown, expired, revoked or used up")),
            },
            None if self.settings().registration.mode == RegistrationMode::Open => Ok(Registrar::Stranger),
            None => Err(no_right("the request has no bearer token")),
        }
    }

    /// Counts a registration by anybody.
    fn charge(&self, address: Option<IpAddr>) -> Result<(), OAuthError> {
        // Requests over a socket without addresses share one.
        let address = address.unwrap_or(IpAddr::from([0, 0, 0, 0]));
        // An attempt that is dropped counts: registering is what is counted here, not failing.
        let admitted = self.registrations().begin("registration", address, self.clock().now_millis()).map(drop);
        admitted.map_err(|wait: RetryAfter| OAuthError {
            status: Some(429),
            retry_after: Some(wait.seconds()),
            ..OAuthError::new(ErrorCode::TemporarilyUnavailable, "Too many clients were registered; try again later.")
                .because("too many registrations")
        })
    }

    /// OpenID Connect Dynamic Client Registration section 5: the document of a sector must list the redirect URIs, and nobody vouches for a
    /// stranger. What was found there instead is for the log, so that nobody looks around in the network by it.
    async fn check_sector(&self, client: &Client) -> Result<(), OAuthError> {
        let Some(uri) = client.sector_identifier_uri.as_ref().and_then(|uri| Url::parse(uri).ok()) else { return Ok(()) };
        check_sector(self.outbound(), &uri, &client.redirect_uris).await.map_err(|problem| {
            let description = "sector_identifier_uri: the document there cannot be had or does not list every one of redirect_uris; correct \
                               the document or leave it out.";
            OAuthError::new(ErrorCode::InvalidClientMetadata, description).because(format!("sector_identifier_uri: {problem}"))
        })
    }

    fn allowed(&self) -> Allowed<'_> {
        let registration = &self.settings().registration;
        Allowed {
            scopes: &registration.scopes,
            grant_types: &registration.grant_types,
            issuers: &registration.software_statement_issuers,
            certificates: self.settings().proxy.client_certificate_header.is_some(),
            now: self.clock().now(),
        }
    }

    /// The client information response (RFC 7591 section 3.2.1, RFC 7592 section 3), with what holds where nothing was said.
    fn answer(&self, client: &Client, mut out: Map<String, Value>, token: &Secret<String>) -> Map<String, Value> {
        let alg = client.id_token_signed_response_alg.unwrap_or(self.settings().tokens.signing_alg);
        out.entry("id_token_signed_response_alg").or_insert_with(|| json!(alg.as_str()));
        out.entry("subject_type").or_insert_with(|| json!("public"));
        let address = format!("/register/{}", client.id);
        out.insert("registration_client_uri".to_owned(), json!(self.settings().server.issuer.endpoint(&address)));
        out.insert("registration_access_token".to_owned(), json!(token.expose()));
        out
    }
}

/// The one answer to whoever has no right here.
fn no_right(cause: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidToken, "The access token is missing, unknown, expired, revoked or used up.").because(cause)
}
