//! What `[sessions.logout]` means.

/// What becomes of the device and offline sessions that were granted in a browser session when a person signs out of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfflineAccess {
    /// They live on (Back-Channel Logout section 2.7).
    Keep,
    /// They end too.
    End,
}
