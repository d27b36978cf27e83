//! `symbolon handler new`: writes a crate for a handler, outside the repository, that builds, is tested and is loaded as it is.

use std::path::PathBuf;

use clap::Args;

use super::output::{Failure, Output};

/// The crate to write.
#[derive(Debug, Args)]
pub struct NewOptions {
    /// The folder to make, and the name of the crate
    name: PathBuf,
}

/// Writes it.
///
/// # Errors
/// One sentence.
pub fn run(options: &NewOptions, _output: Output) -> Result<(), Failure> {
    Err(Failure::refusal(format!("{}: not written yet", options.name.display())))
}
