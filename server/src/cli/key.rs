//! `symbolon key …`

use clap::Subcommand;
use clap::builder::PossibleValuesParser;

use super::admin::{self, AdminCommand};
use super::arguments::Place;
use super::output::{Failure, Output};
use crate::settings::meaning::SigningAlg;

/// What to do with signing keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List the signing keys
    List,
    /// Withdraw a key that leaked: nothing that it signed is accepted any more, so devices must sign in again
    Remove {
        /// Its `kid`
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Seal the stored keys with the present sealing key; the earlier one is in `storage.previous_sealing_keys` until then
    Reseal,
    /// Make new keys: published at once, used after `tokens.keys.publish_before_use`
    Rotate {
        /// One algorithm only
        #[arg(long, value_name = "ALG", value_parser = PossibleValuesParser::new(SigningAlg::ALL.map(SigningAlg::as_str)))]
        alg: Option<String>,
        /// Use the new key at once, e.g. after a leak; clients that cached the old JWKS must fetch it again
        #[arg(long)]
        immediately: bool,
    },
}

/// Carries it out.
///
/// # Errors
/// Findings or the refusal.
pub async fn run(command: KeyCommand, place: &Place, output: Output) -> Result<(), Failure> {
    let command = match command {
        KeyCommand::Remove { kid } => {
            output.value(&admin::call(place, AdminCommand::KeyRemove { kid }).await?);
            return Ok(());
        }
        KeyCommand::Reseal => {
            output.value(&admin::call(place, AdminCommand::KeyReseal).await?);
            return Ok(());
        }
        KeyCommand::List => AdminCommand::KeyList,
        KeyCommand::Rotate { alg, immediately } => AdminCommand::KeyRotate { alg, immediately },
    };
    let keys = admin::call(place, command).await?;
    output.rows(&keys, &["kid", "alg", "state", "created", "signs_from", "verify_until"]);
    Ok(())
}
