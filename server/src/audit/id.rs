//! The id of an event in the audit file: a series, which is new where there is no file to go on from, and a number without gaps.

use std::fmt;

use crate::foundation::{Clock, random};

/// `SERIES-NUMBER`. Ids of one series follow each other without gaps, so that a receiver can tell what it missed; a later series is greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId {
    /// When it was begun, in milliseconds, and 32 random bits, in hexadecimal digits.
    pub series: String,
    /// From 1 on.
    pub number: u64,
}

/// How each line that is ours begins.
pub(super) const HEAD: &[u8] = b"{\"id\":\"";

impl EventId {
    /// What comes before the first event of a new series.
    #[must_use]
    pub fn new_series(clock: &Clock) -> Self {
        let chance = u32::from_be_bytes(random::bytes());
        Self { series: format!("{:012x}{chance:08x}", clock.now_millis()), number: 0 }
    }

    /// The next one.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { series: self.series.clone(), number: self.number + 1 }
    }

    /// The id in text form; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (series, number) = text.split_once('-')?;
        let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let right = series.len() == 20 && series.bytes().all(hexadecimal) && number.bytes().all(|b| b.is_ascii_digit());
        Some(Self { series: series.to_owned(), number: number.parse().ok().filter(|_| right)? })
    }

    /// The id at the beginning of a line of an audit file; `None` for a line that is not ours.
    #[must_use]
    pub fn of_line(line: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(HEAD)?;
        let end = rest.iter().take(64).position(|byte| *byte == b'"')?;
        Self::parse(str::from_utf8(&rest[..end]).ok()?)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:012}", self.series, self.number)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_and_grow() {
        let zero = EventId::new_series(&Clock::manual(1_795_875_491));
        let (one, two) = (zero.next(), zero.next().next());
        assert_eq!(EventId::parse(&one.to_string()), Some(one.clone()));
        assert_eq!(EventId::of_line(format!("{{\"id\":\"{two}\",\"time\":1}}").as_bytes()), Some(two.clone()));
        let later = EventId::new_series(&Clock::manual(1_795_875_492)).next();
        assert!(one < two && two < later && one.to_string() < two.to_string() && two.to_string() < later.to_string());
    }

    #[test]
    fn nothing_else_is_an_id() {
        let series = "0".repeat(20);
        for text in [
            "",
            "-",
            "1-1",
            &series,
            &format!("{series}-"),
            &format!("{series}-x"),
            &format!("{series}--1"),
            &format!("{series}-+1"),
        ] {
            assert_eq!(EventId::parse(text), None, "{text}");
        }
        assert_eq!(EventId::parse(&format!("{}-1", "G".repeat(20))), None);
        for line in ["", "{}", "{\"id\":\"1\"}", &format!("{{\"id\":\"{series}-1")] {
            assert_eq!(EventId::of_line(line.as_bytes()), None, "{line}");
        }
        assert!(EventId::of_line(format!("{{\"id\":\"{series}-1\"").as_bytes()).unwrap().number == 1);
    }
}
