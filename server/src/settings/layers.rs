//! The layers of settings: built-in < settings file < environment < `-D`. Keeps for each setting the strongest value and
//! where it was written, and collects everything that is wrong on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::finding::Finding;
use super::kind::Kind;
use super::leaves::{LEAVES, Leaf};
use super::meaning::{Issuer, Network};
use super::nearest::nearest;
use super::value::{Mismatch, OUT_OF_RANGE, Raw, UNREADABLE, Value};

/// Which layer a value comes from; a later one is stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The list of settings itself.
    BuiltIn,
    /// The settings file, or a handler properties file.
    File,
    /// The environment.
    Environment,
    /// `-D name=value`.
    Override,
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The layer.
    pub layer: Layer,
    /// `built-in`, `file:line`, an environment name or `-D name`.
    pub place: String,
}

impl Origin {
    pub(super) fn new(layer: Layer, place: impl Into<String>) -> Self {
        Self { layer, place: place.into() }
    }
}

#[derive(Debug)]
struct Entry {
    value: Value,
    origin: Origin,
}

/// The layers laid so far.
#[derive(Debug)]
pub(super) struct Layers {
    entries: BTreeMap<&'static str, Entry>,
    wrong: BTreeSet<&'static str>,
    /// Everything that is wrong so far.
    pub(super) findings: Vec<Finding>,
    /// Whether something was wrong that may have said which handler libraries there are and which of them are trusted.
    pub(super) handlers_in_doubt: bool,
    folder: PathBuf,
}

impl Layers {
    /// The built-in layer. Relative paths of the settings file are taken from `folder`.
    pub(super) fn built_in(folder: &Path) -> Self {
        let mut layers = Self {
            entries: BTreeMap::new(),
            wrong: BTreeSet::new(),
            findings: Vec::new(),
            handlers_in_doubt: false,
            folder: folder.to_owned(),
        };
        for leaf in LEAVES {
            layers.offer(leaf, &Raw::Shell(leaf.default.to_owned()), Origin::new(Layer::BuiltIn, "built-in"));
        }
        layers
    }

    /// Adds a finding.
    pub(super) fn find(
        &mut self,
        id: &'static str,
        place: &str,
        seen: impl Into<String>,
        expected: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.findings.push(Finding {
            id,
            place: place.to_owned(),
            seen: seen.into(),
            expected: expected.into(),
            remedy: remedy.into(),
        });
    }

    /// Notes that something named like this was not understood.
    pub(super) fn doubt(&mut self, name: &str) {
        let name = name.to_lowercase();
        self.handlers_in_doubt |= name.contains("trust") || name == "handlers.folder" || nearest(&name, ["handlers"]).is_some();
    }

    /// Lays a value over the weaker ones, or finds it wrong.
    pub(super) fn offer(&mut self, leaf: &'static Leaf, raw: &Raw, origin: Origin) {
        if leaf.secret && !matches!(origin.layer, Layer::BuiltIn | Layer::Environment) {
            let name = leaf.environment_name();
            self.find(
                "config.secret_in_the_open",
                &origin.place,
                format!("{} (value not shown)", leaf.key),
                format!("a secret in the environment as {name}, or in a file of its own named by {}_file", leaf.key),
                "take it out here; change the secret if others may have read it",
            );
            return;
        }
        // What stands in the file is meant from the file's folder; what a person types, from where they are.
        let base = if origin.layer <= Layer::File { self.folder.as_path() } else { Path::new("") };
        match leaf.kind.read(raw, base) {
            Ok(value) => {
                if self.entries.get(leaf.key).is_none_or(|entry| entry.origin.layer <= origin.layer) {
                    self.entries.insert(leaf.key, Entry { value, origin });
                }
            }
            Err(Mismatch { id, seen, remedy }) => {
                self.wrong.insert(leaf.key);
                self.doubt(leaf.key);
                self.find(id, &origin.place, format!("{} = {seen}", leaf.key), leaf.kind.expected(), remedy);
            }
        }
    }

    /// Lays the value of a Connect2id name, a number of seconds, over the setting that it means. Blank means not written.
    /// In files it wins over our own name; in the environment and on the command line ours wins.
    pub(super) fn offer_seconds(&mut self, alias: &str, leaf: &'static Leaf, text: &str, origin: Origin) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let Ok(seconds) = text.parse::<i64>() else {
            self.find(
                UNREADABLE,
                &origin.place,
                format!("{alias} = {text:?}"),
                "a whole number of seconds",
                "write digits only, without a unit",
            );
            return;
        };
        let never = matches!(leaf.kind, Kind::Duration { never: true, .. });
        let raw = if seconds <= 0 && never { "never".to_owned() } else { format!("{seconds}s") };
        match leaf.kind.read(&Raw::Text(raw), Path::new("")) {
            Ok(value) => {
                let current = self.entries.get(leaf.key).map_or(Layer::BuiltIn, |entry| entry.origin.layer);
                if current < origin.layer || (current == Layer::File && origin.layer == Layer::File) {
                    self.entries.insert(leaf.key, Entry { value, origin });
                }
            }
            Err(_) => self.find(
                OUT_OF_RANGE,
                &origin.place,
                format!("{alias} = {seconds}"),
                format!("a number of seconds: {}", leaf.kind.expected()),
                "write a number within that range, or leave it blank for the default",
            ),
        }
    }

    /// Where the value of a setting was written; `None` only for names that are no setting.
    pub(super) fn origin(&self, key: &str) -> Option<&Origin> {
        self.entries.get(key).map(|entry| &entry.origin)
    }

    /// Whether something was wrong with the setting, so that its value is not what the operator meant.
    pub(super) fn is_wrong(&self, key: &str) -> bool {
        self.wrong.contains(key)
    }

    /// The value of a setting as text.
    pub(super) fn show(&self, key: &str) -> Option<String> {
        self.entries.get(key).map(|entry| entry.value.show())
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.value(key)? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    pub(super) fn number<N: TryFrom<u64>>(&self, key: &str) -> Option<N> {
        match self.value(key)? {
            Value::Number(number) => N::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// A duration that may be "never".
    #[expect(clippy::option_option, reason = "outside: is there such a setting; inside: is it limited")]
    pub(super) fn limit(&self, key: &str) -> Option<Option<Duration>> {
        match self.value(key)? {
            Value::Span(span) => Some(*span),
            _ => None,
        }
    }

    /// A duration that may not.
    pub(super) fn span(&self, key: &str) -> Option<Duration> {
        self.limit(key)?
    }

    pub(super) fn address(&self, key: &str) -> Option<SocketAddr> {
        match self.value(key)? {
            Value::Address(address) => Some(*address),
            _ => None,
        }
    }

    pub(super) fn issuer(&self, key: &str) -> Option<Issuer> {
        match self.value(key)? {
            Value::Issuer(issuer) => Some(issuer.clone()),
            _ => None,
        }
    }

    /// A path that may be not set.
    #[expect(clippy::option_option, reason = "outside: is there such a setting; inside: is it set")]
    pub(super) fn path(&self, key: &str) -> Option<Option<PathBuf>> {
        match self.value(key)? {
            Value::Path(path) => Some(path.clone()),
            _ => None,
        }
    }

    pub(super) fn paths(&self, key: &str) -> Option<Vec<PathBuf>> {
        match self.value(key)? {
            Value::Paths(paths) => Some(paths.clone()),
            _ => None,
        }
    }

    pub(super) fn texts(&self, key: &str) -> Option<Vec<String>> {
        match self.value(key)? {
            Value::Texts(texts) => Some(texts.clone()),
            _ => None,
        }
    }

    pub(super) fn networks(&self, key: &str) -> Option<Vec<Network>> {
        match self.value(key)? {
            Value::Networks(networks) => Some(networks.clone()),
            _ => None,
        }
    }
}
