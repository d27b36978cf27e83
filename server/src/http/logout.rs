//! `GET` and `POST /logout` (OpenID Connect RP-Initiated Logout 1.0 section 2).

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::serve::Shared;
use super::words::Words;
use super::{browser, origin, pages, posted, respond};
use crate::foundation::Digest;
use crate::foundation::digest::constant_time_eq;
use crate::grants::authorize::Browser;
use crate::grants::logout::{Departure, Logout};
use crate::protocol::OAuthError;

/// Parameters that the confirmation page hands on.
const HANDED_ON: [&str; 5] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/logout")
        .route(web::get().to(answer))
        .route(web::post().to(answer))
        .default_service(web::to(async || respond::method_not_allowed("GET, POST")))
}

async fn answer(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let issuer = &engine.settings().server.issuer;
    let visitor = browser::recognise(&request, issuer, &engine.settings().proxy);
    let parameters = match posted::read(posted::LOGOUT, &request, payload, &visitor, engine).await {
        Ok(parameters) => parameters,
        Err(answer) => return answer,
    };
    let words = Words::of(&request, parameters.get("ui_locales").unwrap_or_default(), &engine.settings().sign_in.languages);
    // The page's form repeats a value that only this browser's page can know.
    let proof = Digest::of(visitor.browser.binding.expose()).left_half();
    let answered = request.method() == Method::POST
        && parameters.get("proof").is_some_and(|given| constant_time_eq(given.as_bytes(), proof.as_bytes()));
    if answered && parameters.get("logout") == Some("no") {
        return pages::message(words, "Still signed in", "You are still signed in on this browser.");
    }
    let confirmed = answered && parameters.get("logout") == Some("yes");
    let address = origin::address(&request, &engine.settings().proxy);
    let mut answer = match engine.log_out(&parameters, &visitor.browser, confirmed, address).await {
        Ok(Logout::Confirm) => {
            let mut fields = vec![("proof", proof.as_str())];
            fields.extend(HANDED_ON.iter().filter_map(|name| parameters.get(name).map(|value| (*name, value))));
            pages::ask_logout(engine, words, &fields)
        }
        Ok(Logout::Done(departure)) => signed_out(leave(words, &departure), &visitor.browser, &shared).await,
        Err(error) => problem(words, &error),
    };
    browser::bind(&visitor, issuer, &mut answer);
    answer
}

/// Sends the browser on, by way of the pages that clients want it to load.
fn leave(words: Words, departure: &Departure) -> HttpResponse {
    match &departure.to {
        _ if !departure.frames.is_empty() => pages::front_channel(words, departure),
        Some(to) => respond::see_other(to),
        None => pages::message(words, "Signed out", "You are signed out."),
    }
}

/// The browser keeps the handles of those who are still signed in; what has ended is worth nothing anyway.
async fn signed_out(mut answer: HttpResponse, browser: &Browser, shared: &Shared) -> HttpResponse {
    match shared.engine.signed_in(browser).await {
        Ok(people) => {
            let cookies = shared.engine.cookies(&people);
            browser::set_sessions(&cookies, browser, &shared.engine.settings().server.issuer, &mut answer);
        }
        Err(error) => tracing::warn!(%error, "the cookies of a browser are left as they were"),
    }
    answer
}

fn problem(words: Words, error: &OAuthError) -> HttpResponse {
    tracing::debug!(error = %error, cause = error.cause, "logout refused");
    pages::problem(words, error)
}
