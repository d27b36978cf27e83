//! `POST /introspect` (RFC 7662).

use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::serve::Shared;
use super::{audit, authorization, origin, respond, token};
use crate::grants::{Facts, Shown, TokenCall};
use crate::protocol::ErrorCode;

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
                shown: Shown::default(),
            };
            engine.introspect(&call, &mut facts).await
        }
    };
    match result {
        Ok(answer) => respond::json(&answer),
        Err(error) => {
            if error.code == ErrorCode::InvalidClient {
                audit::client_refused(&facts, address, "introspect", &error);
            }
            tracing::debug!(error = %error, cause = error.cause, "introspection refused");
            respond::refusal(&error, matches!(authorization, Ok(Some(_))))
        }
    }
}
