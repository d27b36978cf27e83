//! `POST /par` (RFC 9126).

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde_json::json;

use super::body::{self, Accept};
use super::serve::Shared;
use super::{audit, authorization, cors, origin, possession, respond};
use crate::grants::{Facts, TokenCall};

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/par")
        .route(web::post().to(post))
        .route(web::method(Method::OPTIONS).to(cors::preflight))
        .default_service(web::to(async || respond::method_not_allowed("POST, OPTIONS")))
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let authorization = authorization::header(&request);
    let address = origin::address(&request, &engine.settings().proxy);
    let mut facts = Facts::default();
    let parameters = body::read(&request, payload, engine.settings().server.max_body, Accept::Form).await;
    let result = match (&parameters, authorization.clone(), possession::shown(&request, &shared.engine.settings().proxy)) {
        (Err(error), ..) => Err(error.clone()),
        (_, Err(error), _) | (.., Err(error)) => Err(error),
        (Ok(parameters), Ok(authorization), Ok(shown)) => {
            let call = TokenCall {
                parameters,
                authorization,
                endpoint: &shared.endpoints.par,
                address,
                user_agent: origin::user_agent(&request),
                shown,
            };
            engine.push(&call, &mut facts).await
        }
    };
    audit::pushed(&facts, address, result.as_ref().err());
    let mut answer = match &result {
        Ok(pushed) => {
            let told = json!({ "request_uri": pushed.request_uri.expose(), "expires_in": pushed.expires_in });
            respond::no_store(StatusCode::CREATED).content_type("application/json").body(told.to_string())
        }
        Err(error) => respond::refusal(error, matches!(authorization, Ok(Some(_)))),
    };
    possession::offer_nonce(engine, &request, result.as_ref().err(), &mut answer);
    let named = facts.client_id.or_else(|| parameters.ok().and_then(|own| own.get("client_id").map(str::to_owned)));
    match (cors::origin(&request), named) {
        (Some(_), Some(id)) => cors::for_client_called(&id, &request, engine, &mut answer).await,
        // Of a request that names no client nothing can be read out but what is wrong with it.
        (Some(_), None) if result.is_err() => cors::public(&mut answer),
        _ => {}
    }
    answer
}
