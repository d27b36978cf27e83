//! What an authorization request says in the end. It may say it itself, in a request object (RFC 9101), or stand for a request that was
//! pushed (RFC 9126). Which parameters hold is decided here, once, and everything behind reads nothing but the outcome.

use std::borrow::Cow;

use super::answer::{ResponseMode, ReturnTo};
use super::arrival::{Brought, Means};
use super::pushed::{self, PREFIX};
use super::request::{MAX_ECHO, RedirectError, Refusal, speaks_openid};
use super::request_object;
use crate::clients::Client;
use crate::foundation::Digest;
use crate::grants::engine::Engine;
use crate::grants::parameters::Parameters;
use crate::outbound::Bounds;
use crate::protocol::{ErrorCode, OAuthError};

/// Which way a request came.
#[derive(Debug, Default)]
pub(super) struct Provenance {
    /// It was pushed: digest of its reference.
    pub(super) pushed: Option<Digest>,
    /// Its parameters are signed by the client.
    pub(super) signed: bool,
    /// The session transfer token that was pushed with it.
    pub(super) brought: Option<Brought>,
}

/// The parameters that hold, and where they are from.
pub(super) type Effective<'a> = (Cow<'a, Parameters>, Provenance);

impl Engine {
    /// The effective parameters of a request that a browser brings.
    ///
    /// # Errors
    /// The refusal, by redirect only to a redirect URI that the client has registered.
    pub(super) async fn resolve<'a>(&self, given: &'a Parameters, browser: Digest) -> Result<Effective<'a>, Refusal> {
        let found = match given.get("client_id") {
            Some(id) => self.clients().find(id).await.map_err(|error| Refusal::Page(error.into()))?,
            None => None,
        };
        // Whoever names no client is refused by the ordinary validation.
        let Some(client) = found else { return Ok((Cow::Borrowed(given), Provenance::default())) };
        self.resolve_of(&client, given, browser).await.map_err(|error| refusal(&client, given, error))
    }

    async fn resolve_of<'a>(&self, client: &Client, given: &'a Parameters, browser: Digest) -> Result<Effective<'a>, OAuthError> {
        let uri = given.get("request_uri");
        if uri.is_some() && given.get("request").is_some() {
            return Err(OAuthError::invalid_request("request and request_uri go not together."));
        }
        if let Some(uri) = uri.filter(|uri| uri.starts_with(PREFIX)) {
            let (reference, lifetime) = (Digest::of(uri), self.settings().sign_in.transaction_lifetime);
            let request = self.pushed().claim(&reference, client, browser, lifetime).await?.ok_or_else(pushed::gone)?;
            demand_signature(client, request.signed)?;
            // RFC 9126 section 4: what is said beside the reference counts for nothing.
            let brought = request.brought.map(|token| Brought { token, means: Means::Query });
            let provenance = Provenance { pushed: Some(reference), signed: request.signed, brought };
            return Ok((Cow::Owned(request.parameters), provenance));
        }
        if client.requests.require_pushed || self.settings().authorization.pushed_required {
            return Err(OAuthError::invalid_request("The authorization request must be pushed (RFC 9126)."));
        }
        let jwt = match (uri, given.get("request")) {
            (Some(uri), _) => Cow::Owned(self.fetch_request_object(client, uri).await?),
            (None, Some(jwt)) => Cow::Borrowed(jwt),
            (None, None) => {
                demand_signature(client, false)?;
                return Ok((Cow::Borrowed(given), Provenance::default()));
            }
        };
        let object = self.read_request_object(client, &jwt, browser.as_bytes()).await?;
        Ok((Cow::Owned(beside(client, given, object)?), Provenance { signed: true, ..Provenance::default() }))
    }

    /// The effective parameters of a request that a client pushes.
    ///
    /// # Errors
    /// The refusal.
    pub(super) async fn resolve_pushed<'a>(&self, given: &'a Parameters, client: &Client) -> Result<Effective<'a>, OAuthError> {
        let Some(jwt) = given.get("request") else {
            demand_signature(client, false)?;
            return Ok((Cow::Borrowed(given), Provenance::default()));
        };
        // RFC 9126 section 3: nothing but the object's own parameters counts.
        let parameters = self.read_request_object(client, jwt, &[]).await?;
        Ok((Cow::Owned(parameters), Provenance { signed: true, ..Provenance::default() }))
    }

    /// The request object that a client publishes at one of its registered addresses (RFC 9101 section 5.2).
    async fn fetch_request_object(&self, client: &Client, uri: &str) -> Result<String, OAuthError> {
        let refused = |description| OAuthError::new(ErrorCode::InvalidRequestUri, description);
        // Nobody but the client says where this server goes (section 10.4.1).
        let reference = client.requests.uris.iter().find_map(|own| own.reference(uri));
        let reference = reference.ok_or_else(|| refused("The request_uri is not one that the client has registered."))?;
        let bytes = self.outbound().get(reference.url, request_object::ACCEPT, Bounds::DOCUMENT).await.map_err(|error| {
            refused("The request object cannot be fetched.").because(format!("the request_uri of {}: {error}", client.id))
        })?;
        // OpenID Connect Core section 6.2
        if !reference.is_of(&bytes) {
            return Err(refused("The request object is not the one whose digest request_uri has."));
        }
        let text = String::from_utf8(bytes).map_err(|_| request_object::invalid("The request object is no text."))?;
        Ok(text.trim_ascii().to_owned())
    }

    /// The parameters of a request object, which is used up if it is meant for one use. `user` is who may bring it again: the browser that
    /// brought it first, whose page may be loaded again; empty for nobody.
    async fn read_request_object(&self, client: &Client, jwt: &str, user: &[u8]) -> Result<Parameters, OAuthError> {
        let issuer = &self.settings().server.issuer.text;
        let object = request_object::read(client, self.clients().keys(), jwt, issuer, self.clock().now()).await?;
        if let Some((key, until)) = object.use_once
            && !self.store().insert(key.clone(), user.to_vec(), Some(until)).await?
        {
            let again = |stored: &[u8]| !user.is_empty() && Digest::of(stored) == Digest::of(user);
            if !self.store().get(&key).await?.is_some_and(|stored| again(&stored.value)) {
                return Err(request_object::invalid("The request object was used before."));
            }
        }
        Ok(object.parameters)
    }
}

/// Refuses what is not signed where it must be (RFC 9101 section 10.5).
fn demand_signature(client: &Client, signed: bool) -> Result<(), OAuthError> {
    if client.requests.require_signed && !signed {
        return Err(OAuthError::invalid_request("The authorization request must be a signed request object (RFC 9101)."));
    }
    Ok(())
}

/// A request object, with what stands beside it.
///
/// RFC 9101 section 6.3 lets nothing but the object count. OpenID Connect Core section 6.1 lets what the object does not say stand beside
/// it, so that one object serves many requests, and demands `openid` there: who asks so is answered so, unless the client has said that
/// all of its requests are signed.
fn beside(client: &Client, given: &Parameters, object: Parameters) -> Result<Parameters, OAuthError> {
    if client.requests.require_signed || !speaks_openid(given) {
        return Ok(object);
    }
    let differs = |name| matches!((given.get(name), object.get(name)), (Some(outer), Some(inner)) if outer != inner);
    if differs("response_type") {
        return Err(OAuthError::invalid_request("response_type is not that of the request object."));
    }
    Ok(object.or(&given.without(&["request", "request_uri"])))
}

/// A refusal before anything of the request is known for certain: the client is told where it asked to be told, if that is its own.
fn refusal(client: &Client, given: &Parameters, error: OAuthError) -> Refusal {
    match given.get("redirect_uri").filter(|uri| client.redirect_uri_matches(uri)) {
        Some(uri) => {
            let to = ReturnTo {
                redirect_uri: uri.to_owned(),
                mode: given.get("response_mode").and_then(ResponseMode::from_name).unwrap_or_default(),
                state: given.get("state").filter(|state| state.len() <= MAX_ECHO).map(str::to_owned),
            };
            Refusal::Redirect(Box::new(RedirectError { to, error }))
        }
        None => Refusal::Page(error),
    }
}
