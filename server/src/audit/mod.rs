//! The audit trail beyond the log: a file with every event, and a webhook that is fed from it. Must not know who decided what; it is handed finished
//! events by `telemetry`, and reads its own files.
//!
//! An event goes from [`crate::telemetry::AuditEvent::emit`] through a bounded queue to one thread (`writer`), which gives it an id and
//! appends it to the file (`file`). Everybody else reads the files (`files`, `follower`): the commands, and the webhook, which keeps in a file of its
//! own how far it came (`webhook`, `cursor`). So what was written is delivered whatever ends.

mod cursor;
pub mod event;
mod file;
mod files;
pub mod filter;
pub mod follower;
pub mod id;
pub mod webhook;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

pub use event::Event;
pub use filter::Filter;
pub use follower::Follower;
pub use id::EventId;
pub use webhook::Webhook;

use self::file::TrailFile;
use self::writer::{Progress, Writer};
use crate::foundation::Clock;
use crate::outbound::Outbound;
use crate::settings::Settings;
use crate::settings::meaning::Audit;
use crate::telemetry::audit::handoff::{self, Taken};

/// The audit file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the audit file {} cannot be written: {reason}", .path.display())]
pub struct AuditError {
    path: PathBuf,
    reason: io::Error,
}

/// Writes the audit events of this process to the audit file until it is dropped; then everything that was handed over is in it, unless the disk
/// does not take it within two seconds.
#[derive(Debug)]
pub struct Trail {
    progress: Arc<Progress>,
    writer: Option<JoinHandle<()>>,
}

impl Trail {
    /// Begins, if there is to be a file.
    ///
    /// # Errors
    /// When it cannot be opened, or another process writes it.
    pub fn begin(settings: &Audit) -> Result<Option<Self>, AuditError> {
        let Some(settings) = &settings.file else { return Ok(None) };
        let (path, clock) = (&settings.path, Clock::system());
        let failed = |reason| AuditError { path: path.clone(), reason };
        // Locked first: who has the lock knows that nobody else gives ids.
        let file = TrailFile::open(path, &clock).map_err(failed)?;
        let last = files::last_event(path).map_err(failed)?.unwrap_or_else(|| EventId::new_series(&clock));
        let (handoff, taken) = Taken::queue(settings.queue);
        let progress = Arc::new(Progress::of(&last));
        let writer = Writer::new(settings.clone(), file, last, taken, Arc::clone(&progress)).map_err(failed)?;
        let thread = std::thread::Builder::new().name("audit".to_owned());
        let writer = thread.spawn(move || writer.run()).map_err(failed)?;
        handoff::begin(handoff);
        Ok(Some(Self { progress, writer: Some(writer) }))
    }

    /// Who delivers what is in the file, if somebody is to have it.
    #[must_use]
    pub fn webhook(&self, settings: &Settings, outbound: &Outbound) -> Option<Webhook> {
        let (webhook, file) = settings.audit.webhook.clone().zip(settings.audit.file.as_ref())?;
        Some(Webhook {
            settings: webhook,
            folder: settings.storage.path.clone(),
            trail: file.path.clone(),
            issuer: settings.server.issuer.text.clone(),
            outbound: outbound.clone(),
            progress: Arc::clone(&self.progress),
        })
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.progress.closing.store(true, Ordering::Relaxed);
        handoff::end();
        // A writer that panicked has said so itself.
        drop(self.writer.take().map(JoinHandle::join));
    }
}
