//! Why a measurement could not be made. Every failure ends the run with exit code 1; none is silently averaged away.

/// What went wrong, for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something this program noticed itself.
    #[error("{0}")]
    Said(String),
    /// Files, sockets, processes.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// An answer that is not the JSON it should be.
    #[error("unreadable JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// An address that cannot be read.
    #[error("unreadable address: {0}")]
    Address(#[from] url::ParseError),
}

impl Failure {
    /// A failure in words.
    pub(crate) fn said(text: impl Into<String>) -> Self {
        Self::Said(text.into())
    }

    /// Puts what was being done before the failure.
    pub(crate) fn while_doing(self, what: &str) -> Self {
        Self::Said(format!("{what}: {self}"))
    }
}
