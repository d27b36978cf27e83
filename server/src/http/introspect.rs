//! `POST /introspect` (RFC 7662, signed answers: RFC 9701).

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::serve::Shared;
use super::{audit, authorization, origin, possession, respond, token};
use crate::grants::{Facts, TokenCall};
use crate::protocol::ErrorCode;

/// Media type of a signed answer (RFC 9701 section 5).
const SIGNED: &str = "application/token-introspection+jwt";

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/introspect")
        .route(web::post().to(post))
        .default_service(web::to(async || respond::method_not_allowed("POST")))
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let authorization = authorization::header(&request);
    let address = origin::address(&request, &engine.settings().proxy);
    let mut facts = Facts::default();
    let result = match (token::form(&request, payload, &shared).await, authorization.clone()) {
        (Err(error), _) | (_, Err(error)) => Err(error),
        (Ok(parameters), Ok(authorization)) => {
            let call = TokenCall {
                parameters: &parameters,
                authorization,
                endpoint: &shared.endpoints.introspect,
                address,
                user_agent: origin::user_agent(&request),
                shown: possession::certificate(&request, &engine.settings().proxy),
            };
            engine.introspect(&call, &mut facts).await
        }
    };
    let result = match result {
        Ok(answer) if wants_jwt(&request) => engine.sign_introspection(answer).await.map(|jwt| respond::jwt(jwt, SIGNED)),
        Ok(answer) => Ok(respond::json(&answer.members)),
        Err(error) => Err(error),
    };
    match result {
        Ok(answer) => answer,
        Err(error) => {
            if error.code == ErrorCode::InvalidClient {
                audit::client_refused(&facts, address, "introspect", &error);
            }
            tracing::debug!(error = %error, cause = error.cause, "introspection refused");
            respond::refusal(&error, matches!(authorization, Ok(Some(_))))
        }
    }
}

/// Whether the signed answer is asked for by its name (RFC 9701 section 4); `*/*` is content with JSON, and `q=0` refuses.
fn wants_jwt(request: &HttpRequest) -> bool {
    let accepted = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    accepted.into_iter().any(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(SIGNED))
            && !parts.any(|part| part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0))
    })
}
