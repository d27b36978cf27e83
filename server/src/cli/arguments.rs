//! What may be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{audit, client, config, consent, demo, handler, key, session, store, user};

/// The sign-on server for families of apps.
#[derive(Debug, Parser)]
#[command(name = "symbolon", version, propagate_version = true, arg_required_else_help = true)]
pub struct Arguments {
    /// Where the settings are.
    #[command(flatten)]
    pub place: Place,
    /// Print results as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where the settings are.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// The settings file
    #[arg(long, value_name = "FILE", global = true, env = "SYMBOLON_CONFIG")]
    pub config: Option<PathBuf>,
    /// Override a setting (server.listen=…) or set a handler property (op.deviceSSOHandler.enable=true)
    #[arg(short = 'D', value_name = "NAME=VALUE", global = true)]
    pub define: Vec<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve,
    /// Check and explain the settings
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Administer clients
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Administer people
    #[command(subcommand)]
    User(user::UserCommand),
    /// Look at and revoke what people agreed to
    #[command(subcommand)]
    Consent(consent::ConsentCommand),
    /// Look at and end sessions
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// Look at and rotate signing keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Count, check, save, restore and move what is stored
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Ask what happened, from the audit file
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Look at device-SSO handlers
    #[command(subcommand)]
    Handler(handler::HandlerCommand),
    /// Play the story of device SSO against a running server
    Demo(demo::DemoOptions),
}
