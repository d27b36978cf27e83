//! Administration: one set of commands, carried out in this process when the server is stopped and by the running server,
//! over a local socket that only the owner of the data folder can reach, when it is not.

pub mod command;
mod consents;
mod execute;
mod factors;
mod initial_tokens;
mod keys;
pub mod socket;
mod transfers;

pub use command::{AdminCommand, AdminRefusal};
pub use execute::execute;

use serde_json::Value;

use super::arguments::Place;
use super::assemble;
use super::output::Failure;
use crate::audit::Trail;
use crate::settings::{self, Settings};
use crate::telemetry::{self, InitError};

impl From<AdminRefusal> for Failure {
    fn from(refusal: AdminRefusal) -> Self {
        Self::refusal(refusal.to_string())
    }
}

/// Carries out one command, wherever the store is open.
///
/// # Errors
/// Findings in the settings, or the refusal of the command.
pub async fn call(place: &Place, command: AdminCommand) -> Result<Value, Failure> {
    let loaded = settings::from_process(place.config.as_deref(), &place.define)?;
    if let Some(answer) = socket::ask(&loaded.settings.storage.path, &command).await? {
        return answer.map_err(Failure::from);
    }
    // No server is there to write down what this command does, so the command does, where its other words to the operator go.
    let _trail = listen(&loaded.settings)?;
    let with_handlers = matches!(command, AdminCommand::HandlerExplain { .. });
    let engine = assemble::offline(loaded.settings, with_handlers).await?;
    let answer = execute(&engine, command).await;
    // What was answered must be on disk before the process ends.
    engine.store().close().await.map_err(|error| Failure::refusal(error.to_string()))?;
    answer.map_err(Failure::from)
}

/// Sends log lines to standard error in the server's format and at its level; results stay alone on standard output. Audit events go to the audit file,
/// too, until what is given back is dropped.
pub(super) fn listen(settings: &Settings) -> Result<Option<Trail>, Failure> {
    match telemetry::init(&settings.telemetry) {
        // A second command of the same process.
        Ok(()) | Err(InitError::Again(_)) => {}
        Err(error) => return Err(Failure::refusal_of(error)),
    }
    Trail::begin(&settings.audit).map_err(Failure::refusal_of)
}
