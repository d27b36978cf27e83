//! Certificates of authorities in PEM files (RFC 7468 section 5). Owns what counts as such a file; who trusts them is somebody else's business.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// How many certificates the text has. Anything else between them is passed over, as in the bundles that systems ship.
///
/// # Errors
/// When something in it begins like a PEM section and is none, or when there is no certificate at all.
pub fn count(pem: &str) -> Result<usize, String> {
    let found =
        CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    if found.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(found.len()) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    const ONE: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    #[test]
    fn certificates_are_counted_and_nothing_else_is() {
        assert_eq!(count(ONE).unwrap(), 1);
        assert_eq!(count(&format!("# an authority\n{ONE}\n{ONE}")).unwrap(), 2);
        for none in ["", "text", &ONE.replace("CERTIFICATE", "PUBLIC KEY")] {
            assert_eq!(count(none).unwrap_err(), "there is no certificate in it", "{none}");
        }
        for broken in [ONE.replace("MAA=", "M*"), ONE.replace("-----END CERTIFICATE-----", "")] {
            assert!(count(&broken).is_err(), "{broken}");
        }
    }
}
