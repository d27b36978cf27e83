//! The name of a session: what every handle of it carries. Knows nothing of what a session is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::foundation::{Clock, Timestamp, encoding, random};

/// The id of a device, browser or offline session; also the `sid` claim (OpenID Connect Front-Channel Logout section 3).
///
/// Six bytes of milliseconds come first, so that sessions sort by age (the store writes neighbours into one page);
/// the ten random bytes after them make it unique. It is a name, not a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId([u8; 16]);

/// The text is not a session id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a session id")]
pub struct NotASessionId;

impl SessionId {
    /// A new id, made now.
    #[must_use]
    pub fn new(clock: &Clock) -> Self {
        let mut id = [0; 16];
        // 48 bits of milliseconds reach the year 10889.
        id[..6].copy_from_slice(&clock.now_millis().to_be_bytes()[2..]);
        id[6..].copy_from_slice(&random::bytes::<10>());
        Self(id)
    }

    /// The id made of those bytes, as read from a record or a handle.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// When the id was made, to the second.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        let millis = self.0[..6].iter().fold(0_u64, |millis, byte| millis << 8 | u64::from(*byte));
        Timestamp(millis / 1000)
    }

    /// The raw 16 bytes: the record's id in the store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encoding::encode(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl FromStr for SessionId {
    type Err = NotASessionId;

    fn from_str(text: &str) -> Result<Self, NotASessionId> {
        encoding::decode_array(text).map(Self).ok_or(NotASessionId)
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_later_session_sorts_after_an_earlier_one() {
        let clock = Clock::manual(1_800_000_000);
        let first = SessionId::new(&clock);
        clock.advance(Duration::from_millis(1));
        let second = SessionId::new(&clock);
        assert!(first < second);
        assert_eq!(first.as_bytes()[..6], (1_800_000_000_000_u64).to_be_bytes()[2..]);
    }

    #[test]
    fn two_sessions_of_one_millisecond_differ() {
        let clock = Clock::manual(1);
        assert_ne!(SessionId::new(&clock), SessionId::new(&clock));
    }

    #[test]
    fn the_text_is_22_characters_and_strict() {
        let text = SessionId::from_bytes([255; 16]).to_string();
        assert_eq!(text, "_____________________w");
        assert_eq!(text.parse(), Ok(SessionId::from_bytes([255; 16])));
        // The last character carries four bits that must be zero: `x` would decode to the same bytes.
        for wrong in
            ["", "_", "_____________________x", "_____________________w==", "____________________", "/////////////////////w"]
        {
            assert_eq!(wrong.parse::<SessionId>(), Err(NotASessionId), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_id_survives_text_and_json(bytes: [u8; 16]) {
            let id = SessionId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<SessionId>(&json).unwrap(), id);
        }

        #[test]
        fn garbage_is_refused_or_read_back_as_itself(text in ".{0,40}") {
            if let Ok(id) = text.parse::<SessionId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
