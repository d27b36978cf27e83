//! `[handlers]`: where device-SSO handlers come from, which are trusted, and how they are run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// `[handlers]`
#[derive(Debug, Clone)]
pub struct Handlers {
    /// `handlers.folder`: where `.so` files are looked for; `None` = no handlers. Relative to the settings file.
    pub folder: Option<PathBuf>,
    /// The merged properties of all `handlers.properties` files, environment and `-D`, each with where it came from.
    pub properties: BTreeMap<String, Property>,
    /// `handlers.deadline`, default 2s: the longest a handler may take for one decision.
    pub deadline: Duration,
    /// `handlers.start_deadline`, default 10s: the longest it may take to be opened, described and configured.
    pub start_deadline: Duration,
    /// `handlers.watch`: how often folder and properties files are looked at; `None` (`"never"`, the default) = not at all.
    pub watch: Option<Duration>,
    /// `handlers.threads`, default 16: calls of one handler at once, with isolation `pool`.
    pub threads: usize,
    /// `handlers.processes`, default 2: processes of one handler, with isolation `process`.
    pub processes: usize,
    /// `handlers.memory` in bytes, default 256 MiB: what such a process may take beyond what it starts with.
    pub memory: u64,
    /// `handlers.shadow` with `handlers.shadow_properties`.
    pub shadow: Option<Shadow>,
    /// `handlers.trusted_digests`: SHA-256 in lower-case hex; empty = not pinned.
    pub trusted_digests: Vec<String>,
    /// `handlers.trusted_keys`: PEM files; empty = signatures are not asked for.
    pub trusted_keys: Vec<PathBuf>,
    /// `handlers.audiences`: what access tokens of an exchange may be for, beside the issuer and the requested resources; empty = anything.
    pub audiences: Vec<String>,
    /// `handlers.properties` and `handlers.shadow_properties`: the files to watch.
    pub files: Vec<PathBuf>,
}

/// A handler that is asked without effect.
#[derive(Debug, Clone)]
pub struct Shadow {
    /// Its name.
    pub name: String,
    /// The properties that it is configured with.
    pub properties: BTreeMap<String, Property>,
}

/// How one handler is run: what its own properties `isolation…` say, else what the settings say for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isolation {
    /// Where its code runs.
    pub mode: IsolationMode,
    /// The longest for one decision.
    pub deadline: Duration,
    /// Calls at once, in a pool.
    pub threads: usize,
    /// Processes, in processes.
    pub processes: usize,
    /// Bytes for each process beyond what it starts with.
    pub memory: u64,
}

/// Where a handler's code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationMode {
    /// On the server's own worker.
    Inline,
    /// In the server's process on a bounded number of threads.
    Pool,
    /// In processes of its own.
    Process,
}

impl IsolationMode {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Pool => "pool",
            Self::Process => "process",
        }
    }
}

/// One handler property and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The value, as written, trimmed.
    pub value: String,
    /// `file:line`, environment name or `-D name`.
    pub place: String,
}
