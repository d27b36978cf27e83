//! A store in one file: what a backup writes and a restore reads. Any backend's store can be brought back into any other.
//!
//! After a first line, frame after frame: length of the body (u32) + CRC-32 of the body (u32), both little endian + the body in
//! `MessagePack`. The last frame says how many there were, so that a file that was cut off is not taken for a whole one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::snapshot::Entry;
use super::{MAX_NAME, MAX_VALUE};

const FIRST_LINE: &[u8] = b"Symbolon archive 1\n";
/// The longest body: the largest record with its name, and some room.
const MAX_BODY: usize = MAX_VALUE + 2 * MAX_NAME + 1024;

/// Why a file cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The system refused.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's own words.
        cause: io::Error,
    },
    /// It is something else.
    #[error("{} is no archive of this release", .0.display())]
    Foreign(PathBuf),
    /// It ends too early, or something in it was altered.
    #[error("{} is damaged after {entries} entries: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// How many entries could be read.
        entries: u64,
        /// What is wrong.
        reason: &'static str,
    },
}

/// How much there is in an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records.
    pub records: u64,
    /// Members of indexes.
    pub members: u64,
}

impl Counts {
    /// Counts one more.
    pub const fn count(&mut self, entry: &Entry) {
        match entry {
            Entry::Record { .. } => self.records += 1,
            Entry::Member { .. } => self.members += 1,
            Entry::Damaged { .. } => {}
        }
    }
}

#[derive(Serialize, Deserialize)]
enum Frame {
    Entry(Entry),
    End(Counts),
}

/// An archive that is being written, under another name until it is whole.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    partial: PathBuf,
    file: Option<BufWriter<File>>,
    counts: Counts,
}

impl Writer {
    /// Begins an archive that only its owner can read (mode 0600). A file of this name must not be there.
    ///
    /// # Errors
    /// When it is there, or the system refuses.
    pub fn begin(path: &Path) -> Result<Self, ArchiveError> {
        let failed = |cause| ArchiveError::File { path: path.to_owned(), cause };
        if path.symlink_metadata().is_ok() {
            return Err(failed(io::Error::from(ErrorKind::AlreadyExists)));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial).map_err(failed)?;
        let mut file = BufWriter::new(file);
        file.write_all(FIRST_LINE).map_err(failed)?;
        Ok(Self { path: path.to_owned(), partial, file: Some(file), counts: Counts::default() })
    }

    /// Adds an entry. Damaged ones do not belong into an archive and are left out.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn add(&mut self, entry: Entry) -> Result<(), ArchiveError> {
        if matches!(entry, Entry::Damaged { .. }) {
            return Ok(());
        }
        self.counts.count(&entry);
        self.write(&Frame::Entry(entry))
    }

    /// Ends the archive: it has its name once it is on the disk.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn finish(mut self) -> Result<Counts, ArchiveError> {
        self.write(&Frame::End(self.counts))?;
        let settle = |writer: &mut Self| {
            // `write` needed it a line ago; without it there is nothing to settle.
            let Some(file) = writer.file.take() else { return Ok(()) };
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            // Unlike a rename, a link replaces nothing that has come into its place meanwhile.
            fs::hard_link(&writer.partial, &writer.path)?;
            fs::remove_file(&writer.partial)?;
            let folder = writer.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder)?.sync_all()
        };
        settle(&mut self).map_err(|cause| {
            // Nothing depends on it: the next attempt writes over it.
            drop(fs::remove_file(&self.partial));
            ArchiveError::File { path: self.path.clone(), cause }
        })?;
        Ok(self.counts)
    }

    fn write(&mut self, frame: &Frame) -> Result<(), ArchiveError> {
        let failed = |cause| ArchiveError::File { path: self.path.clone(), cause };
        let body = rmp_serde::to_vec(frame).map_err(|error| failed(io::Error::other(error)))?;
        let length = u32::try_from(body.len()).map_err(|_| failed(io::Error::from(ErrorKind::FileTooLarge)))?;
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(failed);
        write(&length.to_le_bytes())?;
        write(&crc32fast::hash(&body).to_le_bytes())?;
        write(&body)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            drop(fs::remove_file(&self.partial));
        }
    }
}

/// An archive that is being read.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    counts: Counts,
    ended: bool,
}

impl Reader {
    /// Opens an archive.
    ///
    /// # Errors
    /// When it cannot be read, or is something else.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let failed = |cause| ArchiveError::File { path: path.to_owned(), cause };
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let mut first = [0; FIRST_LINE.len()];
        match file.read_exact(&mut first) {
            Ok(()) if first == FIRST_LINE => Ok(Self { path: path.to_owned(), file, counts: Counts::default(), ended: false }),
            Ok(()) => Err(ArchiveError::Foreign(path.to_owned())),
            Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => Err(ArchiveError::Foreign(path.to_owned())),
            Err(cause) => Err(failed(cause)),
        }
    }

    /// Reads the whole archive once, and says how much there is in it.
    ///
    /// # Errors
    /// When it is not whole.
    pub fn verify(path: &Path) -> Result<Counts, ArchiveError> {
        let mut reader = Self::open(path)?;
        while reader.read()?.is_some() {}
        Ok(reader.counts)
    }

    fn read(&mut self) -> Result<Option<Entry>, ArchiveError> {
        if self.ended {
            return Ok(None);
        }
        let mut head = [0; 8];
        self.fill(&mut head)?;
        let [length, stored] =
            [&head[..4], &head[4..]].map(|half| half.iter().rev().fold(0_u32, |n, byte| n << 8 | u32::from(*byte)));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_BODY {
            return Err(self.damaged("a frame is too long"));
        }
        let mut body = vec![0; length];
        self.fill(&mut body)?;
        if crc32fast::hash(&body) != stored {
            return Err(self.damaged("a checksum is wrong"));
        }
        match rmp_serde::from_slice(&body) {
            Ok(Frame::Entry(entry)) => {
                self.counts.count(&entry);
                Ok(Some(entry))
            }
            Ok(Frame::End(counts)) => {
                self.ended = true;
                let more = self.file.read(&mut [0]).map_err(|cause| ArchiveError::File { path: self.path.clone(), cause })?;
                if counts != self.counts || more > 0 {
                    return Err(self.damaged("it does not end where it says"));
                }
                Ok(None)
            }
            Err(_) => Err(self.damaged("a frame cannot be read")),
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), ArchiveError> {
        self.file.read_exact(bytes).map_err(|cause| match cause.kind() {
            ErrorKind::UnexpectedEof => self.damaged("it was cut off"),
            _ => ArchiveError::File { path: self.path.clone(), cause },
        })
    }

    fn damaged(&self, reason: &'static str) -> ArchiveError {
        ArchiveError::Damaged { path: self.path.clone(), entries: self.counts.records + self.counts.members, reason }
    }
}

impl Iterator for Reader {
    type Item = Result<Entry, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::foundation::Timestamp;
    use crate::storage::{Index, IndexKind, Key, Kind};

    fn entries() -> Vec<Entry> {
        let index = Index::new(IndexKind::People, "");
        let mut entries = vec![Entry::Member { index, member: b"ada".to_vec(), expires: Some(Timestamp(7)) }];
        for n in 0..20_u8 {
            entries.push(Entry::Record { key: Key::new(Kind::Session, [n]), value: vec![n; 30], expires: None });
        }
        entries
    }

    fn write(path: &Path, entries: Vec<Entry>) -> Counts {
        let mut writer = Writer::begin(path).unwrap();
        for entry in entries {
            writer.add(entry).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let counts = write(&path, entries());
        assert_eq!(counts, Counts { records: 20, members: 1 });
        assert_eq!(Reader::verify(&path).unwrap(), counts);
        assert_eq!(Reader::open(&path).unwrap().collect::<Result<Vec<_>, _>>().unwrap(), entries());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        let largest = Entry::Record { key: Key::new(Kind::Code, [0; MAX_NAME - 1]), value: vec![0xFF; MAX_VALUE], expires: None };
        write(&folder.path().join("b"), vec![largest]);
        assert_eq!(Reader::verify(&folder.path().join("b")).unwrap().records, 1);
    }

    #[test]
    fn damage_and_foreign_files_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, entries());
        let whole = fs::read(&path).unwrap();
        let altered = folder.path().join("b");
        let refused = |bytes: &[u8]| {
            fs::write(&altered, bytes).unwrap();
            Reader::verify(&altered).is_err()
        };
        for at in 0..whole.len() {
            assert!(refused(&whole[..at]), "cut off at {at}");
            let mut flipped = whole.clone();
            flipped[at] ^= 0x20;
            assert!(refused(&flipped), "flipped at {at}");
        }
        assert!(refused(&[&whole[..], b"x"].concat()), "more than there was");
        assert!(refused(b"PK"));
        assert!(Reader::verify(&folder.path().join("missing")).unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_half_done_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        drop(Writer::begin(&path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let writer = Writer::begin(&path).unwrap();
        fs::write(&path, "somebody else's").unwrap();
        assert!(writer.finish().is_err());
        assert!(Writer::begin(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "somebody else's");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
