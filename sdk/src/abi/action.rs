//! A configured action as it crosses, and the shim around the author's type. Facts and verdict travel as JSON text: a sign-in stands beside a
//! password digest and a page, so a few microseconds are nothing, and both may grow without another number.

use std::mem::ManuallyDrop;

use abi_stable::sabi_trait;
use abi_stable::std_types::{RBox, ROption, RResult, RStr, RString};
use serde_json::Value;

use super::guard::guarded;
use super::handler::{Fault, panicked};
use crate::log::Level;
use crate::{ActionError, PostLoginAction, SignIn};

/// A configured action that is given away.
pub type ActionBox = ActionObject_TO<'static, RBox<()>>;

/// A configured action. New methods go to the end, with a default body.
#[sabi_trait]
pub trait ActionObject: Send + Sync {
    /// Whether it wants to be asked, or the message of a panic.
    fn enabled(&self) -> RResult<bool, RString>;
    /// Judges one sign-in: a JSON object in, the verdict as a JSON object out.
    fn judge(&self, facts: RStr<'_>) -> RResult<RString, Fault>;
    /// Ends it; the message of a panic, if there was one.
    #[sabi(last_prefix_field)]
    fn shutdown(&self) -> ROption<RString>;
}

/// The shim around the author's type.
pub(super) struct Judging<A>(ManuallyDrop<A>);

impl<A: PostLoginAction> Judging<A> {
    pub(super) const fn new(action: A) -> Self {
        Self(ManuallyDrop::new(action))
    }
}

impl<A> Drop for Judging<A> {
    fn drop(&mut self) {
        // SAFETY: this is the only place that drops the value, and a value's `drop` runs once; it is not touched afterwards.
        if let Err(message) = guarded(|| unsafe { ManuallyDrop::drop(&mut self.0) }) {
            super::sink::write(Level::Error, &format!("the action panicked while it was dropped: {message}"));
        }
    }
}

impl<A: PostLoginAction> ActionObject for Judging<A> {
    fn enabled(&self) -> RResult<bool, RString> {
        guarded(|| self.0.enabled()).map_err(RString::from).into()
    }

    fn judge(&self, facts: RStr<'_>) -> RResult<RString, Fault> {
        let judged = guarded(|| {
            // The server writes an object; anything else would be a fault of its own, and then nothing may be allowed.
            let facts: Value = serde_json::from_str(facts.as_str())
                .map_err(|error| ActionError::new(format!("the facts cannot be read: {error}")))?;
            self.0.judge(&SignIn::new(facts)).map(|verdict| verdict.to_json().to_string())
        });
        match judged {
            Ok(Ok(verdict)) => RResult::ROk(verdict.into()),
            Ok(Err(error)) => RResult::RErr(unable(error)),
            Err(message) => RResult::RErr(panicked(message)),
        }
    }

    fn shutdown(&self) -> ROption<RString> {
        guarded(|| self.0.shutdown()).err().map(RString::from).into()
    }
}

fn unable(error: ActionError) -> Fault {
    Fault {
        panicked: false,
        code: "temporarily_unavailable".into(),
        status: ROption::RNone,
        description: ROption::RNone,
        members: RString::new(),
        log_message: error.log_message.into(),
    }
}
