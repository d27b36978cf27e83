//! `POST /token` (RFC 6749 section 3.2). Auth0's SDKs and tools ask at `/oauth/token` without reading any metadata: the same endpoint.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::body::{self, Accept};
use super::serve::Shared;
use super::{audit, authorization, cors, origin, possession, respond};
use crate::grants::{Facts, Parameters, TokenCall};
use crate::protocol::OAuthError;
use crate::telemetry::metrics;

const OTHER_NAME: &str = "/oauth/token";

/// The endpoint.
pub fn resource() -> Resource {
    web::resource(["/token", OTHER_NAME])
        .route(web::post().to(post))
        .route(web::method(actix_web::http::Method::OPTIONS).to(cors::preflight))
        .default_service(web::to(async || respond::method_not_allowed("POST, OPTIONS")))
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let began = Instant::now();
    let engine = &shared.engine;
    let address = origin::address(&request, &engine.settings().proxy);
    // An issuer's own path may end like the other name.
    let is_other_name = request.path().strip_prefix(engine.settings().server.issuer.path()) == Some(OTHER_NAME);
    let mut facts = Facts::default();
    let authorization = authorization::header(&request);
    let mut named = None;
    let result = match (
        form(&request, payload, &shared).await,
        authorization.clone(),
        possession::shown(&request, &shared.engine.settings().proxy),
    ) {
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error),
        (Ok(parameters), Ok(authorization), Ok(shown)) => {
            named = cors::origin(&request).and_then(|_| parameters.get("client_id").map(str::to_owned));
            let call = TokenCall {
                parameters: &parameters,
                authorization,
                // A DPoP proof is made for the address that was asked (RFC 9449 section 4.3, 9).
                endpoint: if is_other_name { &shared.endpoints.oauth_token } else { &shared.endpoints.token },
                address,
                user_agent: origin::user_agent(&request),
                shown,
            };
            engine.token(&call, &mut facts).await
        }
    };
    audit::token_request(&facts, address, result.as_ref().err());
    let mut answer = match &result {
        Ok(response) => respond::json(response),
        Err(error) => respond::refusal(error, matches!(authorization, Ok(Some(_)))),
    };
    possession::offer_nonce(engine, &request, result.as_ref().err(), &mut answer);
    metrics::token_request(facts.grant, result.as_ref().err().map_or("ok", |error| error.code.label()), began.elapsed());
    if cors::origin(&request).is_some() {
        match named.or(facts.client_id) {
            Some(id) => cors::for_client_called(&id, &request, engine, &mut answer).await,
            // Of a request that names no client nothing can be read out but what is wrong with it.
            None if result.is_err() => cors::public(&mut answer),
            None => {}
        }
    }
    answer
}

/// The parameters of an endpoint that takes a form and an authenticated client.
pub(super) async fn form(request: &HttpRequest, payload: web::Payload, shared: &Shared) -> Result<Parameters, OAuthError> {
    body::read(request, payload, shared.engine.settings().server.max_body, Accept::FormOrJson).await
}
