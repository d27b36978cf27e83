//! A library that has said what it is, and what comes of handing it its properties.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use abi_stable::std_types::{RResult, RSlice, RStr, Tuple2};

use super::configured::Inner;
use super::{Configured, HostError, log};
use crate::abi::handler::ConfigureRefusal;
use crate::abi::module::HandlerModuleRef;
use crate::abi::sink::LogSink;
use crate::properties::is_declared;
use crate::{Execution, Finding};

/// A handler that can be configured, any number of times. Cheap to clone.
#[derive(Clone)]
pub struct Described {
    about: Arc<About>,
    module: HandlerModuleRef,
}

#[derive(Debug)]
struct About {
    path: PathBuf,
    sdk_version: String,
    name: String,
    version: String,
    prefix: String,
    execution: Execution,
    property_names: Vec<String>,
}

impl fmt::Debug for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.about.fmt(f)
    }
}

impl Described {
    pub(super) fn new(path: PathBuf, sdk_version: String, module: HandlerModuleRef) -> Result<Self, HostError> {
        let name = module.name().as_str();
        let version = module.version().as_str();
        let prefix = module.prefix().as_str();
        let bad = |what: &str| HostError::BadDescription { path: path.clone(), what: what.to_owned() };
        let printable = |text: &str| !text.is_empty() && text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable(name) {
            return Err(bad("its name is empty or has spaces"));
        }
        if !printable(version) {
            return Err(bad("its version is empty or has spaces"));
        }
        if !printable(prefix) || !prefix.ends_with('.') || prefix.len() < 2 {
            return Err(bad("its property prefix is empty or does not end with a dot"));
        }
        let about = About {
            path,
            sdk_version,
            name: name.to_owned(),
            version: version.to_owned(),
            prefix: prefix.to_owned(),
            // A kind that is newer than this server is treated as the one that may wait.
            execution: if module.execution() == 0 { Execution::Inline } else { Execution::Blocking },
            property_names: module.properties().iter().map(|name| name.as_str().to_owned()).collect(),
        };
        module.attach_log()(LogSink(log::forward));
        Ok(Self { about: Arc::new(about), module })
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

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// Its own version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.about.version
    }

    /// What its property names begin with, dot included.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.about.prefix
    }

    /// How its calls are to be run.
    #[must_use]
    pub fn execution(&self) -> Execution {
        self.about.execution
    }

    /// The names it declares, without the prefix; `.*` at the end stands for all below.
    #[must_use]
    pub fn property_names(&self) -> &[String] {
        &self.about.property_names
    }

    /// The SDK it was built with.
    #[must_use]
    pub fn sdk_version(&self) -> &str {
        &self.about.sdk_version
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.about.path
    }

    /// Whether a property with this full name is one of its own, declared or not.
    #[must_use]
    pub fn owns(&self, key: &str) -> bool {
        key.starts_with(self.prefix())
    }

    /// Whether a property with this full name is declared by it.
    #[must_use]
    pub fn declares(&self, key: &str) -> bool {
        let names: Vec<&str> = self.property_names().iter().map(String::as_str).collect();
        key.strip_prefix(self.prefix()).is_some_and(|name| is_declared(&names, name))
    }

    /// Makes an instance from full property names and their values. Those without the handler's prefix are left out, so the whole map may be
    /// given; those below it that the handler does not declare become findings.
    ///
    /// # Errors
    /// Everything that is wrong with the properties, at once, or the message of a panic.
    pub fn configure(&self, properties: &BTreeMap<String, String>) -> Result<Configured, ConfigureFailure> {
        let own = properties.iter().filter(|(key, _)| self.owns(key));
        let pairs: Vec<_> = own.map(|(key, value)| Tuple2(RStr::from(key.as_str()), RStr::from(value.as_str()))).collect();
        let object = match self.module.configure()(RSlice::from_slice(&pairs)) {
            RResult::ROk(object) => object,
            RResult::RErr(refusal) => return Err(ConfigureFailure::from(refusal)),
        };
        match object.enabled() {
            RResult::ROk(enabled) => Ok(Configured::new(Inner { described: self.clone(), enabled, object })),
            RResult::RErr(message) => Err(ConfigureFailure::Panicked(message.into_string())),
        }
    }
}

/// A handler could not be configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
            return Self::Panicked(refusal.message.into_string());
        }
        let findings = refusal.findings.into_iter().map(|record| Finding {
            key: record.key.into_string(),
            seen: record.seen.into_string(),
            expected: record.expected.into_string(),
            remedy: record.remedy.into_string(),
        });
        let message = Some(refusal.message.into_string()).filter(|message| !message.is_empty());
        Self::Refused { message, findings: findings.collect() }
    }
}

fn sentences(message: Option<&str>, findings: &[Finding]) -> String {
    let mut lines: Vec<String> = message.map(str::to_owned).into_iter().collect();
    lines.extend(findings.iter().map(ToString::to_string));
    if lines.is_empty() { "the handler refused its configuration without a reason".to_owned() } else { lines.join("\n") }
}
