//! Answers: JSON, refusals, redirects, each with the headers that belong to it.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, LOCATION, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use serde_json::Value;

use crate::grants::Scheme;
use crate::protocol::{ErrorCode, OAuthError};
use crate::tokens::dpop;

/// Seconds after which a client may try again when the server cannot keep its promises.
pub(super) const RETRY_SECONDS: &str = "1";

/// Room for a token answer with three tokens, in bytes.
const USUAL_BODY: usize = 4096;

/// Starts an answer that nobody may keep (RFC 6749 section 5.1).
#[must_use]
pub fn no_store(status: StatusCode) -> HttpResponseBuilder {
    let mut builder = HttpResponse::build(status);
    builder.insert_header((CACHE_CONTROL, "no-store")).insert_header((PRAGMA, "no-cache"));
    builder
}

/// A JSON answer that nobody may keep.
#[must_use]
pub fn json(value: &impl Serialize) -> HttpResponse {
    let mut body = Vec::with_capacity(USUAL_BODY);
    match serde_json::to_writer(&mut body, value) {
        Ok(()) => no_store(StatusCode::OK).content_type("application/json").body(body),
        Err(error) => refusal(&OAuthError::server_error(error.to_string()), false),
    }
}

/// An answer that is a JWT, under its own media type.
#[must_use]
pub fn jwt(text: String, media_type: &'static str) -> HttpResponse {
    no_store(StatusCode::OK).content_type(media_type).body(text)
}

/// A refusal as JSON (RFC 6749 section 5.2). `basic` = the client tried HTTP Basic and must be challenged with it.
#[must_use]
pub fn refusal(error: &OAuthError, basic: bool) -> HttpResponse {
    let mut body = error.members.clone();
    body.insert("error".to_owned(), error.code.as_str().into());
    body.insert("error_description".to_owned(), error.description.as_ref().into());
    let mut builder = no_store(StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    if error.code == ErrorCode::InvalidClient && basic {
        builder.insert_header((WWW_AUTHENTICATE, "Basic realm=\"symbolon\", charset=\"UTF-8\""));
    }
    if error.code == ErrorCode::TemporarilyUnavailable {
        builder.insert_header((RETRY_AFTER, RETRY_SECONDS));
    }
    builder.content_type("application/json").body(Value::Object(body).to_string())
}

/// A refusal at a protected resource, to be answered by the same scheme (RFC 6750 section 3, RFC 9449 section 7.1). Without a token there
/// are challenges of both schemes and no error.
#[must_use]
pub fn challenge(scheme: Scheme, error: Option<&OAuthError>) -> HttpResponse {
    let bearer = "Bearer realm=\"symbolon\"";
    let dpop = format!("DPoP realm=\"symbolon\", algs=\"{}\"", dpop::ALGS.join(" "));
    let Some(error) = error else {
        let mut builder = no_store(StatusCode::UNAUTHORIZED);
        return builder.append_header((WWW_AUTHENTICATE, bearer)).append_header((WWW_AUTHENTICATE, dpop)).finish();
    };
    let scheme = match scheme {
        Scheme::Bearer => bearer,
        Scheme::Dpop => &dpop,
    };
    // The description is a sentence of ours, without quotes (RFC 6749 section 5.2).
    let mut challenge = format!("{scheme}, error=\"{}\", error_description=\"{}\"", error.code.as_str(), error.description);
    // RFC 6750 section 3: what scope would do.
    if let Some(Value::String(scope)) = error.members.get("scope").filter(|_| error.code == ErrorCode::InsufficientScope) {
        challenge.extend([", scope=\"", scope, "\""]);
    }
    // RFC 9470 section 3: what sign-in would do.
    if let Some(Value::String(acr_values)) = error.members.get("acr_values") {
        challenge.extend([", acr_values=\"", acr_values, "\""]);
    }
    if let Some(max_age) = error.members.get("max_age").and_then(Value::as_u64) {
        challenge.extend([", max_age=\"", &max_age.to_string(), "\""]);
    }
    let mut answer = refusal(error, false);
    if let Ok(value) = challenge.parse()
        && matches!(error.status(), 400 | 401 | 403)
    {
        answer.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    answer
}

/// Sends a browser on with GET, whatever it did before (RFC 9700 section 4.12: never 307).
#[must_use]
pub fn see_other(location: &str) -> HttpResponse {
    let mut builder = no_store(StatusCode::SEE_OTHER);
    builder.insert_header((LOCATION, location)).insert_header(("referrer-policy", "no-referrer"));
    builder.finish()
}

/// The wrong method.
#[must_use]
pub fn method_not_allowed(allowed: &'static str) -> HttpResponse {
    let error = OAuthError { status: Some(405), ..OAuthError::invalid_request("The endpoint does not take this HTTP method.") };
    let mut answer = refusal(&error, false);
    if let Ok(value) = allowed.parse() {
        answer.headers_mut().insert(ALLOW, value);
    }
    answer
}

/// No such address.
pub async fn not_found() -> HttpResponse {
    nothing_here()
}

/// The same where it takes the settings to know.
#[must_use]
pub fn nothing_here() -> HttpResponse {
    let error = OAuthError { status: Some(404), ..OAuthError::invalid_request("There is nothing at this address.") };
    refusal(&error, false)
}
