//! `symbolon config …`

use clap::Subcommand;
use serde_json::json;

use super::arguments::Place;
use super::examine::examine;
use super::output::{Failure, Output};
use crate::issuance::Handlers;
use crate::settings;
use crate::telemetry;

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check settings, properties and handlers; print every finding
    Check,
    /// Show what each setting means and where it was written
    Show,
    /// Print the reference of all settings (Markdown)
    Reference,
    /// Print the JSON Schema of the settings file
    Schema,
}

/// Carries it out.
///
/// # Errors
/// Findings.
pub fn run(command: &ConfigCommand, place: &Place, output: Output) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check => check(place, output),
        ConfigCommand::Show => {
            let loaded = settings::from_process(place.config.as_deref(), &place.define)?;
            let shown = serde_json::to_value(loaded.show()).map_err(Failure::refusal_of)?;
            output.rows(&shown, &["key", "value", "origin"]);
            Ok(())
        }
        ConfigCommand::Reference => {
            // Settings must not know telemetry, so the two halves meet here.
            output.text(&(settings::reference() + &telemetry::codes::reference()));
            Ok(())
        }
        ConfigCommand::Schema => {
            output.value(&settings::schema());
            Ok(())
        }
    }
}

fn check(place: &Place, output: Output) -> Result<(), Failure> {
    let draft = settings::draft_from_process(place.config.as_deref(), &place.define)?;
    let (_, _, handlers) = examine(draft).finish(output)?;
    handlers.warnings.iter().for_each(|warning| output.finding(warning));
    let decides = handlers.enabled().map(str::to_owned);
    let judge: Vec<String> = handlers.actions().into_iter().map(str::to_owned).collect();
    let warnings = handlers.warnings.clone();
    // Some things go wrong only when a handler begins.
    Handlers::begin(handlers)?;
    if output.is_json() {
        output.value(&json!({ "findings": [], "warnings": warnings, "device_sso": decides, "post_login": judge }));
        return Ok(());
    }
    output.line("The settings are fine.");
    match decides {
        Some(name) => output.line(&format!("Device SSO is on: {name} decides.")),
        None => output.line("Device SSO is off: no handler is enabled."),
    }
    if !judge.is_empty() {
        output.line(&format!("Sign-ins are judged, in this order, by: {}.", judge.join(", ")));
    }
    Ok(())
}
