//! Crates that are built by a test, as their authors would: outside the workspace, with a target folder of their own that all such
//! tests share.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::binaries::{repository, target};

/// Runs cargo in the folder of a crate; gives what it printed. The crate's dependencies are those of the workspace, version by version,
/// so that nothing is fetched which is not here already.
#[track_caller]
pub(crate) fn cargo(folder: &Path, arguments: &[&str]) -> String {
    let lock = folder.join("Cargo.lock");
    if !lock.exists() {
        std::fs::copy(repository().join("Cargo.lock"), &lock).expect("a lock file");
    }
    let mut command = Command::new(env!("CARGO"));
    // What cargo tells the tests about themselves is not meant for another crate.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO") && !["CARGO_HOME", "CARGO_NET_OFFLINE"].contains(&name.as_ref())
            || name.starts_with("SYMBOLON_")
        {
            command.env_remove(name.as_ref());
        }
    }
    let output = command
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", outside())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cargo does not start: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?} in {}:\n{text}", folder.display());
    text
}

/// The target folder of such crates.
pub(crate) fn outside() -> PathBuf {
    target().join("outside")
}

/// A handler library that was built there.
#[track_caller]
pub(crate) fn library(profile: &str, name: &str) -> PathBuf {
    let path = outside().join(profile).join(format!("lib{}.so", name.replace('-', "_")));
    assert!(path.is_file(), "{} is not there", path.display());
    path
}
