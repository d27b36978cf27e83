//! From a folder to configured handlers. One bad library never stops the others; bad properties, and two handlers that
//! both want to decide, stop the start.

use std::collections::BTreeMap;
use std::sync::Arc;

use symbolon_sdk::Execution;
use symbolon_sdk::host::{self, ConfigureFailure, Configured, Described};
use symbolon_sdk::log::Level;

use super::{Handlers, LoadedHandler};
use crate::settings::meaning::Handlers as HandlerSettings;
use crate::settings::{Finding, Findings};
use crate::telemetry::audit;

/// Loaded handlers, and what was wrong without being fatal.
#[derive(Debug)]
pub struct Load {
    /// The handlers.
    pub handlers: Handlers,
    /// Libraries that were left out, properties that nobody reads.
    pub warnings: Vec<Finding>,
}

impl Handlers {
    /// Loads and configures every handler of the folder.
    ///
    /// # Errors
    /// Findings when a handler refuses its properties, two share a name or prefix, or two are enabled.
    pub fn load(settings: &HandlerSettings) -> Result<Load, Findings> {
        host::set_log(forward);
        let mut findings = Vec::new();
        let mut warnings = Vec::new();
        let described = describe(settings, &mut warnings);
        let mut configured: Vec<Arc<Configured>> = Vec::new();
        for handler in described {
            if let Some(twin) = configured
                .iter()
                .find(|other| other.described().prefix() == handler.prefix() || other.described().name() == handler.name())
            {
                findings.push(same_name(&handler, twin.described()));
                continue;
            }
            configured.extend(configure(&handler, settings, &mut findings).map(Arc::new));
        }
        let enabled: Vec<&Arc<Configured>> = configured.iter().filter(|handler| handler.enabled()).collect();
        if enabled.len() > 1 {
            let names: Vec<&str> = enabled.iter().map(|handler| handler.described().name()).collect();
            findings.push(Finding {
                id: "handler.two_enabled",
                place: settings.folder.as_ref().map(|folder| folder.display().to_string()).unwrap_or_default(),
                seen: format!("{} enabled handlers: {}", names.len(), names.join(", ")),
                expected: "at most one enabled device-SSO handler".to_owned(),
                remedy: format!(
                    "set the enable property of all but one to false: {}",
                    enabled
                        .iter()
                        .map(|handler| format!("{}enable", handler.described().prefix()))
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            });
        }
        warn_of_unread(settings, &configured, &mut warnings);
        let enabled = enabled.first().map(|handler| Arc::clone(handler));
        let loaded = configured.iter().map(|handler| shown(handler)).collect();
        Findings(findings).unless_any(Load { handlers: Self { enabled, loaded }, warnings })
    }

    /// Writes the load lines: which handlers there are, which one decides.
    pub fn announce(&self) {
        for handler in &self.loaded {
            audit::handler_loaded(&handler.name, handler.enabled);
        }
    }
}

fn describe(settings: &HandlerSettings, warnings: &mut Vec<Finding>) -> Vec<Described> {
    let Some(folder) = &settings.folder else { return Vec::new() };
    let left_out = |place: String, error: &host::HostError| Finding {
        id: "handler.left_out",
        place,
        seen: error.to_string(),
        expected: "a device-SSO handler built with symbolon-sdk".to_owned(),
        remedy: "see the sentence above; the other handlers are not affected".to_owned(),
    };
    let found = match host::find(folder) {
        Ok(found) => found,
        Err(error) => {
            warnings.push(left_out(folder.display().to_string(), &error));
            return Vec::new();
        }
    };
    found
        .into_iter()
        .filter_map(|file| {
            let place = file.path().display().to_string();
            file.open().and_then(host::Opened::describe).map_err(|error| warnings.push(left_out(place, &error))).ok()
        })
        .collect()
}

fn configure(handler: &Described, settings: &HandlerSettings, findings: &mut Vec<Finding>) -> Option<Configured> {
    let properties: BTreeMap<String, String> =
        settings.properties.iter().map(|(key, property)| (key.clone(), property.value.clone())).collect();
    let place = |key: &str| {
        settings.properties.get(key).map_or_else(|| handler.path().display().to_string(), |property| property.place.clone())
    };
    match handler.configure(&properties) {
        Ok(configured) => Some(configured),
        Err(ConfigureFailure::Refused { message, findings: own }) => {
            for finding in own {
                findings.push(Finding {
                    id: "handler.property",
                    place: place(&finding.key),
                    seen: format!("{} = {}", finding.key, finding.seen),
                    expected: finding.expected,
                    remedy: finding.remedy,
                });
            }
            if let Some(message) = message {
                findings.push(refused(handler, message));
            }
            None
        }
        Err(failure) => {
            findings.push(refused(handler, failure.to_string()));
            None
        }
    }
}

fn refused(handler: &Described, seen: String) -> Finding {
    Finding {
        id: "handler.not_configured",
        place: handler.path().display().to_string(),
        seen,
        expected: format!("{} accepts its properties", handler.name()),
        remedy: "correct its properties, or take the library out of the folder".to_owned(),
    }
}

fn same_name(handler: &Described, twin: &Described) -> Finding {
    Finding {
        id: "handler.same_name",
        place: handler.path().display().to_string(),
        seen: format!("{} with prefix {}, like {}", handler.name(), handler.prefix(), twin.path().display()),
        expected: "handlers with different names and property prefixes".to_owned(),
        remedy: "remove one of the two libraries".to_owned(),
    }
}

/// A property that no loaded handler reads is most likely a library that is missing, or a typing error.
fn warn_of_unread(settings: &HandlerSettings, configured: &[Arc<Configured>], warnings: &mut Vec<Finding>) {
    for (key, property) in &settings.properties {
        if !configured.iter().any(|handler| handler.described().owns(key)) {
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

fn shown(handler: &Configured) -> LoadedHandler {
    let described = handler.described();
    LoadedHandler {
        name: described.name().to_owned(),
        version: described.version().to_owned(),
        sdk_version: described.sdk_version().to_owned(),
        prefix: described.prefix().to_owned(),
        execution: if described.execution() == Execution::Inline { "inline" } else { "blocking" },
        enabled: handler.enabled(),
        path: described.path().to_owned(),
    }
}

/// What handlers log becomes part of our log.
fn forward(level: Level, handler: &str, text: &str) {
    match level {
        Level::Error => tracing::error!(target: "symbolon::handler", handler, "{text}"),
        Level::Warn => tracing::warn!(target: "symbolon::handler", handler, "{text}"),
        Level::Info => tracing::info!(target: "symbolon::handler", handler, "{text}"),
        Level::Debug => tracing::debug!(target: "symbolon::handler", handler, "{text}"),
    }
}
