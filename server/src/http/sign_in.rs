//! `POST /sign-in`: the form of the sign-in page.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::interaction::{self, Form, over};
use super::serve::Shared;
use super::{browser, pages};
use crate::foundation::Secret;
use crate::grants::authorize::sign_in::{Credentials, SignIn};
use crate::telemetry::metrics;

/// The endpoint.
pub fn resource() -> Resource {
    interaction::page("/sign-in", post)
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let issuer = &engine.settings().server.issuer;
    let Form { transaction, parameters, visitor, address, words } = match Form::read(&request, payload, &shared).await {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    let username = parameters.get("username").unwrap_or_default().trim();
    let password = parameters.secret("password").unwrap_or_else(|| Secret::new(String::new()));
    let credentials = Credentials { username, password, keep: parameters.get("keep") == Some("yes") };
    match engine.sign_in(transaction, credentials, &visitor.browser, address).await {
        Ok(SignIn::Done { cookies, next }) => {
            metrics::sign_in("ok");
            let mut answer = interaction::next(engine, &request, &next);
            browser::set_sessions(&cookies, &visitor.browser, issuer, &mut answer);
            answer
        }
        Ok(SignIn::Refused(page)) => {
            metrics::sign_in("failed");
            pages::show(engine, &request, &page, StatusCode::OK)
        }
        Ok(SignIn::Throttled(page, retry)) => {
            metrics::sign_in("throttled");
            pages::later(pages::show(engine, &request, &page, StatusCode::TOO_MANY_REQUESTS), retry)
        }
        Ok(SignIn::NoTransaction) => over(words),
        Err(error) => {
            tracing::error!(error = %error, cause = error.cause, "a sign-in could not be processed");
            pages::problem(words, &error)
        }
    }
}
