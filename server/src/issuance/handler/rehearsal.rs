//! Everything that can be told of the handlers before one is in service: each library of the folder tried out, all of their properties
//! judged, the one that decides and the shadow chosen. One bad library never stops the others; bad properties do.

use std::path::Path;
use std::sync::Arc;

use symbolon_sdk::ACTION_PREFIX;
use symbolon_sdk::host::{self, Found};

use super::candidate::{Candidate, Rejected, Trial};
use super::question::Surroundings;
use super::shadow::Shadow;
use super::state::{Entry, State};
use super::trust::Trust;
use super::{log, service};
use crate::settings::meaning::{Handlers as HandlerSettings, IsolationMode};
use crate::settings::{Finding, Findings, Settings};
use crate::telemetry::metrics::Role;

/// Handlers that wait to be put into service.
#[derive(Debug)]
pub struct Rehearsal {
    settings: HandlerSettings,
    surroundings: Surroundings,
    candidates: Vec<Candidate>,
    /// The names of handlers whose properties are wrong.
    refused: Vec<String>,
    shadow: Option<Candidate>,
    /// What keeps them from being put into service.
    pub findings: Vec<Finding>,
    /// What is wrong without being fatal: libraries that were left out, properties that nobody reads, nobody who decides.
    pub warnings: Vec<Finding>,
}

impl Rehearsal {
    /// Tries every handler of the folder out, each in a process of its own. Takes a moment.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        host::set_log(|level, handler, text| log(level as u8 + 1, handler, text));
        Self::beside(&settings.handlers, Surroundings::of(settings), None)
    }

    /// The same beside handlers that are in service: what has not changed is not tried again.
    pub(super) fn beside(settings: &HandlerSettings, surroundings: Surroundings, old: Option<&State>) -> Self {
        let mut rehearsal = Self {
            settings: settings.clone(),
            surroundings,
            candidates: Vec::new(),
            refused: Vec::new(),
            shadow: None,
            findings: Vec::new(),
            warnings: Vec::new(),
        };
        // Without the keys it cannot be told which library may be opened.
        match Trust::read(settings) {
            Ok(trust) => rehearsal.run(settings, &trust, old.map_or(&[][..], |old| old.entries.as_slice())),
            Err(findings) => rehearsal.findings = findings,
        }
        rehearsal
    }

    /// The name of the handler that will decide.
    #[must_use]
    pub fn enabled(&self) -> Option<&str> {
        let mut handlers = self.candidates.iter().map(|one| &one.entry).filter(|entry| !entry.is_action());
        handlers.find(|entry| entry.enabled).map(|entry| entry.description.name.as_str())
    }

    /// The names of the actions that will judge sign-ins, in the order in which they are asked.
    #[must_use]
    pub fn actions(&self) -> Vec<&str> {
        let actions = self.candidates.iter().map(|one| &one.entry).filter(|entry| entry.enabled && entry.is_action());
        let mut actions: Vec<_> = actions.map(|entry| (entry.order, entry.description.name.as_str())).collect();
        actions.sort_unstable();
        actions.into_iter().map(|(_, name)| name).collect()
    }

    fn run(&mut self, settings: &HandlerSettings, trust: &Trust, known: &[Entry]) {
        let surroundings = self.surroundings.clone();
        let trial = Trial { settings, properties: &settings.properties, surroundings: &surroundings, trust };
        // Handlers in service must not go because their folder cannot be read.
        let (wrong, then) =
            if known.is_empty() { (&mut self.warnings, WITHOUT) } else { (&mut self.findings, "the handlers in service stay") };
        for found in look(settings, wrong, then) {
            match trial.run(&found, known) {
                Ok(candidate) => self.admit(candidate),
                Err(Rejected::Properties(name, wrong)) => {
                    self.refused.push(name);
                    self.findings.extend(wrong);
                }
                // What was in service must not go because its file was spoiled.
                Err(Rejected::Library(reason)) if known.iter().any(|entry| entry.description.path == found.path()) => {
                    let remedy = "do as it says; the handler that is in service stays";
                    self.findings.push(left_out(found.path(), reason, remedy));
                }
                Err(Rejected::Library(reason)) => {
                    let remedy = "do as it says; the other handlers are not affected";
                    self.warnings.push(left_out(found.path(), reason, remedy));
                }
            }
        }
        self.findings.extend(self.two_enabled());
        self.find_missing_actions();
        match self.rehearse_shadow(&trial) {
            Ok(shadow) => self.shadow = shadow,
            Err(findings) => self.findings.extend(findings),
        }
        // While a handler is refused or left out or there is no folder, it is not known what would have been read, or who would have decided.
        let is_known = |warning: &Finding| ![NO_FOLDER, LEFT_OUT].contains(&warning.id);
        if self.findings.is_empty() && self.warnings.iter().all(is_known) {
            self.warn_of_unread();
            self.warn_of_none_enabled();
        }
    }

    /// Takes a candidate unless another one cannot be told from it.
    fn admit(&mut self, candidate: Candidate) {
        let own = &candidate.entry;
        let twin = self.candidates.iter().map(|other| &other.entry).find(|other| {
            other.digest == own.digest
                || other.description.name == own.description.name
                || other.description.overlaps(&own.description)
        });
        match twin {
            None => self.candidates.push(candidate),
            Some(twin) if twin.digest == own.digest => self.warnings.push(left_out(
                &own.description.path,
                format!("a copy of {}", twin.description.path.display()),
                "remove one of the two; the first is used",
            )),
            Some(twin) => self.findings.push(Finding {
                id: "handler.same_name",
                place: own.description.path.display().to_string(),
                seen: format!(
                    "{} with prefix {}, like {} in {}",
                    own.description.name,
                    own.description.prefix,
                    twin.description.name,
                    twin.description.path.display()
                ),
                expected: "libraries with different names, and property prefixes of which none begins with another".to_owned(),
                remedy: "remove one of the two libraries".to_owned(),
            }),
        }
    }

    fn two_enabled(&self) -> Option<Finding> {
        let enabled: Vec<_> = self
            .candidates
            .iter()
            .map(|candidate| &candidate.entry)
            .filter(|entry| entry.enabled && !entry.is_action())
            .collect();
        let names: Vec<&str> = enabled.iter().map(|entry| entry.description.name.as_str()).collect();
        let switches: Vec<String> = enabled.iter().map(|entry| format!("{}enable", entry.description.prefix)).collect();
        (enabled.len() > 1).then(|| Finding {
            id: "handler.two_enabled",
            place: self.settings.folder.as_ref().map(|folder| folder.display().to_string()).unwrap_or_default(),
            seen: format!("{} enabled handlers: {}", names.len(), names.join(", ")),
            expected: "at most one enabled device-SSO handler".to_owned(),
            remedy: format!("set the enable property of all but one to false: {}", switches.join(", ")),
        })
    }

    /// The shadow that the settings name, configured with its own properties.
    fn rehearse_shadow(&self, trial: &Trial<'_>) -> Result<Option<Candidate>, Vec<Finding>> {
        let Some(wanted) = &self.settings.shadow else { return Ok(None) };
        let Some(entry) = self.candidates.iter().map(|one| &one.entry).find(|entry| entry.description.name == wanted.name) else {
            if self.refused.contains(&wanted.name) {
                return Ok(None);
            }
            let loaded = self.candidates.iter().map(|one| &one.entry.description.name);
            let names: Vec<&str> = loaded.chain(&self.refused).map(String::as_str).collect();
            let remedy = format!("one of: {}", names.join(", "));
            return Err(vec![no_shadow(wanted.name.clone(), "the name of a loaded handler", &remedy)]);
        };
        if entry.is_action() {
            let remedy = "name a device-SSO handler, or take it out";
            return Err(vec![no_shadow(format!("{}, a post-login action", wanted.name), "a device-SSO handler", remedy)]);
        }
        let own = Trial { properties: &wanted.properties, ..*trial };
        own.rehearse(entry.library.clone(), entry.digest.clone()).map(Some).map_err(|rejected| match rejected {
            Rejected::Properties(_, findings) => findings,
            Rejected::Library(reason) => vec![no_shadow(reason, "a handler that can be configured", "do as it says")],
        })
    }

    /// Whoever enables an action counts on it: while its library is missing or no good, nobody would be kept out, and nobody would be told.
    fn find_missing_actions(&mut self) {
        // Those whose properties are wrong have findings of their own.
        if !self.refused.is_empty() {
            return;
        }
        let counted_on = |key: &str, value: &str| {
            let is_switch = key.starts_with(ACTION_PREFIX) && key.ends_with(".enable");
            is_switch && !value.is_empty() && !value.eq_ignore_ascii_case("false")
        };
        for (key, property) in self.settings.properties.iter().filter(|(key, property)| counted_on(key, &property.value)) {
            if !self.candidates.iter().any(|candidate| candidate.entry.description.owns(key)) {
                self.findings.push(Finding {
                    id: "handler.action_missing",
                    place: property.place.clone(),
                    seen: format!("{key} = {}, and no library that can be used has this property", property.value),
                    expected: "the library of each enabled post-login action in handlers.folder".to_owned(),
                    remedy: "put it there, mend what is said of it, or set the property to false".to_owned(),
                });
            }
        }
    }

    /// A property that no loaded handler reads is most likely a library that is missing, or a typing error.
    fn warn_of_unread(&mut self) {
        for (key, property) in &self.settings.properties {
            if !self.candidates.iter().any(|candidate| candidate.entry.description.owns(key)) {
                self.warnings.push(Finding {
                    id: "handler.unread_property",
                    place: property.place.clone(),
                    seen: key.clone(),
                    expected: "a property of a loaded handler".to_owned(),
                    remedy: "put the handler's library into handlers.folder, or remove the property".to_owned(),
                });
            }
        }
    }

    /// Whoever names a folder wants a handler to decide. Without a word it is not obvious that nobody will.
    fn warn_of_none_enabled(&mut self) {
        let Some(folder) = &self.settings.folder else { return };
        // A folder for actions alone is no mistake.
        if self.enabled().is_some() || !self.actions().is_empty() {
            return;
        }
        let handlers = self.candidates.iter().map(|one| &one.entry).filter(|entry| !entry.is_action());
        let switches: Vec<String> = handlers.map(|entry| format!("{}enable=true", entry.description.prefix)).collect();
        let (seen, remedy) = if switches.is_empty() {
            ("no handler that can be used".to_owned(), format!("copy a handler's library into the folder; {WITHOUT}"))
        } else {
            (format!("{} handlers, none of them enabled", switches.len()), format!("set {}; {WITHOUT}", switches.join(" or ")))
        };
        self.warnings.push(Finding {
            id: "handler.none_enabled",
            place: folder.display().to_string(),
            seen,
            expected: "one enabled device-SSO handler".to_owned(),
            remedy,
        });
    }

    /// Puts the handlers into service; what `old` has just so stays as it is.
    ///
    /// # Errors
    /// The findings, or what kept one from beginning.
    pub(super) fn begin(self, old: Option<&State>) -> Result<State, Findings> {
        let Self { settings, surroundings, candidates, shadow, findings, .. } = self;
        Findings(findings).unless_any(())?;
        let entries: Vec<Entry> = candidates.iter().map(|candidate| candidate.entry.clone()).collect();
        let shadow = shadow.map(|shadow| begin_shadow(shadow, &surroundings, &settings, old)).transpose()?;
        let (mut enabled, mut actions) = (None, Vec::new());
        for Candidate { entry, child } in candidates.into_iter().filter(|candidate| candidate.entry.enabled) {
            let name = &entry.description.name;
            let kept = old.filter(|old| old.entries.iter().any(|own| same(own, &entry))).and_then(|old| {
                let mut in_service = old.enabled.iter().chain(&old.actions);
                in_service.find(|active| active.name == *name).cloned()
            });
            let role = if entry.is_action() { Role::Action } else { Role::Enabled };
            let active = match kept {
                Some(active) => active,
                None => Arc::new(
                    service::begin(&entry, child, &surroundings, &settings, role)
                        .map_err(|why| Findings(vec![left_out(&entry.description.path, why, "do as it says")]))?,
                ),
            };
            if entry.is_action() {
                actions.push((entry.order, active));
            } else {
                enabled = Some(active);
            }
        }
        actions.sort_by(|(order, one), (other, another)| (order, &one.name).cmp(&(other, &another.name)));
        let actions = actions.into_iter().map(|(_, action)| action).collect();
        Ok(State { entries, enabled, actions, shadow, settings: Some(Arc::new(settings)) })
    }
}

const NO_FOLDER: &str = "handler.folder";
const LEFT_OUT: &str = "handler.left_out";
/// What it means that nobody decides.
const WITHOUT: &str = "until then device SSO is off, and token exchange answers unsupported_grant_type";

/// The libraries in the folder.
fn look(settings: &HandlerSettings, wrong: &mut Vec<Finding>, then: &str) -> Vec<Found> {
    let Some(folder) = &settings.folder else { return Vec::new() };
    host::find(folder).unwrap_or_else(|error| {
        wrong.push(Finding {
            id: NO_FOLDER,
            place: folder.display().to_string(),
            seen: error.to_string(),
            expected: "the folder with the handler libraries (handlers.folder)".to_owned(),
            remedy: format!("do as it says; {then}"),
        });
        Vec::new()
    })
}

fn begin_shadow(
    Candidate { mut entry, child }: Candidate,
    surroundings: &Surroundings,
    settings: &HandlerSettings,
    old: Option<&State>,
) -> Result<Arc<Shadow>, Findings> {
    if let Some(kept) = old.and_then(|old| old.shadow.clone()).filter(|kept| same(&kept.entry, &entry)) {
        return Ok(kept);
    }
    let configured = entry.clone();
    // Never on the worker that answers the exchange: that would be felt.
    if entry.isolation.mode == IsolationMode::Inline {
        entry.isolation.mode = IsolationMode::Pool;
    }
    let active = service::begin(&entry, child, surroundings, settings, Role::Shadow)
        .map_err(|why| Findings(vec![no_shadow(why, "a handler that can be configured", "do as it says")]))?;
    Ok(Arc::new(Shadow::new(active, configured)))
}

fn no_shadow(seen: String, expected: &str, remedy: &str) -> Finding {
    Finding {
        id: "handler.shadow",
        place: "handlers.shadow".to_owned(),
        seen,
        expected: expected.to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// Whether nothing about a handler has changed that it would notice.
fn same(one: &Entry, other: &Entry) -> bool {
    one.digest == other.digest
        && one.enabled == other.enabled
        && one.properties == other.properties
        && one.files == other.files
        && one.isolation == other.isolation
        && one.description.path == other.description.path
}

/// A library that was not taken.
pub(super) fn left_out(path: &Path, seen: String, remedy: &str) -> Finding {
    Finding {
        id: LEFT_OUT,
        place: path.display().to_string(),
        seen,
        expected: "a device-SSO handler or post-login action built with symbolon-sdk".to_owned(),
        remedy: remedy.to_owned(),
    }
}
