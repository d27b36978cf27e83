//! An endpoint that does nothing: parses a form, answers its fields as JSON. What HTTP alone costs.

use std::net::Ipv4Addr;

use actix_web::{App, HttpServer, web};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The fields of a token request.
#[derive(Debug, Serialize, Deserialize)]
struct Fields {
    grant_type: String,
    client_id: Option<String>,
    scope: Option<String>,
    audience: Option<String>,
    subject_token: Option<String>,
    subject_token_type: Option<String>,
    actor_token: Option<String>,
    actor_token_type: Option<String>,
    refresh_token: Option<String>,
}

async fn echo(form: web::Form<Fields>) -> web::Json<Fields> {
    web::Json(form.into_inner())
}

/// Serves `POST /` with one worker until the process is ended.
pub(crate) fn serve(port: u16) -> Result<(), Failure> {
    actix_web::rt::System::new().block_on(async move {
        HttpServer::new(|| App::new().route("/", web::post().to(echo))).workers(1).bind((Ipv4Addr::LOCALHOST, port))?.run().await
    })?;
    Ok(())
}
