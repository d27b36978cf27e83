//! `POST /second-factor`: the form for a one-time password, and that of the page on which an authenticator app is set up.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::body::{self, Accept};
use super::interaction::{self, over};
use super::serve::Shared;
use super::{browser, origin, pages, respond};
use crate::foundation::Secret;
use crate::grants::authorize::second_factor::Shown;
use crate::telemetry::metrics;

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/second-factor")
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
    let code = parameters.secret("otp").unwrap_or_else(|| Secret::new(String::new()));
    let visitor = browser::recognise(&request, issuer);
    let address = origin::address(&request, &engine.settings().proxy);
    let (cookies, mut answer) = match engine.second_factor(transaction, code, &visitor.browser, address).await {
        Ok(Shown::Done(cookies, next)) => {
            metrics::sign_in("second_factor");
            (cookies, interaction::next(engine, &next))
        }
        Ok(Shown::Enrolled(cookies, page)) => (cookies, pages::show(engine, &page, StatusCode::OK)),
        Ok(Shown::Refused(page)) => {
            metrics::sign_in("second_factor_failed");
            return pages::show(engine, &page, StatusCode::OK);
        }
        Ok(Shown::Throttled(page, retry)) => {
            metrics::sign_in("throttled");
            let mut answer = pages::show(engine, &page, StatusCode::TOO_MANY_REQUESTS);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry.seconds()));
            return answer;
        }
        Ok(Shown::Elsewhere(next)) => return interaction::next(engine, &next),
        Ok(Shown::NoTransaction) => return over(),
        Err(error) => {
            tracing::error!(error = %error, cause = error.cause, "a second factor could not be processed");
            return pages::problem(&error);
        }
    };
    browser::set_sessions(&cookies, &visitor.browser, issuer, &mut answer);
    answer
}
