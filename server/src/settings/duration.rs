//! Durations as an operator writes them: `15m`, `1h 30m`, `500ms`.

use std::fmt::Write as _;
use std::time::Duration;

use super::value::{Mismatch, OUT_OF_RANGE, Raw, UNREADABLE};

/// Reads a duration; every number needs a unit, so that nobody mistakes minutes for seconds.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim()).map_err(|error| error.to_string())
}

/// Writes a duration in the units that a person would choose: `90d`, not `2months 29days`. [`read`] reads it back.
pub(super) fn write(duration: Duration) -> String {
    let mut seconds = duration.as_secs();
    let mut text = String::new();
    for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if seconds >= length {
            // Writing into a String cannot fail.
            let _ = write!(text, "{}{}{unit}", if text.is_empty() { "" } else { " " }, seconds / length);
            seconds %= length;
        }
    }
    if duration.subsec_millis() > 0 {
        let _ = write!(text, "{}{}ms", if text.is_empty() { "" } else { " " }, duration.subsec_millis());
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads the value of a setting between `min` and `max` milliseconds; `None` is `"never"`.
pub(super) fn of_setting(raw: &Raw, (min, max): (u64, u64), never: bool) -> Result<Option<Duration>, Mismatch> {
    if let Raw::Integer(number) = raw {
        return Err(raw.wrong_type(&format!("name the unit, in quotes: \"{number}s\", \"{number}m\", …")));
    }
    let text = raw.text()?;
    if text == "never" {
        let forbidden = || Mismatch::new(OUT_OF_RANGE, "\"never\"", "this one needs a limit: write a duration");
        return if never { Ok(None) } else { Err(forbidden()) };
    }
    let span = read(text).map_err(|why| {
        Mismatch::new(
            UNREADABLE,
            format!("{text:?} ({why})"),
            "write numbers with units d, h, m, s, such as \"15m\" or \"1h 30m\"",
        )
    })?;
    let (least, greatest) = (Duration::from_millis(min), Duration::from_millis(max));
    if span < least {
        return Err(Mismatch::new(OUT_OF_RANGE, format!("{text:?}"), format!("write at least \"{}\"", write(least))));
    }
    if span > greatest {
        let or_never = if never { ", or \"never\"" } else { "" };
        return Err(Mismatch::new(OUT_OF_RANGE, format!("{text:?}"), format!("write at most \"{}\"{or_never}", write(greatest))));
    }
    // Tokens and sessions count in whole seconds; a fraction would be lost without a word.
    if (min == 0 || min >= 1000) && span.subsec_nanos() > 0 {
        return Err(Mismatch::new(OUT_OF_RANGE, format!("{text:?}"), "write whole seconds"));
    }
    Ok(Some(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_it_reads() {
        for text in ["90d", "1h 30m", "10m", "2s", "500ms", "1d 1s"] {
            assert_eq!(read(text).map(write).as_deref(), Ok(text));
        }
        assert_eq!(write(Duration::ZERO), "0s");
        assert_eq!(read("24h").map(write).as_deref(), Ok("1d"));
        assert!(read("15").is_err());
        assert!(read("soon").is_err());
        assert!(read("").is_err());
    }

    proptest::proptest! {
        #[test]
        fn reads_back(millis in 0u64..400_000_000_000) {
            let duration = Duration::from_millis(millis);
            proptest::prop_assert_eq!(read(&write(duration)), Ok(duration));
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = read(&text);
        }
    }
}
