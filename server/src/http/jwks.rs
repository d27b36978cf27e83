//! `GET /jwks.json` (RFC 7517 section 5).

use actix_web::http::Method;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, Resource, web};

use super::serve::Shared;
use super::{cors, respond};

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/jwks.json")
        .route(web::get().to(get))
        .route(web::head().to(get))
        .route(web::method(Method::OPTIONS).to(cors::preflight))
        .default_service(web::to(async || respond::method_not_allowed("GET, HEAD, OPTIONS")))
}

async fn get(shared: web::Data<Shared>) -> HttpResponse {
    // Shorter than the time that a new key is published before it signs.
    let mut answer = HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .content_type("application/json")
        .body(shared.engine.issuer().keys().jwks().as_bytes().to_vec());
    cors::public(&mut answer);
    answer
}
