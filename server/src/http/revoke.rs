//! `POST /revoke` (RFC 7009); Auth0's SDKs ask at `/oauth/revoke`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::serve::Shared;
use super::{audit, authorization, cors, origin, possession, respond, token};
use crate::grants::{Facts, TokenCall};
use crate::protocol::ErrorCode;

/// The endpoint.
pub fn resource() -> Resource {
    web::resource(["/revoke", "/oauth/revoke"])
        .route(web::post().to(post))
        .route(web::method(actix_web::http::Method::OPTIONS).to(cors::preflight))
        .default_service(web::to(async || respond::method_not_allowed("POST, OPTIONS")))
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
                endpoint: &shared.endpoints.revoke,
                address,
                user_agent: origin::user_agent(&request),
                shown: possession::certificate(&request, &engine.settings().proxy),
            };
            engine.revoke(&call, &mut facts).await
        }
    };
    let mut answer = match &result {
        Ok(()) => respond::no_store(StatusCode::OK).finish(),
        Err(error) => respond::refusal(error, matches!(authorization, Ok(Some(_)))),
    };
    match &result {
        Err(error) if error.code == ErrorCode::InvalidClient => audit::client_refused(&facts, address, "revoke", error),
        _ => audit::revocation(&facts, address),
    }
    if let Some(id) = &facts.client_id {
        cors::for_client_called(id, &request, engine, &mut answer).await;
    }
    answer
}
