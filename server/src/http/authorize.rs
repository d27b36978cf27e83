//! `GET` and `POST /authorize` (RFC 6749 section 3.1).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::serve::Shared;
use super::words::Words;
use super::{browser, interaction, origin, pages, posted, respond};
use crate::grants::authorize::arrival::brought_by;
use crate::grants::authorize::{Authorized, Outcome, Refusal};
use crate::telemetry::{AuditEvent, codes};

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/authorize")
        .route(web::get().to(answer))
        .route(web::post().to(answer))
        .default_service(web::to(async || respond::method_not_allowed("GET, POST")))
}

async fn answer(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let issuer = &engine.settings().server.issuer;
    let visitor = browser::recognise(&request, issuer, &engine.settings().proxy);
    let parameters = match posted::read(posted::AUTHORIZE, &request, payload, &visitor, engine).await {
        Ok(parameters) => parameters,
        Err(answer) => return answer,
    };
    let brought = brought_by(&parameters).into_iter().chain(browser::transfer_token(&request)).collect();
    let Authorized { outcome, changes } = engine.authorize(&parameters, &visitor.browser, brought).await;
    let mut answer = match outcome {
        Ok(Outcome::Page(page)) => pages::show(engine, &request, &page, StatusCode::OK),
        Ok(Outcome::Client(answer)) => interaction::to_client(engine, &request, &answer),
        Err(Refusal::Page(error)) => {
            refused(&request, &shared, parameters.get("client_id"), &error);
            pages::problem(Words::plain(&request, engine), &error)
        }
        Err(Refusal::Redirect(refusal)) => {
            refused(&request, &shared, parameters.get("client_id"), &refusal.error);
            interaction::to_client(engine, &request, &engine.answer_with_error(*refusal))
        }
    };
    if let Some(cookies) = &changes.cookies {
        browser::set_sessions(cookies, &visitor.browser, issuer, &mut answer);
    }
    if changes.used_cookie {
        browser::remove_transfer_token(&request, issuer, &mut answer);
    }
    browser::bind(&visitor, issuer, &mut answer);
    answer
}

fn refused(request: &HttpRequest, shared: &Shared, client_id: Option<&str>, error: &crate::protocol::OAuthError) {
    // What a stranger calls a client is logged only as far as a client_id can go.
    let client_id = client_id.filter(|id| id.len() <= 256);
    let address = origin::address(request, &shared.engine.settings().proxy);
    let reason = error.cause.as_deref().unwrap_or(&error.description);
    let event = AuditEvent::refused(codes::AUTHORIZATION_REFUSED).address(address).reason(reason).detail(error.code.as_str());
    client_id.map_or(event, |client_id| event.client_id(client_id)).emit();
}
