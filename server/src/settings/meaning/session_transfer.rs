//! What `[session_transfer]` means.

use std::time::Duration;

/// `[session_transfer]`: how a signed-in app signs a browser in.
#[derive(Debug, Clone)]
pub struct SessionTransfer {
    /// `session_transfer.lifetime`, default 1m: how long a token may be used.
    pub lifetime: Duration,
    /// `session_transfer.interclient_lifetime`, default 5m: the same of one that is made as an interclient token.
    pub interclient_lifetime: Duration,
    /// `session_transfer.binding` = `enforce` (default) | `log`: whether a token from elsewhere is refused.
    pub enforce_binding: bool,
    /// `session_transfer.end_other_sessions`, default false: whether a token ends the sessions of other people in the browser.
    pub end_other_sessions: bool,
    /// `session_transfer.hosts`: other names of this server in `urn:HOST:session_transfer`.
    pub hosts: Vec<String>,
}
