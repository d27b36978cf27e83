//! A library that has said what it is, and what comes of handing it its properties.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use abi_stable::std_types::{RResult, RSlice, RStr, Tuple2};
use serde::{Deserialize, Serialize};

use super::configured::{Inner, Object};
use super::{Configured, HostError, log};
use crate::abi::handler::ConfigureRefusal;
use crate::abi::module::{HandlerModuleRef, POST_LOGIN_ACTION};
use crate::abi::sink::LogSink;
use crate::{ACTION_PREFIX, Execution, Finding};

/// A handler that can be configured, any number of times. Cheap to clone.
#[derive(Clone)]
pub struct Described {
    description: Arc<Description>,
    module: HandlerModuleRef,
}

/// What a library says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The SDK it was built with.
    pub sdk_version: String,
    /// What its property names begin with, dot included.
    pub prefix: String,
    /// One sentence about it, or empty.
    pub about: String,
    /// How its calls are to be run.
    pub execution: Execution,
    /// The names it declares, without the prefix; `.*` at the end stands for all below.
    pub properties: Vec<String>,
    /// What it is for.
    #[serde(default)]
    pub kind: Kind,
    /// Where it was read.
    pub path: PathBuf,
}

/// What a library is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A device-SSO handler: decides token exchanges.
    #[default]
    DeviceSso,
    /// A post-login action: judges sign-ins.
    PostLogin,
}

/// The names below every handler's prefix that are the server's own, with all names below them.
const OF_THE_SERVER: &str = "isolation";
/// The same of an action: when it is asked.
pub const ORDER: &str = "order";

impl Description {
    /// Whether it can be shown, logged and told apart.
    ///
    /// # Errors
    /// [`HostError::BadDescription`]
    pub fn check(&self) -> Result<(), HostError> {
        let bad = |what: &str| Err(HostError::BadDescription { path: self.path.clone(), what: what.to_owned() });
        let printable = |text: &str| !text.is_empty() && text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable(&self.name) {
            return bad("its name is empty or has spaces");
        }
        if !printable(&self.version) {
            return bad("its version is empty or has spaces");
        }
        if !printable(&self.prefix) || !self.prefix.ends_with('.') || self.prefix.len() < 2 {
            return bad("its property prefix is empty or does not end with a dot");
        }
        let below = self.prefix.strip_prefix(ACTION_PREFIX);
        // One word, so that no action's names are among another's, where a library that is missing would not be missed.
        let is_one_word = |below: &str| below.find('.').is_some_and(|dot| dot > 0 && dot + 1 == below.len());
        if self.kind == Kind::PostLogin && !below.is_some_and(is_one_word) {
            return bad("it is a post-login action, and its property prefix is not op.postLoginAction., one word and a dot");
        }
        if self.kind == Kind::DeviceSso && below.is_some() {
            return bad(
                "it is a device-SSO handler, and its property prefix begins with op.postLoginAction., as those of actions do",
            );
        }
        if self.about.chars().count() > 200 || self.about.chars().any(char::is_control) {
            return bad("what it says about itself is longer than 200 characters or has line breaks");
        }
        if !self.properties.iter().all(|name| printable(name)) {
            return bad("a property name is empty or has spaces");
        }
        if self.properties.iter().any(|name| is_of_the_server(name)) {
            return bad("it declares the property isolation, which is the server's");
        }
        if self.kind == Kind::PostLogin && self.properties.iter().any(|name| name == ORDER) {
            return bad("it declares the property order, which is the server's");
        }
        Ok(())
    }

    /// Whether a property with this full name is one of its own, declared or not, or one by which the server runs it.
    #[must_use]
    pub fn owns(&self, key: &str) -> bool {
        key.starts_with(&self.prefix)
    }

    /// Whether a property could be one of either's: one prefix begins with the other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.owns(&other.prefix) || other.owns(&self.prefix)
    }
}

/// Whether the name below a prefix says how the server runs the handler.
fn is_of_the_server(name: &str) -> bool {
    name.strip_prefix(OF_THE_SERVER).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl fmt::Debug for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.description.fmt(f)
    }
}

impl Described {
    pub(super) fn new(path: PathBuf, sdk_version: String, module: HandlerModuleRef) -> Result<Self, HostError> {
        let description = Description {
            name: told(module.name()),
            version: told(module.version()),
            sdk_version,
            prefix: told(module.prefix()),
            about: module.about().map(told).unwrap_or_default(),
            // A kind that is newer than this server is treated as the one that may wait.
            execution: if module.execution() == 0 { Execution::Inline } else { Execution::Blocking },
            properties: module.properties().iter().map(|name| told(*name)).collect(),
            kind: if module.kind() == Some(POST_LOGIN_ACTION) { Kind::PostLogin } else { Kind::DeviceSso },
            path,
        };
        description.check()?;
        module.attach_log()(LogSink(log::forward));
        Ok(Self { description: Arc::new(description), module })
    }

    /// A handler that is linked into this program, behind the same boundary. Panics in it are contained, but also printed by this program's
    /// own panic hook.
    ///
    /// # Errors
    /// [`HostError::BadDescription`].
    #[cfg(feature = "testing")]
    pub fn linked_in<H: crate::DeviceSsoHandler>() -> Result<Self, HostError> {
        Self::new(PathBuf::from("(linked in)"), crate::SDK_VERSION.to_owned(), crate::abi::module::module::<H>())
    }

    /// The same for an action.
    ///
    /// # Errors
    /// [`HostError::BadDescription`].
    #[cfg(feature = "testing")]
    pub fn action_linked_in<A: crate::PostLoginAction>() -> Result<Self, HostError> {
        Self::new(PathBuf::from("(linked in)"), crate::SDK_VERSION.to_owned(), crate::abi::module::action_module::<A>())
    }

    /// What it says it is.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// Makes an instance from full property names and their values. Those without the handler's prefix are left out, so the whole map may be
    /// given; those below it that the handler does not declare become findings.
    ///
    /// # Errors
    /// Everything that is wrong with the properties, at once, or the message of a panic.
    pub fn configure(&self, properties: &BTreeMap<String, String>) -> Result<Configured, ConfigureFailure> {
        let prefix = &self.description.prefix;
        let is_action = self.description.kind == Kind::PostLogin;
        let is_own = |name: &str| !(is_of_the_server(name) || is_action && name == ORDER);
        let own = properties.iter().filter(|(key, _)| key.strip_prefix(prefix.as_str()).is_some_and(is_own));
        let pairs: Vec<_> = own.map(|(key, value)| Tuple2(RStr::from(key.as_str()), RStr::from(value.as_str()))).collect();
        let pairs = RSlice::from_slice(&pairs);
        let made = match self.module.configure_action().filter(|_| is_action) {
            Some(configure) => configure(pairs).map(Object::Action),
            None => self.module.configure()(pairs).map(Object::Handler),
        };
        let object = match made {
            RResult::ROk(object) => object,
            RResult::RErr(refusal) => return Err(ConfigureFailure::from(refusal)),
        };
        let enabled = match &object {
            Object::Handler(handler) => handler.enabled(),
            Object::Action(action) => action.enabled(),
        };
        match enabled {
            RResult::ROk(enabled) => Ok(Configured::new(Inner { described: self.clone(), enabled, object })),
            RResult::RErr(message) => Err(ConfigureFailure::Panicked(told(message.as_rstr()))),
        }
    }
}

/// A handler could not be configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ConfigureFailure {
    /// What is wrong, for the operator.
    #[error("{}", sentences(message.as_deref(), findings))]
    Refused {
        /// The handler's own sentence, if it had one.
        message: Option<String>,
        /// The properties that are wrong, with full names.
        findings: Vec<Finding>,
    },
    /// The handler panicked: a mistake in it.
    #[error("the handler panicked while it was configured: {0}")]
    Panicked(String),
}

impl From<ConfigureRefusal> for ConfigureFailure {
    fn from(refusal: ConfigureRefusal) -> Self {
        if refusal.panicked {
            return Self::Panicked(told(refusal.message.as_rstr()));
        }
        let findings = refusal.findings.iter().map(|record| Finding {
            key: told(record.key.as_rstr()),
            seen: told(record.seen.as_rstr()),
            expected: told(record.expected.as_rstr()),
            remedy: told(record.remedy.as_rstr()),
        });
        let message = Some(told(refusal.message.as_rstr())).filter(|message| !message.is_empty());
        Self::Refused { message, findings: findings.collect() }
    }
}

/// What a library tells operators: bytes that are no text, which only unsafe code can send, are replaced.
pub(super) fn told(text: RStr<'_>) -> String {
    printable(&String::from_utf8_lossy(text.as_str().as_bytes()))
}

/// The longest that a library may tell at a time, in bytes.
const LONGEST: usize = 4096;

/// Text as it can be printed in one line: control characters are written out, so that no line ends before its end, and what is longer
/// than 4096 bytes is cut.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LONGEST));
    for character in text.chars() {
        if line.len() >= LONGEST {
            return format!("{line}… ({} bytes)", text.len());
        }
        // Line and paragraph separators end a line, too, where a log is looked at.
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

fn sentences(message: Option<&str>, findings: &[Finding]) -> String {
    let mut lines: Vec<String> = message.map(str::to_owned).into_iter().collect();
    lines.extend(findings.iter().map(ToString::to_string));
    if lines.is_empty() { "the handler refused its configuration without a reason".to_owned() } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_prefix(kind: Kind, prefix: &str) -> Description {
        Description {
            name: "Test".to_owned(),
            version: "1".to_owned(),
            sdk_version: "1.0.0".to_owned(),
            prefix: prefix.to_owned(),
            about: String::new(),
            execution: Execution::Inline,
            properties: Vec::new(),
            kind,
            path: PathBuf::new(),
        }
    }

    #[test]
    fn the_names_of_actions_are_theirs_alone() {
        for (kind, prefix, fine) in [
            (Kind::PostLogin, "op.postLoginAction.mine.", true),
            (Kind::PostLogin, "op.postLoginAction.", false),
            (Kind::PostLogin, "op.postLoginAction..", false),
            (Kind::PostLogin, "op.postLoginAction.mine.inner.", false),
            (Kind::PostLogin, "op.postLoginAction..mine.", false),
            (Kind::PostLogin, "mine.", false),
            (Kind::DeviceSso, "mine.", true),
            (Kind::DeviceSso, "op.postLoginAction.mine.", false),
            (Kind::DeviceSso, "op", false),
        ] {
            assert_eq!(with_prefix(kind, prefix).check().is_ok(), fine, "{kind:?} {prefix}");
        }
    }

    #[test]
    fn no_property_can_belong_to_two() {
        let of = |prefix| with_prefix(Kind::DeviceSso, prefix);
        let outer = of("handlers.a.");
        assert!(outer.overlaps(&of("handlers.a.b.")) && of("handlers.a.b.").overlaps(&outer));
        assert!(outer.overlaps(&outer) && !outer.overlaps(&of("handlers.ab.")));
    }
}
