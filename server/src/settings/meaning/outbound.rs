//! What `[outbound]` means.

/// `[outbound]`: requests that the server makes.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// `outbound.allow_private_addresses`, default false.
    pub allow_private_addresses: bool,
}
