//! `symbolon user …`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::Value;

use super::admin::command::Password;
use super::admin::{self, AdminCommand};
use super::arguments::Place;
use super::output::{Failure, Output};
use crate::foundation::Secret;

/// What to do with people.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a person
    Add {
        /// Sign-in name
        name: String,
        /// File with the password; a line break at its end does not count
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
        /// A claim, e.g. email=ada@example.com; JSON values are taken as such
        #[arg(long, value_name = "NAME=VALUE", value_parser = parse_claim)]
        claim: Vec<(String, Value)>,
    },
    /// List all people
    List,
    /// Show one person
    Show {
        /// Sign-in name
        name: String,
    },
    /// Set a new password
    SetPassword {
        /// Sign-in name
        name: String,
        /// File with the password
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// Forbid sign-in and end all sessions of a person
    Disable {
        /// Sign-in name
        name: String,
    },
    /// Allow sign-in again
    Enable {
        /// Sign-in name
        name: String,
    },
    /// Remove a person and end all their sessions
    Delete {
        /// Sign-in name
        name: String,
    },
    /// Set up or remove an authenticator app
    #[command(subcommand)]
    Totp(TotpCommand),
    /// Replace the recovery codes; they are shown this once
    RecoveryCodes {
        /// Sign-in name
        name: String,
    },
}

/// What to do with an authenticator app.
#[derive(Debug, Subcommand)]
pub enum TotpCommand {
    /// Make a seed and show it, as key and as otpauth URI; it counts once it was confirmed
    Enrol {
        /// Sign-in name
        name: String,
    },
    /// Put the seed into use with a code that the app shows; gives recovery codes
    Confirm {
        /// Sign-in name
        name: String,
        /// The six digits
        #[arg(long)]
        code: String,
    },
    /// Remove the app and the recovery codes
    Remove {
        /// Sign-in name
        name: String,
    },
}

/// Carries it out.
///
/// # Errors
/// Findings or the refusal.
pub async fn run(command: UserCommand, place: &Place, output: Output) -> Result<(), Failure> {
    let command = match command {
        UserCommand::List => {
            let list = admin::call(place, AdminCommand::UserList).await?;
            output.rows(&list, &["name", "sub", "disabled"]);
            return Ok(());
        }
        UserCommand::Add { name, password_file, claim } => {
            let mut claims = serde_json::Map::new();
            for (claim, value) in claim {
                if claims.insert(claim.clone(), value).is_some() {
                    return Err(Failure::refusal(format!(
                        "the claim {claim} is given twice; write several values as a JSON array"
                    )));
                }
            }
            AdminCommand::UserAdd { name, password: read_password(&password_file)?, claims }
        }
        UserCommand::Show { name } => AdminCommand::UserShow { name },
        UserCommand::SetPassword { name, password_file } => {
            AdminCommand::UserSetPassword { name, password: read_password(&password_file)? }
        }
        UserCommand::Disable { name } => AdminCommand::UserDisable { name, disabled: true },
        UserCommand::Enable { name } => AdminCommand::UserDisable { name, disabled: false },
        UserCommand::Delete { name } => AdminCommand::UserDelete { name },
        UserCommand::Totp(TotpCommand::Enrol { name }) => AdminCommand::TotpEnrol { name },
        UserCommand::Totp(TotpCommand::Confirm { name, code }) => {
            AdminCommand::TotpConfirm { name, code: Password(Secret::new(code)) }
        }
        UserCommand::Totp(TotpCommand::Remove { name }) => AdminCommand::TotpRemove { name },
        UserCommand::RecoveryCodes { name } => AdminCommand::RecoveryCodes { name },
    };
    output.value(&admin::call(place, command).await?);
    Ok(())
}

pub(super) fn read_password(path: &Path) -> Result<Password, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::refusal(format!("{} cannot be read: {error}", path.display())))?;
    let trimmed = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Password(Secret::new(trimmed.strip_suffix('\r').unwrap_or(trimmed).to_owned())))
}

fn parse_claim(claim: &str) -> Result<(String, Value), &'static str> {
    let (name, value) = claim.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("it is not of the form name=value")?;
    // What parses as JSON is JSON; everything else is text.
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))))
}
