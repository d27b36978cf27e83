//! The audit file and those that were put aside, by us or by others, in the order of their events. What they are called does not matter: the first
//! event of each tells where it belongs.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::id::EventId;

/// How far a file is looked into for its first event, in bytes: no event is longer, because requests are not.
const LONGEST: u64 = 32 * 1024 * 1024;
/// How far it is looked into for its last one at first.
const REACH: u64 = 64 * 1024;

/// What makes a file the same one under another name.
pub(super) type Identity = (u64, u64);

/// The identity of a file.
pub(super) fn identity(about: &Metadata) -> Identity {
    (about.dev(), about.ino())
}

/// One of the files.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    /// Its first event.
    pub(super) first: EventId,
}

/// All files with events, oldest first: `path`, and whatever in its folder has that name, a dot and more.
///
/// # Errors
/// When the folder or one of them cannot be read. One that goes away meanwhile is left out, and so is a folder that is not there.
pub(super) fn parts(path: &Path) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for (path, about) in all(path)? {
        match first_event(&path) {
            Ok(Some(first)) => parts.push(Part { path, identity: identity(&about), first }),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(named(&error, &path)),
        }
    }
    parts.sort_by(|a, b| a.first.cmp(&b.first));
    Ok(parts)
}

/// The same whether or not there is an event in them, in no order.
pub(super) fn all(path: &Path) -> io::Result<Vec<(PathBuf, Metadata)>> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let entries = match fs::read_dir(folder(path)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(named(&error, folder(path))),
    };
    let belongs = |other: &OsStr| {
        let rest = other.as_encoded_bytes().strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if belongs(&entry.file_name())
            && let Ok(about) = fs::metadata(entry.path())
            && about.is_file()
        {
            found.push((entry.path(), about));
        }
    }
    Ok(found)
}

/// The folder of a file.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// An error, and where.
pub(super) fn named(error: &io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn first_event(path: &Path) -> io::Result<Option<EventId>> {
    let mut reader = BufReader::with_capacity(512, File::open(path)?.take(LONGEST));
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if let Some(id) = EventId::of_line(&line).filter(|_| line.ends_with(b"\n")) {
            return Ok(Some(id));
        }
        line.clear();
    }
    Ok(None)
}

/// The last event of all; `None` when there is none.
///
/// # Errors
/// When the files cannot be read.
pub(super) fn last_event(path: &Path) -> io::Result<Option<EventId>> {
    let Some(newest) = parts(path)?.pop() else { return Ok(None) };
    let mut file = File::open(&newest.path).map_err(|error| named(&error, &newest.path))?;
    let length = file.metadata()?.len();
    let mut reach = REACH;
    loop {
        file.seek(SeekFrom::Start(length.saturating_sub(reach)))?;
        let mut end = Vec::new();
        file.by_ref().take(reach).read_to_end(&mut end)?;
        // One that was cut off has used its number, too.
        let last = end.split(|byte| *byte == b'\n').filter_map(EventId::of_line).next_back();
        if last.is_some() || reach >= length {
            return Ok(Some(last.unwrap_or(newest.first)));
        }
        reach *= 8;
    }
}
