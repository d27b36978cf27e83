//! Reading a request's parameters: within limits of size and time, strictly.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, rt};

use serde_json::{Map, Value};

use crate::grants::Parameters;
use crate::grants::parameters::json;
use crate::protocol::OAuthError;

/// The longest query in bytes. Beyond 64 KiB no address is read at all, and the connection's answer is an empty 400.
const MAX_QUERY: usize = 32 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Which bodies an endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// Forms alone.
    Form,
    /// Forms, and JSON as the Auth0 SDKs send it.
    FormOrJson,
}

/// Reads the parameters of a POST body.
///
/// # Errors
/// `invalid_request`: too large (status 413), too slow (408), of the wrong type (415), or malformed.
pub async fn read(request: &HttpRequest, payload: Payload, limit: usize, accept: Accept) -> Result<Parameters, OAuthError> {
    let json = media_type(request).eq_ignore_ascii_case("application/json") && accept == Accept::FormOrJson;
    if !json && !is_form(request) {
        let description = match accept {
            Accept::Form => "The body must be application/x-www-form-urlencoded.",
            Accept::FormOrJson => "The body must be application/x-www-form-urlencoded or application/json.",
        };
        return Err(OAuthError { status: Some(415), ..OAuthError::invalid_request(description) });
    }
    let body = bytes(payload, limit).await?;
    if json { Parameters::from_json(&body) } else { Parameters::from_form(&body) }
}

/// Reads a POST or PUT body that is one JSON object.
///
/// # Errors
/// `invalid_request`: too large (status 413), too slow (408), of the wrong type (415), or no JSON object without repeated members.
pub async fn read_object(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Map<String, Value>, OAuthError> {
    if !media_type(request).eq_ignore_ascii_case("application/json") {
        return Err(OAuthError { status: Some(415), ..OAuthError::invalid_request("The body must be application/json.") });
    }
    json::object(&bytes(payload, limit).await?)
}

async fn bytes(payload: Payload, limit: usize) -> Result<Bytes, OAuthError> {
    match rt::time::timeout(BODY_TIMEOUT, payload.to_bytes_limited(limit)).await {
        Err(_) => Err(OAuthError { status: Some(408), ..OAuthError::invalid_request("The body took too long to arrive.") }),
        Ok(Err(_)) => Err(OAuthError { status: Some(413), ..OAuthError::invalid_request("The body is too large.") }),
        Ok(Ok(Err(error))) => Err(OAuthError::invalid_request("The body could not be read.").because(error.to_string())),
        Ok(Ok(Ok(body))) => Ok(body),
    }
}

/// Whether the body says that it is a form.
#[must_use]
pub fn is_form(request: &HttpRequest) -> bool {
    media_type(request).eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn media_type(request: &HttpRequest) -> &str {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().unwrap_or_default().trim()
}

/// Reads the parameters of a page that takes GET and POST: of the query or of the form.
///
/// # Errors
/// `invalid_request`: too large, too slow, of the wrong type or malformed.
pub async fn read_either(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Parameters, OAuthError> {
    if request.method() == Method::POST { read(request, payload, limit, Accept::Form).await } else { query(request) }
}

/// Reads the parameters of a query.
///
/// # Errors
/// `invalid_request`: too large or malformed.
pub fn query(request: &HttpRequest) -> Result<Parameters, OAuthError> {
    let text = request.query_string();
    if text.len() > MAX_QUERY {
        return Err(OAuthError { status: Some(414), ..OAuthError::invalid_request("The query is too large.") });
    }
    Parameters::from_form(text.as_bytes())
}
