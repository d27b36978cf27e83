//! The handlers of one moment: what was loaded, which one decides, which one watches. Replaced as a whole, never changed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use symbolon_sdk::Execution;
use symbolon_sdk::host::{Description, Library};

use super::active::Active;
use super::shadow::Shadow;
use crate::settings::meaning::Isolation;

/// Everything in service.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) entries: Vec<Entry>,
    pub(super) enabled: Option<Arc<Active>>,
    pub(super) shadow: Option<Arc<Shadow>>,
    /// `handlers.audiences`
    pub(super) audiences: Vec<String>,
}

/// One loaded library.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) description: Description,
    pub(super) library: Library,
    /// SHA-256 in hex.
    pub(super) digest: String,
    /// What it was configured with, without what is the server's.
    pub(super) properties: BTreeMap<String, String>,
    pub(super) isolation: Isolation,
    pub(super) enabled: bool,
}

/// What an operator is shown of a loaded handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoadedHandler {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The SDK it was built with.
    pub sdk_version: String,
    /// What its properties begin with.
    pub prefix: String,
    /// One sentence about it, or empty.
    pub about: String,
    /// How its author would have it run: `inline` or `blocking`.
    pub execution: &'static str,
    /// How it is run: `inline`, `pool` or `process`.
    pub isolation: &'static str,
    /// Whether it decides.
    pub enabled: bool,
    /// Whether it is asked beside the one that decides.
    pub shadow: bool,
    /// Whether it failed too often and is left alone for a while.
    pub suspended: bool,
    /// SHA-256 of the library in hex.
    pub digest: String,
    /// Its file.
    pub path: PathBuf,
}

impl Entry {
    /// As it is shown while nothing else is known.
    pub(super) fn shown(&self) -> LoadedHandler {
        LoadedHandler {
            name: self.description.name.clone(),
            version: self.description.version.clone(),
            sdk_version: self.description.sdk_version.clone(),
            prefix: self.description.prefix.clone(),
            about: self.description.about.clone(),
            execution: execution(self.description.execution),
            isolation: self.isolation.mode.as_str(),
            enabled: self.enabled,
            shadow: false,
            suspended: false,
            digest: self.digest.clone(),
            path: self.description.path.clone(),
        }
    }
}

impl State {
    pub(super) fn shown(&self) -> Vec<LoadedHandler> {
        let shown = |entry: &Entry| {
            let name = &entry.description.name;
            let shadow = self.shadow.as_ref().map(|shadow| &shadow.handler).filter(|handler| handler.name == *name);
            let enabled = self.enabled.as_deref().filter(|handler| entry.enabled && handler.name == *name);
            let suspended = enabled.or(shadow).is_some_and(|handler| handler.health.is_suspended());
            LoadedHandler { shadow: shadow.is_some(), suspended, ..entry.shown() }
        };
        self.entries.iter().map(shown).collect()
    }
}

/// As it is shown.
#[must_use]
pub fn execution(execution: Execution) -> &'static str {
    if execution == Execution::Inline { "inline" } else { "blocking" }
}
