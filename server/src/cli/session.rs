//! `symbolon session …`

use clap::{ArgGroup, Subcommand};

use super::admin::{self, AdminCommand};
use super::arguments::Place;
use super::output::{Failure, Output};

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// List the sessions of a person
    List {
        /// Sign-in name
        #[arg(long, value_name = "NAME")]
        user: String,
    },
    /// Show one session
    Show {
        /// Its sid
        sid: String,
    },
    /// List the keys of a device session
    Keys {
        /// Its sid
        sid: String,
    },
    /// Remove a key from a device session, and end the grants that are bound to it
    RemoveKey {
        /// The session's sid
        sid: String,
        /// The key, by its RFC 7638 thumbprint
        #[arg(allow_hyphen_values = true)]
        thumbprint: String,
    },
    /// End one session, or all of a person
    #[command(group(ArgGroup::new("which").required(true).args(["sid", "user"])))]
    End {
        /// The sid
        sid: Option<String>,
        /// Sign-in name of the person whose sessions all end
        #[arg(long, value_name = "NAME", requires = "all")]
        user: Option<String>,
        /// Confirms that all sessions of the person end
        #[arg(long, requires = "user", conflicts_with = "sid")]
        all: bool,
    },
}

/// Carries it out.
///
/// # Errors
/// Findings or the refusal.
pub async fn run(command: SessionCommand, place: &Place, output: Output) -> Result<(), Failure> {
    let command = match command {
        SessionCommand::List { user } => {
            let list = admin::call(place, AdminCommand::SessionList { user }).await?;
            output.rows(&list, &["sid", "kind", "client_ids", "created", "last_used", "expires", "device"]);
            return Ok(());
        }
        SessionCommand::Show { sid } => AdminCommand::SessionShow { sid },
        SessionCommand::Keys { sid } => {
            let list = admin::call(place, AdminCommand::SessionKeys { sid }).await?;
            output.rows(&list, &["thumbprint", "client_id", "enrolled"]);
            return Ok(());
        }
        SessionCommand::RemoveKey { sid, thumbprint } => AdminCommand::SessionRemoveKey { sid, thumbprint },
        SessionCommand::End { user: Some(user), .. } => AdminCommand::SessionEndAll { user },
        SessionCommand::End { sid, .. } => AdminCommand::SessionEnd { sid: sid.unwrap_or_default() },
    };
    output.value(&admin::call(place, command).await?);
    Ok(())
}
