//! Which files in the plugin folder are candidates, and whether folder and file can be trusted not to be anybody's.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::preflight::{self, Unfit};
use super::{Checked, HostError};

/// A file that may be a handler. Nothing of it has been read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    path: PathBuf,
}

impl Found {
    /// A single file, for commands that inspect one.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file and checks it: who may write it, whether it is whole, whether it is a handler, and of which ABI and SDK. Runs no code of it.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn read(&self) -> Result<Checked, HostError> {
        let path = &self.path;
        let unreadable = |error: std::io::Error| HostError::Unreadable { path: path.clone(), cause: error.to_string() };
        let real = fs::canonicalize(path).map_err(unreadable)?;
        let metadata = fs::metadata(&real).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(HostError::NotALibrary { path: path.clone(), cause: "no regular file".to_owned() });
        }
        if let Some(mode) = writable_by_all(&metadata) {
            return Err(HostError::Writable { path: path.clone(), mode });
        }
        if let Some(folder) = real.parent()
            && let Some(mode) = writable_by_all(&fs::metadata(folder).map_err(unreadable)?)
        {
            return Err(HostError::Writable { path: folder.to_owned(), mode });
        }
        let bytes = fs::read(&real).map_err(unreadable)?;
        let stamp = preflight::check(&bytes).map_err(|unfit| match unfit {
            Unfit::NotALibrary(cause) => HostError::NotALibrary { path: path.clone(), cause },
            Unfit::NotAHandler => HostError::NotAHandler { path: path.clone() },
        })?;
        Checked::new(path.clone(), bytes, stamp)
    }
}

/// The `*.so` files of a folder, by name.
///
/// # Errors
/// [`HostError::FolderUnreadable`], and [`HostError::FolderWritable`] when everybody may write the folder: opening a library runs its code.
pub fn find(folder: &Path) -> Result<Vec<Found>, HostError> {
    let unreadable = |error: std::io::Error| HostError::FolderUnreadable { folder: folder.to_owned(), cause: error.to_string() };
    let metadata = fs::metadata(folder).map_err(unreadable)?;
    if let Some(mode) = writable_by_all(&metadata) {
        return Err(HostError::FolderWritable { folder: folder.to_owned(), mode });
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "so") {
            found.push(Found { path });
        }
    }
    found.sort();
    Ok(found)
}

/// The permission bits when "others" may write.
fn writable_by_all(metadata: &fs::Metadata) -> Option<u32> {
    let mode = metadata.mode() & 0o7777;
    (mode & 0o002 != 0).then_some(mode)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_libraries_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.so", "a.so", "notes.txt", "c.so.bak"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<_> =
            find(folder.path()).unwrap().iter().map(|found| found.path().file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.so", "b.so"]);
    }

    #[test]
    fn a_folder_that_everybody_may_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let refusal = find(folder.path()).unwrap_err();
        assert_eq!(refusal, HostError::FolderWritable { folder: folder.path().to_owned(), mode: 0o777 });
        assert!(refusal.to_string().ends_with("(mode 777): run chmod o-w on it"), "{refusal}");
    }

    #[test]
    fn a_missing_folder_is_one_sentence() {
        let refusal = find(Path::new("/nowhere/at/all")).unwrap_err().to_string();
        assert!(refusal.starts_with("the handler folder /nowhere/at/all cannot be read"), "{refusal}");
    }
}
