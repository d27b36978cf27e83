//! `POST /register` (RFC 7591) and `GET`, `PUT`, `DELETE /register/CLIENT_ID` (RFC 7592).

use actix_web::http::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde_json::{Map, Value};

use super::serve::Shared;
use super::{body, cors, origin, protected, respond};
use crate::clients::Client;
use crate::foundation::Secret;
use crate::grants::{RegistrationCall, Scheme};
use crate::protocol::{ErrorCode, OAuthError};
use crate::settings::meaning::RegistrationMode;
use crate::telemetry::{AuditEvent, codes};

/// Where clients register.
pub fn resource() -> Resource {
    web::resource("/register")
        .route(web::post().to(post))
        .route(web::method(Method::OPTIONS).to(cors::preflight_of_registration))
        .default_service(web::to(async |shared: web::Data<Shared>| wrong_method(&shared, "POST, OPTIONS")))
}

/// Where a client finds its own registration.
pub fn own() -> Resource {
    web::resource("/register/{client_id}")
        .route(web::get().to(manage))
        .route(web::put().to(manage))
        .route(web::delete().to(manage))
        .route(web::method(Method::OPTIONS).to(cors::preflight_of_registration))
        .default_service(web::to(async |shared: web::Data<Shared>| wrong_method(&shared, "GET, PUT, DELETE, OPTIONS")))
}

fn is_off(shared: &Shared) -> bool {
    shared.engine.settings().registration.mode == RegistrationMode::Off
}

fn wrong_method(shared: &Shared, allowed: &'static str) -> HttpResponse {
    if is_off(shared) { respond::nothing_here() } else { respond::method_not_allowed(allowed) }
}

async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    if is_off(&shared) {
        return respond::nothing_here();
    }
    let engine = &shared.engine;
    let token = match bearer(&request) {
        Ok(token) => token,
        Err(error) => return refused(&shared, &request, None, false, &error),
    };
    let call = RegistrationCall { token: token.as_ref(), address: origin::address(&request, &engine.settings().proxy) };
    let metadata = body::read_object(&request, payload, engine.settings().server.max_body).await;
    let result = match metadata {
        Ok(metadata) => engine.register(&call, &metadata).await,
        Err(error) => Err(error),
    };
    match result {
        Ok((client, members)) => told(&request, StatusCode::CREATED, &client, members),
        Err(error) => refused(&shared, &request, None, token.is_some(), &error),
    }
}

async fn manage(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    if is_off(&shared) {
        return respond::nothing_here();
    }
    let engine = &shared.engine;
    let client_id = request.match_info().get("client_id").unwrap_or_default();
    let token = match bearer(&request) {
        Ok(token) => token,
        Err(error) => return refused(&shared, &request, None, false, &error),
    };
    let call = RegistrationCall { token: token.as_ref(), address: origin::address(&request, &engine.settings().proxy) };
    let client = match engine.registered_client(&call, client_id).await {
        Ok(client) => client,
        Err(error) => return refused(&shared, &request, None, token.is_some(), &error),
    };
    // Without a token nobody comes this far.
    let Some(token) = &token else { return respond::nothing_here() };
    let result = if request.method() == Method::PUT {
        match body::read_object(&request, payload, engine.settings().server.max_body).await {
            Ok(metadata) => engine.change_registration(&client, &call, token, &metadata).await,
            Err(error) => Err(error),
        }
    } else if request.method() == Method::DELETE {
        match engine.end_registration(&client, &call).await {
            Ok(()) => {
                let mut answer = respond::no_store(StatusCode::NO_CONTENT).finish();
                cors::for_client(cors::origin(&request), Some(&client), &mut answer);
                return answer;
            }
            Err(error) => Err(error),
        }
    } else {
        Ok((client.clone(), engine.registration_of(&client, token)))
    };
    match result {
        Ok((client, members)) => told(&request, StatusCode::OK, &client, members),
        Err(error) => refused(&shared, &request, Some(&client), true, &error),
    }
}

/// The bearer token of the header (RFC 6750 section 2.1).
fn bearer(request: &HttpRequest) -> Result<Option<Secret<String>>, OAuthError> {
    match protected::in_header(request)? {
        Some((Scheme::Bearer, token)) => Ok(Some(token)),
        None if request.headers().get(AUTHORIZATION).is_none() => Ok(None),
        _ => Err(OAuthError::invalid_request("The Authorization header is not of the form: Bearer token.")),
    }
}

fn told(request: &HttpRequest, status: StatusCode, client: &Client, members: Map<String, Value>) -> HttpResponse {
    let body = Value::Object(members).to_string();
    let mut answer = respond::no_store(status).content_type("application/json").body(body);
    cors::for_client(cors::origin(request), Some(client), &mut answer);
    answer
}

/// A refusal, for the log and for the client. `shown` = a bearer token came with the request.
fn refused(shared: &Shared, request: &HttpRequest, client: Option<&Client>, shown: bool, error: &OAuthError) -> HttpResponse {
    let address = origin::address(request, &shared.engine.settings().proxy);
    let reason = error.cause.as_deref().unwrap_or(&error.description);
    if error.is_ours() && error.status != Some(429) {
        tracing::error!(cause = error.cause, "a request for registration failed");
    }
    let event = AuditEvent::refused(codes::REGISTRATION_REFUSED).address(address).reason(reason).detail(error.code.as_str());
    match client {
        Some(client) => event.client_id(&client.id).emit(),
        None => event.emit(),
    }
    let mut answer = if error.code == ErrorCode::InvalidToken && shown {
        respond::challenge(Scheme::Bearer, Some(error))
    } else {
        let mut answer = respond::refusal(error, false);
        if error.code == ErrorCode::InvalidToken {
            // RFC 6750 section 3.1: whoever showed nothing is told nothing but the scheme.
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"symbolon\""));
        }
        answer
    };
    if let Some(seconds) = error.retry_after {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    // There is nothing in it but what is wrong with the request.
    cors::public(&mut answer);
    cors::expose(&mut answer);
    answer
}
