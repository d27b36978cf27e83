//! The keys of a device session: only who proves one of them is let in by its device secret. Owns which keys there are and who may add
//! one; how a key is proven is for `tokens::dpop`.

use serde::{Deserialize, Serialize};

use super::device::Device;
use super::record::Session;
use crate::foundation::Timestamp;
use crate::settings::meaning::KeyEnrolment;

/// The most keys of one device session.
const MAX_KEYS: usize = 32;

/// One enrolled key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolledKey {
    /// Its RFC 7638 thumbprint (SHA-256), base64url.
    pub thumbprint: String,
    /// The client that enrolled it.
    pub client_id: String,
    /// When.
    pub enrolled: Timestamp,
}

/// How a key that an app proves stands to its device session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The session has no keys: nobody need prove one.
    Unbound,
    /// The key is enrolled.
    Enrolled,
    /// It is not, but may be now.
    MayEnrol,
}

/// Why an app is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// The session has keys, and none was proven.
    #[error("the device session is bound to keys, and none was proven")]
    Missing,
    /// The key is not enrolled, and the policy lets nobody add one.
    #[error("the key is not enrolled in the device session, and no more may be (sessions.device.key_enrolment)")]
    Closed,
    /// The client has enrolled another key before.
    #[error("the key is not enrolled in the device session, and the client has enrolled another before")]
    NotFirst,
    /// No enrolled key vouches for it.
    #[error("the key is not enrolled in the device session, and no enrolled key vouches for it")]
    NotVouched,
    /// There are too many.
    #[error("the device session has as many keys as it may have")]
    TooMany,
}

/// What went with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The client that had enrolled it.
    pub client_id: String,
    /// How many grants ended whose refresh token was bound to it.
    pub grants: usize,
    /// Whether no app is left: the session is over.
    pub nobody_left: bool,
}

/// Why a key was not removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRemoved {
    /// It is not enrolled.
    #[error("the session has no such key")]
    Unknown,
    /// Without it the secret alone would let everybody in.
    #[error("it is the last key, and without any the device secret alone would be enough; end the session instead")]
    Last,
}

impl Session {
    /// Removes an enrolled key and ends the grants that are bound to it: whoever holds it is out.
    ///
    /// # Errors
    /// When there is no such key, or no other; then nothing is changed.
    pub fn remove_key(&mut self, thumbprint: &str) -> Result<Removed, NotRemoved> {
        let device = self.device.as_mut().ok_or(NotRemoved::Unknown)?;
        let at = device.keys.iter().position(|key| key.thumbprint == thumbprint).ok_or(NotRemoved::Unknown)?;
        if device.keys.len() == 1 {
            return Err(NotRemoved::Last);
        }
        let client_id = device.keys.remove(at).client_id;
        let mut grants = 0;
        self.apps.retain(|_, app| {
            let before = app.grants.len();
            app.grants.retain(|grant| !grant.is_bound_to(thumbprint));
            grants += before - app.grants.len();
            !app.grants.is_empty()
        });
        Ok(Removed { client_id, grants, nobody_left: self.apps.is_empty() })
    }
}

impl Device {
    /// Whether its secrets alone let nobody in.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether a key is enrolled.
    #[must_use]
    pub fn has_key(&self, thumbprint: &str) -> bool {
        self.keys.iter().any(|key| key.thumbprint == thumbprint)
    }

    /// How the key that `client_id` proves stands to the session. `voucher` is the key that vouches for it, proven too.
    ///
    /// # Errors
    /// Why the client is not let in.
    pub fn standing(
        &self,
        client_id: &str,
        proven: Option<&str>,
        voucher: Option<&str>,
        policy: KeyEnrolment,
    ) -> Result<Standing, KeyProblem> {
        if !self.is_bound() {
            return Ok(Standing::Unbound);
        }
        let proven = proven.ok_or(KeyProblem::Missing)?;
        if self.has_key(proven) {
            return Ok(Standing::Enrolled);
        }
        match policy {
            KeyEnrolment::Closed => return Err(KeyProblem::Closed),
            KeyEnrolment::FirstExchange if self.keys.iter().any(|key| key.client_id == client_id) => {
                return Err(KeyProblem::NotFirst);
            }
            KeyEnrolment::Vouched if !voucher.is_some_and(|voucher| self.has_key(voucher)) => return Err(KeyProblem::NotVouched),
            KeyEnrolment::FirstExchange | KeyEnrolment::Vouched => {}
        }
        if self.keys.len() >= MAX_KEYS { Err(KeyProblem::TooMany) } else { Ok(Standing::MayEnrol) }
    }

    /// Enrols a key for `client_id`; says whether it was not enrolled already. Beyond the limit nothing is enrolled.
    pub fn enrol(&mut self, client_id: &str, thumbprint: &str, now: Timestamp) -> bool {
        if self.has_key(thumbprint) || self.keys.len() >= MAX_KEYS {
            return false;
        }
        self.keys.push(EnrolledKey { thumbprint: thumbprint.to_owned(), client_id: client_id.to_owned(), enrolled: now });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        let mut device = Device::default();
        assert!(device.enrol("one", "a", Timestamp(0)));
        assert!(!device.enrol("two", "a", Timestamp(1)), "it is enrolled already");
        device
    }

    #[test]
    fn a_session_without_keys_asks_for_none() {
        for policy in [KeyEnrolment::Closed, KeyEnrolment::Vouched, KeyEnrolment::FirstExchange] {
            assert_eq!(Device::default().standing("two", None, None, policy), Ok(Standing::Unbound));
            assert_eq!(Device::default().standing("two", Some("b"), None, policy), Ok(Standing::Unbound));
            assert_eq!(device().standing("two", None, None, policy), Err(KeyProblem::Missing));
            assert_eq!(device().standing("two", Some("a"), None, policy), Ok(Standing::Enrolled));
        }
    }

    #[test]
    fn who_may_add_a_key_is_policy() {
        let ask = |client, voucher, policy| device().standing(client, Some("b"), voucher, policy);
        assert_eq!(ask("two", Some("a"), KeyEnrolment::Closed), Err(KeyProblem::Closed));
        assert_eq!(ask("two", None, KeyEnrolment::FirstExchange), Ok(Standing::MayEnrol));
        assert_eq!(ask("one", None, KeyEnrolment::FirstExchange), Err(KeyProblem::NotFirst));
        assert_eq!(ask("two", None, KeyEnrolment::Vouched), Err(KeyProblem::NotVouched));
        assert_eq!(ask("two", Some("b"), KeyEnrolment::Vouched), Err(KeyProblem::NotVouched), "a key cannot vouch for itself");
        assert_eq!(ask("two", Some("a"), KeyEnrolment::Vouched), Ok(Standing::MayEnrol));
    }

    #[test]
    fn there_is_an_end_to_keys() {
        let mut device = device();
        for n in 1..MAX_KEYS {
            assert!(device.enrol("one", &n.to_string(), Timestamp(0)));
        }
        assert!(!device.enrol("one", "more", Timestamp(0)));
        assert_eq!(device.standing("two", Some("b"), None, KeyEnrolment::FirstExchange), Err(KeyProblem::TooMany));
    }
}
