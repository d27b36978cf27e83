//! Authentication of a client by its TLS certificate (RFC 8705 section 2). Knows whose certificate must be shown, not how it arrives.

use serde_json::Value;

use super::client::{Client, ClientAuth};
use super::keys::{ClientKeys, KeysError};
use crate::settings::Finding;
use crate::settings::meaning::FileClient;
use crate::tokens::certificate::{AlternativeName, CertificateError, ClientCertificate};

/// Whom the certificate of a client names: exactly one of the members of RFC 8705 section 2.1.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateName {
    /// `tls_client_auth_subject_dn`, in the form in which names are compared.
    Subject(String),
    /// One of `tls_client_auth_san_dns`, `_san_uri`, `_san_ip` and `_san_email`.
    Alternative(AlternativeName),
}

/// What in the `[[clients]]` of the settings cannot work where certificates of clients are not read. It keeps no server from starting: such a
/// client is refused its tokens, which is safe, and the others are not to suffer.
#[must_use]
pub fn without_certificates(file_clients: &[FileClient]) -> Vec<Finding> {
    let needing = |entry: &&FileClient| {
        let method = entry.metadata.get("token_endpoint_auth_method").and_then(Value::as_str);
        method.is_some_and(|method| ["tls_client_auth", "self_signed_tls_client_auth"].contains(&method))
            || entry.metadata.get("tls_client_certificate_bound_access_tokens") == Some(&Value::Bool(true))
    };
    let warning = |entry: &FileClient| Finding {
        id: "client.certificates",
        place: entry.place.clone(),
        seen: "a client that shows certificates, and no proxy.client_certificate_header".to_owned(),
        expected: "the header in which the proxy forwards certificates: without it none is read, and the client gets no token"
            .to_owned(),
        remedy: "set proxy.client_certificate_header, or let the client authenticate in another way".to_owned(),
    };
    file_clients.iter().filter(needing).map(warning).collect()
}

/// Why a certificate proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum CertificateProblem {
    /// The request came without one, or not through a trusted proxy.
    #[error("the request has no client certificate from a trusted proxy")]
    Missing,
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] CertificateError),
    /// It names somebody else.
    #[error("the client certificate does not have the registered name")]
    OtherName,
    /// Its key is not the client's.
    #[error("the key of the client certificate is not one of the client's")]
    OtherKey,
    /// The client's keys are not at hand.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// Whether the certificate in `header` is the one that the client registered.
pub(super) async fn check(client: &Client, header: Option<&str>, keys: &ClientKeys) -> Result<(), CertificateProblem> {
    let certificate = ClientCertificate::of_header(header.ok_or(CertificateProblem::Missing)?)?;
    match &client.auth {
        ClientAuth::Tls(CertificateName::Subject(name)) if *name == certificate.subject() => Ok(()),
        ClientAuth::Tls(CertificateName::Alternative(name)) if certificate.has_name(name) => Ok(()),
        ClientAuth::SelfSignedTls => {
            let check = |jwks: &Value| if certificate.is_of_keys(jwks) { Ok(()) } else { Err(CertificateProblem::OtherKey) };
            keys.try_with(client, check, |_| true).await?
        }
        _ => Err(CertificateProblem::OtherName),
    }
}
