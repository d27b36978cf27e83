//! A checked file, and the private copy of it that is opened: what was judged is what runs, whatever becomes of the file.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use semver::Version;

use super::preflight::{self, Unfit};
use super::{HostError, OLDEST_SDK};
use crate::abi::stamp::Reading;
use crate::{HANDLER_ABI, SDK_VERSION};

/// A file that is a handler of an ABI and an SDK that this server knows. No code of it has run.
pub struct Checked {
    path: PathBuf,
    bytes: Vec<u8>,
    sdk_version: String,
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked").field("path", &self.path).field("sdk_version", &self.sdk_version).finish_non_exhaustive()
    }
}

impl Checked {
    pub(super) fn new(path: PathBuf, bytes: Vec<u8>, stamp: Reading) -> Result<Self, HostError> {
        judge(&path, &stamp)?;
        Ok(Self { path, bytes, sdk_version: stamp.sdk_version })
    }

    /// Where it was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its content, for whoever wants to know whether it is the right one.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Keeps a copy in memory that nobody can change, under no name in any folder.
    ///
    /// A library that is open is a map of its file: had it a file in a folder, overwriting that in place would end the process, a check
    /// before would say nothing about what is opened after, and the system's loader would hand out the old one for a new file of the same
    /// name.
    ///
    /// # Errors
    /// [`HostError::NotKept`] when the system has no memory for it or forbids such files.
    pub fn keep(self) -> Result<Library, HostError> {
        let not_kept = |cause: String| HostError::NotKept { path: self.path.clone(), cause };
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = match memfd_create(name.as_ref(), flags | MemfdFlags::EXEC) {
            // Linux before 6.3 does not know the flag, and such files may be executed there.
            Err(Errno::INVAL) => memfd_create(name.as_ref(), flags),
            other => other,
        };
        let mut file = File::from(fd.map_err(|error| not_kept(error.to_string()))?);
        file.write_all(&self.bytes).map_err(|error| not_kept(error.to_string()))?;
        let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        fcntl_add_seals(&file, seals).map_err(|error| not_kept(error.to_string()))?;
        Ok(Library { path: self.path, sdk_version: self.sdk_version, file: Arc::new(file.into()) })
    }
}

/// A private copy of a handler's library. Cheap to clone; no code of it has run.
#[derive(Clone)]
pub struct Library {
    path: PathBuf,
    sdk_version: String,
    file: Arc<OwnedFd>,
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("path", &self.path).field("sdk_version", &self.sdk_version).finish_non_exhaustive()
    }
}

impl Library {
    /// A copy that another process of this program kept, and under which path that read it.
    ///
    /// # Errors
    /// As [`Found::read`](super::Found::read), but for who may write it.
    pub fn from_descriptor(fd: OwnedFd, path: PathBuf) -> Result<Self, HostError> {
        let mut bytes = Vec::new();
        let mut file = File::from(fd);
        file.rewind()
            .and_then(|()| file.read_to_end(&mut bytes))
            .map_err(|error| HostError::Unreadable { path: path.clone(), cause: error.to_string() })?;
        let stamp = preflight::check(&bytes).map_err(|unfit| match unfit {
            Unfit::NotALibrary(cause) => HostError::NotALibrary { path: path.clone(), cause },
            Unfit::NotAHandler => HostError::NotAHandler { path: path.clone() },
        })?;
        judge(&path, &stamp)?;
        Ok(Self { path, sdk_version: stamp.sdk_version, file: Arc::new(file.into()) })
    }

    /// Where it was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SDK it was built with.
    #[must_use]
    pub fn sdk_version(&self) -> &str {
        &self.sdk_version
    }

    /// The copy, to be handed to another process.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// A path by which the system's loader finds the copy, for as long as it is kept open.
    pub(super) fn loadable(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// Keeps the copy open until the process ends: the loader knows libraries by path, and the number must not be used again.
    pub(super) fn leak(self) {
        std::mem::forget(self.file);
    }
}

/// Whether a library with this stamp may be opened.
fn judge(path: &Path, stamp: &Reading) -> Result<(), HostError> {
    let path = || path.to_owned();
    let sdk_version = || stamp.sdk_version.clone();
    if stamp.abi != HANDLER_ABI {
        return Err(HostError::ForeignAbi {
            path: path(),
            theirs: stamp.abi,
            sdk_version: sdk_version(),
            ours: HANDLER_ABI,
            own_sdk_version: SDK_VERSION,
        });
    }
    // A version that is none sorts as an older one than any.
    let number = |text: &str| Version::parse(text).map_or((0, 0), |version| (version.major, version.minor));
    let theirs = number(&stamp.sdk_version);
    if theirs > number(SDK_VERSION) {
        return Err(HostError::NewerSdk { path: path(), sdk_version: sdk_version(), own_sdk_version: SDK_VERSION });
    }
    if theirs < number(OLDEST_SDK) {
        return Err(HostError::OlderSdk {
            path: path(),
            sdk_version: sdk_version(),
            oldest: OLDEST_SDK,
            own_sdk_version: SDK_VERSION,
        });
    }
    if !stamp.unwinds {
        return Err(HostError::AbortsOnPanic { path: path() });
    }
    Ok(())
}
