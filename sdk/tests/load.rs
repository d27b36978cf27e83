//! Opens real handler libraries: the example of this crate, and files that must be refused.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use symbolon_sdk::host::{Checked, Configured, Described, Found, HandlerFault, HostError, Opened, find, set_log};
use symbolon_sdk::log::Level;
use symbolon_sdk::testing::TestRequest;
use symbolon_sdk::{Execution, SDK_VERSION, json};
use tempfile::TempDir;

/// A library that cargo builds beside this test, from an example of this crate.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join(format!("examples/lib{name}.so"));
    assert!(path.exists(), "{} is missing: run all tests of symbolon-sdk, so that cargo builds its examples", path.display());
    path
}

fn minimal() -> PathBuf {
    example("minimal")
}

/// A private copy, since cargo's own folder may be writable by whomever.
fn copy(folder: &TempDir) -> PathBuf {
    copy_of(&minimal(), folder)
}

fn copy_of(library: &Path, folder: &TempDir) -> PathBuf {
    let path = folder.path().join(library.file_name().unwrap());
    fs::copy(library, &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    path
}

fn open(found: &Found) -> Result<Opened, HostError> {
    found.read().and_then(Checked::keep).and_then(|library| library.open())
}

fn described(path: &Path) -> Described {
    open(&Found::at(path)).unwrap().describe().unwrap()
}

fn configured(path: &Path) -> Configured {
    described(path).configure(&BTreeMap::from([("example.minimal.enable".to_owned(), "true".to_owned())])).unwrap()
}

fn refusal(path: &Path) -> HostError {
    let error = open(&Found::at(path)).unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() < 400, "not one sentence: {text}");
    error
}

#[test]
fn the_example_goes_all_the_way() {
    let folder = tempfile::tempdir().unwrap();
    copy(&folder);
    let found = find(folder.path()).unwrap();
    assert_eq!(found.len(), 1);
    let handler = open(&found[0]).unwrap().describe().unwrap();
    let said = handler.description();
    assert_eq!((said.name.as_str(), said.version.as_str(), said.prefix.as_str()), ("Minimal", "1.0.0", "example.minimal."));
    assert_eq!((said.execution, said.sdk_version.as_str()), (Execution::Inline, SDK_VERSION));
    assert_eq!(said.properties, ["enable"]);
    assert!(said.owns("example.minimal.x") && !said.owns("example.other.x"));

    assert!(!handler.configure(&BTreeMap::new()).unwrap().enabled());
    let asked = handler.configure(&BTreeMap::from([("example.minimal.enable".to_owned(), "true".to_owned())])).unwrap();
    assert!(asked.enabled());
    let allowed = TestRequest::new().requested_scope("openid device_sso email payroll").ask(&asked).unwrap();
    assert_eq!(allowed.scope, ["openid", "device_sso", "email"]);
    assert_eq!(allowed.claims.names, ["email", "email_verified"]);
    assert_eq!(allowed.access_token.lifetime, Some(Duration::from_mins(10)));
    match TestRequest::new().requested_scope("openid payment").ask(&asked) {
        Err(HandlerFault::Refused(error)) => {
            assert_eq!(error.code(), "interaction_required");
            assert_eq!(error.members().get("scope"), Some(&json!("payment")));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_libraries_are_two_and_one_handler_serves_many_threads() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) = (copy(&one), copy(&other));
    assert_eq!(described(&one).description().path, one);
    assert_eq!(described(&other).description().path, other);
    let handler = Arc::new(configured(&one));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let handler = Arc::clone(&handler);
            thread::spawn(move || (0..500).all(|_| TestRequest::new().ask(&handler).is_ok()))
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
}

static LINES: Mutex<Vec<(Level, String, String)>> = Mutex::new(Vec::new());

#[test]
fn panics_and_log_lines_of_a_library_reach_the_server_and_not_standard_error() {
    set_log(|level, handler, message| {
        LINES.lock().unwrap().push((level, handler.to_owned(), message.to_owned()));
    });
    let folder = tempfile::tempdir().unwrap();
    let handler = described(&copy_of(&example("unruly"), &folder)).configure(&BTreeMap::new()).unwrap();
    let ask = |scope: &str| TestRequest::new().requested_scope(scope).ask(&handler);
    match ask("panic") {
        Err(HandlerFault::Panicked(message)) => {
            assert!(message.starts_with("in a call (") && message.contains("unruly.rs:"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(ask("thread openid").unwrap().scope, ["openid"]);
    let lines = LINES.lock().unwrap();
    let lines: Vec<_> = lines.iter().filter(|(_, handler, _)| handler == "Unruly").collect();
    assert_eq!((lines[0].0, lines[0].2.as_str()), (Level::Info, "configured"));
    assert_eq!(lines[1].0, Level::Error);
    assert!(lines[1].2.starts_with("a thread of the handler panicked: in a thread ("), "{}", lines[1].2);
    assert_eq!(lines.len(), 2);
}

#[test]
fn what_is_cut_off_empty_or_text_is_refused_before_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = copy(&folder);
    let whole = fs::read(&path).unwrap();
    for size in [0, 40, 64, 4096, 100_000, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..size]).unwrap();
        assert!(matches!(refusal(&path), HostError::NotALibrary { .. }), "{size} bytes");
    }
    fs::write(&path, "#!/bin/sh\necho this is a text file that somebody named .so by mistake, longer than a header\n").unwrap();
    assert!(matches!(refusal(&path), HostError::NotALibrary { .. }));
    assert!(matches!(refusal(&folder.path().join("missing.so")), HostError::Unreadable { .. }));
    assert!(matches!(refusal(folder.path()), HostError::NotALibrary { .. }));
}

#[test]
fn a_library_that_is_no_handler_is_not_opened() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(|path| path.contains("libc.so") || path.contains("libc-"));
    assert!(matches!(refusal(Path::new(libc.unwrap())), HostError::NotAHandler { .. }));
}

#[test]
fn what_everybody_may_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = copy(&folder);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(refusal(&path), HostError::Writable { path: path.clone(), mode: 0o666 });
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();

    let linked = tempfile::tempdir().unwrap();
    let link = linked.path().join("link.so");
    symlink(&path, &link).unwrap();
    assert_eq!(described(&link).name(), "Minimal");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(refusal(&link), HostError::Writable { mode: 0o777, .. }));
}

#[test]
fn a_foreign_abi_and_an_aborting_build_are_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = copy(&folder);
    let whole = fs::read(&path).unwrap();
    let stamp = whole.windows(16).position(|bytes| bytes == b"symbolon-handler").unwrap();
    let patched = |change: &dyn Fn(&mut [u8])| {
        let mut bytes = whole.clone();
        change(&mut bytes[stamp..stamp + 64]);
        fs::write(&path, bytes).unwrap();
        refusal(&path).to_string()
    };

    let newer = patched(&|stamp| {
        stamp[16] = 2;
        stamp[24..29].copy_from_slice(b"2.3.4");
    });
    assert_eq!(
        newer,
        format!(
            "{} speaks handler ABI 2 (SDK 2.3.4) and this server ABI 1 (SDK {SDK_VERSION}): rebuild it with symbolon-sdk {SDK_VERSION}, or run a server of its release",
            path.display()
        )
    );
    assert!(patched(&|stamp| stamp[20] = 0).contains("panic = \"abort\""));
    assert!(patched(&|stamp| stamp[0] = b'S').contains("no Symbolon handler"));
}

#[test]
fn an_older_sdk_of_the_same_major_is_taken_and_a_newer_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = copy(&folder);
    let whole = fs::read(&path).unwrap();
    let stamp = whole.windows(16).position(|bytes| bytes == b"symbolon-handler").unwrap();
    let stamped = |version: &str| {
        let mut bytes = whole.clone();
        bytes[stamp + 24..stamp + 64].fill(0);
        bytes[stamp + 24..stamp + 24 + version.len()].copy_from_slice(version.as_bytes());
        fs::write(&path, bytes).unwrap();
    };
    for version in ["1.999.0", "2.0.0"] {
        stamped(version);
        assert_eq!(
            refusal(&path).to_string(),
            format!(
                "{} was built with SDK {version}, which is newer than this server's SDK {SDK_VERSION}: rebuild it with symbolon-sdk {SDK_VERSION}, \
                 or update the server",
                path.display()
            )
        );
    }
    for version in ["0.9.9", "strange"] {
        stamped(version);
        assert!(matches!(refusal(&path), HostError::OlderSdk { .. }), "{version}");
    }
    // A patch changes nothing that crosses.
    let mut newer_patch = SDK_VERSION.rsplit_once('.').unwrap().0.to_owned();
    newer_patch.push_str(".99");
    for version in ["1.0.0", &newer_patch] {
        stamped(version);
        assert_eq!(described(&path).description().sdk_version, version);
    }
}

#[test]
fn what_happens_to_the_file_later_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = copy(&folder);
    let handler = configured(&path);
    let whole = fs::read(&path).unwrap();
    // In place, as `cp` does it: a mapped file would change under the handler's feet.
    fs::write(&path, vec![0; whole.len()]).unwrap();
    assert!(TestRequest::new().ask(&handler).is_ok());
    assert!(matches!(refusal(&path), HostError::NotALibrary { .. }));
    // Another library under the same name is another handler, at once.
    fs::write(&path, fs::read(example("unruly")).unwrap()).unwrap();
    assert_eq!(described(&path).name(), "Unruly");
    fs::remove_file(&path).unwrap();
    assert!(TestRequest::new().ask(&handler).is_ok());
}

#[test]
fn it_exports_the_stamp_and_the_header_only() {
    // Part of binutils, like the linker that made the library.
    let output = std::process::Command::new("nm").args(["-D", "--defined-only"]).arg(minimal()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().last()).collect();
    names.sort_unstable();
    assert_eq!(names, ["_1as_0lib_1header_0root_bmodule_bloader", "symbolon_handler_stamp"]);
}
