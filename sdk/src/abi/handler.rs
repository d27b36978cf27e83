//! A configured handler as it crosses, and the shim around the author's type that lets no panic out.

use std::mem::ManuallyDrop;

use abi_stable::std_types::{RBox, ROption, RResult, RString, RVec};
use abi_stable::{StableAbi, sabi_trait};

use super::decision::{Decision, DecisionBox, DecisionObject_TO};
use super::guard::guarded;
use super::request::{RequestRef, shorten};
use crate::log::Level;
use crate::{DeviceSsoHandler, DeviceSsoRequest, HandlerError};

/// A configured handler that is given away.
pub type HandlerBox = HandlerObject_TO<'static, RBox<()>>;

/// Frozen. Why no instance came out of the properties.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct ConfigureRefusal {
    /// Whether `message` is that of a panic.
    pub panicked: bool,
    /// One sentence, or empty.
    pub message: RString,
    /// The findings.
    pub findings: RVec<FindingRecord>,
}

/// Frozen.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct FindingRecord {
    /// The full name.
    pub key: RString,
    /// What was found.
    pub seen: RString,
    /// What would have been right.
    pub expected: RString,
    /// What to do.
    pub remedy: RString,
}

/// Frozen. Why there is no decision.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct Fault {
    /// Whether `log_message` is that of a panic; the rest is empty then.
    pub panicked: bool,
    /// The OAuth error code.
    pub code: RString,
    /// The HTTP status.
    pub status: ROption<u16>,
    /// For the client's developer.
    pub description: ROption<RString>,
    /// Further members, a JSON object, or empty.
    pub members: RString,
    /// For the log only.
    pub log_message: RString,
}

/// A configured handler. New methods go to the end, with a default body.
#[sabi_trait]
pub trait HandlerObject: Send + Sync {
    /// Whether it wants to be asked, or the message of a panic.
    fn enabled(&self) -> RResult<bool, RString>;
    /// Decides one exchange.
    fn authorize(&self, request: RequestRef<'_>) -> RResult<DecisionBox, Fault>;
    /// Ends it; the message of a panic, if there was one.
    #[sabi(last_prefix_field)]
    fn shutdown(&self) -> ROption<RString>;
}

/// The shim around the author's type.
pub(super) struct Guarded<H>(ManuallyDrop<H>);

impl<H: DeviceSsoHandler> Guarded<H> {
    pub(super) const fn new(handler: H) -> Self {
        Self(ManuallyDrop::new(handler))
    }
}

impl<H> Drop for Guarded<H> {
    fn drop(&mut self) {
        // SAFETY: this is the only place that drops the value, and a value's `drop` runs once; it is not touched afterwards.
        if let Err(message) = guarded(|| unsafe { ManuallyDrop::drop(&mut self.0) }) {
            super::sink::write(Level::Error, &format!("the handler panicked while it was dropped: {message}"));
        }
    }
}

impl<H: DeviceSsoHandler> HandlerObject for Guarded<H> {
    fn enabled(&self) -> RResult<bool, RString> {
        guarded(|| self.0.enabled()).map_err(RString::from).into()
    }

    fn authorize(&self, request: RequestRef<'_>) -> RResult<DecisionBox, Fault> {
        match guarded(|| self.0.authorize(&DeviceSsoRequest::new(shorten(&request)))) {
            Ok(Ok(authorization)) => RResult::ROk(DecisionObject_TO::from_value(Decision(authorization), sabi_trait::TD_Opaque)),
            Ok(Err(error)) => RResult::RErr(refused(error)),
            Err(message) => RResult::RErr(panicked(message)),
        }
    }

    fn shutdown(&self) -> ROption<RString> {
        guarded(|| self.0.shutdown()).err().map(RString::from).into()
    }
}

fn refused(error: HandlerError) -> Fault {
    let members =
        if error.members.is_empty() { String::new() } else { serde_json::to_string(&error.members).unwrap_or_default() };
    Fault {
        panicked: false,
        code: error.code.into(),
        status: error.status.into(),
        description: error.description.map(RString::from).into(),
        members: members.into(),
        log_message: error.log_message.into(),
    }
}

pub(super) fn panicked(message: String) -> Fault {
    Fault {
        panicked: true,
        code: RString::new(),
        status: ROption::RNone,
        description: ROption::RNone,
        members: RString::new(),
        log_message: message.into(),
    }
}
