//! `GET` and `PATCH /api/v2/clients/{id}`: the part of Auth0's management API that says what a client may do with session transfer tokens.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde_json::json;

use super::serve::Shared;
use super::{body, protected, respond};
use crate::protocol::names;

/// The endpoint.
pub fn resource() -> Resource {
    web::resource(format!("{}clients/{{id}}", names::MANAGEMENT_PATH))
        .route(web::get().to(answer))
        .route(web::patch().to(answer))
        .default_service(web::to(async || respond::method_not_allowed("GET, PATCH")))
}

async fn answer(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let (scheme, token) = match protected::token(&request, &shared).await {
        Ok(presented) => presented,
        Err(refusal) => return refusal,
    };
    let engine = &shared.engine;
    let changes = request.method() == Method::PATCH;
    let manager = match engine.open_management(&token, if changes { names::UPDATE_CLIENTS } else { names::READ_CLIENTS }) {
        Ok(manager) => manager,
        Err(error) => return protected::refused(&shared, &request, scheme, &error),
    };
    let id = request.match_info().get("id").unwrap_or_default();
    let found = if changes {
        match body::read_object(&request, payload, engine.settings().server.max_body).await {
            Ok(body) => engine.change_client(&manager, id, &body).await,
            Err(error) => Err(error),
        }
    } else {
        engine.managed_client(&manager, id).await
    };
    match found {
        Ok(Some(client)) => respond::json(&client),
        Ok(None) => {
            let body = json!({ "error": "not_found", "error_description": "There is no client of this id." });
            respond::no_store(StatusCode::NOT_FOUND).content_type("application/json").body(body.to_string())
        }
        Err(error) => respond::refusal(&error, false),
    }
}
