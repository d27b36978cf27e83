//! `POST /device_authorization` (RFC 8628 section 3.1).

use actix_web::http::header::USER_AGENT;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::serve::Shared;
use super::{audit, authorization, cors, origin, possession, respond, token};
use crate::grants::{Facts, TokenCall};
use crate::protocol::ErrorCode;

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/device_authorization")
        .route(web::post().to(post))
        .route(web::method(actix_web::http::Method::OPTIONS).to(cors::preflight))
        .default_service(web::to(async || respond::method_not_allowed("POST, OPTIONS")))
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let address = origin::address(&request, &engine.settings().proxy);
    let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let authorization = authorization::header(&request);
    let mut facts = Facts::default();
    let result = match (token::form(&request, payload, &shared).await, authorization.clone()) {
        (Err(error), _) | (_, Err(error)) => Err(error),
        (Ok(parameters), Ok(authorization)) => {
            let endpoint = &shared.endpoints.device_authorization;
            let shown = possession::certificate(&request, &engine.settings().proxy);
            let call = TokenCall {
                parameters: &parameters,
                authorization,
                endpoint,
                address,
                user_agent: origin::user_agent(&request),
                shown,
            };
            engine.authorize_device(&call, user_agent, &mut facts).await
        }
    };
    let mut answer = match &result {
        Ok(answer) => respond::json(answer),
        Err(error) => {
            if error.code == ErrorCode::InvalidClient {
                audit::client_refused(&facts, address, "device_authorization", error);
            } else {
                tracing::debug!(error = %error, cause = error.cause, "a device authorization was refused");
            }
            respond::refusal(error, matches!(authorization, Ok(Some(_))))
        }
    };
    if let Some(id) = &facts.client_id {
        cors::for_client_called(id, &request, engine, &mut answer).await;
    }
    answer
}
