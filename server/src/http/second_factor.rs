//! `POST /second-factor`: the form for a one-time password, and that of the page on which an authenticator app is set up.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::interaction::{self, Form, over};
use super::serve::Shared;
use super::{browser, pages};
use crate::foundation::Secret;
use crate::grants::authorize::second_factor::Shown;
use crate::telemetry::metrics;

/// The endpoint.
pub fn resource() -> Resource {
    interaction::page("/second-factor", post)
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let issuer = &engine.settings().server.issuer;
    let Form { transaction, parameters, visitor, address, words } = match Form::read(&request, payload, &shared).await {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    let code = parameters.secret("otp").unwrap_or_else(|| Secret::new(String::new()));
    let (cookies, mut answer) = match engine.second_factor(transaction, code, &visitor.browser, address).await {
        Ok(Shown::Done(cookies, next)) => {
            metrics::sign_in("second_factor");
            (cookies, interaction::next(engine, &request, &next))
        }
        Ok(Shown::Enrolled(cookies, page)) => (cookies, pages::show(engine, &request, &page, StatusCode::OK)),
        Ok(Shown::Refused(page)) => {
            metrics::sign_in("second_factor_failed");
            return pages::show(engine, &request, &page, StatusCode::OK);
        }
        Ok(Shown::Throttled(page, retry)) => {
            metrics::sign_in("throttled");
            return pages::later(pages::show(engine, &request, &page, StatusCode::TOO_MANY_REQUESTS), retry);
        }
        Ok(Shown::Elsewhere(next)) => return interaction::next(engine, &request, &next),
        Ok(Shown::NoTransaction) => return over(words),
        Err(error) => {
            tracing::error!(error = %error, cause = error.cause, "a second factor could not be processed");
            return pages::problem(words, &error);
        }
    };
    browser::set_sessions(&cookies, &visitor.browser, issuer, &mut answer);
    answer
}
