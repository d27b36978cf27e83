//! From a folder to handlers in service, at the start and at every reload; and single libraries for the curious.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use symbolon_sdk::host::{Description, Found};

use super::active::Active;
use super::candidate::{Rejected, Trial};
use super::named;
use super::process::Child;
use super::question::Surroundings;
use super::rehearsal::{Rehearsal, left_out};
use super::state::{LoadedHandler, State};
use super::trust::Trust;
use super::{Handlers, service};
use crate::foundation::Digest;
use crate::settings::meaning::{Handlers as HandlerSettings, IsolationMode};
use crate::settings::{Finding, Findings, Settings};
use crate::telemetry::metrics::Role;
use crate::telemetry::{AuditEvent, audit, codes};

/// How long a handler that was replaced may still be busy before it is left to its last call to end it.
const RETIREMENT: Duration = Duration::from_mins(10);

/// Loaded handlers, and what was wrong without being fatal.
#[derive(Debug)]
pub struct Load {
    /// The handlers.
    pub handlers: Handlers,
    /// Libraries that were left out, properties that nobody reads.
    pub warnings: Vec<Finding>,
}

/// What a reload changed.
#[derive(Debug, Clone, Serialize)]
pub struct Reloaded {
    /// What is different now, a sentence each; empty when nothing is.
    pub changes: Vec<String>,
    /// The handlers as they are now.
    pub handlers: Vec<LoadedHandler>,
    /// What is wrong without being fatal.
    pub warnings: Vec<Finding>,
}

impl Handlers {
    /// Loads and configures every handler of the folder. Takes a moment: each is tried out in a process of its own.
    ///
    /// # Errors
    /// Findings when a handler refuses its properties, two share a name or prefix, or two are enabled.
    pub fn load(settings: &Settings) -> Result<Load, Findings> {
        Self::begin(Rehearsal::of(settings))
    }

    /// Puts handlers that were rehearsed into service.
    ///
    /// # Errors
    /// The findings of the rehearsal, or why one could not begin.
    pub fn begin(mut rehearsal: Rehearsal) -> Result<Load, Findings> {
        let warnings = std::mem::take(&mut rehearsal.warnings);
        Ok(Load { handlers: Self::of(rehearsal.begin(None)?), warnings })
    }

    /// Does the same again and puts the result into service, all or nothing; calls under way finish on what they began with. What
    /// has not changed stays as it is. Blocks: not for a thread that serves requests.
    ///
    /// # Errors
    /// Findings; then nothing has changed. A library that was in service and is no longer any good is one of them.
    pub fn reload(&self, handlers: &HandlerSettings, settings: &Settings) -> Result<Reloaded, Findings> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.state.load_full();
        let mut rehearsal = Rehearsal::beside(handlers, Surroundings::of(settings), Some(&old));
        let warnings = std::mem::take(&mut rehearsal.warnings);
        let state = rehearsal.begin(Some(&old))?;
        let changes = changes(&old, &state);
        let handlers = state.shown();
        self.state.store(Arc::new(state));
        self.state.load().release_meters(&old);
        retire(old);
        Ok(Reloaded { changes, handlers, warnings })
    }

    /// Writes the load lines: which handlers there are, which one decides.
    pub fn announce(&self) {
        for handler in self.loaded() {
            match handler.order {
                None => audit::handler_loaded(&handler.name, handler.enabled),
                Some(order) => {
                    let detail = format!("enabled={} order={order}", handler.enabled);
                    AuditEvent::granted(codes::ACTION_LOADED).handler(&handler.name).detail(&detail).emit();
                }
            }
        }
    }
}

/// The handler of a single library as it would be configured, whether enabled or not, for somebody who wants to ask it.
pub(super) fn single(file: &Path, settings: &HandlerSettings, surroundings: &Surroundings) -> Result<Active, String> {
    let sentence = |findings: Vec<Finding>| Findings(findings).to_string();
    let trust = Trust::read(settings).map_err(sentence)?;
    let trial = Trial { settings, properties: &settings.properties, surroundings, trust: &trust };
    let candidate = trial.run(&Found::at(file), &[]).map_err(|rejected| match rejected {
        Rejected::Library(reason) => reason,
        Rejected::Properties(_, findings) => sentence(findings),
    })?;
    let mut entry = candidate.entry;
    if entry.is_action() {
        return Err(format!("{} is a post-login action: it is not asked about exchanges", entry.description.name));
    }
    // A stranger's library never runs in this process just because somebody is curious.
    entry.isolation.mode = IsolationMode::Process;
    entry.isolation.processes = 1;
    service::begin(&entry, candidate.child, surroundings, settings, Role::Explanation)
}

/// What a library is, found out in a process of its own: its description and its SHA-256 in hex.
///
/// # Errors
/// One sentence.
pub fn inspect(file: &Path, settings: &HandlerSettings) -> Result<(Description, String), String> {
    let checked = Found::at(file).read().map_err(|error| error.to_string())?;
    let digest = Digest::of(checked.bytes()).to_hex();
    let library = checked.keep().map_err(|error| error.to_string())?;
    let (_, description) = Child::open(&library, settings.memory, settings.start_deadline)?;
    Ok((description, digest))
}

/// What comes of configuring a library as a server with these settings would, in a process of its own.
///
/// # Errors
/// Findings.
pub fn check(file: &Path, settings: &Settings) -> Result<LoadedHandler, Findings> {
    let surroundings = Surroundings::of(settings);
    let trust = Trust::read(&settings.handlers).map_err(Findings)?;
    let trial = Trial {
        settings: &settings.handlers,
        properties: &settings.handlers.properties,
        surroundings: &surroundings,
        trust: &trust,
    };
    match trial.run(&Found::at(file), &[]) {
        Ok(candidate) => Ok(candidate.entry.shown()),
        Err(Rejected::Properties(_, findings)) => Err(Findings(findings)),
        Err(Rejected::Library(reason)) => Err(Findings(vec![left_out(file, reason, "do as it says")])),
    }
}

/// What an operator wants to read after a reload.
fn changes(before: &State, after: &State) -> Vec<String> {
    let find = |state: &State, name: &str| state.entries.iter().find(|entry| entry.description.name == name).cloned();
    let mut changes = Vec::new();
    for new in &after.entries {
        let (name, version) = (&new.description.name, &new.description.version);
        let Some(old) = find(before, name) else {
            changes.push(if new.enabled {
                format!("{name} {version} is loaded and enabled")
            } else {
                format!("{name} {version} is loaded, not enabled ({}enable=true would do that)", new.description.prefix)
            });
            continue;
        };
        if old.digest != new.digest {
            changes.push(format!("{name} is replaced: {version} instead of {}", old.description.version));
        }
        if old.enabled != new.enabled {
            changes.push(format!("{name} is {}", if new.enabled { "enabled" } else { "disabled" }));
        }
        if old.properties != new.properties || old.isolation != new.isolation {
            changes.push(format!("{name} has new properties"));
        } else if old.files != new.files {
            changes.push(format!("{name} has read files anew that its properties name"));
        }
    }
    let gone = before.entries.iter().filter(|old| find(after, &old.description.name).is_none());
    changes.extend(gone.map(|old| format!("{} is gone", old.description.name)));
    match (&before.shadow, &after.shadow) {
        (_, Some(new)) if before.shadow.as_ref().is_none_or(|old| !Arc::ptr_eq(old, new)) => {
            changes.push(format!("{} is asked as a shadow", new.handler.name));
        }
        (Some(old), None) => changes.push(format!("{} is no longer asked as a shadow", old.handler.name)),
        _ => {}
    }
    changes
}

/// Lets go of what was replaced, on a thread of its own: shutting a handler down may take time, and must not be done by whichever
/// request happens to be the last.
fn retire(old: Arc<State>) {
    let retiring = move || {
        let mut old = old;
        let patience = std::time::Instant::now() + RETIREMENT;
        while std::time::Instant::now() < patience {
            match Arc::try_unwrap(old) {
                Ok(state) => return drop(state),
                Err(busy) => old = busy,
            }
            thread::sleep(Duration::from_millis(20));
        }
    };
    drop(thread::Builder::new().name("handler-retirement".to_owned()).spawn(retiring));
}

/// The files that a change of the handlers would show in: what `handlers.watch` looks at.
#[must_use]
pub fn watched(settings: &HandlerSettings) -> Vec<PathBuf> {
    let folder = settings.folder.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let inside = folder.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let named = named::files(settings.properties.values().map(|property| property.value.as_str())).into_keys();
    settings.files.iter().cloned().chain(inside).chain(named).collect()
}
