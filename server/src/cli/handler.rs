//! `symbolon handler …`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};
use symbolon_sdk::host::{self, ConfigureFailure, Described, Found};

use super::arguments::Place;
use super::output::{Failure, Output};
use crate::issuance::Handlers;
use crate::settings;

/// What to do with device-SSO handlers.
#[derive(Debug, Subcommand)]
pub enum HandlerCommand {
    /// List the handlers of the folder, and say which one decides
    List,
    /// Say what a library is, without configuring it
    Inspect {
        /// The library
        file: PathBuf,
    },
    /// Load and configure a library, with a properties file if given
    Check {
        /// The library
        file: PathBuf,
        /// Its properties
        #[arg(long, value_name = "FILE")]
        properties: Option<PathBuf>,
    },
}

/// Carries it out.
///
/// # Errors
/// Findings or the refusal.
pub async fn run(command: HandlerCommand, place: &Place, output: Output) -> Result<(), Failure> {
    match command {
        HandlerCommand::List => list(place, output).await,
        HandlerCommand::Inspect { file } => {
            output.value(&about(&describe(&file)?));
            Ok(())
        }
        HandlerCommand::Check { file, properties } => check(&file, properties.as_deref(), place, output),
    }
}

/// A running server knows best which handlers it has; without one the folder is loaded here.
async fn list(place: &Place, output: Output) -> Result<(), Failure> {
    use super::admin::{AdminCommand, socket};
    let loaded = settings::from_process(place.config.as_deref(), &place.define)?;
    let handlers = if let Some(answer) = socket::ask(&loaded.settings.storage.path, &AdminCommand::HandlerList).await? {
        answer?
    } else {
        let load = Handlers::load(&loaded.settings.handlers)?;
        for warning in &load.warnings {
            output.warn(warning, &warning.to_string());
        }
        serde_json::to_value(load.handlers.loaded()).map_err(Failure::refusal_of)?
    };
    output.rows(&handlers, &["name", "version", "enabled", "prefix", "execution", "sdk_version", "path"]);
    Ok(())
}

fn describe(file: &Path) -> Result<Described, Failure> {
    Found::at(file).open().and_then(host::Opened::describe).map_err(Failure::refusal_of)
}

fn about(described: &Described) -> Value {
    json!({
        "name": described.name(),
        "version": described.version(),
        "sdk_version": described.sdk_version(),
        "prefix": described.prefix(),
        "execution": format!("{:?}", described.execution()).to_lowercase(),
        "properties": described.property_names().iter().map(|name| format!("{}{name}", described.prefix())).collect::<Vec<_>>(),
        "path": described.path(),
    })
}

fn check(file: &Path, properties: Option<&Path>, place: &Place, output: Output) -> Result<(), Failure> {
    let described = describe(file)?;
    let mut define = place.define.clone();
    if let Some(path) = properties {
        // Read exactly as the server would read it.
        let path =
            path.canonicalize().map_err(|error| Failure::refusal(format!("{} cannot be read: {error}", path.display())))?;
        define.push(format!("handlers.properties={}", path.display()));
    }
    let loaded = settings::from_process(place.config.as_deref(), &define)?;
    let values: BTreeMap<String, String> =
        loaded.settings.handlers.properties.into_iter().map(|(key, property)| (key, property.value)).collect();
    match described.configure(&values) {
        Ok(configured) => {
            let mut result = about(&described);
            result["enabled"] = configured.enabled().into();
            output.value(&result);
            Ok(())
        }
        Err(failure @ ConfigureFailure::Refused { .. }) => Err(Failure::refusal(failure.to_string())),
        Err(failure) => Err(Failure::refusal_of(failure)),
    }
}
