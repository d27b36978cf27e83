//! The life of one refresh token: rotation without loss.
//!
//! A successor is derived from its predecessor (a keyed pseudo-random function, `tokens::keys::SigningKeys::derive`), so a
//! client whose answer was lost on the way may ask again with the old token and is given the very same new one, for as
//! long as that was not used. Nothing but digests is stored for it. Once the successor was used, the old token is a
//! replay (RFC 9700 section 4.14.2) and ends the grant.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::foundation::{Digest, Secret, Timestamp};
use crate::tokens::Confirmation;

/// The refresh token of a grant, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refresh {
    /// Digest of the random tag that every token of this grant carries; only a holder of one of them knows it.
    pub tag: Digest,
    /// Digest of the token that is valid now.
    pub current: Digest,
    /// Digest of the one before, answered again while `current` is unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// Whether each use gives a new token.
    pub rotate: bool,
    /// When it ends whatever happens; the session's end comes first if earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// How long it lives without use, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<u64>,
    /// The last time it was used, or its issue.
    pub last_used: Timestamp,
    /// The keys whose holder alone may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Confirmation>,
}

/// What a presented refresh token turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// The valid one.
    Current,
    /// The one before, whose successor nobody used yet: the answer was lost, or two requests raced.
    Predecessor,
    /// A token of this grant that was valid once, or one made up by somebody who saw one: a replay.
    Replay,
}

impl Refresh {
    /// A new refresh token's stored half.
    #[must_use]
    pub fn issue(tag: &[u8; 16], secret: &Secret<[u8; 32]>, terms: RefreshTerms, now: Timestamp) -> Self {
        Self {
            tag: Digest::of(tag),
            current: Digest::of(secret.expose()),
            previous: None,
            rotate: terms.rotate,
            expires: terms.lifetime.map(|life| now.plus(life)),
            max_idle: terms.max_idle.map(|idle| idle.as_secs()),
            last_used: now,
            bound: None,
        }
    }

    /// Whether it may still be used at `now`.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now < end)
            && self.max_idle.is_none_or(|idle| now < self.last_used.plus(Duration::from_secs(idle)))
    }

    /// Which token of the grant `secret` is.
    #[must_use]
    pub fn classify(&self, secret: &Secret<[u8; 32]>) -> Presented {
        let digest = Digest::of(secret.expose());
        if digest == self.current {
            Presented::Current
        } else if self.previous == Some(digest) {
            Presented::Predecessor
        } else {
            Presented::Replay
        }
    }

    /// Moves on to `successor`: the token that was current is now the predecessor.
    pub fn rotate_to(&mut self, successor: &Secret<[u8; 32]>, now: Timestamp) {
        self.previous = Some(self.current);
        self.current = Digest::of(successor.expose());
        self.last_used = now;
    }
}

/// What was decided about a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshTerms {
    /// From issue to end; `None` = as long as the session.
    pub lifetime: Option<Duration>,
    /// Without use; `None` = no limit of its own.
    pub max_idle: Option<Duration>,
    /// Whether each use gives a new token.
    pub rotate: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: RefreshTerms =
        RefreshTerms { lifetime: Some(Duration::from_secs(100)), max_idle: Some(Duration::from_secs(10)), rotate: true };

    fn secret(n: u8) -> Secret<[u8; 32]> {
        Secret::new([n; 32])
    }

    #[test]
    fn a_predecessor_is_answered_until_its_successor_is_used() {
        let mut refresh = Refresh::issue(&[0; 16], &secret(1), TERMS, Timestamp(0));
        assert_eq!(refresh.classify(&secret(1)), Presented::Current);
        refresh.rotate_to(&secret(2), Timestamp(1));
        assert_eq!(refresh.classify(&secret(1)), Presented::Predecessor);
        assert_eq!(refresh.classify(&secret(2)), Presented::Current);
        refresh.rotate_to(&secret(3), Timestamp(2));
        assert_eq!(refresh.classify(&secret(1)), Presented::Replay);
        assert_eq!(refresh.classify(&secret(2)), Presented::Predecessor);
        assert_eq!(refresh.classify(&secret(9)), Presented::Replay);
    }

    #[test]
    fn it_ends_by_age_and_by_idleness() {
        let mut refresh = Refresh::issue(&[0; 16], &secret(1), TERMS, Timestamp(0));
        assert!(refresh.is_alive(Timestamp(9)));
        assert!(!refresh.is_alive(Timestamp(10)));
        refresh.rotate_to(&secret(2), Timestamp(95));
        assert!(refresh.is_alive(Timestamp(99)));
        assert!(!refresh.is_alive(Timestamp(100)));
    }
}
