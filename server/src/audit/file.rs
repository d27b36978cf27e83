//! The audit file that is written: locked, opened anew when somebody has put it away, put aside when it is full.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::files::{self, Identity, identity, named};
use crate::foundation::{Clock, clock};

/// The open file.
#[derive(Debug)]
pub(super) struct TrailFile {
    path: PathBuf,
    file: File,
    identity: Identity,
    clock: Clock,
    /// Whether it could not be put aside the last time, which is said once.
    stuck: bool,
}

impl TrailFile {
    /// Opens the file, made when missing, for nobody else to look into; nor may anybody else write it. Its folder is made, too.
    ///
    /// # Errors
    /// Why not. [`io::ErrorKind::WouldBlock`] when another process has it.
    pub(super) fn open(path: &Path, clock: &Clock) -> io::Result<Self> {
        let folder = files::folder(path);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| named(&error, folder))?;
        let file = open(path).map_err(|error| named(&error, path))?;
        let identity = identity(&file.metadata()?);
        Ok(Self { path: path.to_owned(), file, identity, clock: clock.clone(), stuck: false })
    }

    /// Whether the last line is unfinished: a process died, or the disk was full.
    pub(super) fn is_torn(&self) -> io::Result<bool> {
        let mut file = File::open(&self.path)?;
        if file.metadata()?.len() == 0 {
            return Ok(false);
        }
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        Ok(last != *b"\n")
    }

    /// Opens the file anew if it is no longer the one that has its name; says whether it is another one now.
    ///
    /// # Errors
    /// When that cannot be told, or the new one cannot be opened.
    pub(super) fn follow(&mut self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(about) if identity(&about) == self.identity => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        *self = Self::open(&self.path, &self.clock)?;
        Ok(true)
    }

    /// Writes as much as goes; gives how many bytes.
    ///
    /// # Errors
    /// When nothing goes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write(bytes) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            other => other,
        }
    }

    /// Bytes in it, whoever wrote them.
    pub(super) fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// What was written is on the disk.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Puts the file aside under its name and the time, begins another, and removes the oldest of those that were put aside but for `keep`. If it cannot be put
    /// aside it grows on.
    ///
    /// # Errors
    /// When another cannot be begun.
    pub(super) fn rotate(&mut self, keep: usize) -> io::Result<()> {
        let aside = self.name_aside();
        if let Err(error) = fs::rename(&self.path, &aside) {
            if !self.stuck {
                tracing::error!(%error, "the audit file is full and cannot be put aside; it grows on");
            }
            self.stuck = true;
            return Ok(());
        }
        *self = Self::open(&self.path, &self.clock)?;
        if let Err(error) = prune(&self.path, keep) {
            tracing::error!(%error, "an old audit file cannot be removed");
        }
        Ok(())
    }

    fn name_aside(&self) -> PathBuf {
        let mut millis = self.clock.now_millis();
        loop {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{}", clock::rfc3339(millis).replace(['-', ':'], "")));
            let path = PathBuf::from(name);
            if !path.exists() {
                return path;
            }
            millis += 1;
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Opening a pipe would wait for a reader.
    if fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        return Err(io::Error::other("not a regular file"));
    }
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(io::Error::other(format!("may be written by others (mode {mode:03o}); run chmod 600 on it")));
    }
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            "another process writes it; stop that, or give each server an audit.file.path of its own",
        )),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes the oldest files that were put aside, but for `keep`, by their events, since clocks may be set back. Only what has a name of ours goes.
fn prune(path: &Path, keep: usize) -> io::Result<()> {
    let prefix = [path.file_name().unwrap_or_default().as_encoded_bytes(), b"."].concat();
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let time = name.strip_prefix(&prefix[..]).and_then(|time| str::from_utf8(time).ok()).unwrap_or_default();
        let digits = time.bytes().filter(u8::is_ascii_digit).count();
        // As in 20261128T141811.123Z.
        time.len() == 20 && digits == 17 && time.as_bytes()[8] == b'T' && time.as_bytes()[15] == b'.' && time.ends_with('Z')
    };
    let aside: Vec<PathBuf> = files::parts(path)?.into_iter().map(|part| part.path).filter(is_ours).collect();
    let spare = aside.len().saturating_sub(keep);
    aside.iter().take(spare).try_for_each(|path| fs::remove_file(path).map_err(|error| named(&error, path)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::audit::EventId;

    #[test]
    fn only_files_of_our_own_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let clock = Clock::manual(1_795_875_491);
        let mut file = TrailFile::open(&path, &clock).unwrap();
        let others = ["audit.jsonl.1", "audit.jsonl.20261128T141811.000Z.gz", "audit.jsonl.bak", "audit.jsonlx"];
        let mut id = EventId::new_series(&clock);
        for name in others {
            id = id.next();
            fs::write(folder.path().join(name), format!("{{\"id\":\"{id}\"}}\n")).unwrap();
        }
        for _ in 0..5 {
            id = id.next();
            file.write(format!("{{\"id\":\"{id}\"}}\n").as_bytes()).unwrap();
            file.rotate(2).unwrap();
        }
        assert!(others.iter().all(|name| folder.path().join(name).exists()));
        let left: Vec<u64> = files::parts(&path).unwrap().iter().map(|part| part.first.number).collect();
        assert_eq!(left, [1, 2, 3, 8, 9], "those of others, and the last two");
        assert!(path.exists() && file.size().unwrap() == 0);
    }

    #[test]
    fn a_file_belongs_to_one_process_and_to_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/audit.jsonl");
        let clock = Clock::manual(1);
        let file = TrailFile::open(&path, &clock).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path().join("below")).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(TrailFile::open(&path, &clock).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        let error = TrailFile::open(&path, &clock).unwrap_err().to_string();
        assert!(error.contains("may be written by others (mode 620)"), "{error}");
        let error = TrailFile::open(folder.path(), &clock).unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
    }
}
