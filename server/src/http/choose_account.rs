//! `POST /choose-account`: the form of the page on which a person says which of those in the browser they are.

use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::body::{self, Accept};
use super::interaction::{self, over};
use super::serve::Shared;
use super::{browser, pages, respond};
use crate::protocol::OAuthError;

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/choose-account")
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
    let account = match parameters.get("account") {
        Some("another") => None,
        Some(id) if id.parse::<crate::tokens::session_id::SessionId>().is_ok() => id.parse().ok(),
        _ => return pages::problem(&OAuthError::invalid_request("The form names no account.")),
    };
    let visitor = browser::recognise(&request, &engine.settings().server.issuer);
    match engine.choose(transaction, &visitor.browser, account).await {
        Ok(Some(next)) => interaction::next(engine, &next),
        Ok(None) => over(),
        Err(error) => pages::problem(&error),
    }
}
