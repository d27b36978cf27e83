//! The handlers of one moment: what was loaded, which one decides, which one watches. Replaced as a whole, never changed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use symbolon_sdk::Execution;
use symbolon_sdk::host::{Description, Kind, Library};

use super::active::Active;
use super::named::Picture;
use super::shadow::Shadow;
use crate::settings::meaning::{Handlers as HandlerSettings, Isolation};

/// Everything in service.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) entries: Vec<Entry>,
    pub(super) enabled: Option<Arc<Active>>,
    /// The actions that judge sign-ins, in this order.
    pub(super) actions: Vec<Arc<Active>>,
    pub(super) shadow: Option<Arc<Shadow>>,
    /// The settings by which all this was put into service; `None` without handlers.
    pub(super) settings: Option<Arc<HandlerSettings>>,
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
    /// The files that these name, as they were before it read them.
    pub(super) files: BTreeMap<PathBuf, Picture>,
    pub(super) isolation: Isolation,
    /// When an action is asked; means nothing for a handler.
    pub(super) order: i32,
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
    /// What it is for: `device_sso`, or `post_login` for an action.
    pub kind: &'static str,
    /// When an action is asked: the lowest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<i32>,
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
    /// Whether it judges sign-ins instead of deciding exchanges.
    pub(super) fn is_action(&self) -> bool {
        self.description.kind == Kind::PostLogin
    }

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
            kind: kind(self.description.kind),
            order: self.is_action().then_some(self.order),
            enabled: self.enabled,
            shadow: false,
            suspended: false,
            digest: self.digest.clone(),
            path: self.description.path.clone(),
        }
    }
}

impl State {
    /// `handlers.audiences`
    pub(super) fn audiences(&self) -> &[String] {
        self.settings.as_deref().map_or(&[], |settings| &settings.audiences)
    }

    /// What was suspended and is no longer in service is not suspended either.
    pub(super) fn release_meters(&self, old: &Self) {
        let in_service = |state: &Self| -> Vec<*const Active> {
            let shadow = state.shadow.as_deref().map(|shadow| std::ptr::from_ref(&shadow.handler));
            let actions = state.actions.iter().map(|action| std::ptr::from_ref(&**action));
            state.enabled.as_deref().map(std::ptr::from_ref).into_iter().chain(shadow).chain(actions).collect()
        };
        let kept = in_service(self);
        let gone = old.enabled.as_deref().into_iter().chain(old.shadow.as_deref().map(|shadow| &shadow.handler));
        let gone = gone.chain(old.actions.iter().map(|action| &**action));
        for handler in gone.filter(|handler| !kept.contains(&std::ptr::from_ref(*handler))) {
            handler.retire();
        }
    }

    pub(super) fn shown(&self) -> Vec<LoadedHandler> {
        let shown = |entry: &Entry| {
            let name = &entry.description.name;
            let shadow = self.shadow.as_ref().map(|shadow| &shadow.handler).filter(|handler| handler.name == *name);
            let active = self.enabled.as_deref().into_iter().chain(self.actions.iter().map(|action| &**action));
            let enabled = active.into_iter().find(|handler| entry.enabled && handler.name == *name);
            let suspended = enabled.or(shadow).is_some_and(|handler| handler.health.is_suspended());
            let shown = entry.shown();
            // What decides is shown as it decides; what only watches, as it watches.
            let isolation = shadow.filter(|_| enabled.is_none()).map_or(shown.isolation, |shadow| shadow.runner.mode().as_str());
            LoadedHandler { shadow: shadow.is_some(), suspended, isolation, ..shown }
        };
        self.entries.iter().map(shown).collect()
    }
}

/// As it is shown.
#[must_use]
pub const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::DeviceSso => "device_sso",
        Kind::PostLogin => "post_login",
    }
}

/// As it is shown.
#[must_use]
pub fn execution(execution: Execution) -> &'static str {
    if execution == Execution::Inline { "inline" } else { "blocking" }
}
