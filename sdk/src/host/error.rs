//! Why a folder or a library is refused: one sentence each, with the remedy.

use std::path::PathBuf;

/// A folder or library is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The folder cannot be read.
    #[error("the handler folder {} cannot be read ({cause}): create it, or correct the setting", folder.display())]
    FolderUnreadable {
        /// The folder.
        folder: PathBuf,
        /// The system's words.
        cause: String,
    },
    /// Anybody could put a library there.
    #[error("the handler folder {} may be written by everybody (mode {mode:03o}): run chmod o-w on it", folder.display())]
    FolderWritable {
        /// The folder.
        folder: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file cannot be read.
    #[error("{} cannot be read ({cause}): make it readable for the server, or remove it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        cause: String,
    },
    /// Anybody could change the library.
    #[error("{} may be written by everybody (mode {mode:03o}): run chmod o-w on it", path.display())]
    Writable {
        /// The file, or the folder that a link leads to.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not a whole dynamic library for this machine.
    #[error("{} is not a library for this machine ({cause}): build or copy it again", path.display())]
    NotALibrary {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A dynamic library, but no handler.
    #[error("{} is a library but no Symbolon handler: export one with export_device_sso_handler!, or move the file elsewhere", path.display())]
    NotAHandler {
        /// The file.
        path: PathBuf,
    },
    /// A handler of another binary contract.
    #[error(
        "{} speaks handler ABI {theirs} (SDK {sdk_version}) and this server ABI {ours} (SDK {own_sdk_version}): rebuild it with \
         symbolon-sdk {own_sdk_version}, or run a server of its release",
        path.display()
    )]
    ForeignAbi {
        /// The file.
        path: PathBuf,
        /// Its ABI number.
        theirs: u32,
        /// The SDK it was built with.
        sdk_version: String,
        /// This server's ABI number.
        ours: u32,
        /// This server's SDK.
        own_sdk_version: &'static str,
    },
    /// A handler of an SDK that this server does not know yet.
    #[error(
        "{} was built with SDK {sdk_version}, which is newer than this server's SDK {own_sdk_version}: rebuild it with symbolon-sdk \
         {own_sdk_version}, or update the server",
        path.display()
    )]
    NewerSdk {
        /// The file.
        path: PathBuf,
        /// The SDK it was built with.
        sdk_version: String,
        /// This server's SDK.
        own_sdk_version: &'static str,
    },
    /// A handler of an SDK that this server no longer knows.
    #[error(
        "{} was built with SDK {sdk_version}, and this server (SDK {own_sdk_version}) takes {oldest} at least: rebuild it with symbolon-sdk \
         {own_sdk_version}",
        path.display()
    )]
    OlderSdk {
        /// The file.
        path: PathBuf,
        /// The SDK it was built with.
        sdk_version: String,
        /// The oldest that is taken.
        oldest: &'static str,
        /// This server's SDK.
        own_sdk_version: &'static str,
    },
    /// Its first panic would end the server.
    #[error("{} was compiled with panic = \"abort\": rebuild it with panic = \"unwind\"", path.display())]
    AbortsOnPanic {
        /// The file.
        path: PathBuf,
    },
    /// There is no private copy to open.
    #[error("{} cannot be copied into memory ({cause}): free some memory, and let the system allow executable memory files", path.display())]
    NotKept {
        /// The file.
        path: PathBuf,
        /// The system's words.
        cause: String,
    },
    /// The system could not open it, e.g. because a library it needs is missing.
    #[error("{} cannot be opened ({cause}): install what it needs, or build it again on this system", path.display())]
    NotOpened {
        /// The file.
        path: PathBuf,
        /// The loader's words.
        cause: String,
    },
    /// Same ABI number, yet other types: an SDK that was changed by hand.
    #[error(
        "{} was built with SDK {sdk_version}, whose types differ from this server's SDK {own_sdk_version} ({difference}): rebuild it with an unchanged \
         symbolon-sdk",
        path.display()
    )]
    ForeignTypes {
        /// The file.
        path: PathBuf,
        /// The SDK it was built with.
        sdk_version: String,
        /// This server's SDK.
        own_sdk_version: &'static str,
        /// The first difference.
        difference: String,
    },
    /// Its own start failed.
    #[error("{} failed while it described itself: tell its author, and remove it", path.display())]
    StartFailed {
        /// The file.
        path: PathBuf,
    },
    /// What it says of itself cannot be used.
    #[error("{} describes itself badly ({what}): tell its author, and remove it", path.display())]
    BadDescription {
        /// The file.
        path: PathBuf,
        /// Which part.
        what: String,
    },
}
