//! Sealing: keeps secrets at rest unreadable without the sealing key (AES-256-GCM). Knows the key and its file, not what is sealed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::foundation::{Secret, encoding, random};

/// What every sealed text begins with, so that another construction can follow without a guess.
const VERSION: &str = "s1.";
const NONCE: usize = 12;
const TAG: usize = 16;
/// No text form of 32 bytes is longer than hex; the rest is room for white space.
const MAX_KEY_FILE: u64 = 1024;

/// Why something was not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// The text is not a key.
    #[error("a sealing key is 32 bytes written as base64url, base64 or hex")]
    NotAKey,
    /// The file could not be read or made.
    #[error("the sealing key file {path} cannot be {action}: {cause}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// `read` or `made`.
        action: &'static str,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file does not hold a key.
    #[error("the sealing key file {path} does not hold 32 bytes as base64url, base64 or hex", path = .0.display())]
    NotAKeyFile(PathBuf),
    /// Others than the owner may read the file.
    #[error("the sealing key file {path} has mode {mode:04o}, so others can read it; make it 0600", path = path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not what was sealed, not for this context, or not with this key.
    #[error("what was sealed cannot be opened: it was sealed with another key or was changed since")]
    NotOpened,
}

/// The key that seals and opens, and earlier ones that still open. Cheap to clone; a copy is the same key.
#[derive(Clone)]
pub struct SealingKey {
    key: Arc<RandomizedNonceKey>,
    earlier: Arc<[Self]>,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey([secret])")
    }
}

impl SealingKey {
    /// Reads a key from its text: 32 bytes as base64url, base64 or hex, white space around it ignored.
    ///
    /// # Errors
    /// [`SealingError::NotAKey`].
    pub fn from_text(text: &Secret<String>) -> Result<Self, SealingError> {
        let key = key_bytes(text.expose().trim()).ok_or(SealingError::NotAKey)?;
        Self::from_bytes(&key)
    }

    /// Reads the key from a file that the operator made. The group may read it (a secret mounted into a container often
    /// comes so), everybody else may not.
    ///
    /// # Errors
    /// When the file cannot be read, is open to others, or holds no key.
    pub fn load(path: &Path) -> Result<Self, SealingError> {
        Self::read(path, 0o027)
    }

    /// Reads the key from our own file, and makes file and key when there is none (mode 0600, on disk before it is used).
    ///
    /// # Errors
    /// When the file cannot be read or made, is open to anybody but its owner, or holds no key.
    pub fn load_or_create(path: &Path) -> Result<Self, SealingError> {
        match Self::read(path, 0o077) {
            Err(SealingError::File { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
                create(path).map_err(|cause| SealingError::File { path: path.to_owned(), action: "made", cause })?;
                // Read back whatever is there now: when two processes start at once, both use the winner's key.
                Self::read(path, 0o077)
            }
            read => read,
        }
    }

    /// The same key, which also opens what was sealed with one of these.
    #[must_use]
    pub fn after(self, earlier: Vec<Self>) -> Self {
        Self { earlier: earlier.into(), ..self }
    }

    /// Seals `plain`. The same `context` opens it: what was sealed for one purpose cannot stand in for another.
    ///
    /// # Panics
    /// When the operating system gives no randomness, or above 64 GiB.
    #[must_use]
    pub fn seal(&self, context: &str, plain: &[u8]) -> String {
        let mut bytes = Vec::with_capacity(plain.len() + TAG);
        bytes.extend_from_slice(plain);
        #[expect(clippy::expect_used, reason = "fails only without randomness or above 64 GiB; going on would lose the secret")]
        let nonce = self.key.seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut bytes).expect("AES-256-GCM seals");
        let mut sealed = Vec::with_capacity(NONCE + bytes.len());
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&bytes);
        format!("{VERSION}{}", encoding::encode(sealed))
    }

    /// Opens what [`SealingKey::seal`] made for the same `context`.
    ///
    /// # Errors
    /// [`SealingError::NotOpened`], whatever the reason: it says nothing that helps a forger.
    pub fn open(&self, context: &str, sealed: &str) -> Result<Secret<Vec<u8>>, SealingError> {
        let mut keys = std::iter::once(self).chain(self.earlier.iter());
        keys.find_map(|key| key.open_alone(context, sealed).ok()).ok_or(SealingError::NotOpened)
    }

    fn open_alone(&self, context: &str, sealed: &str) -> Result<Secret<Vec<u8>>, SealingError> {
        let mut bytes = sealed.strip_prefix(VERSION).and_then(encoding::decode).ok_or(SealingError::NotOpened)?;
        let (nonce, cipher) = bytes.split_at_mut_checked(NONCE).ok_or(SealingError::NotOpened)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealingError::NotOpened)?;
        let opened = self.key.open_in_place(nonce, Aad::from(context.as_bytes()), cipher);
        let length = opened.map_err(|_| SealingError::NotOpened)?.len();
        bytes.drain(..NONCE);
        bytes.truncate(length);
        Ok(Secret::new(bytes))
    }

    fn from_bytes(key: &[u8; 32]) -> Result<Self, SealingError> {
        RandomizedNonceKey::new(&AES_256_GCM, key)
            .map(|key| Self { key: Arc::new(key), earlier: Arc::new([]) })
            .map_err(|_| SealingError::NotAKey)
    }

    /// Reads a key file none of whose `refused` permission bits is set.
    fn read(path: &Path, refused: u32) -> Result<Self, SealingError> {
        let unread = |cause| SealingError::File { path: path.to_owned(), action: "read", cause };
        let file = File::open(path).map_err(unread)?;
        // Asked of the opened file, not of its name, so that it cannot be exchanged in between.
        let mode = file.metadata().map_err(unread)?.mode() & 0o777;
        if mode & refused != 0 {
            return Err(SealingError::Exposed { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::with_capacity(128));
        file.take(MAX_KEY_FILE).read_to_string(&mut text).map_err(unread)?;
        let key = key_bytes(text.trim()).ok_or_else(|| SealingError::NotAKeyFile(path.to_owned()))?;
        Self::from_bytes(&key)
    }
}

/// Writes a new key under a name of its own, then links it to `path`: the file appears whole or not at all, and never
/// replaces one that is there.
fn create(path: &Path) -> io::Result<()> {
    let text = Zeroizing::new(encoding::encode(random::secret().expose()) + "\n");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = folder.join(format!(".sealing-{}.new", encoding::encode(random::bytes::<9>())));
    write_new(&draft, text.as_bytes())?;
    let linked = match fs::hard_link(&draft, path) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without hard links: still never over an existing file.
        Err(_) => write_new(path, text.as_bytes()).or_else(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(cause),
        }),
        Ok(()) => Ok(()),
    };
    fs::remove_file(&draft)?;
    linked?;
    File::open(folder)?.sync_all()
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// 32 bytes from hex (64 characters), base64 or base64url (43, or 44 with padding).
fn key_bytes(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    if text.len() == 64 {
        for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = (char::from(pair[0]).to_digit(16)?, char::from(pair[1]).to_digit(16)?);
            *byte = u8::try_from(digits.0 * 16 + digits.1).ok()?;
        }
        return Some(key);
    }
    let bare = text.strip_suffix('=').unwrap_or(text);
    if bare.len() != 43 {
        return None;
    }
    let read = Zeroizing::new(encoding::decode(bare).or_else(|| STANDARD_NO_PAD.decode(bare).ok())?);
    key.copy_from_slice(read.get(..32)?);
    Some(key)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey::from_bytes(&[byte; 32]).unwrap()
    }

    fn text(text: &str) -> Result<SealingKey, SealingError> {
        SealingKey::from_text(&Secret::new(text.to_owned()))
    }

    #[test]
    fn every_text_form_gives_the_same_key() {
        let sealed = key(0xfb).seal("c", b"plain");
        let url = encoding::encode([0xfb; 32]);
        let standard = url.replace('-', "+").replace('_', "/");
        for form in
            [url.clone(), format!(" {url}\n"), url + "=", standard.clone() + "=", standard, "fb".repeat(32), "FB".repeat(32)]
        {
            assert_eq!(text(&form).unwrap().open("c", &sealed).unwrap().expose(), b"plain", "{form}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let short = encoding::encode([1; 31]);
        let long = encoding::encode([1; 33]);
        let not_hex = "fg".repeat(32);
        for wrong in ["", "password", &short, &long, &not_hex, &"é".repeat(32), &"+1".repeat(32)] {
            assert!(matches!(text(wrong), Err(SealingError::NotAKey)), "{wrong}");
        }
    }

    #[test]
    fn another_context_another_key_or_a_changed_text_is_refused() {
        let sealed = key(1).seal("signing-keys", b"secret");
        assert!(key(1).open("other", &sealed).is_err());
        assert!(key(2).open("signing-keys", &sealed).is_err());
        assert!(key(1).open("signing-keys", &sealed[VERSION.len()..]).is_err());
        assert!(key(1).open("signing-keys", VERSION).is_err());
        assert!(key(1).open("signing-keys", "s1.AAAA").is_err());
        for at in VERSION.len()..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(key(1).open("signing-keys", &String::from_utf8(changed).unwrap()).is_err(), "at {at}");
            assert!(key(1).open("signing-keys", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn an_earlier_key_opens_and_the_present_one_seals() {
        let sealed = key(1).seal("c", b"x");
        let present = key(3).after(vec![key(2), key(1)]);
        assert_eq!(present.open("c", &sealed).unwrap().expose(), b"x");
        assert!(present.open("other", &sealed).is_err());
        assert!(key(3).open("c", &present.seal("c", b"x")).is_ok());
        assert!(key(3).after(vec![key(2)]).open("c", &sealed).is_err());
    }

    #[test]
    fn the_same_thing_sealed_twice_looks_different() {
        assert_ne!(key(1).seal("c", b"x"), key(1).seal("c", b"x"));
    }

    #[test]
    fn the_key_file_is_made_once_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        let first = SealingKey::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left behind");
        let sealed = first.seal("c", b"kept");
        assert_eq!(SealingKey::load_or_create(&path).unwrap().open("c", &sealed).unwrap().expose(), b"kept");
        assert_eq!(SealingKey::load(&path).unwrap().open("c", &sealed).unwrap().expose(), b"kept");
    }

    #[test]
    fn processes_starting_at_once_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| SealingKey::load_or_create(&path).unwrap())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let sealed = keys[0].seal("c", b"one");
        assert!(keys.iter().all(|key| key.open("c", &sealed).is_ok()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        SealingKey::load_or_create(&path).unwrap();
        for (mode, ours, given) in
            [(0o600, true, true), (0o400, true, true), (0o640, false, true), (0o660, false, false), (0o604, false, false)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(SealingKey::load_or_create(&path).is_ok(), ours, "{mode:o}");
            assert_eq!(SealingKey::load(&path).is_ok(), given, "{mode:o}");
        }
    }

    #[test]
    fn a_missing_or_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        assert!(SealingKey::load(&path).unwrap_err().to_string().contains("sealing.key"));
        write_new(&path, b"not a key").unwrap();
        assert!(matches!(SealingKey::load_or_create(&path), Err(SealingError::NotAKeyFile(_))));
        let nowhere = folder.path().join("none/sealing.key");
        assert!(SealingKey::load_or_create(&nowhere).unwrap_err().to_string().contains("made"));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(plain: Vec<u8>, context in ".{0,20}") {
            let sealed = key(7).seal(&context, &plain);
            let opened = key(7).open(&context, &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &plain);
        }

        #[test]
        fn garbage_never_opens(garbage in "(s1\\.)?[A-Za-z0-9_-]{0,120}") {
            prop_assert!(key(7).open("c", &garbage).is_err());
        }
    }
}
