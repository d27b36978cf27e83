//! A single value: as written ([`Raw`]), as meant ([`Value`]), and why the one did not become the other ([`Mismatch`]).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::duration;
use super::meaning::{Issuer, Network};

/// What was written, before it is known to be right.
#[derive(Debug, Clone)]
pub(super) enum Raw {
    /// From the built-in list, the environment or the command line, where everything is text.
    Shell(String),
    /// A TOML string.
    Text(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML boolean.
    Flag(bool),
    /// A TOML array of strings.
    Texts(Vec<String>),
    /// Anything else, by the name of its type.
    Other(&'static str),
}

/// What it means.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Flag(bool),
    Span(Option<Duration>),
    Address(SocketAddr),
    Issuer(Issuer),
    Path(Option<PathBuf>),
    Paths(Vec<PathBuf>),
    Networks(Vec<Network>),
    Texts(Vec<String>),
}

/// Why it is not right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub(super) id: &'static str,
    pub(super) seen: String,
    pub(super) remedy: String,
}

impl Mismatch {
    pub(super) fn new(id: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { id, seen: seen.into(), remedy: remedy.into() }
    }
}

pub(super) const WRONG_TYPE: &str = "config.wrong_type";
pub(super) const UNREADABLE: &str = "config.unreadable_value";
pub(super) const OUT_OF_RANGE: &str = "config.out_of_range";

impl Raw {
    /// The mismatch of a value that is of another type than its setting.
    pub(super) fn wrong_type(&self, remedy: &str) -> Mismatch {
        let seen = match self {
            Self::Shell(text) | Self::Text(text) => format!("the text {text:?}"),
            Self::Integer(number) => format!("the number {number}"),
            Self::Flag(flag) => format!("{flag}"),
            Self::Texts(_) => "an array".to_owned(),
            Self::Other(name) => (*name).to_owned(),
        };
        Mismatch::new(WRONG_TYPE, seen, remedy)
    }

    /// Text without the white space around it.
    pub(super) fn text(&self) -> Result<&str, Mismatch> {
        match self {
            Self::Shell(text) | Self::Text(text) => Ok(text.trim()),
            other => Err(other.wrong_type("write it as text, in double quotes")),
        }
    }

    /// A whole number that is not negative.
    pub(super) fn number(&self) -> Result<u64, Mismatch> {
        let remedy = "write a whole number, without quotes";
        match self {
            Self::Shell(text) => text.trim().parse().map_err(|_| Mismatch::new(UNREADABLE, format!("{text:?}"), remedy)),
            Self::Integer(number) => u64::try_from(*number)
                .map_err(|_| Mismatch::new(OUT_OF_RANGE, number.to_string(), "write a number that is not negative")),
            other => Err(other.wrong_type(remedy)),
        }
    }

    /// Texts.
    pub(super) fn list(&self) -> Result<Vec<String>, Mismatch> {
        match self {
            // A shell has no lists: values stand between commas, or the whole is written as in the settings file.
            Self::Shell(text) if text.trim_start().starts_with('[') => serde_json::from_str(text)
                .map_err(|_| Mismatch::new(UNREADABLE, format!("{text:?}"), "write the values with commas between them")),
            Self::Shell(text) => Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()),
            Self::Texts(items) => Ok(items.clone()),
            other => Err(other.wrong_type("write a list such as [\"one\", \"two\"]")),
        }
    }
}

impl Value {
    /// The meaning as text, for `config show`.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Span(span) => span.map_or_else(|| "never".to_owned(), duration::write),
            Self::Address(address) => address.to_string(),
            Self::Issuer(issuer) => issuer.text.clone(),
            Self::Path(path) => path.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            Self::Paths(paths) => paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
            Self::Texts(texts) => texts.join(", "),
            Self::Networks(networks) => {
                networks.iter().map(|network| format!("{}/{}", network.address, network.prefix)).collect::<Vec<_>>().join(", ")
            }
        }
    }
}
