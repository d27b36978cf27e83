//! The handler through the real boundary, asking a stand-in for the service.
#![expect(clippy::unwrap_used, reason = "a test")]

mod answers;
mod asking;
mod properties;
mod questions;
mod stand_in;
mod trouble;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, Once, PoisonError};

use symbolon_sdk::host::{ConfigureFailure, Configured, HandlerFault};
use symbolon_sdk::log::Level;
use symbolon_sdk::testing::{TestRequest, configure};
use symbolon_sdk::{DeviceSsoAuthorization, Finding, HandlerError};

use self::stand_in::StandIn;
use crate::WebhookHandler;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A file with this text that only its owner may read.
struct KeyFile(tempfile::TempDir);

impl KeyFile {
    fn new(text: impl AsRef<[u8]>) -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        std::fs::write(file.path(), text).unwrap();
        file.mode(0o600)
    }

    fn mode(self, mode: u32) -> Self {
        std::fs::set_permissions(self.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("key")
    }
}

fn try_with(properties: &[(&str, &str)]) -> Result<Configured, ConfigureFailure> {
    configure::<WebhookHandler>(properties.iter().map(|(name, value)| (format!("op.webhookHandler.{name}"), *value)))
}

fn findings(properties: &[(&str, &str)]) -> Vec<Finding> {
    match try_with(properties) {
        Err(ConfigureFailure::Refused { message: None, findings }) => findings,
        other => panic!("{other:?}"),
    }
}

/// The handler, asking at this address with all patience, and with these properties more.
fn asking(url: &str, more: &[(&str, &str)]) -> Configured {
    let file = KeyFile::new(KEY);
    let path = file.path();
    let mut properties = vec![("enable", "true"), ("url", url), ("secretFile", path.to_str().unwrap())];
    for usual in [("allowPrivateAddresses", "true"), ("timeout", "60000"), ("deadline", "60000"), ("retryDelay", "1")] {
        if !more.iter().any(|(name, _)| *name == usual.0) {
            properties.push(usual);
        }
    }
    properties.extend(more);
    try_with(&properties).unwrap()
}

/// One usual question to a service that answers this.
fn answered(status: &str, body: &str) -> Result<DeviceSsoAuthorization, HandlerFault> {
    let service = StandIn::always(stand_in::http(status, body));
    TestRequest::new().ask(&asking(&service.url(), &[]))
}

fn allowed(answer: Result<DeviceSsoAuthorization, HandlerFault>) {
    let _ = answer.unwrap();
}

fn refused(answer: Result<DeviceSsoAuthorization, HandlerFault>) -> HandlerError {
    match answer {
        Err(HandlerFault::Refused(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Code and status of a refusal.
fn code(answer: Result<DeviceSsoAuthorization, HandlerFault>) -> (String, Option<u16>) {
    let error = refused(answer);
    (error.code().to_owned(), error.status())
}

static LOG: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

/// Keeps log lines from now on; tests look for theirs by what only they say.
fn keep_log() {
    static KEEP: Once = Once::new();
    KEEP.call_once(|| {
        symbolon_sdk::host::set_log(|level, _, message| {
            LOG.lock().unwrap_or_else(PoisonError::into_inner).push((level, message.to_owned()));
        });
    });
}

/// The lines with this text.
fn logged(text: &str) -> Vec<(Level, String)> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|(_, line)| line.contains(text)).cloned().collect()
}
