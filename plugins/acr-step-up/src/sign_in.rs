//! How the person signed in on the device, and what the app asks of that by parameters of its own. It knows levels; it knows neither
//! scope nor claims.

use symbolon_sdk::{DeviceSsoRequest, HandlerError};

use crate::rules::{Levels, Need};

/// The last sign-in, as the device session has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignIn<'a> {
    acr: Option<&'a str>,
    level: usize,
    age: u64,
}

impl<'a> SignIn<'a> {
    pub(crate) fn of(request: &DeviceSsoRequest<'a>, levels: &Levels) -> Self {
        let session = request.device_session();
        // A clock that was set back makes a sign-in of the future: as recent as can be.
        let age = request.now().saturating_sub(session.auth_time);
        Self { acr: session.acr, level: session.acr.map_or(0, |acr| levels.of(acr)), age }
    }

    /// Zero is never recent enough, as at the authorization endpoint, where it always asks the person: what depended on the second in
    /// which the request arrives would be no policy.
    pub(crate) const fn is_recent(self, need: Need) -> bool {
        match need.max_age {
            None => true,
            Some(most) => most > 0 && self.age <= most,
        }
    }

    pub(crate) const fn is_strong(self, need: Need) -> bool {
        self.level >= need.level
    }

    pub(crate) const fn meets(self, need: Need) -> bool {
        self.is_strong(need) && self.is_recent(need)
    }

    /// The sign-in in words, for the log.
    pub(crate) fn words(self) -> String {
        format!("signed in with {} {} s ago", self.acr.unwrap_or("no class"), self.age)
    }
}

/// What the app asks of the sign-in by `acr_values` and `max_age`, the parameters of `OpenID` Connect Core section 3.1.2.1. They are a wish
/// there; an app that states them at an exchange relies on the answer as in a step-up (RFC 9470 section 5), so here they bind.
#[derive(Debug)]
pub(crate) struct Wish<'r> {
    acr_values: &'r [&'r str],
    max_age: Option<u64>,
}

impl<'r> Wish<'r> {
    /// # Errors
    /// `invalid_request` when `max_age` is no number.
    pub(crate) fn of(request: &'r DeviceSsoRequest<'_>) -> Result<Self, HandlerError> {
        let max_age = match request.parameter("max_age").filter(|text| !text.is_empty()).map(str::parse) {
            None => None,
            Some(Ok(seconds)) => Some(seconds),
            Some(Err(_)) => {
                let error = HandlerError::custom("invalid_request").with_description("max_age must be a whole number of seconds");
                return Err(error.with_log_message("max_age is no number"));
            }
        };
        Ok(Self { acr_values: request.acr_values(), max_age })
    }

    /// How recent the sign-in has to be. The wished classes are no level: of several, each will do.
    pub(crate) const fn need(&self) -> Need {
        Need { level: 0, max_age: self.max_age }
    }

    /// Whether the class is one that was wished for, or above one: who asks for a second factor is content with a third.
    pub(crate) fn accepts(&self, sign_in: SignIn<'_>, levels: &Levels) -> bool {
        let is_named = |acr: &str| self.acr_values.contains(&acr);
        let is_above = |acr: &&str| (1..sign_in.level).contains(&levels.of(acr));
        self.acr_values.is_empty() || sign_in.acr.is_some_and(is_named) || self.acr_values.iter().any(is_above)
    }

    /// The classes that satisfy app and rules alike, best first; `None` when there is no such class.
    pub(crate) fn classes<'l>(&'l self, need: Need, levels: &'l Levels) -> Option<Vec<&'l str>> {
        let named: Vec<&str> = self.acr_values.iter().copied().filter(|acr| levels.of(acr) >= need.level).collect();
        if !named.is_empty() {
            return Some(named);
        }
        // A wish for something lower is granted by every class from the needed one upwards; one for a class without a level is not.
        let is_lower = self.acr_values.is_empty() || self.acr_values.iter().any(|acr| levels.of(acr) > 0);
        is_lower.then(|| levels.from(need.level).iter().map(String::as_str).collect())
    }
}
