//! Where the built server and the built handlers are: beside the test itself, in `target/<profile>`.

use std::path::PathBuf;

/// The folder with `symbolon` and the `.so` files. `TEST_BINARIES` names another one, e.g. that of a package.
fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("TEST_BINARIES") {
        return PathBuf::from(folder);
    }
    let test = std::env::current_exe().expect("the path of the test itself");
    test.ancestors().nth(2).expect("target/<profile> above target/<profile>/deps").to_path_buf()
}

/// A file that must have been built.
#[track_caller]
fn built(name: &str) -> PathBuf {
    let path = folder().join(name);
    assert!(path.is_file(), "{} is not built: run `cargo build --workspace` first (scripts/test does)", path.display());
    path
}

/// The server.
#[track_caller]
pub(crate) fn symbolon() -> PathBuf {
    built("symbolon")
}

/// The server of another release that fleets are mixed with: `OTHER_RELEASE` names the program, else it is the same one.
#[track_caller]
pub(crate) fn other_release() -> PathBuf {
    std::env::var_os("OTHER_RELEASE").map_or_else(symbolon, PathBuf::from)
}

/// A handler, by the name of its crate, e.g. `symbolon-local-device-sso`.
#[track_caller]
pub(crate) fn handler(name: &str) -> PathBuf {
    built(&format!("lib{}.so", name.replace('-', "_")))
}

/// The target folder of the workspace.
pub(crate) fn target() -> PathBuf {
    folder().parent().expect("target/<profile> lies in target").to_path_buf()
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_path_buf()
}
