//! What `[proxy]` means.

use super::Network;

/// `[proxy]`
#[derive(Debug, Clone, Default)]
pub struct Proxy {
    /// `proxy.trusted`: addresses (or CIDR networks) whose `X-Forwarded-For` counts. Default none.
    pub trusted: Vec<Network>,
    /// `proxy.client_certificate_header`: the header in which they forward the certificate of a client. Default none.
    pub client_certificate_header: Option<String>,
    /// `proxy.mtls_address`: where clients with a certificate come in, if not at the issuer. Default none.
    pub mtls_address: Option<String>,
}
