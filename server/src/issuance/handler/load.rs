//! From a folder to handlers in service, at the start and at every reload. One bad library never stops the others; bad properties,
//! and two handlers that both want to decide, do.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use symbolon_sdk::host::{self, Description, Found};

use super::active::Active;
use super::candidate::{Candidate, Rejected, Trial};
use super::process::Child;
use super::question::Surroundings;
use super::shadow::Shadow;
use super::state::{Entry, LoadedHandler, State};
use super::trust::Trust;
use super::{Handlers, log, service};
use crate::foundation::Digest;
use crate::settings::meaning::{Handlers as HandlerSettings, IsolationMode};
use crate::settings::{Finding, Findings, Settings};
use crate::telemetry::audit;

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
        host::set_log(|level, handler, text| log(level as u8 + 1, handler, text));
        let (state, warnings) = build(&settings.handlers, &Surroundings::of(settings), None)?;
        Ok(Load { handlers: Self::of(state), warnings })
    }

    /// Does the same again and puts the result into service, all or nothing; calls under way finish on what they began with. What
    /// has not changed stays as it is. Blocks: not for a thread that serves requests.
    ///
    /// # Errors
    /// Findings; then nothing has changed. A library that was in service and is no longer any good is one of them.
    pub fn reload(&self, handlers: &HandlerSettings, settings: &Settings) -> Result<Reloaded, Findings> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.state.load_full();
        let (state, warnings) = build(handlers, &Surroundings::of(settings), Some(&old))?;
        let changes = changes(&old, &state);
        let handlers = state.shown();
        self.state.store(Arc::new(state));
        retire(old);
        Ok(Reloaded { changes, handlers, warnings })
    }

    /// Writes the load lines: which handlers there are, which one decides.
    pub fn announce(&self) {
        for handler in self.loaded() {
            audit::handler_loaded(&handler.name, handler.enabled);
        }
    }
}

/// The handler of a single library as it would be configured, whether enabled or not, for somebody who wants to ask it.
pub(super) fn single(file: &Path, settings: &Settings) -> Result<Active, String> {
    let surroundings = Surroundings::of(settings);
    let sentence = |findings: Vec<Finding>| Findings(findings).to_string();
    let trust = Trust::read(&settings.handlers).map_err(sentence)?;
    let trial = Trial {
        settings: &settings.handlers,
        properties: &settings.handlers.properties,
        surroundings: &surroundings,
        trust: &trust,
    };
    let candidate = trial.run(&Found::at(file), &[]).map_err(|rejected| match rejected {
        Rejected::Library(reason) => reason,
        Rejected::Properties(findings) => sentence(findings),
    })?;
    let mut entry = candidate.entry;
    // A stranger's library never runs in this process just because somebody is curious.
    entry.isolation.mode = IsolationMode::Process;
    entry.isolation.processes = 1;
    service::begin(&entry, candidate.child, &surroundings, &settings.handlers)
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
        Err(Rejected::Properties(findings)) => Err(Findings(findings)),
        Err(Rejected::Library(reason)) => Err(Findings(vec![left_out(file, reason, "see the sentence above")])),
    }
}

fn build(
    settings: &HandlerSettings,
    surroundings: &Surroundings,
    old: Option<&State>,
) -> Result<(State, Vec<Finding>), Findings> {
    let (mut findings, mut warnings) = (Vec::new(), Vec::new());
    let trust = Trust::read(settings).map_err(Findings)?;
    let trial = Trial { settings, properties: &settings.properties, surroundings, trust: &trust };
    let known = old.map_or(&[][..], |old| old.entries.as_slice());
    let mut candidates: Vec<Candidate> = Vec::new();
    let wrong = if known.is_empty() { &mut warnings } else { &mut findings };
    for found in look(settings, wrong) {
        match trial.run(&found, known) {
            Ok(candidate) => admit(candidate, &mut candidates, &mut findings, &mut warnings),
            Err(Rejected::Properties(wrong)) => findings.extend(wrong),
            // What was in service must not go because its file was spoiled.
            Err(Rejected::Library(reason)) if known.iter().any(|entry| entry.description.path == found.path()) => {
                findings.push(left_out(
                    found.path(),
                    reason,
                    "the handler that is in service stays; put a good library in its place",
                ));
            }
            Err(Rejected::Library(reason)) => {
                warnings.push(left_out(found.path(), reason, "see the sentence above; the other handlers are not affected"));
            }
        }
    }
    findings.extend(two_enabled(settings, &candidates));
    warn_of_unread(settings, &candidates, &mut warnings);
    if !findings.is_empty() {
        return Err(Findings(findings));
    }
    let entries: Vec<Entry> = candidates.iter().map(|candidate| candidate.entry.clone()).collect();
    let not_begun = |path: &Path, why: String| Findings(vec![left_out(path, why, "see the sentence above")]);
    let shadow = shadow(&trial, &entries, old).map_err(Findings)?;
    let mut enabled = None;
    for Candidate { entry, child } in candidates.into_iter().filter(|candidate| candidate.entry.enabled) {
        let kept = old.filter(|old| old.entries.iter().any(|own| same(own, &entry))).and_then(|old| old.enabled.clone());
        enabled = Some(match kept {
            Some(active) => active,
            None => Arc::new(
                service::begin(&entry, child, surroundings, settings).map_err(|why| not_begun(&entry.description.path, why))?,
            ),
        });
    }
    Ok((State { entries, enabled, shadow, audiences: settings.audiences.clone() }, warnings))
}

/// The libraries in the folder. When it cannot be read, handlers in service must not go because of that.
fn look(settings: &HandlerSettings, wrong: &mut Vec<Finding>) -> Vec<Found> {
    let Some(folder) = &settings.folder else { return Vec::new() };
    host::find(folder).unwrap_or_else(|error| {
        wrong.push(left_out(folder, error.to_string(), "see the sentence above; until then no handlers are loaded from it"));
        Vec::new()
    })
}

/// Takes a candidate unless another one cannot be told from it.
fn admit(candidate: Candidate, candidates: &mut Vec<Candidate>, findings: &mut Vec<Finding>, warnings: &mut Vec<Finding>) {
    let own = &candidate.entry;
    let twin = candidates.iter().map(|other| &other.entry).find(|other| {
        other.digest == own.digest
            || other.description.name == own.description.name
            || other.description.prefix == own.description.prefix
    });
    match twin {
        None => candidates.push(candidate),
        Some(twin) if twin.digest == own.digest => warnings.push(left_out(
            &own.description.path,
            format!("a copy of {}", twin.description.path.display()),
            "remove one of the two; the first is used",
        )),
        Some(twin) => findings.push(Finding {
            id: "handler.same_name",
            place: own.description.path.display().to_string(),
            seen: format!(
                "{} with prefix {}, like {} in {}",
                own.description.name,
                own.description.prefix,
                twin.description.name,
                twin.description.path.display()
            ),
            expected: "handlers with different names and property prefixes".to_owned(),
            remedy: "remove one of the two libraries".to_owned(),
        }),
    }
}

fn two_enabled(settings: &HandlerSettings, candidates: &[Candidate]) -> Option<Finding> {
    let enabled: Vec<_> = candidates.iter().map(|candidate| &candidate.entry).filter(|entry| entry.enabled).collect();
    let names: Vec<&str> = enabled.iter().map(|entry| entry.description.name.as_str()).collect();
    let switches: Vec<String> = enabled.iter().map(|entry| format!("{}enable", entry.description.prefix)).collect();
    (enabled.len() > 1).then(|| Finding {
        id: "handler.two_enabled",
        place: settings.folder.as_ref().map(|folder| folder.display().to_string()).unwrap_or_default(),
        seen: format!("{} enabled handlers: {}", names.len(), names.join(", ")),
        expected: "at most one enabled device-SSO handler".to_owned(),
        remedy: format!("set the enable property of all but one to false: {}", switches.join(", ")),
    })
}

/// The shadow that the settings name, the old one if it has not changed.
fn shadow(trial: &Trial<'_>, entries: &[Entry], old: Option<&State>) -> Result<Option<Arc<Shadow>>, Vec<Finding>> {
    let Some(wanted) = &trial.settings.shadow else { return Ok(None) };
    let finding = |seen: String, expected: &str, remedy: &str| {
        vec![Finding {
            id: "handler.shadow",
            place: "handlers.shadow".to_owned(),
            seen,
            expected: expected.to_owned(),
            remedy: remedy.to_owned(),
        }]
    };
    let Some(entry) = entries.iter().find(|entry| entry.description.name == wanted.name) else {
        let names: Vec<&str> = entries.iter().map(|entry| entry.description.name.as_str()).collect();
        return Err(finding(wanted.name.clone(), "the name of a loaded handler", &format!("one of: {}", names.join(", "))));
    };
    let own = Trial { properties: &wanted.properties, ..*trial };
    let rejected = |rejected: Rejected| match rejected {
        Rejected::Properties(findings) => findings,
        Rejected::Library(reason) => finding(reason, "a handler that can be configured", "see the sentence above"),
    };
    let Candidate { mut entry, child } = own.rehearse(entry.library.clone(), entry.digest.clone()).map_err(rejected)?;
    if let Some(kept) = old.and_then(|old| old.shadow.clone()).filter(|kept| same(&kept.entry, &entry)) {
        return Ok(Some(kept));
    }
    let configured = entry.clone();
    // Never on the worker that answers the exchange: that would be felt.
    if entry.isolation.mode == IsolationMode::Inline {
        entry.isolation.mode = IsolationMode::Pool;
    }
    let active = service::begin(&entry, child, trial.surroundings, trial.settings)
        .map_err(|why| finding(why, "a handler that can be configured", "see the sentence above"))?;
    Ok(Some(Arc::new(Shadow::new(active, configured))))
}

/// Whether nothing about a handler has changed that it would notice.
fn same(one: &Entry, other: &Entry) -> bool {
    one.digest == other.digest
        && one.enabled == other.enabled
        && one.properties == other.properties
        && one.isolation == other.isolation
        && one.description.path == other.description.path
}

fn left_out(path: &Path, seen: String, remedy: &str) -> Finding {
    Finding {
        id: "handler.left_out",
        place: path.display().to_string(),
        seen,
        expected: "a device-SSO handler built with symbolon-sdk".to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// A property that no loaded handler reads is most likely a library that is missing, or a typing error.
fn warn_of_unread(settings: &HandlerSettings, candidates: &[Candidate], warnings: &mut Vec<Finding>) {
    for (key, property) in &settings.properties {
        if !candidates.iter().any(|candidate| candidate.entry.description.owns(key)) {
            warnings.push(Finding {
                id: "handler.unread_property",
                place: property.place.clone(),
                seen: key.clone(),
                expected: "a property of a loaded handler".to_owned(),
                remedy: "put the handler's library into handlers.folder, or remove the property".to_owned(),
            });
        }
    }
}

/// What an operator wants to read after a reload.
fn changes(before: &State, after: &State) -> Vec<String> {
    let find = |state: &State, name: &str| state.entries.iter().find(|entry| entry.description.name == name).cloned();
    let mut changes = Vec::new();
    for new in &after.entries {
        let (name, version) = (&new.description.name, &new.description.version);
        let Some(old) = find(before, name) else {
            changes.push(format!("{name} {version} is loaded{}", if new.enabled { " and enabled" } else { "" }));
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
    settings.files.iter().cloned().chain(inside).collect()
}
