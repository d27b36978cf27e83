//! `POST /choose-account`: the form of the page on which a person says which of those in the browser they are.

use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::interaction::{self, Form, over};
use super::pages;
use super::serve::Shared;
use crate::protocol::OAuthError;
use crate::tokens::session_id::SessionId;

/// The endpoint.
pub fn resource() -> Resource {
    interaction::page("/choose-account", post)
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let Form { transaction, parameters, visitor, words, .. } = match Form::read(&request, payload, &shared).await {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    let account = match (parameters.get("account"), parameters.get("account").map(str::parse::<SessionId>)) {
        (Some("another"), _) => None,
        (_, Some(Ok(id))) => Some(id),
        _ => return pages::problem(words, &OAuthError::invalid_request("The form names no account.")),
    };
    match engine.choose(transaction, &visitor.browser, account).await {
        Ok(Some(next)) => interaction::next(engine, &request, &next),
        Ok(None) => over(words),
        Err(error) => pages::problem(words, &error),
    }
}
