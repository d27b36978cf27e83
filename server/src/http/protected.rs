//! What our protected resources have in common: where the access token is, and how a request is refused (RFC 6750, RFC 9449 section 7).
//! Never looks at a cookie, so nothing here can be done by a page of somebody else in a person's browser.

use actix_web::{HttpRequest, HttpResponse};

use super::serve::Shared;
use super::{authorization, cors, possession, respond};
use crate::foundation::Secret;
use crate::grants::{Scheme, Shown};
use crate::protocol::OAuthError;

/// The token of the `Authorization` header; `None` when there is none, or one of another scheme.
///
/// # Errors
/// `invalid_request` when the header is malformed, or there are two.
pub fn in_header(request: &HttpRequest) -> Result<Option<(Scheme, Secret<String>)>, OAuthError> {
    let Some(text) = authorization::header(request)? else { return Ok(None) };
    let malformed = || OAuthError::invalid_request("The Authorization header is not of the form: Bearer token, or: DPoP token.");
    let (scheme, token) = text.split_once(' ').ok_or_else(malformed)?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Scheme::Bearer,
        "dpop" => Scheme::Dpop,
        _ => return Ok(None),
    };
    match token.trim() {
        "" => Err(malformed()),
        token => Ok(Some((scheme, Secret::new(token.to_owned())))),
    }
}

/// What the request shows beside a token of that scheme. What only a token bound to a key needs is looked at for nobody else.
///
/// # Errors
/// `invalid_dpop_proof` with status 401.
pub fn shown<'a>(request: &'a HttpRequest, scheme: Scheme, shared: &Shared) -> Result<Shown<'a>, OAuthError> {
    let proxy = &shared.engine.settings().proxy;
    match scheme {
        Scheme::Bearer => Ok(possession::certificate(request, proxy)),
        Scheme::Dpop => possession::shown(request, proxy).map_err(|error| OAuthError { status: Some(401), ..error }),
    }
}

/// A refusal, to be answered by that scheme.
pub fn refused(shared: &Shared, request: &HttpRequest, scheme: Scheme, error: &OAuthError) -> HttpResponse {
    tracing::debug!(error = %error, cause = error.cause, "refused at a protected resource");
    let mut answer = respond::challenge(scheme, Some(error));
    possession::offer_nonce(&shared.engine, request, Some(error), &mut answer);
    for_everybody(answer)
}

/// A script must be able to tell an expired token from a broken network, and a refusal tells it nothing else.
pub fn for_everybody(mut refusal: HttpResponse) -> HttpResponse {
    cors::public(&mut refusal);
    cors::expose(&mut refusal);
    refusal
}
