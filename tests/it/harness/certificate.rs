//! A certificate for 127.0.0.1 that vouches for itself, and its key, as files: made anew for each test.

use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

/// A certificate with its key, gone when the test ends.
#[derive(Debug)]
pub(crate) struct Certificate {
    folder: TempDir,
}

impl Certificate {
    #[track_caller]
    pub(crate) fn new() -> Self {
        let made = Self { folder: tempfile::tempdir().expect("a folder") };
        let output = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=a test", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", &made.key(), "-out", &made.path()])
            .output()
            .expect("openssl: scripts/test installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        made
    }

    /// The file with the certificate, PEM.
    pub(crate) fn path(&self) -> String {
        self.file("certificate.pem")
    }

    /// The file with its key, PEM.
    pub(crate) fn key(&self) -> String {
        self.file("key.pem")
    }

    /// What a server needs to show it.
    #[track_caller]
    pub(super) fn shown(&self) -> Arc<ServerConfig> {
        let certificate = CertificateDer::from_pem_file(self.path()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(self.key()).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
        Arc::new(config.expect("a key that fits"))
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("a path").to_owned()
    }
}
