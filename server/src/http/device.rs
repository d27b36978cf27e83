//! `GET` and `POST /device`: the page on which a person types the code of a device, and on which they end (RFC 8628 section 3.3).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::body::{self, Accept};
use super::serve::Shared;
use super::words::Words;
use super::{browser, interaction, origin, pages, respond};
use crate::foundation::digest::constant_time_eq;
use crate::foundation::{Digest, Secret};
use crate::grants::authorize::Outcome;
use crate::grants::authorize::device::Typed;
use crate::protocol::OAuthError;

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/device")
        .route(web::get().to(get))
        .route(web::post().to(post))
        .default_service(web::to(async || respond::method_not_allowed("GET, POST")))
}

/// What only the page of this browser can know, so that nobody else's page sends its form.
fn proof(visitor: &browser::Visitor) -> String {
    Digest::of(format!("device {}", visitor.browser.binding.expose())).left_half()
}

async fn get(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let issuer = &shared.engine.settings().server.issuer;
    let words = Words::plain(&request, &shared.engine);
    let visitor = browser::recognise(&request, issuer, &shared.engine.settings().proxy);
    let parameters = body::query(&request).unwrap_or_default();
    let mut answer = match (parameters.get("result"), parameters.get("error")) {
        (Some(_), _) => pages::message(words, "Device signed in", "You can go back to your device now."),
        (None, Some(_)) => pages::message(words, "Device not signed in", "The device was not let in. You can close this page."),
        // What comes along is filled in, not sent: the person presses the button (RFC 8628 section 3.3.1).
        (None, None) => pages::ask_user_code(
            &shared.engine,
            words,
            &proof(&visitor),
            parameters.get("user_code").unwrap_or_default(),
            None,
            StatusCode::OK,
        ),
    };
    browser::bind(&visitor, issuer, &mut answer);
    answer
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let words = Words::plain(&request, engine);
    let parameters = match body::read(&request, payload, engine.settings().server.max_body, Accept::Form).await {
        Ok(parameters) => parameters,
        Err(error) => return pages::problem(words, &error),
    };
    let visitor = browser::recognise(&request, &engine.settings().server.issuer, &engine.settings().proxy);
    let proof = proof(&visitor);
    if !parameters.get("proof").is_some_and(|given| constant_time_eq(given.as_bytes(), proof.as_bytes())) {
        return pages::problem(
            words,
            &OAuthError::invalid_request("This form was made for another browser. Please open the page again."),
        );
    }
    let typed = parameters.secret("user_code").unwrap_or_else(|| Secret::new(String::new()));
    let address = origin::address(&request, &engine.settings().proxy);
    let again = |message, status| pages::ask_user_code(engine, words, &proof, "", Some(message), status);
    match engine.let_device_in(&typed, &visitor.browser, address).await {
        Ok(Typed::Waits(outcome)) => match *outcome {
            Outcome::Page(page) => pages::show(engine, &request, &page, StatusCode::OK),
            Outcome::Client(answer) => interaction::to_client(engine, &request, &answer),
        },
        Ok(Typed::Unknown) => again("No device waits under this code. It may have expired.", StatusCode::OK),
        Ok(Typed::Throttled(retry)) => {
            let page = again("Too many codes were wrong. Please wait a while, then try again.", StatusCode::TOO_MANY_REQUESTS);
            pages::later(page, retry)
        }
        Err(error) => pages::problem(words, &error),
    }
}
