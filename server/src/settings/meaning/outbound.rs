//! What `[outbound]` means.

/// `[outbound]`: requests that the server makes.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// `outbound.allow_private_addresses`, default false.
    pub allow_private_addresses: bool,
    /// `outbound.ca_file`: what is in it, certificates (PEM) of authorities that are trusted beside the system's.
    pub ca_certificates: Option<String>,
}
