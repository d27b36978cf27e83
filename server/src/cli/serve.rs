//! `symbolon serve`: put everything together, serve until told to stop, lose nothing on the way out.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::admin::socket::AdminSocket;
use super::arguments::Place;
use super::assemble;
use super::examine::examine;
use super::output::{Failure, Output};
use super::reload::Reloader;
use crate::audit::Trail;
use crate::grants::Engine;
use crate::issuance::handler::process::keep_memory_to_itself;
use crate::telemetry::{AuditEvent, codes};
use crate::{http, settings, telemetry};

/// How often keys are looked after: so soon a key that one server made stands in the JWKS of every other.
const TICK: Duration = Duration::from_secs(5);

/// Runs the server.
///
/// # Errors
/// Findings, or why it cannot start.
pub async fn run(place: &Place, output: Output) -> Result<(), Failure> {
    let draft = settings::draft_from_process(place.config.as_deref(), &place.define)?;
    // Handlers that are tried may log. Who has mistaken the settings is shown the findings alone.
    if draft.findings.0.is_empty() {
        telemetry::init(&draft.loaded.settings.telemetry).map_err(Failure::refusal_of)?;
    }
    keep_memory_to_itself();
    let (loaded, networks, handlers) = examine(draft).finish(output)?;
    let metrics = telemetry::metrics::install();
    let began_with = loaded.show();
    // Dropped last, when everything has been said.
    let trail = Trail::begin(&loaded.settings.audit).map_err(Failure::refusal_of)?;
    let engine = assemble::serving(loaded.settings, networks, handlers).await?;
    let server = &engine.settings().server;
    let listener = TcpListener::bind(server.listen).map_err(|error| {
        Failure::refusal(format!("cannot listen on {}: {error}; correct server.listen or stop who holds it", server.listen))
    })?;
    let address = listener.local_addr().map_err(Failure::refusal_of)?;
    let socket = AdminSocket::listen(&engine.settings().storage.path)
        .map_err(|error| Failure::refusal(format!("the administration socket cannot be made: {error}")))?;
    let reloader = Arc::new(Reloader::new(place.clone(), Arc::clone(&engine), began_with));
    let administration = tokio::spawn(socket.serve(Arc::clone(&reloader)));
    let webhook = trail.as_ref().and_then(|trail| trail.webhook(engine.settings(), engine.outbound()));
    let mut keepers = vec![
        tokio::spawn(look_after_keys(Arc::clone(&engine))),
        tokio::spawn(Arc::clone(&engine).deliver_logout_notices()),
        tokio::spawn(engine.networks().clone().watch()),
        tokio::spawn(reload_when_told(Arc::clone(&reloader))),
        tokio::spawn(async move { reloader.watch().await }),
    ];
    keepers.extend(webhook.map(|webhook| tokio::spawn(webhook.deliver())));
    let running = http::start(Arc::clone(&engine), listener, metrics).map_err(Failure::refusal_of)?;
    tracing::info!("listening on http://{address} issuer {}", server.issuer.text);
    let detail = format!("release {} at http://{address} as {}", env!("CARGO_PKG_VERSION"), server.issuer.text);
    AuditEvent::granted(codes::SERVER_STARTED).detail(&detail).emit();
    engine.issuer().keys().announce();

    let mut http_ended = tokio::spawn(running.server);
    tokio::select! {
        ended = &mut http_ended => {
            let reason = format!("the HTTP server ended by itself: {ended:?}");
            AuditEvent::refused(codes::SERVER_STOPPED).reason(&reason).emit();
            return Err(Failure::refusal(reason));
        }
        () = told_to_stop() => {}
    }
    tracing::info!("stopping: no new requests, running ones may finish");
    running.handle.stop(true).await;
    administration.abort();
    keepers.iter().for_each(tokio::task::JoinHandle::abort);
    let closed = engine.store().close().await.map_err(Failure::refusal_of);
    AuditEvent::granted(codes::SERVER_STOPPED).emit();
    closed?;
    tracing::info!("stopped");
    Ok(())
}

async fn look_after_keys(engine: Arc<Engine>) {
    loop {
        tokio::time::sleep(TICK).await;
        engine.issuer().keys().tick().await;
    }
}

/// SIGHUP reloads the handlers, and databases of addresses that have changed.
async fn reload_when_told(reloader: Arc<Reloader>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        // What came of it is in the log.
        drop(reloader.reload("SIGHUP").await);
    }
}

async fn told_to_stop() {
    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    match (terminate, interrupt) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        // Without handlers the signals keep their default meaning and end the process.
        _ => std::future::pending().await,
    }
}
