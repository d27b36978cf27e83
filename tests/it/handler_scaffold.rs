//! An author's first hour: `symbolon handler new`, a test, a build, and the library in a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::harness::binaries::{repository, symbolon};
use crate::harness::cargo::{cargo, library, outside};
use crate::harness::cast::{ONE, TWO};
use crate::harness::command::Ran;
use crate::harness::{Setup, Tokens};

/// Writes a crate called `name` into `folder`.
#[track_caller]
fn new(folder: &Path, name: &str, more: &[&str]) -> PathBuf {
    let said = Ran::run(Command::new(symbolon()).args(["handler", "new"]).arg(folder.join(name)).args(more), "").fine().stdout;
    assert!(said.contains("cargo build --release"), "{said}");
    folder.join(name)
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let name = entry.file_name();
        let left_out = ["target", "node_modules", ".venv", ".git", "var", "__pycache__"];
        if left_out.contains(&name.to_string_lossy().as_ref()) {
            continue;
        }
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).expect("a copy");
        }
    }
}

#[track_caller]
fn run(folder: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().expect("a program");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_first_hour_of_an_author() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = new(folder.path(), "my-handler", &[]);
    let tested = cargo(&own, &["test"]);
    assert!(tested.contains("2 passed"), "{tested}");
    cargo(&own, &["build", "--release"]);

    let server = Setup::new().start();
    let device = server.device(ONE);
    let path = library("release", "my-handler");
    let checked = Ran::run(
        Command::new(symbolon())
            .args(["handler", "check", "--json"])
            .arg(&path)
            .arg("--properties")
            .arg(own.join("my-handler.properties")),
        "",
    );
    assert_eq!(checked.fine().json()["name"], "MyHandler");
    // Dropped in, switched on, taken over: as its README says.
    fs::copy(&path, server.handler_file("libmy_handler.so")).expect("a copy");
    let properties = fs::read_to_string(own.join("my-handler.properties")).expect("its properties");
    server.write_properties(
        &(properties.replace("delicateScope=", "delicateScope=payments") + "op.deviceSSOHandler.enable=false\n"),
    );
    let said = server.command(&["handler", "reload"]).fine().stdout;
    assert!(
        said.contains("MyHandler 0.1.0 is loaded and enabled") && said.contains("LocalDeviceSsoHandler is disabled"),
        "{said}"
    );
    let tokens = Tokens(server.exchange(TWO, &device, "openid profile").ok());
    assert_eq!(tokens.0["expires_in"], 300);
    assert_eq!(server.exchange(TWO, &device, "openid payments").refused(400, "interaction_required")["scope"], "payments");
    assert_eq!(server.metric("symbolon_handler_calls_total", &["MyHandler", "allowed"]), 1);
}

#[test]
fn an_action_begins_the_same_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = new(folder.path(), "my-policy", &["--kind", "action"]);
    let tested = cargo(&own, &["test"]);
    assert!(tested.contains("2 passed"), "{tested}");
    cargo(&own, &["build"]);
    let checked = Ran::run(
        Command::new(symbolon())
            .args(["handler", "check", "--json"])
            .arg(library("debug", "my-policy"))
            .arg("--properties")
            .arg(own.join("my-policy.properties")),
        "",
    );
    let checked = checked.fine().json();
    assert_eq!(
        (&checked["name"], &checked["kind"], &checked["enabled"]),
        (&json!("MyPolicyAction"), &json!("post_login"), &json!(true))
    );
}

#[test]
fn the_sdk_is_found_in_a_folder_in_git_and_as_published() {
    let folder = tempfile::tempdir().expect("a folder");
    let sdk = repository().join("sdk");
    let by_path = new(folder.path(), "by-path", &["--sdk-path", sdk.to_str().expect("a path")]);
    cargo(&by_path, &["build"]);

    let git = folder.path().join("git");
    copy_tree(&repository(), &git);
    run(&git, "git", &["init", "-q"]);
    run(&git, "git", &["add", "-A"]);
    run(&git, "git", &["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "t"]);
    let by_git = new(folder.path(), "by-git", &["--sdk-git", &format!("file://{}", git.display())]);
    cargo(&by_git, &["build"]);

    // What a registry would serve is the packaged crate; here it stands in for the registry's.
    cargo(&repository(), &["package", "-p", "symbolon-sdk", "--no-verify", "--allow-dirty", "--quiet"]);
    let packages = outside().join("package");
    let package = fs::read_dir(&packages)
        .expect("packages")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "crate"))
        // An earlier version may lie there from before.
        .max_by_key(|path| path.metadata().and_then(|about| about.modified()).ok())
        .expect("the packaged SDK");
    run(folder.path(), "tar", &["-xzf", package.to_str().expect("a path")]);
    let name = package.file_stem().expect("a name").to_str().expect("a name").to_owned();
    let version = name.trim_start_matches("symbolon-sdk-").to_owned();
    let published = new(folder.path(), "published", &["--sdk-version", &version]);
    let manifest = published.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("a manifest");
    assert!(text.contains(&format!("symbolon-sdk = {{ version = \"{version}\" }}")), "{text}");
    let stand_in = format!("\n[patch.crates-io]\nsymbolon-sdk = {{ path = {:?} }}\n", folder.path().join(&name));
    fs::write(&manifest, text + &stand_in).expect("a manifest");
    cargo(&published, &["build"]);

    for crate_name in ["by-path", "by-git", "published"] {
        let said =
            Ran::run(Command::new(symbolon()).args(["handler", "inspect", "--json"]).arg(library("debug", crate_name)), "")
                .fine();
        assert_eq!(said.json()["sdk_version"], version.as_str(), "{crate_name}");
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |name: &str, more: &[&str]| {
        Ran::run(Command::new(symbolon()).args(["handler", "new"]).arg(folder.path().join(name)).args(more), "").refused()
    };
    assert!(refused("9lives", &[]).contains("no name for a crate"));
    fs::create_dir(folder.path().join("taken")).expect("a folder");
    assert!(refused("taken", &[]).contains("cannot be written"));
    assert!(refused("x", &["--sdk-path", "/nowhere/at/all"]).contains("/nowhere/at/all"));
    let both = Ran::run(Command::new(symbolon()).args(["handler", "new", "x", "--sdk-path", ".", "--sdk-version", "1"]), "");
    assert_eq!(both.code, 2, "{both:?}");
}
