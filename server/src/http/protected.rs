//! What our protected resources have in common: where the access token is, and how a request is refused (RFC 6750, RFC 9449 section 7).
//! Never looks at a cookie, so nothing here can be done by a page of somebody else in a person's browser.

use actix_web::{HttpRequest, HttpResponse};

use super::serve::Shared;
use super::{authorization, cors, possession, respond};
use crate::foundation::Secret;
use crate::grants::{Presentation, Scheme, Shown};
use crate::issuance::VerifiedAccessToken;
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

/// The access token of the header, checked together with the keys that it is bound to, for an endpoint whose address is that of the request.
///
/// # Errors
/// The refusal, to be answered as it is.
pub async fn token(request: &HttpRequest, shared: &Shared) -> Result<(Scheme, VerifiedAccessToken), HttpResponse> {
    let refuse = |(scheme, error): (Scheme, OAuthError)| refused(shared, request, scheme, &error);
    let Some((scheme, token)) = in_header(request).map_err(|error| refuse((Scheme::Bearer, error)))? else {
        return Err(for_everybody(respond::challenge(Scheme::Bearer, None)));
    };
    let shown = shown(request, scheme, shared).map_err(|error| refuse((scheme, error)))?;
    // Each thing has an address of its own, for which a proof is made. The issuer's path is part of it already.
    let issuer = &shared.engine.settings().server.issuer;
    let path = request.path();
    let endpoint = issuer.endpoint(path.strip_prefix(issuer.path()).unwrap_or(path));
    let presentation = Presentation { token, scheme, method: request.method().as_str(), endpoint: &endpoint, shown };
    let token = shared.engine.presented_token(&presentation).await.map_err(refuse)?;
    Ok((scheme, token))
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
