//! `symbolon client session-transfer …`

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::admin::AdminCommand;

/// What a client may do with session transfer tokens.
#[derive(Debug, Subcommand)]
pub enum SessionTransferCommand {
    /// Show it
    Show {
        /// `client_id`
        #[arg(allow_hyphen_values = true)]
        client_id: String,
    },
    /// Change it; what is not named stays as it is
    #[command(alias = "update")]
    Set {
        /// `client_id`
        #[arg(allow_hyphen_values = true)]
        client_id: String,
        #[command(flatten)]
        changes: Changes,
    },
}

/// The changes, each by the name that the Auth0 command line has for it.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Changes {
    /// Whether it may have tokens made
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    can_create_token: Option<bool>,
    /// How browsers may bring a token to it: cookie, query, both, or none
    #[arg(long, value_name = "METHODS", value_delimiter = ',')]
    allowed_auth_methods: Option<Vec<String>>,
    /// What must be the same where a token is made and where it is used: none, asn, prefix or ip (of both clients the stricter holds); or key,
    /// which wants a DPoP key where it is made and nothing of the network
    #[arg(long, value_name = "BINDING")]
    enforce_device_binding: Option<String>,
    /// Whether it may have refresh tokens for people who came with a token
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    allow_refresh_token: Option<bool>,
    /// Whether what grew from its tokens ends with its refresh token
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    enforce_cascade_revocation: Option<bool>,
    /// Whether such refresh tokens end with their web session
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    enforce_online_refresh_tokens: Option<bool>,
    /// The apps from which people may come, by `client_id`; any = all
    #[arg(long, value_name = "CLIENTS", value_delimiter = ',')]
    allowed_origin_clients: Option<Vec<String>>,
}

impl SessionTransferCommand {
    /// The command that crosses the local socket.
    #[must_use]
    pub fn into_admin(self) -> AdminCommand {
        match self {
            Self::Show { client_id } => AdminCommand::ClientTransferShow { client_id },
            Self::Set { client_id, changes } => AdminCommand::ClientTransferSet { client_id, changes: changes.into_members() },
        }
    }
}

impl Changes {
    fn into_members(self) -> Map<String, Value> {
        let only = |list: &[String], word: &str| matches!(list, [only] if only == word);
        let methods = self.allowed_auth_methods.map(|methods| if only(&methods, "none") { json!([]) } else { json!(methods) });
        let origins = self.allowed_origin_clients.map(|origins| if only(&origins, "any") { Value::Null } else { json!(origins) });
        let members = [
            ("can_create_session_transfer_token", self.can_create_token.map(Value::from)),
            ("allowed_authentication_methods", methods),
            ("enforce_device_binding", self.enforce_device_binding.map(Value::from)),
            ("allow_refresh_token", self.allow_refresh_token.map(Value::from)),
            ("enforce_cascade_revocation", self.enforce_cascade_revocation.map(Value::from)),
            ("enforce_online_refresh_tokens", self.enforce_online_refresh_tokens.map(Value::from)),
            ("allowed_origin_clients", origins),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}
