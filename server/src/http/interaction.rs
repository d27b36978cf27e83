//! What the pages of a sign-in have in common: `GET` shows the page that a transaction waits at, whichever of their addresses was asked;
//! after a form the browser is sent on, so that reloading and going back send nothing twice.

use std::net::IpAddr;

use actix_web::http::StatusCode;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, web};

use super::body::{self, Accept};
use super::browser::{self, Visitor};
use super::serve::Shared;
use super::words::Words;
use super::{origin, pages, respond};
use crate::foundation::Secret;
use crate::grants::authorize::{Answer, Next, Outcome};
use crate::grants::{Engine, Parameters};
use crate::protocol::OAuthError;

/// Where the browser is sent to for the next page of a transaction.
pub const PATH: &str = "/continue";

/// The form of a page, and who sends it.
#[derive(Debug)]
pub struct Form {
    /// The transaction that it is about.
    pub transaction: Secret<String>,
    /// All of its fields.
    pub parameters: Parameters,
    /// The browser.
    pub visitor: Visitor,
    /// Its address.
    pub address: Option<IpAddr>,
    /// The language for what is no page of the transaction.
    pub words: Words,
}

impl Form {
    /// Reads the form of a page.
    ///
    /// # Errors
    /// What the person is shown instead: the body is no form, or it names no transaction.
    pub async fn read(request: &HttpRequest, payload: web::Payload, shared: &Shared) -> Result<Self, HttpResponse> {
        let settings = shared.engine.settings();
        let words = Words::plain(request, &shared.engine);
        let parameters = body::read(request, payload, settings.server.max_body, Accept::Form).await;
        let parameters = parameters.map_err(|error| pages::problem(words, &error))?;
        let transaction = parameters.secret("transaction").ok_or_else(|| over(words))?;
        let visitor = browser::recognise(request, &settings.server.issuer, &settings.proxy);
        Ok(Self { transaction, parameters, visitor, address: origin::address(request, &settings.proxy), words })
    }
}

/// A page at that path, whose form is sent to `post`.
pub fn page<F, A, R>(path: &str, post: F) -> Resource
where
    F: Handler<A, Output = R>,
    A: FromRequest + 'static,
    R: Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(get))
        .route(web::post().to(post))
        .default_service(web::to(async || respond::method_not_allowed("GET, POST")))
}

/// What a person reads whose transaction is over.
#[must_use]
pub fn over(words: Words) -> HttpResponse {
    pages::problem(
        words,
        &OAuthError::invalid_request(
            "This sign-in has expired, was finished already, or was begun in another browser. Please go back to the app and start again.",
        ),
    )
}

/// `GET` of any page of a transaction.
pub async fn get(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let engine = &shared.engine;
    let words = Words::plain(&request, engine);
    let visitor = browser::recognise(&request, &engine.settings().server.issuer, &engine.settings().proxy);
    let transaction = body::query(&request).ok().and_then(|parameters| parameters.secret("transaction"));
    let Some(transaction) = transaction else { return over(words) };
    match engine.show(transaction, &visitor.browser).await {
        Ok(Some(Outcome::Page(page))) => pages::show(engine, &request, &page, StatusCode::OK),
        Ok(Some(Outcome::Client(answer))) => to_client(engine, &request, &answer),
        Ok(None) => over(words),
        Err(error) => pages::problem(words, &error),
    }
}

/// Sends the browser to the client, with the cookie that goes with the answer.
#[must_use]
pub fn to_client(engine: &Engine, request: &HttpRequest, answer: &Answer) -> HttpResponse {
    let mut sent = pages::to_client(engine, request, answer);
    if let Some(state) = &answer.browser_state {
        browser::show_state(Some(state), &engine.settings().server.issuer, &mut sent);
    }
    sent
}

/// Sends the browser on.
#[must_use]
pub fn next(engine: &Engine, request: &HttpRequest, next: &Next) -> HttpResponse {
    match next {
        Next::Page(transaction) => {
            let page = engine.settings().server.issuer.endpoint(PATH);
            respond::see_other(&format!("{page}?transaction={}", transaction.expose()))
        }
        Next::Client(answer) => to_client(engine, request, answer),
    }
}
