//! What `[audit]` means.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::foundation::Secret;

/// `[audit]`: where audit events go beside the log.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// `[audit.file]`; `None` without `audit.file.path`.
    pub file: Option<AuditFile>,
    /// `[audit.webhook]`; `None` without `audit.webhook.url`. Never without a file, from which it is fed.
    pub webhook: Option<AuditWebhook>,
}

/// `[audit.file]`
#[derive(Debug, Clone)]
pub struct AuditFile {
    /// `audit.file.path`: the file that is written, one JSON object a line.
    pub path: PathBuf,
    /// `audit.file.max_size`, default 64 MiB: the size in bytes at which another file is begun.
    pub max_size: u64,
    /// `audit.file.keep`, default 10: how many finished files are kept.
    pub keep: usize,
    /// `audit.file.queue`, default 65536: how many events may wait in memory to be written.
    pub queue: usize,
}

/// `[audit.webhook]`
#[derive(Debug, Clone)]
pub struct AuditWebhook {
    /// `audit.webhook.url`: https, or http on a loopback address.
    pub url: Url,
    /// `SYMBOLON_AUDIT__WEBHOOK__SECRET`, or what `audit.webhook.secret_file` holds: the keys of the signatures, at least one.
    pub secrets: Vec<Secret<Vec<u8>>>,
    /// `audit.webhook.codes`: the codes, or what codes begin with, that are delivered. Empty: all.
    pub codes: Vec<String>,
    /// `audit.webhook.batch`, default 100: the most events in one request.
    pub batch: usize,
    /// `audit.webhook.timeout`, default 10s: how long the receiver may take to answer.
    pub timeout: Duration,
}
