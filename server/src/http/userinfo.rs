//! `GET` and `POST /userinfo` (OpenID Connect Core section 5.3, RFC 6750 section 2, RFC 9449 section 7).

use actix_web::http::Method;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::body::{self, Accept};
use super::serve::Shared;
use super::{cors, possession, protected, respond};
use crate::grants::{Presentation, Scheme, UserInfo};
use crate::protocol::OAuthError;

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
    let presentation = match presented(&request, payload, &shared).await {
        Ok(Some(presentation)) => presentation,
        Ok(None) => return protected::for_everybody(respond::challenge(Scheme::Bearer, None)),
        Err((scheme, error)) => return protected::refused(&shared, &request, scheme, &error),
    };
    let token = match engine.presented_token(&presentation).await {
        Ok(token) => token,
        Err((scheme, error)) => return protected::refused(&shared, &request, scheme, &error),
    };
    let mut response = match engine.user_info(&token).await {
        Ok(UserInfo::Claims(claims)) => respond::json(&claims),
        Ok(UserInfo::Jwt(jwt)) => respond::jwt(jwt, "application/jwt"),
        Err(error) => return protected::refused(&shared, &request, presentation.scheme, &error),
    };
    possession::offer_nonce(engine, &request, None, &mut response);
    cors::for_client_called(&token.claims().client_id, &request, engine, &mut response).await;
    response
}

/// The token of the header, or of the form of a POST; never of the query (RFC 9700 section 4.3.2).
async fn presented<'a>(
    request: &'a HttpRequest,
    payload: web::Payload,
    shared: &'a Shared,
) -> Result<Option<Presentation<'a>>, (Scheme, OAuthError)> {
    let bearer = |error| (Scheme::Bearer, error);
    let header = protected::in_header(request).map_err(bearer)?;
    // Only a form can carry a token (RFC 6750 section 2.2): beside a header any other body is left alone, without one it is told off.
    let with_body = request.method() == Method::POST && request.headers().contains_key(CONTENT_TYPE);
    let form = if with_body && (header.is_none() || body::is_form(request)) {
        let form = body::read(request, payload, shared.engine.settings().server.max_body, Accept::Form).await;
        form.map_err(bearer)?.secret("access_token")
    } else {
        None
    };
    let (scheme, token) = match (header, form) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(bearer(OAuthError::invalid_request("The access token was sent in more than one way."))),
        (Some(presented), None) => presented,
        (None, Some(token)) => (Scheme::Bearer, token),
    };
    let shown = protected::shown(request, scheme, shared).map_err(|error| (scheme, error))?;
    Ok(Some(Presentation { token, scheme, method: request.method().as_str(), endpoint: &shared.endpoints.user_info, shown }))
}
