//! Reads the events of the audit files, oldest first and each once, and goes on where more are written: through files that are put aside, by us or by
//! others.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::PathBuf;

use super::files::{self, Identity, Part, identity, named};
use super::id::EventId;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its id.
    pub id: EventId,
    /// The JSON object, with the line break.
    pub text: Vec<u8>,
}

/// A reader that knows how far it is.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    /// The last event that was read.
    at: Option<EventId>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: BufReader<File>,
    identity: Identity,
    /// A line that is not finished.
    line: Vec<u8>,
    /// The one after it. Since that has an event, this one is finished, but perhaps not read to its end.
    then: Option<Part>,
}

impl Follower {
    /// Begins with the event after `at`, or with the first one that there is.
    #[must_use]
    pub const fn new(path: PathBuf, at: Option<EventId>) -> Self {
        Self { path, at, open: None }
    }

    /// The last event that was read.
    #[must_use]
    pub const fn at(&self) -> Option<&EventId> {
        self.at.as_ref()
    }

    /// The next event; `None` when there is none at present.
    ///
    /// # Errors
    /// When a file cannot be read. Asking again goes on where it was.
    pub fn read(&mut self) -> io::Result<Option<Line>> {
        loop {
            let Some(open) = &mut self.open else {
                let parts = files::parts(&self.path)?;
                let Some(part) = start(&parts, self.at.as_ref()) else { return Ok(None) };
                self.open = open(part)?;
                continue;
            };
            open.file.read_until(b'\n', &mut open.line)?;
            if open.line.ends_with(b"\n") {
                let text = std::mem::take(&mut open.line);
                // What is no event was cut off, or is not ours.
                if let Some(id) = EventId::of_line(&text).filter(|id| !self.was_read(id)) {
                    self.at = Some(id.clone());
                    return Ok(Some(Line { id, text }));
                }
            } else if let Some(then) = open.then.take() {
                self.open = self::open(&then)?;
            } else {
                let identity = open.identity;
                if fs::metadata(&self.path).is_ok_and(|about| files::identity(&about) == identity) {
                    return Ok(None);
                }
                let parts = files::parts(&self.path)?;
                let Some(next) = after(&parts, identity, self.at.as_ref()) else { return Ok(None) };
                open.then = Some(next.clone());
            }
        }
    }

    fn was_read(&self, id: &EventId) -> bool {
        self.at.as_ref().is_some_and(|at| at.series == id.series && id.number <= at.number)
    }
}

/// `None` when it was put aside just now: it is found under its new name.
fn open(part: &Part) -> io::Result<Option<Open>> {
    let file = match File::open(&part.path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(&error, &part.path)),
    };
    let identity = identity(&file.metadata()?);
    Ok(Some(Open { file: BufReader::with_capacity(64 * 1024, file), identity, line: Vec::new(), then: None }))
}

/// Where the event after `at` is: the last file that does not begin behind it, or the first one where nothing of its series is left.
fn start<'a>(parts: &'a [Part], at: Option<&EventId>) -> Option<&'a Part> {
    let Some(at) = at else { return parts.first() };
    let of_series = || parts.iter().filter(|part| part.first.series == at.series);
    of_series().rfind(|part| part.first.number <= at.number).or_else(|| of_series().next()).or_else(|| parts.first())
}

/// The file after that one, which may not be there any more.
fn after<'a>(parts: &'a [Part], identity: Identity, at: Option<&EventId>) -> Option<&'a Part> {
    match parts.iter().position(|part| part.identity == identity) {
        Some(place) => parts.get(place + 1),
        None => parts.iter().find(|part| at.is_none_or(|at| part.first > *at)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::foundation::Clock;

    /// A folder, and a hand that writes events into files of it.
    struct Hand {
        folder: tempfile::TempDir,
        last: EventId,
    }

    impl Hand {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), last: EventId::new_series(&Clock::manual(1_795_875_491)) }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn append(&self, name: &str, text: &str) {
            use std::io::Write as _;
            let mut file = File::options().append(true).create(true).open(self.path(name)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn events(&mut self, name: &str, count: u64) {
            for _ in 0..count {
                self.last = self.last.next();
                self.append(name, &format!("{{\"id\":\"{}\"}}\n", self.last));
            }
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.path(from), self.path(to)).unwrap();
        }
    }

    fn numbers(follower: &mut Follower) -> Vec<u64> {
        std::iter::from_fn(|| follower.read().unwrap()).map(|line| line.id.number).collect()
    }

    #[test]
    fn events_are_read_once_through_files_that_are_put_aside() {
        let mut hand = Hand::new();
        let mut follower = Follower::new(hand.path("a"), None);
        assert!(numbers(&mut follower).is_empty());
        hand.events("a", 2);
        assert_eq!(numbers(&mut follower), [1, 2]);
        hand.append("a", "{\"id\":\"half");
        assert!(numbers(&mut follower).is_empty());
        hand.append("a", "\nnonsense\n");
        hand.events("a", 1);
        assert_eq!(numbers(&mut follower), [3]);
        // What was written between the last look and the renaming, and two files that came and went meanwhile.
        hand.events("a", 1);
        hand.rename("a", "a.one");
        assert_eq!(numbers(&mut follower), [4]);
        hand.events("a.one", 1);
        hand.events("a", 1);
        hand.rename("a", "a.another");
        hand.events("a", 2);
        assert_eq!(numbers(&mut follower), [5, 6, 7, 8]);
        assert_eq!(follower.at(), Some(&hand.last));
        hand.append("ab", "{}");
        assert_eq!(numbers(&mut Follower::new(hand.path("a"), None)), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn it_goes_on_where_it_was() {
        let mut hand = Hand::new();
        hand.events("a.2", 3);
        hand.events("a.1", 3);
        hand.events("a", 3);
        let at = |number| Some(EventId { number, ..hand.last.clone() });
        for number in 0..10 {
            let expected: Vec<u64> = (number + 1..10).collect();
            assert_eq!(numbers(&mut Follower::new(hand.path("a"), at(number))), expected, "after {number}");
        }
        // Removed before it was read: the rest follows.
        fs::remove_file(hand.path("a.2")).unwrap();
        assert_eq!(numbers(&mut Follower::new(hand.path("a"), at(1))), [4, 5, 6, 7, 8, 9]);
        // Nothing of that series is left, whichever was begun first.
        let other = EventId { series: "f".repeat(20), number: 7 };
        assert_eq!(numbers(&mut Follower::new(hand.path("a"), Some(other))), [4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_file_that_was_taken_away_is_read_to_its_end() {
        let mut hand = Hand::new();
        hand.events("a", 2);
        let mut follower = Follower::new(hand.path("a"), None);
        assert_eq!(follower.read().unwrap().unwrap().id.number, 1);
        hand.events("a", 1);
        hand.rename("a", "elsewhere");
        hand.events("elsewhere", 1);
        hand.events("a", 1);
        assert_eq!(numbers(&mut follower), [2, 3, 4, 5]);
    }
}
