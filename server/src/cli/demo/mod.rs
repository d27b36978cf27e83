//! `symbolon demo`: the story of device SSO, played with real HTTP against a running server and checked at every step.
//!
//! What it knows of the server it reads from the discovery document; only its own clients and person, when it is given the
//! server's settings, come and go through the administration socket.

mod cast;
mod id_token;
mod narrator;
mod page;
mod refusals;
mod sign_in;
mod story;
mod walk;
mod web_page;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::cast::{Backstage, Cast};
use self::walk::Walk;
use super::arguments::Place;
use super::output::{Failure, Output};

/// What is printed below the options.
const TWO_WAYS: &str = "With --config, the demo runs against the server that runs with these settings: it registers two apps of one family, an \
outsider and a person, and removes them afterwards. With --issuer, it runs against any server on which they were registered \
beforehand; then no settings are read.";

/// Which server the demo runs against, and as whom.
#[derive(Debug, Args)]
#[command(after_help = TWO_WAYS)]
#[expect(clippy::doc_markdown, reason = "these comments are printed as they are")]
pub struct DemoOptions {
    /// The server's issuer; then the names below are needed too
    #[arg(long, value_name = "URL", requires_all = ["client_one", "client_two", "client_outsider", "redirect_uri", "user", "password_file"])]
    issuer: Option<String>,
    /// App one: a public client with the grant types authorization_code, refresh_token and token exchange, and the scope
    /// openid profile offline_access device_sso
    #[arg(long, value_name = "ID", requires = "issuer")]
    client_one: Option<String>,
    /// App two: a public client of the same device_sso_family with the grant types refresh_token and token exchange, and
    /// the scope of app one and the one that requires interaction
    #[arg(long, value_name = "ID", requires = "issuer")]
    client_two: Option<String>,
    /// A public client with the grant type token exchange, and of no or another device_sso_family
    #[arg(long, value_name = "ID", requires = "issuer")]
    client_outsider: Option<String>,
    /// A redirect URI of app one. Nothing needs to listen there: the demo reads the redirect itself
    #[arg(long, value_name = "URI", requires = "issuer")]
    redirect_uri: Option<String>,
    /// Who signs in
    #[arg(long, value_name = "NAME", requires = "issuer")]
    user: Option<String>,
    /// File with the person's password; a line break at its end does not count
    #[arg(long, value_name = "FILE", requires = "issuer")]
    password_file: Option<PathBuf>,
    /// A scope value that the server's handler grants in the browser only
    #[arg(long, value_name = "SCOPE", default_value = "payments")]
    interactive_scope: String,
}

/// Plays the story.
///
/// # Errors
/// Findings in the settings, a server that does not answer, or the first answer that is not as it should be.
pub async fn run(options: DemoOptions, place: &Place, output: Output) -> Result<(), Failure> {
    let mut backstage = Backstage::default();
    let mut interruption = Interruption::watch()?;
    let played = play(options, place, output, &mut backstage, &mut interruption).await;
    // Whatever came of it, nothing of the demo stays on the server.
    let cleared = backstage.clear().await;
    let summary = played?;
    cleared?;
    if output.is_json() {
        output.value(&summary);
    } else {
        let checks = summary["checks"].as_array().map_or(0, Vec::len);
        output.line(&format!("\nThe demo is over: {checks} checks, every answer as it should be."));
    }
    Ok(())
}

async fn play(
    options: DemoOptions,
    place: &Place,
    output: Output,
    backstage: &mut Backstage,
    interruption: &mut Interruption,
) -> Result<Value, Failure> {
    let issuer = match &options.issuer {
        Some(issuer) => issuer.clone(),
        None => backstage.open(place, &options.interactive_scope)?,
    };
    let mut walk = Walk::new(&issuer, output)?;
    // Before anything is registered, so that a server that is not there leaves nothing to remove.
    let server = interruption.or(story::discover(&mut walk, &issuer)).await?;
    // Not interrupted: whether something half asked for was done, nobody could tell.
    let cast = if backstage.is_open() { backstage.register(&options.interactive_scope).await? } else { Cast::given(options)? };
    interruption.or(story::play(&mut walk, &server, &cast)).await?;
    Ok(json!({ "issuer": issuer, "checks": walk.into_checks() }))
}

/// Signals to stop, remembered from the beginning on.
struct Interruption {
    interrupt: Signal,
    terminate: Signal,
}

impl Interruption {
    fn watch() -> Result<Self, Failure> {
        let watch = |kind| signal(kind).map_err(|error| Failure::refusal(format!("signals cannot be watched: {error}")));
        Ok(Self { interrupt: watch(SignalKind::interrupt())?, terminate: watch(SignalKind::terminate())? })
    }

    /// Does something, unless a signal came or comes.
    async fn or<T>(&mut self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            done = work => return done,
        }
        Err(Failure::refusal("the demo was interrupted"))
    }
}
