//! What browsers bring to `/authorize` and `/logout`, by GET or by POST. A form of another site is posted without cookies that are
//! `SameSite=Lax`, as if nobody was signed in. Such a browser is sent here once more, by GET: on that way it brings them. Nothing else is
//! said to it before, least of all a cookie, which would replace the one that it has.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use url::form_urlencoded::Serializer;

use super::browser::Visitor;
use super::words::Words;
use super::{body, interaction, pages, respond};
use crate::grants::authorize::arrival::PARAMETERS as TRANSFER_TOKENS;
use crate::grants::authorize::posted::PREFIX;
use crate::grants::{Engine, Parameters};
use crate::protocol::OAuthError;

/// An endpoint that sites post to.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    path: &'static str,
    /// What may stand in an address. Whatever else was posted may have been posted in order not to stand in one.
    open: &'static [&'static str],
    /// Fields of our own page's form, which say nothing without its cookie.
    of_our_form: &'static [&'static str],
}

/// `/authorize`
pub const AUTHORIZE: Endpoint = Endpoint {
    path: "/authorize",
    open: &[
        "client_id",
        "redirect_uri",
        "response_type",
        "response_mode",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "prompt",
        "max_age",
        "display",
        "ui_locales",
        "claims_locales",
        "acr_values",
        "claims",
        "resource",
        "audience",
        "dpop_jkt",
        "request",
        "request_uri",
    ],
    of_our_form: &[],
};

/// `/logout`
pub const LOGOUT: Endpoint = Endpoint {
    path: "/logout",
    open: &["client_id", "post_logout_redirect_uri", "state", "ui_locales"],
    of_our_form: &["proof", "logout"],
};

/// Credentials, which nobody asked for here and which are kept nowhere.
const CREDENTIALS: [&str; 5] = ["client_secret", "client_assertion", "client_assertion_type", "code_verifier", "password"];
/// The parameter that has the reference to what does not stand in the address.
const REFERENCE: &str = "posted";
/// The longest query in bytes that the browser is sent to.
const LONGEST: usize = 4096;

/// The parameters that a browser brings.
///
/// # Errors
/// What it is answered instead.
pub async fn read(
    endpoint: Endpoint,
    request: &HttpRequest,
    payload: web::Payload,
    visitor: &Visitor,
    engine: &Engine,
) -> Result<Parameters, HttpResponse> {
    let problem = |error: OAuthError| pages::problem(Words::plain(request, engine), &error);
    let parameters = body::read_either(request, payload, engine.settings().server.max_body).await.map_err(problem)?;
    if request.method() == Method::POST {
        // Whoever comes by GET is never sent on from here, so nobody goes in circles.
        return if visitor.is_new() {
            Err(come_again(endpoint, parameters, engine).await.unwrap_or_else(problem))
        } else {
            Ok(parameters)
        };
    }
    match parameters.get(REFERENCE).filter(|value| value.starts_with(PREFIX)) {
        None => Ok(parameters),
        Some(reference) => {
            let kept = engine.posted(endpoint.path, reference, &visitor.browser.binding).await.map_err(problem)?;
            let kept = kept.ok_or_else(|| interaction::over(Words::plain(request, engine)))?;
            Ok(kept.or(&of_transfer(&parameters)))
        }
    }
}

/// The session transfer tokens among parameters. They are made for addresses, and are not kept with what was posted: they stand beside the reference to it.
fn of_transfer(parameters: &Parameters) -> Parameters {
    let others: Vec<&str> = parameters.iter().map(|(name, _)| name).filter(|name| !TRANSFER_TOKENS.contains(name)).collect();
    parameters.without(&others)
}

/// Sends a browser to the same endpoint by GET, with what it has posted.
async fn come_again(endpoint: Endpoint, parameters: Parameters, engine: &Engine) -> Result<HttpResponse, OAuthError> {
    let parameters = parameters.without(endpoint.of_our_form).without(&CREDENTIALS);
    let address = engine.settings().server.issuer.endpoint(endpoint.path);
    let query_of = |parameters: &Parameters| Serializer::new(String::new()).extend_pairs(parameters.iter()).finish();
    let query = query_of(&parameters);
    if query.is_empty() {
        return Ok(respond::see_other(&address));
    }
    let is_open = |name: &str| endpoint.open.contains(&name) || TRANSFER_TOKENS.contains(&name);
    if query.len() <= LONGEST && parameters.iter().all(|(name, _)| is_open(name)) {
        return Ok(respond::see_other(&format!("{address}?{query}")));
    }
    let beside = of_transfer(&parameters);
    let reference = engine.keep_posted(endpoint.path, parameters.without(&TRANSFER_TOKENS)).await?;
    let query = query_of(&beside.with(REFERENCE, reference.expose()));
    Ok(respond::see_other(&format!("{address}?{query}")))
}
