//! What a library is asked, on its own feet: for another thread, and as JSON for another process of this program. And what it answers.

use serde::{Deserialize, Serialize};
use symbolon_sdk::host::{Configured, HandlerFault};
use symbolon_sdk::{DeviceSsoAuthorization, Verdict};

use super::answer::Trouble;
use super::question::{Facts, Surroundings};

/// A question to a handler or to an action.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Work {
    /// To a handler: an exchange.
    Exchange(Box<Facts>),
    /// To an action: a sign-in, as the JSON object that the SDK reads.
    SignIn(String),
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Of a handler.
    Decision(Box<DeviceSsoAuthorization>),
    /// Of an action.
    Verdict(Verdict),
}

impl Work {
    /// Asks, here and now.
    pub(super) fn ask(&self, library: &Configured, surroundings: &Surroundings) -> Result<Answer, HandlerFault> {
        match self {
            Self::Exchange(facts) => facts
                .lend(surroundings, |request| library.authorize(request))
                .map(|decision| Answer::Decision(Box::new(decision))),
            Self::SignIn(facts) => library.judge(facts).map(Answer::Verdict),
        }
    }
}

impl Answer {
    /// The decision on an exchange.
    pub(super) fn decision(self) -> Result<DeviceSsoAuthorization, Trouble> {
        match self {
            Self::Decision(decision) => Ok(*decision),
            Self::Verdict(_) => Err(beside_the_point()),
        }
    }

    /// The verdict on a sign-in.
    pub(super) fn verdict(self) -> Result<Verdict, Trouble> {
        match self {
            Self::Verdict(verdict) => Ok(verdict),
            Self::Decision(_) => Err(beside_the_point()),
        }
    }
}

/// Only a process that is no longer itself answers so.
fn beside_the_point() -> Trouble {
    Trouble::Handler(HandlerFault::Malformed("it answered what nobody asked".to_owned()))
}
