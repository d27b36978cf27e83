//! `GET` and `POST /consent`: the consent page and its form.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::body::{self, Accept};
use super::serve::Shared;
use super::sign_in::over;
use super::{browser, origin, pages, respond};
use crate::protocol::OAuthError;

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/consent")
        .route(web::get().to(get))
        .route(web::post().to(post))
        .default_service(web::to(async || respond::method_not_allowed("GET, POST")))
}

async fn get(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let visitor = browser::recognise(&request, &engine.settings().server.issuer);
    let transaction = body::query(&request).ok().and_then(|parameters| parameters.secret("transaction"));
    let Some(transaction) = transaction else { return over() };
    match engine.show_consent(transaction, &visitor.browser).await {
        Ok(Some(page)) => pages::show(engine, &page, StatusCode::OK),
        Ok(None) => over(),
        Err(error) => pages::problem(&error),
    }
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
        Ok(Some(to)) => pages::to_client(&to),
        Ok(None) => over(),
        Err(error) => pages::problem(&error),
    }
}
