//! `symbolon handler …`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::admin::{self, AdminCommand, socket};
use super::arguments::Place;
use super::output::{Failure, Output};
use super::scaffold::{self, NewOptions};
use crate::grants::explanation::Wanted;
use crate::issuance::{Handlers, handler};
use crate::settings::{self, Settings};

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
    /// Load and configure a library as the server would, with a properties file if given
    Check {
        /// The library
        file: PathBuf,
        /// Its properties
        #[arg(long, value_name = "FILE")]
        properties: Option<PathBuf>,
    },
    /// Let the running server take over new, replaced and removed libraries and changed properties
    Reload,
    /// Show what would be decided and issued in an exchange, without one taking place
    Explain(ExplainOptions),
    /// Write a crate for a handler or an action of your own
    New(NewOptions),
    /// Host a handler for a server: started by the server itself
    #[command(hide = true)]
    Host {
        /// The library's name, for whoever reads the list of processes
        name: String,
    },
}

/// The exchange to explain.
#[derive(Debug, Args)]
pub struct ExplainOptions {
    /// The client that would ask
    #[arg(long, value_name = "ID")]
    client: String,
    /// The device session
    #[arg(long, value_name = "SID")]
    session: String,
    /// The scope parameter; without it none is sent
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// The `acr_values` parameter
    #[arg(long, value_name = "VALUES")]
    acr_values: Option<String>,
    /// The claims parameter, a JSON object
    #[arg(long, value_name = "JSON", value_parser = parse_json)]
    claims: Option<Value>,
    /// A resource parameter (repeatable)
    #[arg(long = "resource", value_name = "URI")]
    resources: Vec<String>,
    /// The app whose ID token would be shown; without it the first app of the session
    #[arg(long, value_name = "ID")]
    source: Option<String>,
    /// Ask this library, configured as the server would, instead of the enabled handler
    #[arg(long, value_name = "FILE")]
    handler: Option<PathBuf>,
}

/// Carries it out.
///
/// # Errors
/// Findings or the refusal.
pub async fn run(command: HandlerCommand, place: &Place, output: Output) -> Result<(), Failure> {
    match command {
        HandlerCommand::List => list(place, output).await,
        HandlerCommand::Inspect { file } => {
            let (about, digest) = handler::inspect(&file, &Settings::built_in().handlers).map_err(Failure::Refusal)?;
            output.value(&json!({
                "name": about.name,
                "version": about.version,
                "about": about.about,
                "sdk_version": about.sdk_version,
                "prefix": about.prefix,
                "kind": handler::kind(about.kind),
                "execution": handler::execution(about.execution),
                "properties": about.properties.iter().map(|name| format!("{}{name}", about.prefix)).collect::<Vec<_>>(),
                "digest": digest,
                "path": about.path,
            }));
            Ok(())
        }
        HandlerCommand::Check { file, properties } => check(&file, properties.as_deref(), place, output),
        HandlerCommand::Reload => reload(place, output).await,
        HandlerCommand::Explain(options) => explain(options, place, output).await,
        HandlerCommand::New(options) => scaffold::run(&options, output),
        // The entry of the program takes it before anything else is set up.
        HandlerCommand::Host { .. } => Err(Failure::refusal("only the server starts this command")),
    }
}

/// A running server knows best which handlers it has; without one the folder is loaded here.
async fn list(place: &Place, output: Output) -> Result<(), Failure> {
    let loaded = settings::from_process(place.config.as_deref(), &place.define)?;
    let handlers = if let Some(answer) = socket::ask(&loaded.settings.storage.path, &AdminCommand::HandlerList).await? {
        answer?
    } else {
        let load = Handlers::load(&loaded.settings)?;
        for warning in &load.warnings {
            output.finding(warning);
        }
        serde_json::to_value(load.handlers.loaded()).map_err(Failure::refusal_of)?
    };
    output.rows(
        &handlers,
        &["name", "version", "kind", "enabled", "order", "isolation", "shadow", "suspended", "prefix", "sdk_version", "path"],
    );
    Ok(())
}

fn check(file: &Path, properties: Option<&Path>, place: &Place, output: Output) -> Result<(), Failure> {
    let mut define = place.define.clone();
    if let Some(path) = properties {
        // Read exactly as the server would read it.
        let path =
            path.canonicalize().map_err(|error| Failure::refusal(format!("{} cannot be read: {error}", path.display())))?;
        define.push(format!("handlers.properties={}", path.display()));
    }
    let loaded = settings::from_process(place.config.as_deref(), &define)?;
    let checked = handler::check(file, &loaded.settings)?;
    output.value(&serde_json::to_value(checked).map_err(Failure::refusal_of)?);
    Ok(())
}

async fn reload(place: &Place, output: Output) -> Result<(), Failure> {
    let answer = admin::call(place, AdminCommand::HandlerReload).await?;
    if let Some(findings) = answer.get("findings") {
        return Err(Failure::Told(findings.clone()));
    }
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        output.warn(warning, &super::output::told(warning));
    }
    if output.is_json() {
        output.value(&answer);
        return Ok(());
    }
    let changes: Vec<&str> = answer["changes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if changes.is_empty() {
        output.line("nothing has changed");
    }
    for change in changes {
        output.line(change);
    }
    Ok(())
}

async fn explain(options: ExplainOptions, place: &Place, output: Output) -> Result<(), Failure> {
    // The running server has another working directory.
    let handler = options
        .handler
        .map(|file| file.canonicalize().map_err(|error| Failure::refusal(format!("{} cannot be read: {error}", file.display()))));
    let wanted = Wanted {
        client_id: options.client,
        sid: options.session,
        scope: options.scope,
        acr_values: options.acr_values,
        claims: options.claims,
        resources: options.resources,
        source: options.source,
        handler: handler.transpose()?,
        properties: typed(place)?,
    };
    output.value(&admin::call(place, AdminCommand::HandlerExplain { wanted: Box::new(wanted) }).await?);
    Ok(())
}

/// The handler properties of this very command line: a running server has its own, and these go over them for this once.
fn typed(place: &Place) -> Result<BTreeMap<String, String>, Failure> {
    let handlers = settings::from_process(place.config.as_deref(), &place.define)?.settings.handlers;
    let typed =
        |name: &String| place.define.iter().any(|define| define.split_once('=').is_some_and(|(own, _)| own.trim() == name));
    Ok(handlers.properties.into_iter().filter(|(name, _)| typed(name)).map(|(name, property)| (name, property.value)).collect())
}

fn parse_json(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text)
}
