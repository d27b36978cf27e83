//! `symbolon client …`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Map, Value};

use super::admin::{self, AdminCommand};
use super::arguments::Place;
use super::output::{Failure, Output};
use super::session_transfer::SessionTransferCommand;
use crate::settings;

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
        #[arg(allow_hyphen_values = true)]
        client_id: String,
    },
    /// Replace the metadata of a client
    Update {
        /// Its `client_id`
        #[arg(allow_hyphen_values = true)]
        client_id: String,
        /// JSON file with the whole new metadata
        #[arg(long, value_name = "CLIENT.json")]
        from: PathBuf,
    },
    /// Remove a client
    Delete {
        /// Its `client_id`
        #[arg(allow_hyphen_values = true)]
        client_id: String,
    },
    /// Initial access tokens, with which clients register over HTTP (RFC 7591)
    #[command(subcommand)]
    InitialToken(InitialTokenCommand),
    /// What a client may do with session transfer tokens, with which a signed-in app signs a browser in
    #[command(subcommand)]
    SessionTransfer(SessionTransferCommand),
}

/// What to do with initial access tokens.
#[derive(Debug, Subcommand)]
pub enum InitialTokenCommand {
    /// Make one; prints it, which happens this once
    Add {
        /// How many clients may register with it; 0 = any number
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// How long it is worth something, such as 90m or 7d; never = until it is removed
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = lifetime)]
        lifetime: Lifetime,
        /// A word for yourself
        #[arg(long)]
        note: Option<String>,
    },
    /// List all
    List,
    /// Revoke one; the clients that registered with it stay
    Remove {
        /// Its id
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
}

/// A time span in seconds, or none.
#[derive(Debug, Clone, Copy)]
pub struct Lifetime(Option<u64>);

fn lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" {
        return Ok(Lifetime(None));
    }
    let span = settings::read_duration(text)?;
    if span.as_secs() == 0 { Err("at least a second".to_owned()) } else { Ok(Lifetime(Some(span.as_secs()))) }
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
        ClientCommand::InitialToken(InitialTokenCommand::List) => {
            let list = admin::call(place, AdminCommand::InitialTokenList).await?;
            output.rows(&list, &["id", "uses_left", "expires", "note"]);
            return Ok(());
        }
        ClientCommand::InitialToken(InitialTokenCommand::Add { uses, lifetime, note }) => {
            AdminCommand::InitialTokenAdd { note, uses: Some(uses).filter(|uses| *uses > 0), lifetime_seconds: lifetime.0 }
        }
        ClientCommand::InitialToken(InitialTokenCommand::Remove { id }) => AdminCommand::InitialTokenRemove { id },
        ClientCommand::SessionTransfer(command) => command.into_admin(),
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
