//! Telemetry: log lines on standard error, an audit event for each decision, and metrics. Must not know any decision, only
//! how it is reported; no secret, token, code, password or cookie is ever handed to it.

pub mod audit;
pub mod codes;
mod init;
#[cfg(test)]
pub(crate) mod listening;
pub mod metrics;

pub use audit::{AuditEvent, Outcome};
pub use codes::Code;
pub use init::{InitError, init};
