//! `POST /introspect` (RFC 7662).

use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::serve::Shared;
use super::{origin, respond, token};
use crate::grants::TokenCall;

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/introspect")
        .route(web::post().to(post))
        .default_service(web::to(async || respond::method_not_allowed("POST")))
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let authorization = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap_or("malformed"));
    let result = match token::form(&request, payload, &shared).await {
        Err(error) => Err(error),
        Ok(parameters) => {
            let address = origin::address(&request, &engine.settings().proxy);
            engine
                .introspect(&TokenCall {
                    parameters: &parameters,
                    authorization,
                    endpoint: &shared.endpoints.introspect,
                    address,
                })
                .await
        }
    };
    match result {
        Ok(answer) => respond::json(&answer),
        Err(error) => {
            tracing::debug!(error = %error, cause = error.cause, "introspection refused");
            respond::refusal(&error, authorization.is_some())
        }
    }
}
