//! How far the webhook has come, in a file in the data folder. It is written after each delivery and may be behind what was delivered, never before it.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::files;
use super::id::EventId;

const NAME: &str = "audit-webhook.cursor";

/// The file, and what it says.
#[derive(Debug)]
pub(super) struct Cursor {
    path: PathBuf,
    at: EventId,
}

impl Cursor {
    /// Opens the cursor of a data folder. Where there is none, or an unreadable one, everything in the audit files at `trail` is still to be delivered.
    ///
    /// # Errors
    /// When the audit files cannot be read or the cursor cannot be written; `None` when there is no event yet.
    pub(super) fn open(folder: &Path, trail: &Path) -> io::Result<Option<Self>> {
        let path = folder.join(NAME);
        if let Some(at) = fs::read_to_string(&path).ok().and_then(|text| EventId::parse(text.trim_end())) {
            return Ok(Some(Self { path, at }));
        }
        let Some(first) = files::parts(trail)?.into_iter().next().map(|part| part.first) else { return Ok(None) };
        // Written at once: what is removed from now on was missed.
        let mut cursor = Self { path, at: first.clone() };
        cursor.move_to(EventId { number: first.number.saturating_sub(1), ..first })?;
        Ok(Some(cursor))
    }

    /// The last event that was delivered.
    pub(super) const fn at(&self) -> &EventId {
        &self.at
    }

    /// Everything up to this event was delivered.
    ///
    /// # Errors
    /// When that cannot be written; it holds for this process all the same.
    pub(super) fn move_to(&mut self, at: EventId) -> io::Result<()> {
        self.at = at;
        // Not synced: whoever loses it delivers again, and receivers know events by their ids.
        let aside = self.path.with_extension("new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        writeln!(file, "{}", self.at)?;
        fs::rename(aside, &self.path)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::foundation::Clock;

    #[test]
    fn it_is_kept_and_when_it_is_lost_everything_is_delivered_again() {
        let folder = tempfile::tempdir().unwrap();
        let trail = folder.path().join("audit.jsonl");
        assert!(Cursor::open(folder.path(), &trail).unwrap().is_none());
        let first = EventId { number: 7, ..EventId::new_series(&Clock::manual(1)) };
        fs::write(&trail, format!("{{\"id\":\"{first}\"}}\n")).unwrap();
        let mut cursor = Cursor::open(folder.path(), &trail).unwrap().unwrap();
        assert_eq!(cursor.at().number, 6);
        cursor.move_to(first.next()).unwrap();
        fs::remove_file(&trail).unwrap();
        assert_eq!(Cursor::open(folder.path(), &trail).unwrap().unwrap().at().number, 8);
        fs::write(&trail, format!("{{\"id\":\"{first}\"}}\n")).unwrap();
        for torn in ["", "0000"] {
            fs::write(folder.path().join(NAME), torn).unwrap();
            assert_eq!(Cursor::open(folder.path(), &trail).unwrap().unwrap().at().number, 6, "{torn}");
        }
    }
}
