//! Lines for the server's log, under the handler's name. Never put a token, a secret or personal data into one.

use std::fmt;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever debugs the handler.
    Debug,
    /// Worth knowing, once in a while.
    Info,
    /// Something an operator should look at.
    Warn,
    /// Something that failed.
    Error,
}

impl Level {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Debug => 1,
            Self::Info => 2,
            Self::Warn => 3,
            Self::Error => 4,
        }
    }

}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        })
    }
}

/// A line for whoever debugs the handler.
pub fn debug(message: &str) {
    crate::abi::sink::write(Level::Debug, message);
}

/// A line worth knowing.
pub fn info(message: &str) {
    crate::abi::sink::write(Level::Info, message);
}

/// A line that an operator should look at.
pub fn warn(message: &str) {
    crate::abi::sink::write(Level::Warn, message);
}

/// A line about something that failed.
pub fn error(message: &str) {
    crate::abi::sink::write(Level::Error, message);
}
