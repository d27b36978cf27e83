//! TLS client certificates (RFC 8705) as a proxy forwards them: which certificate it is, whom it names and whose key it holds. Who may
//! forward one, and whose it must be, is decided above; its chain was verified by who ended the TLS connection.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use crate::foundation::{Digest, encoding};

/// The longest certificate that is looked at, in bytes of the header.
const MAX_TEXT: usize = 16 * 1024;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// What is in the header is no certificate. It says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the forwarded client certificate is neither an RFC 9440 byte sequence nor PEM, perhaps URL-encoded")]
pub struct CertificateError;

/// The certificate of a client.
#[derive(Clone)]
pub struct ClientCertificate {
    certificate: Certificate,
    thumbprint: String,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCertificate").field(&self.thumbprint).finish()
    }
}

impl ClientCertificate {
    /// Reads a header in one of the forms that proxies write: `:base64:` of the DER form (RFC 9440 section 2.2), or PEM, as it is, with
    /// blanks for line ends (Apache) or URL-encoded (nginx: `$ssl_client_escaped_cert`).
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn of_header(text: &str) -> Result<Self, CertificateError> {
        if text.len() > MAX_TEXT {
            return Err(CertificateError);
        }
        let text = text.trim();
        let der = match text.strip_prefix(':').and_then(|text| text.strip_suffix(':')) {
            Some(base64) => STANDARD.decode(base64).map_err(|_| CertificateError)?,
            None => from_pem(&percent_decode_str(text).decode_utf8().map_err(|_| CertificateError)?)?,
        };
        let certificate = Certificate::from_der(&der).map_err(|_| CertificateError)?;
        Ok(Self { certificate, thumbprint: encoding::encode(Digest::of(&der).as_bytes()) })
    }

    /// `x5t#S256` (RFC 8705 section 3.1): base64url of the SHA-256 of its DER form.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Its subject as a distinguished name (RFC 4514), as [`distinguished_name`] writes it.
    #[must_use]
    pub fn subject(&self) -> String {
        self.certificate.tbs_certificate.subject.to_string()
    }

    /// Whether one of its subject alternative names is this one.
    #[must_use]
    pub fn has_name(&self, wanted: &AlternativeName) -> bool {
        let Ok(Some((_, SubjectAltName(names)))) = self.certificate.tbs_certificate.get::<SubjectAltName>() else { return false };
        names.iter().any(|name| match (name, wanted) {
            // DNS names know no case (RFC 4343); the others are compared to the letter.
            (GeneralName::DnsName(name), AlternativeName::Dns(wanted)) => name.as_str().eq_ignore_ascii_case(wanted),
            (GeneralName::UniformResourceIdentifier(name), AlternativeName::Uri(wanted))
            | (GeneralName::Rfc822Name(name), AlternativeName::Email(wanted)) => name.as_str() == wanted,
            (GeneralName::IpAddress(name), AlternativeName::Ip(wanted)) => match wanted {
                IpAddr::V4(address) => name.as_bytes() == address.octets(),
                IpAddr::V6(address) => name.as_bytes() == address.octets(),
            },
            _ => false,
        })
    }

    /// Whether its key is one of a JWK set (`{"keys": […]}`): its own public key or that of a certificate beside it, which is the same.
    #[must_use]
    pub fn is_of_keys(&self, jwks: &Value) -> bool {
        let Some(own) = self.key() else { return false };
        let entries = jwks.get("keys").and_then(Value::as_array).into_iter().flatten();
        let keys = entries.filter_map(|entry| serde_json::from_value::<Jwk>(entry.clone()).ok());
        keys.into_iter().any(|key| key.thumbprint(ThumbprintHash::SHA256).is_ok_and(|name| name == own))
    }

    /// The thumbprint (RFC 7638) of its public key.
    fn key(&self) -> Option<String> {
        let info = &self.certificate.tbs_certificate.subject_public_key_info;
        let bits = info.subject_public_key.as_bytes()?;
        let key = match info.algorithm.oid.to_string().as_str() {
            "1.2.840.113549.1.1.1" => DecodingKey::from_rsa_der(bits),
            "1.2.840.10045.2.1" => DecodingKey::from_ec_der(bits),
            "1.3.101.112" => DecodingKey::from_ed_der(bits),
            _ => return None,
        };
        Jwk::from_decoding_key(&key, None).ok()?.thumbprint(ThumbprintHash::SHA256).ok()
    }
}

/// A subject alternative name of a certificate (RFC 5280 section 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlternativeName {
    /// `dNSName`
    Dns(String),
    /// `uniformResourceIdentifier`
    Uri(String),
    /// `iPAddress`
    Ip(IpAddr),
    /// `rfc822Name`
    Email(String),
}

/// A distinguished name (RFC 4514) in the one form in which names are compared; `None` for what is none, or is empty.
#[must_use]
pub fn distinguished_name(text: &str) -> Option<String> {
    let name = Name::from_str(text).ok().filter(|name| !name.is_empty())?;
    // What cannot be written in DER is in no certificate.
    name.to_der().ok()?;
    Some(name.to_string())
}

/// The DER form of the first certificate of a PEM text.
fn from_pem(text: &str) -> Result<Vec<u8>, CertificateError> {
    let (_, rest) = text.split_once(BEGIN).ok_or(CertificateError)?;
    let (body, _) = rest.split_once(END).ok_or(CertificateError)?;
    let base64: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(base64).map_err(|_| CertificateError)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn distinguished_names_have_one_form() {
        for (text, form) in [
            ("CN=app", "CN=app"),
            ("cn=app,o=Example", "CN=app,O=Example"),
            (r"CN=app,O=Example\, Inc.,C=DE", r"CN=app,O=Example\, Inc.,C=DE"),
            (r"CN=app,O=Example\2C Inc.,C=DE", r"CN=app,O=Example\, Inc.,C=DE"),
            ("2.5.4.3=app", "CN=app"),
        ] {
            assert_eq!(distinguished_name(text).as_deref(), Some(form), "{text}");
        }
        for none in ["", "app", "CN=app, O=Example", "unknown=app", "CN=a\\"] {
            let read = distinguished_name(none);
            assert!(read.as_deref().is_none_or(|read| read != "CN=app,O=Example"), "{none}: {read:?}");
        }
        assert_eq!((distinguished_name(""), distinguished_name("app")), (None, None));
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        for text in ["", ":", "::", ":AAAA:", "x", BEGIN, "-----BEGIN CERTIFICATE----- AAAA -----END CERTIFICATE-----", "%FF"] {
            assert_eq!(ClientCertificate::of_header(text).unwrap_err(), CertificateError, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_forwarded_is_read_or_refused(text in "\\PC{0,300}", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            drop(ClientCertificate::of_header(&text));
            drop(ClientCertificate::of_header(&format!(":{}:", STANDARD.encode(bytes))));
            drop(distinguished_name(&text));
        }
    }
}
