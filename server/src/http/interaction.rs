//! What the pages of a sign-in have in common: `GET` shows the page that a transaction waits at, whichever of their addresses was asked;
//! after a form the browser is sent on, so that reloading and going back send nothing twice.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::serve::Shared;
use super::{body, browser, pages, respond};
use crate::grants::Engine;
use crate::grants::authorize::{Next, Outcome};
use crate::protocol::OAuthError;

/// Where the browser is sent to for the next page of a transaction.
pub const PATH: &str = "/continue";

/// What a person reads whose transaction is over.
#[must_use]
pub fn over() -> HttpResponse {
    pages::problem(&OAuthError::invalid_request(
        "This sign-in has expired, was finished already, or was begun in another browser. Please go back to the app and start again.",
    ))
}

/// `GET` of any page of a transaction.
pub async fn get(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let visitor = browser::recognise(&request, &engine.settings().server.issuer);
    let transaction = body::query(&request).ok().and_then(|parameters| parameters.secret("transaction"));
    let Some(transaction) = transaction else { return over() };
    match engine.show(transaction, &visitor.browser).await {
        Ok(Some(Outcome::Page(page))) => pages::show(engine, &page, StatusCode::OK),
        Ok(Some(Outcome::Client(answer))) => pages::to_client(&answer),
        Ok(None) => over(),
        Err(error) => pages::problem(&error),
    }
}

/// Sends the browser on.
#[must_use]
pub fn next(engine: &Engine, next: &Next) -> HttpResponse {
    match next {
        Next::Page(transaction) => {
            let page = engine.settings().server.issuer.endpoint(PATH);
            respond::see_other(&format!("{page}?transaction={}", transaction.expose()))
        }
        Next::Client(answer) => pages::to_client(answer),
    }
}
