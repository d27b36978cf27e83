//! `GET` and `POST /userinfo` (OpenID Connect Core section 5.3, RFC 6750 section 2).

use actix_web::http::Method;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::body::{self, Accept};
use super::serve::Shared;
use super::{authorization, cors, respond};
use crate::foundation::Secret;
use crate::protocol::{ErrorCode, OAuthError};

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/userinfo")
        .route(web::get().to(answer))
        .route(web::post().to(answer))
        .route(web::method(Method::OPTIONS).to(cors::preflight))
        .default_service(web::to(async || respond::method_not_allowed("GET, POST, OPTIONS")))
}

async fn answer(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let token = match presented(&request, payload, &shared).await {
        Ok(Some(token)) => token,
        Ok(None) => return for_everybody(respond::bearer_refusal(None)),
        Err(error) => return for_everybody(respond::bearer_refusal(Some(&error))),
    };
    let mut response = match engine.user_info(token.expose()).await {
        Ok(claims) => respond::json(&claims),
        Err(error) => {
            tracing::debug!(error = %error, cause = error.cause, "userinfo refused");
            return for_everybody(respond::bearer_refusal(Some(&error)));
        }
    };
    if let Some(origin) = cors::origin(&request)
        && let Ok(Some(token)) = engine.verify_access_token(token.expose()).await
        && let Ok(client) = engine.clients().find(&token.claims().client_id).await
    {
        cors::for_client(Some(origin), client.as_deref(), &mut response);
    }
    response
}

/// A script must be able to tell an expired token from a broken network, and a refusal tells it nothing else.
fn for_everybody(mut refusal: HttpResponse) -> HttpResponse {
    cors::public(&mut refusal);
    cors::expose(&mut refusal);
    refusal
}

/// The token of the header, or of the form of a POST; never of the query (RFC 9700 section 4.3.2).
async fn presented(request: &HttpRequest, payload: web::Payload, shared: &Shared) -> Result<Option<Secret<String>>, OAuthError> {
    let malformed = || OAuthError::invalid_request("The Authorization header is not of the form: Bearer token.");
    let header = match authorization::header(request)? {
        None => None,
        Some(text) => match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
                Some(Secret::new(token.trim().to_owned()))
            }
            Some((scheme, _)) if !scheme.eq_ignore_ascii_case("bearer") => None,
            _ => return Err(malformed()),
        },
    };
    // Only a form can carry a token (RFC 6750 section 2.2): beside a header any other body is left alone, without one it is told off.
    let with_body = request.method() == Method::POST && request.headers().contains_key(CONTENT_TYPE);
    let form = if with_body && (header.is_none() || body::is_form(request)) {
        body::read(request, payload, shared.engine.settings().server.max_body, Accept::Form).await?.secret("access_token")
    } else {
        None
    };
    match (header, form) {
        (Some(_), Some(_)) => Err(OAuthError::new(ErrorCode::InvalidRequest, "The access token was sent in more than one way.")),
        (header, form) => Ok(header.or(form)),
    }
}
