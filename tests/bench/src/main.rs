//! The benchmark behind `scripts/bench`: drives a release server that is pinned to one core, measures the parts that such a
//! server is made of on the same core in the same run, and says how much the server costs beyond its parts.
//! Knows the server only by its front doors (HTTP, settings file, command line); must not link it.

mod arguments;
mod backends;
mod copies;
mod failure;
mod growth;
mod isolation;
mod load;
mod meter;
mod parts;
mod place;
mod preparation;
mod redis;
mod report;
mod run;
mod sequences;
mod server;
mod verdict;
mod wire;
mod workloads;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Command, Part};
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::Part { part: Part::Echo { port } }) => parts::echo::serve(*port).map(|()| true),
        Some(Command::Part { part: Part::Crypto { seconds } }) => print_json(&parts::crypto::measure(*seconds)),
        Some(Command::Part { part: Part::Store { folder, seconds, writers } }) => {
            print_json(&parts::store::measure(folder, *seconds, writers))
        }
        None => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::from)
            .and_then(|runtime| tokio::task::LocalSet::new().block_on(&runtime, run::everything(&arguments))),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "bench: {failure}");
            ExitCode::from(1)
        }
    }
}

/// One line of JSON for the parent process, which started this one on the server's core.
fn print_json<T: serde::Serialize>(measured: &Result<T, Failure>) -> Result<bool, Failure> {
    match measured {
        Ok(value) => {
            writeln!(std::io::stdout(), "{}", serde_json::to_string(value)?)?;
            Ok(true)
        }
        Err(failure) => Err(Failure::said(failure.to_string())),
    }
}
