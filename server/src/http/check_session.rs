//! `GET /check-session` (OpenID Connect Session Management 1.0 section 3.2).

use actix_web::{HttpResponse, Resource, web};

use super::serve::Shared;
use super::{browser, pages, respond};

/// The endpoint.
pub fn resource() -> Resource {
    web::resource("/check-session")
        .route(web::get().to(get))
        .default_service(web::to(async || respond::method_not_allowed("GET")))
}

async fn get(shared: web::Data<Shared>) -> HttpResponse {
    pages::check_session(browser::state_cookie(&shared.engine.settings().server.issuer))
}
