//! The command line: results on standard output, everything else on standard error, `--json` for machines. Exit codes: 0 fine,
//! 1 findings or refusal, 2 wrong usage.

pub mod admin;
pub mod arguments;
pub mod assemble;
pub mod audit;
pub mod client;
pub mod config;
pub mod consent;
pub mod demo;
pub mod examine;
pub mod handler;
pub mod key;
pub mod output;
pub mod reload;
pub mod scaffold;
pub mod serve;
pub mod session;
pub mod session_transfer;
pub mod store;
pub mod user;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use arguments::{Arguments, Command};
use output::{Failure, Output};

use crate::settings::{self, Layer};

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && wants_json() => return Output::new(true).wrong_usage(&in_words(&error)),
        // Usage mistakes end here with exit code 2, help and version with 0.
        Err(error) => error.exit(),
    };
    if let Command::Handler(handler::HandlerCommand::Host { .. }) = arguments.command {
        return crate::issuance::handler::process::guest::run();
    }
    let output = Output::new(arguments.json);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&Failure::refusal(format!("the runtime cannot be started: {error}"))),
    };
    match runtime.block_on(run(arguments, output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.fail(&failure),
    }
}

/// Whether JSON was asked for on a command line that could not be understood.
fn wants_json() -> bool {
    std::env::args_os().skip(1).take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

/// What was wrong with the usage, without the help that goes with it for people.
fn in_words(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing; --help lists them".to_owned();
    }
    let text = error.render().to_string();
    let text = ["\n\nUsage:", "\n\nFor more information"]
        .iter()
        .fold(text.as_str(), |text, help| text.split(help).next().unwrap_or(text));
    text.strip_prefix("error: ").unwrap_or(text).trim().to_owned()
}

/// Whoever forgets `--config` works on another store, and would not notice.
fn say_where(arguments: &Arguments, output: Output) {
    let of_a_store = matches!(
        arguments.command,
        Command::Serve
            | Command::Client(_)
            | Command::User(_)
            | Command::Consent(_)
            | Command::Session(_)
            | Command::Key(_)
            | Command::Store(_)
            | Command::Audit(_)
    );
    if !of_a_store || arguments.place.config.is_some() {
        return;
    }
    // Wrong settings are told by the command itself.
    let Ok(loaded) = settings::from_process(None, &arguments.place.define) else { return };
    if loaded.origins.get("storage.path").is_none_or(|origin| origin.layer == Layer::BuiltIn) {
        let folder = std::path::absolute(&loaded.settings.storage.path).unwrap_or(loaded.settings.storage.path);
        output.note(&format!(
            "note: no settings file is named (--config FILE, or SYMBOLON_CONFIG), so the data folder is {}",
            folder.display()
        ));
    }
}

async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    say_where(&arguments, output);
    let place = &arguments.place;
    match arguments.command {
        Command::Serve => serve::run(place, output).await,
        Command::Config(command) => config::run(&command, place, output),
        Command::Client(command) => client::run(command, place, output).await,
        Command::User(command) => user::run(command, place, output).await,
        Command::Consent(command) => consent::run(command, place, output).await,
        Command::Session(command) => session::run(command, place, output).await,
        Command::Key(command) => key::run(command, place, output).await,
        Command::Store(command) => store::run(command, place, output).await,
        Command::Audit(command) => audit::run(command, place, output).await,
        Command::Handler(command) => handler::run(command, place, output).await,
        Command::Demo(options) => demo::run(options, place, output).await,
    }
}
