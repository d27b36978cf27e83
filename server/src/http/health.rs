//! `/healthz`, `/readyz`, `/metrics`: for whoever runs the server.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, web};

use super::respond;
use super::serve::Shared;

/// The endpoints.
pub fn routes(config: &mut web::ServiceConfig) {
    // HEAD is answered as GET; the body is left out below us (RFC 9110 section 9.3.2).
    let resource = |path| web::resource(path).default_service(web::to(async || respond::method_not_allowed("GET, HEAD")));
    config
        .service(resource("/healthz").route(web::get().to(health)).route(web::head().to(health)))
        .service(resource("/readyz").route(web::get().to(ready)).route(web::head().to(ready)))
        .service(resource("/metrics").route(web::get().to(metrics)).route(web::head().to(metrics)));
}

/// The process runs.
async fn health() -> HttpResponse {
    respond::no_store(StatusCode::OK).content_type("text/plain").body("ok\n")
}

/// What is acknowledged will be kept.
async fn ready(shared: web::Data<Shared>) -> HttpResponse {
    match shared.engine.store().ready().await {
        Ok(()) => respond::no_store(StatusCode::OK).content_type("text/plain").body("ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            respond::no_store(StatusCode::SERVICE_UNAVAILABLE)
                .insert_header((RETRY_AFTER, respond::RETRY_SECONDS))
                .content_type("text/plain")
                .body("the store cannot keep its promises\n")
        }
    }
}

async fn metrics(shared: web::Data<Shared>) -> HttpResponse {
    respond::no_store(StatusCode::OK).content_type("text/plain; version=0.0.4").body(shared.metrics.render())
}
