//! `symbolon consent …`

use clap::{ArgGroup, Subcommand};

use super::admin::{self, AdminCommand};
use super::arguments::Place;
use super::output::{Failure, Output};

/// What to do with what people agreed to.
#[derive(Debug, Subcommand)]
pub enum ConsentCommand {
    /// List what a person agreed to
    List {
        /// Sign-in name
        name: String,
    },
    /// Revoke a person's consent to one app or to all, and end what the apps were granted by them
    #[command(group(ArgGroup::new("which").required(true).args(["client", "all"])))]
    Revoke {
        /// Sign-in name
        name: String,
        /// The app, by its `client_id`
        #[arg(allow_hyphen_values = true)]
        client: Option<String>,
        /// Every app
        #[arg(long)]
        all: bool,
    },
}

/// Carries it out.
///
/// # Errors
/// Findings or the refusal.
pub async fn run(command: ConsentCommand, place: &Place, output: Output) -> Result<(), Failure> {
    let command = match command {
        ConsentCommand::List { name } => {
            let list = admin::call(place, AdminCommand::ConsentList { user: name }).await?;
            output.rows(&list, &["client_id", "client_name", "scope", "claims", "given"]);
            return Ok(());
        }
        ConsentCommand::Revoke { name, client: Some(client_id), .. } => AdminCommand::ConsentRevoke { user: name, client_id },
        ConsentCommand::Revoke { name, client: None, .. } => AdminCommand::ConsentRevokeAll { user: name },
    };
    output.value(&admin::call(place, command).await?);
    Ok(())
}
