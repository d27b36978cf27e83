//! Which libraries may be loaded at all: all that the folder's permissions let in, or those with a digest or a signature that the
//! operator named.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use symbolon_sdk::host::Checked;

use crate::foundation::Digest;
use crate::foundation::ed25519::VerifyingKey;
use crate::settings::Finding;
use crate::settings::meaning::Handlers as HandlerSettings;

/// The longest signature file that is read: raw, 64 bytes.
const SIGNATURE: usize = 64;

/// What the settings trust.
#[derive(Debug)]
pub(super) struct Trust {
    digests: Vec<String>,
    keys: Vec<VerifyingKey>,
    anybody: bool,
}

impl Trust {
    /// Reads the keys.
    ///
    /// # Errors
    /// A finding for each file that holds none.
    pub(super) fn read(settings: &HandlerSettings) -> Result<Self, Vec<Finding>> {
        let (mut keys, mut findings) = (Vec::new(), Vec::new());
        for path in &settings.trusted_keys {
            match fs::read(path).map_err(|error| error.to_string()).map(|text| VerifyingKey::from_pem(&text)) {
                Ok(Some(key)) => keys.push(key),
                Ok(None) => findings.push(no_key(path, "no Ed25519 public key in PEM")),
                Err(why) => findings.push(no_key(path, &why)),
            }
        }
        let anybody = settings.trusted_digests.is_empty() && settings.trusted_keys.is_empty();
        if findings.is_empty() { Ok(Self { digests: settings.trusted_digests.clone(), keys, anybody }) } else { Err(findings) }
    }

    /// Judges a library by its bytes; gives its SHA-256 in hex.
    ///
    /// # Errors
    /// One sentence that says why it is not trusted.
    pub(super) fn judge(&self, library: &Checked) -> Result<String, String> {
        let digest = Digest::of(library.bytes()).to_hex();
        if self.anybody || self.digests.contains(&digest) {
            return Ok(digest);
        }
        let path = library.path().display();
        if self.keys.is_empty() {
            return Err(format!(
                "{path} has the digest {digest}, which is not among handlers.trusted_digests: add it if it is the right one"
            ));
        }
        let file = signature_of(library.path());
        match fs::read(&file) {
            Ok(signature)
                if signature.len() == SIGNATURE && self.keys.iter().any(|key| key.verifies(library.bytes(), &signature)) =>
            {
                Ok(digest)
            }
            Ok(_) => Err(format!(
                "{} is no signature over {path} by a key of handlers.trusted_keys: sign the library again, or take it away",
                file.display()
            )),
            Err(error) => Err(format!(
                "{path} is not signed, {} cannot be read ({error}): sign it with a key of handlers.trusted_keys (openssl pkeyutl -sign -rawin)",
                file.display()
            )),
        }
    }
}

/// `libx.so` is signed by `libx.so.sig`.
fn signature_of(library: &Path) -> PathBuf {
    let mut name = OsString::from(library);
    name.push(".sig");
    PathBuf::from(name)
}

fn no_key(path: &Path, why: &str) -> Finding {
    Finding {
        id: "handler.trusted_key",
        place: path.display().to_string(),
        seen: why.to_owned(),
        expected: "a file with an Ed25519 public key in PEM".to_owned(),
        remedy: "write it with: openssl pkey -in KEY -pubout".to_owned(),
    }
}
