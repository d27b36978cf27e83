//! CORS (Fetch standard): discovery and keys are for everybody; tokens for the origins of a client's redirect URIs.

use crate::clients::Client;
use crate::grants::Engine;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, HeaderValue, ORIGIN, VARY,
};
use actix_web::{HttpRequest, HttpResponse};

/// The origin that the request names, if it comes from a script of another site.
#[must_use]
pub fn origin(request: &HttpRequest) -> Option<&str> {
    request.headers().get(ORIGIN)?.to_str().ok()
}

/// Answers a preflight. It releases nothing: whether the answer itself may be read is decided with that answer.
pub async fn preflight(request: HttpRequest) -> HttpResponse {
    preflight_for("GET, POST", &request)
}

/// The same where something can be ended.
pub async fn preflight_of_account(request: HttpRequest) -> HttpResponse {
    preflight_for("GET, DELETE", &request)
}

/// The same where a client looks after its registration.
pub async fn preflight_of_registration(request: HttpRequest) -> HttpResponse {
    preflight_for("GET, POST, PUT, DELETE", &request)
}

fn preflight_for(methods: &'static str, request: &HttpRequest) -> HttpResponse {
    let mut builder = HttpResponse::build(StatusCode::NO_CONTENT);
    if let Some(origin) = origin(request) {
        builder
            .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, origin))
            .insert_header((VARY, "Origin"))
            .insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods))
            .insert_header((
                ACCESS_CONTROL_ALLOW_HEADERS,
                "Authorization, Content-Type, DPoP, Auth0-Client, X-Okta-User-Agent-Extended",
            ))
            .insert_header((ACCESS_CONTROL_MAX_AGE, "600"));
    }
    builder.finish()
}

/// Lets everybody read the answer.
pub fn public(answer: &mut HttpResponse) {
    answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}

/// Lets a script that may read the answer read its headers, too.
pub fn expose(answer: &mut HttpResponse) {
    const NAMES: HeaderValue = HeaderValue::from_static("WWW-Authenticate, DPoP-Nonce, Retry-After");
    answer.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, NAMES);
}

/// Lets a script read the answer if it runs at the origin of one of the client's redirect URIs.
pub fn for_client(origin: Option<&str>, client: Option<&Client>, answer: &mut HttpResponse) {
    let Some(origin) = origin else { return };
    let registered =
        client.is_some_and(|client| client.redirect_uris.iter().any(|uri| uri.origin().is_some_and(|own| own == origin)));
    if registered && let Ok(value) = HeaderValue::from_str(origin) {
        answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
        answer.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
        expose(answer);
    }
}

/// The same for the client of that name, if there is one.
pub async fn for_client_called(id: &str, request: &HttpRequest, engine: &Engine, answer: &mut HttpResponse) {
    if let Some(origin) = origin(request)
        && let Ok(client) = engine.clients().find(id).await
    {
        for_client(Some(origin), client.as_deref(), answer);
    }
}
