//! `POST /sign-in`: the form of the sign-in page.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::body::{self, Accept};
use super::serve::Shared;
use super::{browser, origin, pages, respond};
use crate::foundation::Secret;
use crate::grants::authorize::sign_in::{Next, SignIn};
use crate::protocol::OAuthError;
use crate::telemetry::metrics;

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/sign-in").route(web::post().to(post)).default_service(web::to(async || respond::method_not_allowed("POST")))
}

/// What a person reads whose transaction is over.
pub(super) fn over() -> HttpResponse {
    pages::problem(&OAuthError::invalid_request(
        "This sign-in has expired, was finished already, or was begun in another browser. Please go back to the app and start again.",
    ))
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let issuer = &engine.settings().server.issuer;
    let parameters = match body::read(&request, payload, engine.settings().server.max_body, Accept::Form).await {
        Ok(parameters) => parameters,
        Err(error) => return pages::problem(&error),
    };
    let Some(transaction) = parameters.secret("transaction") else { return over() };
    let username = parameters.get("username").unwrap_or_default().trim();
    let password = parameters.secret("password").unwrap_or_else(|| Secret::new(String::new()));
    let visitor = browser::recognise(&request, issuer);
    let address = origin::address(&request, &engine.settings().proxy);
    match engine.sign_in(transaction, username, password, &visitor.browser, address).await {
        Ok(SignIn::Done { cookie, next }) => {
            metrics::sign_in("ok");
            let mut answer = match next {
                Next::Consent(transaction) => {
                    respond::see_other(&format!("{}?transaction={}", issuer.endpoint("/consent"), transaction.expose()))
                }
                Next::Client(to) => pages::to_client(&to),
            };
            browser::set_session(&cookie, issuer, &mut answer);
            answer
        }
        Ok(SignIn::Refused(page)) => {
            metrics::sign_in("failed");
            pages::show(engine, &page, StatusCode::OK)
        }
        Ok(SignIn::Throttled(page, retry)) => {
            metrics::sign_in("throttled");
            let mut answer = pages::show(engine, &page, StatusCode::TOO_MANY_REQUESTS);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry.seconds()));
            answer
        }
        Ok(SignIn::NoTransaction) => over(),
        Err(error) => {
            tracing::error!(error = %error, cause = error.cause, "a sign-in could not be processed");
            pages::problem(&error)
        }
    }
}
