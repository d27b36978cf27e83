//! `symbolon client …`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Map, Value};

use super::admin::{self, AdminCommand};
use super::arguments::Place;
use super::output::{Failure, Output};

/// What to do with clients.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register a client from RFC 7591 metadata; prints it with its secret, which is shown this once
    Add {
        /// JSON file with the metadata; `client_id` and `client_secret` may be given
        #[arg(long, value_name = "CLIENT.json")]
        from: PathBuf,
    },
    /// List all clients
    List,
    /// Show one client
    Show {
        /// Its `client_id`
        client_id: String,
    },
    /// Replace the metadata of a client
    Update {
        /// Its `client_id`
        client_id: String,
        /// JSON file with the whole new metadata
        #[arg(long, value_name = "CLIENT.json")]
        from: PathBuf,
    },
    /// Remove a client
    Delete {
        /// Its `client_id`
        client_id: String,
    },
}

/// Carries it out.
///
/// # Errors
/// Findings or the refusal.
pub async fn run(command: ClientCommand, place: &Place, output: Output) -> Result<(), Failure> {
    let command = match command {
        ClientCommand::List => {
            let list = admin::call(place, AdminCommand::ClientList).await?;
            output.rows(&list, &["client_id", "client_name", "token_endpoint_auth_method", "scope"]);
            return Ok(());
        }
        ClientCommand::Add { from } => AdminCommand::ClientAdd { metadata: read_object(&from)? },
        ClientCommand::Show { client_id } => AdminCommand::ClientShow { client_id },
        ClientCommand::Update { client_id, from } => AdminCommand::ClientUpdate { client_id, metadata: read_object(&from)? },
        ClientCommand::Delete { client_id } => AdminCommand::ClientDelete { client_id },
    };
    output.value(&admin::call(place, command).await?);
    Ok(())
}

fn read_object(path: &Path) -> Result<Map<String, Value>, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::refusal(format!("{} cannot be read: {error}", path.display())))?;
    serde_json::from_str(&text).map_err(|error| Failure::refusal(format!("{} is not a JSON object: {error}", path.display())))
}
