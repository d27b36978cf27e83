//! The `Authorization` header: one, or none (RFC 9110 section 11.6.2).

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use crate::protocol::OAuthError;

/// Stands for a header that is no text; no scheme reads it.
const MALFORMED: &str = "malformed";

/// The header's text.
///
/// # Errors
/// `invalid_request` when there are two: they would be two methods at once (RFC 6749 section 2.3, RFC 6750 section 2).
pub fn header(request: &HttpRequest) -> Result<Option<&str>, OAuthError> {
    let mut all = request.headers().get_all(AUTHORIZATION);
    let first = all.next().map(|value| value.to_str().unwrap_or(MALFORMED));
    match all.next() {
        None => Ok(first),
        Some(_) => Err(OAuthError::invalid_request("The request has more than one Authorization header.")),
    }
}
