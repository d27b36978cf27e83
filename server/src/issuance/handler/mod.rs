//! The server's side of device-SSO handlers: load those in the folder, ask the one that is enabled, and turn whatever
//! comes back into a proposal or a refusal. Fails closed: a panic, a late or a senseless answer issues nothing.

mod ask;
mod load;

pub use ask::Question;
pub use load::Load;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use symbolon_sdk::host::Configured;

/// The loaded handlers, at most one of them enabled.
#[derive(Debug, Clone)]
pub struct Handlers {
    enabled: Option<Arc<Configured>>,
    loaded: Vec<LoadedHandler>,
}

/// What an operator is shown of a loaded handler.
#[derive(Debug, Clone, Serialize)]
pub struct LoadedHandler {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The SDK it was built with.
    pub sdk_version: String,
    /// What its properties begin with.
    pub prefix: String,
    /// `inline` or `blocking`.
    pub execution: &'static str,
    /// Whether it decides.
    pub enabled: bool,
    /// Its file.
    pub path: PathBuf,
}

impl Handlers {
    /// No handlers: token exchange is switched off.
    #[must_use]
    pub const fn none() -> Self {
        Self { enabled: None, loaded: Vec::new() }
    }

    /// Whether token exchanges are answered.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.enabled.is_some()
    }

    /// All loaded handlers.
    #[must_use]
    pub fn loaded(&self) -> &[LoadedHandler] {
        &self.loaded
    }
}
