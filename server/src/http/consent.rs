//! `GET` and `POST /consent`: the consent page and its form.

use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::body::{self, Accept};
use super::interaction::{self, over};
use super::serve::Shared;
use super::{browser, origin, pages, respond};
use crate::protocol::OAuthError;

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/consent")
        .route(web::get().to(interaction::get))
        .route(web::post().to(post))
        .default_service(web::to(async || respond::method_not_allowed("GET, POST")))
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let parameters = match body::read(&request, payload, engine.settings().server.max_body, Accept::Form).await {
        Ok(parameters) => parameters,
        Err(error) => return pages::problem(&error),
    };
    let Some(transaction) = parameters.secret("transaction") else { return over() };
    let allow = match parameters.get("decision") {
        Some("allow") => true,
        Some("deny") => false,
        _ => return pages::problem(&OAuthError::invalid_request("The form says neither allow nor deny.")),
    };
    let visitor = browser::recognise(&request, &engine.settings().server.issuer);
    let address = origin::address(&request, &engine.settings().proxy);
    match engine.decide(transaction, &visitor.browser, allow, address).await {
        Ok(Some(next)) => interaction::next(engine, &next),
        Ok(None) => over(),
        Err(error) => pages::problem(&error),
    }
}
