//! `symbolon config …`

use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;

use super::arguments::Place;
use super::output::{Failure, Output};
use crate::clients::Clients;
use crate::foundation::Clock;
use crate::issuance::Handlers;
use crate::settings;
use crate::storage::memory::Memory;
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
    let loaded = settings::from_process(place.config.as_deref(), &place.define)?;
    // The clients of the file are checked as at start; the store that goes with them stays empty.
    let clock = Clock::system();
    Clients::new(Arc::new(Memory::new(clock.clone())), clock, &loaded.settings.clients, loaded.settings.scopes.clone())?;
    let load = Handlers::load(&loaded.settings)?;
    for warning in &load.warnings {
        output.warn(warning, &warning.to_string());
    }
    if output.is_json() {
        output.value(&json!({ "findings": [], "warnings": load.warnings }));
    } else {
        output.line("The settings are fine.");
    }
    Ok(())
}
