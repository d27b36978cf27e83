//! The house itself: imports go downward, each outside crate has one owner, names say what they mean, files stay small.
//! Reads the tree, starts nothing.

use std::path::{Path, PathBuf};

use crate::harness::binaries::repository;

/// The rooms of the server from the cellar to the roof: a room may import its own and earlier ones.
const FLOORS: [&str; 16] = [
    "foundation",
    "protocol",
    "settings",
    "telemetry",
    "storage",
    "outbound",
    "network",
    "audit",
    "tokens",
    "clients",
    "accounts",
    "sessions",
    "issuance",
    "grants",
    "http",
    "cli",
];

/// What only these places of the server may name.
const OWNERS: [(&str, &[&str]); 32] = [
    ("actix_web", &["http"]),
    ("actix_cors", &["http"]),
    // Also a log target, by its name.
    ("actix_http", &["http", "telemetry/init", "settings/leaves"]),
    ("askama", &["http"]),
    ("clap", &["cli"]),
    ("redb", &["storage/embedded"]),
    ("redis", &["storage/redis"]),
    ("crc32fast", &["storage"]),
    ("maxminddb", &["network"]),
    ("jsonwebtoken", &["tokens"]),
    ("jose_rs", &["tokens"]),
    ("x509_cert", &["tokens"]),
    ("argon2", &["accounts"]),
    ("totp_rs", &["accounts"]),
    ("qrcode", &["http"]),
    ("toml", &["settings"]),
    ("java_properties", &["settings"]),
    ("humantime", &["settings", "foundation/clock"]),
    ("tracing_subscriber", &["telemetry"]),
    ("reqwest", &["cli", "outbound"]),
    ("symbolon_sdk", &["issuance", "cli"]),
    ("aws_lc_rs", &["foundation", "tokens"]),
    ("rustls_pki_types", &["foundation/certificates", "foundation/ed25519"]),
    ("rmp_serde", &["sessions", "storage/archive"]),
    ("rustix", &["issuance/handler/process", "storage/embedded"]),
    ("abi_stable", &[]),
    ("libloading", &[]),
    ("SystemTime::now", &["foundation/clock"]),
    ("getrandom", &["foundation/random"]),
    ("std::env::var", &["settings"]),
    ("env::vars", &["settings"]),
    // The signing interface of aws-lc-rs wants a source of randomness as a parameter.
    ("rand::", &["foundation/random", "tokens/keys"]),
];

/// Pure lists and whole contracts that may be longer than a page.
const LONG: [&str; 3] = ["server/src/settings/leaves.rs", "sdk/src/abi/mod.rs", "tests/it/floor_plan.rs"];

/// Drawers, not rooms.
const DRAWERS: [&str; 12] =
    ["util", "utils", "common", "helper", "helpers", "type", "types", "manager", "managers", "misc", "shared_code", "stuff"];

/// One source file.
struct Source {
    /// Path from the root of the repository, with slashes.
    path: String,
    text: String,
}

impl Source {
    /// The room of the server that the file is in.
    fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("server/src/")?;
        let name = inside.split('/').next()?;
        let room = name.strip_suffix(".rs").unwrap_or(name);
        FLOORS.contains(&room).then_some(room)
    }

    /// Lines of code with their numbers: no comments, and nothing from the tests at the end of the file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let of_tests = self.path.ends_with("/tests.rs") || self.path.contains("/tests/") || self.path.ends_with("conformance.rs");
        self.text
            .lines()
            .enumerate()
            .take_while(|(_, line)| line.trim() != "mod tests {")
            .filter(move |_| !of_tests)
            .map(|(n, line)| (n + 1, uncommented(line)))
            .filter(|(_, line)| !line.trim().is_empty())
    }
}

/// What stands behind each `crate::` of the line, also in braces.
fn rooms_named(line: &str) -> Vec<&str> {
    let word = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + 7..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(list.split(',').map(str::trim).map(|item| &item[..word(item)])),
            None => found.push(&rest[..word(rest)]),
        }
    }
    found
}

/// The line without its comment; `://` begins no comment.
fn uncommented(line: &str) -> &str {
    let mut from = 0;
    while let Some(at) = line[from..].find("//").map(|at| at + from) {
        if at == 0 || line.as_bytes()[at - 1] != b':' {
            return &line[..at];
        }
        from = at + 2;
    }
    line
}

/// Whether `name` stands in the line as the first segment of a path, as the name of a crate does.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        let joined = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joined(before)
            && !before.is_some_and(|c| c == '"' || c == '.' || c == ':')
            && (name.ends_with(':') || !joined(after))
            && (line[at + name.len()..].starts_with("::") || line.trim_start().starts_with("use ") || name.contains(':'))
    })
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if !["target", "node_modules", ".git", ".venv", "__pycache__"].contains(&name.to_string_lossy().as_ref()) {
                walk(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// All files below these folders, as paths from the root.
fn files(folders: &[&str]) -> Vec<(String, PathBuf)> {
    let root = repository();
    let mut found = Vec::new();
    for folder in folders {
        walk(&root.join(folder), &mut found);
    }
    let mut files: Vec<(String, PathBuf)> = found
        .into_iter()
        .map(|path| (path.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned(), path))
        .collect();
    files.sort();
    files
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let sources: Vec<Source> = files(folders)
        .into_iter()
        .filter(|(path, _)| Path::new(path).extension().is_some_and(|extension| extension == "rs"))
        .map(|(path, file)| Source { path, text: std::fs::read_to_string(file).expect("a source file") })
        .collect();
    assert!(!sources.is_empty(), "no source found below {}", repository().display());
    sources
}

#[track_caller]
fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn imports_go_downward() {
    let floor = |room: &str| FLOORS.iter().position(|own| *own == room);
    let mut upward = Vec::new();
    for source in sources(&["server/src"]) {
        let Some(room) = source.room() else { continue };
        for (n, line) in source.code() {
            for target in rooms_named(line) {
                if floor(target) > floor(room) {
                    upward.push(format!("{}:{n}: {room} imports {target}", source.path));
                }
            }
            if line.trim_end().ends_with("use crate::{") {
                upward.push(format!("{}:{n}: one `use` a room, so that this test can read it", source.path));
            }
        }
    }
    none("an import goes upward", &upward);
}

#[test]
fn every_outside_name_has_one_owner() {
    let mut strangers = Vec::new();
    for source in sources(&["server/src"]) {
        let place = source.path.trim_start_matches("server/src/").trim_end_matches(".rs").to_owned();
        for (n, line) in source.code() {
            for (name, owners) in OWNERS {
                let owned = owners.iter().any(|owner| place == *owner || place.starts_with(&format!("{owner}/")));
                if !owned && names(line, name) {
                    strangers.push(format!("{}:{n}: {name} belongs to {owners:?}", source.path));
                }
            }
        }
    }
    none("an outside name is used outside its room", &strangers);
}

#[test]
fn unsafe_code_is_in_the_sdk_alone() {
    let mut found = Vec::new();
    // Two handlers of the tests must be as bad as code can be.
    let hostile = |path: &str| ["tests/plugins/hostile/", "tests/plugins/unbound/"].iter().any(|folder| path.starts_with(folder));
    for source in
        sources(&["server/src", "plugins", "tests/it", "tests/plugins"]).into_iter().filter(|source| !hostile(&source.path))
    {
        for (n, line) in source.code() {
            if word(line, "unsafe") && !line.contains('"') {
                found.push(format!("{}:{n}: {line}", source.path));
            }
        }
    }
    none("unsafe outside the SDK", &found);
    for path in [
        "server/src/lib.rs",
        "plugins/local-device-sso/src/lib.rs",
        "plugins/acr-step-up/src/lib.rs",
        "plugins/webhook/src/lib.rs",
        "plugins/network-mismatch/src/lib.rs",
    ] {
        let text = std::fs::read_to_string(repository().join(path)).expect("a crate");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{path}");
    }
}

#[test]
fn no_drawers() {
    let found: Vec<String> = files(&["server", "sdk", "plugins", "tests", "scripts"])
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.split('/').any(|part| DRAWERS.contains(&part.split('.').next().unwrap_or_default())))
        .collect();
    none("a drawer instead of a room", &found);
}

#[test]
fn files_fit_in_the_head() {
    let found: Vec<String> = sources(&["server/src", "sdk/src", "plugins", "tests"])
        .into_iter()
        .filter(|source| !LONG.contains(&source.path.as_str()))
        .filter(|source| source.text.lines().count() > 400)
        .map(|source| format!("{}: {} lines", source.path, source.text.lines().count()))
        .collect();
    none("a file is longer than 400 lines: split it by noun", &found);
}

#[test]
fn every_file_says_what_it_owns() {
    let found: Vec<String> = sources(&["server/src", "sdk/src", "plugins", "tests"])
        .into_iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path)
        .collect();
    none("a file begins without `//!`", &found);
}

#[test]
fn crates_depend_in_one_direction() {
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let root = repository();
    let server = read(&root.join("server/Cargo.toml"));
    assert!(server.contains("symbolon-sdk"));
    assert!(!server.contains("local-device-sso"), "the server never depends on a plugin");
    assert!(!read(&root.join("sdk/Cargo.toml")).contains("path = \"../server\""));
    let mut found = Vec::new();
    for (path, file) in files(&["plugins", "tests/plugins"]) {
        if path.ends_with("Cargo.toml") {
            let text = read(&file);
            if text
                .lines()
                .any(|line| line.starts_with("symbolon.") || line.starts_with("symbolon ") || line.starts_with("abi_stable"))
            {
                found.push(path);
            }
        }
    }
    none("a plugin depends on more than the SDK", &found);
}

#[test]
fn the_top_level_has_its_rooms_and_nothing_else() {
    let rooms = ["server", "sdk", "plugins", "config", "tests", "scripts", "target", ".ci", ".git", ".github", "var"];
    let found: Vec<String> = std::fs::read_dir(repository())
        .expect("the repository")
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !rooms.contains(&name.as_str()))
        .collect();
    none("a folder that the plan does not know", &found);
}

/// The audit codes as they are declared: the name in the code and the name in the log.
fn audit_codes(list: &Source) -> Vec<(&str, &str)> {
    let codes = list.text.lines().filter_map(|line| {
        let (name, rest) = line.trim().split_once(" = \"")?;
        let (id, meaning) = rest.split_once("\": \"")?;
        (name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') && !meaning.is_empty()).then_some((name, id))
    });
    codes.collect()
}

#[test]
fn every_audit_code_is_emitted_and_tested() {
    let server = sources(&["server/src"]);
    let list = server.iter().find(|source| source.path.ends_with("telemetry/codes.rs")).expect("the list of codes");
    let codes = audit_codes(list);
    assert!(codes.len() > 50, "the list is read: {codes:?}");
    // The list itself gives token requests their codes.
    let gives = |line: &str, name: &str| !line.contains(&format!("{name} = \"")) && word(line, name);
    let emitted = |name: &str| {
        let elsewhere = server.iter().filter(|source| source.path != list.path);
        elsewhere.flat_map(Source::code).any(|(_, line)| word(line, name) && line.contains("codes::"))
            || list.code().any(|(_, line)| gives(line, name))
    };
    let missing: Vec<String> = codes.iter().filter(|(name, _)| !emitted(name)).map(|(name, id)| format!("{id} {name}")).collect();
    none("an audit code that nothing emits", &missing);
    let tests = sources(&["tests/it"]);
    let tested = |id: &str| tests.iter().any(|source| source.text.contains(&format!("{id}\"")));
    let missing: Vec<String> = codes.iter().filter(|(_, id)| !tested(id)).map(|(name, id)| format!("{id} {name}")).collect();
    none("an audit code that no whole-server test asks for", &missing);
}

/// Whether `name` stands in the line as a whole word.
fn word(line: &str, name: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

#[test]
fn the_reader_reads() {
    assert!(names("use redb::Database;", "redb") && names("let x = redb::open();", "redb"));
    assert!(!names("use crate::storage::redis::Redis;", "redis") && !names("redis://host", "redis"));
    assert!(!names("let credb = 1;", "redb") && !names("use crate::predb::x;", "redb"));
    assert_eq!(rooms_named("use crate::{http::serve, cli}; crate::tokens::x()"), ["http", "cli", "tokens"]);
    assert_eq!(uncommented("let a = \"http://b\"; // c"), "let a = \"http://b\"; ");
    assert_eq!(uncommented("/// redb::Database"), "");
}
