//! What a request shows to prove that its sender holds a key: the `DPoP` header (RFC 9449) and the nonce
//! that goes back, and the certificate of its TLS connection, where a proxy forwards it (RFC 8705).

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::origin;
use crate::grants::{Engine, Shown};
use crate::protocol::{ErrorCode, OAuthError};
use crate::settings::meaning::Proxy;

const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Everything that the request shows.
///
/// # Errors
/// `invalid_dpop_proof` when there is more than one proof (RFC 9449 section 4.3, 1), or one that is no text.
pub fn shown<'a>(request: &'a HttpRequest, proxy: &Proxy) -> Result<Shown<'a>, OAuthError> {
    let refused = |why| OAuthError::new(ErrorCode::InvalidDpopProof, why);
    let mut all = request.headers().get_all(DPOP);
    let first = all.next().map(HeaderValue::to_str);
    if all.next().is_some() {
        return Err(refused("The request has more than one DPoP header."));
    }
    let proof = first.transpose().map_err(|_| refused("The DPoP proof is not one signed JWT in compact form."))?;
    Ok(Shown { proof, ..certificate(request, proxy) })
}

/// The certificate of the TLS connection alone, where a proof counts for nothing. Only trusted proxies are believed (RFC 9440 section 4).
#[must_use]
pub fn certificate<'a>(request: &'a HttpRequest, proxy: &Proxy) -> Shown<'a> {
    let header = proxy.client_certificate_header.as_deref().filter(|_| origin::is_proxied(request, proxy));
    let mut all = header.into_iter().flat_map(|name| request.headers().get_all(name));
    // Apache writes (null) where there is none. Two headers are one too many: the proxy has let the client's own through.
    let only = match (all.next(), all.next()) {
        (Some(only), None) => only.to_str().ok().filter(|text| !text.is_empty() && *text != "(null)"),
        _ => None,
    };
    Shown { proof: None, certificate: only }
}

/// Adds the nonce that the next proof must repeat to the answer of a request that has a proof or lacks one (RFC 9449 section 8).
pub fn offer_nonce(engine: &Engine, request: &HttpRequest, error: Option<&OAuthError>, answer: &mut HttpResponse) {
    let lacks = error.is_some_and(|error| matches!(error.code, ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce));
    if !lacks && !request.headers().contains_key(DPOP) {
        return;
    }
    if let Some(nonce) = engine.dpop_nonce()
        && let Ok(value) = HeaderValue::from_str(&nonce)
    {
        answer.headers_mut().insert(DPOP_NONCE, value);
    }
}
