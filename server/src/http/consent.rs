//! `GET` and `POST /consent`: the consent page and its form.

use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::interaction::{self, Form, over};
use super::pages;
use super::serve::Shared;
use crate::protocol::OAuthError;

/// The endpoint.
pub fn resource() -> Resource {
    interaction::page("/consent", post)
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let Form { transaction, parameters, visitor, address, words } = match Form::read(&request, payload, &shared).await {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    let allow = match parameters.get("decision") {
        Some("allow") => true,
        Some("deny") => false,
        _ => return pages::problem(words, &OAuthError::invalid_request("The form says neither allow nor deny.")),
    };
    match engine.decide(transaction, &visitor.browser, allow, address).await {
        Ok(Some(next)) => interaction::next(engine, &request, &next),
        Ok(None) => over(words),
        Err(error) => pages::problem(words, &error),
    }
}
