//! From settings to a working engine: the store, the keys, the people, the clients, the handlers.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::output::Failure;
use crate::accounts::{PasswordPolicy, People, Throttle, ThrottleLimits};
use crate::clients::Clients;
use crate::foundation::Clock;
use crate::grants::{Engine, Outside};
use crate::issuance::handler::Rehearsal;
use crate::issuance::{Handlers, Issuer};
use crate::network::Networks;
use crate::outbound::Outbound;
use crate::settings::meaning::{Backend, SealingKeySource, SessionLimits};
use crate::settings::{Finding, Settings};
use crate::storage::SharedStore;
use crate::storage::embedded::{self, Embedded};
use crate::storage::redis::Redis;
use crate::telemetry::{AuditEvent, codes};
use crate::tokens::keys::{KeyPolicy, SigningKeys};
use crate::tokens::sealing::SealingKey;

const SEALING_KEY: &str = "sealing.key";

/// The engine of a server that will serve, with its handlers and its databases of addresses.
///
/// # Errors
/// What cannot be opened.
pub async fn serving(settings: Settings, networks: Networks, handlers: Rehearsal) -> Result<Arc<Engine>, Failure> {
    let load = Handlers::begin(handlers)?;
    load.warnings.iter().for_each(warn);
    load.handlers.announce();
    assemble(settings, networks, load.handlers).await
}

/// The engine of a command that works on the store of a stopped server. Handlers are loaded only where they are the point.
///
/// # Errors
/// Findings, or what cannot be opened.
pub async fn offline(settings: Settings, with_handlers: bool) -> Result<Arc<Engine>, Failure> {
    let handlers = if with_handlers { Handlers::load(&settings)?.handlers } else { Handlers::none() };
    let networks = Networks::none(&settings.network);
    assemble(settings, networks, handlers).await
}

/// Writes a finding that stops nobody to the log.
pub fn warn(finding: &Finding) {
    if ["handler.left_out", "handler.folder"].contains(&finding.id) {
        AuditEvent::refused(codes::HANDLER_NOT_LOADED).reason(&finding.to_string()).emit();
    } else {
        tracing::warn!(id = finding.id, place = finding.place, "{finding}");
    }
}

async fn assemble(settings: Settings, networks: Networks, handlers: Handlers) -> Result<Arc<Engine>, Failure> {
    let settings = Arc::new(settings);
    let Opened { store, sealing, clock } = open(&settings).await?;
    let policy = KeyPolicy {
        publish_before_use: settings.tokens.key_publish_before_use,
        rotate_every: settings.tokens.key_rotate_every,
        verify_for: longest(&settings),
    };
    let keys = SigningKeys::open(Arc::clone(&store), clock.clone(), sealing.clone(), policy).await.map_err(refused)?;
    let outbound = Outbound::trusting(settings.outbound.allow_private_addresses, settings.outbound.ca_certificates.as_deref());
    let clients =
        Clients::new(Arc::clone(&store), clock.clone(), outbound.clone(), sealing, &settings.clients, settings.scopes.clone())?;
    let people = People::new(Arc::clone(&store), clock.clone(), PasswordPolicy::from(&settings.sign_in)).map_err(refused)?;
    let throttle = Throttle::new(ThrottleLimits::from(&settings.sign_in));
    let issuer = Issuer::new(settings, clock, store, keys, people, clients.keys().clone());
    Ok(Engine::new(issuer, clients, handlers, throttle, Outside { outbound, networks }))
}

/// A store, and what it takes to read it.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: SharedStore,
    /// What the signing keys in it are sealed with.
    pub sealing: SealingKey,
    /// The clock by which its records expire.
    pub clock: Clock,
}

/// Opens the store that the settings name.
///
/// # Errors
/// What cannot be opened.
pub async fn open(settings: &Settings) -> Result<Opened, Failure> {
    let folder = &settings.storage.path;
    prepare(folder)?;
    let (sealing, clock) = (sealing_key(settings)?, Clock::system());
    let store: SharedStore = match &settings.storage.backend {
        Backend::Embedded => {
            let options = embedded::Options { cache_bytes: settings.storage.cache_bytes, sync: settings.storage.sync };
            if !options.sync {
                tracing::warn!(
                    "storage.sync = false: what was acknowledged is lost when the machine fails, and perhaps all of the store"
                );
            }
            Arc::new(Embedded::open(folder, options, clock.clone()).map_err(refused)?)
        }
        Backend::Redis(redis) => Arc::new(Redis::open(redis, clock.clone()).await.map_err(refused)?),
    };
    Ok(Opened { store, sealing, clock })
}

/// The data folder: made when missing, and for nobody else to look into.
fn prepare(folder: &Path) -> Result<(), Failure> {
    let wrong = |error: &std::io::Error| {
        Failure::refusal(format!(
            "the data folder {} cannot be used: {error}; correct storage.path or its permissions",
            folder.display()
        ))
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| wrong(&error))?;
    let mode = fs::metadata(folder).map_err(|error| wrong(&error))?.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(Failure::refusal(format!(
            "the data folder {} may be written by others (mode {mode:03o}); run chmod 700 on it",
            folder.display()
        )));
    }
    Ok(())
}

fn sealing_key(settings: &Settings) -> Result<SealingKey, Failure> {
    let key = match &settings.storage.sealing_key {
        SealingKeySource::Value(text) => SealingKey::from_text(text),
        SealingKeySource::File(path) => SealingKey::load(path),
        SealingKeySource::Generated => {
            let file = settings.storage.path.join(SEALING_KEY);
            // A new key would open nothing of what is there, and look as if it did.
            if !file.exists() && Embedded::is_in(&settings.storage.path) {
                return Err(Failure::refusal(format!(
                    "{} is missing, and without it the keys in the store cannot be opened: bring it back, or name the sealing key by \
                     storage.sealing_key_file",
                    file.display()
                )));
            }
            SealingKey::load_or_create(&file)
        }
    };
    let earlier = settings.storage.previous_sealing_keys.iter().map(|path| SealingKey::load(path)).collect::<Result<_, _>>();
    Ok(key.map_err(refused)?.after(earlier.map_err(refused)?))
}

/// How long a session of any sort can live: ID tokens issued in it must stay verifiable that long. `None` = for ever.
fn longest(settings: &Settings) -> Option<Duration> {
    let sessions = &settings.sessions;
    [sessions.device, sessions.browser, sessions.offline]
        .iter()
        .map(|SessionLimits { max_lifetime, .. }| *max_lifetime)
        .try_fold(Duration::ZERO, |longest, life| life.map(|life| longest.max(life)))
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::refusal(error.to_string())
}
