//! The keys that questions are signed with: read from a file, used, never shown.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use zeroize::Zeroizing;

/// The least length of a key in bytes (Standard Webhooks, "Signature scheme").
const SHORTEST: usize = 24;
/// The longest file that is read, in bytes: room for many keys.
const LARGEST_FILE: usize = 16 * 1024;
/// What marks a key that is written in base64.
const MARK: &str = "whsec_";

/// Base64 of keys, with or without the padding at its end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One key, and during a change of keys also the ones before it.
pub(crate) struct Keys(Vec<hmac::Key>);

/// Why a file gives no keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    /// What would have been right, and what is instead.
    pub(crate) expected: String,
    /// What to do.
    pub(crate) remedy: &'static str,
}

impl Keys {
    /// Reads one key a line.
    pub(crate) fn read(path: &Path) -> Result<Self, Unfit> {
        let unread = |cause: std::io::Error| Unfit {
            expected: format!("a file with a key that the server can read ({cause})"),
            remedy: "create the file, or correct its owner or the path; the path should be absolute",
        };
        // Before it is opened, because opening a pipe waits for its other end.
        if !fs::metadata(path).map_err(unread)?.is_file() {
            return Err(unfit("a regular file", "name the file with the key"));
        }
        let file = File::open(path).map_err(unread)?;
        // Asked of the opened file, not of its name, so that it cannot be exchanged in between.
        let mode = file.metadata().map_err(unread)?.mode() & 0o777;
        if mode & 0o007 != 0 {
            return Err(Unfit {
                expected: format!("a file that is closed to everybody else (its mode is {mode:03o})"),
                remedy: "run chmod o= on it",
            });
        }
        // With room from the start: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(LARGEST_FILE));
        file.take(LARGEST_FILE as u64).read_to_string(&mut text).map_err(unread)?;
        let keys: Vec<hmac::Key> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(key).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(unfit("a file with a key", "write the key into the file"));
        }
        Ok(Self(keys))
    }

    /// The header `webhook-signature`: one signature for each key, with spaces between them.
    pub(crate) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp}.");
        let mut header = String::new();
        for key in &self.0 {
            let mut context = hmac::Context::with_key(key);
            context.update(head.as_bytes());
            context.update(body);
            header.push_str(if header.is_empty() { "v1," } else { " v1," });
            STANDARD.encode_string(context.sign().as_ref(), &mut header);
        }
        header
    }
}

impl fmt::Debug for Keys {
    /// How many; nothing of any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

/// A key as written: `whsec_` and base64, or the plain text itself.
fn key(line: &str) -> Result<hmac::Key, Unfit> {
    let bytes = match line.strip_prefix(MARK) {
        Some(text) => Zeroizing::new(
            LENIENT.decode(text).map_err(|_| unfit("base64 after whsec_", "copy the key again, or write one without whsec_"))?,
        ),
        None => Zeroizing::new(line.as_bytes().to_vec()),
    };
    if bytes.len() < SHORTEST {
        return Err(unfit("keys of at least 24 bytes each", "make a new one: echo whsec_$(head -c 32 /dev/urandom | base64)"));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn unfit(expected: &str, remedy: &'static str) -> Unfit {
    Unfit { expected: expected.to_owned(), remedy }
}
