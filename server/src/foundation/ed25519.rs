//! Signatures of whoever deploys, over files that the server is to trust. Knows neither files nor settings.

use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;

/// An Ed25519 public key (RFC 8032).
#[derive(Debug)]
pub struct VerifyingKey(ParsedPublicKey);

impl VerifyingKey {
    /// Reads a key in PEM (`PUBLIC KEY`), as `openssl pkey -pubout` writes it; `None` when it is none.
    #[must_use]
    pub fn from_pem(text: &[u8]) -> Option<Self> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text).ok()?;
        ParsedPublicKey::new(&ED25519, der.as_ref()).ok().map(Self)
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// Made with `openssl genpkey -algorithm ed25519`, and `openssl pkeyutl -sign -rawin` over "a library".
    const KEY: &[u8] =
        b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEANeskTrDzFIefzGkzKdRFYp3gs+uOEKk6B/1ey9oUpb0=\n-----END PUBLIC KEY-----\n";
    const SIGNATURE: &str = "FbmLF24oisr9mx+Iu5x6cnlveirR8R+48zn2fDFxXWcfwGSwmRD6Jzmrp6WG+BV1NO6RYh5Poo8nq5oB+5SMAg==";

    #[test]
    fn a_signature_of_openssl_verifies_over_its_message_alone() {
        let key = VerifyingKey::from_pem(KEY).unwrap();
        let mut signature = STANDARD.decode(SIGNATURE).unwrap();
        assert!(key.verifies(b"a library", &signature));
        assert!(!key.verifies(b"A library", &signature));
        assert!(!key.verifies(b"a library", &signature[..63]) && !key.verifies(b"a library", b""));
        signature[5] ^= 1;
        assert!(!key.verifies(b"a library", &signature));
    }

    #[test]
    fn what_is_no_ed25519_key_is_none() {
        assert!(VerifyingKey::from_pem(b"").is_none());
        assert!(VerifyingKey::from_pem(b"-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n").is_none());
        let private: String = String::from_utf8_lossy(KEY).replace("PUBLIC", "PRIVATE");
        assert!(VerifyingKey::from_pem(private.as_bytes()).is_none());
    }
}
