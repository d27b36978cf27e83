//! `POST /sign-in`: the form of the sign-in page.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::body::{self, Accept};
use super::interaction::{self, over};
use super::serve::Shared;
use super::{browser, origin, pages, respond};
use crate::foundation::Secret;
use crate::grants::authorize::sign_in::{Credentials, SignIn};
use crate::telemetry::metrics;

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/sign-in")
        .route(web::get().to(interaction::get))
        .route(web::post().to(post))
        .default_service(web::to(async || respond::method_not_allowed("GET, POST")))
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
    let credentials = Credentials { username, password, keep: parameters.get("keep") == Some("yes") };
    match engine.sign_in(transaction, credentials, &visitor.browser, address).await {
        Ok(SignIn::Done { cookies, next }) => {
            metrics::sign_in("ok");
            let mut answer = interaction::next(engine, &next);
            browser::set_sessions(&cookies, &visitor.browser, issuer, &mut answer);
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
