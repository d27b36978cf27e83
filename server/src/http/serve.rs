//! The HTTP server: routes, workers, limits.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, web};

use super::discovery::Documents;
use super::{
    account, authorize, check_session, choose_account, consent, device, device_authorization, discovery, health, interaction,
    introspect, jwks, logout, management, par, register, respond, revoke, second_factor, sign_in, token, userinfo,
};
use crate::grants::Engine;
use crate::telemetry::metrics::Handle as Metrics;

/// How long a connection may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What every endpoint works with.
#[derive(Debug)]
pub struct Shared {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The discovery documents.
    pub documents: Documents,
    /// The absolute addresses of the endpoints at which clients authenticate or prove keys.
    pub endpoints: Endpoints,
    /// The counters.
    pub metrics: Metrics,
}

/// Absolute addresses, made once: they are acceptable audiences of client assertions, and what proofs must be for.
#[derive(Debug)]
pub struct Endpoints {
    /// `/token`
    pub token: String,
    /// `/oauth/token`, the same by another name
    pub oauth_token: String,
    /// `/device_authorization`
    pub device_authorization: String,
    /// `/userinfo`
    pub user_info: String,
    /// `/introspect`
    pub introspect: String,
    /// `/revoke`
    pub revoke: String,
    /// `/par`
    pub par: String,
}

/// A server that was started: await `server`, stop it by `handle`.
#[expect(missing_debug_implementations, reason = "actix's server has none")]
pub struct Running {
    /// Stops it.
    pub handle: ServerHandle,
    /// Runs it.
    pub server: Server,
}

impl std::fmt::Debug for Documents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Documents")
    }
}

/// Starts serving on a bound listener. The returned server must be awaited.
///
/// # Errors
/// When the listener cannot be used.
pub fn start(engine: Arc<Engine>, listener: TcpListener, metrics: Metrics) -> io::Result<Running> {
    let settings = engine.settings().server.clone();
    let issuer = &settings.issuer;
    let shared = web::Data::new(Shared {
        documents: Documents::new(&engine),
        endpoints: Endpoints {
            token: issuer.endpoint("/token"),
            oauth_token: issuer.endpoint("/oauth/token"),
            device_authorization: issuer.endpoint("/device_authorization"),
            user_info: issuer.endpoint("/userinfo"),
            introspect: issuer.endpoint("/introspect"),
            revoke: issuer.endpoint("/revoke"),
            par: issuer.endpoint("/par"),
        },
        engine,
        metrics,
    });
    let path = issuer.path().to_owned();
    let server = HttpServer::new(move || {
        let shared = shared.clone();
        let path = path.clone();
        App::new().app_data(shared).configure(move |config| routes(config, &path)).default_service(web::to(respond::not_found))
    })
    .workers(settings.workers)
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(settings.shutdown_grace.as_secs())
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(Running { handle: server.handle(), server })
}

fn routes(config: &mut web::ServiceConfig, path: &str) {
    // RFC 8414 section 3.1: for an issuer with a path, the well-known part comes before it; OpenID Connect Discovery appends.
    if !path.is_empty() {
        config.service(discovery::resource(&format!("/.well-known/oauth-authorization-server{path}")));
        config.service(discovery::resource(&format!("/.well-known/openid-configuration{path}")));
    }
    config.service(
        web::scope(path)
            .service(token::resource())
            .service(userinfo::resource())
            .service(introspect::resource())
            .service(revoke::resource())
            .service(jwks::resource())
            .service(discovery::resource("/.well-known/openid-configuration"))
            .service(discovery::resource("/.well-known/oauth-authorization-server"))
            .service(authorize::resource())
            .service(par::resource())
            .service(register::resource())
            .service(register::own())
            .service(sign_in::resource())
            .service(choose_account::resource())
            .service(device::resource())
            .service(device_authorization::resource())
            .service(second_factor::resource())
            .service(web::resource(interaction::PATH).route(web::get().to(interaction::get)))
            .service(consent::resource())
            .service(logout::resource())
            .service(check_session::resource())
            .service(management::resource())
            .configure(account::routes)
            .configure(health::routes),
    );
    // Probes do not know about issuers.
    if !path.is_empty() {
        config.configure(health::routes);
    }
}
